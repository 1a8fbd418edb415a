// SPDX-License-Identifier: MIT
/*
 * ksim under the tests of Linux's promises: each test has a machine of its own, with sparse files as on Linux, and runs
 * inside a process called "abi" of it. The environment's ABI_ARCH (x86_64, aarch64) picks the simulated architecture;
 * without it, it is the host's. Built with -DABI_NATIVE, memory is touched through pointers into windows.
 *
 * At the end of a test nothing that it made may be left: no fd, no mapping, no queued message; every validator is
 * content, and the kernel gives back all that it held.
 */
#include "abi.h"

#include <stdlib.h>

#ifdef HAVE_VALGRIND
#include <valgrind/memcheck.h>
#endif

static struct ksim_machine *machine;
static struct ksim_process *process;
static int npaths;

struct ksim_machine *abi_machine(void)
{
	return machine;
}

int linux_release(void)
{
	return 6018;
}

void fresh_path(char *path, size_t size)
{
	snprintf(path, size, "/tmp/ksim-abi-%d", npaths++);
}

/* Children. */

static int result_of(const struct ksim_end *end)
{
	return end->signo != 0 ? -end->signo : end->code;
}

int in_child(int (*fn)(void *), void *arg)
{
	struct ksim_process *child = ksim_process_fork(ksim_self(), "child");
	struct ksim_end end;

	SETUP(child != NULL);
	SETUP(ksim_run(child, fn, arg, &end) == 0);
	if (end.alive)
		SETUP(ksim_process_end(child, end.code) == 0);
	SETUP(ksim_join(child, &end) == 0);
	return result_of(&end);
}

struct child {
	struct ksim_process *process;
};

struct child *child_start(int (*fn)(void *), void *arg)
{
	struct child *child = malloc(sizeof(*child));

	SETUP(child != NULL);
	child->process = ksim_process_fork(ksim_self(), "child");
	SETUP(child->process != NULL);
	SETUP(ksim_start(child->process, fn, arg) == 0);
	return child;
}

int child_join(struct child *child)
{
	struct ksim_end end;

	SETUP(ksim_join(child->process, &end) == 0);
	free(child);
	return result_of(&end);
}

/* Before and after each test. */

enum ksim_arch abi_arch(void)
{
	const char *name = getenv("ABI_ARCH");

	if (name == NULL)
		return KSIM_ARCH_HOST;
	SETUP(strcmp(name, "x86_64") == 0 || strcmp(name, "aarch64") == 0);
	return strcmp(name, "x86_64") == 0 ? KSIM_ARCH_X86_64 : KSIM_ARCH_AARCH64;
}

static void at_start(void)
{
	struct ksim_config config = {
		.ram_bytes = 64 << 20,
		.arch = abi_arch(),
		.commit = KSIM_COMMIT_ON_TOUCH,
		.fd_limit = NFDS_LIMIT,
		.access = ABI_ACCESS,
	};

	npaths = 0;
#if defined(ABI_NATIVE) && defined(HAVE_VALGRIND)
	VALGRIND_MAKE_MEM_DEFINED(0, 65536); /* it is the kernel that judges accesses at NULL */
#endif
	machine = ksim_boot(&config);
	SETUP(machine != NULL);
	process = ksim_process_create(machine, "abi");
	SETUP(process != NULL);
	ksim_enter(process);
}

static void at_end(void)
{
	if (machine == NULL)
		return;
	while (ksim_self() != NULL)
		ksim_leave();
	if (!harness_failed())
		EXPECT_EQ(ksim_leaks(machine, process, 0), 0);
	EXPECT_EQ(ksim_check(machine), 0);
	EXPECT_EQ(ksim_halt(machine), 0);
	machine = NULL;
}

static struct harness_hook hook = { "machine", at_start, at_end, NULL };

__attribute__((constructor)) static void add_hook(void)
{
	harness_hook_add(&hook);
}

// SPDX-License-Identifier: MIT
/*
 * ksim under the tests of Linux's promises: each test has a machine of its own, with sparse files as on Linux, and runs
 * inside a process called "abi" of it. Built with -DABI_NATIVE, memory is touched through pointers into windows.
 *
 * What the machine is otherwise: what abi_config says, if somebody has set it (library.c); else what the environment
 * does, by ABI_ARCH (x86_64, aarch64), ABI_RELEASE (6006 is 6.6), ABI_HUGE (no: no 2 MiB mappings unasked for) and
 * ABI_WINDOW (MiB of a process's window).
 *
 * At the end of a test nothing that it made may be left: no fd, no mapping, no queued message; every validator is
 * content, and the kernel gives back all that it held.
 */
#include "abi.h"

#include <stdlib.h>
#include <unistd.h>

#ifdef HAVE_VALGRIND
#include <valgrind/memcheck.h>
#endif

const struct ksim_config *abi_config;

static struct ksim_machine *machine;
static long processes_at_start;
static struct ksim_process *process;
static int npaths;

struct ksim_machine *abi_machine(void)
{
	return machine;
}

int linux_release(void)
{
	const char *release = getenv("ABI_RELEASE");

	if (abi_config != NULL && abi_config->linux_release != 0)
		return (int)abi_config->linux_release;
	return release != NULL ? atoi(release) : 6018;
}

void fresh_path(char *path, size_t size)
{
	snprintf(path, size, "/dev/shm/ksim-abi-%d", npaths++);
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

/* The machine is this test's alone. */
int in_child_with_settings(int (*fn)(void *), void *arg)
{
	return in_child(fn, arg);
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

pid_t x_clone(int (*fn)(void *), int flags, void *arg, pid_t *parent_tid, pid_t *child_tid)
{
	char unused;

	return ksim_clone(fn, &unused, flags, arg, parent_tid, (void *)NULL, child_tid);
}

void x_exit_thread(int code)
{
	for (;;)
		ksim_syscall(ksim_nr(machine, "exit"), code, 0, 0, 0, 0, 0);
}

/* Before and after each test. */

enum ksim_arch abi_arch(void)
{
	const char *name = getenv("ABI_ARCH");

	if (abi_config != NULL)
		return abi_config->arch;
	if (name == NULL)
		return KSIM_ARCH_HOST;
	SETUP(strcmp(name, "x86_64") == 0 || strcmp(name, "aarch64") == 0);
	return strcmp(name, "x86_64") == 0 ? KSIM_ARCH_X86_64 : KSIM_ARCH_AARCH64;
}

bool abi_native(void)
{
	return ABI_ACCESS == KSIM_ACCESS_NATIVE || (abi_config != NULL && abi_config->access == KSIM_ACCESS_NATIVE);
}

bool abi_large_pages(void)
{
	const char *huge = getenv("ABI_HUGE");

	if (abi_config != NULL)
		return abi_config->transparent_huge != KSIM_NONE;
	return huge == NULL || strcmp(huge, "no") != 0;
}

/* Of a window; 0: as large as ksim likes. */
static uint64_t window_bytes(void)
{
	const char *window = getenv("ABI_WINDOW");

	return window != NULL ? strtoull(window, NULL, 10) << 20 : 0;
}

bool has_addresses(uint64_t bytes)
{
	return window_bytes() == 0 || window_bytes() > bytes;
}

static void at_start(void)
{
	struct ksim_census census;
	struct ksim_config config = { .arch = abi_arch() };

	if (abi_config != NULL)
		config = *abi_config;
	else if (!abi_large_pages())
		config.transparent_huge = KSIM_NONE;
	if (window_bytes() != 0)
		config.window_bytes = window_bytes();
	config.commit = KSIM_COMMIT_ON_TOUCH;
	config.fd_limit = NFDS_LIMIT;
	config.max_map_count = 0;
	config.huge_pages = 0;
	config.memfd_noexec = 0;
	config.linux_release = (unsigned)linux_release();
	if (config.access == KSIM_ACCESS_DEFAULT)
		config.access = ABI_ACCESS;

	npaths = 0;
#if defined(ABI_NATIVE) && defined(HAVE_VALGRIND)
	VALGRIND_MAKE_MEM_DEFINED(0, 65536); /* it is the kernel that judges accesses at NULL */
#endif
	machine = ksim_boot(&config);
	SETUP(machine != NULL);
	process = ksim_process_create(machine, "abi");
	SETUP(process != NULL);
	ksim_census(machine, NULL, &census);
	processes_at_start = census.processes;
	ksim_enter(process);
}

/* Orphans of a test's that are still ending: ksim_check wants to be alone. */
static void await_orphans(void)
{
	struct ksim_census census;

	for (int ms = 0; ms < 100; ms++) {
		ksim_census(machine, NULL, &census);
		if (census.processes <= processes_at_start)
			return;
		usleep(1000);
	}
}

static void at_end(void)
{
	if (machine == NULL)
		return;
	while (ksim_self() != NULL)
		ksim_leave();
	await_orphans();
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

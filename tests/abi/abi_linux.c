// SPDX-License-Identifier: MIT
/*
 * The host kernel under the tests of Linux's promises: it is the oracle, so a failure here is a wrong test.
 *
 * All tests may run in one process, so each finds and leaves the process as it was: the limit of open files is lowered
 * to ksim's default for the length of a test, and what it bound in the file system is removed after it.
 */
#include "abi.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>

const char *abi_last_call;

static struct rlimit nofile_before;
static char directory[64]; /* of this test's paths, "" until one is asked for */
static pid_t directory_owner;
static int npaths;

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGPIPE, SIGTERM };
enum { NCRASH_SIGNALS = sizeof(crash_signals) / sizeof(crash_signals[0]) };
static struct sigaction crash_actions[NCRASH_SIGNALS]; /* that stood at the start of the test */

int linux_release(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	if (sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return 0;
	return major * 1000 + minor;
}

bool has_addresses(uint64_t bytes)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur > bytes && UINTPTR_MAX > bytes;
}

/* Children. */

/* A crash of a child is a result, not a crash of the program: the handlers that both test forms installed must not see
 * it. A handler that the test put in their place is inherited. */
static void forget_handlers(void)
{
	struct sigaction now, fresh = { .sa_handler = SIG_DFL };

	for (size_t i = 0; i < NCRASH_SIGNALS; i++)
		if (sigaction(crash_signals[i], NULL, &now) == 0 && now.sa_sigaction == crash_actions[i].sa_sigaction)
			sigaction(crash_signals[i], &fresh, NULL);
}

pid_t x_fork_into(int (*fn)(void *), void *arg)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid != 0)
		return pid;
	forget_handlers();
	_exit(fn(arg));
}

static int end_of(pid_t pid)
{
	int status;
	pid_t waited;

	do
		waited = waitpid(pid, &status, 0);
	while (waited < 0 && errno == EINTR);
	SETUP(waited == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_LACKS_CALL)
		SKIP("the kernel lacks a call that a child needs");
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int in_child(int (*fn)(void *), void *arg)
{
	pid_t pid = x_fork_into(fn, arg);

	SETUP(pid > 0);
	return end_of(pid);
}

/* vm.memfd_noexec is of a pid namespace: the child makes one, and its child is the first in it. */

enum { NAMESPACE_REFUSED = 97 };

struct settled {
	int (*fn)(void *);
	void *arg;
};

static int in_a_namespace(void *arg)
{
	const struct settled *settled = arg;
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID) != 0)
		return NAMESPACE_REFUSED;
	pid = x_fork_into(settled->fn, settled->arg);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return NAMESPACE_REFUSED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int in_child_with_settings(int (*fn)(void *), void *arg)
{
	struct settled settled = { fn, arg };
	int end = in_child(in_a_namespace, &settled);

	if (end == NAMESPACE_REFUSED)
		SKIP("a pid namespace of one's own is refused here");
	return end;
}

struct child {
	pid_t pid;
};

struct child *child_start(int (*fn)(void *), void *arg)
{
	struct child *child = malloc(sizeof(*child));

	SETUP(child != NULL);
	child->pid = x_fork_into(fn, arg);
	SETUP(child->pid > 0);
	return child;
}

int child_join(struct child *child)
{
	pid_t pid = child->pid;

	free(child);
	return end_of(pid);
}

/* Their stacks are given back after the test, whose children and threads have ended by then. */

enum { STACK_BYTES = 256 * 1024, STACKS = 64 };
static void *stacks[STACKS];
static int nstacks;

pid_t x_clone(int (*fn)(void *), int flags, void *arg, pid_t *parent_tid, pid_t *child_tid)
{
	char *stack;

	SETUP(nstacks < STACKS);
	stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	SETUP(stack != MAP_FAILED);
	stacks[nstacks++] = stack;
	fflush(NULL);
	return clone(fn, stack + STACK_BYTES, flags, arg, parent_tid, NULL, child_tid);
}

void x_exit_thread(int code)
{
	for (;;)
		syscall(SYS_exit, code);
}

static void free_stacks(void)
{
	while (nstacks > 0)
		munmap(stacks[--nstacks], STACK_BYTES);
}

/* vm.memfd_noexec of this kernel, as it was when the test began. */
static int noexec;

static void look_at_noexec(void)
{
	FILE *file = fopen("/proc/sys/vm/memfd_noexec", "re");

	noexec = 0;
	if (file == NULL)
		return;
	if (fscanf(file, "%d", &noexec) != 1)
		noexec = 0;
	fclose(file);
}

int x_memfd_create(const char *name, unsigned flags)
{
	enum { NOEXEC_SEAL = 8, EXEC = 16 }; /* MFD_ of younger headers */

	abi_last_call = "memfd_create";
	return memfd_create(name, noexec == 1 && !(flags & NOEXEC_SEAL) ? flags | EXEC : flags);
}

/* Paths. */

void fresh_path(char *path, size_t size)
{
	if (directory[0] == '\0') {
		snprintf(directory, sizeof(directory), "/dev/shm/ksim-abi-XXXXXX");
		SETUP(mkdtemp(directory) != NULL && chmod(directory, 0755) == 0);
		directory_owner = getpid();
	}
	snprintf(path, size, "%s/%d", directory, npaths++);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static void remove_directory(void)
{
	SETUP(chdir("/") == 0);
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Before and after each test. */

static void at_start(void)
{
	struct rlimit lowered;

	look_at_noexec();
	if (noexec >= 2)
		SKIP("vm.memfd_noexec is %d: no memfd may be executed", noexec);
	if (sysconf(_SC_PAGESIZE) != PAGE)
		SKIP("pages of %ld bytes", sysconf(_SC_PAGESIZE));
	SETUP(getrlimit(RLIMIT_NOFILE, &nofile_before) == 0);
	lowered = nofile_before;
	lowered.rlim_cur = NFDS_LIMIT;
	SETUP(lowered.rlim_max >= NFDS_LIMIT && setrlimit(RLIMIT_NOFILE, &lowered) == 0);
	for (size_t i = 0; i < NCRASH_SIGNALS; i++)
		SETUP(sigaction(crash_signals[i], NULL, &crash_actions[i]) == 0);
	umask(022);
}

static void at_end(void)
{
	EXPECT(setrlimit(RLIMIT_NOFILE, &nofile_before) == 0);
	free_stacks();
	if (directory[0] != '\0' && directory_owner == getpid())
		remove_directory();
	directory[0] = '\0';
	npaths = 0;
}

/* A kernel that has not got a call yet: its tests are skipped. */
static bool lacks_call(char *reason, size_t size)
{
	if (errno != ENOSYS)
		return false;
	snprintf(reason, size, "the kernel lacks a call%s%s", abi_last_call != NULL ? ", the last one made is " : "",
	         abi_last_call != NULL ? abi_last_call : "");
	return true;
}

static struct harness_hook hook = { "host", at_start, at_end, NULL };

__attribute__((constructor)) static void add_hook(void)
{
	harness_hook_add(&hook);
	harness_excuse_set(lacks_call);
}

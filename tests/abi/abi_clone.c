// SPDX-License-Identifier: MIT
/*
 * What Linux promises of clone: what a child shares with its parent, who is told of its end, and by which signal; where
 * its number is written to. clone(2), wait(2). Threads are in abi_threads.c.
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE, NOBODY = 65534 };

/* Wait for a child that tells its end by whatever signal: its exit code, or -signo. */
static int clone_end(pid_t pid)
{
	int status;
	pid_t waited;

	do
		waited = x_waitpid(pid, &status, __WALL);
	while (waited < 0 && errno == EINTR);
	SETUP(waited == pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int in_clone(int (*fn)(void *), int flags, void *arg)
{
	pid_t pid = x_clone(fn, flags, arg, NULL, NULL);

	SETUP(pid > 0);
	return clone_end(pid);
}

static int returns(void *arg)
{
	return (int)(intptr_t)arg;
}

/* Memory. */

static int stores_a_C(void *arg)
{
	st8(*(addr_t *)arg, 'C');
	return ld8(*(addr_t *)arg) == 'C' ? 0 : 1;
}

TEST(clone, memory_is_shared_with_CLONE_VM_and_copied_without)
{
	/* clone(2), CLONE_VM: memory writes performed by the calling process are visible in the child. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'P');
	EXPECT_EQ(in_clone(stores_a_C, SIGCHLD, &map), 0);
	EXPECT_EQ(ld8(map), 'P');
	EXPECT_EQ(in_clone(stores_a_C, CLONE_VM | SIGCHLD, &map), 0);
	EXPECT_EQ(ld8(map), 'C');
	unmap(map, 1);
}

static addr_t childs_map;

static int maps_and_protects(void *arg)
{
	addr_t old = *(addr_t *)arg;

	childs_map = x_mmap(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (childs_map == NO_MAPPING)
		return 1;
	st8(childs_map, 'N');
	if (x_mprotect(old, PAGE, PROT_READ) < 0)
		return 2;
	return x_munmap(old + PAGE, PAGE) == 0 ? 0 : 3;
}

TEST(clone, mappings_made_and_unmade_by_the_child_are_the_parents_too)
{
	/* clone(2), CLONE_VM: any memory mapping or unmapping performed with mmap or munmap also affects the other. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	st8(map, 'P');
	st8(map + PAGE, 'Q');
	EXPECT_EQ(in_clone(maps_and_protects, CLONE_VM | SIGCHLD, &map), 0);
	EXPECT_EQ(ld8(childs_map), 'N');
	EXPECT_EQ(ld8(map), 'P');
	EXPECT_STORE_FAULTS(map, SIGSEGV, SEGV_ACCERR);
	EXPECT_LOAD_FAULTS(map + PAGE, SIGSEGV, SEGV_MAPERR);
	unmap(childs_map, 1);
	unmap(map, 1);
}

static int moves(void *arg)
{
	addr_t *at = arg;

	at[1] = x_mremap(at[0], PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0);
	return at[1] != NO_MAPPING ? 0 : 1;
}

TEST(clone, what_the_child_moves_is_where_it_put_it)
{
	/* clone(2), CLONE_VM; mremap(2). */
	addr_t at[2] = { map_anonymous(1, RW, MAP_PRIVATE) };

	st8(at[0], 'M');
	EXPECT_EQ(in_clone(moves, CLONE_VM | SIGCHLD, at), 0);
	EXPECT_EQ(ld8(at[1]), 'M');
	st8(at[1] + 2 * PAGE, 'N');
	EXPECT_EQ(ld8(at[1] + 2 * PAGE), 'N');
	unmap(at[1], 3);
}

static int faults(void *arg)
{
	struct sigaction fresh = { .sa_handler = SIG_DFL };

	x_sigaction(SIGSEGV, &fresh, NULL);
	return ld8(*(addr_t *)arg);
}

TEST(clone, memory_outlives_a_child_that_is_killed_by_a_fault)
{
	/* clone(2), CLONE_VM: the end of one process leaves the others' memory. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);
	addr_t hole = map + PAGE;

	unmap(hole, 1);
	st8(map, 'P');
	EXPECT_EQ(in_clone(faults, CLONE_VM | SIGCHLD, &hole), -SIGSEGV);
	EXPECT_EQ(ld8(map), 'P');
	st8(map, 'Q');
	EXPECT_EQ(ld8(map), 'Q');
	unmap(map, 1);
}

struct orphan {
	addr_t map;
	int sock;
};

static int outlives_its_maker(void *arg)
{
	const struct orphan *o = arg;
	char byte;

	/* Its maker has ended when this comes. */
	if (x_recv(o->sock, &byte, 1, 0) != 1)
		return 1;
	byte = (char)ld8(o->map);
	st8(o->map + PAGE, (uint8_t)(byte + 1));
	byte = (char)ld8(o->map + PAGE);
	return x_send(o->sock, &byte, 1, MSG_NOSIGNAL) == 1 ? 0 : 1;
}

static struct orphan orphan; /* outlives the stack that makes it */

static int makes_an_orphan(void *arg)
{
	(void)arg;
	orphan.map = x_mmap(0, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHILD_EXPECT(orphan.map != NO_MAPPING);
	st8(orphan.map, 'a');
	CHILD_EXPECT(x_clone(outlives_its_maker, CLONE_VM | SIGCHLD, &orphan, NULL, NULL) > 0);
	return 7;
}

TEST(clone, memory_goes_with_the_last_process_that_has_it)
{
	/* clone(2), CLONE_VM. */
	char byte = 'g';
	int ends[2];

	stream_pair(ends);
	orphan.sock = ends[1];
	EXPECT_EQ(child_join(child_start(makes_an_orphan, NULL)), 7);
	EXPECT_EQ(x_close(ends[1]), 0);
	EXPECT_EQ(x_send(ends[0], &byte, 1, MSG_NOSIGNAL), 1);
	EXPECT_EQ(x_recv(ends[0], &byte, 1, 0), 1);
	EXPECT_EQ(byte, 'b');
	/* Until it has ended. */
	EXPECT_EQ(x_recv(ends[0], &byte, 1, 0), 0);
	EXPECT_EQ(x_close(ends[0]), 0);
}

/* Descriptors. */

static int opens_and_closes(void *arg)
{
	int *fds = arg;

	fds[1] = x_memfd_create("childs", 0);
	if (fds[1] < 0)
		return 1;
	return x_close(fds[0]) == 0 ? 0 : 2;
}

TEST(clone, descriptors_are_shared_with_CLONE_FILES)
{
	/* clone(2), CLONE_FILES: a file descriptor created, or closed, by either process is so in the other. */
	int fds[2] = { memfd(1), -1 };

	EXPECT_EQ(in_clone(opens_and_closes, CLONE_VM | CLONE_FILES | SIGCHLD, fds), 0);
	EXPECT_EQ(x_fcntl(fds[0], F_GETFD), -1);
	EXPECT_EQ(errno, EBADF);
	EXPECT_EQ(x_fcntl(fds[1], F_GETFD), 0);
	EXPECT_EQ(x_close(fds[1]), 0);
}

TEST(clone, descriptors_are_copied_without_CLONE_FILES)
{
	/* clone(2), CLONE_FILES: if it is not set, the child has a copy. */
	int fds[2] = { memfd(1), -1 };

	EXPECT_EQ(in_clone(opens_and_closes, CLONE_VM | SIGCHLD, fds), 0);
	EXPECT(x_fcntl(fds[0], F_GETFD) >= 0);
	EXPECT_EQ(x_fcntl(fds[1], F_GETFD), -1);
	EXPECT_EQ(errno, EBADF);
	EXPECT_EQ(x_close(fds[0]), 0);
}

static int sets_close_on_exec(void *arg)
{
	return x_fcntl(*(int *)arg, F_SETFD, 0);
}

TEST(clone, flags_of_descriptors_are_shared_with_CLONE_FILES)
{
	/* clone(2), CLONE_FILES: ... or changes its associated flags. */
	int fd = memfd(1);

	SETUP(x_fcntl(fd, F_GETFD) == FD_CLOEXEC);
	EXPECT_EQ(in_clone(sets_close_on_exec, CLONE_FILES | SIGCHLD, &fd), 0);
	EXPECT_EQ(x_fcntl(fd, F_GETFD), 0);
	EXPECT_EQ(x_close(fd), 0);
}

static int lowers_its_limit(void *arg)
{
	struct rlimit limit = { (rlim_t)lowest_free_fd(), NFDS_LIMIT };

	if (x_setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	return x_dup(*(int *)arg) == -1 && errno == EMFILE ? 0 : 2;
}

TEST(clone, limits_are_each_processs_own_though_descriptors_are_shared)
{
	/* getrlimit(2): resource limits are per process; clone(2) shares them between threads only. */
	struct rlimit limit;
	int fd = memfd(1), copy;

	EXPECT_EQ(in_clone(lowers_its_limit, CLONE_VM | CLONE_FILES | SIGCHLD, &fd), 0);
	EXPECT_EQ(x_getrlimit(RLIMIT_NOFILE, &limit), 0);
	EXPECT_EQ(limit.rlim_cur, NFDS_LIMIT);
	copy = x_dup(fd);
	EXPECT(copy >= 0);
	EXPECT_EQ(x_close(copy), 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* Working directory and umask. */

static int goes_elsewhere(void *arg)
{
	x_umask(0171);
	return x_chdir(arg);
}

static void expect_place(int flags, const char *to, const char *where, mode_t mask)
{
	char cwd[256] = "";

	EXPECT_EQ(in_clone(goes_elsewhere, flags | SIGCHLD, (void *)(uintptr_t)to), 0);
	EXPECT(x_getcwd(cwd, sizeof(cwd)) != NULL);
	EXPECT_STREQ(cwd, where);
	EXPECT_EQ(x_umask(022), mask);
}

TEST(clone, cwd_and_umask_are_shared_with_CLONE_FS)
{
	/* clone(2), CLONE_FS: chroot, chdir and umask by either affect the other. */
	char path[64];

	fresh_path(path, sizeof(path));
	SETUP(x_mkdir(path, 0755) == 0 && x_chdir("/tmp") == 0);
	expect_place(0, path, "/tmp", 022);
	expect_place(CLONE_FS, path, path, 0171);
	SETUP(x_chdir("/") == 0 && x_rmdir(path) == 0);
}

/* Signals. */

static volatile int handled;
static volatile siginfo_t seen;

static void on_signal(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	seen = *info;
	handled++;
}

static void handle(int signo)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	handled = 0;
	SETUP(x_sigaction(signo, &action, NULL) == 0);
}

static int ignores_usr2(void *arg)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	(void)arg;
	return x_sigaction(SIGUSR2, &action, NULL);
}

static bool ignored_usr2(void)
{
	struct sigaction now;

	EXPECT_EQ(x_sigaction(SIGUSR2, NULL, &now), 0);
	return now.sa_handler == SIG_IGN;
}

TEST(clone, actions_are_shared_with_CLONE_SIGHAND)
{
	/* clone(2), CLONE_SIGHAND: if either calls sigaction, the behaviour is changed in the other as well. */
	struct sigaction fresh = { .sa_handler = SIG_DFL };

	EXPECT_EQ(in_clone(ignores_usr2, CLONE_VM | SIGCHLD, NULL), 0);
	EXPECT(!ignored_usr2());
	EXPECT_EQ(in_clone(ignores_usr2, CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL), 0);
	EXPECT(ignored_usr2());
	EXPECT_EQ(x_sigaction(SIGUSR2, &fresh, NULL), 0);
}

static int blocks_another(void *arg)
{
	sigset_t set, old;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	if (x_sigprocmask(SIG_BLOCK, &set, &old) < 0)
		return 1;
	if (!sigismember(&old, SIGUSR1) || sigismember(&old, SIGUSR2))
		return 2;
	/* It waits for this one alone. */
	if (x_kill(x_getpid(), SIGUSR2) < 0 || x_sigpending(&set) < 0)
		return 3;
	return sigismember(&set, SIGUSR2) ? 0 : 4;
}

TEST(clone, mask_is_inherited_and_then_its_own_as_is_what_waits)
{
	/*
	 * clone(2), CLONE_SIGHAND: the calling process and child still have distinct masks and sets of pending signals.
	 */
	sigset_t set, old, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	SETUP(x_sigprocmask(SIG_BLOCK, &set, &old) == 0);
	EXPECT_EQ(in_clone(blocks_another, CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL), 0);
	EXPECT_EQ(x_sigpending(&pending), 0);
	EXPECT(!sigismember(&pending, SIGUSR2));
	EXPECT_EQ(x_sigprocmask(SIG_SETMASK, &old, &set), 0);
	EXPECT(!sigismember(&set, SIGUSR2));
}

static int becomes_nobody(void *arg)
{
	(void)arg;
	/* Not libc's, which tells the threads it knows of. */
#ifdef ABI_KSIM
	return x_setuid(NOBODY);
#else
	return (int)syscall(SYS_setuid, NOBODY);
#endif
}

TEST(clone, credentials_are_each_processs_own)
{
	/* credentials(7): clone shares none. */
	uid_t uid = x_getuid();

	if (uid != 0)
		SKIP("not privileged");
	EXPECT_EQ(in_clone(becomes_nobody, CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND | SIGCHLD, NULL), 0);
	EXPECT_EQ(x_getuid(), uid);
}

/* The end. */

TEST(clone, end_is_told_by_the_signal_in_the_low_byte)
{
	/* clone(2), the child termination signal; sigaction(2): si_code and si_status as for SIGCHLD. */
	struct sigaction fresh = { .sa_handler = SIG_DFL };
	pid_t pid;

	handle(SIGUSR1);
	pid = x_clone(returns, SIGUSR1, (void *)5, NULL, NULL);
	SETUP(pid > 0);
	EXPECT_EQ(clone_end(pid), 5);
	EXPECT_EQ(handled, 1);
	EXPECT_EQ(seen.si_signo, SIGUSR1);
	EXPECT_EQ(seen.si_code, CLD_EXITED);
	EXPECT_EQ(seen.si_status, 5);
	EXPECT_EQ(seen.si_pid, pid);
	EXPECT_EQ(x_sigaction(SIGUSR1, &fresh, NULL), 0);
}

static void expect_clone_child(int flags)
{
	pid_t pid = x_clone(returns, flags, (void *)3, NULL, NULL);
	int status;

	SETUP(pid > 0);
	EXPECT_EQ(x_waitpid(pid, &status, 0), -1);
	EXPECT_EQ(errno, ECHILD);
	EXPECT_EQ(x_waitpid(pid, &status, (int)__WCLONE), pid);
	EXPECT_EQ(WEXITSTATUS(status), 3);
	EXPECT_EQ(x_waitpid(pid, &status, __WALL), -1);
	EXPECT_EQ(errno, ECHILD);
}

TEST(clone, child_that_tells_nothing_is_waited_for_with_WCLONE)
{
	/* clone(2): if no signal is specified, the parent is not signaled; waitpid(2), __WCLONE. */
	expect_clone_child(0);
}

TEST(clone, number_that_is_no_signal_tells_nothing)
{
	/* clone(2) takes any low byte; clone3 alone is EINVAL. */
	expect_clone_child(200);
}

TEST(clone, child_with_another_signal_is_not_reaped_because_SIGCHLD_is_ignored)
{
	/* wait(2): it is SIGCHLD that, ignored, makes no zombies; and the other signal is sent. */
	struct sigaction ignore = { .sa_handler = SIG_IGN }, fresh = { .sa_handler = SIG_DFL };

	handle(SIGUSR1);
	SETUP(x_sigaction(SIGCHLD, &ignore, NULL) == 0);
	EXPECT_EQ(in_clone(returns, SIGUSR1, (void *)6), 6);
	EXPECT_EQ(handled, 1);
	EXPECT_EQ(x_sigaction(SIGCHLD, &fresh, NULL), 0);
	EXPECT_EQ(x_sigaction(SIGUSR1, &fresh, NULL), 0);
}

static int is_told_by_SIGTERM(void *arg)
{
	(void)arg;
	CHILD_EXPECT(x_clone(returns, SIGTERM, NULL, NULL, NULL) > 0);
	while (x_pause() < 0)
		;
	return 1;
}

TEST(clone, signal_of_a_childs_end_may_end_the_parent)
{
	/* clone(2), signal(7). */
	EXPECT_EQ(child_join(child_start(is_told_by_SIGTERM, NULL)), -SIGTERM);
}

/* CLONE_PARENT. */

static int says_its_parent(void *arg)
{
	st32(*(addr_t *)arg + 4, (uint32_t)x_getppid());
	return 9;
}

static int makes_a_sibling(void *arg)
{
	pid_t pid = x_clone(says_its_parent, CLONE_PARENT | SIGUSR1, arg, NULL, NULL);

	CHILD_EXPECT(pid > 0);
	CHILD_EXPECT(x_waitpid(pid, NULL, __WALL) == -1 && errno == ECHILD);
	st32(*(addr_t *)arg, (uint32_t)pid);
	return 0;
}

TEST(clone, child_of_CLONE_PARENT_is_the_callers_sibling)
{
	/*
	 * clone(2), CLONE_PARENT: the parent is that of the calling process, and is signaled, as the caller's end would
	 * be.
	 */
	addr_t map = map_anonymous(1, RW, MAP_SHARED);
	pid_t sibling;
	int status;

	EXPECT_EQ(in_child(makes_a_sibling, &map), 0);
	sibling = (pid_t)ld32(map);
	/* With SIGCHLD, so without __WALL. */
	EXPECT_EQ(x_waitpid(sibling, &status, 0), sibling);
	EXPECT_EQ(WEXITSTATUS(status), 9);
	EXPECT_EQ(ld32(map + 4), x_getpid());
	unmap(map, 1);
}

/* CLONE_VFORK. */

static int takes_its_time(void *arg)
{
	addr_t map = *(addr_t *)arg;

	st8(map, 1);
	for (int i = 0; i < 200; i++)
		sched_yield();
	st8(map, 2);
	return 4;
}

TEST(clone, caller_of_CLONE_VFORK_goes_on_when_the_child_has_ended)
{
	/* clone(2), CLONE_VFORK; vfork(2). */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	pid_t pid = x_clone(takes_its_time, CLONE_VM | CLONE_VFORK | SIGCHLD, &map, NULL, NULL);

	EXPECT(pid > 0);
	EXPECT_EQ(ld8(map), 2);
	EXPECT_EQ(clone_end(pid), 4);
	unmap(map, 1);
}

static int signals_its_parent(void *arg)
{
	(void)arg;
	return x_kill(x_getppid(), SIGUSR1) == 0 && !handled ? 0 : 1;
}

TEST(clone, caller_of_CLONE_VFORK_takes_signals_afterwards)
{
	/* vfork(2): signals sent to the parent arrive after the child releases the parent's memory. */
	struct sigaction fresh = { .sa_handler = SIG_DFL };
	pid_t pid;

	handle(SIGUSR1);
	pid = x_clone(signals_its_parent, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL, NULL, NULL);
	EXPECT(pid > 0);
	EXPECT_EQ(handled, 1);
	EXPECT_EQ(clone_end(pid), 0);
	EXPECT_EQ(x_sigaction(SIGUSR1, &fresh, NULL), 0);
}

static int ends_its_parent(void *arg)
{
	char byte;

	/* By then the parent waits. */
	for (int i = 0; i < 2000; i++)
		sched_yield();
	if (x_kill(x_getppid(), SIGTERM) != 0)
		return 1;
	/* The parent's parent says when it has seen that end. */
	return x_recv(*(int *)arg, &byte, 1, 0) == 1 ? 0 : 1;
}

static int waits_for_its_vfork(void *arg)
{
	return x_clone(ends_its_parent, CLONE_VM | CLONE_VFORK | SIGCHLD, arg, NULL, NULL) > 0 ? 1 : 2;
}

TEST(clone, caller_of_CLONE_VFORK_is_ended_by_a_signal_without_a_handler_at_once)
{
	/* vfork(2): the parent is suspended, not deaf: the wait is one that signals that kill end. */
	int ends[2];

	stream_pair(ends);
	EXPECT_EQ(in_child(waits_for_its_vfork, &ends[1]), -SIGTERM);
	EXPECT_EQ(x_send(ends[0], "x", 1, 0), 1);
	close_pair(ends);
}

/* Numbers. */

static int finds_its_number(void *arg)
{
	return ld32(*(addr_t *)arg) == (uint32_t)x_gettid() ? 0 : 1;
}

TEST(clone, numbers_are_written_to_the_parent_and_to_the_child)
{
	/* clone(2), CLONE_PARENT_SETTID, CLONE_CHILD_SETTID: the latter in the child's memory. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	pid_t told = 0, pid;

	st32(map, 77);
	pid = x_clone(finds_its_number, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, &map, &told, ubuf(map));
	SETUP(pid > 0);
	EXPECT_EQ(told, pid);
	EXPECT_EQ(clone_end(pid), 0);
	EXPECT_EQ(ld32(map), 77);
	pid = x_clone(finds_its_number, CLONE_VM | CLONE_CHILD_SETTID | SIGCHLD, &map, NULL, ubuf(map));
	SETUP(pid > 0);
	EXPECT_EQ(clone_end(pid), 0);
	EXPECT_EQ(ld32(map), pid);
	unmap(map, 1);
}

TEST(clone, number_that_cannot_be_written_is_no_error)
{
	/* Linux tells nobody. */
	pid_t *nowhere = (pid_t *)8;
	pid_t pid = x_clone(returns, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD,
	                    (void *)2, nowhere, nowhere);

	EXPECT(pid > 0);
	EXPECT_EQ(clone_end(pid), 2);
}

static int waits_to_be_killed(void *arg)
{
	(void)arg;
	while (x_pause() < 0)
		;
	return 1;
}

TEST(clone, number_is_cleared_at_the_end_of_who_shares_memory)
{
	/* clone(2), CLONE_CHILD_CLEARTID; not where nobody else has the memory, even if the page is shared. */
	addr_t map = map_anonymous(1, RW, MAP_SHARED);
	pid_t pid;

	st32(map, 77);
	pid = x_clone(returns, CLONE_CHILD_CLEARTID | SIGCHLD, NULL, NULL, ubuf(map));
	EXPECT_EQ(clone_end(pid), 0);
	EXPECT_EQ(ld32(map), 77);
	pid = x_clone(returns, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, NULL, ubuf(map));
	EXPECT_EQ(clone_end(pid), 0);
	EXPECT_EQ(ld32(map), 0);
	st32(map, 77);
	pid = x_clone(waits_to_be_killed, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, NULL, ubuf(map));
	EXPECT_EQ(x_kill(pid, SIGKILL), 0);
	EXPECT_EQ(clone_end(pid), -SIGKILL);
	EXPECT_EQ(ld32(map), 0);
	unmap(map, 1);
}

/* Errors. */

static void expect_refused(int flags, int err)
{
	pid_t pid = x_clone(returns, flags, NULL, NULL, NULL);

	EXPECT_MSG(pid == -1 && errno == err, "flags %#x: %d, errno %d", (unsigned)flags, pid, errno);
	if (pid > 0)
		clone_end(pid);
}

TEST(clone, flags_that_do_not_go_together_fail_EINVAL)
{
	/* clone(2), EINVAL. */
	expect_refused(CLONE_SIGHAND | SIGCHLD, EINVAL);
	expect_refused(CLONE_THREAD | SIGCHLD, EINVAL);
	expect_refused(CLONE_THREAD | CLONE_VM, EINVAL);
	expect_refused(CLONE_THREAD | CLONE_SIGHAND, EINVAL);
	expect_refused(CLONE_NEWNS | CLONE_FS | SIGCHLD, EINVAL);
	expect_refused(CLONE_NEWUSER | CLONE_FS | SIGCHLD, EINVAL);
	expect_refused(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWPID, EINVAL);
	expect_refused(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWUSER, EINVAL);
	expect_refused(CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD, EINVAL);
	expect_refused(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, EINVAL);
	expect_refused(CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, EINVAL);
}

TEST(clone, wrapper_wants_a_function_and_a_stack)
{
	/* clone(2), EINVAL: as glibc's wrapper has it. */
	char stack[64];

	EXPECT_EQ(ABI_CALL(clone)(NULL, stack, SIGCHLD, NULL), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(ABI_CALL(clone)(returns, NULL, SIGCHLD, NULL), -1);
	EXPECT_EQ(errno, EINVAL);
}

static int wants_namespaces(void *arg)
{
	static const int kinds[] = { CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,
		                     CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP };

	(void)arg;
	CHILD_EXPECT(x_setresuid(NOBODY, NOBODY, NOBODY) == 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		CHILD_EXPECT(x_clone(returns, kinds[i] | SIGCHLD, NULL, NULL, NULL) == -1 && errno == EPERM);
	return 0;
}

TEST(clone, namespaces_are_for_the_privileged)
{
	/* clone(2), EPERM. */
	if (x_getuid() != 0)
		SKIP("not privileged");
	EXPECT_EQ(in_child(wants_namespaces, NULL), 0);
}

TEST(clone, flags_without_meaning_here_are_accepted)
{
	/* clone(2): CLONE_DETACHED is ignored; the others change nothing that a child can tell. */
	EXPECT_EQ(in_clone(returns, CLONE_DETACHED | CLONE_UNTRACED | CLONE_PTRACE | SIGCHLD, (void *)1), 1);
	EXPECT_EQ(in_clone(returns, CLONE_IO | CLONE_SYSVSEM | SIGCHLD, (void *)2), 2);
}

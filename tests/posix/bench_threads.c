// SPDX-License-Identifier: MIT
/*
 * pthread_create in processes that are plain C.
 */
#include "bed.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char *shared;
static int wl[2];

static void *fill(void *arg)
{
	shared[0] = *(char *)arg;
	return gettid() != getpid() && ksim_self() != NULL ? shared : NULL;
}

static int use_a_thread(void *unused)
{
	char byte = 'T';
	pthread_t thread;
	void *result;

	(void)unused;
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	IN(shared != MAP_FAILED);
	for (int i = 0; i < 3; i++) {
		IN(pthread_create(&thread, NULL, fill, &byte) == 0 && pthread_join(thread, &result) == 0);
		IN(result == shared && shared[0] == 'T');
	}
	return munmap(shared, PAGE);
}

TEST(posix_threads, thread_is_one_of_the_process)
{
	bed_run(use_a_thread, NULL);
}

static int store_a_c(void *arg)
{
	shared[1] = *(char *)arg;
	return close(wl[0]) == 0 ? 3 : 4;
}

static int use_clone(void *unused)
{
	const int thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
	char stack[64], byte = 'C';
	pid_t pid;
	int status;

	(void)unused;
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	IN(shared != MAP_FAILED && socketpair(AF_UNIX, SOCK_STREAM, 0, wl) == 0);
	pid = clone(store_a_c, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, &byte);
	IN(pid > 0 && waitpid(pid, &status, 0) == pid);
	IN(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	IN(shared[1] == 'C' && close(wl[0]) == -1 && errno == EBADF);
	byte = 'T';
	wl[0] = wl[1];
	pid = clone(store_a_c, stack + sizeof(stack), thread, &byte);
	IN(pid > 0);
	while (tgkill(getpid(), pid, 0) == 0)
		sched_yield();
	IN(shared[1] == 'T');
	IN(clone(store_a_c, stack, CLONE_THREAD, NULL) == -1 && errno == EINVAL);
	return munmap(shared, PAGE);
}

TEST(posix_threads, clone_shares_what_its_flags_say)
{
	bed_run(use_clone, NULL);
}

static void *leave_by_number(void *arg)
{
	syscall(SYS_exit, 5);
	return arg;
}

static int let_a_thread_leave_by_number(void *unused)
{
	pthread_t thread;
	void *result = wl;

	(void)unused;
	IN(pthread_create(&thread, NULL, leave_by_number, wl) == 0 && pthread_join(thread, &result) == 0);
	IN(result == NULL);
	return 0;
}

TEST(posix_threads, exit_by_its_number_ends_the_thread_alone)
{
	bed_run(let_a_thread_leave_by_number, NULL);
}

static void *exit_early(void *arg)
{
	ksim_as(ksim_self())
		pthread_exit(arg);
	return NULL;
}

static int let_a_thread_exit(void *unused)
{
	pthread_t thread;
	void *result;

	(void)unused;
	IN(pthread_create(&thread, NULL, exit_early, wl) == 0 && pthread_join(thread, &result) == 0);
	IN(result == wl);
	return 0;
}

TEST(posix_threads, pthread_exit_leaves_the_process)
{
	bed_run(let_a_thread_exit, NULL);
}

static void *touch_nothing(void *arg)
{
	volatile char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*p = 1;
	return arg;
}

static int let_a_thread_fault(void *thread)
{
	IN(pthread_create(thread, NULL, touch_nothing, NULL) == 0);
	pthread_join(*(pthread_t *)thread, NULL);
	getpid();
	return __LINE__;
}

TEST(posix_threads, fault_of_a_thread_ends_the_process_and_unwinds_to_its_start)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_end end;
	pthread_t thread;

	EXPECT_EQ(ksim_run(p, let_a_thread_fault, &thread, &end), 0);
	EXPECT_MSG(end.signo == SIGSEGV && end.si_code == SEGV_ACCERR, "%s", end.text);
	bed_halt(m);
}

static void *receive(void *arg)
{
	char byte;

	return recv(wl[0], &byte, 1, 0) == 0 ? arg : NULL;
}

static int leave_a_thread_behind(void *thread)
{
	IN(socketpair(AF_UNIX, SOCK_STREAM, 0, wl) == 0);
	IN(pthread_create(thread, NULL, receive, NULL) == 0);
	return 0;
}

TEST(posix_threads, halt_ends_a_thread_that_waits_in_a_call)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_end end;
	pthread_t thread;

	ksim_hold(m);
	EXPECT_EQ(ksim_run(p, leave_a_thread_behind, &thread, &end), 0);
	EXPECT(end.alive && end.code == 0);
	bed_halt(m);
	EXPECT_EQ(pthread_join(thread, NULL), 0);
}

static void *as_nobody(void *arg)
{
	return ksim_self() == NULL ? arg : NULL;
}

TEST(posix_threads, thread_made_by_nobody_is_nobodys)
{
	struct ksim_machine *m = bed_boot();
	pthread_t thread;
	void *result = NULL;

	REQUIRE_EQ(pthread_create(&thread, NULL, as_nobody, wl), 0);
	EXPECT_EQ(pthread_join(thread, &result), 0);
	EXPECT(result == wl);
	bed_halt(m);
}

// SPDX-License-Identifier: MIT
/*
 * Children and threads that run their own functions, swept: fork, clone with memory and files in common, threads.
 *
 * Each runs on a host thread of its own, but while it runs all others wait, so that allocations come in order. That
 * host thread is not asked of the machine: clone fails for want of memory alone.
 *
 * What Linux promises: clone(2) that fails with ENOMEM has made nothing.
 */
#include "held.h"

#include <sched.h>
#include <sys/wait.h>

enum { PAGES = 2, BYTES = PAGES * PAGE };

static char stack[1]; /* which nobody uses */

struct ground {
	struct held held;
	int fd;       /* made by the child */
	pid_t thread; /* its number */
};

static int prepare(struct ground *ground)
{
	ground->held.map = RETRY(map_at(0, BYTES, RW, MAP_PRIVATE, -1));
	MUST(ground->held.map != KSIM_MAP_FAILED);
	fill(ground->held.map, 1, 1);
	return 0;
}

/* A child that is to end well; -ENOMEM: it was killed, rightly. */
static int reap(pid_t pid)
{
	struct ksim_allocation first;
	int status;

	MUST(pid > 0);
	MUST(ksim_waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && ksim_fail_first(story.m, &first)) {
		story.killed = true;
		return -ENOMEM;
	}
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 0;
}

/* What a child does: to memory, files and the directory it is in. */
static int work(void *arg)
{
	struct ground *ground = arg;

	MUST(holds(ground->held.map, 1, 1));
	fill(ground->held.map, PAGES, 5);
	ground->fd = RETRY(ksim_memfd_create("child's", 0));
	MUST(ground->fd == 0);
	MUST(RETRY(ksim_ftruncate(ground->fd, PAGE)) == 0);
	MUST(RETRY(ksim_chdir("/tmp")) == 0);
	return 0;
}

/* ---- children ---- */

static int forks(void *arg)
{
	struct ground *ground = arg;
	char cwd[16];

	TRY(prepare(ground));
	TRY(reap(RETRY(ksim_fork_into(work, ground))));
	MUST(holds(ground->held.map, 1, 1) && is_zero(ground->held.map + PAGE, 1));
	MUST(RETRY_NEW(ksim_getcwd(cwd, sizeof(cwd))) != NULL && strcmp(cwd, "/") == 0);
	return 0;
}

static int clones(void *arg)
{
	const int in_common = CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND;
	struct ground *ground = arg;
	char cwd[16];

	TRY(prepare(ground));
	TRY(reap(RETRY(ksim_clone(work, stack, in_common | CLONE_VFORK | SIGCHLD, ground))));
	MUST(holds(ground->held.map, PAGES, 5));
	MUST(ksim_lseek(ground->fd, 0, SEEK_END) == PAGE && ksim_close(ground->fd) == 0);
	MUST(RETRY_NEW(ksim_getcwd(cwd, sizeof(cwd))) != NULL && strcmp(cwd, "/tmp") == 0);
	MUST(RETRY(ksim_chdir("/")) == 0);
	/* And one that has nothing in common but that it is a child; nobody is told of its end. */
	fill(ground->held.map, 1, 1);
	TRY(reap(RETRY(ksim_clone(work, stack, CLONE_VFORK | SIGCHLD, ground))));
	MUST(holds(ground->held.map, 1, 1));
	return 0;
}

static int tell_children(int (*act)(void *))
{
	struct ground ground = { .held = { .fd = -1, .bytes = BYTES } };
	struct ksim_process *p = story_process("parent");

	MUST(p != NULL);
	story_begin();
	TRY(story_act(p, act, &ground));
	TRY(story_act(p, held_undo, &ground.held));
	return story_settled();
}

TEST(sweep_clone, child_of_fork_runs_its_function)
{
	story_sweep(tell_children, forks);
}

TEST(sweep_clone, child_has_memory_and_files_in_common)
{
	story_sweep(tell_children, clones);
}

/* ---- threads ---- */

static int starts_thread(void *arg)
{
	const int thread = CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD;
	struct ground *ground = arg;

	TRY(prepare(ground));
	ground->thread = RETRY(ksim_clone(work, stack, thread, ground));
	MUST(ground->thread > 0);
	return 0;
}

static int starts_none(void *arg)
{
	return prepare(arg);
}

static int looks_and_undoes(void *arg)
{
	struct ground *ground = arg;

	MUST(holds(ground->held.map, PAGES, 5));
	MUST(ksim_close(ground->fd) == 0);
	return held_undo(&ground->held);
}

/* A thread that is to end well; -ENOMEM: with its process, rightly. */
static int join(struct ksim_process *p, pid_t tid)
{
	struct ksim_allocation first;
	struct ksim_end end;
	int result = 1, err = ksim_task_join(p, tid, &result);

	ksim_process_status(p, &end);
	if (!end.alive && end.signo == SIGKILL && ksim_fail_first(story.m, &first)) {
		story.killed = true;
		return -ENOMEM;
	}
	MUST(err == 0 && result == 0);
	return 0;
}

static int tell_thread(int (*act)(void *))
{
	struct ground ground = { .held = { .fd = -1, .bytes = BYTES } };
	struct ksim_process *p = story_process("process");

	MUST(p != NULL);
	story_begin();
	TRY(story_act(p, act, &ground));
	if (ground.thread == 0) /* the bench's */
		ground.thread = RETRY(ksim_task_start(p, work, &ground));
	MUST(ground.thread > 0);
	TRY(join(p, ground.thread));
	TRY(story_act(p, looks_and_undoes, &ground));
	return 0; /* which threads a process has had is forgotten with it */
}

TEST(sweep_clone, thread_of_clone)
{
	story_sweep(tell_thread, starts_thread);
}

TEST(sweep_clone, thread_of_the_bench)
{
	story_sweep(tell_thread, starts_none);
}

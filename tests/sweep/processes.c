// SPDX-License-Identifier: MIT
/*
 * Processes, swept: their birth and end by the bench, by fork and by clone, generations of them, a table of pids that
 * grows, and a limit of their memory.
 *
 * What Linux promises: fork(2) that fails with ENOMEM has made no child, and the parent goes on as it was.
 */
#include "sweep.h"

#include <sched.h>
#include <sys/wait.h>

static int tell_births(int (*act)(void *))
{
	(void)act;
	story_begin();
	for (int i = 0; i < 40; i++) {
		struct ksim_process *p = story_process("child");

		MUST(p != NULL && ksim_process_pid(p) >= 2 + i);
		TRY(story_process_ends(p));
	}
	return story_settled();
}

TEST(sweep_processes, births_and_ends_one_after_the_other)
{
	story_sweep(tell_births, NULL);
}

/* ---- generations ---- */

struct estate {
	ksim_addr map;
	int sock[2];
};

static int acquire(void *arg)
{
	struct estate *estate = arg;

	estate->map = RETRY(ksim_mmap(0, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	MUST(estate->map != KSIM_MAP_FAILED);
	mem_store8(estate->map, 1);
	MUST(RETRY(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, estate->sock)) == 0);
	MUST(RETRY(ksim_send(estate->sock[0], "x", 1, MSG_NOSIGNAL)) == 1);
	return 0;
}

/* The youngest takes the byte and writes to memory that three generations share. */
static int inherit(void *arg)
{
	const struct estate *estate = arg;
	char byte;

	MUST(RETRY(ksim_recv(estate->sock[1], &byte, 1, MSG_DONTWAIT)) == 1 && byte == 'x');
	MUST(mem_load8(estate->map) == 1);
	mem_store8(estate->map, 3);
	return 0;
}

/* Children that were made by a fork of the bench's are waited for by their parents all the same. */
static int bury(void *arg)
{
	const struct estate *estate = arg;

	MUST(mem_load8(estate->map) == 1);
	mem_store8(estate->map, 2);
	MUST(ksim_waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	return 0;
}

static int give_up(void *arg)
{
	const struct estate *estate = arg;

	MUST(mem_load8(estate->map) == 1);
	MUST(ksim_munmap(estate->map, 2 * PAGE) == 0);
	MUST(ksim_close(estate->sock[0]) == 0 && ksim_close(estate->sock[1]) == 0);
	return 0;
}

static int tell_generations(int (*act)(void *))
{
	struct ksim_process *old = story_process("old"), *middle, *young;
	struct estate estate;

	(void)act;
	MUST(old != NULL);
	story_begin();
	TRY(story_act(old, acquire, &estate));
	middle = story_fork(old, "middle");
	MUST(middle != NULL);
	young = story_fork(middle, "young");
	MUST(young != NULL);
	TRY(story_act(young, inherit, &estate));
	TRY(story_process_ends(young));
	TRY(story_act(middle, bury, &estate));
	TRY(story_process_ends(middle));
	TRY(story_act(old, give_up, &estate));
	return story_settled();
}

TEST(sweep_processes, three_generations)
{
	story_sweep(tell_generations, NULL);
}

/* A child outlives its parent, and is refused what its parent was. */
static int is_refused(void *arg)
{
	(void)arg;
	MUST(ksim_memfd_create("x", 0) == -1 && errno == ENOSYS);
	return 0;
}

static int tell_orphan(int (*act)(void *))
{
	struct ksim_process *parent = story_process("parent"), *child;

	(void)act;
	MUST(parent != NULL);
	MUST(ksim_refuse(parent, "memfd_create", ENOSYS, 0, 0) == 0);
	child = story_fork(parent, "child");
	MUST(child != NULL);
	TRY(story_process_ends(parent));
	TRY(story_act(child, is_refused, NULL));
	return story_process_ends(child);
}

TEST(sweep_processes, orphan_in_a_sandbox)
{
	story_sweep(tell_orphan, NULL);
}

/* ---- what several have together ---- */

struct household {
	ksim_addr map;
	int fd;
};

static int moves_in(void *arg)
{
	struct household *h = arg;

	h->map = RETRY(ksim_mmap(0, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	MUST(h->map != KSIM_MAP_FAILED);
	mem_store8(h->map, 1);
	h->fd = RETRY(ksim_memfd_create("theirs", 0));
	MUST(h->fd >= 0);
	MUST(RETRY(ksim_chdir("/tmp")) == 0);
	return 0;
}

static int adds_to_it(void *arg)
{
	const struct household *h = arg;
	char cwd[16];

	MUST(mem_load8(h->map) == 1);
	mem_store8(h->map + PAGE, 2);
	MUST(RETRY(ksim_ftruncate(h->fd, PAGE)) == 0);
	MUST(RETRY(ksim_getcwd(cwd, sizeof(cwd))) != NULL);
	MUST(strcmp(cwd, "/tmp") == 0);
	return 0;
}

static int clears_up(void *arg)
{
	const struct household *h = arg;

	MUST(mem_load8(h->map) == 1 && mem_load8(h->map + PAGE) == 2);
	MUST(ksim_munmap(h->map, 2 * PAGE) == 0 && ksim_close(h->fd) == 0);
	return 0;
}

/* The first goes first; what it brought stays with the second. */
static int tell_household(int (*act)(void *))
{
	const int all = CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND;
	struct ksim_process *first = story_process("first"), *second, *copy;
	struct household h;

	(void)act;
	MUST(first != NULL);
	TRY(story_act(first, moves_in, &h));
	second = story_keep(RETRY_NEW(ksim_process_clone(first, "second", all)));
	MUST(second != NULL);
	TRY(story_act(second, adds_to_it, &h));
	TRY(story_process_ends(first));
	copy = story_fork(second, "copy");
	MUST(copy != NULL);
	TRY(story_act(copy, clears_up, &h));
	TRY(story_process_ends(copy));
	TRY(story_act(second, clears_up, &h));
	return story_process_ends(second);
}

TEST(sweep_processes, memory_and_files_of_two_and_the_first_goes_first)
{
	story_sweep(tell_household, NULL);
}

/* ---- a memory limit ---- */

enum { LIMIT_PAGES = 40, FILE_PAGES = 8 };

struct share {
	int fd;
	ksim_addr map;
	uint64_t used; /* by the group, when the file had its pages */
};

static uint64_t used_by(const struct ksim_process *p)
{
	struct ksim_memory memory;

	return ksim_memory_used(p, &memory) == 0 && memory.used <= memory.limit ? memory.used : UINT64_MAX;
}

/* What the limit refuses is refused whatever else fails, and leaves the group as it was. */
static int use_share(void *arg)
{
	struct share *share = arg;

	share->fd = RETRY(ksim_memfd_create("share", 0));
	MUST(share->fd >= 0);
	MUST(RETRY(ksim_fallocate(share->fd, 0, 0, (off_t)FILE_PAGES * PAGE)) == 0);
	share->used = used_by(ksim_self());
	MUST(share->used >= (uint64_t)FILE_PAGES * PAGE && share->used != UINT64_MAX);
	MUST(RETRY(ksim_fallocate(share->fd, 0, 0, (off_t)(LIMIT_PAGES + 1) * PAGE)) == -1 && errno == ENOMEM);
	MUST(used_by(ksim_self()) == share->used);
	share->map = RETRY(ksim_mmap(0, 2 * PAGE, RW, MAP_PRIVATE, share->fd, 0));
	MUST(share->map != KSIM_MAP_FAILED);
	mem_store8(share->map, 1);
	MUST(used_by(ksim_self()) > share->used);
	return 0;
}

/* A child copies what is its parent's, and the parent's group pays. */
static int copy_share(void *arg)
{
	const struct share *share = arg;
	uint64_t before = used_by(ksim_self());

	mem_store8(share->map, 2);
	MUST(used_by(ksim_self()) == before + PAGE);
	return 0;
}

static int give_share_up(void *arg)
{
	const struct share *share = arg;

	MUST(mem_load8(share->map) == 1);
	MUST(ksim_munmap(share->map, 2 * PAGE) == 0);
	MUST(ksim_close(share->fd) == 0);
	return 0;
}

static int tell_limited(int (*act)(void *))
{
	struct ksim_process *p = story_process("p"), *child;
	struct share share;

	(void)act;
	MUST(p != NULL);
	MUST(RETRY(ksim_limit_memory(&p, 1, (uint64_t)LIMIT_PAGES * PAGE)) == 0);
	MUST(used_by(p) == 0);
	story_begin();
	TRY(story_act(p, use_share, &share));
	child = story_fork(p, "child");
	MUST(child != NULL && used_by(child) == used_by(p));
	TRY(story_act(child, copy_share, &share));
	MUST(RETRY(ksim_limit_memory(&child, 1, UINT64_MAX)) == 0);
	MUST(used_by(child) == 0);
	TRY(story_process_ends(child));
	TRY(story_act(p, give_share_up, &share));
	MUST(used_by(p) == 0);
	return story_settled();
}

TEST(sweep_processes, of_a_group_with_a_memory_limit)
{
	story_sweep(tell_limited, NULL);
}

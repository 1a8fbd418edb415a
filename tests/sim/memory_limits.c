// SPDX-License-Identifier: MIT
/*
 * Processes whose memory together is limited.
 *
 * What Linux promises: Documentation/admin-guide/cgroup-v2.rst, "Memory". A page is charged to the cgroup of who makes
 * it come to be and stays charged there when that process moves on; children begin in their parent's; at memory.max the
 * OOM killer ends a process of the cgroup and nobody else. What is ksim's own, as told in <ksim/process.h>: the toucher
 * is the one that dies, and calls fail with ENOMEM.
 */
#include "bed.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { LIMIT_PAGES = 32, LIMIT = LIMIT_PAGES * PAGE };

/* Where memory comes when it is touched, as on Linux. */
static struct ksim_machine *sparse(void)
{
	const struct ksim_config config = { .ram_bytes = 4 << 20,
		                            .access = access_wanted(),
		                            .commit = KSIM_COMMIT_ON_TOUCH };
	struct ksim_machine *m = ksim_boot(&config);

	SETUP(m != NULL);
	return m;
}

static void limit(struct ksim_process *p, uint64_t bytes)
{
	REQUIRE_EQ(ksim_limit_memory(&p, 1, bytes), 0);
}

static struct ksim_memory look_at(const struct ksim_process *p)
{
	struct ksim_memory memory = { 0 };

	EXPECT_EQ(ksim_memory_used(p, &memory), 0);
	EXPECT(memory.used <= memory.limit && memory.used <= memory.peak && memory.peak <= memory.limit);
	return memory;
}

struct range {
	ksim_addr map;
	int npages;
	int touched; /* so far */
};

static int touch(void *arg)
{
	struct range *range = arg;

	for (range->touched = 0; range->touched < range->npages; range->touched++)
		mem_store8(range->map + (ksim_addr)range->touched * PAGE, 1);
	return 0;
}

static void expect_killed(const struct ksim_end *end, const char *words)
{
	EXPECT_MSG(!end->alive && end->signo == SIGKILL && strstr(end->text, words) != NULL, "%s", end->text);
}

TEST(memory_limits, touch_at_the_limit_kills_the_toucher_and_not_the_other)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *a = bed_process(m, "a"), *b = bed_process(m, "b");
	struct range range = { .npages = 2 * LIMIT_PAGES };
	struct ksim_end end;
	char words[80];

	limit(a, LIMIT + 7);
	ksim_as(a)
		range.map = bed_map(range.npages, RW, MAP_PRIVATE);
	EXPECT_EQ(ksim_run(a, touch, &range, &end), 0);
	snprintf(words, sizeof(words), "its group's limit of %d bytes is reached: no memory for a private page", LIMIT);
	expect_killed(&end, words);
	EXPECT_EQ(end.addr, range.map + (ksim_addr)range.touched * PAGE);
	EXPECT(range.touched > LIMIT_PAGES - 10 && range.touched < LIMIT_PAGES); /* page tables count, too */
	EXPECT_EQ(look_at(a).limit, LIMIT);
	EXPECT_EQ(look_at(a).peak, LIMIT);
	EXPECT_EQ(look_at(a).refused, 1);
	EXPECT_EQ(look_at(a).used, 0); /* what it left at its end is free */
	ksim_as(b)
		range.map = bed_map(range.npages, RW, MAP_PRIVATE);
	EXPECT_EQ(ksim_run(b, touch, &range, &end), 0);
	EXPECT(end.alive && range.touched == range.npages);
	bed_halt(m);
}

TEST(memory_limits, process_is_told_of_the_limit_by_wait)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "parent");
	struct range range = { .npages = 2 * LIMIT_PAGES };
	struct ksim_memory before;
	int status = 0;
	pid_t pid;

	limit(p, LIMIT);
	ksim_as(p) {
		range.map = bed_map(range.npages, RW, MAP_PRIVATE);
		mem_store8(range.map, 1);
		before = look_at(p);
		pid = ksim_fork_into(touch, &range);
		EXPECT(pid > 0);
		EXPECT_EQ(ksim_wait(&status), pid);
		EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		EXPECT_EQ(look_at(p).used, before.used);
		EXPECT_EQ(look_at(p).peak, LIMIT); /* the child was in the group, from its page tables on */
	}
	bed_halt(m);
}

static int fits(int npages)
{
	int fd = ksim_memfd_create("pool", 0);
	struct stat before, after;
	int result;

	EXPECT_EQ(ksim_fstat(fd, &before), 0);
	errno = 0;
	result = ksim_ftruncate(fd, (off_t)npages * PAGE);
	EXPECT_EQ(ksim_fstat(fd, &after), 0);
	if (result < 0) {
		EXPECT_EQ(errno, ENOMEM);
		EXPECT(before.st_size == after.st_size && before.st_blocks == after.st_blocks);
	}
	EXPECT_EQ(ksim_close(fd), 0);
	return result;
}

TEST(memory_limits, call_that_does_not_fit_is_ENOMEM_and_changes_nothing_for_the_group_alone)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p"), *free = bed_process(m, "free");
	struct ksim_memory before, after;

	limit(p, LIMIT);
	ksim_as(p) {
		before = look_at(p);
		EXPECT_EQ(fits(LIMIT_PAGES + 1), -1);
		EXPECT_EQ(fits(1 << 20), -1);
		after = look_at(p);
		EXPECT_EQ(after.used, before.used);
		EXPECT_EQ(after.peak, before.peak); /* not even for a moment */
		EXPECT_EQ(after.refused, before.refused + 2);
		EXPECT_EQ(fits(LIMIT_PAGES), 0);
		EXPECT_EQ(look_at(p).used, before.used);
	}
	ksim_as(free)
		EXPECT_EQ(fits(4 * LIMIT_PAGES), 0);
	bed_halt(m);
}

TEST(memory_limits, memory_freed_by_an_end_can_be_had_by_the_others_of_the_group)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p[3] = { bed_process(m, "first"), bed_process(m, "second") };
	struct range range = { .npages = LIMIT_PAGES / 2 };
	struct ksim_end end;

	p[2] = p[1]; /* named twice */
	REQUIRE_EQ(ksim_limit_memory(p, 3, LIMIT), 0);
	ksim_as(p[0])
		range.map = bed_map(range.npages, RW, MAP_PRIVATE);
	EXPECT_EQ(ksim_run(p[0], touch, &range, &end), 0);
	EXPECT(end.alive);
	ksim_as(p[1])
		EXPECT_EQ(fits(LIMIT_PAGES / 2), -1);
	EXPECT_EQ(ksim_process_end(p[0], 0), 0);
	EXPECT_EQ(look_at(p[0]).used, look_at(p[1]).used); /* where it was when it ended */
	ksim_as(p[1])
		EXPECT_EQ(fits(LIMIT_PAGES / 2), 0);
	bed_halt(m);
}

static int receive_and_touch(void *arg)
{
	int fd;
	size_t n = 1;
	ksim_addr map;
	char byte;

	EXPECT_EQ(ksim_recv_fds(*(int *)arg, &byte, 1, &fd, &n, 0), 1);
	map = ksim_mmap(0, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	for (int i = 2; i < 8; i++) /* the first two were touched before */
		mem_store8(map + (ksim_addr)i * PAGE, 1);
	return 0;
}

TEST(memory_limits, page_of_a_file_is_charged_to_who_touches_it_first_until_the_file_has_gone)
{
	struct ksim_machine *m = sparse();
	struct ksim_process *maker = bed_process(m, "maker"), *user = bed_process(m, "user");
	struct ksim_end end;
	int fd = -1, pair[2];

	limit(maker, LIMIT);
	limit(user, LIMIT);
	EXPECT_EQ(ksim_socketpair_between(maker, user, SOCK_STREAM, pair), 0);
	ksim_as(maker) {
		fd = ksim_memfd_create("pool", 0);
		EXPECT_EQ(ksim_ftruncate(fd, 8 * PAGE), 0);
		EXPECT_EQ(ksim_pwrite(fd, "x", 1, PAGE - 1), 1);
		EXPECT_EQ(ksim_pwrite(fd, "x", 1, PAGE), 1);
		EXPECT_EQ(ksim_send_fds(pair[0], "f", 1, &fd, 1), 1);
	}
	EXPECT_EQ(ksim_run(user, receive_and_touch, &pair[1], &end), 0);
	EXPECT(end.alive);
	EXPECT(look_at(user).used > 6 * PAGE); /* its page tables */
	EXPECT_EQ(ksim_process_end(user, 0), 0);
	EXPECT_EQ(look_at(user).used, 6 * PAGE);
	limit(maker, LIMIT); /* into another group: the pages stay in the one before */
	EXPECT_EQ(look_at(maker).used, 0);
	EXPECT_EQ(ksim_check(m), 0);
	ksim_as(maker) {
		EXPECT_EQ(ksim_ftruncate(fd, 4 * PAGE), 0);
		EXPECT_EQ(look_at(user).used, 2 * PAGE);
		EXPECT_EQ(ksim_close(fd), 0);
	}
	EXPECT_EQ(look_at(user).used, 0);
	bed_halt(m);
}

TEST(memory_limits, process_that_moves_leaves_its_charges_behind)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p"), *stays = bed_process(m, "stays"), *both[] = { p, stays };
	struct ksim_memory then;
	ksim_addr map = 0;

	REQUIRE_EQ(ksim_limit_memory(both, 2, LIMIT), 0);
	ksim_as(p) {
		map = bed_map(8, RW, MAP_PRIVATE);
		mem_store8(map, 1);
	}
	then = look_at(stays);
	EXPECT(then.used >= 2 * PAGE);
	limit(p, UINT64_MAX);
	EXPECT_EQ(look_at(p).limit, UINT64_MAX);
	ksim_as(p) {
		mem_store8(map + PAGE, 1);
		EXPECT_EQ(look_at(p).used, PAGE);
		EXPECT_EQ(look_at(stays).used, then.used);
		EXPECT_EQ(ksim_munmap(map, PAGE), 0);
		EXPECT_EQ(look_at(stays).used, then.used - PAGE);
	}
	bed_halt(m);
}

TEST(memory_limits, fork_that_does_not_fit_is_ENOMEM_and_makes_no_child)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p"), *child;
	struct range range = { .npages = 4 };
	struct ksim_memory before;
	struct ksim_end end;

	limit(p, LIMIT);
	ksim_as(p)
		range.map = bed_map(range.npages, RW, MAP_PRIVATE);
	EXPECT_EQ(ksim_run(p, touch, &range, &end), 0);
	before = look_at(p);
	child = ksim_process_fork(p, "child");
	REQUIRE_MSG(child != NULL, "errno %d", errno);
	EXPECT(look_at(child).used > before.used); /* page tables of its own */
	EXPECT_EQ(ksim_process_end(child, 0), 0);
	EXPECT_EQ(look_at(p).used, before.used);
	limit(p, 2 * PAGE);
	errno = 0;
	EXPECT(ksim_process_fork(p, "child") == NULL);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_EQ(look_at(p).used, 0);
	EXPECT_EQ(ksim_run(p, touch, &range, &end),
	          0); /* nothing is left write-protected that it has no room to copy */
	EXPECT_MSG(end.alive, "%s", end.text);
	bed_halt(m);
}

TEST(memory_limits, call_that_cannot_touch_its_buffer_is_EFAULT)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p");
	ksim_addr map;
	int fd;

	ksim_as(p) {
		map = bed_map(2, RW, MAP_PRIVATE);
		mem_store8(map, 1); /* with all nodes */
		fd = ksim_memfd_create("pool", 0);
		EXPECT_EQ(ksim_ftruncate(fd, 2 * PAGE), 0);
		limit(p, 0);
		errno = 0;
		EXPECT_EQ(ksim_read(fd, ksim_user(map + PAGE), 8), -1);
		EXPECT_EQ(errno, EFAULT);
		EXPECT_EQ(ksim_read(fd, ksim_user(map), 8), 8);
		errno = 0;
		EXPECT_EQ(ksim_pwrite(fd, "x", 1, 2 * PAGE), -1); /* a new page */
		EXPECT_EQ(errno, ENOMEM);
		EXPECT_EQ(ksim_pwrite(fd, "x", 1, PAGE), 1);
		errno = 0;
		EXPECT_EQ(ksim_madvise(map, 2 * PAGE, MADV_POPULATE_WRITE), -1);
		EXPECT_EQ(errno, ENOMEM);
	}
	bed_halt(m);
}

enum { BLOCK = 2 << 20, BLOCK_PAGES = BLOCK / PAGE };

/* With RAM for some pages of 2 MiB, which are used where they are advised. */
static struct ksim_machine *roomy(void)
{
	const struct ksim_config config = { .ram_bytes = 32 << 20,
		                            .access = access_wanted(),
		                            .commit = KSIM_COMMIT_ON_TOUCH };
	struct ksim_machine *m = ksim_boot(&config);

	SETUP(m != NULL);
	return m;
}

/* Two places for pages of 2 MiB, of the acting process. */
static ksim_addr two_blocks(int kind, int fd)
{
	ksim_addr at = ksim_mmap(0, 3 * BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SETUP(at != KSIM_MAP_FAILED);
	at = (at + BLOCK - 1) / BLOCK * BLOCK;
	SETUP(ksim_mmap(at, 2 * BLOCK, RW, kind | MAP_FIXED, fd, 0) == at);
	SETUP(ksim_madvise(at, 2 * BLOCK, MADV_HUGEPAGE) == 0);
	return at;
}

TEST(memory_limits, page_of_2_MiB_is_charged_whole_and_small_ones_fill_what_is_left)
{
	struct ksim_machine *m = roomy();
	struct ksim_process *p = bed_process(m, "p"), *other = bed_process(m, "other");
	struct range range = { .npages = 2 * BLOCK_PAGES };
	struct ksim_memory small;
	struct ksim_end end;

	limit(p, BLOCK + LIMIT);
	ksim_as(p) {
		range.map = two_blocks(MAP_PRIVATE | MAP_ANONYMOUS, -1);
		mem_store8(range.map + 5, 1);
		EXPECT(look_at(p).used > BLOCK && look_at(p).used < BLOCK + 8 * PAGE); /* page tables */
		mem_store8(range.map + BLOCK, 1);
		small = look_at(p);
		EXPECT(small.used < BLOCK + 16 * PAGE);
		EXPECT_EQ(small.refused, 0);
		EXPECT_EQ(ksim_munmap(range.map + BLOCK / 2, BLOCK / 4), 0);
		EXPECT_EQ(look_at(p).used, small.used - BLOCK / 4);
		EXPECT(ksim_mmap(range.map + BLOCK / 2, BLOCK / 4, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		                 0) != KSIM_MAP_FAILED);
		EXPECT_EQ(ksim_check(m), 0);
	}
	EXPECT_EQ(ksim_run(p, touch, &range, &end), 0);
	expect_killed(&end, "its group's limit of 2228224 bytes is reached: no memory for a private page");
	EXPECT(range.touched > BLOCK_PAGES + 10 && range.touched < BLOCK_PAGES + LIMIT_PAGES);
	EXPECT_EQ(look_at(p).used, 0);
	ksim_as(other)
		range.map = two_blocks(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	EXPECT_EQ(ksim_run(other, touch, &range, &end), 0);
	EXPECT(end.alive);
	bed_halt(m);
}

TEST(memory_limits, page_of_2_MiB_of_a_file_stays_charged_and_is_given_back_by_parts)
{
	struct ksim_machine *m = roomy();
	struct ksim_process *maker = bed_process(m, "maker"), *user = bed_process(m, "user");
	ksim_addr at;
	int fd = -1;

	limit(maker, 2 * BLOCK);
	ksim_as(maker) {
		fd = ksim_memfd_create("pool", 0);
		EXPECT_EQ(ksim_ftruncate(fd, 2 * BLOCK), 0);
		at = two_blocks(MAP_SHARED, fd);
		mem_store8(at, 1);
		EXPECT(look_at(maker).used > BLOCK);
		errno = 0;
		EXPECT_EQ(ksim_fallocate(fd, 0, 0, 2 * BLOCK), -1); /* with its page tables it is too much */
		EXPECT_EQ(errno, ENOMEM);
	}
	SETUP(ksim_fd_copy(maker, fd, user) == fd);
	limit(user, BLOCK / 2);
	ksim_as(user) {
		at = two_blocks(MAP_SHARED, fd);
		EXPECT_EQ(mem_load8(at), 1);
		mem_store8(at + BLOCK, 2); /* no room for a block */
		EXPECT(look_at(user).used < 16 * PAGE);
		EXPECT_EQ(look_at(user).refused, 0);
	}
	EXPECT_EQ(ksim_process_end(maker, 0), 0);
	EXPECT_EQ(look_at(maker).used, BLOCK);
	ksim_as(user) {
		EXPECT_EQ(ksim_ftruncate(fd, BLOCK / 2), 0);
		EXPECT_EQ(look_at(maker).used, BLOCK / 2);
		EXPECT_EQ(ksim_madvise(at, 2 * PAGE, MADV_REMOVE), 0);
		EXPECT_EQ(look_at(maker).used, BLOCK / 2 - 2 * PAGE);
		EXPECT_EQ(ksim_check(m), 0);
		EXPECT_EQ(ksim_close(fd), 0);
	}
	EXPECT_EQ(ksim_process_end(user, 0), 0);
	EXPECT_EQ(look_at(maker).used, 0);
	EXPECT_EQ(look_at(user).used, 0);
	bed_halt(m);
}

TEST(memory_limits, what_cannot_be_a_group_is_refused_and_nobody_is_moved)
{
	struct ksim_machine *m = bed_boot(), *other = bed_boot();
	struct ksim_process *p = bed_process(m, "p"), *dead = bed_process(m, "dead"), *far = bed_process(other, "far");
	struct ksim_process *pair[] = { p, dead };
	struct ksim_memory memory;

	EXPECT_EQ(ksim_process_end(dead, 0), 0);
	errno = 0;
	EXPECT_EQ(ksim_limit_memory(pair, 0, LIMIT), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(ksim_limit_memory(pair, 2, LIMIT), -1);
	EXPECT_EQ(errno, ESRCH);
	pair[1] = far;
	EXPECT_EQ(ksim_limit_memory(pair, 2, LIMIT), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(ksim_memory_used(p, &memory), -1);
	EXPECT_EQ(errno, ENOENT);
	EXPECT_EQ(ksim_memory_used(far, &memory), -1);
	EXPECT_EQ(errno, ENOENT);
	limit(p, LIMIT);
	EXPECT_EQ(ksim_memory_used(dead, &memory), -1);
	bed_halt(m);
	bed_halt(other);
}

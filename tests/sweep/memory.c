// SPDX-License-Identifier: MIT
/*
 * Mappings, swept: shared and private, copied on write and by fork, protected, cut, split, replaced; and files that
 * grow and shrink under them.
 *
 * What Linux promises when such a call fails with ENOMEM: mmap(2), munmap(2) and mprotect(2) leave the mappings as they
 * were, fork(2) makes no child; pwrite(2) may have written a part and then says how much.
 */
#include "held.h"

#include <stddef.h>

enum { PAGES = 4, BYTES = PAGES * PAGE };

static int make_file(void *arg)
{
	struct held *held = arg;

	held->fd = RETRY(ksim_memfd_create("pool", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	MUST(held->fd == 0);
	MUST(RETRY(ksim_ftruncate(held->fd, BYTES)) == 0);
	return 0;
}

static int map_shared(void *arg)
{
	struct held *held = arg;

	held->map = RETRY(map_at(0, BYTES, RW, MAP_SHARED, held->fd));
	MUST(held->map != KSIM_MAP_FAILED);
	return 0;
}

static int tell_of_one(int (*act)(void *))
{
	return held_by_one(act, BYTES);
}

/* ---- shared ---- */

static int write_shared(void *arg)
{
	struct held *held = arg;

	fill(held->map, PAGES, 10);
	return 0;
}

static int read_shared(void *arg)
{
	struct held *held = arg;

	MUST(holds(held->map, PAGES, 10));
	return 0;
}

static int tell_shared(int (*act)(void *))
{
	struct ksim_process *a = story_process("a"), *b = a != NULL ? story_process("b") : NULL;
	struct held at_a = { .shared = true, .bytes = BYTES }, at_b = { .fd = -1, .bytes = BYTES };

	(void)act;
	MUST(b != NULL);
	story_begin();
	TRY(story_act(a, make_file, &at_a));
	at_b.fd = RETRY(ksim_fd_copy(a, at_a.fd, b));
	MUST(at_b.fd == 0);
	TRY(story_act(a, map_shared, &at_a));
	TRY(story_act(b, map_shared, &at_b));
	TRY(story_act(a, write_shared, &at_a));
	TRY(story_act(b, read_shared, &at_b));
	TRY(story_act(a, held_undo, &at_a));
	TRY(story_act(b, held_undo, &at_b));
	return story_settled();
}

TEST(sweep_memory, file_shared_by_two_processes)
{
	story_sweep(tell_shared, NULL);
}

/* ---- private ---- */

static int copy_on_write(void *arg)
{
	struct held *held = arg;
	ksim_addr own;

	TRY(make_file(held));
	TRY(map_shared(held));
	own = RETRY(map_at(0, BYTES, RW, MAP_PRIVATE, held->fd));
	MUST(own != KSIM_MAP_FAILED);
	fill(held->map, PAGES, 10);
	MUST(holds(own, PAGES, 10));
	fill(own, 2, 20);
	MUST(holds(own, 2, 20) && holds(own + 2 * PAGE, 2, 12) && holds(held->map, PAGES, 10));
	MUST(ksim_munmap(own, BYTES) == 0);
	return 0;
}

TEST(sweep_memory, private_mapping_of_a_file_is_copied_on_write)
{
	story_sweep(tell_of_one, copy_on_write);
}

/* Zeros first, then pages of its own. */
static int touch_anonymous(void *arg)
{
	struct held *held = arg;

	held->fd = -1;
	held->map = RETRY(map_at(0, BYTES, RW, MAP_PRIVATE, -1));
	MUST(held->map != KSIM_MAP_FAILED);
	MUST(mem_load64(held->map) == 0 && mem_load64(held->map + 3 * PAGE) == 0);
	fill(held->map, PAGES, 1);
	MUST(holds(held->map, PAGES, 1));
	return 0;
}

TEST(sweep_memory, anonymous_memory_is_zero_and_then_its_own)
{
	story_sweep(tell_of_one, touch_anonymous);
}

/* ---- fork ---- */

struct family {
	struct held own, shared;
};

static int parent_prepares(void *arg)
{
	struct family *family = arg;

	TRY(touch_anonymous(&family->own));
	TRY(make_file(&family->shared));
	TRY(map_shared(&family->shared));
	fill(family->shared.map, PAGES, 30);
	return 0;
}

static int child_writes(void *arg)
{
	struct family *family = arg;

	MUST(holds(family->own.map, PAGES, 1));
	fill(family->own.map, 2, 70);
	fill(family->shared.map, PAGES, 40);
	MUST(holds(family->own.map, 2, 70) && holds(family->own.map + 2 * PAGE, 2, 3));
	return 0;
}

static int parent_looks(void *arg)
{
	struct family *family = arg;

	MUST(holds(family->own.map, PAGES, 1) && holds(family->shared.map, PAGES, 40));
	fill(family->own.map, PAGES, 5); /* alone again: in place */
	MUST(ksim_munmap(family->own.map, BYTES) == 0);
	return held_undo(&family->shared);
}

static int tell_fork(int (*act)(void *))
{
	struct ksim_process *parent = story_process("parent"), *child;
	struct family family = { .own = { .fd = -1 }, .shared = { .bytes = BYTES } };

	(void)act;
	MUST(parent != NULL);
	story_begin();
	TRY(story_act(parent, parent_prepares, &family));
	child = story_fork(parent, "child");
	MUST(child != NULL);
	TRY(story_act(child, child_writes, &family));
	TRY(story_process_ends(child));
	TRY(story_act(parent, parent_looks, &family));
	return story_settled();
}

TEST(sweep_memory, fork_copies_what_is_private_and_shares_the_rest)
{
	story_sweep(tell_fork, NULL);
}

/* ---- cutting and protecting ---- */

static int protect(void *arg)
{
	struct held *held = arg;
	ksim_addr middle;

	TRY(touch_anonymous(held));
	middle = held->map + PAGE;
	MUST(RETRY_UNCHANGED(ksim_mprotect(middle, PAGE, PROT_READ), (fill(held->map, PAGES, 1), true)) == 0);
	MUST(RETRY(ksim_mprotect(held->map + 2 * PAGE, 2 * PAGE, PROT_NONE)) == 0);
	MUST(holds(held->map, 2, 1));
	MUST(RETRY_UNCHANGED(ksim_mprotect(held->map, BYTES, RW), holds(held->map, 2, 1)) == 0);
	MUST(holds(held->map, PAGES, 1));
	fill(held->map, PAGES, 50);
	return 0;
}

TEST(sweep_memory, mprotect_splits_and_joins)
{
	story_sweep(tell_of_one, protect);
}

static bool is_mapped(ksim_addr at)
{
	struct ksim_translation found;

	return ksim_translate(ksim_self(), at, &found) == 0;
}

/* The middle first, which makes one mapping more; then an end; then across the hole. */
static int cut(void *arg)
{
	struct held *held = arg;
	ksim_addr map;

	TRY(make_file(held));
	TRY(map_shared(held));
	map = held->map;
	fill(map, PAGES, 10);
	MUST(RETRY_UNCHANGED(ksim_munmap(map + PAGE, PAGE), holds(map, PAGES, 10)) == 0);
	MUST(is_mapped(map) && !is_mapped(map + PAGE) && holds(map + 2 * PAGE, 2, 12));
	MUST(RETRY(ksim_munmap(map + 3 * PAGE, PAGE)) == 0);
	MUST(holds(map + 2 * PAGE, 1, 12) && !is_mapped(map + 3 * PAGE));
	MUST(RETRY(ksim_munmap(map, 3 * PAGE)) == 0);
	MUST(!is_mapped(map) && !is_mapped(map + 2 * PAGE));
	return 0;
}

TEST(sweep_memory, munmap_of_the_middle_of_an_end_and_across_a_hole)
{
	story_sweep(tell_of_one, cut);
}

/* Over the middle of one, over two at once, over nothing where something stands. */
static int replace(void *arg)
{
	const int fixed = MAP_PRIVATE | MAP_FIXED;
	struct held *held = arg;
	ksim_addr map;

	TRY(make_file(held));
	TRY(map_shared(held));
	map = held->map;
	fill(map, PAGES, 10);
	MUST(RETRY_UNCHANGED(map_at(map + PAGE, PAGE, RW, fixed, -1), holds(map, PAGES, 10)) == map + PAGE);
	MUST(mem_load8(map + PAGE) == 0);
	fill(map + PAGE, 1, 99);
	MUST(RETRY_UNCHANGED(map_at(map, 2 * PAGE, RW, fixed, held->fd), holds(map + PAGE, 1, 99)) == map);
	MUST(holds(map, PAGES, 10));
	MUST(map_at(map + PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED_NOREPLACE, -1) == KSIM_MAP_FAILED);
	MUST(errno == EEXIST);
	MUST(RETRY(map_at(map, BYTES, RW, MAP_SHARED | MAP_FIXED, held->fd)) == map);
	MUST(holds(map, PAGES, 10));
	return 0;
}

TEST(sweep_memory, mmap_over_what_is_mapped)
{
	story_sweep(tell_of_one, replace);
}

/* Pages are brought in as far as there are frames, and a failure is no failure of mmap's. */
static int populate(void *arg)
{
	struct held *held = arg;

	held->fd = -1;
	held->map = RETRY(map_at(0, BYTES, RW, MAP_SHARED | MAP_POPULATE, -1));
	MUST(held->map != KSIM_MAP_FAILED);
	story.absorbed = true;
	fill(held->map, PAGES, 1);
	return 0;
}

TEST(sweep_memory, shared_anonymous_memory_is_populated)
{
	story_sweep(tell_of_one, populate);
}

/* ---- many, and far apart: trees of mappings, of pages and of tables that need new nodes ---- */

enum { MANY = 70 };

static int map_many(void *arg)
{
	ksim_addr base = access_place(ksim_self(), 0x1000000);
	struct held *held = arg;

	TRY(make_file(held));
	TRY(map_shared(held));
	/* Neighbours differ, so none are joined. */
	for (int i = 0; i < MANY; i++) {
		ksim_addr at = base + (ksim_addr)i * PAGE;

		MUST(RETRY(map_at(at, PAGE, i % 2 ? RW : PROT_READ, MAP_PRIVATE | MAP_FIXED, -1)) == at);
	}
	MUST(RETRY(ksim_mprotect(base + 11 * PAGE, 40 * PAGE, PROT_NONE)) == 0);
	MUST(RETRY(ksim_munmap(base + 5 * PAGE, 60 * PAGE)) == 0);
	MUST(RETRY(ksim_munmap(base, MANY * PAGE)) == 0);
	return 0;
}

TEST(sweep_memory, many_mappings_come_and_go)
{
	story_sweep(tell_of_one, map_many);
}

static int spread(void *arg)
{
	static const ksim_addr far[] = { 0x200000, 0x40000000, 0x8000000000, 0x7ff000000000 };
	static const ksim_addr in_window[] = { 0x200000, 0x800000, 0x1800000, 0x3e00000 };
	static const off_t pages[] = { 70, 5000, 300000 };
	struct held *held = arg;
	ksim_addr places[4];
	char byte = 'x';

	TRY(make_file(held));
	TRY(map_shared(held));
	for (int i = 0; i < 4; i++) {
		places[i] = access_place(ksim_self(), access_is_native() ? in_window[i] : far[i]);
		MUST(RETRY(map_at(places[i], PAGE, RW, MAP_PRIVATE | MAP_FIXED, -1)) == places[i]);
		mem_store8(places[i], 1);
	}
	/* Holes in between, where the policy allows them. */
	for (int i = 0; i < 3; i++) {
		off_t at = (story.sparse ? pages[i] : 5 + i) * PAGE;

		MUST(RETRY(ksim_pwrite(held->fd, &byte, 1, at)) == 1);
	}
	MUST(ksim_ftruncate(held->fd, BYTES) == 0);
	for (int i = 0; i < 4; i++)
		MUST(RETRY(ksim_munmap(places[i], PAGE)) == 0);
	return 0;
}

TEST(sweep_memory, memory_and_pages_far_apart)
{
	story_sweep(tell_of_one, spread);
}

/* More pages at once than fit on the kernel's stack. */
static int grow_much(void *arg)
{
	struct held *held = arg;
	off_t bytes = 40 * PAGE;

	TRY(make_file(held));
	TRY(map_shared(held));
	MUST(RETRY_UNCHANGED(ksim_ftruncate(held->fd, bytes), ksim_lseek(held->fd, 0, SEEK_END) == BYTES) == 0);
	MUST(RETRY(ksim_fallocate(held->fd, 0, 0, bytes + 40 * PAGE)) == 0);
	MUST(ksim_ftruncate(held->fd, BYTES) == 0);
	return 0;
}

TEST(sweep_memory, file_grows_by_many_pages)
{
	story_sweep(tell_of_one, grow_much);
}

/* ---- files that change under their mappings ---- */

/* All of it, in as many calls as it takes. */
static int write_all(int fd, const char *bytes, size_t n, off_t at)
{
	while (n > 0) {
		ssize_t done = RETRY(ksim_pwrite(fd, bytes, n, at));

		MUST(done > 0);
		/* Cut short: that was the failure. */
		story.absorbed |= (size_t)done < n;
		bytes += done;
		n -= (size_t)done;
		at += done;
	}
	return 0;
}

static off_t size_of(int fd)
{
	return ksim_lseek(fd, 0, SEEK_END);
}

static int grow_and_shrink(void *arg)
{
	static char bytes[3 * PAGE], back[3 * PAGE];
	struct held *held = arg;

	memset(bytes, 'w', sizeof(bytes));
	TRY(make_file(held));
	TRY(map_shared(held));
	TRY(write_all(held->fd, bytes, sizeof(bytes), PAGE / 2));
	MUST(mem_load8(held->map + PAGE) == 'w' && mem_load8(held->map) == 0);
	MUST(ksim_ftruncate(held->fd, PAGE) == 0);
	MUST(RETRY_UNCHANGED(ksim_ftruncate(held->fd, 2 * PAGE), size_of(held->fd) == PAGE) == 0);
	MUST(mem_load8(held->map + PAGE) == 0 && mem_load8(held->map + PAGE - 1) == 'w');
	MUST(RETRY_UNCHANGED(ksim_fallocate(held->fd, 0, PAGE, 5 * PAGE), size_of(held->fd) == 2 * PAGE) == 0);
	MUST(size_of(held->fd) == 6 * PAGE);
	MUST(RETRY(ksim_pread(held->fd, back, sizeof(back), PAGE / 2)) == sizeof(back));
	MUST(back[0] == 'w' && back[PAGE / 2] == 0);
	/* Into user memory, which has to be brought in. */
	MUST(ksim_ftruncate(held->fd, BYTES) == 0);
	return 0;
}

TEST(sweep_memory, file_grows_and_shrinks_under_its_mapping)
{
	story_sweep(tell_of_one, grow_and_shrink);
}

/*
 * A file that is there as a block of 2 MiB, mapped where one entry can map it. That entry is only an attempt: what it
 * finds no memory for is mapped page by page, and no call fails. To split it needs none.
 */
static int block(void *arg)
{
	enum { LARGE = 512 * PAGE };
	struct ksim_allocation first;
	struct held *held = arg;

	held->fd = RETRY(ksim_memfd_create("block", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	MUST(held->fd == 0);
	MUST(RETRY_UNCHANGED(ksim_fallocate(held->fd, 0, 0, LARGE), size_of(held->fd) == 0) == 0);
	held->map = RETRY(map_at(UINT64_C(0x600000000000), LARGE, RW, MAP_SHARED, held->fd));
	MUST(held->map != KSIM_MAP_FAILED);
	fill(held->map, PAGES, 1);
	story.absorbed |= ksim_fail_first(story.m, &first) && strcmp(first.call, "memory access") == 0;
	MUST(RETRY(ksim_mprotect(held->map + PAGE, PAGE, PROT_READ)) == 0);
	MUST(holds(held->map, PAGES, 1));
	MUST(ksim_ftruncate(held->fd, BYTES) == 0);
	MUST(holds(held->map, PAGES, 1));
	MUST(RETRY(ksim_munmap(held->map + BYTES, LARGE - BYTES)) == 0);
	return 0;
}

TEST(sweep_memory, block_of_2_MiB_is_mapped_split_and_cut)
{
	story_sweep(tell_of_one, block);
}

/* Calls that read and write user memory which is not there yet: EFAULT, or a short count, for want of frames. */
static int through_user_memory(void *arg)
{
	struct held *held = arg;
	ksim_addr own = RETRY(map_at(0, 2 * PAGE, RW, MAP_PRIVATE, -1));
	ssize_t n;

	MUST(own != KSIM_MAP_FAILED);
	TRY(make_file(held));
	TRY(map_shared(held));
	n = RETRY(ksim_pread(held->fd, mem_buffer(own), 2 * PAGE, 0));
	MUST(n == 2 * PAGE || (n > 0 && n < 2 * PAGE));
	if (n < 2 * PAGE) {
		story.absorbed = true;
		MUST(RETRY(ksim_pread(held->fd, mem_buffer(own), 2 * PAGE, 0)) == 2 * PAGE);
	}
	n = RETRY(ksim_pwrite(held->fd, mem_buffer(own), 2 * PAGE, 0));
	MUST(n > 0);
	story.absorbed |= n < 2 * PAGE;
	MUST(ksim_munmap(own, 2 * PAGE) == 0);
	return 0;
}

TEST(sweep_memory, calls_copy_to_user_memory_that_is_not_there_yet)
{
	story_sweep(tell_of_one, through_user_memory);
}

/* ---- descriptors ---- */

static int duplicate(void *arg)
{
	struct held *held = arg;
	char path[64];

	TRY(make_file(held));
	TRY(map_shared(held));
	MUST(RETRY(ksim_dup(held->fd)) == 1);
	MUST(RETRY(ksim_fcntl(held->fd, F_DUPFD_CLOEXEC, 100)) == 100); /* the table grows */
	MUST(RETRY_UNCHANGED(ksim_dup2(held->fd, 300), ksim_fcntl(300, F_GETFD) == -1) == 300);
	MUST(RETRY_UNCHANGED(ksim_dup3(100, 1, O_CLOEXEC), ksim_fcntl(1, F_GETFD) == 0) == 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", held->fd);
	MUST(RETRY(ksim_open(path, O_RDWR)) == 2);
	MUST(RETRY(ksim_fcntl(2, F_ADD_SEALS, F_SEAL_SHRINK)) == 0);
	MUST(ksim_ftruncate(2, 0) == -1 && errno == EPERM);
	MUST(ksim_close(1) == 0 && ksim_close(2) == 0 && ksim_close(100) == 0 && ksim_close(300) == 0);
	return 0;
}

TEST(sweep_memory, descriptors_are_duplicated_and_reopened)
{
	story_sweep(tell_of_one, duplicate);
}

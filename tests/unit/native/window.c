// SPDX-License-Identifier: MIT
/*
 * What a window shows after each change of the page table. Each test ends with the validator, which compares every page
 * with the page table and with what the host says.
 */
#include "bed.h"

/* ---- coming ---- */

static void born_body(struct bed *b)
{
	const struct window *w = bed_window(b->p);
	const struct user_window *user = &b->p->kernel->window;
	const struct mm_bounds *bounds = &b->p->kernel->mm->bounds;

	EXPECT_EQ(w->place->bytes, BED_WINDOW_BYTES);
	EXPECT_EQ(user->host, (uintptr_t)w->place->host);
	EXPECT_EQ(user->bytes, w->place->bytes);
	EXPECT_EQ(user->user, user->host);
	EXPECT_EQ(bounds->min, user->user);
	EXPECT_EQ(bounds->max, user->user + user->bytes);
	EXPECT(b->p->kernel->mm->eager);
	EXPECT_EQ(bed_mappings(b->p), 1);
	EXPECT(w->lo == 0 && w->hi == 0 && w->pieces == 0);
	bed_check(b->p);
}

TEST(window, new_process_has_one_that_shows_nothing)
{
	on_both(born_body);
}

/* ---- mmap ---- */

static void map_file_body(struct bed *b)
{
	char *at = bed_map_file(bed_file(4), 4, RW, MAP_SHARED);

	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(bed_shown(b->p, at + (size_t)i * PAGE), SHOWN_RW);
		EXPECT_EQ(bed_load(at + (size_t)i * PAGE), 'a' + i);
	}
	EXPECT_EQ(bed_mappings(b->p), 3); /* one, and what is reserved around it */
	bed_check(b->p);
}

TEST(window, mapped_file_is_shown_at_once_in_one_piece)
{
	on_both(map_file_body);
}

static void rights_body(struct bed *b)
{
	static const struct {
		int prot, kind;
		unsigned shown;
	} rows[] = {
		{ PROT_READ, MAP_SHARED, SHOWN_R },   { RW, MAP_PRIVATE, SHOWN_R },
		{ PROT_WRITE, MAP_SHARED, SHOWN_RW }, { PROT_READ | PROT_EXEC, MAP_PRIVATE, SHOWN_RX },
		{ PROT_EXEC, MAP_SHARED, SHOWN_RX },  { PROT_NONE, MAP_SHARED, 0 },
	};
	int fd = bed_file(1);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *at = bed_map_file(fd, 1, rows[i].prot, rows[i].kind);

		EXPECT_MSG(bed_shown(b->p, at) == rows[i].shown, "prot %#x: %#x", rows[i].prot, bed_shown(b->p, at));
	}
	bed_check(b->p);
}

TEST(window, page_is_shown_as_the_mapping_allows_and_a_private_one_to_read)
{
	on_both(rights_body);
}

static void scattered_body(struct bed *b)
{
	int fd = ksim_memfd_create("scattered", 0);
	char *at;

	SETUP(fd >= 0 && ksim_ftruncate(fd, (off_t)6 * PAGE) == 0);
	/* Frames are handed out in order, so that those of the pages follow each other by pairs alone. */
	for (int i = 4; i >= 0; i -= 2)
		for (int k = i; k < i + 2; k++) {
			char byte = (char)('a' + k);

			SETUP(ksim_pwrite(fd, &byte, 1, (off_t)k * PAGE) == 1);
		}
	at = bed_map_file(fd, 6, RW, MAP_SHARED);
	for (int i = 0; i < 6; i++) {
		EXPECT_EQ(bed_shown(b->p, at + (size_t)i * PAGE), SHOWN_RW);
		EXPECT_EQ(bed_load(at + (size_t)i * PAGE), 'a' + i);
	}
	bed_check(b->p);
}

TEST(window, frames_that_do_not_follow_each_other_are_pieces_of_their_own)
{
	on_both(scattered_body);
}

static void sparse_body(struct bed *b)
{
	int fd = ksim_memfd_create("sparse", 0);
	char *at;

	SETUP(fd >= 0 && ksim_ftruncate(fd, (off_t)8 * PAGE) == 0);
	SETUP(ksim_pwrite(fd, "x", 1, 2 * PAGE) == 1 && ksim_pwrite(fd, "y", 1, 5 * PAGE) == 1);
	at = bed_map_file(fd, 8, RW, MAP_SHARED);
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(bed_shown(b->p, at + (size_t)i * PAGE) != 0, i == 2 || i == 5);
	bed_check(b->p);
	EXPECT_EQ(bed_load(at + 3 * PAGE), 0);
	EXPECT_EQ(bed_shown(b->p, at + 3 * PAGE), SHOWN_RW);
	EXPECT_EQ(bed_shown(b->p, at + 4 * PAGE), 0);
	bed_check(b->p);
}

TEST(window, hole_of_a_file_is_shown_when_it_is_touched)
{
	on_both(sparse_body);
}

/* ---- faults ---- */

static void anonymous_body(struct bed *b)
{
	char *at = bed_map(4, RW, MAP_PRIVATE);

	EXPECT_EQ(bed_shown(b->p, at), 0);
	EXPECT_EQ(bed_load(at + PAGE), 0);
	EXPECT_EQ(bed_shown(b->p, at + PAGE), SHOWN_R); /* the frame of zeros */
	bed_check(b->p);
	bed_store(at + PAGE, 's');
	bed_store(at + 3 * PAGE, 't');
	EXPECT_EQ(bed_shown(b->p, at + PAGE), SHOWN_RW);
	EXPECT_EQ(bed_shown(b->p, at + 3 * PAGE), SHOWN_RW);
	EXPECT_EQ(bed_shown(b->p, at + 2 * PAGE), 0);
	EXPECT_EQ(bed_load(at + PAGE), 's');
	bed_check(b->p);
}

TEST(window, anonymous_page_is_shown_from_its_first_access_and_to_write_from_its_first_store)
{
	on_both(anonymous_body);
}

static void around_body(struct bed *b)
{
	int fd = ksim_memfd_create("late", 0);
	char *at;

	SETUP(fd >= 0 && ksim_ftruncate(fd, (off_t)8 * PAGE) == 0);
	at = bed_map_file(fd, 8, RW, MAP_SHARED);
	for (int i = 0; i < 8; i += 2)
		SETUP(ksim_pwrite(fd, "x", 1, (off_t)i * PAGE) == 1);
	EXPECT_EQ(bed_shown(b->p, at), 0); /* the write has gone by the file */
	EXPECT_EQ(bed_load(at), 'x');
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(bed_shown(b->p, at + (size_t)i * PAGE), i % 2 == 0 ? SHOWN_RW : 0);
	bed_check(b->p);
}

TEST(window, fault_shows_what_is_there_around_it)
{
	on_both(around_body);
}

static void soft_body(struct bed *b)
{
	char *at = bed_map(2, RW, MAP_PRIVATE);

	/*
	 * What the TLB or a system call brought in is found by the first native access; the rest of it is shown with
	 * it.
	 */
	ksim_store8(ksim_addr_of(at), 's');
	EXPECT_EQ(bed_shown(b->p, at), 0);
	ksim_store8(ksim_addr_of(at + PAGE), 't');
	EXPECT_EQ(bed_load(at), 's');
	EXPECT_EQ(bed_shown(b->p, at), SHOWN_RW);
	EXPECT_EQ(bed_shown(b->p, at + PAGE), SHOWN_RW);
	EXPECT_EQ(bed_load(at + PAGE), 't');
	bed_check(b->p);
}

TEST(window, page_that_soft_access_has_made_is_shown_around_the_next_fault)
{
	on_both(soft_body);
}

/* ---- mprotect, munmap, truncation ---- */

static void protect_body(struct bed *b)
{
	char *at = bed_map_file(bed_file(4), 4, RW, MAP_SHARED);

	EXPECT_EQ(ksim_mprotect(ksim_addr_of(at + PAGE), 2 * PAGE, PROT_READ), 0);
	EXPECT_EQ(bed_shown(b->p, at), SHOWN_RW);
	EXPECT_EQ(bed_shown(b->p, at + PAGE), SHOWN_R);
	EXPECT_EQ(bed_shown(b->p, at + 3 * PAGE), SHOWN_RW);
	bed_check(b->p);
	EXPECT_EQ(ksim_mprotect(ksim_addr_of(at), 4 * PAGE, PROT_NONE), 0);
	EXPECT_EQ(bed_shown(b->p, at + PAGE), 0);
	EXPECT_EQ(bed_mappings(b->p), 1);
	bed_check(b->p);
	EXPECT_EQ(ksim_mprotect(ksim_addr_of(at), 4 * PAGE, RW), 0);
	EXPECT_EQ(bed_shown(b->p, at + PAGE), SHOWN_RW); /* without a fault */
	EXPECT_EQ(bed_mappings(b->p), 3);
	bed_check(b->p);
}

TEST(window, mprotect_shows_what_is_there_as_it_now_may_be_used)
{
	on_both(protect_body);
}

static void unmap_body(struct bed *b)
{
	char *at = bed_map_file(bed_file(6), 6, RW, MAP_SHARED);

	EXPECT_EQ(ksim_munmap(ksim_addr_of(at + 2 * PAGE), PAGE), 0);
	EXPECT_EQ(bed_shown(b->p, at + 2 * PAGE), 0);
	EXPECT_EQ(bed_mappings(b->p), 5);
	bed_check(b->p);
	EXPECT_EQ(ksim_munmap(ksim_addr_of(at), PAGE), 0);
	EXPECT_EQ(ksim_munmap(ksim_addr_of(at + 5 * PAGE), PAGE), 0);
	bed_check(b->p);
	EXPECT_EQ(bed_load(at + PAGE), 'b');
	EXPECT_EQ(bed_load(at + 4 * PAGE), 'e');
	EXPECT_EQ(ksim_munmap(ksim_addr_of(at), 6 * PAGE), 0);
	EXPECT_EQ(bed_mappings(b->p), 1);
	EXPECT(bed_window(b->p)->lo == 0 && bed_window(b->p)->hi == 0 && bed_window(b->p)->pieces == 0);
	bed_check(b->p);
}

TEST(window, munmap_hides_what_was_there_and_the_rest_stays)
{
	on_both(unmap_body);
}

static void replace_body(struct bed *b)
{
	int fd = bed_file(4);
	char *at = bed_map_file(fd, 4, RW, MAP_SHARED);
	ksim_addr page = ksim_addr_of(at + PAGE);

	EXPECT_EQ(ksim_mmap(page, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 3 * PAGE), page);
	EXPECT_EQ(bed_shown(b->p, at + PAGE), SHOWN_R);
	EXPECT_EQ(bed_load(at + PAGE), 'd');
	bed_check(b->p);
	EXPECT_EQ(ksim_mmap(page, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), page);
	EXPECT_EQ(bed_shown(b->p, at + PAGE), 0);
	EXPECT_EQ(bed_load(at + PAGE), 0);
	bed_check(b->p);
}

TEST(window, mapping_that_replaces_another_is_shown_instead)
{
	on_both(replace_body);
}

static void truncate_body(struct bed *b)
{
	struct ksim_process *q = bed_process(b->m);
	char *at = NULL, *other = NULL;
	int fd = -1, fd2;

	ksim_as(b->p) {
		fd = bed_file(4);
		at = bed_map_file(fd, 4, RW, MAP_SHARED);
	}
	fd2 = ksim_fd_copy(b->p, fd, q);
	SETUP(fd2 >= 0);
	ksim_as(q) {
		other = bed_map_file(fd2, 4, RW, MAP_PRIVATE);
		bed_store(other + 3 * PAGE, 'p');
		EXPECT_EQ(ksim_ftruncate(fd2, PAGE + 1), 0);
	}
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(bed_shown(b->p, at + (size_t)i * PAGE) != 0, i < 2);
		EXPECT_EQ(bed_shown(q, other + (size_t)i * PAGE) != 0, i < 2);
	}
	bed_check(b->p);
	bed_check(q);
}

TEST(window, truncation_hides_what_has_gone_in_the_windows_of_all)
{
	on_both_outside(truncate_body);
}

/* ---- fork ---- */

static void fork_body(struct bed *b)
{
	struct ksim_process *child;
	char *at = NULL, *file = NULL, *childs = NULL;

	ksim_as(b->p) {
		at = bed_map(2, RW, MAP_PRIVATE);
		bed_store(at, 'p');
		file = bed_map_file(bed_file(2), 2, RW, MAP_SHARED);
	}
	child = ksim_process_fork(b->p, NULL);
	SETUP(child != NULL);
	EXPECT_EQ(child->kernel->window.user, b->p->kernel->window.user);
	EXPECT_EQ(child->kernel->window.bytes, b->p->kernel->window.bytes);
	EXPECT(child->kernel->window.host != b->p->kernel->window.host);
	EXPECT(!(bed_shown(b->p, at) & 2)); /* not to write, as long as the frame is the child's too */
	bed_check(b->p);
	bed_check(child);
	ksim_as(child) {
		childs = ksim_ptr((uintptr_t)at);
		EXPECT(childs != at);
		EXPECT_EQ(bed_load(childs), 'p');
		EXPECT_EQ(bed_shown(child, childs), SHOWN_R);
		bed_store(childs, 'c');
		EXPECT_EQ(bed_shown(child, childs), SHOWN_RW);
		bed_store(ksim_ptr((uintptr_t)file), 'f');
	}
	bed_check(child);
	ksim_as(b->p) {
		EXPECT_EQ(bed_load(at), 'p');
		bed_store(at, 'q');
		EXPECT_EQ(bed_load(file), 'f');
	}
	ksim_as(child)
		EXPECT_EQ(bed_load(childs), 'c');
	bed_check(b->p);
	bed_check(child);
}

TEST(window, forked_child_has_one_of_its_own_and_neither_writes_to_a_common_page)
{
	on_both_outside(fork_body);
}

/* ---- what the handler asks ---- */

static void resolve_body(struct bed *b)
{
	char *at = bed_map(2, RW, MAP_PRIVATE), *file = bed_map_file(bed_file(1), 1, R_ | PROT_EXEC, MAP_SHARED);
	struct task *task = acting_task();
	struct fault fault = { 0 };

	EXPECT_EQ(window_resolve(task, ksim_addr_of(at), ACCESS_READ, &fault), 0);
	EXPECT_EQ(bed_shown(b->p, at), SHOWN_R);
	EXPECT_EQ(window_resolve(task, ksim_addr_of(at), ACCESS_READ, &fault), WINDOW_SHOWED);
	EXPECT_EQ(window_resolve(task, ksim_addr_of(at), ACCESS_WRITE, &fault), 0);
	EXPECT_EQ(window_resolve(task, ksim_addr_of(at), ACCESS_WRITE, &fault), WINDOW_SHOWED);
	EXPECT_EQ(window_resolve(task, ksim_addr_of(file), ACCESS_EXEC, &fault), WINDOW_SHOWED);
	EXPECT_EQ(window_resolve(task, ksim_addr_of(file) + 5, ACCESS_WRITE, &fault), -EFAULT);
	EXPECT(fault.signo == SIGSEGV && fault.code == SEGV_ACCERR && fault.addr == ksim_addr_of(file) + 5);
	EXPECT_EQ(window_resolve(task, ksim_addr_of(at), ACCESS_EXEC, &fault), -EFAULT);
	EXPECT_EQ(fault.code, SEGV_ACCERR);
	EXPECT_EQ(window_resolve(task, b->p->kernel->window.user, ACCESS_READ, &fault), -EFAULT);
	EXPECT_EQ(fault.code, SEGV_MAPERR);
	bed_check(b->p);
}

TEST(window, resolve_shows_the_page_or_says_what_the_access_runs_into)
{
	on_both(resolve_body);
}

static void no_memory_body(struct bed *b)
{
	char *at = bed_map(2, RW, MAP_PRIVATE);
	struct fault fault = { 0 };

	bed_store(at, 1); /* the nodes */
	bed_fail_at(b->m, FAIL_FRAME, 1);
	EXPECT_EQ(window_resolve(acting_task(), ksim_addr_of(at + PAGE), ACCESS_WRITE, &fault), -ENOMEM);
	bed_fail_at(b->m, FAIL_FRAME, 0);
	EXPECT_EQ(fault.signo, SIGKILL);
	EXPECT_EQ(bed_shown(b->p, at + PAGE), 0);
	EXPECT_EQ(window_resolve(acting_task(), ksim_addr_of(at + PAGE), ACCESS_WRITE, &fault), 0);
	bed_check(b->p);
}

TEST(window, resolve_without_a_frame_shows_nothing_and_can_be_tried_again)
{
	on_both(no_memory_body);
}

static void find_body(struct bed *b)
{
	struct ksim_process *q = bed_process(b->m);
	uintptr_t p_at = b->p->kernel->window.host, q_at = q->kernel->window.host;
	struct window found;
	char mine = 0;

	EXPECT(window_find(p_at, &found) && found.process == b->p);
	EXPECT(window_find(p_at + BED_WINDOW_BYTES - 1, &found) && found.process == b->p);
	EXPECT(!window_find(p_at - 1, &found));
	EXPECT(!window_find(p_at + BED_WINDOW_BYTES, &found));
	EXPECT(window_find(q_at, &found) && found.process == q);
	EXPECT(!window_find((uintptr_t)&mine, &found));
	EXPECT_EQ(ksim_process_end(q, 0), 0);
	EXPECT_EQ(ksim_join(q, NULL), 0);
	EXPECT(!window_find(q_at, &found));
}

TEST(window, find_tells_whose_window_an_address_is_in)
{
	on_both_outside(find_body);
}

/* ---- going ---- */

static void kicked_body(struct bed *b)
{
	char *at = NULL;
	struct ctx ctx;

	ksim_as(b->p)
		at = bed_map_file(bed_file(4), 4, RW, MAP_SHARED);
	EXPECT_EQ(bed_shown(b->p, at), SHOWN_RW);
	kernel_ctx(b->m->kernel, &ctx, "test");
	native_process_kicked(&ctx, b->p);
	EXPECT_EQ(bed_shown(b->p, at), 0);
	EXPECT_EQ(bed_mappings(b->p), 1);
	bed_check(b->p);
	ksim_as(b->p)
		EXPECT_EQ(bed_load(at), 'a'); /* it may forget everything at any time */
	bed_check(b->p);
}

TEST(window, kick_empties_it_so_that_threads_notice)
{
	on_both_outside(kicked_body);
}

static void reuse_body(struct bed *b)
{
	char *first = NULL;

	for (int i = 0; i < 5; i++) {
		struct ksim_process *p = bed_process(b->m);
		char *host = bed_window(p)->place->host;

		EXPECT(i == 0 || host == first);
		first = host;
		bed_check(p); /* nothing of the last one is shown */
		ksim_as(p)
			bed_store(bed_map(3, RW, MAP_PRIVATE), 1);
		EXPECT_EQ(ksim_process_end(p, 0), 0);
		EXPECT_EQ(ksim_join(p, NULL), 0);
	}
}

TEST(window, place_of_a_dead_process_is_the_next_ones)
{
	on_both_outside(reuse_body);
}

/* ---- failure ---- */

static void no_kmem_body(struct bed *b)
{
	struct ksim_process *p = NULL;
	unsigned n = 0;

	while (p == NULL && n < 100) {
		bed_fail_at(b->m, FAIL_KMEM, ++n);
		errno = 0;
		p = ksim_process_create(b->m, "p");
		EXPECT(p != NULL || errno == ENOMEM);
	}
	bed_fail_at(b->m, FAIL_KMEM, 0);
	EXPECT_MSG(p != NULL && n > 5, "%u allocations", n);
	for (p = NULL, n = 0; p == NULL && n < 100;) {
		bed_fail_at(b->m, FAIL_KMEM, ++n);
		p = ksim_process_fork(b->p, NULL);
	}
	bed_fail_at(b->m, FAIL_KMEM, 0);
	EXPECT(p != NULL);
	bed_check(b->p);
}

TEST(window, process_without_kernel_memory_for_it_fails_ENOMEM_and_leaves_none)
{
	on_both_outside(no_kmem_body);
}

/* ---- of several processes ---- */

static void shared_body(struct bed *b)
{
	struct window *w = bed_window(b->p);
	struct ksim_process *sharer = ksim_process_clone(b->p, "sharer", CLONE_VM);
	char none = 0, *at = &none;

	SETUP(sharer != NULL);
	EXPECT(bed_window(sharer) == w);
	EXPECT_EQ(w->users, 2);
	EXPECT_EQ(sharer->kernel->window.host, b->p->kernel->window.host);
	ksim_as(sharer) {
		at = bed_map(2, RW, MAP_PRIVATE);
		bed_store(at, 'a');
	}
	EXPECT_EQ(bed_load(at), 'a');
	EXPECT_EQ(ksim_munmap(ksim_addr_of(at + PAGE), PAGE), 0);
	EXPECT_EQ(bed_shown(sharer, at + PAGE), 0);
	bed_check(b->p);
	/* A copy has a window of its own, and neither sees what the other stores. */
	EXPECT_EQ(ksim_process_end(sharer, 0), 0);
	EXPECT_EQ(w->users, 1);
	EXPECT_EQ(bed_load(at), 'a');
	bed_check(b->p);
}

TEST(window, processes_that_share_memory_have_one)
{
	on_both(shared_body);
}

static void first_ends_body(struct bed *b)
{
	struct ksim_process *first = bed_process(b->m), *second, *copy;
	char *at = NULL;

	ksim_as(first) {
		at = bed_map(1, RW, MAP_PRIVATE);
		bed_store(at, 'a');
	}
	second = ksim_process_clone(first, "second", CLONE_VM);
	SETUP(second != NULL);
	EXPECT_EQ(ksim_process_end(first, 0), 0);
	EXPECT_EQ(ksim_join(first, NULL), 0);
	ksim_as(second) {
		EXPECT_EQ(bed_load(at), 'a');
		bed_store(at, 'b');
		EXPECT_EQ(bed_load(at), 'b');
	}
	bed_check(second);
	copy = ksim_process_fork(second, "copy");
	SETUP(copy != NULL);
	EXPECT(bed_window(copy) != bed_window(second));
	EXPECT_EQ(copy->kernel->window.user, second->kernel->window.user);
	ksim_as(copy)
		EXPECT_EQ(bed_load(ksim_ptr(second->kernel->window.user + (uintptr_t)at - second->kernel->window.host)),
		          'b');
	EXPECT_EQ(ksim_process_end(copy, 0), 0);
	EXPECT_EQ(ksim_process_end(second, 0), 0);
}

TEST(window, window_goes_with_the_last_process_that_has_it)
{
	on_both_outside(first_ends_body);
}

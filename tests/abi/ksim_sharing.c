// SPDX-License-Identifier: MIT
/*
 * What a real kernel does not show: that shared pages are the same frames, wherever they are mapped, and that private
 * ones are not. By pfn and by the number of mappings that ksim_translate reports.
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE };

static struct ksim_translation translate(addr_t addr)
{
	struct ksim_translation at = { 0 };

	SETUP(ksim_translate(ksim_self(), addr, &at) == 0);
	return at;
}

TEST(sharing, two_mappings_of_a_file_reuse_the_same_frame)
{
	/* One frame, two page-table entries. */
	int fd = memfd(1);
	addr_t a = map_shared(fd, 1, RW), b = map_shared(fd, 1, RW);
	struct ksim_translation first;

	st8(a, 'a');
	first = translate(a);
	/* Of a window, a fault brings in all that is there around it. */
	EXPECT_EQ(first.mappers, ABI_ACCESS == KSIM_ACCESS_NATIVE ? 2 : 1);
	EXPECT_EQ(first.page_size, PAGE);
	EXPECT_EQ(ld8(b), 'a');
	EXPECT(translate(b).pfn.n == first.pfn.n && first.pfn.n != 0);
	EXPECT_EQ(translate(a).mappers, 2);
	unmap(b, 1);
	EXPECT_EQ(translate(a).mappers, 1);
	unmap(a, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(sharing, mapping_at_another_offset_reuses_the_frames)
{
	/* Pages are shared by their index in the file, not in the mapping. */
	int fd = memfd(4);
	addr_t all = map_shared(fd, 4, RW);
	addr_t tail = x_mmap(0, 2 * PAGE, RW, MAP_SHARED, fd, 2 * PAGE);

	SETUP(tail != NO_MAPPING);
	for (addr_t i = 0; i < 4; i++)
		st8(all + i * PAGE, (uint8_t)i);
	EXPECT_EQ(ld8(tail), 2);
	EXPECT_EQ(ld8(tail + PAGE), 3);
	EXPECT_EQ(translate(tail).pfn.n, translate(all + 2 * PAGE).pfn.n);
	EXPECT_EQ(translate(tail + PAGE).pfn.n, translate(all + 3 * PAGE).pfn.n);
	EXPECT_EQ(translate(all).mappers, 1);
	EXPECT_EQ(translate(all + 2 * PAGE).mappers, 2);
	unmap(all, 4);
	unmap(tail, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(sharing, second_longer_mapping_reuses_the_frames_and_adds_the_rest)
{
	/* A file that has grown, mapped again. */
	int fd = memfd(1);
	addr_t first = map_shared(fd, 1, RW), longer;

	st8(first, '1');
	SETUP(x_ftruncate(fd, 3 * PAGE) == 0);
	longer = map_shared(fd, 3, RW);
	EXPECT_EQ(ld8(longer), '1');
	st8(longer + 2 * PAGE, '3');
	EXPECT_EQ(translate(longer).pfn.n, translate(first).pfn.n);
	EXPECT(translate(longer + 2 * PAGE).pfn.n != translate(longer).pfn.n);
	unmap(first, 1);
	unmap(longer, 3);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(sharing, page_written_by_write_is_the_frame_that_is_mapped)
{
	/* read() and write() reach the same frames without any page table. */
	int fd = memfd(0);
	addr_t map;
	uint64_t pfn;

	SETUP(x_write(fd, "w", 1) == 1);
	map = map_shared(fd, 1, RW);
	EXPECT_EQ(ld8(map), 'w');
	pfn = translate(map).pfn.n;
	EXPECT_EQ(x_pwrite(fd, "W", 1, 0), 1);
	EXPECT_EQ(ld8(map), 'W');
	EXPECT_EQ(translate(map).pfn.n, pfn);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(sharing, private_mapping_shares_the_frame_until_it_is_written)
{
	/* 56: then it has one of its own. */
	int fd = memfd(1);
	addr_t shared = map_shared(fd, 1, RW), private = map_private(fd, 1, RW);

	st8(shared, 's');
	EXPECT_EQ(ld8(private), 's');
	EXPECT_EQ(translate(private).pfn.n, translate(shared).pfn.n);
	EXPECT_EQ(translate(private).prot & PROT_WRITE, 0);
	st8(private, 'p');
	EXPECT(translate(private).pfn.n != translate(shared).pfn.n);
	EXPECT_EQ(translate(private).mappers, 1);
	EXPECT_EQ(translate(shared).mappers, 1);
	unmap(shared, 1);
	unmap(private, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(sharing, two_unrelated_processes_map_the_same_frame_at_their_own_addresses)
{
	/* Two processes that map the same file shared see each other's writes. */
	struct ksim_process *who[2] = {
		ksim_process_create(abi_machine(), "a"),
		ksim_process_create(abi_machine(), "b"),
	};
	struct ksim_translation at[2];
	addr_t map[2] = { NO_MAPPING, NO_MAPPING };
	int fd[2] = { -1, -1 };

	SETUP(who[0] != NULL && who[1] != NULL);
	ksim_as(who[0]) {
		fd[0] = memfd(2);
		map_anonymous(3, PROT_READ, MAP_PRIVATE); /* so that the addresses differ */
		map[0] = map_shared(fd[0], 2, RW);
		st8(map[0] + PAGE, '0');
	}
	fd[1] = ksim_fd_copy(who[0], fd[0], who[1]);
	SETUP(fd[1] >= 0);
	ksim_as(who[1]) {
		map[1] = map_shared(fd[1], 2, RW);
		EXPECT_EQ(ld8(map[1] + PAGE), '0');
		st8(map[1] + PAGE, '1');
	}
	ksim_as(who[0])
		EXPECT_EQ(ld8(map[0] + PAGE), '1');
	for (int i = 0; i < 2; i++)
		SETUP(ksim_translate(who[i], map[i] + PAGE, &at[i]) == 0);
	EXPECT(map[0] != map[1]);
	EXPECT_EQ(at[0].pfn.n, at[1].pfn.n);
	EXPECT_EQ(at[0].mappers, 2);
	EXPECT_EQ(ksim_process_end(who[0], 0), 0);
	SETUP(ksim_translate(who[1], map[1] + PAGE, &at[1]) == 0);
	EXPECT_EQ(at[1].mappers, 1);
	EXPECT_EQ(ksim_process_end(who[1], 0), 0);
}

TEST(sharing, fork_shares_private_frames_until_one_side_writes)
{
	/* fork(2), copy-on-write. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	struct ksim_process *child;
	struct ksim_translation at;
	uint64_t pfn;

	st8(map, 'p');
	pfn = translate(map).pfn.n;
	child = ksim_process_fork(ksim_self(), "child");
	SETUP(child != NULL && ksim_translate(child, map, &at) == 0);
	EXPECT_EQ(at.pfn.n, pfn);
	EXPECT_EQ(at.mappers, 2);
	st8(map, 'P');
	EXPECT(translate(map).pfn.n != pfn);
	SETUP(ksim_translate(child, map, &at) == 0);
	EXPECT_EQ(at.pfn.n, pfn);
	EXPECT_EQ(at.mappers, 1);
	EXPECT_EQ(ksim_process_end(child, 0), 0);
	unmap(map, 1);
}

TEST(sharing, last_owner_of_a_copied_page_reuses_the_frame)
{
	/* DESIGN: reuse in place when nobody else holds it. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	struct ksim_process *child;
	uint64_t pfn;

	st8(map, 'p');
	pfn = translate(map).pfn.n;
	child = ksim_process_fork(ksim_self(), "child");
	SETUP(child != NULL);
	EXPECT_EQ(ksim_process_end(child, 0), 0);
	st8(map, 'P');
	EXPECT_EQ(translate(map).pfn.n, pfn);
	unmap(map, 1);
}

TEST(sharing, fork_shares_frames_of_shared_memory_for_good)
{
	/* mmap(2): MAP_SHARED|MAP_ANONYMOUS. */
	addr_t map = map_anonymous(1, RW, MAP_SHARED);
	struct ksim_process *child;
	struct ksim_translation at;
	uint64_t pfn;

	st8(map, 'p');
	pfn = translate(map).pfn.n;
	child = ksim_process_fork(ksim_self(), "child");
	SETUP(child != NULL);
	ksim_as(child)
		st8(map, 'c');
	EXPECT_EQ(ld8(map), 'c');
	EXPECT_EQ(translate(map).pfn.n, pfn);
	SETUP(ksim_translate(child, map, &at) == 0);
	EXPECT_EQ(at.pfn.n, pfn);
	EXPECT_EQ(ksim_process_end(child, 0), 0);
	unmap(map, 1);
}

TEST(sharing, nothing_stands_behind_an_address_before_it_is_touched)
{
	/* ksim_translate faults nothing in: EFAULT. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);
	struct ksim_translation at;

	EXPECT_FAILS(ksim_translate(ksim_self(), map, &at), EFAULT);
	EXPECT_FAILS(ksim_translate(ksim_self(), unmapped_page(), &at), EFAULT);
	st8(map, 1);
	EXPECT_EQ(ksim_translate(ksim_self(), map, &at), 0);
	EXPECT_EQ(x_ftruncate(fd, 0), 0);
	EXPECT_FAILS(ksim_translate(ksim_self(), map, &at), EFAULT);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

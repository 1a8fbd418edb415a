// SPDX-License-Identifier: MIT
/*
 * When the pages of a memfd come to be, under both policies, and what happens when RAM or fds run out. Each test boots
 * a small machine beside the one that every test has: two machines share nothing.
 *
 * KSIM_COMMIT_ON_TRUNCATE, the default: growing by ftruncate is ftruncate followed by fallocate of the new part, all or
 * nothing. KSIM_COMMIT_ON_TOUCH: Linux's sparse files.
 */
#include "abi.h"

enum {
	RW = PROT_READ | PROT_WRITE,
	RAM = 4 << 20,
	MOST = RAM / PAGE * 3 / 4, /* pages that fit into RAM beside the page tables */
	BLOCKS = PAGE / 512,       /* of st_blocks in a page */
	TIMES = 5,                 /* often enough that a leak of what fits in would run out */
};

static struct ksim_machine *small;

static struct ksim_process *boot(struct ksim_config config)
{
	struct ksim_process *p;

	config.ram_bytes = RAM;
	config.arch = abi_arch();
	config.access = ABI_ACCESS;
	small = ksim_boot(&config);
	SETUP(small != NULL);
	p = ksim_process_create(small, "small");
	SETUP(p != NULL);
	return p;
}

static void halt(void)
{
	EXPECT_EQ(ksim_check(small), 0);
	EXPECT_EQ(ksim_halt(small), 0);
}

static long blocks_of(int fd)
{
	struct stat st;

	SETUP(x_fstat(fd, &st) == 0);
	return (long)st.st_blocks;
}

/* On truncate. */

TEST(commit, ftruncate_allocates_zeroed_pages_and_sets_the_size)
{
	/* DESIGN, decision 7. */
	ksim_as(boot((struct ksim_config){ 0 })) {
		int fd = memfd(0);

		EXPECT_EQ(x_ftruncate(fd, 10 * PAGE), 0);
		EXPECT_EQ(size_of(fd), 10 * PAGE);
		EXPECT_EQ(blocks_of(fd), 10 * BLOCKS);
		EXPECT_EQ(byte_at(fd, 10 * PAGE - 1), 0);
		EXPECT_EQ(x_ftruncate(fd, 2 * PAGE + 1), 0);
		EXPECT_EQ(blocks_of(fd), 3 * BLOCKS);
		EXPECT_EQ(x_close(fd), 0);
	}
	halt();
}

TEST(commit, ftruncate_beyond_RAM_fails_ENOMEM_and_changes_nothing)
{
	/* All or nothing: size, pages and data are as they were, and what was taken has been given back. */
	ksim_as(boot((struct ksim_config){ 0 })) {
		int fd = memfd(2);

		EXPECT_EQ(x_pwrite(fd, "d", 1, PAGE), 1);
		for (int i = 0; i < TIMES; i++)
			EXPECT_FAILS(x_ftruncate(fd, 2 * RAM), ENOMEM);
		EXPECT_EQ(size_of(fd), 2 * PAGE);
		EXPECT_EQ(blocks_of(fd), 2 * BLOCKS);
		EXPECT_EQ(byte_at(fd, PAGE), 'd');
		EXPECT_EQ(x_ftruncate(fd, MOST * PAGE), 0);
		EXPECT_EQ(x_close(fd), 0);
	}
	halt();
}

TEST(commit, shrinking_and_closing_give_the_pages_back)
{
	/* Again and again as much as RAM can hold. */
	ksim_as(boot((struct ksim_config){ 0 })) {
		int fd = memfd(0);

		for (int i = 0; i < TIMES; i++) {
			EXPECT_EQ(x_ftruncate(fd, MOST * PAGE), 0);
			EXPECT_EQ(x_ftruncate(fd, 0), 0);
		}
		EXPECT_EQ(x_close(fd), 0);
		for (int i = 0; i < TIMES; i++) {
			fd = memfd(MOST);
			EXPECT_EQ(x_close(fd), 0);
		}
	}
	halt();
}

TEST(commit, mapping_a_truncated_file_allocates_no_further_page_of_it)
{
	/* Shared pages are reused, not duplicated: three mappings of most of RAM fit. */
	ksim_as(boot((struct ksim_config){ 0 })) {
		int fd = memfd(MOST);
		addr_t maps[3];

		for (int i = 0; i < 3; i++) {
			maps[i] = map_shared(fd, MOST, RW);
			for (addr_t page = 0; page < MOST; page++)
				st8(maps[i] + page * PAGE, (uint8_t)page);
		}
		EXPECT_EQ(blocks_of(fd), (long)MOST * BLOCKS);
		for (int i = 0; i < 3; i++)
			unmap(maps[i], MOST);
		EXPECT_EQ(x_close(fd), 0);
	}
	halt();
}

TEST(commit, fallocate_beyond_RAM_fails_ENOMEM_and_changes_nothing)
{
	/* fallocate(2), under either policy. */
	for (int policy = 0; policy < 2; policy++) {
		ksim_as(boot((struct ksim_config){ .commit = (enum ksim_commit)policy })) {
			int fd = memfd(1);

			for (int i = 0; i < TIMES; i++)
				EXPECT_FAILS(x_fallocate(fd, 0, 0, 2 * RAM), ENOMEM);
			EXPECT_EQ(size_of(fd), PAGE);
			EXPECT_EQ(x_fallocate(fd, 0, 0, MOST * PAGE), 0);
			EXPECT_EQ(x_close(fd), 0);
		}
		halt();
	}
}

/* On touch. */

TEST(commit, sparse_ftruncate_allocates_nothing_and_may_exceed_RAM)
{
	/* As on Linux. */
	ksim_as(boot((struct ksim_config){ .commit = KSIM_COMMIT_ON_TOUCH })) {
		int fd = memfd(0);

		EXPECT_EQ(x_ftruncate(fd, 100 * RAM), 0);
		EXPECT_EQ(blocks_of(fd), 0);
		EXPECT_EQ(x_pwrite(fd, "x", 1, 99 * RAM), 1);
		EXPECT_EQ(blocks_of(fd), BLOCKS);
		EXPECT_EQ(x_close(fd), 0);
	}
	halt();
}

TEST(commit, write_without_a_frame_left_fails_ENOMEM_and_recovers)
{
	/* Exhaustion is an errno. */
	static const char page[PAGE];

	ksim_as(boot((struct ksim_config){ .commit = KSIM_COMMIT_ON_TOUCH })) {
		int fd = memfd(0);
		ssize_t n = PAGE;

		for (int i = 0; i < RAM / PAGE && n == PAGE; i++)
			n = x_write(fd, page, PAGE);
		EXPECT_EQ(n, -1);
		EXPECT_EQ(errno, ENOMEM);
		EXPECT_EQ(x_ftruncate(fd, 0), 0);
		EXPECT_EQ(x_pwrite(fd, page, PAGE, 0), PAGE);
		EXPECT_EQ(x_close(fd), 0);
	}
	halt();
}

static int touches_more_than_RAM(void *arg)
{
	/* NORESERVE: the heuristic of overcommit refuses a single mapping larger than RAM. */
	addr_t map = map_anonymous(2 * RAM / PAGE, RW, MAP_PRIVATE | MAP_NORESERVE);

	(void)arg;
	for (addr_t page = 0; page < 2 * RAM / PAGE; page++)
		st8(map + page * PAGE, 1);
	return 0;
}

TEST(commit, touch_without_a_frame_left_kills_the_process_alone)
{
	/* DESIGN, decision 7: as Linux's OOM killer would; its memory comes back to the others. */
	struct ksim_process *survivor = boot((struct ksim_config){ 0 });
	struct ksim_process *hog = ksim_process_create(small, "hog");
	struct ksim_end end;

	SETUP(hog != NULL);
	EXPECT_EQ(ksim_run(hog, touches_more_than_RAM, NULL, &end), 0);
	EXPECT_MSG(!end.alive && end.signo == SIGKILL, "%s", end.text);
	ksim_as(survivor) {
		int fd = memfd(MOST);

		EXPECT_EQ(x_close(fd), 0);
	}
	halt();
}

/* fds. */

TEST(commit, fd_limit_of_the_machine_is_its_processes_limit)
{
	/* EMFILE at the configured number, and everything given back. */
	ksim_as(boot((struct ksim_config){ .fd_limit = 8 })) {
		int fds[8];

		for (int i = 0; i < TIMES; i++) {
			for (int n = 0; n < 8; n++) {
				fds[n] = memfd(1);
				EXPECT_EQ(fds[n], n);
			}
			EXPECT_FAILS(x_memfd_create("ninth", 0), EMFILE);
			EXPECT_FAILS(x_dup(fds[0]), EMFILE);
			for (int n = 0; n < 8; n++)
				EXPECT_EQ(x_close(fds[n]), 0);
		}
	}
	halt();
}

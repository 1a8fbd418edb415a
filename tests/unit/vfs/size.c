// SPDX-License-Identifier: MIT
/*
 * ftruncate and fallocate of a memfd, under both commit policies.
 */
#include "bed.h"

TEST(size, truncate_growth_allocates_as_the_policy_says)
{
	/* COMMIT_ON_TRUNCATE: ftruncate, then fallocate of [old size, new size); the page with the old end included. */
	static const struct {
		uint64_t from, to;
		uint64_t pages; /* present after it under COMMIT_ON_TRUNCATE, from a file with none */
	} cases[] = {
		{ 0, 1, 1 },      { 0, 4096, 1 },  { 0, 4097, 2 },   { 4096, 8192, 1 },
		{ 100, 4096, 1 }, { 100, 200, 1 }, { 100, 4097, 2 }, { 3 * 4096 + 1, 10 * 4096, 7 },
		{ 0, 0, 0 },
	};

	for (int policy = COMMIT_ON_TRUNCATE; policy <= COMMIT_ON_TOUCH; policy++) {
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			struct bed bed;
			struct file *file;

			bed_open(&bed, COMMIT_ON_TOUCH);
			file = bed_memfd(&bed, 0, cases[i].from);
			bed.env.commit = (enum commit_policy)policy;
			EXPECT_EQ(vfs_truncate(&bed.ctx, file, (int64_t)cases[i].to), 0);
			EXPECT_EQ(size_of(&bed, file), cases[i].to);
			EXPECT_EQ(blocks_of(&bed, file), policy == COMMIT_ON_TRUNCATE ? cases[i].pages * 8 : 0);
			EXPECT_EQ(owners_total(&bed.env.owners, CENSUS_FRAME), blocks_of(&bed, file) / 8);
			expect_sound_file(&bed, file);
			file_put(&bed.ctx, file);
			bed_close(&bed);
		}
	}
}

TEST(size, shrink_gives_pages_back_and_growth_shows_zeros)
{
	/* 52. */
	for (int policy = COMMIT_ON_TRUNCATE; policy <= COMMIT_ON_TOUCH; policy++) {
		struct bed bed;
		struct file *file;
		char data[200], zeros[200] = { 0 };

		bed_open(&bed, (enum commit_policy)policy);
		file = bed_memfd(&bed, 0, 3 * 4096);
		memset(data, 'd', sizeof(data));
		for (int64_t at = 0; at < 3 * 4096; at += 4096)
			EXPECT_EQ(do_pwrite(&bed, file, data, sizeof(data), at), 200);
		EXPECT_EQ(blocks_of(&bed, file), 24);
		EXPECT_EQ(vfs_truncate(&bed.ctx, file, 4096 + 50), 0);
		EXPECT_EQ(blocks_of(&bed, file), 16);
		EXPECT_EQ(vfs_truncate(&bed.ctx, file, 3 * 4096), 0);
		EXPECT_EQ(blocks_of(&bed, file), policy == COMMIT_ON_TRUNCATE ? 24 : 16);
		EXPECT_EQ(do_pread(&bed, file, data, sizeof(data), 4096 + 50), 200);
		EXPECT_MEMEQ(data, zeros, sizeof(zeros));
		EXPECT_EQ(do_pread(&bed, file, data, sizeof(data), 2 * 4096), 200);
		EXPECT_MEMEQ(data, zeros, sizeof(zeros));
		EXPECT_EQ(do_pread(&bed, file, data, 1, 4096 + 49), 1);
		EXPECT_EQ(data[0], 'd');
		EXPECT_EQ(vfs_truncate(&bed.ctx, file, 0), 0);
		EXPECT_EQ(blocks_of(&bed, file), 0);
		file_put(&bed.ctx, file);
		bed_close(&bed);
	}
}

TEST(size, truncate_beyond_ram_fails_ENOMEM_and_changes_nothing)
{
	static const int64_t sizes[] = { 600 * 4096, INT64_C(1) << 40, INT64_MAX - 1, INT64_MAX };
	struct bed bed;
	struct file *file;
	struct census before, now;

	bed_open(&bed, COMMIT_ON_TRUNCATE);
	file = bed_memfd(&bed, 0, 5000);
	before = census_now(&bed);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(vfs_truncate(&bed.ctx, file, sizes[i]), -ENOMEM);
		EXPECT_EQ(size_of(&bed, file), 5000);
		EXPECT_EQ(vfs_fallocate(&bed.ctx, file, 0, 0, sizes[i]), -ENOMEM);
		EXPECT_EQ(size_of(&bed, file), 5000);
		now = census_now(&bed);
		expect_same_census(&before, &now);
	}
	bed.env.commit = COMMIT_ON_TOUCH;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(vfs_truncate(&bed.ctx, file, sizes[i]), 0);
		EXPECT_EQ(size_of(&bed, file), sizes[i]);
	}
	EXPECT_EQ(vfs_truncate(&bed.ctx, file, 5000), 0);
	now = census_now(&bed);
	expect_same_census(&before, &now);
	expect_sound_file(&bed, file);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(size, truncate_to_a_negative_size_fails_EINVAL)
{
	/* 58. */
	struct bed bed;
	struct file *file, *reader;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 10);
	reader = bed_reopen(&bed, file, FILE_RDONLY);
	EXPECT_EQ(vfs_truncate(&bed.ctx, file, -1), -EINVAL);
	EXPECT_EQ(vfs_truncate(&bed.ctx, file, INT64_MIN), -EINVAL);
	EXPECT_EQ(vfs_truncate(&bed.ctx, reader, 5), -EINVAL);
	EXPECT_EQ(size_of(&bed, file), 10);
	file_put(&bed.ctx, reader);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(size, fallocate_allocates_its_range_and_grows)
{
	for (int policy = COMMIT_ON_TRUNCATE; policy <= COMMIT_ON_TOUCH; policy++) {
		struct bed bed;
		struct file *file;

		bed_open(&bed, (enum commit_policy)policy);
		file = bed_memfd(&bed, 0, 0);
		EXPECT_EQ(vfs_fallocate(&bed.ctx, file, 0, 5, 1), 0);
		EXPECT_EQ(size_of(&bed, file), 6);
		EXPECT_EQ(blocks_of(&bed, file), 8);
		EXPECT_EQ(vfs_fallocate(&bed.ctx, file, 0, 4095, 2), 0);
		EXPECT_EQ(size_of(&bed, file), 4097);
		EXPECT_EQ(blocks_of(&bed, file), 16);
		EXPECT_EQ(vfs_fallocate(&bed.ctx, file, 0, 0, 1), 0);
		EXPECT_EQ(size_of(&bed, file), 4097);
		EXPECT_EQ(vfs_fallocate(&bed.ctx, file, 0, 9 * 4096, 4096), 0); /* a hole stays before it */
		EXPECT_EQ(size_of(&bed, file), 10 * 4096);
		EXPECT_EQ(blocks_of(&bed, file), 24);
		expect_sound_file(&bed, file);
		file_put(&bed.ctx, file);
		bed_close(&bed);
	}
}

TEST(size, fallocate_checks_in_linux_order)
{
	/* Measured: range, mode unknown, access, end, mode unsupported. */
	static const struct {
		bool writer;
		int mode;
		int64_t offset, length;
		int result;
	} cases[] = {
		{ true, 0, 0, 0, -EINVAL },
		{ true, 0, -1, 1, -EINVAL },
		{ true, 0, 0, -1, -EINVAL },
		{ true, 0x1000, 0, 0, -EINVAL },
		{ true, 0x1000, 0, 1, -EOPNOTSUPP },
		{ true, FALLOC_FL_PUNCH_HOLE, 0, 1, -EOPNOTSUPP },
		{ true, 4, 0, 1, -EOPNOTSUPP },
		{ true, FALLOC_FL_COLLAPSE_RANGE, 0, 4096, -EOPNOTSUPP },
		{ true, FALLOC_FL_ZERO_RANGE, 0, 4096, -EOPNOTSUPP },
		{ true, FALLOC_FL_INSERT_RANGE, 0, 4096, -EOPNOTSUPP },
		{ true, FALLOC_FL_UNSHARE_RANGE, 0, 4096, -EOPNOTSUPP },
		{ true, 0, INT64_MAX, 1, -EFBIG },
		{ true, FALLOC_FL_ZERO_RANGE, INT64_MAX, 1, -EFBIG },
		{ false, 0, 0, 0, -EINVAL },
		{ false, 0x1000, 0, 1, -EOPNOTSUPP },
		{ false, FALLOC_FL_PUNCH_HOLE, 0, 1, -EOPNOTSUPP },
		{ false, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1, -EBADF },
		{ false, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1, -EOPNOTSUPP },
		{ false, FALLOC_FL_COLLAPSE_RANGE, 0, 1, -EBADF },
		{ false, 0x80, 0, 1, -EBADF },
		{ false, 0, 0, 1, -EBADF },
		{ false, 0, INT64_MAX, 1, -EBADF },
	};
	struct bed bed;
	struct file *writer, *reader;

	bed_open(&bed, COMMIT_ON_TOUCH);
	writer = bed_memfd(&bed, 0, 0);
	reader = bed_reopen(&bed, writer, FILE_RDONLY);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int result = vfs_fallocate(&bed.ctx, cases[i].writer ? writer : reader, cases[i].mode, cases[i].offset,
		                           cases[i].length);

		EXPECT_MSG(result == cases[i].result, "case %zu: %d, not %d", i, result, cases[i].result);
	}
	EXPECT_EQ(size_of(&bed, writer), 0);
	EXPECT_EQ(blocks_of(&bed, writer), 0);
	file_put(&bed.ctx, reader);
	file_put(&bed.ctx, writer);
	bed_close(&bed);
}

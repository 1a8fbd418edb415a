// SPDX-License-Identifier: MIT
/*
 * Seals: who may add them, what each forbids, and how they meet mappings.
 */
#include "bed.h"

enum { R = 1, W = 2, X = 4 };

TEST(seal, add_checks_in_linux_order)
{
	/* 14 to 16. */
	struct bed bed;
	struct file *file, *reader, *unsealable;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, MEMFD_ALLOW_SEALING, 10);
	reader = bed_reopen(&bed, file, FILE_RDONLY);
	unsealable = bed_memfd(&bed, 0, 10);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, reader, 0x40), -EPERM);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, 0x40), -EINVAL);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_GROW | 0x80), -EINVAL);
	EXPECT_EQ(vfs_get_seals(&bed.ctx, file), 0);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, 0), 0);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_SHRINK), 0);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_SHRINK), 0);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_GROW), 0);
	EXPECT_EQ(vfs_get_seals(&bed.ctx, reader), F_SEAL_SHRINK | F_SEAL_GROW); /* 18 */
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_SEAL), 0);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, 0), -EPERM);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_GROW), -EPERM);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, unsealable, 0x40), -EINVAL);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, unsealable, 0), -EPERM); /* 7 */
	file_put(&bed.ctx, reader);
	file_put(&bed.ctx, file);
	file_put(&bed.ctx, unsealable);
	bed_close(&bed);
}

TEST(seal, write_with_a_writing_mapping_fails_EBUSY_and_adds_none)
{
	/* 19, 20. */
	struct bed bed;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, MEMFD_ALLOW_SEALING, 10);
	EXPECT_EQ(object_writer_get(file->inode->object), 0);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL), -EBUSY);
	EXPECT_EQ(vfs_get_seals(&bed.ctx, file), 0);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_SHRINK), 0);
	object_writer_put(file->inode->object);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_WRITE), 0);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_WRITE), 0);
	EXPECT_EQ(object_writer_get(file->inode->object), -EPERM);
	expect_sound_file(&bed, file);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(seal, write_forbids_content_and_allows_size)
{
	/* 24, 25. */
	struct bed bed;
	struct file *file;
	char byte = 0;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, MEMFD_ALLOW_SEALING, 100);
	EXPECT_EQ(do_pwrite(&bed, file, "a", 1, 0), 1);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_WRITE), 0);
	EXPECT_EQ(do_write(&bed, file, "b", 0), 0);
	EXPECT_EQ(do_write(&bed, file, "b", 1), -EPERM);
	EXPECT_EQ(do_pwrite(&bed, file, "b", 1, 1000), -EPERM);
	EXPECT_EQ(do_pwrite(&bed, file, "b", 1, -1), -EINVAL);
	EXPECT_EQ(do_pwrite_bad(&bed, file, 1, 0), -EPERM);
	EXPECT_EQ(do_pread(&bed, file, &byte, 1, 0), 1);
	EXPECT_EQ(byte, 'a');
	EXPECT_EQ(vfs_truncate(&bed.ctx, file, 200), 0);
	EXPECT_EQ(vfs_truncate(&bed.ctx, file, 50), 0);
	EXPECT_EQ(vfs_fallocate(&bed.ctx, file, 0, 0, 5000), 0);
	EXPECT_EQ(size_of(&bed, file), 5000);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(seal, shrink_and_grow_forbid_their_direction)
{
	/* 32, 33; the seal is judged before memory runs out. */
	for (int policy = COMMIT_ON_TRUNCATE; policy <= COMMIT_ON_TOUCH; policy++) {
		struct bed bed;
		struct file *shrink, *grow;

		bed_open(&bed, (enum commit_policy)policy);
		shrink = bed_memfd(&bed, MEMFD_ALLOW_SEALING, 100);
		EXPECT_EQ(vfs_add_seals(&bed.ctx, shrink, F_SEAL_SHRINK), 0);
		EXPECT_EQ(vfs_truncate(&bed.ctx, shrink, 99), -EPERM);
		EXPECT_EQ(vfs_truncate(&bed.ctx, shrink, 100), 0);
		EXPECT_EQ(vfs_truncate(&bed.ctx, shrink, 101), 0);
		EXPECT_EQ(size_of(&bed, shrink), 101);
		grow = bed_memfd(&bed, MEMFD_ALLOW_SEALING, 4196);
		EXPECT_EQ(vfs_add_seals(&bed.ctx, grow, F_SEAL_GROW), 0);
		EXPECT_EQ(vfs_truncate(&bed.ctx, grow, 4197), -EPERM);
		EXPECT_EQ(vfs_truncate(&bed.ctx, grow, INT64_MAX), -EPERM);
		EXPECT_EQ(vfs_fallocate(&bed.ctx, grow, 0, 0, 4197), -EPERM);
		EXPECT_EQ(vfs_fallocate(&bed.ctx, grow, 0, 0, INT64_MAX), -EPERM);
		EXPECT_EQ(vfs_fallocate(&bed.ctx, grow, 0, 0, 4196), 0);
		EXPECT_EQ(vfs_truncate(&bed.ctx, grow, 4196), 0);
		EXPECT_EQ(vfs_truncate(&bed.ctx, grow, 4096), 0);
		EXPECT_EQ(vfs_truncate(&bed.ctx, grow, 4097), -EPERM);
		file_put(&bed.ctx, shrink);
		file_put(&bed.ctx, grow);
		bed_close(&bed);
	}
}

TEST(seal, grow_cuts_a_write_at_the_last_whole_page)
{
	/* 34, measured on 6.18; before, a write that reaches beyond the end is EPERM as a whole. */
	static const struct {
		uint64_t size;
		int64_t offset;
		size_t n;
		ssize_t partial, whole; /* results */
	} cases[] = {
		{ 4196, 0, 8192, 4096, -EPERM },     { 4196, 4090, 10, 10, 10 },
		{ 4196, 4096, 110, -EPERM, -EPERM }, { 4196, 4092, 104, 104, 104 },
		{ 4196, 4092, 105, 4, -EPERM },      { 4196, 4096, 100, 100, 100 },
		{ 4196, 4196, 1, -EPERM, -EPERM },   { 4196, 9000, 1, -EPERM, -EPERM },
		{ 4096, 0, 8192, 4096, -EPERM },     { 4096, 4095, 2, 1, -EPERM },
		{ 4096, 4096, 1, -EPERM, -EPERM },   { 12288, 100, 16384, 12188, -EPERM },
		{ 100, 0, 101, -EPERM, -EPERM },     { 0, 0, 1, -EPERM, -EPERM },
	};
	static char data[16384];
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		size_t c = i / 2;
		struct file *file = bed_memfd(&bed, MEMFD_ALLOW_SEALING, cases[c].size);
		ssize_t n, expected = i % 2 ? cases[c].partial : cases[c].whole;

		bed.env.profile.seal_grow_partial_write = i % 2;
		EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_GROW), 0);
		n = do_pwrite(&bed, file, data, cases[c].n, cases[c].offset);
		EXPECT_MSG(n == expected, "case %zu, partial %d: %zd, not %zd", c, (int)(i % 2), n, expected);
		EXPECT_EQ(size_of(&bed, file), cases[c].size);
		file_put(&bed.ctx, file);
		ctx_drain(&bed.ctx);
	}
	bed_close(&bed);
}

TEST(seal, grow_forbids_appending_and_keeps_the_offset)
{
	struct bed bed;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, MEMFD_ALLOW_SEALING, 4096);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, F_SEAL_GROW), 0);
	EXPECT_EQ(vfs_set_flags(&bed.ctx, file, FILE_APPEND), 0);
	EXPECT_EQ(do_pwrite(&bed, file, "a", 1, 0), -EPERM);
	EXPECT_EQ(vfs_lseek(&bed.ctx, file, 100, SEEK_SET), 100);
	EXPECT_EQ(do_write(&bed, file, "a", 1), -EPERM);
	EXPECT_EQ(vfs_lseek(&bed.ctx, file, 0, SEEK_CUR), 100);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(seal, map_allows_what_mode_and_seals_allow)
{
	/* 22, 23, 26, 27, 40, 42: mode, write-sealed, kernel from 6.13, prot, shared -> result, max_prot, demote. */
	static const struct {
		uint32_t mode;
		bool sealed, recent;
		unsigned prot;
		bool shared;
		int result;
		unsigned max_prot;
		bool demote;
	} cases[] = {
		{ FILE_RDWR, false, true, R, true, 0, R | W | X, true },
		{ FILE_RDWR, false, true, R | W, true, 0, R | W | X, false },
		{ FILE_RDWR, false, true, 0, true, 0, R | W | X, true },
		{ FILE_RDWR, false, true, R | W | X, false, 0, R | W | X, false },
		{ FILE_RDWR, false, false, R, true, 0, R | W | X, false },
		{ FILE_RDONLY, false, true, R, true, 0, R | X, false },
		{ FILE_RDONLY, false, true, R | W, true, -EACCES, 0, false },
		{ FILE_RDONLY, false, true, W, true, -EACCES, 0, false },
		{ FILE_RDONLY, false, true, R | W, false, 0, R | W | X, false },
		{ FILE_WRONLY, false, true, 0, true, -EACCES, 0, false },
		{ FILE_WRONLY, false, true, W, true, -EACCES, 0, false },
		{ FILE_WRONLY, false, true, 0, false, -EACCES, 0, false },
		{ 3, false, true, 0, false, -EACCES, 0, false },
		{ FILE_RDWR, true, true, R | W, true, -EPERM, 0, false },
		{ FILE_RDWR, true, true, R, true, 0, R | X, true },
		{ FILE_RDWR, true, true, R | X, true, 0, R | X, true },
		{ FILE_RDWR, true, true, R | W, false, 0, R | W | X, false },
		{ FILE_RDWR, true, false, R, true, -EPERM, 0, false },
		{ FILE_RDWR, true, false, R | W, true, -EPERM, 0, false },
		{ FILE_RDWR, true, false, R | W, false, 0, R | W | X, false },
		{ FILE_RDONLY, true, false, R, true, 0, R | X, false },
		{ FILE_RDONLY, true, true, W, true, -EACCES, 0, false },
	};
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct file *first = bed_memfd(&bed, MEMFD_ALLOW_SEALING, 10);
		struct file *file = bed_reopen(&bed, first, cases[i].mode);
		struct vfs_mapping m = { 0 };
		int result;

		bed.env.profile.write_sealed_map_shared_ro = cases[i].recent;
		if (cases[i].sealed)
			EXPECT_EQ(vfs_add_seals(&bed.ctx, first, F_SEAL_WRITE), 0);
		result = vfs_map(&bed.ctx, file, cases[i].prot, cases[i].shared, &m);
		EXPECT_MSG(result == cases[i].result, "case %zu: %d, not %d", i, result, cases[i].result);
		if (result == 0) {
			EXPECT_MSG(m.max_prot == cases[i].max_prot && m.demote == cases[i].demote,
			           "case %zu: max_prot %d, demote %d", i, m.max_prot, m.demote);
			EXPECT(m.object == file->inode->object && m.backing == &file->backing);
		}
		EXPECT_EQ(ref_count(&file->ref), 1); /* all borrowed */
		file_put(&bed.ctx, file);
		file_put(&bed.ctx, first);
		ctx_drain(&bed.ctx);
	}
	bed_close(&bed);
}

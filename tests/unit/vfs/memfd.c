// SPDX-License-Identifier: MIT
/*
 * A memfd as a file: creation, read and write at every edge, lseek, stat and its times. Sizes are in size.c.
 */
#include "bed.h"

static struct file *create(struct bed *bed, const char *name, unsigned flags, int expected)
{
	struct file *file = NULL;

	EXPECT_EQ(memfd_create_file(&bed->ctx, name, flags, &file), expected);
	return file;
}

TEST(memfd, create_judges_flags_and_name)
{
	/* 1 to 4. */
	struct bed bed;
	char name[251];

	bed_open(&bed, COMMIT_ON_TOUCH);
	memset(name, 'n', sizeof(name));
	name[250] = '\0';
	create(&bed, name, 0, -EINVAL);
	name[249] = '\0';
	file_put(&bed.ctx, create(&bed, name, 0, 0));
	file_put(&bed.ctx, create(&bed, "", 0, 0));
	file_put(&bed.ctx, create(&bed, "/a/b/", MEMFD_CLOEXEC | MEMFD_ALLOW_SEALING | MEMFD_EXEC, 0));
	create(&bed, "x", 0x20, -EINVAL);
	create(&bed, "x", MEMFD_EXEC | MEMFD_NOEXEC_SEAL, -EINVAL);
	file_put(&bed.ctx, create(&bed, "x", MEMFD_NOEXEC_SEAL, 0));
	create(&bed, "x", 21u << 26, -EINVAL);
	create(&bed, "x", MEMFD_HUGETLB | 30u << 26, -ENODEV);
	file_put(&bed.ctx, create(&bed, "x", MEMFD_HUGETLB | 21u << 26, 0));
	create(&bed, "x", MEMFD_HUGETLB | 0x20, -EINVAL);
	bed_close(&bed);
}

TEST(memfd, new_file_is_empty_and_unlinked)
{
	/* 6. */
	struct bed bed;
	struct file *a, *b;
	struct kstat st, other;

	bed_open(&bed, COMMIT_ON_TRUNCATE);
	a = create(&bed, "a", 0, 0);
	b = create(&bed, "b", 0, 0);
	vfs_stat(&bed.ctx, a, &st);
	vfs_stat(&bed.ctx, b, &other);
	EXPECT_EQ(st.dev, 1);
	EXPECT(st.ino != 0 && st.ino != other.ino);
	EXPECT_EQ(st.mode, S_IFREG | 0777);
	EXPECT_EQ(st.nlink, 0);
	EXPECT_EQ(st.size, 0);
	EXPECT_EQ(st.blocks, 0);
	EXPECT_EQ(st.blksize, 4096);
	EXPECT_EQ(st.rdev, 0);
	EXPECT(st.atime_ns == st.mtime_ns && st.mtime_ns == st.ctime_ns && st.atime_ns > 0);
	EXPECT_EQ(vfs_get_seals(&bed.ctx, a), F_SEAL_SEAL);
	EXPECT_STREQ(a->origin.call, "test");
	file_put(&bed.ctx, a);
	file_put(&bed.ctx, b);
	bed_close(&bed);
}

TEST(memfd, read_and_write_move_the_shared_offset)
{
	struct bed bed;
	struct file *file;
	char text[8] = "";

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 0);
	EXPECT_EQ(do_write(&bed, file, "abc", 3), 3);
	EXPECT_EQ(do_write(&bed, file, "def", 3), 3);
	EXPECT_EQ(do_pread(&bed, file, text, 8, 0), 6);
	EXPECT_STREQ(text, "abcdef");
	EXPECT_EQ(do_pwrite(&bed, file, "X", 1, 1), 1);
	EXPECT_EQ(do_read(&bed, file, text, 1), 0); /* neither moved the offset */
	EXPECT_EQ(vfs_lseek(&bed.ctx, file, 1, SEEK_SET), 1);
	EXPECT_EQ(do_read(&bed, file, text, 8), 5);
	EXPECT_MEMEQ(text, "Xcdef", 5);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(memfd, write_beyond_end_leaves_zeros_between)
{
	struct bed bed;
	struct file *file;
	char page[64], zeros[64] = { 0 };

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 0);
	EXPECT_EQ(do_pwrite(&bed, file, "z", 1, 3 * 4096 + 64), 1);
	EXPECT_EQ(size_of(&bed, file), 3 * 4096 + 65);
	EXPECT_EQ(blocks_of(&bed, file), 8);
	EXPECT_EQ(do_pread(&bed, file, page, sizeof(page), 3 * 4096), 64);
	EXPECT_MEMEQ(page, zeros, sizeof(zeros));
	EXPECT_EQ(do_pread(&bed, file, page, sizeof(page), 4096), 64);
	EXPECT_MEMEQ(page, zeros, sizeof(zeros));
	EXPECT_EQ(blocks_of(&bed, file), 8); /* 61: reading a hole allocates nothing */
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(memfd, transfers_at_the_largest_offset)
{
	/* Measured: an end past INT64_MAX is EINVAL before anything else, but no bytes always go. */
	struct bed bed;
	struct file *file;
	char byte = 0;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 4096);
	EXPECT_EQ(do_pread(&bed, file, &byte, 1, -1), -EINVAL);
	EXPECT_EQ(do_pread(&bed, file, &byte, 1, INT64_MAX), -EINVAL);
	EXPECT_EQ(do_pread(&bed, file, &byte, 1, INT64_MAX - 1), 0);
	EXPECT_EQ(do_pread(&bed, file, &byte, 0, INT64_MAX), 0);
	EXPECT_EQ(do_pwrite(&bed, file, "a", 1, INT64_MAX), -EINVAL);
	EXPECT_EQ(do_pwrite(&bed, file, "a", 0, INT64_MAX), 0);
	EXPECT_EQ(do_pwrite(&bed, file, "ab", 2, INT64_MAX - 1), -EINVAL);
	EXPECT_EQ(do_pwrite(&bed, file, "a", 1, INT64_MAX - 1), 1);
	EXPECT_EQ(size_of(&bed, file), INT64_MAX);
	EXPECT_EQ(do_pread(&bed, file, &byte, 1, INT64_MAX - 1), 1);
	EXPECT_EQ(byte, 'a');
	EXPECT_EQ(vfs_set_flags(&bed.ctx, file, FILE_APPEND), 0);
	EXPECT_EQ(do_write(&bed, file, "b", 1), -EFBIG);
	EXPECT_EQ(do_write(&bed, file, "b", 0), 0);
	EXPECT_EQ(vfs_truncate(&bed.ctx, file, 0), 0);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(memfd, append_is_cut_at_the_largest_size)
{
	struct bed bed;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, INT64_MAX - 1);
	EXPECT_EQ(vfs_set_flags(&bed.ctx, file, FILE_APPEND), 0);
	EXPECT_EQ(do_write(&bed, file, "abcde", 5), 1);
	EXPECT_EQ(vfs_lseek(&bed.ctx, file, 0, SEEK_CUR), INT64_MAX);
	EXPECT_EQ(do_write(&bed, file, "b", 1), -EINVAL);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(memfd, append_ignores_every_offset)
{
	/* 41. */
	struct bed bed;
	struct file *file;
	char text[8] = "";

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 0);
	EXPECT_EQ(vfs_set_flags(&bed.ctx, file, FILE_APPEND), 0);
	EXPECT_EQ(do_pwrite(&bed, file, "abc", 3, 0), 3);
	EXPECT_EQ(do_pwrite(&bed, file, "def", 3, 0), 3);
	EXPECT_EQ(vfs_lseek(&bed.ctx, file, 0, SEEK_CUR), 0);
	EXPECT_EQ(do_write(&bed, file, "g", 1), 1);
	EXPECT_EQ(vfs_lseek(&bed.ctx, file, 0, SEEK_CUR), 7);
	EXPECT_EQ(do_pread(&bed, file, text, 8, 0), 7);
	EXPECT_STREQ(text, "abcdefg");
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(memfd, bad_buffers_fail_EFAULT_and_move_nothing)
{
	struct bed bed;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 4096);
	EXPECT_EQ(do_pread_bad(&bed, file, 1, 0), -EFAULT);
	EXPECT_EQ(do_pread_bad(&bed, file, 1, 4096), 0);
	EXPECT_EQ(blocks_of(&bed, file), 0);
	EXPECT_EQ(do_pwrite_bad(&bed, file, 1, 0), -EFAULT);
	EXPECT_EQ(size_of(&bed, file), 4096);
	EXPECT_EQ(do_pwrite_bad(&bed, file, 1, 10000), -EFAULT);
	EXPECT_EQ(do_pwrite_bad(&bed, file, 0, 0), 0);
	EXPECT_EQ(size_of(&bed, file), 10000); /* as Linux has it: up to where it was to begin */
	EXPECT_EQ(blocks_of(&bed, file), 16);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(memfd, a_transfer_stops_at_the_first_bad_buffer)
{
	struct bed bed;
	struct file *file;
	struct uio uio;
	struct uio_seg segs[2] = { { uptr_from("0123456789"), 10 }, { uptr_user(FORBIDDEN_USER_ADDRESS), 10 } };

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 0);
	uio_init(&uio, segs, 2);
	EXPECT_EQ(vfs_write(&bed.ctx, file, &uio), 10);
	EXPECT_EQ(uio.resid, 10);
	EXPECT_EQ(vfs_lseek(&bed.ctx, file, 0, SEEK_CUR), 10);
	EXPECT_EQ(size_of(&bed, file), 10);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(memfd, lseek_knows_five_whences_and_their_limits)
{
	static const struct {
		int64_t offset;
		int whence;
		int64_t result;
	} cases[] = {
		{ -1, SEEK_SET, -EINVAL },   { INT64_MAX, SEEK_SET, INT64_MAX },
		{ 1, SEEK_CUR, -EINVAL },    { INT64_MIN, SEEK_CUR, -EINVAL },
		{ -INT64_MAX, SEEK_CUR, 0 }, { 0, 5, -EINVAL },
		{ 0, -1, -EINVAL },          { -4097, SEEK_END, -EINVAL },
		{ -4096, SEEK_END, 0 },      { INT64_MAX, SEEK_END, -EINVAL },
		{ 10, SEEK_DATA, 10 },       { 4096, SEEK_DATA, -ENXIO },
		{ -1, SEEK_DATA, -ENXIO },   { 10, SEEK_HOLE, 4096 },
		{ 4096, SEEK_HOLE, -ENXIO }, { -1, SEEK_HOLE, -ENXIO },
		{ 0, SEEK_CUR, 4096 },       { -96, SEEK_CUR, 4000 },
		{ 7, SEEK_END, 4103 },
	};
	struct bed bed;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TRUNCATE);
	file = bed_memfd(&bed, 0, 4096);
	EXPECT_EQ(do_pwrite(&bed, file, "x", 1, 0), 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t result = vfs_lseek(&bed.ctx, file, cases[i].offset, cases[i].whence);

		EXPECT_MSG(result == cases[i].result, "lseek(%lld, %d) = %lld, not %lld", (long long)cases[i].offset,
		           cases[i].whence, (long long)result, (long long)cases[i].result);
	}
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

static struct kstat *past(struct bed *bed, struct file *file, struct kstat *st)
{
	inode_stat(&bed->ctx, file->inode, st);
	mutex_lock(&bed->ctx, &file->inode->lock);
	st->atime_ns = file->inode->atime_ns = 1;
	st->mtime_ns = file->inode->mtime_ns = 2;
	st->ctime_ns = file->inode->ctime_ns = 3;
	mutex_unlock(&bed->ctx, &file->inode->lock);
	return st;
}

/* Which stamps have changed since past(). */
static void expect_times(struct bed *bed, struct file *file, const struct kstat *was, bool access, bool modified,
                         const char *what)
{
	struct kstat now;

	vfs_stat(&bed->ctx, file, &now);
	EXPECT_MSG((now.atime_ns != was->atime_ns) == access, "%s: atime", what);
	EXPECT_MSG((now.mtime_ns != was->mtime_ns) == modified, "%s: mtime", what);
	EXPECT_MSG((now.ctime_ns != was->ctime_ns) == modified, "%s: ctime", what);
}

TEST(memfd, times_follow_access_and_modification)
{
	/* Measured, call by call; a write that fails has stamped already. */
	struct bed bed;
	struct file *file;
	struct vfs_mapping mapping;
	struct kstat was;
	char byte = 0;

#define TIMES(call, access, modified)                                    \
	do {                                                             \
		past(&bed, file, &was);                                  \
		(void)(call);                                            \
		expect_times(&bed, file, &was, access, modified, #call); \
	} while (0)
	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, MEMFD_ALLOW_SEALING, 100);
	TIMES(do_pread(&bed, file, &byte, 1, 0), true, false);
	TIMES(do_pread(&bed, file, &byte, 0, 0), true, false);
	TIMES(do_pread(&bed, file, &byte, 1, 100), true, false);
	TIMES(do_pwrite(&bed, file, &byte, 1, 0), false, true);
	TIMES(do_pwrite(&bed, file, &byte, 0, 0), false, false);
	TIMES(do_pwrite_bad(&bed, file, 1, 0), false, true);
	TIMES(vfs_truncate(&bed.ctx, file, 100), false, true);
	TIMES(vfs_truncate(&bed.ctx, file, 200), false, true);
	TIMES(vfs_truncate(&bed.ctx, file, 10), false, true);
	TIMES(vfs_fallocate(&bed.ctx, file, 0, 0, 5), false, true);
	TIMES(vfs_map(&bed.ctx, file, 1, true, &mapping), true, false);
	TIMES(vfs_add_seals(&bed.ctx, file, F_SEAL_GROW), false, false);
	TIMES(do_pwrite(&bed, file, &byte, 1, 10), false, true);
	TIMES(vfs_truncate(&bed.ctx, file, 100), false, false);
	TIMES(vfs_fallocate(&bed.ctx, file, 0, 0, 100), false, false);
#undef TIMES
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

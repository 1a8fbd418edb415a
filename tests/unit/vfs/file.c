// SPDX-License-Identifier: MIT
/*
 * Descriptions: references, what is shared and what is not, flags, and the calls that every kind of file answers.
 */
#include "bed.h"

TEST(file, last_put_releases_once_with_no_lock_held)
{
	struct bed bed;
	unsigned released = 0;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_stream(&bed, &released);
	file_get(file);
	file_put(&bed.ctx, file);
	ctx_drain(&bed.ctx);
	EXPECT_EQ(released, 0);
	file_put(&bed.ctx, file);
	EXPECT_EQ(released, 0); /* queued */
	ctx_drain(&bed.ctx);
	EXPECT_EQ(released, 1);
	bed_close(&bed);
}

TEST(file, put_of_nothing_is_legal)
{
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file_put(&bed.ctx, NULL);
	inode_put(&bed.ctx, NULL);
	fdtable_put(&bed.ctx, NULL);
	bed_close(&bed);
}

TEST(file, backing_alone_keeps_file_and_pages)
{
	/* 48: a mapping alone keeps the file alive. */
	struct bed bed;
	struct file *file;
	struct backing *backing;
	char text[64], byte = 0;
	uint64_t ino = 0;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 100);
	EXPECT_EQ(do_pwrite(&bed, file, "a", 1, 5), 1);
	backing = &file->backing;
	backing_get(backing);
	file_put(&bed.ctx, file);
	ctx_drain(&bed.ctx);
	EXPECT_EQ(do_pread(&bed, file, &byte, 1, 5), 1);
	EXPECT_EQ(byte, 'a');
	EXPECT_EQ(backing->ops->describe(backing, text, sizeof(text), &ino), (int)strlen("/memfd:x (deleted)"));
	EXPECT_STREQ(text, "/memfd:x (deleted)");
	EXPECT_EQ(ino, file->inode->ino);
	backing_put(&bed.ctx, backing);
	bed_close(&bed);
}

TEST(file, describe_reports_the_length_it_needs)
{
	struct bed bed;
	struct file *file;
	char text[8];

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 0);
	EXPECT_EQ(file->ops->describe(file, text, sizeof(text)), (int)strlen("/memfd:x (deleted)"));
	EXPECT_STREQ(text, "/memfd:");
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(file, descriptions_of_one_inode_share_content_but_no_offset)
{
	/* 11. */
	struct bed bed;
	struct file *a, *b;
	char byte = 0;

	bed_open(&bed, COMMIT_ON_TOUCH);
	a = bed_memfd(&bed, 0, 0);
	b = bed_reopen(&bed, a, FILE_RDONLY);
	EXPECT_EQ(do_write(&bed, a, "abc", 3), 3);
	EXPECT_EQ(do_read(&bed, b, &byte, 1), 1);
	EXPECT_EQ(byte, 'a');
	EXPECT_EQ(do_read(&bed, a, &byte, 1), 0);
	EXPECT_EQ(vfs_lseek(&bed.ctx, a, 0, SEEK_CUR), 3);
	EXPECT_EQ(vfs_lseek(&bed.ctx, b, 0, SEEK_CUR), 1);
	file_put(&bed.ctx, a);
	file_put(&bed.ctx, b);
	bed_close(&bed);
}

TEST(file, wrong_access_mode_fails_EBADF)
{
	/* read(2), write(2): EBADF, also for no bytes; access mode 3 allows neither. */
	static const struct {
		uint32_t mode;
		int read, write;
	} cases[] = {
		{ FILE_RDONLY, 0, -EBADF }, { FILE_WRONLY, -EBADF, 0 }, { FILE_RDWR, 0, 0 }, { 3, -EBADF, -EBADF }
	};
	struct bed bed;
	struct file *file;
	char byte = 0;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 10);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct file *other = bed_reopen(&bed, file, cases[i].mode);

		EXPECT_EQ(do_read(&bed, other, &byte, 1), cases[i].read < 0 ? cases[i].read : 1);
		EXPECT_EQ(do_pread(&bed, other, &byte, 1, 0), cases[i].read < 0 ? cases[i].read : 1);
		EXPECT_EQ(do_read(&bed, other, &byte, 0), cases[i].read);
		EXPECT_EQ(do_write(&bed, other, "a", 1), cases[i].write < 0 ? cases[i].write : 1);
		EXPECT_EQ(do_pwrite(&bed, other, "a", 1, 0), cases[i].write < 0 ? cases[i].write : 1);
		EXPECT_EQ(do_write(&bed, other, "a", 0), cases[i].write);
		EXPECT_EQ(vfs_truncate(&bed.ctx, other, 10), cases[i].write < 0 ? -EINVAL : 0);
		EXPECT_EQ(vfs_fallocate(&bed.ctx, other, 0, 0, 1), cases[i].write);
		file_put(&bed.ctx, other);
	}
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(file, set_flags_changes_append_and_nonblock_only)
{
	struct bed bed;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 0);
	EXPECT_EQ(file_flags(file), FILE_RDWR | FILE_LARGEFILE);
	EXPECT_EQ(vfs_set_flags(&bed.ctx, file, FILE_WRONLY | FILE_TRUNC | FILE_CREAT | FILE_APPEND | FILE_NONBLOCK),
	          0);
	EXPECT_EQ(file_flags(file), FILE_RDWR | FILE_LARGEFILE | FILE_APPEND | FILE_NONBLOCK);
	EXPECT_EQ(vfs_set_flags(&bed.ctx, file, FILE_DIRECT), -EINVAL);
	EXPECT_EQ(file_flags(file), FILE_RDWR | FILE_LARGEFILE | FILE_APPEND | FILE_NONBLOCK);
	EXPECT_EQ(vfs_set_flags(&bed.ctx, file, 0), 0);
	EXPECT_EQ(file_flags(file), FILE_RDWR | FILE_LARGEFILE);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(file, calls_on_a_stream_answer_as_on_a_socket)
{
	/* Measured on a socket; the order of the checks too. */
	struct bed bed;
	struct file *file, *reader;
	struct vfs_mapping mapping;
	struct kstat st;
	unsigned released = 0;
	char byte = 0;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_stream(&bed, &released);
	EXPECT_EQ(do_read(&bed, file, &byte, 1), -EINVAL); /* no read at all */
	EXPECT_EQ(do_pread(&bed, file, &byte, 1, 0), -ESPIPE);
	EXPECT_EQ(do_pwrite(&bed, file, &byte, 1, 0), -ESPIPE);
	EXPECT_EQ(do_pread(&bed, file, &byte, 1, -1), -EINVAL);
	EXPECT_EQ(vfs_lseek(&bed.ctx, file, 0, SEEK_SET), -ESPIPE);
	EXPECT_EQ(vfs_lseek(&bed.ctx, file, 0, 5), -EINVAL);
	EXPECT_EQ(vfs_truncate(&bed.ctx, file, 1), -EINVAL);
	EXPECT_EQ(vfs_fallocate(&bed.ctx, file, 0, 0, 1), -ENODEV);
	EXPECT_EQ(vfs_fallocate(&bed.ctx, file, 0, INT64_MAX, 1), -ENODEV);
	EXPECT_EQ(vfs_fallocate(&bed.ctx, file, FALLOC_FL_PUNCH_HOLE, 0, 1), -EOPNOTSUPP);
	EXPECT_EQ(vfs_add_seals(&bed.ctx, file, 0), -EINVAL);
	EXPECT_EQ(vfs_get_seals(&bed.ctx, file), -EINVAL);
	EXPECT_EQ(vfs_map(&bed.ctx, file, 1, true, &mapping), -ENODEV);
	vfs_stat(&bed.ctx, file, &st);
	EXPECT_EQ(st.mode, S_IFSOCK | 0777);
	EXPECT_EQ(st.nlink, 1);
	EXPECT_EQ(st.size, 0);
	reader = bed_reopen(&bed, file, FILE_RDONLY);
	reader->priv = &released;
	EXPECT_EQ(vfs_add_seals(&bed.ctx, reader, 0), -EPERM);
	file_put(&bed.ctx, reader);
	file_put(&bed.ctx, file);
	bed_close(&bed);
	EXPECT_EQ(released, 2);
}

// SPDX-License-Identifier: MIT
/*
 * Bytes from one file into another, limits of sizes, holes through the file: what the kernel's own callers see.
 */
#include "bed.h"

#include <signal.h>

#include "base/limits.h"

#define RAISED(signo) (UINT64_C(1) << ((signo)-1))

static struct file *filled(struct bed *bed, size_t n, char byte)
{
	struct file *file = bed_memfd(bed, MEMFD_ALLOW_SEALING, 0);
	static char bytes[4 * 4096];

	memset(bytes, byte, n);
	SETUP(do_pwrite(bed, file, bytes, n, 0) == (ssize_t)n);
	return file;
}

TEST(copy, positions_move_over_what_was_written_when_the_target_is_sealed_midway)
{
	/* F_SEAL_GROW lets the pieces before the end through. */
	struct bed bed;
	struct file *from, *to;
	uint64_t in = 0, out = 100;

	bed_open(&bed, COMMIT_ON_TOUCH);
	from = filled(&bed, 3 * 4096, 'f');
	to = filled(&bed, 4096, 't');
	REQUIRE_EQ(vfs_add_seals(&bed.ctx, to, F_SEAL_GROW), 0);
	EXPECT_EQ(vfs_copy_range(&bed.ctx, from, &in, to, &out, 3 * 4096), 4096 - 100);
	EXPECT_EQ(in, 4096 - 100);
	EXPECT_EQ(out, 4096);
	EXPECT_EQ(vfs_copy_range(&bed.ctx, from, &in, to, &out, 1), -EPERM);
	EXPECT_EQ(out, 4096);
	EXPECT_EQ(size_of(&bed, to), 4096);
	expect_sound_file(&bed, to);
	file_put(&bed.ctx, to);
	file_put(&bed.ctx, from);
	bed_close(&bed);
}

TEST(copy, without_a_frame_fails_ENOMEM_and_can_be_made_again)
{
	struct bed bed;
	struct file *from, *to;
	uint64_t in = 0, out = 0;

	bed_open(&bed, COMMIT_ON_TOUCH);
	from = filled(&bed, 3 * 4096, 'f');
	to = bed_memfd(&bed, 0, 0);
	bed_fail_at(&bed, 1);
	EXPECT_EQ(vfs_copy_range(&bed.ctx, from, &in, to, &out, 3 * 4096), -ENOMEM);
	EXPECT_EQ(in, 0);
	EXPECT_EQ(blocks_of(&bed, to), 0);
	bed_fail_at(&bed, NEVER);
	EXPECT_EQ(vfs_copy_range(&bed.ctx, from, &in, to, &out, 3 * 4096), 3 * 4096);
	expect_sound_file(&bed, to);
	file_put(&bed.ctx, to);
	file_put(&bed.ctx, from);
	bed_close(&bed);
}

TEST(copy, between_file_systems_fails_EXDEV)
{
	struct bed bed;
	struct file *from, *to, *huge;
	uint64_t in = 0, out = 0;

	bed_open(&bed, COMMIT_ON_TOUCH);
	from = filled(&bed, 10, 'f');
	to = bed_memfd(&bed, 0, 0);
	huge = bed_memfd(&bed, MEMFD_HUGETLB, 0);
	to->inode->dev = 77;
	EXPECT_EQ(vfs_copy_range(&bed.ctx, from, &in, to, &out, 1), -EXDEV);
	to->inode->dev = 0;
	EXPECT_EQ(vfs_copy_range(&bed.ctx, from, &in, huge, &out, 1), -EXDEV);
	EXPECT_EQ(vfs_sendfile(&bed.ctx, from, &in, huge, &out, 1), -EINVAL);
	EXPECT_EQ(vfs_copy_range(&bed.ctx, from, &in, to, &out, 1), 1);
	file_put(&bed.ctx, huge);
	file_put(&bed.ctx, to);
	file_put(&bed.ctx, from);
	bed_close(&bed);
}

TEST(copy, limit_of_sizes_cuts_refuses_and_raises)
{
	/* 59. */
	struct limits limits;
	struct bed bed;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	for (int kind = 0; kind < LIMIT_KINDS; kind++)
		limits.of[kind] = (struct limit){ LIMIT_NONE, LIMIT_NONE };
	limits.of[LIMIT_FSIZE].soft = 100;
	bed.ctx.limits = &limits;
	file = bed_memfd(&bed, 0, 0);
	EXPECT_EQ(do_pwrite(&bed, file, "0123456789", 10, 95), 5);
	EXPECT_EQ(bed.ctx.raised, 0);
	EXPECT_EQ(do_pwrite(&bed, file, "x", 1, 100), -EFBIG);
	EXPECT_EQ(bed.ctx.raised, RAISED(SIGXFSZ));
	bed.ctx.raised = 0;
	EXPECT_EQ(vfs_truncate(&bed.ctx, file, 101), -EFBIG);
	EXPECT_EQ(bed.ctx.raised, RAISED(SIGXFSZ));
	bed.ctx.raised = 0;
	EXPECT_EQ(vfs_fallocate(&bed.ctx, file, FALLOC_FL_KEEP_SIZE, 0, 101), -EFBIG);
	EXPECT_EQ(bed.ctx.raised, RAISED(SIGXFSZ));
	bed.ctx.raised = 0;
	/* What is no loff_t allows nothing. */
	limits.of[LIMIT_FSIZE].soft = UINT64_C(1) << 63;
	EXPECT_EQ(do_pwrite(&bed, file, "x", 1, 0), -EFBIG);
	bed.ctx.raised = 0;
	bed.ctx.limits = NULL;
	EXPECT_EQ(size_of(&bed, file), 100);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(copy, backing_punches_as_fallocate_does)
{
	struct bed bed;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = filled(&bed, 3 * 4096, 'p');
	EXPECT_EQ(file->backing.ops->punch(&bed.ctx, &file->backing, 4096, 4096), 0);
	EXPECT_EQ(blocks_of(&bed, file), 16);
	EXPECT_EQ(vfs_lseek(&bed.ctx, file, 0, SEEK_HOLE), 4096);
	REQUIRE_EQ(vfs_add_seals(&bed.ctx, file, SEAL_FUTURE_WRITE), 0);
	EXPECT_EQ(file->backing.ops->punch(&bed.ctx, &file->backing, 0, 4096), -EPERM);
	EXPECT_EQ(blocks_of(&bed, file), 16);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(copy, failed_write_beyond_the_end_leaves_what_fallocate_made_there)
{
	struct bed bed;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 0);
	REQUIRE_EQ(vfs_fallocate(&bed.ctx, file, FALLOC_FL_KEEP_SIZE, 0, 2 * 4096), 0);
	EXPECT_EQ(do_pwrite_bad(&bed, file, 10, 4096), -EFAULT);
	EXPECT_EQ(blocks_of(&bed, file), 16);
	EXPECT_EQ(size_of(&bed, file), 4096); /* up to where it was to begin */
	expect_sound_file(&bed, file);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

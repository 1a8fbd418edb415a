// SPDX-License-Identifier: MIT
/*
 * The validators of descriptor tables, files and inodes, fed with structures in which one thing is wrong: they must
 * say which.
 */
#include "bed.h"

#include "unit/finds.h"

struct scene {
	struct bed bed;
	struct fdtable *table;
	struct file *file; /* at 0, 1 and, close-on-exec, 2 */
};

static void scene_open(struct scene *s)
{
	struct ctx *ctx = &s->bed.ctx;

	bed_open(&s->bed, COMMIT_ON_TOUCH);
	s->table = bed_table(&s->bed, 100);
	s->file = bed_memfd(&s->bed, MEMFD_ALLOW_SEALING, 100);
	for (int fd = 0; fd < 3; fd++) {
		SETUP(fd_reserve(ctx, s->table, 0, fd == 2) == fd);
		file_get(s->file);
		fd_install(ctx, s->table, fd, s->file);
	}
	EXPECT_SOUND(fdtable_check, ctx, s->table);
	EXPECT_SOUND(file_check, ctx, s->file);
}

static void scene_close(struct scene *s)
{
	EXPECT_SOUND(fdtable_check, &s->bed.ctx, s->table);
	fdtable_put(&s->bed.ctx, s->table);
	file_put(&s->bed.ctx, s->file);
	bed_close(&s->bed);
}

TEST(fdtable_check, bits_that_do_not_fit_the_slots_are_named)
{
	struct fdtable *table;
	struct scene s;
	struct ctx *ctx;

	scene_open(&s);
	ctx = &s.bed.ctx;
	table = s.table;
	EXPECT_FINDS_WHILE(table->used[0], 5, "fdtable I1: a filled slot is in use: fd 1", fdtable_check, ctx, table);
	EXPECT_FINDS_WHILE(table->hint, 4, "fdtable I2: no free number lies below the hint: hint 4", fdtable_check, ctx,
	                   table);
	EXPECT_FINDS_WHILE(table->full[0], 1, "fdtable I3: the summary is right: word 0 of used is 0x7", fdtable_check,
	                   ctx, table);
	EXPECT_FINDS_WHILE(table->used[0], UINT64_MAX, "fdtable I3: the summary is right: word 0", fdtable_check, ctx,
	                   table);
	EXPECT_FINDS_WHILE(table->cloexec[0], 12, "fdtable I4: close-on-exec is of numbers in use: word 0: 0x8",
	                   fdtable_check, ctx, table);
	EXPECT_FINDS_WHILE(table->owner->count[CENSUS_FD], 2,
	                   "fdtable I5: filled slots are on the owner's account: 3 of machine", fdtable_check, ctx,
	                   table);
	scene_close(&s);
}

TEST(file_check, broken_file_is_named_also_by_the_table_that_holds_it)
{
	struct scene s;
	struct ctx *ctx;

	scene_open(&s);
	ctx = &s.bed.ctx;
	EXPECT_FINDS_WHILE(s.file->ref.count, 0, "file I1: a file in reach has a reference: memfd", file_check, ctx,
	                   s.file);
	EXPECT_FINDS_WHILE(s.file->pos, UINT64_C(1) << 63, "file I3: the offset is not negative: memfd: offset 0x8",
	                   file_check, ctx, s.file);
	EXPECT_FINDS_WHILE(s.file->pos, UINT64_C(1) << 63, "file I3: the offset is not negative", fdtable_check, ctx,
	                   s.table);
	scene_close(&s);
}

TEST(file_check, broken_inode_is_named)
{
	struct inode *inode;
	struct scene s;
	struct ctx *ctx;

	scene_open(&s);
	ctx = &s.bed.ctx;
	inode = s.file->inode;
	EXPECT_FINDS_WHILE(inode->ref.count, 0, "inode I1: a live inode has a number: references 0", file_check, ctx,
	                   s.file);
	EXPECT_FINDS_WHILE(inode->ino, 0, "inode I1: a live inode has a number", file_check, ctx, s.file);
	EXPECT_FINDS_WHILE(inode->seals, F_SEAL_WRITE, "file I4: F_SEAL_WRITE and the denial of writers come together",
	                   file_check, ctx, s.file);
	EXPECT_FINDS_WHILE(inode->object->writers, -1, "file I4: F_SEAL_WRITE and the denial of writers come together",
	                   file_check, ctx, s.file);
	EXPECT_FINDS_WHILE(inode->object->writers, -2, "object I4: writers are counted or denied", file_check, ctx,
	                   s.file);
	scene_close(&s);
}

// SPDX-License-Identifier: MIT
/*
 * Every allocation of every call, made to fail one after the other: the call says so and leaves all as it was.
 */
#include "bed.h"

#include <stdlib.h>

struct scene {
	struct bed bed;
	struct fdtable *table;
	struct file *memfd; /* fd 0 */
	char *data;
};

enum { DATA_BYTES = 3 * 4096, TABLE_LIMIT = 1000 };

/* One call: 0 or more on success, when it must also have been undone; a negative errno else. */
struct attempt {
	const char *name;
	long (*run)(struct scene *s);
	enum commit_policy commit;
	unsigned fails_at_least;
	int errors[2]; /* that are right answers */
};

static long create_memfd(struct scene *s)
{
	struct file *file = NULL;
	int err = memfd_create_file(&s->bed.ctx, "y", 0, &file);

	file_put(&s->bed.ctx, file);
	return err;
}

static long create_table(struct scene *s)
{
	struct fdtable *table = NULL;
	int err = fdtable_create(&s->bed.ctx, &s->bed.child, 10, &table);

	fdtable_put(&s->bed.ctx, table);
	return err;
}

static long copy_table(struct scene *s)
{
	struct fdtable *table = NULL;
	int err = fdtable_copy(&s->bed.ctx, s->table, &s->bed.child, &table);

	fdtable_put(&s->bed.ctx, table);
	return err;
}

/* A number in a table that has no slots yet. */
static long reserve_first(struct scene *s)
{
	struct fdtable *table = NULL;
	int fd = fdtable_create(&s->bed.ctx, &s->bed.child, 10, &table);

	if (fd == 0)
		fd = fd_reserve(&s->bed.ctx, table, 0, false);
	fdtable_put(&s->bed.ctx, table);
	return fd;
}

static long dup_low(struct scene *s)
{
	int fd = fd_dup(&s->bed.ctx, s->table, 0, 0, false);

	if (fd >= 0)
		fd_close(&s->bed.ctx, s->table, fd);
	return fd;
}

/* Beyond the slots there are: a table that has grown stays so, hence a copy of it. */
static long dup_high(struct scene *s)
{
	struct fdtable *table = NULL;
	int fd = fdtable_copy(&s->bed.ctx, s->table, &s->bed.child, &table);

	if (fd == 0)
		fd = fd_dup(&s->bed.ctx, table, 0, 900, false);
	fdtable_put(&s->bed.ctx, table);
	return fd;
}

static long dup_to_high(struct scene *s)
{
	struct fdtable *table = NULL;
	int fd = fdtable_copy(&s->bed.ctx, s->table, &s->bed.child, &table);

	if (fd == 0)
		fd = fd_dup_to(&s->bed.ctx, table, 0, 900, false);
	fdtable_put(&s->bed.ctx, table);
	return fd;
}

static long reopen(struct scene *s)
{
	struct file *file = NULL;
	int err = bed_open_path(&s->bed.ctx, s->table, "/proc/self/fd/0", FILE_RDWR, &file);

	file_put(&s->bed.ctx, file);
	return err;
}

static long grow_by(struct scene *s, int64_t to)
{
	int err = vfs_truncate(&s->bed.ctx, s->memfd, to);

	if (err < 0)
		return err;
	EXPECT_EQ(size_of(&s->bed, s->memfd), to);
	return vfs_truncate(&s->bed.ctx, s->memfd, 0);
}

static long grow_little(struct scene *s)
{
	return grow_by(s, 3 * 4096);
}

static long grow_much(struct scene *s)
{
	return grow_by(s, 300 * 4096);
}

static long allocate_far(struct scene *s)
{
	int err = vfs_fallocate(&s->bed.ctx, s->memfd, 0, INT64_C(1) << 30, 100 * 4096);

	return err < 0 ? err : vfs_truncate(&s->bed.ctx, s->memfd, 0);
}

/* As far as it comes; a short write is not undone by itself. */
static long write_pages(struct scene *s)
{
	ssize_t n = do_pwrite(&s->bed, s->memfd, s->data, DATA_BYTES, 0);

	if (n < 0)
		return n;
	EXPECT_EQ(size_of(&s->bed, s->memfd), n);
	EXPECT_EQ(vfs_truncate(&s->bed.ctx, s->memfd, 0), 0);
	return n < DATA_BYTES ? -ENOSPC : 0;
}

static const struct attempt attempts[] = {
	{ "memfd_create", create_memfd, COMMIT_ON_TOUCH, 3, { -ENOMEM } },
	{ "create a table", create_table, COMMIT_ON_TOUCH, 1, { -ENOMEM } },
	{ "copy a table", copy_table, COMMIT_ON_TOUCH, 2, { -ENOMEM } },
	{ "first number", reserve_first, COMMIT_ON_TOUCH, 3, { -ENOMEM, -EMFILE } },
	{ "dup", dup_low, COMMIT_ON_TOUCH, 1, { -EMFILE } },
	{ "dup that grows the table", dup_high, COMMIT_ON_TOUCH, 4, { -ENOMEM, -EMFILE } },
	{ "dup2 that grows the table", dup_to_high, COMMIT_ON_TOUCH, 3, { -ENOMEM } },
	{ "open", reopen, COMMIT_ON_TOUCH, 1, { -ENOMEM } },
	{ "ftruncate by 3 pages", grow_little, COMMIT_ON_TRUNCATE, 4, { -ENOMEM } },
	{ "ftruncate by 300 pages", grow_much, COMMIT_ON_TRUNCATE, 305, { -ENOMEM } },
	{ "fallocate far away", allocate_far, COMMIT_ON_TOUCH, 104, { -ENOMEM } },
	{ "write", write_pages, COMMIT_ON_TOUCH, 4, { -ENOMEM, -ENOSPC } },
};

static void scene_open(struct scene *s, enum commit_policy commit)
{
	bed_open(&s->bed, commit);
	s->data = calloc(1, DATA_BYTES);
	SETUP(s->data != NULL);
	s->table = bed_table(&s->bed, TABLE_LIMIT);
	s->memfd = bed_memfd(&s->bed, 0, 0);
	SETUP(fd_reserve(&s->bed.ctx, s->table, 0, false) == 0);
	fd_install(&s->bed.ctx, s->table, 0, s->memfd);
	bed_tree(&s->bed, s->table);
}

static void scene_close(struct scene *s)
{
	fdtable_put(&s->bed.ctx, s->table);
	bed_close(&s->bed);
	free(s->data);
}

/* Fail allocation 1, 2, ... until a run fails none. */
static void fail_each(const struct attempt *a)
{
	struct scene s;
	struct census before, now;
	unsigned n = 0;
	long result;

	scene_open(&s, a->commit);
	do {
		before = census_now(&s.bed);
		bed_fail_at(&s.bed, ++n);
		result = a->run(&s);
		s.bed.env.hooks.fail = NULL;
		now = census_now(&s.bed);
		expect_same_census(&before, &now);
		EXPECT_EQ(size_of(&s.bed, s.memfd), 0);
		EXPECT_EQ(ref_count(&s.memfd->ref), 1);
		expect_sound_table(&s.bed, s.table);
		EXPECT_MSG(result >= 0 || result == a->errors[0] || result == a->errors[1], "%s, allocation %u: %ld",
		           a->name, n, result);
		EXPECT_MSG((result < 0) == (s.bed.asked >= n), "%s: allocation %u of %u fails, result %ld", a->name, n,
		           s.bed.asked, result);
	} while (s.bed.asked >= n && n < 10000);
	EXPECT_MSG(n > a->fails_at_least, "%s: only %u allocations could fail", a->name, n - 1);
	scene_close(&s);
}

TEST(failure, every_failing_allocation_leaves_all_as_it_was)
{
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
		fail_each(&attempts[i]);
}

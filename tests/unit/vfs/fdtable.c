// SPDX-License-Identifier: MIT
/*
 * Descriptor tables, rule by rule. Random operations against a model are in fdtable_model.c.
 */
#include "bed.h"

#include "base/bitmap.h"

/* A new number for a description that has one reference more then. */
static int put_in(struct bed *bed, struct fdtable *table, struct file *file, uint32_t from, bool cloexec)
{
	int fd = fd_reserve(&bed->ctx, table, from, cloexec);

	if (fd < 0)
		return fd;
	file_get(file);
	fd_install(&bed->ctx, table, fd, file);
	return fd;
}

static bool is_at(struct bed *bed, struct fdtable *table, int fd, const struct file *file)
{
	struct file *found = fd_get(&bed->ctx, table, fd);

	file_put(&bed->ctx, found);
	return found == file;
}

TEST(fdtable, numbers_are_the_lowest_free_ones)
{
	struct bed bed;
	struct fdtable *table;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	table = bed_table(&bed, 1000);
	file = bed_memfd(&bed, 0, 0);
	for (int i = 0; i < 200; i++)
		EXPECT_EQ(put_in(&bed, table, file, 0, false), i);
	EXPECT_EQ(fd_close(&bed.ctx, table, 130), 0);
	EXPECT_EQ(fd_close(&bed.ctx, table, 7), 0);
	EXPECT_EQ(fd_close(&bed.ctx, table, 65), 0);
	EXPECT_EQ(put_in(&bed, table, file, 8, false), 65);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), 7);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), 130);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), 200);
	EXPECT_EQ(put_in(&bed, table, file, 900, false), 900);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), 201);
	EXPECT_EQ(bed.env.self.count[CENSUS_FD], 203);
	expect_sound_table(&bed, table);
	file_put(&bed.ctx, file);
	fdtable_put(&bed.ctx, table);
	bed_close(&bed);
}

TEST(fdtable, lowest_free_number_is_found_among_thousands)
{
	struct bed bed;
	struct fdtable *table;
	struct file *file;
	enum { MANY = 10000 };

	bed_open(&bed, COMMIT_ON_TOUCH);
	table = bed_table(&bed, MANY);
	file = bed_memfd(&bed, 0, 0);
	for (int i = 0; i < MANY; i++)
		REQUIRE_EQ(put_in(&bed, table, file, 0, false), i);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), -EMFILE);
	EXPECT_EQ(fd_close(&bed.ctx, table, 9000), 0);
	EXPECT_EQ(fd_close(&bed.ctx, table, 64 * 70), 0);
	EXPECT_EQ(fd_close(&bed.ctx, table, 3), 0);
	EXPECT_EQ(put_in(&bed, table, file, 4, false), 64 * 70);
	EXPECT_EQ(put_in(&bed, table, file, 64 * 70, false), 9000);
	EXPECT_EQ(put_in(&bed, table, file, 4, false), -EMFILE);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), 3);
	expect_sound_table(&bed, table);
	file_put(&bed.ctx, file);
	fdtable_put(&bed.ctx, table);
	bed_close(&bed);
}

TEST(fdtable, limit_gives_EMFILE_at_every_size)
{
	struct bed bed;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	file = bed_memfd(&bed, 0, 0);
	for (uint32_t limit = 0; limit <= 130; limit++) {
		struct fdtable *table = bed_table(&bed, limit);

		for (uint32_t i = 0; i < limit; i++)
			EXPECT_EQ(put_in(&bed, table, file, 0, false), (int)i);
		EXPECT_EQ(put_in(&bed, table, file, 0, false), -EMFILE);
		if (limit > 0) {
			EXPECT_EQ(fd_dup(&bed.ctx, table, 0, 0, false), -EMFILE);
			EXPECT_EQ(fd_dup(&bed.ctx, table, 0, limit, false), -EINVAL);
			EXPECT_EQ(fd_dup_to(&bed.ctx, table, 0, (int)limit, false), -EBADF);
			EXPECT_EQ(fd_close(&bed.ctx, table, (int)limit - 1), 0);
			EXPECT_EQ(put_in(&bed, table, file, 0, false), (int)limit - 1);
		}
		EXPECT_EQ(ref_count(&file->ref), 1 + limit);
		expect_sound_table(&bed, table);
		fdtable_put(&bed.ctx, table);
		ctx_drain(&bed.ctx);
	}
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(fdtable, reserved_number_is_taken_and_nobodys)
{
	struct bed bed;
	struct fdtable *table;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	table = bed_table(&bed, 10);
	file = bed_memfd(&bed, 0, 0);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), 0);
	EXPECT_EQ(fd_reserve(&bed.ctx, table, 0, true), 1);
	EXPECT_EQ(fd_reserve(&bed.ctx, table, 0, true), 2);
	EXPECT(fd_get(&bed.ctx, table, 1) == NULL);
	EXPECT_EQ(fd_close(&bed.ctx, table, 1), -EBADF);
	EXPECT_EQ(fd_get_cloexec(&bed.ctx, table, 1), -EBADF);
	EXPECT_EQ(fd_dup(&bed.ctx, table, 1, 0, false), -EBADF);
	EXPECT_EQ(fd_dup_to(&bed.ctx, table, 0, 1, false), -EBUSY);
	EXPECT_EQ(bed.env.self.count[CENSUS_FD], 1);
	fd_unreserve(&bed.ctx, table, 1);
	EXPECT_EQ(fd_reserve(&bed.ctx, table, 0, false), 1);
	fd_install(&bed.ctx, table, 1, file);
	EXPECT_EQ(fd_get_cloexec(&bed.ctx, table, 1), 0);
	fd_unreserve(&bed.ctx, table, 2);
	fdtable_put(&bed.ctx, table);
	bed_close(&bed);
}

TEST(fdtable, bad_numbers_fail_EBADF)
{
	static const int bad[] = { -1, 1, 9, 10, 64, 1000000, INT32_MAX, INT32_MIN };
	struct bed bed;
	struct fdtable *table;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	table = bed_table(&bed, 10);
	EXPECT_EQ(fd_close(&bed.ctx, table, 0), -EBADF); /* a table that has no slot yet */
	file = bed_memfd(&bed, 0, 0);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT(fd_get(&bed.ctx, table, bad[i]) == NULL);
		EXPECT_EQ(fd_close(&bed.ctx, table, bad[i]), -EBADF);
		EXPECT_EQ(fd_dup(&bed.ctx, table, bad[i], 0, false), -EBADF);
		EXPECT_EQ(fd_dup(&bed.ctx, table, bad[i], 1 << 30, false), -EBADF);
		EXPECT_EQ(fd_dup_to(&bed.ctx, table, bad[i], 3, false), -EBADF);
		EXPECT_EQ(fd_get_cloexec(&bed.ctx, table, bad[i]), -EBADF);
		EXPECT_EQ(fd_set_cloexec(&bed.ctx, table, bad[i], true), -EBADF);
		if (bad[i] < 0 || bad[i] >= 10)
			EXPECT_EQ(fd_dup_to(&bed.ctx, table, 0, bad[i], false), -EBADF);
	}
	file_put(&bed.ctx, file);
	fdtable_put(&bed.ctx, table);
	bed_close(&bed);
}

TEST(fdtable, dup_shares_the_description_and_not_close_on_exec)
{
	struct bed bed;
	struct fdtable *table;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	table = bed_table(&bed, 100);
	file = bed_memfd(&bed, 0, 0);
	EXPECT_EQ(put_in(&bed, table, file, 0, true), 0);
	EXPECT_EQ(fd_dup(&bed.ctx, table, 0, 0, false), 1);
	EXPECT_EQ(fd_dup(&bed.ctx, table, 0, 70, true), 70);
	EXPECT(is_at(&bed, table, 1, file) && is_at(&bed, table, 70, file));
	EXPECT_EQ(fd_get_cloexec(&bed.ctx, table, 0), 1);
	EXPECT_EQ(fd_get_cloexec(&bed.ctx, table, 1), 0);
	EXPECT_EQ(fd_get_cloexec(&bed.ctx, table, 70), 1);
	EXPECT_EQ(fd_set_cloexec(&bed.ctx, table, 1, true), 0);
	EXPECT_EQ(fd_set_cloexec(&bed.ctx, table, 0, false), 0);
	EXPECT_EQ(fd_get_cloexec(&bed.ctx, table, 1), 1);
	EXPECT_EQ(fd_get_cloexec(&bed.ctx, table, 0), 0);
	EXPECT_EQ(fd_close(&bed.ctx, table, 1), 0);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), 1);
	EXPECT_EQ(fd_get_cloexec(&bed.ctx, table, 1), 0); /* nothing is left of the old one */
	file_put(&bed.ctx, file);
	fdtable_put(&bed.ctx, table);
	bed_close(&bed);
}

TEST(fdtable, dup_to_closes_what_was_there)
{
	struct bed bed;
	struct fdtable *table;
	struct file *file, *stream;
	unsigned released = 0;

	bed_open(&bed, COMMIT_ON_TOUCH);
	table = bed_table(&bed, 500);
	file = bed_memfd(&bed, 0, 0);
	stream = bed_stream(&bed, &released);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), 0);
	EXPECT_EQ(put_in(&bed, table, stream, 0, true), 1);
	file_put(&bed.ctx, stream);
	EXPECT_EQ(fd_dup_to(&bed.ctx, table, 0, 1, false), 1);
	ctx_drain(&bed.ctx);
	EXPECT_EQ(released, 1);
	EXPECT(is_at(&bed, table, 1, file));
	EXPECT_EQ(fd_get_cloexec(&bed.ctx, table, 1), 0);
	EXPECT_EQ(fd_dup_to(&bed.ctx, table, 0, 499, true), 499);
	EXPECT_EQ(fd_get_cloexec(&bed.ctx, table, 499), 1);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), 2);
	EXPECT_EQ(bed.env.self.count[CENSUS_FD], 4);
	EXPECT_EQ(ref_count(&file->ref), 5);
	expect_sound_table(&bed, table);
	file_put(&bed.ctx, file);
	fdtable_put(&bed.ctx, table);
	bed_close(&bed);
}

TEST(fdtable, slots_remember_call_and_epoch)
{
	struct bed bed;
	struct fdtable *table;
	struct fd_slot slot;
	struct file *file, *found = NULL;
	int fd = -1;

	bed_open(&bed, COMMIT_ON_TOUCH);
	table = bed_table(&bed, 100);
	file = bed_memfd(&bed, 0, 0);
	bed.env.epoch = 5;
	bed.ctx.call = "dup";
	EXPECT_EQ(put_in(&bed, table, file, 80, false), 80);
	EXPECT_EQ(fd_reserve(&bed.ctx, table, 81, false), 81);
	EXPECT(fdtable_next(&bed.ctx, table, 0, &fd, &found, &slot));
	EXPECT_EQ(fd, 80);
	EXPECT(found == file && slot.file == file);
	EXPECT_STREQ(slot.call, "dup");
	EXPECT_EQ(slot.epoch, 5);
	file_put(&bed.ctx, found);
	EXPECT(!fdtable_next(&bed.ctx, table, 81, &fd, &found, &slot)); /* a reservation is none */
	EXPECT(!fdtable_next(&bed.ctx, table, 5000, &fd, &found, &slot));
	fd_unreserve(&bed.ctx, table, 81);
	file_put(&bed.ctx, file);
	fdtable_put(&bed.ctx, table);
	bed_close(&bed);
}

TEST(fdtable, copy_has_the_same_descriptions_and_no_reservations)
{
	struct bed bed;
	struct fdtable *table, *copy = NULL;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	table = bed_table(&bed, 100);
	file = bed_memfd(&bed, 0, 0);
	EXPECT_EQ(put_in(&bed, table, file, 0, true), 0);
	EXPECT_EQ(fd_reserve(&bed.ctx, table, 0, true), 1);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), 2);
	EXPECT_EQ(fdtable_copy(&bed.ctx, table, &bed.child, &copy), 0);
	REQUIRE(copy != NULL);
	EXPECT(is_at(&bed, copy, 0, file) && is_at(&bed, copy, 2, file));
	EXPECT_EQ(fd_get_cloexec(&bed.ctx, copy, 0), 1);
	EXPECT_EQ(fd_get_cloexec(&bed.ctx, copy, 2), 0);
	EXPECT_EQ(bed.child.count[CENSUS_FD], 2);
	EXPECT_EQ(ref_count(&file->ref), 5);
	EXPECT_EQ(put_in(&bed, copy, file, 0, false), 1);
	EXPECT_EQ(fd_close(&bed.ctx, table, 0), 0);
	EXPECT(is_at(&bed, copy, 0, file));
	expect_sound_table(&bed, table);
	expect_sound_table(&bed, copy);
	fd_unreserve(&bed.ctx, table, 1);
	file_put(&bed.ctx, file);
	fdtable_put(&bed.ctx, table);
	fdtable_put(&bed.ctx, copy);
	bed_close(&bed);
}

TEST(fdtable, copy_of_an_empty_table_is_empty)
{
	struct bed bed;
	struct fdtable *table, *copy = NULL;
	struct file *file;

	bed_open(&bed, COMMIT_ON_TOUCH);
	table = bed_table(&bed, 3);
	file = bed_memfd(&bed, 0, 0);
	EXPECT_EQ(fdtable_copy(&bed.ctx, table, &bed.child, &copy), 0);
	REQUIRE(copy != NULL);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(put_in(&bed, copy, file, 0, false), i);
	EXPECT_EQ(put_in(&bed, copy, file, 0, false), -EMFILE);
	file_put(&bed.ctx, file);
	fdtable_put(&bed.ctx, table);
	fdtable_put(&bed.ctx, copy);
	bed_close(&bed);
}

TEST(fdtable, last_put_closes_everything)
{
	struct bed bed;
	struct fdtable *table;
	unsigned released = 0;

	bed_open(&bed, COMMIT_ON_TOUCH);
	table = bed_table(&bed, 300);
	for (int i = 0; i < 100; i++) {
		int fd = fd_reserve(&bed.ctx, table, (uint32_t)i * 2, false);

		fd_install(&bed.ctx, table, fd, bed_stream(&bed, &released));
	}
	fdtable_get(table);
	fdtable_put(&bed.ctx, table);
	ctx_drain(&bed.ctx);
	EXPECT_EQ(released, 0);
	fdtable_put(&bed.ctx, table);
	ctx_drain(&bed.ctx);
	EXPECT_EQ(released, 100);
	bed_close(&bed);
}

static void count_line(void *arg, const char *text)
{
	(void)text;
	++*(int *)arg;
}

TEST(fdtable, validator_names_each_broken_invariant)
{
	struct bed bed;
	struct fdtable *table;
	struct file *file;
	int lines = 0;
	struct check_report report = { .line = count_line, .arg = &lines };

	bed_open(&bed, COMMIT_ON_TOUCH);
	table = bed_table(&bed, 100);
	file = bed_memfd(&bed, MEMFD_ALLOW_SEALING, 0);
	EXPECT_EQ(put_in(&bed, table, file, 0, false), 0);
	fdtable_check(&bed.ctx, table, &report);
	EXPECT_EQ(report.broken, 0);
	bitmap_clear(table->used, 0); /* I1 and I2 */
	fdtable_check(&bed.ctx, table, &report);
	EXPECT_EQ(report.broken, 2);
	bitmap_set(table->used, 0);
	bitmap_set(table->full, 0); /* I3 */
	fdtable_check(&bed.ctx, table, &report);
	EXPECT_EQ(report.broken, 3);
	bitmap_clear(table->full, 0);
	bitmap_set(table->cloexec, 50); /* I4 */
	fdtable_check(&bed.ctx, table, &report);
	EXPECT_EQ(report.broken, 4);
	bitmap_clear(table->cloexec, 50);
	census_add(&bed.env.self, CENSUS_FD, -1); /* I5 */
	fdtable_check(&bed.ctx, table, &report);
	EXPECT_EQ(report.broken, 5);
	census_add(&bed.env.self, CENSUS_FD, 1);
	file->inode->seals = F_SEAL_WRITE; /* file I4 */
	fdtable_check(&bed.ctx, table, &report);
	EXPECT_EQ(report.broken, 6);
	EXPECT_EQ(lines, 6);
	file->inode->seals = 0;
	file_put(&bed.ctx, file);
	fdtable_put(&bed.ctx, table);
	bed_close(&bed);
}

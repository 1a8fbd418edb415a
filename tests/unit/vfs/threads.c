// SPDX-License-Identifier: MIT
/*
 * Two callers at once on one table, one description and one inode; for the thread sanitizer above all.
 */
#include "bed.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 400, RECORD = 24 };

struct scene {
	struct bed bed;
	struct fdtable *table;
	struct file *file;
	pthread_barrier_t start;
};

struct worker {
	struct scene *scene;
	struct ctx ctx;
	pthread_t thread;
	char mark;
};

static void run(struct scene *s, void *(*fn)(void *))
{
	struct worker workers[THREADS];

	SETUP(pthread_barrier_init(&s->start, NULL, THREADS) == 0);
	for (int i = 0; i < THREADS; i++) {
		struct worker *w = &workers[i];

		w->scene = s;
		w->mark = (char)('a' + i);
		ctx_init(&w->ctx, &s->bed.env, "worker");
		SETUP(pthread_create(&w->thread, NULL, fn, w) == 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_barrier_destroy(&s->start);
}

static void scene_open(struct scene *s)
{
	bed_open(&s->bed, COMMIT_ON_TOUCH);
	s->table = bed_table(&s->bed, 100);
	s->file = bed_memfd(&s->bed, MEMFD_ALLOW_SEALING, 0);
	SETUP(fd_reserve(&s->bed.ctx, s->table, 0, false) == 0);
	fd_install(&s->bed.ctx, s->table, 0, s->file);
	bed_tree(&s->bed, s->table);
}

static void scene_close(struct scene *s)
{
	expect_sound_table(&s->bed, s->table);
	fdtable_put(&s->bed.ctx, s->table);
	bed_close(&s->bed);
}

static void *write_records(void *arg)
{
	struct worker *w = arg;
	char record[RECORD];
	struct uio uio;

	memset(record, w->mark, sizeof(record));
	pthread_barrier_wait(&w->scene->start);
	for (int i = 0; i < ROUNDS; i++) {
		uio_init_one(&uio, uptr_from(record), sizeof(record));
		EXPECT_EQ(vfs_write(&w->ctx, w->scene->file, &uio), RECORD);
	}
	return NULL;
}

/* Each worker's records are there, whole. */
static void expect_records(struct scene *s)
{
	int seen[THREADS] = { 0 };
	char record[RECORD], expected[RECORD];

	EXPECT_EQ(size_of(&s->bed, s->file), THREADS * ROUNDS * RECORD);
	for (int i = 0; i < THREADS * ROUNDS; i++) {
		REQUIRE_EQ(do_pread(&s->bed, s->file, record, sizeof(record), i * RECORD), RECORD);
		REQUIRE(record[0] >= 'a' && record[0] < 'a' + THREADS);
		memset(expected, record[0], sizeof(expected));
		REQUIRE(memcmp(record, expected, sizeof(record)) == 0);
		seen[record[0] - 'a']++;
	}
	for (int i = 0; i < THREADS; i++)
		EXPECT_EQ(seen[i], ROUNDS);
}

TEST(threads, writes_at_a_shared_offset_lose_no_byte)
{
	struct scene s;

	scene_open(&s);
	run(&s, write_records);
	expect_records(&s);
	EXPECT_EQ(vfs_lseek(&s.bed.ctx, s.file, 0, SEEK_CUR), THREADS * ROUNDS * RECORD);
	scene_close(&s);
}

static void *append_records(void *arg)
{
	struct worker *w = arg;
	struct file *own = NULL;
	char record[RECORD];
	struct uio uio;

	memset(record, w->mark, sizeof(record));
	pthread_barrier_wait(&w->scene->start);
	EXPECT_EQ(bed_open_path(&w->ctx, w->scene->table, "/proc/self/fd/0", FILE_RDWR | FILE_APPEND, &own), 0);
	for (int i = 0; i < ROUNDS && own != NULL; i++) {
		uio_init_one(&uio, uptr_from(record), sizeof(record));
		EXPECT_EQ(vfs_pwrite(&w->ctx, own, &uio, 0), RECORD);
	}
	file_put(&w->ctx, own);
	ctx_drain(&w->ctx);
	return NULL;
}

TEST(threads, appends_through_many_descriptions_lose_no_byte)
{
	struct scene s;

	scene_open(&s);
	run(&s, append_records);
	expect_records(&s);
	scene_close(&s);
}

static void *juggle_numbers(void *arg)
{
	struct worker *w = arg;
	struct fdtable *table = w->scene->table, *copy;
	int low = 40 + (w->mark - 'a') * 10;

	pthread_barrier_wait(&w->scene->start);
	for (int i = 0; i < ROUNDS; i++) {
		int fd = fd_dup(&w->ctx, table, 0, 1, i % 2);
		struct file *file = fd_get(&w->ctx, table, fd);

		EXPECT(file == w->scene->file);
		file_put(&w->ctx, file);
		EXPECT_EQ(fd_dup_to(&w->ctx, table, fd, low + i % 10, false), low + i % 10);
		EXPECT_EQ(fd_close(&w->ctx, table, fd), 0);
		if (i % 50 == 0 && fdtable_copy(&w->ctx, table, &w->scene->bed.child, &copy) == 0)
			fdtable_put(&w->ctx, copy);
		ctx_drain(&w->ctx);
	}
	return NULL;
}

TEST(threads, numbers_are_handed_out_once)
{
	struct scene s;
	int fd = 0, n = 0;
	struct file *file;

	scene_open(&s);
	run(&s, juggle_numbers);
	for (; fdtable_next(&s.bed.ctx, s.table, fd, &fd, &file, NULL); fd++, n++)
		file_put(&s.bed.ctx, file);
	EXPECT_EQ(n, 1 + THREADS * 10);
	EXPECT_EQ(ref_count(&s.file->ref), n);
	scene_close(&s);
}

/* Some write until they are refused, one seals: after the seal not a byte changes. */
static void *write_or_seal(void *arg)
{
	struct worker *w = arg;
	struct file *file = w->scene->file;
	struct uio uio;
	ssize_t n = 1;

	pthread_barrier_wait(&w->scene->start);
	if (w->mark == 'a') {
		EXPECT_EQ(vfs_truncate(&w->ctx, file, 10000), 0);
		EXPECT_EQ(vfs_add_seals(&w->ctx, file, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK), 0);
		return NULL;
	}
	while (n == 1) {
		uio_init_one(&uio, uptr_from(&w->mark), 1);
		n = vfs_pwrite(&w->ctx, file, &uio, 5000);
	}
	EXPECT_EQ(n, -EPERM);
	return NULL;
}

TEST(threads, a_write_seal_stops_writers_for_good)
{
	struct scene s;
	struct kstat st;

	scene_open(&s);
	run(&s, write_or_seal);
	vfs_stat(&s.bed.ctx, s.file, &st);
	EXPECT_EQ(st.size, 10000);
	EXPECT_EQ(vfs_get_seals(&s.bed.ctx, s.file), F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
	scene_close(&s);
}

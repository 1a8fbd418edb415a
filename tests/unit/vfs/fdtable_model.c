// SPDX-License-Identifier: MIT
/*
 * A descriptor table against a plain array, by random operations. KSIM_SEED repeats a run.
 */
#include "bed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIMIT = 330, FILES = 5, STEPS = 30000 };
enum { FREE = -1, RESERVED = -2 };

struct model {
	struct bed bed;
	struct fdtable *table;
	struct file *files[FILES];
	int slot[LIMIT]; /* index of a file, FREE or RESERVED */
	bool cloexec[LIMIT];
	uint64_t seed;
};

static int lowest(const struct model *m, int from)
{
	while (from < LIMIT && m->slot[from] != FREE)
		from++;
	return from < LIMIT ? from : -EMFILE;
}

static void reserve(struct model *m, int from)
{
	bool cloexec = rnd(&m->seed) % 2;
	int expected = lowest(m, from);
	int fd = fd_reserve(&m->bed.ctx, m->table, (uint32_t)from, cloexec);

	REQUIRE_EQ(fd, expected);
	if (fd >= 0) {
		m->slot[fd] = RESERVED;
		m->cloexec[fd] = cloexec;
	}
}

static void settle(struct model *m, int fd)
{
	int which = (int)(rnd(&m->seed) % (FILES + 1));

	if (m->slot[fd] != RESERVED)
		return;
	if (which == FILES) {
		fd_unreserve(&m->bed.ctx, m->table, fd);
		m->slot[fd] = FREE;
	} else {
		file_get(m->files[which]);
		fd_install(&m->bed.ctx, m->table, fd, m->files[which]);
		m->slot[fd] = which;
	}
}

static void close_one(struct model *m, int fd)
{
	REQUIRE_EQ(fd_close(&m->bed.ctx, m->table, fd), m->slot[fd] >= 0 ? 0 : -EBADF);
	if (m->slot[fd] >= 0)
		m->slot[fd] = FREE;
}

static void dup_one(struct model *m, int fd, int from)
{
	bool cloexec = rnd(&m->seed) % 2;
	int expected = m->slot[fd] >= 0 ? lowest(m, from) : -EBADF;

	REQUIRE_EQ(fd_dup(&m->bed.ctx, m->table, fd, (uint32_t)from, cloexec), expected);
	if (expected >= 0) {
		m->slot[expected] = m->slot[fd];
		m->cloexec[expected] = cloexec;
	}
}

static void dup_to(struct model *m, int fd, int to)
{
	bool cloexec = rnd(&m->seed) % 2;
	int expected = m->slot[fd] < 0 ? -EBADF : m->slot[to] == RESERVED ? -EBUSY : to;

	if (fd == to)
		return;
	REQUIRE_EQ(fd_dup_to(&m->bed.ctx, m->table, fd, to, cloexec), expected);
	if (expected >= 0) {
		m->slot[to] = m->slot[fd];
		m->cloexec[to] = cloexec;
	}
}

/* Everything that can be asked of a table. */
static void compare(struct model *m, struct fdtable *table)
{
	struct file *file;
	long n = 0;
	int at = 0;

	for (int fd = 0; fd < LIMIT; fd++) {
		if (m->slot[fd] < 0) {
			REQUIRE_EQ(fd_get_cloexec(&m->bed.ctx, table, fd), -EBADF);
			continue;
		}
		REQUIRE_EQ(fd_get_cloexec(&m->bed.ctx, table, fd), m->cloexec[fd]);
		REQUIRE(fdtable_next(&m->bed.ctx, table, at, &at, &file, NULL));
		file_put(&m->bed.ctx, file);
		REQUIRE_EQ(at, fd);
		REQUIRE(file == m->files[m->slot[fd]]);
		at++;
		n++;
	}
	REQUIRE(!fdtable_next(&m->bed.ctx, table, at, &at, &file, NULL));
	REQUIRE_EQ(table->owner->count[CENSUS_FD], n);
	expect_sound_table(&m->bed, table);
}

static void compare_copy(struct model *m)
{
	struct fdtable *copy = NULL;

	REQUIRE_EQ(fdtable_copy(&m->bed.ctx, m->table, &m->bed.child, &copy), 0);
	compare(m, copy);
	fdtable_put(&m->bed.ctx, copy);
	ctx_drain(&m->bed.ctx);
}

static void step(struct model *m, bool filling)
{
	int fd = (int)(rnd(&m->seed) % LIMIT), other = (int)(rnd(&m->seed) % LIMIT);

	switch (rnd(&m->seed) % 8) {
	case 0:
		reserve(m, other);
		break;
	case 1:
	case 2:
		reserve(m, 0);
		break;
	case 3:
		if (!filling)
			close_one(m, fd);
		break;
	case 4:
		dup_one(m, fd, rnd(&m->seed) % 2 ? other : 0);
		break;
	case 5:
		dup_to(m, fd, other);
		break;
	case 6:
		close_one(m, fd);
		break;
	default:
		for (int i = 0; i < LIMIT; i++)
			settle(m, i);
	}
}

TEST(fdtable_model, random_operations_agree_with_a_plain_array)
{
	const char *given = getenv("KSIM_SEED");
	static struct model m;

	memset(&m, 0, sizeof(m));
	m.seed = given != NULL ? strtoull(given, NULL, 0) : UINT64_C(0x9e3779b97f4a7c15);
	fprintf(stderr, "# KSIM_SEED=%#" PRIx64 "\n", m.seed);
	bed_open(&m.bed, COMMIT_ON_TOUCH);
	m.table = bed_table(&m.bed, LIMIT);
	for (int i = 0; i < FILES; i++)
		m.files[i] = bed_memfd(&m.bed, 0, 0);
	memset(m.slot, 0xff, sizeof(m.slot)); /* FREE */
	for (int i = 0; i < STEPS; i++) {
		step(&m, i / 1000 % 2);
		if (i % 500 == 0) {
			compare(&m, m.table);
			compare_copy(&m);
		}
	}
	for (int i = 0; i < FILES; i++)
		file_put(&m.bed.ctx, m.files[i]);
	fdtable_put(&m.bed.ctx, m.table);
	bed_close(&m.bed);
}

// SPDX-License-Identifier: MIT
/*
 * Descriptor tables.
 *
 * A number is taken in two steps, so that a call may first get everything that can run out and then commit: fd_reserve
 * takes the number, fd_install fills its slot. In between it is taken for allocation and does not exist for anyone
 * else.
 *
 *	used   1 1 1 0 1 ...   one bit a number; slots[] beside it
 *	full   0 ...           one bit a word of used: it has no zero, skip it
 *	hint       ^           no free number lies below
 *
 * The lowest free number is found by the hint, then one word of used, then the summary: at a million descriptors that
 * is at most 256 words. Slots and bits are one allocation, which doubles up to the limit.
 *
 * I1  a filled slot's bit in used is set; a set bit over an empty slot is a reservation
 * I2  no clear bit of used lies below hint
 * I3  a bit of full is set if and only if its word of used is all ones
 * I4  a bit of cloexec is set only where one of used is
 * I5  each filled slot holds one reference on its file, and is one CENSUS_FD on the owner's account
 *
 * Locking: table->lock for everything; files are put after it is released.
 * Linux: fs/file.c. Not modelled: lookup without a lock, and the global limit (ENFILE).
 */
#include "vfs/fdtable.h"

#include <errno.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/limits.h"
#include "host/kmem.h"

enum { SLOTS_MIN = 64 };

static size_t words_of(uint32_t size)
{
	return BITMAP_WORDS((size_t)size);
}

static size_t block_bytes(uint32_t size)
{
	size_t words = words_of(size);

	return size * sizeof(struct fd_slot) + (2 * words + BITMAP_WORDS(words)) * sizeof(uint64_t);
}

/* Make the slots and bits of `size` numbers, all free. */
static int block_alloc(struct ctx *ctx, struct fdtable *table, uint32_t size)
{
	table->slots = kmem_alloc(ctx, block_bytes(size));
	if (table->slots == NULL)
		return -ENOMEM;
	table->used = (uint64_t *)(table->slots + size);
	table->cloexec = table->used + words_of(size);
	table->full = table->cloexec + words_of(size);
	table->size = size;
	return 0;
}

static void block_free(struct env *env, struct fdtable *table)
{
	if (table->slots != NULL)
		kmem_free(env, table->slots, block_bytes(table->size));
}

/* The caller's limit: tables are shared, limits are not. A caller that is no process has the table's. */
static uint32_t limit_in(const struct ctx *ctx, const struct fdtable *table)
{
	return ctx->limits != NULL ? (uint32_t)MIN(limit_of(ctx, LIMIT_NOFILE), INT32_MAX) : table->limit;
}

/* Make room for number fd < limit. */
static int grow_locked(struct ctx *ctx, struct fdtable *table, uint32_t fd)
{
	struct fdtable larger;
	uint64_t size = MAX(table->size, SLOTS_MIN);

	while (size <= fd)
		size *= 2;
	if (block_alloc(ctx, &larger, (uint32_t)MIN(size, limit_in(ctx, table))) < 0)
		return -ENOMEM;
	if (table->size > 0) {
		size_t words = words_of(table->size);

		memcpy(larger.slots, table->slots, table->size * sizeof(*table->slots));
		memcpy(larger.used, table->used, words * sizeof(*table->used));
		memcpy(larger.cloexec, table->cloexec, words * sizeof(*table->cloexec));
		memcpy(larger.full, table->full, BITMAP_WORDS(words) * sizeof(*table->full));
	}
	block_free(ctx->env, table);
	table->slots = larger.slots;
	table->used = larger.used;
	table->cloexec = larger.cloexec;
	table->full = larger.full;
	table->size = larger.size;
	return 0;
}

static void take_locked(struct fdtable *table, uint32_t fd, bool cloexec)
{
	bitmap_set(table->used, fd);
	if (table->used[fd / 64] == ~UINT64_C(0))
		bitmap_set(table->full, fd / 64);
	if (cloexec)
		bitmap_set(table->cloexec, fd);
	else
		bitmap_clear(table->cloexec, fd);
}

static void free_locked(struct fdtable *table, uint32_t fd)
{
	bitmap_clear(table->used, fd);
	bitmap_clear(table->full, fd / 64);
	bitmap_clear(table->cloexec, fd);
	table->hint = MIN(table->hint, fd);
}

/* The lowest free number >= from; it may lie beyond what is allocated. */
static uint32_t lowest_free_locked(const struct fdtable *table, uint32_t from)
{
	size_t word = from / 64, end = MIN((word + 1) * 64, table->size);
	size_t fd;

	if (from >= table->size)
		return from;
	fd = bitmap_find_clear(table->used, end, from);
	if (fd < end)
		return (uint32_t)fd;
	word = bitmap_find_clear(table->full, words_of(table->size), word + 1);
	return (uint32_t)bitmap_find_clear(table->used, table->size, word * 64);
}

static struct file *slot_file_locked(const struct fdtable *table, int fd)
{
	return fd >= 0 && (uint32_t)fd < table->size ? table->slots[fd].file : NULL;
}

static void fill_locked(struct ctx *ctx, struct fdtable *table, uint32_t fd, struct file *file)
{
	table->slots[fd] = (struct fd_slot){
		.file = file,
		.call = ctx->call,
		.epoch = __atomic_load_n(&ctx->env->epoch, __ATOMIC_RELAXED),
	};
}

/* Under KSIM_CHECK_SLOW, what one call has just changed. */
static void check_slow_locked(struct ctx *ctx, const struct fdtable *table, uint32_t fd)
{
#ifdef KSIM_CHECK_SLOW
	KSIM_ASSERT(ctx, table->slots[fd].file == NULL || bitmap_test(table->used, fd),
	            "fdtable I1: a filled slot is in use", "fd %u", fd);
	KSIM_ASSERT(ctx, bitmap_find_clear(table->used, table->hint, 0) == table->hint,
	            "fdtable I2: no free number lies below the hint", "hint %u", table->hint);
	KSIM_ASSERT(ctx, bitmap_test(table->full, fd / 64) == (table->used[fd / 64] == ~UINT64_C(0)),
	            "fdtable I3: the summary is right", "word of fd %u", fd);
#else
	(void)ctx;
	(void)table;
	(void)fd;
#endif
}

/* Life. */

static void table_destroy(struct ctx *ctx, struct drop *drop)
{
	struct fdtable *table = ref_container(drop, struct fdtable);
	size_t fd = 0;
	long n = 0;

	while ((fd = bitmap_find_set(table->used, table->size, fd)) < table->size) {
		n += table->slots[fd].file != NULL;
		file_put(ctx, table->slots[fd++].file);
	}
	census_add(table->owner, CENSUS_FD, -n);
	block_free(ctx->env, table);
	mutex_fini(&table->lock);
	kmem_free(ctx->env, table, sizeof(*table));
}

int fdtable_create(struct ctx *ctx, struct owner *owner, uint32_t limit, struct fdtable **out)
{
	struct fdtable *table = kmem_alloc(ctx, sizeof(*table));

	if (table == NULL)
		return -ENOMEM;
	ref_init(&table->ref);
	mutex_init(&table->lock, RANK_FD_TABLE);
	table->owner = owner;
	table->limit = MIN(limit, INT32_MAX);
	*out = table;
	return 0;
}

/* The filled slots of `from`; what is only reserved belongs to a call of somebody else. */
static int copy_slots_locked(struct ctx *ctx, const struct fdtable *from, struct fdtable *to)
{
	size_t fd = 0;
	long n = 0;

	if (from->size == 0)
		return 0;
	if (block_alloc(ctx, to, from->size) < 0)
		return -ENOMEM;
	while ((fd = bitmap_find_set(from->used, from->size, fd)) < from->size) {
		struct file *file = from->slots[fd].file;

		if (file != NULL) {
			file_get(file);
			take_locked(to, (uint32_t)fd, bitmap_test(from->cloexec, fd));
			fill_locked(ctx, to, (uint32_t)fd, file);
			n++;
		}
		fd++;
	}
	to->hint = lowest_free_locked(to, 0);
	census_add(to->owner, CENSUS_FD, n);
	return 0;
}

int fdtable_copy(struct ctx *ctx, struct fdtable *from, struct owner *owner, struct fdtable **out)
{
	struct fdtable *to;
	int err = fdtable_create(ctx, owner, 0, &to);

	if (err < 0)
		return err;
	mutex_lock(ctx, &from->lock);
	to->limit = from->limit;
	err = copy_slots_locked(ctx, from, to);
	mutex_unlock(ctx, &from->lock);
	if (err < 0)
		fdtable_put(ctx, to);
	else
		*out = to;
	return err;
}

void fdtable_get(struct fdtable *table)
{
	ref_get(&table->ref);
}

void fdtable_put(struct ctx *ctx, struct fdtable *table)
{
	if (table != NULL)
		ref_put(ctx, &table->ref, table_destroy);
}

/* Numbers. */

static int reserve_locked(struct ctx *ctx, struct fdtable *table, uint32_t from, bool cloexec)
{
	uint32_t fd;

	if (from > 0 && from >= limit_in(ctx, table))
		return -EINVAL;
	if (env_fails(ctx, FAIL_FD))
		return -EMFILE;
	fd = lowest_free_locked(table, MAX(from, table->hint));
	if (fd >= limit_in(ctx, table))
		return -EMFILE;
	if (fd >= table->size && grow_locked(ctx, table, fd) < 0)
		return -ENOMEM;
	take_locked(table, fd, cloexec);
	if (from <= table->hint)
		table->hint = fd + 1;
	check_slow_locked(ctx, table, fd);
	return (int)fd;
}

int fd_reserve(struct ctx *ctx, struct fdtable *table, uint32_t from, bool cloexec)
{
	int fd;

	mutex_lock(ctx, &table->lock);
	fd = reserve_locked(ctx, table, from, cloexec);
	mutex_unlock(ctx, &table->lock);
	return fd;
}

static void assert_reserved_locked(struct ctx *ctx, const struct fdtable *table, int fd)
{
	KSIM_ASSERT(ctx,
	            fd >= 0 && (uint32_t)fd < table->size && bitmap_test(table->used, (size_t)fd) &&
	                    table->slots[fd].file == NULL,
	            "fdtable I1: a number is reserved before it is filled", "fd %d of %u", fd, table->size);
}

void fd_install(struct ctx *ctx, struct fdtable *table, int fd, struct file *file)
{
	mutex_lock(ctx, &table->lock);
	assert_reserved_locked(ctx, table, fd);
	fill_locked(ctx, table, (uint32_t)fd, file);
	census_add(table->owner, CENSUS_FD, 1);
	mutex_unlock(ctx, &table->lock);
}

void fd_install_received(struct ctx *ctx, struct fdtable *table, int fd, struct file *file,
                         const struct fd_carrier *carrier)
{
	mutex_lock(ctx, &table->lock);
	assert_reserved_locked(ctx, table, fd);
	fill_locked(ctx, table, (uint32_t)fd, file);
	table->slots[fd].carrier = *carrier;
	census_add(table->owner, CENSUS_FD, 1);
	mutex_unlock(ctx, &table->lock);
}

void fd_unreserve(struct ctx *ctx, struct fdtable *table, int fd)
{
	mutex_lock(ctx, &table->lock);
	assert_reserved_locked(ctx, table, fd);
	free_locked(table, (uint32_t)fd);
	check_slow_locked(ctx, table, (uint32_t)fd);
	mutex_unlock(ctx, &table->lock);
}

struct file *fd_get(struct ctx *ctx, struct fdtable *table, int fd)
{
	struct file *file;

	mutex_lock(ctx, &table->lock);
	file = slot_file_locked(table, fd);
	if (file != NULL && unlikely(file_flags(file) & FILE_PATH))
		file = NULL;
	if (file != NULL)
		file_get(file);
	mutex_unlock(ctx, &table->lock);
	return file;
}

struct file *fd_get_any(struct ctx *ctx, struct fdtable *table, int fd)
{
	struct file *file;

	mutex_lock(ctx, &table->lock);
	file = slot_file_locked(table, fd);
	if (file != NULL)
		file_get(file);
	mutex_unlock(ctx, &table->lock);
	return file;
}

int fd_close(struct ctx *ctx, struct fdtable *table, int fd)
{
	struct file *file;

	mutex_lock(ctx, &table->lock);
	file = slot_file_locked(table, fd);
	if (file != NULL) {
		table->slots[fd] = (struct fd_slot){ 0 };
		free_locked(table, (uint32_t)fd);
		census_add(table->owner, CENSUS_FD, -1);
		check_slow_locked(ctx, table, (uint32_t)fd);
	}
	mutex_unlock(ctx, &table->lock);
	file_put(ctx, file);
	return file != NULL ? 0 : -EBADF;
}

int fd_dup(struct ctx *ctx, struct fdtable *table, int fd, uint32_t from, bool cloexec)
{
	struct file *file = fd_get_any(ctx, table, fd);
	int to;

	if (file == NULL)
		return -EBADF;
	to = fd_reserve(ctx, table, from, cloexec);
	if (to >= 0)
		fd_install(ctx, table, to, file);
	else
		file_put(ctx, file);
	return to;
}

/* What was at `to` goes into *old. */
static int dup_to_locked(struct ctx *ctx, struct fdtable *table, int fd, int to, bool cloexec, struct file **old)
{
	struct file *file = slot_file_locked(table, fd);
	uint32_t at = (uint32_t)to;

	if (file == NULL || to < 0 || at >= limit_in(ctx, table))
		return -EBADF;
	if (at >= table->size && grow_locked(ctx, table, at) < 0)
		return -ENOMEM;
	if (bitmap_test(table->used, at) && table->slots[at].file == NULL)
		return -EBUSY;
	*old = table->slots[at].file;
	file_get(file);
	take_locked(table, at, cloexec);
	fill_locked(ctx, table, at, file);
	if (*old == NULL)
		census_add(table->owner, CENSUS_FD, 1);
	check_slow_locked(ctx, table, at);
	return to;
}

int fd_dup_to(struct ctx *ctx, struct fdtable *table, int fd, int to, bool cloexec)
{
	struct file *old = NULL;
	int result;

	mutex_lock(ctx, &table->lock);
	result = dup_to_locked(ctx, table, fd, to, cloexec, &old);
	mutex_unlock(ctx, &table->lock);
	file_put(ctx, old);
	return result;
}

int fd_get_cloexec(struct ctx *ctx, struct fdtable *table, int fd)
{
	int result = -EBADF;

	mutex_lock(ctx, &table->lock);
	if (slot_file_locked(table, fd) != NULL)
		result = bitmap_test(table->cloexec, (size_t)fd);
	mutex_unlock(ctx, &table->lock);
	return result;
}

int fd_set_cloexec(struct ctx *ctx, struct fdtable *table, int fd, bool cloexec)
{
	int result = -EBADF;

	mutex_lock(ctx, &table->lock);
	if (slot_file_locked(table, fd) != NULL) {
		take_locked(table, (uint32_t)fd, cloexec);
		result = 0;
	}
	mutex_unlock(ctx, &table->lock);
	return result;
}

bool fdtable_next(struct ctx *ctx, struct fdtable *table, int from, int *fd, struct file **file, struct fd_slot *slot)
{
	size_t at = (size_t)MAX(from, 0);
	bool found;

	mutex_lock(ctx, &table->lock);
	do
		at = bitmap_find_set(table->used, table->size, at);
	while (at < table->size && table->slots[at].file == NULL && ++at);
	found = at < table->size;
	if (found) {
		*fd = (int)at;
		*file = table->slots[at].file;
		file_get(*file);
		if (slot != NULL)
			*slot = table->slots[at];
	}
	mutex_unlock(ctx, &table->lock);
	return found;
}

/* Validator. */

static void check_bits(const struct fdtable *table, struct check_report *report)
{
	CHECK_THAT(report, bitmap_find_clear(table->used, table->hint, 0) == table->hint,
	           "fdtable I2: no free number lies below the hint", "hint %u of %u", table->hint, table->size);
	for (size_t i = 0; i < words_of(table->size); i++) {
		CHECK_THAT(report, bitmap_test(table->full, i) == (table->used[i] == ~UINT64_C(0)),
		           "fdtable I3: the summary is right", "word %zu of used is %#llx", i,
		           (unsigned long long)table->used[i]);
		CHECK_THAT(report, (table->cloexec[i] & ~table->used[i]) == 0,
		           "fdtable I4: close-on-exec is of numbers in use", "word %zu: %#llx", i,
		           (unsigned long long)(table->cloexec[i] & ~table->used[i]));
	}
}

void fdtable_check(struct ctx *ctx, struct fdtable *table, struct check_report *report)
{
	long n = 0;

	mutex_lock(ctx, &table->lock);
	check_bits(table, report);
	for (size_t fd = 0; fd < table->size; fd++) {
		struct file *file = table->slots[fd].file;

		if (file == NULL)
			continue;
		CHECK_THAT(report, bitmap_test(table->used, fd), "fdtable I1: a filled slot is in use", "fd %zu", fd);
		file_check(ctx, file, report);
		n++;
	}
	CHECK_THAT(report, __atomic_load_n(&table->owner->count[CENSUS_FD], __ATOMIC_RELAXED) >= n,
	           "fdtable I5: filled slots are on the owner's account", "%ld of %s", n, table->owner->name);
	mutex_unlock(ctx, &table->lock);
}

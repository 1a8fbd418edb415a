// SPDX-License-Identifier: MIT
/*
 * A memfd of somebody else's, swept: its pages are kept by the ops below, for everything else the kernel answers, which
 * has to undo what those ops have made when a later page of the same call fails.
 *
 * What Linux promises: fallocate(2) and, where files are committed as a whole, ftruncate(2) that fail with ENOMEM have
 * changed nothing.
 */
#include "held.h"

#include <ksim/kernel/object.h>

enum { PAGES = 5, BYTES = PAGES * PAGE, MOST = 64 };

/* An object of few pages, in an array. */
struct pages {
	struct ksim_pfn at[MOST];
};

static int pages_create(struct ksim_call *call, void *arg, void **object)
{
	(void)call;
	(void)arg;
	*object = calloc(1, sizeof(struct pages));
	return *object != NULL ? 0 : -ENOMEM;
}

static int pages_page(struct ksim_call *call, void *object, uint64_t index, int make, struct ksim_pfn *out)
{
	struct pages *pages = object;

	if (index >= MOST)
		return make ? -ENOMEM : -ENOENT;
	if (pages->at[index].n == 0 && !make)
		return -ENOENT;
	if (pages->at[index].n == 0 && ksim_frame_alloc(call, &pages->at[index]) < 0)
		return -ENOMEM;
	*out = pages->at[index];
	return 0;
}

static void pages_punch(struct ksim_call *call, void *object, uint64_t first, uint64_t last)
{
	struct pages *pages = object;

	for (uint64_t i = first; i <= last && i < MOST; i++)
		if (pages->at[i].n != 0) {
			ksim_frame_put(call, pages->at[i]);
			pages->at[i] = (struct ksim_pfn){ 0 };
		}
}

static void pages_resize(struct ksim_call *call, void *object, uint64_t size)
{
	pages_punch(call, object, (size + PAGE - 1) / PAGE, MOST);
}

static int pages_next(struct ksim_call *call, void *object, uint64_t *index)
{
	const struct pages *pages = object;

	(void)call;
	for (; *index < MOST; ++*index)
		if (pages->at[*index].n != 0)
			return 0;
	return -ENOENT;
}

static void pages_destroy(struct ksim_call *call, void *object)
{
	pages_punch(call, object, 0, MOST);
	free(object);
}

static const struct ksim_object_ops ops = {
	.bytes = sizeof(ops),
	.name = "array",
	.create = pages_create,
	.page = pages_page,
	.resize = pages_resize,
	.punch = pages_punch,
	.next = pages_next,
	.destroy = pages_destroy,
};

static int tell_of_one(int (*act)(void *))
{
	return held_by_one(act, BYTES);
}

static void sweep(int (*act)(void *))
{
	story_sweep_on((struct ksim_config){ .ram_bytes = 4 << 20, .memfd_ops = &ops }, tell_of_one, act);
}

/* ---- the stories ---- */

static long long size_and_blocks(int fd)
{
	struct stat st;

	return ksim_fstat(fd, &st) == 0 ? st.st_size * 1000 + st.st_blocks : -1;
}

static int resize(void *arg)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	struct held *held = arg;
	long long was;

	held->fd = RETRY(ksim_memfd_create("array", MFD_ALLOW_SEALING));
	MUST(held->fd == 0);
	MUST(RETRY_UNCHANGED(ksim_ftruncate(held->fd, 2 * PAGE), size_and_blocks(held->fd) == 0) == 0);
	MUST(RETRY(ksim_pwrite(held->fd, "a", 1, 0)) == 1 && RETRY(ksim_pwrite(held->fd, "b", 1, PAGE)) == 1);
	was = size_and_blocks(held->fd);
	MUST(RETRY_UNCHANGED(ksim_fallocate(held->fd, 0, 0, BYTES), size_and_blocks(held->fd) == was) == 0);
	MUST(size_and_blocks(held->fd) == BYTES * 1000LL + PAGES * 8);
	MUST(ksim_fallocate(held->fd, punch, PAGE, 2 * PAGE) == 0);
	MUST(ksim_lseek(held->fd, 0, SEEK_DATA) == 0 && ksim_lseek(held->fd, 0, SEEK_HOLE) == PAGE);
	was = size_and_blocks(held->fd);
	MUST(RETRY_UNCHANGED(ksim_fallocate(held->fd, FALLOC_FL_KEEP_SIZE, 0, 2 * BYTES),
	                     size_and_blocks(held->fd) == was) == 0);
	MUST(ksim_ftruncate(held->fd, 0) == 0 && size_and_blocks(held->fd) == 0);
	return 0;
}

TEST(sweep_foreign, file_grows_and_shrinks)
{
	sweep(resize);
}

static int map(void *arg)
{
	struct held *held = arg;
	char bytes[2];

	held->fd = RETRY(ksim_memfd_create("array", MFD_ALLOW_SEALING));
	MUST(held->fd == 0);
	MUST(RETRY(ksim_ftruncate(held->fd, BYTES)) == 0);
	held->map = RETRY(map_at(0, BYTES, RW, MAP_SHARED, held->fd));
	held->other = RETRY(map_at(0, BYTES, RW, MAP_PRIVATE, held->fd));
	MUST(held->map != KSIM_MAP_FAILED && held->other != KSIM_MAP_FAILED);
	fill(held->map, PAGES, 1);
	MUST(holds(held->other, PAGES, 1));
	fill(held->other, 2, 40);
	MUST(holds(held->map, PAGES, 1) && holds(held->other + 2 * PAGE, PAGES - 2, 3));
	MUST(RETRY(ksim_pread(held->fd, bytes, 2, 2 * PAGE)) == 2 && bytes[0] == 3);
	MUST(RETRY(ksim_madvise(held->map + PAGE, PAGE, MADV_REMOVE)) == 0);
	MUST(is_zero(held->map + PAGE, 1) && holds(held->other, 2, 40));
	MUST(ksim_ftruncate(held->fd, 2 * PAGE) == 0);
	MUST(RETRY(ksim_ftruncate(held->fd, BYTES)) == 0);
	MUST(is_zero(held->map + 2 * PAGE, PAGES - 2) && is_zero(held->other + 2 * PAGE, PAGES - 2));
	return 0;
}

TEST(sweep_foreign, file_is_mapped_copied_cut_and_grown)
{
	sweep(map);
}

// SPDX-License-Identifier: MIT
/*
 * A memfd object of our own: the pages that are there, in one array, sorted by index.
 *
 *	index   0    1    7    9
 *	frame  812  813  900  814
 *
 * Finding a page is a binary search, making one moves what lies behind it. A kernel would take a tree; what the machine
 * sees is the same.
 *
 * I1  pages[0 .. count) are sorted by index, each index once, and each holds one reference on its frame
 *
 * Locking: none. The kernel calls the ops of one object one at a time.
 */
#include "own_memfd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct page {
	uint64_t index;
	struct ksim_pfn frame;
};

struct memfd {
	struct page *pages;
	size_t count;
	size_t room; /* of pages */
};

static int create(struct ksim_call *call, void *arg, void **object)
{
	struct memfd *memfd = calloc(1, sizeof(*memfd));

	(void)call;
	(void)arg;
	*object = memfd;
	return memfd != NULL ? 0 : -ENOMEM;
}

/* Where the page is, or would be: the first with its index or a greater one. */
static size_t position(const struct memfd *memfd, uint64_t index)
{
	size_t low = 0, high = memfd->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memfd->pages[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int make_room(struct memfd *memfd)
{
	size_t room = memfd->room == 0 ? 8 : memfd->room * 2;
	struct page *pages;

	if (memfd->count < memfd->room)
		return 0;
	pages = realloc(memfd->pages, room * sizeof(*pages));
	if (pages == NULL)
		return -ENOMEM;
	memfd->pages = pages;
	memfd->room = room;
	return 0;
}

static int page(struct ksim_call *call, void *object, uint64_t index, int make, struct ksim_pfn *out)
{
	struct memfd *memfd = object;
	size_t at = position(memfd, index);
	int err;

	if (at < memfd->count && memfd->pages[at].index == index) {
		*out = memfd->pages[at].frame;
		return 0;
	}
	if (!make)
		return -ENOENT;
	err = make_room(memfd);
	if (err == 0)
		err = ksim_frame_alloc(call, out);
	if (err < 0)
		return err;
	memmove(&memfd->pages[at + 1], &memfd->pages[at], (memfd->count - at) * sizeof(*memfd->pages));
	memfd->pages[at] = (struct page){ index, *out };
	memfd->count++;
	return 0;
}

static void punch(struct ksim_call *call, void *object, uint64_t first, uint64_t last)
{
	struct memfd *memfd = object;
	size_t from = position(memfd, first), to = from;

	for (; to < memfd->count && memfd->pages[to].index <= last; to++)
		ksim_frame_put(call, memfd->pages[to].frame);
	if (to > from)
		memmove(&memfd->pages[from], &memfd->pages[to], (memfd->count - to) * sizeof(*memfd->pages));
	memfd->count -= to - from;
}

static void resize(struct ksim_call *call, void *object, uint64_t size)
{
	punch(call, object, (size + KSIM_PAGE_SIZE - 1) / KSIM_PAGE_SIZE, KSIM_OBJECT_INDEX_MAX);
}

static int next(struct ksim_call *call, void *object, uint64_t *index)
{
	const struct memfd *memfd = object;
	size_t at = position(memfd, *index);

	(void)call;
	if (at == memfd->count)
		return -ENOENT;
	*index = memfd->pages[at].index;
	return 0;
}

static void destroy(struct ksim_call *call, void *object)
{
	struct memfd *memfd = object;

	punch(call, memfd, 0, KSIM_OBJECT_INDEX_MAX);
	free(memfd->pages);
	free(memfd);
}

const struct ksim_object_ops my_memfd_ops = {
	.bytes = sizeof(my_memfd_ops),
	.name = "own_memfd",
	.create = create,
	.page = page,
	.resize = resize,
	.punch = punch,
	.next = next,
	.destroy = destroy,
};

// SPDX-License-Identifier: MIT
/*
 * /proc/<pid>/pagemap, /proc/kpagecount and /proc/kpageflags: a word of 64 bits for each page of an address space, and
 * for each frame of the machine's RAM.
 *
 * The files are as long as what they tell of, and read at whole words only. A piece of words is made in the kernel and
 * then copied to the reader, so that no lock is held over the copy. Whether pfns are told is decided when the file is
 * looked up, by who does so; the word of an address without a page is 0.
 *
 * Locking: none of its own. Linux: fs/proc/task_mmu.c (pagemap_read), fs/proc/page.c. Not modelled: soft-dirty bits,
 * userfaultfd, swap.
 */
#include "task/proc.h"

#include "mm/stat.h"

#include <errno.h>

enum { PIECE = 256, WORD = sizeof(uint64_t) };

/* Bits of /proc/kpageflags, as include/uapi/linux/kernel-page-flags.h numbers them. */
enum {
	KPF_UPTODATE = 1 << 3,
	KPF_DIRTY = 1 << 4,
	KPF_LRU = 1 << 5,
	KPF_BUDDY = 1 << 10,
	KPF_MMAP = 1 << 11,
	KPF_ANON = 1 << 12,
	KPF_SWAPBACKED = 1 << 14,
	KPF_COMPOUND_HEAD = 1 << 15,
	KPF_COMPOUND_TAIL = 1 << 16,
	KPF_HUGE = 1 << 17,
	KPF_ZERO_PAGE = 1 << 24,
	KPF_PGTABLE = 1 << 26,
};
#define KPF_RESERVED (UINT64_C(1) << 32)

/* Make n words from number `at` on. */
typedef void words_fn(struct ctx *ctx, void *arg, uint64_t at, uint64_t *word, size_t n);

/* Words from byte `at` on, of which there are nwords. */
static ssize_t read_words(struct ctx *ctx, uint64_t at, uint64_t nwords, struct uio *uio, words_fn *words, void *arg)
{
	uint64_t word[PIECE];
	ssize_t done = 0;

	if (at % WORD != 0 || uio->resid % WORD != 0)
		return -EINVAL;
	for (at /= WORD; at < nwords && uio->resid > 0; at += PIECE) {
		size_t n = MIN(MIN(uio->resid / WORD, nwords - at), PIECE);

		words(ctx, arg, at, word, n);
		if (uio_copy_to(ctx, uio, word, n * WORD) < n * WORD)
			return -EFAULT;
		done += (ssize_t)(n * WORD);
	}
	return done;
}

struct pagemap {
	struct mm *mm;
	bool show_pfns;
};

static void pagemap_words(struct ctx *ctx, void *arg, uint64_t at, uint64_t *word, size_t n)
{
	const struct pagemap *map = arg;

	mm_pagemap(ctx, map->mm, at << PAGE_SHIFT, word, n, map->show_pfns);
}

static ssize_t read_pagemap(struct ctx *ctx, struct inode *inode, uint64_t at, struct uio *uio)
{
	struct pagemap map = { .show_pfns = inode->gen_key[1] & PROC_KEY_PRIVILEGED };
	ssize_t n;

	if (proc_borrow(ctx, inode, &map.mm, NULL) < 0)
		return 0;
	n = read_words(ctx, at, (PT_SPAN - PAGE_BYTES) >> PAGE_SHIFT, uio, pagemap_words, &map);
	mm_put(ctx, map.mm);
	return n;
}

/* What is to be told of a frame. */
typedef uint64_t frame_word_fn(const struct ctx *ctx, uint64_t pfn, const struct frame_look *frame);

static void frame_words(struct ctx *ctx, void *arg, uint64_t at, uint64_t *word, size_t n)
{
	frame_word_fn *const *tell = arg;
	struct frame_look frame[PIECE];
	size_t used = phys_look(ctx, ctx->env->phys, at, frame, n);

	for (size_t i = 0; i < n; i++)
		word[i] = (*tell)(ctx, at + i, i < used ? &frame[i] : &(struct frame_look){ .use = FRAME_FREE });
}

static uint64_t count_word(const struct ctx *ctx, uint64_t pfn, const struct frame_look *frame)
{
	return pfn == ctx->env->zero_pfn ? 0 : frame->mappers;
}

static uint64_t flags_word(const struct ctx *ctx, uint64_t pfn, const struct frame_look *frame)
{
	uint64_t page = KPF_UPTODATE | KPF_LRU | KPF_SWAPBACKED | (frame->mappers > 0 ? KPF_MMAP : 0);

	if (frame->pooled)
		return KPF_HUGE | (pfn % HUGE_FRAMES == 0 ? KPF_COMPOUND_HEAD : KPF_COMPOUND_TAIL) |
		       (frame->mappers > 0 ? KPF_MMAP : 0) | (frame->use == FRAME_ANON ? KPF_ANON : 0);

	if (pfn == ctx->env->zero_pfn)
		return KPF_ZERO_PAGE;
	switch (frame->use) {
	case FRAME_ANON:
		return page | KPF_ANON;
	case FRAME_FILE:
		return page | (frame->dirty ? KPF_DIRTY : 0);
	case FRAME_TABLE:
		return KPF_PGTABLE;
	case FRAME_RESERVED:
		return KPF_RESERVED;
	default:
		return KPF_BUDDY;
	}
}

static ssize_t read_kpagecount(struct ctx *ctx, struct inode *inode, uint64_t at, struct uio *uio)
{
	frame_word_fn *tell = count_word;

	(void)inode;
	return read_words(ctx, at, ctx->env->phys->nframes, uio, frame_words, &tell);
}

static ssize_t read_kpageflags(struct ctx *ctx, struct inode *inode, uint64_t at, struct uio *uio)
{
	frame_word_fn *tell = flags_word;

	(void)inode;
	return read_words(ctx, at, ctx->env->phys->nframes, uio, frame_words, &tell);
}

const struct gen_ops proc_pagemap_ops = { .read_at = read_pagemap, .open = proc_open_living_memory };
const struct gen_ops proc_kpagecount_ops = { .read_at = read_kpagecount };
const struct gen_ops proc_kpageflags_ops = { .read_at = read_kpageflags };

// SPDX-License-Identifier: MIT
/*
 * Arguments of calls on memory in the trace: advice, locks, what mincore found, and rows of buffers of two processes.
 *
 *	madvise(0x10000000, 4096, MADV_DONTNEED) = 0
 *	mincore(0x10000000, 8192, [1, 0]) = 0
 *	process_vm_readv(7, [{iov_base="abc", iov_len=3}], 1, [{iov_base=0x10000000, iov_len=3}], 1, 0) = 3
 *
 * A buffer of another process is shown by its address only.
 */
#include "syscall/format.h"

#include <inttypes.h>

#include "syscall/row.h"

enum { ITEMS_SHOWN = 32 };

static const struct named advices[] = {
	{ 0, "MADV_NORMAL" },          { 1, "MADV_RANDOM" },
	{ 2, "MADV_SEQUENTIAL" },      { 3, "MADV_WILLNEED" },
	{ 4, "MADV_DONTNEED" },        { 8, "MADV_FREE" },
	{ 9, "MADV_REMOVE" },          { 10, "MADV_DONTFORK" },
	{ 11, "MADV_DOFORK" },         { 12, "MADV_MERGEABLE" },
	{ 13, "MADV_UNMERGEABLE" },    { 14, "MADV_HUGEPAGE" },
	{ 15, "MADV_NOHUGEPAGE" },     { 16, "MADV_DONTDUMP" },
	{ 17, "MADV_DODUMP" },         { 18, "MADV_WIPEONFORK" },
	{ 19, "MADV_KEEPONFORK" },     { 20, "MADV_COLD" },
	{ 21, "MADV_PAGEOUT" },        { 22, "MADV_POPULATE_READ" },
	{ 23, "MADV_POPULATE_WRITE" }, { 24, "MADV_DONTNEED_LOCKED" },
	{ 25, "MADV_COLLAPSE" },       { 100, "MADV_HWPOISON" },
	{ 101, "MADV_SOFT_OFFLINE" },  { 102, "MADV_GUARD_INSTALL" },
	{ 103, "MADV_GUARD_REMOVE" },  { 0, NULL },
};

static const struct named msync_flags[] = {
	{ 4, "MS_SYNC" },
	{ 1, "MS_ASYNC" },
	{ 2, "MS_INVALIDATE" },
	{ 0, NULL },
};

static const struct named mlock_flags[] = {
	{ 1, "MLOCK_ONFAULT" },
	{ 0, NULL },
};

static const struct named mlockall_flags[] = {
	{ 1, "MCL_CURRENT" },
	{ 2, "MCL_FUTURE" },
	{ 4, "MCL_ONFAULT" },
	{ 0, NULL },
};

static const struct named mremap_flags[] = {
	{ 1, "MREMAP_MAYMOVE" },
	{ 2, "MREMAP_FIXED" },
	{ 4, "MREMAP_DONTUNMAP" },
	{ 0, NULL },
};

PRINT_CHOICE(madvise, advices, "MADV_???")
PRINT_FLAGS(msync, msync_flags, "MS_???")
PRINT_FLAGS(mlock, mlock_flags, "MLOCK_???")
PRINT_FLAGS(mlockall, mlockall_flags, "MCL_???")
PRINT_FLAGS(mremap, mremap_flags, "MREMAP_???")

/* Where a mapping is to go; shown only if argument `other`, the flags, asks for a place as it should be asked for. */
void print_remapto(struct line *line, unsigned i, unsigned other)
{
	if ((line->args[other] & 3) == 3)
		print_addr(line, i, other);
}

/* What mincore has found; its length in bytes is argument `other`. */
void print_residency(struct line *line, unsigned i, unsigned other)
{
	uint64_t pages = page_up(line->args[other]) >> PAGE_SHIFT;
	unsigned char found[ITEMS_SHOWN];

	if (line->result < 0 || line->args[i] == 0 ||
	    line_peek(line, found, line_pointer(line, i), MIN(pages, ITEMS_SHOWN)) < 0) {
		line_address(line, line->args[i]);
		return;
	}
	line_add(line, "[");
	for (uint64_t n = 0; n < MIN(pages, ITEMS_SHOWN); n++)
		line_add(line, "%s%u", n > 0 ? ", " : "", found[n] & 1u);
	line_add(line, "%s]", pages > ITEMS_SHOWN ? ", ..." : "");
}

enum row_content {
	ROW_READ,    /* all that is in the buffers */
	ROW_WRITTEN, /* what the call has put there */
	ROW_HIDDEN,  /* where they are */
};

static void line_segment(struct line *line, const struct uio_seg *seg, enum row_content content, uint64_t *moved)
{
	uint64_t shown = MIN(seg->len, *moved);

	*moved -= shown;
	line_add(line, "{iov_base=");
	if (content == ROW_HIDDEN)
		line_address(line, seg->base.bits);
	else
		line_data(line, seg->base, shown);
	line_add(line, ", iov_len=%" PRIu64 "}", seg->len);
}

/* As many buffers as argument `other` says. */
static void line_row(struct line *line, unsigned i, unsigned other, enum row_content content)
{
	uint64_t n = line->args[other], moved = content == ROW_WRITTEN ? (uint64_t)line->result : UINT64_MAX;
	struct uio_seg seg;

	if (uptr_null(line_pointer(line, i)) ||
	    (n > 0 && line_peek(line, &seg, line_pointer(line, i), sizeof(seg)) < 0)) {
		line_address(line, line->args[i]);
		return;
	}
	line_add(line, "[");
	for (uint64_t k = 0; k < n; k++) {
		struct uptr at = uptr_add(line_pointer(line, i), k * sizeof(seg));

		line_add(line, k > 0 ? ", " : "");
		if (k == ITEMS_SHOWN) {
			line_add(line, "...");
			break;
		}
		if (line_peek(line, &seg, at, sizeof(seg)) < 0) {
			line_add(line, "... /* ");
			line_address(line, at.bits);
			line_add(line, " */");
			break;
		}
		line_segment(line, &seg, content, &moved);
	}
	line_add(line, "]");
}

void print_iov(struct line *line, unsigned i, unsigned other)
{
	line_row(line, i, other, ROW_READ);
}

void print_iovout(struct line *line, unsigned i, unsigned other)
{
	line_row(line, i, other, line->result < 0 ? ROW_HIDDEN : ROW_WRITTEN);
}

void print_iovaddr(struct line *line, unsigned i, unsigned other)
{
	line_row(line, i, other, ROW_HIDDEN);
}

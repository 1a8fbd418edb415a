// SPDX-License-Identifier: MIT
/*
 * An address space as text: what is mapped where, as Linux writes it, and which frames stand behind it.
 *
 *	7fffeffe0000-7fffeffe4000 r--s 00000000 00:01 5                          /memfd:wl_shm (deleted)
 *	 pages 0-1 -> pfn 17-18, page 3 -> pfn 25; 3 of 4 present
 *
 * Linux puts a blank behind the inode number and, before a name, as many more as make 73 columns of it all. Lines of
 * frames begin with a blank, which no line of Linux does.
 *
 * Locking: none: each region is copied out together with its frames, and then written, while nobody else writes to the
 * stream.
 * Linux: fs/proc/task_mmu.c, fs/seq_file.c. Not modelled: [stack] and names of anonymous memory.
 */
#include "lab/frames.h"

#include <inttypes.h>
#include <stdlib.h>

enum { NAME_COLUMN = 73, RUNS_A_LINE = 4 };

/* As seq_file does: a newline in a name would end the line. */
static void put_name(FILE *stream, const char *name)
{
	for (; *name != '\0'; name++) {
		if (*name == '\n')
			fputs("\\012", stream);
		else
			fputc(*name, stream);
	}
}

static void put_region(FILE *stream, const struct mm_region *r)
{
	int len = fprintf(stream, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64 " 00:%02x %" PRIu64 " ", r->start,
	                  r->end, r->prot & PROT_R ? 'r' : '-', r->prot & PROT_W ? 'w' : '-',
	                  r->prot & PROT_X ? 'x' : '-', r->shared ? 's' : 'p', r->offset, r->has_object ? 1u : 0u,
	                  r->inode);

	if (r->name[0] != '\0') {
		fprintf(stream, "%*s", len < NAME_COLUMN ? NAME_COLUMN - len : 0, "");
		put_name(stream, r->name);
	}
	fputc('\n', stream);
}

/* "page 3", "pfns 17-18"; of something that is called so in the singular, and so in front of more. */
static void put_range(FILE *stream, const char *one, const char *many, uint64_t first, uint64_t n)
{
	if (n == 1)
		fprintf(stream, "%s %" PRIu64, one, first);
	else
		fprintf(stream, "%s %" PRIu64 "-%" PRIu64, many, first, first + n - 1);
}

/* What a reader of maps would not guess of the frames of this mapping. */
static const char *remark(const struct mm_region *region, enum frame_run_kind kind)
{
	switch (kind) {
	case FRAME_RUN_COW:
		return " (copy-on-write)";
	case FRAME_RUN_ZEROS:
		return " (zeros)";
	case FRAME_RUN_PRIVATE:
		return region->has_object ? " (own copy)" : "";
	default:
		return "";
	}
}

static void put_run(FILE *stream, const struct mm_region *region, const struct frame_run *run)
{
	put_range(stream, "page", "pages", run->page, run->npages);
	fputs(" -> ", stream);
	put_range(stream, "pfn", "pfn", run->pfn.n, run->kind == FRAME_RUN_ZEROS ? 1 : run->npages);
	fputs(remark(region, run->kind), stream);
}

static void put_runs(FILE *stream, const struct mm_region *region, const struct frame_runs *runs)
{
	uint64_t npages = (region->end - region->start) >> PAGE_SHIFT, present = 0;

	for (size_t i = 0; i < runs->n; i++) {
		fputs(i == 0 ? " " : i % RUNS_A_LINE == 0 ? ",\n " : ", ", stream);
		put_run(stream, region, &runs->run[i]);
		present += runs->run[i].npages;
	}
	if (present > 0)
		fprintf(stream, "; %" PRIu64 " of %" PRIu64 " present\n", present, npages);
	else
		fprintf(stream, " none of %" PRIu64 " present\n", npages);
}

static int put_mappings(struct ctx *ctx, struct mm *mm, FILE *stream)
{
	struct frame_runs runs = { 0 };
	struct mm_region region;
	struct object *object;
	ksim_addr at = 0;
	int more;

	while ((more = frames_of_region(ctx, mm, at, &region, &runs, &object)) > 0) {
		object_put(ctx, object);
		ctx_drain(ctx);
		flockfile(stream);
		put_region(stream, &region);
		put_runs(stream, &region, &runs);
		funlockfile(stream);
		at = region.end;
	}
	free(runs.run);
	return more;
}

int ksim_dump_maps(const struct ksim_process *p, FILE *stream)
{
	struct ctx ctx;
	struct mm *mm;
	int err;

	kernel_ctx(p->machine->kernel, &ctx, "dump_maps");
	err = process_borrow(&ctx, p->kernel, &mm, NULL);
	if (err == 0) {
		err = put_mappings(&ctx, mm, stream);
		mm_put(&ctx, mm);
		ctx_drain(&ctx);
	}
	return dump_result(err, stream);
}

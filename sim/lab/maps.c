// SPDX-License-Identifier: MIT
/*
 * An address space as text.
 *
 *	7fffeffe0000-7fffeffe4000 r--s 00000000 00:01 5                          /memfd:wl_shm (deleted)
 *
 * Linux puts a blank behind the inode number and, before a name, as many more as make 73 columns of it all.
 *
 * Locking: none: regions are copied out one by one.
 * Linux: fs/proc/task_mmu.c, fs/seq_file.c. Not modelled: [heap], [stack] and names of anonymous memory.
 */
#include "lab/lab.h"

#include <errno.h>
#include <inttypes.h>

enum { NAME_COLUMN = 73 };

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

int ksim_dump_maps(const struct ksim_process *p, FILE *stream)
{
	struct mm_region region;
	struct ctx ctx;
	struct mm *mm;
	int err;

	kernel_ctx(p->machine->kernel, &ctx, "dump_maps");
	err = process_borrow(&ctx, p->kernel, &mm, NULL);
	if (err < 0) {
		errno = -err;
		return -1;
	}
	for (ksim_addr at = 0; mm_region(&ctx, mm, at, &region); at = region.end)
		put_region(stream, &region);
	mm_put(&ctx, mm);
	ctx_drain(&ctx);
	if (ferror(stream)) {
		errno = EIO;
		return -1;
	}
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * memfd: a file of shared memory that has no name in any directory (shmfile.c does the rest), and what the flags of its
 * creation say of seals and of executing it.
 *
 *	flags                    vm.memfd_noexec   mode   seals
 *	EXEC                     0, 1 (2: EACCES)  0777   SEAL, or none with ALLOW_SEALING
 *	NOEXEC_SEAL              any               0666   EXEC
 *	neither                  0: as EXEC; 1, 2: as NOEXEC_SEAL
 *
 * A memfd of huge pages has an inode whose pages are that size, and an object that has them from the pool; it cannot be
 * written to by calls.
 *
 * I1  a memfd has no link
 *
 * Locking: none; nobody else knows the file yet.
 * Linux: mm/memfd.c, fs/hugetlbfs/inode.c.
 */
#include "vfs/shmfile.h"

#include "object/hugefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MODE_EXEC = 0777, MODE_NOEXEC = 0666 };
enum { NOEXEC_NONE, NOEXEC_DEFAULT, NOEXEC_ENFORCED }; /* vm.memfd_noexec */

#define HUGE_SIZE_SHIFT 26
#define HUGE_SIZE_MASK  0x3fu
#define HUGE_BYTES_LOG2 21 /* the one size that there is */

static int memfd_describe(const struct file *file, char *text, size_t size)
{
	return snprintf(text, size, "/memfd:%s (deleted)", file->inode->name);
}

static const struct file_ops memfd_ops = {
	.name = "memfd",
	.read = shmfile_read,
	.write = shmfile_write,
	.seekable = true,
	.describe = memfd_describe,
};

/* Of huge pages: no write, as in hugetlbfs. */
static const struct file_ops huge_memfd_ops = {
	.name = "memfd",
	.read = shmfile_read,
	.seekable = true,
	.describe = memfd_describe,
};

/* What the sysctl makes of the flags. */
static int judge_exec(const struct ctx *ctx, unsigned *flags)
{
	const struct profile *profile = &ctx->env->profile;
	uint32_t level = __atomic_load_n(&ctx->env->sysctl.memfd_noexec, __ATOMIC_RELAXED);

	if (!profile->memfd_noexec)
		return 0;
	if (!(*flags & (MEMFD_EXEC | MEMFD_NOEXEC_SEAL))) {
		if (level >= NOEXEC_ENFORCED && profile->memfd_flagless_refused)
			return -EINVAL;
		*flags |= level == NOEXEC_NONE ? MEMFD_EXEC : MEMFD_NOEXEC_SEAL;
	}
	return *flags & MEMFD_EXEC && level >= NOEXEC_ENFORCED ? -EACCES : 0;
}

int memfd_check_flags(const struct ctx *ctx, unsigned *flags)
{
	const struct profile *profile = &ctx->env->profile;
	unsigned known = MEMFD_CLOEXEC | MEMFD_ALLOW_SEALING | MEMFD_HUGETLB;

	if (profile->memfd_noexec)
		known |= MEMFD_NOEXEC_SEAL | MEMFD_EXEC;
	if (*flags & MEMFD_HUGETLB)
		known |= HUGE_SIZE_MASK << HUGE_SIZE_SHIFT;
	if (*flags & ~known || (*flags & MEMFD_EXEC && *flags & MEMFD_NOEXEC_SEAL))
		return -EINVAL;
	if (*flags & MEMFD_HUGETLB && *flags & MEMFD_ALLOW_SEALING && !profile->memfd_huge_sealing)
		return -EINVAL;
	return judge_exec(ctx, flags);
}

/* Of the pages that the flags ask for, bytes; 0: ordinary ones. */
static int page_size(unsigned flags, uint32_t *bytes)
{
	unsigned log2 = flags >> HUGE_SIZE_SHIFT & HUGE_SIZE_MASK;

	*bytes = 0;
	if (!(flags & MEMFD_HUGETLB))
		return 0;
	if (log2 != 0 && log2 != HUGE_BYTES_LOG2)
		return -ENODEV;
	*bytes = 1u << HUGE_BYTES_LOG2;
	return 0;
}

static uint32_t first_seals(unsigned flags)
{
	if (flags & MEMFD_NOEXEC_SEAL)
		return SEAL_EXEC;
	return flags & MEMFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL;
}

int memfd_create_file(struct ctx *ctx, const char *name, unsigned flags, struct file **out)
{
	struct object *object;
	struct inode *inode;
	uint32_t huge_bytes;
	int err = memfd_check_flags(ctx, &flags);

	if (err < 0)
		return err;
	if (strlen(name) > MEMFD_NAME_MAX)
		return -EINVAL;
	err = page_size(flags, &huge_bytes);
	if (err < 0)
		return err;
	if (huge_bytes != 0)
		err = object_create_huge(ctx, 0, &object);
	else if (ctx->env->memfd_ops != NULL)
		err = object_create_foreign(ctx, ctx->env->memfd_ops, &object);
	else
		err = object_create_shmem(ctx, 0, &object);
	if (err < 0)
		return err;
	err = inode_create(ctx, S_IFREG | (flags & MEMFD_NOEXEC_SEAL ? MODE_NOEXEC : MODE_EXEC), name, object, &inode);
	if (err < 0)
		goto undo_object;
	inode->nlink = 0;
	inode->seals = first_seals(flags);
	inode->huge_bytes = huge_bytes;
	err = file_create(ctx, huge_bytes != 0 ? &huge_memfd_ops : &memfd_ops, inode, FILE_RDWR | FILE_LARGEFILE, out);
	if (err < 0)
		goto undo_inode;
	return 0;
undo_inode:
	inode_put(ctx, inode); /* and the object with it */
	return err;
undo_object:
	object_put(ctx, object);
	return err;
}

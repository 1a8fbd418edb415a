// SPDX-License-Identifier: MIT
/*
 * Calls on address spaces: mmap, munmap, mprotect, mremap, brk.
 *
 * mmap is checked in Linux's order, which programs can see when two things are wrong at once:
 *
 *	offset unaligned; descriptor; size of huge pages; length 0; too many mappings, length and address, what is there
 *	already, what may be locked (mm); kind of mapping and its flags; what the file allows (vfs); then limits,
 *	memory, and, what was there before being gone, the offset of huge pages (mm)
 *
 * Since mm is asked once, at the end, it is asked for its part of these errors when another has been found (refusal).
 *
 * A shared anonymous mapping is an object of its own, of the mapping's length, that nobody else can name. So is an
 * anonymous mapping of huge pages, private ones too, which Linux makes of a file of its own, and checks as one.
 *
 * I1  length and address that reach mm are whole pages, and lie in user space as far as that does not need the map
 *
 * Locking: none of its own. Linux: do_mmap in mm/mmap.c, ksys_mmap_pgoff, do_mprotect_pkey in mm/mprotect.c,
 * check_mremap_params in mm/mremap.c. Not modelled: MAP_DROPPABLE (EOPNOTSUPP), protection keys; that a fixed mapping
 * of a socket, which fails, has unmapped what was there; huge pages of 1 GiB, of which there are none (ENOMEM).
 */
#include "syscall/handlers.h"

#include "object/hugefile.h"

#include <errno.h>

/* As all architectures here number them. */
enum {
	MAP_KIND_SHARED = 1,
	MAP_KIND_PRIVATE = 2,
	MAP_KIND_VALIDATE = 3,
	MAP_KIND_DROPPABLE = 8,
	MAP_KIND_BITS = 0xf,
	MAP_F_FIXED = 0x10,
	MAP_F_ANONYMOUS = 0x20,
	MAP_F_32BIT = 0x40,   /* x86_64 only */
	MAP_F_ABOVE4G = 0x80, /* likewise */
	MAP_F_GROWSDOWN = 0x100,
	MAP_F_DENYWRITE = 0x800,
	MAP_F_EXECUTABLE = 0x1000,
	MAP_F_LOCKED = 0x2000,
	MAP_F_NORESERVE = 0x4000,
	MAP_F_POPULATE = 0x8000,
	MAP_F_NONBLOCK = 0x10000,
	MAP_F_STACK = 0x20000,
	MAP_F_HUGETLB = 0x40000,
	MAP_F_FIXED_NOREPLACE = 0x100000,
	MAP_F_UNINITIALIZED = 0x4000000,
};

/* Flags that MAP_SHARED_VALIDATE knows: those that are older than it, and the huge-page sizes. */
#define MAP_F_LEGACY                                                                                                \
	(MAP_KIND_SHARED | MAP_KIND_PRIVATE | MAP_F_FIXED | MAP_F_ANONYMOUS | MAP_F_DENYWRITE | MAP_F_EXECUTABLE |  \
	 MAP_F_UNINITIALIZED | MAP_F_GROWSDOWN | MAP_F_LOCKED | MAP_F_NORESERVE | MAP_F_POPULATE | MAP_F_NONBLOCK | \
	 MAP_F_STACK | MAP_F_HUGETLB | UINT64_C(0x7c000000))

enum {
	HUGE_LOG2 = 21,
	GIANT_LOG2 = 30
}; /* sizes of huge pages: the one that there is, and one that Linux knows, too */

enum { PROT_ALL = PROT_R | PROT_W | PROT_X };
enum { PROT_F_SEM = 8 };
enum { MREMAP_F_MAYMOVE = 1, MREMAP_F_FIXED = 2, MREMAP_F_DONTUNMAP = 4, MREMAP_F_ALL = 7 };

struct mapping {
	const struct syscall_frame *frame;
	uint64_t flags;
	uint64_t offset;   /* bytes */
	struct file *file; /* NULL: anonymous */
	bool huge;         /* of huge pages */
	struct mm_map map;
};

/* Length and address, as far as the map is not needed. */
static int check_range(struct mapping *m)
{
	struct mm_map *map = &m->map;
	uint64_t length = map->length;

	if (m->huge)
		length = map->length = (length + (UINT64_C(1) << HUGE_LOG2) - 1) >> HUGE_LOG2 << HUGE_LOG2;
	if (length == 0)
		return -EINVAL;
	map->length = page_up(length);
	if (map->length < length || map->length > MM_MAX)
		return -ENOMEM;
	map->noreplace = m->flags & MAP_F_FIXED_NOREPLACE;
	map->fixed = map->noreplace || m->flags & MAP_F_FIXED;
	if (!map->fixed) {
		map->addr = page_down(map->addr);
		return 0;
	}
	/* Linux's own slip: it takes an address at the very top for an errno. */
	if (map->addr > UINT64_MAX - PAGE_BYTES + 1)
		return (int)map->addr;
	if (map->addr > MM_MAX - map->length)
		return -ENOMEM;
	if (map->addr != page_down(map->addr))
		return -EINVAL;
	return map->addr < MM_MIN ? -EPERM : 0;
}

static int check_file_kind(struct mapping *m)
{
	uint64_t known = MAP_F_LEGACY;

	if (m->offset >> PAGE_SHIFT > (INT64_MAX - m->map.length) >> PAGE_SHIFT)
		return -EOVERFLOW;
	if (m->frame->abi == KSIM_ARCH_X86_64)
		known |= MAP_F_32BIT | MAP_F_ABOVE4G;
	switch (m->flags & MAP_KIND_BITS) {
	case MAP_KIND_VALIDATE:
		if (m->flags & ~known)
			return -EOPNOTSUPP;
		break;
	case MAP_KIND_SHARED:
	case MAP_KIND_PRIVATE:
		break;
	default:
		return -EINVAL;
	}
	m->map.shared = (m->flags & MAP_KIND_BITS) != MAP_KIND_PRIVATE;
	return 0;
}

static int describe_file(struct mapping *m)
{
	struct vfs_mapping found;
	int err = check_file_kind(m);

	if (err < 0)
		return err;
	err = vfs_map(m->frame->ctx, m->file, m->map.prot, m->map.shared, &found);
	if (err < 0)
		return err;
	if (m->flags & MAP_F_GROWSDOWN)
		return -EINVAL;
	m->map.max_prot = found.max_prot;
	m->map.demote = found.demote;
	if (m->map.shared && file_writable(m->file) && !(found.max_prot & PROT_W))
		m->map.flags |= VMA_DEMOTED;
	m->map.object = found.object;
	m->map.backing = found.backing;
	m->map.pgidx = m->offset >> PAGE_SHIFT;
	return 0;
}

/* Anonymous memory of huge pages is a file's. */
static int describe_huge(struct mapping *m)
{
	int err = check_file_kind(m);

	if (err < 0)
		return err;
	if (m->flags & MAP_F_GROWSDOWN)
		return -EINVAL;
	m->map.max_prot = PROT_ALL;
	m->map.pgidx = m->offset >> PAGE_SHIFT;
	return (m->flags >> 26 & 0x3f) == GIANT_LOG2 ? -ENOMEM : 0;
}

static int describe_anonymous(struct mapping *m)
{
	uint64_t kind = m->flags & MAP_KIND_BITS;

	if (kind == MAP_KIND_DROPPABLE)
		return -EOPNOTSUPP;
	if (kind != MAP_KIND_SHARED && kind != MAP_KIND_PRIVATE)
		return -EINVAL;
	m->map.shared = kind == MAP_KIND_SHARED;
	m->map.max_prot = PROT_ALL;
	if (m->map.shared && m->flags & MAP_F_GROWSDOWN)
		return -EINVAL;
	return 0;
}

/* What else the flags say that mm must know. */
static void set_flags(struct mapping *m)
{
	struct mm_map *map = &m->map;

	map->noreserve = m->flags & MAP_F_NORESERVE;
	map->populate = (m->flags & (MAP_F_POPULATE | MAP_F_NONBLOCK)) == MAP_F_POPULATE;
	map->flags |= m->flags & MAP_F_LOCKED ? VMA_LOCKED : 0;
	map->flags |= m->flags & MAP_F_GROWSDOWN ? VMA_GROWSDOWN : 0;
	map->flags |= m->huge ? VMA_HUGETLB : 0;
	map->flags |= m->flags & MAP_F_STACK ? VMA_NOHUGE : 0; /* stacks grow page by page */
	if (m->frame->abi == KSIM_ARCH_X86_64) {
		map->low = m->flags & MAP_F_32BIT;
		map->high = m->flags & MAP_F_ABOVE4G;
	}
}

static long map_it(struct mapping *m)
{
	struct ctx *ctx = m->frame->ctx;
	struct object *fresh = NULL;
	ksim_addr start;
	int err;

	if (m->file == NULL && (m->map.shared || m->huge)) {
		err = m->huge ? object_create_huge(ctx, m->offset + m->map.length, &fresh)
		              : object_create_shmem(ctx, m->map.length, &fresh);
		if (err < 0)
			return err;
		m->map.object = fresh;
	}
	err = mm_map(ctx, m->frame->process->mm, &m->map, &start);
	object_put(ctx, fresh);
	return err < 0 ? err : (long)start;
}

/* Whether it is of huge pages; of anonymous ones the size is judged before all else. 0 or -EINVAL */
static int check_huge(struct mapping *m)
{
	unsigned log2 = m->flags >> 26 & 0x3f; /* 0: the default */

	m->huge = m->file != NULL ? m->file->inode->huge_bytes != 0 : (m->flags & MAP_F_HUGETLB) != 0;
	if (!(m->flags & MAP_F_HUGETLB))
		return 0;
	if (m->file != NULL)
		return m->huge ? 0 : -EINVAL;
	return log2 == 0 || log2 == HUGE_LOG2 || log2 == GIANT_LOG2 ? 0 : -EINVAL;
}

/* What goes before an error that was found later than Linux looks at the map. */
static int refusal(const struct mapping *m, int err)
{
	int refused = mm_map_refused(m->frame->ctx, m->frame->process->mm, &m->map);

	return refused < 0 ? refused : err;
}

static long map_checked(struct mapping *m)
{
	int err = check_huge(m);

	if (err == 0)
		err = check_range(m);
	if (err < 0)
		return err;
	set_flags(m);
	err = m->file != NULL ? describe_file(m) : m->huge ? describe_huge(m) : describe_anonymous(m);
	return err < 0 ? refusal(m, err) : map_it(m);
}

long sys_mmap(const struct syscall_frame *frame)
{
	struct mapping m = {
		.frame = frame,
		.flags = frame->args[3],
		.offset = frame->args[5],
		.map = { .addr = frame->args[0], .length = frame->args[1], .prot = frame->args[2] & PROT_ALL },
	};
	long result;

	if (m.offset & ~PAGE_MASK)
		return -EINVAL;
	if (!(m.flags & MAP_F_ANONYMOUS)) {
		m.file = arg_file(frame, 4);
		if (m.file == NULL)
			return -EBADF;
	}
	result = map_checked(&m);
	file_put(frame->ctx, m.file);
	return result;
}

long sys_munmap(const struct syscall_frame *frame)
{
	ksim_addr addr = frame->args[0];
	uint64_t length = frame->args[1];

	if (addr & ~PAGE_MASK || addr > MM_MAX || length > MM_MAX - addr || length == 0)
		return -EINVAL;
	return mm_unmap(frame->ctx, frame->process->mm, addr, page_up(length));
}

long sys_mprotect(const struct syscall_frame *frame)
{
	const uint64_t grows = PROT_FROM_STACK_START | PROT_TO_STACK_END;
	ksim_addr addr = frame->args[0];
	uint64_t length = page_up(frame->args[1]);
	uint64_t prot = frame->args[2];

	if ((prot & grows) == grows || addr & ~PAGE_MASK)
		return -EINVAL;
	if (frame->args[1] == 0)
		return 0;
	if (length == 0 || addr + length <= addr)
		return -ENOMEM;
	if (prot & ~(PROT_ALL | PROT_F_SEM | grows))
		return -EINVAL;
	/* What lies before the end of user space is changed, and there a hole is found. */
	if (addr >= PT_SPAN)
		return -ENOMEM;
	return mm_protect(frame->ctx, frame->process->mm, addr, MIN(length, PT_SPAN - addr),
	                  (unsigned)(prot & (PROT_ALL | grows)));
}

static int check_remap(const struct ctx *ctx, uint64_t flags, const struct mm_remap *what)
{
	if (what->keep && !ctx->env->profile.mremap_keeps)
		return -EINVAL;
	if (flags & ~(uint64_t)MREMAP_F_ALL || what->addr & ~PAGE_MASK || what->length == 0 || what->length > MM_MAX)
		return -EINVAL;
	if (!what->fixed && !what->keep)
		return 0;
	if (what->to > MM_MAX - what->length || what->to & ~PAGE_MASK || !what->may_move)
		return -EINVAL;
	return what->keep && what->old_length != what->length ? -EINVAL : 0;
}

long sys_mremap(const struct syscall_frame *frame)
{
	uint64_t flags = frame->args[3];
	struct mm_remap what = {
		.addr = frame->args[0],
		.old_length = page_up(frame->args[1]),
		.length = page_up(frame->args[2]),
		.to = frame->args[4],
		.may_move = flags & MREMAP_F_MAYMOVE,
		.fixed = flags & MREMAP_F_FIXED,
		.keep = flags & MREMAP_F_DONTUNMAP,
	};
	int err = check_remap(frame->ctx, flags, &what);
	ksim_addr at = 0;

	if (err == 0)
		err = mm_remap(frame->ctx, frame->process->mm, &what, &at);
	return err < 0 ? err : (long)at;
}

long sys_brk(const struct syscall_frame *frame)
{
	return (long)mm_brk(frame->ctx, frame->process->mm, frame->args[0]);
}

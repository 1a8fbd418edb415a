/* SPDX-License-Identifier: MIT */
/*
 * An address space: which ranges are mapped to what (VMAs), and the page table that faults fill.
 */
#ifndef MM_MM_H
#define MM_MM_H

#include "base/ranges.h"
#include "base/ref.h"
#include "host/slab.h"
#include "mm/notifier.h"
#include "object/object.h"
#include "pgtable/pgtable.h"
#include "phys/runs.h"

/** User addresses that may be mapped: [MM_MIN, MM_MAX), or less, see mm_confine. Placement goes down from MM_TOP. */
#define MM_MIN UINT64_C(0x10000)
#define MM_MAX (PT_SPAN - PAGE_BYTES)
#define MM_TOP UINT64_C(0x7ffff0000000)
/** Where the heap begins, as after a program of one page without address randomisation. */
#define MM_BRK UINT64_C(0x555555555000)
/** What else there is to say of a VMA; two that differ in any are not merged. */
enum vma_flag {
	VMA_LOCKED = 1 << 0,        /* mlock, MAP_LOCKED */
	VMA_LOCK_ON_FAULT = 1 << 1, /* MLOCK_ONFAULT: locked, with VMA_LOCKED */
	VMA_DONTFORK = 1 << 2,      /* MADV_DONTFORK */
	VMA_WIPEONFORK = 1 << 3,    /* MADV_WIPEONFORK */
	VMA_GROWSDOWN = 1 << 4,     /* MAP_GROWSDOWN */
	VMA_HUGETLB = 1 << 5,       /* MAP_HUGETLB: pages of 2 MiB from the pool; its object's are such */
	VMA_HUGE = 1 << 6,          /* MADV_HUGEPAGE */
	VMA_NOHUGE = 1 << 7,        /* MADV_NOHUGEPAGE */
	VMA_SEQUENTIAL = 1 << 8,    /* MADV_SEQUENTIAL */
	VMA_RANDOM = 1 << 9,        /* MADV_RANDOM */
	VMA_DONTDUMP = 1 << 10,     /* MADV_DONTDUMP */
	VMA_MERGEABLE = 1 << 11,    /* MADV_MERGEABLE */
	VMA_GUARD = 1 << 12,        /* MADV_GUARD_INSTALL was said of some of it: there may be guards */
	VMA_ACCOUNT = 1 << 13,      /* private memory that may be written, or could be once: it is accounted for */
	VMA_DEMOTED = 1 << 14,      /* shared, of a file that may be written but for a seal */
};

enum { PROT_R = 1, PROT_W = 2, PROT_X = 4 }; /* as PROT_READ, PROT_WRITE, PROT_EXEC */

/*
 * One mapped range.
 *
 * m written under the map lock exclusive, read under either kind; o written under the object's lock, read under it;
 * m+o written under both, read under either; c constant while it is in the tree
 */
struct vma {
	struct mapper mapper;    /* o  of the object, if there is one */
	struct mm *mm;           /* c  owner */
	ksim_addr start;         /* m+o  page aligned; written under map lock and object lock */
	ksim_addr end;           /* m+o  exclusive */
	uint64_t pgidx;          /* m+o  page index of start; without object of where its pages were made: anon.c */
	uint8_t prot;            /* m  what is allowed now */
	uint8_t max_prot;        /* c  what mprotect may ever allow */
	bool shared;             /* c  MAP_SHARED */
	bool noreserve;          /* c  MAP_NORESERVE */
	bool anon_of_parent;     /* m  anon.c */
	bool in_slab;            /* c  its memory is of mm->vma_slab */
	uint32_t flags;          /* m  enum vma_flag */
	uint64_t anon;           /* set once under either kind of map lock: anon.c; 0: no private page yet */
	struct object *object;   /* c  our reference; NULL = private anonymous */
	struct backing *backing; /* c  our reference to the open file; NULL = anonymous */
	struct promise *promise; /* c  our reference: the huge pages that a private mapping is owed; NULL: none */
	bool robbed;             /* a  of huge pages that who made the mapping took back: absent ones cannot be had */
	struct origin origin;    /* c  the call that made it */
	struct vma *chain;       /* of the call that made it or took it out, while it is in no tree */
};

/* Where mappings may lie: [min, max); they are placed going down from top. */
struct mm_bounds {
	ksim_addr min, top, max;
};

/* m map lock; n notifier_lock; c constant */
struct mm {
	struct ref ref;
	struct origin origin;       /* c */
	struct env *env;            /* c */
	struct mm_bounds bounds;    /* c */
	bool eager;                 /* c  see mm_confine */
	struct rwlock map;          /* RANK_MM_MAP: shared for faults, exclusive for changes of VMAs */
	struct ranges vmas;         /* m  by address */
	struct slab nodes;          /* of vmas, when there are many; and of these: */
	struct slab vma_slab;       /* those that are in_slab */
	ksim_addr brk_start, brk;   /* m  the heap: where it begins, page aligned, and its end, to the byte */
	uint64_t pages;             /* m  of all VMAs */
	uint64_t pages_peak;        /* m  and the most that there ever were */
	uint64_t data_pages;        /* m  of private VMAs that may be written, and are no stacks */
	uint64_t stack_pages;       /* m  of VMAs with VMA_GROWSDOWN */
	uint64_t locked;            /* m  pages of VMAs with VMA_LOCKED */
	uint64_t anon_numbers;      /* the last one that was given out: anon.c */
	uint32_t lock_future;       /* m  mlockall(MCL_FUTURE): VMA_LOCKED... of whatever is mapped from now on */
	struct pgtable pt;          /* nodes: pgtable.h; entries: the leaf locks */
	struct mutex notifier_lock; /* RANK_TLB_LIST */
	LIST_HEAD(, mmu_notifier) notifiers; /* n */
};

/** What a user's access ran into. */
struct fault {
	int signo; /* SIGSEGV, SIGBUS; SIGKILL: no memory, where Linux would run its OOM killer */
	int code;  /* SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR */
	ksim_addr addr;
	const char *why; /* SIGKILL: which allocation failed */
	bool limited;    /* SIGKILL: there may be RAM, but the limit of the caller's memory group is reached: */
	uint64_t limit;  /* its bytes */
};

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };

int mm_create(struct ctx *ctx, struct mm **out);
/**
 * For a user who reaches memory by addresses of the host's: nothing is ever mapped outside of [min, max); and, since
 * the accesses are not seen, entries are set for what is there already when it is mapped, and an entry counts as
 * accessed, and one that may be written as dirty, from when it is set. Before anything is mapped; a fork's copy is
 * confined as its parent is.
 */
void mm_confine(struct mm *mm, ksim_addr min, ksim_addr max);
void mm_get(struct mm *mm);
/** The last put unmaps everything. NULL is legal. */
void mm_put(struct ctx *ctx, struct mm *mm);
/** A copy-on-write copy of everything mapped. 0 or -ENOMEM (what there was of it is on ctx's drop list). */
int mm_fork(struct ctx *ctx, struct mm *parent, struct mm **out);

/** What to map; everything has been checked that does not need the map. */
struct mm_map {
	ksim_addr addr;  /* page aligned; 0: anywhere */
	uint64_t length; /* bytes, page aligned, > 0 */
	bool fixed;      /* exactly there; replace what is there */
	bool noreplace;  /* exactly there; -EEXIST if anything is, also with fixed */
	bool low;        /* in the second GiB, wherever other mappings go (MAP_32BIT) */
	bool high;       /* above 4 GiB (MAP_ABOVE4G) */
	bool populate;   /* bring the pages in, as if VMA_LOCKED */
	uint8_t prot;
	uint8_t max_prot;
	bool shared;
	bool noreserve;
	uint32_t flags; /* enum vma_flag */
	bool demote;    /* writers denied: map without the right to write instead of -EPERM, if prot allows */
	uint64_t pgidx;
	struct object *object;   /* borrowed; NULL = private anonymous; with VMA_HUGETLB one of huge pages */
	struct backing *backing; /* borrowed */
};

/**
 * @return 0; -ENOMEM (no room; more than max_map_count VMAs; RLIMIT_AS, RLIMIT_DATA; no memory), -EPERM (below MM_MIN,
 * or writers are denied, or memory may not be locked), -EEXIST, -EAGAIN (more locked memory than there may be), -EINVAL
 * (it begins, or cuts what is there, in a huge page). With VMA_HUGETLB, length and pgidx are of whole huge pages;
 * -ENOMEM if the pool cannot promise them, and what lay at a fixed place is gone then, as on Linux.
 */
int mm_map(struct ctx *ctx, struct mm *mm, const struct mm_map *what, ksim_addr *out);
/**
 * What mm_map would answer as far as only addr, length, fixed, noreplace, low, high and flags matter: Linux finds that
 * out before it looks at the file, so that error goes before what is wrong with the file. 0 or an errno.
 */
int mm_map_refused(struct ctx *ctx, struct mm *mm, const struct mm_map *what);
/**
 * addr page aligned, length > 0 and rounded up. 0; -EINVAL (out of user space; a huge page would be cut), -ENOMEM (no
 * room for a split).
 */
int mm_unmap(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length);
/** For the prot of mm_protect, as PROT_GROWSDOWN and PROT_GROWSUP: from or up to where the VMA can grow. */
enum { PROT_FROM_STACK_START = 0x01000000, PROT_TO_STACK_END = 0x02000000 };
/**
 * 0; -ENOMEM (a hole, what lies before it is changed; too many VMAs; RLIMIT_DATA), -EACCES (beyond max_prot, likewise),
 * -EINVAL (the VMA does not grow that way; a huge page would be cut)
 */
int mm_protect(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length, unsigned prot);

/** What mremap is asked for; flags and alignment have been checked. */
struct mm_remap {
	ksim_addr addr;      /* page aligned */
	uint64_t old_length; /* bytes, page aligned; 0: map the shared pages at addr once more */
	uint64_t length;     /* bytes, page aligned, > 0 */
	ksim_addr to;        /* page aligned, with fixed or keep */
	bool may_move;
	bool fixed; /* to `to`, replacing what is there */
	bool keep;  /* leave the range mapped, without its pages (MREMAP_DONTUNMAP); `to` is a hint unless fixed */
};

/**
 * 0; -EFAULT (nothing is mapped at addr, or something else is before the end), -EINVAL (private pages cannot be mapped
 * once more; the ranges overlap; out of user space; huge pages that are not to be moved as a whole), -ENOMEM (no room
 * and may not move; too many VMAs; limits; no memory),
 * -EAGAIN (more locked memory than there may be), -EPERM (below MM_MIN). As on Linux, what lay at a fixed destination
 * may be gone when it fails for a limit, and of several VMAs the first may have been moved.
 */
int mm_remap(struct ctx *ctx, struct mm *mm, const struct mm_remap *what, ksim_addr *out);

/** Move the end of the heap, if that can be. @return where it is then */
ksim_addr mm_brk(struct ctx *ctx, struct mm *mm, ksim_addr to);

/**
 * Make the stack above an address that nothing is mapped at reach down to it. 0; -EFAULT (there is none), -ENOMEM (its
 * limits, the guard gap below, no memory), -EPERM (below MM_MIN). The map lock is not held.
 */
int mm_grow_down(struct ctx *ctx, struct mm *mm, ksim_addr addr);

/**
 * Make the page table allow an access, or say why not.
 * @return 0: it does now (or someone else made it so); else *fault says what the access runs into:
 *   -EFAULT  SIGSEGV or SIGBUS
 *   -ENOMEM  SIGKILL: no frame or kernel object was left, and the memory had been promised
 */
int mm_fault(struct ctx *ctx, struct mm *mm, ksim_addr addr, enum access access, struct fault *fault);

/**
 * Set the entries of [start, end), page aligned, whose pages are there: those of objects, up to their end. Makes no
 * page, and is content with less when nodes run out. Tells the notifiers what it set.
 */
void mm_populate(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end);

/** Whether an entry of 2 MiB maps the address now. */
bool mm_is_huge(struct ctx *ctx, struct mm *mm, ksim_addr addr);

/** For mm_populate_range: what to do about a page that cannot be had. */
enum populate_errors {
	POPULATE_STOPS,   /* it is the call's failure */
	POPULATE_GOES_ON, /* at the next VMA, and the call succeeds */
};

/**
 * Bring in the pages of a range, as mlock, mlockall, MAP_LOCKED and MAP_POPULATE do: as if each was written to where
 * the VMA is private and writable, else read; holes are passed over, and VMAs that are locked on fault. Page-aligned.
 * Takes the map lock itself.
 * @return 0; with POPULATE_STOPS -EFAULT (PROT_NONE, or past the end of the file), -ENOMEM
 */
int mm_populate_range(struct ctx *ctx, struct mm *mm, ksim_addr start, uint64_t length, enum populate_errors errors);

/**
 * Whether the caller may lock memory at all: 0 or -EPERM (its limit is 0).
 */
int mm_may_lock(const struct ctx *ctx);
/**
 * Whether `pages` more may be mapped with these VMA flags as far as RLIMIT_MEMLOCK goes: mm->lock_future counts as part
 * of them. Map lock held. What mmap, mremap and brk answer with EAGAIN when it is false.
 */
bool mm_lock_fits(const struct ctx *ctx, const struct mm *mm, uint32_t flags, uint64_t pages);

/** flags of mm_lock. */
enum { MM_LOCK_ON_FAULT = 1 };

/**
 * mlock2: whole pages that cover [addr, addr + length). 0; -EPERM (the limit is 0), -ENOMEM (over the limit; a hole;
 * too many VMAs; a page that cannot be had), -EINVAL (wraps), -EAGAIN (no memory)
 */
int mm_lock(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length, unsigned flags);
/** 0; -ENOMEM (a hole, what lies before it is unlocked; too many VMAs), -EINVAL (wraps) */
int mm_unlock(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length);

/** flags of mm_lock_all, as MCL_*. */
enum { MM_LOCK_CURRENT = 1, MM_LOCK_FUTURE = 2, MM_LOCK_ALL_ON_FAULT = 4 };

/** mlockall. 0; -EINVAL, -EPERM, -ENOMEM (over the limit) */
int mm_lock_all(struct ctx *ctx, struct mm *mm, unsigned flags);
void mm_unlock_all(struct ctx *ctx, struct mm *mm);

/**
 * madvise, advice as Linux numbers it. 0, or what madvise(2) says: -EINVAL, -ENOMEM, -EAGAIN, -EACCES, -EPERM, -EFAULT
 */
int mm_advise(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length, int advice);

/** msync; flags as MS_*. 0; -EINVAL, -ENOMEM (a hole), -EBUSY (MS_INVALIDATE of locked memory) */
int mm_sync(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length, int flags);

/**
 * Which of up to n pages from addr on are in memory, a byte each: 1 or 0. Stops at the end of a VMA.
 * @return how many there is an answer for, > 0; -ENOMEM: nothing is mapped at addr
 */
ssize_t mm_residency(struct ctx *ctx, struct mm *mm, ksim_addr addr, size_t n, unsigned char *out);

/**
 * Copy between user memory of any address space and the host buffer, as process_vm_readv and process_vm_writev do: the
 * VMA must allow the access by its own bits. No lock may be held. @return bytes copied from the start
 */
size_t mm_copy_remote(struct ctx *ctx, struct mm *mm, ksim_addr addr, void *host, size_t n, bool to_user);

/** user_ops over ctx->mm. */
extern const struct user_ops mm_user_ops;

void mm_notifier_add(struct ctx *ctx, struct mm *mm, struct mmu_notifier *notifier);
void mm_notifier_remove(struct ctx *ctx, struct mm *mm, struct mmu_notifier *notifier);
/** Keep invalidations out while a notifier edits what its invalidate reads. */
void mm_notifiers_lock(struct ctx *ctx, struct mm *mm);
void mm_notifiers_unlock(struct ctx *ctx, struct mm *mm);

/** One line of /proc/pid/maps, in numbers. */
struct mm_region {
	ksim_addr start, end;
	uint8_t prot, max_prot;
	bool shared, noreserve;
	uint32_t flags;  /* enum vma_flag */
	uint64_t offset; /* bytes into the file */
	uint64_t inode, dev;
	char name[288];
	bool has_object;
	uint64_t object_size;      /* bytes */
	const struct owner *owner; /* who made it */
	const char *call;
	uint64_t epoch;
};

/** The first region with end > at: false if there is none. */
bool mm_region(struct ctx *ctx, struct mm *mm, ksim_addr at, struct mm_region *out);
/**
 * The same, and what stands behind it at that moment.
 *
 * @param runs    gets what the page table has there; pages of an object by their index in it, others counted from the
 *                region's start
 * @param object  out: the object, with a reference for the caller; NULL: there is none
 */
bool mm_region_runs(struct ctx *ctx, struct mm *mm, ksim_addr at, struct mm_region *out, struct frame_runs *runs,
                    struct object **object);

struct mm_translation {
	pfn_t pfn;
	unsigned flags;         /* PTE_READ... */
	uint64_t page_bytes;    /* of the entry: 4 KiB or 2 MiB */
	uint32_t refs, mappers; /* of the frame, a huge entry counted as one of each */
	enum frame_use use;
};

/** What stands behind an address now: 0 or -EFAULT if no entry is present. */
int mm_translate(struct ctx *ctx, struct mm *mm, ksim_addr addr, struct mm_translation *out);

/** Validator of VMAs, page table and counts; exact when no call is under way. */
void mm_check(struct ctx *ctx, struct mm *mm, struct check_report *report);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * An address space: which ranges are mapped to what (VMAs), and the page table that faults fill.
 */
#ifndef MM_MM_H
#define MM_MM_H

#include "base/ranges.h"
#include "base/ref.h"
#include "mm/notifier.h"
#include "object/object.h"
#include "pgtable/pgtable.h"
#include "phys/runs.h"

/** User addresses that may be mapped: [MM_MIN, MM_MAX), or less, see mm_confine. Placement goes down from MM_TOP. */
#define MM_MIN UINT64_C(0x10000)
#define MM_MAX (PT_SPAN - PAGE_BYTES)
#define MM_TOP UINT64_C(0x7ffff0000000)
/** What else there is to say of a VMA; two that differ in any are not merged. */
enum vma_flag {
	VMA_LOCKED = 1 << 0,        /* mlock, MAP_LOCKED */
	VMA_LOCK_ON_FAULT = 1 << 1, /* MLOCK_ONFAULT: locked, with VMA_LOCKED */
	VMA_DONTFORK = 1 << 2,      /* MADV_DONTFORK */
	VMA_WIPEONFORK = 1 << 3,    /* MADV_WIPEONFORK */
	VMA_GROWSDOWN = 1 << 4,     /* MAP_GROWSDOWN */
	VMA_HUGETLB = 1 << 5,       /* MAP_HUGETLB: pages of 2 MiB from the pool */
	VMA_HUGE = 1 << 6,          /* MADV_HUGEPAGE */
	VMA_NOHUGE = 1 << 7,        /* MADV_NOHUGEPAGE */
	VMA_SEQUENTIAL = 1 << 8,    /* MADV_SEQUENTIAL */
	VMA_RANDOM = 1 << 9,        /* MADV_RANDOM */
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
	uint64_t pgidx;          /* m+o  page index of start; start / 4096 where there is no object */
	uint8_t prot;            /* m  what is allowed now */
	uint8_t max_prot;        /* c  what mprotect may ever allow */
	bool shared;             /* c  MAP_SHARED */
	bool noreserve;          /* c  MAP_NORESERVE */
	uint32_t flags;          /* m  enum vma_flag */
	struct object *object;   /* c  our reference; NULL = private anonymous */
	struct backing *backing; /* c  our reference to the open file; NULL = anonymous */
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
	struct origin origin;                /* c */
	struct env *env;                     /* c */
	struct mm_bounds bounds;             /* c */
	bool eager;                          /* c  see mm_confine */
	struct rwlock map;                   /* RANK_MM_MAP: shared for faults, exclusive for changes of VMAs */
	struct ranges vmas;                  /* m  by address */
	struct pgtable pt;                   /* nodes: pgtable.h; entries: the leaf locks */
	struct mutex notifier_lock;          /* RANK_TLB_LIST */
	LIST_HEAD(, mmu_notifier) notifiers; /* n */
};

/** What a user's access ran into. */
struct fault {
	int signo; /* SIGSEGV, SIGBUS; SIGKILL: no memory, where Linux would run its OOM killer */
	int code;  /* SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR */
	ksim_addr addr;
	const char *why; /* SIGKILL: which allocation failed */
};

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };

int mm_create(struct ctx *ctx, struct mm **out);
/**
 * For a user who reaches memory by addresses of the host's: nothing is ever mapped outside of [min, max); and, since the
 * accesses are not seen, entries are set for what is there already when it is mapped, and an entry counts as accessed,
 * and one that may be written as dirty, from when it is set. Before anything is mapped; a fork's copy is confined as
 * its parent is.
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
	uint8_t prot;
	uint8_t max_prot;
	bool shared;
	bool noreserve;
	uint32_t flags; /* enum vma_flag */
	bool demote;    /* writers denied: map without the right to write instead of -EPERM, if prot allows */
	uint64_t pgidx;
	struct object *object;   /* borrowed; NULL = private anonymous */
	struct backing *backing; /* borrowed */
};

/** @return 0; -ENOMEM, -EPERM (below MM_MIN, or writers are denied), -EEXIST */
int mm_map(struct ctx *ctx, struct mm *mm, const struct mm_map *what, ksim_addr *out);
/** addr page aligned, length > 0 and rounded up. 0; -EINVAL (out of user space), -ENOMEM (no room for a split). */
int mm_unmap(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length);
/** 0; -ENOMEM (a hole, what lies before it is changed), -EACCES (beyond max_prot, likewise). */
int mm_protect(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length, unsigned prot);

/**
 * Make the page table allow an access, or say why not.
 * @return 0: it does now (or someone else made it so); else *fault says what the access runs into:
 *   -EFAULT  SIGSEGV or SIGBUS
 *   -ENOMEM  SIGKILL: no frame or kernel object was left, and the memory had been promised
 */
int mm_fault(struct ctx *ctx, struct mm *mm, ksim_addr addr, enum access access, struct fault *fault);

/**
 * Set the entries of [start, end), page aligned, whose pages are there: those of objects, up to their end. Makes no page,
 * and is content with less when nodes run out. Tells the notifiers what it set.
 */
void mm_populate(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end);

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
	bool shared;
	uint64_t offset; /* bytes into the file */
	uint64_t inode;
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
	unsigned flags; /* PTE_READ... */
	uint32_t refs, mappers;
	enum frame_use use;
};

/** What stands behind an address now: 0 or -EFAULT if no entry is present. */
int mm_translate(struct ctx *ctx, struct mm *mm, ksim_addr addr, struct mm_translation *out);

/** Validator of VMAs, page table and counts; exact when no call is under way. */
void mm_check(struct ctx *ctx, struct mm *mm, struct check_report *report);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A memfd's pages by somebody else's hand: for kernel developers who want to try their own in a machine.
 *
 *	const struct ksim_object_ops my_memfd_ops = {
 *		.bytes = sizeof(my_memfd_ops),
 *		.name = "mine",
 *		.create = my_create, .page = my_page, .resize = my_resize, .punch = my_punch, .next = my_next,
 *		.destroy = my_destroy,
 *	};
 *	struct ksim_config config = { .memfd_ops = &my_memfd_ops };
 *
 * Every memfd of that machine, but those of huge pages (MFD_HUGETLB), is then made of such an object, and everything
 * else works over it: mmap and faults, copy-on-write, read and write, truncation, seals, fork, passing. What Linux
 * promises of all that are the tests of <ksim/abi.h>.
 *
 * Unstable: this is a seam of the kernel's, and moves with it from one version of ksim to the next.
 *
 * Nothing here but plain C: functions, fixed-size integers, pointers, one struct of function pointers; no bit-fields,
 * no inline functions, no macros to call. So the ops can be written in any language that can be called from C.
 *
 * What the kernel keeps itself, for each object: its size in bytes, who maps it, who may write. What the object keeps:
 * which frame stands at which page index.
 *
 * Rules for the ops.
 *   - The calls for one object never overlap, whoever makes them; those for different objects may. An op is called with
 *     a lock held: it must not block, and must call nothing of ksim's but the functions below.
 *   - An op may be called on any host thread, with any process acting; thread-local state means nothing.
 *   - A frame belongs to whoever holds a reference. The object holds one for each frame that it keeps, from
 *     ksim_frame_alloc() until ksim_frame_put(); the kernel takes further ones for mappings and for calls under way. So
 *     an object may let a frame go at any time: it is recycled when nobody maps it any more.
 *   - While a page is there its frame stays the same one; `page` and `next` tell of the same pages.
 * A rule that is seen to be broken (another answer than those below, a frame that is none of ksim_frame_alloc()'s) ends
 * the program with a sentence; frames that an object never gives back are what ksim_halt() counts.
 */
#ifndef KSIM_KERNEL_OBJECT_H
#define KSIM_KERNEL_OBJECT_H

#include <ksim/types.h>

KSIM_BEGIN_DECLS

/** On whose behalf an op is called; opaque, and valid until the op returns, on the thread that it was called on. */
struct ksim_call;

/**
 * A frame of simulated RAM for the object, 4096 bytes of zeros, with one reference, which is the object's. On the
 * account of the process that called.
 * @return 0; -ENOMEM: RAM, or what the process may use of it, is exhausted, or it is made to fail on purpose
 */
KSIM_EXPORT int ksim_frame_alloc(struct ksim_call *call, struct ksim_pfn *out);
/** One more reference, for who keeps a frame twice. The caller has one. */
KSIM_EXPORT void ksim_frame_get(struct ksim_call *call, struct ksim_pfn frame);
/** Let a reference go; with the last one the frame is free, and its content gone. */
KSIM_EXPORT void ksim_frame_put(struct ksim_call *call, struct ksim_pfn frame);
/**
 * The host address of a frame's 4096 bytes, aligned so; valid while there is a reference. Processes may load and store
 * there at the same time.
 */
KSIM_EXPORT void *ksim_frame_ptr(struct ksim_call *call, struct ksim_pfn frame);

/** The largest page index there can be: pages are 4096 bytes, sizes are below 2^63. */
#define KSIM_OBJECT_INDEX_MAX ((UINT64_C(1) << 51) - 1)

/**
 * What an object can do; every op must be there, or ksim_boot() fails with EINVAL. Errors are negative errno values, and
 * those that are named here. The struct, its name and arg must be valid until ksim_halt(); it is never written to.
 */
struct ksim_object_ops {
	uint64_t bytes;   /**< sizeof(struct ksim_object_ops), as its author knows it */
	const char *name; /**< for reports; a constant */
	void *arg;        /**< for create */

	/**
	 * A new object, of size 0.
	 * @param object  out: what the other ops get
	 * @return 0; -ENOMEM, and memfd_create fails with it, as with any other negative errno
	 */
	int (*create)(struct ksim_call *call, void *arg, void **object);

	/**
	 * The frame of a page; the object keeps its reference.
	 * @param index  of the page: it lies below the object's size, or it is about to
	 * @param make   0: -ENOENT if there is none; else make it, of zeros
	 * @return 0; -ENOENT; -ENOMEM
	 */
	int (*page)(struct ksim_call *call, void *object, uint64_t index, int make, struct ksim_pfn *out);

	/**
	 * The file has been cut to this size, or given the one that it has: let every page go that begins at or beyond
	 * it. What the last page holds beyond the end is the kernel's business. Cannot fail. Growth is told to nobody.
	 * @param size  bytes
	 */
	void (*resize)(struct ksim_call *call, void *object, uint64_t size);

	/** Let pages [first, last] go, as far as they are there. Cannot fail. */
	void (*punch)(struct ksim_call *call, void *object, uint64_t first, uint64_t last);

	/** The first page at or beyond *index that is there: 0 and its index, or -ENOENT. */
	int (*next)(struct ksim_call *call, void *object, uint64_t *index);

	/** The object's end: let all go. Nobody maps it, and no other op is called any more. */
	void (*destroy)(struct ksim_call *call, void *object);
};

KSIM_END_DECLS

#endif

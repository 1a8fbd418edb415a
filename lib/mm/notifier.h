/* SPDX-License-Identifier: MIT */
/*
 * Those who keep translations of their own and must hear when one ends: TLBs, windows.
 * Linux: include/linux/mmu_notifier.h.
 */
#ifndef MM_NOTIFIER_H
#define MM_NOTIFIER_H

#include <sys/queue.h>

#include "base/ctx.h"

struct mmu_notifier {
	LIST_ENTRY(mmu_notifier) link; /* RANK_TLB_LIST of the mm */
	/**
	 * Forget every translation in [start, end), and return only when nobody uses one any more.
	 * Cannot fail, allocates nothing, takes no lock. The caller holds the list's lock, often a leaf lock,
	 * and frees what the translations led to right after.
	 * @param nodes  no translation is left there, but page-table nodes that lead there are about to be freed: only
	 *               walks that may still be among them are to be waited for
	 */
	void (*invalidate)(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end, bool nodes);
	/**
	 * Entries of [start, end) have been set: take them over, if that is wanted. Under the same locks and rules. Who
	 * has this is not told to forget a page that is replaced by a copy, but told here, afterwards, of the copy:
	 * what it kept of the old one must be gone when this returns. NULL: translations are found when they are
	 * missed.
	 */
	void (*filled)(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end);
};

#endif

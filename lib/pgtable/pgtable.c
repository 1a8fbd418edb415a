// SPDX-License-Identifier: MIT
/*
 * The radix tree: its root, finding a slot, making the nodes on the way to it, visiting a range.
 *
 *   address   47..39   38..30   29..21   20..12   11..0
 *   node      root     upper    upper    leaf     (byte)
 *   shift     39       30       21       12
 *
 * I1  a hooked node is a frame of use FRAME_TABLE with one reference, that of the entry that points to it
 * I2  an entry above the leaves is 0, or a table's pfn with exactly table_bits, or, at the second level, a huge entry
 *     of 2 MiB (huge.c)
 * I3  an absent entry is 0
 * I4  nothing hangs on the root's upper half: user addresses lie below PT_SPAN
 * I5  nodes = nodes reachable from the root, itself included
 * I6  `children` of a node between root and leaves = its present entries. The root needs no such count, and the struct
 *     frames of the roots of two processes may lie on one cache line
 *
 * Locking: hooking a node takes none: whoever's compare-exchange comes first has made it, the others free theirs.
 * A node appears only zeroed; its absence may be seen too late but never its half. Nodes are unhooked only under the
 * map lock held exclusive (detach.c). Leaf entries are guarded by the lock in their node's struct frame, huge entries
 * by one for all of the table.
 * Linux: mm/memory.c (__pte_alloc), mm/pagewalk.c. Not modelled: entries of 1 GiB, five levels.
 */
#include "pgtable/node.h"

#include <errno.h>

int pt_init(struct ctx *ctx, struct pgtable *pt, const struct pte_format *format)
{
	struct phys *phys = ctx->env->phys;
	int err;

	*pt = (struct pgtable){
		.format = format,
		.phys = phys,
		.ram = phys->ram,
		.huge_bit = format->huge_bit,
		.huge_flip = format->huge_flip,
		.nodes = 1,
	};
	err = frame_alloc(ctx, FRAME_TABLE, FRAME_ZERO, &pt->root);
	if (err == 0)
		pt->top = node_entries(pt, pt->root);
	return err;
}

struct stop pt_stop(const struct pgtable *pt, ksim_addr addr, unsigned lowest)
{
	struct stop at = { .node = pt->root };

	for (at.shift = PT_ROOT_SHIFT;; at.shift -= PT_INDEX_BITS) {
		pte_t pte;

		at.entry = &node_entries(pt, at.node)[node_index(addr, at.shift)];
		if (at.shift == lowest)
			return at;
		pte = pte_read(at.entry);
		if (!pte_present(pte))
			return at;
		at.huge = at.shift == PT_HUGE_SHIFT && pte_huge(pt->format, pte);
		if (at.huge)
			return at;
		at.node = pte_pfn(pte);
	}
}

static struct pt_slot slot_of(const struct pgtable *pt, struct stop at)
{
	return (struct pt_slot){ .entry = at.entry, .node = frame_of(pt->phys, at.node) };
}

int pt_hook_node(struct ctx *ctx, struct pgtable *pt, struct stop at)
{
	pfn_t node;
	int err = frame_alloc(ctx, FRAME_TABLE, FRAME_ZERO, &node);

	if (err < 0)
		return err;
	if (pte_compare_exchange(at.entry, PTE_NONE, (pte_t){ node.n << PAGE_SHIFT | pt->format->table_bits })) {
		if (at.shift < PT_ROOT_SHIFT)
			__atomic_fetch_add(&frame_of(pt->phys, at.node)->children, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&pt->nodes, 1, __ATOMIC_RELAXED);
	} else {
		frame_put_zeros(ctx, node);
	}
	return 0;
}

int pt_ensure(struct ctx *ctx, struct pgtable *pt, ksim_addr addr, struct pt_slot *slot)
{
	while (!pt_find(pt, addr, slot)) {
		struct stop at = pt_stop(pt, addr, PT_LEAF_SHIFT);
		int err = 0;

		if (at.huge)
			pt_split(ctx, pt, addr);
		else if (at.shift != PT_LEAF_SHIFT)
			err = pt_hook_node(ctx, pt, at);
		if (err < 0)
			return err;
	}
	return 0;
}

int pt_visit(struct ctx *ctx, struct pgtable *pt, ksim_addr start, ksim_addr end, const struct pt_visitor *visitor,
             void *arg)
{
	KSIM_ASSERT(ctx, (start | end) % PAGE_BYTES == 0 && end <= PT_SPAN,
	            "a visited range is pages of user addresses", "[%#llx, %#llx)", (unsigned long long)start,
	            (unsigned long long)end);
	while (start < end) {
		struct stop at = pt_stop(pt, start, PT_LEAF_SHIFT);
		ksim_addr next = MIN(entry_end(start, PT_HUGE_SHIFT), end);
		size_t n = (next - start) >> PAGE_SHIFT;
		int result;

		if (at.huge && visitor->huge != NULL && (n == PT_ENTRIES || visitor->parts)) {
			result = visitor->huge(ctx, pt, (struct pt_slot){ at.entry, &pt->second }, start, n, arg);
		} else if (at.huge) {
			pt_split(ctx, pt, start);
			continue;
		} else if (at.shift != PT_LEAF_SHIFT) {
			start = entry_end(start, at.shift);
			continue;
		} else {
			result = visitor->leaf(ctx, pt, slot_of(pt, at), start, n, arg);
		}
		if (result != 0)
			return result;
		start = next;
	}
	return 0;
}

int pt_for_each_leaf(struct ctx *ctx, struct pgtable *pt, ksim_addr start, ksim_addr end, pt_leaf_fn *fn, void *arg)
{
	return pt_visit(ctx, pt, start, end, &(struct pt_visitor){ .leaf = fn }, arg);
}

// SPDX-License-Identifier: MIT
/*
 * Frame numbers by page index, in nodes of 64.
 *
 *	height 2    root, level 1:  [ 0 ][ 1 ] ...   one child for each 64 pages
 *	                              |
 *	            leaf, level 0:  [pfn][pfn][ 0 ]  one frame number for each page
 *
 * Every node has a word with a bit for each slot that holds something, so that the next filled slot is a count of
 * trailing zeros and an absent subtree costs nothing. The tree grows at its root when an index does not fit.
 *
 * A node that holds nothing is idle: it was reserved and not used yet, or its last page has gone. Idle nodes hang on a
 * list, so that reserving can be undone, and removal be followed by a prune, at the cost of the nodes that go and not
 * of those that stay. After a prune the tree is the same whatever has been in it before.
 *
 * I1  bit i of `present` is set if and only if slot i holds a child (branch) or a frame number (leaf)
 * I2  a node is on the idle list if and only if its `present` is 0
 * I3  a child is one level below its parent, and knows it and the slot it hangs in
 * I4  count is the number of frame numbers in all leaves
 * I5  only a slot that holds a frame number is marked; nmarked is the number of those in all leaves
 *
 * I6  whatever radix_peek follows is complete before it is linked: a node, a root with all that was there under it, a
 *     slot's mark and the frame's content before the frame number
 *
 * Locking: the caller's; radix_peek needs only that no node is freed and no slot cleared meanwhile. Linux:
 * lib/xarray.c, whose nodes and pages are freed after a grace period. Not modelled: multi-index entries, marks in
 * branches.
 */
#include "object/radix.h"

#include <errno.h>

#include "host/kmem.h"

#define SLOT_BITS  6
#define NSLOTS     (1u << SLOT_BITS)
#define SLOT_MASK  (NSLOTS - 1)
#define LEVELS_MAX 11 /* 66 bits */
#define LEAF_OF(n) container_of(n, struct leaf, head)
#define TWIG_OF(n) container_of(n, struct branch, head)

struct radix_node {
	struct branch *parent; /* NULL: the root */
	LIST_ENTRY(radix_node) idle;
	uint64_t present;
	uint8_t level; /* 0: a leaf */
	uint8_t slot;  /* of the parent */
};

struct leaf {
	struct radix_node head;
	uint32_t pfn[NSLOTS];
	uint64_t marked; /* a bit for each slot */
};

struct branch {
	struct radix_node head;
	struct radix_node *child[NSLOTS];
};

/* What an index looks like from a level: how far it is shifted, and its slot there. */

static unsigned shift_of(unsigned level)
{
	return level * SLOT_BITS;
}

static unsigned slot_at(uint64_t index, unsigned level)
{
	return (unsigned)(index >> shift_of(level)) & SLOT_MASK;
}

static bool covers(const struct radix *r, uint64_t index)
{
	return r->height == LEVELS_MAX || index >> shift_of(r->height) == 0;
}

/* Life of a node. */

static size_t node_bytes(unsigned level)
{
	return level == 0 ? sizeof(struct leaf) : sizeof(struct branch);
}

static struct radix_node *node_create(struct ctx *ctx, struct radix *r, unsigned level)
{
	struct radix_node *node = kmem_alloc(ctx, node_bytes(level));

	if (node == NULL)
		return NULL;
	node->level = (uint8_t)level;
	LIST_INSERT_HEAD(&r->idle, node, idle);
	return node;
}

static void fill_bit(struct radix_node *node, unsigned slot)
{
	if (node->present == 0)
		LIST_REMOVE(node, idle);
	node->present |= UINT64_C(1) << slot;
}

static void clear_bit(struct radix *r, struct radix_node *node, unsigned slot)
{
	node->present &= ~(UINT64_C(1) << slot);
	if (node->present == 0)
		LIST_INSERT_HEAD(&r->idle, node, idle);
}

static void link_child(struct branch *parent, unsigned slot, struct radix_node *child)
{
	child->parent = parent;
	child->slot = (uint8_t)slot;
	fill_bit(&parent->head, slot);
	__atomic_store_n(&parent->child[slot], child, __ATOMIC_RELEASE);
}

void radix_init(struct radix *r)
{
	*r = (struct radix){ .height = 0 };
	LIST_INIT(&r->idle);
}

static struct leaf *find_leaf(const struct radix *r, uint64_t index)
{
	struct radix_node *node = r->root;

	if (node == NULL || !covers(r, index))
		return NULL;
	while (node != NULL && node->level > 0)
		node = TWIG_OF(node)->child[slot_at(index, node->level)];
	return node != NULL ? LEAF_OF(node) : NULL;
}

pfn_t radix_get(const struct radix *r, uint64_t index)
{
	const struct leaf *leaf = find_leaf(r, index);

	return leaf != NULL ? (pfn_t){ leaf->pfn[index & SLOT_MASK] } : PFN_NONE;
}

pfn_t radix_peek(const struct radix *r, uint64_t index, bool *marked)
{
	const struct radix_node *node = __atomic_load_n(&r->root, __ATOMIC_ACQUIRE);
	const struct leaf *leaf;
	pfn_t pfn;

	*marked = false;
	/* The root itself says how much it covers: height may be another's already. */
	if (node == NULL || (node->level + 1u < LEVELS_MAX && index >> shift_of(node->level + 1u) != 0))
		return PFN_NONE;
	while (node->level > 0) {
		node = __atomic_load_n(&TWIG_OF(node)->child[slot_at(index, node->level)], __ATOMIC_ACQUIRE);
		if (node == NULL)
			return PFN_NONE;
	}
	leaf = LEAF_OF(node);
	pfn.n = __atomic_load_n(&leaf->pfn[index & SLOT_MASK], __ATOMIC_ACQUIRE);
	*marked = __atomic_load_n(&leaf->marked, __ATOMIC_RELAXED) >> (index & SLOT_MASK) & 1;
	return pfn;
}

pfn_t radix_block(const struct radix *r, uint64_t index)
{
	pfn_t head = radix_get(r, index);

	if (head.n == 0 || head.n % HUGE_FRAMES != 0)
		return PFN_NONE;
	for (uint64_t at = 0; at < HUGE_FRAMES; at += NSLOTS) {
		const struct leaf *leaf = find_leaf(r, index + at);
		uint32_t wrong = 0;

		if (leaf == NULL)
			return PFN_NONE;
		for (unsigned slot = 0; slot < NSLOTS; slot++)
			wrong |= leaf->pfn[slot] ^ ((uint32_t)(head.n + at) + slot);
		if (wrong != 0)
			return PFN_NONE;
	}
	return head;
}

/* Put roots on top until the index fits. */
static int grow(struct ctx *ctx, struct radix *r, uint64_t index)
{
	while (r->root == NULL || !covers(r, index)) {
		struct radix_node *root;

		if (r->root == NULL)
			while (!covers(r, index >> SLOT_BITS))
				r->height++;
		root = node_create(ctx, r, r->height);
		if (root == NULL) {
			r->height = r->root != NULL ? r->height : 0;
			return -ENOMEM;
		}
		if (r->root != NULL)
			link_child(TWIG_OF(root), 0, r->root);
		__atomic_store_n(&r->root, root, __ATOMIC_RELEASE);
		r->height++;
	}
	return 0;
}

static int make_leaf(struct ctx *ctx, struct radix *r, uint64_t index)
{
	struct radix_node *node = r->root;

	while (node->level > 0) {
		unsigned slot = slot_at(index, node->level);
		struct radix_node *child = TWIG_OF(node)->child[slot];

		if (child == NULL) {
			child = node_create(ctx, r, node->level - 1u);
			if (child == NULL)
				return -ENOMEM;
			link_child(TWIG_OF(node), slot, child);
		}
		node = child;
	}
	return 0;
}

int radix_reserve(struct ctx *ctx, struct radix *r, uint64_t first, uint64_t n)
{
	uint64_t last = first + n - 1;
	int err;

	KSIM_ASSERT(ctx, n > 0 && last >= first, "a reserved range is not empty and does not wrap", "%llu from %llu",
	            (unsigned long long)n, (unsigned long long)first);
	err = grow(ctx, r, last);
	for (uint64_t leaf = first >> SLOT_BITS; err == 0 && leaf <= last >> SLOT_BITS; leaf++)
		err = make_leaf(ctx, r, leaf << SLOT_BITS);
	return err;
}

static void set_marks(struct leaf *leaf, uint64_t marked)
{
	__atomic_store_n(&leaf->marked, marked, __ATOMIC_RELAXED);
}

static void radix_fill(struct radix *r, uint64_t index, pfn_t pfn, bool marked)
{
	struct leaf *leaf = find_leaf(r, index);
	unsigned slot = index & SLOT_MASK;

	KSIM_ASSERT(NULL, leaf != NULL && leaf->pfn[slot] == 0, "a page goes into an empty reserved slot",
	            "index %#llx, %s", (unsigned long long)index, leaf != NULL ? "filled" : "not reserved");
	KSIM_ASSERT(NULL, pfn.n != 0 && pfn.n <= UINT32_MAX, "a slot holds a frame's number", "pfn %#llx",
	            (unsigned long long)pfn.n);
	if (marked) {
		set_marks(leaf, leaf->marked | UINT64_C(1) << slot);
		r->nmarked++;
	}
	__atomic_store_n(&leaf->pfn[slot], (uint32_t)pfn.n, __ATOMIC_RELEASE);
	fill_bit(&leaf->head, slot);
	r->count++;
}

void radix_set(struct radix *r, uint64_t index, pfn_t pfn)
{
	radix_fill(r, index, pfn, false);
}

void radix_set_marked(struct radix *r, uint64_t index, pfn_t pfn)
{
	radix_fill(r, index, pfn, true);
}

static void unmark(struct radix *r, struct leaf *leaf, unsigned slot)
{
	if (likely(leaf->marked == 0))
		return;
	r->nmarked -= leaf->marked >> slot & 1;
	set_marks(leaf, leaf->marked & ~(UINT64_C(1) << slot));
}

pfn_t radix_clear(struct radix *r, uint64_t index)
{
	struct leaf *leaf = find_leaf(r, index);
	unsigned slot = index & SLOT_MASK;
	pfn_t was = leaf != NULL ? (pfn_t){ leaf->pfn[slot] } : PFN_NONE;

	if (was.n == 0)
		return was;
	leaf->pfn[slot] = 0;
	unmark(r, leaf, slot);
	clear_bit(r, &leaf->head, slot);
	r->count--;
	return was;
}

void radix_mark(struct radix *r, uint64_t index)
{
	struct leaf *leaf = find_leaf(r, index);
	unsigned slot = index & SLOT_MASK;

	KSIM_ASSERT(NULL, leaf != NULL && leaf->pfn[slot] != 0, "a page is there to be marked", "index %#llx",
	            (unsigned long long)index);
	r->nmarked += !(leaf->marked >> slot & 1);
	set_marks(leaf, leaf->marked | UINT64_C(1) << slot);
}

bool radix_marked(const struct radix *r, uint64_t index)
{
	const struct leaf *leaf = find_leaf(r, index);

	return leaf != NULL && leaf->marked >> (index & SLOT_MASK) & 1;
}

pfn_t radix_get_unmark(struct radix *r, uint64_t index)
{
	struct leaf *leaf = find_leaf(r, index);
	unsigned slot = index & SLOT_MASK;

	if (leaf == NULL)
		return PFN_NONE;
	unmark(r, leaf, slot);
	return (pfn_t){ leaf->pfn[slot] };
}

/* From a node with nothing more to the right of index: up, and one slot on. NULL at the end of the tree. */
static const struct radix_node *climb(const struct radix_node *node, uint64_t *index)
{
	for (; node->parent != NULL; node = &node->parent->head) {
		unsigned shift = shift_of(node->parent->head.level);
		uint64_t on = ((*index >> shift) + 1) << shift;

		if (node->slot < SLOT_MASK && on > *index) {
			*index = on;
			return &node->parent->head;
		}
	}
	return NULL;
}

/* What a walk stops at: of a leaf the pages that it looks for, of a branch the children. */
static uint64_t wanted(const struct radix_node *node, bool marked_too)
{
	return node->level > 0 || marked_too ? node->present : node->present & ~LEAF_OF(node)->marked;
}

static bool next(const struct radix *r, uint64_t index, bool marked_too, uint64_t *found, pfn_t *pfn)
{
	const struct radix_node *node = r->root;

	if (node == NULL || !covers(r, index))
		return false;
	while (node != NULL) {
		unsigned shift = shift_of(node->level), slot = slot_at(index, node->level);
		uint64_t rest = wanted(node, marked_too) >> slot;

		if (rest == 0) {
			node = climb(node, &index);
			continue;
		}
		if ((rest & 1) == 0) {
			slot += (unsigned)__builtin_ctzll(rest);
			index = ((index >> shift & ~(uint64_t)SLOT_MASK) | slot) << shift;
		}
		if (node->level == 0) {
			*found = index;
			*pfn = (pfn_t){ LEAF_OF(node)->pfn[slot] };
			return true;
		}
		node = TWIG_OF(node)->child[slot];
	}
	return false;
}

bool radix_next(const struct radix *r, uint64_t index, uint64_t *found, pfn_t *pfn)
{
	return next(r, index, true, found, pfn);
}

bool radix_next_unmarked(const struct radix *r, uint64_t index, uint64_t *found)
{
	pfn_t pfn;

	return next(r, index, false, found, &pfn);
}

uint64_t radix_next_gap(const struct radix *r, uint64_t index)
{
	const struct leaf *leaf;

	while ((leaf = find_leaf(r, index)) != NULL) {
		uint64_t gaps = ~wanted(&leaf->head, false) >> (index & SLOT_MASK);

		if (gaps != 0)
			return index + (unsigned)__builtin_ctzll(gaps);
		index = (index | SLOT_MASK) + 1;
	}
	return index;
}

void radix_prune(struct env *env, struct radix *r)
{
	struct radix_node *node;

	while ((node = LIST_FIRST(&r->idle)) != NULL) {
		LIST_REMOVE(node, idle);
		if (node->parent != NULL) {
			node->parent->child[node->slot] = NULL;
			clear_bit(r, &node->parent->head, node->slot);
		} else {
			r->root = NULL;
			r->height = 0;
		}
		kmem_free(env, node, node_bytes(node->level));
	}
	while (r->height > 1 && r->root->present == 1) {
		struct branch *root = TWIG_OF(r->root);

		r->root = root->child[0];
		r->root->parent = NULL;
		r->height--;
		kmem_free(env, root, sizeof(*root));
	}
}

void radix_fini(struct env *env, struct radix *r)
{
	KSIM_ASSERT(NULL, r->count == 0, "a radix tree ends empty", "%llu pages are left",
	            (unsigned long long)r->count);
	radix_prune(env, r);
}

/* What a walk over all nodes finds. */
struct tally {
	uint64_t filled;
	uint64_t idle;
	uint64_t marked;
};

static void check_node(const struct radix_node *node, struct tally *tally, struct check_report *report)
{
	tally->idle += node->present == 0;
	if (node->level == 0) {
		uint64_t marked = LEAF_OF(node)->marked;

		tally->marked += (uint64_t)__builtin_popcountll(marked);
		CHECK_THAT(report, (marked & ~node->present) == 0, "radix I5: a marked slot is filled",
		           "marked %#llx, filled %#llx", (unsigned long long)marked, (unsigned long long)node->present);
	}
	for (unsigned slot = 0; slot < NSLOTS; slot++) {
		bool bit = node->present >> slot & 1;
		const struct radix_node *child;

		if (node->level == 0) {
			tally->filled += bit;
			CHECK_THAT(report, bit == (LEAF_OF(node)->pfn[slot] != 0), "radix I1: a bit for each page",
			           "slot %u, bit %d, pfn %#x", slot, bit, LEAF_OF(node)->pfn[slot]);
			continue;
		}
		child = TWIG_OF(node)->child[slot];
		CHECK_THAT(report, bit == (child != NULL), "radix I1: a bit for each child", "level %u, slot %u",
		           node->level, slot);
		if (child == NULL)
			continue;
		CHECK_THAT(report,
		           child->parent == TWIG_OF(node) && child->slot == slot && child->level + 1u == node->level,
		           "radix I3: a child is one level down and knows where", "level %u, slot %u: %u, %u",
		           node->level, slot, child->level, child->slot);
		if (child->level < node->level)
			check_node(child, tally, report);
	}
}

void radix_check(const struct radix *r, struct check_report *report)
{
	struct tally tally = { .filled = 0 };
	const struct radix_node *node;
	uint64_t nidle = 0;

	CHECK_THAT(report, (r->root != NULL ? r->root->level + 1u : 0) == r->height && r->height <= LEVELS_MAX,
	           "radix I3: the root is the highest level", "height %u", r->height);
	if (r->root != NULL)
		check_node(r->root, &tally, report);
	LIST_FOREACH(node, &r->idle, idle)
		nidle += node->present == 0;
	CHECK_THAT(report, tally.idle == nidle, "radix I2: the nodes that hold nothing are idle", "%llu, listed %llu",
	           (unsigned long long)tally.idle, (unsigned long long)nidle);
	CHECK_THAT(report, tally.filled == r->count, "radix I4: count pages are in the leaves", "%llu, count %llu",
	           (unsigned long long)tally.filled, (unsigned long long)r->count);
	CHECK_THAT(report, tally.marked == r->nmarked, "radix I5: nmarked pages are marked", "%llu, nmarked %llu",
	           (unsigned long long)tally.marked, (unsigned long long)r->nmarked);
}

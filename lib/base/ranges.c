// SPDX-License-Identifier: MIT
/*
 * Disjoint ranges in a B-tree of 16 ways.
 *
 *	inner node    end    [  40   95  .. ]      greatest end below each child
 *	              start  [  10   50  .. ]      least start below each child
 *	              gap    [   8    0  .. ]      largest gap between two neighbours below each child
 *	              child  [   |    |  .. ]
 *	                         |    +----------> leaf  end [60 95]  start [50 60]  value [c d]
 *	                         +---------------> leaf  end [20 40]  start [10 28]  value [a b]
 *
 * A search at every level takes the first slot whose end lies above the address: 16 comparisons of neighbouring words
 * without a branch. Gaps beyond a node's own first and last range belong to the node above it, so that a gap search
 * enters a child only when its answer is there or the window's border cuts through the child: O(height).
 *
 * A full node splits in the middle, except where ranges seem to arrive in order: at the first and last places of a
 * leaf, and at the low and high edge of the tree, nearly all slots stay together and a new node takes the newcomer.
 * A newcomer in front of a full leaf goes to the end of the leaf's left neighbour, if that has room.
 * Removal does not rebalance: a node with few slots left joins a neighbour if both fit into one node.
 *
 * What an insertion may need: a node a level below the root, and two when the root is full (its twin and a new root).
 * After that the root has 2 slots and cannot split again before 14 more insertions; a root that collapses gives its
 * node back. So k insertions need at most k * (height + 1 + k / 14) nodes, whatever is removed between them.
 *
 * I1  the slots of a node ascend and do not overlap; start < end
 * I2  an inner slot's start, end and gap are those of its child
 * I3  every node has a slot, an inner root two; all leaves are `height` levels down
 * I4  start and end of unused slots are UINT64_MAX
 * I5  the leaves' slots number `count`, the spares `nspares`
 *
 * Locking: the caller's.
 * Linux: lib/maple_tree.c, likewise of 16 ways and with gaps; it is also safe to read without a lock, this is not.
 */
#include "base/ranges.h"

#include <inttypes.h>
#include <string.h>

#include "base/util.h"

enum {
	WAYS = 16,
	FEW = 6, /* a node with fewer slots tries to join a neighbour */
	HEIGHT_MAX = 32,
	CACHE_LINE = 64,
	SPLITS_APART = 14, /* insertions between two splits of the root, at least */
};

struct ranges_node {
	uint64_t end[WAYS];
	union {
		void *value;               /* leaf */
		struct ranges_node *child; /* inner */
	} to[WAYS];
	uint64_t start[WAYS];
	uint64_t gap[WAYS]; /* inner */
	uint32_t n;         /* slots in use */
	bool marked;        /* of the owner; also while it is a spare */
};

/* What a slot holds. */
struct slot {
	uint64_t start, end, gap;
	void *value;
	struct ranges_node *child;
};

/* The way from the root to a slot of a leaf. */
struct path {
	struct {
		struct ranges_node *node;
		unsigned at;
	} level[HEIGHT_MAX];
	unsigned leaf; /* index of the last level */
};

size_t ranges_node_bytes(void)
{
	return sizeof(struct ranges_node);
}

void ranges_node_mark(void *node, bool marked)
{
	((struct ranges_node *)node)->marked = marked;
}

bool ranges_node_is_marked(const void *node)
{
	return ((const struct ranges_node *)node)->marked;
}

void ranges_init(struct ranges *r)
{
	*r = (struct ranges){ 0 };
}

/* Spares. */

unsigned ranges_shortage(const struct ranges *r, unsigned inserts)
{
	unsigned needed = inserts * (r->height + 1 + inserts / SPLITS_APART);

	return needed > r->nspares ? needed - r->nspares : 0;
}

void ranges_give(struct ranges *r, void *node)
{
	struct ranges_node *spare = node;

	spare->to[0].child = r->spares;
	r->spares = spare;
	r->nspares++;
}

void *ranges_take(struct ranges *r)
{
	struct ranges_node *spare = r->spares;

	if (spare == NULL)
		return NULL;
	r->spares = spare->to[0].child;
	r->nspares--;
	return spare;
}

/* Make the slots from n on unused. */
static void node_truncate(struct ranges_node *node, unsigned n)
{
	for (unsigned i = n; i < WAYS; i++)
		node->start[i] = node->end[i] = UINT64_MAX;
	node->n = n;
}

static struct ranges_node *node_new(struct ranges *r)
{
	struct ranges_node *node = ranges_take(r);

	KSIM_ASSERT(NULL, node != NULL, "an insertion has been given the nodes it needs", "height %u, %zu ranges",
	            r->height, r->count);
	node_truncate(node, 0);
	return node;
}

/* One node. */

/* How many slots end at or before `at`: the first slot above it, or n; without a branch for each. */
static inline unsigned slots_up_to(const struct ranges_node *node, uint64_t at)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WAYS; i++)
		n += node->end[i] <= at;
	return n;
}

static inline unsigned slots_starting_below(const struct ranges_node *node, uint64_t at)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WAYS; i++)
		n += node->start[i] < at;
	return n;
}

static void slots_move(struct ranges_node *to, unsigned to_at, const struct ranges_node *from, unsigned from_at,
                       unsigned n)
{
	memmove(&to->end[to_at], &from->end[from_at], n * sizeof(to->end[0]));
	memmove(&to->start[to_at], &from->start[from_at], n * sizeof(to->start[0]));
	memmove(&to->to[to_at], &from->to[from_at], n * sizeof(to->to[0]));
	memmove(&to->gap[to_at], &from->gap[from_at], n * sizeof(to->gap[0]));
}

static void slot_put(struct ranges_node *node, unsigned at, const struct slot *slot)
{
	slots_move(node, at + 1, node, at, node->n - at);
	node->start[at] = slot->start;
	node->end[at] = slot->end;
	node->gap[at] = slot->gap;
	if (slot->child != NULL)
		node->to[at].child = slot->child;
	else
		node->to[at].value = slot->value;
	node->n++;
}

static void slot_delete(struct ranges_node *node, unsigned at)
{
	slots_move(node, at, node, at + 1, node->n - at - 1);
	node_truncate(node, node->n - 1);
}

/* The slot that a parent should have for a node. */
static struct slot summary(struct ranges_node *node, bool leaf)
{
	struct slot slot = { .start = node->start[0], .end = node->end[node->n - 1], .child = node };

	for (unsigned i = 0; i < node->n; i++) {
		if (i > 0)
			slot.gap = MAX(slot.gap, node->start[i] - node->end[i - 1]);
		if (!leaf)
			slot.gap = MAX(slot.gap, node->gap[i]);
	}
	return slot;
}

/* Write node's summary into its slot; false if nothing changed. */
static bool slot_refresh(struct ranges_node *parent, unsigned at, bool child_is_leaf)
{
	struct slot slot = summary(parent->to[at].child, child_is_leaf);

	if (parent->start[at] == slot.start && parent->end[at] == slot.end && parent->gap[at] == slot.gap)
		return false;
	parent->start[at] = slot.start;
	parent->end[at] = slot.end;
	parent->gap[at] = slot.gap;
	return true;
}

/* Bring the levels above `level` up to date after a change of its node. */
static void path_refresh(struct path *path, unsigned level)
{
	for (; level > 0; level--)
		if (!slot_refresh(path->level[level - 1].node, path->level[level - 1].at, level == path->leaf))
			return;
}

/* Go to the first range with end > at, or to the place behind the last one. */
static void path_find(const struct ranges *r, uint64_t at, struct path *path)
{
	struct ranges_node *node = r->root;

	KSIM_ASSERT(NULL, r->height <= HEIGHT_MAX, "ranges I3: the height is bounded", "height %u", r->height);
	path->leaf = r->height - 1;
	for (unsigned level = 0; level <= path->leaf; level++) {
		unsigned slot = MIN(slots_up_to(node, at), node->n);

		if (level < path->leaf && slot == node->n)
			slot--;
		path->level[level].node = node;
		path->level[level].at = slot;
		if (level < path->leaf)
			node = node->to[slot].child;
	}
}

/* The path to the range that begins at start. */
static void path_find_start(const struct ranges *r, uint64_t start, struct path *path)
{
	const struct ranges_node *leaf;
	unsigned at;

	KSIM_ASSERT(NULL, r->root != NULL, "a range is looked up where it is", "none at %#" PRIx64 ", empty", start);
	path_find(r, start, path);
	leaf = path->level[path->leaf].node;
	at = path->level[path->leaf].at;
	KSIM_ASSERT(NULL, at < leaf->n && leaf->start[at] == start, "a range is looked up where it is",
	            "none at %#" PRIx64, start);
}

/* Insertion. */

/* Whether every level above `level` goes through its first or its last slot. */
static bool on_edge(const struct path *path, unsigned level, bool low)
{
	for (unsigned i = 0; i < level; i++)
		if (path->level[i].at != (low ? 0 : path->level[i].node->n - 1))
			return false;
	return true;
}

/* How many slots of a full node stay where they are when the newcomer goes to `at`. */
static unsigned split_point(const struct path *path, unsigned level, unsigned at)
{
	bool leaf = level == path->leaf;

	if (at == WAYS && on_edge(path, level, false))
		return WAYS;
	if (at == 0 && (on_edge(path, level, true) || path->level[level - 1].at > 0))
		return 0;
	if (at == 1 && (leaf || on_edge(path, level, true)))
		return 1;
	if (at == WAYS - 1 && leaf)
		return WAYS - 1;
	return WAYS / 2;
}

/* Split a full node and put the slot into the proper half. @return the new right half */
static struct ranges_node *node_split(struct ranges *r, struct ranges_node *node, unsigned keep, unsigned at,
                                      const struct slot *slot)
{
	struct ranges_node *right = node_new(r);

	slots_move(right, 0, node, keep, WAYS - keep);
	node_truncate(right, WAYS - keep);
	node_truncate(node, keep);
	if (at <= keep && keep <= WAYS / 2)
		slot_put(node, at, slot);
	else
		slot_put(right, at - keep, slot);
	return right;
}

/* In front of a full leaf: let the neighbour on the left have the range, if it has room. */
static bool insert_on_left(struct path *path, const struct slot *slot)
{
	unsigned above = path->leaf - 1, at;
	struct ranges_node *parent, *left;

	if (path->leaf == 0 || path->level[path->leaf].at != 0 || path->level[above].at == 0)
		return false;
	parent = path->level[above].node;
	at = path->level[above].at - 1;
	left = parent->to[at].child;
	if (left->n == WAYS)
		return false;
	slot_put(left, left->n, slot);
	path->level[above].at = at;
	path_refresh(path, path->leaf);
	return true;
}

static void root_grow(struct ranges *r, const struct slot *right)
{
	struct ranges_node *root = node_new(r);
	struct slot left = summary(r->root, r->height == 1);

	slot_put(root, 0, &left);
	slot_put(root, 1, right);
	r->root = root;
	r->height++;
}

static void insert_at(struct ranges *r, struct path *path, struct slot slot)
{
	if (path->level[path->leaf].node->n == WAYS && insert_on_left(path, &slot))
		return;
	for (unsigned level = path->leaf;; level--) {
		struct ranges_node *node = path->level[level].node, *right;
		bool leaf = level == path->leaf;
		unsigned at = path->level[level].at + (leaf ? 0 : 1);

		if (node->n < WAYS) {
			slot_put(node, at, &slot);
			path_refresh(path, level);
			return;
		}
		right = node_split(r, node, split_point(path, level, at), at, &slot);
		slot = summary(right, leaf);
		if (level == 0)
			break;
		slot_refresh(path->level[level - 1].node, path->level[level - 1].at, leaf);
	}
	root_grow(r, &slot);
}

void ranges_insert(struct ranges *r, uint64_t start, uint64_t end, void *value)
{
	struct slot slot = { .start = start, .end = end, .value = value };
	const struct ranges_node *leaf;
	struct path path;
	unsigned at;

	KSIM_ASSERT(NULL, start < end, "a range is not empty", "[%#" PRIx64 ", %#" PRIx64 ")", start, end);
	if (r->root == NULL) {
		r->root = node_new(r);
		r->height = 1;
	}
	path_find(r, start, &path);
	leaf = path.level[path.leaf].node;
	at = path.level[path.leaf].at;
	KSIM_ASSERT(NULL, at == leaf->n || leaf->start[at] >= end, "a new range overlaps none",
	            "[%#" PRIx64 ", %#" PRIx64 ") over [%#" PRIx64 ", %#" PRIx64 ")", start, end, leaf->start[at],
	            leaf->end[at]);
	insert_at(r, &path, slot);
	r->count++;
}

/* Removal. */

/* Join the children at `at` and at + 1 into the left one, if they fit. */
static bool children_join(struct ranges *r, struct ranges_node *parent, unsigned at, bool leaf)
{
	struct ranges_node *left = parent->to[at].child, *right = parent->to[at + 1].child;

	if (left->n + right->n > WAYS)
		return false;
	slots_move(left, left->n, right, 0, right->n);
	left->n += right->n;
	slot_delete(parent, at + 1);
	slot_refresh(parent, at, leaf);
	ranges_give(r, right);
	return true;
}

/* Let a node with few slots join a neighbour. @return whether the parent's slots moved */
static bool join_some(struct ranges *r, struct ranges_node *parent, unsigned at, bool leaf)
{
	if (at > 0 && children_join(r, parent, at - 1, leaf))
		return true;
	return at + 1 < parent->n && children_join(r, parent, at, leaf);
}

/* Bring the path up to date after the node at its end lost a slot. */
static void path_shrink(struct ranges *r, struct path *path)
{
	for (unsigned level = path->leaf; level > 0; level--) {
		struct ranges_node *node = path->level[level].node, *parent = path->level[level - 1].node;
		unsigned at = path->level[level - 1].at;
		bool leaf = level == path->leaf;

		if (node->n == 0) {
			slot_delete(parent, at);
			ranges_give(r, node);
		} else {
			slot_refresh(parent, at, leaf);
			if (node->n >= FEW || !join_some(r, parent, at, leaf)) {
				path_refresh(path, level - 1);
				return;
			}
		}
	}
}

static void root_collapse(struct ranges *r)
{
	while (r->height > 0 && r->root->n == (r->height == 1 ? 0 : 1)) {
		struct ranges_node *root = r->root;

		r->root = r->height == 1 ? NULL : root->to[0].child;
		r->height--;
		ranges_give(r, root);
	}
}

void *ranges_remove(struct ranges *r, uint64_t start)
{
	struct ranges_node *leaf;
	struct path path;
	unsigned at;
	void *value;

	path_find_start(r, start, &path);
	leaf = path.level[path.leaf].node;
	at = path.level[path.leaf].at;
	value = leaf->to[at].value;
	slot_delete(leaf, at);
	path_shrink(r, &path);
	root_collapse(r);
	r->count--;
	return value;
}

void ranges_resize(struct ranges *r, uint64_t start, uint64_t new_start, uint64_t new_end)
{
	struct ranges_node *leaf;
	struct path path;
	unsigned at;

	path_find_start(r, start, &path);
	leaf = path.level[path.leaf].node;
	at = path.level[path.leaf].at;
	KSIM_ASSERT(NULL, new_start < new_end, "a range is not empty", "[%#" PRIx64 ", %#" PRIx64 ")", new_start,
	            new_end);
	KSIM_ASSERT(NULL,
	            (at == 0 || leaf->end[at - 1] <= new_start) &&
	                    (at + 1 == leaf->n || new_end <= leaf->start[at + 1]),
	            "a resized range overlaps none", "[%#" PRIx64 ", %#" PRIx64 ")", new_start, new_end);
	leaf->start[at] = new_start;
	leaf->end[at] = new_end;
	path_refresh(&path, path.leaf);
}

/* Lookup. An inner slot's end is exactly its child's, so below the root the slot always exists. */

/*
 * Have what a search reads of a node come to the processor at once, not one after the other as it is asked for: the
 * ends, and what they lead to; of a leaf the starts too.
 */
static inline void node_fetch(const struct ranges_node *node, bool leaf)
{
	const char *bytes = (const char *)node;
	size_t n = leaf ? offsetof(struct ranges_node, gap) : offsetof(struct ranges_node, start);

	for (size_t at = 0; at < n; at += CACHE_LINE)
		__builtin_prefetch(bytes + at);
}

static inline const struct ranges_node *leaf_above(const struct ranges *r, uint64_t at, unsigned *slot)
{
	const struct ranges_node *node = r->root;
	unsigned i;

	if (node == NULL || node->end[node->n - 1] <= at)
		return NULL;
	i = slots_up_to(node, at);
	for (unsigned level = r->height; level > 1; level--) {
		node = node->to[i].child;
		node_fetch(node, level == 2);
		i = slots_up_to(node, at);
	}
	*slot = i;
	return node;
}

void *ranges_find(const struct ranges *r, uint64_t at)
{
	unsigned slot;
	const struct ranges_node *leaf = leaf_above(r, at, &slot);

	return leaf != NULL && leaf->start[slot] <= at ? leaf->to[slot].value : NULL;
}

void *ranges_at_or_above(const struct ranges *r, uint64_t at)
{
	unsigned slot;
	const struct ranges_node *leaf = leaf_above(r, at, &slot);

	return leaf != NULL ? leaf->to[slot].value : NULL;
}

void *ranges_first_in(const struct ranges *r, uint64_t from, uint64_t to)
{
	unsigned slot;
	const struct ranges_node *leaf = leaf_above(r, from, &slot);

	return leaf != NULL && leaf->start[slot] < to ? leaf->to[slot].value : NULL;
}

void *ranges_below(const struct ranges *r, uint64_t at)
{
	const struct ranges_node *node = r->root;

	if (node == NULL || node->start[0] >= at)
		return NULL;
	for (unsigned level = r->height; level > 1; level--)
		node = node->to[slots_starting_below(node, at) - 1].child;
	return node->to[slots_starting_below(node, at) - 1].value;
}

void ranges_around(const struct ranges *r, uint64_t from, uint64_t to, uint64_t *floor, uint64_t *ceiling)
{
	const struct ranges_node *node = r->root;
	unsigned slot;

	*floor = 0;
	if (node != NULL && node->start[0] < from) {
		for (unsigned level = r->height; level > 1; level--)
			node = node->to[slots_starting_below(node, from) - 1].child;
		*floor = node->end[slots_starting_below(node, from) - 1];
	}
	node = leaf_above(r, to, &slot);
	*ceiling = node != NULL ? node->start[slot] : UINT64_MAX;
}

/* Gaps. */

struct window {
	uint64_t lo, hi, len;
};

/* Whether the gap [from, to) has room within the window, and the place at its top or at its bottom. */
static bool gap_fits(const struct window *w, uint64_t from, uint64_t to, bool top, uint64_t *start)
{
	from = MAX(from, w->lo);
	to = MIN(to, w->hi);
	if (from >= to || to - from < w->len)
		return false;
	*start = top ? to - w->len : from;
	return true;
}

/* Whether a gap below an inner slot may have room within the window. */
static bool slot_promises(const struct window *w, const struct ranges_node *node, unsigned i)
{
	return node->gap[i] >= w->len && node->start[i] < w->hi && node->end[i] > w->lo;
}

/* Between the first and the last range below a node; fails only where a border of the window cuts through it. */
static bool node_gap_down(const struct window *w, const struct ranges_node *node, unsigned height, uint64_t *start)
{
	for (unsigned i = node->n; i-- > 0;) {
		if (i + 1 < node->n && gap_fits(w, node->end[i], node->start[i + 1], true, start))
			return true;
		if (height > 1 && slot_promises(w, node, i) && node_gap_down(w, node->to[i].child, height - 1, start))
			return true;
	}
	return false;
}

static bool node_gap_up(const struct window *w, const struct ranges_node *node, unsigned height, uint64_t *start)
{
	for (unsigned i = 0; i < node->n; i++) {
		if (height > 1 && slot_promises(w, node, i) && node_gap_up(w, node->to[i].child, height - 1, start))
			return true;
		if (i + 1 < node->n && gap_fits(w, node->end[i], node->start[i + 1], false, start))
			return true;
	}
	return false;
}

bool ranges_gap_top_down(const struct ranges *r, uint64_t lo, uint64_t hi, uint64_t len, uint64_t *start)
{
	const struct window w = { lo, hi, len };
	const struct ranges_node *root = r->root;

	KSIM_ASSERT(NULL, len > 0, "a gap is not empty", "within [%#" PRIx64 ", %#" PRIx64 ")", lo, hi);
	if (root == NULL)
		return gap_fits(&w, 0, UINT64_MAX, true, start);
	return gap_fits(&w, root->end[root->n - 1], UINT64_MAX, true, start) ||
	       node_gap_down(&w, root, r->height, start) || gap_fits(&w, 0, root->start[0], true, start);
}

bool ranges_gap_bottom_up(const struct ranges *r, uint64_t lo, uint64_t hi, uint64_t len, uint64_t *start)
{
	const struct window w = { lo, hi, len };
	const struct ranges_node *root = r->root;

	KSIM_ASSERT(NULL, len > 0, "a gap is not empty", "within [%#" PRIx64 ", %#" PRIx64 ")", lo, hi);
	if (root == NULL)
		return gap_fits(&w, 0, UINT64_MAX, false, start);
	return gap_fits(&w, 0, root->start[0], false, start) || node_gap_up(&w, root, r->height, start) ||
	       gap_fits(&w, root->end[root->n - 1], UINT64_MAX, false, start);
}

/* Validator. */

static void check_slots(const struct ranges_node *node, struct check_report *report)
{
	for (unsigned i = 0; i < WAYS; i++) {
		if (i >= node->n) {
			CHECK_THAT(report, node->start[i] == UINT64_MAX && node->end[i] == UINT64_MAX,
			           "ranges I4: unused slots are at the end of all addresses", "slot %u of %u", i,
			           node->n);
			continue;
		}
		CHECK_THAT(report, node->start[i] < node->end[i], "ranges I1: a range is not empty",
		           "[%#" PRIx64 ", %#" PRIx64 ")", node->start[i], node->end[i]);
		CHECK_THAT(report, i == 0 || node->end[i - 1] <= node->start[i], "ranges I1: slots ascend",
		           "%#" PRIx64 " after %#" PRIx64, node->start[i], node->end[i - 1]);
	}
}

static bool sound_size(const struct ranges_node *node)
{
	return node->n > 0 && node->n <= WAYS;
}

/* @return the ranges below the node */
static size_t check_node(struct ranges_node *node, unsigned height, struct check_report *report)
{
	size_t n = 0;

	CHECK_THAT(report, sound_size(node), "ranges I3: a node has 1 to 16 slots", "%u", node->n);
	if (!sound_size(node))
		return 0;
	check_slots(node, report);
	if (height == 1)
		return node->n;
	for (unsigned i = 0; i < node->n; i++) {
		struct ranges_node *child = node->to[i].child;
		struct slot slot = sound_size(child) ? summary(child, height == 2) : (struct slot){ 0 };

		CHECK_THAT(report, node->start[i] == slot.start && node->end[i] == slot.end && node->gap[i] == slot.gap,
		           "ranges I2: a slot is its child's summary",
		           "[%#" PRIx64 ", %#" PRIx64 ") gap %#" PRIx64 ", child [%#" PRIx64 ", %#" PRIx64
		           ") gap %#" PRIx64,
		           node->start[i], node->end[i], node->gap[i], slot.start, slot.end, slot.gap);
		n += check_node(child, height - 1, report);
	}
	return n;
}

void ranges_check(const struct ranges *r, struct check_report *report)
{
	size_t n = 0;
	unsigned nspares = 0;

	CHECK_THAT(report, (r->root == NULL) == (r->height == 0), "ranges I3: the height is that of the tree",
	           "height %u", r->height);
	if (r->root != NULL && r->height > 0) {
		CHECK_THAT(report, r->height == 1 || r->root->n >= 2, "ranges I3: an inner root has two slots", "%u",
		           r->root->n);
		n = check_node(r->root, r->height, report);
	}
	CHECK_THAT(report, n == r->count, "ranges I5: the leaves hold count ranges", "%zu, count %zu", n, r->count);
	for (const struct ranges_node *spare = r->spares; spare != NULL && nspares <= r->nspares;
	     spare = spare->to[0].child)
		nspares++;
	CHECK_THAT(report, nspares == r->nspares, "ranges I5: the spares number nspares", "%u, not %u", nspares,
	           r->nspares);
}

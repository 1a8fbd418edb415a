// SPDX-License-Identifier: MIT
/*
 * Page tables to be walked: ksim's own, in a machine of nothing but RAM, and one of host pointers.
 *
 * Only nodes are allocated, from RAM that is reserved for them; what leaf entries lead to is never touched, so their
 * frame numbers are simply the values. Both kinds of table take their nodes one after the other from one mapping.
 */
#include "walk_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "pgtable/pgtable.h"

struct page_table {
	struct env env;
	struct ctx ctx;
	struct phys *phys;
	struct pgtable pt;
};

static void must(bool done, const char *what)
{
	if (!done) {
		perror(what);
		exit(1);
	}
}

/* Room for the nodes of n pages of which no two need be neighbours, and some to spare. */
static size_t room_for(size_t n)
{
	return (n * 4 + 1024) * PAGE_BYTES;
}

struct page_table *page_table_create(const uint64_t *keys, size_t n, int aarch64)
{
	struct page_table *t = calloc(1, sizeof(*t));

	must(t != NULL, "page table");
	owners_init(&t->env.owners);
	owner_init(&t->env.owners, &t->env.self, 0, "bench");
	ctx_init(&t->ctx, &t->env, "bench");
	must(phys_create(&t->env, room_for(n), &t->phys) == 0, "RAM");
	must(pt_init(&t->ctx, &t->pt, aarch64 ? &pte_aarch64 : &pte_x86_64) == 0, "page table");
	for (size_t i = 0; i < n; i++) {
		struct pt_slot slot;
		pfn_t pfn = { i + 1 };

		must(pt_ensure(&t->ctx, &t->pt, keys[i] << PAGE_SHIFT, &slot) == 0, "a node");
		pte_exchange(slot.entry, pte_make(t->pt.format, pfn, PTE_READ | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY));
	}
	return t;
}

uint64_t page_table_bytes(const struct page_table *t)
{
	return t->pt.nodes * PAGE_BYTES;
}

uint64_t page_table_walk(const struct page_table *t, const uint64_t *order, size_t n, bool dependent)
{
	const struct pgtable *pt = &t->pt;

	LOOKUP_LOOP(pte_pfn(pt_walk(pt, key_ << PAGE_SHIFT)).n);
}

static inline uint64_t find(const struct pgtable *pt, ksim_addr addr)
{
	struct pt_slot slot;

	return pt_find(pt, addr, &slot) ? pte_pfn(pte_read(slot.entry)).n : 0;
}

uint64_t page_table_find(const struct page_table *t, const uint64_t *order, size_t n, bool dependent)
{
	const struct pgtable *pt = &t->pt;

	LOOKUP_LOOP(find(pt, key_ << PAGE_SHIFT));
}

/* ---- by hand ---- */

#define ENTRY(node, key, shift) (((const uint64_t *)(node))[(key) >> (shift)&511])

static inline uint64_t bare(const char *ram, uint64_t root, uint64_t key)
{
	uint64_t entry = ENTRY(ram + root, key, 27);

	if (!(entry & 1))
		return 0;
	entry = ENTRY(ram + (entry & UINT64_C(0xfffffffff000)), key, 18);
	if (!(entry & 1))
		return 0;
	entry = ENTRY(ram + (entry & UINT64_C(0xfffffffff000)), key, 9);
	if (!(entry & 1))
		return 0;
	entry = ENTRY(ram + (entry & UINT64_C(0xfffffffff000)), key, 0);
	return entry & 1 ? (entry & UINT64_C(0xfffffffff000)) >> 12 : 0;
}

uint64_t page_table_bare(const struct page_table *t, const uint64_t *order, size_t n, bool dependent)
{
	const char *ram = t->phys->ram;
	uint64_t root = t->pt.root.n << PAGE_SHIFT;

	LOOKUP_LOOP(bare(ram, root, key_));
}

struct pointer_table {
	void **root;
	char *next;
};

static void **new_node(struct pointer_table *t)
{
	void **node = (void **)(void *)t->next;

	t->next += PAGE_BYTES;
	return node;
}

static void **enter(struct pointer_table *t, void **node, uint64_t index)
{
	if (node[index & 511] == NULL)
		node[index & 511] = new_node(t);
	return node[index & 511];
}

struct pointer_table *pointer_table_create(const uint64_t *keys, size_t n)
{
	struct pointer_table *t = calloc(1, sizeof(*t));

	must(t != NULL, "pointer table");
	t->next = mmap(NULL, room_for(n), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(t->next != MAP_FAILED, "pointer table");
	t->root = new_node(t);
	for (size_t i = 0; i < n; i++) {
		void **node = enter(t, t->root, keys[i] >> 27);

		node = enter(t, node, keys[i] >> 18);
		node = enter(t, node, keys[i] >> 9);
		node[keys[i] & 511] = (void *)(uintptr_t)(i + 1);
	}
	return t;
}

static inline uint64_t follow(void **node, uint64_t key)
{
	node = node[key >> 27 & 511];
	if (node == NULL)
		return 0;
	node = node[key >> 18 & 511];
	if (node == NULL)
		return 0;
	node = node[key >> 9 & 511];
	if (node == NULL)
		return 0;
	return (uintptr_t)node[key & 511];
}

uint64_t pointer_table_run(const struct pointer_table *t, const uint64_t *order, size_t n, bool dependent)
{
	void **root = t->root;

	LOOKUP_LOOP(follow(root, key_));
}

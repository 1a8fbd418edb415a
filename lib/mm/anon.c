// SPDX-License-Identifier: MIT
/*
 * Which VMAs with private pages may become one: what Linux's anon_vma shows of itself.
 *
 * A VMA has a number from its first private page on: that of a neighbour, if protection is all in which they differ, or
 * a new one. Its halves have the same, and what it is moved to; a child of fork has numbers of its own, and remembers
 * that they come from a parent. Page indices of anonymous memory follow the address until there is a number, and then
 * go along with the pages.
 *
 *	[ a: 1 ][ b: 1 ]        joined once they say the same
 *	[ a: 1 ][ b: - ]        joined, and the number is 1; not in a child that has the number from fork
 *	[ a: 1 ][ b: 2 ]        never
 *
 * I1  a number is set once, and ends with the VMA or when all that it had has been moved elsewhere
 * I2  two VMAs of an address space have the same number only if one was cut or moved from the other, or took it over
 *     from the other, its neighbour
 *
 * Locking: the map lock, of either kind, for vma_anon_prepare; exclusive for the others. Linux: mm/rmap.c, mm/vma.c.
 */
#include "mm/vma.h"

static uint64_t number_of(const struct vma *vma)
{
	return __atomic_load_n(&vma->anon, __ATOMIC_RELAXED);
}

/* The neighbours' number, if it may be that of both. */
static uint64_t shared_number(const struct vma *of, const struct vma *low, const struct vma *high)
{
	return of != NULL && !of->anon_of_parent && vma_continues(low, high) ? number_of(of) : 0;
}

void vma_anon_number(struct vma *vma)
{
	struct mm *mm = vma->mm;
	const struct vma *high = ranges_find(&mm->vmas, vma->end), *low = ranges_below(&mm->vmas, vma->start);
	uint64_t number = shared_number(high, vma, high), none = 0;

	if (number == 0)
		number = shared_number(low, low, vma);
	if (number == 0)
		number = __atomic_add_fetch(&mm->anon_numbers, 1, __ATOMIC_RELAXED);
	__atomic_compare_exchange_n(&vma->anon, &none, number, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void vma_anon_forget(struct vma *vma)
{
	vma->anon = 0;
	vma->anon_of_parent = false;
}

void vma_anon_fork(struct vma *child)
{
	if (child->anon == 0)
		return;
	child->anon = 0;
	child->anon_of_parent = true;
	vma_anon_prepare(child);
}

bool vma_anon_agrees(const struct vma *low, const struct vma *high)
{
	uint64_t a = number_of(low), b = number_of(high);

	return a == b || (a == 0 && !high->anon_of_parent) || (b == 0 && !low->anon_of_parent);
}

void vma_anon_join(struct vma *vma, const struct vma *other)
{
	if (vma->anon != 0)
		return;
	vma->anon = other->anon;
	vma->anon_of_parent = other->anon_of_parent;
}

// SPDX-License-Identifier: MIT
/*
 * Groups of accounts whose frames together are limited, as those of a memory cgroup are.
 *
 *	account --- memory_group ---> group: used, limit <--- of[pfn] --- frame
 *	   (of who allocates)                                 (until it is freed)
 *
 * A frame is charged to the group of who allocates it and stays charged to it until it is freed, by whomever: its maker
 * may have moved to another group by then or have ended, and pages of a file outlive both. So what a frame is charged
 * to stands with the frame, in a table of two bytes each beside the array of struct frame, which is made for the first
 * group and not touched where no frame is charged.
 *
 * Who allocates charges first, and then takes frames, from wherever: what lies in a task's cache is free, and charged
 * to nobody. So the limit holds at every moment, however many allocate at once, and all of n frames are charged or
 * none.
 *
 * Where there is no group it costs a branch each way: an account without one charges nothing, and without a table there
 * is nothing to forget.
 *
 * I1  used is the number of frames whose `of` is the group, and of those about to be taken; it is never above limit
 * I2  a frame that is free is charged to no group
 * I3  peak is at least used and at most limit
 *
 * Locking: phys->lock to make groups; counts are atomic. Entries of the table belong to who has the frame.
 * Linux: mm/memcontrol.c, mm/page_counter.c. Not modelled: reclaim; groups in groups; kernel objects, which are the
 * host's memory; ids given again, so GROUP_IDS - 1 groups are all.
 */
#include "phys/group.h"

#include <errno.h>

#include "host/kmem.h"
#include "host/memory.h"

typedef unsigned long long ull;

_Static_assert(GROUP_IDS - 1 <= UINT16_MAX, "an id fits an entry of the table");

static size_t table_bytes(const struct phys *phys)
{
	return phys->nframes * sizeof(uint16_t);
}

static void free_groups(const struct phys *phys, struct groups *groups)
{
	if (groups->group != NULL)
		host_release(groups->group, GROUP_IDS * sizeof(struct group));
	if (groups->of != NULL)
		host_release(groups->of, table_bytes(phys));
	kmem_free(phys->env, groups, sizeof(*groups));
}

static struct groups *make_groups(struct ctx *ctx, const struct phys *phys)
{
	struct groups *groups = kmem_alloc(ctx, sizeof(*groups));

	if (groups == NULL)
		return NULL;
	groups->of = host_reserve(table_bytes(phys));
	groups->group = host_reserve(GROUP_IDS * sizeof(struct group));
	if (groups->of == NULL || groups->group == NULL) {
		free_groups(phys, groups);
		return NULL;
	}
	return groups;
}

/* The machine's groups, which the first caller makes; NULL: no memory. */
static struct groups *ensure_groups(struct ctx *ctx, struct phys *phys)
{
	struct groups *groups = __atomic_load_n(&phys->groups, __ATOMIC_ACQUIRE);
	struct groups *fresh;

	if (groups != NULL)
		return groups;
	fresh = make_groups(ctx, phys);
	if (fresh == NULL)
		return NULL;
	if (__atomic_compare_exchange_n(&phys->groups, &groups, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return fresh;
	free_groups(phys, fresh);
	return groups;
}

int group_create(struct ctx *ctx, uint64_t limit, uint32_t *group)
{
	struct phys *phys = ctx->env->phys;
	struct groups *groups = ensure_groups(ctx, phys);
	int err = 0;

	if (groups == NULL)
		return -ENOMEM;
	mutex_lock(ctx, &phys->lock);
	if (groups->last == GROUP_IDS - 1) {
		err = -ENOSPC;
	} else {
		*group = groups->last + 1;
		groups->group[*group].limit = limit;
		__atomic_store_n(&groups->last, *group, __ATOMIC_RELEASE);
	}
	mutex_unlock(ctx, &phys->lock);
	return err;
}

bool group_look(const struct phys *phys, uint32_t id, struct group_look *out)
{
	const struct groups *groups = __atomic_load_n(&phys->groups, __ATOMIC_ACQUIRE);
	const struct group *group;

	if (groups == NULL || id == GROUP_NONE || id > __atomic_load_n(&groups->last, __ATOMIC_ACQUIRE))
		return false;
	group = &groups->group[id];
	*out = (struct group_look){
		.used = __atomic_load_n(&group->used, __ATOMIC_RELAXED),
		.limit = group->limit,
		.peak = __atomic_load_n(&group->peak, __ATOMIC_RELAXED),
		.refused = __atomic_load_n(&group->refused, __ATOMIC_RELAXED),
	};
	return true;
}

uint64_t groups_used(const struct phys *phys)
{
	struct group_look look;
	uint64_t used = 0;

	for (uint32_t id = 1; group_look(phys, id, &look); id++)
		used += look.used;
	return used;
}

static struct group *group_of(const struct phys *phys, uint32_t id)
{
	return &__atomic_load_n(&phys->groups, __ATOMIC_ACQUIRE)->group[id];
}

static int refuse(struct ctx *ctx, struct group *group, uint32_t id)
{
	__atomic_fetch_add(&group->refused, 1, __ATOMIC_RELAXED);
	ctx->refused = id;
	return -ENOMEM;
}

/* Charges are made and undone all the time, so the peak is looked at by who made one, not by who sees one. */
static void raise_peak(struct group *group, uint64_t used)
{
	uint64_t peak = __atomic_load_n(&group->peak, __ATOMIC_RELAXED);

	while (peak < used &&
	       !__atomic_compare_exchange_n(&group->peak, &peak, used, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* Not by adding and taking back what was too much, by which somebody else would be refused what there is room for. */
int group_charge_member(struct ctx *ctx, uint32_t id, uint64_t n, bool must)
{
	struct group *group = group_of(ctx->env->phys, id);
	uint64_t used = __atomic_load_n(&group->used, __ATOMIC_RELAXED);

	do {
		if (n > group->limit - used)
			return must ? refuse(ctx, group, id) : -ENOMEM;
	} while (!__atomic_compare_exchange_n(&group->used, &used, used + n, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	raise_peak(group, used + n);
	return 0;
}

void group_mark_member(struct phys *phys, uint32_t group, uint64_t pfn, uint64_t n)
{
	struct groups *groups = __atomic_load_n(&phys->groups, __ATOMIC_ACQUIRE);

	for (uint64_t i = 0; i < n; i++)
		__atomic_store_n(&groups->of[pfn + i], (uint16_t)group, __ATOMIC_RELAXED);
}

static void uncharge(struct group *group, uint32_t id, uint64_t n)
{
	uint64_t was = __atomic_fetch_sub(&group->used, n, __ATOMIC_RELAXED);

	KSIM_ASSERT(NULL, was >= n, "group I1: no more is uncharged than was charged", "group %u: %llu of %llu", id,
	            (ull)n, (ull)was);
}

void group_uncharge(struct phys *phys, uint32_t group, uint64_t n)
{
	if (unlikely(group != GROUP_NONE))
		uncharge(group_of(phys, group), group, n);
}

/* Frames in a row are mostly of one group: each row of those is uncharged at once. */
void group_forget_charged(struct groups *groups, uint64_t pfn, uint64_t n)
{
	for (uint64_t end = pfn + n; pfn < end;) {
		uint32_t id = __atomic_load_n(&groups->of[pfn], __ATOMIC_RELAXED);
		uint64_t first = pfn;

		while (pfn < end && __atomic_load_n(&groups->of[pfn], __ATOMIC_RELAXED) == id) {
			if (id != GROUP_NONE)
				__atomic_store_n(&groups->of[pfn], GROUP_NONE, __ATOMIC_RELAXED);
			pfn++;
		}
		if (id != GROUP_NONE)
			uncharge(&groups->group[id], id, pfn - first);
	}
}

bool group_has_room(struct ctx *ctx, uint64_t n)
{
	uint32_t id = owner_group(ctx->owner);
	struct group *group;

	if (likely(id == GROUP_NONE))
		return true;
	group = group_of(ctx->env->phys, id);
	return n <= group->limit - __atomic_load_n(&group->used, __ATOMIC_RELAXED) || refuse(ctx, group, id) == 0;
}

bool group_is_full(const struct ctx *ctx, uint64_t n)
{
	struct group_look look;

	return group_look(ctx->env->phys, owner_group(ctx->owner), &look) && n > look.limit - look.used;
}

void groups_destroy(struct phys *phys)
{
	if (phys->groups != NULL)
		free_groups(phys, phys->groups);
	phys->groups = NULL;
}

/* How many frames the table says are charged to each group. */
static void count_frames(const struct phys *phys, const struct groups *groups, struct check_report *report)
{
	for (uint32_t id = 1; id <= groups->last; id++)
		groups->group[id].found = 0;
	for (uint64_t pfn = 1; pfn < phys->virgin; pfn++) {
		uint32_t id = __atomic_load_n(&groups->of[pfn], __ATOMIC_RELAXED);
		enum frame_use use = frame_use(&phys->frames[pfn]);

		if (id == GROUP_NONE)
			continue;
		CHECK_THAT(report, use > FRAME_RESERVED && id <= groups->last,
		           "group I2: what is charged to a group is a frame in use", "pfn %#llx: use %d, group %u",
		           (ull)pfn, use, id);
		if (id <= groups->last)
			groups->group[id].found++;
	}
}

void groups_check_locked(const struct phys *phys, struct check_report *report)
{
	const struct groups *groups = __atomic_load_n(&phys->groups, __ATOMIC_ACQUIRE);
	struct group_look look;

	if (groups == NULL)
		return;
	count_frames(phys, groups, report);
	for (uint32_t id = 1; group_look(phys, id, &look); id++) {
		uint64_t found = groups->group[id].found;

		CHECK_THAT(report, look.used == found && look.used <= look.limit,
		           "group I1: the frames of a group are counted, and no more than its limit",
		           "group %u: %llu found, %llu counted, limit %llu", id, (ull)found, (ull)look.used,
		           (ull)look.limit);
		CHECK_THAT(report, look.peak >= look.used && look.peak <= look.limit,
		           "group I3: the peak lies between what is used and the limit",
		           "group %u: peak %llu, used %llu, limit %llu", id, (ull)look.peak, (ull)look.used,
		           (ull)look.limit);
	}
}

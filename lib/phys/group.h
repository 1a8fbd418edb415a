/* SPDX-License-Identifier: MIT */
/*
 * Limits of memory, each for the frames of a group of accounts, within phys.
 */
#ifndef PHYS_GROUP_H
#define PHYS_GROUP_H

#include "phys/phys.h"

#define GROUP_NONE      0u
#define GROUP_IDS       65536u
#define GROUP_UNLIMITED UINT64_MAX

/* On a cache line of its own, for all who allocate in a group write it. */
struct group {
	uint64_t used __attribute__((aligned(64))); /* a  frames charged */
	uint64_t limit;                             /* c  frames; GROUP_UNLIMITED */
	uint64_t peak;                              /* a  the most that were charged at once */
	uint64_t refused;                           /* a  times that the limit refused frames */
	uint64_t found;                             /* f  of the validator */
};

/** There from the first group on, until the machine ends. */
struct groups {
	uint16_t *of;        /* a  by pfn: the group that the frame is charged to; GROUP_NONE */
	struct group *group; /* by id */
	uint32_t last;       /* a  id of the newest */
};

/** How a group stands at some moment; in frames. */
struct group_look {
	uint64_t used, limit, peak, refused;
};

/**
 * Make a group, of which no account is a member yet (owner_set_group).
 * @param limit  frames, or GROUP_UNLIMITED
 * @param group  out: its id, never given again in the machine's life
 * @return 0; -ENOMEM; -ENOSPC: GROUP_IDS - 1 have been made
 */
int group_create(struct ctx *ctx, uint64_t limit, uint32_t *group);
/** false: there is no group with this id */
bool group_look(const struct phys *phys, uint32_t id, struct group_look *out);
/** Frames that are charged to any group. */
uint64_t groups_used(const struct phys *phys);

int group_charge_member(struct ctx *ctx, uint32_t id, uint64_t n, bool must);
void group_mark_member(struct phys *phys, uint32_t group, uint64_t pfn, uint64_t n);
void group_forget_charged(struct groups *groups, uint64_t pfn, uint64_t n);

/**
 * Charge n frames that are about to be taken to the caller's group, if it has one. They are marked as soon as they have
 * been taken, or uncharged if there are none.
 * @param must   false: the caller can do with less, so that what the limit refuses him counts as no refusal
 * @param group  out: for that
 * @return 0 or -ENOMEM, with ctx->refused set if he must have them
 */
static inline int group_charge(struct ctx *ctx, uint64_t n, bool must, uint32_t *group)
{
	*group = owner_group(ctx->owner);
	return unlikely(*group != GROUP_NONE) ? group_charge_member(ctx, *group, n, must) : 0;
}

static inline void group_mark(struct phys *phys, uint32_t group, uint64_t pfn, uint64_t n)
{
	if (unlikely(group != GROUP_NONE))
		group_mark_member(phys, group, pfn, n);
}

void group_uncharge(struct phys *phys, uint32_t group, uint64_t n);

/** n frames from pfn on are being freed, by whomever. */
static inline void group_forget(const struct phys *phys, uint64_t pfn, uint64_t n)
{
	struct groups *groups = __atomic_load_n(&phys->groups, __ATOMIC_ACQUIRE);

	if (unlikely(groups != NULL))
		group_forget_charged(groups, pfn, n);
}

/** Whether the caller's group, if it has one, would take n frames more; if not, that counts as a refusal. */
bool group_has_room(struct ctx *ctx, uint64_t n);

/** Whether it is the limit of the caller's group that forbids n frames more. Nothing counts as refused. */
bool group_is_full(const struct ctx *ctx, uint64_t n);

/** Free all groups. */
void groups_destroy(struct phys *phys);
/** Validator. Allocator's lock held. */
void groups_check_locked(const struct phys *phys, struct check_report *report);

#endif

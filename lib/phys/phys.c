// SPDX-License-Identifier: MIT
/*
 * The RAM of one machine: its making and its end.
 *
 * RAM and the array of struct frame are reserved from the host and not touched, so the size of a machine costs
 * nothing until it is used. The array's zeros mean "free, never used".
 *
 * I1  pfn 0 is FRAME_RESERVED for ever, so that 0 can mean "no frame" in lists and entries
 * I2  every pfn fits 32 bits, so that a link fits a struct frame
 *
 * Locking: none here but for the count. See buddy.c for which frames are free, frame.c for those in use.
 * Linux: mm/memblock.c, mm/mm_init.c.
 */
#include "phys/phys.h"

#include <errno.h>

#include "host/kmem.h"
#include "host/memory.h"
#include "phys/cache.h"
#include "phys/group.h"
#include "phys/poison.h"
#include "phys/pool.h"

#define FRAMES_MIN 16
#define FRAMES_MAX (UINT64_C(1) << 32)

_Static_assert(sizeof(struct frame) == 16, "a frame costs 16 bytes");

static size_t frames_bytes(uint64_t nframes)
{
	return nframes * sizeof(struct frame);
}

static size_t blocks_bytes(uint64_t nframes)
{
	return ((nframes >> HUGE_ORDER) + 1) * sizeof(struct block);
}

static void release_ram(struct phys *phys, uint64_t bytes)
{
	host_release(phys->ram, bytes);
	host_close(phys->fd);
}

int phys_create(struct env *env, uint64_t ram_bytes, struct phys **out)
{
	uint64_t nframes = ram_bytes >> PAGE_SHIFT;
	struct phys *phys;
	struct ctx ctx;

	if (ram_bytes % PAGE_BYTES != 0 || nframes < FRAMES_MIN || nframes > FRAMES_MAX)
		return -EINVAL;
	ctx_init(&ctx, env, "boot");
	phys = kmem_alloc_aligned(&ctx, sizeof(*phys), _Alignof(struct phys));
	if (phys == NULL)
		return -ENOMEM;
	phys->fd = -1;
	phys->ram = env->ram_in_file ? host_reserve_shared(ram_bytes, &phys->fd) : host_reserve(ram_bytes);
	if (phys->ram == NULL)
		goto undo_phys;
	phys->frames = host_reserve(frames_bytes(nframes));
	if (phys->frames == NULL)
		goto undo_ram;
	phys->blocks = host_reserve(blocks_bytes(nframes));
	if (phys->blocks == NULL)
		goto undo_frames;
	mutex_init(&phys->lock, RANK_FRAME);
	LIST_INIT(&phys->caches);
	phys->nframes = nframes;
	phys->frames[0].use = FRAME_RESERVED;
	phys->virgin = 1;
	phys->nfree = nframes - 1;
	phys->env = env;
	phys->poison = env->poison;
	if (pool_create(&ctx, phys) < 0)
		goto undo_lock;
	env->phys = phys;
	*out = phys;
	return 0;
undo_lock:
	mutex_fini(&phys->lock);
	host_release(phys->blocks, blocks_bytes(nframes));
undo_frames:
	host_release(phys->frames, frames_bytes(nframes));
undo_ram:
	release_ram(phys, ram_bytes);
undo_phys:
	kmem_free(env, phys, sizeof(*phys));
	return -ENOMEM;
}

void phys_destroy(struct phys *phys)
{
	if (phys == NULL)
		return;
	pool_destroy(phys->env, phys->pool);
	poison_forget(phys);
	groups_destroy(phys);
	host_release(phys->blocks, blocks_bytes(phys->nframes));
	host_release(phys->frames, frames_bytes(phys->nframes));
	release_ram(phys, phys->nframes << PAGE_SHIFT);
	mutex_fini(&phys->lock);
	phys->env->phys = NULL;
	kmem_free(phys->env, phys, sizeof(*phys));
}

uint64_t phys_free_frames(struct ctx *ctx)
{
	struct phys *phys = ctx->env->phys;
	uint64_t nfree;

	mutex_lock(ctx, &phys->lock);
	nfree = phys->nfree + frame_caches_count_locked(phys);
	mutex_unlock(ctx, &phys->lock);
	return nfree;
}

bool phys_has_frames(struct ctx *ctx, uint64_t n)
{
	struct phys *phys = ctx->env->phys;
	bool has;

	if (!group_has_room(ctx, n))
		return false;
	mutex_lock(ctx, &phys->lock);
	has = n <= phys->nfree || n <= phys->nfree + frame_caches_count_locked(phys);
	mutex_unlock(ctx, &phys->lock);
	return has;
}

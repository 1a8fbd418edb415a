// SPDX-License-Identifier: MIT
/*
 * Who a process is, who may change that, and what it may have.
 *
 *	         real    effective   saved     file system
 *	uid   |  uid  |    euid    |  suid  |  fsuid follows euid, but for setfsuid
 *	gid   |  gid  |    egid    |  sgid  |  fsgid likewise
 *
 * Privileged is whose effective user is 0, in all that Linux asks of capabilities; setfsuid's are those of files alone.
 *
 * I1  a change is checked and made as one: who holds signal_lock sees what was before it, or what is after
 * I2  soft limits are not above hard ones; the limit of a table of descriptors is the soft RLIMIT_NOFILE of who set it
 *     last
 *
 * Locking: signal_lock for whoever changes; readers take members one by one. RLIMIT_NOFILE also the table's lock,
 * before.
 * Linux: kernel/sys.c, kernel/groups.c. Not modelled: capabilities apart from the user 0, credentials of one thread
 * alone (libc gives all threads of a process the same), more than 32 groups, securebits.
 */
#include "task/internal.h"

#include <errno.h>

#define LIMIT_STACK_BYTES   (UINT64_C(8) << 20)
#define LIMIT_MEMLOCK_BYTES (UINT64_C(8) << 20)

static void set(uint32_t *member, uint32_t value)
{
	__atomic_store_n(member, value, __ATOMIC_RELAXED);
}

/* They are others than those that files were opened with. */
static void changed(struct process *p)
{
	__atomic_store_n(&p->creds.serial, p->creds.serial + 1, __ATOMIC_RELAXED);
}

void creds_give_serial(struct process *p)
{
	p->creds.serial = (uint64_t)p->owner.id << 32;
}

/* ---- users and groups have the same rules: four members of one kind ---- */

struct ids {
	uint32_t *real, *effective, *saved, *fs;
};

static struct ids ids_of(struct process *p, enum creds_kind kind)
{
	struct creds *c = &p->creds;

	return kind == CREDS_USER ? (struct ids){ &c->uid, &c->euid, &c->suid, &c->fsuid }
	                          : (struct ids){ &c->gid, &c->egid, &c->sgid, &c->fsgid };
}

static int set_id_locked(struct ids ids, bool privileged, uint32_t id)
{
	if (!privileged && id != *ids.real && id != *ids.saved)
		return -EPERM;
	if (privileged) {
		set(ids.real, id);
		set(ids.saved, id);
	}
	set(ids.effective, id);
	set(ids.fs, id);
	return 0;
}

int process_set_id(struct ctx *ctx, struct process *p, enum creds_kind kind, uint32_t id)
{
	int err;

	if (id == CREDS_KEEP)
		return -EINVAL;
	mutex_lock(ctx, &p->signal_lock);
	err = set_id_locked(ids_of(p, kind), p->creds.euid == 0, id);
	if (err == 0)
		changed(p);
	mutex_unlock(ctx, &p->signal_lock);
	return err;
}

static bool may_be(struct ids ids, uint32_t id)
{
	return id == CREDS_KEEP || id == *ids.real || id == *ids.effective || id == *ids.saved;
}

static int set_reid_locked(struct ids ids, bool privileged, uint32_t real, uint32_t effective)
{
	uint32_t was = *ids.real;

	/* The real one may not become the saved one. */
	if (!privileged && real != CREDS_KEEP && real != was && real != *ids.effective)
		return -EPERM;
	if (!privileged && !may_be(ids, effective))
		return -EPERM;
	if (real != CREDS_KEEP)
		set(ids.real, real);
	if (effective != CREDS_KEEP)
		set(ids.effective, effective);
	if (real != CREDS_KEEP || (effective != CREDS_KEEP && effective != was))
		set(ids.saved, *ids.effective);
	set(ids.fs, *ids.effective);
	return 0;
}

int process_set_reid(struct ctx *ctx, struct process *p, enum creds_kind kind, uint32_t real, uint32_t effective)
{
	int err;

	mutex_lock(ctx, &p->signal_lock);
	err = set_reid_locked(ids_of(p, kind), p->creds.euid == 0, real, effective);
	if (err == 0)
		changed(p);
	mutex_unlock(ctx, &p->signal_lock);
	return err;
}

int process_set_resid(struct ctx *ctx, struct process *p, enum creds_kind kind, uint32_t real, uint32_t effective,
                      uint32_t saved)
{
	struct ids ids = ids_of(p, kind);
	int err = 0;

	mutex_lock(ctx, &p->signal_lock);
	if (p->creds.euid != 0 && !(may_be(ids, real) && may_be(ids, effective) && may_be(ids, saved)))
		err = -EPERM;
	if (err == 0) {
		if (real != CREDS_KEEP)
			set(ids.real, real);
		if (effective != CREDS_KEEP)
			set(ids.effective, effective);
		if (saved != CREDS_KEEP)
			set(ids.saved, saved);
		set(ids.fs, *ids.effective);
		changed(p);
	}
	mutex_unlock(ctx, &p->signal_lock);
	return err;
}

uint32_t process_set_fsid(struct ctx *ctx, struct process *p, enum creds_kind kind, uint32_t id)
{
	struct ids ids = ids_of(p, kind);
	uint32_t was;

	mutex_lock(ctx, &p->signal_lock);
	was = *ids.fs;
	if (id != CREDS_KEEP && id != was && (p->creds.euid == 0 || may_be(ids, id))) {
		set(ids.fs, id);
		changed(p);
	}
	mutex_unlock(ctx, &p->signal_lock);
	return was;
}

static void sort(uint32_t *groups, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		uint32_t group = groups[i];
		uint32_t at = i;

		for (; at > 0 && groups[at - 1] > group; at--)
			groups[at] = groups[at - 1];
		groups[at] = group;
	}
}

int process_set_groups(struct ctx *ctx, struct process *p, const uint32_t *groups, uint32_t n)
{
	uint32_t sorted[CREDS_GROUPS_MAX];
	int err = 0;

	KSIM_ASSERT(ctx, n <= CREDS_GROUPS_MAX, "no more groups than there is room for", "%u", n);
	for (uint32_t i = 0; i < n; i++) {
		if (groups[i] == CREDS_KEEP)
			return -EINVAL;
		sorted[i] = groups[i];
	}
	sort(sorted, n);
	mutex_lock(ctx, &p->signal_lock);
	if (p->creds.euid != 0)
		err = -EPERM;
	for (uint32_t i = 0; err == 0 && i < n; i++)
		set(&p->creds.groups[i], sorted[i]);
	if (err == 0) {
		set(&p->creds.ngroups, n);
		changed(p);
	}
	mutex_unlock(ctx, &p->signal_lock);
	return err;
}

void process_creds(struct ctx *ctx, struct process *p, struct creds *out)
{
	mutex_lock(ctx, &p->signal_lock);
	*out = p->creds;
	mutex_unlock(ctx, &p->signal_lock);
}

/* ---- limits ---- */

void limits_init(struct limits *limits, uint32_t fd_limit)
{
	for (unsigned i = 0; i < LIMIT_KINDS; i++)
		limits->of[i] = (struct limit){ LIMIT_NONE, LIMIT_NONE };
	limits->of[LIMIT_STACK].soft = LIMIT_STACK_BYTES;
	limits->of[LIMIT_CORE].soft = 0;
	limits->of[LIMIT_NOFILE] = (struct limit){ fd_limit, NR_OPEN };
	limits->of[LIMIT_MEMLOCK] = (struct limit){ LIMIT_MEMLOCK_BYTES, LIMIT_MEMLOCK_BYTES };
}

/* Whether the caller may look at and set limits of another process. */
static bool may_limit(struct ctx *ctx, struct process *p)
{
	const struct creds *mine = ctx->creds;
	struct creds theirs;
	uint32_t uid, gid;

	if (mine == &p->creds || creds_privileged(ctx))
		return true;
	process_creds(ctx, p, &theirs);
	uid = creds_load(&mine->uid);
	gid = creds_load(&mine->gid);
	return uid == theirs.uid && uid == theirs.euid && uid == theirs.suid && gid == theirs.gid &&
	       gid == theirs.egid && gid == theirs.sgid;
}

static int set_limit_locked(const struct ctx *ctx, struct limit *limit, const struct limit *fresh)
{
	if (fresh->hard > limit->hard && !creds_privileged(ctx))
		return -EPERM;
	__atomic_store_n(&limit->soft, fresh->soft, __ATOMIC_RELAXED);
	__atomic_store_n(&limit->hard, fresh->hard, __ATOMIC_RELAXED);
	return 0;
}

/* files: whose lock is taken, and whose limit goes along; NULL: none. */
static int exchange_limit(struct ctx *ctx, struct process *p, uint32_t kind, const struct limit *fresh,
                          struct limit *old, struct fdtable *files)
{
	int err = 0;

	mutex_lock(ctx, &p->signal_lock);
	if (old != NULL)
		*old = p->limits.of[kind];
	if (fresh != NULL)
		err = set_limit_locked(ctx, &p->limits.of[kind], fresh);
	if (err == 0 && files != NULL)
		files->limit = (uint32_t)fresh->soft;
	mutex_unlock(ctx, &p->signal_lock);
	return err;
}

int process_limit(struct ctx *ctx, struct process *p, uint32_t kind, const struct limit *fresh, struct limit *old)
{
	struct fdtable *files;
	int err;

	if (!may_limit(ctx, p))
		return -EPERM;
	if (kind >= LIMIT_KINDS || (fresh != NULL && fresh->soft > fresh->hard))
		return -EINVAL;
	if (fresh == NULL || kind != LIMIT_NOFILE)
		return exchange_limit(ctx, p, kind, fresh, old, NULL);
	if (fresh->hard > NR_OPEN)
		return -EPERM;
	if (process_borrow(ctx, p, NULL, &files) < 0)
		return exchange_limit(ctx, p, kind, fresh, old, NULL); /* there is nothing to limit any more */
	mutex_lock(ctx, &files->lock);
	err = exchange_limit(ctx, p, kind, fresh, old, files);
	mutex_unlock(ctx, &files->lock);
	fdtable_put(ctx, files);
	return err;
}

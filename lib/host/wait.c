// SPDX-License-Identifier: MIT
/*
 * Sleeping, waking, and finding out that nobody ever will.
 *
 *	sleeper                                 waker
 *	lock(thing), condition false
 *	wait_arm: entry on the queue
 *	unlock(thing)                           lock(thing), condition true
 *	wait_sleep                              wait_wake: entry->wake
 *	  woken already? return                   waiter->woken = true
 *	  else asleep, on the list                asleep? off the list, word = 0
 *	  while word is 1                         unlock(queue), wake who sleeps on the word
 *	wait_disarm each entry                  unlock(thing)
 *
 * Whoever ends a sleep takes the sleeper off the list himself, so one who was woken and has not yet been given a CPU
 * does not count as asleep, and the deadlock check never sees him. A wake-up that comes while a sleeper that timed
 * out or was kicked takes its entries off still counts: the sleep returns 0, so an exclusive wake-up is never lost.
 * The default callback uses up an exclusive wake-up only if its waiter was not woken already. Only a deadlock's verdict
 * stands: what the first of those who were stuck does next must not change what the others are told.
 *
 * Deadlock: `acting` threads act as a process; when as many are asleep, none with a deadline and no hold, then nobody
 * is left to wake anybody. The one who brings that about marks the sleepers, writes the report with the registry
 * unlocked (a hold of its own keeps others from reporting the same), and then ends their sleeps. Counting in and out
 * is two atomic operations, since a test body changes its process between any two calls: a thread that stops acting
 * first lowers `acting` and then reads `asleep`, one that falls asleep does it in the other order, so at least one of
 * them sees both.
 *
 * A sleeper outside is a thread that acts as no process and waits for one's end. It does not count among those who
 * could wake somebody, and is told of a deadlock only when nobody acts at all.
 *
 * wait_wake on a queue where nothing is armed is one load: arming happens under the lock that guards the condition,
 * and waking after a change under that same lock, so a waker that sees an empty queue changed the condition before
 * the sleeper looked at it.
 *
 * I1  a waiter is on the list of sleepers exactly while `asleep`
 * I2  registry->asleep counts those of the list who act, registry->outside the others, registry->timed those with a
 *     deadline
 * I3  an entry is on a queue exactly while entry->queue is set, which only its owner changes
 * I4  a queue's entries: first those that are not exclusive, then the others, each kind as armed; narmed counts them
 *
 * Locking: queue->lock, and inside it registry->lock. Who is woken wants both, so the host is told to wake him when
 * they are released; by then he may have gone on by himself, and the word may be anybody's: then nobody is woken, or
 * somebody for nothing, which all who sleep on words of the host's must bear. Callers of wait_wake may hold anything
 * above; callers of wait_sleep hold nothing.
 * Linux: kernel/sched/wait.c; the deadlock report is what kernel/hung_task.c would like to be.
 */
#include "host/wait.h"

#include "base/event.h"
#include "base/util.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

void wait_registry_init(struct wait_registry *reg)
{
	mutex_init(&reg->lock, RANK_WAITER);
	LIST_INIT(&reg->sleepers);
	reg->acting = reg->asleep = reg->outside = reg->timed = reg->holds = 0;
	reg->wakes = 0;
}

void wait_registry_fini(struct wait_registry *reg)
{
	KSIM_ASSERT(NULL, LIST_EMPTY(&reg->sleepers), "nobody sleeps when a machine ends", "%s sleeps in %s",
	            LIST_FIRST(&reg->sleepers)->owner->name, LIST_FIRST(&reg->sleepers)->call);
	mutex_fini(&reg->lock);
}

void waiter_init(struct waiter *waiter, struct owner *owner)
{
	*waiter = (struct waiter){ .owner = owner };
}

void waiter_fini(struct waiter *waiter)
{
	KSIM_ASSERT(NULL, !waiter->asleep, "a waiter ends awake", "%s waits for %s", waiter->owner->name, waiter->what);
}

void wait_queue_init(struct wait_queue *q)
{
	mutex_init(&q->lock, RANK_WAIT_QUEUE);
	TAILQ_INIT(&q->entries);
	q->first_exclusive = NULL;
	q->narmed = 0;
}

void wait_queue_fini(struct wait_queue *q)
{
	KSIM_ASSERT(NULL, TAILQ_EMPTY(&q->entries), "nothing is armed on a queue that ends", "%u entries", q->narmed);
	mutex_fini(&q->lock);
}

/* Sleepers. The registry is locked. */

static void count_sleeper(struct wait_registry *reg, const struct waiter *waiter, unsigned n)
{
	unsigned *count = waiter->outside ? &reg->outside : &reg->asleep;

	__atomic_store_n(count, *count + n, __ATOMIC_SEQ_CST);
	if (waiter->has_deadline)
		reg->timed += n;
}

static void fall_asleep(struct wait_registry *reg, struct waiter *waiter)
{
	waiter->asleep = true;
	__atomic_store_n(&waiter->word, 1, __ATOMIC_RELAXED);
	LIST_INSERT_HEAD(&reg->sleepers, waiter, link);
	count_sleeper(reg, waiter, 1);
}

static void end_sleep(struct wait_registry *reg, struct waiter *waiter)
{
	waiter->asleep = false;
	LIST_REMOVE(waiter, link);
	count_sleeper(reg, waiter, -1u);
}

/* The address alone is used: who slept there may have gone on, and is then woken for nothing, or nobody is. */
static void wake_word(uint32_t *word)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	errno = saved;
}

/* While the word is 1. false: the deadline has passed */
static bool sleep_on(uint32_t *word, const struct timespec *deadline)
{
	int saved = errno;
	bool late =
		syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, 1, deadline, NULL, FUTEX_BITSET_MATCH_ANY) != 0 &&
		errno == ETIMEDOUT;

	errno = saved;
	return !late;
}

/*
 * What is woken wants the locks that its waker holds: so it is woken when they are released. ctx NULL, or too many at
 * once: now.
 */
static void rouse(struct ctx *ctx, struct wait_registry *reg, struct waiter *waiter)
{
	end_sleep(reg, waiter);
	__atomic_store_n(&waiter->word, 0, __ATOMIC_RELEASE);
	if (ctx != NULL && ctx->nroused < ARRAY_SIZE(ctx->roused))
		ctx->roused[ctx->nroused++] = &waiter->word;
	else
		wake_word(&waiter->word);
}

static void wake_roused(struct ctx *ctx)
{
	while (ctx->nroused > 0)
		wake_word(ctx->roused[--ctx->nroused]);
}

/* The same by ctx's caller, who is seen to have done it. */
static void rouse_by(struct ctx *ctx, struct wait_registry *reg, struct waiter *waiter)
{
	if (!waiter->asleep)
		return;
	rouse(ctx, reg, waiter);
	waiter->wake = ++reg->wakes;
	EVENT(ctx, EVENT_WAKE, .pid = waiter->owner->id, .tid = waiter->tid, .wake = waiter->wake);
}

/* Deadlock. */

/* The report on one kind of sleepers, to be freed; NULL when the host has no memory for it. */
static char *deadlock_text(const struct wait_registry *reg, bool outside)
{
	const struct waiter *waiter;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	fprintf(out, "ksim: deadlock: every process waits, and nothing is left that could wake one\n");
	LIST_FOREACH(waiter, &reg->sleepers, link)
		if (waiter->outside == outside)
			fprintf(out, "  %s (%" PRIu32 ") in %s waits for %s\n", waiter->owner->name, waiter->owner->id,
			        waiter->call != NULL ? waiter->call : "no call", waiter->what);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/*
 * End the sleeps of all who act, or of all outside. The registry is locked, and is unlocked while the report is
 * written.
 */
static void report_deadlock(struct ctx *ctx, struct wait_registry *reg, bool outside)
{
	char *text = deadlock_text(reg, outside);
	struct waiter *waiter;

	LIST_FOREACH(waiter, &reg->sleepers, link)
		waiter->deadlocked |= waiter->outside == outside;
	reg->holds++;
	mutex_unlock(ctx, &reg->lock);
	env_say(ctx->env, "%s", text != NULL ? text : "ksim: deadlock: every process waits");
	free(text);
	mutex_lock(ctx, &reg->lock);
	reg->holds--;
	for (waiter = LIST_FIRST(&reg->sleepers); waiter != NULL;) {
		struct waiter *next = LIST_NEXT(waiter, link);

		if (waiter->deadlocked)
			rouse(NULL, reg, waiter);
		waiter = next;
	}
}

/*
 * The registry is locked. Again after a report, since others may have gone to sleep during it. A sleeper outside is
 * stuck only when nobody acts: those who act may still bring about what it waits for, once told of their own deadlock.
 */
static void look_for_deadlock(struct ctx *ctx, struct wait_registry *reg)
{
	while (reg->timed == 0 && reg->holds == 0) {
		unsigned acting = __atomic_load_n(&reg->acting, __ATOMIC_SEQ_CST);

		if (reg->asleep > 0 && reg->asleep >= acting)
			report_deadlock(ctx, reg, false);
		else if (reg->outside > 0 && acting == 0)
			report_deadlock(ctx, reg, true);
		else
			return;
	}
}

void wait_acting_begin(struct env *env)
{
	__atomic_fetch_add(&env->waits->acting, 1, __ATOMIC_SEQ_CST);
}

void wait_acting_end(struct env *env)
{
	struct wait_registry *reg = env->waits;
	unsigned was = __atomic_fetch_sub(&reg->acting, 1, __ATOMIC_SEQ_CST);
	struct ctx ctx;

	KSIM_ASSERT(NULL, was > 0, "who stops acting has begun", "acting %u", was);
	if (__atomic_load_n(&reg->asleep, __ATOMIC_SEQ_CST) == 0 &&
	    __atomic_load_n(&reg->outside, __ATOMIC_SEQ_CST) == 0)
		return;
	ctx_init(&ctx, env, "end of acting");
	mutex_lock(&ctx, &reg->lock);
	look_for_deadlock(&ctx, reg);
	mutex_unlock(&ctx, &reg->lock);
}

void wait_hold(struct env *env)
{
	struct ctx ctx;

	ctx_init(&ctx, env, "hold");
	mutex_lock(&ctx, &env->waits->lock);
	env->waits->holds++;
	mutex_unlock(&ctx, &env->waits->lock);
}

void wait_release(struct env *env)
{
	struct wait_registry *reg = env->waits;
	struct ctx ctx;

	ctx_init(&ctx, env, "release");
	mutex_lock(&ctx, &reg->lock);
	KSIM_ASSERT(&ctx, reg->holds > 0, "a hold is released once", "holds %u", reg->holds);
	reg->holds--;
	look_for_deadlock(&ctx, reg);
	mutex_unlock(&ctx, &reg->lock);
}

/* Queues. */

/* The default callback: a waiter that was woken already leaves an exclusive wake-up to the next. */
static bool wake_waiter(struct ctx *ctx, struct wait_entry *entry)
{
	struct wait_registry *reg = ctx->env->waits;
	struct waiter *waiter = entry->waiter;
	bool news;

	if (waiter == NULL)
		return false;
	mutex_lock(ctx, &reg->lock);
	news = !waiter->woken && !waiter->deadlocked;
	waiter->woken = true;
	rouse_by(ctx, reg, waiter);
	mutex_unlock(ctx, &reg->lock);
	return news;
}

void wait_arm(struct ctx *ctx, struct wait_queue *q, struct wait_entry *entry, enum wait_mode mode)
{
	wait_arm_callback(ctx, q, entry, wake_waiter, mode);
}

void wait_arm_callback(struct ctx *ctx, struct wait_queue *q, struct wait_entry *entry,
                       bool (*wake)(struct ctx *, struct wait_entry *), enum wait_mode mode)
{
	entry->queue = q;
	entry->waiter = ctx->waiter;
	entry->wake = wake;
	entry->exclusive = mode == WAIT_EXCLUSIVE;
	mutex_lock(ctx, &q->lock);
	if (entry->exclusive || q->first_exclusive == NULL)
		TAILQ_INSERT_TAIL(&q->entries, entry, link);
	else
		TAILQ_INSERT_BEFORE(q->first_exclusive, entry, link);
	if (entry->exclusive && q->first_exclusive == NULL)
		q->first_exclusive = entry;
	__atomic_store_n(&q->narmed, q->narmed + 1, __ATOMIC_RELAXED);
	mutex_unlock(ctx, &q->lock);
}

void wait_disarm(struct ctx *ctx, struct wait_entry *entry)
{
	struct wait_queue *q = entry->queue;

	if (q == NULL)
		return;
	mutex_lock(ctx, &q->lock);
	if (q->first_exclusive == entry)
		q->first_exclusive = TAILQ_NEXT(entry, link);
	TAILQ_REMOVE(&q->entries, entry, link);
	__atomic_store_n(&q->narmed, q->narmed - 1, __ATOMIC_RELAXED);
	mutex_unlock(ctx, &q->lock);
	entry->queue = NULL;
}

void wait_wake(struct ctx *ctx, struct wait_queue *q, unsigned exclusive)
{
	struct wait_entry *entry;

	if (likely(__atomic_load_n(&q->narmed, __ATOMIC_RELAXED) == 0))
		return;
	mutex_lock(ctx, &q->lock);
	TAILQ_FOREACH(entry, &q->entries, link) {
		if (entry->exclusive && exclusive == 0)
			break;
		if (entry->wake(ctx, entry) && entry->exclusive)
			exclusive--;
	}
	mutex_unlock(ctx, &q->lock);
	wake_roused(ctx);
}

/* Sleeping. */

/* Until somebody ends the sleep, or the deadline does. The registry is locked. @return false at the deadline */
static bool sleep_locked(struct ctx *ctx, struct wait_registry *reg, struct waiter *waiter, uint64_t deadline_ns)
{
	struct timespec at = { .tv_sec = (time_t)(deadline_ns / NS_PER_S), .tv_nsec = (long)(deadline_ns % NS_PER_S) };

	while (waiter->asleep) {
		bool late;

		mutex_unlock(ctx, &reg->lock);
		late = !sleep_on(&waiter->word, waiter->has_deadline ? &at : NULL);
		mutex_lock(ctx, &reg->lock);
		if (late && waiter->asleep) {
			end_sleep(reg, waiter);
			return false;
		}
	}
	return true;
}

/* How a sleep ends that no wake-up ended: 0 if one did. */
static int sleep_result(struct ctx *ctx, struct waiter *waiter, uint64_t deadline_ns, const char *what)
{
	struct wait_registry *reg = ctx->env->waits;
	int result = 0;

	mutex_lock(ctx, &reg->lock);
	if (waiter->woken)
		goto out;
	if (__atomic_load_n(&waiter->kicked, __ATOMIC_RELAXED)) {
		result = -EINTR;
		goto out;
	}
	waiter->call = ctx->call;
	waiter->what = what;
	waiter->deadlocked = false;
	waiter->has_deadline = deadline_ns != WAIT_FOREVER;
	waiter->wake = 0;
	fall_asleep(reg, waiter);
	EVENT(ctx, EVENT_BLOCK, .what = what);
	look_for_deadlock(ctx, reg);
	if (!sleep_locked(ctx, reg, waiter, deadline_ns))
		result = -ETIMEDOUT;
	else if (waiter->deadlocked)
		result = __atomic_load_n(&waiter->kicked, __ATOMIC_RELAXED) ? -EINTR : -EDEADLK;
	else
		result = waiter->woken ? 0 : -EINTR;
	EVENT_TELL(ctx, EVENT_UNBLOCK, .wake = waiter->wake);
out:
	mutex_unlock(ctx, &reg->lock);
	return result;
}

int wait_sleep(struct ctx *ctx, struct wait_entry *entries, size_t n, uint64_t deadline_ns, const char *what)
{
	struct wait_registry *reg = ctx->env->waits;
	struct waiter *waiter = ctx->waiter;
	int result = -EDEADLK;

	KSIM_ASSERT(ctx, ctx->held == 0, "nobody sleeps under a lock", "ranks held %#x, waiting for %s", ctx->held,
	            what);
	sched_point(ctx, what);
	if (waiter != NULL) {
		if (unlikely(waiter->settle != NULL))
			waiter->settle(ctx);
		result = sleep_result(ctx, waiter, deadline_ns, what);
	}
	for (size_t i = 0; i < n; i++)
		wait_disarm(ctx, &entries[i]);
	if (waiter == NULL)
		return result;
	/* Now that nothing is armed, no other wake-up comes; one that came until now must not be lost. */
	mutex_lock(ctx, &reg->lock);
	if (waiter->woken && !waiter->deadlocked)
		result = 0;
	waiter->woken = waiter->deadlocked = false;
	mutex_unlock(ctx, &reg->lock);
	ctx->interrupted |= result == -EINTR;
	return result;
}

void waiter_kick(struct ctx *ctx, struct waiter *waiter)
{
	struct wait_registry *reg = ctx->env->waits;

	__atomic_store_n(&waiter->kicked, true, __ATOMIC_RELAXED);
	mutex_lock(ctx, &reg->lock);
	rouse_by(ctx, reg, waiter);
	mutex_unlock(ctx, &reg->lock);
	wake_roused(ctx);
}

void waiter_unkick(struct waiter *waiter)
{
	__atomic_store_n(&waiter->kicked, false, __ATOMIC_RELAXED);
}

// SPDX-License-Identifier: MIT
/*
 * Advice, locks and copies between processes, swept: mappings that are cut and joined, pages that are brought in and
 * taken away, holes made in a file, another process's pages faulted in.
 *
 * What Linux promises when such a call fails for want of memory: madvise(2) is EAGAIN and the mapping what it was, or,
 * of MADV_POPULATE_*, ENOMEM with a part of the pages there; mlock(2) is ENOMEM, or EAGAIN with the range locked.
 */
#include "held.h"

#include <sys/uio.h>

enum { PAGES = 6, BYTES = PAGES * PAGE, POPULATE_READ = 22, POPULATE_WRITE = 23, GUARD = 102, UNGUARD = 103 };

static ksim_addr map_anonymous(int flags)
{
	return ksim_mmap(0, BYTES, RW, flags | MAP_ANONYMOUS, -1, 0);
}

static int advise_parts(void *arg)
{
	static const struct {
		int set, clear;
	} advices[] = { { MADV_DONTFORK, MADV_DOFORK }, { MADV_RANDOM, MADV_NORMAL }, { GUARD, UNGUARD } };
	ksim_addr map = RETRY(map_anonymous(MAP_PRIVATE));

	(void)arg;
	MUST(map != KSIM_MAP_FAILED);
	fill(map, PAGES, 1);
	for (int i = 0; i < 3; i++) {
		ksim_addr middle = map + 2 * PAGE;

		MUST(RETRY_UNCHANGED(ksim_madvise(middle, PAGE, advices[i].set), holds(map, 2, 1)) == 0);
		MUST(holds(map, 2, 1));
		MUST(RETRY(ksim_madvise(middle, PAGE, advices[i].clear)) == 0);
	}
	MUST(is_zero(map + 2 * PAGE, 1));
	MUST(ksim_madvise(map, BYTES, MADV_DONTNEED) == 0);
	MUST(is_zero(map, PAGES));
	MUST(ksim_munmap(map, BYTES) == 0);
	return 0;
}

TEST(sweep_advice, of_parts_of_a_mapping)
{
	story_sweep(story_of_itself, advise_parts);
}

static int populate(void *arg)
{
	ksim_addr map = RETRY(map_anonymous(MAP_PRIVATE)), shared = RETRY(map_anonymous(MAP_SHARED));
	unsigned char in[PAGES];

	(void)arg;
	MUST(map != KSIM_MAP_FAILED && shared != KSIM_MAP_FAILED);
	MUST(RETRY(ksim_madvise(map, BYTES, POPULATE_WRITE)) == 0);
	MUST(RETRY(ksim_madvise(shared, BYTES, POPULATE_READ)) == 0);
	MUST(ksim_mincore(map, BYTES, in) == 0 && in[0] == 1 && in[PAGES - 1] == 1);
	MUST(ksim_mincore(shared, BYTES, in) == 0 && in[0] == 1 && in[PAGES - 1] == 1);
	fill(map, PAGES, 1);
	fill(shared, PAGES, 1);
	MUST(RETRY(ksim_madvise(shared, BYTES, MADV_REMOVE)) == 0);
	MUST(is_zero(shared, PAGES));
	MUST(ksim_munmap(map, BYTES) == 0 && ksim_munmap(shared, BYTES) == 0);
	return 0;
}

TEST(sweep_advice, that_brings_pages_in_and_takes_them_away)
{
	story_sweep(story_of_itself, populate);
}

static int lock_parts(void *arg)
{
	ksim_addr map = RETRY(map_anonymous(MAP_PRIVATE));

	(void)arg;
	MUST(map != KSIM_MAP_FAILED);
	MUST(RETRY(ksim_mlock(map + 2 * PAGE, 2 * PAGE)) == 0);
	MUST(ksim_msync(map + 2 * PAGE, PAGE, MS_INVALIDATE) == -1 && errno == EBUSY);
	MUST(ksim_msync(map, 2 * PAGE, MS_INVALIDATE) == 0);
	MUST(RETRY(ksim_mlock2(map, BYTES, 1)) == 0);
	MUST(RETRY(ksim_munlock(map + 3 * PAGE, PAGE)) == 0);
	fill(map, PAGES, 1);
	MUST(holds(map, PAGES, 1));
	MUST(RETRY(ksim_munlock(map, BYTES)) == 0);
	MUST(ksim_msync(map, BYTES, MS_INVALIDATE) == 0);
	MUST(ksim_munmap(map, BYTES) == 0);
	return 0;
}

TEST(sweep_lock, of_parts_of_a_mapping)
{
	story_sweep(story_of_itself, lock_parts);
}

static int lock_all(void *arg)
{
	ksim_addr map = RETRY(map_anonymous(MAP_PRIVATE)), later;

	(void)arg;
	story.absorbed = true; /* what cannot be brought in is passed over */
	MUST(map != KSIM_MAP_FAILED);
	MUST(RETRY(ksim_mlockall(MCL_CURRENT | MCL_FUTURE)) == 0);
	later = RETRY(map_anonymous(MAP_PRIVATE | MAP_POPULATE));
	MUST(later != KSIM_MAP_FAILED);
	MUST(ksim_msync(map, BYTES, MS_INVALIDATE) == -1 && ksim_msync(later, BYTES, MS_INVALIDATE) == -1);
	MUST(ksim_munlockall() == 0);
	MUST(is_zero(map, PAGES) && is_zero(later, PAGES));
	MUST(ksim_munmap(map, BYTES) == 0 && ksim_munmap(later, BYTES) == 0);
	return 0;
}

TEST(sweep_lock, of_all_that_is_and_will_be_mapped)
{
	story_sweep(story_of_itself, lock_all);
}

/* ---- two processes ---- */

struct copied {
	ksim_addr map;
	pid_t pid;
};

static int map_and_tell(void *arg)
{
	struct copied *copied = arg;

	copied->map = RETRY(map_anonymous(MAP_PRIVATE));
	copied->pid = ksim_getpid();
	MUST(copied->map != KSIM_MAP_FAILED);
	mem_store8(copied->map, 'a');
	return 0;
}

static int copy_there_and_back(void *arg)
{
	enum { MANY = 12 }; /* more than lie on the stack */
	const struct copied *copied = arg;
	struct iovec local[MANY], remote[MANY];
	char bytes[MANY];

	for (int i = 0; i < MANY; i++) {
		bytes[i] = (char)('b' + i);
		local[i] = (struct iovec){ bytes + i, 1 };
		remote[i] = (struct iovec){ (void *)(uintptr_t)(copied->map + PAGE + (ksim_addr)i), 1 };
	}
	MUST(RETRY(ksim_process_vm_writev(copied->pid, local, MANY, remote, MANY, 0)) == MANY);
	memset(bytes, 0, sizeof(bytes));
	MUST(RETRY(ksim_process_vm_readv(copied->pid, local, MANY, remote, MANY, 0)) == MANY);
	MUST(bytes[0] == 'b' && bytes[MANY - 1] == 'b' + MANY - 1);
	return 0;
}

static int look_and_unmap(void *arg)
{
	const struct copied *copied = arg;

	MUST(mem_load8(copied->map) == 'a' && mem_load8(copied->map + PAGE) == 'b');
	MUST(ksim_munmap(copied->map, BYTES) == 0);
	return 0;
}

static int tell_copied(int (*act)(void *))
{
	struct ksim_process *a = story_process("a"), *b = a != NULL ? story_process("b") : NULL;
	struct copied copied;

	(void)act;
	MUST(b != NULL);
	story_begin();
	TRY(story_act(a, map_and_tell, &copied));
	TRY(story_act(b, copy_there_and_back, &copied));
	TRY(story_act(a, look_and_unmap, &copied));
	return story_settled();
}

TEST(sweep_copy, between_two_processes)
{
	story_sweep(tell_copied, NULL);
}

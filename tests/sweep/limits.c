// SPDX-License-Identifier: MIT
/*
 * Resource limits, swept: calls at the limit, which fail as they would if nothing else failed, and work as soon as it
 * is raised, by the process itself or by another.
 *
 * What Linux promises: getrlimit(2); a limit that was met has changed nothing, or as much as the call says.
 */
#include "held.h"

#include <sys/resource.h>

enum { PAGES = 4, BYTES = PAGES * PAGE, USER = 1000 };

static unsigned xfsz;

static int tell_of_one(int (*act)(void *))
{
	return held_by_one(act, BYTES);
}

static int limit(int resource, rlim_t soft)
{
	struct rlimit both;

	MUST(ksim_getrlimit(resource, &both) == 0);
	both.rlim_cur = soft;
	MUST(ksim_setrlimit(resource, &both) == 0);
	return 0;
}

/* ---- address space, data, locked memory, mappings ---- */

static int meet_address_space(void *arg)
{
	struct held *held = arg;

	held->map = RETRY(map_at(0, BYTES, RW, MAP_PRIVATE, -1));
	MUST(held->map != KSIM_MAP_FAILED);
	fill(held->map, PAGES, 1);
	TRY(limit(RLIMIT_AS, BYTES));
	MUST(RETRY(map_at(0, PAGE, RW, MAP_PRIVATE, -1)) == KSIM_MAP_FAILED && errno == ENOMEM);
	MUST(RETRY(ksim_mremap(held->map, BYTES, 2 * BYTES, MREMAP_MAYMOVE, 0)) == KSIM_MAP_FAILED && errno == ENOMEM);
	MUST(RETRY(map_at(held->map, PAGE, RW, MAP_PRIVATE | MAP_FIXED, -1)) == held->map); /* one for another */
	MUST(mem_load8(held->map) == 0 && holds(held->map + PAGE, PAGES - 1, 2));
	TRY(limit(RLIMIT_AS, RLIM_INFINITY));
	held->other = RETRY(map_at(0, BYTES, RW, MAP_PRIVATE, -1));
	MUST(held->other != KSIM_MAP_FAILED);
	return 0;
}

TEST(sweep_limits, of_address_space)
{
	story_sweep(tell_of_one, meet_address_space);
}

static int meet_data(void *arg)
{
	ksim_addr heap = ksim_sbrk(0);

	(void)arg;
	TRY(limit(RLIMIT_DATA, 2 * PAGE));
	MUST(RETRY(ksim_sbrk(2 * PAGE)) == heap);
	MUST(RETRY(ksim_sbrk(PAGE)) == KSIM_MAP_FAILED && errno == ENOMEM);
	MUST(ksim_sbrk(0) == heap + 2 * PAGE);
	MUST(RETRY(map_at(0, PAGE, RW, MAP_PRIVATE, -1)) == KSIM_MAP_FAILED && errno == ENOMEM);
	fill(heap, 2, 1);
	TRY(limit(RLIMIT_DATA, RLIM_INFINITY));
	MUST(RETRY(ksim_sbrk(PAGE)) == heap + 2 * PAGE);
	MUST(holds(heap, 2, 1));
	MUST(ksim_brk(heap) == 0);
	return 0;
}

TEST(sweep_limits, of_data)
{
	story_sweep(story_of_itself, meet_data);
}

/* Of one who is not privileged. */
static int meet_locked(void *arg)
{
	struct held *held = arg;

	held->map = RETRY(map_at(0, BYTES, RW, MAP_PRIVATE, -1));
	MUST(held->map != KSIM_MAP_FAILED);
	TRY(limit(RLIMIT_MEMLOCK, 2 * PAGE));
	MUST(ksim_seteuid(USER) == 0);
	MUST(RETRY(ksim_mlock(held->map + PAGE, 2 * PAGE)) == 0);
	MUST(RETRY(ksim_mlock(held->map, BYTES)) == -1 && errno == ENOMEM);
	MUST(RETRY(ksim_mlock(held->map + 2 * PAGE, PAGE)) == 0); /* it is already */
	MUST(RETRY(map_at(0, PAGE, RW, MAP_PRIVATE | MAP_LOCKED, -1)) == KSIM_MAP_FAILED && errno == EAGAIN);
	MUST(RETRY(ksim_munlock(held->map + PAGE, PAGE)) == 0);
	MUST(RETRY(ksim_mlock(held->map, PAGE)) == 0);
	MUST(ksim_seteuid(0) == 0);
	return 0;
}

TEST(sweep_limits, of_locked_memory)
{
	story_sweep(tell_of_one, meet_locked);
}

static int set_mappings(const char *text)
{
	int fd = RETRY(ksim_open("/proc/sys/vm/max_map_count", O_WRONLY));

	MUST(fd >= 0);
	MUST(RETRY(ksim_write(fd, text, strlen(text))) == (ssize_t)strlen(text));
	MUST(ksim_close(fd) == 0);
	return 0;
}

static int meet_mappings(void *arg)
{
	struct held *held = arg;

	held->map = RETRY(map_at(0, BYTES, RW, MAP_PRIVATE, -1));
	MUST(held->map != KSIM_MAP_FAILED);
	fill(held->map, PAGES, 1);
	TRY(set_mappings("1"));
	MUST(RETRY(ksim_mprotect(held->map + PAGE, PAGE, PROT_READ)) == -1 && errno == ENOMEM);
	MUST(RETRY(ksim_munmap(held->map + PAGE, PAGE)) == -1 && errno == ENOMEM);
	MUST(RETRY(ksim_madvise(held->map + PAGE, PAGE, MADV_DONTFORK)) == -1);
	MUST(holds(held->map, PAGES, 1));
	TRY(set_mappings("65530"));
	MUST(RETRY(ksim_mprotect(held->map + PAGE, PAGE, PROT_READ)) == 0);
	MUST(RETRY(ksim_munmap(held->map + PAGE, PAGE)) == 0);
	return 0;
}

TEST(sweep_limits, of_mappings)
{
	story_sweep(tell_of_one, meet_mappings);
}

/* ---- descriptors and sizes of files ---- */

static int meet_descriptors(void *arg)
{
	(void)arg;
	TRY(limit(RLIMIT_NOFILE, 2));
	MUST(RETRY(ksim_memfd_create("a", 0)) == 0);
	MUST(RETRY(ksim_dup(0)) == 1);
	MUST(RETRY(ksim_memfd_create("b", 0)) == -1 && errno == EMFILE);
	MUST(RETRY(ksim_dup(0)) == -1 && errno == EMFILE);
	MUST(RETRY(ksim_dup2(0, 2)) == -1 && errno == EBADF);
	MUST(RETRY(ksim_fcntl(0, F_DUPFD, 2)) == -1 && errno == EINVAL);
	MUST(RETRY(ksim_open("/", O_RDONLY)) == -1 && errno == EMFILE);
	TRY(limit(RLIMIT_NOFILE, 1000));
	MUST(RETRY(ksim_memfd_create("b", 0)) == 2);
	MUST(RETRY(ksim_dup2(0, 900)) == 900); /* the table grows */
	TRY(limit(RLIMIT_NOFILE, 1));
	MUST(ksim_close(900) == 0 && ksim_close(2) == 0 && ksim_close(1) == 0); /* what is there stays */
	TRY(limit(RLIMIT_NOFILE, 1000));
	MUST(ksim_close(0) == 0);
	return 0;
}

TEST(sweep_limits, of_descriptors)
{
	story_sweep(story_of_itself, meet_descriptors);
}

static void count_xfsz(int signo)
{
	(void)signo;
	xfsz++;
}

static off_t size_of(int fd)
{
	return ksim_lseek(fd, 0, SEEK_END);
}

static int meet_size(void *arg)
{
	struct sigaction action = { .sa_flags = 0 };
	struct held *held = arg;
	char bytes[8] = "abcdefg";

	xfsz = 0;
	action.sa_handler = count_xfsz;
	MUST(ksim_sigaction(SIGXFSZ, &action, NULL) == 0);
	held->fd = RETRY(ksim_memfd_create("file", MFD_ALLOW_SEALING));
	MUST(held->fd == 0);
	TRY(limit(RLIMIT_FSIZE, PAGE + 4));
	MUST(RETRY(ksim_pwrite(0, bytes, 8, PAGE + 4)) == -1 && errno == EFBIG);
	MUST(xfsz == 1 && size_of(0) == 0);
	story_absorbs("pwrite64"); /* what the signal tells */
	MUST(RETRY(ksim_ftruncate(0, BYTES)) == -1 && errno == EFBIG);
	MUST(xfsz == 2 && size_of(0) == 0);
	story_absorbs("ftruncate");
	MUST(RETRY(ksim_fallocate(0, 0, 0, BYTES)) == -1 && errno == EFBIG);
	MUST(size_of(0) == 0);
	story_absorbs("fallocate");
	MUST(RETRY(ksim_pwrite(0, bytes, 8, PAGE)) == 4);
	MUST(size_of(0) == PAGE + 4);
	TRY(limit(RLIMIT_FSIZE, RLIM_INFINITY));
	MUST(RETRY(ksim_pwrite(0, bytes, 8, PAGE)) == 8);
	return 0;
}

TEST(sweep_limits, of_the_size_of_files)
{
	story_sweep(tell_of_one, meet_size);
}

/* ---- of another ---- */

static int limits_other(void *arg)
{
	const struct rlimit two = { 2, 100 };
	struct rlimit old;

	MUST(ksim_prlimit(*(pid_t *)arg, RLIMIT_NOFILE, &two, &old) == 0);
	MUST(old.rlim_cur > 2);
	return 0;
}

static int is_limited(void *arg)
{
	(void)arg;
	MUST(RETRY(ksim_memfd_create("a", 0)) == 0);
	MUST(RETRY(ksim_memfd_create("b", 0)) == 1);
	MUST(RETRY(ksim_memfd_create("c", 0)) == -1 && errno == EMFILE);
	MUST(ksim_close(0) == 0 && ksim_close(1) == 0);
	return 0;
}

static int tell_other(int (*act)(void *))
{
	struct ksim_process *a = story_process("a"), *b = a != NULL ? story_process("b") : NULL, *child;
	pid_t pid;

	(void)act;
	MUST(b != NULL);
	pid = ksim_process_pid(b);
	story_begin();
	TRY(story_act(a, limits_other, &pid));
	TRY(story_act(b, is_limited, NULL));
	child = story_fork(b, "child");
	MUST(child != NULL);
	TRY(story_act(child, is_limited, NULL)); /* a child has its parent's */
	TRY(story_process_ends(child));
	return story_settled();
}

TEST(sweep_limits, set_by_another)
{
	story_sweep(tell_other, NULL);
}

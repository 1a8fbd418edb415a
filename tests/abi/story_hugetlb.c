// SPDX-License-Identifier: MIT
/*
 * A random story of huge pages by name: mappings of them come and go in a range of 12, private and shared, anonymous and
 * of two files, which grow, shrink and get holes, over a pool that never has enough for all. Children have copies, and
 * lose them when their parent needs the pages.
 *
 * Told is, beside each call's result and errno, what the pool has and has promised, and the size and blocks of each
 * file; in the end a byte of every page.
 *
 * The host's pool is set up as the story needs it and left as it was; where that may not be done the story is skipped.
 * What others have of it, or what the kernel has lost count of, is taken off. Left out is what loses promises on Linux:
 * mremap; a change of the pool's size while it is used; and calls while a child has copies, until whose end what is
 * promised does not add up there.
 */
#include "story.h"

#include <fcntl.h>
#include <sys/file.h>

enum { HUGE = 2 << 20, RANGE = 12, POOL = 7, FILES = 2, FILE_HUGE = 4 };

static addr_t base;
static int fds[FILES];

/* ---- the pool ---- */

static long long pool_before = -1, others_used, others_reserved;

static char *slurp(const char *path)
{
	static char text[1 << 14];
	int fd = x_open(path, O_RDONLY);
	ssize_t n;

	SETUP(fd >= 0);
	n = x_read(fd, text, sizeof(text) - 1);
	SETUP(n >= 0 && x_close(fd) == 0);
	text[n] = '\0';
	return text;
}

static long long number(const char *key)
{
	const char *line = strstr(slurp("/proc/meminfo"), key);

	SETUP(line != NULL);
	return atoll(line + strlen(key));
}

/* 0 or -1 */
static int set(const char *path, long long value)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lld", value), fd = x_open(path, O_WRONLY);
	ssize_t done;

	if (fd < 0)
		return -1;
	done = x_write(fd, text, (size_t)n);
	x_close(fd);
	return done == n ? 0 : -1;
}

static const char pool_path[] = "/proc/sys/vm/nr_hugepages";

static void lock_pool(void);

static void take_pool(void)
{
	lock_pool();
	if (atoll(slurp("/proc/sys/vm/nr_overcommit_hugepages")) != 0)
		SKIP("the pool of huge pages grows by itself");
	others_used = number("HugePages_Total:") - number("HugePages_Free:");
	others_reserved = number("HugePages_Rsvd:");
	pool_before = atoll(slurp(pool_path));
	if (set(pool_path, POOL + others_used + others_reserved) < 0)
		SKIP("the pool of huge pages may not be changed: %s", strerror(errno));
	if (number("HugePages_Total:") != POOL + others_used + others_reserved)
		SKIP("there is no memory for %d huge pages", POOL);
}

#ifdef ABI_LINUX
/* One program at a time uses the pool. */
static int lock = -1;

static void lock_pool(void)
{
	lock = open(pool_path, O_RDONLY | O_CLOEXEC);
	if (lock >= 0)
		flock(lock, LOCK_EX);
}

/* Whatever has become of the story. */
static void give_pool_back(void)
{
	if (pool_before >= 0)
		set(pool_path, pool_before);
	if (lock >= 0)
		close(lock);
}

static struct harness_hook hook = { "huge pages", NULL, give_pool_back, NULL };

__attribute__((constructor)) static void add_hook(void)
{
	harness_hook_add(&hook);
}
#else
static void lock_pool(void)
{
}
#endif

/* ---- telling ---- */

static addr_t page(unsigned n)
{
	return base + (addr_t)n * HUGE;
}

/* What was said, the result, the pool, and the files. */
static void tell(long result)
{
	struct stat st;

	tell_result(result);
	fprintf(out, " pool %lld %lld", number("HugePages_Free:") - others_reserved,
	        number("HugePages_Rsvd:") - others_reserved);
	for (int i = 0; i < FILES; i++) {
		SETUP(x_fstat(fds[i], &st) == 0);
		fprintf(out, " %ld/%ld", (long)st.st_size / HUGE, (long)st.st_blocks / (HUGE / 512));
	}
	fprintf(out, "\n");
}

static long told_page(addr_t addr)
{
	if (addr == NO_MAPPING)
		return -1;
	return addr >= base && addr < page(RANGE) ? (long)((addr - base) / HUGE) : RANGE;
}

static void say_fault(struct fault fault)
{
	SAY(": %d %d %ld", fault.signo, fault.code, fault.signo != 0 ? (long)(fault.addr - base) : 0);
}

/* ---- what happens ---- */

struct pages {
	unsigned at, n;
};

static struct pages some_pages(void)
{
	struct pages p = { .at = below(RANGE), .n = 1 + below(3) };

	if (p.at + p.n > RANGE)
		p.n = RANGE - p.at;
	return p;
}

/* Mostly 0. */
static size_t a_bit(void)
{
	return below(10) ? 0 : PAGE;
}

static void do_mmap(void)
{
	struct pages p = some_pages();
	unsigned kind = below(4), file = below(FILES);
	int prot = ONE_OF(3, 3, 3, 3, 3, 1, 0), flags = kind % 2 ? MAP_SHARED : MAP_PRIVATE;
	off_t offset = kind < 2 ? 0 : (off_t)below(FILE_HUGE) * HUGE + (off_t)a_bit();

	flags |= kind < 2 ? MAP_ANONYMOUS | MAP_HUGETLB : 0;
	flags |= below(8) ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	if (below(4) == 0)
		flags |= ONE_OF(MAP_NORESERVE, MAP_NORESERVE, MAP_POPULATE);
	SAY("mmap(%u, %u, %d, %#x, %s, %ld)", p.at, p.n, prot, (unsigned)flags,
	    kind < 2    ? "none"
	    : file == 0 ? "0"
	                : "1",
	    (long)offset);
	tell(told_page(
		x_mmap(page(p.at), p.n * (size_t)HUGE - a_bit(), prot, flags, kind < 2 ? -1 : fds[file], offset)));
}

static void do_munmap(void)
{
	struct pages p = some_pages();
	size_t less = a_bit();

	SAY("munmap(%u, %u, %zu)", p.at, p.n, less);
	tell(x_munmap(page(p.at), p.n * (size_t)HUGE - less));
}

static void do_mprotect(void)
{
	struct pages p = some_pages();
	int prot = ONE_OF(0, 1, 3, 3);
	size_t more = a_bit();

	SAY("mprotect(%u+%zu, %u, %d)", p.at, more, p.n, prot);
	tell(x_mprotect(page(p.at) + more, p.n * (size_t)HUGE - more, prot));
}

static void do_madvise(void)
{
	int advice = ONE_OF(MADV_DONTNEED, MADV_DONTNEED, MADV_DONTNEED, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK,
	                    MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_FREE, MADV_WILLNEED);
	struct pages p = some_pages();
	size_t less = a_bit();

	SAY("madvise(%u, %u, %zu, %d)", p.at, p.n, less, advice);
	tell(x_madvise(page(p.at), p.n * (size_t)HUGE - less, advice));
}

static void do_store(void)
{
	unsigned at = below(RANGE), offset = below(HUGE);

	SAY("store %u+%u", at, offset);
	say_fault(probe_st8(page(at) + offset, (uint8_t)step));
	say_fault(probe_st8(page(at), (uint8_t)step));
	tell(0);
}

static void do_load(void)
{
	unsigned at = below(RANGE);
	uint8_t value = 0;

	SAY("load %u", at);
	say_fault(probe_ld8(page(at), &value));
	tell(value);
}

static void do_file(void)
{
	static unsigned char buf[2 * PAGE];
	unsigned file = below(FILES);
	off_t at = (off_t)below(FILE_HUGE) * HUGE + (off_t)a_bit(), n = (off_t)(1 + below(2)) * HUGE - (off_t)a_bit();
	int mode;
	long moved;

	switch (below(6)) {
	case 0:
		SAY("ftruncate(%u, %ld)", file, (long)at);
		tell(x_ftruncate(fds[file], at));
		break;
	case 1:
		memset(buf, 0, sizeof(buf));
		moved = x_pread(fds[file], buf, sizeof(buf), at);
		SAY("pread(%u, %ld) sum %u", file, (long)at, sum_of(buf, sizeof(buf)));
		tell(moved);
		break;
	default:
		mode = ONE_OF(0, 0, 1, 3, 3, 3, 16);
		SAY("fallocate(%u, %d, %ld, %ld)", file, mode, (long)at, (long)n);
		tell(x_fallocate(fds[file], mode, at, n));
	}
}

/* ---- children ---- */

/* What a child does is drawn before: a child of the host's has a copy of the program's memory, ksim's has not. */
struct errand {
	int ends[2];    /* it waits for a byte, or for nothing (-1) */
	unsigned n;     /* steps */
	unsigned at[5]; /* pages */
	bool store[5];
};

static int child_main(void *arg)
{
	const struct errand *e = arg;
	unsigned sum = 0;
	char byte;

	if (e->ends[1] >= 0 && x_read(e->ends[1], &byte, 1) != 1)
		return 99;
	for (unsigned i = 0; i < e->n; i++) {
		addr_t at = page(e->at[i]);
		uint8_t value = 0;
		struct fault fault = e->store[i] ? probe_st8(at, (uint8_t)(i + 100)) : probe_ld8(at, &value);

		sum = sum * 7 + (unsigned)fault.signo + value;
	}
	return (int)(sum & 63);
}

static void draw(struct errand *e)
{
	e->n = below(6);
	for (unsigned i = 0; i < e->n; i++) {
		e->at[i] = below(RANGE);
		e->store[i] = below(2);
	}
}

static void do_fork(void)
{
	struct errand e = { .ends = { -1, -1 } };

	draw(&e);
	SAY("fork");
	tell(in_child(child_main, &e));
}

/* A child that has copies while its parent goes on using the pages. */
static void do_child(void)
{
	struct errand e = { .n = 0 };
	struct child *child;

	draw(&e);
	SETUP(x_socketpair(AF_UNIX, SOCK_STREAM, 0, e.ends) == 0);
	child = child_start(child_main, &e);
	SETUP(child != NULL);
	SAY("a child comes");
	tell(0);
	for (unsigned n = below(5); n > 0; n--)
		(below(3) ? do_store : do_load)();
	SETUP(x_write(e.ends[0], "", 1) == 1);
	SAY("and goes");
	tell(child_join(child));
	SETUP(x_close(e.ends[0]) == 0 && x_close(e.ends[1]) == 0);
}

/* ---- the story ---- */

static void do_something(void)
{
	static void (*const calls[])(void) = {
		do_mmap,  do_mmap,  do_mmap,  do_mmap, do_munmap, do_munmap, do_mprotect, do_madvise, do_store,
		do_store, do_store, do_store, do_load, do_load,   do_file,   do_file,     do_fork,    do_child,
	};

	calls[below(sizeof(calls) / sizeof(calls[0]))]();
}

static addr_t find_range(void)
{
	const size_t room = (size_t)(RANGE + 2) * HUGE;
	addr_t found = x_mmap(0, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	SETUP(found != NO_MAPPING && x_munmap(found, room) == 0);
	return (found + HUGE - 1) & ~(addr_t)(HUGE - 1);
}

static void show_bytes(void)
{
	for (unsigned i = 0; i < RANGE; i++) {
		uint8_t value = 0;
		struct fault fault = probe_ld8(page(i), &value);

		fprintf(out, "page %u: %d %d %u\n", i, fault.signo, fault.code, value);
	}
}

TEST(story, of_hugetlb)
{
	int calls;

	take_pool();
	BEGIN_STORY(calls);
	base = find_range();
	for (int i = 0; i < FILES; i++) {
		fds[i] = x_memfd_create("story", MFD_CLOEXEC | MFD_HUGETLB);
		SETUP(fds[i] >= 0 && x_ftruncate(fds[i], (off_t)(1 + 2 * i) * HUGE) == 0);
	}
	for (step = 0; step < calls; step++)
		do_something();
	show_bytes();
	EXPECT_EQ(x_munmap(base, (size_t)RANGE * HUGE), 0);
	for (int i = 0; i < FILES; i++)
		EXPECT_EQ(x_close(fds[i]), 0);
	EXPECT_EQ(number("HugePages_Rsvd:"), others_reserved);
	EXPECT_EQ(number("HugePages_Total:") - number("HugePages_Free:"), others_used);
	end_story();
}

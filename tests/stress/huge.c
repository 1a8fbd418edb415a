// SPDX-License-Identifier: MIT
/*
 * Pages of 2 MiB that come and go under those who use them.
 *
 * Gathering. Writers, threads of several processes, own a slice of each of some pages of a file, and store to theirs
 * through mappings, a word, and by calls, all of it. Meanwhile others gather the file's pages into blocks (MADV_COLLAPSE), punch holes into
 * pages that nobody owns, so that there is something to gather again, truncate the last part of the file, and fork. A
 * word is what its owner stored last, whoever looks by whatever way; or, in the part that is truncated, gone.
 *
 * The pool. Processes map huge pages by name, privately and shared, anonymous and of files, touch them, fork children
 * that write to copies, punch and truncate files, unmap by parts, while one changes the size of the pool. Whatever is
 * refused or runs into SIGBUS: in the end the pool has what it had, all of it is free, and nothing is promised.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "access.h"
#include "harness.h"
#include "ksim/ksim.h"

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4U
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum { PAGE = 4096, BLOCK_PAGES = 512, BLOCK = BLOCK_PAGES * PAGE, RW = PROT_READ | PROT_WRITE };
enum { PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };

static __thread sigjmp_buf recover;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
	siglongjmp(recover, 1);
}

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint32_t rounds_wanted(void)
{
	const char *text = getenv("KSIM_STRESS_ROUNDS");

	return text != NULL ? (uint32_t)strtoul(text, NULL, 0) : 500;
}

/* ---- gathering ---- */

/* Of the blocks the last one is truncated; of the pages of each every STRIDE-th has owners, and COPIED is kept. */
enum { BLOCKS = 3, OWNED = 16, STRIDE = 31, COPIED = 508, WRITERS = 3, FILE_BYTES = BLOCKS * BLOCK };
enum { SLICE_BYTES = 1024, SLICE_WORDS = SLICE_BYTES / 8 };

struct view {
	struct ksim_process *p;
	ksim_addr at, again; /* the file, mapped twice */
	ksim_addr own;       /* and once privately */
	int fd;
};

struct field {
	struct ksim_machine *m;
	struct view views[2];
	uint32_t rounds;
	uint32_t stop;     /* a */
	uint32_t wrong;    /* a */
	uint64_t gathered; /* a  calls that did it */
	uint64_t held;     /* a  and that were told to try again */
	uint64_t stores;   /* a */
};

/* Of a slice the first word is stored to by all ways, the last one by calls. */
struct writer {
	struct field *field;
	const struct view *view;
	unsigned number;
	uint64_t counter;
	uint64_t slice[SLICE_WORDS];
	uint64_t first[BLOCKS * OWNED], last[BLOCKS * OWNED];
};

static void lost(struct field *f, const char *what, uint64_t page, uint64_t value, uint64_t expected)
{
	if (__atomic_fetch_add(&f->wrong, 1, __ATOMIC_RELAXED) < 10)
		printf("# %s, page %" PRIu64 ": %" PRIu64 ", not %" PRIu64 " (errno %d)\n", what, page, value, expected,
		       errno);
}

static uint64_t offset_of(const struct writer *w, unsigned page)
{
	return (uint64_t)(page / OWNED) * BLOCK + (uint64_t)(page % OWNED) * STRIDE * PAGE + w->number * SLICE_BYTES;
}

static bool may_go(unsigned page)
{
	return page / OWNED == BLOCKS - 1;
}

static void expect_word(const struct writer *w, unsigned page, uint64_t value, uint64_t expected)
{
	if (value != expected && !(may_go(page) && value == 0))
		lost(w->field, "a word has changed", page, value, expected);
}

static void look(struct writer *w, unsigned page, unsigned way)
{
	const struct view *view = w->view;
	uint64_t offset = offset_of(w, page);

	if (way % 3 == 2) {
		ssize_t n = ksim_pread(view->fd, w->slice, SLICE_BYTES, (off_t)offset);

		if (n != SLICE_BYTES) {
			if (!may_go(page))
				lost(w->field, "a slice could not be read", page, (uint64_t)n, 0);
			memset(w->slice, 0, SLICE_BYTES);
		}
		expect_word(w, page, w->slice[0], w->first[page]);
		expect_word(w, page, w->slice[SLICE_WORDS - 1], w->last[page]);
	} else {
		expect_word(w, page, mem_load64((way % 3 ? view->at : view->again) + offset), w->first[page]);
	}
}

static void store_word(struct writer *w, unsigned page, ksim_addr map)
{
	mem_store64(map + offset_of(w, page), ++w->counter);
	w->first[page] = w->counter;
}

static void store_slice(struct writer *w, unsigned page, bool remote)
{
	uint64_t offset = offset_of(w, page);
	struct iovec from = { w->slice, SLICE_BYTES }, to = { ksim_user(w->view->at + offset), SLICE_BYTES };
	ssize_t n;

	++w->counter;
	for (unsigned i = 0; i < SLICE_WORDS; i++)
		w->slice[i] = w->counter;
	n = remote ? ksim_process_vm_writev(ksim_process_pid(w->view->p), &from, 1, &to, 1, 0)
	           : ksim_pwrite(w->view->fd, w->slice, SLICE_BYTES, (off_t)offset);
	if (n == SLICE_BYTES)
		w->first[page] = w->last[page] = w->counter;
	else if (!may_go(page))
		lost(w->field, "a slice could not be stored", page, (uint64_t)n, SLICE_BYTES);
}

static void visit(struct writer *w, unsigned page, unsigned way)
{
	const unsigned store = way / 3;

	if (sigsetjmp(recover, 1) != 0) { /* it was truncated away, with what was in it */
		if (!may_go(page))
			lost(w->field, "a fault", page, 0, 0);
		w->first[page] = w->last[page] = 0;
		return;
	}
	look(w, page, way);
	if (store % 4 < 2)
		store_word(w, page, store % 2 ? w->view->at : w->view->again);
	else
		store_slice(w, page, store % 2 || may_go(page)); /* by pwrite a file that ends before would grow */
	__atomic_fetch_add(&w->field->stores, 1, __ATOMIC_RELAXED);
}

static int writer_main(void *arg)
{
	struct writer *w = arg;
	uint64_t random = 88172645463325252u + w->number;

	while (!__atomic_load_n(&w->field->stop, __ATOMIC_RELAXED)) {
		uint64_t x = next(&random);

		visit(w, x % (BLOCKS * OWNED), (unsigned)(x >> 32));
	}
	return 0;
}

/* Pages that nobody owns go, so that there is a block to be made; and so does the end of the file. */
static int puncher_main(void *arg)
{
	struct field *f = arg;
	const struct view *view = &f->views[0];
	uint64_t random = 88172645463325252u + WRITERS;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		uint64_t x = next(&random);
		off_t at = (off_t)(x % BLOCKS * BLOCK + (OWNED * STRIDE + x / BLOCKS % 8) * PAGE);
		off_t end = (BLOCKS - 1) * BLOCK + (off_t)(x >> 40) % BLOCK;

		if (ksim_fallocate(view->fd, PUNCH, at, PAGE) < 0)
			return 1;
		if (x >> 60 == 0 && (ksim_ftruncate(view->fd, end) < 0 || ksim_ftruncate(view->fd, FILE_BYTES) < 0))
			return 2;
		sched_yield();
	}
	return 0;
}

/* What of a private mapping was copied stays as it is, whatever becomes of the file. */
static bool copies_are_there(const struct view *view)
{
	for (uint64_t block = 0; block < BLOCKS - 1; block++)
		if (mem_load64(view->own + block * BLOCK + COPIED * PAGE) != block + 1)
			return false;
	return true;
}

static int gatherer_main(void *arg)
{
	struct field *f = arg;
	const struct view *view = &f->views[ksim_self() == f->views[1].p];

	for (uint32_t i = 0; i < f->rounds; i++) {
		ksim_addr at = (i % 4 == 3 ? view->own : i % 2 ? view->again : view->at) + i % BLOCKS * BLOCK;
		bool done = ksim_madvise(at, BLOCK, MADV_COLLAPSE) == 0;

		if (!done && errno != EAGAIN && errno != EINVAL)
			return errno;
		if (!done && errno == EINVAL && i % 4 != 3 && i % BLOCKS != BLOCKS - 1)
			return errno;
		__atomic_fetch_add(done ? &f->gathered : &f->held, 1, __ATOMIC_RELAXED);
		if (!copies_are_there(view))
			return -1;
	}
	return 0;
}

static ksim_addr map_file(int fd, int flags)
{
	ksim_addr at = ksim_mmap(0, FILE_BYTES + BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == KSIM_MAP_FAILED)
		return at;
	at = (at + BLOCK - 1) / BLOCK * BLOCK;
	return ksim_mmap(at, FILE_BYTES, RW, flags | MAP_FIXED, fd, 0);
}

static int map_views(void *arg)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct view *view = arg;

	ksim_sigaction(SIGBUS, &action, NULL);
	view->at = map_file(view->fd, MAP_SHARED);
	view->again = map_file(view->fd, MAP_SHARED);
	view->own = map_file(view->fd, MAP_PRIVATE);
	if (view->at == KSIM_MAP_FAILED || view->again == KSIM_MAP_FAILED || view->own == KSIM_MAP_FAILED)
		return 1;
	for (uint64_t block = 0; block < BLOCKS - 1; block++)
		mem_store64(view->own + block * BLOCK + COPIED * PAGE, block + 1);
	return 0;
}

static void open_field(struct field *f, enum ksim_arch arch, unsigned poison)
{
	const struct ksim_config config = { .ram_bytes = 40 << 20,
		                            .arch = arch,
		                            .poison = poison,
		                            .commit = KSIM_COMMIT_ON_TOUCH,
		                            .access = access_wanted(),
		                            .window_bytes = 128 << 20 };
	struct ksim_end end;

	f->m = ksim_boot(&config);
	SETUP(f->m != NULL);
	f->views[0].p = ksim_process_create(f->m, "one");
	f->views[1].p = ksim_process_create(f->m, "other");
	SETUP(f->views[0].p != NULL && f->views[1].p != NULL);
	ksim_as(f->views[0].p) {
		f->views[0].fd = ksim_memfd_create("field", 0);
		SETUP(f->views[0].fd >= 0 && ksim_ftruncate(f->views[0].fd, FILE_BYTES) == 0);
	}
	f->views[1].fd = ksim_fd_copy(f->views[0].p, f->views[0].fd, f->views[1].p);
	for (int i = 0; i < 2; i++)
		SETUP(ksim_run(f->views[i].p, map_views, &f->views[i], &end) == 0 && end.alive && end.code == 0);
}

static int fork_and_look(struct field *f, uint32_t round)
{
	struct ksim_process *child = ksim_process_fork(f->views[round % 2].p, "child");
	int err = child != NULL ? ksim_process_end(child, 0) : errno;

	if (child != NULL)
		ksim_join(child, NULL);
	sched_yield();
	return err;
}

static void stress_gathering(enum ksim_arch arch, unsigned poison)
{
	static struct writer writers[WRITERS];
	struct field f = { .rounds = rounds_wanted() };
	pid_t threads[WRITERS + 3];
	struct ksim_process *owners[WRITERS + 3];
	int result;

	open_field(&f, arch, poison);
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .field = &f, .view = &f.views[i % 2], .number = i };
		owners[i] = writers[i].view->p;
		SETUP((threads[i] = ksim_task_start(owners[i], writer_main, &writers[i])) > 0);
	}
	for (unsigned i = WRITERS; i < WRITERS + 3; i++) {
		owners[i] = f.views[i % 2].p;
		threads[i] = ksim_task_start(owners[i], i == WRITERS ? puncher_main : gatherer_main, &f);
		SETUP(threads[i] > 0);
	}
	for (uint32_t round = 0; round < f.rounds / 20; round++)
		EXPECT_EQ(fork_and_look(&f, round), 0);
	for (unsigned i = WRITERS + 3; i-- > 0;) {
		if (i == WRITERS)
			__atomic_store_n(&f.stop, 1, __ATOMIC_RELAXED);
		EXPECT_EQ(ksim_task_join(owners[i], threads[i], &result), 0);
		EXPECT_EQ(result, 0);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		for (unsigned page = 0; page < BLOCKS * OWNED; page++) {
			uint64_t value = 0;

			ksim_as(f.views[1].p)
				ksim_pread(f.views[1].fd, &value, sizeof(value), (off_t)offset_of(&writers[i], page));
			expect_word(&writers[i], page, value, writers[i].first[page]);
		}
	EXPECT_EQ(f.wrong, 0);
	EXPECT(f.gathered > 0);
	EXPECT_EQ(ksim_check(f.m), 0);
	EXPECT_EQ(ksim_halt(f.m), 0);
	printf("# %" PRIu64 " gathered, %" PRIu64 " not, %" PRIu64 " stores\n", f.gathered, f.held, f.stores);
}

TEST(huge, no_byte_is_lost_while_pages_are_gathered_x86_64)
{
	stress_gathering(KSIM_ARCH_X86_64, 0);
}

TEST(huge, no_byte_is_lost_while_pages_are_gathered_aarch64_where_tasks_keep_frames)
{
	stress_gathering(KSIM_ARCH_AARCH64, KSIM_NONE);
}

/* ---- the pool ---- */

enum { POOL = 8, USERS = 3, FILE_HUGE = 3, HUGETLB = MAP_ANONYMOUS | MAP_HUGETLB };

struct pool {
	struct ksim_machine *m;
	struct ksim_process *users[USERS];
	int fd; /* a file of huge pages, in all of them */
	uint32_t rounds;
	uint32_t running;                         /* a */
	uint32_t wrong;                           /* a */
	uint64_t mapped, refused, faults, robbed; /* a */
};

struct user {
	struct pool *pool;
	unsigned number;
	ksim_addr keep; /* a page of its own, which its children have copies of */
	uint64_t kept;  /* what is in it */
};

static void count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void strange(struct pool *p, const char *what)
{
	if (__atomic_fetch_add(&p->wrong, 1, __ATOMIC_RELAXED) < 10)
		printf("# %s (errno %d)\n", what, errno);
}

/* Of what may be refused. */
static bool went_well(struct pool *p, const char *what, bool well)
{
	if (!well && errno != ENOMEM && errno != ENOSPC)
		strange(p, what);
	count(well ? &p->mapped : &p->refused);
	return well;
}

/* A store and a load where others may take the page away in between. promised: it must be there. */
static void touch_page(struct pool *p, ksim_addr at, uint64_t value, bool promised)
{
	uint64_t seen;

	if (sigsetjmp(recover, 1) != 0) {
		count(&p->faults);
		if (promised)
			strange(p, "a promised page was not there");
		return;
	}
	mem_store64(at, value);
	seen = mem_load64(at);
	if (promised && seen != value)
		strange(p, "a page of one's own has changed");
}

static void map_anonymous(struct pool *p, uint64_t random)
{
	size_t bytes = (1 + random % 2) * BLOCK;
	ksim_addr at = ksim_mmap(0, bytes, RW, HUGETLB | (random & 4 ? MAP_SHARED : MAP_PRIVATE), -1, 0);

	if (!went_well(p, "mmap", at != KSIM_MAP_FAILED))
		return;
	touch_page(p, at + bytes - BLOCK, random, true);
	if (random & 8 && !(random & 4)) {
		if (ksim_madvise(at, BLOCK, MADV_DONTNEED) < 0)
			strange(p, "madvise");
		touch_page(p, at, random, false); /* it is owed again, unless the pool has shrunk */
	}
	if (random & 16 && ksim_munmap(at + bytes - BLOCK, BLOCK) < 0)
		strange(p, "munmap of a part");
	if (ksim_munmap(at, bytes) < 0)
		strange(p, "munmap");
}

/* Each user has a word of his own in each page, for others may have it mapped, too. */
static void map_of_file(struct user *u, uint64_t random)
{
	struct pool *p = u->pool;
	const ksim_addr word = u->number * sizeof(uint64_t);
	const int flags = random & 4 ? MAP_SHARED : MAP_PRIVATE;
	ksim_addr at = ksim_mmap(0, 2 * BLOCK, RW, flags, p->fd, (off_t)(random % 2) * BLOCK);

	if (!went_well(p, "mmap of a file", at != KSIM_MAP_FAILED))
		return;
	touch_page(p, at + word, random, false);
	touch_page(p, at + BLOCK + word, random, false);
	if (ksim_munmap(at, 2 * BLOCK) < 0)
		strange(p, "munmap of a file");
}

static void change_file(struct pool *p, uint64_t random)
{
	off_t at = (off_t)(random % FILE_HUGE) * BLOCK;

	switch (random / 4 % 4) {
	case 0:
		went_well(p, "fallocate", ksim_fallocate(p->fd, 0, at, BLOCK) == 0);
		break;
	case 1:
		if (ksim_ftruncate(p->fd, at) < 0 || ksim_ftruncate(p->fd, FILE_HUGE * BLOCK) < 0)
			strange(p, "ftruncate");
		break;
	default:
		if (ksim_fallocate(p->fd, PUNCH, at, BLOCK) < 0)
			strange(p, "a hole");
	}
}

static int user_main(void *arg)
{
	struct user *u = arg;
	struct pool *p = u->pool;
	uint64_t random = 88172645463325252u + u->number;

	for (uint32_t i = 0; i < p->rounds; i++) {
		uint64_t x = next(&random);

		switch (x >> 61) {
		case 0:
		case 1:
		case 2:
			map_anonymous(p, x);
			break;
		case 3:
		case 4:
			map_of_file(u, x);
			break;
		default:
			change_file(p, x);
		}
		if (mem_load64(u->keep) != u->kept)
			strange(p, "what was kept has changed");
		u->kept = x;
		touch_page(p, u->keep, x, true);
	}
	__atomic_fetch_sub(&p->running, 1, __ATOMIC_RELAXED);
	return 0;
}

static int keep_page(void *arg)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct user *u = arg;

	ksim_sigaction(SIGBUS, &action, NULL);
	u->keep = ksim_mmap(0, BLOCK, RW, HUGETLB | MAP_PRIVATE, -1, 0);
	if (u->keep == KSIM_MAP_FAILED)
		return errno;
	mem_store64(u->keep, u->kept);
	return 0;
}

/* What a child has is a copy, or nothing, if its parent has taken it back. */
static int use_copy(void *arg)
{
	const struct user *u = arg;
	uint64_t seen;

	if (sigsetjmp(recover, 1) != 0) {
		count(&u->pool->robbed);
		return 0;
	}
	seen = mem_load64(u->keep);
	if (mem_load64(u->keep) != seen)
		strange(u->pool, "a child's copy has changed");
	mem_store64(u->keep, 1);
	if (mem_load64(u->keep) != 1)
		strange(u->pool, "a child's own page has changed");
	return 0;
}

static void sacrifice(struct pool *p, struct user *u)
{
	struct ksim_process *child = ksim_process_fork(p->users[u->number], "child");
	struct ksim_end end;

	EXPECT(child != NULL);
	if (child == NULL)
		return;
	EXPECT_EQ(ksim_run(child, use_copy, u, &end), 0);
	EXPECT_MSG(end.alive, "%s", end.text);
	ksim_process_end(child, 0);
	ksim_join(child, NULL);
}

static bool set(const char *name, unsigned value)
{
	char path[64], text[16];
	int fd, n = snprintf(text, sizeof(text), "%u", value);
	bool done;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	fd = ksim_open(path, O_WRONLY);
	done = fd >= 0 && ksim_write(fd, text, (size_t)n) == n;
	return done && ksim_close(fd) == 0;
}

static void expect_pool(const char *key, long expected)
{
	char text[4096];
	const char *line;
	int fd = ksim_open("/proc/meminfo", O_RDONLY);
	ssize_t n = ksim_read(fd, text, sizeof(text) - 1);

	ksim_close(fd);
	text[n > 0 ? n : 0] = '\0';
	line = strstr(text, key);
	EXPECT_MSG(line != NULL && atol(line + strlen(key)) == expected, "%s %ld, not %ld", key,
	           line != NULL ? atol(line + strlen(key)) : -1, expected);
}

static void open_pool(struct pool *p, struct user *users, struct ksim_process *first)
{
	struct ksim_end end;

	ksim_as(first) {
		p->fd = ksim_memfd_create("pool", MFD_HUGETLB);
		SETUP(p->fd >= 0 && ksim_ftruncate(p->fd, FILE_HUGE * BLOCK) == 0);
	}
	for (unsigned i = 0; i < USERS; i++) {
		users[i] = (struct user){ .pool = p, .number = i, .kept = i };
		p->users[i] = ksim_process_create(p->m, "user");
		SETUP(p->users[i] != NULL && ksim_fd_copy(first, p->fd, p->users[i]) == p->fd);
		SETUP(ksim_run(p->users[i], keep_page, &users[i], &end) == 0 && end.alive && end.code == 0);
	}
}

static void stress_pool(enum ksim_arch arch, unsigned poison)
{
	const struct ksim_config config = { .ram_bytes = 48 << 20,
		                            .arch = arch,
		                            .poison = poison,
		                            .huge_pages = POOL,
		                            .access = access_wanted(),
		                            .window_bytes = 256 << 20 };
	struct pool p = { .rounds = rounds_wanted() / 2, .running = USERS, .m = ksim_boot(&config) };
	struct ksim_process *first;
	struct user users[USERS];
	pid_t threads[USERS];
	int result;

	SETUP(p.m != NULL);
	first = ksim_process_create(p.m, "first");
	SETUP(first != NULL);
	open_pool(&p, users, first);
	for (unsigned i = 0; i < USERS; i++)
		SETUP((threads[i] = ksim_task_start(p.users[i], user_main, &users[i])) > 0);
	for (unsigned i = 0; __atomic_load_n(&p.running, __ATOMIC_RELAXED) > 0; i++) {
		sacrifice(&p, &users[i % USERS]);
		ksim_as(first)
			EXPECT(set("nr_hugepages", POOL - i % 4) && set("nr_overcommit_hugepages", i / 4 % 3));
	}
	for (unsigned i = 0; i < USERS; i++) {
		EXPECT(ksim_task_join(p.users[i], threads[i], &result) == 0 && result == 0);
		EXPECT_EQ(ksim_process_end(p.users[i], 0), 0);
	}
	ksim_as(first) {
		EXPECT_EQ(ksim_close(p.fd), 0);
		EXPECT(set("nr_overcommit_hugepages", 0) && set("nr_hugepages", POOL));
		expect_pool("HugePages_Total:", POOL);
		expect_pool("HugePages_Free:", POOL);
		expect_pool("HugePages_Rsvd:", 0);
		expect_pool("HugePages_Surp:", 0);
	}
	EXPECT_EQ(p.wrong, 0);
	EXPECT(p.mapped > 0);
	EXPECT_EQ(ksim_check(p.m), 0);
	EXPECT_EQ(ksim_halt(p.m), 0);
	printf("# %" PRIu64 " mapped, %" PRIu64 " refused, %" PRIu64 " touched in vain, %" PRIu64 " children robbed\n",
	       p.mapped, p.refused, p.faults, p.robbed);
}

TEST(huge, pool_has_what_it_had_when_all_is_over_x86_64)
{
	stress_pool(KSIM_ARCH_X86_64, 0);
}

TEST(huge, pool_has_what_it_had_when_all_is_over_aarch64_where_tasks_keep_frames)
{
	stress_pool(KSIM_ARCH_AARCH64, KSIM_NONE);
}

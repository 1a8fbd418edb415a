// SPDX-License-Identifier: MIT
/*
 * A random story of one process's memory, told call by call: mappings of all kinds come, go, move and change in a range
 * of 48 pages, three files grow, shrink and get holes, and somebody stores, loads, forks, reads and writes in between.
 *
 * It is told for tests/abi/stories (story.h): each result and errno, the size and blocks of each file after each call,
 * now and then the mappings as smaps has them, and in the end every byte. Addresses are told as pages of the range.
 *
 * Left out is what goes by the host's memory rather than by what is promised: MADV_FREE, MADV_COLD and MADV_PAGEOUT,
 * Rss and its parts, since the host maps around a page that is read.
 */
#include "story.h"

enum { PAGES = 48, FILES = 3, FILE_PAGES = 12, SHOW_EVERY = 20 };

static addr_t base;
static int fds[FILES], read_only;

/* Some pages of the range. */
struct pages {
	unsigned at, n;
};

static struct pages some_pages(void)
{
	struct pages p = { .at = below(PAGES) };

	p.n = 1 + below(below(4) ? 4 : 12);
	if (p.at + p.n > PAGES)
		p.n = PAGES - p.at;
	return p;
}

static addr_t page(unsigned n)
{
	return base + (addr_t)n * PAGE;
}

static size_t bytes(unsigned n)
{
	return (size_t)n * PAGE;
}

/* ---- telling ---- */

/* What was said, the result, and the files. */
static void tell(long result)
{
	struct stat st;

	tell_result(result);
	for (int i = 0; i < FILES; i++) {
		SETUP(x_fstat(fds[i], &st) == 0);
		fprintf(out, " %ld/%ld", (long)st.st_size, (long)st.st_blocks / 8);
	}
	fprintf(out, "\n");
}

/* An address that a call has returned. */
static long told_page(addr_t addr)
{
	if (addr == NO_MAPPING)
		return -1;
	return addr >= base && addr < page(PAGES) ? (long)((addr - base) / PAGE) : PAGES;
}

static void say_fault(struct fault fault)
{
	SAY(": %d %d %ld", fault.signo, fault.code, fault.signo != 0 ? (long)(fault.addr - base) : 0);
}

/* ---- what happens ---- */

static void do_mmap(void)
{
	struct pages p = some_pages();
	unsigned kind = below(5), file = below(FILES);
	int prot = ONE_OF(0, 1, 3, 3, 3, 3, 2, 5, 7), fd = -1, flags;
	off_t offset = 0;

	flags = kind == 1 || kind == 2 ? MAP_SHARED : MAP_PRIVATE;
	if (kind == 2 || kind == 4) {
		fd = below(8) ? fds[file] : read_only;
		offset = (off_t)below(FILE_PAGES) * PAGE;
	} else {
		flags |= MAP_ANONYMOUS;
	}
	flags |= below(5) ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	if (below(6) == 0)
		flags |= ONE_OF(MAP_NORESERVE, MAP_POPULATE, MAP_LOCKED, MAP_STACK, MAP_POPULATE | MAP_NONBLOCK);
	SAY("mmap(%u, %u, %d, %#x, %s, %ld)", p.at, p.n, prot, (unsigned)flags,
	    fd < 0            ? "none"
	    : fd == read_only ? "read-only"
	    : file == 0       ? "0"
	    : file == 1       ? "1"
	                      : "2",
	    (long)offset);
	tell(told_page(x_mmap(page(p.at), bytes(p.n) - (below(4) ? 0 : 100), prot, flags, fd, offset)));
}

static void do_munmap(void)
{
	struct pages p = some_pages();

	SAY("munmap(%u, %u)", p.at, p.n);
	tell(x_munmap(page(p.at), bytes(p.n)));
}

static void do_mprotect(void)
{
	int prot = ONE_OF(0, 1, 3, 3, 5, 7, 2, PROT_GROWSDOWN | 1);
	struct pages p = some_pages();

	SAY("mprotect(%u, %u, %#x)", p.at, p.n, (unsigned)prot);
	tell(x_mprotect(page(p.at), bytes(p.n), prot));
}

static void do_mremap(void)
{
	enum { MOVE = 1, FIXED = 2, KEEP = 4 };
	int flags = ONE_OF(0, 0, MOVE | FIXED, MOVE | FIXED, MOVE | FIXED, MOVE | FIXED | KEEP, MOVE | FIXED | KEEP,
	                   FIXED, 8, MOVE | KEEP);
	struct pages p = some_pages(), to = some_pages();
	addr_t moved;

	if (below(10) == 0)
		p.n = 0;
	if (flags & KEEP || below(3) == 0)
		to.n = p.n;
	SAY("mremap(%u, %u, %u, %d, %u)", p.at, p.n, to.n, flags, to.at);
	moved = x_mremap(page(p.at), bytes(p.n), bytes(to.n), flags, page(to.at));
	tell(told_page(moved));
	if (told_page(moved) == PAGES)
		SETUP(x_munmap(moved, bytes(to.n)) == 0);
}

static void do_madvise(void)
{
	enum { GUARD_INSTALL = 102, GUARD_REMOVE = 103 };
	int advice = ONE_OF(MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_DONTNEED,
	                    MADV_DONTNEED, MADV_REMOVE, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_HUGEPAGE,
	                    MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK,
	                    MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_MERGEABLE, GUARD_INSTALL, GUARD_INSTALL,
	                    GUARD_REMOVE, 99);
	struct pages p = some_pages();

	SAY("madvise(%u, %u, %d)", p.at, p.n, advice);
	tell(x_madvise(page(p.at), bytes(p.n), advice));
}

static void do_store(void)
{
	unsigned at = below(PAGES), offset = below(2) ? below(PAGE) : 0;

	SAY("store %u+%u", at, offset);
	say_fault(probe_st8(page(at) + offset, (uint8_t)step));
	tell(0);
}

static void do_load(void)
{
	unsigned at = below(PAGES), offset = below(2) ? below(PAGE) : 0;
	uint8_t value = 0;

	SAY("load %u+%u", at, offset);
	say_fault(probe_ld8(page(at) + offset, &value));
	tell(value);
}

static void do_file(void)
{
	static unsigned char buf[3 * PAGE];
	unsigned file = below(FILES), offset = below(FILE_PAGES * PAGE), n = below(sizeof(buf)), what = below(8);
	int fd = fds[file], mode;
	long moved;

	if (below(2)) {
		offset &= ~(unsigned)(PAGE - 1);
		n &= ~(unsigned)(PAGE - 1);
	}
	if (what == 0) {
		SAY("ftruncate(%u, %u)", file, offset);
		tell(x_ftruncate(fd, offset));
	} else if (what <= 2) {
		mode = ONE_OF(0, 1, 3, 3, 3, 2, 16, 8);
		SAY("fallocate(%u, %d, %u, %u)", file, mode, offset, n);
		tell(x_fallocate(fd, mode, offset, n));
	} else if (what <= 4) {
		memset(buf, (step & 63) + 1, sizeof(buf));
		SAY("pwrite(%u, %u, %u)", file, n, offset);
		tell(x_pwrite(fd, buf, n, offset));
	} else if (what == 5) {
		memset(buf, 0, sizeof(buf));
		moved = x_pread(fd, buf, n, offset);
		SAY("pread(%u, %u, %u) sum %u", file, n, offset, sum_of(buf, sizeof(buf)));
		tell(moved);
	} else if (what == 6) {
		mode = below(2) ? SEEK_DATA : SEEK_HOLE;
		SAY("lseek(%u, %u, %d)", file, offset, mode);
		tell(x_lseek(fd, offset, mode));
	} else {
		mode = below(12) ? 0 : ONE_OF(F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_FUTURE_WRITE);
		SAY("seal(2, %d)", mode);
		tell(x_fcntl(fds[2], F_ADD_SEALS, mode));
	}
}

/*
 * A call whose buffer lies in the range. It may map the very page that is copied to or from: then both lie equally far
 * from its beginning, for what an overlapping copy leaves behind is nobody's promise.
 */
static void do_buffer(void)
{
	unsigned file = below(FILES), cut = below(PAGE);
	off_t offset = (off_t)below(FILE_PAGES) * PAGE + cut;
	struct pages p = some_pages();
	void *buf = ubuf(page(p.at) + cut);

	if (below(2)) {
		SAY("pread(%u, page %u+%u, %u, %ld)", file, p.at, cut, p.n, (long)offset);
		tell(x_pread(fds[file], buf, bytes(p.n), offset));
	} else {
		SAY("pwrite(%u, page %u+%u, %u, %ld)", file, p.at, cut, p.n, (long)offset);
		tell(x_pwrite(fds[file], buf, bytes(p.n), offset));
	}
}

static void do_mincore(struct pages p)
{
	unsigned char resident[PAGES] = { 0 };
	int result = x_mincore(page(p.at), bytes(p.n), resident);
	int error = errno;

	SAY("mincore(%u, %u)", p.at, p.n);
	errno = error;
	tell(result);
}

static void do_lock(void)
{
	struct pages p = some_pages();
	int flags;

	switch (below(5)) {
	case 0:
		do_mincore(p);
		break;
	case 1:
		flags = ONE_OF(0, 1, 2, 4, 5, 6, 8);
		SAY("msync(%u, %u, %d)", p.at, p.n, flags);
		tell(x_msync(page(p.at), bytes(p.n), flags));
		break;
	case 2:
		SAY("mlock(%u, %u)", p.at, p.n);
		tell(x_mlock(page(p.at), bytes(p.n)));
		break;
	case 3:
		SAY("mlock2(%u, %u, 1)", p.at, p.n);
		tell(x_mlock2(page(p.at), bytes(p.n), 1));
		break;
	default:
		SAY("munlock(%u, %u)", p.at, p.n);
		tell(x_munlock(page(p.at), bytes(p.n)));
	}
}

static int child(void *arg)
{
	unsigned sum = 0, steps = below(6);

	(void)arg;
	for (unsigned i = 0; i < steps; i++) {
		addr_t at = page(below(PAGES));
		uint8_t value = 0;
		struct fault fault = below(2) ? probe_st8(at, (uint8_t)(step + 1)) : probe_ld8(at, &value);

		sum = sum * 7 + (unsigned)fault.signo + value;
	}
	return (int)(sum & 63);
}

static void do_fork(void)
{
	/* A child of the host's has a copy of the program's memory, ksim's has not: what it draws is taken back. */
	uint64_t state = random_state;

	SAY("fork");
	tell(in_child(child, NULL));
	random_state = state;
	below(2);
}

static void do_something(void)
{
	static void (*const calls[])(void) = {
		do_mmap,   do_mmap,   do_mmap,    do_mmap,    do_munmap, do_mprotect, do_mprotect,
		do_mremap, do_mremap, do_madvise, do_madvise, do_store,  do_store,    do_store,
		do_load,   do_file,   do_file,    do_lock,    do_buffer, do_fork,
	};

	calls[below(sizeof(calls) / sizeof(calls[0]))]();
}

/* ---- showing what there is ---- */

static char *slurp(const char *path)
{
	static char text[1 << 18];
	int fd = x_open(path, O_RDONLY);
	size_t n = 0;
	ssize_t got;

	SETUP(fd >= 0);
	while ((got = x_read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	SETUP(got == 0 && x_close(fd) == 0);
	text[n] = '\0';
	return text;
}

/* That there may be guards in a mapping is not told by every 6.18. */
static void forget_guards(char *flags)
{
	char *guards = strstr(flags, " gu ");

	if (guards != NULL)
		memmove(guards, guards + 3, strlen(guards + 3) + 1);
}

/* The mappings of the range, their own pages, and what smaps says that they are. */
static void show_mappings(void)
{
	bool within = false;
	char *rest = NULL;

	for (char *l = strtok_r(slurp("/proc/self/smaps"), "\n", &rest); l != NULL; l = strtok_r(NULL, "\n", &rest)) {
		unsigned long long start, end, offset;
		char perms[5];
		int name = 0;

		if (sscanf(l, "%llx-%llx %4s %llx %*s %*s %n", &start, &end, perms, &offset, &name) >= 4) {
			within = start >= base && start < page(PAGES);
			if (within)
				fprintf(out, "\t%ld-%ld %s %llx %s\n", told_page((addr_t)start),
				        told_page((addr_t)(end - 1)), perms, offset, name > 0 ? l + name : "");
		} else if (within && (strncmp(l, "Anonymous:", 10) == 0 || strncmp(l, "VmFlags:", 8) == 0)) {
			forget_guards(l);
			fprintf(out, "\t\t%s\n", l);
		}
	}
}

static void show_bytes(void)
{
	static unsigned char buf[64 * PAGE];

	for (unsigned i = 0; i < PAGES; i++) {
		uint8_t value = 0;
		struct fault fault = probe_ld8(page(i), &value);

		fprintf(out, "page %u: %d %d %u\n", i, fault.signo, fault.code, value);
	}
	for (int i = 0; i < FILES; i++) {
		ssize_t n = x_pread(fds[i], buf, sizeof(buf), 0);

		fprintf(out, "file %d: %ld bytes, sum %u\n", i, (long)n, sum_of(buf, n > 0 ? (size_t)n : 0));
	}
}

/* ---- the story ---- */

/* Where nothing else is: one after the other it is mapped and left. */
static addr_t find_range(void)
{
	const size_t room = bytes(8192);
	addr_t found = x_mmap(0, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SETUP(found != NO_MAPPING && x_munmap(found, room) == 0);
	/* The lower end, and away from where the host puts things; a multiple of 2 MiB. */
	return (found + bytes(1024) - 1) & ~(addr_t)(bytes(512) - 1);
}

TEST(story, of_memory)
{
	int calls;

	BEGIN_STORY(calls);
	base = find_range();
	for (int i = 0; i < FILES; i++) {
		fds[i] = x_memfd_create("story", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		SETUP(fds[i] >= 0 && x_ftruncate(fds[i], (off_t)(4 + 4 * i) * PAGE) == 0);
	}
	read_only = reopen(fds[0], O_RDONLY);
	for (step = 0; step < calls; step++) {
		do_something();
		if (step % SHOW_EVERY == 0)
			show_mappings();
	}
	show_mappings();
	show_bytes();
	EXPECT_EQ(x_munmap(base, bytes(2 * PAGES)), 0); /* a move may have gone beyond the range */
	for (int i = 0; i < FILES; i++)
		EXPECT_EQ(x_close(fds[i]), 0);
	EXPECT_EQ(x_close(read_only), 0);
	end_story();
}

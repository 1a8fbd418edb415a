// SPDX-License-Identifier: MIT
/*
 * Who may look into whom, by each of the ids, and what /proc tells of frames. On the host a process that has changed
 * its ids is not dumpable, so nobody but root looks into it; and frames are the whole machine's.
 */
#include "abi.h"

#include <stdlib.h>

enum { USER = 64500, GROUP = 64510, RW = PROT_READ | PROT_WRITE, IDS = 6, HUGE = 2 << 20 };

enum {
	KPF_MMAP = 1 << 11,
	KPF_ANON = 1 << 12,
	KPF_COMPOUND_HEAD = 1 << 15,
	KPF_COMPOUND_TAIL = 1 << 16,
	KPF_HUGE = 1 << 17,
};

/* ---- by the ids ---- */

static struct {
	int different; /* which of its ids is not that of the others; IDS: none */
	int end;
	addr_t page;
} target;

static int is_looked_at(void *arg)
{
	uint32_t ids[IDS] = { USER, USER, USER, GROUP, GROUP, GROUP };
	int end = target.end;
	char byte;

	(void)arg;
	if (target.different < IDS)
		ids[target.different]++;
	CHILD_EXPECT(x_setresgid(ids[3], ids[4], ids[5]) == 0);
	CHILD_EXPECT(x_setresuid(ids[0], ids[1], ids[2]) == 0);
	CHILD_EXPECT(x_send(end, "r", 1, 0) == 1);
	CHILD_EXPECT(x_recv(end, &byte, 1, 0) == 1);
	return 0;
}

static int look(pid_t pid)
{
	char bytes[4], path[64], text[64];
	struct iovec here = { bytes, sizeof(bytes) }, there = { (void *)(uintptr_t)target.page, sizeof(bytes) };
	bool same = target.different == IDS;
	int error = same ? 0 : EPERM, fd;
	ssize_t n = x_process_vm_readv(pid, &here, 1, &there, 1, 0);

	CHILD_EXPECT(same ? n == 4 && memcmp(bytes, "page", 4) == 0 : n == -1 && errno == error);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fd = x_open(path, O_RDONLY | O_CLOEXEC);
	CHILD_EXPECT(same ? fd >= 0 && x_close(fd) == 0 : fd == -1 && errno == EACCES);
	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	n = x_readlink(path, text, sizeof(text));
	CHILD_EXPECT(same ? n > 0 : n == -1 && errno == EACCES);
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	CHILD_EXPECT(same ? x_access(path, F_OK) == 0 : x_access(path, F_OK) == -1 && errno == EACCES);
	return 0;
}

static int looks(void *arg)
{
	pid_t pid = *(const pid_t *)arg;

	CHILD_EXPECT(x_setresgid(GROUP, GROUP, GROUP) == 0 && x_setresuid(USER, USER, USER) == 0);
	return look(pid);
}

TEST(rights, every_id_of_a_process_must_be_that_of_who_looks_into_it)
{
	/* ptrace(2), access mode checking: what process_vm_readv(2) and /proc ask. */
	target.page = map_anonymous(1, RW, MAP_PRIVATE);
	for (int i = 0; i < 4; i++)
		st8(target.page + (addr_t)i, (uint8_t) "page"[i]);
	for (target.different = 0; target.different <= IDS; target.different++) {
		int ends[2];
		char ready;
		pid_t pid;

		stream_pair(ends);
		target.end = ends[1];
		pid = x_fork_into(is_looked_at, NULL);
		SETUP(pid > 0);
		SETUP(x_close(ends[1]) == 0);
		SETUP(x_recv(ends[0], &ready, 1, 0) == 1);
		EXPECT_MSG(in_child(looks, &pid) == 0, "where id %d is another", target.different);
		SETUP(x_send(ends[0], "x", 1, 0) == 1);
		EXPECT_EQ(x_waitpid(pid, NULL, 0), pid);
		EXPECT_EQ(x_close(ends[0]), 0);
	}
	unmap(target.page, 1);
}

/* ---- frames ---- */

static uint64_t word_of(const char *path, uint64_t pfn)
{
	uint64_t word = UINT64_MAX;
	int fd = x_open(path, O_RDONLY | O_CLOEXEC);

	SETUP(fd >= 0);
	EXPECT_EQ(x_pread(fd, &word, sizeof(word), (off_t)(pfn * sizeof(word))), sizeof(word));
	x_close(fd);
	return word;
}

static uint64_t pfn_at(addr_t addr)
{
	struct ksim_translation at = { 0 };

	SETUP(ksim_translate(ksim_self(), addr, &at) == 0);
	return at.pfn.n;
}

static uint64_t flags_at(addr_t addr)
{
	const uint64_t told = KPF_MMAP | KPF_ANON | KPF_COMPOUND_HEAD | KPF_COMPOUND_TAIL | KPF_HUGE;

	return word_of("/proc/kpageflags", pfn_at(addr)) & told;
}

TEST(frames, flags_tell_memory_of_a_file_from_memory_of_a_process)
{
	/* Documentation/admin-guide/mm/pagemap.rst */
	int fd = memfd(1);
	addr_t file = map_shared(fd, 1, RW), own = map_anonymous(2, RW, MAP_PRIVATE);

	st8(file, 1);
	st8(own, 1);
	EXPECT_EQ(flags_at(file), KPF_MMAP);
	EXPECT_EQ(flags_at(own), KPF_MMAP | KPF_ANON);
	EXPECT_EQ(word_of("/proc/kpagecount", pfn_at(file)), 1);
	EXPECT_EQ(ld8(own + PAGE), 0);
	EXPECT_EQ(word_of("/proc/kpagecount", pfn_at(own + PAGE)), 0); /* the frame of zeros */
	unmap(file, 1);
	unmap(own, 2);
	EXPECT_EQ(x_close(fd), 0);
}

static void set_pool(const char *npages)
{
	int fd = x_open("/proc/sys/vm/nr_hugepages", O_WRONLY | O_CLOEXEC);

	SETUP(fd >= 0 && x_write(fd, npages, strlen(npages)) == (ssize_t)strlen(npages) && x_close(fd) == 0);
}

TEST(frames, flags_tell_pages_of_the_pool)
{
	const int flags = MAP_ANONYMOUS | MAP_HUGETLB;
	addr_t shared, own;
	uint64_t unmapped;

	set_pool("2");
	shared = x_mmap(0, HUGE, RW, MAP_SHARED | flags, -1, 0);
	own = x_mmap(0, HUGE, RW, MAP_PRIVATE | flags, -1, 0);
	if (shared == NO_MAPPING || own == NO_MAPPING)
		SKIP("no pool of huge pages");
	st8(shared, 1);
	st8(own, 1);
	EXPECT_EQ(flags_at(shared), KPF_MMAP | KPF_HUGE | KPF_COMPOUND_HEAD);
	EXPECT_EQ(flags_at(shared + PAGE), KPF_MMAP | KPF_HUGE | KPF_COMPOUND_TAIL);
	EXPECT_EQ(flags_at(own), KPF_MMAP | KPF_ANON | KPF_HUGE | KPF_COMPOUND_HEAD);
	unmapped = pfn_at(own + PAGE);
	EXPECT_EQ(x_munmap(shared, HUGE), 0);
	EXPECT_EQ(x_munmap(own, HUGE), 0);
	EXPECT_EQ(word_of("/proc/kpageflags", unmapped) & (KPF_MMAP | KPF_HUGE), KPF_HUGE);
	set_pool("0");
}

/* ---- where ksim is smaller ---- */

TEST(rights, more_groups_than_32_are_ENOMEM)
{
	static const gid_t groups[33];
	gid_t now[33];

	EXPECT_EQ(x_setgroups(32, groups), 0);
	EXPECT_FAILS(x_setgroups(33, groups), ENOMEM);
	EXPECT_EQ(x_getgroups(33, now), 32);
}

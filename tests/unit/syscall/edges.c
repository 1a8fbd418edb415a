// SPDX-License-Identifier: MIT
/*
 * Calls that have done their work and cannot tell all of it, and arguments at the edge of what is known. What Linux
 * does was seen on 6.18, or stands in tests/abi.
 */
#include "bed.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

/* recvfrom(2): EFAULT, and the data is gone. */
TEST(edges, recvfrom_into_a_bad_name_or_length_fails_EFAULT_and_the_data_is_gone)
{
	struct sockaddr_un name;
	uint32_t len = sizeof(name);
	struct bed bed;
	char bytes[8];
	int fds[2];

	bed_open(&bed);
	bed_pair(&bed, fds);
	SETUP(CALL(&bed, sendto, fds[0], p("abc"), 3) == 3);
	EXPECT_EQ(CALL(&bed, recvfrom, fds[1], p(bytes), 1, 0, p(&name), BAD), -EFAULT);
	EXPECT_EQ(CALL(&bed, recvfrom, fds[1], p(bytes), 1, 0, p(&name), 0), -EFAULT);
	EXPECT_EQ(CALL(&bed, recvfrom, fds[1], p(bytes), 8, 0, p(&name), p(&len)), 1);
	EXPECT_EQ(bytes[0], 'c');
	EXPECT_EQ(len, 0);
	bed_close(&bed);
}

/* getsockname(2): EFAULT, the length's place can be read but not be written. */
TEST(edges, getsockname_into_a_length_that_cannot_be_written_fails_EFAULT)
{
	const uint64_t at = UINT64_C(0x30000000);
	struct sockaddr_un name;
	uint32_t len = sizeof(name);
	struct bed bed;
	int fds[2];

	bed_open(&bed);
	bed_pair(&bed, fds);
	bed_map(&bed, at, 1);
	SETUP(copy_out(&bed.task->ctx, uptr_user(at), &len, sizeof(len)) == 0);
	EXPECT_EQ(CALL(&bed, getsockname, fds[0], p(&name), user(at)), 0);
	SETUP(copy_out(&bed.task->ctx, uptr_user(at), &len, sizeof(len)) == 0);
	SETUP(CALL(&bed, mprotect, at, KSIM_PAGE_SIZE, PROT_READ) == 0);
	EXPECT_EQ(CALL(&bed, getsockname, fds[0], p(&name), user(at)), -EFAULT);
	bed_close(&bed);
}

/* wait4(2): EFAULT. The child has been reaped, its status has been told. */
TEST(edges, wait4_into_bad_resource_usage_fails_EFAULT_after_the_status)
{
	struct end end = { .code = 3 };
	struct bed bed;
	int status = -1;

	bed_open(&bed);
	SETUP(process_end(&bed.ctx, bed_fork(&bed), &end));
	EXPECT_EQ(CALL(&bed, wait4, MINUS_ONE, p(&status), 0, BAD), -EFAULT);
	EXPECT_EQ(status, 3 << 8);
	EXPECT_EQ(CALL(&bed, wait4, MINUS_ONE, p(&status), 0, 0), -ECHILD);
	bed_close(&bed);
}

/* setrlimit(2): EFAULT comes before EINVAL. */
TEST(edges, setrlimit_of_an_unknown_resource_fails_EINVAL)
{
	struct rlimit limit = { 8, 8 };
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, setrlimit, 99, BAD), -EFAULT);
	EXPECT_EQ(CALL(&bed, setrlimit, 99, p(&limit)), -EINVAL);
	EXPECT_EQ(CALL(&bed, setrlimit, 16, p(&limit)), -EINVAL);
	bed_close(&bed);
}

TEST(edges, sockets_of_other_families_fail_EAFNOSUPPORT)
{
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, socket, AF_INET, SOCK_STREAM, 0), -EAFNOSUPPORT);
	EXPECT_EQ(CALL(&bed, socket, AF_UNSPEC, SOCK_STREAM, 0), -EAFNOSUPPORT);
	bed_close(&bed);
}

/* PTE_*; -1: no entry is present. */
static int entry_flags(struct bed *bed, long addr)
{
	struct mm_translation found;
	int err = mm_translate(&bed->ctx, bed->process->mm, (uint64_t)addr, &found);

	return err == 0 ? (int)found.flags & (PTE_READ | PTE_WRITE) : -1;
}

static long populated(struct bed *bed, uint64_t npages, int prot, int flags, long fd)
{
	long at = CALL(bed, mmap, 0, npages * KSIM_PAGE_SIZE, (uint64_t)prot, (uint64_t)(flags | MAP_POPULATE),
	               (uint64_t)fd, 0);

	SETUP(at > 0);
	return at;
}

/*
 * mmap(2), MAP_POPULATE: page faults are prefaulted; private writable pages are copied at once (mm/gup.c,
 * populate_vma_page_range). Of memory that may not be touched there is nothing to bring in.
 */
TEST(edges, MAP_POPULATE_brings_in_the_pages_that_may_be_touched)
{
	const int rw = PROT_READ | PROT_WRITE;
	struct bed bed;
	long fd, at;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	SETUP(CALL(&bed, ftruncate, fd, KSIM_PAGE_SIZE) == 0);
	at = populated(&bed, 2, rw, MAP_SHARED, fd);
	EXPECT(entry_flags(&bed, at) >= PTE_READ);
	EXPECT_EQ(entry_flags(&bed, at + (long)KSIM_PAGE_SIZE),
	          -1); /* beyond the file: SIGBUS for whoever touches it */
	EXPECT_EQ(entry_flags(&bed, populated(&bed, 1, rw, MAP_PRIVATE, fd)), PTE_READ | PTE_WRITE);
	EXPECT_EQ(entry_flags(&bed, populated(&bed, 1, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1)), PTE_READ | PTE_WRITE);
	EXPECT_EQ(entry_flags(&bed, populated(&bed, 1, PROT_READ, MAP_PRIVATE, fd)), PTE_READ);
	EXPECT_EQ(entry_flags(&bed, populated(&bed, 1, PROT_NONE, MAP_SHARED, fd)), -1);
	bed_close(&bed);
}

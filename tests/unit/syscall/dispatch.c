// SPDX-License-Identifier: MIT
/*
 * The way in: by call and by number, what is unknown, the trace, and what a call leaves behind.
 */
#include "bed.h"

#include "ksim/nr.h"

TEST(dispatch, names_lead_to_their_calls)
{
	EXPECT_EQ(syscall_by_name("memfd_create"), CALL_memfd_create);
	EXPECT_EQ(syscall_by_name("read"), CALL_read);
	EXPECT_EQ(syscall_by_name("reboot"), CALL_COUNT);
	EXPECT_EQ(syscall_by_name(""), CALL_COUNT);
}

TEST(dispatch, a_number_means_the_call_of_its_architecture)
{
	const uint64_t args[6] = { 0 };
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(syscall_run_nr(bed.task, KSIM_NR_X86_64_getpid, args, KSIM_ARCH_X86_64), bed.process->owner.id);
	EXPECT_EQ(syscall_run_nr(bed.task, KSIM_NR_AARCH64_getpid, args, KSIM_ARCH_AARCH64), bed.process->owner.id);
	EXPECT_EQ(syscall_run_nr(bed.task, KSIM_NR_AARCH64_getpid, args, KSIM_ARCH_X86_64), -ENOSYS);
	bed_close(&bed);
}

TEST(dispatch, unknown_numbers_are_ENOSYS_and_traced)
{
	const uint64_t args[6] = { 1, 2, 3, 4, 5, 6 };
	struct bed bed;

	bed_open(&bed);
	bed_trace(&bed);
	EXPECT_EQ(syscall_run_nr(bed.task, 600, args, KSIM_ARCH_X86_64), -ENOSYS);
	EXPECT_STREQ(bed.line, "syscall_0x258(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)");
	EXPECT_EQ(syscall_run_nr(bed.task, -1, args, KSIM_ARCH_X86_64), -ENOSYS);
	EXPECT_EQ(syscall_run_nr(bed.task, INT64_MIN, args, KSIM_ARCH_AARCH64),
	          syscall_run_nr(bed.task, 0, args, KSIM_ARCH_AARCH64));
	EXPECT_EQ(bed.ndone, 4);
	bed_close(&bed);
}

TEST(dispatch, a_trace_sees_beginning_and_end_of_each_call)
{
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, getuid, 0), 0);
	EXPECT_EQ(bed.nbegun, 0);
	bed_trace(&bed);
	EXPECT_EQ(CALL(&bed, getuid, 0), 0);
	EXPECT_EQ(bed.nbegun, 1);
	EXPECT_EQ(bed.ndone, 1);
	bed_close(&bed);
}

TEST(dispatch, what_a_call_makes_bears_its_name)
{
	struct fd_slot slot;
	struct file *file;
	struct bed bed;
	int fd;

	bed_open(&bed);
	bed.task->ctx.call = "program";
	bed_memfd(&bed);
	EXPECT_STREQ(bed.task->ctx.call, "program");
	REQUIRE(fdtable_next(&bed.ctx, bed.process->files, 0, &fd, &file, &slot));
	EXPECT_STREQ(slot.call, "memfd_create");
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(dispatch, what_a_call_drops_is_gone_when_it_returns)
{
	struct bed bed;
	long before;
	int fd;

	bed_open(&bed);
	before = owners_total(&bed.kernel->env.owners, CENSUS_INODE);
	fd = bed_memfd(&bed);
	EXPECT_EQ(owners_total(&bed.kernel->env.owners, CENSUS_INODE), before + 1);
	EXPECT_EQ(CALL(&bed, close, fd), 0);
	EXPECT_EQ(owners_total(&bed.kernel->env.owners, CENSUS_INODE), before);
	bed_close(&bed);
}

/* Make one of everything, with every allocation failing in turn. @return the first error */
static long make_everything(struct bed *bed)
{
	struct {
		uint16_t family;
		char path[4];
	} addr = { 1, "\0ab" };
	uint64_t iov[20][2] = { 0 };
	uint64_t header[7] = { [2] = p(iov), [3] = 20 };
	int pair[2] = { -1, -1 };
	long fd, err, sock, client;

	fd = CALL(bed, memfd_create, p("x"), 0);
	if (fd < 0)
		return fd;
	if ((err = CALL(bed, ftruncate, fd, 8192)) < 0 || (err = CALL(bed, mmap, 0, 8192, 3, 0x8001, fd, 0)) < 0 ||
	    (err = CALL(bed, mmap, 0, 8192, 3, 0x21, MINUS_ONE, 0)) < 0 || (err = CALL(bed, dup, fd)) < 0 ||
	    (err = CALL(bed, open, p("/proc/self/fd/0"), 2)) < 0 ||
	    (err = CALL(bed, socketpair, 1, 1, 0, p(pair))) < 0 || (err = CALL(bed, write, fd, p("x"), 1)) < 0 ||
	    (err = CALL(bed, sendmsg, pair[0], p(header), 0)) < 0)
		return err;
	if ((sock = CALL(bed, socket, 1, 1, 0)) < 0 || (client = CALL(bed, socket, 1, 1, 0)) < 0)
		return -ENOMEM;
	if ((err = CALL(bed, bind, sock, p(&addr), 4)) < 0 || (err = CALL(bed, listen, sock, 1)) < 0 ||
	    (err = CALL(bed, connect, client, p(&addr), 4)) < 0)
		return err;
	return CALL(bed, accept, sock, 0, 0);
}

TEST(dispatch, every_failed_allocation_is_reported_and_undone)
{
	unsigned n = 0;
	long result;

	do {
		struct bed bed;
		unsigned asked;

		bed_open(&bed);
		bed_fail_at(&bed, ++n);
		result = make_everything(&bed);
		asked = bed.asked;
		bed_close(&bed);
		EXPECT_MSG(result >= 0 || result == -ENOMEM || result == -EMFILE || result == -ENOBUFS,
		           "allocation %u failed: %ld", n, result);
		if (asked < n)
			break;
	} while (n < 1000);
	EXPECT(result >= 0);
	EXPECT_MSG(n > 20 && n < 1000, "%u allocations", n);
}

// SPDX-License-Identifier: MIT
/*
 * What Linux promises of a load or store that cannot be made: signal, si_code, si_addr; to a handler or as the end of
 * the process; and that a system call gets EFAULT instead. SEMANTICS.md 47, 49, 57; sigaction(2), signal(7).
 */
#include "abi.h"

#include <setjmp.h>

enum { RW = PROT_READ | PROT_WRITE };

TEST(faults, access_to_unmapped_memory_is_SEGV_MAPERR)
{
	/* 47. */
	addr_t page = unmapped_page();

	EXPECT_LOAD_FAULTS(page + 123, SIGSEGV, SEGV_MAPERR);
	EXPECT_STORE_FAULTS(page + 4095, SIGSEGV, SEGV_MAPERR);
}

TEST(faults, access_to_the_first_page_is_SEGV_MAPERR)
{
	/* 47: nothing is mapped at NULL. */
	EXPECT_LOAD_FAULTS((addr_t)0, SIGSEGV, SEGV_MAPERR);
	EXPECT_STORE_FAULTS((addr_t)8, SIGSEGV, SEGV_MAPERR);
}

TEST(faults, store_to_read_only_memory_is_SEGV_ACCERR)
{
	/* 47: before the first touch and after it. */
	addr_t map = map_anonymous(1, PROT_READ, MAP_PRIVATE);

	EXPECT_STORE_FAULTS(map + 7, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(ld8(map + 7), 0);
	EXPECT_STORE_FAULTS(map + 7, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(ld8(map + 7), 0);
	unmap(map, 1);
}

TEST(faults, access_to_PROT_NONE_memory_is_SEGV_ACCERR)
{
	/* 47. */
	addr_t map = map_anonymous(1, PROT_NONE, MAP_PRIVATE);

	EXPECT_LOAD_FAULTS(map, SIGSEGV, SEGV_ACCERR);
	EXPECT_STORE_FAULTS(map + PAGE - 1, SIGSEGV, SEGV_ACCERR);
	unmap(map, 1);
}

TEST(faults, write_only_memory_can_be_read)
{
	/* 47: no page-table entry of x86_64 or aarch64 says "write but not read". */
	addr_t map = map_anonymous(1, PROT_WRITE, MAP_PRIVATE);

	EXPECT_EQ(probe_ld8(map, NULL).signo, 0);
	st8(map, 'w');
	EXPECT_EQ(ld8(map), 'w');
	unmap(map, 1);
}

TEST(faults, access_after_munmap_is_SEGV_MAPERR)
{
	/* munmap(2): further references are invalid, also where a translation was cached. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 1);
	EXPECT_EQ(ld8(map), 1);
	unmap(map, 1);
	EXPECT_LOAD_FAULTS(map, SIGSEGV, SEGV_MAPERR);
	EXPECT_STORE_FAULTS(map, SIGSEGV, SEGV_MAPERR);
}

TEST(faults, store_after_mprotect_to_READ_is_SEGV_ACCERR)
{
	/* mprotect(2): at once, also where a translation was cached. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);

	st8(map, 1);
	EXPECT_EQ(x_mprotect(map, PAGE, PROT_READ), 0);
	EXPECT_STORE_FAULTS(map, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(byte_at(fd, 0), 1);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(faults, wide_access_across_a_boundary_changes_nothing_when_it_faults)
{
	/* A store that faults in its second page has not stored to its first. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);
	struct fault fault;

	unmap(map + PAGE, 1);
	fault = probe_st64(map + PAGE - 3, ~0ull);
	EXPECT_EQ(fault.signo, SIGSEGV);
	EXPECT_EQ(fault.code, SEGV_MAPERR);
	EXPECT(fault.addr >= map + PAGE - 3 && fault.addr <= map + PAGE);
	EXPECT_EQ(ld8(map + PAGE - 3), 0);
	EXPECT_EQ(ld8(map + PAGE - 1), 0);
	unmap(map, 1);
}

TEST(faults, wide_access_across_two_mapped_pages_works)
{
	/* Both architectures allow unaligned access to normal memory. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);
	uint64_t value = 0;

	EXPECT_EQ(probe_st64(map + PAGE - 3, 0x8877665544332211).signo, 0);
	EXPECT_EQ(probe_ld64(map + PAGE - 3, &value).signo, 0);
	EXPECT_EQ(value, 0x8877665544332211);
	EXPECT_EQ(ld8(map + PAGE - 1), 0x33);
	EXPECT_EQ(ld8(map + PAGE), 0x44);
	unmap(map, 2);
}

/* Without a handler: the end of the process. */

static int load_unmapped(void *arg)
{
	return ld8(*(addr_t *)arg); /* valgrind leaves out a load whose value nobody uses */
}

TEST(faults, without_a_handler_SIGSEGV_kills_the_process)
{
	/* signal(7): the default action of SIGSEGV is to terminate. */
	addr_t page = unmapped_page();

	EXPECT_EQ(in_child(load_unmapped, &page), -SIGSEGV);
}

TEST(faults, without_a_handler_SIGBUS_kills_the_process)
{
	/* signal(7). */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 2, PROT_READ);
	addr_t beyond = map + PAGE;

	EXPECT_EQ(in_child(load_unmapped, &beyond), -SIGBUS);
	EXPECT_EQ(ld8(map), 0);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

static int unmaps_its_copy(void *arg)
{
	addr_t page = *(addr_t *)arg;

	CHILD_EXPECT(x_munmap(page, PAGE) == 0);
	return 0;
}

TEST(faults, death_of_a_child_leaves_the_parents_memory_alone)
{
	/* fork(2): memory content, mappings and unmappings of one do not affect the other. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'p');
	EXPECT_EQ(in_child(unmaps_its_copy, &map), 0);
	EXPECT_EQ(ld8(map), 'p');
	unmap(map, 1);
}

/* Handlers. */

static struct {
	addr_t page;
	int nfaults;
	int signo, code;
	addr_t addr;
} seen;

static void map_the_page(int signo, siginfo_t *info, void *context)
{
	(void)context;
	seen.signo = signo;
	seen.code = info->si_code;
	seen.addr = faulted(info);
	if (seen.nfaults++ == 0)
		x_mmap(seen.page, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

TEST(faults, access_is_tried_again_after_a_handler_that_maps_the_page)
{
	/* sigaction(2): returning from the handler resumes at the instruction. What libwayland's pools rely on. */
	struct sigaction action = { .sa_sigaction = map_the_page, .sa_flags = SA_SIGINFO };
	struct sigaction old;

	memset(&seen, 0, sizeof(seen));
	seen.page = unmapped_page();
	SETUP(x_sigaction(SIGSEGV, &action, &old) == 0);
	st8(seen.page + 3, 'h');
	EXPECT_EQ(x_sigaction(SIGSEGV, &old, NULL), 0);
	EXPECT_EQ(seen.nfaults, 1);
	EXPECT_EQ(seen.signo, SIGSEGV);
	EXPECT_EQ(seen.code, SEGV_MAPERR);
	EXPECT_EQ(seen.addr, seen.page + 3);
	EXPECT_EQ(ld8(seen.page + 3), 'h');
	unmap(seen.page, 1);
}

TEST(faults, load_from_a_truncated_pool_reads_what_the_SIGBUS_handler_maps)
{
	/* 53 and sigaction(2): the pattern of a compositor that reads a client's shrunken buffer. */
	struct sigaction action = { .sa_sigaction = map_the_page, .sa_flags = SA_SIGINFO };
	struct sigaction old;
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, PROT_READ);

	memset(&seen, 0, sizeof(seen));
	seen.page = map;
	SETUP(x_ftruncate(fd, 0) == 0);
	SETUP(x_sigaction(SIGBUS, &action, &old) == 0);
	EXPECT_EQ(ld8(map + 100), 0);
	EXPECT_EQ(x_sigaction(SIGBUS, &old, NULL), 0);
	EXPECT_EQ(seen.nfaults, 1);
	EXPECT_EQ(seen.signo, SIGBUS);
	EXPECT_EQ(seen.code, BUS_ADRERR);
	EXPECT_EQ(seen.addr, map + 100);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

static int handler_is_inherited(void *arg)
{
	(void)arg;
	st8(seen.page, 'c');
	return seen.nfaults == 1 && ld8(seen.page) == 'c' ? 0 : 1;
}

TEST(faults, handler_is_inherited_by_a_child)
{
	/* fork(2), signal(7): a child inherits a copy of its parent's signal dispositions. */
	struct sigaction action = { .sa_sigaction = map_the_page, .sa_flags = SA_SIGINFO };
	struct sigaction old;

	memset(&seen, 0, sizeof(seen));
	seen.page = unmapped_page();
	SETUP(x_sigaction(SIGSEGV, &action, &old) == 0);
	EXPECT_EQ(in_child(handler_is_inherited, NULL), 0);
	EXPECT_EQ(x_sigaction(SIGSEGV, &old, NULL), 0);
}

TEST(faults, sigaction_gives_back_the_old_action)
{
	/* sigaction(2). */
	struct sigaction action = { .sa_sigaction = map_the_page, .sa_flags = SA_SIGINFO };
	struct sigaction old, now;

	SETUP(x_sigaction(SIGBUS, &action, &old) == 0);
	EXPECT_EQ(x_sigaction(SIGBUS, NULL, &now), 0);
	EXPECT(now.sa_sigaction == map_the_page);
	EXPECT((now.sa_flags & SA_SIGINFO) != 0);
	EXPECT_EQ(x_sigaction(SIGBUS, &old, &now), 0);
	EXPECT(now.sa_sigaction == map_the_page);
}

TEST(faults, sigaction_of_a_bad_signal_fails_EINVAL)
{
	/* sigaction(2): an invalid signal, or SIGKILL. */
	struct sigaction action = { .sa_sigaction = map_the_page, .sa_flags = SA_SIGINFO };

	EXPECT_FAILS(x_sigaction(SIGKILL, &action, NULL), EINVAL);
	EXPECT_FAILS(x_sigaction(0, &action, NULL), EINVAL);
	EXPECT_FAILS(x_sigaction(65, &action, NULL), EINVAL);
}

static int ignores_and_faults(void *arg)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	CHILD_EXPECT(x_sigaction(SIGSEGV, &action, NULL) == 0);
	return ld8(*(addr_t *)arg); /* valgrind leaves out a load whose value nobody uses */
}

TEST(faults, ignoring_SIGSEGV_does_not_survive_a_real_fault)
{
	/* signal(2): a hardware fault while SIGSEGV is ignored still kills (force_sig). */
	addr_t page = unmapped_page();

	EXPECT_EQ(in_child(ignores_and_faults, &page), -SIGSEGV);
}

static sigjmp_buf out_of_here;

static void jump_out(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
	siglongjmp(out_of_here, 1);
}

TEST(faults, handler_may_leave_by_siglongjmp_again_and_again)
{
	/* sigsetjmp(3): with the mask saved, the next fault is delivered as the first was. */
	struct sigaction action = { .sa_sigaction = jump_out, .sa_flags = SA_SIGINFO };
	struct sigaction old;
	addr_t page = unmapped_page();
	volatile int njumps = 0;

	SETUP(x_sigaction(SIGSEGV, &action, &old) == 0);
	while (njumps < 3)
		if (sigsetjmp(out_of_here, 1) == 0)
			ld8(page);
		else
			njumps = njumps + 1;
	EXPECT_EQ(x_sigaction(SIGSEGV, &old, NULL), 0);
	EXPECT_EQ(njumps, 3);
}

TEST(faults, system_call_does_not_raise_what_a_load_would)
{
	/* 57, and the EFAULT of every manual page: a bad buffer is an errno, with no signal to a handler. */
	struct sigaction action = { .sa_sigaction = map_the_page, .sa_flags = SA_SIGINFO };
	struct sigaction old;
	int fd = memfd(1);

	memset(&seen, 0, sizeof(seen));
	seen.page = unmapped_page();
	SETUP(x_sigaction(SIGSEGV, &action, &old) == 0);
	EXPECT_FAILS(x_read(fd, ubuf(seen.page), 10), EFAULT);
	EXPECT_EQ(x_sigaction(SIGSEGV, &old, NULL), 0);
	EXPECT_EQ(seen.nfaults, 0);
	EXPECT_EQ(x_close(fd), 0);
}

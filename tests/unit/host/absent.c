// SPDX-License-Identifier: MIT
/*
 * Hosts that lack something: each test runs in a forked child that lets the kernel refuse a system call (seccomp), or
 * has not asked for what it needs.
 *
 * Whether membarrier works is found out once for a host process and inherited by its children, so this file's tests
 * want to come before those that use it; they are skipped where they do not.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sanitize.h"
#include "base/util.h"
#include "host/barrier.h"
#include "host/memory.h"
#include "unit/aborts.h"
#include "unit/host/bed.h"

enum { FINE, WRONG, CANNOT };

/* From now on this process gets that errno from the system call. false: the host does not do that for us. */
static bool refuse(unsigned call, unsigned err)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static bool barrier_registered(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

/* What the body returned in a child of this process. */
static void expect_fine_in_child(int (*body)(void))
{
	int status = 0;
	pid_t pid = fork();

	SETUP(pid >= 0);
	if (pid == 0) {
		int result = body();

#ifdef HARNESS_COVERAGE
		__gcov_dump();
#endif
		_exit(result);
	}
	SETUP(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
		SKIP("this host, or what ran before, does not let us");
	EXPECT_MSG(WIFEXITED(status) && WEXITSTATUS(status) == FINE, "wait status %#x", status);
}

static int barrier_refused(void)
{
	if (barrier_registered() || !refuse(SYS_membarrier, ENOSYS))
		return CANNOT;
	if (host_barrier_available())
		return WRONG;
	return !host_barrier_available() ? FINE : WRONG; /* the second time from memory */
}

TEST(barrier, without_membarrier_there_is_no_barrier_of_all_threads)
{
	expect_fine_in_child(barrier_refused);
}

static int barrier_unregistered(void)
{
	long known = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (barrier_registered() || known < 0 || !(known & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
		return CANNOT;
	host_barrier_all();
	return barrier_registered() ? FINE : WRONG;
}

/* membarrier(2): EPERM where the process has not registered; a forked child that knows its parent had is one. */
TEST(barrier, barrier_of_a_process_that_is_not_registered_registers_it)
{
	expect_fine_in_child(barrier_unregistered);
}

static void barrier_lost(void *arg)
{
	if (refuse(SYS_membarrier, *(const unsigned *)arg))
		host_barrier_all();
	else
		check_failed(NULL, "membarrier works", __FILE__, __LINE__, "this host does not let us refuse it");
}

TEST(barrier, barrier_that_stops_working_aborts)
{
	unsigned refusals[] = { EPERM, ENOSYS };

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		expect_abort(barrier_lost, &refusals[i], "membarrier works");
}

static int peek_refused(void)
{
	char from = 'x', to = 'o';

	if (!refuse(SYS_process_vm_readv, EPERM))
		return CANNOT;
	return host_peek(&to, &from, 1) == -ENOSYS && to == 'o' ? FINE : WRONG;
}

TEST(memory, peek_that_the_host_refuses_fails_ENOSYS)
{
	expect_fine_in_child(peek_refused);
}

TEST(memory, peek_of_memory_that_ends_too_soon_fails_EFAULT)
{
	char *memory = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char to[8] = "";

	SETUP(memory != MAP_FAILED);
	SETUP(munmap(memory + PAGE_BYTES, PAGE_BYTES) == 0);
	memory[PAGE_BYTES - 8] = 'k';
	if (host_peek(to, memory + PAGE_BYTES - 8, 8) == -ENOSYS)
		SKIP("this host does not let us");
	EXPECT_EQ(to[0], 'k');
	EXPECT_EQ(host_peek(to, memory + PAGE_BYTES - 4, 8), -EFAULT);
	EXPECT_EQ(host_peek(to, memory + PAGE_BYTES, 8), -EFAULT);
	munmap(memory, PAGE_BYTES);
}

/* No machine has so much. A sanitizer's allocator would end the program instead, and valgrind's too. */
TEST(kmem, object_that_the_host_has_no_room_for_is_NULL_and_not_accounted)
{
	struct bed bed;

	if (KSIM_ASAN || KSIM_TSAN || getenv("LD_PRELOAD") != NULL)
		SKIP("another allocator than the C library's");
	bed_open(&bed);
	EXPECT(kmem_alloc(&bed.ctx, PTRDIFF_MAX / 2) == NULL);
	EXPECT(kmem_alloc_aligned(&bed.ctx, PTRDIFF_MAX / 2, 64) == NULL);
	EXPECT_EQ(kmem_count(&bed.env), 0);
	EXPECT_EQ(kmem_bytes(&bed.env), 0);
	bed_close(&bed);
}

TEST(memory, reservation_that_the_host_has_no_room_for_is_NULL)
{
	EXPECT(host_reserve(SIZE_MAX / 4) == NULL);
}

// SPDX-License-Identifier: MIT
/*
 * Large ranges of host memory, for simulated RAM and its frame array.
 *
 * A range is reserved whole and the host gives pages as they are touched, so a machine of 64 GiB costs what its
 * program uses. Where the host hands out transparent huge pages unasked, each first touch would take 2 MiB; the
 * beginning of a range, which every machine touches, is therefore kept to small pages, and the rest is left to the
 * host's setting: once a program has come that far, huge pages serve it well. Core dumps leave such ranges out.
 *
 * Locking: none.
 */
#include "host/memory.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/util.h"

#define HUGE_BYTES (UINT64_C(2) << 20)

/* Up to the second huge-page border, so that the first huge page begins at least 2 MiB in. */
static size_t small_part(const void *memory, size_t bytes)
{
	uintptr_t start = (uintptr_t)memory;
	uintptr_t end = (start + 2 * HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1);

	return MIN(bytes, end - start);
}

void *host_reserve(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	/* Advice only: a host without huge pages refuses the one, an emulator perhaps both. */
	madvise(memory, small_part(memory, bytes), MADV_NOHUGEPAGE);
	madvise(memory, bytes, MADV_DONTDUMP);
	return memory;
}

void *host_reserve_shared(size_t bytes, int *fd)
{
	void *memory = MAP_FAILED;

	*fd = memfd_create("ksim-ram", MFD_CLOEXEC);
	if (*fd >= 0 && ftruncate(*fd, (off_t)bytes) == 0)
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, *fd, 0);
	if (memory != MAP_FAILED) {
		madvise(memory, bytes, MADV_DONTDUMP);
		return memory;
	}
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return NULL;
}

void host_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

void host_release(void *memory, size_t bytes)
{
	int err = memory != NULL ? munmap(memory, bytes) : 0;

	KSIM_ASSERT(NULL, err == 0, "a reserved range is released as it was reserved", "%p, %zu bytes", memory, bytes);
}

int host_peek(void *to, const void *from, size_t n)
{
	struct iovec local = { to, n };
	struct iovec remote = { (void *)(uintptr_t)from, n };
	ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	if (got == (ssize_t)n)
		return 0;
	return got >= 0 || errno == EFAULT ? -EFAULT : -ENOSYS;
}

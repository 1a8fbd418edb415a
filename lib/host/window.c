// SPDX-License-Identifier: MIT
/*
 * Showing RAM at further addresses.
 *
 *	| page | window: reserved, or a part of the file | page |
 *
 * A window is one private mapping without access, over which pieces of the file are mapped. Mapping over a range is one
 * step for every thread: it sees what was there before, or what is there now. The host merges pieces that continue each
 * other; each other piece counts against its limit of mappings, at which even malloc fails, so the caller counts.
 *
 * A window begins at a multiple of its size, if the host has such a place: so the tables of the simulated machine are
 * of the same shape in every run, and allocations that are made to fail have the same numbers.
 *
 * In a program with the thread sanitizer this file is compiled without it.
 *
 * Locking: none. Linux: mm/mmap.c, mm/vma.c.
 */
#include "host/window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(HAVE_VALGRIND)
#include <valgrind/memcheck.h>
#endif

#include "base/check.h"
#include "base/util.h"

enum { RESERVE_FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE };

/* A failed call gives MAP_FAILED and errno, as mmap. */
static char *host_mmap(void *at, size_t bytes, int prot, int flags, int fd, uint64_t offset)
{
	return (char *)syscall(SYS_mmap, at, bytes, prot, flags, fd, offset);
}

/* It is the kernel under test that judges an access, not memcheck: it raises the fault for one that is not allowed. */
static void accept_accesses(char *at, size_t bytes)
{
#if defined(HAVE_VALGRIND)
	VALGRIND_MAKE_MEM_DEFINED(at, bytes);
#else
	(void)at;
	(void)bytes;
#endif
}

/* The first free place from a hint on, below a limit; hosts with more address bits than we have begin at their top. */
static char *reserve_below(size_t bytes, uint64_t limit)
{
	for (uint64_t hint = limit / 4; hint < limit - bytes; hint += MAX(bytes, UINT64_C(1) << 32)) {
		char *wanted = (char *)(uintptr_t)(hint - PAGE_BYTES);
		char *at = host_mmap(wanted, bytes, PROT_NONE, RESERVE_FLAGS | MAP_FIXED_NOREPLACE, -1, 0);

		if (at == wanted)
			return at;
		if (at != MAP_FAILED)
			syscall(SYS_munmap, at, bytes); /* a host that takes the address for a hint only */
		else if (errno != EEXIST)
			break;
	}
	return MAP_FAILED;
}

/* A page below a multiple of `align`, a power of two: a part of something larger. */
static char *reserve_aligned(size_t bytes, size_t align)
{
	char *at = host_mmap(NULL, bytes + align, PROT_NONE, RESERVE_FLAGS, -1, 0);
	size_t below;

	if (at == MAP_FAILED)
		return at;
	below = (align - ((uintptr_t)at + PAGE_BYTES) % align) % align;
	if (below > 0)
		syscall(SYS_munmap, at, below);
	if (below < align)
		syscall(SYS_munmap, at + below + bytes, align - below);
	return at + below;
}

char *host_window_reserve(size_t bytes, uint64_t limit)
{
	size_t all = bytes + 2 * PAGE_BYTES, align = PAGE_BYTES;
	char *at;

	while (align < bytes && align <= SIZE_MAX / 4)
		align *= 2;
	at = reserve_aligned(all, align);
	if (at == MAP_FAILED)
		at = host_mmap(NULL, all, PROT_NONE, RESERVE_FLAGS, -1, 0);
	if (at != MAP_FAILED && (uint64_t)(uintptr_t)at + all > limit) {
		syscall(SYS_munmap, at, all);
		at = reserve_below(all, limit);
	}
	if (at == MAP_FAILED)
		return NULL;
	accept_accesses(at + PAGE_BYTES, bytes);
	return at + PAGE_BYTES;
}

void host_window_release(char *window, size_t bytes)
{
	long err = syscall(SYS_munmap, window - PAGE_BYTES, bytes + 2 * PAGE_BYTES);

	KSIM_ASSERT(NULL, err == 0, "a window is released as it was reserved", "%p, %zu bytes", (void *)window, bytes);
}

int host_window_show(char *at, size_t bytes, int fd, uint64_t offset, unsigned how)
{
	int prot = (how & HOST_SHOW_READ ? PROT_READ : 0) | (how & HOST_SHOW_WRITE ? PROT_WRITE : 0) |
	           (how & HOST_SHOW_EXEC ? PROT_EXEC : 0);

	/* With its pages at once: they are what somebody is about to touch, and each would be a fault of the host's. */
	if (host_mmap(at, bytes, prot, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, offset) == MAP_FAILED)
		return -errno;
	return 0;
}

int host_window_hide(char *at, size_t bytes)
{
	/* A program that has used up its mappings gets none, but may still forbid what whole mappings of it show. */
	if (host_mmap(at, bytes, PROT_NONE, RESERVE_FLAGS | MAP_FIXED, -1, 0) == MAP_FAILED &&
	    syscall(SYS_mprotect, at, bytes, PROT_NONE) < 0)
		return -errno;
	accept_accesses(at, bytes);
	return 0;
}

int host_window_move(char *from, size_t bytes, char *to)
{
	/* The old place stays a mapping, though an empty one: a hole might be taken by another thread's mmap. */
	long at = syscall(SYS_mremap, from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);
	int err = errno;

	if (at != -1)
		return 0;
	host_window_hide(to, bytes); /* it may have been unmapped before the call failed */
	return -err;
}

/* ---- counting ---- */

unsigned long host_mappings_max(void)
{
	enum { USUAL = 65530 };
	long fd = syscall(SYS_openat, AT_FDCWD, "/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	char text[32] = "";
	unsigned long max = 0;

	if (fd >= 0) {
		if (syscall(SYS_read, fd, text, sizeof(text) - 1) > 0)
			max = strtoul(text, NULL, 10);
		syscall(SYS_close, fd);
	}
	return max > 0 ? max : USUAL;
}

/* Reads "start-end ..." lines piece by piece, without any memory but its own. */
struct maps_reader {
	uint64_t value[2]; /* start, end */
	unsigned field;    /* which of them; 2: the rest of the line */
};

/* One character. @return whether it ended the two numbers of a line */
static bool maps_take(struct maps_reader *r, char c)
{
	if (c == '\n') {
		*r = (struct maps_reader){ 0 };
		return false;
	}
	if (r->field == 2)
		return false;
	if (c == '-' || c == ' ')
		return ++r->field == 2;
	r->value[r->field] = r->value[r->field] << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	return false;
}

unsigned long host_mappings_in(const char *start, size_t bytes)
{
	uint64_t from = (uint64_t)(uintptr_t)start;
	long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct maps_reader reader = { 0 };
	unsigned long count = 0;
	char text[4096];
	long n;

	if (fd < 0)
		return 0;
	while ((n = syscall(SYS_read, fd, text, sizeof(text))) > 0)
		for (long i = 0; i < n; i++)
			count +=
				maps_take(&reader, text[i]) && reader.value[0] < from + bytes && reader.value[1] > from;
	syscall(SYS_close, fd);
	return count;
}

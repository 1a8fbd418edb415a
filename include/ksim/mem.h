/* SPDX-License-Identifier: MIT */
/*
 * Memory of the acting process: mapping it, touching it, and looking behind it.
 */
#ifndef KSIM_MEM_H
#define KSIM_MEM_H

#include <ksim/cpu.h>
#include <ksim/machine.h>
#include <sys/types.h>

KSIM_BEGIN_DECLS

/**
 * Map the pages of a file, or anonymous memory, into the acting process.
 *
 * @param hint    user address, bytes; 0 lets the kernel choose; rounded down to a page unless MAP_FIXED
 * @param length  bytes, > 0; rounded up to a page
 * @param prot    PROT_READ, PROT_WRITE, PROT_EXEC or'ed, or PROT_NONE
 * @param flags   MAP_SHARED, MAP_SHARED_VALIDATE or MAP_PRIVATE, or'ed with MAP_ANONYMOUS, MAP_FIXED,
 *                MAP_FIXED_NOREPLACE, MAP_NORESERVE; the host's values
 * @param fd      a descriptor of the acting process; ignored with MAP_ANONYMOUS
 * @param offset  bytes into the file, a multiple of 4096
 * @return the user address of the mapping, or KSIM_MAP_FAILED with errno:
 *   EACCES     the file is not open for reading; or shared and writable, and it is not open for writing
 *   EBADF      fd is no open descriptor
 *   EEXIST     MAP_FIXED_NOREPLACE, and something is mapped there
 *   EINVAL     length 0; offset or a fixed address not a multiple of 4096; neither shared nor private
 *   ENODEV     the file cannot be mapped (a socket)
 *   ENOMEM     no room in the address space, too many mappings, or no memory for the kernel's own records
 *   EOPNOTSUPP MAP_SHARED_VALIDATE with a flag that is not known
 *   EOVERFLOW  offset + length is too large
 *   EPERM      shared and writable, and the file is sealed with F_SEAL_WRITE; a fixed address below 64 KiB
 * Threads: any that acts as a process; does not block.
 * Linux: mmap(2). Deviations: a fixed address below 64 KiB is EPERM for everyone; MAP_LOCKED only brings the pages in,
 * as MAP_POPULATE does; MAP_GROWSDOWN and MAP_32BIT are EOPNOTSUPP; MAP_HUGETLB is EINVAL, as without huge pages.
 */
KSIM_EXPORT ksim_addr ksim_mmap(ksim_addr hint, size_t length, int prot, int flags, int fd, off_t offset);

/**
 * Unmap whatever is mapped in a range; holes are fine.
 *
 * @param addr    user address, a multiple of 4096
 * @param length  bytes, > 0; rounded up to a page
 * @return 0, or -1 with errno: EINVAL (addr, length 0, beyond user space); ENOMEM (no room for a second half)
 * Threads: any that acts as a process. When it returns, no thread can touch what was mapped.
 * Linux: munmap(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_munmap(ksim_addr addr, size_t length);

/**
 * Change the protection of a range.
 *
 * @param addr    user address, a multiple of 4096
 * @param length  bytes; rounded up to a page
 * @param prot    PROT_NONE, or PROT_READ, PROT_WRITE, PROT_EXEC or'ed
 * @return 0, or -1 with errno; what lies before the offending page is changed then, as on Linux:
 *   EACCES  beyond what the file was opened for, or what its seals allow
 *   EINVAL  addr, or prot
 *   ENOMEM  a hole in the range, or too many mappings (then nothing may have changed)
 * Threads: any that acts as a process. Linux: mprotect(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_mprotect(ksim_addr addr, size_t length, int prot);

/**
 * Make a user address usable as a buffer, iov_base, name or control buffer of any libc-shaped call. The result must
 * not be dereferenced. Only the call judges the address: one that is not mapped gives EFAULT.
 */
static inline void *ksim_user(ksim_addr addr)
{
	return (void *)(uintptr_t)(addr | (uint64_t)1 << 63);
}

/*
 * Loads and stores by user address, as the acting process. An access that may not be raises SIGSEGV or SIGBUS there:
 * its handler runs, or it dies. Any alignment; one that crosses a page may be seen in two halves.
 * With KSIM_NO_INLINE they are calls into the library, else the hit path is inline.
 */
#ifdef KSIM_NO_INLINE
#define KSIM_MEM_(bits)                                             \
	KSIM_EXPORT uint##bits##_t ksim_load##bits(ksim_addr addr); \
	KSIM_EXPORT void ksim_store##bits(ksim_addr addr, uint##bits##_t value);
#else
#define KSIM_MEM_(bits)                                                           \
	static inline uint##bits##_t ksim_load##bits(ksim_addr addr)              \
	{                                                                         \
		return ksim_cpu_load##bits(ksim_cpu_self, addr);                  \
	}                                                                         \
	static inline void ksim_store##bits(ksim_addr addr, uint##bits##_t value) \
	{                                                                         \
		ksim_cpu_store##bits(ksim_cpu_self, addr, value);                 \
	}
#endif
KSIM_MEM_(8)
KSIM_MEM_(16)
KSIM_MEM_(32)
KSIM_MEM_(64)

/*
 * Atomics by user address, sequentially consistent. The address must be a multiple of the size, else SIGBUS
 * BUS_ADRALN (Linux on x86_64 allows others, slowly). All of them, a load and a failing compare-exchange too, need
 * the page to be writable.
 */
#define KSIM_MEM_ATOMICS_(bits)                                                                         \
	static inline uint##bits##_t ksim_atomic_load##bits(ksim_addr addr)                             \
	{                                                                                               \
		return ksim_cpu_atomic_load##bits(ksim_cpu_self, addr);                                 \
	}                                                                                               \
	static inline void ksim_atomic_store##bits(ksim_addr addr, uint##bits##_t value)                \
	{                                                                                               \
		ksim_cpu_atomic_store##bits(ksim_cpu_self, addr, value);                                \
	}                                                                                               \
	static inline uint##bits##_t ksim_atomic_exchange##bits(ksim_addr addr, uint##bits##_t value)   \
	{                                                                                               \
		return ksim_cpu_atomic_exchange##bits(ksim_cpu_self, addr, value);                      \
	}                                                                                               \
	static inline uint##bits##_t ksim_atomic_fetch_add##bits(ksim_addr addr, uint##bits##_t value)  \
	{                                                                                               \
		return ksim_cpu_atomic_fetch_add##bits(ksim_cpu_self, addr, value);                     \
	}                                                                                               \
	static inline bool ksim_atomic_compare_exchange##bits(ksim_addr addr, uint##bits##_t *expected, \
	                                                      uint##bits##_t desired)                   \
	{                                                                                               \
		return ksim_cpu_atomic_compare_exchange##bits(ksim_cpu_self, addr, expected, desired);  \
	}
KSIM_MEM_ATOMICS_(8)
KSIM_MEM_ATOMICS_(16)
KSIM_MEM_ATOMICS_(32)
KSIM_MEM_ATOMICS_(64)

/** Copy n bytes from user memory to the program's, and the reverse; faults as loads and stores do, in order. */
KSIM_EXPORT void ksim_copy_from(void *to, ksim_addr from, size_t n);
KSIM_EXPORT void ksim_copy_to(ksim_addr to, const void *from, size_t n);
/** memset on user memory. */
KSIM_EXPORT void ksim_fill(ksim_addr to, int byte, size_t n);
/** strlen on user memory. */
KSIM_EXPORT size_t ksim_strlen(ksim_addr string);

/*
 * Plain pointers, on a machine with KSIM_ACCESS_NATIVE. Each process has a window: a range of the program's own addresses
 * in which its memory appears. A pointer into it is dereferenced as any other, at full speed; an access that Linux
 * would not allow raises the fault in the simulated process: its handler runs, or it dies, and ksim_run() returns.
 *
 * User addresses are the window's addresses, so (void *)(uintptr_t)addr == ksim_ptr(addr), but in a forked child: it has
 * its parent's user addresses, and a window of its own elsewhere. There ksim_ptr() makes the pointer; a pointer made
 * before the fork still leads to the parent's memory. As a buffer of a call, or as an address for ksim_munmap() and the
 * like, both the child's own pointer and the parent's mean the child's memory.
 *
 * ksim_load() and the like work beside it, and both see the same bytes.
 */

/**
 * The pointer to a user address of the acting process.
 * @return it; NULL where the process has no window or the address is in none; whether anything is mapped is not asked
 * Threads: one that acts as a process.
 */
KSIM_EXPORT void *ksim_ptr(ksim_addr addr);
/** The user address of a pointer into the acting process's window; any other pointer's own value. The reverse of ksim_ptr(). */
KSIM_EXPORT ksim_addr ksim_addr_of(const void *pointer);

/** Where a process's window lies. */
struct ksim_window {
	void *start;    /**< the program's address of its first byte */
	size_t bytes;   /**< 0: the machine is soft, there is none */
	ksim_addr user; /**< the user address of its first byte */
};
/** The window of a process, dead or alive. Threads: any. */
KSIM_EXPORT void ksim_window(const struct ksim_process *p, struct ksim_window *out);

/** What stands behind an address. */
struct ksim_translation {
	struct ksim_pfn pfn;
	size_t page_size;    /**< bytes */
	int prot;            /**< what the entry allows now: PROT_*; a private page may be write-protected */
	unsigned references; /**< on the frame: the file's, each mapping's, calls under way */
	unsigned mappers;    /**< page-table entries that lead to it, in all processes */
};

/**
 * What stands behind an address of a process now; faults nothing in.
 * @return 0, or -1 with errno: EFAULT nothing is present there; ESRCH the process has ended
 * Threads: any.
 */
KSIM_EXPORT int ksim_translate(const struct ksim_process *p, ksim_addr addr, struct ksim_translation *out);

KSIM_END_DECLS

#endif

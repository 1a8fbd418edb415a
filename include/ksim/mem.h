/* SPDX-License-Identifier: MIT */
/*
 * Memory of the acting process: mapping it, touching it, and looking behind it.
 */
#ifndef KSIM_MEM_H
#define KSIM_MEM_H

#include <ksim/cpu.h>
#include <ksim/machine.h>
#include <sys/types.h>
#include <sys/uio.h>

KSIM_BEGIN_DECLS

/**
 * Map the pages of a file, or anonymous memory, into the acting process.
 *
 * @param hint    user address, bytes; 0 lets the kernel choose; rounded down to a page unless MAP_FIXED
 * @param length  bytes, > 0; rounded up to a page
 * @param prot    PROT_READ, PROT_WRITE, PROT_EXEC or'ed, or PROT_NONE
 * @param flags   MAP_SHARED, MAP_SHARED_VALIDATE or MAP_PRIVATE, or'ed with MAP_ANONYMOUS, MAP_FIXED,
 *                MAP_FIXED_NOREPLACE, MAP_NORESERVE, MAP_POPULATE, MAP_LOCKED, MAP_GROWSDOWN (private anonymous memory
 *                that a touch below it makes reach there), MAP_32BIT (x86_64: below 2 GiB), MAP_STACK, MAP_HUGETLB
 *                (pages of 2 MiB of the pool, as a memfd with MFD_HUGETLB has without it); the host's values
 * @param fd      a descriptor of the acting process; ignored with MAP_ANONYMOUS
 * @param offset  bytes into the file, a multiple of 4096
 * @return the user address of the mapping, or KSIM_MAP_FAILED with errno:
 *   EACCES     the file is not open for reading; or shared and writable, and it is not open for writing
 *   EAGAIN     more memory would be locked than RLIMIT_MEMLOCK allows
 *   EBADF      fd is no open descriptor
 *   EEXIST     MAP_FIXED_NOREPLACE, and something is mapped there
 *   EINVAL     length 0; offset or a fixed address not a multiple of 4096, or of 2 MiB where pages are; a huge page would
 *              be cut; neither shared nor private; MAP_GROWSDOWN that is shared or of a file; MAP_HUGETLB of a file of
 *              small pages, or with a size that there is not
 *   ENODEV     the file cannot be mapped (a socket)
 *   ENOMEM     no room in the address space, too many mappings, RLIMIT_AS, RLIMIT_DATA, or no memory for the kernel's
 *              own records; without MAP_NORESERVE, the pool cannot promise so many huge pages
 *   EOPNOTSUPP MAP_SHARED_VALIDATE with a flag that is not known
 *   EOVERFLOW  offset + length is too large
 *   EPERM      shared and writable, and the file is sealed with F_SEAL_WRITE; a fixed address below 64 KiB; MAP_LOCKED,
 *              and RLIMIT_MEMLOCK is 0
 * Length and hint are rounded up to whole huge pages where the mapping is of such; what touches one that was not
 * promised, when the pool has none left, gets SIGBUS. A writable mapping makes a file of huge pages as long as it
 * reaches.
 * Threads: any that acts as a process; does not block.
 * Linux: mmap(2). Deviations: a fixed address below 64 KiB is EPERM for everyone; MAP_DROPPABLE is EOPNOTSUPP; a native
 * window lies above 2 GiB, so MAP_32BIT finds no room there (ENOMEM).
 */
KSIM_EXPORT ksim_addr ksim_mmap(ksim_addr hint, size_t length, int prot, int flags, int fd, off_t offset);

/**
 * Unmap whatever is mapped in a range; holes are fine.
 *
 * @param addr    user address, a multiple of 4096
 * @param length  bytes, > 0; rounded up to a page
 * @return 0, or -1 with errno: EINVAL (addr, length 0, beyond user space, a huge page would be cut); ENOMEM (no room
 * for a second half)
 * Threads: any that acts as a process. When it returns, no thread can touch what was mapped.
 * Linux: munmap(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_munmap(ksim_addr addr, size_t length);

/**
 * Make a mapping larger or smaller, move it with its pages, or map shared pages once more.
 *
 * @param old         user address, a multiple of 4096
 * @param old_length  bytes; rounded up to a page; 0 with a shared mapping: map its pages from `old` on once more
 * @param length      bytes, > 0; rounded up to a page
 * @param flags       MREMAP_MAYMOVE; with it MREMAP_FIXED and MREMAP_DONTUNMAP (the old range stays, without its pages)
 * @param to          user address: where it must go with MREMAP_FIXED, replacing what is there; a hint with
 *                    MREMAP_DONTUNMAP alone; else ignored
 * @return the user address of the mapping, or KSIM_MAP_FAILED with errno:
 *   EAGAIN  the mapping is locked, and more would be than RLIMIT_MEMLOCK allows
 *   EFAULT  nothing is mapped at old; or what grows, or moves elsewhere, is not one mapping (several of them move
 *           to a fixed place together, since 6.17, without a change of length)
 *   EINVAL  a flag that is not known; an address that is not a multiple of 4096, or beyond user space; length 0, or larger
 *           than user space; a private mapping with old_length 0; MREMAP_FIXED or MREMAP_DONTUNMAP without
 *           MREMAP_MAYMOVE; MREMAP_DONTUNMAP with a change of length; the new range overlaps the old one; huge pages
 *           that would grow, be left behind, or not begin and end at multiples of 2 MiB
 *   ENOMEM  it cannot grow in place, and may not move; no room; too many mappings, as there would be for a moment; RLIMIT_AS,
 *           RLIMIT_DATA; no memory for the kernel's own records
 *   EPERM   a fixed address below 64 KiB
 * When it fails for a limit, what was mapped at a fixed address may be gone; and of several mappings the first may have
 * been moved. Both are so on Linux.
 * Threads: any that acts as a process. When it returns, no thread can touch the old range.
 * Linux: mremap(2), of which `to` is the optional argument. MREMAP_DONTUNMAP is there from 5.7 on, for what is not private
 * and anonymous from 5.13 on (EINVAL). Deviations: none known.
 */
KSIM_EXPORT ksim_addr ksim_mremap(ksim_addr old, size_t old_length, size_t length, int flags, ksim_addr to);

/**
 * Move the end of the heap: what lies below is readable and writable, private and anonymous.
 *
 * @param end  user address, to the byte; memory is mapped to the end of its page
 * @return 0, or -1 with errno ENOMEM: something else is mapped there, or within a page above; RLIMIT_DATA, RLIMIT_AS;
 * no room; locked memory, as RLIMIT_MEMLOCK allows it; no memory for the kernel's own records. As libc's, it is content
 * when the end could not be moved down: below the start of the heap, or where nothing of the heap is left to unmap
 * Threads: any that acts as a process.
 * Linux: brk(2). Deviations: a process begins with an empty heap at an address that is the same each time: that of a
 * small program without randomisation, or the start of its window.
 */
KSIM_EXPORT int ksim_brk(ksim_addr end);
/**
 * Move the end of the heap by so many bytes, up or down.
 *
 * @return the user address where it was, or KSIM_MAP_FAILED with errno ENOMEM as ksim_brk()
 * Threads: any that acts as a process; of two at once neither may know what it got. Linux: sbrk(3).
 */
KSIM_EXPORT ksim_addr ksim_sbrk(intptr_t increment);

/**
 * Change the protection of a range.
 *
 * @param addr    user address, a multiple of 4096
 * @param length  bytes; rounded up to a page
 * @param prot    PROT_NONE, or PROT_READ, PROT_WRITE, PROT_EXEC or'ed; with PROT_GROWSDOWN the range begins where the mapping
 *                does, which must be MAP_GROWSDOWN
 * @return 0, or -1 with errno; what lies before the offending page is changed then, as on Linux:
 *   EACCES  beyond what the file was opened for, or what its seals allow
 *   EINVAL  addr, or prot; a huge page would be cut; PROT_GROWSDOWN where nothing grows; PROT_GROWSUP, for nothing does so here
 *   ENOMEM  a hole in the range, too many mappings, RLIMIT_DATA, or no memory for the kernel's own records
 * Threads: any that acts as a process. Linux: mprotect(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_mprotect(ksim_addr addr, size_t length, int prot);

/**
 * Say what is to be expected of a range of memory, or done with it.
 *
 * @param addr    user address, a multiple of 4096
 * @param length  bytes; rounded up to a page
 * @param advice  one of MADV_*:
 *   NORMAL, RANDOM, SEQUENTIAL, WILLNEED, COLD, PAGEOUT, FREE, MERGEABLE, UNMERGEABLE, DONTDUMP, DODUMP
 *                       kept where /proc shows it, and without effect: there is no swap, nothing is ever reclaimed
 *   DONTNEED, DONTNEED_LOCKED
 *                       the pages are gone from this mapping: private ones for good, others come from the file again
 *   REMOVE              the pages are gone from the file, which has a hole there; also of shared anonymous memory
 *   DONTFORK, DOFORK    whether a child has the range; WIPEONFORK, KEEPONFORK: whether it has what is in it
 *   POPULATE_READ, POPULATE_WRITE
 *                       bring the pages in as loads or stores would
 *   HUGEPAGE, NOHUGEPAGE  whether pages of 2 MiB are wanted; COLLAPSE: make them now
 *   GUARD_INSTALL, GUARD_REMOVE
 *                       every access is SIGSEGV until it is removed again
 * @return 0, or -1 with errno; where there is a hole, what lies on both sides has been dealt with:
 *   EACCES  REMOVE of a mapping that is not shared, or may not be written
 *   EAGAIN  no memory for the kernel's own records, or too many mappings; COLLAPSE: a page of the file is held by a call
 *           that is under way
 *   EBUSY   COLLAPSE: the limit of the memory group
 *   EFAULT  POPULATE_*: past the end of the file
 *   EINVAL  addr, length or advice; DONTNEED, FREE, REMOVE, COLD, PAGEOUT or GUARD_INSTALL of locked memory; FREE,
 *           WIPEONFORK of what is not private and anonymous; REMOVE of private anonymous memory; POPULATE_* against the
 *           protection; COLLAPSE where no huge page is possible, nothing is there, a guard stands, or a private mapping
 *           has copies of its own (and then the file's pages are together nevertheless)
 *   ENOMEM  a hole in the range; POPULATE_*, COLLAPSE: no memory
 *   EPERM   REMOVE of a sealed file
 * Threads: any that acts as a process. What DONTNEED and its kin take away no thread can touch when it returns.
 * Linux: madvise(2), 6.18; what came later than ksim_config.linux_release is EINVAL. Deviations: HWPOISON and SOFT_OFFLINE
 * are EINVAL, as where the kernel was built without them. COLLAPSE never maps what lies beyond the end of a file, where
 * Linux has zeros if the end is within the 2 MiB: here it stays SIGBUS. Nor does it move the pages of a memfd of
 * somebody else's (<ksim/kernel/object.h>): EINVAL.
 */
KSIM_EXPORT int ksim_madvise(ksim_addr addr, size_t length, int advice);

/**
 * Bring a file in step with what was written to its mappings, which it always is here.
 *
 * @param addr    user address, a multiple of 4096
 * @param length  bytes; rounded up to a page
 * @param flags   MS_SYNC or MS_ASYNC or neither, or'ed with MS_INVALIDATE
 * @return 0, or -1 with errno: EBUSY (MS_INVALIDATE of locked memory); EINVAL (addr, flags); ENOMEM (a hole in the
 * range)
 * Threads: any that acts as a process; does not block. Linux: msync(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_msync(ksim_addr addr, size_t length, int flags);

/**
 * Tell which pages are in memory: those that this process has mapped, and those that the file has, whoever made them.
 *
 * @param addr      user address, a multiple of 4096
 * @param length    bytes; rounded up to a page
 * @param resident  out: a byte a page, 1 or 0
 * @return 0, or -1 with errno: EFAULT (resident); EINVAL (addr); ENOMEM (a hole in the range, or beyond user space;
 *   what lies before it has been told)
 * Threads: any that acts as a process. Linux: mincore(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_mincore(ksim_addr addr, size_t length, unsigned char *resident);

/**
 * Lock memory: bring its pages in (with MLOCK_ONFAULT only those that are touched), and count them against
 * RLIMIT_MEMLOCK. There is no swap that they would be kept from.
 *
 * @param addr    user address; rounded down to a page
 * @param length  bytes; the end is rounded up to a page
 * @param flags   0 or MLOCK_ONFAULT
 * @return 0, or -1 with errno:
 *   EAGAIN  no memory for a page
 *   EINVAL  flags; addr + length overflows
 *   ENOMEM  a hole in the range (what lies before it is locked); a page that cannot be had (PROT_NONE, or past the end of
 *           the file; all is locked then); more than RLIMIT_MEMLOCK and not root; too many mappings
 *   EPERM   RLIMIT_MEMLOCK is 0 and not root
 * Locks do not nest, and are not inherited by a child. Threads: any that acts as a process.
 * Linux: mlock(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_mlock(ksim_addr addr, size_t length);
KSIM_EXPORT int ksim_mlock2(ksim_addr addr, size_t length, unsigned flags);
/**
 * Take that back. 0, or -1 with errno: EINVAL (addr + length overflows); ENOMEM (a hole in the range; too many
 * mappings)
 */
KSIM_EXPORT int ksim_munlock(ksim_addr addr, size_t length);
/**
 * Lock all that is mapped now (MCL_CURRENT), or whatever will be mapped (MCL_FUTURE), or both; or'ed with MCL_ONFAULT.
 * Pages that cannot be brought in are passed over.
 * @return 0, or -1 with errno: EINVAL (flags); ENOMEM (more is mapped than RLIMIT_MEMLOCK, and not root); EPERM (as
 * mlock)
 * Linux: mlockall(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_mlockall(int flags);
/** Unlock everything, and what will be mapped too. 0 */
KSIM_EXPORT int ksim_munlockall(void);

/**
 * Copy from another process's memory to the caller's, or back.
 *
 * @param pid      a process, or a thread of one; the caller's own is legal
 * @param local    buffers of the caller
 * @param remote   buffers of the other: iov_base is a user address of its, or a pointer into its window; nothing else of
 *                 the program's memory belongs to it
 * @param nlocal, nremote  at most 1024 each
 * @param flags    0
 * @return bytes copied, fewer than asked for if a buffer on either side cannot be accessed; or -1 with errno:
 *   EFAULT  nothing could be copied; or local or remote themselves cannot be read
 *   EINVAL  flags; too many buffers, or a length that is negative
 *   ENOMEM  no memory for the kernel's own records
 *   EPERM   the other is another user's, and the caller is not root
 *   ESRCH   there is no such process, or it has ended
 * Threads: any that acts as a process. Linux: process_vm_readv(2). Deviations: a process that has changed its user may
 * be read by that user, whatever prctl(PR_SET_DUMPABLE) would say.
 */
KSIM_EXPORT ssize_t ksim_process_vm_readv(pid_t pid, const struct iovec *local, unsigned long nlocal,
                                          const struct iovec *remote, unsigned long nremote, unsigned long flags);
KSIM_EXPORT ssize_t ksim_process_vm_writev(pid_t pid, const struct iovec *local, unsigned long nlocal,
                                           const struct iovec *remote, unsigned long nremote, unsigned long flags);

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
 * Plain pointers, on a machine with KSIM_ACCESS_NATIVE. Each process has a window: a range of the program's own
 * addresses in which its memory appears. A pointer into it is dereferenced as any other, at full speed; an access that
 * Linux would not allow raises the fault in the simulated process: its handler runs, or it dies, and ksim_run()
 * returns.
 *
 * User addresses are the window's addresses, so (void *)(uintptr_t)addr == ksim_ptr(addr), but in a forked child: it
 * has its parent's user addresses, and a window of its own elsewhere. There ksim_ptr() makes the pointer; a pointer
 * made before the fork still leads to the parent's memory. As a buffer of a call, or as an address for ksim_munmap()
 * and the like, both the child's own pointer and the parent's mean the child's memory.
 *
 * ksim_load() and the like work beside it, and both see the same bytes.
 */

/**
 * The pointer to a user address of the acting process.
 * @return it; NULL where the process has no window or the address is in none; whether anything is mapped is not asked
 * Threads: one that acts as a process.
 */
KSIM_EXPORT void *ksim_ptr(ksim_addr addr);
/**
 * The user address of a pointer into the acting process's window; any other pointer's own value. The reverse of
 * ksim_ptr().
 */
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
	size_t page_size;    /**< bytes that the entry maps: 4 KiB or 2 MiB; pfn is of the 4 KiB */
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

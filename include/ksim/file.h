/* SPDX-License-Identifier: MIT */
/*
 * Files and descriptors of the acting process: memfd, read and write, size, seals, dup.
 *
 * Every function here but ksim_fd_copy is the libc call of that name: the host's types, flags and structs, -1 and
 * errno on failure. It may be called by any thread that acts as a process, and aborts with a sentence on one that
 * does not. A pointer is one of the program's own, or ksim_user(address); NULL, and what cannot be accessed, is EFAULT
 * where the call reads or writes it. Not repeated below:
 *   EBADF   fd is no open descriptor, or not open for what is asked
 *   EMFILE  no descriptor below RLIMIT_NOFILE is free
 *   ENOMEM  no memory for the kernel's own records
 * Nothing here blocks, but read and write of a socket do, see <ksim/socket.h>: those alone a signal interrupts (EINTR).
 * A process that is ended does not come back from the call it is in.
 */
#ifndef KSIM_FILE_H
#define KSIM_FILE_H

#include <ksim/machine.h>
#include <ksim/path.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

struct rlimit;

/* What memfd_create and fcntl take, and glibc shows to programs with _GNU_SOURCE only. */
#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC       1U
#define MFD_ALLOW_SEALING 2U
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS   1033
#define F_GET_SEALS   1034
#define F_SEAL_SEAL   0x0001
#define F_SEAL_SHRINK 0x0002
#define F_SEAL_GROW   0x0004
#define F_SEAL_WRITE  0x0008
#endif
/* And what younger headers show. */
#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4U
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#define MFD_EXEC        16U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

KSIM_BEGIN_DECLS

/**
 * A new file of shared memory, empty, open for reading and writing.
 *
 * @param name   for people: of at most 249 bytes; shown in traces, maps and reports of leaks
 * @param flags  or'ed: MFD_CLOEXEC; MFD_ALLOW_SEALING, without which it is sealed against sealing; MFD_NOEXEC_SEAL, it
 *               can be sealed, and never be executed (F_SEAL_EXEC); MFD_EXEC, it can be executed, which is the default
 *               unless ksim_config.memfd_noexec says otherwise; MFD_HUGETLB, of pages of 2 MiB from the pool, with
 *               21 << 26 or without: it is filled through mappings and fallocate, for write(2) is EINVAL
 * @return the lowest free descriptor, or -1 with errno:
 *   EACCES  it could be executed, and memfd_noexec is 2
 *   EFAULT  name
 *   EINVAL  name too long; unknown flags; MFD_EXEC with MFD_NOEXEC_SEAL; a size of pages without MFD_HUGETLB
 *   ENODEV  MFD_HUGETLB with pages of another size than 2 MiB
 * Ownership: the file lives as long as a descriptor, a mapping or a message in flight holds it.
 * Linux: memfd_create(2). Deviations: none known. MFD_EXEC and MFD_NOEXEC_SEAL are there from 6.3 on.
 */
KSIM_EXPORT int ksim_memfd_create(const char *name, unsigned int flags);

/** close(2): the number is free at once. The last reference of a socket closes it for its peer. */
KSIM_EXPORT int ksim_close(int fd);

/**
 * Read or write up to n bytes at the file's offset, which advances.
 *
 * @param n  bytes; cut at 0x7ffff000
 * @return bytes moved, 0 at the end of the file, or -1 with errno:
 *   EBADF   not open for reading, or for writing
 *   EFAULT  the first byte of buf cannot be accessed; later ones end the transfer there
 *   EFBIG   write: at the largest offset, or at or beyond RLIMIT_FSIZE, with SIGXFSZ; one that crosses it is cut there
 *   EINVAL  the offset would overflow; write: a file of huge pages
 *   ENOMEM  write: no frame of RAM left for the first page; later ones end the transfer there
 *   EPERM   write: sealed with F_SEAL_WRITE or F_SEAL_FUTURE_WRITE, or would grow it under F_SEAL_GROW
 *   and of a socket, those of recv(2) and send(2)
 * Threads: those who share a description get bytes of their own. Blocks on a socket.
 * A write that fails with EFAULT beyond the end grows the file up to where it began, and has made the page there, from
 * 6.18 on. Linux: read(2), write(2). Deviations: none known.
 */
KSIM_EXPORT ssize_t ksim_read(int fd, void *buf, size_t n);
KSIM_EXPORT ssize_t ksim_write(int fd, const void *buf, size_t n);
/** pread(2), pwrite(2): at offset, bytes, >= 0 (EINVAL); the file's own stays. ESPIPE: a socket. */
KSIM_EXPORT ssize_t ksim_pread(int fd, void *buf, size_t n, off_t offset);
KSIM_EXPORT ssize_t ksim_pwrite(int fd, const void *buf, size_t n, off_t offset);

/**
 * The same from and into a row of buffers, one after the other, as one transfer; the p-calls at offset, bytes.
 *
 * @param iov     n buffers, n in 0 .. 1024; their lengths are cut at 0x7ffff000 bytes in all
 * @param offset  as of pread; of the 2-calls also -1, which stands for the file's own, which then advances
 * @param flags   of the 2-calls, or'ed, for this transfer: RWF_APPEND (at the end, whatever the offset), RWF_NOAPPEND
 *                (at the offset, whatever O_APPEND says), RWF_NOWAIT (a socket only: EAGAIN instead of waiting),
 *                RWF_HIPRI, RWF_DSYNC, RWF_SYNC (nothing to do), RWF_NOSIGNAL
 * @return bytes moved, or -1 with errno, those of read and write and:
 *   EFAULT      iov
 *   EINVAL      n; a length that is negative; RWF_APPEND with RWF_NOAPPEND
 *   EOPNOTSUPP  another flag, or RWF_NOWAIT on a file
 * Threads, Linux: as read; readv(2). A row of no bytes is 0 whatever the flags. Deviations: none known.
 */
KSIM_EXPORT ssize_t ksim_readv(int fd, const struct iovec *iov, int n);
KSIM_EXPORT ssize_t ksim_writev(int fd, const struct iovec *iov, int n);
KSIM_EXPORT ssize_t ksim_preadv(int fd, const struct iovec *iov, int n, off_t offset);
KSIM_EXPORT ssize_t ksim_pwritev(int fd, const struct iovec *iov, int n, off_t offset);
KSIM_EXPORT ssize_t ksim_preadv2(int fd, const struct iovec *iov, int n, off_t offset, int flags);
KSIM_EXPORT ssize_t ksim_pwritev2(int fd, const struct iovec *iov, int n, off_t offset, int flags);

/**
 * Copy bytes of one regular file into another, or elsewhere into the same, without a buffer of the program's.
 *
 * @param off_in, off_out  in and out: where, bytes; they advance. NULL: the file's own offset, which advances
 * @param n      bytes; less is copied at the end of fd_in; holes are copied as zeros
 * @param flags  0
 * @return bytes copied, 0 at the end of fd_in, or -1 with errno:
 *   EBADF      fd_in is not open for reading, or fd_out not for writing, or it appends
 *   EFAULT     off_in, off_out
 *   EFBIG      off_out is at the largest offset, or at or beyond RLIMIT_FSIZE, with SIGXFSZ
 *   EINVAL     flags; not regular files; a negative offset; the ranges are of one file and overlap
 *   EISDIR     a directory
 *   ENOMEM     no frame of RAM left for the first page
 *   EOVERFLOW  an offset would overflow
 *   EPERM      fd_out is sealed, as of write
 *   EXDEV      the files are of different file systems; memfds are one
 * Threads: any thread that acts as a process; does not block.
 * Linux: copy_file_range(2). Deviations: none known.
 */
KSIM_EXPORT ssize_t ksim_copy_file_range(int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t n,
                                         unsigned flags);

/**
 * Send bytes of a regular file to a file or a socket, where it continues at its own offset.
 *
 * @param offset  in and out: where in fd_in, bytes; it advances, and that file's offset stays. NULL: at that offset
 * @param n       bytes; cut at 0x7ffff000
 * @return bytes sent, 0 at the end of fd_in, or -1 with errno, those of write on fd_out and:
 *   EBADF   fd_in is not open for reading, or fd_out not for writing
 *   EFAULT  offset
 *   EINVAL  fd_in is a socket, or a file of /proc about a process; fd_out appends; a negative offset; n is negative as a
 *           ssize_t
 *   EOVERFLOW  offset is 2 GiB - 1 or more, and fd_in is a file of /proc
 *   ESPIPE  fd_in is a socket, and offset is not NULL
 * Threads: blocks if fd_out is a socket.
 * Linux: sendfile(2). Deviations: none known.
 */
KSIM_EXPORT ssize_t ksim_sendfile(int fd_out, int fd_in, off_t *offset, size_t n);

/** fsync(2), fdatasync(2): nothing to do, 0; EINVAL: a socket. */
KSIM_EXPORT int ksim_fsync(int fd);
KSIM_EXPORT int ksim_fdatasync(int fd);

/**
 * Move the file's offset; it may lie beyond the end.
 *
 * @param whence  SEEK_SET, SEEK_CUR, SEEK_END; SEEK_DATA, SEEK_HOLE: to the next page at or beyond offset that somebody
 *                has written to or touched, or that nobody has; the end is a hole
 * @return the new offset, bytes, or -1 with errno:
 *   EINVAL  whence, or the result would be negative or too large
 *   ENXIO   SEEK_DATA, SEEK_HOLE from the end on, or negative; SEEK_DATA: no data follows
 *   ESPIPE  a socket
 * Linux: lseek(2). Deviations: with native access a page that fallocate made is data as soon as it is mapped.
 */
KSIM_EXPORT off_t ksim_lseek(int fd, off_t offset, int whence);

/**
 * Size, blocks of 512 bytes in RAM, mode, links (0), inode number and times, in the host's struct.
 * @return 0, or -1 with errno EBADF, EFAULT
 * Linux: fstat(2). Deviations: a store through a mapping does not change the times.
 */
KSIM_EXPORT int ksim_fstat(int fd, struct stat *st);

/**
 * Set the file's size. What is cut off is gone from every mapping when the call returns: touching it is SIGBUS; what
 * is grown reads as zeros.
 *
 * @param length  bytes, >= 0
 * @return 0, or -1 with errno; nothing has changed then:
 *   EFBIG   growing beyond RLIMIT_FSIZE, with SIGXFSZ
 *   EINVAL  negative; a socket; not open for writing; of huge pages, and not a multiple of them
 *   ENOMEM  growing, no RAM for all of the new part (KSIM_COMMIT_ON_TRUNCATE only)
 *   EPERM   sealed with F_SEAL_SHRINK, or with F_SEAL_GROW
 * Linux: ftruncate(2). Deviations: by default growing allocates the pages at once; KSIM_COMMIT_ON_TOUCH is Linux's way.
 */
KSIM_EXPORT int ksim_ftruncate(int fd, off_t length);

/**
 * Allocate the pages of a range, or let them go.
 *
 * @param mode    0: allocate, and grow the file to hold the range; FALLOC_FL_KEEP_SIZE: allocate, also beyond the end;
 *                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE: make the range a hole, in every shared mapping too; of
 *                huge pages whole ones go, from private mappings as well, and the rest is zeroed
 * @param offset  bytes, >= 0
 * @param len     bytes, > 0
 * @return 0, or -1 with errno; nothing has changed then, but with ENOSPC:
 *   EFBIG       the range ends beyond the largest size; allocating beyond RLIMIT_FSIZE, with SIGXFSZ
 *   EINVAL      offset or len
 *   ENODEV      a socket
 *   ENOMEM      no RAM for all of it
 *   ENOSPC      the pool has not as many huge pages: those that it had are there
 *   EOPNOTSUPP  another mode
 *   EPERM       allocating beyond the end of a file sealed with F_SEAL_GROW; a hole in one sealed with F_SEAL_WRITE or
 *               F_SEAL_FUTURE_WRITE
 * Linux: fallocate(2). Deviations: ENOMEM where a tmpfs of limited size has ENOSPC.
 */
KSIM_EXPORT int ksim_fallocate(int fd, int mode, off_t offset, off_t len);

/**
 * Another descriptor of the same description: the lowest free one; or exactly newfd, closing what it was.
 * @param flags  of dup3: 0 or O_CLOEXEC
 * @return the new descriptor, or -1 with errno EBADF (fd; or newfd at or past RLIMIT_NOFILE), EBUSY (another call is
 *   just making newfd), EINVAL (dup3: unknown flags, or fd == newfd, which for dup2 is fine)
 * Linux: dup(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_dup(int fd);
KSIM_EXPORT int ksim_dup2(int fd, int newfd);
KSIM_EXPORT int ksim_dup3(int fd, int newfd, int flags);

/**
 * F_DUPFD, F_DUPFD_CLOEXEC (int: the lowest number to take), F_GETFD, F_SETFD (FD_CLOEXEC), F_GETFL, F_SETFL
 * (O_APPEND, O_NONBLOCK, O_NOATIME and O_DIRECT change), F_GET_SEALS, F_ADD_SEALS (F_SEAL_SEAL, _SHRINK, _GROW, _WRITE,
 * _FUTURE_WRITE, _EXEC).
 *
 * @return what the command says, or -1 with errno:
 *   EBUSY   F_SEAL_WRITE, or F_SEAL_EXEC of a file that may be executed, and a shared mapping may write
 *   EINVAL  an unknown command or seal; not a memfd; F_DUPFD at or past RLIMIT_NOFILE; O_DIRECT of what is no regular
 *           file that was opened by a path
 *   EPERM   F_ADD_SEALS: not open for writing, or sealed with F_SEAL_SEAL; O_NOATIME of another user's file
 * Linux: fcntl(2). Deviations: no locks, leases, owners.
 */
KSIM_EXPORT int ksim_fcntl(int fd, int cmd, ...);

/**
 * Limits of a process: those of the acting one, or (prlimit, pid not 0) of another. A child has its parent's.
 * RLIMIT_NOFILE, AS, DATA, STACK, FSIZE and MEMLOCK limit what they limit on Linux; the others are kept, and limit
 * nothing.
 *
 * @return 0, or -1 with errno:
 *   EFAULT  limit
 *   EINVAL  no such resource; soft above hard
 *   EPERM   a hard limit is raised, and the effective user is not 0; RLIMIT_NOFILE above 1048576; another user's process
 *   ESRCH   (prlimit) no such process
 * Linux: getrlimit(2). Deviations: RLIMIT_CPU, CORE, RSS, SIGPENDING, MSGQUEUE, NICE, RTPRIO, RTTIME limit
 * nothing; they and RLIMIT_NPROC are unlimited to begin with, but for a soft RLIMIT_CORE of 0.
 */
KSIM_EXPORT int ksim_getrlimit(int resource, struct rlimit *limit);
KSIM_EXPORT int ksim_setrlimit(int resource, const struct rlimit *limit);
KSIM_EXPORT int ksim_prlimit(pid_t pid, int resource, const struct rlimit *limit, struct rlimit *old);

/**
 * Put a descriptor of one process into another one, as if it had been passed: the same description, the lowest free
 * number there, not close-on-exec. For benches; neither process needs to be acted as.
 *
 * @param from, to  of one machine; may be the same
 * @param fd        a descriptor of `from`
 * @return the number in `to`, or -1 with errno:
 *   EBADF   fd is none of `from`
 *   EINVAL  the processes are of two machines
 *   EMFILE  `to` has no free number
 *   ENOMEM
 *   ESRCH   one of them has ended
 * Ownership: the new descriptor is `to`'s, and closed by its end.
 * Threads: any.
 */
KSIM_EXPORT int ksim_fd_copy(struct ksim_process *from, int fd, struct ksim_process *to);

/**
 * Give a process a descriptor of the host's: what it reads and writes there goes to the host's file, fstat tells of it.
 * As a pipe it cannot be sought in, mapped, truncated or sealed (ESPIPE, ENODEV, EINVAL), whatever it is on the host;
 * EINTR and the like are as the host has them. It passes through sockets and fork as every descriptor does.
 *
 * @param p       the process
 * @param hostfd  open on the host, with the access mode that it has there
 * @return the lowest free number in p, not close-on-exec, or -1 with errno:
 *   EBADF   hostfd is not open, or is an O_PATH
 *   EMFILE  p has no free number
 *   ENOMEM
 *   ESRCH   p has ended
 * Ownership: hostfd stays the caller's, who closes it when p has no more use for it; the new descriptor is p's.
 * Threads: any.
 */
KSIM_EXPORT int ksim_fd_host(struct ksim_process *p, int hostfd);

KSIM_END_DECLS

#endif

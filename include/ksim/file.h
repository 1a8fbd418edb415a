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
 * Nothing here blocks, but read and write of a socket do, see <ksim/socket.h>. There are no signals but of faults, so
 * nothing gives EINTR; a process that is ended does not come back from the call it is in.
 */
#ifndef KSIM_FILE_H
#define KSIM_FILE_H

#include <ksim/machine.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>

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

KSIM_BEGIN_DECLS

/**
 * A new file of shared memory, empty, open for reading and writing.
 *
 * @param name   for people: of at most 249 bytes; shown in traces, maps and reports of leaks
 * @param flags  MFD_CLOEXEC, MFD_ALLOW_SEALING, or'ed; without the latter it is sealed against sealing
 * @return the lowest free descriptor, or -1 with errno:
 *   EFAULT  name
 *   EINVAL  name too long; unknown flags
 *   ENOSYS  MFD_HUGETLB, as on a Linux without huge pages
 * Ownership: the file lives as long as a descriptor, a mapping or a message in flight holds it.
 * Linux: memfd_create(2). Deviations: MFD_NOEXEC_SEAL is not known (EINVAL).
 */
KSIM_EXPORT int ksim_memfd_create(const char *name, unsigned int flags);

/**
 * Open a path. There is one kind: /proc/self/fd/N (or the own pid for self), which gives a new description of the
 * same file, with its own offset and access mode.
 *
 * @param flags  O_RDONLY, O_WRONLY, O_RDWR, with O_CLOEXEC, O_TRUNC, O_APPEND, O_NONBLOCK ...; the host's values
 * @param ...    mode_t, read with O_CREAT and O_TMPFILE only; nothing is ever created
 * @return the lowest free descriptor, or -1 with errno:
 *   EEXIST  O_CREAT with O_EXCL, and it is there
 *   EFAULT, ENAMETOOLONG  path
 *   EINVAL  O_CREAT with O_DIRECTORY; O_PATH
 *   EISDIR  a directory, opened to be changed
 *   ELOOP   O_NOFOLLOW
 *   ENOENT  no such descriptor, or any other path
 *   ENOTDIR O_DIRECTORY, or a file used as one
 *   ENXIO   a socket
 *   EPERM   O_TRUNC, and a seal forbids it
 * Linux: open(2). Deviations: no other files; directories and O_PATH cannot be opened.
 */
KSIM_EXPORT int ksim_open(const char *path, int flags, ...);
/** openat(2): as ksim_open; dirfd counts for a relative path only: AT_FDCWD is "/", others are ENOTDIR or EBADF. */
KSIM_EXPORT int ksim_openat(int dirfd, const char *path, int flags, ...);

/** close(2): the number is free at once. The last reference of a socket closes it for its peer. */
KSIM_EXPORT int ksim_close(int fd);

/**
 * Read or write up to n bytes at the file's offset, which advances.
 *
 * @param n  bytes; cut at 0x7ffff000
 * @return bytes moved, 0 at the end of the file, or -1 with errno:
 *   EBADF   not open for reading, or for writing
 *   EFAULT  the first byte of buf cannot be accessed; later ones end the transfer there
 *   EFBIG   at the largest offset
 *   EINVAL  the offset would overflow
 *   ENOMEM  write: no frame of RAM left for the first page; later ones end the transfer there
 *   EPERM   write: sealed with F_SEAL_WRITE, or would grow it under F_SEAL_GROW
 *   and of a socket, those of recv(2) and send(2)
 * Threads: those who share a description get bytes of their own. Blocks on a socket.
 * Linux: read(2), write(2). Deviations: none known.
 */
KSIM_EXPORT ssize_t ksim_read(int fd, void *buf, size_t n);
KSIM_EXPORT ssize_t ksim_write(int fd, const void *buf, size_t n);
/** pread(2), pwrite(2): at offset, bytes, >= 0 (EINVAL); the file's own stays. ESPIPE: a socket. */
KSIM_EXPORT ssize_t ksim_pread(int fd, void *buf, size_t n, off_t offset);
KSIM_EXPORT ssize_t ksim_pwrite(int fd, const void *buf, size_t n, off_t offset);

/**
 * Move the file's offset; it may lie beyond the end.
 *
 * @param whence  SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE
 * @return the new offset, bytes, or -1 with errno:
 *   EINVAL  whence, or the result would be negative or too large
 *   ENXIO   SEEK_DATA, SEEK_HOLE from beyond the end
 *   ESPIPE  a socket
 * Linux: lseek(2). Deviations: holes are not told from data: all up to the end is data, then comes the hole.
 */
KSIM_EXPORT off_t ksim_lseek(int fd, off_t offset, int whence);

/**
 * Size, blocks of 512 bytes in RAM, mode, links (0), inode number and times, in the host's struct.
 * @return 0, or -1 with errno EBADF, EFAULT
 * Linux: fstat(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_fstat(int fd, struct stat *st);

/**
 * Set the file's size. What is cut off is gone from every mapping when the call returns: touching it is SIGBUS; what
 * is grown reads as zeros.
 *
 * @param length  bytes, >= 0
 * @return 0, or -1 with errno; nothing has changed then:
 *   EFBIG   too large
 *   EINVAL  negative; a socket; not open for writing
 *   ENOMEM  growing, no RAM for all of the new part (KSIM_COMMIT_ON_TRUNCATE only)
 *   EPERM   sealed with F_SEAL_SHRINK, or with F_SEAL_GROW
 * Linux: ftruncate(2). Deviations: by default growing allocates the pages at once; KSIM_COMMIT_ON_TOUCH is Linux's way.
 */
KSIM_EXPORT int ksim_ftruncate(int fd, off_t length);

/**
 * Allocate the pages of a range, and grow the file to hold it.
 *
 * @param mode    0
 * @param offset  bytes, >= 0
 * @param len     bytes, > 0
 * @return 0, or -1 with errno; nothing has changed then:
 *   EFBIG       the range ends beyond the largest size
 *   EINVAL      offset or len
 *   ENODEV      a socket
 *   ENOMEM      no RAM for all of it
 *   EOPNOTSUPP  another mode
 *   EPERM       would grow a file sealed with F_SEAL_GROW
 * Linux: fallocate(2). Deviations: mode 0 only; ENOMEM where tmpfs has ENOSPC.
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
 * (O_APPEND and O_NONBLOCK change), F_GET_SEALS, F_ADD_SEALS (F_SEAL_SEAL, _SHRINK, _GROW, _WRITE).
 *
 * @return what the command says, or -1 with errno:
 *   EBUSY   F_SEAL_WRITE, and a shared mapping may write
 *   EINVAL  an unknown command or seal; not a memfd; F_DUPFD at or past RLIMIT_NOFILE
 *   EPERM   F_ADD_SEALS: not open for writing, or sealed with F_SEAL_SEAL
 * Linux: fcntl(2). Deviations: no locks, leases, owners; F_SEAL_FUTURE_WRITE and F_SEAL_EXEC are EINVAL.
 */
KSIM_EXPORT int ksim_fcntl(int fd, int cmd, ...);

/**
 * Remove the name that a socket was bound to; the socket stays.
 * @return 0, or -1 with errno EFAULT, ENAMETOOLONG (path); ENOENT (no socket is bound there)
 * Linux: unlink(2). Deviations: socket paths are plain strings, compared as bytes; nothing else can be removed.
 */
KSIM_EXPORT int ksim_unlink(const char *path);
/** unlinkat(2): as ksim_unlink; dirfd as in ksim_openat; flags 0, or AT_REMOVEDIR (ENOENT), else EINVAL. */
KSIM_EXPORT int ksim_unlinkat(int dirfd, const char *path, int flags);

/**
 * Limits of the process. Only RLIMIT_NOFILE limits anything: descriptors are below its soft value. The others are
 * RLIM_INFINITY.
 *
 * @return 0, or -1 with errno:
 *   EFAULT  limit
 *   EINVAL  no such resource; soft above hard; a finite limit on what is not limited
 *   EPERM   more than 1048576 descriptors
 * Linux: getrlimit(2). Deviations: the hard limit of RLIMIT_NOFILE is always 1048576.
 */
KSIM_EXPORT int ksim_getrlimit(int resource, struct rlimit *limit);
KSIM_EXPORT int ksim_setrlimit(int resource, const struct rlimit *limit);

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

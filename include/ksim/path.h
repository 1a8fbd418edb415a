/* SPDX-License-Identifier: MIT */
/*
 * Paths: the tree of files inside a machine.
 *
 * Each machine has file systems of its own in simulated RAM (tmpfs): one at "/", one at "/tmp" and one at "/dev/shm",
 * the last two open to all as on Linux (mode 1777); and "/proc". "/run" is there too, and empty. Nothing of the host's
 * can be seen in them. What is in them lives until it is removed or the machine halts; it is no leak.
 *
 * In /proc there are, written as Linux 6.18 writes them (proc(5)):
 *   self and a directory for each process, until it is waited for, with
 *     maps, smaps, smaps_rollup, pagemap  its memory; pfns are the simulated frames', and 0 for all but root
 *     fd/N, fdinfo/N, cwd, root           what it has open, and where it is
 *     status, statm, limits, comm         what it is and may use; cmdline is its name
 *   meminfo, version; kpagecount and kpageflags, by simulated pfn
 *   sys/vm/max_map_count, memfd_noexec, nr_hugepages (the pool takes what it can get), nr_overcommit_hugepages,
 *     overcommit_memory (kept, and without effect): root may write them
 *   sys/vm/mmap_min_addr, sys/fs/nr_open, sys/kernel/osrelease, ostype, pid_max
 * A file of text tells what was so when it was read from its beginning. Not told, since it is not there: [stack] and
 * names of anonymous memory, soft-dirty bits, LazyFree, VmHWM, capabilities.
 *
 * Every function here is the libc call of that name: the host's types, flags and structs, -1 and errno on failure; it
 * may be called by any thread that acts as a process, and aborts with a sentence on one that does not. None blocks. A
 * pointer is one of the program's own, or ksim_user(address). Names are bytes; a component has at most 255 of them, a
 * path 4095, and a walk follows at most 40 symbolic links. Permissions are judged by the process's ids (root passes),
 * see <ksim/process.h>; new files get its umask taken off, and its user; its group, or in a directory with S_ISGID the
 * directory's.
 *
 * A call ending in "at" takes a directory's descriptor (O_PATH ones too) for a relative path to start at, or AT_FDCWD.
 *
 * Any of them that takes a path may fail with
 *   EACCES        a directory on the way may not be searched; or, where the call says so, written to
 *   EBADF         dirfd is no descriptor, and the path is relative
 *   EFAULT        path
 *   ELOOP         more than 40 symbolic links
 *   ENAMETOOLONG  a component, or the path
 *   ENOENT        the path is empty; a directory on the way, or the name itself, is not there; a link leads nowhere
 *   ENOMEM        no memory for the kernel's own records
 *   ENOTDIR       something on the way is no directory; a path that ends in a slash leads to none; dirfd is open on none
 * and what follows below comes on top. A call that fails has changed nothing. Where a tmpfs of the host has ENOSPC, for
 * want of space, the answer here is ENOMEM.
 *
 * Linux: the manual pages of those names; path_resolution(7), tmpfs(5). Measured on 6.18 with the sysctls
 * fs.protected_hardlinks 1, protected_symlinks, protected_regular and protected_fifos 0. Deviations: no chroot, no
 * mounts of one's own, no xattr, ACL, quota, file locks or notification; fifos and devices can be made but not opened
 * (ENXIO).
 */
#ifndef KSIM_PATH_H
#define KSIM_PATH_H

#include <ksim/machine.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

struct statfs;
struct statx;

/* What glibc shows to programs with _GNU_SOURCE only. */
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE  2
#define RENAME_WHITEOUT  4
#endif

KSIM_BEGIN_DECLS

/**
 * Open a file, and with O_CREAT make it if it is not there.
 *
 * @param flags  O_RDONLY, O_WRONLY, O_RDWR, 3 (needs both permissions, allows neither), with O_CREAT, O_EXCL, O_TRUNC,
 *               O_APPEND, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_NOATIME, O_NONBLOCK, O_SYNC, O_DSYNC, O_DIRECT (the
 *               last four mean nothing to memory), O_PATH, O_TMPFILE; unknown ones are ignored
 * @param ...    mode_t, read with O_CREAT and O_TMPFILE only
 * @return the lowest free descriptor, or -1 with errno:
 *   EACCES   its mode forbids it; O_CREAT, and the directory may not be written to
 *   EEXIST   O_CREAT with O_EXCL, and the name is there
 *   EINVAL   O_CREAT with O_DIRECTORY; O_TMPFILE without O_DIRECTORY or not for writing
 *   EISDIR   a directory, opened to be changed; O_CREAT, and it is a directory or ends in a slash
 *   ELOOP    O_NOFOLLOW, and it is a symbolic link
 *   EMFILE   no descriptor below RLIMIT_NOFILE is free
 *   ENOTDIR  O_DIRECTORY, and it is none
 *   ENXIO    a socket, a fifo, a device
 *   EOPNOTSUPP  O_TMPFILE in /proc
 *   EPERM    O_NOATIME, and it is another user's; O_TRUNC, and a seal forbids it
 * An O_PATH descriptor only stands for the file: it can be closed, dup'ed, passed, looked at with fstat, fstatfs and
 * F_GETFL, entered by fchdir, and paths can start at it; all else is EBADF. /proc/self/fd/N leads to what descriptor N
 * is open on and makes a new description of it.
 * Ownership: the description is the descriptor's, the file the tree's.
 * Linux: open(2). Deviations: fifos and devices (ENXIO); no leases; O_ASYNC is kept but means nothing.
 */
KSIM_EXPORT int ksim_open(const char *path, int flags, ...);
KSIM_EXPORT int ksim_openat(int dirfd, const char *path, int flags, ...);
/** open with O_CREAT | O_WRONLY | O_TRUNC. */
KSIM_EXPORT int ksim_creat(const char *path, mode_t mode);

/**
 * A file of shared memory by name, as libc has it: open of "/dev/shm/NAME", with O_CLOEXEC and O_NOFOLLOW.
 *
 * @param name   slashes at its beginning do not count; none may follow
 * @param flags  O_RDONLY or O_RDWR, with O_CREAT, O_EXCL, O_TRUNC
 * @return a descriptor, or -1 with errno as open; EINVAL: the name is empty, has a slash in it, or is a directory's
 * Linux: shm_open(3) of glibc.
 */
KSIM_EXPORT int ksim_shm_open(const char *name, int flags, mode_t mode);
/** Remove such a name: 0, or -1 with errno as unlink, but EACCES for EPERM, and ENOENT for a name that will not do. */
KSIM_EXPORT int ksim_shm_unlink(const char *name);

/**
 * Remove a name; the file goes with its last name, descriptor and mapping. A socket that was bound to it stays as it
 * is.
 * @return 0, or -1 with errno:
 *   EACCES  the directory may not be written to
 *   EISDIR  a directory; "." and ".." likewise
 *   EPERM   the directory is sticky, and it and the file are other users'; the name is one of /proc
 * Linux: unlink(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_unlink(const char *path);
/** flags: 0, or AT_REMOVEDIR: rmdir; else EINVAL. */
KSIM_EXPORT int ksim_unlinkat(int dirfd, const char *path, int flags);

/**
 * Make an empty directory, mode & 01777 & ~umask.
 * @return 0, or -1 with errno EACCES (the directory), EEXIST (whatever it is, also "/" and ".")
 * Linux: mkdir(2).
 */
KSIM_EXPORT int ksim_mkdir(const char *path, mode_t mode);
KSIM_EXPORT int ksim_mkdirat(int dirfd, const char *path, mode_t mode);
/**
 * Remove an empty directory. Who has it open or is in it keeps a directory in which nothing can be made (ENOENT).
 * @return 0, or -1 with errno EACCES and EPERM as unlink, EBUSY (the root of a file system), EINVAL (the path ends in
 *   "."), ENOTDIR, ENOTEMPTY (also: the path ends in "..")
 * Linux: rmdir(2).
 */
KSIM_EXPORT int ksim_rmdir(const char *path);

/**
 * One more name for a file; not for a directory.
 *
 * @param flags  AT_SYMLINK_FOLLOW: of what a link leads to, which with /proc/self/fd/N names an O_TMPFILE file;
 *               AT_EMPTY_PATH: of what olddirfd is open on
 * @return 0, or -1 with errno:
 *   EACCES  the directory may not be written to
 *   EEXIST  newpath is there
 *   EINVAL  flags
 *   ENOENT  besides: a file that has lost its last name; AT_EMPTY_PATH by who is not privileged and has not opened
 *           olddirfd with the credentials of now (from 6.10 on; before, by who is not privileged)
 *   EPERM   a directory; another user's file that the caller may not both read and write
 *   EXDEV   the two are of different file systems
 * Linux: link(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_link(const char *oldpath, const char *newpath);
KSIM_EXPORT int ksim_linkat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags);

/**
 * Make a symbolic link whose text is target, of 1 to 4095 bytes, whatever it leads to.
 * @return 0, or -1 with errno EACCES (the directory), EEXIST (path), ENAMETOOLONG and ENOENT (target too long, empty)
 * Linux: symlink(2).
 */
KSIM_EXPORT int ksim_symlink(const char *target, const char *path);
KSIM_EXPORT int ksim_symlinkat(const char *target, int dirfd, const char *path);
/**
 * The text of a symbolic link, without NUL, cut to size bytes.
 * @return bytes placed, or -1 with errno EINVAL (size is 0; no link). An empty path means what dirfd is open on.
 * Linux: readlink(2).
 */
KSIM_EXPORT ssize_t ksim_readlink(const char *path, char *buf, size_t size);
KSIM_EXPORT ssize_t ksim_readlinkat(int dirfd, const char *path, char *buf, size_t size);

/**
 * Give a file another name, in one step for whoever looks; a file that had the new name is replaced.
 *
 * @param flags  RENAME_NOREPLACE; RENAME_EXCHANGE: both stay, with each other's name; RENAME_WHITEOUT: a character
 *               device 0, 0 takes the old name
 * @return 0 (also if both names are of one file: nothing happens then), or -1 with errno:
 *   EACCES     a directory may not be written to; nor the directory that moves, if its parent changes
 *   EBUSY      the root of a file system; a path that ends in "." or ".."
 *   EEXIST     RENAME_NOREPLACE, and newpath is there
 *   EINVAL     a directory into itself; flags
 *   EISDIR     newpath is a directory, oldpath is none
 *   ENOTDIR    the other way round; or one that is no directory ends in a slash
 *   ENOTEMPTY  newpath is a directory with something in it
 *   EPERM      sticky directories, as unlink
 *   EXDEV      the two are of different file systems
 * Linux: rename(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_rename(const char *oldpath, const char *newpath);
KSIM_EXPORT int ksim_renameat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath);
KSIM_EXPORT int ksim_renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath,
                               unsigned int flags);

/**
 * Make a file that is no directory: S_IFREG (or no type), S_IFSOCK, S_IFIFO; S_IFCHR and S_IFBLK by root.
 * @return 0, or -1 with errno EACCES, EEXIST, EINVAL (no such type), EPERM (a directory; a device, not by root)
 * Linux: mknod(2).
 */
KSIM_EXPORT int ksim_mknod(const char *path, mode_t mode, dev_t dev);
KSIM_EXPORT int ksim_mknodat(int dirfd, const char *path, mode_t mode, dev_t dev);

/**
 * What is known of a file, as fstat; lstat: of a link itself. flags of fstatat: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH,
 * AT_NO_AUTOMOUNT (no effect).
 * @return 0, or -1 with errno EFAULT (st too), EINVAL (flags), EOVERFLOW never
 * Linux: stat(2), with sizes of directories as tmpfs has them: 20 bytes a name. Accesses are stamped as with relatime.
 */
KSIM_EXPORT int ksim_stat(const char *path, struct stat *st);
KSIM_EXPORT int ksim_lstat(const char *path, struct stat *st);
KSIM_EXPORT int ksim_fstatat(int dirfd, const char *path, struct stat *st, int flags);
/** statx(2): what stat tells and the time of birth, whatever mask asks for. EINVAL: flags, a reserved bit of mask. */
KSIM_EXPORT int ksim_statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *stx);
/** statfs(2): f_type is that of tmpfs, proc or sockets; blocks are all frames of RAM, and the free ones. */
KSIM_EXPORT int ksim_statfs(const char *path, struct statfs *fs);
KSIM_EXPORT int ksim_fstatfs(int fd, struct statfs *fs);

/**
 * Entries of a directory from the descriptor's offset on, as struct linux_dirent64 (struct dirent64 of libc), "." and
 * ".." first, then the newest first. An entry that stays is told of once, whatever comes and goes meanwhile; d_off is
 * for lseek.
 * @return bytes placed, 0 at the end, or -1 with errno EBADF, EFAULT, EINVAL (no room for one), ENOENT (the directory
 *   was removed), ENOTDIR
 * Linux: getdents(2). Deviations: none known.
 */
KSIM_EXPORT ssize_t ksim_getdents64(int fd, void *buf, size_t size);

/**
 * Whether the process may read (R_OK), write (W_OK), execute or search (X_OK) a file, or whether it is there (F_OK).
 *
 * @param flags  AT_EACCESS: by the effective ids; otherwise by the real ones; AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH
 * @return 0, or -1 with errno EACCES (no), EINVAL (mode, flags)
 * Linux: access(2).
 */
KSIM_EXPORT int ksim_access(const char *path, int mode);
KSIM_EXPORT int ksim_faccessat(int dirfd, const char *path, int mode, int flags);

/** The working directory: 0, or -1 with errno EACCES (it may not be searched), ENOTDIR. Threads share it. */
KSIM_EXPORT int ksim_chdir(const char *path);
KSIM_EXPORT int ksim_fchdir(int fd);
/**
 * Its path, with a NUL, into size bytes.
 * @return buf, or NULL with errno EFAULT, EINVAL (size 0), ENOENT (it was removed), ERANGE (no room)
 * Linux: getcwd(3). Deviations: buf NULL is EINVAL; nothing is allocated.
 */
KSIM_EXPORT char *ksim_getcwd(char *buf, size_t size);
/** Set the permission bits that new files do not get. @return what they were; 022 at first */
KSIM_EXPORT mode_t ksim_umask(mode_t mask);

/**
 * Set the permission bits of a file, mode & 07777.
 *
 * @param flags  AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH
 * @return 0, or -1 with errno EBADF (fchmod: O_PATH too), EINVAL (flags), EOPNOTSUPP (of a link itself), EPERM (another
 *   user's; a file of /proc; F_SEAL_EXEC, and execution would change)
 * Linux: chmod(2), fchmodat2(2).
 */
KSIM_EXPORT int ksim_chmod(const char *path, mode_t mode);
KSIM_EXPORT int ksim_fchmod(int fd, mode_t mode);
KSIM_EXPORT int ksim_fchmodat(int dirfd, const char *path, mode_t mode, int flags);

/**
 * Set user and group of a file; -1 leaves one as it is.
 * @return 0, or -1 with errno EBADF, EINVAL (flags), EPERM: only root changes the user, and only the owner the group,
 *   to one of his own
 * Linux: chown(2).
 */
KSIM_EXPORT int ksim_chown(const char *path, uid_t uid, gid_t gid);
KSIM_EXPORT int ksim_lchown(const char *path, uid_t uid, gid_t gid);
KSIM_EXPORT int ksim_fchown(int fd, uid_t uid, gid_t gid);
KSIM_EXPORT int ksim_fchownat(int dirfd, const char *path, uid_t uid, gid_t gid, int flags);

/**
 * Set the times of access and modification.
 *
 * @param times  two; NULL: now; tv_nsec may be UTIME_NOW or UTIME_OMIT
 * @return 0, or -1 with errno EACCES (now, and neither the owner nor allowed to write), EINVAL (flags; tv_nsec; no
 *   path), EPERM (other times, and not the owner)
 * Linux: utimensat(2). Deviations: times beyond 1678 and 2262 become those.
 */
KSIM_EXPORT int ksim_utimensat(int dirfd, const char *path, const struct timespec times[2], int flags);
KSIM_EXPORT int ksim_futimens(int fd, const struct timespec times[2]);

/**
 * Set the size of a file, as ftruncate.
 * @return 0, or -1 with errno EACCES (it may not be written to), EFBIG, EINVAL (length; no regular file), EISDIR, and
 *   as ftruncate
 * Linux: truncate(2).
 */
KSIM_EXPORT int ksim_truncate(const char *path, off_t length);

KSIM_END_DECLS

#endif

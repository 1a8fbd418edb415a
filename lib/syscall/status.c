// SPDX-License-Identifier: MIT
/*
 * Calls that tell and set what a path's inode is like, and where the caller is: stat, access, chmod, chown, times,
 * truncate, chdir, umask.
 *
 * I1  flags are judged before the path is read, and the path before what lies behind the other pointers is written
 *
 * Locking: none of its own. Linux: fs/stat.c, fs/statfs.c, fs/open.c, fs/utimes.c, fs/d_path.c. Not modelled: statx's
 * attributes beyond those of stat and the time of birth; times before 1970, which become 1970.
 */
#include <errno.h>
#include <string.h>

#include "syscall/abi.h"
#include "syscall/path.h"

#define NS_PER_S UINT64_C(1000000000)

/* ---- stat ---- */

/* What a descriptor is open on; -EBADF. O_PATH ones too. */
static int stat_fd(const struct syscall_frame *frame, int fd, struct kstat *stat)
{
	struct file *file = fd_get_any(frame->ctx, frame->process->files, fd);

	if (file == NULL)
		return -EBADF;
	vfs_stat(frame->ctx, file, stat);
	file_put(frame->ctx, file);
	return 0;
}

/* Of argument `path`; flags: those of newfstatat and statx. */
static int stat_path(const struct syscall_frame *frame, int dirfd, unsigned path, uint32_t flags, struct kstat *stat)
{
	struct arg_path at;
	int err;

	if (flags & ~(uint32_t)(AT_NOFOLLOW | AT_NOMOUNT | AT_EMPTY | AT_STATX_SYNC))
		return -EINVAL;
	err = arg_path(frame, dirfd, path, flags & AT_EMPTY, &at);
	/* Here alone NULL may be an empty path too. */
	if (err < 0 &&
	    !(flags & AT_EMPTY && uptr_null(arg_pointer(frame, path)) && frame->ctx->env->profile.stat_null_path))
		return err;
	if (at.text[0] == '\0' && dirfd != AT_CWD)
		return stat_fd(frame, dirfd, stat);
	return vfs_stat_at(frame->ctx, &at.at, flags, stat);
}

static long stat_to(const struct syscall_frame *frame, int dirfd, unsigned path, uint32_t flags)
{
	uint8_t out[ABI_STAT_MAX];
	struct kstat stat;
	int err = stat_path(frame, dirfd, path, flags, &stat);

	if (err < 0)
		return err;
	return copy_out(frame->ctx, arg_pointer(frame, path + 1), out, abi_stat(frame->abi, &stat, out));
}

long sys_stat(const struct syscall_frame *frame)
{
	return stat_to(frame, AT_CWD, 0, 0);
}

long sys_lstat(const struct syscall_frame *frame)
{
	return stat_to(frame, AT_CWD, 0, AT_NOFOLLOW);
}

long sys_newfstatat(const struct syscall_frame *frame)
{
	return stat_to(frame, arg_int(frame, 0), 1, arg_u32(frame, 3));
}

/* struct statx, which all architectures share. */
struct abi_statx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t pad;
};

struct abi_statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad;
	uint64_t ino, size, blocks, attributes_mask;
	struct abi_statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t rest[14];
};

_Static_assert(sizeof(struct abi_statx) == 256, "struct statx");

static struct abi_statx_time statx_time(uint64_t ns)
{
	return (struct abi_statx_time){ abi_seconds(ns), abi_nanoseconds(ns), 0 };
}

/* As the kernel's own numbers of devices: 12 bits of major, 20 of minor, the latter in two pieces. */
static uint32_t dev_major(uint64_t dev)
{
	return dev >> 8 & 0xfff;
}

static uint32_t dev_minor(uint64_t dev)
{
	return (dev & 0xff) | (dev >> 12 & 0xfff00);
}

static void fill_statx(const struct kstat *stat, struct abi_statx *out)
{
	enum { BASIC = 0x7ff, BTIME = 0x800 };

	*out = (struct abi_statx){
		.mask = BASIC | (stat->btime_ns != 0 ? BTIME : 0),
		.blksize = (uint32_t)stat->blksize,
		.nlink = (uint32_t)stat->nlink,
		.uid = stat->uid,
		.gid = stat->gid,
		.mode = (uint16_t)stat->mode,
		.ino = stat->ino,
		.size = stat->size,
		.blocks = stat->blocks,
		.atime = statx_time(stat->atime_ns),
		.btime = statx_time(stat->btime_ns),
		.ctime = statx_time(stat->ctime_ns),
		.mtime = statx_time(stat->mtime_ns),
		.rdev_major = dev_major(stat->rdev),
		.rdev_minor = dev_minor(stat->rdev),
		.dev_major = dev_major(stat->dev),
		.dev_minor = dev_minor(stat->dev),
	};
}

long sys_statx(const struct syscall_frame *frame)
{
	const uint32_t reserved = 1u << 31;
	struct abi_statx out;
	struct kstat stat;
	int err;

	if (arg_u32(frame, 3) & reserved || (arg_u32(frame, 2) & AT_STATX_SYNC) == AT_STATX_SYNC)
		return -EINVAL;
	err = stat_path(frame, arg_int(frame, 0), 1, arg_u32(frame, 2), &stat);
	if (err < 0)
		return err;
	fill_statx(&stat, &out);
	return copy_out(frame->ctx, arg_pointer(frame, 4), &out, sizeof(out));
}

/* struct statfs, which both architectures share. */
struct abi_statfs {
	int64_t type, bsize, blocks, bfree, bavail, files, ffree;
	int32_t fsid[2];
	int64_t namelen, frsize, flags, spare[4];
};

_Static_assert(sizeof(struct abi_statfs) == 120, "struct statfs");

static long statfs_out(const struct syscall_frame *frame, const struct inode *inode)
{
	struct abi_statfs out = { 0 };
	struct kstatfs fs;

	inode_statfs(frame->ctx, inode, &fs);
	out.type = (int64_t)fs.type;
	out.bsize = (int64_t)fs.bsize;
	out.blocks = (int64_t)fs.blocks;
	out.bfree = (int64_t)fs.bfree;
	out.bavail = (int64_t)fs.bavail;
	out.files = (int64_t)fs.files;
	out.ffree = (int64_t)fs.ffree;
	out.fsid[0] = (int32_t)fs.fsid;
	out.namelen = (int64_t)fs.namelen;
	out.frsize = (int64_t)fs.frsize;
	out.flags = (int64_t)fs.flags;
	return copy_out(frame->ctx, arg_pointer(frame, 1), &out, sizeof(out));
}

long sys_statfs(const struct syscall_frame *frame)
{
	struct dentry *dentry;
	struct arg_path at;
	long err = arg_path(frame, AT_CWD, 0, false, &at);

	if (err == 0)
		err = path_lookup(frame->ctx, &at.at, 0, &dentry);
	if (err != 0)
		return err;
	err = statfs_out(frame, dentry->inode);
	dentry_put(frame->ctx, dentry);
	return err;
}

long sys_fstatfs(const struct syscall_frame *frame)
{
	struct file *file = fd_get_any(frame->ctx, frame->process->files, arg_int(frame, 0));
	long err;

	if (file == NULL)
		return -EBADF;
	err = statfs_out(frame, file->inode);
	file_put(frame->ctx, file);
	return err;
}

/* ---- access ---- */

static long may_access(const struct syscall_frame *frame, int dirfd, unsigned path, uint32_t flags)
{
	uint32_t mask = arg_u32(frame, path + 1);
	struct arg_path at;
	int err;

	if (mask & ~7u || flags & ~(uint32_t)(AT_EFFECTIVE | AT_NOFOLLOW | AT_EMPTY))
		return -EINVAL;
	err = arg_path(frame, dirfd, path, flags & AT_EMPTY, &at);
	if (err < 0)
		return err;
	return vfs_access(frame->ctx, &at.at, mask, flags & (AT_NOFOLLOW | AT_EMPTY), flags & AT_EFFECTIVE);
}

long sys_access(const struct syscall_frame *frame)
{
	return may_access(frame, AT_CWD, 0, 0);
}

long sys_faccessat(const struct syscall_frame *frame)
{
	return may_access(frame, arg_int(frame, 0), 1, 0);
}

long sys_faccessat2(const struct syscall_frame *frame)
{
	return may_access(frame, arg_int(frame, 0), 1, arg_u32(frame, 3));
}

/* ---- where the caller is ---- */

long sys_chdir(const struct syscall_frame *frame)
{
	struct arg_path at;
	int err = arg_path(frame, AT_CWD, 0, false, &at);

	return err < 0 ? err : vfs_chdir(frame->ctx, &at.at);
}

long sys_fchdir(const struct syscall_frame *frame)
{
	struct file *file = fd_get_any(frame->ctx, frame->process->files, arg_int(frame, 0));
	int err;

	if (file == NULL)
		return -EBADF;
	err = vfs_fchdir(frame->ctx, file);
	file_put(frame->ctx, file);
	return err;
}

long sys_getcwd(const struct syscall_frame *frame)
{
	char text[PATH_BYTES];
	ssize_t n = vfs_getcwd(frame->ctx, text, MIN(frame->args[1], sizeof(text)));
	int err = n > 0 ? copy_out(frame->ctx, arg_pointer(frame, 0), text, (size_t)n) : 0;

	return err < 0 ? err : n;
}

long sys_umask(const struct syscall_frame *frame)
{
	return __atomic_exchange_n(&frame->process->fs->umask, arg_u32(frame, 0) & 0777, __ATOMIC_RELAXED);
}

/* ---- mode and owner ---- */

static long chmod_path(const struct syscall_frame *frame, int dirfd, unsigned path, uint32_t flags)
{
	struct arg_path at;
	int err;

	if (flags & ~(uint32_t)(AT_NOFOLLOW | AT_EMPTY))
		return -EINVAL;
	err = arg_path(frame, dirfd, path, flags & AT_EMPTY, &at);
	return err < 0 ? err : vfs_chmod_at(frame->ctx, &at.at, arg_u32(frame, path + 1), flags);
}

long sys_chmod(const struct syscall_frame *frame)
{
	return chmod_path(frame, AT_CWD, 0, 0);
}

long sys_fchmodat(const struct syscall_frame *frame)
{
	return chmod_path(frame, arg_int(frame, 0), 1, 0);
}

long sys_fchmodat2(const struct syscall_frame *frame)
{
	return chmod_path(frame, arg_int(frame, 0), 1, arg_u32(frame, 3));
}

long sys_fchmod(const struct syscall_frame *frame)
{
	struct file *file = arg_file(frame, 0);
	int err;

	if (file == NULL)
		return -EBADF;
	err = inode_chmod(frame->ctx, file->inode, arg_u32(frame, 1));
	file_put(frame->ctx, file);
	return err;
}

static long chown_path(const struct syscall_frame *frame, int dirfd, unsigned path, uint32_t flags)
{
	struct arg_path at;
	int err;

	if (flags & ~(uint32_t)(AT_NOFOLLOW | AT_EMPTY))
		return -EINVAL;
	err = arg_path(frame, dirfd, path, flags & AT_EMPTY, &at);
	if (err < 0)
		return err;
	return vfs_chown_at(frame->ctx, &at.at, arg_u32(frame, path + 1), arg_u32(frame, path + 2), flags);
}

long sys_chown(const struct syscall_frame *frame)
{
	return chown_path(frame, AT_CWD, 0, 0);
}

long sys_lchown(const struct syscall_frame *frame)
{
	return chown_path(frame, AT_CWD, 0, AT_NOFOLLOW);
}

long sys_fchownat(const struct syscall_frame *frame)
{
	return chown_path(frame, arg_int(frame, 0), 1, arg_u32(frame, 4));
}

long sys_fchown(const struct syscall_frame *frame)
{
	struct file *file = arg_file(frame, 0);
	int err;

	if (file == NULL)
		return -EBADF;
	err = inode_chown(frame->ctx, file->inode, arg_u32(frame, 1), arg_u32(frame, 2));
	file_put(frame->ctx, file);
	return err;
}

/* ---- times and size ---- */

struct abi_timespec {
	int64_t sec, nsec;
};

/* What utimensat is given for one time. */
/* In ns, which reach from 1678 to 2262. */
static uint64_t time_of(const struct abi_timespec *time, bool *invalid)
{
	enum { NOW = (1 << 30) - 1, OMIT = (1 << 30) - 2 };
	const int64_t far_s = INT64_MAX / (int64_t)NS_PER_S - 1;

	if (time->nsec == NOW)
		return TIME_NOW;
	if (time->nsec == OMIT)
		return TIME_OMIT;
	*invalid |= time->nsec < 0 || (uint64_t)time->nsec >= NS_PER_S;
	return (uint64_t)(MAX(MIN(time->sec, far_s), -far_s) * (int64_t)NS_PER_S + time->nsec);
}

static int copy_in_times(const struct syscall_frame *frame, unsigned i, struct times *times)
{
	struct abi_timespec raw[2];
	int err;

	*times = (struct times){ TIME_NOW, TIME_NOW, false };
	if (uptr_null(arg_pointer(frame, i)))
		return 0;
	err = copy_in(frame->ctx, raw, arg_pointer(frame, i), sizeof(raw));
	if (err < 0)
		return err;
	times->atime_ns = time_of(&raw[0], &times->invalid);
	times->mtime_ns = time_of(&raw[1], &times->invalid);
	return 0;
}

static long set_times_of_fd(const struct syscall_frame *frame, const struct times *times)
{
	struct file *file;
	int err;

	if (arg_u32(frame, 3) != 0)
		return -EINVAL;
	file = arg_file(frame, 0);
	if (file == NULL)
		return -EBADF;
	err = inode_set_times(frame->ctx, file->inode, times);
	file_put(frame->ctx, file);
	return err;
}

long sys_utimensat(const struct syscall_frame *frame)
{
	uint32_t flags = arg_u32(frame, 3);
	struct arg_path at;
	struct times times;
	int err = copy_in_times(frame, 2, &times);

	if (err < 0)
		return err;
	if (times.atime_ns == TIME_OMIT && times.mtime_ns == TIME_OMIT)
		return 0;
	if (uptr_null(arg_pointer(frame, 1)) && arg_int(frame, 0) != AT_CWD)
		return set_times_of_fd(frame, &times);
	if (flags & ~(uint32_t)(AT_NOFOLLOW | AT_EMPTY))
		return -EINVAL;
	err = arg_path(frame, arg_int(frame, 0), 1, flags & AT_EMPTY, &at);
	return err < 0 ? err : vfs_utimens_at(frame->ctx, &at.at, &times, flags);
}

long sys_truncate(const struct syscall_frame *frame)
{
	struct arg_path at;
	int err;

	if ((int64_t)frame->args[1] < 0)
		return -EINVAL;
	err = arg_path(frame, AT_CWD, 0, false, &at);
	return err < 0 ? err : vfs_truncate_at(frame->ctx, &at.at, (int64_t)frame->args[1]);
}

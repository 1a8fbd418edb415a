// SPDX-License-Identifier: MIT
/*
 * The ABIs of the two kernels, where they differ: four flags of open, and struct stat.
 *
 * x86_64 numbers are the canonical ones, so its conversion of flags is the identity. aarch64 has the same four bits in
 * another order:
 *
 *	                 x86_64     aarch64
 *	O_DIRECTORY     0200000      040000
 *	O_NOFOLLOW      0400000     0100000
 *	O_DIRECT         040000     0200000
 *	O_LARGEFILE     0100000     0400000
 *
 * All else that is used here is equal: the other flags, msghdr, iovec, cmsghdr, sockaddr_un, rlimit, sigaction, rusage.
 *
 * Locking: none. Linux: uapi/asm/fcntl.h and uapi/asm/stat.h of both, uapi/asm-generic.
 */
#include "syscall/abi.h"

#include <string.h>

#define MOVED_BITS 0740000u

static const struct {
	uint32_t x86_64;
	uint32_t aarch64;
} moved[] = {
	{ 0200000, 0040000 }, /* O_DIRECTORY */
	{ 0400000, 0100000 }, /* O_NOFOLLOW */
	{ 0040000, 0200000 }, /* O_DIRECT */
	{ 0100000, 0400000 }, /* O_LARGEFILE */
};

enum ksim_arch abi_resolve(enum ksim_arch abi)
{
	if (abi != KSIM_ARCH_HOST)
		return abi;
#ifdef __aarch64__
	return KSIM_ARCH_AARCH64;
#else
	return KSIM_ARCH_X86_64;
#endif
}

uint32_t abi_open_flags(enum ksim_arch abi, uint32_t flags)
{
	uint32_t canonical = flags & ~MOVED_BITS;

	if (abi != KSIM_ARCH_AARCH64)
		return flags;
	for (size_t i = 0; i < ARRAY_SIZE(moved); i++)
		canonical |= flags & moved[i].aarch64 ? moved[i].x86_64 : 0;
	return canonical;
}

uint32_t abi_open_flags_out(enum ksim_arch abi, uint32_t flags)
{
	uint32_t out = flags & ~MOVED_BITS;

	if (abi != KSIM_ARCH_AARCH64)
		return flags;
	for (size_t i = 0; i < ARRAY_SIZE(moved); i++)
		out |= flags & moved[i].x86_64 ? moved[i].aarch64 : 0;
	return out;
}

struct stat_x86_64 {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev;
	int64_t size, blksize, blocks;
	uint64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	int64_t unused[3];
};

struct stat_aarch64 {
	uint64_t dev, ino;
	uint32_t mode, nlink, uid, gid;
	uint64_t rdev, pad;
	int64_t size;
	int32_t blksize, pad2;
	int64_t blocks;
	uint64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	uint32_t unused[2];
};

_Static_assert(sizeof(struct stat_x86_64) == ABI_STAT_MAX && sizeof(struct stat_aarch64) == 128,
               "struct stat of the kernels");

/* What the two have under the same names, whatever the place and width. */
#define FILL_STAT(out, from)                                                  \
	do {                                                                  \
		(out)->dev = (from)->dev;                                     \
		(out)->ino = (from)->ino;                                     \
		(out)->nlink = (__typeof__((out)->nlink))(from)->nlink;       \
		(out)->mode = (from)->mode;                                   \
		(out)->uid = (from)->uid;                                     \
		(out)->gid = (from)->gid;                                     \
		(out)->rdev = (from)->rdev;                                   \
		(out)->size = (int64_t)(from)->size;                          \
		(out)->blksize = (__typeof__((out)->blksize))(from)->blksize; \
		(out)->blocks = (int64_t)(from)->blocks;                      \
		(out)->atime = (uint64_t)abi_seconds((from)->atime_ns);       \
		(out)->atime_nsec = abi_nanoseconds((from)->atime_ns);        \
		(out)->mtime = (uint64_t)abi_seconds((from)->mtime_ns);       \
		(out)->mtime_nsec = abi_nanoseconds((from)->mtime_ns);        \
		(out)->ctime = (uint64_t)abi_seconds((from)->ctime_ns);       \
		(out)->ctime_nsec = abi_nanoseconds((from)->ctime_ns);        \
	} while (0)

size_t abi_stat_size(enum ksim_arch abi)
{
	return abi == KSIM_ARCH_AARCH64 ? sizeof(struct stat_aarch64) : sizeof(struct stat_x86_64);
}

size_t abi_stat(enum ksim_arch abi, const struct kstat *stat, uint8_t out[ABI_STAT_MAX])
{
	struct stat_aarch64 aarch64 = { 0 };
	struct stat_x86_64 x86_64 = { 0 };

	if (abi == KSIM_ARCH_AARCH64) {
		FILL_STAT(&aarch64, stat);
		memcpy(out, &aarch64, sizeof(aarch64));
	} else {
		FILL_STAT(&x86_64, stat);
		memcpy(out, &x86_64, sizeof(x86_64));
	}
	return abi_stat_size(abi);
}

void abi_stat_read(enum ksim_arch abi, const uint8_t in[ABI_STAT_MAX], uint32_t *mode, uint64_t *size)
{
	bool aarch64 = abi == KSIM_ARCH_AARCH64;

	memcpy(mode, in + (aarch64 ? offsetof(struct stat_aarch64, mode) : offsetof(struct stat_x86_64, mode)),
	       sizeof(*mode));
	memcpy(size, in + (aarch64 ? offsetof(struct stat_aarch64, size) : offsetof(struct stat_x86_64, size)),
	       sizeof(*size));
}

/* Places in siginfo_t: after signo, errno and code a union that begins 8-byte aligned. */
enum { SIGINFO_CODE = 8, SIGINFO_PID = 16, SIGINFO_UID = 20, SIGINFO_STATUS = 24, SIGINFO_VALUE = 24 };

static void put(uint8_t *out, size_t at, const void *value, size_t n)
{
	memcpy(out + at, value, n);
}

void abi_siginfo(const struct signal_info *info, uint8_t out[ABI_SIGINFO_BYTES])
{
	memset(out, 0, ABI_SIGINFO_BYTES);
	put(out, 0, &info->signo, sizeof(info->signo));
	put(out, SIGINFO_CODE, &info->code, sizeof(info->code));
	if (info->addr != 0) {
		put(out, SIGINFO_PID, &info->addr, sizeof(info->addr));
		return;
	}
	put(out, SIGINFO_PID, &info->pid, sizeof(info->pid));
	put(out, SIGINFO_UID, &info->uid, sizeof(info->uid));
	if (info->code < 0)
		put(out, SIGINFO_VALUE, &info->value, sizeof(info->value));
	else
		put(out, SIGINFO_STATUS, &info->status, sizeof(info->status));
}

void abi_siginfo_read(const uint8_t in[ABI_SIGINFO_BYTES], struct signal_info *info)
{
	memset(info, 0, sizeof(*info));
	memcpy(&info->code, in + SIGINFO_CODE, sizeof(info->code));
	memcpy(&info->pid, in + SIGINFO_PID, sizeof(info->pid));
	memcpy(&info->uid, in + SIGINFO_UID, sizeof(info->uid));
	memcpy(&info->value, in + SIGINFO_VALUE, sizeof(info->value));
}

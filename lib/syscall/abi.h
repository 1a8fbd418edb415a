/* SPDX-License-Identifier: MIT */
/*
 * What the ABIs of x86_64 and aarch64 do not have in common, to and from the canonical form, and the layouts that
 * they share.
 */
#ifndef SYSCALL_ABI_H
#define SYSCALL_ABI_H

#include "syscall/syscall.h"

/** KSIM_ARCH_HOST resolved. */
enum ksim_arch abi_resolve(enum ksim_arch abi);

/** Flags of open and fcntl(F_SETFL) to canonical ones, and those of F_GETFL back. */
uint32_t abi_open_flags(enum ksim_arch abi, uint32_t flags);
uint32_t abi_open_flags_out(enum ksim_arch abi, uint32_t flags);

#define ABI_STAT_MAX 144

/** struct stat. @return its size, at most ABI_STAT_MAX */
size_t abi_stat(enum ksim_arch abi, const struct kstat *stat, uint8_t out[ABI_STAT_MAX]);
/** st_mode and st_size of one. */
void abi_stat_read(enum ksim_arch abi, const uint8_t in[ABI_STAT_MAX], uint32_t *mode, uint64_t *size);
size_t abi_stat_size(enum ksim_arch abi);
/** Of a time of a file, which may be before 1970. */
static inline int64_t abi_seconds(uint64_t ns)
{
	const int64_t s = 1000000000, t = (int64_t)ns;

	return t >= 0 ? t / s : -((-t + s - 1) / s);
}
static inline uint32_t abi_nanoseconds(uint64_t ns)
{
	return (uint32_t)((int64_t)ns - abi_seconds(ns) * 1000000000);
}

/* Shared by both, as the kernel has them. */
struct abi_msghdr {
	uint64_t name;
	int32_t namelen; /* bytes */
	uint32_t pad;
	uint64_t iov; /* of struct uio_seg, which is struct iovec */
	uint64_t iovlen;
	uint64_t control;
	uint64_t controllen; /* bytes */
	uint32_t flags;
	uint32_t pad2;
};

struct abi_cmsghdr {
	uint64_t len; /* bytes, this header included; data begins after it, the next one 8-byte aligned */
	int32_t level;
	int32_t type;
};

struct abi_sockaddr_un {
	uint16_t family;
	char path[108];
};

struct abi_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

struct abi_rlimit {
	uint64_t soft;
	uint64_t hard;
};

#define ABI_RUSAGE_BYTES 144

#define ABI_SIGINFO_BYTES       128
#define ABI_SIGINFO_KNOWN_BYTES 48 /* as much of it as any code that Linux knows needs */
#define ABI_SIGINFO_CHILD_BYTES 28 /* as much of it as waitid sets */

/** siginfo_t, the same for both. */
void abi_siginfo(const struct signal_info *info, uint8_t out[ABI_SIGINFO_BYTES]);
/** Of one that a program has made for rt_sigqueueinfo. */
void abi_siginfo_read(const uint8_t in[ABI_SIGINFO_BYTES], struct signal_info *info);

#define ABI_AF_UNIX       1
#define ABI_SOCKADDR_PATH offsetof(struct abi_sockaddr_un, path)

_Static_assert(sizeof(struct abi_msghdr) == 56 && sizeof(struct abi_cmsghdr) == 16 &&
                       sizeof(struct abi_sockaddr_un) == 110 && sizeof(struct uio_seg) == 16,
               "layouts of the 64-bit kernels");

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Inside syscall: the handlers, and what they all do with their arguments.
 */
#ifndef SYSCALL_HANDLERS_H
#define SYSCALL_HANDLERS_H

#include "syscall/syscall.h"

/** Handlers, one for each line of table.def: sys_read, sys_mmap, ... */
#define SYSCALL(name, x86_64, aarch64, nargs, signature) long sys_##name(const struct syscall_frame *frame);
#include "syscall/table.def"
#undef SYSCALL

/** What a transfer is cut to. */
#define TRANSFER_BYTES_MAX UINT64_C(0x7ffff000)
#define PATH_BYTES         4096                /* PATH_MAX: of a path, with its NUL */
#define HOST_SPAN          (UINT64_C(1) << 48) /* above all of a host's own memory */
#define AT_CWD             (-100)              /* AT_FDCWD */

/** What the trace hook's `args` points to: the arguments, and what only the beginning of the call can tell. */
struct traced {
	uint64_t args[6];
	uint64_t nr;    /* of a call that is not implemented */
	int32_t room;   /* bytes: the length that the call changes as it was before; -1: it changes none */
	char lost[288]; /* the file of the descriptor that the call closes, described; "" if there is none */
};

/** Fill in room and lost before a call runs. */
void traced_begin(struct task *task, enum syscall_call call, struct traced *traced);

static inline int arg_int(const struct syscall_frame *frame, unsigned i)
{
	return (int)frame->args[i];
}

static inline uint32_t arg_u32(const struct syscall_frame *frame, unsigned i)
{
	return (uint32_t)frame->args[i];
}

static inline struct uptr arg_pointer(const struct syscall_frame *frame, unsigned i)
{
	return (struct uptr){ frame->args[i] };
}

/** The file of descriptor argument i, with a reference; NULL: -EBADF. */
static inline struct file *arg_file(const struct syscall_frame *frame, unsigned i)
{
	return fd_get(frame->ctx, frame->process->files, arg_int(frame, i));
}

/** Likewise, of a socket. 0; -EBADF, -ENOTSOCK. */
int arg_socket(const struct syscall_frame *frame, unsigned i, struct file **out);

/** Give a new file a descriptor; takes over the reference. The number, or an errno and the file is put. */
int new_fd(const struct syscall_frame *frame, struct file *file, bool cloexec);

/** Whether n bytes at p lie in what a program may address at all: else -EFAULT before anything is looked at. */
static inline bool range_legal(struct uptr p, uint64_t n)
{
	uint64_t end = p.bits & UPTR_USER_BIT ? PT_SPAN : HOST_SPAN;
	uint64_t at = p.bits & ~UPTR_USER_BIT;

	return at <= end && n <= end - at;
}

#endif

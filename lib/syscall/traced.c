// SPDX-License-Identifier: MIT
/*
 * What the line of a call needs and only its beginning can tell: the file of a descriptor that it closes, and the room
 * for an address or an option that it replaces by a length.
 *
 *	close(3</memfd:pool>(deleted)) = 0
 *	accept(3<socket:[5]>, {sa_family=AF_UNIX}, [110 => 2]) = 4<socket:[8]>
 *
 * Locking: none; called where the call begins.
 */
#include "syscall/format.h"

#include <string.h>

#include "syscall/abi.h"

/* Describe the file whose descriptor the call takes away. */
static void note_lost(struct task *task, enum syscall_call call, struct traced *traced)
{
	unsigned which = call == CALL_dup2 || call == CALL_dup3;
	struct file *file;

	if (call != CALL_close && !which)
		return;
	file = fd_get_any(&task->ctx, task->process->files, (int)traced->args[which]);
	if (file != NULL)
		file->ops->describe(file, traced->lost, sizeof(traced->lost));
	file_put(&task->ctx, file);
	ctx_drain(&task->ctx);
}

/* Where a call finds the length that it changes; 0: nowhere. */
static uint64_t length_at(enum syscall_call call, const uint64_t *args)
{
	switch (call) {
	case CALL_accept:
	case CALL_accept4:
	case CALL_getsockname:
	case CALL_getpeername:
		return args[2];
	case CALL_getsockopt:
		return args[4];
	case CALL_recvfrom:
		return args[5];
	case CALL_recvmsg:
		return args[1] != 0 ? args[1] + offsetof(struct abi_msghdr, namelen) : 0;
	default:
		return 0;
	}
}

void traced_begin(struct task *task, enum syscall_call call, struct traced *traced)
{
	struct line line = { .ctx = &task->ctx };
	struct uptr at = { length_at(call, traced->args) };

	note_lost(task, call, traced);
	if (at.bits == 0 || line_peek(&line, &traced->room, at, sizeof(traced->room)) < 0)
		traced->room = -1;
}

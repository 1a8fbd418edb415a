/* SPDX-License-Identifier: MIT */
/*
 * Inside syscall: what the calls on sockets and their trace share.
 */
#ifndef SYSCALL_MESSAGE_H
#define SYSCALL_MESSAGE_H

#include "syscall/abi.h"
#include "syscall/handlers.h"

/* As all architectures here number them. */
enum { LEVEL_SOCKET = 1, RIGHTS = 1, CREDENTIALS = 2 }; /* SOL_SOCKET, SCM_RIGHTS, SCM_CREDENTIALS */

enum socket_option {
	OPTION_TYPE = 3,
	OPTION_ERROR = 4,
	OPTION_SNDBUF = 7,
	OPTION_RCVBUF = 8,
	OPTION_PEERCRED = 17,
	OPTION_ACCEPTCONN = 30,
	OPTION_PROTOCOL = 38,
	OPTION_DOMAIN = 39,
};

/**
 * Give an address to the caller, cut to the room that *to_len says; *to_len becomes its real length.
 * addr NULL: none, of length 0. 0; -EFAULT, -EINVAL (negative room).
 */
int sockaddr_out(struct ctx *ctx, const struct unix_addr *addr, struct uptr to, struct uptr to_len);

#endif

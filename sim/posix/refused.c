// SPDX-License-Identifier: MIT
/*
 * Libc's names for calls that are not implemented, and would do harm on the host: they would reach a descriptor of the
 * host's that has the same number, or give the process one that it cannot use, or move what a window shows.
 *
 * A process gets ENOSYS, as from a kernel that was built without them; who acts as nobody gets the host's.
 *
 * Locking: none.
 */
#include "posix/posix.h"

#include <errno.h>

/* -1, of whatever type. */
static long refuse(void)
{
	errno = ENOSYS;
	return -1;
}

#define REFUSED(type, name, parameters, arguments)                     \
	type ksim_posix_##name parameters                              \
	{                                                              \
		return posix_acts() ? (type)refuse() : name arguments; \
	}

REFUSED(int, pipe, (int fds[2]), (fds))
REFUSED(int, pipe2, (int fds[2], int flags), (fds, flags))
REFUSED(int, poll, (struct pollfd * fds, nfds_t n, int timeout_ms), (fds, n, timeout_ms))
REFUSED(int, ppoll, (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask),
        (fds, n, timeout, mask))
REFUSED(int, select, (int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout), (n, r, w, e, timeout))
REFUSED(int, pselect, (int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *timeout, const sigset_t *mask),
        (n, r, w, e, timeout, mask))
REFUSED(int, epoll_create, (int size), (size))
REFUSED(int, epoll_create1, (int flags), (flags))
REFUSED(int, epoll_ctl, (int epfd, int op, int fd, struct epoll_event *event), (epfd, op, fd, event))
REFUSED(int, epoll_wait, (int epfd, struct epoll_event *events, int n, int timeout_ms), (epfd, events, n, timeout_ms))
REFUSED(int, eventfd, (unsigned count, int flags), (count, flags))
REFUSED(int, timerfd_create, (clockid_t clock, int flags), (clock, flags))
REFUSED(int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
REFUSED(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len), (fd, level, name, value, len))

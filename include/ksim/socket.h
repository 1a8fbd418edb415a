/* SPDX-License-Identifier: MIT */
/*
 * AF_UNIX stream sockets of the acting process, and the passing of descriptors.
 *
 * All but the three bench calls at the end are the libc calls of their names: the host's types, constants and structs,
 * -1 and errno. Who may call, what a pointer may be, and EBADF, EMFILE and ENOMEM: as in <ksim/file.h>. Not repeated:
 *   EFAULT    an address, a length, a buffer or a header cannot be accessed
 *   ENOTSOCK  fd is no socket
 * Calls that wait are marked "blocks"; with O_NONBLOCK or MSG_DONTWAIT they give EAGAIN. A wait that nothing can end,
 * since every acting thread of the machine waits, gives EDEADLK, and a report says who waits for what.
 */
#ifndef KSIM_SOCKET_H
#define KSIM_SOCKET_H

#include <ksim/machine.h>
#include <sys/socket.h>
#include <sys/types.h>

KSIM_BEGIN_DECLS

/**
 * A new socket, or two connected ones.
 *
 * @param domain    AF_UNIX
 * @param type      SOCK_STREAM, with SOCK_CLOEXEC and SOCK_NONBLOCK or'ed
 * @param protocol  0 or PF_UNIX
 * @param fds       out: the two ends; they are equal
 * @return the descriptor (socket), 0 (socketpair), or -1 with errno:
 *   EAFNOSUPPORT     another domain
 *   EINVAL           unknown bits in type, or no type at all
 *   EPROTONOSUPPORT  protocol
 *   ESOCKTNOSUPPORT  another type
 * Linux: socket(2), socketpair(2), unix(7). Deviations: streams only.
 */
KSIM_EXPORT int ksim_socket(int domain, int type, int protocol);
KSIM_EXPORT int ksim_socketpair(int domain, int type, int protocol, int fds[2]);

/**
 * Name a socket. Names live in the machine: nothing appears in the host's files.
 *
 * @param addr  struct sockaddr_un: a path up to its NUL or to len; abstract when its first byte is NUL
 * @param len   bytes; of the family alone: a free abstract name is chosen
 * A path becomes a file (S_IFSOCK) of the machine's tree, see <ksim/path.h>, with mode 0777 less umask; connect finds
 * it by any path that leads to it and needs permission to write to it.
 *
 * @return 0, or -1 with errno:
 *   EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR  the path's directory is not there, or may not be written to
 *   EADDRINUSE  the name is taken; a path stays so until it is unlinked
 *   EINVAL      the socket has a name; family or len
 * Linux: bind(2), unix(7). Deviations: none known.
 */
KSIM_EXPORT int ksim_bind(int fd, const struct sockaddr *addr, socklen_t len);

/**
 * Take connections.
 * @param backlog  backlog + 1 may wait to be accepted; negative or more than 4096: 4096
 * @return 0, or -1 with errno EINVAL: it has no name, or is connected
 * Linux: listen(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_listen(int fd, int backlog);

/**
 * Take the oldest waiting connection. Blocks while there is none.
 *
 * @param addr   out, may be NULL: the peer's name, cut to *len
 * @param len    in: room, bytes; out: length of the name; read only with addr
 * @param flags  of accept4: SOCK_CLOEXEC, SOCK_NONBLOCK
 * @return the descriptor of the new end, or -1 with errno:
 *   EAGAIN      none waits, and fd does not block
 *   EDEADLK
 *   EINVAL      fd does not listen; flags; *len is negative
 * Linux: accept(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_accept(int fd, struct sockaddr *addr, socklen_t *len);
KSIM_EXPORT int ksim_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);

/**
 * Connect to a listening socket: it need not have accepted for bytes and descriptors to be sent. Blocks while its
 * backlog is full.
 *
 * @return 0, or -1 with errno:
 *   EACCES        the socket's file may not be written to, or a directory on the way not searched
 *   EAGAIN        the backlog is full, and fd does not block
 *   ECONNREFUSED  nobody listens there; a path that a closed socket has left, or of another kind of file
 *   EDEADLK
 *   EINVAL        family or len; fd listens
 *   EISCONN       connected already
 *   ENOENT, ENOTDIR, ELOOP  the path leads nowhere
 * Linux: connect(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_connect(int fd, const struct sockaddr *addr, socklen_t len);

/**
 * Shut a side: our receiving (SHUT_RD), our sending (SHUT_WR), or both (SHUT_RDWR); the peer sees the other half.
 * @return 0, or -1 with errno EINVAL (how)
 * Linux: shutdown(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_shutdown(int fd, int how);

/**
 * Send bytes, and with sendmsg descriptors. Blocks while the peer's queue is full.
 *
 * @param n      bytes; 0 sends nothing, descriptors neither
 * @param flags  MSG_DONTWAIT, MSG_NOSIGNAL
 * @param msg    of at most 1024 buffers; msg_control: SCM_RIGHTS with at most 253 descriptors of the caller
 * @return bytes sent, fewer if it could not go on, or -1 with errno:
 *   EAGAIN      the queue is full, and it may not block
 *   EBADF       a descriptor to be passed is none
 *   ECONNRESET  the peer was closed while it had not read all
 *   EDEADLK
 *   EINVAL      a malformed control message; too many descriptors
 *   EISCONN, EOPNOTSUPP  an address was given
 *   EMSGSIZE    too many buffers
 *   ENOBUFS     no memory; too long a control buffer
 *   ENOTCONN
 *   EOPNOTSUPP  MSG_OOB
 *   EPERM       SCM_CREDENTIALS of another process
 *   EPIPE       a side is shut, or the peer closed
 * Ownership: a message in flight holds its files; closing the descriptors that were sent takes nothing away. What is
 * never received goes with the receiving socket.
 * Linux: send(2), unix(7). SIGPIPE comes with EPIPE, unless MSG_NOSIGNAL.
 */
KSIM_EXPORT ssize_t ksim_send(int fd, const void *buf, size_t n, int flags);
KSIM_EXPORT ssize_t ksim_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr,
                                socklen_t len);
KSIM_EXPORT ssize_t ksim_sendmsg(int fd, const struct msghdr *msg, int flags);

/**
 * Receive bytes, and with recvmsg descriptors. Blocks while nothing has come. A message with descriptors ends the
 * transfer: its bytes are not joined with later ones.
 *
 * @param n      bytes; room
 * @param flags  MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL, MSG_CMSG_CLOEXEC
 * @param msg    in: buffers, room for name and control; out: msg_namelen, msg_controllen, msg_flags: MSG_CTRUNC when
 *               descriptors were lost, for want of room or at RLIMIT_NOFILE, MSG_CMSG_CLOEXEC as it was asked for
 * @return bytes received, 0 at the end, or -1 with errno:
 *   EAGAIN      nothing is there, and it may not block
 *   ECONNRESET  the peer was closed while it had not read all; told once
 *   EDEADLK
 *   EINVAL      not connected; MSG_OOB
 *   EMSGSIZE    too many buffers
 * Ownership: descriptors that were received are the caller's to close; with MSG_PEEK they are further ones.
 * Linux: recv(2), unix(7). Deviations: none known.
 */
KSIM_EXPORT ssize_t ksim_recv(int fd, void *buf, size_t n, int flags);
KSIM_EXPORT ssize_t ksim_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len);
KSIM_EXPORT ssize_t ksim_recvmsg(int fd, struct msghdr *msg, int flags);

/**
 * The name of this end, or of the other one, cut to *len; an unnamed end has the family alone.
 * @param len  in: room, bytes; out: the name's length
 * @return 0, or -1 with errno EINVAL (*len is negative), ENOTCONN (getpeername)
 * Linux: getsockname(2), getpeername(2). Deviations: none known.
 */
KSIM_EXPORT int ksim_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
KSIM_EXPORT int ksim_getpeername(int fd, struct sockaddr *addr, socklen_t *len);

/**
 * SOL_SOCKET: SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR, SO_ACCEPTCONN, SO_PEERCRED, SO_SNDBUF, SO_RCVBUF.
 * @param value  out: int, or struct ucred, cut to *len
 * @param len    in: room, bytes; out: bytes written
 * @return 0, or -1 with errno EINVAL (*len is negative), ENOPROTOOPT (name), EOPNOTSUPP (another level)
 * Linux: getsockopt(2), socket(7). Deviations: other options; no option can be set.
 */
KSIM_EXPORT int ksim_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

/**
 * Connect two processes: one end of a new pair in each, as if a had made the pair and passed the other end on. For
 * benches; neither process needs to be acted as.
 *
 * @param a, b  of one machine; may be the same
 * @param type  SOCK_STREAM, with SOCK_CLOEXEC and SOCK_NONBLOCK or'ed
 * @param fds   out: [0] is a's descriptor, [1] is b's; untouched on failure
 * @return 0, or -1 with errno; nothing has changed then:
 *   EINVAL           the processes are of two machines; unknown bits in type
 *   EMFILE           one has no free descriptor
 *   ENOMEM
 *   ESOCKTNOSUPPORT  another type
 *   ESRCH            one has ended
 * Ownership: each end is its process's, and closed by its end. SO_PEERCRED of both says a.
 * Threads: any.
 */
KSIM_EXPORT int ksim_socketpair_between(struct ksim_process *a, struct ksim_process *b, int type, int fds[2]);

/**
 * sendmsg with descriptors, without the ceremony. Blocks as it does.
 *
 * @param data  len bytes; len 0 sends nothing, the descriptors neither
 * @param fds   nfds descriptors of the caller, at most 253 (EINVAL); nfds 0: plain bytes
 * @return bytes sent, or -1 with errno as ksim_sendmsg
 * Ownership: the caller's descriptors stay open.
 * Threads: any that acts as a process.
 */
KSIM_EXPORT ssize_t ksim_send_fds(int sock, const void *data, size_t len, const int *fds, size_t nfds);

/**
 * recvmsg with descriptors, all or none of them. Blocks as it does.
 *
 * @param data   room for len bytes
 * @param fds    out: the descriptors
 * @param nfds   in: room in fds; out: how many came; unchanged on failure
 * @param flags  MSG_CMSG_CLOEXEC, MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL
 * @return bytes received, 0 at the end, or -1 with errno as ksim_recvmsg, and:
 *   EMSGSIZE  more descriptors came than fds or RLIMIT_NOFILE has room for: the bytes have been received, the
 *             descriptors are closed; likewise with EFAULT, if fds or nfds cannot be written
 * Ownership: the descriptors are the caller's to close.
 * Threads: any that acts as a process.
 */
KSIM_EXPORT ssize_t ksim_recv_fds(int sock, void *data, size_t len, int *fds, size_t *nfds, int flags);

KSIM_END_DECLS

#endif

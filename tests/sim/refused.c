// SPDX-License-Identifier: MIT
/*
 * Calls that are refused to single processes, as a sandbox, an old kernel or a signal does; messages that lose
 * descriptors.
 */
#include "bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

TEST(refused, sandbox_without_memfd_create)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *client = bed_process(m, "client"), *other = bed_process(m, "other");

	EXPECT_EQ(ksim_refuse(client, "memfd_create", ENOSYS, 0, 0), 0);
	ksim_as(client) {
		for (int i = 0; i < 3; i++)
			EXPECT_FAILS(ksim_memfd_create("x", i == 1 ? MFD_CLOEXEC : 0), ENOSYS);
		EXPECT_EQ(ksim_dup(0), -1); /* and no descriptor was made */
		bed_map(1, RW, MAP_SHARED); /* what a library falls back to */
	}
	ksim_as(other)
		EXPECT_EQ(ksim_memfd_create("x", 0), 0);
	EXPECT_EQ(ksim_refuse(client, "memfd_create", 0, 0, 0), 0);
	ksim_as(client)
		EXPECT_EQ(ksim_memfd_create("x", 0), 0);
	bed_halt(m);
}

TEST(refused, call_with_some_flags_only)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "client");
	int ends[2];

	EXPECT_EQ(ksim_refuse(p, "memfd_create", EINVAL, MFD_ALLOW_SEALING | MFD_CLOEXEC, 0), 0);
	EXPECT_EQ(ksim_refuse(p, "mmap", EPERM, MAP_PRIVATE, 0), 0);
	EXPECT_EQ(ksim_refuse(p, "mprotect", EACCES, PROT_EXEC, 0), 0);
	EXPECT_EQ(ksim_refuse(p, "socketpair", EPERM, SOCK_NONBLOCK, 0), 0);
	EXPECT_EQ(ksim_refuse(p, "recvfrom", EIO, MSG_PEEK, 0), 0);
	ksim_as(p) {
		ksim_addr at;

		EXPECT_FAILS(ksim_memfd_create("x", MFD_ALLOW_SEALING | MFD_CLOEXEC), EINVAL);
		EXPECT_EQ(ksim_memfd_create("x", MFD_CLOEXEC), 0);
		EXPECT(ksim_mmap(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == KSIM_MAP_FAILED && errno == EPERM);
		at = bed_map(1, RW, MAP_SHARED);
		EXPECT_EQ(ksim_mprotect(at, PAGE, PROT_READ), 0);
		EXPECT_FAILS(ksim_mprotect(at, PAGE, PROT_READ | PROT_EXEC), EACCES);
		EXPECT_FAILS(ksim_socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), EPERM);
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		EXPECT_EQ(ksim_send(ends[0], "x", 1, 0), 1);
		EXPECT_FAILS(ksim_recv(ends[1], (char[1]){ 0 }, 1, MSG_PEEK), EIO);
		EXPECT_EQ(ksim_recv(ends[1], (char[1]){ 0 }, 1, 0), 1);
	}
	bed_halt(m);
}

TEST(refused, interrupted_once_and_then_retried)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *a = bed_process(m, "a"), *b = bed_process(m, "b");
	int ends[2], fd = -1, got = -1;
	size_t nfds = 1;
	char byte;

	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, ends) == 0);
	ksim_as(a) {
		fd = ksim_memfd_create("x", 0);
		EXPECT_EQ(ksim_send_fds(ends[0], "x", 1, &fd, 1), 1);
	}
	EXPECT_EQ(ksim_refuse(b, "recvmsg", EINTR, 0, 1), 0);
	ksim_as(b) {
		EXPECT_FAILS(ksim_recv_fds(ends[1], &byte, 1, &got, &nfds, 0), EINTR);
		EXPECT_EQ(ksim_recv_fds(ends[1], &byte, 1, &got, &nfds, 0), 1);
		EXPECT_EQ(nfds, 1);
	}
	bed_halt(m);
}

TEST(refused, so_many_times_and_the_last_word_counts)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "client");

	EXPECT_EQ(ksim_refuse(p, "memfd_create", EMFILE, 0, 5), 0);
	EXPECT_EQ(ksim_refuse(p, "memfd_create", ENFILE, MFD_CLOEXEC, 2), 0);
	ksim_as(p) {
		EXPECT_FAILS(ksim_memfd_create("x", MFD_CLOEXEC), ENFILE);
		EXPECT_EQ(ksim_memfd_create("x", 0), 0); /* does not count */
		EXPECT_FAILS(ksim_memfd_create("x", MFD_CLOEXEC), ENFILE);
		EXPECT_EQ(ksim_memfd_create("x", MFD_CLOEXEC), 1);
	}
	bed_halt(m);
}

TEST(refused, children_inherit_what_is_refused_when_they_are_forked)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *parent = bed_process(m, "parent"), *before, *after;

	before = ksim_process_fork(parent, "before");
	EXPECT_EQ(ksim_refuse(parent, "memfd_create", ENOSYS, 0, 0), 0);
	EXPECT_EQ(ksim_refuse(parent, "dup", EMFILE, 0, 1), 0);
	after = ksim_process_fork(parent, "after");
	SETUP(before != NULL && after != NULL);
	EXPECT_EQ(ksim_refuse(parent, "memfd_create", 0, 0, 0), 0);
	ksim_as(before)
		EXPECT_EQ(ksim_memfd_create("x", 0), 0);
	ksim_as(after) {
		EXPECT_FAILS(ksim_memfd_create("x", 0), ENOSYS);
		EXPECT_FAILS(ksim_dup(0), EMFILE);
		EXPECT_FAILS(ksim_dup(0), EBADF);
	}
	ksim_as(parent) {
		EXPECT_EQ(ksim_memfd_create("x", 0), 0);
		EXPECT_FAILS(ksim_dup(0), EMFILE);
	}
	/* The last one who is refused something goes; others' calls work as before. */
	EXPECT_EQ(ksim_process_end(after, 0), 0);
	ksim_as(before)
		EXPECT_EQ(ksim_dup(0), 1);
	bed_halt(m);
}

/* The flags of open are other bits on each architecture; what is refused is said in the host's. */
TEST(refused, ksim_syscall_of_either_architecture)
{
	static const struct {
		enum ksim_arch arch;
		long nofollow, largefile;
	} arches[] = {
		{ KSIM_ARCH_X86_64, 0400000, 0100000 },
		{ KSIM_ARCH_AARCH64, 0100000, 0400000 },
	};

	for (size_t i = 0; i < sizeof(arches) / sizeof(arches[0]); i++) {
		const struct ksim_config config = { .ram_bytes = 4 << 20, .arch = arches[i].arch };
		struct ksim_machine *m = ksim_boot(&config);
		struct ksim_process *p;

		SETUP(m != NULL);
		p = bed_process(m, "client");
		EXPECT_EQ(ksim_refuse(p, "openat", EPERM, O_NOFOLLOW, 0), 0);
		EXPECT_EQ(ksim_refuse(p, "memfd_create", ENOSYS, MFD_CLOEXEC, 0), 0);
		ksim_as(p) {
			long openat = ksim_nr(m, "openat"), memfd = ksim_nr(m, "memfd_create");

			EXPECT_EQ(ksim_syscall(openat, AT_FDCWD, (long)"/none", arches[i].nofollow, 0, 0, 0), -EPERM);
			EXPECT_EQ(ksim_syscall(openat, AT_FDCWD, (long)"/none", arches[i].largefile, 0, 0, 0), -ENOENT);
			EXPECT_FAILS(ksim_openat(AT_FDCWD, "/none", O_NOFOLLOW), EPERM);
			EXPECT_FAILS(ksim_openat(AT_FDCWD, "/none", O_DIRECTORY), ENOENT);
			EXPECT_EQ(ksim_syscall(memfd, (long)"x", MFD_CLOEXEC, 0, 0, 0, 0), -ENOSYS);
			EXPECT_EQ(ksim_syscall(memfd, (long)"x", 0, 0, 0, 0, 0), 0);
			EXPECT_EQ(ksim_syscall(100000, 0, 0, 0, 0, 0, 0), -ENOSYS);
		}
		bed_halt(m);
	}
}

static void keep_line(void *arg, const struct ksim_process *process, const char *line)
{
	(void)process;
	snprintf(arg, 128, "%s", line);
}

TEST(refused, call_is_in_the_trace_with_its_result)
{
	char last[128] = "";
	const struct ksim_config config = { .ram_bytes = 4 << 20, .trace = keep_line, .trace_arg = last };
	struct ksim_machine *m = ksim_boot(&config);
	struct ksim_process *p;

	SETUP(m != NULL);
	p = bed_process(m, "client");
	EXPECT_EQ(ksim_refuse(p, "memfd_create", EPERM, 0, 1), 0);
	EXPECT_EQ(ksim_refuse(p, "close", EINTR, 0, 1), 0);
	ksim_as(p) {
		EXPECT_FAILS(ksim_memfd_create("x", MFD_CLOEXEC), EPERM);
		EXPECT_STREQ(last, "memfd_create(\"x\", MFD_CLOEXEC) = -1 EPERM (Operation not permitted)");
		EXPECT_EQ(ksim_memfd_create("x", MFD_CLOEXEC), 0);
		EXPECT_FAILS(ksim_close(0), EINTR);
		EXPECT_STREQ(last, "close(0</memfd:x>(deleted)) = -1 EINTR (Interrupted system call)");
		EXPECT_EQ(ksim_close(0), 0);
	}
	bed_halt(m);
}

TEST(refused, what_cannot_be_refused_is_EINVAL_or_ESRCH)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "client");

	EXPECT_FAILS(ksim_refuse(p, "no_such_call", ENOSYS, 0, 0), EINVAL);
	EXPECT_FAILS(ksim_refuse(p, "dup", -1, 0, 0), EINVAL);
	EXPECT_FAILS(ksim_refuse(p, "dup", 4096, 0, 0), EINVAL);
	EXPECT_FAILS(ksim_refuse(p, "dup", EMFILE, 1, 0), EINVAL);
	EXPECT_FAILS(ksim_refuse(p, "memfd_create", EMFILE, 1UL << 32, 0), EINVAL);
	EXPECT_FAILS(ksim_refuse(p, "exit_group", EPERM, 0, 0), EINVAL);
	EXPECT_FAILS(ksim_refuse(p, "exit", EPERM, 0, 0), EINVAL);
	EXPECT_EQ(ksim_refuse(p, "dup", 4095, 0, 1), 0);
	EXPECT_EQ(ksim_process_end(p, 0), 0);
	EXPECT_FAILS(ksim_refuse(p, "dup", EMFILE, 0, 0), ESRCH);
	EXPECT_FAILS(ksim_truncate_fds(p, 1), ESRCH);
	bed_halt(m);
}

/* ---- messages that lose descriptors ---- */

enum { N = 4 };

/* Receive a message of at most N descriptors: how many came, msg_flags in *flags. They are closed again. */
static int receive(int sock, int *flags)
{
	char control[CMSG_SPACE(N * sizeof(int))] = { 0 }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *header;
	int n = 0, fd;

	EXPECT_EQ(ksim_recvmsg(sock, &msg, 0), 1);
	*flags = msg.msg_flags;
	header = CMSG_FIRSTHDR(&msg);
	if (header == NULL)
		return 0;
	n = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	for (int i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(header) + (size_t)i * sizeof(int), sizeof(fd));
		EXPECT_EQ(ksim_close(fd), 0);
	}
	return n;
}

static void send_n(struct ksim_process *from, int sock, size_t n)
{
	ksim_as(from) {
		int fds[N];

		for (size_t i = 0; i < n; i++)
			fds[i] = ksim_memfd_create("x", 0);
		EXPECT_EQ(ksim_send_fds(sock, "x", 1, fds, n), 1);
		for (size_t i = 0; i < n; i++)
			EXPECT_EQ(ksim_close(fds[i]), 0);
	}
}

/* Linux 6.18 with RLIMIT_NOFILE leaving room for k of 4: k arrive, MSG_CTRUNC if k < 4, and the message is gone. */
TEST(truncated, message_delivers_k_of_n_and_closes_the_rest)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *a = bed_process(m, "a"), *b = bed_process(m, "b");
	struct ksim_census before, after;
	int ends[2], flags;

	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, ends) == 0);
	send_n(a, ends[0], N);
	ksim_as(b)
		EXPECT_EQ(receive(ends[1], &flags), N);
	ksim_census(m, NULL, &before);
	for (int k = 0; k <= N + 1; k++) {
		send_n(a, ends[0], N);
		send_n(a, ends[0], N);
		EXPECT_EQ(ksim_truncate_fds(b, (unsigned)k), 0);
		ksim_as(b) {
			EXPECT_EQ(receive(ends[1], &flags), k < N ? k : N);
			EXPECT_EQ(flags, k < N ? MSG_CTRUNC : 0);
			/* Only that message. */
			EXPECT_EQ(receive(ends[1], &flags), N);
			EXPECT_EQ(flags, 0);
		}
	}
	ksim_census(m, NULL, &after);
	EXPECT_MEMEQ(&after, &before, sizeof(before));
	bed_halt(m);
}

TEST(truncated, message_without_descriptors_does_not_count_and_other_calls_get_theirs)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *a = bed_process(m, "a"), *b = bed_process(m, "b");
	int ends[2], flags;

	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, ends) == 0);
	EXPECT_EQ(ksim_truncate_fds(b, 3), 0);
	EXPECT_EQ(ksim_truncate_fds(b, 1), 0); /* the last word counts */
	EXPECT_EQ(ksim_refuse(b, "dup", EPERM, 0, 1), 0);
	send_n(a, ends[0], 0);
	send_n(a, ends[0], 2);
	ksim_as(b) {
		EXPECT_EQ(receive(ends[1], &flags), 0);
		EXPECT_EQ(flags, 0);
		EXPECT_EQ(ksim_memfd_create("x", 0), 1);
		EXPECT_EQ(receive(ends[1], &flags), 1);
		EXPECT_EQ(flags, MSG_CTRUNC);
		EXPECT_FAILS(ksim_dup(1), EPERM);
		EXPECT_EQ(ksim_dup(1), 2);
	}
	bed_halt(m);
}

TEST(truncated, ksim_recv_fds_gives_EMSGSIZE_and_keeps_nothing)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *a = bed_process(m, "a"), *b = bed_process(m, "b");
	int ends[2], fds[2];
	size_t nfds = 2;
	char byte;

	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, ends) == 0);
	send_n(a, ends[0], 2);
	EXPECT_EQ(ksim_truncate_fds(b, 1), 0);
	ksim_as(b) {
		EXPECT_FAILS(ksim_recv_fds(ends[1], &byte, 1, fds, &nfds, 0), EMSGSIZE);
		EXPECT_EQ(ksim_memfd_create("x", 0), 1);
	}
	bed_halt(m);
}

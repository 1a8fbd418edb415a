// SPDX-License-Identifier: MIT
/*
 * What Linux promises of fds passed over AF_UNIX stream sockets, the sender's half: what may be passed, how many, and
 * what becomes of fds that nobody receives. SEMANTICS.md 48, 79-81, 92, 94; unix(7), SCM_RIGHTS; sendmsg(2), cmsg(3).
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE, MAX_FDS = 253 };

/* The way there. */

TEST(scm, passed_fd_is_the_same_description)
{
	/* 11, 87; unix(7): as if dup'ed into the receiver's table. */
	int ends[2], fd = memfd(1);
	struct arrival got;
	char byte = 0;

	stream_pair(ends);
	send_one(ends[0], 'd', fd);
	got = receive(ends[1], &byte, 1, 1, 0);
	EXPECT_EQ(got.n, 1);
	EXPECT_EQ(byte, 'd');
	REQUIRE_EQ(got.nfds, 1);
	EXPECT(got.fds[0] != fd);
	EXPECT(same_description(fd, got.fds[0]));
	EXPECT_EQ(got.flags, 0);
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

static int maps_what_it_receives(void *arg)
{
	static const char from_a[] = "from A";
	char byte;
	struct arrival got = receive(*(int *)arg, &byte, 1, 1, MSG_CMSG_CLOEXEC);
	addr_t map;

	CHILD_EXPECT(got.n == 1 && got.nfds == 1);
	map = x_mmap(0, PAGE, RW, MAP_SHARED, got.fds[0], 0);
	CHILD_EXPECT(map != NO_MAPPING);
	CHILD_EXPECT(x_close(got.fds[0]) == 0);
	for (size_t i = 0; i < sizeof(from_a); i++)
		CHILD_EXPECT(ld8(map + i) == (uint8_t)from_a[i]);
	st8(map, 'X');
	return 0;
}

TEST(scm, process_B_sees_what_A_wrote_and_A_sees_what_B_wrote)
{
	/* The second promise of this project: a memfd passed to another process is shared memory. */
	static const char from_a[] = "from A";
	int ends[2], fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);

	stream_pair(ends);
	for (size_t i = 0; i < sizeof(from_a); i++)
		st8(map + i, (uint8_t)from_a[i]);
	send_one(ends[0], 'm', fd);
	EXPECT_EQ(in_child(maps_what_it_receives, &ends[1]), 0);
	EXPECT_EQ(ld8(map), 'X');
	EXPECT_EQ(ld8(map + 1), 'r');
	unmap(map, 1);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

static int sends_a_memfd_of_its_own(void *arg)
{
	int fd = x_memfd_create("child's", MFD_CLOEXEC);

	CHILD_EXPECT(x_write(fd, "from the child", 14) == 14);
	CHILD_EXPECT(send_with_fds(*(int *)arg, "c", 1, &fd, 1, 0) == 1);
	return 0;
}

TEST(scm, fd_outlives_the_process_that_sent_it)
{
	/* 48: a message in flight keeps the file alive. */
	struct arrival got;
	int ends[2];
	char byte;

	stream_pair(ends);
	EXPECT_EQ(in_child(sends_a_memfd_of_its_own, &ends[1]), 0);
	got = receive(ends[0], &byte, 1, 1, 0);
	REQUIRE_EQ(got.nfds, 1);
	EXPECT_EQ(size_of(got.fds[0]), 14);
	EXPECT_EQ(byte_at(got.fds[0], 13), 'd');
	close_arrival(&got);
	close_pair(ends);
}

TEST(scm, message_in_flight_alone_keeps_the_file)
{
	/* 48. */
	int ends[2], fd = memfd(0);
	struct arrival got;
	char byte;

	stream_pair(ends);
	SETUP(x_write(fd, "kept", 4) == 4);
	send_one(ends[0], 'k', fd);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_close(ends[0]), 0);
	got = receive(ends[1], &byte, 1, 1, 0);
	REQUIRE_EQ(got.nfds, 1);
	EXPECT_EQ(byte_at(got.fds[0], 3), 't');
	close_arrival(&got);
	EXPECT_EQ(x_close(ends[1]), 0);
}

TEST(scm, fd_of_a_socket_may_be_passed)
{
	/* unix(7): any fd. */
	int ends[2], other[2];
	struct arrival got;
	char byte;

	stream_pair(ends);
	stream_pair(other);
	send_one(ends[0], 's', other[0]);
	EXPECT_EQ(x_close(other[0]), 0);
	got = receive(ends[1], &byte, 1, 1, 0);
	REQUIRE_EQ(got.nfds, 1);
	EXPECT_EQ(x_send(got.fds[0], "via", 3, MSG_NOSIGNAL), 3);
	EXPECT_EQ(x_recv(other[1], &byte, 1, 0), 1);
	EXPECT_EQ(byte, 'v');
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(other[1]), 0);
}

TEST(scm, fd_of_the_carrying_socket_itself_may_be_passed)
{
	/* unix(7); the receiver then holds one more fd of the sender's end. */
	int ends[2];
	struct arrival got;
	char byte;

	stream_pair(ends);
	send_one(ends[0], 's', ends[0]);
	got = receive(ends[1], &byte, 1, 1, 0);
	REQUIRE_EQ(got.nfds, 1);
	EXPECT_EQ(x_send(got.fds[0], "x", 1, MSG_NOSIGNAL), 1);
	EXPECT_EQ(x_recv(ends[1], &byte, 1, 0), 1);
	close_arrival(&got);
	close_pair(ends);
}

/* Number and validity: 79, 80. */

TEST(scm, as_many_as_253_fds_pass)
{
	/* 79. */
	int ends[2], fds[MAX_FDS], fd = memfd(1);
	struct arrival got;
	char byte;

	stream_pair(ends);
	for (int i = 0; i < MAX_FDS; i++)
		fds[i] = fd;
	EXPECT_EQ(send_with_fds(ends[0], "x", 1, fds, MAX_FDS, 0), 1);
	got = receive(ends[1], &byte, 1, 256, 0);
	EXPECT_EQ(got.nfds, MAX_FDS);
	EXPECT(got.nfds == 0 || same_description(fd, got.fds[got.nfds - 1]));
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, more_than_253_fds_fail_EINVAL)
{
	/* 79: and nothing is queued. */
	int ends[2], fds[MAX_FDS + 1], fd = memfd(1);
	char byte;

	stream_pair(ends);
	for (int i = 0; i <= MAX_FDS; i++)
		fds[i] = fd;
	EXPECT_FAILS(send_with_fds(ends[0], "x", 1, fds, MAX_FDS + 1, 0), EINVAL);
	EXPECT_FAILS(x_recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, bad_fd_among_good_ones_fails_EBADF)
{
	/* 79: and nothing is queued. */
	int ends[2], fd = memfd(1);
	int fds[2] = { fd, 0 };
	char byte;

	stream_pair(ends);
	fds[1] = lowest_free_fd();
	EXPECT_FAILS(send_with_fds(ends[0], "x", 1, fds, 2, 0), EBADF);
	fds[1] = -1;
	EXPECT_FAILS(send_with_fds(ends[0], "x", 1, fds, 2, 0), EBADF);
	EXPECT_FAILS(x_recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

/* A message with two control headers; the second of any level and type. */
static ssize_t send_two_headers(int sock, int first, int second, int second_level, int second_type)
{
	union {
		struct cmsghdr align;
		char bytes[2 * CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &first, sizeof(first));
	header = (struct cmsghdr *)(void *)(control.bytes + CMSG_SPACE(sizeof(int)));
	header->cmsg_level = second_level;
	header->cmsg_type = second_type;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &second, sizeof(second));
	return x_sendmsg(sock, &msg, MSG_NOSIGNAL);
}

TEST(scm, two_SCM_RIGHTS_headers_arrive_merged_into_one)
{
	/* 80. */
	int ends[2], a = memfd(1), b = memfd(2);
	struct arrival got;
	char byte;

	stream_pair(ends);
	EXPECT_EQ(send_two_headers(ends[0], a, b, SOL_SOCKET, SCM_RIGHTS), 1);
	got = receive(ends[1], &byte, 1, 4, 0);
	REQUIRE_EQ(got.nfds, 2);
	EXPECT_EQ(got.controllen, CMSG_SPACE(2 * sizeof(int)));
	EXPECT(same_description(a, got.fds[0]));
	EXPECT(same_description(b, got.fds[1]));
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(a), 0);
	EXPECT_EQ(x_close(b), 0);
}

TEST(scm, control_message_of_another_level_is_ignored)
{
	/* 92, net/core/scm.c. */
	int ends[2], fd = memfd(1);
	struct arrival got;
	char byte;

	stream_pair(ends);
	EXPECT_EQ(send_two_headers(ends[0], fd, 7, 0x7777, 1), 1);
	got = receive(ends[1], &byte, 1, 4, 0);
	EXPECT_EQ(got.nfds, 1);
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, control_message_of_an_unknown_type_fails_EINVAL)
{
	/* 92: at level SOL_SOCKET; nothing is queued. */
	int ends[2], fd = memfd(1);
	char byte;

	stream_pair(ends);
	EXPECT_FAILS(send_two_headers(ends[0], fd, 7, SOL_SOCKET, 0x7777), EINVAL);
	EXPECT_FAILS(x_recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, control_header_of_a_bad_length_fails_EINVAL)
{
	/* net/core/scm.c: shorter than a header, or longer than the buffer. */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes };
	struct cmsghdr *header = &control.align;
	int ends[2];

	stream_pair(ends);
	msg.msg_controllen = sizeof(control.bytes);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = sizeof(struct cmsghdr) - 1;
	EXPECT_FAILS(x_sendmsg(ends[0], &msg, MSG_NOSIGNAL), EINVAL);
	header->cmsg_len = sizeof(control.bytes) + 100;
	EXPECT_FAILS(x_sendmsg(ends[0], &msg, MSG_NOSIGNAL), EINVAL);
	EXPECT_FAILS(x_recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	close_pair(ends);
}

TEST(scm, control_buffer_in_unmapped_memory_fails_EFAULT)
{
	/* sendmsg(2). */
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_controllen = CMSG_SPACE(sizeof(int)) };
	int ends[2];

	stream_pair(ends);
	msg.msg_control = ubuf(unmapped_page());
	EXPECT_FAILS(x_sendmsg(ends[0], &msg, MSG_NOSIGNAL), EFAULT);
	EXPECT_FAILS(x_recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	close_pair(ends);
}

TEST(scm, header_with_no_fds_in_it_passes_none)
{
	/* net/core/scm.c: CMSG_LEN(0) is no error. */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(0)];
	} control = { 0 };
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_LEN(0),
	};
	struct arrival got;
	int ends[2];

	stream_pair(ends);
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(0);
	EXPECT_EQ(x_sendmsg(ends[0], &msg, MSG_NOSIGNAL), 1);
	got = receive(ends[1], &byte, 1, 4, 0);
	EXPECT_EQ(got.n, 1);
	EXPECT_EQ(got.nfds, 0);
	EXPECT_EQ(got.controllen, 0);
	close_pair(ends);
}

TEST(scm, fds_sent_with_no_data_vanish)
{
	/* 81: a stream send of 0 bytes returns 0, its fds are closed. */
	int ends[2], other[2];
	char byte;

	stream_pair(ends);
	stream_pair(other);
	EXPECT_EQ(send_with_fds(ends[0], "x", 0, &other[0], 1, 0), 0);
	EXPECT_EQ(x_close(other[0]), 0);
	EXPECT_EQ(x_recv(other[1], &byte, 1, MSG_DONTWAIT), 0);
	EXPECT_FAILS(x_recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(x_close(other[1]), 0);
	close_pair(ends);
}

TEST(scm, send_that_fails_keeps_no_fd)
{
	/* unix(7): the fds of a message that was not queued are not in flight. */
	int ends[2], other[2];
	char byte;

	stream_pair(ends);
	stream_pair(other);
	EXPECT_EQ(x_close(ends[1]), 0);
	EXPECT_FAILS(send_with_fds(ends[0], "x", 1, &other[0], 1, 0), EPIPE);
	EXPECT_EQ(x_close(other[0]), 0);
	EXPECT_EQ(x_recv(other[1], &byte, 1, MSG_DONTWAIT), 0);
	EXPECT_EQ(x_close(other[1]), 0);
	EXPECT_EQ(x_close(ends[0]), 0);
}

/* Undelivered fds: 94. */

TEST(scm, closing_the_receiver_releases_queued_fds)
{
	/* 94: the peer of a queued socket sees the end. */
	int ends[2], other[2];
	char byte;

	stream_pair(ends);
	stream_pair(other);
	send_one(ends[0], 'x', other[0]);
	EXPECT_EQ(x_close(other[0]), 0);
	EXPECT_FAILS(x_recv(other[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(x_close(ends[1]), 0);
	EXPECT_EQ(x_recv(other[1], &byte, 1, 0), 0);
	EXPECT_EQ(x_close(ends[0]), 0);
	EXPECT_EQ(x_close(other[1]), 0);
}

TEST(scm, closing_the_sender_keeps_queued_fds)
{
	/* 94: they belong to the receiver's queue. */
	int ends[2], other[2];
	struct arrival got;
	char byte;

	stream_pair(ends);
	stream_pair(other);
	send_one(ends[0], 'x', other[0]);
	EXPECT_EQ(x_close(other[0]), 0);
	EXPECT_EQ(x_close(ends[0]), 0);
	EXPECT_FAILS(x_recv(other[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	got = receive(ends[1], &byte, 1, 1, 0);
	EXPECT_EQ(got.nfds, 1);
	close_arrival(&got);
	EXPECT_EQ(x_recv(other[1], &byte, 1, 0), 0);
	EXPECT_EQ(x_close(ends[1]), 0);
	EXPECT_EQ(x_close(other[1]), 0);
}

TEST(scm, closing_a_listener_releases_fds_sent_to_an_unaccepted_connection)
{
	/* 94, 96. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);
	int client = connected_to(&address, len);
	int other[2];
	char byte;

	stream_pair(other);
	send_one(client, 'x', other[0]);
	EXPECT_EQ(x_close(other[0]), 0);
	EXPECT_EQ(x_close(server), 0);
	EXPECT_EQ(x_recv(other[1], &byte, 1, 0), 0);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(other[1]), 0);
}

TEST(scm, sockets_queued_inside_each_other_are_released_in_a_chain)
{
	/* 94: a socket whose queue holds a socket whose queue holds a socket. */
	enum { LENGTH = 20 };
	int ends[LENGTH][2], last[2];
	char byte;

	stream_pair(last);
	for (int i = 0; i < LENGTH; i++) {
		stream_pair(ends[i]);
		send_one(ends[i][0], 'x', i == 0 ? last[0] : ends[i - 1][1]);
		EXPECT_EQ(x_close(i == 0 ? last[0] : ends[i - 1][1]), 0);
	}
	EXPECT_FAILS(x_recv(last[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(x_close(ends[LENGTH - 1][1]), 0);
	EXPECT_EQ(x_recv(last[1], &byte, 1, 0), 0);
	for (int i = 0; i < LENGTH; i++)
		EXPECT_EQ(x_close(ends[i][0]), 0);
	EXPECT_EQ(x_close(last[1]), 0);
}

static int waits_and_dies(void *arg)
{
	int *fds = arg; /* the carrying pair and the pair to wait on; the child has end 1 of each */
	char byte;

	CHILD_EXPECT(x_close(fds[0]) == 0);
	CHILD_EXPECT(x_close(fds[2]) == 0);
	CHILD_EXPECT(x_recv(fds[3], &byte, 1, 0) == 1);
	return 0;
}

TEST(scm, death_of_the_receiver_releases_queued_fds)
{
	/* 94: by _exit as by close. */
	int fds[4], other[2];
	struct child *child;
	char byte;

	stream_pair(fds);
	stream_pair(fds + 2);
	child = child_start(waits_and_dies, fds);
	EXPECT_EQ(x_close(fds[1]), 0);
	stream_pair(other);
	send_one(fds[0], 'x', other[0]);
	EXPECT_EQ(x_close(other[0]), 0);
	EXPECT_FAILS(x_recv(other[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(x_send(fds[2], "d", 1, MSG_NOSIGNAL), 1);
	EXPECT_EQ(child_join(child), 0);
	EXPECT_EQ(x_recv(other[1], &byte, 1, 0), 0);
	EXPECT_EQ(x_close(other[1]), 0);
	EXPECT_EQ(x_close(fds[0]), 0);
	close_pair(fds + 2);
}

TEST(scm, mapping_of_a_passed_fd_keeps_the_file)
{
	/* 48: all fds closed, the memory is still shared between two mappings. */
	int ends[2], fd = memfd(1);
	addr_t a = map_shared(fd, 1, RW), b;
	struct arrival got;
	char byte;

	stream_pair(ends);
	send_one(ends[0], 'x', fd);
	EXPECT_EQ(x_close(fd), 0);
	got = receive(ends[1], &byte, 1, 1, 0);
	REQUIRE_EQ(got.nfds, 1);
	b = map_shared(got.fds[0], 1, RW);
	close_arrival(&got);
	close_pair(ends);
	st8(a, 'a');
	EXPECT_EQ(ld8(b), 'a');
	unmap(a, 1);
	EXPECT_EQ(ld8(b), 'a');
	unmap(b, 1);
}

// SPDX-License-Identifier: MIT
/*
 * What Linux promises of fds passed over AF_UNIX stream sockets, the receiver's half: too little room, bad memory, what
 * kind of fd arrives, peeking, and where a receive stops. SEMANTICS.md 82-90; unix(7), SCM_RIGHTS; recvmsg(2), cmsg(3).
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE };

/* Too little room: 82 to 85. */

TEST(scm, small_control_buffer_takes_as_many_whole_fds_as_fit)
{
	/* 82: MSG_CTRUNC, the rest closed. */
	int ends[2], other[2], fd = memfd(1);
	struct arrival got;
	char byte;

	stream_pair(ends);
	stream_pair(other);
	SETUP(send_with_fds(ends[0], "x", 1, (int[4]){ fd, fd, fd, other[0] }, 4, 0) == 1);
	EXPECT_EQ(x_close(other[0]), 0);
	got = receive(ends[1], &byte, 1, 2, 0);
	EXPECT_EQ(got.n, 1);
	EXPECT_EQ(got.nfds, 2);
	EXPECT_EQ(got.flags, MSG_CTRUNC);
	EXPECT_EQ(x_recv(other[1], &byte, 1, MSG_DONTWAIT), 0);
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(other[1]), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, without_a_control_buffer_fds_are_closed_and_CTRUNC_is_set)
{
	/* 82. */
	int ends[2], other[2];
	struct arrival got;
	char byte;

	stream_pair(ends);
	stream_pair(other);
	send_one(ends[0], 'x', other[0]);
	EXPECT_EQ(x_close(other[0]), 0);
	got = receive(ends[1], &byte, 1, 0, 0);
	EXPECT_EQ(got.n, 1);
	EXPECT_EQ(got.flags, MSG_CTRUNC);
	EXPECT_EQ(x_recv(other[1], &byte, 1, MSG_DONTWAIT), 0);
	close_pair(ends);
	EXPECT_EQ(x_close(other[1]), 0);
}

/* Receive one byte with a control buffer of exactly so many bytes. */
static struct msghdr receive_control(int sock, void *control, size_t controllen)
{
	static char byte;
	static struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = controllen,
	};

	SETUP(x_recvmsg(sock, &msg, 0) == 1);
	return msg;
}

TEST(scm, control_buffer_of_a_header_only_takes_no_fd)
{
	/* 82: CTRUNC. */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	int ends[2], fd = memfd(1), low;
	struct msghdr msg;

	stream_pair(ends);
	send_one(ends[0], 'x', fd);
	low = lowest_free_fd();
	msg = receive_control(ends[1], control.bytes, sizeof(struct cmsghdr));
	EXPECT_EQ(msg.msg_flags, MSG_CTRUNC);
	EXPECT_EQ(lowest_free_fd(), low);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, control_buffer_without_padding_is_enough_for_one_fd)
{
	/* 82: CMSG_LEN suffices. */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	int ends[2], fd = memfd(1), got;
	struct msghdr msg;

	stream_pair(ends);
	send_one(ends[0], 'x', fd);
	msg = receive_control(ends[1], control.bytes, CMSG_LEN(sizeof(int)));
	EXPECT_EQ(msg.msg_flags, 0);
	EXPECT_EQ(control.align.cmsg_len, CMSG_LEN(sizeof(int)));
	memcpy(&got, CMSG_DATA(&control.align), sizeof(got));
	EXPECT(same_description(fd, got));
	EXPECT_EQ(x_close(got), 0);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, received_header_says_its_length_and_kind)
{
	/* cmsg(3), unix(7); msg_controllen becomes the space that was used. */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control;
	int ends[2], fd = memfd(1), got[3];
	struct msghdr msg;

	stream_pair(ends);
	SETUP(send_with_fds(ends[0], "x", 1, (int[3]){ fd, fd, fd }, 3, 0) == 1);
	msg = receive_control(ends[1], control.bytes, sizeof(control.bytes));
	EXPECT_EQ(msg.msg_controllen, CMSG_SPACE(3 * sizeof(int)));
	EXPECT_EQ(control.align.cmsg_len, CMSG_LEN(3 * sizeof(int)));
	EXPECT_EQ(control.align.cmsg_level, SOL_SOCKET);
	EXPECT_EQ(control.align.cmsg_type, SCM_RIGHTS);
	memcpy(got, CMSG_DATA(&control.align), sizeof(got));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(x_close(got[i]), 0);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, message_without_fds_leaves_no_control_data)
{
	/* recvmsg(2): msg_controllen is 0 then. */
	int ends[2];
	struct arrival got;
	char byte;

	stream_pair(ends);
	SETUP(x_send(ends[0], "x", 1, MSG_NOSIGNAL) == 1);
	got = receive(ends[1], &byte, 1, 4, 0);
	EXPECT_EQ(got.n, 1);
	EXPECT_EQ(got.controllen, 0);
	EXPECT_EQ(got.flags, 0);
	close_pair(ends);
}

TEST(scm, receiver_at_the_fd_limit_gets_fewer_fds_and_CTRUNC)
{
	/* 83: recvmsg succeeds. */
	int ends[2], fd = memfd(1);
	struct fd_hog hog;
	struct arrival got;
	char byte;

	stream_pair(ends);
	SETUP(send_with_fds(ends[0], "x", 1, (int[4]){ fd, fd, fd, fd }, 4, 0) == 1);
	hog_fds(&hog, 2);
	got = receive(ends[1], &byte, 1, 4, 0);
	EXPECT_EQ(got.n, 1);
	EXPECT_EQ(got.nfds, 2);
	EXPECT_EQ(got.flags, MSG_CTRUNC);
	close_arrival(&got);
	unhog_fds(&hog);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, receiver_without_a_free_fd_gets_data_and_CTRUNC)
{
	/* 83. */
	int ends[2], fd = memfd(1);
	struct fd_hog hog;
	struct arrival got;
	char byte;

	stream_pair(ends);
	send_one(ends[0], 'x', fd);
	hog_fds(&hog, 0);
	got = receive(ends[1], &byte, 1, 1, 0);
	EXPECT_EQ(got.n, 1);
	EXPECT_EQ(got.nfds, 0);
	EXPECT_EQ(got.flags, MSG_CTRUNC);
	unhog_fds(&hog);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, control_pointer_to_unmapped_memory_delivers_data_and_no_fd)
{
	/* 84: CTRUNC, no fd installed. */
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_controllen = CMSG_SPACE(sizeof(int)) };
	int ends[2], fd = memfd(1), low;

	stream_pair(ends);
	send_one(ends[0], 'd', fd);
	low = lowest_free_fd();
	msg.msg_control = ubuf(unmapped_page());
	EXPECT_EQ(x_recvmsg(ends[1], &msg, 0), 1);
	EXPECT_EQ(byte, 'd');
	EXPECT_EQ(msg.msg_flags, MSG_CTRUNC);
	EXPECT_EQ(lowest_free_fd(), low);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, control_buffer_may_lie_in_mapped_memory)
{
	/* recvmsg(2): any mapped memory is a buffer. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	int ends[2], fd = memfd(1), got;
	struct msghdr msg;

	stream_pair(ends);
	send_one(ends[0], 'x', fd);
	msg = receive_control(ends[1], ubuf(map), CMSG_SPACE(sizeof(int)));
	EXPECT_EQ(msg.msg_flags, 0);
	got = (int)ld32(map + CMSG_LEN(0));
	EXPECT(same_description(fd, got));
	EXPECT_EQ(x_close(got), 0);
	close_pair(ends);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, data_pointer_to_unmapped_memory_keeps_message_and_fd_for_a_retry)
{
	/* 85: EFAULT. */
	int ends[2], fd = memfd(1), low;
	struct arrival got;
	char byte = 0;

	stream_pair(ends);
	send_one(ends[0], 'r', fd);
	low = lowest_free_fd();
	got = receive(ends[1], ubuf(unmapped_page()), 1, 1, 0);
	EXPECT_EQ(got.n, -1);
	EXPECT_EQ(got.err, EFAULT);
	EXPECT_EQ(lowest_free_fd(), low);
	got = receive(ends[1], &byte, 1, 1, 0);
	EXPECT_EQ(byte, 'r');
	EXPECT_EQ(got.nfds, 1);
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

/* What arrives: 86, 87. */

TEST(scm, received_fd_is_the_lowest_free_number)
{
	/* 86. */
	int ends[2], fd = memfd(1), low;
	struct arrival got;
	char byte;

	stream_pair(ends);
	send_one(ends[0], 'x', fd);
	low = lowest_free_fd();
	got = receive(ends[1], &byte, 1, 1, 0);
	REQUIRE_EQ(got.nfds, 1);
	EXPECT_EQ(got.fds[0], low);
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, received_fd_is_close_on_exec_only_with_MSG_CMSG_CLOEXEC)
{
	/* 86: whatever the sender's flag; the bit also comes back in msg_flags. */
	int ends[2], fd = memfd(1); /* the sender's has close-on-exec */
	struct arrival without, with;
	char byte;

	stream_pair(ends);
	send_one(ends[0], 'x', fd);
	send_one(ends[0], 'y', fd);
	without = receive(ends[1], &byte, 1, 1, 0);
	with = receive(ends[1], &byte, 1, 1, MSG_CMSG_CLOEXEC);
	REQUIRE(without.nfds == 1 && with.nfds == 1);
	EXPECT_EQ(x_fcntl(without.fds[0], F_GETFD), 0);
	EXPECT_EQ(without.flags, 0);
	EXPECT_EQ(x_fcntl(with.fds[0], F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(with.flags, MSG_CMSG_CLOEXEC);
	close_arrival(&without);
	close_arrival(&with);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, offset_and_status_flags_are_shared_with_the_sender)
{
	/* 87. */
	int ends[2], fd = memfd(1);
	struct arrival got;
	char byte;

	stream_pair(ends);
	send_one(ends[0], 'x', fd);
	got = receive(ends[1], &byte, 1, 1, 0);
	REQUIRE_EQ(got.nfds, 1);
	EXPECT_EQ(x_write(got.fds[0], "abc", 3), 3);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 3);
	EXPECT_EQ(x_fcntl(got.fds[0], F_SETFL, O_NONBLOCK), 0);
	EXPECT((x_fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, access_mode_travels_with_the_fd)
{
	/* unix(7): the description's; a read-only fd stays read-only (12 tells the way round it). */
	int ends[2], fd = memfd(1);
	int readonly = reopen(fd, O_RDONLY);
	struct arrival got;
	char byte;

	stream_pair(ends);
	send_one(ends[0], 'x', readonly);
	got = receive(ends[1], &byte, 1, 1, 0);
	REQUIRE_EQ(got.nfds, 1);
	EXPECT_FAILS(x_write(got.fds[0], "x", 1), EBADF);
	EXPECT_FAILS(x_mmap(0, PAGE, RW, MAP_SHARED, got.fds[0], 0), EACCES);
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* Peeking and plain reads: 88. */

TEST(scm, MSG_PEEK_installs_a_new_fd_on_each_peek)
{
	/* 88. */
	int ends[2], fd = memfd(1);
	struct arrival peeks[2], got;
	char byte;

	stream_pair(ends);
	send_one(ends[0], 'p', fd);
	for (int i = 0; i < 2; i++) {
		peeks[i] = receive(ends[1], &byte, 1, 1, MSG_PEEK);
		EXPECT_EQ(byte, 'p');
		EXPECT_EQ(peeks[i].nfds, 1);
	}
	got = receive(ends[1], &byte, 1, 1, 0);
	EXPECT_EQ(got.nfds, 1);
	EXPECT(peeks[0].fds[0] != peeks[1].fds[0] && peeks[1].fds[0] != got.fds[0]);
	EXPECT(same_description(fd, peeks[1].fds[0]));
	close_arrival(&peeks[0]);
	close_arrival(&peeks[1]);
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, read_and_recv_discard_fds_without_a_leak)
{
	/* 88. */
	int ends[2], other[2], low;
	char byte;

	stream_pair(ends);
	stream_pair(other);
	send_one(ends[0], 'x', other[0]);
	send_one(ends[0], 'y', other[0]);
	EXPECT_EQ(x_close(other[0]), 0);
	low = lowest_free_fd();
	EXPECT_EQ(x_read(ends[1], &byte, 1), 1);
	EXPECT_FAILS(x_recv(other[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(x_recv(ends[1], &byte, 1, 0), 1);
	EXPECT_EQ(x_recv(other[1], &byte, 1, MSG_DONTWAIT), 0);
	EXPECT_EQ(lowest_free_fd(), low);
	close_pair(ends);
	EXPECT_EQ(x_close(other[1]), 0);
}

/* Boundaries in the stream: 89, 90. */

TEST(scm, receive_stops_behind_a_message_with_fds)
{
	/* 89: 4 plain bytes, then 1 with an fd, then 4 plain: 5 with the fd, then 4. */
	int ends[2], fd = memfd(1);
	struct arrival got;
	char data[20];

	stream_pair(ends);
	SETUP(x_send(ends[0], "aaaa", 4, MSG_NOSIGNAL) == 4);
	send_one(ends[0], 'F', fd);
	SETUP(x_send(ends[0], "bbbb", 4, MSG_NOSIGNAL) == 4);
	got = receive(ends[1], data, sizeof(data), 4, 0);
	EXPECT_EQ(got.n, 5);
	EXPECT_MEMEQ(data, "aaaaF", 5);
	EXPECT_EQ(got.nfds, 1);
	close_arrival(&got);
	got = receive(ends[1], data, sizeof(data), 4, 0);
	EXPECT_EQ(got.n, 4);
	EXPECT_EQ(got.nfds, 0);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, two_messages_with_fds_never_merge)
{
	/* 89. */
	int ends[2], fd = memfd(1);
	struct arrival first, second;
	char data[8];

	stream_pair(ends);
	send_one(ends[0], '1', fd);
	send_one(ends[0], '2', fd);
	first = receive(ends[1], data, sizeof(data), 4, 0);
	EXPECT(first.n == 1 && first.nfds == 1);
	second = receive(ends[1], data, sizeof(data), 4, 0);
	EXPECT(second.n == 1 && second.nfds == 1);
	EXPECT_EQ(data[0], '2');
	close_arrival(&first);
	close_arrival(&second);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, MSG_WAITALL_stops_behind_a_message_with_fds)
{
	/* 89. */
	int ends[2], fd = memfd(1);
	struct arrival got;
	char data[8];

	stream_pair(ends);
	send_one(ends[0], 'F', fd);
	SETUP(x_send(ends[0], "bbbb", 4, MSG_NOSIGNAL) == 4);
	got = receive(ends[1], data, 5, 4, MSG_WAITALL);
	EXPECT_EQ(got.n, 1);
	EXPECT_EQ(got.nfds, 1);
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, recv_without_control_also_stops_behind_a_message_with_fds)
{
	/* 89: the boundary is in the stream, not in the receiver's interest. */
	int ends[2], fd = memfd(1);
	char data[20];

	stream_pair(ends);
	send_one(ends[0], 'F', fd);
	SETUP(x_send(ends[0], "bbbb", 4, MSG_NOSIGNAL) == 4);
	EXPECT_EQ(x_recv(ends[1], data, sizeof(data), 0), 1);
	EXPECT_EQ(x_recv(ends[1], data, sizeof(data), 0), 4);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, fds_arrive_with_the_first_byte_of_their_message)
{
	/* 90: a partial read takes them all. */
	int ends[2], fd = memfd(1);
	struct arrival got;
	char data[8];

	stream_pair(ends);
	SETUP(send_with_fds(ends[0], "abcd", 4, (int[2]){ fd, fd }, 2, 0) == 4);
	got = receive(ends[1], data, 1, 4, 0);
	EXPECT_EQ(got.n, 1);
	EXPECT_EQ(got.nfds, 2);
	close_arrival(&got);
	got = receive(ends[1], data, sizeof(data), 4, 0);
	EXPECT_EQ(got.n, 3);
	EXPECT_EQ(got.nfds, 0);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, receive_that_ends_before_the_message_takes_no_fd)
{
	/* 90: the fds are with their own first byte, not with the bytes before it. */
	int ends[2], fd = memfd(1);
	struct arrival got;
	char data[8];

	stream_pair(ends);
	SETUP(x_send(ends[0], "aaaa", 4, MSG_NOSIGNAL) == 4);
	send_one(ends[0], 'F', fd);
	got = receive(ends[1], data, 4, 4, 0);
	EXPECT_EQ(got.n, 4);
	EXPECT_EQ(got.nfds, 0);
	EXPECT_EQ(got.flags, 0);
	got = receive(ends[1], data, 4, 4, 0);
	EXPECT_EQ(got.n, 1);
	EXPECT_EQ(got.nfds, 1);
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(scm, zero_length_receive_takes_the_fd_and_leaves_the_data)
{
	/* 90. */
	int ends[2], fd = memfd(1);
	struct arrival got;
	char byte = 0;

	stream_pair(ends);
	send_one(ends[0], 'd', fd);
	got = receive(ends[1], &byte, 0, 4, 0);
	EXPECT_EQ(got.n, 0);
	EXPECT_EQ(got.nfds, 1);
	close_arrival(&got);
	got = receive(ends[1], &byte, 1, 4, 0);
	EXPECT_EQ(got.n, 1);
	EXPECT_EQ(byte, 'd');
	EXPECT_EQ(got.nfds, 0);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

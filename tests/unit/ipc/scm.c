// SPDX-License-Identifier: MIT
/*
 * Descriptors in messages: parsing, barriers, truncation, and where every reference goes.
 */
#include "bed.h"

#define ROOM CMSG_SPACE(SCM_FILES_MAX * sizeof(int))

/* One file of alice's, at fd 0 of her table; the pair; all of it closed by `leave`. */
struct scene {
	struct bed bed;
	struct file *pair[2];
	struct file *file;
	int fd;
};

static void enter(struct scene *s)
{
	bed_open(&s->bed);
	bed_pair(&s->bed, s->pair);
	s->file = bed_socket(&s->bed.alice, 0);
	s->fd = bed_fd(&s->bed.alice, s->file);
}

static void leave(struct scene *s)
{
	bed_put(&s->bed.alice, s->file);
	bed_put(&s->bed.alice, s->pair[0]);
	bed_put(&s->bed.bob, s->pair[1]);
	bed_close(&s->bed);
}

/* What bob got at fd is the file that alice sent. */
static void expect_file(struct scene *s, int fd, bool cloexec)
{
	struct file *got = fd_get(&s->bed.bob.ctx, s->bed.bob.table, fd);

	EXPECT(got == s->file);
	EXPECT_EQ(fd_get_cloexec(&s->bed.bob.ctx, s->bed.bob.table, fd), cloexec);
	bed_put(&s->bed.bob, got);
}

TEST(scm, file_arrives_as_lowest_free_number)
{
	struct received got;
	struct scene s;

	enter(&s);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "x", 1, &s.fd, 1), 1);
	EXPECT_EQ(ref_count(&s.file->ref), 3);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 8, ROOM, 0, &got), 1);
	EXPECT_EQ(got.nfds, 1);
	EXPECT_EQ(got.fds[0], 0);
	EXPECT_EQ(got.control_len, CMSG_SPACE(sizeof(int)));
	EXPECT_EQ(got.flags, 0);
	expect_file(&s, 0, false);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "x", 1, &s.fd, 1), 1);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 8, ROOM, MSG_CMSG_CLOEXEC, &got), 1);
	EXPECT_EQ(got.flags, MSG_CMSG_CLOEXEC);
	expect_file(&s, 1, true);
	EXPECT_EQ(ref_count(&s.file->ref), 4);
	leave(&s);
}

/* Linux: 253 at most in all headers together, which arrive as one. */
TEST(scm, headers_are_merged_up_to_the_limit)
{
	int fds[SCM_FILES_MAX + 1];
	struct control control = { .len = 0 };
	struct received got;
	struct scene s;

	enter(&s);
	for (size_t i = 0; i <= SCM_FILES_MAX; i++)
		fds[i] = s.fd;
	control_add(&control, SCM_RIGHTS, fds, 200 * sizeof(int));
	control_add(&control, SCM_RIGHTS, fds, 53 * sizeof(int));
	EXPECT_EQ(bed_send_control(&s.bed.alice, s.pair[0], "x", 1, &control), 1);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 8, ROOM, 0, &got), 1);
	EXPECT_EQ(got.nfds, 253);
	EXPECT_EQ(bed_total(&s.bed, CENSUS_FD), 254);
	control.len = 0;
	control_add(&control, SCM_RIGHTS, fds, 200 * sizeof(int));
	control_add(&control, SCM_RIGHTS, fds, 54 * sizeof(int));
	EXPECT_EQ(bed_send_control(&s.bed.alice, s.pair[0], "x", 1, &control), -EINVAL);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "x", 1, fds, 254), -EINVAL);
	EXPECT_EQ(ref_count(&s.file->ref), 2 + 253);
	EXPECT_EQ(bed_total(&s.bed, CENSUS_MESSAGE), 0);
	leave(&s);
}

/* Measured: cmsg_len, control_len -> result and number of files. */
TEST(scm, malformed_control_buffers)
{
	static const struct {
		size_t cmsg_len, control_len;
		int result;
		size_t nfds;
	} rows[] = {
		{ 20, 24, 1, 1 }, { 20, 20, 1, 1 }, { 20, 19, -EINVAL, 0 }, { 20, 16, -EINVAL, 0 },
		{ 20, 15, 1, 0 }, { 16, 16, 1, 0 }, { 15, 16, -EINVAL, 0 }, { 0, 16, -EINVAL, 0 },
		{ 18, 24, 1, 0 }, { 23, 24, 1, 1 }, { 20, 39, 1, 1 },       { 20, 40, -EINVAL, 0 },
	};
	struct scene s;

	enter(&s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct control control = { .len = 0 };
		struct received got = { .nfds = 0 };
		ssize_t result;

		control_add(&control, SCM_RIGHTS, &s.fd, sizeof(s.fd));
		memset(control.bytes + control.len, 0, 64);
		memcpy(control.bytes, &rows[i].cmsg_len, sizeof(rows[i].cmsg_len));
		control.len = rows[i].control_len;
		result = bed_send_control(&s.bed.alice, s.pair[0], "x", 1, &control);
		if (result > 0)
			bed_recv_fds(&s.bed.bob, s.pair[1], 8, ROOM, 0, &got);
		EXPECT_MSG(result == rows[i].result && got.nfds == rows[i].nfds, "row %zu: %zd with %zu fds", i, result,
		           got.nfds);
		EXPECT_EQ(bed_total(&s.bed, CENSUS_MESSAGE), 0);
	}
	leave(&s);
}

TEST(scm, bad_descriptors_and_foreign_types_queue_nothing)
{
	struct control control = { .len = 0 };
	struct unix_creds creds = { 1, 0, 0 };
	int bad[2] = { 0, 99 };
	struct scene s;

	enter(&s);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "x", 1, bad, 2), -EBADF);
	bad[0] = -1;
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "x", 1, bad, 1), -EBADF);
	control_add(&control, SCM_RIGHTS, &s.fd, sizeof(s.fd));
	control_add(&control, 77, &s.fd, sizeof(s.fd));
	EXPECT_EQ(bed_send_control(&s.bed.alice, s.pair[0], "x", 1, &control), -EINVAL);
	control.len = 0;
	control_add(&control, SCM_CREDENTIALS, &creds, sizeof(creds));
	EXPECT_EQ(bed_send_control(&s.bed.alice, s.pair[0], "", 0, &control), 0);
	creds.uid = 5;
	control.len = 0;
	control_add(&control, SCM_CREDENTIALS, &creds, sizeof(creds));
	EXPECT_EQ(bed_send_control(&s.bed.alice, s.pair[0], "x", 1, &control), -EPERM);
	control.len = 0;
	control_add(&control, SCM_CREDENTIALS, &creds, 8);
	EXPECT_EQ(bed_send_control(&s.bed.alice, s.pair[0], "x", 1, &control), -EINVAL);
	EXPECT_EQ(ref_count(&s.file->ref), 2);
	EXPECT_EQ(bed_total(&s.bed, CENSUS_MESSAGE), 0);
	leave(&s);
}

/* Linux: the whole buffer is read first; net.core.optmem_max bounds it. */
TEST(scm, control_buffer_that_cannot_be_read_or_is_too_long)
{
	uint8_t *long_buffer = calloc(1, 131072);
	struct cmsghdr header = { .cmsg_len = 131000, .cmsg_level = 77 };
	struct unix_msg msg = { .control = uptr_from((void *)8), .control_len = 8 };
	struct scene s;
	struct uio uio;

	SETUP(long_buffer != NULL);
	enter(&s);
	msg.uio = &uio;
	uio_init_one(&uio, uptr_from("x"), 1);
	EXPECT_EQ(unix_sendmsg(&s.bed.alice.ctx, s.bed.alice.table, s.pair[0], &msg), -EFAULT);
	memcpy(long_buffer, &header, sizeof(header));
	msg.control = uptr_from(long_buffer);
	msg.control_len = 131072;
	EXPECT_EQ(unix_sendmsg(&s.bed.alice.ctx, s.bed.alice.table, s.pair[0], &msg), -ENOBUFS);
	msg.control_len = 131000;
	EXPECT_EQ(unix_sendmsg(&s.bed.alice.ctx, s.bed.alice.table, s.pair[0], &msg), 1);
	free(long_buffer);
	leave(&s);
}

/* SEMANTICS 82: as many whole descriptors as fit. */
TEST(scm, small_control_buffer_truncates_and_closes_the_rest)
{
	static const struct {
		size_t room, nfds, control_len;
	} rows[] = { { 0, 0, 0 },   { 8, 0, 0 },   { 16, 0, 0 },      { 19, 0, 0 },  { 20, 1, 20 },
		     { 23, 1, 23 }, { 24, 2, 24 }, { 27, 2, 24 + 3 }, { 28, 3, 28 }, { 32, 3, 32 } };
	struct scene s;

	enter(&s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fds[3] = { s.fd, s.fd, s.fd };
		struct received got;

		EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "x", 1, fds, 3), 1);
		EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 8, rows[i].room, 0, &got), 1);
		EXPECT_MSG(got.nfds == rows[i].nfds &&
		                   got.control_len == (rows[i].nfds == 2 ? 24 : rows[i].control_len),
		           "room %zu: %zu fds, control length %llu", rows[i].room, got.nfds,
		           (unsigned long long)got.control_len);
		EXPECT_EQ(got.flags, got.nfds < 3 ? MSG_CTRUNC : 0);
		for (size_t j = 0; j < got.nfds; j++)
			EXPECT_EQ(fd_close(&s.bed.bob.ctx, s.bed.bob.table, got.fds[j]), 0);
		ctx_drain(&s.bed.bob.ctx);
		EXPECT_EQ(ref_count(&s.file->ref), 2);
	}
	leave(&s);
}

/* SEMANTICS 84, and what Linux does when only the header cannot be written: the fds are installed, unreported. */
TEST(scm, bad_control_pointer_installs_nothing)
{
	struct unix_msg msg = { .control = uptr_from((void *)8), .control_len = 24 };
	struct scene s;
	struct uio uio;
	char c;

	enter(&s);
	msg.uio = &uio;
	for (int null = 0; null < 2; null++) {
		EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "x", 1, &s.fd, 1), 1);
		uio_init_one(&uio, uptr_from(&c), 1);
		msg.control = uptr_from(null ? NULL : (void *)8);
		msg.control_len = 24;
		EXPECT_EQ(unix_recvmsg(&s.bed.bob.ctx, s.bed.bob.table, s.pair[1], &msg), 1);
		EXPECT_EQ(msg.flags, MSG_CTRUNC);
		EXPECT_EQ(msg.control_len, 0);
		msg.flags = 0;
		EXPECT_EQ(s.bed.bob.owner.count[CENSUS_FD], 0);
		EXPECT_EQ(ref_count(&s.file->ref), 2);
	}
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "x", 1, &s.fd, 1), 1);
	uio_init_one(&uio, uptr_from(&c), 1);
	msg.control = uptr_user(USER_BASE - sizeof(struct cmsghdr));
	msg.control_len = 24;
	EXPECT_EQ(unix_recvmsg(&s.bed.bob.ctx, s.bed.bob.table, s.pair[1], &msg), 1);
	EXPECT_EQ(msg.flags, 0);
	EXPECT_EQ(msg.control_len, 0);
	EXPECT_EQ(s.bed.bob.owner.count[CENSUS_FD], 1);
	leave(&s);
}

/* SEMANTICS 83 */
TEST(scm, receiver_at_its_limit_gets_fewer)
{
	int fds[3];
	struct received got;
	struct scene s;

	enter(&s);
	s.bed.bob.table->limit = 2;
	fds[0] = fds[1] = fds[2] = s.fd;
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "x", 1, fds, 3), 1);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 8, ROOM, 0, &got), 1);
	EXPECT_EQ(got.nfds, 2);
	EXPECT_EQ(got.flags, MSG_CTRUNC);
	EXPECT_EQ(ref_count(&s.file->ref), 4);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "x", 1, fds, 1), 1);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 8, ROOM, 0, &got), 1);
	EXPECT_EQ(got.nfds, 0);
	EXPECT_EQ(got.flags, MSG_CTRUNC);
	leave(&s);
}

/* SEMANTICS 89 and 90 */
TEST(scm, message_with_files_is_a_barrier)
{
	struct received got;
	struct scene s;

	enter(&s);
	EXPECT_EQ(bed_send(&s.bed.alice, s.pair[0], "abcd", 4, 0), 4);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "e", 1, &s.fd, 1), 1);
	EXPECT_EQ(bed_send(&s.bed.alice, s.pair[0], "fghi", 4, 0), 4);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 20, ROOM, MSG_WAITALL, &got), 5);
	EXPECT_STREQ(got.bytes, "abcde");
	EXPECT_EQ(got.nfds, 1);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 20, ROOM, 0, &got), 4);
	EXPECT_EQ(got.nfds, 0);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "xyz", 3, &s.fd, 1), 3);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "123", 3, &s.fd, 1), 3);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 0, ROOM, 0, &got), 0);
	EXPECT_EQ(got.nfds, 1);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 0, ROOM, 0, &got), 0);
	EXPECT_EQ(got.nfds, 0);
	EXPECT_EQ(got.flags, 0);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 4, ROOM, 0, &got), 4);
	EXPECT_EQ(got.nfds, 1);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 4, ROOM, 0, &got), 2);
	EXPECT_EQ(got.nfds, 0);
	leave(&s);
}

/* SEMANTICS 88; and measured: a peek looks on past full buffers until it meets files. */
TEST(scm, each_peek_installs_a_new_descriptor)
{
	struct received got;
	struct scene s;

	enter(&s);
	EXPECT_EQ(bed_send(&s.bed.alice, s.pair[0], "abcd", 4, 0), 4);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "e", 1, &s.fd, 1), 1);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 3, ROOM, MSG_PEEK, &got), 3);
	EXPECT_EQ(got.nfds, 1);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 20, ROOM, MSG_PEEK, &got), 5);
	EXPECT_EQ(got.fds[0], 1);
	EXPECT_EQ(ref_count(&s.file->ref), 5);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 20, ROOM, 0, &got), 5);
	EXPECT_EQ(got.fds[0], 2);
	EXPECT_EQ(ref_count(&s.file->ref), 5);
	leave(&s);
}

/* SEMANTICS 81, 85, 88 */
TEST(scm, files_that_nobody_takes_are_put)
{
	struct received got;
	struct scene s;
	struct uio uio;
	char c;

	enter(&s);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "", 0, &s.fd, 1), 0);
	EXPECT_EQ(ref_count(&s.file->ref), 2);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], (void *)8, 1, &s.fd, 1), -EFAULT);
	EXPECT_EQ(ref_count(&s.file->ref), 2);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "x", 1, &s.fd, 1), 1);
	uio_init_one(&uio, uptr_from(&c), 1);
	EXPECT_EQ(vfs_read(&s.bed.bob.ctx, s.pair[1], &uio), 1);
	ctx_drain(&s.bed.bob.ctx);
	EXPECT_EQ(ref_count(&s.file->ref), 2);
	EXPECT_EQ(bed_send_fds(&s.bed.alice, s.pair[0], "x", 1, &s.fd, 1), 1);
	uio_init_one(&uio, uptr_from((void *)8), 1);
	EXPECT_EQ(vfs_read(&s.bed.bob.ctx, s.pair[1], &uio), -EFAULT);
	EXPECT_EQ(bed_recv_fds(&s.bed.bob, s.pair[1], 4, ROOM, 0, &got), 1);
	EXPECT_EQ(got.nfds, 1);
	leave(&s);
}

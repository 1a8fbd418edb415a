// SPDX-License-Identifier: MIT
/*
 * Descriptors of the host's in simulated processes: 0, 1 and 2, and those that a bench gives.
 */
#include "bed.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

static struct ksim_machine *boot_without_stdio(void)
{
	const struct ksim_config config = { .stdio = KSIM_NONE };
	struct ksim_machine *m = ksim_boot(&config);

	SETUP(m != NULL);
	return m;
}

TEST(posix_stdio, process_is_born_with_0_1_and_2_which_are_no_leaks)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p"), *child;
	struct stat inside, outside;

	ksim_as(p) {
		for (int fd = 0; fd < 3; fd++)
			EXPECT_EQ(fstat(fd, &inside), 0);
		EXPECT_EQ(memfd_create("x", 0), 3);
		EXPECT_EQ(fcntl(1, F_GETFL) & O_ACCMODE, ksim_fcntl(1, F_GETFL) & O_ACCMODE);
		EXPECT_EQ(close(3), 0);
	}
	EXPECT_EQ(fstat(2, &outside), 0);
	EXPECT_EQ(inside.st_ino, outside.st_ino);
	EXPECT_EQ(inside.st_mode, outside.st_mode);
	child = ksim_process_fork(p, "child");
	SETUP(child != NULL);
	EXPECT_EQ(ksim_leaks(m, p, 0), 0);
	EXPECT_EQ(ksim_leaks(m, child, 0), 0);
	EXPECT_EQ(ksim_leaks(m, NULL, 0), 0);
	ksim_as(child)
		EXPECT_EQ(memfd_create("x", 0), 3);
	EXPECT_EQ(ksim_leaks(m, child, 0), 1);
	bed_halt(m);
}

TEST(posix_stdio, closed_descriptor_is_the_lowest_free_one_and_stays_closed_in_a_child)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p"), *child;

	ksim_as(p) {
		for (int fd = 0; fd < 3; fd++)
			EXPECT_EQ(close(fd), 0);
	}
	child = ksim_process_fork(p, "child");
	SETUP(child != NULL);
	ksim_as(child) {
		EXPECT_FAILS(write(1, "x", 1), EBADF);
		EXPECT_EQ(memfd_create("x", 0), 0);
	}
	bed_halt(m);
}

TEST(posix_stdio, config_can_do_without_and_limit_of_descriptors_too)
{
	const struct ksim_config two = { .fd_limit = 2 };
	struct ksim_machine *m = boot_without_stdio();

	ksim_as(bed_process(m, "p"))
		EXPECT_EQ(memfd_create("x", 0), 0);
	bed_halt(m);
	m = ksim_boot(&two);
	SETUP(m != NULL);
	ksim_as(bed_process(m, "p"))
		EXPECT_FAILS(memfd_create("x", 0), EMFILE);
	bed_halt(m);
}

TEST(posix_stdio, soft_machine_has_none)
{
	const struct ksim_config soft = { .access = KSIM_ACCESS_SOFT };
	struct ksim_machine *m = ksim_boot(&soft);

	SETUP(m != NULL);
	ksim_as(bed_process(m, "p"))
		EXPECT_EQ(memfd_create("x", 0), 0);
	bed_halt(m);
}

TEST(posix_stdio, dup2_over_1_is_of_the_process_alone)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p");
	char text[6] = "";

	ksim_as(p) {
		int fd = memfd_create("out", 0);

		EXPECT_EQ(dup2(fd, 1), 1);
		EXPECT_EQ(write(1, "inside", 6), 6);
		EXPECT_EQ(pread(fd, text, 6, 0), 6);
		EXPECT_EQ(close(fd), 0);
	}
	EXPECT_MEMEQ(text, "inside", 6);
	EXPECT_EQ(ksim_leaks(m, p, 0), 1);
	bed_halt(m);
}

/* A pipe of the host's, and its end in a process. */
struct pipe_bed {
	struct ksim_machine *m;
	struct ksim_process *p;
	int host[2];
	int inside; /* the process's descriptor */
};

static struct pipe_bed pipe_bed(int which)
{
	struct pipe_bed b = { .m = boot_without_stdio() };

	b.p = bed_process(b.m, "p");
	SETUP(pipe(b.host) == 0);
	b.inside = ksim_fd_host(b.p, b.host[which]);
	SETUP(b.inside == 0);
	return b;
}

static void pipe_bed_end(struct pipe_bed *b)
{
	bed_halt(b->m);
	EXPECT_EQ(close(b->host[0]), 0);
	EXPECT_EQ(close(b->host[1]), 0);
}

TEST(posix_hostfd, what_a_process_writes_comes_out_on_the_host)
{
	struct pipe_bed b = pipe_bed(1);
	char text[16] = "";

	ksim_as(b.p) {
		char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		SETUP(page != MAP_FAILED);
		strcpy(page, "window");
		EXPECT_EQ(write(b.inside, page, 6), 6);
		EXPECT_EQ(munmap(page, PAGE), 0);
		EXPECT_FAILS(write(b.inside, page, 6), EFAULT);
		EXPECT_EQ(write(b.inside, " own", 4), 4);
		EXPECT_EQ(write(b.inside, text, 0), 0);
		EXPECT_FAILS(read(b.inside, text, 1), EBADF);
	}
	EXPECT_EQ(read(b.host[0], text, sizeof(text)), 10);
	EXPECT_MEMEQ(text, "window own", 10);
	EXPECT_EQ(ksim_leaks(b.m, b.p, 0), 1);
	pipe_bed_end(&b);
}

TEST(posix_hostfd, more_than_a_buffer_of_ours_goes_through)
{
	enum { SIZE = 40000 };
	struct pipe_bed b = pipe_bed(1);
	char *out = malloc(SIZE), *in = malloc(SIZE);
	int reading = ksim_fd_host(b.p, b.host[0]);

	SETUP(out != NULL && in != NULL && reading == 1);
	for (int i = 0; i < SIZE; i++)
		out[i] = (char)(i * 7);
	ksim_as(b.p) {
		EXPECT_EQ(write(b.inside, out, SIZE), SIZE);
		EXPECT_EQ(read(reading, in, SIZE), SIZE);
	}
	EXPECT_MEMEQ(in, out, SIZE);
	free(out);
	free(in);
	pipe_bed_end(&b);
}

TEST(posix_hostfd, read_gives_what_is_there_and_0_at_the_end)
{
	struct pipe_bed b = pipe_bed(0);
	char text[8] = "";

	EXPECT_EQ(write(b.host[1], "abc", 3), 3);
	ksim_as(b.p) {
		EXPECT_EQ(read(b.inside, text, sizeof(text)), 3);
		EXPECT_EQ(fcntl(b.inside, F_SETFL, O_NONBLOCK), 0);
		EXPECT_FAILS(read(b.inside, text, sizeof(text)), EAGAIN);
		EXPECT_EQ(fcntl(b.inside, F_SETFL, 0), 0);
	}
	EXPECT_MEMEQ(text, "abc", 3);
	EXPECT_EQ(close(b.host[1]), 0);
	ksim_as(b.p)
		EXPECT_EQ(read(b.inside, text, sizeof(text)), 0);
	b.host[1] = dup(b.host[0]);
	pipe_bed_end(&b);
}

static int read_one(void *fd)
{
	char byte;

	return (int)read(*(int *)fd, &byte, 1);
}

TEST(posix_hostfd, process_that_waits_for_the_host_can_be_ended)
{
	struct pipe_bed b = pipe_bed(0);
	struct ksim_end end;

	EXPECT_EQ(ksim_start(b.p, read_one, &b.inside), 0);
	EXPECT_EQ(ksim_process_end(b.p, 4), 0);
	EXPECT_EQ(ksim_join(b.p, &end), 0);
	EXPECT_EQ(end.code, 4);
	pipe_bed_end(&b);
}

TEST(posix_hostfd, it_is_a_pipe_to_what_asks_for_more)
{
	struct pipe_bed b = pipe_bed(0);
	struct stat st;

	ksim_as(b.p) {
		EXPECT_FAILS(lseek(b.inside, 0, SEEK_SET), ESPIPE);
		EXPECT_FAILS(pread(b.inside, &st, 1, 0), ESPIPE);
		EXPECT_FAILS(ftruncate(b.inside, 0), EINVAL);
		EXPECT_EQ(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, b.inside, 0) == MAP_FAILED ? errno : 0, ENODEV);
		EXPECT_FAILS(fcntl(b.inside, F_GET_SEALS), EINVAL);
		EXPECT_FAILS(open("/proc/self/fd/0", O_RDONLY), ENXIO);
		EXPECT_FAILS(send(b.inside, "x", 1, 0), ENOTSOCK);
		EXPECT_EQ(fstat(b.inside, &st), 0);
		EXPECT(S_ISFIFO(st.st_mode));
	}
	pipe_bed_end(&b);
}

TEST(posix_hostfd, passes_through_a_socket_and_outlives_its_sender)
{
	struct pipe_bed b = pipe_bed(1);
	struct ksim_process *to = bed_process(b.m, "to");
	size_t nfds = 1;
	int wl[2], got = -1;
	char byte = 0;

	REQUIRE_EQ(ksim_socketpair_between(b.p, to, SOCK_STREAM, wl), 0);
	ksim_as(b.p)
		EXPECT_EQ(ksim_send_fds(wl[0], "x", 1, &b.inside, 1), 1);
	EXPECT_EQ(ksim_process_end(b.p, 0), 0);
	ksim_as(to) {
		EXPECT_EQ(ksim_recv_fds(wl[1], &byte, 1, &got, &nfds, 0), 1);
		EXPECT_EQ(write(got, "z", 1), 1);
	}
	EXPECT_EQ(read(b.host[0], &byte, 1), 1);
	EXPECT_EQ(byte, 'z');
	pipe_bed_end(&b);
}

TEST(posix_hostfd, bad_descriptors_and_full_tables_are_refused)
{
	struct pipe_bed b = pipe_bed(0);
	const struct rlimit one = { .rlim_cur = 1, .rlim_max = 1048576 };

	EXPECT_FAILS(ksim_fd_host(b.p, -1), EBADF);
	EXPECT_FAILS(ksim_fd_host(b.p, 4000), EBADF);
	ksim_as(b.p)
		EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &one), 0);
	EXPECT_FAILS(ksim_fd_host(b.p, b.host[0]), EMFILE);
	EXPECT_EQ(ksim_process_end(b.p, 0), 0);
	EXPECT_FAILS(ksim_fd_host(b.p, b.host[0]), ESRCH);
	pipe_bed_end(&b);
}

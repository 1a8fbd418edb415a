// SPDX-License-Identifier: MIT
/*
 * What Linux promises where a call has done its work and cannot tell all of it, or is asked for something odd. Each was
 * seen on 6.18.
 */
#include "abi.h"

#include <stddef.h>
#include <time.h>

static void *nowhere(void)
{
	uintptr_t low = 1;

	__asm__("" : "+r"(low)); /* the compiler need not know */
	return (void *)low;
}

struct talk {
	int server, client, served;
	struct sockaddr_un name; /* of the client */
	socklen_t len;
};

/* A client that has a name, and has sent "hello". */
static void talk_open(struct talk *t)
{
	struct sockaddr_un address;
	socklen_t len;

	t->server = listener(&address, &len, 1);
	t->client = x_socket(AF_UNIX, SOCK_STREAM, 0);
	t->name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	t->len = (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1;
	t->len += (socklen_t)snprintf(t->name.sun_path + 1, sizeof(t->name.sun_path) - 1, "client %d", (int)x_getpid());
	SETUP(x_bind(t->client, (struct sockaddr *)&t->name, t->len) == 0);
	SETUP(x_connect(t->client, (struct sockaddr *)&address, len) == 0);
	t->served = x_accept(t->server, NULL, NULL);
	SETUP(t->served >= 0);
	SETUP(x_send(t->client, "hello", 5, MSG_NOSIGNAL) == 5);
}

static void talk_close(struct talk *t)
{
	x_close(t->served);
	x_close(t->client);
	x_close(t->server);
}

/* Receive one byte, asking for a name of that size there. */
static ssize_t receive_named(struct talk *t, void *name, socklen_t *size)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_name = name, .msg_namelen = *size, .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = x_recvmsg(t->served, &msg, 0);

	*size = msg.msg_namelen;
	return n;
}

TEST(edges, recvmsg_tells_the_name_of_a_sender_that_has_one)
{
	/* recvmsg(2): msg_name is filled with the source address, msg_namelen with its whole length. */
	struct sockaddr_un name = { .sun_family = 0 };
	socklen_t size = sizeof(name);
	struct talk t;

	talk_open(&t);
	EXPECT_EQ(receive_named(&t, &name, &size), 1);
	EXPECT_EQ(size, t.len);
	EXPECT_MEMEQ(&name, &t.name, t.len);
	talk_close(&t);
}

TEST(edges, recvmsg_cuts_a_name_that_has_no_room_but_tells_its_length)
{
	/* recvmsg(2), as accept(2): the length returned is the actual one, also where the buffer was too small. */
	struct sockaddr_un name = { .sun_family = 0 };
	socklen_t size = 2;
	struct talk t;

	talk_open(&t);
	name.sun_path[1] = 'x';
	EXPECT_EQ(receive_named(&t, &name, &size), 1);
	EXPECT_EQ(size, t.len);
	EXPECT_EQ(name.sun_family, AF_UNIX);
	EXPECT_EQ(name.sun_path[1], 'x');
	talk_close(&t);
}

TEST(edges, recvmsg_of_a_sender_without_name_tells_a_length_of_0)
{
	/* unix(7): an unnamed socket; net/unix/af_unix.c sets msg_namelen to 0. */
	struct sockaddr_un name;
	socklen_t size = sizeof(name);
	struct talk t = { .server = -1 };
	int pair[2];

	SETUP(x_socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	t.served = pair[1];
	SETUP(x_send(pair[0], "x", 1, MSG_NOSIGNAL) == 1);
	EXPECT_EQ(receive_named(&t, &name, &size), 1);
	EXPECT_EQ(size, 0);
	x_close(pair[0]);
	x_close(pair[1]);
}

TEST(edges, recvmsg_into_a_bad_name_fails_EFAULT_and_the_data_is_gone)
{
	/* recvmsg(2), EFAULT. The data has been received by then. */
	socklen_t size = sizeof(struct sockaddr_un);
	char rest[8];
	struct talk t;

	talk_open(&t);
	EXPECT_FAILS(receive_named(&t, nowhere(), &size), EFAULT);
	EXPECT_EQ(x_recv(t.served, rest, sizeof(rest), 0), 4);
	EXPECT_MEMEQ(rest, "ello", 4);
	talk_close(&t);
}

TEST(edges, recv_MSG_PEEK_into_a_bad_buffer_fails_EFAULT_and_takes_nothing)
{
	/* recv(2): EFAULT; MSG_PEEK leaves the data. */
	char all[8];
	struct talk t;

	talk_open(&t);
	EXPECT_FAILS(x_recv(t.served, nowhere(), 3, MSG_PEEK), EFAULT);
	EXPECT_EQ(x_recv(t.served, all, sizeof(all), 0), 5);
	talk_close(&t);
}

TEST(edges, listen_on_a_connected_socket_fails_EINVAL)
{
	/* net/unix/af_unix.c: neither closed nor listening. */
	struct talk t;

	talk_open(&t);
	EXPECT_FAILS(x_listen(t.client, 1), EINVAL);
	talk_close(&t);
}

static int64_t accessed(int fd)
{
	struct stat st;

	SETUP(x_fstat(fd, &st) == 0);
	return (int64_t)st.st_atim.tv_sec * 1000000000 + st.st_atim.tv_nsec;
}

/* The clock of files ticks slowly: until what is stamped now differs from what was stamped then. */
static void await_tick(int64_t then_ns)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	while ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec <= then_ns);
}

TEST(edges, O_NOATIME_leaves_the_time_of_access_alone)
{
	/* open(2), O_NOATIME: do not update the file last access time when the file is read; mmap is a read as well. */
	int fd = memfd(1), quiet = reopen(fd, O_RDWR | O_NOATIME);
	int64_t before = accessed(fd);
	addr_t addr;
	char byte;

	await_tick(before);
	EXPECT_EQ(x_read(quiet, &byte, 1), 1);
	addr = x_mmap(0, PAGE, PROT_READ, MAP_SHARED, quiet, 0);
	EXPECT(addr != NO_MAPPING);
	EXPECT_EQ(accessed(fd), before);
	EXPECT_EQ(x_pread(fd, &byte, 1, 0), 1);
	EXPECT(accessed(fd) > before);
	x_munmap(addr, PAGE);
	x_close(quiet);
	x_close(fd);
}

TEST(edges, O_CREAT_of_a_directory_by_dots_fails_EISDIR_or_EEXIST)
{
	/* open(2): EISDIR, O_CREAT names an existing directory; EEXIST with O_EXCL. */
	EXPECT_FAILS(x_open("/proc/self/fd/../", O_CREAT, 0600), EISDIR);
	EXPECT_FAILS(x_open("/proc/self/fd/..", O_CREAT, 0600), EISDIR);
	EXPECT_FAILS(x_open("/proc/self/fd/../", O_CREAT | O_EXCL, 0600), EEXIST);
}

TEST(edges, mmap_of_more_than_half_of_all_addresses_fails_ENOMEM)
{
	/* mmap(2): ENOMEM, not EOVERFLOW: the length is judged before the file's offsets. */
	int fd = memfd(1);

	EXPECT(x_mmap(0, (size_t)1 << 63, PROT_READ, MAP_SHARED, fd, 0) == NO_MAPPING && errno == ENOMEM);
	x_close(fd);
}

TEST(edges, MAP_HUGETLB_of_an_unknown_size_fails_EINVAL_and_of_a_known_one_ENOMEM)
{
	/*
	 * mmap(2), MAP_HUGE_2MB and the like: sizes that the architecture does not have are EINVAL; there are no pages.
	 */
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;

	EXPECT(x_mmap(0, PAGE, PROT_READ, flags | 24 << 26, -1, 0) == NO_MAPPING && errno == EINVAL);
#ifdef ABI_KSIM /* the host might have some */
	EXPECT(x_mmap(0, PAGE, PROT_READ, flags, -1, 0) == NO_MAPPING && errno == ENOMEM);
	EXPECT(x_mmap(0, PAGE, PROT_READ, flags | 21 << 26, -1, 0) == NO_MAPPING && errno == ENOMEM);
	EXPECT(x_mmap(0, PAGE, PROT_READ, flags | 30 << 26, -1, 0) == NO_MAPPING && errno == ENOMEM);
#endif
}

TEST(edges, MAP_POPULATE_of_memory_that_may_not_be_touched_maps_it)
{
	/* mmap(2): the mmap call does not fail if the mapping cannot be populated. */
	addr_t addr = x_mmap(0, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	REQUIRE(addr != NO_MAPPING);
	EXPECT_LOAD_FAULTS(addr, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(x_munmap(addr, PAGE), 0);
}

/* ---- vm.memfd_noexec ---- */

enum { OF_EXEC = 0x10, OF_NOEXEC_SEAL = 8, SEAL_OF_EXEC = 0x20 };

static int set_noexec(const char *level)
{
	int fd = x_open("/proc/sys/vm/memfd_noexec", O_WRONLY);
	int result = fd >= 0 ? (int)x_write(fd, level, 1) : -1;
	int error = errno;

	if (fd >= 0)
		x_close(fd);
	errno = error;
	return result;
}

/* Its mode, or -errno. */
static int mode_of_new(unsigned flags, int *seals)
{
	int fd = x_memfd_create("noexec", flags);
	struct stat st;

	if (fd < 0 || x_fstat(fd, &st) != 0)
		return -errno;
	*seals = x_fcntl(fd, F_GET_SEALS);
	x_close(fd);
	return (int)(st.st_mode & 07777);
}

static int makes_memfds_at_each_level(void *arg)
{
	int seals = -1;

	(void)arg;
	CHILD_EXPECT(mode_of_new(0, &seals) == 0777 && seals == F_SEAL_SEAL);
	if (set_noexec("1") != 1)
		return CHILD_LACKS_CALL;
	CHILD_EXPECT(mode_of_new(0, &seals) == 0666 && seals == SEAL_OF_EXEC);
	CHILD_EXPECT(mode_of_new(OF_NOEXEC_SEAL, &seals) == 0666 && seals == SEAL_OF_EXEC);
	CHILD_EXPECT(mode_of_new(OF_EXEC, &seals) == 0777 && seals == F_SEAL_SEAL);
	CHILD_EXPECT(mode_of_new(MFD_ALLOW_SEALING, &seals) == 0666 && seals == SEAL_OF_EXEC);
	CHILD_EXPECT(set_noexec("2") == 1);
	CHILD_EXPECT(mode_of_new(OF_EXEC, &seals) == -EACCES);
	CHILD_EXPECT(mode_of_new(OF_EXEC | MFD_ALLOW_SEALING, &seals) == -EACCES);
	CHILD_EXPECT(mode_of_new(OF_EXEC | OF_NOEXEC_SEAL, &seals) == -EINVAL);
	CHILD_EXPECT(mode_of_new(0, &seals) == 0666 && seals == SEAL_OF_EXEC);
	CHILD_EXPECT(mode_of_new(OF_NOEXEC_SEAL, &seals) == 0666 && seals == SEAL_OF_EXEC);
	CHILD_EXPECT(set_noexec("3") == -1 && errno == EINVAL);
	CHILD_EXPECT(set_noexec("0") == 1);
	CHILD_EXPECT(mode_of_new(0, &seals) == 0777 && seals == F_SEAL_SEAL);
	return 0;
}

TEST(edges, memfd_noexec_completes_the_flags_and_forbids_MFD_EXEC)
{
	/* 9: 1 makes what says nothing not executable; 2 makes MFD_EXEC EACCES besides. */
	if (linux_release() < 6006)
		SKIP("as it is now since 6.6");
	EXPECT_EQ(in_child_with_settings(makes_memfds_at_each_level, NULL), 0);
}

TEST(edges, transfer_whose_range_would_end_beyond_all_offsets_fails_EINVAL_before_it_is_cut)
{
	/* read(2), pread(2): what counts is what is asked for, of which 2 GiB less a page would be moved. */
	const uint64_t gib = UINT64_C(1) << 30;
	const off_t at = (off_t)(INT64_MAX - (2 * gib + gib / 2));
	static char byte;
	char *to = &byte;
	int fd = memfd(0);

	__asm__("" : "+r"(to)); /* the compiler need not know */
	EXPECT_FAILS(x_pread(fd, to, 3 * gib, at), EINVAL);
	EXPECT_EQ(x_pread(fd, to, 2 * gib, at), 0);
	EXPECT_EQ(x_lseek(fd, at, SEEK_SET), at);
	EXPECT_FAILS(x_read(fd, to, 3 * gib), EINVAL);
	EXPECT_FAILS(x_write(fd, to, 3 * gib), EINVAL);
	EXPECT_EQ(x_read(fd, to, 2 * gib), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(edges, O_DIRECT_of_huge_pages_fails_EINVAL)
{
	/* open(2) EINVAL: hugetlbfs has none. */
	char path[32];
	int fd = x_memfd_create("abi", MFD_HUGETLB);

	if (fd < 0)
		SKIP("no memfd of huge pages: errno %d", errno);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT_FAILS(x_open(path, O_RDWR | O_DIRECT), EINVAL);
	EXPECT_FAILS(x_fcntl(fd, F_SETFL, O_DIRECT), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

// SPDX-License-Identifier: MIT
/*
 * Every call that takes a descriptor, a pointer, a path or flags, handed each kind of bad one: closed, negative, huge,
 * O_PATH, O_RDONLY, O_WRONLY, a directory, a socket; NULL, low, unmapped, PROT_NONE, read-only, half-mapped, past the
 * end of a file, beyond user space; unknown bits. Each is the only thing that is wrong with the call.
 *
 * The calls are made by number, as the kernel gets them, so that no libc judges an argument first. What is expected was
 * measured on Linux 6.18; a call that the architecture has none of is left out there. None of them may change anything:
 * that is looked at after every row. What is told about the order of the judgements: abi_bad_order.c.
 */
#include "abi.h"

#include <limits.h>

/* ---- what stands around the calls ---- */

enum { NARGS = 6, FIRST_FD = 100 };

/* Arguments that are known only when the test runs. */
enum {
	THING = 0x40000000, /* above any literal argument of the tables */
	MEMFD = THING,      /* two pages and 100 bytes, at offset 10 */
	SINK,               /* an empty memfd */
	READER,             /* an ordinary file, open for reading */
	WRITER,
	PATHFD,
	DIRFD,
	SOCKET, /* connected, not waiting, with 5 bytes to receive */
	LOOSE,  /* not connected */
	LISTENER,
	NFDS,
	BUF = NFDS, /* memory, or what else the argument is of */
	FILE_PATH,
	NEW_PATH,
	DIR_PATH,
	LINK_PATH,
	IOVEC,
	MESSAGE,
	ADDRESS, /* of a socket */
	ADDRESS_LEN,
	SIGNALS,
	ZEROS, /* a siginfo_t, a timespec, an offset, ... of 0 */
	LIMIT,
	SELF,
};

static int fds[NFDS - THING];
static char file_path[200], new_path[200], dir_path[200], link_path[200];
static unsigned char memory[8192], zeros[256];
static struct iovec iovec;
static struct msghdr message;
static struct sockaddr_un address;
static socklen_t address_len;
static uint64_t signals;
static struct rlimit limit;
static addr_t arena;

struct call {
	const char *name;
	long nr;
	int args[NARGS];
};

static long resolved(int arg)
{
	const void *const pointers[] = { memory,   file_path, new_path,     dir_path, link_path, &iovec,
		                         &message, &address,  &address_len, &signals, zeros,     &limit };

	if (arg < THING)
		return arg;
	if (arg < NFDS)
		return fds[arg - THING];
	return arg == SELF ? (long)x_getpid() : (long)(uintptr_t)pointers[arg - BUF];
}

/* What the call gives when argument `at` is `value`: a count, or -errno. */
static long outcome(const struct call *call, int at, long value)
{
	long args[NARGS];

	for (int i = 0; i < NARGS; i++)
		args[i] = i == at ? value : resolved(call->args[i]);
#ifdef ABI_KSIM
	return ksim_syscall(ksim_nr(abi_machine(), call->name), args[0], args[1], args[2], args[3], args[4], args[5]);
#else
	args[0] = syscall(call->nr, args[0], args[1], args[2], args[3], args[4], args[5]);
	return args[0] == -1 ? -errno : args[0];
#endif
}

static bool is_there(const struct call *call)
{
#ifdef ABI_KSIM
	return ksim_nr(abi_machine(), call->name) >= 0;
#else
	return call->nr >= 0;
#endif
}

static void expect_error(const struct call *call, int at, long value, int err, const char *what)
{
	long result = outcome(call, at, value);

	if (result == -ENOSYS)
		return; /* a kernel that has not got it yet */
	EXPECT_MSG(result == -err, "%s, argument %d %s: %ld, not -%d", call->name, at, what, result, err);
}

/* ---- what must not change ---- */

struct state {
	struct {
		int flags, cloexec, seals;
		mode_t mode;
		off_t size, offset;
	} of[NFDS - THING];
	long queued, names, links;
	unsigned sum;
	int lowest;
	uint64_t umask, blocked; /* no gap in it: it is compared as a whole */
	struct rlimit files;
};

static unsigned sum_of(unsigned sum, const unsigned char *bytes, long n)
{
	for (long i = 0; i < n; i++)
		sum = sum * 31 + bytes[i];
	return sum;
}

static void look(struct state *state)
{
	unsigned char bytes[64];
	struct stat st;
	sigset_t set;

	memset(state, 0, sizeof(*state));
	for (int i = 0; i < NFDS - THING; i++) {
		SETUP(x_fstat(fds[i], &st) == 0);
		state->of[i].mode = st.st_mode;
		state->of[i].size = S_ISREG(st.st_mode) ? st.st_size : 0;
		state->of[i].flags = x_fcntl(fds[i], F_GETFL);
		state->of[i].cloexec = x_fcntl(fds[i], F_GETFD);
		state->of[i].seals = x_fcntl(fds[i], F_GET_SEALS);
		state->of[i].offset = x_lseek(fds[i], 0, SEEK_CUR);
	}
	for (off_t at = 0; at < 2 * PAGE + 100; at += (off_t)sizeof(bytes))
		state->sum = sum_of(state->sum, bytes, x_pread(fds[MEMFD - THING], bytes, sizeof(bytes), at));
	state->sum = sum_of(state->sum, memory, sizeof(memory));
	state->sum = sum_of(state->sum, zeros, sizeof(zeros));
	state->queued = x_recv(fds[SOCKET - THING], bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	SETUP(x_stat(dir_path, &st) == 0);
	state->names = st.st_size;
	state->links = (long)st.st_nlink;
	SETUP(x_lstat(new_path, &st) == -1 && errno == ENOENT);
	SETUP(x_lstat(file_path, &st) == 0);
	state->sum += (unsigned)st.st_mode * 7 + (unsigned)st.st_nlink * 5 + st.st_uid * 3;
	state->lowest = lowest_free_fd();
	state->umask = x_umask(022);
	x_umask((mode_t)state->umask);
	SETUP(x_sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	memcpy(&state->blocked, &set, sizeof(state->blocked));
	SETUP(x_getrlimit(RLIMIT_NOFILE, &state->files) == 0);
}

static void expect_unchanged(struct state *before, const char *call)
{
	struct state now;

	look(&now);
	EXPECT_MSG(memcmp(before, &now, sizeof(now)) == 0, "%s has changed something", call);
	*before = now;
}

static void build_files(void)
{
	unsigned char pattern[2 * PAGE + 100];
	char top[128];
	int fd;

	fresh_path(top, sizeof(top));
	snprintf(dir_path, sizeof(dir_path), "%s", top);
	snprintf(file_path, sizeof(file_path), "%s/file", top);
	snprintf(new_path, sizeof(new_path), "%s/new", top);
	snprintf(link_path, sizeof(link_path), "%s/link", top);
	SETUP(x_mkdir(dir_path, 0755) == 0 && x_symlink("file", link_path) == 0);
	fill_pattern(pattern, sizeof(pattern), 7);
	fd = x_open(file_path, O_RDWR | O_CREAT, 0644);
	SETUP(fd >= 0 && x_write(fd, pattern, sizeof(pattern)) == (ssize_t)sizeof(pattern) && x_close(fd) == 0);
	fds[MEMFD - THING] = memfd(0);
	SETUP(x_write(fds[MEMFD - THING], pattern, sizeof(pattern)) == (ssize_t)sizeof(pattern));
	SETUP(x_lseek(fds[MEMFD - THING], 10, SEEK_SET) == 10);
	fds[SINK - THING] = memfd(0);
	fds[READER - THING] = x_open(file_path, O_RDONLY);
	fds[WRITER - THING] = x_open(file_path, O_WRONLY);
	fds[PATHFD - THING] = x_open(file_path, O_PATH);
	fds[DIRFD - THING] = x_open(dir_path, O_RDONLY | O_DIRECTORY);
}

static int peer;

static void build_sockets(void)
{
	socklen_t len;
	int ends[2];

	SETUP(x_socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	fds[SOCKET - THING] = ends[0];
	peer = ends[1];
	SETUP(x_send(peer, "hello", 5, 0) == 5);
	fds[LOOSE - THING] = x_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	fds[LISTENER - THING] = listener(&address, &len, 1);
	SETUP(x_fcntl(fds[LISTENER - THING], F_SETFL, O_NONBLOCK) == 0);
	address_len = sizeof(address);
}

/* Pages: 1 readable and writable, 2 only readable, 3 without access, 4 unmapped; 5 before a hole; 7 past the end of the
 * memfd; 8 unmapped. */
enum { GOOD = 1, READ_ONLY, NO_ACCESS, UNMAPPED, LAST, PAST_END = 7, NPAGES = 9 };

static void build_memory(void)
{
	const int rw = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	arena = map_anonymous(NPAGES, PROT_NONE, MAP_PRIVATE);
	unmap(arena, NPAGES);
	SETUP(x_mmap(arena + GOOD * PAGE, PAGE, rw, flags, -1, 0) != NO_MAPPING);
	SETUP(x_mmap(arena + READ_ONLY * PAGE, PAGE, PROT_READ, flags, -1, 0) != NO_MAPPING);
	SETUP(x_mmap(arena + NO_ACCESS * PAGE, PAGE, PROT_NONE, flags, -1, 0) != NO_MAPPING);
	SETUP(x_mmap(arena + LAST * PAGE, PAGE, rw, flags, -1, 0) != NO_MAPPING);
	SETUP(x_mmap(arena + PAST_END * PAGE, PAGE, rw, MAP_SHARED | MAP_FIXED, fds[MEMFD - THING], (off_t)4 * PAGE) !=
	      NO_MAPPING);
	memset(memory, 'm', sizeof(memory));
	iovec = (struct iovec){ memory, 64 };
	message = (struct msghdr){ .msg_iov = &iovec, .msg_iovlen = 1 };
	signals = 1u << (SIGUSR1 - 1);
	limit = (struct rlimit){ 64, 64 };
}

static void build(struct state *state)
{
	build_files();
	build_sockets();
	build_memory();
	look(state);
}

static void take_down(void)
{
	unmap(arena, NPAGES);
	for (int i = 0; i < NFDS - THING; i++)
		EXPECT_EQ(x_close(fds[i]), 0);
	EXPECT_EQ(x_close(peer), 0);
	EXPECT_EQ(x_unlink(link_path), 0);
	EXPECT_EQ(x_unlink(file_path), 0);
	EXPECT_EQ(x_rmdir(dir_path), 0);
}

/* Calls that not every architecture has. */
#define NONE -1
#ifdef SYS_open
#define OLD(name) #name, SYS_##name
#else
#define OLD(name) #name, NONE
#endif
#define NEW(name) #name, SYS_##name
#ifdef SYS_fchmodat2
#define LATE(name) #name, SYS_##name
#else
#define LATE(name) #name, NONE
#endif
#define N(array) (sizeof(array) / sizeof((array)[0]))

/* ---- descriptors ---- */

static void expect_no_descriptor(const struct call *call, int at)
{
	expect_error(call, at, 900, EBADF, "closed");
	expect_error(call, at, -1, EBADF, "-1");
	expect_error(call, at, 1 << 30, EBADF, "huge");
	expect_error(call, at, INT_MAX, EBADF, "as large as can be");
	expect_error(call, at, INT_MIN, EBADF, "as small as can be");
	expect_error(call, at, 900 + (1L << 32), EBADF, "closed, of 64 bits");
}

/*
 * What each kind is refused with; 0: it is not refused. The argument that is the descriptor is in the name of the row.
 */
static const struct {
	struct call call;
	int at;
	int pathfd, reader, writer, dir, socket;
} of_files[] = {
	{ { NEW(read), { MEMFD, BUF, 64 } }, 0, EBADF, 0, EBADF, EISDIR, 0 },
	{ { NEW(write), { MEMFD, BUF, 64 } }, 0, EBADF, EBADF, 0, EBADF, 0 },
	{ { NEW(close), { MEMFD } }, 0, 0, 0, 0, 0, 0 },
	{ { NEW(fstat), { MEMFD, BUF } }, 0, 0, 0, 0, 0, 0 },
	{ { NEW(lseek), { MEMFD, 0, SEEK_CUR } }, 0, EBADF, 0, 0, 0, ESPIPE },
	{ { NEW(mmap), { 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, MEMFD, 0 } },
	  4,
	  EBADF,
	  EACCES,
	  EACCES,
	  EACCES,
	  ENODEV },
	{ { NEW(mmap), { 0, PAGE, PROT_READ, MAP_PRIVATE, MEMFD, 0 } }, 4, EBADF, 0, EACCES, ENODEV, ENODEV },
	{ { NEW(mmap), { 0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, MEMFD, 0 } }, 4, EBADF, 0, EACCES, 0, EPERM },
	{ { NEW(pread64), { MEMFD, BUF, 64, 0 } }, 0, EBADF, 0, EBADF, EISDIR, ESPIPE },
	{ { NEW(pwrite64), { MEMFD, BUF, 64, 0 } }, 0, EBADF, EBADF, 0, EBADF, ESPIPE },
	{ { NEW(dup), { MEMFD } }, 0, 0, 0, 0, 0, 0 },
	{ { OLD(dup2), { MEMFD, 500 } }, 0, 0, 0, 0, 0, 0 },
	{ { NEW(dup3), { MEMFD, 500, 0 } }, 0, 0, 0, 0, 0, 0 },
	{ { NEW(fcntl), { MEMFD, F_GETFD } }, 0, 0, 0, 0, 0, 0 },
	{ { NEW(fcntl), { MEMFD, F_GETFL } }, 0, 0, 0, 0, 0, 0 },
	{ { NEW(fcntl), { MEMFD, F_SETFL, 0 } }, 0, EBADF, 0, 0, 0, 0 },
	{ { NEW(fcntl), { MEMFD, F_GET_SEALS } }, 0, EBADF, 0, 0, EINVAL, EINVAL },
	{ { NEW(fcntl), { MEMFD, F_ADD_SEALS, 0 } }, 0, EBADF, EPERM, EPERM, EPERM, EINVAL },
	{ { NEW(ftruncate), { MEMFD, PAGE } }, 0, EBADF, EINVAL, 0, EINVAL, EINVAL },
	{ { NEW(fallocate), { MEMFD, 0, 0, PAGE } }, 0, EBADF, EBADF, 0, EBADF, ENODEV },
	{ { NEW(readv), { MEMFD, IOVEC, 1 } }, 0, EBADF, 0, EBADF, EISDIR, 0 },
	{ { NEW(writev), { MEMFD, IOVEC, 1 } }, 0, EBADF, EBADF, 0, EBADF, 0 },
	{ { NEW(preadv), { MEMFD, IOVEC, 1, 0 } }, 0, EBADF, 0, EBADF, EISDIR, ESPIPE },
	{ { NEW(pwritev), { MEMFD, IOVEC, 1, 0 } }, 0, EBADF, EBADF, 0, EBADF, ESPIPE },
	{ { NEW(preadv2), { MEMFD, IOVEC, 1, 0, 0, 0 } }, 0, EBADF, 0, EBADF, EISDIR, ESPIPE },
	{ { NEW(pwritev2), { MEMFD, IOVEC, 1, 0, 0, 0 } }, 0, EBADF, EBADF, 0, EBADF, ESPIPE },
	{ { NEW(sendfile), { SINK, MEMFD, 0, 64 } }, 0, EBADF, EBADF, 0, EBADF, 0 },
	{ { NEW(sendfile), { SINK, MEMFD, 0, 64 } }, 1, EBADF, 0, EBADF, EINVAL, EINVAL },
	{ { NEW(copy_file_range), { MEMFD, 0, SINK, 0, 64, 0 } }, 0, EBADF, 0, EBADF, EISDIR, EINVAL },
	{ { NEW(copy_file_range), { MEMFD, 0, SINK, 0, 64, 0 } }, 2, EBADF, EBADF, 0, EISDIR, EINVAL },
	{ { NEW(fsync), { MEMFD } }, 0, EBADF, 0, 0, 0, EINVAL },
	{ { NEW(fdatasync), { MEMFD } }, 0, EBADF, 0, 0, 0, EINVAL },
	{ { NEW(getdents64), { DIRFD, BUF, 4096 } }, 0, EBADF, ENOTDIR, ENOTDIR, 0, ENOTDIR },
	{ { NEW(fchdir), { DIRFD } }, 0, ENOTDIR, ENOTDIR, ENOTDIR, 0, ENOTDIR },
	{ { NEW(fchmod), { MEMFD, 0600 } }, 0, EBADF, 0, 0, 0, 0 },
	{ { NEW(fchown), { MEMFD, 0, 0 } }, 0, EBADF, 0, 0, 0, 0 },
	{ { NEW(fstatfs), { MEMFD, BUF } }, 0, 0, 0, 0, 0, 0 },
	{ { NEW(bind), { LOOSE, ADDRESS, 20 } }, 0, EBADF, ENOTSOCK, ENOTSOCK, ENOTSOCK, 0 },
	{ { NEW(listen), { LISTENER, 1 } }, 0, EBADF, ENOTSOCK, ENOTSOCK, ENOTSOCK, EINVAL },
	{ { NEW(accept), { LISTENER, 0, 0 } }, 0, EBADF, ENOTSOCK, ENOTSOCK, ENOTSOCK, EINVAL },
	{ { NEW(accept4), { LISTENER, 0, 0, 0 } }, 0, EBADF, ENOTSOCK, ENOTSOCK, ENOTSOCK, EINVAL },
	{ { NEW(connect), { LOOSE, ADDRESS, 20 } }, 0, EBADF, ENOTSOCK, ENOTSOCK, ENOTSOCK, ECONNREFUSED },
	{ { NEW(shutdown), { SOCKET, 0 } }, 0, EBADF, ENOTSOCK, ENOTSOCK, ENOTSOCK, 0 },
	{ { NEW(sendto), { SOCKET, BUF, 64, 0, 0, 0 } }, 0, EBADF, ENOTSOCK, ENOTSOCK, ENOTSOCK, 0 },
	{ { NEW(recvfrom), { SOCKET, BUF, 64, 0, 0, 0 } }, 0, EBADF, ENOTSOCK, ENOTSOCK, ENOTSOCK, 0 },
	{ { NEW(sendmsg), { SOCKET, MESSAGE, 0 } }, 0, EBADF, ENOTSOCK, ENOTSOCK, ENOTSOCK, 0 },
	{ { NEW(recvmsg), { SOCKET, MESSAGE, 0 } }, 0, EBADF, ENOTSOCK, ENOTSOCK, ENOTSOCK, 0 },
	{ { NEW(getsockname), { SOCKET, BUF, ADDRESS_LEN } }, 0, EBADF, ENOTSOCK, ENOTSOCK, ENOTSOCK, 0 },
	{ { NEW(getpeername), { SOCKET, BUF, ADDRESS_LEN } }, 0, EBADF, ENOTSOCK, ENOTSOCK, ENOTSOCK, 0 },
	{ { NEW(getsockopt), { SOCKET, SOL_SOCKET, SO_TYPE, BUF, ADDRESS_LEN } },
	  0,
	  EBADF,
	  ENOTSOCK,
	  ENOTSOCK,
	  ENOTSOCK,
	  0 },
};

TEST(bad_calls, descriptors_that_are_none_fail_EBADF)
{
	/* read(2) and all others: EBADF, whatever else is said. */
	struct state before;

	build(&before);
	for (size_t i = 0; i < N(of_files); i++) {
		if (!is_there(&of_files[i].call))
			continue;
		expect_no_descriptor(&of_files[i].call, of_files[i].at);
		expect_unchanged(&before, of_files[i].call.name);
	}
	take_down();
}

static void expect_kind(size_t row, int fd, int err, const char *what)
{
	if (err != 0)
		expect_error(&of_files[row].call, of_files[row].at, resolved(fd), err, what);
}

TEST(bad_calls, descriptors_of_the_wrong_kind_fail_and_change_nothing)
{
	/* O_PATH: open(2); of the wrong access mode: EBADF, or what the call says of it; directories and sockets. */
	struct state before;

	build(&before);
	for (size_t i = 0; i < N(of_files); i++) {
		if (!is_there(&of_files[i].call))
			continue;
		expect_kind(i, PATHFD, of_files[i].pathfd, "O_PATH");
		expect_kind(i, READER, of_files[i].reader, "O_RDONLY");
		expect_kind(i, WRITER, of_files[i].writer, "O_WRONLY");
		expect_kind(i, DIRFD, of_files[i].dir, "a directory");
		expect_kind(i, SOCKET, of_files[i].socket, "a socket");
		expect_unchanged(&before, of_files[i].call.name);
	}
	take_down();
}

/* Calls that begin at a directory: which argument that is; the path is the one behind it. */
static const struct {
	struct call call;
	int at;
} at_directories[] = {
	{ { NEW(openat), { DIRFD, 0, O_RDWR } }, 0 },
	{ { NEW(unlinkat), { DIRFD } }, 0 },
	{ { NEW(mkdirat), { DIRFD, 0, 0755 } }, 0 },
	{ { NEW(mknodat), { DIRFD, 0, 0100644 } }, 0 },
	{ { NEW(linkat), { DIRFD, 0, DIRFD, NEW_PATH } }, 0 },
	{ { NEW(linkat), { DIRFD, FILE_PATH, DIRFD, 0 } }, 2 },
	{ { NEW(symlinkat), { FILE_PATH, DIRFD, 0 } }, 1 },
	{ { NEW(readlinkat), { DIRFD, 0, BUF, 64 } }, 0 },
#ifdef SYS_renameat
	{ { NEW(renameat), { DIRFD, 0, DIRFD, NEW_PATH } }, 0 },
	{ { NEW(renameat), { DIRFD, FILE_PATH, DIRFD, 0 } }, 2 },
#endif
	{ { NEW(renameat2), { DIRFD, 0, DIRFD, NEW_PATH } }, 0 },
	{ { NEW(renameat2), { DIRFD, FILE_PATH, DIRFD, 0 } }, 2 },
	{ { NEW(newfstatat), { DIRFD, 0, BUF, 0 } }, 0 },
	{ { NEW(statx), { DIRFD, 0, 0, 0x7ff, BUF } }, 0 },
	{ { NEW(faccessat), { DIRFD, 0, 0 } }, 0 },
	{ { NEW(faccessat2), { DIRFD, 0, 0, 0 } }, 0 },
	{ { NEW(fchmodat), { DIRFD, 0, 0600 } }, 0 },
	{ { LATE(fchmodat2), { DIRFD, 0, 0600, 0 } }, 0 },
	{ { NEW(fchownat), { DIRFD, 0, 0, 0, 0 } }, 0 },
	{ { NEW(utimensat), { DIRFD, 0, 0, 0 } }, 0 },
};

TEST(bad_calls, directories_that_are_none_fail_EBADF_or_ENOTDIR)
{
	/* openat(2) and its kin: a relative path is looked up in the directory. */
	static const int others[] = { MEMFD, READER, PATHFD, SOCKET };
	struct state before;

	build(&before);
	for (size_t i = 0; i < N(at_directories); i++) {
		struct call call = at_directories[i].call;
		int at = at_directories[i].at;

		if (!is_there(&call))
			continue;
		call.args[at + 1] = NEW_PATH;
		memmove(new_path, new_path + 1, sizeof(new_path) - 1); /* without the slash it is relative */
		expect_error(&call, at, 900, EBADF, "closed");
		expect_error(&call, at, -1, EBADF, "-1");
		expect_error(&call, at, 1 << 30, EBADF, "huge");
		for (size_t j = 0; j < N(others); j++)
			expect_error(&call, at, resolved(others[j]), ENOTDIR, "is no directory");
		memmove(new_path + 1, new_path, sizeof(new_path) - 1);
		new_path[0] = '/';
		expect_unchanged(&before, call.name);
	}
	take_down();
}

/* ---- pointers ---- */

/* As a call gets it. On ksim ksim_user() makes it, since any other pointer is one of the program's. */
static long pointer(addr_t addr)
{
#ifdef ABI_KSIM
	return (long)(uintptr_t)ksim_user(addr);
#else
	return (long)addr;
#endif
}

enum kind {
	READ = 1,     /* the call reads what is there */
	WRITES = 2,   /* it writes there */
	OPTIONAL = 4, /* NULL means something */
	PIECES = 8,   /* it makes do with a part */
	WORD = 16,    /* it is so short that the few bytes before a hole are enough */
};

static const struct {
	struct call call;
	int at;
	int kind;
} of_pointers[] = {
	{ { NEW(read), { MEMFD, BUF, 64 } }, 1, WRITES | PIECES },
	{ { NEW(write), { MEMFD, BUF, 64 } }, 1, READ | PIECES },
	{ { NEW(fstat), { MEMFD, BUF } }, 1, WRITES },
	{ { NEW(fstatfs), { MEMFD, BUF } }, 1, WRITES },
	{ { NEW(pread64), { MEMFD, BUF, 64, 0 } }, 1, WRITES | PIECES },
	{ { NEW(pwrite64), { MEMFD, BUF, 64, 0 } }, 1, READ | PIECES },
	{ { NEW(readv), { MEMFD, IOVEC, 1 } }, 1, READ },
	{ { NEW(writev), { MEMFD, IOVEC, 1 } }, 1, READ },
	{ { NEW(preadv), { MEMFD, IOVEC, 1, 0 } }, 1, READ },
	{ { NEW(pwritev), { MEMFD, IOVEC, 1, 0 } }, 1, READ },
	{ { NEW(preadv2), { MEMFD, IOVEC, 1, 0, 0, 0 } }, 1, READ },
	{ { NEW(pwritev2), { MEMFD, IOVEC, 1, 0, 0, 0 } }, 1, READ },
	{ { NEW(process_vm_readv), { SELF, IOVEC, 1, IOVEC, 1, 0 } }, 1, READ },
	{ { NEW(process_vm_readv), { SELF, IOVEC, 1, IOVEC, 1, 0 } }, 3, READ },
	{ { NEW(process_vm_writev), { SELF, IOVEC, 1, IOVEC, 1, 0 } }, 1, READ },
	{ { NEW(process_vm_writev), { SELF, IOVEC, 1, IOVEC, 1, 0 } }, 3, READ },
	{ { NEW(sendfile), { SINK, MEMFD, 0, 64 } }, 2, READ | OPTIONAL },
	{ { NEW(copy_file_range), { MEMFD, 0, SINK, 0, 64, 0 } }, 1, READ | OPTIONAL },
	{ { NEW(copy_file_range), { MEMFD, 0, SINK, 0, 64, 0 } }, 3, READ | OPTIONAL },
	{ { OLD(open), { FILE_PATH, O_RDWR } }, 0, READ },
	{ { NEW(openat), { DIRFD, FILE_PATH, O_RDWR } }, 1, READ },
	{ { OLD(creat), { NEW_PATH, 0644 } }, 0, READ },
	{ { OLD(unlink), { FILE_PATH } }, 0, READ },
	{ { NEW(unlinkat), { DIRFD, FILE_PATH, 0 } }, 1, READ },
	{ { OLD(mkdir), { NEW_PATH, 0755 } }, 0, READ },
	{ { NEW(mkdirat), { DIRFD, NEW_PATH, 0755 } }, 1, READ },
	{ { OLD(rmdir), { DIR_PATH } }, 0, READ },
	{ { OLD(mknod), { NEW_PATH, 0100644, 0 } }, 0, READ },
	{ { NEW(mknodat), { DIRFD, NEW_PATH, 0100644, 0 } }, 1, READ },
	{ { OLD(link), { FILE_PATH, NEW_PATH } }, 0, READ },
	{ { OLD(link), { FILE_PATH, NEW_PATH } }, 1, READ },
	{ { NEW(linkat), { DIRFD, FILE_PATH, DIRFD, NEW_PATH, 0 } }, 1, READ },
	{ { NEW(linkat), { DIRFD, FILE_PATH, DIRFD, NEW_PATH, 0 } }, 3, READ },
	{ { OLD(symlink), { FILE_PATH, NEW_PATH } }, 0, READ },
	{ { OLD(symlink), { FILE_PATH, NEW_PATH } }, 1, READ },
	{ { NEW(symlinkat), { FILE_PATH, DIRFD, NEW_PATH } }, 0, READ },
	{ { NEW(symlinkat), { FILE_PATH, DIRFD, NEW_PATH } }, 2, READ },
	{ { OLD(readlink), { LINK_PATH, BUF, 64 } }, 0, READ },
	{ { OLD(readlink), { LINK_PATH, BUF, 64 } }, 1, WRITES | WORD },
	{ { NEW(readlinkat), { DIRFD, LINK_PATH, BUF, 64 } }, 1, READ },
	{ { NEW(readlinkat), { DIRFD, LINK_PATH, BUF, 64 } }, 2, WRITES | WORD },
	{ { OLD(rename), { FILE_PATH, NEW_PATH } }, 0, READ },
	{ { OLD(rename), { FILE_PATH, NEW_PATH } }, 1, READ },
	{ { NEW(renameat2), { DIRFD, FILE_PATH, DIRFD, NEW_PATH, 0 } }, 1, READ },
	{ { NEW(renameat2), { DIRFD, FILE_PATH, DIRFD, NEW_PATH, 0 } }, 3, READ },
	{ { OLD(stat), { FILE_PATH, BUF } }, 0, READ },
	{ { OLD(stat), { FILE_PATH, BUF } }, 1, WRITES },
	{ { OLD(lstat), { FILE_PATH, BUF } }, 0, READ },
	{ { OLD(lstat), { FILE_PATH, BUF } }, 1, WRITES },
	{ { NEW(newfstatat), { DIRFD, FILE_PATH, BUF, 0 } }, 1, READ },
	{ { NEW(newfstatat), { DIRFD, FILE_PATH, BUF, 0 } }, 2, WRITES },
	{ { NEW(statx), { DIRFD, FILE_PATH, 0, 0x7ff, BUF } }, 1, READ },
	{ { NEW(statx), { DIRFD, FILE_PATH, 0, 0x7ff, BUF } }, 4, WRITES },
	{ { NEW(statfs), { FILE_PATH, BUF } }, 0, READ },
	{ { NEW(statfs), { FILE_PATH, BUF } }, 1, WRITES },
	{ { NEW(getdents64), { DIRFD, BUF, 4096 } }, 1, WRITES | WORD },
	{ { OLD(access), { FILE_PATH, R_OK } }, 0, READ },
	{ { NEW(faccessat), { DIRFD, FILE_PATH, R_OK } }, 1, READ },
	{ { NEW(faccessat2), { DIRFD, FILE_PATH, R_OK, 0 } }, 1, READ },
	{ { NEW(chdir), { DIR_PATH } }, 0, READ },
	{ { NEW(getcwd), { BUF, 4096 } }, 0, WRITES | WORD },
	{ { OLD(chmod), { FILE_PATH, 0600 } }, 0, READ },
	{ { NEW(fchmodat), { DIRFD, FILE_PATH, 0600 } }, 1, READ },
	{ { LATE(fchmodat2), { DIRFD, FILE_PATH, 0600, 0 } }, 1, READ },
	{ { OLD(chown), { FILE_PATH, 0, 0 } }, 0, READ },
	{ { OLD(lchown), { FILE_PATH, 0, 0 } }, 0, READ },
	{ { NEW(fchownat), { DIRFD, FILE_PATH, 0, 0, 0 } }, 1, READ },
	{ { NEW(utimensat), { DIRFD, FILE_PATH, 0, 0 } }, 1, READ | OPTIONAL },
	{ { NEW(utimensat), { DIRFD, FILE_PATH, 0, 0 } }, 2, READ | OPTIONAL },
	{ { NEW(truncate), { FILE_PATH, PAGE } }, 0, READ },
	{ { NEW(memfd_create), { FILE_PATH, 0 } }, 0, READ },
	{ { NEW(socketpair), { AF_UNIX, SOCK_STREAM, 0, BUF } }, 3, WRITES },
	{ { NEW(bind), { LOOSE, ADDRESS, 20 } }, 1, READ },
	{ { NEW(connect), { LOOSE, ADDRESS, 20 } }, 1, READ },
	{ { NEW(sendto), { SOCKET, BUF, 64, MSG_DONTWAIT, 0, 0 } }, 1, READ },
	{ { NEW(recvfrom), { SOCKET, BUF, 64, MSG_DONTWAIT, 0, 0 } }, 1, WRITES },
	{ { NEW(sendmsg), { SOCKET, MESSAGE, MSG_DONTWAIT } }, 1, READ },
	{ { NEW(recvmsg), { SOCKET, MESSAGE, MSG_DONTWAIT } }, 1, WRITES },
	{ { NEW(getsockname), { LISTENER, BUF, ADDRESS_LEN } }, 1, WRITES },
	{ { NEW(getsockname), { LISTENER, BUF, ADDRESS_LEN } }, 2, WRITES },
	{ { NEW(getpeername), { SOCKET, BUF, ADDRESS_LEN } }, 2, WRITES },
	{ { NEW(getsockopt), { SOCKET, SOL_SOCKET, SO_TYPE, BUF, ADDRESS_LEN } }, 3, WRITES },
	{ { NEW(getsockopt), { SOCKET, SOL_SOCKET, SO_TYPE, BUF, ADDRESS_LEN } }, 4, WRITES },
	{ { NEW(getresuid), { BUF, BUF, BUF } }, 0, WRITES },
	{ { NEW(getresgid), { BUF, BUF, BUF } }, 0, WRITES },
	{ { NEW(setgroups), { 2, ZEROS } }, 1, READ },
	{ { NEW(rt_sigaction), { SIGUSR1, 0, 0, 8 } }, 1, READ | OPTIONAL },
	{ { NEW(rt_sigaction), { SIGUSR1, 0, 0, 8 } }, 2, WRITES | OPTIONAL },
	{ { NEW(rt_sigprocmask), { SIG_BLOCK, 0, 0, 8 } }, 1, READ | OPTIONAL },
	{ { NEW(rt_sigprocmask), { SIG_BLOCK, 0, 0, 8 } }, 2, WRITES | OPTIONAL },
	{ { NEW(rt_sigpending), { BUF, 8 } }, 0, WRITES },
	{ { NEW(rt_sigtimedwait), { SIGNALS, 0, ZEROS, 8 } }, 0, READ },
	{ { NEW(rt_sigtimedwait), { SIGNALS, 0, ZEROS, 8 } }, 2, READ | OPTIONAL },
	{ { NEW(rt_sigqueueinfo), { SELF, 0, ZEROS } }, 2, READ },
	{ { NEW(rt_sigsuspend), { SIGNALS, 8 } }, 0, READ },
	{ { NEW(sigaltstack), { 0, 0 } }, 0, READ | OPTIONAL },
	{ { NEW(sigaltstack), { 0, 0 } }, 1, WRITES | OPTIONAL },
	{ { OLD(getrlimit), { RLIMIT_NOFILE, BUF } }, 1, WRITES },
	{ { OLD(setrlimit), { RLIMIT_NOFILE, LIMIT } }, 1, READ },
	{ { NEW(prlimit64), { 0, RLIMIT_NOFILE, 0, 0 } }, 2, READ | OPTIONAL },
	{ { NEW(prlimit64), { 0, RLIMIT_NOFILE, 0, 0 } }, 3, WRITES | OPTIONAL },
	{ { NEW(waitid), { P_ALL, 0, 0, WEXITED | WNOHANG, 0 } }, 2, WRITES | OPTIONAL },
};

static void expect_efault(const struct call *call, int at, int kind)
{
	addr_t end = arena + (LAST + 1) * PAGE;

	for (addr_t i = 1; i <= 64; i++)
		st8(end - i, 'a'); /* without an end, if it is a string */
	if (!(kind & OPTIONAL))
		expect_error(call, at, 0, EFAULT, "NULL");
	expect_error(call, at, pointer(1), EFAULT, "low");
	expect_error(call, at, pointer(arena + UNMAPPED * PAGE), EFAULT, "unmapped");
	expect_error(call, at, pointer(arena + UNMAPPED * PAGE + 1), EFAULT, "unmapped and odd");
	expect_error(call, at, pointer(arena + NO_ACCESS * PAGE), EFAULT, "without access");
	expect_error(call, at, pointer(arena + PAST_END * PAGE), EFAULT, "past the end of a file");
	expect_error(call, at, pointer((addr_t)1 << 60), EFAULT, "beyond all addresses");
	expect_error(call, at, pointer(-(addr_t)PAGE), EFAULT, "of the kernel's last page");
	if (kind & WRITES)
		expect_error(call, at, pointer(arena + READ_ONLY * PAGE), EFAULT, "read-only");
	if (!(kind & PIECES))
		expect_error(call, at, pointer(end - 1), EFAULT, "half mapped");
	if (!(kind & (PIECES | WORD)))
		expect_error(call, at, pointer(end - 3), EFAULT, "half mapped and odd");
}

TEST(bad_calls, pointers_that_lead_nowhere_fail_EFAULT_and_change_nothing)
{
	/* EFAULT of every call; 57: no signal is raised, whatever a load there would do. */
	struct state before;

	build(&before);
	for (size_t i = 0; i < N(of_pointers); i++) {
		if (!is_there(&of_pointers[i].call))
			continue;
		expect_efault(&of_pointers[i].call, of_pointers[i].at, of_pointers[i].kind);
		expect_unchanged(&before, of_pointers[i].call.name);
	}
	take_down();
}

/* ---- paths ---- */

static bool is_path(size_t row)
{
	int arg = of_pointers[row].call.args[of_pointers[row].at];
	const char *name = of_pointers[row].call.name;

	if (strcmp(name, "memfd_create") == 0 || (strncmp(name, "symlink", 7) == 0 && of_pointers[row].at == 0))
		return false;
	return arg == FILE_PATH || arg == NEW_PATH || arg == DIR_PATH || arg == LINK_PATH;
}

/* dir_path/rest */
static long below(char path[PATH_MAX + 2], const char *rest)
{
	snprintf(path, PATH_MAX + 2, "%s/%s", dir_path, rest);
	return (long)(uintptr_t)path;
}

static void expect_bad_paths(const struct call *call, int at)
{
	char path[PATH_MAX + 2], name[300], loop[210];

	snprintf(loop, sizeof(loop), "%s/loop", dir_path);
	SETUP(x_symlink("loop", loop) == 0);
	expect_error(call, at, below(path, "file/x"), ENOTDIR, "below a file");
	expect_error(call, at, below(path, "missing/x"), ENOENT, "below what is not there");
	expect_error(call, at, below(path, "loop/x"), ELOOP, "through a ring of links");
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	expect_error(call, at, below(path, name), ENAMETOOLONG, "of a long name");
	memset(path, '/', sizeof(path));
	path[PATH_MAX] = '\0';
	expect_error(call, at, (long)(uintptr_t)path, ENAMETOOLONG, "of 4096 bytes");
	expect_error(call, at, (long)(uintptr_t) "", ENOENT, "empty");
	SETUP(x_unlink(loop) == 0);
}

TEST(bad_calls, paths_that_lead_nowhere_fail_and_change_nothing)
{
	/* ENOTDIR, ENOENT, ELOOP and ENAMETOOLONG of open(2) and all others that take a path. */
	struct state before;

	build(&before);
	for (size_t i = 0; i < N(of_pointers); i++) {
		if (!is_path(i) || !is_there(&of_pointers[i].call))
			continue;
		expect_bad_paths(&of_pointers[i].call, of_pointers[i].at);
		expect_unchanged(&before, of_pointers[i].call.name);
	}
	take_down();
}

static int is_kept_out(void *arg)
{
	char path[PATH_MAX + 2];
	int nwrong = 0;

	(void)arg;
	CHILD_EXPECT(x_setresgid(65534, 65534, 65534) == 0 && x_setresuid(65534, 65534, 65534) == 0);
	for (size_t i = 0; i < N(of_pointers); i++) {
		const struct call *call = &of_pointers[i].call;
		long result = -EACCES;

		if (is_path(i) && is_there(call))
			result = outcome(call, of_pointers[i].at, below(path, "closed/x"));
		if (result != -EACCES && result != -ENOSYS) {
			fprintf(stderr, "# %s, argument %d: %ld\n", call->name, of_pointers[i].at, result);
			nwrong++;
		}
	}
	return nwrong;
}

TEST(bad_calls, paths_through_a_directory_that_may_not_be_searched_fail_EACCES)
{
	/* path_resolution(7): of whatever call. */
	char closed[PATH_MAX + 2];
	struct state before;

	build(&before);
	below(closed, "closed");
	SETUP(x_mkdir(closed, 0700) == 0);
	EXPECT_EQ(in_child(is_kept_out, NULL), 0);
	SETUP(x_rmdir(closed) == 0);
	expect_unchanged(&before, "a call");
	take_down();
}

/* ---- flags ---- */

/* Bits that a call knows in the argument; every other one alone fails with err, added to what the row says. */
static const struct {
	struct call call;
	int at;
	unsigned known;
	int err;
} of_flags[] = {
	{ { NEW(mprotect), { 0, PAGE, 0 } }, 2, 0x300000f, EINVAL },
	{ { NEW(msync), { 0, PAGE, 0 } }, 2, 7, EINVAL },
	{ { NEW(mlockall), { 0 } }, 0, 7, EINVAL },
	{ { NEW(mlock2), { 0, PAGE, 0 } }, 2, 1, EINVAL },
	{ { NEW(mremap), { 0, PAGE, PAGE, 0, 0 } }, 3, 7, EINVAL },
	{ { NEW(process_vm_readv), { SELF, IOVEC, 1, IOVEC, 1, 0 } }, 5, 0, EINVAL },
	{ { NEW(process_vm_writev), { SELF, IOVEC, 1, IOVEC, 1, 0 } }, 5, 0, EINVAL },
	{ { NEW(dup3), { MEMFD, 500, 0 } }, 2, O_CLOEXEC, EINVAL },
	{ { NEW(fallocate), { MEMFD, 0, 0, PAGE } }, 1, 3, EOPNOTSUPP },
	{ { NEW(fcntl), { SINK, F_ADD_SEALS, 0 } }, 2, 0x3f, EINVAL },
	{ { NEW(copy_file_range), { MEMFD, 0, SINK, 0, 64, 0 } }, 5, 0, EINVAL },
	{ { NEW(memfd_create), { FILE_PATH, 0 } }, 1, 0x1f, EINVAL },
	{ { NEW(unlinkat), { DIRFD, NEW_PATH, 0 } }, 2, AT_REMOVEDIR, EINVAL },
	{ { NEW(linkat), { DIRFD, FILE_PATH, DIRFD, FILE_PATH, 0 } }, 4, AT_SYMLINK_FOLLOW | AT_EMPTY_PATH, EINVAL },
	{ { NEW(renameat2), { DIRFD, FILE_PATH, DIRFD, FILE_PATH, 0 } }, 4, 7, EINVAL },
	{ { NEW(newfstatat), { DIRFD, FILE_PATH, BUF, 0 } }, 3, 0x7900, EINVAL },
	{ { NEW(faccessat2), { DIRFD, FILE_PATH, 0, 0 } },
	  3,
	  AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
	  EINVAL },
	{ { NEW(faccessat2), { DIRFD, FILE_PATH, 0, 0 } }, 2, 7, EINVAL },
	{ { LATE(fchmodat2), { DIRFD, FILE_PATH, 0600, 0 } }, 3, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, EINVAL },
	{ { NEW(fchownat), { DIRFD, FILE_PATH, 0, 0, 0 } }, 4, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, EINVAL },
	{ { NEW(utimensat), { DIRFD, FILE_PATH, 0, 0 } }, 3, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, EINVAL },
	{ { NEW(accept4), { LISTENER, 0, 0, 0 } }, 3, SOCK_CLOEXEC | SOCK_NONBLOCK, EINVAL },
	{ { NEW(wait4), { -1, 0, 0, 0 } }, 2, 0xe000000b, EINVAL },
	{ { NEW(waitid), { P_ALL, 0, 0, WEXITED, 0 } }, 3, 0xe100000f, EINVAL },
};

TEST(bad_calls, unknown_flags_fail_and_change_nothing)
{
	/* EINVAL, and EOPNOTSUPP of fallocate. Flags that are ignored: mmap(2), open(2), send(2), getrandom's kin. */
	struct state before;

	build(&before);
	for (size_t i = 0; i < N(of_flags); i++) {
		const struct call *call = &of_flags[i].call;
		char what[32];

		for (int bit = 0; bit < 32 && is_there(call); bit++) {
			unsigned flag = 1u << bit;

			snprintf(what, sizeof(what), "%#x", flag);
			if (!(flag & of_flags[i].known))
				expect_error(call, of_flags[i].at, (long)(int)flag | call->args[of_flags[i].at],
				             of_flags[i].err, what);
		}
		expect_unchanged(&before, call->name);
	}
	take_down();
}

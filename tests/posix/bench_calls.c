// SPDX-License-Identifier: MIT
/*
 * Libc's names, called by a process and by nobody.
 */
#include "bed.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

static int use_memory(void *unused)
{
	int fd = memfd_create("pool", MFD_ALLOW_SEALING);
	struct stat st;
	char *p, *q;

	(void)unused;
	IN(fd == 3);
	IN(ftruncate(fd, 2 * PAGE) == 0 && fstat(fd, &st) == 0 && st.st_size == 2 * PAGE && S_ISREG(st.st_mode));
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	IN(p != MAP_FAILED);
	strcpy(p, "hello");
	q = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	IN(q != MAP_FAILED && q != p && strcmp(q, "hello") == 0);
	IN(pread(fd, p + PAGE, 5, 0) == 5 && memcmp(p + PAGE, "hello", 5) == 0);
	IN(lseek(fd, 1, SEEK_SET) == 1 && write(fd, "E", 1) == 1 && p[1] == 'E' && q[1] == 'E');
	IN_FAILS(write(fd, p + 2 * PAGE, 1), EFAULT);
	IN_FAILS(munmap(p + 1, PAGE), EINVAL);
	IN_FAILS(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0), EINVAL);
	IN_FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, 99, 0), EBADF);
	IN(mmap(q, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == q && q[1] == 0);
	IN(mprotect(p, PAGE, PROT_READ) == 0);
	IN_FAILS(read(fd, p, 1), EFAULT);
	IN(posix_fallocate(fd, 0, 3 * PAGE) == 0 && posix_fallocate(99, 0, 1) == EBADF);
	IN(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0 && fcntl(fd, F_GET_SEALS) == F_SEAL_SHRINK);
	IN_FAILS(ftruncate(fd, 0), EPERM);
	IN(fcntl(fd, F_DUPFD_CLOEXEC, 10) == 10 && fcntl(10, F_GETFD) == FD_CLOEXEC && close(10) == 0);
	IN(munmap(p, 2 * PAGE) == 0 && munmap(q, PAGE) == 0 && close(fd) == 0);
	IN_FAILS(close(fd), EBADF);
	return 0;
}

TEST(posix_calls, memory_files_and_mappings_of_a_process_are_plain_C)
{
	bed_run(use_memory, NULL);
}

static int use_advice(void *unused)
{
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec here = { p, 5 }, there = { p + PAGE, 5 };
	unsigned char in[3] = { 9, 9, 9 };

	(void)unused;
	IN(p != MAP_FAILED);
	strcpy(p, "hello");
	IN(process_vm_writev(getpid(), &here, 1, &there, 1, 0) == 5 && memcmp(p + PAGE, "hello", 5) == 0);
	p[0] = 'J';
	IN(process_vm_readv(getpid(), &there, 1, &here, 1, 0) == 5 && p[PAGE] == 'J');
	IN(madvise(p, PAGE, MADV_DONTNEED) == 0 && p[0] == 0 && p[PAGE] == 'J');
	IN(posix_madvise(p + PAGE, PAGE, POSIX_MADV_DONTNEED) == 0 && p[PAGE] == 'J');
	IN(posix_madvise(p + 1, PAGE, POSIX_MADV_WILLNEED) == EINVAL);
	IN(mincore(p, 3 * PAGE, in) == 0 && in[0] == 1 && in[1] == 1 && in[2] == 0);
	IN(mlock(p + 2 * PAGE, 1) == 0 && mincore(p, 3 * PAGE, in) == 0 && in[2] == 1);
	IN_FAILS(msync(p, 3 * PAGE, MS_INVALIDATE), EBUSY);
	IN(munlock(p, 3 * PAGE) == 0 && msync(p, 3 * PAGE, MS_INVALIDATE) == 0);
	IN(mlock2(p, PAGE, MLOCK_ONFAULT) == 0 && mlockall(MCL_CURRENT) == 0 && munlockall() == 0);
	IN_FAILS(mlockall(0), EINVAL);
	IN_FAILS(madvise(p, PAGE, -1), EINVAL);
	IN(munmap(p, 3 * PAGE) == 0);
	return 0;
}

TEST(posix_calls, advice_and_locks_take_plain_pointers)
{
	bed_run(use_advice, NULL);
}

static int use_sockets(void *unused)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "/tmp/ksim-posix-no-such-file" };
	int listening = socket(AF_UNIX, SOCK_STREAM, 0), end, accepted;
	socklen_t len = sizeof(name);
	char buf[4];

	(void)unused;
	IN(bind(listening, (struct sockaddr *)&name, sizeof(name)) == 0 && listen(listening, 1) == 0);
	end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	IN(connect(end, (struct sockaddr *)&name, sizeof(name)) == 0);
	accepted = accept(listening, (struct sockaddr *)&name, &len);
	IN(accepted > end && len == sizeof(sa_family_t));
	IN(send(end, "abc", 3, 0) == 3 && recv(accepted, buf, sizeof(buf), 0) == 3 && memcmp(buf, "abc", 3) == 0);
	IN(shutdown(end, SHUT_WR) == 0 && read(accepted, buf, 1) == 0);
	IN_FAILS(setsockopt(end, SOL_SOCKET, SO_SNDBUF, buf, 4), ENOSYS);
	IN(unlink("/tmp/ksim-posix-no-such-file") == 0);
	IN(close(end) == 0 && close(accepted) == 0 && close(listening) == 0);
	return 0;
}

TEST(posix_calls, sockets_and_their_names_are_of_the_machine)
{
	bed_run(use_sockets, NULL);
}

static int use_rows(void *unused)
{
	int fd = memfd_create("rows", 0), copy = memfd_create("copy", 0), ends[2];
	char a[3] = "", b[3] = "", *p;
	struct iovec iov[2] = { { a, 2 }, { b, 2 } };
	off_t in = 0, out = 2;

	(void)unused;
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	IN(p != MAP_FAILED);
	/* The row itself, and one of its buffers, in the window. */
	strcpy(p, "ABCD");
	*(struct iovec *)(void *)(p + 8) = (struct iovec){ p, 4 };
	IN(writev(fd, (struct iovec *)(void *)(p + 8), 1) == 4);
	IN(pwritev(fd, (struct iovec[]){ { p, 1 } }, 1, 4) == 1);
	IN(preadv(fd, iov, 2, 0) == 4 && strcmp(a, "AB") == 0 && strcmp(b, "CD") == 0);
	IN(lseek(fd, 1, SEEK_SET) == 1 && readv(fd, iov, 1) == 2 && strcmp(a, "BC") == 0);
	IN(pwritev2(fd, iov, 1, 0, RWF_APPEND) == 2 && preadv2(fd, iov, 1, 5, 0) == 2 && strcmp(a, "BC") == 0);
	IN_FAILS(preadv2(fd, iov, 1, 0, 1 << 30), EOPNOTSUPP);
	IN(copy_file_range(fd, &in, copy, &out, 4, 0) == 4 && in == 4 && out == 6);
	IN(pread(copy, p, 6, 0) == 6 && memcmp(p, "\0\0ABCD", 6) == 0);
	IN(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	IN(sendfile(ends[0], copy, &(off_t){ 2 }, 4) == 4 && read(ends[1], p, 8) == 4 && memcmp(p, "ABCD", 4) == 0);
	IN(fsync(fd) == 0 && fdatasync(fd) == 0);
	IN_FAILS(fsync(ends[0]), EINVAL);
	IN(lseek(copy, 0, SEEK_HOLE) == 6 && fallocate(fd, 3, 0, 1) == 0 && pread(fd, p, 1, 0) == 1 && p[0] == 0);
	IN(munmap(p, PAGE) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0 && close(copy) == 0 && close(fd) == 0);
	return 0;
}

TEST(posix_calls, rows_and_copies_are_of_the_process)
{
	bed_run(use_rows, NULL);
}

static int use_remaps(void *unused)
{
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	char *p, *q, *end = sbrk(0);

	(void)unused;
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, anonymous, -1, 0);
	q = mmap(NULL, 3 * PAGE, PROT_READ, anonymous, -1, 0);
	IN(p != MAP_FAILED && q != MAP_FAILED);
	strcpy(p, "here");
	IN(mremap(p, 2 * PAGE, PAGE, 0) == p && strcmp(p, "here") == 0);
	IN(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + PAGE) == q + PAGE);
	IN(strcmp(q + PAGE, "here") == 0 && q[0] == 0);
	q[2 * PAGE] = 'x';
	IN_FAILS(mremap(q, PAGE, 4 * PAGE, 0) == MAP_FAILED ? -1 : 0, ENOMEM);
	p = mremap(q, PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	IN(p != MAP_FAILED && p[3 * PAGE] == 0);
	IN(munmap(p, 4 * PAGE) == 0 && munmap(q, 3 * PAGE) == 0);
	IN(end != (void *)-1 && sbrk(2 * PAGE) == end && sbrk(0) == end + 2 * PAGE);
	end[2 * PAGE - 1] = 'y';
	IN(brk(end + PAGE) == 0 && sbrk(0) == end + PAGE);
	IN(brk(end) == 0);
	p = (char *)syscall(SYS_mmap, NULL, PAGE, PROT_READ | PROT_WRITE, anonymous, -1, 0L);
	*p = 'z';
	q = (char *)syscall(SYS_mremap, p, PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0L);
	IN(q != MAP_FAILED && *q == 'z' && munmap(q, 3 * PAGE) == 0);
	IN((char *)syscall(SYS_brk, 0L) == end);
	return 0;
}

TEST(posix_calls, mappings_move_and_the_heap_grows)
{
	bed_run(use_remaps, NULL);
}

static int use_numbers(void *unused)
{
	char *p;

	(void)unused;
	IN(syscall(SYS_getpid) == getpid() && getpid() == 2 && getppid() == 1 && gettid() == 2 && getuid() == 0);
	p = (char *)syscall(SYS_mmap, NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
	IN(p != MAP_FAILED);
	p[PAGE - 1] = 'x';
	IN(syscall(SYS_munmap, p, PAGE) == 0);
	IN_FAILS(syscall(SYS_close, 99), EBADF);
	IN_FAILS(syscall(SYS_memfd_create, NULL, 0), EFAULT);
	IN(syscall(SYS_sched_yield) == 0);
	return 0;
}

TEST(posix_calls, syscall_by_the_hosts_number_is_the_machines)
{
	bed_run(use_numbers, NULL);
}

static int use_paths(void *unused)
{
	char text[64];
	struct stat st;
	int fd;

	(void)unused;
	IN(mkdir("/tmp/d", 0700) == 0 && chdir("/tmp/d") == 0);
	IN(getcwd(text, sizeof(text)) != NULL && strcmp(text, "/tmp/d") == 0);
	fd = creat("f", 0600);
	IN(fd >= 0 && write(fd, "abc", 3) == 3 && close(fd) == 0);
	IN(link("f", "g") == 0 && symlink("f", "l") == 0 && rename("g", "h") == 0);
	IN(stat("l", &st) == 0 && st.st_size == 3 && st.st_nlink == 2);
	IN(lstat("l", &st) == 0 && S_ISLNK(st.st_mode));
	IN(readlink("l", text, sizeof(text)) == 1);
	IN(access("f", R_OK) == 0 && chmod("f", 0400) == 0 && truncate("f", 1) == 0);
	IN(umask(077) == 022 && umask(022) == 077);
	fd = shm_open("/pool", O_CREAT | O_RDWR, 0600);
	IN(fd >= 0 && ftruncate(fd, PAGE) == 0 && close(fd) == 0 && stat("/dev/shm/pool", &st) == 0);
	IN(shm_unlink("/pool") == 0);
	IN(unlink("f") == 0 && unlink("h") == 0 && unlink("l") == 0 && chdir("/") == 0 && rmdir("/tmp/d") == 0);
	IN_FAILS(stat("/tmp/d", &st), ENOENT);
	return 0;
}

TEST(posix_calls, paths_are_the_machines)
{
	bed_run(use_paths, NULL);
}

static int use_what_is_not_there(void *unused)
{
	struct epoll_event event = { 0 };
	int fds[2];

	(void)unused;
	IN_FAILS(pipe(fds), ENOSYS);
	IN_FAILS(epoll_create1(0), ENOSYS);
	IN_FAILS(epoll_ctl(1, EPOLL_CTL_ADD, 2, &event), ENOSYS);
	IN_FAILS(open("/etc/passwd", O_RDONLY), ENOENT);
	IN_FAILS(creat("/etc/ksim-posix-no-such-file", 0600), ENOENT);
	IN_FAILS(openat(AT_FDCWD, "/proc/self/fd/99", O_RDONLY), ENOENT);
	IN_FAILS(unlinkat(AT_FDCWD, "nothing", 0), ENOENT);
	IN(kill(1, SIGTERM) == 0); /* which the machine's init does not notice */
	IN_FAILS(kill(1000, SIGTERM), ESRCH);
	return 0;
}

TEST(posix_calls, what_is_not_implemented_does_not_reach_the_host)
{
	bed_run(use_what_is_not_there, NULL);
}

static int use_limits(void *unused)
{
	struct rlimit limit;

	(void)unused;
	IN(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 1024);
	limit.rlim_cur = 4;
	IN(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	IN(dup(1) == 3);
	IN_FAILS(dup(1), EMFILE);
	IN(prlimit(0, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_cur == 4);
	IN(close(3) == 0);
	return 0;
}

TEST(posix_calls, limits_are_the_processs)
{
	bed_run(use_limits, NULL);
}

static int child(void *arg)
{
	_exit(*(int *)arg);
}

static int use_children(void *unused)
{
	int code = 7, status;
	struct rusage usage;

	(void)unused;
	IN(ksim_fork_into(child, &code) == 3 && waitpid(3, &status, 0) == 3);
	IN(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	IN(ksim_fork_into(child, &code) == 4 && wait(&status) == 4);
	IN(ksim_fork_into(child, &code) == 5 && wait4(5, &status, 0, &usage) == 5);
	IN_FAILS(wait3(&status, 0, NULL), ECHILD);
	return 0;
}

TEST(posix_calls, children_end_by__exit_and_are_waited_for)
{
	bed_run(use_children, NULL);
}

TEST(posix_calls, calls_as_nobody_are_the_hosts)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p");
	pid_t pid = (pid_t)syscall(SYS_getpid);
	int fds[2], fd, inside = -1;
	char byte;

	EXPECT_EQ(getpid(), pid);
	EXPECT(pid != 2);
	REQUIRE_EQ(pipe(fds), 0);
	EXPECT_EQ(write(fds[1], "x", 1), 1);
	EXPECT_EQ(read(fds[0], &byte, 1), 1);
	fd = open("/dev/null", O_WRONLY);
	EXPECT(fd >= 0);
	ksim_as(p) {
		inside = memfd_create("x", 0);
		EXPECT_EQ(getpid(), ksim_process_pid(p));
		EXPECT_EQ(close(fds[0]) < 0 ? errno : 0, fds[0] == inside ? 0 : EBADF);
	}
	EXPECT_EQ(inside, 3);
	EXPECT_EQ(write(fds[1], "y", 1), 1);
	EXPECT_EQ(close(fds[0]), 0);
	EXPECT_EQ(close(fds[1]), 0);
	EXPECT_EQ(close(fd), 0);
	bed_halt(m);
}

static int use_a_buffer(void *unused)
{
	int fd = memfd_create("x", 0);
	char *p, text[4];

	(void)unused;
	IN(ftruncate(fd, PAGE) == 0);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	IN(p != MAP_FAILED && write(fd, "abcd", 4) == 4);
	IN(write(fd, p, 4) == 4 && pread(fd, text, 4, 4) == 4 && memcmp(text, "abcd", 4) == 0);
	IN(mprotect(p, PAGE, PROT_READ) == 0);
	IN_FAILS(pread(fd, p, 4, 0), EFAULT);
	IN(munmap(p, PAGE) == 0);
	IN_FAILS(write(fd, p, 4), EFAULT);
	return close(fd);
}

TEST(posix_calls, mapping_on_a_soft_machine_is_a_buffer_for_calls)
{
	const struct ksim_config config = { .access = KSIM_ACCESS_SOFT };
	struct ksim_machine *m = ksim_boot(&config);
	struct ksim_process *p;
	struct ksim_end end;

	SETUP(m != NULL);
	p = bed_process(m, "p");
	EXPECT_EQ(ksim_run(p, use_a_buffer, NULL, &end), 0);
	EXPECT_MSG(end.alive && end.code == 0, "%s, line %d", end.text, end.code);
	EXPECT_EQ(ksim_leaks(m, p, 0), 0);
	bed_halt(m);
}

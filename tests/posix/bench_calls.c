// SPDX-License-Identifier: MIT
/*
 * Libc's names, called by a process and by nobody.
 */
#include "bed.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
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

static int use_what_is_not_there(void *unused)
{
	struct epoll_event event = { 0 };
	int fds[2];

	(void)unused;
	IN_FAILS(pipe(fds), ENOSYS);
	IN_FAILS(epoll_create1(0), ENOSYS);
	IN_FAILS(epoll_ctl(1, EPOLL_CTL_ADD, 2, &event), ENOSYS);
	IN_FAILS(readv(0, NULL, 0), ENOSYS);
	IN_FAILS(mremap(NULL, PAGE, PAGE, 0), ENOSYS);
	IN_FAILS(open("/etc/passwd", O_RDONLY), ENOENT);
	IN_FAILS(creat("/tmp/ksim-posix-no-such-file", 0600), ENOENT);
	IN_FAILS(openat(AT_FDCWD, "/proc/self/fd/99", O_RDONLY), ENOENT);
	IN_FAILS(unlinkat(AT_FDCWD, "nothing", 0), ENOENT);
	IN_FAILS(kill(1, SIGTERM), ENOSYS);
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

// SPDX-License-Identifier: MIT
/*
 * Lines of the trace, against what strace 6.1 -y prints for the same calls.
 */
#include "bed.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "host/memory.h"
#include "syscall/abi.h"

#define EXPECT_LINE(bed, text) EXPECT_STREQ(without_inodes((bed)->line), text)

/* socket:[7] becomes socket:[N] */
static const char *without_inodes(char *line)
{
	char *at = line;

	while ((at = strstr(at, "socket:[")) != NULL) {
		char *end = strchr(at, ']');

		at += strlen("socket:[");
		if (end == NULL)
			break;
		*at++ = 'N';
		memmove(at, end, strlen(end) + 1);
	}
	return line;
}

TEST(format, files)
{
	uint8_t stat[144];
	struct bed bed;
	char buf[64];

	bed_open(&bed);
	bed_trace(&bed);
	CALL(&bed, memfd_create, p("x"), MEMFD_CLOEXEC | MEMFD_ALLOW_SEALING);
	EXPECT_LINE(&bed, "memfd_create(\"x\", MFD_CLOEXEC|MFD_ALLOW_SEALING) = 0</memfd:x>(deleted)");
	CALL(&bed, memfd_create, p("y"), 0x1001);
	EXPECT_LINE(&bed, "memfd_create(\"y\", MFD_CLOEXEC|0x1000) = -1 EINVAL (Invalid argument)");
	CALL(&bed, memfd_create, 0, 0x1000);
	EXPECT_LINE(&bed, "memfd_create(NULL, 0x1000 /* MFD_??? */) = -1 EINVAL (Invalid argument)");
	CALL(&bed, ftruncate, 0, 16384);
	EXPECT_LINE(&bed, "ftruncate(0</memfd:x>(deleted), 16384) = 0");
	CALL(&bed, write, 0, p("hello\n\0\1\0012 this is a long string of more than 32 bytes"), 50);
	EXPECT_LINE(&bed, "write(0</memfd:x>(deleted), \"hello\\n\\0\\1\\0012 this is a long string\"..., 50) = 50");
	CALL(&bed, pread64, 0, p(buf), 5, 0);
	EXPECT_LINE(&bed, "pread64(0</memfd:x>(deleted), \"hello\", 5, 0) = 5");
	CALL(&bed, read, 0, BAD, 5);
	EXPECT_LINE(&bed, "read(0</memfd:x>(deleted), 0x8, 5) = -1 EFAULT (Bad address)");
	CALL(&bed, write, 55, p("hi"), 2);
	EXPECT_LINE(&bed, "write(55, \"hi\", 2) = -1 EBADF (Bad file descriptor)");
	CALL(&bed, lseek, 0, -UINT64_C(3), 1);
	EXPECT_LINE(&bed, "lseek(0</memfd:x>(deleted), -3, SEEK_CUR) = 47");
	CALL(&bed, fstat, 0, p(stat));
	EXPECT_LINE(&bed, "fstat(0</memfd:x>(deleted), {st_mode=S_IFREG|0777, st_size=16384, ...}) = 0");
	CALL(&bed, fallocate, 0, 3, 0, 0);
	EXPECT_LINE(&bed, "fallocate(0</memfd:x>(deleted), FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 0, 0) = -1 EINVAL "
	                  "(Invalid argument)");
	CALL(&bed, open, p("/proc/self/fd/0"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	EXPECT_LINE(&bed, "open(\"/proc/self/fd/0\", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 1</memfd:x>(deleted)");
	CALL(&bed, openat, -UINT64_C(100), p("/none"), O_RDONLY);
	EXPECT_LINE(&bed, "openat(AT_FDCWD, \"/none\", O_RDONLY) = -1 ENOENT (No such file or directory)");
	CALL(&bed, unlinkat, -UINT64_C(100), p("/none"), 0);
	EXPECT_LINE(&bed, "unlinkat(AT_FDCWD, \"/none\", 0) = -1 ENOENT (No such file or directory)");
	bed_close(&bed);
}

TEST(format, descriptors)
{
	struct bed bed;

	bed_open(&bed);
	bed_memfd(&bed);
	bed_trace(&bed);
	CALL(&bed, dup2, 0, 9);
	EXPECT_LINE(&bed, "dup2(0</memfd:x>(deleted), 9) = 9</memfd:x>(deleted)");
	CALL(&bed, dup3, 0, 9, O_CLOEXEC);
	EXPECT_LINE(&bed, "dup3(0</memfd:x>(deleted), 9</memfd:x>(deleted), O_CLOEXEC) = 9</memfd:x>(deleted)");
	CALL(&bed, close, 9);
	EXPECT_LINE(&bed, "close(9</memfd:x>(deleted)) = 0");
	CALL(&bed, close, 9);
	EXPECT_LINE(&bed, "close(9) = -1 EBADF (Bad file descriptor)");
	CALL(&bed, fcntl, 0, F_GETFL);
	EXPECT_LINE(&bed, "fcntl(0</memfd:x>(deleted), F_GETFL) = 0x8002 (flags O_RDWR|O_LARGEFILE)");
	CALL(&bed, fcntl, 0, F_SETFL, O_NONBLOCK);
	EXPECT_LINE(&bed, "fcntl(0</memfd:x>(deleted), F_SETFL, O_RDONLY|O_NONBLOCK) = 0");
	CALL(&bed, fcntl, 0, F_DUPFD, 5);
	EXPECT_LINE(&bed, "fcntl(0</memfd:x>(deleted), F_DUPFD, 5) = 5</memfd:x>(deleted)");
	CALL(&bed, fcntl, 0, F_SETFD, FD_CLOEXEC);
	EXPECT_LINE(&bed, "fcntl(0</memfd:x>(deleted), F_SETFD, FD_CLOEXEC) = 0");
	CALL(&bed, fcntl, 0, F_GETFD);
	EXPECT_LINE(&bed, "fcntl(0</memfd:x>(deleted), F_GETFD) = 0x1 (flags FD_CLOEXEC)");
	CALL(&bed, fcntl, 0, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	EXPECT_LINE(&bed, "fcntl(0</memfd:x>(deleted), F_ADD_SEALS, F_SEAL_SHRINK|F_SEAL_GROW) = 0");
	CALL(&bed, fcntl, 0, F_GET_SEALS);
	EXPECT_LINE(&bed, "fcntl(0</memfd:x>(deleted), F_GET_SEALS) = 0x6 (seals F_SEAL_SHRINK|F_SEAL_GROW)");
	CALL(&bed, fcntl, 0, 77, 3);
	EXPECT_LINE(&bed, "fcntl(0</memfd:x>(deleted), 0x4d /* F_??? */, 0x3) = -1 EINVAL (Invalid argument)");
	bed_close(&bed);
}

TEST(format, memory)
{
	struct bed bed;

	bed_open(&bed);
	bed_memfd(&bed);
	bed_trace(&bed);
	CALL(&bed, mmap, NOWHERE, 16384, 3, 0x11, 0, 4096);
	EXPECT_LINE(&bed,
	            "mmap(0x20000000, 16384, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 0</memfd:x>(deleted), 0x1000) "
	            "= 0x20000000");
	CALL(&bed, mmap, 0, 4096, 0, 0x22, MINUS_ONE, 1);
	EXPECT_LINE(&bed,
	            "mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0x1) = -1 EINVAL (Invalid argument)");
	CALL(&bed, mmap, 0, 4096, 0x101, 0x800003, 0, 0);
	EXPECT_LINE(&bed,
	            "mmap(NULL, 4096, PROT_READ|0x100, MAP_SHARED_VALIDATE|0x800000, 0</memfd:x>(deleted), 0) = -1 "
	            "EOPNOTSUPP (Operation not supported)");
	CALL(&bed, mprotect, NOWHERE, 4096, 5);
	EXPECT_LINE(&bed, "mprotect(0x20000000, 4096, PROT_READ|PROT_EXEC) = 0");
	CALL(&bed, munmap, NOWHERE, 0);
	EXPECT_LINE(&bed, "munmap(0x20000000, 0) = -1 EINVAL (Invalid argument)");
	bed_close(&bed);
}

TEST(format, sockets)
{
	struct sockaddr_un name = { AF_UNIX, "\0abs-name" };
	socklen_t len = sizeof(name);
	struct bed bed;
	int value;

	bed_open(&bed);
	bed_trace(&bed);
	CALL(&bed, socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	EXPECT_LINE(&bed, "socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK, 0) = 0<socket:[N]>");
	CALL(&bed, socket, 99, 99, 0);
	EXPECT_LINE(&bed, "socket(0x63 /* AF_??? */, SOCK_RAW|0x60 /* SOCK_??? */, 0) = -1 EINVAL (Invalid argument)");
	CALL(&bed, bind, 0, p(&name), 11);
	EXPECT_LINE(&bed, "bind(0<socket:[N]>, {sa_family=AF_UNIX, sun_path=@\"abs-name\"}, 11) = 0");
	CALL(&bed, bind, 0, p(&name), 1);
	EXPECT_MSG(strncmp(without_inodes(bed.line), "bind(0<socket:[N]>, 0x", 22) == 0, "%s", bed.line);
	CALL(&bed, getsockname, 0, p(&name), p(&len));
	EXPECT_LINE(&bed, "getsockname(0<socket:[N]>, {sa_family=AF_UNIX, sun_path=@\"abs-name\"}, [110 => 11]) = 0");
	CALL(&bed, accept, 0, 0, 0);
	EXPECT_LINE(&bed, "accept(0<socket:[N]>, NULL, NULL) = -1 EINVAL (Invalid argument)");
	len = sizeof(value);
	CALL(&bed, getsockopt, 0, SOL_SOCKET, SO_TYPE, p(&value), p(&len));
	EXPECT_LINE(&bed, "getsockopt(0<socket:[N]>, SOL_SOCKET, SO_TYPE, [1], [4]) = 0");
	len = 2;
	CALL(&bed, getsockopt, 0, SOL_SOCKET, SO_TYPE, p(&value), p(&len));
	EXPECT_LINE(&bed, "getsockopt(0<socket:[N]>, SOL_SOCKET, SO_TYPE, \"\\1\\0\", [2]) = 0");
	CALL(&bed, shutdown, 0, 9);
	EXPECT_LINE(&bed, "shutdown(0<socket:[N]>, 0x9 /* SHUT_??? */) = -1 EINVAL (Invalid argument)");
	bed_close(&bed);
}

TEST(format, messages)
{
	union {
		struct cmsghdr header;
		char bytes[24];
	} control = { .header = { CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov[2] = { { (void *)"pool", 4 }, { (void *)"more", 4 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = 24 };
	const int sent[2] = { 0, 1 };
	char buf[100];
	struct bed bed;
	int pair[2];

	bed_open(&bed);
	bed_memfd(&bed);
	bed_trace(&bed);
	bed_pair(&bed, pair);
	EXPECT_LINE(&bed, "socketpair(AF_UNIX, SOCK_STREAM, 0, [1<socket:[N]>, 2<socket:[N]>]) = 0");
	memcpy(CMSG_DATA(&control.header), sent, sizeof(sent));
	CALL(&bed, sendmsg, 1, p(&msg), MSG_NOSIGNAL);
	EXPECT_LINE(&bed,
	            "sendmsg(1<socket:[N]>, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"pool\", iov_len=4}, "
	            "{iov_base=\"more\", iov_len=4}], msg_iovlen=2, msg_control=[{cmsg_len=24, "
	            "cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[0</memfd:x>(deleted), "
	            "1<socket:[N]>]}], msg_controllen=24, msg_flags=0}, MSG_NOSIGNAL) = 8");
	iov[0] = (struct iovec){ buf, sizeof(buf) };
	msg.msg_iovlen = 1;
	CALL(&bed, recvmsg, 2, p(&msg), MSG_CMSG_CLOEXEC);
	EXPECT_LINE(&bed, "recvmsg(2<socket:[N]>, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"poolmore\", "
	                  "iov_len=100}], msg_iovlen=1, msg_control=[{cmsg_len=24, cmsg_level=SOL_SOCKET, "
	                  "cmsg_type=SCM_RIGHTS, cmsg_data=[3</memfd:x>(deleted), 4<socket:[N]>]}], msg_controllen=24, "
	                  "msg_flags=MSG_CMSG_CLOEXEC}, MSG_CMSG_CLOEXEC) = 8");
	CALL(&bed, recvmsg, 2, p(&msg), MSG_DONTWAIT);
	EXPECT_LINE(&bed, "recvmsg(2<socket:[N]>, {msg_namelen=0}, MSG_DONTWAIT) = -1 EAGAIN (Resource temporarily "
	                  "unavailable)");
	CALL(&bed, sendto, 1, p("data"), 4, 0, 0, 0);
	EXPECT_LINE(&bed, "sendto(1<socket:[N]>, \"data\", 4, 0, NULL, 0) = 4");
	CALL(&bed, recvfrom, 2, p(buf), 100, MSG_PEEK, 0, 0);
	EXPECT_LINE(&bed, "recvfrom(2<socket:[N]>, \"data\", 100, MSG_PEEK, NULL, NULL) = 4");
	CALL(&bed, sendmsg, 1, BAD, 0);
	EXPECT_LINE(&bed, "sendmsg(1<socket:[N]>, 0x8, 0) = -1 EFAULT (Bad address)");
	bed_close(&bed);
}

TEST(format, processes)
{
	uint64_t action[4] = { 0x1234, 0x10000004, 0, 1 << (SIGINT - 1) };
	uint64_t limits[2] = { 8192 * 1024, UINT64_MAX };
	struct bed bed;
	int status;

	bed_open(&bed);
	bed_trace(&bed);
	CALL(&bed, getuid, 0);
	EXPECT_LINE(&bed, "getuid() = 0");
	CALL(&bed, wait4, MINUS_ONE, 0, 0x41, 0);
	EXPECT_LINE(&bed, "wait4(-1, NULL, WNOHANG|0x40, NULL) = -1 EINVAL (Invalid argument)");
	CALL(&bed, rt_sigaction, SIGBUS, p(action), 0, 8);
	EXPECT_LINE(&bed,
	            "rt_sigaction(SIGBUS, {sa_handler=0x1234, sa_mask=[INT], sa_flags=SA_RESTART|SA_SIGINFO}, NULL, 8) "
	            "= 0");
	CALL(&bed, prlimit64, 0, 9, p(limits), 0);
	EXPECT_LINE(&bed, "prlimit64(0, RLIMIT_AS, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}, NULL) = 0");
	status = 0x0700;
	EXPECT(syscall_format(&bed.task->ctx, CALL_wait4, (uint64_t[6]){ 5, p(&status), 0, 0 }, KSIM_ARCH_X86_64, 5,
	                      bed.line, sizeof(bed.line)) > 0);
	EXPECT_LINE(&bed, "wait4(5, [{WIFEXITED(s) && WEXITSTATUS(s) == 7}], 0, NULL) = 5");
	CALL(&bed, exit_group, 3);
	EXPECT_LINE(&bed, "exit_group(3) = ?");
	bed_close(&bed);
}

TEST(format, user_memory_is_shown_where_it_is_and_never_brought_in)
{
	struct mm_translation at;
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	bed_map(&bed, NOWHERE, 2);
	EXPECT_EQ(CALL(&bed, write, fd, p("hello"), 5), 5);
	bed_trace(&bed);
	EXPECT_EQ(CALL(&bed, pread64, fd, user(NOWHERE), 5, 0), 5);
	EXPECT_LINE(&bed, "pread64(0</memfd:x>(deleted), \"hello\", 5, 0) = 5");
	EXPECT_EQ(CALL(&bed, write, 55, user(NOWHERE + 4096), 5), -EBADF);
	EXPECT_LINE(&bed, "write(55, 0x20001000, 5) = -1 EBADF (Bad file descriptor)");
	EXPECT_EQ(mm_translate(&bed.task->ctx, bed.process->mm, NOWHERE + 4096, &at), -EFAULT);
	EXPECT_EQ(CALL(&bed, open, user(NOWHERE), 0), -ENOENT);
	EXPECT_LINE(&bed, "open(\"hello\", O_RDONLY) = -1 ENOENT (No such file or directory)");
	bed_close(&bed);
}

TEST(format, flags_are_those_of_the_architecture)
{
	struct bed bed;

	bed_open(&bed);
	bed_trace(&bed);
	bed.abi = KSIM_ARCH_AARCH64;
	CALL(&bed, openat, -UINT64_C(100), p("/none"), 0140000);
	EXPECT_LINE(&bed, "openat(AT_FDCWD, \"/none\", O_RDONLY|O_NOFOLLOW|O_DIRECTORY) = -1 ENOENT (No such file or "
	                  "directory)");
	bed_close(&bed);
}

TEST(format, a_pointer_of_the_program_to_nowhere_is_shown_as_one)
{
	uint64_t header[7] = { 0 };
	char text[64], expected[64];
	struct bed bed;
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SETUP(page != MAP_FAILED);
	if (host_peek(text, page, 1) != -EFAULT) {
		munmap(page, 4096);
		SKIP("the host does not tell what is mapped");
	}
	bed_open(&bed);
	bed_trace(&bed);
	EXPECT_EQ(CALL(&bed, write, 55, p(page), 5), -EBADF);
	snprintf(expected, sizeof(expected), "write(55, %p, 5) = -1 EBADF (Bad file descriptor)", page);
	EXPECT_LINE(&bed, expected);
	EXPECT_EQ(CALL(&bed, close, 55), -EBADF);
	header[2] = p(page);
	header[3] = 1;
	EXPECT_EQ(CALL(&bed, sendmsg, 55, p(header), 0), -EBADF);
	EXPECT_MSG(strstr(bed.line, "msg_iov=0x") != NULL, "%s", bed.line);
	munmap(page, 4096);
	bed_close(&bed);
}

static void put(struct bed *bed, uint64_t addr, const void *bytes, size_t n)
{
	EXPECT_EQ(copy_out(&bed->task->ctx, (struct uptr){ user(addr) }, bytes, n), 0);
}

TEST(format, what_lies_half_in_nowhere_is_shown_as_far_as_it_is_there)
{
	const uint64_t row[2] = { p("ab"), 2 }, end = NOWHERE + 4096;
	struct abi_cmsghdr cmsg = { .len = 16 + 4200, .level = SOL_SOCKET, .type = SCM_RIGHTS };
	struct abi_msghdr header = { .iov = user(end - sizeof(row)), .iovlen = 2 };
	struct bed bed;

	bed_open(&bed);
	bed_map(&bed, NOWHERE, 1);
	bed_map(&bed, NOWHERE + 8192, 1);
	bed_trace(&bed);
	put(&bed, end - sizeof(row), row, sizeof(row));
	EXPECT_EQ(CALL(&bed, writev, 55, user(end - sizeof(row)), 2), -EBADF);
	EXPECT_LINE(&bed, "writev(55, [{iov_base=\"ab\", iov_len=2}, ... /* 0x20001000 */], 2) = -1 EBADF (Bad file "
	                  "descriptor)");
	EXPECT_EQ(CALL(&bed, sendmsg, 55, p(&header), 0), -EBADF);
	EXPECT_MSG(strstr(bed.line, "msg_iov=[{iov_base=\"ab\", iov_len=2}, 0x20001000], msg_iovlen=2") != NULL, "%s",
	           bed.line);

	/* A control buffer whose first page and last page are there, and none between. */
	header = (struct abi_msghdr){ .control = user(end - 20), .controllen = 4216 };
	put(&bed, NOWHERE + 8192, &row, sizeof(row));
	put(&bed, end - 20, &cmsg, sizeof(cmsg));
	put(&bed, end - 4, &(int){ 55 }, 4);
	EXPECT_EQ(CALL(&bed, sendmsg, 55, p(&header), 0), -EBADF);
	EXPECT_MSG(strstr(bed.line, "cmsg_type=SCM_RIGHTS, cmsg_data=[55, ...]}") != NULL, "%s", bed.line);
	cmsg.type = SCM_CREDENTIALS;
	put(&bed, end - 20, &cmsg, sizeof(cmsg));
	EXPECT_EQ(CALL(&bed, sendmsg, 55, p(&header), 0), -EBADF);
	EXPECT_MSG(strstr(bed.line, "cmsg_type=SCM_CREDENTIALS, cmsg_data=0x20000ffc}") != NULL, "%s", bed.line);
	bed_close(&bed);
}

TEST(format, short_paths_and_numbers_that_are_no_errors)
{
	const uint64_t args[6] = { 0 };
	char text[64] = "unchanged";
	struct bed bed;

	bed_open(&bed);
	bed_trace(&bed);
	CALL(&bed, open, p("/tmp"), O_RDONLY | 0200000); /* O_DIRECTORY as x86_64 numbers it */
	EXPECT_LINE(&bed, "open(\"/tmp\", O_RDONLY|O_DIRECTORY) = 0</tmp>");
	CALL(&bed, close, 0);
	EXPECT_LINE(&bed, "close(0</tmp>) = 0");
	/* By nobody: the machine itself has no descriptors. */
	EXPECT_EQ(syscall_format(&bed.ctx, CALL_close, args, KSIM_ARCH_X86_64, 0, text, sizeof(text)), 12);
	EXPECT_STREQ(text, "close(0) = 0");
	EXPECT_EQ(syscall_format(&bed.ctx, CALL_close, args, KSIM_ARCH_X86_64, -5000, text, sizeof(text)), 16);
	EXPECT_STREQ(text, "close(0) = -5000");
	EXPECT_EQ(syscall_format(&bed.ctx, CALL_close, args, KSIM_ARCH_X86_64, -4000, text, sizeof(text)), 26);
	EXPECT_STREQ(text, "close(0) = -1 (errno 4000)");
	/* Nowhere to write to: how long it would be. */
	EXPECT_EQ(syscall_format(&bed.ctx, CALL_close, args, KSIM_ARCH_X86_64, 0, NULL, 0), 12);
	EXPECT(syscall_format(&bed.ctx, CALL_COUNT, args, KSIM_ARCH_X86_64, -ENOSYS, text, sizeof(text)) > 0);
	EXPECT_MSG(strncmp(text, "syscall_?(0, 0, 0, 0, 0, 0) = -1 ENOSYS", 39) == 0, "%s", text);
	bed_close(&bed);
}

/* Every call with arguments of every kind: a line comes out, of any length, into any room. */
TEST(format, no_argument_breaks_a_line)
{
	static uint8_t junk[65536]; /* more than any argument has, so that nothing that changes is read */
	const uint64_t values[] = {
		0, 1, BAD, MINUS_ONE, INT64_MAX, 100, p(junk), user(NOWHERE), user(NOWHERE + 4090), UINT64_C(1) << 63
	};
	struct bed bed;
	char text[4096], small[20];

	bed_open(&bed);
	bed_map(&bed, NOWHERE, 1);
	for (unsigned call = 0; call < CALL_COUNT; call++) {
		for (unsigned i = 0; i < ARRAY_SIZE(values) * 6; i++) {
			uint64_t args[6] = { 1, p(junk), 3, 4, 5, 6 };
			int n, cut;

			args[i % 6] = values[i / 6];
			n = syscall_format(&bed.task->ctx, call, args, KSIM_ARCH_X86_64, i % 3 - 1, text, sizeof(text));
			EXPECT(n > 0 && (size_t)n == (n < (int)sizeof(text) ? strlen(text) : (size_t)n));
			cut = syscall_format(&bed.task->ctx, call, args, KSIM_ARCH_X86_64, i % 3 - 1, small,
			                     sizeof(small));
			EXPECT_EQ(cut, n);
			EXPECT_EQ(strnlen(small, sizeof(small)), MIN((size_t)n, sizeof(small) - 1));
		}
	}
	bed_close(&bed);
}

// SPDX-License-Identifier: MIT
/*
 * Pointers into windows as buffers of calls: they are user addresses, judged by the kernel. Past a mapping there is
 * EFAULT, or a short count as on Linux, and never a signal. Every other pointer is the program's own memory.
 */
#include "native.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static int nsignals;

static void count(int signo)
{
	(void)signo;
	nsignals++;
	ksim_exit(99);
}

/* The acting process would notice a signal. */
static void watch_signals(void)
{
	struct sigaction action = { .sa_handler = count };

	nsignals = 0;
	SETUP(ksim_sigaction(SIGSEGV, &action, NULL) == 0 && ksim_sigaction(SIGBUS, &action, NULL) == 0);
}

/* Pages of which the last is not mapped any more. */
static char *cut_short(int npages)
{
	char *map = native_map(npages, RW, MAP_PRIVATE);

	SETUP(native_unmap(map + (size_t)(npages - 1) * PAGE, 1) == 0);
	return map;
}

TEST(native_calls, read_and_write_take_pointers_into_the_window)
{
	/* Pages that are not there yet as well, and copies on write. */
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		int fd = native_file(3);
		char *own = native_map(3, RW, MAP_PRIVATE), *copy = native_map_file(fd, 3, RW, MAP_PRIVATE);
		struct iovec pieces[2] = { { own + 10, PAGE }, { own + 2 * PAGE, 4 } };

		watch_signals();
		strcpy(own + PAGE - 2, "text");
		EXPECT_EQ(ksim_write(fd, own, 2 * PAGE), 2 * PAGE);
		EXPECT_STREQ(copy + PAGE - 2, "text");
		EXPECT_EQ(ksim_pread(fd, own + 2 * PAGE, 5, PAGE - 2), 5);
		EXPECT_STREQ(own + 2 * PAGE, "text");
		EXPECT_EQ(ksim_pread(fd, copy + 1, 5, PAGE - 2), 5);
		EXPECT_STREQ(copy + 1, "text");
		EXPECT_EQ(ksim_pread(fd, own, 1, 1), 1);
		EXPECT_EQ(own[0], '\0');
		EXPECT_EQ(ksim_lseek(fd, 0, SEEK_SET), 0);
		EXPECT_EQ(ksim_sendmsg(fd, &(struct msghdr){ .msg_iov = pieces, .msg_iovlen = 2 }, 0), -1);
		EXPECT_EQ(errno, ENOTSOCK);
		EXPECT_EQ(nsignals, 0);
	}
	bed_halt(m);
}

TEST(native_calls, all_that_sendmsg_and_recvmsg_take_may_lie_in_the_window)
{
	/* The msghdr itself, iovecs, name, control data; and what they say comes back into it. */
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		struct lot {
			struct msghdr msg;
			struct iovec iov[2];
			int ends[2];
			char text[16];
			union {
				struct cmsghdr header;
				char bytes[CMSG_SPACE(sizeof(int))];
			} control;
		} * out, *in;
		struct cmsghdr *header;
		int fd = native_file(1);

		watch_signals();
		out = (struct lot *)(void *)native_map(1, RW, MAP_PRIVATE);
		in = (struct lot *)(void *)(native_map(2, RW, MAP_SHARED) + PAGE - offsetof(struct lot, iov[1]));
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, out->ends), 0);
		*in = (struct lot){
			.iov = { { in->text, 2 }, { in->text + 3, 10 } },
			.msg = {
				.msg_iov = in->iov,
				.msg_iovlen = 2,
				.msg_control = &in->control,
				.msg_controllen = sizeof(in->control),
			},
		};
		strcpy(out->text, "message");
		out->iov[0] = (struct iovec){ out->text, 8 };
		out->msg = (struct msghdr){
			.msg_iov = out->iov,
			.msg_iovlen = 1,
			.msg_control = &out->control,
			.msg_controllen = sizeof(out->control),
		};
		header = &out->control.header;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
		EXPECT_EQ(ksim_sendmsg(out->ends[0], &out->msg, 0), 8);
		EXPECT_EQ(ksim_recvmsg(out->ends[1], &in->msg, 0), 8);
		EXPECT_MEMEQ(in->text, "me\0ssage", 9);
		EXPECT_EQ(in->msg.msg_controllen, CMSG_SPACE(sizeof(int)));
		EXPECT(in->control.header.cmsg_type == SCM_RIGHTS);
		EXPECT_EQ(nsignals, 0);
	}
	bed_halt(m);
}

TEST(native_calls, names_and_results_may_lie_in_the_window)
{
	/* bind, accept, memfd_create, open, fstat. */
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		char *map = native_map(2, RW, MAP_PRIVATE);
		struct sockaddr_un *name = (struct sockaddr_un *)(void *)(map + PAGE - 8);
		socklen_t len = offsetof(struct sockaddr_un, sun_path) + 9, *size = (socklen_t *)(void *)map;
		struct stat *st = (struct stat *)(void *)(map + PAGE / 2);
		int server = ksim_socket(AF_UNIX, SOCK_STREAM, 0), client = ksim_socket(AF_UNIX, SOCK_STREAM, 0);
		int fd;

		watch_signals();
		*name = (struct sockaddr_un){ .sun_family = AF_UNIX };
		memcpy(name->sun_path, "\0in place", 9);
		EXPECT_EQ(ksim_bind(server, (struct sockaddr *)name, len), 0);
		EXPECT_EQ(ksim_listen(server, 1), 0);
		EXPECT_EQ(ksim_connect(client, (struct sockaddr *)name, len), 0);
		*size = sizeof(*name);
		EXPECT(ksim_accept(server, (struct sockaddr *)name, size) >= 0);
		EXPECT_EQ(*size, sizeof(sa_family_t));
		strcpy(map + PAGE - 3, "pool name");
		fd = ksim_memfd_create(map + PAGE - 3, 0);
		EXPECT(fd >= 0);
		EXPECT_EQ(ksim_ftruncate(fd, 77), 0);
		EXPECT_EQ(ksim_fstat(fd, st), 0);
		EXPECT_EQ(st->st_size, 77);
		sprintf(map, "/proc/self/fd/%d", fd);
		EXPECT(ksim_open(map, O_RDWR) >= 0);
		EXPECT_EQ(nsignals, 0);
	}
	bed_halt(m);
}

TEST(native_calls, buffer_that_is_not_mapped_fails_EFAULT_without_a_signal)
{
	/* And one that must not be touched in the way that the call would. */
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		char *nowhere = native_nowhere(ksim_self()), *readable = native_map(1, PROT_READ, MAP_PRIVATE);
		char *none = native_map(1, PROT_NONE, MAP_PRIVATE);
		int fd = native_file(1), pair[2];
		char *past = native_map_file(fd, 2, RW, MAP_SHARED) + PAGE;

		watch_signals();
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		EXPECT_FAILS(ksim_write(fd, nowhere, 1), EFAULT);
		EXPECT_FAILS(ksim_read(fd, nowhere, 1), EFAULT);
		EXPECT_FAILS(ksim_read(fd, readable, 1), EFAULT);
		EXPECT_FAILS(ksim_write(fd, none, 1), EFAULT);
		EXPECT_FAILS(ksim_write(fd, past, 1), EFAULT);
		EXPECT_FAILS(ksim_send(pair[0], nowhere, 1, MSG_NOSIGNAL), EFAULT);
		EXPECT_FAILS(ksim_sendmsg(pair[0], (struct msghdr *)(void *)nowhere, 0), EFAULT);
		EXPECT_FAILS(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)(void *)nowhere), EFAULT);
		EXPECT_FAILS(ksim_memfd_create(nowhere, 0), EFAULT);
		EXPECT_FAILS(ksim_memfd_create(past, 0), EFAULT);
		EXPECT_FAILS(ksim_fstat(fd, (struct stat *)(void *)readable), EFAULT);
		EXPECT_FAILS(ksim_open(none, O_RDONLY), EFAULT);
		EXPECT_FAILS(ksim_sigaction(SIGUSR1, (struct sigaction *)(void *)nowhere, NULL), EFAULT);
		EXPECT_EQ(nsignals, 0);
	}
	bed_halt(m);
}

TEST(native_calls, transfer_that_reaches_the_end_of_a_mapping_is_partial)
{
	/*
	 * read(2), write(2) of a file: what was copied before the bad address counts; a stream's buffer is all or
	 * nothing.
	 */
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		int from = native_file(2), to = native_file(0), pair[2];
		char *map = cut_short(2), byte;

		watch_signals();
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		EXPECT_EQ(ksim_pwrite(from, "end", 3, PAGE - 3), 3);
		EXPECT_EQ(ksim_pread(from, map, 2 * PAGE, 0), PAGE);
		EXPECT_MEMEQ(map + PAGE - 3, "end", 3);
		EXPECT_EQ(ksim_write(to, map, 2 * PAGE), PAGE);
		EXPECT_EQ(ksim_lseek(to, 0, SEEK_END), PAGE);
		EXPECT_FAILS(ksim_write(to, map + PAGE, 1), EFAULT);
		EXPECT_FAILS(ksim_send(pair[0], map + PAGE - 4, 8, MSG_NOSIGNAL), EFAULT);
		EXPECT_FAILS(ksim_recv(pair[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
		EXPECT_EQ(nsignals, 0);
	}
	bed_halt(m);
}

TEST(native_calls, buffer_that_leaves_the_window_fails_at_its_end)
{
	/* What lies behind it is nobody's, and not the program's own either. */
	struct ksim_machine *m = native_boot();
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_window window;

	ksim_window(p, &window);
	ksim_as(p) {
		ksim_addr last = window.user + window.bytes - PAGE;
		char *end = (char *)window.start + window.bytes;
		int fd = native_file(0);

		watch_signals();
		EXPECT_EQ(ksim_mmap(last, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), last);
		memset(end - 4, 'x', 4);
		EXPECT_EQ(ksim_write(fd, end - 4, 8), 4);
		EXPECT_EQ(ksim_pread(fd, end - 2, 4, 0), 2);
		EXPECT_EQ(nsignals, 0);
	}
	bed_halt(m);
}

TEST(native_calls, stack_heap_and_ksim_user_are_buffers_as_before)
{
	/* Below 64 KiB no program has memory: EFAULT. */
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		int fd = native_file(1);
		char stack[8] = "", *heap = calloc(1, 8), *map = native_map(1, RW, MAP_PRIVATE), *low = (char *)8;
		static char fixed[8];

		__asm__("" : "+r"(low));
		SETUP(heap != NULL);
		EXPECT_EQ(ksim_pwrite(fd, "seven..", 8, 0), 8);
		EXPECT_EQ(ksim_pread(fd, stack, 8, 0), 8);
		EXPECT_EQ(ksim_pread(fd, heap, 8, 0), 8);
		EXPECT_EQ(ksim_pread(fd, fixed, 8, 0), 8);
		EXPECT_EQ(ksim_pread(fd, ksim_user(ksim_addr_of(map)), 8, 0), 8);
		EXPECT_STREQ(stack, "seven..");
		EXPECT_STREQ(heap, "seven..");
		EXPECT_STREQ(fixed, "seven..");
		EXPECT_STREQ(map, "seven..");
		EXPECT_FAILS(ksim_pread(fd, low, 8, 0), EFAULT);
		EXPECT_FAILS(ksim_write(fd, NULL, 8), EFAULT);
		free(heap);
	}
	bed_halt(m);
}

TEST(native_calls, in_a_child_its_own_and_its_parents_pointers_mean_its_own_memory)
{
	/* <ksim/mem.h>: buffers, and addresses of ksim_munmap() and the like. */
	struct ksim_machine *m = native_boot();
	struct ksim_process *p = bed_process(m, "parent"), *child;
	char *map = NULL;
	int fd = -1;

	ksim_as(p) {
		fd = native_file(1);
		map = native_map(3, RW, MAP_PRIVATE);
		strcpy(map, "both");
	}
	child = ksim_process_fork(p, "child");
	REQUIRE(child != NULL);
	ksim_as(p)
		strcpy(map, "parent's");
	ksim_as(child) {
		char *mine = ksim_ptr((uintptr_t)map), text[10] = "";

		EXPECT(mine != map);
		EXPECT_EQ(ksim_pwrite(fd, map, 5, 0), 5);
		EXPECT_EQ(ksim_pread(fd, text, 5, 0), 5);
		EXPECT_STREQ(text, "both");
		EXPECT_EQ(ksim_pread(fd, mine + 1, 4, 1), 4);
		EXPECT_EQ(ksim_pread(fd, map + PAGE, 5, 0), 5);
		EXPECT_STREQ(mine + PAGE, "both");
		EXPECT_EQ(ksim_mprotect((uintptr_t)mine, PAGE, PROT_READ), 0);
		EXPECT_FAILS(ksim_pread(fd, map, 5, 0), EFAULT);
		EXPECT_EQ(ksim_munmap((uintptr_t)map, PAGE), 0);
		EXPECT_FAILS(ksim_pwrite(fd, mine, 5, 0), EFAULT);
		EXPECT_EQ(ksim_munmap((uintptr_t)(mine + PAGE), PAGE), 0);
		EXPECT_FAILS(ksim_pwrite(fd, map + PAGE, 5, 0), EFAULT);
		EXPECT(ksim_mmap((uintptr_t)mine, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		       (uintptr_t)map);
		EXPECT_EQ(native_load(mine), 0);
	}
	ksim_as(p) {
		EXPECT_STREQ(map, "parent's");
		EXPECT_EQ(native_load(map + PAGE), 0);
	}
	bed_halt(m);
}

TEST(native_calls, process_vm_takes_pointers_into_the_other_processs_window)
{
	/* <ksim/mem.h>: or its user addresses, which a forked child has from its parent. */
	struct ksim_machine *m = native_boot();
	struct ksim_process *p = bed_process(m, "parent"), *child;
	char *map = NULL, text[8] = "", *childs = text;
	struct iovec here = { text, sizeof(text) }, there[3];
	pid_t pid = 0;

	ksim_as(p) {
		map = native_map(1, RW, MAP_PRIVATE);
		strcpy(map, "parent");
	}
	child = ksim_process_fork(p, "child");
	REQUIRE(child != NULL);
	ksim_as(child) {
		childs = ksim_ptr((uintptr_t)map);
		strcpy(childs, "child");
		pid = ksim_getpid();
	}
	REQUIRE(childs != text);
	there[0] = (struct iovec){ map, 2 };                           /* a user address of the child's */
	there[1] = (struct iovec){ childs + 2, 2 };                    /* its pointer */
	there[2] = (struct iovec){ ksim_user((uintptr_t)map + 4), 2 }; /* as for calls */
	ksim_as(p) {
		EXPECT_EQ(ksim_process_vm_readv(pid, &here, 1, there, 3, 0), 6);
		EXPECT_STREQ(text, "child");
		here = (struct iovec){ map, 1 };
		EXPECT_EQ(ksim_process_vm_writev(pid, &here, 1, there + 1, 1, 0), 1);
		EXPECT_STREQ(map, "parent");
	}
	ksim_as(child)
		EXPECT_STREQ(childs, "chpld");
	bed_halt(m);
}

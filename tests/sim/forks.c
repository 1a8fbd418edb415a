// SPDX-License-Identifier: MIT
/*
 * Memory that is shared between processes, copied at fork, or neither; and what ksim_translate says of it.
 */
#include "bed.h"

#include <sys/socket.h>

struct maps {
	ksim_addr shared, own;
};

static int write_both(void *arg)
{
	const struct maps *maps = arg;

	if (mem_load32(maps->shared) != 1 || mem_load32(maps->own) != 2)
		return 1;
	mem_store32(maps->shared, 11);
	mem_store32(maps->own, 12);
	return mem_load32(maps->own) == 12 ? 0 : 2;
}

TEST(forks, shared_memory_is_shared_across_fork_and_private_memory_is_not)
{
	struct ksim_machine *m = bed_boot();
	struct maps maps;
	int status = -1;

	ksim_as(bed_process(m, "parent")) {
		maps.shared = bed_map(1, RW, MAP_SHARED);
		maps.own = bed_map(1, RW, MAP_PRIVATE);
		mem_store32(maps.shared, 1);
		mem_store32(maps.own, 2);
		EXPECT(ksim_fork_into(write_both, &maps) > 0);
		EXPECT(ksim_wait(&status) > 0);
		EXPECT_EQ(status, 0);
		EXPECT_EQ(mem_load32(maps.shared), 11);
		EXPECT_EQ(mem_load32(maps.own), 2);
	}
	bed_halt(m);
}

TEST(forks, forked_process_has_the_memory_of_that_moment)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *parent = bed_process(m, "parent"), *child;
	struct ksim_translation at[2];
	ksim_addr map = 0;

	ksim_as(parent) {
		map = bed_map(1, RW, MAP_PRIVATE);
		mem_store64(map, 1);
	}
	child = ksim_process_fork(parent, NULL);
	REQUIRE(child != NULL);
	EXPECT_EQ(ksim_translate(parent, map, &at[0]), 0);
	EXPECT_EQ(ksim_translate(child, map, &at[1]), 0);
	EXPECT(at[0].pfn.n == at[1].pfn.n && at[0].mappers == 2);
	EXPECT_EQ(at[0].prot, PROT_READ);
	ksim_as(parent)
		mem_store64(map, 2);
	ksim_as(child)
		EXPECT_EQ(mem_load64(map), 1);
	EXPECT_EQ(ksim_translate(parent, map, &at[0]), 0);
	EXPECT(at[0].pfn.n != at[1].pfn.n && at[0].mappers == 1);
	bed_halt(m);
}

TEST(forks, file_is_the_same_frames_at_two_addresses_in_two_processes)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *who[2] = { bed_process(m, "a"), bed_process(m, "b") };
	struct ksim_translation at[2];
	ksim_addr map[2] = { 0, 0 };
	int fd[2] = { -1, -1 };

	ksim_as(who[0]) {
		fd[0] = ksim_memfd_create("x", 0);
		EXPECT_EQ(ksim_ftruncate(fd[0], 2 * PAGE), 0);
	}
	fd[1] = ksim_fd_copy(who[0], fd[0], who[1]);
	for (int i = 0; i < 2; i++) {
		ksim_as(who[i]) {
			bed_map(i + 1, RW, MAP_PRIVATE);
			map[i] = ksim_mmap(0, 2 * PAGE, RW, MAP_SHARED, fd[i], 0);
			mem_store8(map[i] + PAGE, 'x');
		}
		EXPECT_EQ(ksim_translate(who[i], map[i] + PAGE, &at[i]), 0);
	}
	EXPECT(map[0] != map[1] && at[0].pfn.n == at[1].pfn.n && at[1].mappers == 2);
	ksim_as(who[0]) {
		mem_copy_to(map[0], "from a", 6);
		EXPECT_EQ(ksim_ftruncate(fd[0], PAGE), 0);
		EXPECT_EQ(ksim_ftruncate(fd[0], 2 * PAGE), 0);
	}
	ksim_as(who[1]) {
		char text[6];

		mem_copy_from(text, map[1], 6);
		EXPECT_MEMEQ(text, "from a", 6);
		EXPECT_EQ(mem_load8(map[1] + PAGE), 0);
		mem_store8(map[1], 'F');
	}
	ksim_as(who[0])
		EXPECT_EQ(mem_load8(map[0]), 'F');
	bed_halt(m);
}

static int serve(void *arg)
{
	int *wire = arg, fd;
	size_t nfds = 1;
	ksim_addr view;
	char byte;

	if (ksim_recv_fds(*wire, &byte, 1, &fd, &nfds, MSG_CMSG_CLOEXEC) != 1 || nfds != 1)
		return 1;
	view = ksim_mmap(0, PAGE, RW, MAP_SHARED, fd, 0);
	if (view == KSIM_MAP_FAILED || ksim_close(fd) != 0 || mem_load8(view) != 'q')
		return 2;
	mem_store8(view, 'a');
	return ksim_write(*wire, "d", 1) == 1 ? 0 : 3;
}

TEST(forks, client_and_server_on_two_threads_share_a_passed_memfd)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *client = bed_process(m, "client"), *server = bed_process(m, "server");
	uint64_t begun = ksim_mark(m);
	struct ksim_end end;
	ksim_addr view;
	char byte;
	int wire[2];

	EXPECT_EQ(ksim_socketpair_between(client, server, SOCK_STREAM, wire), 0);
	ksim_as(client) {
		int fd = ksim_memfd_create("pool", MFD_CLOEXEC);

		/* Not before this thread acts: the server alone would be a deadlock. */
		EXPECT_EQ(ksim_start(server, serve, &wire[1]), 0);
		EXPECT_EQ(ksim_ftruncate(fd, PAGE), 0);
		view = ksim_mmap(0, PAGE, RW, MAP_SHARED, fd, 0);
		mem_store8(view, 'q');
		EXPECT_EQ(ksim_send_fds(wire[0], "p", 1, &fd, 1), 1);
		EXPECT_EQ(ksim_close(fd), 0);
		EXPECT_EQ(ksim_read(wire[0], &byte, 1), 1);
		EXPECT_EQ(mem_load8(view), 'a');
		EXPECT_EQ(ksim_munmap(view, PAGE), 0);
		EXPECT_EQ(ksim_close(wire[0]), 0);
	}
	EXPECT_EQ(ksim_join(server, &end), 0);
	EXPECT_MSG(end.code == 0 && end.signo == 0, "%s", end.text);
	EXPECT_EQ(ksim_leaks(m, NULL, begun), 0);
	bed_halt(m);
}

// SPDX-License-Identifier: MIT
/*
 * What a tester sees of sharing, through the public face alone: maps with frames, the graph, leaks, the census as text.
 */
#include "bed.h"

#include <stdio.h>
#include <stdlib.h>

struct pool {
	struct ksim_process *client, *compositor;
	ksim_addr client_view, compositor_view;
};

/* Two pages, passed over a socket and touched by both. */
static void share(struct ksim_machine *m, struct pool *pool)
{
	int wl[2], fd = -1, got = -1;
	size_t nfds = 1;
	char byte;

	pool->client = bed_process(m, "client");
	pool->compositor = bed_process(m, "compositor");
	SETUP(ksim_socketpair_between(pool->client, pool->compositor, SOCK_STREAM, wl) == 0);
	ksim_as(pool->client) {
		fd = ksim_memfd_create("pool", MFD_CLOEXEC);
		SETUP(fd >= 0 && ksim_ftruncate(fd, 2 * PAGE) == 0);
		pool->client_view = ksim_mmap(0, 2 * PAGE, RW, MAP_SHARED, fd, 0);
		ksim_store8(pool->client_view, 'x');
		ksim_store8(pool->client_view + PAGE, 'y');
		SETUP(ksim_send_fds(wl[0], "p", 1, &fd, 1) == 1);
		SETUP(ksim_close(fd) == 0);
	}
	ksim_as(pool->compositor) {
		SETUP(ksim_recv_fds(wl[1], &byte, 1, &got, &nfds, 0) == 1);
		pool->compositor_view = ksim_mmap(0, 2 * PAGE, PROT_READ, MAP_SHARED, got, 0);
		SETUP(ksim_load8(pool->compositor_view) == 'x' && ksim_load8(pool->compositor_view + PAGE) == 'y');
		SETUP(ksim_close(got) == 0);
	}
}

/* Not inlined: gcc 12 then takes the stream's text for the address of this function's variable. */
static __attribute__((noinline)) char *dump(struct ksim_machine *m, const struct ksim_process *p)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	SETUP(stream != NULL);
	EXPECT_EQ(p != NULL ? ksim_dump_maps(p, stream) : ksim_dump_dot(m, stream), 0);
	fclose(stream);
	return text;
}

TEST(pictures, maps_of_both_processes_name_the_same_frames)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_translation first;
	char frames[96], *text;
	struct pool pool;

	share(m, &pool);
	SETUP(ksim_translate(pool.client, pool.client_view, &first) == 0);
	snprintf(frames, sizeof(frames), "\n pages 0-1 -> pfn %llu-%llu; 2 of 2 present\n",
	         (unsigned long long)first.pfn.n, (unsigned long long)first.pfn.n + 1);
	text = dump(m, pool.client);
	EXPECT_MSG(strstr(text, frames) != NULL, "%s", text);
	free(text);
	text = dump(m, pool.compositor);
	EXPECT_MSG(strstr(text, frames) != NULL, "%s", text);
	free(text);
	bed_halt(m);
}

TEST(pictures, graph_names_the_frames_that_both_have)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_translation first;
	char label[96], *text;
	struct pool pool;

	share(m, &pool);
	SETUP(ksim_translate(pool.client, pool.client_view, &first) == 0);
	snprintf(label, sizeof(label), "[label=\"pfn %llu-%llu\\n2 frames, shared by 2 processes\"",
	         (unsigned long long)first.pfn.n, (unsigned long long)first.pfn.n + 1);
	text = dump(m, NULL);
	EXPECT_MSG(strstr(text, label) != NULL, "%s", text);
	free(text);
	bed_halt(m);
}

static int stay(void *arg)
{
	char byte;

	return (int)ksim_read(*(int *)arg, &byte, 1);
}

TEST(pictures, a_child_that_nobody_waits_for_is_a_leak_of_its_parent)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "shell");
	uint64_t mark;
	int ends[2];

	ksim_as(p)
		SETUP(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	mark = ksim_mark(m);
	ksim_hold(m);
	ksim_as(p)
		EXPECT_EQ(ksim_fork_into(stay, &ends[1]), 3);
	EXPECT_EQ(ksim_leaks(m, p, mark), 1);
	ksim_as(p) {
		EXPECT_EQ(ksim_write(ends[0], "x", 1), 1);
		EXPECT_EQ(ksim_wait(NULL), 3);
	}
	ksim_release(m);
	EXPECT_EQ(ksim_leaks(m, p, mark), 0);
	bed_halt(m);
}

TEST(pictures, census_is_text_too)
{
	struct ksim_machine *m = bed_boot();
	char text[1024] = "";
	FILE *stream = fmemopen(text, sizeof(text), "w");

	SETUP(stream != NULL);
	EXPECT_EQ(ksim_dump_census(m, NULL, stream), 0);
	fclose(stream);
	EXPECT_MSG(strncmp(text, "census of the machine\n", 22) == 0, "%s", text);
	EXPECT_MSG(strstr(text, "\n  processes                 1\n") != NULL, "%s", text);
	bed_halt(m);
}

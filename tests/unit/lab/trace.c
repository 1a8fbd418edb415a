// SPDX-License-Identifier: MIT
/*
 * The trace: which lines come, where, and when. What a line says is syscall_format's, and tested there.
 */
#include "bed.h"
#include "sink.h"

#include <pthread.h>
#include <stdlib.h>

struct lines {
	char text[4096];
	const struct ksim_process *last;
};

static void keep_line(void *arg, const struct ksim_process *process, const char *line)
{
	struct lines *lines = arg;
	size_t used = strlen(lines->text);

	lines->last = process;
	snprintf(lines->text + used, sizeof(lines->text) - used, "%s\n", line);
}

TEST(trace, stream_gets_pid_name_and_call_of_each_process_until_it_is_stopped)
{
	struct ksim_process *a, *b;
	struct sink sink;
	struct bed bed;

	sink_open(&sink);
	bed_boot(&bed, NULL);
	a = bed_process(&bed, "client");
	b = bed_process(&bed, "compositor");
	ksim_as(a)
		ksim_getpid();
	ksim_trace(bed.m, sink.stream);
	ksim_as(a)
		bed_memfd("pool", 1);
	ksim_as(b)
		EXPECT_FAILS(ksim_close(99), EBADF);
	ksim_trace(bed.m, NULL);
	ksim_as(a)
		ksim_getpid();
	EXPECT_STREQ(sink_text(&sink), "[2] client memfd_create(\"pool\", MFD_CLOEXEC) = 0</memfd:pool>(deleted)\n"
	                               "[2] client ftruncate(0</memfd:pool>(deleted), 4096) = 0\n"
	                               "[3] compositor close(99) = -1 EBADF (Bad file descriptor)\n");
	bed_halt(&bed);
	sink_close(&sink);
}

TEST(trace, callback_gets_each_line_from_boot_on_and_a_stream_does_not_disturb_it)
{
	struct lines lines = { "", NULL };
	struct ksim_config config = { .trace = keep_line, .trace_arg = &lines };
	struct ksim_process *p;
	struct sink sink;
	struct bed bed;

	sink_open(&sink);
	bed_boot(&bed, &config);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		ksim_getppid();
		ksim_trace(bed.m, sink.stream);
		ksim_getpid();
		ksim_trace(bed.m, NULL);
		ksim_gettid();
	}
	EXPECT(lines.last == p);
	EXPECT_STREQ(lines.text, "getppid() = 1\ngetpid() = 2\ngettid() = 2\n");
	EXPECT_STREQ(sink_text(&sink), "[2] client getpid() = 2\n");
	bed_halt(&bed);
	sink_close(&sink);
}

TEST(trace, call_that_is_not_implemented_has_a_line)
{
	struct lines lines = { "", NULL };
	struct ksim_config config = { .trace = keep_line, .trace_arg = &lines };
	struct ksim_process *p;
	struct bed bed;

	bed_boot(&bed, &config);
	p = bed_process(&bed, "client");
	ksim_as(p)
		EXPECT_EQ(ksim_syscall(9999, 1, 2, 3, 4, 5, 6), -ENOSYS);
	EXPECT_STREQ(lines.text,
	             "syscall_0x270f(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)\n");
	bed_halt(&bed);
}

static int receive_one(void *arg)
{
	char byte;

	return ksim_recv(*(int *)arg, &byte, 1, 0) == 1 ? 0 : 1;
}

TEST(trace, blocking_call_is_told_once_when_it_ends)
{
	/* The send is told before or after: what ends a call may be told behind it. */
	struct ksim_process *a, *b;
	struct ksim_end end;
	struct sink sink;
	struct bed bed;
	const char *line;
	int ends[2];

	sink_open(&sink);
	bed_boot(&bed, NULL);
	a = bed_process(&bed, "a");
	b = bed_process(&bed, "b");
	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, ends) == 0);
	ksim_trace(bed.m, sink.stream);
	ksim_hold(bed.m);
	SETUP(ksim_start(b, receive_one, &ends[1]) == 0);
	ksim_as(a)
		EXPECT_EQ(ksim_send(ends[0], "x", 1, 0), 1);
	EXPECT_EQ(ksim_join(b, &end), 0);
	ksim_release(bed.m);
	EXPECT_EQ(end.code, 0);
	line = strstr(sink_text(&sink), "[3] b recvfrom(0<socket:[");
	EXPECT_MSG(line != NULL, "the trace is: %s", sink_text(&sink));
	EXPECT_MSG(line != NULL && strstr(strchr(line, '\n'), "recvfrom(") == NULL, "the trace is: %s",
	           sink_text(&sink));
	bed_halt(&bed);
	sink_close(&sink);
}

TEST(trace, exit_has_a_line_without_result)
{
	struct ksim_process *p;
	struct sink sink;
	struct bed bed;

	sink_open(&sink);
	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_trace(bed.m, sink.stream);
	EXPECT_EQ(ksim_run(p, (int (*)(void *))(void (*)(void))ksim_exit, NULL, NULL), 0);
	EXPECT_STREQ(sink_text(&sink), "[2] client exit_group(0) = ?\n");
	bed_halt(&bed);
	sink_close(&sink);
}

TEST(trace, call_that_is_refused_has_the_line_of_one_that_fails)
{
	struct ksim_process *p;
	struct sink sink;
	struct bed bed;

	sink_open(&sink);
	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	SETUP(ksim_refuse(p, "memfd_create", ENOSYS, 0, 0) == 0);
	EXPECT_EQ(ksim_trace_process(p, sink.stream), 0);
	ksim_as(p)
		EXPECT_FAILS(ksim_memfd_create("pool", MFD_CLOEXEC), ENOSYS);
	EXPECT_STREQ(sink_text(&sink), "memfd_create(\"pool\", MFD_CLOEXEC) = -1 ENOSYS (Function not implemented)\n");
	bed_halt(&bed);
	sink_close(&sink);
}

TEST(trace, long_line_is_not_cut)
{
	struct lines lines = { "", NULL };
	struct ksim_config config = { .trace = keep_line, .trace_arg = &lines };
	char path[1500];
	struct ksim_process *p;
	struct bed bed;

	memset(path, 'x', sizeof(path));
	memcpy(path + sizeof(path) - 4, "END", 4);
	bed_boot(&bed, &config);
	p = bed_process(&bed, "client");
	ksim_as(p)
		EXPECT_FAILS(ksim_unlink(path), ENAMETOOLONG);
	EXPECT_MSG(strstr(lines.text, "END") != NULL && strstr(lines.text, "ENAMETOOLONG") != NULL, "it is: %s",
	           lines.text);
	bed_halt(&bed);
}

TEST(trace, stream_of_one_process_gets_its_calls_alone_beside_that_of_the_machine)
{
	struct ksim_process *a, *b;
	struct sink all, one;
	struct bed bed;

	sink_open(&all);
	sink_open(&one);
	bed_boot(&bed, NULL);
	a = bed_process(&bed, "client");
	b = bed_process(&bed, "compositor");
	EXPECT_EQ(ksim_trace_process(a, one.stream), 0);
	ksim_as(a)
		ksim_getpid();
	ksim_as(b)
		ksim_getpid();
	EXPECT_EQ(ksim_trace(bed.m, all.stream), 0);
	ksim_as(a)
		ksim_getppid();
	EXPECT_EQ(ksim_trace_process(a, NULL), 0);
	ksim_as(a)
		ksim_gettid();
	EXPECT_EQ(ksim_trace(bed.m, NULL), 0);
	ksim_as(b)
		ksim_gettid();
	EXPECT_STREQ(sink_text(&one), "getpid() = 2\ngetppid() = 1\n");
	EXPECT_STREQ(sink_text(&all), "[2] client getppid() = 1\n[2] client gettid() = 2\n");
	bed_halt(&bed);
	sink_close(&all);
	sink_close(&one);
}

/* ---- while others run ---- */

static int ask(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3000; i++)
		if (ksim_getppid() != 1)
			return 1;
	return 0;
}

TEST(trace, may_be_started_and_stopped_while_processes_call)
{
	struct ksim_process *p[2];
	struct ksim_end end;
	struct bed bed;

	bed_boot(&bed, NULL);
	for (int i = 0; i < 2; i++) {
		p[i] = bed_process(&bed, "client");
		SETUP(ksim_start(p[i], ask, NULL) == 0);
	}
	do {
		struct sink sink;

		sink_open(&sink);
		ksim_trace(bed.m, sink.stream);
		ksim_process_status(p[0], &end);
		ksim_trace(bed.m, NULL);
		sink_close(&sink); /* a line that came later would write to freed memory */
		ksim_process_status(p[1], &end);
	} while (end.alive);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(ksim_join(p[i], &end), 0);
		EXPECT_EQ(end.code, 0);
	}
	bed_halt(&bed);
}

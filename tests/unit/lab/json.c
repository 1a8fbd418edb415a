// SPDX-License-Identifier: MIT
/*
 * The trace as JSON: a document that a strict reader accepts, whatever is in it and whenever it begins and ends.
 */
#include "document.h"
#include "sink.h"

static void traced(struct bed *bed, struct sink *sink, struct document *doc)
{
	EXPECT_EQ(ksim_trace_json(bed->m, NULL), 0);
	document_read(doc, sink_text(sink));
	document_check(doc);
}

static void done(struct bed *bed, struct sink *sink, struct document *doc)
{
	document_free(doc);
	bed_halt(bed);
	sink_close(sink);
}

#define EXPECT_ARGS(event, text)                                                                     \
	EXPECT_MSG((event) != NULL && strstr((event)->args, (text)) != NULL, "args are: %s, not %s", \
	           (event) != NULL ? (event)->args : "of no event", (text))

TEST(json, trace_of_nothing_is_an_empty_array)
{
	struct document doc;
	struct sink sink;
	struct bed bed;

	sink_open(&sink);
	bed_boot(&bed, NULL);
	EXPECT_EQ(ksim_trace_json(bed.m, sink.stream), 0);
	traced(&bed, &sink, &doc);
	EXPECT_EQ(doc.n, 0u);
	done(&bed, &sink, &doc);
}

TEST(json, call_is_a_slice_with_its_line_and_result)
{
	const struct trace_event *e;
	struct ksim_process *p;
	struct document doc;
	struct sink sink;
	struct bed bed;

	sink_open(&sink);
	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_trace_json(bed.m, sink.stream);
	ksim_as(p) {
		bed_memfd("a\"\\\n", 1);
		EXPECT_FAILS(ksim_close(99), EBADF);
	}
	traced(&bed, &sink, &doc);
	e = document_find(&doc, "M", 2, "process_name", 0);
	EXPECT_ARGS(e, "{\"name\":\"client\"}");
	EXPECT(document_find(&doc, "M", 2, "thread_name", 0) != NULL);
	EXPECT(document_find(&doc, "B", 2, "memfd_create", 0) != NULL);
	EXPECT_ARGS(document_find(&doc, "E", 2, NULL, 0), "\"line\":\"memfd_create(\\\"a\\\\\\\"\\\\");
	EXPECT_ARGS(document_find(&doc, "E", 2, NULL, 0), ",\"result\":0}");
	e = document_find(&doc, "E", 2, NULL, 2);
	EXPECT_ARGS(e, "{\"line\":\"close(99) = -1 EBADF (Bad file descriptor)\",\"result\":-9}");
	done(&bed, &sink, &doc);
}

TEST(json, names_of_any_bytes_leave_it_json)
{
	static const char *const names[] = {
		"new\nline \"quoted\" \\ \177 \001",
		"caf\303\251 \342\202\254 \360\237\230\200",
		"\377\200 \303( \300\200 \355\240\200",
		"cut \342\202",
	};
	static const char *const written[] = {
		"new\\u000aline \\\"quoted\\\" \\\\ \\u007f \\u0001",
		"caf\303\251 \342\202\254 \360\237\230\200",
		"\\ufffd\\ufffd \\ufffd( \\ufffd\\ufffd \\ufffd\\ufffd\\ufffd",
		"cut \\ufffd\\ufffd",
	};
	struct document doc;
	struct sink sink;
	struct bed bed;

	sink_open(&sink);
	bed_boot(&bed, NULL);
	ksim_trace_json(bed.m, sink.stream);
	for (int i = 0; i < 4; i++) {
		struct ksim_process *p = bed_process(&bed, names[i]);

		ksim_as(p)
			ksim_getpid();
	}
	traced(&bed, &sink, &doc);
	for (int i = 0; i < 4; i++)
		EXPECT_ARGS(document_find(&doc, "M", i + 2, "process_name", 0), written[i]);
	done(&bed, &sink, &doc);
}

TEST(json, faults_and_shootdowns_are_instants_with_address_and_frames)
{
	const struct trace_event *e;
	struct ksim_translation was, is;
	struct ksim_process *p;
	struct document doc;
	struct sink sink;
	struct bed bed;
	char expected[200];
	ksim_addr at;

	sink_open(&sink);
	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_enter(p);
	at = ksim_mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ksim_store8(at, 1);
	EXPECT_EQ(ksim_translate(p, at, &was), 0);
	SETUP(ksim_process_fork(p, "child") != NULL);
	ksim_trace_json(bed.m, sink.stream);
	ksim_store8(at, 2);
	EXPECT_EQ(ksim_translate(p, at, &is), 0);
	ksim_leave();
	traced(&bed, &sink, &doc);
	e = document_find(&doc, "i", 2, "fault: copy on write", 0);
	snprintf(expected, sizeof(expected),
	         "{\"address\":\"%#lx\",\"access\":\"write\",\"copied pfn\":%lu,\"pfn\":%lu}", (unsigned long)at,
	         (unsigned long)was.pfn.n, (unsigned long)is.pfn.n);
	EXPECT_ARGS(e, expected);
	e = document_find(&doc, "i", 2, "shootdown", 0);
	snprintf(expected, sizeof(expected), "{\"from\":\"%#lx\",\"to\":\"%#lx\"}", (unsigned long)at,
	         (unsigned long)at + 4096);
	EXPECT_ARGS(e, expected);
	done(&bed, &sink, &doc);
}

static int receive_one(void *arg)
{
	char byte;

	return ksim_recv(*(int *)arg, &byte, 1, 0) == 1 ? 0 : 1;
}

static void await_sleep(const struct bed *bed, const struct ksim_process *p)
{
	struct ksim_counters counters;

	do
		ksim_count(bed->m, p, &counters);
	while (counters.blocks == 0);
}

TEST(json, wait_is_a_slice_in_its_call_and_an_arrow_leads_to_it_from_who_ended_it)
{
	const struct trace_event *call, *sleep, *arrow, *end;
	struct ksim_process *a, *b;
	struct document doc;
	struct sink sink;
	struct bed bed;
	int ends[2];

	sink_open(&sink);
	bed_boot(&bed, NULL);
	a = bed_process(&bed, "a");
	b = bed_process(&bed, "b");
	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, ends) == 0);
	ksim_trace_json(bed.m, sink.stream);
	ksim_hold(bed.m);
	SETUP(ksim_start(b, receive_one, &ends[1]) == 0);
	await_sleep(&bed, b);
	ksim_as(a)
		EXPECT_EQ(ksim_send(ends[0], "x", 1, 0), 1);
	EXPECT_EQ(ksim_join(b, NULL), 0);
	ksim_release(bed.m);
	traced(&bed, &sink, &doc);
	call = document_find(&doc, "B", 3, NULL, 0);
	sleep = document_find(&doc, "B", 3, NULL, 1);
	arrow = document_find(&doc, "f", 3, NULL, 0);
	end = document_find(&doc, "E", 3, NULL, 0);
	REQUIRE(call != NULL && sleep != NULL && arrow != NULL && end != NULL);
	EXPECT_STREQ(call->name, "recvfrom");
	EXPECT_STREQ(sleep->cat, "wait");
	EXPECT(call < sleep && sleep < arrow && arrow + 1 == end);
	call = document_find(&doc, "s", 2, NULL, 0);
	EXPECT(call != NULL && call->id == arrow->id);
	done(&bed, &sink, &doc);
}

TEST(json, may_begin_and_end_in_the_middle_of_a_call_that_sleeps)
{
	struct ksim_process *a, *b;
	struct document doc;
	struct sink first, second;
	struct bed bed;
	int ends[2];

	sink_open(&first);
	sink_open(&second);
	bed_boot(&bed, NULL);
	a = bed_process(&bed, "a");
	b = bed_process(&bed, "b");
	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, ends) == 0);
	ksim_trace_json(bed.m, first.stream);
	ksim_hold(bed.m);
	SETUP(ksim_start(b, receive_one, &ends[1]) == 0);
	await_sleep(&bed, b);
	ksim_trace_json(bed.m, second.stream); /* the first document ends here */
	document_read(&doc, sink_text(&first));
	document_check(&doc);
	EXPECT(document_find(&doc, "E", 3, NULL, 1) != NULL);
	document_free(&doc);
	ksim_as(a)
		EXPECT_EQ(ksim_send(ends[0], "x", 1, 0), 1);
	EXPECT_EQ(ksim_join(b, NULL), 0);
	ksim_release(bed.m);
	traced(&bed, &second, &doc);
	EXPECT_ARGS(document_find(&doc, "i", 3, "end of a call", 0), "recvfrom(");
	sink_close(&first);
	done(&bed, &second, &doc);
}

TEST(json, halt_ends_the_document)
{
	struct ksim_process *p;
	struct document doc;
	struct sink sink;
	struct bed bed;

	sink_open(&sink);
	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_trace_json(bed.m, sink.stream);
	EXPECT_EQ(ksim_run(p, (int (*)(void *))(void (*)(void))ksim_exit, NULL, NULL), 0);
	bed_halt(&bed);
	document_read(&doc, sink_text(&sink));
	document_check(&doc);
	EXPECT_ARGS(document_find(&doc, "E", 2, NULL, 0), "{\"line\":\"exit_group(0) = ?\"}");
	document_free(&doc);
	sink_close(&sink);
}

/* ---- while others run ---- */

static int work(void *arg)
{
	ksim_addr at = ksim_mmap(0, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	for (int i = 0; i < 100; i++) {
		ksim_store8(at + (ksim_addr)(i % 16) * 4096, 1);
		ksim_mprotect(at, 16 * 4096, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ);
		ksim_mprotect(at, 16 * 4096, PROT_READ | PROT_WRITE);
	}
	return 0;
}

TEST(json, threads_of_many_processes_write_one_document)
{
	struct ksim_process *p[3];
	struct document doc;
	struct ksim_end end;
	struct sink sink;
	struct bed bed;

	sink_open(&sink);
	bed_boot(&bed, NULL);
	ksim_trace_json(bed.m, sink.stream);
	for (int i = 0; i < 3; i++) {
		p[i] = bed_process(&bed, "worker");
		/* The main last: when it returns, the process takes no more threads. */
		SETUP(ksim_task_start(p[i], work, NULL) > 0);
		SETUP(ksim_start(p[i], work, NULL) == 0);
	}
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(ksim_join(p[i], &end), 0);
		EXPECT_EQ(end.code, 0);
	}
	EXPECT_EQ(ksim_trace_json(bed.m, NULL), 0);
	document_read(&doc, sink_text(&sink));
	EXPECT_MSG(doc.error == NULL, "at byte %zu: %s", doc.error_at, doc.error);
	EXPECT(doc.n > 100);
	done(&bed, &sink, &doc);
}

TEST(json, may_be_started_and_stopped_while_processes_run)
{
	struct ksim_process *p[2];
	struct ksim_end end;
	struct bed bed;

	bed_boot(&bed, NULL);
	for (int i = 0; i < 2; i++) {
		p[i] = bed_process(&bed, "worker");
		SETUP(ksim_start(p[i], work, NULL) == 0);
	}
	do {
		struct document doc;
		struct sink sink;

		sink_open(&sink);
		ksim_trace_json(bed.m, sink.stream);
		ksim_process_status(p[0], &end);
		ksim_trace_json(bed.m, NULL);
		document_read(&doc, sink_text(&sink));
		document_check(&doc);
		document_free(&doc);
		sink_close(&sink);
	} while (end.alive);
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(ksim_join(p[i], NULL), 0);
	bed_halt(&bed);
}

// SPDX-License-Identifier: MIT
/*
 * The graph of who shares what: that it is one, by a reading of DOT as far as we write it and by Graphviz's own, and
 * that its arrows are right.
 */
#include "bed.h"

#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Not inlined, see maps.c. */
static __attribute__((noinline)) char *draw(struct ksim_machine *m)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	SETUP(stream != NULL);
	EXPECT_EQ(ksim_dump_dot(m, stream), 0);
	fclose(stream);
	return text;
}

/* ---- a reading of DOT ---- */

struct reader {
	const char *at;
	char token[512];
	char nodes[256][32];
	unsigned nnodes;
	unsigned narrows;
	const char *wrong; /* NULL: nothing yet */
};

static void wrong(struct reader *r, const char *what)
{
	if (r->wrong == NULL)
		r->wrong = what;
}

/* The next token: a word, a quoted string with its first quote, "->", or one character. "" at the end. */
static void next(struct reader *r)
{
	char *to = r->token, *end = r->token + sizeof(r->token) - 2;

	while (isspace((unsigned char)*r->at))
		r->at++;
	if (*r->at == '"') {
		*to++ = *r->at++;
		while (*r->at != '"' && *r->at != '\0' && to < end) {
			if (*r->at == '\n')
				wrong(r, "a line ends in a string");
			if (*r->at == '\\' && r->at[1] != '\0')
				*to++ = *r->at++;
			*to++ = *r->at++;
		}
		if (*r->at++ != '"')
			wrong(r, "a string has no end");
	} else if (isalnum((unsigned char)*r->at) || *r->at == '_') {
		while ((isalnum((unsigned char)*r->at) || *r->at == '_' || *r->at == '.') && to < end)
			*to++ = *r->at++;
	} else if (r->at[0] == '-' && r->at[1] == '>') {
		*to++ = *r->at++;
		*to++ = *r->at++;
	} else if (*r->at != '\0') {
		*to++ = *r->at++;
	}
	*to = '\0';
}

static bool is(const struct reader *r, const char *token)
{
	return strcmp(r->token, token) == 0;
}

static void expect(struct reader *r, const char *token)
{
	if (!is(r, token))
		wrong(r, token);
	next(r);
}

static void read_value(struct reader *r)
{
	if (!isalnum((unsigned char)r->token[0]) && r->token[0] != '"')
		wrong(r, "a value");
	next(r);
}

static void read_attributes(struct reader *r)
{
	expect(r, "[");
	while (!is(r, "]") && r->wrong == NULL) {
		read_value(r);
		expect(r, "=");
		read_value(r);
		if (!is(r, "]"))
			expect(r, ",");
	}
	expect(r, "]");
}

static bool is_declared(const struct reader *r, const char *node)
{
	for (unsigned i = 0; i < r->nnodes; i++)
		if (strcmp(r->nodes[i], node) == 0)
			return true;
	return false;
}

/* NAME = value;  NAME -> NAME [...];  NAME [...]; */
static void read_statement(struct reader *r)
{
	char name[32];

	snprintf(name, sizeof(name), "%.31s", r->token);
	if (!isalpha((unsigned char)name[0]))
		wrong(r, "a name");
	next(r);
	if (is(r, "=")) {
		next(r);
		read_value(r);
	} else if (is(r, "->")) {
		next(r);
		if (!is_declared(r, name) || !is_declared(r, r->token))
			wrong(r, "an arrow from and to nodes that were there before");
		r->narrows++;
		next(r);
	} else if (strcmp(name, "node") != 0) {
		if (is_declared(r, name) || r->nnodes == 256)
			wrong(r, "a node that is new");
		else
			strcpy(r->nodes[r->nnodes++], name);
	}
	if (is(r, "["))
		read_attributes(r);
	expect(r, ";");
}

static void read_graph(struct reader *r, const char *text)
{
	unsigned depth = 1;

	memset(r, 0, sizeof(*r));
	r->at = text;
	next(r);
	expect(r, "digraph");
	next(r);
	expect(r, "{");
	while (depth > 0 && r->wrong == NULL) {
		if (is(r, "}")) {
			depth--;
			next(r);
		} else if (is(r, "subgraph")) {
			depth++;
			next(r);
			if (strncmp(r->token, "cluster_", 8) != 0)
				wrong(r, "a cluster");
			next(r);
			expect(r, "{");
		} else {
			read_statement(r);
		}
	}
	if (r->token[0] != '\0')
		wrong(r, "the end");
}

static void expect_graph(const char *text)
{
	static struct reader r;

	read_graph(&r, text);
	EXPECT_MSG(r.wrong == NULL, "expected %s, before: %.60s\n%s", r.wrong, r.at, text);
}

/* The name of the node whose label contains the text; "?" if there is none. */
static const char *node(const char *text, const char *label, char name[32])
{
	const char *at = strstr(text, label), *line = at;

	strcpy(name, "?");
	while (line != NULL && line > text && line[-1] != '\n')
		line--;
	if (line != NULL)
		sscanf(line, " %31[a-z0-9_]", name);
	return name;
}

static bool has_arrow(const char *text, const char *from, const char *to)
{
	char line[96];
	const char *at;

	snprintf(line, sizeof(line), "\t%s -> %s", from, to);
	at = strstr(text, line);
	return at != NULL && (at[strlen(line)] == ';' || at[strlen(line)] == ' ');
}

/* ---- what is drawn ---- */

/* A client's pool of three pages, mapped by it and, by way of a message, by a compositor; two pages are touched. */
static void share_a_pool(struct bed *bed, struct ksim_process *who[2])
{
	int wl[2], pool = -1, got = -1;
	ksim_addr map = 0;
	size_t nfds = 1;
	char byte;

	who[0] = bed_process(bed, "client");
	who[1] = bed_process(bed, "compositor");
	SETUP(ksim_socketpair_between(who[0], who[1], SOCK_STREAM, wl) == 0);
	ksim_as(who[0]) {
		pool = bed_memfd("pool", 3);
		map = bed_map(pool, 3);
		ksim_store8(map, 1);
		ksim_store8(map + 4096, 1);
		SETUP(ksim_send_fds(wl[0], "p", 1, &pool, 1) == 1);
	}
	ksim_as(who[1]) {
		SETUP(ksim_recv_fds(wl[1], &byte, 1, &got, &nfds, 0) == 1);
		map = bed_map(got, 3);
		SETUP(ksim_load8(map) == 1 && ksim_load8(map + 4096) == 1);
		SETUP(ksim_close(got) == 0);
	}
}

static void check_shared_pool(enum ksim_arch arch)
{
	const struct ksim_config config = { .arch = arch };
	char file[32], frames[32], rest[32];
	struct ksim_process *who[2];
	struct bed bed;
	char *text;

	bed_boot(&bed, &config);
	share_a_pool(&bed, who);
	text = draw(bed.m);
	expect_graph(text);
	EXPECT(strstr(text, "label=\"client (2)\"") != NULL && strstr(text, "label=\"compositor (3)\"") != NULL);
	node(text, "2 frames, shared by 2 processes", frames);
	node(text, "1 frame, not mapped", rest);
	node(text, "/memfd:pool (deleted)\\nopen for reading and writing", file);
	/* The client's descriptor of the socket, of the pool, its mapping; the object; the compositor's mapping. */
	EXPECT_MSG(has_arrow(text, "fd2_1", file), "%s", text);
	EXPECT(has_arrow(text, file, "object1"));
	EXPECT(has_arrow(text, "mapping2", "object1") && has_arrow(text, "mapping3", "object1"));
	EXPECT(has_arrow(text, "mapping2", frames) && has_arrow(text, "mapping3", frames));
	EXPECT(has_arrow(text, "object1", frames) && has_arrow(text, "object1", rest));
	EXPECT(!has_arrow(text, "mapping2", rest));
	free(text);
	bed_halt(&bed);
}

TEST(dot, what_two_processes_map_has_arrows_from_both)
{
	check_shared_pool(KSIM_ARCH_X86_64);
	check_shared_pool(KSIM_ARCH_AARCH64);
}

TEST(dot, private_memory_is_shared_after_fork_until_one_writes)
{
	struct ksim_process *parent, *child;
	char both[32], one[32];
	ksim_addr map = 0;
	struct bed bed;
	char *text;

	bed_boot(&bed, NULL);
	parent = bed_process(&bed, "parent");
	ksim_as(parent) {
		map = ksim_mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ksim_store8(map, 1);
		ksim_store8(map + 4096, 2);
	}
	child = ksim_process_fork(parent, "child");
	SETUP(child != NULL);
	text = draw(bed.m);
	expect_graph(text);
	EXPECT(has_arrow(text, "mapping1", node(text, "2 frames, shared by 2 processes", both)));
	EXPECT(has_arrow(text, "mapping2", both));
	free(text);
	ksim_as(child)
		ksim_store8(map, 3);
	text = draw(bed.m);
	expect_graph(text);
	node(text, "1 frame, shared by 2 processes", both);
	EXPECT(has_arrow(text, "mapping1", both) && has_arrow(text, "mapping2", both));
	node(text, "1 frame\"", one);
	EXPECT(has_arrow(text, "mapping1", one) != has_arrow(text, "mapping2", one));
	free(text);
	bed_halt(&bed);
}

TEST(dot, the_frame_of_zeros_is_one_node_for_all_its_readers)
{
	struct ksim_process *p[2];
	struct bed bed;
	char zeros[32];
	char *text;

	bed_boot(&bed, NULL);
	for (int i = 0; i < 2; i++) {
		p[i] = bed_process(&bed, "reader");
		ksim_as(p[i]) {
			ksim_addr map = ksim_mmap(0, 5 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			for (unsigned page = 0; page < 5; page += 2)
				EXPECT_EQ(ksim_load8(map + page * 4096), 0);
		}
	}
	text = draw(bed.m);
	expect_graph(text);
	node(text, "1 frame of zeros, shared by 2 processes", zeros);
	EXPECT_MSG(has_arrow(text, "mapping1", zeros) && has_arrow(text, "mapping2", zeros), "%s", text);
	free(text);
	bed_halt(&bed);
}

/* As the picture calls it. */
static void name_socket(int fd, char name[32])
{
	struct stat st;

	SETUP(ksim_fstat(fd, &st) == 0);
	snprintf(name, 32, "socket:[%" PRIu64 "]", (uint64_t)st.st_ino);
}

TEST(dot, what_is_in_flight_hangs_on_its_message_and_sockets_on_their_peers)
{
	char memfd[32], ends[2][32], message[32], names[3][32];
	struct ksim_process *p;
	int outer[2], inner[2];
	struct bed bed;
	char *text;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		int fd = bed_memfd("inside", 1);

		SETUP(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, outer) == 0);
		SETUP(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, inner) == 0);
		name_socket(outer[0], names[0]);
		name_socket(outer[1], names[1]);
		name_socket(inner[1], names[2]);
		/* A memfd in a socket's queue, and that socket in another's. */
		SETUP(ksim_send_fds(inner[0], "abc", 3, &fd, 1) == 3);
		SETUP(ksim_send_fds(outer[0], "d", 1, &inner[1], 1) == 1);
		SETUP(ksim_close(inner[1]) == 0 && ksim_close(fd) == 0);
	}
	text = draw(bed.m);
	expect_graph(text);
	node(text, names[0], ends[0]);
	node(text, names[1], ends[1]);
	EXPECT_MSG(has_arrow(text, ends[0], ends[1]) || has_arrow(text, ends[1], ends[0]), "%s", text);
	node(text, "message 2 of client (2)\\n1 byte", message);
	EXPECT(has_arrow(text, ends[1], message));
	EXPECT(has_arrow(text, message, node(text, names[2], ends[0])));
	node(text, "message 1 of client (2)\\n3 bytes", message);
	EXPECT(has_arrow(text, ends[0], message));
	EXPECT(has_arrow(text, message, node(text, "/memfd:inside (deleted)\\nopen", memfd)));
	EXPECT(has_arrow(text, memfd, "object1"));
	free(text);
	bed_halt(&bed);
}

TEST(dot, names_of_any_bytes_stay_in_their_strings)
{
	struct ksim_process *p;
	struct bed bed;
	char *text;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "a \"b\" \\ <c>&amp;");
	ksim_as(p)
		bed_map(bed_memfd("\"];}\n\x01\xff\\", 1), 1);
	text = draw(bed.m);
	expect_graph(text);
	EXPECT_CONTAINS(text, "label=\"a \\\"b\\\" \\\\ <c>&amp;amp; (2)\"");
	EXPECT_CONTAINS(text, "/memfd:\\\"];}\\\\012\\\\001\\\\377\\\\ (deleted)\\n");
	free(text);
	bed_halt(&bed);
}

TEST(dot, many_scattered_frames_are_one_node_with_a_short_label)
{
	enum { PAGES = 200 };
	struct ksim_process *p;
	struct bed bed;
	char *text;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		ksim_addr map = bed_map(bed_memfd("pool", PAGES), PAGES);

		for (unsigned page = 0; page < PAGES; page += 2)
			ksim_store8(map + page * 4096, 1);
	}
	text = draw(bed.m);
	expect_graph(text);
	EXPECT_CONTAINS(text, ",\\nand 76 more\\n100 frames\"");
	EXPECT(strstr(text, ",\\nand 76 more\\n100 frames, not mapped\"") != NULL);
	free(text);
	bed_halt(&bed);
}

TEST(dot, is_the_same_for_the_same_state_and_leaves_no_trace_in_it)
{
	struct ksim_process *who[2];
	struct ksim_census census[2];
	struct bed bed;
	char *text[2];

	bed_boot(&bed, NULL);
	share_a_pool(&bed, who);
	ksim_census(bed.m, NULL, &census[0]);
	text[0] = draw(bed.m);
	text[1] = draw(bed.m);
	ksim_census(bed.m, NULL, &census[1]);
	EXPECT_STREQ(text[0], text[1]);
	EXPECT_MEMEQ(&census[0], &census[1], sizeof(census[0]));
	free(text[0]);
	free(text[1]);
	bed_halt(&bed);
}

TEST(dot, of_a_machine_without_processes_is_an_empty_graph_and_the_dead_are_not_drawn)
{
	struct ksim_process *p;
	struct bed bed;
	char *text;

	bed_boot(&bed, NULL);
	text = draw(bed.m);
	expect_graph(text);
	EXPECT(strstr(text, "cluster") == NULL);
	free(text);
	bed_process(&bed, "idle");
	p = bed_process(&bed, "dead");
	SETUP(ksim_process_end(p, 0) == 0);
	text = draw(bed.m);
	expect_graph(text);
	EXPECT(strstr(text, "holds nothing") != NULL && strstr(text, "dead") == NULL);
	free(text);
	bed_halt(&bed);
}

TEST(dot, graphviz_accepts_it)
{
	struct ksim_process *who[2];
	struct bed bed;
	FILE *program;

	if (system("command -v dot >/dev/null") != 0)
		SKIP("no dot here: package graphviz");
	bed_boot(&bed, NULL);
	share_a_pool(&bed, who);
	ksim_as(who[0]) {
		int ends[2], fd = bed_memfd("\"];}\n\x01\xff\\&lt;", 1);

		SETUP(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
		SETUP(ksim_send_fds(ends[0], "x", 1, &fd, 1) == 1);
	}
	program = popen("dot -Tsvg 2>&1 >/dev/null | grep .", "w");
	SETUP(program != NULL);
	EXPECT_EQ(ksim_dump_dot(bed.m, program), 0);
	EXPECT_MSG(pclose(program) == 256, "dot complains"); /* grep has found no line */
	bed_halt(&bed);
}

TEST(dot, that_cannot_be_written_fails_EIO)
{
	FILE *full = fopen("/dev/full", "w");
	struct bed bed;

	SETUP(full != NULL);
	bed_boot(&bed, NULL);
	EXPECT_FAILS(ksim_dump_dot(bed.m, full), EIO);
	EXPECT_FAILS(ksim_dump_census(bed.m, NULL, full), EIO);
	fclose(full);
	bed_halt(&bed);
}

/* ---- while others run ---- */

enum { ROUNDS = 100, PAGES = 40 };

static int come_and_go(void *arg)
{
	const int *ends = arg;

	for (int i = 0; i < ROUNDS; i++) {
		int fd = ksim_memfd_create("x", 0);
		ksim_addr map;

		if (fd < 0 || ksim_ftruncate(fd, PAGES * 4096) < 0)
			return 1;
		map = ksim_mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == KSIM_MAP_FAILED || ksim_send_fds(ends[0], "x", 1, &fd, 1) != 1)
			return 2;
		for (unsigned page = 0; page < PAGES; page += 3)
			ksim_store8(map + page * 4096, 1);
		if (ksim_ftruncate(fd, 4096) < 0 || ksim_munmap(map, PAGES * 4096) < 0 || ksim_close(fd) < 0)
			return 3;
	}
	return 0;
}

static int drain(void *arg)
{
	const int *ends = arg;

	for (int i = 0; i < ROUNDS; i++) {
		size_t nfds = 1;
		char byte;
		int fd;

		if (ksim_recv_fds(ends[1], &byte, 1, &fd, &nfds, 0) != 1 || ksim_close(fd) < 0)
			return 1;
	}
	return 0;
}

TEST(dot, and_maps_are_safe_to_draw_while_processes_run)
{
	struct ksim_process *a, *b;
	struct ksim_end end;
	struct bed bed;
	int ends[2];

	bed_boot(&bed, NULL);
	a = bed_process(&bed, "a");
	b = bed_process(&bed, "b");
	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, ends) == 0);
	ksim_hold(bed.m);
	SETUP(ksim_start(a, come_and_go, ends) == 0);
	SETUP(ksim_start(b, drain, ends) == 0);
	do {
		FILE *nowhere = fopen("/dev/null", "w");
		char *text = draw(bed.m);

		SETUP(nowhere != NULL);
		expect_graph(text);
		ksim_dump_maps(a, nowhere);
		fclose(nowhere);
		free(text);
		ksim_process_status(a, &end);
	} while (end.alive);
	ksim_release(bed.m);
	EXPECT_EQ(ksim_join(a, &end), 0);
	EXPECT_MSG(end.code == 0 && end.signo == 0, "%s", end.text);
	EXPECT_EQ(ksim_join(b, &end), 0);
	EXPECT_MSG(end.code == 0 && end.signo == 0, "%s", end.text);
	bed_halt(&bed);
}

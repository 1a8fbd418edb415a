// SPDX-License-Identifier: MIT
/*
 * What is said of a process that died of an access: the signal, the access, and what was there.
 */
#include "bed.h"

static struct {
	struct bed *bed;
	ksim_addr at; /* of the access that kills */
} plan;

/* Run fn as a new process, and compare its sentence; "@" stands for the address in plan. */
static void expect_sentence(struct bed *b, const char *name, int (*fn)(void *), const char *expected)
{
	struct ksim_process *p = ksim_process_create(b->m, name);
	char text[512], head[64];
	struct ksim_end end;
	const char *mark = strchr(expected, '@');

	SETUP(p != NULL && mark != NULL);
	memset(&plan, 0, sizeof(plan));
	plan.bed = b;
	EXPECT_EQ(ksim_run(p, fn, NULL, &end), 0);
	bed_fail_at(b, FAIL_FRAME, 0);
	snprintf(head, sizeof(head), "%s (%d) killed by ", name, (int)ksim_process_pid(p));
	snprintf(text, sizeof(text), "%s%.*s%#llx%s", head, (int)(mark - expected), expected,
	         (unsigned long long)plan.at, mark + 1);
	EXPECT(!end.alive);
	EXPECT_STREQ(end.text, text);
	EXPECT_EQ(end.addr, plan.at);
}

static int load_at(ksim_addr at)
{
	plan.at = at;
	return (int)ksim_load32(at);
}

static int store_at(ksim_addr at)
{
	plan.at = at;
	ksim_store64(at, 1);
	return 0;
}

/* ---- where nothing is mapped ---- */

static int nowhere(void *arg)
{
	(void)arg;
	return load_at(0x20);
}

static int below_a_mapping(void *arg)
{
	(void)arg;
	return store_at(bed_map(1, RW) - 8);
}

static int above_everything(void *arg)
{
	(void)arg;
	return load_at(PT_SPAN + 4);
}

static void maperr_body(struct bed *b)
{
	expect_sentence(b, "a", nowhere, "SIGSEGV SEGV_MAPERR: read of 4 at @, where nothing is mapped");
	expect_sentence(b, "b", below_a_mapping, "SIGSEGV SEGV_MAPERR: write of 8 at @, where nothing is mapped");
	expect_sentence(b, "c", above_everything, "SIGSEGV SEGV_MAPERR: read of 4 at @, where nothing is mapped");
}

TEST(sentence, of_SEGV_MAPERR_says_that_nothing_is_mapped)
{
	on_both_outside(true, maperr_body);
}

/* ---- what may not be done there ---- */

static int none(void *arg)
{
	(void)arg;
	return load_at(bed_map(1, PROT_NONE) + 100);
}

static int read_only(void *arg)
{
	(void)arg;
	return store_at(bed_map(1, PROT_READ));
}

static int executable(void *arg)
{
	(void)arg;
	return store_at(bed_map(1, PROT_READ | PROT_EXEC));
}

static int file_read_only(void *arg)
{
	int fd;

	(void)arg;
	return store_at(bed_map_file(3, PROT_READ, &fd) + 2 * PAGE + 8);
}

static int shared_anonymous(void *arg)
{
	ksim_addr at = ksim_mmap(0, (size_t)2 * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	SETUP(at != KSIM_MAP_FAILED);
	return store_at(at + PAGE);
}

static int atomic_load(void *arg)
{
	(void)arg;
	plan.at = bed_map(1, PROT_READ) + 2;
	return ksim_atomic_load16(plan.at);
}

static int across_to_none(void *arg)
{
	ksim_addr at = bed_two_pages(RW, PROT_NONE);

	(void)arg;
	plan.at = at + PAGE;
	ksim_store64(at + PAGE - 4, 1);
	return 0;
}

static void accerr_body(struct bed *b)
{
	expect_sentence(b, "a", none, "SIGSEGV SEGV_ACCERR: read of 4 at @, mapped ---");
	expect_sentence(b, "b", read_only, "SIGSEGV SEGV_ACCERR: write of 8 at @, mapped r--");
	expect_sentence(b, "c", executable, "SIGSEGV SEGV_ACCERR: write of 8 at @, mapped r-x");
	expect_sentence(b, "d", file_read_only,
	                "SIGSEGV SEGV_ACCERR: write of 8 at @, page 2 of /memfd:file (deleted), mapped r--");
	expect_sentence(b, "e", shared_anonymous,
	                "SIGSEGV SEGV_ACCERR: write of 8 at @, page 1 of /dev/zero (deleted), mapped r--");
	expect_sentence(b, "f", atomic_load, "SIGSEGV SEGV_ACCERR: write of 2 at @, mapped r--");
	expect_sentence(b, "g", across_to_none, "SIGSEGV SEGV_ACCERR: write of 8 at @, mapped ---");
}

TEST(sentence, of_SEGV_ACCERR_says_what_the_mapping_allows)
{
	on_both_outside(true, accerr_body);
}

/* ---- files ---- */

static int past_the_end(void *arg)
{
	int fd;
	ksim_addr at = bed_map_file(4, RW, &fd);

	(void)arg;
	SETUP(ksim_ftruncate(fd, PAGE + 50) == 0);
	return load_at(at + 3 * PAGE + 4);
}

static int past_the_end_of_a_part(void *arg)
{
	int fd = ksim_memfd_create("part", 0);
	ksim_addr at;

	(void)arg;
	SETUP(fd >= 0 && ksim_ftruncate(fd, (off_t)4 * PAGE) == 0);
	at = ksim_mmap(0, (size_t)2 * PAGE, RW, MAP_PRIVATE, fd, 2 * PAGE);
	SETUP(at != KSIM_MAP_FAILED && ksim_ftruncate(fd, 0) == 0 && ksim_close(fd) == 0);
	return store_at(at + PAGE);
}

static int misaligned(void *arg)
{
	(void)arg;
	plan.at = bed_map(1, RW) + 2;
	return (int)ksim_atomic_load32(plan.at);
}

static void bus_body(struct bed *b)
{
	expect_sentence(b, "a", past_the_end,
	                "SIGBUS BUS_ADRERR: read of 4 at @, page 3 of /memfd:file (deleted), size 4146");
	expect_sentence(b, "b", past_the_end_of_a_part,
	                "SIGBUS BUS_ADRERR: write of 8 at @, page 3 of /memfd:part (deleted), size 0");
	expect_sentence(b, "c", misaligned, "SIGBUS BUS_ADRALN: write of 4 at @, which is no multiple of 4");
}

TEST(sentence, of_SIGBUS_says_which_page_of_a_file_of_which_size)
{
	on_both_outside(true, bus_body);
}

/* ---- no memory ---- */

static int no_private_page(void *arg)
{
	ksim_addr at = bed_map(2, RW);

	(void)arg;
	ksim_store8(at, 1); /* the nodes */
	bed_fail_at(plan.bed, FAIL_FRAME, 1);
	return store_at(at + PAGE);
}

static int no_node(void *arg)
{
	ksim_addr at = bed_map(1, RW);

	(void)arg;
	bed_fail_at(plan.bed, FAIL_FRAME, 1);
	return load_at(at);
}

static int no_copy(void *arg)
{
	ksim_addr at = bed_map(1, RW);

	(void)arg;
	ksim_load8(at); /* the frame of zeros */
	bed_fail_at(plan.bed, FAIL_FRAME, 1);
	return store_at(at);
}

static int no_file_page(void *arg)
{
	ksim_addr at;
	int fd;

	(void)arg;
	at = bed_map_file(2, RW, &fd);
	ksim_load8(at);
	bed_fail_at(plan.bed, FAIL_FRAME, 1);
	return load_at(at + PAGE);
}

static int no_copy_of_file_page(void *arg)
{
	int fd = ksim_memfd_create("part", 0);
	ksim_addr at;

	(void)arg;
	SETUP(fd >= 0 && ksim_ftruncate(fd, (off_t)2 * PAGE) == 0);
	SETUP(ksim_write(fd, "x", 1) == 1 && ksim_pwrite(fd, "x", 1, PAGE) == 1);
	at = ksim_mmap(0, (size_t)2 * PAGE, RW, MAP_PRIVATE, fd, 0);
	SETUP(at != KSIM_MAP_FAILED);
	ksim_load8(at);
	bed_fail_at(plan.bed, FAIL_FRAME, 1);
	return store_at(at + PAGE);
}

static void memory_body(struct bed *b)
{
	expect_sentence(b, "a", no_private_page, "SIGKILL: no memory for a private page: write at @");
	expect_sentence(b, "b", no_node, "SIGKILL: no memory for a page-table node: read at @");
	expect_sentence(b, "c", no_copy, "SIGKILL: no memory for a private copy of a page: write at @");
	expect_sentence(b, "d", no_file_page, "SIGKILL: no memory for a page of a file: read at @");
	expect_sentence(b, "e", no_copy_of_file_page,
	                "SIGKILL: no memory for a private copy of a file's page: write at @");
}

TEST(sentence, of_SIGKILL_says_which_memory_was_missing)
{
	on_both_outside(true, memory_body);
}

/* ---- room ---- */

static int in_a_long_file(void *arg)
{
	char name[250];
	ksim_addr at;
	int fd;

	memset(name, 'f', sizeof(name) - 1);
	name[*(int *)arg] = '\0';
	fd = ksim_memfd_create(name, 0);
	SETUP(fd >= 0 && ksim_ftruncate(fd, PAGE) == 0);
	at = ksim_mmap(0, PAGE, RW, MAP_SHARED, fd, 0);
	SETUP(at != KSIM_MAP_FAILED && ksim_ftruncate(fd, 0) == 0);
	return load_at(at);
}

static void room_body(struct bed *b)
{
	char process_name[100];
	struct ksim_end end;

	memset(process_name, 'p', sizeof(process_name) - 1);
	process_name[sizeof(process_name) - 1] = '\0';
	for (int len = 0; len <= 249; len++) {
		struct ksim_process *p = ksim_process_create(b->m, process_name);
		const char *head = "ppppppppppppppppppppppppppppppp (";

		SETUP(p != NULL);
		EXPECT_EQ(ksim_run(p, in_a_long_file, &len, &end), 0);
		EXPECT(!end.alive && end.signo == SIGBUS);
		EXPECT(strlen(end.text) < sizeof(end.text));
		EXPECT(strncmp(end.text, head, strlen(head)) == 0);
		EXPECT(strstr(end.text, "killed by SIGBUS BUS_ADRERR: read of 4 at 0x") != NULL);
		EXPECT(len > 20 || strstr(end.text, ", size 0") != NULL);
		EXPECT_EQ(ksim_join(p, NULL), 0);
	}
	EXPECT_EQ(strlen(end.text), sizeof(end.text) - 1);
}

TEST(sentence, is_cut_where_names_are_too_long)
{
	on_both_outside(true, room_body);
}

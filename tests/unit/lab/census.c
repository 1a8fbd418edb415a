// SPDX-License-Identifier: MIT
/*
 * Counts, validators, and what a halt says about things that were forgotten.
 */
#include "bed.h"

#include "phys/group.h"

#include <stdlib.h>

static bool is_same(const struct ksim_census *a, const struct ksim_census *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

TEST(census, counts_what_a_process_makes)
{
	struct ksim_census before = { 0 }, after = { 0 };
	struct ksim_process *p;
	int fd, ends[2];
	struct bed bed;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		ksim_census(bed.m, p, &before);
		fd = bed_memfd("pool", 3);
		bed_map(fd, 3);
		EXPECT_EQ(ksim_dup(fd), 1);
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		EXPECT_EQ(ksim_send(ends[0], "x", 1, 0), 1);
		ksim_census(bed.m, p, &after);
	}
	EXPECT_EQ(after.frames - before.frames, 3);
	EXPECT_EQ(after.objects - before.objects, 1);
	EXPECT_EQ(after.inodes - before.inodes, 3);
	EXPECT_EQ(after.files - before.files, 3);
	EXPECT_EQ(after.fds - before.fds, 4);
	EXPECT_EQ(after.vmas - before.vmas, 1);
	EXPECT_EQ(after.sockets - before.sockets, 2);
	EXPECT_EQ(after.messages - before.messages, 1);
	EXPECT_EQ(after.mms, 1);
	EXPECT_EQ(after.processes, 1);
	EXPECT_EQ(after.tasks, 1);
	bed_halt(&bed);
}

TEST(census, a_touched_page_needs_tables_that_count_as_frames)
{
	struct ksim_census before = { 0 }, after = { 0 };
	struct ksim_process *p;
	struct bed bed;
	ksim_addr map = 0;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		map = bed_map(bed_memfd("pool", 1), 1);
		ksim_census(bed.m, p, &before);
		ksim_store8(map, 1);
		ksim_census(bed.m, p, &after);
	}
	EXPECT_EQ(after.page_tables - before.page_tables, 3);
	EXPECT_EQ(after.frames - before.frames, 3);
	bed_halt(&bed);
}

TEST(census, machine_total_is_back_when_a_process_has_ended)
{
	struct ksim_census before, after, dead, none = { 0 };
	struct ksim_process *p;
	struct ksim_end end;
	struct bed bed;

	bed_boot(&bed, NULL);
	ksim_census(bed.m, NULL, &before);
	EXPECT_EQ(before.processes, 1); /* init */
	p = bed_process(&bed, "client");
	ksim_as(p)
		ksim_store8(bed_map(bed_memfd("pool", 2), 2), 1);
	EXPECT_EQ(ksim_process_end(p, 0), 0);
	EXPECT_EQ(ksim_join(p, &end), 0);
	ksim_census(bed.m, NULL, &after);
	ksim_census(bed.m, p, &dead);
	EXPECT(is_same(&before, &after));
	EXPECT(is_same(&dead, &none));
	bed_halt(&bed);
}

TEST(census, halt_names_what_the_kernel_forgot_and_counts_it)
{
	struct ksim_process *p;
	struct bed bed;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	census_add(&p->kernel->owner, CENSUS_OBJECT, 2);
	census_add(&lab_env(bed.m)->self, CENSUS_INODE, 1);
	EXPECT_EQ(ksim_halt(bed.m), 3);
	EXPECT(strstr(bed.report, "halt: the kernel still holds of kind object: 2, on the account of client (2)\n") !=
	       NULL);
	EXPECT(strstr(bed.report, "halt: the kernel still holds of kind inode: 1, on the account of machine (0)\n") !=
	       NULL);
}

/* Not inlined, see maps.c. */
static __attribute__((noinline)) char *dump(const struct ksim_machine *m, const struct ksim_process *p)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	SETUP(stream != NULL);
	EXPECT_EQ(ksim_dump_census(m, p, stream), 0);
	fclose(stream);
	return text;
}

TEST(census, text_has_a_line_for_every_kind)
{
	struct ksim_process *p;
	struct bed bed;
	int ends[2];
	char *text;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		ksim_store8(bed_map(bed_memfd("pool", 2), 2), 1);
		SETUP(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	}
	text = dump(bed.m, p);
	EXPECT_STREQ(text, "census of client (2)\n"
	                   "  frames                    6\n"
	                   "    for page tables         4\n"
	                   "  objects                   1\n"
	                   "  inodes                    3\n"
	                   "  open files                3\n"
	                   "  descriptors               3\n"
	                   "  address spaces            1\n"
	                   "  mappings                  1\n"
	                   "  sockets                   2\n"
	                   "  messages                  0\n"
	                   "  processes                 1\n"
	                   "  tasks                     1\n");
	free(text);
	text = dump(bed.m, NULL);
	EXPECT_CONTAINS(text, "census of the machine\n"
	                      "  frames                    7\n");
	EXPECT(strstr(text, "\n  processes                 2\n") != NULL);
	free(text);
	bed_halt(&bed);
}

TEST(check, broken_invariant_is_named_counted_and_mended)
{
	struct ksim_process *p;
	struct bed bed;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	EXPECT_EQ(ksim_check(bed.m), 0);
	census_add(&p->kernel->owner, CENSUS_FRAME, 7);
	EXPECT_EQ(ksim_check(bed.m), 1);
	EXPECT_MSG(strncmp(bed.report, "broken invariant: the census counts every frame in use: in use ", 63) == 0,
	           "the report is: %s", bed.report);
	bed.report[0] = '\0';
	census_add(&p->kernel->owner, CENSUS_FRAME, -7);
	bed_halt(&bed);
}

TEST(check, every_broken_invariant_has_a_line_of_its_own)
{
	struct ksim_process *p[2];
	unsigned nlines = 0;
	struct bed bed;

	bed_boot(&bed, NULL);
	for (int i = 0; i < 2; i++) {
		p[i] = bed_process(&bed, "client");
		ksim_as(p[i])
			bed_memfd("x", 1);
		p[i]->kernel->files->hint += 2; /* past a free number */
	}
	EXPECT(ksim_check(bed.m) >= 2);
	for (const char *at = bed.report; (at = strstr(at, "broken invariant: fdtable I2:")) != NULL; at++)
		nlines++;
	EXPECT_EQ(nlines, 2);
	for (int i = 0; i < 2; i++)
		p[i]->kernel->files->hint -= 2;
	bed.report[0] = '\0';
	bed_halt(&bed);
}

TEST(census, text_ends_with_the_memory_groups)
{
	struct ksim_process *p, *q;
	struct bed bed;
	char *text;
	int fd;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	q = bed_process(&bed, "free");
	SETUP(ksim_limit_memory(&p, 1, 9 * KSIM_PAGE_SIZE) == 0);
	ksim_as(p) {
		fd = bed_memfd("pool", 2);
		EXPECT_EQ(ksim_ftruncate(fd, 8 * KSIM_PAGE_SIZE), 0);
		EXPECT_EQ(ksim_ftruncate(fd, 10 * KSIM_PAGE_SIZE), -1);
		EXPECT_EQ(ksim_ftruncate(fd, KSIM_PAGE_SIZE), 0);
	}
	SETUP(ksim_limit_memory(&q, 1, UINT64_MAX) == 0);
	text = dump(bed.m, p);
	EXPECT_CONTAINS(text, "  memory group 1            1 of 9 frames, peak 8, refused 1\n");
	EXPECT(strstr(text, "group 2") == NULL);
	free(text);
	text = dump(bed.m, NULL);
	EXPECT_CONTAINS(text, "  memory group 1            1 of 9 frames, peak 8, refused 1\n"
	                      "  memory group 2            0 frames, peak 0, refused 0\n");
	free(text);
	bed_halt(&bed);
}

TEST(census, halt_names_charges_without_frames)
{
	struct ksim_process *p;
	struct bed bed;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	SETUP(ksim_limit_memory(&p, 1, UINT64_MAX) == 0);
	lab_env(bed.m)->phys->groups->group[1].used += 2;
	EXPECT_EQ(ksim_halt(bed.m), 2);
	EXPECT(strstr(bed.report, "halt: memory groups are still charged with frames: 2\n") != NULL);
}

// SPDX-License-Identifier: MIT
/*
 * /proc/pid/maps, byte for byte: proc(5), and what the host's kernel writes; and which frames stand behind it.
 */
#include "bed.h"

#include <stdlib.h>
#include <unistd.h>

/* Not inlined: gcc 12 then takes the stream's text for the address of this function's variable. */
static __attribute__((noinline)) char *dump(const struct ksim_process *p)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	SETUP(stream != NULL);
	EXPECT_EQ(ksim_dump_maps(p, stream), 0);
	fclose(stream);
	return text;
}

/* Only the lines that Linux has. */
static char *linux_lines(char *text)
{
	char *to = text, *next;

	for (char *line = text; *line != '\0'; line = next) {
		next = strchrnul(line, '\n');
		next += *next == '\n';
		if (*line == ' ')
			continue;
		memmove(to, line, (size_t)(next - line));
		to += next - line;
	}
	*to = '\0';
	return text;
}

TEST(maps, are_written_as_linux_does)
{
	const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_EXEC };
	struct ksim_process *p;
	char expected[1024];
	struct stat st = { 0 };
	struct bed bed;
	char *text;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		int fd = bed_memfd("pool", 4);

		for (int i = 0; i < 3; i++)
			EXPECT(ksim_mmap(0x100000 + (ksim_addr)i * 4096, 4096, prots[i],
			                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != KSIM_MAP_FAILED);
		EXPECT(ksim_mmap(0x7ffffff00000, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 8192) !=
		       KSIM_MAP_FAILED);
		EXPECT(ksim_mmap(0x7fffffff0000, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
		       KSIM_MAP_FAILED);
		EXPECT_EQ(ksim_fstat(fd, &st), 0);
	}
	snprintf(expected, sizeof(expected),
	         "00100000-00101000 ---p 00000000 00:00 0 \n"
	         "00101000-00102000 r--p 00000000 00:00 0 \n"
	         "00102000-00103000 r-xp 00000000 00:00 0 \n"
	         "7ffffff00000-7ffffff02000 rw-s 00002000 00:01 %-26llu /memfd:pool (deleted)\n"
	         "7fffffff0000-7fffffff1000 r--s 00000000 00:01 0                          /dev/zero (deleted)\n",
	         (unsigned long long)st.st_ino);
	text = linux_lines(dump(p));
	EXPECT_STREQ(text, expected);
	free(text);
	bed_halt(&bed);
}

static unsigned long long pfn_at(const struct ksim_process *p, ksim_addr addr)
{
	struct ksim_translation at;

	SETUP(ksim_translate(p, addr, &at) == 0);
	return at.pfn.n;
}

static void check_frames(enum ksim_arch arch)
{
	const struct ksim_config config = { .arch = arch };
	unsigned long long pfn[4];
	struct ksim_process *p;
	char expected[512];
	ksim_addr map = 0;
	struct stat st = { 0 };
	struct bed bed;
	char *text;

	bed_boot(&bed, &config);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		int fd = bed_memfd("wl_shm", 6);

		map = ksim_mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 2 * 4096);
		EXPECT_EQ(ksim_fstat(fd, &st), 0);
		ksim_store8(map, 1);
		ksim_store8(map + 4096, 1);
		ksim_store8(map + 3 * 4096, 1);
	}
	for (int i = 0; i < 4; i++)
		pfn[i] = i == 2 ? 0 : pfn_at(p, map + (ksim_addr)i * 4096);
	EXPECT_EQ(pfn[1], pfn[0] + 1);
	/* Pages are those of the file. */
	snprintf(expected, sizeof(expected),
	         "%llx-%llx rw-s 00002000 00:01 %-26llu /memfd:wl_shm (deleted)\n"
	         " pages 2-3 -> pfn %llu-%llu, page 5 -> pfn %llu; 3 of 4 present\n",
	         (unsigned long long)map, (unsigned long long)map + 4 * 4096, (unsigned long long)st.st_ino, pfn[0],
	         pfn[1], pfn[3]);
	text = dump(p);
	EXPECT_STREQ(text, expected);
	free(text);
	bed_halt(&bed);
}

TEST(maps, tell_which_frames_stand_behind_a_mapping)
{
	check_frames(KSIM_ARCH_X86_64);
	check_frames(KSIM_ARCH_AARCH64);
}

TEST(maps, tell_zeros_own_copies_and_memory_that_is_shared_until_a_write)
{
	const int flags = MAP_PRIVATE | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
	struct ksim_process *p;
	struct ksim_end end;
	char expected[512];
	struct bed bed;
	char *text;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		EXPECT(ksim_mmap(0x100000, 5 * 4096, rw, flags | MAP_ANONYMOUS, -1, 0) == 0x100000);
		EXPECT(ksim_mmap(0x200000, 2 * 4096, rw, flags, bed_memfd("file", 2), 0) == 0x200000);
		for (unsigned page = 0; page < 3; page++)
			EXPECT_EQ(ksim_load8(0x100000 + page * 4096), 0);
		ksim_store8(0x103000, 1);
		EXPECT_EQ(ksim_load8(0x200000), 0);
		ksim_store8(0x201000, 1);
	}
	text = dump(p);
	snprintf(expected, sizeof(expected), "\n pages 0-2 -> pfn %llu (zeros), page 3 -> pfn %llu; 4 of 5 present\n",
	         pfn_at(p, 0x100000), pfn_at(p, 0x103000));
	EXPECT_CONTAINS(text, expected);
	snprintf(expected, sizeof(expected), "\n page 0 -> pfn %llu, page 1 -> pfn %llu (own copy); 2 of 2 present\n",
	         pfn_at(p, 0x200000), pfn_at(p, 0x201000));
	EXPECT_CONTAINS(text, expected);
	free(text);
	SETUP(ksim_process_fork(p, "child") != NULL);
	text = dump(p);
	snprintf(expected, sizeof(expected), "page 3 -> pfn %llu (copy-on-write); 4 of 5", pfn_at(p, 0x103000));
	EXPECT_CONTAINS(text, expected);
	snprintf(expected, sizeof(expected), "page 1 -> pfn %llu (copy-on-write); 2 of 2", pfn_at(p, 0x201000));
	EXPECT_CONTAINS(text, expected);
	free(text);
	ksim_process_status(p, &end);
	EXPECT(end.alive);
	bed_halt(&bed);
}

TEST(maps, of_many_scattered_pages_have_all_of_them_four_in_a_line)
{
	enum { PAGES = 700 };
	struct ksim_process *p;
	unsigned nruns = 0, nlines = 0;
	struct bed bed;
	char *text;

	bed_boot(&bed, &(struct ksim_config){ .transparent_huge = KSIM_NONE });
	p = bed_process(&bed, "client");
	ksim_as(p) {
		ksim_addr map = bed_map(bed_memfd("pool", PAGES), PAGES);

		for (unsigned page = 0; page < PAGES; page += 2)
			ksim_store8(map + page * 4096, 1);
	}
	text = dump(p);
	for (const char *at = text; (at = strstr(at, " -> pfn ")) != NULL; at++)
		nruns++;
	for (const char *at = text; (at = strstr(at, "\n page ")) != NULL; at++)
		nlines++;
	EXPECT_EQ(nruns, 350);
	EXPECT_EQ(nlines, 88);
	EXPECT(strstr(text, "; 350 of 700 present\n") != NULL);
	free(text);
	bed_halt(&bed);
}

/* Where the name begins in the host's line of a mapping that is called so; 0: there is none. */
static size_t host_name_column(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	size_t column = 0;

	SETUP(maps != NULL);
	while (column == 0 && fgets(line, sizeof(line), maps) != NULL)
		if (strstr(line, name) != NULL)
			column = (size_t)(strstr(line, name) - line);
	fclose(maps);
	return column;
}

TEST(maps, have_names_in_the_column_where_the_host_has_them)
{
	struct ksim_process *p;
	struct bed bed;
	char *text;
	void *host;
	int fd;

	fd = memfd_create("column", MFD_CLOEXEC);
	SETUP(fd >= 0 && ftruncate(fd, 4096) == 0);
	host = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	SETUP(host != MAP_FAILED);
	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p)
		bed_map(bed_memfd("column", 1), 1);
	text = dump(p);
	if (host_name_column("/memfd:column") != 0)
		EXPECT_EQ(strstr(text, "/memfd:column") - text, host_name_column("/memfd:column"));
	free(text);
	bed_halt(&bed);
	munmap(host, 4096);
	close(fd);
}

TEST(maps, a_newline_in_a_name_stays_on_its_line)
{
	struct ksim_process *p;
	struct bed bed;
	char *text;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p)
		bed_map(bed_memfd("two\nlines", 1), 1);
	text = dump(p);
	EXPECT(strstr(text, "/memfd:two\\012lines (deleted)\n") != NULL);
	free(text);
	bed_halt(&bed);
}

TEST(maps, of_a_dead_process_fail_ESRCH_and_of_a_full_disk_EIO)
{
	struct ksim_process *p;
	struct bed bed;
	FILE *full = fopen("/dev/full", "w");

	SETUP(full != NULL);
	setvbuf(full, NULL, _IONBF, 0);
	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	EXPECT_EQ(ksim_dump_maps(p, full), 0); /* nothing is mapped, nothing is written */
	ksim_as(p)
		bed_map(bed_memfd("pool", 1), 1);
	EXPECT_FAILS(ksim_dump_maps(p, full), EIO);
	EXPECT_EQ(ksim_process_end(p, 0), 0);
	EXPECT_FAILS(ksim_dump_maps(p, stderr), ESRCH);
	fclose(full);
	bed_halt(&bed);
}

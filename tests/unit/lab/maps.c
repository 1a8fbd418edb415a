// SPDX-License-Identifier: MIT
/*
 * /proc/pid/maps, byte for byte: proc(5), and what the host's kernel writes.
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

TEST(maps, are_written_as_linux_does)
{
	const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_EXEC };
	struct ksim_process *p;
	char expected[1024];
	struct stat st;
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
	text = dump(p);
	EXPECT_STREQ(text, expected);
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

// SPDX-License-Identifier: MIT
/*
 * What Linux promises of /proc/<pid>/maps, smaps and smaps_rollup (proc(5), Documentation/filesystems/proc.rst).
 */
#include "abi_proc.h"

#include <sys/sysmacros.h>

static void expect_line(const char *maps, addr_t addr, const char *expected)
{
	const char *line = proc_line_of(maps, addr);
	size_t len = line != NULL ? strcspn(line, "\n") : 0;

	EXPECT_MSG(len == strlen(expected) && memcmp(line, expected, len) == 0, "line '%.*s', expected '%s'", (int)len,
	           line != NULL ? line : "", expected);
}

/* The line of maps as Linux writes it. */
static void make_line(char *line, size_t size, addr_t addr, int npages, const char *rest, const char *name)
{
	int len = snprintf(line, size, "%08llx-%08llx %s ", (unsigned long long)addr,
	                   (unsigned long long)addr + (unsigned long long)npages * PAGE, rest);

	if (name != NULL)
		snprintf(line + len, size - (size_t)len, "%*s%s", len < 73 ? 73 - len : 1, "", name);
}

TEST(proc_maps, line_of_a_memfd_tells_permissions_offset_device_inode_and_name)
{
	int fd = proc_named_memfd("proc test", 4);
	addr_t addr = proc_map_apart(2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 2 * PAGE);
	addr_t copy = proc_map_apart(2, PROT_READ, MAP_PRIVATE, fd, 0);
	char line[256], rest[96];
	struct stat st;

	SETUP(x_fstat(fd, &st) == 0);
	proc_slurp("/proc/self/maps");
	snprintf(rest, sizeof(rest), "rw-s 00002000 %02x:%02x %llu", major(st.st_dev), minor(st.st_dev),
	         (unsigned long long)st.st_ino);
	make_line(line, sizeof(line), addr, 2, rest, "/memfd:proc test (deleted)");
	expect_line(proc_text, addr, line);
	snprintf(rest, sizeof(rest), "r--p 00000000 %02x:%02x %llu", major(st.st_dev), minor(st.st_dev),
	         (unsigned long long)st.st_ino);
	make_line(line, sizeof(line), copy, 2, rest, "/memfd:proc test (deleted)");
	expect_line(proc_text, copy, line);
	proc_unmap_apart(addr, 2);
	proc_unmap_apart(copy, 2);
	x_close(fd);
}

TEST(proc_maps, line_of_private_anonymous_memory_ends_behind_inode_0)
{
	addr_t addr = proc_anonymous_apart(3);
	char line[256];

	make_line(line, sizeof(line), addr, 3, "rw-p 00000000 00:00 0", NULL);
	expect_line(proc_slurp("/proc/self/maps"), addr, line);
	SETUP(x_mprotect(addr + PAGE, PAGE, PROT_READ | PROT_EXEC) == 0);
	proc_slurp("/proc/self/maps");
	make_line(line, sizeof(line), addr + PAGE, 1, "r-xp 00000000 00:00 0", NULL);
	expect_line(proc_text, addr + PAGE, line);
	make_line(line, sizeof(line), addr + (addr_t)2 * PAGE, 1, "rw-p 00000000 00:00 0", NULL);
	expect_line(proc_text, addr + (addr_t)2 * PAGE, line);
	proc_unmap_apart(addr, 3);
}

TEST(proc_maps, shared_anonymous_memory_is_called_dev_zero)
{
	addr_t addr = proc_map_apart(1, PROT_READ | PROT_WRITE, MAP_SHARED, -1, 0);
	const char *line = proc_line_of(proc_slurp("/proc/self/maps"), addr);

	EXPECT(line != NULL && strstr(line, " rw-s 00000000 00:01 ") != NULL);
	EXPECT(line != NULL && strncmp(line + 73, "/dev/zero (deleted)\n", 20) == 0);
	proc_unmap_apart(addr, 1);
}

TEST(proc_maps, line_of_a_file_with_a_name_tells_its_path_and_when_it_is_gone)
{
	char path[64], line[256], rest[96], name[80];
	struct stat st;
	addr_t addr;
	int fd;

	fresh_path(path, sizeof(path));
	fd = x_open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	SETUP(fd >= 0 && x_ftruncate(fd, PAGE) == 0 && x_fstat(fd, &st) == 0);
	addr = proc_map_apart(1, PROT_READ, MAP_SHARED, fd, 0);
	snprintf(rest, sizeof(rest), "r--s 00000000 %02x:%02x %llu", major(st.st_dev), minor(st.st_dev),
	         (unsigned long long)st.st_ino);
	make_line(line, sizeof(line), addr, 1, rest, path);
	expect_line(proc_slurp("/proc/self/maps"), addr, line);
	SETUP(x_unlink(path) == 0);
	snprintf(name, sizeof(name), "%s (deleted)", path);
	make_line(line, sizeof(line), addr, 1, rest, name);
	expect_line(proc_slurp("/proc/self/maps"), addr, line);
	proc_unmap_apart(addr, 1);
	x_close(fd);
}

TEST(proc_maps, newline_in_a_name_is_written_in_octal)
{
	int fd = proc_named_memfd("two\nlines", 1);
	addr_t addr = proc_map_apart(1, PROT_READ, MAP_SHARED, fd, 0);
	const char *line = proc_line_of(proc_slurp("/proc/self/maps"), addr);

	EXPECT(line != NULL && strncmp(line + 73, "/memfd:two\\012lines (deleted)\n", 30) == 0);
	proc_unmap_apart(addr, 1);
	x_close(fd);
}

TEST(proc_maps, small_reads_get_every_byte_once)
{
	static char pieces[PROC_TEXT_MAX];
	addr_t addr = proc_anonymous_apart(3);
	size_t len;

	SETUP(x_mprotect(addr + PAGE, PAGE, PROT_READ) == 0);
	proc_slurp_by("/proc/self/maps", pieces, sizeof(pieces), 4096); /* what must come into memory for it has come */
	len = proc_slurp_by("/proc/self/maps", pieces, sizeof(pieces), 7);
	EXPECT_EQ(strlen(proc_slurp("/proc/self/maps")), len);
	EXPECT(memcmp(pieces, proc_text, len) == 0);
	proc_unmap_apart(addr, 3);
}

TEST(proc_maps, pread_and_lseek_reach_any_byte)
{
	addr_t addr = proc_anonymous_apart(1);
	int fd = x_open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	char piece[64];

	SETUP(fd >= 0);
	proc_slurp("/proc/self/maps");
	EXPECT_EQ(x_pread(fd, piece, 30, 11), 30);
	EXPECT_MEMEQ(piece, proc_text + 11, 30);
	EXPECT_EQ(x_lseek(fd, 25, SEEK_SET), 25);
	EXPECT_EQ(x_read(fd, piece, 10), 10);
	EXPECT_MEMEQ(piece, proc_text + 25, 10);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 35);
	EXPECT_EQ(x_lseek(fd, -1, SEEK_SET), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_END), -1);
	EXPECT_EQ(errno, EINVAL);
	x_close(fd);
	proc_unmap_apart(addr, 1);
}

TEST(proc_maps, file_read_again_from_its_beginning_tells_what_is_mapped_now)
{
	addr_t before = proc_anonymous_apart(1), addr;
	int fd = x_open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	SETUP(fd >= 0 && x_read(fd, proc_text, 10) == 10);
	addr = proc_anonymous_apart(1);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_SET), 0);
	for (ssize_t n, len = 0; (n = x_read(fd, proc_text + len, 4096)) > 0; proc_text[len] = '\0')
		len += n;
	EXPECT(proc_line_of(proc_text, addr) != NULL);
	x_close(fd);
	proc_unmap_apart(addr, 1);
	proc_unmap_apart(before, 1);
}

/* ---- smaps ---- */

/* A number of smaps, of the mapping that begins at addr, in KiB. */
static long long smap_of(pid_t pid, addr_t addr, const char *key)
{
	const char *line = proc_line_of(proc_slurp_of(pid, "smaps"), addr);

	EXPECT_MSG(line != NULL, "no mapping at %#llx", (unsigned long long)addr);
	return line != NULL ? proc_number_in(line, key) : -1;
}

#define EXPECT_SMAP(pid, addr, key, pages) EXPECT_EQ(smap_of(pid, addr, key), (pages)*KIB_PAGE)

struct sharing {
	int shared_clean, shared_dirty, private_clean, private_dirty;
};

static void expect_sharing(pid_t pid, addr_t addr, struct sharing pages)
{
	const char *line = proc_line_of(proc_slurp_of(pid, "smaps"), addr);

	EXPECT(line != NULL);
	if (line == NULL)
		return;
	EXPECT_EQ(proc_number_in(line, "Shared_Clean"), pages.shared_clean * KIB_PAGE);
	EXPECT_EQ(proc_number_in(line, "Shared_Dirty"), pages.shared_dirty * KIB_PAGE);
	EXPECT_EQ(proc_number_in(line, "Private_Clean"), pages.private_clean * KIB_PAGE);
	EXPECT_EQ(proc_number_in(line, "Private_Dirty"), pages.private_dirty * KIB_PAGE);
	EXPECT_EQ(proc_number_in(line, "Rss"),
	          (pages.shared_clean + pages.shared_dirty + pages.private_clean + pages.private_dirty) * KIB_PAGE);
}

TEST(proc_smaps, private_memory_counts_pages_that_were_written)
{
	pid_t me = x_getpid();
	addr_t addr = proc_anonymous_apart(4);
	uint8_t zero;

	proc_touch(addr, 2);
	SETUP(probe_ld8(addr + (addr_t)3 * PAGE, &zero).signo == 0);
	EXPECT_SMAP(me, addr, "Size", 4);
	EXPECT_SMAP(me, addr, "KernelPageSize", 1);
	EXPECT_SMAP(me, addr, "MMUPageSize", 1);
	EXPECT_SMAP(me, addr, "Pss", 2);
	EXPECT_SMAP(me, addr, "Pss_Dirty", 2);
	EXPECT_SMAP(me, addr, "Referenced", 2);
	EXPECT_SMAP(me, addr, "Anonymous", 2);
	EXPECT_SMAP(me, addr, "Locked", 0);
	EXPECT_SMAP(me, addr, "Swap", 0);
	expect_sharing(me, addr, (struct sharing){ .private_dirty = 2 });
	proc_unmap_apart(addr, 4);
}

TEST(proc_smaps, pages_of_a_shared_mapping_are_divided_among_those_who_have_touched_them)
{
	pid_t me = x_getpid(), child;
	int fd = proc_named_memfd("shared", 4);
	struct proc_watched w = { .shared = proc_map_apart(4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) };

	proc_touch(w.shared, 4);
	expect_sharing(me, w.shared, (struct sharing){ .private_dirty = 4 });
	EXPECT_SMAP(me, w.shared, "Pss", 4);
	EXPECT_SMAP(me, w.shared, "Anonymous", 0);
	child = proc_watch(&w);
	expect_sharing(me, w.shared, (struct sharing){ .shared_dirty = 4 });
	expect_sharing(child, w.shared, (struct sharing){ .shared_dirty = 4 });
	EXPECT_SMAP(me, w.shared, "Pss", 2);
	EXPECT_SMAP(child, w.shared, "Pss", 2);
	proc_unwatch(&w, child);
	expect_sharing(me, w.shared, (struct sharing){ .private_dirty = 4 });
	proc_unmap_apart(w.shared, 4);
	x_close(fd);
}

TEST(proc_smaps, private_pages_are_shared_with_a_child_until_one_of_both_writes)
{
	pid_t me = x_getpid(), child;
	struct proc_watched w = { .private = proc_anonymous_apart(4) };

	proc_touch(w.private, 4);
	child = proc_watch(&w);
	expect_sharing(me, w.private, (struct sharing){ .shared_dirty = 3, .private_dirty = 1 });
	expect_sharing(child, w.private, (struct sharing){ .shared_dirty = 3, .private_dirty = 1 });
	EXPECT_EQ(smap_of(me, w.private, "Pss"), 3 * KIB_PAGE / 2 + KIB_PAGE);
	st8(w.private + PAGE, 2);
	expect_sharing(me, w.private, (struct sharing){ .shared_dirty = 2, .private_dirty = 2 });
	expect_sharing(child, w.private, (struct sharing){ .shared_dirty = 2, .private_dirty = 2 });
	proc_unwatch(&w, child);
	expect_sharing(me, w.private, (struct sharing){ .private_dirty = 4 });
	proc_unmap_apart(w.private, 4);
}

TEST(proc_smaps, page_of_a_file_that_nobody_wrote_is_clean_and_stays_dirty_once_written)
{
	pid_t me = x_getpid();
	int fd = proc_named_memfd("clean", 3);
	addr_t addr = proc_map_apart(3, PROT_READ, MAP_SHARED, fd, 0);

	EXPECT_EQ(ld8(addr), 0);
	expect_sharing(me, addr, (struct sharing){ .private_clean = 1 });
	SETUP(x_pwrite(fd, "x", 1, PAGE) == 1);
	EXPECT_EQ(ld8(addr + PAGE), 'x');
	expect_sharing(me, addr, (struct sharing){ .private_clean = 1, .private_dirty = 1 });
	EXPECT_SMAP(me, addr, "Pss_Dirty", 1);
	EXPECT_SMAP(me, addr, "Referenced", 2);
	proc_unmap_apart(addr, 3);
	x_close(fd);
}

TEST(proc_smaps, private_mapping_of_a_file_has_the_files_page_until_it_is_written)
{
	pid_t me = x_getpid();
	int fd = proc_named_memfd("private", 1);
	addr_t addr = proc_map_apart(1, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	EXPECT_EQ(ld8(addr), 0);
	expect_sharing(me, addr, (struct sharing){ .private_clean = 1 });
	EXPECT_SMAP(me, addr, "Anonymous", 0);
	proc_touch(addr, 1);
	expect_sharing(me, addr, (struct sharing){ .private_dirty = 1 });
	EXPECT_SMAP(me, addr, "Anonymous", 1);
	proc_unmap_apart(addr, 1);
	x_close(fd);
}

TEST(proc_smaps, page_that_one_writes_is_dirty_for_the_others_who_map_it)
{
	pid_t me = x_getpid();
	int fd = proc_named_memfd("dirty", 2);
	addr_t reader = proc_map_apart(2, PROT_READ, MAP_SHARED, fd, 0), writer;

	EXPECT_EQ(ld8(reader), 0);
	writer = proc_map_apart(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	proc_touch(writer, 1);
	expect_sharing(me, reader, (struct sharing){ .shared_dirty = 1 });
	proc_unmap_apart(writer, 1);
	expect_sharing(me, reader, (struct sharing){ .private_dirty = 1 });
	SETUP(x_fallocate(fd, 0, 0, 2 * PAGE) == 0);
	EXPECT_EQ(ld8(reader + PAGE), 0);
	expect_sharing(me, reader, (struct sharing){ .private_dirty = 2 });
	proc_unmap_apart(reader, 2);
	x_close(fd);
}

/* Whether the flags of the mapping have this one. */
static bool has_flag(addr_t addr, const char *flag)
{
	const char *line = proc_line_of(proc_slurp("/proc/self/smaps"), addr),
		   *flags = line != NULL ? strstr(line, "VmFlags: ") : NULL;
	char word[8];

	snprintf(word, sizeof(word), " %s ", flag);
	line = flags != NULL ? strstr(flags, word) : NULL;
	return line != NULL && line < strchr(flags, '\n');
}

static void expect_flags(addr_t addr, const char *const *present, const char *const *absent)
{
	for (; *present != NULL; present++)
		EXPECT_MSG(has_flag(addr, *present), "%s is not among the flags", *present);
	for (; *absent != NULL; absent++)
		EXPECT_MSG(!has_flag(addr, *absent), "%s is among the flags", *absent);
}

TEST(proc_smaps, flags_tell_what_is_allowed_and_what_may_be)
{
	int fd = proc_named_memfd("flags", 1), readable = reopen(fd, O_RDONLY);
	addr_t private = proc_anonymous_apart(1), shared = proc_map_apart(1, PROT_READ, MAP_SHARED, fd, 0);
	addr_t bound = proc_map_apart(1, PROT_READ, MAP_SHARED, readable, 0);
	addr_t unreserved = proc_map_apart(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, -1, 0);

	expect_flags(private, (const char *[]){ "rd", "wr", "mr", "mw", "me", "ac", NULL },
	             (const char *[]){ "ex", "sh", "ms", "lo", "nr", "gd", NULL });
	expect_flags(shared, (const char *[]){ "rd", "sh", "mr", "mw", "me", "ms", NULL },
	             (const char *[]){ "wr", "ex", "ac", NULL });
	expect_flags(bound, (const char *[]){ "rd", "mr", "me", "ms", NULL }, (const char *[]){ "sh", "mw", NULL });
	expect_flags(unreserved, (const char *[]){ "nr", NULL }, (const char *[]){ "ac", NULL });
	proc_unmap_apart(private, 1);
	proc_unmap_apart(shared, 1);
	proc_unmap_apart(bound, 1);
	proc_unmap_apart(unreserved, 1);
	x_close(readable);
	x_close(fd);
}

TEST(proc_smaps, locked_memory_is_told_in_smaps_and_status)
{
	pid_t me = x_getpid();
	long long before = proc_number_in(proc_slurp("/proc/self/status"), "VmLck");
	addr_t addr = proc_map_apart(2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_LOCKED, -1, 0);

	EXPECT_SMAP(me, addr, "Locked", 2);
	EXPECT_SMAP(me, addr, "Rss", 2);
	EXPECT(has_flag(addr, "lo"));
	EXPECT_EQ(proc_number_in(proc_slurp("/proc/self/status"), "VmLck"), before + 2 * KIB_PAGE);
	proc_unmap_apart(addr, 2);
}

TEST(proc_smaps, rollup_is_one_line_and_the_sums_of_all_mappings)
{
	int fd = proc_named_memfd("rollup", 2);
	addr_t addr = proc_map_apart(2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	long long before = proc_number_in(proc_slurp("/proc/self/smaps_rollup"), "Pss_Shmem");
	const char *header = strchr(proc_text, '\n');

	EXPECT(header != NULL && header - proc_text == 73 + 8 && strncmp(header - 8, "[rollup]", 8) == 0);
	EXPECT(header != NULL && strncmp(header, "\nRss:            ", 17) == 0);
	proc_touch(addr, 2);
	EXPECT_EQ(proc_number_in(proc_slurp("/proc/self/smaps_rollup"), "Pss_Shmem"), before + 2 * KIB_PAGE);
	proc_unmap_apart(addr, 2);
	x_close(fd);
}

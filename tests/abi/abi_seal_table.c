// SPDX-License-Identifier: MIT
/*
 * Every way to change a file, times every seal, with and without a writable shared mapping from before: SEMANTICS.md
 * 20, 24-26, 28, 30, 32-35; memfd_create(2), F_ADD_SEALS in fcntl(2).
 *
 * Each row is a way. Each of its columns is what comes of it on a fresh file of two pages under one seal: 0, or the
 * errno; where it fails, size, content, mode and blocks must be as before. A seal that the mapping keeps away (EBUSY)
 * leaves the file as if it were not sealed.
 */
#include "abi.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

enum { NONE, SHRINK, GROW, WRITE, FUTURE, EXEC, EXEC_X, SEAL, NSEALS };

/* SEAL_EXEC of a file that nobody may execute, and of one that somebody may, which brings all but SEAL. */
static const struct {
	const char *name;
	unsigned seals;
	mode_t mode;
	int since;
	int expected; /* all seals, afterwards */
} columns[NSEALS] = {
	[NONE] = { "no seal", 0, 0666, 0, 0 },
	[SHRINK] = { "SHRINK", F_SEAL_SHRINK, 0666, 0, F_SEAL_SHRINK },
	[GROW] = { "GROW", F_SEAL_GROW, 0666, 0, F_SEAL_GROW },
	[WRITE] = { "WRITE", F_SEAL_WRITE, 0666, 0, F_SEAL_WRITE },
	[FUTURE] = { "FUTURE_WRITE", F_SEAL_FUTURE_WRITE, 0666, 5001, F_SEAL_FUTURE_WRITE },
	[EXEC] = { "EXEC", F_SEAL_EXEC, 0666, 6003, F_SEAL_EXEC },
	[EXEC_X] = { "EXEC of an executable", F_SEAL_EXEC, 0777, 6003, 0x3e },
	[SEAL] = { "SEAL", F_SEAL_SEAL, 0666, 0, F_SEAL_SEAL },
};

/* A file in one cell of the table; map is the mapping from before, of its first page. */
struct cell {
	int fd;
	addr_t map;
};

/* 0 or the errno. */
#define OUTCOME(call) ((call) < 0 ? errno : 0)

static int run(int (*way)(const struct cell *cell), const struct cell *cell)
{
	errno = 0;
	return way(cell);
}

static void expect_same(const struct stat *before, int fd, const char *way, const char *seal)
{
	struct stat now;

	SETUP(x_fstat(fd, &now) == 0);
	EXPECT_MSG(now.st_size == before->st_size && now.st_mode == before->st_mode &&
	                   now.st_blocks == before->st_blocks && byte_at(fd, 0) == 'a' && byte_at(fd, PAGE) == 'b',
	           "%s failed under %s and changed: size %lld, mode %o, blocks %lld, %d %d", way, seal,
	           (long long)now.st_size, now.st_mode, (long long)now.st_blocks, byte_at(fd, 0), byte_at(fd, PAGE));
}

static void one_cell(const char *name, int (*way)(const struct cell *cell), const int *expected, int column,
                     bool mapped)
{
	struct cell cell = { .fd = memfd(2), .map = 0 };
	bool denied = mapped && (column == WRITE || column == EXEC_X);
	struct stat before;
	int outcome;

	SETUP(x_pwrite(cell.fd, "a", 1, 0) == 1 && x_pwrite(cell.fd, "b", 1, PAGE) == 1);
	SETUP(x_fchmod(cell.fd, columns[column].mode) == 0);
	if (mapped)
		cell.map = map_shared(cell.fd, 1, PROT_READ | PROT_WRITE);
	if (denied)
		EXPECT_FAILS(x_fcntl(cell.fd, F_ADD_SEALS, columns[column].seals), EBUSY);
	else
		EXPECT_EQ(x_fcntl(cell.fd, F_ADD_SEALS, columns[column].seals), 0);
	EXPECT_EQ(seals_of(cell.fd), denied ? 0 : columns[column].expected);
	SETUP(x_fstat(cell.fd, &before) == 0);
	outcome = run(way, &cell);
	if (outcome == ENOSYS)
		SKIP("the kernel lacks the call");
	EXPECT_MSG(outcome == expected[denied ? NONE : column], "%s under %s%s: errno %d, expected %d", name,
	           columns[column].name, mapped ? ", mapped" : "", outcome, expected[denied ? NONE : column]);
	if (outcome != 0)
		expect_same(&before, cell.fd, name, columns[column].name);
	if (mapped)
		unmap(cell.map, 1);
	EXPECT_EQ(x_close(cell.fd), 0);
}

/* A row: without a mapping, and with one; if the way needs one, only so. */
static void row(const char *name, int (*way)(const struct cell *cell), bool needs_map, const int *expected)
{
	for (int column = 0; column < NSEALS; column++) {
		if (linux_release() < columns[column].since)
			continue;
		if (!needs_map)
			one_cell(name, way, expected, column, false);
		if (column != EXEC_X || linux_release() >= 6018)
			one_cell(name, way, expected, column, true);
	}
}

#define ROW(name, ...)                                                       \
	TEST(seal_table, name)                                               \
	{                                                                    \
		row(#name, name, false, (const int[NSEALS]){ __VA_ARGS__ }); \
	}
#define ROW_OF_MAPPING(name, ...)                                           \
	TEST(seal_table, name)                                              \
	{                                                                   \
		row(#name, name, true, (const int[NSEALS]){ __VA_ARGS__ }); \
	}
#define ALL_OF_EXEC [EXEC_X] = EPERM

/* Content. */

static int write_inside(const struct cell *cell)
{
	return OUTCOME(x_write(cell->fd, "x", 1));
}
ROW(write_inside, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int pwrite_inside(const struct cell *cell)
{
	return OUTCOME(x_pwrite(cell->fd, "x", 1, PAGE + 7));
}
ROW(pwrite_inside, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int pwrite_at_the_end(const struct cell *cell)
{
	return OUTCOME(x_pwrite(cell->fd, "x", 1, 2 * PAGE));
}
ROW(pwrite_at_the_end, [GROW] = EPERM, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int pwrite_far_beyond(const struct cell *cell)
{
	return OUTCOME(x_pwrite(cell->fd, "x", 1, 100 * PAGE));
}
ROW(pwrite_far_beyond, [GROW] = EPERM, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int write_of_nothing(const struct cell *cell)
{
	return OUTCOME(x_write(cell->fd, "x", 0));
}
ROW(write_of_nothing, [NONE] = 0)

static int writev_inside(const struct cell *cell)
{
	struct iovec iov[2] = { { (char[]){ "xy" }, 2 }, { (char[]){ "z" }, 1 } };

	return OUTCOME(x_writev(cell->fd, iov, 2));
}
ROW(writev_inside, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int pwritev_inside(const struct cell *cell)
{
	struct iovec iov[2] = { { (char[]){ "xy" }, 2 }, { (char[]){ "z" }, 1 } };

	return OUTCOME(x_pwritev(cell->fd, iov, 2, 5));
}
ROW(pwritev_inside, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int pwritev2_that_appends(const struct cell *cell)
{
	struct iovec iov = { (char[]){ "x" }, 1 };

	return OUTCOME(x_pwritev2(cell->fd, &iov, 1, 0, RWF_APPEND));
}
ROW(pwritev2_that_appends, [GROW] = EPERM, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int write_of_another_description(const struct cell *cell)
{
	int again = reopen(cell->fd, O_WRONLY);
	int outcome = OUTCOME(x_write(again, "x", 1));

	SETUP(x_close(again) == 0);
	return outcome;
}
ROW(write_of_another_description, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

/* From another memfd, 10 bytes. */
static int copied(int to, off_t at)
{
	int outcome, from = memfd(1);
	off_t zero = 0;

	outcome = OUTCOME(x_copy_file_range(from, &zero, to, &at, 10, 0));
	SETUP(x_close(from) == 0);
	return outcome;
}

static int copy_file_range_inside(const struct cell *cell)
{
	return copied(cell->fd, 3);
}
ROW(copy_file_range_inside, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int copy_file_range_to_the_end(const struct cell *cell)
{
	return copied(cell->fd, 2 * PAGE);
}
ROW(copy_file_range_to_the_end, [GROW] = EPERM, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int copy_file_range_within_the_file(const struct cell *cell)
{
	off_t from = 0, to = PAGE;

	return OUTCOME(x_copy_file_range(cell->fd, &from, cell->fd, &to, 10, 0));
}
ROW(copy_file_range_within_the_file, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int sent(int to, off_t at)
{
	int outcome, from = memfd(1);

	SETUP(x_lseek(to, at, SEEK_SET) == at);
	outcome = OUTCOME(x_sendfile(to, from, NULL, 10));
	SETUP(x_close(from) == 0);
	return outcome;
}

static int sendfile_inside(const struct cell *cell)
{
	return sent(cell->fd, 0);
}
ROW(sendfile_inside, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int sendfile_to_the_end(const struct cell *cell)
{
	return sent(cell->fd, 2 * PAGE);
}
ROW(sendfile_to_the_end, [GROW] = EPERM, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

/* Size. */

static int ftruncate_smaller(const struct cell *cell)
{
	return OUTCOME(x_ftruncate(cell->fd, PAGE));
}
ROW(ftruncate_smaller, [SHRINK] = EPERM, ALL_OF_EXEC)

static int ftruncate_to_nothing(const struct cell *cell)
{
	return OUTCOME(x_ftruncate(cell->fd, 0));
}
ROW(ftruncate_to_nothing, [SHRINK] = EPERM, ALL_OF_EXEC)

static int ftruncate_to_the_same(const struct cell *cell)
{
	return OUTCOME(x_ftruncate(cell->fd, 2 * PAGE));
}
ROW(ftruncate_to_the_same, [NONE] = 0)

static int ftruncate_larger(const struct cell *cell)
{
	return OUTCOME(x_ftruncate(cell->fd, 2 * PAGE + 1));
}
ROW(ftruncate_larger, [GROW] = EPERM, ALL_OF_EXEC)

static int open_with_O_TRUNC(const struct cell *cell)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", cell->fd);
	again = x_open(path, O_RDWR | O_TRUNC);
	return again < 0 ? errno : OUTCOME(x_close(again));
}
ROW(open_with_O_TRUNC, [SHRINK] = EPERM, ALL_OF_EXEC)

/* fallocate, each mode. */

static int fallocate_inside(const struct cell *cell)
{
	return OUTCOME(x_fallocate(cell->fd, 0, 0, 2 * PAGE));
}
ROW(fallocate_inside, [NONE] = 0)

static int fallocate_beyond(const struct cell *cell)
{
	return OUTCOME(x_fallocate(cell->fd, 0, PAGE, PAGE + 1));
}
ROW(fallocate_beyond, [GROW] = EPERM, ALL_OF_EXEC)

static int fallocate_KEEP_SIZE_inside(const struct cell *cell)
{
	return OUTCOME(x_fallocate(cell->fd, FALLOC_FL_KEEP_SIZE, 0, 2 * PAGE));
}
ROW(fallocate_KEEP_SIZE_inside, [NONE] = 0)

static int fallocate_KEEP_SIZE_beyond(const struct cell *cell)
{
	return OUTCOME(x_fallocate(cell->fd, FALLOC_FL_KEEP_SIZE, 2 * PAGE, PAGE));
}
ROW(fallocate_KEEP_SIZE_beyond, [GROW] = EPERM, ALL_OF_EXEC)

static int fallocate_PUNCH_HOLE(const struct cell *cell)
{
	return OUTCOME(x_fallocate(cell->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2 * PAGE));
}
ROW(fallocate_PUNCH_HOLE, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int fallocate_PUNCH_HOLE_beyond_the_end(const struct cell *cell)
{
	return OUTCOME(x_fallocate(cell->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE, PAGE));
}
ROW(fallocate_PUNCH_HOLE_beyond_the_end, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int fallocate_ZERO_RANGE(const struct cell *cell)
{
	return OUTCOME(x_fallocate(cell->fd, FALLOC_FL_ZERO_RANGE, 0, PAGE));
}
ROW(fallocate_ZERO_RANGE, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP,
    EOPNOTSUPP)

static int fallocate_COLLAPSE_RANGE(const struct cell *cell)
{
	return OUTCOME(x_fallocate(cell->fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE));
}
ROW(fallocate_COLLAPSE_RANGE, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP,
    EOPNOTSUPP)

static int fallocate_INSERT_RANGE(const struct cell *cell)
{
	return OUTCOME(x_fallocate(cell->fd, FALLOC_FL_INSERT_RANGE, 0, PAGE));
}
ROW(fallocate_INSERT_RANGE, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP,
    EOPNOTSUPP)

/* Mappings. */

/* A new mapping, and a store through it where that is allowed. */
static int mapped(int fd, int prot, int flags)
{
	addr_t map = x_mmap(0, PAGE, prot, flags, fd, 0);

	if (map == NO_MAPPING)
		return errno;
	if (prot & PROT_WRITE)
		st8(map, 'm');
	unmap(map, 1);
	return 0;
}

static int mmap_shared_writable(const struct cell *cell)
{
	return mapped(cell->fd, PROT_READ | PROT_WRITE, MAP_SHARED);
}
ROW(mmap_shared_writable, [WRITE] = EPERM, [FUTURE] = EPERM, ALL_OF_EXEC)

static int mmap_private_writable(const struct cell *cell)
{
	return mapped(cell->fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}
ROW(mmap_private_writable, [NONE] = 0)

static int mmap_shared_read_only_then_mprotect(const struct cell *cell)
{
	addr_t map = x_mmap(0, PAGE, PROT_READ, MAP_SHARED, cell->fd, 0);
	int outcome;

	/* Where a write-sealed file may not even be mapped so, the answer comes earlier (SEMANTICS.md 27). */
	if (map == NO_MAPPING)
		return errno == EPERM && (linux_release() < 6007 || linux_release() == 6012) ? EACCES : errno;
	outcome = OUTCOME(x_mprotect(map, PAGE, PROT_READ | PROT_WRITE));
	unmap(map, 1);
	return outcome;
}
ROW(mmap_shared_read_only_then_mprotect, [WRITE] = EACCES, [FUTURE] = EACCES, [EXEC_X] = EACCES)

static int store_through_an_older_mapping(const struct cell *cell)
{
	st8(cell->map, 's');
	return byte_at(cell->fd, 0) == 's' ? 0 : EIO;
}
ROW_OF_MAPPING(store_through_an_older_mapping, [NONE] = 0)

static int madvise_REMOVE_of_an_older_mapping(const struct cell *cell)
{
	return OUTCOME(x_madvise(cell->map, PAGE, MADV_REMOVE));
}
ROW_OF_MAPPING(madvise_REMOVE_of_an_older_mapping, [FUTURE] = EPERM)

static int mprotect_of_an_older_mapping(const struct cell *cell)
{
	SETUP(x_mprotect(cell->map, PAGE, PROT_READ) == 0);
	return OUTCOME(x_mprotect(cell->map, PAGE, PROT_READ | PROT_WRITE));
}
ROW_OF_MAPPING(mprotect_of_an_older_mapping, [NONE] = 0)

/* Mode. */

static int fchmod_of_x_bits(const struct cell *cell)
{
	struct stat st;

	SETUP(x_fstat(cell->fd, &st) == 0);
	return OUTCOME(x_fchmod(cell->fd, (st.st_mode & 0777) ^ 0100));
}
ROW(fchmod_of_x_bits, [EXEC] = EPERM, ALL_OF_EXEC)

static int fchmod_of_other_bits(const struct cell *cell)
{
	struct stat st;

	SETUP(x_fstat(cell->fd, &st) == 0);
	return OUTCOME(x_fchmod(cell->fd, (st.st_mode & 0777) ^ 0444));
}
ROW(fchmod_of_other_bits, [NONE] = 0)

/* And seals themselves. */

static int another_seal(const struct cell *cell)
{
	return OUTCOME(x_fcntl(cell->fd, F_ADD_SEALS, F_SEAL_SHRINK));
}
ROW(another_seal, [SEAL] = EPERM)

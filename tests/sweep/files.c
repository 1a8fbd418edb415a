// SPDX-License-Identifier: MIT
/*
 * Files, swept: allocated, punched, written and read by rows of buffers, copied from one to another and to a socket,
 * sealed.
 *
 * What Linux promises when such a call fails for want of memory: fallocate(2) has allocated nothing; a transfer may
 * have moved a part, and then says how much; the call can be made again.
 */
#include "sweep.h"

#include <fcntl.h>

enum { PAGES = 4, BYTES = PAGES * PAGE, PIECES = 20 };

static long long blocks(int fd)
{
	struct stat st;

	return ksim_fstat(fd, &st) == 0 ? st.st_blocks : -1;
}

static long long size(int fd)
{
	struct stat st;

	return ksim_fstat(fd, &st) == 0 ? st.st_size : -1;
}

/* A transfer that ended early has told of what failed by its count. */
static bool moved_all(ssize_t n, size_t wanted, size_t *done)
{
	if (n < 0)
		return false;
	if ((size_t)n < wanted)
		story.absorbed = true;
	*done += (size_t)n;
	return true;
}

/* The pieces of a buffer from an offset on. */
static int pieces(struct iovec iov[PIECES], char *buf, size_t from)
{
	const size_t piece = BYTES / PIECES;
	int n = 0;

	for (size_t at = from; at < BYTES; n++) {
		size_t end = (at / piece + 1) * piece > BYTES - piece ? BYTES : (at / piece + 1) * piece;

		iov[n] = (struct iovec){ buf + at, end - at };
		at = end;
	}
	return n;
}

static int write_row(int fd, char *buf)
{
	struct iovec iov[PIECES];
	size_t done = 0;

	while (done < BYTES)
		MUST(moved_all(RETRY(ksim_pwritev(fd, iov, pieces(iov, buf, done), (off_t)done)), BYTES - done, &done));
	return 0;
}

static int read_row(int fd, char *buf)
{
	struct iovec iov[PIECES];
	size_t done = 0;

	while (done < BYTES)
		MUST(moved_all(RETRY(ksim_preadv(fd, iov, pieces(iov, buf, done), (off_t)done)), BYTES - done, &done));
	return 0;
}

static int make_file(int *fd)
{
	*fd = RETRY(ksim_memfd_create("file", MFD_CLOEXEC | MFD_NOEXEC_SEAL));
	MUST(*fd >= 0);
	return 0;
}

static int rows(void *arg)
{
	static char out[BYTES], in[BYTES];
	int fd;

	(void)arg;
	for (size_t i = 0; i < BYTES; i++)
		out[i] = (char)(i * 7);
	memset(in, 0, BYTES);
	TRY(make_file(&fd));
	TRY(write_row(fd, out));
	MUST(size(fd) == BYTES);
	TRY(read_row(fd, in));
	MUST(memcmp(in, out, BYTES) == 0);
	MUST(ksim_close(fd) == 0);
	return 0;
}

TEST(sweep_files, of_rows_written_and_read)
{
	story_sweep(story_of_itself, rows);
}

static int allocated(void *arg)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	int fd;

	(void)arg;
	TRY(make_file(&fd));
	MUST(RETRY_UNCHANGED(ksim_fallocate(fd, 0, 0, BYTES), size(fd) == 0 && blocks(fd) == 0) == 0);
	MUST(ksim_lseek(fd, 0, SEEK_DATA) == -1 && errno == ENXIO);
	MUST(RETRY_UNCHANGED(ksim_fallocate(fd, FALLOC_FL_KEEP_SIZE, BYTES - PAGE, 2 * BYTES),
	                     size(fd) == BYTES && blocks(fd) == PAGES * 8) == 0);
	MUST(blocks(fd) == (3 * PAGES - 1) * 8);
	MUST(ksim_fallocate(fd, punch, 0, BYTES - PAGE) == 0); /* needs no memory */
	MUST(blocks(fd) == 2 * PAGES * 8);
	MUST(RETRY_UNCHANGED(ksim_fallocate(fd, 0, 0, BYTES), blocks(fd) == 2 * PAGES * 8) == 0);
	MUST(ksim_fallocate(fd, punch, 0, 4 * BYTES) == 0);
	MUST(blocks(fd) == 0 && size(fd) == BYTES);
	MUST(ksim_close(fd) == 0);
	return 0;
}

TEST(sweep_files, of_a_file_allocated_and_punched)
{
	story_sweep(story_of_itself, allocated);
}

static int punched_under_mappings(void *arg)
{
	ksim_addr shared, private;
	int fd;

	(void)arg;
	TRY(make_file(&fd));
	MUST(RETRY(ksim_ftruncate(fd, BYTES)) == 0);
	shared = RETRY(ksim_mmap(0, BYTES, RW, MAP_SHARED, fd, 0));
	private = RETRY(ksim_mmap(0, BYTES, RW, MAP_PRIVATE, fd, 0));
	MUST(shared != KSIM_MAP_FAILED && private != KSIM_MAP_FAILED);
	mem_store8(shared, 1);
	mem_store8(shared + PAGE, 2);
	mem_store8(private, 3);
	MUST(ksim_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BYTES) == 0);
	MUST(mem_load8(private) == 3);
	MUST(mem_load8(shared) == 0 && mem_load8(private + PAGE) == 0);
	MUST(ksim_munmap(shared, BYTES) == 0 && ksim_munmap(private, BYTES) == 0);
	MUST(ksim_close(fd) == 0);
	return 0;
}

TEST(sweep_files, of_a_hole_punched_under_mappings)
{
	story_sweep(story_of_itself, punched_under_mappings);
}

static int copied(void *arg)
{
	static char buf[BYTES];
	off_t in = 0, out = 100;
	size_t done = 0;
	int from, to;

	(void)arg;
	memset(buf, 'c', BYTES);
	TRY(make_file(&from));
	TRY(make_file(&to));
	TRY(write_row(from, buf));
	while (done < BYTES)
		MUST(moved_all(RETRY_UNCHANGED(ksim_copy_file_range(from, &in, to, &out, BYTES - done, 0),
		                               in == (off_t)done && out == (off_t)done + 100),
		               BYTES - done, &done));
	MUST(in == BYTES && out == BYTES + 100 && size(to) == BYTES + 100);
	in = 0;
	done = 0;
	while (done < BYTES)
		MUST(moved_all(RETRY_UNCHANGED(ksim_sendfile(to, from, &in, BYTES - done), in == (off_t)done),
		               BYTES - done, &done));
	MUST(ksim_lseek(to, 0, SEEK_CUR) == BYTES);
	MUST(ksim_close(to) == 0 && ksim_close(from) == 0);
	return 0;
}

TEST(sweep_files, of_one_copied_to_another)
{
	story_sweep(story_of_itself, copied);
}

static int sent(void *arg)
{
	static char buf[BYTES];
	int from, ends[2];
	size_t done = 0;
	off_t in = 0;

	(void)arg;
	memset(buf, 's', BYTES);
	TRY(make_file(&from));
	TRY(write_row(from, buf));
	MUST(RETRY(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) == 0);
	while (done < BYTES)
		MUST(moved_all(RETRY_UNCHANGED(ksim_sendfile(ends[0], from, &in, BYTES - done), in == (off_t)done),
		               BYTES - done, &done));
	for (done = 0; done < BYTES;)
		MUST(moved_all(RETRY(ksim_read(ends[1], buf, BYTES - done)), 0, &done));
	MUST(ksim_close(ends[0]) == 0 && ksim_close(ends[1]) == 0 && ksim_close(from) == 0);
	return 0;
}

TEST(sweep_files, of_one_sent_to_a_socket)
{
	story_sweep(story_of_itself, sent);
}

/* ---- seals ---- */

/* What a seal forbids is forbidden whatever else fails, by every call that would; what was there stays. */
static int sealed(void *arg)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	ksim_addr map;
	int fd, other;

	(void)arg;
	fd = RETRY(ksim_memfd_create("sealed", MFD_ALLOW_SEALING));
	MUST(fd == 0);
	MUST(RETRY(ksim_pwrite(fd, "x", 1, PAGE)) == 1);
	map = RETRY(ksim_mmap(0, 2 * PAGE, RW, MAP_SHARED, fd, 0));
	MUST(map != KSIM_MAP_FAILED);
	MUST(RETRY(ksim_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)) == -1 && errno == EBUSY);
	MUST(RETRY(ksim_fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW)) == 0);
	mem_store8(map, 'm');
	MUST(RETRY(ksim_mmap(0, PAGE, RW, MAP_SHARED, fd, 0)) == KSIM_MAP_FAILED && errno == EPERM);
	MUST(RETRY(ksim_pwrite(fd, "y", 1, 0)) == -1 && errno == EPERM);
	MUST(RETRY(ksim_fallocate(fd, punch, 0, PAGE)) == -1 && errno == EPERM);
	MUST(RETRY(ksim_ftruncate(fd, BYTES)) == -1 && errno == EPERM);
	MUST(ksim_munmap(map, 2 * PAGE) == 0);
	MUST(RETRY(ksim_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL)) == 0);
	MUST(RETRY(ksim_ftruncate(fd, 0)) == -1 && errno == EPERM);
	other = RETRY(ksim_memfd_create("other", 0));
	MUST(other == 1 && RETRY(ksim_pwrite(other, "z", 1, 0)) == 1);
	MUST(RETRY(ksim_copy_file_range(other, NULL, fd, NULL, 1, 0)) == -1 && errno == EPERM);
	map = RETRY(ksim_mmap(0, 2 * PAGE, RW, MAP_PRIVATE, fd, 0));
	MUST(map != KSIM_MAP_FAILED && mem_load8(map) == 'm');
	mem_store8(map + PAGE, 'p');
	MUST(RETRY(ksim_fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC)) == -1 && errno == EPERM);
	MUST(ksim_munmap(map, 2 * PAGE) == 0 && ksim_close(other) == 0 && ksim_close(fd) == 0);
	return 0;
}

TEST(sweep_files, of_one_that_is_sealed_bit_by_bit)
{
	story_sweep(story_of_itself, sealed);
}

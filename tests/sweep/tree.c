// SPDX-License-Identifier: MIT
/*
 * Paths, swept: files, directories, links and sockets that are made, moved, listed and removed; and what is made up of
 * /proc on the way.
 *
 * What Linux promises when such a call fails with ENOMEM: the tree is as it was, and the call may be made again.
 */
#include "sweep.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>

static bool is_there(const char *path)
{
	struct stat st;

	return RETRY(ksim_lstat(path, &st)) == 0;
}

static long long size_of(const char *path)
{
	struct stat st;

	return RETRY(ksim_stat(path, &st)) == 0 ? st.st_size : -1;
}

static int make_files(void *unused)
{
	int fd;

	(void)unused;
	MUST(RETRY(ksim_mkdir("/tmp/d", 0755)) == 0);
	MUST(RETRY(ksim_chdir("/tmp/d")) == 0);
	fd = RETRY_UNCHANGED(ksim_open("f", O_CREAT | O_EXCL | O_RDWR, 0644), true);
	if (fd < 0 && errno == EEXIST) /* made, and then there was no memory for the description, as on Linux */
		fd = ksim_open("f", O_RDWR);
	MUST(fd >= 0);
	MUST(RETRY(ksim_pwrite(fd, "x", 1, 0)) == 1);
	MUST(ksim_close(fd) == 0);
	MUST(RETRY(ksim_link("f", "g")) == 0);
	MUST(RETRY(ksim_symlink("f", "l")) == 0);
	MUST(RETRY(ksim_mknod("n", S_IFREG | 0600, 0)) == 0);
	return 0;
}

static int remove_files(void *unused)
{
	static const char *const names[] = { "f", "g", "l", "n" };

	(void)unused;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		MUST(RETRY(ksim_unlink(names[i])) == 0);
	MUST(RETRY(ksim_chdir("/")) == 0);
	MUST(RETRY(ksim_rmdir("/tmp/d")) == 0);
	return 0;
}

static int leave(void *unused)
{
	(void)unused;
	return 0;
}

static int move(void *unused)
{
	(void)unused;
	MUST(RETRY_UNCHANGED(ksim_rename("f", "moved"), is_there("f") && !is_there("moved")) == 0);
	MUST(RETRY(ksim_renameat2(AT_FDCWD, "moved", AT_FDCWD, "n", RENAME_EXCHANGE)) == 0);
	MUST(RETRY(ksim_renameat2(AT_FDCWD, "moved", AT_FDCWD, "f", RENAME_WHITEOUT)) == 0);
	MUST(RETRY(ksim_unlink("moved")) == 0);
	return 0;
}

static int list(void *unused)
{
	char buf[512];
	int fd = RETRY(ksim_open(".", O_RDONLY | O_DIRECTORY));

	(void)unused;
	MUST(fd >= 0);
	MUST(RETRY(ksim_getdents64(fd, buf, sizeof(buf))) > 0);
	MUST(ksim_close(fd) == 0);
	return 0;
}

static int go_through_proc(void *unused)
{
	char self[32], text[64];
	int fd, again;

	(void)unused;
	fd = RETRY(ksim_open("l", O_RDONLY));
	MUST(fd >= 0);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	MUST(RETRY(ksim_readlink(self, text, sizeof(text))) == 8);
	again = RETRY(ksim_open(self, O_RDONLY));
	MUST(again >= 0);
	MUST(RETRY(ksim_pread(again, text, 1, 0)) == 1 && text[0] == 'x');
	MUST(ksim_close(again) == 0);
	MUST(ksim_close(fd) == 0);
	return 0;
}

static int use_nameless(void *unused)
{
	char self[32];
	int fd = RETRY(ksim_open(".", O_TMPFILE | O_RDWR, 0600));

	(void)unused;
	MUST(fd >= 0);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	MUST(RETRY(ksim_linkat(AT_FDCWD, self, AT_FDCWD, "named", AT_SYMLINK_FOLLOW)) == 0);
	MUST(ksim_close(fd) == 0);
	MUST(RETRY(ksim_unlink("named")) == 0);
	return 0;
}

static int use_sockets(void *unused)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "s" };
	const struct sockaddr *sa = (const struct sockaddr *)&address;
	int server, client;

	(void)unused;
	server = RETRY(ksim_socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(server >= 0);
	MUST(RETRY_UNCHANGED(ksim_bind(server, sa, sizeof(address)), !is_there("s")) == 0);
	MUST(ksim_listen(server, 1) == 0);
	client = RETRY(ksim_socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(client >= 0);
	MUST(RETRY(ksim_connect(client, sa, sizeof(address))) == 0);
	MUST(ksim_close(client) == 0);
	MUST(ksim_close(server) == 0);
	MUST(RETRY(ksim_unlink("s")) == 0);
	return 0;
}

/* What a path has beside its content, by every call that tells or changes it. */
static int look_and_change(void *unused)
{
	const struct timespec times[2] = { { 1, 0 }, { 2, 0 } };
	struct statfs fs;
	struct statx stx;
	struct stat st;

	(void)unused;
	MUST(RETRY(ksim_chmod("l", 0640)) == 0);
	MUST(RETRY(ksim_lchown("l", 7, 8)) == 0 && RETRY(ksim_chown("f", 9, 10)) == 0);
	MUST(RETRY(ksim_utimensat(AT_FDCWD, "f", times, 0)) == 0);
	MUST(RETRY(ksim_stat("l", &st)) == 0);
	MUST((st.st_mode & 0777) == 0640 && st.st_uid == 9 && st.st_gid == 10 && st.st_mtime == 2 && st.st_nlink == 2);
	MUST(RETRY(ksim_lstat("l", &st)) == 0 && st.st_uid == 7 && S_ISLNK(st.st_mode));
	MUST(RETRY(ksim_statx(AT_FDCWD, "/tmp/d/../d/f", 0, STATX_BASIC_STATS, &stx)) == 0 && stx.stx_size == 1);
	MUST(RETRY(ksim_statfs("f", &fs)) == 0 && fs.f_type == 0x01021994);
	MUST(RETRY(ksim_access("l", W_OK)) == 0 && RETRY(ksim_access("nothing", F_OK)) == -1 && errno == ENOENT);
	MUST(RETRY_UNCHANGED(ksim_truncate("g", PAGE + 1), size_of("f") == 1) == 0 && size_of("f") == PAGE + 1);
	MUST(RETRY(ksim_truncate("g", 0)) == 0 && size_of("f") == 0);
	return 0;
}

/* The calls that are given a directory, and a walk that begins where the process is. */
static int go_by_directory(void *unused)
{
	int dir = RETRY(ksim_open("/tmp/d", O_PATH | O_DIRECTORY)), fd;
	char text[64];

	(void)unused;
	MUST(dir == 0);
	MUST(RETRY(ksim_mkdirat(dir, "e", 0700)) == 0);
	MUST(RETRY(ksim_mknodat(dir, "e/n", S_IFREG | 0600, 0)) == 0);
	MUST(RETRY(ksim_symlinkat("../f", dir, "e/l")) == 0);
	MUST(RETRY(ksim_linkat(dir, "f", dir, "e/f", 0)) == 0);
	MUST(RETRY(ksim_readlinkat(dir, "e/l", text, sizeof(text))) == 4);
	MUST(RETRY(ksim_chdir("e")) == 0);
	MUST(RETRY_NEW(ksim_getcwd(text, sizeof(text))) != NULL && strcmp(text, "/tmp/d/e") == 0);
	fd = RETRY(ksim_openat(dir, "e/l", O_RDONLY));
	MUST(fd == 1);
	MUST(RETRY(ksim_pread(fd, text, 1, 0)) == 1 && text[0] == 'x');
	MUST(ksim_close(fd) == 0);
	MUST(RETRY(ksim_renameat(dir, "e/n", AT_FDCWD, "../n2")) == 0 && is_there("/tmp/d/n2"));
	MUST(RETRY(ksim_renameat2(AT_FDCWD, "l", dir, "f", RENAME_NOREPLACE)) == -1 && errno == EEXIST);
	MUST(ksim_fchdir(dir) == 0);
	MUST(RETRY(ksim_unlinkat(dir, "e", AT_REMOVEDIR)) == -1 && errno == ENOTEMPTY);
	MUST(RETRY(ksim_unlink("e/l")) == 0 && RETRY(ksim_unlinkat(dir, "e/f", 0)) == 0);
	MUST(RETRY(ksim_unlink("n2")) == 0 && RETRY(ksim_unlinkat(dir, "e", AT_REMOVEDIR)) == 0);
	MUST(ksim_close(dir) == 0);
	return 0;
}

static int use_shm(void *unused)
{
	int fd = RETRY(ksim_shm_open("/pool", O_CREAT | O_EXCL | O_RDWR, 0600)), again;
	ksim_addr map;

	(void)unused;
	if (fd < 0 && errno == EEXIST) /* made, and then there was no memory for the description */
		fd = ksim_shm_open("/pool", O_RDWR, 0);
	MUST(fd == 0);
	MUST(RETRY(ksim_shm_open("/pool", O_CREAT | O_EXCL | O_RDWR, 0600)) == -1 && errno == EEXIST);
	MUST(RETRY(ksim_ftruncate(fd, 2 * PAGE)) == 0);
	map = RETRY(ksim_mmap(0, 2 * PAGE, RW, MAP_SHARED, fd, 0));
	MUST(map != KSIM_MAP_FAILED);
	again = RETRY(ksim_open("/dev/shm/pool", O_RDWR | O_TRUNC));
	MUST(again == 1);
	MUST(RETRY(ksim_ftruncate(again, PAGE)) == 0);
	story.until_halt = true; /* who dies of this leaves what has a name */
	mem_store8(map, 'x');
	MUST(RETRY(ksim_shm_unlink("/pool")) == 0);
	MUST(RETRY(ksim_shm_open("/pool", O_RDWR, 0)) == -1 && errno == ENOENT);
	MUST(mem_load8(map) == 'x');
	MUST(ksim_munmap(map, 2 * PAGE) == 0 && ksim_close(fd) == 0 && ksim_close(again) == 0);
	return 0;
}

static int tell(int (*act)(void *))
{
	struct ksim_process *p = story_process("client");

	MUST(p != NULL);
	story_begin();
	TRY(story_act(p, make_files, NULL));
	TRY(story_act(p, act, NULL));
	TRY(story_act(p, remove_files, NULL));
	return story_settled();
}

TEST(tree, of_making_and_removing)
{
	story_sweep(tell, leave);
}

TEST(tree, of_renames)
{
	story_sweep(tell, move);
}

TEST(tree, of_listings)
{
	story_sweep(tell, list);
}

TEST(tree, of_magic_links)
{
	story_sweep(tell, go_through_proc);
}

TEST(tree, of_files_without_names)
{
	story_sweep(tell, use_nameless);
}

TEST(tree, of_socket_names)
{
	story_sweep(tell, use_sockets);
}

TEST(tree, of_what_paths_have_beside_their_content)
{
	story_sweep(tell, look_and_change);
}

TEST(tree, of_paths_from_a_directory)
{
	story_sweep(tell, go_by_directory);
}

TEST(tree, of_shared_memory_names)
{
	story_sweep(tell, use_shm);
}

// SPDX-License-Identifier: MIT
/*
 * Paths, swept: files, directories, links and sockets that are made, moved, listed and removed; and what is made up of
 * /proc on the way.
 *
 * What Linux promises when such a call fails with ENOMEM: the tree is as it was, and the call may be made again.
 */
#include "sweep.h"

#include <fcntl.h>
#include <sys/un.h>

static bool is_there(const char *path)
{
	struct stat st;

	return RETRY(ksim_lstat(path, &st)) == 0;
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

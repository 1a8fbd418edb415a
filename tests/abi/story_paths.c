// SPDX-License-Identifier: MIT
/*
 * A random story of names (story.h): files, directories and links of a few names come, go, move and are asked for,
 * through paths of up to four components, by descriptors, by the root and by two users.
 *
 * All happens some directories below one of the story's own, so that "..", of which a path has few, leads out of what
 * is told but not out of the story. What is told after a call: result, errno and what it has given. Now and then: every
 * name, with kind, mode, owner, links, size, blocks, text or bytes; inodes are numbered as they are met.
 *
 * Left out is what is not the same twice on one kernel: numbers of inodes, and times, but for those that were set.
 */
#include "story.h"

#include "abi_tree.h"

enum { SLOTS = 6, SHOW_EVERY = 25, DEEP = 8, ALICE = 1001, BOB = 1002 };

static int slots[SLOTS]; /* descriptors, or -1 */
static char top[160];
static size_t top_bytes;

/* ---- what calls are made of ---- */

struct random_path {
	char text[400];
	int dirfd, slot; /* slot: of dirfd, -1: the working directory */
};

static void add(struct random_path *path, const char *text)
{
	size_t n = strlen(path->text);

	snprintf(path->text + n, sizeof(path->text) - n, "%s", text);
}

static struct random_path some_path(void)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	unsigned n = 1 + (below(3) == 0) + (below(4) == 0) + (below(9) == 0);
	struct random_path path = { .dirfd = AT_FDCWD, .slot = -1 };
	char longest[258];

	if (below(5) == 0) {
		path.slot = (int)below(SLOTS);
		path.dirfd = slots[path.slot];
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned what = below(40);

		if (i > 0)
			add(&path, what % 8 == 0 ? "//" : "/");
		add(&path, what == 0 ? ".." : what == 1 ? "." : what == 2 && i + 1 < n ? "../a" : names[below(5)]);
	}
	switch (below(60)) {
	case 0:
		path.text[0] = '\0';
		break;
	case 1:
		add(&path, "/");
		add(&path, long_name(longest, 254 + below(3)));
		break;
	case 2:
	case 3:
	case 4:
		add(&path, "/");
		break;
	case 5:
		add(&path, "/.");
		break;
	default:
		break;
	}
	return path;
}

static void say_path(const struct random_path *path)
{
	if (path->slot >= 0)
		SAY("[%d]", path->slot);
	SAY("%s", strlen(path->text) > 200 ? "LONG" : path->text);
}

static void end_line(void)
{
	fprintf(out, "\n");
}

static void tell(long result)
{
	tell_result(result);
	end_line();
}

static int some_slot(void)
{
	return (int)below(SLOTS);
}

static int free_slot(void)
{
	int slot = some_slot();

	if (slots[slot] >= 0)
		SETUP(x_close(slots[slot]) == 0);
	slots[slot] = -1;
	return slot;
}

static mode_t some_mode(void)
{
	return (mode_t)ONE_OF(0, 0400, 0644, 0644, 0666, 0755, 0755, 0777, 0777, 0111, 0070, 0007, 04755, 02755, 02745,
	                      01777, 07777, 0200);
}

/* Whether it lies in the story's part of the tree; a file that has lost its name does. */
static bool is_ours(int fd)
{
	char link[40], text[1000];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = x_readlink(link, text, sizeof(text) - 1);
	if (n < 0)
		fprintf(out, " no link: %d", errno);
	return n < 0 || ((size_t)n >= top_bytes && memcmp(text, top, top_bytes) == 0);
}

/* ---- what is told of a file ---- */

static long told_time(struct timespec t)
{
	return t.tv_sec < 1000000000 ? (long)t.tv_sec : -1;
}

static void tell_stat(const struct stat *st)
{
	fprintf(out, " %o %d:%d n%ld", (unsigned)st->st_mode, (int)st->st_uid, (int)st->st_gid, (long)st->st_nlink);
	fprintf(out, " %ld/%ld t%ld,%ld", (long)st->st_size, (long)st->st_blocks, told_time(st->st_atim),
	        told_time(st->st_mtim));
	if (S_ISCHR(st->st_mode))
		fprintf(out, " dev %lx", (unsigned long)st->st_rdev);
}

static void tell_with_stat(long result, const struct stat *st)
{
	tell_result(result);
	if (result >= 0)
		tell_stat(st);
	end_line();
}

/* ---- making and opening ---- */

static void keep(int slot, int fd)
{
	struct stat st;

	tell_result(fd < 0 ? -1 : 0);
	if (fd >= 0 && !is_ours(fd)) {
		fprintf(out, " elsewhere");
		SETUP(x_close(fd) == 0);
	} else if (fd >= 0) {
		SETUP(x_fstat(fd, &st) == 0);
		tell_stat(&st);
		fprintf(out, " flags %o", (unsigned)x_fcntl(fd, F_GETFL));
		slots[slot] = fd;
	}
	end_line();
}

static void do_open(void)
{
	struct random_path path = some_path();
	int flags = ONE_OF(O_RDONLY, O_RDONLY, O_RDWR, O_RDWR, O_WRONLY, 3), slot = free_slot();
	mode_t mode = some_mode();

	if (path.slot == slot)
		path.dirfd = -1;
	if (below(2))
		flags |= O_CREAT;
	flags |= ONE_OF(0, 0, 0, 0, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_PATH,
	                O_PATH | O_NOFOLLOW, O_PATH | O_DIRECTORY, O_NOATIME, O_NONBLOCK, O_SYNC, O_EXCL | O_NOFOLLOW);
	SAY("%d = open(", slot);
	say_path(&path);
	SAY(", %o, %o)", (unsigned)flags, (unsigned)mode);
	keep(slot, x_openat(path.dirfd, path.text, flags, mode));
}

static void do_open_directory(void)
{
	struct random_path path = some_path();
	int flags = ONE_OF(O_DIRECTORY, O_DIRECTORY, O_PATH | O_DIRECTORY, O_TMPFILE | O_RDWR,
	                   O_TMPFILE | O_WRONLY | O_EXCL, O_TMPFILE | O_RDONLY, O_TMPFILE | O_CREAT | O_RDWR);
	int slot = free_slot();

	if (path.slot == slot)
		path.dirfd = -1;
	SAY("%d = open(", slot);
	say_path(&path);
	SAY(", %o)", (unsigned)flags);
	keep(slot, x_openat(path.dirfd, path.text, flags, 0644));
}

static void do_mkdir(void)
{
	struct random_path path = some_path();
	mode_t mode = below(2) ? 0755 : some_mode();

	SAY("mkdir(");
	say_path(&path);
	SAY(", %o)", (unsigned)mode);
	tell(x_mkdirat(path.dirfd, path.text, mode));
}

static void do_mknod(void)
{
	static const mode_t kinds[] = { S_IFREG, S_IFREG, S_IFSOCK, S_IFCHR, S_IFDIR, 0, 0070000 };
	struct random_path path = some_path();
	mode_t mode = kinds[below(7)] | some_mode();

	SAY("mknod(");
	say_path(&path);
	SAY(", %o)", (unsigned)mode);
	tell(x_mknodat(path.dirfd, path.text, mode, 0));
}

static void do_symlink(void)
{
	struct random_path path = some_path(), target = some_path();

	SAY("symlink(%s, ", strlen(target.text) > 200 ? "LONG" : target.text);
	say_path(&path);
	SAY(")");
	tell(x_symlinkat(target.text, path.dirfd, path.text));
}

static void do_link(void)
{
	struct random_path from = some_path(), to = some_path();
	int flags = ONE_OF(0, 0, 0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW);

	if (flags == AT_EMPTY_PATH && below(2)) {
		from.slot = some_slot();
		from.dirfd = slots[from.slot];
		from.text[0] = '\0';
	}
	SAY("link(");
	say_path(&from);
	SAY(", ");
	say_path(&to);
	SAY(", %#x)", (unsigned)flags);
	tell(x_linkat(from.dirfd, from.text, to.dirfd, to.text, flags));
}

static void do_rename(void)
{
	struct random_path from = some_path(), to = some_path();
	unsigned flags = (unsigned)ONE_OF(0, 0, 0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE, 3,
	                                  RENAME_WHITEOUT, RENAME_WHITEOUT | RENAME_NOREPLACE, 8);

	SAY("rename(");
	say_path(&from);
	SAY(", ");
	say_path(&to);
	SAY(", %u)", flags);
	tell(flags == 0 ? x_renameat(from.dirfd, from.text, to.dirfd, to.text)
	                : x_renameat2(from.dirfd, from.text, to.dirfd, to.text, flags));
}

static void do_unlink(void)
{
	struct random_path path = some_path();
	int flags = ONE_OF(0, 0, AT_REMOVEDIR, AT_REMOVEDIR, AT_REMOVEDIR, 1);

	SAY("unlink(");
	say_path(&path);
	SAY(", %#x)", (unsigned)flags);
	tell(x_unlinkat(path.dirfd, path.text, flags));
}

/* ---- asking and changing ---- */

static void do_stat(void)
{
	struct random_path path = some_path();
	int flags = ONE_OF(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, 1);
	struct stat st;

	SAY("stat(");
	say_path(&path);
	SAY(", %#x)", (unsigned)flags);
	tell_with_stat(x_fstatat(path.dirfd, path.text, &st, flags), &st);
}

static void do_access(void)
{
	struct random_path path = some_path();
	int mode = (int)below(9), flags = ONE_OF(0, 0, AT_EACCESS);

	SAY("access(");
	say_path(&path);
	SAY(", %d, %#x)", mode, (unsigned)flags);
	tell(x_faccessat(path.dirfd, path.text, mode, flags));
}

static void do_readlink(void)
{
	struct random_path path = some_path();
	char text[400] = "";
	size_t size = below(4) ? sizeof(text) - 1 : below(4);
	ssize_t n;

	SAY("readlink(");
	say_path(&path);
	SAY(", %zu)", size);
	n = x_readlinkat(path.dirfd, path.text, text, size);
	tell_result(n);
	fprintf(out, " %s\n", text);
}

static void do_chmod(void)
{
	struct random_path path = some_path();
	mode_t mode = some_mode();

	SAY("chmod(");
	say_path(&path);
	SAY(", %o)", (unsigned)mode);
	tell(x_fchmodat(path.dirfd, path.text, mode, 0));
}

static void do_chown(void)
{
	struct random_path path = some_path();
	int uid = ONE_OF(-1, 0, ALICE, ALICE, BOB), gid = ONE_OF(-1, -1, 0, ALICE, BOB);
	int flags = ONE_OF(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, 1);

	SAY("chown(");
	say_path(&path);
	SAY(", %d, %d, %#x)", uid, gid, (unsigned)flags);
	tell(x_fchownat(path.dirfd, path.text, (uid_t)uid, (gid_t)gid, flags));
}

static void do_truncate(void)
{
	struct random_path path = some_path();
	off_t size = ONE_OF(0, 0, 1, 100, PAGE, 3 * PAGE + 1, -1);

	path.dirfd = AT_FDCWD;
	path.slot = -1;
	SAY("truncate(");
	say_path(&path);
	SAY(", %ld)", (long)size);
	tell(x_truncate(path.text, size));
}

static void do_times(void)
{
	struct random_path path = some_path();
	int flags = ONE_OF(0, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, 1);
	struct timespec times[2];

	for (int i = 0; i < 2; i++)
		times[i] = (struct timespec){ 1000 + (long)below(1000),
			                      ONE_OF(0, 5, 999999999, UTIME_OMIT, UTIME_NOW, -1) };
	SAY("utimens(");
	say_path(&path);
	SAY(", %ld.%ld, %ld.%ld, %#x)", (long)times[0].tv_sec, times[0].tv_nsec, (long)times[1].tv_sec,
	    times[1].tv_nsec, (unsigned)flags);
	tell(x_utimensat(path.dirfd, path.text, below(5) ? times : NULL, flags));
}

/* ---- where one is ---- */

static const char *within(const char *path)
{
	return strncmp(path, top, top_bytes) == 0 ? path + top_bytes : NULL;
}

static void tell_cwd(void)
{
	char now[1000];

	fprintf(out, " at %s", x_getcwd(now, sizeof(now)) == NULL ? "nowhere" : within(now) ? within(now) : "above");
	if (x_getcwd(now, sizeof(now)) == NULL ? below(3) == 0 : within(now) == NULL)
		fprintf(out, ", then %d", x_chdir(top));
}

static void do_chdir(void)
{
	struct random_path path = some_path();
	int slot = some_slot();

	if (below(3) == 0) {
		SAY("fchdir(%d)", slot);
		tell_result(x_fchdir(slots[slot]));
	} else if (below(3) == 0) {
		SAY("chdir(top)");
		tell_result(x_chdir(top));
	} else {
		path.slot = -1;
		SAY("chdir(");
		say_path(&path);
		SAY(")");
		tell_result(x_chdir(path.text));
	}
	tell_cwd();
	end_line();
}

static void do_umask(void)
{
	mode_t mask = (mode_t)ONE_OF(022, 022, 0, 077, 027, 0777);

	SAY("umask(%o)", (unsigned)mask);
	tell(x_umask(mask));
}

/* ---- by descriptor ---- */

static void do_transfer(int slot)
{
	unsigned char bytes[200] = { 0 };
	size_t n = below(sizeof(bytes));
	ssize_t moved;

	if (below(2)) {
		memset(bytes, (step & 63) + 1, sizeof(bytes));
		SAY("write(%d, %zu)", slot, n);
		tell(x_write(slots[slot], bytes, n));
	} else {
		SAY("read(%d, %zu)", slot, n);
		moved = x_read(slots[slot], bytes, n);
		tell_result(moved);
		fprintf(out, " sum %u\n", sum_of(bytes, sizeof(bytes)));
	}
}

struct entry {
	uint64_t ino;
	int64_t next;
	uint16_t len;
	uint8_t type;
	char name[];
};

static void do_getdents(int slot)
{
	_Alignas(8) char room[2000];
	size_t size = below(3) ? sizeof(room) : below(120);
	ssize_t n;

	SAY("getdents(%d, %zu)", slot, size);
	n = x_getdents64(slots[slot], room, size);
	tell_result(n);
	for (ssize_t at = 0; at < n;) {
		const struct entry *entry = (const struct entry *)(const void *)(room + at);

		fprintf(out, " %s:%d", strlen(entry->name) > 200 ? "LONG" : entry->name, entry->type);
		at += entry->len;
	}
	end_line();
}

static void do_by_descriptor(void)
{
	int slot = some_slot(), fd = slots[slot], mode;
	off_t size, position;
	struct stat st;

	switch (below(11)) {
	case 0:
		SAY("fstat(%d)", slot);
		tell_with_stat(x_fstat(fd, &st), &st);
		break;
	case 1:
		mode = (int)some_mode();
		SAY("fchmod(%d, %o)", slot, (unsigned)mode);
		tell(x_fchmod(fd, (mode_t)mode));
		break;
	case 2:
		mode = ONE_OF(-1, 0, ALICE, BOB);
		SAY("fchown(%d, %d)", slot, mode);
		tell(x_fchown(fd, (uid_t)mode, (gid_t)mode));
		break;
	case 3:
		size = ONE_OF(0, 10, PAGE, 2 * PAGE + 7);
		SAY("ftruncate(%d, %ld)", slot, (long)size);
		tell(x_ftruncate(fd, size));
		break;
	case 4:
		mode = ONE_OF(0, 1, 3);
		SAY("fallocate(%d, %d)", slot, mode);
		tell(x_fallocate(fd, mode, (off_t)below(3) * 100, 1 + (off_t)below(2) * PAGE));
		break;
	case 5:
		SAY("close(%d)", slot);
		tell(x_close(fd));
		slots[slot] = -1;
		break;
	case 6:
		mode = (int)below(3);
		SAY("lseek(%d, 0, %d)", slot, mode == 1 ? SEEK_CUR : SEEK_SET);
		position = x_lseek(fd, 0, mode == 1 ? SEEK_CUR : SEEK_SET);
		tell(position == INT32_MAX || position < 1 ? (long)position : 1);
		break;
	case 7:
	case 8:
		do_transfer(slot);
		break;
	default:
		do_getdents(slot);
	}
}

/* ---- the story ---- */

static void do_something(void);

/* Become somebody for a while. The child's descriptors and draws are its own, wherever it lives. */
static int somebody(void *arg)
{
	int uid = ONE_OF(ALICE, ALICE, BOB), n = 1 + (int)below(8);
	gid_t groups[2] = { BOB, ALICE };
	bool files_only = below(4) == 0;

	(void)arg;
	fprintf(out, "%d as %d%s\n", step, uid, files_only ? ", files only" : "");
	CHILD_EXPECT(x_setgroups(below(3), groups) == 0);
	if (files_only) {
		CHILD_EXPECT(x_setfsgid((gid_t)uid) == 0);
		CHILD_EXPECT(x_setfsuid((uid_t)uid) == 0);
	} else {
		CHILD_EXPECT(x_setresgid((gid_t)uid, (gid_t)uid, (gid_t)uid) == 0);
		CHILD_EXPECT(x_setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) == 0);
	}
	for (int i = 0; i < n; i++)
		do_something();
	for (int i = 0; i < SLOTS; i++)
		if (slots[i] >= 0)
			x_close(slots[i]);
	fflush(out);
	return 0;
}

static bool in_somebody;

static void do_as_somebody(void)
{
	uint64_t state = random_state;
	int were[SLOTS];

	if (in_somebody)
		return;
	in_somebody = true;
	memcpy(were, slots, sizeof(slots));
	fflush(out);
	EXPECT_EQ(in_child(somebody, NULL), 0);
	memcpy(slots, were, sizeof(slots));
	random_state = state;
	below(2);
	in_somebody = false;
}

static void do_something(void)
{
	static void (*const calls[])(void) = {
		do_open,          do_open,          do_open,        do_open_directory, do_mkdir,  do_mkdir,
		do_mkdir,         do_mknod,         do_symlink,     do_symlink,        do_link,   do_link,
		do_rename,        do_rename,        do_rename,      do_unlink,         do_unlink, do_stat,
		do_stat,          do_access,        do_readlink,    do_chmod,          do_chmod,  do_chown,
		do_truncate,      do_times,         do_chdir,       do_chdir,          do_umask,  do_by_descriptor,
		do_by_descriptor, do_by_descriptor, do_as_somebody, do_as_somebody,
	};

	calls[below(sizeof(calls) / sizeof(calls[0]))]();
}

/* ---- showing what there is ---- */

enum { INODES = 1000, NAMES = 64 };
static struct {
	ino_t of[INODES];
	int n;
} inodes;

static int told_inode(ino_t ino)
{
	for (int i = 0; i < inodes.n; i++)
		if (inodes.of[i] == ino)
			return i;
	SETUP(inodes.n < INODES);
	inodes.of[inodes.n] = ino;
	return inodes.n++;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in the directory, sorted, in buf. */
static int names_in(int dir, char *buf, size_t size, char *names[NAMES])
{
	size_t used = 0;
	ssize_t got;
	int n = 0;

	while (used + 300 < size && (got = x_getdents64(dir, buf + used, size - used)) > 0) {
		for (ssize_t at = 0; at < got;) {
			struct entry *entry = (struct entry *)(void *)(buf + used + at);

			if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0 && n < NAMES)
				names[n++] = entry->name;
			at += entry->len;
		}
		used += (size_t)got;
	}
	qsort(names, (size_t)n, sizeof(*names), by_name);
	return n;
}

static void show_tree(int dir, int depth);

static void show_name(int dir, const char *name, int depth)
{
	unsigned char bytes[400];
	struct stat st;
	ssize_t n = 0;
	int fd;

	SETUP(x_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	fprintf(out, "\t%*s%s #%d", 2 * depth, "", strlen(name) > 200 ? "LONG" : name, told_inode(st.st_ino));
	tell_stat(&st);
	if (S_ISLNK(st.st_mode))
		n = x_readlinkat(dir, name, (char *)bytes, sizeof(bytes));
	fd = S_ISDIR(st.st_mode) || S_ISREG(st.st_mode) ? x_openat(dir, name, O_RDONLY | O_NOATIME) : -1;
	if (S_ISREG(st.st_mode))
		n = x_read(fd, bytes, sizeof(bytes));
	fprintf(out, " sum %u\n", sum_of(bytes, n > 0 ? (size_t)n : 0));
	if (S_ISDIR(st.st_mode))
		show_tree(fd, depth + 1);
	if (fd >= 0)
		SETUP(x_close(fd) == 0);
}

static void show_tree(int dir, int depth)
{
	char *names[NAMES], *buf = malloc(8000);
	int n = names_in(dir, buf, 8000, names);

	for (int i = 0; i < n; i++)
		show_name(dir, names[i], depth);
	free(buf);
}

static void show_all(void)
{
	int dir = x_open(top, O_RDONLY | O_DIRECTORY | O_NOATIME);

	SETUP(dir >= 0);
	inodes.n = 0;
	show_tree(dir, 0);
	SETUP(x_close(dir) == 0);
}

/* Nobody is kept from the way to it. */
static void make_top(void)
{
	fresh_path(top, sizeof(top));
	x_umask(0);
	SETUP(x_mkdir(top, 0777) == 0 && x_chdir(top) == 0);
	for (int i = 0; i < DEEP; i++)
		SETUP(x_mkdir("deep", 0777) == 0 && x_chdir("deep") == 0);
	x_umask(022);
	SETUP(x_getcwd(top, sizeof(top)) != NULL);
	top_bytes = strlen(top);
}

TEST(story, of_paths)
{
	int calls;

	BEGIN_STORY(calls);
	if (x_geteuid() != 0)
		SKIP("root's rights are needed to give them up");
	make_top();
	for (int i = 0; i < SLOTS; i++)
		slots[i] = -1;
	for (step = 0; step < calls; step++) {
		do_something();
		if (step % SHOW_EVERY == 0)
			show_all();
	}
	show_all();
	for (int i = 0; i < SLOTS; i++)
		if (slots[i] >= 0)
			EXPECT_EQ(x_close(slots[i]), 0);
	EXPECT_EQ(x_chdir("/"), 0);
	end_story();
}

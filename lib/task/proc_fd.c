// SPDX-License-Identifier: MIT
/*
 * /proc/<pid>/fd and fdinfo: the descriptors of a process.
 *
 * The links of fd lead to the file itself, not along the path that they tell: a name that is gone, a memfd and a file
 * that the reader could not reach otherwise open all the same, as a new description of the same inode.
 *
 * A directory's positions are descriptors + 2, so a listing goes on where it was, whatever is opened and closed
 * meanwhile.
 *
 * Locking: the table's, for a moment; pos_lock of the file that is told of.
 * Linux: fs/proc/fd.c.
 */
#include "task/proc.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* Entries of a process have keys below; its descriptors are numbered from here on in gen_key[1]. */
#define KEY_FD UINT64_C(0x100000000)

static int fd_of(const struct inode *inode)
{
	return (int)(uint32_t)inode->gen_key[1];
}

/* The file behind the descriptor that an inode is about, with a reference; its slot in *slot. */
static struct file *file_of(struct ctx *ctx, const struct inode *inode, struct fdtable *files, struct fd_slot *slot)
{
	struct file *file;
	int fd;

	if (!fdtable_next(ctx, files, fd_of(inode), &fd, &file, slot))
		return NULL;
	if (fd == fd_of(inode))
		return file;
	file_put(ctx, file);
	return NULL;
}

/* 0 with a reference; -ENOENT, also if the process has gone. */
static int get_file(struct ctx *ctx, const struct inode *inode, struct file **out)
{
	struct fdtable *files;
	struct fd_slot slot;

	if (proc_borrow(ctx, inode, NULL, &files) < 0)
		return -ENOENT;
	*out = file_of(ctx, inode, files, &slot);
	fdtable_put(ctx, files);
	return *out != NULL ? 0 : -ENOENT;
}

/* As the file is open: a link that may be read, written, or both. */
static uint32_t link_mode(const struct file *file)
{
	if (file_flags(file) & FILE_PATH)
		return S_IFLNK;
	return S_IFLNK | (file_readable(file) ? S_IRUSR | S_IXUSR : 0) | (file_writable(file) ? S_IWUSR | S_IXUSR : 0);
}

static int link_text(struct ctx *ctx, struct inode *link, char *text, size_t size)
{
	struct process *p = proc_process(ctx, link);
	struct file *file;
	int err = p != NULL ? proc_may_look(ctx, p) : -ENOENT;

	if (err == 0)
		err = get_file(ctx, link, &file);
	if (err != 0)
		return err;
	err = file->ops->describe(file, text, size);
	file_put(ctx, file);
	return err;
}

static int link_follow(struct ctx *ctx, struct inode *link, struct dentry **out)
{
	struct process *p = proc_process(ctx, link);
	struct file *file;
	int err = p != NULL ? proc_may_look(ctx, p) : -ENOENT;

	if (err == 0)
		err = get_file(ctx, link, &file);
	if (err != 0)
		return err;
	*out = file_dentry(ctx, file);
	file_put(ctx, file);
	return *out != NULL ? 0 : -ENOMEM;
}

static const struct gen_ops link_ops = { .readlink = link_text, .follow = link_follow };

static bool slot_cloexec(struct ctx *ctx, struct fdtable *files, int fd)
{
	return fd_get_cloexec(ctx, files, fd) > 0;
}

/* Flags as the simulated kernel numbers them: four of them have changed places on aarch64. */
static uint32_t native_flags(const struct ctx *ctx, uint32_t flags)
{
	static const struct {
		uint32_t x86_64, aarch64;
	} moved[] = {
		{ FILE_DIRECT, 0200000 },
		{ FILE_LARGEFILE, 0400000 },
		{ FILE_DIRECTORY, 040000 },
		{ FILE_NOFOLLOW, 0100000 },
	};
	uint32_t native = flags;

	if (ctx->env->arch != KSIM_ARCH_AARCH64)
		return flags;
	for (size_t i = 0; i < ARRAY_SIZE(moved); i++)
		native &= ~moved[i].x86_64;
	for (size_t i = 0; i < ARRAY_SIZE(moved); i++)
		if (flags & moved[i].x86_64)
			native |= moved[i].aarch64;
	return native;
}

static uint64_t position_of(struct ctx *ctx, struct file *file)
{
	uint64_t pos;

	mutex_lock(ctx, &file->pos_lock);
	pos = file->pos;
	mutex_unlock(ctx, &file->pos_lock);
	return pos;
}

/* What /proc/self/mountinfo would number: there are as many mounts as devices. */
static unsigned mount_of(struct ctx *ctx, struct file *file)
{
	struct kstat stat;

	vfs_stat(ctx, file, &stat);
	return (unsigned)stat.dev;
}

static int info_show(struct ctx *ctx, struct inode *inode, struct text *text)
{
	struct fdtable *files;
	struct file *file;
	struct fd_slot slot;
	uint32_t flags;

	if (proc_borrow(ctx, inode, NULL, &files) < 0)
		return -ENOENT;
	file = file_of(ctx, inode, files, &slot);
	if (file != NULL) {
		flags = file_flags(file) | (slot_cloexec(ctx, files, fd_of(inode)) ? FILE_CLOEXEC : 0);
		text_add(ctx, text, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%llu\n",
		         (unsigned long long)position_of(ctx, file), native_flags(ctx, flags), mount_of(ctx, file),
		         (unsigned long long)file->inode->ino);
		file_put(ctx, file);
	}
	fdtable_put(ctx, files);
	return file != NULL ? 0 : -ENOENT;
}

static const struct gen_ops info_ops = { .show = info_show };

/* The directories. */

/* The inode of a descriptor in one of the two. */
static int lookup(struct ctx *ctx, struct inode *dir, const char *name, bool link, struct inode **out)
{
	struct process *p = proc_process(ctx, dir);
	struct fdtable *files;
	struct file *file;
	uint32_t mode;
	int fd = proc_number(name);

	if (p == NULL)
		return link ? -ENOENT : -ESRCH;
	if (fd < 0 || process_borrow(ctx, p, NULL, &files) < 0)
		return -ENOENT;
	file = fd_get_any(ctx, files, fd);
	fdtable_put(ctx, files);
	if (file == NULL)
		return -ENOENT;
	mode = link ? link_mode(file) : S_IFREG | 0444;
	file_put(ctx, file);
	return proc_inode(ctx, p, link ? &link_ops : &info_ops, mode, KEY_FD * (link ? 1 : 2) | (uint32_t)fd, out);
}

static int list(struct ctx *ctx, struct inode *dir, uint64_t position, struct listing *listing, bool link)
{
	struct fdtable *files;
	struct file *file;
	int from = (int)MIN(position - PROC_FIRST, INT32_MAX), fd;
	bool room = true;

	if (proc_borrow(ctx, dir, NULL, &files) < 0)
		return proc_process(ctx, dir) != NULL ? 0 : -ENOENT; /* a zombie has none */
	for (; room && fdtable_next(ctx, files, from, &fd, &file, NULL); from = fd + 1) {
		uint64_t key = KEY_FD * (link ? 1 : 2) | (uint32_t)fd;
		char name[16];

		file_put(ctx, file);
		snprintf(name, sizeof(name), "%d", fd);
		room = listing_add(listing, name, gen_ino(proc_pid(dir), key, 0), link ? S_IFLNK : S_IFREG,
		                   (uint64_t)fd + 1 + PROC_FIRST);
	}
	fdtable_put(ctx, files);
	return 0;
}

static int fd_lookup(struct ctx *ctx, struct inode *dir, const char *name, struct inode **out)
{
	return lookup(ctx, dir, name, true, out);
}

static int fd_list(struct ctx *ctx, struct inode *dir, uint64_t position, struct listing *listing)
{
	return list(ctx, dir, position, listing, true);
}

static int fdinfo_lookup(struct ctx *ctx, struct inode *dir, const char *name, struct inode **out)
{
	return lookup(ctx, dir, name, false, out);
}

static int fdinfo_list(struct ctx *ctx, struct inode *dir, uint64_t position, struct listing *listing)
{
	return list(ctx, dir, position, listing, false);
}

/* A process may look at its own, also with other ids than it began with. */
static bool fd_admits(const struct ctx *ctx, const struct inode *dir)
{
	const struct process *p = ctx_process(ctx);

	return p != NULL && p->owner.id == proc_pid(dir);
}

const struct gen_ops proc_fd_ops = { .lookup = fd_lookup, .list = fd_list, .admits = fd_admits };
const struct gen_ops proc_fdinfo_ops = { .lookup = fdinfo_lookup, .list = fdinfo_list };

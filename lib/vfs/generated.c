// SPDX-License-Identifier: MIT
/*
 * Files and links whose content is made up when it is asked for, by whom a folder above has put in the place (gen_ops).
 *
 * A regular file's text is written down whole when it is read from its beginning, and stays with the description, so
 * that the pieces in which a program reads it fit together. Nothing of this holds a lock while the maker is called:
 * it may look for a process, which comes before every lock of a file.
 *
 *	read at 0         show -> text of the description, copied from
 *	read at n > 0     copied from the text; the first read of all makes it too
 *
 * I1  the text of a description is whole: one that memory did not suffice for is not kept
 *
 * Locking: the offset's lock for the description's text.
 * Linux: fs/seq_file.c, fs/proc/generic.c, fs/proc/inode.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vfs/names.h"

enum { FIRST_TEXT_BYTES = 1024 };

/* ---- text ---- */

/* Make room for n bytes more. */
static bool text_room(struct ctx *ctx, struct text *text, size_t n)
{
	size_t room = MAX(text->room, (size_t)FIRST_TEXT_BYTES);
	char *bytes;

	if (text->failed || n <= text->room - text->len)
		return !text->failed;
	while (room - text->len < n)
		room *= 2;
	bytes = kmem_alloc(ctx, room);
	if (bytes == NULL) {
		text->failed = true;
		return false;
	}
	if (text->bytes != NULL)
		memcpy(bytes, text->bytes, text->len);
	kmem_free(ctx->env, text->bytes, text->room);
	text->bytes = bytes;
	text->room = room;
	return true;
}

void text_add_bytes(struct ctx *ctx, struct text *text, const void *bytes, size_t n)
{
	if (n == 0 || !text_room(ctx, text, n))
		return;
	memcpy(text->bytes + text->len, bytes, n);
	text->len += n;
}

void text_add(struct ctx *ctx, struct text *text, const char *format, ...)
{
	va_list args, again;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	if (n > 0 && text_room(ctx, text, (size_t)n + 1)) {
		vsnprintf(text->bytes + text->len, (size_t)n + 1, format, again);
		text->len += (size_t)n;
	}
	va_end(again);
	va_end(args);
}

static void text_free(struct ctx *ctx, struct text *text)
{
	kmem_free(ctx->env, text->bytes, text->room);
}

/* ---- files ---- */

static struct text *text_of(const struct file *file)
{
	return file->priv;
}

/* Ask for the content; what the description had goes. */
static int make_text(struct ctx *ctx, struct file *file)
{
	struct text fresh = { 0 }, *text = text_of(file);
	int err = file->inode->gen->show(ctx, file->inode, &fresh);

	if (err == 0 && fresh.failed)
		err = -ENOMEM;
	if (err == 0 && fresh.bytes == NULL && !text_room(ctx, &fresh, 1))
		err = -ENOMEM; /* an empty one is there too */
	if (err == 0) {
		struct text was;

		mutex_lock(ctx, &file->pos_lock);
		was = *text;
		*text = fresh;
		mutex_unlock(ctx, &file->pos_lock);
		fresh = was;
	}
	text_free(ctx, &fresh);
	return err;
}

static bool has_text(struct ctx *ctx, struct file *file)
{
	bool has;

	mutex_lock(ctx, &file->pos_lock);
	has = text_of(file)->bytes != NULL;
	mutex_unlock(ctx, &file->pos_lock);
	return has;
}

static ssize_t read_text(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t at)
{
	struct text *text = text_of(file);
	ssize_t n = 0;

	mutex_lock(ctx, &file->pos_lock);
	if (at < text->len && uio->resid > 0) {
		n = (ssize_t)uio_copy_to(ctx, uio, text->bytes + at, MIN(text->len - at, uio->resid));
		n = n > 0 ? n : -EFAULT;
	}
	mutex_unlock(ctx, &file->pos_lock);
	return n;
}

static ssize_t gen_read(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos)
{
	const struct gen_ops *gen = file->inode->gen;
	ssize_t n = 0;

	if (gen->read_at != NULL) {
		n = gen->read_at(ctx, file->inode, *pos, uio);
	} else {
		if (*pos == 0 || !has_text(ctx, file))
			n = make_text(ctx, file);
		if (n == 0)
			n = read_text(ctx, file, uio, *pos);
	}
	if (n > 0)
		*pos += (uint64_t)n;
	return n;
}

static ssize_t gen_write(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos)
{
	size_t n = MIN(uio->resid, (size_t)PAGE_BYTES);
	ssize_t done;
	char *bytes;

	if (file->inode->gen->write == NULL)
		return file->inode->gen_key[0] != 0 ? -EINVAL : -EIO;
	bytes = kmem_alloc(ctx, PAGE_BYTES + 1);
	if (bytes == NULL)
		return -ENOMEM;
	if (uio_copy_from(ctx, uio, bytes, n) < n)
		done = -EFAULT;
	else
		done = file->inode->gen->write(ctx, file->inode, bytes, n);
	kmem_free(ctx->env, bytes, PAGE_BYTES + 1);
	if (done > 0)
		*pos += (uint64_t)done;
	return done;
}

static void gen_release(struct ctx *ctx, struct file *file)
{
	struct text *text = text_of(file);

	text_free(ctx, text);
	kmem_free(ctx->env, text, sizeof(*text));
}

static int gen_describe(const struct file *file, char *text, size_t size)
{
	return dentry_path(file->dentry, text, size);
}

static const struct file_ops gen_file_ops = {
	.name = "generated",
	.read = gen_read,
	.write = gen_write,
	.seekable = true,
	.unlocked = true,
	.endless = true,
	.release = gen_release,
	.describe = gen_describe,
};

int gen_file_create(struct ctx *ctx, struct inode *inode, uint32_t flags, struct file **out)
{
	struct text *text;
	int err = inode->gen->open != NULL ? inode->gen->open(ctx, inode, flags) : 0;

	if (err < 0)
		return err;
	text = kmem_alloc(ctx, sizeof(*text));
	if (text == NULL)
		return -ENOMEM;
	err = file_create(ctx, &gen_file_ops, inode, flags, out);
	if (err < 0)
		kmem_free(ctx->env, text, sizeof(*text));
	else
		(*out)->priv = text;
	return err;
}

/* ---- inodes ---- */

int gen_inode_create(struct ctx *ctx, const struct gen_ops *ops, uint32_t mode, uint64_t ino, const uint64_t key[2],
                     struct inode **out)
{
	struct inode *inode;
	int err = inode_create(ctx, mode, "", NULL, &inode);

	if (err < 0)
		return err;
	inode->gen = ops;
	inode->gen_key[0] = key[0];
	inode->gen_key[1] = key[1];
	inode->ino = ino;
	inode->uid = inode->gid = 0;
	inode->nlink = S_ISDIR(mode) ? 2 : 1;
	*out = inode;
	return 0;
}

/* splitmix64's last step, which mixes well. */
static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t gen_ino(uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t far = UINT64_C(1) << 40;

	return far | (mix(mix(mix(a + 1) ^ (b + 2)) ^ (c + 3)) & (far - 1));
}

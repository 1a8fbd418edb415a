// SPDX-License-Identifier: MIT
/*
 * Walks along paths, and the permission to take each step.
 *
 *	"/tmp/link/b"      at = /      text = "tmp/link/b"
 *	                   at = /tmp   text = "link/b"         link -> "x/y"
 *	                   at = /tmp   text = "x/y"            rest = { "b" }
 *	                   at = y      text = "b"              the last component: the walk stops before it
 *
 * walk_begin stops before the last component, which every call treats in its own way; those that follow it if it is a
 * link go on with walk_follow, which stops before the last component of the link's text. A component is looked up under
 * the tree's lock and then held by a reference, so a walk sees each directory at some moment of its own, as on Linux;
 * what is made up is looked up under no lock at all.
 *
 * A walk keeps each link that it has followed until its end, and so the texts that it walks.
 *
 * I1  w->at is held, and so is what the texts under way lie in
 * I2  rest[] are not empty: who comes back to one has a component to go on with
 * I3  a walk follows at most PATH_LINKS_MAX links
 *
 * Locking: the tree's for reading, a component at a time.
 * Linux: fs/namei.c. Not modelled: mounts, automounts, RESOLVE_*, protected_symlinks (0 here).
 */
#include "vfs/names.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- permissions ---- */

bool caller_in_group(const struct ctx *ctx, uint32_t gid)
{
	const struct creds *creds = ctx->creds;
	uint32_t n;

	if (creds_load(&creds->fsgid) == gid)
		return true;
	n = creds_load(&creds->ngroups);
	for (uint32_t i = 0; i < n && i < CREDS_GROUPS_MAX; i++)
		if (creds_load(&creds->groups[i]) == gid)
			return true;
	return false;
}

bool inode_owned(const struct ctx *ctx, const struct inode *inode)
{
	return creds_fs_privileged(ctx) ||
	       creds_load(&ctx->creds->fsuid) == __atomic_load_n(&inode->uid, __ATOMIC_RELAXED);
}

/* By what makes the file up, whatever its mode says. */
static bool is_admitted(const struct ctx *ctx, const struct inode *inode)
{
	return inode->gen != NULL && inode->gen->admits != NULL && inode->gen->admits(ctx, inode);
}

int inode_permission(const struct ctx *ctx, const struct inode *inode, unsigned mask)
{
	uint32_t mode = inode_mode(inode);
	unsigned bits = mode;

	if (creds_fs_privileged(ctx))
		return mask & MAY_EXEC && !S_ISDIR(mode) && (mode & 0111) == 0 ? -EACCES : 0;
	if (creds_load(&ctx->creds->fsuid) == __atomic_load_n(&inode->uid, __ATOMIC_RELAXED))
		bits >>= 6;
	else if (caller_in_group(ctx, __atomic_load_n(&inode->gid, __ATOMIC_RELAXED)))
		bits >>= 3;
	if ((mask & ~bits & 7) == 0 || is_admitted(ctx, inode))
		return 0;
	return -EACCES;
}

int may_search(const struct ctx *ctx, const struct dentry *dir)
{
	return S_ISDIR(inode_mode(dir->inode)) ? inode_permission(ctx, dir->inode, MAY_EXEC) : -ENOTDIR;
}

/* ---- one name ---- */

/* What is made up has a dentry for each time that it is looked up. */
static int look_up_made_up(struct ctx *ctx, struct dentry *parent, struct component name, struct dentry **out)
{
	char text[PATH_NAME_MAX + 1] = "";
	struct inode *inode;
	int err;

	if (name.len > PATH_NAME_MAX)
		return -ENOENT;
	memcpy(text, name.text, name.len);
	err = parent->inode->gen->lookup(ctx, parent->inode, text, &inode);
	if (err < 0)
		return err;
	inode->dev = parent->inode->dev;
	err = dentry_create(ctx, parent, name, inode, out);
	if (err < 0)
		inode_put(ctx, inode);
	else
		(*out)->made_up = true;
	return err;
}

int dentry_lookup(struct ctx *ctx, struct dentry *parent, struct component name, struct dentry **out)
{
	struct tree *tree = ctx->env->tree;
	struct dentry *dentry;

	KSIM_ASSERT(ctx, S_ISDIR(inode_mode(parent->inode)), "what is looked up in has been searched", "%s",
	            parent->name);
	if (parent->inode->gen != NULL)
		return look_up_made_up(ctx, parent, name, out);
	if (name.len > PATH_NAME_MAX)
		return -ENAMETOOLONG;
	rwlock_read(ctx, &tree->lock);
	dentry = dir_find_locked(parent, name);
	if (dentry != NULL)
		dentry_get(dentry);
	rwlock_read_unlock(ctx, &tree->lock);
	*out = dentry;
	return dentry != NULL ? 0 : -ENOENT;
}

static struct dentry *parent_of(struct ctx *ctx, struct dentry *dentry)
{
	struct tree *tree = ctx->env->tree;
	struct dentry *parent;

	rwlock_read(ctx, &tree->lock);
	KSIM_ASSERT(ctx, !dentry->nameless, "a directory has a name", "%s", "it has none");
	parent = dentry->parent;
	dentry_get(parent);
	rwlock_read_unlock(ctx, &tree->lock);
	return parent;
}

/* ---- a walk ---- */

/* Takes over the reference. */
static void move_to(struct walk *w, struct dentry *to)
{
	dentry_put(w->ctx, w->at);
	w->at = to;
}

/* Take the next component off the text. */
static void take_component(struct walk *w)
{
	size_t len = strcspn(w->text, "/");
	size_t slashes = strspn(w->text + len, "/");

	w->last = (struct component){ w->text, (uint32_t)len };
	w->kind = LAST_NAME;
	if (len == 1 && w->text[0] == '.')
		w->kind = LAST_DOT;
	else if (len == 2 && w->text[0] == '.' && w->text[1] == '.')
		w->kind = LAST_DOTDOT;
	w->slash = slashes > 0;
	w->text += len + slashes;
}

/* The text of a link, which stays until the walk ends. */
static int link_text(struct walk *w, struct inode *inode, const char **out)
{
	struct link_text *text = &w->links[w->nlinks - 1];
	int n;

	if (inode->link != NULL) {
		*out = inode->link;
		return 0;
	}
	KSIM_ASSERT(w->ctx, inode->gen != NULL, "a link has a text or makes one up", "inode %llu",
	            (unsigned long long)inode->ino);
	text->made_up = kmem_alloc(w->ctx, PATH_TEXT_MAX);
	if (text->made_up == NULL)
		return -ENOMEM;
	n = inode->gen->readlink(w->ctx, inode, text->made_up, PATH_TEXT_MAX);
	KSIM_ASSERT(w->ctx, n < PATH_TEXT_MAX, "what a link makes up is a path", "%d", n);
	*out = text->made_up;
	return n < 0 ? n : 0;
}

/* Where a link leads: to a path, which is walked next; or to a thing, and the walk is there. */
static int enter_link(struct walk *w, struct dentry *link, bool *jumped)
{
	struct inode *inode = link->inode;
	const char *text;
	struct dentry *to;
	int err;

	*jumped = false;
	if (w->nlinks >= PATH_LINKS_MAX)
		return -ELOOP;
	inode_get(inode);
	w->links[w->nlinks++] = (struct link_text){ .inode = inode };
	inode_accessed(inode);
	if (inode->gen != NULL && inode->gen->follow != NULL) {
		err = inode->gen->follow(w->ctx, inode, &to);
		if (err == 0)
			move_to(w, to);
		*jumped = err == 0;
		return err;
	}
	err = link_text(w, inode, &text);
	if (err < 0)
		return err;
	if (*w->text != '\0')
		w->rest[w->depth++] = w->text;
	if (*text == '/')
		move_to(w, fs_root(w->ctx, w->ctx->fs));
	w->text = text;
	return 0;
}

/* Go where a component leads that is not the last one. */
static int step(struct walk *w)
{
	struct dentry *to;
	bool jumped;
	int err;

	if (w->kind == LAST_DOT)
		return 0;
	if (w->kind == LAST_DOTDOT) {
		move_to(w, parent_of(w->ctx, w->at));
		return 0;
	}
	err = dentry_lookup(w->ctx, w->at, w->last, &to);
	if (err < 0)
		return err;
	if (!S_ISLNK(inode_mode(to->inode))) {
		move_to(w, to);
		return 0;
	}
	err = enter_link(w, to, &jumped);
	dentry_put(w->ctx, to);
	return err;
}

/* Walk the text under way to the directory of its last component. */
static int walk_to_last(struct walk *w)
{
	w->kind = LAST_ROOT;
	w->slash = false;
	for (;;) {
		int err;

		w->text += strspn(w->text, "/");
		if (*w->text == '\0') {
			if (w->depth == 0)
				return 0;
			w->text = w->rest[--w->depth];
			continue;
		}
		err = may_search(w->ctx, w->at);
		if (err < 0)
			return err;
		take_component(w);
		if (*w->text == '\0' && w->depth == 0)
			return 0;
		err = step(w);
		if (err < 0)
			return err;
		w->kind = LAST_ROOT; /* of a text that ends with a jump */
	}
}

/* Where a relative path begins. */
static int find_base(struct walk *w, const struct path_at *at)
{
	struct file *file;

	if (at->dirfd == PATH_CWD) {
		w->at = fs_cwd(w->ctx, w->ctx->fs);
		return 0;
	}
	file = fd_get_any(w->ctx, at->files, at->dirfd);
	if (file == NULL)
		return -EBADF;
	w->at = file_dentry(w->ctx, file);
	file_put(w->ctx, file);
	if (w->at == NULL)
		return -ENOMEM;
	return *at->path == '\0' || S_ISDIR(inode_mode(w->at->inode)) ? 0 : -ENOTDIR;
}

int walk_begin(struct walk *w, struct ctx *ctx, const struct path_at *at)
{
	int err = 0;

	w->ctx = ctx;
	w->at = NULL;
	w->depth = w->nlinks = 0;
	w->text = at->path;
	if (*at->path == '/')
		w->at = fs_root(ctx, ctx->fs);
	else
		err = find_base(w, at);
	return err < 0 ? err : walk_to_last(w);
}

void walk_end(struct walk *w)
{
	for (unsigned i = 0; i < w->nlinks; i++) {
		inode_put(w->ctx, w->links[i].inode);
		if (w->links[i].made_up != NULL)
			kmem_free(w->ctx->env, w->links[i].made_up, PATH_TEXT_MAX);
	}
	dentry_put(w->ctx, w->at);
}

int walk_find_last(struct walk *w, struct dentry **out)
{
	switch (w->kind) {
	case LAST_NAME:
		return dentry_lookup(w->ctx, w->at, w->last, out);
	case LAST_DOTDOT:
		*out = parent_of(w->ctx, w->at);
		return 0;
	default:
		dentry_get(w->at);
		*out = w->at;
		return 0;
	}
}

int walk_follow(struct walk *w, struct dentry *link, bool *jumped)
{
	int err = enter_link(w, link, jumped);

	return err < 0 || *jumped ? err : walk_to_last(w);
}

/* What the walk ends on, with a reference; follow: links too. */
static int walk_to_end(struct walk *w, bool follow, struct dentry **out)
{
	bool must_be_dir = w->slash, jumped = false;
	struct dentry *found = NULL;
	int err = walk_find_last(w, &found);

	/* A jump leads to the thing itself, though that be a link. */
	while (err == 0 && !jumped && S_ISLNK(inode_mode(found->inode)) && (follow || must_be_dir)) {
		err = walk_follow(w, found, &jumped);
		dentry_put(w->ctx, found);
		must_be_dir |= w->slash;
		if (err == 0 && jumped)
			w->kind = LAST_ROOT;
		if (err == 0)
			err = walk_find_last(w, &found);
	}
	if (err == 0 && must_be_dir && !S_ISDIR(inode_mode(found->inode))) {
		dentry_put(w->ctx, found);
		err = -ENOTDIR;
	}
	*out = found;
	return err;
}

int path_lookup(struct ctx *ctx, const struct path_at *at, unsigned flags, struct dentry **out)
{
	struct walk w;
	int err;

	if (*at->path == '\0' && !(flags & AT_EMPTY))
		return -ENOENT;
	err = walk_begin(&w, ctx, at);
	if (err == 0)
		err = walk_to_end(&w, !(flags & AT_NOFOLLOW), out);
	walk_end(&w);
	return err;
}

int path_walk(struct ctx *ctx, const struct path_at *at)
{
	struct walk w;
	int err = walk_begin(&w, ctx, at);

	walk_end(&w);
	return err;
}

// SPDX-License-Identifier: MIT
/*
 * The tree of names: dentries, and the directories that list them.
 *
 *	/ --+-- tmp          a directory inode has a table of its names:
 *	    +-- run            buckets[hash] -> dentry -> dentry     to find one
 *	    +-- dev -- shm     order                                 to list them, the newest first
 *	    '-- proc
 *
 *	dentry ----inode---> inode <---inode---- dentry       hard links
 *	   '-----parent----> dentry of the directory
 *
 * A listed dentry holds its directory and is held by it; taking it off ends that ring. A dentry that is listed nowhere
 * lives on while a file, a working directory or a walk holds it, and with it all that are above it, so that ".." and
 * the path of what is open are always there. /, /tmp, /dev/shm and /proc are the roots of file systems: they stay, and
 * nothing is linked or moved from one to another.
 *
 * The table doubles when it is full; where there is no memory for that it stays as it is, and only gets slower.
 *
 * I1  a listed dentry is in its parent's table and order once, under its name; no two of a directory have one name
 * I2  every dentry holds a reference on its parent and on its inode; a listed one is held by its directory
 * I3  a directory has one dentry; what is listed in a dead directory is nothing
 * I4  nlink of a directory is 2 and one for each directory in it; of other inodes, as many as there are listed dentries
 * I5  parent, name and listed change under both tree->lock and tree->paths
 *
 * Locking: tree->lock, one for the machine, for reading by lookups and for writing by changes. It is never held while
 * anything above vfs is called. tree->paths is a leaf, for who writes a path down while it holds other locks.
 * Linux: fs/dcache.c, fs/libfs.c (simple_offset), mm/shmem.c. Not modelled: negative dentries, other mounts.
 */
#include "vfs/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/wait.h"
#include "vfs/names.h"

enum { FIRST_BUCKETS = 8 };

/* st_dev of the mounts. */
enum { DEV_ROOT = 20, DEV_TMP = 21, DEV_SHM = 22, DEV_PROC = 23 };

/* ---- dentries ---- */

static void dentry_destroy(struct ctx *ctx, struct drop *drop)
{
	struct dentry *dentry = ref_container(drop, struct dentry);

	KSIM_ASSERT(ctx, !dentry->listed, "tree I2: a listed dentry is held by its directory", "%s", dentry->name);
	if (dentry->parent != dentry)
		dentry_put(ctx, dentry->parent);
	inode_put(ctx, dentry->inode);
	kmem_free(ctx->env, dentry->name, dentry->name_bytes);
	kmem_free(ctx->env, dentry, sizeof(*dentry));
}

void dentry_get(struct dentry *dentry)
{
	ref_get(&dentry->ref);
}

void dentry_put(struct ctx *ctx, struct dentry *dentry)
{
	if (dentry != NULL)
		ref_put(ctx, &dentry->ref, dentry_destroy);
}

/* FNV-1a */
static uint32_t hash_of(struct component name)
{
	uint32_t hash = 2166136261u;

	for (uint32_t i = 0; i < name.len; i++)
		hash = (hash ^ (uint8_t)name.text[i]) * 16777619u;
	return hash;
}

int dentry_create(struct ctx *ctx, struct dentry *parent, struct component name, struct inode *inode,
                  struct dentry **out)
{
	struct dentry *dentry = kmem_alloc(ctx, sizeof(*dentry));

	if (dentry == NULL)
		return -ENOMEM;
	dentry->name_bytes = (size_t)name.len + 1;
	dentry->name = kmem_alloc(ctx, dentry->name_bytes);
	if (dentry->name == NULL) {
		kmem_free(ctx->env, dentry, sizeof(*dentry));
		return -ENOMEM;
	}
	ref_init(&dentry->ref);
	memcpy(dentry->name, name.text, name.len);
	dentry->len = name.len;
	dentry->hash = hash_of(name);
	dentry->inode = inode;
	dentry->parent = parent;
	dentry->tree = ctx->env->tree;
	dentry->nameless = parent == NULL;
	if (parent != NULL)
		dentry_get(parent);
	*out = dentry;
	return 0;
}

struct dentry *file_dentry(struct ctx *ctx, struct file *file)
{
	struct dentry *dentry;

	if (file->dentry != NULL) {
		dentry_get(file->dentry);
		return file->dentry;
	}
	if (dentry_create(ctx, NULL, (struct component){ "", 0 }, file->inode, &dentry) < 0)
		return NULL;
	inode_get(file->inode);
	dentry->ops = file->ops;
	return dentry;
}

struct dentry *tree_root(struct ctx *ctx)
{
	struct dentry *root = ctx->env->tree->root;

	dentry_get(root);
	return root;
}

/* ---- paths ---- */

/* What has no name in any directory. */
static int describe_nameless(const struct inode *inode, char *text, size_t size)
{
	if (S_ISSOCK(inode_mode(inode)))
		return snprintf(text, size, "socket:[%" PRIu64 "]", inode->ino);
	return snprintf(text, size, "/memfd:%s (deleted)", inode->name);
}

/* Write the path before `end`, the last component first. @return its first byte; NULL: longer than there is room */
static char *prepend_path(const struct dentry *dentry, char *start, char *end)
{
	char *at = end;

	for (; dentry->parent != dentry; dentry = dentry->parent) {
		if ((size_t)(at - start) < (size_t)dentry->len + 1)
			return NULL;
		at -= dentry->len;
		memcpy(at, dentry->name, dentry->len);
		*--at = '/';
	}
	if (at == end && at > start)
		*--at = '/';
	return at;
}

int dentry_path(const struct dentry *dentry, char *text, size_t size)
{
	struct tree *tree = dentry->tree;
	char path[PATH_TEXT_MAX];
	bool gone;
	char *at;

	if (dentry->nameless)
		return describe_nameless(dentry->inode, text, size);
	pthread_mutex_lock(&tree->paths);
	at = prepend_path(dentry, path, path + sizeof(path));
	gone = !dentry->listed && !dentry->made_up && dentry->parent != dentry;
	pthread_mutex_unlock(&tree->paths);
	if (at == NULL)
		return -ENAMETOOLONG;
	return snprintf(text, size, "%.*s%s", (int)(path + sizeof(path) - at), at, gone ? " (deleted)" : "");
}

/* ---- directories; the tree's lock is held ---- */

static struct dentry **bucket_of(const struct dir *dir, uint32_t hash)
{
	return &dir->buckets[hash & (dir->nbuckets - 1)];
}

struct dentry *dir_find_locked(const struct dentry *parent, struct component name)
{
	uint32_t hash = hash_of(name);
	struct dentry *dentry = *bucket_of(dentry_dir(parent), hash);

	while (dentry != NULL &&
	       (dentry->hash != hash || dentry->len != name.len || memcmp(dentry->name, name.text, name.len) != 0))
		dentry = dentry->next;
	return dentry;
}

uint64_t dir_position(const struct dentry *dentry)
{
	return LISTING_END - dentry->order.first;
}

struct dentry *dir_at_locked(const struct dentry *parent, uint64_t position)
{
	struct itree_node *node = itree_first(&dentry_dir(parent)->order, LISTING_END - position, LISTING_END);

	return node != NULL ? container_of(node, struct dentry, order) : NULL;
}

static void grow(struct ctx *ctx, struct dir *dir)
{
	uint32_t was = dir->nbuckets;
	struct dentry **old = dir->buckets;
	struct dentry **buckets = kmem_alloc(ctx, (size_t)2 * was * sizeof(struct dentry *));

	if (buckets == NULL)
		return;
	dir->buckets = buckets;
	dir->nbuckets = 2 * was;
	for (uint32_t i = 0; i < was; i++)
		for (struct dentry *dentry = old[i], *next; dentry != NULL; dentry = next) {
			next = dentry->next;
			dentry->next = *bucket_of(dir, dentry->hash);
			*bucket_of(dir, dentry->hash) = dentry;
		}
	kmem_free(ctx->env, old, was * sizeof(struct dentry *));
}

/* Into the table of its parent. */
static void enter(struct ctx *ctx, struct dentry *dentry)
{
	struct dir *dir = dentry_dir(dentry->parent);
	uint64_t key;

	if (dir->count >= dir->nbuckets)
		grow(ctx, dir);
	dentry->next = *bucket_of(dir, dentry->hash);
	*bucket_of(dir, dentry->hash) = dentry;
	dir->count++;
	key = LISTING_END - ++dir->next_position;
	itree_insert(&dir->order, &dentry->order, key, key);
}

static void leave(struct dentry *dentry)
{
	struct dir *dir = dentry_dir(dentry->parent);
	struct dentry **at = bucket_of(dir, dentry->hash);

	while (*at != dentry)
		at = &(*at)->next;
	*at = dentry->next;
	dir->count--;
	itree_remove(&dir->order, &dentry->order);
}

static void set_listed(struct dentry *dentry, bool listed)
{
	struct tree *tree = dentry->tree;

	pthread_mutex_lock(&tree->paths);
	dentry->listed = listed;
	pthread_mutex_unlock(&tree->paths);
}

void dir_insert_locked(struct ctx *ctx, struct dentry *dentry)
{
	KSIM_ASSERT(ctx, !dentry_dir(dentry->parent)->dead, "tree I3: nothing comes into a dead directory", "%s",
	            dentry->name);
	dentry_get(dentry);
	enter(ctx, dentry);
	set_listed(dentry, true);
}

void dir_remove_locked(struct ctx *ctx, struct dentry *dentry)
{
	KSIM_ASSERT(ctx, dentry->listed, "tree I1: what is taken off a directory is in it", "%s", dentry->name);
	leave(dentry);
	set_listed(dentry, false);
}

void dir_move_locked(struct ctx *ctx, struct dentry *dentry, struct dentry *parent, char *name, size_t name_bytes,
                     struct old_place *old)
{
	struct tree *tree = dentry->tree;

	leave(dentry);
	*old = (struct old_place){ dentry->parent, dentry->name, dentry->name_bytes };
	pthread_mutex_lock(&tree->paths);
	dentry->parent = parent;
	dentry->name = name;
	dentry->name_bytes = name_bytes;
	dentry->len = (uint32_t)strlen(name);
	pthread_mutex_unlock(&tree->paths);
	dentry->hash = hash_of((struct component){ name, dentry->len });
	enter(ctx, dentry);
}

void dir_renew_locked(struct ctx *ctx, struct dentry *dentry)
{
	leave(dentry);
	enter(ctx, dentry);
}

bool dentry_within_locked(const struct dentry *dentry, const struct dentry *above)
{
	while (dentry != above && dentry->parent != dentry)
		dentry = dentry->parent;
	return dentry == above;
}

/* ---- inodes ---- */

static int dir_create(struct ctx *ctx, struct dir **out)
{
	struct dir *dir = kmem_alloc(ctx, sizeof(*dir));

	if (dir == NULL)
		return -ENOMEM;
	dir->nbuckets = FIRST_BUCKETS;
	dir->buckets = kmem_alloc(ctx, FIRST_BUCKETS * sizeof(struct dentry *));
	if (dir->buckets == NULL) {
		kmem_free(ctx->env, dir, sizeof(*dir));
		return -ENOMEM;
	}
	itree_init(&dir->order);
	dir->next_position = LISTING_FIRST;
	*out = dir;
	return 0;
}

static void dir_destroy(struct env *env, struct dir *dir)
{
	kmem_free(env, dir->buckets, dir->nbuckets * sizeof(struct dentry *));
	kmem_free(env, dir, sizeof(*dir));
}

/* The group of what the caller makes in dir, and the mode that it gets there. */
static void inherit(const struct inode *dir, uint32_t mode, struct inode *inode)
{
	uint32_t dir_mode = inode_mode(dir);

	if (dir_mode & S_ISGID) {
		inode->gid = __atomic_load_n(&dir->gid, __ATOMIC_RELAXED);
		if (S_ISDIR(mode))
			mode |= S_ISGID;
	}
	inode->mode = mode;
}

/* What the kind of file needs. 0 or -ENOMEM. */
static int make_content(struct ctx *ctx, uint32_t mode, const char *link, struct object **object, struct dir **dir,
                        char **text)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return object_create_shmem(ctx, 0, object);
	case S_IFDIR:
		return dir_create(ctx, dir);
	case S_IFLNK:
		*text = kmem_alloc(ctx, strlen(link) + 1);
		if (*text == NULL)
			return -ENOMEM;
		memcpy(*text, link, strlen(link));
		return 0;
	default:
		return 0;
	}
}

int tree_inode_create(struct ctx *ctx, const struct inode *dir, uint32_t mode, uint64_t rdev, const char *link,
                      struct inode **out)
{
	struct object *object = NULL;
	struct dir *names = NULL;
	struct inode *inode;
	char *text = NULL;
	int err = make_content(ctx, mode, link, &object, &names, &text);

	if (err < 0)
		return err;
	err = inode_create(ctx, mode, "", object, &inode);
	if (err < 0)
		goto undo_content;
	inherit(dir, mode, inode);
	inode->dir = names;
	inode->link = text;
	inode->dev = dir->dev;
	inode->rdev = rdev;
	inode->nlink = names != NULL ? 2 : 1;
	inode->bytes = names != NULL ? UINT64_C(2) * NAME_CHARGE : text != NULL ? strlen(text) : 0;
	inode->btime_ns = inode->ctime_ns;
	inode->seals = F_SEAL_SEAL;
	*out = inode;
	return 0;

undo_content:
	object_put(ctx, object);
	if (names != NULL)
		dir_destroy(ctx->env, names);
	if (text != NULL)
		kmem_free(ctx->env, text, strlen(link) + 1);
	return err;
}

void tree_inode_fini(struct ctx *ctx, struct inode *inode)
{
	if (inode->dir != NULL)
		dir_destroy(ctx->env, inode->dir);
	if (inode->link != NULL)
		kmem_free(ctx->env, inode->link, strlen(inode->link) + 1);
}

/* ---- the tree of a machine ---- */

/* A directory that is there from the beginning. dev: of a file system that begins here; 0: its parent's. */
static int make_dir(struct ctx *ctx, struct dentry *parent, const char *name, uint32_t mode, uint64_t dev,
                    struct dentry **out)
{
	static const struct inode nowhere;
	struct component text = { name, (uint32_t)strlen(name) };
	struct dentry *dentry;
	struct inode *inode;
	int err = tree_inode_create(ctx, parent != NULL ? parent->inode : &nowhere, S_IFDIR | mode, 0, NULL, &inode);

	if (err < 0)
		return err;
	err = dentry_create(ctx, parent, text, inode, &dentry);
	if (err < 0) {
		inode_put(ctx, inode);
		return err;
	}
	if (dev != 0) {
		inode->dev = dev;
		dentry->mounted = true;
	}
	if (parent == NULL) {
		dentry->parent = dentry;
		dentry->nameless = false;
	} else {
		rwlock_write(ctx, &ctx->env->tree->lock);
		dir_insert_locked(ctx, dentry);
		rwlock_write_unlock(ctx, &ctx->env->tree->lock);
		parent->inode->nlink++;
		parent->inode->bytes += NAME_CHARGE;
		dentry_put(ctx, dentry); /* its directory has one */
	}
	*out = dentry;
	return 0;
}

static int make_dirs(struct ctx *ctx, struct tree *tree)
{
	struct dentry *dir;
	int err = make_dir(ctx, NULL, "", 0755, DEV_ROOT, &tree->root);

	if (err == 0)
		err = make_dir(ctx, tree->root, "proc", 0555, DEV_PROC, &dir);
	if (err == 0)
		err = make_dir(ctx, tree->root, "run", 0755, 0, &dir);
	if (err == 0)
		err = make_dir(ctx, tree->root, "tmp", S_ISVTX | 0777, DEV_TMP, &dir);
	if (err == 0)
		err = make_dir(ctx, tree->root, "dev", 0755, 0, &dir);
	if (err == 0)
		err = make_dir(ctx, dir, "shm", S_ISVTX | 0777, DEV_SHM, &dir);
	return err;
}

int tree_create(struct env *env)
{
	struct tree *tree;
	struct ctx ctx;
	int err;

	ctx_init(&ctx, env, "boot");
	tree = kmem_alloc(&ctx, sizeof(*tree));
	if (tree == NULL)
		return -ENOMEM;
	rwlock_init(&tree->lock, RANK_TREE);
	pthread_mutex_init(&tree->paths, NULL);
	env->tree = tree;
	err = make_dirs(&ctx, tree);
	if (err < 0) {
		tree_empty(&ctx);
		ctx_drain(&ctx);
		tree_destroy(env);
	}
	return err;
}

void tree_set_proc(struct ctx *ctx, const struct gen_ops *ops)
{
	struct tree *tree = ctx->env->tree;
	struct dentry *proc;

	rwlock_read(ctx, &tree->lock);
	proc = dir_find_locked(tree->root, (struct component){ "proc", 4 });
	rwlock_read_unlock(ctx, &tree->lock);
	KSIM_ASSERT(ctx, proc != NULL && proc->inode->gen == NULL, "/proc is made up by one", "%p", (void *)proc);
	proc->inode->gen = ops;
}

/* Empty the tree from its leaves on: down while there is something below, else take it off and go up. */
void tree_empty(struct ctx *ctx)
{
	struct tree *tree = ctx->env->tree;
	struct dentry *at = tree->root;

	if (at == NULL)
		return;
	rwlock_write(ctx, &tree->lock);
	while (at != tree->root || dentry_dir(at)->count > 0) {
		struct dir *dir = dentry_dir(at);
		struct dentry *parent = at->parent;

		if (dir != NULL && dir->count > 0) {
			at = dir_at_locked(at, LISTING_END);
			continue;
		}
		dir_remove_locked(ctx, at);
		if (dir != NULL)
			dir->dead = true;
		dentry_put(ctx, at);
		at = parent;
	}
	rwlock_write_unlock(ctx, &tree->lock);
	tree->root = NULL;
	dentry_put(ctx, at);
	ctx_drain(ctx);
}

void tree_destroy(struct env *env)
{
	struct tree *tree = env->tree;

	if (tree == NULL)
		return;
	KSIM_ASSERT(NULL, tree->root == NULL, "a tree is emptied before it goes", "%s", "it has a root");
	pthread_mutex_destroy(&tree->paths);
	rwlock_fini(&tree->lock);
	kmem_free(env, tree, sizeof(*tree));
	env->tree = NULL;
}

/* ---- validator ---- */

static void check_dentry(const struct dentry *parent, const struct dentry *dentry, struct check_report *report)
{
	CHECK_THAT(report, dentry->listed && dentry->parent == parent, "tree I1: a listed dentry is in its parent",
	           "%s of %s", dentry->name, parent->name);
	CHECK_THAT(report, dir_find_locked(parent, (struct component){ dentry->name, dentry->len }) == dentry,
	           "tree I1: a name is found under itself, and there is one", "%s", dentry->name);
	CHECK_THAT(report, ref_count(&dentry->ref) > 0 && ref_count(&dentry->inode->ref) > 0,
	           "tree I2: what is listed has references", "%s: %u, %u", dentry->name, ref_count(&dentry->ref),
	           ref_count(&dentry->inode->ref));
	CHECK_THAT(report, dentry->inode->nlink > 0, "tree I4: what is listed has links", "%s", dentry->name);
}

/* One directory; @return how many directories are in it */
static uint32_t check_dir(const struct dentry *parent, struct check_report *report)
{
	const struct dir *dir = dentry_dir(parent);
	struct itree_node *node = itree_first(&dir->order, 0, LISTING_END);
	uint32_t n = 0, ndirs = 0;

	itree_check(&dir->order, report);
	for (; node != NULL; node = itree_next(node, 0, LISTING_END)) {
		const struct dentry *dentry = container_of(node, struct dentry, order);

		check_dentry(parent, dentry, report);
		ndirs += S_ISDIR(inode_mode(dentry->inode));
		n++;
	}
	CHECK_THAT(report, n == dir->count && (!dir->dead || n == 0), "tree I1: count is how many names there are",
	           "%u, counted %u in %s", dir->count, n, parent->name);
	return ndirs;
}

/* The next directory after `at`, in the order of a walk through all; NULL: that was the last. */
static const struct dentry *next_dir(const struct dentry *root, const struct dentry *at)
{
	uint64_t from = 0; /* the key behind which to look in `at` */

	for (;;) {
		struct itree_node *node = itree_first(&dentry_dir(at)->order, from, LISTING_END);

		for (; node != NULL; node = itree_next(node, from, LISTING_END))
			if (dentry_dir(container_of(node, struct dentry, order)) != NULL)
				return container_of(node, struct dentry, order);
		if (at == root)
			return NULL;
		from = at->order.first + 1;
		at = at->parent;
	}
}

void tree_check(struct ctx *ctx, struct check_report *report)
{
	struct tree *tree = ctx->env->tree;
	const struct dentry *dir;

	rwlock_read(ctx, &tree->lock);
	for (dir = tree->root; dir != NULL; dir = next_dir(tree->root, dir)) {
		uint32_t ndirs = check_dir(dir, report);

		CHECK_THAT(report, dir->inode->nlink == 2 + ndirs,
		           "tree I4: a directory has a link for each directory in it", "%s: %u, counted %u", dir->name,
		           dir->inode->nlink, 2 + ndirs);
	}
	rwlock_read_unlock(ctx, &tree->lock);
}

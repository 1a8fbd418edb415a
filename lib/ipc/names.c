// SPDX-License-Identifier: MIT
/*
 * What sockets are called inside one machine, and the list of all its sockets.
 *
 *	buckets[hash] -> name -> name          abstract "x"          inode          "/run/wl", a file of the tree
 *	                  |  ^                                        |  ^
 *	            sock  v  | name                            bound  v  | node      NULLed when the socket goes
 *	               unix_sock                                unix_sock
 *
 * An abstract name goes with its socket. A path is a file of the tree (vfs/tree.h): it stays when its socket closes, so
 * that connecting to it is refused and binding to it fails, until it is unlinked. The table doubles when it is full;
 * where there is no memory for that it stays as it is, and only gets slower.
 *
 * The list of sockets exists for reports, validators and the end of a machine. A walk holds a reference of the socket
 * it has reached, which keeps that on the list, and no lock in between; new sockets go to the end, so it meets them.
 *
 * I1  name->sock->name == name, and inode->bound->node == inode where there is a socket, which then holds the inode
 * I2  no two abstract names have the same bytes; a socket has one name of either kind, for good
 * I3  a socket is on the list from its creation until its destruction
 *
 * Locking: names->lock for names and for inode->bound, outside of a socket's lock; sockets_lock for the list, a leaf.
 * Linux: unix_bind, unix_find_other, unix_autobind in net/unix/af_unix.c. Not modelled: the
 * random start of autobind, which here counts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ipc/socket.h"
#include "vfs/path.h"

#define FIRST_BUCKETS 64u
#define AUTO_NAMES    0x100000u /* five hex digits */

struct name {
	struct name *next;      /* n  in its bucket */
	struct unix_sock *sock; /* n  not our reference: the socket forgets us before it dies */
	uint32_t hash;          /* c */
	uint32_t len;           /* c */
	char bytes[];           /* c */
};

int names_create(struct env *env)
{
	struct names *names;
	struct ctx ctx;

	ctx_init(&ctx, env, "boot");
	names = kmem_alloc(&ctx, sizeof(*names));
	if (names == NULL)
		return -ENOMEM;
	names->nbuckets = FIRST_BUCKETS;
	names->buckets = kmem_alloc(&ctx, names->nbuckets * sizeof(*names->buckets));
	if (names->buckets == NULL) {
		kmem_free(env, names, sizeof(*names));
		return -ENOMEM;
	}
	mutex_init(&names->lock, RANK_NAMESPACE);
	mutex_init(&names->sockets_lock, RANK_ACCOUNT);
	TAILQ_INIT(&names->sockets);
	env->names = names;
	return 0;
}

static void name_free(struct env *env, struct name *name)
{
	kmem_free(env, name, sizeof(*name) + name->len);
}

void names_destroy(struct env *env)
{
	struct names *names = env->names;

	if (names == NULL)
		return;
	KSIM_ASSERT(NULL, TAILQ_EMPTY(&names->sockets), "sockets end before their machine", "one made by %s is left",
	            TAILQ_FIRST(&names->sockets)->origin.call);
	for (uint32_t i = 0; i < names->nbuckets; i++)
		for (struct name *name = names->buckets[i], *next; name != NULL; name = next) {
			next = name->next;
			name_free(env, name);
		}
	kmem_free(env, names->buckets, names->nbuckets * sizeof(*names->buckets));
	mutex_fini(&names->lock);
	mutex_fini(&names->sockets_lock);
	kmem_free(env, names, sizeof(*names));
	env->names = NULL;
}

/* The table. names->lock is held. */

/* FNV-1a over the bytes. */
static uint32_t hash_of(const struct unix_addr *addr)
{
	uint32_t hash = 2166136261u;

	for (uint32_t i = 0; i < addr->len; i++)
		hash = (hash ^ (uint8_t)addr->name[i]) * 16777619u;
	return hash;
}

static struct name **bucket_of(struct names *names, uint32_t hash)
{
	return &names->buckets[hash & (names->nbuckets - 1)];
}

static struct name *find(struct names *names, const struct unix_addr *addr)
{
	uint32_t hash = hash_of(addr);
	struct name *name;

	for (name = *bucket_of(names, hash); name != NULL; name = name->next)
		if (name->hash == hash && name->len == addr->len && memcmp(name->bytes, addr->name, addr->len) == 0)
			return name;
	return NULL;
}

static void grow(struct ctx *ctx, struct names *names)
{
	uint32_t was = names->nbuckets;
	struct name **old = names->buckets;
	struct name **buckets = kmem_alloc(ctx, (size_t)2 * was * sizeof(*buckets));

	if (buckets == NULL)
		return;
	names->buckets = buckets;
	names->nbuckets = 2 * was;
	for (uint32_t i = 0; i < was; i++)
		for (struct name *name = old[i], *next; name != NULL; name = next) {
			next = name->next;
			name->next = *bucket_of(names, name->hash);
			*bucket_of(names, name->hash) = name;
		}
	kmem_free(ctx->env, old, was * sizeof(*old));
}

static void insert(struct ctx *ctx, struct names *names, struct name *name)
{
	if (names->count >= names->nbuckets)
		grow(ctx, names);
	name->next = *bucket_of(names, name->hash);
	*bucket_of(names, name->hash) = name;
	names->count++;
}

static void take_out(struct names *names, struct name *name)
{
	struct name **at = bucket_of(names, name->hash);

	while (*at != name)
		at = &(*at)->next;
	*at = name->next;
	names->count--;
}

/* Binding. */

static struct name *name_alloc(struct ctx *ctx, const struct unix_addr *addr)
{
	struct name *name = kmem_alloc(ctx, sizeof(*name) + addr->len);

	if (name == NULL)
		return NULL;
	name->hash = hash_of(addr);
	name->len = addr->len;
	memcpy(name->bytes, addr->name, addr->len);
	return name;
}

/* Both names->lock and sock->lock are held. */
static void give_name(struct ctx *ctx, struct unix_sock *sock, const struct unix_addr *addr, struct name *name)
{
	insert(ctx, ctx->env->names, name);
	name->sock = sock;
	sock->name = name;
	sock->addr = *addr;
	sock->bound = true;
}

/* An abstract name goes to who has none, and is nobody else's. */
static int bind_abstract(struct ctx *ctx, struct unix_sock *sock, const struct unix_addr *addr)
{
	struct names *names = ctx->env->names;
	struct name *name = name_alloc(ctx, addr);
	int err = 0;

	if (name == NULL)
		return -ENOMEM;
	mutex_lock(ctx, &names->lock);
	mutex_lock(ctx, &sock->lock);
	if (sock->bound)
		err = -EINVAL;
	else if (find(names, addr) != NULL)
		err = -EADDRINUSE;
	else
		give_name(ctx, sock, addr, name);
	mutex_unlock(ctx, &sock->lock);
	mutex_unlock(ctx, &names->lock);
	if (err < 0)
		name_free(ctx->env, name);
	return err;
}

/* The file is there; now it is the socket's, if that has no name yet. */
static int bind_node(struct ctx *ctx, struct unix_sock *sock, const struct unix_addr *addr, struct inode *inode)
{
	struct names *names = ctx->env->names;
	int err = 0;

	mutex_lock(ctx, &names->lock);
	mutex_lock(ctx, &sock->lock);
	if (sock->bound)
		err = -EINVAL;
	if (err == 0) {
		inode_get(inode);
		inode->bound = sock;
		sock->node = inode;
		sock->addr = *addr;
		sock->bound = true;
	}
	mutex_unlock(ctx, &sock->lock);
	mutex_unlock(ctx, &names->lock);
	return err;
}

/* As Linux, a path is made before the socket is looked at, and removed again if that has a name. */
static int bind_path(struct ctx *ctx, struct file *file, const struct unix_addr *addr)
{
	char path[sizeof(addr->name) + 1] = "";
	struct dentry *dentry;
	int err;

	memcpy(path, addr->name, addr->len);
	err = vfs_bind(ctx, path, inode_mode(file->inode), &dentry);
	if (err < 0)
		return err == -EEXIST ? -EADDRINUSE : err;
	err = bind_node(ctx, unix_sock(file), addr, dentry->inode);
	if (err < 0)
		vfs_unbind(ctx, dentry);
	dentry_put(ctx, dentry);
	return err;
}

/* The caller has made room in name for five bytes. */
static int bind_free_name(struct ctx *ctx, struct unix_sock *sock, struct unix_addr *addr, struct name *name)
{
	struct names *names = ctx->env->names;
	int err = -ENOSPC;

	mutex_lock(ctx, &names->lock);
	mutex_lock(ctx, &sock->lock);
	if (sock->bound)
		err = -EEXIST;
	for (uint32_t tries = 0; err == -ENOSPC && tries < AUTO_NAMES; tries++) {
		snprintf(addr->name, sizeof(addr->name), "%05x", names->next_auto++ % AUTO_NAMES);
		if (find(names, addr) != NULL)
			continue;
		memcpy(name->bytes, addr->name, addr->len);
		name->hash = hash_of(addr);
		give_name(ctx, sock, addr, name);
		err = 0;
	}
	mutex_unlock(ctx, &sock->lock);
	mutex_unlock(ctx, &names->lock);
	return err;
}

static int autobind(struct ctx *ctx, struct unix_sock *sock)
{
	struct unix_addr addr = { .len = 5, .abstract = true };
	struct name *name = name_alloc(ctx, &addr);
	int err;

	if (name == NULL)
		return -ENOMEM;
	err = bind_free_name(ctx, sock, &addr, name);
	if (err < 0)
		name_free(ctx->env, name);
	return err == -EEXIST ? 0 : err;
}

/* A path ends at its first NUL; what is behind it does not count. */
static void canonical(struct unix_addr *to, const struct unix_addr *from)
{
	*to = (struct unix_addr){ .abstract = from->abstract };
	to->len = from->abstract ? from->len : (uint32_t)strnlen(from->name, from->len);
	memcpy(to->name, from->name, to->len);
}

int unix_bind(struct ctx *ctx, struct file *file, const struct unix_addr *addr)
{
	struct unix_sock *sock = unix_sock(file);
	struct unix_addr wanted;

	if (addr->len == 0 && !addr->abstract)
		return autobind(ctx, sock);
	if (addr->len > sizeof(addr->name) - addr->abstract)
		return -EINVAL;
	canonical(&wanted, addr);
	return wanted.abstract ? bind_abstract(ctx, sock, &wanted) : bind_path(ctx, file, &wanted);
}

/* What is bound to the file of that path, with a reference. */
static int find_by_path(struct ctx *ctx, const struct unix_addr *addr, struct unix_sock **out)
{
	char path[sizeof(addr->name) + 1] = "";
	const struct path_at at = { NULL, PATH_CWD, path };
	struct names *names = ctx->env->names;
	struct dentry *dentry;
	int err;

	memcpy(path, addr->name, addr->len);
	err = path_lookup(ctx, &at, 0, &dentry);
	if (err < 0)
		return err;
	err = inode_permission(ctx, dentry->inode, MAY_WRITE);
	if (err == 0) {
		mutex_lock(ctx, &names->lock);
		*out = dentry->inode->bound;
		if (*out != NULL)
			ref_get(&(*out)->ref);
		else
			err = -ECONNREFUSED;
		mutex_unlock(ctx, &names->lock);
	}
	dentry_put(ctx, dentry);
	return err;
}

int names_find(struct ctx *ctx, const struct unix_addr *addr, struct unix_sock **out)
{
	struct names *names = ctx->env->names;
	struct unix_addr wanted;
	struct name *name;
	int err = 0;

	canonical(&wanted, addr);
	if (!wanted.abstract)
		return find_by_path(ctx, &wanted, out);
	mutex_lock(ctx, &names->lock);
	name = find(names, &wanted);
	if (name != NULL) {
		*out = name->sock;
		ref_get(&name->sock->ref);
	} else {
		err = -ECONNREFUSED;
	}
	mutex_unlock(ctx, &names->lock);
	return err;
}

void names_forget(struct ctx *ctx, struct unix_sock *sock)
{
	struct names *names = ctx->env->names;
	struct inode *node;
	struct name *dead;

	mutex_lock(ctx, &names->lock);
	dead = sock->name;
	node = sock->node;
	sock->name = NULL;
	sock->node = NULL;
	if (dead != NULL) {
		KSIM_ASSERT(ctx, dead->sock == sock, "names I1: name and socket know each other", "%.*s",
		            (int)dead->len, dead->bytes);
		take_out(names, dead);
	}
	if (node != NULL) {
		KSIM_ASSERT(ctx, node->bound == sock, "names I1: file and socket know each other", "inode %llu",
		            (unsigned long long)node->ino);
		node->bound = NULL;
	}
	mutex_unlock(ctx, &names->lock);
	if (dead != NULL)
		name_free(ctx->env, dead);
	inode_put(ctx, node);
}

/* All sockets of the machine. */

void names_add_socket(struct ctx *ctx, struct unix_sock *sock)
{
	struct names *names = ctx->env->names;

	mutex_lock(ctx, &names->sockets_lock);
	TAILQ_INSERT_TAIL(&names->sockets, sock, link);
	mutex_unlock(ctx, &names->sockets_lock);
}

void names_remove_socket(struct ctx *ctx, struct unix_sock *sock)
{
	struct names *names = ctx->env->names;

	mutex_lock(ctx, &names->sockets_lock);
	TAILQ_REMOVE(&names->sockets, sock, link);
	mutex_unlock(ctx, &names->sockets_lock);
}

struct unix_sock *names_next_socket(struct ctx *ctx, struct unix_sock *prev)
{
	struct names *names = ctx->env->names;
	struct unix_sock *next;

	mutex_lock(ctx, &names->sockets_lock);
	next = prev == NULL ? TAILQ_FIRST(&names->sockets) : TAILQ_NEXT(prev, link);
	while (next != NULL && !ref_get_unless_zero(&next->ref))
		next = TAILQ_NEXT(next, link);
	mutex_unlock(ctx, &names->sockets_lock);
	if (prev != NULL)
		sock_put(ctx, prev);
	return next;
}

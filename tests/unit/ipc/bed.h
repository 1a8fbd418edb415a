/* SPDX-License-Identifier: MIT */
/*
 * A machine of sockets and descriptors only: two processes, alice and bob, each an account, a table and a ctx. Its
 * user memory is one array at USER_BASE, behind which every access faults.
 */
#ifndef UNIT_IPC_BED_H
#define UNIT_IPC_BED_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness.h"
#include "host/kmem.h"
#include "ipc/unix.h"
#include "vfs/path.h"

#define USER_BASE  0x10000u
#define USER_BYTES 8192u
#define FDS_MAX    300u

struct actor {
	struct ctx ctx;
	struct owner owner;
	struct waiter waiter;
	struct fdtable *table;
};

struct bed {
	struct env env;
	struct wait_registry waits;
	struct actor alice, bob;
	uint8_t user[USER_BYTES];
	enum fail_kind fail_kind;
	unsigned fail_after; /* questions of that kind answered no before the one yes */
	unsigned asked;
	unsigned said;     /* lines of reports */
	size_t kmem_count; /* at the beginning */
	long ninodes;      /* of the tree, likewise */
};

static const struct unix_creds ROOT = { 1, 0, 0 };
static const struct unix_creds CREDS_BOB = { 2, 1000, 1000 };

static inline size_t bed_copy(struct ctx *ctx, ksim_addr addr, void *host, size_t n, bool to_user)
{
	struct bed *bed = (struct bed *)(void *)((char *)ctx->env - offsetof(struct bed, env));

	if (addr < USER_BASE || addr >= USER_BASE + USER_BYTES)
		return 0;
	if (n > USER_BASE + USER_BYTES - addr)
		n = USER_BASE + USER_BYTES - addr;
	if (to_user)
		memcpy(bed->user + (addr - USER_BASE), host, n);
	else
		memcpy(host, bed->user + (addr - USER_BASE), n);
	return n;
}

static inline bool bed_fails(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct bed *bed = arg;

	(void)ctx;
	return kind == bed->fail_kind && bed->asked++ == bed->fail_after;
}

/** Let the nth allocation of that kind from here on fail, 0 = the next. */
static inline void bed_fail_after(struct bed *bed, enum fail_kind kind, unsigned n)
{
	bed->fail_kind = kind;
	bed->fail_after = n;
	bed->asked = 0;
	bed->env.hooks.fail_arg = bed;
	bed->env.hooks.fail = bed_fails;
}

/** No failures any more. @return whether one came to pass */
static inline bool bed_fail_stop(struct bed *bed)
{
	bed->env.hooks.fail = NULL;
	return bed->asked > bed->fail_after;
}

static inline void bed_say(void *arg, const char *line)
{
	struct bed *bed = arg;

	(void)line;
	__atomic_fetch_add(&bed->said, 1, __ATOMIC_RELAXED);
}

static inline void actor_open(struct bed *bed, struct actor *actor, uint32_t id, const char *name)
{
	static const struct user_ops user = { bed_copy };

	owner_init(&bed->env.owners, &actor->owner, id, name);
	waiter_init(&actor->waiter, &actor->owner);
	ctx_init(&actor->ctx, &bed->env, "test");
	actor->ctx.owner = &actor->owner;
	actor->ctx.waiter = &actor->waiter;
	actor->ctx.user = &user;
	SETUP(fdtable_create(&actor->ctx, &actor->owner, FDS_MAX, &actor->table) == 0);
}

static inline void bed_open(struct bed *bed)
{
	memset(bed, 0, sizeof(*bed));
	owners_init(&bed->env.owners);
	owner_init(&bed->env.owners, &bed->env.self, 0, "machine");
	wait_registry_init(&bed->waits);
	bed->env.waits = &bed->waits;
	bed->env.hooks.say = bed_say;
	bed->env.hooks.say_arg = bed;
	bed->env.epoch = 7;
	SETUP(names_create(&bed->env) == 0);
	SETUP(tree_create(&bed->env) == 0);
	bed->ninodes = owners_total(&bed->env.owners, CENSUS_INODE);
	actor_open(bed, &bed->alice, 1, "alice");
	actor_open(bed, &bed->bob, 2, "bob");
	/* Everyone sleeps only while the test's own thread is there to wake it: no deadlock unless a test wants one. */
	wait_hold(&bed->env);
	bed->kmem_count = kmem_count(&bed->env);
}

static inline int bed_unlink(struct ctx *ctx, const char *path)
{
	const struct path_at at = { NULL, PATH_CWD, path };

	return vfs_unlink(ctx, &at);
}

static inline void bed_complain(void *arg, const char *text)
{
	(void)arg;
	EXPECT_MSG(false, "%s", text);
}

static inline void bed_check(struct bed *bed)
{
	struct check_report report = { .line = bed_complain };

	unix_check(&bed->alice.ctx, NULL, &report);
	EXPECT_EQ(report.broken, 0);
}

/** Destroy what the two have dropped. */
static inline void bed_drain(struct bed *bed)
{
	ctx_drain(&bed->alice.ctx);
	ctx_drain(&bed->bob.ctx);
}

static inline long bed_total(struct bed *bed, enum census_kind kind)
{
	return owners_total(&bed->env.owners, kind);
}

/** Nothing is left of sockets, messages and files. */
static inline void bed_expect_empty(struct bed *bed)
{
	bed_drain(bed);
	EXPECT_EQ(bed_total(bed, CENSUS_SOCKET), 0);
	EXPECT_EQ(bed_total(bed, CENSUS_MESSAGE), 0);
	EXPECT_EQ(bed_total(bed, CENSUS_FILE), 0);
	EXPECT_EQ(bed_total(bed, CENSUS_INODE), bed->ninodes);
}

static inline void actor_close(struct bed *bed, struct actor *actor)
{
	fdtable_put(&actor->ctx, actor->table);
	ctx_drain(&actor->ctx);
	EXPECT_EQ(actor->ctx.held, 0);
	waiter_fini(&actor->waiter);
	(void)bed;
}

/** Close both processes, and find every account at zero and every allocation given back. */
static inline void bed_close(struct bed *bed)
{
	bed_check(bed);
	actor_close(bed, &bed->alice);
	actor_close(bed, &bed->bob);
	tree_empty(&bed->alice.ctx);
	bed->ninodes = 0;
	bed_expect_empty(bed);
	EXPECT_EQ(bed_total(bed, CENSUS_FD), 0);
	tree_destroy(&bed->env);
	names_destroy(&bed->env);
	EXPECT_EQ(kmem_count(&bed->env), 0);
	EXPECT_EQ(kmem_bytes(&bed->env), 0);
	wait_release(&bed->env);
	wait_registry_fini(&bed->waits);
	owner_fini(&bed->env.owners, &bed->bob.owner, &bed->env.self);
	owner_fini(&bed->env.owners, &bed->alice.owner, &bed->env.self);
	owner_fini(&bed->env.owners, &bed->env.self, NULL);
	owners_fini(&bed->env.owners);
}

static inline void bed_put(struct actor *actor, struct file *file)
{
	file_put(&actor->ctx, file);
	ctx_drain(&actor->ctx);
}

static inline struct file *bed_socket(struct actor *actor, uint32_t flags)
{
	struct file *file = NULL;

	SETUP(unix_socket(&actor->ctx, SOCK_STREAM, 0, flags, &file) == 0);
	return file;
}

/** A connected pair that does not block: alice's end and bob's. */
static inline void bed_pair(struct bed *bed, struct file *pair[2])
{
	SETUP(unix_socketpair(&bed->alice.ctx, SOCK_STREAM, 0, FILE_NONBLOCK, ROOT, pair) == 0);
}

static inline struct unix_addr bed_addr(const char *name, bool abstract)
{
	struct unix_addr addr = { .len = (uint32_t)strlen(name), .abstract = abstract };

	memcpy(addr.name, name, addr.len);
	return addr;
}

/** The number of a new slot for a reference of the file. */
static inline int bed_fd(struct actor *actor, struct file *file)
{
	int fd = fd_reserve(&actor->ctx, actor->table, 0, false);

	SETUP(fd >= 0);
	file_get(file);
	fd_install(&actor->ctx, actor->table, fd, file);
	return fd;
}

/** send(2) without control part. */
static inline ssize_t bed_send(struct actor *actor, struct file *file, const void *bytes, size_t n, int flags)
{
	struct uio uio;
	struct unix_msg msg = { .uio = &uio, .flags = flags };

	uio_init_one(&uio, uptr_from(bytes), n);
	return unix_sendmsg(&actor->ctx, actor->table, file, &msg);
}

static inline ssize_t bed_recv(struct actor *actor, struct file *file, void *bytes, size_t n, int flags)
{
	struct uio uio;
	struct unix_msg msg = { .uio = &uio, .flags = flags };
	ssize_t result;

	uio_init_one(&uio, uptr_from(bytes), n);
	result = unix_recvmsg(&actor->ctx, actor->table, file, &msg);
	ctx_drain(&actor->ctx);
	return result;
}

struct control {
	uint8_t bytes[2048];
	size_t len;
};

/** One more header. */
static inline void control_add(struct control *control, int type, const void *data, size_t len)
{
	struct cmsghdr header = { .cmsg_len = CMSG_LEN(len), .cmsg_level = SOL_SOCKET, .cmsg_type = type };

	memcpy(control->bytes + control->len, &header, sizeof(header));
	memcpy(control->bytes + control->len + sizeof(header), data, len);
	memset(control->bytes + control->len + CMSG_LEN(len), 0, CMSG_SPACE(len) - CMSG_LEN(len));
	control->len += CMSG_SPACE(len);
}

static inline ssize_t bed_send_control(struct actor *actor, struct file *file, const void *bytes, size_t n,
                                       const struct control *control)
{
	struct uio uio;
	struct unix_msg msg = {
		.uio = &uio,
		.control = uptr_from(control->bytes),
		.control_len = control->len,
		.creds = { actor->owner.id, 0, 0 },
	};
	ssize_t result;

	uio_init_one(&uio, uptr_from(bytes), n);
	result = unix_sendmsg(&actor->ctx, actor->table, file, &msg);
	ctx_drain(&actor->ctx);
	return result;
}

/** Send bytes with descriptors of the actor's table. */
static inline ssize_t bed_send_fds(struct actor *actor, struct file *file, const void *bytes, size_t n, const int *fds,
                                   size_t nfds)
{
	struct control control = { .len = 0 };

	control_add(&control, SCM_RIGHTS, fds, nfds * sizeof(int));
	return bed_send_control(actor, file, bytes, n, &control);
}

struct received {
	char bytes[64];
	int fds[SCM_FILES_MAX];
	size_t nfds;
	int flags;
	uint64_t control_len;
};

/** Receive up to n bytes and as many descriptors as fit in `room` bytes of control buffer. */
static inline ssize_t bed_recv_fds(struct actor *actor, struct file *file, size_t n, size_t room, int flags,
                                   struct received *got)
{
	struct control control = { .len = 0 };
	struct uio uio;
	struct unix_msg msg = {
		.uio = &uio,
		.control = uptr_from(control.bytes),
		.control_len = room,
		.flags = flags,
	};
	ssize_t result;

	memset(got, 0, sizeof(*got));
	uio_init_one(&uio, uptr_from(got->bytes), n);
	result = unix_recvmsg(&actor->ctx, actor->table, file, &msg);
	ctx_drain(&actor->ctx);
	if (result < 0)
		return result;
	got->flags = msg.flags;
	got->control_len = msg.control_len;
	if (msg.control_len > 0) {
		struct cmsghdr header;

		memcpy(&header, control.bytes, sizeof(header));
		EXPECT_EQ(header.cmsg_level, SOL_SOCKET);
		EXPECT_EQ(header.cmsg_type, SCM_RIGHTS);
		got->nfds = (header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(got->fds, control.bytes + CMSG_LEN(0), got->nfds * sizeof(int));
	}
	return result;
}

/** Put `file`'s only reference into alice's table, and send it away, the slot closed. */
static inline ssize_t bed_send_away(struct actor *actor, struct file *over, struct file *file)
{
	int fd = bed_fd(actor, file);
	ssize_t result;

	bed_put(actor, file);
	result = bed_send_fds(actor, over, "x", 1, &fd, 1);
	EXPECT_EQ(fd_close(&actor->ctx, actor->table, fd), 0);
	ctx_drain(&actor->ctx);
	return result;
}

#endif

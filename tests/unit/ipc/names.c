// SPDX-License-Identifier: MIT
/*
 * Names: who is found under them, how long they stay, and that many of them are as good as few.
 */
#include <stdio.h>

#include "bed.h"

static int bind_to(struct actor *actor, struct file *file, const char *name, bool abstract)
{
	struct unix_addr addr = bed_addr(name, abstract);

	return unix_bind(&actor->ctx, file, &addr);
}

static int connect_to(struct actor *actor, struct file *file, const char *name, bool abstract)
{
	struct unix_addr addr = bed_addr(name, abstract);

	return unix_connect(&actor->ctx, file, &addr, CREDS_BOB);
}

TEST(names, path_stays_when_its_socket_has_gone)
{
	struct file *first, *second;
	struct unix_addr addr;
	struct bed bed;

	bed_open(&bed);
	first = bed_socket(&bed.alice, 0);
	second = bed_socket(&bed.bob, 0);
	EXPECT_EQ(connect_to(&bed.bob, second, "/run/wl", false), -ENOENT);
	EXPECT_EQ(bind_to(&bed.alice, first, "/run/wl", false), 0);
	EXPECT_EQ(unix_getname(&bed.alice.ctx, first, false, &addr), 0);
	EXPECT_EQ(addr.len, 7);
	EXPECT_EQ(connect_to(&bed.bob, second, "/run/wl", false), -ECONNREFUSED);
	EXPECT_EQ(bind_to(&bed.bob, second, "/run/wl", false), -EADDRINUSE);
	bed_put(&bed.alice, first);
	EXPECT_EQ(connect_to(&bed.bob, second, "/run/wl", false), -ECONNREFUSED);
	EXPECT_EQ(bind_to(&bed.bob, second, "/run/wl", false), -EADDRINUSE);
	EXPECT_EQ(bed_unlink(&bed.bob.ctx, "/run/wl"), 0);
	EXPECT_EQ(bed_unlink(&bed.bob.ctx, "/run/wl"), -ENOENT);
	EXPECT_EQ(bind_to(&bed.bob, second, "/run/wl", false), 0);
	/* Unlinked under its socket: not found, but the socket remembers. */
	EXPECT_EQ(bed_unlink(&bed.bob.ctx, "/run/wl"), 0);
	EXPECT_EQ(unix_getname(&bed.bob.ctx, second, false, &addr), 0);
	EXPECT_MEMEQ(addr.name, "/run/wl", 7);
	EXPECT_EQ(bind_to(&bed.bob, second, "/other", false), -EINVAL);
	EXPECT_EQ(bed_unlink(&bed.bob.ctx, "/other"), -ENOENT);
	bed_put(&bed.bob, second);
	bed_close(&bed);
}

TEST(names, abstract_name_goes_with_its_socket)
{
	struct file *first, *second;
	struct bed bed;

	bed_open(&bed);
	first = bed_socket(&bed.alice, 0);
	second = bed_socket(&bed.bob, 0);
	EXPECT_EQ(connect_to(&bed.bob, second, "wl", true), -ECONNREFUSED);
	EXPECT_EQ(bind_to(&bed.alice, first, "wl", true), 0);
	EXPECT_EQ(bind_to(&bed.bob, second, "wl", true), -EADDRINUSE);
	EXPECT_EQ(connect_to(&bed.bob, second, "wl", false), -ENOENT);
	EXPECT_EQ(bed_unlink(&bed.bob.ctx, "wl"), -ENOENT);
	/* A bound socket: an abstract name asks for that first, a path for its own. */
	EXPECT_EQ(bind_to(&bed.alice, first, "wl", true), -EINVAL);
	EXPECT_EQ(bind_to(&bed.bob, second, "path", false), 0);
	EXPECT_EQ(bind_to(&bed.alice, first, "path", false), -EADDRINUSE);
	bed_put(&bed.alice, first);
	bed_put(&bed.bob, second);
	second = bed_socket(&bed.bob, 0);
	EXPECT_EQ(bind_to(&bed.bob, second, "wl", true), 0);
	bed_put(&bed.bob, second);
	bed_close(&bed);
}

TEST(names, path_ends_at_its_nul_and_may_be_108_bytes)
{
	struct unix_addr addr = { .len = 108 };
	struct file *first, *second;
	struct bed bed;

	bed_open(&bed);
	first = bed_socket(&bed.alice, 0);
	second = bed_socket(&bed.alice, 0);
	memset(addr.name, 'k', sizeof(addr.name));
	EXPECT_EQ(unix_bind(&bed.alice.ctx, first, &addr), 0);
	EXPECT_EQ(unix_bind(&bed.alice.ctx, second, &addr), -EADDRINUSE);
	addr.name[1] = '\0';
	EXPECT_EQ(unix_bind(&bed.alice.ctx, second, &addr), 0);
	EXPECT_EQ(unix_getname(&bed.alice.ctx, second, false, &addr), 0);
	EXPECT_EQ(addr.len, 1);
	EXPECT_EQ(bed_unlink(&bed.alice.ctx, "k"), 0);
	bed_put(&bed.alice, first);
	bed_put(&bed.alice, second);
	bed_close(&bed);
}

TEST(names, autobind_finds_free_names)
{
	struct unix_addr none = { .len = 0 }, one, two;
	struct file *first, *second, *third;
	struct bed bed;

	bed_open(&bed);
	first = bed_socket(&bed.alice, 0);
	second = bed_socket(&bed.alice, 0);
	third = bed_socket(&bed.alice, 0);
	EXPECT_EQ(bind_to(&bed.alice, third, "00000", true), 0);
	EXPECT_EQ(unix_bind(&bed.alice.ctx, first, &none), 0);
	EXPECT_EQ(unix_bind(&bed.alice.ctx, second, &none), 0);
	EXPECT_EQ(unix_getname(&bed.alice.ctx, first, false, &one), 0);
	EXPECT_EQ(unix_getname(&bed.alice.ctx, second, false, &two), 0);
	EXPECT(one.abstract && one.len == 5 && two.len == 5);
	EXPECT_MEMEQ(one.name, "00001", 5);
	EXPECT_MEMEQ(two.name, "00002", 5);
	EXPECT_EQ(unix_bind(&bed.alice.ctx, first, &none), 0);
	bed_put(&bed.alice, first);
	bed_put(&bed.alice, second);
	bed_put(&bed.alice, third);
	bed_close(&bed);
}

TEST(names, thousand_names_are_each_found)
{
	enum { COUNT = 1000 };
	static struct file *files[COUNT];
	struct file *probe;
	char name[16];
	struct bed bed;

	bed_open(&bed);
	probe = bed_socket(&bed.bob, FILE_NONBLOCK);
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "/n%d", i);
		files[i] = bed_socket(&bed.alice, 0);
		EXPECT_EQ(bind_to(&bed.alice, files[i], name, i % 2), 0);
	}
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "/n%d", i);
		EXPECT_EQ(bind_to(&bed.bob, probe, name, i % 2), -EADDRINUSE);
		EXPECT_EQ(connect_to(&bed.bob, probe, name, !(i % 2)), i % 2 ? -ENOENT : -ECONNREFUSED);
	}
	for (int i = 0; i < COUNT; i++)
		bed_put(&bed.alice, files[i]);
	/* The paths are left; the bed's end frees them. */
	EXPECT_EQ(bind_to(&bed.bob, probe, "/n10", false), -EADDRINUSE);
	EXPECT_EQ(bind_to(&bed.bob, probe, "/n11", true), 0);
	bed_put(&bed.bob, probe);
	bed_close(&bed);
}

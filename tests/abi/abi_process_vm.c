// SPDX-License-Identifier: MIT
/*
 * What Linux promises of process_vm_readv and process_vm_writev: whose memory may be reached, what is copied when only
 * a part of it can be, and what the vectors may be. process_vm_readv(2).
 *
 * A remote address is a number here, as far as the other process knows it; a child of fork has its parent's.
 */
#include "abi.h"

#include <sched.h>

enum { RW = PROT_READ | PROT_WRITE, NOBODY = 65534 };

static struct iovec at(addr_t addr, size_t len_bytes)
{
	return (struct iovec){ (void *)(uintptr_t)addr, len_bytes };
}

static struct iovec in(void *buffer, size_t len_bytes)
{
	return (struct iovec){ buffer, len_bytes };
}

/* One buffer on each side. */
static ssize_t read_from(pid_t pid, void *local, addr_t remote, size_t len_bytes)
{
	struct iovec here = in(local, len_bytes), there = at(remote, len_bytes);

	return x_process_vm_readv(pid, &here, 1, &there, 1, 0);
}

static ssize_t write_to(pid_t pid, const void *local, addr_t remote, size_t len_bytes)
{
	struct iovec here = in((void *)(uintptr_t)local, len_bytes), there = at(remote, len_bytes);

	return x_process_vm_writev(pid, &here, 1, &there, 1, 0);
}

static void store(addr_t addr, const char *text)
{
	for (size_t i = 0; i <= strlen(text); i++)
		st8(addr + i, (uint8_t)text[i]);
}

static void load(addr_t addr, char *text, size_t len_bytes)
{
	for (size_t i = 0; i < len_bytes; i++)
		text[i] = (char)ld8(addr + i);
}

/* Three pages of text, of which the middle one is unmapped. */
static addr_t with_hole(void)
{
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	store(map + PAGE - 4, "abc");
	store(map + 2 * PAGE, "xyz");
	unmap(map + PAGE, 1);
	return map;
}

static void unmap_with_hole(addr_t map)
{
	unmap(map, 1);
	unmap(map + 2 * PAGE, 1);
}

/* Another process. */

struct other {
	addr_t map;
	pid_t parent;
};

static int reads_and_writes_its_parent(void *arg)
{
	const struct other *other = arg;
	char text[8] = "";

	store(other->map, "child");
	CHILD_EXPECT(read_from(other->parent, text, other->map, 7) == 7);
	CHILD_EXPECT(strcmp(text, "parent") == 0);
	CHILD_EXPECT(write_to(other->parent, "P", other->map, 1) == 1);
	CHILD_EXPECT(ld8(other->map) == 'c');
	CHILD_EXPECT(read_from(x_getpid(), text, other->map, 6) == 6);
	CHILD_EXPECT(strcmp(text, "child") == 0);
	return 0;
}

TEST(process_vm, reaches_another_processs_private_memory)
{
	/* process_vm_readv(2): and not the caller's own at the same address. */
	struct other other = { map_anonymous(1, RW, MAP_PRIVATE), x_getpid() };
	char text[8];

	store(other.map, "parent");
	EXPECT_EQ(in_child(reads_and_writes_its_parent, &other), 0);
	load(other.map, text, 7);
	EXPECT_STREQ(text, "Parent");
	unmap(other.map, 1);
}

static int faults_its_parents_pages_in(void *arg)
{
	const struct other *other = arg;
	char byte = 'x';

	CHILD_EXPECT(read_from(other->parent, &byte, other->map, 1) == 1 && byte == 0);
	CHILD_EXPECT(write_to(other->parent, "w", other->map + PAGE, 1) == 1);
	CHILD_EXPECT(ld8(other->map + PAGE) == 0);
	return 0;
}

TEST(process_vm, brings_in_pages_that_nobody_has_touched)
{
	/* process_vm_readv(2): as the other process's own accesses would. */
	struct other other = { map_anonymous(2, RW, MAP_PRIVATE), x_getpid() };

	EXPECT_EQ(in_child(faults_its_parents_pages_in, &other), 0);
	EXPECT_EQ(ld8(other.map + PAGE), 'w');
	unmap(other.map, 2);
}

static int writes_what_it_shares_with_its_parent(void *arg)
{
	const struct other *other = arg;

	CHILD_EXPECT(write_to(other->parent, "new", other->map, 3) == 3);
	CHILD_EXPECT(ld8(other->map) == 'o');
	return 0;
}

TEST(process_vm, copies_on_write_in_the_other_process)
{
	/* process_vm_writev(2), fork(2): frames that both still share are copied. */
	struct other other = { map_anonymous(1, RW, MAP_PRIVATE), x_getpid() };

	store(other.map, "old");
	EXPECT_EQ(in_child(writes_what_it_shares_with_its_parent, &other), 0);
	EXPECT_EQ(ld8(other.map), 'n');
	unmap(other.map, 1);
}

TEST(process_vm, of_the_caller_itself_works)
{
	/* process_vm_readv(2) asks for no other process. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	char text[4] = "";

	store(map, "abc");
	EXPECT_EQ(read_from(x_getpid(), text, map, 4), 4);
	EXPECT_STREQ(text, "abc");
	EXPECT_EQ(write_to(x_getpid(), "xyz", map, 3), 3);
	EXPECT_EQ(ld8(map), 'x');
	unmap(map, 1);
}

TEST(process_vm, moves_many_pages_between_uneven_buffers)
{
	/* process_vm_readv(2): in array order, as one stream of bytes on either side. */
	enum { BYTES = 3 * PAGE };
	static unsigned char expected[BYTES], a[5000], b[BYTES - 5000];
	addr_t map = map_anonymous(4, RW, MAP_PRIVATE);
	struct iovec here[] = { in(a, sizeof(a)), in(NULL, 0), in(b, sizeof(b)) };
	struct iovec there[] = { at(map + 100, 1000), at(map, 0), at(map + 1100, BYTES - 1000) };

	fill_pattern(expected, BYTES, 3);
	for (size_t i = 0; i < BYTES; i++)
		st8(map + 100 + i, expected[i]);
	EXPECT_EQ(x_process_vm_readv(x_getpid(), here, 3, there, 3, 0), BYTES);
	EXPECT_MEMEQ(a, expected, sizeof(a));
	EXPECT_MEMEQ(b, expected + sizeof(a), sizeof(b));
	unmap(map, 4);
}

TEST(process_vm, ends_where_either_side_is_full)
{
	/* process_vm_readv(2): the lengths need not be the same. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	char text[8] = "-------";
	struct iovec here = in(text, 3), there = at(map, 6);

	store(map, "abcdef");
	EXPECT_EQ(x_process_vm_readv(x_getpid(), &here, 1, &there, 1, 0), 3);
	EXPECT_STREQ(text, "abc----");
	here = in(text, 8);
	there = at(map, 5);
	EXPECT_EQ(x_process_vm_readv(x_getpid(), &here, 1, &there, 1, 0), 5);
	EXPECT_STREQ(text, "abcde--");
	unmap(map, 1);
}

/* Parts. */

TEST(process_vm, up_to_a_hole_copies_what_lies_before_it)
{
	/* process_vm_readv(2): a partial transfer. */
	addr_t map = with_hole();
	char text[9] = "--------";

	EXPECT_EQ(read_from(x_getpid(), text, map + PAGE - 4, 8), 4);
	EXPECT_MEMEQ(text, "abc\0----", 8);
	EXPECT_EQ(write_to(x_getpid(), "12345678", map + PAGE - 4, 8), 4);
	EXPECT_EQ(ld8(map + PAGE - 4), '1');
	EXPECT_EQ(ld8(map + 2 * PAGE), 'x');
	unmap_with_hole(map);
}

TEST(process_vm, stops_at_the_first_buffer_that_cannot_be_reached)
{
	/* process_vm_readv(2): what comes after it is left. */
	addr_t map = with_hole();
	char text[9] = "--------";
	struct iovec here = in(text, 8);
	struct iovec there[] = { at(map + PAGE - 4, 4), at(map + PAGE, 4), at(map + 2 * PAGE, 4) };

	EXPECT_EQ(x_process_vm_readv(x_getpid(), &here, 1, there, 3, 0), 4);
	EXPECT_MEMEQ(text, "abc\0----", 8);
	EXPECT_FAILS(x_process_vm_readv(x_getpid(), &here, 1, there + 1, 2, 0), EFAULT);
	EXPECT_MEMEQ(text, "abc\0----", 8);
	unmap_with_hole(map);
}

TEST(process_vm, up_to_a_hole_on_the_callers_side)
{
	/* process_vm_readv(2): the same there. */
	addr_t other = map_anonymous(1, RW, MAP_PRIVATE), map = with_hole();
	struct iovec here = in(ubuf(map + PAGE - 4), 8), there = at(other, 8);

	store(other, "1234567");
	EXPECT_EQ(x_process_vm_readv(x_getpid(), &here, 1, &there, 1, 0), 4);
	EXPECT_EQ(ld8(map + PAGE - 1), '4');
	EXPECT_EQ(x_process_vm_writev(x_getpid(), &here, 1, &there, 1, 0), 4);
	here = in(ubuf(map + PAGE), 4);
	EXPECT_FAILS(x_process_vm_readv(x_getpid(), &here, 1, &there, 1, 0), EFAULT);
	EXPECT_FAILS(x_process_vm_writev(x_getpid(), &here, 1, &there, 1, 0), EFAULT);
	unmap_with_hole(map);
	unmap(other, 1);
}

TEST(process_vm, past_the_end_of_a_file)
{
	/* process_vm_readv(2), 57: as a hole, and no signal. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 2, RW);
	char text[8] = "-------";

	store(map + PAGE - 4, "abc");
	EXPECT_EQ(read_from(x_getpid(), text, map + PAGE - 4, 8), 4);
	EXPECT_FAILS(read_from(x_getpid(), text, map + PAGE, 4), EFAULT);
	EXPECT_FAILS(write_to(x_getpid(), text, map + PAGE, 4), EFAULT);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(process_vm, respects_the_protection)
{
	/* process_vm_readv(2): EFAULT; what may be written need not be readable. */
	addr_t ro = map_anonymous(1, PROT_READ, MAP_PRIVATE), wo = map_anonymous(1, PROT_WRITE, MAP_PRIVATE);
	addr_t xo = map_anonymous(1, PROT_EXEC, MAP_PRIVATE), none = map_anonymous(1, PROT_NONE, MAP_PRIVATE);
	char byte = 0;

	EXPECT_EQ(read_from(x_getpid(), &byte, ro, 1), 1);
	EXPECT_FAILS(write_to(x_getpid(), &byte, ro, 1), EFAULT);
	EXPECT_EQ(write_to(x_getpid(), &byte, wo, 1), 1);
	EXPECT_FAILS(read_from(x_getpid(), &byte, wo, 1), EFAULT);
	EXPECT_FAILS(read_from(x_getpid(), &byte, xo, 1), EFAULT);
	EXPECT_FAILS(write_to(x_getpid(), &byte, xo, 1), EFAULT);
	EXPECT_FAILS(read_from(x_getpid(), &byte, none, 1), EFAULT);
	EXPECT_FAILS(write_to(x_getpid(), &byte, none, 1), EFAULT);
	unmap(ro, 1);
	unmap(wo, 1);
	unmap(xo, 1);
	unmap(none, 1);
}

/* Bad input. */

TEST(process_vm, of_a_bad_remote_address_fails_EFAULT)
{
	/* process_vm_readv(2). */
	static const uint64_t bad[] = { 0, 8, UINT64_C(1) << 47, UINT64_C(1) << 62 };
	char byte;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_FAILS(read_from(x_getpid(), &byte, (addr_t)bad[i], 1), EFAULT);
		EXPECT_FAILS(write_to(x_getpid(), &byte, (addr_t)bad[i], 1), EFAULT);
	}
}

TEST(process_vm, into_a_bad_local_buffer_fails_EFAULT)
{
	/* process_vm_readv(2). */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE), ro = map_anonymous(1, PROT_READ, MAP_PRIVATE);
	struct iovec there = at(map, 4),
		     here[] = { in(NULL, 4), in((void *)(UINTPTR_MAX / 2 + 1 - 2), 4), in(ubuf(ro), 4) };

	EXPECT_FAILS(x_process_vm_readv(x_getpid(), here, 1, &there, 1, 0), EFAULT);
	EXPECT_FAILS(x_process_vm_writev(x_getpid(), here, 1, &there, 1, 0), EFAULT);
	EXPECT_FAILS(x_process_vm_readv(x_getpid(), here + 1, 1, &there, 1, 0), EFAULT);
	EXPECT_FAILS(x_process_vm_readv(x_getpid(), here + 2, 1, &there, 1, 0), EFAULT);
	EXPECT_EQ(x_process_vm_writev(x_getpid(), here + 2, 1, &there, 1, 0), 4);
	unmap(map, 1);
	unmap(ro, 1);
}

TEST(process_vm, with_flags_fails_EINVAL)
{
	/* process_vm_readv(2): before anything else. */
	char byte;
	struct iovec here = in(&byte, 1), there = at(0, 1);

	EXPECT_FAILS(x_process_vm_readv(x_getpid(), &here, 1, &there, 1, 1), EINVAL);
	EXPECT_FAILS(x_process_vm_writev(x_getpid(), &here, 1, &there, 1, 1), EINVAL);
	EXPECT_FAILS(x_process_vm_readv(-1, NULL, 0, NULL, 0, 1), EINVAL);
	EXPECT_FAILS(x_process_vm_readv(-1, NULL, 0, NULL, 0, (unsigned long)-1), EINVAL);
}

TEST(process_vm, with_too_many_buffers_fails_EINVAL)
{
	/* process_vm_readv(2): IOV_MAX on either side. */
	enum { MOST = 1024 };
	static struct iovec many[MOST + 1];
	static char byte;
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	struct iovec here = in(&byte, 1), there = at(map, 1);

	for (int i = 0; i <= MOST; i++)
		many[i] = in(&byte, 1);
	EXPECT_EQ(x_process_vm_readv(x_getpid(), many, MOST, &there, 1, 0), 1);
	EXPECT_FAILS(x_process_vm_readv(x_getpid(), many, MOST + 1, &there, 1, 0), EINVAL);
	EXPECT_FAILS(x_process_vm_readv(x_getpid(), many, (unsigned long)-1, &there, 1, 0), EINVAL);
	for (int i = 0; i <= MOST; i++)
		many[i] = at(map, 1);
	EXPECT_EQ(x_process_vm_readv(x_getpid(), &here, 1, many, MOST, 0), 1);
	EXPECT_FAILS(x_process_vm_readv(x_getpid(), &here, 1, many, MOST + 1, 0), EINVAL);
	EXPECT_FAILS(x_process_vm_readv(x_getpid(), &here, 1, many, (unsigned long)-1, 0), EINVAL);
	unmap(map, 1);
}

TEST(process_vm, with_a_negative_length_fails_EINVAL)
{
	/* process_vm_readv(2): the sum of lengths overflows ssize_t. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	char byte = 0;
	struct iovec here = in(&byte, 1), there = at(map, 1), bad = in(&byte, SIZE_MAX), far = at(map, SIZE_MAX);

	EXPECT_FAILS(x_process_vm_readv(x_getpid(), &bad, 1, &there, 1, 0), EINVAL);
	EXPECT_FAILS(x_process_vm_readv(x_getpid(), &here, 1, &far, 1, 0), EINVAL);
	EXPECT_FAILS(x_process_vm_readv(-1, &here, 1, &far, 1, 0), EINVAL);
	unmap(map, 1);
}

TEST(process_vm, with_unreadable_vectors_fails_EFAULT)
{
	/* process_vm_readv(2): of the vectors themselves; before the process is looked for. */
	char byte;
	struct iovec here = in(&byte, 1), there = at(0, 1);

	EXPECT_FAILS(x_process_vm_readv(x_getpid(), NULL, 1, &there, 1, 0), EFAULT);
	EXPECT_FAILS(x_process_vm_readv(x_getpid(), &here, 1, NULL, 1, 0), EFAULT);
	EXPECT_FAILS(x_process_vm_readv(-1, ubuf(unmapped_page()), 1, &there, 1, 0), EFAULT);
	EXPECT_FAILS(x_process_vm_writev(-1, &here, 1, ubuf(unmapped_page()), 1, 0), EFAULT);
}

TEST(process_vm, of_no_bytes_copies_nothing)
{
	/* process_vm_readv(2): nobody asks for the process then. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	char byte;
	struct iovec here = in(&byte, 1), there = at(map, 1), nothing = in(&byte, 0), none = at(map, 0);

	EXPECT_EQ(x_process_vm_readv(x_getpid(), &here, 1, &there, 0, 0), 0);
	EXPECT_EQ(x_process_vm_readv(x_getpid(), &here, 0, &there, 1, 0), 0);
	EXPECT_EQ(x_process_vm_readv(-1, &here, 0, &there, 1, 0), 0);
	EXPECT_EQ(x_process_vm_readv(-1, &here, 1, &there, 0, 0), 0);
	EXPECT_EQ(x_process_vm_readv(-1, &nothing, 1, &there, 1, 0), 0);
	EXPECT_EQ(x_process_vm_readv(-1, &here, 1, &none, 1, 0), 0);
	EXPECT_EQ(x_process_vm_readv(-1, NULL, 0, NULL, 1, 0), 0);
	EXPECT_EQ(x_process_vm_writev(x_getpid(), &here, 1, NULL, 0, 0), 0);
	unmap(map, 1);
}

/* Whose. */

TEST(process_vm, of_a_process_that_is_not_there_fails_ESRCH)
{
	/* process_vm_readv(2). */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	char byte;

	EXPECT_FAILS(read_from(99999999, &byte, map, 1), ESRCH);
	EXPECT_FAILS(read_from(0, &byte, map, 1), ESRCH);
	EXPECT_FAILS(read_from(-1, &byte, map, 1), ESRCH);
	EXPECT_FAILS(write_to(INT32_MIN, &byte, map, 1), ESRCH);
	unmap(map, 1);
}

static int exits_at_once(void *arg)
{
	(void)arg;
	return 0;
}

TEST(process_vm, of_a_process_that_has_ended_fails_ESRCH)
{
	/* process_vm_readv(2): a zombie has no memory, and is nobody when it has been waited for. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	pid_t pid = x_fork_into(exits_at_once, NULL);
	char byte;

	SETUP(pid > 0);
	while (read_from(pid, &byte, map, 1) == 1)
		sched_yield(); /* until it has */
	EXPECT_FAILS(read_from(pid, &byte, map, 1), ESRCH);
	SETUP(x_waitpid(pid, NULL, 0) == pid);
	EXPECT_FAILS(read_from(pid, &byte, map, 1), ESRCH);
	unmap(map, 1);
}

static int may_not_reach_its_parent(void *arg)
{
	const struct other *other = arg;
	char byte;

	CHILD_EXPECT(x_setresgid(NOBODY, NOBODY, NOBODY) == 0 && x_setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHILD_EXPECT(read_from(other->parent, &byte, other->map, 1) == -1 && errno == EPERM);
	CHILD_EXPECT(write_to(other->parent, "x", other->map, 1) == -1 && errno == EPERM);
	CHILD_EXPECT(read_from(other->parent, &byte, 0, 1) == -1 && errno == EPERM);
	CHILD_EXPECT(read_from(x_getpid(), &byte, other->map, 1) == 1 && byte == 'p');
	return 0;
}

TEST(process_vm, of_another_users_process_fails_EPERM)
{
	/* process_vm_readv(2): before any address is looked at; one's own stays within reach. */
	struct other other = { map_anonymous(1, RW, MAP_PRIVATE), x_getpid() };

	if (x_geteuid() != 0) {
		unmap(other.map, 1);
		SKIP("not root");
	}
	st8(other.map, 'p');
	EXPECT_EQ(in_child(may_not_reach_its_parent, &other), 0);
	EXPECT_EQ(ld8(other.map), 'p');
	unmap(other.map, 1);
}

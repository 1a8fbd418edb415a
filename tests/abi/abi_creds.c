// SPDX-License-Identifier: MIT
/*
 * What Linux promises of users and groups: who may become whom. setuid(2), setreuid(2), setresuid(2), setfsuid(2),
 * getgroups(2), credentials(7). All in children, which are root to begin with; the host's must be root for that.
 */
#include "abi.h"

static void need_root(void)
{
	if (x_geteuid() != 0)
		SKIP("not root");
}

static bool users_are(uid_t real, uid_t effective, uid_t saved)
{
	uid_t r, e, s;

	return x_getresuid(&r, &e, &s) == 0 && r == real && e == effective && s == saved && x_getuid() == real &&
	       x_geteuid() == effective;
}

static bool groups_are(gid_t real, gid_t effective, gid_t saved)
{
	gid_t r, e, s;

	return x_getresgid(&r, &e, &s) == 0 && r == real && e == effective && s == saved && x_getgid() == real &&
	       x_getegid() == effective;
}

static bool refused(int result, int error)
{
	return result == -1 && errno == error;
}

static int root_sets_all_three(void *arg)
{
	(void)arg;
	CHILD_EXPECT(x_setgid(7) == 0);
	CHILD_EXPECT(groups_are(7, 7, 7));
	CHILD_EXPECT(x_setuid(1000) == 0);
	CHILD_EXPECT(users_are(1000, 1000, 1000));
	CHILD_EXPECT(refused(x_setuid(0), EPERM));
	CHILD_EXPECT(refused(x_setgid(0), EPERM));
	CHILD_EXPECT(x_setgid(7) == 0);
	CHILD_EXPECT(x_setuid(1000) == 0);
	return 0;
}

TEST(creds, setuid_of_root_sets_all_three_and_cannot_be_undone)
{
	/* setuid(2): if the caller is privileged, the real UID and saved set-user-ID are also set. */
	need_root();
	EXPECT_EQ(in_child(root_sets_all_three, NULL), 0);
	EXPECT_EQ(x_geteuid(), 0);
}

static int minus_one(void *arg)
{
	(void)arg;
	CHILD_EXPECT(refused(x_setuid((uid_t)-1), EINVAL));
	CHILD_EXPECT(refused(x_setgid((gid_t)-1), EINVAL));
	CHILD_EXPECT(refused(x_seteuid((uid_t)-1), EINVAL));
	CHILD_EXPECT(refused(x_setegid((gid_t)-1), EINVAL));
	CHILD_EXPECT(x_setreuid((uid_t)-1, (uid_t)-1) == 0);
	CHILD_EXPECT(x_setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1) == 0);
	CHILD_EXPECT(users_are(0, 0, 0));
	return 0;
}

TEST(creds, id_of_minus_one_is_EINVAL_where_it_does_not_mean_to_keep)
{
	/* setuid(2), seteuid(3): EINVAL; setreuid(2): -1 leaves the ID unchanged. */
	need_root();
	EXPECT_EQ(in_child(minus_one, NULL), 0);
}

static int unprivileged_setresuid(void *arg)
{
	(void)arg;
	CHILD_EXPECT(x_setresuid(1, 2, 3) == 0);
	CHILD_EXPECT(users_are(1, 2, 3));
	CHILD_EXPECT(refused(x_setresuid(4, (uid_t)-1, (uid_t)-1), EPERM));
	CHILD_EXPECT(refused(x_setresuid((uid_t)-1, 4, (uid_t)-1), EPERM));
	CHILD_EXPECT(refused(x_setresuid((uid_t)-1, (uid_t)-1, 4), EPERM));
	CHILD_EXPECT(refused(x_setresuid(3, 1, 0), EPERM));
	CHILD_EXPECT(users_are(1, 2, 3));
	CHILD_EXPECT(x_setresuid(3, 1, 2) == 0);
	CHILD_EXPECT(users_are(3, 1, 2));
	CHILD_EXPECT(x_setuid(2) == 0); /* the saved one */
	CHILD_EXPECT(users_are(3, 2, 2));
	CHILD_EXPECT(x_setuid(3) == 0); /* the real one */
	CHILD_EXPECT(users_are(3, 3, 2));
	return 0;
}

TEST(creds, without_privilege_an_id_may_only_become_one_of_the_three)
{
	/* setresuid(2). */
	need_root();
	EXPECT_EQ(in_child(unprivileged_setresuid, NULL), 0);
}

static int unprivileged_setresgid(void *arg)
{
	(void)arg;
	CHILD_EXPECT(x_setresgid(1, 2, 3) == 0);
	CHILD_EXPECT(x_setuid(1000) == 0);
	CHILD_EXPECT(refused(x_setresgid(4, (gid_t)-1, (gid_t)-1), EPERM));
	CHILD_EXPECT(refused(x_setresgid((gid_t)-1, (gid_t)-1, 0), EPERM));
	CHILD_EXPECT(x_setresgid(3, 1, 2) == 0);
	CHILD_EXPECT(groups_are(3, 1, 2));
	CHILD_EXPECT(refused(x_setregid(2, (gid_t)-1), EPERM));
	CHILD_EXPECT(x_setregid(1, 3) == 0);
	CHILD_EXPECT(groups_are(1, 3, 3));
	CHILD_EXPECT(x_setegid(1) == 0);
	CHILD_EXPECT(groups_are(1, 1, 3));
	return 0;
}

TEST(creds, groups_follow_the_same_rules)
{
	/* setresgid(2), setregid(2). */
	need_root();
	EXPECT_EQ(in_child(unprivileged_setresgid, NULL), 0);
}

static int unprivileged_setreuid(void *arg)
{
	(void)arg;
	CHILD_EXPECT(x_setresuid(1, 2, 3) == 0);
	CHILD_EXPECT(refused(x_setreuid(3, (uid_t)-1), EPERM)); /* not the saved one */
	CHILD_EXPECT(refused(x_setreuid((uid_t)-1, 4), EPERM));
	CHILD_EXPECT(x_setreuid((uid_t)-1, 3) == 0);
	CHILD_EXPECT(users_are(1, 3, 3));
	CHILD_EXPECT(x_setreuid(3, 1) == 0);
	CHILD_EXPECT(users_are(3, 1, 1));
	return 0;
}

TEST(creds, setreuid_sets_the_saved_id_when_it_sets_the_real_one)
{
	/* setreuid(2): or when the effective one is set to what is not the former real one. */
	need_root();
	EXPECT_EQ(in_child(unprivileged_setreuid, NULL), 0);
}

static int setreuid_to_the_real_one(void *arg)
{
	(void)arg;
	CHILD_EXPECT(x_setresuid(5, 0, 0) == 0);
	CHILD_EXPECT(x_setreuid((uid_t)-1, 5) == 0);
	CHILD_EXPECT(users_are(5, 5, 0));
	return 0;
}

TEST(creds, setreuid_of_effective_to_real_keeps_the_saved_id)
{
	/* setreuid(2): the idiom that drops privilege for a while. */
	need_root();
	EXPECT_EQ(in_child(setreuid_to_the_real_one, NULL), 0);
}

static int drops_and_regains(void *arg)
{
	(void)arg;
	CHILD_EXPECT(x_seteuid(1000) == 0);
	CHILD_EXPECT(users_are(0, 1000, 0));
	CHILD_EXPECT(refused(x_setresuid(5, 5, 5), EPERM));
	CHILD_EXPECT(refused(x_setgroups(0, NULL), EPERM));
	CHILD_EXPECT(x_seteuid(0) == 0);
	CHILD_EXPECT(x_setgroups(0, NULL) == 0);
	CHILD_EXPECT(x_setresuid(5, 5, 5) == 0);
	return 0;
}

TEST(creds, privilege_goes_and_comes_back_with_the_effective_user)
{
	/* capabilities(7): effect of user ID changes on capabilities. */
	need_root();
	EXPECT_EQ(in_child(drops_and_regains, NULL), 0);
}

static int fs_ids(void *arg)
{
	(void)arg;
	CHILD_EXPECT(x_setfsuid(9) == 0);
	CHILD_EXPECT(x_setfsuid((uid_t)-1) == 9);
	CHILD_EXPECT(x_setfsgid(8) == 0);
	CHILD_EXPECT(x_setfsgid((gid_t)-1) == 8);
	CHILD_EXPECT(x_setresuid(1, 2, 3) == 0);
	CHILD_EXPECT(x_setfsuid(4) == 2); /* followed the effective one; and 4 is refused */
	CHILD_EXPECT(x_setfsuid(3) == 2);
	CHILD_EXPECT(x_setfsuid(1) == 3);
	CHILD_EXPECT(x_setfsuid((uid_t)-1) == 1);
	return 0;
}

TEST(creds, setfsuid_gives_the_former_and_says_nothing_of_failure)
{
	/* setfsuid(2). */
	need_root();
	EXPECT_EQ(in_child(fs_ids, NULL), 0);
}

static int further_groups(void *arg)
{
	const gid_t wanted[] = { 30, 10, 20, 10 };
	gid_t got[8] = { 0 };

	(void)arg;
	CHILD_EXPECT(x_setgroups(4, wanted) == 0);
	CHILD_EXPECT(x_getgroups(0, NULL) == 4);
	CHILD_EXPECT(x_getgroups(8, got) == 4);
	CHILD_EXPECT(got[0] == 10 && got[1] == 10 && got[2] == 20 && got[3] == 30 && got[4] == 0);
	CHILD_EXPECT(x_setgroups(0, NULL) == 0);
	CHILD_EXPECT(x_getgroups(8, got) == 0);
	return 0;
}

TEST(creds, getgroups_gives_what_setgroups_set_in_order)
{
	/* getgroups(2). */
	need_root();
	EXPECT_EQ(in_child(further_groups, NULL), 0);
}

static int bad_groups(void *arg)
{
	const gid_t wanted[] = { 1, 2, 3 }, none[] = { 1, (gid_t)-1 };
	addr_t hole = *(addr_t *)arg;
	volatile int negative = -1;
	gid_t got[8];

	CHILD_EXPECT(x_setgroups(3, wanted) == 0);
	CHILD_EXPECT(refused(x_getgroups(2, got), EINVAL));
	CHILD_EXPECT(refused(x_getgroups(negative, got), EINVAL));
	CHILD_EXPECT(refused(x_getgroups(8, ubuf(hole)), EFAULT));
	CHILD_EXPECT(refused(x_setgroups(65537, wanted), EINVAL));
	CHILD_EXPECT(refused(x_setgroups(2, none), EINVAL));
	CHILD_EXPECT(refused(x_setgroups(2, ubuf(hole)), EFAULT));
	CHILD_EXPECT(x_getgroups(8, got) == 3 && got[0] == 1 && got[2] == 3);
	CHILD_EXPECT(x_setuid(1000) == 0);
	CHILD_EXPECT(refused(x_setgroups(65537, wanted), EPERM));
	return 0;
}

TEST(creds, groups_that_cannot_be_are_refused_and_change_nothing)
{
	/* getgroups(2): EINVAL, EFAULT, EPERM. */
	addr_t hole = unmapped_page();

	need_root();
	EXPECT_EQ(in_child(bad_groups, &hole), 0);
}

TEST(creds, getresuid_into_unmapped_memory_fails_EFAULT)
{
	/* getresuid(2): each of the three. */
	addr_t hole = unmapped_page();
	uid_t id;

	EXPECT_FAILS(x_getresuid(ubuf(hole), &id, &id), EFAULT);
	EXPECT_FAILS(x_getresuid(&id, ubuf(hole), &id), EFAULT);
	EXPECT_FAILS(x_getresuid(&id, &id, ubuf(hole)), EFAULT);
	EXPECT_FAILS(x_getresgid(ubuf(hole), &id, &id), EFAULT);
	EXPECT_FAILS(x_getresgid(&id, ubuf(hole), &id), EFAULT);
	EXPECT_FAILS(x_getresgid(&id, &id, ubuf(hole)), EFAULT);
}

static int is_who_its_parent_is(void *arg)
{
	gid_t got[4];

	(void)arg;
	return users_are(1, 2, 3) && groups_are(4, 5, 6) && x_setfsuid((uid_t)-1) == 3 && x_getgroups(4, got) == 1 &&
	                       got[0] == 77
	               ? 0
	               : 1;
}

static int forks_as_somebody(void *arg)
{
	const gid_t group = 77;

	(void)arg;
	CHILD_EXPECT(x_setgroups(1, &group) == 0);
	CHILD_EXPECT(x_setresgid(4, 5, 6) == 0);
	CHILD_EXPECT(x_setresuid(1, 2, 3) == 0);
	CHILD_EXPECT(x_setfsuid(3) == 2);
	return in_child(is_who_its_parent_is, NULL);
}

TEST(creds, child_is_who_its_parent_is)
{
	/* credentials(7): inherited by a child of fork. */
	need_root();
	EXPECT_EQ(in_child(forks_as_somebody, NULL), 0);
}

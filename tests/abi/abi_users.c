// SPDX-License-Identifier: MIT
/*
 * What Linux promises of the processes of one user to each other: a signal to all that may be sent one, limits of
 * another process, and how many of them there may be. kill(2), prlimit(2), getrlimit(2), fork(2), clone(2).
 *
 * The users here are nobody's, so that on the host they have the processes of a test and no others.
 */
#include "abi.h"

enum { USER = 64400, OTHER_USER = 64401, GROUP = 64410, OTHER_GROUP = 64411 };

static bool refused(long result, int error)
{
	return result == -1 && errno == error;
}

static bool become(uid_t uid, gid_t gid)
{
	uid_t ids[3];

	return x_setgroups(0, NULL) == 0 && x_setresgid(gid, gid, gid) == 0 && x_setresuid(uid, uid, uid) == 0 &&
	       x_getresuid(&ids[0], &ids[1], &ids[2]) == 0 && ids[0] == uid && ids[1] == uid && ids[2] == uid;
}

/* A child that lives until it is told to end, or dies of a signal. */
struct member {
	pid_t pid;
	int end;
};

static int its_end; /* as the child that is made has it */

static int stays(void *arg)
{
	const gid_t *gid = arg;
	int end = its_end;
	char byte;

	if (gid != NULL)
		CHILD_EXPECT(x_setresgid(*gid, *gid, *gid) == 0);
	CHILD_EXPECT(x_send(end, "r", 1, 0) == 1);
	return x_recv(end, &byte, 1, 0) == 1 ? byte : 100;
}

/* pid -1: there may be no more. */
static struct member member(gid_t *gid)
{
	struct member m;
	int ends[2], err;
	char ready;

	stream_pair(ends);
	its_end = ends[1];
	m.end = ends[0];
	m.pid = x_fork_into(stays, gid);
	err = errno;
	SETUP(x_close(ends[1]) == 0);
	if (m.pid > 0)
		SETUP(x_recv(m.end, &ready, 1, 0) == 1);
	else
		SETUP(x_close(m.end) == 0);
	errno = err;
	return m;
}

/* -signo if it has died of one. */
static int end_of(struct member *m)
{
	int status;

	x_send(m->end, "\7", 1, MSG_NOSIGNAL);
	SETUP(x_waitpid(m->pid, &status, 0) == m->pid);
	SETUP(x_close(m->end) == 0);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- to all ---- */

static int signals_all(void *arg)
{
	const pid_t root = *(const pid_t *)arg;
	struct member a, b;

	CHILD_EXPECT(become(USER, GROUP));
	CHILD_EXPECT(refused(x_kill(root, 0), EPERM)); /* or else it would be dangerous here */
	CHILD_EXPECT(x_kill(-1, 0) == 0);              /* there are others, though it may send them nothing */
	CHILD_EXPECT(x_kill(-1, SIGTERM) == 0);
	a = member(NULL);
	b = member(NULL);
	CHILD_EXPECT(a.pid > 0 && b.pid > 0);
	CHILD_EXPECT(x_kill(-1, 0) == 0);
	CHILD_EXPECT(x_kill(-1, SIGTERM) == 0); /* not to the caller */
	CHILD_EXPECT(end_of(&a) == -SIGTERM && end_of(&b) == -SIGTERM);
	return 0;
}

TEST(users, signal_to_everybody_reaches_who_may_be_sent_it_and_not_the_sender)
{
	/* kill(2): pid -1. POSIX lets the sender have it too; Linux does not. */
	pid_t self = x_getpid();

	if (x_geteuid() != 0)
		SKIP("needs root, to be somebody who is nobody else");
	EXPECT_EQ(in_child(signals_all, &self), 0);
}

TEST(users, signal_that_is_none_to_everybody_is_EINVAL)
{
	/* kill(2). Somebody is there: the caller's parent, or this child. */
	struct member m = member(NULL);

	SETUP(m.pid > 0);
	EXPECT_FAILS(x_kill(-1, 65), EINVAL);
	EXPECT_FAILS(x_kill(-1, -1), EINVAL);
	EXPECT_EQ(end_of(&m), 7);
}

/* ---- limits of another ---- */

static int limits_others(void *arg)
{
	struct rlimit limit, fresh = { 100, 1000 };
	gid_t other = OTHER_GROUP, own = GROUP;
	struct member friend, stranger;

	(void)arg;
	CHILD_EXPECT(x_setgroups(0, NULL) == 0 && x_setresgid(GROUP, GROUP, OTHER_GROUP) == 0);
	CHILD_EXPECT(x_setresuid(USER, USER, USER) == 0);
	friend = member(NULL);
	CHILD_EXPECT(friend.pid > 0);
	CHILD_EXPECT(refused(x_prlimit(friend.pid, RLIMIT_CORE, NULL, &limit), EPERM)); /* its saved group is another */
	CHILD_EXPECT(end_of(&friend) == 7);
	friend = member(&own);
	stranger = member(&other);
	CHILD_EXPECT(friend.pid > 0 && stranger.pid > 0);
	CHILD_EXPECT(x_prlimit(friend.pid, RLIMIT_NOFILE, NULL, &limit) == 0);
	CHILD_EXPECT(x_prlimit(friend.pid, RLIMIT_NOFILE, &fresh, &limit) == 0);
	CHILD_EXPECT(x_prlimit(friend.pid, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_cur == 100);
	fresh.rlim_max = 1001;
	CHILD_EXPECT(refused(x_prlimit(friend.pid, RLIMIT_NOFILE, &fresh, NULL), EPERM));
	CHILD_EXPECT(refused(x_prlimit(stranger.pid, RLIMIT_NOFILE, NULL, &limit), EPERM));
	CHILD_EXPECT(end_of(&friend) == 7 && end_of(&stranger) == 7);
	return 0;
}

TEST(users, limits_of_a_process_of_the_same_user_and_group_are_the_callers_to_set)
{
	/* prlimit(2): real, effective and saved ids of the target must be the real ones of the caller. */
	if (x_geteuid() != 0)
		SKIP("needs root, to be somebody who is nobody else");
	EXPECT_EQ(in_child(limits_others, NULL), 0);
}

/* ---- how many ---- */

static bool may_have(rlim_t ntasks)
{
	const struct rlimit limit = { ntasks, ntasks };

	return x_setrlimit(RLIMIT_NPROC, &limit) == 0;
}

static int is_one_of_three(void *arg)
{
	struct member a, b, c;
	siginfo_t info;

	(void)arg;
	CHILD_EXPECT(become(USER, GROUP) && may_have(3));
	a = member(NULL);
	b = member(NULL);
	CHILD_EXPECT(a.pid > 0 && b.pid > 0);
	c = member(NULL);
	CHILD_EXPECT(c.pid == -1 && errno == EAGAIN);
	/* A zombie is one as well. */
	CHILD_EXPECT(x_kill(a.pid, SIGKILL) == 0 && x_waitid(P_PID, (id_t)a.pid, &info, WEXITED | WNOWAIT) == 0);
	c = member(NULL);
	CHILD_EXPECT(c.pid == -1 && errno == EAGAIN);
	CHILD_EXPECT(end_of(&a) == -SIGKILL);
	c = member(NULL);
	CHILD_EXPECT(c.pid > 0);
	CHILD_EXPECT(end_of(&b) == 7 && end_of(&c) == 7);
	CHILD_EXPECT(x_setrlimit(RLIMIT_NPROC, &(struct rlimit){ 1, 3 }) == 0);
	a = member(NULL);
	CHILD_EXPECT(a.pid == -1 && errno == EAGAIN);
	return 0;
}

TEST(users, fork_beyond_RLIMIT_NPROC_fails_EAGAIN)
{
	/* fork(2) EAGAIN, getrlimit(2): the limit is on the extant processes of the real user. */
	if (x_geteuid() != 0)
		SKIP("needs root, to be somebody who is nobody else");
	EXPECT_EQ(in_child(is_one_of_three, NULL), 0);
}

static int is_not_limited(void *arg)
{
	struct member m;

	(void)arg;
	CHILD_EXPECT(may_have(0));
	m = member(NULL);
	CHILD_EXPECT(m.pid > 0 && end_of(&m) == 7);
	CHILD_EXPECT(x_setresuid(USER, 0, 0) == 0); /* privileged by its effective user */
	m = member(NULL);
	CHILD_EXPECT(m.pid > 0 && end_of(&m) == 7);
	CHILD_EXPECT(x_setresuid(0, USER, 0) == 0); /* root by its real one */
	m = member(NULL);
	CHILD_EXPECT(m.pid > 0 && end_of(&m) == 7);
	CHILD_EXPECT(x_setresuid((uid_t)-1, 0, (uid_t)-1) == 0 && become(USER, GROUP));
	m = member(NULL);
	CHILD_EXPECT(m.pid == -1 && errno == EAGAIN);
	return 0;
}

TEST(users, RLIMIT_NPROC_does_not_limit_root)
{
	/* getrlimit(2): not enforced for CAP_SYS_ADMIN, CAP_SYS_RESOURCE, or real user ID 0. */
	if (x_geteuid() != 0)
		SKIP("needs root");
	EXPECT_EQ(in_child(is_not_limited, NULL), 0);
}

/* One process of another user, and two of this. */
static int counts_its_own(void *arg)
{
	struct member other, m;

	(void)arg;
	CHILD_EXPECT(x_setgroups(0, NULL) == 0 && x_setresuid(OTHER_USER, 0, 0) == 0);
	other = member(NULL);
	CHILD_EXPECT(other.pid > 0);
	CHILD_EXPECT(become(USER, GROUP) && may_have(2));
	m = member(NULL);
	CHILD_EXPECT(m.pid > 0);
	CHILD_EXPECT(end_of(&m) == 7 && end_of(&other) == 7);
	return 0;
}

TEST(users, RLIMIT_NPROC_counts_processes_of_the_real_user)
{
	/* getrlimit(2). */
	if (x_geteuid() != 0)
		SKIP("needs root, to be somebody who is nobody else");
	EXPECT_EQ(in_child(counts_its_own, NULL), 0);
}

enum { THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM };

static uint32_t go; /* a */

static int waits_for_go(void *arg)
{
	(void)arg;
	while (__atomic_load_n(&go, __ATOMIC_SEQ_CST) == 0)
		sched_yield();
	return 0;
}

static int has_one_thread_more(void *arg)
{
	pid_t tid;

	(void)arg;
	__atomic_store_n(&go, 0, __ATOMIC_SEQ_CST);
	CHILD_EXPECT(become(USER, GROUP) && may_have(2));
	tid = x_clone(waits_for_go, THREAD, NULL, NULL, NULL);
	CHILD_EXPECT(tid > 0);
	CHILD_EXPECT(refused(x_clone(waits_for_go, THREAD, NULL, NULL, NULL), EAGAIN));
	CHILD_EXPECT(refused(x_clone(waits_for_go, SIGCHLD, NULL, NULL, NULL), EAGAIN));
	__atomic_store_n(&go, 1, __ATOMIC_SEQ_CST);
	while (x_tgkill(x_getpid(), tid, 0) == 0)
		sched_yield();
	tid = x_clone(waits_for_go, THREAD, NULL, NULL, NULL);
	CHILD_EXPECT(tid > 0);
	while (x_tgkill(x_getpid(), tid, 0) == 0)
		sched_yield();
	return 0;
}

TEST(users, threads_count_in_RLIMIT_NPROC)
{
	/* clone(2) EAGAIN; getrlimit(2): on Linux, threads. */
	if (x_geteuid() != 0)
		SKIP("needs root, to be somebody who is nobody else");
	EXPECT_EQ(in_child(has_one_thread_more, NULL), 0);
}

// SPDX-License-Identifier: MIT
/*
 * Credentials, swept: changed, inherited, sent, and met by calls that want others.
 *
 * What Linux promises: credentials(7). What is not permitted is not, whatever else there is no memory for.
 */
#include "sweep.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { USER = 1000, OTHER = 1001, GROUP = 500 };

static bool owns(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;

	return RETRY(ksim_stat(path, &st)) == 0 && st.st_uid == uid && st.st_gid == gid && (st.st_mode & 07777) == mode;
}

/* EACCES, by each way to get at it. */
static int is_kept_out(const char *path)
{
	MUST(RETRY(ksim_open(path, O_RDONLY)) == -1 && errno == EACCES);
	MUST(RETRY(ksim_truncate(path, 0)) == -1 && errno == EACCES);
	MUST(RETRY(ksim_faccessat(AT_FDCWD, path, R_OK, AT_EACCESS)) == -1 && errno == EACCES);
	MUST(RETRY(ksim_chmod(path, 0777)) == -1 && errno == EPERM);
	MUST(RETRY(ksim_chown(path, USER, GROUP)) == -1 && errno == EPERM);
	return 0;
}

static int change(void *arg)
{
	const gid_t groups[] = { GROUP, GROUP + 1 };
	gid_t told[4];
	uid_t real, effective, saved;
	int fd;

	(void)arg;
	MUST(RETRY(ksim_mkdir("/tmp/d", 0755)) == 0);
	fd = RETRY(ksim_open("/tmp/d/f", O_CREAT | O_RDWR, 0600));
	MUST(fd == 0 && RETRY(ksim_pwrite(fd, "x", 1, 0)) == 1);
	MUST(RETRY(ksim_chown("/tmp/d/f", OTHER, GROUP)) == 0);
	MUST(RETRY(ksim_fchmod(fd, 0640)) == 0 && owns("/tmp/d/f", OTHER, GROUP, 0640));
	MUST(ksim_seteuid(USER) == 0);
	TRY(is_kept_out("/tmp/d/f"));
	MUST(RETRY(ksim_mkdir("/tmp/d/e", 0755)) == -1 && errno == EACCES);
	MUST(RETRY(ksim_unlink("/tmp/d/f")) == -1 && errno == EACCES);
	MUST(ksim_setgroups(2, groups) == -1 && errno == EPERM);
	MUST(ksim_seteuid(0) == 0 && ksim_setgroups(2, groups) == 0);
	MUST(ksim_getgroups(4, told) == 2 && told[0] == GROUP && told[1] == GROUP + 1);
	MUST(ksim_setresuid(USER, USER, 0) == 0);
	MUST(ksim_close(fd) == 0);
	fd = RETRY(ksim_open("/tmp/d/f", O_RDONLY)); /* by its group */
	MUST(fd == 0);
	MUST(RETRY(ksim_open("/tmp/d/f", O_RDWR)) == -1 && errno == EACCES);
	MUST(RETRY(ksim_fchmod(fd, 0600)) == -1 && errno == EPERM);
	MUST(ksim_setresuid(0, 0, 0) == 0 && ksim_setgroups(0, NULL) == 0);
	MUST(ksim_getresuid(&real, &effective, &saved) == 0 && real == 0 && effective == 0 && saved == 0);
	MUST(ksim_close(fd) == 0);
	MUST(RETRY(ksim_unlink("/tmp/d/f")) == 0 && RETRY(ksim_rmdir("/tmp/d")) == 0);
	return 0;
}

TEST(sweep_creds, decide_what_paths_may_be_used_for)
{
	story_sweep(story_of_itself, change);
}

/* ---- of two ---- */

struct two {
	pid_t pid;
	int sock[2];
};

static int becomes_user(void *arg)
{
	struct two *two = arg;

	two->pid = ksim_getpid();
	MUST(ksim_setgid(GROUP) == 0 && ksim_setuid(USER) == 0);
	MUST(RETRY(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, two->sock)) == 0);
	return 0;
}

static int sends_who_it_is(void *arg)
{
	const struct two *two = arg;
	struct ucred creds = { .pid = ksim_getpid(), .uid = USER, .gid = GROUP };
	char byte = 'c', control[CMSG_SPACE(sizeof(creds))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	MUST(ksim_getuid() == USER && ksim_getegid() == GROUP); /* as its parent */
	MUST(ksim_setuid(0) == -1 && errno == EPERM);
	MUST(ksim_kill(two->pid, 0) == 0);
	*cmsg = (struct cmsghdr){ CMSG_LEN(sizeof(creds)), SOL_SOCKET, SCM_CREDENTIALS };
	memcpy(CMSG_DATA(cmsg), &creds, sizeof(creds));
	MUST(RETRY(ksim_sendmsg(two->sock[0], &msg, MSG_NOSIGNAL)) == 1);
	creds.uid = 0;
	memcpy(CMSG_DATA(cmsg), &creds, sizeof(creds));
	MUST(RETRY(ksim_sendmsg(two->sock[0], &msg, MSG_NOSIGNAL)) == -1 && errno == EPERM);
	return 0;
}

static int takes_it(void *arg)
{
	const struct two *two = arg;
	struct ucred creds;
	socklen_t len = sizeof(creds);
	char byte;

	MUST(RETRY(ksim_recv(two->sock[1], &byte, 1, MSG_DONTWAIT)) == 1 && byte == 'c');
	MUST(ksim_getsockopt(two->sock[1], SOL_SOCKET, SO_PEERCRED, &creds, &len) == 0);
	MUST(creds.pid == two->pid && creds.uid == USER && creds.gid == GROUP);
	MUST(ksim_close(two->sock[0]) == 0 && ksim_close(two->sock[1]) == 0);
	return 0;
}

static int is_not_allowed(void *arg)
{
	const struct two *two = arg;
	char path[32];

	MUST(ksim_setuid(OTHER) == 0);
	MUST(ksim_kill(two->pid, SIGTERM) == -1 && errno == EPERM);
	snprintf(path, sizeof(path), "/proc/%d/pagemap", two->pid);
	MUST(RETRY(ksim_open(path, O_RDONLY)) == -1 && errno == EACCES);
	return 0;
}

static int tell_two(int (*act)(void *))
{
	struct ksim_process *user = story_process("user"), *other = user != NULL ? story_process("other") : NULL,
			    *child;
	struct two two;

	(void)act;
	MUST(other != NULL);
	story_begin();
	TRY(story_act(user, becomes_user, &two));
	child = story_fork(user, "child");
	MUST(child != NULL);
	TRY(story_act(child, sends_who_it_is, &two));
	TRY(story_process_ends(child));
	TRY(story_act(other, is_not_allowed, &two));
	TRY(story_act(user, takes_it, &two));
	return story_settled();
}

TEST(sweep_creds, are_inherited_and_sent_and_met_by_others)
{
	story_sweep(tell_two, NULL);
}

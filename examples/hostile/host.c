// SPDX-License-Identifier: MIT
/*
 * Compositor and client as two processes of the host: what ksim must do is proven here first.
 *
 * Before the compositor begins, its process has handlers that write down where a fault was and step aside, so that the
 * same access faults again and kills, as it would have without them.
 *
 *	cc main.c host.c compositor.c client.c -o hostile-host
 */
#define _GNU_SOURCE
#include "hostile.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 60 }; /* after which somebody waits for ever */

/* Seen by the bench and by the compositor's process. */
struct shared {
	struct compositor compositor;
	uintptr_t fault;
	int si_code;
	long leaks;
};

const char *const bench_name = "the host";
const bool bench_has_pipes = true;

static struct shared *shared;

static void note(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	shared->fault = (uintptr_t)info->si_addr;
	shared->si_code = info->si_code;
}

static long count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	long n = 0;

	if (dir == NULL)
		return -1;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static int be_compositor(int sock, enum care care)
{
	const struct sigaction action = { .sa_sigaction = note, .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND) };
	long before = count_fds() - 1; /* it closes its socket */
	int result;

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	result = compositor_serve(&shared->compositor, sock, care);
	shared->leaks = count_fds() - before;
	return result;
}

/* The child's pid in the parent, -1 if there is none. */
static pid_t begin(void)
{
	pid_t pid = fork();

	if (pid == 0)
		alarm(SECONDS);
	return pid;
}

static void judge(pid_t compositor, pid_t client, struct outcome *out)
{
	int status;

	if (waitpid(client, &status, 0) != client || !WIFEXITED(status)) {
		printf("# the client: status %#x\n", (unsigned)status);
		out->sound = false;
	} else {
		out->client = WEXITSTATUS(status);
	}
	if (waitpid(compositor, &status, 0) != compositor || (WIFEXITED(status) && WEXITSTATUS(status) != 0)) {
		printf("# the compositor: status %#x\n", (unsigned)status);
		out->sound = false;
	}
	if (WIFSIGNALED(status)) {
		out->signo = WTERMSIG(status);
		out->si_code = shared->si_code;
		out->at = (long)(shared->fault - (uintptr_t)shared->compositor.pool);
	} else {
		out->leaks = shared->leaks;
	}
}

void bench_run(int (*client)(int sock), enum care care, struct outcome *out)
{
	int wl[2];
	pid_t pids[2];

	*out = (struct outcome){ .client = BROKEN };
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wl) < 0) {
		perror("# no connection");
		return;
	}
	pids[0] = begin();
	if (pids[0] == 0) {
		close(wl[1]);
		_exit(be_compositor(wl[0], care));
	}
	close(wl[0]);
	pids[1] = begin();
	if (pids[1] == 0)
		_exit(client(wl[1]));
	close(wl[1]);
	out->sound = pids[0] > 0 && pids[1] > 0;
	if (out->sound)
		judge(pids[0], pids[1], out);
	munmap(shared, sizeof(*shared));
}

// SPDX-License-Identifier: MIT
/*
 * without CALL,CALL,... PROGRAM [ARGUMENT...]: run a program on this kernel as if it lacked those calls: they give
 * ENOSYS. For the tests of Linux's promises, which shall skip then what they cannot ask.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned nr;
} calls[] = {
	{ "madvise", SYS_madvise }, { "memfd_create", SYS_memfd_create },         { "mlock2", SYS_mlock2 },
	{ "mremap", SYS_mremap },   { "process_vm_readv", SYS_process_vm_readv },
};
enum { NCALLS = sizeof(calls) / sizeof(calls[0]) };

int main(int argc, char **argv)
{
	struct sock_filter filter[2 * NCALLS + 2];
	struct sock_fprog program = { .filter = filter };
	unsigned short n = 0;

	if (argc < 3)
		return 2;
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (char *name = strtok(argv[1], ","); name != NULL && n < 2 * NCALLS; name = strtok(NULL, ",")) {
		unsigned i = 0;

		while (i < NCALLS && strcmp(calls[i].name, name) != 0)
			i++;
		if (i == NCALLS) {
			fprintf(stderr, "without: no call is named %s here\n", name);
			return 2;
		}
		filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].nr, 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		perror("without: this kernel takes no filter");
		return 77;
	}
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 2;
}

// SPDX-License-Identifier: MIT
/*
 * The validator of a whole machine, fed with machines in which one thing is wrong: it must say which, wherever it is.
 */
#include "bed.h"

#include <sys/socket.h>

#include "object/shmem.h"
#include "unit/finds.h"

static void put_fd(struct bed *b, struct process *p, struct file *file)
{
	int fd = fd_reserve(&b->ctx, p->files, 0, false);

	SETUP(fd >= 0);
	fd_install(&b->ctx, p->files, fd, file);
}

static void process_body(struct bed *b)
{
	struct process *p = born(b, "victim");
	struct task *task = entered(b, p);

	task_leave(task);
	exits(b, p, 3);
	SETUP(process_state(p) == PROCESS_ZOMBIE);
	EXPECT_SOUND(kernel_check, b->kernel);
	EXPECT_FINDS_WHILE(task->busy, TASK_ACTOR_OURS,
	                   "only a living process is acted as: victim (2): state 2, active 1", kernel_check, b->kernel);
	EXPECT_FINDS_WHILE(p->mm, b, "process I1: a dead process has no memory and no files: victim (2)", kernel_check,
	                   b->kernel);
	EXPECT_FINDS_WHILE(p->files, b, "process I1: a dead process has no memory and no files: victim (2)",
	                   kernel_check, b->kernel);
	expect_exited(b, p, 3);
}

TEST(kernel_check, dead_process_that_is_not_quite_dead_is_named)
{
	on_both(process_body);
}

/* What a process holds is validated by the validator of its kind. */
static void contents_body(struct bed *b)
{
	struct process *p = born(b, "owner");
	struct file *memfd = NULL, *pair[2];
	struct vma *vma;
	ksim_addr at = 0;
	struct mm_map what = { .addr = BASE, .length = PAGE_BYTES, .fixed = true, .prot = 3, .max_prot = 7 };

	SETUP(memfd_create_file(&b->ctx, "pool", 0, &memfd) == 0);
	SETUP(unix_socketpair(&b->ctx, SOCK_STREAM, 0, 0, process_unix_creds(p), pair) == 0);
	SETUP(mm_map(&b->ctx, p->mm, &what, &at) == 0);
	put_fd(b, p, memfd);
	put_fd(b, p, pair[0]);
	put_fd(b, p, pair[1]);
	vma = ranges_find(&p->mm->vmas, BASE);
	EXPECT_SOUND(kernel_check, b->kernel);
	EXPECT_FINDS_WHILE(vma->max_prot, 1, "prot lies within max_prot", kernel_check, b->kernel);
	EXPECT_FINDS_WHILE(p->files->hint, 4, "fdtable I2", kernel_check, b->kernel);
	EXPECT_FINDS_WHILE(shmem_of(memfd->inode->object)->pages.count, 1, "radix I4", kernel_check, b->kernel);
	EXPECT_FINDS_WHILE(b->kernel->env.phys->nfree, 1, "nfree is exact", kernel_check, b->kernel);
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(kernel_check, broken_thing_of_a_process_is_named)
{
	on_both(contents_body);
}

static void census_body(struct bed *b)
{
	struct owner *self = &b->kernel->env.self;

	EXPECT_FINDS_WHILE(self->count[CENSUS_FRAME], self->count[CENSUS_FRAME] + 1,
	                   "the census counts every frame in use", kernel_check, b->kernel);
}

TEST(kernel_check, frame_that_is_on_no_account_is_named)
{
	on_both(census_body);
}

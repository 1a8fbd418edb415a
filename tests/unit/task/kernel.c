// SPDX-License-Identifier: MIT
/*
 * The kernel of a machine as a whole: it comes and goes without a trace, and its validator sees all of it.
 */
#include "bed.h"

static void empty_body(struct bed *b)
{
	struct process *init = b->kernel->init;

	EXPECT_EQ(init->owner.id, 1);
	EXPECT(process_by_pid(&b->ctx, 1) == init);
	EXPECT(init->mm == NULL && init->files == NULL);
	EXPECT_EQ(owners_total(&b->kernel->env.owners, CENSUS_PROCESS), 1);
	EXPECT_EQ(owners_total(&b->kernel->env.owners, CENSUS_FRAME), 1); /* of zeros */
	EXPECT(process_by_pid(&b->ctx, 0) == NULL);
	EXPECT(process_by_pid(&b->ctx, 2) == NULL);
	EXPECT(process_by_pid(&b->ctx, UINT32_MAX) == NULL);
}

TEST(task_kernel, a_new_kernel_has_init_and_a_frame_of_zeros)
{
	on_both(empty_body);
}

TEST(task_kernel, ram_of_a_size_that_is_none_is_EINVAL)
{
	struct kernel_config config = bed_config(KSIM_ARCH_X86_64);
	struct kernel *kernel;

	config.ram_bytes = 12345;
	EXPECT_EQ(kernel_create(&config, NULL, &kernel), -EINVAL);
	config.ram_bytes = 0;
	EXPECT_EQ(kernel_create(&config, NULL, &kernel), -EINVAL);
}

struct countdown {
	unsigned asked, fail_at;
};

static bool fails(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct countdown *c = arg;

	(void)ctx;
	(void)kind;
	return ++c->asked == c->fail_at;
}

TEST(task_kernel, a_boot_that_runs_out_of_memory_leaves_nothing)
{
	struct kernel_config config = bed_config(KSIM_ARCH_AARCH64);
	struct countdown c = { 0 };
	struct env_hooks hooks = { .fail = fails, .fail_arg = &c };
	struct kernel *kernel;
	int err;

	do {
		c = (struct countdown){ .fail_at = c.fail_at + 1 };
		err = kernel_create(&config, &hooks, &kernel);
	} while (err == -ENOMEM && c.fail_at < 100);
	EXPECT_EQ(err, 0);
	EXPECT_MSG(c.fail_at > 5, "%u allocations", c.fail_at - 1);
	kernel_stop(kernel);
	kernel_destroy(kernel);
}

/* A memfd of 4 pages in the process's table, and mapped. */
static void map_a_file(struct process *p, struct task *task, bool shared)
{
	struct mm_map what = {
		.addr = BASE,
		.fixed = true,
		.length = 4 * PAGE_BYTES,
		.prot = PROT_R | PROT_W,
		.max_prot = PROT_R | PROT_W,
		.shared = shared,
	};
	struct file *file;
	ksim_addr at;
	int fd;

	SETUP(memfd_create_file(&task->ctx, "x", 0, &file) == 0);
	object_resize(&task->ctx, file->inode->object, 4 * PAGE_BYTES);
	what.object = file->inode->object;
	what.backing = &file->backing;
	SETUP(mm_map(&task->ctx, p->mm, &what, &at) == 0);
	fd = fd_reserve(&task->ctx, p->files, 0, false);
	SETUP(fd >= 0);
	fd_install(&task->ctx, p->files, fd, file);
}

static void store(struct task *task, ksim_addr addr, const char *text)
{
	EXPECT_EQ(mm_user_ops.copy(&task->ctx, addr, (void *)(uintptr_t)text, strlen(text) + 1, true),
	          strlen(text) + 1);
}

static void expect_there(struct task *task, ksim_addr addr, const char *text)
{
	char found[32] = "";

	EXPECT_EQ(mm_user_ops.copy(&task->ctx, addr, found, strlen(text) + 1, false), strlen(text) + 1);
	EXPECT_STREQ(found, text);
}

static void busy_body(struct bed *b)
{
	struct process *parent = born(b, "parent"), *child;
	struct task *task = entered(b, parent), *other;
	struct file *pair[2];

	map_a_file(parent, task, true);
	store(task, BASE, "shared");
	SETUP(unix_socketpair(&task->ctx, 1, 0, 0, process_unix_creds(parent), pair) == 0);
	for (int i = 0; i < 2; i++)
		fd_install(&task->ctx, parent->files, fd_reserve(&task->ctx, parent->files, 0, false), pair[i]);
	expect_sound(b);
	child = forked(b, parent);
	other = entered(b, child);
	expect_there(other, BASE, "shared");
	store(other, BASE + PAGE_BYTES, "answer");
	expect_there(task, BASE + PAGE_BYTES, "answer");
	expect_sound(b);
	task_leave(task);
	exits(b, parent, 3);
	expect_there(other, BASE, "shared");
	expect_sound(b);
	task_leave(other);
	exits(b, child, 4); /* an orphan that nobody holds */
	EXPECT_EQ(process_state(child), PROCESS_REAPED);
	expect_exited(b, parent, 3);
	EXPECT_EQ(owners_total(&b->kernel->env.owners, CENSUS_FILE), 0);
}

TEST(task_kernel, the_validator_is_content_with_files_sockets_and_mappings_of_a_family)
{
	on_both(busy_body);
}

static void count_line(void *arg, const char *text)
{
	(void)text;
	++*(int *)arg;
}

static void broken_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *task = entered(b, p);
	int lines = 0;
	struct check_report report = { .line = count_line, .arg = &lines };

	task_leave(task);
	census_add(&p->owner, CENSUS_FRAME, 1);
	kernel_check(b->kernel, &report);
	EXPECT_EQ(report.broken, 1);
	EXPECT_EQ(lines, 1);
	census_add(&p->owner, CENSUS_FRAME, -1);
	exits(b, p, 0);
	task->busy = TASK_ACTOR_OURS;
	kernel_check(b->kernel, &report);
	EXPECT_EQ(report.broken, 2);
	task->busy = 0;
	expect_exited(b, p, 0);
}

TEST(task_kernel, the_validator_reports_a_frame_that_nobody_counts_and_a_ghost_that_acts)
{
	on_both(broken_body);
}

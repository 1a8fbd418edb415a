// SPDX-License-Identifier: MIT
/*
 * /proc without paths: what each generated file says, to whom, and what becomes of it when its process ends. A file is
 * found by its names, from directory to directory, as a walk finds it.
 */
#include "bed.h"

#include "host/kmem.h"
#include "mm/stat.h"
#include "task/proc.h"

#include <stdio.h>
#include <stdlib.h>

/* The inode of a path below /proc, with a reference; NULL: *err says why. */
static struct inode *find(struct ctx *ctx, const char *path, int *err)
{
	static const uint64_t no_key[2];
	struct inode *dir, *found;
	char name[32];

	*err = gen_inode_create(ctx, &proc_root_ops, 0040555, 1, no_key, &dir);
	if (*err < 0)
		return NULL;
	while (*path != '\0') {
		size_t len = strcspn(path, "/");

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		path += len + (path[len] == '/');
		*err = dir->gen->lookup(ctx, dir, name, &found);
		inode_put(ctx, dir);
		ctx_drain(ctx);
		if (*err < 0)
			return NULL;
		dir = found;
	}
	return dir;
}

static struct inode *found(struct ctx *ctx, const char *path)
{
	int err;
	struct inode *inode = find(ctx, path, &err);

	EXPECT_MSG(inode != NULL, "%s: error %d", path, err);
	SETUP(inode != NULL);
	return inode;
}

static void let_go(struct ctx *ctx, struct inode *inode)
{
	inode_put(ctx, inode);
	ctx_drain(ctx);
}

static void expect_missing(struct ctx *ctx, const char *path)
{
	int err;

	EXPECT(find(ctx, path, &err) == NULL);
	EXPECT_EQ(err, -ENOENT);
}

/* What an inode's file says: a string to be freed; NULL if *err is not 0. */
static char *said_by(struct ctx *ctx, struct inode *inode, int *err)
{
	struct text text = { 0 };
	char *said = NULL;

	*err = inode->gen->show(ctx, inode, &text);
	ctx_drain(ctx);
	if (*err == 0 && text.failed)
		*err = -ENOMEM;
	if (*err == 0) {
		text_add_bytes(ctx, &text, "", 1);
		said = strdup(text.bytes);
	}
	kmem_free(ctx->env, text.bytes, text.room);
	return said;
}

static char *said(struct ctx *ctx, const char *path)
{
	struct inode *inode = found(ctx, path);
	char *text;
	int err;

	text = said_by(ctx, inode, &err);
	EXPECT_EQ(err, 0);
	let_go(ctx, inode);
	SETUP(text != NULL);
	return text;
}

static void expect_says(struct ctx *ctx, const char *path, const char *part)
{
	char *text = said(ctx, path);

	EXPECT_MSG(strstr(text, part) != NULL, "'%s' is not in:\n%s", part, text);
	free(text);
}

static int open_error_of(struct ctx *ctx, const char *path, uint32_t flags)
{
	struct inode *inode = found(ctx, path);
	int err = inode->gen->open(ctx, inode, flags);

	let_go(ctx, inode);
	return err;
}

static int open_error(struct ctx *ctx, const char *path)
{
	return open_error_of(ctx, path, FILE_RDONLY);
}

/* A process with one private page that has been written, at BASE. */
static struct process *with_page(struct bed *b, const char *name)
{
	struct mm_map what = { .addr = BASE,
		               .length = 2 * PAGE_BYTES,
		               .fixed = true,
		               .prot = PROT_R | PROT_W,
		               .max_prot = PROT_R | PROT_W | PROT_X };
	struct process *p = born(b, name);
	struct fault fault;
	ksim_addr addr;

	SETUP(mm_map(&b->ctx, p->mm, &what, &addr) == 0);
	SETUP(mm_fault(&b->ctx, p->mm, BASE, ACCESS_WRITE, &fault) == 0);
	return p;
}

static char *path_of(const struct process *p, const char *file)
{
	static char path[64];

	snprintf(path, sizeof(path), "%u/%s", p->owner.id, file);
	return path;
}

static ssize_t words_at(struct ctx *ctx, const char *path, uint64_t at, uint64_t *word, size_t n)
{
	struct inode *inode = found(ctx, path);
	struct uio uio;
	ssize_t done;

	uio_init_one(&uio, uptr_from(word), n * sizeof(*word));
	done = inode->gen->read_at(ctx, inode, at * sizeof(*word), &uio);
	let_go(ctx, inode);
	return done;
}

static void content_body(struct bed *b)
{
	struct process *p = with_page(b, "a\\b\nname that is longer");

	expect_says(&b->ctx, path_of(p, "maps"), "40000000-40002000 rw-p 00000000 00:00 0 \n");
	expect_says(&b->ctx, path_of(p, "smaps"), "\nRss:                   4 kB\nPss:                   4 kB\n");
	expect_says(&b->ctx, path_of(p, "smaps"), "\nVmFlags: rd wr mr mw me ac \n");
	expect_says(&b->ctx, path_of(p, "smaps_rollup"),
	            "40000000-40002000 ---p 00000000 00:00 0                                  [rollup]\nRss:");
	expect_says(&b->ctx, path_of(p, "status"), "Name:\ta\\\\b\\nname that i\nUmask:\t0022\nState:\tS (sleeping)\n");
	expect_says(&b->ctx, path_of(p, "status"), "\nPPid:\t1\nTracerPid:\t0\nUid:\t0\t0\t0\t0\n");
	expect_says(&b->ctx, path_of(p, "status"), "\nVmSize:\t       8 kB\n");
	expect_says(&b->ctx, path_of(p, "status"), "\nVmRSS:\t       4 kB\nRssAnon:\t       4 kB\n");
	expect_says(&b->ctx, path_of(p, "statm"), "2 1 0 0 0 2 0\n");
	expect_says(&b->ctx, path_of(p, "comm"), "a\\b\nname that i\n");
	expect_says(&b->ctx, path_of(p, "limits"), "\nMax address space         unlimited            ");
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(proc, files_of_a_process_say_what_it_has)
{
	on_both(content_body);
}

static void end_body(struct bed *b)
{
	struct process *p = with_page(b, "ends");
	struct inode *maps = found(&b->ctx, path_of(p, "maps")), *status = found(&b->ctx, path_of(p, "status"));
	char *text;
	int err;

	exits(b, p, 0);
	expect_says(&b->ctx, path_of(p, "status"), "\nState:\tZ (zombie)\n");
	text = said(&b->ctx, path_of(p, "status"));
	EXPECT(strstr(text, "VmSize") == NULL);
	free(text);
	EXPECT_EQ(open_error(&b->ctx, path_of(p, "maps")), 0);
	text = said_by(&b->ctx, maps, &err);
	EXPECT_EQ(err, 0);
	EXPECT_STREQ(text, "");
	free(text);
	EXPECT_EQ(open_error(&b->ctx, path_of(p, "pagemap")), -ESRCH);
	expect_says(&b->ctx, path_of(p, "statm"), "0 0 0 0 0 0 0\n");
	expect_exited(b, p, 0);
	free(said_by(&b->ctx, maps, &err));
	EXPECT_EQ(err, -ESRCH);
	free(said_by(&b->ctx, status, &err));
	EXPECT_EQ(err, -ESRCH);
	expect_missing(&b->ctx, path_of(p, ""));
	let_go(&b->ctx, maps);
	let_go(&b->ctx, status);
}

TEST(proc, process_that_ends_loses_its_memory_and_when_reaped_its_directory)
{
	on_both(end_body);
}

static void rights_body(struct bed *b)
{
	struct process *p = with_page(b, "seen"), *other = born(b, "other"), *same = born(b, "same");
	struct process *who[] = { other, same };
	uint64_t word;

	SETUP(process_set_resid(&b->ctx, p, CREDS_GROUP, 7, 7, 7) == 0);
	SETUP(process_set_resid(&b->ctx, p, CREDS_USER, 7, 7, 7) == 0);
	SETUP(process_set_resid(&b->ctx, same, CREDS_GROUP, 7, 7, 7) == 0);
	SETUP(process_set_resid(&b->ctx, same, CREDS_USER, 7, 7, 7) == 0);
	SETUP(process_set_resid(&b->ctx, other, CREDS_USER, 8, 8, 8) == 0);
	EXPECT_EQ(open_error(&b->ctx, path_of(p, "maps")), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct task *task = entered(b, who[i]);
		struct inode *inode = found(&task->ctx, path_of(p, "pagemap"));

		EXPECT_EQ(inode->uid, 7);
		EXPECT_EQ(inode->gid, 7);
		let_go(&task->ctx, inode);
		EXPECT_EQ(open_error(&task->ctx, path_of(p, "maps")), who[i] == other ? -EACCES : 0);
		EXPECT_EQ(open_error(&task->ctx, path_of(p, "pagemap")), who[i] == other ? -EACCES : 0);
		EXPECT_EQ(open_error(&task->ctx, path_of(who[i], "smaps")), 0);
		EXPECT_EQ(words_at(&task->ctx, path_of(p, "pagemap"), BASE / PAGE_BYTES, &word, 1), 8);
		EXPECT_EQ(word, PAGEMAP_PRESENT | PAGEMAP_EXCLUSIVE);
		task_leave(task);
	}
	EXPECT_EQ(words_at(&b->ctx, path_of(p, "pagemap"), BASE / PAGE_BYTES, &word, 1), 8);
	EXPECT(word & PAGEMAP_PFN_MASK);
	for (unsigned i = 0; i < 3; i++) {
		struct process *gone = i == 2 ? p : who[i];

		exits(b, gone, 0);
		expect_exited(b, gone, 0);
	}
}

TEST(proc, memory_of_others_is_EACCES_and_pfns_are_for_the_privileged)
{
	on_both(rights_body);
}

static void frames_body(struct bed *b)
{
	struct process *p = with_page(b, "frames");
	uint64_t word, count, flags, nframes = b->kernel->env.phys->nframes;

	EXPECT_EQ(words_at(&b->ctx, path_of(p, "pagemap"), BASE / PAGE_BYTES, &word, 1), 8);
	EXPECT_EQ(words_at(&b->ctx, "kpagecount", word & PAGEMAP_PFN_MASK, &count, 1), 8);
	EXPECT_EQ(count, 1);
	EXPECT_EQ(words_at(&b->ctx, "kpageflags", word & PAGEMAP_PFN_MASK, &flags, 1), 8);
	EXPECT_EQ(flags, 1 << 3 | 1 << 5 | 1 << 11 | 1 << 12 | 1 << 14);
	EXPECT_EQ(words_at(&b->ctx, "kpageflags", b->kernel->env.zero_pfn, &flags, 1), 8);
	EXPECT_EQ(flags, 1 << 24);
	EXPECT_EQ(words_at(&b->ctx, "kpageflags", 0, &flags, 1), 8);
	EXPECT_EQ(flags, UINT64_C(1) << 32);
	EXPECT_EQ(words_at(&b->ctx, "kpageflags", p->mm->pt.root.n, &flags, 1), 8);
	EXPECT_EQ(flags, 1 << 26);
	EXPECT_EQ(words_at(&b->ctx, "kpageflags", nframes - 1, &flags, 1), 8);
	EXPECT_EQ(flags, 1 << 10);
	EXPECT_EQ(words_at(&b->ctx, "kpagecount", nframes - 1, &count, 1), 8);
	EXPECT_EQ(count, 0);
	EXPECT_EQ(words_at(&b->ctx, "kpagecount", nframes, &count, 1), 0);
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(proc, frames_tell_how_often_they_are_mapped_and_what_they_are)
{
	on_both(frames_body);
}

static void pieces_body(struct bed *b)
{
	enum { N = 700 };
	struct process *p = born(b, "pieces");
	struct mm_map what = { .addr = BASE,
		               .length = N * PAGE_BYTES,
		               .fixed = true,
		               .prot = PROT_R | PROT_W,
		               .max_prot = PROT_R | PROT_W | PROT_X };
	uint64_t *word = malloc(N * sizeof(*word));
	struct fault fault;
	ksim_addr addr;

	SETUP(word != NULL && mm_map(&b->ctx, p->mm, &what, &addr) == 0);
	for (unsigned i = 0; i < N; i += 3)
		SETUP(mm_fault(&b->ctx, p->mm, BASE + i * PAGE_BYTES, ACCESS_WRITE, &fault) == 0);
	EXPECT_EQ(words_at(&b->ctx, path_of(p, "pagemap"), BASE / PAGE_BYTES, word, N), N * 8);
	for (unsigned i = 0; i < N; i++)
		EXPECT_EQ(word[i] >> 63, i % 3 == 0);
	free(word);
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(proc, words_of_many_pages_come_in_one_read)
{
	on_both(pieces_body);
}

static ssize_t set(struct ctx *ctx, const char *path, const char *value)
{
	struct inode *inode = found(ctx, path);
	ssize_t n = inode->gen->write(ctx, inode, value, strlen(value));

	let_go(ctx, inode);
	return n;
}

static void settings_body(struct bed *b)
{
	struct sysctl *sysctl = &b->kernel->env.sysctl;

	EXPECT_EQ(set(&b->ctx, "sys/vm/max_map_count", " 0x10\n"), 6);
	EXPECT_EQ(sysctl->max_map_count, 16);
	expect_says(&b->ctx, "sys/vm/max_map_count", "16\n");
	EXPECT_EQ(set(&b->ctx, "sys/vm/max_map_count", "1 2"), -EINVAL);
	EXPECT_EQ(set(&b->ctx, "sys/vm/max_map_count", " "), -EINVAL);
	EXPECT_EQ(set(&b->ctx, "sys/vm/max_map_count", "99999999999999999999"), -EINVAL);
	EXPECT_EQ(sysctl->max_map_count, 16);
	EXPECT_EQ(set(&b->ctx, "sys/vm/memfd_noexec", "2"), 1);
	EXPECT_EQ(sysctl->memfd_noexec, 2);
	EXPECT_EQ(set(&b->ctx, "sys/vm/memfd_noexec", "3"), -EINVAL);
	EXPECT_EQ(set(&b->ctx, "sys/vm/overcommit_memory", "1"), 1);
	expect_says(&b->ctx, "sys/vm/overcommit_memory", "1\n");
	EXPECT_EQ(open_error_of(&b->ctx, "sys/fs/nr_open", FILE_WRONLY), -EACCES);
	EXPECT_EQ(open_error(&b->ctx, "sys/fs/nr_open"), 0);
	EXPECT_EQ(open_error_of(&b->ctx, "sys/vm/max_map_count", FILE_RDWR), 0);
	expect_says(&b->ctx, "sys/fs/nr_open", "1048576\n");
	expect_says(&b->ctx, "sys/vm/mmap_min_addr", "65536\n");
	expect_says(&b->ctx, "sys/kernel/osrelease", "18.0\n");
	expect_says(&b->ctx, "version", "18.0 (ksim) #1 SMP\n");
	expect_missing(&b->ctx, "sys/max_map_count");
	expect_missing(&b->ctx, "sys/vm/swappiness");
	expect_missing(&b->ctx, "01");
	expect_missing(&b->ctx, "4294967297");
}

TEST(proc, settings_are_numbers_in_their_range)
{
	on_both(settings_body);
}

static void meminfo_body(struct bed *b)
{
	struct process *p = with_page(b, "meminfo");

	expect_says(&b->ctx, "meminfo", "MemTotal:          16380 kB\n");
	expect_says(&b->ctx, "meminfo", "\nAnonPages:             4 kB\n");
	expect_says(&b->ctx, "meminfo", "\nShmem:                 0 kB\n");
	expect_says(&b->ctx, "meminfo", "\nPageTables:           16 kB\n");
	expect_says(&b->ctx, "meminfo", "\nHugePages_Total:       0\n");
	expect_says(&b->ctx, "meminfo", "\nHugepagesize:       2048 kB\n");
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(proc, meminfo_counts_frames_by_use)
{
	on_both(meminfo_body);
}

static void exhausted_body(struct bed *b)
{
	static const char *const file[] = { "maps", "smaps", "smaps_rollup", "status", "statm", "limits", "comm" };
	struct process *p = with_page(b, "exhausted");
	struct inode *inode;
	char *text;
	int err;

	for (unsigned i = 0; i < ARRAY_SIZE(file); i++) {
		for (unsigned n = 1;; n++) {
			bed_fail_at(b, n);
			inode = find(&b->ctx, path_of(p, file[i]), &err);
			text = inode != NULL ? said_by(&b->ctx, inode, &err) : NULL;
			let_go(&b->ctx, inode);
			bed_fail_at(b, NEVER);
			EXPECT_EQ(text == NULL, err != 0);
			free(text);
			if (err == 0)
				break;
			EXPECT_EQ(err, -ENOMEM);
		}
	}
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(proc, nth_failing_allocation_is_ENOMEM_and_leaves_nothing)
{
	on_both(exhausted_body);
}

/* In the middle of a birth, and of a death. */
static void expect_unborn(struct bed *b)
{
	char path[32];

	snprintf(path, sizeof(path), "%u/status", b->process->owner.id + 1);
	expect_missing(&b->ctx, path);
}

static void unborn_body(struct bed *b)
{
	struct process *p = born(b, "first"), *late;
	struct inode *self;
	char text[16];

	b->process = p;
	bed_meanwhile_at(b, 3, expect_unborn);
	late = forked(b, p);
	EXPECT(b->asked >= 3);
	bed_fail_at(b, NEVER);
	EXPECT_EQ(late->owner.id, p->owner.id + 1);
	let_go(&b->ctx, found(&b->ctx, path_of(late, "status")));
	/* The machine itself is nobody. */
	self = found(&b->ctx, "self");
	EXPECT_EQ(self->gen->readlink(&b->ctx, self, text, sizeof(text)), -ENOENT);
	let_go(&b->ctx, self);
	expect_says(&b->ctx, "1/status", "\nPPid:\t0\n");
	exits(b, late, 0);
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(proc, process_is_not_there_before_it_is_born)
{
	on_both(unborn_body);
}

static void groups_body(struct bed *b)
{
	static const uint32_t groups[2] = { 8, 3 };
	struct process *p = born(b, "p");

	EXPECT_EQ(process_set_groups(&b->ctx, p, groups, 2), 0);
	expect_says(&b->ctx, path_of(p, "status"), "\nGroups:\t3 8 \n");
	SETUP(process_set_resid(&b->ctx, p, CREDS_USER, 7, 7, 7) == 0);
	EXPECT_EQ(process_set_groups(&b->ctx, p, groups, 1), -EPERM);
	expect_says(&b->ctx, path_of(p, "status"), "\nGroups:\t3 8 \n");
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(proc, groups_of_who_is_not_privileged_stay)
{
	on_both(groups_body);
}

static void eligible_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct mm_map what = {
		.addr = 64 * PT_LEAF_SPAN, .length = PT_LEAF_SPAN, .fixed = true, .prot = PROT_R, .max_prot = PROT_R
	};
	ksim_addr addr;

	SETUP(mm_map(&b->ctx, p->mm, &what, &addr) == 0);
	expect_says(&b->ctx, path_of(p, "smaps"), "\nTHPeligible:           1\n");
	b->kernel->env.sysctl.transparent_huge = 0;
	expect_says(&b->ctx, path_of(p, "smaps"), "\nTHPeligible:           0\n");
	b->kernel->env.sysctl.transparent_huge = 1;
	/* Two of half the size: nowhere is there a whole one. */
	SETUP(mm_unmap(&b->ctx, p->mm, addr + PT_LEAF_SPAN / 2, PT_LEAF_SPAN / 2) == 0);
	expect_says(&b->ctx, path_of(p, "smaps"), "\nTHPeligible:           0\n");
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(proc, smaps_tells_where_pages_of_2_MiB_could_stand)
{
	on_both(eligible_body);
}

/* SPDX-License-Identifier: MIT */
/*
 * A machine with RAM, one account and one caller, for the tests of files and descriptors.
 */
#ifndef UNIT_VFS_BED_H
#define UNIT_VFS_BED_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "vfs/fdtable.h"
#include "vfs/path.h"

#define NEVER                  0
#define FORBIDDEN_USER_ADDRESS UINT64_C(0x10000) /* nothing is mapped there, or anywhere */

struct bed {
	struct env env;
	struct ctx ctx;
	struct owner child; /* another account, for forks */
	unsigned asked;     /* allocations asked for since bed_fail_at */
	unsigned fail_at;   /* the number of the one that fails, counted from 1 */
};

/* All that a failed call must leave as it was. */
struct census {
	long counts[CENSUS_KIND_COUNT];
	uint64_t free_frames;
	size_t kmem_bytes, kmem_count;
};

/** Boot with 512 frames; broken if it cannot. */
void bed_open(struct bed *bed, enum commit_policy commit);
/** Fails the test if anything is left. */
void bed_close(struct bed *bed);

/** Let the nth question about an allocation be answered with "fail"; NEVER: none. */
void bed_fail_at(struct bed *bed, unsigned n);
struct census census_now(struct bed *bed);
void expect_same_census(const struct census *before, const struct census *now);
void expect_sound_file(struct bed *bed, struct file *file);
void expect_sound_table(struct bed *bed, struct fdtable *table);

struct fdtable *bed_table(struct bed *bed, uint32_t limit);
/** A memfd of so many bytes. flags: MEMFD_*. */
struct file *bed_memfd(struct bed *bed, unsigned flags, uint64_t size);
/** Another description on the same inode. */
struct file *bed_reopen(struct bed *bed, struct file *file, uint32_t flags);
enum { BED_PID = 42 };
/**
 * A tree of names, with a /proc in it that has the descriptors of a table: /proc/self, which leads to 42, /proc/42/fd
 * and what is in it. bed_close takes it away.
 */
void bed_tree(struct bed *bed, struct fdtable *table);
int bed_open_path(struct ctx *ctx, struct fdtable *table, const char *path, uint32_t flags, struct file **out);
/** The size, as fstat tells it. */
uint64_t size_of(struct bed *bed, struct file *file);
uint64_t blocks_of(struct bed *bed, struct file *file);

/** A description without offset and pages, as a socket is; released counts its ends. */
extern const struct file_ops stream_ops;
struct file *bed_stream(struct bed *bed, unsigned *released);

ssize_t do_read(struct bed *bed, struct file *file, void *data, size_t n);
ssize_t do_write(struct bed *bed, struct file *file, const void *data, size_t n);
ssize_t do_pread(struct bed *bed, struct file *file, void *data, size_t n, int64_t offset);
ssize_t do_pwrite(struct bed *bed, struct file *file, const void *data, size_t n, int64_t offset);
/** From and to an address that cannot be accessed. */
ssize_t do_pread_bad(struct bed *bed, struct file *file, size_t n, int64_t offset);
ssize_t do_pwrite_bad(struct bed *bed, struct file *file, size_t n, int64_t offset);

/** A small generator, so that runs repeat. */
uint64_t rnd(uint64_t *seed);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A machine with RAM, accounts and one caller, for the tests of objects: it has a little user memory, and any
 * allocation can be made to fail.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "host/kmem.h"
#include "object/shmem.h"

#define USER_BASE  UINT64_C(0x10000)
#define USER_BYTES (8 * PAGE_BYTES)
#define NEVER      0

struct fixture {
	struct env env;
	struct ctx ctx;
	char *user;          /* USER_BYTES at user address USER_BASE */
	uint64_t user_bytes; /* of these, accessible */
	pfn_t alias;         /* if any: user memory is a mapping of this frame instead */
	unsigned asked;      /* allocations asked for since fail_at was set */
	unsigned fail_at;    /* the number of the one that fails, counted from 1 */
};

/* What can be counted of a machine, to compare before and after. */
struct census {
	long frames, objects;
	uint64_t free_frames;
	size_t kmem_bytes, kmem_count;
};

/** Broken, as a precondition, if it cannot. */
void fixture_open(struct fixture *f, uint64_t ram_bytes);
/** Fails the test if anything is left. */
void fixture_close(struct fixture *f);
struct object *fixture_object(struct fixture *f, uint64_t size);

void fixture_fail_at(struct fixture *f, unsigned n);
struct census census_now(struct fixture *f);
void expect_same_census(const struct census *before, const struct census *now);
void expect_sound(struct fixture *f, struct object *object);

/** The caller has an inode's lock where one is needed. */
ssize_t write_at(struct fixture *f, struct object *object, uint64_t offset, const void *data, size_t n);
ssize_t read_at(struct fixture *f, struct object *object, uint64_t offset, void *data, size_t n);
ssize_t write_user(struct fixture *f, struct object *object, uint64_t offset, ksim_addr from, size_t n);
ssize_t read_user(struct fixture *f, struct object *object, uint64_t offset, ksim_addr to, size_t n);

/** Byte `at` of a page as a mapping would see it; -1 if the page is absent. */
int byte_of(struct fixture *f, struct object *object, uint64_t at);
/** Store a byte as a mapping would; the page is made. */
void store_byte(struct fixture *f, struct object *object, uint64_t at, int byte);

/** A small generator, so that runs repeat. */
uint64_t rnd(uint64_t *seed);

#endif

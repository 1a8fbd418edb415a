// SPDX-License-Identifier: MIT
/*
 * See fixture.h. A reference that drops to zero is destroyed when the fixture is closed or drained.
 */
#include "fixture.h"

#include "base/rawcopy.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static size_t copy_user(struct ctx *ctx, ksim_addr addr, void *host, size_t n, bool to_user)
{
	struct fixture *f = container_of(ctx, struct fixture, ctx);
	uint64_t at = addr - USER_BASE;
	char *user = f->alias.n != 0 ? frame_ptr(f->env.phys, f->alias) : f->user;

	if (addr < USER_BASE || at >= f->user_bytes)
		return 0;
	n = MIN(n, f->user_bytes - at);
	raw_copy(to_user ? user + at : host, to_user ? host : user + at, n);
	return n;
}

static const struct user_ops user_ops = { .copy = copy_user };

static bool fail(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct fixture *f = arg;

	(void)ctx;
	(void)kind;
	return ++f->asked == f->fail_at;
}

void fixture_open(struct fixture *f, uint64_t ram_bytes)
{
	struct phys *phys;

	memset(f, 0, sizeof(*f));
	owners_init(&f->env.owners);
	owner_init(&f->env.owners, &f->env.self, 0, "machine");
	f->env.poison = true;
	profile_init(&f->env.profile, 0);
	ctx_init(&f->ctx, &f->env, "test");
	f->ctx.user = &user_ops;
	f->user = malloc(USER_BYTES);
	f->user_bytes = USER_BYTES;
	SETUP(f->user != NULL && phys_create(&f->env, ram_bytes, &phys) == 0);
}

static void print_broken(void *arg, const char *text)
{
	(void)arg;
	EXPECT_MSG(false, "%s", text);
}

void fixture_close(struct fixture *f)
{
	struct check_report report = { .line = print_broken };

	f->env.hooks.fail = NULL;
	ctx_drain(&f->ctx);
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		EXPECT_MSG(owners_total(&f->env.owners, kind) == 0, "%ld of kind %s are left",
		           owners_total(&f->env.owners, kind), census_kind_name(kind));
	phys_check(f->env.phys, &report);
	EXPECT_EQ(phys_free_frames(&f->ctx), phys_total_frames(f->env.phys));
	phys_destroy(f->env.phys);
	EXPECT_EQ(kmem_count(&f->env), 0);
	EXPECT_EQ(kmem_bytes(&f->env), 0);
	EXPECT_EQ(f->ctx.held, 0);
	free(f->user);
	owner_fini(&f->env.owners, &f->env.self, NULL);
	owners_fini(&f->env.owners);
}

struct object *fixture_object(struct fixture *f, uint64_t size)
{
	struct object *object = NULL;

	SETUP(object_create_shmem(&f->ctx, size, &object) == 0);
	return object;
}

void fixture_fail_at(struct fixture *f, unsigned n)
{
	f->asked = 0;
	f->fail_at = n;
	f->env.hooks.fail = n != NEVER ? fail : NULL;
	f->env.hooks.fail_arg = f;
}

struct census census_now(struct fixture *f)
{
	return (struct census){
		.frames = owners_total(&f->env.owners, CENSUS_FRAME),
		.objects = owners_total(&f->env.owners, CENSUS_OBJECT),
		.free_frames = phys_free_frames(&f->ctx),
		.kmem_bytes = kmem_bytes(&f->env),
		.kmem_count = kmem_count(&f->env),
	};
}

void expect_same_census(const struct census *before, const struct census *now)
{
	EXPECT_EQ(now->frames, before->frames);
	EXPECT_EQ(now->objects, before->objects);
	EXPECT_EQ(now->free_frames, before->free_frames);
	EXPECT_EQ(now->kmem_bytes, before->kmem_bytes);
	EXPECT_EQ(now->kmem_count, before->kmem_count);
}

void expect_sound(struct fixture *f, struct object *object)
{
	struct check_report report = { .line = print_broken };

	object_check(&f->ctx, object, &report);
	EXPECT_EQ(report.broken, 0);
}

ssize_t write_at(struct fixture *f, struct object *object, uint64_t offset, const void *data, size_t n)
{
	struct uio uio;

	uio_init_one(&uio, uptr_from(data), n);
	return object_write(&f->ctx, object, offset, &uio);
}

ssize_t read_at(struct fixture *f, struct object *object, uint64_t offset, void *data, size_t n)
{
	struct uio uio;

	uio_init_one(&uio, uptr_from(data), n);
	return object_read(&f->ctx, object, offset, &uio);
}

ssize_t write_user(struct fixture *f, struct object *object, uint64_t offset, ksim_addr from, size_t n)
{
	struct uio uio;

	uio_init_one(&uio, uptr_user(from), n);
	return object_write(&f->ctx, object, offset, &uio);
}

ssize_t read_user(struct fixture *f, struct object *object, uint64_t offset, ksim_addr to, size_t n)
{
	struct uio uio;

	uio_init_one(&uio, uptr_user(to), n);
	return object_read(&f->ctx, object, offset, &uio);
}

int byte_of(struct fixture *f, struct object *object, uint64_t at)
{
	pfn_t pfn;
	int byte;

	if (object_page(&f->ctx, object, at >> PAGE_SHIFT, false, &pfn) < 0)
		return -1;
	byte = ((uint8_t *)frame_ptr(f->env.phys, pfn))[at % PAGE_BYTES];
	frame_put(&f->ctx, pfn);
	return byte;
}

void store_byte(struct fixture *f, struct object *object, uint64_t at, int byte)
{
	pfn_t pfn;

	SETUP(object_page(&f->ctx, object, at >> PAGE_SHIFT, true, &pfn) == 0);
	((uint8_t *)frame_ptr(f->env.phys, pfn))[at % PAGE_BYTES] = (uint8_t)byte;
	frame_put(&f->ctx, pfn);
}

uint64_t rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

// SPDX-License-Identifier: MIT
/*
 * See bed.h. Things whose last reference has gone are destroyed when the bed is drained.
 */
#include "bed.h"

#include "host/kmem.h"

#include <stdio.h>

static const enum ksim_arch archs[] = { KSIM_ARCH_X86_64, KSIM_ARCH_AARCH64 };

/* The machine. */

static void fake_get(struct backing *backing)
{
	__atomic_fetch_add(&container_of(backing, struct fake_file, backing)->refs, 1, __ATOMIC_RELAXED);
}

static void fake_put(struct ctx *ctx, struct backing *backing)
{
	(void)ctx;
	__atomic_fetch_sub(&container_of(backing, struct fake_file, backing)->refs, 1, __ATOMIC_RELAXED);
}

static int fake_describe(const struct backing *backing, char *text, size_t size, uint64_t *inode)
{
	(void)backing;
	*inode = 7;
	return snprintf(text, size, "/memfd:fake (deleted)");
}

static const struct backing_ops fake_ops = { .get = fake_get, .put = fake_put, .describe = fake_describe };

static bool fails(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct bed *b = arg;

	(void)ctx;
	(void)kind;
	return ++b->asked == b->fail_at;
}

void bed_fail_at(struct bed *b, unsigned n)
{
	b->asked = 0;
	b->fail_at = n;
	b->env.hooks.fail = n != NEVER ? fails : NULL;
	b->env.hooks.fail_arg = b;
}

void bed_ctx(struct bed *b, struct ctx *ctx)
{
	ctx_init(ctx, &b->env, "test");
	ctx->owner = &b->process;
}

static void bed_open(struct bed *b, enum ksim_arch arch, uint64_t ram_bytes)
{
	struct ctx boot;
	pfn_t zero;

	memset(b, 0, sizeof(*b));
	owners_init(&b->env.owners);
	owner_init(&b->env.owners, &b->env.self, 0, "machine");
	owner_init(&b->env.owners, &b->process, 1, "process");
	owner_init(&b->env.owners, &b->other, 2, "other");
	sysctl_init(&b->env.sysctl);
	profile_init(&b->env.profile, 0);
	b->env.arch = arch;
	b->env.poison = true;
	b->file.backing.ops = &fake_ops;
	bed_ctx(b, &b->ctx);
	SETUP(phys_create(&b->env, ram_bytes, &b->env.phys) == 0);
	ctx_init(&boot, &b->env, "boot");
	SETUP(frame_alloc(&boot, FRAME_ANON, FRAME_ZERO, &zero) == 0);
	b->env.zero_pfn = zero.n;
}

static void print_broken(void *arg, const char *text)
{
	(void)arg;
	EXPECT_MSG(false, "%s", text);
}

static void expect_zero_frame_intact(struct bed *b)
{
	const char *zeros = frame_ptr(b->env.phys, (pfn_t){ b->env.zero_pfn });
	int sum = 0;

	for (size_t i = 0; i < PAGE_BYTES; i++)
		sum |= zeros[i];
	EXPECT_EQ(sum, 0);
	EXPECT_EQ(frame_refs(b->env.phys, (pfn_t){ b->env.zero_pfn }), 1);
	EXPECT_EQ(frame_of(b->env.phys, (pfn_t){ b->env.zero_pfn })->mappers, 0);
}

static void bed_close(struct bed *b)
{
	struct check_report report = { .line = print_broken };
	struct ctx halt;

	bed_fail_at(b, NEVER);
	ctx_drain(&b->ctx);
	expect_zero_frame_intact(b);
	ctx_init(&halt, &b->env, "halt");
	frame_put(&halt, (pfn_t){ b->env.zero_pfn });
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		EXPECT_MSG(owners_total(&b->env.owners, kind) == 0, "%ld of kind %s are left",
		           owners_total(&b->env.owners, kind), census_kind_name(kind));
	phys_check(b->env.phys, &report);
	EXPECT_EQ(phys_free_frames(&b->ctx), phys_total_frames(b->env.phys));
	phys_destroy(b->env.phys);
	EXPECT_EQ(kmem_count(&b->env), 0);
	EXPECT_EQ(b->file.refs, 0);
	EXPECT_EQ(b->ctx.held, 0);
	owner_fini(&b->env.owners, &b->other, &b->env.self);
	owner_fini(&b->env.owners, &b->process, &b->env.self);
	owner_fini(&b->env.owners, &b->env.self, NULL);
	owners_fini(&b->env.owners);
}

void on_both_with_ram(uint64_t ram_bytes, void (*body)(struct bed *b))
{
	struct bed b;

	for (size_t i = 0; i < ARRAY_SIZE(archs); i++) {
		bed_open(&b, archs[i], ram_bytes);
		body(&b);
		bed_close(&b);
	}
}

void on_both(void (*body)(struct bed *b))
{
	on_both_with_ram(32 * MIB, body);
}

struct census census_now(struct bed *b)
{
	struct census now = { .free_frames = phys_free_frames(&b->ctx), .kmem_count = kmem_count(&b->env) };

	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		now.kind[kind] = owners_total(&b->env.owners, kind);
	return now;
}

void expect_same_census(const struct census *before, const struct census *now, size_t cached)
{
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		EXPECT_MSG(now->kind[kind] == before->kind[kind], "%s: %ld before, %ld now", census_kind_name(kind),
		           before->kind[kind], now->kind[kind]);
	EXPECT_EQ(now->free_frames, before->free_frames);
	EXPECT_MSG(now->kmem_count <= before->kmem_count + cached, "%zu objects before, %zu now", before->kmem_count,
	           now->kmem_count);
}

/* Spaces and files. */

struct mm *space(struct bed *b)
{
	struct mm *mm = NULL;

	SETUP(mm_create(&b->ctx, &mm) == 0);
	return mm;
}

void drop(struct bed *b, struct mm *mm)
{
	mm_put(&b->ctx, mm);
	ctx_drain(&b->ctx);
}

struct mm *forked(struct bed *b, struct mm *parent)
{
	struct mm *child = NULL;

	SETUP(mm_fork(&b->ctx, parent, &child) == 0);
	return child;
}

struct object *file(struct bed *b, uint64_t pages)
{
	struct object *object = NULL;

	SETUP(object_create_shmem(&b->ctx, pages * PAGE_BYTES, &object) == 0);
	return object;
}

void file_drop(struct bed *b, struct object *object)
{
	object_put(&b->ctx, object);
	ctx_drain(&b->ctx);
}

int file_byte(struct bed *b, struct object *object, uint64_t at)
{
	pfn_t pfn;
	int byte;

	if (object_page(&b->ctx, object, at >> PAGE_SHIFT, false, &pfn) < 0)
		return -1;
	byte = ((const uint8_t *)frame_ptr(b->env.phys, pfn))[at % PAGE_BYTES];
	frame_put(&b->ctx, pfn);
	return byte;
}

void file_set(struct bed *b, struct object *object, uint64_t at, int byte)
{
	pfn_t pfn;

	SETUP(object_page(&b->ctx, object, at >> PAGE_SHIFT, true, &pfn) == 0);
	((uint8_t *)frame_ptr(b->env.phys, pfn))[at % PAGE_BYTES] = (uint8_t)byte;
	frame_put(&b->ctx, pfn);
}

struct mm_map anon_at(ksim_addr addr, uint64_t pages)
{
	return (struct mm_map){
		.addr = addr,
		.length = pages * PAGE_BYTES,
		.fixed = addr != 0,
		.prot = RW,
		.max_prot = RW | PROT_X,
	};
}

struct mm_map file_at(struct object *object, ksim_addr addr, uint64_t pages, uint64_t pgidx, bool shared)
{
	struct mm_map what = anon_at(addr, pages);

	what.object = object;
	what.pgidx = pgidx;
	what.shared = shared;
	return what;
}

ksim_addr mapped(struct bed *b, struct mm *mm, struct mm_map what)
{
	ksim_addr addr = 0;
	int err = mm_map(&b->ctx, mm, &what, &addr);

	EXPECT_EQ(err, 0);
	SETUP(err == 0);
	return addr;
}

void unmapped(struct bed *b, struct mm *mm, ksim_addr addr, uint64_t pages)
{
	EXPECT_EQ(mm_unmap(&b->ctx, mm, addr, pages * PAGE_BYTES), 0);
	ctx_drain(&b->ctx);
}

/* Memory. */

/* The byte's host address; NULL: b->fault says why not. */
static uint8_t *byte_at(struct bed *b, struct mm *mm, ksim_addr addr, enum access access)
{
	unsigned need = access == ACCESS_WRITE ? PTE_WRITE : PTE_READ;

	for (;;) {
		pte_t pte = pt_walk(&mm->pt, addr);

		if (pte_allows(mm->pt.format, pte, need))
			return (uint8_t *)frame_ptr(b->env.phys, pte_pfn(pte)) + addr % PAGE_BYTES;
		if (mm_fault(&b->ctx, mm, addr, access, &b->fault) < 0)
			return NULL;
	}
}

int ld8(struct bed *b, struct mm *mm, ksim_addr addr)
{
	const uint8_t *byte = byte_at(b, mm, addr, ACCESS_READ);

	return byte != NULL ? *byte : -b->fault.signo;
}

int st8(struct bed *b, struct mm *mm, ksim_addr addr, int value)
{
	uint8_t *place = byte_at(b, mm, addr, ACCESS_WRITE);

	if (place == NULL)
		return -b->fault.signo;
	*place = (uint8_t)value;
	return 0;
}

void expect_fault(struct bed *b, struct mm *mm, ksim_addr addr, enum access access, int signo, int code)
{
	b->fault = (struct fault){ 0 };
	EXPECT_EQ(mm_fault(&b->ctx, mm, addr, access, &b->fault), -EFAULT);
	EXPECT_EQ(b->fault.signo, signo);
	EXPECT_EQ(b->fault.code, code);
	EXPECT_EQ(b->fault.addr, addr);
}

/* Looking. */

size_t nregions(struct mm *mm)
{
	return mm->vmas.count;
}

void expect_region(struct bed *b, struct mm *mm, ksim_addr at, ksim_addr start, ksim_addr end, unsigned prot)
{
	struct mm_region region = { 0 };

	EXPECT(mm_region(&b->ctx, mm, at, &region));
	EXPECT_EQ(region.start, start);
	EXPECT_EQ(region.end, end);
	EXPECT_EQ(region.prot, prot);
}

pfn_t frame_at(struct bed *b, struct mm *mm, ksim_addr addr)
{
	struct mm_translation translation;

	if (mm_translate(&b->ctx, mm, addr, &translation) < 0)
		return PFN_NONE;
	return translation.pfn;
}

void expect_sound(struct bed *b, struct mm *mm)
{
	struct check_report report = { .line = print_broken };

	mm_check(&b->ctx, mm, &report);
	EXPECT_EQ(report.broken, 0);
	EXPECT_EQ(b->ctx.held, 0);
}

uint64_t rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

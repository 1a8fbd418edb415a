// SPDX-License-Identifier: MIT
/*
 * The validator of RAM, fed with machines in which one thing is wrong: it must say which, and survive it. And a host
 * that has no room for a machine.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "host/kmem.h"
#include "unit/finds.h"
#include "unit/phys/bed.h"

enum { BLOCK_ORDER = 3 };

/* RAM with all sorts of frames: some in use, single free ones between them, larger free blocks, and virgin ones. */
struct mixed {
	struct bed bed;
	pfn_t used[64];
	pfn_t single; /* a free frame whose buddy is in use */
	pfn_t block;  /* the head of a free block of BLOCK_ORDER */
	pfn_t last;   /* the last frame below virgin, free */
};

static void mixed_open(struct mixed *m)
{
	const pfn_t *used = m->used;
	size_t i = 0;

	bed_open(&m->bed, MIB, false);
	for (i = 0; i < 64; i++)
		SETUP(frame_alloc(&m->bed.ctx, FRAME_ANON, FRAME_ZERO, &m->used[i]) == 0 && used[i].n == i + 1);
	SETUP(m->bed.phys->virgin == 65);
	m->single = (pfn_t){ 20 };
	m->block = (pfn_t){ 40 };
	m->last = (pfn_t){ 64 };
	frame_put(&m->bed.ctx, m->last);
	frame_put(&m->bed.ctx, m->single);
	for (uint64_t n = 0; n < 1 << BLOCK_ORDER; n++)
		frame_put(&m->bed.ctx, (pfn_t){ m->block.n + n });
	SETUP(m->bed.phys->free_head[0] == m->single.n && m->bed.phys->free_head[BLOCK_ORDER] == m->block.n);
}

static void mixed_close(struct mixed *m)
{
	for (uint64_t n = 1; n < 64; n++)
		if (n != m->single.n && n - m->block.n >= 1 << BLOCK_ORDER)
			frame_put(&m->bed.ctx, (pfn_t){ n });
	bed_close(&m->bed);
}

TEST(phys_check, list_that_leads_elsewhere_is_named)
{
	struct frame *single, *block;
	struct phys *phys;
	struct mixed m;

	mixed_open(&m);
	phys = m.bed.phys;
	single = frame_of(phys, m.single);
	block = frame_of(phys, m.block);
	EXPECT_SOUND(phys_check, phys);
	EXPECT_FINDS_WHILE(phys->free_head[0], 1,
	                   "a list has free blocks of its order, linked both ways: list 0, pfn 0x1", phys_check, phys);
	EXPECT_FINDS_WHILE(phys->free_head[1], m.single.n, "linked both ways: list 1, pfn 0x14", phys_check, phys);
	EXPECT_FINDS_WHILE(phys->free_head[2], 0xfffffff0, "linked both ways: list 2, pfn 0xfffffff0", phys_check,
	                   phys);
	EXPECT_FINDS_WHILE(phys->free_head[2], phys->virgin, "linked both ways: list 2", phys_check, phys);
	EXPECT_FINDS_WHILE(single->prev, 7, "linked both ways: list 0", phys_check, phys);
	EXPECT_FINDS_WHILE(single->next, m.block.n, "list 0, pfn 0x28 after 0x14", phys_check, phys);
	EXPECT_FINDS_WHILE(block->prev, 0xfffffff0, "a free block is on its list: pfn 0x28, order 3", phys_check, phys);
	EXPECT_FINDS_WHILE(block->prev, m.single.n, "a free block is on its list: pfn 0x28, order 3", phys_check, phys);
	mixed_close(&m);
}

TEST(phys_check, free_block_that_is_on_no_list_is_named)
{
	struct phys *phys;
	struct mixed m;

	mixed_open(&m);
	phys = m.bed.phys;
	EXPECT_FINDS_WHILE(phys->free_head[BLOCK_ORDER], 0, "a free block is on its list: pfn 0x28, order 3",
	                   phys_check, phys);
	EXPECT_FINDS_WHILE(phys->free_head[BLOCK_ORDER], 0,
	                   "every free block is on its list once: order 3: 0 listed, 1 found", phys_check, phys);
	mixed_close(&m);
}

TEST(phys_check, free_block_that_is_none_is_named)
{
	struct frame *block, *single, *last;
	struct phys *phys;
	struct mixed m;

	mixed_open(&m);
	phys = m.bed.phys;
	single = frame_of(phys, m.single);
	block = frame_of(phys, m.block);
	last = frame_of(phys, m.last);
	EXPECT_FINDS_WHILE(block->order, FRAME_ORDERS, "a free block is aligned and below virgin: pfn 0x28, order 10",
	                   phys_check, phys);
	EXPECT_FINDS_WHILE(block->order, 4, "a free block is aligned and below virgin: pfn 0x28, order 4", phys_check,
	                   phys);
	EXPECT_FINDS_WHILE(last->order, BLOCK_ORDER,
	                   "a free block is aligned and below virgin: pfn 0x40, order 3, virgin 0x41", phys_check,
	                   phys);
	EXPECT_FINDS_WHILE(single->order, 2, "all frames of a free block are free: pfn 0x15 of block 0x14", phys_check,
	                   phys);
	EXPECT_FINDS_WHILE(block[5].use, FRAME_ANON, "all frames of a free block are free: pfn 0x2d of block 0x28",
	                   phys_check, phys);
	mixed_close(&m);
}

/* A buddy that is free on its own beside a free block: put_block would have merged them. */
TEST(phys_check, free_buddies_that_are_not_merged_are_named)
{
	struct frame *buddy;
	struct mixed m;

	mixed_open(&m);
	buddy = frame_of(m.bed.phys, (pfn_t){ m.single.n + 1 });
	SETUP(buddy->use == FRAME_ANON && buddy->order == 0);
	EXPECT_FINDS_WHILE(buddy->use, FRAME_FREE, "free buddies are merged: pfn 0x14 and 0x15, order 0", phys_check,
	                   m.bed.phys);
	mixed_close(&m);
}

TEST(phys_check, frame_in_use_without_use_or_reference_is_named)
{
	struct frame *used;
	struct mixed m;

	mixed_open(&m);
	used = frame_of(m.bed.phys, (pfn_t){ 9 });
	EXPECT_FINDS_WHILE(used->use, FRAME_RESERVED, "only pfn 0 is reserved: pfn 0x9: use 2", phys_check, m.bed.phys);
	EXPECT_FINDS_WHILE(used->use, FRAME_TABLE + 1, "a frame in use has a use", phys_check, m.bed.phys);
	EXPECT_FINDS_WHILE(used->refs, 0, "a frame in use has a reference: pfn 0x9", phys_check, m.bed.phys);
	EXPECT_FINDS_WHILE(m.bed.phys->frames[0].use, FRAME_FREE, "pfn 0 is reserved: use 0", phys_check, m.bed.phys);
	mixed_close(&m);
}

TEST(phys_check, wrong_counts_are_named)
{
	struct phys *phys;
	struct mixed m;

	mixed_open(&m);
	phys = m.bed.phys;
	EXPECT_FINDS_WHILE(phys->nfree, phys->nfree - 1, "nfree is exact: counted 201, nfree 200", phys_check, phys);
	EXPECT_FINDS_WHILE(phys->virgin, 0, "virgin is within RAM: virgin 0 of 0x100", phys_check, phys);
	EXPECT_FINDS_WHILE(phys->virgin, phys->nframes + 1, "virgin is within RAM: virgin 0x101 of 0x100", phys_check,
	                   phys);
	mixed_close(&m);
}

/* Bytes of address space that this process has. */
static uint64_t address_space_bytes(void)
{
	unsigned long long pages = 0;
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY);

	SETUP(fd >= 0);
	SETUP(read(fd, text, sizeof(text) - 1) > 0 && sscanf(text, "%llu", &pages) == 1);
	close(fd);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* qemu-user keeps a limit in mind and does not obey it. */
static bool address_space_is_limited(void)
{
	struct rlimit was, little;
	void *memory;

	SETUP(getrlimit(RLIMIT_AS, &was) == 0);
	little = was;
	little.rlim_cur = address_space_bytes() + MIB;
	SETUP(setrlimit(RLIMIT_AS, &little) == 0);
	memory = mmap(NULL, GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	SETUP(setrlimit(RLIMIT_AS, &was) == 0);
	if (memory == MAP_FAILED)
		return true;
	munmap(memory, GIB);
	return false;
}

/* The size of a machine whose RAM alone fits where `room` bytes are left, or does not fit either. */
static void expect_no_room(struct bed *bed, uint64_t ram_bytes, uint64_t room)
{
	struct rlimit was, little;
	struct phys *phys = NULL;
	int err;

	SETUP(getrlimit(RLIMIT_AS, &was) == 0);
	little = was;
	little.rlim_cur = address_space_bytes() + room;
	SETUP(setrlimit(RLIMIT_AS, &little) == 0);
	err = phys_create(&bed->env, ram_bytes, &phys);
	SETUP(setrlimit(RLIMIT_AS, &was) == 0);
	EXPECT_EQ(err, -ENOMEM);
	EXPECT(phys == NULL && bed->env.phys == bed->phys);
}

TEST(phys, create_without_room_in_the_host_fails_ENOMEM_and_leaves_nothing)
{
	uint64_t before;
	struct bed bed;
	size_t nobjects;

	if (!address_space_is_limited())
		SKIP("the host does not limit the address space");
	bed_open(&bed, MIB, true);
	nobjects = kmem_count(&bed.env);
	before = address_space_bytes();
	for (int in_file = 0; in_file < 2; in_file++) {
		bed.env.ram_in_file = in_file;
		expect_no_room(&bed, 64 * GIB, GIB);
		expect_no_room(&bed, 64 * GIB, 64 * GIB + 128 * MIB); /* the frames' array takes 256 MiB more */
	}
	EXPECT_EQ(address_space_bytes(), before);
	EXPECT_EQ(kmem_count(&bed.env), nobjects);
	bed_close(&bed);
}

static bool no_kmem(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	(void)arg;
	(void)ctx;
	return kind == FAIL_KMEM;
}

TEST(phys, create_without_kernel_memory_fails_ENOMEM)
{
	struct phys *phys = NULL;
	struct bed bed;

	bed_open(&bed, MIB, true);
	bed.env.hooks.fail = no_kmem;
	EXPECT_EQ(phys_create(&bed.env, MIB, &phys), -ENOMEM);
	bed.env.hooks.fail = NULL;
	EXPECT(phys == NULL && bed.env.phys == bed.phys);
	bed_close(&bed);
}

TEST(phys, destroy_of_nothing_is_legal)
{
	struct bed bed;

	bed_open(&bed, MIB, true);
	phys_destroy(NULL);
	EXPECT(bed.env.phys == bed.phys);
	bed_close(&bed);
}

// SPDX-License-Identifier: MIT
/*
 * Random calls over ranges in which entries of 2 MiB come and go, beside a model that knows only bytes.
 */
#include "bed.h"

#include "mm/vma.h"

#define AT         UINT64_C(0x40000000)
#define FILE_PAGES UINT64_C(1536)
#define ANON_AT    (AT + 64 * MIB)
#define ANON_PAGES UINT64_C(1200)

/* One address space, as it should be. A page that is -1 is not mapped, or lies past the end of the file. */
struct view {
	struct mm *mm;
	int anon[ANON_PAGES];
	bool readonly[ANON_PAGES];
};

struct model {
	struct bed *b;
	struct object *object;
	uint64_t size; /* pages */
	uint64_t seed;
	int file[FILE_PAGES];
	struct view view[2];
	unsigned nviews;
};

static void map_file(struct model *m, struct view *v, uint64_t first, uint64_t n)
{
	mapped(m->b, v->mm, file_at(m->object, AT + first * PAGE_BYTES, n, first, true));
}

static void map_anon(struct model *m, struct view *v, uint64_t first, uint64_t n)
{
	struct mm_map what = anon_at(ANON_AT + first * PAGE_BYTES, n);

	what.flags = VMA_HUGE;
	mapped(m->b, v->mm, what);
	for (uint64_t i = first; i < first + n; i++) {
		v->anon[i] = 0;
		v->readonly[i] = false;
	}
}

static void store(struct model *m, struct view *v)
{
	uint64_t page = rnd(&m->seed) % ANON_PAGES;
	int byte = (int)(rnd(&m->seed) % 127);

	EXPECT_EQ(st8(m->b, v->mm, ANON_AT + page * PAGE_BYTES, byte), v->readonly[page] ? -SIGSEGV : 0);
	if (!v->readonly[page])
		v->anon[page] = byte;
	page = rnd(&m->seed) % FILE_PAGES;
	EXPECT_EQ(st8(m->b, v->mm, AT + page * PAGE_BYTES, byte), page < m->size ? 0 : -SIGBUS);
	if (page < m->size)
		m->file[page] = byte;
}

static void load(struct model *m, struct view *v)
{
	uint64_t page = rnd(&m->seed) % ANON_PAGES;

	EXPECT_EQ(ld8(m->b, v->mm, ANON_AT + page * PAGE_BYTES), v->anon[page]);
	page = rnd(&m->seed) % FILE_PAGES;
	EXPECT_EQ(ld8(m->b, v->mm, AT + page * PAGE_BYTES), page < m->size ? m->file[page] : -SIGBUS);
}

static void range(struct model *m, uint64_t pages, uint64_t *first, uint64_t *n)
{
	uint64_t step = rnd(&m->seed) % 2 ? 512 : 1;

	*first = rnd(&m->seed) % pages / step * step;
	*n = 1 + rnd(&m->seed) % 700 / step * step;
	*n = MIN(*n, pages - *first);
}

static void remap(struct model *m, struct view *v)
{
	uint64_t first, n;

	range(m, ANON_PAGES, &first, &n);
	if (rnd(&m->seed) % 2)
		unmapped(m->b, v->mm, ANON_AT + first * PAGE_BYTES, n);
	map_anon(m, v, first, n);
	range(m, FILE_PAGES, &first, &n);
	map_file(m, v, first, n);
}

static void protect(struct model *m, struct view *v)
{
	bool readonly = rnd(&m->seed) % 3 == 0;
	uint64_t first, n;

	range(m, ANON_PAGES, &first, &n);
	EXPECT_EQ(mm_protect(&m->b->ctx, v->mm, ANON_AT + first * PAGE_BYTES, n * PAGE_BYTES, readonly ? PROT_R : RW),
	          0);
	for (uint64_t i = first; i < first + n; i++)
		v->readonly[i] = readonly;
}

static void resize(struct model *m)
{
	uint64_t first, n;

	range(m, FILE_PAGES, &first, &n);
	n = first + n;
	if (n > m->size && object_commit(&m->b->ctx, m->object, m->size * PAGE_BYTES, n * PAGE_BYTES) < 0)
		return;
	object_resize(&m->b->ctx, m->object, n * PAGE_BYTES);
	for (uint64_t i = n; i < m->size; i++)
		m->file[i] = 0;
	m->size = n;
}

static void merge(struct model *m, struct view *v)
{
	for (struct vma *vma = ranges_at_or_above(&v->mm->vmas, 0); vma != NULL;
	     vma = ranges_at_or_above(&v->mm->vmas, vma->end))
		mm_huge_merge(&m->b->ctx, vma, vma->start, vma->end);
}

static void fork_or_end(struct model *m)
{
	if (m->nviews == 2) {
		drop(m->b, m->view[1].mm);
		m->nviews = 1;
		return;
	}
	m->view[1] = m->view[0];
	m->view[1].mm = forked(m->b, m->view[0].mm);
	m->nviews = 2;
}

static void step(struct model *m)
{
	struct view *v = &m->view[rnd(&m->seed) % m->nviews];

	switch (rnd(&m->seed) % 64) {
	case 0:
		fork_or_end(m);
		break;
	case 1:
		resize(m);
		break;
	case 2:
	case 3:
		remap(m, v);
		break;
	case 4:
		protect(m, v);
		break;
	case 5:
		merge(m, v);
		break;
	case 6:
		mm_populate(&m->b->ctx, v->mm, AT, AT + FILE_PAGES * PAGE_BYTES);
		break;
	default:
		if (rnd(&m->seed) % 2)
			store(m, v);
		else
			load(m, v);
	}
}

static void random_body(struct bed *b)
{
	static struct model m;

	m = (struct model){ .b = b, .object = file(b, 0), .seed = 42, .nviews = 1 };
	m.view[0].mm = space(b);
	map_file(&m, &m.view[0], 0, FILE_PAGES);
	map_anon(&m, &m.view[0], 0, ANON_PAGES);
	for (unsigned i = 0; i < 6000; i++) {
		step(&m);
		if (i % 64 == 0)
			for (unsigned j = 0; j < m.nviews; j++)
				expect_sound(b, m.view[j].mm);
	}
	for (unsigned j = 0; j < m.nviews; j++)
		drop(b, m.view[j].mm);
	file_drop(b, m.object);
}

TEST(mm_huge, random_calls_leave_the_bytes_that_a_model_has)
{
	on_both(random_body);
}

// SPDX-License-Identifier: MIT
/*
 * Random maps, unmaps, protections, moves, stores, forks and truncations of two address spaces and two files, against a
 * model that is an array of pages. After every step each VMA lies within a row of pages that the model could see as
 * one, and the validator is content; now and then every page is loaded and stored. Which rows are one VMA is not the
 * model's business, but for shared memory, whose rows all are: private pages keep some apart.
 */
#include "bed.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGES = 40, FILES = 2, SPACES = 2, FILE_PAGES = 32, STEPS = 700, NONE = -1 };

/* What one page of an address space is. */
struct page {
	bool mapped, shared, noreserve;
	unsigned prot, max_prot;
	int file; /* NONE: anonymous */
	uint64_t pgidx;
	bool own; /* a private page that has been stored to */
	int value;
};

struct model {
	struct bed *b;
	uint64_t seed;
	struct mm *mm[SPACES]; /* the second may be NULL */
	struct page page[SPACES][PAGES];
	struct object *object[FILES];
	uint64_t size[FILES]; /* bytes */
	int value[FILES][FILE_PAGES];
	char what[160]; /* the step */
};

static unsigned pick(struct model *m, unsigned n)
{
	return (unsigned)(rnd(&m->seed) >> 20) % n;
}

static ksim_addr page_addr(unsigned i)
{
	return BASE + i * PAGE_BYTES;
}

static bool beyond_eof(const struct model *m, const struct page *p)
{
	return p->file != NONE && p->pgidx >= pages_of(m->size[p->file]);
}

/* What a load finds: the byte, or -signal. */
static int expected_load(const struct model *m, const struct page *p)
{
	if (!p->mapped || p->prot == 0)
		return -SIGSEGV;
	if (beyond_eof(m, p))
		return -SIGBUS;
	if (p->own || p->file == NONE)
		return p->own ? p->value : 0;
	return m->value[p->file][p->pgidx];
}

static void check_page(struct model *m, int s, unsigned i)
{
	const struct page *p = &m->page[s][i];
	int found = ld8(m->b, m->mm[s], page_addr(i));

	EXPECT_MSG(found == expected_load(m, p), "space %d, page %u: %d, expected %d after %s", s, i, found,
	           expected_load(m, p), m->what);
	if (found == -SIGSEGV)
		EXPECT_MSG(m->b->fault.code == (p->mapped ? SEGV_ACCERR : SEGV_MAPERR), "space %d, page %u: code %d", s,
		           i, m->b->fault.code);
}

static void step_store(struct model *m, int s)
{
	unsigned i = pick(m, PAGES);
	struct page *p = &m->page[s][i];
	int value = 1 + (int)pick(m, 250);
	int expected = expected_load(m, p) >= 0 && !(p->prot & PROT_W) ? -SIGSEGV : MIN(expected_load(m, p), 0);
	int found = st8(m->b, m->mm[s], page_addr(i), value);

	if (p->mapped && p->prot != 0 && !(p->prot & PROT_W))
		expected = -SIGSEGV; /* before the end of the file is looked at */
	snprintf(m->what, sizeof(m->what), "storing %d in space %d, page %u", value, s, i);
	EXPECT_MSG(found == expected, "%d, expected %d when %s", found, expected, m->what);
	if (found != 0)
		return;
	if (p->shared) {
		m->value[p->file][p->pgidx] = value;
	} else {
		p->own = true;
		p->value = value;
	}
}

static void step_map(struct model *m, int s)
{
	unsigned first = pick(m, PAGES), n = 1 + pick(m, MIN(PAGES - first, 12u));
	int f = (int)pick(m, FILES + 1) - 1;
	bool shared = f != NONE && pick(m, 2);
	struct mm_map what =
		file_at(f != NONE ? m->object[f] : NULL, page_addr(first), n, pick(m, 4) * 4 + first / 8, shared);
	static const unsigned prots[] = { 0, PROT_R, RW, RW, RW | PROT_X };
	ksim_addr at = 0;
	bool taken = false;
	int err;

	what.prot = (uint8_t)prots[pick(m, ARRAY_SIZE(prots))];
	what.max_prot = what.prot | (pick(m, 4) ? RW | PROT_X : PROT_R);
	what.noreserve = pick(m, 4) == 0;
	what.noreplace = pick(m, 4) == 0;
	what.backing = f == 1 ? &m->b->file.backing : NULL;
	for (unsigned i = first; i < first + n; i++)
		taken |= m->page[s][i].mapped;
	err = mm_map(&m->b->ctx, m->mm[s], &what, &at);
	snprintf(m->what, sizeof(m->what), "mapping pages [%u, %u) in space %d, file %d, shared %d, prot %u: %d", first,
	         first + n, s, f, shared, what.prot, err);
	EXPECT_MSG(err == (what.noreplace && taken ? -EEXIST : 0), "%s", m->what);
	if (err < 0)
		return;
	EXPECT_EQ(at, what.addr);
	for (unsigned i = first; i < first + n; i++)
		m->page[s][i] = (struct page){
			.mapped = true,
			.shared = shared,
			.noreserve = what.noreserve,
			.prot = what.prot,
			.max_prot = what.max_prot,
			.file = f,
			.pgidx = f != NONE ? what.pgidx + i - first : page_addr(i) >> PAGE_SHIFT,
		};
}

static void step_unmap(struct model *m, int s)
{
	unsigned first = pick(m, PAGES), n = 1 + pick(m, PAGES - first);

	if (pick(m, 3))
		n = 1 + (n - 1) % 6;
	unmapped(m->b, m->mm[s], page_addr(first), n);
	snprintf(m->what, sizeof(m->what), "unmapping pages [%u, %u) in space %d", first, first + n, s);
	for (unsigned i = first; i < first + n; i++)
		m->page[s][i] = (struct page){ .mapped = false };
}

static void step_protect(struct model *m, int s)
{
	unsigned first = pick(m, PAGES), n = 1 + pick(m, MIN(PAGES - first, 12u));
	static const unsigned prots[] = { 0, PROT_R, RW, RW | PROT_X };
	unsigned prot = prots[pick(m, ARRAY_SIZE(prots))];
	int err = mm_protect(&m->b->ctx, m->mm[s], page_addr(first), n * PAGE_BYTES, prot);
	int expected = 0;

	for (unsigned i = first; i < first + n && expected == 0; i++) {
		struct page *p = &m->page[s][i];

		if (!p->mapped)
			expected = -ENOMEM;
		else if (prot & ~p->max_prot)
			expected = -EACCES;
		else
			p->prot = prot;
	}
	snprintf(m->what, sizeof(m->what), "protecting pages [%u, %u) in space %d with %u: %d", first, first + n, s,
	         prot, err);
	EXPECT_MSG(err == expected, "expected %d when %s", expected, m->what);
}

/* Whether two neighbouring pages lie in one VMA. */
static bool same_region(const struct page *a, const struct page *z)
{
	return a->mapped && z->mapped && a->shared == z->shared && a->noreserve == z->noreserve && a->prot == z->prot &&
	       a->max_prot == z->max_prot && a->file == z->file && a->pgidx + 1 == z->pgidx;
}

/* Pages from the first on that lie in its VMA. */
static unsigned pages_of_region(struct model *m, int s, unsigned first)
{
	struct mm_region region;

	if (!m->page[s][first].mapped)
		return 0;
	SETUP(mm_region(&m->b->ctx, m->mm[s], page_addr(first), &region));
	return (unsigned)((region.end - page_addr(first)) / PAGE_BYTES);
}

static bool any_mapped(const struct page *pages, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++)
		if (pages[i].mapped)
			return true;
	return false;
}

/* A page of the model as it looks elsewhere; `n` pages on in the file. */
static struct page moved_page(struct page p, unsigned to, unsigned n)
{
	p.pgidx = p.file != NONE ? p.pgidx + n : page_addr(to) >> PAGE_SHIFT;
	return p;
}

struct resize {
	unsigned first, old, now, to;
	bool fixed, keep;
};

/* Of length 0 no range overlaps, but what is to be mapped once more is unmapped first. */
static bool unmaps_itself(const struct resize *r)
{
	return r->fixed && r->old == 0 && r->first == r->to;
}

/* What mm_remap says to it. */
static int expected_remap(struct model *m, int s, const struct resize *r)
{
	const struct page *pages = m->page[s];
	unsigned n = pages_of_region(m, s, r->first);

	if (r->fixed && r->first < r->to + r->now && r->to < r->first + r->old)
		return -EINVAL;
	if (n == 0)
		return -EFAULT;
	if (r->now == r->old || (!r->fixed && r->now < r->old))
		return 0;
	if (r->old == 0 && !pages[r->first].shared)
		return -EINVAL;
	if (unmaps_itself(r))
		return -EFAULT;
	if (MIN(r->old, r->now) > n)
		return -EFAULT;
	if (r->fixed)
		return 0;
	return r->old == n && !any_mapped(pages, r->first + r->old, r->now - r->old) ? 0 : -ENOMEM;
}

static void model_remap(struct page *pages, const struct resize *r)
{
	const struct page empty = { .mapped = false };
	unsigned n = MIN(r->old, r->now);
	struct page last = pages[r->first + (n > 0 ? n - 1 : 0)];

	last.own = false;
	last.value = 0;
	for (unsigned i = 0; i < r->now; i++) {
		struct page *to = &pages[(r->fixed ? r->to : r->first) + i], *from = &pages[r->first + i];

		if (i >= n) {
			*to = moved_page(last, (unsigned)(to - pages), n > 0 ? i - (n - 1) : i);
		} else if (r->fixed && (from->mapped || r->now != r->old)) {
			*to = moved_page(*from, (unsigned)(to - pages), 0);
			from->own = false;
			if (!r->keep)
				*from = empty;
		}
	}
	for (unsigned i = r->now; i < r->old; i++)
		pages[r->first + i] = empty;
}

static void step_remap(struct model *m, int s)
{
	struct resize r = { .first = pick(m, PAGES), .fixed = pick(m, 3), .keep = pick(m, 4) == 0 };
	struct mm_remap what;
	ksim_addr at = 0;
	int err, expected;

	r.old = pick(m, MIN(PAGES - r.first, 8u) + 1);
	r.now = pick(m, 2) && r.old > 0 ? r.old : 1 + pick(m, MIN(PAGES - r.first, 8u));
	r.to = pick(m, PAGES - r.now + 1);
	r.keep = r.keep && r.fixed && r.old == r.now;
	what = (struct mm_remap){
		.addr = page_addr(r.first),
		.old_length = r.old * PAGE_BYTES,
		.length = r.now * PAGE_BYTES,
		.to = page_addr(r.to),
		.may_move = r.fixed,
		.fixed = r.fixed,
		.keep = r.keep,
	};
	expected = expected_remap(m, s, &r);
	err = mm_remap(&m->b->ctx, m->mm[s], &what, &at);
	snprintf(m->what, sizeof(m->what), "moving pages [%u, %u) in space %d to %u pages at %u, fixed %d, keep %d: %d",
	         r.first, r.first + r.old, s, r.now, r.to, r.fixed, r.keep, err);
	EXPECT_MSG(err == expected, "expected %d when %s", expected, m->what);
	if (err == -EFAULT && unmaps_itself(&r) && m->page[s][r.first].mapped) {
		r = (struct resize){ .first = r.first, .old = r.now };
		model_remap(m->page[s], &r);
	}
	if (err < 0)
		return;
	EXPECT_EQ(at, r.fixed ? what.to : what.addr);
	model_remap(m->page[s], &r);
}

static void step_truncate(struct model *m)
{
	int f = (int)pick(m, FILES);
	uint64_t size = pick(m, FILE_PAGES + 1) * PAGE_BYTES, pages;

	if (size >= PAGE_BYTES && pick(m, 2))
		size -= pick(m, PAGE_BYTES - 1); /* the first byte of the last page stays */
	object_resize(&m->b->ctx, m->object[f], size);
	snprintf(m->what, sizeof(m->what), "giving file %d %llu bytes", f, (unsigned long long)size);
	m->size[f] = size;
	pages = pages_of(size);
	for (uint64_t i = pages; i < FILE_PAGES; i++)
		m->value[f][i] = 0;
	for (int s = 0; s < SPACES; s++)
		for (unsigned i = 0; i < PAGES; i++)
			if (m->page[s][i].file == f && m->page[s][i].pgidx >= pages)
				m->page[s][i].own = false;
}

static void step_fork(struct model *m)
{
	drop(m->b, m->mm[1]);
	m->mm[1] = forked(m->b, m->mm[0]);
	memcpy(m->page[1], m->page[0], sizeof(m->page[0]));
	snprintf(m->what, sizeof(m->what), "forking");
}

/* VMAs that make up [i, end), which the model sees as one. */
static size_t check_row(struct model *m, int s, unsigned i, unsigned end)
{
	const struct page *p = &m->page[s][i];
	size_t n = 0;

	while (i < end) {
		struct mm_region region = { 0 };

		EXPECT_MSG(mm_region(&m->b->ctx, m->mm[s], page_addr(i), &region), "page %u after %s", i, m->what);
		EXPECT_MSG(region.start == page_addr(i) && region.end > region.start && region.end <= page_addr(end),
		           "[%#lx, %#lx) after %s", region.start, region.end, m->what);
		EXPECT_EQ(region.prot, p->prot);
		EXPECT(!p->shared || region.end == page_addr(end));
		if (region.end <= region.start)
			return n;
		i += (unsigned)((region.end - region.start) / PAGE_BYTES);
		n++;
	}
	return n;
}

static void check_regions(struct model *m, int s)
{
	const struct page *p = m->page[s];
	size_t n = 0;

	for (unsigned i = 0, end; i < PAGES; i = end) {
		for (end = i + 1; end < PAGES && same_region(&p[end - 1], &p[end]); end++)
			;
		if (p[i].mapped)
			n += check_row(m, s, i, end);
	}
	EXPECT_MSG(nregions(m->mm[s]) == n, "%zu VMAs, expected %zu after %s", nregions(m->mm[s]), n, m->what);
}

static void step(struct model *m)
{
	int s = m->mm[1] != NULL && pick(m, 2);

	switch (pick(m, 19)) {
	case 0 ... 3:
		step_map(m, s);
		break;
	case 4:
		step_unmap(m, s);
		break;
	case 5 ... 7:
		step_protect(m, s);
		break;
	case 8 ... 13:
		step_store(m, s);
		break;
	case 14:
		step_truncate(m);
		break;
	case 15 ... 17:
		step_remap(m, s);
		break;
	default:
		if (pick(m, 2))
			step_fork(m);
		break;
	}
	check_page(m, s, pick(m, PAGES));
}

static void check_all(struct model *m, unsigned nth)
{
	for (int s = 0; s < SPACES && m->mm[s] != NULL; s++) {
		check_regions(m, s);
		expect_sound(m->b, m->mm[s]);
		for (unsigned i = 0; nth % 16 == 0 && i < PAGES; i++)
			check_page(m, s, i);
	}
}

static void run_model(struct bed *b, uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));

	SETUP(m != NULL);
	m->b = b;
	m->seed = seed;
	b->env.profile.mremap_moves_many = true;
	m->mm[0] = space(b);
	for (int f = 0; f < FILES; f++) {
		m->object[f] = file(b, FILE_PAGES);
		m->size[f] = FILE_PAGES * PAGE_BYTES;
	}
	for (unsigned i = 0; i < STEPS && !harness_failed(); i++) {
		step(m);
		check_all(m, i);
	}
	EXPECT_MSG(!harness_failed(), "seed %#llx, %s, last step: %s", (unsigned long long)seed,
	           b->env.arch == KSIM_ARCH_AARCH64 ? "aarch64" : "x86_64", m->what);
	drop(b, m->mm[1]);
	drop(b, m->mm[0]);
	for (int f = 0; f < FILES; f++) {
		EXPECT_EQ(m->object[f]->writers, 0);
		file_drop(b, m->object[f]);
	}
	free(m);
}

static void model_body(struct bed *b)
{
	const char *given = getenv("KSIM_TEST_SEED");

	if (given != NULL) {
		run_model(b, strtoull(given, NULL, 0));
		return;
	}
	for (uint64_t seed = 1; seed <= 4; seed++)
		run_model(b, seed * UINT64_C(0x9e3779b97f4a7c15));
}

/* mmap(2), mprotect(2), mremap(2), fork(2) and ftruncate(2), page by page; SEMANTICS 45, 46, 53, 54, 56, 73, 74. */
TEST(mm_model, random_calls_do_what_an_array_of_pages_does)
{
	on_both(model_body);
}

// SPDX-License-Identifier: MIT
/*
 * See bed.h. Tests run one after the other, so what shall fail is kept in one place.
 */
#include "bed.h"

#include "../no_lab.h"
#include "host/window.h"

static const struct machine_parts parts = {
	.cpu = CPU_PARTS,
	.native = NATIVE_PARTS,
	.lab = { .attach = no_lab_attach, .detach = no_lab_detach },
};

/* ---- life ---- */

struct ksim_machine *bed_boot(enum ksim_arch arch, uint64_t ram_bytes, uint64_t window_bytes)
{
	const struct ksim_config config = {
		.ram_bytes = ram_bytes,
		.arch = arch,
		.commit = KSIM_COMMIT_ON_TOUCH,
		.access = KSIM_ACCESS_NATIVE,
		.window_bytes = window_bytes,
		.stdio = KSIM_NONE,
	};
	struct ksim_config filled;
	struct ksim_machine *m;

	SETUP(machine_config(&config, sizeof(config), &filled) == 0);
	m = machine_boot(&filled, &parts);
	SETUP(m != NULL);
	return m;
}

static void print_broken(void *arg, const char *text)
{
	(void)arg;
	EXPECT_MSG(false, "%s", text);
}

void bed_halt(struct ksim_machine *m)
{
	struct check_report report = { .line = print_broken };

	kernel_check(m->kernel, &report);
	EXPECT_EQ(ksim_halt(m), 0);
}

struct ksim_process *bed_process(struct ksim_machine *m)
{
	struct ksim_process *p = ksim_process_create(m, "p");

	SETUP(p != NULL);
	return p;
}

static void on_each(bed_body *body, bool acting)
{
	for (enum ksim_arch arch = KSIM_ARCH_X86_64; arch <= KSIM_ARCH_AARCH64; arch++) {
		struct bed b = { .m = bed_boot(arch, BED_RAM_BYTES, BED_WINDOW_BYTES) };

		b.p = bed_process(b.m);
		if (acting)
			ksim_as(b.p)
				body(&b);
		else
			body(&b);
		bed_halt(b.m);
	}
}

void on_both(bed_body *body)
{
	on_each(body, true);
}

void on_both_outside(bed_body *body)
{
	on_each(body, false);
}

/* ---- memory ---- */

static char *pointer(ksim_addr at)
{
	SETUP(at != KSIM_MAP_FAILED);
	return ksim_ptr(at);
}

char *bed_map(int npages, int prot, int kind)
{
	return pointer(ksim_mmap(0, (size_t)npages * PAGE, prot, kind | MAP_ANONYMOUS, -1, 0));
}

char *bed_map_file(int fd, int npages, int prot, int kind)
{
	return pointer(ksim_mmap(0, (size_t)npages * PAGE, prot, kind, fd, 0));
}

int bed_file(int npages)
{
	int fd = ksim_memfd_create("file", 0);

	SETUP(fd >= 0 && ksim_fallocate(fd, 0, 0, (off_t)npages * PAGE) == 0);
	for (int i = 0; i < npages; i++) {
		char byte = (char)('a' + i);

		SETUP(ksim_pwrite(fd, &byte, 1, (off_t)i * PAGE) == 1);
	}
	return fd;
}

/* ---- looking ---- */

struct window *bed_window(const struct ksim_process *p)
{
	SETUP(p->native != NULL);
	return p->native;
}

unsigned bed_shown(const struct ksim_process *p, const char *at)
{
	const struct place *place = bed_window(p)->place;

	SETUP(at >= place->host && (size_t)(at - place->host) < place->bytes);
	return place->shown[(size_t)(at - place->host) / PAGE];
}

unsigned long bed_mappings(const struct ksim_process *p)
{
	const struct place *place = bed_window(p)->place;

	return host_mappings_in(place->host, place->bytes);
}

/* What the host shows of a page; frame 0: nothing. */
struct host_page {
	uint8_t rights; /* HOST_SHOW_* */
	uint64_t frame;
};

/* A line of maps, as far as it lies in the window. */
static void note_mapping(struct host_page *pages, const struct place *place, const char *line)
{
	unsigned long start, end, offset, from = (unsigned long)place->host, to = from + place->bytes;
	char rights[5];

	if (sscanf(line, "%lx-%lx %4s %lx", &start, &end, rights, &offset) != 4)
		return;
	for (unsigned long at = MAX(start, from); at < MIN(end, to); at += PAGE) {
		struct host_page *page = &pages[(at - from) / PAGE];

		page->rights =
			(uint8_t)((rights[0] == 'r' ? 1 : 0) | (rights[1] == 'w' ? 2 : 0) | (rights[2] == 'x' ? 4 : 0));
		page->frame = strstr(line, "ksim-ram") != NULL ? (offset + (at - start)) / PAGE : 0;
	}
}

static void read_host(struct host_page *pages, const struct place *place)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	SETUP(maps != NULL);
	while (fgets(line, sizeof(line), maps) != NULL)
		note_mapping(pages, place, line);
	fclose(maps);
}

/* @return whether all is well */
static bool check_page(const struct ksim_process *p, size_t i, const struct host_page *host)
{
	const struct window *w = bed_window(p);
	const struct pgtable *pt = &p->kernel->mm->pt;
	pte_t pte = pt_walk(pt, p->kernel->window.user + i * PAGE);
	unsigned flags = pte_present(pte) ? pte_flags(pt->format, pte) & (PTE_READ | PTE_WRITE | PTE_EXEC) : 0;
	unsigned shown = w->place->shown[i];
	bool well;

	if (shown == 0) {
		well = host->rights == 0;
		EXPECT_MSG(well, "page %zu is not shown, but the host shows frame %#llx, rights %#x", i,
		           (unsigned long long)host->frame, host->rights);
		return well;
	}
	/* HOST_SHOW_* and PTE_* count alike. */
	well = shown == (8 | flags) && host->rights == flags && host->frame == pte_pfn(pte).n && w->lo <= i &&
	       i < w->hi;
	EXPECT_MSG(well, "page %zu of [%zu, %zu): shown %#x, entry %#x to frame %#llx; the host: %#x, frame %#llx", i,
	           w->lo, w->hi, shown, flags, (unsigned long long)pte_pfn(pte).n, host->rights,
	           (unsigned long long)host->frame);
	return well;
}

void bed_check(const struct ksim_process *p)
{
	const struct window *w = bed_window(p);
	size_t npages = w->place->bytes / PAGE;
	struct host_page *pages = calloc(npages, sizeof(*pages));
	unsigned wrong = 0;

	SETUP(pages != NULL);
	read_host(pages, w->place);
	for (size_t i = 0; i < npages && wrong < 5; i++)
		wrong += !check_page(p, i, &pages[i]);
	free(pages);
	EXPECT_MSG(bed_mappings(p) <= w->pieces + 1, "%lu mappings, counted as %llu", bed_mappings(p),
	           (unsigned long long)w->pieces);
}

/* ---- failure ---- */

static unsigned asked, fail_number;
static enum fail_kind fail_kind;

static bool fail(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	(void)arg;
	(void)ctx;
	return kind == fail_kind && ++asked == fail_number;
}

void bed_fail_at(struct ksim_machine *m, enum fail_kind kind, unsigned n)
{
	asked = 0;
	fail_number = n;
	fail_kind = kind;
	m->kernel->env.hooks.fail = n != 0 ? fail : NULL;
}

bool bed_failed(void)
{
	return asked >= fail_number;
}

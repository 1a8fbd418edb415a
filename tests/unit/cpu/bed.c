// SPDX-License-Identifier: MIT
/*
 * See bed.h. Tests run one after the other, so what shall fail is kept in one place.
 */
#include "bed.h"

#include "../no_lab.h"

static const struct machine_parts parts = {
	.cpu = CPU_PARTS,
	.lab = { .attach = no_lab_attach, .detach = no_lab_detach },
};

/* ---- life ---- */

static void boot(struct bed *b, enum ksim_arch arch, unsigned tlb_entries)
{
	const struct ksim_config config = {
		.ram_bytes = 4 << 20,
		.arch = arch,
		.tlb_entries = tlb_entries,
		.commit = KSIM_COMMIT_ON_TOUCH,
	};
	struct ksim_config filled;

	SETUP(machine_config(&config, sizeof(config), &filled) == 0);
	b->m = machine_boot(&filled, &parts);
	SETUP(b->m != NULL);
	b->p = ksim_process_create(b->m, "p");
	SETUP(b->p != NULL);
}

static void print_broken(void *arg, const char *text)
{
	(void)arg;
	EXPECT_MSG(false, "%s", text);
}

static void halt(struct bed *b)
{
	struct check_report report = { .line = print_broken };

	kernel_check(b->m->kernel, &report);
	EXPECT_EQ(ksim_halt(b->m), 0);
}

void on_both_sized(unsigned tlb_entries, bed_body *body)
{
	for (enum ksim_arch arch = KSIM_ARCH_X86_64; arch <= KSIM_ARCH_AARCH64; arch++) {
		struct bed b;

		boot(&b, arch, tlb_entries);
		ksim_as(b.p)
			body(&b);
		halt(&b);
	}
}

void on_both(bed_body *body)
{
	on_both_sized(0, body);
}

void on_both_outside(bool barrier, bed_body *body)
{
	for (enum ksim_arch arch = KSIM_ARCH_X86_64; arch <= KSIM_ARCH_AARCH64; arch++) {
		struct bed b;

		boot(&b, arch, 0);
		if (!barrier)
			bed_without_barrier(b.p);
		body(&b);
		halt(&b);
	}
}

void bed_without_barrier(struct ksim_process *p)
{
	struct tlb_domain *domain = p->cpu;

	domain->active = false;
}

/* ---- memory ---- */

static ksim_addr mapped(ksim_addr addr)
{
	SETUP(addr != KSIM_MAP_FAILED);
	return addr;
}

ksim_addr bed_map(int npages, int prot)
{
	return mapped(ksim_mmap(0, (size_t)npages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

ksim_addr bed_map_file(int npages, int prot, int *fd)
{
	*fd = ksim_memfd_create("file", 0);
	SETUP(*fd >= 0 && ksim_ftruncate(*fd, (off_t)npages * PAGE) == 0);
	return mapped(ksim_mmap(0, (size_t)npages * PAGE, prot, MAP_SHARED, *fd, 0));
}

void bed_map_at(ksim_addr at, int npages, int prot)
{
	mapped(ksim_mmap(at, (size_t)npages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

ksim_addr bed_two_pages(int first_prot, int second_prot)
{
	ksim_addr at = bed_map(2, RW);

	ksim_fill(at, 0x77, (size_t)2 * PAGE);
	SETUP(ksim_mprotect(at, PAGE, first_prot) == 0);
	SETUP(ksim_mprotect(at + PAGE, PAGE, second_prot) == 0);
	return at;
}

/* ---- looking ---- */

struct tlb *bed_tlb(void)
{
	return tlb_of(acting_task()->cpu);
}

uint64_t bed_misses(void)
{
	return bed_tlb()->task->counts.n[EVENT_TLB_MISS];
}

struct ksim_tlb_entry *bed_entry(ksim_addr addr)
{
	return ksim_tlb_entry_(ksim_cpu_self, addr);
}

bool hits_read(ksim_addr addr)
{
	return bed_entry(addr)->read_tag == KSIM_TLB_TAG_(addr, 1);
}

bool hits_write(ksim_addr addr)
{
	return bed_entry(addr)->write_tag == KSIM_TLB_TAG_(addr, 1);
}

bool tlb_is_empty(const struct tlb *tlb)
{
	size_t n = tlb->cpu.index_mask / sizeof(struct ksim_tlb_entry) + 1;

	for (size_t i = 0; i < n; i++) {
		const struct ksim_tlb_entry *e = &tlb->entries[i];

		if (e->read_tag != TLB_INVALID || e->write_tag != TLB_INVALID)
			return false;
	}
	return true;
}

unsigned bed_pte_flags(ksim_addr addr)
{
	const struct pgtable *pt = &acting_task()->ctx.mm->pt;
	pte_t pte = pt_walk(pt, addr);

	return pte_present(pte) ? pte_flags(pt->format, pte) : 0;
}

void expect_user_bytes(ksim_addr at, const void *bytes, size_t n)
{
	struct task *task = acting_task();
	char found[256];

	SETUP(n <= sizeof(found) && copy_in(&task->ctx, found, uptr_user(at), n) == 0);
	ctx_drain(&task->ctx);
	EXPECT_MEMEQ(found, bytes, n);
}

struct tlb *bed_other(struct bed *b, bool busy)
{
	struct task *task;
	struct ctx ctx;

	kernel_ctx(b->m->kernel, &ctx, "test");
	SETUP(task_create(&ctx, b->p->kernel, &task) == 0);
	if (busy)
		SETUP(task_enter(task, TASK_ACTOR_OURS));
	return tlb_of(task->cpu);
}

void bed_other_idle(struct tlb *tlb)
{
	task_leave(tlb->task);
}

void bed_invalidate(struct bed *b, ksim_addr start, ksim_addr end, bool nodes)
{
	struct ctx ctx;

	kernel_ctx(b->m->kernel, &ctx, "test");
	mm_invalidate(&ctx, b->p->kernel->mm, start, end, nodes);
}

/* ---- faults ---- */

static __thread sigjmp_buf recover;
static __thread struct caught last;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	(void)context;
	last.signo = signo;
	last.code = info->si_code;
	last.addr = (ksim_addr)(uintptr_t)info->si_addr;
	siglongjmp(recover, 1);
}

void bed_catch(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	SETUP(ksim_sigaction(SIGSEGV, &action, NULL) == 0);
	SETUP(ksim_sigaction(SIGBUS, &action, NULL) == 0);
}

bool bed_try(void (*op)(ksim_addr addr), ksim_addr addr, struct caught *caught)
{
	memset(&last, 0, sizeof(last));
	if (sigsetjmp(recover, 1) == 0)
		op(addr);
	*caught = last;
	return caught->signo != 0;
}

void expect_fault(const char *file, int line, const char *name, void (*op)(ksim_addr), ksim_addr addr, int signo,
                  int code, ksim_addr where)
{
	struct caught caught;

	bed_try(op, addr, &caught);
	harness_check_msg(file, line, false, name, caught.signo == signo && caught.code == code && caught.addr == where,
	                  "at %#llx: signal %d code %d at %#llx, not signal %d code %d at %#llx",
	                  (unsigned long long)addr, caught.signo, caught.code, (unsigned long long)caught.addr, signo,
	                  code, (unsigned long long)where);
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

void bed_fail_at(struct bed *b, enum fail_kind kind, unsigned n)
{
	asked = 0;
	fail_number = n;
	fail_kind = kind;
	b->m->kernel->env.hooks.fail = n != 0 ? fail : NULL;
}

bool bed_failed(void)
{
	return asked >= fail_number;
}

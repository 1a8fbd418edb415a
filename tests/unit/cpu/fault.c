// SPDX-License-Identifier: MIT
/*
 * What becomes of a fault: which handler runs, with what blocked, how it may leave, and when there is none.
 * sigaction(2), signal(7): a fault whose signal is blocked or ignored kills.
 */
#include "bed.h"

/* What handlers and bodies tell each other; tests run one after the other. */
static struct {
	ksim_addr page; /* what the handler maps, or touches */
	unsigned calls;
	unsigned depth;
	int signo, code;
	ksim_addr addr;
	bool context_is_null;
	sigset_t inside; /* blocked while the handler ran */
	sigset_t host_inside;
	struct bed *bed;
	uint64_t value;
} shared;

static void note(int signo, siginfo_t *info, void *context)
{
	shared.calls++;
	shared.signo = signo;
	shared.code = info->si_code;
	shared.addr = (ksim_addr)(uintptr_t)info->si_addr;
	shared.context_is_null = context == NULL;
	ksim_sigprocmask(SIG_BLOCK, NULL, &shared.inside);
	pthread_sigmask(SIG_BLOCK, NULL, &shared.host_inside);
}

static void set_action(int signo, void (*handler)(int, siginfo_t *, void *), int flags, int masked)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	sigemptyset(&action.sa_mask);
	if (masked != 0)
		sigaddset(&action.sa_mask, masked);
	SETUP(ksim_sigaction(signo, &action, NULL) == 0);
}

static bool is_blocked(int signo)
{
	sigset_t now;

	if (ksim_self() == NULL)
		return pthread_sigmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, signo) == 1;
	return ksim_sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, signo) == 1;
}

static void start(struct bed *b)
{
	memset(&shared, 0, sizeof(shared));
	shared.bed = b;
}

/* Run in the process, and expect that this is its end. */
static void expect_death(struct bed *b, int (*fn)(void *), int signo, int code, ksim_addr addr)
{
	struct ksim_end end;

	EXPECT_EQ(ksim_run(b->p, fn, b, &end), 0);
	EXPECT_MSG(!end.alive && end.signo == signo && end.si_code == code && end.addr == addr,
	           "signal %d code %d at %#llx expected: %s", signo, code, (unsigned long long)addr, end.text);
	EXPECT(!is_blocked(SIGSEGV) && !is_blocked(SIGBUS) && !is_blocked(SIGUSR1));
}

static void expect_survival(struct bed *b, int (*fn)(void *))
{
	struct ksim_end end;

	EXPECT_EQ(ksim_run(b->p, fn, b, &end), 0);
	EXPECT_MSG(end.alive && end.code == 0, "%s, result %d", end.text, end.code);
	EXPECT(!is_blocked(SIGSEGV) && !is_blocked(SIGBUS) && !is_blocked(SIGUSR1));
}

/* ---- handlers that return ---- */

static void map_page(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	bed_map_at(shared.page, 1, RW);
}

static int touch_unmapped(void *arg)
{
	ksim_addr at = bed_map(1, RW);

	start(arg);
	set_action(SIGSEGV, map_page, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_EQ(ksim_munmap(at, PAGE), 0);
		shared.page = at;
		if (i == 0)
			EXPECT_EQ(ksim_load32(at + 12), 0);
		else if (i == 1)
			ksim_store32(at + 12, 5);
		else
			EXPECT_EQ(ksim_atomic_fetch_add32(at + 12, 5), 0);
		EXPECT_EQ(shared.calls, i + 1);
		EXPECT(shared.signo == SIGSEGV && shared.code == SEGV_MAPERR && shared.addr == at + 12);
		EXPECT(shared.context_is_null);
		EXPECT_EQ(ksim_load32(at + 12), i == 0 ? 0 : 5);
	}
	return 0;
}

static void retry_body(struct bed *b)
{
	expect_survival(b, touch_unmapped);
}

TEST(fault, handler_that_maps_the_page_and_returns_has_the_access_tried_again)
{
	on_both_outside(true, retry_body);
	on_both_outside(false, retry_body);
}

/* Gives one page of two at a time, and itself loads and stores across pages. */
static void map_next_and_load_across(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	ksim_store64(shared.page + PAGE - 4, UINT64_C(0xeeeeeeeeeeeeeeee));
	EXPECT_EQ(ksim_load64(shared.page + PAGE - 4), UINT64_C(0xeeeeeeeeeeeeeeee));
	EXPECT_EQ(ksim_mprotect(page_down(shared.addr), PAGE, RW), 0);
}

static int access_across_in_steps(void *arg)
{
	ksim_addr at = bed_two_pages(RW, RW);

	start(arg);
	shared.page = bed_map(2, RW);
	set_action(SIGSEGV, map_next_and_load_across, 0, 0);
	ksim_store64(at + PAGE - 4, UINT64_C(0x8877665544332211));
	EXPECT_EQ(ksim_mprotect(at + PAGE, PAGE, PROT_NONE), 0);
	EXPECT_EQ(ksim_load64(at + PAGE - 4), 0x8877665544332211);
	EXPECT_EQ(shared.calls, 1);
	EXPECT_EQ(ksim_mprotect(at, (size_t)2 * PAGE, PROT_NONE), 0);
	EXPECT_EQ(ksim_load64(at + PAGE - 4), 0x8877665544332211);
	EXPECT_EQ(shared.calls, 3);
	EXPECT_EQ(ksim_mprotect(at, (size_t)2 * PAGE, PROT_READ), 0);
	ksim_store64(at + PAGE - 4, 1);
	EXPECT_EQ(shared.calls, 5);
	EXPECT_EQ(ksim_load64(at + PAGE - 4), 1);
	return 0;
}

static void across_body(struct bed *b)
{
	expect_survival(b, access_across_in_steps);
}

/* What the handler loads is not mixed into the value that the interrupted load puts together. */
TEST(fault, handler_in_the_middle_of_an_access_across_pages_may_access_across_pages)
{
	on_both_outside(true, across_body);
}

/* Takes the first page away while it gives the second. */
static void swap_pages(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	EXPECT_EQ(ksim_mprotect(page_down(shared.addr), PAGE, RW), 0);
	if (shared.calls == 1) {
		ksim_fill(shared.page, 0x99, PAGE);
		EXPECT_EQ(ksim_mprotect(shared.page, PAGE, PROT_NONE), 0);
	}
}

static int access_across_while_pages_go(void *arg)
{
	for (unsigned i = 0; i < 2; i++) {
		start(arg);
		shared.page = bed_two_pages(RW, PROT_NONE);
		set_action(SIGSEGV, swap_pages, 0, 0);
		if (i == 0) {
			EXPECT_EQ(ksim_load32(shared.page + PAGE - 2), 0x77779999);
		} else {
			ksim_store32(shared.page + PAGE - 2, 0x44332211);
			EXPECT_EQ(ksim_load32(shared.page + PAGE - 2), 0x44332211);
		}
		/* The second page; then the first one, again. */
		EXPECT_EQ(shared.calls, 2);
		EXPECT_EQ(shared.addr, shared.page + PAGE - 2);
	}
	return 0;
}

static void restart_body(struct bed *b)
{
	expect_survival(b, access_across_while_pages_go);
}

TEST(fault, access_across_pages_starts_again_after_a_handler)
{
	on_both_outside(true, restart_body);
}

static sigjmp_buf out;

/* At each fault gives the page and takes the other one; the third time it jumps. */
static void alternate(int signo, siginfo_t *info, void *context)
{
	ksim_addr page;

	note(signo, info, context);
	if (shared.calls == 3)
		siglongjmp(out, 1);
	page = page_down(shared.addr);
	EXPECT_EQ(ksim_mprotect(page, PAGE, RW), 0);
	EXPECT_EQ(ksim_mprotect(page == shared.page ? page + PAGE : shared.page, PAGE, PROT_NONE), 0);
}

static int store_between_two_stools(void *arg)
{
	start(arg);
	shared.page = bed_two_pages(RW, PROT_NONE);
	set_action(SIGSEGV, alternate, 0, 0);
	if (sigsetjmp(out, 1) == 0)
		ksim_store32(shared.page + PAGE - 2, 0x44332211);
	EXPECT_EQ(shared.calls, 3);
	EXPECT_EQ(shared.addr, shared.page + PAGE);
	EXPECT_EQ(ksim_mprotect(shared.page, (size_t)2 * PAGE, RW), 0);
	EXPECT_EQ(ksim_load32(shared.page + PAGE - 2), 0x77777777);
	return 0;
}

static void stools_body(struct bed *b)
{
	expect_survival(b, store_between_two_stools);
}

TEST(fault, store_across_pages_changes_nothing_while_handlers_take_one_of_them)
{
	on_both_outside(true, stools_body);
}

static int copy_through_holes(void *arg)
{
	static char bytes[4 * PAGE];
	ksim_addr at = bed_map(4, RW);

	start(arg);
	shared.page = bed_map(2, RW);
	set_action(SIGSEGV, map_next_and_load_across, 0, 0);
	ksim_fill(at, 0x77, sizeof(bytes));
	EXPECT_EQ(ksim_mprotect(at, sizeof(bytes), PROT_NONE), 0);
	ksim_copy_from(bytes, at + 100, sizeof(bytes) - 100);
	EXPECT_EQ(shared.calls, 4);
	for (unsigned i = 0; i < sizeof(bytes) - 100; i++)
		if (bytes[i] != 0x77)
			EXPECT_MSG(false, "byte %u is %#x", i, bytes[i]);
	return 0;
}

static void copy_body(struct bed *b)
{
	expect_survival(b, copy_through_holes);
}

TEST(fault, copy_goes_on_after_a_handler)
{
	on_both_outside(true, copy_body);
}

static void plain_handler(int signo)
{
	shared.calls++;
	shared.signo = signo;
	bed_map_at(shared.page, 1, RW);
}

static int is_called_plainly(void *arg)
{
	struct sigaction action = { .sa_handler = plain_handler };

	start(arg);
	shared.page = bed_map(1, PROT_NONE);
	SETUP(ksim_sigaction(SIGSEGV, &action, NULL) == 0);
	EXPECT_EQ(ksim_load8(shared.page), 0);
	EXPECT(shared.calls == 1 && shared.signo == SIGSEGV);
	return 0;
}

static void plain_body(struct bed *b)
{
	expect_survival(b, is_called_plainly);
}

TEST(fault, handler_without_SA_SIGINFO_gets_the_signal_alone)
{
	on_both_outside(true, plain_body);
}

static void align(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	if (shared.calls == 3)
		ksim_exit(7);
}

static int atomic_misaligned(void *arg)
{
	start(arg);
	set_action(SIGBUS, align, 0, 0);
	return (int)ksim_atomic_load32(bed_map(1, RW) + 2);
}

static void misaligned_body(struct bed *b)
{
	struct ksim_end end;

	EXPECT_EQ(ksim_run(b->p, atomic_misaligned, b, &end), 0);
	EXPECT(!end.alive && end.signo == 0 && end.code == 7);
	EXPECT(shared.code == BUS_ADRALN && shared.calls == 3);
}

TEST(fault, handler_that_changes_nothing_runs_again_and_again)
{
	on_both_outside(true, misaligned_body);
}

/* ---- handlers that jump ---- */

static void jump_out(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	siglongjmp(out, 1);
}

static bool try_load(ksim_addr addr)
{
	if (sigsetjmp(out, 1) != 0)
		return false;
	ksim_load64(addr);
	return true;
}

static int jump_often(void *arg)
{
	ksim_addr at = bed_two_pages(RW, PROT_NONE);

	start(arg);
	set_action(SIGSEGV, jump_out, 0, SIGBUS);
	for (unsigned i = 0; i < 5; i++) {
		EXPECT(!try_load(at + PAGE));
		EXPECT(!try_load(at + PAGE - 1));
		EXPECT(try_load(at));
		EXPECT(sigismember(&shared.inside, SIGSEGV) == 1 && sigismember(&shared.inside, SIGBUS) == 1);
		EXPECT(!is_blocked(SIGSEGV) && !is_blocked(SIGBUS));
		EXPECT_EQ(ksim_cpu_self->hazard, 0);
	}
	EXPECT_EQ(shared.calls, 10);
	return 0;
}

static void jump_body(struct bed *b)
{
	expect_survival(b, jump_often);
}

TEST(fault, handler_may_leave_by_siglongjmp_any_number_of_times)
{
	on_both_outside(true, jump_body);
}

static int jump_without_mask(void *arg)
{
	ksim_addr at = bed_map(1, PROT_NONE);

	start(arg);
	set_action(SIGSEGV, jump_out, 0, 0);
	if (sigsetjmp(out, 0) == 0)
		ksim_load8(at);
	EXPECT(is_blocked(SIGSEGV)); /* as on Linux: nothing has unblocked it */
	ksim_load8(16);
	return 0;
}

static void jump_without_mask_body(struct bed *b)
{
	expect_death(b, jump_without_mask, SIGSEGV, SEGV_MAPERR, 16);
	EXPECT_EQ(shared.calls, 1);
}

TEST(fault, after_a_jump_that_does_not_restore_the_mask_the_next_one_kills)
{
	on_both_outside(true, jump_without_mask_body);
}

/* ---- what is blocked meanwhile ---- */

/* What a handler set so runs with: 1 SIGSEGV, 2 SIGUSR1, 4 SIGUSR2 blocked. */
static int mask_of(int flags, int masked)
{
	shared.calls = 0;
	shared.page = bed_map(1, PROT_NONE);
	set_action(SIGSEGV, map_page, flags, masked);
	EXPECT_EQ(ksim_load8(shared.page), 0);
	EXPECT_EQ(shared.calls, 1);
	EXPECT(!is_blocked(SIGSEGV) && !is_blocked(SIGUSR1));
	return sigismember(&shared.inside, SIGSEGV) | sigismember(&shared.inside, SIGUSR1) << 1 |
	       sigismember(&shared.inside, SIGUSR2) << 2;
}

static int masks(void *arg)
{
	sigset_t usr2, before;

	start(arg);
	EXPECT_EQ(mask_of(0, 0), 1);
	EXPECT_EQ(mask_of(0, SIGUSR1), 3);
	EXPECT_EQ(mask_of(SA_NODEFER, 0), 0);
	EXPECT_EQ(mask_of(SA_NODEFER, SIGUSR1), 2);
	EXPECT_EQ(mask_of(SA_NODEFER, SIGSEGV), 1);
	/* What was blocked before stays so, in it and after it. */
	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	ksim_sigprocmask(SIG_BLOCK, &usr2, &before);
	EXPECT_EQ(mask_of(0, SIGUSR1), 7);
	EXPECT(is_blocked(SIGUSR2));
	ksim_sigprocmask(SIG_SETMASK, &before, NULL);
	return 0;
}

static void masks_body(struct bed *b)
{
	expect_survival(b, masks);
}

TEST(fault, handler_runs_with_its_mask_and_its_own_signal_blocked)
{
	on_both_outside(true, masks_body);
}

/* Runs into the same fault itself, at first. */
static void fault_within(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	shared.depth++;
	if (shared.depth < 3)
		EXPECT_EQ(ksim_load8(shared.page + PAGE), 0);
	bed_map_at(page_down((ksim_addr)(uintptr_t)info->si_addr), 1, RW);
	shared.depth--;
}

static int fault_in_handler(void *arg)
{
	start(arg);
	shared.page = bed_map(2, PROT_NONE);
	set_action(SIGSEGV, fault_within, 0, 0);
	return ksim_load8(shared.page);
}

static int fault_in_nodefer_handler(void *arg)
{
	start(arg);
	shared.page = bed_map(2, PROT_NONE);
	set_action(SIGSEGV, fault_within, SA_NODEFER, 0);
	EXPECT_EQ(ksim_load8(shared.page), 0);
	EXPECT_EQ(shared.calls, 3);
	return 0;
}

static void nested_body(struct bed *b)
{
	struct ksim_end end;

	expect_survival(b, fault_in_nodefer_handler);
	EXPECT_EQ(ksim_run(b->p, fault_in_handler, b, &end), 0);
	EXPECT(!end.alive && end.signo == SIGSEGV && end.addr == shared.page + PAGE);
	EXPECT_EQ(shared.calls, 1);
	EXPECT(!is_blocked(SIGSEGV));
}

TEST(fault, of_the_same_signal_in_its_handler_kills_unless_SA_NODEFER)
{
	on_both_outside(true, nested_body);
}

static void bus_in_handler(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	if (signo == SIGSEGV)
		ksim_load8(shared.page);
	ksim_exit(9);
}

static int bus_in_segv(struct bed *b, int masked)
{
	int fd;

	start(b);
	shared.page = bed_map_file(1, RW, &fd);
	EXPECT_EQ(ksim_ftruncate(fd, 0), 0);
	set_action(SIGSEGV, bus_in_handler, 0, masked);
	set_action(SIGBUS, bus_in_handler, 0, 0);
	ksim_load8(0);
	return 0;
}

static int bus_while_masked(void *arg)
{
	return bus_in_segv(arg, SIGBUS);
}

static int bus_while_open(void *arg)
{
	return bus_in_segv(arg, 0);
}

static void sa_mask_body(struct bed *b)
{
	struct ksim_process *q = ksim_process_create(b->m, "q");
	struct ksim_end end;

	SETUP(q != NULL);
	EXPECT_EQ(ksim_run(b->p, bus_while_masked, b, &end), 0);
	EXPECT(!end.alive && end.signo == SIGBUS && end.si_code == BUS_ADRERR && end.addr == shared.page);
	EXPECT_EQ(shared.calls, 1);
	EXPECT_EQ(ksim_run(q, bus_while_open, b, &end), 0);
	EXPECT(!end.alive && end.signo == 0 && end.code == 9);
	EXPECT_EQ(shared.calls, 2);
	EXPECT(!is_blocked(SIGSEGV) && !is_blocked(SIGBUS));
}

TEST(fault, whose_signal_a_handlers_sa_mask_blocks_kills)
{
	on_both_outside(true, sa_mask_body);
}

/* ---- no handler ---- */

static int twice_with_resethand(void *arg)
{
	struct sigaction now;

	start(arg);
	shared.page = bed_map(1, PROT_NONE);
	set_action(SIGSEGV, map_page, SA_RESETHAND, 0);
	EXPECT_EQ(ksim_load8(shared.page), 0);
	EXPECT_EQ(shared.calls, 1);
	EXPECT_EQ(ksim_sigaction(SIGSEGV, NULL, &now), 0);
	EXPECT(now.sa_handler == SIG_DFL);
	ksim_load8(16);
	return 0;
}

static void resethand_body(struct bed *b)
{
	expect_death(b, twice_with_resethand, SIGSEGV, SEGV_MAPERR, 16);
	EXPECT_EQ(shared.calls, 1);
}

TEST(fault, handler_with_SA_RESETHAND_runs_once)
{
	on_both_outside(true, resethand_body);
}

static int load_at_16(void *arg)
{
	(void)arg;
	return ksim_load8(16);
}

static int load_while_ignored(void *arg)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	SETUP(ksim_sigaction(SIGSEGV, &action, NULL) == 0);
	return load_at_16(arg);
}

static int load_while_blocked(void *arg)
{
	sigset_t set;

	start(arg);
	set_action(SIGSEGV, map_page, 0, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	ksim_sigprocmask(SIG_BLOCK, &set, NULL);
	return load_at_16(arg);
}

static void ignored_body(struct bed *b)
{
	expect_death(b, load_while_ignored, SIGSEGV, SEGV_MAPERR, 16);
}

static void blocked_body(struct bed *b)
{
	expect_death(b, load_while_blocked, SIGSEGV, SEGV_MAPERR, 16);
	EXPECT_EQ(shared.calls, 0);
}

static void default_body(struct bed *b)
{
	expect_death(b, load_at_16, SIGSEGV, SEGV_MAPERR, 16);
}

TEST(fault, whose_signal_is_ignored_blocked_or_not_handled_kills)
{
	on_both_outside(true, ignored_body);
	on_both_outside(true, blocked_body);
	on_both_outside(true, default_body);
}

static void never(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
}

static int write_without_memory(void *arg)
{
	struct bed *b = arg;
	ksim_addr at = bed_map(1, RW);

	start(b);
	set_action(SIGSEGV, never, 0, 0);
	set_action(SIGBUS, never, 0, 0);
	shared.page = at;
	bed_fail_at(b, FAIL_FRAME, 1);
	ksim_store8(at, 1);
	return 0;
}

static void sigkill_body(struct bed *b)
{
	struct ksim_end end;

	EXPECT_EQ(ksim_run(b->p, write_without_memory, b, &end), 0);
	bed_fail_at(b, FAIL_FRAME, 0);
	EXPECT(!end.alive && end.signo == SIGKILL);
	EXPECT_EQ(shared.calls, 0);
}

TEST(fault, for_want_of_memory_is_SIGKILL_which_no_handler_sees)
{
	on_both_outside(true, sigkill_body);
}

/* ---- other ends and other processes ---- */

static void end_own_process(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	EXPECT_EQ(ksim_process_end(shared.bed->p, 21), 0);
}

static int end_in_handler(void *arg)
{
	start(arg);
	set_action(SIGSEGV, end_own_process, 0, SIGUSR1);
	return load_at_16(arg);
}

static int end_in_handler_of_misaligned(void *arg)
{
	start(arg);
	set_action(SIGBUS, end_own_process, 0, SIGUSR1);
	return (int)ksim_atomic_load64(bed_map(1, RW) + 4);
}

static void ended(struct bed *b, int (*fn)(void *))
{
	struct ksim_end end;

	EXPECT_EQ(ksim_run(b->p, fn, b, &end), 0);
	EXPECT(!end.alive && end.signo == 0 && end.code == 21);
	EXPECT_EQ(shared.calls, 1);
	EXPECT(!is_blocked(SIGSEGV) && !is_blocked(SIGUSR1));
}

static void ended_body(struct bed *b)
{
	ended(b, end_in_handler);
}

static void ended_misaligned_body(struct bed *b)
{
	ended(b, end_in_handler_of_misaligned);
}

TEST(fault, handler_in_which_the_process_ends_does_not_return_to_the_access)
{
	on_both_outside(true, ended_body);
	on_both_outside(true, ended_misaligned_body);
}

static void act_as_another(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	ksim_as(shared.bed->p)
		shared.value = ksim_load64(shared.page);
	bed_map_at(page_down(shared.addr), 1, RW);
}

static int fault_as_q(void *arg)
{
	ksim_addr at = bed_map(1, PROT_NONE);

	(void)arg;
	set_action(SIGSEGV, act_as_another, 0, 0);
	EXPECT_EQ(ksim_load64(at), 0);
	EXPECT_EQ(shared.value, 99);
	return 0;
}

static void another_body(struct bed *b)
{
	struct ksim_process *q = ksim_process_create(b->m, "q");
	struct ksim_end end;

	SETUP(q != NULL);
	start(b);
	ksim_as(b->p) {
		shared.page = bed_map(1, RW);
		ksim_store64(shared.page, 99);
	}
	EXPECT_EQ(ksim_run(q, fault_as_q, NULL, &end), 0);
	EXPECT_MSG(end.alive && end.code == 0, "%s", end.text);
	EXPECT_EQ(shared.calls, 1);
}

TEST(fault, handler_may_act_as_another_process_meanwhile)
{
	on_both_outside(true, another_body);
}

/* ---- accesses by addresses of the host's ---- */

/* What fault_deliver is told of such an access. */
static struct {
	unsigned calls;  /* of the kernel, for the thread */
	bool in_kernel;  /* one is under way */
	bool ran_inside; /* a handler, in the middle of one */
	void *context;   /* as the handler got it */
	uintptr_t address;
} direct;

static void call_kernel(void (*fn)(void *arg), void *arg)
{
	direct.calls++;
	direct.in_kernel = true;
	fn(arg);
	direct.in_kernel = false;
}

static void note_direct(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	direct.ran_inside |= direct.in_kernel;
	direct.context = context;
	direct.address = (uintptr_t)info->si_addr;
}

/* As the host's signal handler does; at `at` there is memory that may not be written. */
static void deliver_at(ksim_addr at, int signo, enum access access, void *context)
{
	const struct fault fault = { .signo = signo, .code = SEGV_ACCERR, .addr = at };

	memset(&direct, 0, sizeof(direct));
	fault_deliver(bed_tlb(), &fault, 0, access, context, call_kernel);
}

static int deliver_with_context(void *arg)
{
	ksim_addr at = bed_map(1, PROT_READ);
	char context;

	start(arg);
	set_action(SIGSEGV, note_direct, 0, 0);
	deliver_at(at + 5, SIGSEGV, ACCESS_WRITE, &context);
	EXPECT_EQ(shared.calls, 1);
	EXPECT(direct.context == &context);
	EXPECT_EQ(direct.address, at + 5); /* there is no window */
	EXPECT_EQ(direct.calls, 1);
	EXPECT(!direct.ran_inside); /* the handler is the program's */
	return 0;
}

static void context_body(struct bed *b)
{
	expect_survival(b, deliver_with_context);
}

TEST(fault, delivered_for_another_decides_by_its_call_and_gives_the_handler_its_context)
{
	on_both_outside(true, context_body);
}

static int deliver_and_die(void *arg)
{
	ksim_addr at = bed_map(1, PROT_READ);

	start(arg);
	shared.addr = at + 9;
	deliver_at(at + 9, SIGSEGV, ACCESS_WRITE, NULL);
	return 0;
}

static int deliver_execution(void *arg)
{
	shared.addr = bed_map(1, PROT_READ);
	(void)arg;
	deliver_at(shared.addr, SIGSEGV, ACCESS_EXEC, NULL);
	return 0;
}

static void expect_sizeless(struct bed *b, int (*fn)(void *), const char *verb)
{
	struct ksim_process *p = ksim_process_create(b->m, "d");
	struct ksim_end end;
	char text[128];

	SETUP(p != NULL);
	EXPECT_EQ(ksim_run(p, fn, b, &end), 0);
	snprintf(text, sizeof(text), "killed by SIGSEGV SEGV_ACCERR: %s at %#llx, mapped r--", verb,
	         (unsigned long long)shared.addr);
	EXPECT_CONTAINS(end.text, text);
	EXPECT_EQ(direct.calls, 1);
}

static void sizeless_body(struct bed *b)
{
	expect_sizeless(b, deliver_and_die, "write");
	expect_sizeless(b, deliver_execution, "execution");
}

TEST(fault, of_an_access_of_unknown_size_kills_with_a_sentence_without_one)
{
	on_both_outside(true, sizeless_body);
}

/* ---- processes with a window ---- */

static char window[PAGE];

/* As if the process's page at `at` appeared in there. */
static void give_window(struct bed *b, ksim_addr at)
{
	b->p->kernel->window = (struct user_window){ (uintptr_t)window, PAGE, at };
}

static int deliver_in_window(void *arg)
{
	ksim_addr at = bed_map(1, PROT_READ);

	start(arg);
	give_window(arg, at);
	set_action(SIGSEGV, note_direct, 0, 0);
	deliver_at(at + 100, SIGSEGV, ACCESS_WRITE, NULL);
	EXPECT_EQ(direct.address, (uintptr_t)window + 100);
	deliver_at(at + PAGE, SIGSEGV, ACCESS_WRITE, NULL); /* behind it */
	EXPECT_EQ(direct.address, at + PAGE);
	return 0;
}

static void window_body(struct bed *b)
{
	expect_survival(b, deliver_in_window);
}

TEST(fault, in_a_window_has_the_programs_own_pointer_as_si_addr)
{
	on_both_outside(true, window_body);
}

static int blocks_segv(void *arg)
{
	ksim_addr at = bed_map(1, PROT_READ);

	start(arg);
	give_window(arg, at);
	set_action(SIGSEGV, note_direct, 0, SIGBUS);
	deliver_at(at, SIGSEGV, ACCESS_WRITE, NULL);
	EXPECT_EQ(shared.calls, 1);
	EXPECT(sigismember(&shared.inside, SIGSEGV) == 1 && sigismember(&shared.inside, SIGBUS) == 1);
	EXPECT(sigismember(&shared.host_inside, SIGSEGV) == 0 && sigismember(&shared.host_inside, SIGBUS) == 0);
	EXPECT(!is_blocked(SIGSEGV) && !is_blocked(SIGBUS));
	set_action(SIGSEGV, note_direct, SA_NODEFER, SIGUSR1);
	deliver_at(at, SIGSEGV, ACCESS_WRITE, NULL);
	EXPECT_EQ(sigismember(&shared.inside, SIGSEGV), 0);
	EXPECT_EQ(sigismember(&shared.inside, SIGUSR1), 1);
	EXPECT_EQ(sigismember(&shared.host_inside, SIGUSR1), 0);
	return 0;
}

static void host_mask_body(struct bed *b)
{
	expect_survival(b, blocks_segv);
}

TEST(fault, never_blocks_the_hosts_signals)
{
	on_both_outside(true, host_mask_body);
}

/* The host's own signal being blocked says nothing. */
static int deliver_while_blocked(void *arg)
{
	ksim_addr at = bed_map(1, PROT_READ);
	sigset_t set, before;

	start(arg);
	give_window(arg, at);
	set_action(SIGSEGV, note_direct, 0, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	deliver_at(at, SIGSEGV, ACCESS_WRITE, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	EXPECT_EQ(shared.calls, 1);
	EXPECT_EQ(ksim_sigprocmask(SIG_BLOCK, &set, NULL), 0);
	shared.addr = at;
	deliver_at(at, SIGSEGV, ACCESS_WRITE, NULL);
	return 0;
}

static void told_to_block_body(struct bed *b)
{
	struct ksim_end end;

	EXPECT_EQ(ksim_run(b->p, deliver_while_blocked, b, &end), 0);
	EXPECT_MSG(!end.alive && end.signo == SIGSEGV && end.addr == shared.addr, "%s", end.text);
	EXPECT_EQ(shared.calls, 1);
}

TEST(fault, whose_signal_the_process_blocks_kills_it)
{
	on_both_outside(true, told_to_block_body);
}

// SPDX-License-Identifier: MIT
/*
 * SIGSEGV that is none of ours goes to whoever had the signal before, as the host would have given it to them. Each
 * test runs in a forked child, which says by its exit status what became of it.
 */
#include "bed.h"

#include "base/sanitize.h"
#include "host/window.h"
#include "unit/aborts.h"

enum { HANDLED = 7, SURVIVED = 9 };

/* What to do in the child. */
struct plan {
	void (*handler)(int); /* of the one who has the signal before; not used with SA_SIGINFO */
	int flags;
	int masked;
	void (*act)(void); /* when ksim has taken the signal; the child survives it, or not */
};

/* Memory of the program's that faults, and is no process's. */
static char *wild;

/* What the handler from before found. */
static struct {
	unsigned calls;
	int signo, code;
	void *addr;
	sigset_t inside;
} seen;

static void note(int signo)
{
	seen.calls++;
	seen.signo = signo;
	pthread_sigmask(SIG_BLOCK, NULL, &seen.inside);
}

static void repair_plain(int signo)
{
	note(signo);
	mprotect(wild, PAGE, RW);
}

static void repair_with_info(int signo, siginfo_t *info, void *context)
{
	seen.code = info->si_code;
	seen.addr = context != NULL ? info->si_addr : NULL;
	repair_plain(signo);
}

static bool was_blocked(int signo)
{
	return sigismember(&seen.inside, signo) == 1;
}

static bool is_blocked(int signo)
{
	sigset_t now;

	return pthread_sigmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, signo) == 1;
}

static void carry_out(void *arg)
{
	const struct plan *plan = arg;
	struct sigaction action = { .sa_handler = plan->handler, .sa_flags = plan->flags };
	struct ksim_machine *m;

	if (plan->flags & SA_SIGINFO)
		action.sa_sigaction = repair_with_info;
	sigemptyset(&action.sa_mask);
	if (plan->masked != 0)
		sigaddset(&action.sa_mask, plan->masked);
	if (sigaction(SIGSEGV, &action, NULL) != 0)
		_exit(100);
	wild = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VALGRIND_MAKE_MEM_DEFINED(wild, PAGE); /* it is the host that judges */
	m = bed_boot(KSIM_ARCH_X86_64, BED_RAM_BYTES, MIB);
	ksim_as(bed_process(m))
		plan->act();
	_exit(SURVIVED);
}

/* The child's end: SURVIVED or HANDLED with nothing said, or death by SIGSEGV. */
static void expect_end(struct plan plan, int status_wanted, const char *said)
{
	char text[1000];
	int status;

	aborts_run(carry_out, &plan, text, sizeof(text), &status);
	EXPECT_MSG(status == status_wanted, "wait status %#x, not %#x; %s", status, status_wanted, text);
	if (said[0] == '\0') /* by us: an emulator says more */
		EXPECT_MSG(strstr(text, "ksim:") == NULL, "it said: %s", text);
	else
		EXPECT_CONTAINS(text, said);
}

#define EXITS(code) ((code) << 8)

/* ---- handlers ---- */

static void store_wildly(void)
{
	bed_store(wild + 5, 'w');
	if (seen.calls == 1 && seen.signo == SIGSEGV && wild[5] == 'w')
		_exit(HANDLED);
}

TEST(fault, wild_access_goes_to_a_plain_handler_and_is_tried_again)
{
	expect_end((struct plan){ .handler = repair_plain, .act = store_wildly }, EXITS(HANDLED), "");
}

static void store_wildly_and_look(void)
{
	bed_store(wild + 5, 'w');
	if (seen.calls == 1 && seen.addr == wild + 5 && seen.code == SEGV_ACCERR)
		_exit(HANDLED);
}

TEST(fault, wild_access_goes_to_a_handler_with_SA_SIGINFO_with_the_hosts_own_words)
{
	expect_end((struct plan){ .flags = SA_SIGINFO, .act = store_wildly_and_look }, EXITS(HANDLED), "");
}

static void look_at_mask(void)
{
	bed_store(wild, 'w');
	if (was_blocked(SIGSEGV) && was_blocked(SIGUSR1) && !was_blocked(SIGUSR2) && !is_blocked(SIGSEGV) &&
	    !is_blocked(SIGUSR1))
		_exit(HANDLED);
}

static void look_at_mask_of_nodefer(void)
{
	bed_store(wild, 'w');
	if (!was_blocked(SIGSEGV) && was_blocked(SIGUSR1))
		_exit(HANDLED);
}

TEST(fault, handler_from_before_runs_with_its_mask)
{
	struct plan plan = { .handler = repair_plain, .masked = SIGUSR1, .act = look_at_mask };

	if (KSIM_TSAN)
		SKIP("the sanitizer blocks all signals in handlers");
	expect_end(plan, EXITS(HANDLED), "");
	plan.flags = SA_NODEFER;
	plan.act = look_at_mask_of_nodefer;
	expect_end(plan, EXITS(HANDLED), "");
}

/* ---- no handler ---- */

static void just_store(void)
{
	bed_store(wild, 'w');
}

TEST(fault, wild_access_without_a_handler_kills_the_program)
{
	expect_end((struct plan){ .handler = SIG_DFL, .act = just_store }, SIGSEGV, "");
}

/* sigaction(2): to ignore a signal that the machine raises is undefined; Linux kills. */
TEST(fault, wild_access_that_is_ignored_kills_the_program)
{
	expect_end((struct plan){ .handler = SIG_IGN, .act = just_store }, SIGSEGV, "");
}

/* ---- sent ---- */

static void raise_it(void)
{
	raise(SIGSEGV);
	if (seen.calls == 1 && seen.signo == SIGSEGV)
		_exit(HANDLED);
}

static void kill_it(void)
{
	kill(getpid(), SIGSEGV);
	if (seen.calls == 1 && seen.code == SI_USER)
		_exit(HANDLED);
}

TEST(fault, signal_that_is_sent_goes_to_the_handler_from_before)
{
	expect_end((struct plan){ .handler = repair_plain, .act = raise_it }, EXITS(HANDLED), "");
	expect_end((struct plan){ .flags = SA_SIGINFO, .act = kill_it }, EXITS(HANDLED), "");
}

TEST(fault, signal_that_is_sent_and_was_ignored_is_ignored)
{
	expect_end((struct plan){ .handler = SIG_IGN, .act = raise_it }, EXITS(SURVIVED), "");
	expect_end((struct plan){ .handler = SIG_IGN, .act = kill_it }, EXITS(SURVIVED), "");
}

TEST(fault, signal_that_is_sent_without_a_handler_kills_the_program)
{
	expect_end((struct plan){ .handler = SIG_DFL, .act = raise_it }, SIGSEGV, "");
	expect_end((struct plan){ .handler = SIG_DFL, .act = kill_it }, SIGSEGV, "");
}

/* ---- windows of others ---- */

static void store_in_anothers_window(void)
{
	struct ksim_machine *m = process_handle(acting_task()->process)->machine;
	struct ksim_process *other = ksim_process_create(m, "other");

	if (other != NULL)
		bed_store(bed_window(other)->place->host, 1);
}

TEST(fault, access_to_the_window_of_another_says_whose_it_is_and_kills_the_program)
{
	expect_end((struct plan){ .handler = SIG_DFL, .act = store_in_anothers_window }, SIGSEGV,
	           ", in the window of other (");
}

/* As many mappings as the host allows, by the program itself; then its window has none. */
static void load_without_a_mapping_left(void)
{
	char *at = bed_map(1, RW, MAP_PRIVATE);
	size_t npages = 200000;
	char *many = mmap(NULL, npages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	for (size_t i = 0; many != MAP_FAILED && i < npages; i += 2)
		if (mprotect(many + i * PAGE, PAGE, PROT_READ) != 0) {
			/* One more: what a split leaves. */
			(void)mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			bed_load(at);
			_exit(SURVIVED);
		}
	_exit(HANDLED); /* the host has more */
}

TEST(fault, access_that_the_host_goes_on_refusing_kills_the_program_and_does_not_hang_it)
{
	struct plan plan = { .handler = SIG_DFL, .act = load_without_a_mapping_left };

	if (KSIM_ASAN || KSIM_TSAN || RUNNING_ON_VALGRIND)
		SKIP("the checking tool needs mappings itself");
	if (host_mappings_max() > 100000)
		SKIP("the host allows %lu mappings", host_mappings_max());
	expect_end(plan, SIGSEGV, ", in the window of p (");
}

/* ---- whose it is ---- */

static void catch_again(void)
{
	struct sigaction first, second;

	sigaction(SIGSEGV, NULL, &first);
	if (native_catch() == 0 && sigaction(SIGSEGV, NULL, &second) == 0 && second.sa_sigaction == first.sa_sigaction)
		store_wildly(); /* still to the handler from before, not to itself */
}

TEST(fault, to_catch_it_again_changes_nothing)
{
	expect_end((struct plan){ .handler = repair_plain, .act = catch_again }, EXITS(HANDLED), "");
}

static void catch_after_another(void)
{
	struct sigaction other = { .sa_handler = repair_plain };

	sigaction(SIGSEGV, &other, NULL);
	if (native_catch() == 0)
		store_wildly();
}

TEST(fault, to_catch_it_after_another_has_taken_it_gives_that_one_what_is_not_ours)
{
	expect_end((struct plan){ .handler = SIG_DFL, .act = catch_after_another }, EXITS(HANDLED), "");
}

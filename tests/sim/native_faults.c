// SPDX-License-Identifier: MIT
/*
 * Faults of pointers into windows: what a handler is told, what it may do, what becomes of a process without one, and
 * that the machine and everybody else live on. sigaction(2), signal(7). What is no different for ksim's loads and
 * stores is in faults.c, which runs with both.
 */
#include "native.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <ucontext.h>

/* ---- what a handler is told ---- */

static volatile struct {
	int times, signo, code;
	void *addr;
	bool has_context, acts;
} seen;

static sigjmp_buf out;

static void note(int signo, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	seen.times++;
	seen.signo = signo;
	seen.code = info->si_code;
	seen.addr = info->si_addr;
	seen.has_context = uc != NULL && uc->uc_stack.ss_size != 1;
	seen.acts = ksim_self() != NULL && info->si_signo == signo;
}

static void note_and_jump(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	siglongjmp(out, 1);
}

/* Handle both signals of the acting process. */
static void handle(void (*handler)(int, siginfo_t *, void *), unsigned flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = (int)(SA_SIGINFO | flags) };

	seen.times = 0;
	EXPECT_EQ(ksim_sigaction(SIGSEGV, &action, NULL), 0);
	EXPECT_EQ(ksim_sigaction(SIGBUS, &action, NULL), 0);
}

static void expect_fault(int (*access)(void *), char *at, int signo, int code)
{
	handle(note_and_jump, 0);
	if (sigsetjmp(out, 1) == 0)
		access(at);
	EXPECT_MSG(seen.times == 1 && seen.signo == signo && seen.code == code && seen.addr == at,
	           "%d faults, signal %d, code %d, at %p; expected %d, %d, %p", seen.times, seen.signo, seen.code,
	           seen.addr, signo, code, (void *)at);
	EXPECT(seen.has_context && seen.acts);
}

TEST(native_faults, handler_is_told_signal_code_and_the_exact_pointer)
{
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		int fd = native_file(1);
		char *file = native_map_file(fd, 3, RW, MAP_SHARED), *copy = native_map_file(fd, 3, RW, MAP_PRIVATE);
		char *readable = native_map(2, PROT_READ, MAP_PRIVATE), *none = native_map(1, PROT_NONE, MAP_PRIVATE);
		char *nowhere = native_nowhere(ksim_self());

		expect_fault(native_load, nowhere, SIGSEGV, SEGV_MAPERR);
		expect_fault(native_store, nowhere + 4095, SIGSEGV, SEGV_MAPERR);
		expect_fault(native_store, readable + 4097, SIGSEGV, SEGV_ACCERR);
		EXPECT_EQ(native_load(readable + 4097), 0);
		expect_fault(native_store, readable + 4097, SIGSEGV, SEGV_ACCERR);
		expect_fault(native_load, none + 1, SIGSEGV, SEGV_ACCERR);
		expect_fault(native_store, none, SIGSEGV, SEGV_ACCERR);
		expect_fault(native_load, file + PAGE, SIGBUS, BUS_ADRERR);
		expect_fault(native_store, file + 3 * PAGE - 1, SIGBUS, BUS_ADRERR);
		expect_fault(native_store, copy + 2 * PAGE + 1, SIGBUS, BUS_ADRERR);
		EXPECT_EQ(native_unmap(file, 3), 0);
		expect_fault(native_load, file, SIGSEGV, SEGV_MAPERR);
		EXPECT_EQ(native_protect(copy, 1, PROT_NONE), 0);
		expect_fault(native_load, copy + 9, SIGSEGV, SEGV_ACCERR);
		if (sigsetjmp(out, 1) == 0) /* an access by address tells the same, but there is no context */
			ksim_store8(ksim_addr_of(nowhere) + 1, 1);
		EXPECT(seen.times == 2 && seen.addr == nowhere + 1 && !seen.has_context);
	}
	bed_halt(m);
}

TEST(native_faults, access_below_64_KiB_is_a_fault_of_the_process)
{
	/* <ksim/mem.h>: NULL, and a member of a struct at NULL. */
	static const uintptr_t places[] = { 0, 8, 4096, 65535 };
	struct ksim_machine *m = native_boot();
	struct ksim_end end;

	for (int i = 0; i < 4; i++) {
		char *at = (char *)places[i];

		access_expect_null();
		__asm__("" : "+r"(at));
		ksim_as(bed_process(m, "p"))
			expect_fault(i % 2 ? native_store : native_load, at, SIGSEGV, SEGV_MAPERR);
		EXPECT_EQ(ksim_run(bed_process(m, "q"), native_load, at, &end), 0);
		EXPECT_MSG(end.signo == SIGSEGV && end.si_code == SEGV_MAPERR && end.addr == places[i], "%s", end.text);
	}
	bed_halt(m);
}

TEST(native_faults, handler_in_a_forked_child_is_told_the_childs_pointer)
{
	/* fork(2): handlers are inherited. */
	struct ksim_machine *m = native_boot();
	struct ksim_process *p = bed_process(m, "parent"), *child;
	char *map = NULL, *mine;

	ksim_as(p) {
		map = native_map(1, PROT_READ, MAP_PRIVATE);
		handle(note_and_jump, 0);
	}
	child = ksim_process_fork(p, "child");
	REQUIRE(child != NULL);
	ksim_as(child) {
		mine = ksim_ptr((uintptr_t)map);
		if (sigsetjmp(out, 1) == 0)
			native_store(mine + 3);
		EXPECT(mine != map && seen.addr == mine + 3 && seen.code == SEGV_ACCERR);
		EXPECT_EQ(ksim_addr_of(seen.addr), (uintptr_t)map + 3);
	}
	bed_halt(m);
}

TEST(native_faults, libc_that_runs_out_of_a_mapping_faults_at_its_end)
{
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		char *map = native_map(2, RW, MAP_PRIVATE);

		EXPECT_EQ(native_unmap(map + PAGE, 1), 0);
		handle(note_and_jump, 0);
		memset(map, 'x', PAGE);
		if (sigsetjmp(out, 1) == 0)
			memset(map + PAGE, 'x', PAGE);
		EXPECT(seen.times == 1 && (char *)seen.addr >= map + PAGE && (char *)seen.addr < map + 2 * PAGE);
		EXPECT_EQ(seen.code, SEGV_MAPERR);
		if (sigsetjmp(out, 1) == 0)
			EXPECT_EQ(strlen(map + 5), 0);
		EXPECT(seen.times == 2 && (char *)seen.addr >= map + PAGE && (char *)seen.addr < map + 2 * PAGE);
	}
	bed_halt(m);
}

/* ---- what it may do ---- */

static void map_there(int signo, siginfo_t *info, void *context)
{
	ksim_addr page = ksim_addr_of(info->si_addr) & ~(ksim_addr)(PAGE - 1);

	note(signo, info, context);
	EXPECT_EQ(ksim_mmap(page, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), page);
}

TEST(native_faults, access_goes_on_after_a_handler_that_maps_the_page)
{
	/* In the middle of a memcpy as well, once for each page; over a hole and over a truncated file. */
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		static char pattern[3 * PAGE];
		int fd = native_file(3);
		char *pool = native_map_file(fd, 3, PROT_READ, MAP_SHARED), *nowhere = native_nowhere(ksim_self());

		for (size_t i = 0; i < sizeof(pattern); i++)
			pattern[i] = (char)(i % 251 + 1);
		handle(map_there, 0);
		native_store(nowhere + 5);
		EXPECT_EQ(native_load(nowhere + 5), 's');
		EXPECT_EQ(seen.times, 1);
		memcpy(nowhere + PAGE / 2, pattern, sizeof(pattern));
		native_settle();
		EXPECT_EQ(seen.times, 4);
		EXPECT_MEMEQ(nowhere + PAGE / 2, pattern, sizeof(pattern));
		EXPECT_EQ(ksim_pwrite(fd, pattern, sizeof(pattern), 0), sizeof(pattern));
		EXPECT_EQ(native_load(pool), 1);
		EXPECT_EQ(ksim_ftruncate(fd, PAGE), 0);
		EXPECT_EQ(native_load(pool + PAGE + 9), 0);
		EXPECT_EQ(seen.times, 5);
		EXPECT_EQ(seen.signo, SIGBUS);
		EXPECT_EQ(native_load(pool), 1);
	}
	bed_halt(m);
}

static char *guarded;
static int guarded_fd;

static void unprotect_or_grow(int signo, siginfo_t *info, void *context)
{
	char big[100000];

	note(signo, info, context);
	memset(big, signo, sizeof(big));
	__asm__("" : : "r"(big) : "memory");
	if (signo == SIGBUS)
		EXPECT_EQ(ksim_ftruncate(guarded_fd, 2 * PAGE), 0);
	else
		EXPECT_EQ(native_protect(guarded, 1, RW), 0);
}

TEST(native_faults, access_goes_on_after_a_handler_that_makes_it_legal)
{
	/*
	 * A write barrier by mprotect, and a file that grows. The handler needs stack, as on Linux it has that of the
	 * thread.
	 */
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		guarded_fd = native_file(1);
		guarded = native_map_file(guarded_fd, 2, RW, MAP_SHARED);
		strcpy(guarded, "-");
		handle(unprotect_or_grow, 0);
		for (int i = 1; i <= 20; i++) {
			EXPECT_EQ(native_protect(guarded, 1, PROT_READ), 0);
			strcpy(guarded, "stored");
			native_settle();
			EXPECT_EQ(seen.times, i);
			EXPECT_EQ(seen.code, SEGV_ACCERR);
		}
		strcpy(guarded + PAGE, "grown");
		native_settle();
		EXPECT(seen.times == 21 && seen.signo == SIGBUS);
		EXPECT_STREQ(guarded, "stored");
		EXPECT_STREQ(guarded + PAGE, "grown");
	}
	bed_halt(m);
}

TEST(native_faults, handler_may_jump_away_again_and_again_and_the_mask_is_as_before)
{
	/* sigsetjmp(3) with the mask saved. */
	struct ksim_machine *m = native_boot();
	sigset_t before, after;

	pthread_sigmask(SIG_BLOCK, NULL, &before);
	ksim_as(bed_process(m, "p")) {
		char *nowhere = native_nowhere(ksim_self());

		handle(note_and_jump, 0);
		for (volatile int i = 0; i < 100; i++)
			if (sigsetjmp(out, 1) == 0)
				strcpy(nowhere + i, "text");
		EXPECT_EQ(seen.times, 100);
	}
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	for (int n = 1; n < NSIG; n++)
		EXPECT_MSG(sigismember(&before, n) == sigismember(&after, n), "signal %d", n);
	bed_halt(m);
}

static void write_a_message(int signo, siginfo_t *info, void *context)
{
	char byte = 0;
	int pair[2];

	EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	EXPECT_EQ(ksim_write(pair[0], "h", 1), 1);
	EXPECT_EQ(ksim_read(pair[1], &byte, 1), 1);
	EXPECT_EQ(byte, 'h');
	EXPECT(ksim_close(pair[0]) == 0 && ksim_close(pair[1]) == 0);
	map_there(signo, info, context);
}

TEST(native_faults, handler_may_make_any_call)
{
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		handle(write_a_message, 0);
		native_store(native_nowhere(ksim_self()));
		EXPECT_EQ(seen.times, 1);
	}
	bed_halt(m);
}

static int fault_and_jump(void *at)
{
	handle(note_and_jump, 0);
	return native_store(at);
}

TEST(native_faults, handler_that_jumps_out_of_a_run_leaves_the_thread_acting)
{
	/*
	 * <ksim/process.h>: until ksim_leave(), or the end of a block around it. The process lives, and may be run
	 * again.
	 */
	struct ksim_machine *m = native_boot();
	struct ksim_process *p = bed_process(m, "p"), *outer = bed_process(m, "outer");
	struct ksim_end end;

	ksim_as(outer) {
		for (volatile int i = 0; i < 3; i++) {
			if (sigsetjmp(out, 1) == 0)
				ksim_run(p, fault_and_jump, native_nowhere(p), &end);
			EXPECT(ksim_self() == p);
			ksim_leave();
			EXPECT(ksim_self() == outer);
		}
		if (sigsetjmp(out, 1) == 0)
			ksim_run(p, fault_and_jump, native_nowhere(p), &end);
		EXPECT(ksim_self() == p);
	}
	EXPECT(ksim_self() == NULL);
	ksim_as(p)
		handle(NULL, SA_RESETHAND);
	EXPECT_EQ(ksim_run(p, native_store, native_nowhere(p), &end), 0);
	EXPECT_EQ(end.signo, SIGSEGV);
	bed_halt(m);
}

/* ---- faults inside of handlers ---- */

static char *second; /* where the handler faults */

static void fault_again(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	if (seen.times < 3)
		native_store(second + seen.times);
	map_there(signo, info, context);
}

static int fault_with_deferral(void *at)
{
	handle(fault_again, 0);
	return native_store(at);
}

TEST(native_faults, fault_in_a_handler_whose_signal_is_blocked_kills)
{
	/* signal(7): SIGSEGV that is blocked, from a fault, terminates; its address is the second one. */
	struct ksim_machine *m = native_boot();
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_end end;

	second = native_nowhere(p) + 10 * PAGE;
	EXPECT_EQ(ksim_run(p, fault_with_deferral, native_nowhere(p), &end), 0);
	EXPECT_MSG(end.signo == SIGSEGV && end.addr == (uintptr_t)second + 1, "%s", end.text);
	EXPECT_EQ(seen.times, 1);
	bed_halt(m);
}

TEST(native_faults, fault_in_a_handler_with_SA_NODEFER_runs_it_again)
{
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		char *nowhere = native_nowhere(ksim_self());

		second = nowhere + 10 * PAGE;
		handle(fault_again, SA_NODEFER);
		native_store(nowhere);
		EXPECT_EQ(native_load(nowhere), 's');
		EXPECT_EQ(native_load(second + 1), 's');
		EXPECT_EQ(seen.times, 6); /* three faults, each inside of the one before; each notes twice */
	}
	bed_halt(m);
}

static void read_past_the_end(int signo, siginfo_t *info, void *context)
{
	map_there(signo, info, context);
	if (signo == SIGSEGV)
		EXPECT_EQ(native_load(second), 0);
}

static int fault_with_bus_in_the_mask(void *at)
{
	struct sigaction action = { .sa_sigaction = read_past_the_end, .sa_flags = SA_SIGINFO };

	handle(read_past_the_end, 0);
	sigaddset(&action.sa_mask, SIGBUS);
	EXPECT_EQ(ksim_sigaction(SIGSEGV, &action, NULL), 0);
	return native_store(at);
}

TEST(native_faults, SIGBUS_in_a_handler_of_SIGSEGV_is_handled_unless_it_is_masked)
{
	/* sigaction(2), sa_mask. */
	struct ksim_machine *m = native_boot();
	struct ksim_process *p = bed_process(m, "p");
	char *nowhere = native_nowhere(p);
	struct ksim_end end;

	ksim_as(p) {
		second = native_map_file(native_file(0), 2, PROT_READ, MAP_SHARED) + PAGE;
		handle(read_past_the_end, 0);
		native_store(nowhere);
		EXPECT_EQ(seen.times, 2);
		EXPECT_EQ(seen.signo, SIGBUS);
		second -= PAGE;
	}
	EXPECT_EQ(ksim_run(p, fault_with_bus_in_the_mask, nowhere + PAGE, &end), 0);
	EXPECT_MSG(end.signo == SIGBUS && end.addr == (uintptr_t)second, "%s", end.text);
	bed_halt(m);
}

static jmp_buf out_without_mask;

static void jump_without_mask(int signo, siginfo_t *info, void *context)
{
	note(signo, info, context);
	_longjmp(out_without_mask, 1);
}

static int fault_twice_without_mask(void *at)
{
	handle(jump_without_mask, 0);
	if (_setjmp(out_without_mask) == 0)
		native_store(at);
	return native_store((char *)at + 1);
}

TEST(native_faults, longjmp_out_of_a_handler_leaves_the_signal_blocked_and_the_next_fault_kills)
{
	/* setjmp(3): the mask is not restored. It is the process that is killed; the thread's SIGSEGV is as before. */
	struct ksim_machine *m = native_boot();

	for (int i = 0; i < 3; i++) {
		struct ksim_process *p = bed_process(m, "p");
		char *nowhere = native_nowhere(p);
		struct ksim_end end;

		EXPECT_EQ(ksim_run(p, fault_twice_without_mask, nowhere, &end), 0);
		EXPECT_MSG(end.signo == SIGSEGV && end.addr == (uintptr_t)nowhere + 1, "%s", end.text);
		EXPECT_EQ(seen.times, 1);
	}
	bed_halt(m);
}

TEST(native_faults, thread_with_an_alternate_stack_faults_on_its_own_one)
{
	/*
	 * sigaction(2): without SA_ONSTACK a handler has the stack of its thread. The alternate one is too small for
	 * it.
	 */
	static char small[16384];
	const stack_t alternate = { .ss_sp = small, .ss_size = sizeof(small) };
	struct ksim_machine *m = native_boot();
	stack_t before;

	SETUP(sigaltstack(&alternate, &before) == 0);
	ksim_as(bed_process(m, "p")) {
		char *nowhere = native_nowhere(ksim_self());
		struct ksim_process *dying = bed_process(m, "dying");
		struct ksim_end end;

		guarded = native_map(1, PROT_READ, MAP_PRIVATE);
		handle(unprotect_or_grow, 0);
		native_store(guarded);
		EXPECT(seen.times == 1 && guarded[0] == 's');
		second = nowhere + 10 * PAGE;
		handle(fault_again, SA_NODEFER);
		native_store(nowhere);
		EXPECT(seen.times == 6 && native_load(nowhere) == 's' && native_load(second + 1) == 's');
		handle(note_and_jump, 0);
		for (volatile int i = 0; i < 10; i++)
			if (sigsetjmp(out, 1) == 0)
				native_store(nowhere + 20 * PAGE);
		EXPECT_EQ(seen.times, 10);
		for (int i = 0; i < 10; i++)
			native_store(native_map(1, RW, MAP_PRIVATE));
		EXPECT_EQ(ksim_run(dying, native_store, native_nowhere(dying), &end), 0);
		EXPECT_EQ(end.signo, SIGSEGV);
	}
	EXPECT_EQ(sigaltstack(&before, NULL), 0);
	bed_halt(m);
}

/* ---- deaths ---- */

static int copy_too_much(void *map)
{
	memset(map, 'x', 3 * PAGE);
	return 0;
}

TEST(native_faults, process_without_a_handler_dies_with_a_sentence_and_the_others_go_on)
{
	struct ksim_machine *m = native_boot();
	struct ksim_process *p = bed_process(m, "compositor"), *other = bed_process(m, "other");
	char *pool = NULL, *map = NULL, text[200];
	struct ksim_end end;
	int fd = -1;

	ksim_as(p) {
		fd = ksim_memfd_create("wl_shm", 0);
		EXPECT_EQ(ksim_ftruncate(fd, 2 * PAGE), 0);
		pool = native_map_file(fd, 3, RW, MAP_SHARED);
	}
	fd = ksim_fd_copy(p, fd, other);
	ksim_as(other)
		map = native_map_file(fd, 2, RW, MAP_SHARED);
	EXPECT_EQ(ksim_run(p, copy_too_much, pool, &end), 0);
	EXPECT(!end.alive && end.signo == SIGBUS && end.si_code == BUS_ADRERR);
	EXPECT(end.addr >= (uintptr_t)pool + 2 * PAGE && end.addr < (uintptr_t)pool + 3 * PAGE);
	snprintf(
		text, sizeof(text),
		"compositor (2) killed by SIGBUS BUS_ADRERR: write at %#llx, page 2 of /memfd:wl_shm (deleted), size 8192",
		(unsigned long long)end.addr);
	EXPECT_STREQ(end.text, text);
	EXPECT(ksim_self() == NULL);
	ksim_as(other) {
		EXPECT_EQ(native_load(map + 2 * PAGE - 1), 'x');
		native_store(map);
		EXPECT_EQ(ksim_ftruncate(fd, 0), 0);
	}
	EXPECT_EQ(ksim_run(p, native_load, map, &end), -1);
	bed_halt(m);
}

TEST(native_faults, one_thread_may_see_many_processes_die)
{
	/* Each death unwinds out of a signal handler of the host's: nothing piles up. */
	struct ksim_machine *m = native_boot();
	sigset_t mask;

	for (int i = 0; i < 200; i++) {
		struct ksim_process *p = bed_process(m, "p");
		char *at = native_nowhere(p) + i;
		struct ksim_end end;

		EXPECT_EQ(ksim_run(p, i % 2 ? native_load : native_store, at, &end), 0);
		EXPECT_MSG(end.signo == SIGSEGV && end.addr == (uintptr_t)at, "%s", end.text);
		EXPECT_EQ(ksim_join(p, &end), 0);
	}
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	EXPECT(sigismember(&mask, SIGSEGV) == 0 && sigismember(&mask, SIGBUS) == 0);
	bed_halt(m);
}

struct spin {
	char *map;
	int running; /* a */
};

/* Touches its memory for ever and calls nothing. */
static int spin(void *arg)
{
	struct spin *s = arg;

	while (native_store(s->map) == 0)
		__atomic_store_n(&s->running, 1, __ATOMIC_RELEASE);
	return 0;
}

static void await_spin(struct spin *s)
{
	while (__atomic_load_n(&s->running, __ATOMIC_ACQUIRE) == 0)
		sched_yield();
}

TEST(native_faults, thread_that_only_touches_its_memory_is_ended_with_its_process)
{
	/* By ksim_process_end(), by a sibling's death, by ksim_halt(). */
	struct ksim_machine *m = native_boot();
	struct ksim_process *p[3];
	struct spin spins[3] = { 0 };
	struct ksim_end end;

	for (int i = 0; i < 3; i++) {
		p[i] = bed_process(m, "spinning");
		ksim_as(p[i])
			spins[i].map = native_map(1, RW, MAP_PRIVATE);
		EXPECT_EQ(ksim_start(p[i], spin, &spins[i]), 0);
		await_spin(&spins[i]);
	}
	EXPECT_EQ(ksim_process_end(p[0], 3), 0);
	EXPECT_EQ(ksim_join(p[0], &end), 0);
	EXPECT_EQ(end.code, 3);
	EXPECT(ksim_task_start(p[1], native_store, native_nowhere(p[1])) > 0);
	EXPECT_EQ(ksim_join(p[1], &end), 0);
	EXPECT_EQ(end.signo, SIGSEGV);
	bed_halt(m);
}

static int touch_more_than_there_is(void *arg)
{
	char *map = ksim_ptr(ksim_mmap(0, 8 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

	(void)arg;
	memset(map, 'x', 8 << 20);
	return 0;
}

TEST(native_faults, touch_without_a_frame_left_kills_the_process_alone)
{
	/* DESIGN, decision 7: as the OOM killer would; no handler sees it. */
	struct ksim_machine *m = native_boot();
	struct ksim_process *p = bed_process(m, "hog"), *other = bed_process(m, "other");
	struct ksim_end end;
	char *map = NULL;

	ksim_as(other) {
		map = native_map(1, RW, MAP_PRIVATE);
		strcpy(map, "kept");
	}
	ksim_as(p)
		handle(note_and_jump, 0);
	EXPECT_EQ(ksim_run(p, touch_more_than_there_is, NULL, &end), 0);
	EXPECT_MSG(!end.alive && end.signo == SIGKILL, "%s", end.text);
	EXPECT_EQ(seen.times, 0);
	ksim_as(other)
		EXPECT_STREQ(map, "kept");
	bed_halt(m);
}

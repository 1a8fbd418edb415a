// SPDX-License-Identifier: MIT
/*
 * Faults on user memory: how they end a process, with which sentence, where its death lands; and handlers.
 */
#include "bed.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "unit/aborts.h"

static int load(void *arg)
{
	return mem_load32(*(ksim_addr *)arg) != 0;
}

static int store(void *arg)
{
	mem_store64(*(ksim_addr *)arg, 1);
	return 0;
}

/* ---- ends ---- */

TEST(faults, load_past_the_end_of_a_truncated_file_is_SIGBUS_and_lands_in_run)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "compositor");
	ksim_addr view = 0, at;
	struct ksim_end end;
	char text[160];

	ksim_as(p) {
		int fd = ksim_memfd_create("wl_shm", 0);

		EXPECT_EQ(ksim_ftruncate(fd, 4 * PAGE), 0);
		view = ksim_mmap(0, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
		EXPECT_EQ(mem_load8(view + 3 * PAGE), 0);
		EXPECT_EQ(ksim_ftruncate(fd, PAGE), 0);
	}
	at = view + 4 * PAGE - 4;
	EXPECT_EQ(ksim_run(p, load, &at, &end), 0);
	EXPECT(!end.alive && end.signo == SIGBUS && end.si_code == BUS_ADRERR && end.addr == at);
	snprintf(text, sizeof(text),
	         "compositor (2) killed by SIGBUS BUS_ADRERR: read%s at %#llx, page 3 of /memfd:wl_shm (deleted), "
	         "size 4096",
	         access_is_native() ? "" : " of 4", (unsigned long long)at);
	EXPECT_STREQ(end.text, text);
	EXPECT(ksim_self() == NULL);
	bed_halt(m);
}

TEST(faults, access_that_is_not_allowed_or_not_mapped_is_SIGSEGV_with_its_address)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p"), *q = bed_process(m, "q");
	ksim_addr at = 0;
	struct ksim_end end;

	ksim_as(p)
		at = bed_map(1, PROT_READ, MAP_PRIVATE) + 24;
	EXPECT_EQ(ksim_run(p, store, &at, &end), 0);
	EXPECT_MSG(end.signo == SIGSEGV && end.si_code == SEGV_ACCERR && end.addr == at, "%s", end.text);
	EXPECT_MSG(strstr(end.text, access_is_native() ? ": write at " : ": write of 8 at ") != NULL, "%s", end.text);
	at = access_place(q, 0x100000);
	EXPECT_EQ(ksim_run(q, store, &at, &end), 0);
	EXPECT_MSG(end.signo == SIGSEGV && end.si_code == SEGV_MAPERR && end.addr == at, "%s", end.text);
	EXPECT_MSG(strstr(end.text, "where nothing is mapped") != NULL, "%s", end.text);
	access_expect_null();
	at = 0;
	EXPECT_EQ(ksim_run(bed_process(m, "null"), load, &at, &end), 0);
	EXPECT_MSG(end.signo == SIGSEGV && end.si_code == SEGV_MAPERR && end.addr == 0, "%s", end.text);
	bed_halt(m);
}

static int store_in_a_block(void *arg)
{
	ksim_as(ksim_self())
		store(arg);
	return 0;
}

TEST(faults, death_passes_through_blocks_of_its_own_process)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p");
	ksim_addr nowhere = access_place(p, 0x100000);
	struct ksim_end end;

	EXPECT_EQ(ksim_run(p, store_in_a_block, &nowhere, &end), 0);
	EXPECT_EQ(end.signo, SIGSEGV);
	EXPECT(ksim_self() == NULL);
	bed_halt(m);
}

static int wait_for_a_byte(void *arg)
{
	char byte;

	return (int)ksim_read(*(int *)arg, &byte, 1);
}

TEST(faults, fault_of_one_thread_ends_the_others_where_they_wait)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p");
	ksim_addr nowhere = access_place(p, 0x100000);
	struct ksim_end end;
	int pair[2], result = 0;
	pid_t tid;

	EXPECT_EQ(ksim_socketpair_between(p, p, SOCK_STREAM, pair), 0);
	ksim_hold(m);
	tid = ksim_task_start(p, wait_for_a_byte, &pair[0]);
	EXPECT(tid > 0);
	EXPECT_EQ(ksim_start(p, store, &nowhere), 0);
	EXPECT_EQ(ksim_task_join(p, tid, &result), 0);
	EXPECT_EQ(result, -1);
	EXPECT_EQ(ksim_join(p, &end), 0);
	EXPECT_EQ(end.signo, SIGSEGV);
	ksim_release(m);
	bed_halt(m);
}

TEST(faults, wait_tells_the_signal_that_killed_a_child)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "parent");
	ksim_addr nowhere = access_place(p, 0x100000);
	int status = 0;
	pid_t pid;

	ksim_as(p) {
		pid = ksim_fork_into(store, &nowhere);
		EXPECT_EQ(ksim_wait(&status), pid);
		EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	}
	bed_halt(m);
}

static void store_without_a_run(void *arg)
{
	ksim_addr nowhere = access_place(arg, 0x100000);

	ksim_as(arg)
		store(&nowhere);
}

static void load_as_nobody(void *arg)
{
	load(arg);
}

TEST(faults, death_without_a_run_and_access_as_nobody_abort_with_a_sentence)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p");
	ksim_addr nowhere = access_place(p, 0x100000);
	char text[80];

	snprintf(text, sizeof(text), "p (2) killed by SIGSEGV SEGV_MAPERR: write%s at %#llx",
	         access_is_native() ? "" : " of 8", (unsigned long long)nowhere);
	expect_abort(store_without_a_run, p, text);
	expect_abort(load_as_nobody, &nowhere, "this thread acts as no process");
	bed_halt(m);
}

/* ---- handlers ---- */

static siginfo_t seen;
static ksim_addr seen_at;
static int times;
static sigjmp_buf out;

static void map_there(int signo, siginfo_t *info, void *context)
{
	ksim_addr page = access_faulted(info) & ~(ksim_addr)(PAGE - 1);

	(void)signo;
	EXPECT((context != NULL) == access_is_native());
	seen = *info;
	seen_at = access_faulted(info);
	times++;
	EXPECT(ksim_mmap(page, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page);
}

static void jump_out(int signo)
{
	times++;
	siglongjmp(out, signo);
}

static int use_map_there(void *arg)
{
	struct sigaction action = { .sa_sigaction = map_there, .sa_flags = SA_SIGINFO };
	ksim_addr at = *(ksim_addr *)arg;

	EXPECT_EQ(ksim_sigaction(SIGSEGV, &action, NULL), 0);
	mem_store32(at, 77);
	return (int)mem_load32(at);
}

TEST(faults, handler_that_maps_the_page_lets_the_access_go_on)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p");
	ksim_addr at = access_place(p, 0x200010);
	struct ksim_end end;

	times = 0;
	EXPECT_EQ(ksim_run(p, use_map_there, &at, &end), 0);
	EXPECT_MSG(end.alive && end.code == 77, "%s", end.text);
	EXPECT_EQ(times, 1);
	EXPECT(seen.si_signo == SIGSEGV && seen.si_code == SEGV_MAPERR && seen_at == at);
	bed_halt(m);
}

static int use_jump_out(void *arg)
{
	struct sigaction action = { .sa_handler = jump_out };

	EXPECT_EQ(ksim_sigaction(SIGSEGV, &action, NULL), 0);
	for (volatile int i = 0; i < 3; i++) {
		if (sigsetjmp(out, 1) == 0)
			store(arg);
	}
	return 5;
}

TEST(faults, handler_may_jump_out_again_and_again)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p");
	ksim_addr nowhere = access_place(p, 0x100000);
	struct ksim_end end;

	times = 0;
	EXPECT_EQ(ksim_run(p, use_jump_out, &nowhere, &end), 0);
	EXPECT_MSG(end.alive && end.code == 5, "%s", end.text);
	EXPECT_EQ(times, 3);
	bed_halt(m);
}

static int handle_once(void *arg)
{
	struct sigaction action = { .sa_handler = jump_out, .sa_flags = (int)SA_RESETHAND };

	EXPECT_EQ(ksim_sigaction(SIGSEGV, &action, NULL), 0);
	if (sigsetjmp(out, 1) == 0)
		store(arg);
	store(arg);
	return 0;
}

static int ignore(void *arg)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	EXPECT_EQ(ksim_sigaction(SIGSEGV, &action, NULL), 0);
	store(arg);
	return 0;
}

static void fault_again(int signo)
{
	ksim_addr nowhere = access_place(ksim_self(), 0x300000);

	(void)signo;
	store(&nowhere);
}

static int fault_in_the_handler(void *arg)
{
	struct sigaction action = { .sa_handler = fault_again };

	EXPECT_EQ(ksim_sigaction(SIGSEGV, &action, NULL), 0);
	store(arg);
	return 0;
}

TEST(faults, fault_that_no_handler_takes_kills)
{
	/* signal(7): one whose signal is ignored or blocked, and a second one after SA_RESETHAND. */
	static int (*const programs[])(void *) = { handle_once, ignore, fault_in_the_handler };
	struct ksim_machine *m = bed_boot();
	sigset_t mask;

	times = 0;
	for (int i = 0; i < 3; i++) {
		struct ksim_process *p = bed_process(m, "p");
		ksim_addr nowhere = access_place(p, 0x100000);
		ksim_addr where = i == 2 ? access_place(p, 0x300000) : nowhere;
		struct ksim_end end;

		EXPECT_EQ(ksim_run(p, programs[i], &nowhere, &end), 0);
		EXPECT_MSG(!end.alive && end.signo == SIGSEGV && end.addr == where, "%s", end.text);
		pthread_sigmask(SIG_BLOCK, NULL, &mask);
		EXPECT_MSG(sigismember(&mask, SIGSEGV) == 0, "program %d leaves SIGSEGV blocked", i);
	}
	EXPECT_EQ(times, 1);
	bed_halt(m);
}

static void exit_from_handler(int signo)
{
	ksim_exit(signo + 100);
}

static int exit_by_handler(void *arg)
{
	struct sigaction action = { .sa_handler = exit_from_handler };

	EXPECT_EQ(ksim_sigaction(SIGSEGV, &action, NULL), 0);
	store(arg);
	return 0;
}

TEST(faults, exit_from_a_handler_lands_in_run_and_leaves_the_mask)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "p");
	ksim_addr nowhere = access_place(p, 0x100000);
	struct ksim_end end;
	sigset_t mask;

	EXPECT_EQ(ksim_run(p, exit_by_handler, &nowhere, &end), 0);
	EXPECT_MSG(!end.alive && end.signo == 0 && end.code == SIGSEGV + 100, "%s", end.text);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	EXPECT_EQ(sigismember(&mask, SIGSEGV), 0);
	bed_halt(m);
}

// SPDX-License-Identifier: MIT
/*
 * A program that knows nothing of ksim becomes a process.
 *
 *	UNDECIDED --- first call, the program has booted a machine ---> HOST     calls as nobody are the host's
 *	         '--- first call, it has booted none ----------------> OURS     ... make the thread one of `main`
 *	                                                                 '-- exit --> HOST
 *
 * Threads that libc did not make by our name, std::thread's for one, join at their first call or their first access to
 * memory of the process, and leave as they end. Death finds no ksim_run to unwind to, so it is the program's death too:
 * by the same signal, or with the same exit code. When the program exits in peace, the machine is halted and must be
 * empty, unless other threads still run, which no one could stop.
 *
 * I1  only one thread tells of the death; the others wait for it to take the program away
 *
 * Locking: the lock below, around everything of the machine's.
 * Linux: exec. Not modelled: what the host's program had open but 0, 1 and 2, and its environment of signals.
 */
#include "posix/posix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum state { UNDECIDED, HOST, OURS };

#define RAM_BYTES (UINT64_C(256) << 20)

static struct {
	pthread_mutex_t lock;
	enum state state; /* a */
	struct ksim_machine *machine;
	struct ksim_process *main;
	pthread_key_t leaving; /* its destructor runs as a thread that has joined ends */
	bool dying;            /* a */
} program = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A program's own malloc may map memory while we boot. */
static __thread bool deciding __attribute__((tls_model("initial-exec")));

bool posix_is_main(const struct ksim_process *p)
{
	return p == program.main;
}

/* ---- the end ---- */

static __attribute__((noreturn)) void die(struct ksim_process *p)
{
	struct ksim_end end;
	sigset_t mask;

	ksim_process_status(p, &end);
	if (end.signo == 0)
		_exit(end.code);
	fprintf(stderr, "ksim: %s\n", end.text);
	signal(end.signo, SIG_DFL);
	sigemptyset(&mask);
	sigaddset(&mask, end.signo);
	pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
	pthread_kill(pthread_self(), end.signo);
	_exit(128 + end.signo); /* one that does not end a program by itself */
}

void posix_died(struct ksim_process *p)
{
	if (!posix_is_main(p))
		return;
	if (__atomic_exchange_n(&program.dying, true, __ATOMIC_SEQ_CST))
		for (;;)
			pause();
	die(p);
}

/* The program exits in peace. */
static void halt_at_exit(int status, void *unused)
{
	int left;

	(void)unused;
	if (__atomic_load_n(&program.state, __ATOMIC_ACQUIRE) != OURS)
		return;
	__atomic_store_n(&program.state, HOST, __ATOMIC_RELEASE);
	acting_leave_all();
	if (machine_acts(program.machine))
		return;
	left = ksim_halt(program.machine);
	if (left <= 0 || status != 0)
		return;
	fprintf(stderr, "ksim: the machine was not empty when the program ended\n");
	fflush(NULL);
	_exit(EXIT_FAILURE);
}

/* ---- the beginning ---- */

static void leave_at_end(void *unused)
{
	struct task *task = acting_task();

	(void)unused;
	if (task != NULL && process_state(task->process) == PROCESS_ALIVE)
		task_end(task, 0);
	acting_leave_all();
}

static void become_process(void)
{
	const struct ksim_config config = {
		.ram_bytes = RAM_BYTES,
		.commit = KSIM_COMMIT_ON_TOUCH,
		.access = KSIM_ACCESS_NATIVE,
	};

	/* Before anything acts: destructors run in the order of their keys, and acting has one of its own. */
	if (pthread_key_create(&program.leaving, leave_at_end) != 0 || on_exit(halt_at_exit, NULL) != 0)
		machine_abort("no machine for %s: the host has no memory", program_invocation_short_name);
	program.machine = ksim_boot(&config);
	if (program.machine != NULL)
		program.main = ksim_process_create(program.machine, program_invocation_short_name);
	if (program.main == NULL)
		machine_abort("no machine for %s: %s", program_invocation_short_name, strerrordesc_np(errno));
	program.main->adopt = posix_adopt;
	program.main->mirrors = true;
	program.main->died = posix_died;
}

static enum state decide(void)
{
	enum state state;

	pthread_mutex_lock(&program.lock);
	if (program.state == UNDECIDED) {
		deciding = true;
		state = machine_booted() ? HOST : OURS;
		if (state == OURS)
			become_process();
		__atomic_store_n(&program.state, state, __ATOMIC_RELEASE);
		deciding = false;
	}
	state = program.state;
	pthread_mutex_unlock(&program.lock);
	return state;
}

bool posix_adopt(void)
{
	enum state state = __atomic_load_n(&program.state, __ATOMIC_ACQUIRE);

	if (state == HOST || deciding)
		return false;
	if (state == UNDECIDED && decide() == HOST)
		return false;
	if (process_state(program.main->kernel) != PROCESS_ALIVE)
		posix_died(program.main);
	pthread_setspecific(program.leaving, &program);
	ksim_enter(program.main);
	return true;
}

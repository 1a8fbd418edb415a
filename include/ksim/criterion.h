/* SPDX-License-Identifier: MIT */
/*
 * Tests of programs on a simulated machine, with Criterion: each test gets a machine of its own.
 *
 *	KSIM_TEST(wl_shm, pool_is_sealed, .ram_bytes = 1 << 20)
 *	{
 *		struct ksim_process *client = ksim_process_create(m, "client");
 *		...
 *	}
 *
 * cr_assert belongs to the test's own thread: it may be used in ksim_as and in what ksim_run calls; a process with a
 * thread of its own (ksim_start) returns its verdict through ksim_join.
 */
#ifndef KSIM_CRITERION_H
#define KSIM_CRITERION_H

#include <criterion/criterion.h>
#include <errno.h>
#include <ksim/ksim.h>
#include <string.h>

/**
 * A Criterion test with a machine `m`, booted from a struct ksim_config {...}; both may be left out:
 * KSIM_TEST(suite, name) is a test on a machine with the defaults.
 *
 * At the end of the body, also when it returns early, the test fails if an invariant of the kernel is broken
 * (ksim_check) or if anything is left after every process has ended (ksim_halt): a thread that still acts, or things
 * of the kernel. What the program itself still holds is its own to assert, with ksim_leaks(). After a failed cr_assert,
 * nothing of the kind is looked at.
 *
 * @param suite, name  of the Criterion test
 * @param ...          designated initialisers of struct ksim_config, evaluated when the test begins
 */
#define KSIM_TEST(suite, ...) KSIM_TEST_SPLIT_(suite, __VA_ARGS__, )

/* Not for direct use. There is always an argument behind the name here, be it empty, as ISO C wants it. */
#define KSIM_TEST_SPLIT_(suite, name, ...) KSIM_TEST_(suite, name, __VA_ARGS__)
#define KSIM_TEST_(suite, name, ...)                                                   \
	static void suite##_##name##_on_machine_(struct ksim_machine *m);              \
	Test(suite, name)                                                              \
	{                                                                              \
		KSIM_TEST_QUIET_                                                       \
		__extension__ const struct ksim_config ksim_config_ = { __VA_ARGS__ }; \
		KSIM_TEST_LOUD_                                                        \
		struct ksim_machine *ksim_machine_ = ksim_boot(&ksim_config_);         \
                                                                                       \
		cr_assert(ksim_machine_ != NULL, "ksim_boot: %s", strerror(errno));    \
		suite##_##name##_on_machine_(ksim_machine_);                           \
		KSIM_TEST_END_(ksim_check(ksim_machine_), ksim_halt(ksim_machine_));   \
	}                                                                              \
	static void suite##_##name##_on_machine_(__attribute__((unused)) struct ksim_machine *m)

/* g++ misses, unlike all others, the members that a designated initialiser leaves out. */
#if defined(__cplusplus) && !defined(__clang__)
#define KSIM_TEST_QUIET_ \
	_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"")
#define KSIM_TEST_LOUD_ _Pragma("GCC diagnostic pop")
#else
#define KSIM_TEST_QUIET_
#define KSIM_TEST_LOUD_
#endif

#define KSIM_TEST_END_(check, halt)                                                                                 \
	do {                                                                                                        \
		int ksim_broken_ = (check);                                                                         \
		int ksim_left_ = (halt);                                                                            \
                                                                                                                    \
		cr_expect(ksim_broken_ == 0, "ksim_check: broken invariants, see the report: %d", ksim_broken_);    \
		cr_expect(ksim_left_ >= 0, "ksim_halt: the test has ended, and a thread still acts as a process");  \
		cr_expect(ksim_left_ <= 0, "ksim_halt: things of the kernel left, see the report: %d", ksim_left_); \
	} while (0)

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Tests that touch memory the way the environment asks for: by ksim's loads and stores, or with KSIM_ACCESS=native by
 * plain C through the pointers of a window. One source, two tests.
 */
#ifndef TESTS_ACCESS_H
#define TESTS_ACCESS_H

#include <ksim/ksim.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_VALGRIND
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

/** For the config of a machine. */
static inline enum ksim_access access_wanted(void)
{
	static int wanted = -1; /* a */
	int access = __atomic_load_n(&wanted, __ATOMIC_RELAXED);

	if (access < 0) {
		const char *text = getenv("KSIM_ACCESS");

		access = text != NULL && strcmp(text, "native") == 0 ? KSIM_ACCESS_NATIVE : KSIM_ACCESS_SOFT;
		__atomic_store_n(&wanted, access, __ATOMIC_RELAXED);
	}
	return (enum ksim_access)access;
}

static inline bool access_is_native(void)
{
	return access_wanted() == KSIM_ACCESS_NATIVE;
}

/** A user address that nobody chose: so far into the process's memory, which begins at 0, or where its window does. */
static inline ksim_addr access_place(const struct ksim_process *p, ksim_addr offset)
{
	struct ksim_window window;

	ksim_window(p, &window);
	return access_is_native() ? window.user + offset : offset;
}

/** Native: the pointer to it; of an address that is in no window, the address itself. */
static inline void *access_ptr(ksim_addr addr)
{
	void *pointer = ksim_ptr(addr);

	return pointer != NULL ? pointer : (void *)(uintptr_t)addr;
}

/** Memcheck says of an access at NULL what it is, also where it is handled; this makes it say nothing. */
static inline void access_expect_null(void)
{
#ifdef HAVE_VALGRIND
	VALGRIND_MAKE_MEM_DEFINED(0, 65536);
#endif
}

/** The user address that a handler is told of. */
static inline ksim_addr access_faulted(const siginfo_t *info)
{
	return access_is_native() ? ksim_addr_of(info->si_addr) : (ksim_addr)(uintptr_t)info->si_addr;
}

#define ACCESS_(bits)                                                                                         \
	typedef volatile uint##bits##_t __attribute__((aligned(1), may_alias)) access_any##bits;              \
	__attribute__((no_sanitize("undefined"))) static inline uint##bits##_t mem_load##bits(ksim_addr addr) \
	{                                                                                                     \
		if (!access_is_native())                                                                      \
			return ksim_load##bits(addr);                                                         \
		return *(access_any##bits *)access_ptr(addr);                                                 \
	}                                                                                                     \
	__attribute__((no_sanitize("undefined"))) static inline void mem_store##bits(ksim_addr addr,          \
	                                                                             uint##bits##_t value)    \
	{                                                                                                     \
		if (!access_is_native())                                                                      \
			ksim_store##bits(addr, value);                                                        \
		else                                                                                          \
			*(access_any##bits *)access_ptr(addr) = value;                                        \
	}

ACCESS_(8)
ACCESS_(16)
ACCESS_(32)
ACCESS_(64)

static inline void mem_copy_from(void *to, ksim_addr from, size_t n)
{
	if (access_is_native())
		memcpy(to, access_ptr(from), n);
	else
		ksim_copy_from(to, from, n);
}

static inline void mem_copy_to(ksim_addr to, const void *from, size_t n)
{
	if (access_is_native())
		memcpy(access_ptr(to), from, n);
	else
		ksim_copy_to(to, from, n);
}

/** A user address as a buffer of a call. */
static inline void *mem_buffer(ksim_addr addr)
{
	return access_is_native() ? access_ptr(addr) : ksim_user(addr);
}

#endif

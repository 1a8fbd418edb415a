// SPDX-License-Identifier: MIT
/*
 * Copies of page contents that the thread sanitizer must not see.
 *
 * In a program with the thread sanitizer this file is compiled without it, which is not enough: libc's memcpy is
 * intercepted wherever it is called from, and compilers turn a plain loop into such a call. Volatile words are
 * copied as they are written here. In every other program these are memmove, piece by piece, since a page may be read
 * into a mapping of itself, and memset, which the address sanitizer and valgrind do check.
 *
 * Locking: none; the bytes may change while they are copied, and then any mixture of old and new arrives, as on Linux.
 */
#include "base/rawcopy.h"

#include <stdint.h>
#include <string.h>

#ifdef KSIM_WITHOUT_TSAN

typedef uint64_t __attribute__((may_alias)) word;

static size_t misaligned(const void *a, const void *b)
{
	return ((uintptr_t)a | (uintptr_t)b) % sizeof(word);
}

void raw_copy(void *to, const void *from, size_t n)
{
	volatile uint8_t *d = to;
	const volatile uint8_t *s = from;

	if (misaligned(to, from) == 0)
		for (; n >= sizeof(word); n -= sizeof(word), d += sizeof(word), s += sizeof(word))
			*(volatile word *)(volatile void *)d = *(const volatile word *)(const volatile void *)s;
	while (n-- > 0)
		*d++ = *s++;
}

void raw_zero(void *to, size_t n)
{
	volatile uint8_t *d = to;

	if (misaligned(to, to) == 0)
		for (; n >= sizeof(word); n -= sizeof(word), d += sizeof(word))
			*(volatile word *)(volatile void *)d = 0;
	while (n-- > 0)
		*d++ = 0;
}

#else

/* glibc copies more than this with string instructions, which from a page in the second cache are a third slower. */
enum { PIECE = 2048 };

void raw_copy(void *to, const void *from, size_t n)
{
	char *d = to;
	const char *s = from;

	for (; n > PIECE; n -= PIECE, d += PIECE, s += PIECE)
		memmove(d, s, PIECE);
	memmove(d, s, n);
}

void raw_zero(void *to, size_t n)
{
	memset(to, 0, n);
}

#endif

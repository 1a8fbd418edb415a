/* SPDX-License-Identifier: MIT */
/*
 * Copies of page contents that the thread sanitizer must not see: while the kernel copies a page, another
 * process may legally store to it, as with a real kernel. Everything else uses memcpy and memset.
 */
#ifndef BASE_RAWCOPY_H
#define BASE_RAWCOPY_H

#include <stddef.h>

void raw_copy(void *to, const void *from, size_t n);
void raw_zero(void *to, size_t n);

#endif

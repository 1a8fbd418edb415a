/* SPDX-License-Identifier: MIT */
/*
 * Large ranges of host memory: reserved whole, touched page by page as they are used.
 */
#ifndef HOST_MEMORY_H
#define HOST_MEMORY_H

#include <stddef.h>

/** Zeroed, page-aligned, readable and writable memory of which nothing is touched yet; NULL: the host refuses. */
void *host_reserve(size_t bytes);
void host_release(void *memory, size_t bytes);
/** The same in a file of its own, so that it can be shown at further addresses (window.h). -1 and NULL: refused. */
void *host_reserve_shared(size_t bytes, int *fd);
/** Close that file; -1 is legal. */
void host_close(int fd);

/**
 * Copy n bytes of the program's own memory, which need not be there.
 * @return 0; -EFAULT: some of it is not there; -ENOSYS: the host does not tell, and nothing was copied
 */
int host_peek(void *to, const void *from, size_t n);

#endif

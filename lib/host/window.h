/* SPDX-License-Identifier: MIT */
/*
 * Ranges of the program's addresses in which parts of a file of RAM are shown.
 *
 * Every call goes to the host past libc, since a tool that watches libc's mmap may hold a lock of its own for the very
 * access that has faulted.
 */
#ifndef HOST_WINDOW_H
#define HOST_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOST_SHOW_READ = 1, HOST_SHOW_WRITE = 2, HOST_SHOW_EXEC = 4 };

/**
 * Addresses below `limit` at which nothing can be accessed, with an unused page at either end; NULL: the host refuses.
 */
char *host_window_reserve(size_t bytes, uint64_t limit);
void host_window_release(char *window, size_t bytes);

/**
 * Show [offset, offset + bytes) of the file at `at` within a window, in one piece. 0 or a negative errno: nothing
 * changed.
 */
int host_window_show(char *at, size_t bytes, int fd, uint64_t offset, unsigned how);
/**
 * Show nothing there. When this returns no thread sees what was shown. 0 or -ENOMEM (too many mappings): nothing
 * changed.
 */
int host_window_hide(char *at, size_t bytes);
/**
 * Show at `to` what is shown at `from`, in one piece, with the host's entries for its pages. It may be seen at both
 * until something else is shown at `from` or that is hidden. 0 or a negative errno: nothing is shown at `to`.
 */
int host_window_move(char *from, size_t bytes, char *to);

/** How many mappings the program may have. */
unsigned long host_mappings_max(void);
/** How many it has in [start, start + bytes); 0: the host does not tell. */
unsigned long host_mappings_in(const char *start, size_t bytes);

#endif

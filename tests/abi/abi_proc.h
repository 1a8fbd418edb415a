/* SPDX-License-Identifier: MIT */
/*
 * What the tests of /proc share: reading its files, mappings that stay apart, a child that holds still.
 */
#ifndef ABI_PROC_H
#define ABI_PROC_H

#include "abi.h"

enum { PROC_TEXT_MAX = 1 << 18, KIB_PAGE = PAGE / 1024 };

/** What was read last. */
extern char proc_text[PROC_TEXT_MAX];

/** The whole file into proc_text, with a NUL behind; proc_text. */
const char *proc_slurp(const char *path);
/** The same of /proc/pid/file. */
const char *proc_slurp_of(pid_t pid, const char *file);
/** The whole file, by reads of at most `piece` bytes, into buf. Its length; 0 if it cannot be opened. */
size_t proc_slurp_by(const char *path, char *buf, size_t size, size_t piece);
/** Where the line of the mapping that begins at addr begins; NULL: there is none. */
const char *proc_line_of(const char *maps, addr_t addr);
/** The number behind "key:" in text that begins somewhere; -1: there is none. */
long long proc_number_in(const char *from, const char *key);

/** Map npages between two pages of no access, so that they stay a line of their own. fd -1: anonymous. */
addr_t proc_map_apart(int npages, int prot, int flags, int fd, off_t offset);
/** Private, anonymous, readable and writable. */
addr_t proc_anonymous_apart(int npages);
void proc_unmap_apart(addr_t addr, int npages);
int proc_named_memfd(const char *name, int npages);
/** Write to the first npages. */
void proc_touch(addr_t addr, int npages);

/** A child that writes to four pages at `shared` and to one at `private` (0: not), and then waits. */
struct proc_watched {
	addr_t shared, private;
	int ends[2];
};

/** Start it; it has done so. Its pid. */
pid_t proc_watch(struct proc_watched *w);
/** Let it end, and wait for it. */
void proc_unwatch(struct proc_watched *w, pid_t pid);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Inside syscall: a line of the trace while it is being written, and who writes which argument.
 */
#ifndef SYSCALL_FORMAT_H
#define SYSCALL_FORMAT_H

#include "syscall/handlers.h"

struct line {
	char *text;
	size_t size;
	size_t len; /* as if the text were long enough */
	struct ctx *ctx;
	const uint64_t *args;
	enum syscall_call call;
	enum ksim_arch abi;
	long result;
	const struct traced *traced; /* NULL: not from the trace hook */
};

/** Writes argument i; other is the number behind the colon in the signature. Nothing written: no such argument. */
typedef void (*print_fn)(struct line *line, unsigned i, unsigned other);

static inline struct uptr line_pointer(const struct line *line, unsigned i)
{
	return (struct uptr){ line->args[i] };
}

/* format.c: words and buffers */
__attribute__((format(printf, 2, 3))) void line_add(struct line *line, const char *format, ...);
/** A number as an address, NULL for 0. */
void line_address(struct line *line, uint64_t bits);
/** 3</memfd:x>(deleted) */
void line_fd(struct line *line, int fd);
/** n bytes in quotes and with escapes. */
void line_quote(struct line *line, const void *bytes, size_t n);
/** Likewise of n bytes at p, the first 32 of them; the address if they cannot be read. */
void line_data(struct line *line, struct uptr p, uint64_t n);
/** copy_in that brings no page of user memory in: 0 or -EFAULT. */
int line_peek(struct line *line, void *to, struct uptr from, size_t n);

/** A number and its name. */
struct named {
	uint64_t value;
	const char *name; /* NULL: the end */
};

/** Bits by name, after `sep` if it is not empty. @return whether anything was written */
bool line_bits(struct line *line, const struct named *names, uint64_t bits, const char *sep, const char *unknown);
/** Likewise; 0 if there are none. unknown: what a number is called if no bit of it has a name. */
void line_flags(struct line *line, const struct named *names, uint64_t bits, const char *unknown);
/** A number by its name. */
void line_choice(struct line *line, const struct named *names, uint64_t value, const char *unknown);

/* A printer of flags, and one of a choice, of a 32-bit argument. */
#define PRINT_FLAGS(what, names, unknown)                                  \
	void print_##what(struct line *line, unsigned i, unsigned other)   \
	{                                                                  \
		(void)other;                                               \
		line_flags(line, names, (uint32_t)line->args[i], unknown); \
	}
#define PRINT_CHOICE(what, names, unknown)                                  \
	void print_##what(struct line *line, unsigned i, unsigned other)    \
	{                                                                   \
		(void)other;                                                \
		line_choice(line, names, (uint32_t)line->args[i], unknown); \
	}

/* format.c */
void print_addr(struct line *line, unsigned i, unsigned other);

/* format_memory.c: calls on memory, and rows of buffers */
void print_madvise(struct line *line, unsigned i, unsigned other);
void print_msync(struct line *line, unsigned i, unsigned other);
void print_mlock(struct line *line, unsigned i, unsigned other);
void print_mlockall(struct line *line, unsigned i, unsigned other);
void print_mremap(struct line *line, unsigned i, unsigned other);
void print_remapto(struct line *line, unsigned i, unsigned other);
void print_residency(struct line *line, unsigned i, unsigned other);
void print_iov(struct line *line, unsigned i, unsigned other);
void print_iovout(struct line *line, unsigned i, unsigned other);
void print_iovaddr(struct line *line, unsigned i, unsigned other);

/* format_flags.c: numbers that have names */
void print_prot(struct line *line, unsigned i, unsigned other);
void print_map(struct line *line, unsigned i, unsigned other);
void print_open(struct line *line, unsigned i, unsigned other);
void print_mode(struct line *line, unsigned i, unsigned other);
void print_at(struct line *line, unsigned i, unsigned other);
void print_memfd(struct line *line, unsigned i, unsigned other);
void print_whence(struct line *line, unsigned i, unsigned other);
void print_rw(struct line *line, unsigned i, unsigned other);
void print_fallocate(struct line *line, unsigned i, unsigned other);
void print_fcntl(struct line *line, unsigned i, unsigned other);
void print_fcntlarg(struct line *line, unsigned i, unsigned other);
void print_fcntl_result(struct line *line);
/** Of a call that returns a signal. */
void print_signal_result(struct line *line);
void print_wait(struct line *line, unsigned i, unsigned other);
void print_signal(struct line *line, unsigned i, unsigned other);
void print_sighow(struct line *line, unsigned i, unsigned other);
void print_idtype(struct line *line, unsigned i, unsigned other);
void print_rlimit(struct line *line, unsigned i, unsigned other);
void line_sa_flags(struct line *line, uint64_t flags);
/** SIGBUS; without the prefix: BUS. */
void line_signal(struct line *line, int signo, bool prefix);

/* format_path.c: those of paths */
void print_modebits(struct line *line, unsigned i, unsigned other);
void print_filemode(struct line *line, unsigned i, unsigned other);
void print_dev(struct line *line, unsigned i, unsigned other);
void print_rename(struct line *line, unsigned i, unsigned other);
void print_statxat(struct line *line, unsigned i, unsigned other);
void print_statxmask(struct line *line, unsigned i, unsigned other);
void print_dents(struct line *line, unsigned i, unsigned other);
void print_access(struct line *line, unsigned i, unsigned other);
void print_accessat(struct line *line, unsigned i, unsigned other);
void print_cwd(struct line *line, unsigned i, unsigned other);
void print_times(struct line *line, unsigned i, unsigned other);
/** S_IFREG|0644 */
void line_file_mode(struct line *line, uint32_t mode);

/* format_socket.c: those of sockets */
void print_family(struct line *line, unsigned i, unsigned other);
void print_socktype(struct line *line, unsigned i, unsigned other);
void print_sockflags(struct line *line, unsigned i, unsigned other);
void print_shut(struct line *line, unsigned i, unsigned other);
void print_msg(struct line *line, unsigned i, unsigned other);
void print_sol(struct line *line, unsigned i, unsigned other);
void print_so(struct line *line, unsigned i, unsigned other);
void line_msg_flags(struct line *line, uint32_t flags);
void line_family(struct line *line, unsigned family);
void line_cmsg_kind(struct line *line, int level, int type);

/* format_struct.c: what lies behind a pointer */
void print_stat(struct line *line, unsigned i, unsigned other);
void print_fdpair(struct line *line, unsigned i, unsigned other);
void print_sockaddr(struct line *line, unsigned i, unsigned other);
void print_sockaddrout(struct line *line, unsigned i, unsigned other);
void print_socklen(struct line *line, unsigned i, unsigned other);
void print_optval(struct line *line, unsigned i, unsigned other);
void print_optlen(struct line *line, unsigned i, unsigned other);
void print_msghdr(struct line *line, unsigned i, unsigned other);
void print_msghdrout(struct line *line, unsigned i, unsigned other);
void print_status(struct line *line, unsigned i, unsigned other);
void print_rusage(struct line *line, unsigned i, unsigned other);
void print_sigaction(struct line *line, unsigned i, unsigned other);
void print_sigactionout(struct line *line, unsigned i, unsigned other);
void print_sigset(struct line *line, unsigned i, unsigned other);
void print_sigsetout(struct line *line, unsigned i, unsigned other);
void print_siginfo(struct line *line, unsigned i, unsigned other);
void print_siginfoin(struct line *line, unsigned i, unsigned other);
void print_timespec(struct line *line, unsigned i, unsigned other);
void print_altstack(struct line *line, unsigned i, unsigned other);
void print_altstackout(struct line *line, unsigned i, unsigned other);
void print_idout(struct line *line, unsigned i, unsigned other);
void print_groups(struct line *line, unsigned i, unsigned other);
void print_groupsout(struct line *line, unsigned i, unsigned other);
void print_limits(struct line *line, unsigned i, unsigned other);
void print_limitsout(struct line *line, unsigned i, unsigned other);

#endif

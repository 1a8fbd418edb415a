// SPDX-License-Identifier: MIT
/*
 * A system call in strace's notation:
 *
 *	read(3</memfd:x>(deleted), "hello", 5) = 5
 *	mmap(NULL, 4096, PROT_READ, MAP_SHARED, 99, 0) = -1 EBADF (Bad file descriptor)
 *
 * The signature in table.def names a printer for each argument and one for the result; this file has the plain ones,
 * and the words and buffers from which the others (format_flags.c, format_struct.c) are made. What a call fills in is
 * shown after it has succeeded, and as an address otherwise.
 *
 * I1  whatever the arguments are, a line comes out: every pointer is followed by line_peek only
 * I2  writing a line changes nothing: no page of user memory is brought in, no reference stays
 *
 * Locking: none held on entry; descriptors and user memory are looked at under their own.
 * Compared with: strace 6.1, option -y, by tests/strace. Names that Linux got later are shown too. Not shown: what
 * directory AT_FDCWD is; what is inside an address that is not a unix socket's; options of other levels than SOL_SOCKET
 * by name.
 */
#include "syscall/format.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/memory.h"

enum { STRING_SHOWN = 32 };

/* ---- words ---- */

void line_add(struct line *line, const char *format, ...)
{
	size_t room = line->len < line->size ? line->size - line->len : 0;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(room > 0 ? line->text + line->len : NULL, room, format, args);
	va_end(args);
	if (n > 0)
		line->len += (size_t)n;
}

/* Take back what was written after `len`. */
static void line_rewind(struct line *line, size_t len)
{
	line->len = len;
	if (len < line->size)
		line->text[len] = '\0';
}

void line_address(struct line *line, uint64_t bits)
{
	uint64_t address = bits & ~UPTR_USER_BIT;

	if (bits == 0)
		line_add(line, "NULL");
	else
		line_add(line, "0x%" PRIx64, address);
}

static bool has_own_escape(uint8_t c, char *letter)
{
	static const char escapes[] = "\tt\nn\vv\ff\rr\"\"\\\\";

	for (const char *e = escapes; *e != '\0'; e += 2) {
		if ((uint8_t)e[0] == c) {
			*letter = e[1];
			return true;
		}
	}
	return false;
}

static void line_escape(struct line *line, const uint8_t *bytes, size_t n)
{
	char letter;

	for (size_t i = 0; i < n; i++) {
		if (has_own_escape(bytes[i], &letter))
			line_add(line, "\\%c", letter);
		else if (bytes[i] >= ' ' && bytes[i] < 0x7f)
			line_add(line, "%c", bytes[i]);
		else if (i + 1 < n && isdigit(bytes[i + 1]))
			line_add(line, "\\%03o", bytes[i]);
		else
			line_add(line, "\\%o", bytes[i]);
	}
}

void line_quote(struct line *line, const void *bytes, size_t n)
{
	line_add(line, "\"");
	line_escape(line, bytes, n);
	line_add(line, "\"");
}

/* ---- descriptors ---- */

/* What strace makes of the target of /proc/self/fd/N. */
static void line_file(struct line *line, const char *described)
{
	static const char deleted[] = " (deleted)";
	size_t len = strlen(described);
	bool gone = len >= sizeof(deleted) - 1 && strcmp(described + len - (sizeof(deleted) - 1), deleted) == 0;

	line_add(line, "<");
	line_escape(line, (const uint8_t *)described, gone ? len - (sizeof(deleted) - 1) : len);
	line_add(line, gone ? ">(deleted)" : ">");
}

void line_fd(struct line *line, int fd)
{
	struct process *process = line->ctx->task != NULL ? line->ctx->task->process : NULL;
	struct file *file = NULL;
	char described[288];

	line_add(line, "%d", fd);
	if (process != NULL && process->files != NULL)
		file = fd_get_any(line->ctx, process->files, fd);
	if (file == NULL)
		return;
	file->ops->describe(file, described, sizeof(described));
	line_file(line, described);
	file_put(line->ctx, file);
}

/* ---- buffers ---- */

static bool is_present(struct line *line, ksim_addr addr)
{
	struct mm_translation unused;

	return line->ctx->mm != NULL && mm_translate(line->ctx, line->ctx->mm, page_down(addr), &unused) == 0;
}

/* The program's own memory, which a call that failed early has not touched either. */
static int peek_host(struct line *line, void *to, struct uptr from, size_t n)
{
	int err;

	if (from.bits < UPTR_HOST_MIN || !range_legal(from, n))
		return n > 0 ? -EFAULT : 0;
	err = host_peek(to, (const void *)(uintptr_t)from.bits, n);
	return err == -ENOSYS ? copy_in(line->ctx, to, from, n) : err;
}

int line_peek(struct line *line, void *to, struct uptr from, size_t n)
{
	ksim_addr addr;

	from = uptr_meant(line->ctx, from);
	addr = from.bits & ~UPTR_USER_BIT;
	if (!(from.bits & UPTR_USER_BIT))
		return peek_host(line, to, from, n);
	if (!range_legal(from, n))
		return -EFAULT;
	for (ksim_addr at = page_down(addr); at < addr + n; at += PAGE_BYTES)
		if (!is_present(line, at))
			return -EFAULT;
	return copy_in(line->ctx, to, from, n);
}

void line_data(struct line *line, struct uptr p, uint64_t n)
{
	uint8_t bytes[STRING_SHOWN];
	size_t shown = MIN(n, (uint64_t)STRING_SHOWN);

	if (p.bits == 0 || line_peek(line, bytes, p, shown) < 0) {
		line_address(line, p.bits);
		return;
	}
	line_quote(line, bytes, shown);
	if (n > STRING_SHOWN)
		line_add(line, "...");
}

/* A string with a NUL, read in pieces that do not cross a page: its length, at most max; -EFAULT. */
static ssize_t peek_string(struct line *line, char *to, struct uptr from, size_t max)
{
	size_t done = 0;

	while (done < max) {
		size_t chunk = MIN(max - done, PAGE_BYTES - ((from.bits + done) & ~PAGE_MASK));
		char *at = to + done;

		if (line_peek(line, at, uptr_add(from, done), chunk) < 0)
			return -EFAULT;
		if (memchr(at, '\0', chunk) != NULL)
			return (ssize_t)(done + strnlen(at, chunk));
		done += chunk;
	}
	return (ssize_t)max;
}

static void line_string(struct line *line, struct uptr p, size_t max)
{
	char text[PATH_BYTES];
	ssize_t len = peek_string(line, text, p, max + 1);

	if (len < 0) {
		line_address(line, p.bits);
		return;
	}
	line_quote(line, text, MIN((size_t)len, max));
	if ((size_t)len > max)
		line_add(line, "...");
}

/* ---- plain arguments ---- */

static void print_int(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_add(line, "%d", (int)line->args[i]);
}

static void print_size(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_add(line, "%" PRIu64, line->args[i]);
}

static void print_off(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_add(line, "%" PRId64, (int64_t)line->args[i]);
}

static void print_hexoff(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_add(line, "%#" PRIx64, line->args[i]);
}

void print_addr(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_address(line, line->args[i]);
}

static void print_fd(struct line *line, unsigned i, unsigned other)
{
	bool lost = line->call == CALL_close ? i == 0 : (line->call == CALL_dup2 || line->call == CALL_dup3) && i == 1;

	(void)other;
	if (!lost || line->traced == NULL) {
		line_fd(line, (int)line->args[i]);
		return;
	}
	line_add(line, "%d", (int)line->args[i]);
	if (line->traced->lost[0] != '\0')
		line_file(line, line->traced->lost);
}

static void print_dirfd(struct line *line, unsigned i, unsigned other)
{
	if ((int)line->args[i] == AT_CWD)
		line_add(line, "AT_FDCWD");
	else
		print_fd(line, i, other);
}

static void print_path(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_string(line, line_pointer(line, i), PATH_BYTES - 1);
}

static void print_string(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_string(line, line_pointer(line, i), STRING_SHOWN);
}

/* A buffer that the call has read, of as many bytes as argument `other` says. */
static void print_in(struct line *line, unsigned i, unsigned other)
{
	line_data(line, line_pointer(line, i), line->args[other]);
}

/* A buffer that the call has filled, with as many bytes as it returned. */
static void print_out(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	if (line->result < 0)
		line_address(line, line->args[i]);
	else
		line_data(line, line_pointer(line, i), (uint64_t)line->result);
}

/* An argument that is not shown. */
static void print_none(struct line *line, unsigned i, unsigned other)
{
	(void)line;
	(void)i;
	(void)other;
}

/* A position that the call has moved by its result, as it was before. */
static bool line_position(struct line *line, unsigned i, uint64_t *now)
{
	uint64_t moved = line->result > 0 ? (uint64_t)line->result : 0;

	if (uptr_null(line_pointer(line, i)) || line_peek(line, now, line_pointer(line, i), sizeof(*now)) < 0) {
		line_address(line, line->args[i]);
		return false;
	}
	line_add(line, "[%" PRId64 "]", (int64_t)(*now - moved));
	return moved > 0;
}

static void print_pos(struct line *line, unsigned i, unsigned other)
{
	uint64_t now;

	(void)other;
	line_position(line, i, &now);
}

static void print_posmoved(struct line *line, unsigned i, unsigned other)
{
	uint64_t now;

	(void)other;
	if (line_position(line, i, &now))
		line_add(line, " => [%" PRId64 "]", (int64_t)now);
}

static const struct printer {
	const char *name;
	print_fn print;
} printers[] = {
	{ "int", print_int },
	{ "size", print_size },
	{ "off", print_off },
	{ "hexoff", print_hexoff },
	{ "addr", print_addr },
	{ "fd", print_fd },
	{ "mapfd", print_fd },
	{ "dirfd", print_dirfd },
	{ "path", print_path },
	{ "string", print_string },
	{ "in", print_in },
	{ "out", print_out },
	{ "none", print_none },
	{ "pos", print_pos },
	{ "posmoved", print_posmoved },
	{ "rw", print_rw },
	{ "prot", print_prot },
	{ "map", print_map },
	{ "madvise", print_madvise },
	{ "msync", print_msync },
	{ "mlock", print_mlock },
	{ "mlockall", print_mlockall },
	{ "mremap", print_mremap },
	{ "remapto", print_remapto },
	{ "residency", print_residency },
	{ "iov", print_iov },
	{ "iovout", print_iovout },
	{ "iovaddr", print_iovaddr },
	{ "open", print_open },
	{ "mode", print_mode },
	{ "at", print_at },
	{ "modebits", print_modebits },
	{ "filemode", print_filemode },
	{ "dev", print_dev },
	{ "rename", print_rename },
	{ "statxat", print_statxat },
	{ "statxmask", print_statxmask },
	{ "dents", print_dents },
	{ "access", print_access },
	{ "accessat", print_accessat },
	{ "cwd", print_cwd },
	{ "times", print_times },
	{ "memfd", print_memfd },
	{ "whence", print_whence },
	{ "fallocate", print_fallocate },
	{ "fcntl", print_fcntl },
	{ "fcntlarg", print_fcntlarg },
	{ "family", print_family },
	{ "socktype", print_socktype },
	{ "sockflags", print_sockflags },
	{ "shut", print_shut },
	{ "msg", print_msg },
	{ "sol", print_sol },
	{ "so", print_so },
	{ "wait", print_wait },
	{ "signal", print_signal },
	{ "rlimit", print_rlimit },
	{ "stat", print_stat },
	{ "fdpair", print_fdpair },
	{ "sockaddr", print_sockaddr },
	{ "sockaddrout", print_sockaddrout },
	{ "socklen", print_socklen },
	{ "optval", print_optval },
	{ "optlen", print_optlen },
	{ "msghdr", print_msghdr },
	{ "msghdrout", print_msghdrout },
	{ "status", print_status },
	{ "rusage", print_rusage },
	{ "sigaction", print_sigaction },
	{ "sigactionout", print_sigactionout },
	{ "sighow", print_sighow },
	{ "idtype", print_idtype },
	{ "sigset", print_sigset },
	{ "sigsetout", print_sigsetout },
	{ "siginfo", print_siginfo },
	{ "siginfoin", print_siginfoin },
	{ "timespec", print_timespec },
	{ "altstack", print_altstack },
	{ "altstackout", print_altstackout },
	{ "idout", print_idout },
	{ "groups", print_groups },
	{ "groupsout", print_groupsout },
	{ "limits", print_limits },
	{ "limitsout", print_limitsout },
};

/* ---- the line ---- */

/* The printer that a signature names at this point. */
static print_fn find_printer(const struct line *line, const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(printers); i++)
		if (strlen(printers[i].name) == len && memcmp(printers[i].name, name, len) == 0)
			return printers[i].print;
	check_failed(line->ctx, "format: a signature names printers only", __FILE__, __LINE__, "%s: %.*s",
	             syscall_table[line->call].name, (int)len, name);
}

/* @return the rest of the signature, from '=' or its end on */
static const char *line_args(struct line *line, const char *signature)
{
	for (unsigned i = 0; *signature != '\0' && *signature != '='; i++) {
		size_t len = strcspn(signature, " :=");
		print_fn print = find_printer(line, signature, len);
		unsigned other = signature[len] == ':' ? (unsigned)(signature[len + 1] - '0') : 0;
		size_t before = line->len, begin;

		if (i > 0)
			line_add(line, ", ");
		begin = line->len;
		print(line, i, other);
		if (line->len == begin)
			line_rewind(line, before);
		signature += strcspn(signature, " =");
		signature += *signature == ' ';
	}
	return signature;
}

static void line_error(struct line *line, int error)
{
	const char *name = strerrorname_np(error);

	if (name != NULL)
		line_add(line, "-1 %s (%s)", name, strerrordesc_np(error));
	else
		line_add(line, "-1 (errno %d)", error);
}

static void line_result(struct line *line, const char *kind)
{
	line_add(line, " = ");
	if (strcmp(kind, "=none") == 0)
		line_add(line, "?");
	else if (line->result < 0 && line->result >= -4095)
		line_error(line, (int)-line->result);
	else if (strcmp(kind, "=addr") == 0)
		line_add(line, "%#lx", (unsigned long)line->result);
	else if (strcmp(kind, "=fd") == 0)
		line_fd(line, (int)line->result);
	else if (strcmp(kind, "=mode") == 0)
		line_add(line, "%#03lo", line->result);
	else if (strcmp(kind, "=fcntl") == 0)
		print_fcntl_result(line);
	else if (strcmp(kind, "=signal") == 0)
		print_signal_result(line);
	else
		line_add(line, "%ld", line->result);
}

static void line_unknown(struct line *line)
{
	if (line->traced != NULL)
		line_add(line, "syscall_%#" PRIx64, line->traced->nr);
	else
		line_add(line, "syscall_?");
	for (unsigned i = 0; i < 6; i++)
		line_add(line, "%s%#" PRIx64, i == 0 ? "(" : ", ", line->args[i]);
	line_add(line, ")");
	line_result(line, "");
}

int syscall_format(struct ctx *ctx, unsigned call, const uint64_t *args, enum ksim_arch abi, long result, char *text,
                   size_t size)
{
	struct line line = {
		.text = text,
		.size = size,
		.ctx = ctx,
		.args = args,
		.call = syscall_traced_call(call),
		.abi = abi,
		.result = result,
	};
	const char *rest;

	if (call & SYSCALL_TRACED) {
		line.abi = (enum ksim_arch)(call >> 16 & 0xff);
		line.traced = (const struct traced *)(const void *)args;
	}
	if (size > 0)
		text[0] = '\0';
	if (line.call >= CALL_COUNT) {
		line_unknown(&line);
		return (int)line.len;
	}
	line_add(&line, "%s(", syscall_table[line.call].name);
	rest = line_args(&line, syscall_table[line.call].signature);
	line_add(&line, ")");
	line_result(&line, rest);
	return (int)line.len;
}

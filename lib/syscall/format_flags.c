// SPDX-License-Identifier: MIT
/*
 * Numbers that have names, in the trace: flags and choices.
 *
 * Flags are shown as strace does: known names joined by '|', then the bits that have none; and if none has a name, the
 * number with a comment that says what it was to be.
 *
 *	MFD_CLOEXEC|0x40        0x40 / * MFD_??? * /
 *
 * Names and values are Linux's, written out here, since a host's headers may be older than what is simulated. The
 * names come in strace's order, which is not always that of the values.
 */
#include "syscall/format.h"

#include <fcntl.h>
#include <inttypes.h>

#include "syscall/abi.h"
#include "syscall/message.h"

struct named {
	uint64_t value;
	const char *name; /* NULL: the end */
};

/* ---- how ---- */

/* Bits by name, after `sep` if it is not empty. @return whether anything was written */
static bool line_bits(struct line *line, const struct named *names, uint64_t bits, const char *sep, const char *unknown)
{
	bool any = *sep != '\0';
	bool wrote = false;

	for (; names->name != NULL; names++) {
		if ((bits & names->value) != names->value)
			continue;
		line_add(line, "%s%s", any ? "|" : "", names->name);
		bits &= ~names->value;
		any = wrote = true;
	}
	if (bits == 0)
		return wrote;
	if (any)
		line_add(line, "|%#" PRIx64, bits);
	else
		line_add(line, "%#" PRIx64 " /* %s */", bits, unknown);
	return true;
}

static void line_flags(struct line *line, const struct named *names, uint64_t bits, const char *unknown)
{
	if (!line_bits(line, names, bits, "", unknown))
		line_add(line, "0");
}

static const char *name_of(const struct named *names, uint64_t value)
{
	while (names->name != NULL && names->value != value)
		names++;
	return names->name;
}

static void line_choice(struct line *line, const struct named *names, uint64_t value, const char *unknown)
{
	const char *name = name_of(names, value);

	if (name != NULL)
		line_add(line, "%s", name);
	else
		line_add(line, "%#" PRIx64 " /* %s */", value, unknown);
}

/* One printer of flags, and one of a choice, of a 32-bit argument. */
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

/* ---- memory ---- */

static const struct named prot_names[] = {
	{ 1, "PROT_READ" },
	{ 2, "PROT_WRITE" },
	{ 4, "PROT_EXEC" },
	{ 8, "PROT_SEM" },
	{ 0x01000000, "PROT_GROWSDOWN" },
	{ 0x02000000, "PROT_GROWSUP" },
	{ 0, NULL },
};

static const struct named map_kinds[] = {
	{ 0, "MAP_FILE" },      { 1, "MAP_SHARED" }, { 2, "MAP_PRIVATE" }, { 3, "MAP_SHARED_VALIDATE" },
	{ 8, "MAP_DROPPABLE" }, { 0, NULL },
};

static const struct named map_names[] = {
	{ 0x10, "MAP_FIXED" },
	{ 0x20, "MAP_ANONYMOUS" },
	{ 0x40, "MAP_32BIT" },
	{ 0x4000, "MAP_NORESERVE" },
	{ 0x8000, "MAP_POPULATE" },
	{ 0x10000, "MAP_NONBLOCK" },
	{ 0x100, "MAP_GROWSDOWN" },
	{ 0x800, "MAP_DENYWRITE" },
	{ 0x1000, "MAP_EXECUTABLE" },
	{ 0x2000, "MAP_LOCKED" },
	{ 0x20000, "MAP_STACK" },
	{ 0x40000, "MAP_HUGETLB" },
	{ 0x80000, "MAP_SYNC" },
	{ 0x100000, "MAP_FIXED_NOREPLACE" },
	{ 0, NULL },
};

void print_prot(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	if (line->args[i] == 0)
		line_add(line, "PROT_NONE");
	else
		line_flags(line, prot_names, line->args[i], "PROT_???");
}

void print_map(struct line *line, unsigned i, unsigned other)
{
	uint64_t flags = line->args[i];
	const char *kind = name_of(map_kinds, flags & 0xf);

	(void)other;
	if (kind != NULL && ((flags & 0xf) != 0 || flags == 0)) {
		line_add(line, "%s", kind);
		line_bits(line, map_names, flags & ~UINT64_C(0xf), "|", "");
	} else {
		line_flags(line, map_names, flags, "MAP_???");
	}
}

/* ---- files ---- */

static const struct named access_names[] = {
	{ FILE_RDONLY, "O_RDONLY" },
	{ FILE_WRONLY, "O_WRONLY" },
	{ FILE_RDWR, "O_RDWR" },
	{ FILE_ACCMODE, "O_ACCMODE" },
	{ 0, NULL },
};

static const struct named open_names[] = {
	{ FILE_CREAT, "O_CREAT" },
	{ FILE_EXCL, "O_EXCL" },
	{ 0400, "O_NOCTTY" },
	{ FILE_TRUNC, "O_TRUNC" },
	{ FILE_APPEND, "O_APPEND" },
	{ FILE_NONBLOCK, "O_NONBLOCK" },
	{ 04010000, "O_SYNC" },
	{ 010000, "O_DSYNC" },
	{ 020000, "O_ASYNC" },
	{ 040000, "O_DIRECT" },
	{ FILE_LARGEFILE, "O_LARGEFILE" },
	{ FILE_NOFOLLOW, "O_NOFOLLOW" },
	{ 01000000, "O_NOATIME" },
	{ FILE_CLOEXEC, "O_CLOEXEC" },
	{ FILE_PATH, "O_PATH" },
	{ 020200000, "O_TMPFILE" },
	{ FILE_DIRECTORY, "O_DIRECTORY" },
	{ 0, NULL },
};

static void line_open_flags(struct line *line, uint32_t raw)
{
	uint32_t flags = abi_open_flags(line->abi, raw);

	line_add(line, "%s", name_of(access_names, flags & FILE_ACCMODE));
	line_bits(line, open_names, flags & ~(uint32_t)FILE_ACCMODE, "|", "");
}

void print_open(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	if (line->call == CALL_dup3)
		line_flags(line, open_names, abi_open_flags(line->abi, (uint32_t)line->args[i]), "O_???");
	else
		line_open_flags(line, (uint32_t)line->args[i]);
}

/* Shown only if argument `other`, the flags, would make a file. */
void print_mode(struct line *line, unsigned i, unsigned other)
{
	const uint32_t making = FILE_CREAT | 020000000;

	if (abi_open_flags(line->abi, (uint32_t)line->args[other]) & making)
		line_add(line, "%#03o", (uint32_t)line->args[i]);
}

static const struct named at_names[] = {
	{ 0x100, "AT_SYMLINK_NOFOLLOW" },
	{ 0x200, "AT_REMOVEDIR" },
	{ 0x1000, "AT_EMPTY_PATH" },
	{ 0, NULL },
};
PRINT_FLAGS(at, at_names, "AT_???")

static const struct named memfd_names[] = {
	{ MEMFD_CLOEXEC, "MFD_CLOEXEC" }, { MEMFD_ALLOW_SEALING, "MFD_ALLOW_SEALING" },
	{ MEMFD_HUGETLB, "MFD_HUGETLB" }, { MEMFD_NOEXEC_SEAL, "MFD_NOEXEC_SEAL" },
	{ MEMFD_EXEC, "MFD_EXEC" },       { 0, NULL },
};
PRINT_FLAGS(memfd, memfd_names, "MFD_???")

static const struct named whence_names[] = {
	{ 0, "SEEK_SET" }, { 1, "SEEK_CUR" }, { 2, "SEEK_END" }, { 3, "SEEK_DATA" }, { 4, "SEEK_HOLE" }, { 0, NULL },
};
PRINT_CHOICE(whence, whence_names, "SEEK_???")

static const struct named fallocate_names[] = {
	{ 1, "FALLOC_FL_KEEP_SIZE" },        { 2, "FALLOC_FL_PUNCH_HOLE" },
	{ 4, "FALLOC_FL_NO_HIDE_STALE" },    { 8, "FALLOC_FL_COLLAPSE_RANGE" },
	{ 0x10, "FALLOC_FL_ZERO_RANGE" },    { 0x20, "FALLOC_FL_INSERT_RANGE" },
	{ 0x40, "FALLOC_FL_UNSHARE_RANGE" }, { 0, NULL },
};
PRINT_FLAGS(fallocate, fallocate_names, "FALLOC_FL_???")

static const struct named fcntl_names[] = {
	{ F_DUPFD, "F_DUPFD" },
	{ F_GETFD, "F_GETFD" },
	{ F_SETFD, "F_SETFD" },
	{ F_GETFL, "F_GETFL" },
	{ F_SETFL, "F_SETFL" },
	{ 5, "F_GETLK" },
	{ 6, "F_SETLK" },
	{ 7, "F_SETLKW" },
	{ 8, "F_SETOWN" },
	{ 9, "F_GETOWN" },
	{ F_DUPFD_CLOEXEC, "F_DUPFD_CLOEXEC" },
	{ F_ADD_SEALS, "F_ADD_SEALS" },
	{ F_GET_SEALS, "F_GET_SEALS" },
	{ 0, NULL },
};
PRINT_CHOICE(fcntl, fcntl_names, "F_???")

static const struct named fd_names[] = { { FD_CLOEXEC, "FD_CLOEXEC" }, { 0, NULL } };

static const struct named seal_names[] = {
	{ 1, "F_SEAL_SEAL" },          { 2, "F_SEAL_SHRINK" }, { 4, "F_SEAL_GROW" }, { 8, "F_SEAL_WRITE" },
	{ 16, "F_SEAL_FUTURE_WRITE" }, { 32, "F_SEAL_EXEC" },  { 0, NULL },
};

void print_fcntlarg(struct line *line, unsigned i, unsigned other)
{
	uint32_t arg = (uint32_t)line->args[i];

	(void)other;
	switch ((int)line->args[1]) {
	case F_GETFD:
	case F_GETFL:
	case F_GET_SEALS:
		break;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		line_add(line, "%d", (int)arg);
		break;
	case F_SETFD:
		line_flags(line, fd_names, arg, "FD_???");
		break;
	case F_SETFL:
		line_open_flags(line, arg);
		break;
	case F_ADD_SEALS:
		line_flags(line, seal_names, arg, "F_SEAL_???");
		break;
	default:
		line_add(line, "%#" PRIx64, line->args[i]);
		break;
	}
}

void print_fcntl_result(struct line *line)
{
	uint32_t result = (uint32_t)line->result;

	switch ((int)line->args[1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		line_fd(line, (int)result);
		return;
	case F_GETFL:
		line_add(line, "%#x (flags ", result);
		line_open_flags(line, result);
		break;
	case F_GETFD:
		if (result == 0) {
			line_add(line, "0");
			return;
		}
		line_add(line, "%#x (flags ", result);
		line_flags(line, fd_names, result, "FD_???");
		break;
	case F_GET_SEALS:
		line_add(line, "%#x%s", result, result != 0 ? " (seals " : "");
		if (result == 0)
			return;
		line_flags(line, seal_names, result, "F_SEAL_???");
		break;
	default:
		line_add(line, "%u", result);
		return;
	}
	line_add(line, ")");
}

/* ---- sockets ---- */

static const struct named family_names[] = {
	{ 0, "AF_UNSPEC" },   { 1, "AF_UNIX" },    { 2, "AF_INET" }, { 10, "AF_INET6" },
	{ 16, "AF_NETLINK" }, { 17, "AF_PACKET" }, { 0, NULL },
};
PRINT_CHOICE(family, family_names, "AF_???")

static const struct named type_names[] = {
	{ 1, "SOCK_STREAM" },    { 2, "SOCK_DGRAM" }, { 3, "SOCK_RAW" },     { 4, "SOCK_RDM" },
	{ 5, "SOCK_SEQPACKET" }, { 6, "SOCK_DCCP" },  { 10, "SOCK_PACKET" }, { 0, NULL },
};

static const struct named sockflag_names[] = {
	{ FILE_CLOEXEC, "SOCK_CLOEXEC" },
	{ FILE_NONBLOCK, "SOCK_NONBLOCK" },
	{ 0, NULL },
};
PRINT_FLAGS(sockflags, sockflag_names, "SOCK_???")

void print_socktype(struct line *line, unsigned i, unsigned other)
{
	uint32_t type = (uint32_t)line->args[i];

	(void)other;
	line_choice(line, type_names, type & 0xf, "SOCK_???");
	if ((type & ~0xfu) == 0)
		return;
	line_add(line, "|");
	line_flags(line, sockflag_names, type & ~0xfu, "SOCK_???");
}

static const struct named shut_names[] = {
	{ 0, "SHUT_RD" },
	{ 1, "SHUT_WR" },
	{ 2, "SHUT_RDWR" },
	{ 0, NULL },
};
PRINT_CHOICE(shut, shut_names, "SHUT_???")

static const struct named msg_names[] = {
	{ 1, "MSG_OOB" },
	{ 2, "MSG_PEEK" },
	{ 4, "MSG_DONTROUTE" },
	{ 8, "MSG_CTRUNC" },
	{ 0x20, "MSG_TRUNC" },
	{ 0x40, "MSG_DONTWAIT" },
	{ 0x80, "MSG_EOR" },
	{ 0x100, "MSG_WAITALL" },
	{ 0x800, "MSG_CONFIRM" },
	{ 0x2000, "MSG_ERRQUEUE" },
	{ 0x4000, "MSG_NOSIGNAL" },
	{ 0x8000, "MSG_MORE" },
	{ 0x10000, "MSG_WAITFORONE" },
	{ 0x40000000, "MSG_CMSG_CLOEXEC" },
	{ 0, NULL },
};
PRINT_FLAGS(msg, msg_names, "MSG_???")

void line_msg_flags(struct line *line, uint32_t flags)
{
	line_flags(line, msg_names, flags, "MSG_???");
}

static const struct named level_names[] = { { LEVEL_SOCKET, "SOL_SOCKET" }, { 6, "SOL_TCP" }, { 0, NULL } };
PRINT_CHOICE(sol, level_names, "SOL_???")

static const struct named option_names[] = {
	{ OPTION_TYPE, "SO_TYPE" },
	{ OPTION_ERROR, "SO_ERROR" },
	{ OPTION_SNDBUF, "SO_SNDBUF" },
	{ OPTION_RCVBUF, "SO_RCVBUF" },
	{ 16, "SO_PASSCRED" },
	{ OPTION_PEERCRED, "SO_PEERCRED" },
	{ OPTION_ACCEPTCONN, "SO_ACCEPTCONN" },
	{ OPTION_PROTOCOL, "SO_PROTOCOL" },
	{ OPTION_DOMAIN, "SO_DOMAIN" },
	{ 0, NULL },
};
PRINT_CHOICE(so, option_names, "SO_???")

/* ---- processes ---- */

static const struct named wait_names[] = {
	{ 1, "WNOHANG" },           { 2, "WUNTRACED" },       { 8, "WCONTINUED" }, { 0x20000000, "__WNOTHREAD" },
	{ 0x80000000, "__WCLONE" }, { 0x40000000, "__WALL" }, { 0, NULL },
};
PRINT_FLAGS(wait, wait_names, "W???")

static const char *const signal_names[] = {
	[1] = "HUP",   [2] = "INT",     [3] = "QUIT",  [4] = "ILL",   [5] = "TRAP",    [6] = "ABRT",  [7] = "BUS",
	[8] = "FPE",   [9] = "KILL",    [10] = "USR1", [11] = "SEGV", [12] = "USR2",   [13] = "PIPE", [14] = "ALRM",
	[15] = "TERM", [16] = "STKFLT", [17] = "CHLD", [18] = "CONT", [19] = "STOP",   [20] = "TSTP", [21] = "TTIN",
	[22] = "TTOU", [23] = "URG",    [24] = "XCPU", [25] = "XFSZ", [26] = "VTALRM", [27] = "PROF", [28] = "WINCH",
	[29] = "IO",   [30] = "PWR",    [31] = "SYS",
};

void line_signal(struct line *line, int signo, bool prefix)
{
	const char *sig = prefix ? "SIG" : "";

	if (signo > 0 && signo < (int)ARRAY_SIZE(signal_names))
		line_add(line, "%s%s", sig, signal_names[signo]);
	else if (signo >= 32 && signo <= SIGNALS)
		line_add(line, "%sRT_%d", sig, signo - 32);
	else
		line_add(line, "%d", signo);
}

void print_signal(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_signal(line, (int)line->args[i], true);
}

static const struct named sa_names[] = {
	{ 0x04000000, "SA_RESTORER" }, { 0x08000000, "SA_ONSTACK" },   { 0x10000000, "SA_RESTART" },
	{ 0x40000000, "SA_NODEFER" },  { 0x80000000, "SA_RESETHAND" }, { 4, "SA_SIGINFO" },
	{ 1, "SA_NOCLDSTOP" },         { 2, "SA_NOCLDWAIT" },          { 0, NULL },
};

void line_sa_flags(struct line *line, uint64_t flags)
{
	line_flags(line, sa_names, flags, "SA_???");
}

static const struct named rlimit_names[] = {
	{ 0, "RLIMIT_CPU" },
	{ 1, "RLIMIT_FSIZE" },
	{ 2, "RLIMIT_DATA" },
	{ 3, "RLIMIT_STACK" },
	{ 4, "RLIMIT_CORE" },
	{ 5, "RLIMIT_RSS" },
	{ 6, "RLIMIT_NPROC" },
	{ 7, "RLIMIT_NOFILE" },
	{ 8, "RLIMIT_MEMLOCK" },
	{ 9, "RLIMIT_AS" },
	{ 10, "RLIMIT_LOCKS" },
	{ 11, "RLIMIT_SIGPENDING" },
	{ 12, "RLIMIT_MSGQUEUE" },
	{ 13, "RLIMIT_NICE" },
	{ 14, "RLIMIT_RTPRIO" },
	{ 15, "RLIMIT_RTTIME" },
	{ 0, NULL },
};
PRINT_CHOICE(rlimit, rlimit_names, "RLIMIT_???")

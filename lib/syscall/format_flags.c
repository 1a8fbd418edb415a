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

enum { HUGE_SHIFT = 26 }; /* MAP_HUGE_SHIFT, MFD_HUGE_SHIFT */

/* ---- how ---- */

bool line_bits(struct line *line, const struct named *names, uint64_t bits, const char *sep, const char *unknown)
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

void line_flags(struct line *line, const struct named *names, uint64_t bits, const char *unknown)
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

void line_choice(struct line *line, const struct named *names, uint64_t value, const char *unknown)
{
	const char *name = name_of(names, value);

	if (name != NULL)
		line_add(line, "%s", name);
	else
		line_add(line, "%#" PRIx64 " /* %s */", value, unknown);
}

/* The size of a huge page, as a power of two, in the upper bits of flags. @return the other bits */
static uint64_t take_huge(uint64_t flags, unsigned *size)
{
	*size = flags >> HUGE_SHIFT & 0x3f;
	return flags & ~(UINT64_C(0x3f) << HUGE_SHIFT);
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
	unsigned huge;
	uint64_t flags = take_huge(line->args[i], &huge);

	(void)other;
	line_choice(line, map_kinds, flags & 0xf, "MAP_???");
	line_bits(line, map_names, flags & ~UINT64_C(0xf), "|", "");
	if (huge != 0)
		line_add(line, "|%u<<MAP_HUGE_SHIFT", huge);
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
	{ 04000000, "__O_SYNC" },
	{ 010000, "O_DSYNC" },
	{ 040000, "O_DIRECT" },
	{ FILE_LARGEFILE, "O_LARGEFILE" },
	{ FILE_NOFOLLOW, "O_NOFOLLOW" },
	{ 01000000, "O_NOATIME" },
	{ FILE_CLOEXEC, "O_CLOEXEC" },
	{ FILE_PATH, "O_PATH" },
	{ 020200000, "O_TMPFILE" },
	{ 020000000, "__O_TMPFILE" },
	{ FILE_DIRECTORY, "O_DIRECTORY" },
	{ 020000, "FASYNC" },
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
	{ 0x400, "AT_SYMLINK_FOLLOW" },
	{ 0x800, "AT_NO_AUTOMOUNT" },
	{ 0x1000, "AT_EMPTY_PATH" },
	{ 0x8000, "AT_RECURSIVE" },
	{ 0, NULL },
};
PRINT_FLAGS(at, at_names, "AT_???")

static const struct named memfd_names[] = {
	{ MEMFD_CLOEXEC, "MFD_CLOEXEC" }, { MEMFD_ALLOW_SEALING, "MFD_ALLOW_SEALING" },
	{ MEMFD_HUGETLB, "MFD_HUGETLB" }, { MEMFD_NOEXEC_SEAL, "MFD_NOEXEC_SEAL" },
	{ MEMFD_EXEC, "MFD_EXEC" },       { 0, NULL },
};

void print_memfd(struct line *line, unsigned i, unsigned other)
{
	unsigned huge;
	uint64_t flags = take_huge((uint32_t)line->args[i], &huge);

	(void)other;
	if (flags != 0 || huge == 0)
		line_flags(line, memfd_names, flags, "MFD_???");
	if (huge != 0)
		line_add(line, "%s%u<<MFD_HUGE_SHIFT", flags != 0 ? "|" : "", huge);
}

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

static const struct named rw_names[] = {
	{ 1, "RWF_HIPRI" },        { 2, "RWF_DSYNC" },
	{ 4, "RWF_SYNC" },         { 8, "RWF_NOWAIT" },
	{ 0x10, "RWF_APPEND" },    { 0x20, "RWF_NOAPPEND" },
	{ 0x40, "RWF_ATOMIC" },    { 0x80, "RWF_DONTCACHE" },
	{ 0x100, "RWF_NOSIGNAL" }, { 0, NULL },
};

PRINT_FLAGS(rw, rw_names, "RWF_???")

/* Those that ksim does not have fail, but have a line too. */
enum {
	LOCK_GET = 5,
	LOCK_SET = 6,
	LOCK_WAIT = 7,
	OWN_SET = 8,
	OWN_GET = 9,
	SIGNAL_SET = 10,
	SIGNAL_GET = 11,
	OWNER_SET = 15,
	OWNER_GET = 16,
	OFD_LOCK_GET = 36,
	OFD_LOCK_SET = 37,
	OFD_LOCK_WAIT = 38,
	LEASE_SET = 1024,
	LEASE_GET = 1025,
	NOTIFY = 1026,
	PIPE_SET = 1031,
	PIPE_GET = 1032,
};

static const struct named fcntl_names[] = {
	{ F_DUPFD, "F_DUPFD" },
	{ F_GETFD, "F_GETFD" },
	{ F_SETFD, "F_SETFD" },
	{ F_GETFL, "F_GETFL" },
	{ F_SETFL, "F_SETFL" },
	{ LOCK_GET, "F_GETLK" },
	{ LOCK_SET, "F_SETLK" },
	{ LOCK_WAIT, "F_SETLKW" },
	{ OWN_SET, "F_SETOWN" },
	{ OWN_GET, "F_GETOWN" },
	{ SIGNAL_SET, "F_SETSIG" },
	{ SIGNAL_GET, "F_GETSIG" },
	{ 12, "F_GETLK64" },
	{ 13, "F_SETLK64" },
	{ 14, "F_SETLKW64" },
	{ OWNER_SET, "F_SETOWN_EX" },
	{ OWNER_GET, "F_GETOWN_EX" },
	{ 17, "F_GETOWNER_UIDS" },
	{ OFD_LOCK_GET, "F_OFD_GETLK" },
	{ OFD_LOCK_SET, "F_OFD_SETLK" },
	{ OFD_LOCK_WAIT, "F_OFD_SETLKW" },
	{ LEASE_SET, "F_SETLEASE" },
	{ LEASE_GET, "F_GETLEASE" },
	{ NOTIFY, "F_NOTIFY" },
	{ 1029, "F_CANCELLK" },
	{ F_DUPFD_CLOEXEC, "F_DUPFD_CLOEXEC" },
	{ PIPE_SET, "F_SETPIPE_SZ" },
	{ PIPE_GET, "F_GETPIPE_SZ" },
	{ F_ADD_SEALS, "F_ADD_SEALS" },
	{ F_GET_SEALS, "F_GET_SEALS" },
	{ 0, NULL },
};
PRINT_CHOICE(fcntl, fcntl_names, "F_???")

static const struct named lock_names[] = { { F_RDLCK, "F_RDLCK" },
	                                   { F_WRLCK, "F_WRLCK" },
	                                   { F_UNLCK, "F_UNLCK" },
	                                   { 0, NULL } };

static const struct named notify_names[] = {
	{ 1, "DN_ACCESS" },
	{ 2, "DN_MODIFY" },
	{ 4, "DN_CREATE" },
	{ 8, "DN_DELETE" },
	{ 16, "DN_RENAME" },
	{ 32, "DN_ATTRIB" },
	{ 0x80000000, "DN_MULTISHOT" },
	{ 0, NULL },
};

static const struct named fd_names[] = { { FD_CLOEXEC, "FD_CLOEXEC" }, { 0, NULL } };

static const struct named seal_names[] = {
	{ 1, "F_SEAL_SEAL" },          { 2, "F_SEAL_SHRINK" }, { 4, "F_SEAL_GROW" }, { 8, "F_SEAL_WRITE" },
	{ 16, "F_SEAL_FUTURE_WRITE" }, { 32, "F_SEAL_EXEC" },  { 0, NULL },
};

static void line_lock(struct line *line, struct uptr at)
{
	struct {
		int16_t type, whence;
		int64_t start, len;
		int32_t pid;
	} lock;

	if (line_peek(line, &lock, at, sizeof(lock)) < 0) {
		line_address(line, at.bits);
		return;
	}
	line_add(line, "{l_type=");
	line_choice(line, lock_names, (uint16_t)lock.type, "F_???");
	line_add(line, ", l_whence=");
	line_choice(line, whence_names, (uint16_t)lock.whence, "SEEK_???");
	line_add(line, ", l_start=%" PRId64 ", l_len=%" PRId64 "}", lock.start, lock.len);
}

static void line_fcntl_number(struct line *line, int command, uint32_t arg)
{
	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
	case OWN_SET:
	case PIPE_SET:
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
	case SIGNAL_SET:
		line_signal(line, (int)arg, true);
		break;
	case LEASE_SET:
		line_choice(line, lock_names, arg, "F_???");
		break;
	}
}

void print_fcntlarg(struct line *line, unsigned i, unsigned other)
{
	int command = (int)line->args[1];

	(void)other;
	switch (command) {
	case F_GETFD:
	case F_GETFL:
	case F_GET_SEALS:
	case OWN_GET:
	case SIGNAL_GET:
	case LEASE_GET:
	case PIPE_GET:
		break;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
	case F_SETFD:
	case F_SETFL:
	case F_ADD_SEALS:
	case OWN_SET:
	case PIPE_SET:
	case SIGNAL_SET:
	case LEASE_SET:
		line_fcntl_number(line, command, (uint32_t)line->args[i]);
		break;
	case NOTIFY:
		line_flags(line, notify_names, line->args[i], "DN_???");
		break;
	case LOCK_SET:
	case LOCK_WAIT:
	case OFD_LOCK_SET:
	case OFD_LOCK_WAIT:
		line_lock(line, line_pointer(line, i));
		break;
	case LOCK_GET:
	case OFD_LOCK_GET:
	case OWNER_SET:
	case OWNER_GET:
		line_address(line, line->args[i]);
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

/* ---- processes ---- */

static const struct named wait_names[] = {
	{ 1, "WNOHANG" },
	{ 4, "WEXITED" },
	{ 2, "WSTOPPED" },
	{ 8, "WCONTINUED" },
	{ 0x01000000, "WNOWAIT" },
	{ 0x80000000, "__WCLONE" },
	{ 0x40000000, "__WALL" },
	{ 0x20000000, "__WNOTHREAD" },
	{ 0, NULL },
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
	else if (signo == 32)
		line_add(line, "%sRTMIN", sig);
	else if (signo > 32 && signo <= SIGNALS)
		line_add(line, "%sRT_%d", sig, signo - 32);
	else
		line_add(line, "%d", signo);
}

void print_signal(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_signal(line, (int)line->args[i], true);
}

static const struct named sighow_names[] = {
	{ 0, "SIG_BLOCK" },
	{ 1, "SIG_UNBLOCK" },
	{ 2, "SIG_SETMASK" },
	{ 0, NULL },
};
PRINT_CHOICE(sighow, sighow_names, "SIG_???")

static const struct named idtype_names[] = {
	{ 0, "P_ALL" }, { 1, "P_PID" }, { 2, "P_PGID" }, { 3, "P_PIDFD" }, { 0, NULL },
};
PRINT_CHOICE(idtype, idtype_names, "P_???")

static const struct named sa_names[] = {
	{ 0x04000000, "SA_RESTORER" }, { 0x08000000, "SA_ONSTACK" },
	{ 0x10000000, "SA_RESTART" },  { 0x20000000, "SA_INTERRUPT" },
	{ 0x40000000, "SA_NODEFER" },  { 0x80000000, "SA_RESETHAND" },
	{ 4, "SA_SIGINFO" },           { 1, "SA_NOCLDSTOP" },
	{ 2, "SA_NOCLDWAIT" },         { 0, NULL },
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

// SPDX-License-Identifier: MIT
/*
 * Structures behind pointers, in the trace.
 *
 * Each is copied in before it is read, by line_peek, and shown as an address if that fails or if the call that was to
 * fill it failed. Of rows that may be long the first ROW_SHOWN members are shown.
 */
#include "syscall/format.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "syscall/message.h"

enum { ROW_SHOWN = 32 };

/* Copy the structure of argument i in, or show where it would be. filled: it is the call that fills it. */
static bool take(struct line *line, unsigned i, bool filled, void *to, size_t n)
{
	if ((!filled || line->result >= 0) && line->args[i] != 0 && line_peek(line, to, line_pointer(line, i), n) == 0)
		return true;
	line_address(line, line->args[i]);
	return false;
}

/* ---- files ---- */

void line_file_mode(struct line *line, uint32_t mode)
{
	static const struct {
		uint32_t type;
		const char *name;
	} types[] = {
		{ S_IFREG, "S_IFREG" }, { S_IFSOCK, "S_IFSOCK" }, { S_IFDIR, "S_IFDIR" }, { S_IFLNK, "S_IFLNK" },
		{ S_IFCHR, "S_IFCHR" }, { S_IFBLK, "S_IFBLK" },   { S_IFIFO, "S_IFIFO" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if ((mode & S_IFMT) == types[i].type)
			line_add(line, "%s|", types[i].name);
	line_add(line, "%#03o", mode & ~(uint32_t)S_IFMT);
}

void print_stat(struct line *line, unsigned i, unsigned other)
{
	uint8_t raw[ABI_STAT_MAX];
	uint64_t size;
	uint32_t mode;

	(void)other;
	if (!take(line, i, true, raw, abi_stat_size(line->abi)))
		return;
	abi_stat_read(line->abi, raw, &mode, &size);
	line_add(line, "{st_mode=");
	line_file_mode(line, mode);
	line_add(line, ", st_size=%" PRIu64 ", ...}", size);
}

void print_fdpair(struct line *line, unsigned i, unsigned other)
{
	int32_t fds[2];

	(void)other;
	if (!take(line, i, true, fds, sizeof(fds)))
		return;
	line_add(line, "[");
	line_fd(line, fds[0]);
	line_add(line, ", ");
	line_fd(line, fds[1]);
	line_add(line, "]");
}

/* ---- addresses ---- */

/* len bytes of an address that have been copied in. */
static void line_sockaddr(struct line *line, const struct abi_sockaddr_un *raw, size_t len)
{
	size_t n = len - ABI_SOCKADDR_PATH;

	line_add(line, "{sa_family=");
	line_family(line, raw->family);
	if (n > 0 && raw->family == ABI_AF_UNIX) {
		bool abstract = raw->path[0] == '\0';

		line_add(line, ", sun_path=%s", abstract ? "@" : "");
		line_quote(line, raw->path + abstract, abstract ? n - 1 : strnlen(raw->path, n));
	} else if (n > 0) {
		line_add(line, ", sa_data=");
		line_quote(line, raw->path, n);
	}
	line_add(line, "}");
}

static void line_sockaddr_at(struct line *line, uint64_t bits, int len)
{
	struct abi_sockaddr_un raw;
	size_t n = (size_t)MIN(len, (int)sizeof(raw));

	if (bits == 0 || len < (int)ABI_SOCKADDR_PATH || line_peek(line, &raw, (struct uptr){ bits }, n) < 0)
		line_address(line, bits);
	else
		line_sockaddr(line, &raw, n);
}

/* An address that the caller gave; its length is argument `other`. */
void print_sockaddr(struct line *line, unsigned i, unsigned other)
{
	line_sockaddr_at(line, line->args[i], (int)line->args[other]);
}

/* What a length was before the call; where that is not known, it is what it is. */
static int32_t room_for(const struct line *line, int32_t now)
{
	return line->traced != NULL && line->traced->room >= 0 ? line->traced->room : now;
}

/* An address that the caller was given; its length is behind argument `other`. */
void print_sockaddrout(struct line *line, unsigned i, unsigned other)
{
	int32_t len;

	if (line->result < 0 || line_peek(line, &len, line_pointer(line, other), sizeof(len)) < 0)
		line_address(line, line->args[i]);
	else
		line_sockaddr_at(line, line->args[i], MIN(len, room_for(line, len)));
}

void print_socklen(struct line *line, unsigned i, unsigned other)
{
	int32_t len;

	(void)other;
	if (!take(line, i, false, &len, sizeof(len)))
		return;
	if (line->result >= 0 && room_for(line, len) != len)
		line_add(line, "[%d => %d]", room_for(line, len), len);
	else
		line_add(line, "[%d]", room_for(line, len));
}

/* ---- socket options ---- */

void print_optval(struct line *line, unsigned i, unsigned other)
{
	struct unix_creds creds;
	int32_t value, len;

	(void)other;
	if (line->result < 0 || line_peek(line, &len, line_pointer(line, i + 1), sizeof(len)) < 0 || len <= 0) {
		line_address(line, line->args[i]);
	} else if (line->args[2] == OPTION_PEERCRED && len == sizeof(creds)) {
		if (take(line, i, true, &creds, sizeof(creds)))
			line_add(line, "{pid=%d, uid=%d, gid=%d}", (int)creds.pid, (int)creds.uid, (int)creds.gid);
	} else if (len == sizeof(value)) {
		if (take(line, i, true, &value, sizeof(value)))
			line_add(line, "[%d]", value);
	} else {
		line_data(line, line_pointer(line, i), (uint64_t)len);
	}
}

void print_optlen(struct line *line, unsigned i, unsigned other)
{
	print_socklen(line, i, other);
}

/* ---- messages ---- */

/* The buffers; moved: how many bytes of them are worth showing. */
static void line_iov(struct line *line, const struct abi_msghdr *header, uint64_t moved)
{
	struct uio_seg seg;

	if (header->iovlen > 0 && line_peek(line, &seg, (struct uptr){ header->iov }, sizeof(seg)) < 0) {
		line_address(line, header->iov);
		return;
	}
	line_add(line, "[");
	for (uint64_t i = 0; i < header->iovlen; i++) {
		struct uptr at = { header->iov + i * sizeof(seg) };
		uint64_t shown;

		line_add(line, i > 0 ? ", " : "");
		if (i == ROW_SHOWN) {
			line_add(line, "...");
			break;
		}
		if (line_peek(line, &seg, at, sizeof(seg)) < 0) {
			line_address(line, at.bits);
			break;
		}
		shown = MIN(seg.len, moved);
		moved -= shown;
		line_add(line, "{iov_base=");
		line_data(line, seg.base, shown);
		line_add(line, ", iov_len=%" PRIu64 "}", seg.len);
	}
	line_add(line, "]");
}

static void line_rights(struct line *line, struct uptr at, uint64_t n)
{
	int32_t fd;

	line_add(line, ", cmsg_data=[");
	for (uint64_t i = 0; i < n; i++) {
		line_add(line, i > 0 ? ", " : "");
		if (i == ROW_SHOWN || line_peek(line, &fd, uptr_add(at, i * sizeof(fd)), sizeof(fd)) < 0) {
			line_add(line, "...");
			break;
		}
		line_fd(line, fd);
	}
	line_add(line, "]");
}

static void line_creds(struct line *line, struct uptr at)
{
	struct unix_creds creds;

	line_add(line, ", cmsg_data=");
	if (line_peek(line, &creds, at, sizeof(creds)) == 0)
		line_add(line, "{pid=%d, uid=%d, gid=%d}", (int)creds.pid, (int)creds.uid, (int)creds.gid);
	else
		line_address(line, at.bits);
}

/* One control message, of which `room` bytes are there. @return its bytes, also more than room */
static uint64_t line_cmsg(struct line *line, struct uptr at, uint64_t room)
{
	struct abi_cmsghdr header = { 0 };
	uint64_t data;

	(void)line_peek(line, &header, at, sizeof(header));
	line_add(line, "{cmsg_len=%" PRIu64, header.len);
	line_cmsg_kind(line, header.level, header.type);
	data = MIN(header.len, room);
	data = data > sizeof(header) ? data - sizeof(header) : 0;
	if (header.level == LEVEL_SOCKET && header.type == RIGHTS && data >= sizeof(int32_t))
		line_rights(line, uptr_add(at, sizeof(header)), data / sizeof(int32_t));
	else if (header.level == LEVEL_SOCKET && header.type == CREDENTIALS && data >= sizeof(struct unix_creds))
		line_creds(line, uptr_add(at, sizeof(header)));
	line_add(line, "}");
	return header.len;
}

/* What a control buffer has room for; also more is never looked at. */
static bool control_is_there(struct line *line, struct uptr at, uint64_t n)
{
	uint8_t byte;

	return n >= sizeof(struct abi_cmsghdr) && line_peek(line, &byte, at, 1) == 0 &&
	       line_peek(line, &byte, uptr_add(at, n - 1), 1) == 0;
}

static void line_control(struct line *line, const struct abi_msghdr *header)
{
	enum { CONTROL_MAX = 20480 };
	struct uptr at = { header->control };
	uint64_t left = MIN(header->controllen, (uint64_t)CONTROL_MAX);

	if (left == 0)
		return;
	line_add(line, ", msg_control=");
	if (!control_is_there(line, at, left)) {
		line_address(line, header->control);
		return;
	}
	line_add(line, "[");
	while (left >= sizeof(struct abi_cmsghdr)) {
		uint64_t len = line_cmsg(line, at, left);
		uint64_t step = len < left ? (len + 7) & ~UINT64_C(7) : left;

		if (len < sizeof(struct abi_cmsghdr)) {
			at = uptr_add(at, sizeof(struct abi_cmsghdr));
			left -= sizeof(struct abi_cmsghdr);
			break;
		}
		step = MIN(step, left);
		at = uptr_add(at, step);
		left -= step;
		if (left >= sizeof(struct abi_cmsghdr))
			line_add(line, ", ");
	}
	if (left > 0) {
		line_add(line, ", ... /* ");
		line_address(line, at.bits);
		line_add(line, " */");
	}
	line_add(line, "]");
}

static void line_message(struct line *line, const struct abi_msghdr *header, uint64_t moved)
{
	line_add(line, "{msg_name=");
	line_sockaddr_at(line, header->name, header->namelen);
	line_add(line, ", msg_namelen=");
	if (room_for(line, header->namelen) != header->namelen)
		line_add(line, "%d => ", room_for(line, header->namelen));
	line_add(line, "%d, msg_iov=", header->namelen);
	line_iov(line, header, moved);
	line_add(line, ", msg_iovlen=%" PRIu64, header->iovlen);
	line_control(line, header);
	line_add(line, ", msg_controllen=%" PRIu64 ", msg_flags=", header->controllen);
	line_msg_flags(line, header->flags);
	line_add(line, "}");
}

void print_msghdr(struct line *line, unsigned i, unsigned other)
{
	struct abi_msghdr header;

	(void)other;
	if (take(line, i, false, &header, sizeof(header)))
		line_message(line, &header, UINT64_MAX);
}

void print_msghdrout(struct line *line, unsigned i, unsigned other)
{
	struct abi_msghdr header;

	(void)other;
	if (!take(line, i, false, &header, sizeof(header)))
		return;
	if (line->result < 0)
		line_add(line, "{msg_namelen=%d}", header.namelen);
	else
		line_message(line, &header, (uint64_t)line->result);
}

/* ---- processes ---- */

void print_status(struct line *line, unsigned i, unsigned other)
{
	int status;

	(void)other;
	if (line->result == 0) {
		line_address(line, line->args[i]); /* WNOHANG, and nobody has ended */
		return;
	}
	if (!take(line, i, true, &status, sizeof(status)))
		return;
	if (WIFEXITED(status)) {
		line_add(line, "[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", WEXITSTATUS(status));
		return;
	}
	line_add(line, "[{WIFSIGNALED(s) && WTERMSIG(s) == ");
	line_signal(line, WTERMSIG(status), true);
	line_add(line, WCOREDUMP(status) ? " && WCOREDUMP(s)}]" : "}]");
}

void print_rusage(struct line *line, unsigned i, unsigned other)
{
	int64_t times[4];

	(void)other;
	if (line->result == 0) {
		line_address(line, line->args[i]);
		return;
	}
	if (take(line, i, true, times, sizeof(times)))
		line_add(line,
		         "{ru_utime={tv_sec=%" PRId64 ", tv_usec=%" PRId64 "}, ru_stime={tv_sec=%" PRId64
		         ", tv_usec=%" PRId64 "}, ...}",
		         times[0], times[1], times[2], times[3]);
}

/* Signals, or, if they are most, those that are missing. */
static void line_mask(struct line *line, uint64_t mask)
{
	bool inverted = __builtin_popcountll(mask) >= SIGNALS * 2 / 3;
	bool first = true;

	line_add(line, inverted ? "~[" : "[");
	for (int signo = 1; signo <= SIGNALS; signo++) {
		if ((mask >> (signo - 1) & 1) == inverted)
			continue;
		line_add(line, first ? "" : " ");
		line_signal(line, signo, false);
		first = false;
	}
	line_add(line, "]");
}

static void line_handler(struct line *line, uint64_t handler)
{
	if (handler == 0)
		line_add(line, "SIG_DFL");
	else if (handler == 1)
		line_add(line, "SIG_IGN");
	else
		line_address(line, handler);
}

static void line_action(struct line *line, const struct abi_sigaction *action)
{
	enum { RESTORER = 0x04000000 };

	line_add(line, "{sa_handler=");
	line_handler(line, action->handler);
	line_add(line, ", sa_mask=");
	line_mask(line, action->mask);
	line_add(line, ", sa_flags=");
	line_sa_flags(line, action->flags);
	if (action->flags & RESTORER) {
		line_add(line, ", sa_restorer=");
		line_address(line, action->restorer);
	}
	line_add(line, "}");
}

void print_sigaction(struct line *line, unsigned i, unsigned other)
{
	struct abi_sigaction action;

	(void)other;
	if (take(line, i, false, &action, sizeof(action)))
		line_action(line, &action);
}

void print_sigactionout(struct line *line, unsigned i, unsigned other)
{
	struct abi_sigaction action;

	(void)other;
	if (take(line, i, true, &action, sizeof(action)))
		line_action(line, &action);
}

static void line_set_at(struct line *line, unsigned i, bool filled)
{
	uint64_t set;

	if (take(line, i, filled, &set, sizeof(set)))
		line_mask(line, set);
}

/* Shown if argument `other`, where there is one, says that it is as long as sets are. */
void print_sigset(struct line *line, unsigned i, unsigned other)
{
	if (other != 0 && line->args[other] != sizeof(uint64_t))
		line_address(line, line->args[i]);
	else
		line_set_at(line, i, false);
}

void print_signal_result(struct line *line)
{
	line_add(line, "%ld (", line->result);
	line_signal(line, (int)line->result, true);
	line_add(line, ")");
}

void print_sigsetout(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_set_at(line, i, true);
}

static void line_code(struct line *line, int signo, int code)
{
	if (code == SI_USER || code == SI_TKILL || code == SI_QUEUE)
		line_add(line, code == SI_USER ? "SI_USER" : code == SI_TKILL ? "SI_TKILL" : "SI_QUEUE");
	else if (signo == SIGCHLD && (code == CLD_EXITED || code == CLD_KILLED))
		line_add(line, code == CLD_EXITED ? "CLD_EXITED" : "CLD_KILLED");
	else
		line_add(line, "%d", code);
}

static void line_siginfo(struct line *line, unsigned i, bool filled)
{
	uint8_t raw[ABI_SIGINFO_CHILD_BYTES];
	int signo, code;
	int32_t child[3]; /* pid, uid, status */

	if (!take(line, i, filled, raw, sizeof(raw)))
		return;
	memcpy(&signo, raw, sizeof(signo));
	memcpy(&code, raw + 8, sizeof(code));
	memcpy(child, raw + 16, sizeof(child));
	if (signo == 0) {
		line_add(line, "{}");
		return;
	}
	line_add(line, "{si_signo=");
	line_signal(line, signo, true);
	line_add(line, ", si_code=");
	line_code(line, signo, code);
	line_add(line, ", si_pid=%" PRId32 ", si_uid=%" PRId32, child[0], child[1]);
	if (signo == SIGCHLD && code == CLD_KILLED) {
		line_add(line, ", si_status=");
		line_signal(line, child[2], true);
	} else if (signo == SIGCHLD && code == CLD_EXITED) {
		line_add(line, ", si_status=%" PRId32, child[2]);
	}
	line_add(line, signo == SIGCHLD && code > 0 ? ", si_utime=0, si_stime=0}" : "}");
}

void print_siginfo(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_siginfo(line, i, true);
}

void print_siginfoin(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_siginfo(line, i, false);
}

void print_timespec(struct line *line, unsigned i, unsigned other)
{
	int64_t time[2];

	(void)other;
	if (take(line, i, false, time, sizeof(time)))
		line_add(line, "{tv_sec=%" PRId64 ", tv_nsec=%" PRId64 "}", time[0], time[1]);
}

static void line_altstack(struct line *line, unsigned i, bool filled)
{
	static const struct named modes[] = {
		{ 1, "SS_ONSTACK" }, { 2, "SS_DISABLE" }, { 0x80000000, "SS_AUTODISARM" }, { 0 }
	};
	struct {
		uint64_t sp;
		uint32_t flags, pad;
		uint64_t size;
	} stack;

	if (!take(line, i, filled, &stack, sizeof(stack)))
		return;
	line_add(line, "{ss_sp=");
	line_address(line, stack.sp);
	line_add(line, ", ss_flags=");
	line_flags(line, modes, stack.flags, "SS_???");
	line_add(line, ", ss_size=%" PRIu64 "}", stack.size);
}

void print_altstack(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_altstack(line, i, false);
}

void print_altstackout(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_altstack(line, i, true);
}

static void line_limit(struct line *line, uint64_t limit)
{
	if (limit == UINT64_MAX)
		line_add(line, "RLIM64_INFINITY");
	else if (limit > 1024 && limit % 1024 == 0)
		line_add(line, "%" PRIu64 "*1024", limit / 1024);
	else
		line_add(line, "%" PRIu64, limit);
}

static void line_limits(struct line *line, const struct abi_rlimit *limits)
{
	line_add(line, "{rlim_cur=");
	line_limit(line, limits->soft);
	line_add(line, ", rlim_max=");
	line_limit(line, limits->hard);
	line_add(line, "}");
}

void print_limits(struct line *line, unsigned i, unsigned other)
{
	struct abi_rlimit limits;

	(void)other;
	if (take(line, i, false, &limits, sizeof(limits)))
		line_limits(line, &limits);
}

void print_limitsout(struct line *line, unsigned i, unsigned other)
{
	struct abi_rlimit limits;

	(void)other;
	if (take(line, i, true, &limits, sizeof(limits)))
		line_limits(line, &limits);
}

/* ---- users and groups ---- */

void print_idout(struct line *line, unsigned i, unsigned other)
{
	uint32_t id;

	(void)other;
	if (take(line, i, true, &id, sizeof(id)))
		line_add(line, "[%" PRId32 "]", (int32_t)id);
}

static void line_groups(struct line *line, unsigned i, uint64_t n)
{
	uint32_t groups[CREDS_GROUPS_MAX];

	if (n > CREDS_GROUPS_MAX || line_peek(line, groups, line_pointer(line, i), n * sizeof(groups[0])) < 0) {
		line_address(line, line->args[i]);
		return;
	}
	line_add(line, "[");
	for (uint64_t k = 0; k < n; k++)
		line_add(line, k > 0 ? ", %" PRId32 : "%" PRId32, (int32_t)groups[k]);
	line_add(line, "]");
}

/* As many as argument `other` says. */
void print_groups(struct line *line, unsigned i, unsigned other)
{
	if (line->args[i] == 0)
		line_address(line, 0);
	else
		line_groups(line, i, (uint32_t)line->args[other]);
}

/* As many as the call returned. */
void print_groupsout(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	if (line->result < 0 || line->args[i] == 0 || line->args[0] == 0)
		line_address(line, line->args[i]);
	else
		line_groups(line, i, (uint64_t)line->result);
}

// SPDX-License-Identifier: MIT
/*
 * Numbers of sockets that have names, in the trace.
 *
 * Only unix sockets exist, but a call that asks for something else has a line too, so every family and every option of
 * SOL_SOCKET is known by its name. Options of other levels are shown as numbers.
 */
#include "syscall/format.h"

#include "syscall/message.h"

static const struct named family_names[] = {
	{ 0, "AF_UNSPEC" },      { 1, "AF_UNIX" },      { 2, "AF_INET" },      { 3, "AF_AX25" },
	{ 4, "AF_IPX" },         { 5, "AF_APPLETALK" }, { 6, "AF_NETROM" },    { 7, "AF_BRIDGE" },
	{ 8, "AF_ATMPVC" },      { 9, "AF_X25" },       { 10, "AF_INET6" },    { 11, "AF_ROSE" },
	{ 12, "AF_DECnet" },     { 13, "AF_NETBEUI" },  { 14, "AF_SECURITY" }, { 15, "AF_KEY" },
	{ 16, "AF_NETLINK" },    { 17, "AF_PACKET" },   { 18, "AF_ASH" },      { 19, "AF_ECONET" },
	{ 20, "AF_ATMSVC" },     { 21, "AF_RDS" },      { 22, "AF_SNA" },      { 23, "AF_IRDA" },
	{ 24, "AF_PPPOX" },      { 25, "AF_WANPIPE" },  { 26, "AF_LLC" },      { 27, "AF_IB" },
	{ 28, "AF_MPLS" },       { 29, "AF_CAN" },      { 30, "AF_TIPC" },     { 31, "AF_BLUETOOTH" },
	{ 32, "AF_IUCV" },       { 33, "AF_RXRPC" },    { 34, "AF_ISDN" },     { 35, "AF_PHONET" },
	{ 36, "AF_IEEE802154" }, { 37, "AF_CAIF" },     { 38, "AF_ALG" },      { 39, "AF_NFC" },
	{ 40, "AF_VSOCK" },      { 41, "AF_KCM" },      { 42, "AF_QIPCRTR" },  { 43, "AF_SMC" },
	{ 44, "AF_XDP" },        { 45, "AF_MCTP" },     { 0, NULL },
};
PRINT_CHOICE(family, family_names, "AF_???")

void line_family(struct line *line, unsigned family)
{
	line_choice(line, family_names, family, "AF_???");
}

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

static bool has_name(const struct named *names, uint64_t value)
{
	while (names->name != NULL && names->value != value)
		names++;
	return names->name != NULL;
}

void print_socktype(struct line *line, unsigned i, unsigned other)
{
	uint32_t type = (uint32_t)line->args[i];

	(void)other;
	if (!has_name(type_names, type & 0xf)) {
		line_flags(line, sockflag_names, type, "SOCK_???");
		return;
	}
	line_choice(line, type_names, type & 0xf, "");
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
	{ 0x10, "MSG_PROBE" },
	{ 0x20, "MSG_TRUNC" },
	{ 0x40, "MSG_DONTWAIT" },
	{ 0x80, "MSG_EOR" },
	{ 0x100, "MSG_WAITALL" },
	{ 0x200, "MSG_FIN" },
	{ 0x400, "MSG_SYN" },
	{ 0x800, "MSG_CONFIRM" },
	{ 0x1000, "MSG_RST" },
	{ 0x2000, "MSG_ERRQUEUE" },
	{ 0x4000, "MSG_NOSIGNAL" },
	{ 0x8000, "MSG_MORE" },
	{ 0x10000, "MSG_WAITFORONE" },
	{ 0x20000, "MSG_SENDPAGE_NOTLAST" },
	{ 0x40000, "MSG_BATCH" },
	{ 0x80000, "MSG_NO_SHARED_FRAGS" },
	{ 0x4000000, "MSG_ZEROCOPY" },
	{ 0x20000000, "MSG_FASTOPEN" },
	{ 0x40000000, "MSG_CMSG_CLOEXEC" },
	{ 0x80000000, "MSG_CMSG_COMPAT" },
	{ 0, NULL },
};
PRINT_FLAGS(msg, msg_names, "MSG_???")

void line_msg_flags(struct line *line, uint32_t flags)
{
	line_flags(line, msg_names, flags, "MSG_???");
}

static const struct named level_names[] = {
	{ 0, "SOL_IP" }, { LEVEL_SOCKET, "SOL_SOCKET" }, { 6, "SOL_TCP" }, { 17, "SOL_UDP" }, { 41, "SOL_IPV6" },
	{ 0, NULL },
};
PRINT_CHOICE(sol, level_names, "SOL_??")

static const struct named option_names[] = {
	{ 1, "SO_DEBUG" },
	{ 2, "SO_REUSEADDR" },
	{ OPTION_TYPE, "SO_TYPE" },
	{ OPTION_ERROR, "SO_ERROR" },
	{ 5, "SO_DONTROUTE" },
	{ 6, "SO_BROADCAST" },
	{ OPTION_SNDBUF, "SO_SNDBUF" },
	{ OPTION_RCVBUF, "SO_RCVBUF" },
	{ 9, "SO_KEEPALIVE" },
	{ 10, "SO_OOBINLINE" },
	{ 11, "SO_NO_CHECK" },
	{ 12, "SO_PRIORITY" },
	{ 13, "SO_LINGER" },
	{ 14, "SO_BSDCOMPAT" },
	{ 15, "SO_REUSEPORT" },
	{ 16, "SO_PASSCRED" },
	{ OPTION_PEERCRED, "SO_PEERCRED" },
	{ 18, "SO_RCVLOWAT" },
	{ 19, "SO_SNDLOWAT" },
	{ 20, "SO_RCVTIMEO_OLD" },
	{ 21, "SO_SNDTIMEO_OLD" },
	{ 22, "SO_SECURITY_AUTHENTICATION" },
	{ 23, "SO_SECURITY_ENCRYPTION_TRANSPORT" },
	{ 24, "SO_SECURITY_ENCRYPTION_NETWORK" },
	{ 25, "SO_BINDTODEVICE" },
	{ 26, "SO_GET_FILTER" },
	{ 27, "SO_DETACH_FILTER" },
	{ 28, "SO_PEERNAME" },
	{ 29, "SO_TIMESTAMP_OLD" },
	{ OPTION_ACCEPTCONN, "SO_ACCEPTCONN" },
	{ 31, "SO_PEERSEC" },
	{ 32, "SO_SNDBUFFORCE" },
	{ 33, "SO_RCVBUFFORCE" },
	{ 34, "SO_PASSSEC" },
	{ 35, "SO_TIMESTAMPNS_OLD" },
	{ 36, "SO_MARK" },
	{ 37, "SO_TIMESTAMPING_OLD" },
	{ OPTION_PROTOCOL, "SO_PROTOCOL" },
	{ OPTION_DOMAIN, "SO_DOMAIN" },
	{ 40, "SO_RXQ_OVFL" },
	{ 41, "SO_WIFI_STATUS" },
	{ 42, "SO_PEEK_OFF" },
	{ 43, "SO_NOFCS" },
	{ 44, "SO_LOCK_FILTER" },
	{ 45, "SO_SELECT_ERR_QUEUE" },
	{ 46, "SO_BUSY_POLL" },
	{ 47, "SO_MAX_PACING_RATE" },
	{ 48, "SO_BPF_EXTENSIONS" },
	{ 49, "SO_INCOMING_CPU" },
	{ 50, "SO_ATTACH_BPF" },
	{ 51, "SO_ATTACH_REUSEPORT_CBPF" },
	{ 52, "SO_ATTACH_REUSEPORT_EBPF" },
	{ 53, "SO_CNX_ADVICE" },
	{ 55, "SO_MEMINFO" },
	{ 56, "SO_INCOMING_NAPI_ID" },
	{ 57, "SO_COOKIE" },
	{ 59, "SO_PEERGROUPS" },
	{ 60, "SO_ZEROCOPY" },
	{ 61, "SO_TXTIME" },
	{ 62, "SO_BINDTOIFINDEX" },
	{ 63, "SO_TIMESTAMP_NEW" },
	{ 64, "SO_TIMESTAMPNS_NEW" },
	{ 65, "SO_TIMESTAMPING_NEW" },
	{ 66, "SO_RCVTIMEO_NEW" },
	{ 67, "SO_SNDTIMEO_NEW" },
	{ 68, "SO_DETACH_REUSEPORT_BPF" },
	{ 69, "SO_PREFER_BUSY_POLL" },
	{ 70, "SO_BUSY_POLL_BUDGET" },
	{ 71, "SO_NETNS_COOKIE" },
	{ 72, "SO_BUF_LOCK" },
	{ 73, "SO_RESERVE_MEM" },
	{ 74, "SO_TXREHASH" },
	{ 75, "SO_RCVMARK" },
	{ 0, NULL },
};

void print_so(struct line *line, unsigned i, unsigned other)
{
	if ((int)line->args[other] == LEVEL_SOCKET)
		line_choice(line, option_names, (uint32_t)line->args[i], "SO_???");
	else
		line_add(line, "%d", (int)line->args[i]);
}

static const struct named cmsg_names[] = {
	{ RIGHTS, "SCM_RIGHTS" },
	{ CREDENTIALS, "SCM_CREDENTIALS" },
	{ 3, "SCM_SECURITY" },
	{ 0, NULL },
};

void line_cmsg_kind(struct line *line, int level, int type)
{
	line_add(line, ", cmsg_level=");
	line_choice(line, level_names, (uint32_t)level, "SOL_???");
	line_add(line, ", cmsg_type=");
	if (level == LEVEL_SOCKET)
		line_choice(line, cmsg_names, (uint32_t)type, "SCM_???");
	else
		line_add(line, "%#x", (unsigned)type);
}

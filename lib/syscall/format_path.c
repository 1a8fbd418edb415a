// SPDX-License-Identifier: MIT
/*
 * Arguments of the calls that take paths, in the trace: modes, permissions, entries of directories, times.
 */
#include "syscall/format.h"

#include <inttypes.h>
#include <sys/stat.h>

static const struct named rename_names[] = {
	{ 1, "RENAME_NOREPLACE" },
	{ 2, "RENAME_EXCHANGE" },
	{ 4, "RENAME_WHITEOUT" },
	{ 0, NULL },
};
PRINT_FLAGS(rename, rename_names, "RENAME_???")

static const struct named statx_at_names[] = {
	{ 0x100, "AT_SYMLINK_NOFOLLOW" },  { 0x800, "AT_NO_AUTOMOUNT" },     { 0x1000, "AT_EMPTY_PATH" },
	{ 0x2000, "AT_STATX_FORCE_SYNC" }, { 0x4000, "AT_STATX_DONT_SYNC" }, { 0, NULL },
};

/* The way of synchronisation has a name also where it is the usual one. */
void print_statxat(struct line *line, unsigned i, unsigned other)
{
	uint32_t flags = (uint32_t)line->args[i];

	(void)other;
	if ((flags & 0x6000) == 0)
		line_add(line, "AT_STATX_SYNC_AS_STAT");
	line_bits(line, statx_at_names, flags, (flags & 0x6000) == 0 ? "|" : "", "AT_???");
}

static const struct named statx_names[] = {
	{ 0xfff, "STATX_ALL" },    { 0x7ff, "STATX_BASIC_STATS" }, { 0x1, "STATX_TYPE" },      { 0x2, "STATX_MODE" },
	{ 0x4, "STATX_NLINK" },    { 0x8, "STATX_UID" },           { 0x10, "STATX_GID" },      { 0x20, "STATX_ATIME" },
	{ 0x40, "STATX_MTIME" },   { 0x80, "STATX_CTIME" },        { 0x100, "STATX_INO" },     { 0x200, "STATX_SIZE" },
	{ 0x400, "STATX_BLOCKS" }, { 0x800, "STATX_BTIME" },       { 0x1000, "STATX_MNT_ID" }, { 0, NULL },
};
PRINT_FLAGS(statxmask, statx_names, "STATX_???")

static const struct named access_names[] = { { 4, "R_OK" }, { 2, "W_OK" }, { 1, "X_OK" }, { 0, NULL } };

void print_access(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	if ((uint32_t)line->args[i] == 0)
		line_add(line, "F_OK");
	else
		line_flags(line, access_names, (uint32_t)line->args[i], "?_OK");
}

static const struct named access_at_names[] = {
	{ 0x100, "AT_SYMLINK_NOFOLLOW" },
	{ 0x200, "AT_EACCESS" },
	{ 0x1000, "AT_EMPTY_PATH" },
	{ 0, NULL },
};
PRINT_FLAGS(accessat, access_at_names, "AT_???")

void print_modebits(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_add(line, "%#03o", (uint32_t)line->args[i]);
}

/* With the type of the file. */
void print_filemode(struct line *line, unsigned i, unsigned other)
{
	(void)other;
	line_file_mode(line, (uint32_t)line->args[i]);
}

/* Shown only if argument `other` makes a device. */
void print_dev(struct line *line, unsigned i, unsigned other)
{
	uint32_t dev = (uint32_t)line->args[i];

	if (S_ISCHR(line->args[other]) || S_ISBLK(line->args[other]))
		line_add(line, "makedev(%#x, %#x)", dev >> 8 & 0xfff, (dev & 0xff) | (dev >> 12 & 0xfff00));
}

/* How many entries there are. */
void print_dents(struct line *line, unsigned i, unsigned other)
{
	unsigned n = 0;
	uint16_t bytes;

	(void)other;
	line_address(line, line->args[i]);
	if (line->result < 0)
		return;
	for (uint64_t at = 0; at < (uint64_t)line->result; at += bytes, n++)
		if (line_peek(line, &bytes, uptr_add(line_pointer(line, i), at + 16), sizeof(bytes)) < 0 || bytes == 0)
			return;
	line_add(line, " /* %u entries */", n);
}

/* The path, without the NUL that the result counts. */
void print_cwd(struct line *line, unsigned i, unsigned other)
{
	char text[PATH_BYTES];

	(void)other;
	if (line->result <= 0 || line->result > (long)sizeof(text) ||
	    line_peek(line, text, line_pointer(line, i), (size_t)line->result) < 0)
		line_address(line, line->args[i]);
	else
		line_quote(line, text, (size_t)line->result - 1);
}

static void line_time(struct line *line, int64_t sec, int64_t nsec)
{
	if (nsec == (1 << 30) - 1)
		line_add(line, "UTIME_NOW");
	else if (nsec == (1 << 30) - 2)
		line_add(line, "UTIME_OMIT");
	else
		line_add(line, "{tv_sec=%" PRId64 ", tv_nsec=%" PRId64 "}", sec, nsec);
}

void print_times(struct line *line, unsigned i, unsigned other)
{
	int64_t times[4];

	(void)other;
	if (line_peek(line, times, line_pointer(line, i), sizeof(times)) < 0) {
		line_address(line, line->args[i]);
		return;
	}
	line_add(line, "[");
	line_time(line, times[0], times[1]);
	line_add(line, ", ");
	line_time(line, times[2], times[3]);
	line_add(line, "]");
}

// SPDX-License-Identifier: MIT
/*
 * See abi_proc.h.
 */
#include "abi_proc.h"

#include <stdlib.h>

char proc_text[PROC_TEXT_MAX];

size_t proc_slurp_by(const char *path, char *buf, size_t size, size_t piece)
{
	int fd = x_open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	EXPECT_MSG(fd >= 0, "open %s: errno %d", path, errno);
	if (fd < 0)
		return 0;
	while (len + 1 < size && (n = x_read(fd, buf + len, size - 1 - len < piece ? size - 1 - len : piece)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	x_close(fd);
	return len;
}

const char *proc_slurp(const char *path)
{
	proc_slurp_by(path, proc_text, sizeof(proc_text), 4096);
	return proc_text;
}

const char *proc_slurp_of(pid_t pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return proc_slurp(path);
}

const char *proc_line_of(const char *maps, addr_t addr)
{
	char start[32];
	size_t len = (size_t)snprintf(start, sizeof(start), "%08llx-", (unsigned long long)addr);

	for (const char *line = maps; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL)
		if (strncmp(line, start, len) == 0)
			return line;
	return NULL;
}

long long proc_number_in(const char *from, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = from; line != NULL; line = strchr(line, '\n'), line += line != NULL)
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			return atoll(line + len + 1);
	return -1;
}

void proc_touch(addr_t addr, int npages)
{
	for (int i = 0; i < npages; i++)
		st8(addr + (addr_t)i * PAGE, 1);
}

/* Room for npages with a page of no access before and behind it. */
static addr_t apart(int npages)
{
	addr_t around =
		x_mmap(0, (size_t)(npages + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	SETUP(around != NO_MAPPING);
	return around + PAGE;
}

void proc_unmap_apart(addr_t addr, int npages)
{
	unmap(addr - PAGE, npages + 2);
}

addr_t proc_map_apart(int npages, int prot, int flags, int fd, off_t offset)
{
	addr_t at = apart(npages);
	addr_t addr =
		x_mmap(at, (size_t)npages * PAGE, prot, flags | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, offset);

	SETUP(addr == at);
	return addr;
}

addr_t proc_anonymous_apart(int npages)
{
	return proc_map_apart(npages, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0);
}

int proc_named_memfd(const char *name, int npages)
{
	int fd = x_memfd_create(name, MFD_CLOEXEC);

	SETUP(fd >= 0 && x_ftruncate(fd, (off_t)npages * PAGE) == 0);
	return fd;
}

static int touch_and_wait(void *arg)
{
	const struct proc_watched *w = arg;
	char byte = 0;

	CHILD_EXPECT(x_close(w->ends[0]) == 0);
	if (w->shared != 0)
		proc_touch(w->shared, 4);
	if (w->private != 0)
		proc_touch(w->private, 1);
	CHILD_EXPECT(x_write(w->ends[1], &byte, 1) == 1);
	CHILD_EXPECT(x_read(w->ends[1], &byte, 1) == 1);
	return 0;
}

pid_t proc_watch(struct proc_watched *w)
{
	pid_t pid;
	char byte;

	stream_pair(w->ends);
	pid = x_fork_into(touch_and_wait, w);
	SETUP(pid > 0);
	x_close(w->ends[1]);
	SETUP(x_read(w->ends[0], &byte, 1) == 1);
	return pid;
}

void proc_unwatch(struct proc_watched *w, pid_t pid)
{
	int status = -1;

	SETUP(x_write(w->ends[0], "", 1) == 1);
	EXPECT_EQ(x_waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	x_close(w->ends[0]);
}

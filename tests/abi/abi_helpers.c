// SPDX-License-Identifier: MIT
/*
 * Helpers of the tests of Linux's promises that are the same on every kernel: faults as values, files and mappings in
 * one line, sockets and the fds that travel over them.
 *
 * A probe installs handlers for SIGSEGV and SIGBUS, makes one access, and puts the old handlers back; the handler
 * leaves by siglongjmp, which is what programs that probe memory do.
 */
#include "abi.h"

#include <setjmp.h>
#include <stdlib.h>

/* Faults. */

static sigjmp_buf probe_out;
static struct fault probe_fault;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	(void)context;
	probe_fault = (struct fault){ signo, info->si_code, faulted(info) };
	siglongjmp(probe_out, 1);
}

/* touch(addr, value): one load or store of its width. */
static struct fault probe(void (*touch)(addr_t addr, void *value), addr_t addr, void *value)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct sigaction old_segv, old_bus;

	probe_fault = (struct fault){ 0 };
	x_sigaction(SIGSEGV, &action, &old_segv);
	x_sigaction(SIGBUS, &action, &old_bus);
	if (sigsetjmp(probe_out, 1) == 0)
		touch(addr, value);
	x_sigaction(SIGSEGV, &old_segv, NULL);
	x_sigaction(SIGBUS, &old_bus, NULL);
	return probe_fault;
}

static void load8(addr_t addr, void *value)
{
	*(uint8_t *)value = ld8(addr);
}

static void store8(addr_t addr, void *value)
{
	st8(addr, *(uint8_t *)value);
}

static void load64(addr_t addr, void *value)
{
	*(uint64_t *)value = ld64(addr);
}

static void store64(addr_t addr, void *value)
{
	st64(addr, *(uint64_t *)value);
}

struct fault probe_ld8(addr_t addr, uint8_t *value)
{
	uint8_t unused;

	return probe(load8, addr, value != NULL ? value : &unused);
}

struct fault probe_st8(addr_t addr, uint8_t value)
{
	return probe(store8, addr, &value);
}

struct fault probe_ld64(addr_t addr, uint64_t *value)
{
	uint64_t unused;

	return probe(load64, addr, value != NULL ? value : &unused);
}

struct fault probe_st64(addr_t addr, uint64_t value)
{
	return probe(store64, addr, &value);
}

/* Files and mappings. */

int memfd(int npages)
{
	int fd = x_memfd_create("abi", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	SETUP(fd >= 0);
	if (npages > 0)
		SETUP(x_ftruncate(fd, (off_t)npages * PAGE) == 0);
	return fd;
}

int reopen(int fd, int flags)
{
	char path[64];
	int opened;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	opened = x_open(path, flags);
	SETUP(opened >= 0);
	return opened;
}

addr_t map_shared(int fd, int npages, int prot)
{
	addr_t addr = x_mmap(0, (size_t)npages * PAGE, prot, MAP_SHARED, fd, 0);

	SETUP(addr != NO_MAPPING);
	return addr;
}

addr_t map_private(int fd, int npages, int prot)
{
	addr_t addr = x_mmap(0, (size_t)npages * PAGE, prot, MAP_PRIVATE, fd, 0);

	SETUP(addr != NO_MAPPING);
	return addr;
}

addr_t map_anonymous(int npages, int prot, int flags)
{
	addr_t addr = x_mmap(0, (size_t)npages * PAGE, prot, flags | MAP_ANONYMOUS, -1, 0);

	SETUP(addr != NO_MAPPING);
	return addr;
}

void unmap(addr_t addr, int npages)
{
	SETUP(x_munmap(addr, (size_t)npages * PAGE) == 0);
}

addr_t unmapped_page(void)
{
	/* The middle of three, so that neither neighbour can be taken for it. */
	addr_t addr = map_anonymous(3, PROT_READ, MAP_PRIVATE);

	unmap(addr, 3);
	return addr + PAGE;
}

off_t size_of(int fd)
{
	struct stat st;

	SETUP(x_fstat(fd, &st) == 0);
	return st.st_size;
}

int seals_of(int fd)
{
	return x_fcntl(fd, F_GET_SEALS);
}

int byte_at(int fd, off_t offset)
{
	unsigned char byte;
	ssize_t n = x_pread(fd, &byte, 1, offset);

	SETUP(n >= 0);
	return n == 1 ? byte : -1;
}

void fill_pattern(unsigned char *buf, size_t len_bytes, unsigned first)
{
	for (size_t i = 0; i < len_bytes; i++)
		buf[i] = (unsigned char)(first + i);
}

int lowest_free_fd(void)
{
	int fd = x_memfd_create("lowest", 0);

	SETUP(fd >= 0);
	SETUP(x_close(fd) == 0);
	return fd;
}

void hog_fds(struct fd_hog *hog, int nleft)
{
	int fd = x_memfd_create("hog", 0);

	hog->nfds = 0;
	while (fd >= 0 && hog->nfds < NFDS_LIMIT) {
		hog->fds[hog->nfds++] = fd;
		fd = x_dup(hog->fds[0]);
	}
	SETUP(fd == -1 && errno == EMFILE && hog->nfds > nleft);
	while (nleft-- > 0)
		SETUP(x_close(hog->fds[--hog->nfds]) == 0);
}

void unhog_fds(struct fd_hog *hog)
{
	while (hog->nfds > 0)
		SETUP(x_close(hog->fds[--hog->nfds]) == 0);
}

/* Sockets. */

void stream_pair(int ends[2])
{
	SETUP(x_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
}

void close_pair(const int ends[2])
{
	SETUP(x_close(ends[0]) == 0);
	SETUP(x_close(ends[1]) == 0);
}

socklen_t abstract_address(struct sockaddr_un *address)
{
	static int counter;
	int len;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	len = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "ksim-abi-%d-%d", (int)getpid(),
	               counter++);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
}

socklen_t path_address(struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	fresh_path(address->sun_path, sizeof(address->sun_path));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address->sun_path) + 1);
}

int listener(struct sockaddr_un *address, socklen_t *len, int backlog)
{
	int sock = x_socket(AF_UNIX, SOCK_STREAM, 0);

	SETUP(sock >= 0);
	*len = abstract_address(address);
	SETUP(x_bind(sock, (struct sockaddr *)address, *len) == 0);
	SETUP(x_listen(sock, backlog) == 0);
	return sock;
}

int connected_to(const struct sockaddr_un *address, socklen_t len)
{
	int sock = x_socket(AF_UNIX, SOCK_STREAM, 0);

	SETUP(sock >= 0);
	SETUP(x_connect(sock, (const struct sockaddr *)address, len) == 0);
	return sock;
}

ssize_t send_with_fds(int sock, const void *data, size_t len, const int *fds, int nfds, int flags)
{
	size_t fds_len = sizeof(int) * (size_t)nfds;
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *header;
	ssize_t n;

	if (nfds > 0) {
		msg.msg_controllen = CMSG_SPACE(fds_len);
		msg.msg_control = calloc(1, msg.msg_controllen);
		header = CMSG_FIRSTHDR(&msg);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fds_len);
		memcpy(CMSG_DATA(header), fds, fds_len);
	}
	n = x_sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	free(msg.msg_control);
	return n;
}

struct arrival receive(int sock, void *data, size_t len, int nfds_max, int flags)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(256 * sizeof(int))];
	} control;
	struct iovec iov = { data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct arrival arrival = { 0 };

	if (nfds_max > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds_max);
	}
	arrival.n = x_recvmsg(sock, &msg, flags);
	arrival.err = arrival.n < 0 ? errno : 0;
	if (arrival.n < 0)
		return arrival;
	arrival.flags = msg.msg_flags;
	arrival.controllen = msg.msg_controllen;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		size_t fds_len = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(arrival.fds + arrival.nfds, CMSG_DATA(c), fds_len);
		arrival.nfds += (int)(fds_len / sizeof(int));
	}
	return arrival;
}

void close_arrival(struct arrival *arrival)
{
	while (arrival->nfds > 0)
		SETUP(x_close(arrival->fds[--arrival->nfds]) == 0);
}

void send_one(int sock, char byte, int fd)
{
	SETUP(send_with_fds(sock, &byte, 1, &fd, 1, 0) == 1);
}

bool same_description(int a, int b)
{
	off_t at = x_lseek(a, 0, SEEK_CUR);
	bool same;

	SETUP(at >= 0);
	SETUP(x_lseek(a, at + 12345, SEEK_SET) == at + 12345);
	same = x_lseek(b, 0, SEEK_CUR) == at + 12345;
	SETUP(x_lseek(a, at, SEEK_SET) == at);
	return same;
}

/* ---- the clock of files ---- */

bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

/* It ticks a few times in a hundredth of a second, and only a stamp shows it. */
void file_clock_tick(void)
{
	int fd = memfd(0);
	struct stat first, now;

	SETUP(x_fstat(fd, &first) == 0);
	do
		SETUP(x_fchmod(fd, 0600) == 0 && x_fstat(fd, &now) == 0);
	while (!later(now.st_ctim, first.st_ctim));
	SETUP(x_close(fd) == 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * The cycles of calls that are measured, each for either kernel. Every result is looked at: a call that fails ends the
 * program. What a cycle saw, it returns, to be compared.
 */
#ifndef BENCH_CYCLES_H
#define BENCH_CYCLES_H

#include "kernels.h"

#include <cstring>

namespace bench
{

constexpr size_t PAGE = 4096;

/** A pool of one page: made, sized, mapped, touched, and all of it undone. */
template <class K> uint64_t memfd_cycle(uint64_t value)
{
	int fd = K::memfd_create("bench", MFD_CLOEXEC);
	MUST(fd >= 0);
	MUST(K::ftruncate(fd, PAGE) == 0);
	typename K::addr p = K::mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	MUST(K::mapped(p));
	K::store(p, value);
	uint64_t seen = K::load(p);
	MUST(K::munmap(p, PAGE) == 0);
	MUST(K::close(fd) == 0);
	return seen;
}

/** Two connected sockets and a file to send. */
template <class K> struct Pair {
	int ends[2];
	int fd;

	Pair()
	{
		MUST(K::socketpair(ends) == 0);
		fd = K::memfd_create("sent", MFD_CLOEXEC);
		MUST(fd >= 0);
		MUST(K::ftruncate(fd, 3 * PAGE) == 0);
	}
	~Pair()
	{
		K::close(ends[0]);
		K::close(ends[1]);
		K::close(fd);
	}
	Pair(const Pair &) = delete;
	Pair &operator=(const Pair &) = delete;
};

/** One byte with room for a descriptor. */
struct Message {
	struct msghdr header;
	struct iovec iov;
	char byte;
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];

	Message() : header(), iov{ &byte, 1 }, byte(), control()
	{
		header.msg_iov = &iov;
		header.msg_iovlen = 1;
		header.msg_control = control;
		header.msg_controllen = sizeof(control);
	}
};

/** Send one byte and a descriptor. */
template <class K> void send_fd(int sock, int fd, char byte)
{
	Message out;

	out.byte = byte;
	struct cmsghdr *c = CMSG_FIRSTHDR(&out.header);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	MUST(K::sendmsg(sock, &out.header) == 1);
}

/** Receive them. @return the descriptor that came */
template <class K> int receive_fd(int sock, char byte)
{
	Message in;

	MUST(K::recvmsg(sock, &in.header) == 1);
	struct cmsghdr *c = CMSG_FIRSTHDR(&in.header);
	MUST(c != nullptr && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)) && in.byte == byte);
	int fd;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/** Both. @return the descriptor that came */
template <class K> int pass_fd(const Pair<K> &pair, char byte)
{
	send_fd<K>(pair.ends[0], pair.fd, byte);
	return receive_fd<K>(pair.ends[1], byte);
}

template <class K> void rights_cycle(const Pair<K> &pair)
{
	MUST(K::close(pass_fd(pair, 'r')) == 0);
}

/** One byte in at one end, out at the other. */
template <class K> uint64_t byte_cycle(const Pair<K> &pair, uint64_t i)
{
	char in, out = static_cast<char>(i);

	MUST(K::write(pair.ends[0], &out, 1) == 1);
	MUST(K::read(pair.ends[1], &in, 1) == 1);
	return static_cast<unsigned char>(in);
}

/** A store to each page. */
template <class K> size_t touch_pages(typename K::addr p, size_t pages, uint64_t value)
{
	for (size_t i = 0; i < pages; i++)
		K::store(p + i * PAGE, value + i);
	return pages;
}

/** A memfd whose pages are all there, and have been touched: the host zeroes what fallocate made at the first touch. */
template <class K> int present_file(size_t pages)
{
	int fd = K::memfd_create("present", MFD_CLOEXEC);

	MUST(fd >= 0);
	MUST(K::ftruncate(fd, static_cast<off_t>(pages * PAGE)) == 0);
	typename K::addr at = K::mmap(pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	MUST(K::mapped(at));
	touch_pages<K>(at, pages, 0);
	MUST(K::munmap(at, pages * PAGE) == 0);
	return fd;
}

} // namespace bench

#endif

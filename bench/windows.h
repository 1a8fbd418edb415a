/* SPDX-License-Identifier: MIT */
/*
 * A third kernel beside those of kernels.h: ksim, with its memory as plain pointers.
 */
#ifndef BENCH_WINDOWS_H
#define BENCH_WINDOWS_H

#include "cycles.h"

namespace bench
{

/* ksim's calls, with pointers into the window for addresses. */
struct Native : Ksim {
	using addr = char *;

	static addr mmap(size_t length, int prot, int flags, int fd)
	{
		ksim_addr at = Ksim::mmap(length, prot, flags, fd);

		return static_cast<char *>(Ksim::mapped(at) ? ksim_ptr(at) : MAP_FAILED);
	}
	static bool mapped(addr p)
	{
		return p != MAP_FAILED && p != nullptr;
	}
	static int munmap(addr p, size_t length)
	{
		return ksim_munmap(ksim_addr_of(p), length);
	}
	static void store(addr p, uint64_t value)
	{
		Host::store(p, value);
	}
	static uint64_t load(addr p)
	{
		return Host::load(p);
	}
};

inline struct ksim_process *process_of(struct ksim_machine *m, const char *name)
{
	struct ksim_process *p = ksim_process_create(m, name);

	MUST(p != nullptr);
	return p;
}

inline struct ksim_machine *boot_native(uint64_t ram_bytes)
{
	struct ksim_config config = {};

	config.ram_bytes = ram_bytes;
	config.access = KSIM_ACCESS_NATIVE;
	return boot(config);
}

/* Of mappings and faults; what depends on where pages lie in the host's memory has a new one each time. */
inline struct ksim_machine *machine;
inline struct ksim_process *process;

/* For a benchmark of ksim: act as the process. */
template <class K> struct As {
	As()
	{
	}
};

template <> struct As<Native> : Acting {
	As() : Acting(process)
	{
	}
};

template <class K> char *map_file(int fd, size_t length)
{
	char *at = K::mmap(length, PROT_READ | PROT_WRITE, MAP_SHARED, fd);

	MUST(K::mapped(at));
	return at;
}

template <class K> size_t load_pages(char *at, size_t pages)
{
	size_t sum = 0;

	for (size_t i = 0; i < pages; i++)
		sum += *const_cast<volatile char *>(at + i * PAGE);
	return sum;
}

} // namespace bench

#endif

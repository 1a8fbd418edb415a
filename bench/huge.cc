// SPDX-License-Identifier: MIT
/*
 * A file of 1 GiB, mapped by pages of 2 MiB and by pages of 4 KiB: what it costs to enter the mapping, and to load from
 * anywhere in it, where nearly every load misses the TLB and walks.
 *
 * Both machines are alike but for config.transparent_huge, and both files are committed as a whole, in blocks. Loads of
 * the two alternate, so that both meet the same host.
 */
#include "kernels.h"

namespace
{

using namespace bench;

constexpr size_t PAGE = 4096;
constexpr size_t HUGE_PAGE = PAGE * 512;
constexpr int LOADS = 1 << 16;

size_t file_bytes;

/* A process of a machine of its own, with a file. */
struct Side {
	struct ksim_process *p;
	int fd;
	ksim_addr at;
};

Side large, small;

ksim_addr map(const Side &side)
{
	ksim_addr at =
		ksim_mmap(0x400000000000, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, side.fd, 0);

	MUST(at != KSIM_MAP_FAILED);
	return at;
}

size_t page_size(const Side &side)
{
	struct ksim_translation t;

	MUST(ksim_translate(side.p, side.at + PAGE, &t) == 0);
	return t.page_size;
}

Side make(unsigned transparent_huge)
{
	struct ksim_config config = {};
	Side side = {};

	config.ram_bytes = file_bytes + file_bytes / 4 + (uint64_t(16) << 20);
	config.transparent_huge = transparent_huge;
	side.p = ksim_process_create(boot(config), "bench");
	MUST(side.p != nullptr);
	Acting acting(side.p);
	side.fd = ksim_memfd_create("file", 0);
	MUST(side.fd >= 0 && ksim_ftruncate(side.fd, static_cast<off_t>(file_bytes)) == 0);
	side.at = map(side);
	for (size_t i = 0; i < file_bytes; i += PAGE)
		ksim_store64(side.at + i, i);
	return side;
}

void populate(benchmark::State &state, const Side &side)
{
	Acting acting(side.p);

	for (auto _ : state) {
		double started = thread_seconds();
		ksim_addr at = ksim_mmap(0x600000000000, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		                         side.fd, 0);
		double done = thread_seconds();
		MUST(at != KSIM_MAP_FAILED && ksim_munmap(at, file_bytes) == 0);
		state.SetIterationTime(done - started);
	}
	per_item(state, static_cast<int64_t>(file_bytes / PAGE));
}

uint64_t loads(const Side &side, uint64_t *random)
{
	uint64_t sum = 0;

	for (int i = 0; i < LOADS; i++) {
		*random ^= *random << 13;
		*random ^= *random >> 7;
		*random ^= *random << 17;
		sum += ksim_load64(side.at + (*random & (file_bytes - 8)));
	}
	return sum;
}

void random_loads(benchmark::State &state, const Side &side)
{
	uint64_t random = 88172645463325252u;
	Acting acting(side.p);

	for (auto _ : state)
		benchmark::DoNotOptimize(loads(side, &random));
	per_item(state, LOADS);
}

uint64_t witness(const Side &side)
{
	uint64_t random = 42;
	Acting acting(side.p);

	return loads(side, &random);
}

} // namespace

void bench::check()
{
	file_bytes = smoke ? 8 * HUGE_PAGE : 512 * HUGE_PAGE;
	large = make(0);
	small = make(KSIM_NONE);
	MUST(page_size(large) == HUGE_PAGE);
	MUST(page_size(small) == PAGE);
	same("random loads", witness(large), witness(small));
}

void bench::declare()
{
	add("populate/2m", [](benchmark::State &s) { populate(s, large); })->UseManualTime();
	add("populate/4k", [](benchmark::State &s) { populate(s, small); })->UseManualTime();
	add("random_load/2m", [](benchmark::State &s) { random_loads(s, large); });
	add("random_load/4k", [](benchmark::State &s) { random_loads(s, small); });
}

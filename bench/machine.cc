// SPDX-License-Identifier: MIT
/*
 * Acting as a process for a block, and a whole machine from boot to halt.
 *
 * What a machine touches of the host's memory is what becomes resident by its boot and a first process, and the page
 * tables that the host needs for it, before anything else has run; the first boot also pays what the library needs
 * once.
 */
#include "kernels.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace
{

using namespace bench;

constexpr uint64_t MIB = UINT64_C(1) << 20;
constexpr uint64_t SIZES[] = { 64 * MIB, 65536 * MIB };

struct ksim_process *first, *second;
ksim_addr page_of_first;
double touched[2]; /* bytes, by size */

/* The first line of a file in /proc/self that begins so, in bytes. */
uint64_t bytes_of(const char *path, const char *field)
{
	FILE *f = fopen(path, "r");
	char line[256];
	uint64_t kib = 0;

	MUST(f != nullptr);
	while (kib == 0 && fgets(line, sizeof(line), f) != nullptr)
		if (strncmp(line, field, strlen(field)) == 0)
			kib = strtoull(line + strlen(field) + 1, nullptr, 10);
	fclose(f);
	return kib * 1024;
}

/* Counted page by page: what status says of resident memory lags behind. */
uint64_t resident()
{
	return bytes_of("/proc/self/smaps_rollup", "Rss") + bytes_of("/proc/self/status", "VmPTE");
}

struct ksim_machine *boot_sized(uint64_t bytes)
{
	struct ksim_config config = {};

	config.ram_bytes = bytes;
	return boot(config);
}

double touched_by(uint64_t bytes)
{
	uint64_t before = resident();
	struct ksim_machine *m = boot_sized(bytes);

	MUST(ksim_process_create(m, "first") != nullptr);
	uint64_t after = resident();
	MUST(ksim_halt(m) == 0);
	return static_cast<double>(after - before);
}

uint64_t misses_of(const struct ksim_process *p)
{
	struct ksim_counters counters;

	ksim_count(ksim_process_machine(p), p, &counters);
	return counters.tlb_misses;
}

uint64_t load_as(struct ksim_process *p, ksim_addr addr)
{
	uint64_t value = 0;

	ksim_as(p)
		value = ksim_load64(addr);
	return value;
}

/* Going out and in again, as somebody else in between, leaves the TLB as it was. */
void check_tlb_is_kept()
{
	load_as(first, page_of_first);
	uint64_t before = misses_of(first);
	for (int i = 0; i < 1000; i++) {
		same("loads within ksim_as", load_as(first, page_of_first), 42);
		ksim_as(second)
			same("ksim_self", ksim_self() == second, 1);
	}
	same("TLB misses of 1000 times in and out", misses_of(first) - before, 0);
}

void in_and_out(benchmark::State &state)
{
	for (auto _ : state) {
		ksim_as(first)
			benchmark::ClobberMemory();
	}
	per_item(state, 1);
}

/* Two processes by turns: none of them is the one that acted before. */
void in_and_out_by_turns(benchmark::State &state)
{
	for (auto _ : state) {
		ksim_as(first)
			benchmark::ClobberMemory();
		ksim_as(second)
			benchmark::ClobberMemory();
	}
	per_item(state, 2);
}

void in_and_out_within(benchmark::State &state)
{
	Acting acting(second);

	in_and_out(state);
}

void load_within_as(benchmark::State &state)
{
	for (auto _ : state)
		benchmark::DoNotOptimize(load_as(first, page_of_first));
	per_item(state, 1);
}

void boot_and_halt(benchmark::State &state, size_t size)
{
	for (auto _ : state)
		MUST(ksim_halt(boot_sized(SIZES[size])) == 0);
	per_item(state, 1);
	state.counters["touched_bytes"] = touched[size];
}

/* With a process that makes, maps and touches a page, and ends. */
void boot_use_halt(benchmark::State &state, size_t size)
{
	for (auto _ : state) {
		struct ksim_machine *m = boot_sized(SIZES[size]);
		struct ksim_process *p = ksim_process_create(m, "p");

		MUST(p != nullptr);
		ksim_as(p) {
			ksim_addr at = Ksim::mmap(4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
			MUST(Ksim::mapped(at));
			ksim_store64(at, 1);
		}
		MUST(ksim_halt(m) == 0);
	}
	per_item(state, 1);
	state.counters["touched_bytes"] = touched[size];
}

} // namespace

void bench::check()
{
	/* The large one first, so that it also pays for what the library and malloc need once. */
	touched[1] = touched_by(SIZES[1]);
	touched[0] = touched_by(SIZES[0]);

	struct ksim_machine *m = boot();
	first = ksim_process_create(m, "first");
	second = ksim_process_create(m, "second");
	MUST(first != nullptr && second != nullptr);
	ksim_as(first) {
		page_of_first = Ksim::mmap(4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		MUST(Ksim::mapped(page_of_first));
		ksim_store64(page_of_first, 42);
	}
	check_tlb_is_kept();
}

void bench::declare()
{
	add("as", in_and_out);
	add("as_by_turns", in_and_out_by_turns);
	add("as_within_another", in_and_out_within);
	add("as_with_a_load", load_within_as);
	for (size_t i = 0; i < 2; i++) {
		std::string size = i == 0 ? "64MiB" : "64GiB";

		add(("boot_halt/" + size).c_str(), [i](benchmark::State &s) { boot_and_halt(s, i); });
		add(("boot_use_halt/" + size).c_str(), [i](benchmark::State &s) { boot_use_halt(s, i); });
	}
}

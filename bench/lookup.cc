// SPDX-License-Identifier: MIT
/*
 * Loads and stores that hit the TLB, beside the same accesses through a flat array of host pointers.
 *
 * The array points to the very frames that stand behind the pages, so both run in the same host memory, and what a
 * dependent run follows is the same chain. Accesses of both are volatile.
 *
 *	flat   *(flat[page] + offset): the fastest that any translation by page could be
 *	ksim   ksim_load64(address): the CPU is looked up in a thread-local each time
 *	cpu    ksim_cpu_load64(cpu, address), for who keeps ksim_cpu_self in a variable
 *	call   ksim_load64 of the library, as with KSIM_NO_INLINE
 *
 * A sibling is another task of the process that loads from a page of its own all the while: hits owe it nothing, since
 * whoever takes a page away pays.
 */
#include "bench.h"

#include <cstring>
#include <sys/mman.h>

#include <atomic>
#include <thread>

/* The library's functions, which the inline ones of the same name hide from C++. */
extern "C" {
uint64_t call_load64(ksim_addr addr) __asm__("ksim_load64");
void call_store64(ksim_addr addr, uint64_t value) __asm__("ksim_store64");
}

namespace
{

using namespace bench;

constexpr uint64_t PAGE = 4096;
constexpr uint64_t HOT = 64; /* pages */

/* A mapping of one process, and the frames behind it. */
struct Area {
	struct ksim_process *p;
	ksim_addr base;
	uint64_t pages;
	std::vector<char *> flat;
};

char *frame_behind(ksim_addr addr)
{
	void *p = ksim_cpu_read_(ksim_cpu_self, addr, 8);

	KSIM_CPU_END_(ksim_cpu_self);
	return static_cast<char *>(p);
}

Area make_area(struct ksim_process *p, uint64_t pages)
{
	Area area = { p, 0, pages, {} };
	Acting acting(p);

	area.base = ksim_mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(area.base != KSIM_MAP_FAILED);
	for (uint64_t i = 0; i < pages; i++) {
		ksim_store64(area.base + i * PAGE, 0);
		area.flat.push_back(frame_behind(area.base + i * PAGE));
	}
	return area;
}

/* ---- the four ways ---- */

class Flat
{
      public:
	explicit Flat(const Area &area) : flat_(area.flat.data()), base_(area.base)
	{
	}
	uint64_t load(ksim_addr addr) const
	{
		return *at(addr);
	}
	void store(ksim_addr addr, uint64_t value) const
	{
		*at(addr) = value;
	}

      private:
	volatile uint64_t *at(ksim_addr addr) const
	{
		return reinterpret_cast<volatile uint64_t *>(flat_[(addr - base_) / PAGE] + addr % PAGE);
	}
	char *const *flat_;
	ksim_addr base_;
};

class Inline
{
      public:
	explicit Inline(const Area &)
	{
	}
	static uint64_t load(ksim_addr addr)
	{
		return ksim_load64(addr);
	}
	static void store(ksim_addr addr, uint64_t value)
	{
		ksim_store64(addr, value);
	}
};

class Cpu
{
      public:
	explicit Cpu(const Area &) : cpu_(ksim_cpu_self)
	{
	}
	uint64_t load(ksim_addr addr) const
	{
		return ksim_cpu_load64(cpu_, addr);
	}
	void store(ksim_addr addr, uint64_t value) const
	{
		ksim_cpu_store64(cpu_, addr, value);
	}

      private:
	struct ksim_cpu *cpu_;
};

class Call
{
      public:
	explicit Call(const Area &)
	{
	}
	static uint64_t load(ksim_addr addr)
	{
		return call_load64(addr);
	}
	static void store(ksim_addr addr, uint64_t value)
	{
		call_store64(addr, value);
	}
};

/* ---- runs: each returns what it saw ---- */

constexpr uint64_t STEPS = 4096;

/* The compiler shall not know an address, else it folds the array's index. */
inline ksim_addr given(ksim_addr addr)
{
	__asm__("" : "+r"(addr));
	return addr;
}

/* One word in each page, each in a line of its own, holds the address of the next; 64 pages in a scattered order. */
void make_chain(const Area &area)
{
	auto word = [&](uint64_t page) { return area.base + page * PAGE + page * 72 % PAGE / 8 * 8; };
	Acting acting(area.p);

	for (uint64_t page = 0; page < HOT; page++)
		ksim_store64(word(page), word((page * 37 + 11) % HOT));
}

struct Chase {
	template <class Way> static uint64_t run(Way way, const Area &area)
	{
		ksim_addr addr = area.base;

		for (uint64_t i = 0; i < STEPS; i++)
			addr = way.load(addr);
		return addr;
	}
};

/* Word after word around the ring of 64 pages: each address is made of the one before. */
struct SequentialLoads {
	template <class Way> static uint64_t run(Way way, const Area &area)
	{
		const ksim_addr base = area.base;
		ksim_addr addr = base;
		uint64_t sum = 0;

		for (uint64_t i = 0; i < STEPS; i++) {
			sum += way.load(addr);
			addr = given(base + ((addr - base + 8) & (HOT * PAGE - 1)));
		}
		return sum;
	}
};

struct SequentialStores {
	template <class Way> static uint64_t run(Way way, const Area &area)
	{
		const ksim_addr base = area.base;
		ksim_addr addr = base;

		for (uint64_t i = 0; i < STEPS; i++) {
			way.store(addr, i);
			addr = given(base + ((addr - base + 8) & (HOT * PAGE - 1)));
		}
		return way.load(base + (STEPS - 1) * 8);
	}
};

/* The same with addresses that wait for nothing: how many accesses the CPU can overlap. */
struct TightLoads {
	template <class Way> static uint64_t run(Way way, const Area &area)
	{
		const ksim_addr base = area.base;
		uint64_t sum = 0;

		for (uint64_t i = 0; i < STEPS; i++)
			sum += way.load(given(base + i * 8));
		return sum;
	}
};

struct TightStores {
	template <class Way> static uint64_t run(Way way, const Area &area)
	{
		const ksim_addr base = area.base;

		for (uint64_t i = 0; i < STEPS; i++)
			way.store(given(base + i * 8), i);
		return way.load(base + (STEPS - 1) * 8);
	}
};

/* Each of the 4096 lines of 64 pages once, far from the one before: eight times what the first-level cache holds. */
struct ScatteredStores {
	template <class Way> static uint64_t run(Way way, const Area &area)
	{
		const ksim_addr base = area.base;

		for (uint64_t i = 0; i < STEPS; i++)
			way.store(given(base + i * 1597 % 4096 * 64), i);
		return way.load(base + 64);
	}
};

template <class Run, class Way> void hit(benchmark::State &state, const Area &area)
{
	Acting acting(area.p);
	Way way(area);

	for (auto _ : state)
		benchmark::DoNotOptimize(Run::run(way, area));
	per_item(state, static_cast<int64_t>(STEPS));
}

/* ---- a sibling ---- */

class Sibling
{
      public:
	explicit Sibling(struct ksim_process *p) : page_(0), thread_([this, p] { work(p); })
	{
		while (!running_)
			std::this_thread::yield();
	}
	~Sibling()
	{
		stop_ = true;
		thread_.join();
	}
	Sibling(const Sibling &) = delete;
	Sibling &operator=(const Sibling &) = delete;

      private:
	void work(struct ksim_process *p)
	{
		Acting acting(p);

		page_ = ksim_mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		MUST(page_ != KSIM_MAP_FAILED);
		for (running_ = true; !stop_;)
			benchmark::DoNotOptimize(ksim_load64(page_));
		MUST(ksim_munmap(page_, PAGE) == 0);
	}
	ksim_addr page_;
	std::atomic<bool> running_ = false;
	std::atomic<bool> stop_ = false;
	std::thread thread_;
};

template <class Run, class Way> void hit_beside(benchmark::State &state, const Area &area)
{
	Sibling sibling(area.p);

	hit<Run, Way>(state, area);
}

/* ---- locality ---- */

constexpr uint64_t WIDE = 1 << 15; /* pages */
constexpr uint64_t NEAR = 128;
constexpr unsigned TLB_SIZES[] = { 64, 256, 1024 };

struct Stream {
	Area area;
	double hit_rate;
};

std::vector<ksim_addr> offsets; /* of the stream's accesses */
std::vector<Stream> streams;    /* one a TLB size */

/* 99 of 100 accesses go to one of 128 pages, the rest anywhere in 128 MiB. */
void make_offsets()
{
	Random random(99);
	std::vector<uint64_t> near;

	for (uint64_t i = 0; i < NEAR; i++)
		near.push_back(random.below(WIDE));
	for (unsigned i = 0; i < 1 << 16; i++) {
		uint64_t page = random.below(100) != 0 ? near[random.below(NEAR)] : random.below(WIDE);

		offsets.push_back(page * PAGE + random.below(PAGE / 8) * 8);
	}
}

struct Local {
	template <class Way> static uint64_t run(Way way, const Area &area)
	{
		uint64_t sum = 0;

		for (ksim_addr offset : offsets)
			sum += way.load(area.base + offset);
		return sum;
	}
};

template <class Way> void local(benchmark::State &state, const Stream &stream)
{
	Acting acting(stream.area.p);
	Way way(stream.area);

	for (auto _ : state)
		benchmark::DoNotOptimize(Local::run(way, stream.area));
	per_item(state, static_cast<int64_t>(offsets.size()));
	state.counters["hit_rate"] = stream.hit_rate;
}

uint64_t misses_of(const struct ksim_process *p)
{
	struct ksim_counters counters;

	ksim_count(ksim_process_machine(p), p, &counters);
	return counters.tlb_misses;
}

double measured_hit_rate(const Area &area)
{
	Acting acting(area.p);
	Inline way(area);

	Local::run(way, area);
	uint64_t before = misses_of(area.p);
	Local::run(way, area);
	return 1 - static_cast<double>(misses_of(area.p) - before) / static_cast<double>(offsets.size());
}

/* ---- all of them ---- */

Area hot;

struct ksim_process *process_with(unsigned tlb_entries, enum ksim_arch arch)
{
	struct ksim_config config = {};

	config.ram_bytes = UINT64_C(1) << 28;
	config.tlb_entries = tlb_entries;
	config.arch = arch;
	struct ksim_process *p = ksim_process_create(boot(config), "bench");
	MUST(p != nullptr);
	return p;
}

template <class Run> void check_run(const char *what, const Area &area)
{
	Acting acting(area.p);
	uint64_t flat = Run::run(Flat(area), area);

	same(what, flat, Run::run(Inline(area), area));
	same(what, flat, Run::run(Cpu(area), area));
	same(what, flat, Run::run(Call(area), area));
}

/* What stores leave behind, too. */
template <class Run> void check_stores(const char *what, const Area &area)
{
	auto leaves = [&](auto way) {
		uint64_t sum = 0;

		for (uint64_t page = 0; page < HOT; page++)
			memset(area.flat[page], 0, PAGE);
		Run::run(way, area);
		for (uint64_t i = 0; i < HOT * PAGE; i += 8)
			sum = sum * 31 + Flat(area).load(area.base + i);
		return sum;
	};
	Acting acting(area.p);
	uint64_t flat = leaves(Flat(area));

	same(what, flat, leaves(Inline(area)));
	same(what, flat, leaves(Cpu(area)));
	same(what, flat, leaves(Call(area)));
}

template <class Run> void add_ways(const std::string &name, const Area &area)
{
	add((name + "/flat").c_str(), [&](benchmark::State &s) { hit<Run, Flat>(s, area); });
	add((name + "/ksim").c_str(), [&](benchmark::State &s) { hit<Run, Inline>(s, area); });
	add((name + "/cpu").c_str(), [&](benchmark::State &s) { hit<Run, Cpu>(s, area); });
	add((name + "/call").c_str(), [&](benchmark::State &s) { hit<Run, Call>(s, area); });
}

template <class Run> void add_ways_beside(const std::string &name, const Area &area)
{
	add((name + "/flat").c_str(), [&](benchmark::State &s) { hit_beside<Run, Flat>(s, area); });
	add((name + "/ksim").c_str(), [&](benchmark::State &s) { hit_beside<Run, Inline>(s, area); });
	add((name + "/cpu").c_str(), [&](benchmark::State &s) { hit_beside<Run, Cpu>(s, area); });
	add((name + "/call").c_str(), [&](benchmark::State &s) { hit_beside<Run, Call>(s, area); });
}

} // namespace

void bench::check()
{
	hot = make_area(process_with(0, KSIM_ARCH_HOST), HOT);
	check_stores<SequentialStores>("sequential stores", hot);
	check_stores<TightStores>("tight stores", hot);
	check_stores<ScatteredStores>("scattered stores", hot);
	check_run<SequentialLoads>("sequential loads", hot);
	check_run<TightLoads>("tight loads", hot);
	make_chain(hot);
	check_run<Chase>("dependent loads", hot);
	make_offsets();
	for (unsigned entries : TLB_SIZES) {
		Area area = make_area(process_with(entries, KSIM_ARCH_HOST), WIDE);

		for (uint64_t page = 0; page < WIDE; page++)
			memset(area.flat[page], static_cast<int>(page), PAGE);
		check_run<Local>("loads with locality", area);
		double rate = measured_hit_rate(area);
		streams.push_back({ std::move(area), rate });
	}
}

void bench::declare()
{
	/* Chains and what stores overwrite are kept apart. */
	static Area stored = make_area(hot.p, HOT);

	add_ways<Chase>("dependent_loads", hot);
	add_ways_beside<Chase>("dependent_loads_beside", hot);
	add_ways_beside<SequentialLoads>("sequential_loads_beside", stored);
	add_ways_beside<SequentialStores>("sequential_stores_beside", stored);
	add_ways_beside<TightLoads>("tight_loads_beside", stored);
	add_ways_beside<TightStores>("tight_stores_beside", stored);
	add_ways_beside<ScatteredStores>("scattered_stores_beside", stored);
	add("locality/flat", [](benchmark::State &s) { local<Flat>(s, streams[0]); });
	for (size_t i = 0; i < streams.size(); i++) {
		std::string name = "locality/ksim_" + std::to_string(TLB_SIZES[i]);

		add(name.c_str(), [i](benchmark::State &s) { local<Inline>(s, streams[i]); });
	}
}

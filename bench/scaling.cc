// SPDX-License-Identifier: MIT
/*
 * Two processes on two threads, each in its own cycle, against one.
 *
 * The pair may belong to one machine or to two: what two machines lose beside one thread they lose to the host (shared
 * caches, clock, other load), and what one machine loses beside two it loses to its own locks. `spin` shares nothing at
 * all: it is what this host gives a second thread.
 */
#include "cycles.h"

namespace
{

using namespace bench;

constexpr int MAX_THREADS = 2;
struct ksim_process *one_machine[MAX_THREADS];
struct ksim_process *two_machines[MAX_THREADS];

struct Memfd {
	template <class K> class Cycle
	{
	      public:
		void operator()()
		{
			benchmark::DoNotOptimize(memfd_cycle<K>(i_++));
		}

	      private:
		uint64_t i_ = 0;
	};
};

struct Rights {
	template <class K> class Cycle
	{
	      public:
		void operator()()
		{
			rights_cycle(pair_);
		}

	      private:
		Pair<K> pair_;
	};
};

struct Byte {
	template <class K> class Cycle
	{
	      public:
		void operator()()
		{
			benchmark::DoNotOptimize(byte_cycle(pair_, i_++));
		}

	      private:
		Pair<K> pair_;
		uint64_t i_ = 0;
	};
};

struct Getppid {
	template <class K> class Cycle
	{
	      public:
		void operator()()
		{
			benchmark::DoNotOptimize(K::getppid());
		}
	};
};

/* Faults in a mapping of 512 pages, with what it takes to make them come again. */
struct Fault {
	template <class K> class Cycle
	{
	      public:
		Cycle() : fd_(present_file<K>(PAGES))
		{
		}
		~Cycle()
		{
			K::close(fd_);
		}
		void operator()()
		{
			typename K::addr at = K::mmap(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd_);

			MUST(K::mapped(at));
			benchmark::DoNotOptimize(touch_pages<K>(at, PAGES, 1));
			MUST(K::munmap(at, PAGES * PAGE) == 0);
		}

	      private:
		static constexpr size_t PAGES = 512;
		int fd_;
	};
};

template <class What> void run_host(benchmark::State &state)
{
	typename What::template Cycle<Host> cycle;

	for (auto _ : state)
		cycle();
	per_item(state, 1);
}

template <class What> void run_ksim(benchmark::State &state, struct ksim_process **processes)
{
	Acting acting(processes[state.thread_index()]);
	typename What::template Cycle<Ksim> cycle;

	for (auto _ : state)
		cycle();
	per_item(state, 1);
}

void spin(benchmark::State &state)
{
	uint64_t x = 1;

	for (auto _ : state) {
		for (int i = 0; i < 1000; i++)
			benchmark::DoNotOptimize(x = x * 3 + 1);
	}
	per_item(state, 1);
}

struct ksim_process *process_in(struct ksim_machine *m)
{
	struct ksim_process *p = ksim_process_create(m, "bench");

	MUST(p != nullptr);
	return p;
}

template <class Fn> void add_threads(const std::string &name, Fn fn)
{
	for (int threads = 1; threads <= MAX_THREADS; threads++)
		add(name.c_str(), fn)->Threads(threads)->UseRealTime();
}

template <class What> void add_cycle(const std::string &name)
{
	add_threads(name + "/one_machine", [](benchmark::State &s) { run_ksim<What>(s, one_machine); });
	add_threads(name + "/two_machines", [](benchmark::State &s) { run_ksim<What>(s, two_machines); });
	add_threads(name + "/host", run_host<What>);
}

} // namespace

void bench::check()
{
	struct ksim_config config = {};

	config.ram_bytes = UINT64_C(256) << 20;
	config.commit = KSIM_COMMIT_ON_TOUCH;
	struct ksim_machine *shared = boot(config);
	for (int i = 0; i < MAX_THREADS; i++) {
		one_machine[i] = process_in(shared);
		two_machines[i] = process_in(boot(config));
	}
}

void bench::declare()
{
	add_threads("spin", spin);
	add_cycle<Memfd>("memfd_cycle");
	add_cycle<Rights>("rights");
	add_cycle<Byte>("byte");
	add_cycle<Fault>("fault");
	add_cycle<Getppid>("getppid");
}

/* SPDX-License-Identifier: MIT */
/*
 * What every benchmark program shares: its main, its machines, its checks.
 *
 * A program says in check() that what it compares does the same work, and in declare() what it measures. With --smoke
 * it is checked and each benchmark runs once or so, with small tables: a test that it works, and no measurement.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <benchmark/benchmark.h>
#include <ksim/ksim.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

namespace bench
{

/** --smoke was given; set before check(). */
extern bool smoke;

/** What a program was given as --NAME=VALUE beside Google Benchmark's own; NULL: nothing. */
const char *option(const char *name);

/** Print and exit 1: what was to be measured does not work, so there is no figure. */
[[noreturn]] __attribute__((format(printf, 1, 2))) void fail(const char *format, ...);

#define MUST(cond)                                                                     \
	do {                                                                           \
		if (__builtin_expect(!(cond), 0))                                      \
			bench::fail("%s:%d: %s: errno %m", __FILE__, __LINE__, #cond); \
	} while (0)

/** The checksums of two programs that must have done the same work. */
void same(const char *what, uint64_t a, uint64_t b);

/** A machine without poison; change what else it shall be in the config. */
inline struct ksim_machine *boot(struct ksim_config config = {})
{
	config.poison = KSIM_NONE;
	struct ksim_machine *m = ksim_boot(&config);

	MUST(m != nullptr);
	return m;
}

/** Acts as a process for the life of the object. */
class Acting
{
      public:
	explicit Acting(struct ksim_process *p)
	{
		ksim_enter(p);
	}
	~Acting()
	{
		ksim_leave();
	}
	Acting(const Acting &) = delete;
	Acting &operator=(const Acting &) = delete;
};

/** CPU seconds of this thread: for benchmarks that time a part of each iteration, long against the 0.3 us of a look. */
inline double thread_seconds()
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/** Seconds of a clock that costs some 30 ns to look at. */
inline double wall_seconds()
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

inline double median(std::vector<double> values)
{
	std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
	return values[values.size() / 2];
}

/** Items of one iteration: the table's nanoseconds are per item. */
inline void per_item(benchmark::State &state, int64_t items)
{
	state.SetItemsProcessed(state.iterations() * items);
}

/** A small, fast generator; the same numbers in every run. */
class Random
{
      public:
	explicit Random(uint64_t seed) : state_(seed)
	{
	}
	uint64_t next()
	{
		uint64_t z = state_ += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		return z ^ (z >> 31);
	}
	uint64_t below(uint64_t n)
	{
		return next() % n;
	}

      private:
	uint64_t state_;
};

/** Register with the minimum beside the median. */
template <class Fn> benchmark::internal::Benchmark *add(const char *name, Fn fn)
{
	return benchmark::RegisterBenchmark(name, fn)->ComputeStatistics(
		"min", [](const std::vector<double> &v) { return *std::min_element(v.begin(), v.end()); });
}

/* Of each program: */
void check();
void declare();

} // namespace bench

#endif

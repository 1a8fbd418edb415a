// SPDX-License-Identifier: MIT
/*
 * Mapping and unmapping, and what it costs to take a page away from a task that may be using it.
 *
 * A shootdown is timed inside an mprotect that takes the right to write away from a page that has just been written;
 * the same call in a process that has one task only is what is to be subtracted. There are siblings that
 *
 *	hold    load from this very page all the while, and have done so again right before the call
 *	run     load from a page of their own
 *	idle    have acted as the process and do so no more
 *
 * Both threads share the host's CPUs with whatever else runs, so the median of each 256 calls counts.
 */
#include "cycles.h"

#include <atomic>
#include <linux/membarrier.h>
#include <thread>

namespace
{

using namespace bench;

constexpr size_t PAGES = 4096;

struct ksim_process *mapper;

/* For a benchmark of ksim: act as the process. */
template <class K> struct As {
	explicit As(struct ksim_process *)
	{
	}
};

template <> struct As<Ksim> : Acting {
	using Acting::Acting;
};

template <class K> typename K::addr map_present(int fd, size_t pages)
{
	typename K::addr at = K::mmap(pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd);

	MUST(K::mapped(at));
	return at;
}

enum class Part { Map, Unmap };

/* 4096 present pages of a memfd at once, per page. */
template <class K, Part part> void map_many(benchmark::State &state)
{
	As<K> as(mapper);
	int fd = present_file<K>(PAGES);

	for (auto _ : state) {
		double started = thread_seconds();
		typename K::addr at = map_present<K>(fd, PAGES);
		double mapped = thread_seconds();
		MUST(K::munmap(at, PAGES * PAGE) == 0);
		double done = thread_seconds();
		state.SetIterationTime(part == Part::Map ? mapped - started : done - mapped);
	}
	per_item(state, PAGES);
	K::close(fd);
}

/* One present page, in and out. */
template <class K> void map_one(benchmark::State &state)
{
	As<K> as(mapper);
	int fd = present_file<K>(1);

	for (auto _ : state)
		MUST(K::munmap(map_present<K>(fd, 1), PAGE) == 0);
	per_item(state, 1);
	K::close(fd);
}

/* ---- shootdowns ---- */

enum class Who { Alone, Idle, Runs, Holds };

template <class K> int protect(typename K::addr at, int prot);

template <> int protect<Host>(char *at, int prot)
{
	return mprotect(at, PAGE, prot);
}

template <> int protect<Ksim>(ksim_addr at, int prot)
{
	return ksim_mprotect(at, PAGE, prot);
}

template <class K> class Sibling
{
      public:
	Sibling(struct ksim_process *p, typename K::addr page, Who who) : thread_([=] { work(p, page); })
	{
		wait_for_loads();
		if (who == Who::Idle)
			stop();
	}
	~Sibling()
	{
		if (thread_.joinable())
			stop();
	}
	/** Two loads have begun and ended since, the second one after this call: the page is in the TLB. */
	void wait_for_loads() const
	{
		uint64_t then = loads_;

		while (loads_ < then + 2)
			sched_yield();
	}

      private:
	void work(struct ksim_process *p, typename K::addr page)
	{
		As<K> as(p);

		while (!stop_) {
			benchmark::DoNotOptimize(K::load(page));
			loads_.store(loads_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
		}
	}
	void stop()
	{
		stop_ = true;
		thread_.join();
	}
	std::atomic<uint64_t> loads_ = 0;
	std::atomic<bool> stop_ = false;
	std::thread thread_;
};

struct ksim_process *new_process()
{
	struct ksim_process *p = ksim_process_create(ksim_process_machine(mapper), "bench");

	MUST(p != nullptr);
	return p;
}

template <class K> typename K::addr one_page()
{
	typename K::addr at = K::mmap(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	MUST(K::mapped(at));
	K::store(at, 1);
	return at;
}

constexpr size_t BATCH = 256;

/* @return seconds of each of the calls of a batch that take the right to write away */
template <class K> std::vector<double> protect_often(typename K::addr page, const Sibling<K> *holder)
{
	std::vector<double> seconds;

	for (size_t i = 0; i < BATCH; i++) {
		MUST(protect<K>(page, PROT_READ | PROT_WRITE) == 0);
		K::store(page, i);
		if (holder != nullptr)
			holder->wait_for_loads();
		double started = wall_seconds();
		MUST(protect<K>(page, PROT_READ) == 0);
		seconds.push_back(wall_seconds() - started);
	}
	return seconds;
}

struct ksim_counters count_of(const struct ksim_process *p)
{
	struct ksim_counters counters;

	ksim_count(ksim_process_machine(p), p, &counters);
	return counters;
}

template <class K> void shoot(benchmark::State &state, Who who)
{
	struct ksim_process *p = new_process();
	struct ksim_counters before = {}, after = {};

	{
		As<K> as(p);
		typename K::addr page = one_page<K>();
		typename K::addr other = one_page<K>();
		std::unique_ptr<Sibling<K>> sibling;

		if (who != Who::Alone)
			sibling = std::make_unique<Sibling<K>>(p, who == Who::Holds ? page : other, who);
		before = count_of(p);
		for (auto _ : state)
			state.SetIterationTime(
				median(protect_often<K>(page, who == Who::Holds ? sibling.get() : nullptr)) * BATCH);
		after = count_of(p);
		per_item(state, BATCH);
		double calls = static_cast<double>(state.iterations()) * BATCH;
		state.counters["shootdowns"] = static_cast<double>(after.shootdowns - before.shootdowns) / calls;
		state.counters["barriers"] =
			static_cast<double>(after.shootdown_barriers - before.shootdown_barriers) / calls;
		sibling.reset();
		K::munmap(page, PAGE);
		K::munmap(other, PAGE);
	}
	MUST(ksim_process_end(p, 0) == 0);
}

/* What a shootdown asks the host for: each thread of this process that runs executes a barrier. */
void barrier(benchmark::State &state)
{
	struct ksim_process *p = new_process();

	MUST(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
	{
		Acting acting(p);
		ksim_addr page = one_page<Ksim>();
		Sibling<Ksim> sibling(p, page, Who::Runs);

		for (auto _ : state) {
			std::vector<double> seconds;

			for (size_t i = 0; i < BATCH; i++) {
				sibling.wait_for_loads();
				double started = wall_seconds();
				MUST(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
				seconds.push_back(wall_seconds() - started);
			}
			state.SetIterationTime(median(seconds) * BATCH);
		}
		per_item(state, BATCH);
	}
	MUST(ksim_process_end(p, 0) == 0);
}

template <class K> void add_shoot(const std::string &name)
{
	const std::pair<const char *, Who> all[] = {
		{ "alone", Who::Alone }, { "idle", Who::Idle }, { "runs", Who::Runs }, { "holds", Who::Holds }
	};

	for (const auto &one : all) {
		Who who = one.second;

		add((name + "/" + one.first).c_str(), [who](benchmark::State &s) {
			shoot<K>(s, who);
		})->UseManualTime();
	}
}

/* Both map the same pages: what was stored through one mapping is seen through the next, in each page. */
template <class K> uint64_t witness()
{
	As<K> as(mapper);
	int fd = present_file<K>(PAGES);
	uint64_t sum = 0;

	for (uint64_t round = 1; round < 3; round++) {
		typename K::addr at = map_present<K>(fd, PAGES);

		for (size_t i = 0; i < PAGES; i++)
			sum = sum * 31 + K::load(at + i * PAGE);
		touch_pages<K>(at, PAGES, round);
		MUST(K::munmap(at, PAGES * PAGE) == 0);
	}
	K::close(fd);
	return sum;
}

} // namespace

void bench::check()
{
	struct ksim_config config = {};

	config.commit = KSIM_COMMIT_ON_TOUCH;
	mapper = ksim_process_create(boot(config), "bench");
	MUST(mapper != nullptr);
	same("mapping", witness<Host>(), witness<Ksim>());
}

void bench::declare()
{
	add("map_4096/host", map_many<Host, Part::Map>)->UseManualTime();
	add("map_4096/ksim", map_many<Ksim, Part::Map>)->UseManualTime();
	add("unmap_4096/host", map_many<Host, Part::Unmap>)->UseManualTime();
	add("unmap_4096/ksim", map_many<Ksim, Part::Unmap>)->UseManualTime();
	add("map_unmap_one/host", map_one<Host>);
	add("map_unmap_one/ksim", map_one<Ksim>);
	add("membarrier/runs", barrier)->UseManualTime()->Iterations(smoke ? 1 : 20);
	add_shoot<Host>("shootdown_host");
	add_shoot<Ksim>("shootdown_ksim");
}

// SPDX-License-Identifier: MIT
/*
 * Memory beside the host's: mapping, first touches, reading, many mappings, sparse files, two tasks of a process.
 *
 * Warm: the pages come and go within 1 MiB, so the frames are in the processor's caches and on the kernel's nearest
 * list.
 * Cold: they come and go within 256 MiB, all of which has been touched before, so each frame is in memory alone; both
 * kernels zero it.
 *
 * What is timed is the part that is named: the faults without the mapping.
 */
#include "cycles.h"

#include <atomic>
#include <cstdio>
#include <thread>

namespace
{

using namespace bench;

constexpr size_t WARM_PAGES = 256;
constexpr size_t COLD_PAGES = 65536;

struct ksim_process *ordinary;

/* For a benchmark of ksim: act as the process. */
template <class K> struct As {
	explicit As(struct ksim_process *)
	{
	}
};

template <> struct As<Ksim> : Acting {
	using Acting::Acting;
};

size_t cold_pages()
{
	return smoke ? 1024 : COLD_PAGES;
}

template <class K> typename K::addr map_private(size_t pages)
{
	typename K::addr at = K::mmap(pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	MUST(K::mapped(at));
	return at;
}

/* Have every frame of a machine touched once: the host has memory behind it then. */
void touch_all(struct ksim_process *p, size_t pages)
{
	As<Ksim> as(p);
	ksim_addr at = map_private<Ksim>(pages);

	touch_pages<Ksim>(at, pages, 1);
	MUST(ksim_munmap(at, pages * PAGE) == 0);
}

/* ---- mapping alone ---- */

template <class K> void map_unmap(benchmark::State &state)
{
	As<K> as(ordinary);

	for (auto _ : state)
		MUST(K::munmap(map_private<K>(1), PAGE) == 0);
	per_item(state, 1);
}

/* ---- first touches ---- */

template <class K> void touch_private(benchmark::State &state, size_t pages)
{
	As<K> as(ordinary);

	for (auto _ : state) {
		typename K::addr at = map_private<K>(pages);
		double started = thread_seconds();
		benchmark::DoNotOptimize(touch_pages<K>(at, pages, 1));
		state.SetIterationTime(thread_seconds() - started);
		MUST(K::munmap(at, pages * PAGE) == 0);
	}
	per_item(state, static_cast<int64_t>(pages));
}

template <class K> void touch_memfd(benchmark::State &state, size_t pages)
{
	As<K> as(ordinary);

	for (auto _ : state) {
		int fd = K::memfd_create("touched", MFD_CLOEXEC);
		MUST(fd >= 0);
		MUST(K::ftruncate(fd, static_cast<off_t>(pages * PAGE)) == 0);
		typename K::addr at = K::mmap(pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
		MUST(K::mapped(at));
		double started = thread_seconds();
		benchmark::DoNotOptimize(touch_pages<K>(at, pages, 1));
		state.SetIterationTime(thread_seconds() - started);
		MUST(K::munmap(at, pages * PAGE) == 0);
		MUST(K::close(fd) == 0);
	}
	per_item(state, static_cast<int64_t>(pages));
}

/* ---- reading ---- */

template <class K> void pread_page(benchmark::State &state)
{
	As<K> as(ordinary);
	constexpr size_t PAGES = 64;
	int fd = present_file<K>(PAGES);
	alignas(64) static char buf[PAGE];
	uint64_t i = 0;

	for (auto _ : state)
		MUST(K::pread(fd, buf, PAGE, static_cast<off_t>(i++ % PAGES * PAGE)) == static_cast<ssize_t>(PAGE));
	per_item(state, 1);
	K::close(fd);
}

/* ---- many mappings ---- */

constexpr ksim_addr MANY_BASE = UINT64_C(0x100000000000);
constexpr size_t MANY_BATCH = 256;
enum class Order_of { Address, Random };
enum class Step { Map, Find, Unmap };

ksim_addr place_of(size_t i)
{
	return MANY_BASE + i * 2 * PAGE;
}

void map_at(ksim_addr at)
{
	MUST(ksim_mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == at);
}

/* A process with so many mappings of one page each, none beside another; kept between benchmarks. */
struct Crowd {
	struct ksim_process *process;
	size_t mappings;
};

Crowd make_crowd(size_t mappings)
{
	struct ksim_config config = {};

	config.max_map_count = 2000000;
	Crowd crowd = { ksim_process_create(boot(config), "crowd"), mappings };
	MUST(crowd.process != nullptr);
	Acting acting(crowd.process);
	for (size_t i = 0; i < mappings; i++)
		map_at(place_of(i));
	return crowd;
}

/* Take a batch of mappings out and put them back, or look at them (mprotect to what they are), each timed alone. */
void crowd_step(benchmark::State &state, const Crowd &crowd, Order_of order, Step step)
{
	Acting acting(crowd.process);
	Random random(7);
	ksim_addr at[MANY_BATCH];
	size_t items = 0;

	for (auto _ : state) {
		size_t first = random.below(crowd.mappings - MANY_BATCH);
		for (size_t i = 0; i < MANY_BATCH; i++)
			at[i] = place_of(order == Order_of::Address ? first + i : random.below(crowd.mappings));
		std::sort(at, at + MANY_BATCH);
		size_t n = static_cast<size_t>(std::unique(at, at + MANY_BATCH) - at);
		if (order == Order_of::Random)
			for (size_t i = n; i > 1; i--)
				std::swap(at[i - 1], at[random.below(i)]);
		double start = wall_seconds();
		if (step == Step::Find) {
			for (size_t i = 0; i < n; i++)
				MUST(ksim_mprotect(at[i], PAGE, PROT_READ) == 0);
			state.SetIterationTime(wall_seconds() - start);
			items += n;
			continue;
		}
		for (size_t i = 0; i < n; i++)
			MUST(ksim_munmap(at[i], PAGE) == 0);
		double unmapped = wall_seconds();
		for (size_t i = 0; i < n; i++)
			map_at(at[i]);
		double mapped = wall_seconds();
		state.SetIterationTime(step == Step::Unmap ? unmapped - start : mapped - unmapped);
		items += n;
	}
	state.SetItemsProcessed(static_cast<int64_t>(items));
}

void add_crowds()
{
	static const Crowd crowds[] = { make_crowd(1000), make_crowd(smoke ? 2000 : 1000000) };
	static const char *const names[] = { "1000", "1000000" };
	const std::pair<const char *, Order_of> orders[] = { { "in_order", Order_of::Address },
		                                             { "random", Order_of::Random } };
	const std::pair<const char *, Step> steps[] = { { "mmap", Step::Map },
		                                        { "find", Step::Find },
		                                        { "munmap", Step::Unmap } };

	for (const auto &[order_name, order] : orders)
		for (const auto &[step_name, step] : steps)
			for (int i = 0; i < 2; i++) {
				std::string name = std::string("vmas_") + step_name + "/" + order_name + "/" + names[i];
				const Crowd &crowd = crowds[i];

				add(name.c_str(), [&crowd, order = order, step = step](benchmark::State &s) {
					crowd_step(s, crowd, order, step);
				})->UseManualTime();
			}
}

/* ---- a sparse file ---- */

size_t resident_bytes()
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size = 0, resident = 0;

	MUST(f != nullptr && fscanf(f, "%ld %ld", &size, &resident) == 2);
	fclose(f);
	return static_cast<size_t>(resident) * PAGE;
}

/* 1000 pages of 1 TiB: time of a touch, and what the host's memory grew by, a page. */
void sparse(benchmark::State &state)
{
	constexpr size_t TOUCHED = 1000;
	constexpr uint64_t BYTES = UINT64_C(1) << 40;
	double grown = 0;

	for (auto _ : state) {
		struct ksim_config config = {};
		config.commit = KSIM_COMMIT_ON_TOUCH;
		struct ksim_machine *m = boot(config);
		struct ksim_process *p = ksim_process_create(m, "sparse");
		MUST(p != nullptr);
		Random random(3);
		{
			Acting acting(p);
			int fd = ksim_memfd_create("sparse", 0);
			MUST(fd >= 0 && ksim_ftruncate(fd, static_cast<off_t>(BYTES)) == 0);
			ksim_addr at = ksim_mmap(0, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
			MUST(at != KSIM_MAP_FAILED);
			size_t before = resident_bytes();
			double started = thread_seconds();
			for (size_t i = 0; i < TOUCHED; i++)
				ksim_store64(at + random.below(BYTES / PAGE) * PAGE, i);
			state.SetIterationTime(thread_seconds() - started);
			size_t after = resident_bytes();
			grown += static_cast<double>(after > before ? after - before : 0) / TOUCHED;
		}
		MUST(ksim_halt(m) == 0);
	}
	per_item(state, TOUCHED);
	state.counters["host_bytes_per_page"] = grown / static_cast<double>(state.iterations());
}

/* ---- two tasks of one process ---- */

constexpr size_t TASK_PAGES = 4096;

/* A second task, which touches its own part of a mapping when it is told to. */
template <class K> class Partner
{
      public:
	explicit Partner(struct ksim_process *p) : thread_([this, p] { work(p); })
	{
		while (done_ == 0)
			sched_yield();
	}
	~Partner()
	{
		stop_ = true;
		round_++;
		thread_.join();
	}
	void begin(typename K::addr at)
	{
		at_ = at;
		round_++;
	}
	void finish() const
	{
		while (done_ <= round_)
			;
	}
	Partner(const Partner &) = delete;
	Partner &operator=(const Partner &) = delete;

      private:
	void work(struct ksim_process *p)
	{
		As<K> as(p);

		for (uint64_t seen = 0;; seen++) {
			done_ = seen + 1;
			while (round_ == seen)
				;
			if (stop_)
				return;
			touch_pages<K>(at_, TASK_PAGES, 1);
		}
	}
	typename K::addr at_ = {};
	std::atomic<uint64_t> round_ = 0; /* rounds begun */
	std::atomic<uint64_t> done_ = 0;  /* one more than rounds done */
	std::atomic<bool> stop_ = false;
	std::thread thread_;
};

/* How many pages a second one task touches, or two do, each its own half of a mapping. */
template <class K> void task_faults(benchmark::State &state, int tasks, bool shared)
{
	struct ksim_config config = {};
	config.ram_bytes = UINT64_C(256) << 20;
	config.commit = KSIM_COMMIT_ON_TOUCH;
	struct ksim_machine *m = boot(config);
	struct ksim_process *p = ksim_process_create(m, "tasks");
	MUST(p != nullptr);
	constexpr size_t BYTES = 2 * TASK_PAGES * PAGE;
	touch_all(p, 5 * TASK_PAGES);
	{
		As<K> as(p);
		int fd = shared ? present_file<K>(2 * TASK_PAGES) : -1;
		std::unique_ptr<Partner<K>> partner;

		if (tasks == 2)
			partner = std::make_unique<Partner<K>>(p);
		for (auto _ : state) {
			typename K::addr at = shared ? K::mmap(BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd)
			                             : map_private<K>(2 * TASK_PAGES);
			MUST(K::mapped(at));
			double started = wall_seconds();
			if (partner != nullptr)
				partner->begin(at + TASK_PAGES * PAGE);
			touch_pages<K>(at, TASK_PAGES, 1);
			if (partner != nullptr)
				partner->finish();
			state.SetIterationTime(wall_seconds() - started);
			MUST(K::munmap(at, BYTES) == 0);
		}
		per_item(state, static_cast<int64_t>(TASK_PAGES) * tasks);
		partner.reset();
		if (fd >= 0)
			K::close(fd);
	}
	MUST(ksim_halt(m) == 0);
}

/* ---- that both do the same ---- */

template <class K> uint64_t witness()
{
	As<K> as(ordinary);
	uint64_t sum = 0;

	for (uint64_t round = 1; round < 3; round++) {
		typename K::addr at = map_private<K>(WARM_PAGES);
		sum = sum * 31 + K::load(at + PAGE);
		touch_pages<K>(at, WARM_PAGES, round);
		for (size_t i = 0; i < WARM_PAGES; i++)
			sum = sum * 31 + K::load(at + i * PAGE);
		MUST(K::munmap(at, WARM_PAGES * PAGE) == 0);
	}
	return sum;
}

} // namespace

void bench::check()
{
	struct ksim_config config = {};

	config.ram_bytes = UINT64_C(1) << 30;
	config.commit = KSIM_COMMIT_ON_TOUCH;
	ordinary = ksim_process_create(boot(config), "bench");
	MUST(ordinary != nullptr);
	same("memory", witness<Host>(), witness<Ksim>());
	touch_all(ordinary, cold_pages() + cold_pages() / 8);
}

#define ADD_BOTH(name, fn)                                           \
	add(name "/host", [](benchmark::State &s) { fn<Host>(s); }); \
	add(name "/ksim", [](benchmark::State &s) { fn<Ksim>(s); })
#define ADD_TIMED(name, fn, pages)                                                           \
	add(name "/host", [](benchmark::State &s) { fn<Host>(s, pages); })->UseManualTime(); \
	add(name "/ksim", [](benchmark::State &s) { fn<Ksim>(s, pages); })->UseManualTime()

void bench::declare()
{
	ADD_BOTH("map_unmap", map_unmap);
	ADD_BOTH("pread_page", pread_page);
	ADD_TIMED("touch_private/warm", touch_private, WARM_PAGES);
	ADD_TIMED("touch_private/cold", touch_private, cold_pages());
	ADD_TIMED("touch_memfd/warm", touch_memfd, WARM_PAGES);
	ADD_TIMED("touch_memfd/cold", touch_memfd, cold_pages());
	add_crowds();
	add("sparse_touch/ksim", sparse)->UseManualTime();
	for (int tasks : { 1, 2 }) {
		std::string n = std::to_string(tasks);

		add(("tasks_private/host/" + n).c_str(), [tasks](benchmark::State &s) {
			task_faults<Host>(s, tasks, false);
		})->UseManualTime();
		add(("tasks_private/ksim/" + n).c_str(), [tasks](benchmark::State &s) {
			task_faults<Ksim>(s, tasks, false);
		})->UseManualTime();
		add(("tasks_memfd/host/" + n).c_str(), [tasks](benchmark::State &s) {
			task_faults<Host>(s, tasks, true);
		})->UseManualTime();
		add(("tasks_memfd/ksim/" + n).c_str(), [tasks](benchmark::State &s) {
			task_faults<Ksim>(s, tasks, true);
		})->UseManualTime();
	}
}

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

/* Pages in turn: as many as the processor's first cache holds, or the second. */
template <class K> void pread_page(benchmark::State &state, size_t pages)
{
	As<K> as(ordinary);
	int fd = present_file<K>(pages);
	alignas(64) static char buf[PAGE];
	uint64_t i = 0;

	for (auto _ : state)
		MUST(K::pread(fd, buf, PAGE, static_cast<off_t>(i++ % pages * PAGE)) == static_cast<ssize_t>(PAGE));
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

/* For each task: 16 MiB, more than the processors' own caches hold, and what they do hold. */
constexpr size_t TASK_PAGES_COLD = 4096;
constexpr size_t TASK_PAGES_WARM = 64;

/* What one task touches and forgets again: memory of the process's, or a part of a file that is there. */
template <class K> class Part
{
	size_t pages_;
	typename K::addr at_;

      public:
	Part(size_t pages, int fd, off_t offset)
	    : pages_(pages), at_(fd < 0 ? map_private<K>(pages)
	                                : K::mmap(pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset))
	{
		MUST(K::mapped(at_));
	}
	void touch() const
	{
		touch_pages<K>(at_, pages_, 1);
	}
	void forget() const
	{
		MUST(K::madvise(at_, pages_ * PAGE, MADV_DONTNEED) == 0);
	}
};

/* The same of plain memory of the host's, of which each page is set to zeros: what the processors can do at best. */
class Zeros
{
	size_t pages_;
	char *at_;

      public:
	explicit Zeros(size_t pages) : pages_(pages), at_(map_private<Host>(pages))
	{
	}
	void touch() const
	{
		for (size_t i = 0; i < pages_; i++)
			memset(at_ + i * PAGE, 0, PAGE);
	}
	void forget() const
	{
	}
};

/* A second task, which takes each step when it is told to. */
template <class K, class Part> class Partner
{
      public:
	Partner(struct ksim_process *p, Part part) : part_(part), thread_([this, p] { work(p); })
	{
		finish();
	}
	~Partner()
	{
		stop_ = true;
		begin();
		thread_.join();
	}
	void begin()
	{
		begun_++;
	}
	void finish() const
	{
		while (done_ != begun_ + 1)
			;
	}
	Partner(const Partner &) = delete;
	Partner &operator=(const Partner &) = delete;

      private:
	void await(uint64_t step)
	{
		done_ = step;
		while (begun_ < step)
			;
	}
	void work(struct ksim_process *p)
	{
		As<K> as(p);

		for (uint64_t step = 1;; step += 2) {
			await(step);
			if (stop_)
				return;
			part_.touch();
			await(step + 1);
			part_.forget();
		}
	}
	Part part_;
	std::atomic<uint64_t> begun_ = 0; /* steps begun */
	std::atomic<uint64_t> done_ = 0;  /* one more than steps done */
	std::atomic<bool> stop_ = false;
	std::thread thread_;
};

/* How many pages a second one task touches, or two do, each a part of its own. */
template <class K, class Part>
void take_steps(benchmark::State &state, struct ksim_process *p, const Part &own, const Part *others, size_t pages)
{
	std::unique_ptr<Partner<K, Part>> partner;
	/* Both take a step; how long it took until both had. */
	auto both = [&](auto step) {
		double started = wall_seconds();
		if (partner != nullptr)
			partner->begin();
		step();
		if (partner != nullptr)
			partner->finish();
		return wall_seconds() - started;
	};

	if (others != nullptr)
		partner = std::make_unique<Partner<K, Part>>(p, *others);
	for (auto _ : state) {
		state.SetIterationTime(both([&] { own.touch(); }));
		both([&] { own.forget(); });
	}
	per_item(state, static_cast<int64_t>(others != nullptr ? 2 * pages : pages));
}

template <class K> void task_faults(benchmark::State &state, int tasks, bool shared, size_t pages)
{
	struct ksim_config config = {};
	config.ram_bytes = UINT64_C(256) << 20;
	config.commit = KSIM_COMMIT_ON_TOUCH;
	struct ksim_machine *m = boot(config);
	struct ksim_process *p = ksim_process_create(m, "tasks");
	MUST(p != nullptr);
	touch_all(p, 5 * pages);
	{
		As<K> as(p);
		int fd = shared ? present_file<K>(2 * pages) : -1;
		Part<K> own(pages, fd, 0), others(pages, fd, static_cast<off_t>(pages * PAGE));

		take_steps<K>(state, p, own, tasks == 2 ? &others : nullptr, pages);
		if (fd >= 0)
			K::close(fd);
	}
	MUST(ksim_halt(m) == 0);
}

void task_zeros(benchmark::State &state, int tasks, size_t pages)
{
	Zeros own(pages), others(pages);

	take_steps<Host>(state, nullptr, own, tasks == 2 ? &others : nullptr, pages);
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
	for (size_t pages : { 4, 64 }) {
		std::string name = "pread_page/" + std::to_string(pages);

		add((name + "/host").c_str(), [=](benchmark::State &s) { pread_page<Host>(s, pages); });
		add((name + "/ksim").c_str(), [=](benchmark::State &s) { pread_page<Ksim>(s, pages); });
	}
	ADD_TIMED("touch_private/warm", touch_private, WARM_PAGES);
	ADD_TIMED("touch_private/cold", touch_private, cold_pages());
	ADD_TIMED("touch_memfd/warm", touch_memfd, WARM_PAGES);
	ADD_TIMED("touch_memfd/cold", touch_memfd, cold_pages());
	add_crowds();
	add("sparse_touch/ksim", sparse)->UseManualTime();
	const struct {
		const char *name;
		bool shared;
		size_t pages;
	} kinds[] = { { "warm", false, TASK_PAGES_WARM },
		      { "cold", false, TASK_PAGES_COLD },
		      { "memfd", true, TASK_PAGES_COLD } };
	for (int tasks : { 1, 2 })
		for (const auto &kind : kinds) {
			const bool shared = kind.shared;
			const size_t pages = kind.pages;
			auto named = [&](const char *kernel) {
				return std::string("tasks_") + kind.name + "/" + kernel + "/" + std::to_string(tasks);
			};

			add(named("host").c_str(), [=](benchmark::State &s) {
				task_faults<Host>(s, tasks, shared, pages);
			})->UseManualTime();
			add(named("ksim").c_str(), [=](benchmark::State &s) {
				task_faults<Ksim>(s, tasks, shared, pages);
			})->UseManualTime();
			if (!shared)
				add(named("zeros").c_str(), [=](benchmark::State &s) {
					task_zeros(s, tasks, pages);
				})->UseManualTime();
		}
}

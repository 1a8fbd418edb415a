// SPDX-License-Identifier: MIT
/*
 * Calls of ksim beside the same calls of the host's kernel, in one program.
 *
 * The machine that is compared commits on touch, as Linux does; the default policy is shown beside it where it matters.
 * A fault on the host is one of the CPU: on a virtual machine it costs more than on bare metal.
 */
#include "cycles.h"

#include <vector>

namespace
{

using namespace bench;

struct ksim_process *sparse;  /* of a machine that commits on touch */
struct ksim_process *eager;   /* of one that commits on truncate */
struct ksim_process *aarch64; /* as sparse, on the other architecture */

/* Act as a process for a benchmark of ksim; as nobody for one of the host. */
template <class K> class Caller
{
      public:
	explicit Caller(struct ksim_process *)
	{
	}
};

template <> class Caller<Ksim>
{
      public:
	explicit Caller(struct ksim_process *p) : acting_(p)
	{
	}

      private:
	Acting acting_;
};

template <class K> void memfd(benchmark::State &state, struct ksim_process *p)
{
	Caller<K> caller(p);
	uint64_t i = 0;

	for (auto _ : state)
		benchmark::DoNotOptimize(memfd_cycle<K>(i++));
	per_item(state, 1);
}

template <class K> void rights(benchmark::State &state, struct ksim_process *p)
{
	Caller<K> caller(p);
	Pair<K> pair;

	for (auto _ : state)
		rights_cycle(pair);
	per_item(state, 1);
}

template <class K> void byte(benchmark::State &state, struct ksim_process *p)
{
	Caller<K> caller(p);
	Pair<K> pair;
	uint64_t i = 0;

	for (auto _ : state)
		benchmark::DoNotOptimize(byte_cycle(pair, i++));
	per_item(state, 1);
}

template <class K> void getppid(benchmark::State &state, struct ksim_process *p)
{
	Caller<K> caller(p);

	for (auto _ : state)
		benchmark::DoNotOptimize(K::getppid());
	per_item(state, 1);
}

/* ---- the minor fault ---- */

constexpr size_t FAULT_PAGES = 4096;

/* Stores, since the host brings in 16 pages around a load and one for a store. */
template <class K> void fault(benchmark::State &state, struct ksim_process *p)
{
	Caller<K> caller(p);
	int fd = present_file<K>(FAULT_PAGES);

	for (auto _ : state) {
		typename K::addr at = K::mmap(FAULT_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
		MUST(K::mapped(at));
		double started = thread_seconds();
		benchmark::DoNotOptimize(touch_pages<K>(at, FAULT_PAGES, 1));
		state.SetIterationTime(thread_seconds() - started);
		MUST(K::munmap(at, FAULT_PAGES * PAGE) == 0);
	}
	per_item(state, FAULT_PAGES);
	K::close(fd);
}

/* ---- growing ---- */

constexpr int FILES = 64;

/* 64 files from nothing to so many pages: per file. */
template <class K> void grow(benchmark::State &state, struct ksim_process *p, bool allocate)
{
	Caller<K> caller(p);
	off_t bytes = static_cast<off_t>(state.range(0)) * static_cast<off_t>(PAGE);
	int fds[FILES];

	for (int &fd : fds) {
		fd = K::memfd_create("grown", MFD_CLOEXEC);
		MUST(fd >= 0);
	}
	for (auto _ : state) {
		double started = thread_seconds();
		for (int fd : fds) {
			MUST(K::ftruncate(fd, bytes) == 0);
			if (allocate)
				MUST(K::fallocate(fd, bytes) == 0);
		}
		state.SetIterationTime(thread_seconds() - started);
		for (int fd : fds)
			MUST(K::ftruncate(fd, 0) == 0);
	}
	per_item(state, FILES);
	for (int fd : fds)
		K::close(fd);
}

/* ---- that both do the same ---- */

uint64_t mix(uint64_t sum, uint64_t value)
{
	return (sum ^ value) * UINT64_C(0x100000001b3);
}

/* What the calls return and what the files then are, folded. */
template <class K> uint64_t witness()
{
	Pair<K> pair;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < 100; i++) {
		struct stat st;
		int fd = pass_fd(pair, static_cast<char>(i));

		sum = mix(sum, memfd_cycle<K>(i * i));
		sum = mix(sum, byte_cycle(pair, i));
		MUST(K::fstat(fd, &st) == 0);
		sum = mix(sum, static_cast<uint64_t>(st.st_size));
		sum = mix(sum, static_cast<uint64_t>(fd - pair.fd));
		MUST(K::close(fd) == 0);
	}
	int fd = present_file<K>(FAULT_PAGES);
	for (uint64_t round = 1; round <= 2; round++) {
		typename K::addr at = K::mmap(FAULT_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
		MUST(K::mapped(at));
		for (size_t i = 0; i < FAULT_PAGES; i++)
			sum = mix(sum, K::load(at + i * PAGE));
		sum = mix(sum, touch_pages<K>(at, FAULT_PAGES, round));
		MUST(K::munmap(at, FAULT_PAGES * PAGE) == 0);
	}
	struct stat st;
	MUST(K::fstat(fd, &st) == 0);
	sum = mix(sum, static_cast<uint64_t>(st.st_blocks));
	K::close(fd);
	return sum;
}

uint64_t witness_as(struct ksim_process *p)
{
	Acting acting(p);

	return witness<Ksim>();
}

struct ksim_process *process_of(enum ksim_arch arch, enum ksim_commit commit)
{
	struct ksim_config config = {};

	config.ram_bytes = UINT64_C(1) << 30;
	config.arch = arch;
	config.commit = commit;
	struct ksim_process *p = ksim_process_create(boot(config), "bench");
	MUST(p != nullptr);
	return p;
}

} // namespace

void bench::check()
{
	sparse = process_of(KSIM_ARCH_X86_64, KSIM_COMMIT_ON_TOUCH);
	eager = process_of(KSIM_ARCH_X86_64, KSIM_COMMIT_ON_TRUNCATE);
	aarch64 = process_of(KSIM_ARCH_AARCH64, KSIM_COMMIT_ON_TOUCH);
	uint64_t host = witness<Host>();
	same("calls, host and ksim committing on touch", host, witness_as(sparse));
	same("calls, host and ksim committing on truncate", host, witness_as(eager));
	same("calls, host and ksim as aarch64", host, witness_as(aarch64));
}

#define ADD_CALL(name, fn)                                                           \
	add(name "/host", [](benchmark::State &s) { fn<Host>(s, nullptr); });        \
	add(name "/ksim", [](benchmark::State &s) { fn<Ksim>(s, sparse); });         \
	add(name "/ksim_truncate", [](benchmark::State &s) { fn<Ksim>(s, eager); }); \
	add(name "/ksim_aarch64", [](benchmark::State &s) { fn<Ksim>(s, aarch64); })

void bench::declare()
{
	ADD_CALL("memfd_cycle", memfd);
	ADD_CALL("rights", rights);
	ADD_CALL("byte", byte);
	ADD_CALL("getppid", getppid);
	add("fault/host", [](benchmark::State &s) { fault<Host>(s, nullptr); })->UseManualTime();
	add("fault/ksim", [](benchmark::State &s) { fault<Ksim>(s, sparse); })->UseManualTime();
	add("fault/ksim_aarch64", [](benchmark::State &s) { fault<Ksim>(s, aarch64); })->UseManualTime();
	for (int64_t pages : { 1, 64, 1024 }) {
		add("grow/host", [](benchmark::State &s) { grow<Host>(s, nullptr, false); })
			->Arg(pages)
			->UseManualTime();
		add("grow/host_fallocate", [](benchmark::State &s) { grow<Host>(s, nullptr, true); })
			->Arg(pages)
			->UseManualTime();
		add("grow/ksim_touch", [](benchmark::State &s) { grow<Ksim>(s, sparse, false); })
			->Arg(pages)
			->UseManualTime();
		add("grow/ksim_truncate", [](benchmark::State &s) { grow<Ksim>(s, eager, false); })
			->Arg(pages)
			->UseManualTime();
	}
}

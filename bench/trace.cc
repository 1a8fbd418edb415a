// SPDX-License-Identifier: MIT
/*
 * What events and traces cost while nobody listens: all of ksim compiled twice, as it is and with KSIM_NO_TRACE, both
 * loaded into this program, and the same cycles run in each by turns.
 *
 * The difference is smaller than what a host's timer and neighbours do to any measurement. So --count says how many
 * instructions it is, under callgrind: bench/table runs that twice, with n cycles and with 2n, and subtracts.
 *
 *	bench-trace --count=WORKLOAD:VARIANT:N      memfd_cycle:traced:1000
 */
#include "cycles.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

namespace
{

using namespace bench;

enum { TRACED_BUILD, UNTRACED_BUILD };

/* The functions of one build. */
struct Library {
	explicit Library(const char *path) : handle(dlopen(path, RTLD_NOW | RTLD_LOCAL))
	{
		if (handle == nullptr)
			fail("%s", dlerror());
	}
	template <class Fn> Fn *function(const char *name) const
	{
		void *p = dlsym(handle, name);

		if (p == nullptr)
			fail("%s", dlerror());
		return reinterpret_cast<Fn *>(p);
	}
	void *handle;
};

#define FUNCTION(name) decltype(::name) *name = library.function<decltype(::name)>(#name)

struct Api {
	explicit Api(const char *path) : library(path)
	{
	}
	Library library;
	FUNCTION(ksim_boot_sized);
	FUNCTION(ksim_process_create);
	FUNCTION(ksim_enter);
	FUNCTION(ksim_leave);
	FUNCTION(ksim_getppid);
	FUNCTION(ksim_memfd_create);
	FUNCTION(ksim_ftruncate);
	FUNCTION(ksim_mmap);
	FUNCTION(ksim_munmap);
	FUNCTION(ksim_close);
	FUNCTION(ksim_read);
	FUNCTION(ksim_write);
	FUNCTION(ksim_socketpair);
	FUNCTION(ksim_sendmsg);
	FUNCTION(ksim_recvmsg);
	FUNCTION(ksim_load64);
	FUNCTION(ksim_store64);
	struct ksim_process *process = nullptr;
};

/* One build as a kernel for cycles.h. Loads and stores are calls here: there is one ksim_cpu_self a build. */
template <int build> struct Kernel {
	using addr = ksim_addr;
	static Api *api;

	static int memfd_create(const char *name, unsigned flags)
	{
		return api->ksim_memfd_create(name, flags);
	}
	static int ftruncate(int fd, off_t length)
	{
		return api->ksim_ftruncate(fd, length);
	}
	static addr mmap(size_t length, int prot, int flags, int fd)
	{
		return api->ksim_mmap(0, length, prot, flags, fd, 0);
	}
	static bool mapped(addr p)
	{
		return p != KSIM_MAP_FAILED;
	}
	static int munmap(addr p, size_t length)
	{
		return api->ksim_munmap(p, length);
	}
	static int close(int fd)
	{
		return api->ksim_close(fd);
	}
	static ssize_t write(int fd, const void *buf, size_t n)
	{
		return api->ksim_write(fd, buf, n);
	}
	static ssize_t read(int fd, void *buf, size_t n)
	{
		return api->ksim_read(fd, buf, n);
	}
	static int socketpair(int fds[2])
	{
		return api->ksim_socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	}
	static ssize_t sendmsg(int fd, const struct msghdr *msg)
	{
		return api->ksim_sendmsg(fd, msg, 0);
	}
	static ssize_t recvmsg(int fd, struct msghdr *msg)
	{
		return api->ksim_recvmsg(fd, msg, MSG_CMSG_CLOEXEC);
	}
	static pid_t getppid()
	{
		return api->ksim_getppid();
	}
	static void store(addr p, uint64_t value)
	{
		api->ksim_store64(p, value);
	}
	static uint64_t load(addr p)
	{
		return api->ksim_load64(p);
	}
};

template <int build> Api *Kernel<build>::api;

/* ---- workloads: what they see is summed ---- */

struct Getppid {
	template <class K> static uint64_t run(uint64_t n)
	{
		uint64_t sum = 0;

		for (uint64_t i = 0; i < n; i++)
			sum += static_cast<uint64_t>(K::getppid());
		return sum;
	}
};

struct Byte {
	template <class K> static uint64_t run(uint64_t n)
	{
		Pair<K> pair;
		uint64_t sum = 0;

		for (uint64_t i = 0; i < n; i++)
			sum += byte_cycle(pair, i);
		return sum;
	}
};

struct Rights {
	template <class K> static uint64_t run(uint64_t n)
	{
		Pair<K> pair;

		for (uint64_t i = 0; i < n; i++)
			rights_cycle(pair);
		return n;
	}
};

struct Memfd {
	template <class K> static uint64_t run(uint64_t n)
	{
		uint64_t sum = 0;

		for (uint64_t i = 0; i < n; i++)
			sum += memfd_cycle<K>(i);
		return sum;
	}
};

/* n faults, 512 to a mapping. */
struct Fault {
	template <class K> static uint64_t run(uint64_t n)
	{
		constexpr size_t PAGES = 512;
		int fd = present_file<K>(PAGES);
		uint64_t sum = 0;

		for (uint64_t i = 0; i < n; i += PAGES) {
			typename K::addr at = K::mmap(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
			MUST(K::mapped(at));
			sum += touch_pages<K>(at, PAGES, i);
			MUST(K::munmap(at, PAGES * PAGE) == 0);
		}
		K::close(fd);
		return sum;
	}
};

struct Workload {
	const char *name;
	uint64_t n; /* of one iteration */
	uint64_t (*run[2])(uint64_t n);
};

template <class What> constexpr Workload workload(const char *name, uint64_t n)
{
	return { name, n, { What::template run<Kernel<TRACED_BUILD>>, What::template run<Kernel<UNTRACED_BUILD>> } };
}

constexpr Workload workloads[] = {
	workload<Memfd>("memfd_cycle", 256), workload<Rights>("rights", 512),    workload<Byte>("byte", 1024),
	workload<Fault>("fault", 4096),      workload<Getppid>("getppid", 4096),
};
constexpr const char *variants[] = { "traced", "untraced" };

void act(Api *api)
{
	struct ksim_config config = {};

	config.commit = KSIM_COMMIT_ON_TOUCH;
	config.poison = KSIM_NONE;
	struct ksim_machine *m = api->ksim_boot_sized(&config, sizeof(config));
	MUST(m != nullptr);
	api->process = api->ksim_process_create(m, "bench");
	MUST(api->process != nullptr);
	api->ksim_enter(api->process);
}

void count(const char *what)
{
	for (const Workload &w : workloads)
		for (int variant = 0; variant < 2; variant++) {
			std::string prefix = std::string(w.name) + ":" + variants[variant] + ":";

			if (strncmp(what, prefix.c_str(), prefix.size()) == 0) {
				w.run[variant](strtoull(what + prefix.size(), nullptr, 10));
				exit(0);
			}
		}
	fail("--count=%s: there is no such workload", what);
}

} // namespace

void bench::check()
{
	Kernel<TRACED_BUILD>::api = new Api(TRACED);
	Kernel<UNTRACED_BUILD>::api = new Api(UNTRACED);
	act(Kernel<TRACED_BUILD>::api);
	act(Kernel<UNTRACED_BUILD>::api);
	if (option("count") != nullptr)
		count(option("count"));
	for (const Workload &w : workloads)
		same(w.name, w.run[0](w.n), w.run[1](w.n));
}

void bench::declare()
{
	for (const Workload &w : workloads)
		for (int variant = 0; variant < 2; variant++) {
			std::string name = std::string(w.name) + "/" + variants[variant];

			add(name.c_str(), [&w, variant](benchmark::State &state) {
				for (auto _ : state)
					benchmark::DoNotOptimize(w.run[variant](w.n));
				per_item(state, static_cast<int64_t>(w.n));
			});
		}
}

// SPDX-License-Identifier: MIT
/*
 * Memory through a window's plain pointers, beside plain host mappings, in one program.
 *
 *	load_, store_    64 MiB of a shared mapping, by the same function through either pointer. Where the pages lie in
 *	                 the host's memory is luck, and worth more than the 2 % that are asked about: so the plain
 *	                 mapping is one of the window's own pages, and one of a host file stands beside it.
 *	map_touch        map 16 MiB of a file whose pages are all there, touch each page, unmap
 *	frames           a client draws, a compositor reads: as two host processes, or as two of ksim on two threads
 *	fault            the first store to each of some pages, where it faults. Besides the host's kernel and ksim there is
 *	                 "by hand": the least that a library can do, a handler of SIGSEGV that takes the next frame of a
 *	                 host file, fills it and maps it in, without asking anybody whether it may.
 *
 * In a program with a native machine SIGSEGV is ksim's: by hand lends it for a measurement and gives it back.
 */
#include "cycles.h"

#include <csignal>
#include <optional>
#include <sys/wait.h>

namespace
{

using namespace bench;

/* ksim's calls, with pointers into the window for addresses. */
struct Native : Ksim {
	using addr = char *;

	static addr mmap(size_t length, int prot, int flags, int fd)
	{
		ksim_addr at = Ksim::mmap(length, prot, flags, fd);

		return static_cast<char *>(Ksim::mapped(at) ? ksim_ptr(at) : MAP_FAILED);
	}
	static bool mapped(addr p)
	{
		return p != MAP_FAILED && p != nullptr;
	}
	static int munmap(addr p, size_t length)
	{
		return ksim_munmap(ksim_addr_of(p), length);
	}
	static void store(addr p, uint64_t value)
	{
		Host::store(p, value);
	}
	static uint64_t load(addr p)
	{
		return Host::load(p);
	}
};

struct ksim_process *process_of(struct ksim_machine *m, const char *name)
{
	struct ksim_process *p = ksim_process_create(m, name);

	MUST(p != nullptr);
	return p;
}

struct ksim_machine *boot_native(uint64_t ram_bytes)
{
	struct ksim_config config = {};

	config.ram_bytes = ram_bytes;
	config.access = KSIM_ACCESS_NATIVE;
	return boot(config);
}

/* Of everything but the memory rows. */
struct ksim_machine *machine;
struct ksim_process *process;

/* For a benchmark of ksim: act as the process. */
template <class K> struct As {
	As()
	{
	}
};

template <> struct As<Native> : Acting {
	As() : Acting(process)
	{
	}
};

template <class K> char *map_file(int fd, size_t length)
{
	char *at = K::mmap(length, PROT_READ | PROT_WRITE, MAP_SHARED, fd);

	MUST(K::mapped(at));
	return at;
}

/* ---- reading and writing ---- */

constexpr size_t LINE = 8; /* words in a line of the cache */
size_t lines = size_t(1) << 20;
std::vector<uint32_t> next_line; /* one cycle through all lines, in random order */

void make_cycle()
{
	Random random(1);

	next_line.resize(lines);
	for (size_t i = 0; i < lines; i++)
		next_line[i] = static_cast<uint32_t>(i);
	for (size_t i = lines - 1; i > 0; i--)
		std::swap(next_line[i], next_line[random.below(i)]);
}

/* A machine that has just been booted, for a mapping of it. */
template <class K> struct Place {
};

template <> class Place<Native>
{
      public:
	Place() : machine_(boot_native((lines * LINE * sizeof(uint64_t)) + (UINT64_C(32) << 20)))
	{
		acting_.emplace(process_of(machine_, "memory"));
	}
	~Place()
	{
		acting_.reset();
		MUST(ksim_halt(machine_) == 0);
	}
	Place(const Place &) = delete;
	Place &operator=(const Place &) = delete;

      private:
	struct ksim_machine *machine_;
	std::optional<Acting> acting_;
};

/* A shared mapping, all there; the first word of a line is the number of the next line. */
template <class K> class Memory
{
      public:
	uint64_t *words;

	Memory() : fd_(K::memfd_create("memory", MFD_CLOEXEC))
	{
		MUST(fd_ >= 0);
		MUST(K::ftruncate(fd_, static_cast<off_t>(bytes())) == 0);
		words = reinterpret_cast<uint64_t *>(map_file<K>(fd_, bytes()));
		for (size_t i = 0; i < lines * LINE; i++)
			words[i] = i % LINE == 0 ? next_line[i / LINE] : i * UINT64_C(0x9e3779b97f4a7c15);
	}
	~Memory()
	{
		MUST(K::munmap(reinterpret_cast<char *>(words), bytes()) == 0);
		MUST(K::close(fd_) == 0);
	}
	Memory(const Memory &) = delete;
	Memory &operator=(const Memory &) = delete;
	static size_t bytes()
	{
		return lines * LINE * sizeof(uint64_t);
	}

      private:
	Place<K> place_;
	int fd_;
};

/* Each returns what it saw or left; none is inlined, so that both pointers run through the same instructions. */
using Walk = uint64_t(uint64_t *words);

__attribute__((noinline)) uint64_t load_in_order(uint64_t *words)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < lines * LINE; i++)
		sum += words[i];
	return sum;
}

__attribute__((noinline)) uint64_t store_in_order(uint64_t *words)
{
	for (size_t i = 0; i < lines * LINE; i++)
		words[i] = i;
	benchmark::ClobberMemory();
	return words[lines];
}

/* Lines in a random order that is known beforehand, so that many loads are under way at once. */
inline size_t random_word(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (*state >> 33) & (lines * LINE - 1);
}

__attribute__((noinline)) uint64_t load_random(uint64_t *words)
{
	uint64_t state = 1, sum = 0;

	for (size_t i = 0; i < lines; i++)
		sum += words[random_word(&state)];
	return sum;
}

__attribute__((noinline)) uint64_t store_random(uint64_t *words)
{
	uint64_t state = 1;

	for (size_t i = 0; i < lines; i++)
		words[random_word(&state)] = i;
	benchmark::ClobberMemory();
	return words[lines];
}

/* Each load says where the next one goes. */
__attribute__((noinline)) uint64_t load_chained(uint64_t *words)
{
	uint64_t line = 0;

	for (size_t i = 0; i < lines / 8; i++)
		line = words[line * LINE];
	return line;
}

const struct Memory_row {
	const char *name;
	Walk *walk;
	size_t accesses_per_line, one_in; /* how many accesses it makes */
} memory_rows[] = {
	{ "load_in_order", load_in_order, LINE, 1 }, { "store_in_order", store_in_order, LINE, 1 },
	{ "load_random", load_random, 1, 1 },        { "store_random", store_random, 1, 1 },
	{ "load_chained", load_chained, 1, 8 },
};

double seconds_of_walk(Walk *walk, uint64_t *words)
{
	double started = thread_seconds();

	benchmark::DoNotOptimize(walk(words));
	return thread_seconds() - started;
}

/* A plain host mapping of the very pages that are behind a window's. */
class Twin
{
      public:
	uint64_t *words;

	explicit Twin(uint64_t *window)
	    : words(static_cast<uint64_t *>(mremap(window, 0, Memory<Host>::bytes(), MREMAP_MAYMOVE)))
	{
		MUST(words != MAP_FAILED);
		if (memcmp(words, window, Memory<Host>::bytes()) != 0)
			fail("a file of a machine just booted does not lie in one piece of RAM");
	}
	~Twin()
	{
		munmap(words, Memory<Host>::bytes());
	}
	Twin(const Twin &) = delete;
	Twin &operator=(const Twin &) = delete;
};

/*
 * The window and its twin by turns, since what the host does besides changes more from one second to the next than they
 * differ. Before each of them a walk through other pages, so that none finds in the cache what the last one left.
 */
void walk_memory(benchmark::State &state, const Memory_row *row)
{
	Memory<Native> window;
	Memory<Host> other;
	Twin twin(window.words);
	std::vector<double> twins, windows, others, ratios;

	for (auto _ : state) {
		others.push_back(seconds_of_walk(row->walk, other.words));
		twins.push_back(seconds_of_walk(row->walk, twin.words));
		others.push_back(seconds_of_walk(row->walk, other.words));
		windows.push_back(seconds_of_walk(row->walk, window.words));
		ratios.push_back(windows.back() / twins.back());
		state.SetIterationTime(windows.back());
	}
	double accesses = static_cast<double>(lines) * static_cast<double>(row->accesses_per_line) /
	                  static_cast<double>(row->one_in);
	state.SetItemsProcessed(static_cast<int64_t>(static_cast<double>(state.iterations()) * accesses));
	state.counters["host_ns"] = median(twins) / accesses * 1e9;
	state.counters["other_ns"] = median(others) / accesses * 1e9;
	state.counters["ksim_ns"] = median(windows) / accesses * 1e9;
	state.counters["ratio"] = median(ratios);
	state.counters["ratio_to_other"] = median(windows) / median(others);
}

template <class K> uint64_t witness_of_memory()
{
	Memory<K> memory;
	uint64_t sum = load_chained(memory.words) + load_random(memory.words) + load_in_order(memory.words);

	sum = sum * 31 + store_random(memory.words) + load_in_order(memory.words);
	return sum * 31 + store_in_order(memory.words) + load_in_order(memory.words);
}

/* ---- mapping, touching, unmapping ---- */

size_t touched_pages = 4096;

template <class K> size_t load_pages(char *at, size_t pages)
{
	size_t sum = 0;

	for (size_t i = 0; i < pages; i++)
		sum += *const_cast<volatile char *>(at + i * PAGE);
	return sum;
}

template <class K, bool stores> uint64_t map_touch_cycle(int fd, uint64_t value)
{
	char *at = map_file<K>(fd, touched_pages * PAGE);
	uint64_t seen = stores ? touch_pages<K>(at, touched_pages, value) : load_pages<K>(at, touched_pages);

	MUST(K::munmap(at, touched_pages * PAGE) == 0);
	return seen;
}

template <class K, bool stores> void map_touch(benchmark::State &state)
{
	As<K> as;
	int fd = present_file<K>(touched_pages);
	uint64_t value = 0;

	for (auto _ : state)
		benchmark::DoNotOptimize(map_touch_cycle<K, stores>(fd, value++));
	per_item(state, 1);
	K::close(fd);
}

template <class K> uint64_t witness_of_mapping()
{
	As<K> as;
	int fd = present_file<K>(touched_pages);
	uint64_t sum = 0;

	for (uint64_t value = 1; value < 100; value *= 7) {
		sum = sum * 31 + map_touch_cycle<K, true>(fd, value);
		sum = sum * 31 + map_touch_cycle<K, false>(fd, value);
	}
	K::close(fd);
	return sum;
}

/* ---- frames ---- */

constexpr size_t WIDTH = 1920, HEIGHT = 1080, PIXELS = WIDTH * HEIGHT;
constexpr size_t BUFFERS = 2, POOL = BUFFERS * PIXELS * sizeof(uint32_t);
unsigned frames_drawn = 600;

/* What runs over the socket, but for the one message with the pool. */
struct Event {
	enum Kind : uint32_t { Ready, Commit, Release } kind;
	uint32_t frame;
};

template <class K> void say(int sock, Event event)
{
	MUST(K::write(sock, &event, sizeof(event)) == sizeof(event));
}

template <class K> void hear(int sock, Event expected)
{
	Event event;

	MUST(K::read(sock, &event, sizeof(event)) == sizeof(event));
	MUST(event.kind == expected.kind && event.frame == expected.frame);
}

__attribute__((noinline)) void draw(uint32_t *pixels, uint32_t frame)
{
	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < WIDTH; x++)
			pixels[y * WIDTH + x] = 0xff000000 | ((x ^ y) + frame * 0x010203);
}

__attribute__((noinline)) uint64_t sum_up(const uint32_t *pixels)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < PIXELS; i++)
		sum += pixels[i];
	return sum;
}

/* @return seconds from the making of the pool to the last release; *sum: what the compositor saw */
template <class K> double client(int sock, uint64_t *sum)
{
	hear<K>(sock, { Event::Ready, 0 });
	double started = wall_seconds();
	int fd = K::memfd_create("pool", MFD_CLOEXEC);
	MUST(fd >= 0);
	MUST(K::ftruncate(fd, POOL) == 0);
	char *pool = map_file<K>(fd, POOL);
	send_fd<K>(sock, fd, 'p');
	for (uint32_t i = 0; i < frames_drawn; i++) {
		if (i >= BUFFERS)
			hear<K>(sock, { Event::Release, static_cast<uint32_t>(i - BUFFERS) });
		draw(reinterpret_cast<uint32_t *>(pool) + i % BUFFERS * PIXELS, i);
		say<K>(sock, { Event::Commit, i });
	}
	for (uint32_t i = frames_drawn - BUFFERS; i < frames_drawn; i++)
		hear<K>(sock, { Event::Release, i });
	double took = wall_seconds() - started;
	MUST(K::read(sock, sum, sizeof(*sum)) == sizeof(*sum));
	MUST(K::munmap(pool, POOL) == 0);
	MUST(K::close(fd) == 0);
	return took;
}

template <class K> void compositor(int sock)
{
	uint64_t sum = 0;

	say<K>(sock, { Event::Ready, 0 });
	int fd = receive_fd<K>(sock, 'p');
	char *pool = K::mmap(POOL, PROT_READ, MAP_SHARED, fd);
	MUST(K::mapped(pool));
	for (uint32_t i = 0; i < frames_drawn; i++) {
		hear<K>(sock, { Event::Commit, i });
		sum = sum * 31 + sum_up(reinterpret_cast<const uint32_t *>(pool) + i % BUFFERS * PIXELS);
		say<K>(sock, { Event::Release, i });
	}
	MUST(K::write(sock, &sum, sizeof(sum)) == sizeof(sum));
}

template <class K> double run_frames(uint64_t *sum);

template <> double run_frames<Host>(uint64_t *sum)
{
	int ends[2], status;

	MUST(Host::socketpair(ends) == 0);
	pid_t child = fork();
	MUST(child >= 0);
	if (child == 0) {
		compositor<Host>(ends[1]);
		_exit(0);
	}
	Host::close(ends[1]);
	double took = client<Host>(ends[0], sum);
	Host::close(ends[0]);
	MUST(waitpid(child, &status, 0) == child && status == 0);
	return took;
}

template <> double run_frames<Native>(uint64_t *sum)
{
	struct ksim_process *drawing = process_of(machine, "client"), *reading = process_of(machine, "compositor");
	struct ksim_end end;
	int ends[2];
	double took;

	MUST(ksim_socketpair_between(drawing, reading, SOCK_STREAM | SOCK_CLOEXEC, ends) == 0);
	{
		Acting acting(drawing);

		MUST(ksim_start(
			     reading,
			     [](void *sock) {
				     compositor<Native>(*static_cast<int *>(sock));
				     return 0;
			     },
			     &ends[1]) == 0);
		took = client<Native>(ends[0], sum);
	}
	MUST(ksim_join(reading, &end) == 0 && end.code == 0 && end.signo == 0);
	MUST(ksim_process_end(drawing, 0) == 0 && ksim_join(drawing, nullptr) == 0);
	return took;
}

uint64_t sum_of_frames; /* what any compositor must have seen */

template <class K> void draw_frames(benchmark::State &state)
{
	for (auto _ : state) {
		uint64_t sum;

		state.SetIterationTime(run_frames<K>(&sum));
		same("frames", sum_of_frames, sum);
	}
	per_item(state, frames_drawn);
}

/* ---- faults ---- */

size_t fault_pages = 512;

/* A page is told from others by its second word; the first one is what is stored. */
std::vector<uint64_t> file_content()
{
	std::vector<uint64_t> content(fault_pages * PAGE / sizeof(uint64_t));

	for (size_t i = 0; i < fault_pages; i++)
		content[i * PAGE / sizeof(uint64_t) + 1] = i * 3;
	return content;
}

uint64_t sum_pages(const char *at)
{
	const volatile uint64_t *words = reinterpret_cast<const uint64_t *>(at);
	uint64_t sum = 0;

	for (size_t i = 0; i < fault_pages; i++) {
		sum = sum * 31 + words[i * PAGE / sizeof(uint64_t)];
		sum = sum * 31 + words[i * PAGE / sizeof(uint64_t) + 1];
	}
	return sum;
}

/* A file whose pages are there, and a mapping of it from before they came, so that none is mapped in. */
template <class K, int flags> class File
{
	As<K> as_;
	int fd_;

      public:
	char *at;

	File() : fd_(K::memfd_create("fault", MFD_CLOEXEC))
	{
		static const std::vector<uint64_t> content = file_content();

		MUST(fd_ >= 0);
		if (flags == MAP_SHARED)
			map();
		MUST(K::write(fd_, content.data(), fault_pages * PAGE) == static_cast<ssize_t>(fault_pages * PAGE));
		if (flags == MAP_PRIVATE) {
			map();
			load_pages<K>(at, fault_pages);
		}
	}
	~File()
	{
		MUST(K::munmap(at, fault_pages * PAGE) == 0);
		MUST(K::close(fd_) == 0);
	}
	File(const File &) = delete;
	File &operator=(const File &) = delete;
	/* What the file has. */
	uint64_t sum_of_origin() const
	{
		char *other = map_file<K>(fd_, fault_pages * PAGE);
		uint64_t sum = sum_pages(other);

		MUST(K::munmap(other, fault_pages * PAGE) == 0);
		return sum;
	}

      private:
	void map()
	{
		at = K::mmap(fault_pages * PAGE, PROT_READ | PROT_WRITE, flags, fd_);
		MUST(K::mapped(at));
	}
};

template <class K> class Fresh
{
	As<K> as_;

      public:
	char *at;

	Fresh() : at(K::mmap(fault_pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1))
	{
		MUST(K::mapped(at));
	}
	~Fresh()
	{
		MUST(K::munmap(at, fault_pages * PAGE) == 0);
	}
	Fresh(const Fresh &) = delete;
	Fresh &operator=(const Fresh &) = delete;
	uint64_t sum_of_origin() const
	{
		return 0;
	}
};

/* Private memory of a process that has just been forked; the other one keeps what was there. */
template <bool child_stores> class Forked
{
	struct ksim_process *parent_, *child_;
	ksim_addr addr_ = KSIM_MAP_FAILED;
	std::optional<Acting> acting_;

      public:
	char *at;

	Forked() : parent_(process_of(machine, "parent"))
	{
		ksim_as(parent_) {
			addr_ = Ksim::mmap(fault_pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
			MUST(Ksim::mapped(addr_));
			for (size_t i = 0; i < fault_pages; i++) {
				char *page = static_cast<char *>(ksim_ptr(addr_ + i * PAGE));

				Native::store(page, 0);
				Native::store(page + sizeof(uint64_t), i * 3);
			}
		}
		child_ = ksim_process_fork(parent_, nullptr);
		MUST(child_ != nullptr);
		acting_.emplace(child_stores ? child_ : parent_);
		at = static_cast<char *>(ksim_ptr(addr_));
		load_pages<Native>(at, fault_pages);
	}
	~Forked()
	{
		acting_.reset();
		for (struct ksim_process *p : { child_, parent_ })
			MUST(ksim_process_end(p, 0) == 0 && ksim_join(p, nullptr) == 0);
	}
	Forked(const Forked &) = delete;
	Forked &operator=(const Forked &) = delete;
	uint64_t sum_of_origin() const
	{
		uint64_t sum = 0;

		ksim_as(child_stores ? parent_ : child_)
			sum = sum_pages(static_cast<char *>(ksim_ptr(addr_)));
		return sum;
	}
};

enum class Fill { Not, Zeros, Copy };

struct {
	int fd;
	char *ram;    /* of the file: fault_pages of content, and as many frames to be had */
	char *window; /* fault_pages */
	size_t next;  /* frame to be had */
	Fill fill;
} hand;

void by_hand(int, siginfo_t *info, void *)
{
	size_t page = static_cast<size_t>(static_cast<char *>(info->si_addr) - hand.window) / PAGE;
	size_t frame = hand.fill == Fill::Not ? page : hand.next++;

	MUST(page < fault_pages);
	if (hand.fill == Fill::Copy)
		memcpy(hand.ram + frame * PAGE, hand.ram + page * PAGE, PAGE);
	else if (hand.fill == Fill::Zeros)
		memset(hand.ram + frame * PAGE, 0, PAGE);
	MUST(mmap(hand.window + page * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
	          hand.fd, static_cast<off_t>(frame * PAGE)) != MAP_FAILED);
}

void prepare_hand()
{
	std::vector<uint64_t> content = file_content();

	hand.fd = Host::memfd_create("ram", MFD_CLOEXEC);
	MUST(hand.fd >= 0);
	MUST(Host::ftruncate(hand.fd, static_cast<off_t>(2 * fault_pages * PAGE)) == 0);
	hand.ram = map_file<Host>(hand.fd, 2 * fault_pages * PAGE);
	touch_pages<Host>(hand.ram, 2 * fault_pages, 0);
	memcpy(hand.ram, content.data(), fault_pages * PAGE);
	hand.window = Host::mmap(fault_pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	MUST(Host::mapped(hand.window));
}

template <Fill fill> class ByHand
{
	struct sigaction before_;

      public:
	char *at;

	ByHand() : at(hand.window)
	{
		struct sigaction action = {};

		hand.next = fault_pages;
		hand.fill = fill;
		if (fill == Fill::Copy)
			MUST(mmap(at, fault_pages * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, hand.fd,
			          0) == at);
		action.sa_sigaction = by_hand;
		action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
		MUST(sigaction(SIGSEGV, &action, &before_) == 0);
	}
	~ByHand()
	{
		MUST(sigaction(SIGSEGV, &before_, nullptr) == 0);
		MUST(mmap(at, fault_pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
		          -1, 0) == at);
		if (fill == Fill::Not) /* content again, for the next time */
			for (size_t i = 0; i < fault_pages; i++)
				Host::store(hand.ram + i * PAGE, 0);
	}
	ByHand(const ByHand &) = delete;
	ByHand &operator=(const ByHand &) = delete;
	uint64_t sum_of_origin() const
	{
		return fill == Fill::Zeros ? 0 : sum_pages(hand.ram);
	}
};

template <class What> void fault(benchmark::State &state)
{
	for (auto _ : state) {
		What what;
		double started = thread_seconds();

		benchmark::DoNotOptimize(touch_pages<Host>(what.at, fault_pages, 1));
		state.SetIterationTime(thread_seconds() - started);
	}
	per_item(state, static_cast<int64_t>(fault_pages));
}

template <class What> uint64_t witness_of_fault()
{
	What what;

	touch_pages<Host>(what.at, fault_pages, 1);
	return sum_pages(what.at) * 31 + what.sum_of_origin();
}

template <class What> void add_fault(const std::string &name)
{
	add(("fault/" + name).c_str(), fault<What>)->UseManualTime();
}

} // namespace

void bench::check()
{
	if (smoke) {
		lines = 1 << 14;
		touched_pages = 64;
		frames_drawn = 4;
		fault_pages = 16;
	}
	machine = boot_native(UINT64_C(128) << 20);
	process = process_of(machine, "bench");
	make_cycle();
	prepare_hand();
	same("loads and stores", witness_of_memory<Host>(), witness_of_memory<Native>());
	same("mapping", witness_of_mapping<Host>(), witness_of_mapping<Native>());

	uint64_t copied = witness_of_fault<File<Host, MAP_PRIVATE>>();
	same("copies, by hand", copied, witness_of_fault<ByHand<Fill::Copy>>());
	same("copies of a file", copied, witness_of_fault<File<Native, MAP_PRIVATE>>());
	same("copies after fork, the parent's", copied, witness_of_fault<Forked<false>>());
	same("copies after fork, the child's", copied, witness_of_fault<Forked<true>>());
	uint64_t found = witness_of_fault<File<Host, MAP_SHARED>>();
	same("pages found, by hand", found, witness_of_fault<ByHand<Fill::Not>>());
	same("pages found", found, witness_of_fault<File<Native, MAP_SHARED>>());
	uint64_t fresh = witness_of_fault<Fresh<Host>>();
	same("fresh pages, by hand", fresh, witness_of_fault<ByHand<Fill::Zeros>>());
	same("fresh pages", fresh, witness_of_fault<Fresh<Native>>());

	run_frames<Host>(&sum_of_frames);
}

void bench::declare()
{
	for (const Memory_row &row : memory_rows)
		add(row.name, [&row](benchmark::State &s) { walk_memory(s, &row); })->UseManualTime();
	add("map_touch/load/host", map_touch<Host, false>);
	add("map_touch/load/ksim", map_touch<Native, false>);
	add("map_touch/store/host", map_touch<Host, true>);
	add("map_touch/store/ksim", map_touch<Native, true>);
	/* A run is long enough to be a repetition. */
	add("frames/host", draw_frames<Host>)->UseManualTime()->Iterations(1);
	add("frames/ksim", draw_frames<Native>)->UseManualTime()->Iterations(1);
	add_fault<File<Host, MAP_PRIVATE>>("copy/host");
	add_fault<ByHand<Fill::Copy>>("copy/by_hand");
	add_fault<File<Native, MAP_PRIVATE>>("copy/ksim");
	add_fault<Forked<false>>("copy/ksim_parent");
	add_fault<Forked<true>>("copy/ksim_child");
	add_fault<File<Host, MAP_SHARED>>("found/host");
	add_fault<ByHand<Fill::Not>>("found/by_hand");
	add_fault<File<Native, MAP_SHARED>>("found/ksim");
	add_fault<Fresh<Host>>("fresh/host");
	add_fault<ByHand<Fill::Zeros>>("fresh/by_hand");
	add_fault<Fresh<Native>>("fresh/ksim");
}

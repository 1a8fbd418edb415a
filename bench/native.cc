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
#include "faults.h"

#include <optional>
#include <sys/wait.h>

namespace
{

using namespace bench;

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

/* A random walk is one of so many parts, to be short against what disturbs. */
constexpr size_t PART = 32;

/*
 * Each returns what it saw or left; none is inlined, so that both pointers run through the same instructions. A walk
 * that does not go everywhere goes on where the last one stopped.
 */
using Walk = uint64_t(uint64_t *words, uint64_t *place);

__attribute__((noinline)) uint64_t load_in_order(uint64_t *words, uint64_t *)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < lines * LINE; i++)
		sum += words[i];
	return sum;
}

__attribute__((noinline)) uint64_t store_in_order(uint64_t *words, uint64_t *)
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

__attribute__((noinline)) uint64_t load_random(uint64_t *words, uint64_t *place)
{
	uint64_t state = *place, sum = 0;

	for (size_t i = 0; i < lines / PART * 4; i++)
		sum += words[random_word(&state)];
	*place = state;
	return sum;
}

__attribute__((noinline)) uint64_t store_random(uint64_t *words, uint64_t *place)
{
	uint64_t state = *place;

	for (size_t i = 0; i < lines / PART * 4; i++)
		words[random_word(&state)] = i;
	*place = state;
	benchmark::ClobberMemory();
	return words[lines];
}

/* Each load says where the next one goes. */
__attribute__((noinline)) uint64_t load_chained(uint64_t *words, uint64_t *place)
{
	uint64_t line = *place % lines;

	for (size_t i = 0; i < lines / PART; i++)
		line = words[line * LINE];
	return *place = line;
}

const struct Memory_row {
	const char *name;
	Walk *walk;
	size_t accesses_per_line, one_in; /* how many accesses it makes */
} memory_rows[] = {
	{ "load_in_order", load_in_order, LINE, 1 }, { "store_in_order", store_in_order, LINE, 1 },
	{ "load_random", load_random, 4, PART },     { "store_random", store_random, 4, PART },
	{ "load_chained", load_chained, 1, PART },
};

double seconds_of_walk(Walk *walk, uint64_t *words, uint64_t *place)
{
	double started = thread_seconds();

	benchmark::DoNotOptimize(walk(words, place));
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
	uint64_t place = 0, other_place = 0;

	for (auto _ : state) {
		others.push_back(seconds_of_walk(row->walk, other.words, &other_place));
		twins.push_back(seconds_of_walk(row->walk, twin.words, &place));
		others.push_back(seconds_of_walk(row->walk, other.words, &other_place));
		windows.push_back(seconds_of_walk(row->walk, window.words, &place));
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
	uint64_t sum = 0, place = 0;

	for (Walk *walk : { load_chained, load_chained, load_random, load_in_order, store_random, load_in_order,
	                    store_in_order, load_in_order })
		sum = sum * 31 + walk(memory.words, &place);
	return sum;
}

/* ---- mapping, touching, unmapping ---- */

size_t touched_pages = 4096;

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

struct Frames {
	uint64_t sum;   /* of all that the compositor saw */
	double cpu;     /* seconds of both */
	double seconds; /* by the clock, from the making of the pool to the last release */
};

template <class K> Frames client(int sock)
{
	Frames frames;

	hear<K>(sock, { Event::Ready, 0 });
	double started = wall_seconds(), cpu_before = thread_seconds();
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
	double seconds = wall_seconds() - started, cpu = thread_seconds() - cpu_before;
	MUST(K::read(sock, &frames, sizeof(frames)) == sizeof(frames));
	frames.cpu += cpu;
	frames.seconds = seconds;
	MUST(K::munmap(pool, POOL) == 0);
	MUST(K::close(fd) == 0);
	return frames;
}

template <class K> void compositor(int sock)
{
	Frames frames = {};

	say<K>(sock, { Event::Ready, 0 });
	double cpu_before = thread_seconds();
	int fd = receive_fd<K>(sock, 'p');
	char *pool = K::mmap(POOL, PROT_READ, MAP_SHARED, fd);
	MUST(K::mapped(pool));
	for (uint32_t i = 0; i < frames_drawn; i++) {
		hear<K>(sock, { Event::Commit, i });
		frames.sum = frames.sum * 31 + sum_up(reinterpret_cast<const uint32_t *>(pool) + i % BUFFERS * PIXELS);
		say<K>(sock, { Event::Release, i });
	}
	frames.cpu = thread_seconds() - cpu_before;
	MUST(K::write(sock, &frames, sizeof(frames)) == sizeof(frames));
}

template <class K> Frames run_frames();

template <> Frames run_frames<Host>()
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
	Frames frames = client<Host>(ends[0]);
	Host::close(ends[0]);
	MUST(waitpid(child, &status, 0) == child && status == 0);
	return frames;
}

template <> Frames run_frames<Native>()
{
	struct ksim_machine *m = boot_native(UINT64_C(32) << 20);
	struct ksim_process *drawing = process_of(m, "client"), *reading = process_of(m, "compositor");
	struct ksim_end end;
	Frames frames;
	int ends[2];

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
		frames = client<Native>(ends[0]);
	}
	MUST(ksim_join(reading, &end) == 0 && end.code == 0 && end.signo == 0);
	MUST(ksim_halt(m) == 0);
	return frames;
}

uint64_t sum_of_frames; /* what any compositor must have seen */

template <class K> void draw_frames(benchmark::State &state)
{
	double cpu = 0;

	for (auto _ : state) {
		Frames frames = run_frames<K>();

		state.SetIterationTime(frames.seconds);
		cpu += frames.cpu;
		same("frames", sum_of_frames, frames.sum);
	}
	state.counters["cpu_ns"] = cpu / static_cast<double>(state.iterations() * frames_drawn) * 1e9;
	per_item(state, frames_drawn);
}

/* ---- faults ---- */

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

	sum_of_frames = run_frames<Host>().sum;
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

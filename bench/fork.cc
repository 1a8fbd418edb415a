// SPDX-License-Identifier: MIT
/*
 * fork beside the host's, in a program of its own: a process of the host's has all the memory of its program, so this
 * one has little beside what is measured.
 *
 * What is timed is the part that is named: the copies without the fork.
 */
#include "cycles.h"

#include <cstdio>

namespace
{

using namespace bench;

constexpr size_t WARM_PAGES = 256;
constexpr size_t DIRTY_PAGES = 1024; /* 4 MiB */

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

template <class K> typename K::addr map_private(size_t pages)
{
	typename K::addr at = K::mmap(pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	MUST(K::mapped(at));
	return at;
}

/* What a child is to do, in memory that it shares with its parent, be it a process of the host's. */
template <class K> struct Order {
	typename K::addr at;
	size_t pages;
	double seconds; /* out: what the stores took */
};

template <class K> int copy_pages(void *arg)
{
	auto *order = static_cast<Order<K> *>(arg);
	double started = thread_seconds();

	touch_pages<K>(order->at, order->pages, 2);
	order->seconds = thread_seconds() - started;
	return 0;
}

template <class K> Order<K> *new_order(size_t pages)
{
	void *p = ::mmap(nullptr, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(p != MAP_FAILED);
	auto *order = static_cast<Order<K> *>(p);

	order->pages = pages;
	order->at = map_private<K>(pages);
	touch_pages<K>(order->at, pages, 1);
	return order;
}

template <class K> void delete_order(Order<K> *order)
{
	MUST(K::munmap(order->at, order->pages * PAGE) == 0);
	MUST(::munmap(order, PAGE) == 0);
}

template <class K> void in_child(int (*fn)(void *), void *arg)
{
	pid_t pid = K::fork(fn, arg);
	int status = -1;

	MUST(pid > 0);
	MUST(K::wait(pid, &status) == pid && status == 0);
}

/* Each store of the child copies a page that its parent holds too. */
template <class K> void copy_on_write(benchmark::State &state)
{
	As<K> as(ordinary);
	Order<K> *order = new_order<K>(WARM_PAGES);

	for (auto _ : state) {
		in_child<K>(copy_pages<K>, order);
		state.SetIterationTime(order->seconds);
	}
	per_item(state, WARM_PAGES);
	delete_order(order);
}

int do_nothing(void *)
{
	return 0;
}

template <class K> void fork_exit_wait(benchmark::State &state)
{
	As<K> as(ordinary);
	Order<K> *order = new_order<K>(DIRTY_PAGES);

	for (auto _ : state) {
		double started = wall_seconds();
		in_child<K>(do_nothing, nullptr);
		state.SetIterationTime(wall_seconds() - started);
		/* The parent's pages are write-protected now; the next round shall find them dirty. */
		touch_pages<K>(order->at, order->pages, 1);
	}
	per_item(state, 1);
	delete_order(order);
}

template <class K> uint64_t witness()
{
	As<K> as(ordinary);
	uint64_t sum = 0;

	for (uint64_t round = 1; round < 3; round++) {
		Order<K> *order = new_order<K>(WARM_PAGES);

		in_child<K>(copy_pages<K>, order);
		for (size_t i = 0; i < WARM_PAGES; i++)
			sum = sum * 31 + K::load(order->at + i * PAGE);
		delete_order(order);
	}
	return sum;
}

} // namespace

void bench::check()
{
	struct ksim_config config = {};

	config.commit = KSIM_COMMIT_ON_TOUCH;
	ordinary = ksim_process_create(boot(config), "bench");
	MUST(ordinary != nullptr);
	same("fork", witness<Host>(), witness<Ksim>());
}

void bench::declare()
{
	add("copy_on_write/host", copy_on_write<Host>)->UseManualTime();
	add("copy_on_write/ksim", copy_on_write<Ksim>)->UseManualTime();
	add("fork_exit_wait/host", fork_exit_wait<Host>)->UseManualTime();
	add("fork_exit_wait/ksim", fork_exit_wait<Ksim>)->UseManualTime();
}

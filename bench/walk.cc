// SPDX-License-Identifier: MIT
/*
 * The page walk, without TLB, beside walks written by hand and beside what else maps a page number to a value.
 *
 * Sets: 2^18 and 2^22 pages side by side, and 1024 runs of 64 pages over 47 bits. Each container is filled once, with
 * the same keys in the same random order. Looked up in ascending and in random order; independently, so that the CPU
 * overlaps lookups, and dependently, each key waiting for the value found before it, as a pointer chase does.
 */
#include "bench.h"
#include "walk_tables.h"

#include <absl/container/flat_hash_map.h>
#include <map>
#include <memory>
#include <unordered_map>

#include <Judy.h>
#include <malloc.h>
#include <uthash.h>

namespace
{

using namespace bench;

using Order = std::vector<uint64_t>;

/* Lookups of one iteration. Sets have a multiple of it, or fewer pages. */
constexpr size_t STRETCH = 1 << 14;

size_t stretch_of(const Order &order)
{
	return std::min(STRETCH, order.size());
}

/* Something that finds. */
class Finder
{
      public:
	virtual ~Finder() = default;
	virtual uint64_t run(const uint64_t *order, size_t n, bool dependent) const = 0;
	uint64_t bytes = 0;
};

/* One of the walks of a page table; all of one architecture walk the same one, in the same host memory. */
class PageTable : public Finder
{
      public:
	using Run = decltype(&page_table_walk);

	PageTable(const struct page_table *t, Run run) : t_(t), run_(run)
	{
		bytes = page_table_bytes(t);
	}
	uint64_t run(const uint64_t *order, size_t n, bool dependent) const override
	{
		return run_(t_, order, n, dependent);
	}

      private:
	const struct page_table *t_;
	Run run_;
};

class PointerTable : public Finder
{
      public:
	explicit PointerTable(const Order &keys) : t_(pointer_table_create(keys.data(), keys.size()))
	{
	}
	uint64_t run(const uint64_t *order, size_t n, bool dependent) const override
	{
		return pointer_table_run(t_, order, n, dependent);
	}

      private:
	struct pointer_table *t_;
};

template <class Map> class StdMap : public Finder
{
      public:
	explicit StdMap(const Order &keys)
	{
		for (size_t i = 0; i < keys.size(); i++)
			map_[keys[i]] = i + 1;
	}
	uint64_t run(const uint64_t *order, size_t n, bool dependent) const override
	{
		LOOKUP_LOOP(find(key_));
	}

      private:
	uint64_t find(uint64_t key) const
	{
		auto at = map_.find(key);

		return at != map_.end() ? at->second : 0;
	}
	Map map_;
};

class JudyL : public Finder
{
      public:
	explicit JudyL(const Order &keys)
	{
		for (size_t i = 0; i < keys.size(); i++) {
			auto *value = reinterpret_cast<Word_t *>(JudyLIns(&array_, keys[i], nullptr));
			MUST(value != nullptr);
			*value = i + 1;
		}
	}
	uint64_t run(const uint64_t *order, size_t n, bool dependent) const override
	{
		LOOKUP_LOOP(find(key_));
	}

      private:
	uint64_t find(uint64_t key) const
	{
		auto *value = reinterpret_cast<const Word_t *>(JudyLGet(array_, key, nullptr));

		return value != nullptr ? *value : 0;
	}
	void *array_ = nullptr;
};

class UtHash : public Finder
{
      public:
	explicit UtHash(const Order &keys)
	{
		for (size_t i = 0; i < keys.size(); i++) {
			auto *item = static_cast<Item *>(malloc(sizeof(Item)));
			MUST(item != nullptr);
			item->key = keys[i];
			item->value = i + 1;
			HASH_ADD(hh, head_, key, sizeof(item->key), item);
		}
	}
	uint64_t run(const uint64_t *order, size_t n, bool dependent) const override
	{
		LOOKUP_LOOP(find(key_));
	}

      private:
	struct Item {
		uint64_t key, value;
		UT_hash_handle hh;
	};
	uint64_t find(uint64_t key) const
	{
		Item *item;

		HASH_FIND(hh, head_, &key, sizeof(key), item);
		return item != nullptr ? item->value : 0;
	}
	Item *head_ = nullptr;
};

/* ---- the sets ---- */

struct Pattern {
	const char *name;
	Order order;
	bool dependent;
};

struct Set {
	const char *name;
	Order keys; /* in the order in which they are filled in */
	std::vector<std::pair<std::string, std::unique_ptr<Finder>>> finders;
	std::vector<Pattern> patterns;
};

std::vector<std::unique_ptr<Set>> sets;

void shuffle(Order &keys, Random &random)
{
	for (size_t i = keys.size(); i > 1; i--)
		std::swap(keys[i - 1], keys[random.below(i)]);
}

Order dense(uint64_t n)
{
	Order keys;

	for (uint64_t i = 0; i < n; i++)
		keys.push_back((UINT64_C(0x7f0000000000) >> 12) + i);
	return keys;
}

Order sparse(size_t runs, Random &random)
{
	constexpr size_t RUN = 64;
	std::map<uint64_t, bool> starts;

	while (starts.size() < runs) {
		uint64_t start = random.below((UINT64_C(1) << 35) - RUN);
		auto next = starts.lower_bound(start);

		if ((next == starts.end() || next->first >= start + RUN) &&
		    (next == starts.begin() || std::prev(next)->first + RUN <= start))
			starts[start] = true;
	}
	Order keys;
	for (const auto &start : starts)
		for (size_t i = 0; i < RUN; i++)
			keys.push_back(start.first + i);
	return keys;
}

/* Where each key depends on the value before, that is folded in beforehand; each stretch begins anew. */
Order linked(const Order &order, const std::unordered_map<uint64_t, uint64_t> &values)
{
	Order out;
	uint64_t last = 0;

	for (size_t i = 0; i < order.size(); i++) {
		if (i % stretch_of(order) == 0)
			last = 0;
		out.push_back(order[i] ^ last);
		last = values.at(order[i]);
	}
	return out;
}

void make_patterns(Set *set, const Order &ascending, Random &random)
{
	std::unordered_map<uint64_t, uint64_t> values;
	Order scattered = ascending;

	for (size_t i = 0; i < set->keys.size(); i++)
		values[set->keys[i]] = i + 1;
	shuffle(scattered, random);
	set->patterns.push_back({ "seq_indep", ascending, false });
	set->patterns.push_back({ "seq_dep", linked(ascending, values), true });
	set->patterns.push_back({ "random_indep", scattered, false });
	set->patterns.push_back({ "random_dep", linked(scattered, values), true });
}

/* Make one, and note what malloc gave for it, unless it knows better. */
template <class Make> void add_finder(Set *set, const std::string &name, Make make)
{
	struct mallinfo2 before = mallinfo2();
	std::unique_ptr<Finder> finder = make();
	struct mallinfo2 after = mallinfo2();

	if (finder->bytes == 0)
		finder->bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
	set->finders.emplace_back(name, std::move(finder));
}

template <class F, class... Args> void add_kind(Set *set, const char *name, Args... args)
{
	add_finder(set, name, [&] { return std::make_unique<F>(set->keys, args...); });
}

uint64_t run_all(const Finder &finder, const Pattern &p)
{
	size_t stretch = stretch_of(p.order);
	uint64_t sum = 0;

	for (size_t at = 0; at < p.order.size(); at += stretch)
		sum += finder.run(&p.order[at], stretch, p.dependent);
	return sum;
}

uint64_t sum_of_values(uint64_t n)
{
	return n * (n + 1) / 2;
}

void make_set(const char *name, const Order &ascending)
{
	auto set = std::make_unique<Set>();
	Random random(42);

	set->name = name;
	set->keys = ascending;
	shuffle(set->keys, random);
	make_patterns(set.get(), ascending, random);
	for (bool aarch64 : { false, true }) {
		struct page_table *t = page_table_create(set->keys.data(), set->keys.size(), aarch64);
		std::string arch = aarch64 ? "_aarch64" : "";

		add_finder(set.get(), "pt_walk" + arch,
		           [&] { return std::make_unique<PageTable>(t, page_table_walk); });
		add_finder(set.get(), "pt_find" + arch,
		           [&] { return std::make_unique<PageTable>(t, page_table_find); });
		add_finder(set.get(), "bare" + arch, [&] { return std::make_unique<PageTable>(t, page_table_bare); });
	}
	add_kind<PointerTable>(set.get(), "pointers");
	add_kind<JudyL>(set.get(), "judyl");
	add_kind<StdMap<absl::flat_hash_map<uint64_t, uint64_t>>>(set.get(), "absl_flat_hash_map");
	add_kind<UtHash>(set.get(), "uthash");
	add_kind<StdMap<std::unordered_map<uint64_t, uint64_t>>>(set.get(), "std_unordered_map");
	add_kind<StdMap<std::map<uint64_t, uint64_t>>>(set.get(), "std_map");
	for (const Pattern &p : set->patterns)
		for (const auto &finder : set->finders)
			same(finder.first.c_str(), run_all(*finder.second, p), sum_of_values(p.order.size()));
	sets.push_back(std::move(set));
}

/* A stretch of the order each time, where the last one ended. */
void look_up(benchmark::State &state, const Set *set, const Pattern *pattern, const Finder *finder)
{
	const Order &order = pattern->order;
	size_t stretch = stretch_of(order);
	size_t at = 0;

	for (auto _ : state) {
		benchmark::DoNotOptimize(finder->run(&order[at], stretch, pattern->dependent));
		at = at + 2 * stretch <= order.size() ? at + stretch : 0;
	}
	per_item(state, static_cast<int64_t>(stretch));
	state.counters["bytes_per_page"] = static_cast<double>(finder->bytes) / static_cast<double>(set->keys.size());
}

} // namespace

void bench::check()
{
	Random random(7);

	make_set("dense18", dense(UINT64_C(1) << (smoke ? 12 : 18)));
	make_set("dense22", dense(UINT64_C(1) << (smoke ? 13 : 22)));
	make_set("sparse", sparse(smoke ? 16 : 1024, random));
}

void bench::declare()
{
	for (const auto &set : sets)
		for (const Pattern &p : set->patterns)
			for (const auto &finder : set->finders) {
				const Set *s = set.get();
				const Pattern *pattern = &p;
				const Finder *f = finder.second.get();
				std::string name = std::string(s->name) + "/" + p.name + "/" + finder.first;

				add(name.c_str(), [=](benchmark::State &state) { look_up(state, s, pattern, f); });
			}
}

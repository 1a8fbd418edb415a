/* SPDX-License-Identifier: MIT */
/*
 * Memory whose pages fault at the first store, of the host, of ksim, and made by hand.
 *
 * An object has fault_pages of it at `at`, ready to fault; it is made, and undone, outside what is measured.
 * sum_of_origin() sums up what is there afterwards for others: in the file, or in the other process.
 */
#ifndef BENCH_FAULTS_H
#define BENCH_FAULTS_H

#include "windows.h"

#include <csignal>
#include <optional>

namespace bench
{

inline size_t fault_pages = 512;

/* A page is told from others by its second word; the first one is what is stored. */
inline std::vector<uint64_t> file_content()
{
	std::vector<uint64_t> content(fault_pages * PAGE / sizeof(uint64_t));

	for (size_t i = 0; i < fault_pages; i++)
		content[i * PAGE / sizeof(uint64_t) + 1] = i * 3;
	return content;
}

inline uint64_t sum_pages(const char *at)
{
	const volatile uint64_t *words = reinterpret_cast<const uint64_t *>(at);
	uint64_t sum = 0;

	for (size_t i = 0; i < fault_pages; i++) {
		sum = sum * 31 + words[i * PAGE / sizeof(uint64_t)];
		sum = sum * 31 + words[i * PAGE / sizeof(uint64_t) + 1];
	}
	return sum;
}

/* A file whose pages are there; a shared mapping is from before they came and has none, a private one has read all. */
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

inline struct {
	int fd;
	char *ram;    /* of the file: fault_pages of content, and as many frames to be had */
	char *window; /* fault_pages */
	size_t next;  /* frame to be had */
	Fill fill;
} hand;

inline void by_hand(int, siginfo_t *info, void *)
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

inline void prepare_hand()
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

} // namespace bench

#endif

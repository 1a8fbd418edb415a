// SPDX-License-Identifier: MIT
/*
 * The main of every benchmark program.
 */
#include "bench.h"

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace bench
{

bool smoke;

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void same(const char *what, uint64_t a, uint64_t b)
{
	if (a != b)
		fail("%s: the programs compared did different work: %#" PRIx64 " and %#" PRIx64, what, a, b);
}

struct ksim_machine *boot(struct ksim_config config)
{
	config.poison = KSIM_NONE;
	struct ksim_machine *m = ksim_boot(&config);

	MUST(m != nullptr);
	return m;
}

} // namespace bench

int main(int argc, char **argv)
{
	static char once[] = "--benchmark_min_time=0";
	std::vector<char *> args;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--smoke") == 0)
			bench::smoke = true;
		else
			args.push_back(argv[i]);
	}
	if (bench::smoke)
		args.push_back(once);
	args.push_back(nullptr);
	int n = static_cast<int>(args.size()) - 1;

	benchmark::Initialize(&n, args.data());
	if (benchmark::ReportUnrecognizedArguments(n, args.data()))
		return 1;
	bench::check();
	bench::declare();
	return benchmark::RunSpecifiedBenchmarks() == 0;
}

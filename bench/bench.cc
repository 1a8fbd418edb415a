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
std::vector<const char *> options; /* without the dashes */

const char *option(const char *name)
{
	size_t length = strlen(name);

	for (const char *given : options)
		if (strncmp(given, name, length) == 0 && given[length] == '=')
			return given + length + 1;
	return nullptr;
}

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

} // namespace bench

int main(int argc, char **argv)
{
	static char once[] = "--benchmark_min_time=0";
	std::vector<char *> args;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--smoke") == 0)
			bench::smoke = true;
		else if (strncmp(argv[i], "--", 2) == 0 && strncmp(argv[i], "--benchmark", 11) != 0)
			bench::options.push_back(argv[i] + 2);
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

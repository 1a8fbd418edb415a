// SPDX-License-Identifier: MIT
/*
 * The smallest user of ksim, in C++; prints TAP.
 */
#include <ksim/ksim.h>

#include <cstdio>

int main()
{
	ksim_machine *machine = ksim_boot(nullptr);

	std::printf("1..2\n%s 1 - boots\n", machine != nullptr ? "ok" : "not ok");
	if (machine == nullptr)
		return 1;
	if (ksim_halt(machine) != 0) {
		std::puts("not ok 2 - halts with nothing held");
		return 1;
	}
	std::puts("ok 2 - halts with nothing held");
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * The smallest user of ksim, in C; prints TAP. It owns names that ksim uses inside; a library that let them meet would
 * abort here.
 */
#include <ksim/ksim.h>

#include <stdio.h>
#include <stdlib.h>

void frame_alloc(void);
void mm_init(void);

void frame_alloc(void)
{
	abort();
}

void mm_init(void)
{
	abort();
}

int main(void)
{
	struct ksim_machine *machine = ksim_boot(NULL);

	printf("1..2\n%s 1 - boots\n", machine != NULL ? "ok" : "not ok");
	if (machine == NULL)
		return 1;
	if (ksim_halt(machine) != 0) {
		puts("not ok 2 - halts with nothing held");
		return 1;
	}
	puts("ok 2 - halts with nothing held");
	return 0;
}

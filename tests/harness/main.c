// SPDX-License-Identifier: MIT
/* The main() of a program of tests in the plain form. */
#include "harness.h"

int main(int argc, char **argv)
{
	return harness_main(argc, argv);
}

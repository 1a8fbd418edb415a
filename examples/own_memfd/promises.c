// SPDX-License-Identifier: MIT
/* What Linux promises of memfds, asked of our own: all of it, or the tests that the arguments name. */
#include "own_memfd.h"

#include <ksim/abi.h>

int main(int argc, char **argv)
{
	struct ksim_config config = { .memfd_ops = &my_memfd_ops };

	return ksim_abi_main(argc, argv, &config);
}

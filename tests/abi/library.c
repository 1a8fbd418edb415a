// SPDX-License-Identifier: MIT
/* The tests of Linux's promises as one function; contract in <ksim/abi.h>. */
#include "abi.h"

#include <ksim/abi.h>

int ksim_abi_main_sized(int argc, char **argv, const struct ksim_config *config, size_t size)
{
	struct ksim_config given = { 0 };
	const unsigned char *bytes = (const unsigned char *)config;
	struct ksim_machine *tried;

	if (config != NULL)
		memcpy(&given, config, size < sizeof(given) ? size : sizeof(given));
	for (size_t i = sizeof(given); config != NULL && i < size; i++)
		if (bytes[i] != 0) {
			fprintf(stderr, "ksim_abi_main: the config is of a newer ksim\n");
			return 1;
		}
	tried = ksim_boot(&given);
	if (tried == NULL) {
		fprintf(stderr, "ksim_abi_main: there is no machine for this config: %s\n", strerror(errno));
		return 1;
	}
	ksim_halt(tried);
	abi_config = &given;
	return harness_main(argc, argv);
}

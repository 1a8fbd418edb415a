/* SPDX-License-Identifier: MIT */
/*
 * What Linux promises, as tests of a machine: for those who have put parts of their own into it, a memfd object say
 * (<ksim/kernel/object.h>), and want to know what still holds. In a library of its own: libksim-abi, pkg-config
 * ksim-abi.
 *
 *	int main(int argc, char **argv)
 *	{
 *		struct ksim_config config = { .memfd_ops = &my_memfd_ops };
 *
 *		return ksim_abi_main(argc, argv, &config);
 *	}
 *
 * The same tests run against the host's Linux: they are its promises, not ksim's.
 */
#ifndef KSIM_ABI_H
#define KSIM_ABI_H

#include <ksim/machine.h>

KSIM_BEGIN_DECLS

KSIM_EXPORT int ksim_abi_main_sized(int argc, char **argv, const struct ksim_config *config, size_t size);

/**
 * Run the tests, each on a machine of its own that is booted from config, and print TAP to standard output.
 *
 * @param argc, argv  of main: without arguments all tests run; "--list" lists them; else those run whose name is given,
 *                    or matches a pattern ("memfd/", "mmap/?*_EINVAL")
 * @param config      NULL or all-zero = the defaults. What tests reckon with is as they want it, whatever it says: commit
 *                    is KSIM_COMMIT_ON_TOUCH, as Linux has it, and fd_limit, max_map_count, huge_pages and memfd_noexec
 *                    are the defaults. They want the default ram_bytes at least. Answers that changed from one Linux to
 *                    the next are expected as linux_release says. With native access there are windows, and memory is
 *                    touched by ksim_load() and the like all the same. Only read, and must stay valid during the call,
 *                    with what it points to.
 * @return the program's exit status: 0 if every test that ran passed or was skipped; 1 if not, if none matched, or, with a
 * line on standard error, if ksim_boot() has no machine for this config
 * Threads: one at a time, and one that acts as no process. Installs handlers for SIGSEGV, SIGBUS, SIGABRT, SIGILL and
 * SIGFPE that name the test before they hand the signal on, and leaves them.
 */
static inline int ksim_abi_main(int argc, char **argv, const struct ksim_config *config)
{
	return ksim_abi_main_sized(argc, argv, config, config != NULL ? sizeof(*config) : 0);
}

KSIM_END_DECLS

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Which Linux a machine is: booleans computed once at boot from a release and the ranges in profile.def.
 */
#ifndef BASE_PROFILE_H
#define BASE_PROFILE_H

#include <stdbool.h>

/** 6.18, the release that the suite was measured on. */
#define PROFILE_RELEASE_DEFAULT 6018u

struct profile {
	unsigned release; /* major * 1000 + minor */
	bool write_sealed_map_shared_ro;
	bool memfd_noexec;
	bool memfd_flagless_refused;
	bool memfd_huge_sealing;
	bool seal_future_write;
	bool seal_exec_denies_writers;
	bool stat_null_path;
	bool link_by_opener;
	bool rw_noappend;
	bool rw_nosignal;
	bool mremap_keeps;
	bool mremap_keeps_files;
	bool mremap_moves_many;
	bool guards_files;
	bool seal_grow_partial_write;
	bool write_makes_first;
};

/** Fill in every switch for a release; 0 = the default. */
void profile_init(struct profile *profile, unsigned release);

#endif

// SPDX-License-Identifier: MIT
/*
 * From a release to the switches of a machine, by the ranges of profile.def.
 *
 * Locking: none; a profile is constant once its machine runs.
 */
#include "base/profile.h"

#include <string.h>

/* Whether a release lies in [first, without); without 0: no end. */
static bool within(unsigned release, unsigned first, unsigned without)
{
	return release >= first && (without == 0 || release < without);
}

void profile_init(struct profile *profile, unsigned release)
{
	if (release == 0)
		release = PROFILE_RELEASE_DEFAULT;
	memset(profile, 0, sizeof(*profile));
	profile->release = release;
#define PROFILE(name, item, first, without, text) profile->name |= within(release, first, without);
#include "base/profile.def"
#undef PROFILE
}

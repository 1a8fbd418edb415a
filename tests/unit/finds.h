/* SPDX-License-Identifier: MIT */
/*
 * What does a validator say about a structure that the test has broken on purpose?
 *
 *	EXPECT_SOUND(itree_check, &tree);
 *	node->max_last = 7;
 *	EXPECT_FINDS("itree I2: max_last is that of the subtree", itree_check, &tree);
 *
 * Every validator takes its report as last argument and names the broken invariant in each line.
 */
#ifndef UNIT_FINDS_H
#define UNIT_FINDS_H

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "harness.h"

struct finds {
	struct check_report report;
	size_t len;
	char text[4096]; /* the lines that fit */
};

static inline void finds_line(void *arg, const char *text)
{
	struct finds *finds = arg;
	size_t room = sizeof(finds->text) - finds->len;
	int n = snprintf(finds->text + finds->len, room, "%s\n", text);

	finds->len += n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static inline void finds_init(struct finds *finds)
{
	memset(finds, 0, sizeof(*finds));
	finds->report.line = finds_line;
	finds->report.arg = finds;
}

/** invariant NULL: nothing may be broken. */
static inline void finds_expect(const struct finds *finds, const char *invariant)
{
	if (invariant == NULL)
		EXPECT_MSG(finds->report.broken == 0, "of a sound structure it says: %s", finds->text);
	else
		EXPECT_MSG(strstr(finds->text, invariant) != NULL, "\"%s\" is not in what it says: %s", invariant,
		           finds->text);
}

#define EXPECT_FINDS(invariant, check, ...)         \
	do {                                        \
		struct finds finds_;                \
                                                    \
		finds_init(&finds_);                \
		check(__VA_ARGS__, &finds_.report); \
		finds_expect(&finds_, (invariant)); \
	} while (0)

#define EXPECT_SOUND(check, ...) EXPECT_FINDS(NULL, check, __VA_ARGS__)

/** While a field has that value the validator says so; afterwards all is well again. */
#define EXPECT_FINDS_WHILE(field, value, invariant, check, ...) \
	do {                                                    \
		__typeof__(field) finds_was_ = (field);         \
                                                                \
		(field) = (__typeof__(field))(value);           \
		EXPECT_FINDS((invariant), check, __VA_ARGS__);  \
		(field) = finds_was_;                           \
		EXPECT_SOUND(check, __VA_ARGS__);               \
	} while (0)

#endif

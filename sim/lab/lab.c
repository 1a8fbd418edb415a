// SPDX-License-Identifier: MIT
/*
 * The laboratory comes and goes with its machine; marks; and the validators.
 *
 * A validator writes its lines under the locks of what it looks at, and the reader of a report is anybody's code. So
 * the lines are gathered, and handed on when all locks are free.
 *
 * Locking: none of its own.
 */
#include "lab/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lab_attach(struct ksim_machine *m)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	int err;

	if (lab == NULL)
		return -ENOMEM;
	m->lab = lab;
	err = fail_attach(m);
	if (err < 0) {
		free(lab);
		return err;
	}
	err = trace_attach(m);
	if (err < 0) {
		fail_detach(m);
		free(lab);
		return err;
	}
	return 0;
}

int lab_detach(struct ksim_machine *m)
{
	struct lab *lab = m->lab;
	long left = census_settle(lab_env(m));

	trace_detach(m);
	fail_detach(m);
	free(lab);
	m->lab = NULL;
	return (int)MIN(left, (long)INT32_MAX);
}

uint64_t ksim_mark(struct ksim_machine *m)
{
	return __atomic_add_fetch(&lab_env(m)->epoch, 1, __ATOMIC_ACQ_REL);
}

/* ---- validators ---- */

struct lines {
	char *text;
	size_t len, size;
};

static void gather(void *arg, const char *line)
{
	struct lines *lines = arg;
	size_t need = lines->len + strlen(line) + 2;

	if (need > lines->size) {
		char *grown = realloc(lines->text, need * 2);

		if (grown == NULL)
			return;
		lines->text = grown;
		lines->size = need * 2;
	}
	if (lines->len > 0)
		lines->text[lines->len++] = '\n';
	memcpy(lines->text + lines->len, line, strlen(line) + 1);
	lines->len += strlen(line);
}

int ksim_check(struct ksim_machine *m)
{
	struct lines lines = { NULL, 0, 0 };
	struct check_report report = { .line = gather, .arg = &lines };

	kernel_check(m->kernel, &report);
	if (report.broken != 0)
		env_say(lab_env(m), "%s",
		        lines.text != NULL ? lines.text : "broken invariants, and no memory to name them");
	free(lines.text);
	return (int)MIN(report.broken, (unsigned)INT32_MAX);
}

// SPDX-License-Identifier: MIT
/*
 * A program that uses pool.c, and looks at the pool as another process would. Plain Linux:
 *
 *	cc pool_main.c pool.c -o pool
 *	cc -include ksim/posix.h pool_main.c pool.c $(pkg-config --cflags --libs ksim) -o pool-ksim
 */
#define _GNU_SOURCE
#include "pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BYTES = 4 * 4096 };

/* The same pool, by its descriptor alone. */
static int look(int fd, size_t offset)
{
	char *view = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);

	if (view == MAP_FAILED)
		return -1;
	printf("another mapping has \"%.8s\" at its start and \"%s\" at byte %zu\n", view, view + offset, offset);
	return munmap(view, BYTES);
}

int main(void)
{
	struct pool *pool;
	size_t offset;
	char *text;
	int err = pool_create(BYTES, &pool);

	if (err < 0) {
		fprintf(stderr, "pool_create: %s\n", strerrordesc_np(-err));
		return 1;
	}
	offset = pool_used(pool);
	text = pool_alloc(pool, 32);
	if (text == NULL)
		return 1;
	strcpy(text, "hello, ");
	strcat(text, "world");
	printf("wrote \"%s\" with strcpy and strcat; %zu bytes are used\n", text, pool_used(pool));
	if (look(pool_fd(pool), offset) < 0) {
		perror("mmap");
		return 1;
	}
	if (ftruncate(pool_fd(pool), 4096) < 0)
		printf("cutting it short: %s\n", strerrordesc_np(errno));
	printf("too much: %s\n", pool_alloc(pool, BYTES) == NULL ? "refused" : "granted");
	pool_destroy(pool);
	printf("too small: %s\n", strerrordesc_np(-pool_create(1, &pool)));
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * Pictures from and to PNG files, by libpng's simplified interface.
 */
#include "shm.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 32-bit ARGB in the host's byte order is what wl_shm calls ARGB8888 on a little-endian host. */
#define FORMAT PNG_FORMAT_BGRA

/* A side beyond this is no picture for a demonstration, and its size in bytes could overflow. */
#define SIDE_MAX 32767u

int picture_read(const char *path, struct picture *out)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	int err = -1;

	if (!png_image_begin_read_from_file(&image, path)) {
		fprintf(stderr, "cannot read %s: %s\n", path, image.message);
		return -1;
	}
	image.format = FORMAT;
	if (image.width == 0 || image.height == 0 || image.width > SIDE_MAX || image.height > SIDE_MAX) {
		fprintf(stderr, "cannot show %s: %u x %u pixels\n", path, image.width, image.height);
		goto out;
	}
	out->width = (int32_t)image.width;
	out->height = (int32_t)image.height;
	out->pixels = malloc(PNG_IMAGE_SIZE(image));
	if (out->pixels == NULL) {
		fprintf(stderr, "no memory for %s\n", path);
		goto out;
	}
	if (!png_image_finish_read(&image, NULL, out->pixels, 0, NULL)) {
		fprintf(stderr, "cannot decode %s: %s\n", path, image.message);
		picture_free(out);
		goto out;
	}
	err = 0;
out:
	png_image_free(&image);
	return err;
}

int picture_write(const char *path, const struct picture *picture)
{
	png_image image = {
		.version = PNG_IMAGE_VERSION,
		.width = (png_uint_32)picture->width,
		.height = (png_uint_32)picture->height,
		.format = FORMAT,
	};

	if (!png_image_write_to_file(&image, path, 0, picture->pixels, 0, NULL)) {
		fprintf(stderr, "cannot write %s: %s\n", path, image.message);
		return -1;
	}
	return 0;
}

void picture_free(struct picture *picture)
{
	free(picture->pixels);
	picture->pixels = NULL;
}

uint32_t picture_drawn(const struct picture *picture, int client, int frame, int32_t x, int32_t y)
{
	if (client % 2 == 1)
		x = picture->width - 1 - x;
	if (frame % 2 == 1)
		y = picture->height - 1 - y;
	return picture->pixels[(size_t)y * (size_t)picture->width + (size_t)x];
}

// SPDX-License-Identifier: MIT
/*
 * Compares the compositor's picture with the decoded input: every pixel of both frames of both clients.
 *
 *   wayland_shm_check INPUT.png OUTPUT.png
 */
#include "shm.h"

#include <stdio.h>

static uint32_t pixel(const struct picture *p, int32_t x, int32_t y)
{
	return p->pixels[(size_t)y * (size_t)p->width + (size_t)x];
}

static int compare(const struct picture *in, const struct picture *out)
{
	if (out->width != in->width * CLIENTS || out->height != in->height * FRAMES) {
		fprintf(stderr, "%d x %d pixels became %d x %d\n", in->width, in->height, out->width, out->height);
		return 1;
	}
	for (int32_t y = 0; y < out->height; y++) {
		for (int32_t x = 0; x < out->width; x++) {
			uint32_t expected =
				picture_drawn(in, x / in->width, y / in->height, x % in->width, y % in->height);

			if (pixel(out, x, y) == expected)
				continue;
			fprintf(stderr, "pixel (%d, %d) is %#x, was drawn %#x\n", x, y, pixel(out, x, y), expected);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct picture in = { 0 }, out = { 0 };
	int result = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: %s INPUT.png OUTPUT.png\n", argv[0]);
		return 1;
	}
	if (picture_read(argv[1], &in) == 0 && picture_read(argv[2], &out) == 0)
		result = compare(&in, &out);
	picture_free(&in);
	picture_free(&out);
	return result;
}

/* The chunks of a PNG file in memory, for files that are made or changed by tests. */
#ifndef TESTS_PNG_H
#define TESTS_PNG_H

#include <stddef.h>
#include <stdint.h>

/* Four bytes, the highest first. */
void png_put(uint8_t *b, uint32_t x);

/* The checksum of a chunk's type and data. */
uint32_t png_crc(const uint8_t *bytes, size_t n);

/* Makes every chunk's checksum right, so that damage is found by what comes after it. */
void png_sign(uint8_t *png, size_t size);

#endif

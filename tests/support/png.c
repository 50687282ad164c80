#include "tests/support/png.h"

static uint32_t number(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

void png_put(uint8_t *b, uint32_t x)
{
    for (int i = 0; i < 4; i++)
        b[i] = (uint8_t)(x >> (24 - 8 * i));
}

uint32_t png_crc(const uint8_t *bytes, size_t n)
{
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        c ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? (c >> 1) ^ 0xedb88320u : c >> 1;
    }
    return ~c;
}

void png_sign(uint8_t *png, size_t size)
{
    for (size_t at = 8, n; at + 12 <= size && (n = number(png + at)) <= size - at - 12; at += n + 12)
        png_put(png + at + 8 + n, png_crc(png + at + 4, n + 4));
}

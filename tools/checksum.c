#include "tools/checksum_internal.h"

/* Four bits at a time. */
uint32_t tl__crc32(uint32_t crc, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    uint32_t       table[16];
    for (uint32_t i = 0; i < 16; i++) {
        table[i] = i;
        for (int bit = 0; bit < 4; bit++)
            table[i] = table[i] & 1 ? (table[i] >> 1) ^ 0xedb88320u : table[i] >> 1;
    }
    crc = ~crc;
    for (size_t i = 0; at && i < n; i++) {
        crc ^= at[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}

uint32_t tl__adler32(const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    uint32_t       low = 1, high = 0;
    for (size_t done = 0; at && done < n;) {
        const size_t part = n - done < 5552 ? n - done : 5552; /* the most that cannot overflow */
        for (size_t i = 0; i < part; i++) {
            low += at[done + i];
            high += low;
        }
        low %= 65521;
        high %= 65521;
        done += part;
    }
    return high << 16 | low;
}

uint32_t tl__big_endian(const uint8_t *bytes)
{
    return bytes ? (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3] : 0;
}

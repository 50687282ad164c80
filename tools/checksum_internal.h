/* The checksums of PNG and zlib. */
#ifndef TL_CHECKSUM_INTERNAL_H
#define TL_CHECKSUM_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32 (PNG, section 15) of what `crc` is of, 0 of nothing, and n bytes after it. */
uint32_t tl__crc32(uint32_t crc, const void *bytes, size_t n);

/* Adler-32 (RFC 1950) of n bytes. */
uint32_t tl__adler32(const void *bytes, size_t n);

/* The four bytes of a number in big-endian order. */
uint32_t tl__big_endian(const uint8_t *bytes);

#endif

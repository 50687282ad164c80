/* Decompression of zlib streams: Deutsch, Gailly, RFC 1950; Deutsch, RFC 1951. */
#ifndef DS_INFLATE_H
#define DS_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A byte of a stream gives at most this many: a copy of 258 bytes takes at least two bits. */
#define DS_INFLATE_MOST_RATIO 1032

/* Decompresses a whole stream that makes exactly `expected` bytes; nothing is ever written past them. False with the
 * reason for a stream that is damaged, makes fewer or more bytes, or ends before or after the last of `bytes`. `path`
 * is for the message. */
bool ds_inflate(const uint8_t *bytes, size_t size, uint8_t *out, size_t expected, const char *path, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif

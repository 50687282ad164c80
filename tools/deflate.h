/* Compression: zlib streams (Deutsch, Gailly: RFC 1950) of deflate's fixed Huffman codes (Deutsch: RFC 1951). */
#ifndef TL_DEFLATE_H
#define TL_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The zlib stream of n bytes, *size long, to be freed by the caller. NULL when memory runs out. */
uint8_t *tl_zlib(const uint8_t *bytes, size_t n, size_t *size);

#ifdef __cplusplus
}
#endif
#endif

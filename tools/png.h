/* PNG files: 8-bit grey or RGB, not compressed. Boutell et al., RFC 2083; deflate's stored blocks, RFC 1951. */
#ifndef TL_PNG_H
#define TL_PNG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes pixels (height, width, channels), channels 1 or 3, sides 1 to 32768. False for anything else, and when the
 * file takes no more. */
bool tl_png_write(FILE *file, const uint8_t *pixels, int64_t width, int64_t height, int channels);

#ifdef __cplusplus
}
#endif
#endif

/* PNG files: 8-bit grey or RGB. Boutell et al., RFC 2083. */
#ifndef TL_PNG_H
#define TL_PNG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes pixels (height, width, channels), channels 1 or 3, sides 1 to 32768. False for anything else, on write
 * failure, and when memory runs out. */
bool tl_png_write(FILE *file, const uint8_t *pixels, int64_t width, int64_t height, int channels);

/* The same into memory, to be freed by the caller. */
bool tl_png_bytes(const uint8_t *pixels, int64_t width, int64_t height, int channels, uint8_t **bytes, size_t *size);

/* Writes frames (frames, height, width, channels) as an animation that goes on for ever, each frame shown for so many
 * milliseconds, 1 to 65535: https://www.w3.org/TR/png-3, section 11.3.6. What knows no animations shows the first. The
 * comment, in Latin-1, may be NULL. */
bool tl_apng_write(FILE *file, const uint8_t *pixels, int64_t frames, int64_t width, int64_t height, int channels,
                   int milliseconds, const char *comment);

#ifdef __cplusplus
}
#endif
#endif

/* PNG files: 8-bit grey or RGB, not compressed. Boutell et al., RFC 2083; deflate's stored blocks, RFC 1951. */
#ifndef TOOLS_PNG_H
#define TOOLS_PNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes pixels (height, width, channels), channels 1 or 3, to a temporary file beside `path`, then renames it, so that a
 * file that is there is replaced whole or not at all. False, with a message, when the file cannot be written. */
bool png_write(const char *path, const uint8_t *pixels, int64_t width, int64_t height, int channels, char *message,
               size_t size);

#endif

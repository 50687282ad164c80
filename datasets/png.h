/* PNG files: Boutell et al., RFC 2083. All colour types, bit depths and filters, interlaced or not. */
#ifndef DS_PNG_H
#define DS_PNG_H

#include "datasets/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a file. Colour becomes luma, transparent parts show a white ground; gamma and colour profiles are not looked
 * at. False with the reason if the file is damaged (every checksum is compared) or too large. What follows the IEND
 * chunk is ignored. */
bool ds_png_read(const char *path, ds_picture *out, tl_error *why);

/* The same from bytes; `path` is for the message. */
bool ds_png_parse(const uint8_t *bytes, size_t size, const char *path, ds_picture *out, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif

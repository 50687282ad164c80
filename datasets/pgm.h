/* PGM, PPM and PBM files, text and binary: the formats P1 to P6 of Netpbm (its manual pages pbm(5), pgm(5), ppm(5)). */
#ifndef DS_PGM_H
#define DS_PGM_H

#include "datasets/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a file of one picture; the largest sample value may be 1 to 65535. False with the reason if it is damaged, too
 * large, or if anything but blanks follows. */
bool ds_pgm_read(const char *path, ds_picture *out, tl_error *why);

/* The same from bytes; `path` is for the message. */
bool ds_pgm_parse(const uint8_t *bytes, size_t size, const char *path, ds_picture *out, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif

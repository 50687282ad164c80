/* Grey pictures of any size from PNG, PGM, PPM and PBM files, and how one becomes an example like MNIST's. */
#ifndef DS_PICTURE_H
#define DS_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "autograd/real.h"
#include "tools/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DS_PICTURE_MOST_SIDE   16384
#define DS_PICTURE_MOST_PIXELS ((int64_t)64 << 20)

typedef struct ds_picture {
    int64_t  height, width;
    uint8_t *grey; /* (height, width), 0 black to 255 white: the luma of ITU-R BT.601 over a white ground */
} ds_picture;

/* Reads a picture; the file's first bytes, not its name, tell the format. False with the reason if it is none of these
 * formats, damaged, or larger than the limits above. */
bool ds_picture_read(const char *path, ds_picture *out, tl_error *why);

/* The same from bytes; `path` is for the message. */
bool ds_picture_parse(const uint8_t *bytes, size_t size, const char *path, ds_picture *out, tl_error *why);
void ds_picture_free(ds_picture *p);

/* Whether a file begins as a picture of one of these formats does. */
bool ds_picture_known(const uint8_t *bytes, size_t size);

/* Makes a picture of one digit, or of anything drawn on a plain ground, into what a model trained on MNIST expects:
 * light on dark, 0..1, in `out` (height, width). The drawing is scaled to fit a box of 20/28 of the target, keeping its
 * proportions, with anti-aliasing, and is moved by whole pixels until its centre of mass is at the middle (LeCun,
 * Cortes, Burges: "The MNIST database of handwritten digits"). The picture may be dark on light or light on dark. One
 * that already has the target's size and a dark ground is taken as it is, value / 255. False with the reason if the
 * picture is blank, a size is below 1, or memory runs out. */
bool ds_picture_to_digit(const ds_picture *p, int64_t height, int64_t width, ag_real *out, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif

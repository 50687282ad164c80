/* A small font, for captions in pictures: 5 x 7 squares to a character, two rows of squares for descenders, and a
 * column between characters. */
#ifndef TL_FONT_H
#define TL_FONT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TL_FONT_WIDTH = 6, TL_FONT_HEIGHT = 10 }; /* squares, with what is between characters and lines */

/* A picture that text is written into: rows of pixels of 1 (grey) or 3 (red, green, blue) bytes. */
typedef struct tl_canvas {
    uint8_t *pixels;
    int64_t  width, height;
    int      channels;
} tl_canvas;

/* Pixels that a text takes across, `scale` of them to a square of the font. */
int64_t tl_font_width(const char *text, int scale);

/* Writes printable ASCII with its upper left corner at (x, y), in a colour of as many bytes as the canvas has channels;
 * other bytes become "?". What does not fit is cut off. */
void tl_font_write(const tl_canvas *canvas, int64_t x, int64_t y, int scale, const uint8_t *colour, const char *text);

#ifdef __cplusplus
}
#endif
#endif

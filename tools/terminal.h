/* What a terminal can show, and pictures in one. */
#ifndef TL_TERMINAL_H
#define TL_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the environment says that text is UTF-8. */
bool tl_terminal_utf8(void);

/* The width of the window that a file descriptor writes to, asked for each time as it can change; 80 if it is none. */
int tl_terminal_columns(int descriptor);

/* How a terminal can show grey: by colours of 24 bits, by the 24 greys of its 256 colours, or by letters alone. */
typedef enum tl_shades { TL_SHADES_24_BIT, TL_SHADES_256, TL_SHADES_LETTERS } tl_shades;

/* What the environment says of the terminal: NO_COLOR, COLORTERM, TERM, and whether the locale is UTF-8. */
tl_shades tl_terminal_shades(void);

/* Draws the upper left part of grey pixels whose rows are `stride` long: two of its rows in each line of text, by half
 * blocks; by letters, every second row. */
void tl_preview(FILE *f, const uint8_t *pixels, int64_t width, int64_t height, int64_t stride, tl_shades shades);

#ifdef __cplusplus
}
#endif
#endif

/* A page of HTML that needs nothing else: charts, pictures and script are inside, and nothing is fetched. It is written
 * like any other file, atomically, so that a browser that reloads it sees a whole one. It fits narrow and wide windows,
 * light and dark, paper, the keyboard and screen readers; without script it shows the same, but still.
 *
 *     tl_page p;
 *     bool    ok = tl_page_open(&p, "report.html", "My run", 60, &why);
 *     if (ok) {
 *         tl_page_section(&p, "Loss");
 *         tl_page_chart(&p, &chart);
 *         ok = tl_page_close(&p, &why);
 *     }
 */
#ifndef TL_PAGE_H
#define TL_PAGE_H

#include "tools/chart.h"
#include "tools/file.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tl_page {
    tl_output   file;
    int         figures;
    bool        in_section;
    const char *failure; /* why it will not be written; NULL while all is well */
} tl_page;

typedef struct tl_fact {
    const char *name, *value;
} tl_fact;

/* The bytes of a PNG file and what it shows. */
typedef struct tl_png {
    const char *caption;
    uint8_t    *bytes;
    size_t      size;
} tl_png;

/* Begins a page. One with a `patience` above 0 is live: a browser reloads it every few seconds, until it has not
 * changed for so many seconds, as whoever wrote it is gone then. */
bool tl_page_open(tl_page *p, const char *path, const char *title, int patience, tl_error *why);

/* Ends it, and puts it in its place; false with the reason if a part of it was missing, memory ran out on the way, or
 * on write failure. tl_page_abandon leaves what was there before. */
bool tl_page_close(tl_page *p, tl_error *why);
void tl_page_abandon(tl_page *p);

/* ---- What it holds. All text is escaped. ---- */

void tl_page_section(tl_page *p, const char *heading);
void tl_page_text(tl_page *p, const char *text);             /* a paragraph */
void tl_page_verbatim(tl_page *p, const char *text);         /* lines as they are */
void tl_page_facts(tl_page *p, int n, const tl_fact *facts); /* a table of names and values */

/* A chart with a switch between a linear and a logarithmic axis. */
void tl_page_chart(tl_page *p, const tl_chart *chart);

/* A picture, `scale` times as large as its file. */
void tl_page_picture(tl_page *p, const tl_png *picture, int scale);

/* Pictures of one size, one at a time: a slider and a button that plays them. The captions say which is shown. */
void tl_page_frames(tl_page *p, const char *title, int n, const tl_png *frames, int scale);

/* Points whose classes can be switched off. `images`, unless NULL, holds image i of width x height pixels of point i in
 * rows of `columns`: it is shown beside the pointer. */
void tl_page_points(tl_page *p, const tl_points *points, const tl_png *images, int width, int height, int columns);

/* A small network that the page computes itself: its inputs are sliders, its output an image. */
typedef struct tl_layer {
    const char  *op;            /* "linear", "relu", "tanh", "sigmoid", "softplus" */
    int64_t      in, out;       /* of linear */
    const float *weight, *bias; /* (out, in) and (out); bias NULL for none */
} tl_layer;

typedef struct tl_network {
    int             n_layers, inputs, width, height;
    const tl_layer *layers;
    const float    *least, *most, *start; /* range of each input, and where its slider begins */
    double          black, white;         /* what the output's darkest and brightest pixel are */
} tl_network;

/* Weights are kept as halves (IEEE 754 binary16), so the image is that of the network to about a thousandth. */
void tl_page_explorer(tl_page *p, const char *title, const tl_network *network);

#ifdef __cplusplus
}
#endif
#endif

/* A progress bar on stderr, if that is a terminal; else nothing. */
#ifndef TL_PROGRESS_H
#define TL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tl_progress {
    bool    shown;
    double  started, drawn; /* seconds */
    int64_t total, done;    /* units of work: steps */
} tl_progress;

/* Seconds on a clock that only goes forward. */
double tl_progress_now(void);

void tl_progress_start(tl_progress *p, int64_t total, bool quiet);

/* Counts `n` more units and redraws, at most some ten times a second: what is being done, a bar, a loss, time left,
 * images per second; as much of it as the window is wide. */
void tl_progress_add(tl_progress *p, int64_t n, const char *label, double loss, double images_per_second);

/* Clears the line. */
void tl_progress_end(tl_progress *p);

#ifdef __cplusplus
}
#endif
#endif

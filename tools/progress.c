#define _POSIX_C_SOURCE 200809L
#include "tools/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WIDTH    24  /* cells of the bar */
#define INTERVAL 0.1 /* seconds between two drawings */

double tl_progress_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void tl_progress_start(tl_progress *p, int64_t total, bool quiet)
{
    if (!p)
        return;
    *p = (tl_progress){.shown = !quiet && isatty(STDERR_FILENO), .started = tl_progress_now(), .total = total};
}

static void draw(const tl_progress *p, const char *label, double loss, double images_per_second)
{
    double elapsed = p->drawn - p->started, rate = elapsed > 0 ? (double)p->done / elapsed : 0;
    long   left = rate > 0 ? (long)((double)(p->total - p->done) / rate + 0.5) : 0;
    int    full = (int)(WIDTH * p->done / (p->total > 0 ? p->total : 1));
    fprintf(stderr, "\r%s [", label);
    for (int i = 0; i < WIDTH; i++)
        fputc(i < full ? '=' : i == full ? '>' : ' ', stderr);
    fprintf(stderr, "] loss %.4g  %.0f images/s  %ld:%02ld left \033[K", loss, images_per_second, left / 60, left % 60);
    fflush(stderr);
}

void tl_progress_add(tl_progress *p, int64_t n, const char *label, double loss, double images_per_second)
{
    if (!p)
        return;
    p->done += n;
    if (!p->shown)
        return;
    double now = tl_progress_now();
    if (now - p->drawn < INTERVAL && p->done < p->total)
        return;
    p->drawn = now;
    draw(p, label, loss, images_per_second);
}

void tl_progress_end(tl_progress *p)
{
    if (!p)
        return;
    if (p->shown)
        fputs("\r\033[K", stderr);
}

#define _POSIX_C_SOURCE 200809L
#include "tools/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/terminal.h"

#define INTERVAL 0.1 /* seconds between two drawings */

enum { SHORTEST = 6, LONGEST = 40 /* cells of the bar */, WIDEST = 200 };

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

/* Fills line[0 .. width-1]: what is being done, a bar, then the numbers; in a narrow window only as much of this as it
 * has room for. */
static void compose(char *line, int width, double share, const char *label, const char *const *numbers)
{
    int left = width - (int)strlen(label), shown = 0;
    while (numbers[shown] && (int)strlen(numbers[shown]) + 2 <= left)
        left -= (int)strlen(numbers[shown++]) + 2;
    int n = snprintf(line, (size_t)width + 1, "%s", label);
    if (left >= SHORTEST + 3) {
        const int cells = left - 3 < LONGEST ? left - 3 : LONGEST, full = (int)(cells * share);
        n += snprintf(line + n, (size_t)(width + 1 - n), " [");
        for (int i = 0; i < cells; i++)
            line[n++] = i < full ? '=' : i == full ? '>' : ' ';
        line[n++] = ']';
        line[n] = 0;
    }
    for (int i = 0; i < shown; i++)
        n += snprintf(line + n, (size_t)(width + 1 - n), "  %s", numbers[i]);
}

static void draw(const tl_progress *p, const char *label, double loss, double images_per_second)
{
    const double elapsed = p->drawn - p->started, rate = elapsed > 0 ? (double)p->done / elapsed : 0;
    const long   left = rate > 0 ? (long)((double)(p->total - p->done) / rate + 0.5) : 0;
    char         line[WIDEST + 1], loss_text[32], left_text[32], speed[40];
    snprintf(loss_text, sizeof loss_text, "loss %.4g", loss);
    snprintf(left_text, sizeof left_text, "%ld:%02ld left", left / 60, left % 60);
    snprintf(speed, sizeof speed, "%.0f images/s", images_per_second);
    const char *const numbers[] = {loss_text, left_text, speed, NULL};
    const int         width = tl_terminal_columns(STDERR_FILENO) -
                      1; /* in the last column some terminals go to the next line */
    compose(line, width < WIDEST ? width : WIDEST, (double)p->done / (double)(p->total > 0 ? p->total : 1), label,
            numbers);
    fprintf(stderr, "\r%s\033[K", line);
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

/* Whether cost grows as the work does. */
#ifndef BENCH_GROWTH_H
#define BENCH_GROWTH_H

#include <stdbool.h>

/* Prints the cost of forward and backward per unit of work: by batch, by width of layers, by side of images, by depth.
 * `seconds` per figure. False when something fails. */
bool bench_growth(double seconds);

#endif

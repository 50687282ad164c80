/* Why something failed: the one form in which everything outside a tape reports errors. A function that can fail takes
 * a tl_error (NULL if the reason is not wanted) and returns false, or NULL, after filling it. */
#ifndef TL_ERROR_H
#define TL_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tl_error {
    char text[4096];
} tl_error;

/* Writes the reason, escaped by tl_escape: what comes from a file or a command line cannot reach a terminal raw.
 * Returns false. The arguments may point into why->text itself. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool tl_fail(tl_error *why, const char *format, ...);

/* The same with "<path>: " before it. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
bool tl_fail_at(tl_error *why, const char *path, const char *format, ...);

#ifdef __cplusplus
}
#endif
#endif

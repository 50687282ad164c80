/* The one precision switch: the same sources build as float, for use, and as double, for proof.
 *
 * A program and the library must agree on it. A program that was compiled for the one and is linked with the other
 * would compute nonsense; each object file therefore refers to a symbol that only the library of its own precision has,
 * and does not link if that is missing. Compile with pkg-config's flags: hourglass for float, hourglass-f64 (which sets
 * AG_DOUBLE) for double. */
#ifndef AG_REAL_H
#define AG_REAL_H

#ifdef __cplusplus
extern "C" {
#endif

#ifdef AG_DOUBLE
typedef double ag_real;
#define AG_PRECISION_GUARD ag_compiled_with_AG_DOUBLE_so_link_with_hourglass_f64
#else
typedef float ag_real;
#define AG_PRECISION_GUARD ag_compiled_without_AG_DOUBLE_so_link_with_hourglass
#endif

extern const char AG_PRECISION_GUARD;

#if defined(__GNUC__)
__attribute__((used)) static const char *const ag_precision_guard = &AG_PRECISION_GUARD;
#endif

#ifdef __cplusplus
}
#endif
#endif

/* The one precision switch: the same sources build as float, for use, and as double, for proof. */
#ifndef AG_REAL_H
#define AG_REAL_H

#ifdef AG_DOUBLE
typedef double ag_real;
#else
typedef float ag_real;
#endif

#endif

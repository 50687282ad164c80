/* Shapes: the rank and the dimensions of a tensor, and sets of axes. */
#ifndef AG_SHAPE_H
#define AG_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AG_MAX_RANK 8

/* Dimensions from outermost to innermost; rank 0 is a scalar. A negative rank marks a shape that could not be
 * made (more than AG_MAX_RANK dimensions); every function that takes a shape refuses it. */
typedef struct ag_shape {
    int     rank;
    int64_t dim[AG_MAX_RANK];
} ag_shape;

/* The axes of a reduction or a permutation. Negative axes count from the last, as in PyTorch.
 * count < 0 marks AG_ALL, or a list with too many entries (AG_BAD_AXES), which is refused. */
typedef struct ag_axes {
    int count;
    int axis[AG_MAX_RANK];
} ag_axes;

enum { AG_ALL_AXES = -1, AG_BAD_AXES = -2 };

/* AG_SHAPE(128, 784) and AG_AXES(0, -1) make one of these in place. */
ag_shape ag_shape_of(int rank, const int64_t *dim);
ag_axes  ag_axes_of(int count, const int *axis);

#ifdef __cplusplus
}
template <class... D> inline ag_shape ag_shape_list(D... d)
{
    const int64_t dim[] = {static_cast<int64_t>(d)...};
    return ag_shape_of(static_cast<int>(sizeof...(D)), dim);
}
template <class... A> inline ag_axes ag_axes_list(A... a)
{
    const int axis[] = {static_cast<int>(a)...};
    return ag_axes_of(static_cast<int>(sizeof...(A)), axis);
}
#define AG_SHAPE(...) ag_shape_list(__VA_ARGS__)
#define AG_AXES(...)  ag_axes_list(__VA_ARGS__)
extern "C" {
#else
#define AG_SHAPE(...) ag_shape_of((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define AG_AXES(...)  ag_axes_of((int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]){__VA_ARGS__})
#endif

#define AG_ALL    ag_axes_of(AG_ALL_AXES, NULL) /* every axis */
#define AG_SCALAR ag_shape_of(0, NULL)          /* the shape of one number */

bool ag_shape_equal(const ag_shape *a, const ag_shape *b);

/* The number of elements, or -1 when the shape is no shape: rank out of range, a dimension below 1, or more
 * elements than memory can address. */
int64_t ag_numel(const ag_shape *s);

/* The axis counted from the first (0 .. rank-1), or -1 when there is none of that number. */
int ag_axis_index(const ag_shape *s, int axis);

/* "(128, 784)" for messages. AG_STR's text lives until the end of the expression it stands in. */
typedef struct ag_text {
    char s[96];
} ag_text;
ag_text ag_shape_text(const ag_shape *s);
#define AG_STR(shape_pointer) (ag_shape_text(shape_pointer).s)

#ifdef __cplusplus
}
#endif
#endif

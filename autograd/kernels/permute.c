#include "autograd/kernels/permute.h"

#include "autograd/kernels/threadpool.h"

enum {
    TILE = 64,   /* the side of a block that is transposed at once */
    GRAIN = 8192 /* elements that are worth a thread */
};

typedef struct axis {
    int64_t size, from, to; /* strides in x and in y */
} axis;

/* One permutation: rows along the last axis of y, columns along the axis whose elements are neighbours in x, and the
 * others. */
typedef struct plan {
    axis           row, column;
    axis           other[AGK_PERMUTE_AXES];
    int            others;
    int64_t        tiles_down, tiles_across;
    const ag_real *x;
    ag_real       *y;
    bool           add;
} plan;

/* The axes of more than one element, neighbours that go on in both arrays joined. Returns how many. */
static int join_axes(int rank, const int64_t *dim, const int64_t *from, axis *a)
{
    int n = 0;
    for (int i = 0; i < rank; i++) {
        if (dim[i] == 1)
            continue;
        if (n > 0 && a[n - 1].from == dim[i] * from[i]) {
            a[n - 1].size *= dim[i];
            a[n - 1].from = from[i];
        } else {
            a[n++] = (axis){dim[i], from[i], 0};
        }
    }
    for (int64_t i = n - 1, to = 1; i >= 0; to *= a[i--].size)
        a[i].to = to;
    return n;
}

/* Where tile or row `item` of the other axes begins. Returns its index along the last of them. */
static int64_t place_of(const plan *p, int64_t item, const ag_real **x, ag_real **y)
{
    int64_t last = 0;
    *x = p->x;
    *y = p->y;
    for (int i = p->others - 1; i >= 0; i--) {
        int64_t k = i > 0 ? item % p->other[i].size : item;
        item = i > 0 ? item / p->other[i].size : 0;
        *x += k * p->other[i].from;
        *y += k * p->other[i].to;
        last = i == p->others - 1 ? k : last;
    }
    return last;
}

/* Those that follow each other along the last of the other axes, at once. */
static void copy_rows(void *context, int64_t begin, int64_t end)
{
    const plan *p = context;
    const axis  along = p->others > 0 ? p->other[p->others - 1] : (axis){1, 0, 0};
    for (int64_t item = begin, some; item < end; item += some) {
        const ag_real *x;
        ag_real       *y;
        const int64_t  left = along.size - place_of(p, item, &x, &y);
        some = left < end - item ? left : end - item;
        agk()->copy_rows(some, p->row.size, x, along.from, p->add, y, along.to);
    }
}

static void transpose_tiles(void *context, int64_t begin, int64_t end)
{
    const plan *p = context;
    for (int64_t item = begin; item < end; item++) {
        const ag_real *x;
        ag_real       *y;
        const int64_t  across = item % p->tiles_across * TILE, down = item / p->tiles_across % p->tiles_down * TILE;
        place_of(p, item / p->tiles_across / p->tiles_down, &x, &y);
        const int64_t rows = p->row.size - down < TILE ? p->row.size - down : TILE;
        const int64_t columns = p->column.size - across < TILE ? p->column.size - across : TILE;
        agk()->transpose(rows, columns, x + down * p->row.from + across, p->row.from, p->add,
                         y + across * p->column.to + down, p->column.to);
    }
}

void agk_permute(int rank, const int64_t *dim, const int64_t *from, const ag_real *x, bool add, ag_real *y)
{
    axis       a[AGK_PERMUTE_AXES];
    int        n = join_axes(rank, dim, from, a);
    plan       p = {.row = n > 0 ? a[n - 1] : (axis){1, 1, 1}, .x = x, .y = y, .add = add};
    const bool copies = p.row.from == 1 || n < 2;
    int64_t    items = 1;
    for (int i = 0; i < n - 1; i++)
        if (!copies && a[i].from == 1)
            p.column = a[i];
        else {
            p.other[p.others++] = a[i];
            items *= a[i].size;
        }
    if (copies) {
        agk_parallel(items, GRAIN / p.row.size + 1, copy_rows, &p);
        return;
    }
    p.tiles_down = (p.row.size + TILE - 1) / TILE;
    p.tiles_across = (p.column.size + TILE - 1) / TILE;
    const int64_t tile = (p.row.size < TILE ? p.row.size : TILE) * (p.column.size < TILE ? p.column.size : TILE);
    agk_parallel(items * p.tiles_down * p.tiles_across, GRAIN / tile + 1, transpose_tiles, &p);
}

#include "autograd/ops/broadcast_internal.h"

/* The size of axis `axis` of the result in s, whose axes are aligned at the last. */
static int64_t size_at(const ag_shape *s, int rank, int axis)
{
    int own = axis - (rank - s->rank);
    return own < 0 ? 1 : s->dim[own];
}

static bool result_shape(const ag_shape *a, const ag_shape *b, ag_shape *out)
{
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < out->rank; i++) {
        int64_t n = size_at(a, out->rank, i), m = size_at(b, out->rank, i);
        if (n != m && n != 1 && m != 1)
            return false;
        out->dim[i] = n > m ? n : m;
    }
    return ag_numel(out) > 0;
}

/* Loops from the innermost out; neighbours in which each operand goes on as before are joined. */
typedef struct loop {
    int64_t count, a, b;
} loop;

static int collect_loops(const ag_shape *a, const ag_shape *b, const ag_shape *out, loop *l)
{
    int     n = 0;
    int64_t a_size = 1, b_size = 1;
    for (int i = out->rank - 1; i >= 0; i--) {
        int64_t a_dim = size_at(a, out->rank, i), b_dim = size_at(b, out->rank, i);
        if (out->dim[i] == 1)
            continue;
        loop next = {out->dim[i], a_dim > 1 ? a_size : 0, b_dim > 1 ? b_size : 0};
        if (n > 0 && next.a == l[n - 1].a * l[n - 1].count && next.b == l[n - 1].b * l[n - 1].count)
            l[n - 1].count *= next.count;
        else
            l[n++] = next;
        a_size *= a_dim;
        b_size *= b_dim;
    }
    return n;
}

bool ag__broadcast_plan(const ag_shape *a, const ag_shape *b, ag_broadcast *plan)
{
    *plan = (ag_broadcast){.rows = 1, .width = 1, .a_step = 1, .b_step = 1};
    if (!result_shape(a, b, &plan->shape))
        return false;
    loop l[AG_MAX_RANK];
    int  n = collect_loops(a, b, &plan->shape, l);
    for (int i = 0; i < n; i++) {
        plan->a_repeats |= l[i].a == 0;
        plan->b_repeats |= l[i].b == 0;
    }
    if (n > 0) {
        plan->width = l[0].count;
        plan->a_step = (int)l[0].a;
        plan->b_step = (int)l[0].b;
    }
    for (int i = n - 1; i > 0; i--) {
        plan->count[plan->loops] = l[i].count;
        plan->a[plan->loops] = l[i].a;
        plan->b[plan->loops++] = l[i].b;
        plan->rows *= l[i].count;
    }
    return true;
}

ag_row ag__broadcast_row(const ag_broadcast *plan, int64_t row)
{
    ag_row at = {0, 0};
    for (int i = plan->loops - 1; i >= 0; i--) {
        int64_t k = i > 0 ? row % plan->count[i] : row; /* divisions take longer than short rows */
        row = i > 0 ? row / plan->count[i] : 0;
        at.a += k * plan->a[i];
        at.b += k * plan->b[i];
    }
    return at;
}

int64_t ag__broadcast_together(const ag_broadcast *plan, int64_t row, int64_t end)
{
    if (!plan->loops)
        return 1;
    const int64_t count = plan->count[plan->loops - 1], left = plan->loops > 1 ? count - row % count : count - row;
    return end - row < left ? end - row : left;
}

ag_turns ag__broadcast_turns(const ag_broadcast *plan, const int64_t *stride)
{
    ag_turns t = {1, 1, 1};
    int      i = 0;
    for (; i < plan->loops && stride[i] == 0; i++)
        t.outer *= plan->count[i];
    if (i < plan->loops)
        t.count = plan->count[i];
    t.inner = plan->rows / (t.outer * t.count);
    return t;
}

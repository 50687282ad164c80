/* max_pool2d, avg_pool2d, adaptive_avg_pool2d. */
#include <math.h>
#include <string.h>

#include "autograd/kernels/interleave.h"
#include "autograd/kernels/pool.h"
#include "autograd/op.h"
#include "autograd/ops.h"

/* The part of the input that one output position covers, along one axis. */
typedef struct window {
    int64_t begin, end, step; /* begin, begin + step, ... below end, all inside the input */
    int64_t count;            /* what a mean divides by: positions, with padding where it counts */
} window;

typedef struct pool_plan {
    ag_pool_options o;
    bool            adaptive;
    int64_t         in[2], out[2];
} pool_plan;

static window window_at(const pool_plan *p, int axis, int64_t i)
{
    const ag_pool_options *o = &p->o;
    int64_t                in = p->in[axis], out = p->out[axis];
    if (p->adaptive) {
        window w = {i * in / out, ((i + 1) * in + out - 1) / out, 1, 0};
        w.count = w.end - w.begin;
        return w;
    }
    int64_t start = i * o->stride[axis] - o->padding[axis], step = o->dilation[axis];
    int64_t stop = start + (o->kernel[axis] - 1) * step + 1;
    int64_t padded = stop < in + o->padding[axis] ? stop : in + o->padding[axis];
    window  w = {start, stop < in ? stop : in, step, padded - start};
    if (w.begin < 0)
        w.begin += (-w.begin + step - 1) / step * step;
    if (o->exclude_pad)
        w.count = w.end - w.begin;
    return w;
}

/* ---- Shapes. ---- */

static bool options_complete(ag_node *node, ag_pool_options *o)
{
    const int64_t most = 1 << 24;
    for (int i = 0; i < 2; i++) {
        o->stride[i] = o->stride[i] ? o->stride[i] : o->kernel[i];
        o->dilation[i] = o->dilation[i] ? o->dilation[i] : 1;
        if (o->kernel[i] < 1 || o->stride[i] < 1 || o->dilation[i] < 1 || o->kernel[i] > most || o->stride[i] > most ||
            o->dilation[i] > most)
            return ag_op_fail(node, "kernel %lld, stride %lld, dilation %lld: expected 1 to %lld",
                              (long long)o->kernel[i], (long long)o->stride[i], (long long)o->dilation[i],
                              (long long)most);
        if (o->padding[i] < 0 || o->padding[i] > o->kernel[i] / 2)
            return ag_op_fail(node, "padding %lld, expected at most half the kernel of %lld", (long long)o->padding[i],
                              (long long)o->kernel[i]);
    }
    return true;
}

/* With ceil_mode the last window must begin inside the input or its left padding. */
static int64_t output_size(const ag_pool_options *o, int axis, int64_t in)
{
    int64_t room = in + 2 * o->padding[axis] - o->dilation[axis] * (o->kernel[axis] - 1) - 1, s = o->stride[axis];
    if (room < 0)
        return 0;
    int64_t out = (room + (o->ceil_mode ? s - 1 : 0)) / s + 1;
    return o->ceil_mode && (out - 1) * s >= in + o->padding[axis] ? out - 1 : out;
}

static bool rank_is_four(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    return x->rank == 4 || ag_op_fail(node, "input %s, expected four dimensions (N, C, H, W)", AG_STR(x));
}

static bool pool_shape(ag_node *node)
{
    pool_plan      *p = node->attr;
    const ag_shape *x = &node->in[0]->shape;
    if (!rank_is_four(node) || (!p->adaptive && !options_complete(node, &p->o)))
        return false;
    for (int i = 0; i < 2; i++) {
        p->in[i] = x->dim[2 + i];
        if (!p->adaptive)
            p->out[i] = output_size(&p->o, i, p->in[i]);
        if (p->out[i] < 1)
            return ag_op_fail(node, "input %s is smaller than the window of %lld x %lld, or no output is asked for",
                              AG_STR(x), (long long)p->o.kernel[0], (long long)p->o.kernel[1]);
    }
    node->out->shape = AG_SHAPE(x->dim[0], x->dim[1], p->out[0], p->out[1]);
    if (p->adaptive && p->out[0] * p->out[1] > 1 && p->in[0] % p->out[0] == 0 && p->in[1] % p->out[1] == 0) {
        p->adaptive = false; /* windows of one size, side by side */
        for (int i = 0; i < 2; i++)
            p->o.kernel[i] = p->o.stride[i] = p->in[i] / p->out[i];
        p->o.dilation[0] = p->o.dilation[1] = 1;
    }
    return true;
}

/* ---- Means: walks over planes (n, c). ---- */

typedef void plane_fn(const ag_node *node, int64_t plane);

typedef struct planes_job {
    const ag_node *node;
    plane_fn      *f;
} planes_job;

static void some_planes(void *context, int64_t begin, int64_t end)
{
    const planes_job *j = context;
    for (int64_t i = begin; i < end; i++)
        j->f(j->node, i);
}

static void for_planes(const ag_node *node, plane_fn *f)
{
    const pool_plan *p = node->attr;
    int64_t          planes = node->out->shape.dim[0] * node->out->shape.dim[1];
    agk_parallel(planes, 8192 / (p->in[0] * p->in[1]) + 1, some_planes, &(planes_job){node, f});
}

/* Output columns begin .. end-1 whose window's column `tap` lies inside the input. */
static void columns_inside(const pool_plan *p, int64_t tap, int64_t *begin, int64_t *end)
{
    const int64_t stride = p->o.stride[1], shift = tap - p->o.padding[1];
    *begin = shift < 0 ? (-shift + stride - 1) / stride : 0;
    *end = shift < p->in[1] ? (p->in[1] - shift + stride - 1) / stride : 0;
    *end = *end < p->out[1] ? *end : p->out[1];
}

/* Divides a row of sums by what their windows hold: those that lie inside, all alike, at once. */
static void divide_row(const pool_plan *p, int64_t count, ag_real *y)
{
    int64_t first, last, beyond;
    columns_inside(p, 0, &first, &beyond);
    columns_inside(p, p->o.kernel[1] - 1, &beyond, &last);
    last = last > first ? last : first;
    for (int64_t ox = 0; ox < p->out[1]; ox++)
        if (ox == first && last > first) {
            agk()->divide(last - first, (ag_real)(count * p->o.kernel[1]), y + first);
            ox = last - 1;
        } else {
            y[ox] /= (ag_real)(count * window_at(p, 1, ox).count);
        }
}

enum { LINE = 1024 }; /* the widest input that is summed by lines */

/* Adds the rows of each window into a line, and the columns of the line. */
static void mean_plane(const ag_node *node, int64_t plane)
{
    const pool_plan *p = node->attr;
    const ag_real   *x = node->in[0]->data + plane * p->in[0] * p->in[1];
    ag_real         *y = node->out->data + plane * p->out[0] * p->out[1], line[LINE];
    for (int64_t oy = 0; oy < p->out[0]; oy++, y += p->out[1]) {
        const window v = window_at(p, 0, oy);
        memset(line, 0, (size_t)p->in[1] * sizeof *line);
        memset(y, 0, (size_t)p->out[1] * sizeof *y);
        for (int64_t i = v.begin; i < v.end; i++)
            agk()->add(p->in[1], x + i * p->in[1], line);
        for (int64_t k = 0, begin, end; k < p->o.kernel[1]; k++) {
            columns_inside(p, k, &begin, &end);
            if (begin < end)
                agk()->gather_add(end - begin, p->o.stride[1], line + begin * p->o.stride[1] + k - p->o.padding[1],
                                  y + begin);
        }
        divide_row(p, v.count, y);
    }
}

static void mean_plane_backward(const ag_node *node, int64_t plane)
{
    const pool_plan *p = node->attr;
    const ag_real   *g = node->out->grad + plane * p->out[0] * p->out[1];
    ag_real         *dx = node->in[0]->grad + plane * p->in[0] * p->in[1], share[2 * LINE], line[LINE];
    for (int64_t oy = 0; oy < p->out[0]; oy++, g += p->out[1]) {
        const window v = window_at(p, 0, oy);
        memcpy(share, g, (size_t)p->out[1] * sizeof *share);
        divide_row(p, v.count, share);
        memset(line, 0, (size_t)p->in[1] * sizeof *line);
        for (int64_t k = 0, begin, end; k < p->o.kernel[1]; k++) {
            columns_inside(p, k, &begin, &end);
            if (begin < end)
                agk()->scatter_add(end - begin, p->o.stride[1], share + begin,
                                   line + begin * p->o.stride[1] + k - p->o.padding[1]);
        }
        for (int64_t i = v.begin; i < v.end; i++)
            agk()->add(p->in[1], line, dx + i * p->in[1]);
    }
}

/* ---- Windows of different sizes, the one that is a whole plane, and very wide inputs. ---- */

static void uneven_plane(const ag_node *node, int64_t plane)
{
    const pool_plan *p = node->attr;
    const ag_real   *x = node->in[0]->data + plane * p->in[0] * p->in[1];
    ag_real         *y = node->out->data + plane * p->out[0] * p->out[1];
    if (p->out[0] * p->out[1] == 1) {
        *y = agk()->sum(p->in[0] * p->in[1], x) / (ag_real)(p->in[0] * p->in[1]);
        return;
    }
    for (int64_t oy = 0; oy < p->out[0]; oy++)
        for (int64_t ox = 0; ox < p->out[1]; ox++) {
            window  v = window_at(p, 0, oy), h = window_at(p, 1, ox);
            ag_real sum = 0;
            for (int64_t i = v.begin; i < v.end; i++)
                for (int64_t k = h.begin; k < h.end; k++)
                    sum += x[i * p->in[1] + k];
            *y++ = sum / (ag_real)(v.count * h.count);
        }
}

static void uneven_plane_backward(const ag_node *node, int64_t plane)
{
    const pool_plan *p = node->attr;
    const ag_real   *g = node->out->grad + plane * p->out[0] * p->out[1];
    ag_real         *dx = node->in[0]->grad + plane * p->in[0] * p->in[1];
    for (int64_t oy = 0; oy < p->out[0]; oy++)
        for (int64_t ox = 0; ox < p->out[1]; ox++) {
            window  v = window_at(p, 0, oy), h = window_at(p, 1, ox);
            ag_real share = *g++ / (ag_real)(v.count * h.count);
            for (int64_t i = v.begin; i < v.end; i++)
                agk()->add_constant(h.end - h.begin, share, dx + i * p->in[1] + h.begin);
        }
}

/* ---- The ops. ---- */

static bool is_even(const pool_plan *p)
{
    return !p->adaptive && p->in[1] <= LINE && p->out[1] <= 2 * LINE;
}

static void mean_forward(ag_node *node)
{
    for_planes(node, is_even(node->attr) ? mean_plane : uneven_plane);
}

static void mean_backward(const ag_node *node)
{
    if (ag_grad(node->in[0]))
        for_planes(node, is_even(node->attr) ? mean_plane_backward : uneven_plane_backward);
}

/* ---- Largest, on interleaved planes. ---- */

/* What a pass works in: input and output, and where in its plane each output was found. */
typedef struct max_room {
    int64_t  batch, channels, in, out; /* pixels of a plane */
    ag_real *x, *y;
    int32_t *place;
} max_room;

static max_room max_room_of(const ag_node *node)
{
    const int64_t *x = node->in[0]->shape.dim, *y = node->out->shape.dim;
    max_room       r = {x[0], x[1], x[2] * x[3], y[2] * y[3], node->saved, NULL, NULL};
    r.y = r.x + agk_interleaved(r.batch, r.channels * r.in);
    r.place = (int32_t *)(r.y + agk_interleaved(r.batch, r.channels * r.out));
    return r;
}

/* Interleaved images need many of them, and windows that do not overlap much. */
static bool max_is_direct(const ag_node *node)
{
    const pool_plan *p = node->attr;
    return node->in[0]->shape.dim[0] < AGK_LANES || (p->o.stride[1] == 1 && p->out[1] >= AGK_LANES);
}

static bool max_pool2d_shape(ag_node *node)
{
    const pool_plan *p = node->attr;
    if (!pool_shape(node))
        return false;
    if (p->in[0] * p->in[1] > INT32_MAX)
        return ag_op_fail(node, "input %s has more than %d pixels", AG_STR(&node->in[0]->shape), INT32_MAX);
    const int64_t *y = node->out->shape.dim;
    if (max_is_direct(node))
        return ag_op_save(node, ag_numel(&node->out->shape)); /* places */
    return ag_op_save(node, agk_interleaved(y[0], y[1] * (p->in[0] * p->in[1] + 2 * p->out[0] * p->out[1])));
}

static agk_pool_window max_window(const pool_plan *p, int64_t pixel)
{
    window v = window_at(p, 0, pixel / p->out[1]), h = window_at(p, 1, pixel % p->out[1]);
    return (agk_pool_window){v.begin, v.end, v.step, h.begin, h.end, h.step, p->in[1]};
}

/* One channel of a block of images. */
typedef struct max_plane {
    int64_t  lanes;
    ag_real *x, *y;
    int32_t *place;
} max_plane;

static max_plane max_plane_of(const max_room *r, int64_t item)
{
    int64_t block = item / r->channels, channel = item % r->channels, lanes = agk_interleaved_lanes(r->batch, block);
    int64_t before = block * AGK_INTERLEAVED_BLOCK * r->channels + channel * lanes;
    return (max_plane){lanes, r->x + before * r->in, r->y + before * r->out, r->place + before * r->out};
}

static void max_planes(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    max_room       r = max_room_of(node);
    for (int64_t i = begin; i < end; i++) {
        max_plane p = max_plane_of(&r, i);
        for (int64_t o = 0; o < r.out; o++) {
            agk_pool_window w = max_window(node->attr, o);
            agk()->max_pixel(p.lanes, &w, p.x, p.y + o * p.lanes, p.place + o * p.lanes);
        }
    }
}

static void max_planes_backward(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    max_room       r = max_room_of(node);
    for (int64_t i = begin; i < end; i++) {
        max_plane p = max_plane_of(&r, i);
        memset(p.x, 0, (size_t)(r.in * p.lanes) * sizeof *p.x);
        for (int64_t o = 0; o < r.out; o++) {
            agk_pool_window w = max_window(node->attr, o);
            agk()->max_pixel_backward(p.lanes, &w, p.place + o * p.lanes, p.y + o * p.lanes, p.x);
        }
    }
}

static void for_max_planes(const ag_node *node, const max_room *r, agk_body *body)
{
    agk_parallel(agk_interleaved_blocks(r->batch) * r->channels, 1024 / r->in + 1, body, (void *)node);
}

/* Plane by plane, row by row, tap by tap. */
static void max_plane_rows(const ag_node *node, int64_t plane)
{
    const pool_plan *p = node->attr;
    const ag_real   *x = node->in[0]->data + plane * p->in[0] * p->in[1];
    ag_real         *y = node->out->data + plane * p->out[0] * p->out[1];
    int32_t         *place = (int32_t *)node->saved + plane * p->out[0] * p->out[1];
    for (int64_t oy = 0; oy < p->out[0]; oy++, y += p->out[1], place += p->out[1]) {
        const window v = window_at(p, 0, oy);
        for (int64_t ox = 0; ox < p->out[1]; ox++) {
            y[ox] = -(ag_real)INFINITY;
            place[ox] = -1;
        }
        for (int64_t i = v.begin; i < v.end; i += v.step)
            for (int64_t k = 0, begin, end; k < p->o.kernel[1]; k++) {
                columns_inside(p, k * p->o.dilation[1], &begin, &end);
                const int64_t at = i * p->in[1] + begin * p->o.stride[1] + k * p->o.dilation[1] - p->o.padding[1];
                if (begin < end)
                    agk()->max_row(end - begin, p->o.stride[1], (int32_t)at, x + at, y + begin, place + begin);
            }
    }
}

static void max_plane_rows_backward(const ag_node *node, int64_t plane)
{
    const pool_plan *p = node->attr;
    const int64_t    n = p->out[0] * p->out[1];
    const int32_t   *place = (const int32_t *)node->saved + plane * n;
    const ag_real   *g = node->out->grad + plane * n;
    ag_real         *dx = node->in[0]->grad + plane * p->in[0] * p->in[1];
    for (int64_t i = 0; i < n; i++)
        if (place[i] >= 0)
            dx[place[i]] += g[i];
}

static void max_forward(ag_node *node)
{
    if (max_is_direct(node)) {
        for_planes(node, max_plane_rows);
        return;
    }
    max_room r = max_room_of(node);
    agk_interleave(r.batch, r.channels * r.in, node->in[0]->data, r.x);
    for_max_planes(node, &r, max_planes);
    agk_deinterleave(r.batch, r.channels * r.out, r.y, false, node->out->data);
}

/* The gradients take the places of input and output. */
static void max_backward(const ag_node *node)
{
    if (max_is_direct(node)) {
        if (ag_grad(node->in[0]))
            for_planes(node, max_plane_rows_backward);
        return;
    }
    max_room       r = max_room_of(node);
    ag_grad_target dx = ag_grad_open(node->in[0]);
    if (!dx.data)
        return;
    agk_interleave(r.batch, r.channels * r.out, node->out->grad, r.y);
    for_max_planes(node, &r, max_planes_backward);
    agk_deinterleave(r.batch, r.channels * r.in, r.x, dx.add, dx.data);
}

static const ag_op max_pool2d_op = {"max_pool2d", max_pool2d_shape, max_forward, max_backward};
static const ag_op avg_pool2d_op = {"avg_pool2d", pool_shape, mean_forward, mean_backward};
static const ag_op adaptive_avg_pool2d_op = {"adaptive_avg_pool2d", pool_shape, mean_forward, mean_backward};

ag_tensor *ag_max_pool2d(ag_tensor *x, ag_pool_options options)
{
    pool_plan p = {.o = options};
    return ag_apply(&max_pool2d_op, 1, &x, &p, sizeof p);
}

ag_tensor *ag_avg_pool2d(ag_tensor *x, ag_pool_options options)
{
    pool_plan p = {.o = options};
    p.o.dilation[0] = p.o.dilation[1] = 1;
    return ag_apply(&avg_pool2d_op, 1, &x, &p, sizeof p);
}

ag_tensor *ag_adaptive_avg_pool2d(ag_tensor *x, int64_t height, int64_t width)
{
    pool_plan p = {.adaptive = true, .out = {height, width}};
    return ag_apply(&adaptive_avg_pool2d_op, 1, &x, &p, sizeof p);
}

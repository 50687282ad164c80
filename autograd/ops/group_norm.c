/* group_norm: the channels of an example by groups, each group to mean 0 and deviation 1, then each channel scaled and
 * shifted (Wu, He: "Group normalization", 2018). Saved: per group of an example the mean and one over the deviation;
 * room for two sums of each channel, which backward needs. */
#include <math.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/norm_internal.h"

enum { X, WEIGHT, BIAS }; /* the inputs; the last two may be missing */

typedef struct group_norm_plan {
    double  eps;
    int64_t groups, batch, channels, pixels;
} group_norm_plan;

static bool group_norm_shape(ag_node *node)
{
    group_norm_plan *p = node->attr;
    const ag_shape  *x = &node->in[X]->shape;
    if (x->rank < 2)
        return ag_op_fail(node, "input %s, expected (N, C, ...)", AG_STR(x));
    if (p->groups < 1 || x->dim[1] % p->groups)
        return ag_op_fail(node,
                          "the %lld channels of input %s in %lld groups: expected a number of groups that divides them",
                          (long long)x->dim[1], AG_STR(x), (long long)p->groups);
    for (int i = WEIGHT; i < node->n_in; i++)
        if (node->in[i]->shape.rank != 1 || node->in[i]->shape.dim[0] != x->dim[1])
            return ag_op_fail(node, "%s %s, expected (%lld) for input %s", i == WEIGHT ? "weight" : "bias",
                              AG_STR(&node->in[i]->shape), (long long)x->dim[1], AG_STR(x));
    p->batch = x->dim[0];
    p->channels = x->dim[1];
    p->pixels = ag_numel(x) / (p->batch * p->channels);
    node->out->shape = *x;
    return ag_op_save(node, 2 * p->batch * (p->groups + p->channels));
}

/* A group of an example: its elements begin at `at`, and are `width`; its channels begin at `channel`. */
typedef struct group {
    int64_t at, width, channel, channels;
} group;

static group group_of(const group_norm_plan *p, int64_t item)
{
    const int64_t channels = p->channels / p->groups, width = channels * p->pixels;
    return (group){item * width, width, item % p->groups * channels, channels};
}

/* The part of a group's channels, or NULL. */
static const ag_real *part_of(const ag_node *node, int which, const group *g)
{
    return node->n_in > WEIGHT ? node->in[which]->data + g->channel : NULL;
}

static void forward_group(const ag_node *node, const group *g, const ag_real *x, ag_real *y, ag_real *saved)
{
    const group_norm_plan *p = node->attr;
    const ag_real         *weight = part_of(node, WEIGHT, g), *bias = part_of(node, BIAS, g);
    if (p->pixels == 1 || !weight) {
        agk()->layer_norm(1, g->width, p->eps, x, weight, bias, y, saved);
        return;
    }
    const ag_real mean = agk()->sum(g->width, x) / (ag_real)g->width;
    double        sum = 0, squares = 0;
    agk()->norm_sums(1, g->width, 0, x, mean, &sum, &squares);
    saved[0] = mean;
    saved[1] = (ag_real)(1 / sqrt(squares / (double)g->width + p->eps));
    for (int64_t c = 0; c < g->channels; c++, x += p->pixels, y += p->pixels)
        agk()->norm_apply(1, p->pixels, 0, x, mean, saved[1] * weight[c], bias[c], y);
}

static void forward_groups(void *context, int64_t begin, int64_t end)
{
    ag_node *node = context;
    for (int64_t i = begin; i < end; i++) {
        const group g = group_of(node->attr, i);
        forward_group(node, &g, node->in[X]->data + g.at, node->out->data + g.at, (ag_real *)node->saved + 2 * i);
    }
}

static int64_t grain(const group_norm_plan *p)
{
    return 4096 * p->groups / (p->channels * p->pixels) + 1;
}

static void group_norm_forward(ag_node *node)
{
    const group_norm_plan *p = node->attr;
    agk_parallel(p->batch * p->groups, grain(p), forward_groups, node);
}

/* With u the normalised input and h = g weight, means over a group: dx = inverse (h - mean h - u mean(h u)), dw = sum g
 * u, db = sum g. */
typedef struct gradients {
    const ag_node *node;
    ag_grad_target dx;
    ag_real       *dw, *db;
} gradients;

/* Of each channel the sums of g and of g (x - centre), behind the groups' statistics. */
static ag_real *sums_of(const ag_node *node)
{
    const group_norm_plan *p = node->attr;
    return (ag_real *)node->saved + 2 * p->batch * p->groups;
}

/* Writes a group's sums. */
static void sum_channels(const group_norm_plan *p, const group *g, const ag_real *x, const ag_real *dy, ag_real centre,
                         ag_real *sums)
{
    for (int64_t c = 0; c < g->channels; c++, x += p->pixels, dy += p->pixels) {
        double sum = (double)dy[0], product = (double)(dy[0] * (x[0] - centre));
        if (p->pixels > 1) {
            sum = product = 0;
            agk()->norm_gradient_sums(1, p->pixels, 0, x, dy, centre, &sum, &product);
        }
        sums[2 * c] = (ag_real)sum;
        sums[2 * c + 1] = (ag_real)product;
    }
}

static void backward_group(const gradients *j, const group *g, const ag_real *x, const ag_real *dy,
                           const ag_real *saved, const ag_real *sums)
{
    const group_norm_plan *p = j->node->attr;
    const ag_real         *weight = part_of(j->node, WEIGHT, g);
    ag_real               *dx = j->dx.data + g->at;
    const double           inverse = (double)saved[1];
    double                 all = 0, products = 0; /* the sums of h and of h (x - centre) */
    if (p->pixels == 1 || !weight) {
        agk()->layer_norm_gradient(1, g->width, x, dy, weight, saved, j->dx.add, dx);
        return;
    }
    for (int64_t c = 0; c < g->channels; c++) {
        all += (double)weight[c] * (double)sums[2 * c];
        products += (double)weight[c] * (double)sums[2 * c + 1];
    }
    agk_norm o = {.centre = saved[0],
                  .mean = (ag_real)(all / (double)g->width * inverse),
                  .slope = (ag_real)(products / (double)g->width * inverse * inverse * inverse)};
    for (int64_t c = 0; c < g->channels; c++, x += p->pixels, dy += p->pixels, dx += p->pixels) {
        o.scale = saved[1] * weight[c];
        agk()->norm_group_gradient(p->pixels, x, dy, &o, j->dx.add, dx);
    }
}

static void backward_groups(void *context, int64_t begin, int64_t end)
{
    const gradients *j = context;
    const ag_node   *node = j->node;
    for (int64_t i = begin; i < end; i++) {
        const group    g = group_of(node->attr, i);
        const ag_real *x = node->in[X]->data + g.at, *dy = node->out->grad + g.at;
        const ag_real *saved = (const ag_real *)node->saved + 2 * i;
        ag_real       *sums = sums_of(node) + 2 * i * g.channels;
        if (node->n_in > WEIGHT)
            sum_channels(node->attr, &g, x, dy, saved[0], sums);
        if (j->dx.data)
            backward_group(j, &g, x, dy, saved, sums);
    }
}

/* From the sums over the pixels those over the examples, the first to the last. */
static void add_channels(void *context, int64_t begin, int64_t end)
{
    const gradients       *j = context;
    const group_norm_plan *p = j->node->attr;
    const ag_real         *saved = j->node->saved, *sums = sums_of(j->node);
    const int64_t          per_group = p->channels / p->groups;
    for (int64_t c = begin; c < end; c++) {
        double sum = 0, product = 0;
        for (int64_t n = 0; n < p->batch; n++) {
            const ag_real *of = sums + 2 * (n * p->channels + c);
            sum += (double)of[0];
            product += (double)of[1] * (double)saved[2 * (n * p->groups + c / per_group) + 1];
        }
        if (j->dw)
            j->dw[c] += (ag_real)product;
        if (j->db)
            j->db[c] += (ag_real)sum;
    }
}

static void group_norm_backward(const ag_node *node)
{
    const group_norm_plan *p = node->attr;
    const bool             affine = node->n_in > WEIGHT;
    gradients              j = {node, ag_grad_open(node->in[X]), affine ? ag_grad(node->in[WEIGHT]) : NULL,
                   affine ? ag_grad(node->in[BIAS]) : NULL};
    agk_parallel(p->batch * p->groups, grain(p), backward_groups, &j);
    if (j.dw || j.db)
        agk_parallel(p->channels, 8192 / p->batch + 1, add_channels, &j);
}

static const ag_op group_norm_op = {"group_norm", group_norm_shape, group_norm_forward, group_norm_backward};

ag_tensor *ag_group_norm(ag_tensor *x, int64_t groups, ag_tensor *weight, ag_tensor *bias, double eps)
{
    ag__norm_affine(x, &weight, &bias);
    ag_tensor      *in[] = {x, weight, bias};
    group_norm_plan p = {.eps = eps, .groups = groups};
    return ag_apply(&group_norm_op, weight || bias ? 3 : 1, in, &p, sizeof p);
}

/* Functions of PyTorch that are no ops here, as compositions of ops: results and gradients against
 * tests/golden/compositions.txt, made by tests/golden/make_compositions.py. autograd/README.md shows the functions. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

#ifdef AG_DOUBLE
#define TOLERANCE 1e-9
#else
#define TOLERANCE 2e-5
#endif

/* ---- Of one tensor x. ---- */

#define X(name, expression)                                                                                            \
    static ag_tensor *name(ag_tensor *x)                                                                               \
    {                                                                                                                  \
        return expression;                                                                                             \
    }

X(hardsigmoid, ag_clamp(ag_shift(ag_scale(x, 1.0 / 6), 0.5), 0, 1))
X(logsigmoid, ag_neg(ag_softplus(ag_neg(x))))
X(norm, ag_sqrt(ag_clamp(ag_sum(ag_square(x), AG_ALL, false), 1e-38, INFINITY))) /* gradient 0 at 0 */
X(normalize, ag_div(x, ag_sqrt(ag_clamp(ag_sum(ag_square(x), AG_AXES(1), true), 1e-24, INFINITY))))
X(relu6, ag_clamp(x, 0, 6))
X(rms_norm, ag_div(x, ag_sqrt(ag_shift(ag_mean(ag_square(x), AG_AXES(-1), true), 1e-5)))) /* eps 1e-5 */
X(rsqrt, ag_reciprocal(ag_sqrt(x)))
X(selu, ag_scale(ag_elu(x, 1.6732632423543772), 1.0507009873554805))
X(softmin, ag_softmax(ag_neg(x), -1))
X(softsign, ag_div(x, ag_shift(ag_abs(x), 1)))

/* ---- Elements and rows. ---- */

/* F.prelu(x, weight) on x (N, C), weight (C) */
static ag_tensor *prelu(ag_tensor *x, ag_tensor *weight)
{
    return ag_sub(ag_relu(x), ag_mul(weight, ag_relu(ag_neg(x))));
}

/* F.glu(x, -1) */
static ag_tensor *glu(ag_tensor *x)
{
    ag_tensor *half[2];
    ag_chunk(x, 2, -1, half);
    return ag_mul(half[0], ag_sigmoid(half[1]));
}

/* ---- Products: torch.einsum, distances. ---- */

/* einsum("bi,bj->bij", a, b) */
static ag_tensor *outer(ag_tensor *a, ag_tensor *b)
{
    return ag_mul(ag_reshape(a, AG_SHAPE(a->shape.dim[0], -1, 1)), ag_reshape(b, AG_SHAPE(b->shape.dim[0], 1, -1)));
}

/* einsum("bij,bkj->bik", a, b) */
static ag_tensor *product_of_rows(ag_tensor *a, ag_tensor *b)
{
    return ag_matmul(a, ag_transpose(b, -2, -1));
}

/* einsum("bi,ij,bj->b", a, w, b) */
static ag_tensor *bilinear(ag_tensor *a, ag_tensor *w, ag_tensor *b)
{
    return ag_sum(ag_mul(ag_matmul(a, w), b), AG_AXES(1), false);
}

/* einsum("bchw,dc->bdhw", x, w): a linear layer over the channels */
static ag_tensor *over_channels(ag_tensor *x, ag_tensor *w)
{
    return ag_permute(ag_linear(ag_permute(x, AG_AXES(0, 2, 3, 1)), w, NULL), AG_AXES(0, 3, 1, 2));
}

/* F.cosine_similarity(a, b) of rows */
static ag_tensor *cosine_similarity(ag_tensor *a, ag_tensor *b)
{
    return ag_sum(ag_mul(normalize(a), normalize(b)), AG_AXES(1), false);
}

/* torch.cdist(a, b) of a (N, D), b (M, D), by |a|^2 + |b|^2 - 2 a b, as PyTorch does with more than 25 rows */
static ag_tensor *cdist(ag_tensor *a, ag_tensor *b)
{
    ag_tensor *squares = ag_add(ag_sum(ag_square(a), AG_AXES(1), true), ag_sum(ag_square(b), AG_AXES(1), false));
    ag_tensor *distances = ag_sub(squares, ag_scale(ag_matmul(a, ag_transpose(b, 0, 1)), 2));
    return ag_sqrt(ag_clamp(distances, 1e-30, INFINITY));
}

/* ---- Norms and images. ---- */

/* F.instance_norm(x) */
static ag_tensor *instance_norm(ag_tensor *x)
{
    return ag_group_norm(x, x->shape.dim[1], NULL, NULL, 1e-5);
}

/* F.pixel_shuffle(x, r) */
static ag_tensor *pixel_shuffle(ag_tensor *x, int64_t r)
{
    const int64_t *d = x->shape.dim, channels = d[1] / (r * r);
    ag_tensor     *parts = ag_reshape(x, AG_SHAPE(d[0], channels, r, r, d[2], d[3]));
    return ag_reshape(ag_permute(parts, AG_AXES(0, 1, 4, 2, 5, 3)), AG_SHAPE(d[0], channels, d[2] * r, d[3] * r));
}

/* ---- Losses. ---- */

/* F.huber_loss(x, t, delta=delta); divided by delta it is F.smooth_l1_loss(x, t, beta=delta) */
static ag_tensor *huber_loss(ag_tensor *x, ag_tensor *t, double delta)
{
    ag_tensor *e = ag_abs(ag_sub(x, t)), *inner = ag_clamp(e, 0, delta);
    return ag_mean(ag_add(ag_scale(ag_square(inner), 0.5), ag_scale(ag_sub(e, inner), delta)), AG_ALL, false);
}

/* F.kl_div(log_p, q, reduction="sum") with q > 0 */
static ag_tensor *kl_div(ag_tensor *log_p, ag_tensor *q)
{
    return ag_sum(ag_mul(q, ag_sub(ag_log(q), log_p)), AG_ALL, false);
}

/* F.gaussian_nll_loss(mu, t, var) */
static ag_tensor *gaussian_nll_loss(ag_tensor *mu, ag_tensor *t, ag_tensor *variance)
{
    return ag_scale(ag_mean(ag_add(ag_log(variance), ag_div(ag_square(ag_sub(mu, t)), variance)), AG_ALL, false), 0.5);
}

/* F.margin_ranking_loss(a, b, y, margin) with y of -1 and 1 */
static ag_tensor *margin_ranking_loss(ag_tensor *a, ag_tensor *b, ag_tensor *y, double margin)
{
    return ag_mean(ag_relu(ag_shift(ag_mul(y, ag_sub(b, a)), margin)), AG_ALL, false);
}

/* ---- Attention. ---- */

/* F.scaled_dot_product_attention(q, k, v), each (N, heads, L, width); a mask is added before the softmax */
static ag_tensor *attention(ag_tensor *q, ag_tensor *k, ag_tensor *v, int64_t width)
{
    ag_tensor *scores = ag_scale(ag_matmul(q, ag_transpose(k, -2, -1)), 1 / sqrt((double)width));
    return ag_matmul(ag_softmax(scores, -1), v);
}

/* (N, L, heads * width) to (N, heads, L, width) */
static ag_tensor *split(ag_tensor *x, int64_t heads, int64_t width)
{
    return ag_transpose(ag_reshape(x, AG_SHAPE(x->shape.dim[0], -1, heads, width)), 1, 2);
}

/* nn.MultiheadAttention(heads * width, heads, batch_first=True)(x, x, x), with its four parameters */
static ag_tensor *self_attention(ag_tensor *x, ag_tensor *in_weight, ag_tensor *in_bias, ag_tensor *out_weight,
                                 ag_tensor *out_bias, int64_t heads, int64_t width)
{
    ag_tensor *p[3]; /* query, key, value */
    ag_chunk(ag_linear(x, in_weight, in_bias), 3, -1, p);
    ag_tensor *y = attention(split(p[0], heads, width), split(p[1], heads, width), split(p[2], heads, width), width);
    return ag_linear(ag_flatten(ag_transpose(y, 1, 2), 2, 3), out_weight, out_bias);
}

/* ---- Recurrent cells: one step; w, u, b, c are weight_ih, weight_hh, bias_ih, bias_hh. ---- */

/* nn.RNNCell */
static ag_tensor *rnn_cell(ag_tensor *x, ag_tensor *h, ag_tensor *w, ag_tensor *u, ag_tensor *b, ag_tensor *c)
{
    return ag_tanh(ag_add(ag_linear(x, w, b), ag_linear(h, u, c)));
}

/* nn.GRUCell */
static ag_tensor *gru_cell(ag_tensor *x, ag_tensor *h, ag_tensor *w, ag_tensor *u, ag_tensor *b, ag_tensor *c)
{
    ag_tensor *i[3], *k[3]; /* reset, update, new */
    ag_chunk(ag_linear(x, w, b), 3, 1, i);
    ag_chunk(ag_linear(h, u, c), 3, 1, k);
    ag_tensor *new = ag_tanh(ag_add(i[2], ag_mul(ag_sigmoid(ag_add(i[0], k[0])), k[2])));
    return ag_add(new, ag_mul(ag_sigmoid(ag_add(i[1], k[1])), ag_sub(h, new)));
}

/* nn.LSTMCell; *cell is the state, before and after */
static ag_tensor *lstm_cell(ag_tensor *x, ag_tensor *h, ag_tensor **cell, ag_tensor *w, ag_tensor *u, ag_tensor *b,
                            ag_tensor *c)
{
    ag_tensor *g[4]; /* input, forget, cell, output */
    ag_chunk(ag_add(ag_linear(x, w, b), ag_linear(h, u, c)), 4, 1, g);
    *cell = ag_add(ag_mul(ag_sigmoid(g[1]), *cell), ag_mul(ag_sigmoid(g[0]), ag_tanh(g[2])));
    return ag_mul(ag_sigmoid(g[3]), ag_tanh(*cell));
}

/* ---- The comparison. ---- */

enum { INPUTS = 7 };

typedef struct composition {
    const char *name;
    ag_tensor *(*f)(ag_tensor *const *in);
} composition;

static ag_tensor *smooth_l1_loss(ag_tensor *x, ag_tensor *t, double beta)
{
    return ag_scale(huber_loss(x, t, beta), 1 / beta);
}

static ag_tensor *lstm(ag_tensor *const *in)
{
    ag_tensor *cell = in[2], *h = lstm_cell(in[0], in[1], &cell, in[3], in[4], in[5], in[6]);
    return ag_add(h, cell);
}

#define ONE_INPUT(OP)                                                                                                  \
    OP(hardsigmoid)                                                                                                    \
    OP(logsigmoid)                                                                                                     \
    OP(norm) OP(normalize) OP(relu6) OP(rms_norm) OP(rsqrt) OP(selu) OP(softmin) OP(softsign) OP(glu) OP(instance_norm)
#define TWO_INPUTS(OP)                                                                                                 \
    OP(prelu) OP(outer) OP(product_of_rows) OP(over_channels) OP(cosine_similarity) OP(cdist) OP(kl_div)
#define OTHERS(OP)                                                                                                     \
    OP(bilinear, bilinear(in[0], in[1], in[2]))                                                                        \
    OP(pixel_shuffle, pixel_shuffle(in[0], 2))                                                                         \
    OP(huber_loss, huber_loss(in[0], in[1], 0.73))                                                                     \
    OP(smooth_l1_loss, smooth_l1_loss(in[0], in[1], 0.73))                                                             \
    OP(gaussian_nll_loss, gaussian_nll_loss(in[0], in[1], in[2]))                                                      \
    OP(margin_ranking_loss, margin_ranking_loss(in[0], in[1], ag_shift(ag_scale(in[2], 2), -1), 0.3))                  \
    OP(attention, attention(in[0], in[1], in[2], 4))                                                                   \
    OP(self_attention, self_attention(in[0], in[1], in[2], in[3], in[4], 2, 3))                                        \
    OP(rnn_cell, rnn_cell(in[0], in[1], in[2], in[3], in[4], in[5]))                                                   \
    OP(gru_cell, gru_cell(in[0], in[1], in[2], in[3], in[4], in[5]))                                                   \
    OP(lstm_cell, lstm(in))

#define CALL(name, expression)                                                                                         \
    static ag_tensor *call_##name(ag_tensor *const *in)                                                                \
    {                                                                                                                  \
        return expression;                                                                                             \
    }
#define CALL_ONE(name) CALL(name, name(in[0]))
#define CALL_TWO(name) CALL(name, name(in[0], in[1]))
ONE_INPUT(CALL_ONE)
TWO_INPUTS(CALL_TWO)
OTHERS(CALL)

#define NAME(name)             {#name, call_##name},
#define NAME_OTHER(name, call) {#name, call_##name},
static const composition all[] = {ONE_INPUT(NAME) TWO_INPUTS(NAME) OTHERS(NAME_OTHER)};

/* The same values as in make_compositions.py. */
static void fill(ag_tensor *t, const char *domain, int64_t seed)
{
    const int64_t classes = strcmp(domain, "mask") ? 4 : 2;
    t->needs_grad = !strcmp(domain, "real") || !strcmp(domain, "positive");
    for (int64_t i = 0, n = ag_numel(&t->shape); i < n; i++) {
        const int64_t k = i * 7919 + 1301 * seed;
        const double  x = (double)(k % 10007) / 10007 * 4 - 2;
        t->data[i] = (ag_real)(!t->needs_grad ? (double)(k % classes) : !strcmp(domain, "real") ? x : fabs(x) + 0.2);
    }
}

static int read_inputs(FILE *f, ag_tensor **in)
{
    int  n = 0;
    char domain[16];
    while (fscanf(f, " in %15s", domain) == 1) {
        ag_shape shape = {0, {0}};
        cr_assert(n < INPUTS && fscanf(f, "%d", &shape.rank) == 1 && shape.rank >= 0 && shape.rank <= AG_MAX_RANK);
        for (int i = 0; i < shape.rank; i++) {
            long long d;
            cr_assert(fscanf(f, "%lld", &d) == 1);
            shape.dim[i] = d;
        }
        cr_assert((in[n] = ag_parameter_new(shape)) != NULL);
        fill(in[n], domain, n + 1);
        n++;
    }
    return n;
}

static void check_row(FILE *f, const char *what, int64_t n, const ag_real *got)
{
    static double wanted[1024];
    long long     count;
    cr_assert(fscanf(f, "%lld", &count) == 1 && count == n && n <= 1024, "%s: %lld values, expected %lld", what,
              (long long)n, count);
    for (int64_t i = 0; i < n; i++)
        cr_assert(fscanf(f, "%lf", &wanted[i]) == 1);
    check_close(what, n, got, wanted, TOLERANCE);
}

/* out, then the gradients of sum(out * weight), weight being values of seed 9. */
static void check_composition(FILE *f, const composition *c, ag_tape *tape)
{
    ag_tensor *parameter[INPUTS], *in[INPUTS];
    const int  n = read_inputs(f, parameter);
    for (int i = 0; i < n; i++)
        in[i] = ag_on_tape(tape, parameter[i]);
    ag_tensor *y = c->f(in), *weight = ag_zeros(tape, y->shape);
    cr_assert(!ag_error(tape), "%s: %s", c->name, ag_error(tape));
    check_row(f, c->name, ag_numel(&y->shape), y->data);
    fill(weight, "real", 9);
    weight->needs_grad = false;
    if (y->needs_grad)
        cr_assert(ag_backward(ag_sum(ag_mul(y, weight), AG_ALL, false)), "%s: %s", c->name, ag_error(tape));
    for (int i = 0; i < n; i++) {
        if (parameter[i]->needs_grad)
            check_row(f, c->name, ag_numel(&parameter[i]->shape), parameter[i]->grad);
        ag_parameter_free(parameter[i]);
    }
}

Test(compositions, equal_pytorch)
{
    FILE *f = fopen("tests/golden/compositions.txt", "r");
    cr_assert(f);
    ag_tape  *tape = ag_tape_new(0);
    const int count = (int)(sizeof all / sizeof *all);
    char      name[64];
    int       seen = 0;
    while (fscanf(f, " case %63s", name) == 1) {
        int i = 0;
        while (i < count && strcmp(all[i].name, name))
            i++;
        cr_assert(i < count, "%s is not in compositions.c", name);
        ag_tape_reset(tape);
        check_composition(f, &all[i], tape);
        seen++;
    }
    ag_tape_free(tape);
    fclose(f);
    cr_assert(seen == count, "%d cases, expected %d: run tests/golden/make_compositions.py", seen, count);
}

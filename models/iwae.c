#include "models/iwae.h"

#include <math.h>

#include "autograd/op.h"

vae_code iwae_encode(iwae *m, ag_tensor *x)
{
    ag_tensor *h = nn_forward(m->encoder, x);
    ag_tensor *mu = nn_forward(m->mu, h);
    ag_tensor *logvar = nn_forward(m->logvar, h);
    return (vae_code){mu, logvar};
}

ag_tensor *iwae_decode(iwae *m, ag_tensor *z)
{
    return nn_forward(m->decoder, z);
}

/* (N, latent) with an axis for the samples. */
static ag_tensor *with_samples(ag_tensor *t)
{
    return ag_reshape(t, AG_SHAPE(t->shape.dim[0], 1, t->shape.dim[1]));
}

ag_tensor *iwae_sample(vae_code q, int64_t k)
{
    const ag_shape *s = &q.mu->shape;
    if (ag_tensor_error(q.mu) || k < 1)
        return ag_fail(q.mu->tape, "iwae: %lld samples of codes %s", (long long)k, AG_STR(s));
    ag_tensor *eps = ag_randn(q.mu->tape, AG_SHAPE(s->dim[0], k, s->dim[1]));
    return ag_add(with_samples(q.mu), ag_mul(with_samples(ag_exp(ag_scale(q.logvar, 0.5))), eps));
}

static ag_tensor *half_sum(ag_tensor *t)
{
    return ag_scale(ag_sum(t, AG_AXES(-1), false), 0.5);
}

/* log p(z) - log q(z) of a code, summed over its numbers; what is 2 pi in both is left out. */
static ag_tensor *log_ratio(iwae *m, ag_tensor *z, vae_code q)
{
    ag_tensor *deviance = vae_deviance(z, q);
    if (!m->upper)
        return half_sum(ag_sub(deviance, ag_square(z)));
    ag_tensor *log_p = iwae_upper_log_weights((iwae_upper *)m->upper, z);
    return ag_add(half_sum(deviance), log_p);
}

static ag_tensor *weigh(iwae *m, ag_tensor *x, vae_code q, ag_tensor *z, double beta)
{
    if (ag_tensor_error(z))
        return z;
    if (ag_tensor_error(x))
        return x;
    ag_tensor *logits = iwae_decode(m, z);
    ag_tensor *target = ag_expand(with_samples(x), logits->shape);
    ag_tensor *log_likelihood = ag_neg(ag_sum(ag_bce_with_logits_loss(logits, target, AG_NONE), AG_AXES(-1), false));
    ag_tensor *ratio = log_ratio(m, z, (vae_code){with_samples(q.mu), with_samples(q.logvar)});
    return ag_add(log_likelihood, ag_scale(ratio, beta));
}

ag_tensor *iwae_log_weights(iwae *m, ag_tensor *x, vae_code q, ag_tensor *z)
{
    return weigh(m, x, q, z, 1);
}

ag_tensor *iwae_bound(ag_tensor *log_weights)
{
    if (ag_tensor_error(log_weights))
        return log_weights;
    ag_tensor *log_k = ag_scalar(log_weights->tape, log((double)log_weights->shape.dim[1]));
    return ag_sub(ag_logsumexp(log_weights, 1), log_k);
}

ag_tensor *iwae_loss(iwae *m, ag_tensor *x, int64_t k, double beta)
{
    vae_code   q = iwae_encode(m, x);
    ag_tensor *z = iwae_sample(q, k);
    return ag_neg(ag_mean(iwae_bound(weigh(m, x, q, z, beta)), AG_ALL, false));
}

/* ---- The prior. ---- */

ag_tensor *iwae_prior_sample(iwae *m, ag_tape *tape, int64_t n)
{
    if (!m->upper)
        return ag_randn(tape, AG_SHAPE(n, m->config.latent));
    vae_code p = iwae_upper_prior((iwae_upper *)m->upper, ag_randn(tape, AG_SHAPE(n, m->config.upper)));
    return vae_sample(p.mu, p.logvar);
}

/* Of N(mu, v) from N(m, w), with d = log v - log w: (v / w + (mu - m)^2 / w - 1 - d) / 2; which is that of N((mu - m) /
 * sqrt(w), v / w) from N(0, 1). */
ag_tensor *iwae_divergence(iwae *m, vae_code q)
{
    if (!m->upper)
        return vae_divergence(q);
    iwae_upper *upper = (iwae_upper *)m->upper;
    vae_code    p = iwae_upper_prior(upper, iwae_upper_encode(upper, q.mu).mu);
    ag_tensor  *mu = ag_mul(ag_sub(q.mu, p.mu), ag_exp(ag_scale(p.logvar, -0.5)));
    return vae_divergence((vae_code){mu, ag_sub(q.logvar, p.logvar)});
}

/* ---- The doubly reparameterised estimator. ---- */

/* z (N, k, latent) unchanged, and its gradient times weight (N, k), a tensor that is there by the time of backward. */
typedef struct scaling {
    const ag_tensor *weight;
} scaling;

static bool scaled_shape(ag_node *node)
{
    node->out->shape = node->in[0]->shape;
    node->out->data = node->in[0]->data;
    return true;
}

static void scaled_backward(const ag_node *node)
{
    const scaling *s = *(scaling *const *)node->attr;
    const int64_t  width = node->out->shape.dim[2], n = ag_numel(&node->out->shape);
    const ag_real *g = node->out->grad;
    ag_real       *dz = ag_grad(node->in[0]);
    for (int64_t i = 0; dz && i < n; i++)
        dz[i] += s->weight->data[i / width] * g[i];
}

static const ag_op scaled_op = {"scaled_gradient", scaled_shape, NULL, scaled_backward};

/* The bound's gradient with respect to code i is its normalised weight times that of log w_i. The encoder, which log q
 * is cut off from, is to get the weight once more. */
ag_tensor *iwae_dreg_loss(iwae *m, ag_tensor *x, int64_t k)
{
    vae_code   q = iwae_encode(m, x), fixed = {ag_detach(q.mu), ag_detach(q.logvar)};
    ag_tensor *z = iwae_sample(q, k);
    if (m->upper)
        return ag_fail(z->tape, "iwae_dreg_loss: two stochastic layers, expected one; iwae_loss takes two");
    scaling *s = ag_tape_alloc(z->tape, sizeof *s);
    if (!s || ag_tensor_error(z))
        return z;
    ag_tensor *log_weights = iwae_log_weights(m, x, fixed, ag_apply(&scaled_op, 1, &z, &s, sizeof s));
    s->weight = ag_detach(ag_softmax(log_weights, 1));
    return ag_neg(ag_mean(iwae_bound(log_weights), AG_ALL, false));
}

/* ---- The module. ---- */

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return iwae_decode((iwae *)m, iwae_encode((iwae *)m, x).mu);
}

static bool set_value(void *context, const char *name, nn_parameter *p)
{
    (void)name;
    return p->tensor->shape.rank > 1 ? nn_init_xavier_uniform(p->tensor, 1, context) : nn_init_constant(p->tensor, 0);
}

/* Glorot's uniform weights; biases of 0, but for the output's: the logit of the mean, cut to 0.001..0.999. */
static void reset(nn_module *base, ag_rng *rng)
{
    const iwae    *m = (const iwae *)base;
    const ag_real *mean = m->config.mean;
    nn_visit(base, set_value, rng);
    ag_tensor *bias = nn_parameter_named(base, "decoder.4.bias");
    for (int64_t i = 0; mean && bias && i < m->config.input; i++) {
        const double p = mean[i] < 0.001 ? 0.001 : mean[i] > 0.999 ? 0.999 : (double)mean[i];
        bias->data[i] = (ag_real)(log(p) - log(1 - p));
    }
}

static const nn_type iwae_type = {.name = "IWAE", .size = sizeof(iwae), .forward = forward, .reset = reset};

iwae *iwae_new(iwae_config c)
{
    iwae *m = nn_new(&iwae_type);
    if (!m)
        return NULL;
    m->config = c;
    NN_CHILD(m, encoder,
             nn_sequential(nn_linear(c.input, c.hidden), nn_tanh(), nn_linear(c.hidden, c.hidden), nn_tanh()));
    NN_CHILD(m, mu, nn_linear(c.hidden, c.latent));
    NN_CHILD(m, logvar, nn_linear(c.hidden, c.latent));
    NN_CHILD(m, decoder,
             nn_sequential(nn_linear(c.latent, c.hidden), nn_tanh(), nn_linear(c.hidden, c.hidden), nn_tanh(),
                           nn_linear(c.hidden, c.input)));
    if (c.upper != 0)
        NN_CHILD(m, upper, iwae_upper_new(c.latent, c.upper_hidden, c.upper));
    if (nn_error(&m->base))
        m->upper = NULL; /* it may be no iwae_upper; the model carries the error */
    return m;
}

#include "models/mlp_ae.h"

/* Linear layers width[first] - ... - width[last], an activation between them and `after` after the last if not NULL. */
static nn_module *layers(const mlp_ae_config *c, int first, int last, nn_module *(*after)(void), double dropout)
{
    nn_module *list[3 * MLP_AE_MOST];
    int        n = 0, step = first < last ? 1 : -1;
    for (int i = first; i != last; i += step) {
        nn_module *(*activation)(void) = i + step == last ? after : c->activation;
        list[n++] = nn_linear(c->width[i], c->width[i + step]);
        if (activation)
            list[n++] = activation();
        if (activation && dropout > 0)
            list[n++] = nn_dropout(dropout);
    }
    return nn_sequential_of(n, list);
}

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return mlp_ae_forward((mlp_ae *)m, x).reconstruction;
}

static bool init_xavier(void *rng, const char *name, nn_parameter *p)
{
    (void)name;
    return p->tensor->shape.rank > 1 ? nn_init_xavier_uniform(p->tensor, 1, rng) : nn_init_constant(p->tensor, 0);
}

/* Over the layers' defaults, from the seed anew. */
static void reset(nn_module *m, ag_rng *rng)
{
    if (((mlp_ae *)m)->xavier)
        nn_visit(m, init_xavier, &(ag_rng){rng->seed, 0});
}

static const nn_type mlp_ae_type = {
    .name = "MLPAutoencoder", .size = sizeof(mlp_ae), .forward = forward, .reset = reset};

mlp_ae *mlp_ae_new(const mlp_ae_config *c)
{
    mlp_ae *m = nn_new(&mlp_ae_type);
    if (!m)
        return NULL;
    m->xavier = c->xavier;
    if (c->widths < 2 || c->widths > MLP_AE_MOST) {
        NN_CHILD(m, encoder, nn_failed("MLPAutoencoder", "%d widths, expected 2 to %d", c->widths, MLP_AE_MOST));
        return m;
    }
    NN_CHILD(m, encoder, layers(c, 0, c->widths - 1, c->activate_code ? c->activation : NULL, c->dropout));
    NN_CHILD(m, decoder, layers(c, c->widths - 1, 0, c->output, 0));
    return m;
}

mlp_ae_output mlp_ae_forward(mlp_ae *m, ag_tensor *x)
{
    ag_tensor *code = nn_forward(m->encoder, x);
    return (mlp_ae_output){nn_forward(m->decoder, code), code};
}

ag_tensor *mlp_ae_loss(mlp_ae_output out, ag_tensor *x, double sparsity)
{
    ag_tensor *loss = ag_mse_loss(out.reconstruction, x, AG_MEAN);
    if (sparsity > 0)
        loss = ag_add(loss, ag_scale(ag_mean(ag_abs(out.code), AG_ALL, false), sparsity));
    return loss;
}

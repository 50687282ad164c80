#include "models/mlp_classifier.h"

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return mlp_classifier_forward((mlp_classifier *)m, x);
}

static bool set_zero(void *context, const char *name, nn_parameter *p)
{
    (void)context, (void)name;
    return nn_init_constant(p->tensor, 0);
}

static void reset(nn_module *m, ag_rng *rng)
{
    nn_visit(m, set_zero, NULL);
    if (((mlp_classifier *)m)->hidden > 0)
        nn_init_truncated_normal(nn_parameter_named(m, "layers.0.weight"), 0, 0.1, -0.2, 0.2, &(ag_rng){rng->seed, 0});
}

static const nn_type mlp_classifier_type = {
    .name = "MLPClassifier", .size = sizeof(mlp_classifier), .forward = forward, .reset = reset};

mlp_classifier *mlp_classifier_new(mlp_classifier_config c)
{
    mlp_classifier *m = nn_new(&mlp_classifier_type);
    if (!m)
        return NULL;
    m->hidden = c.hidden;
    if (c.hidden > 0)
        NN_CHILD(m, layers,
                 nn_sequential(nn_linear(c.input, c.hidden), nn_relu(), nn_dropout(c.dropout),
                               nn_linear(c.hidden, c.classes)));
    else
        NN_CHILD(m, layers, nn_sequential(nn_linear(c.input, c.classes)));
    return m;
}

ag_tensor *mlp_classifier_forward(mlp_classifier *m, ag_tensor *x)
{
    return nn_forward(m->layers, x);
}

int64_t mlp_classifier_correct(const ag_tensor *logits, const ag_tensor *labels)
{
    if (ag_tensor_error(logits) || logits->shape.rank != 2)
        return 0;
    int64_t correct = 0, classes = logits->shape.dim[1];
    for (int64_t i = 0; i < logits->shape.dim[0]; i++) {
        const ag_real *row = logits->data + i * classes;
        int64_t        best = 0;
        for (int64_t c = 1; c < classes; c++)
            best = row[c] > row[best] ? c : best;
        correct += best == (int64_t)labels->data[i];
    }
    return correct;
}

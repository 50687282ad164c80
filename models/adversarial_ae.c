#include "models/adversarial_ae.h"

#include <math.h>

typedef struct autoencoder {
    nn_module  base;
    nn_module *encoder, *decoder;
} autoencoder;

typedef struct discriminators {
    nn_module  base;
    nn_module *labels, *rest;
} discriminators;

/* The two parts of a code, or of what becomes one. */
static ag_tensor *labels_of(const adversarial_ae *m, ag_tensor *code)
{
    return ag_slice(code, 1, 0, m->config.labels);
}

static ag_tensor *rest_of(const adversarial_ae *m, ag_tensor *code)
{
    return ag_slice(code, 1, m->config.labels, m->config.labels + m->config.latent);
}

ag_tensor *adversarial_ae_encode(adversarial_ae *m, ag_tensor *x)
{
    ag_tensor *h = nn_forward(m->encoder, x);
    if (m->config.labels <= 0)
        return h;
    return ag_concat(2, (ag_tensor *[]){ag_softmax(labels_of(m, h), 1), rest_of(m, h)}, 1);
}

ag_tensor *adversarial_ae_classify(adversarial_ae *m, ag_tensor *x)
{
    return labels_of(m, nn_forward(m->encoder, x));
}

ag_tensor *adversarial_ae_reconstruction(adversarial_ae *m, ag_tensor *x)
{
    return ag_bce_with_logits_loss(nn_forward(m->decoder, adversarial_ae_encode(m, x)), x, AG_MEAN);
}

static ag_tensor *discriminate(adversarial_ae *m, ag_tensor *z, ag_tensor *y)
{
    if (m->config.labels > 0)
        return ag_concat(
            2, (ag_tensor *[]){nn_forward(m->of_labels, labels_of(m, z)), nn_forward(m->of_rest, rest_of(m, z))}, 1);
    if (m->config.classes > 0)
        z = ag_concat(2, (ag_tensor *[]){z, ag_one_hot(y, m->config.classes)}, 1);
    return nn_forward(m->discriminator, z);
}

/* The mean binary cross entropy of logits against one answer. */
static ag_tensor *answer_loss(ag_tensor *logits, double answer)
{
    return ag_bce_with_logits_loss(logits, ag_full(logits->tape, logits->shape, answer), AG_MEAN);
}

adversarial_ae_verdict adversarial_ae_judge(adversarial_ae *m, ag_tensor *x, ag_tensor *y, ag_tensor *z)
{
    ag_tensor *on_prior = discriminate(m, z, y);
    ag_tensor *on_codes = discriminate(m, ag_detach(adversarial_ae_encode(m, x)), y);
    ag_tensor *loss = ag_scale(ag_add(answer_loss(on_prior, 1), answer_loss(on_codes, 0)), 0.5);
    return (adversarial_ae_verdict){loss, on_prior, on_codes};
}

ag_tensor *adversarial_ae_deceive(adversarial_ae *m, ag_tensor *x, ag_tensor *y)
{
    return answer_loss(discriminate(m, adversarial_ae_encode(m, x), y), 1);
}

ag_tensor *adversarial_ae_petals(ag_tape *tape, int64_t n, ag_tensor *y)
{
    const double turn = 6.283185307179586476925, classes = 10;
    ag_tensor   *z = ag_randn(tape, AG_SHAPE(n, 2));
    ag_tensor *class = y ? y : ag_rand(tape, AG_SHAPE(n));
    for (int64_t i = 0; i < n && !ag_error(tape); i++) {
        const double which = y ? (double)class->data[i] : floor((double)class->data[i] * classes);
        const double c = cos(turn * which / classes), s = sin(turn * which / classes);
        const double out = 1.4 + 0.5 * (double)z->data[2 * i], side = 0.1 * (double)z->data[2 * i + 1];
        z->data[2 * i] = (ag_real)(out * c - side * s);
        z->data[2 * i + 1] = (ag_real)(out * s + side * c);
    }
    return z;
}

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    adversarial_ae *a = (adversarial_ae *)m;
    return nn_forward(a->decoder, adversarial_ae_encode(a, x));
}

static const nn_type autoencoder_type = {.name = "Autoencoder", .size = sizeof(autoencoder)};
static const nn_type discriminators_type = {.name = "Discriminators", .size = sizeof(discriminators)};
static const nn_type adversarial_ae_type = {
    .name = "AdversarialAE", .size = sizeof(adversarial_ae), .forward = forward};

static nn_module *mlp(int64_t in, int64_t hidden, int64_t out)
{
    return nn_sequential(nn_linear(in, hidden), nn_relu(), nn_linear(hidden, hidden), nn_relu(),
                         nn_linear(hidden, out));
}

static nn_module *pair_of_discriminators(adversarial_ae *m)
{
    discriminators *both = nn_new(&discriminators_type);
    if (!both)
        return NULL;
    m->of_labels = NN_CHILD(both, labels, mlp(m->config.labels, m->config.hidden, 1));
    m->of_rest = NN_CHILD(both, rest, mlp(m->config.latent, m->config.hidden, 1));
    return &both->base;
}

adversarial_ae *adversarial_ae_new(adversarial_ae_config c)
{
    adversarial_ae *m = nn_new(&adversarial_ae_type);
    autoencoder    *both = nn_new(&autoencoder_type);
    if (!m || !both) {
        nn_module_free((nn_module *)m);
        nn_module_free((nn_module *)both);
        return NULL;
    }
    m->config = c;
    m->encoder = NN_CHILD(both, encoder, mlp(c.input, c.hidden, c.labels + c.latent));
    m->decoder = NN_CHILD(both, decoder, mlp(c.labels + c.latent, c.hidden, c.input));
    NN_CHILD(m, autoencoder, &both->base);
    NN_CHILD(m, discriminator, c.labels > 0 ? pair_of_discriminators(m) : mlp(c.latent + c.classes, c.hidden, 1));
    return m;
}

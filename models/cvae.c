#include "models/cvae.h"

static ag_tensor *beside(ag_tensor *x, ag_tensor *c)
{
    return ag_concat(2, (ag_tensor *[]){x, c}, 1);
}

vae_code cvae_encode(cvae *m, ag_tensor *x, ag_tensor *c)
{
    ag_tensor *h = ag_relu(nn_forward(m->fc1, beside(x, c)));
    ag_tensor *mu = nn_forward(m->fc21, h);
    ag_tensor *logvar = nn_forward(m->fc22, h);
    return (vae_code){mu, logvar};
}

ag_tensor *cvae_decode(cvae *m, ag_tensor *z, ag_tensor *c)
{
    return nn_forward(m->fc4, ag_relu(nn_forward(m->fc3, beside(z, c))));
}

vae_output cvae_forward(cvae *m, ag_tensor *x, ag_tensor *c)
{
    vae_code   code = cvae_encode(m, x, c);
    ag_tensor *logits = cvae_decode(m, vae_sample(code.mu, code.logvar), c);
    return (vae_output){logits, code.mu, code.logvar};
}

/* x and c in one tensor (N, input + classes), as modules have one input. */
static ag_tensor *forward(nn_module *m, ag_tensor *both)
{
    const cvae_config *c = &((cvae *)m)->config;
    ag_tensor         *x = ag_slice(both, 1, 0, c->input), *label = ag_slice(both, 1, c->input, c->input + c->classes);
    return cvae_forward((cvae *)m, x, label).logits;
}

static const nn_type cvae_type = {.name = "ConditionalVAE", .size = sizeof(cvae), .forward = forward};

cvae *cvae_new(cvae_config config)
{
    cvae *m = nn_new(&cvae_type);
    if (!m)
        return NULL;
    m->config = config;
    NN_CHILD(m, fc1, nn_linear(config.input + config.classes, config.hidden));
    NN_CHILD(m, fc21, nn_linear(config.hidden, config.latent));
    NN_CHILD(m, fc22, nn_linear(config.hidden, config.latent));
    NN_CHILD(m, fc3, nn_linear(config.latent + config.classes, config.hidden));
    NN_CHILD(m, fc4, nn_linear(config.hidden, config.input));
    return m;
}

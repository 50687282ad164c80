/* rand, randn, bernoulli: tensors of random numbers. Each is one draw of the tape's state. */
#include "autograd/op.h"
#include "autograd/ops.h"

typedef struct random_attr {
    ag_shape shape;
    double   p;
} random_attr;

static bool random_shape(ag_node *node)
{
    const random_attr *attr = node->attr;
    if (!(attr->p >= 0 && attr->p <= 1))
        return ag_op_fail(node, "probability is %g, expected 0 to 1", attr->p);
    node->out->shape = attr->shape;
    return true;
}

static void rand_forward(ag_node *node)
{
    ag_rng_uniform(ag_tape_rng(node->out->tape), ag_numel(&node->out->shape), 0, 1, node->out->data);
}

static void randn_forward(ag_node *node)
{
    ag_rng_normal(ag_tape_rng(node->out->tape), ag_numel(&node->out->shape), 0, 1, node->out->data);
}

static void bernoulli_forward(ag_node *node)
{
    ag_real p = (ag_real)((const random_attr *)node->attr)->p;
    ag_rng_bernoulli(ag_tape_rng(node->out->tape), ag_numel(&node->out->shape), p, 1, node->out->data);
}

static const ag_op rand_op = {"rand", random_shape, rand_forward, NULL};
static const ag_op randn_op = {"randn", random_shape, randn_forward, NULL};
static const ag_op bernoulli_op = {"bernoulli", random_shape, bernoulli_forward, NULL};

static ag_tensor *random_tensor(ag_tape *tape, const ag_op *op, ag_shape shape, double p)
{
    random_attr attr = {shape, p};
    return ag_apply_on(tape, op, 0, NULL, &attr, sizeof attr);
}

static ag_tensor *random_like(ag_tensor *x, const ag_op *op, double p)
{
    return random_tensor(x ? x->tape : NULL, op, x ? x->shape : AG_SCALAR, p);
}

ag_tensor *ag_rand(ag_tape *tape, ag_shape shape)
{
    return random_tensor(tape, &rand_op, shape, 0);
}

ag_tensor *ag_randn(ag_tape *tape, ag_shape shape)
{
    return random_tensor(tape, &randn_op, shape, 0);
}

ag_tensor *ag_bernoulli(ag_tape *tape, ag_shape shape, double p)
{
    return random_tensor(tape, &bernoulli_op, shape, p);
}

ag_tensor *ag_rand_like(ag_tensor *x)
{
    return random_like(x, &rand_op, 0);
}

ag_tensor *ag_randn_like(ag_tensor *x)
{
    return random_like(x, &randn_op, 0);
}

ag_tensor *ag_bernoulli_like(ag_tensor *x, double p)
{
    return random_like(x, &bernoulli_op, p);
}

/* An op of a user's own, outside the library: shape, forward, backward, entry, and its gradient check. */
#include <math.h>

#include "autograd/op.h"
#include "tests/test.h"

/* swish_dot(a, b) = sum over i of a_i sigmoid(k a_i) b_i, a (n), b (n), result a scalar. */
static bool swish_dot_shape(ag_node *node)
{
    const ag_shape *a = &node->in[0]->shape, *b = &node->in[1]->shape;
    if (a->rank != 1 || !ag_shape_equal(a, b))
        return ag_op_fail(node, "inputs %s and %s, expected two vectors of one length", AG_STR(a), AG_STR(b));
    node->out->shape = AG_SCALAR;
    return ag_op_save(node, a->dim[0]); /* the sigmoids */
}

static void swish_dot_forward(ag_node *node)
{
    const ag_real *a = node->in[0]->data, *b = node->in[1]->data;
    double         k = *(const double *)node->attr, sum = 0;
    ag_real       *s = node->saved;
    for (int64_t i = 0, n = ag_numel(&node->in[0]->shape); i < n; i++) {
        s[i] = (ag_real)(1 / (1 + exp(-k * (double)a[i])));
        sum += (double)(a[i] * s[i] * b[i]);
    }
    node->out->data[0] = (ag_real)sum;
}

static void swish_dot_backward(const ag_node *node)
{
    const ag_real *a = node->in[0]->data, *b = node->in[1]->data, *s = node->saved, g = node->out->grad[0];
    ag_real        k = (ag_real) * (const double *)node->attr;
    ag_real       *da = ag_grad(node->in[0]), *db = ag_grad(node->in[1]);
    for (int64_t i = 0, n = ag_numel(&node->in[0]->shape); i < n; i++) {
        if (da)
            da[i] += g * b[i] * s[i] * (1 + k * a[i] * (1 - s[i]));
        if (db)
            db[i] += g * a[i] * s[i];
    }
}

static const ag_op swish_dot_op = {"swish_dot", swish_dot_shape, swish_dot_forward, swish_dot_backward};

static ag_tensor *swish_dot(ag_tensor *a, ag_tensor *b, double k)
{
    ag_tensor *in[] = {a, b};
    return ag_apply(&swish_dot_op, 2, in, &k, sizeof k);
}

static ag_tensor *with_itself(void *context, ag_tape *tape, ag_tensor *const *in)
{
    (void)context;
    ag_tensor *a = ag_on_tape(tape, in[0]);
    return ag_mul(swish_dot(a, in[1], 1.5), swish_dot(ag_tanh(a), a, 1.5));
}

static ag_tensor *wrong_gradient(void *context, ag_tape *tape, ag_tensor *const *in)
{
    (void)context;
    ag_tensor *a = ag_on_tape(tape, in[0]);
    return ag_add(a, ag_detach(ag_square(a))); /* hides a gradient of 2 a */
}

static ag_tensor *fails(void *context, ag_tape *tape, ag_tensor *const *in)
{
    (void)context;
    return ag_matmul(ag_on_tape(tape, in[0]), ag_ones(tape, AG_SHAPE(99)));
}

static ag_tensor *root(void *context, ag_tape *tape, ag_tensor *const *in)
{
    (void)context;
    return ag_sqrt(ag_on_tape(tape, in[0]));
}

Test(custom_op, works_like_any_other)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *a = ag_requires_grad(random_input(tape, AG_SHAPE(5), 1));
    cr_assert(ag_backward(swish_dot(a, random_input(tape, AG_SHAPE(5), 2), 1)) && a->grad);
    ag_tape_reset(tape);
    swish_dot(random_input(tape, AG_SHAPE(5), 1), random_input(tape, AG_SHAPE(6), 1), 1);
    check_error(tape, "swish_dot: inputs (5) and (6), expected two vectors of one length");
    ag_tape_free(tape);
}

Test(custom_op, gradcheck_tells_right_from_wrong)
{
    double     tolerance = sizeof(ag_real) == 8 ? 1e-6 : 5e-2, step = sizeof(ag_real) == 8 ? 1e-5 : 1e-2;
    ag_tensor *in[2] = {ag_parameter_new(AG_SHAPE(5)), ag_parameter_new(AG_SHAPE(5))};
    fill_random(in[0], 1), fill_random(in[1], 2);
    ag_gradcheck_result r = ag_gradcheck(with_itself, NULL, 2, in, step, tolerance);
    cr_assert(r.ok, "%s", r.message);
    r = ag_gradcheck(wrong_gradient, NULL, 1, in, step, tolerance);
    cr_assert(!r.ok && r.worst > 0.1);
    r = ag_gradcheck(fails, NULL, 1, in, step, tolerance);
    cr_assert(!r.ok);
    cr_assert(!ag_gradcheck(NULL, NULL, 1, in, step, tolerance).ok);
    cr_assert(!ag_gradcheck(with_itself, NULL, 2, (ag_tensor *[]){in[0], NULL}, step, tolerance).ok);
    ag_parameter_free(in[0]), ag_parameter_free(in[1]);
}

Test(custom_op, gradcheck_does_not_forget_a_nan)
{
    ag_tensor *p = ag_parameter_new(AG_SHAPE(3));
    p->data[1] = p->data[2] = 1; /* element 0: sqrt(0) has no derivative */
    cr_assert(!ag_gradcheck(root, NULL, 1, &p, 1e-3, 1e-1).ok);
    ag_parameter_free(p);
}

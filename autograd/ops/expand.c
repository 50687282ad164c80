/* expand: a tensor repeated to a larger shape. */
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/broadcast_internal.h"

typedef struct expand_plan {
    ag_shape     shape;
    ag_broadcast rows; /* operand a is the input, b the shape asked for */
} expand_plan;

static bool expand_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    expand_plan    *p = node->attr;
    ag_shape        s = p->shape;
    for (int i = 0; i < s.rank && s.rank <= AG_MAX_RANK; i++) {
        int own = i - (s.rank - x->rank);
        if (s.dim[i] == -1 && own >= 0)
            s.dim[i] = x->dim[own];
    }
    if (ag_numel(&s) < 0 || !ag__broadcast_plan(x, &s, &p->rows) || !ag_shape_equal(&p->rows.shape, &s))
        return ag_op_fail(node, "%s does not repeat to %s", AG_STR(x), AG_STR(&p->shape));
    node->out->shape = s;
    return true;
}

static void expand_forward(ag_node *node)
{
    const ag_broadcast *p = &((const expand_plan *)node->attr)->rows;
    for (int64_t r = 0; r < p->rows; r++) {
        const ag_real *x = node->in[0]->data + ag__broadcast_row(p, r).a;
        ag_real       *y = node->out->data + r * p->width;
        if (p->a_step)
            memcpy(y, x, (size_t)p->width * sizeof *y);
        else
            for (int64_t i = 0; i < p->width; i++)
                y[i] = x[0];
    }
}

static void expand_backward(const ag_node *node)
{
    const ag_broadcast *p = &((const expand_plan *)node->attr)->rows;
    ag_real            *dx = ag_grad(node->in[0]);
    for (int64_t r = 0; dx && r < p->rows; r++) {
        const ag_real *g = node->out->grad + r * p->width;
        ag_real       *to = dx + ag__broadcast_row(p, r).a;
        if (p->a_step)
            agk()->add(p->width, g, to);
        else
            to[0] += agk()->sum(p->width, g);
    }
}

static const ag_op expand_op = {"expand", expand_shape, expand_forward, expand_backward};

ag_tensor *ag_expand(ag_tensor *x, ag_shape shape)
{
    expand_plan p = {.shape = shape};
    return ag_apply(&expand_op, 1, &x, &p, sizeof p);
}

/* Ops that share their input's data: reshape, flatten, on_tape, detach. */
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/written_internal.h"

/* ---- reshape. ---- */

static bool reshape_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape, *asked = node->attr;
    ag_shape        s = *asked;
    int64_t         known = 1, n = ag_numel(x);
    int             unknown = -1;
    bool            valid = s.rank >= 0 && s.rank <= AG_MAX_RANK;
    for (int i = 0; valid && i < s.rank; i++) {
        if (s.dim[i] == -1 && unknown < 0)
            unknown = i;
        else if (s.dim[i] < 1 || s.dim[i] > n / known)
            valid = false;
        else
            known *= s.dim[i];
    }
    if (valid && unknown >= 0)
        s.dim[unknown] = n / known;
    if (!valid || ag_numel(&s) != n)
        return ag_op_fail(node, "%s has %lld elements, which do not make %s", AG_STR(x), (long long)n, AG_STR(asked));
    node->out->shape = s;
    node->out->data = node->in[0]->data;
    return true;
}

const ag_op ag__reshape_op = {"reshape", reshape_shape, NULL, ag_view_backward};

ag_tensor *ag_reshape(ag_tensor *x, ag_shape shape)
{
    return ag_apply(&ag__reshape_op, 1, &x, &shape, sizeof shape);
}

/* ---- flatten. ---- */

static bool flatten_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    const int      *range = node->attr;
    ag_shape       *out = &node->out->shape;
    if (x->rank == 0) {
        *out = AG_SHAPE(1);
        node->out->data = node->in[0]->data;
        return true;
    }
    int first = ag_axis_index(x, range[0]), last = ag_axis_index(x, range[1]);
    if (first < 0 || last < first)
        return ag_op_fail(node, "axes %d to %d of %s: expected two axes in order", range[0], range[1], AG_STR(x));
    for (int i = 0; i < x->rank; i++)
        if (i > first && i <= last)
            out->dim[out->rank - 1] *= x->dim[i];
        else
            out->dim[out->rank++] = x->dim[i];
    node->out->data = node->in[0]->data;
    return true;
}

const ag_op ag__flatten_op = {"flatten", flatten_shape, NULL, ag_view_backward};

ag_tensor *ag_flatten(ag_tensor *x, int first, int last)
{
    int range[] = {first, last};
    return ag_apply(&ag__flatten_op, 1, &x, range, sizeof range);
}

/* ---- on_tape and detach. ---- */

static bool same_shape(ag_node *node)
{
    node->out->shape = node->in[0]->shape;
    node->out->data = node->in[0]->data;
    return true;
}

const ag_op        ag__on_tape_op = {"on_tape", same_shape, NULL, ag_view_backward};
static const ag_op detach_op = {"detach", same_shape, NULL, NULL};

ag_tensor *ag_on_tape(ag_tape *tape, ag_tensor *t)
{
    return ag_apply_on(tape, &ag__on_tape_op, 1, &t, NULL, 0);
}

ag_tensor *ag_detach(ag_tensor *t)
{
    return ag_apply(&detach_op, 1, &t, NULL, 0);
}

/* slice and chunk: a part of a tensor along one axis. */
#include "autograd/kernels/copy.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/slice_internal.h"
#include "autograd/ops/written_internal.h"

/* As Python counts: from the end if negative, and clipped to what is there. */
static int64_t position(int64_t at, int64_t size)
{
    at += at < 0 ? size : 0;
    return at < 0 ? 0 : at > size ? size : at;
}

static bool slice_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    ag__slice_plan *p = node->attr;
    int             axis = ag_axis_index(x, p->axis);
    if (axis < 0)
        return ag_op_fail(node, "%s has no axis %d", AG_STR(x), p->axis);
    const int64_t size = x->dim[axis], begin = position(p->begin, size), end = position(p->end, size);
    if (begin >= end)
        return ag_op_fail(node, "[%lld:%lld] of axis %d of %s is empty; a tensor has at least one element",
                          (long long)p->begin, (long long)p->end, p->axis, AG_STR(x));
    int64_t inner = 1;
    for (int i = axis + 1; i < x->rank; i++)
        inner *= x->dim[i];
    p->block = size * inner;
    p->piece = (end - begin) * inner;
    p->offset = begin * inner;
    p->blocks = ag_numel(x) / p->block;
    node->out->shape = *x;
    node->out->shape.dim[axis] = end - begin;
    return true;
}

static void slice_forward(ag_node *node)
{
    const ag__slice_plan *p = node->attr;
    agk_copy_rows(p->blocks, p->piece, node->in[0]->data + p->offset, p->block, false, node->out->data, p->piece);
}

enum { SHORT_BLOCK = 64 /* reals that are sooner zeroed than left out */ };

/* Around the piece the gradient is zero. */
static void zero_around(const ag__slice_plan *p, ag_real *dx)
{
    const int64_t end = p->offset + p->piece;
    if (p->block <= SHORT_BLOCK) {
        agk_zero_rows(1, p->blocks * p->block, dx, 0);
        return;
    }
    agk_zero_rows(p->blocks, p->offset, dx, p->block);
    agk_zero_rows(p->blocks, p->block - end, dx + end, p->block);
}

static void slice_backward(const ag_node *node)
{
    const ag__slice_plan *p = node->attr;
    ag_grad_target        dx = ag_grad_open(node->in[0]);
    if (!dx.data)
        return;
    if (!dx.add)
        zero_around(p, dx.data);
    agk_copy_rows(p->blocks, p->piece, node->out->grad, p->piece, dx.add, dx.data + p->offset, p->block);
}

const ag_op ag__slice_op = {"slice", slice_shape, slice_forward, slice_backward};

ag_tensor *ag_slice(ag_tensor *x, int axis, int64_t begin, int64_t end)
{
    ag__slice_plan p = {.axis = axis, .begin = begin, .end = end};
    return ag_apply(&ag__slice_op, 1, &x, &p, sizeof p);
}

int ag_chunk(ag_tensor *x, int chunks, int axis, ag_tensor **piece)
{
    if (!piece) {
        ag_fail(x ? x->tape : NULL, "chunk: no place for the pieces");
        return 0;
    }
    int index = x ? ag_axis_index(&x->shape, axis) : -1;
    if (index < 0 || chunks < 1) {
        ag_tensor *poison = ag_fail(x ? x->tape : NULL, "chunk: %d pieces of axis %d of %s: no such axis, or no piece",
                                    chunks, axis, x ? AG_STR(&x->shape) : "NULL");
        for (int i = 0; i < chunks; i++)
            piece[i] = poison;
        return chunks < 0 ? 0 : chunks;
    }
    int64_t size = x->shape.dim[index], part = (size + chunks - 1) / chunks;
    int     made = 0;
    for (int i = 0; i < chunks; i++) {
        int64_t begin = i * part, end = begin + part < size ? begin + part : size;
        piece[i] = begin < size ? ag_slice(x, axis, begin, end) : NULL;
        made += piece[i] != NULL;
    }
    return made;
}

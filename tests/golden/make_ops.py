"""Adds to tests/golden/ops.txt what PyTorch computes, in double, for each sample of tests/support/samples.c that is not there yet.
The inputs of a case depend on its name alone, so that a new case changes no other. `make golden` runs it:

    build/f64/tests/list_samples | python3 tests/golden/make_ops.py [--all]        --all: makes all cases anew
"""
import io
import os
import sys

import torch
import torch.nn.functional as F

import cases

torch.set_default_dtype(torch.float64)
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ops.txt")

UNARY = {
    "neg": torch.neg, "abs": torch.abs, "exp": torch.exp, "log": torch.log, "log1p": torch.log1p,
    "sqrt": torch.sqrt, "square": torch.square, "reciprocal": torch.reciprocal, "relu": F.relu, "gelu": F.gelu,
    "silu": F.silu, "softplus": F.softplus, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.7), "elu": lambda x: F.elu(x, 0.7), "scale": lambda x: x * 0.7,
    "shift": lambda x: x + 0.7, "rsub": lambda x: 0.7 - x, "pow": lambda x: x ** 0.7, "clamp": lambda x: x.clamp(-0.7, 0.8),
}
BINARY = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum,
          "minimum": torch.minimum,
          # without a gradient in PyTorch; here it is 0
          **{name: lambda a, b, f=getattr(torch, name): f(a, b).to(a) + 0 * (a + b) for name in ("eq", "ne", "lt", "le", "gt", "ge")}}


def kl(mu, logvar, reduction):
    element = -0.5 * (1 + logvar - mu ** 2 - logvar.exp())
    return {"mean": element.mean, "sum": element.sum, "none": lambda: element}[reduction]()


LOSSES = {
    "smooth_l1_loss": F.smooth_l1_loss, "mse_loss": F.mse_loss, "l1_loss": F.l1_loss, "bce_loss": F.binary_cross_entropy,
    "bce_with_logits_loss": F.binary_cross_entropy_with_logits,
    "cross_entropy_loss": lambda x, t, reduction: F.cross_entropy(x, t.long(), reduction=reduction),
}


def chunk_then_mul(x):
    a, b = x.chunk(2, 1)
    return a * b.tanh()


def chunk_uneven(x):
    return sum((i + 1) * (p ** 2).sum() for i, p in enumerate(x.chunk(4, -1)))


def batch_norm(x, w, b, training):
    mean, var = torch.full((x.shape[1],), 0.25), torch.full((x.shape[1],), 1.5)
    return F.batch_norm(x, mean, var, w, b, training)


CLASS_WEIGHTS = torch.tensor([0.5, 1.5, 1, 2])

OTHER = {
    "conv2d/bias": lambda x, w, b: F.conv2d(x, w, b, (2, 1), (1, 2), (1, 2), 2),
    "conv1d/bias": lambda x, w, b: F.conv1d(x, w, b, 2, 1, 2),
    "conv_transpose2d/bias": lambda x, w, b: F.conv_transpose2d(x, w, b, (2, 1), (1, 1), (1, 1), 2, (1, 2)),
    "max_pool2d/": lambda x: F.max_pool2d(x, (3, 2), (2, 1), (1, 0), (1, 2), True),
    "avg_pool2d/": lambda x: F.avg_pool2d(x, (3, 2), (2, 2), (1, 1), True, False),
    "adaptive_avg_pool2d/": lambda x: F.adaptive_avg_pool2d(x, (3, 2)),
    "upsample_nearest2d/": lambda x: F.interpolate(x, scale_factor=(2, 3), mode="nearest"),
    "batch_norm/train": lambda x, w, b: batch_norm(x, w, b, True),
    "batch_norm/eval": lambda x, w, b: batch_norm(x, w, b, False),
    "layer_norm/weight": lambda x, w, b: F.layer_norm(x, w.shape, w, b),
    # Some of these have no backward in PyTorch with only one of weight and bias.
    "batch_norm/scale": lambda x, w: batch_norm(x, w, torch.zeros_like(w), True),
    "layer_norm/scale": lambda x, w: F.layer_norm(x, w.shape, w),
    "group_norm/shift": lambda x, b: F.group_norm(x, 2, torch.ones_like(b), b),
    "layer_norm/plain": lambda x: F.layer_norm(x, x.shape[-1:]),
    "group_norm/weight": lambda x, w, b: F.group_norm(x, 2, w, b), "group_norm/plain": lambda x: F.group_norm(x, 3),
    "reshape/": lambda x: x.reshape(4, -1), "flatten/": lambda x: x.flatten(1, -1),
    "permute/": lambda x: x.permute(2, 0, 1), "transpose/": lambda x: x.transpose(0, -1),
    "slice/middle": lambda x: x[:, 1:-1], "slice/first": lambda x: x[0:1],
    "chunk/then_mul": chunk_then_mul, "chunk/uneven": chunk_uneven,
    "concat/rows": lambda a, b: torch.cat([a, b], 0), "concat/middle": lambda a, b: torch.cat([a, b, a], -2),
    "expand/": lambda x: x.expand(2, 3, 4), "expand/keep": lambda x: x.expand(5, -1, 4),
    "sum/all": torch.sum, "sum/all_keep": lambda x: x.sum(tuple(range(x.dim())), keepdim=True),
    "sum/first": lambda x: x.sum(0), "sum/last": lambda x: x.sum(-1, keepdim=True), "sum/two": lambda x: x.sum((0, 2)),
    "mean/all": torch.mean, "mean/two": lambda x: x.mean((1, 2), keepdim=True), "mean/middle": lambda x: x.mean(1),
    "max/all": torch.amax, "max/last": lambda x: x.amax(2), "max/outer": lambda x: x.amax((0, 1), keepdim=True),
    "softmax/last": lambda x: x.softmax(-1), "softmax/middle": lambda x: x.softmax(1),
    "log_softmax/last": lambda x: x.log_softmax(-1), "log_softmax/first": lambda x: x.log_softmax(0),
    "logsumexp/last": lambda x: x.logsumexp(2), "logsumexp/first": lambda x: x.logsumexp(0),
    "matmul/": torch.matmul, "linear/bias": F.linear, "linear/plain": F.linear,
    "embedding/": lambda i, w: F.embedding(i.long(), w), "dropout/eval": lambda x: F.dropout(x, 0.4, False),
    "where/": lambda a, b, c: torch.where(a > b, a * b, c),
    "masked_fill/": lambda x: x.masked_fill(x < 0.05, -0.5),
    "index_select/": lambda i, x: x.index_select(1, i.long()),
    "gather/last": lambda i, x: x.gather(-1, i.long()), "gather/first": lambda i, x: x.gather(0, i.long()),
    "scatter_add/last": lambda i, x, s: x.scatter_add(-1, i.long(), s),
    "scatter_add/first": lambda i, x, s: x.scatter_add(0, i.long(), s),
    "stack/last": lambda a, b: torch.stack([a, b], -1), "stack/middle": lambda a, b: torch.stack([a, b, a], 1),
    "pad/middle": lambda x: F.pad(x, (0, 0, 2, 1), value=0.5),
    "cumsum/last": lambda x: x.cumsum(-1), "cumsum/middle": lambda x: x.cumsum(1),
    "argmax/middle": lambda x: x * x.argmax(1, keepdim=True), "argmin/last": lambda x: x.sum(-1) * x.argmin(-1),
    "min/last": lambda x: x.amin(2), "min/all": lambda x: x.amin(tuple(range(x.dim())), keepdim=True),
    "var/two": lambda x: x.var((0, 2), keepdim=True), "var/all": lambda x: x.var(correction=0),
    "std/last": lambda x: x.std(-1),
    "nll_loss/mean": lambda x, t: F.nll_loss(x, t.long(), CLASS_WEIGHTS, ignore_index=1),
    "nll_loss/none": lambda x, t: F.nll_loss(x, t.long(), CLASS_WEIGHTS, reduction="none"),
    "nll_loss/plain": lambda x, t: F.nll_loss(x, t.long()),
    "cross_entropy_loss_with/mean": lambda x, t: F.cross_entropy(x, t.long(), CLASS_WEIGHTS, ignore_index=1, label_smoothing=0.1),
    "cross_entropy_loss_with/sum": lambda x, t: F.cross_entropy(x, t.long(), CLASS_WEIGHTS, reduction="sum", label_smoothing=0.3),
    "cross_entropy_loss_with/smoothing": lambda x, t: F.cross_entropy(x, t.long(), reduction="none", label_smoothing=0.2),
    "bce_with_logits_loss_weighted/mean": lambda x, t: F.binary_cross_entropy_with_logits(x, t, pos_weight=CLASS_WEIGHTS),
    "bce_with_logits_loss_weighted/none":
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, pos_weight=CLASS_WEIGHTS, reduction="none"),
    "conv_transpose1d/bias": lambda x, w, b: F.conv_transpose1d(x, w, b, 2, 1, 1, 1, 2),
    "max_pool1d/": lambda x: F.max_pool1d(x, 3, 2, 1),
    "one_hot/times": lambda i, x: F.one_hot(i.long(), 4) * x,
}


def function(name):
    op, variant = name.split("/")
    if op in UNARY:
        return UNARY[op]
    if op in BINARY:
        return BINARY[op]
    if op == "gaussian_kl_loss":
        return lambda a, b: kl(a, b, variant)
    if op in LOSSES:
        return lambda a, b: LOSSES[op](a, b, reduction=variant)
    if name in OTHER:
        return OTHER[name]
    return getattr(torch, op, None) or getattr(F, op)  # a new op of one tensor under its PyTorch name


def make_case(name, k, inputs):
    """The lines of one case."""
    f = io.StringIO()
    cases.seed(name, k)
    args = [cases.make_input(*cases.parse_input(text)) for text in inputs]
    y = function(name)(*args)
    weight = cases.make_weight(y.shape)
    (y * weight).sum().backward()
    print("case", name, k, file=f)
    for x in args:
        cases.write(f, "in", x)
    cases.write(f, "weight", weight)
    cases.write(f, "out", y)
    for x in args:
        if x.requires_grad:
            cases.write(f, "grad", x.grad if x.grad is not None else torch.zeros_like(x))
    return f.getvalue()


def has_shapes(case, inputs):
    """Whether a case is of inputs of these shapes."""
    return cases.shapes(case, "in ") == [("in", cases.parse_input(text)[1]) for text in inputs]


old, new = cases.read(GOLDEN), []
for line in sys.stdin:
    name, k, *inputs = line.split()
    case = old.get((name, k), "")
    if not has_shapes(case, inputs):
        print("made", name, k)
        case = make_case(name, k, inputs)
    new.append(case)
cases.save(GOLDEN, new)

"""Makes tests/golden/compositions.txt: PyTorch's results and gradients, in double, of the functions that
tests/autograd/compositions.c composes of ops. Also checks that the names in tools/ops_torch.txt are PyTorch's.

    python3 tests/golden/make_compositions.py > tests/golden/compositions.txt
"""
import os
import re

import torch
import torch.nn.functional as F
from torch import nn

torch.set_default_dtype(torch.float64)


def values(domain, seed, *shape):
    """The same values as in tests/autograd/compositions.c."""
    n = torch.Size(shape).numel()
    k = torch.arange(n) * 7919 + 1301 * seed
    if domain in ("mask", "index"):
        return (k % (2 if domain == "mask" else 4)).double().reshape(shape)
    x = (k % 10007) / 10007 * 4 - 2
    return (x if domain == "real" else x.abs() + 0.2).reshape(shape).requires_grad_()


def cell(kind):
    def apply(x, *rest):
        *state, w, u, b, c = rest
        m = kind(x.shape[1], state[0].shape[1])
        parameters = dict(weight_ih=w, weight_hh=u, bias_ih=b, bias_hh=c)
        out = torch.func.functional_call(m, parameters, (x, tuple(state) if len(state) > 1 else state[0]))
        return sum(out) if isinstance(out, tuple) else out
    return apply


def self_attention(x, in_weight, in_bias, out_weight, out_bias):
    m = nn.MultiheadAttention(6, 2, batch_first=True)
    parameters = {"in_proj_weight": in_weight, "in_proj_bias": in_bias, "out_proj.weight": out_weight, "out_proj.bias": out_bias}
    return torch.func.functional_call(m, parameters, (x, x, x), {"need_weights": False})[0]


def cell_inputs(gates, states=1):
    return [(2, 3)] + [(2, 4)] * states + [(4 * gates, 3), (4 * gates, 4), (4 * gates,), (4 * gates,)]


CASES = {  # inputs, each a shape or (domain, shape); the function
    "hardsigmoid": ([(3, 4)], lambda x: F.relu6(x + 3) / 6),  # F.hardsigmoid has 1/6 rounded to float, even in double
    "logsigmoid": ([(3, 4)], F.logsigmoid),
    "norm": ([(3, 4)], torch.linalg.vector_norm),
    "normalize": ([(3, 4)], F.normalize),
    "relu6": ([(3, 4)], F.relu6),
    "rms_norm": ([(3, 4)], lambda x: F.rms_norm(x, (4,), eps=1e-5)),
    "rsqrt": ([("positive", (3, 4))], torch.rsqrt),
    "selu": ([(3, 4)], F.selu),
    "softmin": ([(3, 4)], lambda x: F.softmin(x, -1)),
    "softsign": ([(3, 4)], F.softsign),
    "glu": ([(3, 4)], F.glu),
    "instance_norm": ([(2, 3, 4, 2)], F.instance_norm),
    "prelu": ([(3, 4), (4,)], F.prelu),
    "outer": ([(2, 3), (2, 4)], lambda a, b: torch.einsum("bi,bj->bij", a, b)),
    "product_of_rows": ([(2, 3, 4), (2, 5, 4)], lambda a, b: torch.einsum("bij,bkj->bik", a, b)),
    "over_channels": ([(2, 3, 4, 2), (5, 3)], lambda x, w: torch.einsum("bchw,dc->bdhw", x, w)),
    "cosine_similarity": ([(3, 4), (3, 4)], F.cosine_similarity),
    "cdist": ([(3, 4), (2, 4)], torch.cdist),
    "kl_div": ([(3, 4), ("positive", (3, 4))], lambda p, q: F.kl_div(p, q, reduction="sum")),
    "bilinear": ([(2, 3), (3, 4), (2, 4)], lambda a, w, b: torch.einsum("bi,ij,bj->b", a, w, b)),
    "pixel_shuffle": ([(2, 8, 2, 3)], lambda x: F.pixel_shuffle(x, 2)),
    "huber_loss": ([(3, 4), (3, 4)], lambda x, t: F.huber_loss(x, t, delta=0.73)),
    "smooth_l1_loss": ([(3, 4), (3, 4)], lambda x, t: F.smooth_l1_loss(x, t, beta=0.73)),
    "gaussian_nll_loss": ([(3, 4), (3, 4), ("positive", (3, 4))], F.gaussian_nll_loss),
    "margin_ranking_loss": ([(5,), (5,), ("mask", (5,))], lambda a, b, y: F.margin_ranking_loss(a, b, 2 * y - 1, margin=0.3)),
    "attention": ([(2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4)], F.scaled_dot_product_attention),
    "self_attention": ([(2, 3, 6), (18, 6), (18,), (6, 6), (6,)], self_attention),
    "rnn_cell": (cell_inputs(1), cell(nn.RNNCell)),
    "gru_cell": (cell_inputs(3), cell(nn.GRUCell)),
    "lstm_cell": (cell_inputs(4, 2), cell(nn.LSTMCell)),
}


def row(x):
    print(x.numel(), *("%.12g" % v for v in x.detach().flatten().tolist()))


for name, (inputs, function) in CASES.items():
    specs = [s if s and isinstance(s[0], str) else ("real", s) for s in inputs]
    args = [values(domain, i, *shape) for i, (domain, shape) in enumerate(specs, 1)]
    y = function(*args)
    print("case", name)
    for domain, shape in specs:
        print("in", domain, len(shape), *shape)
    row(y)
    if y.requires_grad:
        (y * values("real", 9, *y.shape).detach()).sum().backward()
    for x in args:
        if x.requires_grad:
            row(x.grad)

for line in open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/ops_torch.txt")):
    name = line.split("|")[1].strip() if "|" in line and not line.startswith("#") else ""
    if re.fullmatch(r"(torch|F)(\.\w+)+", name):
        eval(name)

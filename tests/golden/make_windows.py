"""Makes tests/golden/windows.txt: PyTorch's results and gradients for the convolutions and pools of windows_cases.txt.

    python3 tests/golden/make_windows.py > tests/golden/windows.txt
"""
import os

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def values(seed, *shape):
    """The same in tests/autograd/windows.c: no two alike, in -2..2."""
    n = torch.Size(shape).numel()
    return ((torch.arange(n) * 7919 + 1301 * seed) % 10007 / 10007 * 4 - 2).reshape(shape).requires_grad_()


def row(x):
    print(x.numel(), *("%.10g" % v for v in x.detach().flatten().tolist()))


for line in open(os.path.join(os.path.dirname(__file__), "windows_cases.txt")):
    if line.startswith("#"):
        continue
    kind, *numbers = line.split()
    n, c, h, w, o, kh, kw, sh, sw, ph, pw, dh, dw, oph, opw, groups, flag = map(int, numbers)
    stride = (sh or (1 if kind.startswith("conv") else kh), sw or (1 if kind.startswith("conv") else kw))
    kernel, padding, dilation = (kh, kw), (ph, pw), (dh, dw)
    inputs = [values(1, n, c, h, w)]
    if kind == "conv2d":
        inputs += [values(2, o, c // groups, kh, kw)] + ([values(3, o)] if flag else [])
        y = F.conv2d(inputs[0], inputs[1], inputs[2] if flag else None, stride, padding, dilation, groups)
    elif kind == "conv_transpose2d":
        inputs += [values(2, c, o // groups, kh, kw)] + ([values(3, o)] if flag else [])
        y = F.conv_transpose2d(inputs[0], inputs[1], inputs[2] if flag else None, stride, padding, (oph, opw), groups, dilation)
    elif kind == "max_pool2d":
        y = F.max_pool2d(inputs[0], kernel, stride, padding, dilation, bool(groups))
    elif kind == "avg_pool2d":
        y = F.avg_pool2d(inputs[0], kernel, stride, padding, bool(groups), not flag)
    else:
        y = F.adaptive_avg_pool2d(inputs[0], kernel)
    (y * values(4, *y.shape).detach()).sum().backward()
    print("case", line.strip())
    row(y)
    for x in inputs:
        row(x.grad)

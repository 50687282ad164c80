"""Adds to tests/golden/layers.txt what PyTorch computes, in double, for each sample of tests/support/layers.c that is not there yet.
`make golden` runs it:

    build/f64/tests/list_layers | python3 tests/golden/make_layers.py [--all]        --all: makes all cases anew

A layer that only has other options than before, and parameters of the same shapes, keeps its case: remove the case, or use --all.
"""
import io
import os
import sys

import torch
from torch import nn

import cases

torch.set_default_dtype(torch.float64)
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "layers.txt")

# The layers of tests/support/layers.c by name: those of its lines MAKE(name, ...), with the same options.
LAYERS = {
    "linear": lambda: nn.Linear(4, 3), "linear_without_bias": lambda: nn.Linear(4, 3, bias=False),
    "conv1d": lambda: nn.Conv1d(2, 3, 3, stride=2, padding=1),
    "conv2d": lambda: nn.Conv2d(1, 2, 3, stride=2, padding=1),
    "conv2d_with": lambda: nn.Conv2d(2, 4, (2, 3), groups=2, bias=False),
    "conv_transpose2d": lambda: nn.ConvTranspose2d(2, 1, 3, stride=2, padding=1),
    "conv_transpose2d_with": lambda: nn.ConvTranspose2d(2, 2, (2, 3), stride=2, output_padding=(1, 0)),
    "conv_transpose1d": lambda: nn.ConvTranspose1d(2, 3, 3, stride=2, output_padding=1), "max_pool1d": lambda: nn.MaxPool1d(3, 2),
    "max_pool2d": lambda: nn.MaxPool2d(2),
    "max_pool2d_with": lambda: nn.MaxPool2d((2, 3), stride=(1, 2), ceil_mode=True),
    "avg_pool2d": lambda: nn.AvgPool2d(2, stride=1),
    "avg_pool2d_with": lambda: nn.AvgPool2d(2, padding=1, count_include_pad=False),
    "adaptive_avg_pool2d": lambda: nn.AdaptiveAvgPool2d(1),
    "upsample_nearest2d": lambda: nn.Upsample(scale_factor=2, mode="nearest"),
    "batch_norm1d": lambda: nn.BatchNorm1d(3), "batch_norm2d": lambda: nn.BatchNorm2d(2),
    "batch_norm1d_with": lambda: nn.BatchNorm1d(3, affine=False, eps=0.01),
    "batch_norm2d_with": lambda: nn.BatchNorm2d(2, momentum=0.5),
    "layer_norm": lambda: nn.LayerNorm(4), "layer_norm_with": lambda: nn.LayerNorm(4, elementwise_affine=False),
    "group_norm": lambda: nn.GroupNorm(2, 6), "group_norm_with": lambda: nn.GroupNorm(3, 3, eps=0.01, affine=False),
    "embedding": lambda: nn.Embedding(3, 4), "dropout": lambda: nn.Dropout(0.3),
    "flatten": lambda: nn.Flatten(), "unflatten": lambda: nn.Unflatten(-1, (2, 3)),
    "relu": lambda: nn.ReLU(), "leaky_relu": lambda: nn.LeakyReLU(0.1), "elu": lambda: nn.ELU(0.7), "gelu": lambda: nn.GELU(),
    "silu": lambda: nn.SiLU(), "softplus": lambda: nn.Softplus(), "sigmoid": lambda: nn.Sigmoid(), "tanh": lambda: nn.Tanh(),
    "softmax": lambda: nn.Softmax(1), "log_softmax": lambda: nn.LogSoftmax(-1),
    "sequential_of": lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Sequential(nn.Dropout(0.2), nn.Linear(6, 2)),
                                           nn.Flatten()),
}


def make_state(net):
    """Values for all parameters and buffers; a buffer's are positive, as a variance is."""
    parameters = dict(net.named_parameters())
    with torch.no_grad():
        for name, x in net.state_dict(keep_vars=True).items():
            if x.is_floating_point():
                x.copy_(cases.make_input("real" if name in parameters else "positive", x.shape))


def make_case(name, k, net, domain, shape):
    """The lines of one case. Dropout, whose results in training are random, is compared in evaluation."""
    f = io.StringIO()
    cases.seed(name, k)
    x = cases.make_input(domain, shape, classes=3)
    make_state(net)
    net.train(not any(isinstance(m, nn.Dropout) for m in net.modules()))
    print("case", name, k, file=f)
    cases.write(f, "training", torch.tensor(float(net.training)))
    cases.write(f, "in", x)
    for key, value in net.state_dict().items():
        cases.write(f, "state:" + key, value)
    y = net(x if domain != "index" else x.long())
    weight = cases.make_weight(y.shape)
    cases.write(f, "weight", weight)
    cases.write(f, "out", y)
    if y.requires_grad:
        (y * weight).sum().backward()
    if x.requires_grad:
        cases.write(f, "grad", x.grad)
    for key, value in net.state_dict(keep_vars=True).items():
        is_parameter = isinstance(value, nn.Parameter)
        cases.write(f, ("grad:" if is_parameter else "moved:") + key, value.grad if is_parameter else value)
    return f.getvalue()


def is_current(case, net, shape):
    """Whether a case has an input of this shape and the state of this layer."""
    wanted = [("in", shape)] + [("state:" + key, list(x.shape)) for key, x in net.state_dict().items()]
    return cases.shapes(case, "in ", "state:") == wanted


old, new = cases.read(GOLDEN), []
for line in sys.stdin:
    name, k, text = line.split()
    if name not in LAYERS:
        sys.exit(f"nn_{name} is not in LAYERS in tests/golden/make_layers.py: add PyTorch's module with the options of its sample")
    net = LAYERS[name]()
    domain, shape = cases.parse_input(text)
    case = old.get((name, k), "")
    if not is_current(case, net, shape):
        print("made", name, k)
        case = make_case(name, k, net, domain, shape)
    new.append(case)
cases.save(GOLDEN, new)

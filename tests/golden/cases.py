"""What make_ops.py and make_layers.py share: files of cases, "case NAME NUMBER" and then lines of a label, rank, dimensions and values."""
import os
import sys
import zlib

import torch


def seed(name, k):
    """The random numbers of a case depend on its name alone, so that a new case changes no other."""
    torch.manual_seed(zlib.crc32(f"{name} {k}".encode()))


def make_input(domain, shape, classes=4):
    x = (torch.randint(-20, 20, shape) + 0.2 + 0.6 * torch.rand(shape)) / 10  # away from multiples of 0.1
    if domain == "positive":
        x = x.abs() + 0.2
    elif domain == "unit":
        x = x.abs() / 2.2 + 0.04
    elif domain == "index":
        x = torch.randint(0, classes, shape).double()
    x = torch.tensor([float("%.6f" % v) for v in x.flatten()]).reshape(shape)  # short in the file, exact here
    return x.requires_grad_(domain != "index")


def make_weight(shape):
    """What a result is multiplied with before it is summed and differentiated."""
    return torch.randint(-20, 20, shape) / 10 + 0.05


def parse_input(text):
    """The domain and shape of "real:2,3"."""
    domain, _, dims = text.partition(":")
    return domain, [int(d) for d in dims.split(",")] if dims else []


def write(f, label, x):
    print(label, x.dim(), *x.shape, *("%.12g" % v for v in x.detach().flatten().tolist()), file=f)


def read(path):
    """The cases that are there, or with --all none: (name, number) to lines."""
    cases = {}
    if "--all" not in sys.argv and os.path.exists(path):
        for text in open(path).read().split("case ")[1:]:
            name, k = text.split(None, 2)[:2]
            cases[name, k] = "case " + text
    return cases


def shapes(case, *labels):
    """Label and dimensions of the lines of a case whose labels begin so."""
    lines = [line.split() for line in case.splitlines() if line.startswith(labels)]
    return [(label, [int(d) for d in rest[:int(rank)]]) for label, rank, *rest in lines]


def save(path, cases):
    with open(path + ".part", "w") as f:
        f.write("".join(cases))
    os.replace(path + ".part", path)

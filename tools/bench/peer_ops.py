"""The cases of ops.def in PyTorch, for `peer.py --ops`: eager, backward by autograd from a ready-made gradient.

PyTorch gets its best settings: fused optimizers (foreach where there is none), foreach clipping, and for images whichever of
contiguous and channels last is faster.
"""
import statistics
import time

import torch
import torch.nn.functional as F

import pytorch_models
from cases import all_cases, cases_in


def sizes(text):
    return tuple(int(size) for size in text.split("x"))


class Case:
    def __init__(self, line):
        self.line = line
        self.op, *words = line.split()
        self.forward_only = "forward" in words
        self.attributes = dict(word.split("=") for word in words if "=" in word)
        self.inputs = [word.rpartition(":")[::2] for word in words if "=" not in word and word != "forward"]
        self.shapes = [sizes(shape) for _, shape in self.inputs]

    def text(self, key, otherwise=None):
        return self.attributes.get(key, otherwise)

    def number(self, key, otherwise=0):
        value = float(self.text(key, otherwise))
        return int(value) if value == int(value) else value

    def digits(self, key):
        return tuple(int(digit) for digit in self.text(key))

    def pair(self, key, otherwise):
        value = sizes(self.text(key, str(int(otherwise))))
        return value[0], value[-1]

    def tensors(self):
        return [self.tensor(kind, shape) for (kind, _), shape in zip(self.inputs, self.shapes)]

    def tensor(self, kind, shape):
        if kind == "index":
            return torch.randint(self.number("below", 1), shape)
        if kind == "mask":
            return torch.randint(2, shape).bool()
        x = torch.rand(shape) * 2 - 1 if kind == "" else torch.rand(shape) * 0.8 + 0.1
        return x.requires_grad_(kind in ("", "unit") and not self.forward_only)


# ---- The ops: each takes a case and returns a function of its inputs. ----

def plain(function, *more, **named):
    return lambda c: lambda *x: function(*x, *more, **named)


def along(function):
    return lambda c: lambda x, axis=c.number("axis", -1): function(x, axis)


def reduced(function, everything=None):
    def make(c):
        if "axes" in c.attributes:
            return lambda x, axes=c.digits("axes"): function(x, axes)
        return everything or function
    return make


def with_number(function):
    return lambda c: lambda x, p=c.number("p", 0.5): function(x, p)


def loss(function):
    return lambda c: lambda *x, how=c.text("reduction", "mean"): function(*x, reduction=how)


def gaussian_kl(mu, logvar, reduction):
    return -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


def spread(function):
    return lambda c: lambda x, axes=c.digits("axes"): function(x, axes, correction=1)


def pad(c):
    after = len(c.shapes[0]) - 1 - c.number("axis")
    return lambda x, sides=(0, 0) * after + (c.number("before"), c.number("after")): F.pad(x, sides)


def convolution(function, one=False):
    def make(c):
        cut = (lambda pair: pair[0]) if one else (lambda pair: pair)
        options = {key: cut(c.pair(key, key not in ("padding", "output_padding"))) for key in ("stride", "padding", "dilation")}
        if "transpose" in c.op:
            options["output_padding"] = cut(c.pair("output_padding", 0))
        return lambda *x: function(*x, groups=c.number("groups", 1), **options)
    return make


def pooling(function, one=False):
    def make(c):
        cut = (lambda pair: pair[0]) if one else (lambda pair: pair)
        kernel, padding = cut(c.pair("kernel", 0)), cut(c.pair("padding", 0))
        stride = cut(c.pair("stride", 0)) if "stride" in c.attributes else kernel
        return lambda x: function(x, kernel, stride, padding)
    return make


def chunk(c):
    def halves(x, axis=c.number("axis")):
        a, b = x.chunk(2, axis)
        return a + b
    return halves


def cut(c):
    axis, begin, length = c.number("axis"), c.number("begin"), c.number("end") - c.number("begin")
    return lambda x: x.narrow(axis, begin, length)


def contiguous(view):
    """PyTorch makes a view here, ours a new tensor: the copy is part of the case."""
    return lambda c, make=view: lambda x, f=make(c): f(x).contiguous()


OPS = {
    "relu": plain(F.relu), "gelu": plain(F.gelu), "silu": plain(F.silu), "softplus": plain(F.softplus),
    "leaky_relu": with_number(F.leaky_relu), "elu": with_number(F.elu), "scale": with_number(torch.mul),
    "shift": with_number(torch.add), "pow": with_number(torch.pow), "clamp": plain(torch.clamp, -0.5, 0.5),
    "reshape": lambda c: lambda x, shape=sizes(c.text("to")): x.reshape(shape),
    "permute": contiguous(lambda c: lambda x, order=c.digits("order"): x.permute(order)),
    "slice": contiguous(cut), "chunk": chunk,
    "concat": lambda c: lambda *x, axis=c.number("axis"): torch.cat(x, axis),
    "expand": contiguous(lambda c: lambda x, shape=sizes(c.text("to")): x.expand(shape)),
    "sum": reduced(torch.sum), "mean": reduced(torch.mean), "max": reduced(torch.amax, torch.amax),
    "softmax": along(torch.softmax), "log_softmax": along(torch.log_softmax), "logsumexp": along(torch.logsumexp),
    "matmul": plain(torch.matmul), "linear": plain(F.linear),
    "conv1d": convolution(F.conv1d, one=True), "conv2d": convolution(F.conv2d),
    "conv_transpose2d": convolution(F.conv_transpose2d),
    "max_pool2d": pooling(F.max_pool2d), "avg_pool2d": pooling(F.avg_pool2d),
    "adaptive_avg_pool2d": lambda c: lambda x, size=c.number("size", 1): F.adaptive_avg_pool2d(x, size),
    "upsample_nearest2d": lambda c: lambda x, factor=c.number("factor", 2): F.interpolate(x, scale_factor=factor),
    "batch_norm": lambda c: lambda x, w, b, mean, var: F.batch_norm(x, mean, var, w, b, training=True),
    "layer_norm": lambda c: lambda x, w, b: F.layer_norm(x, c.shapes[1], w, b),
    "group_norm": lambda c: lambda x, w, b: F.group_norm(x, c.number("groups", 1), w, b),
    "cross_entropy_weighted": plain(lambda x, target, weight: F.cross_entropy(x, target, weight)),
    "embedding": plain(F.embedding),
    "bernoulli_like": plain(lambda x: torch.empty_like(x).bernoulli_(0.3)), "dropout": plain(F.dropout, 0.3),
    "mse_loss": loss(F.mse_loss), "l1_loss": loss(F.l1_loss), "bce_loss": loss(F.binary_cross_entropy),
    "bce_with_logits_loss": loss(F.binary_cross_entropy_with_logits), "cross_entropy": loss(F.cross_entropy),
    "gaussian_kl_loss": loss(gaussian_kl), "smooth_l1_loss": loss(F.smooth_l1_loss), "nll_loss": loss(F.nll_loss),
    "mish": plain(F.mish), "masked_fill": lambda c: lambda x, mask: x.masked_fill(mask, -1),
    "stack": lambda c: lambda *x, axis=c.number("axis"): torch.stack(x, axis), "pad": pad,
    "index_select": lambda c: lambda x, index, axis=c.number("axis"): torch.index_select(x, axis, index),
    "gather": lambda c: lambda x, index, axis=c.number("axis"): torch.gather(x, axis, index),
    "scatter_add": lambda c: lambda x, index, source, axis=c.number("axis"): x.scatter_add(axis, index, source),
    "argmax": along(torch.argmax), "argmin": along(torch.argmin), "cumsum": along(torch.cumsum), "min": reduced(torch.amin, torch.amin),
    "var": spread(torch.var), "std": spread(torch.std), "max_pool1d": pooling(F.max_pool1d, one=True),
    "one_hot": lambda c: lambda index, classes=c.number("below"): F.one_hot(index, classes),
    "conv_transpose1d": convolution(F.conv_transpose1d, one=True),
}


def function_of(c):
    """An op that is not in the table is the function of that name in torch."""
    return OPS[c.op](c) if c.op in OPS else getattr(torch, c.op)


# ---- Timing. ----

def median_time(run, seconds):
    """In microseconds, as measure.c does it, with more runs to warm up: oneDNN and the allocator need them."""
    for _ in range(3):
        run()
    times, start = [], time.perf_counter()
    end = start + seconds
    while len(times) < 20000 and (len(times) < 5 or start < end):
        run()
        now = time.perf_counter()
        times.append(1e6 * (now - start))
        start = now
    return statistics.median(times)


def channels_last(tensors):
    for t in tensors:
        if t.dim() == 4:
            t.data = t.data.contiguous(memory_format=torch.channels_last)
    return tensors


def time_pass(c, seconds, prepare=lambda tensors: tensors):
    f, x = function_of(c), prepare(c.tensors())
    with torch.no_grad():
        y = f(*x)
        g = torch.rand(y.shape) * 2 - 1
    wanted = [t for t in x if t.requires_grad]

    def forward():
        f(*x)

    def both():
        for t in wanted:
            t.grad = None
        f(*x).backward(g)

    if wanted:
        return median_time(both, seconds)
    with torch.inference_mode():
        return median_time(forward, seconds)


HAS_LAYOUTS = ("conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "upsample_nearest2d", "batch_norm")


def time_op(c, seconds):
    if c.op in HAS_LAYOUTS and len(c.shapes[0]) == 4:
        return min(time_pass(c, seconds / 2), time_pass(c, seconds / 2, channels_last))
    return time_pass(c, seconds)


O = torch.optim
UPDATES = {
    "sgd": lambda p: O.SGD(p, lr=1e-3, fused=True),
    "sgd_momentum": lambda p: O.SGD(p, lr=1e-3, momentum=0.9, weight_decay=1e-4, nesterov=True, fused=True),
    "adam": lambda p: O.Adam(p, lr=1e-3, fused=True),
    "adamw": lambda p: O.AdamW(p, lr=1e-3, fused=True),
    "adagrad": lambda p: O.Adagrad(p, lr=1e-3, fused=True),
    "rmsprop": lambda p: O.RMSprop(p, lr=1e-3, foreach=True),
    "rmsprop_centered": lambda p: O.RMSprop(p, lr=1e-3, momentum=0.9, centered=True, foreach=True),
}
CLIPPINGS = {"clip_grad_norm": torch.nn.utils.clip_grad_norm_, "clip_grad_value": torch.nn.utils.clip_grad_value_}


def time_update(c, seconds):
    parameters = [t for _ in range(c.number("copies", 1)) for t in c.tensors()]
    for p in parameters:
        p.grad = 2 * p.detach()
    if c.op in UPDATES:
        return median_time(UPDATES[c.op](parameters).step, seconds)
    limit = 1.0

    def clip():
        nonlocal limit
        limit *= 0.9999
        CLIPPINGS[c.op](parameters, limit, foreach=True)
    return median_time(clip, seconds)


def steps_of(c):
    """The model of a case `step` of ops.def, and functions of a batch and its labels: a loss and the parameters it is for, each."""
    z, name, labels = pytorch_models, c.text("model"), c.number("labels")
    if name == "adversarial_ae":
        m = z.AdversarialAe(784, 1000, 10 if labels else 8, labels=labels)
        encoder = m.autoencoder.encoder
        parts = [(lambda x, y: m.reconstruction(x), m.autoencoder),
                 (lambda x, y: m.judge(x, y, torch.randn(len(x), labels + (10 if labels else 8))), m.discriminator),
                 (lambda x, y: m.deceive(x, y), encoder)]
        return m, parts + [(lambda x, y: F.cross_entropy(m.classify(x), y), encoder)] * bool(labels)
    if name == "vae_gan":
        m = z.VaeGan(784, 1024, 32)
        return m, [(lambda x, y: m.encoder_loss(x), m.encoder), (lambda x, y: m.discriminator_loss(x), m.discriminator),
                   (lambda x, y: m.decoder_loss(x, 0.01), m.decoder)]
    if name == "stacked_ae":
        m, layer = z.StackedAe(784), c.number("layer", 3)
        return m, [(lambda x, y: m.layer_loss(x, layer) if layer < 3 else F.cross_entropy(m(x), y), m)]
    if name == "deep_ae":
        m = z.deep_ae()
        return m, [(lambda x, y: F.binary_cross_entropy_with_logits(m(x), x, reduction="sum"), m)]
    if name == "couplet_vae":
        m = z.CoupletVae(8066, 10)
        return m, [(lambda x, y: sum(z.couplet_losses(m(x), x)), m)]
    if name == "cvae":
        m = z.ConditionalVae(784, 400, 20, 10)
        return m, [(lambda x, y: z.vae_loss(m(x, y), x), m)]
    if name == "iwae":
        two = c.number("layers", 1) == 2
        m = z.Iwae(784, 200, 100 if two else 50, (100, 50) if two else None)
        return m, [(lambda x, y: m.loss(x, c.number("k", 1)), m)]
    if name == "flow_vae":
        deep, planar = c.number("layers", 1) == 2, c.number("planar")
        m = z.FlowVae(784, 256 if deep else 400, 2 if deep else 1, 128 if deep else 40, planar or c.number("iaf"), planar > 0)
        return m, [(lambda x, y: m.loss(x), m)]
    if name == "vq_vae":
        m = z.VqVae(averages=False)
        return m, [(lambda x, y: m.loss(x, 0.1), m)]
    if name == "pixel_cnn":
        m = z.PixelCnn()
        return m, [(lambda x, y: m.loss(x), m)]
    raise ValueError(f"{c.line}: no such model")


def time_step(c, seconds):
    n, name = c.number("batch"), c.text("model")
    x = (torch.randint(8066, (n, 10)) if name == "couplet_vae" else torch.randint(64, (n, 7, 7)) if name == "pixel_cnn" else
         torch.randint(2, (n, 784)).float() if name in ("iwae", "flow_vae") else torch.rand(n, 784))
    y = torch.randint(10, (n,))

    def time_in(layout):
        model, losses = steps_of(c)
        model = model.to(memory_format=layout)
        rule = {"vae_gan": lambda p: O.RMSprop(p, lr=1e-4, foreach=True), "stacked_ae": lambda p: O.SGD(p, lr=0.01, fused=True)}.get(
            name, lambda p: O.Adam(p, lr=2e-4, fused=True))
        steps = [(loss, rule(part.parameters())) for loss, part in losses]

        def step():
            for loss, optimizer in steps:
                model.zero_grad(set_to_none=True)
                loss(x, y).backward()
                optimizer.step()
        return median_time(step, seconds)
    layouts = (torch.contiguous_format, torch.channels_last) if name in ("vq_vae", "pixel_cnn") else (torch.contiguous_format,)
    return min(time_in(layout) for layout in layouts)


def time_model(c, seconds, zoo):
    """zoo(letter, batch) yields a model and functions for one training step and one inference, for each layout to try."""
    times = []
    for model, train, infer in zoo(c.text("model"), c.number("batch")):
        if c.op == "train":
            times.append(median_time(train, seconds))
        else:
            model.eval()
            with torch.inference_mode():
                times.append(median_time(infer, seconds))
    return min(times)


def time_case(c, seconds, zoo):
    torch.manual_seed(1)
    if c.op in ("train", "infer"):
        return time_model(c, seconds, zoo)
    if c.op == "step":
        return time_step(c, seconds)
    if c.op in UPDATES or c.op in CLIPPINGS:
        return time_update(c, seconds)
    return time_op(c, seconds)


def run(options, zoo):
    """Of the cases in a file, those that PyTorch refuses are left out."""
    print("case,threads,us")
    for line in cases_in(options.cases) if options.cases else all_cases():
        if options.filter not in line:
            continue
        try:
            print(f"{line},{options.threads},{time_case(Case(line), options.seconds, zoo):.2f}", flush=True)
        except (IndexError, RuntimeError, ValueError):
            if not options.cases:
                raise

#!/usr/bin/env python3
"""The workloads of tools/bench/bench in PyTorch: the same models, recipes and batch sizes, the leanest idiomatic loop.

    tools/bench/peer.py [--data DIR] [--filter abc] [--threads N] [--seconds S] [--compile | --channels-last]
        prints workload,threads,us_per_step,spread_us as CSV: the median step and its spread (from the 1st to the 3rd quartile)
    tools/bench/peer.py --quality --seeds 1 2 3 [--data DIR] [--filter abc]
        trains each workload to its end with each seed and prints its measure, the twin of the zoo's table
    tools/bench/peer.py --ranks N [--data DIR] [--filter abc] [--seconds S]
        the same of N processes of one thread with DistributedDataParallel over gloo, each with its share of the batch
    tools/bench/peer.py --ops [--filter TEXT] [--threads N] [--seconds S]
        the cases of ops.def whose line contains TEXT, as case,threads,us: see peer_ops.py

Settings: fused optimizers, binary_cross_entropy_with_logits, the images as one float tensor gathered by index_select,
gradients set to None; --compile wraps model and loss in torch.compile, --channels-last keeps images and kernels so.
Without MNIST in DIR speed is measured on noise.
"""
import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default="data/mnist")
parser.add_argument("--filter", help="letters of workloads, or text of ops")
parser.add_argument("--cases", help="for --ops: a file with cases, one a line, in place of ops.def")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--epochs", type=int, help="in place of the recipe's, for --quality")
parser.add_argument("--seconds", type=float, default=1.0)
how = parser.add_mutually_exclusive_group()
how.add_argument("--compile", action="store_true")
how.add_argument("--channels-last", action="store_true")
what = parser.add_mutually_exclusive_group()
what.add_argument("--quality", action="store_true")
what.add_argument("--ranks", type=int)
what.add_argument("--ops", action="store_true")
parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
options = parser.parse_args()
if options.ops and (options.compile or options.channels_last):
    parser.error("--ops chooses the layout itself, and compiles nothing")
if options.ranks is not None and (options.ranks < 1 or options.threads != 1):
    parser.error("--ranks: expected at least 1, of one thread each")
if options.filter is None:
    options.filter = "" if options.ops else "abcdefghi" + "o" * options.quality
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = str(options.threads)

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import pytorch_models as zoo
import mnist
import peer_ops

torch.set_num_threads(options.threads)


# ---- Losses: of a model, a batch and its labels; and what the zoo's table reports of them, as a sum over the batch. ----

def vae_loss(m, x, _):
    return zoo.vae_loss(m(x), x)


def conditional_loss(m, x, y):
    return zoo.vae_loss(m(x, y), x)


def chunked_loss(m, x, _):
    r, mu, sigma = m(x)
    s = sigma * sigma
    return F.mse_loss(r, x) + 0.5 * torch.sum(mu * mu + s - torch.log(1e-8 + s) - 1) / x.numel()


def mse_loss(m, x, _):
    return F.mse_loss(m(x), x)


def conv_loss(m, x, _):
    x = x.reshape(-1, 1, 28, 28)
    return F.mse_loss(m(x), x)


def denoising_loss(m, x, _):
    noise = 0.01 * torch.randn(784) if m.training else 0
    return 0.5 * F.mse_loss(m(x + noise), x, reduction="sum")


def entropy_loss(m, x, y):
    return F.cross_entropy(m(x), y)


def mean_of(loss):
    return lambda m, x, y: loss(m, x, y) * len(x)


def correct(m, x, y):
    return (m(x).argmax(1) == y).sum()


def adam(p, lr, eps=1e-8):
    return torch.optim.Adam(p, lr=lr, eps=eps, fused=True)


def keras_adam(p, lr):
    return adam(p, lr, 1e-7)


def adagrad(p, lr):
    return torch.optim.Adagrad(p, lr=lr, initial_accumulator_value=0.1, eps=0, fused=True)


class Workload:
    """A recipe of models/recipes.def by its letter, with its batch, epochs, lr and so on, and what that file does not say."""

    def __init__(self, name, loss, measure=None, optimizer=adam, total=False):
        self.__dict__.update(zoo.RECIPES[name]._asdict())
        self.epochs = options.epochs or self.epochs
        self.name, self.loss, self.total = name, loss, total
        self.measure = measure or mean_of(loss)
        self.optimizer = lambda p: optimizer(p, self.lr)


WORKLOADS = {w.name: w for w in [
    Workload("a", vae_loss, measure=vae_loss),
    Workload("b", mse_loss),
    Workload("c", chunked_loss, measure=lambda m, x, y: F.mse_loss(m(x)[0], x) * len(x)),
    Workload("d", mse_loss),
    Workload("e", conv_loss),
    Workload("f", denoising_loss, measure=denoising_loss, total=True),
    Workload("g", entropy_loss, measure=correct, optimizer=adagrad),
    Workload("h", mse_loss, optimizer=keras_adam),
    Workload("i", vae_loss, measure=vae_loss),
    Workload("o", conditional_loss, measure=conditional_loss),
]}


# ---- Data. ----

def load():
    try:
        return [mnist.read_idx(options.data, part + kind) for part in ("train-", "t10k-")
                for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    except FileNotFoundError:
        if options.quality:
            sys.exit(f"{options.data}: no MNIST here; tools/fetch_mnist.sh brings it")
        noise = torch.randint(0, 256, (70000, 28, 28), dtype=torch.uint8)
        return [noise[:60000], torch.zeros(60000), noise[60000:], torch.zeros(10000)]


def prepare(w, data):
    train, test = data[0][-w.last:].reshape(-1, 784).float() / 255, data[2].reshape(-1, 784).float() / 255
    if w.pixels == "signed":
        train, test = 2 * train - 1, 2 * test - 1
    if w.pixels == "standard":
        mean, deviation = train.mean(0), train.std(0, unbiased=False)
        deviation[deviation < 1e-6] = 1
        train, test = (train - mean) / deviation, (test - mean) / deviation
    return train, data[1][-w.last:].long(), test, data[3].long()


def batches(w, count):
    """Endless index tensors."""
    while True:
        if w.order == "random":
            yield torch.randint(count, (w.batch,))
        elif w.order == "blocks":
            first = torch.randint(count - w.batch + 1, (1,)).item()
            yield torch.arange(first, first + w.batch)
        else:
            yield from torch.randperm(count).split(w.batch)


# ---- Runs. ----

def stepper(w, train, labels):
    """A model and a function that makes one training step of a batch given by index."""
    model = zoo.make(w.name).to(memory_format=torch.channels_last) if options.channels_last else zoo.make(w.name)
    if options.ranks:
        model = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = w.optimizer(model.parameters())
    loss_of = torch.compile(w.loss) if options.compile else w.loss

    def step(index):
        loss = loss_of(model, train.index_select(0, index), labels.index_select(0, index))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return model, step


def timer(w, data, part=slice(None)):
    """A function that makes one step of the part of a batch and returns its microseconds; warmed up."""
    train, labels, _, _ = prepare(w, data)
    _, step = stepper(w, train, labels)
    source = (index[part] for index in batches(w, len(train)) if len(index) == w.batch)

    def timed():
        index, start = next(source), time.perf_counter()
        step(index)
        return 1e6 * (time.perf_counter() - start)
    for _ in range(10):
        timed()
    return timed


def print_times(name, times):
    quarter = statistics.quantiles(times, n=4)
    print(f"{name},{options.threads},{quarter[1]:.1f},{quarter[2] - quarter[0]:.1f}", flush=True)


def speed(name, w, data):
    timed = timer(w, data)
    times, end = [], time.perf_counter() + options.seconds
    while time.perf_counter() < end or len(times) < 5:
        times.append(timed())
    print_times(name, times)


def speed_of_ranks(rank, data, store):
    """What one of the processes does: all make the same number of steps, as they wait for each other."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=options.ranks)
    for name in options.filter:
        timed = timer(WORKLOADS[name], data, slice(rank, None, options.ranks))
        steps = torch.tensor(5 + int(1e6 * options.seconds / timed()))
        torch.distributed.broadcast(steps, 0)
        times = [timed() for _ in range(steps)]
        if rank == 0:
            print_times(name, times)
    torch.distributed.destroy_process_group()


def variants(data):
    """The models for peer_ops.time_model; the conv models in both layouts."""
    def make(name, batch):
        w = WORKLOADS[name]
        train, labels, _, _ = prepare(w, data)
        x = train[:batch].reshape(-1, 1, 28, 28) if w.loss is conv_loss else train[:batch]
        for options.channels_last in (False, True) if name in "ei" else (False,):
            model, step = stepper(w, train, labels)
            order = torch.randperm(len(train)).split(batch)
            source = (index for _ in itertools.count() for index in order if len(index) == batch)
            yield model, lambda: step(next(source)), lambda: model(x)
    return make


@torch.no_grad()
def measure(w, model, test, labels):
    model.eval()
    total = sum(float(w.measure(model, x, y)) for x, y in zip(test.split(w.batch), labels.split(w.batch)))
    return total if w.total else total / len(test)


def quality(name, w, data):
    results = []
    for seed in options.seeds:
        torch.manual_seed(seed)
        train, labels, test, test_labels = prepare(w, data)
        model, step = stepper(w, train, labels)
        source = batches(w, len(train))
        for _ in range(w.steps or w.epochs * -(-len(train) // w.batch)):
            step(next(source))
        results.append(measure(w, model, test, test_labels))
    deviation = statistics.stdev(results) if len(results) > 1 else 0
    print(f"{name} {statistics.mean(results):.6g} ± {deviation:.3g} ({', '.join(f'{r:.5g}' for r in results)})", flush=True)


def main():
    blas = [line.strip(" -\n") for line in torch.__config__.show().splitlines() if "Math Kernel" in line or "OpenBLAS" in line]
    print(f"PyTorch {torch.__version__}, {', '.join(blas) or 'no BLAS named'}, {torch.get_num_threads()} threads, "
          f"{torch.backends.cpu.get_cpu_capability()}{', torch.compile' if options.compile else ''}"
          f"{', channels last' if options.channels_last else ''}", file=sys.stderr)
    data = load()
    if options.ops:
        return peer_ops.run(options, variants([part[-10000:] for part in data]))
    if not options.quality:
        print("workload,threads,us_per_step,spread_us", flush=True)
    if options.ranks:
        with tempfile.TemporaryDirectory() as folder:
            start = torch.multiprocessing.start_processes
            return start(speed_of_ranks, (data, os.path.join(folder, "store")), nprocs=options.ranks, start_method="fork")
    for name, w in WORKLOADS.items():
        if name in options.filter:
            (quality if options.quality else speed)(name, w, data)


main()

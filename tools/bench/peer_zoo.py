#!/usr/bin/env python3
"""The models of several losses or phases in PyTorch, trained to their end with the recipes of the programs: what the column
of PyTorch in models/README.md says. The models are those of tools/pytorch_models.py.

    tools/bench/peer_zoo.py [--data DIR] [--seeds 1 2 3] [--threads N] [--epochs N] RUN...

j          adversarial_ae_mnist: test reconstruction; mean, deviation and Kolmogorov-Smirnov distance of each number of the code
j-plain    the same without an adversary
j-labels   adversarial_ae_mnist --labels 1000: test error
m          stacked_ae_mnist: test error, pre-trained and not
deep       stacked_ae_mnist --deep: cross entropy and squared error, summed over a test image
o          cvae_mnist: test loss, and the share of samples that a classifier takes for the digit that they were asked to be
n          poem_vae --epochs 5 --kl-warmup 9000; --data is the file of couplets
fixed      flow_vae_mnist --recipe vae; --data is the folder of fixed-binarised MNIST. -log p of a test image by 200 samples;
           with --epochs the rate stays, as in the program
"""
import argparse
import os
import sys
import time

import numpy as np

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("run", nargs="+", metavar="RUN")
parser.add_argument("--data", default="data/mnist")
parser.add_argument("--seeds", type=int, nargs="+", default=[1])
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--epochs", type=int, help="in place of the recipe's; of each phase")
parser.add_argument("--lr", type=float, help="in place of the recipe's")
options = parser.parse_args()
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = str(options.threads)

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import pytorch_models as zoo
import mnist

torch.set_num_threads(options.threads)


# ---- Data. ----

def read_images(part):
    return mnist.read_idx(options.data, part + "-images-idx3-ubyte").reshape(-1, 784).float() / 255


def read_labels(part):
    return mnist.read_idx(options.data, part + "-labels-idx1-ubyte").long()


def read_couplets():
    """Training and held-out tokens (count, length), and how many characters there are."""
    lines = [line.strip() for line in open(options.data, encoding="utf-8") if line.strip()]
    index = {c: i for i, c in enumerate(sorted({c for line in lines for c in line}))}
    tokens = torch.tensor([[index[c] for c in line] for line in lines])
    return tokens[:-5000], tokens[-5000:], len(index)


# ---- Training. ----

def train(name, count, batch, epochs, step, optimizers, schedule):
    """step(index) for every batch of every epoch; each optimizer's rate is its own times schedule(the share that is done)."""
    epochs = options.epochs or epochs
    rates = [[group["lr"] for group in o.param_groups] for o in optimizers]
    total, done, start = epochs * -(-count // batch), 0, time.time()
    for epoch in range(epochs):
        losses = 0.0
        for index in torch.randperm(count).split(batch):
            for o, of_groups in zip(optimizers, rates):
                for group, lr in zip(o.param_groups, of_groups):
                    group["lr"] = lr * schedule(done / total)
            losses += step(index) * len(index)
            done += 1
        print(f"  {name}: epoch {epoch + 1} of {epochs}, loss {losses / count:.6g}, {time.time() - start:.0f} s", file=sys.stderr, flush=True)


def stays(done):
    return 1


def falls(done):
    return 1 - done


def minimize(loss, optimizer):
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def adam(part, lr, beta1=0.9):
    return torch.optim.Adam(part.parameters(), lr=options.lr or lr, betas=(beta1, 0.999), fused=True)


def mean_over(test, f):
    """The mean of f, of means over 500 examples each."""
    return sum(float(f(part)) * len(part) for part in test.split(500)) / len(test)


# ---- Runs: each returns its measures by name. ----

def largest_distance(a, b):
    """Kolmogorov and Smirnov's, of two samples."""
    a, b = np.sort(a), np.sort(b)
    at = np.concatenate([a, b])
    return np.abs(np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b)).max()


def adversarial(name, labels=0, plain=False):
    x, test, y_test = read_images("train"), read_images("t10k"), read_labels("t10k")
    latent = 10 if labels else 8
    m = zoo.AdversarialAe(784, 1000, latent, labels=10 if labels else 0)
    encoder = m.autoencoder.encoder
    reconstruct, judge, deceive, classify = (adam(part, 2e-4, 0.5) for part in (m.autoencoder, m.discriminator, encoder, encoder))
    if labels:
        y = read_labels("train")
        few = torch.cat([(y == digit).nonzero()[:labels // 10, 0] for digit in range(10)])

    def prior(n):
        z = torch.randn(n, latent)
        return torch.cat([F.one_hot(torch.randint(10, (n,)), 10).float(), z], 1) if labels else z

    def step(index):
        b = x[index]
        loss = minimize(m.reconstruction(b), reconstruct)
        if plain:
            return loss
        minimize(m.judge(b, None, prior(len(b))), judge)
        minimize(m.deceive(b, None), deceive)
        if labels:
            some = few[torch.randint(len(few), (len(b),))]
            minimize(F.cross_entropy(m.classify(x[some] + 0.3 * torch.randn(len(b), 784)), y[some]), classify)
        return loss
    train(name, len(x), 100, 50, step, (reconstruct, judge, deceive, classify), falls if labels else stays)
    with torch.no_grad():
        if labels:
            return {"test_error": float((m.classify(test).argmax(1) != y_test).float().mean())}
        code, z = m.encode(test), torch.randn(len(test), latent)
        return {"test_loss": float(m.reconstruction(test)), "mean": code.mean(0).numpy(), "deviation": code.std(0).numpy(),
                "ks": np.array([largest_distance(code[:, k].numpy(), z[:, k].numpy()) for k in range(latent)])}


def stacked(name):
    x, y = read_images("train"), read_labels("train")
    x, y, test, y_test = x[:50000], y[:50000], read_images("t10k"), read_labels("t10k")
    batch, errors = 50, {}
    for measure, pretrained in ("pretrained", True), ("plain", False):
        m = zoo.StackedAe(784)
        for k in range(3 * pretrained):
            o = torch.optim.SGD(m.layers[k].parameters(), lr=0.001 * batch, fused=True)
            train(f"{name}, layer {k + 1}", len(x), batch, 15, lambda index: minimize(m.layer_loss(x[index], k), o), [o], falls)
        o = torch.optim.SGD(m.parameters(), lr=options.lr or 1, fused=True)
        train(f"{name}, {measure}", len(x), batch, 25, lambda index: minimize(F.cross_entropy(m(x[index]), y[index]), o), [o], falls)
        with torch.no_grad():
            errors[measure] = float((m(test).argmax(1) != y_test).float().mean())
    return errors


def deep(name):
    x, test = read_images("train"), read_images("t10k")
    m = zoo.deep_ae()
    o = adam(m, 5e-4)
    loss = lambda x: F.binary_cross_entropy_with_logits(m(x), x, reduction="sum") / len(x)
    train(name, len(x), 64, 50, lambda index: minimize(loss(x[index]), o), [o], falls)
    with torch.no_grad():
        return {"test_loss": mean_over(test, loss), "test_mse": float(F.mse_loss(m(test).sigmoid(), test, reduction="sum")) / len(test)}


def conditional(name):
    (x, y), (test, y_test) = ((read_images(part), read_labels(part)) for part in ("train", "t10k"))
    m, judge = zoo.ConditionalVae(784, 400, 20, 10), zoo.score_classifier()
    o, o_judge = adam(m, 1e-3), adam(judge, 2e-3)
    train(name, len(x), 128, 10, lambda index: minimize(zoo.vae_loss(m(x[index], y[index]), x[index]), o), [o], stays)
    train(f"{name}, classifier", len(x), 128, 4, lambda index: minimize(F.cross_entropy(judge(x[index]), y[index]), o_judge), [o_judge],
          lambda done: 0.5 * (1 + np.cos(np.pi * done)))
    judge.eval()
    with torch.no_grad():
        asked = torch.arange(len(test)) % 10
        sample = torch.sigmoid(m.decode(torch.randn(len(test), 20), F.one_hot(asked, 10)))
        return {"test_loss": float(zoo.vae_loss(m(test, y_test), test)) / len(test),
                "as_asked": float((judge(sample).argmax(1) == asked).float().mean()),
                "classifier_accuracy": float((judge(test).argmax(1) == y_test).float().mean())}


def poems(name):
    x, test, characters = read_couplets()
    m = zoo.CoupletVae(characters, x.shape[1])
    o, steps = adam(m, 1e-3), 0

    def step(index):
        nonlocal steps
        reconstruction, kld = zoo.couplet_losses(m(x[index]), x[index])
        steps += 1
        return minimize((reconstruction + min(1, steps / 9000) * kld) / len(index), o)
    train(name, len(x), 64, 5, step, [o], stays)
    with torch.no_grad():
        losses = lambda b: zoo.couplet_losses(m(b), b)
        return {"test_loss": mean_over(test, lambda b: sum(losses(b)) / len(b)), "kld": mean_over(test, lambda b: losses(b)[1] / len(b))}


def fixed(name):
    x, test = (read_images(part).round() for part in ("train", "t10k"))
    m = zoo.FlowVae(784, 400, 1, 40, 0)
    o = adam(m, 1e-4)
    train(name, len(x), 100, 500, lambda index: minimize(m.loss(x[index]), o), [o],
          stays if options.epochs else lambda done: 10 ** (-((done >= 0.4) + (done >= 0.7)) / 5))
    with torch.no_grad():
        likelihood = lambda b: torch.logsumexp(torch.stack([m.log_weight(b) for _ in range(200)]), 0) - np.log(200)
        return {"elbo": -mean_over(test, m.loss), "nll": -mean_over(test, lambda b: likelihood(b).mean())}


RUNS = {"j": adversarial, "j-plain": lambda name: adversarial(name, plain=True), "j-labels": lambda name: adversarial(name, labels=1000),
        "m": stacked, "deep": deep, "o": conditional, "n": poems, "fixed": fixed}


def show(value):
    return " ".join(f"{v:.3f}" for v in value) if isinstance(value, np.ndarray) else f"{value:.6g}"


def main():
    unknown = [name for name in options.run if name not in RUNS]
    if unknown:
        parser.error(f"{unknown[0]}: expected {', '.join(RUNS)}")
    for name in options.run:
        for seed in options.seeds:
            torch.manual_seed(seed)
            measures = RUNS[name](name)
            print(f"{name}, seed {seed}: " + ", ".join(f"{key} {show(value)}" for key, value in measures.items()), flush=True)


main()

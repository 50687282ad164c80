"""Makes tests/golden/training.txt: the losses of 100 steps of the models in PyTorch, in double, from the weights, batches and
noise that tests/models/training.c has too.

    python3 tests/golden/make_training.py > tests/golden/training.txt
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
import pytorch_models as zoo

torch.set_default_dtype(torch.float64)
STEPS, BATCH, SEED = 100, 16, 7


def values(n, k):
    """Numbers in -1..1 that both sides make."""
    return (torch.arange(n) * 7919 + 1301 * k) % 10007 / 10007 * 2 - 1


def philox(seed, draw, groups):
    """Draw `draw` of hourglass's generator: Philox 4x32-10, groups of 16 blocks; four arrays of numbers in 0..1."""
    block = np.arange(groups * 16, dtype=np.uint64)
    w = [block & 0xFFFFFFFF, block >> np.uint64(32), np.full_like(block, draw & 0xFFFFFFFF), np.full_like(block, draw >> 32)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * w[0], np.uint64(0xCD9E8D57) * w[2]
        w = [(q >> np.uint64(32)) ^ w[1] ^ np.uint64(k0), q & np.uint64(0xFFFFFFFF),
             (p >> np.uint64(32)) ^ w[3] ^ np.uint64(k1), p & np.uint64(0xFFFFFFFF)]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return [(x >> np.uint64(8)).astype(np.float64).reshape(groups, 16) / 2 ** 24 for x in w]


def flat(parts, n):
    return torch.from_numpy(np.stack(parts, 1).reshape(-1)[:n])


def philox_uniform(seed, draw, n):
    return flat(philox(seed, draw, (n + 63) // 64), n)


def philox_normal(seed, draw, n):
    """Box-Muller on words 0, 1 and 2, 3."""
    u = philox(seed, draw, (n + 63) // 64)
    parts = []
    for a, b in ((u[0], u[1]), (u[2], u[3])):
        r = np.sqrt(-2 * np.log(1 - a))
        parts += [r * np.cos(2 * np.pi * b), r * np.sin(2 * np.pi * b)]
    return flat(parts, n)


def noise(draw):
    return lambda mu: philox_normal(SEED, draw, mu.numel()).reshape(mu.shape)


def vae_loss(m, x, t):
    return zoo.vae_loss(m(x, noise(t)), x)


def mse_loss(m, x, t):
    return F.mse_loss(m(x), x)


def conv_loss(m, x, t):
    return mse_loss(m, 2 * x.reshape(-1, 1, 28, 28) - 1, t)


def couplet_loss(m, x, t):
    return sum(zoo.couplet_losses(m(x, noise(t)), x)) / len(x)


def images(t):
    return ((values(BATCH * 784, 104729 * t) + 1) / 2).reshape(BATCH, 784)


def couplets(t):
    return (torch.arange(BATCH * 10) * 7919 + 1301 * 104729 * t).remainder(10007).remainder(50).reshape(BATCH, 10)


def iwae_loss(m, x, t):
    return m.loss(x, 3, noise(t))


def two_layer_loss(m, x, t):
    draws = iter((2 * t, 2 * t + 1))
    return m.loss(x, 3, lambda mu: noise(next(draws))(mu))


def flow_loss(m, x, t):
    return m.loss(x, noise(t))


def vq_loss(m, x, t):
    return m.loss(x, 0.1)


def grids(t):
    n = BATCH * 49
    return ((torch.arange(n) * 7919 + 1301 * 104729 * t) % 10007 % 12).reshape(BATCH, 7, 7)


def grid_loss(m, x, t):
    return m.loss(x)


def dreg_loss(m, x, t):
    return m.loss(x, 3, noise(t), dreg=True)


WORKLOADS = [
    ("a", zoo.make("a"), zoo.RECIPES["a"].lr, images, vae_loss),
    ("b", zoo.make("b"), zoo.RECIPES["b"].lr, images, mse_loss),
    ("d", zoo.make("d"), zoo.RECIPES["d"].lr, images, mse_loss),
    ("e", zoo.make("e"), zoo.RECIPES["e"].lr, images, conv_loss),
    ("i", zoo.make("i"), zoo.RECIPES["i"].lr, images, vae_loss),
    ("n", zoo.CoupletVae(50, 10, 16, 8), 1e-3, couplets, couplet_loss),
    ("q", zoo.Iwae(784, 32, 8), 2e-4, images, iwae_loss),
    ("r", zoo.Iwae(784, 32, 8), 2e-4, images, dreg_loss),
    ("w", zoo.Iwae(784, 32, 8, (12, 5)), 2e-4, images, two_layer_loss),
    ("s", zoo.FlowVae(784, 32, 2, 6, 2), 2e-4, images, flow_loss),
    ("x", zoo.FlowVae(784, 32, 1, 6, 3, planar=True), 2e-4, images, flow_loss),
    ("t", zoo.VqVae(12, 6, 8, 10, averages=False), 1e-3, images, vq_loss),
    ("v", zoo.PixelCnn(12, 8, 2), 1e-3, grids, grid_loss),
]


def set_values(model):
    with torch.no_grad():
        for k, p in enumerate(model.parameters(), 1):
            bound = p[0].numel() ** -0.5 if p.dim() > 1 else 0.05
            p.copy_((values(p.numel(), k) * bound).reshape(p.shape))


def make_step(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return "%.12g" % loss.item()


for name, model, lr, examples, loss_of in WORKLOADS:
    set_values(model)
    adam = torch.optim.Adam(model.parameters(), lr=lr)
    print("workload", name)
    for t in range(STEPS):
        print(make_step(adam, loss_of(model, examples(t), t)))

# Three losses a step: of the autoencoder, the discriminator, the generator; with labels a fourth, of the classifier.
for name, model in ("j", zoo.AdversarialAe(784, 32, 8, classes=10)), ("y", zoo.AdversarialAe(784, 32, 8, labels=10)):
    set_values(model)
    encoder, width = model.autoencoder.encoder, 8 + model.labels
    adams = [torch.optim.Adam(part.parameters(), lr=2e-3, betas=(0.5, 0.999))
             for part in (model.autoencoder, model.discriminator, encoder, encoder)]
    print("workload", name)
    for t in range(STEPS):
        x, y = images(t), (torch.arange(BATCH) + t) % 10
        z = philox_normal(SEED, t, BATCH * width).reshape(BATCH, width)
        print(make_step(adams[0], model.reconstruction(x)), make_step(adams[1], model.judge(x, y, z)),
              make_step(adams[2], model.deceive(x, y)))
        if model.labels:
            print(make_step(adams[3], F.cross_entropy(model.classify(x), y)))

# Three losses a step: of the encoder, the discriminator, the decoder; two draws of noise each.
model = zoo.VaeGan(784, 32, 8)
set_values(model)
parts = [model.encoder, model.discriminator, model.decoder]
rules = [torch.optim.RMSprop(part.parameters(), lr=1e-3) for part in parts]
print("workload k")
for t in range(STEPS):
    draws = iter(range(6 * t, 6 * t + 6))
    next_noise = lambda mu: noise(next(draws))(mu)
    x = images(t)
    print(make_step(rules[0], model.encoder_loss(x, next_noise)), make_step(rules[1], model.discriminator_loss(x, next_noise)),
          make_step(rules[2], model.decoder_loss(x, 0.01, next_noise)))

# A quarter of the steps for each layer, then for all of them as a classifier.
model = zoo.StackedAe(784, (40, 30, 20))
set_values(model)
keep = lambda t: lambda x, p: (philox_uniform(SEED, t, x.numel()) < p).to(x).reshape(x.shape)
layers = [torch.optim.SGD(layer.parameters(), lr=0.01) for layer in model.layers]
fine = torch.optim.SGD(model.parameters(), lr=0.1)
print("workload m")
for t in range(STEPS):
    k = t * 4 // STEPS
    if k < 3:
        print(make_step(layers[k], model.layer_loss(images(t), k, keep(t))))
    else:
        print(make_step(fine, F.cross_entropy(model(images(t)), (torch.arange(BATCH) + t) % 10)))

# The codebook's averages move after each step.
model = zoo.VqVae(12, 6, 8, 10)
set_values(model)
torch.nn.init.ones_(model.codebook.count)
adam = torch.optim.Adam([*model.encoder.parameters(), *model.decoder.parameters()], lr=1e-3)
print("workload u")
for t in range(STEPS):
    print(make_step(adam, model.loss(images(t), 0.1)))
    model.move()

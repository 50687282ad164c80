"""Makes tests/golden/training.txt: the loss of 100 steps of five workloads in PyTorch, in double, from the weights, batches and
noise that tests/models/training.c has too.

    python3 tests/golden/make_training.py > tests/golden/training.txt
"""
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

torch.set_default_dtype(torch.float64)
STEPS, BATCH, SEED = 100, 16, 7


def values(n, k):
    """Numbers in -1..1 that both sides make."""
    return (torch.arange(n) * 7919 + 1301 * k) % 10007 / 10007 * 2 - 1


def philox_normal(seed, draw, n):
    """Draw `draw` of hourglass's generator: Philox 4x32-10, groups of 16 blocks, Box-Muller on words 0, 1 and 2, 3."""
    groups = (n + 63) // 64
    block = np.arange(groups * 16, dtype=np.uint64)
    w = [block & 0xFFFFFFFF, block >> np.uint64(32), np.full_like(block, draw & 0xFFFFFFFF), np.full_like(block, draw >> 32)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * w[0], np.uint64(0xCD9E8D57) * w[2]
        w = [(q >> np.uint64(32)) ^ w[1] ^ np.uint64(k0), q & np.uint64(0xFFFFFFFF),
             (p >> np.uint64(32)) ^ w[3] ^ np.uint64(k1), p & np.uint64(0xFFFFFFFF)]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    u = [(x >> np.uint64(8)).astype(np.float64) / 2 ** 24 for x in w]
    parts = []
    for a, b in ((u[0], u[1]), (u[2], u[3])):
        r = np.sqrt(-2 * np.log(1 - a))
        parts += [r * np.cos(2 * np.pi * b), r * np.sin(2 * np.pi * b)]
    return torch.from_numpy(np.stack([p.reshape(groups, 16) for p in parts], 1).reshape(-1)[:n])


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.fc3, self.fc4 = nn.Linear(20, 400), nn.Linear(400, 784)

    def forward(self, x, draw):
        h = F.relu(self.fc1(x))
        mu, logvar = self.fc21(h), self.fc22(h)
        z = mu + philox_normal(SEED, draw, mu.numel()).reshape(mu.shape) * torch.exp(logvar / 2)
        return self.fc4(F.relu(self.fc3(z))), mu, logvar


class ConvVae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(), nn.Flatten())
        self.mu, self.logvar, self.expand = nn.Linear(3136, 32), nn.Linear(3136, 32), nn.Linear(32, 3136)
        self.decoder = nn.Sequential(nn.Unflatten(1, (64, 7, 7)), nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(),
                                     nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Flatten())

    def forward(self, x, draw):
        h = self.encoder(x.reshape(-1, 1, 28, 28))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + philox_normal(SEED, draw, mu.numel()).reshape(mu.shape) * torch.exp(logvar / 2)
        return self.decoder(self.expand(z)), mu, logvar


class Autoencoder(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)

    def forward(self, x):
        return self.decoder(self.encoder(x))


def stack(widths, activation, last):
    layers = []
    for i, (a, b) in enumerate(zip(widths, widths[1:])):
        layers += [nn.Linear(a, b)]
        after = last if i == len(widths) - 2 else activation
        layers += [after()] if after else []
    return layers


def vae_loss(out, x):
    logits, mu, logvar = out
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    return bce - 0.5 * torch.sum(1 + logvar - mu ** 2 - logvar.exp())


def conv_ae():
    return Autoencoder([nn.Conv2d(1, 16, 3, 3, 1), nn.ReLU(), nn.MaxPool2d(2, 2), nn.Conv2d(16, 8, 3, 2, 1), nn.ReLU(),
                        nn.MaxPool2d(2, 1)],
                       [nn.ConvTranspose2d(8, 16, 3, 2), nn.ReLU(), nn.ConvTranspose2d(16, 8, 5, 3, 1), nn.ReLU(),
                        nn.ConvTranspose2d(8, 1, 2, 2, 1), nn.Tanh()])


def mlp(widths, activation, code):
    return Autoencoder(stack(widths, activation, code), stack(widths[::-1], activation, nn.Sigmoid))


WORKLOADS = {
    "a": (Vae, 1e-3, lambda m, x, t: vae_loss(m(x, t), x)),
    "b": (lambda: mlp([784, 256, 64, 20], nn.ReLU, nn.ReLU), 1e-3, lambda m, x, t: F.mse_loss(m(x), x)),
    "d": (lambda: mlp([784, 128, 64, 12, 3], nn.Tanh, None), 5e-3, lambda m, x, t: F.mse_loss(m(x), x)),
    "e": (conv_ae, 1e-3, lambda m, x, t: F.mse_loss(m(2 * x.reshape(-1, 1, 28, 28) - 1), 2 * x.reshape(-1, 1, 28, 28) - 1)),
    "i": (ConvVae, 1e-3, lambda m, x, t: vae_loss(m(x, t), x)),
}
for name, (make, lr, loss_of) in WORKLOADS.items():
    model = make()
    with torch.no_grad():
        for k, p in enumerate(model.parameters(), 1):
            bound = p[0].numel() ** -0.5 if p.dim() > 1 else 0.05
            p.copy_((values(p.numel(), k) * bound).reshape(p.shape))
    adam = torch.optim.Adam(model.parameters(), lr=lr)
    print("workload", name)
    for t in range(STEPS):
        x = ((values(BATCH * 784, 104729 * t) + 1) / 2).reshape(BATCH, 784)
        loss = loss_of(model, x, t)
        adam.zero_grad()
        loss.backward()
        adam.step()
        print("%.12g" % loss.item())

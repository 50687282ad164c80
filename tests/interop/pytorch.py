"""Weights to PyTorch and back. Trains four models a few steps here, loads their files into the same models in PyTorch with
load_state_dict(strict=True), and compares what both make of the same images; then the other way round, with weights that PyTorch
made.

    python3 tests/interop/pytorch.py          from the project's folder, with PyTorch, numpy and safetensors at hand
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    from safetensors.torch import load_file, save_file
    from torch import nn
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(0)

TOLERANCE = 1e-5
torch.set_grad_enabled(False)


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.fc3, self.fc4 = nn.Linear(20, 400), nn.Linear(400, 784)

    def encode(self, x):
        return self.fc21(torch.relu(self.fc1(x)))

    def decode(self, z):
        return torch.sigmoid(self.fc4(torch.relu(self.fc3(z))))


class Autoencoder(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)


class ConvAe(Autoencoder):
    """Pixels -1..1 inside, 0..1 outside."""

    def __init__(self):
        super().__init__([nn.Conv2d(1, 16, 3, 3, 1), nn.ReLU(), nn.MaxPool2d(2, 2), nn.Conv2d(16, 8, 3, 2, 1), nn.ReLU(),
                          nn.MaxPool2d(2, 1)],
                         [nn.ConvTranspose2d(8, 16, 3, 2), nn.ReLU(), nn.ConvTranspose2d(16, 8, 5, 3, 1), nn.ReLU(),
                          nn.ConvTranspose2d(8, 1, 2, 2, 1), nn.Tanh()])

    def encode(self, x):
        return self.encoder(2 * x.reshape(-1, 1, 28, 28) - 1).flatten(1)

    def decode(self, z):
        return self.decoder(z.reshape(-1, 8, 2, 2)).flatten(1) / 2 + 0.5


class ConvVae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(), nn.Flatten())
        self.mu, self.logvar, self.expand = nn.Linear(3136, 32), nn.Linear(3136, 32), nn.Linear(32, 3136)
        self.decoder = nn.Sequential(nn.Unflatten(1, (64, 7, 7)), nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(),
                                     nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Flatten())

    def encode(self, x):
        return self.mu(self.encoder(x.reshape(-1, 1, 28, 28)))

    def decode(self, z):
        return torch.sigmoid(self.decoder(self.expand(z)))


def mlp_ae():
    return Autoencoder([nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 20), nn.ReLU()],
                       [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 784), nn.Sigmoid()])


MODELS = {"a": (Vae, ["models/vae_mnist"]), "b": (mlp_ae, ["models/mlp_ae_mnist"]), "e": (ConvAe, ["models/conv_ae_mnist"]),
          "i": (ConvVae, ["models/vae_mnist", "--variant", "conv"])}


def run(command, *more):
    subprocess.run([*command, *more, "--quiet"], check=True, stdout=subprocess.DEVNULL)


def largest_difference(command, weights, model, folder):
    """Between what both sides make of the same images and of the same codes, with the same weights."""
    images, codes, decoded = (os.path.join(folder, name) for name in ("images.npy", "codes.npy", "decoded.npy"))
    x = torch.rand(50, 784, generator=torch.Generator().manual_seed(1))
    np.save(images, x.reshape(50, 28, 28).numpy())
    run(command, "--load", weights, "--encode", images, "--output", codes)
    run(command, "--load", weights, "--decode", codes, "--output", decoded)
    z = torch.from_numpy(np.load(codes))
    y = torch.from_numpy(np.load(decoded)).reshape(50, 784)
    return max((model.encode(x) - z).abs().max().item(), (model.decode(z) - y).abs().max().item())


def main():
    bad = 0
    for name, (make, command) in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            weights = os.path.join(folder, "model.safetensors")
            run(command, "--steps", "20", "--out", folder)
            model = make()
            model.load_state_dict(load_file(weights), strict=True)
            there = largest_difference(command, weights, model, folder)
            torch.manual_seed(7)
            model = make()
            weights = os.path.join(folder, "theirs.safetensors")
            save_file(model.state_dict(), weights)
            back = largest_difference(command, weights, model, folder)
        print(f"{name}: to PyTorch {there:.1e}, from PyTorch {back:.1e}")
        bad += not (there < TOLERANCE and back < TOLERANCE)
    sys.exit(bad > 0)


main()

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
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(0)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
import pytorch_models as zoo

TOLERANCE = 1e-5
torch.set_grad_enabled(False)


def codes_of(model, x):
    """What --encode writes: means, or codes."""
    if isinstance(model, zoo.Variational):
        return model.encode(x)[0]
    return model.encoder(to_conv_ae(x) if convolves(model) else x).flatten(1)


def images_of(model, z):
    """What --decode writes: pixels in 0..1."""
    if isinstance(model, zoo.Variational):
        return torch.sigmoid(model.decode(z))
    return from_conv_ae(model.decoder(z.reshape(-1, 8, 2, 2))) if convolves(model) else model.decoder(z)


def convolves(model):
    return isinstance(model.encoder[0], torch.nn.Conv2d)


def to_conv_ae(x):
    return 2 * x.reshape(-1, 1, 28, 28) - 1


def from_conv_ae(y):
    return y.flatten(1) / 2 + 0.5


COMMANDS = {"a": ["models/vae_mnist"], "b": ["models/mlp_ae_mnist"], "e": ["models/conv_ae_mnist"],
            "i": ["models/vae_mnist", "--variant", "conv"]}


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
    return max((codes_of(model, x) - z).abs().max().item(), (images_of(model, z) - y).abs().max().item())


def main():
    bad = 0
    for name, command in COMMANDS.items():
        with tempfile.TemporaryDirectory() as folder:
            weights = os.path.join(folder, "model.safetensors")
            run(command, "--steps", "20", "--out", folder)
            model = zoo.make(name)
            model.load_state_dict(load_file(weights), strict=True)
            there = largest_difference(command, weights, model, folder)
            torch.manual_seed(7)
            model = zoo.make(name)
            weights = os.path.join(folder, "theirs.safetensors")
            save_file(model.state_dict(), weights)
            back = largest_difference(command, weights, model, folder)
        print(f"{name}: to PyTorch {there:.1e}, from PyTorch {back:.1e}")
        bad += not (there < TOLERANCE and back < TOLERANCE)
    sys.exit(bad > 0)


main()

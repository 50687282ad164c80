"""The zoo in PyTorch, with the same names of parameters: for the benchmark's peer and for the tests that compare the two."""
import torch
import torch.nn.functional as F
from torch import nn


class Variational(nn.Module):
    """Children encode to (mu, logvar), and decode to logits."""

    def forward(self, x, noise=torch.randn_like):
        mu, logvar = self.encode(x)
        return self.decode(mu + torch.exp(0.5 * logvar) * noise(mu)), mu, logvar


class Vae(Variational):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.fc3, self.fc4 = nn.Linear(20, 400), nn.Linear(400, 784)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def decode(self, z):
        return self.fc4(F.relu(self.fc3(z)))


class ConvVae(Variational):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(), nn.Flatten())
        self.mu, self.logvar, self.expand = nn.Linear(3136, 32), nn.Linear(3136, 32), nn.Linear(32, 3136)
        self.decoder = nn.Sequential(nn.Unflatten(1, (64, 7, 7)), nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(),
                                     nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Flatten())

    def encode(self, x):
        h = self.encoder(x.reshape(-1, 1, 28, 28))
        return self.mu(h), self.logvar(h)

    def decode(self, z):
        return self.decoder(self.expand(z))


class Autoencoder(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Chunked(Autoencoder):
    def forward(self, x):
        mu, sigma = self.encoder(x).chunk(2, 1)
        return self.decoder(mu + sigma * torch.randn_like(mu)), mu, sigma


def stack(widths, activation, last):
    layers = []
    for i, (a, b) in enumerate(zip(widths, widths[1:])):
        after = last if i == len(widths) - 2 else activation
        layers += [nn.Linear(a, b)] + ([after()] if after else [])
    return layers


def mlp_ae(widths, activation, code=None, out=nn.Sigmoid):
    return Autoencoder(stack(widths, activation, code), stack(widths[::-1], activation, out))


def relu20():
    return mlp_ae([784, 256, 64, 20], nn.ReLU, nn.ReLU)


def chunked_vae():
    return Chunked(stack([784, 256, 64, 20], nn.ReLU, nn.ReLU), stack([10, 64, 256, 784], nn.ReLU, nn.Sigmoid))


def tanh3():
    return mlp_ae([784, 128, 64, 12, 3], nn.Tanh)


def relu2():
    m = mlp_ae([784, 1000, 1000, 2], nn.ReLU, None, nn.Tanh)
    for layer in m.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return m


def conv_ae():
    """Of pixels in -1..1, (N, 1, 28, 28)."""
    return Autoencoder([nn.Conv2d(1, 16, 3, 3, 1), nn.ReLU(), nn.MaxPool2d(2, 2), nn.Conv2d(16, 8, 3, 2, 1), nn.ReLU(),
                        nn.MaxPool2d(2, 1)],
                       [nn.ConvTranspose2d(8, 16, 3, 2), nn.ReLU(), nn.ConvTranspose2d(16, 8, 5, 3, 1), nn.ReLU(),
                        nn.ConvTranspose2d(8, 1, 2, 2, 1), nn.Tanh()])


def denoising_ae():
    m = Autoencoder([nn.Linear(784, 200), nn.Softplus()], [nn.Linear(200, 784)])
    for p in m.parameters():
        nn.init.zeros_(p)
    nn.init.xavier_uniform_(m.encoder[0].weight)
    return m


def classifier():
    m = nn.Sequential(nn.Linear(784, 300), nn.ReLU(), nn.Dropout(0.25), nn.Linear(300, 10))
    for p in m.parameters():
        nn.init.zeros_(p)
    nn.init.trunc_normal_(m[0].weight, std=0.1, a=-0.2, b=0.2)
    return m


def vae_loss(output, x):
    """Binary cross entropy + Kullback-Leibler divergence, summed. `output` is what a Vae makes of x."""
    logits, mu, logvar = output
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())

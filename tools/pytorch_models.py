"""The zoo in PyTorch, with the same names of parameters: for the benchmark's peer and for the tests that compare the two. Sizes,
batch, learning rate and epochs come from models/recipes.def."""
import math
import os
import re
from collections import namedtuple

import torch
import torch.nn.functional as F
from torch import nn

Recipe = namedtuple("Recipe", "program variant sizes batch epochs steps lr pixels order last")


def read_recipes():
    """The lines RECIPE(id, ...) by id."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../models/recipes.def")
    recipes = {}
    for line in open(path):
        match = re.match(r"RECIPE\((\w), *(.*?), *SIZES\((.*?)\), *(.*)\)$", line)
        if not match:
            continue
        name, words, sizes, numbers = match.groups()
        program, variant = (word.strip() for word in words.split(","))
        batch, epochs, steps, lr, pixels, order, last = (word.strip() for word in numbers.split(","))
        pixels, order = pixels.removeprefix("TRAIN_").lower(), order.removeprefix("TRAIN_").lower()
        recipes[name] = Recipe(program, variant, [int(n) for n in sizes.split(",")], int(batch), int(epochs), int(steps),
                               float(lr), pixels, order, int(last))
    return recipes


RECIPES = read_recipes()


class Variational(nn.Module):
    """Children encode to (mu, logvar), and decode to logits."""

    def forward(self, x, noise=torch.randn_like):
        mu, logvar = self.encode(x)
        return self.decode(mu + torch.exp(0.5 * logvar) * noise(mu)), mu, logvar


class Vae(Variational):
    def __init__(self, pixels, hidden, latent):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(pixels, hidden), nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.fc3, self.fc4 = nn.Linear(latent, hidden), nn.Linear(hidden, pixels)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def decode(self, z):
        return self.fc4(F.relu(self.fc3(z)))


class Iwae(nn.Module):
    """models/iwae.c; upper: the second stochastic layer's hidden units and numbers (models/iwae_upper.c)."""

    def __init__(self, pixels, hidden, latent, upper=None):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(pixels, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.mu, self.logvar = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(),
                                     nn.Linear(hidden, pixels))
        self.upper = upper and self.make_upper(latent, *upper)

    @staticmethod
    def make_upper(latent, hidden, size):
        layers = lambda n: nn.Sequential(nn.Linear(n, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        upper = nn.Module()
        upper.encoder, upper.mu, upper.logvar = layers(latent), nn.Linear(hidden, size), nn.Linear(hidden, size)
        upper.decoder, upper.prior_mu, upper.prior_logvar = layers(size), nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        return upper

    def log_prior(self, z, noise):
        """log p(z), or log p(u) p(z | u) / q(u | z) of a draw u; without what is 2 pi in p."""
        if not self.upper:
            return -0.5 * (z ** 2).sum(-1)
        h = self.upper.encoder(z)
        mu, logvar = self.upper.mu(h), self.upper.logvar(h)
        u = mu + torch.exp(0.5 * logvar) * noise(mu)
        h = self.upper.decoder(u)
        prior_mu, prior_logvar = self.upper.prior_mu(h), self.upper.prior_logvar(h)
        log_ratio = 0.5 * ((u - mu) ** 2 / logvar.exp() + logvar - u ** 2).sum(-1)
        return log_ratio - 0.5 * ((z - prior_mu) ** 2 / prior_logvar.exp() + prior_logvar).sum(-1)

    def loss(self, x, k, noise=torch.randn_like, dreg=False):
        """-L_k, a mean over x; with `dreg` the encoder's gradient is the doubly reparameterised one."""
        h = self.encoder(x)
        mu, logvar = self.mu(h)[:, None], self.logvar(h)[:, None]
        z = mu + torch.exp(0.5 * logvar) * noise(mu.expand(-1, k, -1))
        if dreg:
            mu, logvar = mu.detach(), logvar.detach()
        logits = self.decoder(z)
        likelihood = -F.binary_cross_entropy_with_logits(logits, x[:, None].expand_as(logits), reduction="none").sum(-1)
        log_w = likelihood + 0.5 * ((z - mu) ** 2 / logvar.exp() + logvar).sum(-1) + self.log_prior(z, noise)
        if dreg:
            weight = torch.softmax(log_w.detach(), 1)[..., None]
            z.register_hook(lambda g: weight * g)
        return -(torch.logsumexp(log_w, 1) - math.log(k)).mean()


class MaskedLinear(nn.Linear):
    """MADE: weights between units of the wrong degrees are zero."""

    def __init__(self, degrees_in, degrees_out, strictly):
        super().__init__(len(degrees_in), len(degrees_out))
        self.register_buffer("mask", (degrees_out[:, None] > degrees_in if strictly else degrees_out[:, None] >= degrees_in)
                             .to(self.weight.dtype))

    def forward(self, x):
        return F.linear(x, self.weight * self.mask, self.bias)


class MaskedAutoregressive(nn.Module):
    def __init__(self, size, hidden, context, backwards):
        super().__init__()
        order = torch.arange(1, size + 1).flip(0) if backwards else torch.arange(1, size + 1)
        units = torch.arange(hidden) % (size - 1) + 1
        self.input, self.context = MaskedLinear(order, units, False), nn.Linear(context, hidden, bias=False)
        self.hidden = MaskedLinear(units, units, False)
        self.mean, self.gate = MaskedLinear(units, order, True), MaskedLinear(units, order, True)

    def forward(self, z, context):
        h = F.relu(self.hidden(F.relu(self.input(z) + self.context(context))))
        return self.mean(h), self.gate(h)


class PlanarFlow(nn.Module):
    """models/planar_flow.c."""

    def __init__(self, size, context):
        super().__init__()
        self.push, self.normal, self.offset = nn.Linear(context, size), nn.Linear(context, size), nn.Linear(context, 1)

    def forward(self, z, context):
        u, w, b = self.push(context), self.normal(context), self.offset(context)
        along = (u * w).sum(-1, keepdim=True)
        soft = F.softplus(along)
        u = u + w * ((soft - 1 - along) / (w * w).sum(-1, keepdim=True))
        h = torch.tanh((w * z).sum(-1, keepdim=True) + b)
        return z + u * h, torch.log(h ** 2 + (1 - h ** 2) * soft).sum(-1)


class FlowVae(nn.Module):
    """models/flow_vae.c."""

    def __init__(self, pixels, hidden, layers, latent, flows, planar=False):
        super().__init__()

        def stack(n):
            parts = [nn.Linear(n, hidden), nn.ReLU()]
            for _ in range(layers - 1):
                parts += [nn.Linear(hidden, hidden), nn.ReLU()]
            return parts
        self.flows = flows
        self.encoder = nn.Sequential(*stack(pixels))
        self.mu, self.deviation = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        for i in range(flows):
            setattr(self, f"flow{i}", PlanarFlow(latent, hidden) if planar else MaskedAutoregressive(latent, hidden, hidden, i % 2 == 1))
        self.decoder = nn.Sequential(*stack(latent), nn.Linear(hidden, pixels))

    @staticmethod
    def carry(flow, z, context):
        if isinstance(flow, PlanarFlow):
            return flow(z, context)
        mean, gate = flow(z, context)
        return mean + torch.sigmoid(gate + 2) * (z - mean), F.logsigmoid(gate + 2).sum(-1)

    def log_weight(self, x, noise=torch.randn_like):
        """log p(x, z) - log q(z | x) of a draw of z."""
        h = self.encoder(x)
        mu, deviation = self.mu(h), F.softplus(self.deviation(h))
        eps = noise(mu)
        z, log_q = mu + deviation * eps, -(eps ** 2 / 2 + deviation.log()).sum(-1)
        for i in range(self.flows):
            z, log_det = self.carry(getattr(self, f"flow{i}"), z, h)
            log_q = log_q - log_det
        log_p = -F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="none").sum(-1) - (z ** 2 / 2).sum(-1)
        return log_p - log_q

    def loss(self, x, noise=torch.randn_like):
        return -self.log_weight(x, noise).mean()


class VqVae(nn.Module):
    """models/vq_vae.c. With averages, the codebook has no gradient: `move` is its step."""

    def __init__(self, vectors=64, size=16, first=32, second=64, averages=True):
        super().__init__()
        self.averages = averages
        self.encoder = nn.Sequential(nn.Conv2d(1, first, 4, 2, 1), nn.ReLU(), nn.Conv2d(first, second, 4, 2, 1), nn.ReLU(),
                                     nn.Conv2d(second, size, 1))
        self.codebook = nn.Module()
        start = torch.empty(vectors, size).uniform_(-1 / vectors, 1 / vectors)
        if averages:
            self.codebook.count, self.codebook.sum = nn.Parameter(torch.ones(vectors)), nn.Parameter(start)
        else:
            self.codebook.weight = nn.Parameter(start)
        self.decoder = nn.Sequential(nn.Conv2d(size, second, 3, 1, 1), nn.ReLU(), nn.ConvTranspose2d(second, first, 4, 2, 1),
                                     nn.ReLU(), nn.ConvTranspose2d(first, 1, 4, 2, 1))

    def vectors(self):
        if not self.averages:
            return self.codebook.weight
        count, total = self.codebook.count, self.codebook.count.sum()
        return (self.codebook.sum / ((count + 1e-5) * total / (total + len(count) * 1e-5))[:, None]).detach()

    def encode(self, x):
        z = self.encoder(x.reshape(-1, 1, 28, 28)).permute(0, 2, 3, 1)
        flat, book = z.detach().reshape(-1, z.shape[-1]), self.vectors().detach()
        return z, torch.argmin(book.pow(2).sum(1) - 2 * flat @ book.T, 1).reshape(z.shape[:-1])

    def loss(self, x, variance, beta=0.25):
        z, index = self.encode(x)
        e = self.vectors()[index]
        self.seen = z.detach().reshape(-1, z.shape[-1]), index.reshape(-1)
        made = self.decoder((z + (e - z).detach()).permute(0, 3, 1, 2)).reshape(x.shape)
        loss = F.mse_loss(made, x) / variance + beta * F.mse_loss(z, e.detach())
        return loss if self.averages else loss + F.mse_loss(e, z.detach())

    @torch.no_grad()
    def move(self, decay=0.99):
        """Towards what the last loss was of."""
        z, index = self.seen
        taken = F.one_hot(index, len(self.codebook.count)).to(z)
        self.codebook.count.mul_(decay).add_(taken.sum(0), alpha=1 - decay)
        self.codebook.sum.mul_(decay).add_(taken.T @ z, alpha=1 - decay)


class MaskedConv2d(nn.Conv2d):
    def __init__(self, inside, outside, kernel, sees_own):
        super().__init__(inside, outside, kernel, padding=kernel // 2)
        own = kernel * kernel // 2
        seen = torch.arange(kernel * kernel) < own + sees_own
        self.register_buffer("mask", seen.to(self.weight).reshape(kernel, kernel).expand_as(self.weight).clone())

    def forward(self, x):
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class PixelCnn(nn.Module):
    """models/pixel_cnn.c."""

    def __init__(self, symbols=64, channels=32, blocks=4):
        super().__init__()
        wide = 2 * channels
        self.embedding, self.input = nn.Embedding(symbols, channels), MaskedConv2d(channels, wide, 5, False)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv2d(wide, channels, 1), nn.ReLU(), MaskedConv2d(channels, channels, 3, True), nn.ReLU(),
                          nn.Conv2d(channels, wide, 1)) for _ in range(blocks))
        self.output = nn.Sequential(nn.ReLU(), nn.Conv2d(wide, wide, 1), nn.ReLU(), nn.Conv2d(wide, symbols, 1))

    def loss(self, index):
        """-log p of a grid (N, height, width), a mean over them."""
        x = self.input(self.embedding(index).permute(0, 3, 1, 2))
        for block in self.blocks:
            x = x + block(x)
        return F.cross_entropy(self.output(x), index) * index[0].numel()


class ConditionalVae(nn.Module):
    """A Vae with one-hot labels c beside x and z."""

    def __init__(self, pixels, hidden, latent, classes):
        super().__init__()
        self.classes = classes
        self.fc1, self.fc21, self.fc22 = nn.Linear(pixels + classes, hidden), nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.fc3, self.fc4 = nn.Linear(latent + classes, hidden), nn.Linear(hidden, pixels)

    def forward(self, x, y):
        c = F.one_hot(y, self.classes).to(x.dtype)
        h = F.relu(self.fc1(torch.cat([x, c], 1)))
        mu, logvar = self.fc21(h), self.fc22(h)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return self.decode(z, c), mu, logvar

    def decode(self, z, c):
        return self.fc4(F.relu(self.fc3(torch.cat([z, c], 1))))


class ConvVae(Variational):
    def __init__(self, side, first, second, latent):
        super().__init__()
        self.side, quarter = side, side // 4
        flat = second * quarter * quarter
        self.encoder = nn.Sequential(nn.Conv2d(1, first, 4, 2, 1), nn.ReLU(), nn.Conv2d(first, second, 4, 2, 1), nn.ReLU(),
                                     nn.Flatten())
        self.mu, self.logvar, self.expand = nn.Linear(flat, latent), nn.Linear(flat, latent), nn.Linear(latent, flat)
        self.decoder = nn.Sequential(nn.Unflatten(1, (second, quarter, quarter)),
                                     nn.ConvTranspose2d(second, first, 4, 2, 1), nn.ReLU(),
                                     nn.ConvTranspose2d(first, 1, 4, 2, 1), nn.Flatten())

    def encode(self, x):
        h = self.encoder(x.reshape(-1, 1, self.side, self.side))
        return self.mu(h), self.logvar(h)

    def decode(self, z):
        return self.decoder(self.expand(z))


class CoupletVae(Variational):
    """models/couplet_vae.c: embeddings and gated convolutions."""

    def __init__(self, characters, length, width=64, latent=64):
        super().__init__()
        gate = lambda: nn.Conv1d(width, 2 * width, 3, padding=1, bias=False)
        self.length, self.width = length, width
        self.embedding = nn.Embedding(characters, width)
        self.conv1, self.conv2 = gate(), gate()
        self.mu, self.logvar = nn.Linear(width, latent), nn.Linear(width, latent)
        self.expand = nn.Linear(latent, length * width)
        self.conv3 = gate()
        self.output = nn.Linear(width, characters)

    @staticmethod
    def gated(conv, x):
        a, b = conv(x).chunk(2, 1)
        return x + a * torch.sigmoid(b)

    def encode(self, x):
        h = self.embedding(x).transpose(1, 2)
        h = self.gated(self.conv2, self.gated(self.conv1, h)).mean(2)
        return self.mu(h), self.logvar(h)

    def decode(self, z):
        h = self.expand(z).reshape(-1, self.length, self.width).transpose(1, 2)
        return self.output(self.gated(self.conv3, h).transpose(1, 2))


class AdversarialAe(nn.Module):
    """models/adversarial_ae.c: codes that a discriminator cannot tell from a prior's draws. With labels they begin with the
    probabilities of so many classes, which have a discriminator of their own."""

    def __init__(self, pixels, hidden=1000, latent=8, classes=0, labels=0):
        super().__init__()
        mlp = lambda i, o: nn.Sequential(nn.Linear(i, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, o))
        self.classes, self.labels = classes, labels
        self.autoencoder = nn.Module()
        self.autoencoder.encoder, self.autoencoder.decoder = mlp(pixels, labels + latent), mlp(labels + latent, pixels)
        if labels:
            self.discriminator = nn.Module()
            self.discriminator.labels, self.discriminator.rest = mlp(labels, 1), mlp(latent, 1)
        else:
            self.discriminator = mlp(latent + classes, 1)

    def encode(self, x):
        h = self.autoencoder.encoder(x)
        return torch.cat([h[:, :self.labels].softmax(1), h[:, self.labels:]], 1) if self.labels else h

    def classify(self, x):
        return self.autoencoder.encoder(x)[:, :self.labels]

    def reconstruction(self, x):
        return F.binary_cross_entropy_with_logits(self.autoencoder.decoder(self.encode(x)), x)

    def discriminate(self, z, y):
        if self.labels:
            return torch.cat([self.discriminator.labels(z[:, :self.labels]), self.discriminator.rest(z[:, self.labels:])], 1)
        return self.discriminator(torch.cat([z, F.one_hot(y, self.classes).to(z)], 1) if self.classes else z)

    def judge(self, x, y, z):
        real, fake = self.discriminate(z, y), self.discriminate(self.encode(x).detach(), y)
        return (F.binary_cross_entropy_with_logits(real, torch.ones_like(real)) +
                F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))) / 2

    def deceive(self, x, y):
        fake = self.discriminate(self.encode(x), y)
        return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


class VaeGan(nn.Module):
    """models/vae_gan.c: the error is measured in the discriminator's features, which is the decoder's adversary too."""

    def __init__(self, pixels, hidden=1024, latent=32):
        super().__init__()
        blocks = lambda n: [nn.Linear(n, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden),
                            nn.ReLU()]
        self.encoder = nn.Module()
        self.encoder.body = nn.Sequential(*blocks(pixels))
        self.encoder.mu, self.encoder.logvar = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(nn.Sequential(*blocks(latent)), nn.Linear(hidden, pixels))
        self.discriminator = nn.Module()
        self.discriminator.features = nn.Sequential(*blocks(pixels))
        self.discriminator.verdict = nn.Linear(hidden, 1)

    def encode(self, x, noise):
        h = self.encoder.body(x)
        mu, logvar = self.encoder.mu(h), self.encoder.logvar(h)
        return mu + torch.exp(0.5 * logvar) * noise(mu), mu, logvar

    @staticmethod
    def feature_error(features, n):
        return 0.5 * F.mse_loss(features[n:2 * n], features[:n], reduction="sum")

    def make_images(self, z, noise):
        return torch.sigmoid(self.decoder(torch.cat([z, noise(z)])))

    def encoder_loss(self, x, noise=torch.randn_like):
        z, mu, logvar = self.encode(x, noise)
        features = self.discriminator.features(torch.cat([x, self.make_images(z, noise)]))
        return -0.5 * torch.sum(1 + logvar - mu ** 2 - logvar.exp()) + self.feature_error(features, len(x))

    def real_and_made(self, x, noise):
        return torch.cat([x, self.make_images(self.encode(x, noise)[0].detach(), noise)])

    def answer(self, logits, value):
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, value), reduction="sum")

    def discriminator_loss(self, x, noise=torch.randn_like):
        logits = self.discriminator.verdict(self.discriminator.features(self.real_and_made(x, noise).detach()))
        return 0.5 * self.answer(logits[:len(x)], 1) + 0.25 * self.answer(logits[len(x):], 0)

    def decoder_loss(self, x, weight, noise=torch.randn_like):
        features = self.discriminator.features(self.real_and_made(x, noise))
        taken = self.answer(self.discriminator.verdict(features)[len(x):], 1)
        return weight * self.feature_error(features, len(x)) + (1 - weight) * taken


class StackedAe(nn.Module):
    """models/stacked_ae.c: sigmoid layers, each also a denoising autoencoder with tied weights."""

    def __init__(self, pixels, widths=(1000, 1000, 1000), classes=10, corruption=(0.1, 0.2, 0.3)):
        super().__init__()
        self.corruption, self.layers = corruption, nn.ModuleList()
        for i, o in zip([pixels, *widths], widths):
            layer = nn.Module()
            layer.visible_bias = nn.Parameter(torch.zeros(i))
            layer.linear = nn.Linear(i, o)
            nn.init.xavier_uniform_(layer.linear.weight, 4)
            nn.init.zeros_(layer.linear.bias)
            self.layers.append(layer)
        self.output = nn.Linear(widths[-1], classes)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def encode(self, x, layers):
        for layer in self.layers[:layers]:
            x = torch.sigmoid(layer.linear(x))
        return x

    def forward(self, x):
        return self.output(self.encode(x, len(self.layers)))

    def layer_loss(self, x, k, keep=None):
        layer, target = self.layers[k], self.encode(x, k).detach()
        kept = torch.bernoulli(torch.full_like(target, 1 - self.corruption[k])) if keep is None else keep(target, 1 - self.corruption[k])
        logits = torch.sigmoid(layer.linear(target * kept)) @ layer.linear.weight + layer.visible_bias
        return F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(x)


def score_classifier():
    """models/train/classifier.c: of the sample score."""
    block = lambda before, after: [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(nn.Unflatten(1, (1, 28, 28)), *block(1, 16), *block(16, 32), nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(),
                         nn.Dropout(0.2), nn.Linear(128, 10))


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


def relu20(*widths):
    return mlp_ae(widths, nn.ReLU, nn.ReLU)


def chunked_vae(*widths):
    *before, latent = widths
    return Chunked(stack([*before, 2 * latent], nn.ReLU, nn.ReLU), stack(widths[::-1], nn.ReLU, nn.Sigmoid))


def tanh3(*widths):
    return mlp_ae(widths, nn.Tanh)


def with_xavier(m):
    """Keras's initialisation."""
    for layer in m.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return m


def relu2(*widths):
    return with_xavier(mlp_ae(widths, nn.ReLU, None, nn.Tanh))


def deep_ae():
    """models/stacked_ae_mnist.c, --deep; gives logits."""
    return with_xavier(mlp_ae((784, 1000, 500, 250, 30), nn.Tanh, out=None))


def conv_ae(_, first, second):
    """Of pixels in -1..1, (N, 1, 28, 28)."""
    return Autoencoder([nn.Conv2d(1, first, 3, 3, 1), nn.ReLU(), nn.MaxPool2d(2, 2), nn.Conv2d(first, second, 3, 2, 1), nn.ReLU(),
                        nn.MaxPool2d(2, 1)],
                       [nn.ConvTranspose2d(second, first, 3, 2), nn.ReLU(), nn.ConvTranspose2d(first, second, 5, 3, 1), nn.ReLU(),
                        nn.ConvTranspose2d(second, 1, 2, 2, 1), nn.Tanh()])


def denoising_ae(pixels, latent):
    m = Autoencoder([nn.Linear(pixels, latent), nn.Softplus()], [nn.Linear(latent, pixels)])
    for p in m.parameters():
        nn.init.zeros_(p)
    nn.init.xavier_uniform_(m.encoder[0].weight)
    return m


def classifier(pixels, hidden, classes):
    m = nn.Sequential(nn.Linear(pixels, hidden), nn.ReLU(), nn.Dropout(0.25), nn.Linear(hidden, classes))
    for p in m.parameters():
        nn.init.zeros_(p)
    nn.init.trunc_normal_(m[0].weight, std=0.1, a=-0.2, b=0.2)
    return m


MAKERS = {"a": Vae, "b": relu20, "c": chunked_vae, "d": tanh3, "e": conv_ae, "f": denoising_ae, "g": classifier, "h": relu2,
          "i": ConvVae, "o": ConditionalVae}


def make(name):
    """The model of a recipe, by its letter."""
    return MAKERS[name](*RECIPES[name].sizes)


def couplet_losses(output, x):
    """Reconstruction and KL term, sums over the batch."""
    logits, mu, logvar = output
    return (F.cross_entropy(logits.flatten(0, 1), x.flatten(), reduction="sum"),
            -0.5 * torch.sum(1 + logvar - mu ** 2 - logvar.exp()))


def vae_loss(output, x):
    """Binary cross entropy + Kullback-Leibler divergence, summed. `output` is what a Vae makes of x."""
    logits, mu, logvar = output
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())

"""Makes tests/golden/nn.txt: PyTorch's optimisers, clipping, schedules, initial distributions and a network of all layers.

    python3 tests/golden/make_nn.py > tests/golden/nn.txt
"""
import torch
from torch import nn, optim

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)


def row(*numbers):
    print(*("%.12g" % x for x in numbers))


# ---- Optimisers: six steps from the same start with the same gradients. ----
START = torch.randint(-20, 20, (5,)) / 10
GRADS = torch.randint(-30, 30, (6, 5)) / 10
print("gradients")
row(*START.tolist())
for g in GRADS:
    row(*g.tolist())

def adam_with_initial_square(p):
    optimizer = optim.Adam(p, lr=0.1, betas=(0.9, 0.99))
    for q in p:
        optimizer.state[q] = {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(q), "exp_avg_sq": torch.ones_like(q)}
    return optimizer


CASES = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "sgd_decay": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.2),
    "sgd_momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "sgd_dampening": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1),
    "sgd_nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda p: optim.Adam(p, lr=0.1),
    "adam_options": lambda p: optim.Adam(p, lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.3),
    "adam_initial_square": adam_with_initial_square,
    "adamw": lambda p: optim.AdamW(p, lr=0.1),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.3),
    "adagrad_options": lambda p: optim.Adagrad(p, lr=0.3, initial_accumulator_value=0.1, eps=0.01, weight_decay=0.2),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01),
    "rmsprop_options": lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-3, weight_decay=0.1, momentum=0.5,
                                               centered=True),
}
for name, make in CASES.items():
    p = nn.Parameter(START.clone())
    optimizer = make([p])
    print("optimizer", name)
    for g in GRADS:
        p.grad = g.clone()
        optimizer.step()
        row(*p.tolist())

# ---- Clipping: gradients of two parameters, before and after. ----
a, b = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2))
for name, clip in (("norm", lambda: nn.utils.clip_grad_norm_([a, b], 1.5)),
                   ("norm_large", lambda: nn.utils.clip_grad_norm_([a, b], 100.0)),
                   ("value", lambda: nn.utils.clip_grad_value_([a, b], 0.7))):
    a.grad, b.grad = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.25, 3.0])
    norm = clip()
    print("clip", name)
    row(0 if norm is None else norm.item(), *a.grad.tolist(), *b.grad.tolist())

# ---- Schedules: the rate of the first twelve epochs, from 0.1. ----
for name, make in (("step", lambda o: optim.lr_scheduler.StepLR(o, 4, 0.5)),
                   ("cosine", lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 10, 0.01)),
                   ("warmup", lambda o: optim.lr_scheduler.LinearLR(o, 0.25, 1.0, 5))):
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = make(optimizer)
    rates = []
    for _ in range(12):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    print("schedule", name)
    row(*rates)

# ---- Initial distributions of a (300, 200) weight: deviation, largest absolute value. ----
layer = nn.Linear(200, 300)
weights = {"default": layer.weight, "default_bias": layer.bias}
for name, init in (("xavier_uniform", nn.init.xavier_uniform_), ("xavier_normal", nn.init.xavier_normal_),
                   ("kaiming_uniform", lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu")),
                   ("kaiming_normal", lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu")),
                   ("truncated_normal", lambda w: nn.init.trunc_normal_(w, std=0.1, a=-0.2, b=0.2)),
                   ("constant", lambda w: nn.init.constant_(w, 0.5))):
    weights[name] = init(torch.empty(300, 200))
for name, w in weights.items():
    print("init", name)
    row(w.mean().item(), w.std().item(), w.abs().max().item())

# ---- One network of all layers: parameters in the order of the state dict, input, output, gradients. ----
net = nn.Sequential(
    nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6, bias=False), nn.LeakyReLU(0.1), nn.Linear(6, 6), nn.ELU(0.7), nn.Linear(6, 6),
    nn.GELU(), nn.Linear(6, 6), nn.SiLU(), nn.Linear(6, 6), nn.Softplus(), nn.Linear(6, 6), nn.Sigmoid(), nn.Linear(6, 6),
    nn.Tanh(), nn.Unflatten(-1, (2, 3)), nn.Softmax(-1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(6, 3), nn.LogSoftmax(-1),
).eval()
x = torch.randn(5, 4)
y = net(x)
(y * torch.arange(15.0).reshape(5, 3)).sum().backward()
print("network", sum(p.numel() for p in net.parameters()))
for name, p in net.named_parameters():
    print(name, p.numel())
    row(*p.flatten().tolist())
    row(*p.grad.flatten().tolist())
print("input")
row(*x.flatten().tolist())
print("output")
row(*y.flatten().tolist())

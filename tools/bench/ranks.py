#!/usr/bin/env python3
"""Simulates training on many machines, one rank each: what the sums over ranks cost beside the computation.

    tools/bench/ranks.py [--spread 0.05] [--steps 20] [--seed 1]

A step is computed in the time that its examples take on one core, times a factor that varies from rank to rank and from
step to step (log-normal; --spread is its deviation). Then come the messages of models/train: those of the gradient and
the metrics. A message takes a latency and its bytes at the network's rate, both ways at once; it begins when both
ranks are ready for it. Prints the rows of the table in models/train/README.md: milliseconds from the last rank's last
example to the step's end, and in brackets the examples per rank whose computation takes as long.
"""
import argparse
import random

# numbers in the gradient; seconds per example, on one AVX2 core
MODELS = [("`vae_mnist`", 652824, 62e-6), ("`--variant conv`", 370945, 660e-6)]
# bytes a second, seconds a message
NETWORKS = [("10 Gbit/s", 1.25e9, 20e-6), ("100 Gbit/s", 12.5e9, 5e-6)]
NUMBER, NOTE, WORD = 4, 1304, 8  # bytes: of a number, of a shard's metrics, of what a rank says of itself


def turns(ranks, numbers):
    """The bit in which partners' numbers differ, and the bytes of the message, for each turn of a step."""
    bits = [1 << k for k in range((ranks - 1).bit_length())]
    for size in (WORD, NOTE):
        yield from ((bit, size * bit) for bit in bits)
    halves = [(bit, NUMBER * numbers / (2 * bit)) for bit in bits]
    yield from halves
    yield from reversed(halves)


def step(ready, numbers, rate, latency):
    """The time at which each rank has the sum, from the times at which they have computed their parts."""
    for bit, size in turns(len(ready), numbers):
        ready = [max(t, ready[rank ^ bit]) + latency + size / rate for rank, t in enumerate(ready)]
    return ready


def cost(ranks, numbers, rate, latency, seconds, spread, steps):
    """Mean seconds of a step after its last rank has computed; `seconds` is how long a rank computes."""
    after = 0
    for _ in range(steps):
        computed = [seconds * random.lognormvariate(0, spread) for _ in range(ranks)]
        after += max(step(computed, numbers, rate, latency)) - max(computed)
    return after / steps


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--spread", type=float, default=0.05)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()
random.seed(args.seed)

print("| machines |" + "".join(f" {model}, {network} |" for model, *_ in MODELS for network, *_ in NETWORKS))
print("|---|" + "---|" * len(MODELS) * len(NETWORKS))
for ranks in (2, 8, 64, 256, 1024):
    cells = []
    for _, numbers, seconds in MODELS:
        for _, rate, latency in NETWORKS:
            spent = cost(ranks, numbers, rate, latency, 128 * seconds, args.spread, args.steps)
            cells.append(f"{1e3 * spent:.2g} ({spent / seconds:.0f})")
    print(f"| {ranks:,} | " + " | ".join(cells) + " |")

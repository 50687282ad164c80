#!/usr/bin/env python3
"""Runs tools/bench/bench and its peers in turn, several rounds, and prints medians and ratios.

    tools/bench/compare.py [--data DIR] [--filter abc] [--threads 1 2] [--rounds N] [--seconds S] [--best]
        the workloads against PyTorch (peer.py); with --best the best of plain PyTorch, channels last and torch.compile
    tools/bench/compare.py --products [--threads 1] [--rounds N] [--seconds S]
        the matrix products against numpy's BLAS, which its wheels bring: OpenBLAS
    tools/bench/compare.py --ops [--filter TEXT] [--threads 1 2] [--rounds N] [--seconds S]
        every op, optimizer and model at several shapes (ops.def) against PyTorch, the worst first; by default 0.1 s each
    tools/bench/compare.py --ops --other-shapes SEED [--filter TEXT] [--threads 1 2] [--rounds N] [--seconds S]
        the ops and optimizers at shapes that ops.def does not name, drawn from the seed (cases.py)
    tools/bench/compare.py --ranks 2 [--data DIR] [--filter abc] [--rounds N] [--seconds S]
        the programs in models/, built with MPI=1, by one process and by N, of one thread each, against DistributedDataParallel

Ratios are the peer's time over ours, round by round; the median of them is shown. Above 1, ours is faster.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default="data/mnist")
parser.add_argument("--filter", help="letters of workloads, or text of ops")
parser.add_argument("--threads", type=int, nargs="+", default=[1])
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--seconds", type=float)
what = parser.add_mutually_exclusive_group()
what.add_argument("--best", action="store_true")
what.add_argument("--products", action="store_true")
what.add_argument("--ops", action="store_true")
what.add_argument("--ranks", type=int)
parser.add_argument("--other-shapes", type=int)
options = parser.parse_args()
if options.filter is None:
    options.filter = "" if options.ops else "abcdefghi"
if options.seconds is None:
    options.seconds = 0.1 if options.ops else 0.5
if options.rounds < 1 or min(options.threads) < 1:
    parser.error("--rounds and --threads: expected at least 1")
if options.ranks is not None and (options.ranks < 2 or options.threads != [1]):
    parser.error("--ranks: expected at least 2, of one thread each")
if options.other_shapes is not None and not options.ops:
    parser.error("--other-shapes goes with --ops")
if not options.ops and not set(options.filter) <= set("abcdefghi"):
    parser.error(f"--filter {options.filter}: expected letters of workloads, a to i")
for pin in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # these can hold a peer to another processor's kernels
    os.environ.pop(pin, None)
HERE = os.path.dirname(os.path.abspath(__file__))


def output(command, **more):
    """What a command prints, and what it complains about: we end when it fails."""
    result = subprocess.run(command, capture_output=True, text=True, **more)
    if result.returncode != 0:
        sys.exit(f"{os.path.basename(command[0])}: exit {result.returncode}: {result.stderr.strip()}")
    return result


def cases_file():
    """The cases of --other-shapes."""
    sys.path.insert(0, HERE)
    from cases import other_shapes
    to = tempfile.NamedTemporaryFile("w", prefix="cases-")
    print(*other_shapes(options.other_shapes), sep="\n", file=to, flush=True)
    return to


CASES_FILE = cases_file() if options.other_shapes is not None else None
CASES = ["--cases", CASES_FILE.name] if CASES_FILE else []


def bench(threads, *more):
    command = [os.path.join(HERE, "bench"), "--threads", str(threads), "--seconds", str(options.seconds), *more]
    return output(command).stdout


def rows(text):
    """The figures of a CSV with name,threads,us,...: microseconds by name, of workloads by letter."""
    lines = [line.split(",") for line in text.splitlines()[1:]]
    if options.ops:
        return {name: float(us) for name, _, us in lines}
    return {name[0]: float(us) for name, _, us, *_ in lines if name[0] in options.filter}


def ours(threads):
    with tempfile.TemporaryDirectory() as folder:
        csv = os.path.join(folder, "ours.csv")
        only = ["--filter", options.filter] if options.filter else []  # the programs refuse an empty value
        what = ["--ops", *CASES, *only] if options.ops else ["--workloads"]
        bench(threads, *what, "--csv", csv)
        with open(csv) as file:
            return rows(file.read())


def theirs(threads, *more):
    result = output([sys.executable, os.path.join(HERE, "peer.py"), "--data", options.data, "--filter", options.filter,
                     "--threads", str(threads), "--seconds", str(options.seconds), *more])
    print(result.stderr.strip().splitlines()[-1], file=sys.stderr)
    return rows(result.stdout)


def compare_ops(threads):
    """Ours and theirs in turn, the worst ratio first."""
    rounds = [(ours(threads), theirs(threads, "--ops", *CASES)) for _ in range(options.rounds)]
    table = []
    for case in [case for case in rounds[0][0] if all(case in side for r in rounds for side in r)]:
        median = [statistics.median(r[i][case] for r in rounds) for i in (0, 1)]
        table.append((statistics.median(r[1][case] / r[0][case] for r in rounds), *median, case))
    table.sort()
    print(f"| op, {threads} thread{'s' * (threads > 1)} | Hourglass, us | PyTorch, us | ratio |\n|---|---|---|---|")
    for ratio, mine, peer, case in table:
        print(f"| {case} | {mine:.2f} | {peer:.2f} | {ratio:.2f} |")
    print(f"\n{len(table)} cases; PyTorch's time is below ours in {sum(row[0] < 1 for row in table)}, "
          f"below 0.9 of it in {sum(row[0] < 0.9 for row in table)}. The worst:")
    for ratio, mine, peer, case in table[:5]:
        print(f"{ratio:5.2f}  {case}: {mine:.1f} us, PyTorch {peer:.1f} us")
    sys.stdout.flush()


def compare_workloads(threads):
    rounds = []
    for _ in range(options.rounds):
        mine, peers = ours(threads), [theirs(threads)]
        if options.best:
            peers += [theirs(threads, "--channels-last"), theirs(threads, "--compile")]
        rounds.append((mine, {w: min(peer[w] for peer in peers) for w in options.filter}))
    print(f"| workload, {threads} thread{'s' * (threads > 1)} | Hourglass, us | PyTorch, us | ratio |\n|---|---|---|---|")
    for w in options.filter:
        median = [statistics.median(r[i][w] for r in rounds) for i in (0, 1)]
        ratio = statistics.median(r[1][w] / r[0][w] for r in rounds)
        print(f"| {w} | {median[0]:.0f} | {median[1]:.0f} | {ratio:.2f} |", flush=True)


def step_of_ranks(program, ranks, more):
    """Microseconds of a step of the program, from `more` steps: those by which one run is longer than another, as both are tested."""
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    seconds = []
    for steps in (20, 20 + more):
        with tempfile.TemporaryDirectory() as out:
            output([*launcher, *program, "--data", options.data, "--threads", "1", "--shards", str(ranks), "--steps", str(steps),
                    "--quiet", "--overwrite", "--out", out])
            with open(os.path.join(out, "metrics.csv")) as file:
                seconds.append(float(file.read().split(",")[-1]))
    return 1e6 * (seconds[1] - seconds[0]) / more


def compare_ranks(_):
    sys.path.insert(0, os.path.join(HERE, ".."))
    from pytorch_models import RECIPES
    names = [recipe.program for recipe in RECIPES.values()]
    programs = {w: [os.path.join("models", r.program)] + ["--variant", r.variant] * (names.count(r.program) > 1)
                for w, r in RECIPES.items()}
    programs["f"].append("--tutorial")  # its variant is an option of its own
    rounds = []
    for _ in range(options.rounds):
        peers, times = theirs(1, "--ranks", str(options.ranks)), {}
        for w in options.filter:
            steps = min(50000 // RECIPES[w].batch, 20 + int(1e6 * options.seconds / peers[w]))  # within the first epoch
            times[w] = (*(step_of_ranks(programs[w], ranks, steps) for ranks in (1, options.ranks)), peers[w])
        rounds.append(times)
    print(f"| workload | one rank, us | {options.ranks} ranks, us | ratio | PyTorch, {options.ranks} processes, us | ratio |\n|---|---|---|---|---|---|")
    for w in options.filter:
        one, more, peer = (statistics.median(r[w][i] for r in rounds) for i in range(3))
        gain, ratio = (statistics.median(r[w][i] / r[w][1] for r in rounds) for i in (0, 2))
        print(f"| {w} | {one:.0f} | {more:.0f} | {gain:.2f} | {peer:.0f} | {ratio:.2f} |", flush=True)


def compare_products(threads):
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    import numpy

    def time_of(m, n, k, kind):
        a = numpy.ones((k, m), numpy.float32).T if kind[0] == "t" else numpy.ones((m, k), numpy.float32)
        b = numpy.ones((n, k), numpy.float32).T if kind[1] == "t" else numpy.ones((k, n), numpy.float32)
        c = numpy.empty((m, n), numpy.float32)
        times, end = [], time.perf_counter() + options.seconds / 4
        while time.perf_counter() < end or len(times) < 6:
            start = time.perf_counter()
            numpy.matmul(a, b, out=c)
            times.append(1e6 * (time.perf_counter() - start))
        return statistics.median(times[1:])

    pairs = {}
    for _ in range(options.rounds):
        for line in bench(threads, "--kernels").splitlines():
            found = re.match(r"(.+?) +(\d+) x (\d+) x (\d+) (\w\w) +([\d.]+) ", line)
            if found:
                name, kind = found[1], found[5]
                m, n, k = (int(found[i]) for i in (2, 3, 4))
                pairs.setdefault(f"{name} | {m} x {n} x {k} {kind}", []).append((float(found[6]), time_of(m, n, k, kind)))
    blas = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    print(f"numpy {numpy.__version__}, {blas['name']} {blas['version']}, {threads} threads", file=sys.stderr)
    print("| product | m x n x k | Hourglass, us | BLAS, us | ratio |\n|---|---|---|---|---|")
    for name, times in pairs.items():
        median = [statistics.median(t[i] for t in times) for i in (0, 1)]
        print(f"| {name} | {median[0]:.1f} | {median[1]:.1f} | {statistics.median(t[1] / t[0] for t in times):.2f} |")


compare = (compare_products if options.products else compare_ops if options.ops else
           compare_ranks if options.ranks else compare_workloads)
for count in options.threads:
    compare(count)

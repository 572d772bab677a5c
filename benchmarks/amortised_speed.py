"""Time of AVICI's network and of the task generator, against the originals in the same run.

    python benchmarks/amortised_speed.py --forward --data [--original-python PATH] [--threads 2]

PATH is the Python of an environment with the original AVICI; ``original_avici.py`` says how to
make one. Both run on the same cores with the same number of threads, and take turns, so that
whatever else the machine does meets both. Ratios above 1 mean that aetia is faster. Threads of
torch wait for each other by spinning: on a machine that other work shares, set
``OMP_WAIT_POLICY=passive``, or the two-thread figures measure that.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from original_avici import serve, table, timed

HERE = Path(__file__).parent
INTERVENED = {"share": 0.25, "p_observational": 0.0}
LINEAR = {"name": "linear", "weights": "uniform", "bias": 3.0}
KERNELS = {"name": "gp", "n_kernels": 4, "noise_input": True}
DATA = [
    # Name, mechanism, interventions, avici's mechanism, quoted tasks per second and whose.
    ("linear", LINEAR, None, "linear", 534, "avici linear"),
    ("linear, 25 % set", LINEAR, INTERVENED, "linear", 125, "avici linear, 64 rows set"),
    ("linear, normal weights", "linear", None, None, 76, "causal_meta linear"),
    ("mlp", "mlp", None, None, 57, "causal_meta MLP"),
    ("gp, 100 features", "gp", None, "gp", 77, "avici RFF(100)"),
    ("gp, 100, 25 % set", "gp", INTERVENED, "gp", 35, "avici RFF(100), 64 rows set"),
    ("gp, 256 features", {"name": "gp", "n_features": 256}, None, None, None, ""),
    ("gp, 4 x 256", KERNELS | {"n_features": 256}, None, None, 44, "causal_meta GP-RFF 4 x 256"),
    ("gp, 4 x 512", KERNELS | {"n_features": 512}, None, None, 24, "causal_meta GP-RFF 4 x 512"),
    ("periodic", "periodic", None, None, 277, "causal_meta, 254 to 277"),
    ("square", "square", None, None, 277, "causal_meta, 254 to 277"),
    ("logistic-map", "logistic-map", None, None, 277, "causal_meta, 254 to 277"),
    ("joint-gp", "joint-gp", None, None, 9, "causal_meta 'exact' GP"),
]
"""Quoted: measured before, on two cores that other work shared, one process, d = 20, 256 rows, 38
to 40 edges. The columns of avici are measured in the same run."""


class Process:
    """A worker on the given cores that answers requests."""

    def __init__(self, command, cores):
        flags = "--xla_cpu_multi_thread_eigen=true"
        if len(cores) == 1:
            flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        env = os.environ | {
            "OMP_NUM_THREADS": str(len(cores)),
            "OPENBLAS_NUM_THREADS": str(len(cores)),
            "XLA_FLAGS": flags,
            "JAX_PLATFORMS": "cpu",
        }
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=env,
            preexec_fn=(lambda: os.sched_setaffinity(0, cores))
            if hasattr(os, "sched_setaffinity")
            else None,
        )

    def ask(self, do, **request):
        try:
            print(json.dumps({"do": do} | request), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            self.process.wait()
            self.errors.seek(0)
            raise SystemExit(f"a worker failed: {self.errors.read()[-2000:]}") from None

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def cores_of(threads):
    try:
        available = sorted(os.sched_getaffinity(0))
    except AttributeError:
        available = range(os.cpu_count() or 1)
    return list(available)[:threads]


def start(python, cores):
    """Start aetia's worker and, if there is one, the original's."""
    ours = Process([sys.executable, __file__, "--worker"], cores)
    return ours, Process([python, str(HERE / "original_avici.py")], cores) if python else None


def compare_forward(python, threads, rounds):
    cores = cores_of(threads)
    print(f"AVICI forward pass, one table of 200 rows, {len(cores)} threads, {rounds} rounds")
    print(
        f"{'d':>4} {'aetia s':>8} {'original s':>13} {'ratio':>6} {'of rounds':>11} "
        f"{'first call s':>13} {'peak MB':>11}"
    )
    for d in (10, 30, 100):
        both = [p for p in start(python, cores) if p]
        size = {"n": 200, "d": d}
        first = [p.ask("forward", **size, seconds=0)["times"][0] for p in both]
        replies = [[p.ask("forward", **size, seconds=0.5) for p in both] for _ in range(rounds)]
        for p in both:
            p.close()
        turns = [[r["times"] for r in column] for column in zip(*replies, strict=True)]
        mine, *theirs = [median(t for turn in column for t in turn) for column in turns]
        peak = [r["mb"] for r in replies[-1]]
        columns = f"{'not installed':>13} {'':>6} {'':>11}"
        if theirs:
            each = [median(b) / median(a) for a, b in zip(*turns, strict=True)]
            spread = f"{min(each):.2f}-{max(each):.2f}"
            columns = f"{theirs[0]:13.3f} {theirs[0] / mine:6.2f} {spread:>11}"
        print(
            f"{d:>4} {mine:8.3f} {columns} {' / '.join(f'{t:.2f}' for t in first):>13} "
            f"{' / '.join(f'{m:.0f}' for m in peak):>11}",
            flush=True,
        )
    if python:
        check(python, cores)


def check(python, cores):
    """Give aetia the original's weights: the same logits?"""
    ours, theirs = start(python, cores)
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/weights.npz"
        count = theirs.ask("forward", n=200, d=10, check=file)["parameters"]
        reply = ours.ask("forward", check=file)
    ours.close()
    theirs.close()
    print(
        f"the original's {count:,} weights in aetia's {reply['parameters']:,}: logits with "
        f"standard deviation {reply['spread']:.3f} differ by at most {reply['gap']:.1e}"
    )


def compare_data(python, seconds):
    print("tasks per second, d = 20, 256 rows, 40 expected edges, one thread for each process")
    print(
        f"{'tasks':>22} {'1 process':>9} {'2 workers':>9} {'avici':>9} {'ratio':>6} "
        f"{'quoted':>6} {'ratio':>6}  quoted of"
    )
    many = Process([sys.executable, __file__, "--worker"], cores_of(2))
    ours, theirs = start(python, cores_of(1))
    for name, mechanism, interventions, original, quoted, whose in DATA:
        options = {"mechanism": mechanism, "interventions": interventions, "seconds": seconds}
        alone = ours.ask("tasks", **options, n_workers=0)["rate"]
        workers = many.ask("tasks", **options, n_workers=2)["rate"]
        columns = f"{'':>9} {'':>6}"
        if original and theirs:
            size = {"n": 256, "d": 20, "edges": 40, "interventional": 64 if interventions else 0}
            rate = theirs.ask("tasks", mechanism=original, seconds=seconds, **size)["rate"]
            columns = f"{rate:9.0f} {alone / rate:6.1f}"
        elif original:
            columns = f"{'not there':>9} {'':>6}"
        quotes = f"{quoted:6.0f} {alone / quoted:6.1f}  {whose}" if quoted else ""
        print(f"{name:>22} {alone:9.0f} {workers:9.0f} {columns} {quotes}", flush=True)
    for p in (many, ours, theirs):
        if p:
            p.close()


# -- in the worker ------------------------------------------------------------------------------


def make_network():
    from aetia.discovery.avici.config import AVICIConfig
    from aetia.discovery.avici.network import AVICINetwork

    return AVICINetwork(AVICIConfig()).eval()


def load_original(net, arrays):
    """Copy the original's weights, its three normalisations folded into the maps behind them."""
    import torch

    def get(module, number, name):
        return torch.from_numpy(arrays[f"{module}{f'_{number}' if number else ''}.{name}"])

    def norm(layer, number):
        layer.weight.data = get("layer_norm", number, "scale")
        layer.bias.data = get("layer_norm", number, "offset")

    def linear(layer, number):
        layer.weight.data = get("linear", number, "w").T.contiguous()
        layer.bias.data = get("linear", number, "b")

    linear(net.embed, 0)
    for i, block in enumerate(net.encoder.blocks):
        attention = f"multi_head_attention{f'_{i}' if i else ''}"
        weights, biases = [], []
        for j, name in enumerate(("query", "key", "value")):
            w, b = (torch.from_numpy(arrays[f"{attention}/{name}.{k}"]) for k in "wb")
            weights.append((get("layer_norm", 4 * i + j, "scale")[:, None] * w).T)
            biases.append(get("layer_norm", 4 * i + j, "offset") @ w + b)
        block.qkv.weight.data, block.qkv.bias.data = torch.cat(weights), torch.cat(biases)
        block.mix.weight.data = torch.from_numpy(arrays[f"{attention}/linear.w"]).T.contiguous()
        block.mix.bias.data = torch.from_numpy(arrays[f"{attention}/linear.b"])
        norm(block.norm_ff, 4 * i + 3)
        linear(block.widen, 2 * i + 1)
        linear(block.narrow, 2 * i + 2)
    n = len(net.encoder.blocks)
    for j, layer in enumerate((net.norm, net.norm_cause, net.norm_effect)):
        norm(layer, 4 * n + j)
    linear(net.cause, 2 * n + 1)
    linear(net.effect, 2 * n + 2)
    net.log_scale.data = torch.from_numpy(arrays["BaseModel.learned_temp"]).squeeze()
    net.bias.data = torch.from_numpy(arrays["BaseModel.final_matrix_bias"]).squeeze()


def answer(request):
    import numpy as np
    import torch

    if request.pop("do") == "tasks":
        return task_rate(**request)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with torch.inference_mode():
        if "check" in request:
            arrays, net = dict(np.load(request["check"])), make_network()
            load_original(net, arrays)
            x = torch.from_numpy(arrays["x"])
            gap = net(x[..., 0], x[..., 1].bool()).numpy() - arrays["logits"]
            return {
                "gap": float(np.abs(gap).max()),
                "spread": float(arrays["logits"].std()),
                "parameters": sum(p.numel() for p in net.parameters()),
            }
        if not NETWORKS:
            NETWORKS.append(make_network())
        x = torch.from_numpy(table(request["n"], request["d"]))
        values, intervened = x[..., 0], x[..., 1].bool()
        return {"times": timed(lambda: NETWORKS[0](values, intervened), request["seconds"])}


NETWORKS = []


def task_rate(mechanism, interventions, seconds, n_workers):
    import torch

    from aetia.scm import Family, TaskStream

    torch.set_num_threads(1)
    family = Family(
        d=20,
        n=256,
        graphs={"name": "erdos-renyi", "edges": 40},
        mechanisms=mechanism,
        interventions=interventions,
    )
    batches = TaskStream(family=family, batch_size=32).batches(n_workers=n_workers)
    for _ in range(1 + 4 * n_workers):  # what workers have simulated ahead must not count
        next(batches)
    times = timed(lambda: next(batches), seconds)
    return {"rate": 32 * len(times) / sum(times)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--forward", action="store_true")
    parser.add_argument("--data", action="store_true")
    parser.add_argument("--original-python", metavar="PATH")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row of --data")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        serve(answer)
    if args.forward:
        compare_forward(args.original_python, args.threads, args.rounds)
    if args.data:
        compare_data(args.original_python, args.seconds)


if __name__ == "__main__":
    main()

"""Time of AVICI's network and of the task generator, against the originals in the same run.

    python benchmarks/amortised_speed.py --forward --data [--original-python PATH] [--threads 2]

PATH is the Python of an environment with the original AVICI; ``original_avici.py`` says how to
make one. Both run on the same cores with the same number of threads, and take turns, so that
whatever else the machine does meets both. Ratios are the original's median time over aetia's.
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
DATA = [
    # Name, mechanism, interventions, quoted tasks per second, and whose figure that is.
    ("linear", LINEAR, None, 534, "avici linear"),
    ("linear, normal weights", "linear", None, 76, "causal_meta linear"),
    ("linear, 25 % intervened", LINEAR, INTERVENED, 125, "avici linear, 64 of 256"),
    ("mlp", "mlp", None, 57, "causal_meta MLP"),
    ("gp, 100 features", "gp", None, 77, "avici RFF(100)"),
    ("gp, 25 % intervened", "gp", INTERVENED, 35, "avici RFF, 64 of 256"),
    ("gp, 256 features", {"name": "gp", "n_features": 256}, None, None, ""),
    ("gp, 4 x 256", {"name": "gp", "n_features": 256, "n_kernels": 4}, None, 44, "causal_meta GP"),
    ("gp, 4 x 512", {"name": "gp", "n_features": 512, "n_kernels": 4}, None, 24, "causal_meta GP"),
    ("periodic", "periodic", None, 254, "causal_meta periodic"),
    ("square", "square", None, 254, "causal_meta square"),
    ("logistic-map", "logistic-map", None, 254, "causal_meta logistic"),
    ("joint-gp", "joint-gp", None, 9, "causal_meta 'exact' GP"),
]
"""Figures of the public generators are quoted: one process, one of two shared cores, d = 20,
256 rows, 38 to 40 edges; periodic, square and logistic were 254 to 277 together."""


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

    def __enter__(self):
        return self

    def __exit__(self, *_):
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
        f"{'d':>4} {'aetia s':>8} {'original s':>10} {'ratio':>6} {'of rounds':>11} "
        f"{'first s':>13} {'peak MB':>11}"
    )
    for d in (10, 30, 100):
        ours, theirs = start(python, cores)
        with ours:
            both = [ours] + ([theirs] if theirs else [])
            size = {"n": 200, "d": d}
            first = [p.ask("forward", **size, seconds=0)["times"][0] for p in both]
            turns = [[] for _ in both]
            for _ in range(rounds):
                for p, done in zip(both, turns, strict=True):
                    reply = p.ask("forward", **size, seconds=0.5)
                    done.append(reply["times"])
                    p.mb = reply["mb"]
            times = [median([t for turn in done for t in turn]) for done in turns]
            if theirs:
                each = [median(b) / median(a) for a, b in zip(*turns, strict=True)]
                columns = f"{times[1]:10.3f} {times[1] / times[0]:6.2f} "
                columns += f"{f'{min(each):.2f}-{max(each):.2f}':>11} "
            else:
                columns = f"{'not installed':>17} {'':>11} "
            print(
                f"{d:>4} {times[0]:8.3f} {columns}"
                f"{' / '.join(f'{t:.2f}' for t in first):>13} "
                f"{' / '.join(f'{p.mb:.0f}' for p in both):>11}",
                flush=True,
            )
            if theirs:
                theirs.__exit__()
    if python:
        check(python, cores)


def check(python, cores):
    """Give aetia the original's weights: the same logits?"""
    with tempfile.TemporaryDirectory() as folder, start(python, cores)[1] as theirs:
        file = f"{folder}/weights.npz"
        count = theirs.ask("forward", n=200, d=10, check=file)["parameters"]
        with start(None, cores)[0] as ours:
            reply = ours.ask("forward", check=file)
    print(
        f"the original's {count:,} weights in aetia's {reply['parameters']:,}: logits with standard "
        f"deviation {reply['spread']:.3f} differ by at most {reply['gap']:.1e}"
    )


def compare_data(python, seconds):
    print("tasks per second, d = 20, 256 rows, 40 expected edges, one thread for each process")
    print(
        f"{'tasks':>24} {'1 process':>9} {'2 workers':>9} {'avici now':>9} {'ratio':>6} "
        f"{'quoted':>6} {'ratio':>6}  quoted of"
    )
    many = Process([sys.executable, __file__, "--worker"], cores_of(2))
    ours, theirs = start(python, cores_of(1))
    for name, mechanism, interventions, quoted, whose in DATA:
        options = {"mechanism": mechanism, "interventions": interventions, "seconds": seconds}
        alone = ours.ask("tasks", **options, n_workers=0)["rate"]
        workers = many.ask("tasks", **options, n_workers=2)["rate"]
        now = ratio = ""
        if "avici" in whose:
            now, ratio = "-", "-"
            if theirs:
                kind = {"linear": "linear", "gp": "gp"}[name[: 2 if name[0] == "g" else 6]]
                size = {"n": 256, "d": 20, "edges": 40, "seconds": seconds}
                size["interventional"] = 64 if interventions else 0
                rate = theirs.ask("tasks", mechanism=kind, **size)["rate"]
                now, ratio = f"{rate:.0f}", f"{alone / rate:.1f}"
        print(
            f"{name:>24} {alone:9.0f} {workers:9.0f} {now:>9} {ratio:>6} {quoted or '':>6} "
            f"{f'{alone / quoted:.1f}' if quoted else '':>6}  {whose}",
            flush=True,
        )
    for p in (many, ours, theirs):
        if p:
            p.__exit__()


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

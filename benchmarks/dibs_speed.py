"""Steady-state time of one DiBS step, and scaling, against dibs-lib in the same run.

    python benchmarks/dibs_speed.py [--no-peer] [--scaling]

Same table (n = 100), 20 particles, 128 and 32 Monte Carlo graphs, float32. Each process runs
alone: warm-up steps, then the median over repeated blocks of steps; peak resident memory of the
process. For the marginal BGe score aetia remembers parent sets, so its time falls while a run
converges; the row gives the mean over a whole run of 2,000 steps, the peer's time is constant.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import time

import numpy as np

CASES = [
    ("linear", 5, 4),
    ("linear", 10, 4),
    ("linear", 20, 5),
    ("mlp", 5, 3),
    ("mlp", 10, 3),
    ("bge", 10, 3),
    ("bge", 20, 3),
]
"""Likelihood, variables, and how many times faster than the peer a step should be."""


def table(d: int, n: int) -> np.ndarray:
    from aetia.scm import Simulation, simulate

    e = 1.0 if d < 8 else 2.0
    data = simulate(Simulation(d=d, n=n, edges_per_node=e, noise_variance=0.1), 0).data.data
    return data.values - data.values.mean(0)


def time_ours(likelihood: str, d: int, n: int, blocks: int, steps: int) -> dict:
    import warnings

    from aetia.discovery import DiBS
    from aetia.errors import ConvergenceError

    warnings.simplefilter("ignore")
    x = table(d, n)
    stamps: list[float] = []

    def stamp(step, row):
        stamps.append(time.perf_counter())

    with contextlib.suppress(ConvergenceError):
        DiBS(
            likelihood=likelihood,
            n_particles=20,
            n_steps=blocks * steps,
            trace_every=steps,
            callback=stamp,
            random_state=0,
            scaling="centre",
            prior="erdos-renyi",
        ).fit(x)
    gaps = np.diff(stamps[:blocks]) / steps * 1e3
    return {"ms": float(np.mean(gaps) if likelihood == "bge" else np.median(gaps))}


def time_peer(likelihood: str, d: int, n: int, blocks: int, steps: int) -> dict:
    from peer import run_peer

    run = run_peer(
        table(d, n).astype(np.float32),
        likelihood,
        n_particles=20,
        n_steps=blocks * steps,
        seed=0,
        every=steps,
        edges_per_node=1 if d < 8 else 2,
    )
    stamps = [t for t, _ in run.checkpoints]
    return {"ms": float(np.median(np.diff(stamps) / steps * 1e3)), "compile_s": run.compile_seconds}


def in_process(who: str, likelihood: str, d: int, n: int, blocks: int, steps: int) -> dict:
    code = [
        sys.executable,
        __file__,
        "--worker",
        who,
        likelihood,
        str(d),
        str(n),
        str(blocks),
        str(steps),
    ]
    done = subprocess.run(code, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"ms": float("nan"), "rss_mb": float("nan"), "error": done.stderr[-300:]}
    return json.loads(done.stdout.splitlines()[-1])


def worker(arguments: list[str]) -> None:
    who, likelihood, *numbers = arguments
    d, n, blocks, steps = map(int, numbers)
    out = (time_ours if who == "ours" else time_peer)(likelihood, d, n, blocks, steps)
    out["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(out))


def compare(with_peer: bool) -> None:
    print(
        f"{'case':>12} {'aetia ms':>9} {'peer ms':>8} {'ratio':>6} {'target':>6} "
        f"{'aetia MB':>8} {'peer MB':>8} {'compile s':>9}"
    )
    for likelihood, d, target in CASES:
        slow = likelihood == "mlp"
        blocks, steps = (6, 10) if slow else (20, 100) if likelihood == "bge" else (8, 40)
        mine = in_process("ours", likelihood, d, 100, blocks, steps)
        few = 5 if slow or d == 20 else 20
        peer = in_process("peer", likelihood, d, 100, 4, few) if with_peer else {}
        theirs, rss, compiling = (peer.get(k, float("nan")) for k in ("ms", "rss_mb", "compile_s"))
        print(
            f"{likelihood + ' d=' + str(d):>12} {mine['ms']:9.1f} {theirs:8.1f} "
            f"{theirs / mine['ms']:6.1f} {target:>6} {mine['rss_mb']:8.0f} {rss:8.0f} "
            f"{compiling:9.1f}",
            flush=True,
        )


def scaling() -> None:
    print(f"{'case':>22} {'ms per step':>12} {'MB':>6}")
    for likelihood in ("linear", "bge"):
        for d in (10, 20, 50, 100):
            # Early in a run nearly every parent set is new, the worst case of BGe.
            blocks, steps = (3, 3) if likelihood == "bge" else (5, 10)
            out = in_process("ours", likelihood, d, 100, blocks, steps)
            case = f"{likelihood} d={d} n=100"
            print(f"{case:>22} {out['ms']:12.1f} {out['rss_mb']:6.0f}", flush=True)
        for n in (100, 1_000, 10_000, 100_000):
            out = in_process("ours", likelihood, 20, n, 5, 20)
            case = f"{likelihood} d=20 n={n}"
            print(f"{case:>22} {out['ms']:12.1f} {out['rss_mb']:6.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--worker", nargs=6)
    args = parser.parse_args()
    if args.worker:
        worker(args.worker)
    elif args.scaling:
        scaling()
    else:
        compare(not args.no_peer)


if __name__ == "__main__":
    main()

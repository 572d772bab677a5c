"""Quality and time to quality of joint linear DiBS against dibs-lib on simulated graphs.

    python benchmarks/dibs_quality.py [--d 20] [--seeds 5] [--out FILE.jsonl]

ER-2 graphs, linear Gaussian, noise variance 0.1, n = 100, 30 particles, 3,000 steps, alpha slope
0.2, beta slope 1, bandwidths 5 and 500: the original's settings for d = 20. E-SHD and AUROC
(off-diagonal) after removal of cyclic particles, for empirical and mixture weights. ``fast`` is
aetia with node-wise weights and few Monte Carlo graphs and steps: its wall time is compared with
the peer's whole run, compilation included. Resumable.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from aetia.discovery import DiBS, Schedule
from aetia.graphs import auroc, is_acyclic, shd
from aetia.scm import Simulation, simulate

N, PARTICLES, STEPS = 100, 30, 3000
FAST = {
    "n_particles": PARTICLES,
    "n_steps": 1000,
    "n_likelihood_graphs": 16,
    "n_acyclicity_graphs": 8,
    "alpha": 50.0,
    "beta": 1000.0,
    "optimiser": {"name": "rmsprop", "step_size": 0.01},
}


def metrics(graphs: np.ndarray, weights: np.ndarray, truth: torch.Tensor) -> list[float]:
    keep = weights > 0
    if not keep.any():
        return [float(truth.sum()), 0.5]
    g, w = torch.from_numpy(graphs[keep]), torch.from_numpy(weights[keep]).double()
    return [
        float((w * shd(g, truth)).sum()),
        auroc(truth, torch.einsum("s,sij->ij", w, g.double())),
    ]


def ours(x: np.ndarray, truth: torch.Tensor, seed: int, options: dict) -> dict:
    started = time.perf_counter()
    fit = DiBS(likelihood="linear", random_state=seed, **options).fit(x)
    seconds = time.perf_counter() - started
    p = fit.posterior_
    flat = np.full(len(p.graphs), 1.0 / len(p.graphs))
    mixture = DiBS(likelihood="linear", random_state=seed, particle_weights="mixture", **options)
    out = {
        "seconds": seconds,
        "empirical": metrics(p.graphs, flat, truth),
        "evidence": metrics(p.graphs, p.weights, truth),
        "cyclic": p.diagnostics["n_cyclic"],
        "steps": options["n_steps"],
    }
    if options is FAST:
        q = mixture.fit(x).posterior_
        out["mixture"] = metrics(q.graphs, q.weights, truth)
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--d", type=int, nargs="+", default=[20])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--fast-only", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/dibs_quality.jsonl"))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(s) for s in args.out.read_text().splitlines()] if args.out.exists() else []
    done = {(r["d"], r["seed"]) for r in rows}
    for seed in range(args.seeds):
        for d in args.d:
            if (d, seed) in done:
                continue
            table = simulate(
                Simulation(d=d, n=N, edges_per_node=2.0, noise_variance=0.1), seed
            ).data
            x = table.data.values - table.data.values.mean(0)
            truth = torch.from_numpy(table.truth.graph)
            row: dict = {"d": d, "seed": seed, "edges": int(truth.sum())}
            row["fast"] = ours(x, truth, seed, FAST)
            if not args.fast_only:
                row["ours"] = ours(
                    x,
                    truth,
                    seed,
                    {
                        "n_particles": PARTICLES,
                        "n_steps": STEPS,
                        "alpha": Schedule(slope=0.2),
                        "beta": Schedule(slope=1.0),
                    },
                )
            if not args.no_peer:
                from peer import run_peer

                run = run_peer(
                    x,
                    "linear",
                    n_particles=PARTICLES,
                    n_steps=STEPS,
                    seed=seed,
                    alpha_slope=0.2,
                    every=500,
                )
                row["peer"] = {
                    "seconds": run.seconds,
                    "compile": run.compile_seconds,
                    "empirical": metrics(run.graphs, run.empirical, truth),
                    "mixture": metrics(run.graphs, run.mixture, truth),
                    "cyclic": int((~is_acyclic(torch.from_numpy(run.graphs))).sum()),
                }
            rows.append(row)
            with args.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)
    for d in args.d:
        print_table(d, [r for r in rows if r["d"] == d])


def print_table(d: int, rows: list[dict]) -> None:
    print(f"d = {d}, {len(rows)} data sets; E-SHD / AUROC in the mean")
    for who in ("peer", "ours", "fast"):
        part = [r[who] for r in rows if who in r]
        if not part:
            continue
        cells = [f"{who:>5}: {np.mean([p['seconds'] for p in part]):7.1f} s"]
        for kind in ("empirical", "mixture", "evidence"):
            values = [p[kind] for p in part if kind in p]
            if values:
                e, a = np.mean(values, axis=0)
                cells.append(f"{kind} {e:6.2f} / {a:.3f}")
        print("  " + "  ".join(cells) + f"  cyclic {np.mean([p['cyclic'] for p in part]):.1f}")
    both = [r for r in rows if "peer" in r]
    if both:
        ratio = np.mean([r["fast"]["seconds"] for r in both]) / np.mean(
            [r["peer"]["seconds"] for r in both]
        )
        print(f"  fast / peer wall time: {ratio:.3f}")


if __name__ == "__main__":
    main()

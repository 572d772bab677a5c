"""DiBS and dibs-lib against the exact posterior over all graphs.

    python benchmarks/dibs_against_exact.py [--datasets 20] [--out FILE.jsonl]

For d = 4 and 5 and n = 30, 100, 1000: mean absolute error of the edge marginals (off-diagonal)
and total variation between the posteriors over Markov equivalence classes, in the mean over the
data sets. Same table, prior (uniform), BGe score (no scaling), particles and steps for both.
Resumable: finished rows of the output file are skipped.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from aetia.discovery import DiBS, ExactPosterior
from aetia.errors import ConvergenceError
from aetia.graphs import cpdag
from aetia.likelihoods import BGe
from aetia.scm import Simulation, simulate

N_PARTICLES, N_STEPS = 20, 1000


def class_mass(graphs: np.ndarray, weights: np.ndarray) -> dict[bytes, float]:
    mass: dict[bytes, float] = {}
    for c, w in zip(cpdag(torch.from_numpy(graphs)).numpy(), weights, strict=True):
        mass[c.tobytes()] = mass.get(c.tobytes(), 0.0) + w
    return mass


def distance(graphs: np.ndarray, weights: np.ndarray, exact) -> tuple[float, float]:
    d = graphs.shape[-1]
    keep = weights > 0
    if not keep.any() or np.isnan(weights).any():
        return float("nan"), 1.0
    graphs, weights = graphs[keep], weights[keep]
    off = ~np.eye(d, dtype=bool)
    p = np.einsum("s,sij->ij", weights, graphs)
    mae = np.abs(p - exact["marginals"])[off].mean()
    found = class_mass(graphs, weights)
    both = found.keys() | exact["classes"].keys()
    tv = 0.5 * sum(abs(found.get(k, 0.0) - exact["classes"].get(k, 0.0)) for k in both)
    return float(mae), float(tv)


def one_dataset(d: int, n: int, seed: int, with_peer: bool) -> dict:
    table = simulate(Simulation(d=d, n=n, edges_per_node=1.0, noise_variance=1.0), seed).data
    x = table.data.values - table.data.values.mean(0)
    score = BGe(alpha_mu=1.0)  # the original's
    exact = ExactPosterior(score, prior="uniform", scaling="none").fit(x).posterior_
    reference = {
        "marginals": exact.edge_probabilities(),
        "classes": class_mass(*exact.distinct()),
    }
    row: dict = {"d": d, "n": n, "seed": seed}
    for weights in ("node", "joint"):
        started = time.perf_counter()
        try:
            fit = DiBS(
                score,
                n_particles=N_PARTICLES,
                n_steps=N_STEPS,
                prior="uniform",
                scaling="none",
                gradient_weights=weights,
                random_state=seed,
            ).fit(x)
        except ConvergenceError:
            row[f"ours_{weights}_mixture"] = row[f"ours_{weights}_empirical"] = [None, 1.0]
            continue
        row[f"ours_{weights}_mixture"] = distance(
            fit.posterior_.graphs, fit.posterior_.weights, reference
        )
        graphs = (
            torch.einsum("sik,sjk->sij", fit.particles_["z"][..., 0], fit.particles_["z"][..., 1])
            > 0
        )
        graphs = (graphs & ~torch.eye(d, dtype=torch.bool)).numpy()
        acyclic = np.array(
            [np.linalg.matrix_power(g + np.eye(d), d).trace() < d + 0.5 for g in graphs]
        )
        row[f"ours_{weights}_empirical"] = distance(graphs, acyclic / acyclic.sum(), reference)
        row[f"ours_{weights}_seconds"] = time.perf_counter() - started
    if with_peer:
        from peer import run_peer

        run = run_peer(
            x, "bge", n_particles=N_PARTICLES, n_steps=N_STEPS, seed=seed, prior="uniform"
        )
        row["peer_empirical"] = distance(run.graphs, run.empirical, reference)
        row["peer_mixture"] = distance(run.graphs, run.mixture, reference)
        row["peer_seconds"] = run.seconds
    return row


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", type=int, default=20)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks/results/dibs_against_exact.jsonl")
    )
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    rows = (
        [json.loads(line) for line in args.out.read_text().splitlines()]
        if args.out.exists()
        else []
    )
    done = {(r["d"], r["n"], r["seed"]) for r in rows}
    for seed in range(args.datasets):
        for d in (4, 5):
            for n in (30, 100, 1000):
                if (d, n, seed) not in done:
                    rows.append(one_dataset(d, n, seed, not args.no_peer))
                    with args.out.open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
    print_table(rows)


def print_table(rows: list[dict]) -> None:
    who = [k for k in rows[0] if isinstance(rows[0][k], (list, tuple))]
    print(f"{'d':>2} {'n':>5} {'sets':>5}  " + "  ".join(f"{w:>24}" for w in who))
    for d in (4, 5):
        for n in (30, 100, 1000):
            part = [r for r in rows if r["d"] == d and r["n"] == n]
            if part:
                cells = []
                for w in who:
                    values = np.array([[np.nan if v is None else v for v in r[w]] for r in part])
                    cells.append(f"{np.nanmean(values[:, 0]):.3f} / {np.nanmean(values[:, 1]):.3f}")
                print(f"{d:>2} {n:>5} {len(part):>5}  " + "  ".join(f"{c:>24}" for c in cells))
    print(
        "each cell: mean absolute error of edge marginals / total variation of equivalence classes"
    )


if __name__ == "__main__":
    main()

"""Speed of the order chain, and whether its chains agree in the time given.

    python benchmarks/order_chain.py speed [--seeds 3] [--out FILE.jsonl]
    python benchmarks/order_chain.py mixing [--seeds 3] [--seconds 60] [--out FILE.jsonl]

speed: orders scored a second by one thread; a relocation scores all d positions of a variable.
mixing: linear Gaussian tables (1.5 edges a column, n = 500; and 2 edges a column with noise
variance .1, n = 100): share of the undecided edges with split R-hat below 1.05 and enough
transitions, standard error of the worst probability, and distances to the true graph.
Finished rows of the output file are skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from aetia.data import as_dataset
from aetia.discovery.candidate_parents import choose_candidates
from aetia.discovery.order_mcmc import OrderMCMC, kernel
from aetia.discovery.order_mcmc.tables import ChainTables
from aetia.discovery.score_tables import score_tables
from aetia.graphs import Knowledge, SparseEdgeRate, auroc
from aetia.likelihoods import BGe

SPEED = (20, 50, 100, 300)
MIXING = (("sparse", 50, 500), ("sparse", 100, 500), ("strong", 50, 100), ("sparse", 300, 500))


def linear_table(kind: str, d: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Standardised columns of a linear Gaussian model, shuffled, and its graph."""
    rng = np.random.default_rng(60 + seed)
    pairs = np.array([(i, j) for i in range(d) for j in range(i + 1, d)])
    n_edges = int((1.5 if kind == "sparse" else 2) * d)
    chosen = pairs[rng.choice(len(pairs), n_edges, replace=False)]
    order = rng.permutation(d)
    graph = np.zeros((d, d), dtype=bool)
    graph[order[chosen[:, 0]], order[chosen[:, 1]]] = True
    x = np.zeros((n, d))
    for v in order:
        parents = np.flatnonzero(graph[:, v])
        if kind == "sparse":
            weights = rng.uniform(0.5, 1.5, len(parents)) * rng.choice([-1, 1], len(parents))
            noise = rng.standard_normal(n)
        else:
            weights = rng.standard_normal(len(parents))
            weights = weights + 0.5 * np.sign(weights)
            noise = np.sqrt(0.1) * rng.standard_normal(n)
        x[:, v] = x[:, parents] @ weights + noise
    return (x - x.mean(0)) / x.std(0), graph


def speed_row(d: int, seed: int, n_candidates: int = 12) -> dict:
    x, _ = linear_table("sparse", d, 500, seed)
    data = as_dataset(x)
    scores = BGe().local_scores(data)
    constraints = Knowledge().constraints(data.names)
    constraints = constraints._replace(forbidden=torch.eye(d, dtype=torch.bool))
    prior = SparseEdgeRate()
    terms = prior.parent_count_terms(d)
    candidates = choose_candidates(scores, n_candidates, terms, constraints)
    started = time.process_time()
    scored = score_tables(scores, candidates, d - 1, prior, constraints).tables
    tables = ChainTables.of(candidates, scored)
    row = {"d": d, "seed": seed, "tables_s": time.process_time() - started}
    rng = np.random.default_rng(seed)
    state = np.random.SeedSequence(seed).generate_state(4, np.uint64)
    order = rng.permutation(d)
    masks, ints, floats, weights = (np.zeros(d, t) for t in (np.int64, np.int64, float, float))
    kernel.place(order, tables.candidates, tables.sums, masks, floats, ints)
    shared = (order, masks, floats, tables.own, tables.other, tables.sums, 1.0, weights, state)
    n_moves = 200_000
    kernel.relocations(*shared, 20 * d)
    started = time.process_time()
    kernel.relocations(*shared, n_moves)
    seconds = time.process_time() - started
    row |= {"relocations_per_s": n_moves / seconds, "orders_per_s": n_moves * d / seconds}
    for name, power in (("order_iterations_per_s", 0.0), ("graph_iterations_per_s", 1.0)):
        orders, parents = order[None].copy(), np.full((1, d), -1, dtype=np.int64)
        draws, trace = np.zeros((1000, d), dtype=np.int32), np.zeros(1000)
        counts = np.zeros((1, 2), dtype=np.int64)
        started = time.process_time()
        kernel.run_chain(
            orders,
            parents,
            tables.sums,
            tables.sets,
            tables.coins,
            tables.candidates,
            tables.own,
            tables.other,
            np.ones(1),
            np.full(1, power),
            max(1, d // 8),
            1,
            0,
            draws,
            trace,
            counts,
            state,
        )
        row[name] = 1000 / (time.process_time() - started)
    row["acceptance"] = counts[0, 1] / counts[0, 0]
    return row


def mixing_row(kind: str, d: int, n: int, seed: int, seconds: float, temperatures) -> dict:
    x, graph = linear_table(kind, d, n, seed)
    cpu = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = OrderMCMC(
            max_seconds=seconds, n_temperatures=temperatures, random_state=seed, progress=False
        ).fit(x)
    facts = fit.posterior_.diagnostics
    keep = (
        "converged",
        "share_rhat_below_1_05",
        "rhat_max",
        "rhat_log_score",
        "standard_error_max",
        "between_chain_sd_max",
        "n_undecided_edges",
        "mass_outside",
        "n_candidate_repairs",
        "acceptance",
        "swap_rates",
        "n_iterations",
        "log_score_means",
        "wall_time_s",
    )
    found = fit.posterior_.edge_probabilities()
    apart = ~(graph | graph.T)
    return {
        "kind": kind,
        "d": d,
        "n": n,
        "seed": seed,
        "seconds": seconds,
        "temperatures": temperatures,
        **{k: facts[k] for k in keep},
        "cpu_s": time.process_time() - cpu,
        "load": os.getloadavg()[0],
        "expected_shd": float((found * apart).sum() + ((1 - found) * graph).sum()),
        "auroc": float(auroc(torch.from_numpy(graph), torch.from_numpy(found))),
    }


def show(row: dict) -> None:
    if "orders_per_s" in row:
        print(
            f"d {row['d']:3d} seed {row['seed']} | tables {row['tables_s']:.2f} s | "
            f"{row['orders_per_s'] / 1e6:6.1f} M orders/s, "
            f"{row['relocations_per_s'] / 1e3:6.0f} k relocations/s | corrected "
            f"{row['graph_iterations_per_s']:7.0f} iterations/s, accepted {row['acceptance']:.2f}",
            flush=True,
        )
        return
    means = row["log_score_means"]
    print(
        f"{row['kind']} d {row['d']} n {row['n']} seed {row['seed']} | "
        f"{'agree' if row['converged'] else 'RED  '} share {row['share_rhat_below_1_05']:.3f} of "
        f"{row['n_undecided_edges']} | R-hat max {row['rhat_max']:.3f} | s.e. "
        f"{row['standard_error_max']:.3f} | log p spread {max(means) - min(means):.1f} | outside "
        f"{row['mass_outside']:.2f} after {row['n_candidate_repairs']} | accepted "
        f"{row['acceptance']:.2f} | SHD {row['expected_shd']:.1f} AUROC {row['auroc']:.3f} | "
        f"{row['wall_time_s']:.0f} s wall, {row['cpu_s']:.0f} s CPU, load {row['load']:.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("speed", "mixing"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--temperatures", default="auto")
    parser.add_argument("--only", type=int, help="number of columns")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    temperatures = options.temperatures
    temperatures = temperatures if temperatures == "auto" else int(temperatures)
    done = []
    if options.out and options.out.exists():
        done = [json.loads(line) for line in options.out.read_text().splitlines()]
    if options.part == "speed":
        tasks = [{"d": d, "seed": s} for d in SPEED for s in range(options.seeds)]
    else:
        fixed = {"seconds": options.seconds, "temperatures": temperatures}
        tasks = [
            {"kind": kind, "d": d, "n": n, "seed": s, **fixed}
            for kind, d, n in MIXING
            for s in range(options.seeds)
        ]
    for task in tasks:
        if options.only not in (None, task["d"]):
            continue
        row = next((r for r in done if task.items() <= r.items() and len(r) > len(task)), None)
        if row is None:
            row = speed_row(**task) if options.part == "speed" else mixing_row(**task)
            if options.out:
                with options.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
        show(row)


if __name__ == "__main__":
    main()

"""Calibration of the posterior over graphs: ranks of the truth, reliability of edge probabilities.

    python benchmarks/graph_calibration.py [--tables 1000] [--columns 5 7] [--only NAME ...]
    python benchmarks/graph_calibration.py --reliability [--tables 200]
    python benchmarks/graph_calibration.py --table

Ranks: simulation-based calibration (Talts et al., 2018). Graphs from the sparse prior, tables of 60
rows from the likelihood's own prior (``tests/prior_tables.py``); ranks of the number of edges, two
edges, one ancestor relation and, where it has a closed form, one total effect, by enumeration at
d = 5 and by weighted draws through the order programme at d = 7. ``--table`` prints the chi-square
p-value (20 bins) of each and the Bonferroni bound for all of them.

Reliability: d = 8, n = 200. Under the right model (tables as above), and for ``discover``'s
default on linear tables (weights +-U(0.5, 1.5), noise sd U(0.5, 1), about one parent a variable)
whose noise is Gaussian, uniform, exponential, or has a sd that doubles with one sd of a parent, and
on tables with a hidden common cause of two or more columns; expected calibration error over all
ordered pairs of 200 tables, ten bins, and the share of false edges among those above 0.9.

One JSON line for each table; a second run continues where the first ended.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from aetia.diagnostics import expected_calibration_error
from aetia.discovery import ExactPosterior
from aetia.graphs import SparseEdgeRate
from prior_tables import models, posterior_graphs, ranks, topological_order

N_ROWS, N_BINS = 60, 20
D_RELIABILITY, N_RELIABILITY = 8, 200
RIGHT = ["bge", "linear", "linear, learned noise", "additive", "bdeu"]
WRONG = ["gaussian", "uniform", "exponential", "heteroscedastic", "hidden cause"]


def seed_of(*parts: object) -> int:
    """A seed of its own for each table, whatever the order of the runs."""
    return int(np.random.SeedSequence(list(repr(parts).encode())).generate_state(1)[0])


def rank_row(name: str, d: int, k: int) -> dict:
    model = models(d)[name]
    seed = seed_of("ranks", name, d, k)
    graph = model.graphs(1, d, seed)[0]
    return ranks(model, graph, np.random.default_rng(seed), N_ROWS)


def right_row(name: str, k: int) -> dict:
    """Edge probabilities under the model that the table was drawn from."""
    d, seed = D_RELIABILITY, seed_of("right", name, k)
    model, rng = models(d)[name], np.random.default_rng(seed)
    graph = model.graphs(1, d, seed)[0]
    table = model.table(graph, rng, N_RELIABILITY)
    generator = torch.Generator().manual_seed(seed)
    graphs, weights = posterior_graphs(model, table.data, d, generator)
    return edge_row(np.einsum("s,sij->ij", weights, graphs), graph)


def wrong_row(kind: str, k: int) -> dict:
    """Edge probabilities of the default on a table that may break its assumptions."""
    d, seed = D_RELIABILITY, seed_of("wrong", kind, k)
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    size = d + (kind == "hidden cause")
    while True:
        graph = SparseEdgeRate().sample(1, size, generator)[0].numpy()
        hidden = graph.sum(1).argmax()
        if kind != "hidden cause" or graph[hidden].sum() >= 2:
            break
    x = linear_table(graph, kind, rng)
    if kind == "hidden cause":
        x = np.delete(x, hidden, axis=1)
        graph = np.delete(np.delete(graph, hidden, 0), hidden, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = ExactPosterior(sensitivity=False, random_state=seed).fit(x)
    row = edge_row(fitted.posterior_.edge_probabilities(), graph)
    return row | {"likelihood": fitted.likelihood_.name}


def linear_table(graph: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    n = N_RELIABILITY
    x = np.zeros((n, len(graph)))
    for j in topological_order(graph):
        parents = np.flatnonzero(graph[:, j])
        noise = {
            "uniform": lambda: rng.uniform(-1, 1, n) * np.sqrt(3),
            "exponential": lambda: rng.exponential(size=n) - 1,
        }.get(kind, lambda: rng.normal(size=n))()
        if kind == "heteroscedastic" and len(parents):
            noise = noise * 2.0 ** x[:, parents[0]]
        weights = rng.choice([-1.0, 1.0], len(parents)) * rng.uniform(0.5, 1.5, len(parents))
        x[:, j] = x[:, parents] @ weights + rng.uniform(0.5, 1.0) * noise
        x[:, j] = (x[:, j] - x[:, j].mean()) / x[:, j].std()
    return x


def edge_row(probabilities: np.ndarray, graph: np.ndarray) -> dict:
    off = ~np.eye(len(graph), dtype=bool)
    return {
        "probabilities": probabilities[off].round(5).tolist(),
        "edges": graph[off].astype(int).tolist(),
    }


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def print_ranks(rows: list[dict]) -> None:
    found: dict[tuple, list[float]] = defaultdict(list)
    for row in rows:
        for statistic, rank in row["ranks"].items():
            found[row["model"], row["d"], statistic].append(rank)
    p = {
        key: stats.chisquare(np.histogram(values, N_BINS, (0, 1))[0]).pvalue
        for key, values in found.items()
    }
    print("| model | d | tables | statistics: chi-square p |\n|---|---|---|---|")
    for model, d in dict.fromkeys(key[:2] for key in p):
        of_model = {key[2]: value for key, value in p.items() if key[:2] == (model, d)}
        n = len(found[model, d, next(iter(of_model))])
        listed = ", ".join(f"{name} {value:.3f}" for name, value in of_model.items())
        print(f"| {model} | {d} | {n} | {listed} |")
    if p:
        least = min(p, key=p.__getitem__)
        print(f"\nleast of {len(p)}: {p[least]:.2g} ({least}); bound {0.01 / len(p):.2g}")


def print_reliability(rows: list[dict]) -> None:
    found: dict[tuple, list[dict]] = defaultdict(list)
    for row in rows:
        found[row["part"], row["model"]].append(row)
    print("| model | table | tables | ECE | false above .9 | likelihoods chosen |")
    print("|---|---|---|---|---|---|")
    for (part, name), of_model in found.items():
        p = np.concatenate([row["probabilities"] for row in of_model])
        y = np.concatenate([row["edges"] for row in of_model]).astype(bool)
        sure = p > 0.9
        false = f"{(~y[sure]).sum()} of {sure.sum()}"
        chosen = defaultdict(int)
        for row in of_model:
            chosen[row.get("likelihood", name)] += 1
        ece = expected_calibration_error(p, y)
        model, table = (name, "its own prior") if part == "right" else ("default", name)
        listed = ", ".join(f"{key} {count}" for key, count in chosen.items())
        print(f"| {model} | {table} | {len(of_model)} | {ece:.3f} | {false} | {listed} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tables", type=int)
    parser.add_argument("--columns", type=int, nargs="+", default=[5, 7])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--reliability", action="store_true")
    parser.add_argument("--table", action="store_true", help="print what has been measured")
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks/results/graph_calibration.jsonl")
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = read(args.out)
    if args.table:
        print_ranks([row for row in rows if row["part"] == "ranks"])
        print()
        print_reliability([row for row in rows if row["part"] != "ranks"])
        return
    if args.reliability:
        jobs = [
            (part, name, D_RELIABILITY, k)
            for part, names in (("right", RIGHT), ("wrong", WRONG))
            for name in names
            for k in range(args.tables or 200)
        ]
    else:
        jobs = [
            ("ranks", name, d, k)
            for d in args.columns
            for name in models(d)
            for k in range(args.tables or 1000)
        ]
    done = {(row["part"], row["model"], row["d"], row["k"]) for row in rows}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("a") as out:
        for part, name, d, k in jobs:
            if (part, name, d, k) in done or (args.only and name not in args.only):
                continue
            if part == "ranks":
                row = {"ranks": rank_row(name, d, k)}
            else:
                row = right_row(name, k) if part == "right" else wrong_row(name, k)
            out.write(json.dumps({"part": part, "model": name, "d": d, "k": k} | row) + "\n")
            out.flush()


if __name__ == "__main__":
    main()

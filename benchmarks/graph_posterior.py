"""Posteriors over graphs against every rival: quality, calibration, seconds and memory.

    python benchmarks/graph_posterior.py [--cells 'gp/d20/*' ...] [--methods aetia boss ...]
        [--tables 10] [--first-seed 50000] [--limit 600] [--out graph_posterior.jsonl] [--table]

Every method sees the same tables (``graph_tables.py``), on one thread, each run in a process of
its own whose CPU seconds (after imports) and peak memory (with them) are reported. ``aetia`` is
``aetia.discover`` as it comes; ``bge`` the same with BGe; ``fair`` the control with the fair
structure prior and, for numbers, BGe with alpha_mu = 1. ``dibs`` is BGe with 10 particles of 500
steps; ``avici`` and ``bcnp`` use the weights that are shipped; the others are in
``graph_rivals.py``. Mixed tables reach methods for numbers as codes.

One JSON line a run; finished lines are skipped. E-SHD with a reversal as 1 and as 2; undirected
edges count half each way. Calibration is pooled over the tables of a setting, from counts in ten
bins. Confident edges have a probability above .9. ``--table`` prints the summary only.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import argparse
import contextlib
import fnmatch
import importlib
import json
import resource
import sys
import time
import traceback
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

import aetia
from aetia.graphs import auroc, cpdag, is_acyclic, shd
from aetia.likelihoods import BGe
from aetia.results import GraphPosterior
from graph_rivals import PACKAGES, RIVALS
from graph_tables import Cell, GraphTable, cells, table

N_BINS = 10
CONFIDENT = 0.9
DRAWS_FOR_CLASSES = 300
CONTROLS = ("bge", "fair")
MEANS = (
    "auroc",
    "eshd1",
    "eshd2",
    "ef1",
    "ecpdag_shd",
    "expected_edges",
    "ess",
    "cpu_s",
    "peak_mb",
    "confident",
    "confident_false",
    "confident_reversed",
)


def default(data: GraphTable) -> GraphPosterior:
    return aetia.discover(data.frame, random_state=0)


def bge(data: GraphTable) -> GraphPosterior:
    return aetia.discover(data.numbers, likelihood="bge", random_state=0)


def fair(data: GraphTable) -> GraphPosterior:
    if data.discrete:
        return aetia.discover(data.frame, prior="fair", random_state=0)
    likelihood = BGe(alpha_mu=1.0)
    return aetia.discover(data.numbers, likelihood=likelihood, prior="fair", random_state=0)


def dibs(data: GraphTable) -> GraphPosterior:
    estimator = aetia.DiBS(n_particles=10, n_steps=500, device="cpu", random_state=0)
    return estimator.fit(data.numbers).posterior_


def avici(data: GraphTable) -> GraphPosterior:
    return aetia.AVICI(device="cpu", random_state=0).fit(data.numbers).posterior_


def bcnp(data: GraphTable) -> GraphPosterior:
    return aetia.BCNP(device="cpu", random_state=0).fit(data.numbers).posterior_


OWN = {"aetia": default, "bge": bge, "fair": fair, "dibs": dibs, "avici": avici, "bcnp": bcnp}
METHODS = [*OWN, *RIVALS]


def quality(
    graphs: np.ndarray, weights: np.ndarray, edges: np.ndarray, truth: np.ndarray
) -> dict[str, object]:
    """Score weighted DAGs or CPDAGs.

    Args:
        graphs: Draws; both entries of an undirected edge are True.
        weights: Normalised weights of the draws.
        edges: Probability of every edge.
        truth: The true graph.
    """
    d = len(truth)
    off, upper = ~np.eye(d, dtype=bool), np.triu(np.ones((d, d), bool), 1)
    undirected = graphs & graphs.transpose(0, 2, 1)
    parts = np.where(undirected, 0.5, graphs.astype(float))
    pairs = parts + parts.transpose(0, 2, 1)
    extra = (pairs * (upper & ~(truth | truth.T))).sum((1, 2))
    missing = ((1 - pairs) * truth).sum((1, 2))
    reversed_ = (parts.transpose(0, 2, 1) * truth).sum((1, 2))
    found = (parts * truth).sum((1, 2))
    p, y = edges[off], truth[off]
    bins = np.minimum((p * N_BINS).astype(int), N_BINS - 1)
    sure = (edges > CONFIDENT) & off
    return {
        "auroc": auroc(torch.from_numpy(truth), torch.from_numpy(edges)),
        "eshd1": float(weights @ (extra + missing + reversed_)),
        "eshd2": float(weights @ (extra + missing + 2 * reversed_)),
        "ef1": float(weights @ (2 * found / np.maximum(parts.sum((1, 2)) + truth.sum(), 1))),
        "ecpdag_shd": class_distance(graphs, weights, truth),
        "expected_edges": float(p.sum()),
        "ess": float(1 / (weights**2).sum()),
        "confident": int(sure.sum()),
        "confident_false": int((sure & ~truth).sum()),
        "confident_reversed": int((sure & truth.T).sum()),
        "bin_counts": np.bincount(bins, minlength=N_BINS).tolist(),
        "bin_stated": np.bincount(bins, weights=p, minlength=N_BINS).tolist(),
        "bin_true": np.bincount(bins, weights=y.astype(float), minlength=N_BINS).tolist(),
    }


def class_distance(graphs: np.ndarray, weights: np.ndarray, truth: np.ndarray) -> float:
    """Expected SHD between equivalence classes, over a few hundred draws."""
    if len(graphs) > DRAWS_FOR_CLASSES:
        chosen = np.random.default_rng(0).choice(len(graphs), DRAWS_FOR_CLASSES, p=weights)
        graphs, weights = graphs[chosen], np.full(len(chosen), 1 / len(chosen))
    drawn = torch.from_numpy(graphs)
    dags = is_acyclic(drawn)  # an undirected edge is a cycle: patterns stay as they are
    classes = drawn.clone()
    classes[dags] = cpdag(drawn[dags])
    return float(weights @ shd(classes, cpdag(torch.from_numpy(truth))).numpy())


def run(method: str, data: GraphTable) -> dict[str, object]:
    """Run one method and score it."""
    warnings.simplefilter("ignore")
    if method in RIVALS:
        importlib.import_module(PACKAGES[method])
    started, cpu = time.perf_counter(), time.process_time()
    facts: dict[str, object] = {}
    if method in OWN:
        posterior = OWN[method](data)
        graphs, weights = posterior.graphs, posterior.weights
        edges = posterior.edge_probabilities()
        said = posterior.diagnostics
        for name in ("likelihood", "likelihood_numbers", "converged", "n_draws"):
            if name in said:
                facts[name] = said[name]
        if "ess" in said:
            facts["draws_ess"] = said["ess"]
    else:
        graphs = RIVALS[method](data.numbers, discrete=data.discrete)
        weights = np.full(len(graphs), 1 / len(graphs))
        undirected = graphs & graphs.transpose(0, 2, 1)
        edges = np.where(undirected, 0.5, graphs.astype(float)).mean(0)
    facts["cpu_s"] = round(time.process_time() - cpu, 3)
    facts["wall_s"] = round(time.perf_counter() - started, 3)
    facts["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    weights = weights / weights.sum()
    return quality(graphs, weights, np.asarray(edges, float), data.truth) | facts


def in_child(method: str, data: GraphTable, limit: int) -> dict[str, object]:
    """Run in a forked process, which sees the imports and nothing of earlier runs."""
    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        os.close(receiver)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        try:
            with open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet):
                answer = run(method, data)
        except ImportError as error:
            answer = {"error": f"not installed: {error.name}"}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        with os.fdopen(sender, "w") as pipe:
            json.dump(answer, pipe, default=float)
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"error": f"no answer within {limit} s of CPU time"}


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def measure(options: argparse.Namespace, chosen: list[Cell]) -> None:
    """Add the runs that are missing, one table of all settings after the other."""
    done = {(r["cell"], r["method"], r["seed"]) for r in read(options.out)}
    aetia.discover(np.random.default_rng(0).normal(size=(50, 6)), random_state=0)  # imports
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(options.first_seed, options.first_seed + options.tables):
        for cell in chosen:
            wanted = [m for m in options.methods if (cell.name, m, seed) not in done]
            if not wanted:
                continue
            data = table(cell, seed)
            for method in wanted:
                row = {"cell": cell.name, "method": method, "seed": seed}
                row |= {"edges": int(data.truth.sum())} | in_child(method, data, options.limit)
                with options.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                shown = {k: row[k] for k in ("auroc", "eshd1", "cpu_s", "error") if k in row}
                print(cell.name, seed, method, shown, flush=True)


def pooled_ece(rows: list[dict]) -> float:
    """Calibration error of all pairs of all tables."""
    counts, stated, true = (
        np.sum([r[name] for r in rows], 0) for name in ("bin_counts", "bin_stated", "bin_true")
    )
    return float(np.abs(stated - true).sum() / counts.sum())


def print_summary(rows: list[dict], order: list[str]) -> None:
    """Print settings by methods, then who is first where."""
    by_cell: dict[str, dict[str, dict[int, dict]]] = defaultdict(lambda: defaultdict(dict))
    failed: dict[tuple[str, str], str] = {}
    for row in rows:
        if "error" in row:
            failed[row["cell"], row["method"]] = row["error"]
        else:
            by_cell[row["cell"]][row["method"]][row["seed"]] = row
    head = (
        f"{'cell':<24}{'method':<15}{'tables':>6}{'AUROC':>7}{'E-SHD':>14}{'E-F1':>6}{'ECE':>6}"
        f"{'CPDAG':>7}{'edges':>12}{'ESS':>7}{'CPU s':>8}{'MB':>6}{'sure':>6}{'false':>6}{'rev':>6}"
    )
    print(head)
    for cell in sorted(by_cell, key=lambda name: order.index(name) if name in order else 999):
        for method in sorted(by_cell[cell], key=METHODS.index):
            runs = list(by_cell[cell][method].values())
            m = {k: float(np.nanmean([r[k] for r in runs])) for k in MEANS}
            true_edges = np.mean([r["edges"] for r in runs])
            print(
                f"{cell:<24}{method:<15}{len(runs):>6}{m['auroc']:>7.3f}"
                f"{m['eshd1']:>7.1f}{m['eshd2']:>7.1f}{m['ef1']:>6.2f}{pooled_ece(runs):>6.3f}"
                f"{m['ecpdag_shd']:>7.1f}{m['expected_edges']:>7.1f}/{true_edges:<4.0f}"
                f"{m['ess']:>7.0f}{m['cpu_s']:>8.1f}{m['peak_mb']:>6.0f}{m['confident']:>6.1f}"
                f"{m['confident_false']:>6.1f}{m['confident_reversed']:>6.1f}"
            )
        likelihoods = defaultdict(int)
        for row in by_cell[cell].get("aetia", {}).values():
            likelihoods[row.get("likelihood", "?")] += 1
        if likelihoods:
            print(f"{'':<24}chosen: " + ", ".join(f"{k} {v}" for k, v in likelihoods.items()))
    print_winners(by_cell)
    for (cell, method), why in failed.items():
        print(f"failed: {cell} {method}: {why}")


def print_winners(by_cell: dict[str, dict[str, dict[int, dict]]]) -> None:
    """Compare aetia's default with each rival on the tables that both have."""
    firsts: dict[str, list[bool]] = defaultdict(list)
    lost, confident, reversed_, gaps = [], [], [], []
    for cell, methods in by_cell.items():
        own = methods.get("aetia", {})
        rivals = [m for m in methods if m != "aetia" and m not in CONTROLS]
        if not own or not rivals:
            continue
        for name, sign in (("eshd1", 1), ("eshd2", 1), ("auroc", -1)):
            ahead = []
            for rival in rivals:
                both = sorted(own.keys() & methods[rival].keys())
                difference = [sign * (own[s][name] - methods[rival][s][name]) for s in both]
                ahead.append(not both or float(np.nanmean(difference)) <= 0)
                if not ahead[-1]:
                    lost.append(f"{cell} {name}: behind {rival} by {np.nanmean(difference):.3g}")
            firsts[name].append(all(ahead))
        n_sure = sum(r["confident"] for r in own.values())
        confident.append(n_sure)
        reversed_.append(sum(r["confident_reversed"] for r in own.values()) / max(n_sure, 1))
        gaps.append((pooled_ece(list(own.values())), len(own), cell))
    for name, values in firsts.items():
        print(f"aetia first in {name}: {sum(values)} of {len(values)} settings")
    for line in lost:
        print(f"  {line}")
    if reversed_:
        print(
            f"reversed among edges above {CONFIDENT}: mean over settings {np.mean(reversed_):.3f}, "
            f"worst {max(reversed_):.3f}"
        )
        bad = [
            f"{cell} {gap:.3f} ({n} tables)" for gap, n, cell in sorted(gaps)[::-1] if gap > 0.03
        ]
        print(f"pooled ECE above .03 in {len(bad)} of {len(gaps)} settings: {'; '.join(bad)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cells", nargs="+", default=["*"], help="patterns of names of settings")
    parser.add_argument("--methods", nargs="+", default=["aetia", "boss", "pc"], choices=METHODS)
    parser.add_argument("--tables", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=50_000)
    parser.add_argument("--limit", type=int, default=600, help="CPU seconds of one run")
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks/results/graph_posterior.jsonl")
    )
    parser.add_argument("--table", action="store_true", help="print the summary only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    known = cells()
    chosen = [c for c in known if any(fnmatch.fnmatch(c.name, p) for p in options.cells)]
    if not chosen:
        sys.exit(f"No setting matches {options.cells}; they are {[c.name for c in known]}.")
    if not options.table:
        measure(options, chosen)
    names = {c.name for c in chosen}
    rows = [r for r in read(options.out) if r["cell"] in names]
    print_summary(rows, [c.name for c in known])


if __name__ == "__main__":
    main()

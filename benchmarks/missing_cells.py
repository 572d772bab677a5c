"""Graphs from tables with missing cells: augmentation against what is done before a complete fit.

    python benchmarks/missing_cells.py [--seeds 4] [--first 0] [--out FILE.jsonl]
    python benchmarks/missing_cells.py --speed
    python benchmarks/missing_cells.py --table FILE.jsonl
    python benchmarks/missing_cells.py --mixed [--seeds 4]

Linear Gaussian tables, d = 10, n = 300, 15 edges, standardised; cells missing completely at random
or at random (in half of the columns, the more often the larger a column of the other half is). All
roads end in the same exact posterior (BGe with alpha_mu = 0.1, sparse prior): on the complete
table, on complete rows, after imputation of means, after scikit-learn's IterativeImputer; and
augmentation draws graph and cells together. AUROC, E-SHD (a reversal costs 1), ECE (10 bins), mean
total variation of the edge probabilities to the complete-data posterior, false and all edges above
0.9, coverage of 90 % intervals of masked cells, CPU seconds. One JSON line for each table and
pattern; a second run continues where the first ended. ``--mixed``: d = 8 (numbers, counts, binary
and nominal columns), n = 500, 10 edges, 20 % of the cells missing completely at random, block BGe.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from aetia.data import Dataset, as_dataset
from aetia.diagnostics import expected_calibration_error
from aetia.discovery import ExactPosterior
from aetia.discovery.missing import augment, gaussian_columns
from aetia.graphs import Constraints, auroc, shd
from aetia.graphs.structure_priors import SparseEdgeRate
from aetia.likelihoods import BGe
from aetia.likelihoods.block_bge import BlockBGe

D, N, EDGES, ALPHA_MU = 10, 300, 15, 0.1
PATTERNS = [(kind, share) for kind in ("mcar", "mar") for share in (0.1, 0.3, 0.5)]


def linear_table(seed: int, n: int = N, d: int = D, edges: int = EDGES):
    """Weights of standardised parents +-U(0.5, 1.5), noise sd U(0.5, 1), columns standardised."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(d)
    pairs = [(i, j) for i in range(d) for j in range(i + 1, d)]
    graph, x = np.zeros((d, d), dtype=bool), np.zeros((n, d))
    for k in rng.choice(len(pairs), edges, replace=False):
        graph[order[pairs[k][0]], order[pairs[k][1]]] = True
    for j in order:
        parents = np.flatnonzero(graph[:, j])
        weights = rng.choice([-1.0, 1.0], len(parents)) * rng.uniform(0.5, 1.5, len(parents))
        noise = rng.normal(size=n) * (rng.uniform(0.5, 1.0) if len(parents) else 1.0)
        x[:, j] = x[:, parents] @ weights + noise
        x[:, j] = (x[:, j] - x[:, j].mean()) / x[:, j].std()
    return x, graph


def masked(x: np.ndarray, kind: str, share: float, seed: int) -> np.ndarray:
    """Take cells out: any of them, or those of half of the columns, driven by the other half."""
    rng = np.random.default_rng([seed, round(100 * share), kind == "mar"])
    if kind == "mcar":
        return np.where(rng.random(x.shape) < share, np.nan, x)
    out, columns = x.copy(), rng.permutation(x.shape[1])
    half = len(columns) // 2
    for j, driver in zip(columns[:half], columns[half:], strict=False):
        score = 1.5 * x[:, driver] + rng.logistic(size=len(x))
        out[score > np.quantile(score, 1 - share), j] = np.nan
    return out


def posterior_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Graphs, weights and edge probabilities of a complete table."""
    method = ExactPosterior(likelihood=BGe(alpha_mu=ALPHA_MU), sensitivity=False, random_state=0)
    found = method.fit(x).posterior_
    return found.graphs, found.weights, found.edge_probabilities()


def scores(found, truth: np.ndarray, complete: np.ndarray, seconds: float) -> dict[str, float]:
    graphs, weights, p = found
    t, off = torch.from_numpy(truth), ~np.eye(len(truth), dtype=bool)
    sure = off & (p > 0.9)
    return {
        "auroc": auroc(t, torch.from_numpy(p)),
        "eshd": float(shd(torch.from_numpy(graphs), t).double().numpy() @ weights),
        "ece": expected_calibration_error(p[off], truth[off]),
        "tv": float(np.abs(p - complete)[off].mean()),
        "sure_false": int((sure & ~truth).sum()),
        "sure": int(sure.sum()),
        "seconds": seconds,
    }


def timed(function, *args):
    started = time.process_time()
    return function(*args), time.process_time() - started


def augmented(x: np.ndarray, seed: int, **options):
    """Augmentation, ready to be scored; and its facts."""
    free = torch.zeros(x.shape[1], x.shape[1], dtype=torch.bool)
    nothing = Constraints(free, torch.eye(x.shape[1]).bool(), free.double())
    return augment(
        as_dataset(x),
        SparseEdgeRate().parent_count_terms(x.shape[1]),
        nothing,
        alpha_mu=ALPHA_MU,
        generator=torch.Generator().manual_seed(seed),
        **options,
    )


def completions(x: np.ndarray) -> dict[str, np.ndarray]:
    """Tables without missing cells, made without a graph."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    out = {"iterative": IterativeImputer(random_state=0).fit_transform(x)}
    out["mean"] = np.where(np.isnan(x), np.nanmean(x, 0), x)
    rows = x[~np.isnan(x).any(1)]
    if len(rows) >= 20:
        out["complete_rows"] = rows
    return out


def one_table(kind: str, share: float, seed: int) -> dict:
    x, truth = linear_table(seed)
    holes = masked(x, kind, share, seed)
    complete, seconds = timed(posterior_of, x)
    out = {"complete": scores(complete, truth, complete[2], seconds)}
    for name, table in completions(holes).items():
        found, seconds = timed(posterior_of, table)
        out[name] = scores(found, truth, complete[2], seconds)
    found, seconds = timed(augmented, holes, seed)
    equal = np.full(len(found.graphs), 1 / len(found.graphs))
    drawn = (found.graphs, equal, found.edge_probabilities)
    out["augmentation"] = scores(drawn, truth, complete[2], seconds)
    cells = x[np.isnan(holes)]
    ends = np.quantile(found.imputed.cells, [0.05, 0.95], axis=0)
    out["augmentation"] |= {
        "coverage": float(((cells >= ends[0]) & (cells <= ends[1])).mean()),
        "converged": found.converged,
        **{
            k: found.diagnostics[k]
            for k in (
                "n_sweeps",
                "acceptance",
                "share_rhat_below_1.1",
                "edge_standard_error_max",
                "sweeps_per_second",
            )
        },
    }
    return {"kind": kind, "share": share, "seed": seed, "scores": out}


def speed() -> None:
    """Sweeps a second of all chains together, one thread."""
    for share in (0.0, 0.1, 0.3, 0.5):
        for n_chains in (4, 16, 32):
            holes = masked(linear_table(0)[0], "mcar", share, 0)
            found, seconds = timed(
                lambda x, c: augmented(x, 0, n_chains=c, n_sweeps=150, max_sweeps=150),
                holes,
                n_chains,
            )
            record = {"share": share, "n_chains": n_chains}
            record["sweeps_per_cpu_second"] = round(150 * n_chains / seconds)
            record["sweeps_per_second"] = round(found.diagnostics["sweeps_per_second"])
            print(json.dumps(record), flush=True)


def mixed_table(seed: int, n: int = 500) -> tuple[Dataset, np.ndarray]:
    """Logistic, log-linear and linear mechanisms on standardised codes, in a random order."""
    rng = np.random.default_rng([seed, 1])
    kinds = ["continuous"] * 3 + ["count"] + ["binary"] * 2 + ["categorical"] * 2
    order, d = rng.permutation(8), 8
    pairs = [(i, j) for i in range(d) for j in range(i + 1, d)]
    graph, x = np.zeros((d, d), dtype=bool), np.zeros((n, d))
    for k in rng.choice(len(pairs), 10, replace=False):
        graph[order[pairs[k][0]], order[pairs[k][1]]] = True
    for j in order:
        parents = [x[:, i] for i in np.flatnonzero(graph[:, j])]
        effect = lambda size=1.2, parents=parents: sum(  # noqa: E731
            (rng.choice([-1, 1]) * size * (p - p.mean()) / p.std() for p in parents), np.zeros(n)
        )
        if kinds[j] == "continuous":
            x[:, j] = effect() + rng.normal(size=n)
        elif kinds[j] == "count":
            x[:, j] = rng.poisson(np.exp(np.clip(0.8 + effect(0.5), -3, 3)))
        elif kinds[j] == "binary":
            x[:, j] = effect() + rng.logistic(size=n) > 0
        else:
            utilities = np.column_stack([effect() + rng.gumbel(size=n) for _ in range(3)])
            x[:, j] = utilities.argmax(1)
    names = tuple(f"x{j}" for j in range(d))
    levels = {names[j]: tuple("pqr") for j in range(d) if kinds[j] == "categorical"}
    seen = np.ones_like(x, dtype=bool)
    return Dataset(values=x, names=names, observed=seen, kinds=tuple(kinds), levels=levels), graph


def mixed(seed: int) -> dict:
    data, truth = mixed_table(seed)
    d = data.d
    rng = np.random.default_rng([seed, 2])
    observed = rng.random(data.values.shape) >= 0.2
    holes = replace(data, values=np.where(observed, data.values, np.nan), observed=observed)

    def posterior(table: Dataset):
        method = ExactPosterior(
            likelihood=BlockBGe(alpha_mu=ALPHA_MU), sensitivity=False, random_state=0
        )
        found = method.fit(table).posterior_
        return found.graphs, found.weights, found.edge_probabilities()

    complete, seconds = timed(posterior, data)
    out = {"complete": scores(complete, truth, complete[2], seconds)}
    typical = np.nanmean(holes.values, 0)
    for j, kind in enumerate(data.kinds):
        if kind != "continuous":
            codes = holes.values[observed[:, j], j].astype(int)
            typical[j] = np.bincount(codes).argmax()
    filled = replace(data, values=np.where(observed, data.values, typical))
    rows = np.flatnonzero(observed.all(1))
    kept = replace(data, values=data.values[rows], observed=observed[rows])
    for name, table in (("mean_or_mode", filled), ("complete_rows", kept)):
        found, seconds = timed(posterior, table)
        out[name] = scores(found, truth, complete[2], seconds)
    free = torch.zeros(d, d, dtype=torch.bool)
    found, seconds = timed(
        lambda: augment(
            holes,
            SparseEdgeRate().parent_count_terms(d),
            Constraints(free, torch.eye(d).bool(), free.double()),
            columns=gaussian_columns(holes, rank_counts=True),
            alpha_mu=ALPHA_MU,
            generator=torch.Generator().manual_seed(seed),
        )
    )
    equal = np.full(len(found.graphs), 1 / len(found.graphs))
    drawn = (found.graphs, equal, found.edge_probabilities)
    out["augmentation"] = scores(drawn, truth, complete[2], seconds)
    cells, column = data.values[~observed], np.nonzero(~observed)[1]
    draws = found.imputed.cells
    for kind in ("continuous", "count"):
        at = np.isin(column, [j for j, k in enumerate(data.kinds) if k == kind])
        ends = np.quantile(draws[:, at], [0.05, 0.95], axis=0)
        inside = (cells[at] >= ends[0]) & (cells[at] <= ends[1])
        out["augmentation"][f"coverage_{kind}"] = float(inside.mean())
    for kind in ("binary", "categorical"):
        at = np.isin(column, [j for j, k in enumerate(data.kinds) if k == kind])
        p = (draws[:, at] == cells[at]).mean(0)
        out["augmentation"][f"p_of_true_{kind}"] = float(p.mean())
        shares = [(draws[:, at] == v).mean() - (cells[at] == v).mean() for v in range(3)]
        out["augmentation"][f"share_error_{kind}"] = float(np.abs(shares).max())
    out["augmentation"]["converged"] = found.converged
    return {"kind": "mixed", "share": 0.2, "seed": seed, "scores": out}


def table(path: Path) -> None:
    """Means over tables, one row for each pattern and method."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for kind, share in [*PATTERNS, ("mixed", 0.2)]:
        rows = [r for r in lines if (r["kind"], r["share"]) == (kind, share)]
        for name in (
            "complete",
            "augmentation",
            "iterative",
            "mean",
            "complete_rows",
            "mean_or_mode",
        ):
            got = [r["scores"][name] for r in rows if name in r["scores"]]
            if not got:
                continue
            keys = [k for k, v in got[0].items() if isinstance(v, (int, float))]
            means = {k: round(float(np.mean([g[k] for g in got])), 4) for k in keys}
            print(kind, share, name, len(got), json.dumps(means))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("missing_cells.jsonl"))
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--mixed", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if options.speed:
        speed()
    elif options.table:
        table(options.table)
    else:
        lines = options.out.read_text().splitlines() if options.out.exists() else []
        done = {(r["kind"], r["share"], r["seed"]) for r in map(json.loads, lines)}
        for seed in range(options.first, options.first + options.seeds):
            for kind, share in [("mixed", 0.2)] if options.mixed else PATTERNS:
                if (kind, share, seed) not in done:
                    found = mixed(seed) if options.mixed else one_table(kind, share, seed)
                    record = json.dumps(found)
                    with options.out.open("a") as file:
                        file.write(record + "\n")
                    print(record, flush=True)


if __name__ == "__main__":
    main()

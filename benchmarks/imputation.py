"""Quality of imputation by BGM and its rivals on simulated tables with a known truth.

    python benchmarks/imputation.py [--n 5000] [--mechanisms mcar mar mnar] [--shares 0.2 0.5]
                                    [--families ...] [--methods ...] [--out FILE.jsonl] [--print]

Every method learns from the same n rows with holes and fills the holes of the same 500 other rows.
Over the hidden cells, in standard deviations of their column: RMSE of the mean, CRPS (of a single
number: the mean absolute error), coverage of the 90 % interval. ``optimum`` is the exact law:
the conditional normal law with the true (gaussian) or complete-data (heteroskedastic: all columns
but the last) moments, the marginal law (mixture: columns are independent), the law given the
position on the spiral (swiss). Each method runs in a
process of its own, one thread: wall time of fit and imputation, peak resident memory.
Resumable: finished rows of the output file are skipped.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

N_TEST = 500
FAMILIES = ("gaussian", "mixture", "scaled", "heteroskedastic", "nonlinear", "swiss")
METHODS = ("optimum", "gaussian-em", "ridge", "trees", "bgm", "bgm-mnar")


def table(family: str, n: int) -> np.ndarray:
    from aetia.scm import table_designs as designs

    rng = np.random.default_rng(FAMILIES.index(family))
    if family == "gaussian":
        return designs.low_rank_table(n, rng).values
    if family == "mixture":
        return designs.mixture_table(n, 5, 3, rng).values
    if family == "scaled":
        return designs.low_rank_table(n, rng, scale_by_latent=True).values
    if family == "heteroskedastic":
        drawn = designs.latent_heteroskedastic(n, 5, 20, rng)
        return np.column_stack([drawn.inputs, drawn.outcome])
    if family == "nonlinear":
        return designs.nonlinear_factors(n, 20, 3, rng).values
    return designs.swiss_roll(n, rng).values


def conditional_normal(x, mean, covariance):
    """Conditional means, standard deviations, and covariances summed over rows (for EM)."""
    filled, sd, total = x.copy(), np.zeros_like(x), np.zeros_like(covariance)
    patterns, which = np.unique(np.isnan(x), axis=0, return_inverse=True)
    which = which.ravel()
    for k, h in enumerate(patterns):
        rows, o = np.flatnonzero(which == k), ~h
        if not h.any():
            continue
        gain = np.linalg.solve(covariance[np.ix_(o, o)], covariance[np.ix_(o, h)]).T
        filled[np.ix_(rows, h)] = mean[h] + (x[np.ix_(rows, o)] - mean[o]) @ gain.T
        rest = covariance[np.ix_(h, h)] - gain @ covariance[np.ix_(o, h)]
        sd[np.ix_(rows, h)] = np.sqrt(np.diag(rest))
        total[np.ix_(h, h)] += len(rows) * rest
    return filled, sd, total


def gaussian_em(x, n_steps=30):
    mean, covariance = np.nanmean(x, 0), np.diag(np.nanvar(x, 0))
    for _ in range(n_steps):
        filled, _, total = conditional_normal(x, mean, covariance)
        mean = filled.mean(0)
        covariance = ((filled - mean).T @ (filled - mean) + total) / len(x)
    return mean, covariance


def normal_draws(filled, sd, rng, n_draws=200):
    from scipy.special import ndtri

    grid = ndtri((np.arange(n_draws) + 0.5) / n_draws)
    return filled[None] + sd[None] * grid[:, None, None]


def spiral_draws(test, rng, n_draws=400):
    """Exact draws: positions on a fine grid of the spiral, weighed by the seen cell."""
    r = np.linspace(0, 2 * np.pi, 4000)
    curve = np.column_stack([r * np.sin(2 * r), r * np.cos(2 * r)])
    draws = np.repeat(test[None], n_draws, 0)
    for i, row in enumerate(test):
        h = np.isnan(row)
        weights = np.exp(-0.5 * ((row - curve)[:, ~h] ** 2).sum(1) / 0.4**2)
        at = rng.choice(len(r), n_draws, p=weights / weights.sum())
        draws[:, i, h] = curve[at][:, h] + 0.4 * rng.normal(size=(n_draws, h.sum()))
    return draws


def impute(method: str, family: str, x, complete, test):
    """Fill the holes of the test rows; draws [s, n, p]."""
    rng = np.random.default_rng(0)
    if method == "optimum":
        if family == "mixture":
            pool = np.stack([rng.choice(np.linspace(-1, 1, 3), 400) for _ in range(5)], 1)
            pool = pool + 0.2 * rng.normal(size=pool.shape)
            return np.where(np.isnan(test), pool[:, None], test)
        if family == "swiss":
            return spiral_draws(test, rng)
        if family == "gaussian":
            from aetia.scm.table_designs import DIAGONAL, FACTORS, LOADINGS, OFFSET

            moments = OFFSET, LOADINGS @ LOADINGS.T + np.diag(DIAGONAL) + FACTORS @ FACTORS.T
        else:
            moments = complete.mean(0), np.cov(complete.T)
        return normal_draws(*conditional_normal(test, *moments)[:2], rng)
    if method == "gaussian-em":
        return normal_draws(*conditional_normal(test, *gaussian_em(x))[:2], rng)
    if method in ("ridge", "trees"):
        from sklearn.ensemble import ExtraTreesRegressor
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
        from sklearn.impute import IterativeImputer
        from sklearn.linear_model import BayesianRidge

        model = BayesianRidge() if method == "ridge" else ExtraTreesRegressor(30, random_state=0)
        rounds = 10 if method == "ridge" else 4
        imputer = IterativeImputer(model, max_iter=rounds, random_state=0).fit(x)
        return imputer.transform(test)[None]
    from aetia.generation import BGM

    mechanism = "mnar" if method == "bgm-mnar" else "mar"
    fitted = BGM(missingness=mechanism, random_state=0).fit(x)
    return fitted.impute(test, n_draws=200).values


def score(draws, truth, hidden, scale, columns) -> dict:
    hidden = hidden & columns
    d = (draws / scale)[:, hidden]
    y = (truth / scale)[hidden]
    s = len(d)
    crps = np.abs(d - y).mean(0)
    if s > 1:
        ranks = 2 * np.arange(1, s + 1) - s - 1
        crps = crps - (np.sort(d, 0) * ranks[:, None]).sum(0) / s / (s - 1)
    lower, upper = np.quantile(d, [0.05, 0.95], axis=0)
    return {
        "rmse": float(np.sqrt(np.mean((d.mean(0) - y) ** 2))),
        "crps": float(crps.mean()),
        "coverage": float(((lower <= y) & (y <= upper)).mean()) if s > 1 else None,
        "n_cells": int(hidden.sum()),
    }


def one(case: dict) -> dict:
    import torch

    from aetia.scm.table_designs import missing_cells

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    values = table(case["family"], case["n"] + N_TEST)
    hidden = missing_cells(values, case["share"], np.random.default_rng(7), case["mechanism"])
    holes = np.where(hidden, np.nan, values)
    n = case["n"]
    started = time.perf_counter()
    draws = impute(case["method"], case["family"], holes[:n], values[:n], holes[n:])
    seconds = time.perf_counter() - started
    everything = np.ones(values.shape[1], dtype=bool)
    but_last = everything.copy()
    if case["family"] == "heteroskedastic":
        but_last[-1] = False
    found = score(draws, values[n:], hidden[n:], values[:n].std(0), everything)
    if case["family"] == "heteroskedastic":
        found["linear"] = score(draws, values[n:], hidden[n:], values[:n].std(0), but_last)
        found["last"] = score(draws, values[n:], hidden[n:], values[:n].std(0), ~but_last)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return {**case, **found, "seconds": seconds, "memory_mb": memory}


def is_sensible(case: dict) -> bool:
    if case["method"] == "optimum":
        known = case["family"] in ("gaussian", "mixture", "heteroskedastic", "swiss")
        return known and case["mechanism"] != "mnar"
    return case["method"] != "bgm-mnar" or case["mechanism"] == "mnar"


def show(rows: list[dict]) -> None:
    print(
        f"{'family':16}{'holes':11}{'method':13}{'RMSE':>7}{'CRPS':>8}{'/best':>7}{'cover':>7}"
        f"{'s':>7}{'MB':>6}"
    )
    order = {m: k for k, m in enumerate(METHODS)}

    def key(r: dict) -> tuple:
        return FAMILIES.index(r["family"]), r["mechanism"], r["share"], order[r["method"]]

    best: dict = {}
    for row in sorted(rows, key=key):
        cell = (row["family"], row["mechanism"], row["share"])
        parts = [("", row)]
        if "linear" in row:
            parts += [(" linear", row["linear"]), (" last", row["last"])]
        for part, found in parts:
            if row["method"] == "optimum" and not (part != " linear" and "linear" in row):
                best[(*cell, part)] = found["crps"]
            ratio = found["crps"] / best[(*cell, part)] if (*cell, part) in best else float("nan")
            cover = float("nan") if found["coverage"] is None else found["coverage"]
            print(
                f"{row['family'][:9] + part:16}{row['mechanism']:>5}{row['share']:>5.0%} "
                f"{row['method']:13}{found['rmse']:7.3f}{found['crps']:8.4f}{ratio:7.3f}"
                f"{cover:7.3f}{row['seconds']:7.0f}{row['memory_mb']:6.0f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--mechanisms", nargs="+", default=["mcar", "mar", "mnar"])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.2, 0.5])
    parser.add_argument("--families", nargs="+", default=list(FAMILIES))
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/imputation.jsonl"))
    parser.add_argument("--print", action="store_true", help="only print what is there")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(json.loads(args.one))))
        return
    args.out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(s) for s in args.out.read_text().splitlines()] if args.out.exists() else []
    names = ("family", "mechanism", "share", "method", "n")
    done = {tuple(r[k] for k in names) for r in rows}
    cases = [
        dict(zip(names, (f, k, s, m, args.n), strict=True))
        for k in args.mechanisms
        for s in args.shares
        for f in args.families
        for m in args.methods
    ]
    for case in [] if args.print else cases:
        if tuple(case.values()) in done or not is_sensible(case):
            continue
        command = [sys.executable, __file__, "--one", json.dumps(case)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            print(case, "failed:", run.stderr.strip().splitlines()[-1:], file=sys.stderr)
            continue
        rows.append(json.loads(run.stdout.splitlines()[-1]))
        with args.out.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        print(rows[-1], file=sys.stderr, flush=True)
    show(rows)


if __name__ == "__main__":
    main()

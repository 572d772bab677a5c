"""Any columns given any others: one trained network against a mixture whose conditionals are known.

    python benchmarks/subset_conditionals.py [--rows 5000] [--seeds 1] [--options JSON]

A mixture of three normals in five dimensions. For each of the 31 sets of known columns (the empty
one among them) 100 rows: energy score of 200 draws of the other columns against draws of the exact
conditional, relative to the exact law's own score. Columns in units of their standard deviation.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import combinations

import numpy as np

D = 5


def mixture():
    rng = np.random.default_rng(5)
    means = 1.5 * rng.normal(size=(3, D))
    factors = rng.normal(size=(3, D, D)) * 0.5
    covariances = factors @ factors.transpose(0, 2, 1) + 0.1 * np.eye(D)
    return np.array([0.4, 0.35, 0.25]), means, covariances


def draw(law, n, rng):
    weights, means, covariances = law
    k = rng.choice(len(weights), n, p=weights)
    roots = np.linalg.cholesky(covariances)
    return means[k] + np.einsum("nij,nj->ni", roots[k], rng.normal(size=(n, D)))


def conditional(law, row, known, n, rng):
    """Draw the unknown columns of a row: a mixture again."""
    weights, means, covariances = law
    unknown = [j for j in range(D) if j not in known]
    log_weights, parts = [], []
    for w, mean, cov in zip(weights, means, covariances, strict=True):
        a = cov[np.ix_(known, known)]
        gap = row[known] - mean[known]
        gain = cov[np.ix_(unknown, known)] @ np.linalg.inv(a) if known else np.zeros((D, 0))
        centre = mean[unknown] + gain @ gap
        spread = cov[np.ix_(unknown, unknown)] - gain @ cov[np.ix_(known, unknown)]
        log_density = 0.0
        if known:
            log_density = -0.5 * (gap @ np.linalg.solve(a, gap) + np.linalg.slogdet(a)[1])
        log_weights.append(np.log(w) + log_density)
        parts.append((centre, np.linalg.cholesky(spread)))
    share = np.exp(np.array(log_weights) - max(log_weights))
    k = rng.choice(len(weights), n, p=share / share.sum())
    noise = rng.normal(size=(n, len(unknown)))
    centres = np.stack([p[0] for p in parts])[k]
    return centres + np.einsum("nij,nj->ni", np.stack([p[1] for p in parts])[k], noise)


def mean_distance(a, b):
    return np.linalg.norm(a[:, None] - b[None], axis=-1)


def excess(ours, exact, other):
    """Score of our draws and of the exact law, against draws of the exact law."""
    s, k = len(ours), len(exact)
    ours_score = mean_distance(ours, other).mean() - mean_distance(ours, ours).sum() / (
        2 * s * (s - 1)
    )
    exact_score = mean_distance(exact, exact).sum() / (2 * k * (k - 1))
    return ours_score, exact_score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, nargs="*", default=[1, 2, 5, 10])
    parser.add_argument("--options", type=json.loads, default={}, help="of DDDM, as JSON")
    args = parser.parse_args()
    import torch

    from aetia.generation import DDDM

    torch.set_num_threads(1)
    law = mixture()
    sets = [list(c) for size in range(D) for c in combinations(range(D), size)]
    names = [f"x{j}" for j in range(D)]
    for seed in range(args.seeds):
        rng = np.random.default_rng([seed, 1])
        table = draw(law, args.rows, rng)
        started = time.perf_counter()
        model = DDDM(random_state=seed, progress=False, **args.options).fit(table)
        print(f"seed {seed}: {args.rows} rows, fit {time.perf_counter() - started:.0f} s")
        scale = table.std(0)
        new = draw(law, 100, rng)
        for n_steps in args.steps:
            found = {}
            for known in sets:
                unknown = [j for j in range(D) if j not in known]
                given = new.copy()
                given[:, unknown] = np.nan
                import pandas as pd

                frame = pd.DataFrame(given, columns=names)
                draws = model.sample(200, given=frame, n_steps=n_steps).values[..., unknown]
                pairs = []
                for i in range(len(new)):
                    both = conditional(law, new[i], known, 800, rng) / scale[unknown]
                    pairs.append(excess(draws[:, i] / scale[unknown], both[:400], both[400:]))
                ours, exact = np.mean(pairs, 0)
                found[tuple(known)] = ours / exact - 1
            values = np.array(list(found.values()))
            worst = max(found, key=lambda k: found[k])
            single = [v for k, v in found.items() if len(k) == D - 1]
            print(
                f"  N={n_steps:2d}: excess energy score mean {values.mean():.2%}, worst "
                f"{values.max():.2%} (given {list(worst)}), single columns {np.mean(single):.2%}, "
                f"no columns given {found[()]:.2%}",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""Which likelihood `auto` chooses for continuous tables, and what the choice is worth.

    python benchmarks/likelihood_choice.py [--columns 10 20] [--rows 300 1000] [--seeds 9000 9001]
        [--kinds gp ...] [--out choice.jsonl]

Random graphs with as many edges as columns (1 for 2 columns, 2 for 3); every root is Gaussian.
Mechanisms add up over the
parents, each scaled to a standard deviation in [.5, 1.5], with noise of standard deviation in
[.5, 1]: `gp` (random Fourier features), `sigmoid`, `quadratic`, `linear`; `laplace` and `hetero`
are linear with Laplace noise and with noise that grows with the first parent; `exp` is the
exponential of each column of a `gp` table; `neural` feeds noise into a random network; `rough` is
a Gaussian process with nearly white functions and noise of random size. One JSON line a table:
V, divergences, log evidence, the choice, quality of the edges by likelihood, seconds. Finished
lines of the output file are skipped.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from scipy.special import betaln

from aetia.data import Dataset
from aetia.graphs.linear_extensions import log_linear_extensions
from aetia.graphs.order_programme import draw_dags, order_programme
from aetia.likelihoods.additive import Additive, NormalScores, RankBasis, on_normal_scores
from aetia.likelihoods.bge import BGe
from aetia.likelihoods.block_bge import BlockBGe
from aetia.likelihoods.evidence_choice import (
    FEW_ROWS,
    choose_by_evidence,
    noise_is_additive,
    non_gaussian_nats,
)
from aetia.likelihoods.variance_test import variance_evidence
from aetia.likelihoods.varying_noise import VaryingNoise

KINDS = ("gp", "sigmoid", "quadratic", "linear", "laplace", "hetero", "exp", "neural", "rough")
WANTED = {
    "linear": ("bge", "additive"),
    "laplace": ("block", "bge", "additive", "normal-scores", "rank-basis"),
    "hetero": ("block",),
    "neural": ("block",),
    "rough": ("rank-basis",),
    "exp": ("normal-scores",),
}
N_DRAWS = 2000


def standardised(x):
    return (x - x.mean(0)) / x.std(0)


def random_graph(d, n_edges, rng):
    """A DAG with a fixed number of edges, and an order of its nodes."""
    pairs = np.array([(i, j) for i in range(d) for j in range(i + 1, d)])
    n_edges = min(n_edges, max(1, len(pairs) - 1))
    order = rng.permutation(d)
    graph = np.zeros((d, d), bool)
    chosen = order[pairs[rng.choice(len(pairs), n_edges, replace=False)]]
    graph[chosen[:, 0], chosen[:, 1]] = True
    return graph, order


def effect(kind, v, rng):
    """One additive effect of a standardised parent."""
    if kind == "gp":
        phase = np.outer(v, rng.standard_normal(60)) + rng.uniform(0, 2 * np.pi, 60)
        f = np.cos(phase) @ rng.standard_normal(60)
    elif kind == "sigmoid":
        slope = rng.choice([-1, 1]) * rng.uniform(1, 4) * (v + rng.uniform(-1, 1))
        f = slope / (1 + abs(slope))
    elif kind == "quadratic":
        signs, sizes = rng.choice([-1, 1], 2), rng.uniform(0.3, 1, 2)
        f = signs[0] * sizes[0] * v + signs[1] * sizes[1] * (v * v - 1)
    else:
        f = rng.choice([-1, 1]) * v
    return f / f.std() * rng.uniform(0.5, 1.5)


def network(inputs, rng):
    """Two layers of 32 leaky units with the usual initial weights."""
    h = inputs
    for k, (a, b) in enumerate(((inputs.shape[1], 32), (32, 32), (32, 1))):
        bound = 1 / np.sqrt(a)
        h = h @ rng.uniform(-bound, bound, (a, b)) + rng.uniform(-bound, bound, b)
        h = np.where(h > 0, h, 0.01 * h) if k < 2 else h
    return h[:, 0]


def rough(parents, noise, rng):
    """Two kernels exp(-distance^g) with g down to .1, over parents and noise."""
    n = len(noise)
    inputs = np.column_stack([parents, standardised(noise)])
    kernel = 1e-4 * np.eye(n)
    for _ in range(2):
        scale = np.clip(rng.lognormal(-1, 1, inputs.shape[1]), 0.1, 5)
        square = sum(np.subtract.outer(v, v) ** 2 for v in (inputs / scale).T)
        kernel += np.exp(-(square ** (rng.uniform(0.1, 1) / 2)))
    function = np.linalg.cholesky(kernel) @ rng.standard_normal(n)
    return noise + function + rng.gamma(1, 0.1, n) * rng.standard_normal(n)


def table(kind, d, n, seed):
    """A standardised table and its graph."""
    rng = np.random.default_rng(seed)
    graph, order = random_graph(d, d, rng)
    x = np.zeros((n, d))
    for v in order:
        parents = standardised(x[:, graph[:, v]]) if graph[:, v].any() else np.zeros((n, 0))
        noise = rng.laplace(size=n) / np.sqrt(2) if kind == "laplace" else rng.standard_normal(n)
        if kind == "neural":
            x[:, v] = network(np.column_stack([parents, noise]), rng)
        elif kind == "rough":
            x[:, v] = rough(parents, noise, rng)
        elif not parents.shape[1]:
            x[:, v] = noise
        else:
            size = rng.uniform(0.5, 1)
            if kind == "hetero":
                size = size * np.exp(0.5 * parents[:, 0])
            which = {"exp": "gp"}.get(kind, kind)
            x[:, v] = sum(effect(which, p, rng) for p in parents.T) + size * noise
        x[:, v] = (x[:, v] - x[:, v].mean()) / x[:, v].std()
    return (standardised(np.exp(x)) if kind == "exp" else x), graph


def as_data(x):
    d = x.shape[1]
    return Dataset(
        values=x,
        names=tuple(f"x{i}" for i in range(d)),
        observed=np.ones(x.shape, bool),
        kinds=("continuous",) * d,
    )


def exact_posterior(likelihood, data, seed):
    """Weighted draws of DAGs and the log evidence, edge rate Beta(1, d - 1)."""
    d = data.d
    others = torch.tensor([[i for i in range(d) if i != j] for j in range(d)])
    scores = likelihood.local_scores(data).tables(others, d - 1)
    sizes = torch.zeros(1, dtype=torch.int64)
    for _ in range(d - 1):
        sizes = torch.cat([sizes, sizes + 1])
    k = np.arange(d)
    prior = torch.from_numpy(betaln(k + 1, 2 * (d - 1) - k) - betaln(1, d - 1))
    programme = order_programme(scores + prior[sizes], others)
    graphs = draw_dags(programme, N_DRAWS, torch.Generator().manual_seed(seed))
    log_weights = -log_linear_extensions(graphs)
    log_z = programme.log_total + float(log_weights.logsumexp(0)) - np.log(N_DRAWS)
    return graphs, log_weights, float(log_z)


def quality(graphs, log_weights, truth):
    """AUROC of edges, edges with probability above .9, and the false ones among these."""
    edges = torch.einsum("s,sij->ij", log_weights.softmax(0), graphs.double()).numpy()
    off = ~np.eye(len(truth), dtype=bool)
    p, y = edges[off], truth[off]
    difference = p[y][:, None] - p[~y][None]
    auroc = ((difference > 0) + 0.5 * (difference == 0)).mean()
    return [round(float(auroc), 3), int((p > 0.9).sum()), int(((p > 0.9) & ~y).sum())]


def measured(kind, d, n, seed, *, brief):
    """Follow the rule; unless ``brief``, also run what it does not need."""
    x, truth = table(kind, d, n, seed)
    data = as_data(x)
    row = {"kind": kind, "d": d, "n": n, "seed": seed, "seconds": {}}
    log_z, posteriors = {}, {}

    def run(likelihood):
        start = time.perf_counter()
        *posteriors[likelihood.name], log_z[likelihood.name] = exact_posterior(
            likelihood, data, seed
        )
        row["seconds"][likelihood.name] = round(time.perf_counter() - start, 3)

    run(Additive())
    start = time.perf_counter()
    by_draws = variance_evidence(data, *posteriors["additive"])
    row["seconds"]["V_draws"] = round(time.perf_counter() - start, 3)
    v = {"additive": by_draws}
    if noise_is_additive(by_draws, d) or not brief:
        run(VaryingNoise())
        v["additive"] = max(by_draws, log_z["varying-noise"] - log_z["additive"])
    if noise_is_additive(v["additive"], d) or not brief:
        for likelihood in (BGe(alpha_mu=0.1), NormalScores(), RankBasis()):
            run(likelihood)
        on_scores = on_normal_scores(data)
        v["normal-scores"] = variance_evidence(on_scores, *posteriors["normal-scores"])
    choice = choose_by_evidence(log_z, v, non_gaussian_nats(data), n)
    if choice.name == "block" or not brief:
        run(BlockBGe(**{"n_columns": 3 if n >= FEW_ROWS else 2} | dict(choice.options)))
    row |= {"V_draws": round(by_draws, 1), "choice": choice.name, "reason": choice.reason}
    row["numbers"] = {k: round(value, 1) for k, value in choice.numbers.items()}
    row["auroc_confident_false"] = {k: quality(*p, truth) for k, p in posteriors.items()}
    wanted = WANTED.get(kind, ("additive", "normal-scores"))
    row["as_wanted"] = choice.name in wanted
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--columns", type=int, nargs="+", default=[10, 20])
    parser.add_argument("--rows", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[9000, 9001])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--out", type=Path, default=Path("likelihood_choice.jsonl"))
    parser.add_argument("--brief", action="store_true", help="run only what the rule needs")
    options = parser.parse_args()
    lines = options.out.read_text().splitlines() if options.out.exists() else []
    done = {tuple(json.loads(line)[k] for k in ("kind", "d", "n", "seed")) for line in lines}
    torch.set_num_threads(1)
    for d in options.columns:
        for n in options.rows:
            for kind in options.kinds:
                for seed in options.seeds:
                    if (kind, d, n, seed) in done:
                        continue
                    line = json.dumps(measured(kind, d, n, seed, brief=options.brief))
                    with options.out.open("a") as file:
                        file.write(line + "\n")
                    print(line, flush=True)


if __name__ == "__main__":
    main()

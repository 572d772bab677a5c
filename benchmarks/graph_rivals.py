"""Rivals for posteriors over graphs of tables: functions from numbers to weighted graphs.

They need ``pip install causal-learn`` (BOSS, GRaSP, PC) and ``pip install sumu`` (Gadget), neither
of which comes with aetia. An undirected edge has both entries True.
"""

from __future__ import annotations

import random

import numpy as np


def boss(x: np.ndarray, *, discrete: bool) -> np.ndarray:
    """Best order score search, BIC or BDeu, penalty as shipped."""
    from causallearn.search.PermutationBased.BOSS import boss as search

    random.seed(0)
    np.random.seed(0)  # the package draws from the global generators
    return _edges(search(x, score_func=_score(discrete), verbose=False).graph)[None]


def grasp(x: np.ndarray, *, discrete: bool) -> np.ndarray:
    """Greedy relaxation of the sparsest permutation, depth 3."""
    from causallearn.search.PermutationBased.GRaSP import grasp as search

    random.seed(0)
    np.random.seed(0)
    return _edges(search(x, score_func=_score(discrete), verbose=False).graph)[None]


def pc(x: np.ndarray, *, discrete: bool) -> np.ndarray:
    """Stable PC at alpha .01, Fisher's z or the G test."""
    from causallearn.search.ConstraintBased.PC import pc as search

    test = "gsq" if discrete else "fisherz"
    return _edges(search(x, 0.01, test, show_progress=False).G.graph)[None]


def boss_bootstrap(x: np.ndarray, *, discrete: bool, n_tables: int = 30) -> np.ndarray:
    """BOSS on resampled rows: selection frequencies, no posterior."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, len(x), len(x)) for _ in range(n_tables)]
    return np.concatenate([boss(x[r], discrete=discrete) for r in rows])


def gadget(x: np.ndarray, *, discrete: bool) -> np.ndarray:
    """Partition chains of sumu 0.1.2: 4 coupled chains, 8,000 steps, its own (fair) prior."""
    import sumu

    np.random.seed(0)
    d = x.shape[1]
    data = sumu.Data(x.astype(np.intc) if discrete else x, discrete=discrete)
    sampler = sumu.Gadget(
        data=data,
        scoref="bdeu" if discrete else "bge",
        ess=10,
        max_id=-1,
        K=min(10, d - 1),
        d=2,
        cp_algo="greedy-lite",
        mc3_chains=4,
        burn_in=4000,
        iterations=4000,
        thinning=8,
        tolerance=2**-32,
    )
    draws, _ = sampler.sample()
    out = np.zeros((len(draws), d, d), bool)
    for graph, families in zip(out, draws, strict=True):
        for family in families:
            parents = np.atleast_1d(np.array(list(family[1]) if len(family) > 1 else [], int))
            graph[parents, family[0]] = True
    return out


def _score(discrete: bool) -> str:
    return "local_score_BDeu" if discrete else "local_score_BIC_from_cov"


def _edges(marks: np.ndarray) -> np.ndarray:
    """causal-learn writes 1 for a head and -1 for a tail at the row's end of the edge."""
    tail, head = marks == -1, marks == 1
    return (tail & head.T) | (tail & tail.T) | (head & head.T)


RIVALS = {
    "boss": boss,
    "grasp": grasp,
    "pc": pc,
    "boss-bootstrap": boss_bootstrap,
    "gadget": gadget,
}

PACKAGES = {
    "boss": "causallearn.search.PermutationBased.BOSS",
    "grasp": "causallearn.search.PermutationBased.GRaSP",
    "pc": "causallearn.search.ConstraintBased.PC",
    "boss-bootstrap": "causallearn.search.PermutationBased.BOSS",
    "gadget": "sumu",
}
"""What each needs, imported before the clock starts."""

"""The exact posterior over DAGs by root layers: slow, positive terms only, each DAG once.

A DAG is cut into layers: variables without parents, then those that have none left, and so on.
With U placed and T the layer placed last, ``V(U, T)`` sums over the next layers R of
``prod_{v in R} w_v(U, T) V(U + R, R)``, where ``w_v`` sums the parent sets of v inside U that meet
T (Kuipers & Moffa, 2017). It costs 4^d and is independent of the sums over orders.
"""

import numpy as np


def full_masks(tables, candidates):
    """Scores by sets of variables instead of sets of candidates: {j: (masks, scores)}."""
    d, k = candidates.shape
    subsets = np.arange(1 << k)
    bits = (subsets[:, None] >> np.arange(k)) & 1
    return [((bits << candidates[j]).sum(1), tables[j]) for j in range(d)]


def log_total(tables, candidates):
    """Log of the sum over all DAGs of the exponentiated scores."""
    d = len(candidates)
    sums = np.full((d, 1 << d), -np.inf)
    everything = np.arange(1 << d)
    for j, (masks, scores) in enumerate(full_masks(tables, candidates)):
        np.logaddexp.at(sums[j], masks, scores)
        for i in range(d):
            has = (everything >> i) & 1 == 1
            sums[j, has] = np.logaddexp(sums[j, has], sums[j, everything[has] ^ (1 << i)])
    go_on = {}
    full = (1 << d) - 1
    for placed in sorted(range(1, 1 << d), key=lambda u: -u.bit_count()):
        last = placed
        while last:
            go_on[placed, last] = (
                0.0 if placed == full else _next(sums, d, placed, last, full, go_on)
            )
            last = (last - 1) & placed
    start = [
        sum(sums[j, 0] for j in range(d) if layer >> j & 1) + go_on[layer, layer]
        for layer in range(1, 1 << d)
    ]
    return np.logaddexp.reduce(start)


def _next(sums, d, placed, last, full, go_on):
    left = [v for v in range(d) if not placed >> v & 1]
    earlier = placed & ~last
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = [
            sums[v, placed] + np.log1p(-np.exp(sums[v, earlier] - sums[v, placed])) for v in left
        ]
    weight = [-np.inf if np.isnan(w) else w for w in weight]
    layers, products = np.zeros(1, dtype=int), np.zeros(1)
    for v, w in zip(left, weight, strict=True):
        layers = np.concatenate([layers, layers | 1 << v])
        products = np.concatenate([products, products + w])
    rest = np.array([go_on[placed | layer, layer] for layer in layers[1:].tolist()])
    return np.logaddexp.reduce(products[1:] + rest)


def edge_probability(tables, candidates, i, j):
    """Posterior probability of i -> j, from two sums."""
    without = np.array(tables, copy=True)
    bit = int(np.flatnonzero(candidates[j] == i)[0])
    without[j, (np.arange(without.shape[1]) >> bit) & 1 == 1] = -np.inf
    return 1.0 - np.exp(log_total(without, candidates) - log_total(tables, candidates))

r"""How much posterior mass lies outside the candidates, and better candidates.

For a drawn graph, a variable j and another variable u that is neither a candidate of j nor its
descendant, the graph with u -> j added is a DAG; its odds against the drawn one are known. Their
average over draws estimates the probability of the edge u -> j, to first order.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from aetia.discovery.extension_gains import extension_gains
from aetia.discovery.order_mcmc.tables import graphs_of
from aetia.graphs import Constraints
from aetia.likelihoods import LocalScores

__all__ = ["outside_probabilities", "replace_candidates"]

_LEAST = 0.002
"""Edges outside that are less probable than this are not worth a place among the candidates."""


def outside_probabilities(
    scores: LocalScores,
    draws: Int[np.ndarray, "s d"],
    descendants: Bool[np.ndarray, "s d d"],
    candidates: Int64[Tensor, "d k"],
    count_terms: Float[Tensor, " d"],
    constraints: Constraints,
    *,
    n_sets: int = 4,
) -> Float[Tensor, "d d"]:
    """Estimate the probabilities of edges that are outside the search space.

    Args:
        scores: The likelihood bound to the data.
        draws: Parent sets of drawn graphs, as masks over the candidates.
        descendants: ``descendants[s, i, j]`` where j can be reached from i in draw s.
        candidates: Candidate parents of each variable.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Knowledge.
        n_sets: The most frequent parent sets of each variable that stand for all of its draws.

    Returns:
        ``p[u, j]``, zero for candidates; the sum is the expected number of edges outside.
    """
    d, k = candidates.shape
    outside = ~torch.eye(d, dtype=torch.bool)
    outside[candidates.mT, torch.arange(d)] = False
    probability = torch.zeros(d, d, dtype=torch.float64)
    if k >= d - 1 or not outside.any():
        return probability
    sets = np.zeros((n_sets, d), dtype=np.int32)
    shares = torch.zeros(n_sets, d, d, dtype=torch.float64)
    for j in range(d):
        masks, which, counts = np.unique(draws[:, j], return_inverse=True, return_counts=True)
        top = np.argsort(-counts, kind="stable")[:n_sets]
        for i, m in enumerate(top):
            sets[i, j] = masks[m]
            apart = (~descendants[which == m, j]).mean(0)  # share in which u does not follow j
            shares[i, :, j] = torch.from_numpy(apart) * float(counts[m] / counts[top].sum())
    for i in range(n_sets):
        if not (shares[i] > 0).any():
            break
        parents = torch.from_numpy(graphs_of(sets[i], candidates.numpy()))
        gains = extension_gains(scores, parents, count_terms, constraints)
        probability += shares[i] * torch.sigmoid(gains)
    return probability.masked_fill(~outside, 0.0)


def replace_candidates(
    candidates: Int64[Tensor, "d k"],
    inclusion: Float[Tensor, "d d"],
    outside: Float[Tensor, "d d"],
    constraints: Constraints,
) -> Int64[Tensor, "d k"]:
    """Exchange the weakest candidates for stronger variables outside.

    Args:
        candidates: Candidate parents of each variable.
        inclusion: Posterior probability of each edge in the search space.
        outside: Estimated probability of each edge outside.
        constraints: Knowledge; required parents stay.

    Returns:
        As many candidates, sorted; a third of them changes at most.
    """
    k = candidates.shape[1]
    changed = candidates.clone()
    for j in range(len(candidates)):
        own = candidates[j]
        strength = inclusion[own, j] + 2.0 * constraints.required[own, j]
        weakest = strength.argsort(dim=0, stable=True)
        best = outside[:, j].argsort(dim=0, descending=True, stable=True)[: max(1, k // 3)]
        for out, into in zip(weakest.tolist(), best.tolist(), strict=False):
            if outside[into, j] > max(_LEAST, float(strength[out])):
                changed[j, out] = into
    return changed.sort(-1).values

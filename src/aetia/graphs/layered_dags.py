r"""Exact draws of DAGs whose weight is a product over the numbers of parents.

Removing the variables without parents, then those that have none left, and so on, cuts a DAG into
layers. Each variable of a layer has at least one parent in the layer before it and the others in
earlier layers, so with m variables placed, k of them in the last layer, it has the total weight

.. math:: w(m, k) = \sum_c \left[\binom mc - \binom{m-k}c\right] \rho(c),

and the DAGs on the remaining variables weigh
:math:`V(m, k) = \sum_s \binom{d-m}s w(m,k)^s V(m+s, s)`. Kuipers & Moffa (2015, eqs. 4 to 6) give
the uniform case; positive terms only, so that no digits cancel.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.special import gammaln, logsumexp
from torch import Tensor

__all__ = ["sample_by_parent_counts"]


def sample_by_parent_counts(
    n: int, count_terms: Float[Tensor, " d"], generator: torch.Generator
) -> Bool[Tensor, "n d d"]:
    """Draw DAGs with probability proportional to the product of the weights of parent counts.

    Args:
        n: Number of graphs.
        count_terms: Log weight of having 0 to d - 1 parents.
        generator: Source of randomness.

    Returns:
        Independent exact draws.
    """
    layers = _layers(tuple(count_terms.double().tolist()))
    seed = int(torch.randint(2**62, (1,), generator=generator))
    rng = np.random.Generator(np.random.PCG64(seed))
    return torch.from_numpy(np.stack([layers.draw(rng) for _ in range(n)]))


class _Layers:
    """The weights of all ways to go on, by number placed and size of the last layer."""

    def __init__(self, terms: np.ndarray) -> None:
        d = self.d = len(terms)
        self.terms = terms
        counts = np.arange(d + 1)
        with np.errstate(divide="ignore"):
            self.log_choose = _log_choose(counts[:, None], counts[None, :])
        self.log_go_on = np.full((d + 1, d + 1), -np.inf)
        self.log_go_on[d, 1:] = 0.0
        for placed in range(d - 1, 0, -1):
            for last in range(1, placed + 1):
                self.log_go_on[placed, last] = logsumexp(self.next_layer(placed, last))

    def first_layer(self) -> np.ndarray:
        """Log weights of 1, ..., d variables without parents."""
        sizes = np.arange(1, self.d + 1)
        return self.log_choose[self.d, 1:] + sizes * self.terms[0] + self.log_go_on[sizes, sizes]

    def next_layer(self, placed: int, last: int) -> np.ndarray:
        """Log weights of 1, 2, ... variables in the next layer."""
        left = self.d - placed
        sizes = np.arange(1, left + 1)
        each = logsumexp(self.parent_counts(placed, last))
        return (
            self.log_choose[left, 1 : left + 1]
            + sizes * each
            + self.log_go_on[placed + sizes, sizes]
        )

    def parent_counts(self, placed: int, last: int) -> np.ndarray:
        """Log weights of 1, ..., ``placed`` parents, at least one of them in the last layer."""
        c = np.arange(1, placed + 1)
        every = self.log_choose[placed, c]
        share_outside = np.exp(self.log_choose[placed - last, c] - every)
        with np.errstate(divide="ignore"):
            return every + np.log1p(-np.minimum(share_outside, 1.0)) + self.terms[c]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        d = self.d
        graph = np.zeros((d, d), dtype=bool)
        placed = last = _pick(self.first_layer(), rng) + 1
        while placed < d:
            size = _pick(self.next_layer(placed, last), rng) + 1
            counts = self.parent_counts(placed, last)
            for child in range(placed, placed + size):
                graph[self._parents(placed, last, _pick(counts, rng) + 1, rng), child] = True
            placed, last = placed + size, size
        order = rng.permutation(d)
        return graph[np.ix_(order, order)]

    def _parents(self, placed: int, last: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """Choose ``count`` of the placed variables, at least one of the last layer."""
        inside = np.arange(1, min(count, last) + 1)
        ways = self.log_choose[last, inside] + self.log_choose[placed - last, count - inside]
        from_last = _pick(ways, rng) + 1
        return np.concatenate(
            [
                placed - last + rng.choice(last, from_last, replace=False),
                rng.choice(placed - last, count - from_last, replace=False)
                if count > from_last
                else np.empty(0, dtype=np.int64),
            ]
        )


def _pick(log_weights: np.ndarray, rng: np.random.Generator) -> int:
    weights = np.exp(log_weights - log_weights.max())
    return int(np.searchsorted(weights.cumsum(), rng.random() * weights.sum(), side="right"))


def _log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    possible = k <= n
    value = gammaln(n + 1) - gammaln(k + 1) - gammaln(np.where(possible, n - k, 0) + 1)
    return np.where(possible, value, -np.inf)


@lru_cache(maxsize=16)
def _layers(terms: tuple[float, ...]) -> _Layers:
    return _Layers(np.array(terms))

"""From selection frequencies to one graph: which edges, at which lags, without cycles in a step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float

from aetia.graphs import Constraints, greedy_dag

__all__ = ["THRESHOLDS", "Deployed", "Frequencies", "deploy", "frequencies"]

THRESHOLDS = tuple(k / 20 for k in range(21))
"""The 21 thresholds of the prototype."""


class Frequencies(NamedTuple):
    """How often edges were selected, cause in rows."""

    by_lag: Float[np.ndarray, "m d d"]
    """Within the step, then lag 1, 2, ..."""
    any_lag: Float[np.ndarray, "d d"]
    """At one lag at least; zero on the diagonal."""


class Deployed(NamedTuple):
    """One graph."""

    within: Bool[np.ndarray, "d d"]
    lagged: Bool[np.ndarray, "l d d"]

    @property
    def summary(self) -> Bool[np.ndarray, "d d"]:
        """Edges at any lag, between different variables."""
        return (self.within | self.lagged.any(0)) & ~np.eye(len(self.within), dtype=bool)


def frequencies(
    within: Bool[np.ndarray, "s d d"], lagged: Bool[np.ndarray, "s l d d"]
) -> Frequencies:
    """Count selections.

    Args:
        within: Graphs within the step.
        lagged: Graphs at each lag.

    Returns:
        Shares of the graphs.
    """
    either = within | lagged.any(1)
    by_lag = np.concatenate([within[:, None], lagged], 1).mean(0)
    return Frequencies(by_lag, either.mean(0) * (1 - np.eye(within.shape[-1])))


def deploy(
    frequency: Frequencies, constraints: Constraints, *, threshold: float, feedback_threshold: float
) -> Deployed:
    """Choose the edges of the graph.

    An edge is in if it was selected often enough at any lag; it is drawn at the lags at which it
    reaches the threshold itself, or at the most frequent one. Of two opposite edges the rarer stays
    from ``feedback_threshold`` on. Cycles within the step lose their weakest edges.

    Args:
        frequency: How often each edge was selected.
        constraints: What is known; required edges are in.
        threshold: Smallest frequency.
        feedback_threshold: Smallest frequency of the rarer of two opposite edges.

    Returns:
        The graph.
    """
    p = frequency.any_lag
    required, forbidden = constraints.required.numpy(), constraints.forbidden.numpy()
    chosen = (p >= threshold) & (p > 0)
    chosen &= (p >= p.T) | (p >= feedback_threshold)
    # Two equally frequent opposite edges: keep the one that is more often within the step.
    tied = chosen & chosen.T & (p == p.T) & (p < feedback_threshold)
    chosen &= ~(tied & (frequency.by_lag[0] < frequency.by_lag[0].T))
    chosen = (chosen | required) & ~(forbidden & ~required)
    # An edge that is frequent enough over all lags together may be so at none: the best is drawn.
    strongest = frequency.by_lag.max(0)
    edges = chosen & ((frequency.by_lag >= threshold) | (frequency.by_lag == strongest))
    own = np.eye(len(p), dtype=bool)
    edges &= (frequency.by_lag > 0) | (required & (strongest == 0))
    edges[1:] |= own & (frequency.by_lag[1:] >= threshold) & (frequency.by_lag[1:] > 0)
    edges[0] &= ~own
    # What is required enters first; it is acyclic, so that it stays.
    priority = torch.from_numpy(np.where(required, 2.0, frequency.by_lag[0]))
    within = greedy_dag(torch.from_numpy(edges[0]), priority).numpy()
    return Deployed(within, edges[1:])

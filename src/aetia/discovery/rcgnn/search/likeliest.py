"""Search for the graph under which the readings are likeliest (structural EM, Friedman, 1998).

The moments of the clean states that a graph implies decide its next single move, and the readings
decide whether it is made. Moments under a graph favour that graph, so from where moves end every
edge within the step is reversed and its ends find their parents anew; again the readings decide.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.search.constraints import LaggedConstraints
from aetia.discovery.rcgnn.search.likelihood import Explained, explain
from aetia.discovery.rcgnn.search.moves import (
    escape_structure,
    log_prior,
    reversed_edges,
    search_structure,
)
from aetia.discovery.rcgnn.search.regressions import Regressions, straight_lines
from aetia.discovery.rcgnn.states.choose import some_blocks
from aetia.discovery.rcgnn.states.fitted import FittedStates, states_of_blocks

__all__ = ["effective_steps", "is_exact", "likeliest_graph"]

_N_STEPS = 3
"""EM steps for each graph that is tried: differences between graphs settle before levels do."""
_MOST_WORK = 4e9
"""Multiplications of smoothers after which the search ends with the best graph so far."""


def effective_steps(fitted: FittedStates) -> Float[Tensor, " d"]:
    """Count the steps that the readings are worth, for each sensor.

    Args:
        fitted: States.

    Returns:
        Steps times the share of the innovations that the readings determine.
    """
    return (fitted.moments.steps.sum() * fitted.moments.information).clamp_min(20.0)


def is_exact(fitted: FittedStates, readings: Readings) -> bool:
    """Tell whether moments of the states are known whatever the graph.

    Args:
        fitted: States.
        readings: What they were fitted to.

    Returns:
        Whether nothing was lost and sensors have neither noise nor drift.
    """
    seen = fitted.observed | ~readings.live.unsqueeze(-1)
    return fitted.model.is_noiseless and fitted.model.drift_variance is None and bool(seen.all())


def likeliest_graph(
    fitted: FittedStates,
    readings: Readings,
    known: LaggedConstraints,
    *,
    penalty: float,
    initial: Bool[Tensor, "d p"] | None = None,
) -> Explained:
    """Search for the graph under which the readings are likeliest.

    Where nothing is lost and sensors have no noise the moments are exact and stand for the
    readings.

    Args:
        fitted: States, fitted without a graph.
        readings: What they were fitted to.
        known: What is known about the graph.
        penalty: Penalty weight of an edge, in BIC units: 1 is the Bayesian information criterion.
        initial: Graph to begin with, target by candidate, which obeys what is known; None is where
            a climb in the moments ends.

    Returns:
        The graph, with the moments it implies.
    """
    n, lines = effective_steps(fitted), _lines(fitted)
    if is_exact(fitted, readings):
        found = escape_structure(lines, n, known, penalty=penalty)
        return Explained(found.parents[0], 0.0, fitted.model, fitted.moments)
    if initial is None:
        initial = search_structure(lines, n[None], known, penalty=penalty).parents[0]
    rows = some_blocks(readings)
    if rows is None:
        return _Search(fitted, readings, known, penalty).run(initial)
    part = readings.select(rows)
    some = states_of_blocks(fitted, rows, part)
    found = _Search(some, part, known, penalty).run(initial)
    return explain(found.parents, fitted, readings, like=fitted, n_steps=_N_STEPS)


class _Search:
    """Graphs are tried until none is better, or the work is done."""

    def __init__(
        self, fitted: FittedStates, readings: Readings, known: LaggedConstraints, penalty: float
    ) -> None:
        self.fitted, self.readings, self.known, self.penalty = fitted, readings, known, penalty
        self.n = effective_steps(fitted)
        n, time, _ = fitted.x.shape
        k, n_patterns = len(fitted.model.transition()), len(fitted.patterns.counts)
        cost = time * (n_patterns * k**3 + n * k**2) * _N_STEPS
        self.left = max(int(_MOST_WORK / cost), 2)

    def run(self, initial: Bool[Tensor, "d p"]) -> Explained:
        best = self.climb(self.explain(initial, self.fitted))
        while self.left > 0:
            reversals = reversed_edges(
                best.parents, _lines(best), self.n, self.known, penalty=self.penalty
            )
            better = None if reversals is None else self.best_of(reversals, best)
            if better is None:
                break
            best = self.climb(better)
        return best

    def explain(self, parents: Bool[Tensor, "d p"], like: Explained | FittedStates) -> Explained:
        self.left -= 1
        return explain(parents, self.fitted, self.readings, like=like, n_steps=_N_STEPS)

    def score(self, explained: Explained) -> float:
        prior = log_prior(explained.parents, self.n, self.known, penalty=self.penalty)
        return explained.log_likelihood + float(prior)

    def climb(self, best: Explained) -> Explained:
        """Search in the moments that the graph implies, as long as the readings agree."""
        while self.left > 0:
            initial, n = best.parents[None], self.n[None]
            lines = _lines(best)
            found = search_structure(lines, n, self.known, penalty=self.penalty, initial=initial)
            better = self.best_of(found.parents, best)
            if better is None:
                break
            best = better
        return best

    def best_of(self, graphs: Bool[Tensor, "m d p"], best: Explained) -> Explained | None:
        """Explain the readings by each graph; None if none is better than the best so far."""
        better, value = None, self.score(best) + 1e-3
        for parents in torch.unique(graphs, dim=0):
            if self.left <= 0 or bool((parents == best.parents).all()):
                continue
            tried = self.explain(parents, best)
            if self.score(tried) > value:
                better, value = tried, self.score(tried)
        return better


def _lines(of: Explained | FittedStates) -> Regressions:
    return straight_lines(of.moments.mean()[None], len(of.moments.information))

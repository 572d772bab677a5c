r"""Means of outcomes under do(), by simulation down the graph, for many draws of graphs at once.

For each draw of a graph, every ancestor of an outcome gets one posterior draw of its mechanism and
m particles. The treatment is set to each of k doses; all else follows in order of depth. The same
noise serves every dose, an outcome's own noise is averaged out, and the noise of each variable is
stratified over the particles, so little Monte Carlo error remains beside the posterior's spread.
Draws that share a (variable, parent set) pair are computed together, and the pair is fitted once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.graphs import transitive_closure
from aetia.likelihoods.mechanisms import MechanismPosterior, MechanismTable

__all__ = ["MechanismCache", "simulate_means"]

_MAX_FLOATS = 8_000_000
_BOOTSTRAP_VALUES = 4096
"""Weights of a drawn noise distribution, at most."""


class MechanismCache:
    """Mechanisms of a table, each learned once."""

    def __init__(self, table: MechanismTable) -> None:
        self.table = table
        self._learned: dict[tuple[int, tuple[int, ...]], MechanismPosterior] = {}

    def __call__(self, node: int, parents: tuple[int, ...]) -> MechanismPosterior:
        """Look up the mechanism of a variable given its parents.

        Args:
            node: Index of the variable.
            parents: Indices of its parents.

        Returns:
            Its posterior.
        """
        key = (node, parents)
        if key not in self._learned:
            self._learned[key] = self.table.mechanism(node, parents)
        return self._learned[key]

    def __len__(self) -> int:
        return len(self._learned)


def simulate_means(
    cache: MechanismCache,
    graphs: Bool[Tensor, "s d d"],
    treatment: int,
    doses: Float[Tensor, " k"],
    outcomes: Sequence[int],
    *,
    n_particles: int,
    generator: torch.Generator,
) -> list[Float[Tensor, "s k q"]]:
    """Draw the means of some outcomes under each dose, one mechanism draw for each graph.

    Args:
        cache: Mechanisms.
        graphs: DAGs, one for each draw wanted; equal ones should be neighbours.
        treatment: Index of the variable that is set.
        doses: Values (or codes of levels) it is set to.
        outcomes: Indices of the variables that are read.
        n_particles: Particles behind every mean.
        generator: Source of randomness.

    Returns:
        For each outcome its mean (q = 1), or the probabilities of its levels; NaN in draws
        whose graph has no directed path from the treatment to any outcome.
    """
    d = graphs.shape[-1]
    widths = [max(1, cache.table.n_levels[y]) for y in outcomes]
    shape = (len(graphs), len(doses))
    means = [graphs.new_full((*shape, q), torch.nan, dtype=torch.float64) for q in widths]
    cut = graphs.clone()
    cut[:, :, treatment] = False
    reached = transitive_closure(cut)
    acting = reached[:, treatment, list(outcomes)].any(-1).nonzero().flatten()
    size = max(1, _MAX_FLOATS // max(d * len(doses) * n_particles, _BOOTSTRAP_VALUES))
    for rows in acting.split(size) if len(acting) else ():
        parts = _simulate(
            cache, cut[rows], reached[rows], treatment, doses, outcomes, n_particles, generator
        )
        for mean, part in zip(means, parts, strict=True):
            mean[rows] = part
    return means


def _simulate(
    cache: MechanismCache,
    graphs: Tensor,
    reached: Tensor,
    treatment: int,
    doses: Tensor,
    outcomes: Sequence[int],
    n_particles: int,
    generator: torch.Generator,
) -> list[Tensor]:
    s, d = len(graphs), graphs.shape[-1]
    k, m = len(doses), n_particles
    wanted = torch.zeros(d, dtype=torch.bool)
    wanted[list(outcomes)] = True
    needed = (reached & wanted).any(-1) | wanted
    needed[:, treatment] = False
    depth = _depths(graphs)
    moves = reached[:, treatment]  # descendants of the treatment; all others ignore the dose
    values = torch.zeros(d, s, k, m, dtype=torch.float64)
    values[treatment] = doses[:, None]
    widths = [max(1, cache.table.n_levels[y]) for y in outcomes]
    means = [torch.zeros(s, k, q, dtype=torch.float64) for q in widths]
    for level in range(int(depth.max()) + 1):
        for node in (needed & (depth == level)).any(0).nonzero().flatten().tolist():
            rows = (needed[:, node] & (depth[:, node] == level)).nonzero().flatten()
            for group, parents in _by_parents(graphs[rows, :, node], moves[rows, node]):
                at = rows[group]
                doses_used = k if bool(moves[at[0], node]) else 1
                drawn = cache(node, parents).draw(len(at), generator)
                given = torch.zeros(len(at), doses_used, m, len(parents), dtype=torch.float64)
                for i, parent in enumerate(parents):
                    given[..., i] = values[parent, at, :doses_used]
                mean = drawn.mean(given)
                for y, out in zip(outcomes, means, strict=True):
                    if y == node:
                        out[at] = mean.mean(2).expand(-1, k, -1)
                uniform = _stratified(len(at), m, generator)
                values[node, at] = drawn.value(mean, uniform).expand(-1, k, -1)
    return means


def _by_parents(
    parents: Bool[Tensor, "r d"], moves: Bool[Tensor, " r"]
) -> list[tuple[Int64[Tensor, " g"], tuple[int, ...]]]:
    """Group draws by parent set, and by whether the treatment moves the variable."""
    key = torch.cat([parents, moves.unsqueeze(-1)], -1)
    patterns, which = key.unique(dim=0, return_inverse=True)
    return [
        ((which == g).nonzero().flatten(), tuple(p[:-1].nonzero().flatten().tolist()))
        for g, p in enumerate(patterns)
    ]


def _depths(graphs: Bool[Tensor, "s d d"]) -> Int64[Tensor, "s d"]:
    """Compute the length of the longest directed path into each variable."""
    depth = torch.zeros(graphs.shape[:2], dtype=torch.int64)
    for _ in range(graphs.shape[-1]):
        deeper = ((depth + 1).unsqueeze(-1) * graphs).amax(1)
        if torch.equal(deeper, depth):
            break
        depth = deeper
    return depth


def _stratified(n: int, m: int, generator: torch.Generator) -> Float[Tensor, "n m"]:
    """Draw m uniform numbers, one in each of m equal parts of (0, 1), in random order."""
    order = torch.rand(n, m, dtype=torch.float64, generator=generator).argsort(-1)
    jitter = torch.rand(n, m, dtype=torch.float64, generator=generator)
    return (order + jitter) / m

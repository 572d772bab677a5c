r"""Total effects from linear weights that were drawn together with each graph.

Where cells are missing, a sampler draws graph, weights and cells jointly, and no closed form of the
weights given the graph remains. Each draw then has its own total effects :math:`(I - W)^{-1}`.

How much of their variance is due to the graph? The effect of i on j given the graph depends on the
parents of the variables on directed paths from i to j alone (exactly so for complete cells). Draws
that agree in these parents repeat each other, and the spread among them is the variance given the
graph. A plain variance of group means would count part of it as uncertainty about the graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.graphs import total_effects, transitive_closure
from aetia.results.draws import Draws

__all__ = [
    "DrawnWeights",
    "completed_spreads",
    "drawn_total_effects",
    "parent_numbers",
    "path_keys",
    "share_between_graphs",
]

_MAX_FLOATS = 20_000_000
_FEWEST = 20
"""Draws that an interval given one graph needs."""


@dataclass(frozen=True, eq=False)
class DrawnWeights:
    """Graphs with the weights that were drawn with them, for effects.

    Attributes:
        graphs: DAGs.
        weights: ``weights[s, i, j]`` in units of j per unit of i.
        probability: Posterior weight of each draw; they sum to one.
        mean: Mean of each column, for default contrasts; zero if unknown.
        sd: Standard deviation of each column; NaN if unknown.
    """

    graphs: Bool[Tensor, "s d d"]
    weights: Float[Tensor, "s d d"]
    probability: Float[Tensor, " s"]
    mean: Float[np.ndarray, " d"]
    sd: Float[np.ndarray, " d"]

    @cached_property
    def effects(self) -> Float[Tensor, "s d d"]:
        """Total effect of i on j in each draw."""
        return drawn_total_effects(self.graphs, self.weights)

    @cached_property
    def reached(self) -> Bool[Tensor, "s d d"]:
        """Directed paths of each draw."""
        return transitive_closure(self.graphs)

    @cached_property
    def _parents(self) -> Int64[Tensor, "s d"]:
        return parent_numbers(self.graphs)

    @property
    def is_even(self) -> bool:
        """Whether all draws have the same probability."""
        return bool(torch.allclose(self.probability, self.probability[:1], rtol=1e-9))

    def keys(self, source: int, target: int) -> Int64[Tensor, " s"]:
        """Number the draws by the part of the graph that the effect depends on.

        Args:
            source: Index of the treatment.
            target: Index of the outcome.

        Returns:
            Equal for draws that agree in it.
        """
        return path_keys(self._parents, self.reached, source, target)

    def given(
        self, graph: Bool[Tensor, "d d"], source: int, target: int
    ) -> Float[Tensor, " r"] | None:
        """Find the draws of an effect that hold given one graph.

        Args:
            graph: One of the draws' graphs.
            source: Index of the treatment.
            target: Index of the outcome.

        Returns:
            Effects of all draws that agree with the graph in what the effect depends on; None if
            they are too few for an interval.
        """
        one = graph.unsqueeze(0)
        wanted = path_keys(parent_numbers(one), transitive_closure(one), source, target)
        same = self.keys(source, target) == wanted
        return self.effects[same, source, target] if int(same.sum()) >= _FEWEST else None


def drawn_total_effects(
    graphs: Bool[Tensor, "s d d"], weights: Float[Tensor, "s d d"]
) -> Float[Tensor, "s d d"]:
    """Compute the total effects of each draw.

    Args:
        graphs: DAGs.
        weights: Their weights, zero where there is no edge.

    Returns:
        Effects of i on j; exactly zero where there is no directed path.
    """
    size = max(1, _MAX_FLOATS // graphs.shape[-1] ** 2)
    parts = []
    for dags, drawn in zip(graphs.split(size), weights.split(size), strict=True):
        # The solve may leave rounding errors where there is no path.
        parts.append(torch.where(transitive_closure(dags), total_effects(drawn), 0.0))
    return torch.cat(parts)


def parent_numbers(graphs: Bool[Tensor, "s d d"]) -> Int64[Tensor, "s d"]:
    """Number the parent sets of every variable.

    Args:
        graphs: DAGs.

    Returns:
        Different numbers for different (variable, parent set), zero without parents.
    """
    d = graphs.shape[-1]
    # A random number for each edge: sums of different sets of edges differ, up to 2^-64.
    generator = torch.Generator().manual_seed(0)
    return (graphs * torch.randint(-(2**62), 2**62, (d, d), generator=generator)).sum(1)


def path_keys(
    parents: Int64[Tensor, "s d"], reached: Bool[Tensor, "s d d"], source: int, target: int
) -> Int64[Tensor, " s"]:
    """Number graphs by the parents of all variables on directed paths between two variables.

    Args:
        parents: Each variable's parents as one number, made by :func:`parent_numbers`.
        reached: Directed paths of the same graphs.
        source: First variable, whose own parents do not count.
        target: Last variable.

    Returns:
        Equal where these parents are equal; zero where there is no path.
    """
    ahead = reached[:, :, target].clone()
    ahead[:, target] = True
    return (parents * (reached[:, source] & ahead)).sum(-1)


def share_between_graphs(
    effects: Float[Tensor, " s"], keys: Int64[Tensor, " s"], probability: Float[Tensor, " s"]
) -> float:
    """Estimate the share of the variance of an effect that is due to the graph.

    The variance within groups of equal keys is estimated without bias from groups of two draws or
    more. A draw without equals is taken to vary like the average of the others that have a path.

    Args:
        effects: Draws of the effect.
        keys: Equal numbers where graphs agree about the effect, made by :func:`path_keys`.
        probability: Posterior weight of each draw; they sum to one.

    Returns:
        Between 0 and 1; NaN if the effect does not vary, or no two draws with a path are alike.
    """
    mean = probability @ effects
    even = probability.square().sum()
    total = probability @ (effects - mean).square() / (1.0 - even)
    if not total > 0:
        return float("nan")
    kinds, group = keys.unique(return_inverse=True)
    mass, square, first = (torch.zeros(len(kinds), dtype=torch.float64) for _ in range(3))
    mass.index_add_(0, group, probability)
    square.index_add_(0, group, probability.square())
    first.index_add_(0, group, probability * effects)
    about = (effects - (first / mass)[group]).square()
    spread = torch.zeros_like(mass).index_add_(0, group, probability * about) / mass
    free = 1.0 - square / mass.square()
    repeated, acting = free > 1e-9, kinds != 0
    both = repeated & acting
    if not both.any():
        return float("nan")
    variance = torch.where(repeated, spread / free.clamp_min(1e-9), 0.0)
    alone = mass[~repeated & acting].sum()
    known = mass[both] @ variance[both]
    within = known * (1.0 + alone / mass[both].sum())
    return float((1.0 - within / total).clamp(0.0, 1.0))


def completed_spreads(
    imputed: Draws, free: Bool[np.ndarray, "n d"] | None = None
) -> dict[str, tuple[float, float]]:
    """Compute mean and standard deviation of each column over seen cells and draws of the others.

    Args:
        imputed: Draws of the missing cells of a table.
        free: True where a cell counts; None counts all.

    Returns:
        Both by name, in the user's units.
    """
    free = np.ones(imputed.given.shape, dtype=bool) if free is None else free
    means, sds = imputed.mean, np.nan_to_num(imputed.sd)
    out = {}
    for j, name in enumerate(imputed.names):
        cell, noise = means[free[:, j], j], sds[free[:, j], j]
        mean = float(cell.mean())
        out[name] = (mean, float(np.sqrt(np.mean((cell - mean) ** 2 + noise**2))))
    return out

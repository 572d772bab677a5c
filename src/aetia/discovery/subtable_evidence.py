"""Evidence of a likelihood on the most related columns of a table with too many graphs to sum."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.data import Dataset, scale_columns
from aetia.discovery.candidate_parents import all_others
from aetia.discovery.likelihood_choice import LikelihoodEvidence
from aetia.discovery.score_tables import scale_for, score_tables
from aetia.graphs import (
    Knowledge,
    SparseEdgeRate,
    draw_dags,
    log_linear_extensions,
    order_programme,
)
from aetia.likelihoods import DecomposableLikelihood, on_normal_scores

__all__ = ["SubtableEvidence", "most_related"]

N_COLUMNS = 12
_N_DRAWS = 1_000


def most_related(data: Dataset, n_columns: int = N_COLUMNS) -> Dataset:
    """Choose columns that depend on each other: the strongest pair, then one after the other.

    Args:
        data: A complete table of numbers.
        n_columns: How many.

    Returns:
        The table with these columns only; the whole table where it has no more.
    """
    if data.d <= n_columns:
        return data
    values = torch.from_numpy(on_normal_scores(data).values)
    related = torch.corrcoef(values.mT).abs().nan_to_num(0.0).fill_diagonal_(0.0)
    chosen = [int(related.amax(0).argmax())]
    while len(chosen) < n_columns:
        strength = related[chosen].amax(0)
        strength[chosen] = -1.0
        chosen.append(int(strength.argmax()))
    return data.select([data.names[j] for j in sorted(chosen)])


class SubtableEvidence:
    """Sums over the graphs of a few columns, under the sparse prior and without knowledge.

    Args:
        data: The columns, in the user's units.
        generator: Source of randomness of the draws.
    """

    def __init__(self, data: Dataset, generator: torch.Generator) -> None:
        self.data = data
        self.generator = generator

    def __call__(
        self, likelihood: DecomposableLikelihood, *, with_graphs: bool
    ) -> LikelihoodEvidence:
        """Sum over orders; see :class:`aetia.discovery.likelihood_choice.SumOverGraphs`.

        Args:
            likelihood: The likelihood.
            with_graphs: Whether draws are needed too.

        Returns:
            The log sum, and weighted draws.
        """
        data = self.data
        x = scale_columns(data, likelihood.scaling).values  # pyright: ignore[reportArgumentType]
        scores = likelihood.local_scores(scale_for(likelihood, data, x))
        constraints = Knowledge().constraints(data.names)
        candidates = all_others(data.d)
        tables = score_tables(scores, candidates, data.d - 1, SparseEdgeRate(), constraints)
        programme = order_programme(tables.tables, candidates)
        if not with_graphs:
            return LikelihoodEvidence(programme.log_total, None)
        graphs = draw_dags(programme, _N_DRAWS, self.generator)
        return LikelihoodEvidence(
            programme.log_total, (graphs, _log_weights(log_linear_extensions(graphs)))
        )


def _log_weights(log_orders: Float[Tensor, " s"]) -> Float[Tensor, " s"]:
    return -log_orders - (-log_orders).logsumexp(0)

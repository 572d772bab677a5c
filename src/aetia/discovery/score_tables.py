"""From a table and a likelihood to the numbers that the exact and order samplers work on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from jaxtyping import Float, Int64
from torch import Tensor

from aetia.data import Dataset
from aetia.discovery.noise_scale import warn_of_noise_scale
from aetia.discovery.table import warn_of_binary
from aetia.errors import InputError
from aetia.graphs import (
    STRUCTURE_PRIORS,
    Constraints,
    ModularPrior,
    SparseEdgeRate,
    StructurePrior,
    prior_tables,
)
from aetia.likelihoods import DecomposableLikelihood, LocalScores
from aetia.options import choose

__all__ = ["ScoreTables", "choose_prior", "scale_for", "score_tables"]


class ScoreTables(NamedTuple):
    """Log local scores with the structure prior and knowledge in them."""

    tables: Float[Tensor, "d sets"]
    candidates: Int64[Tensor, "d k"]
    scores: LocalScores
    log_empty: float
    """Log score of the empty graph, which the tables are relative to."""


def choose_prior(prior: Any) -> tuple[StructurePrior, ModularPrior]:
    """Find the structure prior, and the modular one whose terms go into the tables.

    Args:
        prior: A name, options, or an object with ``log_prob``.

    Returns:
        The prior itself, and itself again where it is modular. One that is not weighs the draws
        made under the sparse one.
    """
    chosen = choose("prior", prior, STRUCTURE_PRIORS, needs="log_prob")
    modular = chosen if hasattr(chosen, "parent_count_terms") else SparseEdgeRate()
    return chosen, modular


def scale_for(
    likelihood: DecomposableLikelihood, data: Dataset, x: Float[Tensor, "n d"]
) -> Dataset:
    """Put the scaled numbers into the table, and leave categories as they are.

    Args:
        likelihood: The likelihood that will score it.
        data: The user's table.
        x: Its values in the scale of the likelihood.

    Returns:
        The table that the likelihood binds to.

    Raises:
        InputError: If a column is of a kind that the likelihood cannot score.
    """
    for name, kind in zip(data.names, data.kinds, strict=True):
        if kind not in likelihood.kinds:
            fits = "bdeu" if set(data.kinds) <= {"binary", "categorical"} else "block"
            raise InputError(
                f"likelihood {likelihood.name!r} cannot score the {kind} column {name!r}; it takes "
                f"{', '.join(likelihood.kinds)}. Use likelihood={fits!r} (or 'auto'), or leave the "
                f"column out with exclude=[{name!r}]."
            )
    marks = getattr(likelihood, "regimes", ())
    if "categorical" not in likelihood.kinds:
        measured = data.select([name for name in data.names if name not in marks])
        warn_of_binary(measured, f"likelihood {likelihood.name!r}")
    warn_of_noise_scale(likelihood, data.names, x)
    values = x.numpy().copy()
    for j, kind in enumerate(data.kinds):
        if kind == "categorical" or likelihood.scaling == "none":
            values[:, j] = data.values[:, j]
    return replace(data, values=values)


def score_tables(
    scores: LocalScores,
    candidates: Int64[Tensor, "d k"],
    max_parents: int,
    prior: ModularPrior,
    constraints: Constraints,
) -> ScoreTables:
    """Add structure prior and knowledge to the likelihood's tables.

    Args:
        scores: The likelihood bound to the data.
        candidates: Possible parents of each variable.
        max_parents: Larger sets are impossible.
        prior: Gives the weight of each number of parents.
        constraints: Hard and soft knowledge.

    Returns:
        The sum, minus infinity where a set is impossible.

    Raises:
        InputError: If the likelihood returns tables of another shape, or NaN.
    """
    d, k = candidates.shape
    tables = scores.tables(candidates, max_parents)
    if tables.shape != (d, 1 << k):
        raise InputError(
            f"the likelihood's tables have the shape {tuple(tables.shape)}; {d} variables with "
            f"{k} candidates need ({d}, {1 << k})."
        )
    if tables.isnan().any():
        j = int(tables.isnan().any(-1).nonzero()[0])
        raise InputError(
            f"the likelihood gives NaN for parent sets of column {j} (from 0). Does it vary in "
            "every group of rows that is scored alone, such as a regime? Leave it out, or name "
            "another likelihood ('bge', 'block')."
        )
    total = prior_tables(candidates, prior.parent_count_terms(d), constraints)
    total += tables
    return ScoreTables(total, candidates, scores, float(scores.empty.sum()))

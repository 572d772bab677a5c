"""Tables whose graph is drawn together with something unseen: missing cells, or latent values."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.data import Dataset
from aetia.discovery.likelihood_choice import decomposable
from aetia.discovery.missing import (
    AugmentedPosterior,
    augment,
    copula_posterior,
    gaussian_columns,
)
from aetia.errors import InputError
from aetia.graphs import Constraints
from aetia.likelihoods import BDeu, BGe, BlockBGe, GaussianCopula

__all__ = ["DrawnLikelihood", "draw_with_graph", "drawn_likelihood"]

DrawnLikelihood = BlockBGe | BGe | BDeu | GaussianCopula

_MOST_DISCRETE = 12
"""Up to this many columns the missing cells of discrete tables are drawn under BDeu."""


def drawn_likelihood(method: str, option: Any, data: Dataset) -> DrawnLikelihood | None:
    """Find the likelihood under which the graph is drawn together with what was not seen.

    Args:
        method: Name for messages.
        option: The option ``likelihood``.
        data: The table.

    Returns:
        None where nothing is unseen, so that graphs can be summed.

    Raises:
        InputError: If cells are missing and the likelihood that was asked for cannot draw them.
    """
    copula = isinstance(option, GaussianCopula) or option in ("copula", {"name": "copula"})
    if not copula and not data.has_missing:
        return None
    if data.regime is not None:
        unseen = "latent values" if copula else f"{int((~data.observed).sum())} missing cells"
        raise InputError(
            f"{method} cannot draw {unseen} and find what regimes change at once. Complete the "
            "table first (`aetia impute`), leave `regime` out, or add the regime as a column "
            "that nothing causes (knowledge: roots)."
        )
    if copula:
        return option if isinstance(option, GaussianCopula) else GaussianCopula()
    discrete = set(data.kinds) <= {"binary", "categorical"}
    if option == "auto":
        return BDeu() if discrete and data.d <= _MOST_DISCRETE else BlockBGe()
    chosen = decomposable(method, option)
    if isinstance(chosen, BGe) and chosen.alpha_mu != "auto" and "categorical" not in data.kinds:
        return chosen
    if isinstance(chosen, BlockBGe) or (isinstance(chosen, BDeu) and discrete):
        return chosen
    if isinstance(chosen, BDeu):
        name = next(n for n, k in zip(data.names, data.kinds, strict=True) if k not in chosen.kinds)
        raise InputError(
            f"likelihood 'bdeu' cannot score column {name!r}, whose values are no categories. Use "
            "likelihood='block' (or 'auto')."
        )
    cells = int((~data.observed).sum())
    raise InputError(
        f"{method}: {cells} cells are missing, and they can be drawn together with the graph under "
        f"likelihood='block' (or 'auto', 'bge', 'bdeu', 'copula') only, not {chosen.name!r}. Use "
        "one of these, or complete the table first (`aetia impute`)."
    )


def draw_with_graph(
    likelihood: DrawnLikelihood,
    data: Dataset,
    count_terms: Float[Tensor, " d"],
    constraints: Constraints,
    *,
    generator: torch.Generator,
) -> AugmentedPosterior:
    """Draw graphs together with missing cells or latent values.

    Args:
        likelihood: The likelihood that :func:`drawn_likelihood` found.
        data: The table, in the user's units.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Knowledge over the columns.
        generator: Source of randomness.

    Returns:
        The draws, and whether their chains agree.
    """
    if isinstance(likelihood, GaussianCopula):
        return copula_posterior(
            data, count_terms, constraints, alpha_mu=likelihood.alpha_mu, generator=generator
        )
    if isinstance(likelihood, BDeu):
        size = likelihood.equivalent_sample_size
        return augment(
            data, count_terms, constraints, equivalent_sample_size=size, generator=generator
        )
    if isinstance(likelihood, BlockBGe):
        columns = gaussian_columns(
            data,
            n_columns=likelihood.n_columns,
            ordinal=likelihood.ordinal,
            rank_counts=True,
        )
    else:
        columns = gaussian_columns(data)
    return augment(
        data,
        count_terms,
        constraints,
        columns=columns,
        alpha_mu=float(likelihood.alpha_mu),
        generator=generator,
    )

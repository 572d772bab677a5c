"""From the user's table to what a discovery method computes on, checked once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.data import Dataset, Scaling, as_dataset, scale_columns
from aetia.data.accepts import Accepts
from aetia.errors import DataWarning, InputError
from aetia.graphs import Constraints, Knowledge
from aetia.likelihoods import Moments

__all__ = ["Accepts", "DiscoveryTable", "read_table", "statements_of", "warn_of_binary"]

_MOST_LEVELS = 20
"""Categories with more labels than this may be identifiers."""


@dataclass(frozen=True, eq=False)
class DiscoveryTable:
    """A checked table in the scale of the likelihood.

    Attributes:
        data: The user's table.
        x: Its values, centred and perhaps scaled.
        centre: What was subtracted from each column.
        scale: What each column was divided by.
        intervened: True where a variable was set, or None.
        constraints: Knowledge over the columns; the diagonal is forbidden.
        knowledge: The statements.
    """

    data: Dataset
    x: Float[Tensor, "n d"]
    centre: Float[Tensor, " d"]
    scale: Float[Tensor, " d"]
    intervened: Bool[Tensor, "n d"] | None
    constraints: Constraints
    knowledge: Knowledge

    def moments(self) -> Moments:
        """Summarise the table in the user's units.

        Returns:
            Counts, means and scatter matrices.
        """
        return Moments.of(torch.from_numpy(self.data.values).double(), self.intervened)

    def covariance(self) -> Float[np.ndarray, "d d"]:
        """Compute the covariance of the columns over all rows, in the user's units.

        Returns:
            The covariance matrix.
        """
        return np.atleast_2d(np.cov(self.data.values, rowvar=False))


def read_table(
    X: Any,
    *,
    method: str,
    accepts: Accepts,
    scaling: Scaling,
    intervened: Any = None,
    regime: Any = None,
    knowledge: Knowledge | Mapping[str, Any] | None = None,
) -> DiscoveryTable:
    """Check a table against what a method accepts.

    Args:
        X: Anything ``as_dataset`` reads.
        method: Name for messages.
        accepts: What the method can use.
        scaling: ``"standardise"``, ``"centre"`` or ``"none"``.
        intervened: What was set by intervention: a boolean table, or the name of a column.
        regime: Environment of each row: integers or labels, or the name of a column.
        knowledge: Statements about the graph, or a mapping of them.

    Returns:
        The table, ready to compute on.

    Raises:
        InputError: If the table has something that the method cannot use.
    """
    data = as_dataset(X, intervened=intervened, regime=regime)
    if data.has_missing and not accepts.missing:
        j = int((~data.observed).any(0).argmax())
        count = int((~data.observed[:, j]).sum())
        rows = int((~data.observed).any(1).sum())
        raise InputError(
            f"{method} does not accept missing values: column {data.names[j]!r} has {count} (NaN); "
            f"{rows} of {data.n} rows have some. Drop these rows, or impute them first."
        )
    for name, kind in zip(data.names, data.kinds, strict=True):
        if kind not in accepts.kinds:
            raise InputError(
                f"{method} does not accept the {kind} column {name!r} "
                f"({len(data.levels.get(name, ()))} levels): its likelihoods are Gaussian. "
                f"Leave it out with exclude=[{name!r}], or replace it by numbers that mean "
                "something."
            )
    _refuse_identifiers(data)
    if "categorical" not in accepts.kinds:
        warn_of_binary(data, method)
    if data.regime is not None and not accepts.regimes:
        raise InputError(
            f"{method} has no use for regimes. If they are interventions on known variables, pass "
            "intervened=; otherwise leave `regime` out and add the environment as a column."
        )
    if data.intervened is not None and not accepts.interventions:
        raise InputError(f"{method} does not accept interventional rows.")
    if data.intervened is not None and data.intervened.all(0).any():
        name = data.names[int(data.intervened.all(0).argmax())]
        warnings.warn(
            f"column {name!r} was set by intervention in every row: the data cannot inform about "
            "its causes.",
            DataWarning,
            stacklevel=3,
        )
    statements = statements_of(knowledge)
    constraints = statements.constraints(data.names)
    # No method considers self-loops.
    constraints = constraints._replace(
        forbidden=constraints.forbidden | torch.eye(data.d, dtype=torch.bool)
    )
    scaled = scale_columns(data, scaling)
    return DiscoveryTable(
        data=data,
        x=scaled.values,
        centre=scaled.centre,
        scale=scaled.scale,
        intervened=None if data.intervened is None else torch.from_numpy(data.intervened),
        constraints=constraints,
        knowledge=statements,
    )


def warn_of_binary(data: Dataset, model: str) -> None:
    """Say that a Gaussian model takes two-valued columns as numbers.

    Args:
        data: The table.
        model: Name of the method or likelihood, for the message.
    """
    numbers = [n for n, k in zip(data.names, data.kinds, strict=True) if k == "binary"]
    if numbers:
        warnings.warn(
            f"{model} treats the binary column(s) {', '.join(map(repr, numbers))} as continuous "
            "numbers; edges into them are approximate.",
            DataWarning,
            stacklevel=4,
        )


def _refuse_identifiers(data: Dataset) -> None:
    """A category with nearly as many labels as rows names the rows; it has no causes to learn."""
    for name, labels in data.levels.items():
        if len(labels) > _MOST_LEVELS and 5 * len(labels) > data.n:
            raise InputError(
                f"the categorical column {name!r} has {len(labels)} different values in {data.n} "
                "rows: it names the rows rather than measuring them. Leave it out with "
                f"exclude=[{name!r}]; if it holds numbers, leave it out of categorical=."
            )


def statements_of(knowledge: Knowledge | Mapping[str, Any] | None) -> Knowledge:
    """Read what the user knows.

    Args:
        knowledge: Statements, a mapping of them, or None.

    Returns:
        The statements.

    Raises:
        InputError: If it is neither.
    """
    if knowledge is None:
        return Knowledge()
    if isinstance(knowledge, Knowledge):
        return knowledge
    if isinstance(knowledge, Mapping):
        return Knowledge.from_dict(knowledge)
    raise InputError(
        "knowledge must be a Knowledge or a mapping of its entries, got "
        f"{type(knowledge).__name__}."
    )

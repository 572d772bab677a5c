"""A table from which the mechanism of any variable given any parents is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.errors import InputError
from aetia.likelihoods.mechanisms.additive import fit_additive
from aetia.likelihoods.mechanisms.columns import RegressionColumns, level_columns, smoothing_columns
from aetia.likelihoods.mechanisms.conditional_table import fit_table
from aetia.likelihoods.mechanisms.logistic import fit_logistic
from aetia.likelihoods.mechanisms.protocol import MechanismPosterior
from aetia.likelihoods.mechanisms.root import RootDistribution

__all__ = ["MechanismTable"]


@dataclass(frozen=True, eq=False)
class MechanismTable:
    """A complete table with what mechanisms need to know of it.

    Attributes:
        values: Numbers of continuous and count columns, codes 0, 1, ... of levels.
        n_levels: Number of levels of each column; 0 for numbers.
        intervened: True where a variable was set by intervention: such rows are uninformative
            about its mechanism.
        columns_of: Columns of a continuous parent.
    """

    values: Float[Tensor, "n d"]
    n_levels: tuple[int, ...]
    intervened: Bool[Tensor, "n d"] | None = None
    columns_of: Callable[[Tensor], RegressionColumns] = smoothing_columns

    @cached_property
    def columns(self) -> tuple[RegressionColumns, ...]:
        """Every variable as a parent."""
        return tuple(
            level_columns(column, levels) if levels else self.columns_of(column)
            for column, levels in zip(self.values.unbind(-1), self.n_levels, strict=True)
        )

    def mechanism(self, node: int, parents: tuple[int, ...]) -> MechanismPosterior:
        """Learn the conditional distribution of a variable.

        A continuous variable without parents is its rows; with parents, a sum of smooth functions
        and of levels. A variable with levels is a table of probabilities where all parents have
        levels too and the table has at most one cell for every two rows; otherwise a logistic
        regression.

        Args:
            node: Index of the variable.
            parents: Indices of its parents.

        Returns:
            The posterior of the mechanism.

        Raises:
            InputError: If fewer than two rows are left in which the variable was not set.
        """
        rows = torch.ones(len(self.values), dtype=torch.bool)
        if self.intervened is not None:
            rows = ~self.intervened[:, node]
        own = self.values[rows, node]
        if len(own) < 2:
            raise InputError(
                f"column {node} was set by intervention in all but {len(own)} rows: nothing is "
                "known of its mechanism. Leave it out, or ask for effects that do not pass it."
            )
        levels = self.n_levels[node]
        if levels:
            of_parents = [self.n_levels[i] for i in parents]
            cells = 1
            for count in of_parents:
                cells *= count
            if cells and (not parents or 2 * cells <= len(own)):
                return fit_table(own, levels, self.values[rows][:, list(parents)], of_parents)
        columns = [self.columns[i].of_rows(rows) for i in parents]
        if levels:
            return fit_logistic(own, levels, columns)
        if not parents:
            return RootDistribution(own)
        return fit_additive(own, columns)

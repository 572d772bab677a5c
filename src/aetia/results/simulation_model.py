"""What effects need after fitting when no closed form exists: the table, and how to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.likelihoods.mechanisms import MechanismTable
from aetia.results.simulation import MechanismCache

__all__ = ["SimulationModel"]


@dataclass(frozen=True, eq=False, kw_only=True)
class SimulationModel:
    """The table behind a graph posterior, for effects by simulation.

    Continuous and count columns get additive smooth mechanisms; binary and categorical columns
    tables of probabilities or logistic regressions. See :mod:`aetia.likelihoods.mechanisms`.

    Attributes:
        values: The complete table in the user's units; codes of ``levels`` for categories.
        names: Column names.
        kinds: Kind of each column.
        levels: Labels of the categorical columns, by name.
        intervened: True where a variable was set by intervention, or None.
        likelihood: Name of the likelihood that scored the graphs.
    """

    values: Float[np.ndarray, "n d"]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    intervened: Bool[np.ndarray, "n d"] | None = None
    likelihood: str = "additive"

    @classmethod
    def of(cls, data: Dataset, likelihood: str) -> SimulationModel:
        """Keep what effects need of a table.

        Args:
            data: The complete table, in the user's units.
            likelihood: Name of the likelihood that scored the graphs.

        Returns:
            The model.

        Raises:
            InputError: If values are missing.
        """
        if np.isnan(data.values).any():
            j = int(np.isnan(data.values).any(0).argmax())
            raise InputError(
                f"effects by simulation need a complete table, but column {data.names[j]!r} has "
                f"{int(np.isnan(data.values[:, j]).sum())} missing values. Pass a completed table."
            )
        return cls(
            values=np.asarray(data.values, dtype=np.float64),
            names=data.names,
            kinds=tuple(data.kinds) or ("continuous",) * data.d,
            levels=dict(data.levels),
            intervened=data.intervened,
            likelihood=likelihood,
        )

    @cached_property
    def mechanisms(self) -> MechanismCache:
        """Mechanisms of every (variable, parent set) that effects have asked for so far."""
        values = self.values.copy()
        n_levels = []
        for j in range(len(self.names)):
            support = self.support(j)
            n_levels.append(0 if support is None else len(support))
            if support is not None:
                values[:, j] = np.searchsorted(support, values[:, j])
        set_by = None if self.intervened is None else torch.from_numpy(self.intervened)
        return MechanismCache(MechanismTable(torch.from_numpy(values), tuple(n_levels), set_by))

    def support(self, column: int) -> Float[np.ndarray, " levels"] | None:
        """List the values of a binary or categorical column.

        Args:
            column: Index of the column.

        Returns:
            Codes of all labels, or the (two) values found; None for continuous and counts.
        """
        name, kind = self.names[column], self.kinds[column]
        if name in self.levels:
            return np.arange(len(self.levels[name]), dtype=np.float64)
        if kind in ("binary", "categorical"):
            return np.unique(self.values[:, column])
        return None

    def spread(self, column: int) -> tuple[float, float]:
        """Compute mean and standard deviation of a column where it was not set.

        Args:
            column: Index of the column.

        Returns:
            Both in the user's units.
        """
        values = self.values[:, column]
        if self.intervened is not None and (~self.intervened[:, column]).sum() > 1:
            values = values[~self.intervened[:, column]]
        return float(values.mean()), float(values.std())

    @property
    def options(self) -> dict[str, str]:
        """What the result records about the mechanisms."""
        return {"effects_by": "simulation", "likelihood": self.likelihood}

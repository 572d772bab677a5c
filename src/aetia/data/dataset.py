"""One table, checked once, with its column names: :class:`Dataset`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from aetia.errors import InputError

__all__ = ["Dataset", "Kind"]

Kind = Literal["continuous", "binary", "count", "categorical"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """A numeric table with names and what is known about its rows. No truth inside.

    Attributes:
        values: The numbers; NaN where not observed; codes of ``levels`` for categories.
        names: Column names.
        observed: True where a value was seen.
        intervened: True where a variable was set by intervention, or None.
        regime: Environment of each row, or None.
        kinds: Kind of each column.
        levels: Labels of the categorical columns, by name.
        source: Origin of the table, for reports.
    """

    values: Float[np.ndarray, "n d"]
    names: tuple[str, ...]
    observed: Bool[np.ndarray, "n d"]
    intervened: Bool[np.ndarray, "n d"] | None = None
    regime: Int[np.ndarray, " n"] | None = None
    kinds: tuple[Kind, ...] = ()
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source: str = "array"

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.values.shape[0]

    @property
    def d(self) -> int:
        """Number of columns."""
        return self.values.shape[1]

    @property
    def has_missing(self) -> bool:
        """Whether any value was not observed."""
        return not bool(self.observed.all())

    def column(self, name: str) -> Float[np.ndarray, " n"]:
        """Take one column by name.

        Args:
            name: Column name.

        Returns:
            Its values.

        Raises:
            InputError: If there is no such column.
        """
        if name not in self.names:
            raise InputError(f"no column {name!r}; columns: {', '.join(self.names)}.")
        return self.values[:, self.names.index(name)]

    def select(self, names: Sequence[str]) -> Dataset:
        """Keep some columns, in the given order.

        Args:
            names: Column names.

        Returns:
            A table with these columns.

        Raises:
            InputError: If a name is not a column.
        """
        for name in names:
            self.column(name)
        at = [self.names.index(name) for name in names]
        return replace(
            self,
            values=self.values[:, at],
            names=tuple(names),
            observed=self.observed[:, at],
            intervened=None if self.intervened is None else self.intervened[:, at],
            kinds=tuple(self.kinds[i] for i in at),
            levels={k: v for k, v in self.levels.items() if k in names},
        )

    def summary(self) -> dict[str, list]:
        """Describe every column.

        Returns:
            Lists by field: ``column``, ``kind``, ``observed``, ``mean``, ``sd``, ``min``,
            ``max``, and ``intervened`` rows where there are any.
        """
        with np.errstate(all="ignore"):
            out = {
                "column": list(self.names),
                "kind": list(self.kinds),
                "observed": self.observed.sum(0).tolist(),
                "mean": np.nanmean(self.values, 0).tolist(),
                "sd": np.nanstd(self.values, 0, ddof=1).tolist(),
                "min": np.nanmin(self.values, 0).tolist(),
                "max": np.nanmax(self.values, 0).tolist(),
            }
        if self.intervened is not None:
            out["intervened"] = self.intervened.sum(0).tolist()
        return out

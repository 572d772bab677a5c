"""From the user's table to what the networks see, and back."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.data import Rows
from aetia.errors import DataWarning, InputError

__all__ = ["ColumnScales", "check_binary", "check_table", "check_unit_interval", "scales_of"]

_SMALLEST_TABLE = 10


class ColumnScales(NamedTuple):
    """How columns are scaled: ``model = (user - centre) / scale``, in float64.

    Attributes:
        centre: Means of the seen cells; for binary columns the smaller value.
        scale: Standard deviations of the seen cells; for binary columns the distance of the two
            values, so that they become 0 and 1; 0 for constant columns, which carry nothing.
        is_binary: Columns with two values.
    """

    centre: Float[np.ndarray, " p"]
    scale: Float[np.ndarray, " p"]
    is_binary: Bool[np.ndarray, " p"]

    def to_model(
        self, values: Float[np.ndarray, "n p"], dtype: type[np.floating] = np.float32
    ) -> tuple[Float[Tensor, "n p"], Bool[Tensor, "n p"]]:
        """Scale rows.

        Args:
            values: Rows in the user's units, NaN where missing.
            dtype: Type of the scaled rows.

        Returns:
            Rows with zeros where missing, and True where a value was seen.
        """
        observed = ~np.isnan(values)
        observed &= self.scale > 0  # a constant column has nothing to say
        scaled = np.where(observed, (values - self.centre) / np.where(observed, self.scale, 1), 0.0)
        return torch.from_numpy(scaled.astype(dtype)), torch.from_numpy(observed)

    def to_user(
        self, cells: Float[np.ndarray, "*s k"], columns: np.ndarray
    ) -> Float[np.ndarray, "*s k"]:
        """Undo the scaling of some cells.

        Args:
            cells: Cells in the units of the model.
            columns: The column of each.

        Returns:
            In the user's units, float64.
        """
        return cells.astype(np.float64) * self.scale[columns] + self.centre[columns]

    def log_jacobian(self, observed: Bool[np.ndarray, "n p"]) -> Float[np.ndarray, " n"]:
        """Compute what turns log densities of scaled rows into those of the user's rows.

        Args:
            observed: Cells that count.

        Returns:
            Minus the sum of the log scales of the seen continuous cells of each row.
        """
        counts = ~self.is_binary & (self.scale > 0)
        return -(observed[:, counts] @ np.log(self.scale[counts]))


def check_table(rows: Rows) -> None:
    """Refuse tables that cannot be learned from; warn of columns without information.

    Args:
        rows: The table of a fit.

    Raises:
        InputError: If there are too few rows, or a column was never seen.
    """
    n = len(rows.values)
    if n < _SMALLEST_TABLE:
        raise InputError(
            f"the table has {n} row(s) (n_samples = {n}), found 1 sample or a few; at least "
            f"{_SMALLEST_TABLE} rows are needed to learn how columns vary together."
        )
    seen = ~np.isnan(rows.values)
    for name, column, there in zip(rows.names, rows.values.T, seen.T, strict=True):
        values = column[there]
        if not len(values):
            raise InputError(
                f"column {name!r} has no observed value in {n} rows, so nothing can be said about "
                "it. Drop the column."
            )
        if values.min() == values.max():
            warnings.warn(
                f"column {name!r} is constant ({values[0]:g} in all {len(values)} rows where it "
                "was seen): its missing cells will be given this value. Consider dropping it.",
                DataWarning,
                stacklevel=4,
            )


def check_binary(rows: Rows, scales: ColumnScales) -> None:
    """Refuse values that a binary column did not have in the fit.

    Args:
        rows: New rows.
        scales: Scales of the fit, with columns of 0 and 1 or of two other values.

    Raises:
        InputError: Naming the column.
    """
    for j in np.flatnonzero(scales.is_binary).tolist():
        values = rows.values[~np.isnan(rows.values[:, j]), j]
        known = (scales.centre[j], scales.centre[j] + scales.scale[j])
        strange = values[~np.isin(values, known)]
        if len(strange):
            raise InputError(
                f"column {rows.names[j]!r} had only the values {known[0]:g} and {known[1]:g} in "
                f"the fit, but {len(strange)} row(s) have another, such as {strange[0]:g}. Fit "
                "on rows with all values that occur, or replace it by NaN."
            )


def check_unit_interval(rows: Rows, what: str) -> None:
    """Refuse values that are no probabilities.

    Args:
        rows: Values for a Bernoulli distribution.
        what: What they are, for the message.

    Raises:
        InputError: Naming the first column with such a value.
    """
    values = np.nan_to_num(rows.values, nan=0.5)
    outside = (values < 0) | (values > 1)
    if outside.any():
        j = int(outside.any(0).argmax())
        worst = values[int(outside[:, j].argmax()), j]
        raise InputError(
            f"{what} must lie in [0, 1], but {int(outside.sum())} do not; {rows.names[j]!r} has "
            f"{worst:g}. Divide by the largest possible value (255 for bytes)."
        )


def scales_of(values: Float[np.ndarray, "n p"], *, keep_scale: bool = False) -> ColumnScales:
    """Find binary columns, and the location and spread of the others.

    Args:
        values: The table of a fit.
        keep_scale: Leave every column as it is and call it binary: probabilities and pixels.

    Returns:
        The scales.
    """
    p = values.shape[1]
    if keep_scale:
        return ColumnScales(np.zeros(p), np.ones(p), np.ones(p, dtype=bool))
    centre, scale, binary = np.zeros(p), np.ones(p), np.zeros(p, dtype=bool)
    for j in range(p):
        seen = values[~np.isnan(values[:, j]), j]
        low, high = seen.min(), seen.max()
        if low < high and ((seen == low) | (seen == high)).all():
            centre[j], scale[j], binary[j] = low, high - low, True
            continue
        # The rounding of a large constant is no variation.
        spread = seen.std()
        varies = spread > 8 * np.finfo(np.float64).eps * np.abs(seen).max()
        centre[j], scale[j] = (seen.mean(), spread) if varies else (low, 0.0)
    return ColumnScales(centre, scale, binary)

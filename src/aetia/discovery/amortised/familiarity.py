"""Does a table look like the tasks that a network was trained on?

An amortised method answers any table, also one from another world. A few summaries of the table
are compared with their distribution over simulated training tasks: a Mahalanobis distance for all
of them together, and the range of each. That a table looks familiar does not prove that it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.scm import TaskFamily, TaskStream

__all__ = ["FEATURES", "Familiarity", "table_features"]

FEATURES = (
    "number of rows",
    "number of columns",
    "mean absolute correlation",
    "mean of each column's largest absolute correlation",
    "share of variance in the first component",
    "mean absolute skewness",
    "mean kurtosis",
    "mean absolute correlation with squares",
    "fewest distinct values of a column (20 for more)",
    "share of intervened rows",
)
"""What is compared; the first two by their logarithms."""

_LARGEST_MOMENT = 50.0
_MANY_VALUES = 20


def table_features(
    values: Float[Tensor, "b n d"], intervened: Bool[Tensor, "b n d"]
) -> Float[Tensor, "b f"]:
    """Summarise standardised tables; no summary depends on the order of rows or columns.

    Args:
        values: Standardised tables.
        intervened: True where a variable was set.

    Returns:
        One number for each of :data:`FEATURES`.
    """
    x = values.double()
    b, n, d = x.shape
    off = ~torch.eye(d, dtype=torch.bool, device=x.device)
    correlation = (x.mT @ x / n).abs() * off
    squares = x.square() - 1
    squares = squares / squares.square().mean(1, keepdim=True).sqrt().clamp_min(1e-6)
    curved = (squares.mT @ x / n).abs() * off
    pairs = max(d * (d - 1), 1)
    eigenvalues = torch.linalg.eigvalsh(x.mT @ x / n)
    # Rounding to a few dozen values is harmless; two or three values are another kind of column.
    distinct = 1 + (x.sort(1).values.diff(dim=1) > 0).sum(1)
    fewest = distinct.amin(-1).clamp_max(_MANY_VALUES).double() / _MANY_VALUES
    kurtosis = x.pow(4).mean(1).clamp_max(_LARGEST_MOMENT)
    skewness = x.pow(3).mean(1).abs().clamp_max(_LARGEST_MOMENT)
    ones = x.new_ones(b)
    return torch.stack(
        [
            ones * np.log(n),
            ones * np.log(d),
            correlation.sum((1, 2)) / pairs,
            correlation.amax(-1).mean(-1),
            eigenvalues[:, -1] / d,
            skewness.mean(-1),
            kurtosis.log1p().mean(-1),
            curved.sum((1, 2)) / pairs,
            fewest,
            intervened.any(-1).double().mean(-1),
        ],
        -1,
    )


@dataclass(frozen=True, eq=False)
class Familiarity:
    """The distribution of the summaries over training tasks.

    Attributes:
        low: 0.5 % quantile of each.
        high: 99.5 % quantile of each.
        mean: Mean of each.
        precision: Inverse covariance.
        quantiles: 50, 90, 95, 99 % quantiles of the distance of training tasks.
    """

    low: Float[np.ndarray, " f"]
    high: Float[np.ndarray, " f"]
    mean: Float[np.ndarray, " f"]
    precision: Float[np.ndarray, "f f"]
    quantiles: Float[np.ndarray, " q"]

    @classmethod
    def of(cls, family: TaskFamily, *, n_batches: int = 128, seed: int = 0) -> Familiarity:
        """Measure the summaries on fresh tasks of a training family.

        Args:
            family: The family.
            n_batches: Batches of 8 tasks.
            seed: Seed of the tasks.

        Returns:
            Their distribution; quantiles of the distance come from the other half of the tasks.
        """
        stream = TaskStream(family=family, seed=seed, batch_size=8, split="val")
        rows = []
        for k in range(n_batches):
            (tasks,) = stream.block(k)
            rows.append(table_features(tasks.standardised(), tasks.intervened).numpy())
        fitted, held_out = np.concatenate(rows[::2]), np.concatenate(rows[1::2])
        every = np.concatenate([fitted, held_out])
        mean = fitted.mean(0)
        covariance = np.cov(fitted, rowvar=False)
        # A summary that never varied (one d, no interventions) still has a scale: a hundredth.
        covariance = covariance + np.diag(np.full(len(mean), 1e-4))
        precision = np.linalg.inv(covariance)
        measured = cls(
            np.quantile(every, 0.005, 0), np.quantile(every, 0.995, 0), mean, precision, np.zeros(4)
        )
        distances = [measured.distance(row) for row in held_out]
        return cls(
            measured.low,
            measured.high,
            mean,
            precision,
            np.quantile(distances, [0.5, 0.9, 0.95, 0.99]),
        )

    def distance(self, features: Float[np.ndarray, " f"]) -> float:
        """Compute the Mahalanobis distance from the training tasks.

        Args:
            features: Summaries of a table, from :func:`table_features`.

        Returns:
            At least 0.
        """
        gap = features - self.mean
        return float(np.sqrt(max(gap @ self.precision @ gap, 0.0)))

    def judge(self, features: Float[np.ndarray, " f"]) -> tuple[float, str | None]:
        """Judge a table.

        Args:
            features: Summaries of the table, from :func:`table_features`.

        Returns:
            Its distance over the 99 % quantile of training tasks; and a sentence about what is
            unusual, or None if the ratio is at most 1.
        """
        ratio = self.distance(features) / float(self.quantiles[-1])
        if ratio <= 1:
            return ratio, None
        outside = []
        for k, name in enumerate(FEATURES):
            value, low, high = float(features[k]), float(self.low[k]), float(self.high[k])
            if not low - 1e-6 <= value <= high + 1e-6:
                shown = [math.exp(v) if k < 2 else v for v in (value, low, high)]
                if name.startswith("fewest"):
                    shown = [_MANY_VALUES * v for v in shown]
                one, two, three = (f"{float(f'{v:.3g}'):,g}" for v in shown)
                outside.append(f"{name} is {one} (training: {two} to {three})")
        reason = "; ".join(outside) or "its summaries are unusual together, none alone"
        return ratio, reason

    def to_dict(self) -> dict[str, Any]:
        """List the numbers, for a model card.

        Returns:
            Plain lists.
        """
        return {
            "features": list(FEATURES),
            **{k: np.asarray(v).tolist() for k, v in vars(self).items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Familiarity:
        """Read what :meth:`to_dict` wrote.

        Args:
            values: Plain lists.

        Returns:
            The distribution.
        """
        names = ("low", "high", "mean", "precision", "quantiles")
        return cls(*(np.array(values[k], dtype=float) for k in names))

"""Toy distributions that hand out batches; seeds stay inside (the original sets a global one)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp
from scipy.stats import norm

from aetia.errors import InputError

__all__ = ["GMM_indep_sampler", "Gaussian_sampler", "Swiss_roll_sampler"]

_SEED = 1024
_ROWS_AT_ONCE = 500

Matrix = Float[np.ndarray, "n p"]


class Gaussian_sampler:  # noqa: N801
    """Independent normal columns.

    Args:
        mean: Mean of every column; its length is the number of columns.
        sd: Standard deviation that all columns have.
        N: Rows that are drawn in advance.

    Attributes:
        X: These rows, float32.
    """

    def __init__(self, mean: Any, sd: float = 1, N: int = 20000) -> None:
        self.mean, self.sd, self.total_size = mean, sd, N
        self._rng = np.random.RandomState(_SEED)
        self.X = self._rng.normal(mean, sd, (N, len(mean))).astype(np.float32)

    def train(self, batch_size: int, label: bool = False) -> Matrix:
        """Take some of the rows that were drawn in advance.

        Args:
            batch_size: How many.
            label: Has no effect, as in the original.

        Returns:
            Rows.
        """
        del label
        return self.X[self._rng.randint(0, self.total_size, batch_size)]

    def get_batch(self, batch_size: int) -> Matrix:
        """Draw new rows.

        Args:
            batch_size: How many.

        Returns:
            Rows.
        """
        size = (batch_size, len(self.mean))
        return self._rng.normal(self.mean, self.sd, size).astype(np.float32)

    def load_all(self) -> Matrix:
        """Take all rows that were drawn in advance.

        Returns:
            Rows.
        """
        return self.X


class _Split:
    """Rows in three parts: nine tenths of nine tenths to train with, then to validate and test."""

    X: Matrix

    def _split(self) -> None:
        n_test = int(0.1 * len(self.X))
        rest = self.X[: len(self.X) - n_test]
        n_validate = int(0.1 * len(rest))
        self.X_train = rest[: len(rest) - n_validate]
        self.X_val = rest[len(rest) - n_validate :]
        self.X_test = self.X[len(self.X) - n_test :]
        self.nb_train = len(self.X_train)
        self.Y = None

    def load_all(self) -> tuple[Matrix, None]:
        """Take all rows.

        Returns:
            Rows, and None in place of labels.
        """
        return self.X, None


class GMM_indep_sampler(_Split):  # noqa: N801
    """Columns that are independent mixtures of normals with evenly spaced centres.

    Args:
        N: Rows.
        sd: Standard deviation of every component.
        dim: Columns.
        n_components: Components of every column.
        weights: Probabilities of the components; None for equal ones. (The original ignores them.)
        bound: Centres lie in ``[-bound, bound]``.

    Attributes:
        X: The rows.
        centers: Means of the components.
    """

    def __init__(
        self,
        N: int,
        sd: float,
        dim: int,
        n_components: int,
        weights: Any = None,
        bound: float = 1,
    ) -> None:
        self.total_size, self.sd, self.dim = N, sd, dim
        self.n_components, self.bound = n_components, bound
        equal = np.full(n_components, 1 / n_components)
        self.weights = equal if weights is None else np.asarray(weights, np.float64)
        if self.weights.shape != (n_components,) or abs(self.weights.sum() - 1) > 1e-8:
            raise InputError(f"weights must be {n_components} numbers that sum to 1.")
        self.centers = np.linspace(-bound, bound, n_components)
        self._rng = np.random.RandomState(_SEED)
        columns = []
        for _ in range(dim):
            which = self._rng.choice(n_components, size=N, replace=True, p=self.weights)
            columns.append(self._rng.normal(self.centers[which], sd))
        self.X = np.column_stack(columns)
        self._split()

    def train(self, batch_size: int) -> Matrix:
        """Take some rows of the training part.

        Args:
            batch_size: How many.

        Returns:
            Rows.
        """
        return self.X_train[self._rng.randint(0, self.nb_train, batch_size)]

    def get_density(self, data: Matrix) -> Float[np.ndarray, " n"]:
        """Evaluate the density.

        Args:
            data: Points.

        Returns:
            One number for each.
        """
        data = np.asarray(data, np.float64)
        if data.ndim != 2 or data.shape[1] != self.dim:
            raise InputError(f"points must have {self.dim} columns, got shape {data.shape}.")
        logs = norm.logpdf(data[..., None], self.centers, self.sd)
        of_columns: Any = logsumexp(logs, axis=-1, b=self.weights)
        return np.exp(of_columns.sum(1))


class Swiss_roll_sampler(_Split):  # noqa: N801
    """Points along a spiral.

    Args:
        N: Rows.
        theta: Largest radius.
        scale: Angle for each unit of radius.
        sigma: Standard deviation of the noise.

    Attributes:
        X: The rows.
        X_center: The spiral without noise ``(2, N)``.
    """

    def __init__(
        self, N: int, theta: float = 2 * np.pi, scale: float = 2, sigma: float = 0.4
    ) -> None:
        self.total_size, self.theta, self.scale, self.sigma = N, theta, scale, sigma
        self._rng = np.random.RandomState(_SEED)
        r = np.linspace(0, theta, N)
        self.X_center = np.stack([r * np.sin(scale * r), r * np.cos(scale * r)])
        self.X = self.X_center.T + self._rng.normal(0, sigma, size=(N, 2))
        self._rng.shuffle(self.X)
        self.mean, self.sd = 0, 0
        self._split()

    def train(self, batch_size: int, label: bool = False) -> Matrix:
        """Take some rows.

        Args:
            batch_size: How many.
            label: Has no effect, as in the original.

        Returns:
            Rows.
        """
        del label
        return self.X[self._rng.randint(0, self.total_size, batch_size)]

    def get_density(self, x_points: Matrix) -> Float[np.ndarray, " n"]:
        """Evaluate the density, averaging the noise around all points of the spiral.

        The original divides by sigma where the density of the plane has its square.

        Args:
            x_points: Points.

        Returns:
            One number for each.
        """
        points = np.asarray(x_points, np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise InputError(f"points must have 2 columns, got shape {points.shape}.")
        parts = []
        for i in range(0, len(points), _ROWS_AT_ONCE):
            gaps = points[i : i + _ROWS_AT_ONCE, :, None] - self.X_center
            near = np.exp(-(gaps**2).sum(1) / (2 * self.sigma**2))
            parts.append(near.mean(1) / (2 * np.pi * self.sigma**2))
        return np.concatenate(parts) if parts else np.zeros(0)

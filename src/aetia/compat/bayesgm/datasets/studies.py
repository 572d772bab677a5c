"""The studies of CausalBGM's paper: the original samplers' numbers for the same seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from aetia.compat.bayesgm.datasets.batches import Base_sampler
from aetia.data import read_acic2018, read_twins
from aetia.errors import InputError
from aetia.scm.effect_designs import HiranoImbens, Sun

__all__ = [
    "Semi_Twins_sampler",
    "Semi_acic_sampler",
    "Sim_Colangelo_sampler",
    "Sim_Hirano_Imbens_sampler",
    "Sim_Sun_sampler",
]


class _Simulated(Base_sampler):
    """A study of a design."""

    def __init__(self, design: Any, batch_size: int, N: int, v_dim: int, seed: int) -> None:
        least = max(design.smallest, 1)
        if N < 2 or v_dim < least:
            raise InputError(f"{design.name!r} needs N of at least 2 and v_dim of {least}.")
        units = design.draw(N, v_dim, np.random.RandomState(seed), lambda causes: causes)
        super().__init__(units.treatment, units.outcome, units.covariates, batch_size, True)


class Sim_Hirano_Imbens_sampler(_Simulated):  # noqa: N801
    """After Hirano & Imbens (2004).

    Args:
        batch_size: Units of a batch.
        N: Units.
        v_dim: Covariates.
        seed: Seed of the study that is simulated.
    """

    def __init__(
        self, batch_size: int = 32, N: int = 20000, v_dim: int = 200, seed: int = 0
    ) -> None:
        super().__init__(HiranoImbens(), batch_size, N, v_dim, seed)


class Sim_Sun_sampler(_Simulated):  # noqa: N801
    """After Sun, Lin & Zhu (2015).

    Args:
        batch_size: Units of a batch.
        N: Units.
        v_dim: Covariates.
        seed: Seed of the study that is simulated.
    """

    def __init__(
        self, batch_size: int = 32, N: int = 20000, v_dim: int = 200, seed: int = 0
    ) -> None:
        super().__init__(Sun(), batch_size, N, v_dim, seed)


class Sim_Colangelo_sampler(Base_sampler):  # noqa: N801
    """After Colangelo & Lee (2020).

    Args:
        batch_size: Units of a batch.
        N: Units.
        v_dim: Covariates.
        seed: Seed of the study that is simulated.
        rho: Value beside the diagonal of the covariates' covariance, whose diagonal is 1.
        offset: Positions of the three diagonals that hold rho, 1 and rho.
        d: Scale of the treatment's mean.
        a: Slope of the treatment's mean.
        b: Standard deviation of the treatment.
    """

    def __init__(
        self,
        batch_size: int = 32,
        N: int = 20000,
        v_dim: int = 100,
        seed: int = 0,
        rho: float = 0.5,
        offset: Any = (-1, 0, 1),
        d: float = 1,
        a: float = 3,
        b: float = 0.75,
    ) -> None:
        if N < 2 or v_dim < 1:
            raise InputError("Sim_Colangelo_sampler needs N of at least 2 and v_dim of 1.")
        rng = np.random.RandomState(seed)
        covariance = _diagonals(rho, v_dim, offset)
        theta = 1.0 / np.arange(1, v_dim + 1) ** 2
        noise, spread = rng.normal(0, 1, N), rng.normal(0, 1, N)
        v = rng.multivariate_normal(np.zeros(v_dim), covariance, size=N)
        x = d * norm.cdf(a * v @ theta) + b * spread - 0.5
        y = 1.2 * x + x**3 + x * v[:, 0] + 1.2 * (v @ theta) + noise
        super().__init__(x, y, v, batch_size, True)


def _diagonals(rho: float, size: int, offset: Any) -> Float[np.ndarray, "p p"]:
    """Lay rho, 1 and rho on three diagonals."""
    try:
        low, middle, high = (int(k) for k in offset)
    except (TypeError, ValueError) as error:
        raise InputError(f"offset must be three integers, got {offset!r}.") from error
    covariance = np.zeros((size, size))
    for at, value in ((low, rho), (middle, 1.0), (high, rho)):
        covariance += value * np.eye(size, k=at)
    if not np.allclose(covariance, covariance.T) or np.linalg.eigvalsh(covariance)[0] < -1e-8:
        raise InputError(
            f"rho={rho!r} on the diagonals {list(offset)!r} is no covariance of {size} columns."
        )
    return covariance


class Semi_Twins_sampler(Base_sampler):  # noqa: N801
    """Twins with a simulated outcome, from files.

    Args:
        batch_size: Units of a batch.
        seed: Seed of the outcome, which is simulated.
        path: Folder with the files ``twin_pairs_X_3years_samesex.csv`` and the same with T.

    Attributes:
        auxiliary_constant: Mean of what the covariates add to the outcome.
    """

    def __init__(
        self, batch_size: int = 32, seed: int = 0, path: str | Path = "../data/Twins"
    ) -> None:
        study = read_twins(path, random_state=np.random.RandomState(seed))  # pyright: ignore
        super().__init__(study.treatment, study.outcome, study.covariates, batch_size, True)
        # At a dose of zero the curve is -2 sigmoid(0) = -1.
        at_zero = study.truth.population_means(np.zeros(1))
        self.auxiliary_constant = float(at_zero[0] + 1.0)


class Semi_acic_sampler(Base_sampler):  # noqa: N801
    """A setting of ACIC 2018, from files.

    Args:
        batch_size: Units of a batch.
        path: Folder with ``x.csv``, ``scaling/factuals`` and ``scaling/counterfactuals``.
        ufid: Name of the setting.

    Attributes:
        truth: Potential outcomes.
    """

    def __init__(
        self,
        batch_size: int = 32,
        path: str | Path = "../data/ACIC_2018",
        ufid: str = "d5bd8e4814904c58a79d7cdcd7c2a1bb",
    ) -> None:
        study = read_acic2018(path, ufid)
        self.truth = study.truth
        super().__init__(study.treatment, study.outcome, study.covariates, batch_size, True)

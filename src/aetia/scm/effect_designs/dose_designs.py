r"""Designs with a continuous treatment, as CausalBGM's paper uses them.

Covariates beyond those in the equations are noise. Draws follow the order of the original
samplers, so that a ``RandomState`` with their seed gives their numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from aetia.scm.effect_designs.protocol import Assignment, Rng, Units

__all__ = ["Colangelo", "HiranoImbens", "Sun"]

Doses = Float[np.ndarray, " k"]
Causes = Float[np.ndarray, "n q"]


@dataclass(frozen=True)
class HiranoImbens:
    r"""After Hirano & Imbens (2004): :math:`t \sim Exp(v_1 + v_2)`, a dip that depends on c.

    .. math:: y \sim N(t + c e^{-tc}, 1), \quad c = v_1 + v_3, \quad v_j \sim Exp(1), \quad
              E[Y(t)] = t + 2 / (1 + t)^3
    """

    name: ClassVar[str] = "hirano-imbens"
    smallest: ClassVar[int] = 3

    def default_size(self) -> tuple[int, int]:
        """Tell the usual size.

        Returns:
            20,000 units, 200 covariates.
        """
        return 20_000, 200

    def draw(self, n: int, p: int, rng: Rng, assign: Assignment) -> Units:
        """Draw units.

        Args:
            n: Units.
            p: Covariates.
            rng: Source of randomness.
            assign: What the treatment sees.

        Returns:
            The units; the covariates are the causes.
        """
        v = rng.exponential(scale=1.0, size=(n, p))
        seen = assign(v)
        t = rng.exponential(scale=1 / (seen[:, 0] + seen[:, 1]))
        c = v[:, 0] + v[:, 2]
        return Units(v, v, t, rng.normal(t + c * np.exp(-t * c), 1.0))

    def unit_means(self, causes: Causes, doses: Doses) -> Float[np.ndarray, "n k"]:
        """Evaluate every unit's curve.

        Args:
            causes: The covariates.
            doses: Levels.

        Returns:
            Means.
        """
        c = (causes[:, 0] + causes[:, 2])[:, None]
        return doses + c * np.exp(-doses * c)

    def population_means(self, doses: Doses) -> Doses:
        """Evaluate the dose response in closed form.

        Args:
            doses: Levels.

        Returns:
            Means.
        """
        return doses + 2 / (1 + doses) ** 3


@dataclass(frozen=True)
class Sun:
    r"""After Sun, Lin & Zhu (2015): everything shifts, and the effect has slope 1.

    .. math:: t \sim N(-2 \sin 2 v_1 + v_2^2 - 1/3 + v_3 - 1/2 + \cos v_4, 1), \quad
              y \sim N(v_1 - 1/2 + \cos v_2 + v_5^2 + v_6 + t, 1), \quad v_j \sim N(0, 1)
    """

    name: ClassVar[str] = "sun"
    smallest: ClassVar[int] = 6

    def default_size(self) -> tuple[int, int]:
        """Tell the usual size.

        Returns:
            5,000 units, 200 covariates.
        """
        return 5_000, 200

    def draw(self, n: int, p: int, rng: Rng, assign: Assignment) -> Units:
        """Draw units.

        Args:
            n: Units.
            p: Covariates.
            rng: Source of randomness.
            assign: What the treatment sees.

        Returns:
            The units; the covariates are the causes.
        """
        v = rng.normal(0.0, 1.0, size=(n, p))
        s = assign(v)
        centre = -2 * np.sin(2 * s[:, 0]) + s[:, 1] ** 2 - 1 / 3 + s[:, 2] - 0.5 + np.cos(s[:, 3])
        t = rng.normal(centre, 1.0)
        return Units(v, v, t, rng.normal(self._shift(v) + t, 1.0))

    def _shift(self, v: Causes) -> Float[np.ndarray, " n"]:
        return v[:, 0] - 0.5 + np.cos(v[:, 1]) + v[:, 4] ** 2 + v[:, 5]

    def unit_means(self, causes: Causes, doses: Doses) -> Float[np.ndarray, "n k"]:
        """Evaluate every unit's line.

        Args:
            causes: The covariates.
            doses: Levels.

        Returns:
            Means.
        """
        return self._shift(causes)[:, None] + doses

    def population_means(self, doses: Doses) -> Doses:
        """Evaluate the dose response in closed form.

        Args:
            doses: Levels.

        Returns:
            Means.
        """
        return doses + 0.5 + math.exp(-0.5)


@dataclass(frozen=True)
class Colangelo:
    r"""After Colangelo & Lee (2020): a cubic response, correlated covariates.

    .. math:: t = \Phi(3 v'\theta) + 0.75 \nu - 1/2, \quad
              y = 1.2 t + t^3 + t v_1 + 1.2 v'\theta + \epsilon, \quad \theta_l = l^{-2}

    with :math:`v \sim N(0, \Sigma)`, 1 on the diagonal of Sigma and ``rho`` beside it.

    Attributes:
        rho: See above.
    """

    name: ClassVar[str] = "colangelo"
    smallest: ClassVar[int] = 1
    rho: float = 0.5

    def default_size(self) -> tuple[int, int]:
        """Tell the usual size.

        Returns:
            10,000 units, 100 covariates.
        """
        return 10_000, 100

    def draw(self, n: int, p: int, rng: Rng, assign: Assignment) -> Units:
        """Draw units.

        Args:
            n: Units.
            p: Covariates.
            rng: Source of randomness.
            assign: What the treatment sees.

        Returns:
            The units; the covariates are the causes.
        """
        beside = np.eye(p, k=1) + np.eye(p, k=-1)
        epsilon, nu = rng.normal(0.0, 1.0, n), rng.normal(0.0, 1.0, n)
        v = rng.multivariate_normal(np.zeros(p), np.eye(p) + self.rho * beside, size=n)
        t = ndtr(3 * self._index(assign(v))) + 0.75 * nu - 0.5
        mean = 1.2 * t + t**3 + t * v[:, 0] + 1.2 * self._index(v)
        return Units(v, v, t, mean + epsilon)

    def _index(self, v: Causes) -> Float[np.ndarray, " n"]:
        return v @ (1.0 / np.arange(1, v.shape[1] + 1) ** 2)

    def unit_means(self, causes: Causes, doses: Doses) -> Float[np.ndarray, "n k"]:
        """Evaluate every unit's curve.

        Args:
            causes: The covariates.
            doses: Levels.

        Returns:
            Means.
        """
        own = doses * causes[:, :1] + 1.2 * self._index(causes)[:, None]
        return own + self.population_means(doses)

    def population_means(self, doses: Doses) -> Doses:
        """Evaluate the dose response in closed form.

        Args:
            doses: Levels.

        Returns:
            Means.
        """
        return 1.2 * doses + doses**3

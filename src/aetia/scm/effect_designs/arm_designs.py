r"""Designs with a binary treatment: Y = m(v) + tau(v) t + noise.

Each knows the mean of an untreated unit and the effect of treatment; their population averages
come from a large simulation with a seed of its own unless a formula is at hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float
from scipy.special import expit, ndtr

from aetia.options import check_literals, check_positive
from aetia.scm.effect_designs.protocol import Assignment, Rng, Units

__all__ = ["BinaryLatent", "Hahn", "NieWager"]

Doses = Float[np.ndarray, " k"]
Causes = Float[np.ndarray, "n q"]
Column = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class BinaryLatent:
    r"""Eight latent factors z, of which two confound; covariates are a curved view of them.

    .. math:: v = \tanh(1.5 z A) + z B + 0.3 \epsilon, \quad P(t = 1) = \sigma(z_0 + z_2 / 2)

    .. math:: Y(0) = z_0 + z_1^2 / 2, \quad \tau = 1 + \max(z_0, 0) + \sin(z_1) / 2, \quad
              \text{noise } N(0, 1/4), \quad ATE = 1 + 1 / \sqrt{2 \pi}
    """

    name: ClassVar[str] = "binary-latent"
    smallest: ClassVar[int] = 1

    def default_size(self) -> tuple[int, int]:
        """Tell the usual size.

        Returns:
            5,000 units, 50 covariates.
        """
        return 5_000, 50

    def draw(self, n: int, p: int, rng: Rng, assign: Assignment) -> Units:
        """Draw the view (A and B, standard normal over the root of 8) and the units.

        Args:
            n: Units.
            p: Covariates.
            rng: Source of randomness.
            assign: What the treatment sees.

        Returns:
            The units; the factors are the causes.
        """
        a, b = rng.normal(size=(2, 8, p)) / math.sqrt(8)
        z = rng.normal(size=(n, 8))
        v = np.tanh(1.5 * z @ a) + z @ b + 0.3 * rng.normal(size=(n, p))
        seen = assign(z)
        propensity = expit(seen[:, 0] + 0.5 * seen[:, 2])
        t = rng.random_sample(n) if isinstance(rng, np.random.RandomState) else rng.random(n)
        t = (t < propensity).astype(np.float64)
        y = self.untreated(z) + t * self.effect(z) + rng.normal(0.0, 0.5, n)
        return Units(z, v, t, y, propensity)

    def untreated(self, z: Causes) -> Column:
        """Compute E[Y(0)].

        Args:
            z: Factors.

        Returns:
            One mean for each unit.
        """
        return z[:, 0] + 0.5 * z[:, 1] ** 2

    def effect(self, z: Causes) -> Column:
        """Compute the effect of treatment.

        Args:
            z: Factors.

        Returns:
            One effect for each unit.
        """
        return 1 + np.maximum(z[:, 0], 0) + 0.5 * np.sin(z[:, 1])

    def unit_means(self, causes: Causes, doses: Doses) -> Float[np.ndarray, "n k"]:
        """Evaluate both arms.

        Args:
            causes: Factors.
            doses: 0 and 1.

        Returns:
            Means.
        """
        return self.untreated(causes)[:, None] + doses * self.effect(causes)[:, None]

    def population_means(self, doses: Doses) -> Doses:
        """Evaluate the population's means in closed form.

        Args:
            doses: 0 and 1.

        Returns:
            Means.
        """
        return 0.5 + doses * (1 + 1 / math.sqrt(2 * math.pi))


@dataclass(frozen=True)
class Hahn:
    r"""Hahn, Murray & Carvalho (2020, section 6.1): treatment follows the expected outcome.

    .. math:: \pi = 0.8 \Phi(3 \mu / s - v_1 / 2) + 0.05 + u / 10, \quad u \sim U(0, 1)

    with s the standard deviation of mu, v1 to v3 normal, v4 binary, v5 of three levels; g(v5) is
    2, -1 or -4. Covariates beyond five are noise.

    Attributes:
        prognosis: ``"linear"``: mu = 1 + g + v1 v3; ``"nonlinear"``: -6 + g + 6 |v3 - 1|.
        effects: ``"homogeneous"``: 3; ``"heterogeneous"``: 1 + 2 v2 v4.
    """

    prognosis: Literal["linear", "nonlinear"] = "linear"
    effects: Literal["homogeneous", "heterogeneous"] = "heterogeneous"
    name: ClassVar[str] = "hahn"
    smallest: ClassVar[int] = 5

    def __post_init__(self) -> None:
        check_literals(self)

    def default_size(self) -> tuple[int, int]:
        """Tell the usual size.

        Returns:
            500 units, 5 covariates.
        """
        return 500, 5

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
        v = rng.normal(size=(n, p))
        v[:, 3] = rng.binomial(1, 0.5, n)
        v[:, 4] = rng.choice([1.0, 2.0, 3.0], n)
        seen = assign(v)
        mu = self.untreated(seen)
        propensity = 0.8 * ndtr(3 * mu / mu.std() - 0.5 * seen[:, 0]) + 0.05
        propensity = propensity + rng.uniform(size=n) / 10
        t = (rng.uniform(size=n) < propensity).astype(np.float64)
        y = self.untreated(v) + t * self.effect(v) + rng.normal(size=n)
        return Units(v, v, t, y, propensity)

    def untreated(self, v: Causes) -> Column:
        """Compute E[Y(0)].

        Args:
            v: Covariates.

        Returns:
            One mean for each unit.
        """
        g = np.array([2.0, -1.0, -4.0])[v[:, 4].astype(int) - 1]
        if self.prognosis == "linear":
            return 1 + g + v[:, 0] * v[:, 2]
        return -6 + g + 6 * np.abs(v[:, 2] - 1)

    def effect(self, v: Causes) -> Column:
        """Compute the effect of treatment.

        Args:
            v: Covariates.

        Returns:
            One effect for each unit.
        """
        if self.effects == "homogeneous":
            return np.full(len(v), 3.0)
        return 1 + 2 * v[:, 1] * v[:, 3]

    def unit_means(self, causes: Causes, doses: Doses) -> Float[np.ndarray, "n k"]:
        """Evaluate both arms.

        Args:
            causes: Covariates.
            doses: 0 and 1.

        Returns:
            Means.
        """
        return self.untreated(causes)[:, None] + doses * self.effect(causes)[:, None]

    def population_means(self, doses: Doses) -> Doses:
        """Evaluate the population's means in closed form.

        Args:
            doses: 0 and 1.

        Returns:
            Means.
        """
        # E|v3 - 1| of a standard normal v3: sqrt(2 / pi) exp(-1/2) + 1 - 2 Phi(-1).
        hinged = math.sqrt(2 / math.pi) * math.exp(-0.5) + 1 - 2 * float(ndtr(-1.0))
        low = 0.0 if self.prognosis == "linear" else -7 + 6 * hinged
        return low + doses * (3.0 if self.effects == "homogeneous" else 1.0)


@dataclass(frozen=True)
class NieWager:
    r"""Nie & Wager (2021, section 4): Y = b(v) + (t - 1/2) tau(v) + sigma noise.

    Attributes:
        setup: ``"A"``: hard nuisances and an easy effect; ``"B"``: a randomised trial; ``"C"``:
            an easy propensity, a hard baseline and a constant effect; ``"D"``: unrelated arms.
        noise_std: Sigma.
    """

    setup: Literal["A", "B", "C", "D"] = "A"
    noise_std: float = 1.0
    name: ClassVar[str] = "nie-wager"
    smallest: ClassVar[int] = 5

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "noise_std")

    def default_size(self) -> tuple[int, int]:
        """Tell the usual size.

        Returns:
            500 units, 6 covariates.
        """
        return 500, 6

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
        v = rng.uniform(size=(n, p)) if self.setup == "A" else rng.normal(size=(n, p))
        propensity = self.propensity(assign(v))
        t = (rng.uniform(size=n) < propensity).astype(np.float64)
        y = self.untreated(v) + t * self.effect(v) + self.noise_std * rng.normal(size=n)
        return Units(v, v, t, y, propensity)

    def propensity(self, v: Causes) -> Column:
        """Compute the probability of treatment.

        Args:
            v: Covariates.

        Returns:
            One probability for each unit.
        """
        if self.setup == "A":
            return np.clip(np.sin(np.pi * v[:, 0] * v[:, 1]), 0.1, 0.9)
        if self.setup == "B":
            return np.full(len(v), 0.5)
        if self.setup == "C":
            return expit(-(v[:, 1] + v[:, 2]))
        return 1 / (1 + np.exp(-v[:, 0]) + np.exp(-v[:, 1]))

    def untreated(self, v: Causes) -> Column:
        """Compute E[Y(0)], the baseline b minus half the effect.

        Args:
            v: Covariates.

        Returns:
            One mean for each unit.
        """
        one, two, three, four, five = v[:, :5].T
        if self.setup == "A":
            b = np.sin(np.pi * one * two) + 2 * (three - 0.5) ** 2 + four + 0.5 * five
        elif self.setup == "B":
            b = np.maximum.reduce([one + two, three, np.zeros(len(v))])
            b = b + np.maximum(four + five, 0)
        elif self.setup == "C":
            b = 2 * np.logaddexp(0, one + two + three)
        else:
            b = (np.maximum(one + two + three, 0) + np.maximum(four + five, 0)) / 2
        return b - 0.5 * self.effect(v)

    def effect(self, v: Causes) -> Column:
        """Compute the effect of treatment.

        Args:
            v: Covariates.

        Returns:
            One effect for each unit.
        """
        one, two, three, four, five = v[:, :5].T
        if self.setup == "A":
            return (one + two) / 2
        if self.setup == "B":
            return one + np.logaddexp(0, two)
        if self.setup == "C":
            return np.ones(len(v))
        return np.maximum(one + two + three, 0) - np.maximum(four + five, 0)

    def unit_means(self, causes: Causes, doses: Doses) -> Float[np.ndarray, "n k"]:
        """Evaluate both arms.

        Args:
            causes: Covariates.
            doses: 0 and 1.

        Returns:
            Means.
        """
        return self.untreated(causes)[:, None] + doses * self.effect(causes)[:, None]

    def population_means(self, doses: Doses) -> Doses:
        """Average over a large population of its own.

        Args:
            doses: 0 and 1.

        Returns:
            Means, with a standard error of about 0.001.
        """
        rng = np.random.default_rng(0)
        size = (1_000_000, 5)
        v = rng.uniform(size=size) if self.setup == "A" else rng.normal(size=size)
        return self.untreated(v).mean() + doses * self.effect(v).mean()

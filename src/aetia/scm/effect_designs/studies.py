"""One call from the name of a design to a simulated study."""

from __future__ import annotations

from typing import Any

import numpy as np

from aetia.data import EffectTruth, Study
from aetia.errors import InputError
from aetia.options import choose
from aetia.randomness import RandomState, seed_sequence
from aetia.scm.effect_designs.arm_designs import BinaryLatent, Hahn, NieWager
from aetia.scm.effect_designs.dose_designs import Colangelo, HiranoImbens, Sun
from aetia.scm.effect_designs.protocol import Assignment, Rng

__all__ = ["EFFECT_DESIGNS", "simulate_study"]

EFFECT_DESIGNS: dict[str, type] = {
    cls.name: cls for cls in (HiranoImbens, Sun, Colangelo, BinaryLatent, Hahn, NieWager)
}
"""Name to design."""


def simulate_study(
    design: Any,
    n: int | None = None,
    n_covariates: int | None = None,
    *,
    confounding: float = 1.0,
    random_state: RandomState = None,
) -> Study:
    """Draw a study with known effects.

    Args:
        design: A name, a mapping with a name and options, or a design.
        n: Units; None for the design's usual number.
        n_covariates: Covariates; None for the design's usual number.
        confounding: Share of units whose treatment depends on their own covariates. The others
            are treated as if they were some other unit, which keeps the distribution of the
            treatment and all effects, and leaves nothing to confound: 1 is the design, 0 a
            randomised trial.
        random_state: None, an integer or a generator.

    Returns:
        Named columns and the truth.

    Raises:
        InputError: If a number is out of range for the design.
    """
    design = choose("design", design, EFFECT_DESIGNS, needs="draw")
    usual: tuple[int, int] = design.default_size()
    n = usual[0] if n is None else n
    p = usual[1] if n_covariates is None else n_covariates
    if n < 2 or p < getattr(design, "smallest", 1):
        raise InputError(
            f"design {design.name!r} needs at least 2 units and {design.smallest} covariates, got "
            f"n={n} and n_covariates={p}."
        )
    if not 0 <= confounding <= 1:
        raise InputError(f"confounding is a share of the units, got {confounding!r}.")
    if isinstance(random_state, np.random.RandomState):
        rng: Rng = random_state  # the original samplers' own stream
    else:
        rng = np.random.default_rng(seed_sequence(random_state))
    units = design.draw(n, p, rng, _assignment(confounding, rng))
    truth = EffectTruth(
        unit_means=lambda doses: design.unit_means(units.causes, doses),
        population_means=design.population_means,
        propensity=units.propensity,
        name=design.name,
    )
    return Study(units.treatment, units.outcome, units.covariates, truth)


def _assignment(confounding: float, rng: Rng) -> Assignment:
    def assign(causes: np.ndarray) -> np.ndarray:
        if confounding == 1:
            return causes
        own = rng.uniform(size=len(causes)) < confounding
        return np.where(own[:, None], causes, causes[rng.permutation(len(causes))])

    return assign

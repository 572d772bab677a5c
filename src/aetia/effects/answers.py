"""All answers of a fitted estimator about one contrast, collected once for files and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from aetia.effects.contrast import choose_contrast, level_name
from aetia.errors import InputError
from aetia.results import EffectPosterior, Overlap, RunFacts
from aetia.training import learning_curves

if TYPE_CHECKING:
    from aetia.data import Dataset

__all__ = ["EffectAnswers", "collect_effects"]

_COVERAGE_LEVELS = (0.5, 0.8, 0.9, 0.95)
_CURVES = {
    "validation/loss": "held-out loss",
    "networks/outcome": "fit of the outcome",
    "networks/treatment": "fit of the treatment",
    "networks/generative": "reconstruction of covariates",
    "critic/loss": "critic",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class EffectAnswers:
    """What a study says about one contrast.

    Attributes:
        units: Effect of every unit.
        average: Effect on average.
        response: Mean outcomes under every dose, or under both arms.
        overlap: Who could have received what.
        rows: Number of every unit in the user's table.
        ranks: Ranks of the outcomes in their predicted distributions, out of fold; None where
            unknown.
        treated: Name of the level that is compared ...
        control: ... with this one.
        level: Probability inside intervals.
        scores: Quality of out-of-fold predictions.
        curves: Training curves.
        associations: Covariates that go along with larger effects: name and rank correlation.
        facts: What is known about the run: method, seed, time, options.
        training: About the fit: units, folds, networks, latents, best and last steps.
        notes: Decisions that were made for the user.
    """

    units: EffectPosterior
    average: EffectPosterior
    response: EffectPosterior
    overlap: Overlap
    rows: Int[np.ndarray, " n"]
    ranks: Float[np.ndarray, " n"] | None = None
    treated: str
    control: str
    level: float = 0.9
    scores: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)
    associations: Sequence[tuple[str, float]] = ()
    facts: RunFacts = field(default_factory=RunFacts)
    training: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def coverage(self) -> dict[float, float]:
        """Count the outcomes inside their prediction intervals.

        Returns:
            Level to share; empty where ranks are unknown.
        """
        if self.ranks is None:
            return {}
        gaps = np.abs(self.ranks - 0.5)
        return {level: float((gaps <= level / 2).mean()) for level in _COVERAGE_LEVELS}

    def gains(self) -> dict[str, int]:
        """Count the units whose interval lies above zero, below, or holds it.

        Returns:
            ``above``, ``below`` and ``open``.
        """
        lower, upper = self.units.interval(self.level).T
        above, below = int((lower > 0).sum()), int((upper < 0).sum())
        return {"above": above, "below": below, "open": len(lower) - above - below}

    def probability_above(self) -> float:
        """Compute the posterior probability that the average effect is above zero.

        Returns:
            A number in [0, 1].
        """
        return float((self.average.draws[:, 0] > 0).mean())


def collect_effects(
    estimator: Any,
    *,
    treated: Any = None,
    control: Any = None,
    doses: Sequence[float] | None = None,
    level: float = 0.9,
    covariates: Dataset | None = None,
    rows: Int[np.ndarray, " n"] | None = None,
) -> EffectAnswers:
    """Ask a fitted estimator everything that its report shows.

    Args:
        estimator: ``CausalBGM`` or one of its variants, fitted.
        treated: Level to compare; None for the second arm, or for the dose 1.
        control: Level to compare with; None for the first arm, or for the dose 0. Doses that
            nobody received are replaced by quartiles of the dose if neither level is given.
        doses: Doses of the response; None for the estimator's own.
        level: Probability inside intervals.
        covariates: Covariates of the units, to tell what goes along with larger effects.
        rows: Numbers of the units in the user's table; None counts.

    Returns:
        The answers.

    Raises:
        InputError: If both levels are the same, or the level is impossible.
    """
    if not 0.0 < level < 1.0:
        raise InputError(f"level must lie strictly between 0 and 1, got {level!r}.")
    overlap = estimator.overlap()
    arms = overlap.arms
    high, low, notes = choose_contrast(
        overlap.name, arms, overlap.received, treated, control, doses=doses
    )
    units = estimator.effect(high, low)
    n = len(overlap.received)
    history = list(getattr(estimator, "history_", ()))
    return EffectAnswers(
        units=units,
        average=estimator.ate(high, low),
        response=estimator.dose_response(doses),
        overlap=overlap,
        rows=np.arange(n) if rows is None else rows,
        ranks=estimator.prediction_ranks(),
        treated=level_name(high, arms),
        control=level_name(low, arms),
        level=level,
        scores={k: float(v) for k, v in estimator.evaluate().items()},
        curves=learning_curves(history, _CURVES),
        associations=() if covariates is None else _associations(units.mean, covariates),
        facts=estimator.facts_,
        training=_training(estimator, history),
        notes=notes,
    )


def _associations(effects: np.ndarray, covariates: Dataset) -> list[tuple[str, float]]:
    """Rank correlations of unit effects with ordered covariates, the strongest first."""
    from scipy.stats import spearmanr

    if np.ptp(effects) == 0:
        return []
    found = []
    for name, column, kind in zip(
        covariates.names, covariates.values.T, covariates.kinds, strict=True
    ):
        seen = ~np.isnan(column)
        ordered = kind != "categorical" or len(covariates.levels.get(name, ())) == 2
        if ordered and seen.sum() > 10 and np.ptp(column[seen]) > 0:
            rank: Any = spearmanr(column[seen], effects[seen])
            found.append((name, float(rank.statistic)))
    return sorted(found, key=lambda pair: -abs(pair[1]))[:8]


def _training(estimator: Any, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    health = estimator.health_
    return {
        **{name: health.get(name) for name in ("n_units", "n_folds", "n_networks")},
        "latent_dims": list(getattr(estimator, "latent_dims_", ())),
        "best_steps": [int(v) for v in health.get("best_step", ())],
        "last_step": max((int(row["step"]) for row in history if "validation" in row), default=0),
    }

"""All answers of a fitted estimator of effects, collected once for files and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from aetia.errors import InputError
from aetia.report.before.learning import learning_curves
from aetia.results import EffectPosterior, Overlap

if TYPE_CHECKING:
    from aetia.data import Dataset

__all__ = ["COVERAGE_LEVELS", "EffectAnswers", "choose_contrast", "collect_effects"]

COVERAGE_LEVELS = (0.5, 0.8, 0.9, 0.95)

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
        ranks: Ranks of the outcomes in their predicted laws, out of fold; None where unknown.
        treated: Name of the level that is compared ...
        control: ... with this one.
        level: Probability inside intervals.
        scores: Quality of out-of-fold predictions.
        curves: Training curves.
        associations: Covariates that go along with larger effects: name and rank correlation.
        facts: Of the fit: method, networks, folds, seed, time.
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
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def coverage(self) -> dict[float, float]:
        """Count the outcomes inside their prediction intervals.

        Returns:
            Level to share; empty where ranks are unknown.
        """
        if self.ranks is None:
            return {}
        gaps = np.abs(self.ranks - 0.5)
        return {level: float((gaps <= level / 2).mean()) for level in COVERAGE_LEVELS}

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
        doses: Of the dose response; None for the estimator's own.
        level: Probability inside intervals.
        covariates: Of the units, to tell what goes along with larger effects.
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
        ranks=_ranks(estimator),
        treated=_level_name(high, arms),
        control=_level_name(low, arms),
        level=level,
        scores={k: float(v) for k, v in estimator.evaluate().items()},
        curves=learning_curves(history, _CURVES),
        associations=() if covariates is None else _associations(units.mean, covariates),
        facts=_facts(estimator, history),
        notes=notes,
    )


def choose_contrast(
    name: str,
    arms: Sequence[str] | None,
    received: Float[np.ndarray, " n"],
    treated: Any,
    control: Any,
    *,
    doses: Sequence[float] | None = None,
) -> tuple[Any, Any, list[str]]:
    """Choose the levels that are compared.

    Args:
        name: Of the treatment.
        arms: Names of the arms, those that count as 0 and 1; None for doses.
        received: Doses of the units.
        treated: Level to compare; None for the second arm, or for the dose 1.
        control: Level to compare with; None for the first arm, or for the dose 0.
        doses: Of a dose response, which arms have none of.

    Returns:
        Both levels, and what to tell the user.

    Raises:
        InputError: If the levels are the same or no numbers, or arms are asked for doses.
    """
    if arms is not None:
        if doses is not None:
            raise InputError(
                f"{name!r} has two arms ({', '.join(arms)}), no doses; leave the doses away, the "
                "response is of both arms."
            )
        first, second = (_plain(arm, k) for k, arm in enumerate(arms))
        high = second if treated is None else treated
        low = first if control is None else control
        for level in (high, low):
            if _level_name(level, arms) not in arms:
                shown = f"{level:g}" if isinstance(level, float) else repr(level)
                raise InputError(f"{name!r} has the arms {', '.join(arms)}, not {shown}.")
        if _level_name(high, arms) == _level_name(low, arms):
            raise InputError(
                f"treated and control are the same arm, {_level_name(high, arms)!r}; the arms "
                f"are {', '.join(arms)}."
            )
        return high, low, []
    neither = treated is None and control is None
    high, low = 1.0 if treated is None else treated, 0.0 if control is None else control
    for level in (high, low):
        if isinstance(level, str):
            raise InputError(f"{name!r} is a dose, so levels are numbers, got {level!r}.")
    if high == low:
        raise InputError(f"treated and control are the same dose, {high:g}.")
    least, most = float(received.min()), float(received.max())
    if neither and not (least <= low <= most and least <= high <= most):
        low, high = (float(f"{q:.4g}") for q in np.quantile(received, [0.25, 0.75]))
        note = (
            f"The doses 0 and 1 are not both within those received ({name}: {least:.4g} to "
            f"{most:.4g}), so the quartiles {low:g} and {high:g} are compared; --control and "
            "--treated choose others."
        )
        return high, low, [note]
    return high, low, []


def _plain(arm: str, code: int) -> Any:
    """Write an arm so that it cannot be taken for another one's code."""
    try:
        return float(arm)
    except ValueError:
        return code


def _level_name(level: Any, arms: Sequence[str] | None) -> str:
    if arms is None:
        return f"{float(level):g}"
    for arm in arms:
        if arm == str(level) or _plain(arm, -1) == level:
            return arm
    return arms[int(level)] if level in (0, 1) else str(level)


def _ranks(estimator: Any) -> Float[np.ndarray, " n"] | None:
    from aetia.effects.causalbgm.fitted import Fitted
    from aetia.effects.causalbgm.held_out import outcome_ranks

    fit = getattr(estimator, "_fit_result", None)
    if not isinstance(fit, Fitted) or fit.folds.n_folds == 1:
        return None  # with one fold most outcomes were learned from: nothing is out of fold
    return outcome_ranks(fit)


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


def _facts(estimator: Any, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    health = dict(getattr(estimator, "health_", {}))
    fit = getattr(estimator, "_fit_result", None)
    folds = getattr(getattr(fit, "folds", None), "n_folds", None)
    last = max((int(row["step"]) for row in history if "validation" in row), default=0)
    return {
        "method": type(estimator).__name__,
        "n_units": health.get("n_units"),
        "n_folds": folds,
        "n_networks": health.get("n_networks"),
        "latent_dims": list(getattr(estimator, "latent_dims_", ())),
        "best_steps": [int(v) for v in health.get("best_step", ())],
        "last_step": last,
        "seconds": health.get("seconds"),
        "seed": health.get("seed"),
        "version": health.get("version"),
    }

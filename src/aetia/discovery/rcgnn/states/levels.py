"""Readings about the level of their regime, without outliers: both move while the model is fitted.

A regime has a level of its own for each sensor. The first level is the mean of its readings; later
it moves by the mean of the smoothed states, which is not pulled towards where readings are dense.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.recordings.regimes import means_by_regime
from aetia.discovery.rcgnn.states.fitted import FittedStates
from aetia.discovery.rcgnn.states.moments import clean_moments
from aetia.discovery.rcgnn.states.outliers import CentredReadings, SmoothedStates, find_outliers
from aetia.discovery.rcgnn.states.state_space import Smoothed, StateSpace, patterns_of, smooth

__all__ = ["LevelledReadings", "states_of_more"]

_FEW_OUTLIERS = 0.01
"""Share of the cells up to which outliers in complete recordings are replaced."""


class LevelledReadings:
    """What a fit looks at.

    Args:
        readings: Standardised readings.
    """

    def __init__(self, readings: Readings) -> None:
        self.readings, self.live = readings, readings.live
        self.observed = readings.observed
        self.patterns = patterns_of(self.observed)
        self.level = _first_level(readings)
        self.values = readings.values
        self.outliers = torch.zeros_like(self.observed)
        self.x = self._centred()

    def _centred(self) -> Tensor:
        x = self.values - self.level[self.readings.regime].unsqueeze(1)
        return torch.where(self.observed, x, 0.0)

    def flag_outliers(self, model: StateSpace, score: float) -> None:
        """Flag outliers anew, and leave them out of what the fit looks at.

        Args:
            model: Current parameters.
            score: Distance in standard deviations of the prediction from which a reading is
                flagged.
        """
        level = self.level[self.readings.regime].unsqueeze(1)
        given = torch.where(self.readings.observed, self.readings.values - level, 0.0)
        smoothed = smooth(self.x, self.patterns, model)
        outliers = find_outliers(
            CentredReadings(given, self.x, self.readings.observed, self.observed),
            SmoothedStates(model, self.patterns, smoothed),
            score=score,
        )
        self.outliers, n_flagged = outliers.flagged, int(outliers.flagged.sum())
        if len(self.patterns.counts) == 1 and n_flagged < _FEW_OUTLIERS * given.numel():
            # In complete recordings a few are replaced by what the others say, so that blocks go
            # on sharing their covariances.
            self.values = torch.where(
                outliers.flagged, outliers.predicted + level, self.readings.values
            )
        else:
            self.observed = self.readings.observed & ~outliers.flagged
            self.patterns = patterns_of(self.observed)
        self.x = self._centred()

    def set_level(self, level: Float[Tensor, "k d"]) -> None:
        """Centre the readings about other levels.

        Args:
            level: Level of each sensor in each regime.
        """
        self.level = level
        self.x = self._centred()

    def move_level(self, smoothed: Smoothed, model: StateSpace) -> None:
        """Add to each level what the mean of its states still lacks.

        Args:
            smoothed: States about the levels.
            model: Parameters they were smoothed with.
        """
        states = smoothed.mean[..., : model.d]
        weight = self.live.to(states)
        lacking = means_by_regime(
            torch.einsum("ntj,nt->nj", states, weight),
            weight.sum(1, keepdim=True),
            self.readings.regime,
            self.readings.n_regimes,
        )
        self.set_level(self.level + lacking.mean)

    def fitted(self, model: StateSpace) -> FittedStates:
        """Smooth the states under the fitted parameters.

        Args:
            model: Parameters.

        Returns:
            Parameters, states and their moments.
        """
        smoothed = smooth(self.x, self.patterns, model)
        return FittedStates(
            model,
            self.level,
            self.x,
            self.observed,
            self.patterns,
            smoothed,
            clean_moments(smoothed, self.patterns, self.live, model),
            self.outliers,
        )


def states_of_more(
    fitted: FittedStates, readings: Readings, *, outlier_score: float | None
) -> FittedStates:
    """Smooth further readings under a state space that was fitted to some of them.

    Args:
        fitted: States fitted to a part of the blocks; parameters and levels are kept.
        readings: All of them, in every regime of the part.
        outlier_score: Standard deviations from which readings are flagged; None flags none.

    Returns:
        The same parameters with the states of all readings.
    """
    levelled = LevelledReadings(readings)
    levelled.set_level(fitted.level)
    if outlier_score is not None:
        levelled.flag_outliers(fitted.model, outlier_score)
    return levelled.fitted(fitted.model)


def _first_level(readings: Readings) -> Tensor:
    observed = readings.observed
    sums = torch.where(observed, readings.values, 0.0).sum(1)
    counts = observed.sum(1).to(sums)
    return means_by_regime(sums, counts, readings.regime, readings.n_regimes).mean

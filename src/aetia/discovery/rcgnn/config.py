"""All options of RC-GNN, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from aetia.errors import InputError
from aetia.options import check_literals, check_positive

__all__ = ["RCGNNConfig"]


@dataclass(frozen=True, kw_only=True)
class RCGNNConfig:
    """Options of RC-GNN."""

    backend: Literal["linear", "neural", "as-published"] = "linear"
    """``"linear"``: moments of clean states, in seconds; ``"neural"``: one network for each sensor
    behind gates; ``"as-published"``: the prototype, whose graph sees no data, to compare with."""
    n_lags: int = 1
    """Longest lag of an edge, in steps."""
    n_resamples: int = 50
    """Half-samples that the linear back end searches for a graph."""
    n_refits: int = 5
    """Fits of the neural back end: one to all data, the others to half-samples."""
    validation_share: float = 0.0
    """neural: share of each regime that the first fit is scored on, a block apart from what it is
    trained on."""
    resample_share: float = 0.5
    """Share of the blocks of each regime in a resample."""
    block_length: int | Literal["auto"] = "auto"
    """Steps of a block: what is resampled, and what the smoother runs over. ``"auto"``: a fortieth
    of the steps, at least 20 and at most 50."""
    penalty: float = 2.0
    """Price of an edge, in halves of log(steps): 1 is the Bayesian information criterion."""
    threshold: float | Literal["auto", "held-out"] = "auto"
    """Smallest frequency of an edge of the graph. ``"auto"``: .8 for the linear back end, .4 for
    the neural one; ``"held-out"`` (linear): of 0, .05, ..., 1, the one whose graph predicts
    held-out blocks best, ties (one standard error) to the sparser."""
    feedback_threshold: float = 0.97
    """Of two edges i -> j and j -> i the rarer stays only from this frequency on: noise on a cause
    makes its effects' past look useful."""
    drift: bool | Literal["auto"] = "auto"
    """Whether sensors drift; ``"auto"`` asks the likelihood."""
    outlier_score: float | None = 4.0
    """Readings this many standard deviations from what all others say are set aside; null: none."""
    n_imputations: int = 5
    """Fits with other noise variances of the sensors, over which edges must be stable too."""
    imputation_spread: float = 0.4
    """Standard deviation of the logarithm of these variances."""
    season: Any = None
    """Steps of a period, or several, whose profile is subtracted from each sensor first."""
    neural: Any = None
    """Options of the neural back end, as a mapping or ``NeuralOptions``; null for the defaults."""

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(
            self, "n_lags", "n_resamples", "n_refits", "n_imputations", "penalty", "outlier_score"
        )
        check_positive(self, "imputation_spread", zero=True)
        for name in ("n_lags", "n_resamples", "n_refits", "n_imputations", "block_length"):
            value = getattr(self, name)
            if value != "auto" and (isinstance(value, bool) or value != int(value)):
                raise InputError(f"RCGNNConfig: {name} must be an integer, got {value!r}.")
        if not 0 <= self.validation_share < 1:
            raise InputError(
                f"RCGNNConfig: validation_share must lie in [0, 1), got {self.validation_share!r}."
            )
        for name in ("resample_share", "threshold", "feedback_threshold"):
            value = getattr(self, name)
            if not isinstance(value, str) and not 0 < float(value) <= 1:
                raise InputError(f"RCGNNConfig: {name} must lie in (0, 1], got {value!r}.")
        if self.threshold == "held-out" and self.backend != "linear":
            raise InputError(
                f"RCGNNConfig: threshold='held-out' needs backend='linear', not {self.backend!r}; "
                "pass a number, or 'auto'."
            )
        if self.validation_share > 0 and self.backend != "neural":
            raise InputError(
                f"RCGNNConfig: validation_share={self.validation_share} has no effect with "
                f"backend={self.backend!r}; leave it at 0, or choose backend='neural'."
            )
        if self.block_length != "auto" and self.block_length < self.n_lags + 4:
            raise InputError(
                f"RCGNNConfig: block_length={self.block_length} is too short for n_lags="
                f"{self.n_lags}: at least {self.n_lags + 4} steps are needed."
            )

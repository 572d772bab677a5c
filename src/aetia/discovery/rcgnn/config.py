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
    """How graphs are found: ``"linear"`` searches in the moments of clean states, in seconds;
    ``"neural"`` trains one network for each sensor behind gates, for curved effects, in minutes;
    ``"as-published"`` is the prototype, whose graph sees no data, for comparison only."""
    n_lags: int = 1
    """Longest lag of an edge, in steps; raise it when causes act later. Each lag adds as many
    candidate causes as there are sensors."""
    n_resamples: int = 50
    """Number of half-samples in which the linear back end searches a graph; more make selection
    frequencies finer and take proportionally longer."""
    n_refits: int = 5
    """Number of fits of the neural back end, one to all data and the others to half-samples;
    selection frequencies come in steps of one over this number."""
    validation_share: float = 0.0
    """Share of each regime that the first fit of the neural back end is scored on and not trained
    on, a block apart from the rest; scales are measured on the training part too. Raise it above 0
    to compare options by the held-out loss."""
    resample_share: float = 0.5
    """Share of the blocks of each regime that a resample holds; a smaller one makes selection more
    demanding."""
    block_length: int | Literal["auto"] = "auto"
    """Number of steps of a block, which is resampled as a whole and smoothed on its own; ``"auto"``
    takes a fortieth of all steps, at least 20 and at most 50. Raise it when readings remember
    longer than that."""
    penalty: float = 2.0
    """Penalty weight of an edge in the search, in BIC units: 1 is the Bayesian information
    criterion, and a larger one gives fewer edges."""
    threshold: float | Literal["auto", "held-out"] = "auto"
    """Smallest selection frequency of an edge of the graph; a larger one gives fewer, more stable
    edges. ``"auto"`` is .8 for the linear back end and .4 for the neural one; ``"held-out"``
    (linear back end) takes, of 0, .05, ..., 1, the one whose graph predicts held-out blocks best,
    and of those within one standard error the sparsest."""
    feedback_threshold: float = 0.97
    """Smallest selection frequency from which the rarer of two opposite edges i -> j and j -> i
    stays in the graph; below it only the more frequent one does, because noise on a cause makes the
    past of its effects look useful."""
    drift: bool | Literal["auto"] = "auto"
    """Whether sensors have a slow error of their own; ``"auto"`` decides by the likelihood. Set it
    to false when sensors are known to be stable: states are then half as many, and slow changes are
    all taken for real."""
    outlier_score: float | None = 4.0
    """Distance of a reading from what all others say, in standard deviations, from which it is
    flagged as an outlier and left out; None keeps all readings. Where many are flagged, the noise
    of the others has heavy tails (Student t). Raise it when real events are flagged."""
    n_imputations: int = 5
    """Number of fits with other noise variances of the sensors, over which edges must be stable
    too; more are slower and guard better against a wrong variance."""
    imputation_spread: float = 0.4
    """Standard deviation of the logarithm of the sensors' noise variances over the fits of
    ``n_imputations``; 0 takes the fitted variances for certain."""
    season: Any = None
    """Number of steps of a period, or of several periods, whose profile is subtracted from each
    sensor first and added again to what is imputed; None subtracts nothing. Hourly readings that
    follow the day have 24."""
    neural: Any = None
    """Options of the neural back end, as a mapping or ``NeuralOptions`` (of the prototype,
    ``PublishedOptions``); None takes the defaults."""

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

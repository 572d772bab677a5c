"""What every back end finds, in the scale of the readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from aetia.discovery.rcgnn.search.deploy import Deployed, Frequencies

__all__ = ["Answer"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """Graphs, regimes, states and sensors.

    Attributes:
        within: Graph within the step of each resample.
        lagged: Lagged graphs of each resample.
        frequencies: Selection frequencies.
        support: Soft support of each edge by lag, which also ranks edges never selected.
        threshold: Smallest frequency of an edge of the graph.
        deployed: The graph.
        weights: Direct effects by lag; None for nonlinear mechanisms.
        deltas: What each regime adds to them, or to the slopes.
        changed: True for variables whose mechanism differs, in each regime.
        noise_variance: Variance of what the causes of each variable leave unexplained, by regime.
        invariance: p-value, for each regime and variable, of residuals as in the other regimes.
        clean: Means of the states behind the readings, in every block.
        noiseless: What each sensor would read there without its white noise: state plus drift.
        reading_sd: Standard deviation of a reading there, the sensor's noise included.
        outliers: Flagged outliers.
        sensor_noise: Standard deviation of each sensor's noise.
        drift_sd: Standard deviation of the steps of each drift; None without drift.
        information: Share of what is new in each sensor that the readings determine.
        facts: What is peculiar to the fit, for the diagnostics of the posterior.
        n_steps: Steps of the training whose states these are; None where nothing is trained.
        history: Rows of the record of that training.
        findings: What these rows say, in words.
        training: Summary of that training.
    """

    within: Bool[np.ndarray, "s d d"]
    lagged: Bool[np.ndarray, "s l d d"]
    frequencies: Frequencies
    support: Float[np.ndarray, "m d d"]
    threshold: float
    deployed: Deployed
    weights: Float[np.ndarray, "m d d"] | None
    deltas: Float[np.ndarray, "k m d d"]
    changed: Bool[np.ndarray, "k d"]
    noise_variance: Float[np.ndarray, "k d"]
    invariance: Float[np.ndarray, "k d"]
    clean: Float[np.ndarray, "n time d"]
    noiseless: Float[np.ndarray, "n time d"]
    reading_sd: Float[np.ndarray, "n time d"]
    outliers: Bool[np.ndarray, "n time d"]
    sensor_noise: Float[np.ndarray, " d"]
    drift_sd: Float[np.ndarray, " d"] | None
    information: Float[np.ndarray, " d"] | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    n_steps: int | None = None
    history: Sequence[Mapping[str, Any]] = ()
    findings: Sequence[Any] = ()
    training: Mapping[str, Any] = field(default_factory=dict)

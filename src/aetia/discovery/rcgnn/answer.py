"""What every back end finds, in the scale of the readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from aetia.discovery.rcgnn.deploy import Deployed, Frequencies

__all__ = ["Answer"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """Graphs, regimes, states and sensors.

    Attributes:
        within: Graph within the step of each resample.
        lagged: Lagged graphs of each resample.
        found: Selection frequencies.
        support: Soft support of each edge by lag, which also ranks edges never selected.
        threshold: Smallest frequency of an edge of the graph.
        deployed: The graph.
        weights: Direct effects by lag; None for nonlinear mechanisms.
        deltas: What each regime adds to them, or to the slopes.
        changed: Whose mechanism differs, in each regime.
        noise_variance: Of every variable in every regime.
        invariance: p-value, for each regime and variable, of residuals as in the other regimes.
        clean: Means of the states behind the readings, in every block.
        read: What a sensor reads there without noise.
        read_sd: Spread of a reading there, with the sensor's noise.
        outliers: Readings that were set aside.
        sensor_noise: Standard deviation of each sensor's noise.
        drift_sd: Standard deviation of the steps of each drift; None without drift.
        information: Share of what is new in each sensor that the readings determine.
        facts: For the diagnostics of the posterior.
        health: Rows of the record of training.
        findings: What they say, in words.
        training: Its summary.
    """

    within: Bool[np.ndarray, "s d d"]
    lagged: Bool[np.ndarray, "s l d d"]
    found: Frequencies
    support: Float[np.ndarray, "m d d"]
    threshold: float
    deployed: Deployed
    weights: Float[np.ndarray, "m d d"] | None
    deltas: Float[np.ndarray, "k m d d"]
    changed: Bool[np.ndarray, "k d"]
    noise_variance: Float[np.ndarray, "k d"]
    invariance: Float[np.ndarray, "k d"]
    clean: Float[np.ndarray, "n time d"]
    read: Float[np.ndarray, "n time d"]
    read_sd: Float[np.ndarray, "n time d"]
    outliers: Bool[np.ndarray, "n time d"]
    sensor_noise: Float[np.ndarray, " d"]
    drift_sd: Float[np.ndarray, " d"] | None
    information: Float[np.ndarray, " d"] | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    health: Sequence[Mapping[str, Any]] = ()
    findings: Sequence[Any] = ()
    training: Mapping[str, Any] = field(default_factory=dict)

"""Which cells are lost: completely at random, by other sensors, or by what is lost itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import brentq
from scipy.special import expit

from aetia.scm.corruption.options import Missing
from aetia.scm.corruption.streams import Streams

__all__ = ["highest", "logistic_intercept", "lost_cells", "mar_drivers"]

_STEEPNESS = 2.0
"""Log odds of a loss per standard deviation of the true value, for mnar-self."""


def lost_cells(
    missing: Missing,
    clean: Float[np.ndarray, "n time d"],
    readings: Float[np.ndarray, "n time d"],
    names: Sequence[str],
    graph: Bool[np.ndarray, "d d"] | None,
    streams: Streams,
) -> Bool[np.ndarray, "n time d"]:
    """Draw the cells that are lost.

    Args:
        missing: Kind and rate.
        clean: True values, standardised; NaN where nothing was recorded.
        readings: Readings, standardised.
        names: Names of the sensors.
        graph: ``graph[i, j]`` for i -> j at lag 0 or 1; used by mnar-structural.
        streams: Random numbers, a stream for each sensor.

    Returns:
        True where a cell is lost; only cells that were recorded are.
    """
    lost = np.zeros(clean.shape, dtype=bool)
    drivers = mar_drivers(names, streams) if missing.kind == "mar" else ()
    for j, name in enumerate(names):
        if j in drivers:
            continue
        generator = streams.of("missing", name)
        seen = ~np.isnan(clean[:, :, j])
        own = clean[:, :, j][seen]
        if missing.kind == "mcar":
            lost[:, :, j][seen] = generator.random(len(own)) < missing.rate
        elif missing.kind == "mnar-self":
            above = _STEEPNESS * (own - np.median(own))
            probability = expit(above + logistic_intercept(above, missing.rate))
            lost[:, :, j][seen] = generator.random(len(own)) < probability
        elif missing.kind == "mnar-extreme":
            low = highest(-own, missing.rate / 2, generator)
            lost[:, :, j][seen] = low | highest(own, missing.rate / 2, generator)
        else:
            if missing.kind == "mar":
                score = _weighted(readings, name, names, drivers, streams, lags=(0,))[seen]
            elif missing.kind == "mnar-structural" and graph is not None and graph[:, j].any():
                parents = np.flatnonzero(graph[:, j]).tolist()
                score = _weighted(clean, name, names, parents, streams, lags=(0, 1))[seen]
            else:
                score = own
            lost[:, :, j][seen] = highest(score, missing.rate, generator)
    return lost


def mar_drivers(names: Sequence[str], streams: Streams) -> tuple[int, ...]:
    """Choose the sensors that decide about the others, and lose nothing themselves.

    Were they to lose cells, the loss would depend on values that are not seen: not at random.

    Args:
        names: Names of the sensors.
        streams: Random numbers, a stream for each sensor.

    Returns:
        Positions of two of them; of one where there are only two.
    """
    draws = [streams.of("missing-driver", name).random() for name in names]
    return tuple(np.argsort(draws)[: min(2, len(names) - 1)].tolist())


def logistic_intercept(scores: Float[np.ndarray, " n"], rate: float) -> float:
    """Solve for the intercept at which the mean probability is the rate.

    Args:
        scores: Log odds up to the intercept.
        rate: Wanted mean of ``sigmoid(scores + intercept)``.

    Returns:
        The intercept.
    """
    if not len(scores):
        return 0.0
    centre = float(np.log(rate / (1 - rate)))
    low, high = centre - float(scores.max()) - 1, centre - float(scores.min()) + 1
    return float(brentq(lambda a: expit(scores + a).mean() - rate, low, high))  # pyright: ignore


def highest(
    scores: Float[np.ndarray, " n"], rate: float, generator: np.random.Generator
) -> Bool[np.ndarray, " n"]:
    """Mark the highest scores.

    Args:
        scores: Any numbers.
        rate: Share to mark, up to rounding.
        generator: Breaks ties, so that sensors with few distinct values keep to the rate.

    Returns:
        True for the highest.
    """
    count = round(rate * len(scores))
    order = np.lexsort((generator.random(len(scores)), scores))
    marked = np.zeros(len(scores), dtype=bool)
    marked[order[len(scores) - count :]] = True
    return marked


def _weighted(
    values: np.ndarray,
    name: str,
    names: Sequence[str],
    sources: Sequence[int],
    streams: Streams,
    lags: Sequence[int],
) -> np.ndarray:
    """Sum other sensors with normal weights; what was not recorded counts as the mean."""
    filled = np.where(np.isnan(values), 0.0, values)
    total = np.zeros(values.shape[:2])
    for i in sources:
        weights = streams.of("missing-weight", name, names[i]).normal(size=len(lags))
        for lag, weight in zip(lags, weights, strict=True):
            total[:, lag:] += weight * filled[:, : values.shape[1] - lag, i]
    return total

r"""Sensors whose errors are not normal: readings count by how much they are believed.

Under a Student t law with nu degrees of freedom the noise of a reading has a precision of its own,

.. math:: E[w_t^j \mid x, s] = \frac{\nu + 1}{\nu + E[(x_t^j - s_t^j)^2] / r_j^2},

which multiplies that of its sensor (Lange, Little and Taylor, 1989). Noise that grows with the
value and errors too small to be set aside as outliers weigh less.
"""

from __future__ import annotations

from aetia.discovery.rcgnn.linear.expectation_maximisation import (
    FittedStates,
    em_step,
    smoothed_again,
    squared_errors,
)
from aetia.discovery.rcgnn.linear.state_space import patterns_of
from aetia.discovery.rcgnn.readings import Readings

__all__ = ["with_heavy_tails"]

_FREEDOM = 3.0


def with_heavy_tails(
    fitted: FittedStates, readings: Readings, *, n_steps: int = 10, learn: bool = True
) -> FittedStates:
    """Smooth with noise that has heavy tails; outliers stay aside.

    Args:
        fitted: A fit with normal noise.
        readings: What it was fitted to.
        n_steps: Times that the readings get new precisions.
        learn: Whether the parameters adapt in every one of these, by an EM step.

    Returns:
        The fit.
    """
    for _ in range(n_steps):
        model = fitted.model
        errors = squared_errors(fitted.x, fitted.smoothed, fitted.patterns, model)
        share = errors / model.sensor_variance
        patterns = patterns_of(fitted.observed * (_FREEDOM + 1) / (_FREEDOM + share))
        if learn:
            model, _ = em_step(fitted.x, readings.live, patterns, model)
        fitted = smoothed_again(fitted, readings, patterns, model)
    return fitted._replace(freedom=_FREEDOM)

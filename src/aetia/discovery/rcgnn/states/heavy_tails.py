r"""Sensors whose errors are not normal: readings count by how much they are believed.

If it has a Student t distribution with nu degrees of freedom, the noise of a reading has a
precision of its own,

.. math:: E[w_t^j \mid x, s] = \frac{\nu + 1}{\nu + E[(x_t^j - s_t^j)^2] / r_j^2},

which multiplies that of its sensor (Lange, Little and Taylor, 1989). Noise that grows with the
value and errors too small to be flagged as outliers weigh less.
"""

from __future__ import annotations

from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.states.em import em_step
from aetia.discovery.rcgnn.states.fitted import FittedStates, smoothed_again
from aetia.discovery.rcgnn.states.moments import squared_errors
from aetia.discovery.rcgnn.states.state_space import patterns_of

__all__ = ["with_heavy_tails"]

_DEGREES_OF_FREEDOM = 3.0


def with_heavy_tails(
    fitted: FittedStates, readings: Readings, *, n_steps: int = 10, learn: bool = True
) -> FittedStates:
    """Smooth with noise that has heavy tails; flagged outliers stay out.

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
        ratio = errors / model.sensor_variance
        patterns = patterns_of(
            fitted.observed * (_DEGREES_OF_FREEDOM + 1) / (_DEGREES_OF_FREEDOM + ratio)
        )
        if learn:
            model, _ = em_step(fitted.x, readings.live, patterns, model)
        fitted = smoothed_again(fitted, readings, patterns, model)
    return fitted._replace(degrees_of_freedom=_DEGREES_OF_FREEDOM)

r"""Averages of potential outcomes, corrected by out-of-fold residuals.

Networks shrink what they cannot estimate, which biases every average of their predictions, and
intervals from their own uncertainty do not hold that bias. One step along the efficient influence
function removes the first order of it. Carried out under weights of the Bayesian bootstrap (Rubin,
1981) it gives draws of a posterior whose intervals are calibrated in large samples (Yiu, Fong,
Holmes & Rousseau, 2025, on corrected posteriors; Chernozhukov et al., 2018, on the two folds).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from aetia.effects.causalbgm.dose_distribution import DoseDistribution

__all__ = [
    "arm_scores",
    "bootstrap_weights",
    "corrected_dose_response",
    "natural_spline",
    "spline_knots",
    "widened_by_folds",
]

_PROPENSITY_FLOOR = 0.02
"""Propensities are kept this far from 0 and 1: fewer than 2 in 100 like it is no comparison."""

_RIDGE = 1e-3
"""Relative ridge of the regression of residuals."""

_LARGEST_LEVERAGE = 0.8
"""Larger leverages of a unit on its own fit count as this: residuals grow fivefold at most."""


def bootstrap_weights(
    n_draws: int, n: int, rng: np.random.Generator
) -> Float[np.ndarray, "draws n"]:
    """Draw weights of units, uniform on the simplex.

    Args:
        n_draws: How many.
        n: Units.
        rng: Source of randomness.

    Returns:
        Weights; each row sums to 1.
    """
    weights = rng.standard_exponential((n_draws, n))
    return weights / weights.sum(1, keepdims=True)


def arm_scores(
    treatment: Float[np.ndarray, " n"],
    outcome: Float[np.ndarray, " n"],
    means: Float[np.ndarray, "*replicates n 2"],
    propensity: Float[np.ndarray, "*replicates n"],
) -> Float[np.ndarray, "*replicates n 2"]:
    r"""Compute augmented inverse-propensity scores of both arms (Robins, Rotnitzky & Zhao, 1994).

    .. math:: m_a(v) + \frac{1[t = a]}{e_a(v)} (y - m_a(v))

    Args:
        treatment: 0 or 1.
        outcome: Outcome of every unit, in the user's units.
        means: Out-of-fold means under 0 and 1.
        propensity: Out-of-fold probabilities of 1.

    Returns:
        Scores, whose mean over units estimates the mean potential outcomes.
    """
    e = np.clip(propensity, _PROPENSITY_FLOOR, 1 - _PROPENSITY_FLOOR)
    share = np.stack([(1 - treatment) / (1 - e), treatment / e], -1)
    return means + share * (outcome[:, None] - means)


def spline_knots(doses: Float[np.ndarray, " n"], n_knots: int = 7) -> Float[np.ndarray, " k"]:
    """Choose knots between the 2 % and 98 % quantiles of the doses.

    Args:
        doses: Doses that the units received.
        n_knots: Largest number of knots; there are fewer if doses are tied.

    Returns:
        Increasing knots.
    """
    return np.unique(np.quantile(doses, np.linspace(0.02, 0.98, n_knots)))


def natural_spline(
    x: Float[np.ndarray, "*rows"], knots: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "*rows k"]:
    """Evaluate the cardinal basis of natural cubic splines, constant outside the knots.

    Args:
        x: Doses.
        knots: Increasing knots, at least two.

    Returns:
        Basis functions; they sum to 1.
    """
    inside = np.clip(x, knots[0], knots[-1])
    return CubicSpline(knots, np.eye(len(knots)), bc_type="natural")(inside)


def corrected_dose_response(
    curves: Float[np.ndarray, "n doses"],
    at_knots: Float[np.ndarray, "n k"],
    doses: Float[np.ndarray, " doses"],
    treatment: Float[np.ndarray, " n"],
    residual: Float[np.ndarray, " n"],
    dose_distribution: DoseDistribution,
    weights: Float[np.ndarray, "draws n"],
) -> Float[np.ndarray, "draws doses"]:
    r"""Average curves over units and add the regression of their residuals on the dose.

    Out-of-fold residuals :math:`r = y - m(t, v)`, less their weighted mean, are regressed on
    :math:`x = B(t) - E[B(t) \mid v]`, whose coefficients do not feel errors that depend on the
    covariates alone (Robinson, 1988), and on :math:`x'(M - \bar M)` with M the unit's own curve
    at the knots, so that effects which differ between units more than predicted do not pass
    for a change of the average:

    .. math:: \theta(d) = \sum_i w_i m(d, v_i) + \sum_i w_i r_i
              + \left[B(d) - \sum_i w_i E_i\right]' \beta_w
              - \gamma_w \sum_i w_i E_i'(M_i - \bar M), \quad E_i = E[B(t) \mid v_i]

    What the regression leaves over is divided by 1 - leverage before it makes the draws spread
    (MacKinnon & White, 1985, HC3): few units carry the ends of the curve.

    Args:
        curves: m(d, v) of every unit and dose.
        at_knots: The same at the knots of :func:`spline_knots`.
        doses: d.
        treatment: Doses received.
        residual: r.
        dose_distribution: Distribution of every unit's dose given its covariates.
        weights: One row for each draw.

    Returns:
        Mean potential outcomes.
    """
    n, knots = len(treatment), spline_knots(treatment)
    if len(knots) < 2:
        return weights @ curves + (weights @ residual)[:, None]
    basis = natural_spline(treatment, knots)
    expected = natural_spline(dose_distribution.nodes(), knots).mean(1)
    own = at_knots - at_knots.mean(0)
    x = np.column_stack([basis - expected, np.sum((basis - expected) * own, 1)])
    shift = np.column_stack([expected, np.sum(expected * own, 1)])
    at = np.column_stack([natural_spline(doses, knots), np.zeros(len(doses))])

    def corrected(
        w: Float[np.ndarray, "some n"], r: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, "some doses"]:
        beta = _slopes(x, r, w)[0]
        plug_in = w @ curves + (w @ r)[:, None]
        return plug_in + beta @ at.T - np.sum((w @ shift) * beta, 1, keepdims=True)

    alike = np.full((1, n), 1 / n)
    beta, gram = _slopes(x, residual, alike)
    leverage = np.einsum("ni,ni->n", x, np.linalg.solve(gram[0], x.T).T) / n
    explained = residual.mean() + x @ beta[0]
    left = (residual - explained) / (1 - leverage.clip(max=_LARGEST_LEVERAGE))
    widened = explained + left
    draws = corrected(weights, widened)
    return draws - corrected(alike, widened) + corrected(alike, residual)


def _slopes(
    x: Float[np.ndarray, "n q"],
    residual: Float[np.ndarray, " n"],
    w: Float[np.ndarray, "draws n"],
) -> tuple[Float[np.ndarray, "draws q"], Float[np.ndarray, "draws q q"]]:
    """Regress residuals, less their mean, on x by ridge; one regression for each row of weights."""
    q = x.shape[1]
    gram = (w @ (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)).reshape(-1, q, q)
    ridge = _RIDGE * np.trace(gram[:, :-1, :-1], axis1=1, axis2=2) / (q - 1)
    gram = gram + ridge[:, None, None] * np.eye(q)
    # Without its mean, which doses cannot explain: a constant bias would only add noise.
    right = w @ (x * residual[:, None]) - (w @ residual)[:, None] * (w @ x)
    return np.linalg.solve(gram, right[..., None])[..., 0], gram


def widened_by_folds(
    draws: Float[np.ndarray, "draws doses"],
    reference: Float[np.ndarray, "draws k"],
    by_fold: Float[np.ndarray, "folds k"],
) -> Float[np.ndarray, "draws doses"]:
    r"""Widen draws to the variance of the estimate between folds, whose networks differ.

    The bootstrap holds the networks fixed. Estimates from single folds differ by their networks as
    well; the mean of K of them varies by a K-th of their variance.

    Args:
        draws: Draws of the averages that are to be widened.
        reference: Draws of some averages, over which the ratio of the variances is pooled.
        by_fold: The same averages from every fold alone.

    Returns:
        Draws with the same mean, never narrower.
    """
    if len(draws) < 2:
        return draws
    found = (by_fold.var(0, ddof=1) / len(by_fold)).mean() / reference.var(0).mean()
    centre = draws.mean(0)
    return centre + np.sqrt(max(found, 1.0)) * (draws - centre)

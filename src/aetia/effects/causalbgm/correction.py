r"""Averages of potential outcomes, corrected by what out-of-fold residuals say.

A network that shrinks what it cannot tell biases every average that is made of it, and an interval
from its own uncertainty does not know. One step along the efficient influence function removes the
first order of that bias. Carried out under weights of the Bayesian bootstrap (Rubin, 1981) it
gives draws of a posterior whose intervals are calibrated in large samples (Yiu, Fong, Holmes &
Rousseau, 2025, on corrected posteriors; Chernozhukov et al., 2018, on the two folds).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

__all__ = [
    "arm_scores",
    "bootstrap_weights",
    "corrected_dose_response",
    "expected_basis",
    "natural_spline",
    "spline_knots",
]

_PROPENSITY_FLOOR = 0.02
"""Propensities are kept this far from 0 and 1: fewer than 2 in 100 like it is no comparison."""

_RIDGE = 1e-3
"""Relative ridge of the regression of residuals."""


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
        outcome: Of every unit.
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
        doses: That were received.
        n_knots: At most so many; fewer if doses are tied.

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
        knots: At least two.

    Returns:
        Basis functions; they sum to 1.
    """
    inside = np.clip(x, knots[0], knots[-1])
    return CubicSpline(knots, np.eye(len(knots)), bc_type="natural")(inside)


def expected_basis(
    mean: Float[np.ndarray, " n"],
    sd: Float[np.ndarray, " n"],
    knots: Float[np.ndarray, " k"],
    n_nodes: int = 15,
) -> Float[np.ndarray, "n k"]:
    """Average the basis over the normal law of every unit's dose, by Gauss-Hermite quadrature.

    Args:
        mean: Of the dose, given covariates.
        sd: The same.
        knots: Of the basis.
        n_nodes: Of the quadrature.

    Returns:
        E[B(t) | v].
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    values = natural_spline(mean[:, None] + sd[:, None] * nodes, knots)
    return np.einsum("nqk,q->nk", values, weights / weights.sum())


def corrected_dose_response(
    curves: Float[np.ndarray, "n doses"],
    at_knots: Float[np.ndarray, "n k"],
    doses: Float[np.ndarray, " doses"],
    treatment: Float[np.ndarray, " n"],
    residual: Float[np.ndarray, " n"],
    law: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    weights: Float[np.ndarray, "draws n"],
) -> Float[np.ndarray, "draws doses"]:
    r"""Average curves over units and add what the residuals' dependence on the dose says.

    Out-of-fold residuals :math:`r = y - m(t, v)`, less their weighted mean, are regressed on
    :math:`x = B(t) - E[B(t) \mid v]`, whose coefficients do not feel errors that depend on the
    covariates alone (Robinson, 1988), and on :math:`x'(M - \bar M)` with M the unit's own curve
    at the knots, so that effects which differ between units more than the networks say do not pass
    for a bend of the average:

    .. math:: \theta(d) = \sum_i w_i m(d, v_i) + \sum_i w_i r_i
              + \left[B(d) - \sum_i w_i E_i\right]' \beta_w
              - \gamma_w \sum_i w_i E_i'(M_i - \bar M), \quad E_i = E[B(t) \mid v_i]

    Args:
        curves: m(d, v) of every unit and dose.
        at_knots: The same at the knots of :func:`spline_knots`.
        doses: d.
        treatment: Doses received.
        residual: r.
        law: Mean and standard deviation of every unit's dose, given covariates.
        weights: One row for each draw.

    Returns:
        Mean potential outcomes.
    """
    plug_in = weights @ curves + (weights @ residual)[:, None]
    knots = spline_knots(treatment)
    if len(knots) < 2:
        return plug_in
    expected = expected_basis(*law, knots)
    own = at_knots - at_knots.mean(0)
    x = natural_spline(treatment, knots) - expected
    x = np.column_stack([x, np.sum(x * own, 1)])
    shift = np.column_stack([expected, np.sum(expected * own, 1)])
    q = x.shape[1]
    gram = (weights @ (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)).reshape(-1, q, q)
    ridge = _RIDGE * np.trace(gram[:, :-1, :-1], axis1=1, axis2=2) / (q - 1)
    gram = gram + ridge[:, None, None] * np.eye(q)
    # Without its mean, which doses cannot explain: a constant bias would only add noise.
    mean = weights @ residual
    right = weights @ (x * residual[:, None]) - mean[:, None] * (weights @ x)
    beta = np.linalg.solve(gram, right[..., None])[..., 0]
    at = np.column_stack([natural_spline(doses, knots), np.zeros(len(doses))])
    return plug_in + beta @ at.T - np.sum((weights @ shift) * beta, 1, keepdims=True)

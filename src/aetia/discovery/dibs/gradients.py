r"""Gradients of the DiBS posterior in the edge scores and the parameters.

Everything here estimates derivatives of :math:`\log E_{p(G|Z)}[e^{F(G)}]` with
:math:`F = \log p(\Theta, D \mid G)` or :math:`\log p(D \mid G)`, from M graphs drawn given Z
(Lorch et al., 2021, eqs. 9 to 12). Every estimator is a weighted sum of per-graph gradients.

Weights over the graphs. ``"joint"``: :math:`\mathrm{softmax}_m F(G_m)`, the self-normalised
form of the paper. ``"node"``: F is a sum over variables, :math:`F = \sum_j F_j(g_{\cdot j})`,
and given Z the columns of G are independent, so :math:`\log E e^F = \sum_j \log E e^{F_j}`
exactly and every column takes its own :math:`\mathrm{softmax}_m F_j`: same target, same cost,
far less variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.graphs import Constraints, StructurePrior
from aetia.likelihoods import JointScore, MarginalScore
from aetia.likelihoods.protocol import Parameters

__all__ = [
    "LikelihoodGradient",
    "acyclicity_gradient",
    "graph_weights",
    "likelihood_gradient",
    "prior_gradient",
]

WeightKind = Literal["node", "joint"]


class LikelihoodGradient(NamedTuple):
    """The likelihood's part of the score of every particle."""

    by_score: Float[Tensor, "s d d"]
    by_parameter: Parameters
    log_expectation: Float[Tensor, " s"]
    """Estimate of log E[exp F]."""
    ess: Float[Tensor, " s"]
    """Effective number of Monte Carlo graphs, averaged over variables with node weights."""


def graph_weights(scores: Float[Tensor, "s m d"], kind: WeightKind) -> Float[Tensor, "s m d"]:
    """Weigh the Monte Carlo graphs of every particle.

    Args:
        scores: ``F_j(G_m)``.
        kind: One softmax for each variable, or one for the whole graph.

    Returns:
        Weights that sum to one over m.
    """
    if kind == "node":
        return scores.softmax(1)
    return scores.sum(-1, keepdim=True).softmax(1).expand_as(scores)


def likelihood_gradient(
    likelihood: MarginalScore | JointScore,
    parameters: Parameters,
    soft: Float[Tensor, "s m d d"],
    probabilities: Float[Tensor, "s d d"],
    *,
    estimator: Literal["score", "reparam"],
    weights: WeightKind,
    alpha: float,
    temperature: float,
    constraints: Constraints,
) -> LikelihoodGradient:
    r"""Estimate the gradient of log E[exp F] in the edge scores and the parameters.

    Score form: :math:`\sum_m w_{mj}\, \alpha (G_m - p)_{ij}` on hard graphs. Reparameterised
    form: :math:`\sum_m w_{mj}\, \partial_{ij} F_j(\tilde G_m)\, \alpha \tau \tilde g (1 -
    \tilde g)` on soft graphs (biased, less variance). Parameters always use hard graphs, the
    same noise thresholded.

    Args:
        likelihood: Bound to data.
        parameters: One set for each particle, empty for a marginal likelihood.
        soft: Soft graphs.
        probabilities: Edge probabilities given Z.
        estimator: Which form for the edge scores.
        weights: Which weights over the graphs.
        alpha: Inverse temperature of the probabilities.
        temperature: Inverse temperature of the relaxation.
        constraints: Decided edges get no gradient.

    Returns:
        Gradients, the value, and the effective sample size of the weights.
    """

    def weigh(scores: Tensor) -> Tensor:
        return graph_weights(scores, weights)

    by_parameter: Parameters = {}
    scores: Tensor | None = None
    hard: Tensor | None = None
    slopes = soft  # replaced below unless the score form needs none
    if isinstance(likelihood, JointScore) and likelihood.parameters:
        hard = (soft > 0.5).to(soft.dtype)
        result = likelihood.parameter_gradients(hard, parameters, weigh)
        scores, by_parameter = result.scores, result.parameters
        if estimator == "reparam":
            graph_result = likelihood.graph_gradients(soft, parameters, weigh)
            slopes = graph_result.graphs
    elif estimator == "score":
        hard = soft > 0.5
        scores = likelihood.node_scores(hard)  # pyright: ignore[reportCallIssue]
    else:
        leaf = soft.detach().requires_grad_()
        with torch.enable_grad():
            scores = likelihood.node_scores(leaf)  # pyright: ignore[reportCallIssue]
            total = (weigh(scores.detach()) * scores).sum()
        (slopes,) = torch.autograd.grad(total, leaf)
        scores = scores.detach()
    weight = weigh(scores)
    if estimator == "score":
        assert hard is not None
        # sum_m w_mj (G_m - p) = E_w[G]_j - p_j, because the weights sum to one.
        chosen = torch.einsum("smij,smj->sij", hard.to(soft.dtype), weight.to(soft.dtype))
        by_score = alpha * (chosen - probabilities)
    else:
        curvature = torch.addcmul(soft, soft, soft, value=-1.0)
        by_score = (alpha * temperature) * (slopes * curvature).sum(1)
    by_score = by_score.masked_fill(constraints.forbidden | constraints.required, 0.0)
    total_scores = scores if weights == "node" else scores.sum(-1, keepdim=True)
    log_expectation = (total_scores.logsumexp(1) - math.log(scores.shape[1])).sum(-1)
    ess = 1.0 / weight.square().sum(1)
    return LikelihoodGradient(by_score, by_parameter, log_expectation, ess.mean(-1))


def acyclicity_gradient(
    function: Callable[[Tensor], Tensor],
    soft: Float[Tensor, "s a d d"],
    *,
    alpha: float,
    temperature: float,
) -> tuple[Float[Tensor, "s d d"], Float[Tensor, " s"]]:
    """Estimate the gradient of E[h(G)] in the edge scores, always through soft graphs.

    A hard draw inside a differentiated penalty has zero gradient.

    Args:
        function: h, one of ``aetia.graphs.ACYCLICITY``.
        soft: Soft graphs; decided entries are 0 or 1 and so get no gradient.
        alpha: Inverse temperature of the probabilities.
        temperature: Inverse temperature of the relaxation.

    Returns:
        The gradient, and the mean of h over the soft graphs.
    """
    leaf = soft.detach().requires_grad_()
    with torch.enable_grad():
        h = function(leaf)
        (slope,) = torch.autograd.grad(h.sum(), leaf)
    curvature = torch.addcmul(leaf.detach(), leaf.detach(), leaf.detach(), value=-1.0)
    return (alpha * temperature) * (slope * curvature).mean(1), h.detach().mean(1)


def prior_gradient(
    prior: StructurePrior,
    probabilities: Float[Tensor, "s d d"],
    *,
    alpha: float,
    constraints: Constraints,
) -> tuple[Float[Tensor, "s d d"], Float[Tensor, " s"]]:
    """Differentiate the structural prior of the edge probabilities in the edge scores.

    Args:
        prior: Its ``log_prob`` is evaluated on the matrix of probabilities.
        probabilities: Edge probabilities given Z.
        alpha: Inverse temperature.
        constraints: Soft beliefs add their log-odds for every edge.

    Returns:
        The gradient, and the log prior.
    """
    leaf = probabilities.detach().requires_grad_()
    with torch.enable_grad():
        beliefs = (constraints.log_odds * leaf).sum((-2, -1))
        log_prior = prior.log_prob(leaf) + beliefs
        slope = torch.zeros_like(leaf)
        if log_prior.requires_grad:
            (slope,) = torch.autograd.grad(log_prior.sum(), leaf)
    p = leaf.detach()
    by_score = slope * alpha * p * (1 - p)
    return by_score, log_prior.detach()

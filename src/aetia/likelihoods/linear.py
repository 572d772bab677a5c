r"""The linear Gaussian likelihood with explicit weights (Lorch et al., 2021, section 5).

For variable j with weights :math:`w_j = g_{\cdot j} \circ \theta_{\cdot j}` and noise variance
:math:`v_j`, over the N rows in which j was not set by intervention,

.. math:: \log p_j = -\tfrac{1}{2 v_j} \left(S_{jj} - 2 S_{j\cdot} w_j + w_j^\top S w_j\right)
          - \tfrac N2 \log 2 \pi v_j
          + \sum_i g_{ij} \log \mathcal N(\theta_{ij}; 0, s^2),

with :math:`S = \sum_n x_n x_n^\top`, so a step costs the same for any number of rows. There is no
intercept: columns are centred. An absent edge contributes no prior term.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.likelihoods.linear_evidence import LinearEvidence
from aetia.likelihoods.moments import Moments
from aetia.likelihoods.parameters import WeightPosterior, regress_on_parents
from aetia.likelihoods.protocol import GraphGradients, ParameterGradients, Parameters, Weigh
from aetia.options import check_positive

__all__ = ["LinearGaussian", "LinearJoint"]


@dataclass(frozen=True, kw_only=True)
class LinearGaussian:
    """Options of the linear Gaussian model.

    Attributes:
        noise_variance: Variance of the noise of every variable, in squared data units, or
            ``"learned"``: one unknown variance for each variable, inverse gamma a priori. Equal
            variances identify the graph; learned ones only its equivalence class (nearly).
        theta_prior_scale: Standard deviation of the weights a priori; with learned noise, in
            units of the noise standard deviation.
        noise_shape: Shape of the inverse gamma prior of learned variances.
        noise_rate: Its rate, in squared data units.
        min_weight: Initial weights keep at least this distance from zero.
    """

    noise_variance: float | Literal["learned"] = 0.1
    theta_prior_scale: float = 1.0
    noise_shape: float = 2.0
    noise_rate: float = 1.0
    min_weight: float = 0.5
    name = "linear"
    kinds = ("continuous", "binary", "count")
    scaling = "centre"
    """What ``scaling="auto"`` means: dividing by the column's scale destroys identifiability."""

    def __post_init__(self) -> None:
        if isinstance(self.noise_variance, str) and self.noise_variance != "learned":
            raise InputError(
                "LinearGaussian: noise_variance must be a number or 'learned', "
                f"got {self.noise_variance!r}."
            )
        if self.noise_variance != "learned":
            check_positive(self, "noise_variance")
        check_positive(self, "theta_prior_scale", "noise_shape", "noise_rate")
        check_positive(self, "min_weight", zero=True)

    def on(
        self,
        x: Float[Tensor, "n d"],
        intervened: Bool[Tensor, "n d"] | None = None,
        *,
        likelihood_scale: float = 1.0,
    ) -> LinearJoint:
        """Bind the joint likelihood to a table.

        Args:
            x: The data, centred; its dtype is that of the computation.
            intervened: True where a variable was set by intervention.
            likelihood_scale: Multiplies the log-likelihood, not the prior; for minibatches.

        Returns:
            Scores and gradients of graphs with weights.
        """
        return LinearJoint(
            self, Moments.of(x, intervened), dtype=x.dtype, likelihood_scale=likelihood_scale
        )

    def evidence(self, moments: Moments) -> LinearEvidence:
        """Integrate the weights out, in closed form.

        Args:
            moments: Statistics of the centred table.

        Returns:
            The log evidence of graphs, with each parent set scored once.
        """
        return LinearEvidence(
            moments,
            noise_variance=self.noise_variance,
            theta_prior_scale=self.theta_prior_scale,
            noise_shape=self.noise_shape,
            noise_rate=self.noise_rate,
        )

    def local_scores(self, data: Dataset) -> LinearEvidence:
        """Bind the evidence to a complete table, for its tables over parent sets.

        Args:
            data: The table, centred.

        Returns:
            The evidence, which is a ``LocalScores``.
        """
        intervened = None if data.intervened is None else torch.from_numpy(data.intervened)
        return self.evidence(Moments.of(torch.from_numpy(data.values).double(), intervened))

    def weight_posterior(self, graphs: Bool[Tensor, "s d d"], moments: Moments) -> WeightPosterior:
        """Compute the posterior of the weights (and learned variances), given each graph.

        Args:
            graphs: DAGs.
            moments: Statistics of the table, in the scale that the likelihood used.

        Returns:
            Gaussian posteriors for a fixed noise variance, Student for learned ones.
        """
        gram, n = moments.about_zero(), moments.n
        fixed = None if self.noise_variance == "learned" else float(self.noise_variance)
        ridge = (1.0 if fixed is None else fixed) / self.theta_prior_scale**2
        mean, inverse, residual = regress_on_parents(graphs, gram, ridge)
        if fixed is not None:
            noise = torch.full_like(residual, fixed)
            return WeightPosterior(mean, inverse, torch.full_like(residual, torch.inf), noise)
        shape = (self.noise_shape + n / 2).expand_as(residual)
        return WeightPosterior(mean, inverse, shape, self.noise_rate + residual / 2)


class LinearJoint:
    """Log joint density of graph weights and data, with closed-form gradients."""

    def __init__(
        self,
        options: LinearGaussian,
        moments: Moments,
        *,
        dtype: torch.dtype = torch.float64,
        likelihood_scale: float = 1.0,
    ) -> None:
        self.options = options
        self.learned = options.noise_variance == "learned"
        self.parameters: tuple[str, ...] = ("theta", "log_noise") if self.learned else ("theta",)
        self.n = (moments.n * likelihood_scale).to(dtype)
        self.gram = (moments.about_zero() * likelihood_scale).to(dtype)  # [k, d, d]
        d = self.gram.shape[-1]
        nodes = torch.arange(d, device=self.gram.device)
        own = nodes if len(self.gram) > 1 else torch.zeros_like(nodes)
        self.cross = self.gram[own, nodes]  # [j, i]: S_ji in j's own rows
        self.square = self.cross.diagonal()
        self.floats_per_graph = 3 * d * d

    def sample_parameters(self, n: int, generator: torch.Generator) -> Parameters:
        """Draw weights from the prior, kept away from zero (DiBS initialisation).

        Args:
            n: Number of particles.
            generator: Source of randomness.

        Returns:
            ``theta [n, d, d]`` and, with learned noise, ``log_noise [n, d]``.
        """
        d, dtype, device = self.gram.shape[-1], self.gram.dtype, self.gram.device
        theta = torch.randn(n, d, d, dtype=dtype, device=device, generator=generator)
        theta = theta * self.options.theta_prior_scale
        theta = theta + theta.sign() * self.options.min_weight
        if not self.learned:
            return {"theta": theta}
        spread = (self.square / self.n.clamp_min(1.0)).clamp_min(1e-12).log()
        return {"theta": theta, "log_noise": spread.expand(n, d).clone()}

    def node_scores(
        self, graphs: Float[Tensor, "s m d d"], parameters: Parameters
    ) -> Float[Tensor, "s m d"]:
        """Compute log p(theta_j, data_j | graph) for each variable.

        Args:
            graphs: M hard (as floats) or soft graphs for each of S particles.
            parameters: One set for each particle.

        Returns:
            One term for each variable.
        """
        return self._terms(graphs, parameters).scores

    def node_log_likelihoods(
        self, graphs: Float[Tensor, "s m d d"], parameters: Parameters
    ) -> Float[Tensor, "s m d"]:
        """Compute log p(data_j | graph, theta) for each variable, without the prior.

        Args:
            graphs: Graphs, as for :meth:`node_scores`.
            parameters: One set for each particle.

        Returns:
            One term for each variable.
        """
        terms = self._terms(graphs, parameters)
        variance = self._variance(parameters).unsqueeze(1)
        return -0.5 * (self._squares(terms) / variance + self.n * (2 * math.pi * variance).log())

    def graph_gradients(
        self, graphs: Float[Tensor, "s m d d"], parameters: Parameters, weigh: Weigh
    ) -> GraphGradients:
        """Compute scores and their weighted gradients in the graphs, without autograd.

        Args:
            graphs: Graphs, as for :meth:`node_scores`.
            parameters: One set for each particle.
            weigh: Turns scores ``[s, m, d]`` into weights of the same shape.

        Returns:
            Scores, and weight times the derivative for every graph entry.
        """
        terms = self._terms(graphs, parameters)
        weight = weigh(terms.scores).unsqueeze(-1)  # [s, m, j, 1]
        slope = torch.sub(terms.linear, terms.curved, alpha=2.0)
        return GraphGradients(terms.scores, slope.mul_(weight).mT)

    def parameter_gradients(
        self, graphs: Float[Tensor, "s m d d"], parameters: Parameters, weigh: Weigh
    ) -> ParameterGradients:
        """Compute scores and their weighted gradients in the parameters, without autograd.

        Args:
            graphs: Graphs, as for :meth:`node_scores`.
            parameters: One set for each particle.
            weigh: Turns scores into weights.

        Returns:
            Scores, and gradients summed over the weighted graphs.
        """
        terms = self._terms(graphs, parameters)
        weight = weigh(terms.scores)
        variance = self._variance(parameters)
        edges = terms.g * weight.unsqueeze(-1)
        kept = edges.sum(1)
        explained = (edges * terms.explained).sum(1)
        by_data = (kept * self.cross - explained) / variance.unsqueeze(-1)
        precision = self._prior_precision(parameters).unsqueeze(-1)
        by_theta = by_data - precision * terms.theta.squeeze(1) * kept
        gradients: Parameters = {"theta": by_theta.mT}
        if self.learned:
            v, scale = variance.unsqueeze(1), self.options.theta_prior_scale**2
            squares = self._squares(terms)
            prior = 0.5 * terms.theta.square() / (scale * v.unsqueeze(-1)) - 0.5
            own = self.options.noise_rate / v - self.options.noise_shape
            slope = 0.5 * squares / v - 0.5 * self.n + (terms.g * prior).sum(-1) + own
            gradients["log_noise"] = (weight * slope).sum(1)
        return ParameterGradients(terms.scores, gradients)

    def _variance(self, parameters: Parameters) -> Tensor:
        if self.learned:
            return parameters["log_noise"].exp()
        value = float(self.options.noise_variance)
        return torch.full_like(self.square, value).unsqueeze(0)

    def _prior_precision(self, parameters: Parameters) -> Tensor:
        unit = self._variance(parameters) if self.learned else torch.ones_like(self.square)[None]
        return 1.0 / (self.options.theta_prior_scale**2 * unit)

    def _terms(self, graphs: Tensor, parameters: Parameters) -> _Terms:
        r"""Evaluate the score as :math:`\sum_i g_{ij} (a_{ij} - b_{ij} (S w_j)_i)` + constant.

        With :math:`a = \theta S_j / v + \log N(\theta)` and :math:`b = \theta / 2v` nothing but
        one matrix product and a few passes over the Monte Carlo graphs is left, and the
        derivative in :math:`g_{ij}` is :math:`a - 2 b (S w_j)_i`.
        """
        g = graphs.mT
        theta = parameters["theta"].mT.contiguous().unsqueeze(1)  # [s, 1, j, i]
        variance = self._variance(parameters)[:, None, :, None]
        precision = self._prior_precision(parameters)[:, None, :, None]
        log_prior = 0.5 * ((precision / (2 * math.pi)).log() - precision * theta.square())
        linear = theta * self.cross / variance + log_prior
        weights = g * theta
        if len(self.gram) == 1:
            explained = (weights.reshape(-1, g.shape[-1]) @ self.gram[0]).view(g.shape)
        else:
            explained = torch.einsum("smjk,jki->smji", weights, self.gram)
        curved = explained * (0.5 * theta / variance)
        scores = (g * (linear - curved)).sum(-1) + self._constant(parameters).unsqueeze(1)
        return _Terms(scores, g, theta, explained, linear, curved)

    def _constant(self, parameters: Parameters) -> Tensor:
        """Sum what does not depend on the graph: S_jj / 2v, N/2 log 2 pi v, the prior of v."""
        v = self._variance(parameters)
        constant = -0.5 * (self.square / v + self.n * (2 * math.pi * v).log())
        if not self.learned:
            return constant
        a, b = self.options.noise_shape, self.options.noise_rate
        log_v = parameters["log_noise"]
        return constant + a * math.log(b) - math.lgamma(a) - a * log_v - b * (-log_v).exp()

    def _squares(self, terms: _Terms) -> Tensor:
        """Residual sum of squares, S_jj - w_j (2 S_j - S w_j)."""
        weights = terms.g * terms.theta
        return self.square - (weights * (2.0 * self.cross - terms.explained)).sum(-1)


class _Terms(NamedTuple):
    """What scores and gradients share; the last two axes are (target, source)."""

    scores: Tensor
    g: Tensor
    theta: Tensor
    explained: Tensor
    linear: Tensor
    curved: Tensor

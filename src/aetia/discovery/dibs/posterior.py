r"""The unnormalised log posterior of the particles, and its gradient.

.. math:: \log p(Z, \Theta, D) = -\beta\, E[h(G)] + \log N(Z; 0, \sigma_z^2 I) + \log f(p(Z))
          + \log E[e^{F(G)}]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.discovery.dibs.gradients import (
    acyclicity_gradient,
    likelihood_gradient,
    prior_gradient,
)
from aetia.discovery.dibs.latent import (
    edge_probabilities,
    edge_scores,
    latent_gradient,
    latent_log_prior,
    soft_graphs,
    uniform_noise,
)
from aetia.discovery.dibs.schedules import Schedule
from aetia.graphs import Constraints, StructurePrior
from aetia.likelihoods import JointScore, MarginalScore

__all__ = ["LatentPosterior", "ScoreInfo"]

_MAX_FLOATS = 2**21
"""Working set of one block of particles: 8 MB in float32, a few of them fit into the caches."""


class ScoreInfo(NamedTuple):
    """Parts of the log posterior at the old particles, averaged where they are estimates."""

    log_likelihood: Float[Tensor, " s"]
    log_prior: Float[Tensor, " s"]
    acyclicity: Float[Tensor, " s"]
    alpha: float
    beta: float
    ess: Float[Tensor, " s"]

    @property
    def log_joint(self) -> Float[Tensor, " s"]:
        """The log posterior up to a constant."""
        return self.log_likelihood + self.log_prior - self.beta * self.acyclicity


@dataclass(frozen=True, eq=False, kw_only=True)
class LatentPosterior:
    """The target of the sampler: a score function of particles, step and generator."""

    likelihood: Callable[[torch.Generator], MarginalScore | JointScore]
    """Bound to all rows, or to the minibatch of a step."""
    prior: StructurePrior
    constraints: Constraints
    acyclicity: Callable[[Tensor], Tensor]
    alpha: Schedule
    beta: Schedule
    n_steps: int
    n_likelihood_graphs: int
    n_acyclicity_graphs: int
    estimator: Literal["score", "reparam"]
    gradient_weights: Literal["node", "joint"]
    temperature: float
    latent_prior_std: float

    def __call__(
        self, position: dict[str, Tensor], step: int, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], ScoreInfo]:
        """Estimate the gradient of the log posterior for every particle.

        Args:
            position: ``z`` and the parameters of the likelihood, particles first.
            step: Sets alpha and beta.
            generator: Source of the Monte Carlo graphs.

        Returns:
            The gradient in the shape of the position, and the parts of the value.
        """
        alpha, beta = self.alpha(step, self.n_steps), self.beta(step, self.n_steps)
        likelihood = self.likelihood(generator)
        z = position["z"]
        parameters = {k: v for k, v in position.items() if k != "z"}
        scores = edge_scores(z)
        p = edge_probabilities(scores, alpha, self.constraints)
        # Particles go in blocks, so that the graphs of a block stay in the caches.
        n_graphs = max(self.n_likelihood_graphs, self.n_acyclicity_graphs)
        d = scores.shape[-1]
        floats = max(likelihood.floats_per_graph, d * d) * n_graphs
        blocks = torch.arange(len(z)).split(max(1, _MAX_FLOATS // floats))
        by_score, by_parameter, values, ess, h_values = [], [], [], [], []
        for block in blocks:
            at = slice(int(block[0]), int(block[-1]) + 1)
            noise = uniform_noise((len(block), n_graphs, d), z, generator)
            soft = soft_graphs(noise, scores[at], alpha, self.temperature, self.constraints)
            part = likelihood_gradient(
                likelihood,
                {k: v[at] for k, v in parameters.items()},
                soft[:, : self.n_likelihood_graphs],
                p[at],
                estimator=self.estimator,
                weights=self.gradient_weights,
                alpha=alpha,
                temperature=self.temperature,
                constraints=self.constraints,
            )
            by_h, h = acyclicity_gradient(
                self.acyclicity,
                soft[:, : self.n_acyclicity_graphs],
                alpha=alpha,
                temperature=self.temperature,
            )
            by_score.append(part.by_score - beta * by_h)
            by_parameter.append(part.by_parameter)
            values.append(part.log_expectation)
            ess.append(part.ess)
            h_values.append(h)
        # The prior needs no drawn graphs, so all particles go at once.
        by_prior, log_prior = prior_gradient(
            self.prior, p, alpha=alpha, constraints=self.constraints
        )
        total = torch.cat(by_score) + by_prior
        gradient = {"z": latent_gradient(total, z) - z / self.latent_prior_std**2}
        for name in parameters:
            gradient[name] = torch.cat([part[name] for part in by_parameter])
        return gradient, ScoreInfo(
            log_likelihood=torch.cat(values),
            log_prior=log_prior + latent_log_prior(z, self.latent_prior_std),
            acyclicity=torch.cat(h_values),
            alpha=alpha,
            beta=beta,
            ess=torch.cat(ess),
        )

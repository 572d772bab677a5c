"""One run of the sampler on one table: what is sampled, from where, with what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from aetia.discovery.dibs.config import DiBSConfig, as_schedule
from aetia.discovery.dibs.latent import edge_scores, limit_graphs
from aetia.discovery.dibs.posterior import LatentPosterior
from aetia.discovery.dibs.settling import settle
from aetia.discovery.dibs.trace import Trace
from aetia.discovery.table import DiscoveryTable
from aetia.errors import InputError, NumericalError
from aetia.graphs import ACYCLICITY, STRUCTURE_PRIORS, Constraints, is_acyclic
from aetia.likelihoods import JointScore
from aetia.options import choose
from aetia.randomness import torch_generator
from aetia.samplers import KERNELS, OPTIMISERS, SVGD, FixedBandwidth

__all__ = ["ParticleRun"]

_FINAL_ALPHA = {"bge": 200.0, "linear": 100.0, "mlp": 60.0}
_FINAL_BETA = 2000.0


class ParticleRun:
    """One run of the sampler on one table."""

    def __init__(
        self, config: DiBSConfig, likelihood: Any, table: DiscoveryTable, device: torch.device
    ) -> None:
        self.config, self.likelihood, self.table, self.device = config, likelihood, table, device
        self.x = table.x.to(device=device, dtype=torch.float32)
        self.intervened = None if table.intervened is None else table.intervened.to(device)
        self.constraints = Constraints(
            table.constraints.required.to(device),
            table.constraints.forbidden.to(device),
            table.constraints.log_odds.to(device=device, dtype=torch.float32),
        )
        self.prior = choose("prior", config.prior, STRUCTURE_PRIORS, needs="log_prob")
        d = table.data.d
        self.prior.log_prob(torch.zeros(d, d))  # degenerate priors are refused before the run
        self.bound = likelihood.on(self.x, self.intervened)
        self.is_joint = bool(self.bound.parameters)
        if config.batch_size is not None and config.batch_size > table.data.n:
            raise InputError(
                f"batch_size={config.batch_size} is more than the {table.data.n} rows."
            )

    def sample(
        self,
        seeds: np.random.SeedSequence,
        progress: bool | None,
        callback: Callable[[int, Mapping[str, float]], None] | None,
    ) -> tuple[dict[str, Tensor], Trace]:
        # A freed block of this size raises the C allocator's threshold, so that the arrays of
        # a step are reused instead of being returned to the kernel and faulted in again.
        torch.empty(31 * 2**20, dtype=torch.uint8)
        config = self.config
        init_seeds, step_seeds = seeds.spawn(2)
        svgd = SVGD(self._target(), self._kernel(), self._optimiser())
        state = svgd.init(self._initial(torch_generator(init_seeds, self.device)))
        generator = torch_generator(step_seeds, self.device)
        trace = Trace()
        every = config.trace_every
        if callback is not None and not every:
            every = max(1, config.n_steps // 100)
        bar = tqdm(
            range(config.n_steps), desc="DiBS", disable=None if progress is None else not progress
        )
        for step in bar:
            state, info = svgd.step(state, generator)
            if not all(bool(torch.isfinite(v).all()) for v in state.position.values()):
                bad = [k for k, v in state.position.items() if not torch.isfinite(v).all()]
                raise NumericalError(
                    f"DiBS: {', '.join(bad)} became NaN or infinite at step {step} (alpha "
                    f"{info.score.alpha:g}, beta {info.score.beta:g}). Use a smaller step_size, "
                    "or check the scale of the columns against noise_variance."
                )
            if every and (step % every == 0 or step == config.n_steps - 1):
                cyclic = float((~is_acyclic(self.graphs(state.position["z"]))).float().mean())
                row = trace.record(step, info, cyclic)
                if callback is not None:
                    callback(step, row)
        return {k: v.cpu() for k, v in state.position.items()}, trace

    def graphs(self, z: Tensor) -> Tensor:
        """The graph of every particle, on its device."""
        c = self.constraints if z.device == self.device else self.table.constraints
        return limit_graphs(edge_scores(z), c)

    def largest_penalty(self, graphs: Tensor) -> float:
        return float(ACYCLICITY[self.config.acyclicity](graphs.double()).max())

    def settled(self, graphs: Tensor, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
        """Parameters at their modes given the graphs, unless they can be integrated out."""
        steps = self.config.n_settling_steps
        if not (self.is_joint and isinstance(self.bound, JointScore) and steps):
            return parameters
        if hasattr(self.likelihood, "evidence"):
            return parameters
        where = next(iter(parameters.values())).device
        here = {k: v.to(self.device) for k, v in parameters.items()}
        out = settle(self.bound, graphs.to(self.device), here, steps)
        return {k: v.to(where) for k, v in out.items()}

    def log_joint(self, graphs: Tensor, parameters: dict[str, Tensor], *, evidence: bool) -> Tensor:
        """F(G) or F(G, theta) in float64."""
        x, mask = self.table.x, self.table.intervened
        if not self.is_joint:
            return self.likelihood.on(x, mask).node_scores(graphs).sum(-1)
        if evidence:
            moments = self.table.moments().rescaled(self.table.centre, self.table.scale)
            return self.likelihood.evidence(moments).node_scores(graphs).sum(-1)
        doubles = {k: v.double() for k, v in parameters.items()}
        scores = self.likelihood.on(x, mask).node_scores(graphs.double().unsqueeze(1), doubles)
        return scores.squeeze(1).sum(-1)

    def _initial(self, generator: torch.Generator) -> dict[str, Tensor]:
        d, p = self.table.data.d, self.config.n_particles
        shape = (p, d, self._n_latent(), 2) if self.config.embedding else (p, d, d)
        z = torch.randn(shape, generator=generator, device=self.device) * self._std()
        if not (isinstance(self.bound, JointScore) and self.is_joint):
            return {"z": z}
        # A network that has seen no data explains less than none, and its edge would be given up.
        every_edge = (~self.constraints.forbidden).expand(p, d, d)
        return {"z": z} | self.settled(every_edge, self.bound.sample_parameters(p, generator))

    def _n_latent(self) -> int:
        k = self.config.n_latent
        return self.table.data.d if k == "auto" else int(k)

    def _std(self) -> float:
        if self.config.latent_prior_std != "auto":
            return float(self.config.latent_prior_std)
        return self._n_latent() ** -0.5 if self.config.embedding else 1.0

    def _bind(self, generator: torch.Generator) -> Any:
        if self.config.batch_size is None:
            return self.bound
        n = len(self.x)
        rows = torch.randperm(n, generator=generator, device=self.device)[: self.config.batch_size]
        mask = None if self.intervened is None else self.intervened[rows]
        return self.likelihood.on(self.x[rows], mask, likelihood_scale=n / len(rows))

    def _target(self) -> LatentPosterior:
        config = self.config
        name = getattr(self.likelihood, "name", "mlp")
        estimator = config.estimator
        if estimator == "auto":
            estimator = "reparam" if self.is_joint else "score"
        return LatentPosterior(
            likelihood=self._bind,
            prior=self.prior,
            constraints=self.constraints,
            acyclicity=ACYCLICITY[config.acyclicity],
            alpha=as_schedule("alpha", config.alpha, default=_FINAL_ALPHA.get(name, 60.0)),
            beta=as_schedule("beta", config.beta, default=_FINAL_BETA),
            n_steps=config.n_steps,
            n_likelihood_graphs=config.n_likelihood_graphs,
            n_acyclicity_graphs=config.n_acyclicity_graphs,
            estimator=estimator,
            gradient_weights=config.gradient_weights,
            temperature=config.temperature,
            latent_prior_std=self._std(),
        )

    def _kernel(self) -> Any:
        if isinstance(self.config.kernel, str) and self.config.kernel == "auto":
            return FixedBandwidth()
        return choose("kernel", self.config.kernel, KERNELS, needs="__call__")

    def _optimiser(self) -> Any:
        return choose("optimiser", self.config.optimiser, OPTIMISERS, needs="update")

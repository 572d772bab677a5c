"""CausalBGM whose weights and latents are sampled together."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.diagnostics import convergence
from aetia.effects.causalbgm.config import FullMCMCConfig
from aetia.effects.causalbgm.correction import bootstrap_weights
from aetia.effects.causalbgm.estimator import CausalBGM
from aetia.effects.causalbgm.fitted import Averages, Fitted, level_laws
from aetia.effects.causalbgm.generative import Units
from aetia.effects.causalbgm.latents import latent_chains, latent_density
from aetia.effects.causalbgm.study_table import read_study
from aetia.effects.causalbgm.unit_laws import Given, UnitLaws
from aetia.effects.causalbgm.weight_chains import (
    NETWORKS,
    WeightDraws,
    flat_mechanisms,
    sample_weights,
)
from aetia.errors import ConvergenceWarning
from aetia.nets import flatten_layers
from aetia.randomness import RandomState, torch_generator
from aetia.results.earlier_keys import Diagnostics

__all__ = ["FullMCMCCausalBGM"]

_WEIGHTS_FOR_NEW_UNITS = 5
"""Draws of the weights of each chain that latents of new units are sampled under."""


class FullMCMCCausalBGM(CausalBGM):
    """CausalBGM with a posterior over all weights and latents by Markov chains.

    Chains start at networks of their own. Every sweep moves the latents of all units and the
    weights of the three networks, all data at once, so a sweep costs about 30 passes over the
    data. ``mixing_`` tells whether the chains agree; do not trust intervals where R-hat is
    above 1.05.

    Args:
        treatment_kind: ``"auto"``, ``"binary"`` or ``"continuous"``.
        latent_dims: Latents of each role, or ``"auto"``.
        n_folds: Folds of the units.
        n_replicates: Networks for each fold.
        init: ``"egm"`` or ``"prior"``.
        n_egm_steps: Updates of the joint start.
        n_critic_steps: Updates of the critic for each of them.
        n_epochs: Passes of iterative updating.
        latent_updates: ``"sample"`` or ``"map"``.
        batch_size: Units of a step.
        learning_rate: Of the joint start.
        iterative_learning_rate: Of the networks in iterative updating.
        latent_learning_rate: Of the latents in iterative updating.
        encoder_units: Hidden widths of the encoder of causal latents.
        rest_encoder_units: Hidden widths of the encoder of the rest.
        covariate_units: Hidden widths of the network of the covariates.
        treatment_units: Hidden widths of the network of the treatment.
        outcome_units: Hidden widths of the network of the outcome.
        critic_units: Hidden widths of the critic.
        n_knots: Bends of every covariate.
        n_dose_knots: Bends of the dose.
        bayesian_nets: Whether weights have a law of their own.
        kl_weight: Of that law.
        relevance: Strength of the sparsity prior on covariates.
        latent_noise: Spread of latents around the encoder while it learns.
        latent_shrinkage: Weight of squared latents.
        generative_weight: Of reconstructions and critic.
        latent_weight: Of the reconstruction of latents.
        variance_penalty: Pull on raw variances.
        variance_weighting: Exponent of variances in the loss.
        correction: ``"one-step"`` or ``"none"``.
        n_draws: Draws of every posterior.
        sampler: ``"hmc"`` or ``"metropolis"``.
        n_warm_up: Steps of a sampler before it counts.
        n_kept: Stored draws of each chain.
        thin: Steps for each kept draw.
        target: ``"joint"``, or ``"weights"`` given the fitted latents.
        n_sweeps: Kept sweeps over all blocks.
        weight_prior_std: Standard deviation of the prior of weights.
        n_leapfrog: Steps of a trajectory of weights.
        random_state: None, an integer or a NumPy generator.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        progress: Whether to show a progress bar; None shows it in terminals.

    Attributes:
        mixing_: R-hat and effective sample sizes of the mean outcomes at both ends of the
            treatment and of the log density, acceptance of every block, divergences.
    """

    _method = "full-mcmc"
    _config_class = FullMCMCConfig

    def __init__(
        self,
        *,
        treatment_kind: Literal["auto", "binary", "continuous"] = "auto",
        latent_dims: tuple[int, int, int, int] | Literal["auto"] = (2, 2, 2, 4),
        n_folds: int | Literal["auto"] = 1,
        n_replicates: int = 4,
        init: Literal["egm", "prior"] = "egm",
        n_egm_steps: int | Literal["auto"] = "auto",
        n_critic_steps: int = 1,
        n_epochs: int = 5,
        latent_updates: Literal["sample", "map"] = "sample",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float = 4e-3,
        iterative_learning_rate: float = 1e-3,
        latent_learning_rate: float = 1e-2,
        encoder_units: tuple[int, ...] = (32,),
        rest_encoder_units: tuple[int, ...] = (64, 64),
        covariate_units: tuple[int, ...] = (64, 64),
        treatment_units: tuple[int, ...] = (64, 32, 8),
        outcome_units: tuple[int, ...] = (64, 64),
        critic_units: tuple[int, ...] = (64, 32, 8),
        n_knots: int = 4,
        n_dose_knots: int = 5,
        bayesian_nets: bool = False,
        kl_weight: float | Literal["auto"] = "auto",
        relevance: float = 0.1,
        latent_noise: float = 0.7,
        latent_shrinkage: float = 0.05,
        generative_weight: float = 0.1,
        latent_weight: float = 1.0,
        variance_penalty: float = 0.001,
        variance_weighting: float = 0.5,
        correction: Literal["one-step", "none"] = "none",
        n_draws: int = 400,
        sampler: Literal["hmc", "metropolis"] = "hmc",
        n_warm_up: int = 200,
        n_kept: int = 100,
        thin: int = 1,
        target: Literal["joint", "weights"] = "joint",
        n_sweeps: int = 200,
        weight_prior_std: float = 1.0,
        n_leapfrog: int = 10,
        random_state: RandomState = None,
        device: str = "auto",
        progress: bool | None = None,
    ) -> None:
        self.treatment_kind = treatment_kind
        self.latent_dims = latent_dims
        self.n_folds = n_folds
        self.n_replicates = n_replicates
        self.init = init
        self.n_egm_steps = n_egm_steps
        self.n_critic_steps = n_critic_steps
        self.n_epochs = n_epochs
        self.latent_updates = latent_updates
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.iterative_learning_rate = iterative_learning_rate
        self.latent_learning_rate = latent_learning_rate
        self.encoder_units = encoder_units
        self.rest_encoder_units = rest_encoder_units
        self.covariate_units = covariate_units
        self.treatment_units = treatment_units
        self.outcome_units = outcome_units
        self.critic_units = critic_units
        self.n_knots = n_knots
        self.n_dose_knots = n_dose_knots
        self.bayesian_nets = bayesian_nets
        self.kl_weight = kl_weight
        self.relevance = relevance
        self.latent_noise = latent_noise
        self.latent_shrinkage = latent_shrinkage
        self.generative_weight = generative_weight
        self.latent_weight = latent_weight
        self.variance_penalty = variance_penalty
        self.variance_weighting = variance_weighting
        self.correction = correction
        self.n_draws = n_draws
        self.sampler = sampler
        self.n_warm_up = n_warm_up
        self.n_kept = n_kept
        self.thin = thin
        self.target = target
        self.n_sweeps = n_sweeps
        self.weight_prior_std = weight_prior_std
        self.n_leapfrog = n_leapfrog
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def fit(self, treatment: Any, outcome: Any, covariates: Any) -> FullMCMCCausalBGM:
        """Fit the starting networks and run the chains.

        Args:
            treatment: As for :class:`CausalBGM`.
            outcome: As for :class:`CausalBGM`.
            covariates: As for :class:`CausalBGM`.

        Returns:
            The fitted estimator.
        """
        started = time.perf_counter()
        config = FullMCMCConfig(**self._options())
        table = read_study(treatment, outcome, covariates, kind=config.treatment_kind)
        vars(self).pop("_draws", None)
        self._fit(config, table)
        self._run_chains(config)
        self.facts_ = replace(self.facts_, seconds=time.perf_counter() - started)
        self.health_ = Diagnostics({**self.health_, **self.mixing_}, self.facts_)
        return self

    def _extra(self) -> dict[str, Tensor]:
        draws = self._draws
        nets = zip(NETWORKS, draws.mechanisms[:3], strict=True)
        weights = {name: flatten_layers(layers) for name, layers in nets}
        return weights | {"latents": draws.latents, "log_density": draws.log_density}

    def _restore(self, extra: dict[str, Tensor]) -> None:
        fit = self._fitted()
        self.mixing_ = {
            k: v
            for k, v in self.health_.items()
            if k.startswith(("acceptance", "rhat", "ess", "n_div", "n_draws"))
        }
        self._draws = WeightDraws(
            flat_mechanisms(fit.networks, extra), extra["latents"], extra["log_density"], {}, 0
        )

    def _run_chains(self, config: FullMCMCConfig) -> None:
        fit = self._fitted()
        start = fit.encoded(fit.units) if fit.latents is None else fit.latents
        generator = torch_generator(self._question("chains"), fit.networks.knots.device)
        self._draws: WeightDraws = sample_weights(
            fit.networks,
            fit.prior,
            fit.units,
            start,
            config,
            generator,
            progress=self.progress,
        )
        ends = np.quantile(fit.table.treatment, [0.1, 0.9])
        codes = np.array([0.0, 1.0]) if fit.table.is_binary else ends
        means = self._population(fit, codes).mean(2)
        traced = np.concatenate(
            [means, self._draws.log_density.double().cpu().numpy()[..., None]], -1
        )
        self.mixing_ = {f"acceptance_{k}": v for k, v in self._draws.acceptance.items()}
        self.mixing_["n_divergent"] = float(self._draws.n_divergent)
        if len(traced) >= 4:
            found = convergence(traced.swapaxes(0, 1))
            self.mixing_ |= found.summary()
            if self.mixing_["rhat_max"] > 1.05:
                warnings.warn(
                    f"the chains do not agree (R-hat up to {self.mixing_['rhat_max']:.2f}, "
                    f"smallest effective sample {self.mixing_['ess_bulk_min']:.0f}): intervals are "
                    "too narrow or misplaced. Raise n_warm_up and n_sweeps, or use CausalBGM.",
                    ConvergenceWarning,
                    stacklevel=3,
                )

    def _population(
        self, fit: Fitted, codes: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, "draws chains n k"]:
        """Mean outcomes of every unit under every level, for every kept draw."""
        levels = fit.table.scaled_codes(codes)
        with torch.no_grad():
            laws = level_laws(self._draws.mechanisms, fit.networks, self._draws.latents, levels)
        return fit.in_outcome_units(laws.mean.double().cpu().numpy())

    def _averages(
        self, fit: Fitted, codes: Float[np.ndarray, " k"], rng: np.random.Generator
    ) -> Averages:
        n = fit.table.n
        levels = fit.table.scaled_codes(codes)
        n_kept, n_chains = self._draws.log_density.shape
        which = rng.integers(n_kept * n_chains, size=self._config.n_draws)
        weights = bootstrap_weights(len(which), n, rng)
        means, single = np.empty((len(which), len(codes))), np.empty((len(which), len(codes)))
        flat = self._draws.latents.flatten(0, 1)
        for at in np.unique(which):  # one kept state at a time: memory stays that of one
            mine = which == at
            z = flat[at]
            draw, chain = divmod(int(at), n_chains)
            mechanisms = self._draws.mechanisms.map(lambda w, i=draw, j=chain: w[i, j])
            with torch.no_grad():
                laws = level_laws(mechanisms, fit.networks, z, levels)
            mean = fit.in_outcome_units(laws.mean.double().cpu().numpy())
            sd = laws.variance.double().sqrt().cpu().numpy() * fit.table.outcome_scale[1]
            means[mine] = weights[mine] @ mean
            unit = rng.integers(n, size=int(mine.sum()))
            noise = rng.standard_normal((len(unit), len(codes)))
            single[mine] = mean[unit] + sd[unit] * noise
        return Averages(means, single)

    def _unit_laws(
        self,
        fit: Fitted,
        units: Units,
        segments: Tensor | None,
        levels: Float[np.ndarray, " k"],
        given: Given,
        seeds: np.random.SeedSequence,
    ) -> UnitLaws:
        generator = torch_generator(seeds, fit.networks.knots.device)
        report: dict[str, float] = dict(self.mixing_)
        if units.outcome is not None and units is fit.units:
            mechanisms, latents = self._draws.mechanisms, self._draws.latents
        else:
            at = torch.linspace(0, len(self._draws.latents) - 1, _WEIGHTS_FOR_NEW_UNITS).long()
            mechanisms = self._draws.mechanisms.map(lambda weight: weight[at])
            density = latent_density(
                mechanisms,
                fit.networks.roles,
                units,
                fit.prior,
                is_binary=fit.networks.is_binary,
            )
            start = fit.encoded(units).expand(len(at), *(-1,) * 3).contiguous()
            chains = latent_chains(
                density,
                start,
                generator,
                sampler=self._config.sampler,
                n_warm_up=self._config.n_warm_up,
                n_kept=self._config.n_kept,
                thin=self._config.thin,
            )
            report["acceptance_latents"] = float(chains.warm_up.acceptance.mean())
            latents = torch.stack(list(chains.draws))
        with torch.no_grad():
            laws = level_laws(mechanisms, fit.networks, latents, levels)
        mean = laws.mean.reshape(-1, *laws.mean.shape[-2:])
        variance = laws.variance.reshape(-1, *laws.variance.shape[-2:]).mean(0)
        pick = torch.randperm(len(mean), generator=generator, device=mean.device)
        mean = mean[pick[: self._config.n_draws]]
        scale = fit.table.outcome_scale[1]
        return UnitLaws(
            fit.in_outcome_units(mean.double().cpu().numpy()),
            variance.double().cpu().numpy() * scale**2,
            report,
        )

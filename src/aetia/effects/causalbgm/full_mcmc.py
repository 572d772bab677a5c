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
from aetia.effects.causalbgm.fitted import Averages, Fitted, level_distributions
from aetia.effects.causalbgm.generative import Units
from aetia.effects.causalbgm.latents import latent_chains, latent_density
from aetia.effects.causalbgm.study_table import read_study
from aetia.effects.causalbgm.unit_distributions import Given, UnitDistributions
from aetia.effects.causalbgm.weight_chains import (
    NETWORKS,
    WeightDraws,
    flat_mechanisms,
    sample_weights,
)
from aetia.errors import ConvergenceWarning
from aetia.nets import flatten_layers
from aetia.options import earlier_names
from aetia.randomness import RandomState, torch_generator
from aetia.results.earlier_keys import Diagnostics

__all__ = ["FullMCMCCausalBGM"]

_WEIGHTS_FOR_NEW_UNITS = 5
"""Draws of the weights of each chain that latents of new units are sampled under."""


@earlier_names(n_warm_up="n_warmup", correction=None)
class FullMCMCCausalBGM(CausalBGM):
    """CausalBGM with a posterior over all weights and latents by Markov chains.

    Chains start at networks of their own. Every sweep moves the latents of all units and the
    weights of the three networks, all data at once, so a sweep costs about 30 passes over the
    data. ``mixing_`` tells whether the chains agree; do not trust intervals where R-hat is
    above 1.05.

    Args:
        treatment_kind: How the treatment is read: arms (``"binary"``), doses (``"continuous"``), or
            ``"auto"``, which takes a column with two levels as arms. State it where a dose happens
            to have two levels.
        latent_dims: Numbers of latents that confound, that only the outcome depends on, that only
            the treatment depends on, and that explain the other covariates. More latents can follow
            more directions and take longer to fit; ``"auto"`` estimates the numbers by sliced
            inverse regression and principal components.
        n_folds: Folds of the units in the fit of the networks at which chains are initialised. One
            fold keeps a fifth of the units as validation rows; the chains use all units.
        n_replicates: Chains for each fold, each initialised at a network of its own. More chains
            show better whether they agree and take proportionally longer.
        init: Whether encoder and networks are initialised together against a critic (``"egm"``), or
            latents by draws from their prior (``"prior"``), which leaves everything to iterative
            updating and needs ``n_epochs``.
        n_egm_steps: Updates of the networks in the joint initialisation; time grows in proportion.
            ``"auto"`` is 1,000, rising with the root of the number of units to at most 2,000. Raise
            it if validation losses still fall at the end.
        n_critic_steps: Updates of the critic for each update of the networks. Raise it if the
            distribution of encoded units stays far from the prior.
        n_epochs: Passes over the units of iterative updating before the chains: networks given
            latents in turn with latents given networks.
        latent_updates: How iterative updating moves latents: drawn from their posterior
            (``"sample"``), or to its mode by gradients (``"map"``, the original).
        batch_size: Units of one update; ``"auto"`` is 64, or 256 from 4,000 units on. Smaller
            minibatches make updates noisier and cheaper.
        learning_rate: Largest step size of the joint initialisation; it falls to a fiftieth by a
            cosine. Lower it if losses jump or are not finite.
        iterative_learning_rate: Largest step size of the networks in iterative updating; it falls
            by a cosine. Lower it if losses jump or are not finite.
        latent_learning_rate: Step size of the latents in iterative updating, which only
            ``latent_updates="map"`` moves by gradients.
        encoder_units: Hidden widths of the encoder of the latents that treatment and outcome depend
            on.
        rest_encoder_units: Hidden widths of the encoder of the other latents, which only the
            covariates depend on.
        covariate_units: Hidden widths of the network of the covariates (g in the paper).
        treatment_units: Hidden widths of the network of the treatment (h in the paper).
        outcome_units: Hidden widths of the network of the outcome (f in the paper). Widen it if the
            outcome depends on latents in a more complicated way than the fit can follow.
        critic_units: Hidden widths of the critic that discriminates encoded units from draws of the
            prior.
        n_knots: Knots of every covariate, at its quantiles; their hinges are inputs of the encoder
            beside the covariate itself. More knots follow more curved dependence and need more
            units; 0 leaves the covariate alone.
        n_dose_knots: Knots of the dose, at its quantiles; their hinges are inputs of the network of
            the outcome. More knots follow more curved dose responses; arms have none.
        bayesian_nets: Whether the weights of the networks have a posterior (mean field), so that
            intervals of unit effects also show how uncertain single networks are, beside their
            disagreement.
        kl_weight: Penalty weight of the divergence of that posterior from the prior of the weights;
            higher values keep weights closer to the prior. ``"auto"`` is one over the number of
            training rows, with which the loss is a bound of the evidence.
        relevance: Penalty weight of the relevance prior, which switches covariates off at the input
            of the encoder. 1 is the evidence approximation with every weight counted, 0 switches
            the prior off; raise it if many covariates are noise.
        latent_noise: Standard deviation of the noise on encoded latents in the joint
            initialisation, in units of the prior; it falls linearly to zero. More noise regularises
            the networks more.
        latent_shrinkage: Penalty weight on half the squared latents that treatment and outcome
            depend on; 1 is the weight in an evidence bound, 0 switches it off. Raise it if
            validation losses rise while training losses fall.
        generative_weight: Weight of reconstructions and critic in the joint initialisation,
            relative to the losses of treatment and outcome. Higher values favour a model of the
            covariates over predictions; 0 leaves both out.
        latent_weight: Weight of the reconstruction of drawn latents among the reconstructions of
            the joint initialisation.
        variance_penalty: Penalty weight on the squared raw variances of covariates in the joint
            initialisation, which shrinks variances to 0.69 (raw variance 0).
        variance_weighting: Exponent with which the variance of a unit multiplies its loss: 0 is the
            likelihood, in which noisy units count least, 1 fits means as least squares does
            (Seitzer et al., 2022).
        n_draws: Draws of every posterior of effects; more draws make the ends of intervals less
            noisy.
        sampler: How latents are drawn given all that is known of a unit: Hamiltonian Monte Carlo
            (``"hmc"``), or a random walk (``"metropolis"``, the original), which mixes more slowly.
        n_warmup: Sweeps of every chain that adapt step sizes and are not kept, and steps of the
            chains over latents of new units. Raise it if R-hat is above 1.05.
        n_kept: Sweeps of every chain that are stored, evenly spaced, and draws of the latents of
            new units. Fewer take less memory.
        thin: Steps of a chain for each kept draw; more steps make draws less dependent and take
            proportionally longer.
        target: What is sampled: weights and latents in turns (``"joint"``), or weights given the
            fitted latents (``"weights"``, the original), whose intervals leave the uncertainty of
            latents out.
        n_sweeps: Sweeps over all blocks after the warm-up; every sweep is one trajectory for each
            block. Raise it if R-hat is above 1.05 or effective sample sizes are small; time grows
            in proportion.
        weight_prior_std: Standard deviation of the normal prior of all weights. Smaller values make
            smoother functions.
        n_leapfrog: Leapfrog steps of a trajectory of weights; latents take five. More steps move
            further in one sweep and take proportionally longer.
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
        n_draws: int = 400,
        sampler: Literal["hmc", "metropolis"] = "hmc",
        n_warmup: int = 200,
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
        self.n_draws = n_draws
        self.sampler = sampler
        self.n_warmup = n_warmup
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
            treatment: Treatment of every unit, the same as in :class:`CausalBGM`.
            outcome: Outcome of every unit, the same as in :class:`CausalBGM`.
            covariates: Covariates of every unit, the same as in :class:`CausalBGM`.

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
        # Convergence is judged by what is asked for: mean outcomes at both ends of the treatment.
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
                    "too narrow or misplaced. Raise n_warmup and n_sweeps, or use CausalBGM.",
                    ConvergenceWarning,
                    stacklevel=3,
                )

    def _population(
        self, fit: Fitted, codes: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, "draws chains n k"]:
        """Mean outcomes of every unit under every level, for every kept draw."""
        levels = fit.table.scaled_codes(codes)
        with torch.no_grad():
            outcomes = level_distributions(
                self._draws.mechanisms, fit.networks, self._draws.latents, levels
            )
        return fit.in_outcome_units(outcomes.mean.double().cpu().numpy())

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
                outcomes = level_distributions(mechanisms, fit.networks, z, levels)
            mean = fit.in_outcome_units(outcomes.mean.double().cpu().numpy())
            sd = outcomes.variance.double().sqrt().cpu().numpy() * fit.table.outcome_scale[1]
            means[mine] = weights[mine] @ mean
            unit = rng.integers(n, size=int(mine.sum()))
            noise = rng.standard_normal((len(unit), len(codes)))
            single[mine] = mean[unit] + sd[unit] * noise
        return Averages(means, single)

    def _unit_distributions(
        self,
        fit: Fitted,
        units: Units,
        segments: Tensor | None,
        levels: Float[np.ndarray, " k"],
        given: Given,
        seeds: np.random.SeedSequence,
    ) -> UnitDistributions:
        generator = torch_generator(seeds, fit.networks.knots.device)
        report: dict[str, float] = dict(self.mixing_)
        if units.outcome is not None and units is fit.units:
            mechanisms, latents = self._draws.mechanisms, self._draws.latents
        else:
            # New units need chains of their own, under some of the kept weights.
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
                n_warmup=self._config.n_warmup,
                n_kept=self._config.n_kept,
                thin=self._config.thin,
            )
            report["acceptance_latents"] = float(chains.warm_up.acceptance.mean())
            latents = torch.stack(list(chains.draws))
        with torch.no_grad():
            outcomes = level_distributions(mechanisms, fit.networks, latents, levels)
        mean = outcomes.mean.reshape(-1, *outcomes.mean.shape[-2:])
        variance = outcomes.variance.reshape(-1, *outcomes.variance.shape[-2:]).mean(0)
        pick = torch.randperm(len(mean), generator=generator, device=mean.device)
        mean = mean[pick[: self._config.n_draws]]
        scale = fit.table.outcome_scale[1]
        return UnitDistributions(
            fit.in_outcome_units(mean.double().cpu().numpy()),
            variance.double().cpu().numpy() * scale**2,
            report,
        )

"""CausalBGM: effects of a treatment through a generative model (Liu & Wong, 2025)."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator
from torch import Tensor

from aetia.data.accepts import Accepts
from aetia.devices import pick_device
from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.ensemble import fit_ensemble
from aetia.effects.causalbgm.files import read_fitted, write_fitted
from aetia.effects.causalbgm.fitted import Averages, Fitted
from aetia.effects.causalbgm.generative import Units
from aetia.effects.causalbgm.held_out import outcome_ranks
from aetia.effects.causalbgm.overlap import overlap_of
from aetia.effects.causalbgm.study_table import StudyTable, read_study
from aetia.effects.causalbgm.unit_distributions import (
    Given,
    UnitDistributions,
    latent_draws,
    mixing,
    unit_distributions,
    with_same_noise,
)
from aetia.errors import ConvergenceWarning, DataWarning, InputError
from aetia.not_fitted import check_fitted
from aetia.options import earlier_names, options_dict
from aetia.randomness import RandomState, seed_of, seed_sequence
from aetia.results import EffectPosterior, Overlap, RunFacts
from aetia.results.earlier_keys import Diagnostics

__all__ = ["CausalBGM"]


@earlier_names(n_warm_up="n_warmup")
class CausalBGM(BaseEstimator):
    """Estimate effects from treatment, outcome and covariates, with intervals.

    Latents of every unit explain its covariates; some of them also explain its treatment and its
    outcome. Averages are corrected by out-of-fold residuals, and their draws carry the uncertainty
    of networks and sampling. Assumes that the covariates hold all confounders and that the arms
    overlap (:meth:`overlap`). Every option is described in
    :class:`aetia.effects.causalbgm.config.CausalBGMConfig`.

    Args:
        treatment_kind: How the treatment is read: arms (``"binary"``), doses (``"continuous"``), or
            ``"auto"``, which takes a column with two levels as arms. State it where a dose happens
            to have two levels.
        latent_dims: Numbers of latents that confound, that only the outcome depends on, that only
            the treatment depends on, and that explain the other covariates. More latents can follow
            more directions and take longer to fit; ``"auto"`` estimates the numbers by sliced
            inverse regression and principal components.
        n_folds: Folds of the units for cross-fitting; each network is trained without one fold,
            which serves as its validation rows and for the correction of averages. ``"auto"`` is 5.
            More folds leave more training rows and take proportionally longer; with one fold a
            fifth of the units are validation rows and nothing is corrected.
        n_replicates: Networks for each fold, which differ by their initialisation. More of them
            average that difference out and take proportionally longer.
        init: Whether encoder and networks are initialised together against a critic (``"egm"``), or
            latents by draws from their prior (``"prior"``), which leaves everything to iterative
            updating and needs ``n_epochs``.
        n_egm_steps: Updates of the networks in the joint initialisation; time grows in proportion.
            ``"auto"`` is 1,000, rising with the root of the number of units to at most 2,000. Raise
            it if validation losses still fall at the end.
        n_critic_steps: Updates of the critic for each update of the networks. Raise it if the
            distribution of encoded units stays far from the prior.
        n_epochs: Passes over the units of iterative updating after the joint initialisation:
            networks given latents in turn with latents given networks. 0 leaves it out; the
            original makes 100.
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
        correction: Whether averages are corrected by out-of-fold residuals (``"one-step"``), which
            removes the first order of the bias of the networks, or are those of the networks
            (``"none"``). The correction needs at least two folds.
        n_draws: Draws of every posterior of effects; more draws make the ends of intervals less
            noisy.
        sampler: How latents are drawn given all that is known of a unit: Hamiltonian Monte Carlo
            (``"hmc"``), or a random walk (``"metropolis"``, the original), which mixes more slowly.
        n_warmup: Steps of every chain over latents that adapt its step size and are not kept. Raise
            it if a warning says that chains have not mixed.
        n_kept: Draws of the latents that are kept from every chain. Raise it if effective sample
            sizes are small.
        thin: Steps of a chain for each kept draw; more steps make draws less dependent and take
            proportionally longer.
        random_state: None, an integer or a NumPy generator.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        progress: Whether to show a progress bar; None shows it in terminals.

    Attributes:
        n_features_in_: Number of covariates.
        feature_names_in_: Their names.
        latent_dims_: Latents of each role.
        facts_: What is known about the run: seed, version, device, time, steps, configuration.
        health_: Held-out loss and chosen step of every network, numbers of units and networks.
        history_: Losses along the way, one row for each recorded step of the training loop.

    Example:
        >>> from aetia.scm import simulate_study
        >>> study = simulate_study("hahn", 200, random_state=0)
        >>> fitted = CausalBGM(n_egm_steps=60, random_state=0).fit(*study[:3])
        >>> fitted.ate().draws.shape
        (400, 1)
    """

    accepts = Accepts(
        kinds=("continuous", "binary", "count", "categorical"), missing=True, interventions=False
    )
    health_: Diagnostics
    _method: ClassVar[str] = "causalbgm"
    _config_class: type[CausalBGMConfig] = CausalBGMConfig

    def __init__(
        self,
        *,
        treatment_kind: Literal["auto", "binary", "continuous"] = "auto",
        latent_dims: tuple[int, int, int, int] | Literal["auto"] = (2, 2, 2, 4),
        n_folds: int | Literal["auto"] = "auto",
        n_replicates: int = 1,
        init: Literal["egm", "prior"] = "egm",
        n_egm_steps: int | Literal["auto"] = "auto",
        n_critic_steps: int = 1,
        n_epochs: int = 0,
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
        correction: Literal["one-step", "none"] = "one-step",
        n_draws: int = 400,
        sampler: Literal["hmc", "metropolis"] = "hmc",
        n_warmup: int = 150,
        n_kept: int = 100,
        thin: int = 1,
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
        self.n_warmup = n_warmup
        self.n_kept = n_kept
        self.thin = thin
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def fit(self, treatment: Any, outcome: Any, covariates: Any) -> CausalBGM:
        """Fit the ensemble.

        Args:
            treatment: One value for each unit, or the name of a column of ``covariates``. Two
                levels are arms; otherwise doses.
            outcome: One number for each unit, or the name of a column of ``covariates``.
            covariates: A frame, array, Dataset or path; missing values and text are allowed.

        Returns:
            The fitted estimator.

        Raises:
            InputError: If the study or an option cannot be used.
            NumericalError: If losses are not finite.
        """
        config = CausalBGMConfig(**self._options())
        self._fit(config, read_study(treatment, outcome, covariates, kind=config.treatment_kind))
        return self

    # -- questions ------------------------------------------------------------------------

    def effect(
        self,
        treated: Any = 1,
        control: Any = 0,
        covariates: Any = None,
        *,
        treatment: Any = None,
        outcome: Any = None,
        given: Given = "covariates",
    ) -> EffectPosterior:
        """Compare two levels for every unit: ITE of the units of the fit, CATE of new ones.

        Args:
            treated: One level; arms as in the data, or 1 and 0.
            control: The other.
            covariates: New units; None for those of the fit.
            treatment: Treatment of the new units, if it is known together with the outcome.
            outcome: Outcome of the new units, if it is known.
            given: ``"covariates"``: effects of units with such covariates. ``"everything"``:
                latents are drawn given treatment and outcome as well, which new units need then.

        Returns:
            A posterior with one column for each unit. Prediction draws are of the difference of
            two noisy outcomes whose noises are independent; nothing in data can tell whether they
            are.
        """
        fit, units, names, segments = self._asked(covariates, treatment, outcome, given)
        levels = self._levels([treated, control])
        seeds = self._question("effect", *levels)
        outcomes = self._unit_distributions(fit, units, segments, levels, given, seeds)
        draws = outcomes.means[..., 0] - outcomes.means[..., 1]
        rng = np.random.default_rng(seeds.spawn(1)[0])
        noise = np.sqrt(outcomes.variances.sum(-1)) * rng.standard_normal(draws.shape)
        report = outcomes.report | {"given": given}
        return self._result(draws, names, treated, control, report, prediction=draws + noise)

    def ate(self, treated: Any = 1, control: Any = 0) -> EffectPosterior:
        """Compare two levels for the population of the units.

        Args:
            treated: One level; arms as in the data, or 1 and 0.
            control: The other.

        Returns:
            A posterior of the average effect; prediction draws are of the effect of one unit,
            drawn at random, between two noisy outcomes.
        """
        fit = self._fitted()
        codes = self._codes([treated, control])
        rng = np.random.default_rng(self._question("ate", *codes))
        averages = self._averages(fit, codes, rng)
        draws = averages.means[:, :1] - averages.means[:, 1:]
        single = averages.single[:, :1] - averages.single[:, 1:]
        return self._result(draws, ("ATE",), treated, control, {}, prediction=single)

    def dose_response(self, doses: Sequence[float] | np.ndarray | None = None) -> EffectPosterior:
        """Average the outcome under every dose, set for everybody.

        Args:
            doses: Levels; None for 20 between the 5 % and 95 % quantiles, or both arms. Arms come
                back as 0 and 1.

        Returns:
            A posterior with one column for each dose; prediction draws are of the outcome of one
            unit, drawn at random.
        """
        fit = self._fitted()
        if fit.table.is_binary:
            asked = list(fit.table.arms) if doses is None else list(np.atleast_1d(doses))
            names = [str(level) for level in asked]
        else:
            low, high = np.quantile(fit.table.treatment, [0.05, 0.95])
            asked = list(np.atleast_1d(np.linspace(low, high, 20) if doses is None else doses))
            names = [f"{float(dose):.4g}" for dose in asked]
        if not asked:
            raise InputError("doses is empty; ask for at least one level.")
        codes = self._codes(asked)
        rng = np.random.default_rng(self._question("dose-response", *codes))
        averages = self._averages(fit, codes, rng)
        return self._result(
            averages.means,
            tuple(f"{fit.table.treatment_name}={name}" for name in names),
            names[int(codes.argmax())],
            names[int(codes.argmin())],
            {},
            prediction=averages.single,
            doses=codes,
        )

    def counterfactual(
        self,
        level: Any,
        covariates: Any = None,
        *,
        treatment: Any = None,
        outcome: Any = None,
    ) -> EffectPosterior:
        """Ask what the outcome of every unit would have been.

        Abduction: latents are drawn given all that is known of the unit, and the noise of its
        outcome is what they leave unexplained. Action: the treatment is set. Prediction: the
        outcome follows with the same noise, scaled to the new level.

        Args:
            level: What the treatment is set to.
            covariates: New units; None for those of the fit.
            treatment: What the new units received.
            outcome: What came of it.

        Returns:
            A posterior with one column for each unit: the outcome itself, not a difference.
        """
        fit, units, names, segments = self._asked(covariates, treatment, outcome, "everything")
        levels = self._levels([level])
        seeds = self._question("counterfactual", *levels)
        chains, report = latent_draws(fit, self._config, units, segments, seeds)
        draws = [with_same_noise(fit, z, units, levels) for z in chains]
        values = fit.in_outcome_units(torch.stack(draws).double().cpu().numpy())
        report |= mixing(values, stacklevel=3)
        values = values.reshape(-1, values.shape[-1])
        keep = np.random.default_rng(seeds.spawn(1)[0]).permutation(len(values))
        return self._result(values[keep[: self._config.n_draws]], names, level, level, report)

    def overlap(self) -> Overlap:
        """Look whether the data hold comparable units for every question.

        Returns:
            Expected treatments, weights, and a verdict; computed once.
        """
        fit = self._fitted()
        if self._overlap is None:
            self._overlap = overlap_of(fit)
        return self._overlap

    def evaluate(self) -> dict[str, float]:
        """Score out-of-fold predictions.

        Returns:
            ``mse_y``, ``mse_x`` (of the treatment; Brier score of arms) in the user's units, their
            shares of the variance ``r2_y`` and ``r2_x``, and ``mse_v``, of standardised covariates
            reconstructed from their latents; computed once.
        """
        fit = self._fitted()
        if self._scores is None:
            self._scores = self._evaluated(fit)
        return dict(self._scores)

    def prediction_ranks(self) -> Float[np.ndarray, " n"] | None:
        """Compute where the outcomes fall in their predicted distributions, out of fold.

        The predictions are calibrated where the ranks are uniform: 90 % of the outcomes then lie in
        their 90 % prediction intervals.

        Returns:
            One number in [0, 1] for each unit; None with a single fold, whose networks were trained
            on most of the outcomes.
        """
        fit = self._fitted()
        return None if fit.folds.n_folds == 1 else outcome_ranks(fit)

    def _evaluated(self, fit: Fitted) -> dict[str, float]:
        location, _ = fit.out_of_fold_treatment()
        mse_y = float((fit.residuals().mean(0) ** 2).mean())
        mse_x = float(((fit.table.treatment - location.mean(0)) ** 2).mean())
        with torch.no_grad():
            z = fit.encoded(fit.units)
            again = fit.networks.apply_noisy("covariates", z, torch.Generator(z.device))[..., :-1]
            gaps = (again.mean(0) - fit.units.covariates).square()
            if fit.units.observed is not None:
                gaps = gaps[fit.units.observed]
        return {
            "mse_y": mse_y,
            "mse_x": mse_x,
            "mse_v": float(gaps.mean()),
            "r2_y": 1 - mse_y / float(fit.table.outcome.var()),
            "r2_x": 1 - mse_x / float(fit.table.treatment.var()),
        }

    def sample_latents(
        self, covariates: Any = None, *, treatment: Any = None, outcome: Any = None
    ) -> tuple[Float[np.ndarray, "chains draws n latents"], dict[str, float]]:
        """Draw latents of units given all that is known of them.

        Args:
            covariates: New units; None for those of the fit.
            treatment: Treatment of the new units, if it is known.
            outcome: Outcome of the new units, if it is known.

        Returns:
            One chain for each network of the ensemble, whose posteriors differ, and diagnostics.
        """
        given: Given = "everything" if covariates is None or outcome is not None else "covariates"
        fit, units, _, segments = self._asked(covariates, treatment, outcome, given)
        seeds = self._question("latents")
        chains, report = latent_draws(fit, self._config, units, segments, seeds)
        draws = torch.stack(list(chains)).transpose(0, 1)
        return draws.double().cpu().numpy(), report

    def save(self, path: str | Path) -> None:
        """Write the fitted ensemble and its study to one file in a folder, atomically.

        Args:
            path: The folder; made if needed.
        """
        fit = self._fitted()
        plain = {"facts": self.facts_.to_dict(), "health": self.health_}
        write_fitted(path, type(self).__name__, fit, plain, self._extra())

    @classmethod
    def load(cls, path: str | Path) -> CausalBGM:
        """Read what :meth:`save` wrote; questions get the same answers.

        Args:
            path: The folder.

        Returns:
            The fitted estimator, on the CPU.

        Raises:
            ResultFileError: If there is none of this class.
            CheckpointError: If the file is damaged.
        """
        fit, config, plain, extra = read_fitted(path, cls.__name__, cls._config_class)
        loaded = cls(**{f.name: getattr(config, f.name) for f in fields(config)})
        facts = replace(
            RunFacts.from_dict(plain["facts"]),
            n_steps=steps_taken(fit.rows),
            config=options_dict(config),
        )
        loaded._take(fit, config, facts, {"n_folds": fit.folds.n_folds, **plain["health"]})
        loaded._restore(extra)
        return loaded

    # -- the fit --------------------------------------------------------------------------

    def _extra(self) -> dict[str, Tensor]:
        """Tensors to save besides the ensemble."""
        return {}

    def _restore(self, extra: dict[str, Tensor]) -> None:
        """Take them back."""

    def _take(
        self, fit: Fitted, config: CausalBGMConfig, facts: RunFacts, health: Mapping[str, Any]
    ) -> None:
        """Set the attributes of a fit."""
        self._fit_result, self._config = fit, config
        self._overlap: Overlap | None = None
        self._scores: dict[str, float] | None = None
        self.n_features_in_ = len(fit.table.encoding.names)
        self.feature_names_in_ = np.array(fit.table.encoding.names, dtype=object)
        self.latent_dims_ = tuple(fit.networks.roles)
        self.facts_ = facts
        self.health_ = Diagnostics(health, facts)
        self.history_ = fit.rows

    def _options(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self._config_class)}

    def _fit(
        self, config: CausalBGMConfig, table: StudyTable, segments: np.ndarray | None = None
    ) -> None:
        started = time.perf_counter()
        vars(self).pop("_fit_result", None)  # a failed fit must not leave the answer of another
        seeds = seed_sequence(self.random_state)
        device = pick_device(self.device)
        fit = fit_ensemble(config, table, segments, seeds, device, self.progress)
        facts = RunFacts(
            method=self._method,
            seed=seed_of(seeds),
            device=str(device),
            seconds=time.perf_counter() - started,
            n_steps=steps_taken(fit.rows),
            config=options_dict(config),
        )
        health = {
            "held_out_loss": [float(v) for v in fit.held_out],
            "best_step": [int(v) for v in fit.best_step],
            "n_units": table.n,
            "n_folds": fit.folds.n_folds,
            "n_networks": fit.folds.n_members,
        }
        self._take(fit, config, facts, health)
        share = self.evaluate()["r2_y"]
        if not share > -1:
            warnings.warn(
                f"the networks predict the outcome worse than its mean (out-of-fold R2 {share:.3g})"
                "; lower learning_rate, or look for extreme values in treatment and outcome.",
                ConvergenceWarning,
                stacklevel=3,
            )
        overlap = self.overlap()
        if overlap.is_poor:
            warnings.warn(overlap.verdict(), DataWarning, stacklevel=3)

    # -- parts of answers -----------------------------------------------------------------

    def _averages(
        self, fit: Fitted, codes: Float[np.ndarray, " k"], rng: np.random.Generator
    ) -> Averages:
        """Draws of mean potential outcomes."""
        return fit.averages(codes, self._config, rng)

    def _fitted(self) -> Fitted:
        check_fitted(self, "_fit_result")
        return self._fit_result

    def _codes(self, levels: list[Any]) -> Float[np.ndarray, " k"]:
        """Levels as numbers in the user's units; codes 0 and 1 of arms."""
        fit = self._fitted()
        scaled = fit.table.scaled_treatment(levels)
        if fit.table.is_binary:
            return scaled.astype(np.float64)
        doses = np.asarray(levels, dtype=np.float64)
        low, high = fit.table.treatment.min(), fit.table.treatment.max()
        outside = [f"{dose:g}" for dose in doses if not low <= dose <= high]
        if outside:
            warnings.warn(
                f"nobody received a {fit.table.treatment_name} of {', '.join(outside)} (seen: "
                f"{low:g} to {high:g}); the answer extrapolates.",
                DataWarning,
                stacklevel=4,
            )
        return doses

    def _levels(self, levels: list[Any]) -> Float[np.ndarray, " k"]:
        return self._fitted().table.scaled_codes(self._codes(levels))

    def _question(self, *words: Any) -> np.random.SeedSequence:
        """Make a stream that depends on the question, not on which were asked before."""
        text = "|".join(str(w) for w in words).encode()
        return np.random.SeedSequence([self.facts_.seed or 0, *text])

    def _asked(
        self, covariates: Any, treatment: Any, outcome: Any, given: Given
    ) -> tuple[Fitted, Units, tuple[str, ...], Tensor | None]:
        """Find the units of a question, on the device of the networks."""
        fit = self._fitted()
        if given not in ("covariates", "everything"):
            raise InputError(f"given must be 'covariates' or 'everything', got {given!r}.")
        if covariates is None:
            if treatment is not None or outcome is not None:
                raise InputError("treatment and outcome of new units need their covariates.")
            units, names, segments = fit.units, fit.table.unit_names, fit.segments
        else:
            units, names = fit.table.scaled_units(covariates, treatment, outcome)
            device = fit.networks.knots.device
            units = units.map(lambda part: part.to(device))
            segments = self._new_segments(fit, len(names))
            if given == "everything" and units.outcome is None:
                raise InputError(
                    "given='everything' needs treatment and outcome of the new units; pass them, "
                    "or ask given='covariates'."
                )
        if given == "covariates":
            units = units._replace(treatment=None, outcome=None)
        return fit, units, names, segments

    def _new_segments(self, fit: Fitted, n: int) -> Tensor | None:
        """Labels of units that were not there at the fit; there are none here."""
        return None

    def _unit_distributions(
        self,
        fit: Fitted,
        units: Units,
        segments: Tensor | None,
        levels: Float[np.ndarray, " k"],
        given: Given,
        seeds: np.random.SeedSequence,
    ) -> UnitDistributions:
        """Draw the distributions of units' outcomes under every level."""
        return unit_distributions(fit, self._config, units, segments, levels, given, seeds)

    def _result(
        self,
        draws: np.ndarray,
        labels: tuple[str, ...],
        treated: Any,
        control: Any,
        report: Mapping[str, Any],
        *,
        prediction: np.ndarray | None = None,
        doses: np.ndarray | None = None,
    ) -> EffectPosterior:
        table = self._fitted().table
        return EffectPosterior(
            draws=draws,
            labels=tuple(labels),
            treatment=table.treatment_name,
            outcome=table.outcome_name,
            treated=_as_given(treated),
            control=_as_given(control),
            prediction=prediction,
            doses=doses,
            facts=self.facts_,
            diagnostics={**self.health_, **report},
        )


def steps_taken(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Add the steps of the phases of training up, each of which counts from the start.

    Args:
        rows: The record of all phases, one after the other.

    Returns:
        The sum; None where nothing was trained.
    """
    steps = [int(row["step"]) for row in rows]
    return sum(step for step, after in pairwise([*steps, 0]) if after < step) or None


def _as_given(level: Any) -> float | str:
    try:
        return float(level)
    except (TypeError, ValueError):
        return str(level)

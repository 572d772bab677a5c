"""CausalBGM: effects of a treatment through a generative model (Liu & Wong, 2025)."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator
from torch import Tensor

from aetia.devices import pick_device
from aetia.diagnostics import convergence
from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.files import read_fitted, write_fitted
from aetia.effects.causalbgm.fitted import Averages, Fitted, level_laws
from aetia.effects.causalbgm.fitting import fit_jointly, update_iteratively
from aetia.effects.causalbgm.folds import make_folds
from aetia.effects.causalbgm.generative import LatentRoles, Units, outcome_law
from aetia.effects.causalbgm.latent_dimensions import latent_dimensions
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.latents import latent_chains, latent_density
from aetia.effects.causalbgm.networks import Networks
from aetia.effects.causalbgm.selection import BestWeights, held_out_loss
from aetia.effects.causalbgm.spread import ensemble_draws
from aetia.effects.causalbgm.study_table import StudyTable, read_study
from aetia.errors import ConvergenceWarning, DataWarning, InputError
from aetia.nets import seeded
from aetia.options import options_dict
from aetia.randomness import RandomState, seed_sequence, torch_generator
from aetia.results import EffectPosterior, Overlap
from aetia.version import __version__

__all__ = ["CausalBGM"]

Given = Literal["covariates", "everything"]


class CausalBGM(BaseEstimator):
    """Estimate effects from treatment, outcome and covariates, with intervals.

    Latents of every unit explain its covariates; some of them also explain its treatment and its
    outcome. Averages are corrected by out-of-fold residuals, and their draws carry the uncertainty
    of networks and sampling. Assumes that the covariates hold all confounders and that the arms
    overlap (:meth:`overlap`). Every option is described in
    :class:`aetia.effects.causalbgm.config.CausalBGMConfig`.

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
        n_kept: Draws of the latents of each network.
        thin: Steps for each kept draw.
        random_state: None, an integer or a NumPy generator.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        progress: Whether to show a progress bar; None shows it in terminals.

    Attributes:
        n_features_in_: Number of covariates.
        feature_names_in_: Their names.
        latent_dims_: Latents of each role.
        history_: Losses along the way, the health record of the training loop.
        health_: Held-out loss and chosen step of every network, wall time, seed, version.

    Example:
        >>> from aetia.scm import simulate_study
        >>> study = simulate_study("hahn", 200, random_state=0)
        >>> fitted = CausalBGM(n_egm_steps=60, random_state=0).fit(*study[:3])
        >>> fitted.ate().draws.shape
        (400, 1)
    """

    health_: dict[str, Any]
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
        n_warm_up: int = 150,
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
        self.n_warm_up = n_warm_up
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
            treatment: Of the new units, if known together with the outcome.
            outcome: Of the new units.
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
        means, variances, report = self._unit_laws(fit, units, segments, levels, given, seeds)
        draws = means[..., 0] - means[..., 1]
        rng = np.random.default_rng(seeds.spawn(1)[0])
        noise = np.sqrt(variances.sum(-1)) * rng.standard_normal(draws.shape)
        return self._result(
            draws, names, treated, control, report | {"given": given}, prediction=draws + noise
        )

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
        chains, report = self._chains(fit, units, segments, seeds)
        draws = [_with_same_noise(fit, z, units, levels) for z in chains]
        values = fit.in_outcome_units(torch.stack(draws).double().cpu().numpy())
        report |= _mixing(values)
        values = values.reshape(-1, values.shape[-1])
        keep = np.random.default_rng(seeds.spawn(1)[0]).permutation(len(values))
        return self._result(values[keep[: self._config.n_draws]], names, level, level, report)

    def overlap(self) -> Overlap:
        """Look whether the data hold comparable units for every question.

        Returns:
            Expected treatments, weights, and a verdict.
        """
        fit = self._fitted()
        location, spread = (a.mean(0) for a in fit.out_of_fold_treatment())
        t = fit.table.treatment
        if fit.table.is_binary:
            e = np.clip(location, 1e-3, 1 - 1e-3)
            weights = np.where(t == 1, t.mean() / e, (1 - t.mean()) / (1 - e))
            arms = (str(fit.table.arms[0]), str(fit.table.arms[1]))
        else:
            weights, arms = _stabilised_weights(t, location, spread), None
        return Overlap(
            expected=location,
            received=t,
            weights=weights,
            name=fit.table.treatment_name,
            arms=arms,
        )

    def evaluate(self) -> dict[str, float]:
        """Score out-of-fold predictions.

        Returns:
            ``mse_y``, ``mse_x`` (of the treatment; Brier score of arms) in the user's units, their
            shares of the variance ``r2_y`` and ``r2_x``, and ``mse_v``, of standardised covariates
            reconstructed from their latents.
        """
        fit = self._fitted()
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
            treatment: Of the new units, if known.
            outcome: Of the new units, if known.

        Returns:
            One chain for each network of the ensemble, whose laws differ, and diagnostics.
        """
        given: Given = "everything" if covariates is None or outcome is not None else "covariates"
        fit, units, _, segments = self._asked(covariates, treatment, outcome, given)
        chains, report = self._chains(fit, units, segments, self._question("latents"))
        draws = torch.stack(list(chains)).transpose(0, 1)
        return draws.double().cpu().numpy(), report

    def save(self, path: str | Path) -> None:
        """Write the fitted ensemble and its study to a folder, atomically.

        Args:
            path: The folder; made if needed.
        """
        plain = {
            "options": options_dict(self._config),
            "entropy": str(self._entropy),
            "health": self.health_,
        }
        write_fitted(path, type(self).__name__, self._fitted(), plain, self._extra())

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
        fit, config, header, extra = read_fitted(path, cls.__name__, cls._config_class)
        loaded = cls(**{f.name: getattr(config, f.name) for f in fields(config)})
        loaded._fit_result, loaded._config = fit, config
        loaded._entropy = int(header["entropy"])
        loaded._remember(header["health"])
        loaded._restore(extra)
        return loaded

    # -- the fit --------------------------------------------------------------------------

    def _extra(self) -> dict[str, Tensor]:
        """Tensors to save besides the ensemble."""
        return {}

    def _restore(self, extra: dict[str, Tensor]) -> None:
        """Take them back."""

    def _remember(self, health: dict[str, Any]) -> None:
        """Set the public attributes of a fit."""
        fit = self._fitted()
        self.n_features_in_ = len(fit.table.encoding.names)
        self.feature_names_in_ = np.array(fit.table.encoding.names, dtype=object)
        self.latent_dims_ = tuple(fit.networks.roles)
        self.history_ = fit.rows
        self.health_ = health

    def _options(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self._config_class)}

    def _fit(
        self, config: CausalBGMConfig, table: StudyTable, segments: np.ndarray | None = None
    ) -> None:
        started = time.perf_counter()
        vars(self).pop("_fit_result", None)  # a failed fit must not leave the answer of another
        device = pick_device(self.device)
        seeds = seed_sequence(self.random_state)
        entropy = seeds.entropy
        streams = seeds.spawn(5)
        roles = _roles(config, table)
        n_folds = 5 if config.n_folds == "auto" else config.n_folds
        n_replicates = config.n_replicates
        if n_folds > table.n // 4:
            raise InputError(f"n_folds={n_folds} leaves fewer than 4 of {table.n} units a fold.")
        units = table.units.map(lambda part: part.to(device))
        folds = make_folds(
            table.n,
            n_folds,
            n_replicates,
            torch_generator(streams[0]),
            table.units.treatment if table.is_binary else None,
        )
        folds = folds._replace(of_unit=folds.of_unit.to(device))
        with seeded(torch_generator(streams[1])):
            networks = Networks(table.units, roles, config, folds.n_members, table.is_binary)
            n_segments = 0 if segments is None else int(segments.max()) + 1
            hidden = getattr(config, "prior_units", ())
            prior = LatentPrior(roles.total, folds.n_members, n_segments, hidden)
        networks, prior = networks.to(device), prior.to(device)
        labels = None if segments is None else torch.from_numpy(segments).to(device)
        best = BestWeights(networks)
        rows: list[dict[str, Any]] = []
        fit = Fitted(networks, prior, folds, table, units, labels)
        if config.init == "egm":
            n_steps = config.n_egm_steps
            if n_steps == "auto":
                n_steps = int(np.clip(1000 * math.sqrt(table.n / 1000), 1000, 2000))
            seed = int(streams[2].generate_state(1)[0])
            rows += fit_jointly(networks, units, folds, config, n_steps, seed, self.progress, best)
            best.restore(networks)
        if config.n_epochs:
            start = fit.encoded(units)
            if config.init == "prior":
                start = torch.randn(start.shape, generator=torch_generator(streams[4])).to(device)
            seed = int(streams[3].generate_state(1)[0])
            fit.latents, more = update_iteratively(
                networks, prior, units, folds, start, config, seed, self.progress, best, labels
            )
            rows += more
            best.restore(networks)
        loss = held_out_loss(networks, units, folds, config.variance_weighting)
        if not bool(loss.isfinite().all()):
            raise InputError(
                "the networks did not reach finite losses; lower learning_rate, or look for "
                "extreme values in treatment and outcome."
            )
        fit.rows = rows
        fit.held_out, fit.best_step = loss.double().cpu().numpy(), best.step.numpy()
        self._fit_result, self._config, self._entropy = fit, config, entropy
        health = {
            "held_out_loss": [float(v) for v in fit.held_out],
            "best_step": [int(v) for v in fit.best_step],
            "n_units": table.n,
            "n_networks": folds.n_members,
            "seconds": time.perf_counter() - started,
            "seed": str(entropy),
            "version": __version__,
        }
        self._remember(health)
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
        if not hasattr(self, "_fit_result"):
            raise InputError(f"this {type(self).__name__} is not fitted; call fit first.")
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
        return np.random.SeedSequence([self._entropy or 0, *text])

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

    def _chains(
        self,
        fit: Fitted,
        units: Units,
        segments: Tensor | None,
        seeds: np.random.SeedSequence,
    ) -> tuple[Any, dict[str, float]]:
        """Chains over latents of units, one for each network; and how they go."""
        config = self._config
        density = latent_density(
            fit.networks.mechanisms(),
            fit.networks.roles,
            units,
            fit.prior,
            is_binary=fit.networks.is_binary,
            segments=segments,
        )
        generator = torch_generator(seeds, fit.networks.knots.device)
        chains = latent_chains(
            density,
            fit.encoded(units),
            generator,
            sampler=config.sampler,
            n_warm_up=config.n_warm_up,
            n_kept=config.n_kept,
            thin=config.thin,
        )
        acceptance = float(chains.warm_up.acceptance.mean())
        return chains.draws, {
            "acceptance": acceptance,
            "n_divergent": float(chains.warm_up.n_divergent),
        }

    @torch.no_grad()
    def _unit_laws(
        self,
        fit: Fitted,
        units: Units,
        segments: Tensor | None,
        levels: Float[np.ndarray, " k"],
        given: Given,
        seeds: np.random.SeedSequence,
    ) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
        """Draws of the means under every level, and variances, in the user's units."""
        config, networks = self._config, fit.networks
        generator = torch_generator(seeds.spawn(1)[0], networks.knots.device)
        n_draws, n_members = config.n_draws, fit.folds.n_members
        mechanisms, report = networks.mechanisms(), {}
        z = fit.encoded(units)
        laws = level_laws(mechanisms, networks, z, levels)
        centres, variance = laws.mean, laws.variance.mean(0)
        within = None
        if given == "everything":
            chains, report = self._chains(fit, units, segments, seeds)
            moved = torch.stack([level_laws(mechanisms, networks, s, levels).mean for s in chains])
            contrast = (moved[..., 0] - moved[..., -1]).double().cpu().numpy()
            report |= _mixing(contrast)
            centres = moved.mean(0)
            within = moved - centres
        elif networks.is_bayesian:
            drawn = networks.draw_mechanisms(max(n_draws // n_members, 1), generator)
            moved = level_laws(drawn, networks, z, levels).mean
            within = moved - centres
        if n_members == 1 and within is None:
            warnings.warn(
                "one network says nothing about its own error, so intervals of unit effects have "
                "no width: raise n_folds or n_replicates.",
                ConvergenceWarning,
                stacklevel=3,
            )
        draws = ensemble_draws(centres, fit.folds.n_folds, n_draws, generator)
        if within is not None:
            flat = within.flatten(0, 1)
            pick = torch.randint(
                len(flat), (n_draws,), generator=generator, device=generator.device
            )
            draws = draws + flat[pick]
        scale = fit.table.outcome_scale[1]
        return (
            fit.in_outcome_units(draws.double().cpu().numpy()),
            variance.double().cpu().numpy() * scale**2,
            report,
        )

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
            diagnostics={
                "method": type(self).__name__,
                "options": options_dict(self._config),
                **self.health_,
                **report,
            },
        )


def _as_given(level: Any) -> float | str:
    try:
        return float(level)
    except (TypeError, ValueError):
        return str(level)


def _roles(config: CausalBGMConfig, table: StudyTable) -> LatentRoles:
    if config.latent_dims != "auto":
        return LatentRoles(*config.latent_dims)
    covariates = table.units.covariates.double().numpy()
    return latent_dimensions(covariates, table.treatment, table.outcome)


def _with_same_noise(
    fit: Fitted, z: Tensor, units: Units, levels: np.ndarray
) -> Float[Tensor, "members n"]:
    assert units.treatment is not None
    assert units.outcome is not None
    mechanisms = fit.networks.mechanisms()
    with torch.no_grad():
        factual = outcome_law(mechanisms, fit.networks.roles, z, units.treatment)
        noise = (units.outcome - factual.mean[..., 0]) / factual.variance[..., 0].sqrt()
        laws = level_laws(mechanisms, fit.networks, z, levels)
        return laws.mean[..., 0] + laws.variance[..., 0].sqrt() * noise


def _mixing(draws: Float[np.ndarray, "draws members n"]) -> dict[str, float]:
    """Diagnose chains, each split in halves: the members' laws differ, so only within members."""
    if len(draws) < 8:
        return {}
    n_draws, members, n = draws.shape
    half = n_draws // 2
    shown = draws[: 2 * half, :, : min(n, 200)].reshape(2, half, members * min(n, 200))
    summary = convergence(shown).summary()
    if summary["rhat_median"] > 1.1:
        warnings.warn(
            f"the chains over latents have not mixed (median R-hat {summary['rhat_median']:.2f}); "
            "raise n_warm_up, n_kept or thin.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return summary


def _stabilised_weights(
    t: Float[np.ndarray, " n"],
    location: Float[np.ndarray, " n"],
    spread: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """p(t) / p(t | v) under normal laws, p(t) being their average over at most 1,000 units."""
    some = np.linspace(0, len(t) - 1, min(len(t), 1000)).astype(int)
    own = -0.5 * ((t - location) / spread) ** 2 - np.log(spread)
    others = -0.5 * ((t[:, None] - location[some]) / spread[some]) ** 2 - np.log(spread[some])
    top = others.max(1, keepdims=True)
    average = top[:, 0] + np.log(np.exp(others - top).mean(1))
    return np.exp(np.clip(average - own, -50, 50))

"""CausalBGM as the original package has it: ``params`` in, NumPy arrays out."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.compat.bayesgm.arguments import (
    Triplet,
    check_alpha,
    check_count,
    read_doses,
    read_triplet,
)
from aetia.compat.bayesgm.models.causalbgm.effect_draws import central_interval, outcome_draws
from aetia.compat.bayesgm.models.causalbgm.monitor import (
    errors_of_an_epoch,
    losses_of_the_start,
    say,
)
from aetia.compat.bayesgm.models.causalbgm.options import causal_options
from aetia.compat.bayesgm.models.causalbgm.plug_in import plug_in, scaled_units
from aetia.compat.bayesgm.models.causalbgm.random_walk import StepSizeRule, random_walk
from aetia.compat.bayesgm.models.causalbgm.training import (
    new_fit,
    start_jointly,
    update_iteratively,
)
from aetia.compat.bayesgm.parameters import full_parameters
from aetia.compat.bayesgm.run_folder import RunFolder
from aetia.effects.causalbgm.surface import Fitted, Mechanisms, Units, latent_density
from aetia.errors import InputError
from aetia.randomness import seed_sequence, torch_generator
from aetia.samplers import LogDensity

__all__ = ["CausalBGM", "check_eps"]

_BUILD, _START, _LATENTS, _UPDATE, _PREDICT, _WEIGHTS, _INFER = range(7)
_EPS = 1e-6


class CausalBGM:
    """Effects of a treatment through a generative model, with the original's interface.

    Networks, training and samplers are those of :class:`aetia.effects.causalbgm.CausalBGM`, set to
    what the original does; columns are scaled inside and results are in the user's units.
    docs/bayesgm-compat.md lists what differs on purpose.

    Args:
        params: Required keys ``dataset``, ``output_dir``, ``v_dim``, ``z_dims`` and
            ``binary_treatment``; all others have the documented defaults.
        timestamp: Name of the run; None for the local time.
        random_seed: Seed of this object alone; no global generator is touched. None is fresh
            entropy.

    Attributes:
        params: All keys, defaults filled in.
        data_z: Latents of the units of the fit.
        best_causal_pre: What :meth:`evaluate` said of the best epoch.
        best_epoch: Its number; later answers come from its weights.
        save_dir: Folder of results; made when something is written.
        checkpoint_path: Folder of weights; made when something is written.
    """

    _name = "CausalBGM"
    best_causal_pre: np.ndarray
    best_epoch: int

    def __init__(
        self,
        params: Mapping[str, Any],
        timestamp: str | None = None,
        random_seed: int | None = None,
    ) -> None:
        self.params = full_parameters(self._name, params)
        if not self.params["z_dims"][0] + self.params["z_dims"][1]:
            raise InputError(f"the outcome needs latents; z_dims is {self.params['z_dims']}.")
        self._folder = RunFolder(self.params, timestamp)
        self.timestamp = self._folder.timestamp
        self.save_dir = str(self._folder.results)
        self.checkpoint_path = str(self._folder.checkpoints)
        self._entropy = seed_sequence(random_seed).entropy
        self._fit: Fitted | None = None

    def get_config(self) -> dict[str, Any]:
        """Tell the configuration.

        Returns:
            ``{"params": ...}``, defaults filled in.
        """
        return {"params": copy.deepcopy(self.params)}

    def initialize_nets(self, print_summary: bool = False) -> None:
        """Tell the sizes of the networks; they are built by :meth:`fit`, which knows the data.

        Args:
            print_summary: Whether to print them.
        """
        z0, z1, z2, _ = dims = self.params["z_dims"]
        sizes = {
            "g_net": [sum(dims), *self.params["g_units"], self.params["v_dim"] + 1],
            "e_net": [self.params["v_dim"], *self.params["e_units"], sum(dims)],
            "f_net": [z0 + z1 + 1, *self.params["f_units"], 2],
            "h_net": [z0 + z2, *self.params["h_units"], 2],
            "dz_net": [sum(dims), *self.params["dz_units"], 1],
        }
        if print_summary:
            for name, widths in sizes.items():
                sys.stdout.write(f"{name}: {' -> '.join(map(str, widths))}\n")

    # -- training -------------------------------------------------------------------------

    def egm_init(
        self,
        data: Any,
        egm_n_iter: int = 30000,
        batch_size: int = 32,
        egm_batches_per_eval: int = 500,
        verbose: int = 1,
    ) -> None:
        """Start encoder and networks together, from fresh weights.

        Args:
            data: ``(data_x, data_y, data_v)``.
            egm_n_iter: Updates of the networks, one more is made, as in the original.
            batch_size: Units of a step.
            egm_batches_per_eval: Updates between evaluations; the first comes after the first
                update.
            verbose: Whether to tell them, and to show a progress bar in terminals.
        """
        study = read_triplet(data, self.params["v_dim"])
        check_count("egm_n_iter", egm_n_iter, least=0)
        check_count("egm_batches_per_eval", egm_batches_per_eval)
        check_count("batch_size", batch_size)
        self._forget()
        fit = self._new_fit(study)

        def on_iteration(k: int, signals: Mapping[str, float]) -> None:
            if k % egm_batches_per_eval:
                return
            say(verbose, losses_of_the_start(k, signals))
            if self.params["save_res"]:
                effect = plug_in(fit, study, None, 200).effect
                self._folder.write_estimate(f"causal_pre_egm_init_iter-{k}", effect, "txt")

        say(verbose, "EGM Initialization Starts ...")
        start_jointly(
            fit,
            self.params,
            batch_size=batch_size,
            n_iterations=egm_n_iter + 1,
            seeds=self._seeds(_START),
            on_iteration=on_iteration,
            progress=None if verbose else False,
        )
        say(verbose, "EGM Initialization Ends.")
        fit.latents = fit.encoded(fit.units)
        self._fit = fit

    def fit(
        self,
        data: Any,
        epochs: int = 100,
        epochs_per_eval: int = 5,
        batch_size: int = 32,
        startoff: int = 0,
        use_egm_init: bool = True,
        egm_n_iter: int = 30000,
        egm_batches_per_eval: int = 500,
        save_format: str = "txt",
        verbose: int = 1,
    ) -> None:
        """Train, always from fresh weights.

        Args:
            data: ``(data_x, data_y, data_v)``.
            epochs: Passes of the iterative updating; one more is made, as in the original.
            epochs_per_eval: Passes between evaluations; the first comes after the first pass.
            batch_size: Units of a step.
            startoff: First epoch that can be the best one.
            use_egm_init: Whether encoder and networks are initialised together, against a critic;
                otherwise latents are initialised by draws from their prior.
            egm_n_iter: Updates of that initialisation.
            egm_batches_per_eval: Updates between evaluations of that initialisation.
            save_format: ``"txt"``, ``"csv"`` or ``"npy"``.
            verbose: Whether to tell evaluations, and to show a progress bar in terminals.
        """
        study = read_triplet(data, self.params["v_dim"])
        check_count("epochs", epochs, least=0)
        check_count("epochs_per_eval", epochs_per_eval)
        check_count("startoff", startoff, least=0)
        check_count("batch_size", batch_size)
        if save_format not in ("txt", "csv", "npy"):
            raise InputError(f"save_format={save_format!r} is not one of txt, csv, npy.")
        self._folder.write_parameters(self.params)
        if use_egm_init:
            self.egm_init(data, egm_n_iter, batch_size, egm_batches_per_eval, verbose)
            fit = self._fitted("fit")
            say(verbose, "Initialize latent variables Z with e(V)...")
        else:
            self._forget()
            fit = self._new_fit(study)
            say(verbose, "Random initialization of latent variables Z...")
            shape = (1, len(study.x), sum(self.params["z_dims"]))
            generator = torch_generator(self._seeds(_LATENTS))
            fit.latents = torch.randn(shape, generator=generator).to(_device(fit))
        self._fit = None  # a failed fit must not leave a half-trained answer
        best: tuple[float, Any] = (np.inf, None)

        def on_epoch(epoch: int) -> None:
            nonlocal best
            if epoch % epochs_per_eval:
                return
            found = plug_in(fit, study, fit.latents, 200)
            say(verbose, errors_of_an_epoch(epoch, epochs, found))
            if epoch >= startoff and found.mse_y < best[0]:
                best = (found.mse_y, _snapshot(fit))
                self.best_causal_pre, self.best_epoch = found.effect, epoch
                if path := self._folder.write_weights(f"weights_at_{epoch}", _weights(fit)):
                    say(verbose, f"Saving checkpoint for epoch {epoch} at {path}")
            self._folder.write_estimate(f"causal_pre_at_{epoch}", found.effect, save_format)

        say(verbose, "Iterative Updating Starts ...")
        # One pass more than asked for, as the original makes.
        update_iteratively(
            fit,
            self.params,
            batch_size=batch_size,
            n_epochs=epochs + 1,
            seeds=self._seeds(_UPDATE),
            on_epoch=on_epoch,
            progress=None if verbose else False,
        )
        if best[1] is not None:
            _restore(fit, best[1])
        assert fit.latents is not None
        self.data_z = fit.latents[0].cpu().numpy()
        self._fit = fit

    # -- questions ------------------------------------------------------------------------

    def evaluate(
        self, data: Any, data_z: Any = None, nb_intervals: int = 200
    ) -> tuple[np.ndarray, float, float, float]:
        """Reconstruct a study and read the effect off the networks.

        Args:
            data: ``(data_x, data_y, data_v)``.
            data_z: Latents of its units; None encodes the covariates.
            nb_intervals: Points between the 5 % and 95 % quantiles of a continuous treatment.

        Returns:
            Effects of the units ``(n, 1)``, or the dose response ``(nb_intervals,)``; mean squared
            errors of treatment, outcome and covariates.
        """
        fit = self._fitted("evaluate")
        study = read_triplet(data, self.params["v_dim"])
        z = None if data_z is None else self._latents(data_z, 2)[None]
        if z is not None and z.shape[1] != len(study.x):
            raise InputError(f"data_z has {z.shape[1]} rows, the data have {len(study.x)}.")
        check_count("nb_intervals", nb_intervals)
        found = plug_in(fit, study, z, nb_intervals)
        return found.effect, found.mse_x, found.mse_y, found.mse_v

    def predict(
        self,
        data: Any,
        alpha: float = 0.01,
        n_mcmc: int = 3000,
        burn_in: int = 5000,
        x_values: Any = None,
        q_sd: float | None = 1.0,
        sample_y: bool = True,
        bs: int = 10000,
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k 2"]]:
        """Estimate effects with intervals, from latents drawn given all that is known of a unit.

        Args:
            data: ``(data_x, data_y, data_v)``.
            alpha: Significance level of the intervals.
            n_mcmc: Draws of the latents.
            burn_in: Steps before them.
            x_values: Values of a continuous treatment.
            q_sd: Standard deviation of proposals; None or negative adapts it.
            sample_y: Whether outcomes carry their noise; without it intervals are of means.
            bs: Units at once.

        Returns:
            Effects of the units ``(n,)`` with intervals ``(n, 2)``, or the dose response ``(k,)``
            with intervals ``(k, 2)``.
        """
        options = {"n_mcmc": n_mcmc, "burn_in": burn_in, "q_sd": q_sd, "sample_y": sample_y}
        return self._predict(data, alpha, x_values, units_at_once=bs, draws_at_once=1, **options)

    def metropolis_hastings_sampler(
        self,
        data: Any,
        initial_q_sd: float = 1.0,
        q_sd: float | None = None,
        burn_in: int = 5000,
        n_keep: int = 3000,
        target_acceptance_rate: float = 0.25,
        tolerance: float = 0.05,
        adjustment_interval: int = 50,
        adaptive_sd: bool | None = None,
        window_size: int = 100,
    ) -> Float[np.ndarray, "draws n latents"]:
        """Draw latents given all that is known of every unit; all draws are held in memory.

        Args:
            data: ``(data_x, data_y, data_v)``.
            initial_q_sd: First standard deviation of the proposals, if it adapts.
            q_sd: Standard deviation of proposals, if it does not.
            burn_in: Steps before the first draw.
            n_keep: Draws.
            target_acceptance_rate: That an adapting step aims at.
            tolerance: Deviation from it that is left alone.
            adjustment_interval: Steps between changes.
            adaptive_sd: Whether the step adapts; None if ``q_sd`` is None or not positive.
            window_size: Steps whose acceptance counts.

        Returns:
            Latents.
        """
        fit = self._fitted("metropolis_hastings_sampler")
        units = scaled_units(fit, read_triplet(data, self.params["v_dim"]))
        if adaptive_sd is None:
            adaptive_sd = q_sd is None or q_sd <= 0
        check_count("adjustment_interval", adjustment_interval)
        check_count("window_size", window_size)
        rule = StepSizeRule(target_acceptance_rate, tolerance, adjustment_interval, window_size)
        walk = self._walk(
            fit,
            units,
            torch_generator(self._seeds(_PREDICT), _device(fit)),
            q_sd=initial_q_sd if adaptive_sd or q_sd is None else q_sd,
            burn_in=burn_in,
            n_keep=n_keep,
            rule=rule if adaptive_sd else None,
        )
        return np.stack([z[0].cpu().numpy() for z in walk])

    def infer_from_latent_posterior(
        self, data_posterior_z: Any, x_values: Any = None, sample_y: bool = True, eps: float = 1e-6
    ) -> np.ndarray:
        """Turn draws of latents into draws of effects.

        Args:
            data_posterior_z: ``(draws, n, latents)``.
            x_values: Values of a continuous treatment.
            sample_y: Whether outcomes carry their noise.
            eps: Smallest variance of the outcome; 1e-6, as in training.

        Returns:
            Effects of the units ``(draws, n)``, or their outcomes ``(k, draws, n)``.
        """
        fit = self._fitted("infer_from_latent_posterior")
        check_eps(eps)
        latents = iter(self._latents(data_posterior_z, 3)[:, None])
        levels = self._levels(fit, x_values)
        parts = outcome_draws(
            fit,
            latents,
            levels,
            self._weights(fit),
            torch_generator(self._seeds(_INFER), _device(fit)),
            sample_y=sample_y,
            at_once=100,
        )
        draws = np.concatenate(list(parts))
        if fit.table.is_binary:
            return draws[..., 1] - draws[..., 0]
        return np.moveaxis(draws, -1, 0)

    def get_log_posterior(
        self, data_x: Any, data_y: Any, data_v: Any, data_z: Any, eps: float = 1e-6
    ) -> Float[np.ndarray, " n"]:
        """Evaluate the log density of latents given all that is known of their units.

        Args:
            data_x: Treatment.
            data_y: Outcome.
            data_v: Covariates.
            data_z: Latents.
            eps: Smallest variance; 1e-6, as in training.

        Returns:
            Up to one constant, which does not depend on the latents.
        """
        fit = self._fitted("get_log_posterior")
        check_eps(eps)
        units = scaled_units(fit, read_triplet((data_x, data_y, data_v), self.params["v_dim"]))
        z = self._latents(data_z, 2)[None]
        with torch.no_grad():
            return self._density(fit, units)(z)[0].double().cpu().numpy()

    # -- parts, some of which the variants change -----------------------------------------

    def _is_bayesian(self) -> bool:
        return bool(self.params["use_bnn"])

    def _segments(self, n: int, stream: int) -> Tensor | None:
        """Draw labels of units; the standard normal prior has none."""
        del n, stream
        return None

    def _weights(self, fit: Fitted) -> Callable[[int], Mechanisms]:
        """Make a source of weights: draws of Bayesian networks, otherwise the weights.

        The source starts anew with every call, so that draw k has the same weights for all units.
        """
        if not fit.networks.is_bayesian:
            return lambda n: fit.networks.mechanisms()
        generator = torch_generator(self._seeds(_WEIGHTS), _device(fit))
        return lambda n: fit.networks.draw_mechanisms(n, generator)

    def _next_density(self, fit: Fitted, units: Units) -> Callable[[], LogDensity] | None:
        """Make densities that change from step to step; None for one that stays."""
        del fit, units
        return None

    def _density(self, fit: Fitted, units: Units, mechanisms: Mechanisms | None = None) -> Any:
        networks = fit.networks
        segments = self._segments(units.covariates.shape[-2], _PREDICT)
        return latent_density(
            networks.mechanisms() if mechanisms is None else mechanisms,
            networks.roles,
            units,
            fit.prior,
            is_binary=networks.is_binary,
            segments=None if segments is None else segments.to(_device(fit)),
        )

    def _walk(
        self,
        fit: Fitted,
        units: Units,
        generator: torch.Generator,
        *,
        q_sd: float,
        burn_in: int,
        n_keep: int,
        rule: StepSizeRule | None,
    ) -> Iterator[Tensor]:
        check_count("burn_in", burn_in, least=0)
        check_count("n_mcmc", n_keep)
        if not q_sd > 0:
            raise InputError(f"the standard deviation of proposals must be positive, got {q_sd!r}.")
        shape = (1, units.covariates.shape[-2], sum(self.params["z_dims"]))
        start = torch.randn(shape, generator=generator, device=generator.device)
        return random_walk(
            self._density(fit, units),
            start,
            generator,
            q_sd=float(q_sd),
            burn_in=burn_in,
            n_keep=n_keep,
            rule=rule,
            next_density=self._next_density(fit, units),
        )

    def _predict(
        self,
        data: Any,
        alpha: float,
        x_values: Any,
        *,
        n_mcmc: int,
        burn_in: int,
        q_sd: float | None,
        sample_y: bool,
        units_at_once: int,
        draws_at_once: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        fit = self._fitted("predict")
        study = read_triplet(data, self.params["v_dim"])
        check_alpha(alpha)
        check_count("n_mcmc", n_mcmc)
        check_count("bs", units_at_once)
        check_count("bs", draws_at_once)
        levels = self._levels(fit, x_values)
        n, is_binary = len(study.x), fit.table.is_binary
        adapts = q_sd is None or q_sd <= 0
        effects, intervals = [], []
        totals = np.zeros((n_mcmc, len(levels)))
        starts = range(0, n, units_at_once)
        for start, seeds in zip(starts, self._seeds(_PREDICT).spawn(len(starts)), strict=True):
            some = Triplet(*(part[start : start + units_at_once] for part in study))
            streams = [torch_generator(s, _device(fit)) for s in seeds.spawn(2)]
            walk = self._walk(
                fit,
                scaled_units(fit, some),
                streams[0],
                q_sd=1.0 if adapts or q_sd is None else q_sd,
                burn_in=burn_in,
                n_keep=n_mcmc,
                rule=StepSizeRule() if adapts else None,
            )
            parts = outcome_draws(
                fit,
                walk,
                levels,
                self._weights(fit),
                streams[1],
                sample_y=sample_y,
                at_once=draws_at_once,
            )
            if is_binary:
                draws = np.concatenate([part[..., 1] - part[..., 0] for part in parts])
                effects.append(draws.mean(0))
                intervals.append(central_interval(draws, alpha))
            else:
                totals += np.concatenate([part.sum(1) for part in parts])
        if is_binary:
            return np.concatenate(effects), np.concatenate(intervals)
        return totals.mean(0) / n, central_interval(totals / n, alpha)

    def _new_fit(self, study: Triplet) -> Fitted:
        config = causal_options(self.params, bayesian=self._is_bayesian())
        segments = self._segments(len(study.x), _BUILD)
        return new_fit(study, config, self.params, self._seeds(_BUILD), segments)

    def _forget(self) -> None:
        """A failed fit must not leave the answers of another."""
        self._fit = None
        for name in ("data_z", "best_causal_pre", "best_epoch"):
            vars(self).pop(name, None)

    def _fitted(self, asked: str) -> Fitted:
        if self._fit is None:
            raise InputError(f"{asked} needs a fitted model; call fit(data) first.")
        return self._fit

    def _latents(self, data_z: Any, ndim: int) -> Tensor:
        z = np.asarray(data_z, dtype=np.float32)
        width = sum(self.params["z_dims"])
        if z.ndim != ndim or z.shape[-1] != width:
            expected = "(draws, n, " if ndim == 3 else "(n, "
            raise InputError(f"latents must have shape {expected}{width}), got {z.shape}.")
        return torch.from_numpy(z).to(_device(self._fitted("evaluate")))

    def _levels(self, fit: Fitted, x_values: Any) -> Float[np.ndarray, " k"]:
        """Arms, or treatment values on the networks' scale."""
        if fit.table.is_binary:
            return np.array([0.0, 1.0])
        return fit.table.scaled_treatment(read_doses(x_values)).astype(np.float64)

    def _seeds(self, *stream: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self._entropy, spawn_key=stream)


def _device(fit: Fitted) -> torch.device:
    return fit.networks.knots.device


def check_eps(eps: float) -> None:
    """Refuse another smallest variance than that of training.

    Args:
        eps: What was asked for.

    Raises:
        InputError: If it is another one.
    """
    if eps != _EPS:
        raise InputError(f"eps is {_EPS:g}, as in training; got {eps!r}.")


def _weights(fit: Fitted) -> dict[str, Tensor]:
    """All weights and the table of latents, which no checkpoint of the original holds."""
    assert fit.latents is not None
    networks = {f"networks.{k}": v for k, v in fit.networks.state_dict().items()}
    prior = {f"prior.{k}": v for k, v in fit.prior.state_dict().items()}
    return {**networks, **prior, "data_z": fit.latents[0]}


def _snapshot(fit: Fitted) -> Any:
    states = fit.networks.state_dict(), fit.prior.state_dict()
    return *(copy.deepcopy(s) for s in states), fit.latents


def _restore(fit: Fitted, snapshot: Any) -> None:
    networks, prior, fit.latents = snapshot
    fit.networks.load_state_dict(networks)
    fit.prior.load_state_dict(prior)

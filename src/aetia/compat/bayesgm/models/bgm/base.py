"""BGM as the original package has it: ``params`` in, NumPy arrays out."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.compat.bayesgm.arguments import check_alpha, check_count, read_matrix
from aetia.compat.bayesgm.models.bgm.monitor import losses_of_the_start
from aetia.compat.bayesgm.models.bgm.observed_cells import missing_intervals, observed_mask
from aetia.compat.bayesgm.models.bgm.options import table_options
from aetia.compat.bayesgm.models.bgm.training import (
    new_model,
    start_adversarially,
    update_iteratively,
)
from aetia.compat.bayesgm.parameters import full_parameters
from aetia.compat.bayesgm.run_folder import RunFolder
from aetia.errors import InputError
from aetia.generation.bgm.surface import ColumnScales, Config, FittedModel, ModelRows, RowPosterior
from aetia.randomness import seed_sequence, torch_generator
from aetia.samplers import HMC, chain_draws, warm_up

__all__ = ["BGM", "N_SHOWN"]

_BUILD, _START, _UPDATE, _GENERATE, _EVALUATE, _POSTERIORS, _LATENTS = range(7)
N_SHOWN = 5000
"""Rows that are drawn for the files of an evaluation."""
_ROWS_AT_ONCE = 1000
_TARGET = 0.75


class BGM:
    """A generative model of a table, with the original's interface.

    Networks, training and samplers are those of :class:`aetia.generation.bgm.BGM`, set to what the
    original does; columns are scaled inside, results are in the user's units, and training takes
    tables with missing cells. docs/bayesgm-compat.md lists what differs on purpose.

    Args:
        params: Required keys ``dataset``, ``output_dir``, ``x_dim`` and ``z_dim``; all others have
            the documented defaults.
        timestamp: Name of the run; None for the local time.
        random_seed: Seed of this object alone; no global generator is touched. None is fresh
            entropy.

    Attributes:
        params: All keys, defaults filled in.
        data_z: Latents of the rows of the fit.
        history_loss: Reconstruction error at every evaluation.
        save_dir: Folder of results; made when something is written.
        checkpoint_path: Folder of weights; made when something is written.
    """

    _name = "BGM"

    def __init__(
        self,
        params: Mapping[str, Any],
        timestamp: str | None = None,
        random_seed: int | None = None,
    ) -> None:
        self.params = full_parameters(self._name, params)
        self._folder = RunFolder(self.params, timestamp)
        self.timestamp = self._folder.timestamp
        self.save_dir = str(self._folder.results)
        self.checkpoint_path = str(self._folder.checkpoints)
        self._entropy = seed_sequence(random_seed).entropy
        self._model: FittedModel | None = None

    def get_config(self) -> dict[str, Any]:
        """Tell the configuration.

        Returns:
            ``{"params": ...}``, defaults filled in.
        """
        return {"params": copy.deepcopy(self.params)}

    def initialize_nets(self, print_summary: bool = False) -> None:
        """Tell the sizes of the networks; they are built by :meth:`fit`.

        Args:
            print_summary: Whether to print them.
        """
        p, k = self.params["x_dim"], self.params["z_dim"]
        sizes = {
            "g_net": [k, *self.params["g_units"], 2 * p],
            "e_net": [p, *self.params["e_units"], k],
            "dz_net": [k, *self.params["dz_units"], 1],
            "dx_net": [p, *self.params["dx_units"], 1],
        }
        if print_summary:
            for name, widths in sizes.items():
                sys.stdout.write(f"{name}: {' -> '.join(map(str, widths))}\n")

    # -- training -------------------------------------------------------------------------

    def egm_init(
        self,
        data: Any,
        egm_n_iter: int = 10000,
        batch_size: int = 32,
        egm_batches_per_eval: int = 500,
        verbose: int = 1,
    ) -> None:
        """Start generator and encoder against critics, from fresh weights.

        Args:
            data: Rows, NaN where missing.
            egm_n_iter: Updates of generator and encoder; one more is made, as in the original.
            batch_size: Rows of a step.
            egm_batches_per_eval: Updates between evaluations; the first comes after the first
                update.
            verbose: Whether to tell them, and to show a progress bar in terminals.
        """
        check_count("egm_n_iter", egm_n_iter, least=0)
        check_count("egm_batches_per_eval", egm_batches_per_eval)
        self._forget()
        values = self._read(data)
        model = self._new_model(values, batch_size)

        def on_iteration(k: int, signals: Mapping[str, float]) -> None:
            if k % egm_batches_per_eval:
                return
            self._say(verbose, losses_of_the_start(k, signals))
            self._tell_start(verbose, model, values, f"iter [{k}/{egm_n_iter}]")
            self._write_start(model, values, k)
            self._write_model(model, f"weights_at_egm_init_{k}", verbose)

        self._say(verbose, "EGM Initialization Starts ...")
        start_adversarially(
            model,
            self._rows(model, values),
            self.params,
            n_iterations=egm_n_iter + 1,
            seeds=self._seeds(_START),
            on_iteration=on_iteration,
            progress=None if verbose else False,
        )
        self._say(verbose, "EGM Initialization Ends.")
        self._model = model

    def fit(
        self,
        data: Any,
        batch_size: int = 32,
        epochs: int = 100,
        epochs_per_eval: int = 5,
        use_egm_init: bool = True,
        egm_n_iter: int = 20000,
        egm_batches_per_eval: int = 500,
        verbose: int = 1,
    ) -> None:
        """Train, always from fresh weights.

        Args:
            data: Rows, NaN where missing (the original's loss is then not a number).
            batch_size: Rows of a step.
            epochs: Passes of the iterative updating; one more is made, as in the original.
            epochs_per_eval: Passes between evaluations; the first comes after the first pass.
            use_egm_init: Whether generator and encoder are initialised against critics, and latents
                by the encoder; otherwise latents are initialised by draws from their prior.
            egm_n_iter: Updates of that initialisation.
            egm_batches_per_eval: Updates between evaluations of that initialisation.
            verbose: Whether to tell evaluations, and to show a progress bar in terminals.
        """
        values = self._read(data)
        check_count("epochs", epochs, least=0)
        check_count("epochs_per_eval", epochs_per_eval)
        self._folder.write_parameters(self.params)
        if use_egm_init:
            self.egm_init(data, egm_n_iter, batch_size, egm_batches_per_eval, verbose)
            model = self._fitted("fit")
            self._say(verbose, "Initialize latent variables Z with e(V)...")
            z = self._encoded(model, values)
        else:
            self._forget()
            model = self._new_model(values, batch_size)
            self._say(verbose, "Random initialization of latent variables Z...")
            generator = torch_generator(self._seeds(_LATENTS))
            shape = (len(values), int(self.params["z_dim"]))
            z = torch.randn(shape, generator=generator).to(model.device)
        history: list[float] = []

        def on_epoch(epoch: int, z: Tensor) -> None:
            if epoch % epochs_per_eval:
                return
            mse = self._evaluate(model, values, z, with_noise=True)
            history.append(mse)
            self._say(verbose, f"Epoch [{epoch}/{epochs}]: MSE_x: {mse:.4f}")
            self._write_model(model, f"weights_at_{epoch}_generator", verbose)
            self._write_epoch(model, z, epoch)

        self._say(verbose, "Iterative Updating Starts ...")
        rows = self._rows(model, values)
        progress = None if verbose else False
        z = update_iteratively(
            model,
            rows,
            z,
            n_epochs=epochs + 1,  # one more than asked for, as the original makes
            seeds=self._seeds(_UPDATE),
            on_epoch=on_epoch,
            progress=progress,
        )
        self.data_z, self.history_loss = z.cpu().numpy(), history
        self._model = model

    # -- questions ------------------------------------------------------------------------

    def predict(
        self,
        data: Any,
        alpha: float = 0.05,
        return_samples: bool = False,
        bs: int = 100,
        n_mcmc: int = 5000,
        burn_in: int = 5000,
        step_size: float = 0.01,
        num_leapfrog_steps: int = 10,
        seed: int = 42,
    ) -> tuple[np.ndarray, Any]:
        """Fill in missing cells, with intervals.

        Args:
            data: Rows, NaN where missing.
            alpha: Significance level of the intervals.
            return_samples: Whether to return all draws of all cells.
            bs: Rows at once.
            n_mcmc: Draws.
            burn_in: Steps before them, which adapt the step size of every row.
            step_size: Step size at which the adaptation of the sampler begins.
            num_leapfrog_steps: Number of leapfrog steps of a trajectory.
            seed: Seed of the draws.

        Returns:
            Rows whose missing cells are means ``(n, p)``, or draws ``(n_mcmc, n, p)``; intervals
            of the missing cells ``(n, m, 2)``, or a list of ``(m_i, 2)`` if rows miss different
            columns.
        """
        model = self._fitted("predict")
        values = self._read(data)
        check_alpha(alpha)
        check_count("bs", bs)
        missing = np.isnan(values)
        generator = torch_generator(seed_sequence(seed), model.device)
        filled, ends = values.copy(), np.full((*values.shape, 2), np.nan)
        kept = []
        for start in range(0, len(values), bs):
            some = slice(start, start + bs)
            walk = self._walk(
                model,
                *model.scales.to_model(values[some]),
                generator,
                n_mcmc=n_mcmc,
                burn_in=burn_in,
                step_size=step_size,
                num_leapfrog_steps=num_leapfrog_steps,
            )
            draws = np.stack([self._draw_cells(model, z, generator) for z in walk])
            ends[some] = np.moveaxis(np.quantile(draws, [alpha / 2, 1 - alpha / 2], axis=0), 0, -1)
            filled[some] = np.where(missing[some], draws.mean(0), values[some])
            if return_samples:
                kept.append(draws)
        intervals = missing_intervals(ends, missing)
        if not return_samples:
            return self._shaped(filled), intervals
        return self._shaped(np.concatenate(kept, axis=1)), intervals

    def generate(
        self, nb_samples: int = 1000, use_x_sd: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw new rows. The same call gives the same rows.

        Args:
            nb_samples: How many.
            use_x_sd: Whether rows carry their noise; otherwise they are means.

        Returns:
            Rows and the variances of their noise, both ``(nb_samples, x_dim)``.
        """
        model = self._fitted("generate")
        check_count("nb_samples", nb_samples)
        return self._generate(model, nb_samples, use_x_sd)

    def evaluate(self, data: Any, data_z: Any = None, use_x_sd: bool = True) -> float:
        """Compute the mean squared error of reconstructed cells; missing ones do not count.

        Args:
            data: Rows.
            data_z: Their latents; None encodes the rows.
            use_x_sd: Whether reconstructions carry their noise.

        Returns:
            One number.
        """
        model = self._fitted("evaluate")
        values = self._read(data)
        z = None
        if data_z is not None:
            z = self._latents(model, data_z, 2)
            if len(z) != len(values):
                raise InputError(f"data_z has {len(z)} rows, the data have {len(values)}.")
        return self._evaluate(model, values, z, with_noise=use_x_sd)

    def tfp_mcmc_sampler(
        self,
        data: Any,
        ind_x1: Any = None,
        n_mcmc: int = 3000,
        burn_in: int = 5000,
        step_size: float = 0.01,
        num_leapfrog_steps: int = 10,
        seed: int = 42,
    ) -> Float[np.ndarray, "draws n latents"]:
        """Draw latents given the seen cells; all draws are held in memory.

        Args:
            data: Rows.
            ind_x1: Indices of the seen columns: a list for each row, an array, one list for all
                rows, or None for all columns that are not NaN.
            n_mcmc: Draws.
            burn_in: Steps before them.
            step_size: Step size at which the adaptation of the sampler begins.
            num_leapfrog_steps: Number of leapfrog steps of a trajectory.
            seed: Seed of the draws.

        Returns:
            Latents.
        """
        model = self._fitted("tfp_mcmc_sampler")
        values = self._read(data)
        seen = observed_mask(ind_x1, *values.shape)
        generator = torch_generator(seed_sequence(seed), model.device)
        walk = self._walk(
            model,
            *model.scales.to_model(np.where(seen, values, np.nan)),
            generator,
            n_mcmc=n_mcmc,
            burn_in=burn_in,
            step_size=step_size,
            num_leapfrog_steps=num_leapfrog_steps,
        )
        return np.stack([z.cpu().numpy() for z in walk])

    def predict_on_posteriors(self, data_posterior_z: Any) -> np.ndarray:
        """Draw rows from draws of their latents.

        Args:
            data_posterior_z: ``(draws, n, latents)``.

        Returns:
            ``(draws, n, x_dim)``.
        """
        model = self._fitted("predict_on_posteriors")
        generator = torch_generator(self._seeds(_POSTERIORS), model.device)
        latents = self._latents(model, data_posterior_z, 3)
        return self._shaped(np.stack([self._draw_cells(model, z, generator) for z in latents]))

    def get_log_posterior(
        self, data_z: Any, data_x: Any, ind_x1: Any = None, obs_mask: Any = None
    ) -> Float[np.ndarray, " n"]:
        """Evaluate the log density of latents given seen cells.

        Args:
            data_z: Latents.
            data_x: Rows.
            ind_x1: Indices of the seen columns, as for :meth:`tfp_mcmc_sampler`.
            obs_mask: Zero for entries of a two-dimensional ``ind_x1`` that do not count.

        Returns:
            Up to one constant, which does not depend on the latents.
        """
        model = self._fitted("get_log_posterior")
        values = self._read(data_x)
        if obs_mask is not None:
            if ind_x1 is None or np.shape(ind_x1) != np.shape(obs_mask):
                raise InputError("obs_mask needs an ind_x1 of the same shape.")
            pairs = zip(np.asarray(ind_x1), np.asarray(obs_mask) > 0, strict=True)
            ind_x1 = [row[counts].tolist() for row, counts in pairs]
        seen = observed_mask(ind_x1, *values.shape)
        x, observed = model.scales.to_model(np.where(seen, values, np.nan))
        z = self._latents(model, data_z, 2)
        with torch.no_grad():
            return self._posterior(model, x, observed).log_density(z).double().cpu().numpy()

    # -- parts, some of which images change -----------------------------------------------

    def _read(self, data: Any) -> Float[np.ndarray, "n p"]:
        return read_matrix(data, "data", self.params["x_dim"], missing=True)

    def _shaped(self, rows: np.ndarray) -> np.ndarray:
        return rows

    def _options(self, batch_size: int) -> Config:
        return table_options(self.params, batch_size=batch_size)

    def _scales(self, values: np.ndarray) -> ColumnScales:
        """Standardise all columns: in the original all are normal given the latents."""
        seen = ~np.isnan(values)
        if not seen.any(0).all():
            j = int((~seen.any(0)).argmax())
            raise InputError(f"column {j} has no observed value; drop it.")
        scale = np.nanstd(values, 0)
        scale[scale <= 1e-12 * np.abs(np.nanmean(values, 0))] = 0.0
        return ColumnScales(np.nanmean(values, 0), scale, np.zeros(values.shape[1], dtype=bool))

    def _new_model(self, values: np.ndarray, batch_size: int) -> FittedModel:
        options = self._options(check_count("batch_size", batch_size))
        return new_model(self._scales(values), options, self._seeds(_BUILD))

    def _moments(
        self, model: FittedModel, raw: Tensor
    ) -> tuple[Float[np.ndarray, "*rows p"], Float[np.ndarray, "*rows p"]]:
        """Means and variances in the user's units."""
        row = model.likelihood.read(raw)
        assert row.variance is not None
        mean, variance = (t.double().cpu().numpy() for t in (row.mean, row.variance))
        scale = model.scales.scale
        return mean * scale + model.scales.centre, variance * scale**2

    @torch.no_grad()
    def _draw_cells(
        self, model: FittedModel, z: Tensor, generator: torch.Generator
    ) -> Float[np.ndarray, "n p"]:
        """Draw rows; Bayesian weights are drawn once for all of them."""
        raw = model.networks.decoder.drawn(1, generator)(z[None])[0]
        mean, variance = self._moments(model, raw)
        noise = torch.randn(mean.shape, generator=generator, device=generator.device)
        return mean + np.sqrt(variance) * noise.double().cpu().numpy()

    @torch.no_grad()
    def _generate(
        self, model: FittedModel, n: int, with_noise: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        generator = torch_generator(self._seeds(_GENERATE), model.device)
        width, parts = model.networks.decoder.n_latents, []
        for start in range(0, n, _ROWS_AT_ONCE):
            size = min(_ROWS_AT_ONCE, n - start)
            z = torch.randn(size, width, generator=generator, device=model.device)
            # Bayesian weights are drawn for each row.
            mean, variance = self._moments(model, model.networks.decoder(z, generator))
            if with_noise:
                noise = torch.randn(mean.shape, generator=generator, device=model.device)
                mean = mean + np.sqrt(variance) * noise.double().cpu().numpy()
            parts.append((mean, variance))
        rows, variances = (np.concatenate(part) for part in zip(*parts, strict=True))
        return self._shaped(rows), self._shaped(variances)

    @torch.no_grad()
    def _evaluate(
        self, model: FittedModel, values: np.ndarray, z: Tensor | None, *, with_noise: bool
    ) -> float:
        z = self._encoded(model, values) if z is None else z
        mean, variance = self._moments(model, model.networks.decoder.fixed()(z))
        if with_noise:
            generator = torch_generator(self._seeds(_EVALUATE), model.device)
            noise = torch.randn(mean.shape, generator=generator, device=model.device)
            mean = mean + np.sqrt(variance) * noise.double().cpu().numpy()
        return float(np.nanmean((values - mean) ** 2))

    @torch.no_grad()
    def _encoded(self, model: FittedModel, values: np.ndarray) -> Tensor:
        rows = self._rows(model, values)
        return model.networks.encoder(rows.x, rows.observed).mean

    def _rows(self, model: FittedModel, values: np.ndarray) -> ModelRows:
        return ModelRows(*(t.to(model.device) for t in model.scales.to_model(values)))

    def _latents(self, model: FittedModel, data_z: Any, ndim: int) -> Tensor:
        z, width = np.asarray(data_z, dtype=np.float32), int(self.params["z_dim"])
        if z.ndim != ndim or z.shape[-1] != width:
            expected = "(draws, n, " if ndim == 3 else "(n, "
            raise InputError(f"latents must have shape {expected}{width}), got {z.shape}.")
        return torch.from_numpy(z).to(model.device)

    def _posterior(
        self, model: FittedModel, x: Float[Tensor, "n p"], observed: Bool[Tensor, "n p"]
    ) -> RowPosterior:
        decoder = model.networks.decoder
        x, observed = x.to(model.device), observed.to(model.device)
        return RowPosterior(decoder.fixed(), model.likelihood, x, observed, decoder.n_latents)

    def _walk(
        self,
        model: FittedModel,
        x: Float[Tensor, "n p"],
        observed: Bool[Tensor, "n p"],
        generator: torch.Generator,
        *,
        n_mcmc: int,
        burn_in: int,
        step_size: float,
        num_leapfrog_steps: int,
    ) -> Iterator[Float[Tensor, "n latents"]]:
        check_count("n_mcmc", n_mcmc)
        check_count("burn_in", burn_in, least=0)
        check_count("num_leapfrog_steps", num_leapfrog_steps)
        if not (math.isfinite(step_size) and step_size > 0):
            raise InputError(f"step_size must be larger than 0, got {step_size!r}.")
        posterior = self._posterior(model, x, observed)
        sampler = HMC(posterior.log_density, step_size, num_leapfrog_steps)
        shape = (len(x), posterior.n_latents)
        start = torch.randn(shape, generator=generator, device=generator.device)
        state, _ = warm_up(sampler, sampler.init(start), burn_in, generator, target=_TARGET)
        return (s.position for s, _ in chain_draws(sampler, state, n_mcmc, generator))

    # -- monitoring -----------------------------------------------------------------------

    def _say(self, verbose: int, text: str) -> None:
        if verbose:
            sys.stdout.write(f"{text}\n")

    def _tell_start(self, verbose: int, model: FittedModel, values: np.ndarray, where: str) -> None:
        for noisy, name in ((True, "MSE_x"), (False, "MSE_x no x_sd")):
            mse = self._evaluate(model, values, None, with_noise=noisy)
            self._say(verbose, f"{where}: {name}: {mse:.4f}")

    # -- files ----------------------------------------------------------------------------

    def _write_start(self, model: FittedModel, values: np.ndarray, step: int) -> None:
        if not self._folder.saves_results:
            return
        z = self._encoded(model, values)
        with torch.no_grad():
            again, _ = self._moments(model, model.networks.decoder.fixed()(z))
        arrays = self._shown(model, z)
        name = f"init_data_gen_at_{step}.npz"
        self._folder.write_arrays(name, x_rec=self._shaped(again), **arrays)

    def _write_epoch(self, model: FittedModel, z: Tensor, epoch: int) -> None:
        if self._folder.saves_results:
            self._folder.write_arrays(f"data_gen_at_{epoch}.npz", **self._shown(model, z))

    def _shown(self, model: FittedModel, z: Tensor) -> dict[str, np.ndarray]:
        noisy, var_noisy = self._generate(model, N_SHOWN, with_noise=True)
        plain, var_plain = self._generate(model, N_SHOWN, with_noise=False)
        return {
            "gen1": noisy,
            "gen12": plain,
            "z": z.cpu().numpy(),
            "var1": var_noisy,
            "var12": var_plain,
        }

    def _write_model(self, model: FittedModel, stem: str, verbose: int) -> None:
        if path := self._folder.write_weights(stem, model.networks.state_dict()):
            self._say(verbose, f"Saving checkpoint at {path}")

    # -- state ----------------------------------------------------------------------------

    def _forget(self) -> None:
        """A failed fit must not leave the answers of another."""
        self._model = None
        for name in ("data_z", "history_loss"):
            vars(self).pop(name, None)

    def _fitted(self, asked: str) -> FittedModel:
        if self._model is None:
            raise InputError(f"{asked} needs a fitted model; call fit(data) first.")
        return self._model

    def _seeds(self, *stream: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self._entropy, spawn_key=stream)

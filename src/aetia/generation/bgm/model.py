"""A fitted model of flat rows: what BGM and ImageBGM have in common."""

from __future__ import annotations

import copy
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from aetia.errors import ConvergenceWarning, InputError
from aetia.generation.bgm.config import BGMConfig, ImageBGMConfig
from aetia.generation.bgm.drawing import BlockDraws, draw_missing, rows_of_a_block
from aetia.generation.bgm.egm import Adversaries
from aetia.generation.bgm.evidence import Evidence, evidence
from aetia.generation.bgm.fitting import (
    ModelRows,
    fit_likelihood,
    latent_count,
    start_adversarially,
)
from aetia.generation.bgm.latent_law import DefensiveLaw
from aetia.generation.bgm.latent_posterior import RowPosterior
from aetia.generation.bgm.likelihood import Likelihood
from aetia.generation.bgm.missingness import MissingnessNet
from aetia.generation.bgm.networks import (
    ImageCritic,
    ImageDecoder,
    ImageReader,
    Networks,
    TableCritic,
    TableDecoder,
    TableReader,
)
from aetia.generation.bgm.random_images import RandomImageDecoder
from aetia.generation.bgm.table import ColumnScales
from aetia.nets import Discriminator, seeded
from aetia.options import options_dict
from aetia.randomness import RandomState, seed_sequence, torch_generator
from aetia.results import Draws
from aetia.version import __version__

__all__ = ["Config", "FittedModel", "build_networks", "fit_model", "likelihood_of"]

Config = BGMConfig | ImageBGMConfig

_BUILD, _SPLIT, _START, _FIT, _PREDICT = range(5)
_MOST_HELD_OUT = 1000
_CELLS_AT_ONCE = 1_000_000
"""Of all draws together: what bounds memory."""
_ROWS_OF_SAMPLES = 20_000


@dataclass(frozen=True, eq=False)
class FittedModel:
    """Networks with everything that is needed to use them.

    Attributes:
        config: Options.
        networks: Generator, encoder and perhaps the law of what is seen.
        likelihood: Law of the columns.
        scales: Of the columns.
        names: Of the columns.
        entropy: Seed of the fit; predictions derive theirs from it.
        history: Rows of losses; the entry ``"stage"`` is ``"egm"`` or ``"likelihood"``.
        facts: Wall time, steps and so on.
    """

    config: Config
    networks: Networks
    likelihood: Likelihood
    scales: ColumnScales
    names: tuple[str, ...]
    entropy: int
    history: list[dict[str, Any]]
    facts: dict[str, Any]

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.networks.parameters()).device

    def impute(
        self,
        values: Float[np.ndarray, "n p"],
        n_draws: int,
        random_state: RandomState,
        row_labels: tuple[Any, ...] = (),
        event: tuple[int, ...] | None = None,
    ) -> Draws:
        """Draw the missing cells.

        Args:
            values: Rows in the user's units, NaN where missing.
            n_draws: Of each cell.
            random_state: Of the draws; None derives it from the fit's.
            row_labels: Of the rows.
            event: Shape of a row in the result; None for a table.

        Returns:
            The draws.

        Raises:
            InputError: If ``n_draws`` is no positive integer.
        """
        started = time.perf_counter()
        _check_count("n_draws", n_draws)
        seeds = self._seeds(random_state, 0)
        open_rows = np.flatnonzero(np.isnan(values).any(1))
        size = rows_of_a_block(self.networks, self.config, n_draws, values.shape[1])
        blocks = [open_rows[i : i + size] for i in range(0, len(open_rows), size)]
        parts, facts = [], []
        is_table = event is None
        names = self.names if is_table else ()
        shape = values.shape[1:] if event is None else event
        limit = self.config.max_megabytes / max(len(blocks), 1)
        for block, child in zip(blocks, seeds.spawn(len(blocks)), strict=True):
            drawn = self._draw(values[block], n_draws, torch_generator(child, self.device))
            part = Draws.of_cells(values[block], drawn.cells, max_megabytes=limit)
            parts.append(part)
            facts.append(drawn.facts)
        whole = values.reshape(len(values), *shape)
        about = {
            "method": "BGM" if is_table else "ImageBGM",
            "seed": seeds.entropy,
            "version": __version__,
            "device": str(self.device),
            "config": options_dict(self.config),
            **_worst(facts),
            "wall_time_s": time.perf_counter() - started,
        }
        _report_mixing(about)
        if not parts:
            empty = np.zeros((n_draws, 0))
            return Draws.of_cells(
                whole, empty, names=names, row_labels=row_labels, diagnostics=about
            )
        joined = Draws.concatenate(parts)
        return Draws(
            given=whole,
            cells=joined.cells,
            names=names,
            cell_mean=joined.cell_mean,
            cell_sd=joined.cell_sd,
            quantiles=joined.quantiles,
            row_labels=row_labels,
            n_draws=n_draws,
            diagnostics=about,
        )

    def sample(
        self, n: int, random_state: RandomState, event: tuple[int, ...] | None = None
    ) -> Draws:
        """Draw new rows.

        Args:
            n: How many.
            random_state: Of the draws; None derives it from the fit's.
            event: Shape of a row in the result; None for a table.

        Returns:
            One draw of each row.

        Raises:
            InputError: If ``n`` is no positive integer.
        """
        _check_count("n", n)
        seeds = self._seeds(random_state, 1)
        generator = torch_generator(seeds, self.device)
        decoder, p = self.networks.decoder, len(self.names)
        rows = []
        with torch.no_grad():
            for i in range(0, n, _ROWS_OF_SAMPLES):
                size = min(_ROWS_OF_SAMPLES, n - i)
                z = torch.randn(size, decoder.n_latents, generator=generator, device=self.device)
                raw = decoder(z, generator)
                x = torch.zeros(size, p, device=self.device)
                unseen = torch.zeros_like(x, dtype=torch.bool)
                if getattr(self.config, "pixels", "") == "probability":
                    drawn = self.likelihood.mean(raw, x, unseen)
                else:
                    drawn = self.likelihood.sample(raw, x, unseen, generator)
                rows.append(self.scales.to_user(drawn.cpu().numpy(), np.arange(p)))
        values = np.concatenate(rows)[None]
        about = {
            "method": "BGM" if event is None else "ImageBGM",
            "seed": seeds.entropy,
            "version": __version__,
            "config": options_dict(self.config),
        }
        if event is not None:
            values = values.reshape(1, n, *event)
        return Draws.of_values(values, names=self.names if event is None else (), diagnostics=about)

    def evidence(self, values: Float[np.ndarray, "n p"]) -> Evidence:
        """Estimate the likelihood of the seen cells, and means of the latents.

        Args:
            values: Rows in the user's units, NaN where missing.

        Returns:
            On the CPU, float64; log likelihoods in the user's units.
        """
        x, observed = self.scales.to_model(values, np.float64)
        networks = copy.deepcopy(self.networks).double()  # reported scores are float64
        parts = []
        size = max(_CELLS_AT_ONCE // (self.config.n_evidence * len(self.names)), 1)
        for i in range(0, len(values), size):
            rows = ModelRows(x, observed).take(slice(i, i + size))
            rows = ModelRows(*(t.to(self.device) for t in rows))
            # The same random numbers for every block, so that a row's answer is its own.
            generator = torch_generator(self._seeds(None, 2), self.device)
            with torch.no_grad():
                law = DefensiveLaw(networks.reader(rows.x, rows.observed))
            posterior = RowPosterior(
                networks.decoder.fixed(), self.likelihood, *rows, law.law.mean.shape[1]
            )
            parts.append(evidence(posterior, law, self.config.n_evidence, generator))
        joined = Evidence(
            *(torch.cat([p[k] for p in parts]).cpu() for k in range(3))  # pyright: ignore
        )
        jacobian = torch.from_numpy(self.scales.log_jacobian(observed.numpy()))
        total = joined.log_likelihood + jacobian
        return joined._replace(log_likelihood=torch.where(observed.any(1), total, 0.0))

    def _draw(self, values: np.ndarray, n_draws: int, generator: torch.Generator) -> BlockDraws:
        x, observed = self.scales.to_model(values)
        drawn = draw_missing(
            self.networks,
            self.likelihood,
            ModelRows(x.to(self.device), observed.to(self.device)),
            n_draws,
            self.config,
            generator,
            probabilities=getattr(self.config, "pixels", "") == "probability",
        )
        # Constant columns are unseen to the model even where the user gave them.
        hidden_to_model = ~observed.numpy()
        hidden = np.isnan(values)
        columns = np.nonzero(hidden_to_model)[1]
        keep = hidden[hidden_to_model]
        return BlockDraws(self.scales.to_user(drawn.cells, columns)[:, keep], drawn.facts)

    def _seeds(self, random_state: RandomState, question: int) -> np.random.SeedSequence:
        if random_state is not None:
            return seed_sequence(random_state)
        return np.random.SeedSequence(self.entropy, spawn_key=(_PREDICT, question))


def fit_model(
    values: Float[np.ndarray, "n p"],
    names: tuple[str, ...],
    scales: ColumnScales,
    config: Config,
    seeds: np.random.SeedSequence,
    device: torch.device,
    progress: bool | None,
) -> FittedModel:
    """Train a model of rows.

    Args:
        values: Rows in the user's units, NaN where missing.
        names: Of the columns.
        scales: Of the columns.
        config: Options.
        seeds: Root of everything random.
        device: Where to train.
        progress: Whether to show a bar.

    Returns:
        The model.
    """
    started = time.perf_counter()
    entropy = seeds.entropy
    assert isinstance(entropy, int)
    rows = ModelRows(*(t.to(device) for t in scales.to_model(values)))
    likelihood = likelihood_of(config, scales, device)
    n_latents = _n_latents(config, rows)
    build = torch_generator(_child(entropy, _BUILD))
    with seeded(build):
        networks = build_networks(config, likelihood, n_latents, rows)
        critics = _critics(config, n_latents, len(names))
    networks.to(device)
    order = torch.randperm(len(values), generator=torch_generator(_child(entropy, _SPLIT)))
    n_held_out = min(max(round(config.validation_share * len(values)), 1), _MOST_HELD_OUT)
    held_out, learned = rows.take(order[:n_held_out]), rows.take(order[n_held_out:])
    history: list[dict[str, Any]] = []
    if config.n_egm_steps:
        players = Adversaries(networks, *critics).to(device)
        seed = _integer(_child(entropy, _START))
        trained = start_adversarially(players, likelihood, learned, config, seed, progress)
        history += [{"stage": "egm", **row} for row in trained.rows]
    seed = _integer(_child(entropy, _FIT))
    trained = fit_likelihood(networks, likelihood, learned, held_out, config, seed, progress)
    history += [{"stage": "likelihood", **row} for row in trained.rows]
    networks.eval().requires_grad_(False)
    facts = {
        "n_latents": n_latents,
        "n_steps": trained.step,
        "best_step": trained.best_step,
        "held_out_bound": trained.best_metrics.get("log_likelihood"),
        "n_skipped": trained.n_skipped,
        "wall_time_s": time.perf_counter() - started,
        "device": str(device),
        "version": __version__,
    }
    return FittedModel(config, networks, likelihood, scales, names, entropy, history, facts)


def likelihood_of(config: Config, scales: ColumnScales, device: torch.device) -> Likelihood:
    """Make the law of the columns.

    Args:
        config: Options.
        scales: Which columns are binary.
        device: Where it is evaluated.

    Returns:
        The law.
    """
    binary = torch.from_numpy(scales.is_binary).to(device)
    if isinstance(config, ImageBGMConfig):
        return Likelihood("bernoulli", binary)
    rank = config.rank if config.likelihood == "low-rank" else 0
    return Likelihood(config.likelihood, binary, rank, config.smallest_std)


def build_networks(
    config: Config, likelihood: Likelihood, n_latents: int, rows: ModelRows | None
) -> Networks:
    """Build generator, encoder and perhaps the law of what is seen.

    Args:
        config: Options.
        likelihood: Law of the columns.
        n_latents: Width of the latents.
        rows: The table; None when weights are read from a file afterwards.

    Returns:
        Networks with fresh weights.
    """
    p = likelihood.n_columns
    if isinstance(config, ImageBGMConfig):
        height, width, channels = config.image_shape
        shape = (int(height), int(width), int(channels))
        made = RandomImageDecoder if config.bayesian_generator else ImageDecoder
        return Networks(
            made(n_latents, shape, config.width),
            ImageReader(shape, n_latents, config.width),
        )
    decoder = TableDecoder(
        n_latents,
        p,
        likelihood.n_outputs,
        list(config.generator_units),
        bayesian=config.bayesian_generator,
    )
    missingness = None
    if config.missingness == "mnar":
        seen = torch.ones(2, p, dtype=torch.bool) if rows is None else rows.observed.cpu()
        missingness = MissingnessNet(seen, list(config.missingness_units))
    return Networks(decoder, TableReader(p, n_latents, list(config.encoder_units)), missingness)


def _critics(config: Config, n_latents: int, p: int) -> tuple[nn.Module, nn.Module]:
    if isinstance(config, ImageBGMConfig):
        height, width, channels = config.image_shape
        of_rows = ImageCritic((height, width, channels), 2 * config.width, config.dropout)
        return Discriminator(n_latents, [64, 32, 8]), of_rows
    units = list(config.critic_units)
    return Discriminator(n_latents, units), TableCritic(p, units)


def _n_latents(config: Config, rows: ModelRows) -> int:
    if config.n_latents != "auto":
        return int(config.n_latents)
    x, seen = rows.x.double(), rows.observed.double()
    if isinstance(config, ImageBGMConfig):
        x = (x - (x * seen).sum(0) / seen.sum(0).clamp(min=1)) * seen
    pairs = (x.T @ x) / (seen.T @ seen).clamp(min=1)
    spread = pairs.diagonal().clamp(min=1e-12).sqrt()
    correlation = pairs / spread / spread[:, None]
    return latent_count(correlation.cpu().numpy())


def _child(entropy: int, which: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(entropy, spawn_key=(which,))


def _integer(seeds: np.random.SeedSequence) -> int:
    return int(seeds.generate_state(1, np.uint32)[0])


def _worst(facts: list[dict[str, float]]) -> dict[str, float]:
    """Reduce the facts of all blocks: sums of counts, worst R-hat, smallest sample size."""
    out: dict[str, float] = {}
    for name in dict.fromkeys(k for f in facts for k in f):
        values = np.array([f[name] for f in facts if name in f])
        if name == "n_divergent":
            out[name] = float(values.sum())
        elif name.endswith("_max"):
            out[name] = float(values.max())
        elif name.endswith("_min"):
            out[name] = float(values.min())
        else:
            out[name] = float(values.mean())
    return out


def _report_mixing(about: dict[str, Any]) -> None:
    share = about.get("share_rhat_high", 0.0)
    if share > 0.2:
        warnings.warn(
            f"R-hat exceeds 1.1 for {share:.0%} of the latents of the rows that were checked "
            f"(largest {about['rhat_max']:.2f}): the chains have not forgotten where they started. "
            "Raise n_warmup, n_leapfrog or n_draws.",
            ConvergenceWarning,
            stacklevel=4,
        )


def _check_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"{name} must be an integer of at least 1, got {value!r}.")

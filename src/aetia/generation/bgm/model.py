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

from aetia.errors import ConvergenceWarning, InputError
from aetia.generation.bgm.building import Config
from aetia.generation.bgm.drawing import BlockDraws, draw_missing, rows_of_a_block
from aetia.generation.bgm.evidence import Evidence, evidence
from aetia.generation.bgm.fitting import ModelRows
from aetia.generation.bgm.latent_distribution import DefensiveProposal
from aetia.generation.bgm.latent_posterior import RowPosterior
from aetia.generation.bgm.likelihood import ColumnLikelihood
from aetia.generation.bgm.networks import Networks
from aetia.generation.bgm.table import ColumnScales
from aetia.randomness import RandomState, seed_sequence, torch_generator
from aetia.results import Draws, RunFacts

__all__ = ["FittedModel"]

_PREDICT = 4
"""Stream of predictions; the fit has those before it."""
_CELLS_AT_ONCE = 1_000_000
"""Of all draws together: what bounds memory."""
_ROWS_OF_SAMPLES = 20_000


@dataclass(frozen=True, eq=False)
class FittedModel:
    """Networks with everything that is needed to use them.

    Attributes:
        config: Options.
        networks: Generator, encoder and perhaps the model of missingness.
        likelihood: Distribution of the columns.
        scales: Scales of the columns.
        names: Names of the columns.
        history: Rows of losses; the entry ``"stage"`` is ``"egm"`` or ``"likelihood"``.
        facts: What is known about the fit; predictions derive their seeds from its seed.
        health: Width of the latents, bound on the validation rows, skipped updates.
    """

    config: Config
    networks: Networks
    likelihood: ColumnLikelihood
    scales: ColumnScales
    names: tuple[str, ...]
    history: list[dict[str, Any]]
    facts: RunFacts
    health: dict[str, Any]

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
            n_draws: Draws of each cell.
            random_state: Seed of the draws; None derives it from the fit's.
            row_labels: Labels of the rows.
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
        parts, chains = [], []
        is_table = event is None
        names = self.names if is_table else ()
        shape = values.shape[1:] if event is None else event
        limit = self.config.max_megabytes / max(len(blocks), 1)
        for block, child in zip(blocks, seeds.spawn(len(blocks)), strict=True):
            drawn = self._draw(values[block], n_draws, torch_generator(child, self.device))
            part = Draws.of_cells(values[block], drawn.cells, max_megabytes=limit)
            parts.append(part)
            chains.append(drawn.facts)
        whole = values.reshape(len(values), *shape)
        about = self._about(random_state, seeds) | _worst(chains)
        about["drawing_seconds"] = time.perf_counter() - started
        _report_mixing(about)
        if not parts:
            empty = np.zeros((n_draws, 0))
            return Draws.of_cells(
                whole,
                empty,
                names=names,
                row_labels=row_labels,
                facts=self.facts,
                diagnostics=about,
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
            facts=self.facts,
            diagnostics=about,
        )

    def sample(
        self, n: int, random_state: RandomState, event: tuple[int, ...] | None = None
    ) -> Draws:
        """Draw new rows.

        Args:
            n: How many.
            random_state: Seed of the draws; None derives it from the fit's.
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
        if event is not None:
            values = values.reshape(1, n, *event)
        return Draws.of_values(
            values,
            names=self.names if event is None else (),
            facts=self.facts,
            diagnostics=self._about(random_state, seeds),
        )

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
                proposal = DefensiveProposal(networks.encoder(rows.x, rows.observed))
            posterior = RowPosterior(
                networks.decoder.fixed(), self.likelihood, *rows, proposal.guess.mean.shape[1]
            )
            parts.append(evidence(posterior, proposal, self.config.n_evidence, generator))
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
        return np.random.SeedSequence(self.facts.seed, spawn_key=(_PREDICT, question))

    @staticmethod
    def _about(random_state: RandomState, seeds: np.random.SeedSequence) -> dict[str, Any]:
        """Name the seed of the draws where it is not that of the fit."""
        return {} if random_state is None else {"drawing_seed": str(seeds.entropy)}


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

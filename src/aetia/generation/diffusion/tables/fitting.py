"""The fit of a denoiser for tables."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.generation.diffusion.process.averaging import ema_for
from aetia.generation.diffusion.process.objective import Noised, Objective
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.generation.diffusion.tables.masks import Pattern, random_patterns
from aetia.generation.diffusion.tables.networks import (
    PlainDenoiser,
    ResidualDenoiser,
    VectorDenoiser,
)
from aetia.training import Phase, Trained, TrainingConfig, minibatches, train

__all__ = [
    "TableTask",
    "build_network",
    "context_of",
    "fit_denoiser",
    "held_out_rows",
    "objective_of",
]

_MOST_HELD_OUT = 1000
_N_VALIDATIONS = 20
_N_QUESTIONS = 8
"""Patterns, times and noises that each held-out row is scored under."""


class TableTask:
    """Rows of a table, and the roles that columns can have."""

    def __init__(
        self,
        rows: Float[Tensor, " n w"],
        observed: Bool[Tensor, " n d"],
        column_of: Tensor,
        patterns: Pattern | None,
    ) -> None:
        self.rows, self.observed = rows, observed
        self.column_of, self.patterns = column_of, patterns

    def ask(self, index: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor | None]:
        """Choose targets and context of some rows.

        Args:
            index: Their numbers.
            g: Source of randomness.

        Returns:
            Rows with zeros outside the targets, the targets among the numbers, and the context.
        """
        pattern = random_patterns(self.observed[index], g, self.patterns)
        target = pattern.target[:, self.column_of]
        context = context_of(self.rows[index], pattern, self.column_of)
        return self.rows[index] * target, target, context


def context_of(
    rows: Float[Tensor, " n w"], pattern: Pattern, column_of: Tensor
) -> Float[Tensor, " n c"] | None:
    """Lay out what the network is told: known numbers, what is known, what is asked.

    Args:
        rows: Standardised numbers.
        pattern: Roles of the columns.
        column_of: The column of each number.

    Returns:
        One row of inputs for each row; None for a single column, of which nothing can be known.
    """
    if pattern.target.shape[1] == 1:
        return None
    known = rows * pattern.context[:, column_of]
    return torch.cat([known, pattern.context.to(rows), pattern.target.to(rows)], -1)


def build_network(config: DDDMConfig, n_numbers: int, n_columns: int) -> VectorDenoiser:
    """Make the network, with initial weights by torch's global generator.

    Args:
        config: Options.
        n_numbers: Numbers of a row.
        n_columns: Columns of the table.

    Returns:
        A denoiser.
    """
    n_context = n_numbers + 2 * n_columns if n_columns > 1 else 0
    noise = config.value("n_noise")
    n_noise = n_numbers if noise is None else int(noise)
    widths = config.value("hidden_units")
    if config.value("network") == "plain":
        return PlainDenoiser(n_numbers, n_context, n_noise, widths)
    return ResidualDenoiser(
        config.the_schedule(),
        n_numbers,
        n_context,
        n_noise,
        width=widths[0],
        n_blocks=len(widths) - 1,
    )


def objective_of(config: DDDMConfig) -> Objective:
    """Put the loss together.

    Args:
        config: Options.

    Returns:
        The objective.
    """
    return Objective(
        config.the_schedule(),
        config.the_distance(),
        config.interaction,
        config.population,
        config.value("time_weight"),
        config.weight_bias,
        config.value("noise_share"),
    )


def fit_denoiser(
    network: VectorDenoiser,
    task: TableTask,
    held_out: Tensor,
    config: DDDMConfig,
    seed: int,
    progress: bool | None,
) -> Trained:
    """Train; the network ends with the weights that score the held-out rows best.

    Args:
        network: The denoiser.
        task: All rows.
        held_out: Numbers of the validation rows; may be empty.
        config: Options.
        seed: Seed of everything random.
        progress: Whether to show a bar.

    Returns:
        How it went.
    """
    objective = objective_of(config)
    n, device = len(task.rows), task.rows.device
    learned = torch.ones(n, dtype=torch.bool)
    learned[held_out.cpu()] = False
    numbers = learned.nonzero()[:, 0].to(device)
    n_steps = int(config.value("n_training_steps"))

    def loss(module: nn.Module, batch: Tensor, step: int, g: torch.Generator) -> Any:
        del step
        x_0, target, context = task.ask(numbers[batch.to(device)], g)
        asked = objective.noise(x_0, (network.n_noise,), g)
        draws = module(asked.x_t * target, asked.t, asked.xi, context)
        scored = objective.score(draws, x_0, asked.t, target)
        return scored.loss, {
            "confinement": scored.confinement,
            "interaction": scored.interaction,
            "weight": scored.weight,
        }

    questions: list[tuple[Tensor, Tensor, Tensor | None, Noised]] = []
    g = torch.Generator(device=device).manual_seed(seed)
    if len(held_out):
        repeats = max(_N_QUESTIONS * 100 // len(held_out), 1)
        index = held_out.to(device).repeat(repeats)
        x_0, target, context = task.ask(index, g)
        questions.append((x_0, target, context, objective.noise(x_0, (network.n_noise,), g)))

    @torch.no_grad()
    def validate(module: nn.Module, step: int) -> list[dict[str, Any]]:
        del step
        rows = []
        for k, (x_0, target, context, asked) in enumerate(questions):
            draws = module(asked.x_t * target, asked.t, asked.xi, context)
            score = objective.score(draws, x_0, asked.t, target)
            rows.append({"task": k, "loss": float(score.loss)})
        return rows

    every = max(n_steps // _N_VALIDATIONS, 1)
    options = TrainingConfig(
        n_steps=n_steps,
        learning_rate=config.value("learning_rate"),
        weight_decay=config.value("weight_decay"),
        betas=(0.9, 0.99),
        schedule=config.value("lr_schedule"),
        min_learning_rate=0.0,
        clip_norm=config.value("clip_norm") or None,
        ema_decay=ema_for(float(config.value("ema_decay")), n_steps),
        log_every=max(n_steps // 100, 1),
        gradient_shares=False,
        validate_every=every if questions else 0,
        progress=progress,
    )
    size = min(int(config.value("batch_size")), len(numbers))
    phase = Phase(parameters=lambda m: list(m.parameters()), loss=loss)
    return train(
        network,
        [phase],
        minibatches(len(numbers), size, seed),
        config=options,
        seed=seed,
        validate=validate if questions else None,
        resume=False,
    )


def held_out_rows(n: int, share: float, g: torch.Generator) -> Tensor:
    """Choose the validation rows.

    Args:
        n: Rows.
        share: Share of the rows.
        g: Source of randomness.

    Returns:
        Their numbers.
    """
    return torch.randperm(n, generator=g)[: min(int(share * n), _MOST_HELD_OUT)]

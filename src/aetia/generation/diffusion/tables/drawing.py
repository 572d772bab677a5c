"""Draws of any columns given any others, by the reverse chain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.data import Dataset
from aetia.generation.diffusion.process.sampler import reverse_chain, time_grid
from aetia.generation.diffusion.tables.asking import check_trained, index_of
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.generation.diffusion.tables.fitted import Fitted
from aetia.generation.diffusion.tables.fitting import context_of
from aetia.generation.diffusion.tables.masks import Pattern
from aetia.randomness import torch_generator

__all__ = ["draw_missing", "draw_populations", "draw_targets", "pattern_of", "steps_of"]

_NUMBERS_AT_ONCE = 2_000_000
"""Rows times hidden width that a call of the network sees at once: what bounds memory."""


def draw_missing(
    fit: Fitted,
    data: Dataset,
    n: int,
    seeds: np.random.SeedSequence,
    n_steps: int | None = None,
    columns: Sequence[str] | None = None,
) -> Float[np.ndarray, "n rows d"]:
    """Draw what is missing of rows, in the user's units; given cells stay as they are.

    Args:
        fit: The fitted network.
        data: Rows with the columns of the fit.
        n: Draws of each row.
        seeds: Seeds of the draws.
        n_steps: Steps of the sampler; None for the configured number.
        columns: Draw these alone, whatever else is missing; None for all.

    Returns:
        The rows, n times.
    """
    codec = fit.codec
    z, observed = codec.to_model(data)
    pattern = pattern_of(observed.numpy())
    if columns is not None:
        asked = torch.zeros(codec.d, dtype=torch.bool)
        asked[[index_of(name, fit.names, "columns") for name in columns]] = True
        pattern = Pattern(pattern.target & asked, pattern.context)
    drawn = draw_populations(fit, z, pattern, n, seeds, n_steps)
    values = codec.to_user(drawn.numpy())
    return np.where(observed.numpy(), codec.codes(data), values)


def draw_populations(
    fit: Fitted,
    z: Float[Tensor, " rows w"],
    pattern: Pattern,
    n: int,
    seeds: np.random.SeedSequence,
    n_steps: int | None,
) -> Float[Tensor, "n rows w"]:
    """Draw the targets of rows n times.

    Args:
        fit: The fitted network.
        z: Standardised rows.
        pattern: Roles of the columns.
        n: Draws of each row.
        seeds: Seeds of the draws.
        n_steps: Steps of the sampler; None for the configured number.

    Returns:
        Standardised rows.
    """
    generator = torch_generator(seeds, fit.device)
    check_trained(fit, pattern)
    # Rows in front, so that one call of the network serves rows and draws alike.
    rows = z.repeat(n, 1)
    roles = Pattern(*(mask.repeat(n, 1) for mask in pattern))
    return draw_targets(fit, rows, roles, generator, n_steps).unflatten(0, (n, len(z)))


@torch.no_grad()
def draw_targets(
    fit: Fitted,
    rows: Float[Tensor, " n w"],
    pattern: Pattern,
    generator: torch.Generator,
    n_steps: int | None = None,
) -> Float[Tensor, " n w"]:
    """Draw the targets of rows given their context.

    Args:
        fit: The fitted network.
        rows: Standardised numbers; only the context is read.
        pattern: Roles of the columns, alike in all rows or not.
        generator: Source of randomness.
        n_steps: Steps of the sampler; None for the configured number.

    Returns:
        The rows with their targets drawn.
    """
    config, network, device = fit.config, fit.network, fit.device
    column_of = torch.from_numpy(fit.codec.column_of).to(device)
    schedule, churn = config.the_schedule(), float(config.value("churn"))
    size = max(_NUMBERS_AT_ONCE // max(config.value("hidden_units")), 1)
    out = []
    for start in range(0, len(rows), size):
        some = rows[start : start + size].to(device)
        roles = Pattern(*(mask[start : start + size].to(device) for mask in pattern))
        target = roles.target[:, column_of]
        context = context_of(some, roles, column_of)
        n = len(some)

        def denoise(x: Tensor, t: float, g: torch.Generator) -> Tensor:
            xi = torch.empty((n, 1, network.n_noise), device=device).normal_(generator=g)  # noqa: B023
            times = torch.full((n,), t, device=device)  # noqa: B023
            return network(x * target, times, xi, context)[:, 0]  # noqa: B023

        steps = steps_of(config, roles) if n_steps is None else n_steps
        noise = torch.empty_like(some).normal_(generator=generator)
        drawn = reverse_chain(
            denoise, schedule, noise, time_grid(steps, config.time_grid), churn, generator
        )
        out.append(torch.where(target, drawn, some).cpu())
    return torch.cat(out)


def steps_of(config: DDDMConfig, pattern: Pattern) -> int:
    """Choose the number of steps.

    Args:
        config: Options.
        pattern: Roles of the columns.

    Returns:
        The configured number; for ``"auto"`` 1 if no row has more than one target, else 5.
    """
    if config.n_steps != "auto":
        return int(config.n_steps)
    widest = int(pattern.target.sum(1).max()) if len(pattern.target) else 1
    return 1 if widest <= 1 else 5


def pattern_of(observed: Bool[np.ndarray, "n d"]) -> Pattern:
    """Draw what is missing given what is there.

    Args:
        observed: True where a value is known.

    Returns:
        Targets and context.
    """
    known = torch.from_numpy(observed)
    return Pattern(~known, known)

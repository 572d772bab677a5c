"""A fitted denoiser of a table: draws of any columns given any others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.generation.diffusion.process.sampler import reverse_chain, time_grid
from aetia.generation.diffusion.tables.codec import Codec
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.generation.diffusion.tables.fitting import context_of
from aetia.generation.diffusion.tables.masks import Pattern
from aetia.generation.diffusion.tables.networks import VectorDenoiser

__all__ = ["Fitted", "draw_targets", "pattern_of", "steps_of"]

_NUMBERS_AT_ONCE = 2_000_000
"""Rows times hidden width that a call of the network sees at once: what bounds memory."""


@dataclass(eq=False)
class Fitted:
    """Network, columns and patterns of a fit."""

    network: VectorDenoiser
    codec: Codec
    patterns: Pattern | None
    """What was learned; None for any columns given any others."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device


@torch.no_grad()
def draw_targets(
    fit: Fitted,
    config: DDDMConfig,
    rows: Float[Tensor, " n w"],
    pattern: Pattern,
    generator: torch.Generator,
    n_steps: int | None = None,
) -> Float[Tensor, " n w"]:
    """Draw the targets of rows given their context.

    Args:
        fit: The fitted network.
        config: Of the sampler.
        rows: Standardised numbers; only the context is read.
        pattern: Roles of the columns, alike in all rows or not.
        generator: Source of randomness.
        n_steps: Of the sampler; None for the configured number.

    Returns:
        The rows with their targets drawn.
    """
    network, device = fit.network, fit.device
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

"""From draws of latents to draws of effects, and their summaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.effects.causalbgm.surface import Fitted, Mechanisms, level_distributions

__all__ = ["central_interval", "outcome_draws"]


def outcome_draws(
    fit: Fitted,
    latents: Iterator[Float[Tensor, "members n latents"]],
    levels: Float[np.ndarray, " levels"],
    weights: Callable[[int], Mechanisms],
    generator: torch.Generator,
    *,
    sample_y: bool,
    at_once: int,
) -> Iterator[Float[np.ndarray, "draws n levels"]]:
    """Draw outcomes of all units under all levels; all levels share the weights of a draw.

    Args:
        fit: Networks and scales.
        latents: One draw after the other.
        levels: Levels of the treatment, in the networks' units.
        weights: Makes so many sets of weights.
        generator: Source of randomness of the noise of the outcomes.
        sample_y: Outcomes with their noise; otherwise their means.
        at_once: Draws that are evaluated together.

    Yields:
        Outcomes in the user's units, some draws at a time.
    """
    while some := list(islice(latents, at_once)):
        with torch.no_grad():
            outcomes = level_distributions(
                weights(len(some)), fit.networks, torch.stack(some), levels
            )
            y = outcomes.mean
            if sample_y:
                noise = torch.empty_like(y).normal_(generator=generator)
                y = y + outcomes.variance.sqrt() * noise
        yield fit.in_outcome_units(y[:, 0].double().cpu().numpy())


def central_interval(draws: Float[np.ndarray, "draws k"], alpha: float) -> Float[np.ndarray, "k 2"]:
    """Compute intervals that leave out ``alpha / 2`` on either side.

    Args:
        draws: One column for each quantity.
        alpha: Significance level.

    Returns:
        Lower and upper ends.
    """
    return np.quantile(draws, [alpha / 2, 1 - alpha / 2], axis=0).T

"""A fitted denoiser of images: network, scale, labels, options and facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aetia.generation.diffusion.images.config import ImageDDDMConfig
from aetia.generation.diffusion.images.scale import ImageScale
from aetia.nets import DiT
from aetia.results import RunFacts

__all__ = ["FittedImages"]


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedImages:
    """Everything that is needed to draw images."""

    config: ImageDDDMConfig
    network: DiT
    scale: ImageScale
    classes: tuple[Any, ...]
    """Labels by their code; empty for a fit without."""
    facts: RunFacts
    health: dict[str, Any] = field(default_factory=dict)
    """Numbers of images and parameters, skipped updates."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The health record of the training loop."""

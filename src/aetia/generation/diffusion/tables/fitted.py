"""A fitted denoiser of a table: network, columns, options and facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from aetia.generation.diffusion.tables.codec import Codec
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.generation.diffusion.tables.masks import Pattern
from aetia.generation.diffusion.tables.networks import VectorDenoiser
from aetia.results import RunFacts

__all__ = ["Fitted"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """Everything that is needed to ask questions."""

    config: DDDMConfig
    network: VectorDenoiser
    codec: Codec
    patterns: Pattern | None
    """Roles of columns that were trained; None for any columns given any others."""
    facts: RunFacts
    health: dict[str, Any] = field(default_factory=dict)
    """Numbers of rows and parameters, skipped updates."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The health record of the training loop."""

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.codec.encoding.names

"""Options of AVICI's network and objective."""

from __future__ import annotations

from dataclasses import dataclass

from aetia.errors import InputError
from aetia.options import check_positive

__all__ = ["AVICIConfig"]


@dataclass(frozen=True, kw_only=True)
class AVICIConfig:
    """Network and objective of AVICI; the defaults are those of its paper's runs."""

    dim: int = 128
    """Width of the tokens."""
    n_layers: int = 8
    """Layers, each of one block over variables and one over rows."""
    n_heads: int = 8
    """Attention heads."""
    head_dim: int | None = 32
    """Width of a head; null for dim / n_heads."""
    ff_dim: int | None = None
    """Width of the feed-forward layers; null for 4 dim."""
    dropout: float = 0.0
    """Probability that a unit is dropped in training (0.1 for random-feature tasks)."""
    initial_log_scale: float = 2.0
    """Initial tau; logits lie within exp(tau) of the bias."""
    initial_bias: float = -3.0
    """Initial bias of the logits."""
    label_smoothing: float = 0.0
    """Targets are moved this far from 0 and 1."""
    dual_step: float = 1e-4
    """Step size of dual ascent on the acyclicity constraint; 0 switches it off. The multiplier
    ends near 600 dual_step times the mean radius; much larger ones buy acyclic marginals with
    probabilities that are too small."""
    dual_every: int | str = "auto"
    """Optimiser steps between dual updates (500 in the original); "auto": a 600th of the run."""
    dual_warmup: int | str = "auto"
    """Optimiser steps over which the dual step grows; "auto": a sixth of the run."""
    dual_decay: float = 0.99
    """Memory of the running mean of the constraint, per optimiser step."""
    largest_multiplier: float | None = None
    """Bound of the multiplier, or null."""

    def __post_init__(self) -> None:
        check_positive(self, "dim", "n_layers", "n_heads", "head_dim", "ff_dim", "dual_every")
        check_positive(self, "dual_warmup", "dual_step", zero=True)
        check_positive(self, "largest_multiplier")
        for name, low, high in (
            ("dropout", 0.0, 1.0),
            ("label_smoothing", 0.0, 0.5),
            ("dual_decay", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if not low <= value < high:
                raise InputError(f"AVICIConfig: {name} must lie in [{low}, {high}), got {value!r}.")
        if self.head_dim is None and self.dim % self.n_heads:
            raise InputError(
                f"AVICIConfig: dim={self.dim} is not divisible by n_heads={self.n_heads}."
            )

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
    """Width of the tokens, one for each cell of the table; larger networks learn more and need more
    tasks."""
    n_layers: int = 8
    """Number of layers, each of one block over variables and one over rows; time and memory grow in
    proportion."""
    n_heads: int = 8
    """Number of attention heads of each block."""
    head_dim: int | None = 32
    """Width of each attention head; null takes dim / n_heads."""
    ff_dim: int | None = None
    """Width of the feed-forward layers; null takes four times dim."""
    dropout: float = 0.0
    """Probability that a unit is dropped in training; 0.1 was used for tasks with random features,
    where networks overfit."""
    initial_log_scale: float = 2.0
    """Initial value of tau; the logits of edges lie within exp(tau) of their bias."""
    initial_bias: float = -3.0
    """Initial bias of the logits of edges; negative, because most pairs have no edge."""
    label_smoothing: float = 0.0
    """Distance by which targets are moved from 0 and 1; larger keeps predicted probabilities from
    the ends."""
    dual_step: float = 1e-4
    """Step size of the dual ascent on the acyclicity constraint; 0 switches it off. The multiplier
    ends near 600 dual_step times the mean radius; much larger ones buy acyclic marginals with
    probabilities that are too small."""
    dual_every: int | str = "auto"
    """Number of optimiser steps between dual updates (500 in the original); "auto" is a 600th of
    the run."""
    dual_warmup: int | str = "auto"
    """Number of optimiser steps over which the dual step grows from 0; "auto" is a sixth of the
    run."""
    dual_decay: float = 0.99
    """Decay of the running mean of the constraint for each optimiser step; closer to 1 averages
    over more steps."""
    largest_multiplier: float | None = None
    """Upper bound of the multiplier of the acyclicity constraint; null sets none."""

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

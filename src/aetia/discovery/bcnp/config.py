"""Options of BCNP's network and objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aetia.errors import InputError
from aetia.options import check_literals, check_positive

__all__ = ["BCNPConfig"]


@dataclass(frozen=True, kw_only=True)
class BCNPConfig:
    """Network and objective of BCNP; sizes are those of its paper's specialists."""

    dim: int = 512
    """Width of the tokens."""
    n_heads: int = 8
    """Attention heads."""
    ff_dim: int = 1024
    """Width of the feed-forward layers."""
    n_layers: int = 4
    """Encoder layers, alternating over rows and variables; even."""
    n_layers_decoder: int = 4
    """Decoder layers, half for the order and half for the edges; even."""
    dropout: float = 0.0
    """Probability that a unit is dropped in training."""
    emb_depth: int = 1
    """Linear maps of the embedding of a cell."""
    q_before_l: bool = True
    """Whether the order is decoded before the edges."""
    use_positional_encoding: bool = False
    """Whether variables get the sinusoidal code of their position, which gives up equivariance."""
    permutation: Literal["gumbel-sinkhorn", "plackett-luce"] = "gumbel-sinkhorn"
    """Law of the order."""
    objective: Literal["marginal", "joint"] = "marginal"
    """Whether edge marginals are fitted (the original), or whole graphs."""
    n_permutations: int = 100
    """Orders drawn for each table in training (200 in the paper)."""
    sinkhorn_iterations: int = 1000
    """Sinkhorn rounds, at most."""
    temperature: float = 1.0
    """Of the Sinkhorn relaxation."""

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(
            self,
            "dim",
            "n_heads",
            "ff_dim",
            "n_layers",
            "n_layers_decoder",
            "emb_depth",
            "n_permutations",
            "sinkhorn_iterations",
            "temperature",
        )
        for name in ("n_layers", "n_layers_decoder"):
            if getattr(self, name) % 2:
                raise InputError(f"BCNPConfig: {name} must be even, got {getattr(self, name)!r}.")
        if self.dim % self.n_heads:
            raise InputError(
                f"BCNPConfig: dim={self.dim} is not divisible by n_heads={self.n_heads}."
            )
        if not 0 <= self.dropout < 1:
            raise InputError(f"BCNPConfig: dropout must lie in [0, 1), got {self.dropout!r}.")

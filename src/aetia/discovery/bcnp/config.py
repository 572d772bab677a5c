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
    """Width of the tokens, one for each cell of the table; larger networks learn more and need more
    tasks."""
    n_heads: int = 8
    """Number of attention heads of each layer; it divides dim."""
    ff_dim: int = 1024
    """Width of the feed-forward layers of encoder and decoder."""
    n_layers: int = 4
    """Number of encoder layers, alternating over rows and variables, so even; time and memory grow
    in proportion."""
    n_layers_decoder: int = 4
    """Number of decoder layers, half for the order and half for the edges, so even."""
    dropout: float = 0.0
    """Probability that a unit is dropped in training; raise it when validation losses rise while
    training losses fall."""
    emb_depth: int = 1
    """Number of linear maps in the embedding of a cell."""
    q_before_l: bool = True
    """Whether the order is decoded before the edges; otherwise the edges are decoded first."""
    use_positional_encoding: bool = False
    """Whether variables get the sinusoidal code of their position, which gives up equivariance to
    the order of the columns."""
    permutation: Literal["gumbel-sinkhorn", "plackett-luce"] = "gumbel-sinkhorn"
    """Distribution of the order: ``"gumbel-sinkhorn"`` (the original, relaxed in training) or
    ``"plackett-luce"`` (exact densities)."""
    objective: Literal["marginal", "joint"] = "marginal"
    """What is fitted: the ``"marginal"`` probability of each edge (the original), or the
    ``"joint"`` probability of whole graphs."""
    n_permutations: int = 100
    """Number of orders that are drawn for each table in training (200 in the paper); more are
    slower and less noisy."""
    sinkhorn_iterations: int = 1000
    """Largest number of Sinkhorn rounds that turn scores into an order; fewer are faster and less
    exact."""
    temperature: float = 1.0
    """Temperature of the Sinkhorn relaxation; smaller brings relaxed orders closer to permutations,
    with noisier gradients."""

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

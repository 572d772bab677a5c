"""One token for each variable out of all rows, by attention from a query row (BCNP)."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.nets.axial import scaled_uniform_

__all__ = ["CrossAttentionSummary"]


class CrossAttentionSummary(nn.Module):
    """Pre-norm multi-head cross-attention of each variable's query token to its rows.

    Args:
        dim: Width of the tokens.
        n_heads: Attention heads.
        bias: Whether linear maps have biases.
        init_scale: Variance of the initial weights times fan-in (2 in AVICI, 1/3 in torch).
    """

    def __init__(
        self, dim: int, n_heads: int, *, bias: bool = False, init_scale: float = 2.0
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_query = nn.LayerNorm(dim, bias=bias)
        self.norm_rows = nn.LayerNorm(dim, bias=bias)
        self.query = nn.Linear(dim, dim, bias=bias)
        self.key_value = nn.Linear(dim, 2 * dim, bias=bias)
        self.mix = nn.Linear(dim, dim, bias=bias)
        for layer in (self.query, self.key_value, self.mix):
            scaled_uniform_(layer, init_scale)

    def forward(
        self,
        query: Float[Tensor, "b d dim"],
        x: Float[Tensor, "b n d dim"],
        rows: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b d dim"]:
        """Summarise the rows.

        Args:
            query: The encoded query row.
            x: Encoded rows.
            rows: False marks padded rows.

        Returns:
            One token for each variable.
        """
        b, n, d, dim = x.shape
        width = dim // self.n_heads
        q = self.query(self.norm_query(query)).view(b * d, 1, self.n_heads, width).transpose(1, 2)
        kv = self.key_value(self.norm_rows(x)).view(b, n, d, 2, self.n_heads, width)
        k, v = kv.permute(3, 0, 2, 4, 1, 5).flatten(1, 2)
        mask = None
        if rows is not None:
            mask = rows[:, None].expand(b, d, n).reshape(b * d, 1, 1, n)
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.mix(heads.transpose(1, 2).reshape(b, d, dim))

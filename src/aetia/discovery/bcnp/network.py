"""The network of BCNP (Dhir et al., ICLR 2025): a table in, an order and edges along it out."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.discovery.amortised.network import AmortisedNetwork
from aetia.discovery.bcnp.config import BCNPConfig
from aetia.discovery.bcnp.graph_distribution import (
    OrderedEdges,
    joint_loss,
    marginal_loss,
    training_precedence,
)
from aetia.nets import AxialBlock, AxialEncoder, CrossAttentionSummary, precedence_probabilities
from aetia.nets.axial import scaled_uniform_

__all__ = ["BCNPNetwork", "OrderAndEdges"]

_INIT_SCALE = 2.0
"""Variance of the initial weights times fan-in. With torch's 1/3 the network starts almost linear,
and second moments, which carry the graph, take thousands of steps to appear in the summary."""


class OrderAndEdges(NamedTuple):
    """What the network predicts."""

    edge_logits: Float[Tensor, "b d d"]
    """Symmetric."""
    scores: Float[Tensor, "b d"]
    """Of the order."""


class BCNPNetwork(AmortisedNetwork):
    """Axial encoder with a query row, two decoders, parameter attention for the edges.

    The paper's query row is zero before the first layer. Here it is learned: a zero row averages
    standardised columns to noise, which layer norm then magnifies.

    Args:
        config: Sizes and objective.
    """

    def __init__(self, config: BCNPConfig) -> None:
        super().__init__()
        self.config = config
        dim, h = config.dim, config.n_heads
        layers: list[nn.Module] = [nn.Linear(2, dim, bias=False)]
        for _ in range(config.emb_depth - 1):
            layers += [nn.ReLU(), nn.Linear(dim, dim, bias=False)]
        self.embed = nn.Sequential(*layers)
        self.encoder = AxialEncoder(
            config.n_layers,
            dim,
            h,
            rows_first=True,
            ff_dim=config.ff_dim,
            dropout=config.dropout,
            bias=False,
            init_scale=_INIT_SCALE,
        )
        self.query_row = nn.Parameter(torch.randn(dim))
        self.summary = CrossAttentionSummary(dim, h)
        self.decode_order = self._decoder()
        self.decode_edges = self._decoder()
        # Pre-norm stacks end with a norm, or the heads would see whatever scale the sum has.
        self.norm_order = nn.LayerNorm(dim, bias=False)
        self.norm_edges = nn.LayerNorm(dim, bias=False)
        self.score = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 1))
        self.edge_query = nn.Linear(dim, dim, bias=False)
        self.edge_key = nn.Linear(dim, dim, bias=False)
        self.edge_mix = nn.Linear(h, 1)
        for layer in (self.edge_query, self.edge_key):
            scaled_uniform_(layer, _INIT_SCALE)

    def _decoder(self) -> nn.ModuleList:
        config = self.config
        return nn.ModuleList(
            AxialBlock(
                config.dim,
                config.n_heads,
                ff_dim=config.ff_dim,
                dropout=config.dropout,
                bias=False,
                init_scale=_INIT_SCALE,
            )
            for _ in range(config.n_layers_decoder // 2)
        )

    def forward(
        self,
        values: Float[Tensor, "b n d"],
        intervened: Bool[Tensor, "b n d"],
        rows: Bool[Tensor, "b n"] | None = None,
        variables: Bool[Tensor, "b d"] | None = None,
    ) -> OrderAndEdges:
        """Predict order scores and edge logits.

        Args:
            values: Standardised tables.
            intervened: True where a variable was set.
            rows: False marks padded rows.
            variables: False marks padded variables.

        Returns:
            The prediction, in float32; padding means nothing.
        """
        # Without biases, layer norm would keep the sign of a value and lose its size: the second
        # input is 1 for values that were observed, and stands in for a bias.
        x = self.embed(torch.stack([values, (~intervened).to(values.dtype)], -1))
        x = torch.cat([x, self.query_row.to(x).expand_as(x[:, :1])], 1)
        if self.config.use_positional_encoding:
            x = x + _positions(x.shape[2], x.shape[3]).to(x)
        with_query = None if rows is None else F.pad(rows, (0, 1), value=True)
        x = self.encoder(x, with_query, variables)
        summary = self.summary(x[:, -1], x[:, :-1], rows)
        first, second = self.decode_order, self.decode_edges
        if not self.config.q_before_l:
            first, second = second, first
        one = _decoded(first, summary, variables)
        two = _decoded(second, one, variables)
        for_order, for_edges = (one, two) if self.config.q_before_l else (two, one)
        for_order, for_edges = self.norm_order(for_order), self.norm_edges(for_edges)
        scores = self.score(for_order)[..., 0]
        b, d, dim = for_edges.shape
        width = dim // self.config.n_heads
        q = self.edge_query(for_edges).view(b, d, -1, width)
        k = self.edge_key(for_edges).view(b, d, -1, width)
        heads = torch.einsum("bihw,bjhw->bijh", q, k) / math.sqrt(dim)
        logits = self.edge_mix(heads)[..., 0].float()
        return OrderAndEdges((logits + logits.mT) / 2, scores.float())

    def loss(
        self,
        prediction: OrderAndEdges,
        graphs: Bool[Tensor, "b d d"],
        generator: torch.Generator,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the marginal or the joint objective.

        With Plackett-Luce orders the marginal objective needs no draws: the probability that i
        comes before j is known.

        Args:
            prediction: What the network predicts for the tables of a batch.
            graphs: True graphs.
            generator: Source of the drawn orders.

        Returns:
            The loss, and its part by name.
        """
        config, (logits, scores) = self.config, prediction
        with torch.autocast(logits.device.type, enabled=False):
            if config.objective == "joint":
                before, log_ratio = training_precedence(scores, config, generator)
                cost = joint_loss(logits, before, graphs, log_ratio).mean()
                return cost, {"joint_nll": cost}
            if config.permutation == "plackett-luce":
                mean_before = precedence_probabilities(scores)
            else:
                mean_before = training_precedence(scores, config, generator)[0].mean(0)
            cost = marginal_loss(logits.sigmoid() * mean_before, graphs).mean()
            return cost, {"cross_entropy": cost}

    def distribution(self, prediction: OrderAndEdges) -> OrderedEdges:
        """Read the prediction as a distribution over graphs.

        Args:
            prediction: What the network predicts for a table.

        Returns:
            The distribution.
        """
        return OrderedEdges(prediction.edge_logits, prediction.scores, self.config)


def _decoded(blocks: nn.ModuleList, x: Tensor, variables: Tensor | None) -> Tensor:
    tokens = x[:, None]
    for block in blocks:
        tokens = block(tokens, variables)
    return tokens[:, 0]


def _positions(d: int, dim: int) -> Tensor:
    """Sinusoidal codes of 0, ..., d - 1 (Vaswani et al., 2017)."""
    rate = torch.exp(-math.log(10_000.0) * torch.arange(0, dim, 2) / dim)
    angle = torch.arange(d)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :dim]

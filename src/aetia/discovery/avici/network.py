"""The network of AVICI (Lorch et al., NeurIPS 2022): a table in, edge logits out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.discovery.amortised.network import AmortisedNetwork
from aetia.discovery.avici.config import AVICIConfig
from aetia.discovery.avici.dual import DualAscent
from aetia.discovery.avici.edges import IndependentEdges, edge_cross_entropy
from aetia.graphs import perron_radius
from aetia.nets import AxialEncoder
from aetia.nets.axial import scaled_uniform_
from aetia.training import Healthy

__all__ = ["AVICINetwork"]


class AVICINetwork(AmortisedNetwork):
    """Axial attention, a maximum over rows, and cosine scores of pairs.

    Permuting rows leaves the output unchanged, permuting variables permutes both its axes, any
    number of either will do, and padding changes nothing.

    Args:
        config: Sizes.
    """

    signals: Mapping[str, Healthy] = {
        "spectral_radius": Healthy(
            0.0, 3.0, "predicted graphs are far from acyclic: train longer, or raise dual_step"
        ),
    }

    def __init__(self, config: AVICIConfig) -> None:
        super().__init__()
        self.config = config
        self.dual = DualAscent(config)
        dim = config.dim
        self.embed = nn.Linear(2, dim)
        self.encoder = AxialEncoder(
            2 * config.n_layers,
            dim,
            config.n_heads,
            head_dim=config.head_dim,
            ff_dim=config.ff_dim,
            dropout=config.dropout,
        )
        self.norm = nn.LayerNorm(dim)
        self.norm_cause, self.cause = nn.LayerNorm(dim), nn.Linear(dim, dim)
        self.norm_effect, self.effect = nn.LayerNorm(dim), nn.Linear(dim, dim)
        self.log_scale = nn.Parameter(torch.tensor(config.initial_log_scale))
        self.bias = nn.Parameter(torch.tensor(config.initial_bias))
        for layer in (self.embed, self.cause, self.effect):
            scaled_uniform_(layer, 2.0)
        # Layer norm keeps the sign of w x, but not its size; of w x + c it keeps both.
        nn.init.uniform_(self.embed.bias, -1.0, 1.0)

    def forward(
        self,
        values: Float[Tensor, "b n d"],
        intervened: Bool[Tensor, "b n d"],
        rows: Bool[Tensor, "b n"] | None = None,
        variables: Bool[Tensor, "b d"] | None = None,
    ) -> Float[Tensor, "b d d"]:
        """Compute the log-odds of every edge.

        Args:
            values: Standardised tables.
            intervened: True where a variable was set.
            rows: False marks padded rows.
            variables: False marks padded variables.

        Returns:
            Logits within ``bias - exp(log_scale)`` and ``bias + exp(log_scale)``, in float32;
            ``[i, j]`` for i -> j. The diagonal and padding mean nothing.
        """
        x = self.embed(torch.stack([values, intervened.to(values.dtype)], -1))
        x = self.norm(self.encoder(x, rows, variables))
        if rows is not None:
            x = x.masked_fill(~rows[:, :, None, None], -math.inf)
        z = x.amax(1)
        u, v = self.cause(self.norm_cause(z)), self.effect(self.norm_effect(z))
        with torch.autocast(u.device.type, enabled=False):
            u, v = F.normalize(u.float(), dim=-1), F.normalize(v.float(), dim=-1)
            return self.log_scale.float().exp() * (u @ v.mT) + self.bias.float()

    def loss(
        self,
        prediction: Float[Tensor, "b d d"],
        graphs: Bool[Tensor, "b d d"],
        generator: torch.Generator,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the Lagrangian: cross-entropy plus the multiplier times the spectral radius.

        Args:
            prediction: Logits.
            graphs: True graphs.
            generator: Not used.

        Returns:
            The loss, and its parts.
        """
        with torch.autocast(prediction.device.type, enabled=False):
            cost = edge_cross_entropy(
                prediction, graphs, label_smoothing=self.config.label_smoothing
            ).mean()
            off = 1 - torch.eye(prediction.shape[-1], device=prediction.device)
            radius = perron_radius(F.logsigmoid(prediction.float()).exp() * off).mean()
        penalty = self.dual.multiplier * radius
        parts = {"cross_entropy": cost, "spectral_radius": radius.detach(), "penalty": penalty}
        return cost + penalty, parts

    def distribution(self, prediction: Float[Tensor, "b d d"]) -> IndependentEdges:
        """Read logits as independent coins.

        Args:
            prediction: Logits.

        Returns:
            The distribution over graphs.
        """
        return IndependentEdges(prediction)

    def after_step(self, step: int, n_steps: int, info: Mapping[str, float]) -> dict[str, float]:
        """Make a dual step when one is due.

        Args:
            step: The step just made, from 0.
            n_steps: Optimiser steps of the whole run.
            info: Signals of the step.

        Returns:
            The multiplier.
        """
        return self.dual.update(step, n_steps, info["spectral_radius"])

"""The section ``model`` of an experiment: which method, and its sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from aetia.benchmark.inherited_names import NETWORK_NAMES, options_for
from aetia.discovery import METHODS, AVICIConfig, BCNPConfig
from aetia.options import build

__all__ = ["MODELS", "AVICIModel", "BCNPModel", "DiBSModel", "ExactModel", "Model"]


@dataclass(frozen=True, kw_only=True)
class AVICIModel:
    """AVICI's network; see :class:`aetia.discovery.AVICIConfig`."""

    type: ClassVar[str] = "avici"
    num_nodes: int | None = None
    """Largest number of variables that training tasks may have. It is only checked: a network
    predicts tables of any width. Null checks nothing."""
    d_model: int = 128
    """Width of the tokens. Wider networks learn more and cost time and memory."""
    nhead: int = 8
    """Attention heads of each block."""
    num_layers: int = 8
    """Layers, each of one attention block over variables and one over rows. More learn more
    complicated dependence and cost time in proportion."""
    dim_feedforward: int | None = None
    """Width of the feed-forward layers; null for four times ``d_model``."""
    head_dim: int | None = None
    """Width of one attention head; null for ``d_model`` divided by ``nhead``."""
    dropout: float = 0.0
    """Probability that a unit is dropped in training. Raise it if the validation loss rises while
    the training loss falls."""
    label_smoothing: float = 0.0
    """How far the targets are moved from 0 and 1; above 0 probabilities stay away from certainty.
    """
    initial_log_scale: float = 2.0
    """Logarithm of the initial scale of the logits, which lie within that scale of the bias."""
    initial_bias: float = -3.0
    """Initial bias of the logits; lower values begin with fewer edges."""
    dual_step: float = 1e-4
    """Step size of the dual ascent on the acyclicity constraint; 0 switches it off. Larger steps
    give fewer cycles, and probabilities that are too small."""
    dual_warmup: int | str = "auto"
    """Optimiser steps over which the dual step grows to its full size; ``"auto"`` is a sixth of
    the run."""
    largest_multiplier: float | None = None
    """Upper bound of the multiplier of the constraint; null for none."""

    def network(self, interval: int | str) -> AVICIConfig:
        """Build the options of the network.

        Args:
            interval: Steps between dual updates; 0 for none, ``"auto"`` for the method's own.

        Returns:
            The options.
        """
        options: dict[str, Any] = options_for(AVICIConfig, self, NETWORK_NAMES)
        if interval == 0:
            return AVICIConfig(**{**options, "dual_step": 0.0})
        return AVICIConfig(**options, dual_every=interval)


@dataclass(frozen=True, kw_only=True)
class BCNPModel:
    """BCNP's network; see :class:`aetia.discovery.BCNPConfig`."""

    type: ClassVar[str] = "bcnp"
    num_nodes: int | None = None
    """Largest number of variables that training tasks may have. It is only checked: a network
    predicts tables of any width. Null checks nothing."""
    d_model: int = 512
    """Width of the tokens. Wider networks learn more and cost time and memory."""
    nhead: int = 8
    """Attention heads of each block."""
    num_layers: int = 4
    """Layers of the encoder, an even number: they alternate over rows and variables."""
    num_layers_decoder: int = 4
    """Layers of the decoder, an even number: half decode the order and half the edges."""
    dim_feedforward: int = 1024
    """Width of the feed-forward layers."""
    dropout: float = 0.0
    """Probability that a unit is dropped in training. Raise it if the validation loss rises while
    the training loss falls."""
    emb_depth: int = 1
    """Linear maps of the embedding of a cell; more read the values less linearly."""
    use_positional_encoding: bool = False
    """Whether variables get the sinusoidal code of their position, which gives up that predictions
    do not depend on the order of the columns."""
    n_perm_samples: int = 100
    """Orders drawn for each table in training. More make gradients less noisy and cost time."""
    sinkhorn_iter: int = 1000
    """Largest number of Sinkhorn rounds that turn scores into a relaxed permutation."""
    q_before_l: bool = True
    """Whether the order is decoded before the edges, and not after them."""
    permutation: str = "gumbel-sinkhorn"
    """Distribution over orders: ``"gumbel-sinkhorn"`` (the original) or ``"plackett-luce"``."""
    objective: str = "marginal"
    """Whether the marginals of the edges are fitted (``"marginal"``, the original) or whole graphs
    (``"joint"``)."""

    def network(self, interval: int | str) -> BCNPConfig:
        """Build the options of the network.

        Args:
            interval: Not used: BCNP has no dual.

        Returns:
            The options.
        """
        del interval
        return BCNPConfig(**options_for(BCNPConfig, self, NETWORK_NAMES))


@dataclass(frozen=True, kw_only=True)
class DiBSModel:
    """DiBS, fitted to every task."""

    type: ClassVar[str] = "dibs"
    options: Any = field(default_factory=dict)
    """Options of the estimator by name; ``aetia config dibs`` lists them."""

    def __post_init__(self) -> None:
        build(METHODS[self.type][1], self.options or {})


@dataclass(frozen=True, kw_only=True)
class ExactModel:
    """The exact posterior, computed for every task."""

    type: ClassVar[str] = "exact"
    options: Any = field(default_factory=dict)
    """Options of the estimator by name; ``aetia config exact`` lists them."""

    def __post_init__(self) -> None:
        build(METHODS[self.type][1], self.options or {})


Model = AVICIModel | BCNPModel | DiBSModel | ExactModel
MODELS: dict[str, type[Model]] = {
    cls.type: cls for cls in (AVICIModel, BCNPModel, DiBSModel, ExactModel)
}
"""``model.type`` to its options."""

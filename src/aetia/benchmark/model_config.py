"""The section ``model`` of an experiment: which method, and its sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from aetia.discovery import METHODS, AVICIConfig, BCNPConfig
from aetia.options import build

__all__ = ["MODELS", "AVICIModel", "BCNPModel", "DiBSModel", "ExactModel", "Model"]


@dataclass(frozen=True, kw_only=True)
class AVICIModel:
    """AVICI's network; see :class:`aetia.discovery.AVICIConfig`."""

    type: ClassVar[str] = "avici"
    num_nodes: int | None = None
    """Largest number of variables in training; only checked, any number can be predicted."""
    d_model: int = 128
    nhead: int = 8
    num_layers: int = 8
    dim_feedforward: int | None = None
    head_dim: int | None = None
    """Null for d_model / nhead."""
    dropout: float = 0.0
    label_smoothing: float = 0.0
    initial_log_scale: float = 2.0
    initial_bias: float = -3.0
    dual_step: float = 1e-4
    dual_warmup: int | str = "auto"
    largest_multiplier: float | None = None

    def network(self, interval: int | str) -> AVICIConfig:
        """Build the options of the network.

        Args:
            interval: Steps between dual updates; 0 for none, ``"auto"`` for the method's own.

        Returns:
            The options.
        """
        off = interval == 0
        return AVICIConfig(
            dim=self.d_model,
            n_layers=self.num_layers,
            n_heads=self.nhead,
            head_dim=self.head_dim,
            ff_dim=self.dim_feedforward,
            dropout=self.dropout,
            label_smoothing=self.label_smoothing,
            initial_log_scale=self.initial_log_scale,
            initial_bias=self.initial_bias,
            dual_step=0.0 if off else self.dual_step,
            dual_every="auto" if off else interval,
            dual_warmup=self.dual_warmup,
            largest_multiplier=self.largest_multiplier,
        )


@dataclass(frozen=True, kw_only=True)
class BCNPModel:
    """BCNP's network; see :class:`aetia.discovery.BCNPConfig`."""

    type: ClassVar[str] = "bcnp"
    num_nodes: int | None = None
    """Largest number of variables in training; only checked, any number can be predicted."""
    d_model: int = 512
    nhead: int = 8
    num_layers: int = 4
    num_layers_decoder: int = 4
    dim_feedforward: int = 1024
    dropout: float = 0.0
    emb_depth: int = 1
    use_positional_encoding: bool = False
    n_perm_samples: int = 100
    sinkhorn_iter: int = 1000
    q_before_l: bool = True
    permutation: str = "gumbel-sinkhorn"
    objective: str = "marginal"

    def network(self, interval: int | str) -> BCNPConfig:
        """Build the options of the network.

        Args:
            interval: Not used: BCNP has no dual.

        Returns:
            The options.
        """
        return BCNPConfig(
            dim=self.d_model,
            n_heads=self.nhead,
            ff_dim=self.dim_feedforward,
            n_layers=self.num_layers,
            n_layers_decoder=self.num_layers_decoder,
            dropout=self.dropout,
            emb_depth=self.emb_depth,
            use_positional_encoding=self.use_positional_encoding,
            n_permutations=self.n_perm_samples,
            sinkhorn_iterations=self.sinkhorn_iter,
            q_before_l=self.q_before_l,
            permutation=self.permutation,  # pyright: ignore[reportArgumentType]
            objective=self.objective,  # pyright: ignore[reportArgumentType]
        )


@dataclass(frozen=True, kw_only=True)
class DiBSModel:
    """DiBS, fitted to every task."""

    type: ClassVar[str] = "dibs"
    options: Any = field(default_factory=dict)
    """Of the estimator; see `aetia config dibs`."""

    def __post_init__(self) -> None:
        build(METHODS[self.type][1], self.options or {})


@dataclass(frozen=True, kw_only=True)
class ExactModel:
    """The exact posterior, computed for every task."""

    type: ClassVar[str] = "exact"
    options: Any = field(default_factory=dict)
    """Of the estimator; see `aetia config exact`."""

    def __post_init__(self) -> None:
        build(METHODS[self.type][1], self.options or {})


Model = AVICIModel | BCNPModel | DiBSModel | ExactModel
MODELS: dict[str, type[Model]] = {
    cls.type: cls for cls in (AVICIModel, BCNPModel, DiBSModel, ExactModel)
}
"""``model.type`` to its options."""

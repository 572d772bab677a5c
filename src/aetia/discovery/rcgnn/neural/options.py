"""Options of the neural back end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aetia.errors import InputError
from aetia.options import check_literals, check_positive

__all__ = ["NeuralOptions"]


@dataclass(frozen=True, kw_only=True)
class NeuralOptions:
    """Options of the neural back end; a step is one optimiser update."""

    n_steps: int = 300
    """Steps of all three stages: warm-up, graph, refit."""
    warmup_share: float = 0.2
    """Share of the steps in which all gates are open and the encoder learns."""
    refit_share: float = 0.3
    """Share of the steps after the graph was fixed, without price of edges."""
    n_batch: int = 64
    """Windows of a step."""
    learning_rate: float = 1e-2
    """Largest learning rate; a cosine follows the warm-up."""
    weight_decay: float = 1e-4
    """Decay of weight matrices; gates never decay."""
    clip_norm: float = 5.0
    """Largest gradient norm."""
    n_hidden: int = 16
    """Hidden units of the network of each sensor."""
    encoder_width: int = 32
    """Channels of the temporal encoder."""
    encoder_layers: int = 3
    """Its dilated convolutions, each over twice the span of the one before."""
    lambda_recon: float = 1.0
    """Weight of the likelihood of the readings; 1 is the evidence lower bound."""
    lambda_sparse: float = 1.0
    """Price of an edge, in halves of log(steps) for each coefficient of a curve: 1 is the Bayesian
    information criterion, for gates and for the search they start from."""
    lambda_acyclic: float = 0.01
    """Initial weight of the penalty of cycles within a step, which grows until there is none."""
    lambda_disentangle: float = 0.1
    """Weight of the squared correlations between states and sensor errors."""
    lambda_delta: float = 4.0
    """Price of what a regime changes, in halves of log(steps) per unit of the norm of the change of
    one mechanism."""
    lambda_noise: float = 1.0
    """Weight of the squared logarithm of what the noise of sensors departs from the warm start:
    bounds of independent cells inflate it, likelihoods of the smoother do not."""
    invariance: Literal["none", "irm", "variance", "residual"] = "none"
    """What should not differ between regimes: the gradient of a factor of each prediction (IRMv1),
    the risk, or mean and variance of the standardised residuals."""
    lambda_invariance: float = 0.0
    """Its weight."""
    mnar: bool = False
    """Whether what is lost may depend on its own value: the model of losses then shapes the states,
    and cells are weighted by the inverse of their probability."""
    weight_quantile: float = 0.95
    """mnar: quantile at which these weights are clipped."""
    hidden: float = 0.1
    """Share of the readings that is hidden from the encoder in every other step, in turns."""
    scored: float = 0.02
    """Share of the readings that is set aside to score imputations; put back for the result."""
    start: Literal["search", "open"] = "search"
    """Where the gates start: at graphs found by greedy search over additive curves in draws of the
    states, or all open."""
    n_searches: int = 2
    """search: how often, the last in the middle of the graph stage."""
    n_draws: int = 5
    """search: draws of the states, over which edges must be stable."""
    threshold: float = 0.5
    """Smallest edge probability of the graph that is refitted."""
    temperature: tuple[float, float] = (0.67, 0.33)
    """Of the gates, at the start and the end of the graph stage."""
    bias_scale: float = 0.1
    """Spread of the constant error of a sensor in a window, in standard deviations."""
    drift_scale: float = 0.02
    """Innovations of its slow error, where the warm start knows of none."""
    log_every: int = 25
    """Steps between rows of the health record."""

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(
            self,
            "n_steps",
            "n_batch",
            "learning_rate",
            "n_hidden",
            "encoder_width",
            "encoder_layers",
            "bias_scale",
            "drift_scale",
            "n_searches",
            "n_draws",
            "log_every",
        )
        check_positive(
            self,
            "weight_decay",
            "clip_norm",
            "lambda_recon",
            "lambda_sparse",
            "lambda_acyclic",
            "lambda_disentangle",
            "lambda_delta",
            "lambda_noise",
            "lambda_invariance",
            zero=True,
        )
        for name in (
            "warmup_share",
            "refit_share",
            "hidden",
            "scored",
            "threshold",
            "weight_quantile",
        ):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise InputError(f"NeuralOptions: {name} must lie in (0, 1), got {value!r}.")
        if self.warmup_share + self.refit_share >= 1:
            raise InputError(
                f"NeuralOptions: warmup_share={self.warmup_share} and refit_share="
                f"{self.refit_share} leave no step to learn the graph."
            )
        if self.invariance != "none" and self.lambda_invariance == 0:
            raise InputError(
                f"NeuralOptions: invariance={self.invariance!r} has no effect with "
                "lambda_invariance=0; give it a weight."
            )
        object.__setattr__(self, "temperature", tuple(self.temperature))
        if len(self.temperature) != 2 or not all(0 < t <= 1 for t in self.temperature):
            raise InputError(
                f"NeuralOptions: temperature takes two numbers in (0, 1], got {self.temperature}."
            )

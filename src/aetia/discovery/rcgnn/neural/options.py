"""Options of the neural back end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aetia.errors import InputError
from aetia.options import check_literals, check_positive, earlier_names

__all__ = ["NeuralOptions"]


@earlier_names(start="initialisation", refit_share="final_share")
@dataclass(frozen=True, kw_only=True)
class NeuralOptions:
    """Options of the neural back end; a step is one optimiser update."""

    n_steps: int = 300
    """Number of optimiser updates of all three stages: warm-up, graph stage, final stage; raise it
    when the loss still falls at the end."""
    warmup_share: float = 0.2
    """Share of the updates in the warm-up, in which all gates are open and the encoder learns."""
    final_share: float = 0.3
    """Share of the updates in the final stage, in which the graph is fixed and edges cost
    nothing."""
    n_batch: int = 64
    """Number of blocks in an update; fewer are faster and noisier."""
    learning_rate: float = 1e-2
    """Largest learning rate, which falls along a cosine after its first rise; lower it when steps
    are skipped or clipped throughout."""
    weight_decay: float = 1e-4
    """Weight decay of the weight matrices, decoupled from the gradient; larger shrinks curves
    towards lines. Gates never decay."""
    clip_norm: float = 5.0
    """Largest norm of a gradient, to which longer ones are shortened; 0 shortens none."""
    n_hidden: int = 16
    """Number of hidden units in the network of each sensor; more allow more curved effects."""
    encoder_width: int = 32
    """Number of channels of the temporal encoder that infers the states; more are slower."""
    encoder_layers: int = 3
    """Number of dilated convolutions of the encoder, each over twice the span of the one before;
    raise it when states need a longer context."""
    lambda_recon: float = 1.0
    """Weight of the likelihood of the readings; 1 is the evidence lower bound, larger keeps states
    closer to the readings."""
    lambda_sparse: float = 1.0
    """Penalty weight of an edge for each coefficient of its curve, in BIC units, in the gates and
    in the search that initialises them: 1 is the Bayesian information criterion, larger gives fewer
    edges."""
    lambda_acyclic: float = 0.01
    """Initial penalty weight of cycles within a step, which grows until there is none."""
    lambda_disentangle: float = 0.1
    """Penalty weight of the squared correlations between states and the drift of the sensors;
    larger keeps the two apart."""
    lambda_delta: float = 4.0
    """Penalty weight of what a regime changes in one mechanism, in BIC units for each unit of its
    norm; larger lets fewer mechanisms differ."""
    lambda_noise: float = 1.0
    """Penalty weight of the squared logarithm of the ratio of each sensor's noise to that of the
    warm start; bounds of independent cells inflate noise, likelihoods of the smoother do not."""
    invariance: Literal["none", "irm", "variance", "residual"] = "none"
    """What is penalised if it differs between regimes: the gradient of a factor of each prediction
    (``"irm"``, IRMv1), the risk (``"variance"``), or mean and variance of the standardised
    residuals (``"residual"``); ``"none"`` penalises nothing."""
    lambda_invariance: float = 0.0
    """Penalty weight of what ``invariance`` names; it must be above 0 where that is not
    ``"none"``."""
    mnar: bool = False
    """Whether a reading may be missing because of its own value: the model of missingness then
    shapes the states, and cells are weighted by the inverse of their probability."""
    weight_quantile: float = 0.95
    """Quantile at which the inverse-probability weights of ``mnar`` are clipped; lower is more
    stable and corrects less."""
    hidden: float = 0.1
    """Share of the readings that is hidden from the encoder in every other update, in turns, so
    that it learns to impute."""
    scored: float = 0.02
    """Share of the readings that is held out to score imputations while training, and put back for
    the result."""
    initialisation: Literal["search", "open"] = "search"
    """How the gates are initialised: ``"search"`` takes graphs found by greedy search over additive
    curves in draws of the states, ``"open"`` leaves all open."""
    n_searches: int = 2
    """Number of searches that set the gates, the first after the warm-up and the last in the middle
    of the graph stage."""
    n_draws: int = 5
    """Number of draws of the states in each search, over which edges must be stable."""
    threshold: float = 0.5
    """Smallest edge probability of the graph that the final stage fixes; larger gives fewer
    edges."""
    temperature: tuple[float, float] = (0.67, 0.33)
    """Temperature of the gates at the beginning and at the end of the graph stage; lower gates are
    closer to 0 or 1."""
    bias_scale: float = 0.1
    """Prior standard deviation of the constant part of a sensor's drift in a block, in standard
    deviations of its readings."""
    drift_scale: float = 0.02
    """Prior standard deviation of the innovations of a sensor's drift, in standard deviations of
    its readings, where the warm start found no drift."""
    log_every: int = 25
    """Number of updates between two rows of the health record; small numbers cost time."""

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
            "final_share",
            "hidden",
            "scored",
            "threshold",
            "weight_quantile",
        ):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise InputError(f"NeuralOptions: {name} must lie in (0, 1), got {value!r}.")
        if self.warmup_share + self.final_share >= 1:
            raise InputError(
                f"NeuralOptions: warmup_share={self.warmup_share} and final_share="
                f"{self.final_share} leave no step to learn the graph."
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

"""Options of the training loop."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

from aetia.errors import InputError
from aetia.options import check_literals, check_positive, options_dict

__all__ = ["TrainingConfig"]

_NO_EFFECT_ON_WEIGHTS = {
    "n_workers",
    "log_every",
    "checkpoint_every",
    "keep_last",
    "gradient_shares",
    "max_nonfinite",
    "progress",
}

_WHOLE_NUMBERS = (
    "n_steps",
    "accumulate",
    "log_every",
    "checkpoint_every",
    "keep_last",
    "plateau_patience",
    "plateau_cooldown",
    "max_nonfinite",
)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Options of the training loop; a step is one optimiser update."""

    n_steps: int = 100_000
    """Number of optimiser updates; raise it when the loss still falls at the end."""
    accumulate: int = 1
    """Number of batches whose gradients are averaged in one step; more save memory, not time."""
    optimiser: Literal["adamw", "lamb"] = "adamw"
    """Update rule: ``"adamw"``, or ``"lamb"``, which scales the step of each tensor to its size,
    for very large batches."""
    learning_rate: float = 1e-4
    """Largest learning rate, reached at the end of the warm-up; lower it when steps are skipped or
    losses jump."""
    weight_decay: float = 1e-4
    """Decoupled decay of matrices for each step, never of biases, normalisations and scalars;
    larger keeps weights smaller."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decays of the running means of the gradient and of its square; closer to 1 averages over more
    steps."""
    eps: float = 1e-8
    """Number added to the root of the second moment; larger damps steps where gradients are
    tiny."""
    schedule: Literal["cosine", "multistep", "plateau", "constant"] = "cosine"
    """How the learning rate falls after the warm-up: along a ``"cosine"``, in steps at
    ``milestones`` (``"multistep"``), when validation stops improving (``"plateau"``), or not at all
    (``"constant"``)."""
    warmup: float = 0.02
    """Share of the steps over which the learning rate rises linearly from 0."""
    cosine_steps: int | None = None
    """Number of steps after which the cosine ends; null takes ``n_steps``."""
    min_learning_rate: float = 0.0
    """Learning rate at which the schedule ends."""
    milestones: tuple[float, ...] = (0.667,)
    """Shares of the steps at which ``"multistep"`` multiplies the learning rate by ``decay``."""
    decay: float = 0.1
    """Factor by which ``"multistep"`` and ``"plateau"`` multiply the learning rate."""
    plateau_patience: int = 4
    """Number of validations without improvement that ``"plateau"`` forgives; the next one lowers
    the rate."""
    plateau_cooldown: int = 0
    """Number of validations after a fall of the rate during which ``"plateau"`` counts none as
    bad."""
    plateau_threshold: float = 1e-4
    """Smallest improvement that ``"plateau"`` counts, as a share of the best value."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Arithmetic of the network; mixed precision needs a GPU to be worth while."""
    clip_norm: float | None = 1.0
    """Largest norm of a gradient, to which longer ones are shortened; null or 0 shortens none."""
    clip: Literal["global", "per-group"] = "global"
    """Whether one norm over all parameters of a phase is clipped (``"global"``), or each of its
    named groups by its own norm (``"per-group"``)."""
    max_nonfinite: int = 10
    """Number of updates in a row whose gradient is not finite, after which training gives up; each
    one is skipped and halves the learning rate for good."""
    ema_decay: float | None = None
    """Decay of the average of the weights that is validated and kept, for each step; closer to 1
    averages over more steps, null averages none."""
    log_every: int = 100
    """Number of steps between rows of the health record."""
    gradient_shares: bool = True
    """Whether rows of the record say how much of the gradient comes from each part of the loss."""
    validate_every: int = 1000
    """Number of steps between validations; 0 makes none."""
    metric: str = "loss"
    """Validation metric that chooses the best checkpoint."""
    mode: Literal["min", "max"] = "min"
    """Whether the metric should be small (``"min"``) or large (``"max"``)."""
    patience: int | None = None
    """Number of validations without improvement after which training stops early; null never
    stops."""
    checkpoint_every: int = 1000
    """Number of steps between checkpoints; fewer lose less when a run is interrupted."""
    keep_last: int = 2
    """Number of checkpoints that are kept, besides the best."""
    n_workers: int = 0
    """Number of processes that prepare batches; raise it when training waits for data."""
    progress: bool | None = None
    """Whether to show a progress bar; null shows it in terminals."""

    def __post_init__(self) -> None:
        check_literals(self)
        object.__setattr__(self, "betas", tuple(self.betas))
        object.__setattr__(self, "milestones", tuple(self.milestones))
        check_positive(
            self,
            "n_steps",
            "accumulate",
            "learning_rate",
            "eps",
            "cosine_steps",
            "decay",
            "max_nonfinite",
            "log_every",
            "checkpoint_every",
            "keep_last",
            "patience",
        )
        check_positive(
            self,
            "weight_decay",
            "warmup",
            "min_learning_rate",
            "clip_norm",
            "validate_every",
            "n_workers",
            "ema_decay",
            "plateau_patience",
            "plateau_cooldown",
            "plateau_threshold",
            zero=True,
        )
        for name in _WHOLE_NUMBERS:
            if getattr(self, name) != int(getattr(self, name)):
                raise InputError(
                    f"TrainingConfig: {name} must be an integer, got {getattr(self, name)!r}."
                )
        if len(self.betas) != 2 or not all(0 <= b < 1 for b in self.betas):
            raise InputError(
                f"TrainingConfig: betas must be two numbers in [0, 1), got {self.betas!r}."
            )
        if not 0 <= self.warmup < 1:
            raise InputError(f"TrainingConfig: warmup is a share of the steps, got {self.warmup!r}")
        if self.ema_decay is not None and not 0 <= self.ema_decay < 1:
            raise InputError(
                f"TrainingConfig: ema_decay must lie in [0, 1), got {self.ema_decay!r}."
            )

    def fingerprint(self) -> str:
        """Hash the options that the weights depend on.

        Returns:
            A short key; a checkpoint with another one is not resumed by accident.
        """
        options = {k: v for k, v in options_dict(self).items() if k not in _NO_EFFECT_ON_WEIGHTS}
        return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:16]

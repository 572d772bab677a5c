"""The section ``trainer`` of an experiment: the loop and the processes it runs in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aetia.benchmark.inherited_names import TRAINING_NAMES, options_for
from aetia.errors import InputError
from aetia.options import check_literals, check_positive
from aetia.training import TrainingConfig

__all__ = ["TrainerConfig"]


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """The training loop and the processes it runs in."""

    max_steps: int = 100_000
    """Optimiser steps of the whole training."""
    tasks_per_step: int = 32
    """Tasks whose gradients are averaged in one optimiser step, over all processes and accumulated
    batches. More make steps less noisy and cost time in proportion."""
    accumulate: int = 1
    """Batches that one step is divided into, one after the other, to save memory."""
    optimizer: Literal["adamw", "lamb"] = "adamw"
    """The optimiser; ``"lamb"`` scales the step of each tensor to its size, for very large
    batches."""
    lr: float = 1e-4
    """Largest learning rate. Lower it if the loss jumps or updates are skipped."""
    weight_decay: float = 1e-4
    """Decoupled decay of the weight matrices; raise it against overfitting."""
    optimizer_betas: Sequence[float] | None = None
    """Decay rates of the two moments of the optimiser; null for 0.9 and 0.999."""
    optimizer_eps: float | None = None
    """Number added to the root of the second moment; null for 1e-8."""
    scheduler: str = "cosine"
    """How the learning rate falls after the warm-up: ``"cosine"``, ``"multistep"``,
    ``"plateau"`` or ``"constant"``."""
    scheduler_t_max: int | None = None
    """Steps after which the cosine ends; null for ``max_steps``."""
    scheduler_eta_min: float = 0.0
    """Learning rate at which the schedule ends."""
    milestones: Sequence[float] = (0.667,)
    """Shares of the steps at which ``"multistep"`` divides the rate by ten."""
    warmup: float = 0.02
    """Share of the steps over which the learning rate rises linearly."""
    amp: bool = False
    """Whether matrices are multiplied in half precision, which is faster; on a GPU only."""
    amp_dtype: Literal["bf16", "fp16"] = "bf16"
    """Which half precision; ``"fp16"`` is for GPUs that do not know ``"bf16"``."""
    grad_clip_norm: float = 1.0
    """Largest norm of a gradient; longer ones are shortened to it. 0 or less switches it off."""
    ema_decay: float | None = None
    """Decay, for each step, of the exponential average of the weights that is validated and kept;
    null keeps the weights themselves. Closer to 1 averages over more steps."""
    log_every_n_steps: int = 100
    """Steps between rows of the health record."""
    gradient_shares: bool = True
    """Whether rows of the health record say how much of the gradient comes from each part of the
    loss, which costs a backward pass for each part."""
    val_check_interval: int = 1000
    """Steps between validations; 0 for none."""
    val_n_draws: int = 16
    """Graphs drawn from the prediction of each validation task; ``inference.n_draws`` has no
    effect on it."""
    val_max_tasks: int | None = None
    """Validation tasks of each family at most; null for all. Lower it if validation is slow."""
    regulariser_update_interval: Any = "auto"
    """Steps between dual updates of AVICI's acyclicity constraint; 0 for none, ``"auto"`` for a
    600th of the run."""
    checkpoint_every_n_steps: int = 1000
    """Steps between checkpoints, from which an interrupted run goes on."""
    keep_last: int = 2
    """Checkpoints that are kept besides the best one."""
    metric: str = "loss"
    """Metric on the in-distribution validation tasks that chooses the best checkpoint."""
    mode: Literal["min", "max"] = "min"
    """Whether that metric should be small or large."""
    patience: int | None = None
    """Validations without improvement before training stops early; null for never."""
    device: str = "auto"
    """Where to compute: ``"auto"``, ``"cpu"`` or ``"cuda"``."""
    devices: int = 1
    """Devices of each machine; one process runs on each."""
    nodes: int = 1
    """Number of machines that train together, each with ``devices`` processes."""
    progress: bool | None = None
    """Whether to show a progress bar; null shows it in terminals."""
    force_resume: bool = False
    """Whether to go on from a checkpoint although options changed that the weights depend on."""

    def __post_init__(self) -> None:
        check_literals(self)
        for name in ("milestones", "optimizer_betas"):  # YAML has lists only
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        check_positive(self, "tasks_per_step", "accumulate", "devices", "nodes", "val_n_draws")
        every = self.accumulate * self.devices * self.nodes
        if self.tasks_per_step % every:
            raise InputError(
                f"trainer.tasks_per_step={self.tasks_per_step} is not divisible by accumulate x "
                f"devices x nodes = {every}."
            )
        self.training(n_workers=0, on_gpu=False)

    @property
    def batch_size(self) -> int:
        """Tasks of a batch, over all processes."""
        return self.tasks_per_step // self.accumulate

    def precision(self, on_gpu: bool) -> str:
        """Choose the arithmetic.

        Args:
            on_gpu: Whether there is a GPU.

        Returns:
            Fabric's name for it.
        """
        if not (self.amp and on_gpu):
            return "32-true"
        return "bf16-mixed" if self.amp_dtype == "bf16" else "16-mixed"

    def training(self, *, n_workers: int, on_gpu: bool) -> TrainingConfig:
        """Build the options of the loop.

        Args:
            n_workers: Workers of the data.
            on_gpu: Whether there is a GPU.

        Returns:
            The options.
        """
        options = options_for(TrainingConfig, self, TRAINING_NAMES)
        options |= {
            "milestones": tuple(self.milestones),
            "betas": tuple(self.optimizer_betas or (0.9, 0.999)),
            "eps": 1e-8 if self.optimizer_eps is None else self.optimizer_eps,
            "precision": self.precision(on_gpu),
            "clip_norm": self.grad_clip_norm if self.grad_clip_norm > 0 else None,
            "n_workers": n_workers,
        }
        return TrainingConfig(**options)

"""The section ``trainer`` of an experiment: the loop and the processes it runs in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aetia.errors import InputError
from aetia.options import check_literals, check_positive
from aetia.training import TrainingConfig

__all__ = ["TrainerConfig"]


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """The training loop and the processes it runs in."""

    max_steps: int = 100_000
    tasks_per_step: int = 32
    """Over all processes and accumulated batches."""
    accumulate: int = 1
    optimizer: Literal["adamw", "lamb"] = "adamw"
    lr: float = 1e-4
    weight_decay: float = 1e-4
    optimizer_betas: Sequence[float] | None = None
    optimizer_eps: float | None = None
    scheduler: str = "cosine"
    scheduler_t_max: int | None = None
    scheduler_eta_min: float = 0.0
    milestones: Sequence[float] = (0.667,)
    warmup: float = 0.02
    """Share of the steps."""
    amp: bool = False
    """Mixed precision, on a GPU only."""
    amp_dtype: Literal["bf16", "fp16"] = "bf16"
    grad_clip_norm: float = 1.0
    """0 or less switches clipping off."""
    ema_decay: float | None = None
    log_every_n_steps: int = 100
    gradient_shares: bool = True
    val_check_interval: int = 1000
    val_n_samples: int = 16
    """Draws for each validation task, independent of inference.n_samples."""
    val_max_tasks: int | None = None
    regulariser_update_interval: Any = "auto"
    """AVICI: steps between dual updates; 0 for none, auto for a 600th of the run."""
    checkpoint_every_n_steps: int = 1000
    keep_last: int = 2
    metric: str = "loss"
    """In-distribution validation metric that chooses the weights."""
    mode: Literal["min", "max"] = "min"
    patience: int | None = None
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    progress: bool | None = None
    force_resume: bool = False
    """Go on from a checkpoint although options changed."""

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "tasks_per_step", "accumulate", "devices", "nodes", "val_n_samples")
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
            n_workers: Of the data.
            on_gpu: Whether there is a GPU.

        Returns:
            The options.
        """
        return TrainingConfig(
            n_steps=self.max_steps,
            accumulate=self.accumulate,
            optimiser=self.optimizer,
            learning_rate=self.lr,
            weight_decay=self.weight_decay,
            betas=tuple(self.optimizer_betas or (0.9, 0.999)),  # pyright: ignore
            eps=1e-8 if self.optimizer_eps is None else self.optimizer_eps,
            schedule=self.scheduler,  # pyright: ignore[reportArgumentType]
            warmup=self.warmup,
            cosine_steps=self.scheduler_t_max,
            min_learning_rate=self.scheduler_eta_min,
            milestones=tuple(self.milestones),
            precision=self.precision(on_gpu),  # pyright: ignore[reportArgumentType]
            clip_norm=self.grad_clip_norm if self.grad_clip_norm > 0 else None,
            ema_decay=self.ema_decay,
            log_every=self.log_every_n_steps,
            gradient_shares=self.gradient_shares,
            validate_every=self.val_check_interval,
            metric=self.metric,
            mode=self.mode,
            patience=self.patience,
            checkpoint_every=self.checkpoint_every_n_steps,
            keep_last=self.keep_last,
            n_workers=n_workers,
            progress=self.progress,
        )

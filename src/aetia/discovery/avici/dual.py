"""Dual ascent on the constraint that predicted graphs are acyclic (AVICI, sec. 3.3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from aetia.discovery.avici.config import AVICIConfig

__all__ = ["DualAscent"]


class DualAscent(nn.Module):
    r"""The multiplier :math:`\lambda \leftarrow \lambda + \eta \bar\rho` and its running mean.

    Plain dual ascent, without a quadratic term. State is in buffers, so checkpoints have it.

    Args:
        config: Step, interval, warm-up, decay of the mean, bound; "auto" values depend on the run.
    """

    multiplier: Tensor
    running_mean: Tensor

    def __init__(self, config: AVICIConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("multiplier", torch.zeros(()))
        self.register_buffer("running_mean", torch.zeros(()))

    def every(self, n_steps: int) -> int:
        """Resolve the interval of dual updates.

        Args:
            n_steps: Optimiser steps of the whole run.

        Returns:
            Optimiser steps between them.
        """
        every = self.config.dual_every
        return max(1, n_steps // 600) if every == "auto" else int(every)

    def step_size(self, step: int, n_steps: int) -> float:
        """Compute the dual step size after its warm-up factor.

        Args:
            step: The optimiser step, from 0.
            n_steps: Optimiser steps of the whole run.

        Returns:
            ``dual_step``, less at the start of the run.
        """
        warmup = self.config.dual_warmup
        n_warmup = n_steps / 6 if warmup == "auto" else float(warmup)
        return self.config.dual_step * min(1.0, (step + 1) / n_warmup if n_warmup else 1.0)

    def update(self, step: int, n_steps: int, radius: float) -> dict[str, float]:
        """Take the radius of a step; move the multiplier when an update is due.

        Args:
            step: The step just made, from 0.
            n_steps: Optimiser steps of the whole run.
            radius: Mean spectral radius of the batch.

        Returns:
            The signal ``multiplier``.
        """
        if self.config.dual_step != 0 and math.isfinite(radius):
            decay = self.config.dual_decay if step else 0.0
            self.running_mean.mul_(decay).add_((1 - decay) * max(radius, 0.0))
            if (step + 1) % self.every(n_steps) == 0:
                self.multiplier.add_(self.step_size(step, n_steps) * self.running_mean)
                if self.config.largest_multiplier is not None:
                    self.multiplier.clamp_(max=self.config.largest_multiplier)
        return {"multiplier": float(self.multiplier)}

r"""The LAMB optimiser (You et al., ICLR 2020, algorithm 2), for very large batches.

.. math:: u = \frac{\hat m}{\sqrt{\hat v} + \epsilon} + \lambda w, \qquad
          w \leftarrow w - \eta \frac{\|w\|}{\|u\|} u

with Adam's bias-corrected moments. The ratio of norms is taken for every tensor on its own, and is
1 where either norm is zero, so that biases that start at zero can move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["LAMB"]


class LAMB(Optimizer):
    """AdamW with a trust ratio for each tensor.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate.
        betas: Memories of the two moments.
        eps: Added to the root of the second moment.
        weight_decay: Lambda; groups may state their own.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, closure: Callable[[], Tensor] | None = None
    ) -> Tensor | None:
        """Update all parameters that have a gradient.

        Args:
            closure: Computes the loss anew, with gradients.

        Returns:
            What the closure returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, group)
        return loss

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        state, (beta1, beta2) = self.state[p], group["betas"]
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(p)
            state["exp_avg_sq"] = torch.zeros_like(p)
        state["step"] += 1
        m, v, gradient = state["exp_avg"], state["exp_avg_sq"], p.grad
        assert gradient is not None
        m.lerp_(gradient, 1 - beta1)
        v.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        t = state["step"]
        root = (v / (1 - beta2**t)).sqrt_().add_(group["eps"])
        update = m / (1 - beta1**t) / root + group["weight_decay"] * p
        size, length = p.norm(), update.norm()
        ratio = torch.where((size > 0) & (length > 0), size / length, torch.ones_like(size))
        p.sub_(update * ratio * group["lr"])

"""Adam for tables of latents, where each row has a history of its own.

A batch touches some rows. Ordinary Adam would move all others too, by their old momentum, and
would correct the bias of young rows as if they were old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["RowwiseAdam"]


class RowwiseAdam(Optimizer):
    """Adam (Kingma & Ba, 2015) that leaves rows without a gradient alone.

    Args:
        params: Tables, one row for each unit.
        lr: Learning rate.
        betas: Memories of the two moments, counted in the row's own updates.
        eps: Added to the root of the second moment.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, closure: Callable[[], Tensor] | None = None
    ) -> Tensor | None:
        """Update the rows that a sparse gradient holds, or whose dense gradient is not zero.

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
                    self._update(p, p.grad, group)
        return loss

    def _update(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, (beta1, beta2) = self.state[p], group["betas"]
        if not state:
            state["count"] = torch.zeros(len(p), dtype=p.dtype, device=p.device)
            state["exp_avg"] = torch.zeros_like(p)
            state["exp_avg_sq"] = torch.zeros_like(p)
        if gradient.is_sparse:
            gradient = gradient.coalesce()
            rows, g = gradient.indices()[0], gradient.values()
        else:
            rows = (gradient != 0).flatten(1).any(1).nonzero()[:, 0]
            g = gradient[rows]
        count = state["count"][rows] + 1
        m = beta1 * state["exp_avg"][rows] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"][rows] + (1 - beta2) * g.square()
        state["count"][rows], state["exp_avg"][rows], state["exp_avg_sq"][rows] = count, m, v
        t = count.view(-1, *[1] * (p.ndim - 1))
        root = (v / (1 - beta2**t)).sqrt() + group["eps"]
        p[rows] -= group["lr"] * (m / (1 - beta1**t)) / root

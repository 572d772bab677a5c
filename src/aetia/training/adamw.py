"""AdamW for networks of which a step costs less than an optimiser's bookkeeping."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim.adamw import adamw

__all__ = ["AdamW"]


class AdamW(torch.optim.AdamW):
    """The fused optimiser of torch, with the same numbers and the same state.

    From the second step on, moments are passed straight to the fused kernel.
    """

    @torch.no_grad()
    def step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, closure: Callable[[], Tensor] | None = None
    ) -> Tensor | None:
        """Update the parameters that have a gradient.

        Args:
            closure: Computes the loss anew, with gradients.

        Returns:
            What the closure returned.
        """
        is_scaled = getattr(self, "grad_scale", None) is not None
        pairs = [(g, [p for p in g["params"] if p.grad is not None]) for g in self.param_groups]
        if closure is not None or is_scaled or any(not self.state[p] for _, s in pairs for p in s):
            return super().step(closure)  # pyright: ignore[reportArgumentType]
        for group, parameters in pairs:
            states = [self.state[p] for p in parameters]
            beta1, beta2 = group["betas"]
            adamw(
                parameters,
                [p.grad for p in parameters if p.grad is not None],
                [s["exp_avg"] for s in states],
                [s["exp_avg_sq"] for s in states],
                [],
                [s["step"] for s in states],
                fused=True,
                amsgrad=False,
                beta1=beta1,
                beta2=beta2,
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
            )
        return None

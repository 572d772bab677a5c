r"""The loss of an ensemble of Wasserstein critics with its gradient written out.

.. math:: \overline{D(b)} - \overline{D(a)} + \lambda \overline{(\|\nabla D(c)\|_2 - 1)^2}

for real rows a, generated rows b and c between them (Gulrajani et al., 2017). A critic is so small
that bookkeeping costs more than arithmetic: here all rows go through it at once, and one pass
back serves the scores and their slopes.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.nets.discriminator import Discriminator
from aetia.nets.perceptron import listed

__all__ = ["wasserstein_loss"]


def wasserstein_loss(
    critics: Discriminator,
    real: Float[Tensor, "members n inputs"],
    fake: Float[Tensor, "members n inputs"],
    generator: torch.Generator,
    *,
    penalty: float = 10.0,
) -> tuple[Float[Tensor, " members"], Float[Tensor, " members"]]:
    """Compute the Wasserstein loss of critics and its penalty; gradients reach their weights only.

    Args:
        critics: An ensemble.
        real: Rows a.
        fake: Rows b.
        generator: Source of the places between real and generated rows at which slopes are
            penalised.
        penalty: Weight of the penalty on slopes.

    Returns:
        The gap between the scores of generated and real rows, and the penalty, of each member.
    """
    u = torch.rand((*real.shape[:-1], 1), generator=generator, device=real.device, dtype=real.dtype)
    rows = torch.cat([fake, real, torch.lerp(fake, real, u)], 1).detach()
    kinds = (critics.weights, critics.biases, critics.scales, critics.shifts)
    weights = [p for kind in kinds for p in listed(kind)]
    gap, slope = _GapAndSlope.apply(rows, penalty, *weights)  # pyright: ignore[reportGeneralTypeIssues]
    return gap, slope


class _GapAndSlope(torch.autograd.Function):
    """Layers h' = tanh(h A + c) with A = W s, c = b s + t; slopes g = ((g' (1 - h'^2)) A^T."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, penalty: float, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        members, total, _ = rows.shape
        weights, biases, scales, shifts = _by_kind(parameters)
        depth = len(scales)
        start = total // 3 * 2
        folded = [w * s[:, None] for w, s in zip(weights[:depth], scales, strict=True)]
        h, gains = [rows], []
        one = rows.new_ones(())
        for k, matrix in enumerate(folded):
            offset = torch.addcmul(shifts[k], biases[k], scales[k])
            x = torch.baddbmm(offset[:, None], h[-1], matrix).tanh_()
            h.append(x)
            gains.append(torch.addcmul(one, x, x, value=-1))
        last = weights[-1]
        # The bias of the last layer cancels.
        means = torch.bmm(h[-1], last).view(members, 3, -1).mean(-1)
        slopes = [last.mT.expand(-1, total - start, -1)]
        for gain, matrix in zip(reversed(gains), reversed(folded), strict=True):
            slopes.append(torch.bmm(slopes[-1] * gain[:, start:], matrix.mT))
        slopes.reverse()
        norm = torch.linalg.vector_norm(slopes[0], dim=-1)
        ctx.save_for_backward(*parameters)
        ctx.kept = (folded, h, gains, slopes, norm, penalty)
        return means[:, 0] - means[:, 1], penalty * (norm - 1).square().mean(-1)

    @staticmethod
    def backward(ctx: Any, *of_outputs: Tensor) -> tuple[Tensor | None, ...]:
        of_gap, of_slope = of_outputs
        weights, biases, scales, _ = _by_kind(ctx.saved_tensors)
        folded, h, gains, slopes, norm, penalty = ctx.kept
        depth, n = len(scales), norm.shape[1]
        start = 2 * n
        # Along the slopes: from the first layer to the last.
        factor = (2 * penalty / n) * (norm - 1) / norm.clamp(min=1e-12) * of_slope[:, None]
        g = slopes[0] * factor[..., None]
        of_folded, of_h = [], []
        for k, matrix in enumerate(folded):
            gain = gains[k][:, start:]
            of_folded.append(torch.bmm(g.mT, slopes[k + 1] * gain))
            e = torch.bmm(g, matrix)
            of_h.append((e * slopes[k + 1]).mul_(h[k + 1][:, start:]).mul_(-2))
            g = e * gain
        # Along the scores: back from the last layer.
        share = of_gap[:, None, None] / n
        top = h[-1]
        of_last = (top[:, :n].sum(1) - top[:, n:start].sum(1))[..., None] * share
        of_last += g.sum(1)[..., None]
        back = torch.zeros_like(top)
        back[:, :n] = share * weights[-1].mT
        back[:, n:start] = -share * weights[-1].mT
        of_weights, of_biases = [of_last], [torch.zeros_like(biases[-1])]
        of_scales, of_shifts = [], []
        for k in reversed(range(depth)):
            back[:, start:] += of_h[k]
            back = back.mul_(gains[k])
            a = torch.baddbmm(of_folded[k], h[k].mT, back)
            offset = back.sum(1)
            scale = scales[k]
            of_weights.append(a * scale[:, None])
            of_scales.append(torch.addcmul((a * weights[k]).sum(1), offset, biases[k]))
            of_biases.append(offset * scale)
            of_shifts.append(offset)
            if k:
                back = torch.bmm(back, folded[k].mT)
        parts = (of_weights, of_biases, of_scales, of_shifts)
        return None, None, *(gradient for part in parts for gradient in reversed(part))


def _by_kind(parameters: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], ...]:
    """Split what was passed one by one: weights and biases have one layer more than the rest."""
    depth = (len(parameters) - 2) // 4
    ends = (depth + 1, 2 * depth + 2, 3 * depth + 2)
    first, second, third = ends
    return (
        parameters[:first],
        parameters[first:second],
        parameters[second:third],
        parameters[third:],
    )

r"""The diffusion transformer with adaLN-Zero (Peebles & Xie, 2023), for populations of draws.

A draw needs noise of its own; blocks before it enters run once for all draws of an image (deferred
expansion). Noise joins the tokens as the patches of an image do, through a gate that depends on the
time, so that without shared blocks this is the network with image and noise on the channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Int
from torch import Tensor, nn

from aetia.errors import InputError

__all__ = ["DiT", "grid_positions", "sinusoids"]

_MAX_PERIOD = 10_000.0
_TIME_SCALE = 1000.0
"""Times in [0, 1] are stretched, or nearly all sinusoids would be constant in them."""

SkipWeights = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Times to the weights of x_t and of the network's output."""


def sinusoids(at: Float[Tensor, " n"], width: int) -> Float[Tensor, " n {width}"]:
    """Compute cosines and sines with periods from 2 pi to 10,000 times that.

    Args:
        at: Positions or times.
        width: Even number of features.

    Returns:
        Features in [-1, 1].
    """
    half = width // 2
    share = torch.arange(half, dtype=at.dtype, device=at.device) / half
    angles = at[:, None] * torch.exp(-math.log(_MAX_PERIOD) * share)
    return torch.cat([angles.cos(), angles.sin()], -1)


def grid_positions(rows: int, columns: int, width: int) -> Float[Tensor, " t {width}"]:
    """Compute fixed positions of patches: half of the features say the row, half the column.

    Args:
        rows: Number of rows of patches.
        columns: Number of columns of patches.
        width: A multiple of 4.

    Returns:
        One position for each patch, row by row.
    """
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    halves = [sinusoids(axis.flatten().float(), width // 2) for axis in (row, column)]
    return torch.cat(halves, -1)


class _DiTBlock(nn.Module):
    """Attention and perceptron; shift, scale and gate of both come from the condition."""

    def __init__(self, width: int, n_heads: int, mlp_ratio: float) -> None:
        super().__init__()
        inner = int(width * mlp_ratio)
        self.n_heads = n_heads
        self.norm_1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.norm_2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.enter = nn.Linear(width, inner)
        self.leave = nn.Linear(inner, width)
        self.modulation = nn.Linear(width, 6 * width)
        for layer in (self.qkv, self.project, self.enter, self.leave):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        # Gates of zero make every block the identity at first.
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        parts = self.modulation(F.silu(condition))[:, None, None].chunk(6, -1)
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = parts
        h = h + gate_1 * self.attend(self.norm_1(h) * (1 + scale_1) + shift_1)
        inner = F.gelu(self.enter(self.norm_2(h) * (1 + scale_2) + shift_2), approximate="tanh")
        return h + gate_2 * self.leave(inner)

    def attend(self, h: Tensor) -> Tensor:
        n, m, t, width = h.shape
        qkv = self.qkv(h).view(n * m, t, 3, self.n_heads, width // self.n_heads)
        mixed = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4).unbind(0))
        return self.project(mixed.transpose(1, 2).reshape(n, m, t, width))


class DiT(nn.Module):
    """A stochastic denoiser of images.

    Args:
        image_shape: Channels, height, width.
        patch: Side of a patch.
        width: Features of a token.
        depth: Blocks.
        n_heads: Attention heads of each block.
        mlp_ratio: Hidden units of a block's perceptron over ``width``.
        n_time_features: Sinusoids of the time.
        n_shared: Blocks before the noise enters, run once for all draws of an image.
        n_classes: Labels that draws can be conditioned on; 0 for none.
        class_dropout: Share of labels that training hides, so that one network knows the
            distributions with and without them.
        skip: Weights of x_t and of the network; then the last layer starts at zero. None: the
            network predicts x_0 itself.

    Raises:
        InputError: If the sizes do not fit together.
    """

    positions: Tensor

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        patch: int = 2,
        width: int = 64,
        depth: int = 4,
        n_heads: int = 4,
        mlp_ratio: float = 4.0,
        n_time_features: int = 64,
        n_shared: int = 0,
        n_classes: int = 0,
        class_dropout: float = 0.0,
        skip: SkipWeights | None = None,
    ) -> None:
        super().__init__()
        channels, height, breadth = image_shape
        if height % patch or breadth % patch:
            raise InputError(
                f"images of {height} x {breadth} pixels have no whole patches of side {patch}; "
                "choose a patch size that divides both."
            )
        if width % 4 or width % n_heads or n_time_features % 2:
            raise InputError(
                f"a width of {width} must be a multiple of 4 and of the {n_heads} heads, and the "
                f"number of time features, {n_time_features}, even."
            )
        if not 0 <= n_shared <= depth:
            raise InputError(
                f"n_shared={n_shared} blocks cannot be shared; there are {depth} of them."
            )
        self.image_shape, self.patch, self.n_shared = image_shape, patch, n_shared
        self.n_classes, self.class_dropout, self.skip = n_classes, class_dropout, skip
        self.n_time_features = n_time_features
        grid = grid_positions(height // patch, breadth // patch, width)
        self.register_buffer("positions", grid, persistent=False)
        size = channels * patch * patch
        self.image_patches = nn.Linear(size, width)
        self.noise_patches = nn.Linear(size, width, bias=False)
        self.noise_gate = nn.Linear(width, width)
        self.time = nn.Sequential(
            nn.Linear(n_time_features, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.classes = nn.Embedding(n_classes + 1, width) if n_classes else None
        self.blocks = nn.ModuleList(_DiTBlock(width, n_heads, mlp_ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.modulation = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, size)
        self._start()

    def _start(self) -> None:
        for layer in (self.image_patches, self.noise_patches):
            nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(self.image_patches.bias)
        for layer in (self.time[0], self.time[2]):
            nn.init.normal_(layer.weight, std=0.02)  # pyright: ignore[reportArgumentType]
        if self.classes is not None:
            nn.init.normal_(self.classes.weight, std=0.02)
        closed = [self.modulation, self.noise_gate]
        # With x_t passed on, zero is the best linear guess; without, it would be deaf to the noise.
        closed += [self.leave] if self.skip is not None else []
        for layer in closed:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        x_t: Float[Tensor, " n c h w"],
        t: Float[Tensor, " n"],
        xi: Float[Tensor, " n m c h w"],
        context: Int[Tensor, " n"] | None = None,
    ) -> Float[Tensor, " n m c h w"]:
        """Draw m times.

        Args:
            x_t: Noised images.
            t: Their times.
            xi: Noise of each draw.
            context: Labels; None, or ``n_classes`` for an image, to draw without.

        Returns:
            Draws of x_0.
        """
        condition = self.time(sinusoids(_TIME_SCALE * t, self.n_time_features))
        if self.classes is not None:
            condition = condition + self.classes(self._labels(context, t))
        h = (self.image_patches(self._patches(x_t)) + self.positions)[:, None]
        for block in self.blocks[: self.n_shared]:
            h = block(h, condition)
        gate = 1 + self.noise_gate(F.silu(condition))[:, None, None]
        h = h + gate * self.noise_patches(self._patches(xi))
        for block in self.blocks[self.n_shared :]:
            h = block(h, condition)
        shift, scale = self.modulation(F.silu(condition))[:, None, None].chunk(2, -1)
        out = self._image(self.leave(self.norm(h) * (1 + scale) + shift)).to(x_t.dtype)
        if self.skip is None:
            return out
        keep, add = (w.view(-1, 1, 1, 1, 1) for w in self.skip(t))
        return keep * x_t[:, None] + add * out

    def _labels(self, labels: Tensor | None, t: Tensor) -> Tensor:
        if labels is None:
            return torch.full_like(t, self.n_classes, dtype=torch.long)
        if not self.training or not self.class_dropout:
            return labels
        hidden = torch.rand(t.shape, device=t.device) < self.class_dropout
        return torch.where(hidden, self.n_classes, labels)

    def _patches(self, images: Float[Tensor, "*n c h w"]) -> Float[Tensor, "*n t k"]:
        side = self.patch
        cut = images.unflatten(-1, (-1, side)).unflatten(-3, (-1, side))
        c, rows, _, columns, _ = range(-5, 0)
        order = (*range(images.ndim - 3), rows, columns, c, -3, -1)
        return cut.permute(*(k % cut.ndim for k in order)).flatten(-3).flatten(-3, -2)

    def _image(self, patches: Float[Tensor, "*n t k"]) -> Float[Tensor, "*n c h w"]:
        channels, height, breadth = self.image_shape
        side = self.patch
        cut = patches.unflatten(-1, (channels, side, side))
        cut = cut.unflatten(-4, (height // side, breadth // side))
        lead = range(cut.ndim - 5)
        # rows, columns, channel, y, x -> channel, rows, y, columns, x
        order = (*lead, *(cut.ndim + k for k in (-3, -5, -2, -4, -1)))
        return cut.permute(*order).flatten(-2).flatten(-3, -2)

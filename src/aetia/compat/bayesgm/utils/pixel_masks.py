"""Indices of hidden pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from aetia.data import pixel_mask
from aetia.errors import InputError

__all__ = ["mnist_mask_indices"]


def mnist_mask_indices(
    shape: tuple[int, int] = (28, 28),
    mode: str = "holes",
    center: tuple[int, int] | None = (14, 14),
    num_holes: int = 1,
    hole_size: int = 3,
    orientation: str = "horizontal",
    stripe_width: int = 4,
    stripe_pos: int = 14,
    seed: int | None = None,
) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, " masked"]]:
    """Choose pixels to hide.

    The original's default mode is refused by itself, its vertical stripes hide rows, and
    ``num_holes`` is ignored; here ``"hole"`` and ``"holes"`` are the same, vertical stripes are
    vertical, and there are as many holes as asked for.

    Args:
        shape: Height and width.
        mode: ``"holes"``, ``"edge_stripe"``, ``"upper_half"``, ``"lower_half"``, ``"left_half"`` or
            ``"right_half"``.
        center: Row and column of the middle of the first hole; None for anywhere.
        num_holes: Squares; those after the first lie anywhere.
        hole_size: Side of a square.
        orientation: Direction of the stripe, ``"horizontal"`` or ``"vertical"``.
        stripe_width: Rows or columns of the stripe.
        stripe_pos: Its middle.
        seed: Seed of the places of holes that lie anywhere.

    Returns:
        Flat indices of the pixels that stay, and of those that are hidden.

    Raises:
        InputError: If the mask is unknown or does not fit the image.
    """
    rng = np.random.default_rng(seed)
    if center is None:
        before, after = hole_size // 2, hole_size - hole_size // 2 - 1
        if hole_size > min(shape):
            raise InputError(f"a hole of side {hole_size} does not fit an image of {shape}.")
        center = (
            int(rng.integers(before, shape[0] - after)),
            int(rng.integers(before, shape[1] - after)),
        )
    hidden = pixel_mask(
        "holes" if mode == "hole" else mode,
        shape,
        center=center,
        n_holes=num_holes,
        hole_size=hole_size,
        orientation=orientation,
        width=stripe_width,
        position=stripe_pos - stripe_width // 2,
        rng=rng,
    )
    return np.flatnonzero(~hidden), np.flatnonzero(hidden)

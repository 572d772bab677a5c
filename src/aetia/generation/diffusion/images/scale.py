"""Pixels in [0, 1] to what the network sees, and back."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.errors import InputError

__all__ = ["ImageScale", "read_images"]


class ImageScale(NamedTuple):
    """z = (pixel - centre) / spread."""

    centre: Float[Tensor, " c"]
    """Centre of each channel."""
    spread: float

    @classmethod
    def of(
        cls, pixels: Float[np.ndarray, "n h w c"], scaling: Literal["standardise", "signed"]
    ) -> ImageScale:
        """Choose a scale.

        Args:
            pixels: Pixels in [0, 1].
            scaling: Variance 1, or [-1, 1].

        Returns:
            The scale.
        """
        if scaling == "signed":
            return cls(torch.full((pixels.shape[-1],), 0.5), 0.5)
        centre = pixels.mean((0, 1, 2), dtype=np.float64)
        square = float(np.mean(np.square(pixels - centre.astype(pixels.dtype)), dtype=np.float64))
        return cls(torch.from_numpy(centre).float(), square**0.5 or 1.0)

    def to_model(self, pixels: Float[np.ndarray, "n h w c"]) -> Float[Tensor, " n c h w"]:
        """Scale pixels and put channels first.

        Args:
            pixels: Pixels in [0, 1].

        Returns:
            Images in single precision.
        """
        z = (torch.from_numpy(np.ascontiguousarray(pixels)).float() - self.centre) / self.spread
        return z.permute(0, 3, 1, 2).contiguous()

    def to_pixels(self, z: Float[Tensor, " n c h w"]) -> Float[np.ndarray, "n h w c"]:
        """Scale back; what lies outside [0, 1] becomes black or white.

        Args:
            z: Images of the network.

        Returns:
            Pixels.
        """
        pixels = z.permute(0, 2, 3, 1).cpu().float() * self.spread + self.centre
        return pixels.clamp(0, 1).numpy()


def read_images(images: object, shape: tuple[int, int, int]) -> Float[np.ndarray, "n h w c"]:
    """Check images.

    Args:
        images: ``[n, h, w, c]``, or ``[n, h, w]`` for grey ones, pixels in [0, 1].
        shape: Height, width, channels.

    Returns:
        Single precision, with channels.

    Raises:
        InputError: If shape or values are others.
    """
    try:
        pixels = np.asarray(images, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"images must be an array of numbers: {error}") from error
    if pixels.ndim == 3 and shape[2] == 1:
        pixels = pixels[..., None]
    if pixels.ndim != 4 or pixels.shape[1:] != shape or not len(pixels):
        raise InputError(
            f"images of shape [n, {', '.join(map(str, shape))}] were expected, got "
            f"{list(pixels.shape)}. Pass image_shape=(height, width, channels) for other sizes."
        )
    if not np.isfinite(pixels).all():
        raise InputError(
            "some pixels are missing or infinite; ImageDDDM learns from whole images (ImageBGM "
            "takes holes)."
        )
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 1:
        raise InputError(
            f"pixels must lie in [0, 1], got {low:.4g} to {high:.4g}; divide bytes by 255."
        )
    return pixels

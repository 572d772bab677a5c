"""Images for the experiment: CIFAR-10, digits, or noise that tries the machinery."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float

from aetia.data import load_cifar10, load_digits
from aetia.generation.diffusion.experiments.options import ImageExperiment

__all__ = ["ExperimentImages", "read_experiment_images", "split_digits"]

_SPLIT_SEED = 1797


class ExperimentImages(NamedTuple):
    """Images to learn from, and others to compare with."""

    train: Float[np.ndarray, "n h w c"]
    test: Float[np.ndarray, "k h w c"]
    source: str


def read_experiment_images(options: ImageExperiment) -> ExperimentImages:
    """Read or make the images.

    Args:
        options: Options of the experiment.

    Returns:
        Training and test images of ``options.image_size``.
    """
    size = options.image_size
    if options.fake_data:
        rng = np.random.default_rng(np.random.SeedSequence([options.seed, 3]))
        # Smooth blobs of colour: of pure noise there is nothing to learn.
        coarse = rng.uniform(size=(2 * options.fake_data, 3, 3, 3)).astype(np.float32)
        images = _resized(coarse, size)
        n = options.fake_data
        return ExperimentImages(images[:n], images[n:], f"{n:,} made-up images")
    if options.data == "digits":
        train, test = split_digits()
        source = "the digits of scikit-learn"
    else:
        train, test = (load_cifar10(options.data_dir, part=p).pixels for p in ("train", "test"))
        source = "CIFAR-10"
    return ExperimentImages(_resized(train, size), _resized(test, size), source)


def split_digits() -> tuple[Float[np.ndarray, "n h w c"], Float[np.ndarray, "k h w c"]]:
    """Split the digits, which are ordered by writer, at random but always alike.

    Returns:
        1,198 training and 599 test images.
    """
    pixels = load_digits().pixels.astype(np.float32)
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(pixels))
    n_test = len(pixels) // 3
    return pixels[order[n_test:]], pixels[order[:n_test]]


def _resized(pixels: Float[np.ndarray, "n h w c"], size: int) -> Float[np.ndarray, "n s s c"]:
    if pixels.shape[1] == pixels.shape[2] == size:
        return pixels
    x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    y = F.interpolate(x, (size, size), mode="bilinear", align_corners=False, antialias=True)
    return np.ascontiguousarray(y.clamp(0, 1).numpy().transpose(0, 2, 3, 1))

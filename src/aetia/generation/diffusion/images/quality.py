"""How far new images are from real ones, beside how far real ones are from each other."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from aetia.diagnostics.two_sample import (
    energy_distance,
    frechet_distance,
    median_bandwidth,
    mmd_squared,
)
from aetia.errors import DataWarning
from aetia.generation.diffusion.images.features import (
    Inception,
    PrincipalComponents,
    random_convolutions,
)

__all__ = ["NO_FID", "image_quality"]

NO_FID = (
    "The FID was not computed: it needs the Inception network of 2015 as a TorchScript file "
    "(--inception-weights PATH). fd_pca64 and fd_randconv are other numbers."
)


def image_quality(
    new: Float[np.ndarray, "n h w c"],
    train: Float[np.ndarray, "k h w c"],
    test: Float[np.ndarray, "j h w c"],
    *,
    n_mmd: int = 2000,
    inception: Inception | None = None,
    n_fid: int | None = None,
) -> dict[str, Any]:
    """Compare new images with those of the fit; every distance has a floor.

    Frechet distances are to the training images; their floor is that of the test images. MMD
    (median bandwidth) and energy distance are to the test images in the space of ``fd_pca64``;
    their floor is that of as many training images. Distances of small samples are too large; for
    a fair comparison with the floor, draw as many images as the test set has.

    Args:
        new: Generated images.
        train: Images of the fit.
        test: Other real images.
        n_mmd: Images of each kind, at most, for MMD and energy distance.
        inception: Features of the FID; None leaves it out.
        n_fid: Images of each kind, at most, for the FID.

    Returns:
        Distances, their floors under ``..._floor``, and what they were computed from.
    """
    pca = PrincipalComponents.of(train)
    if len(new) < 2 * len(pca.directions):
        warnings.warn(
            f"{len(new)} new images for {len(pca.directions)} features: Frechet distances are far "
            "too large below twice as many.",
            DataWarning,
            stacklevel=2,
        )
    found: dict[str, Any] = {"n_new": len(new), "n_train": len(train), "n_test": len(test)}
    for name, features in (("fd_pca64", pca), ("fd_randconv", random_convolutions)):
        mine, learned, other = (features(x) for x in (new, train, test))
        found[name] = frechet_distance(mine, learned)
        found[f"{name}_floor"] = frechet_distance(other, learned)
    spaced = [
        torch.from_numpy(pca(x[np.linspace(0, len(x) - 1, min(len(x), n_mmd)).astype(int)]))
        for x in (new, train, test)
    ]
    bandwidth = median_bandwidth(spaced[2])
    found["mmd2_bandwidth"] = bandwidth
    for suffix, sample in (("", spaced[0]), ("_floor", spaced[1])):
        found[f"mmd2_median{suffix}"] = mmd_squared(sample, spaced[2], bandwidth)
        found[f"energy_distance{suffix}"] = energy_distance(sample, spaced[2])
    found["fid"] = None
    if inception is None:
        found["fid_note"] = NO_FID
    else:
        found["fid"] = frechet_distance(inception(new[:n_fid]), inception(train[:n_fid]))
        found["fid_weights_sha256"] = inception.sha256
    return found

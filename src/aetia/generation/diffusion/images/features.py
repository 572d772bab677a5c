"""Named features in which sets of images are compared, offline and the same everywhere.

A Frechet distance is a number about its features: distances here carry the name of theirs, and
none of them is the FID, which is about one certain network that the user has to bring.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

from aetia.errors import CheckpointError, InputError

__all__ = ["Inception", "PrincipalComponents", "random_convolutions"]

_CHANNELS = (16, 32, 64)
_SEED = 20_250_213
_AT_ONCE = 500


class PrincipalComponents(NamedTuple):
    """The directions along which reference pixels vary most."""

    mean: Float[np.ndarray, " p"]
    directions: Float[np.ndarray, "k p"]

    @classmethod
    def of(
        cls, reference: Float[np.ndarray, "n h w c"], n_components: int = 64
    ) -> PrincipalComponents:
        """Find them.

        Args:
            reference: Images.
            n_components: Number of components, at most; small images have fewer that vary.

        Returns:
            Orthonormal directions.
        """
        flat = reference.reshape(len(reference), -1)
        mean = flat.mean(0, dtype=np.float64)
        scatter = np.zeros((len(mean), len(mean)))
        for start in range(0, len(flat), _AT_ONCE):  # all of CIFAR-10 in doubles is large
            centred = flat[start : start + _AT_ONCE] - mean
            scatter += centred.T @ centred
        values, vectors = np.linalg.eigh(scatter / len(flat))
        n_real = int((values > 1e-8 * max(float(values[-1]), 1e-300)).sum())
        kept = max(min(n_components, n_real), 1)
        return cls(mean, vectors[:, ::-1][:, :kept].T)

    def __call__(self, images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "n k"]:
        """Project.

        Args:
            images: Images of the size of the reference.

        Returns:
            Features.
        """
        flat = images.reshape(len(images), -1)
        parts = [
            (flat[start : start + _AT_ONCE] - self.mean) @ self.directions.T
            for start in range(0, len(flat), _AT_ONCE)
        ]
        return np.concatenate(parts)


def random_convolutions(images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "n k"]:
    """Compute what three layers of convolutions with fixed random weights say on average.

    Args:
        images: Pixels in [0, 1].

    Returns:
        112 features: means over space of the channels of every layer.
    """
    kernels = _kernels(images.shape[-1])
    parts = []
    for start in range(0, len(images), _AT_ONCE):
        some = np.ascontiguousarray(images[start : start + _AT_ONCE])
        x = 2 * torch.from_numpy(some).float().permute(0, 3, 1, 2) - 1
        means = []
        for k, kernel in enumerate(kernels):
            x = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel))
            means.append(x.mean((2, 3)))
            if k + 1 < len(kernels) and min(x.shape[2:]) >= 4:
                x = F.avg_pool2d(x, 2)
        parts.append(torch.cat(means, 1).double().numpy())
    return np.concatenate(parts)


def _kernels(n_channels: int) -> list[Tensor]:
    """Draw weights that keep the size of signals (He et al., 2015), always the same."""
    g = torch.Generator().manual_seed(_SEED)
    sizes = (n_channels, *_CHANNELS)
    return [
        torch.randn((after, before, 3, 3), generator=g) * (2 / (9 * before)) ** 0.5
        for before, after in pairwise(sizes)
    ]


class Inception:
    """Features of the Inception network of the FID, from a TorchScript file of the user's.

    Comparable numbers need the TensorFlow weights of 2015 (``inception-2015-12-05.pt``), which
    take bytes and do their own resizing. The hash of the file is kept beside the number.

    Args:
        file: TorchScript that turns bytes ``[n, 3, h, w]`` into features ``[n, k]``.
        device: Where it runs.

    Raises:
        InputError: If there is no such file.
        CheckpointError: If it is no TorchScript.
    """

    def __init__(self, file: str | Path, device: torch.device | str = "cpu") -> None:
        path = Path(file)
        if not path.is_file():
            raise InputError(
                f"no such file: {str(path)!r}. The FID needs the Inception network as TorchScript."
            )
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        try:
            self.network: Callable[..., Tensor] = torch.jit.load(str(path), map_location=device)
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(f"{str(path)!r} is no TorchScript network: {error}") from error
        self.device = torch.device(device)

    @torch.no_grad()
    def __call__(self, images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "n k"]:
        """Compute features.

        Args:
            images: Pixels in [0, 1]; grey ones are repeated in three channels.

        Returns:
            Features.

        Raises:
            InputError: If the network does not take such images.
        """
        parts = []
        for start in range(0, len(images), _AT_ONCE // 5):
            some = np.rint(255 * images[start : start + _AT_ONCE // 5]).astype(np.uint8)
            some = np.repeat(some, 3, -1) if some.shape[-1] == 1 else some
            x = torch.from_numpy(np.ascontiguousarray(some.transpose(0, 3, 1, 2))).to(self.device)
            try:
                features = self._features(x)
            except RuntimeError as error:
                raise InputError(f"the Inception network refused the images: {error}") from error
            if features.ndim != 2:
                raise InputError(
                    f"the Inception network gave {list(features.shape)}; features [n, k] were "
                    "expected."
                )
            parts.append(features.double().cpu().numpy())
        return np.concatenate(parts)

    def _features(self, x: Tensor) -> Tensor:
        schema = getattr(getattr(self.network, "forward", None), "schema", None)
        if schema is not None and any(a.name == "return_features" for a in schema.arguments):
            return self.network(x, return_features=True)
        return self.network(x)

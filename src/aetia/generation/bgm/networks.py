"""The networks of BGM: a generator, an encoder, critics; for tables and for images.

Rows are flat everywhere, ``[..., p]``; the networks for images fold them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.nets import (
    Discriminator,
    ImageDiscriminator,
    ImageEncoder,
    ImageGenerator,
    Layers,
    Perceptron,
    VariationalPerceptron,
    perceptron,
)

__all__ = [
    "Decoder",
    "ImageCritic",
    "ImageDecoder",
    "LatentDistribution",
    "Networks",
    "PixelEncoder",
    "TableCritic",
    "TableDecoder",
    "TableEncoder",
    "flat_logits",
]

Decode: TypeAlias = Callable[[Float[Tensor, "*draws n k"]], Float[Tensor, "*draws n outputs"]]
"""Latents to the outputs that a :class:`ColumnLikelihood` reads."""

_LARGEST_INPUT = 10.0
_SMALLEST_STD = 1e-3


class LatentDistribution(NamedTuple):
    """The encoder's guess of p(z | seen cells): independent normals."""

    mean: Float[Tensor, "n k"]
    std: Float[Tensor, "n k"]


class Decoder(nn.Module, ABC):
    """A generator: latents to the outputs that a likelihood reads."""

    n_latents: int

    def kl(self) -> Tensor | None:
        """Compute the divergence of the weights from their prior.

        Returns:
            A number, or None for weights that are not random.
        """
        return None

    @abstractmethod
    def fixed(self) -> Decode:
        """Take the weights, or their means.

        Returns:
            A function of latents with any leading dimensions.
        """

    def drawn(self, n_draws: int, generator: torch.Generator) -> Decode:
        """Draw sets of weights; without random weights they are all the same.

        Args:
            n_draws: How many.
            generator: Source of randomness.

        Returns:
            A function of latents ``[draws, n, k]``, each draw with its own weights.
        """
        del n_draws, generator
        return self.fixed()

    def logit_variance(self, z: Float[Tensor, "*draws n k"]) -> Tensor | None:
        """Compute the variance of logits, where they are noisy.

        Args:
            z: Latents.

        Returns:
            One number for each cell; None where logits have no noise.
        """
        del z
        return None


class TableDecoder(Decoder):
    """A perceptron, beside it a linear map to the means.

    The linear map carries what is linear in a table, so that the perceptron need not approximate
    straight lines by bent ones; the original has the perceptron alone.

    Args:
        n_latents: Width of the latents.
        n_columns: Columns, the first outputs.
        n_outputs: All outputs.
        hidden: Widths of the hidden layers.
        bayesian: Whether the weights of the perceptron are random.
    """

    def __init__(
        self,
        n_latents: int,
        n_columns: int,
        n_outputs: int,
        hidden: Sequence[int],
        *,
        bayesian: bool = False,
    ) -> None:
        super().__init__()
        self.n_latents = n_latents
        sizes = [n_latents, *hidden, n_outputs]
        self.net = VariationalPerceptron(sizes) if bayesian else Perceptron(sizes)
        bound = 1 / math.sqrt(n_latents)
        self.loadings = nn.Parameter(torch.empty(n_latents, n_columns).normal_(0, 0.3 * bound))

    def forward(
        self, z: Float[Tensor, "*draws n k"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*draws n outputs"]:
        """Decode.

        Args:
            z: Latents.
            generator: Source of randomness of the weights, if they are random: drawn anew for each
                row.

        Returns:
            Outputs for the likelihood.
        """
        if isinstance(self.net, VariationalPerceptron) and generator is not None:
            return self._with_line(self.net(z, generator), z)
        return self.fixed()(z)

    def kl(self) -> Tensor | None:
        """Compute the divergence of the weights from their prior.

        Returns:
            A number, or None for weights that are not random.
        """
        return self.net.kl() if isinstance(self.net, VariationalPerceptron) else None

    def fixed(self) -> Decode:
        """Take the weights, or their means.

        Returns:
            A function of latents.
        """
        return self._decode(self.net.layers)

    def drawn(self, n_draws: int, generator: torch.Generator) -> Decode:
        """Draw sets of weights.

        Args:
            n_draws: How many.
            generator: Source of randomness.

        Returns:
            A function of latents ``[draws, n, k]``.
        """
        if isinstance(self.net, VariationalPerceptron):
            return self._decode(self.net.draw(n_draws, generator))
        return self.fixed()

    def _decode(self, layers: Layers) -> Decode:
        return lambda z: self._with_line(perceptron(layers, z), z)

    def _with_line(self, raw: Tensor, z: Tensor) -> Tensor:
        p = self.loadings.shape[1]
        return torch.cat([raw[..., :p] + z @ self.loadings, raw[..., p:]], -1)


class TableEncoder(nn.Module):
    """The encoder: seen cells and which they are, to a guess of the latents.

    Args:
        n_columns: Columns.
        n_latents: Width of the latents.
        hidden: Widths of the hidden layers.
    """

    def __init__(self, n_columns: int, n_latents: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.net = Perceptron([2 * n_columns, *hidden, 2 * n_latents])

    def forward(self, x: Float[Tensor, "n p"], observed: Bool[Tensor, "n p"]) -> LatentDistribution:
        """Encode.

        Args:
            x: Rows.
            observed: True where a value was seen.

        Returns:
            A guess for each row.
        """
        seen = observed.to(x.dtype)
        inputs = torch.cat([x.clamp(-_LARGEST_INPUT, _LARGEST_INPUT) * seen, seen], -1)
        return _distribution_of(self.net(inputs))


class TableCritic(nn.Module):
    """A critic of rows with holes.

    Args:
        n_columns: Columns.
        hidden: Widths of the hidden layers.
    """

    def __init__(self, n_columns: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.net = Discriminator(2 * n_columns, hidden)

    def forward(self, x: Float[Tensor, "n p"], observed: Bool[Tensor, "n p"]) -> Tensor:
        """Score rows.

        Args:
            x: Rows.
            observed: True where a value counts.

        Returns:
            One score for each.
        """
        seen = observed.to(x.dtype)
        return self.net(torch.cat([x * seen, seen], -1))


class ImageDecoder(Decoder):
    r"""A convolutional generator of logits whose normal noise is integrated out.

    The network gives mean a and variance :math:`s^2` of every logit. Averaged over the noise the
    pixel is on with probability close to that of the logit :math:`a / \sqrt{1 + \pi s^2 / 8}`
    (MacKay, 1992). The original draws the noise anew in every evaluation, so its sampler has no
    fixed target.

    Args:
        n_latents: Width of the latents.
        shape: Height, width, channels.
        width: Channels of the last hidden layer.
    """

    def __init__(self, n_latents: int, shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.n_latents = n_latents
        height, breadth, channels = shape
        self.net = ImageGenerator(n_latents, (channels, height, breadth), width)

    def forward(
        self, z: Float[Tensor, "*draws n k"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*draws n p"]:
        """Decode.

        Args:
            z: Latents.
            generator: Ignored: these weights are not random.

        Returns:
            Logits of the pixels, rows before columns before channels.
        """
        del generator
        return flat_logits(*self.net(z.flatten(0, -2))).unflatten(0, z.shape[:-1])

    def fixed(self) -> Decode:
        """Take the weights.

        Returns:
            A function of latents.
        """
        return self.forward

    def logit_variance(self, z: Float[Tensor, "*draws n k"]) -> Tensor | None:
        """Compute the variance of the logits under the weights, or their means.

        Args:
            z: Latents.

        Returns:
            One number for each pixel.
        """
        return self.net(z.flatten(0, -2))[1]


def flat_logits(
    mean: Float[Tensor, "n c h w"], variance: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n p"]:
    """Integrate the noise of logits out.

    Args:
        mean: Mean of the logits.
        variance: Variance of the logits.

    Returns:
        Logits, rows before columns before channels.
    """
    logits = mean / (1 + math.pi / 8 * variance).sqrt()
    return logits.permute(0, 2, 3, 1).flatten(1)


class PixelEncoder(nn.Module):
    """The encoder of images: pixels and which were seen are its channels.

    Args:
        shape: Height, width, channels.
        n_latents: Width of the latents.
        width: Channels of the first hidden layer.
    """

    def __init__(self, shape: tuple[int, int, int], n_latents: int, width: int) -> None:
        super().__init__()
        self.shape = shape
        self.net = ImageEncoder(2 * n_latents, (2 * shape[2], *shape[:2]), width)

    def forward(self, x: Float[Tensor, "n p"], observed: Bool[Tensor, "n p"]) -> LatentDistribution:
        """Encode.

        Args:
            x: Flat images.
            observed: True where a pixel was seen.

        Returns:
            A guess for each image.
        """
        return _distribution_of(self.net(_planes(x, observed, self.shape)))


class ImageCritic(nn.Module):
    """A critic of images with holes.

    Args:
        shape: Height, width, channels.
        width: Channels of the first hidden layer.
        dropout: Probability that a unit is dropped.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, dropout: float) -> None:
        super().__init__()
        self.shape = shape
        self.net = ImageDiscriminator((2 * shape[2], *shape[:2]), width, dropout)

    def forward(self, x: Float[Tensor, "n p"], observed: Bool[Tensor, "n p"]) -> Tensor:
        """Score images.

        Args:
            x: Flat images.
            observed: True where a pixel counts.

        Returns:
            One score for each.
        """
        return self.net(_planes(x, observed, self.shape))


class Networks(nn.Module):
    """Everything that is trained, in one module.

    Args:
        decoder: The generator.
        encoder: The encoder.
        missingness: The model of missingness, for data missing not at random; None otherwise.
    """

    def __init__(
        self, decoder: Decoder, encoder: nn.Module, missingness: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.encoder = encoder
        self.missingness = missingness


def _distribution_of(raw: Tensor) -> LatentDistribution:
    mean, spread = raw.chunk(2, -1)
    return LatentDistribution(mean, F.softplus(spread + 1.0) + _SMALLEST_STD)


def _planes(x: Tensor, observed: Tensor, shape: tuple[int, int, int]) -> Tensor:
    seen = observed.to(x.dtype)
    both = torch.stack([x * seen, seen], 1).unflatten(-1, shape)
    return both.permute(0, 1, 4, 2, 3).flatten(1, 2)

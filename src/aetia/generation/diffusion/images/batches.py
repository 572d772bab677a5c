"""Batches of images by number: the same for any number of threads that prepare them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from aetia.generation.diffusion.images.augmentation import mirrored, shifted
from aetia.randomness import torch_generator
from aetia.training import minibatches

__all__ = ["ImageBatch", "image_batches"]

_AUGMENTATION_STREAM = 17


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """Images of one step."""

    images: Float[Tensor, " n c h w"]
    labels: Int[Tensor, " n"] | None

    def __len__(self) -> int:
        return len(self.images)


def image_batches(
    images: Float[Tensor, " n c h w"],
    labels: Int[Tensor, " n"] | None,
    size: int,
    seed: int,
    *,
    flip: bool = False,
    crop: int = 0,
    n_workers: int = 0,
) -> Callable[[int], Iterator[ImageBatch]]:
    """Deal images out, in a new order for each pass, mirrored and shifted.

    Args:
        images: Images in units of the network.
        labels: Labels of the images.
        size: Size of a batch.
        seed: Seed of orders and augmentation.
        flip: Whether to mirror.
        crop: Largest shift.
        n_workers: Threads that prepare batches ahead; 0 prepares them when asked.

    Returns:
        ``batches(k)`` iterates over batches from number k on.
    """
    dealt = minibatches(len(images), size, seed)

    def prepare(k: int, index: Tensor) -> ImageBatch:
        g = torch_generator(np.random.SeedSequence([seed, _AUGMENTATION_STREAM, k]))
        some = images[index]
        if flip:
            some = mirrored(some, g)
        if crop:
            some = shifted(some, crop, g)
        return ImageBatch(some, None if labels is None else labels[index])

    def batches(first: int) -> Iterator[ImageBatch]:
        numbered = enumerate(dealt(first), first)
        if not n_workers:
            yield from (prepare(k, index) for k, index in numbered)
            return
        with ThreadPoolExecutor(n_workers) as pool:
            waiting: deque[Future[ImageBatch]] = deque(
                pool.submit(prepare, k, index) for k, index in islice(numbered, 2 * n_workers)
            )
            for k, index in numbered:
                yield waiting.popleft().result()
                waiting.append(pool.submit(prepare, k, index))

    return batches

"""Where randomness comes from: one seed sequence per call, explicit generators below it."""

from __future__ import annotations

import numbers
from typing import TypeAlias

import numpy as np
import torch

from aetia.errors import InputError

__all__ = ["RandomState", "generator_on", "seed_of", "seed_sequence", "torch_generator"]

RandomState: TypeAlias = "int | np.random.Generator | np.random.RandomState | None"


def seed_sequence(random_state: RandomState) -> np.random.SeedSequence:
    """Turn the public ``random_state`` argument into a seed sequence.

    Args:
        random_state: None for fresh entropy (recorded in ``entropy`` of the result), an
            integer, or a NumPy generator, which is advanced by one draw of 128 bits.

    Returns:
        The root sequence; children are made with its ``spawn``.

    Raises:
        InputError: If ``random_state`` is of another type, or negative.
    """
    if random_state is None:
        return np.random.SeedSequence()
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool):
        if random_state < 0:
            raise InputError(f"random_state must be 0 or larger, got {random_state}.")
        return np.random.SeedSequence(int(random_state))
    if isinstance(random_state, np.random.Generator):
        words = random_state.integers(0, 2**32, size=4, dtype=np.uint64)
    elif isinstance(random_state, np.random.RandomState):  # scikit-learn passes these around
        words = random_state.randint(0, 2**32, size=4, dtype=np.uint64)
    else:
        raise InputError(
            "random_state must be None, an integer or a numpy.random.Generator, "
            f"got {type(random_state).__name__}."
        )
    return np.random.SeedSequence(int(sum(int(w) << (32 * i) for i, w in enumerate(words))))


def seed_of(seeds: np.random.SeedSequence) -> int:
    """Give the integer that repeats a run.

    Args:
        seeds: What :func:`seed_sequence` made.

    Returns:
        Its entropy; ``random_state`` set to it gives the same sequence again.
    """
    assert isinstance(seeds.entropy, int)
    return seeds.entropy


def torch_generator(
    seeds: np.random.SeedSequence, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Make an explicit torch generator from a seed sequence.

    Args:
        seeds: The (spawned) sequence that owns this stream.
        device: Where the random numbers are needed.

    Returns:
        A generator; torch's global generator is neither read nor moved.
    """
    words = seeds.generate_state(2, np.uint32)
    generator = torch.Generator(device=device)
    generator.manual_seed((int(words[0]) << 31) ^ int(words[1]))
    return generator


def generator_on(generator: torch.Generator, device: torch.device) -> torch.Generator:
    """Draw noise where it is needed: torch fills a tensor only by a generator of its device.

    Args:
        generator: Source of randomness, on any device.
        device: Device on which the tensors lie that are to be filled.

    Returns:
        The generator itself if it is there; otherwise one that it seeds, advanced by one draw.
    """
    if device.type == generator.device.type:
        return generator
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    return torch.Generator(device=device).manual_seed(seed)

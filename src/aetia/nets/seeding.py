"""The one place where torch's global generator is used: building networks, and dropout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["seeded"]


@contextmanager
def seeded(generator: torch.Generator) -> Iterator[None]:
    """Run a block in which layers draw from a seed of their own; the global state is restored.

    Args:
        generator: A CPU generator, advanced by one draw, which seeds the block.

    Yields:
        Nothing.
    """
    seed = int(torch.randint(2**62, (), generator=generator))
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=list(devices)):
        # Not torch.manual_seed: without a GPU it stores a stack trace for later at every call.
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed_all(seed)
        yield

"""One stream of random numbers for each effect and sensor."""

from __future__ import annotations

from zlib import crc32

import numpy as np

__all__ = ["Streams"]


class Streams:
    """Generators that depend on the seed, the effect and the name of the sensor alone.

    The order of the columns, other columns and other effects change nothing, so conditions that
    share a seed differ by what is asked only.
    """

    def __init__(self, seeds: np.random.SeedSequence) -> None:
        self.seeds = seeds

    def of(self, effect: str, *names: str) -> np.random.Generator:
        """Make the generator of one effect on one sensor.

        Args:
            effect: Name of the effect.
            *names: Name of the sensor; for effects of one on another, of both.

        Returns:
            A new generator, at the start of its stream.
        """
        key = (*self.seeds.spawn_key, *(crc32(word.encode()) for word in (effect, *names)))
        return np.random.default_rng(
            np.random.SeedSequence(entropy=self.seeds.entropy, spawn_key=key)
        )

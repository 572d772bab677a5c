"""A linear model that is known in full, as a family of tasks: only the noise is random."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from aetia.errors import InputError
from aetia.options import check_positive
from aetia.scm.family import TaskSize
from aetia.scm.mechanisms import LinearMechanism
from aetia.scm.model import SCM
from aetia.scm.noise import Noise
from aetia.scm.tasks import Tasks

__all__ = ["KnownLinear"]


@dataclass(frozen=True, kw_only=True)
class KnownLinear:
    """x_j = sum_i w_ij x_i + noise, the same weights in every task.

    Attributes:
        name: Name of the family in reports; it does not change the tasks.
        d: Number of variables.
        n: Number of rows.
        edges: Triples (cause, effect, weight), variables by number.
        noise: Family of the noise.
        noise_std: Standard deviation of every noise.
    """

    kind: ClassVar[str] = "known-linear"
    name: str = "known"
    d: int = 3
    n: int = 500
    edges: Sequence[Sequence[Any]] = ()
    noise: Any = "gaussian"
    noise_std: float = 1.0

    def __post_init__(self) -> None:
        check_positive(self, "d", "n", "noise_std")
        object.__setattr__(self, "edges", tuple(_edge(e, self.d) for e in self.edges))
        self.scm()

    @property
    def key(self) -> str:
        """Name of the content."""
        text = repr((self.d, self.n, self.edges, self.noise, self.noise_std))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def scm(self) -> SCM:
        """Build the model.

        Returns:
            The causal model.
        """
        weights = torch.zeros(self.d, self.d, dtype=torch.float64)
        for i, j, w in self.edges:
            weights[i, j] = w
        return SCM(
            adjacency=weights.numpy() != 0,
            mechanism=LinearMechanism(weights),
            noise_std=np.full(self.d, float(self.noise_std)),
            noise=Noise(self.noise),
        )

    def size(self, seeds: np.random.SeedSequence) -> TaskSize:
        """Give the size of every task.

        Args:
            seeds: Not used.

        Returns:
            Variables and rows.
        """
        return TaskSize(self.d, self.n)

    def simulate(
        self,
        seeds: Sequence[np.random.SeedSequence],
        size: TaskSize,
        *,
        reserved: frozenset[bytes] = frozenset(),
        device: torch.device | str = "cpu",
    ) -> Tasks:
        """Simulate tables; the graph is the same in all, so nothing can be reserved.

        Args:
            seeds: One for each task.
            size: Variables and rows.
            reserved: Not used.
            device: Where the tables go.

        Returns:
            The tasks.
        """
        model = self.scm()
        tables = [model.sample(size.n, random_state=np.random.default_rng(s)).data for s in seeds]
        values = torch.from_numpy(np.stack([t.values for t in tables])).float()
        graph = torch.from_numpy(np.asarray(model.adjacency))
        return Tasks(
            values=values.to(device),
            intervened=torch.zeros_like(values, dtype=torch.bool).to(device),
            graphs=graph.expand(len(seeds), -1, -1).to(device),
            index=torch.arange(len(seeds), device=device),
        )

    def fingerprints(self, seeds: Sequence[np.random.SeedSequence]) -> list[bytes]:
        """Hash the tasks by their seeds; their graph is the same on purpose.

        Args:
            seeds: One for each task.

        Returns:
            Hashes.
        """
        return [hashlib.sha256(repr((s.entropy, s.spawn_key)).encode()).digest() for s in seeds]


def _edge(edge: Sequence[Any], d: int) -> tuple[int, int, float]:
    try:
        i, j, w = int(edge[0]), int(edge[1]), float(edge[2])
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise InputError(
            f"KnownLinear: an edge is (cause, effect, weight), got {edge!r}."
        ) from error
    if not (0 <= i < d and 0 <= j < d and i != j):
        raise InputError(f"KnownLinear: edge {edge!r} does not fit {d} variables, 0 to {d - 1}.")
    return i, j, w

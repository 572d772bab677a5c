"""Modules of a known network, such as a gene regulatory network, as random graphs."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool

from aetia.errors import InputError
from aetia.graphs import greedy_dag
from aetia.options import check_positive
from aetia.scm.relabelling import relabelled

__all__ = ["NetworkModules"]


@dataclass(frozen=True, kw_only=True)
class NetworkModules:
    """Connected parts of a network (Marbach et al., 2009): grown by neighbours, cycles broken.

    A module starts at a random node. Each further node is a neighbour of the module, drawn from
    the share ``top_share`` of the neighbours with the most edges into it. Edges that close a cycle
    are dropped in random order.

    Attributes:
        file: CSV with the columns ``source`` and ``target``.
        top_share: See above.
        checksum: SHA-256 of the file, filled in: tasks are a function of its content.
    """

    name: ClassVar[str] = "network-modules"
    file: str
    top_share: float = 0.2
    checksum: str | None = None

    def __post_init__(self) -> None:
        check_positive(self, "top_share")
        if self.top_share > 1:
            raise InputError(f"NetworkModules: top_share is at most 1, got {self.top_share!r}.")
        if not Path(self.file).is_file():
            raise InputError(f"NetworkModules: no such file: {self.file!r}.")
        found = hashlib.sha256(Path(self.file).read_bytes()).hexdigest()
        if self.checksum not in (None, found):
            raise InputError(f"NetworkModules: {self.file!r} is not the file of the checksum.")
        object.__setattr__(self, "checksum", found)

    def expected_edges(self, d: int) -> float:
        """Estimate the mean number of edges from 200 modules of a fixed seed.

        Args:
            d: Number of variables.

        Returns:
            Their mean.
        """
        rng = np.random.default_rng(0)
        return float(np.mean([self.sample(d, rng).sum() for _ in range(200)]))

    def sample(self, d: int, rng: np.random.Generator) -> Bool[np.ndarray, "d d"]:
        """Draw a module.

        Args:
            d: Number of variables.
            rng: Source of randomness.

        Returns:
            Adjacency matrix of a DAG.

        Raises:
            InputError: If no connected part of the network has so many nodes.
        """
        edges = self._network
        both = edges | edges.T
        starts = np.flatnonzero(self._part_sizes >= d)
        if not len(starts):
            raise InputError(
                f"the largest connected part of {self.file!r} has {self._part_sizes.max()} nodes; "
                f"modules of {d} were asked for."
            )
        module = [int(rng.choice(starts))]
        while len(module) < d:
            links = both[module].sum(0)
            links[module] = 0
            neighbours = np.flatnonzero(links)
            n_top = max(1, round(self.top_share * len(neighbours)))
            jitter = rng.random(len(neighbours))  # ties are broken at random
            ranked = neighbours[np.lexsort((jitter, -links[neighbours]))]
            module.append(int(rng.choice(ranked[:n_top])))
        return relabelled(_without_cycles(edges[np.ix_(module, module)], rng), rng)

    @cached_property
    def _network(self) -> np.ndarray:
        try:
            with Path(self.file).open(encoding="utf-8", newline="") as handle:
                rows = [(r["source"], r["target"]) for r in csv.DictReader(handle)]
        except KeyError as error:
            raise InputError(
                f"NetworkModules: {self.file!r} needs the columns source and target."
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"NetworkModules: cannot read {self.file!r}: {error}") from error
        names = sorted({name for row in rows for name in row})
        index = {name: i for i, name in enumerate(names)}
        edges = np.zeros((len(names), len(names)), dtype=bool)
        for source, target in rows:
            edges[index[source], index[target]] = True
        np.fill_diagonal(edges, False)
        return edges

    @cached_property
    def _part_sizes(self) -> np.ndarray:
        """Size of the connected part of every node."""
        from scipy.sparse.csgraph import connected_components

        _, part = connected_components(self._network, directed=False)
        return np.bincount(part)[part]


def _without_cycles(edges: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add edges in random order, leaving out those that would close a cycle."""
    order = rng.permutation(np.argwhere(edges))
    priority = torch.zeros(edges.shape, dtype=torch.float64)
    priority[order[:, 0], order[:, 1]] = torch.arange(len(order), 0, -1).double()
    return greedy_dag(torch.from_numpy(edges), priority).numpy()

"""Graphs grouped by what observational data can tell: their Markov equivalence classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64

from aetia.graphs import cpdag
from aetia.graphs.interventional_equivalence import equivalence_patterns

__all__ = ["EquivalenceClasses", "class_labels", "equivalence_classes"]

_CELLS = 8_000_000  # numbers held at once


class EquivalenceClasses(NamedTuple):
    """Markov equivalence classes of a posterior, the most probable first."""

    cpdags: Bool[np.ndarray, "c d d"]
    """The graph of each class; an edge that is there in both directions is undirected."""
    mass: Float[np.ndarray, " c"]
    """Probability of each class."""
    n_graphs: Int64[np.ndarray, " c"]
    """Distinct graphs of each class among the draws."""
    n_classes: int
    """Number of classes among the draws, of which those above may be a part."""


def equivalence_classes(
    graphs: Bool[np.ndarray, "s d d"],
    weights: Float[np.ndarray, " s"],
    n_most: int | None = None,
) -> EquivalenceClasses:
    """Add up the weights of Markov equivalent graphs.

    Args:
        graphs: Distinct DAGs.
        weights: Their probabilities.
        n_most: Keep only this many of the most probable classes; None keeps all.

    Returns:
        The classes.
    """
    labels = class_labels(graphs)
    mass = np.bincount(labels, weights=weights)
    # Ties are broken by the first member, so that the order does not depend on the labels.
    first = np.full(len(mass), len(labels))
    np.minimum.at(first, labels, np.arange(len(labels)))
    order = np.lexsort((first, -mass))[:n_most]
    members = torch.from_numpy(graphs[first[order]])
    step = max(1, _CELLS // graphs.shape[-1] ** 3)
    return EquivalenceClasses(
        cpdags=torch.cat([cpdag(part) for part in members.split(step)]).numpy(),
        mass=mass[order],
        n_graphs=np.bincount(labels)[order].astype(np.int64),
        n_classes=len(mass),
    )


def class_labels(graphs: Bool[np.ndarray, "s d d"]) -> Int64[np.ndarray, " s"]:
    """Number the Markov equivalence classes of DAGs.

    Args:
        graphs: DAGs.

    Returns:
        The same number for two graphs exactly when they are Markov equivalent.
    """
    step = max(1, _CELLS // graphs[0].size)
    packed = [
        np.packbits(equivalence_patterns(torch.from_numpy(part)).flatten(1).numpy(), axis=1)
        for part in (graphs[k : k + step] for k in range(0, len(graphs), step))
    ]
    return np.unique(np.concatenate(packed), axis=0, return_inverse=True)[1].reshape(-1)

r"""What setting one variable would reveal about the graph, computed from weighted draws.

A perfect intervention on variable v with unlimited rows, beside unlimited observational rows,
reveals exactly the interventional class :math:`C_v(G)` of the graph: skeleton, v-structures and the
direction of every edge at v. The class is a function of the graph, so the expected reduction of
the entropy of the graph is the mutual information

.. math:: I(G; C_v) = H(G) - E[H(G \mid C_v)] = H(C_v) - H(C_v \mid G) = H(C_v),

the entropy of the class under the posterior. The observational class :math:`C_0` is in turn a
function of :math:`C_v`, so rows without an experiment reveal :math:`H(C_0)`, and the experiment
reveals :math:`H(C_v) - H(C_0) = H(C_v \mid C_0) \ge 0` beyond them.

Entropies of draws cannot exceed the logarithm of their number. When nearly all draws differ, they
do not show which variable is best; the expected number of directions that an experiment
settles is a mean over the draws and stays usable there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64

from aetia.graphs import cpdag
from aetia.graphs.interventional_equivalence import interventional_cpdag
from aetia.results.equivalence_classes import class_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["ExperimentValues", "experiment_values"]

_WORK = 200_000_000  # multiplications for directions; fewer draws are used in large graphs


class ExperimentValues(NamedTuple):
    """What experiments on single variables reveal; entropies are in bits."""

    graph_entropy: float
    """Entropy of the graph."""
    class_entropy: float
    """Part of it that unlimited rows without an experiment would remove."""
    revealed: Float[np.ndarray, " d"]
    """Part of it that unlimited rows with variable v set would remove; never less."""
    open_directions: float
    """Expected number of edges whose direction is open within the equivalence class."""
    settled_directions: Float[np.ndarray, " d"]
    """Expected number of these that setting variable v would settle."""

    def frame(self, names: Sequence[str]) -> pd.DataFrame:
        """List the experiments, the most revealing first.

        Args:
            names: Column names.

        Returns:
            Columns ``set``, ``bits_revealed``, ``bits_beyond_rows`` (what is left of them when
            unlimited rows without an experiment are known), ``directions_settled``.
        """
        import pandas as pd

        order = np.lexsort((-self.settled_directions, -self.revealed.round(9)))
        return pd.DataFrame(
            {
                "set": [names[k] for k in order],
                "bits_revealed": self.revealed[order],
                "bits_beyond_rows": (self.revealed - self.class_entropy)[order].clip(min=0.0),
                "directions_settled": self.settled_directions[order],
            }
        )


def experiment_values(
    graphs: Bool[np.ndarray, "s d d"], weights: Float[np.ndarray, " s"]
) -> ExperimentValues:
    """Compute what each perfect intervention on one variable would reveal.

    Args:
        graphs: Distinct DAGs.
        weights: Their probabilities, which add up to 1.

    Returns:
        Entropies and expected numbers of directions, in the order of the variables.
    """
    labels = class_labels(graphs)
    d = graphs.shape[-1]
    revealed = [_entropy(_with_parents(labels, graphs[:, :, v]), weights) for v in range(d)]
    n_open, settled = _directions(*_thinned(graphs, weights))
    return ExperimentValues(
        graph_entropy=_entropy(np.arange(len(graphs)), weights),
        class_entropy=_entropy(labels, weights),
        revealed=np.array(revealed),
        open_directions=n_open,
        settled_directions=settled,
    )


def _with_parents(
    labels: Int64[np.ndarray, " s"], parents: Bool[np.ndarray, "s d"]
) -> Int64[np.ndarray, " s"]:
    """Split classes by the parents of a variable: within a class they fix all edges at it."""
    packed = np.packbits(parents, axis=1).astype(np.int64)
    keys = np.column_stack([labels, packed])
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)


def _entropy(labels: Int64[np.ndarray, " s"], weights: Float[np.ndarray, " s"]) -> float:
    mass = np.bincount(labels, weights=weights)
    mass = mass[mass > 0]
    return float(-(mass * np.log2(mass)).sum()) + 0.0


def _thinned(
    graphs: Bool[np.ndarray, "s d d"], weights: Float[np.ndarray, " s"]
) -> tuple[Bool[np.ndarray, "t d d"], Float[np.ndarray, " t"]]:
    """Take a systematic sample without randomness, where all graphs would take too long."""
    n = int(np.clip(_WORK // graphs.shape[-1] ** 4, 20, 1000))
    if len(graphs) <= n:
        return graphs, weights
    at = np.searchsorted(np.cumsum(weights) / weights.sum(), (np.arange(n) + 0.5) / n)
    chosen, counts = np.unique(at, return_counts=True)
    return graphs[chosen], counts / n


def _directions(
    graphs: Bool[np.ndarray, "t d d"], weights: Float[np.ndarray, " t"]
) -> tuple[float, Float[np.ndarray, " d"]]:
    """Expected number of undirected edges of the class, and of those that each target settles."""
    dags, d = torch.from_numpy(graphs), graphs.shape[-1]
    classes = cpdag(dags)
    n_open = _undirected(classes)
    settled = np.zeros(d)
    for v in range(d):
        here = (classes[:, v] & classes[:, :, v]).any(-1)  # elsewhere v has nothing to settle
        if here.any():
            target = torch.full((int(here.sum()),), v)
            after = _undirected(interventional_cpdag(classes[here], dags[here], target))
            settled[v] = weights[here.numpy()] @ (n_open[here] - after).numpy()
    return float(weights @ n_open.numpy()), settled


def _undirected(classes: torch.Tensor) -> torch.Tensor:
    return (classes & classes.mT).sum((-2, -1)).double() / 2

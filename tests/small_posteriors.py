"""Small graph posteriors that several test files share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aetia.graphs import all_dags
from aetia.results import GraphPosterior

NAMES = ("rain", "sprinkler", 'wet "grass"', "größe")


def graph(d, *edges):
    """Adjacency matrix of edges i -> j."""
    out = np.zeros((d, d), dtype=bool)
    for i, j in edges:
        out[i, j] = True
    return out


def random_posterior(seed, d=4, s=30):
    """Random DAGs of random weight, some of them twice."""
    rng = np.random.default_rng(seed)
    dags = all_dags(d).numpy()
    return GraphPosterior(
        graphs=dags[rng.choice(len(dags), s)], log_weights=rng.normal(size=s), names=NAMES[:d]
    )


def relabelled(posterior, order):
    """The same posterior with its columns in another order."""
    return replace(
        posterior,
        graphs=posterior.graphs[:, order][:, :, order],
        names=tuple(posterior.names[k] for k in order),
    )

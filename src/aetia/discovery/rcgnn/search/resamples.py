"""Resamples: the search on half of the blocks, again and again (stability selection)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.search.constraints import LaggedConstraints
from aetia.discovery.rcgnn.search.likelihood import Explained, explain
from aetia.discovery.rcgnn.search.moves import ScoredGraphs, search_from
from aetia.discovery.rcgnn.search.regressions import straight_lines
from aetia.discovery.rcgnn.states.em import em_step
from aetia.discovery.rcgnn.states.fitted import FittedStates
from aetia.discovery.rcgnn.states.moments import CleanMoments, clean_moments
from aetia.discovery.rcgnn.states.state_space import StateSpace, smooth

__all__ = [
    "Resampled",
    "by_lag",
    "half_samples",
    "moment_variants",
    "moments_under_graph",
    "resample_graphs",
]


class Resampled(NamedTuple):
    """Graphs of the half-samples."""

    within: Bool[Tensor, "s d d"]
    lagged: Bool[Tensor, "s l d d"]
    support: Float[Tensor, "m d d"]
    """How well each edge (within the step, lag 1, ...) is supported: the mean over half-samples of
    its probability given the rest of the graph, which ranks edges that were never selected."""


def half_samples(
    regime: Int[np.ndarray, " n"], n_samples: int, share: float, rng: np.random.Generator
) -> list[Int[np.ndarray, " k"]]:
    """Draw blocks without replacement, the same share of each regime.

    Args:
        regime: Code of the regime of each block; blocks are in the order of time.
        n_samples: How many samples.
        share: Share of the blocks of each regime that a sample holds.
        rng: Source of randomness.

    Returns:
        Numbers of the blocks of each sample.
    """
    groups = [np.flatnonzero(regime == e) for e in np.unique(regime)]
    sizes = [max(round(share * len(g)), 1) for g in groups]
    return [
        np.concatenate(
            [rng.choice(g, size, replace=False) for g, size in zip(groups, sizes, strict=True)]
        )
        for _ in range(n_samples)
    ]


def moment_variants(
    fitted: FittedStates,
    readings: Readings,
    *,
    n_variants: int,
    spread: float,
    generator: torch.Generator,
    n_steps: int = 4,
) -> list[CleanMoments]:
    """Fit again with other noise variances of the sensors, which data determine only roughly.

    Edges that hold for one value of a noise variance alone are artefacts; over the variants they
    are unstable. These are the multiple imputations: the states between and behind the readings
    differ as well.

    Args:
        fitted: The best fit, the first variant.
        readings: What it was fitted to.
        n_variants: How many, the best fit included.
        spread: Standard deviation of the logarithm of each variance.
        generator: Source of randomness.
        n_steps: EM steps of each further variant.

    Returns:
        Moments of the clean states, by variant; the best fit alone if sensors have no noise.
    """
    variants = [fitted.moments]
    for model in _other_sensors(fitted.model, n_variants - 1, spread, generator):
        for _ in range(n_steps):
            model, _ = em_step(fitted.x, readings.live, fitted.patterns, model, keep_sensors=True)
        smoothed = smooth(fitted.x, fitted.patterns, model)
        variants.append(clean_moments(smoothed, fitted.patterns, readings.live, model))
    return variants


def moments_under_graph(
    explained: Explained,
    fitted: FittedStates,
    readings: Readings,
    *,
    n_variants: int,
    spread: float,
    generator: torch.Generator,
    n_steps: int = 2,
) -> list[CleanMoments]:
    """Vary the noise of the sensors in the same way, with weights on the edges of a graph alone.

    Args:
        explained: The readings under the graph, the first variant.
        fitted: Readings about their levels.
        readings: The same.
        n_variants: How many, the first included.
        spread: Standard deviation of the logarithm of each noise variance over the variants.
        generator: Source of randomness.
        n_steps: EM steps of each further variant.

    Returns:
        Moments of the clean states, by variant.
    """
    others = _other_sensors(explained.model, n_variants - 1, spread, generator)
    initial = [explained._replace(model=model) for model in others]
    parents = explained.parents
    again = [explain(parents, fitted, readings, like=s, n_steps=n_steps) for s in initial]
    return [explained.moments, *(variant.moments for variant in again)]


def _other_sensors(
    model: StateSpace, n: int, spread: float, generator: torch.Generator
) -> list[StateSpace]:
    if model.is_noiseless:
        return []
    variance = model.sensor_variance
    draws = torch.randn((n, model.d), generator=generator, dtype=variance.dtype)
    others = (variance * (spread * draws).exp()).clamp_min(1e-3)
    return [model._replace(sensor_variance=one) for one in others]


def resample_graphs(
    variants: list[CleanMoments],
    samples: list[Int[np.ndarray, " k"]],
    constraints: LaggedConstraints,
    *,
    penalty: float,
    initial: Bool[Tensor, "d p"] | None = None,
) -> Resampled:
    """Search a graph on every sample, each with the next variant of the moments.

    Args:
        variants: Moments of the clean states.
        samples: Numbers of the blocks of each sample.
        constraints: What is known.
        penalty: Penalty weight lambda of an edge; 1 is the Bayesian information criterion.
        initial: Graph to climb from as well as from none; a sample keeps what scores better on it.

    Returns:
        The graphs, cause in rows.
    """
    moments, n = [], []
    for k, rows in enumerate(samples):
        variant = variants[k % len(variants)]
        steps = variant.steps[rows].sum()
        moments.append(variant.moments[rows].sum(0) / steps)
        n.append((steps * variant.information).clamp_min(20.0))
    lines = straight_lines(torch.stack(moments), constraints.required.shape[-1])
    graphs = search_from(initial, lines, torch.stack(n), constraints, penalty=penalty)
    return by_lag(graphs)


def by_lag(graphs: ScoredGraphs) -> Resampled:
    """Split candidates by lag and put causes in rows.

    Args:
        graphs: Graphs by target and candidate.

    Returns:
        Graphs within the step and at each lag.
    """
    d = graphs.parents.shape[1]
    edges = graphs.parents.unflatten(-1, (-1, d)).permute(0, 2, 3, 1)
    support = torch.sigmoid(graphs.evidence).mean(0).unflatten(-1, (-1, d)).permute(1, 2, 0)
    return Resampled(edges[:, 0], edges[:, 1:], support)

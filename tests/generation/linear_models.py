"""Models whose generator is linear, so that every answer has a closed form."""

from __future__ import annotations

import numpy as np
import torch

from aetia.generation.bgm.building import build_networks
from aetia.generation.bgm.config import BGMConfig
from aetia.generation.bgm.likelihood import ColumnLikelihood
from aetia.generation.bgm.model import FittedModel
from aetia.generation.bgm.table import ColumnScales
from aetia.nets import seeded
from aetia.results import RunFacts

P, K = 4, 2
LOADINGS = torch.tensor([[1.0, -0.7, 0.3, 0.0], [0.2, 0.5, -0.9, 0.8]])
STDS = torch.tensor([0.4, 0.3, 0.5, 0.6])
CENTRE, SCALE = np.array([10.0, -2.0, 0.0, 3.0]), np.array([2.0, 0.5, 1.0, 100.0])


def linear_model(**options) -> FittedModel:
    """x = scale (z A + std e) + centre, with an encoder that knows nothing."""
    config = BGMConfig(generator_units=(4,), encoder_units=(4,), **options)
    likelihood = ColumnLikelihood("gaussian", torch.zeros(P, dtype=torch.bool))
    with seeded(torch.Generator().manual_seed(0)):
        networks = build_networks(config, likelihood, K, None)
    for parameter in networks.parameters():
        parameter.data.zero_()
    networks.decoder.loadings.data.copy_(LOADINGS)
    raw = torch.log(torch.expm1(STDS.square() - likelihood.smallest_std**2))
    networks.decoder.net.biases[-1].data[P:] = raw
    networks.eval().requires_grad_(False)
    scales = ColumnScales(CENTRE, SCALE, np.zeros(P, dtype=bool))
    names = tuple(f"x{j}" for j in range(P))
    return FittedModel(
        config, networks, likelihood, scales, names, [], RunFacts(seed=1), {"n_latents": K}
    )


def moments() -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the rows in the user's units."""
    a = LOADINGS.double().numpy() * SCALE
    return CENTRE, a.T @ a + np.diag((STDS.double().numpy() * SCALE) ** 2)


def conditional(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the missing cells of a row given the seen ones."""
    mean, covariance = moments()
    h, o = np.isnan(row), ~np.isnan(row)
    if not o.any():
        return mean[h], covariance[np.ix_(h, h)]
    gain = np.linalg.solve(covariance[np.ix_(o, o)], covariance[np.ix_(o, h)]).T
    centre = mean[h] + gain @ (row[o] - mean[o])
    return centre, covariance[np.ix_(h, h)] - gain @ covariance[np.ix_(o, h)]


def rows_with_holes(n: int, share: float, seed: int) -> np.ndarray:
    """Rows of the model with cells missing at random; the first row misses all."""
    rng = np.random.default_rng(seed)
    mean, covariance = moments()
    x = rng.multivariate_normal(mean, covariance, n)
    x[rng.uniform(size=x.shape) < share] = np.nan
    x[0] = np.nan
    return x

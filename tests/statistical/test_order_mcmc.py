"""Order MCMC against brute force and the exact programme; false-alarm rates are stated."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from aetia.discovery import ExactPosterior
from aetia.discovery.order_mcmc import OrderMCMC
from aetia.discovery.order_mcmc.chains import Chains
from aetia.discovery.order_mcmc.diagnostics import bulk_ess
from aetia.discovery.order_mcmc.tables import ChainTables, graphs_of

pytestmark = pytest.mark.statistical

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "order.json").read_text())
CASES = [c for c in GOLDEN["cases"] if "local_scores" in c]


def tables_of(case, prior):
    d = case["d"]
    others = [[i for i in range(d) if i != j] for j in range(d)]
    sets = torch.full((d, 2 ** (d - 1)), -torch.inf, dtype=torch.float64)
    for row in case["local_scores"]:
        mask = sum(1 << others[row["node"]].index(i) for i in row["parents"])
        fair = math.log(math.comb(d - 1, len(row["parents"]))) if prior == "fair" else 0.0
        if row["score"] is not None:
            sets[row["node"], mask] = row["score"] - fair
    return ChainTables.of(torch.tensor(others), sets)


def errors(graphs, expected):
    """Largest error of an edge probability, and the largest in standard errors."""
    d = graphs.shape[-1]
    edges = np.argwhere(~np.eye(d, dtype=bool))
    indicators = graphs[..., edges[:, 0], edges[:, 1]]
    p = np.asarray(expected)[edges[:, 0], edges[:, 1]]
    gap = np.abs(indicators.mean((0, 1)) - p)
    ess = np.maximum(bulk_ess(indicators), 1.0)
    return gap.max(), (gap / np.sqrt(np.maximum(p * (1 - p), 1e-6) / ess)).max()


@pytest.mark.parametrize("n_temperatures", [1, 4])
@pytest.mark.parametrize("prior", ["uniform", "fair"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_the_corrected_chain_is_the_golden_posterior(case, prior, n_temperatures):
    """100,000 iterations. 20 edges at 5 standard errors: one false alarm in 80,000 runs.

    The standard error of an edge is below .0025, so that .01 is 4 of them; the uncorrected chain
    passes against the order-modular numbers by the same rule and fails against the others.
    """
    tables = tables_of(case, prior)
    d = tables.d
    orders = np.tile(np.arange(d), (1, n_temperatures, 1))
    chains = Chains(tables, orders, np.random.SeedSequence(7).spawn(1), 100_000)
    uncorrected, _ = chains.wander(10, 100_000)
    chains.n_moves = 2 * d
    chains.extend(100_000)
    corrected = graphs_of(chains.draws, tables.candidates)
    gap, z = errors(corrected, case[prior]["edge"])
    assert gap < 0.01
    assert z < 5
    biased = graphs_of(uncorrected, tables.candidates)
    twin = case[prior]["order_modular"]["edge"]
    gap, z = errors(biased, twin)
    assert z < 5
    bias = np.abs(np.array(twin) - np.array(case[prior]["edge"])).max()
    gap, z = errors(biased, case[prior]["edge"])
    assert gap > bias / 2
    assert z > 5


@pytest.mark.parametrize("seed", range(3))
def test_the_estimator_agrees_with_the_exact_posterior(seed):
    """12 columns; each side has its own standard error; 5 of both: one false alarm in 10,000."""
    rng = np.random.default_rng(seed)
    d, n = 12, 150
    x = np.zeros((n, d))
    for j in range(d):
        weights = rng.uniform(0.4, 1.0, j) * (rng.random(j) < 2.0 / max(j, 1))
        x[:, j] = x[:, :j] @ weights + rng.normal(size=n)
    x = x[:, rng.permutation(d)]
    exact = ExactPosterior(likelihood="bge", random_state=seed, min_ess=20_000).fit(x).posterior_
    fitted = OrderMCMC(random_state=seed, tolerance=0.01, progress=False, max_seconds=120).fit(x)
    found = fitted.posterior_
    assert found.diagnostics["converged"]
    p = exact.edge_probabilities()
    gap = np.abs(found.edge_probabilities() - p)
    ess = min(found.diagnostics["ess_bulk_min"], 20_000)
    assert gap.max() < 5 * 0.5 * np.sqrt(2.0 / ess)
    assert gap.max() < 0.05

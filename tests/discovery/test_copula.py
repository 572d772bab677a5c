"""The Gaussian copula: truncated draws, latent values given mechanisms, graphs."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import ndtri
from scipy.stats import kstest, truncnorm

from aetia.data import Dataset
from aetia.discovery.missing.copula import (
    CopulaCompletion,
    copula_posterior,
    draw_latents,
    latent_columns,
)
from aetia.discovery.missing.mechanisms import DrawnMechanisms
from aetia.discovery.missing.truncated_normal import truncated_normal
from aetia.errors import ConvergenceWarning, InputError
from aetia.graphs import Constraints, all_dags
from aetia.likelihoods import BGe
from aetia.likelihoods.column_bases import normal_scores


def dataset(columns, kinds, **more):
    values = np.stack([np.asarray(c, dtype=float) for c in columns], axis=1)
    return Dataset(
        values=values,
        names=tuple(f"v{j}" for j in range(len(kinds))),
        observed=~np.isnan(values),
        kinds=tuple(kinds),
        **more,
    )


def mixed_table(n=60, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(n)
    columns = [
        z + rng.standard_normal(n),
        z + rng.standard_normal(n) > 0.5,
        np.searchsorted([-1.0, 0.0, 1.0], z + rng.standard_normal(n)),
        rng.integers(0, 4, n),
        rng.poisson(np.exp(0.5 * z)),
    ]
    return dataset(columns, ["continuous", "binary", "count", "categorical", "count"])


def no_knowledge(d):
    nothing = torch.zeros(d, d, dtype=torch.bool)
    return Constraints(nothing, torch.eye(d, dtype=torch.bool), torch.zeros(d, d).double())


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def run(data, **options):
    options = {"n_chains": 8, "n_sweeps": 300, "max_sweeps": 300} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return copula_posterior(
            data,
            -math.log(data.d) * torch.arange(data.d).double(),
            no_knowledge(data.d),
            generator=seeded(),
            **options,
        )


@pytest.mark.parametrize(
    ("lower", "upper"), [(-0.3, 1.0), (-np.inf, -1.5), (4.0, np.inf), (-7.5, -7.0), (9.0, 9.1)]
)
def test_truncated_draws_have_the_right_distribution(lower, upper):
    """Kolmogorov-Smirnov, p above 1e-4: five cases, one false alarm in 2,000 seeds."""
    mean = torch.full((20_000,), 0.5, dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    x = truncated_normal(mean, 2 * one, lower * one, upper * one, seeded(1)).numpy()
    assert lower <= x.min()
    assert x.max() <= upper
    ends = (lower - 0.5) / 2, (upper - 0.5) / 2
    assert kstest(x, truncnorm(*ends, loc=0.5, scale=2).cdf).pvalue > 1e-4


def test_intervals_far_away_give_their_nearest_end():
    zero = torch.zeros(3, dtype=torch.float64)
    lower = torch.tensor([-60.0, 50.0, 100.0], dtype=torch.float64)
    upper = torch.tensor([-50.0, 60.0, torch.inf], dtype=torch.float64)
    x = truncated_normal(zero, zero + 1, lower, upper, seeded())
    torch.testing.assert_close(x, torch.tensor([-50.0, 50.0, 100.0], dtype=torch.float64))


def agrees(latent, data):
    """Whether latent values give back every seen cell."""
    share = {j: np.unique(data.values[:, j], return_counts=True) for j in (1, 2, 4)}
    at = {1: 1, 2: 2, 4: 6}
    ok = []
    for j, (values, counts) in share.items():
        cuts = ndtri(np.cumsum(counts)[:-1] / counts.sum())
        ok.append((values[np.searchsorted(cuts, latent[..., at[j]])] == data.values[:, j]).all())
    utilities = np.concatenate([np.zeros((*latent.shape[:2], 1)), latent[..., 3:6]], axis=-1)
    ok.append((utilities.argmax(-1) == data.values[:, 3]).all())
    return all(ok)


def test_latent_values_agree_with_the_table_at_the_start_and_after_every_sweep():
    data = mixed_table()
    model = CopulaCompletion(data)
    assert model.blocks == (1, 1, 1, 3, 1)
    assert agrees(model.first[None].numpy(), data)
    generator = seeded()
    state = model.begin(4, generator)
    graphs = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1).expand(4, 5, 5)
    scores = normal_scores(torch.from_numpy(data.values[:, :1]))
    for _ in range(5):
        state = model.redraw(state, graphs, generator)
        assert agrees(state.latent.numpy(), data)
        torch.testing.assert_close(state.latent[..., 0], scores.mT.expand(4, -1))


def test_latent_values_follow_the_normal_distribution_inside_their_bounds():
    """Gibbs draws against rejection sampling; 12 moments at 5 standard errors."""
    levels = np.tile([[1, 1, 2]], (6000, 1))  # one row, many times
    levels[:3] = [[0, 0, 0], [0, 0, 1], [0, 1, 2]]  # every level exists
    data = dataset(levels.T, ["binary", "count", "categorical"])
    latent, columns = latent_columns(data)
    columns = [
        *(
            c._replace(lower=torch.full_like(c.lower, -0.2), upper=torch.full_like(c.upper, 0.9))
            for c in columns[:2]
        ),
        columns[2],
    ]
    weights = torch.zeros(4, 4, dtype=torch.float64)
    weights[0, 1], weights[0, 2], weights[1, 3], weights[2, 3] = 0.9, -0.8, 0.7, 0.5
    structure = torch.eye(4, dtype=torch.float64) - weights
    intercept = torch.tensor([[0.1, -0.2, 0.3, 0.0]], dtype=torch.float64)
    variance = torch.tensor([[1.0, 0.5, 0.8, 0.6]], dtype=torch.float64)
    mechanisms = DrawnMechanisms(structure[None], intercept, variance)
    generator = seeded(2)
    z = latent[None].clone()
    z[..., :2] = 0.3
    for _ in range(40):
        z = draw_latents(z, columns, mechanisms, generator)
    found = z[0, 3:].numpy()

    rng = np.random.default_rng(3)
    noise = rng.standard_normal((400_000, 4)) * variance[0].sqrt().numpy() + intercept[0].numpy()
    x = noise @ np.linalg.inv(structure.numpy())
    kept = (x[:, :2] > -0.2).all(1) & (x[:, :2] < 0.9).all(1)
    kept &= (x[:, 3] > 0) & (x[:, 3] > x[:, 2])  # the utility of level 2 decides
    expected = x[kept]
    for power in (1, 2):
        a, b = found**power, expected**power
        error = np.sqrt(a.var(0) / len(a) + b.var(0) / len(b))
        assert np.abs((a.mean(0) - b.mean(0)) / error).max() < 5
    for i, j in [(0, 1), (1, 3), (2, 3), (0, 2)]:
        a, b = found[:, i] * found[:, j], expected[:, i] * expected[:, j]
        error = np.sqrt(a.var() / len(a) + b.var() / len(b))
        assert abs(a.mean() - b.mean()) / error < 5


def test_without_latent_values_the_graphs_are_those_of_bge_on_normal_scores():
    """Nothing is drawn but graphs: 6 edges, 4,000 independent draws, 4.5 standard errors."""
    rng = np.random.default_rng(4)
    z = rng.standard_normal((60, 3))
    z[:, 2] += 0.4 * z[:, 0]
    data = dataset(np.exp(z).T, ["continuous"] * 3)
    found = run(data, n_chains=20, n_sweeps=300).edge_probabilities
    graphs = all_dags(3)
    x = normal_scores(torch.from_numpy(data.values))
    log_p = BGe(alpha_mu=0.1).on(x).node_scores(graphs).sum(-1)
    log_p = log_p - math.log(3) * graphs.sum((1, 2))
    expected = torch.einsum("g,gij->ij", log_p.softmax(0), graphs.double()).numpy()
    # Rejected proposals repeat graphs, so count about a third of the 4,000 as independent.
    error = np.sqrt(expected * (1 - expected) / 1300) + 1e-12
    off = ~np.eye(3, dtype=bool)
    assert (np.abs(found - expected) / error)[off].max() < 4.5


def test_a_collider_of_coded_columns_is_found():
    rng = np.random.default_rng(5)
    n = 800
    a, b = rng.standard_normal((2, n))
    c = 1.2 * a + 1.2 * b + 0.7 * rng.standard_normal(n)
    cut = np.searchsorted([-1.0, 0.0, 1.0], np.stack([a, b, c], axis=1) / [1, 1, 1.8])
    found = run(dataset(cut.T, ["count"] * 3), n_sweeps=150, max_sweeps=150)
    assert found.edge_probabilities[0, 2] > 0.9
    assert found.edge_probabilities[1, 2] > 0.9
    assert found.edge_probabilities[2].max() < 0.1


def test_monotone_transformations_of_continuous_columns_change_nothing():
    data = mixed_table()
    other = mixed_table()
    other.values[:, 0] = np.exp(other.values[:, 0])
    options = {"n_sweeps": 20, "max_sweeps": 20}
    first, second = run(data, **options), run(other, **options)
    np.testing.assert_array_equal(first.graphs, second.graphs)


def test_missing_cells_are_drawn_on_seen_values():
    data = mixed_table(n=80)
    values = data.values.copy()
    hidden = np.random.default_rng(6).random(values.shape) < 0.1
    values[hidden] = np.nan
    found = run(dataset(values.T, data.kinds), n_sweeps=30, max_sweeps=30)
    assert found.imputed is not None
    drawn = found.imputed.values
    assert np.isfinite(drawn).all()
    for j in range(5):
        seen = values[~hidden[:, j], j]
        cells = drawn[:, hidden[:, j], j]
        assert cells.min() >= seen.min()
        assert cells.max() <= seen.max()
        if j:
            assert set(np.unique(cells)) <= set(np.unique(seen))
            assert len(np.unique(cells)) > 1
        np.testing.assert_array_equal(drawn[:, ~hidden[:, j], j], np.tile(seen, (len(drawn), 1)))


def test_a_seed_gives_the_same_draws():
    first = run(mixed_table(), n_sweeps=15, max_sweeps=15)
    second = run(mixed_table(), n_sweeps=15, max_sweeps=15)
    np.testing.assert_array_equal(first.graphs, second.graphs)


def test_interventions_are_refused_by_name():
    data = mixed_table()
    intervened = np.zeros(data.values.shape, dtype=bool)
    intervened[:5, 2] = True
    with pytest.raises(InputError, match="no interventions, but v2 were set"):
        run(replace(data, intervened=intervened))


def test_too_many_columns_are_refused():
    columns = np.random.default_rng(7).standard_normal((13, 20))
    with pytest.raises(InputError, match="up to 12 columns; this table has 13"):
        run(dataset(columns, ["continuous"] * 13))

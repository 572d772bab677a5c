"""Joint draws of graph and missing cells against exact sums and integrals over the cells.

Chains are autocorrelated, so the error of every number is taken from the spread of the chains:
with C independent chains (mean - exact) / (sd / sqrt(C)) is Student t with C - 1 degrees of
freedom. Each test compares at most 40 numbers at 5.5 standard errors with C = 64: below one false
alarm in 30,000 seeds a test.
"""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from aetia.data import Dataset
from aetia.discovery.missing import Numbers, VariableColumns, augment
from aetia.discovery.missing.graph_steps import _OrderMoves
from aetia.discovery.missing.subset_lattice import squeeze_bit
from aetia.graphs import Constraints, all_dags
from aetia.likelihoods import BGe
from aetia.likelihoods.discrete import BDeu

pytestmark = pytest.mark.statistical

LIMIT = 5.5
N_CHAINS = 64


def no_knowledge(d):
    nothing = torch.zeros(d, d, dtype=torch.bool)
    return Constraints(nothing, torch.eye(d, dtype=torch.bool), torch.zeros(d, d).double())


def raw_columns(x, observed, intervened=None):
    """Columns exactly as given: the prior then means the same for every completed table."""
    d = observed.shape[1]
    return VariableColumns(
        values=torch.where(torch.from_numpy(np.isnan(x)), 0.0, torch.from_numpy(x)),
        observed=torch.from_numpy(observed),
        blocks=(1,) * d,
        variables=(Numbers(),) * d,
        intervened=None if intervened is None else torch.from_numpy(intervened),
    )


def dataset(x, **facts):
    names = tuple(f"x{j}" for j in range(x.shape[1]))
    kinds = facts.pop("kinds", ("continuous",) * x.shape[1])
    return Dataset(values=x, names=names, observed=~np.isnan(x), kinds=kinds, **facts)


def chain_table(n, seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = 0.9 * a + 0.6 * rng.normal(size=n)
    return np.column_stack([a, b, -0.8 * b + 0.7 * rng.normal(size=n)])


def largest_error(found, exact, n_chains=N_CHAINS):
    """Largest distance in standard errors; draws are [chain, ...] means of each chain."""
    spread = found.std(0, ddof=1) / np.sqrt(n_chains)
    gap = np.abs(found.mean(0) - exact)
    return (gap[gap > 1e-9] / np.maximum(spread[gap > 1e-9], 1e-4)).max(initial=0.0)


def edges_of_chains(found, n_chains=N_CHAINS):
    d = found.graphs.shape[-1]
    return found.graphs.reshape(-1, n_chains, d, d).mean(0)


def log_evidence(tables, graphs, intervened=None, alpha_mu=0.5):
    """log p(completed table | graph) [tables, graphs] by the library's own BGe."""
    return torch.stack(
        [
            BGe(alpha_mu=alpha_mu).on(x, intervened).node_scores(graphs).sum(-1)
            for x in torch.as_tensor(tables)
        ]
    )


@pytest.mark.parametrize("d", [3, 4])
def test_a_complete_table_gives_the_exact_posterior(d):
    x = chain_table(40, 0)
    if d == 4:
        noise = np.random.default_rng(1).normal(size=40)
        x = np.column_stack([x, 0.5 * x[:, 0] + 0.5 * x[:, 2] + noise])
    graphs = all_dags(d)
    counts = torch.linspace(0.0, -1.0, d).double()
    prior = counts[graphs.sum(1)].sum(-1)
    weights = (log_evidence(x[None], graphs)[0] + prior).softmax(0)
    exact = torch.einsum("s,sij->ij", weights, graphs.double()).numpy()
    found = augment(
        dataset(x),
        counts,
        no_knowledge(d),
        columns=raw_columns(x, np.ones_like(x, dtype=bool)),
        alpha_mu=0.5,
        n_chains=N_CHAINS,
        n_sweeps=450,
        max_sweeps=450,
        n_keep=N_CHAINS * 300,
        generator=torch.Generator().manual_seed(2),
    )
    assert found.imputed is None
    assert found.converged
    assert largest_error(edges_of_chains(found), exact) < LIMIT


@pytest.mark.parametrize("with_interventions", [False, True])
def test_missing_numbers_agree_with_the_integral_over_them(with_interventions):
    """Two missing cells in one row of twelve, integrated on a grid of 41 x 41 values."""
    x = chain_table(12, 3)
    intervened = None
    if with_interventions:
        intervened = np.zeros_like(x, dtype=bool)
        intervened[:4, 1] = True
        x[:4, 1] = [2.0, -2.0, 1.0, -1.5]
    x[0, 0] = x[0, 2] = np.nan
    graphs = all_dags(3)
    grid = np.linspace(-6, 6, 41)
    pairs = np.array(list(itertools.product(grid, grid)))
    tables = np.repeat(x[None], len(pairs), 0)
    tables[:, 0, 0], tables[:, 0, 2] = pairs.T
    mask = None if intervened is None else torch.from_numpy(intervened)
    joint = log_evidence(tables, graphs, mask)
    weights = joint.flatten().softmax(0).view(joint.shape)
    exact_edges = torch.einsum("s,sij->ij", weights.sum(0), graphs.double()).numpy()
    cells = weights.sum(1).numpy()
    exact_moments = np.array([cells @ pairs[:, 0], cells @ pairs[:, 1], cells @ pairs.prod(1)])
    found = augment(
        dataset(x, intervened=intervened),
        torch.zeros(3).double(),
        no_knowledge(3),
        columns=raw_columns(x, ~np.isnan(x), intervened),
        alpha_mu=0.5,
        n_chains=N_CHAINS,
        n_sweeps=600,
        max_sweeps=600,
        n_keep=N_CHAINS * 400,
        n_imputations=N_CHAINS * 400,
        generator=torch.Generator().manual_seed(4),
    )
    assert largest_error(edges_of_chains(found), exact_edges) < LIMIT
    draws = found.imputed.cells.reshape(-1, N_CHAINS, 2)
    moments = np.stack([draws[..., 0], draws[..., 1], draws.prod(-1)], -1).mean(0)
    assert largest_error(moments, exact_moments) < LIMIT


def test_missing_categories_follow_the_rule_of_bayes():
    """y is normal given the level, 3,000 rows: p(level | y) is known up to its own estimates."""
    rng = np.random.default_rng(5)
    shares, means = np.array([0.55, 0.35, 0.1]), np.array([0.0, 1.5, 3.5])
    codes = rng.choice(3, size=3000, p=shares).astype(float)
    y = means[codes.astype(int)] + rng.normal(size=3000)
    truth, codes[:100] = codes[:100].copy(), np.nan
    x = np.column_stack([codes, y])
    data = dataset(x, kinds=("categorical", "continuous"), levels={"x0": ("p", "q", "r")})
    found = augment(
        data,
        torch.zeros(2).double(),
        no_knowledge(2),
        n_chains=16,
        n_sweeps=150,
        max_sweeps=150,
        n_imputations=1600,
        generator=torch.Generator().manual_seed(6),
    )
    exact = shares * stats.norm.pdf(y[:100, None], means, 1.0)
    exact /= exact.sum(1, keepdims=True)
    drawn = (found.imputed.cells[..., None] == np.arange(3)).mean(0)
    # 1,600 nearly independent draws: 0.0125 each at most; the parameters are as good as known.
    assert np.abs(drawn - exact).max() < 0.08
    assert np.abs(drawn.mean(0) - exact.mean(0)).max() < 0.02
    assert -np.log(drawn[np.arange(100), truth.astype(int)].clip(1e-3)).mean() < 1.0


def test_an_independent_category_follows_its_frequencies():
    """One level has 10 % of the rows; nothing depends on it. Bound: 4.5 sd each."""
    rng = np.random.default_rng(7)
    codes = rng.choice(3, size=600, p=[0.6, 0.3, 0.1]).astype(float)
    x = np.column_stack([codes, rng.normal(size=600)])
    x[:100, 0] = np.nan
    data = dataset(x, kinds=("categorical", "continuous"), levels={"x0": ("p", "q", "r")})
    found = augment(
        data,
        torch.tensor([0.0, -3.0]).double(),
        no_knowledge(2),
        n_chains=16,
        n_sweeps=150,
        max_sweeps=150,
        generator=torch.Generator().manual_seed(8),
    )
    seen = np.bincount(codes[100:].astype(int), minlength=3) / 500
    drawn = (found.imputed.cells[..., None] == np.arange(3)).mean((0, 1))
    # Frequencies of 500 seen cells have standard error sqrt(p (1 - p) / 500) each.
    assert (np.abs(drawn - seen) < 4.5 * np.sqrt(seen * (1 - seen) / 500)).all()


def test_known_graph_gives_the_conditional_normal_distribution():
    """x -> y required, 4,000 complete rows: a missing y is N(a + b x, s^2) with known a, b, s."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=4000)
    y = 2.0 + 1.5 * x + 0.5 * rng.normal(size=4000)
    table = np.column_stack([x, y])
    table[:20, 1] = np.nan
    required = torch.zeros(2, 2, dtype=torch.bool)
    required[0, 1] = True
    known = Constraints(required, required.mT | torch.eye(2).bool(), torch.zeros(2, 2).double())
    found = augment(
        dataset(table),
        torch.zeros(2).double(),
        known,
        n_chains=16,
        n_sweeps=300,
        max_sweeps=300,
        n_imputations=3200,
        generator=torch.Generator().manual_seed(10),
    )
    assert found.graphs[:, 0, 1].all()
    draws = found.imputed.cells
    slope, intercept, *_ = stats.linregress(x[20:], y[20:])
    # 3,200 draws and 4,000 rows: standard error of a mean about 0.012, of an sd about 0.007.
    assert np.abs(draws.mean(0) - intercept - slope * x[:20]).max() < 5 * 0.012
    assert np.abs(draws.std(0) - 0.5).max() < 5 * 0.009


def test_moves_of_orders_give_the_exact_posterior():
    """The kernel for more than a dozen columns, on tables of four that can be enumerated."""
    generator = torch.Generator().manual_seed(11)
    tables = 2.0 * torch.randn(4, 8, 1, generator=generator, dtype=torch.float64)
    others = torch.tensor([[i for i in range(4) if i != j] for j in range(4)])
    graphs = all_dags(4)
    bits = (graphs.long() << torch.arange(4).view(1, 4, 1)).sum(1)
    nodes = torch.arange(4)
    weights = tables[nodes, squeeze_bit(bits, nodes), 0].sum(-1).softmax(0)
    exact = torch.einsum("s,sij->ij", weights, graphs.double()).numpy()
    step = _OrderMoves(
        torch.zeros(4, 8, 1).double(),
        torch.zeros(4, dtype=torch.int64),
        others,
        torch.zeros(N_CHAINS, 4, 4, dtype=torch.bool),
    )
    total = np.zeros((N_CHAINS, 4, 4))
    for sweep in range(1100):
        repeated = tables.expand(4, 8, N_CHAINS).contiguous()
        found = step(repeated, generator, corrected=sweep >= 20)
        total += (sweep >= 100) * found.graphs.numpy()
    assert largest_error(total / 1000, exact) < LIMIT


def test_missing_levels_agree_with_the_sum_over_all_completions():
    """BDeu, three columns, four missing cells of two and three levels: all completed tables."""
    rng = np.random.default_rng(12)
    a = rng.integers(0, 2, 30)
    b = np.where(rng.random(30) < 0.75, a, 1 - a)
    c = np.where(rng.random(30) < 0.6, b + 1, rng.integers(0, 3, 30))
    x = np.column_stack([a, b, c]).astype(float)
    holes = [(0, 0), (0, 2), (1, 1), (2, 2)]
    sizes = [2, 3, 2, 3]
    for hole in holes:
        x[hole] = np.nan
    data = dataset(x, kinds=("binary", "binary", "categorical"), levels={"x2": ("p", "q", "r")})
    graphs = all_dags(3)
    bits = (graphs.long() << torch.arange(3).view(1, 3, 1)).sum(1)
    nodes, others = torch.arange(3), torch.tensor([[1, 2], [0, 2], [0, 1]])
    joint, picks = [], list(itertools.product(*map(range, sizes)))
    for pick in picks:
        table = x.copy()
        for hole, level in zip(holes, pick, strict=True):
            table[hole] = level
        scores = BDeu().local_scores(dataset(table, kinds=data.kinds, levels=dict(data.levels)))
        tables = scores.tables(others, 2) + scores.empty.unsqueeze(-1)
        joint.append(tables[nodes, squeeze_bit(bits, nodes)].sum(-1))
    weights = torch.stack(joint).flatten().softmax(0).view(len(picks), -1)
    exact_edges = torch.einsum("s,sij->ij", weights.sum(0), graphs.double()).numpy()
    level_weights, picked = weights.sum(1).numpy(), np.array(picks)
    exact_levels = np.array(
        [[level_weights @ (picked[:, k] == v) for v in range(3)] for k in range(4)]
    )
    found = augment(
        data,
        torch.zeros(3).double(),
        no_knowledge(3),
        equivalent_sample_size=1.0,
        n_chains=N_CHAINS,
        n_sweeps=120,
        max_sweeps=120,
        n_keep=N_CHAINS * 80,
        n_imputations=N_CHAINS * 80,
        generator=torch.Generator().manual_seed(13),
    )
    assert largest_error(edges_of_chains(found), exact_edges) < LIMIT
    draws = found.imputed.cells.reshape(-1, N_CHAINS, 4)
    shares = (draws[..., None] == np.arange(3)).mean(0)
    assert largest_error(shares, exact_levels) < LIMIT

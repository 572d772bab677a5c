"""Graphs and missing cells drawn together: exact parts, contracts and messages."""

import itertools
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from aetia.data import Dataset, as_dataset
from aetia.discovery.missing import augment, gaussian_columns
from aetia.discovery.missing.block_scores import DenseBlockScores
from aetia.discovery.missing.candidates import CandidateScores, choose_candidates
from aetia.discovery.missing.gaussian import GaussianCompletion
from aetia.discovery.missing.order_draws import (
    allowed_log_sums,
    log_order_counts,
    parents_to_graphs,
)
from aetia.discovery.missing.relocation import draw_extensions, log_extension_probability
from aetia.discovery.missing.small_factors import cholesky_factor, solve_lower, solve_upper
from aetia.discovery.missing.subset_lattice import expand_bit, squeeze_bit
from aetia.errors import ConvergenceWarning, InputError
from aetia.graphs import Constraints, Knowledge, all_dags, is_acyclic
from aetia.graphs.subset_sums import subset_log_sums
from aetia.likelihoods import BGe
from aetia.likelihoods.block_bge import BlockBGe


def no_knowledge(d):
    nothing = torch.zeros(d, d, dtype=torch.bool)
    return Constraints(nothing, torch.eye(d, dtype=torch.bool), torch.zeros(d, d).double())


def sparse(d):
    return -math.log(d) * torch.arange(d).double()


def chain_table(n=60, d=4, share=0.2, seed=0):
    rng = np.random.default_rng(seed)
    x = np.zeros((n, d))
    for j in range(d):
        x[:, j] = (0.8 * x[:, j - 1] if j else 0.0) + rng.normal(size=n)
    return np.where(rng.random((n, d)) < share, np.nan, x)


def quick(x, seed=0, d=None, **options):
    data = x if isinstance(x, Dataset) else as_dataset(x)
    options = {"n_chains": 4, "n_sweeps": 30, "max_sweeps": 30} | options
    knowledge = options.pop("constraints", no_knowledge(data.d))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return augment(
            data,
            sparse(data.d),
            knowledge,
            generator=torch.Generator().manual_seed(seed),
            **options,
        )


def test_squeezing_a_bit_out_and_back_changes_nothing():
    sets = torch.arange(32)
    for node in range(5):
        inside = sets[(sets >> node) & 1 == 0]
        index = squeeze_bit(inside, node)
        assert torch.equal(index.sort().values, torch.arange(16))
        assert torch.equal(expand_bit(index, node), inside)


@pytest.mark.parametrize("spread", [3.0, 3000.0])
def test_sums_in_linear_space_equal_sums_in_log_space(spread):
    generator = torch.Generator().manual_seed(0)
    tables = spread * torch.rand(4, 8, 3, generator=generator, dtype=torch.float64)
    tables[1, ::2] = -torch.inf  # its first candidate is required
    least = torch.tensor([0, 1, 0, 0])
    expected = subset_log_sums(tables.movedim(-1, 0)).movedim(0, -1)
    torch.testing.assert_close(allowed_log_sums(tables, least), expected, rtol=1e-12, atol=1e-9)


def test_numbers_of_orders_match_enumeration():
    dags = all_dags(4)
    bits = (dags.long() << torch.arange(4).view(1, 4, 1)).sum(1).mT.contiguous()
    assert torch.equal(parents_to_graphs(bits), dags)
    orders = torch.tensor(list(itertools.permutations(range(4))))
    place = orders.argsort(-1)
    backwards = place.unsqueeze(-1) > place.unsqueeze(-2)  # [orders, i, j]: i after j
    agree = ~(dags.unsqueeze(1) & backwards).flatten(-2).any(-1)
    torch.testing.assert_close(log_order_counts(bits).exp(), agree.sum(1).double())


def test_small_factors_solve_like_lapack():
    generator = torch.Generator().manual_seed(1)
    root = torch.randn(5, 4, 6, generator=generator, dtype=torch.float64)
    matrix = root @ root.mT + torch.eye(4).double()
    right = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    factor = cholesky_factor(matrix.permute(1, 2, 0).contiguous())
    half = solve_lower(factor, right.mT.contiguous())
    solved = solve_upper(factor, half).mT
    torch.testing.assert_close(solved, torch.linalg.solve(matrix, right))


@pytest.mark.parametrize("with_interventions", [False, True])
def test_tables_are_bge_of_the_completed_table(with_interventions):
    x = torch.from_numpy(chain_table(share=0.0))
    intervened = None
    if with_interventions:
        intervened = torch.zeros(60, 4, dtype=torch.bool)
        intervened[:20, 1] = intervened[10:30, 2] = True
    data = Dataset(
        values=x.numpy(),
        names=tuple("abcd"),
        observed=np.ones((60, 4), dtype=bool),
        intervened=None if intervened is None else intervened.numpy(),
        kinds=("continuous",) * 4,
    )
    columns = gaussian_columns(data)
    model = GaussianCompletion(columns, alpha_mu=0.3)
    tables = model.tables(model.begin(2, torch.Generator().manual_seed(0)))
    dags = all_dags(4)
    bits = (dags.long() << torch.arange(4).view(1, 4, 1)).sum(1)
    nodes = torch.arange(4)
    ours = tables[nodes, squeeze_bit(bits, nodes), 1].sum(-1)
    expected = BGe(alpha_mu=0.3).on(columns.values, intervened).node_scores(dags).sum(-1)
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-8)


def test_block_scores_equal_column_scores_of_the_expanded_graph():
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(40, 5, generator=generator, dtype=torch.float64)
    mean, n, alpha_mu = x.mean(0), 40.0, 0.3
    centred = x - mean
    t = alpha_mu * 1.0 / (alpha_mu + 1)
    shrunk = n * alpha_mu / (n + alpha_mu) * torch.outer(mean, mean)
    scale = t * torch.eye(5).double() + centred.mT @ centred + shrunk
    scores = DenseBlockScores(
        (2, 1, 2),
        torch.full((3,), n, dtype=torch.float64),
        torch.zeros(3, dtype=torch.int64),
        alpha_mu=alpha_mu,
        alpha_w=7.0,
    )
    tables = scores.tables(scale.expand(1, 1, 5, 5))[..., 0]
    dags = all_dags(3)
    bits = (dags.long() << torch.arange(3).view(1, 3, 1)).sum(1)
    nodes = torch.arange(3)
    node = torch.tensor([0, 0, 1, 2, 2])
    wide = dags[:, node][:, :, node]
    wide[:, 0, 1] = wide[:, 3, 4] = True
    expected = BGe(alpha_mu=alpha_mu).on(x).node_scores(wide).sum(-1)
    torch.testing.assert_close(tables[nodes, squeeze_bit(bits, nodes)].sum(-1), expected)


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    x = chain_table()
    a, b, c = quick(x), quick(x), quick(x, seed=1)
    assert np.array_equal(a.graphs, b.graphs)
    assert np.array_equal(a.imputed.cells, b.imputed.cells)
    assert not np.array_equal(a.imputed.cells, c.imputed.cells)


def test_seen_cells_stay_and_every_missing_cell_is_drawn():
    x = chain_table()
    found = quick(x, n_imputations=40)
    assert np.array_equal(np.isnan(x), ~found.imputed.observed)
    completed = found.imputed.draw(0)
    assert np.array_equal(completed[~np.isnan(x)], x[~np.isnan(x)])
    assert np.isfinite(found.imputed.cells).all()
    assert is_acyclic(torch.from_numpy(found.graphs)).all()
    assert len(found.graphs) == len(found.chain) == len(found.log_joint)


def test_scaling_a_column_scales_its_imputations_and_nothing_else():
    x = chain_table()
    y = x.copy()
    y[:, 1] = 1000.0 * y[:, 1] - 7.0
    a, b = quick(x), quick(y)
    assert np.array_equal(a.graphs, b.graphs)
    second = np.nonzero(np.isnan(x))[1] == 1
    np.testing.assert_allclose(b.imputed.cells[:, second], 1000 * a.imputed.cells[:, second] - 7)


def test_knowledge_holds_in_every_draw():
    data = as_dataset(chain_table())
    names = data.names
    knowledge = Knowledge(required=[(names[2], names[0])], roots=(names[3],))
    found = quick(data, constraints=knowledge.constraints(names))
    assert found.graphs[:, 2, 0].all()
    assert not found.graphs[:, :, 3].any()


def test_counts_are_whole_and_categories_are_codes():
    rng = np.random.default_rng(4)
    x = np.column_stack(
        [rng.poisson(3, 80), rng.integers(0, 3, 80), rng.normal(size=80), rng.integers(0, 2, 80)]
    ).astype(float)
    x[rng.random(x.shape) < 0.2] = np.nan
    data = Dataset(
        values=x,
        names=("visits", "site", "dose", "sex"),
        observed=~np.isnan(x),
        kinds=("count", "categorical", "continuous", "binary"),
        levels={"site": ("p", "q", "r")},
    )
    found = quick(data)
    column = np.nonzero(np.isnan(x))[1]
    cells = found.imputed.cells
    assert (cells[:, column == 0] == cells[:, column == 0].round()).all()
    assert (cells[:, column == 0] >= 0).all()
    assert set(np.unique(cells[:, column == 1])) <= {0.0, 1.0, 2.0}
    assert set(np.unique(cells[:, column == 3])) <= {0.0, 1.0}
    assert set(found.imputed.completed()["site"]) <= {"p", "q", "r"}


def test_chains_that_disagree_are_named_and_not_silent():
    x = chain_table(n=30, d=6, share=0.5)
    with pytest.warns(ConvergenceWarning, match=r"Worst edges: x\d -> x\d \(R-hat"):
        found = augment(
            as_dataset(x),
            sparse(6),
            no_knowledge(6),
            n_chains=4,
            n_sweeps=12,
            max_sweeps=12,
            generator=torch.Generator().manual_seed(0),
        )
    assert not found.converged
    assert found.diagnostics["worst_edges"] == found.worst_edges()


def test_a_column_that_was_set_but_not_recorded_is_an_error():
    x = chain_table()
    x[3, 1] = np.nan
    intervened = np.zeros_like(x, dtype=bool)
    intervened[3, 1] = True
    data = Dataset(
        values=x,
        names=tuple("abcd"),
        observed=~np.isnan(x),
        intervened=intervened,
        kinds=("continuous",) * 4,
    )
    with pytest.raises(InputError, match="'b' was set by intervention in row 3"):
        quick(data)


def test_a_column_without_spread_is_an_error():
    x = chain_table()
    x[:, 2] = np.where(np.isnan(x[:, 2]), np.nan, 5.0)
    data = Dataset(values=x, names=tuple("abcd"), observed=~np.isnan(x), kinds=("continuous",) * 4)
    with pytest.raises(InputError, match=r"'c' has .* no spread"):
        quick(data)


def test_candidate_scores_equal_the_scores_of_all_parent_sets():
    """Two-column and one-column variables; all others as candidates."""
    generator = torch.Generator().manual_seed(5)
    root = torch.randn(3, 2, 12, 6, generator=generator, dtype=torch.float64)
    scales = root.mT @ root + torch.eye(6).double()
    n, group = torch.tensor([12.0, 9.0, 12.0, 12.0]).double(), torch.tensor([0, 1, 0, 0])
    everyone = torch.tensor([[i for i in range(4) if i != j] for j in range(4)])
    options = {"alpha_mu": 0.3, "alpha_w": 8.0}
    blocks = (2, 1, 1, 2)
    dense = DenseBlockScores(blocks, n, group, **options).tables(scales)
    found = CandidateScores(blocks, everyone, n, group, **options).tables(scales)
    torch.testing.assert_close(found, dense, rtol=1e-10, atol=1e-8)


def test_candidates_are_the_parents_that_explain_and_the_required_ones():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(400, 8))
    x[:, 7] += x[:, 2] - 2.0 * x[:, 5]
    constraints = no_knowledge(8)
    constraints.required[0, 7] = True
    scale = torch.from_numpy(np.cov(x, rowvar=False) * 400)
    chosen = choose_candidates(scale, (1,) * 8, constraints, 3)
    assert chosen[7].tolist() == [0, 2, 5]


def test_probabilities_of_the_orders_of_a_graph_sum_to_one():
    orders = torch.tensor(list(itertools.permutations(range(4))))
    place = orders.argsort(-1)
    backwards = place.unsqueeze(-1) > place.unsqueeze(-2)
    for graph in all_dags(4)[::37]:
        fit = orders[~(graph & backwards).flatten(1).any(1)].mT.contiguous()
        each = log_extension_probability(graph.expand(fit.shape[1], 4, 4), fit)
        assert each.exp().sum().item() == pytest.approx(1.0)
    drawn = draw_extensions(all_dags(4), torch.Generator().manual_seed(0))
    agree = torch.isfinite(log_extension_probability(all_dags(4), drawn))
    first = drawn.argsort(0).mT
    assert agree.all()
    assert not (all_dags(4) & (first.unsqueeze(-1) > first.unsqueeze(-2))).any()


def test_more_than_a_dozen_columns_are_moved_over_candidates():
    x = chain_table(n=80, d=14, share=0.1)
    data = as_dataset(x)
    knowledge = Knowledge(required=[("x9", "x2")], forbidden=[("x0", "x1")])
    found = quick(data, constraints=knowledge.constraints(data.names))
    assert found.graphs[:, 9, 2].all()
    assert not found.graphs[:, 0, 1].any()
    assert is_acyclic(torch.from_numpy(found.graphs)).all()
    assert (found.graphs.sum(1) <= 10).all()


def test_weights_are_zero_off_the_graph_and_in_the_users_units():
    x = chain_table(n=400, d=3)
    y = x.copy()
    y[:, 1] *= 100.0
    a, b = quick(x), quick(y)
    assert (a.weights[~a.graphs] == 0).all()
    assert (a.weights[a.graphs] != 0).all()
    np.testing.assert_allclose(b.weights[:, 0, 1], 100 * a.weights[:, 0, 1], rtol=1e-8)
    np.testing.assert_allclose(100 * b.weights[:, 1, 2], a.weights[:, 1, 2], rtol=1e-8)


def mixed_table(n=200, seed=7):
    rng = np.random.default_rng(seed)
    site = rng.choice(3, size=n, p=[0.5, 0.3, 0.2]).astype(float)
    site[:2] = 3.0, 4.0  # two levels with one row each
    grade = rng.integers(0, 4, n).astype(float)
    dose = np.exp(0.5 * grade + 0.3 * rng.normal(size=n))
    visits = rng.poisson(dose / 2 + 1).astype(float)
    return Dataset(
        values=np.column_stack([site, grade, dose, visits]),
        names=("site", "grade", "dose", "visits"),
        observed=np.ones((n, 4), dtype=bool),
        kinds=("categorical", "categorical", "continuous", "count"),
        levels={"site": tuple("pqrst"), "grade": tuple("0123")},
    )


@pytest.mark.parametrize("n_columns", [1, 3])
def test_a_complete_mixed_table_has_the_scores_of_block_bge(n_columns):
    """The likelihood and the augmentation write columns independently of each other."""
    data = mixed_table()
    options = BlockBGe(n_columns=n_columns, alpha_mu=0.3, ordinal=("grade",))
    dose = data.values[:, 2]
    scaled = data.values.copy()
    scaled[:, 2] = (dose - dose.mean()) / dose.std()
    scores = options.local_scores(replace(data, values=scaled))
    others = torch.tensor([[i for i in range(4) if i != j] for j in range(4)])
    columns = gaussian_columns(data, n_columns=n_columns, ordinal=("grade",), rank_counts=True)
    model = GaussianCompletion(columns, alpha_mu=0.3)
    found = model.tables(model.begin(2, torch.Generator().manual_seed(0)))[..., 0]
    torch.testing.assert_close(found - found[:, :1], scores.tables(others, 3), rtol=1e-8, atol=1e-6)


def test_cells_of_splines_and_ordered_codes_are_shown_in_the_users_units():
    data = mixed_table()
    holes = np.random.default_rng(8).random(data.values.shape) < 0.2
    holes[:2] = False
    values = np.where(holes, np.nan, data.values)
    data = replace(data, values=values, observed=~holes)
    columns = gaussian_columns(data, n_columns=3, ordinal=("grade",), rank_counts=True)
    assert columns.blocks == (3, 1, 3, 1)  # two rare levels of site are one
    found = quick(data, columns=columns, n_imputations=40)
    column = np.nonzero(holes)[1]
    cells = found.imputed.cells
    dose = cells[:, column == 2]
    assert (dose >= np.nanmin(values[:, 2])).all()
    assert (dose <= np.nanmax(values[:, 2])).all()
    assert set(np.unique(cells[:, column == 1])) <= {0.0, 1.0, 2.0, 3.0}
    assert (cells[:, column == 3] == cells[:, column == 3].round()).all()
    assert found.weights is None
    # The draws follow the seen values of their column.
    seen = np.log(values[~holes[:, 2], 2])
    assert abs(np.log(dose).mean() - seen.mean()) < 0.5 * seen.std()


def test_discrete_tables_are_completed_by_levels_that_exist():
    rng = np.random.default_rng(9)
    a = rng.integers(0, 2, 100) * 3.0 + 1.0  # a binary column may hold any two values
    b = np.where(rng.random(100) < 0.8, a > 2, a < 2).astype(float)
    c = rng.integers(0, 3, 100).astype(float)
    x = np.column_stack([a, b, c])
    x[rng.random(x.shape) < 0.2] = np.nan
    data = Dataset(
        values=x,
        names=("a", "b", "c"),
        observed=~np.isnan(x),
        kinds=("binary", "binary", "categorical"),
        levels={"c": ("p", "q", "r")},
    )
    found = quick(data, equivalent_sample_size=1.0)
    column = np.nonzero(np.isnan(x))[1]
    cells = found.imputed.cells
    assert set(np.unique(cells[:, column == 0])) <= {1.0, 4.0}
    assert set(np.unique(cells[:, column == 1])) <= {0.0, 1.0}
    assert found.edge_probabilities[0, 1] + found.edge_probabilities[1, 0] > 0.9
    assert np.array_equal(quick(data, equivalent_sample_size=1.0).graphs, found.graphs)

"""Block BGe against columns one by one and dense determinants; its invariances."""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.special import gammaln

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.graphs import all_dags, cpdag
from aetia.likelihoods.bge import BGe
from aetia.likelihoods.block_bge import BlockBGe, BlockScores
from aetia.likelihoods.column_blocks import column_blocks, merge_rare_levels
from aetia.likelihoods.local_scores import DecomposableLikelihood, LocalScores


def mixed_table(
    n=120, seed=0, kinds=("continuous", "binary", "categorical", "count", "continuous")
):
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal(n)
    columns, levels = [], {}
    for j, kind in enumerate(kinds):
        z = 0.7 * latent + rng.standard_normal(n)
        if kind == "continuous":
            columns.append((z - z.mean()) / z.std())
        elif kind == "binary":
            columns.append((z > 0.3).astype(float))
        elif kind == "count":
            columns.append(rng.poisson(np.exp(z)).astype(float))
        else:
            columns.append(np.searchsorted([-0.8, 0.0, 0.9], z).astype(float))
            levels[f"v{j}"] = ("a", "b", "c", "d")
    values = np.stack(columns, axis=1)
    return Dataset(
        values=values,
        names=tuple(f"v{j}" for j in range(len(kinds))),
        observed=np.ones(values.shape, dtype=bool),
        kinds=tuple(kinds),
        levels=levels,
    )


def every_other(d):
    return torch.tensor([[i for i in range(d) if i != j] for j in range(d)])


def column_score(x, parents, j, n_all, alpha_mu=0.1):
    """BGe of one column given others, with dense determinants, for a model of n_all columns."""
    n = len(x)
    alpha_w = n_all + 2
    t = alpha_mu * (alpha_w - n_all - 1) / (alpha_mu + 1)
    mean = x.mean(0)
    r = t * np.eye(n_all) + (x - mean).T @ (x - mean)
    r += n * alpha_mu / (n + alpha_mu) * np.outer(mean, mean)
    l, free = len(parents), alpha_w - n_all
    det = np.linalg.slogdet(r[np.ix_(parents, parents)])[1] if parents else 0.0
    family = [*parents, j]
    return (
        0.5 * math.log(alpha_mu / (n + alpha_mu))
        + gammaln(0.5 * (n + free + l + 1))
        - gammaln(0.5 * (free + l + 1))
        - 0.5 * n * math.log(math.pi)
        + 0.5 * (free + 2 * l + 1) * math.log(t)
        + 0.5 * (n + free + l) * det
        - 0.5 * (n + free + l + 1) * np.linalg.slogdet(r[np.ix_(family, family)])[1]
    )


def block_score_by_columns(scores, j, parents, rows=slice(None)):
    """The score of a block, one column after another in any order inside the blocks."""
    ends = np.cumsum(scores.blocks.sizes)
    columns = [list(range(e - s, e)) for s, e in zip(scores.blocks.sizes, ends, strict=True)]
    given = [c for p in parents for c in columns[p]]
    x = scores.blocks.columns.numpy()[rows]
    total = 0.0
    for c in reversed(columns[j]):
        total += column_score(x, given, c, x.shape[1])
        given = [*given, c]
    return total


def check_against_columns(scores, candidates, max_parents, rows=None):
    tables = scores.tables(candidates, max_parents)
    for j, row in enumerate(candidates.tolist()):
        kept = slice(None) if rows is None else rows[j]
        alone = block_score_by_columns(scores, j, [], kept)
        assert float(scores.empty[j]) == pytest.approx(alone, abs=1e-7)
        for m in range(1 << len(row)):
            parents = [row[b] for b in range(len(row)) if m >> b & 1]
            if len(parents) > max_parents:
                assert tables[j, m] == -torch.inf
            else:
                expected = block_score_by_columns(scores, j, parents, kept) - alone
                assert float(tables[j, m]) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("n_columns", [1, 3])
def test_the_score_is_bge_of_a_complete_graph_inside_each_block(n_columns):
    scores = BlockBGe(n_columns=n_columns).local_scores(mixed_table())
    assert isinstance(scores, LocalScores)
    assert isinstance(BlockBGe(), DecomposableLikelihood)
    assert scores.blocks.sizes == (n_columns, 1, 3, 1, n_columns)
    check_against_columns(scores, every_other(5), 4)


def test_some_candidates_in_any_order_give_the_same_scores():
    scores = BlockBGe(n_columns=2).local_scores(mixed_table())
    check_against_columns(
        scores, torch.tensor([[4, 2, 1], [0, 2, 3], [4, 3, 0], [1, 2, 0], [2, 0, 1]]), 2
    )


def test_rows_in_which_a_variable_was_set_leave_its_score():
    data = mixed_table(n=60)
    intervened = np.zeros(data.values.shape, dtype=bool)
    intervened[:20, 1] = intervened[10:30, 2] = intervened[10:30, 4] = True
    scores = BlockBGe().local_scores(replace(data, intervened=intervened))
    check_against_columns(scores, every_other(5), 4, [~intervened[:, j] for j in range(5)])


def test_a_variable_that_was_set_in_every_row_scores_zero():
    data = mixed_table(n=30)
    intervened = np.zeros(data.values.shape, dtype=bool)
    intervened[:, 2] = True
    scores = BlockBGe().local_scores(replace(data, intervened=intervened))
    assert scores.empty[2] == 0.0
    assert (scores.tables(every_other(5), 2)[2] <= 0.0).all()
    assert (scores.tables(every_other(5), 4)[2] == 0.0).all()


def test_continuous_columns_one_by_one_give_bge():
    data = mixed_table(kinds=("continuous",) * 4)
    block = BlockBGe(alpha_mu=0.3).local_scores(data)
    graphs = all_dags(4)
    expected = BGe(alpha_mu=0.3).on(torch.from_numpy(data.values)).node_scores(graphs).sum(-1)
    torch.testing.assert_close(graph_scores(block, graphs), expected, rtol=1e-9, atol=1e-8)


def graph_scores(scores, graphs):
    d = graphs.shape[-1]
    candidates = every_other(d)
    tables = scores.tables(candidates, d - 1)
    total = scores.empty.sum().expand(len(graphs)).clone()
    for j in range(d):
        index = (graphs[:, candidates[j], j].long() << torch.arange(d - 1)).sum(-1)
        total += tables[j, index]
    return total


def test_all_orders_of_the_variables_give_a_complete_graph_the_same_score():
    scores = BlockBGe(n_columns=3).local_scores(mixed_table())
    graphs = torch.zeros(120, 5, 5, dtype=torch.bool)
    for g, order in zip(graphs, permutations(range(5)), strict=True):
        for a in range(5):
            g[order[a], list(order[a + 1 :])] = True
    totals = graph_scores(scores, graphs)
    assert float(totals.max() - totals.min()) < 1e-9


def test_equivalent_graphs_have_the_same_score():
    data = mixed_table(kinds=("continuous", "binary", "categorical", "count"))
    graphs = all_dags(4)
    totals = graph_scores(BlockBGe(n_columns=2).local_scores(data), graphs)
    _, kind = torch.unique(cpdag(graphs).flatten(1), dim=0, return_inverse=True)
    for k in range(int(kind.max()) + 1):
        members = totals[kind == k]
        assert float(members.max() - members.min()) < 1e-9


@pytest.mark.parametrize("order", [[3, 1, 0, 2], [1, 2, 3, 0]])
def test_neither_reference_levels_nor_codes_matter(order):
    data = mixed_table()
    recoded = data.values.copy()
    recoded[:, 2] = np.array(order)[data.values[:, 2].astype(int)]
    recoded[:, 1] = 7.0 - 3.0 * data.values[:, 1]  # a binary column of 4 and 7
    recoded[:, 3] = np.exp(data.values[:, 3] / 4)  # counts only matter by their ranks
    graphs = all_dags(5)[::97]
    torch.testing.assert_close(
        graph_scores(BlockBGe().local_scores(replace(data, values=recoded)), graphs),
        graph_scores(BlockBGe().local_scores(data), graphs),
        rtol=1e-10,
        atol=1e-8,
    )


def test_units_do_not_matter_to_splines():
    data = mixed_table(kinds=("continuous",) * 4)
    graphs = all_dags(4)
    scaled = replace(data, values=np.exp(0.3 * data.values) * [1.0, 10.0, 0.1, 3.0])
    torch.testing.assert_close(
        graph_scores(BlockBGe(n_columns=3).local_scores(scaled), graphs),
        graph_scores(BlockBGe(n_columns=3).local_scores(data), graphs),
        rtol=1e-10,
        atol=1e-8,
    )


def test_the_order_of_the_variables_does_not_matter():
    data = mixed_table()
    order = [3, 0, 4, 2, 1]
    graphs = all_dags(5)[::97]
    moved = graphs[:, order][:, :, order]
    torch.testing.assert_close(
        graph_scores(
            BlockBGe(n_columns=2).local_scores(data.select([f"v{i}" for i in order])), moved
        ),
        graph_scores(BlockBGe(n_columns=2).local_scores(data), graphs),
        rtol=1e-10,
        atol=1e-8,
    )


def test_an_effect_on_the_spread_of_levels_needs_the_block_and_finds_it():
    """A nominal column whose codes are not in order: codes as numbers see nothing."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal(400)
    site = np.select([x < -0.7, x > 0.7], [1, 1], 0) + 2 * (rng.random(400) < 0.3)
    data = Dataset(
        values=np.stack([(x - x.mean()) / x.std(), site.astype(float)], axis=1),
        names=("x", "site"),
        observed=np.ones((400, 2), dtype=bool),
        kinds=("continuous", "categorical"),
        levels={"site": ("a", "b", "c", "d")},
    )
    candidates = torch.tensor([[1], [0]])
    assert float(BlockBGe(n_columns=3).local_scores(data).tables(candidates, 1)[1, 1]) > 50
    numbers = BlockBGe(n_columns=1, ordinal=("site",)).local_scores(data)
    assert float(numbers.tables(candidates, 1)[1, 1]) < 0


def test_rare_levels_are_merged_and_named():
    data = mixed_table(n=1000)
    values = data.values.copy()
    values[values[:, 2] == 3, 2] = 2
    values[:4, 2] = 3
    scores = BlockBGe().local_scores(replace(data, values=values))
    assert scores.blocks.sizes[2] == 2
    assert len(scores.notes) == 1
    assert "Column 'v2'" in scores.notes[0]
    assert "'d'" in scores.notes[0]


@pytest.mark.parametrize(
    ("counts", "merged"),
    [
        ([500, 400, 100], []),
        ([985, 6, 5, 4], [1, 2, 3]),
        ([500, 490, 5, 5], [2, 3]),
        ([600, 390, 8], [1, 2]),
        ([995, 5], []),
        ([990, 4, 3], [1, 2]),
    ],
)
def test_a_merged_level_is_no_longer_rare_where_that_is_possible(counts, merged):
    codes = np.repeat(np.arange(len(counts)), counts)
    new, gone = merge_rare_levels(codes, 0.01)
    assert gone == merged
    assert len(np.unique(new)) == len(counts) - max(len(merged) - 1, 0)
    for level in range(len(counts)):  # rows of one level stay together
        assert len(np.unique(new[codes == level])) == 1


def test_columns_are_centred_and_white_inside_blocks_of_levels():
    blocks = column_blocks(mixed_table(), 3)
    gram = blocks.columns.mT @ blocks.columns / len(blocks.columns)
    assert float(blocks.columns.mean(0).abs().max()) < 1e-10
    at = 0
    for size in blocks.sizes:
        own = gram[at : at + size, at : at + size]
        torch.testing.assert_close(own, torch.eye(size, dtype=own.dtype), rtol=0, atol=1e-9)
        at += size


def test_a_constant_column_is_named():
    data = mixed_table(n=20)
    data.values[:, 3] = 2.0
    with pytest.raises(InputError, match="'v3' is constant"):
        BlockBGe().local_scores(data)


def test_ordinal_names_must_be_categorical_columns():
    with pytest.raises(InputError, match=r"ordinal=\['v0'\] are not categorical.* v2"):
        BlockBGe(ordinal=("v0", "v2")).local_scores(mixed_table())


def test_alpha_w_must_exceed_the_number_of_columns():
    with pytest.raises(InputError, match="number of columns \\+ 1 = 8"):
        BlockScores(BlockBGe(alpha_w=8.0), column_blocks(mixed_table(), 1))

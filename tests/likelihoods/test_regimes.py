"""Scores of regimes against likelihoods of groups of rows; targets found by enumeration."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.graphs import all_dags
from aetia.likelihoods.additive import RankBasis
from aetia.likelihoods.block_bge import BlockBGe
from aetia.likelihoods.conditional_gaussian import ConditionalGaussian
from aetia.likelihoods.discrete import BDeu
from aetia.likelihoods.local_scores import DecomposableLikelihood, LocalScores
from aetia.likelihoods.regimes import (
    ChangedMechanisms,
    UnknownTargets,
    add_regime_columns,
    regime_targets,
)


def dataset(values, kind, **more):
    values = np.asarray(values, dtype=float)
    d = values.shape[1]
    return Dataset(
        values=values,
        names=tuple(f"v{i}" for i in range(d)),
        observed=np.ones(values.shape, dtype=bool),
        kinds=(kind,) * d,
        **more,
    )


def binary_table(n=90, d=4, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2, (n, d))
    values[:, 1] = np.where(rng.random(n) < 0.7, values[:, 0], values[:, 1])
    regime = np.repeat([0, 1, 5], n // 3)
    return dataset(values, "binary", regime=regime)


def rows_of(data, rows):
    """The table of some rows: an independent way to score a group."""
    return replace(
        data,
        values=data.values[rows],
        observed=data.observed[rows],
        intervened=None if data.intervened is None else data.intervened[rows],
        regime=None,
    )


def every_other(d):
    return torch.tensor([[i for i in range(d) if i != j] for j in range(d)])


def absolute(likelihood, data, candidates, max_parents):
    scores = likelihood.local_scores(data)
    return scores.empty[:, None] + scores.tables(candidates, max_parents)


def as_continuous(data):
    noise = np.random.default_rng(5).standard_normal(data.values.shape)
    return replace(data, values=data.values + noise, kinds=("continuous",) * data.d)


CASES = [(BDeu(), binary_table()), (ConditionalGaussian(), as_continuous(binary_table()))]


@pytest.mark.parametrize(("likelihood", "data"), CASES)
def test_changed_mechanisms_add_the_scores_of_tables_of_some_rows(likelihood, data):
    options = ChangedMechanisms(likelihood=likelihood, targets={1: ["v1", "v2"], 5: ["v2"]})
    scores = options.local_scores(data)
    assert isinstance(scores, LocalScores)
    assert isinstance(options, DecomposableLikelihood)
    assert options.kinds == likelihood.kinds
    candidates = every_other(4)
    found = scores.empty[:, None] + scores.tables(candidates, 3)

    def part(*regimes):
        rows = np.isin(data.regime, regimes)
        return absolute(likelihood, rows_of(data, rows), candidates, 3)

    expected = torch.stack(
        [
            part(0, 1, 5)[0],
            (part(0, 5) + part(1))[1],
            (part(0) + part(1) + part(5))[2],
            part(0, 1, 5)[3],
        ]
    )
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-8)
    assert (scores.tables(candidates, 3)[:, 0] == 0).all()


def test_rows_in_which_a_variable_was_set_stay_out_of_its_groups():
    data = binary_table()
    intervened = np.zeros(data.values.shape, dtype=bool)
    intervened[25:45, 2] = True
    intervened[60:, 1] = True  # every row of regime 5
    data = replace(data, intervened=intervened)
    options = ChangedMechanisms(likelihood=BDeu(), targets={1: ["v2"], 5: ["v1"]})
    candidates = every_other(4)
    scores = options.local_scores(data)
    found = scores.empty[:, None] + scores.tables(candidates, 2)
    first = absolute(BDeu(), rows_of(data, data.regime != 1), candidates, 2)
    second = absolute(BDeu(), rows_of(data, data.regime == 1), candidates, 2)
    whole = absolute(BDeu(), replace(data, regime=None), candidates, 2)
    torch.testing.assert_close(found[2], (first + second)[2], rtol=1e-10, atol=1e-8)
    # Without rows of its own, the changed mechanism has nothing to say.
    torch.testing.assert_close(found[1], whole[1], rtol=1e-10, atol=1e-8)


def test_groups_share_the_columns_of_the_whole_table():
    """Were blocks scaled within groups, a change of scale would cost nothing to ignore."""
    rng = np.random.default_rng(6)
    x = rng.standard_normal((200, 2))
    x[100:, 1] *= 4
    data = dataset(x / x.std(0), "continuous", regime=np.repeat([0, 1], 100))
    for n_columns in (1, 3):
        likelihood = BlockBGe(n_columns=n_columns)
        plain = likelihood.local_scores(data).empty
        options = ChangedMechanisms(likelihood=likelihood, targets={1: ["v0", "v1"]})
        changed = options.local_scores(data).empty
        assert float(changed[1] - plain[1]) > 20
        assert float(changed[0] - plain[0]) < 0


@pytest.mark.parametrize(("likelihood", "data"), CASES)
@pytest.mark.parametrize("max_parents", [2, 5])
def test_a_regime_as_parent_gives_its_rows_a_mechanism_of_their_own(likelihood, data, max_parents):
    table = add_regime_columns(data)
    assert table.names == ("v0", "v1", "v2", "v3", "regime 1", "regime 5")
    options = UnknownTargets(likelihood=likelihood, regimes=table.names[4:])
    scores = options.local_scores(table)
    assert isinstance(scores, LocalScores)
    assert isinstance(options, DecomposableLikelihood)
    candidates = torch.flip(every_other(6), dims=[1])  # the regimes come first
    tables = scores.tables(candidates, max_parents)
    regimes = {4: 1, 5: 5}
    whole = absolute(likelihood, rows_of(data, slice(None)), every_other(4), 3)
    torch.testing.assert_close(scores.empty[:4], whole[:, 0])
    parts = {
        kept: absolute(likelihood, rows_of(data, np.isin(data.regime, kept)), every_other(4), 3)
        for kept in [(0, 1, 5), (0, 1), (0, 5), (0,), (1,), (5,)]
    }
    for j in range(4):
        row, inner = candidates[j].tolist(), every_other(4)[j].tolist()
        for m in range(32):
            parents = [row[b] for b in range(5) if m >> b & 1]
            if len(parents) > max_parents:
                assert tables[j, m] == -torch.inf
                continue
            changed = [regimes[p] for p in parents if p > 3]
            rest = tuple(r for r in (0, 1, 5) if r not in changed)
            index = sum(1 << inner.index(p) for p in parents if p < 4)
            expected = sum(parts[kept][j, index] for kept in [rest, *((r,) for r in changed)])
            assert float(tables[j, m]) == pytest.approx(float(expected - whole[j, 0]), abs=1e-8)


def test_regimes_have_no_parents():
    table = add_regime_columns(binary_table())
    scores = UnknownTargets(likelihood=BDeu(), regimes=table.names[4:]).local_scores(table)
    tables = scores.tables(every_other(6), 5)
    assert (tables[4:, 0] == 0).all()
    assert (tables[4:, 1:] == -torch.inf).all()
    assert (scores.empty[4:] == 0).all()


def test_candidates_may_leave_regimes_out_for_some_variables():
    table = add_regime_columns(binary_table())
    scores = UnknownTargets(likelihood=BDeu(), regimes=table.names[4:]).local_scores(table)
    full = scores.tables(every_other(6), 5)
    candidates = torch.tensor([[1, 2], [4, 0], [5, 4], [5, 2], [0, 1], [0, 1]])
    some = scores.tables(candidates, 5)
    for j in range(4):
        bits = [every_other(6)[j].tolist().index(p) for p in candidates[j].tolist()]
        masks = [0, 1 << bits[0], 1 << bits[1], 1 << bits[0] | 1 << bits[1]]
        torch.testing.assert_close(some[j], full[j, masks])


def test_marks_may_be_scaled_and_may_stand_anywhere():
    table = add_regime_columns(binary_table())
    order = ["regime 5", "v0", "v1", "regime 1", "v2", "v3"]
    moved = table.select(order)
    moved.values[:, [0, 3]] = moved.values[:, [0, 3]] * 3 - 1
    regimes = ("regime 1", "regime 5")
    candidates = every_other(6)
    expected = UnknownTargets(likelihood=BDeu(), regimes=regimes).local_scores(table)
    found = UnknownTargets(likelihood=BDeu(), regimes=regimes).local_scores(moved)
    at = [table.names.index(name) for name in order]
    whole = expected.tables(candidates, 5)
    for j, row in enumerate(found.tables(candidates, 5)):
        for m in range(32):
            parents = [at[p] for b, p in enumerate(candidates[j].tolist()) if m >> b & 1]
            mask = sum(1 << candidates[at[j]].tolist().index(p) for p in parents)
            assert float(row[m]) == pytest.approx(float(whole[at[j], mask]), abs=1e-10)


def posterior_of_targets(table, options):
    graphs = all_dags(table.d)
    scores = options.local_scores(table)
    candidates = every_other(table.d)
    tables = scores.tables(candidates, table.d - 1)
    total = torch.zeros(len(graphs), dtype=torch.float64)
    for j in range(table.d):
        index = (graphs[:, candidates[j], j].long() << torch.arange(table.d - 1)).sum(-1)
        total += tables[j, index]
    return regime_targets(graphs, total, table.names, options.regimes)


def test_the_posterior_finds_what_a_regime_changed():
    rng = np.random.default_rng(7)
    n = 400
    changed = np.arange(n) >= n // 2
    a = rng.standard_normal(n)
    b = np.where(changed, -2.0, 0.5) * a + rng.standard_normal(n)
    c = b + rng.standard_normal(n)
    x = np.stack([a, b, c], axis=1)
    data = dataset((x - x.mean(0)) / x.std(0), "continuous", regime=changed.astype(int))
    table = add_regime_columns(data)
    options = UnknownTargets(likelihood=BlockBGe(), regimes=("regime 1",))
    found = posterior_of_targets(table, options)
    assert found.shape == (1, 3)
    assert float(found[0, 1]) > 0.999
    assert float(found[0, [0, 2]].max()) < 0.2


def test_scores_that_are_only_relative_are_refused():
    """Flat priors have no evidence, so that one and two mechanisms cannot be compared."""
    table = add_regime_columns(as_continuous(binary_table()))
    options = UnknownTargets(likelihood=RankBasis(), regimes=table.names[4:])
    with pytest.raises(InputError, match="'rank-basis' is known up to a constant only"):
        options.local_scores(table)


def test_targets_are_weighted_by_the_draws():
    graphs = torch.zeros(3, 3, 3, dtype=torch.bool)
    graphs[0, 2, 0] = graphs[1, 2, 1] = graphs[2, 0, 1] = True
    weights = torch.tensor([0.5, 0.25, 0.25]).log()
    found = regime_targets(graphs, weights, ("a", "b", "regime 1"), ("regime 1",))
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.25]], dtype=torch.float64))


def test_a_chosen_reference_is_left_out():
    table = add_regime_columns(binary_table(), reference=5)
    assert table.names[4:] == ("regime 0", "regime 1")
    assert table.kinds[4:] == ("binary", "binary")
    assert table.regime is None
    np.testing.assert_array_equal(table.values[:, 4], binary_table().regime == 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: add_regime_columns(replace(binary_table(), regime=None)), "has no regimes"),
        (lambda: add_regime_columns(binary_table(), reference=2), r"regimes \[0, 1, 5\]"),
        (
            lambda: ChangedMechanisms(likelihood=BDeu(), targets={2: ["v0"]}).local_scores(
                binary_table()
            ),
            r"names the regime 2, but the table has the regimes \[0, 1, 5\]",
        ),
        (
            lambda: ChangedMechanisms(likelihood=BDeu(), targets={1: ["w"]}).local_scores(
                binary_table()
            ),
            "no column 'w'",
        ),
        (
            lambda: UnknownTargets(likelihood=BDeu(), regimes=("v0", "v1")).local_scores(
                binary_table()
            ),
            "rows belong to several of the regimes v0, v1",
        ),
        (
            lambda: UnknownTargets(
                likelihood=BDeu(), regimes=tuple(f"r{i}" for i in range(11))
            ).local_scores(binary_table()),
            "at most 10 regimes",
        ),
    ],
)
def test_wrong_regimes_are_named(change, message):
    with pytest.raises(InputError, match=message):
        change()


@pytest.mark.parametrize("named", ["bdeu", {"name": "bdeu", "equivalent_sample_size": 2.0}])
def test_a_likelihood_is_wrapped_by_its_name_too(named):
    data = binary_table()
    options = BDeu() if isinstance(named, str) else BDeu(equivalent_sample_size=2.0)
    for wrap, table in (
        (partial(ChangedMechanisms, targets={1: ["v1"]}), data),
        (partial(UnknownTargets, regimes=("regime 1", "regime 5")), add_regime_columns(data)),
    ):
        candidates = every_other(table.d)
        found = wrap(likelihood=named).local_scores(table).tables(candidates, 1)
        expected = wrap(likelihood=options).local_scores(table).tables(candidates, 1)
        assert torch.equal(found, expected)


def test_a_wrapped_name_that_is_none_or_has_no_tables_is_refused():
    for wrap in (partial(ChangedMechanisms, targets={}), partial(UnknownTargets, regimes=())):
        with pytest.raises(InputError, match="Did you mean 'bge'"):
            wrap(likelihood="bgee")
        with pytest.raises(InputError, match=r"can be integrated out.*not 'mlp'"):
            wrap(likelihood="mlp")

"""BDeu and qNML against golden numbers, cell-by-cell counting and score equivalence."""

import json
import math
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaln

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.graphs import all_dags, cpdag
from aetia.likelihoods.binary_counts import binary_tables, count_ones
from aetia.likelihoods.cell_counts import sum_over_cells
from aetia.likelihoods.discrete import QNML, BDeu
from aetia.likelihoods.local_scores import DecomposableLikelihood, LocalScores
from aetia.likelihoods.multinomial_regret import _approximation, log_multinomial_regret


def table(codes, levels, *, intervened=None, binary=()):
    codes = np.asarray(codes)
    names = tuple(f"v{i}" for i in range(codes.shape[1]))
    return Dataset(
        values=codes.astype(float),
        names=names,
        observed=np.ones(codes.shape, dtype=bool),
        intervened=intervened,
        kinds=tuple("binary" if i in binary else "categorical" for i in range(len(names))),
        levels={
            name: tuple(f"level {k}" for k in range(levels[i]))
            for i, name in enumerate(names)
            if i not in binary
        },
    )


def random_codes(n, levels, seed):
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, r, n) for r in levels], axis=1)
    for j in range(1, len(levels)):  # some dependence between neighbours
        copied = rng.random(n) < 0.5
        codes[copied, j] = codes[copied, j - 1] % levels[j]
    return codes


def every_other(d):
    return torch.tensor([[i for i in range(d) if i != j] for j in range(d)])


def counts_by_hand(codes, levels, j, parents):
    """Rows with each value of j in each cell of the parents, one cell after another."""
    for cell in product(*(range(levels[p]) for p in parents)):
        inside = np.ones(len(codes), dtype=bool)
        for p, level in zip(parents, cell, strict=True):
            inside &= codes[:, p] == level
        yield [int((inside & (codes[:, j] == v)).sum()) for v in range(levels[j])]


def bdeu_by_hand(codes, levels, j, parents, a=1.0):
    q, r = math.prod(levels[p] for p in parents), levels[j]
    total = 0.0
    for counts in counts_by_hand(codes, levels, j, parents):
        total += gammaln(a / q) - gammaln(a / q + sum(counts))
        total += sum(gammaln(a / (q * r) + c) - gammaln(a / (q * r)) for c in counts)
    return total


def qnml_by_hand(codes, levels, j, parents, a=None):
    q, r = math.prod(levels[p] for p in parents), levels[j]
    fit = 0.0
    for counts in counts_by_hand(codes, levels, j, parents):
        fit += sum(c * math.log(c / sum(counts)) for c in counts if c)
    n = len(codes)
    return fit - log_multinomial_regret(n, q * r) + log_multinomial_regret(n, q)


SCORES = [(BDeu(), bdeu_by_hand), (QNML(), qnml_by_hand)]


def check_tables(scores, candidates, max_parents, by_hand):
    tables = scores.tables(candidates, max_parents)
    for j, row in enumerate(candidates.tolist()):
        alone = by_hand(j, [])
        assert float(scores.empty[j]) == pytest.approx(alone, abs=1e-8)
        for m in range(1 << len(row)):
            parents = [row[b] for b in range(len(row)) if m >> b & 1]
            if len(parents) > max_parents:
                assert tables[j, m] == -torch.inf
            else:
                expected = by_hand(j, parents) - alone
                assert float(tables[j, m]) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("options", "by_hand"), SCORES)
@pytest.mark.parametrize("n", [7, 60])
def test_tables_equal_counting_one_cell_after_another(options, by_hand, n):
    levels = [2, 3, 2, 5, 2]
    codes = random_codes(n, levels, seed=1)
    scores = options.local_scores(table(codes, levels, binary=(0, 2)))
    assert isinstance(scores, LocalScores)
    assert isinstance(options, DecomposableLikelihood)
    check_tables(scores, every_other(5), 2, lambda j, parents: by_hand(codes, levels, j, parents))


def test_candidates_in_any_order_and_many_columns_give_the_same_scores():
    levels = [2, 3] * 12  # more columns than share one array
    codes = random_codes(50, levels, seed=2)
    rng = np.random.default_rng(3)
    d = len(levels)
    candidates = torch.tensor(
        [rng.permutation([i for i in range(d) if i != j])[:3].tolist() for j in range(d)]
    )
    scores = BDeu(equivalent_sample_size=3.0).local_scores(table(codes, levels))
    check_tables(scores, candidates, 3, lambda j, p: bdeu_by_hand(codes, levels, j, p, a=3.0))


@pytest.mark.parametrize(("options", "by_hand"), SCORES)
def test_rows_in_which_a_variable_was_set_leave_its_score(options, by_hand):
    levels = [2, 3, 2, 2]
    codes = random_codes(40, levels, seed=4)
    intervened = np.zeros(codes.shape, dtype=bool)
    intervened[:10, 1] = intervened[5:20, 2] = intervened[:, 3] = True
    scores = options.local_scores(table(codes, levels, intervened=intervened))
    check_tables(
        scores,
        every_other(4),
        3,
        lambda j, p: by_hand(codes[~intervened[:, j]], levels, j, p) if j < 3 else 0.0,
    )


def test_bdeu_gives_the_golden_local_scores():
    text = (Path(__file__).parents[1] / "golden" / "order.json").read_text()
    case = next(c for c in json.loads(text)["cases"] if c["name"] == "bdeu_d4")
    scores = BDeu(equivalent_sample_size=case["ess"]).local_scores(table(case["x"], case["arity"]))
    golden = {(row["node"], tuple(row["parents"])): row["score"] for row in case["local_scores"]}
    check_tables(scores, every_other(4), 3, lambda j, parents: golden[j, tuple(parents)])


@pytest.mark.parametrize("options", [BDeu(), BDeu(equivalent_sample_size=10.0), QNML()])
def test_equivalent_graphs_have_the_same_score(options):
    levels = [2, 4, 3, 2]
    scores = options.local_scores(table(random_codes(80, levels, seed=5), levels))
    candidates = every_other(4)
    tables = scores.tables(candidates, 3)
    by_class: dict[bytes, list[float]] = {}
    for graph in all_dags(4):
        total = 0.0
        for j in range(4):
            member = graph[candidates[j], j].long()
            total += float(tables[j, int((member << torch.arange(3)).sum())])
        by_class.setdefault(cpdag(graph[None])[0].numpy().tobytes(), []).append(total)
    assert len(by_class) == 185
    assert max(max(v) - min(v) for v in by_class.values()) < 1e-9


def test_parent_sets_with_more_than_four_states_a_row_are_not_scored():
    levels = [5, 5, 5, 2]
    scores = BDeu().local_scores(table(random_codes(10, levels, seed=6), levels))
    tables = scores.tables(every_other(4), 3)
    # 25 states are within 4 times 10 rows, 125 are not.
    assert torch.isfinite(tables[3, :7]).all()
    assert tables[3, 7] == -torch.inf


@given(st.integers(0, 2**31), st.integers(1, 60))
def test_sums_over_cells_do_not_depend_on_how_cells_are_counted(seed, n):
    rng = np.random.default_rng(seed)
    levels = tuple(int(r) for r in rng.integers(1, 9, 4)) if seed % 2 else (2, 2, 2, 2)
    codes = np.stack([rng.integers(0, r, n) for r in levels], axis=1)
    sums = sum_over_cells(codes, levels, np.arange(16), lambda n, q: (np.arange(n + 1) ** 2.0, q))
    for m in range(16):
        kept = [b for b in range(4) if m >> b & 1]
        _, counts = np.unique(codes[:, kept], axis=0, return_counts=True)
        expected = (counts**2.0).sum() if kept else n**2
        assert sums[m] == pytest.approx(expected + math.prod(levels[b] for b in kept))


@pytest.mark.parametrize("n", [1, 64, 65, 500])
def test_tables_of_binary_columns_equal_counting_rows(n):
    rng = np.random.default_rng(n)
    codes = rng.integers(0, 2, (n, 12))  # two parts of columns
    subsets = np.array([0b110000000001, 0b000000001110, 0b100000000110])
    tables = binary_tables(count_ones(codes, subsets), subsets, 3)
    for table, subset in zip(tables, subsets.tolist(), strict=True):
        columns = [b for b in range(12) if subset >> b & 1]
        cell = (codes[:, columns] << np.arange(3)).sum(1)
        assert table.tolist() == np.bincount(cell, minlength=8).tolist()


@pytest.mark.parametrize(("n", "q"), [(1, 3), (4, 2), (5, 3), (6, 4)])
def test_the_regret_is_the_sum_over_all_tables_of_counts(n, q):
    total = 0.0
    for bars in combinations(range(n + q - 1), q - 1):
        counts = np.diff([-1, *bars, n + q - 1]) - 1
        log_choose = gammaln(n + 1) - gammaln(counts + 1).sum()
        total += math.exp(log_choose + sum(c * math.log(c / n) for c in counts if c))
    assert log_multinomial_regret(n, q) == pytest.approx(math.log(total), abs=1e-12)


@pytest.mark.parametrize("n", [100, 2_000, 50_000, 1_000_000])
def test_the_approximation_of_the_regret_keeps_its_accuracy(n):
    exact = log_multinomial_regret(n, 20_000)
    assert abs(_approximation(n, 20_000) - exact) < 2e-5


def test_a_binary_column_may_hold_any_two_values():
    codes = random_codes(30, [2, 2, 2], seed=7)
    plain = BDeu().local_scores(table(codes, [2, 2, 2], binary=(0, 1, 2)))
    coded = BDeu().local_scores(table(codes * 5 - 3, [2, 2, 2], binary=(0, 1, 2)))
    candidates = every_other(3)
    assert torch.equal(plain.tables(candidates, 2), coded.tables(candidates, 2))


def test_columns_of_another_kind_are_named():
    data = table(random_codes(20, [2, 3], seed=8), [2, 3])
    counts = Dataset(
        values=data.values, names=("a", "visits"), observed=data.observed, kinds=("binary", "count")
    )
    with pytest.raises(InputError, match=r"'visits' is count \(1 of 2 columns\)"):
        BDeu().local_scores(counts)


def test_missing_cells_are_named():
    data = table(random_codes(20, [2, 3], seed=9), [2, 3])
    data.observed[3:5, 1] = False
    with pytest.raises(InputError, match=r"missing in 'v1' \(2\) of 20 rows"):
        QNML().local_scores(data)


def test_a_binary_column_with_three_values_is_refused():
    with pytest.raises(InputError, match="'v1' is declared binary but holds 3 values"):
        BDeu().local_scores(table([[0, 0], [1, 1], [0, 2]], [2, 3], binary=(0, 1)))


def test_a_code_outside_the_levels_is_refused():
    with pytest.raises(InputError, match="'v1' has 2 levels"):
        BDeu().local_scores(table([[0, 0], [1, 1], [0, 2]], [2, 2], binary=(0,)))

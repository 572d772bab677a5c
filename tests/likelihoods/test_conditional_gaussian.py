"""The conditional Gaussian likelihood against golden numbers and regressions cell by cell."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import gammaln
from scipy.stats import multivariate_t

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.likelihoods.conditional_gaussian import ConditionalGaussian
from aetia.likelihoods.discrete import BDeu
from aetia.likelihoods.local_scores import DecomposableLikelihood, LocalScores


def dataset(values, kinds, levels=None):
    values = np.asarray(values, dtype=float)
    return Dataset(
        values=values,
        names=tuple(f"v{i}" for i in range(values.shape[1])),
        observed=np.ones(values.shape, dtype=bool),
        kinds=tuple(kinds),
        levels=levels or {},
    )


KINDS = ("continuous", "binary", "categorical", "continuous", "continuous", "binary")


def mixed_table(n=80, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(n)
    b = (a + rng.standard_normal(n) > 0).astype(float)
    c = rng.integers(0, 3, n).astype(float)
    d = 0.8 * a * (c - 1) + rng.standard_normal(n)
    e = d + b + rng.standard_normal(n)
    f = rng.integers(0, 2, n).astype(float)
    return dataset(np.stack([a, b, c, d, e, f], axis=1), KINDS, {"v2": ("x", "y", "z")})


def every_other(d):
    return torch.tensor([[i for i in range(d) if i != j] for j in range(d)])


def student_evidence(y, design, df, variance, precision):
    """The same evidence as one multivariate Student density of the response."""
    shape = variance * (np.eye(len(y)) + design @ design.T / precision)
    return multivariate_t(np.zeros(len(y)), shape, df=df).logpdf(y)


def regression_by_hand(data, j, parents, rows, options):
    coded = [p for p in parents if KINDS[p] != "continuous"]
    numeric = [p for p in parents if KINDS[p] == "continuous"]
    x = data.values[rows]
    total = 0.0
    for cell in np.unique(x[:, coded], axis=0):
        inside = x[(x[:, coded] == cell).all(1)]
        design = np.column_stack([np.ones(len(inside)), inside[:, numeric]])
        total += student_evidence(
            inside[:, j],
            design,
            options.prior_df,
            options.prior_variance,
            options.prior_precision,
        )
    return total


@pytest.mark.parametrize("with_interventions", [False, True])
@pytest.mark.parametrize("max_parents", [2, 5])
def test_tables_equal_student_densities_cell_by_cell(with_interventions, max_parents):
    data = mixed_table()
    intervened = np.zeros(data.values.shape, dtype=bool)
    if with_interventions:
        intervened[:30, 3] = intervened[20:40, 1] = True
    data = replace(data, intervened=intervened)
    options = ConditionalGaussian(prior_df=4.0, prior_variance=0.5, prior_precision=0.3)
    scores = options.local_scores(data)
    assert isinstance(scores, LocalScores)
    assert isinstance(options, DecomposableLikelihood)
    candidates = torch.flip(every_other(6), dims=[1])
    tables = scores.tables(candidates, max_parents)
    for j in (0, 3, 4):
        rows = ~intervened[:, j]
        alone = regression_by_hand(data, j, [], rows, options)
        assert float(scores.empty[j]) == pytest.approx(alone, abs=1e-8)
        row = candidates[j].tolist()
        for m in range(32):
            parents = [row[b] for b in range(5) if m >> b & 1]
            if len(parents) > max_parents:
                assert tables[j, m] == -torch.inf
            else:
                expected = regression_by_hand(data, j, parents, rows, options) - alone
                assert float(tables[j, m]) == pytest.approx(expected, abs=1e-7)


def test_a_variable_that_was_set_in_every_row_scores_zero():
    data = mixed_table(n=20)
    intervened = np.zeros(data.values.shape, dtype=bool)
    intervened[:, [0, 1]] = True
    scores = ConditionalGaussian().local_scores(replace(data, intervened=intervened))
    tables = scores.tables(every_other(6), 2)
    sizes = torch.tensor([m.bit_count() for m in range(32)])
    assert scores.empty[0] == scores.empty[1] == 0.0
    assert (tables[0, sizes <= 2] == 0.0).all()
    assert (tables[0, sizes > 2] == -torch.inf).all()
    assert set(tables[1].tolist()) == {0.0, -math.inf}


def test_discrete_variables_have_bdeu_scores_and_no_continuous_parents():
    data = mixed_table()
    scores = ConditionalGaussian(equivalent_sample_size=2.0).local_scores(data)
    coded = data.select(["v1", "v2", "v5"])
    alone = BDeu(equivalent_sample_size=2.0).local_scores(coded)
    expected = alone.tables(every_other(3), 2)
    tables = scores.tables(every_other(6), 5)
    assert torch.allclose(scores.empty[[1, 2, 5]], alone.empty)
    # Of the five candidates of column 2 (0, 1, 3, 4, 5), bits 1 and 4 are discrete.
    torch.testing.assert_close(tables[2, [0, 2, 16, 18]], expected[1])
    others = [m for m in range(32) if m not in (0, 2, 16, 18)]
    assert (tables[2, others] == -torch.inf).all()


def test_the_golden_local_scores():
    text = (Path(__file__).parents[1] / "golden" / "order.json").read_text()
    case = next(c for c in json.loads(text)["cases"] if c["name"] == "cgauss_d4")
    kinds = ["binary" if k else "continuous" for k in case["kinds"]]
    options = ConditionalGaussian(
        prior_df=case["nu0"],
        prior_precision=case["k0"],
        prior_variance=case["s20"],
        equivalent_sample_size=case["ess"],
    )
    scores = options.local_scores(dataset(case["x"], kinds))
    candidates = every_other(4)
    tables = scores.tables(candidates, 3) + scores.empty[:, None]
    for row in case["local_scores"]:
        j = row["node"]
        m = sum(1 << candidates[j].tolist().index(p) for p in row["parents"])
        if row["score"] is None:
            assert tables[j, m] == -torch.inf
        else:
            assert float(tables[j, m]) == pytest.approx(row["score"], abs=1e-9)


def test_tables_without_discrete_columns_have_one_cell():
    rng = np.random.default_rng(1)
    data = dataset(rng.standard_normal((25, 3)), ["continuous"] * 3)
    options = ConditionalGaussian()
    tables = options.local_scores(data).tables(every_other(3), 2)
    y, design = data.values[:, 0], np.column_stack([np.ones(25), data.values[:, 1:]])
    expected = student_evidence(y, design, 3.0, 1.0, 1.0)
    expected -= student_evidence(y, np.ones((25, 1)), 3.0, 1.0, 1.0)
    assert float(tables[0, 3]) == pytest.approx(expected)


def test_sets_of_discrete_parents_with_too_many_states_are_not_scored():
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 6, (20, 3))
    data = dataset(
        np.column_stack([rng.standard_normal(20), codes]),
        ["continuous"] + ["categorical"] * 3,
        {f"v{i}": tuple("abcdef") for i in (1, 2, 3)},
    )
    tables = ConditionalGaussian().local_scores(data).tables(every_other(4), 3)
    assert torch.isfinite(tables[0, [3, 5, 6]]).all()  # 36 states, at most 80
    assert tables[0, 7] == -torch.inf


def test_counts_are_refused_by_name():
    data = dataset(np.arange(20.0).reshape(10, 2), ["continuous", "count"])
    with pytest.raises(InputError, match=r"'v1' is count .*likelihood='block'"):
        ConditionalGaussian().local_scores(data)


def test_the_formula_of_a_cell_equals_a_student_density():
    """The closed form of the module's docstring, written out for one cell."""
    rng = np.random.default_rng(3)
    y, design = rng.standard_normal(12), np.column_stack([np.ones(12), rng.standard_normal(12)])
    k0, df, v0 = 0.7, 5.0, 1.3
    gram = k0 * np.eye(2) + design.T @ design
    rss = y @ y - y @ design @ np.linalg.solve(gram, design.T @ y)
    formula = (
        -6 * math.log(math.pi)
        + math.log(k0)
        - 0.5 * np.linalg.slogdet(gram)[1]
        + gammaln(0.5 * (df + 12))
        - gammaln(0.5 * df)
        + 0.5 * df * math.log(df * v0)
        - 0.5 * (df + 12) * math.log(df * v0 + rss)
    )
    assert formula == pytest.approx(student_evidence(y, design, df, v0, k0))

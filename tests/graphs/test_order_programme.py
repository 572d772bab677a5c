"""Sums over orders and exact draws, against every DAG listed and against sums over layers."""

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import layered_programme
from aetia.graphs import (
    SparseEdgeRate,
    all_dags,
    distinct_graphs,
    draw_dags,
    is_acyclic,
    log_linear_extensions,
    order_programme,
    subset_log_sums,
)
from conftest import GOLDEN

CASES = {
    c["name"]: c
    for c in json.loads((GOLDEN / "order.json").read_text())["cases"]
    if "local_scores" in c
}
PRIORS = ("uniform", "fair")


def others(d):
    return torch.tensor([[i for i in range(d) if i != j] for j in range(d)])


def golden_tables(case, prior):
    """Local scores of every parent set, as listed, with the structure prior added."""
    d = case["d"]
    tables = torch.full((d, 1 << (d - 1)), -math.inf, dtype=torch.float64)
    candidates = others(d)
    place = [{int(i): b for b, i in enumerate(row)} for row in candidates]
    for entry in case["local_scores"]:
        if entry["score"] is None:
            continue
        j, parents = entry["node"], entry["parents"]
        index = sum(1 << place[j][i] for i in parents)
        tables[j, index] = entry["score"]
        if prior == "fair":
            tables[j, index] -= math.log(math.comb(d - 1, len(parents)))
    return tables, candidates


def random_tables(d, seed, spread=3.0):
    generator = torch.Generator().manual_seed(seed)
    tables = spread * torch.randn(d, 1 << (d - 1), dtype=torch.float64, generator=generator)
    return tables - 0.5 * torch.tensor([bin(m).count("1") for m in range(1 << (d - 1))]), others(d)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("prior", PRIORS)
def test_the_sum_over_orders_counts_each_dag_once_for_each_of_its_orders(name, prior):
    case = CASES[name]
    programme = order_programme(*golden_tables(case, prior))
    expected = case[prior]["order_modular"]["log_evidence"]
    assert programme.log_total == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", [n for n in CASES if CASES[n]["d"] <= 4])
def test_the_sum_over_layers_of_the_reference_is_the_listed_evidence(name):
    case = CASES[name]
    tables, candidates = golden_tables(case, "uniform")
    total = layered_programme.log_total(tables.numpy(), candidates.numpy())
    assert total == pytest.approx(case["uniform"]["log_evidence"], abs=1e-9)


@given(st.integers(2, 5), st.integers(0, 10_000))
def test_sums_over_subsets_are_sums_over_subsets(k, seed):
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(1 << k, dtype=torch.float64, generator=generator)
    table[torch.rand(1 << k, generator=generator) < 0.3] = -math.inf
    sums = subset_log_sums(table)
    for m in range(1 << k):
        inside = [s for s in range(1 << k) if s & ~m == 0]
        assert float(sums[m]) == pytest.approx(float(table[inside].logsumexp(0)), abs=1e-12)


def test_topological_orders_of_all_dags_are_as_many_as_orders_with_upper_triangles():
    for d, total in ((3, 48), (4, 1_536), (5, 122_880)):  # d! 2^(d (d - 1) / 2)
        assert float(log_linear_extensions(all_dags(d)).exp().sum()) == pytest.approx(total)


@given(st.integers(1, 7), st.floats(0.05, 0.9), st.integers(0, 10_000))
def test_topological_orders_are_counted_as_by_removing_sources(d, density, seed):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(d, generator=generator)
    upper = torch.rand(d, d, generator=generator).triu(1) > 1 - density
    graph = upper[order][:, order]

    def count(left):
        if not left:
            return 1
        sources = [v for v in left if not any(graph[u, v] for u in left)]
        return sum(count(left - {v}) for v in sources)

    found = float(log_linear_extensions(graph[None])[0].exp())
    assert found == pytest.approx(count(frozenset(range(d))))


def test_a_forest_of_twenty_has_the_orders_of_the_hook_length_formula():
    generator = torch.Generator().manual_seed(3)
    graph = torch.zeros(20, 20, dtype=torch.bool)
    for child in range(1, 20):
        if child % 5:
            graph[int(torch.randint(child, (1,), generator=generator)), child] = True
    below = torch.eye(20, dtype=torch.bool) | graph
    for _ in range(5):
        below = (below.float() @ below.float()) > 0
    hooks = math.lgamma(21) - float(below.sum(-1).double().log().sum())
    assert float(log_linear_extensions(graph[None])[0]) == pytest.approx(hooks)


def test_draws_are_acyclic_follow_their_seed_and_use_candidates_only():
    tables, _ = random_tables(4, 0)
    candidates = torch.tensor([[1, 2, 5], [0, 2, 3], [0, 1, 4], [1, 4, 5], [2, 3, 5], [0, 3, 4]])
    tables = torch.cat([tables, tables[:2]])
    programme = order_programme(tables, candidates)

    def draw(seed):
        return draw_dags(programme, 500, torch.Generator().manual_seed(seed))

    graphs = draw(1)
    assert is_acyclic(graphs).all()
    allowed = torch.zeros(6, 6, dtype=torch.bool)
    for j, row in enumerate(candidates):
        allowed[row, j] = True
    assert not (graphs & ~allowed).any()
    assert torch.equal(graphs, draw(1))
    assert not torch.equal(graphs, draw(2))


def test_the_sum_with_few_candidates_is_that_of_full_tables_that_rule_the_others_out():
    d = 6
    full, everyone = random_tables(d, 5)
    candidates = torch.tensor(
        [[i for i in range(d) if i not in (j, (j + 1) % d)] for j in range(d)]
    )
    few = torch.full((d, 1 << (d - 2)), -math.inf, dtype=torch.float64)
    for j in range(d):
        place = {int(i): b for b, i in enumerate(everyone[j])}
        for m in range(1 << (d - 2)):
            members = [int(candidates[j, b]) for b in range(d - 2) if m >> b & 1]
            few[j, m] = full[j, sum(1 << place[i] for i in members)]
    restricted = full.clone()
    for j in range(d):
        bit = [int(i) for i in everyone[j]].index((j + 1) % d)
        restricted[j, torch.arange(1 << (d - 1)) >> bit & 1 == 1] = -math.inf
    total = order_programme(restricted, everyone).log_total
    assert order_programme(few, candidates).log_total == pytest.approx(total, abs=1e-10)


def test_equal_graphs_are_merged():
    dags = all_dags(4)[::7]
    graphs = torch.cat([dags, dags.flip(0), dags])
    distinct, which = distinct_graphs(graphs)
    assert len(distinct) == len(dags)
    assert torch.equal(distinct[which], graphs)
    wide = torch.rand(50, 70, 70, generator=torch.Generator().manual_seed(0)) < 0.1
    distinct, which = distinct_graphs(torch.cat([wide, wide[:10]]))
    assert len(distinct) == 50
    assert torch.equal(distinct[which[:50]], wide)
    assert torch.equal(which[50:], which[:10])


def test_the_sparse_prior_expects_about_one_parent_before_acyclicity():
    terms = SparseEdgeRate().parent_count_terms(20)
    sets = torch.tensor([math.comb(19, k) for k in range(20)], dtype=torch.float64)
    weight = terms.exp() * sets
    assert float(weight.sum()) == pytest.approx(1.0)
    assert float((weight * torch.arange(20)).sum()) == pytest.approx(19 / 20, rel=1e-6)


def test_impossible_parent_sets_are_never_drawn():
    tables, candidates = random_tables(4, 9)
    tables[torch.rand(tables.shape, generator=torch.Generator().manual_seed(1)) < 0.5] = -math.inf
    tables[:, 0] = 0.0
    graphs = draw_dags(order_programme(tables, candidates), 4_000, torch.Generator().manual_seed(0))
    places = 1 << torch.arange(3)
    dags = all_dags(4)
    chosen = torch.stack([(dags[:, candidates[j], j] * places).sum(-1) for j in range(4)], -1)
    possible = (tables[torch.arange(4), chosen] > -math.inf).all(-1)
    assert 20 < int(possible.sum()) < 300
    assert {g.numpy().tobytes() for g in graphs} <= {g.numpy().tobytes() for g in dags[possible]}

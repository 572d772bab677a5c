"""Greedy DAGs: growing and shrinking against plain loops, the search against all orders."""

import itertools

import numpy as np
import pytest
import torch

from aetia.discovery.best_positions import (
    allowed_orders,
    best_positions,
    favour,
    gaussian_score,
    greedy_dags,
)
from aetia.discovery.candidate_parents import choose_candidates
from aetia.discovery.grow_shrink import GrowShrink
from aetia.discovery.order_mcmc import OrderMCMC, sampling
from aetia.discovery.table import Accepts, read_table
from aetia.graphs import Knowledge, SparseEdgeRate, is_acyclic
from aetia.likelihoods import BDeu, BGe


def table_of(d, seed=0, n=80, share=0.5):
    """A linear table with a dense graph, in which single parents mislead."""
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.normal(size=(d, d)), 1) * (rng.random((d, d)) < share)
    x = np.zeros((n, d))
    for j in range(d):
        x[:, j] = x @ weights[:, j] + 0.4 * rng.normal(size=n)
    x = x[:, rng.permutation(d)]
    return (x - x.mean(0)) / x.std(0)


def constraints_for(d, **statements):
    names = tuple(f"x{i}" for i in range(d))
    constraints = Knowledge.from_dict(statements).constraints(names)
    return constraints._replace(forbidden=constraints.forbidden | torch.eye(d, dtype=torch.bool))


def plain_score(scores, terms, constraints, node, parents):
    graph = torch.zeros(len(terms), len(terms), dtype=torch.bool)
    graph[list(parents), node] = True
    odds = sum(float(constraints.log_odds[p, node]) for p in parents)
    return float(scores.node_scores(graph)[node]) + float(terms[len(parents)]) + odds


def plain_grow_shrink(scores, terms, constraints, node, allowed, max_parents):
    """Parents and their score, one set after the other."""
    required = {i for i in allowed if constraints.required[i, node]}
    allowed = {i for i in allowed if not constraints.forbidden[i, node]}

    def score(s):
        return plain_score(scores, terms, constraints, node, s)

    chosen = set(required)
    while len(chosen) < max_parents and allowed - chosen:
        best = max(sorted(allowed - chosen), key=lambda i: score(chosen | {i}))
        if score(chosen | {best}) <= score(chosen):
            break
        chosen |= {best}
    grown = set(chosen)
    while chosen - required:
        worst = max(sorted(chosen - required), key=lambda i: score(chosen - {i}))
        if score(chosen - {worst}) <= score(chosen):
            break
        chosen -= {worst}
    return chosen, grown, score(chosen)


@pytest.mark.parametrize("intervened", [False, True])
def test_many_runs_at_once_equal_plain_growing_and_shrinking(intervened):
    d, shrunk = 7, 0
    for seed in range(4):
        x = torch.from_numpy(table_of(d, seed))
        noise = torch.randn(80, 2, generator=torch.Generator().manual_seed(seed)).double()
        # x4 is the best single parent of x6, and useless next to x2 and x5.
        x[:, 4] = x[:, 2] + x[:, 5] + 0.5 * noise[:, 0]
        x[:, 6] = x[:, 2] + x[:, 5] + 0.2 * noise[:, 1]
        marks = torch.rand(80, d, generator=torch.Generator().manual_seed(seed)) < 0.2
        scores = BGe().on(x, marks if intervened else None)
        terms = SparseEdgeRate().parent_count_terms(d)
        constraints = constraints_for(
            d,
            required=["x1 -> x0"],
            forbidden=["x2 -> x3"],
            beliefs={"x3 -> x5": 0.9},
        )
        max_parents = d - 1 if seed < 3 else 2
        rng = np.random.default_rng(seed)
        node = rng.integers(d, size=40)
        allowed = rng.random((40, d)) < 0.8
        allowed[np.arange(40), node] = False
        allowed[node == 0, 1] = True
        found = GrowShrink(scores, terms, constraints, max_parents)(
            torch.from_numpy(node), torch.from_numpy(allowed)
        )
        for r in range(40):
            parents, grown, score = plain_grow_shrink(
                scores,
                terms,
                constraints,
                node[r],
                np.flatnonzero(allowed[r]).tolist(),
                max_parents,
            )
            assert set(found.parents[r].nonzero().flatten().tolist()) == parents
            assert set(found.grown[r].nonzero().flatten().tolist()) == grown
            assert abs(float(found.log_score[r]) - score) < 1e-7
            shrunk += len(grown) > len(parents)
    assert shrunk > 0  # otherwise nothing was seen of shrinking


def test_the_lead_tells_exactly_which_newcomers_change_a_run():
    d = 8
    changes = []
    for seed in range(5):
        scores = BGe().on(torch.from_numpy(table_of(d, seed)))
        choose = GrowShrink(
            scores, SparseEdgeRate().parent_count_terms(d), constraints_for(d), d - 1
        )
        for node in range(d):
            allowed = torch.rand(1, d, generator=torch.Generator().manual_seed(node)) < 0.5
            allowed[0, node] = False
            found = choose(torch.tensor([node]), allowed)
            for x in set(range(d)) - {node} - set(allowed[0].nonzero().flatten().tolist()):
                more = allowed.clone()
                more[0, x] = True
                with_x = choose(torch.tensor([node]), more)
                changed = bool((with_x.grown != found.grown).any())
                assert changed == bool(found.lead[0, x] > 0)
                changes.append(changed)
    assert 0 < sum(changes) < len(changes)


@pytest.mark.parametrize("d", [4, 5])
def test_the_search_finds_the_best_of_all_orders(d):
    terms, constraints = SparseEdgeRate().parent_count_terms(d), constraints_for(d)
    for seed in range(5):
        scores = BGe().on(torch.from_numpy(table_of(d, seed)))
        each = {
            (v, before): plain_grow_shrink(scores, terms, constraints, v, before, d - 1)[2]
            for v in range(d)
            for size in range(d)
            for before in itertools.combinations(sorted(set(range(d)) - {v}), size)
        }
        best = max(
            sum(each[v, tuple(sorted(order[:p]))] for p, v in enumerate(order))
            for order in itertools.permutations(range(d))
        )
        generator = torch.Generator().manual_seed(seed)
        found = greedy_dags(scores, terms, constraints, generator)
        assert abs(float(found.log_scores[0]) - best) < 1e-7
        assert found.finished


def test_scores_belong_to_graphs_and_graphs_to_orders():
    d = 20
    scores = BGe().on(torch.from_numpy(table_of(d, n=60, share=0.2)))
    terms, constraints = SparseEdgeRate().parent_count_terms(d), constraints_for(d)
    found = greedy_dags(scores, terms, constraints, torch.Generator().manual_seed(0))
    sizes = found.graphs.sum(-2)
    whole = scores.node_scores(found.graphs).sum(-1) + terms[sizes].sum(-1)
    torch.testing.assert_close(found.log_scores, whole)
    assert (found.log_scores.diff() <= 0).all()
    assert is_acyclic(found.graphs).all()
    position = found.orders.argsort(-1)
    cause, effect = position[:, :, None], position[:, None, :]
    assert (found.graphs & (cause > effect)).sum() == 0
    # What the search remembers from its moves is what its last orders give anew.
    again = best_positions(scores, found.orders, terms, constraints, max_sweeps=0)
    assert torch.equal(again.graphs, found.graphs)
    torch.testing.assert_close(again.log_scores, found.log_scores)


def test_no_variable_has_a_better_position():
    d = 9
    scores = BGe().on(torch.from_numpy(table_of(d, 3)))
    terms, constraints = SparseEdgeRate().parent_count_terms(d), constraints_for(d)
    found = best_positions(scores, torch.arange(d)[None], terms, constraints)
    order = found.orders[0].tolist()
    neighbours = []
    for v in range(d):
        others = [u for u in order if u != v]
        neighbours += [[*others[:p], v, *others[p:]] for p in range(d)]
    all_of_them = best_positions(scores, torch.tensor(neighbours), terms, constraints, max_sweeps=0)
    assert float(all_of_them.log_scores.max()) <= float(found.log_scores[0]) + 1e-6


def test_knowledge_is_obeyed():
    d = 10
    scores = BGe().on(torch.from_numpy(table_of(d, 1)))
    terms = SparseEdgeRate().parent_count_terms(d)
    free = greedy_dags(scores, terms, constraints_for(d), torch.Generator().manual_seed(0))
    i, j = free.graphs[0].nonzero()[0].tolist()
    k, m = free.graphs[0].nonzero()[-1].tolist()
    constraints = constraints_for(d, required=[f"x{j} -> x{i}"], forbidden=[f"x{k} -> x{m}"])
    found = greedy_dags(scores, terms, constraints, torch.Generator().manual_seed(0), max_parents=3)
    assert constraints.allows(found.graphs).all()
    assert int(found.graphs.sum(-2).max()) <= 3
    assert is_acyclic(found.graphs).all()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    d = 15
    scores = BGe().on(torch.from_numpy(table_of(d, 2)))
    terms, constraints = SparseEdgeRate().parent_count_terms(d), constraints_for(d)
    first, second, other = (
        greedy_dags(scores, terms, constraints, torch.Generator().manual_seed(s), n_rounds=1)
        for s in (0, 0, 1)
    )
    for a, b in zip(first[:3], second[:3], strict=True):
        assert torch.equal(a, b)
    assert first.orders.shape != other.orders.shape or not torch.equal(first.orders, other.orders)


def test_relabelling_the_variables_relabels_the_search():
    d = 12
    x = torch.from_numpy(table_of(d, 4))
    terms, constraints = SparseEdgeRate().parent_count_terms(d), constraints_for(d)
    orders = torch.stack([torch.randperm(d, generator=torch.Generator().manual_seed(3))])
    found = best_positions(BGe().on(x), orders, terms, constraints)
    p = torch.randperm(d, generator=torch.Generator().manual_seed(5))
    new = p.argsort()  # the new number of each variable
    moved = best_positions(BGe().on(x[:, p]), new[orders], terms, constraints)
    assert torch.equal(moved.orders, new[found.orders])
    assert torch.equal(moved.graphs, found.graphs[:, p][:, :, p])


def test_an_early_end_gives_what_there_is():
    d = 12
    scores = BGe().on(torch.from_numpy(table_of(d, 4)))
    terms, constraints = SparseEdgeRate().parent_count_terms(d), constraints_for(d)
    found = greedy_dags(
        scores, terms, constraints, torch.Generator().manual_seed(0), stop=lambda: True
    )
    assert not found.finished
    assert found.n_sweeps == 0
    assert is_acyclic(found.graphs).all()


@pytest.mark.parametrize("d", [1, 2, 3])
def test_tables_of_few_columns_work(d):
    scores = BGe().on(torch.from_numpy(table_of(d)))
    terms, constraints = SparseEdgeRate().parent_count_terms(d), constraints_for(d)
    found = greedy_dags(scores, terms, constraints, torch.Generator().manual_seed(0))
    assert found.orders.shape[1] == d
    assert is_acyclic(found.graphs).all()


def test_required_edges_change_orders_only_where_they_must():
    required = torch.zeros(4, 4, dtype=torch.bool)
    required[3, 0] = True
    priority = torch.tensor([[0.0, 1.0, 2.0, 3.0], [3.0, 2.0, 1.0, 0.0]], dtype=torch.float64)
    orders = allowed_orders(priority, required)
    assert orders.tolist() == [[1, 2, 3, 0], [3, 2, 1, 0]]


def test_edges_of_the_best_graph_are_favoured_most():
    graphs = torch.zeros(2, 3, 3, dtype=torch.bool)
    graphs[0, 0, 1] = graphs[1, 1, 0] = graphs[1, 1, 2] = True
    weights = favour(graphs)
    assert weights[0, 1] == 1.0
    assert weights[1, 0] == weights[1, 2] == 0.5
    assert weights.sum() == 2.0


def test_favoured_edges_become_candidates():
    d = 20
    scores = BGe().on(torch.from_numpy(table_of(d, share=0.2)))
    terms, constraints = SparseEdgeRate().parent_count_terms(d), constraints_for(d)
    plain = choose_candidates(scores, 4, terms, constraints)
    outside = next(i for i in range(1, d) if i not in plain[0])
    favoured = torch.zeros(d, d, dtype=torch.float64)
    favoured[outside, 0] = 0.1
    assert outside in choose_candidates(scores, 4, terms, constraints, None, favoured)[0]


def test_other_likelihoods_are_searched_under_the_gaussian_score():
    rng = np.random.default_rng(0)
    table = read_table(
        rng.integers(0, 2, size=(50, 3)),
        method="test",
        accepts=Accepts(kinds=("continuous", "binary")),
        scaling="none",
        intervened=None,
        regime=None,
        knowledge=None,
    )
    scores = BGe().local_scores(table.data)
    assert gaussian_score(scores, table) is scores
    other = gaussian_score(BDeu().local_scores(table.data), table)
    assert float(other.moments.mean.abs().max()) < 1e-9


def test_the_chain_takes_up_parents_of_greedy_and_given_dags(monkeypatch):
    x = np.random.default_rng(0).normal(size=(60, 24))
    x[:, 5] = x[:, 4] + 0.2 * x[:, 5]
    asked = []

    def choose(*args):
        asked.append(args[-1])
        return choose_candidates(*args)

    monkeypatch.setattr(sampling, "choose_candidates", choose)
    options = {"likelihood": "bge", "n_candidates": 3, "n_temperatures": 1, "max_seconds": 3.0}
    options |= {"tolerance": 0.3, "n_draws": 20, "random_state": 0, "progress": False}
    facts = OrderMCMC(**options).fit(x).posterior_.diagnostics
    assert "greedy_search_finished" in facts
    assert facts["n_greedy_dags"] >= 1
    assert facts["config"]["initialisation"] == "auto"
    assert asked[0][4, 5] + asked[0][5, 4] >= 1.0
    assert asked[0][0, 6] == 0.0
    graph = np.zeros((24, 24), dtype=bool)
    graph[[0, 1], 6] = True
    OrderMCMC(**options, initialisation=graph).fit(x)
    assert asked[1][0, 6] == asked[1][1, 6] == 1.0
    OrderMCMC(**options, initialisation=np.arange(24)).fit(x)
    assert asked[2][4, 5] == 1.0

"""Both ways out of cycles, against slow and plain ones."""

import itertools

import networkx as nx
import torch
from hypothesis import given
from hypothesis import strategies as st

from aetia.graphs import greedy_dag, is_acyclic, without_cycles


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def off_diagonal(d):
    return ~torch.eye(d, dtype=torch.bool)


def kruskal(graph, priority):
    """Add edges from the strongest down, unless there is a way back already (networkx)."""
    d = len(graph)
    kept = nx.DiGraph()
    kept.add_nodes_from(range(d))
    edges = [(i, j) for i in range(d) for j in range(d) if graph[i, j]]
    for i, j in sorted(edges, key=lambda e: -float(priority[e])):
        if not nx.has_path(kept, j, i):
            kept.add_edge(i, j)
    return torch.from_numpy(nx.to_numpy_array(kept, nodelist=range(d)) > 0)


@given(d=st.integers(1, 7), p=st.floats(0.05, 0.95), seed=st.integers(0, 2**31))
def test_removing_cycles_equals_adding_edges_from_the_strongest_down(d, p, seed):
    graphs = (torch.rand(6, d, d, generator=gen(seed)) < p) & off_diagonal(d)
    priority = torch.rand(d, d, generator=gen(seed + 1))
    got = greedy_dag(graphs, priority)
    assert is_acyclic(got).all()
    assert not (got & ~graphs).any()
    for before, after in zip(graphs, got, strict=True):
        assert torch.equal(after, kruskal(before, priority))
        if is_acyclic(before):
            assert torch.equal(before, after)


@given(d=st.integers(2, 8), seed=st.integers(0, 2**31), orders=st.permutations(list(range(8))))
def test_a_single_cycle_loses_its_weakest_edge_alone(d, seed, orders):
    ring = [k for k in orders if k < d]
    graph = torch.zeros(1, d, d, dtype=torch.bool)
    for a, b in itertools.pairwise([*ring, ring[0]]):
        graph[0, a, b] = True
    priority = torch.rand(d, d, generator=gen(seed))
    lost = (graph & ~greedy_dag(graph, priority))[0].nonzero()
    weakest = (priority + 10 * ~graph[0]).flatten().argmin()
    assert lost.tolist() == [[int(weakest) // d, int(weakest) % d]]


def test_nothing_is_removed_twice_and_the_input_stays_as_it_was():
    graphs = torch.rand(30, 5, 5, generator=gen()) < 0.5
    graphs &= off_diagonal(5)
    before, priority = graphs.clone(), torch.rand(5, 5, generator=gen(1))
    once = greedy_dag(graphs, priority)
    assert torch.equal(graphs, before)
    assert torch.equal(greedy_dag(once, priority), once)


@given(d=st.integers(1, 7), seed=st.integers(0, 2**31))
def test_of_equal_edges_the_first_in_the_order_of_rows_enters_first(d, seed):
    graphs = (torch.rand(4, d, d, generator=gen(seed)) < 0.6) & off_diagonal(d)
    priority = torch.randint(0, 3, (d, d), generator=gen(seed + 1)).double()
    for before, after in zip(graphs, greedy_dag(graphs, priority), strict=True):
        assert torch.equal(after, kruskal(before, priority))


def test_a_single_graph_a_batch_and_self_loops():
    graph = torch.ones(4, 4, dtype=torch.bool)
    priority = torch.rand(4, 4, generator=gen(3))
    one = greedy_dag(graph, priority)
    assert is_acyclic(one)
    assert torch.equal(greedy_dag(graph.expand(2, 3, 4, 4), priority), one.expand(2, 3, 4, 4))


def weakest_first(graph, priority, held):
    """Remove the weakest free edge between nodes of one strongly connected part (networkx)."""
    left = nx.DiGraph()
    left.add_nodes_from(range(len(graph)))
    left.add_edges_from(graph.nonzero().tolist())
    while True:
        part = {n: k for k, c in enumerate(nx.strongly_connected_components(left)) for n in c}
        loose = [e for e in sorted(left.edges) if part[e[0]] == part[e[1]] and not held[e]]
        if not loose:
            return torch.from_numpy(nx.to_numpy_array(left, nodelist=range(len(graph))) > 0)
        left.remove_edge(*min(loose, key=lambda e: float(priority[e])))


@given(d=st.integers(1, 6), n_levels=st.sampled_from([3, 1000]), seed=st.integers(0, 2**31))
def test_the_weakest_edges_of_cycles_go_and_held_ones_stay(d, n_levels, seed):
    graph = (torch.rand(d, d, generator=gen(seed)) < 0.6) & off_diagonal(d)
    priority = torch.randint(0, n_levels, (d, d), generator=gen(seed + 1)).double()
    held = graph & torch.rand(d, d, generator=gen(seed + 2)).lt(0.3).triu(1)
    before = graph.clone()
    after = without_cycles(graph, priority, held)
    assert torch.equal(graph, before)
    assert is_acyclic(after)
    assert not (held & ~after).any()
    assert torch.equal(after, weakest_first(graph, priority, held))


@given(d=st.integers(1, 7), seed=st.integers(0, 2**31))
def test_adding_edges_keeps_all_that_removing_them_keeps(d, seed):
    graph = (torch.rand(d, d, generator=gen(seed)) < 0.6) & off_diagonal(d)
    priority = torch.rand(d, d, generator=gen(seed + 1), dtype=torch.float64)
    removed = without_cycles(graph, priority, torch.zeros_like(graph))
    assert not (removed & ~greedy_dag(graph, priority)).any()


def test_an_edge_whose_only_cycle_is_cut_elsewhere_is_added_but_also_removed():
    graph, priority = torch.zeros(3, 3, dtype=torch.bool), torch.zeros(3, 3)
    for edge, p in {(0, 1): 0.9, (1, 0): 0.5, (0, 2): 0.3, (2, 1): 0.95}.items():
        graph[edge], priority[edge] = True, p
    assert greedy_dag(graph, priority).nonzero().tolist() == [[0, 1], [0, 2], [2, 1]]
    removed = without_cycles(graph, priority, torch.zeros_like(graph))
    assert removed.nonzero().tolist() == [[0, 1], [2, 1]]

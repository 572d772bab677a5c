"""Orders and reachability against networkx."""

import itertools

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aetia.errors import InputError
from aetia.graphs import is_acyclic, on_cycle, topological_order, transitive_closure


def random_graph(d, density, seed):
    rng = np.random.default_rng(seed)
    return torch.tensor((rng.random((d, d)) < density) & ~np.eye(d, dtype=bool))


def random_dag(d, density, seed):
    p = np.random.default_rng(seed).permutation(d)
    return random_graph(d, density, seed).triu(1)[p][:, p]


graphs = st.builds(
    random_graph, d=st.integers(1, 9), density=st.floats(0.05, 0.6), seed=st.integers(0, 2**31)
)
dags = st.builds(
    random_dag, d=st.integers(1, 12), density=st.floats(0.0, 1.0), seed=st.integers(0, 2**31)
)


@given(graphs)
def test_reachability_and_cycles_are_those_of_networkx(g):
    other = nx.DiGraph(g.numpy().astype(int))
    closure = nx.to_numpy_array(nx.transitive_closure(other), nodelist=range(len(g))) > 0
    assert np.array_equal(transitive_closure(g).numpy(), closure)
    looped = {v for c in nx.strongly_connected_components(other) if len(c) > 1 for v in c}
    assert set(on_cycle(g).nonzero().flatten().tolist()) == looped
    assert bool(is_acyclic(g)) == nx.is_directed_acyclic_graph(other)


def test_acyclicity_is_right_on_every_graph_of_four_variables():
    pairs = list(itertools.permutations(range(4), 2))
    bits = torch.tensor(list(itertools.product([False, True], repeat=12)))
    g = torch.zeros(4096, 4, 4, dtype=torch.bool)
    for k, (i, j) in enumerate(pairs):
        g[:, i, j] = bits[:, k]
    expected = [nx.is_directed_acyclic_graph(nx.DiGraph(a)) for a in g.numpy().astype(int)]
    assert is_acyclic(g).tolist() == expected
    assert is_acyclic(g.reshape(64, 64, 4, 4)).shape == (64, 64)


@given(dags)
def test_causes_come_before_effects(g):
    order = topological_order(g)
    assert sorted(order.tolist()) == list(range(len(g)))
    assert not g[order][:, order].tril().any()


def test_ties_are_broken_by_index():
    assert topological_order(torch.zeros(5, 5, dtype=torch.bool)).tolist() == [0, 1, 2, 3, 4]


def test_a_long_chain_is_closed_and_sorted():
    chain = torch.diag(torch.ones(99, dtype=torch.bool), -1)  # 99 -> 98 -> ... -> 0
    assert torch.equal(transitive_closure(chain), torch.ones(100, 100, dtype=torch.bool).tril(-1))
    assert topological_order(chain).tolist() == list(range(99, -1, -1))
    assert is_acyclic(chain)
    assert is_acyclic(torch.ones(150, 150, dtype=torch.bool).triu(1))  # 2^148 paths


def test_a_cyclic_graph_anywhere_in_the_batch_has_no_order():
    g = torch.zeros(2, 3, 3, 3, dtype=torch.bool)
    g[1, 2, 0, 1] = g[1, 2, 1, 0] = True
    with pytest.raises(InputError, match="cycl"):
        topological_order(g)

"""Markov equivalence against independence: what a generic linear model makes uncorrelated."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
import torch

from aetia.errors import InputError
from aetia.graphs import all_dags, cpdag, markov_equivalent, skeleton, v_structures


def independences(graph, rng):
    """All (a, b, given) with zero partial correlation under random weights (faithful a.s.)."""
    d = len(graph)
    weights = graph * rng.uniform(0.5, 1.5, (d, d)) * rng.choice([-1, 1], (d, d))
    total = np.linalg.inv(np.eye(d) - weights)
    covariance = total.T @ total
    found = set()
    for a, b in itertools.combinations(range(d), 2):
        rest = [v for v in range(d) if v not in (a, b)]
        for k in range(d - 1):
            for given in itertools.combinations(rest, k):
                block = np.ix_([a, b, *given], [a, b, *given])
                precision = np.linalg.inv(covariance[block])
                if abs(precision[0, 1]) < 1e-9 * np.sqrt(precision[0, 0] * precision[1, 1]):
                    found.add((a, b, given))
    return frozenset(found)


@pytest.fixture(scope="module")
def classes():
    """d to a list of classes, each a list of indices into ``all_dags(d)``."""
    rng = np.random.default_rng(0)
    out = {}
    for d in (1, 2, 3, 4):
        members = defaultdict(list)
        for k, graph in enumerate(all_dags(d).numpy()):
            members[independences(graph, rng)].append(k)
        out[d] = list(members.values())
    return out


@pytest.mark.parametrize(("d", "count"), [(1, 1), (2, 2), (3, 11), (4, 185)])
def test_graphs_share_a_cpdag_exactly_when_they_share_their_independences(classes, d, count):
    done = cpdag(all_dags(d))
    assert len(classes[d]) == count
    assert len(done.reshape(len(done), -1).unique(dim=0)) == count
    for members in classes[d]:
        assert (done[members] == done[members[0]]).all()


@pytest.mark.parametrize("d", [2, 3, 4])
def test_an_edge_is_directed_exactly_when_the_whole_class_agrees(classes, d):
    dags = all_dags(d)
    done = cpdag(dags)
    for members in classes[d]:
        assert torch.equal(done[members[0]], dags[members].any(0))


def test_markov_equivalent_means_the_same_independences(classes):
    dags = all_dags(3)
    label = torch.empty(len(dags), dtype=torch.int64)
    for k, members in enumerate(classes[3]):
        label[members] = k
    first, second = (i.flatten() for i in torch.meshgrid(*[torch.arange(25)] * 2, indexing="ij"))
    same = markov_equivalent(dags[first], dags[second])
    assert torch.equal(same, label[first] == label[second])


def random_dag(d, seed):
    rng = np.random.default_rng(seed)
    p = rng.permutation(d)
    return torch.tensor(np.triu(rng.random((d, d)) < 0.4, 1)[p][:, p])


@pytest.mark.parametrize("seed", range(8))
def test_reversing_covered_edges_and_relabelling_keep_the_class(seed):
    d = 9
    g, rng = random_dag(d, seed), np.random.default_rng(seed)
    start = cpdag(g)
    p = torch.tensor(rng.permutation(d))
    assert torch.equal(cpdag(g[p][:, p]), start[p][:, p])
    for _ in range(20):  # i -> j is covered when j's other parents are i's (Chickering, 1995)
        covered = []
        for i, j in g.nonzero().tolist():
            others = g[:, j].clone()
            others[i] = False
            if torch.equal(others, g[:, i]):
                covered.append((i, j))
        if not covered:
            break
        i, j = covered[rng.integers(len(covered))]
        g = g.clone()
        g[i, j], g[j, i] = False, True
    assert torch.equal(cpdag(g), start)


def test_skeleton_and_colliders_of_a_hand_made_graph():
    g = torch.zeros(2, 4, 4, dtype=torch.bool)
    g[:, 0, 2] = g[:, 1, 2] = g[:, 2, 3] = True
    g[1, 0, 1] = True  # shields the collider
    assert torch.equal(skeleton(g), g | g.mT)
    colliders = v_structures(g)
    assert colliders[0].nonzero().tolist() == [[0, 1, 2], [1, 0, 2]]
    assert not colliders[1].any()


def test_a_cyclic_graph_has_no_class():
    with pytest.raises(InputError, match="cycl"):
        cpdag(torch.tensor([[False, True], [True, False]]))

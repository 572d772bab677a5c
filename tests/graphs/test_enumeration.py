"""Enumeration of DAGs against brute force and Robinson's numbers."""

import itertools

import networkx as nx
import numpy as np
import pytest
import torch

from aetia.errors import InputError
from aetia.graphs import MAX_ENUMERATED, all_dags, n_dags

ROBINSON = [1, 1, 3, 25, 543, 29281, 3781503, 1138779265, 783702329343]  # OEIS A003024


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
def test_every_dag_is_listed_once(d):
    dags = all_dags(d)
    assert dags.dtype == torch.bool
    assert dags.shape == (ROBINSON[d], d, d)
    codes = dags.reshape(len(dags), -1).double() @ 2.0 ** torch.arange(d * d).double()
    assert len(codes.unique()) == ROBINSON[d]
    powers = torch.linalg.matrix_power(dags.double(), d)
    assert not powers.any(), "a nilpotent adjacency matrix is an acyclic graph"


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_list_is_that_of_brute_force(d):
    pairs = list(itertools.permutations(range(d), 2))
    found = set()
    for k in range(len(pairs) + 1):
        for edges in itertools.combinations(pairs, k):
            if nx.is_directed_acyclic_graph(nx.DiGraph(edges)):
                found.add(frozenset(edges))
    listed = {frozenset(map(tuple, np.argwhere(g.numpy()).tolist())) for g in all_dags(d)}
    assert listed == found


def test_the_counts_are_robinsons():
    assert [n_dags(d) for d in range(9)] == ROBINSON


@pytest.mark.parametrize("d", [0, MAX_ENUMERATED + 1])
def test_what_cannot_be_enumerated_is_refused(d):
    with pytest.raises(InputError, match=str(d)):
        all_dags(d)

"""Modules of a network in a file: connected before cycles are broken, acyclic, reproducible."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from aetia.errors import InputError
from aetia.scm import Family, NetworkModules


@pytest.fixture
def file(tmp_path):
    rng = np.random.default_rng(0)
    pairs = {(int(a), int(b)) for a, b in rng.integers(40, size=(120, 2)) if a != b}
    path = tmp_path / "network.csv"
    path.write_text("source,target\n" + "".join(f"g{a},g{b}\n" for a, b in sorted(pairs)))
    return path


@pytest.mark.parametrize("d", [1, 2, 5, 15])
def test_modules_are_connected_dags(file, d):
    family = NetworkModules(file=str(file))
    for seed in range(20):
        graph = family.sample(d, np.random.default_rng(seed))
        made = nx.from_numpy_array(graph, create_using=nx.DiGraph)
        assert nx.is_directed_acyclic_graph(made)
        assert nx.is_weakly_connected(made) or d == 1


def test_an_acyclic_network_is_kept_as_it_is(tmp_path):
    path = tmp_path / "star.csv"
    path.write_text("source,target\na,b\na,c\na,d\n")
    graph = NetworkModules(file=str(path)).sample(4, np.random.default_rng(1))
    assert sorted(graph.sum(1)) == [0, 0, 0, 3]


def test_the_key_of_a_family_follows_the_content_of_the_file(file):
    before = Family(d=5, n=20, graphs={"name": "network-modules", "file": str(file)})
    assert before.task(0).data.values.shape == (20, 5)
    file.write_text("source,target\na,b\nb,c\nc,d\nd,e\n")
    after = Family(d=5, n=20, graphs={"name": "network-modules", "file": str(file)})
    assert before.key != after.key


def test_what_cannot_be_used_is_named(file, tmp_path):
    with pytest.raises(InputError, match=r"no such file: 'nowhere.csv'"):
        NetworkModules(file="nowhere.csv")
    with pytest.raises(InputError, match="modules of 90 were asked for"):
        NetworkModules(file=str(file)).sample(90, np.random.default_rng(0))
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("from,to\na,b\n")
    with pytest.raises(InputError, match="needs the columns source and target"):
        NetworkModules(file=str(wrong)).sample(2, np.random.default_rng(0))

"""Classes of graphs and the value of experiments, against enumeration by hand."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aetia.graphs import all_dags, cpdag
from aetia.graphs.interventional_equivalence import equivalence_patterns, interventional_cpdag
from aetia.results import GraphPosterior
from aetia.results.equivalence_classes import class_labels
from small_posteriors import graph, random_posterior, relabelled


def signature(g, target=None):
    """Skeleton and v-structures, and the parents of the target (Verma and Pearl; Hauser)."""
    adjacent, d = g | g.T, len(g)
    colliders = frozenset(
        (a, b, c)
        for a, b, c in itertools.permutations(range(d), 3)
        if a < b and g[a, c] and g[b, c] and not adjacent[a, b]
    )
    parents = b"" if target is None else g[:, target].tobytes()
    return adjacent.tobytes(), colliders, parents


def entropy(mass):
    mass = np.array([m for m in mass if m > 0])
    return float(-(mass * np.log2(mass)).sum())


def grouped(posterior, key):
    mass = {}
    for g, w in zip(posterior.graphs, posterior.weights, strict=True):
        mass.setdefault(key(g), []).append((g, w))
    return mass


@pytest.mark.parametrize("d", [2, 3, 4])
def test_two_dags_share_a_pattern_exactly_when_they_share_a_cpdag(d):
    dags = all_dags(d)
    patterns = equivalence_patterns(dags).flatten(1).numpy()
    classes = cpdag(dags).flatten(1).numpy()
    same = (patterns[:, None] == patterns[None]).all(-1)
    np.testing.assert_array_equal(same, (classes[:, None] == classes[None]).all(-1))
    labels = class_labels(dags.numpy())
    np.testing.assert_array_equal(same, labels[:, None] == labels[None])
    assert labels.max() + 1 == {2: 2, 3: 11, 4: 185}[d]  # numbers of classes, Gillispie & Perlman


@pytest.mark.parametrize("d", [3, 4])
def test_two_rules_complete_the_class_of_an_experiment(d):
    """An edge is directed exactly when all DAGs of the interventional class agree on it."""
    dags = all_dags(d).numpy()
    for v in range(d):
        union = {}
        for g in dags:
            key = signature(g, v)
            union[key] = union.get(key, False) | g
        graphs = torch.from_numpy(dags)
        got = interventional_cpdag(cpdag(graphs), graphs, torch.full((len(dags),), v)).numpy()
        for g, found in zip(dags, got, strict=True):
            np.testing.assert_array_equal(found, union[signature(g, v)])


@given(st.integers(0, 10_000))
def test_masses_of_classes_are_those_of_their_members(seed):
    posterior = random_posterior(seed, s=60)
    expected = sorted(
        (sum(w for _, w in members) for members in grouped(posterior, signature).values()),
        reverse=True,
    )
    found = posterior.equivalence_classes()
    np.testing.assert_allclose(found.mass, expected, atol=1e-12)
    assert found.n_graphs.sum() == len(posterior.distinct()[0])
    top = posterior.equivalence_classes(n_most=2)
    np.testing.assert_array_equal(top.cpdags, found.cpdags[:2])


def test_classes_of_three_variables_by_hand():
    """Chain and fork a - b - c are one class, the collider another."""
    chain, fork = graph(3, (0, 1), (1, 2)), graph(3, (1, 0), (1, 2))
    collider = graph(3, (0, 1), (2, 1))
    posterior = GraphPosterior(
        graphs=np.stack([chain, fork, collider]),
        log_weights=np.log([0.3, 0.3, 0.4]),
        names=("a", "b", "c"),
    )
    found = posterior.equivalence_classes()
    np.testing.assert_allclose(found.mass, [0.6, 0.4])
    np.testing.assert_array_equal(found.cpdags[0], graph(3, (0, 1), (1, 0), (1, 2), (2, 1)))
    np.testing.assert_array_equal(found.cpdags[1], graph(3, (0, 1), (2, 1)))
    value = posterior.experiment_values()
    total = entropy([0.3, 0.3, 0.4])
    rows = entropy([0.6, 0.4])
    assert value.graph_entropy == pytest.approx(total)
    assert value.class_entropy == pytest.approx(rows)
    # Setting a or b separates chain and fork; setting c (edge b -> c in both) tells nothing more.
    np.testing.assert_allclose(value.revealed, [total, total, rows], atol=1e-12)
    # In chain and fork both edges are open. In the chain, setting a directs both by rule 1; in the
    # fork b -> a leaves b - c open. Setting b directs both. Setting c directs b -> c, no more.
    assert value.open_directions == pytest.approx(0.6 * 2)
    np.testing.assert_allclose(value.settled_directions, [0.3 * 2 + 0.3 * 1, 1.2, 0.6 * 1])
    frame = value.frame(posterior.names)
    assert list(frame["set"]) == ["b", "a", "c"]
    np.testing.assert_allclose(frame["bits_beyond_rows"], [total - rows] * 2 + [0.0], atol=1e-12)


def test_one_edge_of_open_direction_is_worth_one_bit():
    posterior = GraphPosterior(
        graphs=np.stack([graph(2, (0, 1)), graph(2, (1, 0))]),
        log_weights=np.log([0.5, 0.5]),
        names=("a", "b"),
    )
    value = posterior.experiment_values()
    assert (value.graph_entropy, value.class_entropy) == (pytest.approx(1.0), 0.0)
    np.testing.assert_allclose(value.revealed, [1.0, 1.0])
    np.testing.assert_allclose(value.settled_directions, [1.0, 1.0])


@given(st.integers(0, 10_000))
def test_what_an_experiment_reveals_is_the_expected_fall_of_the_entropy(seed):
    """Brute force over the classes: entropy now, less the mean entropy within the class."""
    posterior = random_posterior(seed, d=3, s=40)
    value = posterior.experiment_values()
    _, mass = posterior.distinct()
    assert value.graph_entropy == pytest.approx(entropy(mass))
    for v in range(3):
        left = 0.0
        for members in grouped(posterior, lambda g, v=v: signature(g, v)).values():
            within = {}
            for g, w in members:
                within[g.tobytes()] = within.get(g.tobytes(), 0.0) + w
            p = sum(within.values())
            left += p * entropy(np.array(list(within.values())) / p)
        assert value.revealed[v] == pytest.approx(entropy(mass) - left, abs=1e-9)
        assert value.revealed[v] >= value.class_entropy - 1e-12


@given(st.integers(0, 10_000))
def test_names_and_not_positions_matter(seed):
    posterior = random_posterior(seed)
    order = np.random.default_rng(seed).permutation(4)
    value, other = posterior.experiment_values(), relabelled(posterior, order).experiment_values()
    np.testing.assert_allclose(other.revealed, value.revealed[order])
    np.testing.assert_allclose(other.settled_directions, value.settled_directions[order])
    assert other.class_entropy == pytest.approx(value.class_entropy)
    np.testing.assert_allclose(
        relabelled(posterior, order).equivalence_classes().mass,
        posterior.equivalence_classes().mass,
    )


def test_many_draws_are_thinned_and_not_distorted():
    """Of 4,000 graphs 1,000 are looked at; 4.5 standard errors, one alarm in 100,000 seeds."""
    rng = np.random.default_rng(0)
    dags = all_dags(5).numpy()
    graphs = dags[rng.choice(len(dags), 4000, replace=False)]
    posterior = GraphPosterior(
        graphs=graphs, log_weights=rng.normal(size=4000), names=tuple("abcde")
    )
    thinned = posterior.experiment_values()
    classes = cpdag(torch.from_numpy(graphs)).numpy()
    n_open = (classes & classes.transpose(0, 2, 1)).sum((1, 2)) / 2
    exact = posterior.weights @ n_open
    se = np.sqrt(posterior.weights @ (n_open - exact) ** 2 / 1000)
    assert abs(thinned.open_directions - exact) < 4.5 * se

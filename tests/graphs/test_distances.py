"""Distances and scores against brute force, linear models, scikit-learn and golden numbers."""

import itertools
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from aetia.errors import InputError
from aetia.graphs import (
    adjustment_distance,
    all_dags,
    auroc,
    average_precision,
    cpdag,
    edge_scores,
    expected,
    expected_cpdag_shd,
    is_acyclic,
    shd,
    sid,
)


def dag(d, *edges):
    g = torch.zeros(d, d, dtype=torch.bool)
    for i, j in edges:
        g[i, j] = True
    return g


def pairs_of(graphs):
    n = len(graphs)
    first, second = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    return graphs[first.flatten()], graphs[second.flatten()]


@pytest.mark.parametrize("cost", [1, 2])
def test_shd_counts_the_pairs_that_are_related_differently(cost):
    first, second = pairs_of(all_dags(3))
    expected_distance = []
    for g, h in zip(first.tolist(), second.tolist(), strict=True):
        total = 0
        for i, j in itertools.combinations(range(3), 2):
            one, other = (g[i][j], g[j][i]), (h[i][j], h[j][i])
            if one != other:
                total += cost if any(one) and any(other) else 1
        expected_distance.append(total)
    assert shd(first, second, reversal_cost=cost).tolist() == expected_distance


def test_shd_between_cpdags_counts_an_undirected_edge_as_another_relation():
    collider, chain = dag(3, (0, 2), (1, 2)), dag(3, (0, 2), (2, 1))
    assert float(shd(cpdag(collider), cpdag(chain))) == 2
    assert float(shd(cpdag(chain), cpdag(dag(3, (1, 2), (2, 0))))) == 0


def test_shd_broadcasts_over_batches_and_refuses_other_costs():
    many = all_dags(3).reshape(5, 5, 3, 3)
    assert shd(many, dag(3, (0, 1))).shape == (5, 5)
    with pytest.raises(InputError, match="3"):
        shd(many, many, reversal_cost=3)


def wrong_effects(truth, estimate, rng):
    """SID by a linear model: regress on the estimate's parents, compare with the total effect."""
    d = len(truth)
    total = np.linalg.inv(np.eye(d) - truth * rng.uniform(0.5, 1.5, (d, d)))
    covariance = total.T @ total
    wrong = 0
    for i, j in itertools.permutations(range(d), 2):
        parents = np.flatnonzero(estimate[:, i])
        claimed = 0.0
        if j not in parents:
            index = [i, *parents]
            block = covariance[np.ix_(index, index)]
            claimed = np.linalg.solve(block, covariance[index, j])[0]
        wrong += bool(abs(claimed - total[i, j]) > 1e-8)
    return wrong


def test_sid_counts_the_effects_that_the_estimated_parents_get_wrong():
    rng = np.random.default_rng(0)
    for truth, estimate in zip(*pairs_of(all_dags(3)), strict=True):
        assert sid(truth, estimate) == wrong_effects(truth.numpy(), estimate.numpy(), rng)
    four = all_dags(4)
    for i, j in rng.integers(len(four), size=(150, 2)):
        assert sid(four[i], four[j]) == wrong_effects(four[i].numpy(), four[j].numpy(), rng)


def test_sid_is_zero_exactly_when_the_estimate_contains_the_truth():
    for truth, estimate in zip(*pairs_of(all_dags(3)), strict=True):
        assert (sid(truth, estimate) == 0) == (not (truth & ~estimate).any())


@pytest.mark.parametrize("kind", ["parent", "ancestor", "oset", "sid"])
def test_adjustment_distances_of_two_variables_are_those_worked_out_by_hand(kind):
    empty, edge, reverse = dag(2), dag(2, (0, 1)), dag(2, (1, 0))
    assert adjustment_distance(edge, edge, kind=kind) == 0
    assert adjustment_distance(edge, empty, kind=kind) == 1
    assert adjustment_distance(empty, edge, kind=kind) == 0
    assert adjustment_distance(edge, reverse, kind=kind) == 2


@pytest.mark.parametrize("kind", ["parent", "ancestor", "oset"])
def test_every_graph_and_class_is_at_distance_zero_from_itself(kind):
    for g in all_dags(4)[::9]:
        assert adjustment_distance(g, g, kind=kind) == 0
        assert adjustment_distance(cpdag(g), cpdag(g), kind=kind) == 0


def test_adjustment_distance_refuses_what_is_not_defined():
    g = dag(2, (0, 1))
    with pytest.raises(InputError, match="cousin"):
        adjustment_distance(g, g, kind="cousin")
    with pytest.raises(InputError):
        adjustment_distance(g, cpdag(g), kind="sid")


def test_edges_compared_as_sets_on_a_hand_made_pair():
    truth, estimate = dag(3, (0, 1), (1, 2)), dag(3, (1, 0), (1, 2), (0, 2))
    scores = {k: float(v) for k, v in edge_scores(truth, estimate).items()}
    assert scores == pytest.approx(
        {
            "precision": 1 / 3,
            "recall": 1 / 2,
            "f1": 0.4,
            "skeleton_precision": 2 / 3,
            "skeleton_recall": 1.0,
            "skeleton_f1": 0.8,
            "orientation_accuracy": 0.5,
        }
    )


def test_nothing_to_find_and_nothing_claimed_is_perfect():
    none, some = dag(3), dag(3, (0, 1))
    both = edge_scores(none, none)
    assert all(float(both[k]) == 1.0 for k in ("precision", "recall", "f1", "skeleton_f1"))
    assert both["orientation_accuracy"].isnan()
    missed = edge_scores(torch.stack([some, none]), torch.stack([none, some]))
    assert missed["precision"].tolist() == [1.0, 0.0]
    assert missed["recall"].tolist() == [0.0, 1.0]
    assert missed["f1"].tolist() == [0.0, 0.0]


def posterior(golden):
    """Acyclic draws, renormalised, as the golden file's metrics take them."""
    m = golden["metrics"]
    graphs, weights = torch.tensor(m["g"]).bool(), torch.tensor(m["w"], dtype=torch.float64)
    keep = is_acyclic(graphs)
    return m, torch.tensor(m["true_g"]).bool(), graphs[keep], weights[keep].log()


def test_metrics_match_the_golden_numbers(dibs_golden):
    m, truth, graphs, log_weights = posterior(dibs_golden)
    distance = expected(shd(graphs, truth), log_weights)
    assert distance == pytest.approx(m["expected_shd"], rel=1e-10)
    edges = expected(graphs.double().sum((-1, -2)), log_weights)
    assert edges == pytest.approx(m["expected_edges"], rel=1e-10)
    probabilities = torch.einsum("s,sij->ij", log_weights.softmax(0), graphs.double())
    area = auroc(truth, probabilities, include_diagonal=True)
    precision = average_precision(truth, probabilities, include_diagonal=True)
    assert area == pytest.approx(m["roc_auc_incl_diag"], rel=1e-10)
    assert precision == pytest.approx(m["ave_prec"], rel=1e-10)


@pytest.mark.parametrize("include_diagonal", [False, True])
def test_ranking_scores_are_those_of_all_pairs_and_of_scikit_learn(include_diagonal):
    rng = np.random.default_rng(4)
    for _ in range(10):
        truth = np.triu(rng.random((5, 5)) < 0.5, 1)
        truth[0, 1] = True
        scores = rng.integers(0, 5, (5, 5)) / 4  # many ties
        np.fill_diagonal(scores, 0.0)
        mask = np.ones((5, 5), dtype=bool) if include_diagonal else ~np.eye(5, dtype=bool)
        y, s = truth[mask], scores[mask]
        difference = s[y][:, None] - s[~y][None]
        area = (difference > 0).mean() + 0.5 * (difference == 0).mean()
        arguments = (torch.tensor(truth), torch.tensor(scores))
        got = auroc(*arguments, include_diagonal=include_diagonal)
        assert got == pytest.approx(area)
        got = average_precision(*arguments, include_diagonal=include_diagonal)
        assert got == pytest.approx(average_precision_score(y, s))


def test_a_ranking_of_nothing_is_nan():
    half = torch.full((3, 3), 0.5)
    assert math.isnan(auroc(dag(3), half))
    assert math.isnan(average_precision(dag(3), half))


def test_expectations_ignore_undefined_draws_and_the_scale_of_the_weights():
    values = torch.tensor([1.0, math.nan, 3.0], dtype=torch.float64)
    log_weights = torch.tensor([0.1, 0.5, 0.3], dtype=torch.float64).log()
    assert expected(values, log_weights) == pytest.approx(2.5)
    assert expected(values, log_weights - 2000) == pytest.approx(2.5)
    assert math.isnan(expected(values[1:2], log_weights[1:2]))


def test_the_expected_distance_between_classes_is_the_average_over_draws():
    graphs, truth = all_dags(3), dag(3, (0, 1), (1, 2))
    log_weights = torch.linspace(-2, 0, 25, dtype=torch.float64)
    w = log_weights.exp() / log_weights.exp().sum()
    target = cpdag(truth)
    by_hand = sum(float(w[k] * shd(cpdag(graphs[k]), target)) for k in range(25))
    assert expected_cpdag_shd(truth, graphs, log_weights) == pytest.approx(by_hand)

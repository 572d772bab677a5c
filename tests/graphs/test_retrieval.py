"""Scores of one directed graph."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score

from aetia.graphs import oracle_f1, retrieval_scores


def random_graphs(d, seed):
    g = torch.Generator().manual_seed(seed)
    return (
        (torch.rand(d, d, generator=g) < 0.3),
        (torch.rand(d, d, generator=g) < 0.3),
        torch.rand(d, d, generator=g),
    )


@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_scikit_learn_off_the_diagonal(seed):
    truth, graph, p = random_graphs(7, seed)
    off = ~torch.eye(7, dtype=torch.bool)
    scores = retrieval_scores(truth, graph, p)
    assert scores["f1"] == pytest.approx(f1_score(truth[off], graph[off]))
    assert scores["auroc"] == pytest.approx(roc_auc_score(truth[off], p[off]))
    cuts = [f1_score(truth[off], p[off] >= c) for c in p[off]]
    assert oracle_f1(truth, p) == pytest.approx(max(cuts))
    pairs = [(i, j) for i in range(7) for j in range(i)]
    wrong = sum(bool(truth[i, j] != graph[i, j] or truth[j, i] != graph[j, i]) for i, j in pairs)
    assert scores["shd"] == wrong
    assert scores["fp_fn"] == int((truth != graph)[off].sum())


def test_a_reversed_edge_is_one_wrong_pair_and_a_right_adjacency():
    truth = torch.tensor([[0, 1], [0, 0]]).bool()
    scores = retrieval_scores(truth, truth.mT, truth.mT.double())
    assert (scores["shd"], scores["fp_fn"]) == (1, 2)
    assert (scores["f1"], scores["skeleton_f1"], scores["orientation"]) == (0, 1, 0)


def test_two_empty_graphs_agree():
    nothing = torch.zeros(3, 3, dtype=torch.bool)
    scores = retrieval_scores(nothing, nothing, torch.zeros(3, 3))
    assert scores["f1"] == 1
    assert np.isnan(scores["orientation"])

"""Total effects against the golden numbers of an enumeration of every graph."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from aetia.graphs import all_dags
from aetia.likelihoods import BGe, Moments
from aetia.results import LinearModel
from aetia.results.linear_effects import effect_moments, mean_total_effects

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "order.json").read_text())
OPTIONS = BGe(alpha_mu=1.0)


@pytest.fixture(scope="module")
def case():
    x = torch.tensor(
        next(c["x"] for c in GOLDEN["cases"] if c["name"] == "bge_d5_n40"), dtype=torch.float64
    )
    zero, one = torch.zeros(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    graphs = all_dags(5)
    scores = OPTIONS.on(x).node_scores(graphs).sum(-1)
    return LinearModel(OPTIONS, Moments.of(x), zero, one), graphs, scores


@pytest.mark.parametrize("prior", ["uniform", "fair"])
def test_means_of_all_total_effects(case, prior):
    model, graphs, scores = case
    if prior == "fair":
        choices = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=torch.float64)
        scores = scores - choices.log()[graphs.sum(1)].sum(-1)
    weights = scores.softmax(0)
    mean, between = mean_total_effects(model, graphs, weights)
    off = mean - torch.eye(5, dtype=torch.float64)
    golden = GOLDEN["effects"][prior]["mean_total_effect"]
    np.testing.assert_allclose(off, golden, rtol=0, atol=1e-10)
    for source in (0, 3):
        moments = effect_moments(model, graphs, weights, source)
        np.testing.assert_allclose(moments.mean, mean[source], atol=1e-12)
        np.testing.assert_allclose(moments.graph_variance, between[source], atol=1e-12)
        assert (moments.graph_variance <= moments.variance + 1e-15).all()


def test_posteriors_of_weights_given_parents(case):
    """Means, residuals and shape of the covariance are golden; the golden df lacks one.

    The evidence of j given its parents falls as the residual to the power -(N + a_w - d + l + 1)/2,
    and that of an inverse gamma variance to minus its shape: df = N + a_w - d + l + 1.
    """
    model, _, _ = case
    for row in GOLDEN["regression_posterior"]["rows"]:
        graph = torch.zeros(1, 5, 5, dtype=torch.bool)
        graph[0, row["parents"], row["node"]] = True
        posterior = model.weight_posterior(graph)
        j, parents = row["node"], row["parents"]
        np.testing.assert_allclose(posterior.mean[0, parents, j], row["mean"], rtol=1e-10)
        assert 2 * float(posterior.rate[0, j]) == pytest.approx(row["residual"], rel=1e-10)
        assert 2 * float(posterior.shape[0, j]) == row["df"] + 1
        spread = row["residual"] * posterior.factor[0, j][parents][:, parents]
        np.testing.assert_allclose(spread / row["df"], row["scale"], rtol=1e-10)

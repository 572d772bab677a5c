"""Graph laws: golden log-probabilities, refusals, and what every sampler promises."""

import math

import pytest
import torch

from aetia.errors import InputError
from aetia.graphs import STRUCTURE_PRIORS, ErdosRenyi, ScaleFree, UniformDAGs, is_acyclic


def test_log_probabilities_match_the_golden_numbers_on_hard_and_soft_graphs(dibs_golden):
    scores = dibs_golden["scores"]
    soft = scores["soft"]
    er = ErdosRenyi(edges_per_node=float(scores["er_edges_per_node"]))
    assert er.edge_probability(5) == pytest.approx(scores["er_p"])
    for row in scores["rows"]:
        g = torch.tensor(row["g"], dtype=torch.float64)
        assert float(er.log_prob(g)) == pytest.approx(row["er_logprior_unnorm"], rel=1e-10)
        sf = float(ScaleFree().log_prob(g))
        assert sf == pytest.approx(row["sf_logprior_unnorm"], rel=1e-10, abs=1e-12)
        assert float(UniformDAGs().log_prob(g)) == 0.0
    g = torch.tensor(soft["g_soft"], dtype=torch.float64)
    assert float(er.log_prob(g)) == pytest.approx(soft["er_logprior"], rel=1e-10)
    assert float(ScaleFree().log_prob(g)) == pytest.approx(soft["sf_logprior"], rel=1e-10)


def test_the_laws_are_those_of_their_formulas():
    g = torch.zeros(6, 6, dtype=torch.float64)
    g[0, 1] = g[2, 1] = g[3, 1] = g[0, 4] = 1.0  # indegrees 3 and 1; the reverse would be 2, 1, 1
    q = 2 * 0.75 / 5
    er = 4 * math.log(q) + 11 * math.log(1 - q)
    assert float(ErdosRenyi(edges_per_node=0.75).log_prob(g)) == pytest.approx(er)
    assert float(ScaleFree(exponent=2.0).log_prob(g)) == pytest.approx(-2 * math.log(4 * 2))


@pytest.mark.parametrize(("d", "edges_per_node"), [(5, 2.0), (4, 2.0), (5, 2.5), (2, 0.5)])
def test_more_edges_than_a_dag_can_hold_are_refused(d, edges_per_node):
    law = ErdosRenyi(edges_per_node=edges_per_node)
    with pytest.raises(InputError):
        law.edge_probability(d)
    with pytest.raises(InputError):
        law.log_prob(torch.zeros(d, d))


def test_the_automatic_density_is_two_edges_per_node_but_at_most_one_half():
    for d in range(2, 10):
        assert ErdosRenyi().edge_probability(d) == pytest.approx(0.5)
    assert ErdosRenyi().edge_probability(21) == pytest.approx(0.2)


@pytest.mark.parametrize("name", STRUCTURE_PRIORS)
def test_soft_graphs_have_gradients(name):
    g = torch.full((2, 3, 10, 10), 0.3, dtype=torch.float64).requires_grad_()
    value = STRUCTURE_PRIORS[name]().log_prob(g)
    assert value.shape == (2, 3)
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value.sum(), g)
        assert gradient.isfinite().all()
    else:
        assert name == "uniform"


@pytest.mark.parametrize("name", STRUCTURE_PRIORS)
@pytest.mark.parametrize("d", [2, 5, 8])
def test_draws_are_acyclic_and_follow_their_seed(name, d):
    def draw(seed):
        return STRUCTURE_PRIORS[name]().sample(20, d, torch.Generator().manual_seed(seed))

    first = draw(1)
    assert first.shape == (20, d, d)
    assert first.dtype == torch.bool
    assert is_acyclic(first).all()
    assert torch.equal(first, draw(1))
    assert not torch.equal(first, draw(2))


@pytest.mark.parametrize("name", STRUCTURE_PRIORS)
def test_one_generator_gives_different_draws_each_time(name):
    generator = torch.Generator().manual_seed(0)
    law = STRUCTURE_PRIORS[name]()
    assert not torch.equal(law.sample(20, 6, generator), law.sample(20, 6, generator))


@pytest.mark.parametrize("name", STRUCTURE_PRIORS)
def test_one_variable_has_one_graph(name):
    draws = STRUCTURE_PRIORS[name]().sample(3, 1, torch.Generator().manual_seed(0))
    assert torch.equal(draws, torch.zeros(3, 1, 1, dtype=torch.bool))

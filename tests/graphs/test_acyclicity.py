"""The four measures of cyclicity against eigenvalues, series, enumeration and golden numbers."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest
import scipy.linalg
import torch

from aetia.graphs import ACYCLICITY, log_determinant, power_trace, spectral_radius

measures = pytest.mark.parametrize("measure", ACYCLICITY.values(), ids=ACYCLICITY.keys())


def every_graph(d):
    """All 2^(d(d-1)) directed graphs without loops, and which of them networkx calls acyclic."""
    pairs = list(itertools.permutations(range(d), 2))
    graphs = np.zeros((2 ** len(pairs), d, d))
    bits = np.array(list(itertools.product([0, 1], repeat=len(pairs))))
    for k, (i, j) in enumerate(pairs):
        graphs[:, i, j] = bits[:, k]
    acyclic = [nx.is_directed_acyclic_graph(nx.DiGraph(g)) for g in graphs]
    return torch.tensor(graphs), torch.tensor(acyclic)


def soft_graphs(n, d, seed=0):
    generator = torch.Generator().manual_seed(seed)
    graphs = torch.rand(n, d, d, generator=generator, dtype=torch.float64)
    return graphs * (1 - torch.eye(d, dtype=torch.float64))


@measures
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_zero_exactly_on_the_acyclic_graphs(measure, d):
    graphs, acyclic = every_graph(d)
    value = measure(graphs)
    assert value[acyclic].abs().max() < 1e-12
    assert (value[~acyclic] > 1e-4).all()


@measures
def test_zero_on_soft_acyclic_graphs_whatever_the_labels(measure):
    upper = soft_graphs(20, 6).triu(1)
    p = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    assert measure(upper[:, p][:, :, p]).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("name", "two", "three"),
    [
        ("power", 0.5, 1 / 9),
        ("expm", 2 * math.cosh(1) - 2, 3 * sum(1 / math.factorial(3 * k) for k in range(1, 8))),
        ("logdet", math.log(4 / 3), math.log(27 / 26)),
        ("spectral", 1.0, 1.0),
    ],
)
def test_short_cycles_have_the_values_worked_out_by_hand(name, two, three):
    for d, value in ((2, two), (3, three)):
        cycle = torch.roll(torch.eye(d, dtype=torch.float64), 1, dims=1)
        assert float(ACYCLICITY[name](cycle)) == pytest.approx(value, rel=1e-12)


def test_power_trace_matches_the_golden_values_and_gradient(dibs_golden):
    rows = dibs_golden["scores"]["rows"] + dibs_golden["scores"]["cyclic_h"]
    for row in rows:
        value = power_trace(torch.tensor(row["g"], dtype=torch.float64))
        assert float(value) == pytest.approx(row["h"], abs=1e-10)
    soft = torch.tensor(
        dibs_golden["scores"]["soft"]["g_soft"], dtype=torch.float64, requires_grad=True
    )
    value = power_trace(soft)
    (gradient,) = torch.autograd.grad(value, soft)
    assert value.item() == pytest.approx(dibs_golden["scores"]["soft"]["h"], rel=1e-10)
    expected = torch.tensor(dibs_golden["scores"]["soft"]["grad_h"], dtype=torch.float64)
    torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-10)


@measures
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_a_batch_is_measured_graph_by_graph(measure, batch):
    graphs = soft_graphs(6, 4)[: math.prod(batch)].reshape(*batch, 4, 4)
    value = measure(graphs)
    assert value.shape == batch
    one_by_one = torch.stack([measure(g) for g in graphs.reshape(-1, 4, 4)])
    torch.testing.assert_close(value.flatten(), one_by_one)


@measures
@pytest.mark.parametrize("d", [2, 3, 5])
def test_the_gradient_is_that_of_finite_differences(measure, d):
    graphs = soft_graphs(3, d, seed=d).requires_grad_()
    (gradient,) = torch.autograd.grad(measure(graphs).sum(), graphs)
    step = 1e-6
    for i, j in itertools.permutations(range(d), 2):
        bump = torch.zeros(d, d, dtype=torch.float64)
        bump[i, j] = step
        with torch.no_grad():
            slope = (measure(graphs + bump) - measure(graphs - bump)) / (2 * step)
        torch.testing.assert_close(gradient[:, i, j], slope, rtol=1e-6, atol=1e-8)


@measures
def test_every_edge_of_a_soft_graph_feels_the_penalty(measure):
    graphs = (0.05 + 0.9 * soft_graphs(4, 6)) * (1 - torch.eye(6, dtype=torch.float64))
    graphs.requires_grad_()
    (gradient,) = torch.autograd.grad(measure(graphs).sum(), graphs)
    assert (gradient[:, ~torch.eye(6, dtype=torch.bool)] > 0).all()


@pytest.mark.parametrize("d", range(1, 7))
def test_the_hand_written_derivative_of_the_power_trace_passes_gradcheck(d):
    graphs = soft_graphs(2, d).requires_grad_()
    assert torch.autograd.gradcheck(power_trace, (graphs,))


@pytest.mark.parametrize("d", [2, 4, 7])
def test_independent_formulas_give_the_same_values(d):
    graphs = soft_graphs(5, d, seed=7)
    eye = np.eye(d)
    for g in graphs:
        a = g.numpy()
        assert float(ACYCLICITY["spectral"](g)) == pytest.approx(abs(np.linalg.eigvals(a)).max())
        assert float(ACYCLICITY["expm"](g)) == pytest.approx(np.trace(scipy.linalg.expm(a)) - d)
        power = np.trace(np.linalg.matrix_power(eye + a / d, d)) - d
        assert float(ACYCLICITY["power"](g)) == pytest.approx(power)
        series, term = 0.0, eye
        for k in range(1, 600):  # -log det(I - G/s) = sum_k tr (G/s)^k / k
            term = term @ a / d
            series += np.trace(term) / k
        assert float(ACYCLICITY["logdet"](g)) == pytest.approx(series)


def test_log_determinant_is_infinite_where_the_determinant_is_not_positive():
    cycle = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert float(log_determinant(cycle, s=0.5)) == math.inf
    assert float(log_determinant(cycle, s=2.0)) == pytest.approx(math.log(4 / 3))


def test_the_spectral_gradient_is_finite_on_acyclic_graphs():
    graphs, acyclic = every_graph(3)
    dags = graphs[acyclic].requires_grad_()
    (gradient,) = torch.autograd.grad(spectral_radius(dags).sum(), dags)
    assert gradient.isfinite().all()


def test_a_second_derivative_of_the_power_trace_is_right_or_refused():
    graphs = soft_graphs(1, 4)[0].requires_grad_()

    def by_matrix_power(g):
        return torch.linalg.matrix_power(torch.eye(4) + g / 4, 4).trace() - 4

    def curvature(measure):
        (slope,) = torch.autograd.grad(measure(graphs) ** 2, graphs, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), graphs)[0]

    expected = curvature(by_matrix_power)
    try:
        got = curvature(power_trace)
    except RuntimeError:
        return
    torch.testing.assert_close(got, expected)

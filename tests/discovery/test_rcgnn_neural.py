"""The neural back end of RC-GNN: the data reach its graph, and what is known is obeyed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from aetia.data import WindowSplit
from aetia.discovery.rcgnn.neural import (
    NeuralFit,
    NeuralOptions,
    PublishedOptions,
    fit_as_published,
    fit_neural,
)
from aetia.discovery.rcgnn.neural.acyclicity import CyclePenalty
from aetia.discovery.rcgnn.neural.as_published import (
    PublishedRCGNN,
    published_acyclicity,
    published_disentanglement,
)
from aetia.discovery.rcgnn.neural.connected import check_connected, structure_gradient
from aetia.discovery.rcgnn.neural.encoder import slow_filter
from aetia.discovery.rcgnn.neural.fit import beyond_shared
from aetia.discovery.rcgnn.neural.gates import open_probability, sample_gates
from aetia.discovery.rcgnn.neural.inputs import Inputs, prepare
from aetia.discovery.rcgnn.neural.invariance import (
    disentanglement,
    irm_penalty,
    residual_penalty,
    variance_penalty,
)
from aetia.discovery.rcgnn.neural.mechanisms import NeuralMechanisms
from aetia.discovery.rcgnn.neural.missingness import inverse_probability
from aetia.discovery.rcgnn.neural.model import CorruptedSCM, Sizes
from aetia.discovery.rcgnn.neural.sensors import student_nll
from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.search.additive import search_additive
from aetia.discovery.rcgnn.search.constraints import LaggedConstraints, lagged_constraints
from aetia.discovery.rcgnn.states.choose import choose_states
from aetia.discovery.rcgnn.states.fitted import FittedStates
from aetia.errors import InputError, NumericalError
from aetia.graphs import Knowledge, exponential_trace, is_acyclic, without_cycles
from aetia.training import read_record

D = 5


def readings_of(values: np.ndarray, observed: np.ndarray, regime: np.ndarray) -> Readings:
    seen = np.where(observed, values, np.nan)
    scaled = (seen - np.nanmean(seen, (0, 1))) / np.nanstd(seen, (0, 1))
    return Readings(
        torch.from_numpy(np.nan_to_num(scaled)),
        torch.from_numpy(observed),
        torch.ones(values.shape[:2], dtype=torch.bool),
        torch.from_numpy(regime),
    )


@cache
def nonlinear_case(n_regimes: int = 1) -> tuple[Readings, np.ndarray]:
    """Readings of a nonlinear process, a tenth of them lost, and its summary graph."""
    rng = np.random.default_rng(5)
    n, time = 24, 30
    regime = np.arange(n) % n_regimes
    values, s = np.zeros((n, time, D)), np.zeros((n, D))
    for t in range(-30, time):
        past, u = s, rng.standard_normal((n, D))
        s = 0.5 * past + u
        s[:, 0] += 1.5 * (regime == 1)
        s[:, 1] += 1.2 * np.abs(s[:, 0])
        s[:, 2] += 1.3 * np.tanh(past[:, 1])
        s[:, 3] += 1.3 * np.sin(s[:, 2])
        s[:, 4] += 1.2 * np.abs(past[:, 3]) - 0.9 * s[:, 0]
        if t >= 0:
            values[:, t] = s
    graph = np.zeros((D, D), dtype=bool)
    for i, j in ((0, 1), (1, 2), (2, 3), (3, 4), (0, 4)):
        graph[i, j] = True
    observed = rng.random(values.shape) >= 0.1
    return readings_of(values, observed, regime), graph


@cache
def warm_start(n_regimes: int = 1, n_lags: int = 1) -> FittedStates:
    readings, _ = nonlinear_case(n_regimes)
    return choose_states(readings, n_lags=n_lags, drift=False, outlier_score=None)


def free(n_lags: int = 1, **statements: object) -> LaggedConstraints:
    knowledge = Knowledge(**statements)  # pyright: ignore[reportArgumentType]
    constraints = knowledge.constraints(tuple(f"x{i}" for i in range(D)))
    return lagged_constraints(constraints, n_lags)


def quick(**options: object) -> NeuralOptions:
    return NeuralOptions(**{"n_steps": 30, "log_every": 10, "n_searches": 1, **options})  # pyright: ignore


def fit(
    *,
    n_regimes: int = 1,
    n_lags: int = 1,
    constraints: LaggedConstraints | None = None,
    seed: int = 0,
    readings: Readings | None = None,
    warm: bool = True,
    **options: object,
) -> NeuralFit:
    return fit_neural(
        nonlinear_case(n_regimes)[0] if readings is None else readings,
        n_lags=n_lags,
        options=quick(**options),
        constraints=free(n_lags) if constraints is None else constraints,
        warm=warm_start(n_regimes, n_lags) if warm else None,
        seeds=np.random.SeedSequence(seed),
        progress=False,
    )


def model_and_batch(
    n_regimes: int = 1, constraints: LaggedConstraints | None = None, **options: object
) -> tuple[CorruptedSCM, Inputs]:
    """An untrained model with slopes by least squares, and all windows."""
    readings, _ = nonlinear_case(n_regimes)
    batch = prepare(
        readings,
        warm_start(n_regimes),
        scored=0.02,
        hidden=0.1,
        n_sets=2,
        generator=torch.Generator().manual_seed(0),
    ).to(torch.device("cpu"))
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        module = CorruptedSCM(
            Sizes((24, 30, D), 1, n_regimes, batch.values.numel(), 0.9),
            quick(**options),
            free() if constraints is None else constraints,
            torch.full((D,), 0.1),
            torch.full((D,), 0.02),
            torch.full((D,), 0.9),
            knows_noise=True,
        )
    side = torch.cat([batch.guess.mean[:, 1:], batch.guess.mean[:, :-1]], -1).flatten(0, 1)
    module.mechanisms.initialise_linear(side, module.gates.allowed.flatten(0, 1), scale=True)
    return module, batch


# -- the data reach the graph ------------------------------------------------------------


def test_the_data_term_has_a_gradient_on_every_free_gate_and_closing_all_raises_it():
    module, batch = model_and_batch()
    check_connected(module, batch)
    assert structure_gradient(module, batch) > 0
    gates = module.gates.obeying(torch.sigmoid(module.gates.logits)).unsqueeze(0)
    (slope,) = torch.autograd.grad(module.data_term(batch, gates), module.gates.flat)
    slope = slope.view(module.gates.shape)
    assert bool((slope[module.gates.allowed] != 0).all())
    assert bool((slope[~module.gates.allowed] == 0).all())


def test_a_decoder_that_ignores_the_gates_is_refused(monkeypatch: pytest.MonkeyPatch):
    through = NeuralMechanisms.forward

    def ignoring(self: NeuralMechanisms, states, gates, regime):
        return through(self, states, torch.ones_like(gates), regime)

    monkeypatch.setattr(NeuralMechanisms, "forward", ignoring)
    with pytest.raises(NumericalError, match="disconnected from the data"):
        fit()


def test_a_decoder_without_use_for_its_causes_is_refused(monkeypatch: pytest.MonkeyPatch):
    through = NeuralMechanisms.forward
    monkeypatch.setattr(NeuralMechanisms, "forward", lambda *inputs: through(*inputs) * -1.0)
    with pytest.raises(NumericalError, match="closing all gates"):
        fit()


def test_the_published_graph_gets_no_gradient_from_the_reconstruction():
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        module = PublishedRCGNN(D, 3, PublishedOptions())
    values, observed = torch.randn(4, 6, D, generator=torch.Generator().manual_seed(0)), None
    observed = torch.ones(4, 6, D, dtype=torch.bool)
    loss = module.reconstruction_loss(values, observed)
    wanted = (module.logits, module.deltas, module.get_parameter("decoder.0.weight"))
    on_graph, on_deltas, on_decoder = torch.autograd.grad(loss, wanted, allow_unused=True)
    assert on_graph is None
    assert on_deltas is None
    assert on_decoder is not None
    assert float(on_decoder.norm()) > 0


def test_a_sensor_reaches_its_own_prediction_by_no_route():
    module, batch = model_and_batch()
    torch.nn.init.normal_(module.mechanisms.outer, generator=torch.Generator().manual_seed(1))
    gates = module.gates.allowed.float().unsqueeze(0)
    states = batch.guess.mean[:2, :4].requires_grad_()
    prediction = module.mechanisms(states, gates, batch.regime[:2])
    for j in range(D):
        (slope,) = torch.autograd.grad(prediction[0, 1, j], states, retain_graph=True)
        assert float(slope[0, 2, j]) == 0.0
        others = [i for i in range(D) if i != j]
        assert bool((slope[0, 2, others] != 0).all())
        assert bool((slope[0, 1] != 0).all())
        assert float(slope[0, [0, 3]].abs().sum() + slope[1].abs().sum()) == 0.0


# -- fits --------------------------------------------------------------------------------


@cache
def found() -> NeuralFit:
    return fit(n_steps=120)


def test_edges_beat_the_empty_graph_a_random_one_and_the_correlation_skeleton():
    readings, truth = nonlinear_case()
    graph = found().graph.any(0).numpy() & ~np.eye(D, dtype=bool)

    def f1(guess: np.ndarray) -> float:
        return float(2 * (guess & truth).sum() / (guess.sum() + truth.sum()))

    flat = torch.where(readings.observed, readings.values, torch.nan).flatten(0, 1).numpy()
    cells = np.ma.masked_invalid(flat)
    correlation = np.abs(np.ma.corrcoef(cells, rowvar=False).filled(0.0))
    rivals = [f1((correlation > t) & ~np.eye(D, dtype=bool)) for t in np.linspace(0.05, 0.6, 12)]
    # A random graph of equal density has an expected F1 below its share of all pairs.
    density = graph.sum() / (D * (D - 1))
    assert f1(graph) > max(max(rivals), density, 0.8)


def test_the_graph_is_acyclic_within_the_step_and_the_record_counts_its_edges():
    result = found()
    assert bool(is_acyclic(result.graph[0]))
    assert float(exponential_trace(result.graph[0].double())) <= 1e-8
    summary = result.graph.any(0) & ~torch.eye(D, dtype=torch.bool)
    rows = [row for row in result.history if "edge_count" in row]
    assert rows[-1]["edge_count"] == int(summary.sum())
    assert rows[-1]["objective_gradient/structure"] > 0
    assert {row["stage"] for row in rows} == {0.0, 1.0, 2.0}
    assert all(row["objective_gradient/structure"] > 0 for row in rows)


def test_independent_sensors_get_at_most_one_edge():
    """An edge costs 16 nats, which chance reaches in fewer than one of 100,000 candidates."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((24, 30, D))
    for t in range(1, 30):
        values[:, t] += 0.5 * values[:, t - 1]
    readings = readings_of(values, np.ones(values.shape, dtype=bool), np.zeros(24, dtype=np.int64))
    result = fit(readings=readings, warm=False)
    others = ~torch.eye(D, dtype=torch.bool)
    assert int((result.graph.any(0) & others).sum()) <= 1
    assert int(result.graph[1].diagonal().sum()) >= 4


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    first, second, other = fit(n_steps=12), fit(n_steps=12), fit(n_steps=12, seed=1)
    for name in ("within", "lagged", "state", "state_sd", "drift", "noise_scale", "deltas"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name
    assert not torch.equal(first.state, other.state)


def test_what_missing_cells_hold_does_not_matter():
    readings, _ = nonlinear_case()
    garbage = readings._replace(values=torch.where(readings.observed, readings.values, 1e6))
    for warm in (True, False):
        one = fit(n_steps=12, warm=warm)
        two = fit(n_steps=12, warm=warm, readings=garbage)
        assert torch.equal(one.state, two.state)
        assert one.history[-2]["loss"] == two.history[-2]["loss"]


def test_knowledge_is_obeyed_by_gates_and_graph():
    known = free(required=[("x0", "x1"), ("x2", "x1")], forbidden=[("x1", "x3")], roots=["x4"])
    result = fit(constraints=known, threshold=0.9)
    graph = result.graph
    assert bool(graph[:, 0, 1].any())
    assert bool(graph[:, 2, 1].any())
    assert not bool(graph[:, 1, 3].any())
    assert not bool(graph[:, :4, 4].any())
    probability = torch.cat([result.within[None], result.lagged])
    assert float(probability[:, 1, 3].max()) == 0.0
    assert float(probability[:, 0, 1].max()) == 1.0
    assert bool((graph[0].diagonal() == 0).all())


def test_a_folder_keeps_the_record_and_a_finished_fit_is_taken_from_it(tmp_path: Path):
    def run(**options: object) -> NeuralFit:
        return fit_neural(
            nonlinear_case()[0],
            n_lags=1,
            options=quick(n_steps=10, log_every=5, **options),
            constraints=free(),
            seeds=np.random.SeedSequence(0),
            progress=False,
            folder=tmp_path,
        )

    first = run()
    rows = [row for row in read_record(tmp_path / "health.jsonl") if "loss" in row]
    assert [row["step"] for row in rows] == [5, 10]
    again = run()
    assert torch.equal(first.graph, again.graph)
    assert torch.equal(first.state, again.state)
    with pytest.raises(InputError, match="model"):
        run(lambda_sparse=2.0)


@pytest.mark.parametrize(("n_regimes", "n_lags"), [(1, 2), (3, 1)])
def test_shapes_with_regimes_and_lags(n_regimes: int, n_lags: int):
    result = fit(n_regimes=n_regimes, n_lags=n_lags, n_steps=8, log_every=4)
    cells = nonlinear_case(n_regimes)[0].values.shape
    assert result.within.shape == (D, D)
    assert result.lagged.shape == (n_lags, D, D)
    assert result.graph.shape == (n_lags + 1, D, D)
    assert result.deltas.shape == (n_regimes, n_lags + 1, D, D)
    for name in ("state", "state_sd", "drift", "inverse_probability"):
        value = getattr(result, name)
        assert value.shape == cells
        assert bool(value.isfinite().all())
    assert result.noise_scale.shape == result.degrees_of_freedom.shape == (D,)
    assert bool((result.degrees_of_freedom > 2).all())
    assert bool((result.state_sd > 0).all())
    assert result.n_steps == 8


@pytest.mark.parametrize("invariance", ["irm", "variance", "residual"])
def test_every_penalty_of_invariance_trains_with_losses_that_depend_on_values(invariance: str):
    result = fit(
        n_regimes=3,
        n_steps=6,
        log_every=3,
        mnar=True,
        invariance=invariance,
        lambda_invariance=0.1,
        initialisation="open",
    )
    rows = [row for row in result.history if "invariance" in row]
    assert rows
    assert all(row["invariance"] > 0 for row in rows)


def test_held_out_windows_are_scored_and_not_trained_on():
    readings, _ = nonlinear_case(3)
    n = len(readings.values)
    split = WindowSplit(np.arange(n - 8), np.arange(n - 6, n), np.arange(0))
    seen = torch.from_numpy(split.train)
    spoilt = readings._replace(values=readings.values.clone())
    spoilt.values[n - 8 :] *= 3.0  # those between training and validation, too

    def run(given: Readings) -> NeuralFit:
        return fit_neural(
            given,
            n_lags=1,
            options=quick(n_steps=8, log_every=4),
            constraints=free(),
            seeds=np.random.SeedSequence(0),
            progress=False,
            split=split,
        )

    one, two = run(readings), run(spoilt)
    assert torch.equal(one.within, two.within)
    assert torch.equal(one.state[seen], two.state[seen])
    for e in range(3):
        name = f"validation_loss/regime_{e}"
        last, spoiled = ([r for r in f.history if "loss" in r][-1] for f in (one, two))
        assert spoiled[name] > last[name]


def test_the_published_prototype_returns_its_random_start():
    readings, _ = nonlinear_case()
    result = fit_as_published(
        readings,
        n_lags=2,
        options=PublishedOptions(n_steps=20),
        constraints=free(2, forbidden=[("x0", "x1")]),
        seeds=np.random.SeedSequence(0),
        progress=False,
    )
    with torch.random.fork_rng():
        module = result.module
        assert isinstance(module, PublishedRCGNN)
    assert result.graph.shape == (3, D, D)
    assert result.lagged.shape == (2, D, D)
    assert not bool(result.graph[:, 0, 1].any())
    assert bool(is_acyclic(result.graph[0]))
    assert 0 < int(result.graph.sum()) <= max(1, int(0.1 * D * D))
    assert float((result.within - 0.5).abs().mul(1 - torch.eye(D))[1:, 2:].max()) < 0.15


# -- pieces ------------------------------------------------------------------------------


def test_the_search_agrees_with_scoring_each_change_of_its_graph_anew():
    readings, _ = nonlinear_case()
    states = readings.values[None] + 0.0
    information = torch.ones(D, dtype=torch.float64)
    found = search_additive(
        states, readings.live, readings.regime, free(), information=information, penalty=1.0
    )
    edges, evidence = found.edges[0], found.evidence[0]
    assert bool(is_acyclic(edges[0]))
    assert bool((evidence[edges] > 0).all())
    # Forbidding an edge of the graph must cost what the evidence says, as no other edge can do
    # better in its place: the target's parents are else the same.
    kept = edges.nonzero().tolist()
    assert kept
    lag, i, j = min(kept, key=lambda e: float(evidence[tuple(e)]))
    known = free()
    known.forbidden[j, lag * D + i] = True
    without = search_additive(
        states, readings.live, readings.regime, known, information=information, penalty=1.0
    )
    assert not bool(without.edges[0, lag, i, j])


def test_what_all_regimes_add_is_no_difference_between_them():
    deltas = torch.zeros(3, 4, 2)
    deltas[:, 1, 0] = 0.7  # in all
    deltas[2, 3, 1] = -0.4  # in one
    apart = beyond_shared(deltas)
    assert apart[:, 1, 0].tolist() == [0.0, 0.0, 0.0]
    torch.testing.assert_close(apart[:, 3, 1], torch.tensor([0.0, 0.0, -0.4]))
    torch.testing.assert_close(beyond_shared(deltas[1:])[:, 3, 1], torch.tensor([0.2, -0.2]))


def test_hard_concrete_gates_open_as_often_as_their_probability_says():
    """20,000 draws at 4.5 standard errors."""
    n, logits = 20_000, torch.tensor([-2.0, 0.0, 1.5])
    uniform = torch.rand(n, 3, generator=torch.Generator().manual_seed(0)).clamp(1e-6, 1 - 1e-6)
    gates = sample_gates(logits, uniform, 0.5)
    assert float(gates.min()) == 0.0
    assert float(gates.max()) == 1.0
    p = open_probability(logits, 0.5)
    error = (gates > 0).float().mean(0) - p
    assert bool((error.abs() < 4.5 * (p * (1 - p) / n).sqrt()).all())


def test_cycles_lose_their_weakest_edge_and_what_is_required_stays():
    p = torch.zeros(4, 4)
    p[0, 1], p[1, 2], p[2, 0], p[2, 3] = 0.6, 0.9, 0.8, 0.51
    nothing = torch.zeros(4, 4, dtype=torch.bool)
    kept = without_cycles(p > 0.5, p, nothing)
    assert kept.nonzero().tolist() == [[1, 2], [2, 0], [2, 3]]
    held = nothing.clone()
    held[0, 1] = True
    kept = without_cycles(p > 0.5, p, held)
    assert kept.nonzero().tolist() == [[0, 1], [1, 2], [2, 3]]


def test_the_weight_of_cycles_grows_until_there_is_none():
    penalty, cyclic = CyclePenalty(0.01), torch.zeros(3, 3)
    cyclic[0, 1] = cyclic[1, 0] = 0.8
    first = float(penalty(cyclic))
    for _ in range(3):
        penalty.update(cyclic)
    assert float(penalty(cyclic)) > 10 * first > 0
    weight = float(penalty.weight)
    penalty.update(torch.ones(3, 3).triu(1))
    assert float(penalty.weight) == weight
    assert float(penalty(torch.ones(3, 3).triu(1))) == 0.0


def test_slow_errors_are_stationary_with_memory_95():
    covariance = (path := slow_filter(200).double()) @ path.mT
    stationary = torch.full((200,), 1 / (1 - 0.95**2), dtype=torch.float64)
    torch.testing.assert_close(covariance.diagonal(), stationary, rtol=1e-5, atol=0.0)
    correlation = float(covariance[150, 140] / covariance[150, 150])
    assert correlation == pytest.approx(0.95**10, rel=1e-5)


def test_student_noise_is_that_of_torch():
    x = torch.linspace(-4, 4, 9).unsqueeze(-1).expand(9, 2)
    scale, freedom = torch.tensor([0.5, 2.0]), torch.tensor([2.5, 30.0])
    law = torch.distributions.StudentT(freedom, 0.0, scale)
    torch.testing.assert_close(student_nll(x, scale, freedom), -law.log_prob(x))


def test_irm_is_the_squared_gradient_of_each_risk():
    generator = torch.Generator().manual_seed(0)
    y, f = torch.randn(2, 6, 7, 1, generator=generator)
    regime, weight = torch.arange(6) % 2, torch.ones(6, 7, 1)
    c = torch.ones((), requires_grad=True)
    expected = torch.zeros(())
    for e in range(2):
        risk = 0.5 * (y - c * f)[regime == e].square().mean()
        expected = expected + torch.autograd.grad(risk, c)[0].square()
    torch.testing.assert_close(irm_penalty(y - f, f, weight, regime, 2), expected)


def test_penalties_of_invariance_vanish_where_regimes_agree():
    half = torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0))
    regime, weight = torch.tensor([0, 0, 0, 1, 1, 1]), torch.ones(6, 8, 1)
    same = torch.cat([half, half])
    for penalty in (variance_penalty, residual_penalty):
        assert float(penalty(same, weight, regime, 2)) < 1e-10
        assert float(penalty(torch.cat([half, 3 * half]), weight, regime, 2)) > 0.1
        assert float(penalty(same, weight, torch.zeros(6, dtype=torch.long), 3)) < 1e-10
    shifted = torch.cat([half, half + 2.0])
    assert float(residual_penalty(shifted, weight, regime, 2)) > 0.9


def test_independent_states_and_errors_are_disentangled():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 40, 50, 3, generator=generator)
    ones = torch.ones(40, 50, 1)
    assert float(disentanglement(a, b, ones)) < 5 / 2000
    assert float(disentanglement(a, a, ones)) > 0.3
    assert float(disentanglement(a, 0 * b, ones)) == 0.0


def test_weights_of_losses_are_stabilised_and_clipped():
    log_odds = torch.randn(30, 40, 2, generator=torch.Generator().manual_seed(0)) * 2
    draws = torch.rand(log_odds.shape, generator=torch.Generator().manual_seed(1))
    observed = draws < torch.sigmoid(log_odds)
    weight = inverse_probability(log_odds, observed, 0.95)
    mean = torch.where(observed, weight, 0.0).sum((0, 1)) / observed.sum((0, 1))
    torch.testing.assert_close(mean, torch.ones(2))
    assert bool((weight[~observed] == 1).all())
    for j in range(2):
        of_sensor = weight[..., j][observed[..., j]]
        is_clipped = of_sensor > 0.9999 * of_sensor.max()
        assert 0.02 < float(is_clipped.float().mean()) < 0.08
        likely = observed[..., j] & (log_odds[..., j] > 2)
        assert float(weight[..., j][likely].max()) < 1.0


def test_the_published_penalties_are_as_bad_as_described():
    ring = torch.zeros(4, 4)
    for i in range(4):
        ring[i, (i + 1) % 4] = 1.0
    assert float(published_acyclicity(ring)) == pytest.approx(0.0, abs=1e-5)
    pair = torch.zeros(4, 4)
    pair[0, 1] = pair[1, 0] = 1.0
    assert float(published_acyclicity(pair)) > 0.1
    a, b, c = torch.randn(3, 5000, 16, generator=torch.Generator().manual_seed(0))
    assert float(published_disentanglement(a, b, c)) > 3 / 32


def test_options_that_do_nothing_or_make_no_sense_are_refused():
    with pytest.raises(InputError, match="leave no step"):
        NeuralOptions(warmup_share=0.5, final_share=0.6)
    with pytest.raises(InputError, match="give it a weight"):
        NeuralOptions(invariance="irm")
    with pytest.raises(InputError, match="temperature"):
        NeuralOptions(temperature=(0.5, 0.0))

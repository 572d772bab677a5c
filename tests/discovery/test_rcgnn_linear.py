"""The linear back end: smoother, maximum likelihood, graph search, stability selection."""

import itertools

import numpy as np
import pytest
import torch

from aetia.discovery.rcgnn.linear.sparse_shifts import sparse_shifts
from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.search.constraints import lagged_constraints
from aetia.discovery.rcgnn.search.deploy import deploy, frequencies
from aetia.discovery.rcgnn.search.likeliest import effective_steps, likeliest_graph
from aetia.discovery.rcgnn.search.likelihood import constrained_model, explain
from aetia.discovery.rcgnn.search.moves import escape_structure, log_prior, search_structure
from aetia.discovery.rcgnn.search.regressions import Regressions, straight_lines
from aetia.discovery.rcgnn.search.resamples import half_samples
from aetia.discovery.rcgnn.search.weights import candidates_of, held_out_losses, weights_given_graph
from aetia.discovery.rcgnn.states.choose import choose_states
from aetia.discovery.rcgnn.states.em import em_step, fit_states
from aetia.discovery.rcgnn.states.fitted import states_of_blocks
from aetia.discovery.rcgnn.states.heavy_tails import with_heavy_tails
from aetia.discovery.rcgnn.states.moments import clean_moments
from aetia.discovery.rcgnn.states.state_space import (
    StateSpace,
    patterns_of,
    smooth,
    stationary_covariance,
)
from aetia.graphs import Knowledge, is_acyclic
from aetia.scm import random_structural_var

NOTHING_KNOWN = Knowledge().constraints(("a", "b", "c"))


def model(d=3, n_lags=1, drift=False, seed=0):
    g = torch.Generator().manual_seed(seed)
    coefficients = 0.3 * torch.randn(n_lags, d, d, generator=g, dtype=torch.float64) / n_lags
    root = torch.randn(d, d, generator=g, dtype=torch.float64)
    return StateSpace(
        coefficients,
        root @ root.mT + 0.5 * torch.eye(d, dtype=torch.float64),
        torch.linspace(0.1, 0.4, d, dtype=torch.float64),
        torch.full((d,), 0.05, dtype=torch.float64) if drift else None,
    )


def windows(n=4, time=6, d=3, lost=0.3, seed=1):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, time, d, generator=g, dtype=torch.float64)
    return x, torch.rand(n, time, d, generator=g) > lost


def joint_gaussian(space, time):
    """Covariance of all states of a window, by propagating it densely."""
    forward, step = space.transition(), space.step_covariance()
    k = len(forward)
    stationary = step
    for _ in range(2000):
        stationary = forward @ stationary @ forward.mT + step
    covariance = torch.zeros(time, k, time, k, dtype=torch.float64)
    for s in range(time):
        block = stationary
        for t in range(s, time):
            covariance[t, :, s] = block
            covariance[s, :, t] = block.mT
            block = forward @ block
    return covariance.reshape(time * k, time * k)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n_lags", "drift"), [(1, False), (2, False), (1, True), (2, True)])
def test_the_smoother_equals_conditioning_one_large_gaussian(n_lags, drift, weighted):
    space, time = model(n_lags=n_lags, drift=drift), 6
    x, observed = windows(time=time)
    precision = observed.double()
    if weighted:
        g = torch.Generator().manual_seed(5)
        precision = precision * torch.rand(x.shape, generator=g, dtype=torch.float64).add(0.2)
    patterns = patterns_of(precision)
    smoothed = smooth(x, patterns, space)
    joint, readout = joint_gaussian(space, time), space.readout()
    k = readout.shape[1]
    design = torch.kron(torch.eye(time, dtype=torch.float64), readout)
    which, total = patterns.which, 0.0
    for n in range(len(x)):
        seen = observed[n].flatten()
        h = design[seen]
        noise = torch.diag(space.sensor_variance.repeat(time)[seen] / precision[n].flatten()[seen])
        spread = h @ joint @ h.mT + noise
        gain = torch.linalg.solve(spread, h @ joint).mT
        mean = gain @ x[n].flatten()[seen]
        torch.testing.assert_close(smoothed.mean[n], mean.view(time, k))
        left = (joint - gain @ h @ joint).view(time, k, time, k)
        for t in range(time):
            torch.testing.assert_close(smoothed.covariance[which[n], t], left[t, :, t])
        for t in range(time - 1):
            torch.testing.assert_close(smoothed.cross[which[n], t], left[t + 1, :, t])
        law = torch.distributions.MultivariateNormal(torch.zeros_like(spread[0]), spread)
        constant = 0.5 * int(seen.sum()) * np.log(2 * np.pi)
        total += float(law.log_prob(x[n].flatten()[seen])) + constant
    assert smoothed.log_likelihood == pytest.approx(total)


def test_garbage_in_unseen_cells_changes_nothing():
    x, observed = windows()
    garbage = torch.where(observed, x, 1e9 * torch.randn(x.shape, generator=torch.Generator()))
    first, second = (smooth(v, patterns_of(observed), model()) for v in (x, garbage))
    assert first.log_likelihood == second.log_likelihood
    assert torch.equal(first.mean, second.mean)


def test_windows_of_one_pattern_share_their_covariances():
    x, _ = windows(n=5)
    everything = patterns_of(torch.ones_like(x, dtype=torch.bool))
    assert len(everything.counts) == 1
    alone = [smooth(x[i : i + 1], patterns_of(torch.ones(1, 6, 3) > 0), model()) for i in range(5)]
    together = smooth(x, everything, model())
    torch.testing.assert_close(together.mean, torch.cat([a.mean for a in alone]))
    assert together.log_likelihood == pytest.approx(sum(a.log_likelihood for a in alone))


@pytest.mark.parametrize("drift", [False, True])
def test_every_em_step_raises_the_likelihood(drift):
    x, observed = windows(n=10, time=20, seed=3)
    live = torch.ones(10, 20, dtype=torch.bool)
    space, seen = model(drift=drift), patterns_of(observed)
    values = []
    for _ in range(15):
        space, smoothed = em_step(x, live, seen, space)
        values.append(smoothed.log_likelihood)
    assert all(b >= a - 1e-6 for a, b in itertools.pairwise(values))
    assert values[-1] > values[0] + 1


def test_rows_after_the_end_of_a_window_do_not_count():
    x, observed = windows(n=3, time=8, lost=0.0)
    short = patterns_of(observed[:, :5])
    moments = clean_moments(
        smooth(x[:, :5], short, model()), short, torch.ones(3, 5, dtype=torch.bool), model()
    )
    live = torch.zeros(3, 8, dtype=torch.bool)
    live[:, :5] = True
    padded = patterns_of(observed & live.unsqueeze(-1))
    same = clean_moments(smooth(x, padded, model()), padded, live, model())
    torch.testing.assert_close(moments.moments, same.moments)
    assert same.steps.tolist() == [4, 4, 4]


def recordings(noise=0.0, seed=0, n=40, d=4, lost=0.0):
    process = random_structural_var(d, d, random_state=seed)
    data, truth = process.sample(n, 50, random_state=seed + 1)
    rng = np.random.default_rng(seed + 2)
    x = data.values / data.values.std((0, 1))
    x = x - x.mean((0, 1)) + noise * rng.standard_normal(x.shape)
    seen = rng.random(x.shape) > lost
    return (
        Readings(
            torch.from_numpy(np.where(seen, x, 0.0)),
            torch.from_numpy(seen),
            torch.ones(x.shape[:2], dtype=torch.bool),
            torch.zeros(n, dtype=torch.int64),
        ),
        truth,
    )


def test_the_noise_of_sensors_is_found():
    """2,000 steps; the noise variance is .25 in units of the clean variance."""
    readings, _ = recordings(noise=0.5)
    fitted = fit_states(readings, n_lags=1, drift=False, outlier_score=4.0)
    assert 0.15 < float(fitted.model.sensor_variance.mean()) < 0.35


def test_outliers_are_flagged_and_little_else():
    readings, _ = recordings()
    values = readings.values.clone()
    hit = torch.rand(values.shape, generator=torch.Generator().manual_seed(0)) < 0.01
    values[hit] += 6.0
    fitted = fit_states(readings._replace(values=values), n_lags=1, drift=False, outlier_score=4.0)
    left_out = ~fitted.observed
    assert float(left_out[hit].double().mean()) > 0.95
    assert float(left_out[~hit].double().mean()) < 0.005


def heavy_readings(seed=0):
    """A tenth of the readings have noise of 2 instead of .2 standard deviations."""
    readings, truth = recordings(seed=seed, n=24)
    g = torch.Generator().manual_seed(seed)
    wild = torch.rand(readings.values.shape, generator=g) < 0.1
    noise = torch.where(wild, 2.0, 0.2) * torch.randn(
        readings.values.shape, generator=g, dtype=torch.float64
    )
    return readings._replace(values=readings.values + noise), readings.values, truth


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_heavy_tails_bring_states_closer_to_the_truth(seed):
    readings, clean, _ = heavy_readings(seed)
    fitted = fit_states(readings, n_lags=1, drift=False, outlier_score=4.0)
    robust = with_heavy_tails(fitted, readings, n_steps=4)
    errors = [
        float((f.smoothed.mean + f.level[0] - clean).square().mean()) for f in (fitted, robust)
    ]
    assert errors[1] < 0.95 * errors[0]


def test_many_outliers_call_for_heavy_tails():
    readings, _, _ = heavy_readings()
    chosen = choose_states(readings, n_lags=1, drift=False, outlier_score=4.0)
    assert chosen.degrees_of_freedom == 3.0
    assert bool((chosen.noise_variance == 3 * chosen.model.sensor_variance).all())


def test_normal_noise_has_no_heavy_tails():
    readings, _ = recordings(noise=0.5)
    chosen = choose_states(readings, n_lags=1, drift=False, outlier_score=4.0)
    assert chosen.degrees_of_freedom == np.inf
    assert torch.equal(chosen.noise_variance, chosen.model.sensor_variance)


def test_readings_count_by_how_much_they_are_believed():
    readings, _, _ = heavy_readings()
    fitted = fit_states(readings, n_lags=1, drift=False, outlier_score=None)
    once = with_heavy_tails(fitted, readings, n_steps=1, learn=False)
    spread = fitted.smoothed.covariance.diagonal(dim1=-2, dim2=-1)[fitted.patterns.which]
    errors = (fitted.x - fitted.smoothed.mean).square() + spread
    expected = 4 / (3 + errors / fitted.model.sensor_variance)
    torch.testing.assert_close(once.patterns.cells(), expected * fitted.observed)
    some = torch.tensor([4, 1])
    part = states_of_blocks(once, some, readings.select(some))
    torch.testing.assert_close(part.patterns.cells(), once.patterns.cells()[some])
    torch.testing.assert_close(part.moments.moments, once.moments.moments[some])


def moments_of(seed, d=3, n=4000):
    process = random_structural_var(d, d - 1, random_state=seed)
    data, truth = process.sample(n // 50, 50, random_state=seed)
    x = data.values - data.values.mean((0, 1))
    z = np.concatenate([x[:, 1:], x[:, :-1]], -1).reshape(-1, 2 * d)
    return torch.from_numpy(z.T @ z / len(z)), truth, len(z)


def score_of(moments, n, parents, penalty):
    total = 0.0
    for j, row in enumerate(parents):
        at = np.flatnonzero(row)
        s = moments.numpy()
        variance = s[j, j]
        if len(at):
            variance -= s[at, j] @ np.linalg.solve(s[np.ix_(at, at)], s[at, j])
        total += -n / 2 * np.log(variance) - penalty / 2 * len(at) * np.log(n)
    return total


@pytest.mark.parametrize("seed", range(4))
def test_the_search_finds_the_best_of_all_graphs(seed):
    """d = 3: 25 DAGs within the step times 2^9 lagged graphs, node by node."""
    moments, _, n = moments_of(seed)
    penalty = 2.0
    nothing = lagged_constraints(NOTHING_KNOWN, 1)
    counts = torch.full((3,), float(n), dtype=torch.float64)
    found = escape_structure(straight_lines(moments[None], 3), counts, nothing, penalty=penalty)
    by_parents = [
        {
            within: max(
                score_of(moments, n, _one(j, within, lagged), penalty)
                - score_of(moments, n, _one(j, (), ()), penalty)
                for k in range(4)
                for lagged in itertools.combinations(range(3), k)
            )
            for k in range(3)
            for within in itertools.combinations([i for i in range(3) if i != j], k)
        }
        for j in range(3)
    ]
    best = max(
        sum(by_parents[j][tuple(np.flatnonzero(graph[:, j]))] for j in range(3))
        for graph in _all_dags(3)
    )
    parents = found.parents[0].numpy()
    base = score_of(moments, n, np.zeros((3, 6), dtype=bool), penalty)
    assert score_of(moments, n, parents, penalty) - base == pytest.approx(best)
    assert float(found.score[0]) == pytest.approx(score_of(moments, n, parents, penalty))


def _one(j, within, lagged):
    row = np.zeros((3, 6), dtype=bool)
    row[j, list(within)] = True
    row[j, [3 + i for i in lagged]] = True
    return row


def _all_dags(d):
    from aetia.graphs import all_dags

    return all_dags(d).numpy()


def test_evidence_is_the_difference_an_edge_makes():
    moments, _, n = moments_of(5)
    counts = torch.full((1, 3), float(n), dtype=torch.float64)
    found = search_structure(
        straight_lines(moments[None], 3), counts, lagged_constraints(NOTHING_KNOWN, 1), penalty=2
    )
    parents = found.parents[0].numpy()
    for j, k in itertools.product(range(3), range(6)):
        if j == k:
            continue
        with_edge, without = parents.copy(), parents.copy()
        with_edge[j, k], without[j, k] = True, False
        gap = score_of(moments, n, with_edge, 2) - score_of(moments, n, without, 2)
        assert float(found.evidence[0, j, k]) == pytest.approx(gap, abs=1e-6)


def test_evidence_of_curves_is_the_difference_they_make():
    """Two features for each candidate, against regressions on rows."""
    rng = np.random.default_rng(0)
    s = rng.normal(size=(400, 6))
    s[:, 0] += np.sin(2 * s[:, 1]) + 0.5 * s[:, 4]
    features = np.stack([s, s**2 - 1], -1)
    columns = torch.from_numpy(np.concatenate([features.reshape(400, 12), s[:, :3]], 1))
    both = (columns.mT @ columns / 400)[None]
    curves = Regressions(
        both[:, :12, :12], both[:, :12, 12:], both[:, 12:, 12:].diagonal(0, 1, 2), 2
    )
    counts = torch.full((1, 3), 400.0, dtype=torch.float64)
    nothing = lagged_constraints(NOTHING_KNOWN, 1)
    found = search_structure(curves, counts, nothing, penalty=1.0)
    assert bool(found.parents[0, 0, 1])

    def score(parents):
        total = 0.0
        for j in range(3):
            x = features[:, parents[j]].reshape(400, -1)
            fitted = x @ np.linalg.lstsq(x, s[:, j], rcond=None)[0] if x.size else 0.0
            total -= 200 * np.log(np.mean((s[:, j] - fitted) ** 2))
            total -= 0.5 * 2 * parents[j].sum() * np.log(400)
        return total

    parents = found.parents[0].numpy()
    assert float(found.score[0]) == pytest.approx(score(parents))
    for j, k in itertools.product(range(3), range(6)):
        if j == k:
            continue
        with_edge, without = parents.copy(), parents.copy()
        with_edge[j, k], without[j, k] = True, False
        gap = score(with_edge) - score(without)
        assert float(found.evidence[0, j, k]) == pytest.approx(gap, abs=1e-5)


def test_the_search_does_not_depend_on_units_or_order():
    moments, _, n = moments_of(6)
    counts = torch.full((1, 3), float(n), dtype=torch.float64)
    nothing = lagged_constraints(NOTHING_KNOWN, 1)
    plain = search_structure(
        straight_lines(moments[None], 3), counts, nothing, penalty=2.0
    ).parents[0]
    scale = torch.tensor([1e3, 1.0, 1e-2] * 2, dtype=torch.float64)
    scaled = moments * scale * scale[:, None]
    other = search_structure(straight_lines(scaled[None], 3), counts, nothing, penalty=2.0).parents[
        0
    ]
    assert torch.equal(other, plain)
    order = torch.tensor([2, 0, 1])
    both = torch.cat([order, order + 3])
    shuffled = straight_lines(moments[both][:, both][None], 3)
    moved = search_structure(shuffled, counts, nothing, penalty=2.0).parents[0]
    assert torch.equal(moved, plain[order][:, both])


def test_statements_hold_in_every_graph():
    names = tuple(f"x{i}" for i in range(6))
    known = Knowledge(
        required=["x0 -> x1"], forbidden=["x2 -> x3"], roots=["x4"], tiers=[["x5"], ["x0", "x1"]]
    )
    constraints = lagged_constraints(known.constraints(names), 2)
    g = torch.Generator().manual_seed(0)
    root = torch.randn(30, 18, 40, generator=g, dtype=torch.float64)
    found = search_structure(
        straight_lines(root @ root.mT / 40, 6),
        torch.full((30, 6), 200.0).double(),
        constraints,
        penalty=0.2,
    )
    by_lag = found.parents.unflatten(-1, (3, 6))
    assert bool(is_acyclic(by_lag[:, :, 0].mT).all())
    assert bool(by_lag[:, 1, :, 0].any(-1).all())
    assert not bool(by_lag[:, 3, :, 2].any())
    assert not bool(by_lag[:, 4, :, [0, 1, 2, 3, 5]].any())
    assert not bool(by_lag[:, 5, :, :2].any())
    assert int(found.parents.sum()) > 30 * 6  # the search had something to decide


def test_weights_and_folds_agree_with_regression_on_rows():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(3, 200, 4)) @ rng.normal(size=(4, 4))
    parents = np.array([[False, True, False, True], [False, False, True, False]])
    rows = z.reshape(-1, 4)
    weights = weights_given_graph(rows.T @ rows / 600, parents)
    slopes = np.linalg.lstsq(rows[:, [1, 3]], rows[:, 0], rcond=None)[0]
    np.testing.assert_allclose(weights.by_lag[[0, 1], [1, 1], 0], slopes)
    sums = np.einsum("kti,ktj->kij", z, z)
    losses = held_out_losses(sums, np.full(3, 200.0), parents)
    train = np.concatenate([z[1], z[2]])
    expected = 0.0
    for j, at in ((0, [1, 3]), (1, [2])):
        b = np.linalg.lstsq(train[:, at], train[:, j], rcond=None)[0]
        variance = np.mean((train[:, j] - train[:, at] @ b) ** 2)
        gaps = z[0][:, j] - z[0][:, at] @ b
        expected += 0.5 * (np.log(variance) + np.mean(gaps**2) / variance)
    assert losses[0] == pytest.approx(expected)


def test_only_the_changed_mechanism_gets_a_delta():
    rng = np.random.default_rng(0)
    moments = []
    for e in range(3):
        cause, past = rng.normal(size=(2, 3000))
        effect = (2.0 if e == 2 else 0.5) * cause + 0.7 * past + rng.normal(size=3000)
        z = np.stack([cause, effect, rng.normal(size=3000), past], 1)
        moments.append(z.T @ z / 3000)
    parents = np.zeros((2, 4), dtype=bool)
    parents[1, [0, 3]] = True
    found = sparse_shifts(np.array(moments), np.full(3, 3000.0), parents, penalty=2.0)
    assert found.shared[0, 0, 1] == pytest.approx(0.5, abs=0.1)
    assert found.changed.tolist() == [[False, False], [False, False], [False, True]]
    assert found.deltas[2, 0, 0, 1] == pytest.approx(1.5, abs=0.1)
    assert found.deltas[2, 1, 1, 1] == pytest.approx(0.0, abs=0.1)
    assert not found.deltas[:2].any()


def test_half_samples_hold_half_of_every_regime():
    regime = np.array([0] * 10 + [1] * 4 + [2])
    for rows in half_samples(regime, 20, 0.5, np.random.default_rng(0)):
        assert len(set(rows.tolist())) == len(rows)
        assert np.bincount(regime[rows], minlength=3).tolist() == [5, 2, 1]


def test_the_deployed_graph_is_acyclic_within_the_step_and_obeys_thresholds():
    rng = np.random.default_rng(0)
    within, lagged = rng.random((20, 4, 4)) < 0.5, rng.random((20, 1, 4, 4)) < 0.5
    within &= ~np.eye(4, dtype=bool)
    found = frequencies(within, lagged)
    known = Knowledge(required=["a -> b"], forbidden=["c -> d"]).constraints(tuple("abcd"))
    for threshold in (0.0, 0.3, 0.6, 1.0):
        graph = deploy(found, known, threshold=threshold, feedback_threshold=0.97)
        assert bool(is_acyclic(torch.from_numpy(graph.within)))
        assert graph.summary[0, 1]
        assert not graph.summary[2, 3]
        chosen = graph.summary.copy()
        chosen[0, 1] = False
        assert (found.any_lag[chosen] >= threshold).all()


def test_of_two_opposite_edges_the_rarer_goes_unless_it_is_nearly_certain():
    within = np.zeros((100, 2, 2), dtype=bool)
    lagged = np.zeros((100, 1, 2, 2), dtype=bool)
    within[:, 0, 1] = True
    lagged[:90, 0, 1, 0] = True
    nothing = Knowledge().constraints(("a", "b"))
    graph = deploy(frequencies(within, lagged), nothing, threshold=0.7, feedback_threshold=0.97)
    assert graph.summary.tolist() == [[False, True], [False, False]]
    lagged[:, 0, 1, 0] = True
    graph = deploy(frequencies(within, lagged), nothing, threshold=0.7, feedback_threshold=0.97)
    assert graph.summary.tolist() == [[False, True], [True, False]]


def test_parents_are_listed_by_lag():
    within = np.array([[0, 1], [0, 0]], dtype=bool)
    lagged = np.array([[[1, 0], [1, 0]]], dtype=bool)
    assert candidates_of(within, lagged).tolist() == [
        [False, False, True, True],
        [True, False, False, False],
    ]


def test_the_model_of_a_graph_implies_its_moments():
    """The stationary moments of the constrained model regress to the same weights."""
    moments, truth, _ = moments_of(7)
    parents = torch.from_numpy(candidates_of(truth.graph, truth.lagged))
    space = constrained_model(moments, parents, model())
    forward = space.coefficients[0]
    now = stationary_covariance(forward, space.innovation)
    lagged = forward @ now
    implied = torch.cat([torch.cat([now, lagged], 1), torch.cat([lagged.mT, now], 1)])
    fitted, again = (weights_given_graph(m.numpy(), parents.numpy()) for m in (moments, implied))
    np.testing.assert_allclose(again.by_lag, fitted.by_lag, atol=1e-8)
    np.testing.assert_allclose(again.residual_variance, fitted.residual_variance)


def test_readings_prefer_the_true_graph_of_noisy_sensors():
    readings, truth = recordings(noise=0.5, seed=3)
    fitted = fit_states(readings, n_lags=1, drift=False, outlier_score=None)
    right = torch.from_numpy(candidates_of(truth.graph, truth.lagged))
    for target, candidate in ((0, 5), (2, 4), (3, 6)):
        wrong = right.clone()
        wrong[target, candidate] = ~wrong[target, candidate]
        fits = [explain(g, fitted, readings, like=fitted, n_steps=4) for g in (right, wrong)]
        n = effective_steps(fitted)
        known = lagged_constraints(Knowledge().constraints(tuple("abcd")), 1)
        scores = [
            f.log_likelihood + float(log_prior(f.parents, n, known, penalty=2.0)) for f in fits
        ]
        assert scores[0] > scores[1]


@pytest.mark.parametrize("seed", [3, 5])
def test_the_readings_lead_out_of_a_wrong_direction(seed):
    """From the truth with one edge turned, and what makes up for it, back to as good a graph."""
    readings, truth = recordings(noise=0.4, seed=seed, lost=0.2)
    fitted = fit_states(readings, n_lags=1, drift=False, outlier_score=None)
    known = lagged_constraints(Knowledge().constraints(tuple("abcd")), 1)
    n = effective_steps(fitted)

    def score(fit):
        return fit.log_likelihood + float(log_prior(fit.parents, n, known, penalty=2.0))

    right = torch.from_numpy(candidates_of(truth.graph, truth.lagged))
    right[:, 4:] |= torch.eye(4, dtype=torch.bool)
    cause, target = truth.graph.nonzero()[0][0], truth.graph.nonzero()[1][0]
    wrong = right.clone()
    wrong[target, cause], wrong[cause, target] = False, True
    wrong[[cause, target], 4:] = True
    assert bool(is_acyclic(wrong[:, :4].mT))
    fits = [explain(g, fitted, readings, like=fitted, n_steps=6) for g in (right, wrong)]
    assert score(fits[0]) > score(fits[1])
    found = likeliest_graph(fitted, readings, known, penalty=2.0, initial=wrong).parents
    again = explain(found, fitted, readings, like=fitted, n_steps=6)
    assert score(again) > score(fits[0]) - 1.0
    assert bool(is_acyclic(found[:, :4].mT))


def test_what_is_known_holds_while_the_readings_are_searched():
    readings, truth = recordings(noise=0.4, seed=3)
    causes, targets = np.nonzero(truth.graph)
    names = tuple("abcd")
    edge = f"{names[causes[0]]} -> {names[targets[0]]}"
    known = lagged_constraints(Knowledge(forbidden=[edge]).constraints(names), 1)
    fitted = fit_states(readings, n_lags=1, drift=False, outlier_score=None)
    found = likeliest_graph(fitted, readings, known, penalty=2.0).parents
    assert not bool((found & known.forbidden).any())
    needed = lagged_constraints(Knowledge(required=[edge]).constraints(names), 1)
    found = likeliest_graph(fitted, readings, needed, penalty=2.0).parents
    assert bool(found.unflatten(-1, (2, 4)).any(1)[targets[0], causes[0]])

"""Corruption of measurements: exact rates, own units, one pass over the recording."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetia.data import Windows, as_windows
from aetia.errors import InputError
from aetia.scm.corruption import (
    PRESETS,
    Corruption,
    Failures,
    Missing,
    Nonlinear,
    Outliers,
    build_corruption,
    corrupt,
)
from aetia.scm.corruption.failures import failing, held
from aetia.scm.corruption.missingness import highest, logistic_intercept

KINDS = ["mcar", "mar", "mnar-self", "mnar-threshold", "mnar-extreme", "mnar-structural"]
CHAIN = np.eye(4, k=1, dtype=bool)  # x0 -> x1 -> x2 -> x3
EVERYTHING = Corruption(
    gain=(0.8, 1.2),
    offset=0.3,
    nonlinear=Nonlinear(),
    noise=0.2,
    heteroscedastic=True,
    outliers=Outliers(),
    drift=0.05,
    stuck=Failures(rate=0.1),
    missing=Missing(kind="mnar-self", rate=0.2),
    dead=Failures(rate=0.1),
)


def recording(n: int = 3000, d: int = 4, seed: int = 0, scale=1.0) -> Windows:
    return as_windows(np.random.default_rng(seed).gumbel(size=(n, d)) * scale)


def lost_share(result) -> np.ndarray:
    return 1 - result.observed.mean((0, 1))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_runs_and_keeps_what_is_true(name):
    truth = recording(400)
    result = corrupt(truth, name, graph=CHAIN, random_state=0)
    assert np.array_equal(result.clean, truth.values)
    assert np.array_equal(result.observed, ~np.isnan(result.data.values))
    assert result.corruption is PRESETS[name].corruption
    assert PRESETS[name].about
    changed = not np.array_equal(result.data.values, truth.values)
    assert changed == (result.corruption != Corruption())


def test_the_presets_are_those_of_the_catalogue():
    catalogue = (
        "clean noise_0.1 noise_0.3 noise_0.5 mcar_20 mcar_30 mcar_40 mnar_self_20 mnar_self_40 "
        "mnar_threshold_20 mnar_structural_20 bias_additive bias_gain regimes_3 regimes_5 mild "
        "moderate severe extreme compound_mnar_bias compound_mnar_noise_bias compound_full "
        "sensor_failure drift_0.05 drift_0.15"
    )
    assert set(catalogue.split()) <= set(PRESETS)
    assert PRESETS["extreme"].n_regimes == 5
    assert PRESETS["regimes_5"].regime_kind == "distribution"


# --- losses


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.1, 0.4, 0.7])
def test_the_asked_share_is_lost(kind, rate):
    """36 sensors-by-cases drawn by coins, 4.5 binomial errors: a false alarm in 4,000 seeds."""
    truth = recording(5000)
    result = corrupt(
        truth, Corruption(missing=Missing(kind=kind, rate=rate)), graph=CHAIN, random_state=1
    )
    share = lost_share(result)
    if kind == "mar":
        assert (share == 0).sum() == 2
        share = share[share > 0]
    error = 4.5 * np.sqrt(rate * (1 - rate) / 5000) if kind in ("mcar", "mnar-self") else 1e-3
    assert np.abs(share - rate).max() < error


@given(st.floats(0.001, 0.999), st.floats(0.01, 50), st.integers(0, 100))
def test_the_intercept_makes_the_mean_rate_exact(rate, steepness, seed):
    scores = steepness * np.random.default_rng(seed).normal(size=200)
    intercept = logistic_intercept(scores, rate)
    with np.errstate(over="ignore"):
        assert np.mean(1 / (1 + np.exp(-scores - intercept))) == pytest.approx(rate, abs=1e-8)


def lost_and_kept(kind: str, graph=None, seed: int = 0):
    result = corrupt(
        recording(4000),
        Corruption(missing=Missing(kind=kind, rate=0.3)),
        graph=graph,
        random_state=seed,
    )
    return result, ~result.observed[0]


def test_high_values_hide_themselves_and_chance_is_blind():
    """Medians of lost and kept cells differ by 1.25 +- 0.03 standard deviations over 120 seeds,
    and by 0.00 +- 0.04 under mcar; 4 sensors are 4.5 of these errors from both bounds."""
    result, lost = lost_and_kept("mnar-self")
    for j in range(4):
        x = (result.clean[0, :, j] - result.parameters["mean"][j]) / result.parameters["unit"][j]
        assert np.median(x[lost[:, j]]) - np.median(x[~lost[:, j]]) > 1.09
        assert x[~lost[:, j]].max() > np.median(x[lost[:, j]])  # a tendency, not a threshold
    result, lost = lost_and_kept("mcar")
    for j in range(4):
        x = (result.clean[0, :, j] - result.parameters["mean"][j]) / result.parameters["unit"][j]
        assert abs(np.median(x[lost[:, j]]) - np.median(x[~lost[:, j]])) < 0.17


def test_thresholds_and_extremes_cut_where_they_say():
    result, lost = lost_and_kept("mnar-threshold")
    x = result.clean[0]
    for j in range(4):
        assert x[lost[:, j], j].min() > x[~lost[:, j], j].max()
    result, lost = lost_and_kept("mnar-extreme")
    for j in range(4):
        kept = x[~lost[:, j], j]
        gone = x[lost[:, j], j]
        assert (gone < kept.min()).mean() == pytest.approx(0.5, abs=0.01)
        assert (gone > kept.max()).mean() == pytest.approx(0.5, abs=0.01)


def test_structural_losses_are_a_function_of_the_causes_now_and_before():
    """A linear threshold of two known columns: a regression finds the weights, and no other."""
    result, lost = lost_and_kept("mnar-structural", CHAIN)
    z = (result.clean[0] - result.parameters["mean"]) / result.parameters["unit"]
    # x0 has no causes: its own value
    assert z[lost[:, 0], 0].min() > z[~lost[:, 0], 0].max()
    for j in (1, 2, 3):
        design = np.column_stack([z[1:], z[:-1]])
        weights = np.linalg.lstsq(design, lost[1:, j] - 0.3, rcond=None)[0]
        parents = [j - 1, 4 + j - 1]
        others = np.delete(np.abs(weights), parents)
        noise = 4.5 * 0.46 / np.sqrt(4000)
        assert np.abs(weights[parents]).min() > noise
        assert others.max() < noise
        # ... and nothing else: the two columns order the rows into kept and lost
        score = design[:, parents] @ _direction(design[:, parents], lost[1:, j])
        assert (score[lost[1:, j]].min() - score[~lost[1:, j]].max()) > -0.05


def _direction(two: np.ndarray, lost: np.ndarray) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 7200)
    directions = np.stack([np.cos(angles), np.sin(angles)])
    scores = two @ directions
    margin = np.where(lost[:, None], scores, np.inf).min(0) - np.where(
        lost[:, None], -np.inf, scores
    ).max(0)
    return directions[:, margin.argmax()]


def test_losses_at_random_depend_on_what_is_seen():
    options = Corruption(noise=0.5, missing=Missing(kind="mar", rate=0.3))
    result = corrupt(recording(4000), options, random_state=3)
    drivers = np.flatnonzero(result.parameters["driver"])
    assert len(drivers) == 2
    assert result.observed[:, :, drivers].all()
    readings = result.data.values[0][:, drivers]
    readings = (readings - readings.mean(0)) / readings.std(0)
    for j in set(range(4)) - set(drivers.tolist()):
        lost = ~result.observed[0, :, j]
        score = readings @ _direction(readings, lost)
        assert score[lost].min() - score[~lost].max() > -0.05


def test_ties_do_not_spoil_the_rate():
    scores = np.repeat([0.0, 1.0], 50)
    marked = highest(scores, 0.3, np.random.default_rng(0))
    assert marked.sum() == 30
    assert marked[50:].sum() == 30


# --- errors of readings


def test_magnitudes_are_in_units_of_each_sensor():
    """The spread of 3,000 errors is known within 1.3 %; 4.5 of that are 6 %."""
    truth = recording(scale=np.array([1.0, 1000.0, 1e-6, 5.0]))
    result = corrupt(truth, "noise_0.3", random_state=0)
    error = (result.data.values - truth.values)[0]
    np.testing.assert_allclose(error.std(0) / truth.values[0].std(0), 0.3, rtol=0.06)


@pytest.mark.parametrize(
    "options", [EVERYTHING, *(Corruption(missing=Missing(kind=k)) for k in KINDS)]
)
def test_another_unit_of_a_sensor_is_another_unit_of_its_readings(options):
    scale = np.array([1.0, 1000.0, 1.0, 1.0])
    one = corrupt(recording(500), options, graph=CHAIN, random_state=4)
    two = corrupt(recording(500, scale=scale), options, graph=CHAIN, random_state=4)
    np.testing.assert_allclose(one.data.values * scale, two.data.values, rtol=1e-9, atol=1e-9)


def test_noise_that_grows_with_the_value():
    """Two normal spreads from 1,000 readings or more each, within 4.5 errors (10 %)."""
    truth = recording(20_000, 2)
    result = corrupt(truth, Corruption(noise=0.1, heteroscedastic=True), random_state=0)
    z = (truth.values - result.parameters["mean"]) / result.parameters["unit"]
    error = (result.data.values - truth.values) / result.parameters["unit"]
    np.testing.assert_allclose((error / (1 + np.abs(z))).std(), 0.1, rtol=0.03)
    assert error[np.abs(z) > 1.5].std() > 2 * error[np.abs(z) < 0.3].std()


def test_response_is_one_curve_per_sensor():
    truth = recording()
    options = Corruption(gain=(0.7, 1.3), offset=0.5, nonlinear=Nonlinear(degree=3, size=0.2))
    result = corrupt(truth, options, random_state=0)
    p = result.parameters
    z = (truth.values - p["mean"]) / p["unit"]
    expected = truth.values * p["gain"] + p["offset"] + p["curve"][0] * z**2 + p["curve"][1] * z**3
    np.testing.assert_allclose(result.data.values, expected)
    assert len(np.unique(p["gain"])) == 4
    assert ((p["gain"] >= 0.7) & (p["gain"] <= 1.3)).all()
    assert (np.abs(p["offset"]) <= 0.5 * p["unit"]).all()


def test_outliers_hit_the_asked_share_within_their_size():
    truth = recording(10_000)
    result = corrupt(truth, Corruption(outliers=Outliers(rate=0.05, size=5)), random_state=0)
    off = (result.data.values - truth.values) / result.parameters["unit"]
    hit = result.parameters["outlier"]
    # 40,000 readings, 4.5 binomial errors
    assert abs(hit.mean() - 0.05) < 4.5 * np.sqrt(0.05 * 0.95 / 40_000)
    assert np.abs(off[~hit]).max() == 0
    assert 4.9 < np.abs(off[hit]).max() <= 5
    assert abs(np.sign(off[hit]).mean()) < 4.5 / np.sqrt(hit.sum())


def test_drift_is_one_path_over_a_recording_whatever_its_regimes_and_gaps():
    """x1 is AR(1) with memory 0.95: 8,000 steps give it within 4.5 errors of 0.0035."""
    x = np.random.default_rng(0).normal(size=(8000, 2))
    regime = np.repeat([0, 1, 0, 2], [3000, 1000, 2500, 1500])
    broken = corrupt(as_windows(x, regime=regime), "drift_0.15", random_state=0)
    whole = corrupt(as_windows(x), "drift_0.15", random_state=0)
    path = whole.parameters["drift"][0]
    chain = broken.data.chain(0)
    np.testing.assert_allclose(chain.values, (x + path))
    memory = (path[1:] * path[:-1]).sum(0) / (path[:-1] ** 2).sum(0)
    np.testing.assert_allclose(memory, 0.95, atol=0.016)
    innovations = (path[1:] - 0.95 * path[:-1]).std(0) / whole.parameters["unit"]
    np.testing.assert_allclose(innovations, 0.15, rtol=0.04)


def test_recordings_drift_on_their_own():
    cube = np.random.default_rng(0).normal(size=(3, 200, 2))
    drift = corrupt(as_windows(cube), "drift_0.05", random_state=0).parameters["drift"]
    assert not np.allclose(drift[0], drift[1])


def test_each_reading_is_corrupted_once():
    truth = as_windows(np.random.default_rng(0).normal(size=(100, 3)), length=20, stride=5)
    with pytest.raises(
        InputError, match=r"windows 0 and 1 of recording '0' overlap.*then .cut\(\)"
    ):
        corrupt(truth, "mild")
    whole = corrupt(
        as_windows(np.random.default_rng(0).normal(size=(100, 3))), "mild", random_state=0
    )
    windows = whole.data.cut(20, 5)
    for i in range(1, windows.n):
        assert np.array_equal(windows.values[i, :15], windows.values[i - 1, 5:], equal_nan=True)
    share_lost_everywhere = 1 - windows.chain(0).observed.mean()
    assert share_lost_everywhere == pytest.approx(1 - whole.observed.mean())


def test_a_recording_cut_without_overlap_gives_the_same_readings():
    x = np.random.default_rng(0).normal(size=(100, 3))
    whole = corrupt(as_windows(x), EVERYTHING, random_state=0)
    cut = corrupt(as_windows(x, length=25), EVERYTHING, random_state=0)
    np.testing.assert_array_equal(cut.data.chain(0).values, whole.data.chain(0).values)


# --- failures


def test_stuck_sensors_are_not_marked_and_dead_ones_are():
    truth = recording(3000)
    stuck = corrupt(
        truth, Corruption(noise=0.1, stuck=Failures(rate=0.2, mean_length=10)), random_state=0
    )
    assert stuck.observed.all()
    mask = stuck.parameters["stuck"][0]
    readings = stuck.data.values[0]
    for j in range(4):
        inside = mask[1:, j]
        assert np.array_equal(readings[1:, j][inside], readings[:-1, j][inside])
        assert not np.isclose(readings[1:, j][~inside], readings[:-1, j][~inside], rtol=1e-12).any()
    dead = corrupt(truth, Corruption(dead=Failures(rate=0.2, mean_length=10)), random_state=0)
    assert np.array_equal(~dead.observed, dead.parameters["dead"])
    assert np.array_equal(dead.data.values[dead.observed], truth.values[dead.observed])


@pytest.mark.parametrize(("rate", "length"), [(0.1, 12.0), (0.5, 3.0), (0.3, 1.0)])
def test_spells_have_the_asked_share_and_length(rate, length):
    """Within 4.5 standard errors, those of a two-state Markov chain over 400,000 steps."""
    fails = failing(400_000, Failures(rate=rate, mean_length=length), np.random.default_rng(0))
    error = np.sqrt(rate * (1 - rate) * (2 * length * (1 - rate) - 1) / 400_000)
    assert abs(fails.mean() - rate) < 4.5 * error
    spells = (fails[1:] & ~fails[:-1]).sum()
    if length > 1:
        assert fails.sum() / spells == pytest.approx(length, rel=4.5 / np.sqrt(spells))


def test_the_share_of_failing_steps_holds_from_the_first_step_on():
    """4,000 starts, 4.5 binomial errors."""
    generator = np.random.default_rng(0)
    starts = [failing(1, Failures(rate=0.2), generator)[0] for _ in range(4000)]
    assert abs(np.mean(starts) - 0.2) < 4.5 * np.sqrt(0.2 * 0.8 / 4000)


def test_failing_from_the_first_step_holds_the_first_reading():
    x = np.array([np.nan, 3.0, 4.0, 5.0, np.nan, 6.0, 7.0])
    fails = np.array([True, True, True, False, True, True, False])
    np.testing.assert_array_equal(held(x, fails), [np.nan, 3, 3, 5, np.nan, 5, 7])


# --- what stays


def test_cells_without_reading_stay_so():
    x = np.random.default_rng(0).normal(size=(500, 3))
    x[5:50, 1] = np.nan
    for options in (EVERYTHING, *(Corruption(missing=Missing(kind=k)) for k in KINDS)):
        result = corrupt(as_windows(x), options, graph=CHAIN[:3, :3], random_state=0)
        assert not result.observed[0, 5:50, 1].any()
        assert np.array_equal(result.clean[0], x, equal_nan=True)


def test_the_share_is_of_the_readings_there_were():
    x = np.random.default_rng(0).normal(size=(1000, 3))
    x[:500, 1] = np.nan
    result = corrupt(as_windows(x), "mnar_threshold_20")
    assert result.observed[0, :, 1].sum() == 400


def test_the_seed_decides_and_the_order_of_columns_does_not():
    truth = recording(600)
    one = corrupt(truth, EVERYTHING, random_state=7)
    again = corrupt(truth, EVERYTHING, random_state=7)
    other = corrupt(truth, EVERYTHING, random_state=8)
    assert one.data.values.tobytes() == again.data.values.tobytes()
    assert one.data.values.tobytes() != other.data.values.tobytes()
    assert one.seed == 7
    order = [2, 0, 3, 1]
    permuted = truth.columns([truth.names[j] for j in order])
    for kind in KINDS:
        options = Corruption(noise=0.1, missing=Missing(kind=kind))
        a = corrupt(truth, options, graph=CHAIN, random_state=1)
        b = corrupt(permuted, options, graph=CHAIN[np.ix_(order, order)], random_state=1)
        np.testing.assert_allclose(a.data.values[:, :, order], b.data.values)


def test_without_a_seed_the_fresh_one_is_kept():
    truth = recording(50)
    result = corrupt(truth, "mild")
    assert np.array_equal(
        corrupt(truth, "mild", random_state=result.seed).data.values,
        result.data.values,
        equal_nan=True,
    )


def test_one_effect_more_leaves_the_others_as_they_were():
    truth = recording(300)
    noise = corrupt(truth, Corruption(noise=0.2), random_state=0)
    both = corrupt(truth, Corruption(noise=0.2, missing=Missing()), random_state=0)
    assert np.array_equal(both.data.values[both.observed], noise.data.values[both.observed])


# --- options


def test_options_from_plain_values():
    options = build_corruption(
        {"gain": [0.9, 1.1], "noise": 0.1, "missing": {"kind": "mar", "rate": 0.3}}
    )
    assert options == Corruption(gain=(0.9, 1.1), noise=0.1, missing=Missing(kind="mar", rate=0.3))


WRONG = {
    "a field": (lambda: build_corruption({"nois": 1}), "no option 'nois'. Did you mean 'noise'"),
    "a nested field": (
        lambda: build_corruption({"missing": {"rates": 0.1}}),
        "Missing has no option 'rates'. Did you mean 'rate'",
    ),
    "a number for options": (
        lambda: build_corruption({"missing": 0.3}),
        r"missing takes options of its own, such as missing.rate, got 0.3",
    ),
    "a share": (lambda: Missing(rate=1.0), "rate is a share below 1, got 1.0"),
    "a gain": (lambda: Corruption(gain=(1.2, 0.8)), "a lowest and a highest factor"),
    "negative noise": (lambda: Corruption(noise=-1), "noise must be at least 0"),
    "growth of nothing": (lambda: Corruption(heteroscedastic=True), "but noise is 0"),
    "spells": (lambda: Failures(rate=0.9, mean_length=2), "cannot be had from spells of 2 steps"),
    "a preset": (
        lambda: corrupt(recording(9), "mcar_2"),
        "no preset 'mcar_2'. Did you mean 'mcar_20'",
    ),
    "a graph": (
        lambda: corrupt(recording(9), "clean", graph=np.zeros((3, 3), dtype=bool)),
        r"graph is \(3, 3\), the recording has 4 sensors",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_options_are_refused(case):
    call, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        call()

"""Windows of time series: nothing crosses a border, and no reading is in two parts."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetia.data import (
    Recordings,
    SensorScaling,
    Truth,
    Windows,
    as_windows,
    place_rows,
    split_windows,
)
from aetia.errors import DataWarning, InputError


def readings(n: int, d: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))


def table(n: int = 40, **columns) -> pd.DataFrame:
    frame = pd.DataFrame(readings(n), columns=["a", "b", "c"])
    return frame.assign(hour=np.arange(n), **columns)


def quiet(*args, **kwargs) -> Windows:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return as_windows(*args, **kwargs)


def cells(windows: Windows, rows) -> set[tuple[int, int]]:
    """Recording and step of every row of some windows in which anything was seen."""
    return {
        (int(windows.series[i]), int(windows.start[i]) + t)
        for i in rows
        for t in np.flatnonzero(windows.observed[i].any(1))
    }


def test_one_recording_is_one_window_in_the_order_of_its_times():
    frame = table()
    shuffled = frame.sample(frac=1, random_state=0)
    for given_frame in (shuffled, pl.DataFrame(shuffled)):
        windows = as_windows(given_frame, time="hour")
        assert windows.names == ("a", "b", "c")
        assert np.array_equal(windows.values[0], frame[["a", "b", "c"]].to_numpy())


def test_a_csv_file_with_dates_equals_the_frame(tmp_path):
    frame = table().assign(when=pd.date_range("2024-03-30", periods=40, freq="h"))
    path = tmp_path / "x.csv"
    frame.drop(columns="hour").to_csv(path, index=False)
    windows = as_windows(path, time="when")
    assert windows.source == str(path)
    np.testing.assert_allclose(windows.values[0], frame[["a", "b", "c"]].to_numpy())


def test_numbers_written_as_text_are_times():
    frame = table().sample(frac=1, random_state=0)
    as_text = frame.assign(hour=frame["hour"].astype(str))
    assert np.array_equal(
        as_windows(as_text, time="hour").values, as_windows(frame, time="hour").values
    )


def test_steps_left_out_are_missing_rows_and_places_find_every_row():
    frame = table().drop(index=[7, 8, 20]).sample(frac=1, random_state=1)
    placed = place_rows(frame, time="hour")
    assert placed.windows.length == 40
    assert np.flatnonzero(~placed.windows.observed[0].any(1)).tolist() == [7, 8, 20]
    assert np.array_equal(placed.at_rows(placed.windows.values), frame[["a", "b", "c"]].to_numpy())
    assert placed.n_rows == 37


def test_windows_are_one_view_of_recordings_that_were_placed():
    frame = table(e=["wet"] * 10 + ["dry"] * 25 + ["wet"] * 5)
    frame.loc[36:, ["a", "b", "c"]] = np.nan  # rows at the end without a reading stay rows
    placed = place_rows(frame, time="hour", regime="e")
    assert [len(s.values) for s in placed.stretches] == [10, 25, 5]
    for windows, expected in (
        (placed.windows, as_windows(frame, time="hour", regime="e")),
        (as_windows(placed), as_windows(frame, time="hour", regime="e")),
        (quiet(placed, length=4), quiet(frame, time="hour", regime="e", length=4)),
        (as_windows(placed, season=5), as_windows(frame, time="hour", regime="e", season=5)),
    ):
        assert np.array_equal(windows.values, expected.values, True)
        assert np.array_equal(windows.observed, expected.observed)
        assert np.array_equal(windows.regime, expected.regime)
        assert windows.start.tolist() == expected.start.tolist()
        assert windows.names == expected.names
    assert placed.windows.live.sum(1).tolist() == [10, 25, 1]
    assert not placed.windows.gaps.any()


def test_recordings_that_were_placed_are_not_placed_again():
    placed = place_rows(table(), time="hour")
    assert place_rows(placed) is placed
    with pytest.raises(InputError, match="time is decided when the rows of a table are placed"):
        as_windows(placed, time="hour")
    with pytest.raises(InputError, match="exclude is decided when the rows"):
        place_rows(placed, exclude=["a"])
    with pytest.raises(InputError, match=r"a season of \(6,\) steps was already"):
        as_windows(place_rows(table(), time="hour", season=6), season=6)


def test_earlier_names_answer_for_one_release():
    import aetia.data

    with pytest.warns(FutureWarning, match=r"WindowScaling is now aetia.data.SensorScaling"):
        assert aetia.data.WindowScaling is SensorScaling
    with pytest.warns(FutureWarning, match=r"Placed is now aetia.data.Recordings"):
        assert aetia.data.Placed is Recordings
    placed = place_rows(table(), time="hour")
    with pytest.warns(FutureWarning, match="use the attributes"):
        windows, window, step = placed
    assert windows is placed.windows
    assert np.array_equal(window, placed.window)
    assert np.array_equal(step, placed.step)


def test_a_change_of_regime_starts_a_new_stretch_that_is_padded():
    windows = as_windows(table(regime=["wet"] * 10 + ["dry"] * 25 + ["wet"] * 5), regime="regime")
    assert windows.n == 3
    assert windows.length == 25
    assert [windows.regime_names[k] for k in windows.regime] == ["wet", "dry", "wet"]
    assert windows.start.tolist() == [0, 10, 35]
    assert windows.observed.any(2).sum(1).tolist() == [10, 25, 5]


def test_regimes_are_in_the_order_of_numbers_not_of_text():
    windows = as_windows(readings(30), regime=[10] * 10 + [9] * 20)
    assert windows.regime_names == ("9", "10")
    assert windows.regime.tolist() == [1, 0]


def test_lists_cubes_and_tables_of_the_same_recordings_agree():
    cube = np.stack([readings(20, seed=k) for k in range(4)])
    long = pd.DataFrame(cube.reshape(80, 3)).assign(site=np.repeat(list("wxyz"), 20))
    a = as_windows(cube, regime=[1, 1, 2, 2])
    b = as_windows(list(cube), regime=[1, 1, 2, 2])
    c = as_windows(long.assign(e=np.repeat([1, 1, 2, 2], 20)), series="site", regime="e")
    for other in (b, c):
        assert np.array_equal(a.values, other.values)
        assert np.array_equal(a.regime, other.regime)
        assert np.array_equal(a.series, other.series)
    assert c.series_names == tuple("wxyz")


def test_a_false_mask_hides_whatever_the_cell_holds():
    x = readings(20)
    mask = np.ones_like(x, dtype=bool)
    mask[3, 1] = mask[5, 2] = False
    garbage = x.copy()
    garbage[3, 1], garbage[5, 2] = np.inf, -200.0
    expected = as_windows(np.where(mask, x, np.nan))
    assert np.array_equal(as_windows(garbage, observed=mask).values, expected.values, True)
    assert np.array_equal(
        as_windows(garbage[None], observed=mask[None]).values, expected.values, True
    )
    frame = pd.DataFrame(garbage).astype(object)
    frame.iloc[3, 1] = "broken"
    assert np.array_equal(as_windows(frame, observed=mask).values, expected.values, True)
    again = as_windows(as_windows(x), observed=mask[None])
    assert np.array_equal(again.values, expected.values, True)


@given(
    st.lists(st.tuples(st.integers(5, 30), st.integers(0, 2)), min_size=1, max_size=5),
    st.integers(2, 5),
    st.integers(1, 7),
    st.integers(0, 3),
)
def test_cut_windows_glue_back_to_what_they_were_cut_from(blocks, length, stride, gap):
    n = sum(size for size, _ in blocks)
    regime = np.repeat([k for _, k in blocks], [size for size, _ in blocks])
    x = readings(n)
    x[1::7, 0] = np.nan
    whole = quiet(x, regime=regime)
    windows = quiet(x, regime=regime, length=length, stride=stride)
    chain = windows.chain(gap)
    held = chain.window >= 0
    # every cell once, at its place and in its regime
    first = {cell: k for k, cell in enumerate(sorted(cells(windows, range(windows.n))))}
    assert held.sum() >= len(first)
    seen = chain.observed.any(1)
    assert seen.sum() == len(first)
    assert np.array_equal(chain.values[seen], x[[step for _, step in sorted(first)]], True)
    assert np.array_equal(
        chain.regime[seen], whole_codes(whole, regime)[[s for _, s in sorted(first)]]
    )
    # rows that follow each other follow each other in the recording, or are in one regime's gap
    again = whole.chain(gap)
    if stride <= length and all(
        size >= length and (size - length) % stride == 0 for size, _ in blocks
    ):
        assert np.array_equal(chain.values, again.values, True)
    assert not chain.observed[~held].any()


def whole_codes(windows: Windows, labels: np.ndarray) -> np.ndarray:
    return np.array([windows.regime_names.index(str(k)) for k in labels])


def test_lagged_products_of_a_chain_cross_no_border():
    x = np.arange(60, dtype=float)[:, None] + np.array([0.0, 0.5]) + readings(60, 2) * 1e-3
    windows = quiet(x, regime=[0] * 23 + [1] * 17 + [0] * 20, length=5)
    for lag in (1, 2, 3):
        chain = windows.chain(3)
        difference = chain.values[lag:, 0] - chain.values[:-lag, 0]
        difference = difference[~np.isnan(difference)]
        assert len(difference)
        assert np.abs(difference - lag).max() < 0.1


def test_a_reading_lost_in_one_of_two_overlapping_windows_is_taken_from_the_other():
    windows = as_windows(readings(20), length=10, stride=5)
    values, observed = windows.values.copy(), windows.observed.copy()
    values[0, 7], observed[0, 7] = np.nan, False
    chain = Windows(
        values=values,
        observed=observed,
        names=windows.names,
        series=windows.series,
        series_names=windows.series_names,
        start=windows.start,
    ).chain(0)
    assert np.array_equal(chain.values, readings(20))
    assert chain.window[:12].tolist() == [0] * 10 + [1] * 2


def test_rows_in_no_window_are_counted():
    with pytest.warns(DataWarning, match=r"4 of 40 rows are in no window of 12 steps"):
        as_windows(readings(40), length=12)
    with pytest.warns(DataWarning, match=r"Nothing is left of regime\(s\) 'b'"):
        as_windows(readings(40), regime=["a"] * 30 + ["b"] * 10, length=15)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_windows(readings(40), length=10, stride=5)


REFUSED = {
    "a time twice": (
        lambda: as_windows(pd.concat([table(), table().iloc[[4]]]), time="hour"),
        r"'hour', recording '0': 4 occurs twice \(1 such row",
    ),
    "a time twice in one of two recordings": (
        lambda: as_windows(
            table(site=["x"] * 20 + ["y"] * 20, when=[*range(20), *range(19), 18]),
            time="when",
            series="site",
            exclude=["hour"],
        ),
        r"recording 'y': 18 occurs twice.*series=",
    ),
    "a time between steps": (
        lambda: as_windows(table(when=[*range(39), 38.4]), time="when"),
        r"recording '0': 38.4 is 0.4 steps after 38.0, not a whole number",
    ),
    "text that is no date": (
        lambda: as_windows(
            table(when=["soon", *pd.date_range("2024", periods=39).astype(str)][::-1]), time="when"
        ),
        r"row 39 holds 'soon', which is no date",
    ),
    "day or month first": (
        lambda: as_windows(table(2, when=["01/02/2024", "02/02/2024"]), time="when"),
        r"'01/02/2024' can be read with the day or with the month first",
    ),
    "no time": (
        lambda: as_windows(table(when=[None, *pd.date_range("2024", periods=39)]), time="when"),
        r"row 0 has no usable time",
    ),
    "a time far away": (
        lambda: as_windows(table(when=[*range(39), 10**7]), time="when"),
        r"10000000 comes 9,999,962 steps after 38: too many missing rows",
    ),
    "months": (
        lambda: as_windows(
            table(when=pd.date_range("2024-01-01", periods=40, freq="MS")), time="when"
        ),
        r"2024-03-01T00:00:00 is 0.9355 steps after.*number months and years",
    ),
    "no such column": (
        lambda: as_windows(table(), time="hours"),
        r"'hours' is not a column. Did you mean 'hour'",
    ),
    "one column for two things": (
        lambda: as_windows(table(), time="hour", series="hour"),
        r"series and time both name the column 'hour'",
    ),
    "a regime without label": (
        lambda: as_windows(table(e=[None, *["x"] * 39]), regime="e"),
        r"regime column 'e': row 0 has no label \(1 such",
    ),
    "text": (
        lambda: as_windows(table(site="x")),
        r"column 'site' is text \(1 distinct.*series='site'",
    ),
    "dates": (
        lambda: as_windows(table(when=pd.date_range("2024", periods=40))),
        r"column 'when' holds dates.*time='when'",
    ),
    "infinity": (
        lambda: as_windows(table(x=[np.inf, *range(39)])),
        r"column 'x' contains infinity",
    ),
    "infinity in one of several": (
        lambda: as_windows(
            np.where(np.arange(24).reshape(4, 3, 2) == 13, np.inf, readings(12, 2).reshape(4, 3, 2))
        ),
        r"column 'x1' contains infinity \(inf\), first in recording '2', step 0",
    ),
    "constant": (lambda: as_windows(table(k=1.0)), r"column 'k' is constant.*exclude=\['k'\]"),
    "never observed": (lambda: as_windows(table(k=np.nan)), r"column 'k' has no observed value"),
    "never observed by the mask": (
        lambda: as_windows(readings(9), observed=np.arange(27).reshape(9, 3) % 3 != 1),
        r"column 'x1' has no observed value",
    ),
    "one sensor": (lambda: as_windows(readings(30, 1)), r"1 sensor\(s\) are left \('x0'\)"),
    "names twice": (
        lambda: as_windows(pd.DataFrame(readings(30), columns=["a", "a", "b"])),
        r"'a' occur\(s\) more than once",
    ),
    "too long": (lambda: as_windows(readings(30), length=31), r"the longest of 1 .* has 30 steps"),
    "no length": (lambda: quiet(readings(30), length=0), "length must be a whole number .* got 0"),
    "stride alone": (lambda: as_windows(readings(30), stride=2), r"stride=2 needs length="),
    "other sensors": (
        lambda: as_windows([readings(30), readings(30, 2)]),
        r"recording 1 has the columns x0, x1, recording 0 has x0, x1, x2",
    ),
    "times of a cube": (
        lambda: as_windows(readings(30)[None], time="t"),
        r"names a column of one table",
    ),
    "a mask of another shape": (
        lambda: as_windows(readings(30), observed=np.ones((30, 2))),
        r"observed has shape \(30, 2\); 30 rows and 3 sensors",
    ),
    "times of windows": (
        lambda: as_windows(as_windows(readings(30)), time="t"),
        r"decided when Windows",
    ),
    "a cube of regimes by row": (
        lambda: as_windows(readings(30)[None], regime=[0] * 30),
        r"one entry for each of 1 windows",
    ),
    "a short period": (
        lambda: as_windows(readings(30), season=1),
        r"a period has at least 2 steps",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_with_a_remedy(case):
    call, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        call()


def test_padding_beyond_memory_is_refused_before_it_is_made():
    parts = [readings(400_000, 2), *[readings(3, 2, seed=k) for k in range(1, 1000)]]
    with pytest.raises(InputError, match=r"1,000 stretches of 3 to 400,000 steps.*Pass length="):
        as_windows(parts)


# --- seasons


def test_removing_a_season_leaves_means_and_goes_back():
    step = np.arange(24 * 20)
    cycle = np.sin(2 * np.pi * step / 24)[:, None] * np.array([2.0, 50.0])
    x = readings(len(step), 2) * [1, 10] + cycle + [5, 1000]
    x[3::17, 1] = np.nan
    windows = as_windows(x, season=24, length=48, stride=24)
    at = windows.season.at(windows.series[:, None], windows.start[:, None] + np.arange(48))
    raw = as_windows(x, length=48, stride=24)
    np.testing.assert_allclose(windows.values + at, raw.values, atol=1e-9)
    whole = as_windows(x, season=24).values[0]
    np.testing.assert_allclose(np.nanmean(whole, 0), np.nanmean(x, 0))
    # the mean of every phase, by a second route
    by_phase = pd.DataFrame(whole).groupby(step % 24).mean()
    np.testing.assert_allclose(by_phase, np.broadcast_to(np.nanmean(x, 0), (24, 2)))
    assert np.nanstd(whole[:, 1]) < 12


def test_a_season_is_taken_out_of_windows_where_they_lie():
    x = readings(24 * 10, 2) + np.sin(2 * np.pi * np.arange(240) / 24)[:, None]
    x[5::11, 0] = np.nan
    raw = as_windows(x, length=30, stride=10)
    windows = as_windows(raw, season=24)
    np.testing.assert_allclose(
        windows.values, as_windows(x, season=24, length=30, stride=10).values
    )
    np.testing.assert_allclose(windows.values + windows.seasonal(), raw.values)
    assert (raw.seasonal() == 0).all()
    with pytest.raises(InputError, match=r"a season of .24,. steps was already subtracted"):
        as_windows(windows, season=24)


def test_seasons_are_of_each_recording_and_of_the_units_of_each_sensor():
    x = [readings(48, seed=1), readings(72, seed=2)]
    both = as_windows(x, season=12)
    for k in range(2):
        alone = as_windows(x[k], season=12)
        np.testing.assert_allclose(both.values[k, : len(x[k])], alone.values[0])
    scaled = as_windows([x[0] * [1, 1000, 1], x[1] * [1, 1000, 1]], season=12)
    np.testing.assert_allclose(scaled.values / np.array([1, 1000, 1]), both.values)
    assert np.array_equal(both.columns(["x2"]).season.at(1, 5), both.season.at(1, 5)[[2]])


def test_phases_seen_once_are_left_alone_and_counted():
    x = readings(30, 2)
    with pytest.warns(DataWarning, match=r"36 of 48 phases .* were seen fewer than 2 times"):
        windows = as_windows(x, season=24)
    assert np.array_equal(windows.values[0, 6:24], x[6:24])
    assert not np.allclose(windows.values[0, :6], x[:6])


def test_two_periods_are_both_removed():
    step = np.arange(24 * 7 * 4)
    x = readings(len(step), 2) * 0.1
    x[:, 0] += np.sin(2 * np.pi * step / 24) + 2.0 * (step % 168 >= 120)
    windows = as_windows(x, season=(24, 168))
    assert windows.season.periods == (24, 168)
    assert windows.values[0, :, 0].std() < 0.11 < x[:, 0].std()


# --- splits


@st.composite
def recordings(draw):
    n_regimes = draw(st.integers(1, 4))
    n_series = draw(st.integers(1, 3))
    length = draw(st.integers(1, 6))
    parts, regimes = [], []
    for k in range(n_series):
        blocks = draw(
            st.lists(
                st.tuples(st.integers(1, 60), st.integers(0, n_regimes - 1)), min_size=1, max_size=8
            )
        )
        size = sum(b for b, _ in blocks) + 2
        parts.append(readings(size, 2, seed=k))
        labels = np.repeat([e for _, e in blocks], [b for b, _ in blocks])
        regimes.append(np.append(labels, [labels[-1]] * 2))
    stride = draw(st.integers(1, length))
    gap = draw(st.one_of(st.none(), st.integers(0, 8)))
    return parts, regimes, length, stride, gap


@given(recordings())
def test_no_reading_is_in_two_parts_nor_near_one(case):
    parts, regimes, length, stride, gap = case
    try:
        windows = quiet(parts, regime=regimes, length=length, stride=stride)
        split = split_windows(windows, gap=gap)
    except InputError as error:
        assert "needs 3 windows" in str(error) or "no window of" in str(error)  # noqa: PT017
        return
    held = [cells(windows, rows) for rows in split]
    for a in range(3):
        for b in range(a + 1, 3):
            for series in range(len(parts)):
                one = np.array([t for s, t in held[a] if s == series])
                two = np.array([t for s, t in held[b] if s == series])
                if len(one) and len(two):
                    nearest = np.abs(one[:, None] - two[None]).min()
                    assert nearest > (length if gap is None else gap)
    for k in np.unique(windows.regime):
        for rows in split:
            assert (windows.regime[rows] == k).any()


@pytest.mark.parametrize("n_regimes", [1, 2, 3, 4])
@pytest.mark.parametrize("stride", [1, 8])
def test_every_regime_is_in_every_part_in_about_the_asked_shares(n_regimes, stride):
    x, regime = readings(400 * n_regimes), np.repeat(np.arange(n_regimes), 400)
    windows = quiet(x, regime=regime, length=8, stride=stride)
    split = split_windows(windows)
    kept = sum(len(rows) for rows in split)
    assert kept > 0.8 * windows.n
    for k in range(n_regimes):
        shares = [
            np.mean(windows.regime[rows] == k) * len(rows) * n_regimes / kept for rows in split
        ]
        np.testing.assert_allclose(shares, [0.7, 0.15, 0.15], atol=0.06)


def test_time_runs_from_training_to_test_in_one_recording():
    split = split_windows(quiet(readings(300), length=10))
    assert split.train.max() < split.validation.min()
    assert split.validation.max() < split.test.min()


@pytest.mark.parametrize("n_regimes", [2, 3])
def test_separate_windows_are_dealt_out_within_each_regime(n_regimes):
    regime = np.repeat(np.arange(n_regimes), 20)
    windows = as_windows(readings(20 * n_regimes * 6).reshape(-1, 6, 3), regime=regime)
    split = split_windows(windows)
    assert sum(len(rows) for rows in split) == windows.n  # nothing is near another recording
    for rows, count in zip(split, (14, 3, 3), strict=True):
        assert np.bincount(regime[rows]).tolist() == [count] * n_regimes


@pytest.mark.parametrize("n_regimes", [2, 3])
def test_three_separate_windows_of_a_regime_are_enough(n_regimes):
    regime = np.tile(np.arange(n_regimes), 3)
    windows = as_windows(readings(3 * n_regimes * 6).reshape(-1, 6, 3), regime=regime)
    for rows in split_windows(windows):
        assert sorted(regime[rows]) == list(range(n_regimes))


@given(st.integers(3, 40), st.integers(1, 12), st.integers(0, 12), st.integers(1, 4))
def test_one_regime_splits_exactly_if_three_windows_can_be_kept_apart(extra, length, gap, stride):
    windows = quiet(readings(length + extra), length=length, stride=stride)
    starts, kept, at = windows.start, 1, windows.start[0]
    for start in starts:  # the greedy choice keeps the most windows apart
        if start >= at + length + gap:
            kept, at = kept + 1, start
    if kept >= 3:
        assert all(len(rows) for rows in split_windows(windows, gap=gap))
    else:
        with pytest.raises(InputError, match=rf"the recording has {kept} such"):
            split_windows(windows, gap=gap)


@given(recordings(), st.floats(0.1, 0.5))
def test_two_parts_are_as_far_apart_and_hold_every_regime(case, share):
    parts, regimes, length, stride, gap = case
    try:
        windows = quiet(parts, regime=regimes, length=length, stride=stride)
        split = split_windows(windows, gap=gap, fractions=(1 - share, share, 0.0))
    except InputError as error:
        assert "needs 2 windows" in str(error) or "no window of" in str(error)  # noqa: PT017
        return
    assert len(split.test) == 0
    one, two = cells(windows, split.train), cells(windows, split.validation)
    for series in range(len(parts)):
        a, b = (np.array([t for s, t in held if s == series]) for held in (one, two))
        if len(a) and len(b):
            assert np.abs(a[:, None] - b[None]).min() > (length if gap is None else gap)
    for rows in split[:2]:
        assert set(windows.regime[rows]) == set(windows.regime)


def test_two_parts_have_the_asked_shares_and_no_more_than_a_gap_is_lost():
    split = split_windows(quiet(readings(1000), length=10), fractions=(0.8, 0.2, 0.0))
    assert len(split.train) == 79
    assert split.validation.tolist() == list(range(80, 100))
    with pytest.raises(InputError, match=r"only that of test may be 0, got \(0.8, 0.0, 0.2\)"):
        split_windows(quiet(readings(1000), length=10), fractions=(0.8, 0.0, 0.2))


def test_the_advised_length_works_and_the_next_longer_does_not():
    x, regime = readings(180), ["calm"] * 100 + ["storm"] * 80
    with pytest.raises(
        InputError, match=r"regime 'storm' has 1 such.*80 steps: length=16 would do"
    ):
        split_windows(quiet(x, regime=regime, length=40, stride=1))
    split_windows(quiet(x, regime=regime, length=16))
    with pytest.raises(InputError):
        split_windows(quiet(x, regime=regime, length=17))


def test_regimes_that_alternate_quickly_are_split_at_common_times():
    regime = np.tile(np.repeat([0, 1], 12), 20)
    windows = quiet(readings(len(regime)), regime=regime, length=12)
    split = split_windows(windows)
    for rows in split:
        assert set(windows.regime[rows]) == {0, 1}


# --- scaling, truth


def test_scaling_looks_at_the_given_windows_only_and_goes_back():
    x = readings(100) * [1, 10, 100] + [0, 5, -7]
    x[::9, 1] = np.nan
    windows = as_windows(x, length=10)
    scaling = SensorScaling.fit(windows, np.arange(6))
    scaled = scaling.apply(windows)
    train = scaled.values[:6].reshape(-1, 3)
    np.testing.assert_allclose(np.nanmean(train, 0), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(train, 0), 1)
    np.testing.assert_allclose(scaling.undo(scaled.values), windows.values)
    spoilt = x.copy()
    spoilt[60:] *= 1e6
    again = SensorScaling.fit(as_windows(spoilt, length=10), np.arange(6))
    assert np.array_equal(again.centre, scaling.centre)
    assert np.array_equal(again.scale, scaling.scale)


def test_a_sensor_without_spread_in_training_is_named():
    x = readings(40)
    x[:20, 1] = 3.0
    with pytest.raises(InputError, match=r"sensor 'x1' is constant \(3\) in the 2 windows"):
        SensorScaling.fit(as_windows(x, length=10), np.array([0, 1]))


def test_selection_and_summary():
    x = readings(40)
    x[:8, 1] = np.nan
    windows = as_windows(x, length=10, regime=["a"] * 20 + ["b"] * 20)
    assert windows.has_missing
    assert windows.summary()["observed"] == [40, 32, 40]
    np.testing.assert_allclose(windows.summary()["sd"], np.nanstd(x, 0, ddof=1))
    part = windows.select(np.array([3, 0])).columns(["x2", "x0"])
    assert np.array_equal(part.values, windows.values[[3, 0]][:, :, [2, 0]])
    assert part.regime.tolist() == [1, 0]
    with pytest.raises(InputError, match="no column 'y'"):
        windows.columns(["y"])


def test_the_summary_graph_has_edges_at_any_lag_and_no_loops():
    within = np.zeros((3, 3), dtype=bool)
    within[0, 1] = True
    lagged = np.zeros((2, 3, 3), dtype=bool)
    lagged[0, 2, 2] = lagged[1, 1, 0] = True
    assert np.array_equal(Truth(graph=within).summary_graph, within)
    summary = Truth(graph=within, lagged=lagged).summary_graph
    assert np.argwhere(summary).tolist() == [[0, 1], [1, 0]]

"""Studies as users have them: what is understood, what is warned about, what is refused."""

import warnings

import numpy as np
import pandas as pd
import pytest

from aetia.effects import CausalBGM
from aetia.effects.causalbgm.study_table import read_study
from aetia.errors import DataWarning, InputError
from effects.causalbgm.small import QUICK, arms_study, doses_study


def frame(n=60, seed=0):
    t, y, v = arms_study(n, seed)
    table = pd.DataFrame(v, columns=["age", "weight", "height", "pulse"])
    return table.assign(drug=t, score=y)


def quick(**options):
    return CausalBGM(**(QUICK | {"n_egm_steps": 5} | options))


def test_named_columns_leave_the_covariates():
    data = frame()
    study = read_study("drug", "score", data)
    assert study.labels == ("age", "weight", "height", "pulse")
    assert (study.treatment_name, study.outcome_name) == ("drug", "score")
    apart = read_study(data["drug"], data["score"], data.drop(columns=["drug", "score"]))
    for a, b in zip(study.units, apart.units, strict=True):
        assert (a is None and b is None) or (a == b).all()
    np.testing.assert_array_equal(study.outcome, data["score"])
    assert study.is_binary
    assert study.n == 60


@pytest.mark.parametrize(
    "arms",
    [("no", "yes"), (False, True), (1, 2), (0.0, 1.0), ("control", "treated")],
    ids=str,
)
def test_two_levels_of_any_kind_are_arms_in_their_order(arms):
    t, y, v = arms_study(60)
    labels = np.array(arms, dtype=object if isinstance(arms[0], str) else None)[t.astype(int)]
    study = read_study(labels, y, v)
    assert study.is_binary
    assert len(study.arms) == 2
    np.testing.assert_array_equal(study.treatment, t)
    np.testing.assert_array_equal(study.scaled_treatment(list(arms)), [0, 1])


def test_levels_may_be_asked_for_by_label():
    t, y, v = arms_study(80)
    coded = quick().fit(t, y, v)
    named = quick().fit(np.array(["control", "treated"], object)[t.astype(int)], y, v)
    expected = coded.ate()
    np.testing.assert_array_equal(named.ate().draws, expected.draws)
    # Draws of a question in other words are others: 200 of each, 6 standard errors.
    error = 6 * expected.sd * (2 / 200) ** 0.5
    assert abs(named.ate("treated", "control").mean - expected.mean) < error
    assert abs(named.ate("control", "treated").mean + expected.mean) < error
    with pytest.raises(InputError, match="placebo"):
        named.ate("placebo", "control")


def test_covariates_are_standardised_over_what_was_seen():
    data = frame(60)
    data.loc[::3, "age"] = np.nan
    study = read_study("drug", "score", data)
    seen = study.units.observed.numpy()
    np.testing.assert_array_equal(seen[:, 0], data["age"].notna())
    assert seen[:, 1:].all()
    v = study.units.covariates.numpy()
    assert (v[~seen] == 0).all()
    for j in range(4):
        column = v[seen[:, j], j]
        assert abs(column.mean()) < 1e-5
        assert column.std() == pytest.approx(1, abs=0.03)


def test_outcomes_are_scaled_by_median_and_quartiles():
    t, y, v = doses_study(60)
    study = read_study(t, y, v)
    quartiles = np.quantile(y, [0.25, 0.75])
    expected = (y - np.median(y)) / (np.ptp(quartiles) / 1.349)
    np.testing.assert_allclose(study.units.outcome, expected, rtol=1e-3, atol=1e-3)


def test_text_becomes_indicators():
    data = frame(60)
    data["site"] = np.array(["north", "south", "west"])[np.arange(60) % 3]
    study = read_study("drug", "score", data)
    assert {"site=north", "site=south", "site=west"} & set(study.labels)
    assert study.units.covariates.shape[1] == len(study.labels)
    fitted = quick().fit("drug", "score", data)
    assert np.isfinite(fitted.effect(covariates=data.head(3)).mean).all()
    strange = data.head(3).assign(site="moon")
    with pytest.raises(InputError, match="moon"):
        fitted.effect(covariates=strange)


def test_constant_columns_are_named_and_left_out():
    data = frame(60).assign(dull=3.0)
    with pytest.warns(DataWarning, match="dull"):
        study = read_study("drug", "score", data)
    assert "dull" not in study.labels


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("column", ["drug", "score"])
def test_numbers_that_are_none_are_counted(column, bad):
    data = frame(60)
    data.loc[[3, 7], column] = bad
    with pytest.raises(InputError, match=rf"(?s)({column}.*\b2\b|\b2\b.*{column})"):
        read_study("drug", "score", data)


def test_one_arm_is_no_comparison():
    data = frame(60).assign(drug=1.0)
    with pytest.raises(InputError, match="drug"):
        read_study("drug", "score", data)


def test_few_units_are_refused_and_not_many_are_warned_about():
    t, y, v = arms_study(49)
    with pytest.raises(InputError, match="19"):
        quick().fit(t[:19], y[:19], v[:19])
    with pytest.warns(DataWarning, match="49"):
        quick().fit(t, y, v)


def test_lengths_that_differ_are_named():
    t, y, v = arms_study(60)
    with pytest.raises(InputError, match="59"):
        read_study(t[:59], y, v)
    with pytest.raises(InputError, match="59"):
        read_study(t, y[:59], v)


def test_unknown_columns_are_named():
    with pytest.raises(InputError, match="dose"):
        read_study("dose", "score", frame())


def test_three_levels_are_no_arms():
    _, y, v = arms_study(60)
    with pytest.raises(InputError):
        read_study(np.arange(60) % 3, y, v, kind="binary")
    assert not read_study(np.arange(60) % 3, y, v).is_binary


@pytest.mark.parametrize("study", [arms_study, doses_study])
def test_extreme_units_give_the_same_answers_in_the_new_units(study):
    t, y, v = study(120)
    # Multiples of 1/1024: the shift by 10^9 loses nothing.
    y = np.round(y * 1024) / 1024
    is_binary = study is arms_study
    scale = 1.0 if is_binary else 1 / 1024
    plain, moved = quick().fit(t, y, v), quick().fit(t * scale, y * 2**20 + 1e9, v)
    high, low = (1, 0) if is_binary else (1.0, -0.5)
    a = plain.ate(high, low)
    b = moved.ate(high * scale, low * scale)
    np.testing.assert_allclose(b.mean / 2**20, a.mean, rtol=0.02, atol=0.02)
    np.testing.assert_allclose(b.sd / 2**20, a.sd, rtol=0.25)


def test_new_units_need_the_same_columns():
    data = frame(80)
    fitted = quick().fit("drug", "score", data)
    one = fitted.effect(covariates=data[["age", "weight", "height", "pulse"]].head(5))
    shuffled = fitted.effect(covariates=data[["pulse", "age", "height", "weight"]].head(5))
    np.testing.assert_array_equal(one.mean, shuffled.mean)
    with pytest.raises(InputError, match="pulse"):
        fitted.effect(covariates=data[["age", "weight", "height"]].head(5))


def test_doses_outside_of_those_seen_are_warned_about():
    t, y, v = doses_study(120)
    fitted = quick().fit(t, y, v)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.dose_response([float(np.median(t))])
    with pytest.warns(DataWarning, match="99"):
        fitted.dose_response([0.0, 99.0])
    with pytest.raises(InputError, match="finite"):
        fitted.dose_response([np.nan])


def test_new_units_may_all_lack_the_same_column():
    data = frame(80)
    data.loc[::3, "age"] = np.nan
    fitted = quick().fit("drug", "score", data)
    one = data[["age", "weight", "height", "pulse"]].iloc[[0]]
    assert np.isnan(one["age"]).all()
    together = fitted.effect(covariates=data.iloc[:2][["age", "weight", "height", "pulse"]])
    np.testing.assert_allclose(fitted.effect(covariates=one).mean, together.mean[:1], atol=0.5)


def test_a_dose_response_without_doses_is_refused_in_words():
    t, y, v = doses_study(80)
    fitted = quick().fit(t, y, v)
    with pytest.raises(InputError, match="dose"):
        fitted.dose_response([])

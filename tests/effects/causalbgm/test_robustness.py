"""What users' tables do to all three classes: an answer, a warning or an error in words."""

import warnings

import numpy as np
import pytest

from aetia.effects import CausalBGM, FullMCMCCausalBGM, IdentifiableCausalBGM
from aetia.effects.causalbgm.study_table import read_study
from aetia.errors import DataWarning, InputError
from effects.causalbgm.small import QUICK, arms_study

CLASSES = [CausalBGM, IdentifiableCausalBGM, FullMCMCCausalBGM]
T, Y, V = arms_study(80)


def with_one(column, value):
    changed = column.astype(float)
    changed[3] = value
    return changed


def fit(cls, t, y, v):
    shorter = {"n_egm_steps": 5, "n_draws": 40, "n_warmup": 4, "n_kept": 4}
    if cls is FullMCMCCausalBGM:
        shorter |= {"n_folds": 1, "n_replicates": 2, "n_sweeps": 4, "n_leapfrog": 2, "n_epochs": 1}
    labels = (np.arange(len(y)) % 2,) if cls is IdentifiableCausalBGM else ()
    if labels:
        shorter |= {"n_epochs": 1, "prior_units": (4,)}
    return cls(**(QUICK | shorter)).fit(t, y, v, *labels)


REFUSED = {
    "one arm": ((np.ones(80), Y, V), "same treatment"),
    "one dose": ((np.full(80, 2.5), Y, V), "same treatment"),
    "missing treatment": ((with_one(T, np.nan), Y, V), "missing or infinite in 1"),
    "infinite outcome": ((T, with_one(Y, np.inf), V), "missing or infinite in 1"),
    "constant outcome": ((T, np.ones(80), V), "constant"),
    "overflowing outcome": ((T, with_one(Y, 1e300), V), r"1e\+300.*larger units"),
    "vanishing outcome": ((T, Y * 1e-200, V), "smaller units"),
    "overflowing dose": ((with_one(V[:, 1], 1e300), Y, V), r"1e\+300.*larger units"),
    "infinite covariate": ((T, Y, np.where(np.arange(320).reshape(80, 4) == 9, np.inf, V)), "inf"),
    "no covariate": ((T, Y, np.ones((80, 2))), "no covariate varies"),
    "few units": ((T[:19], Y[:19], V[:19]), "19 units"),
}


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("name", REFUSED)
def test_studies_that_say_nothing_are_refused_in_words(cls, name):
    study, words = REFUSED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        with pytest.raises(InputError, match=words):
            fit(cls, *study)


ODD = {
    "few units": ((T[:30], Y[:30], V[:30]), "only 30 units"),
    "columns without values": (
        (T, Y, np.column_stack([V, np.full(80, np.nan), np.full(80, 3.0)])),
        r"['x4', 'x5'] do not vary",
    ),
    "one treated unit": ((with_one(np.zeros(80), 1), Y, V), "has 1 units"),
}


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("name", ODD)
def test_studies_that_say_little_are_answered_with_a_warning(cls, name):
    study, words = ODD[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = fit(cls, *study)
    about = [w for w in caught if words in str(w.message)]
    assert [w.category for w in about] == [DataWarning], [str(w.message) for w in caught]
    assert np.isfinite(fitted.ate().draws).all()


@pytest.mark.parametrize("scale", [2.0**-900, 2.0**-40, 2.0**40, 2.0**990])
def test_covariates_may_have_any_scale(scale):
    # Multiplied by powers of two, they give the same standardised numbers to the last digit.
    plain, moved = read_study(T, Y, V), read_study(T, Y, V * scale)
    assert (plain.units.covariates == moved.units.covariates).all()


@pytest.mark.parametrize("cls", CLASSES)
def test_a_failed_fit_leaves_no_answer_of_the_fit_before(cls):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = fit(cls, T, Y, V)
        model.ate()
        model.set_params(n_folds=50)
        extra = (np.arange(80) % 2,) if cls is IdentifiableCausalBGM else ()
        with pytest.raises(InputError, match="n_folds=50"):
            model.fit(T, Y, V, *extra)
    with pytest.raises(InputError, match="not fitted"):
        model.ate()

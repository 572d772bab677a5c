"""Rivals of CausalBGM, each a function from a study to what it says about it.

Every one returns effects of the units and of the average with their intervals, or the curve of a
dose response. Not a benchmark by itself: `binary_effects.py` and `dose_response.py` import it.
"""

from __future__ import annotations

import warnings

import numpy as np


def boosting(**options):
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(random_state=0, **options)


def t_learner(study, level=0.9):
    """Two regressions, without intervals."""
    t, y, v = study.treatment, study.outcome, study.covariates
    arms = [boosting().fit(v[t == a], y[t == a]).predict(v) for a in (0, 1)]
    effect = arms[1] - arms[0]
    return {"unit": effect, "unit_interval": None, "ate": effect.mean(), "ate_interval": None}


def causal_forest(study, level=0.9):
    from econml.dml import CausalForestDML
    from sklearn.ensemble import HistGradientBoostingClassifier

    t, y, v = study.treatment, study.outcome, study.covariates
    forest = CausalForestDML(
        model_y=boosting(),
        model_t=HistGradientBoostingClassifier(random_state=0),
        discrete_treatment=True,
        n_estimators=500,
        random_state=0,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forest.fit(y, t, X=v)
        low, high = forest.effect_interval(v, alpha=1 - level)
        summary = forest.ate_interval(v, alpha=1 - level)
    return {
        "unit": forest.effect(v).ravel(),
        "unit_interval": np.column_stack([low.ravel(), high.ravel()]),
        "ate": float(forest.ate(v)),
        "ate_interval": (float(summary[0]), float(summary[1])),
    }


def bcf(study, level=0.9):
    from sklearn.linear_model import LogisticRegression
    from stochtree import BCFModel

    t, y, v = study.treatment, study.outcome, study.covariates
    propensity = LogisticRegression(max_iter=1000).fit(v, t).predict_proba(v)[:, 1]
    model = BCFModel()
    model.sample(
        X_train=v,
        Z_train=t,
        y_train=y,
        propensity_train=propensity,
        num_gfr=10,
        num_burnin=100,
        num_mcmc=400,
        general_params={"random_seed": 1, "num_threads": 1},
    )
    draws = np.asarray(model.tau_hat_train).T  # draws x units
    ends = [(1 - level) / 2, (1 + level) / 2]
    return {
        "unit": draws.mean(0),
        "unit_interval": np.quantile(draws, ends, axis=0).T,
        "ate": draws.mean(),
        "ate_interval": tuple(np.quantile(draws.mean(1), ends)),
    }


def causalbgm(study, level=0.9, **options):
    from aetia import CausalBGM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CausalBGM(random_state=0, progress=False, **options)
        model.fit(study.treatment, study.outcome, study.covariates)
        units, average = model.effect(), model.ate()
    return {
        "unit": units.mean,
        "unit_interval": units.interval(level),
        "ate": float(average.mean[0]),
        "ate_interval": tuple(average.interval(level)[0]),
    }


BINARY = {
    "causalbgm": causalbgm,
    "t-learner": t_learner,
    "causal-forest": causal_forest,
    "bcf": bcf,
}


# -- doses --------------------------------------------------------------------------------------


def polynomial(study, doses):
    return np.polyval(np.polyfit(study.treatment, study.outcome, 3), doses), None


def least_squares(study, doses):
    from sklearn.linear_model import LinearRegression

    fit = LinearRegression().fit(
        np.column_stack([study.treatment, study.covariates]), study.outcome
    )
    return fit.coef_[0] * doses + (study.covariates @ fit.coef_[1:]).mean() + fit.intercept_, None


def s_learner(study, doses):
    fit = boosting().fit(np.column_stack([study.treatment, study.covariates]), study.outcome)
    curve = [
        fit.predict(np.column_stack([np.full(len(study.outcome), d), study.covariates])).mean()
        for d in doses
    ]
    return np.array(curve), None


def linear_dml(study, doses):
    from econml.dml import LinearDML
    from sklearn.multioutput import MultiOutputRegressor

    dml = LinearDML(model_y=boosting(), model_t=MultiOutputRegressor(boosting()), random_state=0)
    t, y, powers = study.treatment, study.outcome, np.arange(1, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dml.fit(y, np.power.outer(t, powers), W=study.covariates)
        slopes = np.ravel(dml.const_marginal_effect())

    def cubic(d):
        return np.power.outer(d, powers) @ slopes

    return y.mean() - cubic(t).mean() + cubic(doses), None


def causalbgm_doses(study, doses, **options):
    from aetia import CausalBGM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CausalBGM(random_state=0, progress=False, **options)
        model.fit(study.treatment, study.outcome, study.covariates)
        answer = model.dose_response(doses)
    return answer.mean, answer.interval(0.9)


DOSES = {
    "causalbgm": causalbgm_doses,
    "s-learner": s_learner,
    "linear-dml": linear_dml,
    "polynomial": polynomial,
    "least-squares": least_squares,
}

"""What holds for all three classes: seeds, clones, files, and answers that agree."""

import dataclasses
import inspect
import pickle
import pkgutil
import re
import warnings
from importlib import import_module

import numpy as np
import pytest
from sklearn.base import clone

import aetia.effects.causalbgm as package
from aetia.effects import CausalBGM, FullMCMCCausalBGM, IdentifiableCausalBGM
from aetia.errors import CheckpointError, ConvergenceWarning, InputError, ResultFileError
from aetia.results import EffectPosterior
from effects.causalbgm.small import QUICK, arms_study, doses_study

CLASSES = [CausalBGM, IdentifiableCausalBGM, FullMCMCCausalBGM]
QUICKER = QUICK | {"n_egm_steps": 6, "n_warmup": 3, "n_kept": 4, "n_draws": 60}
EXTRA = {
    CausalBGM: {},
    IdentifiableCausalBGM: {"n_epochs": 1, "prior_units": (4,)},
    FullMCMCCausalBGM: {
        "n_folds": 1,
        "n_replicates": 2,
        "n_epochs": 1,
        "n_sweeps": 4,
        "n_leapfrog": 2,
    },
}
ARMS = arms_study(100)
NEW = np.random.default_rng(5).normal(size=(4, 4))


def make(cls, **options):
    return cls(**(QUICKER | EXTRA[cls] | options))


def fit(model, study=ARMS):
    extra = ()
    if isinstance(model, IdentifiableCausalBGM):
        extra = ((study[2][:, 0] > 0).astype(int),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(*study, *extra)


QUESTIONS = {
    "ate": lambda m: m.ate(),
    "effect": lambda m: m.effect(),
    "new": lambda m: m.effect(covariates=NEW),
    "doses": lambda m: m.dose_response(),
    "counterfactual": lambda m: m.counterfactual(1),
}


def ask(model, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return QUESTIONS[name](model)


@pytest.fixture(scope="module", params=CLASSES, ids=lambda c: c.__name__)
def fitted(request):
    return fit(make(request.param))


def same_answers(a, b, names=tuple(QUESTIONS)):
    for name in names:
        one, two = ask(a, name), ask(b, name)
        np.testing.assert_array_equal(one.draws, two.draws, err_msg=name)
        if one.prediction is not None:
            np.testing.assert_array_equal(one.prediction, two.prediction, err_msg=name)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(fitted):
    same_answers(fitted, fit(clone(fitted)))
    other = fit(clone(fitted).set_params(random_state=1))
    assert (ask(fitted, "ate").draws != ask(other, "ate").draws).all()


def test_a_second_fit_starts_again(fitted):
    model = fit(make(type(fitted)), arms_study(80, seed=3))
    same_answers(fitted, fit(model), ("ate", "effect"))


def test_questions_in_another_order_get_the_same_answers(fitted):
    first = {name: ask(fitted, name).draws for name in QUESTIONS}
    for name in reversed(QUESTIONS):
        np.testing.assert_array_equal(ask(fitted, name).draws, first[name])


def test_files_give_the_same_draws(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    again = type(fitted).load(tmp_path / "model")
    assert type(again) is type(fitted)
    machine = {"random_state", "device", "progress"}
    kept, given = (
        {k: v for k, v in m.get_params().items() if k not in machine} for m in (again, fitted)
    )
    assert kept == given
    same_answers(fitted, again)


def test_another_class_is_refused(fitted, tmp_path):
    fitted.save(tmp_path)
    wrong = next(c for c in CLASSES if c is not type(fitted))
    with pytest.raises(ResultFileError, match=type(fitted).__name__):
        wrong.load(tmp_path)
    with pytest.raises(ResultFileError):
        type(fitted).load(tmp_path / "nothing here")


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_damaged_files_are_checkpoint_errors(fitted, tmp_path, damage):
    fitted.save(tmp_path)
    (file,) = tmp_path.glob("*.safetensors")
    data = bytearray(file.read_bytes())
    changed = {
        "cut": data[: len(data) // 2],
        "flip": data[:20] + b"\xff\xff\xff" + data[23:],
        "empty": b"",
        "text": b"name,value\n1,2\n",
    }[damage]
    file.write_bytes(changed)
    with pytest.raises(CheckpointError):
        type(fitted).load(tmp_path)


def test_pickles_answer_as_before(fitted):
    same_answers(fitted, pickle.loads(pickle.dumps(fitted)), ("ate", "effect"))


@pytest.mark.parametrize("cls", CLASSES)
def test_parameters_are_stored_verbatim(cls):
    model = make(cls, kl_weight=0.25)
    assert model.get_params()["kl_weight"] == 0.25
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(n_draws=7).n_draws == 7


@pytest.mark.parametrize("cls", CLASSES)
def test_defaults_of_the_config_are_those_of_the_estimator(cls):
    signature = inspect.signature(cls.__init__).parameters
    options = {f.name: f.default for f in dataclasses.fields(cls._config_class)}
    runtime = {"random_state", "device", "progress"}
    assert set(signature) - {"self"} == set(options) | runtime
    assert {k: signature[k].default for k in options} == options


@pytest.mark.parametrize("cls", CLASSES)
def test_every_field_of_the_config_is_read(cls):
    modules = [
        import_module(f"{package.__name__}.{m.name}")
        for m in pkgutil.iter_modules(package.__path__)
        if m.name != "config"
    ]
    source = "\n".join(inspect.getsource(m) for m in modules)
    read = set(re.findall(r"\bconfig\.(\w+)", source))
    read |= set(re.findall(r'getattr\(config, "(\w+)"', source))
    assert {f.name for f in dataclasses.fields(cls._config_class)} <= read


def test_questions_before_the_fit_say_so():
    with pytest.raises(Exception, match=r"(?i)fit"):
        make(CausalBGM).ate()


@pytest.mark.parametrize(
    "options",
    [{"n_draws": 0}, {"sampler": "nuts"}, {"n_folds": 0}, {"latent_dims": (1, 2)}, {"thin": 0}],
    ids=str,
)
def test_wrong_options_are_named(options):
    (name,) = options
    with pytest.raises((InputError, TypeError), match=name):
        fit(make(CausalBGM, **options))


def test_the_counterfactual_at_the_received_level_is_the_observed_outcome(fitted):
    t, y, _ = ARMS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, zero = fitted.counterfactual(1), fitted.counterfactual(0)
    np.testing.assert_allclose(one.mean[t == 1], y[t == 1], atol=1e-3)
    np.testing.assert_allclose(zero.mean[t == 0], y[t == 0], atol=1e-3)
    assert (np.abs(one.mean - y)[t == 0] > 1e-3).any()


def test_prediction_intervals_are_wider_than_credible_ones(fitted):
    for name in ("ate", "effect", "doses"):
        answer = ask(fitted, name)
        credible, prediction = (np.ptp(answer.interval(0.9, k), axis=1) for k in KINDS)
        assert (prediction > credible).mean() > 0.95, name


KINDS = ("credible", "prediction")


def test_effects_of_units_are_named_and_tabulated(fitted, tmp_path):
    answer = ask(fitted, "effect")
    table = answer.frame(0.8)
    assert len(table) == len(ARMS[0])
    wanted = {"mean", "sd", "lower", "upper", "prediction_lower", "prediction_upper"}
    assert wanted <= set(table.columns)
    assert (table["lower"] <= table["mean"]).mean() > 0.9
    np.testing.assert_allclose(
        table[["lower", "upper"]], np.quantile(answer.draws, [0.1, 0.9], axis=0).T
    )
    answer.save(tmp_path / "answer")
    again = EffectPosterior.load(tmp_path / "answer")
    np.testing.assert_array_equal(again.draws, answer.draws)
    np.testing.assert_array_equal(again.prediction, answer.prediction)
    assert again.labels == answer.labels
    with pytest.raises(InputError):
        answer.interval(1.5)


def test_the_dose_response_of_arms_contains_their_difference(fitted):
    curve = fitted.dose_response()
    assert curve.doses.tolist() == [0, 1]
    assert "dose" in curve.frame().columns
    gap = curve.mean[1] - curve.mean[0]
    assert abs(gap - fitted.ate().mean[0]) < 6 * fitted.ate().sd[0]


def test_dose_response_curves_are_drawn_and_kept(tmp_path):
    import matplotlib as mpl

    mpl.use("Agg")
    study = doses_study(100)
    fitted = fit(make(CausalBGM), study)
    curve = fitted.dose_response()
    assert len(curve.doses) == 20
    np.testing.assert_allclose(curve.doses[[0, -1]], np.quantile(study[0], [0.05, 0.95]))
    ax, table = curve.plot()
    np.testing.assert_allclose(table["dose"], curve.doses)
    assert ax.lines or ax.collections
    curve.save(tmp_path)
    again = EffectPosterior.load(tmp_path)
    np.testing.assert_array_equal(again.doses, curve.doses)
    assert again.prediction.shape == curve.prediction.shape


def test_overlap_is_said_in_words_drawn_and_tabulated(fitted):
    import matplotlib as mpl

    mpl.use("Agg")
    overlap = fitted.overlap()
    assert 0 < overlap.effective_share <= 1
    w = overlap.weights
    c = overlap.comparable
    np.testing.assert_allclose(overlap.comparable_share, c.mean())
    np.testing.assert_allclose(
        overlap.effective_share, (c * w).sum() ** 2 / (c * w**2).sum() / len(w)
    )
    assert overlap.verdict().strip()
    assert list(overlap.frame().columns) == ["expected", "received", "weight", "comparable"]
    np.testing.assert_array_equal(overlap.received, ARMS[0])
    ax, table = overlap.plot()
    assert ax is not None
    assert len(table)


def test_scores_are_shares_of_the_variance(fitted):
    scores = fitted.evaluate()
    assert {"mse_y", "mse_x", "r2_y", "r2_x", "mse_v"} <= set(scores)
    y = ARMS[1]
    assert scores["r2_y"] == pytest.approx(1 - scores["mse_y"] / y.var(), abs=0.02)


def test_latents_have_one_chain_for_each_network(fitted):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        z, report = fitted.sample_latents()
    n_networks = 2 if isinstance(fitted, FullMCMCCausalBGM) else 3
    assert z.shape[0] == n_networks
    assert z.shape[2:] == (100, 4)
    assert np.isfinite(z).all()
    assert "acceptance" in report

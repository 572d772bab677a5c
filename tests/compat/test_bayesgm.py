"""The interface of bayesgm: signatures, shapes, keys, files, command line, numbers of samplers.

SIGNATURES is section 9 of the method card, typed from it. GOLDEN numbers were computed with NumPy
alone from the equations of section 10, in the order of draws of the original samplers.
"""

import inspect
import math
import re
import runpy
import sys

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file
from sklearn.datasets import make_low_rank_matrix

from aetia.compat import bayesgm
from aetia.compat.bayesgm import command_line, datasets, load_config, models, utils
from aetia.compat.bayesgm.config_files import CONFIG_NAMES
from aetia.compat.bayesgm.models.bgm import mnist as mnist_module
from aetia.compat.bayesgm.models.causalbgm.losses import generator_loss
from aetia.compat.bayesgm.models.causalbgm.random_walk import StepSizeRule
from aetia.compat.bayesgm.parameters import full_parameters, known_keys, parameter_defaults
from aetia.errors import InputError

REQUIRED = inspect.Parameter.empty
N, P = 120, 6
MODELS = ("BGM", "MNISTBGM", "CausalBGM", "IdentifiableCausalBGM", "FullMCMCCausalBGM")
CAUSAL = MODELS[2:]

TRAIN_BGM = {
    "data": REQUIRED,
    "batch_size": 32,
    "epochs": 100,
    "epochs_per_eval": 5,
    "use_egm_init": True,
    "egm_n_iter": 20000,
    "egm_batches_per_eval": 500,
    "verbose": 1,
}
TRAIN_CAUSAL = {
    "data": REQUIRED,
    "epochs": 100,
    "epochs_per_eval": 5,
    "batch_size": 32,
    "startoff": 0,
    "use_egm_init": True,
    "egm_n_iter": 30000,
    "egm_batches_per_eval": 500,
    "save_format": "txt",
    "verbose": 1,
}
TRAIN_IDENTIFIABLE = {
    "data": REQUIRED,
    "batch_size": 32,
    "epochs": 100,
    "epochs_per_eval": 5,
    "startoff": 0,
    "use_egm_init": True,
    "egm_n_iter": 30000,
    "egm_batches_per_eval": 500,
    "verbose": 1,
    "save_format": "txt",
}
PREDICT_BGM = {
    "data": REQUIRED,
    "alpha": 0.05,
    "return_samples": False,
    "bs": 100,
    "n_mcmc": 5000,
    "burn_in": 5000,
    "step_size": 0.01,
    "num_leapfrog_steps": 10,
    "seed": 42,
}
PREDICT_VARIANTS = {
    "data": REQUIRED,
    "alpha": 0.01,
    "n_mcmc": 3000,
    "x_values": None,
    "q_sd": 1.0,
    "sample_y": True,
    "bs": 100,
}
EVALUATE_CAUSAL = {"data": REQUIRED, "data_z": None, "nb_intervals": 200}
MAKE = {"params": REQUIRED, "timestamp": None, "random_seed": None}
SIGNATURES = {
    "BGM": {
        "__init__": MAKE,
        "fit": TRAIN_BGM,
        "predict": PREDICT_BGM,
        "generate": {"nb_samples": 1000, "use_x_sd": True},
        "evaluate": {"data": REQUIRED, "data_z": None, "use_x_sd": True},
        "get_config": {},
        "egm_init": {
            "data": REQUIRED,
            "egm_n_iter": 10000,
            "batch_size": 32,
            "egm_batches_per_eval": 500,
            "verbose": 1,
        },
        "initialize_nets": {"print_summary": False},
        "tfp_mcmc_sampler": {
            "data": REQUIRED,
            "ind_x1": None,
            "n_mcmc": 3000,
            "burn_in": 5000,
            "step_size": 0.01,
            "num_leapfrog_steps": 10,
            "seed": 42,
        },
        "predict_on_posteriors": {"data_posterior_z": REQUIRED},
        "get_log_posterior": {
            "data_z": REQUIRED,
            "data_x": REQUIRED,
            "ind_x1": None,
            "obs_mask": None,
        },
    },
    "MNISTBGM": {
        "__init__": MAKE,
        "fit": {**TRAIN_BGM, "egm_n_iter": 10000},
        "predict": PREDICT_BGM,
        "generate": {"nb_samples": 1000},
        "evaluate": {"data": REQUIRED, "data_z": None},
        "get_config": {},
    },
    "CausalBGM": {
        "__init__": MAKE,
        "fit": TRAIN_CAUSAL,
        "predict": {
            "data": REQUIRED,
            "alpha": 0.01,
            "n_mcmc": 3000,
            "burn_in": 5000,
            "x_values": None,
            "q_sd": 1.0,
            "sample_y": True,
            "bs": 10000,
        },
        "evaluate": EVALUATE_CAUSAL,
        "get_config": {},
        "egm_init": {
            "data": REQUIRED,
            "egm_n_iter": 30000,
            "batch_size": 32,
            "egm_batches_per_eval": 500,
            "verbose": 1,
        },
        "initialize_nets": {"print_summary": False},
        "metropolis_hastings_sampler": {
            "data": REQUIRED,
            "initial_q_sd": 1.0,
            "q_sd": None,
            "burn_in": 5000,
            "n_keep": 3000,
            "target_acceptance_rate": 0.25,
            "tolerance": 0.05,
            "adjustment_interval": 50,
            "adaptive_sd": None,
            "window_size": 100,
        },
        "infer_from_latent_posterior": {
            "data_posterior_z": REQUIRED,
            "x_values": None,
            "sample_y": True,
            "eps": 1e-6,
        },
        "get_log_posterior": {
            "data_x": REQUIRED,
            "data_y": REQUIRED,
            "data_v": REQUIRED,
            "data_z": REQUIRED,
            "eps": 1e-6,
        },
    },
    "IdentifiableCausalBGM": {
        "__init__": MAKE,
        "fit": TRAIN_IDENTIFIABLE,
        "predict": PREDICT_VARIANTS,
        "evaluate": EVALUATE_CAUSAL,
        "get_config": {},
    },
    "FullMCMCCausalBGM": {
        "__init__": MAKE,
        "fit": TRAIN_CAUSAL,
        "run_mcmc_training": {
            "data": REQUIRED,
            "num_samples": 2000,
            "num_burnin": 1000,
            "eps": 1e-6,
        },
        "predict": PREDICT_VARIANTS,
        "evaluate": EVALUATE_CAUSAL,
        "get_config": {},
    },
}


def causal_params(tmp, *, binary=True, **more):
    small = {"g_units": [8], "e_units": [8], "f_units": [8], "h_units": [8], "dz_units": [8]}
    rates = {"lr": 5e-3, "lr_theta": 5e-3, "lr_z": 5e-3, "g_d_freq": 2}
    return {
        "dataset": "toy",
        "output_dir": str(tmp),
        "v_dim": P,
        "z_dims": [1, 1, 1, 2],
        "binary_treatment": binary,
        "save_res": False,
        **small,
        **rates,
        **more,
    }


def bgm_params(tmp, **more):
    small = {"g_units": [8], "e_units": [8], "dz_units": [8], "dx_units": [8]}
    return {
        "dataset": "toy",
        "output_dir": str(tmp),
        "x_dim": P,
        "z_dim": 2,
        "save_res": False,
        "save_model": False,
        **small,
        **more,
    }


def study(binary=True, n=N):
    rng = np.random.default_rng(0)
    v = rng.normal(size=(n, P))
    x = (rng.random(n) < 1 / (1 + np.exp(-v[:, 0]))) if binary else v[:, 0] + rng.normal(size=n)
    x = x.astype(float)
    y = 2 * x + v[:, 0] + 0.3 * rng.normal(size=n)
    return x[:, None], y[:, None], v


def table():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(N, 2)) @ rng.normal(size=(2, P)) + 0.1 * rng.normal(size=(N, P))
    x[:, 3] = 10 * x[:, 3] + 5
    return x


SHORT = {"epochs": 0, "epochs_per_eval": 1, "egm_n_iter": 5, "egm_batches_per_eval": 5}


def fitted_causal(name, binary, tmp, **more):
    model = getattr(models, name)(causal_params(tmp, binary=binary, **more), "run", 7)
    model.burn_in = 20
    model.fit(study(binary), verbose=0, **SHORT)
    return model


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("causal")
    return {b: fitted_causal("CausalBGM", b, tmp, use_bnn=False) for b in (True, False)}


@pytest.fixture(scope="module")
def bgm(tmp_path_factory):
    params = bgm_params(tmp_path_factory.mktemp("bgm"))
    model = models.BGM(params, random_seed=3)
    model.fit(table(), verbose=0, **{**SHORT, "epochs": 1})
    return model


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    params = bgm_params(tmp_path_factory.mktemp("mnist"), x_dim=784)
    model = models.MNISTBGM(params, random_seed=0)
    model.fit(images(), 10, 0, egm_n_iter=1, egm_batches_per_eval=1, verbose=0)
    return model


def images(n=10):
    return (np.random.default_rng(0).random((n, 28, 28, 1)) < 0.3).astype(float)


# -- signatures and parameters ------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "method"), [(m, f) for m, methods in SIGNATURES.items() for f in methods]
)
def test_a_signature_is_that_of_the_original(model, method):
    found = inspect.signature(getattr(getattr(bayesgm, model), method)).parameters
    found = {k: p.default for k, p in found.items() if k != "self"}
    assert list(found.items()) == list(SIGNATURES[model][method].items())


DEFAULTS_BGM = {
    "use_bnn": False,
    "g_units": [64] * 5,
    "e_units": [64] * 5,
    "dz_units": [64, 32, 8],
    "dx_units": [64, 32, 8],
    "lr": 0.001,
    "lr_theta": 0.005,
    "lr_z": 0.005,
    "gamma": 0,
    "alpha": 0.0,
    "g_d_freq": 1,
    "save_model": True,
    "save_res": True,
    "kl_weight": 0.00005,
    "use_z_rec": True,
}
DEFAULTS_CAUSAL = {
    "use_bnn": True,
    "g_units": [64] * 5,
    "e_units": [64] * 5,
    "f_units": [64, 32, 8],
    "h_units": [64, 32, 8],
    "dz_units": [64, 32, 8],
    "lr": 0.0002,
    "lr_theta": 0.0001,
    "lr_z": 0.0001,
    "g_d_freq": 5,
    "save_model": False,
    "save_res": True,
    "kl_weight": 0.0001,
    "use_z_rec": True,
}
EXPECTED_DEFAULTS = {
    "BGM": DEFAULTS_BGM,
    "MNISTBGM": {**DEFAULTS_BGM, "x_dim": 784},
    "CausalBGM": DEFAULTS_CAUSAL,
    "IdentifiableCausalBGM": {**DEFAULTS_CAUSAL, "n_segments": 10, "prior_units": [64]},
    "FullMCMCCausalBGM": DEFAULTS_CAUSAL,
}
NEEDED = {"dataset": "d", "output_dir": "."}
NEEDED_BY = {
    "BGM": {**NEEDED, "x_dim": 3, "z_dim": 2},
    "MNISTBGM": {**NEEDED, "z_dim": 2},
    **{m: {**NEEDED, "v_dim": 3, "z_dims": [1, 1, 1, 1], "binary_treatment": True} for m in CAUSAL},
}


@pytest.mark.parametrize("name", MODELS)
def test_documented_defaults_exist_and_get_config_tells_them(name, tmp_path):
    needed = {**NEEDED_BY[name], "output_dir": str(tmp_path / "runs")}
    model = getattr(bayesgm, name)(needed)
    assert model.get_config() == {"params": {**EXPECTED_DEFAULTS[name], **needed}}
    assert model.params == model.get_config()["params"]
    assert list(tmp_path.iterdir()) == []  # no folder before something is written
    assert parameter_defaults(name) == EXPECTED_DEFAULTS[name]


@pytest.mark.parametrize("name", MODELS)
def test_every_required_key_is_missed_by_name(name):
    for key in NEEDED_BY[name]:
        left = {k: v for k, v in NEEDED_BY[name].items() if k != key}
        with pytest.raises(InputError, match=f"lacks '{key}'"):
            getattr(bayesgm, name)(left)


@pytest.mark.parametrize("name", MODELS)
def test_an_unknown_key_names_the_nearest(name):
    with pytest.raises(InputError, match=r"'lr_tetha'.*Did you mean 'lr_theta'"):
        getattr(bayesgm, name)({**NEEDED_BY[name], "lr_tetha": 1.0})


@pytest.mark.parametrize("name", MODELS)
def test_every_key_is_checked(name):
    free = {"dataset", "output_dir"}
    for key in set(known_keys(name)) - free - {"x_min", "x_max"}:
        with pytest.raises(InputError, match=f"'{key}' must be"):
            full_parameters(name, {**NEEDED_BY[name], key: "nonsense"})
    with pytest.raises(InputError, match="'dataset' must be"):
        full_parameters(name, {**NEEDED_BY[name], "dataset": ""})


def test_the_users_dictionary_is_not_changed():
    params = dict(NEEDED_BY["BGM"])
    model = bayesgm.BGM(params)
    model.params["g_units"].append(3)
    assert params == NEEDED_BY["BGM"]
    assert parameter_defaults("BGM")["g_units"] == [64] * 5


def test_image_models_refuse_other_sizes():
    with pytest.raises(InputError, match="x_dim is 784"):
        bayesgm.MNISTBGM({**NEEDED_BY["MNISTBGM"], "x_dim": 100})


def test_summaries_tell_the_sizes(capsys, tmp_path):
    models.CausalBGM(causal_params(tmp_path)).initialize_nets(print_summary=True)
    assert "g_net: 5 -> 8 -> 7\n" in capsys.readouterr().out
    models.BGM(bgm_params(tmp_path)).initialize_nets(True)
    assert "dx_net: 6 -> 8 -> 1\n" in capsys.readouterr().out
    models.BGM(bgm_params(tmp_path)).initialize_nets()
    assert capsys.readouterr().out == ""


# -- order of calls -----------------------------------------------------------------------


@pytest.mark.parametrize("name", CAUSAL)
def test_causal_questions_before_the_fit_name_fit(name, tmp_path):
    model = getattr(models, name)(causal_params(tmp_path))
    z = np.zeros((N, 5))
    for ask in (
        lambda: model.predict(study()),
        lambda: model.evaluate(study()),
        lambda: model.metropolis_hastings_sampler(study()),
        lambda: model.infer_from_latent_posterior(z[None]),
        lambda: model.get_log_posterior(*study(), z),
    ):
        with pytest.raises(InputError, match=r"call fit\(data\) first"):
            ask()


@pytest.mark.parametrize("name", ["BGM", "MNISTBGM"])
def test_questions_of_bgm_before_the_fit_name_fit(name, tmp_path):
    params = bgm_params(tmp_path) | ({"x_dim": 784} if name == "MNISTBGM" else {})
    model, rows = getattr(models, name)(params), table() if name == "BGM" else images()
    for ask in (
        lambda: model.predict(rows),
        lambda: model.evaluate(rows),
        lambda: model.generate(),
        lambda: model.tfp_mcmc_sampler(rows),
        lambda: model.predict_on_posteriors(np.zeros((1, 1, 2))),
        lambda: model.get_log_posterior(np.zeros((1, 2)), rows[:1]),
    ):
        with pytest.raises(InputError, match=r"call fit\(data\) first"):
            ask()


def test_weights_are_drawn_after_the_fit_and_before_predict(tmp_path):
    model = models.FullMCMCCausalBGM(causal_params(tmp_path), random_seed=0)
    with pytest.raises(InputError, match=r"call fit\(data\) first"):
        model.run_mcmc_training(study())
    model.egm_init(study(), egm_n_iter=2, verbose=0)
    with pytest.raises(InputError, match=r"needs latents of the units; call fit"):
        model.run_mcmc_training(study())
    with pytest.raises(InputError, match=r"call run_mcmc_training\(data\)"):
        model.predict(study())


# -- shapes and effects of arguments ------------------------------------------------------


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("name", CAUSAL)
def test_shapes_of_causal_answers(name, binary, tmp_path):
    model, data = fitted_causal(name, binary, tmp_path, use_bnn=binary), study(binary)
    assert model.data_z.shape == (N, 5)
    assert model.best_epoch == 0
    assert model.best_causal_pre.shape == ((N, 1) if binary else (200,))
    doses = None if binary else [-1.0, 0.0, 1.0]
    if name == "FullMCMCCausalBGM":
        assert model.run_mcmc_training(data, num_samples=6, num_burnin=12) is None
        assert model.g_net_samples.shape == (6, 5 * 8 + 8 + 8 * (P + 1) + P + 1)
        assert model.h_net_samples.shape == (6, 2 * 8 + 8 + 8 * 2 + 2)
        assert model.f_net_samples.shape == (6, 3 * 8 + 8 + 8 * 2 + 2)
        assert len(np.unique(model.f_net_samples, axis=0)) > 1
    more = {"burn_in": 20} if name == "CausalBGM" else {}
    effect, interval = model.predict(data, n_mcmc=12, x_values=doses, **more)
    k = N if binary else 3
    assert effect.shape == (k,)
    assert interval.shape == (k, 2)
    assert (interval[:, 0] <= effect).all()
    assert (effect <= interval[:, 1]).all()
    effect, mse_x, mse_y, mse_v = model.evaluate(data, nb_intervals=7)
    assert effect.shape == ((N, 1) if binary else (7,))
    assert all(math.isfinite(mse) and mse > 0 for mse in (mse_x, mse_y, mse_v))
    if not binary:
        assert model.predict(data, n_mcmc=3, x_values=0.5, **more)[0].shape == (1,)


def test_evaluate_takes_latents_and_agrees_with_what_the_best_epoch_said(causal):
    for binary, model in causal.items():
        effect, *_ = model.evaluate(study(binary), model.data_z)
        np.testing.assert_allclose(effect, model.best_causal_pre, rtol=1e-4, atol=1e-5)
        other, *_ = model.evaluate(study(binary), np.zeros_like(model.data_z))
        assert not np.allclose(other, effect)


def test_errors_of_evaluate_are_in_the_users_units(causal):
    """Constant predictions cannot be much better than the variance; scaled ones would be."""
    x, y, v = study(False)
    _, _, mse_y, mse_v = causal[False].evaluate((x, y, v))
    far = causal[False].evaluate((x, y + 100, v))
    assert far[2] == pytest.approx(np.mean((y + 100) ** 2), rel=0.2)
    assert mse_y < 2 * np.var(y) + np.mean(y) ** 2
    assert mse_v < 2 * np.var(v)


BASE = {"n_mcmc": 20, "burn_in": 30, "x_values": [0.0, 1.0]}


@pytest.fixture(scope="module")
def predicted(causal):
    return causal[False].predict(study(False), **BASE)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("burn_in", 31),
        ("n_mcmc", 21),
        ("q_sd", 0.3),
        ("sample_y", False),
        ("alpha", 0.5),
        ("x_values", [0.0, 1.5]),
    ],
)
def test_arguments_of_predict_change_the_answer(causal, predicted, argument, value):
    other = causal[False].predict(study(False), **{**BASE, argument: value})
    assert not np.array_equal(other[1], predicted[1])
    if argument == "alpha":
        np.testing.assert_array_equal(other[0], predicted[0])
    if argument in ("alpha", "sample_y"):
        assert (np.diff(other[1]) < np.diff(predicted[1])).all()


def test_the_same_question_has_the_same_answer(causal, predicted):
    for a, b in zip(causal[False].predict(study(False), **BASE), predicted, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("q_sd", "adapts"), [(1.0, False), (None, True), (-1.0, True)])
def test_a_step_size_that_is_not_positive_adapts(causal, monkeypatch, q_sd, adapts):
    model, asked = causal[True], []
    walk = model._walk

    def watched(*args, **kwargs):
        asked.append(kwargs)
        return walk(*args, **kwargs)

    monkeypatch.setattr(model, "_walk", watched)
    model.predict(study(), n_mcmc=1, burn_in=0, q_sd=q_sd)
    assert asked[0]["q_sd"] == 1.0
    assert isinstance(asked[0]["rule"], StepSizeRule) == adapts


def test_alpha_is_the_probability_outside(causal):
    """The interval of a draw set is its quantiles, so half of the draws lie outside at 0.5."""
    model, data = causal[True], study()
    z = model.metropolis_hastings_sampler(data, q_sd=1.0, burn_in=5, n_keep=200)
    assert z.shape == (200, N, 5)
    draws = model.infer_from_latent_posterior(z, sample_y=True)
    assert draws.shape == (200, N)
    _, interval = model.predict(data, alpha=0.5, n_mcmc=200, burn_in=5)
    outside = (draws < interval[:, 0]) | (draws > interval[:, 1])
    # Both sets have nearly the same distributions: 24,000 indicators, correlated within chains.
    assert 0.42 < outside.mean() < 0.58


def test_bs_bounds_what_is_walked_at_once(causal, monkeypatch):
    model, sizes = causal[True], []
    walk = model._walk

    def watched(fit, units, *args, **kwargs):
        sizes.append(units.covariates.shape[-2])
        return walk(fit, units, *args, **kwargs)

    monkeypatch.setattr(model, "_walk", watched)
    effect, interval = model.predict(study(), n_mcmc=5, burn_in=2, bs=50)
    assert sizes == [50, 50, 20]
    assert (effect.shape, interval.shape) == ((N,), (N, 2))


def test_parts_of_the_units_add_up_to_the_same_dose_response(causal):
    """Means over units in parts and at once differ by the noise of the draws alone."""
    base = {"n_mcmc": 60, "burn_in": 40, "x_values": [0.0], "sample_y": False}
    whole, _ = causal[False].predict(study(False), **base)
    parts, _ = causal[False].predict(study(False), **base, bs=61)
    spread = float(np.std(study(False)[1]))
    assert whole != parts
    assert abs(whole[0] - parts[0]) < 0.15 * spread


def test_draws_of_weights_differ_between_draws_and_are_shared_by_levels(tmp_path):
    model = fitted_causal("CausalBGM", False, tmp_path, use_bnn=True)
    z = np.repeat(model.data_z[None], 4, 0)
    draws = model.infer_from_latent_posterior(z, x_values=[0.0, 0.0], sample_y=False)
    assert draws.shape == (2, 4, N)
    np.testing.assert_allclose(draws[0], draws[1], rtol=1e-5, atol=1e-5)
    assert not np.allclose(draws[0, 0], draws[0, 1])


def test_log_posterior_is_what_the_walk_samples(causal):
    """Without data terms it would be the prior: check against a difference of two points."""
    model, data = causal[True], study()
    near = model.get_log_posterior(*data, model.data_z)
    far = model.get_log_posterior(*data, model.data_z + 5.0)
    assert near.shape == (N,)
    assert (near > far).all()
    z = model.metropolis_hastings_sampler(data, q_sd=0.5, burn_in=150, n_keep=1)[0]
    rng = np.random.default_rng(0)
    start = model.get_log_posterior(*data, rng.normal(size=(N, 5)))
    assert model.get_log_posterior(*data, z).mean() > start.mean()
    with pytest.raises(InputError, match="eps is 1e-06"):
        model.get_log_posterior(*data, model.data_z, eps=1e-3)


def test_the_step_size_follows_the_acceptance():
    rule = StepSizeRule(target=0.25, tolerance=0.05, interval=10, window=20)
    assert [rule.factor(0.9, step) for step in range(11)] == [1.0] * 10 + [1.1]
    low = StepSizeRule(interval=10, window=5)
    assert [low.factor(0.0, step) for step in range(11)][-1] == 0.9
    fine = StepSizeRule(interval=10)
    assert [fine.factor(0.27, step) for step in range(11)][-1] == 1.0


def test_an_adapting_walk_reaches_its_acceptance(causal):
    z = causal[True].metropolis_hastings_sampler(
        study(), initial_q_sd=4.0, burn_in=250, n_keep=80, adjustment_interval=10, window_size=20
    )
    moved = (np.diff(z, axis=0) != 0).any(-1).mean()
    assert 0.15 < moved < 0.35
    stuck = causal[True].metropolis_hastings_sampler(
        study(), initial_q_sd=4.0, burn_in=10, n_keep=50, adaptive_sd=False
    )
    assert (np.diff(stuck, axis=0) != 0).any(-1).mean() < 0.1


def test_a_continuous_treatment_needs_values(causal):
    with pytest.raises(ValueError, match="x_values must not be None"):
        causal[False].predict(study(False), n_mcmc=2, burn_in=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"alpha": 0}, "significance level"), ({"n_mcmc": 0}, "n_mcmc must"),
     ({"burn_in": -1}, "burn_in must"), ({"bs": 0}, "bs must")],
)  # fmt: skip
def test_impossible_arguments_are_named(causal, change, message):
    with pytest.raises(InputError, match=message):
        causal[True].predict(study(), **{"n_mcmc": 2, "burn_in": 0, **change})


def test_wrong_data_are_named(causal):
    x, y, v = study()
    with pytest.raises(InputError, match=r"data_v must have shape \(n, 6\)"):
        causal[True].evaluate((x, y, v[:, :3]))
    with pytest.raises(InputError, match="data_y has 3 rows, data_v has 120"):
        causal[True].evaluate((x, y[:3], v))
    with pytest.raises(InputError, match="triplet"):
        causal[True].evaluate((x, y))
    with pytest.raises(InputError, match="data_z has 3 rows"):
        causal[True].evaluate((x, y, v), np.zeros((3, 5)))
    with pytest.raises(InputError, match=r"latents must have shape \(n, 5\)"):
        causal[True].evaluate((x, y, v), np.zeros((N, 4)))


@pytest.mark.parametrize(
    ("sigma", "use_bnn"), [("sigma_v", True), ("sigma_x", False), ("sigma_y", True)]
)
def test_a_fixed_deviation_stays_through_training(tmp_path, sigma, use_bnn):
    model = fitted_causal("CausalBGM", False, tmp_path, use_bnn=use_bnn, **{sigma: 0.4})
    fit = model._fit
    name = {"sigma_v": "covariates", "sigma_x": "treatment", "sigma_y": "outcome"}[sigma]
    scale = {"sigma_v": 1.0, "sigma_x": fit.table.treatment_scale[1],
             "sigma_y": fit.table.outcome_scale[1]}[sigma]  # fmt: skip
    layer = getattr(fit.networks.mechanisms(), name)[-1]
    assert float(layer.weight.detach()[..., -1].abs().max()) == 0.0
    raw = float(layer.bias.detach()[0, -1])
    assert math.log1p(math.exp(raw)) + 1e-6 == pytest.approx((0.4 / scale) ** 2, rel=1e-4)
    others = set(layer.bias.detach()[0, :-1].tolist())
    assert others != {0.0}  # the means did learn


def test_a_fixed_deviation_of_the_outcome_is_that_of_sampled_outcomes(tmp_path):
    """Standard deviation of 120 x 200 differences; four standard errors are 2 %."""
    model = fitted_causal("CausalBGM", True, tmp_path, use_bnn=False, sigma_y=3.0)
    z = np.repeat(model.data_z[None], 200, 0)
    noisy = model.infer_from_latent_posterior(z, sample_y=True)
    plain = model.infer_from_latent_posterior(z, sample_y=False)
    assert np.std(noisy - plain) == pytest.approx(3.0 * math.sqrt(2), rel=0.02)


def test_a_fixed_deviation_stays_while_weights_are_sampled(tmp_path):
    model = fitted_causal("FullMCMCCausalBGM", True, tmp_path, sigma_y=0.4)
    model.run_mcmc_training(study(), num_samples=5, num_burnin=5)
    # The last layer lies at the end: weights 8 x 2 by rows, then two biases.
    assert (model.f_net_samples[:, -18:-2].reshape(5, 8, 2)[..., 1] == 0).all()
    assert len(np.unique(model.f_net_samples[:, -1])) == 1
    assert len(np.unique(model.f_net_samples[:, -2])) > 1


@pytest.mark.parametrize("name", ["CausalBGM", "IdentifiableCausalBGM"])
def test_a_seed_is_local_and_repeats_everything(name, tmp_path):
    first, again = (fitted_causal(name, True, tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.data_z, again.data_z)
    more = {"burn_in": 5} if name == "CausalBGM" else {}
    for a, b in zip(*(m.predict(study(), n_mcmc=5, **more) for m in (first, again)), strict=True):
        np.testing.assert_array_equal(a, b)
    if name == "CausalBGM":
        other = models.CausalBGM(causal_params(tmp_path), "run", 8)
        other.fit(study(), verbose=0, **SHORT)
        assert not np.allclose(other.data_z, first.data_z)


def test_a_second_fit_starts_again(tmp_path):
    model = fitted_causal("CausalBGM", True, tmp_path)
    first = model.data_z
    model.fit(study(), verbose=0, **SHORT)
    np.testing.assert_array_equal(model.data_z, first)
    with pytest.raises(InputError):
        model.fit((np.ones(N), *study()[1:]), verbose=0, **SHORT)
    assert not hasattr(model, "data_z")
    with pytest.raises(InputError, match="call fit"):
        model.evaluate(study())


def test_startoff_and_use_egm_init_are_heard(tmp_path):
    model = models.CausalBGM(causal_params(tmp_path), "run", 1)
    model.fit(study(), epochs=1, epochs_per_eval=1, startoff=1, use_egm_init=False, verbose=0)
    assert model.best_epoch == 1
    other = models.CausalBGM(causal_params(tmp_path), "run", 1)
    other.fit(study(), epochs=1, epochs_per_eval=1, startoff=1, egm_n_iter=4, verbose=0)
    assert not np.allclose(other.data_z, model.data_z)


def test_training_lowers_the_errors(tmp_path):
    model = models.CausalBGM(
        causal_params(tmp_path, binary=False, use_bnn=False, lr=1e-2), "run", 1
    )
    data = study(False)
    model.egm_init(data, egm_n_iter=0, verbose=0)
    before = model.evaluate(data)
    model.fit(data, epochs=6, epochs_per_eval=6, egm_n_iter=60, verbose=0)
    after = model.evaluate(data, model.data_z)
    assert after[2] < 0.5 * before[2]
    assert after[3] < before[3]
    effect, _ = model.predict(
        data, n_mcmc=20, burn_in=30, x_values=[-1.0, 1.0], q_sd=0.5, sample_y=False
    )
    assert effect[1] > effect[0] + 1.0  # the true slope is 2


def test_evaluations_are_told_and_written(tmp_path, capsys):
    model = models.CausalBGM(causal_params(tmp_path, save_res=True, save_model=True), "now", 0)
    assert list(tmp_path.iterdir()) == []
    model.fit(study(), epochs=4, epochs_per_eval=2, egm_n_iter=10, egm_batches_per_eval=4,
              save_format="npy")  # fmt: skip
    told = capsys.readouterr().out.splitlines()
    numbers = [r"\[-?\d+\.\d{4}\]"] * 8
    losses = ("e_loss_adv", "l2_loss_v", "l2_loss_z", "l2_loss_x", "l2_loss_y", "g_e_loss",
              "dz_loss", "d_loss")  # fmt: skip
    losses = ", ".join(f"{name} {number}" for name, number in zip(losses, numbers, strict=True))
    expected = [
        r"EGM Initialization Starts \.\.\.",
        *(rf"EGM Initialization Iter \[{k}\] : {losses}" for k in (0, 4, 8)),
        r"EGM Initialization Ends\.",
        r"Initialize latent variables Z with e\(V\)\.\.\.",
        r"Iterative Updating Starts \.\.\.",
    ]
    assert all(re.fullmatch(e, line) for e, line in zip(expected, told[:7], strict=True)), told
    errors = ", ".join(rf"MSE_{name}: \d+\.\d{{4}}" for name in "xyv")
    epochs = [line for line in told[7:] if not line.startswith("Saving checkpoint for epoch")]
    for k, line in zip((0, 2, 4), epochs, strict=True):
        assert re.fullmatch(rf"Epoch \[{k}/4\]: {errors}", line)
    results = tmp_path / "results" / "toy" / "now"
    assert model.save_dir == str(results)
    names = {f.name for f in results.iterdir()}
    assert {"params.txt", "causal_pre_at_0.npy", "causal_pre_at_2.npy", "causal_pre_at_4.npy",
            *(f"causal_pre_egm_init_iter-{k}.txt" for k in (0, 4, 8))} == names  # fmt: skip
    best = np.load(results / f"causal_pre_at_{model.best_epoch}.npy")
    np.testing.assert_array_equal(best, model.best_causal_pre)
    assert yaml.safe_load((results / "params.txt").read_text())["z_dims"] == [1, 1, 1, 2]
    weights = (
        tmp_path / "checkpoints" / "toy" / "now" / f"weights_at_{model.best_epoch}.safetensors"
    )
    np.testing.assert_array_equal(load_file(weights)["data_z"], model.data_z)
    assert not list(tmp_path.rglob("*.pkl"))


def test_only_five_checkpoints_are_kept(tmp_path):
    model = models.BGM(bgm_params(tmp_path, save_model=True), "now", 0)
    model.fit(table(), batch_size=N, epochs=6, epochs_per_eval=1, use_egm_init=False, verbose=0)
    files = {f.stem for f in (tmp_path / "checkpoints" / "toy" / "now").iterdir()}
    assert files == {f"weights_at_{k}_generator" for k in range(2, 7)}


def test_nothing_is_written_when_nothing_is_saved(tmp_path, capsys):
    models.CausalBGM(causal_params(tmp_path), "now", 0).fit(study(), verbose=0, **SHORT)
    models.BGM(bgm_params(tmp_path), "now", 0).fit(table(), verbose=0, **SHORT)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


# -- BGM ----------------------------------------------------------------------------------

CHAIN = {"n_mcmc": 12, "burn_in": 10, "num_leapfrog_steps": 2, "step_size": 0.1}


def test_shapes_of_bgm(bgm):
    assert bgm.data_z.shape == (N, 2)
    assert len(bgm.history_loss) == 2
    rows, variances = bgm.generate(17)
    assert rows.shape == variances.shape == (17, P)
    assert (variances > 0).all()
    means, _ = bgm.generate(17, use_x_sd=False)
    assert not np.allclose(rows, means)
    assert isinstance(bgm.evaluate(table()), float)
    assert bgm.evaluate(table(), use_x_sd=False) < bgm.evaluate(table())
    assert bgm.evaluate(table(), bgm.data_z, False) != bgm.evaluate(table(), use_x_sd=False)
    holes = table()[:7]
    holes[:, [1, 3]] = np.nan
    filled, intervals = bgm.predict(holes, **CHAIN)
    assert filled.shape == (7, P)
    assert intervals.shape == (7, 2, 2)
    seen = ~np.isnan(holes)
    np.testing.assert_array_equal(filled[seen], holes[seen])
    assert (intervals[..., 0] < filled[:, [1, 3]]).all()
    assert (intervals[..., 1] > filled[:, [1, 3]]).all()
    draws, same = bgm.predict(holes, **CHAIN, return_samples=True)
    assert draws.shape == (12, 7, P)
    np.testing.assert_array_equal(same, intervals)
    np.testing.assert_allclose(draws.mean(0)[:, 3], filled[:, 3])


def test_rows_that_miss_different_columns_have_a_list_of_intervals(bgm):
    holes = table()[:4]
    holes[0, 0], holes[1, :], holes[2, 1:3] = np.nan, np.nan, np.nan
    filled, intervals = bgm.predict(holes, **CHAIN, bs=3)
    assert isinstance(intervals, list)
    assert [i.shape for i in intervals] == [(1, 2), (P, 2), (2, 2), (0, 2)]
    assert np.isfinite(filled).all()
    assert bgm.predict(table()[:4], **CHAIN)[1].shape == (4, 0, 2)


def first_missing(n=4):
    holes = table()[:n]
    holes[:, 0] = np.nan
    return holes


@pytest.fixture(scope="module")
def imputed(bgm):
    return bgm.predict(first_missing(), **CHAIN)[1]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"burn_in": 11},
        {"step_size": 0.2},
        {"num_leapfrog_steps": 4},
        {"n_mcmc": 13},
        {"bs": 2},
        {"alpha": 0.4},
    ],
)
def test_arguments_of_bgm_predict_are_heard(bgm, imputed, change):
    _, other = bgm.predict(first_missing(), **{**CHAIN, **change})
    assert not np.array_equal(imputed, other)
    if "alpha" in change:
        assert (np.diff(other) < np.diff(imputed)).all()


def test_the_same_rows_have_the_same_intervals(bgm, imputed):
    np.testing.assert_array_equal(bgm.predict(first_missing(), **CHAIN)[1], imputed)


def test_seen_columns_can_be_given_in_three_ways(bgm):
    rows, short = table()[:3], {"n_mcmc": 4, "burn_in": 5, "num_leapfrog_steps": 2}
    shared = bgm.tfp_mcmc_sampler(rows, [0, 2], **short)
    assert shared.shape == (4, 3, 2)
    for same in ([[0, 2]] * 3, np.array([[0, 2]] * 3)):
        np.testing.assert_array_equal(bgm.tfp_mcmc_sampler(rows, same, **short), shared)
    assert not np.array_equal(bgm.tfp_mcmc_sampler(rows, **short), shared)
    ragged = bgm.tfp_mcmc_sampler(rows, [[0], [1, 2, 3], []], **short)
    assert ragged.shape == (4, 3, 2)
    with pytest.raises(InputError, match="ind_x1 has 2 rows"):
        bgm.tfp_mcmc_sampler(rows, [[0], [1]], **short)
    with pytest.raises(InputError, match="column outside 0 to 5 in row 0"):
        bgm.tfp_mcmc_sampler(rows, [9], **short)
    assert bgm.predict_on_posteriors(shared).shape == (4, 3, P)


def test_log_posterior_of_bgm_counts_the_seen_columns_alone(bgm):
    rows, z = table()[:3], np.zeros((3, 2))
    moved = rows.copy()
    moved[:, 5] += 3.0
    some = bgm.get_log_posterior(z, rows, [0, 1])
    np.testing.assert_array_equal(some, bgm.get_log_posterior(z, moved, [0, 1]))
    assert (bgm.get_log_posterior(z, rows) != bgm.get_log_posterior(z, moved)).all()
    index, mask = np.array([[0, 1, 5]] * 3), np.array([[1, 1, 0]] * 3)
    np.testing.assert_array_equal(bgm.get_log_posterior(z, moved, index, mask), some)
    # Nothing seen: the prior's difference of two points.
    prior = bgm.get_log_posterior(z, rows, [[]] * 3) - bgm.get_log_posterior(z + 2, rows, [[]] * 3)
    np.testing.assert_allclose(prior, 4.0, rtol=1e-5)


def test_bgm_learns_a_table_with_holes_and_repeats_itself(tmp_path):
    holes = table()
    holes[np.random.default_rng(0).random(holes.shape) < 0.2] = np.nan
    made = []
    for _ in range(2):
        model = models.BGM(bgm_params(tmp_path), random_seed=5)
        model.fit(holes, epochs=20, epochs_per_eval=10, use_egm_init=False, verbose=0)
        made.append(model)
    np.testing.assert_array_equal(made[0].data_z, made[1].data_z)
    np.testing.assert_array_equal(made[0].generate(5)[0], made[1].generate(5)[0])
    assert np.isfinite(made[0].history_loss).all()
    assert made[0].history_loss[-1] < made[0].history_loss[0]


@pytest.mark.parametrize("change", [{"gamma": 5.0}, {"alpha": 5.0}, {"g_d_freq": 3}, {"lr": 0.05}])
def test_parameters_of_the_start_of_bgm_are_heard(tmp_path, change):
    made = []
    for more in ({}, change):
        model = models.BGM(bgm_params(tmp_path, **more), random_seed=5)
        model.egm_init(table(), egm_n_iter=6, verbose=0)
        made.append(model.evaluate(table(), use_x_sd=False))
    assert made[0] != made[1]


def test_the_weight_of_the_divergence_is_heard(tmp_path):
    made = []
    for weight in (1e-5, 1.0):
        model = models.BGM(bgm_params(tmp_path, use_bnn=True, kl_weight=weight), random_seed=5)
        model.fit(table(), epochs=3, use_egm_init=False, verbose=0)
        made.append(model.evaluate(table(), use_x_sd=False))
        assert model.generate(4)[0].shape == (4, P)
    assert made[0] < made[1]  # a large weight keeps the weights at their prior


def test_files_of_bgm(tmp_path):
    model = models.BGM(bgm_params(tmp_path, save_res=True, save_model=True), "now", 0)
    model.fit(table(), epochs=2, epochs_per_eval=2, egm_n_iter=4, egm_batches_per_eval=2, verbose=0)
    results = tmp_path / "results" / "toy" / "now"
    names = {f.name for f in results.iterdir()}
    assert names == {"params.txt", *(f"init_data_gen_at_{k}.npz" for k in (0, 2, 4)),
                     "data_gen_at_0.npz", "data_gen_at_2.npz"}  # fmt: skip
    with np.load(results / "init_data_gen_at_4.npz") as start:
        assert set(start) == {"gen1", "gen12", "z", "x_rec", "var1", "var12"}
        assert start["x_rec"].shape == (N, P)
    with np.load(results / "data_gen_at_2.npz") as last:
        assert set(last) == {"gen1", "gen12", "z", "var1", "var12"}
        assert last["gen1"].shape == (5000, P)
        np.testing.assert_array_equal(last["z"], model.data_z)
    stems = {f.name for f in (tmp_path / "checkpoints" / "toy" / "now").iterdir()}
    assert stems == {f"weights_at_{s}.safetensors" for s in
                     ("egm_init_0", "egm_init_2", "egm_init_4", "0_generator",
                      "2_generator")}  # fmt: skip


def test_bgm_tells_evaluations(tmp_path, capsys):
    model = models.BGM(bgm_params(tmp_path), "now", 0)
    model.fit(table(), epochs=3, epochs_per_eval=2, egm_n_iter=3, egm_batches_per_eval=3)
    told = capsys.readouterr().out.splitlines()
    names = ("g_loss_adv", "e_loss_adv", "l2_loss_z", "l2_loss_x", r"sd\^2_loss", "g_e_loss",
             "dz_loss", "dx_loss", "d_loss")  # fmt: skip
    losses = ", ".join(rf"{name} \[\d+\.\d{{4}}\]" for name in names)
    expected = [r"EGM Initialization Starts \.\.\."]
    for k in (0, 3):
        expected.append(rf"EGM Initialization Iter \[{k}\] : {losses}")
        expected.append(rf"iter \[{k}/3\]: MSE_x: \d+\.\d{{4}}")
        expected.append(rf"iter \[{k}/3\]: MSE_x no x_sd: \d+\.\d{{4}}")
    expected += [
        r"EGM Initialization Ends\.",
        r"Initialize latent variables Z with e\(V\)\.\.\.",
        r"Iterative Updating Starts \.\.\.",
        *(rf"Epoch \[{k}/3\]: MSE_x: {model.history_loss[k // 2]:.4f}" for k in (0, 2)),
    ]
    assert all(re.fullmatch(e, line) for e, line in zip(expected, told, strict=True)), told


@pytest.mark.parametrize("name", ["BGM", "CausalBGM"])
def test_rates_are_constant_and_every_step_is_one_of_the_original(name, tmp_path):
    """120 units in batches of 32: three steps a pass, and 2 + 1 updates with 2 critics each."""
    params = bgm_params(tmp_path, g_d_freq=2) if name == "BGM" else causal_params(tmp_path)
    params |= {"lr": 0.003, "lr_theta": 0.002, "lr_z": 0.001}
    model = getattr(models, name)(params, "now", 0)
    data = table() if name == "BGM" else study()
    model.fit(data, epochs=4, epochs_per_eval=3, egm_n_iter=2, verbose=0)
    rows = model._model.history if name == "BGM" else model._fit.rows
    rates = [row["learning_rate"] for row in rows if "learning_rate" in row]
    assert rates == [0.003] * 5 + [0.002] * 15


def test_latents_start_at_their_prior_without_the_joint_start(tmp_path):
    """Rates so small that nothing moves: 240 numbers, bounds of 4.5 standard errors."""
    still = {"lr": 1e-9, "lr_theta": 1e-9, "lr_z": 1e-9}
    model = models.BGM(bgm_params(tmp_path, **still), "now", 0)
    model.fit(table(), epochs=0, use_egm_init=False, verbose=0)
    assert abs(model.data_z.mean()) < 0.3
    assert abs(math.log(model.data_z.std())) < 0.21
    model.fit(table(), epochs=0, egm_n_iter=0, verbose=0)
    encoded = model._encoded(model._model, table()).numpy()
    np.testing.assert_allclose(model.data_z, encoded, atol=1e-5)


def test_the_start_of_causalbgm_is_the_originals_loss(causal):
    """Every part from the equations, with the numbers that the generator gives."""
    model = causal[True]
    fit = model._fit
    networks, units = fit.networks, fit.units.map(lambda part: part[None])
    seed = torch.Generator().manual_seed(0)
    loss, parts = generator_loss(networks, units, seed, latent_weight=0.5)
    z = torch.empty(1, N, 5).normal_(generator=torch.Generator().manual_seed(0))
    e = networks.encode(units.covariates)
    of_v, of_x, of_y = (getattr(networks, k) for k in ("covariates", "treatment", "outcome"))
    back, again = of_v(z), of_v(e)
    x = of_x(e[..., [0, 2]])
    y = of_y(torch.cat([e[..., :2], units.treatment[..., None]], -1))
    entropy = torch.nn.functional.softplus(x[..., 0]) - units.treatment * x[..., 0]
    expected = {
        "e_loss_adv": -networks.critic(e).mean(),
        "l2_loss_v": (again[..., :-1] - units.covariates).square().mean(),
        "l2_loss_z": (networks.encode(back[..., :-1]) - z).square().mean(),
        "l2_loss_x": entropy.mean(),
        "l2_loss_y": (y[..., 0] - units.outcome).square().mean(),
    }
    for name, value in expected.items():
        torch.testing.assert_close(parts[name], value)
    pull = 0.001 * sum(raw[..., -1].square().mean() for raw in (back, x, y))
    total = sum(expected.values()) - 0.5 * expected["l2_loss_z"] + pull
    torch.testing.assert_close(loss, total)


def test_weights_of_images_are_random_if_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist_module, "N_SHOWN", 7)
    params = bgm_params(tmp_path, x_dim=784, use_bnn=True, save_res=True, alpha=0.1)
    model = models.MNISTBGM(params, "now", 0)
    model.fit(images(), 10, 0, egm_n_iter=0, verbose=0)
    z = np.repeat(model.data_z[None, :2], 3, 0)
    draws = model.predict_on_posteriors(z)
    assert draws.shape == (3, 2, 28, 28, 1)
    assert (np.std(draws, 0) > 0).all()  # the same latents, other weights
    holes = images(2)
    holes[:, :3] = np.nan
    filled, intervals = model.predict(holes, n_mcmc=3, burn_in=1, num_leapfrog_steps=1)
    assert intervals.shape == (2, 84, 2)
    assert np.isfinite(filled).all()
    results = tmp_path / "results" / "toy" / "now"
    with np.load(results / "init_data_gen_at_0.npz") as start:
        assert {k: v.shape for k, v in start.items()} == {
            "data_gen": (7, 28, 28, 1), "z": (10, 2), "x_rec": (10, 28, 28, 1)}  # fmt: skip
    with np.load(results / "data_gen_at_0.npz") as last:
        assert {k: v.shape for k, v in last.items()} == {"gen": (7, 28, 28, 1), "z": (10, 2)}


def test_shapes_of_images(mnist):
    assert mnist.generate(3).shape == (3, 28, 28, 1)
    assert 0 <= mnist.generate(3).min() <= mnist.generate(3).max() <= 1
    assert isinstance(mnist.evaluate(images()), float)
    holes = images(3)
    holes[:, :5] = np.nan
    short = {"n_mcmc": 3, "burn_in": 2, "num_leapfrog_steps": 1}
    filled, intervals = mnist.predict(holes, **short)
    assert filled.shape == (3, 28, 28, 1)
    assert intervals.shape == (3, 140, 2)
    assert ((filled >= 0) & (filled <= 1)).all()
    holes[0, 10] = np.nan
    draws, ragged = mnist.predict(holes, **short, return_samples=True)
    assert draws.shape == (3, 3, 28, 28, 1)
    assert [r.shape for r in ragged] == [(168, 2), (140, 2), (140, 2)]
    with pytest.raises(InputError, match=r"shape \(n, 28, 28, 1\)"):
        mnist.evaluate(np.zeros((2, 8, 8, 1)))
    with pytest.raises(InputError, match=r"lie in \[0, 1\]"):
        mnist.evaluate(images() * 255)


# -- YAML files ---------------------------------------------------------------------------

FILES = {
    "Sim_Hirano_Imbens": ("CausalBGM", {"z_dims": [1, 1, 1, 7], "v_dim": 200}),
    "Sim_Sun": ("CausalBGM", {"z_dims": [2, 2, 2, 4], "v_dim": 200}),
    "Sim_Colangelo": ("CausalBGM", {"z_dims": [5, 5, 5, 5], "v_dim": 100}),
    "Semi_Twins": ("CausalBGM", {"z_dims": [1, 1, 1, 7], "v_dim": 50}),
    "Semi_acic": (
        "CausalBGM",
        {"z_dims": [3, 6, 3, 6], "v_dim": 177, "binary_treatment": True, "lr": 2e-4,
         "lr_theta": 1e-4, "lr_z": 1e-4, "kl_weight": 1e-4, "g_d_freq": 5, "use_bnn": True},
    ),
    "Sim_heteroskedastic": (
        "BGM",
        {"z_dim": 10, "x_dim": 100, "lr": 0.001, "lr_theta": 0.005, "lr_z": 0.005, "rank": 2,
         "kl_weight": 5e-5, "alpha": 0.0, "gamma": 0, "g_d_freq": 1, "use_bnn": False},
    ),
    "Sim_low_rank": ("BGM", {"z_dim": 2, "x_dim": 4, "use_bnn": True, "alpha": 0.1}),
    "Mnist": ("MNISTBGM", {"z_dim": 10, "alpha": 0.1, "kl_weight": 1e-4, "use_bnn": False}),
}  # fmt: skip


def test_all_files_are_tested():
    assert set(FILES) == set(CONFIG_NAMES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_makes_a_model(name):
    model, expected = FILES[name]
    params = load_config(name)
    assert expected.items() <= params.items()
    made = getattr(models, model)(params)
    assert params.items() <= made.params.items()
    if model == "CausalBGM":
        assert params["binary_treatment"] is (name == "Semi_acic")


def test_other_files_are_read_and_strange_ones_named(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("dataset: d\nlr: 1e-4\noutput_dir: here\n")
    assert load_config(file) == {"dataset": "d", "lr": 1e-4, "output_dir": "here"}
    with pytest.raises(InputError, match="Did you mean 'Sim_Sun'"):
        load_config("Sim_Sum")
    file.write_text("- 1\n- 2\n")
    with pytest.raises(InputError, match="no mapping"):
        load_config(file)
    file.write_text("a: [1\n")
    with pytest.raises(InputError, match="cannot read"):
        load_config(file)


# -- command line -------------------------------------------------------------------------

COMMON_OPTIONS = {
    "delimiter": "\t", "dataset": "Mydata", "save_format": "txt", "save_model": False,
    "save_res": True, "use_bnn": True, "use_egm_init": True, "seed": 123, "header": 0,
    "lr_theta": 1e-4, "lr_z": 1e-4, "lr": 1e-4, "kl_weight": 1e-4, "g_d_freq": 5,
    "g_units": [64] * 5, "e_units": [64] * 5, "dz_units": [64, 32, 8],
}  # fmt: skip
CAUSAL_OPTIONS = COMMON_OPTIONS | {
    "binary_treatment": True, "z_dims": [3, 3, 6, 6], "x_values": None, "f_units": [64, 32, 8],
    "h_units": [64, 32, 8], "use_z_rec": True, "n_iter": 30000, "startoff": 0,
    "batches_per_eval": 500, "epochs": 100, "n_mcmc": 3000, "burn_in": 5000, "q_sd": 1.0,
    "epochs_per_eval": 10, "alpha": 0.01,
}  # fmt: skip
BGM_OPTIONS = COMMON_OPTIONS | {
    "z_dim": 10, "dx_units": [64, 32, 8], "gamma": 10.0, "egm_reg_alpha": 0.01,
    "egm_n_iter": 20000, "egm_batches_per_eval": 500, "epochs": 100, "epochs_per_eval": 5,
    "batch_size": 32, "alpha": 0.05, "n_mcmc": 5000, "burn_in": 5000, "step_size": 0.01,
    "num_leapfrog_steps": 10,
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "expected"), [("causalbgm", CAUSAL_OPTIONS), ("bgm", BGM_OPTIONS)]
)
def test_options_and_defaults_of_the_command_line(command, expected):
    found = vars(command_line.make_parser().parse_args([command, "-o", "out", "-i", "in.csv"]))
    assert expected.items() <= found.items()
    extra = set(found) - set(expected)
    assert extra == {"command", "run", "input", "output_dir"} | (
        {"x_min", "x_max"} if command == "causalbgm" else set()
    )


def test_switches_and_short_names_of_the_command_line():
    words = (
        "causalbgm -o o -i i -t , -d D -F npy -save_model -no-save_res --no-use_bnn -B -Z 1 2 3 4"
    )
    words += " --no-use-z-rec -N 7 -E 8 -M 9 -q -1 --no-use_egm_init --seed 5"
    found = vars(command_line.make_parser().parse_args(words.split()))
    expected = {"delimiter": ",", "dataset": "D", "save_format": "npy", "save_model": True,
                "save_res": False, "use_bnn": False, "z_dims": [1, 2, 3, 4], "use_z_rec": False,
                "n_iter": 7, "epochs": 8, "n_mcmc": 9, "q_sd": -1.0, "use_egm_init": False,
                "seed": 5, "binary_treatment": True}  # fmt: skip
    assert expected.items() <= found.items()
    found = command_line.make_parser().parse_args(
        ["causalbgm", "-o", "o", "-i", "i", "--no-binary_treatment"]
    )
    assert found.binary_treatment is False


QUICK_CAUSAL = """
    --g_units 4 --e_units 4 --f_units 4 --h_units 4 --dz_units 4 -Z 1 1 1 1 -N 3 -E 1
    --epochs_per_eval 1 -M 5 --burn_in 3 --lr 0.01
""".split()  # noqa: SIM905
QUICK_BGM = """
    --g_units 4 --e_units 4 --dz_units 4 --dx_units 4 --z_dim 2 -N 3 -E 1 --epochs_per_eval 1
    -M 5 --burn_in 3 --num_leapfrog_steps 2
""".split()  # noqa: SIM905


def run_causal(folder, file, *more):
    words = ["-o", str(folder), "-i", str(file), *QUICK_CAUSAL, *more]
    assert command_line.main(["causalbgm", *words]) == 0
    (run,) = (folder / "results" / "Mydata").iterdir()
    return run


def write_csv(file, binary=True, header=True):
    x, y, v = study(binary, 60)
    names = ",".join(["t", "y", *(f"v{j}" for j in range(P))]) if header else ""
    np.savetxt(file, np.hstack([x, y, v]), delimiter=",", header=names, comments="")


def test_the_causal_command_writes_effects_and_hears_seed_and_header(tmp_path):
    write_csv(tmp_path / "a.csv")
    run = run_causal(tmp_path / "one", tmp_path / "a.csv", "-t", ",")
    effect = np.loadtxt(run / "causal_effect_point_estimate.txt")
    interval = np.loadtxt(run / "causal_effect_posterior_interval.txt")
    assert effect.shape == (60,)
    assert interval.shape == (60, 2)
    assert (run / "params.txt").exists()
    other = run_causal(tmp_path / "three", tmp_path / "a.csv", "-t", ",", "--seed", "4")
    assert not np.array_equal(np.loadtxt(other / "causal_effect_point_estimate.txt"), effect)
    write_csv(tmp_path / "b.csv", header=False)
    bare = run_causal(tmp_path / "four", tmp_path / "b.csv", "-t", ",", "--header", "none")
    np.testing.assert_array_equal(np.loadtxt(bare / "causal_effect_point_estimate.txt"), effect)


def test_the_form_without_a_subcommand_reads_npz_and_doses(tmp_path):
    x, y, v = study(False, 60)
    np.savez(tmp_path / "a.npz", x=x, y=y, v=v)
    words = ["-o", str(tmp_path), "-i", str(tmp_path / "a.npz"), *QUICK_CAUSAL, "-F", "csv",
             "--no-binary_treatment"]  # fmt: skip
    assert command_line.main(words) == 2  # no --x_values
    assert command_line.main([*words, "--x_values", "0", "0.5", "1"]) == 0
    (run,) = (tmp_path / "results" / "Mydata").iterdir()
    assert np.loadtxt(run / "causal_effect_point_estimate.csv").shape == (3,)
    assert np.loadtxt(run / "causal_effect_posterior_interval.csv", delimiter="\t").shape == (3, 2)


def test_the_bgm_command_fills_holes(tmp_path, capsys):
    holes = table()[:60]
    holes[::3, 1] = np.nan
    np.savez(tmp_path / "a.npz", data=holes)
    words = ["-o", str(tmp_path), "-i", str(tmp_path / "a.npz"), *QUICK_BGM]
    assert command_line.main(["bgm", *words, "-F", "npy"]) == 0
    (run,) = (tmp_path / "results" / "Mydata").iterdir()
    filled = np.load(run / "imputed_data.npy")
    assert filled.shape == (60, P)
    assert np.isfinite(filled).all()
    with np.load(run / "prediction_intervals.npz") as intervals:
        assert intervals["intervals"].shape == (20, 2)
        np.testing.assert_array_equal(intervals["row"], np.arange(0, 60, 3))
        assert set(intervals["column"]) == {1}
    assert command_line.main(["bgm", "-o", "o", "-i", str(tmp_path / "no.csv")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_python_m_tells_its_version(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bayesgm", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("aetia.compat.bayesgm", run_name="__main__", alter_sys=True)
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == f"bayesgm (aetia) {bayesgm.__version__}"


# -- utilities ----------------------------------------------------------------------------


def test_true_dose_responses():
    x = np.array([0.0, 0.5, 2.0])
    np.testing.assert_allclose(utils.get_ADRF(x), x + 2 / (1 + x) ** 3)
    np.testing.assert_allclose(utils.get_ADRF(x, dataset="Sun"), x + 0.5 + np.exp(-0.5))
    grid = utils.get_ADRF(x_min=0, x_max=2, nb_intervals=3, dataset="Lee")
    np.testing.assert_allclose(grid, [0.0, 2.2, 10.4])
    for wrong in ({}, {"x_min": 1, "x_max": 0, "nb_intervals": 3}, {"x_min": 0, "x_max": 1}):
        with pytest.raises(InputError):
            utils.get_ADRF(**wrong)
    with pytest.raises(InputError, match="Did you mean 'Imbens'"):
        utils.get_ADRF(x, dataset="Imben")


def test_slices_keep_equal_targets_together():
    y = np.array([3.0, 1.0, 1.0, 2.0, 3.0, 3.0, 2.0, 1.0])
    labels, sizes = utils.slice_y(y, 10)
    assert labels.tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert sizes.tolist() == [3, 2, 3]
    labels, sizes = utils.slice_y(np.arange(100.0), 10)
    assert sizes.tolist() == [10] * 10
    # 105 distinct values in slices of 10: the original makes eleven.
    assert utils.slice_y(np.arange(105.0), 10)[1].tolist() == [10] * 10 + [5]
    with pytest.raises(InputError, match="one value"):
        utils.slice_y(np.ones(5))


def test_dimensions_of_what_is_known():
    """y bends with one direction and x with two; V has 12 columns of four factors."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(4000, 4))
    v = factors @ rng.normal(size=(4, 12)) + 0.3 * rng.normal(size=(4000, 12))
    one = v @ rng.normal(size=12)
    assert utils.get_SDR_dim(v, one[:, None]) == 1
    binary = (factors[:, 0] > 0).astype(float)[:, None]
    dims = utils.estimate_latent_dims(binary, one[:, None], v)
    assert dims == [3, 1, 1, 3]  # a binary treatment has two slices, which span one direction
    assert utils.estimate_latent_dims(binary, one[:, None], v, z0_dim=1, min_z3_dim=5)[::3] == [
        1,
        5,
    ]
    wide = rng.normal(size=(4000, 12))
    assert sum(utils.estimate_latent_dims(binary, wide[:, 0], wide, v_ratio=0.9)) == 11
    assert sum(utils.estimate_latent_dims(binary, wide[:, 0], wide, 0.9, max_total_dim=9)) == 9


@pytest.mark.parametrize(
    ("mode", "n_masked"),
    [("hole", 9), ("holes", 9), ("edge_stripe", 112), ("upper_half", 392), ("lower_half", 392),
     ("left_half", 392), ("right_half", 392)],
)  # fmt: skip
def test_masks_split_the_pixels(mode, n_masked):
    kept, masked = utils.mnist_mask_indices(mode=mode)
    assert len(masked) == n_masked
    assert sorted([*kept, *masked]) == list(range(784))


def test_masks_without_the_originals_defects():
    hole = [28 * row + column for row in (13, 14, 15) for column in (13, 14, 15)]
    assert utils.mnist_mask_indices()[1].tolist() == hole
    rows, columns = np.divmod(
        utils.mnist_mask_indices(mode="edge_stripe", orientation="vertical")[1], 28
    )
    assert set(rows) == set(range(28))
    assert set(columns) == {12, 13, 14, 15}
    many = utils.mnist_mask_indices(num_holes=6, seed=0)[1]
    assert len(many) > 9
    free = [utils.mnist_mask_indices(center=None, seed=s)[1].tolist() for s in (0, 0, 1)]
    assert free[0] == free[1] != free[2]
    with pytest.raises(InputError, match="Did you mean 'upper_half'"):
        utils.mnist_mask_indices(mode="uper_half")


def test_files_go_out_and_come_in(tmp_path):
    values = np.array([[1.0, 2.0, 3.0], [4.0, np.nan, 6.5], [7.0, 8.0, 1.0 / 3]])
    utils.save_data(str(tmp_path / "a.npy"), values)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), values)
    utils.save_data(tmp_path / "a.txt", values)
    assert (tmp_path / "a.txt").read_text().splitlines()[2] == "7.000000\t8.000000\t0.333333"
    with pytest.raises(InputError, match="ending must be"):
        utils.save_data(tmp_path / "a.xlsx", values)
    read = utils.parse_file(tmp_path / "a.txt", normalize=False)
    np.testing.assert_allclose(read, values, atol=1e-6)
    assert read.dtype == np.float32
    standard = utils.parse_file(tmp_path / "a.txt")
    np.testing.assert_allclose(np.nanmean(standard, 0), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanstd(standard, 0), 1, atol=1e-6)
    (tmp_path / "b.csv").write_text("a,b,c\n1,2,3\n4,5,6\n")
    assert utils.parse_file(tmp_path / "b.csv", ",", normalize=False).tolist() == [
        [1, 2, 3],
        [4, 5, 6],
    ]
    (tmp_path / "c.csv").write_text("1,2,3\n4,5,6\n")
    x, y, v = utils.parse_file_triplet(tmp_path / "c.csv", ",", header=None, normalize=False)
    assert (x.tolist(), y.tolist(), v.tolist()) == ([[1], [4]], [[2], [5]], [[3], [6]])
    assert utils.parse_file_triplet(tmp_path / "c.csv", ",", normalize=False)[0].tolist() == [[4]]


def test_keys_of_npz_files(tmp_path):
    ones, twos = np.ones((2, 2)), np.full((2, 2), 2.0)
    for entries, expected in (
        ({"first": ones, "X": twos}, twos),
        ({"x": ones, "data": twos}, twos),
        ({"first": ones, "second": twos}, ones),
    ):
        np.savez(tmp_path / "a.npz", **entries)
        found = utils.parse_file(tmp_path / "a.npz", normalize=False)
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(InputError, match=r"not x, y, v"):
        utils.parse_file_triplet(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=np.ones(2), y=np.ones(2), v=twos)
    assert [a.shape for a in utils.parse_file_triplet(tmp_path / "b.npz")] == [
        (2, 1),
        (2, 1),
        (2, 2),
    ]


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,x\n")
    with pytest.raises(InputError, match="no number"):
        utils.parse_file(tmp_path / "a.csv", ",")
    with pytest.raises(InputError, match="Is the delimiter right"):
        utils.parse_file_triplet(tmp_path / "a.csv", "\t")
    with pytest.raises(InputError, match="no such file"):
        utils.parse_file(tmp_path / "b.csv")
    (tmp_path / "a.npz").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot read"):
        utils.parse_file(tmp_path / "a.npz")
    (tmp_path / "a.doc").write_text("")
    with pytest.raises(InputError, match=r"not one of \.npz, \.csv, \.txt"):
        utils.parse_file(tmp_path / "a.doc")


# -- samplers and simulators --------------------------------------------------------------

GOLDEN = {
    "Sim_Hirano_Imbens_sampler": (
        0.18211757575650822, 0.3347263254742532, -0.15511948711012127, 0.9480061093007192,
        1.3979262915523543, 5),
    "Sim_Sun_sampler": (
        -0.19904837484639237, 4.385958043384983, 1.4226850110879505, 4.332021160622157,
        4.137208420803444, 6),
    "Sim_Colangelo_sampler": (
        -0.2897074274276564, 2.375692892502065, 0.315135183895345, 0.3498957317876056,
        0.5166003895495794, 5),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_studies_have_the_originals_numbers(name):
    first_x, first_y, first_v, last_x, last_y, p = GOLDEN[name]
    sampler = getattr(datasets, name)(batch_size=7, N=40, v_dim=p, seed=0)
    x, y, v = sampler.load_all()
    assert (x.shape, y.shape, v.shape) == ((40, 1), (40, 1), (40, p))
    assert {a.dtype for a in (x, y, v)} == {np.dtype(np.float32)}
    found = [x[0, 0], y[0, 0], v[0, 0], x[-1, 0], y[-1, 0]]
    np.testing.assert_allclose(found, [first_x, first_y, first_v, last_x, last_y], rtol=2e-6)
    np.testing.assert_allclose(v.mean(0), 0, atol=1e-6)
    assert [part.shape for part in sampler.next_batch()] == [(7, 1), (7, 1), (7, p)]


@pytest.mark.parametrize(
    ("name", "v_dim"),
    [("Sim_Hirano_Imbens_sampler", 200), ("Sim_Sun_sampler", 200), ("Sim_Colangelo_sampler", 100)],
)
def test_defaults_of_studies(name, v_dim):
    found = {k: p.default for k, p in inspect.signature(getattr(datasets, name)).parameters.items()}
    expected = {"batch_size": 32, "N": 20000, "v_dim": v_dim, "seed": 0}
    assert expected.items() <= found.items()
    if name == "Sim_Colangelo_sampler":
        assert (found["rho"], found["d"], found["a"], found["b"]) == (0.5, 1, 3, 0.75)


def test_all_numbers_of_colangelos_study_can_be_chosen():
    """With b = 0 and d = 0 the dose is -1/2 for all; with a = 0 it is d / 2 - 1/2."""
    x, _, _ = datasets.Sim_Colangelo_sampler(N=10, v_dim=3, b=0, d=0).load_all()
    assert set(x.ravel()) == {-0.5}
    x, _, _ = datasets.Sim_Colangelo_sampler(N=10, v_dim=3, b=0, d=3, a=0).load_all()
    assert set(x.ravel()) == {1.0}
    v = datasets.Sim_Colangelo_sampler(N=4000, v_dim=4, rho=0.6, offset=[-2, 0, 2]).data_v
    found = np.corrcoef(v.T)  # standard errors 1.6 %
    assert found[0, 2] == pytest.approx(0.6, abs=0.07)
    assert found[0, 1] == pytest.approx(0.0, abs=0.07)
    with pytest.raises(InputError, match=r"diagonals \[0, 1, 2\] is no covariance"):
        datasets.Sim_Colangelo_sampler(N=10, v_dim=3, offset=[0, 1, 2])


def test_batches_cycle_in_the_originals_order():
    sampler = datasets.Base_sampler(np.arange(10), np.arange(10), np.arange(10)[:, None], 4)
    order, then = [4, 0, 7, 5, 8, 3, 1, 6, 9, 2], [5, 3, 8, 7, 9, 6, 1, 2, 4, 0]
    batches = [sampler.next_batch()[0].ravel().astype(int).tolist() for _ in range(4)]
    assert batches == [order[:4], order[4:8], order[8:] + order[:2], then[:4]]
    assert sampler.full_index.tolist() == then
    assert (sampler.sample_size, sampler.batch_size) == (10, 4)
    with pytest.raises(InputError, match="10, 9 and 10 rows"):
        datasets.Base_sampler(np.arange(10), np.arange(9), np.zeros((10, 1)))


def test_toy_distributions_have_the_originals_numbers():
    gauss = datasets.Gaussian_sampler(np.zeros(2), N=50)
    np.testing.assert_allclose(gauss.load_all()[0], [2.124448537826538, 0.2526461184024811])
    np.testing.assert_array_equal(gauss.train(3), gauss.X[[17, 32, 7]])
    assert gauss.get_batch(4).shape == (4, 2)
    mixture = datasets.GMM_indep_sampler(50, 0.2, 2, 3)
    x, labels = mixture.load_all()
    assert labels is None
    np.testing.assert_allclose([x[0, 0], x[-1, 1]], [0.1573899037920431, 0.9901842424086336])
    assert [len(p) for p in (mixture.X_train, mixture.X_val, mixture.X_test)] == [41, 4, 5]
    assert mixture.train(6).shape == (6, 2)
    roll = datasets.Swiss_roll_sampler(50)
    np.testing.assert_allclose(roll.X[0], [-2.8608973074103896, 0.5999445575242977])
    np.testing.assert_allclose(roll.X[-1], [-1.7979254176348638, -0.9065331053625828])
    assert roll.train(5).shape == (5, 2)
    turned = datasets.Swiss_roll_sampler(50, scale=0.5, sigma=1e-9)
    r = np.linspace(0, 2 * np.pi, 50)
    spiral = np.stack([r * np.sin(0.5 * r), r * np.cos(0.5 * r)], 1)
    np.testing.assert_allclose(np.sort(turned.X, 0), np.sort(spiral, 0), atol=1e-7)


@pytest.mark.parametrize("which", ["mixture", "roll"])
def test_densities_integrate_to_one(which):
    sampler = (
        datasets.GMM_indep_sampler(50, 0.2, 2, 3, weights=[0.2, 0.3, 0.5])
        if which == "mixture"
        else datasets.Swiss_roll_sampler(400)
    )
    bound, n = (2.5, 101) if which == "mixture" else (9.0, 121)
    side = np.linspace(-bound, bound, n)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    total = sampler.get_density(grid).sum() * (side[1] - side[0]) ** 2
    assert total == pytest.approx(1.0, abs=0.01)


def test_simulators_have_the_originals_numbers():
    x, y = datasets.simulate_z_hetero(30, 3, 4)
    found = [x[0, 0], x[-1, -1], y[0], y[-1]]
    expected = [-0.1423556460608112, -0.09536996581144414, 0.019787473631772273, 0.5156336861204968]
    np.testing.assert_allclose(found, expected)
    _, y, std = datasets.simulate_heteroskedastic_data(30)
    np.testing.assert_allclose(
        [y[0], y[-1], std[0]], [0.5263329292764076, 0.7863919233009777, 0.11824200261315981]
    )
    x, y = datasets.simulate_regression(20, 3, 2)
    assert x.shape == (20, 3)
    np.testing.assert_allclose(y[0], [0.14623923894541377, 0.13397395784066168])
    np.testing.assert_allclose(y[-1], [0.36205702187690003, 0.6126621721151302])
    low = datasets.simulate_regression(20, 5, 1, effective_rank=2, random_state=4)[0]
    made = make_low_rank_matrix(n_samples=20, n_features=5, effective_rank=2, random_state=4)
    np.testing.assert_allclose(low, 100 * made)
    x, z = datasets.simulate_low_rank_data(6)
    assert z.shape == (6, 2)
    np.testing.assert_allclose(
        x[0], [-1.2728852033615112, 1.0893574953079224, 1.498611569404602, 1.7129323482513428],
        rtol=1e-5,
    )  # fmt: skip
    np.testing.assert_allclose(
        x[-1], [-0.3579595983028412, 0.41648679971694946, 1.8771170377731323, 2.5732650756835938],
        rtol=1e-5,
    )  # fmt: skip
    scaled, _ = datasets.simulate_low_rank_data(6, sigma_z=True)
    assert not np.allclose(scaled, x)
    np.testing.assert_array_equal(datasets.simulate_low_rank_data(6, rank=3)[0], x)
    with pytest.raises(InputError, match="2 latents and 4 columns"):
        datasets.simulate_low_rank_data(6, z_dim=3)


def test_twins_and_acic_come_from_a_folder(tmp_path):
    rng = np.random.default_rng(0)
    v = rng.normal(size=(8, 3)).round(3)
    v[2, 1] = np.nan
    head = "Unnamed: 0,Unnamed: 0.1,a,b,c,infant_id_0,infant_id_1"
    rows = [f"{i},{i},{','.join('' if np.isnan(c) else str(c) for c in r)},1,2"
            for i, r in enumerate(v)]  # fmt: skip
    (tmp_path / "twin_pairs_X_3years_samesex.csv").write_text("\n".join([head, *rows]))
    weights = rng.integers(1000, 1900, size=(8, 2))
    weights[4, 1] = 2500
    rows = [f"{i},{a},{b}" for i, (a, b) in enumerate(weights)]
    text = "\n".join(["Unnamed: 0,dbirwt_0,dbirwt_1", *rows])
    (tmp_path / "twin_pairs_T_3years_samesex.csv").write_text(text)
    x, y, covariates = (twins := datasets.Semi_Twins_sampler(path=tmp_path, seed=3)).load_all()
    keep = [0, 1, 3, 5, 6, 7]  # row 2 misses a value, the heavier twin of row 4 is too heavy
    np.testing.assert_allclose(x[:, 0], np.r_[weights[keep, 0], weights[keep, 1]] / 1000)
    old = np.random.RandomState(3)
    noise, gamma = old.normal(0, 0.25, 12), old.normal(0, 0.025, 3)
    own = np.tile(v[keep], (2, 1)) @ gamma
    np.testing.assert_allclose(y[:, 0], -2 / (1 + np.exp(-3 * x[:, 0])) + own + noise, rtol=1e-5)
    assert twins.auxiliary_constant == pytest.approx(own.mean())
    assert covariates.shape == (12, 3)
    for name in ("factuals", "counterfactuals"):
        (tmp_path / "scaling" / name).mkdir(parents=True)
    (tmp_path / "x.csv").write_text("sample_id,a,b\nu1,1,2\nu2,3,4\nu3,5,9\n")
    (tmp_path / "scaling/factuals/q.csv").write_text("sample_id,z,y\nu1,0,1.5\nu3,1,2.5\n")
    text = "sample_id,y0,y1\nu1,1.5,2\nu3,1,2.5\n"
    (tmp_path / "scaling/counterfactuals/q_cf.csv").write_text(text)
    acic = datasets.Semi_acic_sampler(path=tmp_path, ufid="q")
    assert acic.data_x.ravel().tolist() == [0, 1]
    assert acic.data_y.ravel().tolist() == [1.5, 2.5]
    np.testing.assert_allclose(acic.data_v, [[-1, -1], [1, 1]])
    np.testing.assert_allclose(acic.truth.unit_effects(), [0.5, 1.5])

"""Keys of configuration files: those of other programs, earlier ones, and the files of runs."""

from __future__ import annotations

import warnings

import pytest
import yaml

from aetia.benchmark import (
    EXPERIMENTS,
    SensorExperiment,
    find_experiment,
    read_experiment,
)
from aetia.benchmark.inherited_names import current_names
from aetia.errors import InputError
from aetia.files import plain_json

FAMILY = {"n_nodes": 3, "graph": {"name": "erdos-renyi", "edges": 2}}


def test_keys_of_other_programs_become_options():
    model = {"type": "bcnp", "d_model": 16, "nhead": 2, "n_perm_samples": 7, "sinkhorn_iter": 9}
    network = read_experiment({"model": model}).model.network(0)
    assert (network.dim, network.n_heads) == (16, 2)
    assert (network.n_permutations, network.sinkhorn_iterations) == (7, 9)
    trainer = {"max_steps": 5, "lr": 0.5, "grad_clip_norm": 0.0, "scheduler_eta_min": 0.1}
    config = read_experiment({"model": {"type": "exact"}, "trainer": trainer})
    loop = config.trainer.training(n_workers=0, on_gpu=False)
    assert (loop.n_steps, loop.learning_rate, loop.clip_norm) == (5, 0.5, None)
    assert loop.min_learning_rate == 0.1


def test_the_dual_step_follows_the_interval():
    model = read_experiment({"model": {"type": "avici"}}).model
    assert model.network(0).dual_step == 0.0
    assert model.network(7).dual_every == 7
    assert model.network("auto").dual_step == 1e-4


def test_rows_and_draws_have_names_of_their_own_and_the_earlier_ones_still_work():
    earlier = {
        "model": {"type": "exact"},
        "data": {"samples_per_task": 30, "train_family": FAMILY},
        "inference": {"n_samples": 12},
        "trainer": {"val_n_samples": 5},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # names of other programs are read without a word
        config = read_experiment(earlier)
    assert config.data.rows_per_task == 30
    assert (config.inference.n_draws, config.trainer.val_n_draws) == (12, 5)
    earlier["data"]["test_families"] = {"small": {**FAMILY, "n_samples": 40}}
    with pytest.warns(FutureWarning, match="'n_rows'"):
        assert read_experiment(earlier).data.families.tests["small"].n == (40, 40)


def test_a_users_earlier_name_beats_a_shipped_new_one():
    assert current_names("inference", {"n_draws": 50, "n_samples": 12}) == {"n_draws": 12}
    assert current_names("model", {"d_model": 3}) == {"d_model": 3}


def test_families_are_built_once():
    config = read_experiment({"model": {"type": "exact"}, "data": {"train_family": FAMILY}})
    assert config.data.families is config.data.families
    assert config.data.families.tests["id"] is config.data.families.train


@pytest.mark.parametrize(
    "values",
    [
        {"model": {"type": "avici", "d_model": 8, "nhead": 2}, "data": {"train_family": FAMILY}},
        {"model": {"type": "dibs", "options": {"n_particles": 3}}, "seed": 4},
    ],
)
def test_the_file_of_a_run_is_a_configuration(values):
    config = read_experiment(values)
    text = yaml.safe_dump(plain_json({"method": values["model"]["type"], **config.values()}))
    assert read_experiment(yaml.safe_load(text)) == config


def test_the_file_of_a_run_with_sensors_is_a_configuration():
    values = {"model": {"type": "rcgnn", "backend": "linear"}, "data": {"n_sensors": 4}}
    config = SensorExperiment.read(values)
    text = yaml.safe_dump(plain_json({"method": "rcgnn", **config.values()}))
    assert SensorExperiment.read(yaml.safe_load(text)).values() == config.values()


def test_every_type_has_an_experiment_and_others_are_refused_with_the_nearest():
    assert set(EXPERIMENTS) == {"avici", "bcnp", "dibs", "exact", "rcgnn"}
    assert find_experiment({"model": {"type": "rcgnn"}}).page == "health.html"
    with pytest.raises(InputError, match="Did you mean 'dibs'"):
        find_experiment({"model": {"type": "dips"}})

"""Every shipped configuration is valid, says what it should, and no key is idle."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

import aetia
import aetia.configs
from aetia.benchmark import SensorExperiment, read_experiment
from aetia.benchmark.data_config import DataConfig, FamilyConfig
from aetia.benchmark.experiment_config import ExperimentConfig, InferenceConfig, LoggerConfig
from aetia.benchmark.inherited_names import NETWORK_NAMES, TRAINING_NAMES, options_for
from aetia.benchmark.model_config import MODELS
from aetia.benchmark.trainer_config import TrainerConfig
from aetia.discovery import AVICIConfig, BCNPConfig
from aetia.errors import InputError
from aetia.scm import Family, GraphMixture, MechanismMixture
from aetia.training import TrainingConfig

FOLDER = Path(aetia.configs.__file__).parent
NAMES = sorted(f.stem for f in FOLDER.glob("[a-z]*.yaml"))


def composed(name: str, *overrides: str) -> dict:
    with initialize_config_module("aetia.configs", version_base="1.3"):
        values = compose(name, overrides=list(overrides))
    OmegaConf.update(values, "name", name)
    plain = OmegaConf.to_container(values, resolve=True)
    assert isinstance(plain, dict)
    return plain


def test_every_configuration_of_the_prototype_exists():
    prototype = {
        "default",
        "train_competence",
        "full_audit",
        "audit_functional",
        "audit_structural",
        "audit_pnl",
        "audit_chaos",
        "bcnp_local_large",
        "bcnp_paper_all_data",
    }
    assert prototype | {"smoke", "dibs_chain", "train_competence_corrected"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_configuration_validates(name):
    values = composed(name)
    if values["model"]["type"] == "rcgnn":
        assert SensorExperiment.read(values).name == name
        return
    config = read_experiment(values)
    assert config.name == name
    for family in (config.data.families.train, *config.data.families.tests.values()):
        assert family.key


@pytest.mark.parametrize(
    ("name", "parent"),
    [
        ("full_audit", "train_competence"),
        ("audit_functional", "train_competence"),
        ("audit_structural", "train_competence"),
        ("audit_pnl", "train_competence"),
        ("audit_chaos", "train_competence"),
        ("bcnp_local_large", "full_audit"),
        ("train_competence_corrected", "train_competence"),
        ("bcnp_local_large_corrected", "bcnp_local_large"),
    ],
)
def test_configurations_inherit_as_in_the_prototype(name, parent):
    assert yaml.safe_load((FOLDER / f"{name}.yaml").read_text())["defaults"] == [parent, "_self_"]


def test_train_competence_has_every_value_of_the_prototype():
    values = composed("train_competence")
    data, model, trainer = values["data"], values["model"], values["trainer"]
    assert model == {
        "type": "avici",
        "num_nodes": 20,
        "d_model": 128,
        "nhead": 8,
        "num_layers": 6,
        "dim_feedforward": 512,
        "dropout": 0.1,
    }
    assert data["rows_per_task"] == 256
    assert data["base_seed"] == 42
    assert data["seeds_val"] == [1000, 1001, 1002, 1003, 1004]
    assert data["seeds_test"] == [2000, 2001, 2002, 2003, 2004]
    assert (data["num_workers"], data["pin_memory"]) == (4, True)
    assert trainer["lr"] == 1e-4
    assert trainer["weight_decay"] == 1e-4
    assert trainer["max_steps"] == 100_000
    assert (trainer["log_every_n_steps"], trainer["val_check_interval"]) == (100, 1000)
    assert trainer["regulariser_update_interval"] == 0
    assert trainer["scheduler"] == "cosine"
    assert trainer["tasks_per_step"] == 1
    assert values["inference"]["n_draws"] == 50
    family = read_experiment(values).data.families.train
    assert isinstance(family, Family)
    assert isinstance(family.graphs, GraphMixture)
    assert isinstance(family.mechanisms, MechanismMixture)
    assert family.d == (20,)
    assert family.graphs.weights == (0.5, 0.5)
    assert family.graphs.of[0].probability == 0.2
    assert family.graphs.of[1].edges_per_node == 2
    assert family.mechanisms.weights == pytest.approx((0.34, 0.33, 0.33))
    linear, mlp, gp = family.mechanisms.of
    assert (linear.scale, linear.noise_scale.shape) == (1.0, 2.0)
    assert mlp.hidden == 32
    assert (gp.n_features, gp.lengthscale) == (256, (0.5, 2.0))
    validation = read_experiment(values).data.families.validation["id"]
    assert validation.graphs.probability == 0.2
    assert type(validation.mechanisms).__name__ == "Linear"


def test_bcnp_local_large_has_every_value_of_the_prototype():
    values = composed("bcnp_local_large")
    assert values["model"] == {
        "type": "bcnp",
        "num_nodes": 20,
        "d_model": 128,
        "nhead": 8,
        "num_layers": 4,
        "num_layers_decoder": 4,
        "dim_feedforward": 512,
        "dropout": 0.1,
        "emb_depth": 2,
        "use_positional_encoding": False,
        "n_perm_samples": 10,
        "sinkhorn_iter": 20,
        "q_before_l": True,
    }
    trainer = values["trainer"]
    assert (trainer["max_steps"], trainer["val_check_interval"]) == (20_000, 2000)
    assert trainer["checkpoint_every_n_steps"] == 2000
    assert (values["data"]["num_workers"], values["data"]["pin_memory"]) == (0, False)
    assert values["inference"]["n_draws"] == 20
    assert values["data"]["rows_per_task"] == 256  # inherited


def test_the_paper_configuration_mixes_six_graph_families_and_three_mechanisms():
    config = read_experiment(composed("bcnp_paper_all_data"))
    family = config.data.families.train
    edges = [f.expected_edges(20) for f in family.graphs.of]
    assert edges == [20, 40, 60, 19, 37, 54]
    assert [m.name for m in family.mechanisms.of] == ["linear", "mlp", "joint-gp"]
    assert family.mechanisms.weights == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    network = config.model.network("auto")
    assert (network.dim, network.ff_dim, network.n_heads) == (512, 4096, 16)
    assert (network.n_permutations, network.sinkhorn_iterations) == (200, 1000)


def test_audits_have_the_suites_of_the_prototype():
    full = read_experiment(composed("full_audit")).data.families.tests
    assert set(full) == {
        "ood_square",
        "ood_periodic",
        "ood_sbm_strong",
        "ood_sbm_weak",
        "ood_pnl_cube",
        "ood_pnl_sigmoid",
        "ood_pnl_tanh",
        "ood_logistic_map",
        "ref_linear",
        "ref_er",
        "ref_gp",
    }
    strong, weak = full["ood_sbm_strong"].graphs, full["ood_sbm_weak"].graphs
    assert (strong.n_blocks, strong.within, strong.between) == (4, 0.6, 0.01)
    assert (weak.within, weak.between) == (0.3, 0.1)
    assert full["ood_square"].mechanisms.noise_scale.low == 0.1
    assert full["ood_pnl_cube"].mechanisms.link == "cube"


def test_corrections_are_overrides_on_top():
    corrected = read_experiment(composed("train_competence_corrected"))
    plain = read_experiment(composed("train_competence"))
    assert corrected.data == plain.data
    assert corrected.model == plain.model
    assert (corrected.trainer.tasks_per_step, corrected.trainer.warmup) == (32, 0.02)
    assert corrected.trainer.regulariser_update_interval == 500


def test_omitted_validation_families_are_the_training_family_called_id():
    config = read_experiment(composed("default"))
    assert config.data.val_families is None
    validation = config.data.families.validation
    assert list(validation) == ["id"]
    assert validation["id"].key == config.data.families.train.key
    assert config.data.normalize_data is True


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"trainer": {"max_stepz": 3}}, "in `trainer`.*'max_stepz'. Did you mean 'max_steps'"),
        ({"objective": {"name": "bce"}}, "no option 'objective'"),
        ({"inference": {"inil_graph_samples": 3}}, "in `inference`.*'inil_graph_samples'"),
        ({"data": {"train_family": {"n_node": 3}}}, "'n_node'. Did you mean 'n_nodes'"),
        ({"model": {"type": "avicii"}}, "'avicii' is not one of.*Did you mean 'avici'"),
        ({"model": {"type": "exact", "d_model": 3}}, "in `model`.*'d_model'"),
        ({"trainer": {"tasks_per_step": 9, "devices": 2}}, "9 is not divisible"),
        ({"data": {"train_family": {"graph": "erdos"}}}, "'erdos' is not one of"),
        ({"model": {"type": "avici", "num_nodes": 3}}, "num_nodes=3, but the training family"),
        ({"data": {"seeds_test": []}}, "seeds_test must list at least one"),
        ({"logger": {"type": "mlflow"}}, "mlflow"),
    ],
)
def test_wrong_configurations_are_named(overrides, message):
    with pytest.raises(InputError, match=message):
        read_experiment({"model": {"type": "avici"}, **overrides})


@pytest.mark.parametrize(
    "cls",
    [
        DataConfig,
        ExperimentConfig,
        FamilyConfig,
        InferenceConfig,
        LoggerConfig,
        TrainerConfig,
        *MODELS.values(),
    ],
    ids=lambda cls: cls.__name__,
)
def test_every_key_is_read_somewhere(cls):
    """The prototype's configurations had keys that nothing consumed."""
    root = Path(aetia.__file__).parent / "benchmark"
    source = "".join(f.read_text() for f in root.glob("*.py"))
    target, names = {
        "AVICIModel": (AVICIConfig, NETWORK_NAMES),
        "BCNPModel": (BCNPConfig, NETWORK_NAMES),
        "TrainerConfig": (TrainingConfig, TRAINING_NAMES),
    }.get(cls.__name__, (None, {}))
    handed_on = set() if target is None else options_for(target, cls(), names)
    for field in fields(cls):
        if names.get(field.name, field.name) in handed_on:
            continue
        pattern = rf"\b(self|config|own|trainer|model|data|inference|logger)\.{field.name}\b"
        reads = re.findall(pattern, source) + re.findall(rf"\)\.{field.name}\b", source)
        assert reads, f"nothing reads {cls.__name__}.{field.name}"

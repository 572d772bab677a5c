"""Options of an experiment, by the names of its configuration files.

Hydra composes plain YAML; here it becomes checked objects. Unknown keys are errors, and every key
is read. The names of the sections ``data``, ``model``, ``trainer`` and ``inference`` are those that
pre-training configurations have had so far; comments say what they are called elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from aetia.benchmark.data_config import DataConfig
from aetia.benchmark.model_config import MODELS, AVICIModel, Model
from aetia.benchmark.trainer_config import TrainerConfig
from aetia.errors import InputError
from aetia.options import build, check_positive, nearest
from aetia.training import TRACKERS

__all__ = [
    "ExperimentConfig",
    "InferenceConfig",
    "LoggerConfig",
    "read_experiment",
]


@dataclass(frozen=True, kw_only=True)
class InferenceConfig:
    """Predictions on the test tasks."""

    n_samples: int = 100
    """Graphs drawn for each task."""
    weights: str | None = None
    """Pre-trained weights to use instead of training: a name or a folder."""
    cache: bool = True
    """Whether predictions on disk are used again."""
    store_samples: int | None = None
    """How many of the graphs are kept on disk; null for all."""

    def __post_init__(self) -> None:
        check_positive(self, "n_samples", "store_samples")


@dataclass(frozen=True, kw_only=True)
class LoggerConfig:
    """Where training is followed, besides the health record."""

    type: str = "none"
    """none, tensorboard or wandb."""
    options: Any = field(default_factory=dict)
    """Of the tracker, such as the project of wandb."""

    def __post_init__(self) -> None:
        known = ["none", *TRACKERS]
        if self.type not in known:
            raise InputError(f"type={self.type!r} is not one of {known}.")


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """One experiment: pre-train if needed, infer, evaluate."""

    name: str = "experiment"
    seed: int = 0
    """Of weights, dropout and draws; data.base_seed is that of the tasks."""
    data: DataConfig = field(default_factory=DataConfig)
    model: Model = field(default_factory=AVICIModel)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    logger: LoggerConfig = field(default_factory=LoggerConfig)

    def __post_init__(self) -> None:
        check_positive(self, "seed", zero=True)
        limit = getattr(self.model, "num_nodes", None)
        if limit is not None:
            sizes = self.data.train()
            largest = max(getattr(sizes, "sizes", (getattr(sizes, "d", 0),)))
            if largest > limit:
                raise InputError(
                    f"model.num_nodes={limit}, but the training family has tasks of {largest} "
                    "variables."
                )


def read_experiment(values: Mapping[str, Any]) -> ExperimentConfig:
    """Check a composed configuration.

    Args:
        values: Plain values.

    Returns:
        The experiment.

    Raises:
        InputError: Naming the section, the unknown or wrong key, and the nearest valid one.
    """
    values = dict(values)
    model = dict(values.get("model") or {})
    kind = model.pop("type", None)
    if kind not in MODELS:
        raise InputError(
            f"model.type={kind!r} is not one of {', '.join(MODELS)}."
            f"{nearest(str(kind), list(MODELS))}"
        )
    sections = {
        "data": DataConfig,
        "trainer": TrainerConfig,
        "inference": InferenceConfig,
        "logger": LoggerConfig,
    }
    built: dict[str, Any] = {"model": _section("model", MODELS[kind], model)}
    for name, cls in sections.items():
        built[name] = _section(name, cls, values.get(name) or {})
    rest = {k: v for k, v in values.items() if k not in built}
    return build(ExperimentConfig, {**rest, **built})


def _section(name: str, cls: type, values: Mapping[str, Any]) -> Any:
    try:
        return build(cls, values)
    except InputError as error:
        raise InputError(f"in `{name}`: {error}") from error


def on_gpu(device: str) -> bool:
    """Tell whether an experiment will run on a GPU.

    Args:
        device: ``trainer.device``.

    Returns:
        True if one is there and not ruled out.
    """
    return device != "cpu" and torch.cuda.is_available()

"""Options of an experiment, by the names of its configuration files.

Hydra composes plain YAML; here it becomes checked objects. Unknown keys are errors, and every key
is read. The names of the sections ``data``, ``model``, ``trainer`` and ``inference`` are those that
pre-training configurations have had so far; :mod:`aetia.benchmark.inherited_names` has the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import torch

from aetia.benchmark.data_config import DataConfig
from aetia.benchmark.inherited_names import current_names
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

    n_draws: int = 100
    """Graphs drawn from the posterior of each test task. More make scores of whole graphs less
    noisy; edge probabilities of networks do not depend on it."""
    weights: str | None = None
    """Pre-trained weights to use instead of training: a name or a folder; null trains."""
    cache: bool = True
    """Whether predictions that are on disk are used again."""
    n_stored_draws: int | None = None
    """How many of the graphs of a task are kept on disk; null for all."""

    def __post_init__(self) -> None:
        check_positive(self, "n_draws", "n_stored_draws")


@dataclass(frozen=True, kw_only=True)
class LoggerConfig:
    """Where training is followed, besides the health record."""

    type: str = "none"
    """What follows the training: ``none``, ``tensorboard`` or ``wandb``."""
    options: Any = field(default_factory=dict)
    """Options of the tracker by name, such as ``project`` of ``wandb``."""

    def __post_init__(self) -> None:
        known = ["none", *TRACKERS]
        if self.type not in known:
            raise InputError(f"type={self.type!r} is not one of {known}.")


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """One experiment: pre-train if needed, infer, evaluate."""

    name: str = "experiment"
    """What the experiment is called in results and on the page."""
    seed: int = 0
    """Seed of weights, dropout and draws; ``data.base_seed`` is that of the tasks."""
    data: DataConfig = field(default_factory=DataConfig)
    """The section ``data``: families of tasks."""
    model: Model = field(default_factory=AVICIModel)
    """The section ``model``: the method and its sizes."""
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    """The section ``trainer``: the training loop and its processes."""
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    """The section ``inference``: predictions on the test tasks."""
    logger: LoggerConfig = field(default_factory=LoggerConfig)
    """The section ``logger``: where training is followed."""

    def __post_init__(self) -> None:
        check_positive(self, "seed", zero=True)
        limit = getattr(self.model, "num_nodes", None)
        if limit is not None:
            sizes = self.data.families.train
            largest = max(getattr(sizes, "sizes", (getattr(sizes, "d", 0),)))
            if largest > limit:
                raise InputError(
                    f"model.num_nodes={limit}, but the training family has tasks of {largest} "
                    "variables."
                )

    def values(self) -> dict[str, Any]:
        """Write the experiment as its configuration file has it.

        Returns:
            Plain values that :func:`read_experiment` turns into the same experiment.
        """
        sections = {name: _fields(getattr(self, name)) for name in _SECTIONS}
        model = {"type": self.model.type, **_fields(self.model)}
        return {"name": self.name, "seed": self.seed, **sections, "model": model}


_SECTIONS = {
    "data": DataConfig,
    "trainer": TrainerConfig,
    "inference": InferenceConfig,
    "logger": LoggerConfig,
}


def _fields(section: Any) -> dict[str, Any]:
    return {f.name: getattr(section, f.name) for f in fields(section)}


def read_experiment(values: Mapping[str, Any]) -> ExperimentConfig:
    """Check a composed configuration.

    Args:
        values: Plain values, of a configuration or of the ``config.yaml`` of a run.

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
    method = values.pop("method", kind)  # of a run, in its config.yaml
    if method != kind:
        raise InputError(f"method={method!r} is not model.type={kind!r}.")
    built: dict[str, Any] = {"model": _section("model", MODELS[kind], model)}
    for name, cls in _SECTIONS.items():
        built[name] = _section(name, cls, values.get(name) or {})
    rest = {k: v for k, v in values.items() if k not in built}
    return build(ExperimentConfig, {**rest, **built})


def _section(name: str, cls: type, values: Mapping[str, Any]) -> Any:
    try:
        return build(cls, current_names(name, values))
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

"""Options of an experiment, by the names of its configuration files.

Hydra composes plain YAML; here it becomes checked objects. Unknown keys are errors, and every key
is read. The names of the sections ``data``, ``model``, ``trainer`` and ``inference`` are those that
pre-training configurations have had so far; comments say what they are called elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch

from aetia.discovery import METHODS, AVICIConfig, BCNPConfig
from aetia.errors import InputError
from aetia.options import build, check_literals, check_positive, nearest
from aetia.scm import Family, KnownLinear, TaskFamily
from aetia.training import TRACKERS, TrainingConfig

__all__ = [
    "DataConfig",
    "ExperimentConfig",
    "InferenceConfig",
    "LoggerConfig",
    "TrainerConfig",
    "read_experiment",
]


@dataclass(frozen=True, kw_only=True)
class FamilyConfig:
    """One family of tasks."""

    type: Literal["random", "known-linear"] = "random"
    n_nodes: Any = None
    """Number of variables, or several; null for that of the training family."""
    n_samples: Any = None
    """Rows of a task, or a range; null for data.samples_per_task."""
    graph: Any = "erdos-renyi"
    mechanism: Any = "linear"
    noise: Any = "gaussian"
    interventions: Any = None
    standardise_inputs: bool = True
    edges: Any = None
    """known-linear: triples (cause, effect, weight)."""
    noise_std: float = 1.0
    """known-linear: standard deviation of the noise."""
    group: str = "ood"
    """Families of one group are averaged together in the results."""

    def family(self, name: str, n_nodes: Any, n_samples: Any) -> TaskFamily:
        """Build the family.

        Args:
            name: In results.
            n_nodes: If it has none of its own.
            n_samples: If it has none of its own.

        Returns:
            The family.
        """
        d = n_nodes if self.n_nodes is None else self.n_nodes
        n = n_samples if self.n_samples is None else self.n_samples
        if self.type == "known-linear":
            return KnownLinear(
                name=name,
                d=d,
                n=n,
                edges=self.edges or (),
                noise=self.noise,
                noise_std=self.noise_std,
            )
        return Family(
            name=name,
            d=d,
            n=n,
            graphs=self.graph,
            mechanisms=self.mechanism,
            noise=self.noise,
            interventions=self.interventions,
            standardise_inputs=self.standardise_inputs,
        )


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Simulated tasks."""

    train_family: Any = field(default_factory=dict)
    """Of the training stream."""
    val_families: Any = None
    """By name; omitted: the training family, as `id`."""
    test_families: Any = None
    """By name; omitted: the training family, as `id`."""
    base_seed: int = 42
    samples_per_task: Any = 256
    """Rows of each task."""
    seeds_val: Sequence[int] = tuple(range(1000, 1005))
    """Numbers of the validation tasks of each family."""
    seeds_test: Sequence[int] = tuple(range(2000, 2005))
    """Numbers of the test tasks of each family."""
    num_workers: int = 0
    """Processes that simulate ahead."""
    pin_memory: bool = False
    """Whether batches of workers wait in page-locked memory for a GPU."""
    normalize_data: bool = True
    """Whether each task is standardised before the network sees it."""
    replay: int = 1
    """How often each simulated task is used, each time with other rows."""
    cache: str | None = None
    """Folder for the simulated validation and test tasks, or null."""

    def __post_init__(self) -> None:
        check_positive(self, "replay")
        check_positive(self, "num_workers", "base_seed", zero=True)
        for name in ("seeds_val", "seeds_test"):
            object.__setattr__(self, name, tuple(int(s) for s in getattr(self, name)))
            if not getattr(self, name):
                raise InputError(f"data.{name} must list at least one number.")
        self.train()
        self.validation()
        self.tests()

    def train(self) -> TaskFamily:
        """Build the training family.

        Returns:
            The family, named ``id``.
        """
        own = build(FamilyConfig, self.train_family or {})
        return own.family("id", 20, self.samples_per_task)

    def validation(self) -> dict[str, TaskFamily]:
        """Build the validation families.

        Returns:
            By name.
        """
        if not self.val_families:
            return {"id": self.train()}
        return {k: self._family(k, v) for k, v in self.val_families.items()}

    def tests(self) -> dict[str, TaskFamily]:
        """Build the test families.

        Returns:
            By name.
        """
        if not self.test_families:
            return {"id": self.train()}
        return {k: self._family(k, v) for k, v in self.test_families.items()}

    def groups(self) -> dict[str, str]:
        """Tell which group each test family belongs to.

        Returns:
            Family to group.
        """
        if not self.test_families:
            return {"id": "id"}
        return {k: build(FamilyConfig, v).group for k, v in self.test_families.items()}

    def _family(self, name: str, options: Any) -> TaskFamily:
        if not isinstance(options, Mapping):
            raise InputError(f"family {name!r} must be a mapping of options, got {options!r}.")
        n_nodes = build(FamilyConfig, self.train_family or {}).n_nodes or 20
        return build(FamilyConfig, options).family(name, n_nodes, self.samples_per_task)


@dataclass(frozen=True, kw_only=True)
class AVICIModel:
    """AVICI's network; see :class:`aetia.discovery.AVICIConfig`."""

    type: ClassVar[str] = "avici"
    num_nodes: int | None = None
    """Largest number of variables in training; only checked, any number can be predicted."""
    d_model: int = 128
    nhead: int = 8
    num_layers: int = 8
    dim_feedforward: int | None = None
    head_dim: int | None = None
    """Null for d_model / nhead."""
    dropout: float = 0.0
    label_smoothing: float = 0.0
    initial_log_scale: float = 2.0
    initial_bias: float = -3.0
    dual_step: float = 1e-4
    dual_warmup: int | str = "auto"
    largest_multiplier: float | None = None

    def network(self, interval: int | str) -> AVICIConfig:
        """Build the options of the network.

        Args:
            interval: Steps between dual updates; 0 for none, ``"auto"`` for the method's own.

        Returns:
            The options.
        """
        off = interval == 0
        return AVICIConfig(
            dim=self.d_model,
            n_layers=self.num_layers,
            n_heads=self.nhead,
            head_dim=self.head_dim,
            ff_dim=self.dim_feedforward,
            dropout=self.dropout,
            label_smoothing=self.label_smoothing,
            initial_log_scale=self.initial_log_scale,
            initial_bias=self.initial_bias,
            dual_step=0.0 if off else self.dual_step,
            dual_every="auto" if off else interval,
            dual_warmup=self.dual_warmup,
            largest_multiplier=self.largest_multiplier,
        )


@dataclass(frozen=True, kw_only=True)
class BCNPModel:
    """BCNP's network; see :class:`aetia.discovery.BCNPConfig`."""

    type: ClassVar[str] = "bcnp"
    num_nodes: int | None = None
    """Largest number of variables in training; only checked, any number can be predicted."""
    d_model: int = 512
    nhead: int = 8
    num_layers: int = 4
    num_layers_decoder: int = 4
    dim_feedforward: int = 1024
    dropout: float = 0.0
    emb_depth: int = 1
    use_positional_encoding: bool = False
    n_perm_samples: int = 100
    sinkhorn_iter: int = 1000
    q_before_l: bool = True
    permutation: str = "gumbel-sinkhorn"
    objective: str = "marginal"

    def network(self, interval: int | str) -> BCNPConfig:
        """Build the options of the network.

        Args:
            interval: Not used: BCNP has no dual.

        Returns:
            The options.
        """
        return BCNPConfig(
            dim=self.d_model,
            n_heads=self.nhead,
            ff_dim=self.dim_feedforward,
            n_layers=self.num_layers,
            n_layers_decoder=self.num_layers_decoder,
            dropout=self.dropout,
            emb_depth=self.emb_depth,
            use_positional_encoding=self.use_positional_encoding,
            n_permutations=self.n_perm_samples,
            sinkhorn_iterations=self.sinkhorn_iter,
            q_before_l=self.q_before_l,
            permutation=self.permutation,  # pyright: ignore[reportArgumentType]
            objective=self.objective,  # pyright: ignore[reportArgumentType]
        )


@dataclass(frozen=True, kw_only=True)
class DiBSModel:
    """DiBS, fitted to every task."""

    type: ClassVar[str] = "dibs"
    options: Any = field(default_factory=dict)
    """Of the estimator; see `aetia config dibs`."""

    def __post_init__(self) -> None:
        build(METHODS[self.type][1], self.options or {})


@dataclass(frozen=True, kw_only=True)
class ExactModel:
    """The exact posterior, computed for every task."""

    type: ClassVar[str] = "exact"
    options: Any = field(default_factory=dict)
    """Of the estimator; see `aetia config exact`."""

    def __post_init__(self) -> None:
        build(METHODS[self.type][1], self.options or {})


Model = AVICIModel | BCNPModel | DiBSModel | ExactModel
MODELS: dict[str, type[Model]] = {
    cls.type: cls for cls in (AVICIModel, BCNPModel, DiBSModel, ExactModel)
}
"""``model.type`` to its options."""


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """The training loop and the processes it runs in."""

    max_steps: int = 100_000
    tasks_per_step: int = 32
    """Over all processes and accumulated batches."""
    accumulate: int = 1
    lr: float = 1e-4
    weight_decay: float = 1e-4
    optimizer_betas: Sequence[float] | None = None
    optimizer_eps: float | None = None
    scheduler: str = "cosine"
    scheduler_t_max: int | None = None
    scheduler_eta_min: float = 0.0
    milestones: Sequence[float] = (0.667,)
    warmup: float = 0.02
    """Share of the steps."""
    amp: bool = False
    """Mixed precision, on a GPU only."""
    amp_dtype: Literal["bf16", "fp16"] = "bf16"
    grad_clip_norm: float = 1.0
    """0 or less switches clipping off."""
    ema_decay: float | None = None
    log_every_n_steps: int = 100
    gradient_shares: bool = True
    val_check_interval: int = 1000
    val_n_samples: int = 16
    """Draws for each validation task, independent of inference.n_samples."""
    val_max_tasks: int | None = None
    regulariser_update_interval: Any = "auto"
    """AVICI: steps between dual updates; 0 for none, auto for a 600th of the run."""
    checkpoint_every_n_steps: int = 1000
    keep_last: int = 2
    metric: str = "loss"
    """In-distribution validation metric that chooses the weights."""
    mode: Literal["min", "max"] = "min"
    patience: int | None = None
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    progress: bool | None = None
    force_resume: bool = False
    """Go on from a checkpoint although options changed."""

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "tasks_per_step", "accumulate", "devices", "nodes", "val_n_samples")
        every = self.accumulate * self.devices * self.nodes
        if self.tasks_per_step % every:
            raise InputError(
                f"trainer.tasks_per_step={self.tasks_per_step} is not divisible by accumulate x "
                f"devices x nodes = {every}."
            )
        self.training(n_workers=0, on_gpu=False)

    @property
    def batch_size(self) -> int:
        """Tasks of a batch, over all processes."""
        return self.tasks_per_step // self.accumulate

    def precision(self, on_gpu: bool) -> str:
        """Choose the arithmetic.

        Args:
            on_gpu: Whether there is a GPU.

        Returns:
            Fabric's name for it.
        """
        if not (self.amp and on_gpu):
            return "32-true"
        return "bf16-mixed" if self.amp_dtype == "bf16" else "16-mixed"

    def training(self, *, n_workers: int, on_gpu: bool) -> TrainingConfig:
        """Build the options of the loop.

        Args:
            n_workers: Of the data.
            on_gpu: Whether there is a GPU.

        Returns:
            The options.
        """
        return TrainingConfig(
            n_steps=self.max_steps,
            accumulate=self.accumulate,
            learning_rate=self.lr,
            weight_decay=self.weight_decay,
            betas=tuple(self.optimizer_betas or (0.9, 0.999)),  # pyright: ignore
            eps=1e-8 if self.optimizer_eps is None else self.optimizer_eps,
            schedule=self.scheduler,  # pyright: ignore[reportArgumentType]
            warmup=self.warmup,
            cosine_steps=self.scheduler_t_max,
            min_learning_rate=self.scheduler_eta_min,
            milestones=tuple(self.milestones),
            precision=self.precision(on_gpu),  # pyright: ignore[reportArgumentType]
            clip_norm=self.grad_clip_norm if self.grad_clip_norm > 0 else None,
            ema_decay=self.ema_decay,
            log_every=self.log_every_n_steps,
            gradient_shares=self.gradient_shares,
            validate_every=self.val_check_interval,
            metric=self.metric,
            mode=self.mode,
            patience=self.patience,
            checkpoint_every=self.checkpoint_every_n_steps,
            keep_last=self.keep_last,
            n_workers=n_workers,
            progress=self.progress,
        )


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

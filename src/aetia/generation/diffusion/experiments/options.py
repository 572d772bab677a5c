"""Options of the two experiments, under the names of their command-line flags.

Defaults are those of the original scripts. What counts, from last to first: a flag that was given
(even if it says what the default says), the YAML file, the preset, the default.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

from aetia.errors import InputError
from aetia.generation.diffusion.images.config import ImageDDDMConfig
from aetia.generation.diffusion.process.distances import Energy
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.options import check_literals, check_positive, nearest

__all__ = [
    "ImageExperiment",
    "ToyExperiment",
    "image_experiment",
    "read_experiment_file",
    "toy_experiment",
]

E = TypeVar("E")

_TOY_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "default": {"beta": 1.0, "w_bias": None, "epochs": 5000, "steps": 5},
}
_IMAGE_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "default": {"beta": 1.0, "w_bias": None, "m": 4, "lr": 1e-3, "sample_steps": 10},
}
_DIGITS: Mapping[str, Any] = {
    "image_size": 8,
    "patch_size": 2,
    "embed_dim": 64,
    "depth": 4,
    "heads": 4,
    "time_embed": 64,
    "batch": 64,
    "no_augment": True,
}
"""In place of the defaults, for images of 8 x 8 pixels that must not be mirrored."""

_OUR_DIGITS: Mapping[str, Any] = {"epochs": 160, "lr": 2e-3, "ckpt_every": 40}
"""With ``preset="default"``: as much training as the measured digits had."""

_OF_RUNS = ("method", "version", "channels", "steps_per_epoch", "scale")
"""What the files of a run hold besides its options."""

_KINDS: Mapping[str, str] = {"float": "a number", "int": "an integer", "bool": "true or false"}


@dataclass(frozen=True, kw_only=True)
class ToyExperiment:
    """The mixture of two normals in the plane (De Bortoli et al., 2025, appendix D.1)."""

    preset: Literal["paper", "default"] = "paper"
    """What the run follows: ``"paper"`` is the original experiment; ``"default"`` has a residual
    network, an average of the weights and a falling learning rate."""
    epochs: int = 10_000
    """Optimiser updates, each on fresh points."""
    batch: int = 512
    """Points of one update. More make updates less noisy and cost time."""
    beta: float = 0.1
    """Exponent of the energy score, above 0 and below 2; near 2 only means matter and draws become
    too narrow."""
    lam: float = 1.0
    """Weight of the repulsion between draws (lambda), 0 to 1. With 1 the score is proper; below 1
    draws become too narrow."""
    m: int = 8
    """Draws of each example in a training step. More make gradients less noisy and cost time in
    proportion."""
    w_bias: float | None = 0.0
    """Bias of the sigmoid time weight; below 0, times near noise count more. Null gives all times
    the same weight."""
    lr: float = 2e-3
    """Learning rate. Lower it if the loss jumps."""
    steps: int = 20
    """Steps of the reverse chain when sampling; more are slower and, up to about 20, closer to the
    data."""
    eval_samples: int = 4096
    """Points that are drawn and compared with as many of the mixture; more make the distance less
    noisy."""
    device: str = "auto"
    """Where to compute: ``"auto"``, ``"cpu"`` or ``"cuda"``."""
    seed: int = 0
    """Seed of everything random; the same seed gives the same result."""
    out: str = "./out"
    """Folder for weights, histories and pictures."""
    wandb: bool = False
    """Whether the run is followed on Weights & Biases."""
    wandb_project: str = "dddm-toy"
    """Project on Weights & Biases that the run belongs to."""
    wandb_name: str | None = None
    """Name of the run on Weights & Biases; null lets the service choose."""

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "epochs", "batch", "beta", "m", "lr", "steps")
        if self.eval_samples < 2:
            raise InputError(f"eval_samples must be at least 2, got {self.eval_samples}.")
        _check_common(self)
        self.model_config()

    def model_config(self) -> DDDMConfig:
        """Translate into options of the model.

        Returns:
            Options of DDDM.
        """
        return DDDMConfig(
            preset=self.preset,
            distance=Energy(self.beta),
            interaction=self.lam,
            population=self.m,
            time_weight="flat" if self.w_bias is None else "sigmoid",
            weight_bias=self.w_bias or 0.0,
            n_training_steps=self.epochs,
            batch_size=self.batch,
            learning_rate=self.lr,
            n_steps=self.steps,
        )


@dataclass(frozen=True, kw_only=True)
class ImageExperiment:
    """Images: CIFAR-10, scikit-learn's digits, or noise that only tries the machinery."""

    preset: Literal["paper", "default"] = "paper"
    """What the run follows: ``"paper"`` predicts the data directly; ``"default"`` has a residual
    output, an average of the weights, a falling learning rate, and shares half of the blocks
    between the draws of an image."""
    data: Literal["cifar10", "digits"] = "cifar10"
    """Images to learn from: ``cifar10``, or ``digits`` (scikit-learn's, 8 x 8 pixels, offline)."""
    fake_data: int = 0
    """Number of made-up images in place of data, to try the machinery; 0 uses the data."""
    data_dir: str = "./data"
    """Folder of CIFAR-10: that of the official archive, or the folder in it."""
    out: str = "./cifar10_dit_out"
    """Folder for weights, histories and pictures."""
    epochs: int = 10
    """Passes over the training images."""
    batch: int = 128
    """Images of one update. Smaller batches make updates noisier and cheaper."""
    lr: float = 1e-4
    """Learning rate. Lower it if the loss jumps."""
    weight_decay: float = 0.01
    """Decoupled decay of the weight matrices; raise it against overfitting."""
    beta: float = 0.1
    """Exponent of the energy score, above 0 and below 2; near 2 only means matter and draws become
    too narrow."""
    lam: float = 1.0
    """Weight of the repulsion between draws (lambda), 0 to 1. With 1 the score is proper; below 1
    draws become too narrow."""
    m: int = 8
    """Draws of each example in a training step. More make gradients less noisy and cost time in
    proportion."""
    w_bias: float | None = 0.0
    """Bias of the sigmoid time weight; below 0, times near noise count more. Null gives all times
    the same weight."""
    grad_clip: float = 1.0
    """Largest norm of a gradient; longer ones are shortened to it. 0 sets no limit."""
    ckpt_every: int = 1
    """Epochs from one saved model to the next."""
    device: str = "auto"
    """Where to compute: ``"auto"``, ``"cpu"`` or ``"cuda"``."""
    seed: int = 0
    """Seed of everything random; the same seed gives the same result."""
    image_size: int = 32
    """Side of an image in pixels; data of another size are resized."""
    patch_size: int = 4
    """Side of a token in pixels. Smaller patches draw finer detail; time grows with the square of
    the number of tokens."""
    embed_dim: int = 384
    """Width of a token; a multiple of ``heads``. Wider networks learn more and cost time and
    memory."""
    depth: int = 8
    """Number of transformer blocks; more learn more complicated images and cost time in
    proportion."""
    heads: int = 6
    """Attention heads of each block."""
    time_embed: int = 256
    """Number of sinusoids that tell the network the time."""
    mlp_ratio: float = 4.0
    """Hidden units of the perceptron in a block, as a multiple of the width."""
    workers: int = 4
    """Threads that prepare batches ahead; 0 prepares them when they are needed."""
    sample_batch: int = 64
    """Images of samples.png; 0 draws none."""
    sample_steps: int = 20
    """Steps of the reverse chain when sampling; more are slower and, up to about 20, closer to the
    data."""
    eps_churn: float = 1.0
    """Share of the noise that each step of the reverse chain renews, 0 to 1: with 0 a chain keeps
    its noise, with 1 every step draws it anew."""
    no_augment: bool = False
    """Whether to leave training images as they are, neither mirrored nor shifted; set it for digits
    and letters."""
    eval_every: int = 0
    """Epochs between evaluations; 0 makes none."""
    eval_batch: int = 256
    """Images that are drawn together in an evaluation; fewer need less memory."""
    eval_samples: int = 1024
    """Images drawn for an evaluation; more make its distances less noisy."""
    fid_samples: int = 10_000
    """Images of each kind, at most, that the FID compares."""
    mmd_samples: int = 2048
    """Images of each kind, at most, that MMD compares."""
    mmd_sigma: float = 1.0
    """Bandwidth of the kernel of ``mmd``, in the distance of images with pixels in [-1, 1]."""
    inception_weights: str | None = None
    """TorchScript file of the Inception network of 2015, which the FID needs; null leaves the FID
    out."""
    resume: bool = False
    """Whether to go on from the checkpoint in the output folder."""
    wandb: bool = False
    """Whether the run is followed on Weights & Biases."""
    wandb_project: str = "dddm"
    """Project on Weights & Biases that the run belongs to."""
    wandb_name: str | None = None
    """Name of the run on Weights & Biases; null lets the service choose."""

    def __post_init__(self) -> None:
        check_literals(self)
        positive = ("epochs", "batch", "lr", "beta", "m", "ckpt_every", "image_size", "patch_size")
        check_positive(self, *positive, "embed_dim", "depth", "heads", "time_embed", "mlp_ratio")
        check_positive(self, "sample_steps", "eval_batch", "fid_samples", "mmd_samples")
        check_positive(self, "mmd_sigma")
        not_negative = ("fake_data", "weight_decay", "grad_clip", "workers", "sample_batch")
        check_positive(self, *not_negative, "eval_every", zero=True)
        if self.eval_every and self.eval_samples < 2:
            raise InputError(
                f"eval_samples must be at least 2 when eval_every is not 0, got "
                f"{self.eval_samples}."
            )
        _check_common(self)
        self.model_config(3, 1)

    def model_config(self, n_channels: int, steps_per_epoch: int) -> ImageDDDMConfig:
        """Translate into options of the model.

        Args:
            n_channels: Channels of the data.
            steps_per_epoch: Full batches of the data.

        Returns:
            Options of ImageDDDM.
        """
        n_steps = self.epochs * steps_per_epoch
        ours = {}
        if self.preset == "default":
            # The average must forget the start, and not much more.
            ema = 0.9999 if n_steps > 50_000 else 0.999 if n_steps > 5000 else 0.995
            ours = {"n_shared": self.depth // 2, "ema_decay": ema}
        return ImageDDDMConfig(
            image_shape=(self.image_size, self.image_size, n_channels),
            preset=self.preset,
            distance=Energy(self.beta),
            interaction=self.lam,
            population=self.m,
            time_weight="flat" if self.w_bias is None else "sigmoid",
            weight_bias=self.w_bias or 0.0,
            patch_size=self.patch_size,
            width=self.embed_dim,
            depth=self.depth,
            n_heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            n_time_features=self.time_embed,
            flip=not self.no_augment,
            crop=0 if self.no_augment else self.image_size // 8,
            n_training_steps=n_steps,
            batch_size=self.batch,
            learning_rate=self.lr,
            weight_decay=self.weight_decay,
            clip_norm=self.grad_clip,
            validation_share=0.0,
            n_steps=self.sample_steps,
            churn=self.eps_churn,
            **ours,
        )


def toy_experiment(explicit: Mapping[str, Any], file: str | None = None) -> ToyExperiment:
    """Collect the options of the experiment in the plane.

    Args:
        explicit: Flags that were given.
        file: YAML file, or name of a shipped one.

    Returns:
        The options.
    """
    given = _given(ToyExperiment, explicit, file)
    preset = _named("preset", given.get("preset", "paper"), _TOY_PRESETS)
    return _build(ToyExperiment, {**preset, **given})


def image_experiment(explicit: Mapping[str, Any], file: str | None = None) -> ImageExperiment:
    """Collect the options of the experiment with images.

    Args:
        explicit: Flags that were given.
        file: YAML file, or name of a shipped one.

    Returns:
        The options.
    """
    given = _given(ImageExperiment, explicit, file)
    preset = _named("preset", given.get("preset", "paper"), _IMAGE_PRESETS)
    is_digits = given.get("data") == "digits"
    sizes = _DIGITS if is_digits else {}
    ours = _OUR_DIGITS if is_digits and given.get("preset") == "default" else {}
    return _build(ImageExperiment, {**sizes, **preset, **ours, **given})


def read_experiment_file(file: str) -> dict[str, Any]:
    """Read a YAML file of options.

    Args:
        file: Its path, or the name of one that ships: ``toy_gmm``, ``cifar10_dit``.

    Returns:
        Option to value.

    Raises:
        InputError: If there is none, or it is not YAML.
    """
    import yaml

    shipped = resources.files("aetia.configs") / "diffusion"
    names = sorted(p.name.removesuffix(".yaml") for p in shipped.iterdir())
    try:
        if Path(file).is_file():
            text = Path(file).read_text(encoding="utf-8")
        elif file.removesuffix(".yaml") in names:
            text = (shipped / f"{file.removesuffix('.yaml')}.yaml").read_text(encoding="utf-8")
        else:
            raise InputError(
                f"no such configuration file: {file!r}. Shipped ones: {', '.join(names)}."
            )
        values = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"cannot read options from {file!r}: {error}") from error
    if values is not None and not isinstance(values, dict):
        raise InputError(f"{file!r} must hold `option: value` lines.")
    return {str(k).replace("-", "_"): v for k, v in (values or {}).items()}


def _given(cls: type, explicit: Mapping[str, Any], file: str | None) -> dict[str, Any]:
    from_file = {} if file is None else read_experiment_file(file)
    if "use_wandb" in from_file:  # its name in some of the original files
        from_file["wandb"] = from_file.pop("use_wandb")
    from_file = {k: v for k, v in from_file.items() if k not in _OF_RUNS}
    known = [f.name for f in fields(cls)]
    unknown = [name for name in from_file if name not in known]
    if unknown:
        raise InputError(
            f"{file!r} has the unknown option {unknown[0]!r}."
            f"{nearest(unknown[0], known)} Options: {', '.join(known)}."
        )
    return {**from_file, **explicit}


def _named(option: str, name: Any, known: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    if name not in known:
        raise InputError(
            f"{option}={name!r} is not one of {', '.join(known)}.{nearest(str(name), list(known))}"
        )
    return known[name]


def _build(cls: type[E], values: Mapping[str, Any]) -> E:
    """Make the options; YAML leaves 1e-4 as text, and integers where numbers are meant."""
    made = {}
    for field in fields(cls):  # pyright: ignore[reportArgumentType]
        if field.name in values:
            made[field.name] = _typed(field.name, str(field.type), values[field.name])
    return cls(**made)


def _typed(name: str, kind: str, value: Any) -> Any:
    if value is None:
        if "None" in kind:
            return None
        raise InputError(f"{name} must be {_KINDS.get(kind, 'text')}, got null.")
    wanted = kind.removesuffix(" | None")
    try:
        if wanted == "float" and not isinstance(value, bool):
            return float(value)
        if wanted == "int" and not isinstance(value, bool) and int(value) == float(value):
            return int(value)
    except (TypeError, ValueError):
        pass
    if wanted == "bool" and isinstance(value, bool):
        return value
    if wanted.startswith("Literal"):
        allowed = ast.literal_eval(wanted.removeprefix("Literal"))
        if value in allowed:
            return value
        raise InputError(
            f"{name}={value!r} is not one of {', '.join(allowed)}."
            f"{nearest(str(value), list(allowed))}"
        )
    if wanted == "str" and isinstance(value, (str, Path)):
        return str(value)
    raise InputError(f"{name} must be {_KINDS.get(wanted, 'text')}, got {value!r}.")


def _check_common(options: Any) -> None:
    if not 0 <= options.lam <= 1:
        raise InputError(f"lam must lie in [0, 1], got {options.lam}: above 1 nothing is best.")
    if options.m < 2 and options.lam != 0:
        raise InputError(
            f"m={options.m} draws have no pairs to repel each other; set m to at least 2, or "
            "lam to 0."
        )
    if options.seed < 0:
        raise InputError(f"seed must be 0 or larger, got {options.seed}.")

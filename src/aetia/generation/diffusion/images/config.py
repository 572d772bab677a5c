"""All options of ImageDDDM, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aetia.errors import InputError
from aetia.generation.diffusion.process.distances import Distance, Energy
from aetia.generation.diffusion.process.objective import Objective
from aetia.generation.diffusion.process.sampler import time_grid
from aetia.generation.diffusion.process.schedule import NoiseSchedule
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.options import check_literals, check_positive

__all__ = ["IMAGE_PRESETS", "ImageDDDMConfig"]

IMAGE_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {
        "distance": Energy(1.0),
        "time_weight": "flat",
        "noise_share": 0.1,
        "network": "residual",
        "scaling": "standardise",
        "population": 4,
        "patch_size": 2,
        "width": 64,
        "depth": 4,
        "n_heads": 4,
        "n_shared": 2,
        "n_training_steps": 1500,
        "batch_size": 64,
        "learning_rate": 2e-3,
        "lr_schedule": "cosine",
        "weight_decay": 1e-2,
        "ema_decay": 0.995,
        "validation_share": 0.1,
        "n_steps": 10,
    },
    "paper": {
        "distance": Energy(0.1),
        "time_weight": "sigmoid",
        "noise_share": 0.0,
        "network": "plain",
        "scaling": "signed",
        "population": 8,
        "patch_size": 4,
        "width": 384,
        "depth": 8,
        "n_heads": 6,
        "n_shared": 0,
        "n_training_steps": 78_000,
        "batch_size": 256,
        "learning_rate": 1e-4,
        "lr_schedule": "constant",
        "weight_decay": 1e-2,
        "ema_decay": 0.0,
        "validation_share": 0.0,
        "n_steps": 20,
    },
}
"""What ``"auto"`` stands for. "paper" holds the values of the CIFAR-10 experiment; "default" is for
small images on a CPU."""


@dataclass(frozen=True, kw_only=True)
class ImageDDDMConfig:
    """Options of ImageDDDM. ``"auto"`` takes the value of the preset."""

    image_shape: Sequence[int] = (8, 8, 1)
    """Height, width and channels of an image, in pixels."""
    preset: Literal["default", "paper"] = "default"
    """What ``"auto"`` stands for in all other options: ``"default"`` is what measured best,
    ``"paper"`` holds the values of De Bortoli et al. (2025)."""
    schedule: Literal["linear", "cosine"] | Mapping[str, Any] | NoiseSchedule = "linear"
    """How data turn into noise over time: ``"linear"``, ``"cosine"``, a mapping with ``name`` and
    options, or an object with ``alpha`` and ``sigma``."""
    distance: (
        Literal["auto", "energy", "annealed-energy", "rbf", "imq", "exponential"]
        | Mapping[str, Any]
        | Distance
    ) = "auto"
    """Distance by which the score compares draws with the data: ``"energy"``,
    ``"annealed-energy"``, ``"rbf"``, ``"imq"``, ``"exponential"``, a mapping with ``name`` and
    options, or an object. Energy distances need no bandwidth."""
    interaction: float | Literal["annealed"] = 1.0
    """Weight of the repulsion between the draws of a population (lambda), 0 to 1. With 1 the score
    is proper; below 1 draws become too narrow. ``"annealed"`` rises from 0 at the data to 1 at
    noise."""
    population: int | Literal["auto"] = "auto"
    """Draws of each image in a training step (m). More make gradients less noisy and cost time in
    proportion."""
    time_weight: Literal["auto", "flat", "sigmoid"] = "auto"
    """How much each time counts in the loss: ``"flat"``, or ``"sigmoid"``, which favours times near
    the data and makes chains of few steps worse."""
    weight_bias: float = 0.0
    """Bias of the sigmoid weight (b); below 0, times near noise count more."""
    noise_share: float | Literal["auto"] = "auto"
    """Share of the images that are trained at pure noise, where chains of one step begin; the times
    of the others are uniform."""
    network: Literal["auto", "residual", "plain"] = "auto"
    """The network: ``"residual"`` starts from the best linear guess; ``"plain"`` predicts the data
    directly, as in the paper."""
    scaling: Literal["auto", "standardise", "signed"] = "auto"
    """How pixels are scaled: ``"standardise"`` gives each channel mean 0 and all pixels variance 1;
    ``"signed"`` puts pixels into [-1, 1]."""
    patch_size: int | Literal["auto"] = "auto"
    """Side of a token in pixels. Smaller patches draw finer detail; time grows with the square of
    the number of tokens."""
    width: int | Literal["auto"] = "auto"
    """Width of a token; a multiple of ``n_heads``. Wider networks learn more and cost time and
    memory."""
    depth: int | Literal["auto"] = "auto"
    """Number of transformer blocks; more learn more complicated images and cost time in
    proportion."""
    n_heads: int | Literal["auto"] = "auto"
    """Attention heads of each block."""
    mlp_ratio: float = 4.0
    """Hidden units of the perceptron in a block, as a multiple of the width."""
    n_time_features: int = 64
    """Number of sinusoids that tell the network the time."""
    n_shared: int | Literal["auto"] = "auto"
    """Blocks, of ``depth``, that run once for all draws of an image. More are faster and leave
    fewer blocks that know the noise."""
    class_dropout: float = 0.1
    """Share of the labels that are hidden in training, which guidance needs; without labels it has
    no effect."""
    flip: bool = False
    """Whether training mirrors images at random, left to right; wrong for digits and letters."""
    crop: int = 0
    """Largest shift of training images in pixels; the border is filled by reflection. 0 shifts
    none."""
    n_training_steps: int | Literal["auto"] = "auto"
    """Optimiser updates of the training. Raise it if the validation loss still falls at the end;
    time grows in proportion."""
    batch_size: int | Literal["auto"] = "auto"
    """Images of one update. Smaller batches make updates noisier and cheaper."""
    learning_rate: float | Literal["auto"] = "auto"
    """Largest learning rate. Lower it if the loss jumps or updates are skipped."""
    lr_schedule: Literal["auto", "constant", "cosine"] = "auto"
    """Whether the learning rate stays as it is (``"constant"``) or falls to 0 along a cosine
    (``"cosine"``), which makes the last weights less noisy."""
    weight_decay: float | Literal["auto"] = "auto"
    """Decoupled decay of the weight matrices; raise it against overfitting."""
    clip_norm: float = 1.0
    """Largest norm of a gradient; longer ones are shortened to it. 0 sets no limit."""
    ema_decay: float | Literal["auto"] = "auto"
    """Decay, for each update, of the exponential average of the weights, which is what is used; 0
    uses the last weights. At most 1 - 8 / steps is taken: the average of a short run must forget
    its initialisation."""
    validation_share: float | Literal["auto"] = "auto"
    """Share of the images, at most 500 of them, that are kept for validation and choose the best
    checkpoint; 0 trains on all images and keeps the last weights."""
    n_steps: int | Literal["auto"] = "auto"
    """Steps of the reverse chain when sampling; more are slower and, up to about 20, closer to the
    data."""
    time_grid: Literal["uniform", "cosine", "power", "edm"] | Sequence[float] = "uniform"
    """Times of the reverse chain: ``"uniform"``, ``"cosine"`` (dense at both ends), ``"power"``
    (dense at noise), ``"edm"`` (noise levels of Karras et al., 2022), or times that rise from 0 to
    1."""
    churn: float = 1.0
    """Share of the noise that each step of the reverse chain renews, 0 to 1: with 0 a chain keeps
    its noise, with 1 every step draws it anew. Lower it if many steps make draws worse."""
    max_megabytes: float = 1024.0
    """Memory in megabytes that draws may take; beyond it results are reduced to mean, standard
    deviation and quantiles."""

    def __post_init__(self) -> None:
        check_literals(self)
        positive = ("population", "patch_size", "width", "depth", "n_heads", "n_training_steps")
        check_positive(self, *positive, "batch_size", "learning_rate", "n_steps", "mlp_ratio")
        check_positive(self, "n_time_features", "max_megabytes")
        not_negative = ("n_shared", "crop", "class_dropout", "weight_decay", "clip_norm")
        check_positive(self, *not_negative, "ema_decay", "validation_share", zero=True)
        for name in (*positive, *not_negative[:2], "batch_size", "n_steps", "n_time_features"):
            value = getattr(self, name)
            if value != "auto" and value != int(value):
                raise InputError(f"ImageDDDMConfig: {name} must be an integer, got {value!r}.")
        shape = tuple(self.image_shape)
        if len(shape) != 3 or not all(isinstance(s, int) and s > 0 for s in shape):
            raise InputError(
                f"ImageDDDMConfig: image_shape must be height, width, channels, got {shape}."
            )
        if self.crop >= min(shape[:2]):
            raise InputError(
                f"ImageDDDMConfig: crop={self.crop} shifts images of {shape[0]} x {shape[1]} "
                "pixels out of sight."
            )
        for name, high in (
            ("class_dropout", 1),
            ("ema_decay", 0.999999),
            ("validation_share", 0.9),
        ):
            value = getattr(self, name)
            if value != "auto" and value > high:
                raise InputError(f"ImageDDDMConfig: {name} must lie in [0, {high}], got {value!r}.")
        if not isinstance(self.time_grid, str):
            time_grid(1, self.time_grid)
        self.score_options()

    def value(self, name: str) -> Any:
        """Take an option, or what the preset says in its place.

        Args:
            name: Name of the option.

        Returns:
            Its value.
        """
        value = getattr(self, name)
        return IMAGE_PRESETS[self.preset][name] if value == "auto" else value

    def shape(self) -> tuple[int, int, int]:
        """Say how the network sees images.

        Returns:
            Channels, height, width.
        """
        height, width, channels = self.image_shape
        return channels, height, width

    def score_options(self) -> DDDMConfig:
        """Collect the options that tables have as well, with the same checks.

        Returns:
            Options of DDDM.
        """
        names = ("distance", "time_weight", "noise_share", "population")
        return DDDMConfig(
            **{name: self.value(name) for name in names},
            schedule=self.schedule,
            interaction=self.interaction,
            weight_bias=self.weight_bias,
            churn=self.churn,
        )

    def objective(self) -> Objective:
        """Put the loss together.

        Returns:
            The objective.
        """
        options = self.score_options()
        return Objective(
            options.the_schedule(),
            options.the_distance(),
            options.interaction,
            options.population,
            self.value("time_weight"),
            options.weight_bias,
            self.value("noise_share"),
        )

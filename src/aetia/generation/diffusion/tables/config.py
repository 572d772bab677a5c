"""All options of DDDM, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aetia.errors import InputError
from aetia.generation.diffusion.process.distances import DISTANCES, Distance, Energy
from aetia.generation.diffusion.process.sampler import time_grid
from aetia.generation.diffusion.process.schedule import SCHEDULES, NoiseSchedule
from aetia.options import check_literals, check_positive, choose

__all__ = ["PRESETS", "DDDMConfig"]

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {
        "distance": Energy(1.0),
        "time_weight": "flat",
        "network": "residual",
        "hidden_units": (96, 96, 96),
        "n_noise": None,
        "n_training_steps": 4000,
        "batch_size": 128,
        "learning_rate": 3e-3,
        "lr_schedule": "cosine",
        "weight_decay": 0.01,
        "clip_norm": 1.0,
        "ema_decay": 0.995,
        "noise_share": 0.1,
        "churn": 1.0,
    },
    "paper": {
        "distance": Energy(0.1),
        "time_weight": "sigmoid",
        "network": "plain",
        "hidden_units": (128, 128, 128, 128),
        "n_noise": None,
        "n_training_steps": 5000,
        "batch_size": 512,
        "learning_rate": 2e-3,
        "lr_schedule": "constant",
        "weight_decay": 0.0,
        "clip_norm": 0.0,
        "ema_decay": 0.0,
        "noise_share": 0.0,
        "churn": 1.0,
    },
}
"""What ``"auto"`` stands for. "paper" holds the values of De Bortoli et al.'s experiment in the
plane; "default" is what measured best (docs/dddm.md)."""


@dataclass(frozen=True, kw_only=True)
class DDDMConfig:
    """Options of DDDM. ``"auto"`` takes the value of the preset."""

    preset: Literal["default", "paper"] = "default"
    """What ``"auto"`` stands for in all other options: ``"default"`` is what measured best,
    ``"paper"`` holds the values of De Bortoli et al. (2025)."""
    targets: Sequence[str] | Literal["any"] = "any"
    """Columns to draw given all others, by name; ``"any"`` trains one network for any columns given
    any others. Name them if only they are wanted: it is more accurate for them."""
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
    population: int = 8
    """Draws of each row in a training step (m). More make gradients less noisy and cost time in
    proportion."""
    time_weight: Literal["auto", "flat", "sigmoid"] = "auto"
    """How much each time counts in the loss: ``"flat"``, or ``"sigmoid"``, which favours times near
    the data and makes chains of few steps worse."""
    weight_bias: float = 0.0
    """Bias of the sigmoid weight (b); below 0, times near noise count more."""
    noise_share: float | Literal["auto"] = "auto"
    """Share of the rows that are trained at pure noise, where chains of one step begin; the times
    of the others are uniform. Raise it if single steps matter most."""
    network: Literal["auto", "residual", "plain"] = "auto"
    """The network: ``"residual"`` starts from the best linear guess and computes once what the
    draws of a row share; ``"plain"`` is the perceptron of the paper, which predicts the data
    directly."""
    hidden_units: tuple[int, ...] | Literal["auto"] = "auto"
    """Widths of the hidden layers. A residual network has one width: its first block is shared by
    the draws of a row, the others are not. Wider and deeper networks follow more complicated
    distributions and need more rows."""
    n_noise: int | Literal["auto"] | None = "auto"
    """Number of noise inputs that make draws differ; None takes as many as a row has numbers."""
    n_training_steps: int | Literal["auto"] = "auto"
    """Optimiser updates of the training. Raise it if the validation loss still falls at the end;
    time grows in proportion."""
    batch_size: int | Literal["auto"] = "auto"
    """Rows of one update. Smaller batches make updates noisier and cheaper."""
    learning_rate: float | Literal["auto"] = "auto"
    """Largest learning rate. Lower it if the loss jumps or updates are skipped."""
    lr_schedule: Literal["auto", "constant", "cosine"] = "auto"
    """Whether the learning rate stays as it is (``"constant"``) or falls to 0 along a cosine
    (``"cosine"``), which makes the last weights less noisy."""
    weight_decay: float | Literal["auto"] = "auto"
    """Decoupled decay of the weight matrices; raise it against overfitting."""
    clip_norm: float | Literal["auto"] = "auto"
    """Largest norm of a gradient; longer ones are shortened to it. 0 sets no limit."""
    ema_decay: float | Literal["auto"] = "auto"
    """Decay, for each update, of the exponential average of the weights, which is what is used; 0
    uses the last weights. Closer to 1 averages over more updates."""
    validation_share: float = 0.1
    """Share of the rows, at most 1,000 of them, that are kept for validation and choose the best
    checkpoint; 0 trains on all rows and keeps the last weights."""
    n_steps: int | Literal["auto"] = "auto"
    """Steps of the reverse chain when sampling; more are slower and, up to about 20, closer to the
    data. ``"auto"`` is 1 for a single column and 5 for several."""
    time_grid: Literal["uniform", "cosine", "power", "edm"] | Sequence[float] = "uniform"
    """Times of the reverse chain: ``"uniform"``, ``"cosine"`` (dense at both ends), ``"power"``
    (dense at noise), ``"edm"`` (noise levels of Karras et al., 2022), or times that rise from 0 to
    1."""
    churn: float | Literal["auto"] = "auto"
    """Share of the noise that each step of the reverse chain renews, 0 to 1: with 0 a chain keeps
    its noise, with 1 every step draws it anew. Lower it if many steps make draws worse."""
    max_megabytes: float = 1024.0
    """Memory in megabytes that draws may take; beyond it results are reduced to mean, standard
    deviation and quantiles."""

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(
            self,
            "population",
            "n_training_steps",
            "batch_size",
            "learning_rate",
            "n_noise",
            "n_steps",
            "max_megabytes",
        )
        check_positive(
            self,
            "noise_share",
            "weight_decay",
            "clip_norm",
            "ema_decay",
            "validation_share",
            "churn",
            zero=True,
        )
        for name in ("targets", "hidden_units", "time_grid"):
            if isinstance(getattr(self, name), list):  # YAML has lists only
                object.__setattr__(self, name, tuple(getattr(self, name)))
        self.the_schedule()
        self.the_distance()
        if self.value("network") == "residual" and len(set(self.value("hidden_units"))) != 1:
            raise InputError(
                f"DDDMConfig: a residual network has one width, got hidden_units="
                f"{self.value('hidden_units')}; repeat it, or set network='plain'."
            )
        if isinstance(self.interaction, str):
            if self.interaction != "annealed":
                raise InputError(
                    f"DDDMConfig: interaction must be a number in [0, 1] or 'annealed', got "
                    f"{self.interaction!r}."
                )
        elif not 0 <= self.interaction <= 1:
            raise InputError(
                f"DDDMConfig: interaction must lie in [0, 1], got {self.interaction!r}: above 1 "
                "the score has no best population."
            )
        if self.population < 2 and self.interaction != 0:
            raise InputError(
                "DDDMConfig: a population of 1 has no pairs to repel each other; set population "
                "to at least 2, or interaction=0."
            )
        for name, low, high in (
            ("churn", 0, 1),
            ("noise_share", 0, 1),
            ("ema_decay", 0, 0.999999),
            ("validation_share", 0, 0.9),
        ):
            value = getattr(self, name)
            if value != "auto" and not low <= value <= high:
                raise InputError(f"DDDMConfig: {name} must lie in [{low}, {high}], got {value!r}.")
        if not isinstance(self.time_grid, str):
            time_grid(1, self.time_grid)

    def value(self, name: str) -> Any:
        """Take an option, or what the preset says in its place.

        Args:
            name: Name of the option.

        Returns:
            Its value.
        """
        value = getattr(self, name)
        return PRESETS[self.preset][name] if value == "auto" else value

    def the_schedule(self) -> NoiseSchedule:
        """Make the schedule.

        Returns:
            The object that was given or named.
        """
        return choose("schedule", self.schedule, SCHEDULES, needs="alpha")

    def the_distance(self) -> Distance:
        """Make the distance.

        Returns:
            The object that was given, named or is the preset's.
        """
        return choose("distance", self.value("distance"), DISTANCES, needs="__call__")

"""All options of DDDM, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aetia.errors import InputError
from aetia.generation.diffusion.process.distances import DISTANCES, Distance, Energy
from aetia.generation.diffusion.process.sampler import time_grid
from aetia.generation.diffusion.process.schedule import SCHEDULES, Schedule
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
    targets: Sequence[str] | Literal["any"] = "any"
    """Columns to draw given all others; ``"any"``: any columns given any others."""
    schedule: Literal["linear", "cosine"] | Mapping[str, Any] | Schedule = "linear"
    distance: (
        Literal["auto", "energy", "annealed-energy", "rbf", "imq", "exponential"]
        | Mapping[str, Any]
        | Distance
    ) = "auto"
    """What the score compares draws by; an object has options of its own."""
    interaction: float | Literal["annealed"] = 1.0
    """Lambda, the weight of the repulsion; below 1 populations become too narrow. ``"annealed"``:
    from 0 at the data to 1 at noise."""
    population: int = 8
    """Draws of each row in a step (m)."""
    time_weight: Literal["auto", "flat", "sigmoid"] = "auto"
    weight_bias: float = 0.0
    """b of the sigmoid weight; below 0 times near noise count more."""
    noise_share: float | Literal["auto"] = "auto"
    """Share of rows trained at pure noise, where chains of one step live; the others' times are
    uniform."""
    network: Literal["auto", "residual", "plain"] = "auto"
    """``"residual"``: starts from the best linear guess, and computes what draws share once;
    ``"plain"``: the perceptron of the paper, which predicts x_0 itself."""
    hidden_units: tuple[int, ...] | Literal["auto"] = "auto"
    """Widths. A residual network has one width: its first block is shared by the draws of a row,
    the others are not."""
    n_noise: int | Literal["auto"] | None = "auto"
    """Width of the noise that makes draws differ; None for that of the row."""
    n_training_steps: int | Literal["auto"] = "auto"
    batch_size: int | Literal["auto"] = "auto"
    learning_rate: float | Literal["auto"] = "auto"
    lr_schedule: Literal["auto", "constant", "cosine"] = "auto"
    weight_decay: float | Literal["auto"] = "auto"
    clip_norm: float | Literal["auto"] = "auto"
    """Largest norm of a gradient; 0 for no limit."""
    ema_decay: float | Literal["auto"] = "auto"
    """Memory of the average of the weights, which is what is used; 0 for the last weights."""
    validation_share: float = 0.1
    """Rows that choose the weights, at most 1,000; 0: the last weights."""
    n_steps: int | Literal["auto"] = "auto"
    """Steps of the sampler; ``"auto"`` is 1 for a single column, else 5."""
    time_grid: Literal["uniform", "cosine", "power", "edm"] | Sequence[float] = "uniform"
    churn: float | Literal["auto"] = "auto"
    """Of the bridge: 0 keeps the noise of the last step, 1 renews it."""
    max_megabytes: float = 1024.0
    """Memory for draws; beyond it results are reduced to mean, deviation and quantiles."""

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
            name: Of the option.

        Returns:
            Its value.
        """
        value = getattr(self, name)
        return PRESETS[self.preset][name] if value == "auto" else value

    def the_schedule(self) -> Schedule:
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

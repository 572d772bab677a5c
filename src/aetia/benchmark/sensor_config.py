"""Options of an experiment with RC-GNN: recordings, simulated or the user's, and one training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aetia.discovery import RCGNNConfig
from aetia.errors import InputError
from aetia.options import build, check_positive
from aetia.scm.corruption import PRESETS

__all__ = ["SensorData", "SensorExperiment"]


@dataclass(frozen=True, kw_only=True)
class SensorData:
    """Where the recordings come from."""

    table: str | None = None
    """CSV or Parquet file of the user's; null simulates."""
    time: str | None = None
    """table: column with times."""
    series: str | None = None
    """table: column that tells recordings apart."""
    regime: str | None = None
    """table: column with regimes."""
    n_sensors: int = 13
    """Simulated sensors."""
    n_edges: int | None = None
    """Simulated edges; null for as many as sensors."""
    n_lags: int = 1
    """Longest simulated lag."""
    nonlinear: bool = True
    """Whether simulated edges are curves."""
    n_series: int = 40
    """Simulated recordings."""
    n_steps: int = 50
    """Steps of each."""
    preset: str = "compound_full"
    """Corruption of the simulated recordings, and their regimes."""
    units: tuple[float, float] = (1.0, 1.0)
    """Simulated: smallest and largest unit of a sensor, spread evenly on the log scale."""
    seed: int = 1337
    """Of the simulation."""

    def __post_init__(self) -> None:
        check_positive(self, "n_sensors", "n_edges", "n_lags", "n_series", "n_steps")
        object.__setattr__(self, "units", tuple(self.units))
        if self.preset not in PRESETS:
            raise InputError(f"data.preset={self.preset!r} is not one of {', '.join(PRESETS)}.")
        if len(self.units) != 2 or not 0 < self.units[0] <= self.units[1]:
            raise InputError(f"data.units takes two numbers above 0, got {self.units}.")


@dataclass(frozen=True, kw_only=True)
class SensorExperiment:
    """Train RC-GNN on recordings, follow its health, and score it from outside."""

    name: str = "sensors"
    seed: int = 1337
    """Of the fit."""
    data: SensorData = field(default_factory=SensorData)
    model: RCGNNConfig = field(default_factory=lambda: RCGNNConfig(backend="neural"))
    device: str = "auto"
    progress: bool | None = None

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> SensorExperiment:
        """Check a composed configuration.

        Args:
            values: Plain values, ``model.type`` being ``rcgnn``.

        Returns:
            The experiment.

        Raises:
            InputError: Naming the unknown or wrong key.
        """
        rest = dict(values)
        model = {k: v for k, v in dict(rest.pop("model", {})).items() if k != "type"}
        data = build(SensorData, rest.pop("data", None) or {})
        return build(cls, {**rest, "data": data, "model": build(RCGNNConfig, model)})

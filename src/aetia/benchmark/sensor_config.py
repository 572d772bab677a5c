"""Options of an experiment with RC-GNN: recordings, simulated or the user's, and one training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from aetia.discovery import RCGNNConfig
from aetia.errors import InputError
from aetia.options import build, check_positive, options_dict
from aetia.scm.corruption import PRESETS

__all__ = ["SensorData", "SensorExperiment"]


@dataclass(frozen=True, kw_only=True)
class SensorData:
    """Where the recordings come from."""

    table: str | None = None
    """CSV or Parquet file with recordings of the user's; null simulates some."""
    time: str | None = None
    """Column of the table with the times of the rows; null takes them as equally spaced."""
    series: str | None = None
    """Column of the table that says which recording a row belongs to; null for a single one."""
    regime: str | None = None
    """Column of the table that says which regime a row belongs to; null for a single one."""
    n_sensors: int = 13
    """Number of simulated sensors."""
    n_edges: int | None = None
    """Number of simulated edges; null for as many as sensors."""
    n_lags: int = 1
    """Longest lag of a simulated edge, in steps."""
    nonlinear: bool = True
    """Whether simulated edges are curves, and not straight lines."""
    n_series: int = 40
    """Number of simulated recordings; more make the graph easier to find."""
    n_steps: int = 50
    """Length of each simulated recording, in steps."""
    preset: str = "compound_full"
    """Name of the corruption of the simulated recordings, which also says their regimes."""
    units: Sequence[float] = (1.0, 1.0)
    """Smallest and largest unit of a simulated sensor; those between are spread evenly on the
    logarithmic scale."""
    seed: int = 1337
    """Seed of the simulation."""

    def __post_init__(self) -> None:
        check_positive(self, "n_sensors", "n_edges", "n_lags", "n_series", "n_steps")
        object.__setattr__(self, "units", tuple(self.units))
        if self.preset not in PRESETS:
            raise InputError(f"data.preset={self.preset!r} is not one of {', '.join(PRESETS)}.")
        if len(self.units) != 2 or not 0 < self.units[0] <= self.units[1]:
            raise InputError(f"data.units takes two numbers above 0, got {self.units}.")


@dataclass(frozen=True, kw_only=True)
class SensorExperiment:
    """Train RC-GNN on recordings, follow its health, and evaluate it externally."""

    name: str = "sensors"
    """What the experiment is called in results and on the page."""
    seed: int = 1337
    """Seed of the fit; ``data.seed`` is that of the simulation."""
    data: SensorData = field(default_factory=SensorData)
    """The section ``data``: recordings of the user's, or simulated ones."""
    model: RCGNNConfig = field(default_factory=lambda: RCGNNConfig(backend="neural"))
    """The section ``model``: options of RC-GNN; ``aetia config rcgnn`` lists them."""
    device: str = "auto"
    """Where to compute: ``"auto"``, ``"cpu"`` or ``"cuda"``."""
    progress: bool | None = None
    """Whether to show a progress bar; null shows it in terminals."""

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
        rest = {k: v for k, v in values.items() if k != "method"}  # of a run, in its config.yaml
        model = {k: v for k, v in dict(rest.pop("model", {})).items() if k != "type"}
        data = build(SensorData, rest.pop("data", None) or {})
        return build(cls, {**rest, "data": data, "model": build(RCGNNConfig, model)})

    def values(self) -> dict[str, Any]:
        """Write the experiment as its configuration file has it.

        Returns:
            Plain values that :meth:`read` turns into the same experiment.
        """
        model = {"type": "rcgnn", **options_dict(self.model)}
        data = {f.name: getattr(self.data, f.name) for f in fields(self.data)}
        rest = {k: getattr(self, k) for k in ("name", "seed", "device", "progress")}
        return {**rest, "data": data, "model": model}

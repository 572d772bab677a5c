"""The experiments by ``model.type``: how a configuration is read, run and told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aetia.benchmark.experiment import run_experiment
from aetia.benchmark.experiment_config import read_experiment
from aetia.benchmark.experiment_rows import compare_sensor_runs, graph_rows, sensor_rows
from aetia.benchmark.model_config import MODELS
from aetia.benchmark.sensor_config import SensorExperiment
from aetia.benchmark.sensor_experiment import run_sensor_experiment
from aetia.errors import InputError
from aetia.options import nearest

__all__ = ["EXPERIMENTS", "Experiment", "find_experiment"]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One kind of experiment.

    Attributes:
        read: Turns a composed configuration into checked options; raises InputError.
        run: Runs the options in a folder, going on where a run in it stopped; returns what
            ``metrics.json`` holds, or nothing on processes that do not gather.
        rows: Writes results in lines for people.
        page: File in the folder that shows the results; it may be missing.
        compare: Compares the runs of a grid, each with its ``folder`` and ``overrides`` besides
            its results, writes ``grid.json`` into a folder and returns lines; None where runs are
            not compared.
    """

    read: Callable[[Mapping[str, Any]], Any]
    run: Callable[[Any, str | Path], dict[str, Any]]
    rows: Callable[[Mapping[str, Any]], list[str]]
    page: str
    compare: Callable[[Sequence[Mapping[str, Any]], str | Path], list[str]] | None = None


_GRAPHS = Experiment(read=read_experiment, run=run_experiment, rows=graph_rows, page="report.html")
_SENSORS = Experiment(
    read=SensorExperiment.read,
    run=run_sensor_experiment,
    rows=sensor_rows,
    page="health.html",
    compare=compare_sensor_runs,
)

EXPERIMENTS: dict[str, Experiment] = {**dict.fromkeys(MODELS, _GRAPHS), "rcgnn": _SENSORS}
"""``model.type`` to its experiment."""


def find_experiment(values: Mapping[str, Any]) -> Experiment:
    """Find the experiment that a composed configuration asks for.

    Args:
        values: Plain values.

    Returns:
        The entry of its ``model.type``.

    Raises:
        InputError: If there is none of that type.
    """
    kind = (values.get("model") or {}).get("type")
    if kind not in EXPERIMENTS:
        raise InputError(
            f"model.type={kind!r} is not one of {', '.join(EXPERIMENTS)}."
            f"{nearest(str(kind), list(EXPERIMENTS))}"
        )
    return EXPERIMENTS[kind]

"""Results of experiments in lines for people, and the comparison of the runs of a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aetia.benchmark.sensor_experiment import label_free_pick
from aetia.files import write_json

__all__ = ["compare_sensor_runs", "graph_rows", "sensor_rows"]

_SHOWN = ("auroc", "average_precision", "expected_f1", "ece")


def graph_rows(results: Mapping[str, Any]) -> list[str]:
    """Write one line for each family of test tasks.

    Args:
        results: What :func:`~aetia.benchmark.run_experiment` returned; empty on processes that do
            not gather.

    Returns:
        Lines.
    """
    lines = []
    for family, values in results.get("families", {}).items():
        shown = ", ".join(f"{name} {values[name]:.3f}" for name in _SHOWN if name in values)
        lines.append(f"{results['name']} on {family} ({values['n_tasks']} tasks): {shown}")
    return lines


def sensor_rows(results: Mapping[str, Any]) -> list[str]:
    """Write the edge count, the held-out loss and, where the truth is known, the scores.

    Args:
        results: What :func:`~aetia.benchmark.run_sensor_experiment` returned.

    Returns:
        Lines.
    """
    text = f"{results['name']}: {results['edge_count']} edges"
    if results["held_out"] is not None:
        text += f", held-out loss {results['held_out']:.4f} nats per cell"
    if "external" not in results:
        return [text]
    scores = results["external"]
    return [
        text,
        f"external evaluation: F1 {scores['f1']:.3f}, SHD {scores['shd']:.0f}, AUROC "
        f"{scores['auroc']:.3f}; best threshold in hindsight: oracle_f1 {scores['oracle_f1']:.3f}",
    ]


def compare_sensor_runs(runs: Sequence[Mapping[str, Any]], folder: str | Path) -> list[str]:
    """Compare the runs of a grid, pick one without a truth, and write ``grid.json``.

    Args:
        runs: Results of each run with its ``folder`` and ``overrides``, a list of words.
        folder: Where ``grid.json`` is written.

    Returns:
        A table and the pick, in lines.
    """
    pick = label_free_pick(runs)
    width = max(len(" ".join(run["overrides"])) for run in runs)
    lines = [f"{'':{width + 2}}  edges  held-out    F1  oracle F1 (needs the truth)"]
    for k, run in enumerate(runs):
        scores = run.get("external", {})
        held_out = "-" if run["held_out"] is None else f"{run['held_out']:.4f}"
        lines.append(
            f"{'*' if k == pick else ' '} {' '.join(run['overrides']):{width}}  "
            f"{run['edge_count']:5d}  {held_out:>8}  {scores.get('f1', float('nan')):4.2f}  "
            f"{scores.get('oracle_f1', float('nan')):.2f}"
        )
    if pick is None:
        lines.append("no run held blocks out: set model.validation_share to pick without a truth")
    else:
        lines.append(f"* the pick, by held-out loss alone: {runs[pick]['folder']}")
    file = write_json(Path(folder) / "grid.json", {"pick": pick, "runs": list(runs)})
    return [*lines, f"grid: {file}"]

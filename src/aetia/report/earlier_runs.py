"""Folders of runs that were written by earlier versions, read as if this version had."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aetia.errors import ResultFileError
from aetia.files import read_json

__all__ = ["NAMES_OF_EARLIER_RUNS", "summary_of"]

NAMES_OF_EARLIER_RUNS = (
    *("summary.json", "report.html", "config.yaml", "health.html", "health.jsonl"),
    *("training_summary.json", "posterior", "edges.csv", "graph.gml", "graph.dot"),
    *("total_effects.csv", "effects.csv", "ate.json", "dose_response.csv", "overlap.csv"),
    *("unit-effects", "ate", "dose-response", "imputed.csv", "sensors.csv", "spans.csv"),
    *("regimes.csv", "completed.csv", "intervals.csv", "generated.csv", "draws", "model"),
    *(f"effect-{k}" for k in range(100)),
)
"""What may belong to a run whose summary does not list its files."""


def summary_of(folder: Path) -> Mapping[str, Any] | None:
    """Read the summary of a run, in the form that this version writes.

    Args:
        folder: Its folder.

    Returns:
        The summary; None if the folder has none.

    Raises:
        ResultFileError: If it is damaged, or of an unknown kind.
    """
    from aetia.report.kinds import KINDS

    file = folder / "summary.json"
    if not file.is_file():
        return _experiment(folder)
    summary = read_json(file)
    if not isinstance(summary, dict):
        raise ResultFileError(f"{str(file)!r} is damaged: it holds no mapping.")
    summary.setdefault("kind", "graph")
    if summary["kind"] not in KINDS:
        raise ResultFileError(f"{str(file)!r} is of an unknown kind, {summary['kind']!r}.")
    return summary


def _experiment(folder: Path) -> Mapping[str, Any] | None:
    """Describe an experiment, which had no summary before."""
    if not (folder / "metrics.json").is_file():
        return None
    results = read_json(folder / "metrics.json")
    if "families" not in results:
        return None
    return {"kind": "experiment", "title": results["name"], "facts": {}}

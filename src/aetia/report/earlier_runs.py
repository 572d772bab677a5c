"""Folders of runs that were written by earlier versions, read as if this version had."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from aetia.errors import ResultFileError
from aetia.files import read_json
from aetia.results.earlier_keys import method_key

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


_METHODS = {"diffusion": "dddm"}
"""Method of kinds whose summary did not name one."""


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
    if "schema" not in summary:
        summary = _of_first_version(folder, summary)
    if summary["kind"] not in KINDS:
        raise ResultFileError(f"{str(file)!r} is of an unknown kind, {summary['kind']!r}.")
    return summary


def _of_first_version(folder: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """Move facts of the run from where the first version had them, and rename what it named."""
    old = summary.get("facts") or {}
    training = {k: v for k, v in old.items() if k not in ("method", "seed", "version", "verdicts")}
    facts = {
        "method": method_key(str(old.get("method") or _METHODS.get(summary["kind"], ""))),
        "seconds": old.get("seconds", old.get("wall_time_s")),
        "config": summary.get("config") or _config(folder),
        **{k: old[k] for k in ("version", "seed") if old.get(k) is not None},
        **{k: old[k] for k in ("n_steps", "best_step") if isinstance(old.get(k), int)},
        **({"n_steps": old["last_step"]} if old.get("last_step") else {}),
    }
    moved = {"facts": facts, "training": training, "verdicts": old.get("verdicts", {})}
    kept = {"held_out": summary.get("law") or {}, "plain": {}, "roles": summary.get("roles", {})}
    return {**kept, **summary, **moved}


def _experiment(folder: Path) -> Mapping[str, Any] | None:
    """Describe an experiment, which had no summary before."""
    if not (folder / "metrics.json").is_file():
        return None
    results = read_json(folder / "metrics.json")
    if "families" not in results:
        return None
    facts = {
        "method": results.get("model", ""),
        "version": results.get("version", ""),
        "device": results.get("device", ""),
        "config": _config(folder),
    }
    return {"kind": "experiment", "title": results.get("name", ""), "facts": facts}


def _config(folder: Path) -> dict[str, Any]:
    """Read the options of a run, without the name of the method in front."""
    file = folder / "config.yaml"
    found = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {name: value for name, value in found.items() if name != "method"}

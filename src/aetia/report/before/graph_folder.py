"""A run of a discovery method on disk: posterior, edges, graph, configuration, and the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from aetia.data import Truth
from aetia.files import plain_json, write_atomically
from aetia.report.before.all_pairs import affordable_total_effects
from aetia.report.before.graph_report import render_graph_report
from aetia.report.before.run_folder import check_writable
from aetia.results import EffectPosterior, GraphPosterior

__all__ = ["graph_report_of", "write_run"]

TOTAL_EFFECTS = "total_effects.csv"


def write_run(
    posterior: GraphPosterior,
    out: str | Path,
    *,
    title: str,
    data_summary: Mapping[str, Sequence[Any]],
    source: str,
    warnings: Sequence[str] = (),
    effects: Sequence[EffectPosterior] = (),
    truth: Truth | None = None,
) -> dict[str, Path]:
    """Write everything about a run to a folder, each file atomically, the report last.

    Args:
        posterior: The result.
        out: The folder.
        title: Heading of the report.
        data_summary: Columns of the table, as from ``Dataset.summary``.
        source: Where the table came from.
        warnings: Messages shown during the run.
        effects: Effects to show; saved too.
        truth: The known graph, to compare with.

    Returns:
        The files by what they are.
    """
    folder = check_writable(out)
    files = {
        "posterior": folder / "posterior",
        "edges": folder / "edges.csv",
        "graph_gml": folder / "graph.gml",
        "graph_dot": folder / "graph.dot",
        "config": folder / "config.yaml",
        "summary": folder / "summary.json",
        "report": folder / "report.html",
    }
    posterior.save(files["posterior"])
    write_atomically(files["edges"], posterior.edge_table().to_csv(index=False))
    write_atomically(files["graph_gml"], posterior.to_gml())
    write_atomically(files["graph_dot"], posterior.to_dot())
    method = {"method": str(posterior.diagnostics.get("method", "")).lower()}
    config = method | plain_json(posterior.diagnostics.get("config", {}))
    write_atomically(files["config"], yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    frame = affordable_total_effects(posterior)
    if frame is not None:
        files["total_effects"] = folder / TOTAL_EFFECTS
        write_atomically(files["total_effects"], frame.to_csv(index=False))
    names = []
    for k, effect in enumerate(effects):
        effect.save(folder / f"effect-{k}")
        names.append(f"effect-{k}")
    summary = {
        "title": title,
        "source": source,
        "data_summary": data_summary,
        "warnings": list(warnings),
        "effects": names,
        "total_effects": frame is not None,
        "truth": None if truth is None else truth.graph.astype(int).tolist(),
    }
    write_atomically(files["summary"], json.dumps(plain_json(summary), indent=1))
    write_atomically(files["report"], graph_report_of(folder, plain_json(summary)))
    return files


def graph_report_of(folder: Path, summary: Mapping[str, Any]) -> str:
    """Make the report of a run again, from what is saved in its folder.

    Args:
        folder: Written by :func:`write_run`.
        summary: What ``summary.json`` in it says.

    Returns:
        HTML.
    """
    import pandas as pd

    # Folders written by earlier versions do not say whether they have it.
    pairs = pd.read_csv(folder / TOTAL_EFFECTS) if summary.get("total_effects") else None
    return render_graph_report(
        GraphPosterior.load(folder / "posterior"),
        title=summary["title"],
        data_summary=summary["data_summary"],
        source=summary["source"],
        warnings=summary["warnings"],
        effects=[EffectPosterior.load(folder / name) for name in summary["effects"]],
        total_effects=pairs,
        truth=None if summary["truth"] is None else np.array(summary["truth"], dtype=bool),
    )

"""A run on disk: posterior, edges, graph, configuration, and the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from aetia.data import Truth
from aetia.errors import InputError, ResultFileError
from aetia.report.graph_report import render_graph_report
from aetia.results import EffectPosterior, GraphPosterior, plain_json, write_atomically

__all__ = ["check_writable", "rebuild_report", "write_run"]


def check_writable(out: str | Path) -> Path:
    """Make a folder for results and make sure that it can be written, before a long computation.

    Args:
        out: The folder.

    Returns:
        Its path.

    Raises:
        InputError: If it is a file or cannot be written.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {str(folder)!r} is a file; a folder is needed.")
    probe = folder / ".aetia-write-test"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"cannot write to {str(folder)!r}: {error.strerror or error}. Choose another --out."
        ) from error
    return folder


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
        "truth": None if truth is None else truth.graph.astype(int).tolist(),
    }
    write_atomically(files["summary"], json.dumps(plain_json(summary), indent=1))
    rebuild_report(folder)
    return files


def rebuild_report(run: str | Path) -> Path:
    """Make the report of a run folder again, from what is saved there.

    Args:
        run: A folder written by :func:`write_run`.

    Returns:
        The report.

    Raises:
        ResultFileError: If something is missing or damaged.
    """
    folder = Path(run)
    if not folder.is_dir():
        raise InputError(f"no such run folder: {str(folder)!r}.")
    posterior = GraphPosterior.load(folder / "posterior")
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultFileError(
            f"{str(folder / 'summary.json')!r} is missing or damaged: {error}"
        ) from error
    html = render_graph_report(
        posterior,
        title=summary["title"],
        data_summary=summary["data_summary"],
        source=summary["source"],
        warnings=summary["warnings"],
        effects=[EffectPosterior.load(folder / name) for name in summary["effects"]],
        truth=None if summary["truth"] is None else np.array(summary["truth"], dtype=bool),
    )
    report = folder / "report.html"
    write_atomically(report, html)
    return report

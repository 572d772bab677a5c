"""A run of a method for time series on disk: graphs, tables, filled recordings, and the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from aetia.errors import ResultFileError
from aetia.files import plain_json, write_atomically
from aetia.report.before.health_folder import write_health_pages
from aetia.report.before.run_folder import check_writable
from aetia.report.before.series_answers import SeriesAnswers
from aetia.report.before.series_report import render_series_report
from aetia.results import GraphPosterior
from aetia.results.export import summary_networkx, to_dot, to_gml
from aetia.training import write_summary

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["series_report_of", "write_series_run"]

_TABLES = ("edges", "regimes", "sensors", "spans")
_LABELS = ("source", "target", "sensor", "recording", "regime")


def write_series_run(
    answers: SeriesAnswers,
    out: str | Path,
    *,
    title: str,
    imputed: pd.DataFrame,
    source: str,
    roles: Mapping[str, str | None],
    warnings: Sequence[str] = (),
    truth: Sequence[Mapping[str, Any]] | None = None,
    health: Sequence[Mapping[str, Any]] = (),
    training: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Write everything about a run to a folder, each file atomically, the report last.

    Args:
        answers: What the method said.
        out: The folder.
        title: Heading of the report.
        imputed: The user's table with its gaps filled.
        source: Where the table came from.
        roles: Columns by what they tell: ``time``, ``series``, ``regime``.
        warnings: Messages shown during the run.
        truth: Known edges, ``source``, ``target`` and perhaps ``lag``, to compare with.
        health: Rows of the record of training.
        training: Its summary.

    Returns:
        The files by what they are.
    """
    folder = check_writable(out)
    posterior = answers.posterior
    files = {
        "posterior": folder / "posterior",
        "edges": folder / "edges.csv",
        "graph_gml": folder / "graph.gml",
        "graph_dot": folder / "graph.dot",
        "imputed": folder / "imputed.csv",
        "sensors": folder / "sensors.csv",
        "spans": folder / "spans.csv",
        "config": folder / "config.yaml",
        "summary": folder / "summary.json",
        "report": folder / "report.html",
    }
    if len(answers.regimes):
        files["regimes"] = folder / "regimes.csv"
    else:
        (folder / "regimes.csv").unlink(missing_ok=True)  # of an earlier run, now wrong
    posterior.save(files["posterior"])
    for name in _TABLES:
        if name in files:
            write_atomically(files[name], getattr(answers, name).to_csv(index=False))
    graph = summary_networkx(answers.graph, posterior.summary_probabilities(), posterior.names)
    write_atomically(files["graph_gml"], to_gml(graph))
    write_atomically(files["graph_dot"], to_dot(graph))
    write_atomically(files["imputed"], imputed.to_csv(index=False))
    config = {"method": "rcgnn"} | plain_json(posterior.diagnostics.get("config", {}))
    write_atomically(files["config"], yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    if health:
        files["health"] = folder / "health.jsonl"
        lines = [json.dumps(plain_json(row)) for row in health]
        write_atomically(files["health"], "\n".join(lines) + "\n")
        if training:
            files["training"] = write_summary(folder, training)
    summary = plain_json(
        {
            "kind": "series",
            "title": title,
            "source": source,
            "roles": roles,
            "warnings": list(warnings),
            "graph": answers.graph.astype(int),
            "n_gaps": answers.n_gaps,
            "n_open": answers.n_open,
            "truth": None if truth is None else list(truth),
        }
    )
    write_atomically(files["summary"], json.dumps(summary, indent=1))
    write_atomically(files["report"], series_report_of(folder, summary))
    if health:
        pages = write_health_pages(folder)
        if pages:
            files["health_page"] = pages[0]
    return files


def series_report_of(folder: Path, summary: Mapping[str, Any]) -> str:
    """Make the report of recordings again, from what is saved in their folder.

    Args:
        folder: Written by :func:`write_series_run`.
        summary: What ``summary.json`` in it says.

    Returns:
        HTML.

    Raises:
        ResultFileError: If something is missing or damaged.
    """
    posterior = GraphPosterior.load(folder / "posterior")
    try:
        answers = SeriesAnswers(
            posterior=posterior,
            graph=np.array(summary["graph"], dtype=bool),
            n_gaps=int(summary["n_gaps"]),
            n_open=int(summary["n_open"]),
            **{name: _read(folder / f"{name}.csv") for name in _TABLES},
        )
        return render_series_report(
            answers,
            title=summary["title"],
            source=summary["source"],
            roles=summary["roles"],
            warnings=summary["warnings"],
            truth=summary["truth"],
        )
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ResultFileError(f"{str(folder)!r} is damaged: {error}") from error


def _read(file: Path) -> pd.DataFrame:
    import pandas as pd

    if file.name == "regimes.csv" and not file.exists():
        return pd.DataFrame()
    header = pd.read_csv(file, nrows=0).columns
    numbers = [name for name in header if name not in _LABELS]
    # A sensor may be called "NA": only empty cells of numbers are missing.
    return pd.read_csv(
        file,
        dtype={name: str for name in header if name in _LABELS},
        keep_default_na=False,
        na_values={name: [""] for name in numbers},
    )

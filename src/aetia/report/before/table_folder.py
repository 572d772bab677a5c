"""Imputed cells and generated rows on disk: tables, draws, configuration, and the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from aetia.files import plain_json, write_atomically
from aetia.report.before.completed_table import Cells, write_cells
from aetia.report.before.generation_report import render_generation_report
from aetia.report.before.imputation_report import render_imputation_report
from aetia.report.before.run_folder import check_writable
from aetia.report.before.table_answers import GenerationAnswers, ImputationAnswers
from aetia.results import Draws

__all__ = [
    "generation_report_of",
    "imputation_report_of",
    "write_generation_run",
    "write_imputation_run",
]

_PAGE = ("title", "source", "data_summary", "left_out", "warnings")


def write_imputation_run(
    answers: ImputationAnswers,
    out: str | Path,
    *,
    completed: Cells,
    title: str,
    config: Mapping[str, Any],
    data_summary: Mapping[str, Sequence[Any]],
    source: str,
    left_out: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> dict[str, Path]:
    """Write everything about an imputation to a folder, the report last.

    Args:
        answers: The imputed cells and their check.
        out: The folder.
        completed: The table without holes.
        title: Heading of the report.
        config: Options of the estimator, with ``method``.
        data_summary: Columns of the table: lists by field.
        source: Where the table came from.
        left_out: Columns that were not used.
        warnings: Messages shown during the run.

    Returns:
        The files by what they are.
    """
    files = _files(check_writable(out), completed="completed.csv", intervals="intervals.csv")
    write_atomically(files["completed"], write_cells(completed))
    intervals = answers.draws.frame(answers.level)
    write_atomically(files["intervals"], intervals.to_csv(index=False))
    page = {
        "title": title,
        "source": source,
        "data_summary": data_summary,
        "left_out": list(left_out),
        "warnings": list(warnings),
    }
    kept = {k: getattr(answers, k) for k in ("level", "hidden", "curves", "facts")}
    summary = plain_json({"kind": "imputation", **page, **kept})
    _write(files, answers.draws, config, summary)
    write_atomically(files["report"], imputation_report_of(files["report"].parent, summary))
    return files


def write_generation_run(
    answers: GenerationAnswers,
    out: str | Path,
    *,
    title: str,
    config: Mapping[str, Any],
    data_summary: Mapping[str, Sequence[Any]],
    source: str,
    left_out: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> dict[str, Path]:
    """Write everything about generated rows to a folder, the report last.

    Args:
        answers: The rows and their comparison.
        out: The folder.
        title: Heading of the report.
        config: Options of the estimator, with ``method``.
        data_summary: Columns of the table: lists by field.
        source: Where the table came from.
        left_out: Columns that were not used.
        warnings: Messages shown during the run.

    Returns:
        The files by what they are.
    """
    files = _files(check_writable(out), generated="generated.csv")
    write_atomically(files["generated"], answers.draws.frame().to_csv(index=False))
    page = {
        "title": title,
        "source": source,
        "data_summary": data_summary,
        "left_out": list(left_out),
        "warnings": list(warnings),
    }
    kept = {k: getattr(answers, k) for k in ("comparison", "law", "curves", "facts")}
    summary = plain_json({"kind": "generation", **page, **kept})
    _write(files, answers.draws, config, summary)
    write_atomically(files["report"], generation_report_of(files["report"].parent, summary))
    return files


def imputation_report_of(folder: Path, summary: Mapping[str, Any]) -> str:
    """Make the report of an imputation again, from what is saved in its folder.

    Args:
        folder: Written by :func:`write_imputation_run`.
        summary: What ``summary.json`` in it says.

    Returns:
        HTML.
    """
    answers = ImputationAnswers(
        draws=Draws.load(folder / "draws"),
        **{k: summary[k] for k in ("level", "hidden", "curves", "facts")},
    )
    return render_imputation_report(answers, **{k: summary[k] for k in _PAGE})


def generation_report_of(folder: Path, summary: Mapping[str, Any]) -> str:
    """Make the report of generated rows again, from what is saved in their folder.

    Args:
        folder: Written by :func:`write_generation_run`.
        summary: What ``summary.json`` in it says.

    Returns:
        HTML.
    """
    answers = GenerationAnswers(
        draws=Draws.load(folder / "draws"),
        **{k: summary.get(k, {}) for k in ("comparison", "law", "curves", "facts")},
    )
    return render_generation_report(answers, **{k: summary[k] for k in _PAGE})


def _files(folder: Path, **own: str) -> dict[str, Path]:
    names = {
        **own,
        "draws": "draws",
        "config": "config.yaml",
        "summary": "summary.json",
        "report": "report.html",
    }
    return {what: folder / name for what, name in names.items()}


def _write(
    files: Mapping[str, Path], draws: Draws, config: Mapping[str, Any], summary: Mapping[str, Any]
) -> None:
    draws.save(files["draws"])
    text = yaml.safe_dump(plain_json(config), sort_keys=False, allow_unicode=True)
    write_atomically(files["config"], text)
    write_atomically(files["summary"], json.dumps(summary, indent=1))

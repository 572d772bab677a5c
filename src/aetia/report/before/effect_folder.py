"""Estimated effects on disk: posteriors, tables, configuration, and the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from aetia.errors import ResultFileError
from aetia.files import plain_json, write_atomically
from aetia.report.before.effect_answers import EffectAnswers
from aetia.report.before.effect_report import effect_in_words, render_effect_report
from aetia.report.before.run_folder import check_writable
from aetia.results import EffectPosterior, Overlap

__all__ = ["average_facts", "effect_report_of", "write_effect_run"]

_POSTERIORS = {"units": "unit-effects", "average": "ate", "response": "dose-response"}
_KEPT = ("treated", "control", "level", "scores", "curves", "associations", "facts", "notes")


def write_effect_run(
    answers: EffectAnswers,
    out: str | Path,
    *,
    title: str,
    config: Mapping[str, Any],
    data_summary: Mapping[str, Sequence[Any]],
    source: str,
    left_out: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> dict[str, Path]:
    """Write everything about estimated effects to a folder, the report last.

    Args:
        answers: What the study says.
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
    folder = check_writable(out)
    files = {
        "effects": folder / "effects.csv",
        "ate": folder / "ate.json",
        "dose_response": folder / "dose_response.csv",
        "overlap": folder / "overlap.csv",
        "config": folder / "config.yaml",
        "summary": folder / "summary.json",
        "report": folder / "report.html",
    } | {f"{name}_posterior": folder / path for name, path in _POSTERIORS.items()}
    for name, path in _POSTERIORS.items():
        getattr(answers, name).save(folder / path)
    effects = answers.units.frame(answers.level).drop(columns="quantity")
    effects.insert(0, "row", answers.rows)
    if answers.ranks is not None:
        effects["outcome_rank"] = answers.ranks
    write_atomically(files["effects"], effects.to_csv(index=False))
    overlap = answers.overlap.frame()
    overlap.insert(0, "row", answers.rows)
    write_atomically(files["overlap"], overlap.to_csv(index=False))
    response = answers.response.frame(answers.level)
    if answers.overlap.arms is not None:
        response = response.drop(columns="dose")
        response.insert(0, "arm", answers.overlap.arms)
    write_atomically(files["dose_response"], response.to_csv(index=False))
    write_atomically(files["ate"], json.dumps(average_facts(answers), indent=1))
    text = yaml.safe_dump(plain_json(config), sort_keys=False, allow_unicode=True)
    write_atomically(files["config"], text)
    summary = plain_json(
        {
            "kind": "effect",
            "title": title,
            "source": source,
            "data_summary": data_summary,
            "left_out": list(left_out),
            "warnings": list(warnings),
            "arms": answers.overlap.arms,
            **{name: getattr(answers, name) for name in _KEPT},
        }
    )
    write_atomically(files["summary"], json.dumps(summary, indent=1))
    write_atomically(files["report"], effect_report_of(folder, summary))
    return files


def average_facts(answers: EffectAnswers) -> dict[str, Any]:
    """Put the average effect into plain values.

    Args:
        answers: What the study says.

    Returns:
        What ``ate.json`` holds.
    """
    average = answers.average
    low, high = average.interval(answers.level)[0]
    return plain_json(
        {
            "treatment": average.treatment,
            "outcome": average.outcome,
            "treated": answers.treated,
            "control": answers.control,
            "mean": float(average.mean[0]),
            "sd": float(average.sd[0]),
            "level": answers.level,
            "lower": float(low),
            "upper": float(high),
            "probability_above_zero": answers.probability_above(),
            "units": answers.gains(),
            "words": effect_in_words(answers),
        }
    )


def effect_report_of(folder: Path, summary: Mapping[str, Any]) -> str:
    """Make the report of estimated effects again, from what is saved in their folder.

    Args:
        folder: Written by :func:`write_effect_run`.
        summary: What ``summary.json`` in it says.

    Returns:
        HTML.

    Raises:
        ResultFileError: If something is missing or damaged.
    """
    import pandas as pd

    posteriors = {k: EffectPosterior.load(folder / path) for k, path in _POSTERIORS.items()}
    try:
        effects = _numbers(pd.read_csv(folder / "effects.csv", dtype=str))
        units = _numbers(pd.read_csv(folder / "overlap.csv", dtype=str))
        arms = summary["arms"]
        facts: dict[str, Any] = {name: summary[name] for name in _KEPT}
        facts["associations"] = [(str(k), float(v)) for k, v in summary["associations"]]
        answers = EffectAnswers(
            **posteriors,
            overlap=Overlap(
                expected=units["expected"],
                received=units["received"],
                weights=units["weight"],
                comparable=units["comparable"],
                name=posteriors["units"].treatment,
                arms=None if arms is None else (str(arms[0]), str(arms[1])),
            ),
            rows=effects["row"].astype(int),
            ranks=effects.get("outcome_rank"),
            **facts,
        )
    except (OSError, ValueError, KeyError) as error:
        raise ResultFileError(f"{str(folder)!r} is damaged: {error}") from error
    return render_effect_report(
        answers,
        title=summary["title"],
        data_summary=summary["data_summary"],
        source=summary["source"],
        left_out=summary["left_out"],
        warnings=summary["warnings"],
    )


def _numbers(table: Any) -> dict[str, np.ndarray]:
    """Read columns of text as numbers, to the last digit."""
    return {
        str(name): np.array([float(cell) for cell in table[name]], dtype=np.float64)
        for name in table.columns
    }

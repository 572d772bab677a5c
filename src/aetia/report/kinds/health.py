"""Pages of a training's health: a verdict in words, then the curves that it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aetia.errors import ResultFileError
from aetia.files import UNFINISHED, read_json, write_atomically
from aetia.plots import draw_health_record
from aetia.report.checks import training_findings
from aetia.report.numbers import show
from aetia.report.page import Page, html_of
from aetia.report.sections.blocks import (
    Details,
    Facts,
    Grid,
    Preformatted,
    Section,
    Table,
    Words,
    picture,
)
from aetia.report.sections.shared import as_yaml, diagnostics
from aetia.report.sections.texts import labelled, labels, note
from aetia.training import (
    COMMON_SIGNALS,
    SUMMARY_FILE,
    USUAL_RANGES,
    Healthy,
    TrainingFinding,
    diagnose,
    read_record,
)

__all__ = ["health_in_words", "health_page", "health_records", "write_health_pages"]

_SHOWN_APART = {"config", "best_metrics", "best_external", "aborted", "findings", "signals"}


_RECORD = "health.jsonl"


def health_records(run: str | Path) -> list[Path]:
    """Find the health records of a run.

    Args:
        run: Its folder.

    Returns:
        Files in it and one level below, its own first.
    """
    folder = Path(run)
    own = folder / _RECORD
    below = sorted(f for f in folder.glob(f"*/{_RECORD}") if f.is_file())
    return [own, *below] if own.is_file() else below


def write_health_pages(run: str | Path, *, report: str | None = None) -> list[Path]:
    """Write a page for each health record of a folder.

    Args:
        run: A folder with a record in it or one level below; records without a row are left out.
        report: Name of the report of the results in the folder, for a link.

    Returns:
        The pages: ``health.html``, or ``health-SUBFOLDER.html`` for further ones.
    """
    folder, pages = Path(run), []
    for record in health_records(folder):
        rows = read_record(record)
        if not any("learning_rate" in row for row in rows):
            continue
        place, file = record.parent, record.parent / SUMMARY_FILE
        name = _run_name(folder) + ("" if place == folder else f", {place.name}")
        summary = read_json(file) if file.is_file() else {}
        if not isinstance(summary, dict):
            raise ResultFileError(f"{str(file)!r} is damaged: it holds no mapping.")
        html = health_page(rows, summary, title=f"Training health: {name}", report=report)
        page = f"health-{place.name}.html" if pages else "health.html"
        pages.append(write_atomically(folder / page, html))
    return pages


def _run_name(folder: Path) -> str:
    """Name a run by its folder; while it is written, that is the folder around."""
    whole = folder.resolve()
    return whole.parent.name if whole.name.startswith(UNFINISHED) else whole.name


def health_page(
    rows: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    *,
    title: str = "Training health",
    report: str | None = None,
) -> str:
    """Render the page of one training.

    Args:
        rows: The health record.
        summary: What ``training_summary.json`` says; empty if the run has not ended.
        title: Heading.
        report: Where the report of the results is, for a link.

    Returns:
        HTML.

    Raises:
        ResultFileError: If the record holds no interval yet.
    """
    steps = [r for r in rows if "learning_rate" in r]
    if not steps:
        raise ResultFileError(
            "the health record has no row of training yet. Wait for the first log_every steps."
        )
    ranges = _ranges(summary.get("signals") or {})
    config = summary.get("config") or {}
    found = diagnose(rows, signals=ranges)
    words = health_in_words(found, steps[-1], summary)
    panels = draw_health_record(
        rows,
        ranges={**USUAL_RANGES, **{name: (r.low, r.high) for name, r in ranges.items()}},
        clip_norm=config.get("clip_norm") or None,
        best_step=summary.get("best_step"),
    )
    metrics = _metrics(summary, rows)
    warnings = [summary["aborted"]] if summary.get("aborted") else []
    text = as_yaml(config) if config else "(written when the run ends)"
    return html_of(
        Page(
            title=title,
            lead="How the training went.",
            sections=[
                Section("answer", "Verdict", [Words(words[0], "answer"), *map(Words, words[1:])]),
                *diagnostics(training_findings(found), warnings),
                *[_panel_section(heading, figures) for heading, figures in panels.items()],
                Section("last", "Last interval", [Table(_last_row(steps[-1], ranges), dense=True)]),
                *([Section("metrics", "Validation", [Table(metrics)])] if metrics else []),
                Section(
                    "run",
                    "Run",
                    [Facts(_facts(summary)), Details("Configuration", [Preformatted(text)])],
                ),
            ],
            links=[(report, "The report of the results")] if report else [],
        )
    )


_NOTES = {"Gradients": "gradients", "What an external evaluator saw": "external"}


def _panel_section(heading: str, figures: Sequence[tuple[str, Any]]) -> Section:
    name = heading.lower().replace(" ", "-")
    small = [note(f"health.{_NOTES[heading]}")] if heading in _NOTES else []
    cells = [[picture(figure, alt)] for alt, figure in figures]
    return Section(name, heading, [Grid(cells), *small])


def health_in_words(
    findings: Sequence[TrainingFinding], last: Mapping[str, Any], summary: Mapping[str, Any]
) -> list[str]:
    """Say in short whether the training can be trusted.

    Args:
        findings: What its record says.
        last: Its last row.
        summary: Facts about the finished run; empty while it runs.

    Returns:
        Sentences.
    """
    bad = [f for f in findings if f.severity == "bad"]
    look = [f for f in findings if f.severity == "look"]
    if summary.get("aborted"):
        verdict = "Training gave up."
    elif bad:
        verdict = f"Training is not healthy: {_count(len(bad), 'finding')} must be dealt with."
    elif look:
        verdict = f"Training is mostly healthy; {_count(len(look), 'finding')} to look at."
    else:
        verdict = "Training is healthy."
    words = [verdict]
    if not summary:
        words.append(f"The run had not ended at step {last['step']}, or did not say so.")
    return words


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _ranges(stored: Mapping[str, Any]) -> dict[str, Healthy]:
    """Read ranges whose infinite ends were stored as null."""
    return {
        name: Healthy(
            -math.inf if r["low"] is None else float(r["low"]),
            math.inf if r["high"] is None else float(r["high"]),
            str(r["advice"]),
        )
        for name, r in stored.items()
    }


def _last_row(row: Mapping[str, Any], ranges: Mapping[str, Healthy]) -> list[dict[str, str]]:
    """Lay the last row out beside the healthy ranges, what is outside of them first."""
    said = row.get("verdicts") or {}
    out = []
    for name, value in row.items():
        if name in ("verdicts", "step"):
            continue
        low, high = _range_of(name, ranges)
        is_number = isinstance(value, (int, float))
        fine = is_number and low is not None and high is not None and low <= value <= high
        verdict = "" if low is None else "ok" if fine else "outside"
        if not verdict and name in said:
            verdict = "ok" if said[name] == "ok" else "outside"
        out.append(
            {
                "signal": name,
                "last value": "not finite" if value is None else show(value),
                "verdict": verdict,
                "healthy": _range_text(low, high),
            }
        )
    return sorted(out, key=lambda r: ("outside", "ok", "").index(r["verdict"]))


def _range_of(name: str, ranges: Mapping[str, Healthy]) -> tuple[float, float] | tuple[None, None]:
    """Look a range up: the method's own first, then the usual ones, then those of the loop."""
    last = name.rsplit("/", 1)[-1]
    if name in ranges:
        return ranges[name].low, ranges[name].high
    if name.endswith("objective_gradient/structure"):
        return math.ulp(0.0), math.inf
    if last in USUAL_RANGES:
        return USUAL_RANGES[last]
    if name in COMMON_SIGNALS:
        return COMMON_SIGNALS[name].low, COMMON_SIGNALS[name].high
    return None, None


def _range_text(low: float | None, high: float | None) -> str:
    if low is None or high is None or (math.isinf(low) and math.isinf(high)):
        return "" if low is None else "finite"
    if 0 < low < 1e-300:
        return "above 0"
    if math.isinf(high):
        return f"at least {low:.3g}"
    return f"at most {high:.3g}" if math.isinf(low) else f"{low:.3g} to {high:.3g}"


def _metrics(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """List the validation metrics of the kept weights, or the last ones while training runs."""
    best = summary.get("best_metrics")
    if not best:
        held_out = [r["validation"] for r in rows if r.get("validation")]
        best = held_out[-1] if held_out else {}
    listed = {k: v for k, v in best.items() if not k.endswith("_se")}
    out = [
        {"metric": k, "value": show(v), "standard error": show(best.get(f"{k}_se"))}
        for k, v in listed.items()
    ]
    for row in out:
        row.update({k: "–" for k, v in row.items() if v == "None"})
    for name, value in (summary.get("best_external") or {}).items():
        row = {"metric": f"{name} (external)", "value": show(value), "standard error": "–"}
        out.append(row)
    return out


def _facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = labelled("health.quantities", summary)
    apart = {*_SHOWN_APART, *labels("health.quantities")}
    own = {k: v for k, v in summary.items() if k not in apart}
    for name, value in own.items():
        if isinstance(value, Mapping):
            facts += [(f"{name}: {k}", _short(v)) for k, v in value.items()]
        else:
            facts.append((name, _short(value)))
    return facts


def _short(value: Any) -> str:
    if isinstance(value, list):
        shown = ", ".join(show(v) for v in value[:8])
        return f"{shown}, ... ({len(value)})" if len(value) > 8 else shown
    return show(value)

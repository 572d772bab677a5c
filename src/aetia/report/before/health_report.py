"""The page of a training run's health: a verdict in words, then the curves that it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aetia.errors import ResultFileError
from aetia.report.before.checks import Check
from aetia.report.before.health_panels import health_panels
from aetia.report.before.page import as_yaml, render_page, show
from aetia.training import COMMON_SIGNALS, USUAL_RANGES, Finding, Healthy, diagnose

__all__ = ["health_in_words", "render_health_report"]

_FACTS = {
    "final_step": "Steps made",
    "best_step": "Step of the weights that are kept",
    "total_time": "Time (seconds)",
    "n_skipped": "Steps skipped",
    "rate_factor": "Learning rate after skipped steps (factor)",
    "avg_grad_clip_ratio": "Gradients clipped, on average",
    "final_learning_rate": "Last learning rate",
    "final_edge_count": "Edges at the end",
    "seed": "Seed",
}
_SHOWN_APART = {*_FACTS, "config", "best_metrics", "best_external", "aborted", "findings"}


def render_health_report(
    rows: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any] | None = None,
    *,
    title: str = "Training health",
    report: str | None = None,
) -> str:
    """Render the page as one HTML file without external files or scripts.

    Args:
        rows: The health record.
        summary: What ``training_summary.json`` says; None if the run has not ended.
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
    known = dict(summary or {})
    ranges = _ranges(known.get("signals") or {})
    config = known.get("config") or {}
    clip_norm = config.get("clip_norm")
    findings = diagnose(rows, signals=ranges)
    return render_page(
        "health.html.j2",
        title=title,
        words=health_in_words(findings, steps[-1], known),
        checks=[Check(f.code, f.severity, f"{f.text} {f.advice}".strip()) for f in findings],
        warnings=[known["aborted"]] if known.get("aborted") else [],
        panels=health_panels(
            rows,
            ranges=ranges,
            clip_norm=clip_norm or None,
            best_step=known.get("best_step"),
        ),
        last=_last_row(steps[-1], ranges),
        metrics=_metrics(known, rows),
        facts=_facts(known),
        config=as_yaml(config) if config else "(written when the run ends)",
        report=report,
    )


def health_in_words(
    findings: Sequence[Finding], last: Mapping[str, Any], summary: Mapping[str, Any]
) -> list[str]:
    """Say in short whether the training can be trusted.

    Args:
        findings: Of its record.
        last: Its last row.
        summary: Of the finished run; empty while it runs.

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
        row = {"metric": f"{name} (outside)", "value": show(value), "standard error": "–"}
        out.append(row)
    return out


def _facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [
        (text, show(summary[name]))
        for name, text in _FACTS.items()
        if summary.get(name) is not None
    ]
    own = {k: v for k, v in summary.items() if k not in _SHOWN_APART and k != "signals"}
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

"""Public names of earlier versions; each warns and names the new one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from aetia.effects.answers import EffectAnswers
from aetia.report.context import RunContext
from aetia.report.runs import render_report

__all__ = ["render_effect_report"]


def render_effect_report(
    answers: EffectAnswers,
    *,
    title: str,
    data_summary: Mapping[str, Sequence[Any]] | None = None,
    source: str = "",
    left_out: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> str:
    """Render the page of estimated effects; use :func:`render_report`."""
    _moved("render_effect_report", "render_report('effect', answers, RunContext(title=...))")
    context = RunContext(
        title=title,
        data_summary=data_summary or {},
        source=source,
        left_out=left_out,
        warnings=warnings,
    )
    return render_report("effect", answers, context)


def _moved(old: str, new: str) -> None:
    text = f"aetia.report.{old} will be gone in the next release; use {new}."
    warnings.warn(text, FutureWarning, stacklevel=3)

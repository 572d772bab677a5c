"""What stands around the answers of a run, and what is left when the run is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aetia.report.checks import Finding
from aetia.results import RunFacts

__all__ = ["RunContext", "WrittenRun"]


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What stands around the answers on a page.

    Attributes:
        title: Heading of the page.
        source: Where the data came from: name, number of rows and columns.
        data_summary: Columns of the table, lists by field, as from ``Dataset.summary``.
        left_out: Columns that were not used.
        warnings: Messages that were shown during the run.
        mute: Codes of checks that the user does not want to see.
    """

    title: str
    source: str = ""
    data_summary: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    warnings: Sequence[str] = ()
    mute: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class WrittenRun:
    """A run that lies complete in its folder.

    Attributes:
        folder: Where it lies.
        files: Its files by what they are; ``report`` is the page, ``health`` that of a training.
        words: The answer in sentences.
        findings: What the checks found, the gravest first, without those that were muted.
        facts: Method, seed, time and options.
        plain: The answer in plain values, for ``--json``.
    """

    folder: Path
    files: Mapping[str, Path]
    words: Sequence[str]
    findings: Sequence[Finding]
    facts: RunFacts
    plain: Mapping[str, Any]

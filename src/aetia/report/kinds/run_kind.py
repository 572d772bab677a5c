"""What a kind of result has to say about itself to be written, read back and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from aetia.report.context import RunContext
from aetia.report.sections.blocks import Section
from aetia.results import RunFacts

__all__ = ["RunKind", "read_facts"]

A = TypeVar("A")


@dataclass(frozen=True, kw_only=True)
class RunKind(Generic[A]):
    """One kind of result; everything that all kinds share is elsewhere.

    Its checks are the entries of ``CHECKS`` whose ``kind`` is its name.

    Attributes:
        name: ``kind`` in ``summary.json``.
        facts: Method, seed, time and options of the answers.
        kept: What ``summary.json`` keeps of the answers, in plain values.
        write: Writes the kind's own files into a folder and lists them by what they are.
        read: Makes the answers from such a folder and its summary.
        words: The answer in sentences: printed, and first on the page.
        plain: The answer in plain values, for ``--json``.
        page: Sections of the page. The first stands before what can be trusted, the others after
            it; blocks of sections ``answer`` and ``run`` are added to those that every page has.
        alert: Why not to rely on the answer, in one sentence; empty where nothing is known.
        footer: What the answer is conditional on.
        is_in_place: Whether the computation itself works in the folder (checkpoints, pictures), so
            that the run is written beside that and does not replace the folder.
    """

    name: str
    facts: Callable[[A], RunFacts]
    kept: Callable[[A], Mapping[str, Any]]
    write: Callable[[A, Path], dict[str, Path]]
    read: Callable[[Path, Mapping[str, Any]], A]
    words: Callable[[A], list[str]]
    plain: Callable[[A], Mapping[str, Any]]
    page: Callable[[A, RunContext], list[Section]]
    alert: Callable[[A], str] = lambda _: ""
    footer: str = ""
    is_in_place: bool = False


def read_facts(summary: Mapping[str, Any], known: RunFacts) -> RunFacts:
    """Read the facts of a run; what an earlier version left out of the summary, a result may know.

    Args:
        summary: What ``summary.json`` says.
        known: Facts of a result in the folder.

    Returns:
        The facts.
    """
    said = {name: value for name, value in summary["facts"].items() if value not in (None, "", {})}
    return RunFacts.from_dict({**known.to_dict(), **said})

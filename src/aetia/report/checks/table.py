"""The table of checks: one entry for each code, filled where the function of a check is defined."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, Literal, NamedTuple

from aetia.errors import InputError
from aetia.options import nearest

__all__ = ["CHECKS", "Check", "Finding", "Said", "Verdict", "check", "findings"]

Verdict = Literal["good", "look", "bad"]
Said = Iterator[tuple[Verdict, str]]
"""What a check yields: nothing where it does not apply, else a verdict and a sentence or two."""


class Finding(NamedTuple):
    """One check applied to one result.

    Attributes:
        code: Stable code of the check, a key of ``CHECKS``.
        title: What is checked.
        verdict: ``"good"``, ``"look"`` for what deserves a look, or ``"bad"``.
        text: What was found, with numbers, and what to do.
    """

    code: str
    title: str
    verdict: Verdict
    text: str


class Check(NamedTuple):
    """One thing that can be checked on results of one kind.

    Attributes:
        code: Stable code, unique among all checks.
        title: What is checked.
        kind: Kind of result, a key of ``KINDS``.
        severity: The gravest verdict that it gives.
        advice: What it looks at and what to do if it is not good; a section of ``docs/checks.md``.
        function: Takes the answers and yields verdicts with sentences.
    """

    code: str
    title: str
    kind: str
    severity: Verdict
    advice: str
    function: Callable[[Any], Said]


CHECKS: dict[str, Check] = {}


def check(
    code: str, title: str, *, kind: str, severity: Verdict
) -> Callable[[Callable[[Any], Said]], Callable[[Any], Said]]:
    """Enter a function into the table of checks; its docstring is the text of the documentation.

    Args:
        code: Stable code, not yet in the table.
        title: What is checked.
        kind: Kind of result.
        severity: The gravest verdict that it gives.

    Returns:
        A decorator that leaves the function as it is.

    Raises:
        ValueError: If the code belongs to another check.
    """

    if code in CHECKS:
        raise ValueError(f"{code} is the code of another check, {CHECKS[code].title!r}.")

    def enter(function: Callable[[Any], Said]) -> Callable[[Any], Said]:
        advice = " ".join((function.__doc__ or "").split())
        CHECKS[code] = Check(code, title, kind, severity, advice, function)
        return function

    return enter


def findings(kind: str, answers: Any, *, mute: Collection[str] = ()) -> list[Finding]:
    """Apply all checks of a kind to a result.

    Args:
        kind: Kind of result.
        answers: The result, as the kind has it.
        mute: Codes of checks that are left out.

    Returns:
        Findings, the gravest first.

    Raises:
        InputError: If a code to mute does not exist.
    """
    for code in mute:
        if code not in CHECKS:
            raise InputError(f"no check has the code {code!r}.{nearest(code, list(CHECKS))}")
    found = [
        Finding(entry.code, entry.title, verdict, text)
        for entry in CHECKS.values()
        if entry.kind == kind and entry.code not in mute
        for verdict, text in entry.function(answers)
    ]
    return sorted(found, key=lambda f: ("bad", "look", "good").index(f.verdict))

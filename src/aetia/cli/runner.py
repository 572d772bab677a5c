"""One way through every verb that fits: options, table, dry run, fit, run folder, print.

A verb turns what the user asked for into a :class:`Job`; everything before and after is here.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import typer

from aetia.cli.messages import echo_warnings
from aetia.cli.request import Request
from aetia.errors import InputError
from aetia.files import check_writable, dump_json
from aetia.options import nearest
from aetia.report import CHECKS, RunContext, WrittenRun, write_run

__all__ = ["Job", "Plan", "check_level", "run"]

_SHOWN = {"completed": "completed table", "generated": "generated rows", "report": "report"}
"""Files that are named in the terminal."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What ``--dry-run`` says.

    Attributes:
        on: Size of the table in words.
        seconds: Estimated time; None where it cannot be told.
        sure: What is known about the estimate, in words behind it or in place of it.
        facts: What ``--json`` has besides method, options, time and folder.
    """

    on: str
    seconds: float | None = None
    sure: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a verb will do, once options and table are read and checked.

    Attributes:
        kind: Kind of the run, a key of ``aetia.report.KINDS``.
        method: Name of the method.
        options: Options that were given.
        plan: Estimates the time for ``--dry-run``.
        answer: Fits the method, and returns the answers of the kind.
        context: Title, source, columns: what stands around the answers in the report.
        save: What else to save: a name in the folder, and what writes it there.
        reason: Why the method was chosen, where the user left that open.
        besides: Lines to print after the answer.
    """

    kind: str
    method: str
    options: Mapping[str, Any]
    plan: Callable[[], Plan]
    answer: Callable[[], Any]
    context: Mapping[str, Any]
    save: Mapping[str, Callable[..., object]] = field(default_factory=dict)
    reason: str = ""
    besides: Callable[[Any], Sequence[str]] = lambda _: ()


def run(asked: Request, prepare: Callable[[Request], Job]) -> None:
    """Carry out a verb.

    Args:
        asked: What the user asked for.
        prepare: Reads options and table, and says what to do.

    Raises:
        InputError: If the request cannot be answered.
    """
    mute = _codes(asked.mute)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        job = prepare(asked)
        plan, answers = (job.plan(), None) if asked.dry_run else (None, None)
        if plan is None:
            check_writable(asked.out, force=asked.force)
            answers = job.answer()
    messages = echo_warnings(caught)
    if plan is not None:
        _say_plan(asked, job, plan)
        return
    context = RunContext(**job.context, warnings=messages, mute=mute)
    written = write_run(job.kind, answers, asked.out, context, save=job.save, force=asked.force)
    _say(asked, job, written, messages, job.besides(answers))


def check_level(level: float) -> None:
    """Refuse a probability inside intervals that is none."""
    if not 0.0 < level < 1.0:
        raise InputError(f"--level must lie strictly between 0 and 1, got {level!r}.")


def _codes(words: Sequence[str] | None) -> list[str]:
    """Read the codes of ``--mute``."""
    codes = [code.strip().upper() for word in words or () for code in word.split(",")]
    for code in filter(None, codes):
        if code not in CHECKS:
            raise InputError(
                f"--mute: no check has the code {code!r}.{nearest(code, list(CHECKS))} "
                "docs/checks.md lists them."
            )
    return list(dict.fromkeys(filter(None, codes)))


def _say(
    asked: Request,
    job: Job,
    written: WrittenRun,
    messages: Sequence[str],
    besides: Sequence[str],
) -> None:
    """Print a run: its answer, what the checks found, and where it lies."""
    if asked.as_json:
        about = {
            "facts": written.facts.to_dict(),
            "method_reason": job.reason,
            "checks": [finding._asdict() for finding in written.findings],
            "warnings": list(messages),
            "files": written.files,
        }
        typer.echo(dump_json({**written.plain, **about}))
    else:
        doubts = [f for f in written.findings if f.verdict != "good"]
        for line in (
            *([f"method: {job.method} ({job.reason})"] if job.reason else []),
            *written.words,
            *besides,
            *(f"{f.verdict} {f.code} ({f.title}): {' '.join(f.text.split())}" for f in doubts),
            *(f"{what}: {written.files[k]}" for k, what in _SHOWN.items() if k in written.files),
        ):
            typer.echo(line)
    sys.stdout.flush()


def _say_plan(asked: Request, job: Job, plan: Plan) -> None:
    if asked.as_json:
        options = {k: v for k, v in job.options.items() if k != "progress"}
        about = {"options": options, "estimated_seconds": plan.seconds, "out": asked.out}
        typer.echo(dump_json({"method": job.method, **plan.facts, **about}))
        return
    time = "" if plan.seconds is None else f"about {plan.seconds:.0f} s"
    if plan.seconds is not None and plan.seconds < 1:
        time = "less than a second"
    sure = plan.sure or ("" if time else "the time is not estimated")
    about = f"{time}, {sure}" if time and sure else time or sure
    typer.echo(
        f"would run {job.method} on {plan.on} into {asked.out}/: {about}. Nothing was written."
    )

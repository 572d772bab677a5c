"""A run is written to its folder as a whole, and its pages are made from what lies there."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from aetia.errors import InputError, ResultFileError
from aetia.files import (
    check_writable,
    plain_json,
    read_json,
    replacing_run,
    write_atomically,
    write_json,
)
from aetia.report.checks import Finding, findings
from aetia.report.context import RunContext, WrittenRun
from aetia.report.earlier_runs import NAMES_OF_EARLIER_RUNS, summary_of
from aetia.report.kinds import KINDS, RunKind
from aetia.report.kinds.health import health_records, write_health_pages
from aetia.report.page import run_page

__all__ = ["rebuild_report", "render_report", "write_run"]

_SCHEMA = 1
_SUMMARY, _REPORT, _CONFIG = "summary.json", "report.html", "config.yaml"


def write_run(
    kind: str,
    answers: Any,
    out: str | Path,
    context: RunContext,
    *,
    save: Mapping[str, Callable[[Path], object]] = MappingProxyType({}),
    force: bool = False,
) -> WrittenRun:
    """Write everything about a run to a folder, the report last and made from the folder.

    Nothing is seen at ``out`` before all of it is there; a run that was there before is replaced
    as a whole, files of the user's own stay. Kinds whose computation itself works in the folder
    are written into it.

    Args:
        kind: Kind of the answers, a key of ``KINDS``.
        answers: What the kind shows.
        out: The folder.
        context: Title, source and what else stands around the answers.
        save: What else to save: a name in the folder, and what writes it there, such as
            ``{"model": estimator.save}``.
        force: Whether a run may be replaced.

    Returns:
        Where all of it lies, the answer in words and what the checks found.

    Raises:
        InputError: If the folder cannot be written, or is not empty without ``force``.
    """
    shown, place = KINDS[kind], Path(out)
    if not shown.is_in_place:
        check_writable(place, force=force)
    with _folder(shown, place) as folder:
        files = shown.write(answers, folder)
        for name, saver in save.items():
            files[name] = folder / name
            saver(files[name])
        facts = shown.facts(answers)
        files |= {name: folder / file for name, file in _SHARED.items()}
        config = yaml.safe_dump(
            plain_json({"method": facts.method, **facts.config}),
            sort_keys=False,
            allow_unicode=True,
        )
        write_atomically(files["config"], config)
        listed = sorted(str(file.relative_to(folder)) for file in files.values())
        before = _listed(folder) if shown.is_in_place else ()
        summary = {
            "kind": kind,
            "schema": _SCHEMA,
            "facts": facts.to_dict(),
            "files": listed,
            **asdict(context),
            **shown.kept(answers),
        }
        write_json(files["summary"], summary)
        answers, found, pages = _write_pages(folder, plain_json(summary))
        if pages:
            files["health"] = pages[0]
            summary["files"] += [page.name for page in pages]
            write_json(files["summary"], summary)
        for name in {*before} - {*summary["files"]}:
            _remove(folder / name)
        inside = {name: file.relative_to(folder) for name, file in files.items()}
    return WrittenRun(
        folder=place,
        files={name: place / file for name, file in inside.items()},
        words=shown.words(answers),
        findings=found,
        facts=shown.facts(answers),
        plain=plain_json(shown.plain(answers)),
    )


_SHARED = {"config": _CONFIG, "summary": _SUMMARY, "report": _REPORT}


@contextlib.contextmanager
def _folder(kind: RunKind[Any], place: Path) -> Iterator[Path]:
    """Give the folder to write into: the run's own, or one that takes its place at the end."""
    if kind.is_in_place:
        place.mkdir(parents=True, exist_ok=True)
        yield place
        return
    with replacing_run(place, of_old_runs=NAMES_OF_EARLIER_RUNS) as folder:
        yield folder


def _listed(folder: Path) -> list[str]:
    """List what an earlier run in the folder says is its own."""
    with contextlib.suppress(ResultFileError, AttributeError):
        return [str(name) for name in read_json(folder / _SUMMARY).get("files", ())]
    return []


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def render_report(kind: str, answers: Any, context: RunContext) -> str:
    """Render the page of a run without writing anything.

    Args:
        kind: Kind of the answers, a key of ``KINDS``.
        answers: What the kind shows.
        context: Title, source and what else stands around them.

    Returns:
        HTML, one file without external files or scripts.
    """
    return run_page(KINDS[kind], answers, context, findings(kind, answers, mute=context.mute))


def rebuild_report(run: str | Path) -> Path:
    """Make the reports of a run folder again, from what is saved there.

    Args:
        run: A folder written by a verb of the command line, of this version or an earlier one, or
            any folder with the health record of a training, in it or one level below.

    Returns:
        The report; for a folder that holds a training alone its health page. Health pages are
        written besides, and linked.

    Raises:
        InputError: If there is no such folder, or no run in it.
        ResultFileError: If something is missing or damaged.
    """
    folder = Path(run)
    if not folder.is_dir():
        raise InputError(f"no such run folder: {str(folder)!r}.")
    summary = summary_of(folder)
    if summary is None:
        if not health_records(folder):
            raise InputError(
                f"no run in {str(folder)!r}: it holds neither a summary.json nor the health record "
                "of a training."
            )
        pages = write_health_pages(folder, report=None)
        if not pages:
            raise ResultFileError(
                f"the health record in {str(folder)!r} has no row of training yet. Wait for the "
                "first log_every steps."
            )
        return pages[0]
    _write_pages(folder, summary)
    return folder / _REPORT


def _write_pages(folder: Path, summary: Mapping[str, Any]) -> tuple[Any, list[Finding], list[Path]]:
    """Make health pages and report from a folder, the report last."""
    kind = KINDS[summary["kind"]]
    pages = write_health_pages(folder, report=_REPORT)
    links = [page.name for page in pages]
    try:
        answers = kind.read(folder, summary)
        known = {f.name: summary[f.name] for f in fields(RunContext) if f.name in summary}
        context = RunContext(**known)
        found = findings(kind.name, answers, mute=context.mute)
        html = run_page(kind, answers, context, found, links=links)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        if isinstance(error, (InputError, ResultFileError)):
            raise
        raise ResultFileError(f"{str(folder)!r} is damaged: {error}") from error
    write_atomically(folder / _REPORT, html)
    return answers, found, pages

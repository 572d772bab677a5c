"""Health pages beside the health records of a run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aetia.errors import ResultFileError
from aetia.files import write_atomically
from aetia.report.before.health_report import render_health_report
from aetia.training import SUMMARY_FILE, read_record

__all__ = ["health_records", "write_health_pages"]

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


def write_health_pages(run: str | Path) -> list[Path]:
    """Write a page for each health record, and link them with the report of the results.

    Args:
        run: A folder with a record in it or one level below; records without a row are left out.

    Returns:
        The pages: ``health.html``, or ``health-SUBFOLDER.html`` for further ones.
    """
    folder = Path(run)
    pages: list[Path] = []
    report = folder / "report.html"
    for record in health_records(folder):
        rows = read_record(record)
        if not any("learning_rate" in r for r in rows):
            continue
        name = f"health-{record.parent.name}.html" if pages else "health.html"
        html = render_health_report(
            rows,
            _summary(record.parent / SUMMARY_FILE),
            title=f"Training health: {_title(folder, record)}",
            report=report.name if report.is_file() else None,
        )
        write_atomically(folder / name, html)
        pages.append(folder / name)
    if pages and report.is_file():
        _link(report, pages)
    return pages


def _title(folder: Path, record: Path) -> str:
    name = folder.resolve().name
    return name if record.parent == folder else f"{name}, {record.parent.name}"


def _summary(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultFileError(f"{str(file)!r} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise ResultFileError(f"{str(file)!r} is damaged: it holds no mapping.")
    return found


def _link(report: Path, pages: list[Path]) -> None:
    """Name the pages in the footer of a report that does not do so yet."""
    html = report.read_text(encoding="utf-8")
    links = "".join(
        f' <a href="{page.name}">Training health</a>.'
        for page in pages
        if f'href="{page.name}"' not in html
    )
    if links and "</footer>" in html:
        write_atomically(report, html.replace("</footer>", f"{links}</footer>", 1))

"""The one-file HTML report of a diffusion experiment, and the summary that it is made from."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aetia.errors import ResultFileError
from aetia.files import plain_json, write_atomically
from aetia.report.before.checks import Check
from aetia.report.before.health_folder import write_health_pages
from aetia.report.before.page import as_yaml, render_page, show

__all__ = ["diffusion_report_of", "write_diffusion_run"]


def write_diffusion_run(
    out: str | Path,
    *,
    title: str,
    source: str,
    words: Sequence[str],
    numbers: Mapping[str, Any],
    pictures: Mapping[str, str],
    facts: Mapping[str, Any],
    config: Mapping[str, Any],
    warnings: Sequence[str] = (),
) -> Path:
    """Write summary and report of an experiment to its folder.

    Args:
        out: The folder, with the pictures in it.
        title: Heading.
        source: What was learned from.
        words: Sentences that say what came out.
        numbers: Results by name.
        pictures: Caption to file name.
        facts: About the run; ``verdicts`` of its signals become findings.
        config: Options.
        warnings: Messages shown to the user during the run.

    Returns:
        The report.
    """
    folder = Path(out)
    summary = plain_json(
        {
            "kind": "diffusion",
            "title": title,
            "source": source,
            "words": list(words),
            "numbers": numbers,
            "pictures": pictures,
            "facts": facts,
            "config": config,
            "warnings": list(warnings),
        }
    )
    write_atomically(folder / "summary.json", json.dumps(summary, indent=1))
    report = folder / "report.html"
    write_atomically(report, diffusion_report_of(folder, summary))
    write_health_pages(folder)
    return report


def diffusion_report_of(folder: Path, summary: Mapping[str, Any]) -> str:
    """Render the report from what is saved.

    Args:
        folder: With the pictures.
        summary: What ``summary.json`` in it says.

    Returns:
        HTML.

    Raises:
        ResultFileError: If a picture is missing.
    """
    facts = dict(summary["facts"])
    checks = [
        Check("AE601", "good" if text == "ok" else "look", f"{signal}: {text}.")
        for signal, text in facts.pop("verdicts", {}).items()
    ]
    return render_page(
        "diffusion.html.j2",
        title=summary["title"],
        source=summary["source"],
        words=summary["words"],
        numbers=[{"quantity": k, "value": show(v)} for k, v in summary["numbers"].items()],
        pictures=[
            {"caption": caption, "image": _png(folder / name)}
            for caption, name in summary["pictures"].items()
        ],
        checks=checks,
        warnings=summary["warnings"],
        facts=[(k, show(v)) for k, v in facts.items()],
        config=as_yaml(summary["config"]),
    )


def _png(file: Path) -> str:
    try:
        return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()
    except OSError as error:
        raise ResultFileError(f"cannot read the picture {str(file)!r}: {error}") from error

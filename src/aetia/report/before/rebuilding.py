"""Reports made again from what is saved in the folder of a run."""

from __future__ import annotations

import json
from pathlib import Path

from aetia.errors import InputError, ResultFileError
from aetia.files import write_atomically
from aetia.report.before.diffusion_report import diffusion_report_of
from aetia.report.before.effect_folder import effect_report_of
from aetia.report.before.graph_folder import graph_report_of
from aetia.report.before.health_folder import health_records, write_health_pages
from aetia.report.before.series_folder import series_report_of
from aetia.report.before.table_folder import generation_report_of, imputation_report_of

__all__ = ["rebuild_report"]

_KINDS = {
    "graph": graph_report_of,
    "effect": effect_report_of,
    "imputation": imputation_report_of,
    "generation": generation_report_of,
    "diffusion": diffusion_report_of,
    "series": series_report_of,
}


def rebuild_report(run: str | Path) -> Path:
    """Make the reports of a run folder again, from what is saved there.

    Args:
        run: A folder written by ``discover``, ``effect``, ``impute``, ``generate`` or
            ``diffusion``, or any folder with the health record of a training, in it or one level
            below.

    Returns:
        The report; for a folder that holds a training alone, or whose report cannot be made again,
        its health page. Health pages are written besides, and linked.

    Raises:
        InputError: If there is no such folder.
        ResultFileError: If something is missing or damaged.
    """
    folder = Path(run)
    if not folder.is_dir():
        raise InputError(f"no such run folder: {str(folder)!r}.")
    if not (folder / "summary.json").is_file() and health_records(folder):
        pages = write_health_pages(folder)
        if not pages:
            raise ResultFileError(
                f"the health record in {str(folder)!r} has no row of training yet. Wait for the "
                "first log_every steps."
            )
        return pages[0]
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        kind = summary.get("kind", "graph")
        make = _KINDS[kind]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ResultFileError(
            f"{str(folder / 'summary.json')!r} is missing or damaged: {error}"
        ) from error
    report = folder / "report.html"
    write_atomically(report, make(folder, summary))
    write_health_pages(folder)
    return report

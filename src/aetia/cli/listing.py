"""The verb ``datasets``."""

from __future__ import annotations

import json

import typer

from aetia.data import PUBLIC_DATA

__all__ = ["run_datasets"]


def run_datasets(*, as_json: bool) -> None:
    """List the public data sets.

    Args:
        as_json: Print JSON instead of lines.
    """
    rows = [
        {
            "name": name,
            "rows": entry.rows,
            "columns": entry.columns,
            "where": (
                "bundled"
                if entry.is_offline and not entry.extra
                else f"pip install 'aetia[{entry.extra}]'"
                if entry.extra
                else "fetched once"
            ),
            "description": entry.description,
        }
        for name, entry in PUBLIC_DATA.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(
            f"{row['name']:14} {row['rows']:>7,} x {row['columns']:<3} {row['where']:28} "
            f"{row['description']}"
        )

"""The verb ``datasets``."""

from __future__ import annotations

import typer

from aetia.cli import options as o


def datasets(as_json: o.Json = False) -> None:
    """List the public data sets that verbs take by name."""
    from aetia.data import PUBLIC_DATA
    from aetia.files import dump_json

    rows = []
    for name, entry in PUBLIC_DATA.items():
        where = "bundled" if entry.is_offline else "fetched once"
        if entry.extra:
            where = f"pip install 'aetia[{entry.extra}]'"
        size = {"rows": entry.rows, "columns": entry.columns}
        rows.append({"name": name, **size, "where": where, "description": entry.description})
    if as_json:
        typer.echo(dump_json(rows))
        return
    for row in rows:
        typer.echo(
            f"{row['name']:14} {row['rows']:>7,} x {row['columns']:<3} {row['where']:28} "
            f"{row['description']}"
        )

"""What ``corrupt`` does: true values in, the readings of bad sensors out, everything known."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from aetia.cli.messages import echo_warnings
from aetia.cli.method_options import read_setting, read_yaml
from aetia.cli.request import Request
from aetia.cli.tables import choose_columns, read_truth, table_frame, truth_graph
from aetia.data import Recordings, place_rows
from aetia.errors import InputError
from aetia.files import (
    check_writable,
    dump_json,
    plain_json,
    replacing_run,
    write_atomically,
    write_json,
)
from aetia.options import nearest
from aetia.scm.corruption import (
    PRESETS,
    Corrupted,
    Corruption,
    build_corruption,
    corrupt,
    corruption_in_words,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["list_presets", "run_corrupt"]

_TABLES = ("clean.csv", "observed.csv", "data.csv")
_PER_SENSOR = ("mean", "unit", "gain", "offset", "driver")
_PER_CELL = ("outlier", "stuck", "missing", "dead")


def list_presets(*, as_json: bool) -> None:
    """List the presets."""
    if as_json:
        rows = [
            {"name": name, "about": p.about, "options": _plain(p.corruption)}
            | {"n_regimes": p.n_regimes, "regime_kind": p.regime_kind}
            for name, p in PRESETS.items()
        ]
        typer.echo(dump_json(rows))
        return
    for name, p in PRESETS.items():
        typer.echo(f"{name:25} {p.about}")


def run_corrupt(asked: Request) -> None:
    """Corrupt a table and write it with what is true about it."""
    if asked.table is None:
        raise InputError(
            "corrupt needs a table of true values: aetia corrupt TABLE --preset moderate. "
            "--list shows the presets."
        )
    options = _options(asked)
    frame, source = table_frame(asked.table)
    columns = [str(c) for c in frame.columns]
    roles = {"time": asked.time, "series": asked.series, "regime": asked.regime}
    exclude = choose_columns(asked, columns, roles).exclude
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        placed = place_rows(frame, exclude=exclude, **roles)
    messages = echo_warnings(caught)
    names = placed.names
    graph = truth_graph(read_truth(asked.truth, names), names)
    if options.missing is not None and options.missing.kind == "mnar-structural" and graph is None:
        typer.echo(
            "note: losses by causes need --truth; without it they follow each sensor's own value.",
            err=True,
        )
    if asked.preset is not None and PRESETS[asked.preset].n_regimes > 1:
        typer.echo(
            f"note: {asked.preset} has {PRESETS[asked.preset].n_regimes} regimes in a "
            "simulation; regimes act inside the causal model, so those of a table stay.",
            err=True,
        )
    _check_not_the_input(asked.out, asked.table)
    check_writable(asked.out, force=asked.force)
    result = corrupt(placed.windows, options, graph=graph, random_state=asked.seed)
    facts = plain_json(
        {"preset": asked.preset, "source": source} | _facts(result, placed) | {"warnings": messages}
    )
    _write(asked.out, frame, placed, result, facts)
    data = asked.out / "data.csv"
    if asked.as_json:
        typer.echo(dump_json(facts | {"data": data}))
        return
    lost = facts["share_lost"]
    worst = max(lost, key=lost.__getitem__)
    losses = (
        f"{facts['share_lost_in_all']:.1%} of the readings lost (most: {worst}, {lost[worst]:.1%})"
        if facts["share_lost_in_all"]
        else "no reading lost"
    )
    typer.echo(
        f"{data}: {len(frame):,} rows, {placed.d} sensors, "
        f"{asked.preset or 'own options'}; {losses}; seed {result.seed}"
    )


def _options(asked: Request) -> Corruption:
    """Collect options: ``--set`` beats the file beats the preset."""
    if asked.preset is None and asked.config is None and not asked.settings:
        raise InputError(
            "nothing was asked for: pass --preset (--list shows them), --config or --set."
        )
    if asked.preset is not None and asked.preset not in PRESETS:
        raise InputError(
            f"no preset {asked.preset!r}.{nearest(asked.preset, list(PRESETS))} "
            "`aetia corrupt --list` shows them."
        )
    values: dict[str, Any] = {}
    if asked.preset is not None:
        values = _plain(PRESETS[asked.preset].corruption)
    if asked.config is not None:
        values = _merged(values, read_yaml(asked.config))
    for setting in asked.settings or ():
        values = _merged(values, _setting(setting))
    return build_corruption(values)


def _setting(setting: str) -> dict[str, Any]:
    name, value = read_setting(setting)
    outer, dot, inner = name.partition(".")
    return {outer: {inner: value} if dot else value}


def _merged(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for name, value in above.items():
        old = out.get(name)
        is_nested = isinstance(old, dict) and isinstance(value, Mapping)
        out[name] = old | dict(value) if is_nested else value  # pyright: ignore
    return out


def _plain(options: Any) -> dict[str, Any]:
    """List options as plain values, nested ones as mappings."""
    out = {}
    for field in fields(options):
        value = getattr(options, field.name)
        out[field.name] = _plain(value) if is_dataclass(value) else value
    return out


def _check_not_the_input(out: Path, table: str) -> None:
    for name in _TABLES:
        if (out / name).exists() and (out / name).resolve() == Path(table).resolve():
            raise InputError(f"--out would write over the table {table!r}. Choose another folder.")


def _facts(result: Corrupted, placed: Recordings) -> dict[str, Any]:
    names, recorded = result.data.names, placed.windows.observed
    lost = recorded & ~result.observed
    facts: dict[str, Any] = {
        "seed": result.seed,
        "rows": placed.n_rows,
        "recordings": len(result.data.series_names),
        "regimes": list(result.data.regime_names),
        "options": _plain(result.corruption),
        "share_lost_in_all": float(lost.sum() / recorded.sum()),
        "share_lost": dict(
            zip(names, (lost.sum((0, 1)) / recorded.sum((0, 1))).tolist(), strict=True)
        ),
        "sensors": {
            name: {k: v[j].item() for k, v in result.parameters.items() if k in _PER_SENSOR}
            | (
                {"curve": result.parameters["curve"][:, j].tolist()}
                if "curve" in result.parameters
                else {}
            )
            | {
                f"share_{k}": float(v[:, :, j].sum() / recorded[:, :, j].sum())
                for k, v in result.parameters.items()
                if k in _PER_CELL
            }
            for j, name in enumerate(names)
        },
    }
    return facts | {"in_words": corruption_in_words(result.corruption)}


def _write(
    out: Path, frame: pd.DataFrame, placed: Recordings, result: Corrupted, facts: dict[str, Any]
) -> None:
    import pandas as pd

    names = list(placed.names)
    data, clean = frame.copy(), frame.copy()
    data[names], clean[names] = placed.at_rows(result.data.values), placed.at_rows(result.clean)
    observed = pd.DataFrame(placed.at_rows(result.observed).astype(int), columns=names)
    with replacing_run(out, of_old_runs=(*_TABLES, "corruption.json")) as folder:
        for name, table in zip(_TABLES, (clean, observed, data), strict=True):
            write_atomically(folder / name, table.to_csv(index=False))
        write_json(folder / "corruption.json", facts)

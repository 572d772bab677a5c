"""The verb ``corrupt``."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from aetia.cli.messages import echo_warnings
from aetia.cli.options_file import read_setting, read_yaml
from aetia.cli.tables import check_column, split_names, table_frame
from aetia.data import Recordings, place_rows
from aetia.errors import InputError
from aetia.files import plain_json, write_atomically
from aetia.options import nearest
from aetia.report import check_writable
from aetia.scm.corruption import PRESETS, Corrupted, Corruption, build_corruption, corrupt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CorruptRequest", "run_corrupt", "run_list"]

_PER_SENSOR = ("mean", "unit", "gain", "offset", "driver")
_PER_CELL = ("outlier", "stuck", "missing", "dead")


@dataclass(frozen=True, kw_only=True)
class CorruptRequest:
    """What the user asked for, as it stood on the command line."""

    table: str | None
    preset: str | None
    time: str | None
    series: str | None
    regime: str | None
    exclude: tuple[str, ...]
    truth: Path | None
    config: Path | None
    settings: tuple[str, ...]
    seed: int | None
    out: Path
    as_json: bool


def run_list(*, as_json: bool) -> None:
    """List the presets.

    Args:
        as_json: Print JSON instead of lines.
    """
    if as_json:
        rows = [
            {"name": name, "about": p.about, "options": _plain(p.corruption)}
            | {"n_regimes": p.n_regimes, "regime_kind": p.regime_kind}
            for name, p in PRESETS.items()
        ]
        typer.echo(json.dumps(plain_json(rows)))
        return
    for name, p in PRESETS.items():
        typer.echo(f"{name:25} {p.about}")


def run_corrupt(request: CorruptRequest) -> None:
    """Corrupt a table and write it with what is true about it.

    Args:
        request: Everything on the command line.

    Raises:
        InputError: If the table or the options cannot be used.
    """
    if request.table is None:
        raise InputError(
            "corrupt needs a table of true values: aetia corrupt TABLE --preset moderate. "
            "--list shows the presets."
        )
    options = _options(request)
    frame, source = table_frame(request.table)
    columns = [str(c) for c in frame.columns]
    exclude = split_names("--exclude", request.exclude, columns)
    roles = {"time": request.time, "series": request.series, "regime": request.regime}
    for option, name in roles.items():
        if name is not None:
            check_column(f"--{option}", name, columns)
            if name in exclude:
                raise InputError(f"--{option} and --exclude both name the column {name!r}.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        placed = place_rows(frame, exclude=exclude, **roles)
    messages = echo_warnings(caught)
    graph = None if request.truth is None else _read_graph(request.truth, placed.windows.names)
    if options.missing is not None and options.missing.kind == "mnar-structural" and graph is None:
        typer.echo(
            "note: losses by causes need --truth; without it they follow each sensor's own value.",
            err=True,
        )
    if request.preset is not None and PRESETS[request.preset].n_regimes > 1:
        typer.echo(
            f"note: {request.preset} has {PRESETS[request.preset].n_regimes} regimes in a "
            "simulation; regimes act inside the causal model, so those of a table stay.",
            err=True,
        )
    _check_not_the_input(request.out, request.table)
    folder = check_writable(request.out)
    result = corrupt(placed.windows, options, graph=graph, random_state=request.seed)
    facts = plain_json(
        {"preset": request.preset, "source": source}
        | _facts(result, placed)
        | {"warnings": messages}
    )
    _write(folder, frame, placed, result, facts)
    if request.as_json:
        typer.echo(json.dumps(facts | {"data": str(folder / "data.csv")}))
        return
    lost = facts["share_lost"]
    worst = max(lost, key=lost.__getitem__)
    losses = (
        f"{facts['share_lost_in_all']:.1%} of the readings lost (most: {worst}, {lost[worst]:.1%})"
        if facts["share_lost_in_all"]
        else "no reading lost"
    )
    typer.echo(
        f"{folder / 'data.csv'}: {len(frame):,} rows, {placed.windows.d} sensors, "
        f"{request.preset or 'own options'}; {losses}; seed {result.seed}"
    )


def _options(request: CorruptRequest) -> Corruption:
    """Collect options: ``--set`` beats the file beats the preset."""
    if request.preset is None and request.config is None and not request.settings:
        raise InputError(
            "nothing was asked for: pass --preset (--list shows them), --config or --set."
        )
    if request.preset is not None and request.preset not in PRESETS:
        raise InputError(
            f"no preset {request.preset!r}.{nearest(request.preset, list(PRESETS))} "
            "`aetia corrupt --list` shows them."
        )
    values: dict[str, Any] = {}
    if request.preset is not None:
        values = _plain(PRESETS[request.preset].corruption)
    if request.config is not None:
        values = _merged(values, read_yaml(request.config))
    for setting in request.settings:
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


def _read_graph(file: Path, names: tuple[str, ...]) -> np.ndarray:
    import pandas as pd

    try:
        frame = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read --truth {str(file)!r}: {error}") from error
    if not {"source", "target"} <= set(frame.columns):
        raise InputError(
            f"--truth {str(file)!r} needs the columns source and target, found "
            f"{', '.join(map(str, frame.columns))}."
        )
    graph = np.zeros((len(names), len(names)), dtype=bool)
    for edge in zip(frame["source"], frame["target"], strict=True):
        i, j = (names.index(check_column("--truth", str(end), names)) for end in edge)
        graph[i, j] = True
    return graph


def _check_not_the_input(out: Path, table: str) -> None:
    for name in ("data.csv", "clean.csv", "observed.csv"):
        if (out / name).exists() and (out / name).resolve() == Path(table).resolve():
            raise InputError(f"--out would write over the table {table!r}. Choose another folder.")


def _facts(result: Corrupted, placed: Recordings) -> dict[str, Any]:
    names, recorded = result.data.names, placed.windows.observed
    lost = recorded & ~result.observed
    facts: dict[str, Any] = {
        "seed": result.seed,
        "rows": len(placed.window),
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
    return facts | {"in_words": _words(result.corruption)}


def _words(options: Corruption) -> list[str]:
    """Say what was done, in the order in which it was done."""
    lines = []
    if options.gain is not None:
        lines.append(
            f"Each sensor was multiplied by a gain from {options.gain[0]} to {options.gain[1]}."
        )
    if options.offset:
        lines.append(
            f"Each sensor got an offset of up to {options.offset} of its standard deviation."
        )
    if options.nonlinear is not None:
        lines.append(
            f"Each sensor answers by a curve: powers 2 to {options.nonlinear.degree} of the true "
            f"value were added, with coefficients of size {options.nonlinear.size} / power."
        )
    if options.noise:
        lines.append(
            f"White noise of {options.noise} standard deviations was added"
            + (", more for values far from the mean." if options.heteroscedastic else ".")
        )
    if options.outliers is not None:
        lines.append(
            f"{options.outliers.rate:.0%} of the readings are outliers, off by up to "
            f"{options.outliers.size} standard deviations."
        )
    if options.drift:
        lines.append(
            f"Each sensor drifts through the whole recording, with innovations of {options.drift} "
            "standard deviations."
        )
    if options.stuck is not None:
        lines.append(
            f"Sensors are stuck at their last reading for {options.stuck.rate:.0%} of the time, in "
            f"spells of {options.stuck.mean_length} steps on average. Nothing marks these readings."
        )
    if options.missing is not None:
        why = {
            "mcar": "by chance",
            "mar": "where two other sensors, which lose nothing, say so",
            "mnar-self": "more often the higher the true value is",
            "mnar-threshold": "where the true value is highest",
            "mnar-extreme": "where the true value is highest or lowest",
            "mnar-structural": "where the true values of a sensor's causes say so",
        }[options.missing.kind]
        lines.append(f"{options.missing.rate:.0%} of the cells of a sensor are lost, {why}.")
    if options.dead is not None:
        lines.append(
            f"Sensors give no reading for {options.dead.rate:.0%} of the time, in spells of "
            f"{options.dead.mean_length} steps on average."
        )
    return lines or ["Nothing was corrupted."]


def _write(
    folder: Path, frame: pd.DataFrame, placed: Recordings, result: Corrupted, facts: dict[str, Any]
) -> None:
    import pandas as pd

    at = (placed.window, placed.step)
    data, clean = frame.copy(), frame.copy()
    for j, name in enumerate(result.data.names):
        data[name] = result.data.values[:, :, j][at]
        clean[name] = result.clean[:, :, j][at]
    observed = pd.DataFrame(result.observed[at].astype(int), columns=list(result.data.names))
    write_atomically(folder / "clean.csv", clean.to_csv(index=False))
    write_atomically(folder / "observed.csv", observed.to_csv(index=False))
    write_atomically(folder / "corruption.json", json.dumps(facts, indent=1))
    write_atomically(folder / "data.csv", data.to_csv(index=False))

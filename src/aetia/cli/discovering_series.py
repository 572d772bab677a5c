"""The verb ``discover`` with a method for time series."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from aetia.cli.messages import echo_warnings
from aetia.cli.tables import check_column, split_names, table_frame
from aetia.data import Placed, place_rows
from aetia.errors import InputError
from aetia.files import plain_json
from aetia.graphs import Knowledge
from aetia.report import SeriesAnswers, check_writable, collect_series, write_series_run

if TYPE_CHECKING:
    import pandas as pd

    from aetia.cli.discovering import Request

__all__ = ["check_series_options", "run_discover_series", "takes_series"]


def takes_series(cls: type) -> bool:
    """Tell whether a method computes on time series.

    Args:
        cls: Estimator.

    Returns:
        True if its ``fit`` takes the name of a time column.
    """
    return "time" in signature(cls.fit).parameters  # pyright: ignore[reportAttributeAccessIssue]


def check_series_options(request: Request, cls: type) -> None:
    """Refuse options that the method has no use for.

    Args:
        request: What the user asked for.
        cls: Estimator.

    Raises:
        InputError: Naming the option, and what to do instead.
    """
    if not takes_series(cls):
        takes_regimes = cls.accepts.regimes  # pyright: ignore[reportAttributeAccessIssue]
        for option in ("time", "series") if takes_regimes else ("time", "series", "regime"):
            if getattr(request, option) is not None:
                raise InputError(
                    f"--{option} {getattr(request, option)!r}: {request.method} takes rows as "
                    "independent and has no use for it. Use --method rcgnn for time series, or "
                    f"drop the column with --exclude {getattr(request, option)}."
                )
        return
    if request.intervened is not None:
        raise InputError(
            f"--intervened {request.intervened!r}: {request.method} takes no interventions. Mark "
            "rows in which something was set as a regime of their own: --regime COLUMN."
        )
    if request.effects:
        raise InputError(
            f"--effect {request.effects[0]!r}: {request.method} has selection frequencies and no "
            "posterior of effects. The weights of edges are in edges.csv."
        )
    if request.likelihood is not None:
        raise InputError(
            f"--likelihood {request.likelihood!r}: {request.method} has none. Choose linear or "
            "neural mechanisms with --set backend=linear or --set backend=neural."
        )


def run_discover_series(request: Request, cls: type, options: dict[str, Any]) -> None:
    """Find the graph of recordings and write the run folder.

    Args:
        request: What the user asked for.
        cls: Estimator.
        options: Its options.
    """
    knowledge = Knowledge.from_yaml(request.knowledge) if request.knowledge else None
    frame, source = table_frame(request.table)
    roles = {"time": request.time, "series": request.series, "regime": request.regime}
    exclude = _left_out(request, frame, roles)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        placed = place_rows(frame, exclude=exclude, **roles)
        names = placed.windows.names
        truth = None if request.truth is None else _read_truth(request.truth, names)
        if knowledge is not None:
            knowledge.constraints(names)
        if request.dry_run:
            _say_what_would_run(request, options, placed)
            return
        check_writable(request.out)
        ours = {"random_state": request.seed, "progress": False if request.quiet else None}
        estimator = cls(**options | ours).fit(
            frame.drop(columns=exclude), knowledge=knowledge, **roles
        )
    messages = echo_warnings(caught)
    answers = collect_series(estimator)
    files = write_series_run(
        answers,
        request.out,
        title=f"Causes in {Path(request.table).name}",
        imputed=_filled(frame, placed, estimator.imputed_),
        source=f"{source}, {len(frame):,} rows, {len(names)} sensors",
        roles=roles,
        warnings=messages,
        truth=truth,
        health=estimator.health_,
        training=estimator.training_summary_,
    )
    _print_result(request, answers, files)


def _left_out(request: Request, frame: pd.DataFrame, roles: dict[str, str | None]) -> list[str]:
    """Collect the columns that are no sensors and tell nothing either."""
    columns = [str(c) for c in frame.columns]
    exclude = split_names("--exclude", request.exclude, columns)
    keep = split_names("--column", request.columns, columns)
    for option, name in roles.items():
        if name is None:
            continue
        check_column(f"--{option}", name, columns)
        for other, names in (("--exclude", exclude), ("--column", keep)):
            if name in names:
                raise InputError(f"--{option} and {other} both name the column {name!r}.")
    if keep:
        told = set(keep) | {name for name in roles.values() if name is not None}
        exclude += [c for c in columns if c not in told and c not in exclude]
    return exclude


def _read_truth(file: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """Read known edges from a CSV with the columns source, target and perhaps lag."""
    import pandas as pd

    try:
        frame = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read --truth {str(file)!r}: {error}") from error
    if not {"source", "target"} <= set(frame.columns):
        raise InputError(
            f"--truth {str(file)!r} needs the columns source and target (and perhaps lag), found "
            f"{', '.join(map(str, frame.columns))}."
        )
    lags = frame["lag"] if "lag" in frame else [None] * len(frame)
    edges = []
    for row, (source, target, lag) in enumerate(
        zip(frame["source"], frame["target"], lags, strict=True)
    ):
        for end in (source, target):
            check_column("--truth", str(end), names)
        is_number = isinstance(lag, (int, float, np.number))
        if lag is not None and not (is_number and lag >= 0 and float(lag).is_integer()):
            raise InputError(
                f"--truth {str(file)!r}: row {row} has the lag {lag!r}. A lag is a number of "
                "steps: 0, 1, 2, ...; drop the column if lags are not known."
            )
        edge: dict[str, Any] = {"source": str(source), "target": str(target)}
        edges.append(edge if lag is None else edge | {"lag": int(lag)})
    return edges


def _filled(frame: pd.DataFrame, placed: Placed, imputed: np.ndarray) -> pd.DataFrame:
    """Write imputed values into the gaps of the user's table, and nowhere else."""
    out = frame.copy()
    at = (placed.window, placed.step)
    for j, name in enumerate(placed.windows.names):
        gap = ~placed.windows.observed[:, :, j][at]
        if gap.any():
            given = placed.windows.values[:, :, j][at]
            out[name] = np.where(gap, imputed[:, :, j][at], given)
    return out


def _say_what_would_run(request: Request, options: dict[str, Any], placed: Placed) -> None:
    windows = placed.windows
    facts = {
        "method": request.method,
        "rows": len(placed.window),
        "sensors": list(windows.names),
        "recordings": len(windows.series_names),
        "regimes": list(windows.regime_names),
        "stretches": windows.n,
        "options": plain_json(options),
        "estimated_seconds": None,
        "out": str(request.out),
    }
    if request.as_json:
        typer.echo(json.dumps(facts, default=str))
        return
    typer.echo(
        f"would run {request.method} on {len(placed.window):,} rows of {windows.d} sensors "
        f"({len(windows.series_names)} recording(s), {max(len(windows.regime_names), 1)} "
        f"regime(s), {windows.n} unbroken stretch(es)) into {request.out}/; the time is not "
        "estimated. Nothing was written."
    )


def _print_result(request: Request, answers: SeriesAnswers, files: dict[str, Path]) -> None:
    if not request.as_json:
        typer.echo(repr(answers.posterior))
        typer.echo(f"report: {files['report']}")
        return
    tables = {k: _records(getattr(answers, k)) for k in ("edges", "regimes", "sensors")}
    facts = {
        "diagnostics": dict(answers.posterior.diagnostics),
        "gaps": answers.n_gaps,
        "gaps_left": answers.n_open,
        "files": {k: str(v) for k, v in files.items()},
    }
    typer.echo(json.dumps(plain_json(tables | facts), allow_nan=False))


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """List rows with null for what is not known: NaN is no JSON."""
    return [
        {k: None if isinstance(v, float) and v != v else v for k, v in row.items()}
        for row in table.to_dict("records")
    ]

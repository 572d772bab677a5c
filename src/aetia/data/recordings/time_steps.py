"""Step numbers from a column of times."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from aetia.errors import InputError

__all__ = ["step_numbers", "time_numbers"]

_TOLERANCE = 0.01
_MOST_STEPS = 100_000
_MOST_MISSING = 100


def time_numbers(name: str, column: np.ndarray) -> Float[np.ndarray, " n"]:
    """Turn a column of times into numbers that grow with time.

    Dates become seconds since the first of them (UTC if they have a time zone).

    Args:
        name: Name of the column, for messages.
        column: Numbers, dates, or text that holds dates.

    Returns:
        One number for each row.

    Raises:
        InputError: If a time is missing, or is text that is no date.
    """
    if column.dtype.kind in "iu":
        return (column - column.min()).astype(np.float64)
    if column.dtype.kind == "f":
        _refuse_missing(name, np.isfinite(column), column)
        return column.astype(np.float64)
    if column.dtype.kind == "m":
        _refuse_missing(name, ~np.isnat(column), column)
        return (column - column.min()) / np.timedelta64(1, "s")
    dates = column if column.dtype.kind == "M" else _parsed(name, column)
    if dates.dtype.kind == "f":
        return dates
    _refuse_missing(name, ~np.isnat(dates), column)
    return (dates - dates.min()) / np.timedelta64(1, "s")


def _refuse_missing(name: str, is_time: np.ndarray, column: np.ndarray) -> None:
    if not is_time.all():
        row = int((~is_time).argmax())
        raise InputError(
            f"time column {name!r}: row {row} has no usable time ({column[row]!r}; "
            f"{int((~is_time).sum())} such row(s)). Every row needs a number or a date such as "
            "2024-03-31 12:00; drop those rows or fill them in."
        )


def _parsed(name: str, column: np.ndarray) -> np.ndarray:
    """Read numbers, or dates by the format of the first; day or month first is no guess."""
    import pandas as pd

    texts = pd.Series(column, dtype=object)
    empty = texts.isna() | (texts.astype(str).str.strip() == "")
    _refuse_missing(name, ~empty.to_numpy(), column)
    is_text = bool(texts.map(lambda v: isinstance(v, str)).all())
    if is_text:
        as_numbers = pd.Series(pd.to_numeric(texts, errors="coerce"))
        if bool(as_numbers.notna().all()):
            return as_numbers.to_numpy(dtype=np.float64)
        if bool(as_numbers.notna().mean() > 0.5):
            row = int(as_numbers.isna().to_numpy().argmax())
            raise InputError(
                f"time column {name!r}: row {row} holds {column[row]!r}, while other rows hold "
                "numbers. Write a number there, or drop the row."
            )
    is_iso = is_text and bool(texts.str.match(r"\s*\d{4}-").all())
    month_first = _to_dates(texts, day_first=False, form="ISO8601" if is_iso else None)
    if is_text and not bool(texts.str.match(r"\s*\d{4}").all()):
        day_first = _to_dates(texts, day_first=True)
        fits = [not d.isna().any() for d in (month_first, day_first)]
        if all(fits) and not month_first.equals(day_first):
            raise InputError(
                f"time column {name!r}: {column[0]!r} can be read with the day or with the month "
                "first. Write dates as 2024-03-31 12:00 (pandas.to_datetime with format=...)."
            )
        if fits[1] and not fits[0]:
            month_first = day_first
    bad = month_first.isna().to_numpy()
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"time column {name!r}: row {row} holds {column[row]!r}, which is no date, or in "
            f"another format than the first row, {column[0]!r} ({int(bad.sum())} such row(s)). "
            "Write dates as 2024-03-31 12:00, or number the steps."
        )
    return month_first.dt.tz_localize(None).to_numpy()


def _to_dates(texts: Any, *, day_first: bool, form: str | None = None) -> Any:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about formats it cannot infer: checked by the caller
        return pd.to_datetime(texts, errors="coerce", utc=True, dayfirst=day_first, format=form)


def step_numbers(
    name: str,
    times: Float[np.ndarray, " n"],
    shown: np.ndarray,
    series: Int[np.ndarray, " n"],
    series_names: Sequence[str],
) -> Int[np.ndarray, " n"]:
    """Number the rows of each recording by their time, in steps since its first row.

    The step is the most common difference between neighbours in time, the same for all recordings.

    Args:
        name: Name of the time column, for messages.
        times: Numbers that grow with time.
        shown: The times as the user wrote them, for messages.
        series: Recording of each row.
        series_names: Labels of the recordings.

    Returns:
        The steps; a number that is left out is a row that is missing.

    Raises:
        InputError: If a time occurs twice in a recording, or lies between two steps.
    """
    order = np.lexsort((times, series))
    differences = np.diff(times[order])
    same = np.diff(series[order]) == 0

    def where(at: int) -> str:
        row = int(order[at + 1])
        label = series_names[int(series[row])]
        return f"time column {name!r}, recording {label!r}: {_text(shown[row])}"

    twice = same & (differences == 0)
    if twice.any():
        raise InputError(
            f"{where(int(twice.argmax()))} occurs twice ({int(twice.sum())} such row(s)). One "
            "recording has one row per time: pass series= to distinguish recordings, or average "
            "the rows."
        )
    if not same.any():
        return np.zeros(len(times), dtype=int)
    step = _common_step(differences[same])
    counts = np.where(same, differences / step, 0.0)
    whole = np.rint(counts)
    off = same & ((np.abs(counts - whole) > _TOLERANCE) | (whole < 1))
    if off.any():
        at = int(off.argmax())
        raise InputError(
            f"{where(at)} is {counts[at]:.4g} steps after {_text(shown[order[at]])}, not a whole "
            f"number ({int(off.sum())} such row(s)); the step, the most common difference, is "
            f"{step:.6g}{' s' if shown.dtype.kind not in 'iuf' else ''}. Average the rows to equal "
            "steps first; number months and years 0, 1, 2, ..."
        )
    spanned = whole[same].sum()
    if spanned > _MOST_STEPS and spanned > _MOST_MISSING * len(times):
        at = int(np.where(same, whole, 0).argmax())
        raise InputError(
            f"{where(at)} comes {whole[at]:,.0f} steps after {_text(shown[order[at]])}: too many "
            "missing rows. Correct that time, or pass series= with another label after the gap."
        )
    steps = np.concatenate([[0], np.cumsum(whole)]).astype(int)
    first = np.concatenate([[True], ~same])
    steps -= np.maximum.accumulate(np.where(first, steps, 0))
    numbers = np.empty(len(times), dtype=int)
    numbers[order] = steps
    return numbers


def _common_step(differences: np.ndarray) -> float:
    """Take the median of the most common difference, equal up to three digits."""
    digits = 10.0 ** (np.floor(np.log10(differences)) - 2)
    rounded = np.rint(differences / digits) * digits
    distinct, inverse, counts = np.unique(
        np.rint(rounded / rounded.min() * 1e6), return_inverse=True, return_counts=True
    )
    return float(np.median(differences[inverse == counts.argmax()])) if len(distinct) else 1.0


def _text(value: Any) -> str:
    if isinstance(value, np.datetime64):
        return str(np.datetime_as_string(value, unit="s"))
    return repr(value.item()) if isinstance(value, np.generic) else repr(value)

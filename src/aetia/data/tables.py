"""Tables in: from frames, arrays and files to a checked :class:`Dataset`."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aetia.data.checks import check_columns, check_names
from aetia.data.dataset import Dataset, Kind
from aetia.errors import CellTypeError, DataWarning, InputError
from aetia.options import nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_dataset", "as_numbers", "read_frame", "split_columns", "text_columns"]

_NOT_INTERVENED = {"", "nan", "none", "null", "na", "obs", "observational", "-"}


def as_dataset(
    X: Any,
    *,
    intervened: Any = None,
    regime: Any = None,
    categorical: Sequence[str] = (),
    exclude: Sequence[str] = (),
    source: str | None = None,
    relations: bool = True,
) -> Dataset:
    """Turn a table into a checked :class:`Dataset`.

    Args:
        X: A pandas or polars frame, a two-dimensional array, the path of a CSV or Parquet file,
            or a Dataset.
        intervened: What was set by intervention: a boolean table of the same shape, or the name
            of a column that names the intervened variable of each row (several separated by
            ``;``; empty for observational rows). That column is taken out of the table.
        regime: Environment of each row: integers or labels, or the name of a column with them,
            which is taken out of the table.
        categorical: Text columns to encode as category codes.
        exclude: Columns to leave out.
        source: Description for reports; by default the path or the type of X.
        relations: Whether columns must vary, and differ from each other: graphs over the columns
            need that, regressors do not.

    Returns:
        The table, with every check of the boundary passed.

    Raises:
        InputError: If the table cannot be used; the message names the column and the remedy.
    """
    if isinstance(X, Dataset):
        return _as_given(X, intervened, regime, categorical, exclude)
    names, columns, read_from = split_columns(X)
    check_names(names)
    table = dict(zip(names, columns, strict=True))
    for name in exclude:
        _take(table, name, "exclude")
    labels = _take(table, intervened, "intervened") if isinstance(intervened, str) else None
    regimes = _take(table, regime, "regime") if isinstance(regime, str) else regime
    if not table:
        raise InputError("no columns are left in the table.")
    for name in categorical:
        if name not in table:
            raise InputError(f"categorical: {name!r} is not a column.{nearest(name, names)}")
    n = len(next(iter(table.values())))
    if n < 2 and relations:
        raise InputError(
            f"the table has {n} row(s) (n_samples = {n}); at least 2 are needed, and many more "
            "than columns for a useful answer."
        )
    numbers: list[np.ndarray] = []
    kinds: list[Kind] = []
    levels: dict[str, tuple[str, ...]] = {}
    for name, column in table.items():
        if name in categorical:
            codes, labels_of = _codes(column)
            numbers.append(codes)
            levels[name] = labels_of
            kinds.append("categorical")
        else:
            numbers.append(as_numbers(name, column))
            kinds.append(_kind(column, numbers[-1]))
    values = np.stack(numbers, axis=1)
    observed = ~np.isnan(values)
    final = tuple(table)
    check_columns(values, observed, final, kinds, relations=relations)
    return Dataset(
        values=values,
        names=final,
        observed=observed,
        intervened=(
            _intervened_mask(labels, final)
            if labels is not None
            else _mask("intervened", intervened, values.shape, final)
        ),
        regime=None if regimes is None else _regimes(regimes, n),
        kinds=tuple(kinds),
        levels=levels,
        source=source or read_from,
    )


def read_frame(path: str | Path) -> pd.DataFrame:
    """Read a file as a frame, to choose columns before they are checked.

    Args:
        path: CSV, TSV or Parquet.

    Returns:
        The frame; numbers where a column holds only numbers.

    Raises:
        InputError: If it cannot be read; duplicate names are refused.
    """
    import pandas as pd

    names, columns, _ = _read(Path(path))
    check_names(names)
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


def text_columns(X: Any) -> tuple[str, ...]:
    """Find the columns that hold text, which ``as_dataset`` takes as ``categorical``.

    Args:
        X: Anything that ``as_dataset`` reads.

    Returns:
        Their names; none for a Dataset.
    """
    if isinstance(X, Dataset):
        return ()
    names, columns, _ = split_columns(X)
    found = []
    for name, column in zip(names, columns, strict=True):
        if column.dtype == object and any(isinstance(v, (str, bytes)) for v in column):
            try:
                column.astype(np.float64)
            except (TypeError, ValueError):
                found.append(name)
    return tuple(found)


def _as_given(
    data: Dataset, intervened: Any, regime: Any, categorical: Sequence[str], exclude: Sequence[str]
) -> Dataset:
    if categorical:
        raise InputError("categorical is decided when a Dataset is made, not afterwards.")
    if exclude:
        for name in exclude:
            data.column(name)
        data = data.select([n for n in data.names if n not in exclude])
    if intervened is not None:
        mask = _mask("intervened", intervened, data.values.shape, data.names)
        data = replace(data, intervened=mask)
    if regime is not None:
        data = replace(data, regime=_regimes(regime, data.n))
    return data


def split_columns(X: Any) -> tuple[list[str], list[np.ndarray], str]:
    """Split any table into named one-dimensional arrays.

    Args:
        X: Anything that ``as_dataset`` reads, but a Dataset.

    Returns:
        Names, columns, and where they were read from.

    Raises:
        InputError: If it is no table.
    """
    if isinstance(X, (str, Path)):
        return _read(Path(X))
    if hasattr(X, "toarray"):
        raise InputError(
            "sparse data were passed, but dense data are needed: call .toarray() first."
        )
    _check_is_table(X)
    if hasattr(X, "columns") and hasattr(X, "shape") and not isinstance(X, np.ndarray):
        names = [str(c) for c in X.columns]
        check_names(names)
        kind = f"{type(X).__module__.split('.')[0]} data frame"
        return names, [_column_array(X[c]) for c in X.columns], kind
    try:
        array = np.asarray(X)
    except ValueError as error:
        lengths = [len(row) for row in X] if all(hasattr(row, "__len__") for row in X) else []
        if len(set(lengths)) < 2:
            raise
        raise InputError(
            f"expected a table; its rows have several lengths: {min(lengths)} to {max(lengths)}."
        ) from error
    if array.ndim == 0:
        raise InputError(
            f"expected a table (2D array: rows x columns), a data frame or the path of a CSV or "
            f"Parquet file, got {X!r}."
        )
    if np.iscomplexobj(array):
        raise InputError("Complex data not supported: the table has complex numbers.")
    if array.ndim != 2:
        raise InputError(
            f"expected a table (2D array: rows x columns), got an array of shape {array.shape}. "
            "Reshape your data: array.reshape(-1, 1) makes one column."
        )
    if array.shape[0] == 0:
        raise InputError(f"the table is empty: 0 sample(s) (shape={array.shape}); minimum is 2.")
    if array.shape[1] == 0:
        raise InputError(f"0 feature(s) (shape={array.shape}) while a minimum of 1 is required.")
    names = [f"x{i}" for i in range(array.shape[1])]
    return names, list(array.T), "array"


def _check_is_table(X: Any) -> None:
    """Refuse what holds columns but is no table yet, and say what makes one of it."""
    if isinstance(X, Mapping):
        raise InputError("a dict was passed, but a table is needed: pandas.DataFrame(X) makes one.")
    if isinstance(X, (list, tuple)) and X and isinstance(X[0], Mapping):
        raise InputError(
            "a list of dicts was passed, but a table is needed: pandas.DataFrame(X) makes one."
        )
    package, kind = type(X).__module__.split(".")[0], type(X).__name__
    if kind == "LazyFrame":
        raise InputError(
            f"a {package} LazyFrame was passed, which holds no values yet: call X.collect() first."
        )
    if kind == "Series" and hasattr(X, "to_frame"):
        name = getattr(X, "name", None)
        raise InputError(
            f"the {package} Series {name!r} is a single column, but a table is needed: "
            "X.to_frame() makes one of one column."
        )


def _column_array(series: Any) -> np.ndarray:
    dtype = str(getattr(series, "dtype", "")).lower()
    if "categor" in dtype or "str" in dtype:
        return np.asarray(series.to_numpy(), dtype=object)
    values = np.asarray(series.to_numpy())
    if values.dtype == object:  # pandas' nullable numbers
        with_nan = [np.nan if v is None or str(v) == "<NA>" else v for v in values]
        cells = np.empty(len(with_nan), dtype=object)
        cells[:] = with_nan
        try:
            return cells.astype(np.float64)
        except (TypeError, ValueError):
            return cells
    return values


def _read(path: Path) -> tuple[list[str], list[np.ndarray], str]:
    import pandas as pd

    if not path.exists():
        raise InputError(f"no such file: {str(path)!r}.")
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder; a CSV or Parquet file is needed.")
    try:
        if path.suffix.lower() in {".parquet", ".pq"}:
            frame = pd.read_parquet(path)
        elif path.suffix.lower() in {".csv", ".tsv", ".txt", ".gz"}:
            _check_header(path)
            frame = (
                pd.read_csv(path, sep=None if path.suffix != ".gz" else ",", engine="python")
                if path.suffix.lower() in {".tsv", ".txt"}
                else pd.read_csv(path)
            )
        else:
            raise InputError(
                f"cannot tell the format of {path.name!r} from its ending "
                f"{path.suffix!r}: use .csv, .tsv or .parquet."
            )
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path.name!r} is not UTF-8 text (byte {error.start} is {error.object[error.start]:#x}"
            "). Save it as UTF-8: iconv -f latin1 -t utf-8 IN > OUT."
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"cannot read {path.name!r} as a table: {error}") from error
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot read {path.name!r}: {error}") from error
    if len(frame.columns) and str(frame.columns[0]).startswith("Unnamed: 0"):
        # The row index that pandas writes by default.
        warnings.warn(
            f"{path.name!r} starts with a column without a name, which looks like row numbers; "
            "it is left out.",
            DataWarning,
            stacklevel=4,
        )
        frame = frame.iloc[:, 1:]
    return (
        [str(c) for c in frame.columns],
        [_column_array(frame[c]) for c in frame.columns],
        str(path),
    )


def _check_header(path: Path) -> None:
    """Find duplicate names before pandas renames them silently."""
    import csv
    import gzip

    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        header = next(csv.reader(file), [])
    check_names([name for name in header if name])


def as_numbers(name: str, column: np.ndarray) -> np.ndarray:
    """Turn a column into numbers.

    Args:
        name: Name of the column, for messages.
        column: Any one-dimensional array.

    Returns:
        Numbers; NaN where nothing was seen.

    Raises:
        InputError: If it holds text, dates or complex numbers.
    """
    if np.iscomplexobj(column):
        raise InputError(f"column {name!r}: Complex data not supported.")
    if column.dtype.kind in "mM":
        raise InputError(
            f"column {name!r} holds dates or durations: convert it to a number (days since a "
            f"start, say), or drop it with exclude=[{name!r}]."
        )
    try:
        return column.astype(np.float64)
    except (TypeError, ValueError):
        for row, value in enumerate(column):
            if not isinstance(value, (str, bytes, numbers.Number, np.generic, type(None))):
                raise CellTypeError(
                    f"column {name!r} holds a {type(value).__name__} in row {row}; argument must "
                    "be a string or a real number."
                ) from None
        distinct = sorted({str(v) for v in column})
        shown = ", ".join(repr(v) for v in distinct[:3]) + (", ..." if len(distinct) > 3 else "")
        raise InputError(
            f"column {name!r} is text ({len(distinct)} distinct values: {shown}; argument must be "
            "a string or a real number). Structure learners need numbers: pass "
            f"categorical=[{name!r}] to encode it, or drop it with exclude=[{name!r}]."
        ) from None


def _codes(column: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    text = np.array([_label(v) for v in column], dtype=object)
    labels = tuple(sorted({t for t in text if t is not None}))
    index = {label: float(i) for i, label in enumerate(labels)}
    return np.array([np.nan if t is None else index[t] for t in text]), labels


def _label(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and np.isnan(value)) or str(value) == "<NA>":
        return None
    return str(value)


def _kind(column: np.ndarray, numbers: np.ndarray) -> Kind:
    seen = numbers[~np.isnan(numbers)]
    distinct = np.unique(seen[:10_000]) if len(np.unique(seen[:10_000])) > 2 else np.unique(seen)
    if len(distinct) == 2:
        return "binary"
    integral = column.dtype.kind in "iu"
    return "count" if integral and len(seen) and seen.min() >= 0 else "continuous"


def _take(table: dict[str, np.ndarray], name: str, argument: str) -> np.ndarray:
    if name not in table:
        raise InputError(
            f"{argument}: {name!r} is not a column.{nearest(name, list(table))} "
            f"Columns: {', '.join(table)}."
        )
    return table.pop(name)


def _intervened_mask(labels: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    mask = np.zeros((len(labels), len(names)), dtype=bool)
    for i, label in enumerate(labels):
        text = _label(label) or ""
        for part in text.split(";"):
            name = part.strip()
            if name.lower() in _NOT_INTERVENED:
                continue
            if name not in names:
                raise InputError(
                    f"intervened: row {i} names {name!r}, which is not a column."
                    f"{nearest(name, list(names))} Leave the cell empty for observational rows."
                )
            mask[i, names.index(name)] = True
    return mask


def _mask(
    argument: str, value: Any, shape: tuple[int, ...], names: tuple[str, ...]
) -> np.ndarray | None:
    if value is None:
        return None
    if hasattr(value, "columns"):
        given = [str(c) for c in value.columns]
        if sorted(given) != sorted(names):
            raise InputError(
                f"{argument}: the mask has columns {given}, the table has {list(names)}."
            )
        value = value[list(names)].to_numpy()
    mask = np.asarray(value)
    if mask.shape != shape:
        raise InputError(
            f"{argument} must be a boolean table of shape {shape} (rows x columns), got shape "
            f"{mask.shape}; or pass the name of a column that names the intervened variable."
        )
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise InputError(f"{argument} must hold only True and False (or 1 and 0).")
    return mask.astype(bool)


def _regimes(value: Any, n: int) -> np.ndarray:
    labels = np.asarray(value)
    if labels.shape != (n,):
        raise InputError(f"regime must have one entry for each of {n} rows, got {labels.shape}.")
    unknown = [row for row, label in enumerate(labels.tolist()) if label is None or label != label]
    if unknown:
        raise InputError(
            f"regime is not known in {len(unknown)} of {n} rows, the first is row {unknown[0]}. "
            "Give these rows a regime of their own by name, or leave them out."
        )
    if labels.dtype.kind not in "iufb":
        labels = labels.astype(str)
    return np.unique(labels, return_inverse=True)[1]

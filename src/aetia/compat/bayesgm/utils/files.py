"""Tables from files, and numbers to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from aetia.errors import InputError

__all__ = ["parse_file", "parse_file_triplet", "save_data"]

Matrix = Float[np.ndarray, "n p"]
Column = Float[np.ndarray, "n 1"]


def save_data(fname: str | Path, data: Any, delimiter: str = "\t") -> None:
    """Write numbers: ``.npy``, or ``.txt`` and ``.csv`` with six decimals.

    Args:
        fname: The file; its ending decides.
        data: An array.
        delimiter: Text between the columns of a text file.

    Raises:
        InputError: If the ending is another one.
    """
    path = Path(fname)
    if path.suffix == ".npy":
        np.save(path, np.asarray(data))
    elif path.suffix in (".txt", ".csv"):
        np.savetxt(path, np.asarray(data), fmt="%.6f", delimiter=delimiter)
    else:
        raise InputError(f"cannot save as {path.name!r}: the ending must be .npy, .txt or .csv.")


def parse_file(
    path: str | Path, sep: str = "\t", header: int | None = 0, normalize: bool = True
) -> Matrix:
    """Read a table.

    Args:
        path: ``.npz`` (entry ``data``, ``x`` or ``X``, otherwise the first), ``.csv`` or ``.txt``.
        sep: Text between the columns of a text file.
        header: Row of a ``.csv`` file that names the columns; None if there is none.
        normalize: Whether to standardise columns; missing cells stay missing.

    Returns:
        float32.

    Raises:
        InputError: If the file is missing or cannot be read.
    """
    file = _existing(path)
    if file.suffix == ".npz":
        loaded = _npz(file)
        if not loaded:
            raise InputError(f"{str(file)!r} holds no array.")
        key = next((k for k in ("data", "x", "X") if k in loaded), next(iter(loaded)))
        values = loaded[key]
    else:
        values = _text(file, sep, header)
    values = _matrix(values, file)
    return _standardised(values) if normalize else values


def parse_file_triplet(
    path: str | Path, sep: str = "\t", header: int | None = 0, normalize: bool = True
) -> tuple[Column, Column, Matrix]:
    """Read treatment, outcome and covariates.

    Args:
        path: ``.npz`` with entries ``x``, ``y`` and ``v``; or ``.csv`` or ``.txt`` whose first
            column is the treatment, the second the outcome, the others covariates.
        sep: Text between the columns of a text file.
        header: Row of a ``.csv`` file that names the columns; None if there is none (the original
            ignores this argument).
        normalize: Whether to standardise the covariates.

    Returns:
        ``(n, 1)``, ``(n, 1)`` and ``(n, p)``, float32.

    Raises:
        InputError: If the file is missing or cannot be read.
    """
    file = _existing(path)
    if file.suffix == ".npz":
        loaded = _npz(file)
        lost = [k for k in ("x", "y", "v") if k not in loaded]
        if lost:
            raise InputError(f"{str(file)!r} has the arrays {list(loaded)}, not {', '.join(lost)}.")
        x, y = (_matrix(loaded[k].reshape(len(loaded[k]), -1), file) for k in ("x", "y"))
        v = _matrix(loaded["v"], file)
    else:
        values = _matrix(_text(file, sep, header), file)
        if values.shape[1] < 3:
            raise InputError(
                f"{str(file)!r} has {values.shape[1]} column(s) when split at {sep!r}; treatment, "
                "outcome and at least one covariate are needed. Is the delimiter right?"
            )
        x, y, v = values[:, :1], values[:, 1:2], values[:, 2:]
    return x, y, _standardised(v) if normalize else v


def _existing(path: str | Path) -> Path:
    file = Path(path)
    if not file.is_file():
        raise InputError(f"no such file: {str(file)!r}.")
    if file.suffix not in (".npz", ".csv", ".txt"):
        raise InputError(f"{file.name!r} is not one of .npz, .csv, .txt.")
    return file


def _npz(file: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(file, allow_pickle=False) as loaded:
            return {k: loaded[k] for k in loaded.files}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"cannot read {str(file)!r}: {error}") from error


def _text(file: Path, sep: str, header: int | None) -> np.ndarray:
    try:
        if file.suffix == ".txt":
            return np.loadtxt(file, delimiter=sep, ndmin=2)
        import pandas as pd

        return pd.read_csv(file, header=header, sep=sep).to_numpy()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {str(file)!r} split at {sep!r}: {error}") from error


def _matrix(values: np.ndarray, file: Path) -> Matrix:
    try:
        matrix = values.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{str(file)!r} holds something that is no number: {error}. Is the delimiter right?"
        ) from error
    if matrix.ndim != 2 or not matrix.size:
        raise InputError(f"{str(file)!r} holds an array of shape {matrix.shape}, not a table.")
    return matrix


def _standardised(values: Matrix) -> Matrix:
    centre = np.nanmean(values, 0, dtype=np.float64)
    scale = np.nanstd(values, 0, dtype=np.float64)
    return ((values - centre) / np.where(scale > 0, scale, 1.0)).astype(np.float32)

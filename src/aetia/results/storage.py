"""Results on disk: one netCDF file in a folder, plain data only, written atomically."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aetia.errors import ResultFileError
from aetia.files import dump_json, replacing_file

__all__ = ["FILE_NAME", "read_draws", "write_draws"]

FILE_NAME = "draws.nc"
SCHEMA_VERSION = 1

Arrays = Mapping[str, tuple[tuple[str, ...], np.ndarray]]


def write_draws(path: str | Path, kind: str, arrays: Arrays, plain: Mapping[str, Any]) -> None:
    """Write named arrays and plain values to ``path/draws.nc``.

    Args:
        path: Folder; made if needed.
        kind: Class of the result, checked on reading.
        arrays: Dimensions and values by name.
        plain: Anything JSON can hold.

    Raises:
        InputError: If the folder cannot be written.
    """
    import xarray as xr

    data = xr.Dataset(
        {k: (dims, v.astype(np.int8) if v.dtype == bool else v) for k, (dims, v) in arrays.items()}
    )
    data.attrs["aetia"] = dump_json(
        {
            "schema": SCHEMA_VERSION,
            "kind": kind,
            "bool": [k for k, (_, v) in arrays.items() if v.dtype == bool],
            "plain": plain,
        }
    )
    encoding = {k: {"zlib": True, "complevel": 4} for k in arrays}
    with replacing_file(Path(path) / FILE_NAME) as part:
        data.to_netcdf(part, engine="h5netcdf", encoding=encoding)


def read_draws(path: str | Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what :func:`write_draws` wrote.

    Args:
        path: The folder.
        kind: Class of the result that is expected.

    Returns:
        Arrays and plain values by name.

    Raises:
        ResultFileError: If the file is missing, truncated, of another kind or schema.
    """
    import xarray as xr

    file = Path(path) / FILE_NAME
    if not file.is_file():
        raise ResultFileError(
            f"no saved result at {str(path)!r}: {FILE_NAME} is missing. Pass the folder that "
            "`save` wrote."
        )
    try:
        with xr.open_dataset(file, engine="h5netcdf") as data:
            loaded = data.load()
        header = json.loads(loaded.attrs["aetia"])
        arrays = {str(k): v.to_numpy() for k, v in loaded.data_vars.items()}
        for name in header.get("bool", ()):
            arrays[name] = arrays[name].astype(bool)
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise ResultFileError(
            f"{str(file)!r} is damaged or not a result of aetia ({type(error).__name__}: {error})."
        ) from error
    if header.get("kind") != kind or header.get("schema", 0) > SCHEMA_VERSION:
        raise ResultFileError(
            f"{str(file)!r} holds a {header.get('kind')} (schema {header.get('schema')}), expected "
            f"a {kind} (schema at most {SCHEMA_VERSION})."
        )
    return arrays, header["plain"]

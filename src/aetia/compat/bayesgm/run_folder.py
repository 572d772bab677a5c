"""Where a run writes, and how: folders appear with the first file."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from aetia.compat.bayesgm.utils import save_data
from aetia.errors import InputError

__all__ = ["RunFolder"]

_KEPT_CHECKPOINTS = 5


class RunFolder:
    """The two folders of a run.

    Args:
        params: All keys, of which ``output_dir``, ``dataset``, ``save_res`` and ``save_model`` are
            read.
        timestamp: Name of the run; None for the local time.
    """

    def __init__(self, params: Mapping[str, Any], timestamp: str | None) -> None:
        self.timestamp = timestamp or datetime.datetime.now().strftime("%Y%m%d_%H%M%S")
        root, tail = Path(params["output_dir"]), Path(str(params["dataset"])) / self.timestamp
        self.results = root / "results" / tail
        self.checkpoints = root / "checkpoints" / tail
        self.saves_results = bool(params["save_res"])
        self.saves_models = bool(params["save_model"])

    def write_parameters(self, params: Mapping[str, Any]) -> None:
        """Write ``params.txt``, if results are saved.

        Args:
            params: All keys.
        """
        if self.saves_results:
            (_made(self.results) / "params.txt").write_text(str(dict(params)), encoding="utf-8")

    def write_estimate(self, stem: str, values: np.ndarray, save_format: str) -> None:
        """Write a causal estimate, if results are saved.

        Args:
            stem: Name without ending.
            values: What to write.
            save_format: ``"txt"``, ``"csv"`` or ``"npy"``.
        """
        if self.saves_results:
            save_data(str(_made(self.results) / f"{stem}.{save_format}"), values)

    def write_arrays(self, name: str, **arrays: np.ndarray) -> None:
        """Write an ``.npz`` file, if results are saved.

        Args:
            name: Name of the file.
            **arrays: Its entries.
        """
        if self.saves_results:
            np.savez(_made(self.results) / name, **arrays)  # pyright: ignore[reportArgumentType]

    def write_weights(self, stem: str, weights: Mapping[str, Tensor]) -> Path | None:
        """Write weights as safetensors, if models are saved; the five newest files are kept.

        Args:
            stem: Name without ending.
            weights: Weights of the networks by name.

        Returns:
            The file; None if models are not saved.
        """
        if not self.saves_models:
            return None
        from safetensors.torch import save_file

        plain = {k: v.detach().cpu().contiguous().clone() for k, v in weights.items()}
        folder = _made(self.checkpoints)
        path = folder / f"{stem}.safetensors"
        path.unlink(missing_ok=True)
        save_file(plain, path)
        files = sorted(folder.glob("*.safetensors"), key=lambda f: (f.stat().st_mtime_ns, f.name))
        for old in files[:-_KEPT_CHECKPOINTS]:
            old.unlink()
        return path


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {str(folder)!r}: {error}") from error
    return folder

"""A fitted denoiser in one bundle, nothing executable; the files of earlier versions as well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from aetia.errors import CheckpointError, InputError
from aetia.files import is_bundle, load_bundle, save_bundle
from aetia.generation.diffusion.process.distances import DISTANCES
from aetia.generation.diffusion.process.schedule import SCHEDULES
from aetia.generation.saved_models import MODEL_FILE, options_of, some
from aetia.results import RunFacts

__all__ = ["Stored", "read_model", "write_model"]

_SCHEMA = 2
_FIRST_FILES = {"DDDM": "dddm.safetensors", "ImageDDDM": "image_dddm.safetensors"}
"""Files of the first schema, by the class that reads them."""
_METHODS = {"DDDM": "dddm", "ImageDDDM": "image-dddm"}
_OBJECTS = {"distance": DISTANCES, "schedule": SCHEDULES}


class Stored(NamedTuple):
    """What a file holds."""

    tensors: dict[str, Tensor]
    """Tensors of the network, as ``network.name``, and others."""
    plain: dict[str, Any]
    """Plain values, with ``history`` and ``health``."""
    facts: RunFacts

    @property
    def options(self) -> dict[str, Any]:
        """Options of the fit; lists are tuples again."""
        return options_of(self.facts.config)

    def fill(self, network: nn.Module) -> None:
        """Give a network its weights, ready for use.

        Args:
            network: A network with the sizes of the stored one.
        """
        network.load_state_dict(some(self.tensors, "network"))
        network.eval().requires_grad_(False)


def write_model(
    folder: str | Path,
    kind: str,
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    plain: Mapping[str, Any],
    config: Any,
) -> None:
    """Write weights, tensors and plain values to one file, atomically.

    Args:
        folder: Made if needed.
        kind: Class of the estimator.
        network: The denoiser.
        tensors: What else is needed.
        plain: Plain values, with ``facts``, ``history`` and ``health``.
        config: Options.

    Raises:
        InputError: If it cannot be written, or an option is an object of the user's own class.
    """
    for name, classes in _OBJECTS.items():
        value = getattr(config, name)
        if not isinstance(value, (str, Mapping)) and type(value) not in classes.values():
            raise InputError(
                f"{name} is a {type(value).__name__}, which is not part of aetia and cannot be "
                f"saved; use one of {list(classes)}."
            )
    every = {f"network.{k}": v for k, v in network.state_dict().items()} | dict(tensors)
    file = Path(folder) / MODEL_FILE
    save_bundle(file, kind=kind, schema=_SCHEMA, tensors=every, plain=plain)
    file.with_name(_FIRST_FILES[kind]).unlink(missing_ok=True)  # of an earlier version


def read_model(folder: str | Path, kind: str) -> Stored:
    """Read what :func:`write_model` wrote, onto the CPU.

    Args:
        folder: The folder.
        kind: Class of the estimator.

    Returns:
        Its content.

    Raises:
        ResultFileError: If there is no such file, or one of another class.
        CheckpointError: If it is damaged or of a newer version.
    """
    file = Path(folder) / MODEL_FILE
    first = Path(folder) / _FIRST_FILES[kind]
    if first.is_file() and not is_bundle(file):
        return _read_first_schema(first, kind)
    _, _, tensors, plain = load_bundle(file, kind=kind, schema=_SCHEMA)
    return Stored(tensors, plain, RunFacts.from_dict(plain["facts"]))


def _read_first_schema(file: Path, kind: str) -> Stored:
    """Read a file without a checksum, in which facts and health were one mapping."""
    from safetensors import safe_open

    with safe_open(str(file), "pt") as handle:
        header = json.loads(handle.metadata()["aetia"])
        tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
    if header["schema"] > 1:
        raise CheckpointError(f"{str(file)!r} is of a newer version of aetia.")
    old = header["facts"]
    facts = RunFacts(
        method=_METHODS[kind],
        seed=int(old["seed"]),
        version=old.get("version", ""),
        device=old.get("device", ""),
        seconds=old.get("seconds"),
        best_step=old.get("best_step"),
        n_steps=max((row["step"] for row in header["history"] if "step" in row), default=None),
        config=header["config"],
    )
    moved = {"method", "seed", "version", "device", "seconds", "best_step"}
    health = {k: v for k, v in old.items() if k not in moved}
    return Stored(tensors, {**header, "health": health}, facts)

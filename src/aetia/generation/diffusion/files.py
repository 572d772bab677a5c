"""A fitted DDDM on disk: safetensors and JSON, nothing executable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from aetia.data import Encoding
from aetia.errors import CheckpointError, InputError, ResultFileError
from aetia.generation.diffusion.config import DISTANCES, SCHEDULES, DDDMConfig
from aetia.generation.diffusion.fitted import Fitted
from aetia.generation.diffusion.fitting import build_network
from aetia.generation.diffusion.masks import Pattern
from aetia.generation.diffusion.table import Codec
from aetia.nets import seeded
from aetia.options import options_dict
from aetia.results import plain_json, write_atomically

__all__ = ["load_model", "save_model"]

_FILE = "dddm.safetensors"
_SCHEMA = 1


def save_model(folder: str | Path, fit: Fitted, config: DDDMConfig, entropy: int) -> None:
    """Write network, columns and options to one file, atomically.

    Args:
        folder: Made if needed.
        fit: The fitted network.
        config: Options.
        entropy: Seed of the fit.

    Raises:
        InputError: If it cannot be written, or an option is an object of the user's own class.
    """
    from safetensors.torch import save

    _check_known(config)
    folder, codec = Path(folder), fit.codec
    tensors = {f"network.{k}": v for k, v in fit.network.state_dict().items()}
    for name in ("centre", "scale", "ends"):
        tensors[f"codec.{name}"] = torch.from_numpy(getattr(codec, name))
    if fit.patterns is not None:
        tensors |= {f"patterns.{k}": v for k, v in fit.patterns._asdict().items()}
    header = {
        "schema": _SCHEMA,
        "entropy": str(entropy),
        "names": codec.encoding.names,
        "levels": codec.encoding.levels,
        "kinds": codec.kinds,
        "history": fit.rows,
        "facts": fit.facts,
        "config": options_dict(config),
    }
    text = json.dumps(plain_json(header), sort_keys=True)
    contiguous = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    write_atomically(folder / _FILE, save(contiguous, {"aetia": text}))


def load_model(folder: str | Path) -> tuple[Fitted, DDDMConfig]:
    """Read what :func:`save_model` wrote, onto the CPU.

    Args:
        folder: The folder.

    Returns:
        The fitted network and its options.

    Raises:
        ResultFileError: If there is no model.
        CheckpointError: If the file is damaged or of a newer version.
    """
    from safetensors import SafetensorError, safe_open

    file = Path(folder) / _FILE
    if not file.is_file():
        raise ResultFileError(
            f"no saved DDDM at {str(folder)!r}: {_FILE} is missing. Pass the folder that `save` "
            "wrote."
        )
    try:
        with safe_open(str(file), "pt") as handle:
            header = json.loads(handle.metadata()["aetia"])
            tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
        if header["schema"] > _SCHEMA:
            raise CheckpointError(f"{str(file)!r} is of a newer version of aetia.")
        listed: dict[str, Any] = header["config"]
        options: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in listed.items()
        }
        config = DDDMConfig(**options)
        encoding = Encoding(tuple(header["names"]), tuple(map(tuple, header["levels"])))
        arrays = [tensors[f"codec.{k}"].numpy() for k in ("centre", "scale", "ends")]
        codec = Codec(encoding, tuple(header["kinds"]), *arrays)
        with seeded(torch.Generator()):
            network = build_network(config, encoding.width, codec.d)
        prefix = "network."
        weights = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        network.load_state_dict(weights)
        network.eval().requires_grad_(False)
        patterns = None
        if "patterns.target" in tensors:
            patterns = Pattern(tensors["patterns.target"], tensors["patterns.context"])
        return Fitted(network, codec, patterns, header["history"], header["facts"]), config
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        if isinstance(error, (CheckpointError, ResultFileError)):
            raise
        raise CheckpointError(
            f"the model in {str(folder)!r} is damaged ({type(error).__name__}: {error})."
        ) from error


def _check_known(config: DDDMConfig) -> None:
    """Refuse objects of the user's own classes, which a file cannot hold."""
    for name, value, classes in (
        ("distance", config.the_distance(), DISTANCES),
        ("schedule", config.the_schedule(), SCHEDULES),
    ):
        if type(value) not in classes.values():
            raise InputError(
                f"{name} is a {type(value).__name__}, which is not part of aetia and cannot be "
                f"saved; use one of {list(classes)}."
            )

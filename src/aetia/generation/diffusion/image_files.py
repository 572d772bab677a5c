"""A fitted ImageDDDM on disk: safetensors and JSON, nothing executable."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch

from aetia.errors import CheckpointError, InputError, ResultFileError
from aetia.generation.diffusion.config import DISTANCES, SCHEDULES
from aetia.generation.diffusion.image_config import ImageDDDMConfig
from aetia.generation.diffusion.image_fitting import FittedImages, build_image_network
from aetia.generation.diffusion.image_scale import ImageScale
from aetia.nets import seeded
from aetia.options import options_dict
from aetia.results import plain_json, write_atomically

__all__ = ["load_image_model", "save_image_model"]

_FILE = "image_dddm.safetensors"
_SCHEMA = 1
_OBJECTS = {"distance": DISTANCES, "schedule": SCHEDULES}


def save_image_model(folder: str | Path, fit: FittedImages, config: ImageDDDMConfig) -> None:
    """Write network, scale and options to one file, atomically.

    Args:
        folder: Made if needed.
        fit: The fitted network.
        config: Options.

    Raises:
        InputError: If it cannot be written, or an option is an object of the user's own class.
    """
    from safetensors.torch import save

    options = options_dict(config)
    for name, classes in _OBJECTS.items():
        value = getattr(config, name)
        if isinstance(value, str):
            continue
        known = {made: key for key, made in classes.items()}
        if type(value) not in known or not is_dataclass(value):
            raise InputError(
                f"{name} is a {type(value).__name__}, which is not part of aetia and cannot be "
                f"saved; use one of {list(classes)}."
            )
        plain = asdict(value)  # pyright: ignore[reportArgumentType]
        options[name] = {"name": known[type(value)], **plain}
    tensors = {f"network.{k}": v for k, v in fit.network.state_dict().items()}
    tensors["scale.centre"] = fit.scale.centre
    header = {
        "schema": _SCHEMA,
        "spread": fit.scale.spread,
        "classes": fit.classes,
        "history": fit.rows,
        "facts": fit.facts,
        "config": options,
    }
    text = json.dumps(plain_json(header), sort_keys=True)
    contiguous = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    write_atomically(Path(folder) / _FILE, save(contiguous, {"aetia": text}))


def load_image_model(folder: str | Path) -> tuple[FittedImages, ImageDDDMConfig]:
    """Read what :func:`save_image_model` wrote, onto the CPU.

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
            f"no saved ImageDDDM at {str(folder)!r}: {_FILE} is missing. Pass the folder that "
            "`save` wrote."
        )
    try:
        with safe_open(str(file), "pt") as handle:
            header = json.loads(handle.metadata()["aetia"])
            tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
        if header["schema"] > _SCHEMA:
            raise CheckpointError(f"{str(file)!r} is of a newer version of aetia.")
        config = ImageDDDMConfig(**_options(header["config"]))
        with seeded(torch.Generator()):
            network = build_image_network(config, len(header["classes"]))
        prefix = "network."
        weights = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        network.load_state_dict(weights)
        network.eval().requires_grad_(False)
        scale = ImageScale(tensors["scale.centre"], header["spread"])
        classes = tuple(header["classes"])
        return FittedImages(network, scale, classes, header["history"], header["facts"]), config
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        if isinstance(error, (CheckpointError, ResultFileError)):
            raise
        raise CheckpointError(
            f"the model in {str(folder)!r} is damaged ({type(error).__name__}: {error})."
        ) from error


def _options(written: dict[str, Any]) -> dict[str, Any]:
    options = dict(written)
    for name, classes in _OBJECTS.items():
        if isinstance(options[name], dict):
            fields = dict(options[name])
            options[name] = classes[fields.pop("name")](**fields)
    for name in ("image_shape", "time_grid"):
        if isinstance(options[name], list):
            options[name] = tuple(options[name])
    return options

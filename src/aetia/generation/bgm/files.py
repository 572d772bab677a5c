"""Fitted models on disk: safetensors and JSON, nothing executable."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import torch

from aetia.errors import CheckpointError, InputError, ResultFileError
from aetia.files import plain_json
from aetia.generation.bgm.config import BGMConfig, ImageBGMConfig
from aetia.generation.bgm.model import Config, FittedModel, build_networks, likelihood_of
from aetia.generation.bgm.table import ColumnScales
from aetia.nets import seeded
from aetia.options import build, options_dict
from aetia.version import __version__

__all__ = ["load_model", "save_model"]

_WEIGHTS, _CARD = "model.safetensors", "model.json"
_SCHEMA = 1


def save_model(model: FittedModel, folder: str | Path, kind: str) -> None:
    """Write weights and card, each atomically, the card last.

    Args:
        model: The model.
        folder: Made if needed.
        kind: Name of the estimator.

    Raises:
        InputError: If it cannot be written.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    weights = {k: v.detach().cpu().contiguous() for k, v in model.networks.state_dict().items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as temporary:
            part = Path(temporary) / _WEIGHTS
            save_file(weights, part)
            card = {
                "schema": _SCHEMA,
                "kind": kind,
                "version": __version__,
                "sha256": hashlib.sha256(part.read_bytes()).hexdigest(),
                "names": list(model.names),
                # Decimal digits lose bits; hexadecimal ones do not.
                "centre": [float(v).hex() for v in model.scales.centre],
                "scale": [float(v).hex() for v in model.scales.scale],
                "is_binary": model.scales.is_binary,
                "entropy": str(model.entropy),
                "history": model.history,
                "facts": model.facts,
                "config": options_dict(model.config),
            }
            text = json.dumps(plain_json(card), indent=1, sort_keys=True)
            (Path(temporary) / _CARD).write_text(text + "\n", encoding="utf-8")
            for name in (_WEIGHTS, _CARD):
                with (Path(temporary) / name).open("rb+") as handle:
                    os.fsync(handle.fileno())
                os.replace(Path(temporary) / name, folder / name)
    except OSError as error:
        raise InputError(f"cannot write the model to {str(folder)!r}: {error}") from error


def load_model(folder: str | Path, kind: str) -> FittedModel:
    """Read what :func:`save_model` wrote, onto the CPU.

    Args:
        folder: The folder.
        kind: Name of the estimator that is expected.

    Returns:
        The model.

    Raises:
        ResultFileError: If there is no model, or one of another kind.
        CheckpointError: If the files are damaged or do not belong together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    folder = Path(folder)
    if not (folder / _CARD).is_file() or not (folder / _WEIGHTS).is_file():
        raise ResultFileError(
            f"no saved model at {str(folder)!r}: {_CARD} or {_WEIGHTS} is missing. Pass the folder "
            "that `save` wrote."
        )
    try:
        card = json.loads((folder / _CARD).read_text(encoding="utf-8"))
        raw = (folder / _WEIGHTS).read_bytes()
        if card["schema"] > _SCHEMA or card["sha256"] != hashlib.sha256(raw).hexdigest():
            raise CheckpointError(
                f"{str(folder / _WEIGHTS)!r} is not the file that its card describes: it is "
                "truncated, was changed, or is of a newer version of aetia."
            )
        if card["kind"] != kind:
            raise ResultFileError(
                f"{str(folder)!r} holds a {card['kind']}, expected a {kind}: use "
                f"{card['kind']}.load."
            )
        config: Config = build(ImageBGMConfig if kind == "ImageBGM" else BGMConfig, card["config"])
        scales = ColumnScales(
            np.array([float.fromhex(v) for v in card["centre"]]),
            np.array([float.fromhex(v) for v in card["scale"]]),
            np.array(card["is_binary"], dtype=bool),
        )
        likelihood = likelihood_of(config, scales, torch.device("cpu"))
        with seeded(torch.Generator()):
            networks = build_networks(config, likelihood, card["facts"]["n_latents"], None)
        networks.load_state_dict(load(raw))
        networks.eval().requires_grad_(False)
        return FittedModel(
            config,
            networks,
            likelihood,
            scales,
            tuple(card["names"]),
            int(card["entropy"]),
            card["history"],
            card["facts"],
        )
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        if isinstance(error, (CheckpointError, ResultFileError)):
            raise
        raise CheckpointError(
            f"the model in {str(folder)!r} is damaged ({type(error).__name__}: {error})."
        ) from error

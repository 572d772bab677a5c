"""Fitted models on disk: one bundle, nothing executable."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aetia.errors import CheckpointError, ResultFileError
from aetia.files import is_bundle, load_bundle, save_bundle
from aetia.generation.bgm.building import Config, build_networks, likelihood_of
from aetia.generation.bgm.config import BGMConfig, ImageBGMConfig
from aetia.generation.bgm.model import FittedModel
from aetia.generation.bgm.table import ColumnScales
from aetia.generation.saved_models import MODEL_FILE, damage_named, some
from aetia.nets import seeded
from aetia.options import build
from aetia.results import RunFacts

__all__ = ["load_model", "save_model"]

_SCHEMA = 2
_FIRST_CARD = "model.json"
"""What stood beside the weights in the first schema."""


def save_model(model: FittedModel, folder: str | Path, kind: str) -> None:
    """Write networks, scales, options and facts to one file, atomically.

    Args:
        model: The model.
        folder: Made if needed.
        kind: Name of the estimator.

    Raises:
        InputError: If it cannot be written.
    """
    tensors = {f"networks.{k}": v for k, v in model.networks.state_dict().items()}
    scales = model.scales._asdict()
    tensors |= {f"scales.{k}": torch.from_numpy(np.asarray(v)) for k, v in scales.items()}
    plain = {
        "names": model.names,
        "history": model.history,
        "facts": model.facts.to_dict(),
        "health": model.health,
    }
    file = Path(folder) / MODEL_FILE
    save_bundle(file, kind=kind, schema=_SCHEMA, tensors=tensors, plain=plain)
    (Path(folder) / _FIRST_CARD).unlink(missing_ok=True)  # of an earlier version


def load_model(folder: str | Path, kind: str) -> FittedModel:
    """Read what :func:`save_model` wrote, onto the CPU.

    Args:
        folder: The folder.
        kind: Name of the estimator that is expected.

    Returns:
        The model; its draws with a given seed are those of the saved one.

    Raises:
        ResultFileError: If there is no model, or one of another kind.
        CheckpointError: If the file is damaged.
    """
    file = Path(folder) / MODEL_FILE
    with damage_named(folder):
        if is_bundle(file) or not file.with_name(_FIRST_CARD).is_file():
            _, _, tensors, plain = load_bundle(file, kind=kind, schema=_SCHEMA)
        else:
            tensors, plain = _read_first_schema(file, kind)
        return _restore(tensors, plain, kind)


def _restore(tensors: dict[str, Tensor], plain: dict[str, Any], kind: str) -> FittedModel:
    facts = RunFacts.from_dict(plain["facts"])
    options = facts.config
    config: Config = build(ImageBGMConfig if kind == "ImageBGM" else BGMConfig, options)
    scales = ColumnScales(**{k: v.numpy() for k, v in some(tensors, "scales").items()})
    likelihood = likelihood_of(config, scales, torch.device("cpu"))
    with seeded(torch.Generator()):
        networks = build_networks(config, likelihood, plain["health"]["n_latents"], None)
    networks.load_state_dict(some(tensors, "networks"))
    networks.eval().requires_grad_(False)
    names, history = tuple(plain["names"]), plain["history"]
    return FittedModel(config, networks, likelihood, scales, names, history, facts, plain["health"])


def _read_first_schema(file: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read weights with a card beside them, in which facts and health were one mapping."""
    from safetensors.torch import load

    card = json.loads(file.with_name(_FIRST_CARD).read_text(encoding="utf-8"))
    if not file.is_file():
        raise ResultFileError(f"no saved {kind} at {str(file)!r}: there is no such file.")
    raw = file.read_bytes()
    if card["sha256"] != hashlib.sha256(raw).hexdigest():
        raise CheckpointError(
            f"{str(file)!r} is not the file that its card describes: it is truncated or was "
            "changed."
        )
    if card["kind"] != kind:
        raise ResultFileError(
            f"{str(file)!r} holds a {card['kind']}, expected a {kind}: use {card['kind']}.load."
        )
    # The encoder was called reader then.
    weights = {f"networks.{k.replace('reader.', 'encoder.')}": v for k, v in load(raw).items()}
    weights["scales.is_binary"] = torch.tensor(card["is_binary"], dtype=torch.bool)
    for name in ("centre", "scale"):
        values = [float.fromhex(v) for v in card[name]]
        weights[f"scales.{name}"] = torch.tensor(values, dtype=torch.float64)
    old = card["facts"]
    facts = RunFacts(
        method="image-bgm" if kind == "ImageBGM" else "bgm",
        seed=int(card["entropy"]),
        version=card["version"],
        device=old.get("device", ""),
        seconds=old.get("wall_time_s"),
        n_steps=old.get("n_steps"),
        best_step=old.get("best_step"),
        config=card["config"],
    )
    moved = {"device", "version", "wall_time_s", "n_steps", "best_step"}
    return weights, {
        "names": card["names"],
        "history": card["history"],
        "facts": facts.to_dict(),
        "health": {k: v for k, v in old.items() if k not in moved},
    }

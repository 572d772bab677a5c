"""A fitted DDDM on disk."""

from __future__ import annotations

from pathlib import Path

import torch

from aetia.data import Encoding
from aetia.generation.diffusion.model_bundle import read_model, write_model
from aetia.generation.diffusion.tables.codec import Codec
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.generation.diffusion.tables.fitted import Fitted
from aetia.generation.diffusion.tables.fitting import build_network
from aetia.generation.diffusion.tables.masks import Pattern
from aetia.generation.saved_models import damage_named
from aetia.nets import seeded

__all__ = ["load_model", "save_model"]

_ARRAYS = ("centre", "scale", "ends")


def save_model(folder: str | Path, fit: Fitted) -> None:
    """Write network, columns and options to one file, atomically.

    Args:
        folder: Made if needed.
        fit: The fitted network.
    """
    codec = fit.codec
    tensors = {f"codec.{k}": torch.from_numpy(getattr(codec, k)) for k in _ARRAYS}
    if fit.patterns is not None:
        tensors |= {f"patterns.{k}": v for k, v in fit.patterns._asdict().items()}
    plain = {
        "names": codec.encoding.names,
        "levels": codec.encoding.levels,
        "kinds": codec.kinds,
        "history": fit.rows,
        "facts": fit.facts.to_dict(),
        "health": fit.health,
    }
    write_model(folder, "DDDM", fit.network, tensors, plain, fit.config)


def load_model(folder: str | Path) -> Fitted:
    """Read what :func:`save_model` wrote, onto the CPU.

    Args:
        folder: The folder.

    Returns:
        The fitted network.
    """
    with damage_named(folder):
        stored = read_model(folder, "DDDM")
        plain, tensors = stored.plain, stored.tensors
        config = DDDMConfig(**stored.options)
        encoding = Encoding(tuple(plain["names"]), tuple(map(tuple, plain["levels"])))
        arrays = [tensors[f"codec.{k}"].numpy() for k in _ARRAYS]
        codec = Codec(encoding, tuple(plain["kinds"]), *arrays)
        with seeded(torch.Generator()):
            network = build_network(config, encoding.width, codec.d)
        stored.fill(network)
        patterns = None
        if "patterns.target" in tensors:
            patterns = Pattern(tensors["patterns.target"], tensors["patterns.context"])
        return Fitted(
            config=config,
            network=network,
            codec=codec,
            patterns=patterns,
            facts=stored.facts,
            health=plain["health"],
            rows=plain["history"],
        )

"""A fitted DDDM on disk."""

from __future__ import annotations

from pathlib import Path

import torch

from aetia.data import Encoding
from aetia.generation.diffusion.model_file import damage_named, read_model, write_model
from aetia.generation.diffusion.tables.codec import Codec
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.generation.diffusion.tables.fitted import Fitted
from aetia.generation.diffusion.tables.fitting import build_network
from aetia.generation.diffusion.tables.masks import Pattern
from aetia.nets import seeded

__all__ = ["load_model", "save_model"]

_FILE = "dddm.safetensors"


def save_model(folder: str | Path, fit: Fitted, config: DDDMConfig, entropy: int) -> None:
    """Write network, columns and options to one file, atomically.

    Args:
        folder: Made if needed.
        fit: The fitted network.
        config: Options.
        entropy: Seed of the fit.
    """
    codec = fit.codec
    tensors = {
        f"codec.{k}": torch.from_numpy(getattr(codec, k)) for k in ("centre", "scale", "ends")
    }
    if fit.patterns is not None:
        tensors |= {f"patterns.{k}": v for k, v in fit.patterns._asdict().items()}
    header = {
        "entropy": str(entropy),
        "names": codec.encoding.names,
        "levels": codec.encoding.levels,
        "kinds": codec.kinds,
        "history": fit.rows,
        "facts": fit.facts,
    }
    write_model(Path(folder) / _FILE, fit.network, tensors, header, config)


def load_model(folder: str | Path) -> tuple[Fitted, DDDMConfig]:
    """Read what :func:`save_model` wrote, onto the CPU.

    Args:
        folder: The folder.

    Returns:
        The fitted network and its options.
    """
    with damage_named(folder):
        stored = read_model(Path(folder) / _FILE, "DDDM")
        header, tensors = stored.header, stored.tensors
        config = DDDMConfig(**stored.options)
        encoding = Encoding(tuple(header["names"]), tuple(map(tuple, header["levels"])))
        arrays = [tensors[f"codec.{k}"].numpy() for k in ("centre", "scale", "ends")]
        codec = Codec(encoding, tuple(header["kinds"]), *arrays)
        with seeded(torch.Generator()):
            network = build_network(config, encoding.width, codec.d)
        stored.fill(network)
        patterns = None
        if "patterns.target" in tensors:
            patterns = Pattern(tensors["patterns.target"], tensors["patterns.context"])
        return Fitted(network, codec, patterns, header["history"], header["facts"]), config

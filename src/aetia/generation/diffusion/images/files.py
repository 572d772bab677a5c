"""A fitted ImageDDDM on disk."""

from __future__ import annotations

from pathlib import Path

import torch

from aetia.generation.diffusion.images.config import ImageDDDMConfig
from aetia.generation.diffusion.images.fitting import FittedImages, build_image_network
from aetia.generation.diffusion.images.scale import ImageScale
from aetia.generation.diffusion.model_file import damage_named, read_model, write_model
from aetia.nets import seeded

__all__ = ["load_image_model", "save_image_model"]

_FILE = "image_dddm.safetensors"


def save_image_model(folder: str | Path, fit: FittedImages, config: ImageDDDMConfig) -> None:
    """Write network, scale and options to one file, atomically.

    Args:
        folder: Made if needed.
        fit: The fitted network.
        config: Options.
    """
    header = {
        "spread": fit.scale.spread,
        "classes": fit.classes,
        "history": fit.rows,
        "facts": fit.facts,
    }
    scale = {"scale.centre": fit.scale.centre}
    write_model(Path(folder) / _FILE, fit.network, scale, header, config)


def load_image_model(folder: str | Path) -> tuple[FittedImages, ImageDDDMConfig]:
    """Read what :func:`save_image_model` wrote, onto the CPU.

    Args:
        folder: The folder.

    Returns:
        The fitted network and its options.
    """
    with damage_named(folder):
        stored = read_model(Path(folder) / _FILE, "ImageDDDM")
        header = stored.header
        config = ImageDDDMConfig(**stored.options)
        with seeded(torch.Generator()):
            network = build_image_network(config, len(header["classes"]))
        stored.fill(network)
        scale = ImageScale(stored.tensors["scale.centre"], header["spread"])
        classes = tuple(header["classes"])
        return FittedImages(network, scale, classes, header["history"], header["facts"]), config

"""A fitted ImageDDDM on disk."""

from __future__ import annotations

from pathlib import Path

import torch

from aetia.generation.diffusion.images.config import ImageDDDMConfig
from aetia.generation.diffusion.images.fitted import FittedImages
from aetia.generation.diffusion.images.fitting import build_image_network
from aetia.generation.diffusion.images.scale import ImageScale
from aetia.generation.diffusion.model_bundle import read_model, write_model
from aetia.generation.saved_models import damage_named
from aetia.nets import seeded

__all__ = ["load_image_model", "save_image_model"]


def save_image_model(folder: str | Path, fit: FittedImages) -> None:
    """Write network, scale and options to one file, atomically.

    Args:
        folder: Made if needed.
        fit: The fitted network.
    """
    plain = {
        "spread": fit.scale.spread,
        "classes": fit.classes,
        "history": fit.rows,
        "facts": fit.facts.to_dict(),
        "health": fit.health,
    }
    scale = {"scale.centre": fit.scale.centre}
    write_model(folder, "ImageDDDM", fit.network, scale, plain, fit.config)


def load_image_model(folder: str | Path) -> FittedImages:
    """Read what :func:`save_image_model` wrote, onto the CPU.

    Args:
        folder: The folder.

    Returns:
        The fitted network.
    """
    with damage_named(folder):
        stored = read_model(folder, "ImageDDDM")
        plain = stored.plain
        config = ImageDDDMConfig(**stored.options)
        classes = tuple(plain["classes"])
        with seeded(torch.Generator()):
            network = build_image_network(config, len(classes))
        stored.fill(network)
        return FittedImages(
            config=config,
            network=network,
            scale=ImageScale(stored.tensors["scale.centre"], plain["spread"]),
            classes=classes,
            facts=stored.facts,
            health=plain["health"],
            rows=plain["history"],
        )

"""From ``params`` and the arguments of ``fit`` to the options of aetia's BGM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aetia.generation.bgm.surface import BGMConfig, ImageBGMConfig

__all__ = ["image_options", "table_options"]


def table_options(params: Mapping[str, Any], *, batch_size: int) -> BGMConfig:
    """Translate options of a table.

    Args:
        params: All keys.
        batch_size: Rows of a step.

    Returns:
        The options.
    """
    return BGMConfig(
        generator_units=tuple(params["g_units"]),
        encoder_units=tuple(params["e_units"]),
        critic_units=tuple(params["dz_units"]),
        **_shared(params, batch_size),
    )


def image_options(params: Mapping[str, Any], *, batch_size: int) -> ImageBGMConfig:
    """Translate options of images; the networks are fixed.

    Args:
        params: All keys.
        batch_size: Images of a step.

    Returns:
        The options.
    """
    return ImageBGMConfig(
        image_shape=(28, 28, 1), width=32, dropout=0.3, **_shared(params, batch_size)
    )


def _shared(params: Mapping[str, Any], batch_size: int) -> dict[str, Any]:
    return {
        "n_latents": params["z_dim"],
        "latents": "map",
        "bayesian_generator": bool(params["use_bnn"]),
        "kl_weight": float(params["kl_weight"]),
        "batch_size": batch_size,
        "learning_rate": params["lr_theta"],
        "latent_learning_rate": params["lr_z"],
    }

"""Networks and likelihood as the options ask, with fresh weights."""

from __future__ import annotations

import torch
from torch import nn

from aetia.generation.bgm.config import BGMConfig, ImageBGMConfig
from aetia.generation.bgm.fitting import ModelRows, latent_count
from aetia.generation.bgm.likelihood import ColumnLikelihood
from aetia.generation.bgm.missingness import MissingnessNet
from aetia.generation.bgm.networks import (
    ImageCritic,
    ImageDecoder,
    Networks,
    PixelEncoder,
    TableCritic,
    TableDecoder,
    TableEncoder,
)
from aetia.generation.bgm.random_images import RandomImageDecoder
from aetia.generation.bgm.table import ColumnScales
from aetia.nets import Discriminator

__all__ = ["Config", "build_critics", "build_networks", "count_latents", "likelihood_of"]

Config = BGMConfig | ImageBGMConfig


def likelihood_of(config: Config, scales: ColumnScales, device: torch.device) -> ColumnLikelihood:
    """Make the distribution of the columns.

    Args:
        config: Options.
        scales: Which columns are binary.
        device: Where it is evaluated.

    Returns:
        The distribution.
    """
    binary = torch.from_numpy(scales.is_binary).to(device)
    if isinstance(config, ImageBGMConfig):
        return ColumnLikelihood("bernoulli", binary)
    rank = config.rank if config.likelihood == "low-rank" else 0
    return ColumnLikelihood(config.likelihood, binary, rank, config.smallest_std)


def build_networks(
    config: Config, likelihood: ColumnLikelihood, n_latents: int, rows: ModelRows | None
) -> Networks:
    """Build generator, encoder and perhaps the model of missingness.

    Args:
        config: Options.
        likelihood: Distribution of the columns.
        n_latents: Width of the latents.
        rows: The table; None when weights are read from a file afterwards.

    Returns:
        Networks with fresh weights.
    """
    p = likelihood.n_columns
    if isinstance(config, ImageBGMConfig):
        height, width, channels = config.image_shape
        shape = (int(height), int(width), int(channels))
        made = RandomImageDecoder if config.bayesian_generator else ImageDecoder
        return Networks(
            made(n_latents, shape, config.width),
            PixelEncoder(shape, n_latents, config.width),
        )
    decoder = TableDecoder(
        n_latents,
        p,
        likelihood.n_outputs,
        list(config.generator_units),
        bayesian=config.bayesian_generator,
    )
    missingness = None
    if config.missingness == "mnar":
        seen = torch.ones(2, p, dtype=torch.bool) if rows is None else rows.observed.cpu()
        missingness = MissingnessNet(seen, list(config.missingness_units))
    return Networks(decoder, TableEncoder(p, n_latents, list(config.encoder_units)), missingness)


def build_critics(config: Config, n_latents: int, p: int) -> tuple[nn.Module, nn.Module]:
    """Build the critics of the adversarial initialisation.

    Args:
        config: Options.
        n_latents: Width of the latents.
        p: Columns.

    Returns:
        The critic of latents, and that of rows.
    """
    if isinstance(config, ImageBGMConfig):
        height, width, channels = config.image_shape
        of_rows = ImageCritic((height, width, channels), 2 * config.width, config.dropout)
        return Discriminator(n_latents, [64, 32, 8]), of_rows
    units = list(config.critic_units)
    return Discriminator(n_latents, units), TableCritic(p, units)


def count_latents(config: Config, rows: ModelRows) -> int:
    """Choose the width of the latents.

    Args:
        config: Options.
        rows: The table.

    Returns:
        What the options say; for ``"auto"`` what the correlations of the seen cells ask for.
    """
    if config.n_latents != "auto":
        return int(config.n_latents)
    x, seen = rows.x.double(), rows.observed.double()
    if isinstance(config, ImageBGMConfig):
        x = (x - (x * seen).sum(0) / seen.sum(0).clamp(min=1)) * seen
    pairs = (x.T @ x) / (seen.T @ seen).clamp(min=1)
    spread = pairs.diagonal().clamp(min=1e-12).sqrt()
    correlation = pairs / spread / spread[:, None]
    return latent_count(correlation.cpu().numpy())

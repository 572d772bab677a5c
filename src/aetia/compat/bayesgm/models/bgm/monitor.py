"""What the original prints about the losses of the start, under its names."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from aetia.generation.bgm.egm import RECONSTRUCTION
from aetia.generation.bgm.model import FittedModel

__all__ = ["losses_of_the_start"]

_N_ROWS = 200


def losses_of_the_start(
    model: FittedModel, iteration: int, signals: Mapping[str, float], generator: torch.Generator
) -> str:
    """Write a line about an iteration.

    Args:
        model: In training.
        iteration: Its number.
        signals: Of its updates; ``l2_loss_z`` is minus a log density here, since the encoder gives
            a law.
        generator: Of the rows whose variances are told.

    Returns:
        The line.
    """
    losses = {
        "g_loss_adv": signals["networks/critic_rows"],
        "e_loss_adv": signals["networks/critic_latents"],
        "l2_loss_z": signals["networks/latents"] / RECONSTRUCTION,
        "l2_loss_x": signals["networks/rows"] / RECONSTRUCTION,
        "sd^2_loss": _squared_variances(model, generator),
        "g_e_loss": signals["networks/loss"],
        "dz_loss": signals["critics/latents"],
        "dx_loss": signals["critics/rows"],
        "d_loss": signals["critics/loss"],
    }
    told = ", ".join(f"{name} [{value:.4f}]" for name, value in losses.items())
    return f"EGM Initialization Iter [{iteration}] : {told}"


@torch.no_grad()
def _squared_variances(model: FittedModel, generator: torch.Generator) -> float:
    """Average the squared variances of new rows, those of the logits for images."""
    decoder = model.networks.decoder
    z = torch.randn(_N_ROWS, decoder.n_latents, generator=generator, device=model.device)
    variance = decoder.logit_variance(z)
    if variance is None:
        variance = model.likelihood.read(decoder.fixed()(z)).variance
    assert variance is not None
    return float(variance.square().mean())

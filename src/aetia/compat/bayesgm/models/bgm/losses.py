r"""The original's losses of the initialisation, whose encoder gives a point.

.. math::

    L_D &= \tfrac12 [(.9 - D_x(x))^2 + (.1 - D_x(\hat x))^2 + (.9 - D_z(z))^2 + (.1 - D_z(e(x)))^2]
        + \gamma \cdot slopes \\
    L_G &= (.9 - D_x(\hat x))^2 + (.9 - D_z(e(x)))^2 + 10\,(|x - \bar x|^2 + |z - e(\hat x)|^2)
        + \alpha \sigma^4(z)

with rows :math:`\hat x` drawn given latents z, and :math:`\bar x` given e(x).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from aetia.generation.bgm.surface import RECONSTRUCTION, Adversaries, ColumnLikelihood, ModelRows
from aetia.nets import gradient_penalty

__all__ = ["critics_loss", "generator_loss"]

_REAL, _MADE = 0.9, 0.1

Loss = tuple[Tensor, dict[str, Tensor]]


def critics_loss(
    adversaries: Adversaries,
    likelihood: ColumnLikelihood,
    rows: ModelRows,
    generator: torch.Generator,
    *,
    gamma: float,
) -> Loss:
    """Tell made latents and rows from real ones; made rows have the holes of real ones.

    Args:
        adversaries: All networks.
        likelihood: Distribution of the columns.
        rows: A batch.
        generator: Source of randomness.
        gamma: Weight of the critics' slopes.

    Returns:
        The loss, and its parts under the original's names.
    """
    x, observed = rows
    with torch.no_grad():
        z = _drawn(adversaries, rows, generator)
        made = likelihood.soft(adversaries.networks.decoder(z, generator), generator)
        encoded = adversaries.networks.encoder(x, observed).mean

    def of_rows(some: Tensor) -> Tensor:
        return adversaries.of_rows(some, observed)

    parts = {
        "dz_loss": _discrimination_loss(adversaries.of_latents(z), adversaries.of_latents(encoded)),
        "dx_loss": _discrimination_loss(of_rows(x), of_rows(made)),
    }
    loss = parts["dz_loss"] + parts["dx_loss"]
    if gamma:
        slopes = gradient_penalty(adversaries.of_latents, z, encoded, generator).mean()
        slopes = slopes + gradient_penalty(of_rows, x, made, generator).mean()
        loss = loss + gamma * slopes
    return loss, parts


def generator_loss(
    adversaries: Adversaries,
    likelihood: ColumnLikelihood,
    rows: ModelRows,
    generator: torch.Generator,
    *,
    alpha: float,
) -> Loss:
    """Fit generator and encoder against the critics.

    Args:
        adversaries: All networks.
        likelihood: Distribution of the columns.
        rows: A batch.
        generator: Source of randomness.
        alpha: Weight of the squared variances, those of the logits for images.

    Returns:
        The loss, and its parts under the original's names.
    """
    (x, observed), networks = rows, adversaries.networks
    z = _drawn(adversaries, rows, generator)
    raw = networks.decoder(z, generator)
    made = likelihood.soft(raw, generator)
    encoded = networks.encoder(x, observed).mean
    again = likelihood.soft(networks.decoder(encoded, generator), generator)
    variance = likelihood.read(raw).variance
    if variance is None:
        variance = networks.decoder.logit_variance(z)
    assert variance is not None
    seen = observed.to(x.dtype)
    parts = {
        "g_loss_adv": (_REAL - adversaries.of_rows(made, observed)).square().mean(),
        "e_loss_adv": (_REAL - adversaries.of_latents(encoded)).square().mean(),
        "l2_loss_z": (z - networks.encoder(made, observed).mean).square().mean(),
        "l2_loss_x": ((x - again).square() * seen).sum() / seen.sum().clamp(min=1),
        "sd^2_loss": variance.square().mean(),
    }
    back = parts["l2_loss_x"] + parts["l2_loss_z"]
    loss = parts["g_loss_adv"] + parts["e_loss_adv"] + RECONSTRUCTION * back
    return loss + alpha * parts["sd^2_loss"], parts


def _drawn(adversaries: Adversaries, rows: ModelRows, generator: torch.Generator) -> Tensor:
    shape = (len(rows.x), adversaries.networks.decoder.n_latents)
    return torch.randn(shape, generator=generator, device=rows.x.device)


def _discrimination_loss(real: Tensor, made: Tensor) -> Tensor:
    wanted_real, wanted_made = torch.full_like(real, _REAL), torch.full_like(made, _MADE)
    return 0.5 * (F.mse_loss(real, wanted_real) + F.mse_loss(made, wanted_made))

"""What the networks say at given latents, without sampling: effects and errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.compat.bayesgm.arguments import Triplet
from aetia.effects.causalbgm.surface import (
    Fitted,
    Units,
    level_distributions,
    outcome_distribution,
    treatment_distribution,
)
from aetia.nets import perceptron

__all__ = ["PlugIn", "plug_in", "scaled_units"]


class PlugIn(NamedTuple):
    """Effects, and mean squared errors of the reconstructions, in the user's units."""

    effect: Float[np.ndarray, "*shape"]
    """Effects of the units ``(n, 1)``, or the dose response ``(nb_intervals,)``."""
    mse_x: float
    mse_y: float
    mse_v: float


def scaled_units(fit: Fitted, study: Triplet) -> Units:
    """Scale units as those of the fit; the one member of the ensemble is the leading dimension.

    Args:
        fit: A fit, whose scales are used.
        study: Treatment, outcome and covariates in the user's units.

    Returns:
        Units on the device of the networks.
    """
    units, _ = fit.table.scaled_units(study.v, study.x, study.y)
    return units.map(lambda part: part[None].to(fit.networks.knots.device))


@torch.no_grad()
def plug_in(
    fit: Fitted, study: Triplet, z: Float[Tensor, "one n latents"] | None, nb_intervals: int
) -> PlugIn:
    """Reconstruct a study and read the effect off the networks.

    Args:
        fit: Networks and scales.
        study: Treatment, outcome and covariates in the user's units.
        z: Latents of its units; None encodes the covariates.
        nb_intervals: Points between the 5 % and 95 % quantiles of a continuous treatment.

    Returns:
        Effects and errors.
    """
    table, roles = fit.table, fit.networks.roles
    units, mechanisms = scaled_units(fit, study), fit.networks.mechanisms()
    z = fit.encoded(units) if z is None else z
    assert units.treatment is not None
    v = perceptron(mechanisms.covariates, z)[0, :, :-1].double().cpu().numpy()
    gaps = np.zeros_like(study.v)
    gaps[:, table.kept] = v * table.scale + table.centre - study.v[:, table.kept]
    x = treatment_distribution(mechanisms, roles, z).mean[0, :, 0].double().cpu().numpy()
    if table.is_binary:
        x = 1 / (1 + np.exp(-x))
    else:
        x = table.treatment_scale[0] + table.treatment_scale[1] * x
    y = outcome_distribution(mechanisms, roles, z, units.treatment).mean[0, :, 0]
    y = fit.in_outcome_units(y.double().cpu().numpy())
    return PlugIn(
        _effect(fit, study, z, nb_intervals),
        mse_x=float(np.mean((x - study.x) ** 2)),
        mse_y=float(np.mean((y - study.y) ** 2)),
        mse_v=float(np.nanmean(gaps**2)),
    )


def _effect(
    fit: Fitted, study: Triplet, z: Tensor, nb_intervals: int
) -> Float[np.ndarray, "*shape"]:
    if fit.table.is_binary:
        levels = np.array([0.0, 1.0])
    else:
        low, high = np.quantile(study.x, [0.05, 0.95])
        grid = np.linspace(low, high, nb_intervals)
        levels = fit.table.scaled_treatment(grid).astype(np.float64)
    mechanisms = fit.networks.mechanisms()
    # One level at a time: a grid of all units at once would not fit.
    means = [
        level_distributions(mechanisms, fit.networks, z, level).mean[0, :, 0]
        for level in levels[:, None]
    ]
    if fit.table.is_binary:
        effect = (means[1] - means[0])[:, None].double().cpu().numpy()
        return effect * fit.table.outcome_scale[1]
    return fit.in_outcome_units(np.array([float(m.double().mean()) for m in means]))

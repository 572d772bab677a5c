"""Where outcomes fall in the distributions predicted by networks that never saw them."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import ndtr

from aetia.effects.causalbgm.fitted import Fitted
from aetia.effects.causalbgm.folds import out_of_fold
from aetia.effects.causalbgm.generative import outcome_distribution

__all__ = ["outcome_ranks"]


@torch.no_grad()
def outcome_ranks(fit: Fitted) -> Float[np.ndarray, " n"]:
    """Compute the probability integral transform of every outcome, out of fold.

    The predictive distribution of an outcome, under the treatment that was received, is the mixture
    of the normal distributions of the replicates. Calibrated predictions have uniform ranks: a
    share ``level`` of them lies within ``level / 2`` of one half.

    Args:
        fit: A fitted ensemble; with one fold its networks have seen most outcomes.

    Returns:
        Ranks in [0, 1].
    """
    assert fit.units.treatment is not None
    predicted = outcome_distribution(
        fit.networks.mechanisms(), fit.networks.roles, fit.encoded(fit.units), fit.units.treatment
    )
    mean = fit.in_outcome_units(predicted.mean[..., 0].double().cpu().numpy())
    sd = fit.table.outcome_scale[1] * predicted.variance[..., 0].double().sqrt().cpu().numpy()
    if fit.folds.n_folds > 1:
        mean, sd = out_of_fold(mean, fit.folds), out_of_fold(sd, fit.folds)
    return ndtr((fit.table.outcome - mean) / sd).mean(0)

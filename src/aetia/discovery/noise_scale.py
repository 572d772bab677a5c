"""Whether a fixed noise variance can be that of a table."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.errors import DataWarning

__all__ = ["warn_of_noise_scale"]

_FACTOR = 3.0
"""Variances within this factor of each other are taken to agree."""


def warn_of_noise_scale(likelihood: Any, names: Sequence[str], x: Float[Tensor, "n d"]) -> None:
    """Warn where one fixed noise variance is far from what the columns can have.

    What is left of a column after a regression on all others is a lower bound of its noise, and
    its own variance an upper one. A variance that is set below every lower bound adds edges that
    do not exist; one above every upper bound leaves nothing but the prior.

    Args:
        likelihood: Options of a likelihood; only a numeric ``noise_variance`` is looked at.
        names: Column names.
        x: The table in the scale of the likelihood.
    """
    noise = getattr(likelihood, "noise_variance", None)
    if not isinstance(noise, (int, float)) or len(x) <= 2 * x.shape[1]:
        return
    variance = x.var(0)
    correlation = torch.corrcoef(x.mT) if x.shape[1] > 1 else x.new_ones(1, 1)
    left = variance / torch.linalg.pinv(correlation, hermitian=True).diagonal().clamp_min(1.0)
    smallest, largest = int(left.argmin()), int(variance.argmax())
    if float(left[smallest]) > _FACTOR * noise:
        found = (
            f"all other columns leave {float(left[smallest]):.3g} of the variance of "
            f"{names[smallest]!r} unexplained, and more of the others: edges that do not exist "
            "will be found"
        )
    elif float(variance[largest]) * _FACTOR < noise:
        found = (
            f"the largest variance is {float(variance[largest]):.3g}, of {names[largest]!r}: the "
            "answer will repeat the prior"
        )
    else:
        return
    warnings.warn(
        f"the model says that the noise of every column has variance {noise:g} (in the scale of "
        f"the fit), but {found}. Set noise_variance in the units of the data, or use "
        "noise_variance='learned' or likelihood='bge'.",
        DataWarning,
        stacklevel=4,
    )

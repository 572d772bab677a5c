"""True dose responses of the simulated studies."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from aetia.errors import InputError
from aetia.options import nearest
from aetia.scm.effect_designs import Colangelo, HiranoImbens, Sun

__all__ = ["get_ADRF"]

_DESIGNS: dict[str, Any] = {"Imbens": HiranoImbens, "Sun": Sun, "Lee": Colangelo}


def get_ADRF(  # noqa: N802
    x_values: Any = None,
    x_min: float | None = None,
    x_max: float | None = None,
    nb_intervals: int | None = None,
    dataset: str = "Imbens",
) -> Float[np.ndarray, " k"]:
    """Evaluate the true dose response of a simulated study.

    Args:
        x_values: Treatment values; None for a grid.
        x_min: Start of the grid.
        x_max: End of the grid.
        nb_intervals: Points of the grid.
        dataset: ``"Imbens"``, ``"Sun"`` or ``"Lee"`` (the design of Colangelo and Lee).

    Returns:
        One mean outcome for each value.

    Raises:
        InputError: If there is neither a list of values nor a grid, or the name is unknown.
    """
    if dataset not in _DESIGNS:
        raise InputError(
            f"dataset={dataset!r} is not one of {', '.join(_DESIGNS)}."
            + nearest(str(dataset), list(_DESIGNS))
        )
    if x_values is None:
        if x_min is None or x_max is None or nb_intervals is None:
            raise InputError("pass x_values, or x_min, x_max and nb_intervals.")
        if not x_min < x_max or nb_intervals <= 0:
            raise InputError(
                f"a grid needs x_min < x_max and a positive nb_intervals, got {x_min!r}, "
                f"{x_max!r} and {nb_intervals!r}."
            )
        x_values = np.linspace(x_min, x_max, nb_intervals)
    return _DESIGNS[dataset]().population_means(np.atleast_1d(np.asarray(x_values, np.float64)))

"""Levels of a treatment, as the user names them and as a model reads them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from aetia.errors import DataWarning, InputError
from aetia.options import nearest
from aetia.results.drawn_weights import DrawnWeights
from aetia.results.linear_effects import LinearModel
from aetia.results.simulation_model import SimulationModel

__all__ = ["Level", "is_label", "model_levels"]

Level = float | str
"""A number, or the label of a level."""


def model_levels(
    model: LinearModel | SimulationModel | DrawnWeights, name: str, levels: Sequence[Level]
) -> Float[np.ndarray, " k"]:
    """Turn levels of a treatment into what its model computes on.

    Args:
        model: The model.
        name: Name of the treatment.
        levels: Numbers, or labels of a column with labels.

    Returns:
        Numbers in the user's units, or codes for a column with levels.

    Raises:
        InputError: If a level is a label of a column of numbers, or not among its levels.
    """
    if not isinstance(model, SimulationModel):
        return np.array([_number(name, level) for level in levels])
    column = model.names.index(name)
    support = model.support(column)
    if support is None:
        numbers = np.array([_number(name, level) for level in levels])
        _warn_beyond(model, name, numbers)
        return numbers
    if name in model.levels:
        labels = list(model.levels[name])
        for level in levels:
            if str(level) not in labels:
                raise InputError(
                    f"{name!r} has the levels {', '.join(map(repr, labels))}, not {level!r}."
                    f"{nearest(str(level), labels)} Pass treated= and control= (or doses=) from "
                    "these."
                )
        return np.array([float(labels.index(str(level))) for level in levels])
    numbers = np.array([_number(name, level) for level in levels])
    for number in numbers:
        if number not in support:
            raise InputError(
                f"{name!r} has the values {', '.join(f'{v:g}' for v in support)}, not {number:g}. "
                "Pass treated= and control= from these."
            )
    return np.searchsorted(support, numbers).astype(np.float64)


def is_label(model: LinearModel | SimulationModel | DrawnWeights, name: str) -> bool:
    """Tell whether the levels of a treatment are labels.

    Args:
        model: The model.
        name: Name of the treatment.

    Returns:
        True for a column with labels.
    """
    return isinstance(model, SimulationModel) and name in model.levels


def _number(name: str, level: Level) -> float:
    try:
        number = float(level)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise InputError(
            f"{name!r} is a column of numbers: treated, control and doses must be finite numbers, "
            f"got {level!r}."
        )
    return number


def _warn_beyond(model: SimulationModel, name: str, numbers: np.ndarray) -> None:
    seen = model.values[:, model.names.index(name)]
    beyond = numbers[(numbers < seen.min()) | (numbers > seen.max())]
    if len(beyond):
        warnings.warn(
            f"{name!r} was seen between {seen.min():g} and {seen.max():g}; the effect at "
            f"{', '.join(f'{v:g}' for v in beyond[:3])} is extrapolated along straight lines. "
            "Pass treated= and control= inside this range.",
            DataWarning,
            stacklevel=5,
        )

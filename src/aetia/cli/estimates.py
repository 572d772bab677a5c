"""How long a fit will take, from fits that take a second."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable

from aetia.data import Dataset
from aetia.discovery.automatic import EXACT_COLUMNS
from aetia.errors import ConvergenceError

__all__ = ["by_columns", "by_steps"]


def by_steps(fit: Callable[[int], object], few: int, more: int, steps: int) -> float:
    """Estimate the time of a training from two short ones.

    Args:
        fit: Trains for so many steps.
        few: Steps of the first; what it takes counts as the fixed cost.
        more: Steps of the second.
        steps: Steps of the training.

    Returns:
        Seconds.
    """
    first, second = _seconds(lambda: fit(few)), _seconds(lambda: fit(more))
    return first + max(second - first, 0.0) / (more - few) * steps


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    with warnings.catch_warnings(), contextlib.suppress(ConvergenceError):
        warnings.simplefilter("ignore")  # what so few steps find says nothing
        work()
    return time.perf_counter() - started


def by_columns(short: Callable[[Dataset], object], data: Dataset) -> tuple[float | None, str]:
    """Estimate the time of the exact posterior from a run on some of the columns.

    Args:
        short: Fits some columns of a table.
        data: The table.

    Returns:
        Seconds, and how sure they are.
    """
    if data.has_missing:
        return None, "the time is not estimated: cells are missing, so chains run until they agree"
    few = min(data.d, _FEW_COLUMNS)
    part = data if few == data.d else data.select(data.names[:few])
    seconds = _seconds(lambda: short(part))
    if few == data.d:
        return seconds, "as it just took"
    seconds *= _growth(data.d) / _growth(few)
    return seconds, f"judged by {few} of the columns; it may be a third or three times that"


_FEW_COLUMNS = 8


def _growth(d: int) -> float:
    """Seconds for d columns of 400 rows, as measured on one core.

    The choice of the likelihood grows with d, the sum over all orders of the columns as d 2^d. It
    is cheaper beyond 20 columns, where each has 14 candidate parents.
    """
    return 0.25 + 0.03 * d + (1.5e-6 if d <= EXACT_COLUMNS else 0.55e-6) * d * 2.0**d

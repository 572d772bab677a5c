"""Curves of a training run's health record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from aetia.plots.axes import BLUE, GREY, ORANGE, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_record", "plot_shares"]

Curve = tuple[Sequence[float], Sequence[float]]

_COLOURS = (
    *(BLUE, ORANGE, "#2d7d46", "#7a4fa3", "#b3261e", "#2a8c99", "#a38a1f", GREY),
    *("#6fa8dc", "#f1c27d", "#8fce9a", "#c3a6e0", "#ef9a9a"),
)
_SIZE = (4.2, 2.8)
_FEW = 4
"""Labels that find room inside the axes."""


def plot_record(
    curves: Mapping[str, Curve],
    *,
    title: str,
    is_log: bool = False,
    is_share: bool = False,
    healthy: tuple[float, float] | None = None,
    limit: tuple[str, float] | None = None,
    marked: int | None = None,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw recorded quantities against the step.

    Args:
        curves: Label to steps and values; labels that end in ``max`` are drawn dotted.
        title: Title of the axes.
        is_log: Whether values are on a log axis; those that are not positive are left out.
        is_share: Whether values lie between 0 and 1.
        healthy: Range that is shaded; its end may be infinite.
        limit: Label and value of a horizontal line.
        marked: Step with a vertical line.
        ax: Axes to draw on.

    Returns:
        The axes, and the frame that was drawn: ``curve``, ``step``, ``value``.
    """
    import pandas as pd

    ax = new_axes(ax, _SIZE)
    drawn = []
    solid = 0
    for label, (steps, values) in curves.items():
        step, value = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
        shown = np.isfinite(value) & ((value > 0) if is_log else True)
        is_peak = label.endswith("max")
        colour = _COLOURS[(max(solid - 1, 0) if is_peak else solid) % len(_COLOURS)]
        solid += not is_peak
        marker = "o" if shown.sum() < 3 else None
        line = ":" if is_peak else "-"
        ax.plot(
            step[shown], value[shown], color=colour, lw=1.4, ls=line, marker=marker, ms=3.5,
            label=label,
        )  # fmt: skip
        drawn += [{"curve": label, "step": s, "value": v} for s, v in zip(step, value, strict=True)]
    if is_log:
        ax.set_yscale("log")
    if is_share:
        ax.set_ylim(-0.03, 1.03)
    bottom, top = ax.get_ylim()
    if healthy is not None:
        low, high = max(healthy[0], bottom), min(healthy[1], top)
        if low < high:
            ax.axhspan(low, high, color="#2d7d46", alpha=0.1, lw=0)
        ax.set_ylim(bottom, top)
    if limit is not None:
        ax.axhline(limit[1], color=GREY, lw=1.0, ls="--", label=limit[0])
    if marked is not None:
        ax.axvline(marked, color=GREY, lw=1.0, ls=":")
    ax.set_title(title, fontsize=10)
    ax.set_xlabel("step", fontsize=9)
    _explain(ax, len(curves) + (limit is not None))
    return ax, pd.DataFrame(drawn, columns=["curve", "step", "value"])


def plot_shares(
    steps: Sequence[float],
    shares: Mapping[str, Sequence[float]],
    *,
    title: str,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw shares that add up to one as stacked areas.

    Args:
        steps: When they were measured.
        shares: Label to values.
        title: Title of the axes.
        ax: Axes to draw on.

    Returns:
        The axes, and the frame that was drawn: ``step`` and one column for each label.
    """
    import pandas as pd

    ax = new_axes(ax, _SIZE)
    values = np.nan_to_num(np.asarray([list(v) for v in shares.values()], dtype=float))
    colours = [_COLOURS[k % len(_COLOURS)] for k in range(len(shares))]
    x = np.asarray(steps, dtype=float)
    if len(x) == 1:  # an area needs two ends
        x, values = np.array([0.0, x[0]]), np.repeat(values, 2, axis=1)
    ax.stackplot(x, values, labels=list(shares), colors=colours, alpha=0.75)
    ax.set_ylim(0, 1)
    ax.set_xlim(x[0], x[-1])
    ax.set_title(title, fontsize=10)
    ax.set_xlabel("step", fontsize=9)
    _explain(ax, len(shares))
    return ax, pd.DataFrame({"step": list(steps), **{k: list(v) for k, v in shares.items()}})


def _explain(ax: Axes, n: int) -> None:
    """Add a legend, below the axes if it would cover the curves."""
    if n > _FEW:
        ax.legend(
            fontsize=7.5, frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.3),
            columnspacing=1.2, handlelength=1.5,
        )  # fmt: skip
    elif n > 1:
        ax.legend(fontsize=8, framealpha=0.7, edgecolor="none")

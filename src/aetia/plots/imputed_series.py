"""Readings of sensors and what was put into their gaps, along time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aetia.plots.axes import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_imputed_series"]


def plot_imputed_series(spans: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw readings as dots and imputed values as a line, one panel for each sensor.

    Args:
        spans: Columns ``sensor``, ``recording``, ``step``, ``reading`` (NaN in gaps),
            ``flagged_outliers`` (True where the reading is one: a cross that does not stretch the
            axis), ``imputed`` (the model's value in gaps, the reading elsewhere), ``lower`` and
            ``upper`` (the band in gaps; NaN for none).

    Returns:
        The figure, and the frame that was drawn.
    """
    from matplotlib.figure import Figure

    sensors = list(dict.fromkeys(spans["sensor"]))
    n_rows = max(len(sensors), 1)
    figure = Figure(figsize=(9.0, 1.75 * n_rows + 0.5), layout="constrained")
    axes = figure.subplots(n_rows, 1, squeeze=False)[:, 0]
    for ax, sensor in zip(axes, sensors, strict=False):
        _panel(ax, spans[spans["sensor"] == sensor])
    if sensors:
        axes[-1].set_xlabel("step of the recording")
    return figure, spans


def _panel(ax: Axes, rows: Any) -> None:
    step = rows["step"].to_numpy(float)
    reading, imputed = rows["reading"].to_numpy(float), rows["imputed"].to_numpy(float)
    gap = np.isnan(reading)
    flagged = rows["flagged_outliers"].to_numpy(bool)
    # A gap's line begins and ends at the readings beside it, unless they are flagged.
    imputed = np.where(flagged, np.nan, imputed)
    beside = gap.copy()
    beside[:-1] |= gap[1:]
    beside[1:] |= gap[:-1]
    lower, upper = rows["lower"].to_numpy(float), rows["upper"].to_numpy(float)
    if np.isfinite(lower).any():
        low, high = (np.where(gap, band, imputed) for band in (lower, upper))
        ax.fill_between(
            step,
            low,
            high,
            where=(beside & np.isfinite(low)).tolist(),
            color=ORANGE,
            alpha=0.22,
            lw=0,
        )
    ax.plot(step, np.where(beside, imputed, np.nan), "-", color=ORANGE, lw=1.5, label="imputed")
    dots = ~gap & ~flagged
    ax.plot(step[dots], reading[dots], ".", color=BLUE, ms=3.5, label="readings")
    if flagged.any():
        bounds = np.concatenate([reading[dots], lower, upper, imputed[gap]])
        low, high = np.nanmin(bounds), np.nanmax(bounds)
        pad = 0.08 * (high - low)
        ax.set_ylim(low - 2 * pad, high + 2 * pad)
        clipped = reading[flagged].clip(low - pad, high + pad)
        ax.plot(step[flagged], clipped, "x", color=GREY, ms=5, label="flagged outlier")
    where = str(rows["recording"].iloc[0])
    ax.set_title(
        f"{rows['sensor'].iloc[0]}" + (f", recording {where}" if where else ""),
        fontsize=9.5,
        loc="left",
    )
    ax.tick_params(labelsize=8)
    ax.margins(x=0.01)
    ax.legend(loc="upper right", fontsize=7.5, ncols=3, framealpha=0.8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)

"""What is missing, what was put there, and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from aetia.plots.axes import BLUE, ORANGE, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_imputed_cells", "plot_missingness", "plot_pictures"]

_MAX_ROWS = 2000


def plot_missingness(
    observed: Bool[np.ndarray, "n d"], names: Sequence[str], *, ax: Axes | None = None
) -> tuple[Axes, pd.DataFrame]:
    """Draw the table with its holes; of long tables evenly spaced rows.

    Args:
        observed: True where a value was seen.
        names: Column names.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and a frame with the share of missing cells of every column.
    """
    import pandas as pd

    n, d = observed.shape
    ax = new_axes(ax, (min(max(0.3 * d + 2.0, 4.0), 13.0), 4.0))
    at = np.unique(np.linspace(0, n - 1, min(n, _MAX_ROWS)).round().astype(int))
    ax.imshow(observed[at], aspect="auto", cmap="Greys_r", vmin=-0.4, vmax=1.2, extent=(0, d, n, 0))
    ax.set_xticks(np.arange(d) + 0.5, list(names), rotation=90, fontsize=8)
    ax.set_ylabel("row")
    missing = (~observed).mean(0)
    ax.set_title(f"missing (dark): {missing.mean():.1%} of the cells", fontsize=10)
    return ax, pd.DataFrame({"column": list(names), "share_missing": missing})


def plot_imputed_cells(
    cells: pd.DataFrame, *, n_cells: int = 60, ax: Axes | None = None
) -> tuple[Axes, pd.DataFrame]:
    """Draw means and intervals of imputed cells, in the order of the table.

    Args:
        cells: Columns ``row``, ``column``, ``mean``, ``lower``, ``upper``.
        n_cells: The first so many are drawn.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the cells that were drawn.
    """
    shown = cells.head(n_cells)
    ax = new_axes(ax, (6.4, min(0.18 * len(shown) + 1.2, 13.0)))
    at = np.arange(len(shown))
    ax.hlines(at, shown["lower"], shown["upper"], color=BLUE, alpha=0.5, lw=3)
    ax.plot(shown["mean"], at, ".", color=ORANGE)
    labels = [f"{r}: {c}" for r, c in zip(shown["row"], shown["column"], strict=True)]
    ax.set_yticks(at, labels, fontsize=7)
    ax.invert_yaxis()
    ax.set_xlabel("imputed value")
    if len(shown) < len(cells):
        ax.set_title(f"the first {len(shown)} of {len(cells):,} cells", fontsize=10)
    return ax, shown


def plot_pictures(
    pictures: Float[np.ndarray, "n ..."], *, n_columns: int = 5, ax: Axes | None = None
) -> tuple[Axes, pd.DataFrame]:
    """Draw pictures side by side.

    Args:
        pictures: Height, width, and one or three channels; values in [0, 1], NaN is drawn orange.
        n_columns: Pictures in a row.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and a frame of the pixels, one picture a row.
    """
    import pandas as pd

    n = len(pictures)
    flat = pd.DataFrame(pictures.reshape(n, -1))
    if pictures.ndim == 4 and pictures.shape[-1] != 3:
        pictures = pictures[..., 0]
    height, width = pictures.shape[1:3]
    n_columns = min(n_columns, n)
    n_rows = -(-n // n_columns)
    sheet = np.ones((n_rows * (height + 1) - 1, n_columns * (width + 1) - 1, 3))
    for k, picture in enumerate(pictures):
        colour = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, -1)
        colour = np.where(np.isnan(colour), np.array([0.85, 0.51, 0.18]), colour)
        top, left = (height + 1) * (k // n_columns), (width + 1) * (k % n_columns)
        sheet[top : top + height, left : left + width] = colour
    ax = new_axes(ax, (1.2 * n_columns, 1.2 * n_rows))
    ax.imshow(sheet.clip(0, 1), interpolation="nearest")
    ax.set_axis_off()
    return ax, flat

"""What happened while a sampler ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from aetia.plots.axes import BLUE, ORANGE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["plot_trace"]

_PANELS = (
    ("log_joint", "log joint"),
    ("acyclicity", "acyclicity penalty E[h]"),
    ("gradient_norm_z", "gradient norm of Z"),
    ("ess", "effective graphs per update"),
)


def plot_trace(trace: Mapping[str, np.ndarray]) -> tuple[Figure, pd.DataFrame]:
    """Draw the recorded quantities against the step.

    Args:
        trace: ``step`` and the quantities, as in ``GraphPosterior.trace``.

    Returns:
        A figure with one panel for each quantity, and the frame that was drawn.
    """
    import pandas as pd
    from matplotlib.figure import Figure

    frame = pd.DataFrame(dict(trace))
    figure = Figure(figsize=(9.0, 5.2), layout="constrained")
    for ax, (name, label) in zip(figure.subplots(2, 2).flat, _PANELS, strict=True):
        if name not in frame:
            ax.axis("off")
            continue
        ax.plot(frame["step"], frame[name], color=BLUE, lw=1.4)
        ax.set_title(label, fontsize=10)
        ax.set_xlabel("step", fontsize=9)
        if name in ("acyclicity", "gradient_norm_z") and bool((frame[name] > 0).all()):
            ax.set_yscale("log")
        if name == "acyclicity" and "share_cyclic" in frame:
            twin = ax.twinx()
            twin.plot(frame["step"], frame["share_cyclic"], color=ORANGE, lw=1.2, ls="--")
            twin.set_ylim(-0.03, 1.03)
            twin.set_ylabel("share of cyclic particles", color=ORANGE, fontsize=9)
    return figure, frame

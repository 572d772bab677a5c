"""Figures as self-contained images for a page."""

from __future__ import annotations

import base64
import io
from typing import Any

__all__ = ["svg_data_uri"]


def svg_data_uri(figure: Any) -> str:
    """Render a matplotlib figure as an SVG data URI.

    Args:
        figure: The figure.

    Returns:
        Text for the ``src`` of an image; as an image of its own, so ids cannot collide.
    """
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "aetia"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()

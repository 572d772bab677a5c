"""What a training history says: curves to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["learning_curves"]

Curves = dict[str, dict[str, list[float]]]


def learning_curves(
    history: Sequence[Mapping[str, Any]], quantities: Mapping[str, str], *, n_points: int = 300
) -> Curves:
    """Collect curves from the health record of the training loop.

    Args:
        history: Its rows; steps that start again (another stage) are counted on.
        quantities: Key of a row, or ``validation/KEY``, to the title of its curve.
        n_points: Longer curves are thinned.

    Returns:
        Title to ``step`` and ``value``, and ``se`` where validation states it.
    """
    curves: Curves = {}
    offset, before, stage = 0.0, 0.0, None
    for row in history:
        step = float(row.get("step", before))
        if step + offset < before or row.get("stage") != stage:
            offset, stage = before, row.get("stage")
        before = step + offset
        flat = dict(row)
        for key, value in (row.get("validation") or {}).items():
            flat[f"validation/{key}"] = value
        for key, title in quantities.items():
            value = flat.get(key)
            if isinstance(value, (int, float)):
                curve = curves.setdefault(title, {"step": [], "value": []})
                curve["step"].append(before)
                curve["value"].append(float(value))
                if f"{key}_se" in flat:
                    curve.setdefault("se", []).append(float(flat[f"{key}_se"]))
    order = [title for title in quantities.values() if title in curves]
    return {
        title: {
            field: values[:: max(len(values) // n_points, 1)]
            for field, values in curves[title].items()
        }
        for title in order
    }

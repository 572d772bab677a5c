"""One line of a run for people, at each validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["progress_line"]


def progress_line(
    row: Mapping[str, Any],
    *,
    n_steps: int,
    held_out: float | None = None,
    external: Mapping[str, float] | None = None,
    is_best: bool = False,
) -> str:
    """Write the numbers of a row in one line.

    Args:
        row: A row of the health record, or what would be its next one.
        n_steps: Steps of the whole run.
        held_out: Validation metric that chooses the best checkpoint.
        external: Metrics of the external evaluation.
        is_best: Whether these weights are the best so far.

    Returns:
        ``step 400/2000 | loss 0.0105 | held-out 0.52 | edges 12 | clipped 0.7 % | rate 5.00e-04 |
        best``, with what there is.
    """
    fields = [f"step {row['step']}/{n_steps}", f"loss {row['loss']:.4g}"]
    if held_out is not None:
        fields.append(f"held-out {held_out:.4g}")
    evaluated = external or {}
    for name in ("F1", "SHD"):
        value = evaluated.get(f"val_{name.lower()}", evaluated.get(name.lower()))
        if value is not None:
            fields.append(f"{name} {value:.4g}")
    if "edge_count" in row:
        fields.append(f"edges {row['edge_count']:.4g}")
    clipped = [v for k, v in row.items() if k == "clipped_share" or k.endswith("/clipped_share")]
    if clipped:
        fields.append(f"clipped {100 * max(clipped):.1f} %")
    fields.append(f"rate {row['learning_rate']:.2e}")
    return " | ".join([*fields, "best"] if is_best else fields)

"""Rows of metrics from all processes, each task counted once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lightning_fabric import Fabric

__all__ = ["average_rows", "gather_rows"]

Row = Mapping[str, Any]


def gather_rows(fabric: Fabric, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Collect the rows of all processes.

    Args:
        fabric: The processes.
        rows: Those of this one; the entry ``"task"`` says which task a row is about.

    Returns:
        The same list on every process, one row for each task, sorted by it.
    """
    parts: list[Sequence[Row]] = [rows]
    if fabric.world_size > 1:
        import torch.distributed as dist

        parts = [[] for _ in range(fabric.world_size)]
        dist.all_gather_object(parts, list(rows))
    once = {row["task"]: dict(row) for part in parts for row in part}
    return [once[task] for task in sorted(once)]


def average_rows(rows: Sequence[Row]) -> dict[str, float]:
    """Average metrics over tasks.

    Args:
        rows: One mapping for each task.

    Returns:
        Mean of each metric over the rows that have it, and ``<metric>_se``, the standard error; NaN
        entries are left out.
    """
    out: dict[str, float] = {}
    numeric = (k for r in rows for k, v in r.items() if isinstance(v, (int, float)))
    for name in dict.fromkeys(k for k in numeric if k != "task"):
        values = [float(r[name]) for r in rows if name in r and not math.isnan(float(r[name]))]
        mean = sum(values) / len(values) if values else math.nan
        out[name] = mean
        if len(values) > 1 and math.isfinite(mean):
            variance = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
            out[f"{name}_se"] = math.sqrt(variance / len(values))
        else:
            out[f"{name}_se"] = math.nan
    return out

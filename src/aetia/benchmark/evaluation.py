"""From predictions to a table: metrics of every task, means of families and groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from aetia.benchmark.inference import Inferred
from aetia.diagnostics import detection_auroc, reliability, selective_risk
from aetia.likelihoods import interventional_nll
from aetia.scm import Family, TaskFamily, Tasks, family_distance
from aetia.training import average_rows

__all__ = ["summarise", "task_row"]

Row = Mapping[str, Any]


def task_row(task: Tasks, family: str, inferred: Inferred | None) -> dict[str, Any]:
    """Score one prediction.

    Args:
        task: The task.
        family: Its family.
        inferred: The prediction, or None if the method failed.

    Returns:
        All metrics of :func:`aetia.results.comparison.compare_graphs`, and ``joint_nll``,
        ``raw_share_cyclic``, ``seconds``, ``interventional_nll`` where rows were set; the stated
        probabilities and whether they came true, for reliability curves.
    """
    name = f"{family}/{int(task.index[0])}"
    if inferred is None:
        return {"task": name, "family": family, "failed": 1.0}
    p, truth = inferred.posterior.edge_probabilities(), inferred.truth
    off = ~np.eye(len(truth), dtype=bool)
    row = {
        "task": name,
        "family": family,
        "failed": 0.0,
        **inferred.posterior.compare(truth),
        "joint_nll": inferred.joint_nll,
        "raw_share_cyclic": inferred.share_cyclic,
        "seconds": inferred.seconds,
        "stated": p[off].tolist(),
        "true": truth[off].tolist(),
    }
    marks = task.intervened[0].cpu()
    if marks.any():
        values = task.values[0].cpu()
        is_set = marks.any(1)
        row["interventional_nll"] = interventional_nll(
            torch.from_numpy(inferred.posterior.graphs),
            torch.from_numpy(inferred.posterior.log_weights),
            values[~is_set],
            values[is_set],
            marks[is_set],
        )
    return row


def summarise(
    rows: Sequence[Row],
    groups: Mapping[str, str],
    families: Mapping[str, TaskFamily],
    trained_on: TaskFamily,
) -> dict[str, Any]:
    """Average metrics over the tasks of each family and group, and compare the families.

    Args:
        rows: One for each task.
        groups: Family to group; the group ``id`` is the training distribution.
        families: Families by name.
        trained_on: The training family.

    Returns:
        ``families`` and ``groups`` (mean and standard error of each metric, number of tasks),
        ``reliability``, ``distance`` and ``cards`` (edges, sortability) of each family,
        ``detection`` of shifted tasks by edge entropy, and the curve of ``selective`` prediction.
    """
    by_family = {f: [r for r in rows if r["family"] == f] for f in families}
    by_group: dict[str, list[Row]] = {}
    for family, members in by_family.items():
        by_group.setdefault(groups.get(family, "ood"), []).extend(members)
    scored = [r for r in rows if not r["failed"]]
    entropy = np.array([r["edge_entropy"] for r in scored])
    loss = np.array([r["edge_nll_per_pair"] for r in scored])
    shifted = np.array([groups.get(r["family"], "ood") != "id" for r in scored], dtype=bool)
    auroc, precision = detection_auroc(entropy, shifted) if scored else (math.nan, math.nan)
    curve = selective_risk(entropy, loss)
    return {
        "families": {f: _average(members) for f, members in by_family.items()},
        "groups": {g: _average(members) for g, members in by_group.items()},
        "reliability": {f: _reliability(members) for f, members in by_family.items()},
        "distance": {f: family_distance(trained_on, family) for f, family in families.items()},
        "cards": {f: x.card(20) for f, x in families.items() if isinstance(x, Family)},
        "detection": {"auroc": auroc, "average_precision": precision, "by": "edge_entropy"},
        "selective": {
            "coverage": curve.coverage.tolist(),
            "edge_nll_per_pair": curve.risk.tolist(),
        },
    }


def _average(rows: Sequence[Row]) -> dict[str, Any]:
    finite = [
        {k: (math.nan if isinstance(v, float) and math.isinf(v) else v) for k, v in r.items()}
        for r in rows
    ]
    infinite = sum(math.isinf(r.get("graph_nll", 0.0)) for r in rows)
    means = average_rows(finite)
    return {
        **{k: v for k, v in means.items() if k not in ("stated", "true")},
        "n_tasks": len(rows),
        "graph_nll_infinite_share": infinite / len(rows) if rows else math.nan,
    }


def _reliability(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Pool the tasks of a family."""
    stated = np.array([p for r in rows for p in r.get("stated", ())], dtype=float)
    true = np.array([t for r in rows for t in r.get("true", ())], dtype=bool)
    if not len(stated):
        return {"stated": [], "observed": [], "n_events": []}
    curve = reliability(stated, true)
    return {name: np.asarray(v).tolist() for name, v in curve._asdict().items()}

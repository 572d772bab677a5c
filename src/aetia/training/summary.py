"""The record of a finished run: its summary, and its rows under the names of other trainers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aetia.errors import InputError
from aetia.files import write_json
from aetia.options import options_dict
from aetia.training.config import TrainingConfig
from aetia.training.diagnosis import TrainingFinding, series
from aetia.training.health import Healthy
from aetia.training.progress import Progress

__all__ = ["SUMMARY_FILE", "check_facts", "seed_record", "summarise", "write_summary"]

SUMMARY_FILE = "training_summary.json"

Row = Mapping[str, Any]


def summarise(
    rows: Sequence[Row],
    *,
    config: TrainingConfig,
    seed: int,
    progress: Progress,
    findings: Sequence[TrainingFinding],
    signals: Mapping[str, Healthy],
    facts: Mapping[str, Any],
    aborted: str | None = None,
) -> dict[str, Any]:
    """Collect what is worth knowing about a run when it is over.

    Args:
        rows: The health record.
        config: Options.
        seed: Seed of the run.
        progress: Where it stands.
        findings: Findings about the record.
        signals: Healthy ranges of the method's signals.
        facts: Plain values of the method, such as ``data_stats``.
        aborted: Why training gave up, if it did.

    Returns:
        Plain values. ``total_time`` is in seconds, over all resumptions; entries that the record
        has no number for are None.
    """
    steps = [r for r in rows if "learning_rate" in r]
    clipped = [
        v
        for row in steps
        for key, v in row.items()
        if (key == "clipped_share" or key.endswith("/clipped_share")) and v is not None
    ]
    edges = series(steps, "edge_count")
    return {
        "config": options_dict(config),
        "seed": seed,
        "total_time": sum(float(r.get("seconds") or 0.0) for r in rows),
        "final_step": progress.step,
        "best_step": progress.best_step,
        "best_metrics": progress.best_metrics,
        "best_external": _external_at(rows, progress.best_step),
        "avg_grad_clip_ratio": sum(clipped) / len(clipped) if clipped else None,
        "final_learning_rate": steps[-1]["learning_rate"] if steps else None,
        "final_edge_count": edges[-1][1] if edges else None,
        "n_skipped": progress.n_skipped,
        "rate_factor": progress.rate_factor,
        "aborted": aborted,
        "findings": [f._asdict() for f in findings],
        "signals": {name: healthy._asdict() for name, healthy in signals.items()},
        **facts,
    }


_OWN = frozenset(
    (
        "config",
        "seed",
        "total_time",
        "final_step",
        "best_step",
        "best_metrics",
        "best_external",
        "avg_grad_clip_ratio",
        "final_learning_rate",
        "final_edge_count",
        "n_skipped",
        "rate_factor",
        "aborted",
        "findings",
        "signals",
    )
)


def check_facts(facts: Mapping[str, Any]) -> None:
    """Refuse facts under a name that the summary uses.

    Args:
        facts: Plain values of the method that are to stand in the summary.

    Raises:
        InputError: Naming them.
    """
    taken = sorted(_OWN & facts.keys())
    if taken:
        raise InputError(f"facts: {', '.join(taken)} are names of the summary; choose others.")


def write_summary(folder: Path, summary: Mapping[str, Any]) -> Path:
    """Write the summary beside the health record; readers see all of it or the old one.

    Args:
        folder: Folder of the run.
        summary: Plain values.

    Returns:
        The file.
    """
    return write_json(Path(folder) / SUMMARY_FILE, summary)


def seed_record(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Give the record the field names of the original RC-GNN trainer's log.

    An epoch is the interval between two rows. ``train_loss_components`` are the terms as they enter
    the loss, so they add up to ``train_loss``; they are known where the record holds gradient
    shares or unweighted terms. ``val_f1``, ``val_shd`` and ``best_threshold`` come from external
    evaluation.

    Args:
        rows: The health record.

    Returns:
        One mapping for each interval; what was not recorded is left out.
    """
    out, start = [], 0
    for row in (r for r in rows if "learning_rate" in r):
        step = int(row["step"])
        external: dict[str, Any] = {}
        for r in rows:
            if start < int(r["step"]) <= step:
                external |= r.get("external") or {}
        names = [k.split("gradient_share/")[1] for k in row if k.startswith("gradient_share/")]
        names += [k.removeprefix("raw/") for k in row if k.startswith("raw/")]
        components = {name: row[name] for name in dict.fromkeys(names) if name in row}
        fields = {
            "train_loss": row.get("loss"),
            "train_loss_components": components or None,
            "val_f1": external.get("val_f1", external.get("f1")),
            "val_shd": external.get("val_shd", external.get("shd")),
            "edge_count": row.get("edge_count"),
            "grad_clip_ratio": row.get("clipped_share"),
            "learning_rate": row.get("learning_rate"),
            "best_threshold": row.get("best_threshold", external.get("best_threshold")),
            "epoch_time": row.get("seconds"),
        }
        known = {k: v for k, v in fields.items() if v is not None}
        out.append({"epoch": len(out) + 1, **known})
        start = step
    return out


def _external_at(rows: Sequence[Row], step: int | None) -> dict[str, float] | None:
    found = [r["external"] for r in rows if r["step"] == step and r.get("external")]
    return {k: v for k, v in found[-1].items() if math.isfinite(v)} if found else None

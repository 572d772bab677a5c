"""The health record of a training run: one JSON line per logging step, with verdicts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from aetia.errors import InputError
from aetia.files import dump_json, write_atomically

__all__ = [
    "COMMON_SIGNALS",
    "HealthRecord",
    "Healthy",
    "phase_signals",
    "read_record",
    "verdicts",
]


class Healthy(NamedTuple):
    """The healthy range of a signal, and what to do outside of it."""

    low: float
    high: float
    advice: str


COMMON_SIGNALS: dict[str, Healthy] = {
    "loss": Healthy(-math.inf, math.inf, "the loss is not finite: lower the learning rate"),
    "gradient_norm": Healthy(
        1e-8, 1e4, "gradients vanish or explode: change the learning rate or the initial weights"
    ),
    "clipped_share": Healthy(
        0.0, 0.95, "nearly every gradient is clipped: raise clip_norm or lower the learning rate"
    ),
    "skipped_steps": Healthy(
        0,
        0,
        "steps with non-finite gradients were skipped: lower the learning rate, or use "
        "bf16-mixed or 32-true precision",
    ),
    "data_wait_share": Healthy(
        0.0, 0.3, "training waits for data: raise n_workers, or replay each task"
    ),
}
"""Signals that every run has."""


def phase_signals(
    row: Mapping[str, Any], objectives: Mapping[str, str | None]
) -> dict[str, Healthy]:
    """Give the healthy ranges of gradient shares and of the data's gradient on the structure.

    Args:
        row: Signals by name.
        objectives: Name of the data's part of the loss, by what stands in front of the signals of
            its phase.

    Returns:
        Ranges, for phases that name their objective.
    """
    ranges = {}
    for prefix, objective in objectives.items():
        if objective is None:
            continue
        start = f"{prefix}gradient_share/"
        for key in row:
            name = key.removeprefix(start)
            if key.startswith(start) and name != objective:
                ranges[key] = Healthy(
                    0.0,
                    0.9,
                    f"{name!r} leaves little of the gradient to {objective!r}: lower its lambda",
                )
        key = f"{prefix}objective_gradient/structure"
        ranges[key] = Healthy(
            math.ulp(0.0),
            math.inf,
            "the graph receives no gradient from the data: make the objective depend on it",
        )
    return ranges


def verdicts(row: Mapping[str, Any], signals: Mapping[str, Healthy]) -> dict[str, str]:
    """Judge the signals of one row.

    Args:
        row: Signals by name.
        signals: Healthy ranges.

    Returns:
        ``"ok"`` or advice with the value found, for each signal that has a range.
    """
    out = {}
    for name, healthy in signals.items():
        if name in row:
            value = math.nan if row[name] is None else float(row[name])  # null in a file
            fine = math.isfinite(value) and healthy.low <= value <= healthy.high
            out[name] = "ok" if fine else f"{healthy.advice} (found {value:.3g})"
    return out


class HealthRecord:
    """Appends rows to a JSON-lines file, each flushed.

    Args:
        file: Where to; None keeps rows in memory only.
        resume_at: Rows of later steps, which a resumed run makes again, are dropped.

    Raises:
        InputError: If the folder cannot be written.
    """

    def __init__(self, file: Path | None, resume_at: int = 0) -> None:
        self.file = file
        self.rows: list[dict[str, Any]] = []
        if file is not None:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
            except OSError as error:
                raise InputError(f"cannot write to {str(file.parent)!r}: {error}") from error
            kept = [r for r in read_record(file) if r["step"] <= resume_at] if resume_at else []
            self.rows = kept
            write_atomically(file, "".join(_line(r) for r in kept))

    def add(self, row: dict[str, Any]) -> None:
        """Append one row.

        Args:
            row: Plain values.
        """
        self.rows.append(row)
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as handle:
                handle.write(_line(row))


def read_record(file: Path) -> list[dict[str, Any]]:
    """Read a health record.

    Args:
        file: JSON lines.

    Returns:
        Its rows; a last line that was cut off is left out.
    """
    rows = []
    if Path(file).is_file():
        for line in Path(file).read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return rows


def _line(row: Mapping[str, Any]) -> str:
    return dump_json(row) + "\n"

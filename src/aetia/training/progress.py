"""Where a run stands, besides its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from aetia.training.plateau import Plateau

__all__ = ["Progress"]


@dataclass
class Progress:
    """What a checkpoint holds besides weights and optimisers.

    Attributes:
        step: Steps that were made.
        best_value: Best validation metric.
        best_step: Its step.
        best_metrics: All metrics of that validation.
        n_since_best: Validations since then.
        plateau: State of the schedule that lowers the rate at plateaus.
        n_skipped: Steps with a gradient that was not finite.
        n_skipped_in_a_row: The last ones without a finite one between them, by phase.
        last_finite_step: Steps that were made when the last update was whole.
        rate_factor: What skipped steps left of the learning rate.
    """

    step: int = 0
    best_value: float | None = None
    best_step: int | None = None
    best_metrics: dict[str, float] = field(default_factory=dict)
    n_since_best: int = 0
    plateau: Plateau = field(default_factory=Plateau)
    n_skipped: int = 0
    n_skipped_in_a_row: dict[str, int] = field(default_factory=dict)
    last_finite_step: int = 0
    rate_factor: float = 1.0

    def plain(self) -> dict[str, Any]:
        """List the fields as what a checkpoint can hold.

        Returns:
            Plain values.
        """
        return {**vars(self), "plateau": tuple(self.plateau)}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Progress:
        """Read the fields of a checkpoint; those that only older versions had are passed over.

        Args:
            content: What :meth:`plain` gave.

        Returns:
            The progress.
        """
        known = {f.name: content[f.name] for f in fields(cls) if f.name in content}
        if "plateau" in known:
            known["plateau"] = Plateau(*known["plateau"])
        return cls(**known)

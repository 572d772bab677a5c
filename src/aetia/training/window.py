"""Means over the steps between two rows of the health record."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

__all__ = ["Window"]


class Window:
    """Means over the steps since the last row of the record."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.last: dict[str, float] = {}
        self.largest: dict[str, float] = {}
        self.n_items = 0
        self.waited = 0.0
        self.started = time.perf_counter()

    def add(self, info: Mapping[str, float], n_items: int) -> None:
        """Take the signals of a step."""
        for name, value in info.items():
            if math.isfinite(value):
                self.sums[name] = self.sums.get(name, 0.0) + value
                self.counts[name] = self.counts.get(name, 0) + 1
                if "gradient_norm" in name.split("/"):
                    peak = name.replace("gradient_norm", "gradient_norm_max")
                    self.largest[peak] = max(value, self.largest.get(peak, value))
            self.last[name] = value
        self.n_items += n_items

    def row(self, step: int, n_skipped: int, rate_factor: float) -> dict[str, Any]:
        """Average them; the gradient norms also with their maximum."""
        seconds = max(time.perf_counter() - self.started, 1e-9)
        means = {
            k: self.sums[k] / self.counts[k] if k in self.counts else v
            for k, v in self.last.items()
        }
        return {
            "step": step,
            **means,
            **self.largest,
            "learning_rate": self.last["learning_rate"],
            "rate_factor": rate_factor,
            "seconds": seconds,
            "tasks_per_second": self.n_items / seconds,
            "data_wait_share": self.waited / seconds,
            "skipped_steps": n_skipped,
        }

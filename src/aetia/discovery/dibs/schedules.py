r"""Annealing of the inverse temperature alpha and the acyclicity weight beta."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from aetia.errors import InputError
from aetia.options import check_literals, check_positive

__all__ = ["Schedule"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A value for every step, as a pure function of the step and their number.

    Give exactly one of ``final`` (the value at the end: halving the steps keeps it) and
    ``slope`` (the increase for each step, as in the original: halving the steps halves the
    value at the end).

    Attributes:
        final: Value reached at the end of the ramp.
        slope: Increase per step.
        kind: ``"linear"``; ``"exponential"``, from a thousandth of the final value up to it in
            equal ratios (with ``slope``, the final value is ``slope`` times the ramp's steps);
            ``"constant"``; ``"warm-up"``, the prototype's factor ``slope * (t + 1/t)`` with t
            counted from 1.
        delay: Share of the steps at the start during which the value stays where it begins.
        ramp: Share of the steps over which it then rises; afterwards it stays.
        ceiling: Largest value.
    """

    final: float | None = None
    slope: float | None = None
    kind: Literal["linear", "exponential", "constant", "warm-up"] = "linear"
    delay: float = 0.0
    ramp: float = 1.0
    ceiling: float = math.inf

    def __post_init__(self) -> None:
        check_literals(self)
        if (self.final is None) == (self.slope is None):
            raise InputError("Schedule: give exactly one of `final` and `slope`.")
        if self.kind == "warm-up" and self.slope is None:
            raise InputError("Schedule: kind='warm-up' needs `slope`, the base value.")
        check_positive(self, "final", "slope", zero=True)
        check_positive(self, "ramp")
        check_positive(self, "delay", zero=True)
        if self.delay + self.ramp > 1.0 + 1e-9 and self.ramp != 1.0:
            raise InputError(
                f"Schedule: delay {self.delay:g} and ramp {self.ramp:g} add up to more than 1."
            )
        if self.delay >= 1.0:
            raise InputError(f"Schedule: delay must be below 1, got {self.delay:g}.")
        if not self.ceiling > 0:
            raise InputError(f"Schedule: ceiling must be larger than 0, got {self.ceiling!r}.")

    def __call__(self, step: int, n_steps: int) -> float:
        """Compute the value at one step.

        Args:
            step: 0 to ``n_steps - 1``.
            n_steps: Number of steps of the run.

        Returns:
            The value; linear schedules start at 0.
        """
        return min(self._rising(step, n_steps), self.ceiling)

    def _rising(self, step: int, n_steps: int) -> float:
        start = self.delay * n_steps
        length = max(min(self.ramp, 1.0 - self.delay) * n_steps, 1.0)
        elapsed = min(max(step - start, 0.0), length)
        if self.kind == "warm-up":
            t = elapsed + 1.0
            return float(self.slope or 0.0) * (t + 1.0 / t)
        if self.slope is not None:
            top = self.slope * length
            value = self.slope * elapsed
        else:
            top = float(self.final or 0.0)
            value = top * elapsed / length
        if self.kind == "constant":
            return top if self.final is not None else float(self.slope or 0.0)
        if self.kind == "exponential":
            return top * 1000.0 ** (elapsed / length - 1.0)
        return value

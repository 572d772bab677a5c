"""What a method can use of a table."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Accepts"]


@dataclass(frozen=True)
class Accepts:
    """What a method can use; anything else is an error. Every estimator has one as ``accepts``.

    Attributes:
        kinds: Kinds of columns.
        missing: Whether values may be missing.
        interventions: Whether rows may be interventional.
        regimes: Whether rows may belong to several environments.
    """

    kinds: tuple[str, ...] = ("continuous", "binary", "count")
    missing: bool = False
    interventions: bool = True
    regimes: bool = False

"""Options of the exact posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from aetia.data import Scaling
from aetia.errors import InputError
from aetia.options import check_literals, check_positive

__all__ = ["ExactConfig"]


@dataclass(frozen=True, kw_only=True)
class ExactConfig:
    """Options of the exact posterior."""

    likelihood: Any = "auto"
    """How a table is scored given a graph: ``"auto"`` chooses by the kinds of the columns and the
    table's own evidence; or the name of a likelihood with score tables (``"bge"``, ``"linear"``,
    ``"additive"``, ``"block"``, ``"bdeu"``, ...), a mapping with ``name`` and options, or an object
    with ``local_scores``."""
    prior: Any = "sparse"
    """Structure prior: ``"sparse"`` (about one parent a variable expected), ``"uniform"``,
    ``"fair"``, ``"erdos-renyi"``, ``"scale-free"``, ``"bic"``, or an object with ``log_prob``; one
    that is no product over variables weighs the draws."""
    scaling: Scaling = "auto"
    """How columns are scaled first: ``"standardise"``, ``"centre"`` or ``"none"``; ``"auto"`` is
    what the likelihood asks for, such as standardised columns for BGe and centred ones for
    linear."""
    max_parents: int | Literal["auto"] = "auto"
    """Largest number of parents of a variable; ``"auto"`` is what the likelihood allows. Smaller
    leaves out denser graphs."""
    n_candidates: int | Literal["auto"] = "auto"
    """Number of possible parents of each variable; ``"auto"`` takes all others up to 20 columns and
    the 14 best above, where the tables of all would not fit into memory."""
    min_ess: float = 2_000.0
    """Effective number of draws after which drawing ends; larger gives smaller Monte Carlo errors,
    in proportion to its root."""
    max_draws: int = 100_000
    """Largest number of draws, whatever their effective number; it bounds the time where the draws
    have very unequal weights."""
    sensitivity: bool = True
    """Whether the sums are repeated under the other usual structure prior, to report what changes
    most; a table of 20 columns takes seconds longer."""

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "min_ess", "max_draws", "max_parents", "n_candidates")
        for name in ("max_draws", "max_parents", "n_candidates"):
            value = getattr(self, name)
            if value != "auto" and int(value) != value:
                raise InputError(f"ExactConfig: {name} must be a whole number, got {value!r}.")

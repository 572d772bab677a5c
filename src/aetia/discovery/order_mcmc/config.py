"""All options of the order chain, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aetia.data import Scaling
from aetia.errors import InputError
from aetia.options import check_literals, check_positive, earlier_names

__all__ = ["OrderMCMCConfig"]


@earlier_names(start="initialisation")
@dataclass(frozen=True, kw_only=True)
class OrderMCMCConfig:
    """Options of the order chain.

    ``likelihood`` and ``prior`` take a name, a mapping with ``name`` and options, or an object.
    """

    likelihood: Any = "auto"
    """How a table is scored given a graph: ``"auto"`` chooses by the kinds of the columns and, for
    numbers, by the evidence of the dozen most related columns; or a likelihood with score tables
    (``"bge"``, ``"linear"``, ``"block"``, ``"bdeu"``, ...), a mapping with ``name`` and options, or
    an object with ``local_scores``."""
    prior: Any = "sparse"
    """Structure prior, a product over variables: ``"sparse"`` (about one parent for each variable),
    ``"fair"``, ``"uniform"``, ``"erdos-renyi"``, or an object of your own."""
    n_chains: int = 4
    """Number of independent chains, at least 2; their agreement is what convergence is judged by,
    so more make the verdict safer and the run slower."""
    n_temperatures: int | Literal["auto"] = "auto"
    """Number of orders of each chain at different temperatures, the coldest of which is kept;
    hotter ones cross between distant modes. ``"auto"`` is 4 up to 120 columns, 6 up to 200 and 8
    above; more help strongly correlated tables and cost time in proportion. 1 is no tempering."""
    n_candidates: int | Literal["auto"] = "auto"
    """Number of possible parents of each variable; ``"auto"`` is 16 below 300 rows and 12 above.
    One more doubles the memory."""
    max_parents: int | Literal["auto"] = "auto"
    """Largest number of parents of a variable; ``"auto"`` sets no limit. Smaller leaves out denser
    graphs, and saves time where there are many candidates."""
    tolerance: float = 0.02
    """Largest standard error of any edge or path probability; the run stops when all are below it.
    Smaller takes longer, with the square of the ratio."""
    max_seconds: float = 60.0
    """Number of seconds after which the run stops in any case; the result then says that it has not
    converged."""
    n_draws: int = 2000
    """Largest number of graphs that are kept of each chain, evenly thinned; fewer above 150
    columns, where they would fill the memory."""
    initialisation: Any = "auto"
    """Where chains begin: ``"greedy"`` with the orders of greedy DAGs (every variable at its best
    position, under BGe), ``"random"`` with random orders, ``"auto"`` with one of both in turn, so
    that the agreement of chains is informative; or orders, DAGs or a ``GraphPosterior`` to begin
    with. Parents in greedy and given DAGs become candidates in any case."""
    scaling: Scaling = "auto"
    """How columns are scaled first: ``"standardise"``, ``"centre"`` or ``"none"``; ``"auto"`` is
    what the likelihood asks for, such as standardised columns for BGe."""

    def __post_init__(self) -> None:
        check_literals(self)
        for name, least in (
            ("n_chains", 2),
            ("n_temperatures", 1),
            ("n_candidates", 1),
            ("max_parents", 1),
            ("n_draws", 20),
        ):
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if value != "auto" and not (whole and value >= least):
                raise InputError(
                    f"OrderMCMCConfig: {name} must be an integer of at least {least}, got "
                    f"{value!r}."
                )
        check_positive(self, "tolerance", "max_seconds")
        given = self.initialisation
        if isinstance(given, str) and given not in ("auto", "greedy", "random"):
            raise InputError(
                f"OrderMCMCConfig: initialisation={given!r} is not 'auto', 'greedy' or 'random'; "
                "otherwise pass arrays of orders or DAGs, or a GraphPosterior."
            )

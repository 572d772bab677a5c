r"""Score tables: how well every set of candidate parents explains each variable.

A decomposable score is a sum of local terms, :math:`\log p(D \mid G) = \sum_j s_j(Pa_j)`. The
samplers of graphs need nothing but the numbers :math:`s_j(S)` for all subsets S of a variable's
candidate parents, so this is the one interface between likelihoods and samplers. A likelihood of
the user's own plugs in by it; a score that does not decompose cannot.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int64
from torch import Tensor

from aetia.data import Dataset

__all__ = ["DecomposableLikelihood", "LocalScores"]


@runtime_checkable
class LocalScores(Protocol):
    """A decomposable score bound to a table."""

    @property
    def empty(self) -> Float[Tensor, " d"]:
        """Log score of each variable without parents; what the tables are relative to."""
        ...

    def tables(self, candidates: Int64[Tensor, "d k"], max_parents: int) -> Float[Tensor, "d sets"]:
        """Score every subset of the candidates of each variable, relative to the empty set.

        Args:
            candidates: Indices of k possible parents of each variable, without the variable.
            max_parents: Sets with more parents score minus infinity.

        Returns:
            ``tables[j, m]`` in float64 for the set whose member b is ``candidates[j, b]`` where
            bit b of m is set; ``tables[:, 0]`` is 0, sets that cannot be scored are -inf.
        """
        ...


@runtime_checkable
class DecomposableLikelihood(Protocol):
    """Options of a likelihood that has score tables."""

    @property
    def name(self) -> str:
        """As in ``likelihood=``."""
        ...

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of columns that it can score."""
        ...

    @property
    def scaling(self) -> str:
        """What ``scaling="auto"`` means: ``"standardise"``, ``"centre"`` or ``"none"``."""
        ...

    def local_scores(self, data: Dataset) -> LocalScores:
        """Bind to a complete table, continuous columns in the scale of the likelihood.

        Rows in which a variable was set by intervention (``data.intervened``) do not enter the
        score of that variable.
        """
        ...

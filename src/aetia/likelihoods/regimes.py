r"""Mechanisms that differ between regimes: with known targets, or with targets to be found.

An intervention that changes how a variable depends on its parents, instead of setting it, gives
the variable parameters of its own in that regime while its parents stay the same. Its score is
the sum of the scores of the groups of rows that share a mechanism,

.. math:: s_j(S) = \sum_{g} s_j(S;\, \text{rows of } g) .

Where the targets are unknown, every regime becomes a root of the graph: an edge from regime r to
variable j says that r changed the mechanism of j, so that rows of r are a group of their own in
the score of j (Eaton & Murphy, 2007). The posterior probability of that edge is the posterior
probability that r touches j.

Both wrap any likelihood with score tables. A group is scored by leaving all other rows out of the
score of a variable, exactly as rows in which it was set, so that all groups share one coding and
one scale of the columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.likelihoods.by_name import LIKELIHOODS
from aetia.likelihoods.local_scores import DecomposableLikelihood, LocalScores
from aetia.likelihoods.subsets import subset_totals
from aetia.options import choose

__all__ = [
    "ChangedMechanisms",
    "GroupedScores",
    "RegimeScores",
    "UnknownTargets",
    "add_regime_columns",
    "regime_targets",
]

_MOST_REGIMES = 10
"""Tables are computed for every set of regimes that may share a mechanism: 2^regimes of them."""


@dataclass(frozen=True, kw_only=True)
class ChangedMechanisms:
    """Options of a likelihood in which regimes change the mechanisms of known targets.

    Attributes:
        likelihood: Scores each group of rows: a name such as ``"bge"``, a mapping with ``name`` and
            options, or options with ``local_scores``.
        targets: Names of the variables whose mechanism differs in a regime, by regime (a value of
            ``data.regime``). All other rows of a variable share one mechanism.
    """

    likelihood: Any
    targets: Mapping[int, Sequence[str]]
    name = "changed-mechanisms"
    uses_regimes = True
    """Estimators pass ``data.regime`` on to likelihoods that say so."""

    def __post_init__(self) -> None:
        """Look a likelihood up that was named."""
        object.__setattr__(self, "likelihood", _wrapped(self.likelihood))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of columns that the wrapped likelihood can score."""
        return self.likelihood.kinds

    @property
    def scaling(self) -> str:
        """What ``scaling="auto"`` means to the wrapped likelihood."""
        return getattr(self.likelihood, "scaling", "none")

    def local_scores(self, data: Dataset) -> GroupedScores:
        """Bind to a table with regimes.

        Args:
            data: A table that the wrapped likelihood takes.

        Returns:
            Scores summed over the groups of rows with a mechanism of their own.

        Raises:
            InputError: If the table has no regimes, or a regime or a target is not in it.
        """
        regime = _regimes_of(data)
        labels = np.zeros((data.n, data.d), dtype=np.int64)
        for label, names in self.targets.items():
            if not (regime == label).any():
                raise InputError(
                    f"targets names the regime {label}, but the table has the regimes "
                    f"{sorted(set(regime.tolist()))}."
                )
            for name in names:
                data.column(name)
                column = labels[:, data.names.index(name)]
                column[regime == label] = column.max() + 1
        return grouped_scores(self.likelihood, data, labels)


@dataclass(frozen=True, kw_only=True)
class UnknownTargets:
    """Options of a likelihood in which regimes change mechanisms that are to be found.

    The table has one binary column for each regime but the reference, see
    :func:`add_regime_columns`. They have no parents and may be a parent of every variable.

    Attributes:
        likelihood: Scores each group of rows: a name such as ``"bge"``, a mapping with ``name`` and
            options, or options with ``local_scores``.
        regimes: Names of the columns that mark the regimes.
    """

    likelihood: Any
    regimes: tuple[str, ...]
    name = "unknown-targets"

    def __post_init__(self) -> None:
        """Look a likelihood up that was named."""
        object.__setattr__(self, "likelihood", _wrapped(self.likelihood))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of columns: those of the wrapped likelihood, and binary marks of regimes."""
        return tuple(dict.fromkeys((*self.likelihood.kinds, "binary")))

    @property
    def scaling(self) -> str:
        """What ``scaling="auto"`` means to the wrapped likelihood."""
        return getattr(self.likelihood, "scaling", "none")

    def local_scores(self, data: Dataset) -> RegimeScores:
        """Bind to a table with columns that mark the regimes.

        Args:
            data: A table whose other columns the wrapped likelihood takes.

        Returns:
            Scores of all columns, those of the regimes included.

        Raises:
            InputError: If the columns do not mark disjoint sets of rows, or are too many.
        """
        if len(self.regimes) > _MOST_REGIMES:
            raise InputError(
                f"unknown targets of {len(self.regimes)} regimes need 2^{len(self.regimes)} "
                f"tables; at most {_MOST_REGIMES} regimes besides the reference are possible. "
                "Merge regimes, or say what they changed with ChangedMechanisms(targets=...)."
            )
        marks = np.stack([_mark(data, name) for name in self.regimes], axis=1)
        shared = int((marks.sum(1) > 1).sum())
        if shared:
            raise InputError(
                f"{shared} of {data.n} rows belong to several of the regimes "
                f"{', '.join(self.regimes)}; every row belongs to one, or to the reference."
            )
        return RegimeScores(self.likelihood, data, self.regimes, marks)


def _wrapped(likelihood: Any) -> DecomposableLikelihood:
    """Turn a name, a mapping or an object into a likelihood with score tables."""
    chosen = choose("likelihood", likelihood, LIKELIHOODS, needs="local_scores")
    if not hasattr(chosen, "local_scores"):
        names = [name for name, cls in LIKELIHOODS.items() if hasattr(cls, "local_scores")]
        raise InputError(
            f"regimes need a likelihood whose parameters can be integrated out, one of "
            f"{', '.join(names)}; not {chosen.name!r}."
        )
    return chosen


def add_regime_columns(data: Dataset, reference: int | None = None) -> Dataset:
    """Add one binary column for each regime but the reference.

    Args:
        data: A table with regimes.
        reference: The regime that the others are compared with, for instance the one without
            interventions; None takes the smallest value.

    Returns:
        The table with columns ``"regime <value>"`` behind its own, 1 in the rows of the regime.
        It has no other mention of regimes.

    Raises:
        InputError: If the table has fewer than two regimes, the reference is not one of them, or
            a column already has such a name.
    """
    regime = _regimes_of(data)
    values = sorted(set(regime.tolist()))
    reference = values[0] if reference is None else reference
    if reference not in values or len(values) < 2:
        raise InputError(
            f"the table has the regimes {values}: at least two are needed, and the reference "
            f"{reference} must be one of them."
        )
    others = [value for value in values if value != reference]
    names = tuple(f"regime {value}" for value in others)
    taken = [name for name in names if name in data.names]
    if taken:
        raise InputError(f"the table already has columns {taken}; rename them.")
    marks = regime[:, None] == np.array(others)
    kinds = (*data.kinds, *("binary" for _ in others))
    return replace(
        data,
        values=np.concatenate([data.values, marks.astype(float)], axis=1),
        names=(*data.names, *names),
        observed=np.concatenate([data.observed, np.ones_like(marks)], axis=1),
        intervened=None
        if data.intervened is None
        else np.concatenate([data.intervened, np.zeros_like(marks)], axis=1),
        kinds=kinds,
        regime=None,
    )


def regime_targets(
    graphs: Bool[Tensor, "s d d"],
    log_weights: Float[Tensor, " s"],
    names: Sequence[str],
    regimes: Sequence[str],
) -> Float[Tensor, "regimes variables"]:
    """Compute the posterior probability that each regime touches each variable.

    Args:
        graphs: Draws over all columns, those of the regimes included.
        log_weights: Log posterior weight of each draw.
        names: Names of all columns.
        regimes: Those among them that mark regimes.

    Returns:
        One row for each regime in the order given, one column for each other name in its order.
    """
    sources = [names.index(name) for name in regimes]
    targets = [j for j, name in enumerate(names) if name not in regimes]
    weights = log_weights.double().softmax(0)
    edges = graphs[:, sources][:, :, targets].double()
    return torch.einsum("s,srv->rv", weights, edges)


def grouped_scores(
    likelihood: DecomposableLikelihood, data: Dataset, labels: Int64[np.ndarray, "n d"]
) -> GroupedScores:
    """Score every variable by the groups of rows that share its mechanism.

    Args:
        likelihood: Scores each group.
        data: The whole table.
        labels: Group of each row, for each variable; from 0.

    Returns:
        The sum over the groups.
    """
    parts, present = [], []
    for label in range(int(labels.max()) + 1):
        kept = labels == label
        if data.intervened is not None:
            kept = kept & ~data.intervened
        # Rows outside the group count as rows in which the variable was set.
        part = replace(data, intervened=~kept, regime=None)
        parts.append(likelihood.local_scores(part))
        present.append(torch.from_numpy(kept.any(0)))
    return GroupedScores(tuple(parts), torch.stack(present))


class GroupedScores:
    """A sum of scores over groups of rows, with parameters of their own and the same parents."""

    empty: Float[Tensor, " d"]

    def __init__(self, parts: tuple[LocalScores, ...], present: Bool[Tensor, "parts d"]) -> None:
        self.parts = parts
        self.present = present
        """Whether a variable has rows in the group; without, the score is log 1."""
        empties = [
            torch.where(has, part.empty, 0.0) for part, has in zip(parts, present, strict=True)
        ]
        self.empty = torch.stack(empties).sum(0)

    def tables(self, candidates: Int64[Tensor, "d k"], max_parents: int) -> Float[Tensor, "d sets"]:
        """Score every subset of the candidates, see :class:`LocalScores`.

        Args:
            candidates: Indices of k possible parents of each variable.
            max_parents: Sets with more parents score minus infinity.

        Returns:
            Scores relative to the empty set. A set that one group cannot score is minus infinity.
        """
        total = torch.zeros(len(candidates), 1 << candidates.shape[1], dtype=torch.float64)
        for part, has in zip(self.parts, self.present, strict=True):
            table = part.tables(candidates, max_parents)
            nothing = torch.where(table == -torch.inf, table, 0.0)
            total += torch.where(has[:, None], table, nothing)
        return total


class RegimeScores:
    """Scores of variables and of regimes as roots, bound to data."""

    empty: Float[Tensor, " d"]

    def __init__(
        self,
        likelihood: DecomposableLikelihood,
        data: Dataset,
        regimes: Sequence[str],
        marks: Bool[np.ndarray, "n r"],
    ) -> None:
        self.likelihood = likelihood
        self.regimes = [data.names.index(name) for name in regimes]
        self.variables = [j for j in range(data.d) if j not in self.regimes]
        self.data = data.select([data.names[j] for j in self.variables])
        self.marks = marks
        self._bound: dict[int, GroupedScores] = {}
        self.empty = torch.zeros(data.d, dtype=torch.float64)
        self.empty[self.variables] = self._with_changes(0).empty
        if not self.empty.any():
            raise InputError(
                f"the score {likelihood.name!r} is known up to a constant only, so it cannot say "
                "whether a regime changed a mechanism. Choose 'bge', 'block', 'additive', 'bdeu' "
                "or 'conditional-gaussian' for unknown targets."
            )

    def tables(self, candidates: Int64[Tensor, "d k"], max_parents: int) -> Float[Tensor, "d sets"]:
        """Score every subset of the candidates, see :class:`LocalScores`.

        Args:
            candidates: Indices of k possible parents of each column, regimes among them.
            max_parents: Sets with more parents, regimes counted, score minus infinity.

        Returns:
            Scores relative to the empty set; regimes have no parents.
        """
        d, k = candidates.shape
        out = torch.full((d, 1 << k), -torch.inf, dtype=torch.float64)
        out[:, 0] = 0.0
        rows = candidates.tolist()
        own = {j: [b for b in range(k) if rows[j][b] in self.variables] for j in self.variables}
        inner = self._inner_candidates(rows, own)
        for changed in range(1 << len(self.regimes)):
            members = [r for b, r in enumerate(self.regimes) if changed >> b & 1]
            possible = [j for j in self.variables if set(members) <= set(rows[j])]
            if len(members) > max_parents or not possible:
                continue
            scores = self._with_changes(changed)
            tables = scores.tables(inner, max_parents - len(members))
            for j in possible:
                i = self.variables.index(j)
                regime_bits = sum(1 << rows[j].index(r) for r in members)
                bits = subset_totals(1 << np.array(own[j], dtype=np.int64))
                # Candidates that only fill up the row hold the highest bits.
                table = scores.empty[i] - self.empty[j] + tables[i, : len(bits)]
                out[j, torch.from_numpy(bits | regime_bits)] = table
        return out

    def _inner_candidates(
        self, rows: list[list[int]], own: dict[int, list[int]]
    ) -> Int64[Tensor, "v k"]:
        """Translate the variables among the candidates, filled up to equal numbers."""
        width = max(len(bits) for bits in own.values())
        place = {j: i for i, j in enumerate(self.variables)}
        out = []
        for j in self.variables:
            chosen = [place[rows[j][b]] for b in own[j]]
            spare = [i for i in place.values() if i != place[j] and i not in chosen]
            out.append(chosen + spare[: width - len(chosen)])
        return torch.tensor(out, dtype=torch.int64).view(len(out), width)

    def _with_changes(self, changed: int) -> GroupedScores:
        """Bind the likelihood with a mechanism of its own in each regime of a set."""
        if changed not in self._bound:
            labels = np.zeros(self.data.values.shape, dtype=np.int64)
            group = 0
            for r in range(self.marks.shape[1]):
                if changed >> r & 1:
                    group += 1
                    labels[self.marks[:, r]] = group
            self._bound[changed] = grouped_scores(self.likelihood, self.data, labels)
        return self._bound[changed]


def _regimes_of(data: Dataset) -> np.ndarray:
    if data.regime is None:
        raise InputError("the table has no regimes; pass regime=, one whole number for each row.")
    return data.regime


def _mark(data: Dataset, name: str) -> Bool[np.ndarray, " n"]:
    column = data.column(name)
    found = np.unique(column)
    if len(found) != 2:
        raise InputError(
            f"column {name!r} marks a regime, so it needs two values, but it holds {len(found)}."
        )
    return column == found[1]

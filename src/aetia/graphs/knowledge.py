"""What the user already knows about the graph, as statements on named variables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.errors import InputError
from aetia.graphs.orders import is_acyclic, transitive_closure
from aetia.options import nearest

__all__ = ["Constraints", "Knowledge"]

Edge = tuple[str, str]


class Constraints(NamedTuple):
    """Knowledge as matrices over the columns of one table."""

    required: Bool[Tensor, "d d"]
    forbidden: Bool[Tensor, "d d"]
    log_odds: Float[Tensor, "d d"]
    """Added to the log-probability of a graph for each edge it has."""

    def allows(self, graphs: Bool[Tensor, "*batch d d"]) -> Bool[Tensor, "*batch"]:
        """Test which graphs obey the hard statements.

        Args:
            graphs: Hard adjacency matrices.

        Returns:
            True where every required edge is present and no forbidden one.
        """
        wrong = (self.required & ~graphs) | (self.forbidden & graphs)
        return ~wrong.flatten(-2).any(-1)


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """Statements about the causal graph, by name.

    Hard statements (all but ``beliefs``) hold in every draw of every discovery method.

    Attributes:
        required: Edges that exist, as pairs ``(cause, effect)`` or strings ``"a -> b"``.
        forbidden: Edges that do not exist.
        tiers: Groups of variables in causal order: nothing in a later tier causes
            anything in an earlier one. Variables in no tier are free.
        roots: Variables without causes among the columns.
        sinks: Variables without effects among the columns.
        beliefs: Soft statements, edge to probability strictly between 0 and 1. The edge's
            prior odds are multiplied by ``p / (1 - p)``; 0.5 changes nothing.

    Raises:
        InputError: If two statements contradict each other; the message names both.
    """

    required: Sequence[Any] = ()
    forbidden: Sequence[Any] = ()
    tiers: Sequence[Sequence[str]] = ()
    roots: Sequence[str] = ()
    sinks: Sequence[str] = ()
    beliefs: Any = field(default_factory=dict)

    def __post_init__(self) -> None:
        freeze = object.__setattr__
        freeze(self, "required", tuple(_edge(e) for e in _listed("required", self.required)))
        freeze(self, "forbidden", tuple(_edge(e) for e in _listed("forbidden", self.forbidden)))
        freeze(self, "tiers", tuple(_names("tiers", t) for t in _listed("tiers", self.tiers)))
        freeze(self, "roots", _names("roots", self.roots))
        freeze(self, "sinks", _names("sinks", self.sinks))
        freeze(self, "beliefs", _beliefs(self.beliefs))
        self._check()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Knowledge:
        """Make knowledge from plain values, as in a YAML file.

        Args:
            values: Keys are the attributes of this class.

        Returns:
            The checked statements.

        Raises:
            InputError: On an unknown key or a contradiction.
        """
        known = [f.name for f in fields(cls)]
        for key in values:
            if key not in known:
                raise InputError(
                    f"knowledge has no entry {key!r}.{nearest(str(key), known)} "
                    f"Entries: {', '.join(known)}."
                )
        return cls(**{k: v for k, v in values.items() if v is not None})

    @classmethod
    def from_yaml(cls, path: str | Path) -> Knowledge:
        """Read knowledge from a YAML file.

        Args:
            path: File with the attributes of this class as keys; edges as ``a -> b``.

        Returns:
            The checked statements.

        Raises:
            InputError: If the file is missing, is not YAML, or contradicts itself.
        """
        import yaml

        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(f"cannot read knowledge from {str(path)!r}: {error}") from error
        if not isinstance(values, Mapping):
            raise InputError(
                f"knowledge file {str(path)!r} must hold entries such as "
                "'required: [\"a -> b\"]', 'tiers: [[a], [b, c]]'."
            )
        return cls.from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """List the statements as plain values; the inverse of :meth:`from_dict`.

        Returns:
            Only the entries that are not empty, edges as ``"a -> b"``.
        """
        plain = {
            "required": [_plain(e) for e in self.required],
            "forbidden": [_plain(e) for e in self.forbidden],
            "tiers": [list(t) for t in self.tiers],
            "roots": list(self.roots),
            "sinks": list(self.sinks),
            "beliefs": [[a, b, p] for (a, b), p in dict(self.beliefs).items()],
        }
        return {k: v for k, v in plain.items() if v}

    def variables(self) -> list[str]:
        """List every variable that a statement mentions.

        Returns:
            Names, in order of first mention.
        """
        pairs = [*self.required, *self.forbidden, *self.beliefs]
        groups = [*pairs, *self.tiers, self.roots, self.sinks]
        return list(dict.fromkeys(name for group in groups for name in group))

    def constraints(self, names: Sequence[str]) -> Constraints:
        """Translate the statements into matrices over the given columns.

        Args:
            names: Column names, in the order of the table.

        Returns:
            Required and forbidden edges and log-odds, ``[d, d]`` each.

        Raises:
            InputError: If a statement names a column that the table does not have.
        """
        index = {name: i for i, name in enumerate(names)}
        for name in self.variables():
            if name not in index:
                raise InputError(
                    f"knowledge mentions {name!r}, which is not a column."
                    f"{nearest(name, list(names))} Columns: {', '.join(map(str, names))}."
                )
        d = len(names)
        required = torch.zeros(d, d, dtype=torch.bool)
        forbidden = torch.zeros(d, d, dtype=torch.bool)
        log_odds = torch.zeros(d, d, dtype=torch.float64)
        for a, b in self.required:
            required[index[a], index[b]] = True
        for i, a in enumerate(names):
            for j, b in enumerate(names):
                forbidden[i, j] = i != j and self._why_not((a, b)) is not None
        for (a, b), p in dict(self.beliefs).items():
            log_odds[index[a], index[b]] = math.log(p) - math.log1p(-p)
        # An edge against a required path would close a cycle, so no draw can have it.
        forbidden |= transitive_closure(required).mT
        return Constraints(required, forbidden, log_odds)

    def _why_not(self, edge: Edge) -> str | None:
        """Name the statement that rules the edge out, if there is one."""
        a, b = edge
        if edge in self.forbidden:
            return f"forbidden lists {_show(edge)}"
        if b in self.roots:
            return f"roots say that nothing causes {b!r}"
        if a in self.sinks:
            return f"sinks say that {a!r} causes nothing"
        tier = {name: k for k, names in enumerate(self.tiers) for name in names}
        if a in tier and b in tier and tier[b] < tier[a]:
            return f"tiers put {b!r} (tier {tier[b]}) before {a!r} (tier {tier[a]})"
        return None

    def _check(self) -> None:
        seen: dict[str, int] = {}
        for k, names in enumerate(self.tiers):
            for name in names:
                if seen.setdefault(name, k) != k:
                    raise InputError(
                        f"knowledge contradicts itself: {name!r} is in tier {seen[name]} "
                        f"and in tier {k}."
                    )
        for edge in self.required:
            reason = self._why_not(edge)
            if reason:
                raise InputError(
                    f"knowledge contradicts itself: {_show(edge)} is required, but {reason}."
                )
        for edge, p in dict(self.beliefs).items():
            if not 0.0 < p < 1.0:
                raise InputError(
                    f"knowledge: the belief in {_show(edge)} must lie strictly between 0 and 1, "
                    f"got {p:g}. State certainty with `required` or `forbidden`."
                )
            reason = "it is required" if edge in self.required else self._why_not(edge)
            if reason:
                raise InputError(
                    f"knowledge contradicts itself: belief {p:g} in {_show(edge)}, but {reason}."
                )
        names = list(dict.fromkeys(n for e in self.required for n in e))
        graph = torch.zeros(len(names), len(names), dtype=torch.bool)
        for a, b in self.required:
            graph[names.index(a), names.index(b)] = True
        if names and not bool(is_acyclic(graph)):
            closure = transitive_closure(graph)
            pair = next((a, b) for a, b in self.required if closure[names.index(b), names.index(a)])
            raise InputError(
                f"knowledge contradicts itself: {_show(pair)} is required, but other required "
                f"edges lead from {pair[1]!r} back to {pair[0]!r}."
            )


def _listed(entry: str, value: Any) -> Sequence[Any]:
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise InputError(f"knowledge: {entry} must be a list, got {value!r}.")
    return list(value)


def _names(entry: str, value: Any) -> tuple[str, ...]:
    names = _listed(entry, value)
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"knowledge: {entry} must hold column names, got {name!r}.")
    return tuple(names)


def _edge(value: Any) -> Edge:
    """Read ``"a -> b"``, ``"a->b"`` or a pair."""
    parts = [p.strip() for p in value.split("->")] if isinstance(value, str) else value
    if (
        not isinstance(parts, Sequence)
        or len(parts) != 2
        or not all(isinstance(p, str) and p for p in parts)
    ):
        raise InputError(f"knowledge: an edge is written 'cause -> effect', got {value!r}.")
    if parts[0] == parts[1]:
        raise InputError(f"knowledge: {parts[0]!r} cannot cause itself.")
    return parts[0], parts[1]


def _plain(edge: Edge) -> str | list[str]:
    """Write ``"a -> b"``, or a pair when a name itself holds an arrow."""
    return list(edge) if "->" in "".join(edge) else f"{edge[0]} -> {edge[1]}"


def _beliefs(value: Any) -> dict[Edge, float]:
    """Read a mapping of edges to probabilities, or a list of (cause, effect, probability)."""
    try:
        pairs = (
            [(_edge(e), float(p)) for e, p in value.items()]
            if isinstance(value, Mapping)
            else [(_edge([a, b]), float(p)) for a, b, p in value]
        )
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "knowledge: beliefs must map edges to probabilities, such as {'a -> b': 0.8}."
        ) from error
    return dict(pairs)


def _show(edge: Edge) -> str:
    return f"{edge[0]!r} -> {edge[1]!r}"

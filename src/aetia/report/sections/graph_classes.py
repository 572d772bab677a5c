"""Most probable equivalence classes of graphs, and experiments that would distinguish them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from aetia.report.sections.blocks import Bar, Section, Table, Words
from aetia.report.sections.texts import cells, note, text
from aetia.results import GraphPosterior
from aetia.results.adjacency_table import short_probability
from aetia.results.trust import effective_draws

__all__ = ["classes", "experiments"]

_MOST_CLASSES = 5
_LEAST_CLASS = 0.01  # less probable classes are not shown, and none at all ...
_LEAST_FIRST_CLASS = 0.05  # ... where even the most probable one says little


def classes(posterior: GraphPosterior) -> Section:
    """Describe the most probable Markov equivalence classes."""
    found = posterior.equivalence_classes(_MOST_CLASSES)
    shown = np.flatnonzero(found.mass >= _LEAST_CLASS).tolist()
    first = _edges(found.cpdags[0], posterior.names)
    rows = []
    for k in shown:
        edges = _edges(found.cpdags[k], posterior.names)
        listed = _listed(edges.values()) if k == 0 else _difference(first, edges)
        mass = float(found.mass[k])
        rows.append({"mass": mass, "bar": Bar(mass), "n": int(found.n_graphs[k]), "edges": listed})
    table = cells("graph.class_columns", rows)
    words = (
        f"{len(posterior.distinct()[0]):,} distinct graph(s) fall into {found.n_classes:,} Markov "
        "equivalence class(es). "
    )
    spread = found.mass[0] < _LEAST_FIRST_CLASS
    if spread:
        words += text("graph.spread")
    else:
        total = short_probability(float(found.mass[shown].sum()))
        words += f"The {len(rows)} shown hold {total} of the probability."
    shown_as = [] if spread else [Table(table, names=["edges"], desk=["", "graphs"])]
    blocks = [Words(words), *shown_as, note("graph.classes")]
    return Section("classes", "Most probable equivalence classes", blocks)


def _edges(cpdag: Bool[np.ndarray, "d d"], names: Sequence[str]) -> dict[tuple[int, int], str]:
    """Write the edges of a class by pair: a → b when all its graphs agree, else a – b."""
    out = {}
    for i, j in zip(*np.nonzero(np.triu(cpdag | cpdag.T, 1)), strict=True):
        a, b = (i, j) if cpdag[i, j] else (j, i)
        arrow = "–" if cpdag[i, j] and cpdag[j, i] else "→"
        out[int(i), int(j)] = f"{names[a]} {arrow} {names[b]}"
    return out


def _listed(edges: Iterable[str]) -> str:
    return ", ".join(edges) or "no edge"


def _difference(first: Mapping[Any, str], other: Mapping[Any, str]) -> str:
    more = [other[k] for k in other if k not in first]
    fewer = [first[k] for k in first if k not in other]
    turned = [k for k in other if first.get(k, other[k]) != other[k]]
    parts = [", ".join(f"{other[k]} instead of {first[k]}" for k in turned)]
    parts += [f"with {_listed(more)}" if more else "", f"without {_listed(fewer)}" if fewer else ""]
    return "as the first, but " + "; ".join(part for part in parts if part)


def experiments(posterior: GraphPosterior) -> list[Section]:
    """Rank the variables by what setting them would reveal."""
    values = posterior.experiment_values()
    limited = 2**values.graph_entropy > effective_draws(posterior) / 5
    if values.graph_entropy < 0.01 or (limited and values.open_directions < 0.01):
        return []
    table: Any = values.frame(posterior.names)
    settled = f"of {values.open_directions:.1f} directions that rows alone leave open"
    small = text("graph.experiments")
    if limited:
        table = table.sort_values("directions_settled", ascending=False, kind="stable")
        best = table.iloc[0]
        words = [
            f"Setting {best['set']} in an experiment would settle the most directions: "
            f"{best['directions_settled']:.1f} expected, {settled}.",
            text("graph.few_draws"),
        ]
    else:
        best = table.iloc[0]
        words = [
            f"The uncertainty about the graph is {values.graph_entropy:.2f} bits. Any number of "
            f"further rows of the same kind can remove {values.class_entropy:.2f} of them; an "
            f"experiment that sets {best['set']} can remove {best['bits_revealed']:.2f}, the most "
            f"of all single columns. It settles {best['directions_settled']:.1f} {settled}."
        ]
        small += " " + text("graph.beyond_rows")
    total = values.open_directions if limited else values.graph_entropy
    key = "directions_settled" if limited else "bits_revealed"
    best_ten = table.head(10).to_dict("records")
    rows = cells(
        "graph.experiment_columns",
        [{**r, "bar": Bar(r[key] / max(total, 1e-9))} for r in best_ten],
        without=["bits removed", "beyond rows"] if limited else [],
    )
    blocks = [*map(Words, words), Table(rows, desk=["", "beyond rows"]), Words(small, "note")]
    return [Section("experiments", "What would settle the rest", blocks)]

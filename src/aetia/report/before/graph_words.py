"""What a graph posterior says, in sentences and short lists for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from aetia.results import GraphPosterior
from aetia.results.adjacency_table import short_probability
from aetia.results.trust import effective_draws, is_enumerated

__all__ = [
    "class_rows",
    "directions",
    "experiments",
    "graph_in_words",
    "likelihood_line",
]

_MOST_CLASSES = 5
_LEAST_CLASS = 0.01  # less probable classes are not shown, and none at all ...
_LEAST_FIRST_CLASS = 0.05  # ... where even the most probable one says little


def graph_in_words(posterior: GraphPosterior) -> list[str]:
    """Say what was found and how it was computed.

    Args:
        posterior: The result.

    Returns:
        Sentences.
    """
    d = len(posterior.names)
    table: Any = posterior.adjacency_table(threshold=0.5)
    n_open = int((table["decided"] == "open").sum())
    number = "probability" if posterior.kind == "posterior" else "selection frequency"
    expected = float(posterior.summary_probabilities().sum())
    words = [
        f"{len(table)} of {d * (d - 1) // 2:,} pairs of columns are adjacent with a {number} of at "
        f"least 50 % ({expected:.1f} edges expected in all)" + _open_in_words(len(table), n_open)
    ]
    line = likelihood_line(posterior.diagnostics)
    return [*words, basis_line(posterior), *([f"Likelihood: {line}"] if line else [])]


def _open_in_words(n: int, n_open: int) -> str:
    if n == 0:
        return "."
    if n_open in (0, n):
        return f"; {'no' if n_open == 0 else 'every'} direction is open."
    return f"; the direction is decided for {n - n_open} of them and open for {n_open}."


def basis_line(posterior: GraphPosterior) -> str:
    """Say what the probabilities rest on.

    Args:
        posterior: The result.

    Returns:
        One sentence.
    """
    facts, n = posterior.diagnostics, len(posterior.graphs)
    if is_enumerated(facts):
        return f"Exact: all {n:,} graphs were weighed."
    if facts.get("exact") is not None:
        return (
            "Exact up to the number of draws: independent draws from the posterior, worth "
            f"{effective_draws(posterior):,.0f} of equal weight."
        )
    if facts.get("converged") is not None:
        verdict = "agree" if facts["converged"] else "do not agree"
        return f"From {n:,} distinct graphs of chains that {verdict} with each other."
    if posterior.kind == "resampling":
        return f"From {n:,} resamples of the table."
    if "familiarity" in facts:
        return f"From a trained network; {n:,} graphs were drawn from it."
    return f"From {n:,} graphs, worth {posterior.ess:.1f} of equal weight."


def likelihood_line(facts: Mapping[str, Any]) -> str:
    """Name the likelihood and why it was chosen.

    Args:
        facts: Diagnostics of the posterior.

    Returns:
        Text; empty if the method has none.
    """
    name, reason = facts.get("likelihood"), str(facts.get("likelihood_reason") or "").strip()
    if name is None:
        return ""
    if not reason:
        return str(name)
    ended = reason if reason.endswith(".") else reason + "."
    return f"{name}. {ended}" if reason[0].isupper() else f"{name}, because {ended}"


def directions(posterior: GraphPosterior) -> tuple[list[str], list[str]]:
    """List the directions that the data decide, and those that they leave open.

    Args:
        posterior: The result.

    Returns:
        Texts of pairs adjacent with probability 50 % or more, the surest first.
    """
    decided, open_ = [], []
    for r in posterior.adjacency_table(threshold=0.5).to_dict("records"):
        when = f" (lag {r['lag']})" if r.get("lag") else ""
        if r["decided"] == "open":
            ways = " / ".join(short_probability(r[k]) for k in ("a_to_b", "b_to_a"))
            open_.append(f"{r['a']} – {r['b']}{when} {ways}")
        else:
            decided.append(f"{r['a']} → {r['b']}{when} {short_probability(r['a_to_b'])}")
    return decided, open_


def class_rows(posterior: GraphPosterior) -> dict[str, Any]:
    """Describe the most probable Markov equivalence classes.

    Args:
        posterior: The result.

    Returns:
        ``n`` classes among ``n_graphs`` distinct graphs, and ``rows`` of the most probable: the
        first in full, the others by what differs from it. ``spread`` is True where even the first
        has less than 5 %.
    """
    found = posterior.equivalence_classes(_MOST_CLASSES)
    spread = found.mass[0] < _LEAST_FIRST_CLASS
    rows = []
    for k in np.flatnonzero(found.mass >= _LEAST_CLASS).tolist():
        edges = _edges(found.cpdags[k], posterior.names)
        first = _edges(found.cpdags[0], posterior.names)
        rows.append(
            {
                "p": short_probability(float(found.mass[k])),
                "width": float(found.mass[k]),
                "n": f"{int(found.n_graphs[k]):,}",
                "text": _listed(edges.values()) if k == 0 else _difference(first, edges),
            }
        )
    return {
        "n": f"{found.n_classes:,}",
        "n_graphs": f"{len(posterior.distinct()[0]):,}",
        "total": short_probability(float(sum(r["width"] for r in rows))),
        "rows": rows,
        "spread": bool(spread),
    }


def _edges(cpdag: Bool[np.ndarray, "d d"], names: Sequence[str]) -> dict[tuple[int, int], str]:
    """Write the edges of a class by pair: a → b when all its graphs agree, else a – b."""
    out = {}
    for i, j in zip(*np.nonzero(np.triu(cpdag | cpdag.T, 1)), strict=True):
        a, b = (i, j) if cpdag[i, j] else (j, i)
        arrow = "–" if cpdag[i, j] and cpdag[j, i] else "→"
        out[int(i), int(j)] = f"{names[a]} {arrow} {names[b]}"
    return out


def _listed(edges: Any) -> str:
    return ", ".join(edges) or "no edge"


def _difference(first: Mapping[Any, str], other: Mapping[Any, str]) -> str:
    more = [other[k] for k in other if k not in first]
    fewer = [first[k] for k in first if k not in other]
    turned = [k for k in other if first.get(k, other[k]) != other[k]]
    parts = [", ".join(f"{other[k]} instead of {first[k]}" for k in turned)]
    parts += [f"with {_listed(more)}" if more else "", f"without {_listed(fewer)}" if fewer else ""]
    return "as the first, but " + "; ".join(part for part in parts if part)


def experiments(posterior: GraphPosterior) -> dict[str, Any] | None:
    """Rank the variables by what setting them would reveal.

    Args:
        posterior: The result.

    Returns:
        ``words``, sentences, and ``rows`` of a table; None if nothing is open. When nearly every
        draw is another graph, entropies only show the number of draws; then the ranking is by the
        expected number of directions settled, and bits are left out.
    """
    values = posterior.experiment_values()
    limited = 2**values.graph_entropy > effective_draws(posterior) / 5
    if values.graph_entropy < 0.01 or (limited and values.open_directions < 0.01):
        return None
    table: Any = values.frame(posterior.names)
    settled = f"of {values.open_directions:.1f} directions that rows alone leave open"
    if limited:
        table = table.sort_values("directions_settled", ascending=False, kind="stable")
        best = table.iloc[0]
        words = [
            f"Setting {best['set']} in an experiment would settle the most directions: "
            f"{best['directions_settled']:.1f} expected, {settled}.",
            "Nearly every draw is another graph, so the draws are too few to measure the entropy "
            "of the graph; variables are ranked by the directions they settle.",
        ]
    else:
        best = table.iloc[0]
        words = [
            f"The uncertainty about the graph is {values.graph_entropy:.2f} bits. Any number of "
            f"further rows of the same kind can remove {values.class_entropy:.2f} of them; an "
            f"experiment that sets {best['set']} can remove {best['bits_revealed']:.2f}, the most "
            f"of all single columns. It settles {best['directions_settled']:.1f} {settled}."
        ]
    rows = [
        {
            "set": r["set"],
            "bits": "" if limited else f"{r['bits_revealed']:.2f}",
            "beyond": "" if limited else f"{r['bits_beyond_rows']:.2f}",
            "settled": f"{r['directions_settled']:.2f}",
            "width": r["directions_settled"] / max(values.open_directions, 1e-9)
            if limited
            else r["bits_revealed"] / values.graph_entropy,
        }
        for r in table.head(10).to_dict("records")
    ]
    return {"words": words, "rows": rows, "has_bits": not limited}

"""What a posterior of graphs says: sentences, and the directions that are decided or open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aetia.report.sections.blocks import Block, Chips, Grid, Heading, Words
from aetia.report.sections.texts import note
from aetia.results import GraphPosterior
from aetia.results.adjacency_table import short_probability
from aetia.results.trust import effective_draws, is_enumerated

__all__ = ["direction_blocks", "directions", "graph_in_words", "likelihood_line"]

_MOST_CHIPS = 30


def graph_in_words(posterior: GraphPosterior) -> list[str]:
    """Say what was found and how it was computed."""
    d = len(posterior.names)
    table: Any = posterior.adjacency_table(threshold=0.5)
    n, n_open = len(table), int((table["decided"] == "open").sum())
    number = "probability" if posterior.kind == "posterior" else "selection frequency"
    expected = float(posterior.summary_probabilities().sum())
    tail = f"; the direction is decided for {n - n_open} of them and open for {n_open}."
    if n == 0:
        tail = "."
    elif n_open in (0, n):
        tail = f"; {'no' if n_open == 0 else 'every'} direction is open."
    first = (
        f"{n} of {d * (d - 1) // 2:,} pairs of columns are adjacent with a {number} of at least "
        f"50 % ({expected:.1f} edges expected in all){tail}"
    )
    line = likelihood_line(posterior.diagnostics)
    return [first, _basis(posterior), *([f"Likelihood: {line}"] if line else [])]


def _basis(posterior: GraphPosterior) -> str:
    """Say what the probabilities rest on."""
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
    """Name the likelihood and why it was chosen."""
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


def direction_blocks(posterior: GraphPosterior) -> list[Block]:
    """Show both lists of directions side by side."""
    decided, open_ = directions(posterior)
    headings = {"Directions the data decide": decided, "Directions that stay open": open_}
    cells = []
    for heading, texts in headings.items():
        more = max(len(texts) - _MOST_CHIPS, 0)
        chips = Chips(texts[:_MOST_CHIPS], more) if texts else Words("None.", "basis")
        cells.append([Heading(heading), chips])
    return [Grid(cells), note("graph.directions")]

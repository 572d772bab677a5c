"""A graph posterior in a few lines, for the terminal and for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from aetia.results.adjacency_table import adjacency_line, short_probability
from aetia.results.trust import is_enumerated, reasons_for_doubt

if TYPE_CHECKING:
    from aetia.results.graph_posterior import GraphPosterior

__all__ = ["describe", "describe_html"]


def describe(posterior: GraphPosterior, n_pairs: int = 10) -> str:
    """Summarise a posterior in a few lines.

    Args:
        posterior: The posterior.
        n_pairs: Pairs of variables listed.

    Returns:
        Text for people. Reasons to doubt the answer come before the answer.
    """
    lines = [_headline(posterior)]
    doubts = reasons_for_doubt(posterior)
    if doubts:
        lines.append(f"  DO NOT RELY ON THIS ANSWER: {'; '.join(doubts)}.")
    share = posterior.diagnostics.get("share_cyclic")
    if share and "edges_dropped_per_draw" in posterior.diagnostics:
        lines.append(f"  {share:.0%} of the raw draws had cycles; their weakest edges were dropped")
    elif share:
        lines.append(f"  {share:.0%} of the draws were cyclic and are not in it")
    rows = posterior.adjacency_table().to_dict("records")
    lines += [f"  {adjacency_line(row)}" for row in rows[:n_pairs]]
    if len(rows) > n_pairs:
        lines.append(f"  ... and {len(rows) - n_pairs} more pairs of positive probability")
    return "\n".join(lines)


def _headline(posterior: GraphPosterior) -> str:
    method = posterior.facts.method or "unknown method"
    what = "posterior" if posterior.kind == "posterior" else "selection frequencies (resampling)"
    return (
        f"GraphPosterior ({what}) over {len(posterior.names)} variables by {method}: "
        f"{_draws(posterior)}, {posterior.summary_probabilities().sum():.1f} edges expected"
        + ("" if posterior.lagged is None else " at any lag")
    )


def _draws(posterior: GraphPosterior) -> str:
    """Count graphs in the words that fit where they come from."""
    n, facts = len(posterior.graphs), posterior.diagnostics
    if is_enumerated(facts):
        return f"all {n:,} graphs weighed"
    if "ess" in facts:
        drawn = f"{int(facts['n_draws']):,} draws, " if "n_draws" in facts else ""
        return f"{drawn}{n:,} distinct graphs, {float(facts['ess']):,.0f} effective draws"
    return f"{n:,} draws, effective {posterior.ess:.1f}"


def describe_html(posterior: GraphPosterior, n_pairs: int = 15) -> str:
    """Summarise a posterior for a notebook.

    Args:
        posterior: The posterior.
        n_pairs: Pairs of variables listed.

    Returns:
        HTML with the table of the pairs most probably adjacent.
    """
    rows = posterior.adjacency_table().to_dict("records")
    lagged = posterior.lagged is not None
    body = "".join(
        f"<tr><td>{escape(r['a'])}</td><td>{escape(r['b'])}</td>"
        + (f"<td>{r['lag']}</td>" if lagged else "")
        + "".join(
            f"<td>{escape(short_probability(r[k]))}</td>" for k in ("adjacent", "a_to_b", "b_to_a")
        )
        + f"<td>{escape(r['decided'])}</td></tr>"
        for r in rows[:n_pairs]
    )
    doubts = reasons_for_doubt(posterior)
    warning = (
        f'<p style="color:#b3261e"><b>Do not rely on this answer:</b> {escape("; ".join(doubts))}.'
        "</p>"
        if doubts
        else ""
    )
    more = len(rows) - n_pairs
    return (
        f"<div><p><b>{escape(_headline(posterior))}</b></p>{warning}<table><thead><tr><th>a</th>"
        f"<th>b</th>{'<th>lag</th>' if lagged else ''}<th>adjacent</th><th>a &rarr; b</th>"
        f"<th>b &rarr; a</th><th>direction</th></tr></thead><tbody>{body}</tbody></table>"
        + (f"<p>... and {more} more pairs of positive probability</p>" if more > 0 else "")
        + "</div>"
    )

"""Diagnostics in words: what is fine, what deserves a look, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from aetia.results import GraphPosterior
from aetia.results.trust import (
    FEWEST_DRAWS,
    MOST_OUTSIDE,
    effective_draws,
    is_enumerated,
    worst_edge,
)

__all__ = ["Check", "check_posterior"]

Verdict = Literal["good", "look", "bad"]


class Check(NamedTuple):
    """One finding about a result."""

    code: str
    verdict: Verdict
    text: str


def check_posterior(posterior: GraphPosterior) -> list[Check]:
    """Judge a graph posterior by its diagnostics.

    Args:
        posterior: The result.

    Returns:
        Findings, each with a stable code.
    """
    facts = posterior.diagnostics
    found = [
        _cycles(facts),
        _draws(posterior),
        _few_graphs(posterior),
        _chains(facts),
        _search_space(facts),
        _missing_cells(facts),
        _prior(facts),
        _scales(facts),
        _rows(posterior),
        _badge(facts),
        _resampling(posterior),
    ]
    return [check for check in found if check is not None]


def _cycles(facts: Mapping[str, Any]) -> Check:
    share = float(facts.get("share_cyclic", 0.0))
    if "edges_dropped_per_draw" in facts:
        return Check(
            "AE001",
            "good" if share < 0.3 else "look",
            f"{share:.0%} of the raw draws had cycles, because the network's edges are "
            "independent; their weakest edges were dropped "
            f"({facts['edges_dropped_per_draw']:.2g} per draw), so every draw is acyclic.",
        )
    if share == 0:
        return Check("AE001", "good", "Every draw is acyclic.")
    return Check(
        "AE001",
        "bad" if share > 0.3 else "look",
        f"{share:.0%} of the draws were cyclic and were removed. More steps or a larger "
        "beta usually help.",
    )


def _draws(posterior: GraphPosterior) -> Check:
    facts = posterior.diagnostics
    if is_enumerated(facts):
        return Check(
            "AE002",
            "good",
            f"All {facts.get('n_graphs', len(posterior.graphs)):,} graphs were weighed: the "
            "posterior is exact for this likelihood and prior.",
        )
    if "familiarity" in facts:
        return _familiarity(posterior)
    ess = effective_draws(posterior)
    if posterior.kind == "resampling":
        n = len(posterior.graphs)
        return Check(
            "AE002",
            "good" if n >= FEWEST_DRAWS else "look",
            f"{n:,} resamples: a selection frequency is a multiple of {1 / n:.2g}.",
        )
    if "ess" in facts:
        return _many_draws(facts, ess, len(posterior.graphs))
    verdict: Verdict = "good" if ess >= FEWEST_DRAWS else "bad"
    advice = (
        ""
        if verdict == "good"
        else " The probabilities rest on few graphs and look more certain than they are; use "
        "more particles, or compare with particle_weights='empirical'."
    )
    return Check(
        "AE002",
        verdict,
        f"The {len(posterior.graphs):,} draws have an effective size of {ess:.1f}.{advice}",
    )


def _many_draws(facts: Mapping[str, Any], ess: float, n_distinct: int) -> Check:
    """Judge draws of a sampler that says how many independent ones they are worth."""
    n_draws = facts.get("n_draws")
    exact = facts.get("exact") is not None
    text = (
        ("Exact sampling: " if exact else "")
        + ("the draws" if n_draws is None else f"{int(n_draws):,} draws")
        + (" from the posterior itself" if exact else "")
        + f" have an effective size of {ess:,.0f} ({facts.get('n_distinct', n_distinct):,} "
        "distinct graphs)"
    )
    error = facts.get("monte_carlo_error", 0.5 / max(ess, 1e-9) ** 0.5)
    text += f"; the standard error of a probability is at most {min(float(error), 0.5):.2g}."
    if ess < 1000:
        text += " More draws make them more precise."
    return Check(
        "AE002",
        "good" if ess >= 1000 else "look" if ess >= FEWEST_DRAWS else "bad",
        text[0].upper() + text[1:],
    )


def _familiarity(posterior: GraphPosterior) -> Check:
    ratio = float(posterior.diagnostics["familiarity"])
    unknown = ratio != ratio
    text = (
        "It is not known which tasks the network was trained on."
        if unknown
        else f"The table's distance from the training tasks is {ratio:.2g} times what 99 % "
        "of them stay below" + ("." if ratio <= 1 else ": the probabilities may be far off.")
    )
    return Check("AE007", "good" if ratio <= 1 else "look" if unknown or ratio < 3 else "bad", text)


def _few_graphs(posterior: GraphPosterior) -> Check | None:
    """Say when knowledge leaves little of what a network draws."""
    if "familiarity" not in posterior.diagnostics or posterior.ess >= 10:
        return None
    return Check(
        "AE002",
        "look",
        "The knowledge agrees with few draws of the network: their effective size is "
        f"{posterior.ess:.1f}.",
    )


def _chains(facts: Mapping[str, Any]) -> Check | None:
    converged = facts.get("converged")
    if converged is None:
        return None
    parts = []
    if facts.get("share_rhat_below_1_05") is not None:
        parts.append(f"R-hat is below 1.05 for {facts['share_rhat_below_1_05']:.0%} of the edges")
    if facts.get("rhat_max") is not None:
        parts.append(f"the largest R-hat is {facts['rhat_max']:.3g}")
    if facts.get("between_chain_sd_max") is not None:
        parts.append(
            "between chains an edge probability varies by at most "
            f"{facts['between_chain_sd_max']:.2g} (standard deviation)"
        )
    numbers = f": {', '.join(parts)}" if parts else ""
    if converged:
        return Check("AE008", "good", f"The chains agree{numbers}.")
    worst = facts.get("worst_edges")
    named = ""
    if isinstance(worst, Sequence) and not isinstance(worst, str) and len(worst):
        named = f" They disagree most about {', '.join(map(worst_edge, worst[:5]))}."
    return Check(
        "AE008",
        "bad",
        f"The chains have not converged{numbers}.{named} Allow more time (max_seconds), or state "
        "what is known about these edges.",
    )


def _search_space(facts: Mapping[str, Any]) -> Check | None:
    outside = facts.get("mass_outside")
    if outside is None:
        return None
    outside = float(outside)
    return Check(
        "AE009",
        "good" if outside <= 0.1 else "look" if outside <= MOST_OUTSIDE else "bad",
        f"Edges from columns that were no candidates: {outside:.2g} expected in all."
        + ("" if outside <= 0.1 else " Allow more candidates for each column."),
    )


def _missing_cells(facts: Mapping[str, Any]) -> Check | None:
    missing = facts.get("missing")
    if not isinstance(missing, Mapping):
        return None
    share = missing.get("share")
    text = f"{int(missing.get('n_cells', 0)):,} missing cells"
    text += "" if share is None else f" ({float(share):.1%})"
    text += " were drawn together with the graph"
    if missing.get("converged") is False:
        largest = missing.get("rhat_max")
        text += ", and the chains disagree"
        text += "" if largest is None else f" (largest R-hat {float(largest):.3g})"
        return Check("AE010", "bad", text + ": the answer depends on how the cells are filled.")
    many = share is not None and float(share) > 0.3
    text += ": many; the answer leans on the model of the missing cells." if many else "."
    return Check("AE010", "look" if many else "good", text)


def _prior(facts: Mapping[str, Any]) -> Check | None:
    other = facts.get("sensitivity")
    if not isinstance(other, Mapping) or other.get("largest_change") is None:
        return None
    change = float(other["largest_change"])
    return Check(
        "AE011",
        "good" if change < 0.1 else "look",
        f"Under the prior '{other.get('prior', 'other')}' no edge probability changes by more than "
        f"{change:.2g}" + (f" ({other['edge']})" if other.get("edge") else "") + ".",
    )


def _scales(facts: Mapping[str, Any]) -> Check | None:
    value = facts.get("varsortability_of_consensus")
    if value is None or value != value:
        return None
    high = value > 0.95 or value < 0.05
    return Check(
        "AE003",
        "look" if high else "good",
        f"Column variances increase along {value:.0%} of the paths of the graph"
        + (
            ": sorting the columns by their scale would give nearly the same order. Check "
            "that the units are comparable."
            if high
            else "; the answer is not just the order of the scales."
        ),
    )


def _rows(posterior: GraphPosterior) -> Check | None:
    n_rows, d = posterior.diagnostics.get("n_rows"), len(posterior.names)
    if n_rows is None:
        return None
    few = n_rows < 10 * d
    return Check(
        "AE004",
        "look" if few else "good",
        f"{n_rows:,} rows for {d} columns" + (": few; expect wide posteriors." if few else "."),
    )


def _badge(facts: Mapping[str, Any]) -> Check | None:
    badge = facts.get("calibration_badge")
    return Check("AE005", "look", str(badge)) if badge else None


def _resampling(posterior: GraphPosterior) -> Check | None:
    if posterior.kind != "resampling":
        return None
    return Check("AE006", "look", "The numbers are selection frequencies, not probabilities.")

"""Diagnostics in words: what is fine, what deserves a look, and what to do."""

from __future__ import annotations

from typing import Literal, NamedTuple

from aetia.results import GraphPosterior

__all__ = ["Check", "check_posterior"]


class Check(NamedTuple):
    """One finding about a result."""

    code: str
    verdict: Literal["good", "look", "bad"]
    text: str


def check_posterior(posterior: GraphPosterior) -> list[Check]:
    """Judge a graph posterior by its diagnostics.

    Args:
        posterior: The result.

    Returns:
        Findings, each with a stable code.
    """
    facts = posterior.diagnostics
    checks = []
    share = float(facts.get("share_cyclic", 0.0))
    if "edges_dropped_per_draw" in facts:
        checks.append(
            Check(
                "AE001",
                "good" if share < 0.3 else "look",
                f"{share:.0%} of the raw draws had cycles, because the network's edges are "
                "independent; their weakest edges were dropped "
                f"({facts['edges_dropped_per_draw']:.2g} per draw), so every draw is acyclic.",
            )
        )
    elif share == 0:
        checks.append(Check("AE001", "good", "Every draw is acyclic."))
    else:
        checks.append(
            Check(
                "AE001",
                "bad" if share > 0.3 else "look",
                f"{share:.0%} of the draws were cyclic and were removed. More steps or a larger "
                "beta usually help.",
            )
        )
    method = facts.get("method")
    if method == "ExactPosterior":
        checks.append(
            Check(
                "AE002",
                "good",
                f"All {facts.get('n_graphs', len(posterior.graphs)):,} graphs were weighed: the "
                "posterior is exact for this likelihood and prior.",
            )
        )
    elif "familiarity" in facts:
        ratio = float(facts["familiarity"])
        unknown = ratio != ratio
        checks.append(
            Check(
                "AE007",
                "good" if ratio <= 1 else "look" if unknown or ratio < 3 else "bad",
                "It is not known which tasks the network was trained on."
                if unknown
                else f"The table's distance from the training tasks is {ratio:.2g} times what 99 % "
                "of them stay below"
                + ("." if ratio <= 1 else ": the probabilities may be far off."),
            )
        )
        if posterior.ess < 10:
            checks.append(
                Check(
                    "AE002",
                    "look",
                    f"The knowledge agrees with few draws of the network: their effective size is "
                    f"{posterior.ess:.1f}.",
                )
            )
    else:
        n, ess = len(posterior.graphs), posterior.ess
        verdict = "good" if ess >= 10 else "look" if ess >= 3 else "bad"
        advice = (
            ""
            if verdict == "good"
            else " The probabilities rest on few graphs and look more certain than they are; use "
            "more particles, or compare with particle_weights='empirical'."
        )
        checks.append(
            Check(
                "AE002",
                verdict,
                f"The {n} draws have an effective size of {ess:.1f}.{advice}",
            )
        )
    value = facts.get("varsortability_of_consensus")
    if value is not None and value == value:
        high = value > 0.95 or value < 0.05
        checks.append(
            Check(
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
        )
    n_rows = facts.get("n_rows")
    if n_rows is not None:
        d = len(posterior.names)
        few = n_rows < 10 * d
        checks.append(
            Check(
                "AE004",
                "look" if few else "good",
                f"{n_rows:,} rows for {d} columns"
                + (": few; expect wide posteriors." if few else "."),
            )
        )
    badge = facts.get("calibration_badge")
    if badge:
        checks.append(Check("AE005", "look", str(badge)))
    if posterior.kind == "resampling":
        checks.append(
            Check("AE006", "look", "The numbers are selection frequencies, not probabilities.")
        )
    return checks

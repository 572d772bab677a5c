"""Reasons not to rely on a graph posterior, read from its diagnostics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aetia.results.graph_posterior import GraphPosterior

__all__ = [
    "FEWEST_DRAWS",
    "MOST_OUTSIDE",
    "effective_draws",
    "is_enumerated",
    "reasons_for_doubt",
    "worst_edge",
]

FEWEST_DRAWS = 10
"""Effective draws below which probabilities are no more than the opinion of a few graphs."""

MOST_OUTSIDE = 1.0
"""Expected edges outside the search space above which the answer is one about that space only."""


def is_enumerated(diagnostics: Mapping[str, Any]) -> bool:
    """Tell whether the "draws" are all graphs there are, weighed one by one.

    Args:
        diagnostics: Diagnostics of the posterior.

    Returns:
        True for an enumeration, to which no effective number of draws applies.
    """
    return diagnostics.get("exact") == "enumeration"


def effective_draws(posterior: GraphPosterior) -> float:
    """Compute how many independent draws the probabilities rest on.

    Args:
        posterior: The posterior.

    Returns:
        What the method says about its own draws, where it does: a few distinct graphs that hold
        most of the weight may stand for many draws. Otherwise the effective size of the weights.
        Infinite for an enumeration.
    """
    if is_enumerated(posterior.diagnostics):
        return math.inf
    return float(posterior.diagnostics.get("ess", posterior.ess))


def reasons_for_doubt(posterior: GraphPosterior) -> list[str]:
    """Say why the probabilities must not be relied on.

    Args:
        posterior: The posterior.

    Returns:
        Sentences without a full stop, the gravest first; empty if nothing is known against it.
    """
    facts = posterior.diagnostics
    reasons = []
    if facts.get("converged") is False:
        reasons.append("the chains have not converged" + _chain_facts(facts))
    missing = facts.get("missing")
    if isinstance(missing, Mapping) and missing.get("converged") is False:
        largest = missing.get("rhat_max")
        reasons.append(
            "the chains that fill in missing cells have not converged"
            + ("" if largest is None else f" (largest R-hat {float(largest):.3g})")
        )
    # The probabilities of a network are its own, not those of its draws.
    if "familiarity" in facts:
        ratio = facts["familiarity"]
        if ratio is not None and float(ratio) >= 3:
            reasons.append(
                f"the table is {ratio:.2g} times further from the training tasks than 99 % of "
                "them are"
            )
    elif posterior.kind == "posterior":  # frequencies in few resamples are coarse, and say so
        draws = effective_draws(posterior)
        if draws < FEWEST_DRAWS:
            reasons.append(f"the probabilities rest on {draws:.1f} effective draws")
    outside = float(facts.get("mass_outside") or 0.0)
    if outside > MOST_OUTSIDE:
        reasons.append(f"{outside:.2g} edges are expected from columns that were no candidates")
    share = float(facts.get("share_cyclic", 0.0))
    if share > 0.3 and "edges_dropped_per_draw" not in facts:
        reasons.append(f"{share:.0%} of the raw draws were cyclic and are not in it")
    return reasons


def _chain_facts(facts: Mapping[str, Any]) -> str:
    parts = []
    if facts.get("rhat_max") is not None:
        parts.append(f"largest R-hat {float(facts['rhat_max']):.3g}")
    if facts.get("between_chain_sd_max") is not None:
        parts.append(
            f"edge probabilities differ between chains by up to {facts['between_chain_sd_max']:.2g}"
        )
    worst = facts.get("worst_edges")
    if isinstance(worst, Sequence) and not isinstance(worst, str) and worst:
        parts.append(f"worst: {', '.join(map(worst_edge, worst[:3]))}")
    return f" ({'; '.join(parts)})" if parts else ""


def worst_edge(entry: Any) -> str:
    """Write an entry of ``worst_edges``, whose form is up to the sampler.

    Args:
        entry: Text such as ``"a -> b"``, a mapping with ``edge``, or a pair of text and number.

    Returns:
        The edge.
    """
    if isinstance(entry, Mapping):
        return str(entry.get("edge", entry))
    if isinstance(entry, Sequence) and not isinstance(entry, str) and len(entry):
        if len(entry) > 1 and all(isinstance(e, str) for e in entry[:2]):
            return f"{entry[0]} -> {entry[1]}"
        return str(entry[0])
    return str(entry)

"""Checks of a posterior of graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aetia.report.checks.table import Said, Verdict, check
from aetia.results.trust import (
    FEWEST_DRAWS,
    MOST_OUTSIDE,
    effective_draws,
    is_enumerated,
    worst_edge,
)

if TYPE_CHECKING:
    from aetia.report.kinds.graph import GraphAnswers


@check("AE001", "Cycles", kind="graph", severity="bad")
def cycles(answers: GraphAnswers) -> Said:
    """The share of raw draws that had a directed cycle.

    Particles with cycles are removed; above 30 % the rest may be no fair sample: more steps or a
    larger beta usually help. Networks whose edges are independent lose their weakest edges instead.
    """
    facts = answers.posterior.diagnostics
    share = float(facts.get("share_cyclic", 0.0))
    if "edges_dropped_per_draw" in facts:
        yield (
            "good" if share < 0.3 else "look",
            f"{share:.0%} of the raw draws had cycles, because the network's edges are "
            "independent; their weakest edges were dropped "
            f"({facts['edges_dropped_per_draw']:.2g} per draw), so every draw is acyclic.",
        )
    elif share == 0:
        yield "good", "Every draw is acyclic."
    else:
        yield (
            "bad" if share > 0.3 else "look",
            f"{share:.0%} of the draws were cyclic and were removed. More steps or a larger "
            "beta usually help.",
        )


@check("AE002", "Number of draws", kind="graph", severity="bad")
def draws(answers: GraphAnswers) -> Said:
    """How many independent graphs the probabilities rest on.

    An enumeration weighs all graphs and needs no draws. Below 10 effective draws the probabilities
    are the opinion of a few graphs; take more particles, more draws or more time. Of a network,
    only draws that agree with what is known count.
    """
    posterior = answers.posterior
    facts, n = posterior.diagnostics, len(posterior.graphs)
    if is_enumerated(facts):
        yield (
            "good",
            f"All {facts.get('n_graphs', n):,} graphs were weighed: the posterior is exact for "
            "this likelihood and prior.",
        )
    elif "familiarity" in facts:
        if posterior.ess < 10:
            yield (
                "look",
                "The knowledge agrees with few draws of the network: their effective size is "
                f"{posterior.ess:.1f}.",
            )
    elif posterior.kind == "resampling":
        yield (
            "good" if n >= FEWEST_DRAWS else "look",
            f"{n:,} resamples: a selection frequency is a multiple of {1 / n:.2g}.",
        )
    elif "ess" in facts:
        yield _many_draws(facts, effective_draws(posterior), n)
    else:
        ess = effective_draws(posterior)
        text = f"The {n:,} draws have an effective size of {ess:.1f}."
        if ess >= FEWEST_DRAWS:
            yield "good", text
        else:
            yield (
                "bad",
                f"{text} The probabilities rest on few graphs and look more certain than they are; "
                "use more particles, or compare with particle_weights='empirical'.",
            )


def _many_draws(facts: Mapping[str, Any], ess: float, n_distinct: int) -> tuple[Verdict, str]:
    """Judge draws of a sampler that says how many independent ones they are worth."""
    n_draws, exact = facts.get("n_draws"), facts.get("exact") is not None
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
    verdict = "good" if ess >= 1000 else "look" if ess >= FEWEST_DRAWS else "bad"
    return verdict, text[0].upper() + text[1:]


@check("AE003", "Order of the scales", kind="graph", severity="look")
def scales(answers: GraphAnswers) -> Said:
    """Whether sorting the columns by their variance would give nearly the same graph.

    In simulated tables it often does, and methods then look better than they are. Check that the
    units of the columns are comparable.
    """
    value = answers.posterior.diagnostics.get("varsortability_of_consensus")
    if value is None or value != value:
        return
    high = value > 0.95 or value < 0.05
    yield (
        "look" if high else "good",
        f"Column variances increase along {value:.0%} of the paths of the graph"
        + (
            ": sorting the columns by their scale would give nearly the same order. Check "
            "that the units are comparable."
            if high
            else "; the answer is not just the order of the scales."
        ),
    )


@check("AE004", "Number of rows", kind="graph", severity="look")
def rows(answers: GraphAnswers) -> Said:
    """Whether there are at least ten rows for each column; with fewer, posteriors are wide."""
    n_rows, d = answers.posterior.diagnostics.get("n_rows"), len(answers.posterior.names)
    if n_rows is None:
        return
    few = n_rows < 10 * d
    yield (
        "look" if few else "good",
        f"{n_rows:,} rows for {d} columns" + (": few; expect wide posteriors." if few else "."),
    )


@check("AE005", "Calibration of the method", kind="graph", severity="look")
def badge(answers: GraphAnswers) -> Said:
    """What is known about the calibration of the method on problems like this one."""
    text = answers.posterior.diagnostics.get("calibration_badge")
    if text:
        yield "look", str(text)


@check("AE006", "Frequencies in place of probabilities", kind="graph", severity="look")
def frequencies(answers: GraphAnswers) -> Said:
    """Says so where a method selects graphs on resamples and has no posterior."""
    if answers.posterior.kind == "resampling":
        yield "look", "The numbers are selection frequencies, not probabilities."


@check("AE007", "Distance from the training tasks", kind="graph", severity="bad")
def familiarity(answers: GraphAnswers) -> Said:
    """How far the table lies from the tasks that a network was trained on.

    Up to 1 it is as near as 99 % of them. Above 3 the probabilities may be far off: use a method
    that computes on the table itself, or train on tasks like yours.
    """
    facts = answers.posterior.diagnostics
    if "familiarity" not in facts or is_enumerated(facts):
        return
    ratio = float(facts["familiarity"])
    unknown = ratio != ratio
    text = f"The table's distance from the training tasks is {ratio:.2g} times what 99 % of them "
    text += "stay below" + ("." if ratio <= 1 else ": the probabilities may be far off.")
    yield (
        "good" if ratio <= 1 else "look" if unknown or ratio < 3 else "bad",
        "It is not known which tasks the network was trained on." if unknown else text,
    )


@check("AE008", "Agreement of the chains", kind="graph", severity="bad")
def chains(answers: GraphAnswers) -> Said:
    """Whether chains that started apart agree about the edges.

    If not, the answer depends on where they started: allow more time (max_seconds), or state what
    is known about the edges that they disagree about.
    """
    facts = answers.posterior.diagnostics
    converged = facts.get("converged")
    if converged is None:
        return
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
        yield "good", f"The chains agree{numbers}."
        return
    worst = facts.get("worst_edges")
    named = ""
    if isinstance(worst, Sequence) and not isinstance(worst, str) and len(worst):
        named = f" They disagree most about {', '.join(map(worst_edge, worst[:5]))}."
    yield (
        "bad",
        f"The chains have not converged{numbers}.{named} Allow more time (max_seconds), or state "
        "what is known about these edges.",
    )


@check("AE009", "Edges outside the candidates", kind="graph", severity="bad")
def search_space(answers: GraphAnswers) -> Said:
    """How many edges are expected from columns that were no candidates as parents.

    Above 1 the answer is one about the search space only; allow more candidates for each column.
    """
    outside = answers.posterior.diagnostics.get("mass_outside")
    if outside is None:
        return
    outside = float(outside)
    yield (
        "good" if outside <= 0.1 else "look" if outside <= MOST_OUTSIDE else "bad",
        f"Edges from columns that were no candidates: {outside:.2g} expected in all."
        + ("" if outside <= 0.1 else " Allow more candidates for each column."),
    )


@check("AE010", "Missing cells", kind="graph", severity="bad")
def missing_cells(answers: GraphAnswers) -> Said:
    """Whether the chains that draw missing cells together with the graph agree.

    If not, the answer depends on how the cells are filled. With more than 30 % missing it leans on
    the model of the cells: see which columns are worth their holes.
    """
    missing = answers.posterior.diagnostics.get("missing")
    if not isinstance(missing, Mapping):
        return
    share = missing.get("share")
    text = f"{int(missing.get('n_cells', 0)):,} missing cells"
    text += "" if share is None else f" ({float(share):.1%})"
    text += " were drawn together with the graph"
    if missing.get("converged") is False:
        largest = missing.get("rhat_max")
        text += ", and the chains disagree"
        text += "" if largest is None else f" (largest R-hat {float(largest):.3g})"
        yield "bad", text + ": the answer depends on how the cells are filled."
        return
    many = share is not None and float(share) > 0.3
    text += ": many; the answer leans on the model of the missing cells." if many else "."
    yield "look" if many else "good", text


@check("AE011", "Another prior", kind="graph", severity="look")
def prior(answers: GraphAnswers) -> Said:
    """How much the edge probabilities change under another prior over graphs.

    By 0.1 or more, the data alone do not settle them: say which prior was used.
    """
    other = answers.posterior.diagnostics.get("sensitivity")
    if not isinstance(other, Mapping) or other.get("largest_change") is None:
        return
    change = float(other["largest_change"])
    yield (
        "good" if change < 0.1 else "look",
        f"Under the prior '{other.get('prior', 'other')}' no edge probability changes by more than "
        f"{change:.2g}" + (f" ({other['edge']})" if other.get("edge") else "") + ".",
    )

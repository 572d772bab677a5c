"""Checks of a graph of sensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aetia.report.checks.table import Said, check

if TYPE_CHECKING:
    from aetia.discovery.rcgnn.series_answers import SeriesAnswers

__all__ = ["open_directions"]

_OPEN = 0.2


@check("AS012", "Frequencies in place of probabilities", kind="series", severity="look")
def frequencies(answers: SeriesAnswers) -> Said:
    """Says what the numbers are: how often an edge was selected on resamples of the recordings."""
    yield (
        "look",
        "The numbers are selection frequencies, not probabilities: how often an edge was selected "
        f"on {len(answers.posterior.graphs)} resamples. A stable edge can still be wrong if the "
        "assumptions are.",
    )


@check("AS001", "Edges near the threshold", kind="series", severity="look")
def near_threshold(answers: SeriesAnswers) -> Said:
    """How many edges miss the threshold of the selection frequency by less than 0.2.

    Where they are more than half as many as those of the graph, the cut is not sharp: read the
    table of edges too.
    """
    threshold = float(answers.posterior.diagnostics.get("threshold", 0.5))
    lower = max(threshold - 0.2, 0.0)
    others = answers.posterior.summary_probabilities()
    chosen = answers.graph.any(0)
    off = ~np.eye(len(others), dtype=bool)
    n_chosen = int((chosen & off).sum())
    near = int(((others > 0) & (others >= lower) & ~chosen & off).sum())
    is_blurred = near > max(n_chosen, 1) / 2
    yield (
        "look" if is_blurred else "good",
        f"{n_chosen} edge(s) are in the graph (threshold {threshold:.2f}); {near} more were "
        f"selected in at least {lower:.0%} of the resamples."
        + (" The cut is not sharp: read the table too." if is_blurred else ""),
    )


@check("AS002", "Edges in both directions", kind="series", severity="look")
def both_directions(answers: SeriesAnswers) -> Said:
    """Pairs of sensors that act on each other: feedback, a cause that both share, or long steps."""
    summary, names = answers.graph.any(0), answers.posterior.names
    both = np.argwhere(np.triu(summary & summary.T, 1))
    if len(both):
        pairs = ", ".join(f"{names[i]} and {names[j]}" for i, j in both[:5])
        yield (
            "look",
            f"Edges in both directions: {pairs}. It may be feedback, a cause that both share and "
            "no sensor reads, or steps that are longer than the delay.",
        )


def open_directions(answers: SeriesAnswers) -> list[tuple[str, str]]:
    """List the edges within the step whose direction the half-samples disagree about.

    Args:
        answers: What the method said.

    Returns:
        Source and target of edges of the graph; given that the two are adjacent within the step,
        the opposite direction was selected in at least a fifth of the half-samples.
    """
    p, names = answers.posterior.edge_probabilities(), answers.posterior.names
    either = p + p.T  # no half-sample has both
    pairs = zip(*np.nonzero(answers.graph[0]), strict=True)
    return [
        (names[i], names[j]) for i, j in pairs if either[i, j] and p[j, i] >= _OPEN * either[i, j]
    ]


@check("AS003", "Directions within a step", kind="series", severity="look")
def directions(answers: SeriesAnswers) -> Said:
    """Edges within one step, which time cannot direct.

    Shorter steps, a regime in which something was set, or knowledge about a pair settle them.
    """
    n_within = int(answers.graph[0].sum())
    if not n_within:
        return
    unsure = open_directions(answers)
    shown = ", ".join(f"{a} → {b}" for a, b in unsure[:6]) + (", ..." if len(unsure) > 6 else "")
    yield (
        "look",
        f"{n_within} edge(s) lie within one step. Time cannot direct them: with linear relations "
        "and Gaussian noise they are known only up to the equivalence class, unless earlier causes "
        "of one end or knowledge settle them. "
        + (
            f"The resamples disagree about the direction of {shown}."
            if unsure
            else "The resamples agree about their directions, which is no proof."
        ),
    )


@check("AS011", "Number of steps", kind="series", severity="look")
def steps(answers: SeriesAnswers) -> Said:
    """Whether there are 20 steps for each sensor; with fewer, weak edges will be missed."""
    n, d = int(answers.posterior.diagnostics.get("n_rows", 0)), len(answers.posterior.names)
    few = n < 20 * d
    yield (
        "look" if few else "good",
        f"{n:,} steps for {d} sensors" + (": few; weak edges will be missed." if few else "."),
    )


@check("AS004", "Information in the readings", kind="series", severity="look")
def information(answers: SeriesAnswers) -> Said:
    """Which share of what is new in the sensors at each step the readings determine.

    Below one half, noise and gaps leave less to learn from than the number of steps suggests.
    """
    share = answers.posterior.diagnostics.get("information")
    if share is None:
        return
    share = float(share)
    yield (
        "good" if share >= 0.5 else "look",
        f"The readings determine {share:.0%} of what is new in the sensors at each step "
        "(“information”); the rest is lost to noise and gaps"
        + (", so edges rest on less than the number of steps suggests." if share < 0.5 else "."),
    )


@check("AS005", "Gaps", kind="series", severity="look")
def gaps(answers: SeriesAnswers) -> Said:
    """How many readings are missing, and of which sensor most.

    A sensor that falls silent because of its own value distorts the edges around it unseen.
    """
    if not answers.n_gaps:
        yield "good", "No reading is missing."
        return
    sensors: Any = answers.sensors
    worst = sensors.loc[sensors["share_observed"].idxmin()]
    yield (
        "look" if worst["share_observed"] < 0.5 else "good",
        f"{1 - sensors['share_observed'].mean():.0%} of the readings are missing (most: "
        f"{worst['sensor']}, {1 - worst['share_observed']:.0%}). Gaps may depend on anything that "
        "was read. If a sensor falls silent because of the value that it would have shown, edges "
        "to and from it can be distorted, and nothing in the data says so.",
    )


@check("AS006", "Gaps that stay open", kind="series", severity="look")
def open_gaps(answers: SeriesAnswers) -> Said:
    """Gaps in stretches too short for the model, or after the last reading, which stay empty."""
    if answers.n_open:
        yield (
            "look",
            f"{answers.n_open:,} of {answers.n_gaps:,} gaps lie in stretches too short for the "
            "model, or after the last reading, and were left empty.",
        )


@check("AS007", "Noise of the sensors", kind="series", severity="look")
def noise(answers: SeriesAnswers) -> Said:
    """Which share of the variance of readings is white noise of the sensor itself, at most."""
    sensors: Any = answers.sensors
    if not sensors["noise_share"].notna().any():
        return
    worst = sensors.loc[sensors["noise_share"].idxmax()]
    share = float(worst["noise_share"])
    yield (
        "look" if share > 0.5 else "good",
        "No white noise of sensors was found; readings were taken as exact."
        if share < 0.01
        else f"White noise of sensors makes up at most {share:.0%} of the variance of readings "
        f"({worst['sensor']}) and was separated from the states.",
    )


@check("AS008", "Drift of the sensors", kind="series", severity="look")
def drift(answers: SeriesAnswers) -> Said:
    """Whether a slow drift was separated; pass drift=false if the sensors are stable."""
    drifts = answers.posterior.diagnostics.get("has_drift")
    if drifts is None:
        return
    yield (
        "look" if drifts else "good",
        "Readings drift slowly, sensor by sensor; the drift was separated. A slow change of the "
        "states can be taken for it: pass drift=false if sensors are stable."
        if drifts
        else "No drift of sensors was assumed, or found worth its parameters.",
    )


@check("AS009", "Flagged outliers", kind="series", severity="look")
def outliers(answers: SeriesAnswers) -> Said:
    """How many readings disagree with everything else and were left out of the computation."""
    sensors: Any = answers.sensors
    n_out, n_read = int(sensors["outliers"].sum()), int(sensors["readings"].sum())
    if n_out:
        worst = sensors.loc[sensors["outliers"].idxmax()]
        yield (
            "look" if n_out > 0.02 * n_read else "good",
            f"{n_out:,} reading(s) ({n_out / n_read:.1%}) disagree with everything else and were "
            f"flagged as outliers (most: {worst['sensor']}, {int(worst['outliers']):,}); "
            "imputed.csv has them as they were.",
        )


@check("AS010", "Residuals by regime", kind="series", severity="look")
def regimes(answers: SeriesAnswers) -> Said:
    """Whether residuals are alike in all regimes, beyond the weights that differ.

    If not: noise of another size, a curved relation, or a missing cause in that regime.
    """
    table: Any = answers.regimes
    if table.empty:
        return
    once = table.drop_duplicates(["regime", "sensor"])
    changed, limit = once["changed"].astype(bool), 0.01 / len(once)
    unexplained = once[(once["p_value"] < limit) & ~changed]
    shown = ", ".join(
        f"{s} in {r}" for s, r in zip(unexplained["sensor"], unexplained["regime"], strict=True)
    )
    n_changed = int(changed.sum())
    yield (
        "look" if len(unexplained) else "good",
        (
            f"{n_changed} mechanism(s) have weights of their own in some regime. "
            if n_changed
            else "No mechanism has weights of its own in a regime. "
        )
        + (
            f"Beyond that, residuals differ between regimes for {shown} (p below {limit:.1g}): "
            "noise of another size, a curved relation, or a missing cause."
            if len(unexplained)
            else "Residuals of the others look alike in all regimes."
        ),
    )

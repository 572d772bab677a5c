"""What to know before trusting a graph of sensors: diagnostics in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from aetia.report.before.checks import Check
from aetia.report.before.series_answers import SeriesAnswers

__all__ = ["check_series", "open_directions"]

_OPEN = 0.2


def check_series(answers: SeriesAnswers) -> list[Check]:
    """Judge the graph of recordings by its diagnostics.

    Args:
        answers: What the method said.

    Returns:
        Findings, each with a stable code.
    """
    checks = [
        *_stability(answers),
        *_directions(answers),
        *_amount(answers),
        *_gaps(answers),
        *_sensor_quality(answers),
        *_by_regime(answers),
    ]
    return checks


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


def _stability(answers: SeriesAnswers) -> list[Check]:
    facts = answers.posterior.diagnostics
    threshold = float(facts.get("threshold", 0.5))
    lower = max(threshold - 0.2, 0.0)
    others = answers.posterior.summary_probabilities()
    off = ~np.eye(len(others), dtype=bool)
    n_chosen = int((answers.graph.any(0) & off).sum())
    near = int(((others > 0) & (others >= lower) & ~answers.graph.any(0) & off).sum())
    is_blurred = near > max(n_chosen, 1) / 2
    found = [
        Check(
            "AE006",
            "look",
            "The numbers are selection frequencies, not probabilities: how often an edge was "
            f"selected on {len(answers.posterior.graphs)} resamples. A stable edge "
            "can still be wrong if the assumptions are.",
        ),
        Check(
            "AS001",
            "look" if is_blurred else "good",
            f"{n_chosen} edge(s) are in the graph (threshold {threshold:.2f}); {near} more were "
            f"selected in at least {lower:.0%} of the resamples."
            + (" The cut is not sharp: read the table too." if is_blurred else ""),
        ),
    ]
    summary = answers.graph.any(0)
    both = np.triu(summary & summary.T, 1)
    if both.any():
        names = answers.posterior.names
        pairs = [f"{names[i]} and {names[j]}" for i, j in zip(*np.nonzero(both), strict=True)]
        found.append(
            Check(
                "AS002",
                "look",
                f"Edges in both directions: {', '.join(pairs[:5])}. It may be feedback, a cause "
                "that both share and no sensor reads, or steps that are longer than the delay.",
            )
        )
    return found


def _directions(answers: SeriesAnswers) -> list[Check]:
    n_within = int(answers.graph[0].sum())
    if not n_within:
        return []
    unsure = open_directions(answers)
    shown = ", ".join(f"{a} → {b}" for a, b in unsure[:6]) + (", ..." if len(unsure) > 6 else "")
    return [
        Check(
            "AS003",
            "look",
            f"{n_within} edge(s) lie within one step. Time cannot direct them: with linear "
            "relations and Gaussian noise they are known only up to the equivalence class, unless "
            "earlier causes of one end or knowledge settle them. "
            + (
                f"The resamples disagree about the direction of {shown}."
                if unsure
                else "The resamples agree about their directions, which is no proof."
            ),
        )
    ]


def _amount(answers: SeriesAnswers) -> list[Check]:
    facts, d = answers.posterior.diagnostics, len(answers.posterior.names)
    n_rows = int(facts.get("n_rows", 0))
    few = n_rows < 20 * d
    found = [
        Check(
            "AE004",
            "look" if few else "good",
            f"{n_rows:,} steps for {d} sensors"
            + (": few; weak edges will be missed." if few else "."),
        )
    ]
    if "information" in facts:
        share = float(facts["information"])
        found.append(
            Check(
                "AS004",
                "good" if share >= 0.5 else "look",
                f"The readings determine {share:.0%} of what is new in the sensors at each step "
                "(“information”); the rest is lost to noise and gaps"
                + (
                    ", so edges rest on less than the number of steps suggests."
                    if share < 0.5
                    else "."
                ),
            )
        )
    return found


def _gaps(answers: SeriesAnswers) -> list[Check]:
    sensors: Any = answers.sensors
    if not answers.n_gaps:
        return [Check("AS005", "good", "No reading is missing.")]
    worst = sensors.loc[sensors["share_observed"].idxmin()]
    missing = 1 - sensors["share_observed"].mean()
    found = [
        Check(
            "AS005",
            "look" if worst["share_observed"] < 0.5 else "good",
            f"{missing:.0%} of the readings are missing (most: {worst['sensor']}, "
            f"{1 - worst['share_observed']:.0%}). Gaps may depend on anything that was read. If a "
            "sensor falls silent because of the value that it would have shown, edges to and from "
            "it can be distorted, and nothing in the data says so.",
        )
    ]
    if answers.n_open:
        found.append(
            Check(
                "AS006",
                "look",
                f"{answers.n_open:,} of {answers.n_gaps:,} gaps lie in stretches too short for the "
                "model, or after the last reading, and were left empty.",
            )
        )
    return found


def _sensor_quality(answers: SeriesAnswers) -> list[Check]:
    facts = answers.posterior.diagnostics
    sensors: Any = answers.sensors
    found = []
    if sensors["noise_share"].notna().any():
        worst = sensors.loc[sensors["noise_share"].idxmax()]
        share = float(worst["noise_share"])
        found.append(
            Check(
                "AS007",
                "look" if share > 0.5 else "good",
                "No white noise of sensors was found; readings were taken as exact."
                if share < 0.01
                else f"White noise of sensors makes up at most {share:.0%} of the variance of "
                f"readings ({worst['sensor']}) and was separated from the states.",
            )
        )
    if "has_drift" in facts:
        drifts = bool(facts["has_drift"])
        found.append(
            Check(
                "AS008",
                "look" if drifts else "good",
                "Readings drift slowly, sensor by sensor; the drift was separated. A slow change "
                "of the states can be taken for it: pass drift=false if sensors are stable."
                if drifts
                else "No drift of sensors was assumed, or found worth its parameters.",
            )
        )
    n_out, n_read = int(sensors["outliers"].sum()), int(sensors["readings"].sum())
    if n_out:
        worst = sensors.loc[sensors["outliers"].idxmax()]
        found.append(
            Check(
                "AS009",
                "look" if n_out > 0.02 * n_read else "good",
                f"{n_out:,} reading(s) ({n_out / n_read:.1%}) disagree with everything else and "
                f"were set aside (most: {worst['sensor']}, {int(worst['outliers']):,}); "
                "imputed.csv has them as they were.",
            )
        )
    return found


def _by_regime(answers: SeriesAnswers) -> list[Check]:
    table: Any = answers.regimes
    if table.empty:
        return []
    once = table.drop_duplicates(["regime", "sensor"])
    limit = 0.01 / len(once)
    unexplained = once[(once["p_value"] < limit) & ~once["changed"].astype(bool)]
    shown = ", ".join(
        f"{s} in {r}" for s, r in zip(unexplained["sensor"], unexplained["regime"], strict=True)
    )
    n_changed = int(once["changed"].astype(bool).sum())
    return [
        Check(
            "AS010",
            "look" if len(unexplained) else "good",
            (
                f"{n_changed} mechanism(s) have weights of their own in some regime. "
                if n_changed
                else "No mechanism has weights of its own in a regime. "
            )
            + (
                f"Beyond that, residuals differ between regimes for {shown} (p below "
                f"{limit:.1g}): noise of another size, a curved relation, or a missing cause."
                if len(unexplained)
                else "Residuals of the others look alike in all regimes."
            ),
        )
    ]

"""What a health record says, in words: findings with advice.

The ranges are rules of thumb: up to a fifth of the gradients clipped once training has settled, a
loss that falls, some edges, and a structure that the data can reach. An interval is what lies
between two rows of the record.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeGuard

from aetia.training.health import COMMON_SIGNALS, Healthy, verdicts

__all__ = ["USUAL_RANGES", "TrainingFinding", "diagnose"]

Row = Mapping[str, Any]

USUAL_RANGES: dict[str, tuple[float, float]] = {
    "clipped_share": (0.0, 0.2),
    "edge_count": (1.0, math.inf),
    "best_threshold": (0.0, 0.3),
    "val_f1": (0.1, 1.0),
}
"""Ranges that every run shares, besides those of the method's own signals."""

_SETTLED_AFTER = 5
_FLAT_FOR = 3
_SMALLEST_GAIN = 1e-4
_DOMINATING = 0.9
_FEW_EDGES = 5


class TrainingFinding(NamedTuple):
    """One thing that the record says.

    Attributes:
        code: Stable name of the rule.
        severity: ``good``, ``look`` or ``bad``.
        text: What was found, with numbers.
        advice: What to do; empty if nothing.
    """

    code: str
    severity: Literal["good", "look", "bad"]
    text: str
    advice: str = ""


def diagnose(
    rows: Sequence[Row], *, signals: Mapping[str, Healthy] | None = None
) -> list[TrainingFinding]:
    """Judge a training run by its record.

    Args:
        rows: The health record, from memory or from its file.
        signals: Healthy ranges of the method's signals.

    Returns:
        Findings, the worst first.
    """
    steps = [r for r in rows if "learning_rate" in r]
    if not steps:
        return []
    ranges = dict(signals or {})
    found = [
        *_finite(steps),
        *_clipping(steps),
        *_progress(steps, rows),
        *_structure(steps),
        *_edges(steps, ranges),
        *_domination(steps),
        *_threshold(steps, rows),
        *_external_metrics(steps, rows),
        *_other_signals(steps[-1], ranges),
    ]
    order = {"bad": 0, "look": 1, "good": 2}
    return sorted(found, key=lambda f: order[f.severity])


def series(rows: Sequence[Row], name: str) -> list[tuple[int, float]]:
    """Collect the finite values of a quantity.

    Args:
        rows: Rows of a health record.
        name: The quantity.

    Returns:
        Step and value.
    """
    return [(int(r["step"]), float(r[name])) for r in rows if _is_number(r.get(name))]


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _of_phases(row: Row, name: str) -> Iterator[tuple[str, str]]:
    """Find a quantity with or without the name of a phase in front: key, and ``of phase 'x'``."""
    for key in row:
        if key == name:
            yield key, ""
        elif key.endswith(f"/{name}") and not key.startswith(("raw/", "lambda/")):
            yield key, f" of phase {key.removesuffix(f'/{name}')!r}"


# -- the rules ----------------------------------------------------------------------------------


def _finite(steps: Sequence[Row]) -> Iterator[TrainingFinding]:
    last = steps[-1]
    n_skipped = int(last.get("skipped_steps") or 0)
    if n_skipped:
        factor = float(last.get("rate_factor") or 1.0)
        is_bad = n_skipped > 0.01 * float(last["step"]) or not _is_number(last.get("loss"))
        yield TrainingFinding(
            "AH001",
            "bad" if is_bad else "look",
            f"{n_skipped} of {last['step']} steps had a gradient that is not finite and were "
            f"skipped; the learning rate was brought down to {factor:.3g} of its own.",
            "Lower learning_rate, standardise the inputs, and look in the loss for logarithms, "
            "roots and quotients of zero.",
        )
    else:
        yield TrainingFinding("AH001", "good", "Every gradient was finite.")


def _clipping(steps: Sequence[Row]) -> Iterator[TrainingFinding]:
    for key, of_phase in _of_phases(steps[-1], "clipped_share"):
        values = [v for _, v in series(steps, key)]
        if not values:
            continue
        first, last, n = values[0], values[-1], len(values)
        healthy = f"healthy: 0 to {USUAL_RANGES['clipped_share'][1]:.0%}"
        if last <= USUAL_RANGES["clipped_share"][1]:
            text = f"{_percent(last)} of the gradients{of_phase} were clipped last ({healthy})."
            if first > USUAL_RANGES["clipped_share"][1]:
                text = (
                    f"Clipping{of_phase} fell from {_percent(first)} to {_percent(last)} of the "
                    "gradients, as it should: large ones at the start, ordinary updates later."
                )
            yield TrainingFinding("AH002", "good", text)
        elif n <= _SETTLED_AFTER:
            yield TrainingFinding(
                "AH002",
                "good",
                f"{_percent(last)} of the gradients{of_phase} were clipped last; over the first "
                f"{_SETTLED_AFTER} intervals that is usual ({healthy} after them).",
            )
        else:
            rate = float(steps[-1]["learning_rate"])
            yield TrainingFinding(
                "AH002",
                "bad" if last > 0.5 else "look",
                f"{_percent(last)} of the gradients{of_phase} are still clipped after {n} "
                f"intervals ({healthy}).",
                f"Lower the learning rate (now {rate:.2g}), check that the inputs are "
                "standardised, or raise clip_norm.",
            )


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"


def _progress(steps: Sequence[Row], rows: Sequence[Row]) -> Iterator[TrainingFinding]:
    if "loss" in steps[-1] and not _is_number(steps[-1]["loss"]):
        yield TrainingFinding(
            "AH003", "bad", "The training loss is not finite.", "Lower the learning rate."
        )
        return
    has_one_loss = not any(key.endswith("/loss") for key in steps[-1])
    trained = series(steps, "loss") if has_one_loss else []
    held_out = series([{"step": r["step"], **(r.get("validation") or {})} for r in rows], "loss")
    if trained and len(trained) > 1:
        (_, first), (_, last) = trained[0], trained[-1]
        fell = last < first
        yield TrainingFinding(
            "AH003",
            "good" if fell else "look",
            f"The training loss {'fell' if fell else 'did not fall'}: {first:.4g} at first, "
            f"{last:.4g} last.",
            "" if fell else "Lower the learning rate, unless a weight in the loss was raised.",
        )
    values, what = (held_out, "held-out loss") if held_out else (trained, "training loss")
    if len(values) > _FLAT_FOR:
        best_step, best = min(values[:-_FLAT_FOR], key=lambda pair: pair[1])
        recent = min(v for _, v in values[-_FLAT_FOR:])
        if recent < best - _SMALLEST_GAIN * abs(best):
            yield TrainingFinding("AH004", "good", f"The {what} still improves: {recent:.4g}.")
        else:
            rate = float(steps[-1]["learning_rate"])
            overfits = ""
            if held_out and trained and trained[-1][1] < 0.99 * _at(trained, best_step):
                overfits = " while the training loss went on falling"
            yield TrainingFinding(
                "AH004",
                "look",
                f"The {what} was flat over the last {_FLAT_FOR} evaluations; its best was "
                f"{best:.4g} at step {best_step}{overfits}.",
                f"Multiply the learning rate by 0.5 (now {rate:.2g}; schedule='plateau' does so by "
                "itself), or stop here (patience).",
            )


def _at(values: Sequence[tuple[int, float]], step: int) -> float:
    """Look up the value at a step or the first one after it."""
    return next((v for s, v in values if s >= step), values[-1][1])


def _structure(steps: Sequence[Row]) -> Iterator[TrainingFinding]:
    for key, of_phase in _of_phases(steps[-1], "objective_gradient/structure"):
        values = series(steps, key)
        if not values:
            continue
        step, last = values[-1]
        if last > 0:
            yield TrainingFinding(
                "AH005",
                "good",
                f"The data reach the graph{of_phase}: the objective's gradient on the structure "
                f"has a norm of {last:.2g}.",
            )
        else:
            yield TrainingFinding(
                "AH005",
                "bad",
                f"The graph receives no gradient from the data{of_phase}: the objective's gradient "
                f"on the structure is exactly 0 at step {step}.",
                "No weight of a penalty can help. Make the prediction of a column depend on it "
                "through the graph alone.",
            )


def _edges(steps: Sequence[Row], ranges: Mapping[str, Healthy]) -> Iterator[TrainingFinding]:
    values = series(steps, "edge_count")
    if not values:
        return
    last = values[-1][1]
    high = ranges["edge_count"].high if "edge_count" in ranges else math.inf
    if last > high:
        yield TrainingFinding(
            "AH006",
            "look",
            f"The graph has {last:.4g} edges, more than the {high:.4g} that are plausible.",
            "Raise the weight of sparsity" + _weights_in_force(steps[-1]) + ".",
        )
    elif last > 0:
        hint = "" if last > _FEW_EDGES else f" Runs that learn usually have more than {_FEW_EDGES}."
        yield TrainingFinding("AH006", "good", f"The graph has {last:.4g} edges.{hint}")
    else:
        yield from _no_edges(steps)


def _no_edges(steps: Sequence[Row]) -> Iterator[TrainingFinding]:
    reaching = [
        value
        for key, _ in _of_phases(steps[-1], "objective_gradient/structure")
        for _, value in series(steps, key)[-1:]
    ]
    text = "The graph has no edges"
    if not reaching:
        advice = (
            "Find out first whether the data reach the graph: name the objective of the phase and "
            "a group 'structure'. If they do, weaken sparsity and acyclicity."
        )
        yield TrainingFinding("AH006", "bad", text + ".", advice)
    elif max(reaching) > 0:
        advice = f"Weaken sparsity and acyclicity{_weights_in_force(steps[-1])}."
        yield TrainingFinding(
            "AH006",
            "bad",
            f"{text}, although the data reach it (gradient norm {max(reaching):.2g}).",
            advice,
        )
    else:
        yield TrainingFinding(
            "AH006",
            "bad",
            f"{text}, and it is cut off from the data.",
            "Do not tune penalties: connect the objective to the structure.",
        )


def _weights_in_force(row: Row) -> str:
    """List the weights of the loss's terms, if they are recorded."""
    known = {k.split("lambda/")[1]: v for k, v in row.items() if "lambda/" in k and _is_number(v)}
    shown = ", ".join(f"{name} {value:.3g}" for name, value in known.items())
    return f" (in force: {shown})" if shown else ""


def _domination(steps: Sequence[Row]) -> Iterator[TrainingFinding]:
    last = steps[-1]
    for key, of_phase in _of_phases(last, "objective"):
        objective, prefix = last[key], key.removesuffix("objective")
        start = f"{prefix}gradient_share/"
        is_cut_off = last.get(f"{prefix}objective_gradient/structure") == 0
        for name in (k.removeprefix(start) for k in last if k.startswith(start)):
            share = last[start + name]
            if name != objective and _is_number(share) and share > _DOMINATING:
                yield TrainingFinding(
                    "AH007",
                    "bad",
                    f"{name!r} holds {_percent(share)} of the gradient{of_phase}, which leaves "
                    f"little for the objective {objective!r}.",
                    "Connect the objective to the structure first."
                    if is_cut_off
                    else f"Lower the weight of {name!r}{_weights_in_force(last)}.",
                )


def _threshold(steps: Sequence[Row], rows: Sequence[Row]) -> Iterator[TrainingFinding]:
    values = series(steps, "best_threshold") or series(_external(rows), "best_threshold")
    if values:
        last, (low, high) = values[-1][1], USUAL_RANGES["best_threshold"]
        if low <= last <= high:
            yield TrainingFinding(
                "AH008", "good", f"Edges are cut at {last:.2g} (usual: 0 to {high})."
            )
        else:
            yield TrainingFinding(
                "AH008",
                "bad" if last >= 0.5 else "look",
                f"Edges are cut at {last:.2g} (usual: 0 to {high}).",
                "Edge values are too small beside the threshold: weaken sparsity, or look at their "
                "scale.",
            )


def _external(rows: Sequence[Row]) -> list[Row]:
    return [{"step": r["step"], **r["external"]} for r in rows if r.get("external")]


def _external_metrics(steps: Sequence[Row], rows: Sequence[Row]) -> Iterator[TrainingFinding]:
    """Report the external evaluation against the truth, which training did not see."""
    external = _external(rows)
    has_edges = bool(steps[-1].get("edge_count", 1.0))
    for name in ("val_f1", "f1"):
        values = series(external, name)
        if values:
            last = values[-1][1]
            fine = last > USUAL_RANGES["val_f1"][0]
            advice = (
                "With edges present that is a matter of the threshold, or of the method; compare "
                "with the F1 of a random graph of equal density."
            )
            yield TrainingFinding(
                "AH009",
                "good" if fine else "look",
                f"External evaluation against the truth: F1 {last:.3g}.",
                advice if has_edges and not fine else "",
            )
    for name in ("val_shd", "shd"):
        values = series(external, name)
        if values:
            first, last = values[0][1], values[-1][1]
            yield TrainingFinding(
                "AH010",
                "good" if last <= first else "look",
                f"External evaluation against the truth: SHD {first:.4g} at first, "
                f"{last:.4g} last; an empty graph scores the number of true edges.",
            )


_JUDGED_ABOVE = {"loss", "clipped_share", "skipped_steps", "edge_count", "best_threshold"}


def _other_signals(last: Row, ranges: Mapping[str, Healthy]) -> Iterator[TrainingFinding]:
    """Pass on the verdicts on signals that have no rule of their own."""
    judged = verdicts(last, {**COMMON_SIGNALS, **ranges})
    for name, text in {**last.get("verdicts", {}), **judged}.items():
        has_rule = name in _JUDGED_ABOVE or "gradient_share/" in name
        if text != "ok" and not has_rule and "objective_gradient/" not in name:
            yield TrainingFinding("AH011", "look", f"{name}: {text}.")

"""What a health record of a training holds, sorted into panels and drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from aetia.plots.health import plot_record, plot_shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_health_record"]

Row = Mapping[str, Any]
Drawn: TypeAlias = "tuple[str, Axes]"
"""What a drawing shows, and its axes."""

_OF_THE_LOOP = {
    "step",
    "loss",
    "learning_rate",
    "tasks_per_second",
    "data_wait_share",
    "skipped_steps",
    "rate_factor",
    "seconds",
}
_MOST_POINTS = 400
_LABEL = re.compile(r"\b(raw|lambda|objective_gradient|clipped_share)/")
"""What the title of a panel says already."""


def draw_health_record(
    rows: Sequence[Row],
    *,
    ranges: Mapping[str, tuple[float, float]],
    clip_norm: float | None = None,
    best_step: int | None = None,
) -> dict[str, list[Drawn]]:
    """Draw a health record.

    Args:
        rows: Rows of the record.
        ranges: Lowest and highest healthy value by signal.
        clip_norm: Where gradients are clipped, if that is known.
        best_step: Step of the weights that are kept.

    Returns:
        Heading to drawings, for what there is something to draw for.
    """
    steps = [r for r in rows if "learning_rate" in r]
    held_out = [{"step": r["step"], **r["validation"]} for r in rows if r.get("validation")]
    outside = [{"step": r["step"], **r["external"]} for r in rows if r.get("external")]
    steps, held_out, outside = (_thinned(x) for x in (steps, held_out, outside))
    names = list(dict.fromkeys(k for r in steps for k, v in r.items() if _is_number(v)))
    prefixes = [k.removesuffix("gradient_norm") for k in names if _is(k, "gradient_norm")] or [""]
    terms = _terms(names)
    found: dict[str, list[Drawn | None]] = {
        "Losses": [
            *[_losses(steps, names, terms, prefix) for prefix in prefixes],
            _record(held_out, ["loss"], "held-out loss", marked=best_step),
            _record(steps, _below(names, "raw"), "terms before weighting", is_log=True),
            _record(steps, _below(names, "lambda"), "weights of the terms", is_log=True),
        ],
        "Gradients": [
            *[_norms(steps, names, prefix, clip_norm) for prefix in prefixes],
            _record(
                steps,
                [k for k in names if _is(k, "clipped_share") or "clipped_share/" in k],
                "share of gradients clipped",
                is_share=True,
                healthy=ranges.get("clipped_share"),
            ),
            *[_shares(steps, names, prefix) for prefix in prefixes],
            _record(
                steps,
                [k for k in names if "objective_gradient/" in k],
                "gradient of the objective by group",
                is_log=True,
            ),
        ],
        "Pace": [
            _record(steps, ["learning_rate"], "learning rate"),
            _record(steps, ["skipped_steps"], "steps skipped so far")
            if any(r.get("skipped_steps") for r in steps)
            else None,
            _record(steps, ["tasks_per_second"], "rows or tasks a second"),
        ],
        "Signals of the method": [
            _record(steps, keys, title, healthy=ranges.get(keys[0]))
            for title, keys in _signals(names, terms).items()
        ],
        "Other held-out metrics": [
            _record(held_out, [name], name, marked=best_step)
            for name in _metrics(held_out)
            if name != "loss"
        ],
        "What an external evaluator saw": [
            _record(outside, [name], name) for name in _metrics(outside)
        ],
    }
    drawn = {heading: [f for f in figures if f is not None] for heading, figures in found.items()}
    return {heading: figures for heading, figures in drawn.items() if figures}


def _thinned(rows: list[dict[str, Any]] | list[Row]) -> list[Row]:
    """Keep every so many rows, and the last."""
    stride = -(-len(rows) // _MOST_POINTS) if rows else 1
    kept = list(rows[::stride])
    return kept if not rows or kept[-1] is rows[-1] else [*kept, rows[-1]]


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is(key: str, name: str) -> bool:
    """Tell whether a key is that quantity, of the run or of one of its phases."""
    return key == name or key.endswith(f"/{name}")


def _below(names: Sequence[str], kind: str) -> list[str]:
    return [k for k in names if k.startswith(f"{kind}/") or f"/{kind}/" in k]


def _terms(names: Sequence[str]) -> set[str]:
    """Find the parts of losses: they have a share of the gradient, or a value before weighting."""
    return {
        k.replace(f"{kind}/", "") for kind in ("gradient_share", "raw") for k in _below(names, kind)
    }


def _losses(
    steps: Sequence[Row], names: Sequence[str], terms: set[str], prefix: str
) -> Drawn | None:
    keys = [k for k in names if k == f"{prefix}loss"]
    keys += [k for k in names if k in terms and k.startswith(prefix)]
    title = f"{prefix.rstrip('/')}: loss and its terms" if prefix else "loss and its terms"
    return _record(steps, keys, title, is_log=_spreads(steps, keys))


def _spreads(rows: Sequence[Row], keys: Sequence[str]) -> bool:
    """Tell whether a log axis is of use: all is positive, over two orders of magnitude."""
    values = [float(r[k]) for r in rows for k in keys if _is_number(r.get(k))]
    values = [v for v in values if math.isfinite(v)]
    return bool(values) and min(values) > 0 and max(values) > 100 * min(values)


def _norms(
    steps: Sequence[Row], names: Sequence[str], prefix: str, clip_norm: float | None
) -> Drawn | None:
    mean, peak = f"{prefix}gradient_norm", f"{prefix}gradient_norm_max"
    keys = []
    for group in ["", *[k.removeprefix(mean) for k in names if k.startswith(f"{mean}/")]]:
        keys += [mean + group, peak + group]
    labels = {
        k: k.removeprefix(prefix)
        .replace("gradient_norm_max", "")
        .replace("gradient_norm", "")
        .strip("/")
        or "all"
        for k in keys
    }
    labels = {k: f"{v}, max" if "gradient_norm_max" in k else v for k, v in labels.items()}
    title = "gradient norms before clipping"
    return _record(
        steps,
        [k for k in keys if k in names],
        f"{prefix.rstrip('/')}: {title}" if prefix else title,
        labels=labels,
        is_log=True,
        limit=("clip_norm", clip_norm) if clip_norm else None,
    )


def _shares(steps: Sequence[Row], names: Sequence[str], prefix: str) -> Drawn | None:
    start = f"{prefix}gradient_share/"
    keys = [k for k in names if k.startswith(start)]
    rows = [r for r in steps if any(_is_number(r.get(k)) for k in keys)]
    if not rows:
        return None
    title = "where the gradient comes from"
    ax, _ = plot_shares(
        [r["step"] for r in rows],
        {k.removeprefix(start): [_value(r, k) for r in rows] for k in keys},
        title=f"{prefix.rstrip('/')}: {title}" if prefix else title,
    )
    return title, ax


def _signals(names: Sequence[str], terms: set[str]) -> dict[str, list[str]]:
    """Find what the method itself recorded; counts of edges share a panel."""
    ours = ("gradient_norm", "gradient_norm_max", "gradient_share", "objective_gradient")
    ours = (*ours, "clipped_share", "raw", "lambda")
    panels: dict[str, list[str]] = {}
    for key in names:
        parts = key.split("/")
        if key in _OF_THE_LOOP or key in terms or parts[-1] == "loss" or set(parts) & set(ours):
            continue
        title = "edge_count" if key.startswith("edge_count") else key
        panels.setdefault(title, []).append(key)
    return panels


def _metrics(rows: Sequence[Row]) -> list[str]:
    names = dict.fromkeys(k for r in rows for k, v in r.items() if _is_number(v))
    return [k for k in names if k != "step" and not k.endswith("_se")]


def _value(row: Row, key: str) -> float:
    value = row.get(key)
    return float(value) if _is_number(value) else math.nan


def _record(
    rows: Sequence[Row],
    keys: Sequence[str],
    title: str,
    *,
    labels: Mapping[str, str] | None = None,
    is_log: bool = False,
    is_share: bool = False,
    healthy: tuple[float, float] | None = None,
    limit: tuple[str, float] | None = None,
    marked: int | None = None,
) -> Drawn | None:
    """Draw some quantities of some rows, if any row has one."""
    curves = {}
    for key in keys:
        having = [r for r in rows if _is_number(r.get(key))]
        if having:
            label = (labels or {}).get(key, _LABEL.sub("", key))
            curves[label] = ([r["step"] for r in having], [_value(r, key) for r in having])
    if not curves:
        return None
    is_positive = any(v > 0 for _, values in curves.values() for v in values)
    ax, _ = plot_record(
        curves,
        title=title,
        is_log=is_log and is_positive,
        is_share=is_share,
        healthy=healthy,
        limit=limit,
        marked=marked,
    )
    return title, ax

"""Effects through an uncertain graph on its page: figure, sentences, and a table of quantities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aetia.report.figures import svg_data_uri
from aetia.results import EffectPosterior

__all__ = ["effect_block", "percent"]


def effect_block(effect: EffectPosterior) -> dict[str, Any]:
    """Show one effect.

    Args:
        effect: Its posterior.

    Returns:
        ``image``, ``alt``, ``text`` (sentences) and ``rows`` of a table, empty for a single number.
    """
    ax, _ = effect.plot()
    rows = effect.frame().to_dict("records")
    alone = len(rows) == 1 and effect.doses is None
    return {
        "image": svg_data_uri(ax.figure),
        "alt": f"Posterior of the effect of {effect.treatment} on {effect.outcome}",
        "text": _single(effect, rows[0]) if alone else _several(effect),
        "rows": [] if alone else [_row(row) for row in rows],
    }


def percent(probability: float) -> str:
    """Write a probability so that only certainty reads as 0 or 100 %.

    Args:
        probability: Between 0 and 1.

    Returns:
        Whole per cent, ``"<1 %"`` or ``">99 %"``, with a space that does not break.
    """
    if 1e-9 < probability < 0.01:
        return "<1\u00a0%"
    if 0.99 < probability < 1.0 - 1e-9:
        return ">99\u00a0%"
    return f"{100 * probability:.0f}\u00a0%"


def _single(effect: EffectPosterior, row: Mapping[str, Any]) -> list[str]:
    """Say one number with everything that is uncertain about it."""
    out = [
        f"Setting {effect.treatment} from {_level(effect.control)} to {_level(effect.treated)} "
        f"changes {effect.outcome} by {row['mean']:.4g} on average (90 % credible interval "
        f"{row['lower']:.4g} to {row['upper']:.4g})."
    ]
    if "zero" in row:
        out.append(_signs(row))
    return [*out, *_beside(effect, row)]


def _several(effect: EffectPosterior) -> list[str]:
    """Say what the rows of the table are."""
    first = f"{effect.treatment} from {_level(effect.control)} to {_level(effect.treated)}"
    if effect.doses is not None:
        first = f"{effect.treatment} from {_level(effect.control)} to each of the levels below"
    probabilities = effect.labels[0].startswith("P(")
    of = f"the probability of each level of {effect.outcome}" if probabilities else effect.outcome
    words = [f"Setting {first} changes {of} as follows."]
    if effect.probability_of_effect is not None:
        none = percent(1.0 - effect.probability_of_effect)
        words.append(
            f"The probability that {effect.treatment} has no effect on {effect.outcome} at all "
            f"(no directed path) is {none}."
        )
    return words


def _signs(row: Mapping[str, Any]) -> str:
    text = (
        f"There is no effect at all with probability {percent(row['zero'])}; it is negative with "
        f"{percent(row['negative'])} and positive with {percent(row['positive'])}"
    )
    given = row.get("mean_given_path", np.nan)
    if row["zero"] > 0 and np.isfinite(given):
        text += f", and {given:.4g} on average if there is one"
    return f"{text}."


def _beside(effect: EffectPosterior, row: Mapping[str, Any]) -> list[str]:
    """Say how much the graph matters, and what a single graph would have said."""
    out = []
    share = row.get("graph_share", np.nan)
    if np.isfinite(share):
        out.append(f"Of the variance, {percent(share)} is uncertainty about the graph.")
    if "best_graph_mean" in row:
        p = effect.best_graph_probability
        held = "" if p is None else f" (probability {percent(p)})"
        out.append(
            f"The single most probable graph{held} alone would say {row['best_graph_mean']:.4g} "
            f"({row['best_graph_lower']:.4g} to {row['best_graph_upper']:.4g})."
        )
    return out


def _row(row: Mapping[str, Any]) -> dict[str, str]:
    """Write a row of the table of quantities."""
    best = "–"
    if "best_graph_mean" in row:
        best = (
            f"{row['best_graph_mean']:.3g} "
            f"({row['best_graph_lower']:.3g} to {row['best_graph_upper']:.3g})"
        )
    signs = {k: percent(row[k]) if k in row else "–" for k in ("negative", "zero", "positive")}
    return {
        "quantity": f"at {row['quantity']}" if "dose" in row else str(row["quantity"]),
        "mean": f"{row['mean']:.3g}",
        "interval": f"{row['lower']:.3g} to {row['upper']:.3g}",
        "best": best,
    } | signs


def _level(level: float | str) -> str:
    return level if isinstance(level, str) else f"{level:g}"

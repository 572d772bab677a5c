"""Effects through an uncertain graph: those that were asked for, and those of all pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aetia.plots import plot_effect_matrix
from aetia.report.numbers import percent
from aetia.report.sections.blocks import Block, Details, Grid, Section, Table, Words, picture
from aetia.report.sections.texts import cells, note, text
from aetia.results import EffectPosterior

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["all_pairs", "effect_blocks", "effects"]

_MOST_ROWS = 200
_WIDE_FROM = 7


def effects(found: Sequence[EffectPosterior], *, takes_longer: bool = False) -> list[Section]:
    """Show the effects that were asked for."""
    if not found:
        return []
    small = text("graph.effects")
    if takes_longer:
        small += " " + text("graph.all_pairs_elsewhere")
    groups = [effect_blocks(effect) for effect in found]
    whole = [k for k, cell in enumerate(groups) if any(isinstance(b, Table) for b in cell)]
    return [Section("effects", "Effects", [Grid(groups, 420, whole), Words(small, "note")])]


def effect_blocks(effect: EffectPosterior) -> list[Block]:
    """Show one effect."""
    ax, _ = effect.plot()
    rows = effect.frame().to_dict("records")
    alone = len(rows) == 1 and effect.doses is None
    words = _single(effect, rows[0]) if alone else _several(effect)
    alt = f"Posterior of the effect of {effect.treatment} on {effect.outcome}"
    blocks: list[Block] = [picture(ax, alt), Words(words[0])]
    blocks += [Words(text, "basis") for text in words[1:]]
    if not alone:
        desk = ("< 0", "> 0", "best graph alone")
        blocks.append(Table(cells("graph.effect_columns", map(_row, rows)), desk=desk, dense=True))
    return blocks


def _single(effect: EffectPosterior, row: Mapping[str, Any]) -> list[str]:
    """Say one number with everything that is uncertain about it."""
    out = [
        f"Setting {effect.treatment} from {_level(effect.control)} to {_level(effect.treated)} "
        f"changes {effect.outcome} by {row['mean']:.4g} on average (90 % credible interval "
        f"{row['lower']:.4g} to {row['upper']:.4g})."
    ]
    if "zero" in row:
        out.append(_signs(row))
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


def _signs(row: Mapping[str, Any]) -> str:
    out = (
        f"There is no effect at all with probability {percent(row['zero'])}; it is negative with "
        f"{percent(row['negative'])} and positive with {percent(row['positive'])}"
    )
    given = row.get("mean_given_path", np.nan)
    if row["zero"] > 0 and np.isfinite(given):
        out += f", and {given:.4g} on average if there is one"
    return f"{out}."


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


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Name the quantity of a row, and say what the best graph alone would."""
    best = None
    if "best_graph_mean" in row:
        ends = f"{row['best_graph_lower']:.3g} to {row['best_graph_upper']:.3g}"
        best = f"{row['best_graph_mean']:.3g} ({ends})"
    name = f"at {row['quantity']}" if "dose" in row else str(row["quantity"])
    return {**row, "quantity": name, "best": best}


def all_pairs(frame: pd.DataFrame | None, n_columns: int) -> list[Section]:
    """Show the total effects of all pairs."""
    if frame is None:
        return []
    ax, _ = plot_effect_matrix(frame)
    shown = frame.loc[frame["zero"] < 0.99]
    size = np.abs(shown["standardised"].to_numpy(dtype=float))
    size = np.where(np.isnan(size), np.abs(shown["mean"].to_numpy(dtype=float)), size)
    largest = shown.iloc[np.argsort(-size, kind="stable")[:_MOST_ROWS]]
    rows = cells("graph.all_pairs_columns", map(_pair, largest.to_dict("records")))
    n_pairs = len(frame[["treatment", "outcome"]].drop_duplicates())
    alt = "Matrix of total effects, treatments in rows"
    size_of = "wide" if n_columns >= _WIDE_FROM else "fit"
    blocks: list[Block] = [
        picture(ax, alt, size_of),
        note("graph.all_pairs", n=n_pairs),
    ]
    if rows:
        desk = ("set from, to", "graph’s share of variance")
        inside: list[Block] = [Table(rows, desk=desk, dense=True)]
        if len(shown) > len(rows):
            largest_of = "largest, in standard deviations of the outcome, are listed."
            inside.append(Words(f"Only the {len(rows)} {largest_of}", "note"))
        title = f"{len(shown)} effects that are there with a probability above 1\u00a0%"
        blocks.append(Details(title, inside))
    return [Section("all-effects", "Total effects of all pairs", blocks)]


def _pair(row: Mapping[str, Any]) -> dict[str, Any]:
    quantity, levels = row.get("quantity"), ("control", "treated")
    named = {"outcome": quantity} if isinstance(quantity, str) else {}
    return {**row, **named, **{name: _read_level(row[name]) for name in levels}}


def _level(level: float | str) -> str:
    return level if isinstance(level, str) else f"{level:g}"


def _read_level(level: Any) -> str:
    """Write a level of a frame that may come from a file, where numbers are text."""
    try:
        return f"{float(level):.4g}"
    except ValueError:
        return str(level)

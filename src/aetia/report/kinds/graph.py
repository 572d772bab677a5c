"""A posterior of graphs: files, answer in words, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool

from aetia.files import write_atomically
from aetia.report.context import RunContext
from aetia.report.kinds.run_kind import RunKind
from aetia.report.numbers import show
from aetia.report.sections.blocks import Facts, Section
from aetia.report.sections.graph_answer import direction_blocks, graph_in_words, likelihood_line
from aetia.report.sections.graph_classes import classes, experiments
from aetia.report.sections.graph_effects import all_pairs, effects
from aetia.report.sections.graph_pairs import comparison, convergence, drawing, matrix, pairs
from aetia.report.sections.shared import knowledge
from aetia.report.sections.texts import labels
from aetia.results import EffectPosterior, GraphPosterior, RunFacts
from aetia.results.affordable_effects import affordable_total_effects
from aetia.results.trust import reasons_for_doubt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GRAPH", "GraphAnswers", "collect_graph"]

_TOTAL_EFFECTS = "total_effects.csv"


@dataclass(frozen=True, eq=False)
class GraphAnswers:
    """What a method says about the graph behind a table.

    Attributes:
        posterior: The graphs.
        effects: Effects that were asked for.
        total_effects: Effects of all pairs, as :meth:`GraphPosterior.total_effects` has them; None
            where they were not computed.
        truth: The known graph, in the order of the columns, to compare with.
        method_reason: Why this method was chosen, if the user left that open.
    """

    posterior: GraphPosterior
    effects: Sequence[EffectPosterior] = ()
    total_effects: pd.DataFrame | None = None
    truth: Bool[np.ndarray, "d d"] | None = None
    method_reason: str = ""


def collect_graph(
    posterior: GraphPosterior,
    *,
    effects: Sequence[EffectPosterior] = (),
    truth: Bool[np.ndarray, "d d"] | None = None,
    method_reason: str = "",
) -> GraphAnswers:
    """Collect what the report of a graph shows, with total effects where they take about 2 s.

    Args:
        posterior: The graphs.
        effects: Effects that were asked for.
        truth: The known graph, in the order of the columns, to compare with.
        method_reason: Why this method was chosen, if the user left that open.

    Returns:
        The answers.
    """
    pairs = affordable_total_effects(posterior)
    return GraphAnswers(posterior, tuple(effects), pairs, truth, method_reason)


def _facts(answers: GraphAnswers) -> RunFacts:
    return answers.posterior.facts


def _kept(answers: GraphAnswers) -> dict[str, Any]:
    return {
        "effects": [f"effect-{k}" for k in range(len(answers.effects))],
        "total_effects": answers.total_effects is not None,
        "truth": None if answers.truth is None else np.asarray(answers.truth).astype(int),
        "method_reason": answers.method_reason,
    }


def _write(answers: GraphAnswers, folder: Path) -> dict[str, Path]:
    posterior = answers.posterior
    posterior.save(folder / "posterior")
    edges = posterior.edge_table().to_csv(index=False)
    files = {
        "posterior": folder / "posterior",
        "edges": write_atomically(folder / "edges.csv", edges),
        "graph_gml": write_atomically(folder / "graph.gml", posterior.to_gml()),
        "graph_dot": write_atomically(folder / "graph.dot", posterior.to_dot()),
    }
    if answers.total_effects is not None:
        text = answers.total_effects.to_csv(index=False)
        files["total_effects"] = write_atomically(folder / _TOTAL_EFFECTS, text)
    for k, effect in enumerate(answers.effects):
        files[f"effect_{k}"] = folder / f"effect-{k}"
        effect.save(files[f"effect_{k}"])
    return files


def _read(folder: Path, summary: Mapping[str, Any]) -> GraphAnswers:
    import pandas as pd

    posterior = GraphPosterior.load(folder / "posterior")
    # Folders written by earlier versions do not say whether they have total effects.
    pairs = pd.read_csv(folder / _TOTAL_EFFECTS) if summary.get("total_effects") else None
    known = summary.get("truth")
    reason = summary.get("method_reason") or posterior.diagnostics.get("method_reason") or ""
    return GraphAnswers(
        posterior,
        [EffectPosterior.load(folder / name) for name in summary["effects"]],
        pairs,
        None if known is None else np.array(known, dtype=bool),
        str(reason),
    )


def _plain(answers: GraphAnswers) -> dict[str, Any]:
    return {
        "edges": answers.posterior.edge_table().to_dict("records"),
        "effects": [row for effect in answers.effects for row in _effect_rows(effect)],
        "diagnostics": dict(answers.posterior.diagnostics),
    }


def _effect_rows(effect: EffectPosterior) -> list[dict[str, Any]]:
    """List the quantities of an effect: one, or one for each dose and level of the outcome."""
    named = {"treatment": effect.treatment, "outcome": effect.outcome, "control": effect.control}
    if effect.doses is None:
        named["treated"] = effect.treated
    return [named | row for row in effect.frame().to_dict("records")]


_HIDDEN = {"calibration_badge", "likelihood_reason", "method_reason"}


def _page(answers: GraphAnswers, context: RunContext) -> list[Section]:
    posterior, pair_effects = answers.posterior, answers.total_effects
    takes_longer = pair_effects is None and posterior.model is not None
    return [
        Section("answer", "", direction_blocks(posterior)),
        drawing(posterior),
        pairs(posterior),
        classes(posterior),
        *experiments(posterior),
        *effects(answers.effects, takes_longer=takes_longer),
        *all_pairs(pair_effects, len(posterior.names)),
        *comparison(posterior, answers.truth),
        matrix(posterior),
        *convergence(posterior),
        Section("run", "", [Facts(_diagnostics(answers)), *knowledge(posterior.knowledge)]),
    ]


def _diagnostics(answers: GraphAnswers) -> list[tuple[str, str]]:
    """List what is peculiar to the method, in words."""
    found, words = answers.posterior.diagnostics, labels("graph.quantities")
    reason = answers.method_reason
    rows = [("Why this method", reason)] if reason else []
    for key, value in found.items():
        if key not in _HIDDEN and not isinstance(value, (dict, list, tuple)):
            text = likelihood_line(found) if key == "likelihood" else show(value)
            rows.append((words.get(key, key), text))
    return rows


GRAPH = RunKind[GraphAnswers](
    name="graph",
    facts=_facts,
    kept=_kept,
    write=_write,
    read=_read,
    words=lambda answers: graph_in_words(answers.posterior),
    plain=_plain,
    page=_page,
    alert=lambda answers: "; ".join(reasons_for_doubt(answers.posterior)),
    footer="The posterior is conditional on the model: no hidden common causes, no cycles, no "
    "selection.",
)

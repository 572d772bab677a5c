"""An experiment over families of tasks: results of all of them, files, page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aetia.files import read_json, write_json
from aetia.plots import plot_families, plot_reliability, plot_shift
from aetia.plots.axes import BLUE, new_axes
from aetia.report.context import RunContext
from aetia.report.kinds.run_kind import RunKind
from aetia.report.sections.blocks import Block, Grid, Section, Table, Words, picture
from aetia.report.sections.texts import labels, note, text
from aetia.results import RunFacts

__all__ = ["EXPERIMENT", "ExperimentAnswers"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ExperimentAnswers:
    """What an experiment found on every family of tasks.

    Attributes:
        results: What ``metrics.json`` holds.
        facts: What is known about the run; ``config`` is the resolved configuration.
    """

    results: Mapping[str, Any]
    facts: RunFacts = field(default_factory=RunFacts)


def _words(answers: ExperimentAnswers) -> list[str]:
    """Say how well edges are ranked on every family."""
    words = []
    for family, values in answers.results["families"].items():
        shown = ", ".join(
            f"{metric} {values[metric]:.3f}"
            for metric in ("auroc", "average_precision", "expected_f1", "ece")
            if values.get(metric) is not None
        )
        words.append(f"{answers.results['name']} on {family} ({values['n_tasks']} tasks): {shown}")
    return words


def _write(answers: ExperimentAnswers, folder: Path) -> dict[str, Path]:
    return {"metrics": write_json(folder / "metrics.json", answers.results)}


def _read(folder: Path, summary: Mapping[str, Any]) -> ExperimentAnswers:
    return ExperimentAnswers(
        results=read_json(folder / "metrics.json"), facts=RunFacts.from_dict(summary["facts"])
    )


def _page(answers: ExperimentAnswers, context: RunContext) -> list[Section]:
    results = answers.results
    groups = {name: _group(answers.facts.config, name) for name in results["families"]}
    return [
        Section("answer", "", [Words(line, "basis") for line in _lead(results)]),
        _overview(results["families"], groups),
        _families(results, groups),
        _reliability(results["reliability"]),
        *_shifts(results, groups),
        *_selective(results),
        *_cards(results.get("cards", {})),
    ]


def _group(config: Mapping[str, Any], name: str) -> str:
    listed = (config.get("data") or {}).get("test_families") or {}
    return "id" if name not in listed else str(listed[name].get("group", "ood"))


def _lead(results: Mapping[str, Any]) -> list[str]:
    """Name the model and its weights, the colours, and tasks that failed."""
    weights = results.get("weights") or {}
    words = f"Model {results['model']}"
    if weights:
        words += f", weights {weights['key']}"
        words += "" if weights.get("best_step") is None else f" of step {weights['best_step']}"
    lead = [f"{words}. {text('experiment.colours')}"]
    failed = sum(int(f.get("failed", 0) * f["n_tasks"]) for f in results["families"].values())
    if failed:
        lead.append(f"{failed} task(s) failed and are not in the means.")
    return lead


def _overview(families: Mapping[str, Any], groups: Mapping[str, str]) -> Section:
    values = [(v.get("auroc"), v.get("auroc_se")) for v in families.values()]
    ax, _ = plot_families(
        list(families),
        np.array([np.nan if mean is None else mean for mean, _ in values], dtype=float),
        np.array([np.nan if error is None else error for _, error in values], dtype=float),
        metric="AUROC",
        is_shifted=[groups[name] != "id" for name in families],
        chance=0.5,
    )
    figure = picture(ax, "AUROC of every family")
    return Section("overview", "How well are edges ranked?", [figure])


def _families(results: Mapping[str, Any], groups: Mapping[str, str]) -> Section:
    rows = [_row(name, values, groups[name]) for name, values in results["families"].items()]
    rows += [_row(f"all of {name}", values, "") for name, values in results["groups"].items()]
    return Section("families", "Families", [Table(rows), note("experiment.families")])


def _row(name: str, values: Mapping[str, Any], group: str) -> dict[str, str]:
    scores = {
        words: _number(values.get(k), values.get(f"{k}_se"))
        for k, words in labels("experiment.metrics").items()
    }
    return {"family": name, "group": group, "tasks": str(values["n_tasks"])} | scores


def _number(value: Any, error: Any) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.3g}"
    return text if error is None or not math.isfinite(error) else f"{text} ± {error:.2g}"


def _reliability(curves: Mapping[str, Any]) -> Section:
    cells: list[list[Block]] = []
    for name, curve in curves.items():
        if curve["stated"]:
            ax, _ = plot_reliability(
                np.array(curve["stated"], dtype=float),
                np.array(curve["observed"], dtype=float),
                np.array(curve["n_events"], dtype=int),
            )
            alt = f"Reliability of the edge probabilities on {name}"
            cells.append([Words(name), picture(ax, alt)])
    heading = "Are the probabilities calibrated?"
    return Section("reliability", heading, [Grid(cells), note("experiment.reliability")])


def _shifts(results: Mapping[str, Any], groups: Mapping[str, str]) -> list[Section]:
    """Draw what is lost on shifted families against their distance, where there are any."""
    known = {k: v["auroc"] for k, v in results["families"].items() if v.get("auroc") is not None}
    inside = [value for name, value in known.items() if groups[name] == "id"]
    shifted = [name for name in known if groups[name] != "id"]
    if not inside or not shifted:
        return []
    cells: list[list[Block]] = []
    for name, label in labels("experiment.distances").items():
        ax, _ = plot_shift(
            np.array([results["distance"][k][name] for k in shifted], dtype=float),
            np.array([known[k] - np.mean(inside) for k in shifted], dtype=float),
            shifted,
            distance_label=label,
            metric="AUROC",
        )
        alt = "Change of AUROC against the distance of the family"
        cells.append([picture(ax, alt)])
    return [Section("shift", "How does it degrade away from the training family?", [Grid(cells)])]


def _selective(results: Mapping[str, Any]) -> list[Section]:
    curve = results["selective"]
    if len(curve["coverage"]) < 2:
        return []
    ax = new_axes(None, (5.4, 3.4))
    ax.plot(curve["coverage"], curve["edge_nll_per_pair"], color=BLUE)
    ax.set_xlabel("share of tasks kept, the most certain first")
    ax.set_ylabel("edge NLL per pair")
    figure = picture(ax, "Loss of the most certain tasks")
    small = note("experiment.selective", auroc=_number(results["detection"]["auroc"], None))
    return [Section("selective", "Does it know where it is wrong?", [figure, small])]


def _cards(cards: Mapping[str, Mapping[str, float]]) -> list[Section]:
    columns = labels("experiment.card")
    rows = [
        {"family": name, **{words: _number(card[k], None) for k, words in columns.items()}}
        for name, card in cards.items()
    ]
    blocks = [Table(rows), note("experiment.cards")]
    return [Section("tasks", "The simulated tasks", blocks)] if rows else []


EXPERIMENT = RunKind[ExperimentAnswers](
    name="experiment",
    facts=lambda answers: answers.facts,
    kept=lambda answers: {},
    write=_write,
    read=_read,
    words=_words,
    plain=lambda answers: answers.results,
    page=_page,
    is_in_place=True,
)

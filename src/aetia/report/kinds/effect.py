"""Effects of a treatment: answers collected from an estimator, files, answer in words, page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aetia.effects.answers import EffectAnswers
from aetia.files import plain_json, write_atomically, write_json
from aetia.plots import (
    plot_arms,
    plot_dose_response,
    plot_overlap,
    plot_prediction_ranks,
    plot_unit_effects,
)
from aetia.plots.axes import new_axes
from aetia.report.context import RunContext
from aetia.report.kinds.run_kind import RunKind, read_facts
from aetia.report.numbers import show
from aetia.report.sections.blocks import (
    Block,
    Bullets,
    Details,
    Facts,
    Grid,
    Heading,
    Section,
    Table,
    Words,
    picture,
)
from aetia.report.sections.shared import training
from aetia.report.sections.texts import cells, labelled, labels, note, text
from aetia.results import EffectPosterior, Overlap

__all__ = ["EFFECT", "effect_in_words"]

_MOST_ROWS = 8
_SIZE = (5.4, 3.4)
"""Of figures, in inches: small enough for the text to be read on a phone."""
_POSTERIORS = {"units": "unit-effects", "average": "ate", "response": "dose-response"}
_KEPT = ("treated", "control", "level", "scores", "curves", "associations", "training", "notes")


def _kept(answers: EffectAnswers) -> dict[str, Any]:
    return {"arms": answers.overlap.arms, **{name: getattr(answers, name) for name in _KEPT}}


def _write(answers: EffectAnswers, folder: Path) -> dict[str, Path]:
    files = {f"{name}_posterior": folder / path for name, path in _POSTERIORS.items()}
    for name, path in _POSTERIORS.items():
        getattr(answers, name).save(folder / path)
    effects = answers.units.frame(answers.level).drop(columns="quantity")
    effects.insert(0, "row", answers.rows)
    if answers.ranks is not None:
        effects["outcome_rank"] = answers.ranks
    overlap = answers.overlap.frame()
    overlap.insert(0, "row", answers.rows)
    response = answers.response.frame(answers.level)
    if answers.overlap.arms is not None:
        response = response.drop(columns="dose")
        response.insert(0, "arm", answers.overlap.arms)
    tables = {"effects": effects, "overlap": overlap, "dose_response": response}
    for name, table in tables.items():
        files[name] = write_atomically(folder / f"{name}.csv", table.to_csv(index=False))
    files["ate"] = write_json(folder / "ate.json", _average(answers))
    return files


def _average(answers: EffectAnswers) -> dict[str, Any]:
    """Put the average effect into plain values, those of ``ate.json``."""
    average = answers.average
    low, high = average.interval(answers.level)[0]
    return plain_json(
        {
            "treatment": average.treatment,
            "outcome": average.outcome,
            "treated": answers.treated,
            "control": answers.control,
            "mean": float(average.mean[0]),
            "sd": float(average.sd[0]),
            "level": answers.level,
            "lower": float(low),
            "upper": float(high),
            "probability_above_zero": answers.probability_above(),
            "units": answers.gains(),
            "words": effect_in_words(answers),
        }
    )


def _read(folder: Path, summary: Mapping[str, Any]) -> EffectAnswers:
    import pandas as pd

    posteriors = {k: EffectPosterior.load(folder / path) for k, path in _POSTERIORS.items()}
    effects = _numbers(pd.read_csv(folder / "effects.csv", dtype=str))
    units = _numbers(pd.read_csv(folder / "overlap.csv", dtype=str))
    arms = summary["arms"]
    kept: dict[str, Any] = {name: summary[name] for name in _KEPT}
    kept["associations"] = [(str(k), float(v)) for k, v in summary["associations"]]
    return EffectAnswers(
        **posteriors,
        overlap=Overlap(
            expected=units["expected"],
            received=units["received"],
            weights=units["weight"],
            comparable=units["comparable"],
            name=posteriors["units"].treatment,
            arms=None if arms is None else (str(arms[0]), str(arms[1])),
        ),
        rows=effects["row"].astype(int),
        ranks=effects.get("outcome_rank"),
        facts=read_facts(summary, posteriors["units"].facts),
        **kept,
    )


def _numbers(table: Any) -> dict[str, np.ndarray]:
    """Read columns of text as numbers, to the last digit."""
    return {
        str(name): np.array([float(cell) for cell in table[name]], dtype=np.float64)
        for name in table.columns
    }


def _plain(answers: EffectAnswers) -> dict[str, Any]:
    overlap = answers.overlap
    return {
        "ate": _average(answers),
        "overlap": {
            "effective_share": overlap.effective_share,
            "comparable_share": overlap.comparable_share,
            "separation": overlap.separation,
            "is_poor": overlap.is_poor,
        },
        "scores": dict(answers.scores),
        "coverage": {f"{k:g}": v for k, v in answers.coverage().items()},
        "diagnostics": dict(answers.training),
    }


def effect_in_words(answers: EffectAnswers) -> list[str]:
    """Say what was found.

    Args:
        answers: What the study says.

    Returns:
        Sentences: the average effect, who gains, the response.
    """
    average, level = answers.average, f"{100 * answers.level:g} %"
    mean = float(average.mean[0])
    low, high = average.interval(answers.level)[0]
    above = answers.probability_above()
    sure = low > 0 or high < 0
    change = f"{'raises' if mean > 0 else 'lowers'} {average.outcome} by {show(abs(mean))}"
    if not sure:
        change = f"changes {average.outcome} by {show(mean)}"
    side, share = ("above", above) if mean > 0 else ("below", 1 - above)
    probability = "more than 99 %" if share > 0.99 else f"{100 * share:.0f} %"
    ends = f"{show(float(low))} to {show(float(high))}"
    sentences = [
        f"Setting {average.treatment} to {answers.treated} instead of {answers.control} {change} "
        f"on average ({level} credible interval of the change: {ends}). The average effect is "
        f"{side} zero with probability {probability}"
        + ("." if sure else ": the data do not settle its sign.")
    ]
    gains, n = answers.gains(), len(answers.rows)
    told = [
        f"{what} for {gains[key]:,} ({100 * gains[key] / n:.0f} %)"
        for key, what in (("above", "above zero"), ("below", "below zero"))
        if gains[key]
    ]
    sentences.append(
        f"Of {n:,} units, the {level} interval of their own effect lies "
        + (" and ".join(told) if told else "clearly on one side of zero for none")
        + (f"; for the other {gains['open']:,} it holds zero." if gains["open"] and told else ".")
    )
    if answers.overlap.is_poor:
        sentences.append(text("effect.poor_overlap"))
    response = answers.response
    if answers.overlap.arms is None and response.doses is not None and len(response.doses) > 1:
        best, worst = int(response.mean.argmax()), int(response.mean.argmin())
        sentences.append(
            f"Over the doses shown, the mean {average.outcome} is highest at "
            f"{response.doses[best]:.4g} ({show(float(response.mean[best]))}) and lowest at "
            f"{response.doses[worst]:.4g} ({show(float(response.mean[worst]))})."
        )
    return sentences


def _page(answers: EffectAnswers, context: RunContext) -> list[Section]:
    words: list[Block] = [Words(text, "warn") for text in answers.notes]
    named = {"treated": answers.treated, "control": answers.control, **_roles(answers)}
    return [
        Section("answer", "", [*words, note("effect.answer", **named)]),
        _response(answers),
        _units(answers),
        _overlap(answers),
        _predictions(answers),
        _assumptions(answers),
        *training(answers.curves),
        Section("run", "", [Facts(_facts(answers))]),
    ]


def _roles(answers: EffectAnswers) -> dict[str, str]:
    return {"treatment": answers.units.treatment, "outcome": answers.units.outcome}


def _response(answers: EffectAnswers) -> Section:
    frame, level, arms = answers.response.frame(answers.level), answers.level, answers.overlap.arms
    roles, ax = _roles(answers), new_axes(None, _SIZE)
    if arms is None:
        plot_dose_response(frame, level=level, ax=ax, **roles)
    else:
        plot_arms(frame, arms, level=level, ax=ax, **roles)
    numbers = ["mean", "lower", "upper", "prediction_lower", "prediction_upper"]
    table = Table(
        [
            {roles["treatment"]: str(label)}
            | {k.replace("_", " "): show(float(row[k])) for k in numbers if k in row}
            for label, row in zip(
                arms or [f"{d:.4g}" for d in frame["dose"]], frame.to_dict("records"), strict=True
            )
        ]
    )
    alt = "Mean outcome under every level of the treatment; the table lists the numbers"
    heading = "Dose response" if arms is None else "Mean outcome of the two arms"
    shown = Details("Numbers", [table]) if arms is None else table
    figure = picture(ax, alt)
    return Section("response", heading, [figure, shown, note("effect.response", **roles)])


def _units(answers: EffectAnswers) -> Section:
    frame: Any = answers.units.frame(answers.level)
    ax, _ = plot_unit_effects(
        frame, outcome=answers.units.outcome, level=answers.level, ax=new_axes(None, _SIZE)
    )
    frame.insert(0, "row", answers.rows)

    def table(rows: Any) -> Table:
        return Table(cells("effect.unit_columns", rows.to_dict("records")))

    columns: list[list[Block]] = [
        [Heading("Largest effects"), table(frame.nlargest(_MOST_ROWS, "mean"))],
        [Heading("Smallest effects"), table(frame.nsmallest(_MOST_ROWS, "mean"))],
    ]
    if answers.associations:
        rows = [{"covariate": k, "rank correlation": f"{v:+.2f}"} for k, v in answers.associations]
        columns.append([Heading("What goes along with larger effects"), Table(rows)])
    alt = "Effects of all units in rising order, with intervals"
    small = note("effect.units", level=f"{100 * answers.level:g} %", n=len(frame))
    figure = picture(ax, alt)
    return Section("units", "Who gains?", [figure, Grid(columns), small])


def _overlap(answers: EffectAnswers) -> Section:
    found = answers.overlap
    ax, _ = plot_overlap(
        found.expected, found.received, arms=found.arms, name=found.name, ax=new_axes(None, _SIZE)
    )
    verdict = found.verdict()
    alt = "Who could have received what, given the covariates"
    blocks = [Words(verdict[0].upper() + verdict[1:]), picture(ax, alt)]
    return Section("overlap", "Are there comparable units?", blocks)


def _predictions(answers: EffectAnswers) -> Section:
    """Show how well outcomes are predicted, and whether stated intervals come true."""
    scores = [
        {"quantity": words.format(**_roles(answers)), "value": show(answers.scores[name])}
        for name, words in labels("effect.scores").items()
        if name in answers.scores
    ]
    columns: list[list[Block]] = [[Table(scores)] if scores else []]
    small = text("effect.one_fold" if answers.training.get("n_folds") == 1 else "effect.unseen")
    if answers.ranks is not None:
        inside = [
            {"interval": f"{100 * k:g} %", "outcomes inside": f"{v:.1%}"}
            for k, v in answers.coverage().items()
        ]
        image = plot_prediction_ranks(answers.ranks)[0].figure
        alt = "Histogram of the ranks of outcomes in their predicted distributions; flat is "
        columns[0].append(Table(inside))
        columns.append([picture(image, alt + "calibrated")])
        small += " " + text("effect.ranks")
    heading = "Do predictions of unseen units hold?"
    return Section("calibration", heading, [Grid(columns), Words(small, "note")])


def _assumptions(answers: EffectAnswers) -> Section:
    named = {
        "No unmeasured confounding.": "effect.no_confounding",
        "Overlap.": "effect.overlap",
        "No interference.": "effect.no_interference",
        "One version of the treatment.": "effect.one_version",
    }
    items = [(name, text(key, **_roles(answers))) for name, key in named.items()]
    return Section("assumptions", "What must be true", [Bullets(items)])


def _facts(answers: EffectAnswers) -> list[tuple[str, str]]:
    known = {**answers.training, "n_draws": len(answers.average.draws)}
    dims = known.get("latent_dims")
    known["latent_dims"] = ", ".join(map(str, dims)) if dims else None
    return labelled("effect.quantities", known)


EFFECT = RunKind[EffectAnswers](
    name="effect",
    facts=lambda answers: answers.facts,
    kept=_kept,
    write=_write,
    read=_read,
    words=effect_in_words,
    plain=_plain,
    page=_page,
    footer="The answer is conditional on the assumptions: no unmeasured confounding, overlap, no "
    "interference.",
)

"""The one-file HTML report of estimated effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aetia.plots import (
    plot_arms,
    plot_dose_response,
    plot_learning_curve,
    plot_overlap,
    plot_prediction_ranks,
    plot_unit_effects,
)
from aetia.plots.axes import new_axes
from aetia.report.before.effect_answers import EffectAnswers
from aetia.report.before.effect_checks import check_effects
from aetia.report.before.figures import svg_data_uri
from aetia.report.before.page import as_yaml, column_rows, render_page, show

__all__ = ["effect_in_words", "render_effect_report"]

_MOST_ROWS = 8
_SIZE = (5.4, 3.4)
"""Of figures, in inches: small enough for the text to be read on a phone."""


def render_effect_report(
    answers: EffectAnswers,
    *,
    title: str,
    data_summary: Mapping[str, Sequence[Any]] | None = None,
    source: str = "",
    left_out: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> str:
    """Render the report as one HTML page without external files or scripts.

    Args:
        answers: What the study says.
        title: Heading.
        data_summary: Columns of the table: lists by field.
        source: Where the table came from.
        left_out: Columns that were not used.
        warnings: Messages shown to the user during the run.

    Returns:
        HTML.
    """
    units, level = answers.units, answers.level
    frame = units.frame(level)
    unit_ax, _ = plot_unit_effects(
        frame, outcome=units.outcome, level=level, ax=new_axes(None, _SIZE)
    )
    overlap = answers.overlap
    overlap_ax, _ = plot_overlap(
        overlap.expected,
        overlap.received,
        arms=overlap.arms,
        name=overlap.name,
        ax=new_axes(None, _SIZE),
    )
    frame.insert(0, "row", answers.rows)
    verdict = overlap.verdict()
    return render_page(
        "effect.html.j2",
        title=title,
        method=answers.facts.get("method", "unknown method"),
        source=source,
        words=effect_in_words(answers),
        notes=list(answers.notes),
        treatment=units.treatment,
        outcome=units.outcome,
        treated=answers.treated,
        control=answers.control,
        percent=f"{100 * level:g} %",
        response=_response_image(answers),
        response_rows=_response_rows(answers),
        is_arms=overlap.arms is not None,
        units_image=svg_data_uri(unit_ax.figure),
        largest=_unit_rows(frame.nlargest(_MOST_ROWS, "mean")),
        smallest=_unit_rows(frame.nsmallest(_MOST_ROWS, "mean")),
        n_units=len(frame),
        associations=[
            {"covariate": name, "rank correlation": f"{value:+.2f}"}
            for name, value in answers.associations
        ],
        overlap=svg_data_uri(overlap_ax.figure),
        overlap_verdict=verdict[0].upper() + verdict[1:],
        scores=_scores(answers),
        coverage=[
            {"interval": f"{100 * k:g} %", "outcomes inside": f"{v:.1%}"}
            for k, v in answers.coverage().items()
        ],
        ranks=None
        if answers.ranks is None
        else svg_data_uri(plot_prediction_ranks(answers.ranks)[0].figure),
        one_fold=answers.facts.get("n_folds") == 1,
        trace=svg_data_uri(plot_learning_curve(answers.curves)[0]) if answers.curves else None,
        checks=check_effects(answers),
        warnings=[w for w in warnings if w != verdict],  # the checks say it
        columns=column_rows(data_summary),
        left_out=list(left_out),
        facts=_facts(answers),
        config=as_yaml(units.diagnostics.get("options", {})),
    )


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
        sentences.append(
            "Be careful: there are few comparable units, so much of this is extrapolation (see "
            "“Are there comparable units?”)."
        )
    response = answers.response
    if answers.overlap.arms is None and response.doses is not None and len(response.doses) > 1:
        best, worst = int(response.mean.argmax()), int(response.mean.argmin())
        sentences.append(
            f"Over the doses shown, the mean {average.outcome} is highest at "
            f"{response.doses[best]:.4g} ({show(float(response.mean[best]))}) and lowest at "
            f"{response.doses[worst]:.4g} ({show(float(response.mean[worst]))})."
        )
    return sentences


def _response_image(answers: EffectAnswers) -> str:
    frame, level, arms = answers.response.frame(answers.level), answers.level, answers.overlap.arms
    treatment, outcome, ax = answers.units.treatment, answers.units.outcome, new_axes(None, _SIZE)
    if arms is None:
        plot_dose_response(frame, treatment=treatment, outcome=outcome, level=level, ax=ax)
    else:
        plot_arms(frame, arms, treatment=treatment, outcome=outcome, level=level, ax=ax)
    return svg_data_uri(ax.figure)


def _response_rows(answers: EffectAnswers) -> list[dict[str, str]]:
    frame = answers.response.frame(answers.level)
    labels = answers.overlap.arms or [f"{d:.4g}" for d in frame["dose"]]
    numbers = ["mean", "lower", "upper", "prediction_lower", "prediction_upper"]
    return [
        {answers.units.treatment: str(label)}
        | {k.replace("_", " "): show(float(row[k])) for k in numbers if k in row}
        for label, row in zip(labels, frame.to_dict("records"), strict=True)
    ]


def _unit_rows(frame: Any) -> list[dict[str, str]]:
    return [
        {"row": str(int(row["row"]))}
        | {"effect": show(float(row["mean"]))}
        | {k: show(float(row[k])) for k in ("lower", "upper")}
        for row in frame.to_dict("records")
    ]


def _scores(answers: EffectAnswers) -> list[dict[str, str]]:
    meaning = {
        "r2_y": f"share of the variance of {answers.units.outcome} that is predicted (R²)",
        "r2_x": f"share of the variance of {answers.units.treatment} that covariates predict",
        "mse_y": f"mean squared error of {answers.units.outcome}",
        "mse_x": f"mean squared error of {answers.units.treatment}",
        "mse_v": "mean squared error of reconstructed covariates, standardised",
    }
    return [
        {"quantity": text, "value": show(answers.scores[key])}
        for key, text in meaning.items()
        if key in answers.scores
    ]


def _facts(answers: EffectAnswers) -> list[tuple[str, str]]:
    facts = answers.facts
    labels = {
        "method": "Method",
        "n_units": "Units",
        "n_folds": "Folds",
        "n_networks": "Networks",
        "latent_dims": "Latents: confounders, outcome, treatment, rest",
        "last_step": "Training steps",
        "seconds": "Time of the fit (seconds)",
        "seed": "Seed",
        "version": "Version of aetia",
    }
    shown = [(text, facts[key]) for key, text in labels.items() if facts.get(key) is not None]
    shown.append(("Draws", len(answers.average.draws)))
    return [(k, ", ".join(map(str, v)) if isinstance(v, list) else show(v)) for k, v in shown]

"""The verb ``effect``."""

from __future__ import annotations

import json
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import typer

from aetia.cli.messages import echo_warnings
from aetia.cli.methods import effect_methods, find_method
from aetia.cli.options_file import read_options
from aetia.cli.tables import check_column, split_names, table_frame
from aetia.data import Dataset, as_dataset, text_columns
from aetia.effects.causalbgm import joint_steps
from aetia.effects.causalbgm.study_table import read_study
from aetia.errors import DataWarning, InputError
from aetia.files import plain_json
from aetia.report import (
    EffectAnswers,
    average_facts,
    check_writable,
    choose_contrast,
    collect_effects,
    effect_in_words,
    write_effect_run,
)

__all__ = ["EffectRequest", "run_effect"]


@dataclass(frozen=True, kw_only=True)
class EffectRequest:
    """What the user asked ``effect`` for; the command line's words."""

    table: str
    treatment: str
    outcome: str
    covariates: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    auxiliary: str | None = None
    method: str = "causalbgm"
    treated: str | None = None
    control: str | None = None
    doses: str | None = None
    level: float = 0.9
    drop_missing: bool = False
    config: Path | None = None
    settings: tuple[str, ...] = ()
    seed: int | None = None
    out: Path = Path("run")
    as_json: bool = False
    dry_run: bool = False
    progress: bool | None = None
    force: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class _Study:
    """The table, its columns by role, and the rows that are used."""

    data: Dataset
    covariates: tuple[str, ...]
    left_out: tuple[str, ...]
    auxiliary: Any
    rows: np.ndarray
    n_given: int


def run_effect(request: EffectRequest) -> None:
    """Estimate effects of a treatment from a table and write the run folder.

    Args:
        request: What the user asked for.

    Raises:
        InputError: If the request cannot be answered.
    """
    methods = effect_methods()
    options = read_options(request.method, request.config, request.settings, methods)
    cls, config = find_method(request.method, methods)
    checked = config(**options)
    options = {name: getattr(checked, name) for name in options}
    if not 0.0 < request.level < 1.0:
        raise InputError(f"--level must lie strictly between 0 and 1, got {request.level!r}.")
    treated, control = _level(request.treated), _level(request.control)
    doses = None if request.doses is None else _doses(request.doses)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        study = _read(request, options)
        kind = options.get("treatment_kind", "auto")
        known = read_study(request.treatment, request.outcome, study.data, kind=kind)
        arms = tuple(str(arm) for arm in known.arms) or None
        high, low, _ = choose_contrast(
            known.treatment_name, arms, known.treatment, treated, control, doses=doses
        )
        known.scaled_treatment([high])
        known.scaled_treatment([low])
        estimator = cls(**options, random_state=request.seed, progress=request.progress)
        extra = {} if study.auxiliary is None else {"auxiliary": study.auxiliary}
        if request.dry_run:
            _dry_run(request, estimator, study, extra)
            echo_warnings(caught)
            return
        check_writable(request.out, force=request.force)
        estimator.fit(request.treatment, request.outcome, study.data, **extra)
        answers = collect_effects(
            estimator,
            treated=treated,
            control=control,
            doses=doses,
            level=request.level,
            covariates=study.data.select(study.covariates),
            rows=study.rows,
        )
    messages = echo_warnings(caught)
    used = answers.units.diagnostics.get("options", options)
    files = write_effect_run(
        answers,
        request.out,
        title=f"Effect of {request.treatment} on {request.outcome}",
        config={"method": request.method, **used},
        data_summary=_summary(request, study),
        source=_source(study),
        left_out=study.left_out,
        warnings=messages,
    )
    if hasattr(estimator, "save"):
        files["model"] = request.out / "model"
        estimator.save(files["model"])
    _print_result(request, answers, messages, files)


def _read(request: EffectRequest, options: dict[str, Any]) -> _Study:
    frame, source = table_frame(request.table)
    names = [str(c) for c in frame.columns]
    treatment = check_column("--treatment", request.treatment, names)
    outcome = check_column("--outcome", request.outcome, names)
    if treatment == outcome:
        raise InputError(f"--treatment and --outcome are the same column, {treatment!r}.")
    excluded = split_names("--exclude", request.exclude, names)
    chosen = split_names("--covariates", request.covariates, names)
    for option, listed in (("--exclude", excluded), ("--covariates", chosen)):
        for role, name in (("treatment", treatment), ("outcome", outcome)):
            if name in listed:
                raise InputError(f"{option} lists {name!r}, which is the {role}.")
    both = [name for name in chosen if name in excluded]
    if both:
        raise InputError(f"{both[0]!r} is in --covariates and in --exclude.")
    others = [name for name in names if name not in (treatment, outcome)]
    covariates = chosen or [name for name in others if name not in excluded]
    if not covariates:
        raise InputError(
            "no covariates are left; without them only a randomised trial has an answer, and there "
            "the difference of the arms' means is one."
        )
    auxiliary = _auxiliary_column(request, options, names)
    kept = [treatment, outcome, *covariates]
    if auxiliary is not None and auxiliary not in kept:
        kept.append(auxiliary)
    few = frame[kept]
    data = as_dataset(few, categorical=text_columns(few), relations=False, source=source)
    _check_kinds(data, outcome, covariates)
    n_given = data.n
    data, rows = _without_missing(request, data)
    values = None if auxiliary is None else data.column(auxiliary)
    return _Study(
        data=data.select([treatment, outcome, *covariates]),
        covariates=tuple(covariates),
        left_out=tuple(name for name in others if name not in covariates),
        auxiliary=values,
        rows=rows,
        n_given=n_given,
    )


def _auxiliary_column(
    request: EffectRequest, options: dict[str, Any], names: list[str]
) -> str | None:
    if request.method != "identifiable":
        if request.auxiliary is not None:
            raise InputError(
                f"--auxiliary is for --method identifiable, and --method is {request.method!r}."
            )
        return None
    if request.auxiliary is not None:
        return check_column("--auxiliary", request.auxiliary, names)
    if options.get("auxiliary") == "random":
        return None
    raise InputError(
        "--method identifiable needs --auxiliary COLUMN: a site, batch or time segment that was "
        "observed for every unit."
    )


def _check_kinds(data: Dataset, outcome: str, covariates: list[str]) -> None:
    if outcome in data.levels:
        levels = data.levels[outcome]
        shown = ", ".join(repr(v) for v in levels[:3]) + (", ..." if len(levels) > 3 else "")
        raise InputError(
            f"the outcome {outcome!r} is text ({len(levels)} distinct values: {shown}); effects "
            "are differences of means, so it must be a number. Recode it, 0 and 1 for two values."
        )
    for name in covariates:
        n_levels = len(data.levels.get(name, ()))
        if n_levels > max(50, data.n // 5):
            warnings.warn(
                f"covariate {name!r} is text with {n_levels} distinct values in {data.n} rows: if "
                f"it names the units, leave it out with --exclude {name!r}.",
                DataWarning,
                stacklevel=3,
            )


def _without_missing(request: EffectRequest, data: Dataset) -> tuple[Dataset, np.ndarray]:
    seen = {
        name: ~np.isnan(data.column(name))
        for name in dict.fromkeys((request.treatment, request.outcome, request.auxiliary))
        if name is not None
    }
    complete = np.logical_and.reduce(list(seen.values()))
    rows, n_lost = np.flatnonzero(complete), int((~complete).sum())
    if not n_lost:
        return data, rows
    parts = [f"{name!r} in {int((~s).sum())}" for name, s in seen.items() if not s.all()]
    what = f"{n_lost} of {data.n} rows lack treatment or outcome (missing: {', '.join(parts)})"
    if not request.drop_missing:
        raise InputError(f"{what}. --drop-missing leaves these rows out.")
    warnings.warn(
        f"{what}; they were left out. If whether they are missing depends on the outcome, the "
        "answer is biased.",
        DataWarning,
        stacklevel=3,
    )
    kept = replace(data, values=data.values[complete], observed=data.observed[complete])
    return kept, rows


def _level(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _doses(text: str) -> list[float]:
    try:
        if ":" in text:
            start, stop, count = text.split(":")
            if int(count) < 2:
                raise ValueError
            doses = np.linspace(float(start), float(stop), int(count)).tolist()
        else:
            doses = [float(part) for part in text.split(",")]
    except ValueError:
        doses = []
    if not doses or not np.isfinite(doses).all():
        raise InputError(f"--doses takes numbers, 0,1,2 or start:stop:count, got {text!r}.")
    return doses


def _source(study: _Study) -> str:
    n, lost = len(study.rows), study.n_given - len(study.rows)
    dropped = f" ({lost:,} dropped)" if lost else ""
    return f"{study.data.source}, {n:,} rows{dropped}, {len(study.covariates)} covariates"


def _summary(request: EffectRequest, study: _Study) -> dict[str, list[Any]]:
    data, raw = study.data, study.data.summary()
    role = {request.treatment: "treatment", request.outcome: "outcome"}
    is_text = [kind == "categorical" for kind in data.kinds]
    kinds = [
        f"text, {len(data.levels[name])} values" if text else kind
        for name, kind, text in zip(data.names, data.kinds, is_text, strict=True)
    ]
    return {
        "column": list(data.names),
        "role": [role.get(name, "covariate") for name in data.names],
        "kind": kinds,
        "missing": (~data.observed).sum(0).tolist(),
        **{
            key: [float("nan") if t else v for v, t in zip(raw[key], is_text, strict=True)]
            for key in ("mean", "sd", "min", "max")
        },
    }


def _dry_run(request: EffectRequest, estimator: Any, study: _Study, extra: dict[str, Any]) -> None:
    """Check everything; time a few steps to estimate the whole."""
    estimate = None
    if request.method == "causalbgm" and not estimator.n_epochs:
        times = []
        for few in (4, 24):
            short = type(estimator)(**estimator.get_params() | {"n_egm_steps": few})
            short.set_params(progress=False)
            started = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what so few steps find says nothing
                short.fit(request.treatment, request.outcome, study.data, **extra)
            times.append(time.perf_counter() - started)
        steps = joint_steps(estimator.n_egm_steps, len(study.rows))
        estimate = times[0] + max(times[1] - times[0], 0.0) / 20 * steps
    facts = {
        "method": request.method,
        "rows": len(study.rows),
        "treatment": request.treatment,
        "outcome": request.outcome,
        "covariates": list(study.covariates),
        "left_out": list(study.left_out),
        "estimated_seconds": estimate,
        "out": str(request.out),
    }
    if request.as_json:
        typer.echo(json.dumps(plain_json(facts)))
        return
    about = "time unknown" if estimate is None else f"about {estimate:.0f} s"
    typer.echo(
        f"would run {request.method} on {len(study.rows):,} rows and {len(study.covariates)} "
        f"covariates into {request.out}/: {about}. Nothing was written."
    )


def _print_result(
    request: EffectRequest, answers: EffectAnswers, messages: list[str], files: dict[str, Path]
) -> None:
    if request.as_json:
        facts = {
            "ate": average_facts(answers),
            "overlap": {
                "effective_share": answers.overlap.effective_share,
                "comparable_share": answers.overlap.comparable_share,
                "separation": answers.overlap.separation,
                "is_poor": answers.overlap.is_poor,
            },
            "scores": dict(answers.scores),
            "coverage": {f"{k:g}": v for k, v in answers.coverage().items()},
            "diagnostics": dict(answers.facts),
            "warnings": messages,
            "files": {k: str(v) for k, v in files.items()},
        }
        typer.echo(json.dumps(plain_json(facts)))
        return
    for sentence in effect_in_words(answers):
        typer.echo(sentence)
    typer.echo(f"report: {files['report']}")
    sys.stdout.flush()

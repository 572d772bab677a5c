"""What ``effect`` does: the study behind a table, the levels that are compared, the estimate."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from aetia.cli.estimates import by_steps
from aetia.cli.method_options import Method, read_method
from aetia.cli.request import Request
from aetia.cli.runner import Job, Plan, check_level
from aetia.cli.tables import check_column, split_names, table_frame
from aetia.data import Dataset, as_dataset, text_columns
from aetia.effects import METHODS
from aetia.effects.causalbgm import joint_steps
from aetia.effects.causalbgm.study_table import StudyTable, read_study
from aetia.errors import DataWarning, InputError
from aetia.report import EffectAnswers, choose_contrast, collect_effects

__all__ = ["effect_job"]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Study:
    """The table, its columns by role, and the rows that are used."""

    data: Dataset
    covariates: tuple[str, ...]
    left_out: tuple[str, ...]
    auxiliary: Any
    rows: np.ndarray
    n_given: int


def effect_job(asked: Request) -> Job:
    """Prepare ``effect``: read options and study, and check the levels before a long fit."""
    method = read_method(asked, METHODS, "causalbgm")
    check_level(asked.level)
    levels = {"treated": _level(asked.treated), "control": _level(asked.control)}
    doses = None if asked.doses is None else _doses(asked.doses)
    study = _read(asked, method)
    kind = method.options.get("treatment_kind", "auto")
    known = read_study(asked.treatment, asked.outcome, study.data, kind=kind)
    _check_levels(known, levels, doses)
    estimator = method.make(asked)
    extra = {} if study.auxiliary is None else {"auxiliary": study.auxiliary}

    def fit(estimator: Any) -> Any:
        return estimator.fit(asked.treatment, asked.outcome, known, **extra)

    def answer() -> EffectAnswers:
        return collect_effects(
            fit(estimator),
            **levels,
            doses=doses,
            level=asked.level,
            covariates=study.data.select(study.covariates),
            rows=study.rows,
        )

    n, lost = len(study.rows), study.n_given - len(study.rows)
    dropped = f" ({lost:,} dropped)" if lost else ""
    return Job(
        kind="effect",
        method=method.name,
        options=method.options,
        plan=partial(_plan, asked, method, estimator, study, fit),
        answer=answer,
        context={
            "title": f"Effect of {asked.treatment} on {asked.outcome}",
            "source": f"{study.data.source}, {n:,} rows{dropped}, "
            f"{len(study.covariates)} covariates",
            "data_summary": _summary(asked, study.data),
            "left_out": study.left_out,
        },
        save={"model": estimator.save} if hasattr(estimator, "save") else {},
    )


def _read(asked: Request, method: Method) -> _Study:
    frame, source = table_frame(asked.table)
    names = [str(c) for c in frame.columns]
    treatment = check_column("--treatment", asked.treatment, names)
    outcome = check_column("--outcome", asked.outcome, names)
    if treatment == outcome:
        raise InputError(f"--treatment and --outcome are the same column, {treatment!r}.")
    excluded = split_names("--exclude", asked.exclude, names)
    chosen = split_names("--covariates", asked.covariates, names)
    for option, listed in (("--exclude", excluded), ("--covariates", chosen)):
        for role, name in (("treatment", treatment), ("outcome", outcome)):
            if name in listed:
                raise InputError(f"{option} lists {name!r}, which is the {role}.")
    both = [name for name in chosen if name in excluded]
    if both:
        raise InputError(f"--covariates and --exclude both name the column {both[0]!r}.")
    others = [name for name in names if name not in (treatment, outcome)]
    covariates = chosen or [name for name in others if name not in excluded]
    if not covariates:
        raise InputError(
            "no covariates are left; without them only a randomised trial has an answer, and there "
            "the difference of the arms' means is one."
        )
    auxiliary = _auxiliary_column(asked, method, names)
    kept = [treatment, outcome, *covariates]
    if auxiliary is not None and auxiliary not in kept:
        kept.append(auxiliary)
    few = frame[kept]
    data = as_dataset(few, categorical=text_columns(few), relations=False, source=source)
    _check_kinds(data, outcome, covariates)
    n_given = data.n
    data, rows = _without_missing(asked, data)
    return _Study(
        data=data.select([treatment, outcome, *covariates]),
        covariates=tuple(covariates),
        left_out=tuple(name for name in others if name not in covariates),
        auxiliary=None if auxiliary is None else data.column(auxiliary),
        rows=rows,
        n_given=n_given,
    )


def _auxiliary_column(asked: Request, method: Method, names: list[str]) -> str | None:
    if method.name != "identifiable":
        if asked.auxiliary is not None:
            raise InputError(
                f"--auxiliary is for --method identifiable, and --method is {method.name!r}."
            )
        return None
    if asked.auxiliary is not None:
        return check_column("--auxiliary", asked.auxiliary, names)
    if method.options.get("auxiliary") == "random":
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


def _without_missing(asked: Request, data: Dataset) -> tuple[Dataset, np.ndarray]:
    seen = {
        name: ~np.isnan(data.column(name))
        for name in dict.fromkeys((asked.treatment, asked.outcome, asked.auxiliary))
        if name is not None
    }
    complete = np.logical_and.reduce(list(seen.values()))
    rows, n_lost = np.flatnonzero(complete), int((~complete).sum())
    if not n_lost:
        return data, rows
    parts = [f"{name!r} in {int((~s).sum())}" for name, s in seen.items() if not s.all()]
    what = f"{n_lost} of {data.n} rows lack treatment or outcome (missing: {', '.join(parts)})"
    if not asked.drop_missing:
        raise InputError(f"{what}. --drop-missing leaves these rows out.")
    warnings.warn(
        f"{what}; they were left out. If whether they are missing depends on the outcome, the "
        "answer is biased.",
        DataWarning,
        stacklevel=3,
    )
    kept = replace(data, values=data.values[complete], observed=data.observed[complete])
    return kept, rows


def _check_levels(known: StudyTable, levels: Mapping[str, Any], doses: list[float] | None) -> None:
    """Refuse levels that do not exist, before a long fit."""
    arms = tuple(str(arm) for arm in known.arms) or None
    high, low, _ = choose_contrast(
        known.treatment_name, arms, known.treatment, **levels, doses=doses
    )
    known.scaled_treatment([high])
    known.scaled_treatment([low])


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


def _summary(asked: Request, data: Dataset) -> dict[str, list[Any]]:
    raw = data.summary()
    role = {asked.treatment: "treatment", asked.outcome: "outcome"}
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


def _plan(asked: Request, method: Method, estimator: Any, study: _Study, fit: Any) -> Plan:
    """Estimate the time of a run from short ones."""
    seconds = None
    if method.name == "causalbgm" and not estimator.n_epochs:
        options = estimator.get_params() | {"progress": False}
        short = lambda few: fit(type(estimator)(**options | {"n_egm_steps": few}))  # noqa: E731
        seconds = by_steps(short, 4, 24, joint_steps(estimator.n_egm_steps, len(study.rows)))
    return Plan(
        on=f"{len(study.rows):,} rows and {len(study.covariates)} covariates",
        seconds=seconds,
        facts={
            "rows": len(study.rows),
            "treatment": asked.treatment,
            "outcome": asked.outcome,
            "covariates": study.covariates,
            "left_out": study.left_out,
        },
    )

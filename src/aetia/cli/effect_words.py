"""What ``--effect`` says: a treatment, perhaps its levels, and one or several outcomes.

The words are ``treatment[: levels] -> outcome[, outcome ...]``. Levels are ``30 vs 25`` (one level
against another), ``20, 25, 30`` (doses, each against the first) or ``20, 30 vs 25`` (doses, each
against the one named last); labels in place of numbers for columns of categories.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.options import nearest
from aetia.results import EffectPosterior, GraphPosterior, SimulationModel

__all__ = ["EffectWords", "effects_in_words", "read_effect_words"]

_GRAMMAR = (
    "--effect takes 'treatment -> outcome' or 'treatment: levels -> outcome, outcome', where "
    "levels are '30 vs 25' or doses such as '20, 25, 30'"
)


@dataclass(frozen=True, kw_only=True)
class EffectWords:
    """An effect that was asked for.

    Attributes:
        treatment: Column that is set.
        outcomes: Columns that are read.
        levels: Levels it is set to; none leaves the choice to the table.
        control: The level that all others are compared with.
    """

    treatment: str
    outcomes: tuple[str, ...]
    levels: tuple[float | str, ...] = ()
    control: float | str | None = None


def read_effect_words(text: str, data: Dataset) -> EffectWords:
    """Read what one ``--effect`` says, and check it against the table."""
    treatment, levels, outcomes = _sides(text, data.names)
    for name in (treatment, *outcomes):
        if name not in data.names:
            raise InputError(
                f"--effect {text!r}: no column {name!r}.{nearest(name, list(data.names))} "
                f"Columns: {', '.join(data.names)}."
            )
    if treatment in outcomes:
        raise InputError(f"--effect {text!r}: treatment and outcome are both {treatment!r}.")
    if len(set(outcomes)) < len(outcomes):
        raise InputError(f"--effect {text!r} names an outcome twice.")
    words = EffectWords(treatment=treatment, outcomes=outcomes)
    return words if levels is None else _with_levels(words, levels, text, data)


def effects_in_words(
    posterior: GraphPosterior, data: Dataset, words: EffectWords
) -> list[EffectPosterior]:
    """Compute the effects that were asked for, one for each outcome."""
    outcomes = list(words.outcomes)
    if words.control is None:
        treated, control = _default_levels(posterior, data, words.treatment)
        effects = posterior.effect(words.treatment, outcomes, treated=treated, control=control)
    elif len(words.levels) == 1:
        effects = posterior.effect(
            words.treatment, outcomes, treated=words.levels[0], control=words.control
        )
    else:
        effects = posterior.effect(
            words.treatment, outcomes, doses=words.levels, control=words.control
        )
    return [effects[name] for name in outcomes]


def _sides(text: str, names: Collection[str]) -> tuple[str, str | None, tuple[str, ...]]:
    """Split at the arrow between treatment and outcomes; names may have arrows of their own."""
    arrows = list(re.finditer("->", text))
    sides = [(text[: m.start()].strip(), text[m.end() :].strip()) for m in arrows]
    readings = [
        (*_treatment_and_levels(cause, names), tuple(_split(outcomes, names)))
        for cause, outcomes in sides
        if cause and outcomes
    ]
    known = [r for r in readings if {r[0], *r[2]} <= set(names)]
    if len(known) > 1:
        both = " or ".join(f"{r[0]!r} on {', '.join(map(repr, r[2]))}" for r in known)
        raise InputError(f"--effect {text!r} could mean {both}. Rename a column.")
    if not known and (len(readings) != 1 or len(arrows) != 1):
        raise InputError(f"{_GRAMMAR}; got {text!r}.")
    return (known or readings)[0]


def _treatment_and_levels(side: str, names: Collection[str]) -> tuple[str, str | None]:
    """Split at the colon behind a column's name; names may have colons of their own."""
    if side in names or ":" not in side:
        return side, None
    ends = [m.start() for m in re.finditer(":", side)]
    end = next((e for e in reversed(ends) if side[:e].strip() in names), ends[0])
    return side[:end].strip(), side[end + 1 :].strip()


def _with_levels(words: EffectWords, text: str, whole: str, data: Dataset) -> EffectWords:
    """Read the levels: the last is the control where ``vs`` says so, otherwise the first is."""
    labels = data.levels.get(words.treatment, ())
    parts = [text] if text in labels else re.split(r"\s+vs\s+", text)
    if len(parts) > 2 or not all(p.strip() for p in parts):
        raise InputError(f"{_GRAMMAR}; got the levels {text!r} in {whole!r}.")
    levels = [_level(p, words.treatment, whole, data) for p in _split(parts[0], labels)]
    if len(parts) == 2:
        control = _level(parts[1].strip(), words.treatment, whole, data)
    else:
        control, levels = levels[0], levels[1:]
    if not levels:
        raise InputError(
            f"--effect {whole!r} names one level of {words.treatment!r}, {text!r}. Say what it is "
            f"compared with: '{words.treatment}: {text} vs ...'."
        )
    if control in levels or len(set(levels)) < len(levels):
        raise InputError(f"--effect {whole!r}: the levels of {words.treatment!r} must differ.")
    return EffectWords(
        treatment=words.treatment, outcomes=words.outcomes, levels=tuple(levels), control=control
    )


def _level(text: str, name: str, whole: str, data: Dataset) -> float | str:
    """Read a level as a label or a number of the column."""
    if name in data.levels:
        labels = list(data.levels[name])
        if text not in labels:
            raise InputError(
                f"--effect {whole!r}: {name!r} has the levels {', '.join(map(repr, labels))}, not "
                f"{text!r}.{nearest(text, labels)}"
            )
        return text
    values = data.column(name)
    values = values[~np.isnan(values)]
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise InputError(
            f"--effect {whole!r}: {name!r} is a column of numbers, seen from {values.min():g} to "
            f"{values.max():g}; {text!r} is not a number."
        )
    is_discrete = bool(data.kinds) and data.kinds[data.names.index(name)] in (
        "binary",
        "categorical",
    )
    if is_discrete and number not in values:
        raise InputError(
            f"--effect {whole!r}: {name!r} has the values "
            f"{', '.join(f'{v:g}' for v in np.unique(values))}, not {number:g}."
        )
    return number


def _split(text: str, known: Collection[str]) -> list[str]:
    """Split at commas, except inside known names."""
    ends = [m.start() for m in re.finditer(",", text)] + [len(text)]
    end = next((e for e in reversed(ends) if text[:e].strip() in known), ends[0])
    rest = text[end + 1 :]
    return [text[:end].strip(), *(_split(rest, known) if rest.strip() else [])]


def _default_levels(
    posterior: GraphPosterior, data: Dataset, name: str
) -> tuple[float | str, float | str]:
    """Choose one unit: from 0 to 1, or from the mean where 0 or 1 is never seen.

    A straight line has the same effect everywhere; other mechanisms know only the range of the
    data.
    """
    if not isinstance(posterior.model, SimulationModel):
        return 1.0, 0.0
    if name in data.levels:
        labels = data.levels[name]
        return labels[1], labels[0]
    seen = data.column(name)
    if np.nanmin(seen) <= 0.0 and np.nanmax(seen) >= 1.0:
        return 1.0, 0.0
    if data.kinds and data.kinds[data.names.index(name)] in ("binary", "categorical"):
        values = np.unique(seen[~np.isnan(seen)])
        return float(values[-1]), float(values[0])
    middle = float(f"{np.nanmean(seen):.3g}")
    return middle + 1.0, middle

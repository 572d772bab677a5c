"""Treatment, outcome and covariates, checked and on the scale that networks work with."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float

from aetia.data import Dataset, Encoding, as_dataset, text_columns
from aetia.effects.causalbgm.generative import Units
from aetia.errors import DataWarning, InputError

__all__ = ["StudyTable", "TreatmentKind", "read_study"]

TreatmentKind = Literal["auto", "binary", "continuous"]

_LARGEST = 10.0
"""Standardised covariates are clipped here: heavy tails have no variance."""

_FEWEST = 20

_HUGE = 1e100
"""Larger numbers, and differences below one over it, have no squares in double precision."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyTable:
    """A study, and the way from the user's units to the networks' and back.

    Attributes:
        treatment: Treatment of every unit, in the user's units; codes 0 and 1 of a binary one.
        outcome: Outcome of every unit, in the user's units.
        units: Treatment, outcome and covariates in the networks' units.
        encoding: How columns of the covariates become numbers.
        kept: Positions of the numbers of the encoding that vary.
        centre: Mean of each of these numbers.
        scale: Standard deviation of each of these numbers.
        treatment_scale: Centre and scale.
        outcome_scale: Centre and scale.
        arms: What stands for 0 and 1 of a binary treatment; empty for doses.
        treatment_name: Name of the treatment in the user's data.
        outcome_name: Name of the outcome in the user's data.
        unit_names: Index of the frame, or row numbers.
    """

    treatment: Float[np.ndarray, " n"]
    outcome: Float[np.ndarray, " n"]
    units: Units
    encoding: Encoding
    kept: np.ndarray
    centre: Float[np.ndarray, " p"]
    scale: Float[np.ndarray, " p"]
    treatment_scale: tuple[float, float]
    outcome_scale: tuple[float, float]
    arms: tuple[Any, ...]
    treatment_name: str
    outcome_name: str
    unit_names: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.treatment)

    @property
    def is_binary(self) -> bool:
        """Whether the treatment has two levels."""
        return bool(self.arms)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the covariates that are used."""
        labels = self.encoding.labels
        return tuple(labels[j] for j in self.kept)

    def scaled_units(
        self, covariates: Any, treatment: Any = None, outcome: Any = None
    ) -> tuple[Units, tuple[str, ...]]:
        """Scale other units as the fitted ones were.

        Args:
            covariates: The same columns as at the fit.
            treatment: If known.
            outcome: If known; only together with the treatment.

        Returns:
            The units and their names.

        Raises:
            InputError: If columns are missing, or numbers of units differ.
        """
        data = _covariate_table(covariates)
        values, observed = self.encoding.encode(data)
        standard, seen = _standardised(
            values[:, self.kept], observed[:, self.kept], self.centre, self.scale
        )
        if outcome is not None and treatment is None:
            raise InputError(
                "an outcome is informative about a unit only together with its treatment."
            )
        t = y = None
        if treatment is not None:
            t = torch.from_numpy(self.scaled_treatment(_column(treatment, "treatment", None)[0]))
        if outcome is not None:
            y = _numbers(_column(outcome, "outcome", None)[0], "outcome")
            centre, scale = self.outcome_scale
            y = torch.from_numpy(((y - centre) / scale).astype(np.float32))
        for name, column in (("treatment", t), ("outcome", y)):
            if column is not None and len(column) != data.n:
                raise InputError(f"{name} has {len(column)} units, covariates have {data.n}.")
        return Units(standard, seen, t, y), _unit_names(covariates, data.n)

    def scaled_treatment(self, levels: Any) -> Float[np.ndarray, " k"]:
        """Bring levels of the treatment to the networks' scale.

        Args:
            levels: Doses, or arms as the user writes them.

        Returns:
            Numbers.

        Raises:
            InputError: If an arm does not exist, or a dose is not a finite number.
        """
        if self.arms:
            codes = self._arm_codes(np.atleast_1d(np.asarray(levels)))
            return codes.astype(np.float32)
        doses = _numbers(np.atleast_1d(np.asarray(levels)), "doses")
        centre, scale = self.treatment_scale
        return ((doses - centre) / scale).astype(np.float32)

    def scaled_codes(self, codes: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Bring doses to the networks' scale, and leave codes of arms as they are.

        Args:
            codes: Doses in the user's units, or 0 and 1.

        Returns:
            Numbers.
        """
        if self.arms:
            return codes
        centre, scale = self.treatment_scale
        return (codes - centre) / scale

    def _arm_codes(self, levels: np.ndarray) -> np.ndarray:
        codes = np.empty(len(levels))
        for i, level in enumerate(levels):
            match = [k for k, arm in enumerate(self.arms) if arm == level or str(arm) == str(level)]
            named_otherwise = not any(
                arm in (0, 1) for arm in self.arms if not isinstance(arm, bool)
            )
            if not match and level in (0, 1) and named_otherwise:
                match = [int(level)]  # control and treated, whatever they are called
            if not match:
                shown = level.item() if isinstance(level, np.generic) else level
                raise InputError(
                    f"the treatment {self.treatment_name!r} has the arms {list(self.arms)}, not "
                    f"{shown!r}; say which one is treated and which is control."
                )
            codes[i] = match[0]
        return codes


def read_study(
    treatment: Any, outcome: Any, covariates: Any, *, kind: TreatmentKind = "auto"
) -> StudyTable:
    """Check a study and scale it.

    Covariates are standardised; treatment doses and the outcome are centred at the median and
    divided by the interquartile range over 1.349, which heavy tails cannot move.

    Args:
        treatment: A column, or the name of one in ``covariates``.
        outcome: A column, or the name of one in ``covariates``.
        covariates: A frame, array, Dataset, or path of a table; text columns become indicators,
            missing values are allowed. A study that was read before is returned as it is.
        kind: Kind of the treatment; ``"auto"`` takes two levels as binary.

    Returns:
        The study.

    Raises:
        InputError: Naming the column, what was found and what to do.
    """
    if isinstance(covariates, StudyTable):
        return covariates
    names = [a for a in (treatment, outcome) if isinstance(a, str)]
    if len(names) == 2 and names[0] == names[1]:
        raise InputError(f"treatment and outcome are the same column, {names[0]!r}.")
    whole = _covariate_table(covariates) if names else None
    if whole is not None:
        t, t_name = _named(whole, treatment) if isinstance(treatment, str) else (treatment, None)
        y, y_name = _named(whole, outcome) if isinstance(outcome, str) else (outcome, None)
        unit_names = _unit_names(covariates, whole.n)
        data = whole.select([name for name in whole.names if name not in names])
    else:
        t, y, t_name, y_name = treatment, outcome, None, None
        data = _covariate_table(covariates)
        unit_names = _unit_names(covariates, data.n)
    t, t_name = _column(t, "treatment", t_name)
    y, y_name = _column(y, "outcome", y_name)
    for name, column in ((t_name, t), (y_name, y)):
        if len(column) != data.n:
            raise InputError(f"{name!r} has {len(column)} units, the covariates have {data.n}.")
    if data.n < _FEWEST:
        raise InputError(
            f"{data.n} units are too few to learn effects from; at least {_FEWEST} are needed, and "
            "hundreds for an informative answer."
        )
    if data.n < 50:
        warnings.warn(
            f"only {data.n} units: intervals rest on approximations that need hundreds.",
            DataWarning,
            stacklevel=3,
        )
    treatment_values, arms = _treatment(t, t_name, kind)
    outcome_values = _numbers(y, y_name)
    if np.ptp(outcome_values) == 0:
        raise InputError(f"the outcome {y_name!r} is constant ({outcome_values[0]:g}).")
    _check_varies(treatment_values, t_name)
    _check_varies(outcome_values, y_name)
    encoding = Encoding.of(data)
    values, observed = encoding.encode(data)
    kept, centre, scale = _scales(values, observed, encoding.labels)
    standard, seen = _standardised(values[:, kept], observed[:, kept], centre, scale)
    t_scale = (0.0, 1.0) if arms else _robust(treatment_values)
    y_scale = _robust(outcome_values)
    units = Units(
        standard,
        seen,
        torch.from_numpy(((treatment_values - t_scale[0]) / t_scale[1]).astype(np.float32)),
        torch.from_numpy(((outcome_values - y_scale[0]) / y_scale[1]).astype(np.float32)),
    )
    return StudyTable(
        treatment=treatment_values,
        outcome=outcome_values,
        units=units,
        encoding=encoding,
        kept=kept,
        centre=centre,
        scale=scale,
        treatment_scale=t_scale,
        outcome_scale=y_scale,
        arms=arms,
        treatment_name=t_name,
        outcome_name=y_name,
        unit_names=unit_names,
    )


def _covariate_table(covariates: Any) -> Dataset:
    if getattr(covariates, "ndim", 2) == 1 and not isinstance(covariates, str):
        covariates = np.asarray(covariates)[:, None]
    return as_dataset(covariates, categorical=text_columns(covariates), relations=False)


def _named(data: Dataset, name: str) -> tuple[np.ndarray, str]:
    column = data.column(name)
    levels = data.levels.get(name)
    if levels is None:
        return column, name
    if np.isnan(column).any():
        raise InputError(f"{name!r} is missing in {int(np.isnan(column).sum())} rows; drop them.")
    return np.array(levels, dtype=object)[column.astype(int)], name


def _column(column: Any, role: str, name: str | None) -> tuple[np.ndarray, str]:
    found = name or getattr(column, "name", None)
    if hasattr(column, "columns") and len(column.columns) == 1:
        found, column = str(column.columns[0]), column[column.columns[0]]
    values = np.asarray(column)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 0:
        values = values[None]
    if values.ndim != 1:
        raise InputError(f"the {role} must be one column, got an array of shape {values.shape}.")
    return values, str(found) if found is not None else role


def _numbers(values: np.ndarray, name: str) -> Float[np.ndarray, " n"]:
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name!r} must hold numbers, found {values[:3].tolist()}...") from None
    bad = ~np.isfinite(numbers)
    if bad.any():
        raise InputError(
            f"{name!r} is missing or infinite in {int(bad.sum())} of {len(numbers)} units, the "
            f"first is unit {int(np.flatnonzero(bad)[0])}. Drop these units."
        )
    if np.abs(numbers).max(initial=0.0) > _HUGE:
        raise InputError(
            f"{name!r} holds {numbers[np.abs(numbers).argmax()]:g}; squares of such numbers "
            "overflow. Correct it, or measure in larger units."
        )
    return numbers


def _check_varies(values: Float[np.ndarray, " n"], name: str) -> None:
    if np.ptp(values) * _HUGE < 1:
        raise InputError(
            f"{name!r} varies by {np.ptp(values):g}; squares of such numbers vanish. Measure in "
            "smaller units."
        )


def _treatment(
    values: np.ndarray, name: str, kind: TreatmentKind
) -> tuple[Float[np.ndarray, " n"], tuple[Any, ...]]:
    if values.dtype == object or values.dtype.kind in "USb":
        levels = tuple(sorted({v for v in values.tolist() if v == v}, key=str))
        numeric = all(isinstance(v, (int, float)) for v in levels)
        if not numeric or values.dtype.kind == "b":
            if len(levels) != 2 or any(v != v for v in values.tolist()):
                raise InputError(
                    f"the treatment {name!r} is text with {len(levels)} level(s) {levels[:5]}; two "
                    "arms or a number are needed. Compare two levels at a time."
                )
            return (np.array([levels.index(v) for v in values.tolist()], dtype=np.float64), levels)
    numbers = _numbers(values, name)
    distinct = np.unique(numbers)
    if len(distinct) == 1:
        raise InputError(
            f"every unit has the same treatment ({name!r} = {distinct[0]:g}): there is nothing to "
            "compare with."
        )
    if kind == "binary" and len(distinct) > 2:
        raise InputError(
            f"treatment_kind='binary', but {name!r} has {len(distinct)} levels "
            f"({', '.join(f'{v:g}' for v in distinct[:5])}, ...)."
        )
    if len(distinct) == 2 and kind != "continuous":
        codes = (numbers == distinct[1]).astype(np.float64)
        smaller = int(min(codes.sum(), len(codes) - codes.sum()))
        if smaller < 10:
            warnings.warn(
                f"one arm of {name!r} has {smaller} units; they decide the answer alone.",
                DataWarning,
                stacklevel=4,
            )
        return codes, tuple(int(v) if v == int(v) else float(v) for v in distinct)
    return numbers, ()


def _robust(values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    scale = (high - low) / 1.349
    return float(middle), float(scale if scale > 1e-8 * values.std() else values.std())


def _scales(
    values: np.ndarray, observed: np.ndarray, labels: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Powers of two change no digit, and squares of what is left neither overflow nor vanish.
    power = np.exp2(np.frexp(np.abs(np.where(observed, values, 0.0)).max(0))[1] - 1)
    seen = np.where(observed, values / power, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value
        centre, scale = np.nanmean(seen, 0) * power, np.nanstd(seen, 0) * power
    varies = scale > 1e-12 * np.abs(centre)
    if not varies.all():
        constant = [label for label, v in zip(labels, varies, strict=True) if not v]
        warnings.warn(
            f"covariates {constant[:5]} do not vary and are left out.", DataWarning, stacklevel=4
        )
    kept = np.flatnonzero(varies)
    if not len(kept):
        raise InputError("no covariate varies; there is nothing to adjust for.")
    return kept, centre[kept], scale[kept]


def _standardised(
    values: np.ndarray, observed: np.ndarray, centre: np.ndarray, scale: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor | None]:
    standard = np.clip((values - centre) / scale, -_LARGEST, _LARGEST)
    # One memory layout, whatever the user's: the last bit of a sum depends on it.
    standard = np.ascontiguousarray(np.where(observed, standard, 0.0), dtype=np.float32)
    seen = None if observed.all() else torch.from_numpy(np.ascontiguousarray(observed))
    return torch.from_numpy(standard), seen


def _unit_names(covariates: Any, n: int) -> tuple[str, ...]:
    index = getattr(covariates, "index", None)
    if index is not None and not callable(index) and len(index) == n:
        return tuple(str(i) for i in index)
    return tuple(str(i) for i in range(n))

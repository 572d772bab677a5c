"""What a measurement can suffer: options of each effect, in units of the sensor's own spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aetia.errors import InputError
from aetia.options import build, check_literals, check_positive

__all__ = [
    "Corruption",
    "Failures",
    "Missing",
    "MissingKind",
    "Nonlinear",
    "Outliers",
    "build_corruption",
]

MissingKind = Literal[
    "mcar", "mar", "mnar-self", "mnar-threshold", "mnar-extreme", "mnar-structural"
]


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Cells that are lost, and are known to be."""

    kind: MissingKind = "mcar"
    """What decides which: nothing (mcar), two sensors that lose nothing (mar), the true value of
    the cell itself (mnar-self, more often the higher it is; mnar-threshold, the highest;
    mnar-extreme, the highest and lowest), or the true values of its causes (mnar-structural)."""
    rate: float = 0.2
    """Share of the cells of every sensor that loses any."""

    def __post_init__(self) -> None:
        check_literals(self)
        _check_share(self, "rate")


@dataclass(frozen=True, kw_only=True)
class Nonlinear:
    """A curved response: the sum of ``c_k z^k`` over k = 2 .. degree is added.

    ``z`` is the true value, standardised, and ``c_k`` is normal with spread ``size / k``.
    """

    degree: int = 3
    """Highest power."""
    size: float = 0.2
    """Spread of the coefficients, in standard deviations of the sensor."""

    def __post_init__(self) -> None:
        check_positive(self, "size")
        if not isinstance(self.degree, int) or self.degree < 2:
            raise InputError(f"Nonlinear: degree must be a whole number from 2, got {self.degree}.")


@dataclass(frozen=True, kw_only=True)
class Outliers:
    """Readings that are off by up to ``size`` standard deviations, up or down."""

    rate: float = 0.05
    """Share of the readings."""
    size: float = 5.0
    """Largest error, in standard deviations of the sensor."""

    def __post_init__(self) -> None:
        _check_share(self, "rate")
        check_positive(self, "size")


@dataclass(frozen=True, kw_only=True)
class Failures:
    """Spells in which a sensor fails; their lengths are geometric."""

    rate: float = 0.1
    """Share of the steps, in the long run."""
    mean_length: float = 12.0
    """Mean length of a spell, in steps."""

    def __post_init__(self) -> None:
        _check_share(self, "rate")
        check_positive(self, "mean_length")
        if self.mean_length < 1 or self.rate > self.mean_length * (1 - self.rate):
            raise InputError(
                f"Failures: a share of {self.rate} cannot be had from spells of "
                f"{self.mean_length} steps on average. Pass longer spells, at least one step."
            )


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """What happens between the true value and the reading, in this order.

    All magnitudes are in units of the standard deviation of each sensor's true values.
    """

    gain: tuple[float, float] | None = None
    """Factor of each sensor, uniform between these."""
    offset: float = 0.0
    """Offset of each sensor, uniform up to this, up or down."""
    nonlinear: Nonlinear | None = None
    """A curved response of each sensor."""
    noise: float = 0.0
    """Spread of independent normal errors."""
    heteroscedastic: bool = False
    """Whether the noise grows as 1 + |z|, z the true value, standardised."""
    outliers: Outliers | None = None
    """Single readings far off."""
    drift: float = 0.0
    """Spread of the innovations of a slow error, ``b_t = 0.95 b_(t-1) + drift e_t``, that runs
    through the whole recording."""
    stuck: Failures | None = None
    """Spells in which a sensor repeats its last reading. Nothing marks them."""
    missing: Missing | None = None
    """Cells that are lost."""
    dead: Failures | None = None
    """Spells in which a sensor gives no reading; these cells are lost."""

    def __post_init__(self) -> None:
        check_positive(self, "offset", "noise", "drift", zero=True)
        if self.gain is not None and not _is_range(self.gain):
            raise InputError(
                f"Corruption: gain takes a lowest and a highest factor above 0, got {self.gain!r}."
            )
        if self.heteroscedastic and self.noise == 0:
            raise InputError("Corruption: heteroscedastic says how noise grows, but noise is 0.")


_NESTED: dict[str, type] = {
    "nonlinear": Nonlinear,
    "outliers": Outliers,
    "stuck": Failures,
    "missing": Missing,
    "dead": Failures,
}


def build_corruption(values: Mapping[str, Any]) -> Corruption:
    """Make options from plain values, as they come from a YAML file.

    Args:
        values: Fields of ``Corruption``; nested ones as mappings.

    Returns:
        The checked options.

    Raises:
        InputError: Naming an unknown field and the nearest valid one.
    """
    fields = dict(values)
    for name, cls in _NESTED.items():
        if isinstance(fields.get(name), Mapping):
            fields[name] = build(cls, fields[name])
        elif fields.get(name) is not None and not isinstance(fields[name], cls):
            raise InputError(
                f"{name} takes options of its own, such as {name}.rate, got {fields[name]!r}."
                if name != "nonlinear"
                else f"nonlinear takes degree and size, got {fields[name]!r}."
            )
    if isinstance(fields.get("gain"), list):
        fields["gain"] = tuple(fields["gain"])
    return build(Corruption, fields)


def _is_range(gain: Any) -> bool:
    is_pair = isinstance(gain, tuple) and len(gain) == 2
    return is_pair and all(isinstance(v, (int, float)) for v in gain) and 0 < gain[0] <= gain[1]


def _check_share(options: Any, name: str) -> None:
    check_positive(options, name)
    if getattr(options, name) >= 1:
        raise InputError(
            f"{type(options).__name__}: {name} is a share below 1, got {getattr(options, name)}."
        )

"""Centring and scaling of sensors, by the readings of the training part."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from aetia.data.recordings.pieces import Pieces
from aetia.data.recordings.windows import Windows
from aetia.errors import InputError

__all__ = ["SensorScaling"]


@dataclass(frozen=True, eq=False)
class SensorScaling:
    """``scaled = (readings - centre) / scale``, sensor by sensor.

    Attributes:
        centre: Mean of each sensor, in the user's units.
        scale: Standard deviation of each sensor.
    """

    centre: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]

    @classmethod
    def fit(cls, windows: Pieces, rows: Int[np.ndarray, " k"] | None = None) -> SensorScaling:
        """Measure mean and spread of each sensor.

        Args:
            windows: All windows, or blocks of a method.
            rows: Numbers of those that may be looked at, the training part; None is all.

        Returns:
            The scaling.

        Raises:
            InputError: If a sensor has no spread there.
        """
        part = slice(None) if rows is None else rows
        values, observed = windows.values[part], windows.observed[part]
        d = len(windows.names)
        centre, scale = np.zeros(d), np.ones(d)
        for j, name in enumerate(windows.names):
            seen = values[:, :, j][observed[:, :, j]]
            spread = float(seen.std()) if len(seen) else 0.0
            if not spread > 1e-12 * float(np.abs(seen).max(initial=0.0)):
                found = f"is constant ({seen[0]:g})" if len(seen) else "has no observed cell"
                raise InputError(
                    f"sensor {name!r} {found} in the {len(values)} windows that the scaling is "
                    f"measured on. Drop it with exclude=[{name!r}], or choose windows in which it "
                    "varies."
                )
            centre[j], scale[j] = seen.mean(), spread
        return cls(centre, scale)

    def apply(self, windows: Windows) -> Windows:
        """Scale windows.

        Args:
            windows: Windows in the user's units.

        Returns:
            The same windows with mean 0 and standard deviation 1 where it was measured.
        """
        return replace(windows, values=(windows.values - self.centre) / self.scale)

    def undo(self, values: Float[np.ndarray, "*batch d"]) -> Float[np.ndarray, "*batch d"]:
        """Go back to the user's units (less a season that was subtracted before).

        Args:
            values: Scaled readings, observed or imputed.

        Returns:
            Readings.
        """
        return values * self.scale + self.centre

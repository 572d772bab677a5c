"""The posterior of a causal effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float

from aetia.errors import InputError
from aetia.results.storage import read_draws, write_draws

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["EffectPosterior"]


@dataclass(frozen=True, eq=False, kw_only=True)
class EffectPosterior:
    """Draws of a causal effect, with its names, contrast and units.

    Attributes:
        draws: One column for each quantity, in units of the outcome.
        labels: What each column is, for instance ``("ATE",)``.
        treatment: Name of the treatment.
        outcome: Name of the outcome.
        treated: Level of the treatment that is compared (a label, if arms have labels) ...
        control: ... with this level.
        kind: ``"credible"``: the draws are of a mean, not of a new observation.
        exact_mean: Means in closed form, where there is one.
        exact_sd: Standard deviations in closed form, where there is one.
        probability_of_effect: Posterior probability of a directed path to the outcome.
        prediction: Draws of single observations of the same quantities, noise included.
        doses: Level of the treatment of each column, for a dose response.
        diagnostics: Method, seed, version, and so on.
    """

    draws: Float[np.ndarray, "s k"]
    labels: tuple[str, ...]
    treatment: str
    outcome: str
    treated: float | str = 1.0
    control: float | str = 0.0
    kind: Literal["credible", "prediction"] = "credible"
    exact_mean: Float[np.ndarray, " k"] | None = None
    exact_sd: Float[np.ndarray, " k"] | None = None
    probability_of_effect: float | None = None
    prediction: Float[np.ndarray, "r k"] | None = None
    doses: Float[np.ndarray, " k"] | None = None
    diagnostics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mean(self) -> Float[np.ndarray, " k"]:
        """Posterior means, exact where the model allows."""
        return self.draws.mean(0) if self.exact_mean is None else self.exact_mean

    @property
    def sd(self) -> Float[np.ndarray, " k"]:
        """Posterior standard deviations, exact where the model allows."""
        return self.draws.std(0, ddof=1) if self.exact_sd is None else self.exact_sd

    @property
    def contrast(self) -> str:
        """The two levels that are compared, in words."""
        return f"{_level(self.treated)} against {_level(self.control)}"

    def interval(
        self, level: float = 0.9, kind: Literal["credible", "prediction"] | None = None
    ) -> Float[np.ndarray, "k 2"]:
        """Compute central intervals.

        Args:
            level: Probability inside.
            kind: Of a mean, or of a new observation; None takes what the draws are of.

        Returns:
            Lower and upper ends.

        Raises:
            InputError: If the level is not between 0 and 1, or the draws are of the other kind.
        """
        if not 0.0 < level < 1.0:
            raise InputError(f"level must lie strictly between 0 and 1, got {level!r}.")
        draws = self.draws
        if kind not in (None, self.kind):
            if self.prediction is None or kind != "prediction":
                raise InputError(f"these draws give {self.kind} intervals, not {kind} intervals.")
            draws = self.prediction
        return np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0).T

    def frame(self, level: float = 0.9) -> pd.DataFrame:
        """Tabulate the quantities.

        Args:
            level: Probability inside the intervals.

        Returns:
            One row for each label: ``mean``, ``sd``, ``lower``, ``upper``; for a dose response
            also ``dose``; ``prediction_lower`` and ``prediction_upper`` where there are draws of
            observations.
        """
        import pandas as pd

        interval = self.interval(level)
        columns: dict[str, Any] = {
            "quantity": self.labels,
            "mean": self.mean,
            "sd": self.sd,
            "lower": interval[:, 0],
            "upper": interval[:, 1],
        }
        if self.doses is not None:
            columns = {"dose": self.doses} | columns
        if self.prediction is not None:
            wide = self.interval(level, "prediction")
            columns |= {"prediction_lower": wide[:, 0], "prediction_upper": wide[:, 1]}
        return pd.DataFrame(columns)

    def plot(self, ax: Axes | None = None) -> tuple[Axes, pd.DataFrame]:
        """Draw the dose response with its bands, or the distribution of the first quantity.

        Args:
            ax: Where to draw; None makes a figure.

        Returns:
            The axes, and the frame that was drawn.
        """
        from aetia.plots import plot_dose_response, plot_effect, plot_unit_effects

        if self.doses is not None:
            frame = self.frame()
            return plot_dose_response(frame, treatment=self.treatment, outcome=self.outcome, ax=ax)
        if len(self.labels) > 1:
            title = f"{self.treatment}: {self.contrast}"
            return plot_unit_effects(self.frame(), outcome=self.outcome, title=title, ax=ax)
        label = next(iter(self.labels), "effect")
        title = f"{label}: {self.treatment} {_level(self.control)} to {_level(self.treated)}"
        return plot_effect(self.draws[:, 0], label=self.outcome, title=title, ax=ax)

    def save(self, path: str | Path) -> None:
        """Write the posterior to a folder, atomically.

        Args:
            path: The folder; made if needed.
        """
        plain = {
            k: getattr(self, k)
            for k in ("labels", "treatment", "outcome", "treated", "control", "kind")
        }
        plain["probability_of_effect"] = self.probability_of_effect
        plain["diagnostics"] = dict(self.diagnostics)
        arrays: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
            "draws": (("draw", "quantity"), self.draws)
        }
        for name in ("exact_mean", "exact_sd", "doses"):
            if getattr(self, name) is not None:
                arrays[name] = (("quantity",), getattr(self, name))
        if self.prediction is not None:
            arrays["prediction"] = (("predicted", "quantity"), self.prediction)
        write_draws(path, "EffectPosterior", arrays, plain)

    @classmethod
    def load(cls, path: str | Path) -> EffectPosterior:
        """Read a posterior written by :meth:`save`.

        Args:
            path: The folder.

        Returns:
            The same posterior.
        """
        arrays, plain = read_draws(path, "EffectPosterior")
        plain["labels"] = tuple(plain["labels"])
        return cls(**arrays, **plain)

    def __repr__(self) -> str:
        contrast = self.contrast
        if self.doses is not None:
            contrast = f"{len(self.doses)} doses"
        lines = [
            f"EffectPosterior of {self.treatment!r} on {self.outcome!r}, {contrast} "
            f"({len(self.draws):,} draws)"
        ]
        interval = self.interval(0.9)
        for k, label in enumerate(self.labels[:10]):
            lines.append(
                f"  {label}: {self.mean[k]:.4g} (sd {self.sd[k]:.3g}), 90 % {self.kind} "
                f"interval [{interval[k, 0]:.4g}, {interval[k, 1]:.4g}]"
            )
        if len(self.labels) > 10:
            lines.append(f"  ... and {len(self.labels) - 10} more; see .frame()")
        if self.probability_of_effect is not None:
            lines.append(f"  probability of a causal path: {self.probability_of_effect:.3f}")
            acting = self.draws[self.draws[:, 0] != 0, 0]
            if 0 < len(acting) < len(self.draws):
                lines.append(f"  given such a path: {acting.mean():.4g} (sd {acting.std():.3g})")
        return "\n".join(lines)


def _level(level: float | str) -> str:
    return level if isinstance(level, str) else f"{level:g}"

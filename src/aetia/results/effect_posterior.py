"""The posterior of a causal effect.

Through an uncertain graph the posterior of an effect has an atom: with probability
``1 - probability_of_effect`` there is no directed path and the effect is exactly zero. Mean and
standard deviation alone would hide it, so table, text and figure show the probabilities of a
negative, a zero and a positive effect beside them, the part of the variance that is due to the
graph, and what the single most probable graph alone would have said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from aetia.errors import InputError
from aetia.results.earlier_keys import separate_facts
from aetia.results.run_facts import RunFacts
from aetia.results.storage import read_draws, write_draws

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["EffectPosterior", "SignProbabilities", "VarianceParts"]


class SignProbabilities(NamedTuple):
    """Probabilities of the sign of each quantity; they sum to one."""

    negative: Float[np.ndarray, " k"]
    zero: Float[np.ndarray, " k"]
    positive: Float[np.ndarray, " k"]


class VarianceParts(NamedTuple):
    """Where the variance of each quantity comes from; the parts sum to the variance."""

    graph: Float[np.ndarray, " k"]
    """Variance of the mean given the graph: what knowing the graph would remove."""
    mechanisms: Float[np.ndarray, " k"]
    """Expected variance given the graph: what more rows would remove if the graph were known."""


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
        graph_variance: Part of each variance that is between graphs, where graphs are uncertain.
        best_graph: Draws of the same quantities given the single most probable graph.
        best_graph_probability: Posterior probability of that graph.
        facts: What is known about the run behind it: method, seed, version, configuration, ...
        diagnostics: What is peculiar to the method.
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
    graph_variance: Float[np.ndarray, " k"] | None = None
    best_graph: Float[np.ndarray, "r k"] | None = None
    best_graph_probability: float | None = None
    facts: RunFacts = field(default_factory=RunFacts)
    diagnostics: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        facts, diagnostics = separate_facts(self.facts, self.diagnostics)
        object.__setattr__(self, "facts", facts)
        object.__setattr__(self, "diagnostics", diagnostics)

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

    @property
    def sign_probabilities(self) -> SignProbabilities:
        """Probabilities of a negative, a zero and a positive effect.

        Through a graph, zero has the probability that there is no directed path, exact over the
        draws of graphs; the draws of effects divide the rest.
        """
        below, above = (self.draws < 0).mean(0), (self.draws > 0).mean(0)
        acting = below + above
        if self.probability_of_effect is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                share = np.where(acting > 0, self.probability_of_effect / acting, 0.0)
            below, above = share * below, share * above
        return SignProbabilities(below, np.maximum(1.0 - below - above, 0.0), above)

    @property
    def mean_given_path(self) -> Float[np.ndarray, " k"]:
        """Posterior means given that there is an effect at all; NaN where no draw has one."""
        acting = (self.draws != 0).sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(acting > 0, self.draws.sum(0) / acting, np.nan)

    @property
    def variance_parts(self) -> VarianceParts:
        """Variance due to the graph and due to the mechanisms.

        Raises:
            InputError: If the effect is not averaged over graphs.
        """
        if self.graph_variance is None:
            raise InputError(
                "variance_parts: this effect is not averaged over graphs, so there is nothing to "
                "split. GraphPosterior.effect() gives both parts."
            )
        return VarianceParts(self.graph_variance, self.sd**2 - self.graph_variance)

    def best_graph_interval(self, level: float = 0.9) -> Float[np.ndarray, "k 2"]:
        """Compute central intervals given the single most probable graph.

        Args:
            level: Probability inside.

        Returns:
            Lower and upper ends; compare with :meth:`interval`, which averages over graphs.

        Raises:
            InputError: If the effect is not averaged over graphs.
        """
        if self.best_graph is None:
            raise InputError("best_graph_interval: this effect is not averaged over graphs.")
        return np.quantile(self.best_graph, [(1 - level) / 2, (1 + level) / 2], axis=0).T

    def interval(
        self, level: float = 0.9, kind: Literal["credible", "prediction"] | None = None
    ) -> Float[np.ndarray, "k 2"]:
        """Compute central intervals.

        Args:
            level: Probability inside.
            kind: ``"credible"`` for an interval of a mean, ``"prediction"`` for one of a new
                observation; None takes what the draws are of.

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
            observations. Where the graph is uncertain also ``negative``, ``zero``, ``positive``
            (probabilities of the sign), ``mean_given_path``, ``graph_share`` (of the variance),
            ``best_graph_mean``, ``best_graph_lower`` and ``best_graph_upper``.
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
        if self.probability_of_effect is not None:
            columns |= self.sign_probabilities._asdict()
            columns["mean_given_path"] = self.mean_given_path
        if self.graph_variance is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                columns["graph_share"] = self.graph_variance / self.sd**2
        if self.best_graph is not None:
            best = self.best_graph_interval(level)
            columns["best_graph_mean"] = self.best_graph.mean(0)
            columns |= {"best_graph_lower": best[:, 0], "best_graph_upper": best[:, 1]}
        return pd.DataFrame(columns)

    def plot(self, ax: Axes | None = None) -> tuple[Axes, pd.DataFrame]:
        """Draw the dose response with its bands, or the distribution of the first quantity.

        Args:
            ax: Where to draw; None makes a figure.

        Returns:
            The axes, and the frame that was drawn.
        """
        from aetia import plots

        zero = best = None
        no_effect = ""
        if self.probability_of_effect is not None:
            zero = float(self.sign_probabilities.zero[0])
            no_effect = f" (no effect: {zero:.0%})"
        if self.doses is not None:
            outcome = self.outcome
            if zero is not None:
                outcome += f" against {self.treatment} = {_level(self.control)}"
            ax, frame = plots.plot_dose_response(
                self.frame(), treatment=self.treatment, outcome=outcome, ax=ax
            )
            if zero is not None:
                ax.set_title(f"change of the mean{no_effect}", fontsize=10)
            return ax, frame
        if len(self.labels) > 1:
            title = f"{self.treatment}: {self.contrast}{no_effect}"
            draw = plots.plot_unit_effects if zero is None else plots.plot_named_effects
            return draw(self.frame(), outcome=self.outcome, title=title, ax=ax)
        label = next(iter(self.labels), "effect")
        title = f"{label}: {self.treatment} {_level(self.control)} to {_level(self.treated)}"
        if self.best_graph is not None:
            best = self.best_graph[:, 0]
        return plots.plot_effect(
            self.draws[:, 0], label=self.outcome, title=title, zero=zero, best_graph=best, ax=ax
        )

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
        plain["best_graph_probability"] = self.best_graph_probability
        plain["facts"] = self.facts.to_dict()
        plain["diagnostics"] = dict(self.diagnostics)
        arrays: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
            "draws": (("draw", "quantity"), self.draws)
        }
        for name in ("exact_mean", "exact_sd", "doses", "graph_variance"):
            if getattr(self, name) is not None:
                arrays[name] = (("quantity",), getattr(self, name))
        if self.prediction is not None:
            arrays["prediction"] = (("predicted", "quantity"), self.prediction)
        if self.best_graph is not None:
            arrays["best_graph"] = (("best_graph_draw", "quantity"), self.best_graph)
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
        plain["facts"] = RunFacts.from_dict(plain.get("facts", {}))
        return cls(**arrays, **plain)

    def __repr__(self) -> str:
        contrast = self.contrast
        if self.doses is not None:
            contrast = f"{len(self.doses)} doses"
        lines = [
            f"EffectPosterior of {self.treatment!r} on {self.outcome!r}, {contrast} "
            f"({len(self.draws):,} draws)"
        ]
        if self.probability_of_effect is not None:
            lines.append(f"  probability of a causal path: {self.probability_of_effect:.3f}")
        interval = self.interval(0.9)
        for k, label in enumerate(self.labels[:10]):
            lines.append(
                f"  {label}: {self.mean[k]:.4g} (sd {self.sd[k]:.3g}), 90 % {self.kind} "
                f"interval [{interval[k, 0]:.4g}, {interval[k, 1]:.4g}]"
            )
            if self.probability_of_effect is not None:
                lines.append(f"    {self._sign_in_words(k)}")
        if len(self.labels) > 10:
            lines.append(f"  ... and {len(self.labels) - 10} more; see .frame()")
        if self.graph_variance is not None and np.all(self.sd > 0) and np.isfinite(self.sd).all():
            share = self.variance_parts.graph / self.sd**2
            span = f"{share.min():.0%}" + (f" to {share.max():.0%}" if len(share) > 1 else "")
            lines.append(f"  of the variance, {span} is uncertainty about the graph")
        if self.best_graph is not None:
            low, high = self.best_graph_interval(0.9)[0]
            label = next(iter(self.labels), "effect")
            lines.append(
                f"  the single most probable graph (probability "
                f"{self.best_graph_probability or 0.0:.2g}) alone: {label} "
                f"{self.best_graph[:, 0].mean():.4g} [{low:.4g}, {high:.4g}]"
            )
        return "\n".join(lines)

    def _sign_in_words(self, k: int) -> str:
        """Say how probable each sign is, and the mean given that there is an effect."""
        negative, zero, positive = (p[k] for p in self.sign_probabilities)
        words = f"P(< 0) {negative:.3f}, P(exactly 0) {zero:.3f}, P(> 0) {positive:.3f}"
        given = self.mean_given_path[k]
        return words if np.isnan(given) or zero == 0 else f"{words}; if not 0: {given:.4g}"


def _level(level: float | str) -> str:
    return level if isinstance(level, str) else f"{level:g}"

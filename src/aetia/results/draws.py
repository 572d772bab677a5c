"""Draws of values that nobody saw: missing cells of a table or an image, and new rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float

from aetia.errors import InputError
from aetia.results.earlier_keys import separate_facts
from aetia.results.run_facts import RunFacts
from aetia.results.storage import read_draws, write_draws

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["SKETCH_LEVELS", "Draws"]

SKETCH_LEVELS = np.concatenate([[0.001, 0.0025], np.linspace(0.005, 0.995, 199), [0.9975, 0.999]])
"""Probabilities whose quantiles a sketch holds."""

_MEGABYTE = 2**20


@dataclass(frozen=True, eq=False, kw_only=True)
class Draws:
    """Draws of the cells that were not given; the given ones stay exactly as they were.

    New rows are the case where nothing was given. Only drawn cells are stored: every draw, or,
    beyond the memory that was allowed, their mean, standard deviation and quantiles.

    Attributes:
        given: Rows as the user gave them, NaN where a value is drawn; tables ``[n, d]``, images
            ``[n, *shape]``.
        cells: Draws of the cells that are NaN, in row-major order; None for a sketch.
        names: Names of the columns; empty for images.
        kind: ``"imputation"`` of cells of the user's rows, or ``"sample"`` of new rows.
        cell_mean: Means of the drawn cells.
        cell_sd: Their standard deviations.
        quantiles: Quantiles of the drawn cells at ``SKETCH_LEVELS``; None where draws are stored.
        row_labels: Labels of the rows, for frames; empty for 0, 1, ...
        levels: Labels of categorical columns, whose values are codes; frames show the labels.
        n_draws: Draws behind every number.
        facts: What is known about the run: method, seed, version, time, configuration, ...
        diagnostics: What is peculiar to the method: R-hat, effective sample sizes, and so on.
    """

    given: Float[np.ndarray, "n ..."]
    cells: Float[np.ndarray, "s k"] | None
    names: tuple[str, ...] = ()
    kind: Literal["imputation", "sample"] = "imputation"
    cell_mean: Float[np.ndarray, " k"]
    cell_sd: Float[np.ndarray, " k"]
    quantiles: Float[np.ndarray, "q k"] | None = None
    row_labels: tuple[Any, ...] = ()
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    n_draws: int
    facts: RunFacts = field(default_factory=RunFacts)
    diagnostics: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        facts, diagnostics = separate_facts(self.facts, self.diagnostics)
        object.__setattr__(self, "facts", facts)
        object.__setattr__(self, "diagnostics", diagnostics)

    # -- making ---------------------------------------------------------------------------

    @classmethod
    def of_cells(
        cls,
        given: Float[np.ndarray, "n ..."],
        cells: Float[np.ndarray, "s k"],
        *,
        names: Sequence[str] = (),
        kind: Literal["imputation", "sample"] = "imputation",
        row_labels: Sequence[Any] = (),
        levels: Mapping[str, tuple[str, ...]] | None = None,
        max_megabytes: float = 1024.0,
        facts: RunFacts | None = None,
        diagnostics: Mapping[str, Any] | None = None,
    ) -> Draws:
        """Keep draws of the cells that are NaN, or a sketch of them.

        Args:
            given: Rows with NaN where values were drawn.
            cells: Draws of these cells, in row-major order.
            names: Names of the columns of a table; empty for images.
            kind: What the rows are.
            row_labels: Labels of the rows, for frames; empty for 0, 1, ...
            levels: Labels of categorical columns.
            max_megabytes: Memory for the draws; beyond it they are reduced to mean, standard
                deviation and quantiles.
            facts: What is known about the run.
            diagnostics: What is peculiar to the method.

        Returns:
            The draws.

        Raises:
            InputError: If the cells do not match the NaN of the rows.
        """
        n_missing = int(np.isnan(given).sum())
        if cells.ndim != 2 or cells.shape[1] != n_missing or len(cells) == 0:
            raise InputError(
                f"{n_missing} cells are NaN, so draws [s, {n_missing}] with s of at least 1 were "
                f"expected; got {cells.shape}."
            )
        n_draws = len(cells)
        sd = cells.std(0, ddof=1) if n_draws > 1 else np.full(n_missing, np.nan)
        too_large = cells.nbytes > max_megabytes * _MEGABYTE and n_draws > len(SKETCH_LEVELS)
        return cls(
            given=given,
            cells=None if too_large else cells,
            names=tuple(names),
            kind=kind,
            cell_mean=cells.mean(0),
            cell_sd=sd,
            quantiles=np.quantile(cells, SKETCH_LEVELS, axis=0) if too_large else None,
            row_labels=tuple(row_labels),
            levels=dict(levels or {}),
            n_draws=n_draws,
            facts=facts or RunFacts(),
            diagnostics=dict(diagnostics or {}),
        )

    @classmethod
    def of_values(
        cls, values: Float[np.ndarray, "s n *event"], *, names: Sequence[str] = (), **options: Any
    ) -> Draws:
        """Wrap draws of whole rows.

        Args:
            values: Draws of n new rows.
            names: Names of the columns of a table; empty for images.
            **options: ``row_labels``, ``levels``, ``max_megabytes``, ``facts``, ``diagnostics`` as
                for :meth:`of_cells`.

        Returns:
            Draws of kind ``"sample"``.
        """
        given = np.full(values.shape[1:], np.nan, dtype=values.dtype)
        cells = values.reshape(len(values), -1)
        return cls.of_cells(given, cells, names=names, kind="sample", **options)

    @classmethod
    def concatenate(
        cls,
        parts: Sequence[Draws],
        diagnostics: Mapping[str, Any] | None = None,
        *,
        facts: RunFacts | None = None,
    ) -> Draws:
        """Put the rows of several results below each other.

        Args:
            parts: Results with the same columns and number of draws.
            diagnostics: What is peculiar to the method, about all rows together.
            facts: What is known about the whole run; None takes the facts of the first part.

        Returns:
            All rows; a sketch if any part is one.

        Raises:
            InputError: If the parts do not fit together.
        """
        first = parts[0]
        for part in parts:
            if part.names != first.names or part.n_draws != first.n_draws:
                raise InputError("only draws of the same columns and number can be concatenated.")
        is_sketch = any(p.cells is None for p in parts)
        cells, quantiles = None, None
        if is_sketch:
            quantiles = np.concatenate([p._quantiles() for p in parts], 1)
        else:
            cells = np.concatenate([p.cells for p in parts if p.cells is not None], 1)
        return cls(
            given=np.concatenate([p.given for p in parts]),
            cells=cells,
            names=first.names,
            kind=first.kind,
            cell_mean=np.concatenate([p.cell_mean for p in parts]),
            cell_sd=np.concatenate([p.cell_sd for p in parts]),
            quantiles=quantiles,
            row_labels=tuple(label for p in parts for label in p.row_labels),
            levels=first.levels,
            n_draws=first.n_draws,
            facts=facts or first.facts,
            diagnostics=dict(diagnostics or {}),
        )

    # -- reading --------------------------------------------------------------------------

    @property
    def observed(self) -> np.ndarray:
        """True where a value was given."""
        return ~np.isnan(self.given)

    @property
    def n_cells(self) -> int:
        """Number of drawn cells."""
        return len(self.cell_mean)

    @property
    def shape(self) -> tuple[int, ...]:
        """Draws, rows, columns (or pixels)."""
        return (self.n_draws, *self.given.shape)

    @property
    def values(self) -> Float[np.ndarray, "s n *event"]:
        """All draws of all rows, given cells repeated: ``n_draws`` times the table in memory."""
        cells = self._stored("values")
        values = np.repeat(self.given[None], len(cells), 0)
        values[:, ~self.observed] = cells
        return values

    @property
    def mean(self) -> Float[np.ndarray, "n ..."]:
        """Means of the drawn cells, beside the given ones."""
        return self._filled(self.cell_mean)

    @property
    def sd(self) -> Float[np.ndarray, "n ..."]:
        """Standard deviations of the drawn cells, 0 for the given ones; NaN for a single draw."""
        out = np.zeros_like(self.given)
        out[~self.observed] = self.cell_sd
        return out

    def draw(self, k: int) -> Float[np.ndarray, "n ..."]:
        """Take one draw.

        Args:
            k: Its number.

        Returns:
            All rows, without NaN.

        Raises:
            InputError: If there is no such draw, or only a sketch was kept.
        """
        cells = self._stored("single draws")
        if not -len(cells) <= k < len(cells):
            raise InputError(f"draw {k} was asked for; there are {len(cells)}.")
        return self._filled(cells[k])

    def interval(
        self, level: float = 0.9, kind: Literal["credible", "prediction"] = "prediction"
    ) -> Float[np.ndarray, "n *event 2"]:
        """Compute central intervals of every cell.

        Args:
            level: Probability inside.
            kind: ``"prediction"``: intervals of the value itself. Intervals of its mean
                (``"credible"``) need other draws and are refused.

        Returns:
            Lower and upper ends; both are the value where it was given.

        Raises:
            InputError: If the level is not between 0 and 1, or the kind is another.
        """
        if not 0.0 < level < 1.0:
            raise InputError(f"level must lie strictly between 0 and 1, got {level!r}.")
        if kind != "prediction":
            raise InputError(f"these draws give prediction intervals, not {kind} intervals.")
        ends = self._cell_interval(level)
        return np.stack([self._filled(ends[0]), self._filled(ends[1])], -1)

    def frame(self, level: float = 0.9) -> pd.DataFrame:
        """Tabulate the imputed cells, or the drawn rows.

        Args:
            level: Probability inside the intervals of imputed cells.

        Returns:
            For an imputation one row for each missing cell: ``row``, ``column``, ``mean``, ``sd``,
            ``lower``, ``upper``. For samples the rows themselves, with a column ``draw`` if there
            are several draws of each. Cells of categories have ``most_likely`` and its
            ``probability`` in place of moments.
        """
        import pandas as pd

        if self.kind == "sample":
            columns = list(self.cell_names())
            values = self.values.reshape(self.n_draws, len(self.given), -1)
            frame = pd.DataFrame(values.reshape(-1, len(columns)), columns=columns)
            frame = self._with_labels(frame)
            if self.n_draws > 1:
                frame.insert(0, "draw", np.repeat(np.arange(self.n_draws), len(self.given)))
            return frame
        flat = ~self.observed.reshape(len(self.given), -1)
        rows, columns = np.nonzero(flat)
        labels = np.array(self.row_labels, dtype=object) if self.row_labels else None
        lower, upper = self._cell_interval(level)
        frame = pd.DataFrame(
            {
                "row": rows if labels is None else labels[rows],
                "column": np.array(self.cell_names(), dtype=object)[columns],
                "mean": self.cell_mean,
                "sd": self.cell_sd,
                "lower": lower,
                "upper": upper,
            }
        )
        if self.levels:
            frame["most_likely"], frame["probability"] = self._most_likely(columns)
            coded = frame["column"].isin(list(self.levels))
            frame.loc[coded, ["mean", "sd", "lower", "upper"]] = np.nan
        return frame

    def completed(self, draw: int | None = None) -> Any:
        """Fill the missing cells with their means, categories with the level drawn most often.

        Args:
            draw: Number of a draw to fill them with instead, which vary and go together as the
                data do.

        Returns:
            A data frame for tables, an array for images; given cells are exactly as given.
        """
        if draw is not None:
            return self._as_table(self.draw(draw))
        if not self.levels:
            return self._as_table(self.mean)
        columns = np.nonzero(~self.observed)[1]
        codes, _ = self._modes(columns)
        return self._as_table(self._filled(np.where(np.isnan(codes), self.cell_mean, codes)))

    def cell_names(self) -> tuple[str, ...]:
        """Name the columns, or the pixels of an image.

        Returns:
            Column names; ``"2,3"`` for a pixel (row, column, channel if there are several).
        """
        if self.names:
            return self.names
        event = self.given.shape[1:]
        if len(event) == 1:
            return tuple(f"x{j}" for j in range(event[0]))
        shown = event[:-1] if event[-1] == 1 else event
        return tuple(",".join(map(str, i)) for i in np.ndindex(*shown))

    def plot(self, ax: Axes | None = None) -> tuple[Axes, pd.DataFrame]:
        """Draw intervals of imputed cells, or a grid of images.

        Args:
            ax: Where to draw; None makes a figure.

        Returns:
            The axes, and the frame that was drawn.
        """
        from aetia.plots import plot_imputed_cells, plot_missingness, plot_pictures

        if self.given.ndim > 2:
            return plot_pictures(self.mean[:25], ax=ax)
        if self.kind == "imputation" and self.n_cells:
            return plot_imputed_cells(self.frame(), ax=ax)
        return plot_missingness(self.observed, self.cell_names(), ax=ax)

    # -- files ----------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the draws to a folder, atomically.

        Args:
            path: The folder; made if needed.
        """
        event = tuple(f"event_{k}" for k in range(self.given.ndim - 1))
        arrays: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
            "given": (("row", *event), self.given),
            "cell_mean": (("cell",), self.cell_mean),
            "cell_sd": (("cell",), self.cell_sd),
        }
        if self.cells is not None:
            arrays["cells"] = (("draw", "cell"), self.cells)
        if self.quantiles is not None:
            arrays["quantiles"] = (("quantile", "cell"), self.quantiles)
        plain = {k: getattr(self, k) for k in ("names", "kind", "row_labels", "levels", "n_draws")}
        plain |= {"facts": self.facts.to_dict(), "diagnostics": dict(self.diagnostics)}
        write_draws(path, "Draws", arrays, plain)

    @classmethod
    def load(cls, path: str | Path) -> Draws:
        """Read draws written by :meth:`save`.

        Args:
            path: The folder.

        Returns:
            The same draws.
        """
        arrays, plain = read_draws(path, "Draws")
        arrays.setdefault("cells", None)  # pyright: ignore[reportArgumentType]
        for name in ("names", "row_labels"):
            plain[name] = tuple(plain[name])
        plain["levels"] = {k: tuple(v) for k, v in plain.get("levels", {}).items()}
        plain["facts"] = RunFacts.from_dict(plain.get("facts", {}))
        return cls(**arrays, **plain)

    # -- showing --------------------------------------------------------------------------

    def __repr__(self) -> str:
        n, event = len(self.given), self.given.shape[1:]
        size = " x ".join(map(str, event))
        if self.kind == "sample":
            lines = [f"Draws: {n:,} new rows of {size} values, {self.n_draws:,} draw(s) of each"]
        else:
            share = self.n_cells / max(self.given.size, 1)
            lines = [
                f"Draws: {self.n_cells:,} missing cells ({share:.1%}) of {n:,} rows of {size} "
                f"values, {self.n_draws:,} draws of each"
            ]
        if self.cells is None:
            lines.append("  reduced to mean, standard deviation and quantiles (memory limit)")
        shown = {"method": self.facts.method} if self.facts.method else {}
        shown |= {k: v for k, v in self.diagnostics.items() if k in ("rhat_max", "ess_bulk_min")}
        for name, value in shown.items():
            lines.append(f"  {name}: {f'{value:.4g}' if isinstance(value, float) else value}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = f"<pre>{escape(repr(self))}</pre>"
        if self.given.ndim > 2 or (self.kind == "sample" and self.cells is None):
            return head
        return head + self.frame().head(10).to_html(float_format=lambda v: f"{v:.4g}", index=False)

    # -- inside ---------------------------------------------------------------------------

    def _filled(self, cells: np.ndarray) -> np.ndarray:
        out = self.given.copy()
        out[~self.observed] = cells
        return out

    def _as_table(self, values: np.ndarray) -> Any:
        if values.ndim != 2:
            return values
        import pandas as pd

        index = list(self.row_labels) if self.row_labels else None
        return self._with_labels(pd.DataFrame(values, columns=list(self.cell_names()), index=index))

    def _with_labels(self, frame: pd.DataFrame) -> pd.DataFrame:
        for name, labels in self.levels.items():
            codes = frame[name].to_numpy()
            known = ~np.isnan(codes)
            shown = np.full(len(codes), None, dtype=object)
            shown[known] = np.array(labels, dtype=object)[codes[known].astype(int)]
            frame[name] = shown
        return frame

    def _modes(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Most frequent codes of cells in categorical columns, and their shares; else NaN."""
        codes, shares = np.full(len(columns), np.nan), np.full(len(columns), np.nan)
        names = self.cell_names()
        for name, labels in self.levels.items():
            at = np.flatnonzero(columns == names.index(name))
            if not len(at):
                continue
            drawn = self._stored("draws of categories")[:, at]
            counts = np.stack([(drawn == k).sum(0) for k in range(len(labels))])
            codes[at], shares[at] = counts.argmax(0), counts.max(0) / len(drawn)
        return codes, shares

    def _most_likely(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        codes, shares = self._modes(columns)
        names, shown = self.cell_names(), np.full(len(columns), None, dtype=object)
        for k in np.flatnonzero(~np.isnan(codes)):
            shown[k] = self.levels[names[columns[k]]][int(codes[k])]
        return shown, shares

    def _stored(self, what: str) -> np.ndarray:
        if self.cells is None:
            raise InputError(
                f"{what} were not kept: {self.n_draws:,} draws of {self.n_cells:,} cells exceeded "
                "the memory limit and were reduced to mean, sd and quantiles. Ask for fewer draws "
                "or rows, or raise max_megabytes."
            )
        return self.cells

    def _quantiles(self) -> np.ndarray:
        if self.quantiles is not None:
            return self.quantiles
        return np.quantile(self._stored("draws"), SKETCH_LEVELS, axis=0)

    def _cell_interval(self, level: float) -> np.ndarray:
        ends = np.array([(1 - level) / 2, (1 + level) / 2])
        if self.cells is not None:
            return np.quantile(self.cells, ends, axis=0)
        if ends[0] < SKETCH_LEVELS[0]:
            raise InputError(
                f"level={level} was asked for, but the sketch of these draws reaches "
                f"{SKETCH_LEVELS[-1] - SKETCH_LEVELS[0]:.3f} at most. Raise max_megabytes."
            )
        quantiles = self._quantiles()
        above = np.searchsorted(SKETCH_LEVELS, ends).clip(1, len(SKETCH_LEVELS) - 1)
        low, high = SKETCH_LEVELS[above - 1], SKETCH_LEVELS[above]
        share = ((ends - low) / (high - low))[:, None]
        return (1 - share) * quantiles[above - 1] + share * quantiles[above]

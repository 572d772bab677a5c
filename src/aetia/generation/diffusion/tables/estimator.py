"""DDDM: conditional distributions by a distributional diffusion model (De Bortoli et al., 2025)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator

from aetia.data import Dataset
from aetia.data.accepts import Accepts
from aetia.devices import pick_device
from aetia.errors import InputError
from aetia.generation.diffusion.process.distances import Distance, Energy
from aetia.generation.diffusion.process.schedule import NoiseSchedule
from aetia.generation.diffusion.process.score import score_terms
from aetia.generation.diffusion.tables.asking import (
    index_of,
    read_rows_of_fit,
    table_of_values,
    values_of,
    with_all_columns,
)
from aetia.generation.diffusion.tables.codec import read_table
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.generation.diffusion.tables.drawing import draw_missing, draw_populations
from aetia.generation.diffusion.tables.files import load_model, save_model
from aetia.generation.diffusion.tables.fit import check_table, fit_table, trained_patterns
from aetia.generation.diffusion.tables.fitted import Fitted
from aetia.generation.diffusion.tables.interventions import (
    draw_counterfactuals,
    draw_under_intervention,
)
from aetia.generation.diffusion.tables.masks import Pattern
from aetia.not_fitted import check_fitted
from aetia.randomness import RandomState, seed_sequence
from aetia.results import Draws
from aetia.results.earlier_keys import Diagnostics

__all__ = ["DDDM"]


class DDDM(BaseEstimator):
    """Learn to draw columns of a table given others, in one or a few steps.

    A network draws clean rows from noised ones; it is trained by a proper score of its draws, so
    that the reverse chain is exact for any number of steps if the network is. One network answers
    for any columns given any others; tables may have missing cells and columns of any kind. Every
    option is described in :class:`aetia.generation.diffusion.tables.config.DDDMConfig`.

    Args:
        preset: What ``"auto"`` stands for in all other options: ``"default"`` is what measured
            best, ``"paper"`` holds the values of De Bortoli et al. (2025).
        targets: Columns to draw given all others, by name; ``"any"`` trains one network for any
            columns given any others. Name them if only they are wanted: it is more accurate for
            them.
        schedule: How data turn into noise over time: ``"linear"``, ``"cosine"``, a mapping with
            ``name`` and options, or an object with ``alpha`` and ``sigma``.
        distance: Distance by which the score compares draws with the data: ``"energy"``,
            ``"annealed-energy"``, ``"rbf"``, ``"imq"``, ``"exponential"``, a mapping with ``name``
            and options, or an object. Energy distances need no bandwidth.
        interaction: Weight of the repulsion between the draws of a population (lambda), 0 to 1.
            With 1 the score is proper; below 1 draws become too narrow. ``"annealed"`` rises from 0
            at the data to 1 at noise.
        population: Draws of each row in a training step (m). More make gradients less noisy and
            cost time in proportion.
        time_weight: How much each time counts in the loss: ``"flat"``, or ``"sigmoid"``, which
            favours times near the data and makes chains of few steps worse.
        weight_bias: Bias of the sigmoid weight (b); below 0, times near noise count more.
        noise_share: Share of the rows that are trained at pure noise, where chains of one step
            begin; the times of the others are uniform. Raise it if single steps matter most.
        network: The network: ``"residual"`` starts from the best linear guess and computes once
            what the draws of a row share; ``"plain"`` is the perceptron of the paper, which
            predicts the data directly.
        hidden_units: Widths of the hidden layers. A residual network has one width: its first block
            is shared by the draws of a row, the others are not. Wider and deeper networks follow
            more complicated distributions and need more rows.
        n_noise: Number of noise inputs that make draws differ; None takes as many as a row has
            numbers.
        n_training_steps: Optimiser updates of the training. Raise it if the validation loss still
            falls at the end; time grows in proportion.
        batch_size: Rows of one update. Smaller batches make updates noisier and cheaper.
        learning_rate: Largest learning rate. Lower it if the loss jumps or updates are skipped.
        lr_schedule: Whether the learning rate stays as it is (``"constant"``) or falls to 0 along a
            cosine (``"cosine"``), which makes the last weights less noisy.
        weight_decay: Decoupled decay of the weight matrices; raise it against overfitting.
        clip_norm: Largest norm of a gradient; longer ones are shortened to it. 0 sets no limit.
        ema_decay: Decay, for each update, of the exponential average of the weights, which is what
            is used; 0 uses the last weights. Closer to 1 averages over more updates.
        validation_share: Share of the rows, at most 1,000 of them, that are kept for validation and
            choose the best checkpoint; 0 trains on all rows and keeps the last weights.
        n_steps: Steps of the reverse chain when sampling; more are slower and, up to about 20,
            closer to the data. ``"auto"`` is 1 for a single column and 5 for several.
        time_grid: Times of the reverse chain: ``"uniform"``, ``"cosine"`` (dense at both ends),
            ``"power"`` (dense at noise), ``"edm"`` (noise levels of Karras et al., 2022), or times
            that rise from 0 to 1.
        churn: Share of the noise that each step of the reverse chain renews, 0 to 1: with 0 a chain
            keeps its noise, with 1 every step draws it anew. Lower it if many steps make draws
            worse.
        max_megabytes: Memory in megabytes that draws may take; beyond it results are reduced to
            mean, standard deviation and quantiles.
        random_state: Seed of everything random: None, an integer or a NumPy generator.
        device: Device to compute on: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        progress: Whether to show a progress bar; None shows it in terminals.

    Attributes:
        n_features_in_: Number of columns.
        feature_names_in_: Their names.
        held_out_rows_: Numbers of the validation rows.
        history_: The health record of the training loop.
        health_: Wall time, chosen step, held-out loss, seed, version.

    Example:
        >>> import numpy as np
        >>> from aetia.generation import DDDM
        >>> x = np.random.default_rng(0).normal(size=(200, 1))
        >>> model = DDDM(n_training_steps=50, random_state=0).fit(np.hstack([x, x**2]))
        >>> model.sample(5, given={"x0": 1.0}).values.shape
        (1, 5, 2)
    """

    accepts = Accepts(
        kinds=("continuous", "binary", "count", "categorical"), missing=True, interventions=False
    )

    def __init__(
        self,
        *,
        preset: Literal["default", "paper"] = "default",
        targets: Sequence[str] | Literal["any"] = "any",
        schedule: Literal["linear", "cosine"] | Mapping[str, Any] | NoiseSchedule = "linear",
        distance: (
            Literal["auto", "energy", "annealed-energy", "rbf", "imq", "exponential"]
            | Mapping[str, Any]
            | Distance
        ) = "auto",
        interaction: float | Literal["annealed"] = 1.0,
        population: int = 8,
        time_weight: Literal["auto", "flat", "sigmoid"] = "auto",
        weight_bias: float = 0.0,
        noise_share: float | Literal["auto"] = "auto",
        network: Literal["auto", "residual", "plain"] = "auto",
        hidden_units: tuple[int, ...] | Literal["auto"] = "auto",
        n_noise: int | Literal["auto"] | None = "auto",
        n_training_steps: int | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        lr_schedule: Literal["auto", "constant", "cosine"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        clip_norm: float | Literal["auto"] = "auto",
        ema_decay: float | Literal["auto"] = "auto",
        validation_share: float = 0.1,
        n_steps: int | Literal["auto"] = "auto",
        time_grid: Literal["uniform", "cosine", "power", "edm"] | Sequence[float] = "uniform",
        churn: float | Literal["auto"] = "auto",
        max_megabytes: float = 1024.0,
        random_state: RandomState = None,
        device: str = "auto",
        progress: bool | None = None,
    ) -> None:
        self.preset = preset
        self.targets = targets
        self.schedule = schedule
        self.distance = distance
        self.interaction = interaction
        self.population = population
        self.time_weight = time_weight
        self.weight_bias = weight_bias
        self.noise_share = noise_share
        self.network = network
        self.hidden_units = hidden_units
        self.n_noise = n_noise
        self.n_training_steps = n_training_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.ema_decay = ema_decay
        self.validation_share = validation_share
        self.n_steps = n_steps
        self.time_grid = time_grid
        self.churn = churn
        self.max_megabytes = max_megabytes
        self.random_state = random_state
        self.device = device
        self.progress = progress

    # -- fit ------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, *, dag: Any = None) -> DDDM:
        """Learn from a table, holes and all.

        Args:
            X: A frame, array, Dataset or path; text columns are categories, NaN is missing.
            y: Ignored; scikit-learn passes it.
            dag: Graphs over the columns; then only columns given their parents are learned, which
                is more accurate for them.

        Returns:
            The fitted estimator.

        Raises:
            InputError: If table or options cannot be used.
            NumericalError: If the losses do not stay finite.
        """
        del y
        config = DDDMConfig(**{f.name: getattr(self, f.name) for f in fields(DDDMConfig)})
        vars(self).pop("_fit_result", None)  # a failed fit must not leave the answer of another
        data = read_table(X)
        check_table(data)
        patterns = trained_patterns(config, data.names, dag, self.random_state)
        device, seeds = pick_device(self.device), seed_sequence(self.random_state)
        fit, self.held_out_rows_ = fit_table(data, config, patterns, seeds, device, self.progress)
        self._take(fit)
        self._data = data
        return self

    # -- questions ------------------------------------------------------------------------

    def sample(
        self,
        n: int = 1000,
        given: Any = None,
        n_steps: int | None = None,
        *,
        columns: Sequence[str] | None = None,
        random_state: RandomState = None,
    ) -> Draws:
        """Draw rows, or the rest of rows of which something is given.

        Args:
            n: Draws.
            given: None for new rows; values of some columns by name, for n rows that have them; or
                a table with some of the columns, or with NaN for what is to be drawn, for n draws
                of each of its rows.
            n_steps: Steps of the sampler; None for the configured number.
            columns: Draw and return these alone, whatever else is missing; None for all.
            random_state: Seed of the draws; None derives it from the seed of the fit.

        Returns:
            ``[1, n, d]`` for new rows and values by name; ``[n, rows, d]`` for a table.

        Raises:
            InputError: If a column or level is unknown, or ``n`` is not positive.
        """
        fit = self._fitted()
        _check_count("n", n)
        if n_steps is not None:
            _check_count("n_steps", n_steps)
        seeds = self._seeds(random_state, 0)
        if given is None or isinstance(given, Mapping):
            asked = table_of_values(fit.codec, given or {})
            drawn = draw_missing(fit, asked, n, seeds, n_steps, columns)
            return self._whole(drawn.transpose(1, 0, 2), columns, n_steps)
        asked = with_all_columns(self._read(given), fit.names)
        if columns is not None:
            drawn = draw_missing(fit, asked, n, seeds, n_steps, columns)
            return self._whole(drawn, columns, n_steps)
        return self._draws_of(asked, n, seeds, n_steps)

    def impute(
        self,
        X: Any = None,
        n_draws: int = 200,
        n_steps: int | None = None,
        *,
        random_state: RandomState = None,
    ) -> Draws:
        """Draw the missing cells of rows given the others.

        Args:
            X: Rows with the columns of the fit; None for the table of the fit.
            n_draws: Draws of every missing cell.
            n_steps: Steps of the sampler; None for the configured number.
            random_state: Seed of the draws; None derives it from the seed of the fit.

        Returns:
            The draws; given cells stay exactly as they are.

        Raises:
            InputError: If the columns are not those of the fit.
        """
        self._fitted()
        _check_count("n_draws", n_draws)
        data = self._read(X)
        return self._draws_of(data, n_draws, self._seeds(random_state, 1), n_steps)

    def energy_scores(
        self,
        X: Any,
        targets: Sequence[str] | None = None,
        n_draws: int = 100,
        n_steps: int | None = None,
        *,
        random_state: RandomState = None,
    ) -> Float[np.ndarray, " n"]:
        r"""Score how well draws of the targets given the other columns meet the rows.

        .. math:: E \lVert \hat X - x \rVert - \frac12 E \lVert \hat X - \hat X' \rVert

        (Gneiting & Raftery, 2007), each column in units of its standard deviation in the fit.

        Args:
            X: Rows with the columns of the fit, without missing targets.
            targets: Names; None for those of the fit, all columns if these were ``"any"``.
            n_draws: Draws behind every score.
            n_steps: Steps of the sampler; None for the configured number.
            random_state: Seed of the draws; None derives it from the seed of the fit.

        Returns:
            One score for each row, smaller is better; unbiased in the number of draws.

        Raises:
            InputError: If a target is unknown or missing in some row.
        """
        fit = self._fitted()
        names = fit.names
        if targets is None:
            targets = names if fit.config.targets == "any" else fit.config.targets
        at = [index_of(name, names, "targets") for name in targets]
        data = self._read(X)
        truth, observed = fit.codec.to_model(data)
        lacking = [names[j] for j in at if not bool(observed[:, j].all())]
        if lacking:
            raise InputError(f"targets {lacking} have missing cells; rows without them score.")
        known = observed.clone()
        known[:, at] = False
        target = torch.zeros_like(known)
        target[:, at] = True
        seeds = self._seeds(random_state, 2)
        z = draw_populations(fit, truth, Pattern(target, known), n_draws, seeds, n_steps)
        numbers = torch.from_numpy(np.isin(fit.codec.column_of, at))
        terms = score_terms(
            Energy(1.0), z[..., numbers].double().transpose(0, 1), truth[:, numbers].double()
        )
        return terms.score().numpy()

    def score(self, X: Any, y: Any = None) -> float:
        """Average the energy scores, with the sign that scikit-learn expects.

        Args:
            X: Rows with the columns of the fit.
            y: Ignored.

        Returns:
            Minus the mean of :meth:`energy_scores`; larger is better.
        """
        del y
        return -float(self.energy_scores(X).mean())

    def sample_do(
        self,
        dag: Any,
        do: Mapping[str, Any],
        n: int = 1000,
        *,
        random_state: RandomState = None,
    ) -> Draws:
        """Draw rows as they would be if some columns were set.

        Assumes that the graph is right and nothing outside the table confounds.

        Args:
            dag: Graphs over the columns (adjacency, networkx graph or graph posterior); n rows
                are shared among several, so that draws carry their uncertainty.
            do: Values by name; empty for rows of the model without an intervention.
            n: Rows.
            random_state: Seed of the draws; None derives it from the seed of the fit.

        Returns:
            ``[1, n, d]``.

        Raises:
            InputError: If a name or level is unknown, or a graph has a cycle.
        """
        fit = self._fitted()
        _check_count("n", n)
        clamped = values_of(fit.codec, do, "do")
        rows = draw_under_intervention(fit, dag, clamped, n, self._seeds(random_state, 3))
        return self._whole(rows[None], None, None, do)

    def counterfactual(
        self,
        dag: Any,
        x: Any,
        do: Mapping[str, Any],
        n_draws: int = 20,
        *,
        random_state: RandomState = None,
    ) -> Draws:
        """Ask what rows would have been if some of their columns had been set.

        Each node keeps its rank among the draws given its parents (abduction), which is its noise
        if the node is monotone in a scalar noise; then the counterfactual is identified. Ties of
        discrete nodes leave it open, and the draws spread over what is left.

        Args:
            dag: Graphs over the columns; draws are shared among several.
            x: Rows with all columns of the fit, nothing missing.
            do: Values by name.
            n_draws: Draws of each row.
            random_state: Seed of the draws; None derives it from the seed of the fit.

        Returns:
            ``[n_draws, n, d]``.

        Raises:
            InputError: If a cell is missing, a name is unknown, or a category that the
                intervention would change has more than two levels: its noise has no rank.
        """
        fit = self._fitted()
        _check_count("n_draws", n_draws)
        data = self._read(x)
        values = fit.codec.codes(data)
        if np.isnan(values).any():
            j = int(np.isnan(values).any(0).argmax())
            raise InputError(
                f"column {fit.names[j]!r} has missing cells; a counterfactual needs the whole row. "
                "impute() draws them."
            )
        clamped = values_of(fit.codec, do, "do")
        seeds = self._seeds(random_state, 4)
        drawn = draw_counterfactuals(fit, dag, values, clamped, n_draws, seeds)
        return self._whole(drawn, None, None, do)

    # -- files ----------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the fitted model to one file in a folder, atomically. The table is not in it.

        Args:
            path: The folder; made if needed.
        """
        save_model(path, self._fitted())

    @classmethod
    def load(cls, path: str | Path) -> DDDM:
        """Read a model written by :meth:`save`, onto the CPU.

        Args:
            path: The folder.

        Returns:
            A fitted estimator that gives the same seeded draws.
        """
        fit = load_model(path)
        made = cls(**{f.name: getattr(fit.config, f.name) for f in fields(fit.config)})
        made._take(fit)
        return made

    # -- inside ---------------------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags

    def _take(self, fit: Fitted) -> None:
        self._fit_result = fit
        self.n_features_in_ = fit.codec.d
        self.feature_names_in_ = np.array(fit.names, dtype=object)
        self.facts_ = fit.facts
        self.health_ = Diagnostics(fit.health, fit.facts)
        self.history_ = fit.rows

    def _fitted(self) -> Fitted:
        check_fitted(self, "_fit_result", call="fit(table)")
        return self._fit_result

    def _seeds(self, random_state: RandomState, question: int) -> np.random.SeedSequence:
        """Make the stream of a question; by default it depends on the fit's seed alone."""
        if random_state is not None:
            return seed_sequence(random_state)
        return np.random.SeedSequence([self._fitted().facts.seed or 0, question])

    def _about(self, n_steps: int | None) -> dict[str, Any]:
        return {**self._fitted().health, "n_sampler_steps": n_steps}

    def _read(self, X: Any) -> Dataset:
        if X is not None:
            return read_rows_of_fit(X, self._fitted().names)
        if not hasattr(self, "_data"):
            raise InputError(
                "the table of the fit is not stored with a saved model; pass it: impute(X)."
            )
        return self._data

    def _draws_of(
        self, data: Dataset, n: int, seeds: np.random.SeedSequence, n_steps: int | None
    ) -> Draws:
        """Draw the missing cells, and wrap them with those that were given."""
        fit = self._fitted()
        given = fit.codec.codes(data)
        drawn = draw_missing(fit, data, n, seeds, n_steps)
        return Draws.of_cells(
            given,
            drawn[:, np.isnan(given)],
            names=fit.names,
            levels=fit.codec.levels,
            max_megabytes=fit.config.max_megabytes,
            facts=fit.facts,
            diagnostics=self._about(n_steps),
        )

    def _whole(
        self,
        values: Float[np.ndarray, "n rows d"],
        columns: Sequence[str] | None,
        n_steps: int | None,
        do: Mapping[str, Any] | None = None,
    ) -> Draws:
        """Wrap draws of all columns, or of some."""
        fit = self._fitted()
        kept = fit.names if columns is None else tuple(columns)
        at = [index_of(name, fit.names, "columns") for name in kept]
        about = self._about(n_steps)
        if do is not None:
            about["do"] = {k: str(v) for k, v in do.items()}
        return Draws.of_values(
            values[..., at],
            names=kept,
            levels={k: v for k, v in fit.codec.levels.items() if k in kept},
            max_megabytes=fit.config.max_megabytes,
            facts=fit.facts,
            diagnostics=about,
        )


def _check_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"{name} must be a positive integer, got {value!r}.")

"""DDDM: conditional laws by a distributional diffusion model (De Bortoli et al., 2025)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from sklearn.base import BaseEstimator

from aetia.data import Dataset
from aetia.devices import pick_device
from aetia.errors import InputError, NumericalError
from aetia.generation.diffusion.process.distances import Distance, Energy
from aetia.generation.diffusion.process.schedule import Schedule
from aetia.generation.diffusion.process.score import score_terms
from aetia.generation.diffusion.tables.codec import Codec, read_table
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.generation.diffusion.tables.files import load_model, save_model
from aetia.generation.diffusion.tables.fitted import Fitted, draw_targets, pattern_of
from aetia.generation.diffusion.tables.fitting import (
    TableTask,
    build_network,
    fit_denoiser,
    held_out_rows,
)
from aetia.generation.diffusion.tables.graphs_given import graphs_of
from aetia.generation.diffusion.tables.masks import Pattern, pattern_table
from aetia.generation.diffusion.tables.on_graph import abduct_by_rank, draw_in_causal_order
from aetia.graphs import topological_order, transitive_closure
from aetia.nets import seeded
from aetia.options import nearest, options_dict
from aetia.randomness import RandomState, seed_sequence, torch_generator
from aetia.results import Draws
from aetia.version import __version__

__all__ = ["DDDM"]

_SMALLEST_TABLE = 20
_RANK_DRAWS = 256
"""Draws of every law whose ranks carry a unit's noise over."""


class DDDM(BaseEstimator):
    """Learn to draw columns of a table given others, in one or a few steps.

    A network draws clean rows from noised ones; it is trained by a proper score of its draws, so
    that the reverse chain is exact for any number of steps if the network is. One network answers
    for any columns given any others; tables may have missing cells and columns of any kind. Every
    option is described in :class:`aetia.generation.diffusion.tables.config.DDDMConfig`.

    Args:
        preset: ``"default"`` or ``"paper"``; what ``"auto"`` stands for.
        targets: Columns to draw given all others, or ``"any"``.
        schedule: ``"linear"``, ``"cosine"``, or an object with ``alpha`` and ``sigma``.
        distance: Of the score: ``"energy"``, ``"annealed-energy"``, ``"rbf"``, ``"imq"``,
            ``"exponential"``, a mapping with ``name`` and options, or an object.
        interaction: Weight of the repulsion between draws.
        population: Draws of each row in a training step.
        time_weight: ``"flat"`` or ``"sigmoid"``.
        weight_bias: Of the sigmoid weight.
        noise_share: Share of rows trained at pure noise.
        network: ``"residual"`` or ``"plain"``.
        hidden_units: Widths.
        n_noise: Width of the noise that makes draws differ.
        n_training_steps: Updates.
        batch_size: Rows of an update.
        learning_rate: Largest.
        lr_schedule: ``"constant"`` or ``"cosine"``.
        weight_decay: Of weight matrices.
        clip_norm: Largest norm of a gradient.
        ema_decay: Memory of the average of the weights.
        validation_share: Rows that choose the weights.
        n_steps: Of the sampler.
        time_grid: Of the sampler.
        churn: Of the sampler.
        max_megabytes: Memory for draws.
        random_state: None, an integer or a NumPy generator.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        progress: Whether to show a progress bar; None shows it in terminals.

    Attributes:
        n_features_in_: Number of columns.
        feature_names_in_: Their names.
        held_out_rows_: Numbers of the rows that chose the weights and were not learned from.
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

    def __init__(
        self,
        *,
        preset: Literal["default", "paper"] = "default",
        targets: Sequence[str] | Literal["any"] = "any",
        schedule: Literal["linear", "cosine"] | Mapping[str, Any] | Schedule = "linear",
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
        started = time.perf_counter()
        config = DDDMConfig(**{f.name: getattr(self, f.name) for f in fields(DDDMConfig)})
        vars(self).pop("_fit_result", None)  # a failed fit must not leave the answer of another
        data = read_table(X)
        _check_table(data)
        codec = Codec.of(data)
        patterns = self._patterns(config, data.names, dag)
        device = pick_device(self.device)
        seeds = seed_sequence(self.random_state)
        build, split, learn = seeds.spawn(3)
        rows, observed = (part.to(device) for part in codec.to_model(data))
        column_of = torch.from_numpy(codec.column_of).to(device)
        moved = None if patterns is None else Pattern(*(m.to(device) for m in patterns))
        with seeded(torch_generator(build)):
            network = build_network(config, rows.shape[1], codec.d).to(device)
        held = held_out_rows(data.n, config.validation_share, torch_generator(split))
        seed = int(learn.generate_state(1)[0])
        task = TableTask(rows, observed, column_of, moved)
        trained = fit_denoiser(network, task, held, config, seed, self.progress)
        network.eval().requires_grad_(False)
        lost = trained.n_skipped > trained.step // 2
        if lost or not all(bool(p.isfinite().all()) for p in network.parameters()):
            raise NumericalError(
                f"{trained.n_skipped} of {trained.step} training steps had gradients that were not "
                f"finite; lower learning_rate (now {config.value('learning_rate'):g})."
            )
        fit = Fitted(network, codec, patterns, trained.rows)
        fit.facts = {
            "method": type(self).__name__,
            "n_rows": data.n,
            "n_parameters": sum(p.numel() for p in network.parameters()),
            "best_step": trained.best_step,
            "seconds": time.perf_counter() - started,
            "seed": str(seeds.entropy),
            "device": str(device),
            "version": __version__,
        }
        self._take(fit, config)
        self._data = data
        self.held_out_rows_ = np.sort(held.numpy())
        return self

    def _patterns(self, config: DDDMConfig, names: Sequence[str], dag: Any) -> Pattern | None:
        """Roles of columns in training."""
        d = len(names)
        if dag is not None:
            graphs = graphs_of(dag, names, 100, self.random_state)
            pairs = {
                (j, tuple(np.flatnonzero(graph[:, j]).tolist()))
                for graph in graphs
                for j in range(d)
            }
            ordered = sorted(pairs)
            return pattern_table([[j] for j, _ in ordered], [list(p) for _, p in ordered], d)
        if config.targets == "any":
            return None
        targets = [_index(name, names, "targets") for name in config.targets]
        if not targets:
            raise InputError("targets is empty; name columns, or use 'any'.")
        return pattern_table([targets], [[j for j in range(d) if j not in targets]], d)

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
            n_steps: Of the sampler; None for the configured number.
            columns: Draw and return these alone, whatever else is missing; None for all.
            random_state: Of the draws; None derives it from the seed of the fit.

        Returns:
            ``[1, n, d]`` for new rows and values by name; ``[n, rows, d]`` for a table.

        Raises:
            InputError: If a column or level is unknown, or ``n`` is not positive.
        """
        self._fitted()
        _check_count("n", n)
        if n_steps is not None:
            _check_count("n_steps", n_steps)
        seeds = self._seeds(random_state, 0)
        if given is None or isinstance(given, Mapping):
            asked = self._table_of_values(given or {}, 1)
            drawn = self._draw(asked, n, seeds, n_steps, columns)
            return self._whole(drawn.transpose(1, 0, 2), columns, n_steps)
        asked = self._some_columns(given)
        if columns is not None:
            return self._whole(self._draw(asked, n, seeds, n_steps, columns), columns, n_steps)
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
            n_draws: Of every missing cell.
            n_steps: Of the sampler; None for the configured number.
            random_state: Of the draws; None derives it from the seed of the fit.

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
            n_draws: Behind every score.
            n_steps: Of the sampler; None for the configured number.
            random_state: Of the draws; None derives it from the seed of the fit.

        Returns:
            One score for each row, smaller is better; unbiased in the number of draws.

        Raises:
            InputError: If a target is unknown or missing in some row.
        """
        fit = self._fitted()
        names = fit.codec.encoding.names
        if targets is None:
            targets = names if self._config.targets == "any" else self._config.targets
        at = [_index(name, names, "targets") for name in targets]
        data = self._read(X)
        truth, observed = fit.codec.to_model(data)
        lacking = [names[j] for j in at if not bool(observed[:, j].all())]
        if lacking:
            raise InputError(f"targets {lacking} have missing cells; rows without them score.")
        known = observed.clone()
        known[:, at] = False
        target = torch.zeros_like(known)
        target[:, at] = True
        z = self._chains(
            truth, Pattern(target, known), n_draws, self._seeds(random_state, 2), n_steps
        )
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
            random_state: Of the draws; None derives it from the seed of the fit.

        Returns:
            ``[1, n, d]``.

        Raises:
            InputError: If a name or level is unknown, or a graph has a cycle.
        """
        self._fitted()
        _check_count("n", n)
        seeds = self._seeds(random_state, 3)
        graphs, counts = self._distinct_graphs(dag, n, seeds)
        clamped = self._values_of(do, "do")
        parts = []
        for graph, count, stream in zip(graphs, counts, seeds.spawn(len(graphs)), strict=True):
            order = topological_order(torch.from_numpy(graph)).tolist()
            draw = self._conditional(stream)
            parts.append(draw_in_causal_order(graph, order, clamped, int(count), draw))
        rows = np.concatenate(parts)
        rows = rows[np.random.default_rng(seeds.spawn(1)[0]).permutation(len(rows))]
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
            random_state: Of the draws; None derives it from the seed of the fit.

        Returns:
            ``[n_draws, n, d]``.

        Raises:
            InputError: If a cell is missing, a name is unknown, or a category that the
                intervention would change has more than two levels: its noise has no rank.
        """
        fit = self._fitted()
        _check_count("n_draws", n_draws)
        names = fit.codec.encoding.names
        data = self._read(x)
        values = fit.codec.codes(data)
        if np.isnan(values).any():
            j = int(np.isnan(values).any(0).argmax())
            raise InputError(
                f"column {names[j]!r} has missing cells; a counterfactual needs the whole row. "
                "impute() draws them."
            )
        seeds = self._seeds(random_state, 4)
        rng = np.random.default_rng(seeds.spawn(1)[0])
        graphs, counts = self._distinct_graphs(dag, n_draws, seeds)
        clamped = self._values_of(do, "do")
        parts = []
        for graph, count, stream in zip(graphs, counts, seeds.spawn(len(graphs)), strict=True):
            parts.append(self._one_counterfactual(graph, values, clamped, int(count), stream, rng))
        return self._whole(np.concatenate(parts), None, None, do)

    # -- files ----------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the fitted model to a folder: safetensors and JSON. The table is not in it.

        Args:
            path: The folder; made if needed.
        """
        save_model(path, self._fitted(), self._config, self._entropy)

    @classmethod
    def load(cls, path: str | Path) -> DDDM:
        """Read a model written by :meth:`save`, onto the CPU.

        Args:
            path: The folder.

        Returns:
            A fitted estimator that gives the same seeded draws.
        """
        fit, config = load_model(path)
        made = cls(**{f.name: getattr(config, f.name) for f in fields(config)})
        made._take(fit, config)
        return made

    # -- inside ---------------------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags

    def _take(self, fit: Fitted, config: DDDMConfig) -> None:
        self._fit_result, self._config = fit, config
        self._entropy = int(fit.facts["seed"])
        self.n_features_in_ = fit.codec.d
        self.feature_names_in_ = np.array(fit.codec.encoding.names, dtype=object)
        self.history_ = fit.rows
        self.health_ = fit.facts

    def _fitted(self) -> Fitted:
        if not hasattr(self, "_fit_result"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError("this DDDM is not fitted yet; call fit(table) first.")
        return self._fit_result

    def _seeds(self, random_state: RandomState, question: int) -> np.random.SeedSequence:
        """Make the stream of a question; by default it depends on the fit's seed alone."""
        if random_state is not None:
            return seed_sequence(random_state)
        return np.random.SeedSequence([self._entropy, question])

    def _about(self, n_steps: int | None) -> dict[str, Any]:
        options = options_dict(self._config)
        return {**self._fitted().facts, "config": options, "n_steps": n_steps}

    def _read(self, X: Any) -> Dataset:
        if X is None:
            if not hasattr(self, "_data"):
                raise InputError(
                    "the table of the fit is not stored with a saved model; pass it: impute(X)."
                )
            return self._data
        data = read_table(X)
        names = self._fitted().codec.encoding.names
        if data.names != names and data.d == len(names) and data.source == "array":
            from dataclasses import replace

            return replace(data, names=names)
        extra = [name for name in data.names if name not in names]
        if extra:
            raise InputError(f"the fit had no columns {extra}; it had {list(names)}.")
        return data

    def _some_columns(self, given: Any) -> Dataset:
        """Fill columns that are not given with NaN."""
        from dataclasses import replace

        names = self._fitted().codec.encoding.names
        data = self._read(given)
        lacking = [name for name in names if name not in data.names]
        if not lacking:
            return data
        empty = np.full((data.n, len(lacking)), np.nan)
        return replace(
            data,
            values=np.concatenate([data.values, empty], 1),
            observed=np.concatenate([data.observed, np.zeros_like(empty, dtype=bool)], 1),
            names=(*data.names, *lacking),
            kinds=(*data.kinds, *("continuous" for _ in lacking)),
        )

    def _values_of(self, named: Mapping[str, Any], argument: str) -> dict[int, float]:
        """Values by column number; levels as codes."""
        codec = self._fitted().codec
        names = codec.encoding.names
        values: dict[int, float] = {}
        for name, value in named.items():
            j = _index(name, names, argument)
            levels = codec.encoding.levels[j]
            if levels:
                if str(value) not in levels:
                    raise InputError(
                        f"{argument}: column {name!r} has no level {value!r}; it has "
                        f"{list(levels)}."
                    )
                values[j] = float(levels.index(str(value)))
                continue
            try:
                values[j] = float(value)
            except (TypeError, ValueError):
                raise InputError(
                    f"{argument}: column {name!r} needs a number, got {value!r}."
                ) from None
            if not np.isfinite(values[j]):
                raise InputError(f"{argument}: column {name!r} needs a finite number.")
        return values

    def _table_of_values(self, named: Mapping[str, Any], n: int) -> Dataset:
        codec = self._fitted().codec
        values = np.full((n, codec.d), np.nan)
        for j, value in self._values_of(named, "given").items():
            values[:, j] = value
        return codec.dataset(values)

    def _draws_of(
        self, data: Dataset, n: int, seeds: np.random.SeedSequence, n_steps: int | None
    ) -> Draws:
        codec = self._fitted().codec
        given = codec.codes(data)
        drawn = self._draw(data, n, seeds, n_steps)
        return Draws.of_cells(
            given,
            drawn[:, np.isnan(given)],
            names=codec.encoding.names,
            levels=codec.levels,
            max_megabytes=self._config.max_megabytes,
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
        codec = self._fitted().codec
        names = codec.encoding.names
        kept = names if columns is None else tuple(columns)
        at = [_index(name, names, "columns") for name in kept]
        about = self._about(n_steps)
        if do is not None:
            about["do"] = {k: str(v) for k, v in do.items()}
        return Draws.of_values(
            values[..., at],
            names=kept,
            levels={k: v for k, v in codec.levels.items() if k in kept},
            max_megabytes=self._config.max_megabytes,
            diagnostics=about,
        )

    def _draw(
        self,
        data: Dataset,
        n: int,
        seeds: np.random.SeedSequence,
        n_steps: int | None,
        columns: Sequence[str] | None = None,
    ) -> Float[np.ndarray, "n rows d"]:
        """Draw what is missing; in the user's units, with given cells unchanged."""
        codec = self._fitted().codec
        z, observed = codec.to_model(data)
        pattern = pattern_of(observed.numpy())
        if columns is not None:
            asked = torch.zeros(codec.d, dtype=torch.bool)
            asked[[_index(name, codec.encoding.names, "columns") for name in columns]] = True
            pattern = Pattern(pattern.target & asked, pattern.context)
        drawn = self._chains(z, pattern, n, seeds, n_steps)
        values = codec.to_user(drawn.numpy())
        return np.where(observed.numpy(), codec.codes(data), values)

    def _chains(
        self,
        z: torch.Tensor,
        pattern: Pattern,
        n: int,
        seeds: np.random.SeedSequence,
        n_steps: int | None,
    ) -> Float[torch.Tensor, "n rows w"]:
        fit = self._fitted()
        generator = torch_generator(seeds, fit.device)
        self._check_learned(pattern)
        # Rows in front, so that one call of the network serves rows and draws alike.
        rows = z.repeat(n, 1)
        roles = Pattern(*(mask.repeat(n, 1) for mask in pattern))
        drawn = draw_targets(fit, self._config, rows, roles, generator, n_steps)
        return drawn.unflatten(0, (n, len(z)))

    def _check_learned(self, pattern: Pattern) -> None:
        """Refuse questions that the fit was not trained for."""
        patterns = self._fitted().patterns
        if patterns is None:
            return
        names = self._fitted().codec.encoding.names
        asked = pattern.target.any(0)
        possible = patterns.target.any(0)
        if bool((asked & ~possible).any()):
            strange = [n for n, a, p in zip(names, asked, possible, strict=True) if a and not p]
            raise InputError(
                f"columns {strange} were asked for, but this model was fitted to draw "
                f"{[n for n, p in zip(names, possible, strict=True) if p]} only; fit with "
                "targets='any' and without a dag, or name the columns to draw: sample(columns=...)."
            )

    def _conditional(self, stream: np.random.SeedSequence) -> Any:
        """Make the function that draws a node given its parents."""
        fit = self._fitted()
        codec = fit.codec
        generator = torch_generator(stream, fit.device)

        def draw(
            node: int, parents: list[int], rows: Float[np.ndarray, "n d"], k: int
        ) -> Float[np.ndarray, "n k"]:
            seen = np.full_like(rows, np.nan)
            seen[:, parents] = rows[:, parents]
            z, known = codec.to_model(codec.dataset(seen))
            target = torch.zeros_like(known)
            target[:, node] = True
            roles = Pattern(target.repeat(k, 1), known.repeat(k, 1))
            self._check_learned(roles)
            drawn = draw_targets(fit, self._config, z.repeat(k, 1), roles, generator)
            values = codec.to_user(drawn.numpy())[:, node]
            return values.reshape(k, len(rows)).T

        return draw

    def _distinct_graphs(
        self, dag: Any, n: int, seeds: np.random.SeedSequence
    ) -> tuple[Bool[np.ndarray, "g d d"], np.ndarray]:
        """Share n draws among the graphs."""
        names = self._fitted().codec.encoding.names
        rng = np.random.default_rng(seeds.spawn(1)[0])
        graphs = graphs_of(dag, names, n, rng)
        if len(graphs) > n:
            graphs = graphs[rng.choice(len(graphs), n, replace=False)]
        distinct, at = np.unique(graphs, axis=0, return_inverse=True)
        shares = np.bincount(at.ravel(), minlength=len(distinct)) / len(graphs)
        counts = np.floor(shares * n).astype(int)
        counts[rng.permutation(len(counts))[: n - counts.sum()]] += 1
        return distinct[counts > 0], counts[counts > 0]

    def _one_counterfactual(
        self,
        graph: Bool[np.ndarray, "d d"],
        values: Float[np.ndarray, "n d"],
        clamped: Mapping[int, float],
        n_draws: int,
        stream: np.random.SeedSequence,
        rng: np.random.Generator,
    ) -> Float[np.ndarray, "s n d"]:
        codec = self._fitted().codec
        n = len(values)
        order = topological_order(torch.from_numpy(graph)).tolist()
        closure = transitive_closure(torch.from_numpy(graph))
        reached = closure[list(clamped)].any(0).tolist()
        draw = self._conditional(stream)
        out = np.repeat(values[None], n_draws, 0)
        for node in order:
            if node in clamped:
                out[..., node] = clamped[node]
                continue
            if not reached[node]:
                continue
            if len(codec.encoding.levels[node]) > 2:
                raise InputError(
                    f"column {codec.encoding.names[node]!r} has more than two levels, which have "
                    "no order: its counterfactual is not identified. sample_do() draws it anew."
                )
            parents = np.flatnonzero(graph[:, node]).tolist()
            factual = draw(node, parents, values, _RANK_DRAWS)
            # Rows whose parents agree share their draws: most do unless a chain lies between.
            rows = out.reshape(-1, out.shape[-1])
            _, first, at = np.unique(
                rows[:, parents], axis=0, return_index=True, return_inverse=True
            )
            elsewhere = draw(node, parents, rows[first], _RANK_DRAWS)[at.ravel()]
            other = elsewhere.reshape(n_draws, n, _RANK_DRAWS).transpose(1, 0, 2)
            carried = abduct_by_rank(values[:, node], factual, other, rng).T
            discrete = codec.kinds[node] != "continuous"
            out[..., node] = np.round(carried) if discrete else carried
        return out


def _index(name: str, names: Sequence[str], argument: str) -> int:
    if name not in names:
        raise InputError(f"{argument}: {name!r} is not a column.{nearest(str(name), list(names))}")
    return list(names).index(name)


def _check_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"{name} must be a positive integer, got {value!r}.")


def _check_table(data: Dataset) -> None:
    if data.n < _SMALLEST_TABLE:
        raise InputError(
            f"the table has {data.n} row(s) (n_samples = {data.n}); at least {_SMALLEST_TABLE} are "
            "needed to learn a law."
        )
    for name, seen in zip(data.names, data.observed.T, strict=True):
        if not seen.any():
            raise InputError(
                f"column {name!r} has no observed value in {data.n} rows, so nothing can be said "
                "about it. Drop the column."
            )

"""RC-GNN: causal graphs of sensors that are noisy, drift, fall silent and change regime."""

from __future__ import annotations

import time as clock
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import Tags

from aetia.data import (
    Recordings,
    SensorScaling,
    Windows,
    as_windows,
    place_rows,
    split_windows,
)
from aetia.devices import pick_device
from aetia.discovery.rcgnn.answer import Answer
from aetia.discovery.rcgnn.calibration import calibrated
from aetia.discovery.rcgnn.config import RCGNNConfig
from aetia.discovery.rcgnn.linear import fit_linear
from aetia.discovery.rcgnn.neural import fit_resamples
from aetia.discovery.rcgnn.recordings.blocks import RecordingBlocks, cut_blocks
from aetia.discovery.table import Accepts, statements_of
from aetia.errors import DataWarning, InputError
from aetia.graphs import Constraints, Knowledge
from aetia.options import options_dict
from aetia.randomness import RandomState, seed_of, seed_sequence
from aetia.results import GraphPosterior, RunFacts

__all__ = ["RCGNN"]


class RCGNN(BaseEstimator):
    """Find the causal graph behind corrupted, multi-regime sensor recordings.

    The model is a structural autoregression of *clean* states, with edges within a step (acyclic)
    and at earlier steps, that sensors read with noise, drift, outliers and gaps. Gaps are never
    filled by interpolation, which looks into the future and manufactures edges. Edges are stable
    selections over half-samples; their frequencies are no posterior (``posterior_.kind`` is
    ``"resampling"``).

    Args:
        backend: How graphs are found: ``"linear"`` searches in the moments of clean states, in
            seconds; ``"neural"`` trains one network for each sensor behind gates, for curved
            effects, in minutes; ``"as-published"`` is the prototype, whose graph sees no data, for
            comparison only.
        n_lags: Longest lag of an edge, in steps; raise it when causes act later. Each lag adds as
            many candidate causes as there are sensors.
        n_resamples: Number of half-samples in which the linear back end searches a graph; more make
            selection frequencies finer and take proportionally longer.
        n_refits: Number of fits of the neural back end, one to all data and the others to
            half-samples; selection frequencies come in steps of one over this number.
        validation_share: Share of each regime that the first fit of the neural back end is scored
            on and not trained on, a block apart from the rest; scales are measured on the training
            part too. Raise it above 0 to compare options by the held-out loss.
        resample_share: Share of the blocks of each regime that a resample holds; a smaller one
            makes selection more demanding.
        block_length: Number of steps of a block, which is resampled as a whole and smoothed on its
            own; ``"auto"`` takes a fortieth of all steps, at least 20 and at most 50. Raise it when
            readings remember longer than that.
        penalty: Penalty weight of an edge in the search, in BIC units: 1 is the Bayesian
            information criterion, and a larger one gives fewer edges.
        threshold: Smallest selection frequency of an edge of the graph; a larger one gives fewer,
            more stable edges. ``"auto"`` is .8 for the linear back end and .4 for the neural one;
            ``"held-out"`` (linear back end) takes, of 0, .05, ..., 1, the one whose graph predicts
            held-out blocks best, and of those within one standard error the sparsest.
        feedback_threshold: Smallest selection frequency from which the rarer of two opposite edges
            i -> j and j -> i stays in the graph; below it only the more frequent one does, because
            noise on a cause makes the past of its effects look useful.
        drift: Whether sensors have a slow error of their own; ``"auto"`` decides by the likelihood.
            Set it to false when sensors are known to be stable: states are then half as many, and
            slow changes are all taken for real.
        outlier_score: Distance of a reading from what all others say, in standard deviations, from
            which it is flagged as an outlier and left out; None keeps all readings. Where many are
            flagged, the noise of the others has heavy tails (Student t). Raise it when real events
            are flagged.
        n_imputations: Number of fits with other noise variances of the sensors, over which edges
            must be stable too; more are slower and guard better against a wrong variance.
        imputation_spread: Standard deviation of the logarithm of the sensors' noise variances over
            the fits of ``n_imputations``; 0 takes the fitted variances for certain.
        season: Number of steps of a period, or of several periods, whose profile is subtracted from
            each sensor first and added again to what is imputed; None subtracts nothing. Hourly
            readings that follow the day have 24.
        neural: Options of the neural back end, as a mapping or ``NeuralOptions`` (of the prototype,
            ``PublishedOptions``); None takes the defaults.
        random_state: Source of randomness: None, an integer, or a generator; the same integer gives
            the same result.
        device: Where the neural back end computes: ``"auto"``, ``"cpu"``, ``"cuda"``, ...; the
            linear one runs on the CPU.
        progress: Whether to show a progress bar; None shows it in terminals.

    Attributes:
        posterior_: Graphs of the half-samples: ``graphs`` within the step, ``lagged`` before it.
        adjacency_: ``[d, d]``, the graph within the step; always acyclic.
        lagged_adjacency_: ``[lags, d, d]``; diagonals are a sensor's own past.
        summary_graph_: ``[d, d]``, edges at any lag.
        edge_probability_: ``[d, d]``, selection frequency of edges within the step.
        lagged_probability_: ``[lags, d, d]``, selection frequency of lagged edges.
        summary_probability_: ``[d, d]``, selection frequency of an edge at any lag.
        calibrated_probability_: ``[d, d]``, what that frequency was worth on simulated recordings;
            None for the neural back end, whose frequencies are not calibrated.
        weights_: ``[1 + lags, d, d]``, direct effects in units of the effect per unit of the cause;
            None for the neural back end.
        edge_support_: ``[d, d]``, how well each edge at any lag is supported: for the linear back
            end its probability given the rest of the graph, averaged over half-samples, which
            ranks edges that were never selected; for the neural one that of its gates.
        regime_deltas_: ``[regimes, 1 + lags, d, d]``, what each regime adds to the weights (of the
            neural back end: to the slopes of the linear part of its mechanisms).
        noise_variance_: ``[regimes, d]``, variance of what the causes of a sensor leave
            unexplained, in the square of its units.
        imputed_: Readings in the shape of ``windows_.values``, in the user's units, and where
            there is none its mean given all others.
        imputed_sd_: Standard deviation, in the user's units, with which a reading there is known
            from all others (the model taken as true); 0 where there is a reading.
        clean_: States behind all readings, in the user's units.
        outliers_: True for readings that were flagged as outliers, in the shape of
            ``windows_.values``.
        sensor_noise_: Standard deviation of each sensor's white noise, in its units.
        drift_sd_: Standard deviation of what each sensor's drift moves in a step, in its units;
            None without drift.
        information_: Share of what is new in each sensor at a step that the readings determine.
        changed_mechanisms_: ``[regimes, d]``, whose mechanism differs in a regime.
        residual_invariance_: ``[regimes, d]``, p-values of residuals as in the other regimes.
        regime_names_: Labels of the regimes, in the order of everything by regime.
        threshold_: The threshold in force.
        windows_: The recordings as they were read, one window per unbroken stretch (or the windows
            that ``fit`` was given).
        facts_: Method, seed, version, device, time, steps and options of the fit.
        health_: Facts about it: rows, regimes, share of cells that were observed, size of the
            sensors' noise, whether they drift, outliers, threshold and edges; the diagnostics of
            the posterior.
        history_: Rows of the record of training (empty for the linear back end).
        findings_: What these rows say, in words.
        training_summary_: Options, time and outcome of that training.
        n_features_in_: Number of sensors.
        feature_names_in_: Names of the sensors.

    Example:
        >>> from aetia.scm import random_structural_var
        >>> truth = random_structural_var(4, 3, random_state=0)
        >>> recordings, graph = truth.sample(20, 50, random_state=1)
        >>> fitted = RCGNN(n_resamples=20, random_state=0).fit(recordings)
        >>> bool((fitted.summary_graph_ == graph.summary_graph).mean() > 0.8)
        True
    """

    accepts = Accepts(
        kinds=("continuous", "binary", "count"), missing=True, interventions=False, regimes=True
    )

    def __init__(
        self,
        backend: Literal["linear", "neural", "as-published"] = "linear",
        n_lags: int = 1,
        n_resamples: int = 50,
        n_refits: int = 5,
        validation_share: float = 0.0,
        resample_share: float = 0.5,
        block_length: int | Literal["auto"] = "auto",
        penalty: float = 2.0,
        threshold: float | Literal["auto", "held-out"] = "auto",
        feedback_threshold: float = 0.97,
        drift: bool | Literal["auto"] = "auto",
        outlier_score: float | None = 4.0,
        n_imputations: int = 5,
        imputation_spread: float = 0.4,
        season: Any = None,
        neural: Any = None,
        random_state: RandomState = None,
        device: str = "auto",
        progress: bool | None = None,
    ) -> None:
        self.backend = backend
        self.n_lags = n_lags
        self.n_resamples = n_resamples
        self.n_refits = n_refits
        self.validation_share = validation_share
        self.resample_share = resample_share
        self.block_length = block_length
        self.penalty = penalty
        self.threshold = threshold
        self.feedback_threshold = feedback_threshold
        self.drift = drift
        self.outlier_score = outlier_score
        self.n_imputations = n_imputations
        self.imputation_spread = imputation_spread
        self.season = season
        self.neural = neural
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        observed: Any = None,
        intervened: Any = None,
        regime: Any = None,
        time: str | None = None,
        series: str | None = None,
        knowledge: Knowledge | Mapping[str, Any] | None = None,
        folder: str | Path | None = None,
        evaluator: Callable[[np.ndarray, np.ndarray], Mapping[str, float]] | None = None,
    ) -> RCGNN:
        """Fit to recordings.

        Args:
            X: ``[n, d]``, one recording; ``[windows, time, d]``, one recording each; a list of
                arrays; a table or its path, with the columns named below; ``Recordings``, as
                ``aetia.data.place_rows`` returns them; or ``Windows``.
            y: Ignored; scikit-learn passes it.
            observed: True where a value was seen, in the shape of X; NaN says the same.
            intervened: Not accepted; a change of conditions is a regime.
            regime: Regime of each row (of a table: the name of a column) or of each window.
            time: Name of the column with times.
            series: Name of the column that identifies the recordings.
            knowledge: What is known about the graph; it holds at every lag, and a required edge is
                in at one lag at least. A variable's own past is always free.
            folder: Folder in which the neural back end keeps its record and checkpoints while it
                trains.
            evaluator: Takes the summary graph and its edge probabilities while the neural back end
                trains, and returns numbers for its record, which nothing in the fit reads.

        Returns:
            The fitted estimator.

        Raises:
            InputError: If recordings, options or knowledge cannot be used.
        """
        started = clock.perf_counter()
        config = RCGNNConfig(**{f.name: getattr(self, f.name) for f in fields(RCGNNConfig)})
        if intervened is not None and not self.accepts.interventions:
            raise InputError(
                "RCGNN does not accept intervened=. Mark the rows in which something was set as a "
                "regime of their own: regime=."
            )
        recordings, windows = _read(X, observed, time, series, regime, config.season)
        statements = statements_of(knowledge)
        constraints = _constraints(statements, windows.names)
        blocks, split = cut_blocks(recordings, config.block_length, config.n_lags), None
        share = config.validation_share
        if share > 0:
            split = split_windows(blocks, fractions=(1 - share, share, 0.0))
        # Scales are measured on training blocks only: validation blocks must not shape the fit.
        scaling = SensorScaling.fit(blocks, None if split is None else split.train)
        blocks = blocks.scaled(scaling)
        _warn_of_rare_readings(blocks)
        seeds = seed_sequence(self.random_state)
        vars(self).pop("posterior_", None)  # a failed fit must not leave the answer of another
        self.n_features_in_ = windows.d
        self.feature_names_in_ = np.array(windows.names, dtype=object)
        self.windows_ = windows
        device = pick_device(self.device) if config.backend != "linear" else torch.device("cpu")
        if config.backend == "linear":
            answer = fit_linear(blocks, config, constraints, seeds)
        else:
            answer = fit_resamples(
                blocks,
                config,
                constraints,
                seeds,
                device=device,
                progress=self.progress,
                split=split,
                folder=None if folder is None else Path(folder),
                evaluator=evaluator,
                facts=_column_facts(scaling),
            )
        self._keep(answer, blocks, windows, scaling)
        self.facts_ = RunFacts(
            method="rcgnn",
            seed=seed_of(seeds),
            device=str(device),
            seconds=clock.perf_counter() - started,
            n_steps=answer.n_steps,
            config=options_dict(config),
        )
        self.posterior_ = self._posterior(answer, blocks, statements)
        self.health_ = dict(self.posterior_.diagnostics)
        self.history_ = [dict(row) for row in answer.history]
        return self

    def _posterior(
        self, answer: Answer, blocks: RecordingBlocks, statements: Knowledge
    ) -> GraphPosterior:
        """Make the graphs of all resamples, equally weighted, what users get back."""
        return GraphPosterior(
            graphs=answer.within,
            lagged=answer.lagged,
            log_weights=np.full(len(answer.within), -np.log(len(answer.within))),
            names=self.windows_.names,
            kind="resampling",
            knowledge=statements,
            facts=self.facts_,
            diagnostics={
                "backend": self.backend,
                "n_rows": blocks.n_steps,
                "n_regimes": len(np.unique(blocks.regime)),
                "observed_share": float(self.windows_.observed.mean()),
                **answer.facts,
                "threshold": self.threshold_,
                "n_edges": int(self.summary_graph_.sum()),
                "share_cyclic": 0.0,
            },
        )

    def _keep(
        self, answer: Answer, blocks: RecordingBlocks, windows: Windows, scaling: SensorScaling
    ) -> None:
        """Translate an answer into the user's units and the shape of the windows."""

        def cells(scaled: np.ndarray) -> np.ndarray:
            return blocks.into_windows(scaling.undo(scaled), windows) + windows.seasonal()

        self.threshold_ = answer.threshold
        self.adjacency_ = answer.deployed.within
        self.lagged_adjacency_ = answer.deployed.lagged
        self.summary_graph_ = answer.deployed.summary
        self.edge_probability_ = answer.frequencies.by_lag[0]
        self.lagged_probability_ = answer.frequencies.by_lag[1:]
        self.summary_probability_ = answer.frequencies.any_lag
        self.calibrated_probability_ = None
        if self.backend == "linear":
            own = np.eye(windows.d, dtype=bool)
            self.calibrated_probability_ = np.where(own, 0.0, calibrated(self.summary_probability_))
        self.edge_support_ = 1 - (1 - answer.support).prod(0)
        np.fill_diagonal(self.edge_support_, 0.0)
        to_user = scaling.scale / scaling.scale[:, None]
        self.weights_ = None if answer.weights is None else answer.weights * to_user
        self.regime_deltas_ = answer.deltas * to_user
        self.changed_mechanisms_ = answer.changed
        self.noise_variance_ = answer.noise_variance * scaling.scale**2
        self.residual_invariance_ = answer.invariance
        self.sensor_noise_ = answer.sensor_noise * scaling.scale
        self.clean_ = cells(answer.clean)
        given = windows.values + windows.seasonal()
        self.imputed_ = np.where(windows.observed, given, cells(answer.noiseless))
        spread = blocks.into_windows(answer.reading_sd * scaling.scale, windows)
        self.imputed_sd_ = np.where(windows.observed, 0.0, spread)
        self.outliers_ = blocks.into_windows(answer.outliers.astype(float), windows) > 0
        self.drift_sd_ = None if answer.drift_sd is None else answer.drift_sd * scaling.scale
        self.information_ = answer.information
        self.regime_names_ = blocks.regime_names
        self.findings_ = list(answer.findings)
        self.training_summary_ = dict(answer.training)


def _read(
    X: Any,
    observed: Any,
    time: str | None,
    series: str | None,
    regime: Any,
    season: Any,
) -> tuple[Recordings, Windows]:
    """Read recordings, and the windows in whose shape the answers are given."""
    if isinstance(X, Windows):
        windows = as_windows(
            X, observed=observed, time=time, series=series, regime=regime, season=season
        )
        return Recordings.of_windows(windows), windows
    recordings = place_rows(
        X, observed=observed, time=time, series=series, regime=regime, season=season
    )
    return recordings, recordings.windows


def _constraints(statements: Knowledge, names: tuple[str, ...]) -> Constraints:
    """Forbid that a variable causes itself within a step; its own past is always free."""
    constraints = statements.constraints(names)
    own = torch.eye(len(names), dtype=torch.bool)
    return constraints._replace(forbidden=constraints.forbidden | own)


def _column_facts(scaling: SensorScaling) -> dict[str, Any]:
    """Say in a checkpoint what the network was given."""
    centre, scale = scaling.centre.tolist(), scaling.scale.tolist()
    return {"data_stats": {"X_mean": centre, "X_std": scale, "n_features": len(centre)}}


def _warn_of_rare_readings(blocks: RecordingBlocks) -> None:
    n_seen, d = blocks.observed.sum((0, 1)), len(blocks.names)
    few = int(n_seen.argmin())
    if n_seen[few] < 5 * d:
        warnings.warn(
            f"sensor {blocks.names[few]!r} has {n_seen[few]:,} readings in {blocks.n_steps:,} "
            f"steps for {d} sensors; its edges will hardly be found. Leave it out, or record "
            "longer.",
            DataWarning,
            stacklevel=3,
        )

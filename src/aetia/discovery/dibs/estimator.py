"""DiBS: differentiable Bayesian structure learning (Lorch et al., NeurIPS 2021)."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from aetia.data import Scaling
from aetia.devices import pick_device
from aetia.discovery.dibs.badge import calibration_badge
from aetia.discovery.dibs.config import DiBSConfig
from aetia.discovery.dibs.particles import distinct_graphs, particle_log_weights
from aetia.discovery.dibs.run import ParticleRun
from aetia.discovery.dibs.trace import Trace
from aetia.discovery.table import Accepts, DiscoveryTable, read_table
from aetia.errors import (
    ConvergenceError,
    ConvergenceWarning,
    DataWarning,
    InputError,
    SortabilityWarning,
)
from aetia.graphs import Knowledge, is_acyclic, varsortability
from aetia.likelihoods import LIKELIHOODS, MLP, LinearGaussian
from aetia.not_fitted import check_fitted
from aetia.options import choose, options_dict
from aetia.randomness import RandomState, seed_of, seed_sequence
from aetia.results import GraphPosterior, LinearModel, RunFacts

__all__ = ["DiBS"]


class DiBS(BaseEstimator):
    """Sample graphs (and parameters) from their posterior by Stein variational gradient descent.

    Every option is described in :class:`aetia.discovery.dibs.config.DiBSConfig`.

    Args:
        likelihood: How a table is scored given a graph: ``"bge"`` integrates linear effects out;
            ``"linear"`` and ``"mlp"`` (curved effects) draw their parameters along with the graph;
            or a mapping with ``name`` and options, or an object with ``on``.
        n_particles: Number of graphs that are moved together and make up the posterior; more show
            more modes, at a cost of time and memory in proportion.
        n_steps: Number of optimiser updates of the particles; raise it when many particles are
            cyclic or the trace still moves.
        prior: Structure prior: ``"erdos-renyi"`` (about two edges a variable), ``"scale-free"``
            (few variables with many effects), ``"uniform"``, or a distribution of graphs of your
            own.
        estimator: How the gradient in the latent variables Z is estimated: ``"score"`` needs only
            values of the likelihood, ``"reparam"`` also its derivatives and has less variance;
            ``"auto"`` is ``"score"`` for marginal likelihoods, else ``"reparam"``.
        gradient_weights: Whether Monte Carlo graphs are weighted by one softmax for each variable
            (``"node"``, less variance) or by one for the whole graph (``"joint"``, the original).
        n_likelihood_graphs: Number of Monte Carlo graphs for each particle and step in the gradient
            of the likelihood; more are slower and less noisy.
        n_acyclicity_graphs: Number of Monte Carlo graphs for each particle and step in the gradient
            of the acyclicity term; they are the first of those of the likelihood, so more than
            those cost random numbers.
        acyclicity: Measure of cycles whose expectation is penalised: ``"power"`` (the original),
            ``"expm"``, ``"logdet"`` or ``"spectral"``. All are 0 exactly on acyclic graphs.
        alpha: Schedule of the inverse temperature that hardens the edge probabilities, or a number,
            its final value; ``"auto"`` rises linearly to 200 (BGe), 100 (linear) or 60 (other
            likelihoods).
        beta: Schedule of the weight of the acyclicity term, or a number, its final value;
            ``"auto"`` rises linearly to 2,000. Raise it when many particles are cyclic.
        embedding: Whether edge scores are inner products of two vectors for each variable (the
            original); otherwise Z is the matrix of edge scores itself.
        n_latent: Number of dimensions of the embedding; fewer than the number of columns, which
            ``"auto"`` takes, restrict the graphs to low rank.
        latent_prior_std: Standard deviation of the normal prior of Z; ``"auto"`` is ``1 /
            sqrt(n_latent)``, or 1 without the embedding.
        temperature: Factor inside the sigmoid of soft graphs (tau in the paper); larger makes them
            harder and their gradients noisier.
        kernel: Kernel that keeps particles apart: ``"fixed"`` or ``"median"`` length scale, or a
            kernel of your own; ``"auto"`` is a fixed one, h = 5 for Z and 500 for parameters.
        optimiser: Update rule of the particles: ``"rmsprop"``, ``"adam"``, ``"ascent"`` (plain
            steps), a mapping with ``name`` and options such as ``step_size``, or a rule of your
            own.
        batch_size: Number of rows of a step, whose log-likelihood is scaled to all rows; None takes
            all. Set it when a step over all rows is too slow.
        particle_weights: How particles are weighted: ``"empirical"`` alike, ``"mixture"`` by their
            joint density, ``"evidence"`` by the marginal likelihood of the graph; ``"auto"`` is
            ``"evidence"`` where that has a closed form, else ``"mixture"``.
        n_settling_steps: Number of updates of the parameters alone, where they cannot be integrated
            out: before the run with every edge present, and before weights by joint density with
            the final graph of each particle. 0 starts from draws of the prior and weighs what the
            run left (the original).
        scaling: How columns are scaled first: ``"standardise"``, ``"centre"`` or ``"none"``;
            ``"auto"`` standardises for BGe and for networks with learned noise, and only centres
            where one fixed noise variance identifies the graph, which scaling would hurt.
        trace_every: Number of steps between rows of the trace in ``history_``; 0 records nothing
            and is fastest.
        random_state: None, an integer or a NumPy generator.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        progress: Whether to show a progress bar; None shows it in terminals.
        callback: Called as ``callback(step, row)`` with every recorded row of the trace; without
            ``trace_every`` about a hundred times.

    Attributes:
        posterior_: The :class:`~aetia.results.GraphPosterior`.
        particles_: Latent variables and parameters of all particles, cyclic ones included.
        facts_: What is known about the run: seed, version, device, time, steps, configuration.
        health_: Cyclic particles, weights, sortability, ...; the diagnostics of the posterior.
        history_: The recorded steps, one row each; empty unless ``trace_every`` is set.
        n_features_in_: Number of columns.
        feature_names_in_: Their names; x0, x1, ... for arrays.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> cause = rng.normal(size=200)
        >>> table = np.column_stack([cause, 2 * cause + rng.normal(size=200)])
        >>> fitted = DiBS(n_particles=5, n_steps=100, random_state=0).fit(table)
        >>> fitted.posterior_.edge_probabilities().shape
        (2, 2)
    """

    accepts = Accepts()

    def __init__(
        self,
        likelihood: Any = "bge",
        n_particles: int = 30,
        n_steps: int = 2000,
        prior: Any = "erdos-renyi",
        estimator: Literal["auto", "score", "reparam"] = "auto",
        gradient_weights: Literal["node", "joint"] = "node",
        n_likelihood_graphs: int = 128,
        n_acyclicity_graphs: int = 32,
        acyclicity: str = "power",
        alpha: Any = "auto",
        beta: Any = "auto",
        embedding: bool = True,
        n_latent: int | str = "auto",
        latent_prior_std: float | str = "auto",
        temperature: float = 1.0,
        kernel: Any = "auto",
        optimiser: Any = "rmsprop",
        batch_size: int | None = None,
        particle_weights: str = "auto",
        n_settling_steps: int = 500,
        scaling: Scaling = "auto",
        trace_every: int = 0,
        random_state: RandomState = None,
        device: str = "auto",
        progress: bool | None = None,
        callback: Callable[[int, Mapping[str, float]], None] | None = None,
    ) -> None:
        self.likelihood = likelihood
        self.n_particles = n_particles
        self.n_steps = n_steps
        self.prior = prior
        self.estimator = estimator
        self.gradient_weights = gradient_weights
        self.n_likelihood_graphs = n_likelihood_graphs
        self.n_acyclicity_graphs = n_acyclicity_graphs
        self.acyclicity = acyclicity
        self.alpha = alpha
        self.beta = beta
        self.embedding = embedding
        self.n_latent = n_latent
        self.latent_prior_std = latent_prior_std
        self.temperature = temperature
        self.kernel = kernel
        self.optimiser = optimiser
        self.batch_size = batch_size
        self.particle_weights = particle_weights
        self.n_settling_steps = n_settling_steps
        self.scaling = scaling
        self.trace_every = trace_every
        self.random_state = random_state
        self.device = device
        self.progress = progress
        self.callback = callback

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        intervened: Any = None,
        regime: Any = None,
        knowledge: Knowledge | Mapping[str, Any] | None = None,
    ) -> DiBS:
        """Sample the posterior over graphs of a table.

        Args:
            X: A frame, array, Dataset, or path of a CSV or Parquet file.
            y: Ignored; scikit-learn passes it.
            intervened: What was set by intervention: a boolean table, or the name of a column.
            regime: Not accepted by DiBS.
            knowledge: What is known about the graph.

        Returns:
            The fitted estimator, with ``posterior_``.

        Raises:
            InputError: If table, options or knowledge cannot be used.
            NumericalError: If the particles become NaN or infinite.
            ConvergenceError: If every particle is cyclic; ``particles_`` is kept.
        """
        started = time.perf_counter()
        config = DiBSConfig(**{f.name: getattr(self, f.name) for f in fields(DiBSConfig)})
        likelihood = choose("likelihood", config.likelihood, LIKELIHOODS, needs="on")
        scaling: Scaling = config.scaling
        if scaling == "auto":
            scaling = getattr(likelihood, "scaling", "centre")
        table = read_table(
            X,
            method="DiBS",
            accepts=self.accepts,
            scaling=scaling,
            intervened=intervened,
            regime=regime,
            knowledge=knowledge,
        )
        self.n_features_in_ = table.data.d
        self.feature_names_in_ = np.array(table.data.names, dtype=object)
        _check_noise_scale(likelihood, table)
        _warn_of_units(likelihood, scaling)
        seeds = seed_sequence(self.random_state)
        device = pick_device(self.device)
        run = ParticleRun(config, likelihood, table, device)
        vars(self).pop("posterior_", None)  # a failed fit must not leave the answer of another
        self.particles_, trace = run.sample(seeds, self.progress, self.callback)
        self._likelihood, self._table, self._config = likelihood, table, config
        graphs = run.graphs(self.particles_["z"])
        # Acyclicity is only a penalty while particles move; what is still cyclic in the end is no
        # draw of the posterior.
        acyclic = is_acyclic(graphs)
        n_cyclic = int((~acyclic).sum())
        _report_cycles(n_cyclic, config, run.largest_penalty(graphs))
        kept = {k: v[acyclic] for k, v in self.particles_.items() if k != "z"}
        posterior = self._posterior(run, graphs[acyclic], kept, trace)
        facts = {
            **posterior.diagnostics,
            "likelihood": getattr(likelihood, "name", type(likelihood).__name__),
            "calibration_badge": calibration_badge(getattr(likelihood, "name", "custom")),
            "n_rows": table.data.n,
            "share_cyclic": n_cyclic / config.n_particles,
            "n_cyclic": n_cyclic,
            "ess_weights": posterior.ess,
            "n_distinct": len(posterior.distinct()[0]),
            "scaling": scaling,
            "varsortability_of_consensus": _sortability(posterior, table),
        }
        self.facts_ = RunFacts(
            method="dibs",
            seed=seed_of(seeds),
            device=str(device),
            seconds=time.perf_counter() - started,
            n_steps=config.n_steps,
            config=options_dict(config),
        )
        self.posterior_ = replace(posterior, facts=self.facts_, diagnostics=facts)
        self.health_ = facts
        self.history_ = [row | {"step": int(row["step"])} for row in trace.rows]
        return self

    def log_likelihood(
        self,
        X: Any,
        *,
        intervened: Any = None,
        kind: Literal["average", "predictive"] = "average",
    ) -> float:
        """Score held-out rows, observational or interventional.

        Args:
            X: A table with the same columns.
            intervened: What was set by intervention: a boolean table, or the name of a column.
            kind: ``"average"``: the weighted mean of log p(rows | graph, parameters), or, for a
                marginal likelihood, of the log evidence of the held-out rows alone, as in the
                original. ``"predictive"``: log of the weighted mean of the density, with the
                evidence of the held-out rows *given* the training rows for a marginal
                likelihood.

        Returns:
            A sum over the rows, in nats; never with the prior of the parameters.

        Raises:
            InputError: If the columns differ or the estimator is not fitted.
        """
        table, likelihood = self._fitted_table(), self._likelihood
        held_out = read_table(
            X, method="DiBS", accepts=self.accepts, scaling="none", intervened=intervened
        )
        if held_out.data.names != table.data.names:
            raise InputError(
                f"the held-out table has columns {list(held_out.data.names)}, the fit had "
                f"{list(table.data.names)}."
            )
        x = (held_out.x - table.centre) / table.scale
        p = self.posterior_
        graphs, log_weights = torch.from_numpy(p.graphs), torch.from_numpy(p.log_weights)
        bound = likelihood.on(x, held_out.intervened)
        if bound.parameters:
            parameters = {k: v.double() for k, v in self._kept_parameters.items()}
            values = bound.node_log_likelihoods(graphs.double().unsqueeze(1), parameters)
            values = values.squeeze(1).sum(-1)
        elif kind == "average":
            values = bound.node_scores(graphs).sum(-1)
        else:
            both = likelihood.on(torch.cat([table.x, x]), _stack(table, held_out))
            before = likelihood.on(table.x, table.intervened)
            values = (both.node_scores(graphs) - before.node_scores(graphs)).sum(-1)
        # Back to the user's units: a density in scaled units is scale times smaller.
        counted = len(x) if held_out.intervened is None else (~held_out.intervened).sum(0).double()
        values = values - float((counted * table.scale.log()).sum())
        if kind == "predictive":
            return float((log_weights + values).logsumexp(0))
        return float((log_weights.exp() * values).sum())

    def _posterior(
        self, run: ParticleRun, graphs: Tensor, parameters: dict[str, Tensor], trace: Trace
    ) -> GraphPosterior:
        config, table, likelihood = run.config, run.table, run.likelihood
        unique, which, _ = distinct_graphs(graphs)
        kind = config.particle_weights
        has_evidence = hasattr(likelihood, "evidence")
        if kind == "auto":
            kind = "evidence" if has_evidence else "mixture"
        if kind == "evidence" and not has_evidence and run.is_joint:
            raise InputError(
                "particle_weights='evidence' needs a likelihood whose parameters can be "
                "integrated out ('bge', 'linear'); use 'mixture' or 'empirical'."
            )
        if kind == "mixture":
            parameters = run.settled(graphs, parameters)
        prior = run.prior.log_prob(graphs.double()) + (table.constraints.log_odds * graphs).sum(
            (-2, -1)
        )
        log_joint = run.log_joint(graphs, parameters, evidence=kind == "evidence") + prior
        weights_kind = "empirical" if kind == "empirical" else "mixture"
        log_weights = particle_log_weights(weights_kind, which, log_joint)
        self._kept_parameters = parameters
        if not run.is_joint:
            # A marginal particle is its graph: merge copies.
            mass = torch.zeros(len(unique), dtype=torch.float64)
            mass = mass.index_add(0, which, log_weights.exp())
            graphs, log_weights = unique, mass.log()
        return GraphPosterior(
            graphs=graphs.numpy(),
            log_weights=log_weights.numpy(),
            names=table.data.names,
            parameters=_user_parameters(parameters, graphs, table),
            knowledge=table.knowledge,
            model=_linear_model(likelihood, table),
            covariance=table.covariance(),
            diagnostics={"particle_weights": kind},
            trace=trace.arrays(),
        )

    def _fitted_table(self) -> DiscoveryTable:
        check_fitted(self, "posterior_", call="fit(table)")
        return self._table


def _check_noise_scale(likelihood: Any, table: DiscoveryTable) -> None:
    noise = getattr(likelihood, "noise_variance", None)
    if not isinstance(noise, (int, float)):
        return
    variance = table.x.var(0)
    worst = int(variance.argmax())
    if float(variance[worst]) > 1e4 * noise:
        remedy = f"{type(likelihood).__name__}(noise_variance='learned')"
        warnings.warn(
            f"the model says noise variance {noise:g}, but column {table.data.names[worst]!r} has "
            f"variance {float(variance[worst]):.3g} (in the scale of the fit). Set "
            f"noise_variance in the units of the data, use {remedy}, or "
            + ("likelihood='bge'." if isinstance(likelihood, LinearGaussian) else "rescale it."),
            DataWarning,
            stacklevel=3,
        )


def _warn_of_units(likelihood: Any, scaling: Scaling) -> None:
    """Warn where a network's one fixed noise variance makes the units of columns matter."""
    if not isinstance(likelihood, MLP) or likelihood.noise_variance == "learned":
        return
    if scaling == "standardise":
        return
    warnings.warn(
        f"with one fixed noise variance ({likelihood.noise_variance:g} for every column) the unit "
        "of a column decides directions: the column with the smaller variance becomes the cause. "
        "Use MLP(noise_variance='learned'), the default, unless all columns share a unit and their "
        "noise is known to have this variance.",
        DataWarning,
        stacklevel=3,
    )


def _report_cycles(n_cyclic: int, config: DiBSConfig, penalty: float) -> None:
    p = config.n_particles
    if n_cyclic == p:
        raise ConvergenceError(
            f"all {p} particles are cyclic after {config.n_steps:,} steps (largest penalty "
            f"{penalty:.2g}), so there is no posterior. The particles are kept in `particles_`. "
            "Use more steps, a larger beta, or check that the noise variance fits the data."
        )
    if n_cyclic:
        warnings.warn(
            f"{n_cyclic} of {p} particles are cyclic after {config.n_steps:,} steps (largest "
            f"penalty {penalty:.2g}). They are excluded from the posterior. More steps or a "
            "larger beta usually help.",
            ConvergenceWarning,
            stacklevel=3,
        )


def _linear_model(likelihood: Any, table: DiscoveryTable) -> LinearModel | None:
    if not hasattr(likelihood, "weight_posterior"):
        return None
    return LinearModel(likelihood, table.moments(), table.centre, table.scale)


def _user_parameters(
    parameters: dict[str, Tensor], graphs: Tensor, table: DiscoveryTable
) -> dict[str, np.ndarray]:
    """Parameters in the user's units where they have any, with absent edges masked."""
    out = {k: v.double() for k, v in parameters.items()}
    if set(out) <= {"theta", "log_noise"} and "theta" in out:
        to_user = table.scale.unsqueeze(0) / table.scale.unsqueeze(1)
        out["weights"] = out.pop("theta") * graphs * to_user
    if "log_noise" in out:
        out["noise_variance"] = out.pop("log_noise").exp() * table.scale.square()
    return {k: v.numpy() for k, v in out.items()}


def _stack(first: DiscoveryTable, second: DiscoveryTable) -> Tensor | None:
    if first.intervened is None and second.intervened is None:
        return None
    parts = [
        torch.zeros_like(t.x, dtype=torch.bool) if t.intervened is None else t.intervened
        for t in (first, second)
    ]
    return torch.cat(parts)


def _sortability(posterior: GraphPosterior, table: DiscoveryTable) -> float:
    """Measure how far the column scales alone explain the order that was found."""
    dag = torch.from_numpy(posterior.consensus_dag())
    value = varsortability(dag, torch.from_numpy(table.covariance()))
    if value > 0.95 and int(dag.sum()) >= 5 and bool((table.scale == 1).all()):
        warnings.warn(
            f"the variances of the columns increase along {value:.0%} of the paths of the "
            "graph that was found. On simulated data that is the usual artefact of raw "
            "scales; on real data check that the units are comparable, or compare with "
            "scaling='standardise'.",
            SortabilityWarning,
            stacklevel=3,
        )
    return value

"""DiBS: differentiable Bayesian structure learning (Lorch et al., NeurIPS 2021)."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor
from tqdm.auto import tqdm

from aetia.data import Scaling
from aetia.discovery.choices import choose
from aetia.discovery.dibs.config import DiBSConfig, as_schedule
from aetia.discovery.dibs.latent import edge_scores, limit_graphs
from aetia.discovery.dibs.particles import distinct_graphs, particle_log_weights
from aetia.discovery.dibs.posterior import LatentPosterior
from aetia.discovery.dibs.trace import Trace
from aetia.discovery.table import Accepts, DiscoveryTable, read_table
from aetia.errors import (
    ConvergenceError,
    ConvergenceWarning,
    DataWarning,
    InputError,
    NumericalError,
    SortabilityWarning,
)
from aetia.graphs import ACYCLICITY, GRAPH_LAWS, Constraints, Knowledge, is_acyclic, varsortability
from aetia.likelihoods import LIKELIHOODS, JointScore, LinearGaussian
from aetia.options import options_dict
from aetia.randomness import RandomState, seed_sequence, torch_generator
from aetia.results import GraphPosterior, LinearModel
from aetia.samplers import KERNELS, OPTIMISERS, SVGD, FixedBandwidth
from aetia.version import __version__

__all__ = ["DiBS"]

_FINAL_ALPHA = {"bge": 200.0, "linear": 100.0, "mlp": 60.0}
_FINAL_BETA = 2000.0


class DiBS(BaseEstimator):
    """Sample graphs (and parameters) from their posterior by Stein variational gradient descent.

    Every option is described in :class:`aetia.discovery.dibs.config.DiBSConfig`.

    Args:
        likelihood: ``"bge"``, ``"linear"``, ``"mlp"``, a mapping with options, or an object.
        n_particles: Draws of the posterior.
        n_steps: Updates of all particles.
        prior: ``"erdos-renyi"``, ``"scale-free"``, ``"uniform"``, or a graph law.
        estimator: Gradient in the latent variables: ``"auto"``, ``"score"``, ``"reparam"``.
        gradient_weights: ``"node"`` or ``"joint"`` (the original).
        n_likelihood_graphs: Monte Carlo graphs of the likelihood term.
        n_acyclicity_graphs: Monte Carlo graphs of the acyclicity term.
        acyclicity: ``"power"``, ``"expm"``, ``"logdet"``, ``"spectral"``.
        alpha: Schedule of the inverse temperature, or its final value.
        beta: Schedule of the acyclicity weight, or its final value.
        embedding: Whether edge scores are inner products of embeddings.
        n_latent: Dimensions of the embedding.
        latent_prior_std: Prior standard deviation of the latent variables.
        temperature: Inverse temperature of soft graphs (tau).
        kernel: ``"auto"``, ``"fixed"``, ``"median"``, or a kernel.
        optimiser: ``"rmsprop"``, ``"adam"``, ``"ascent"``, or an update rule.
        batch_size: Rows of each step, or None for all.
        particle_weights: ``"auto"``, ``"empirical"``, ``"mixture"``, ``"evidence"``.
        scaling: ``"auto"``, ``"standardise"``, ``"centre"``, ``"none"``.
        trace_every: Record the trace every so many steps; 0 for never.
        random_state: None, an integer or a NumPy generator.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        progress: Whether to show a progress bar; None shows it in terminals.
        callback: Called as ``callback(step, row)`` with every recorded row of the trace.

    Attributes:
        posterior_: The :class:`~aetia.results.GraphPosterior`.
        particles_: Latent variables and parameters of all particles, cyclic ones included.
        n_features_in_: Number of columns.
        feature_names_in_: Their names, if the table had names.

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
        self.scaling = scaling
        self.trace_every = trace_every
        self.random_state = random_state
        self.device = device
        self.progress = progress
        self.callback = callback

    def fit(
        self,
        X: Any,
        y: None = None,
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
        scaling = (
            getattr(likelihood, "scaling", "centre") if config.scaling == "auto" else config.scaling
        )
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
        seeds = seed_sequence(self.random_state)
        device = _device(self.device)
        run = _Run(config, likelihood, table, device)
        self.particles_, trace = run.sample(seeds, self.progress, self.callback)
        self._likelihood, self._table, self._config = likelihood, table, config
        graphs = run.graphs(self.particles_["z"])
        acyclic = is_acyclic(graphs)
        n_cyclic = int((~acyclic).sum())
        _report_cycles(n_cyclic, config, run.mean_penalty(graphs))
        kept = {k: v[acyclic] for k, v in self.particles_.items() if k != "z"}
        self.posterior_ = self._posterior(run, graphs[acyclic], kept, trace)
        facts = {
            "method": "DiBS",
            "likelihood": getattr(likelihood, "name", type(likelihood).__name__),
            "n_rows": table.data.n,
            "share_cyclic": n_cyclic / config.n_particles,
            "n_cyclic": n_cyclic,
            "ess_weights": self.posterior_.ess,
            "n_distinct": len(self.posterior_.distinct()[0]),
            "scaling": scaling,
            "seed": seeds.entropy,
            "device": str(device),
            "version": __version__,
            "config": options_dict(config),
            "wall_time_s": time.perf_counter() - started,
            **self._sortability(),
        }
        self.posterior_.diagnostics.update(facts)  # pyright: ignore[reportAttributeAccessIssue]
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
            intervened: As for :meth:`fit`.
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
        self, run: _Run, graphs: Tensor, parameters: dict[str, Tensor], trace: Trace
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

    def _sortability(self) -> dict[str, float]:
        """How far the column scales alone explain the order that was found."""
        table = self._fitted_table()
        dag = torch.from_numpy(self.posterior_.consensus_dag())
        value = varsortability(dag, torch.from_numpy(self.posterior_.covariance))
        if value > 0.95 and int(dag.sum()) >= 5 and bool((table.scale == 1).all()):
            warnings.warn(
                f"the variances of the columns increase along {value:.0%} of the paths of the "
                "graph that was found. On simulated data that is the usual artefact of raw "
                "scales; on real data check that the units are comparable, or compare with "
                "scaling='standardise'.",
                SortabilityWarning,
                stacklevel=3,
            )
        return {"varsortability_of_consensus": value}

    def _fitted_table(self) -> DiscoveryTable:
        if not hasattr(self, "posterior_"):
            raise InputError("this DiBS is not fitted yet; call fit(table) first.")
        return self._table


class _Run:
    """One run of the sampler on one table."""

    def __init__(
        self, config: DiBSConfig, likelihood: Any, table: DiscoveryTable, device: torch.device
    ) -> None:
        self.config, self.likelihood, self.table, self.device = config, likelihood, table, device
        self.x = table.x.to(device=device, dtype=torch.float32)
        self.intervened = None if table.intervened is None else table.intervened.to(device)
        self.constraints = Constraints(
            *(t.to(device) for t in table.constraints[:2]),
            table.constraints.log_odds.to(device=device, dtype=torch.float32),
        )
        self.prior = choose("prior", config.prior, GRAPH_LAWS, needs="log_prob")
        d = table.data.d
        self.prior.log_prob(torch.zeros(d, d))  # degenerate priors are refused before the run
        self.bound = likelihood.on(self.x, self.intervened)
        self.is_joint = bool(self.bound.parameters)
        if config.batch_size is not None and config.batch_size > table.data.n:
            raise InputError(
                f"batch_size={config.batch_size} is more than the {table.data.n} rows."
            )

    def sample(
        self,
        seeds: np.random.SeedSequence,
        progress: bool | None,
        callback: Callable[[int, Mapping[str, float]], None] | None,
    ) -> tuple[dict[str, Tensor], Trace]:
        # A freed block of this size raises the C allocator's threshold, so that the arrays of
        # a step are reused instead of being returned to the kernel and faulted in again.
        torch.empty(31 * 2**20, dtype=torch.uint8)
        config = self.config
        init_seeds, step_seeds = seeds.spawn(2)
        svgd = SVGD(self._target(), self._kernel(), self._optimiser())
        state = svgd.init(self._initial(torch_generator(init_seeds, self.device)))
        generator = torch_generator(step_seeds, self.device)
        trace = Trace()
        bar = tqdm(
            range(config.n_steps), desc="DiBS", disable=None if progress is None else not progress
        )
        for step in bar:
            state, info = svgd.step(state, generator)
            if not all(bool(torch.isfinite(v).all()) for v in state.position.values()):
                bad = [k for k, v in state.position.items() if not torch.isfinite(v).all()]
                raise NumericalError(
                    f"DiBS: {', '.join(bad)} became NaN or infinite at step {step} (alpha "
                    f"{info.score.alpha:g}, beta {info.score.beta:g}). Use a smaller step_size, "
                    "or check the scale of the columns against noise_variance."
                )
            if config.trace_every and (
                step % config.trace_every == 0 or step == config.n_steps - 1
            ):
                cyclic = float((~is_acyclic(self.graphs(state.position["z"]))).float().mean())
                row = trace.record(step, info, cyclic)
                if callback is not None:
                    callback(step, row)
        return {k: v.cpu() for k, v in state.position.items()}, trace

    def graphs(self, z: Tensor) -> Tensor:
        """The graph of every particle, on its device."""
        c = self.constraints if z.device == self.device else self.table.constraints
        return limit_graphs(edge_scores(z), c)

    def mean_penalty(self, graphs: Tensor) -> float:
        return float(ACYCLICITY[self.config.acyclicity](graphs.double()).max())

    def log_joint(self, graphs: Tensor, parameters: dict[str, Tensor], *, evidence: bool) -> Tensor:
        """F(G) or F(G, theta) in float64."""
        x, mask = self.table.x, self.table.intervened
        if not self.is_joint:
            return self.likelihood.on(x, mask).node_scores(graphs).sum(-1)
        if evidence:
            moments = self.table.moments().rescaled(self.table.centre, self.table.scale)
            return self.likelihood.evidence(moments).node_scores(graphs).sum(-1)
        doubles = {k: v.double() for k, v in parameters.items()}
        scores = self.likelihood.on(x, mask).node_scores(graphs.double().unsqueeze(1), doubles)
        return scores.squeeze(1).sum(-1)

    def _initial(self, generator: torch.Generator) -> dict[str, Tensor]:
        d, p = self.table.data.d, self.config.n_particles
        shape = (p, d, self._n_latent(), 2) if self.config.embedding else (p, d, d)
        z = torch.randn(shape, generator=generator, device=self.device) * self._std()
        return {"z": z} | (
            self.bound.sample_parameters(p, generator)
            if isinstance(self.bound, JointScore) and self.is_joint
            else {}
        )

    def _n_latent(self) -> int:
        k = self.config.n_latent
        return self.table.data.d if k == "auto" else int(k)

    def _std(self) -> float:
        if self.config.latent_prior_std != "auto":
            return float(self.config.latent_prior_std)
        return self._n_latent() ** -0.5 if self.config.embedding else 1.0

    def _bind(self, generator: torch.Generator) -> Any:
        if self.config.batch_size is None:
            return self.bound
        n = len(self.x)
        rows = torch.randperm(n, generator=generator, device=self.device)[: self.config.batch_size]
        mask = None if self.intervened is None else self.intervened[rows]
        return self.likelihood.on(self.x[rows], mask, likelihood_scale=n / len(rows))

    def _target(self) -> LatentPosterior:
        config = self.config
        name = getattr(self.likelihood, "name", "mlp")
        estimator = config.estimator
        if estimator == "auto":
            estimator = "reparam" if self.is_joint else "score"
        return LatentPosterior(
            likelihood=self._bind,
            prior=self.prior,
            constraints=self.constraints,
            acyclicity=ACYCLICITY[config.acyclicity],
            alpha=as_schedule("alpha", config.alpha, default=_FINAL_ALPHA.get(name, 60.0)),
            beta=as_schedule("beta", config.beta, default=_FINAL_BETA),
            n_steps=config.n_steps,
            n_likelihood_graphs=config.n_likelihood_graphs,
            n_acyclicity_graphs=config.n_acyclicity_graphs,
            estimator=estimator,
            gradient_weights=config.gradient_weights,
            temperature=config.temperature,
            latent_prior_std=self._std(),
        )

    def _kernel(self) -> Any:
        if isinstance(self.config.kernel, str) and self.config.kernel == "auto":
            return FixedBandwidth()
        return choose("kernel", self.config.kernel, KERNELS, needs="__call__")

    def _optimiser(self) -> Any:
        return choose("optimiser", self.config.optimiser, OPTIMISERS, needs="update")


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device must be 'auto', 'cpu' or 'cuda', got {name!r}.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError("device='cuda', but torch sees no CUDA device. Use device='auto'.")
    return device


def _check_noise_scale(likelihood: Any, table: DiscoveryTable) -> None:
    noise = getattr(likelihood, "noise_variance", None)
    if not isinstance(noise, (int, float)):
        return
    variance = table.x.var(0)
    worst = int(variance.argmax())
    if float(variance[worst]) > 1e4 * noise:
        remedy = "LinearGaussian(noise_variance='learned')"
        warnings.warn(
            f"the model says noise variance {noise:g}, but column {table.data.names[worst]!r} has "
            f"variance {float(variance[worst]):.3g} (in the scale of the fit). Set "
            f"noise_variance in the units of the data, use {remedy}, or "
            + ("likelihood='bge'." if isinstance(likelihood, LinearGaussian) else "rescale it."),
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

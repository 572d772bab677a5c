"""All options of DiBS, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

from aetia.data import Scaling
from aetia.discovery.dibs.schedules import Schedule
from aetia.errors import InputError
from aetia.graphs.acyclicity import AcyclicityName
from aetia.options import build, check_literals, check_positive

__all__ = ["DiBSConfig"]


@dataclass(frozen=True, kw_only=True)
class DiBSConfig:
    """Options of DiBS. Steps are optimiser updates; M counts Monte Carlo graphs per particle.

    ``likelihood``, ``prior``, ``kernel`` and ``optimiser`` take a name, a mapping with ``name``
    and options, or an object.
    """

    likelihood: Any = "bge"
    """How a table is scored given a graph: ``"bge"`` integrates linear effects out; ``"linear"``
    and ``"mlp"`` (curved effects) draw their parameters along with the graph; or a mapping with
    ``name`` and options, or an object with ``on``."""
    n_particles: int = 30
    """Number of graphs that are moved together and make up the posterior; more show more modes, at
    a cost of time and memory in proportion."""
    n_steps: int = 2000
    """Number of optimiser updates of the particles; raise it when many particles are cyclic or the
    trace still moves."""
    prior: Any = "erdos-renyi"
    """Structure prior: ``"erdos-renyi"`` (about two edges a variable), ``"scale-free"`` (few
    variables with many effects), ``"uniform"``, or a distribution of graphs of your own."""
    estimator: Literal["auto", "score", "reparam"] = "auto"
    """How the gradient in the latent variables Z is estimated: ``"score"`` needs only values of the
    likelihood, ``"reparam"`` also its derivatives and has less variance; ``"auto"`` is ``"score"``
    for marginal likelihoods, else ``"reparam"``."""
    gradient_weights: Literal["node", "joint"] = "node"
    """Whether Monte Carlo graphs are weighted by one softmax for each variable (``"node"``, less
    variance) or by one for the whole graph (``"joint"``, the original)."""
    n_likelihood_graphs: int = 128
    """Number of Monte Carlo graphs for each particle and step in the gradient of the likelihood;
    more are slower and less noisy."""
    n_acyclicity_graphs: int = 32
    """Number of Monte Carlo graphs for each particle and step in the gradient of the acyclicity
    term; they are the first of those of the likelihood, so more than those cost random numbers."""
    acyclicity: AcyclicityName = "power"
    """Measure of cycles whose expectation is penalised: ``"power"`` (the original), ``"expm"``,
    ``"logdet"`` or ``"spectral"``. All are 0 exactly on acyclic graphs."""
    alpha: Any = "auto"
    """Schedule of the inverse temperature that hardens the edge probabilities, or a number, its
    final value; ``"auto"`` rises linearly to 200 (BGe), 100 (linear) or 60 (other likelihoods)."""
    beta: Any = "auto"
    """Schedule of the weight of the acyclicity term, or a number, its final value; ``"auto"`` rises
    linearly to 2,000. Raise it when many particles are cyclic."""
    embedding: bool = True
    """Whether edge scores are inner products of two vectors for each variable (the original);
    otherwise Z is the matrix of edge scores itself."""
    n_latent: int | Literal["auto"] = "auto"
    """Number of dimensions of the embedding; fewer than the number of columns, which ``"auto"``
    takes, restrict the graphs to low rank."""
    latent_prior_std: float | Literal["auto"] = "auto"
    """Standard deviation of the normal prior of Z; ``"auto"`` is ``1 / sqrt(n_latent)``, or 1
    without the embedding."""
    temperature: float = 1.0
    """Factor inside the sigmoid of soft graphs (tau in the paper); larger makes them harder and
    their gradients noisier."""
    kernel: Any = "auto"
    """Kernel that keeps particles apart: ``"fixed"`` or ``"median"`` length scale, or a kernel of
    your own; ``"auto"`` is a fixed one, h = 5 for Z and 500 for parameters."""
    optimiser: Any = "rmsprop"
    """Update rule of the particles: ``"rmsprop"``, ``"adam"``, ``"ascent"`` (plain steps), a
    mapping with ``name`` and options such as ``step_size``, or a rule of your own."""
    batch_size: int | None = None
    """Number of rows of a step, whose log-likelihood is scaled to all rows; None takes all. Set it
    when a step over all rows is too slow."""
    particle_weights: Literal["auto", "empirical", "mixture", "evidence"] = "auto"
    """How particles are weighted: ``"empirical"`` alike, ``"mixture"`` by their joint density,
    ``"evidence"`` by the marginal likelihood of the graph; ``"auto"`` is ``"evidence"`` where that
    has a closed form, else ``"mixture"``."""
    n_settling_steps: int = 500
    """Number of updates of the parameters alone, where they cannot be integrated out: before the
    run with every edge present, and before weights by joint density with the final graph of each
    particle. 0 starts from draws of the prior and weighs what the run left (the original)."""
    scaling: Scaling = "auto"
    """How columns are scaled first: ``"standardise"``, ``"centre"`` or ``"none"``; ``"auto"``
    standardises for BGe and for networks with learned noise, and only centres where one fixed noise
    variance identifies the graph, which scaling would hurt."""
    trace_every: int = 0
    """Number of steps between rows of the trace in ``history_``; 0 records nothing and is
    fastest."""

    def __post_init__(self) -> None:
        check_literals(self)
        for name in ("n_particles", "n_steps", "n_likelihood_graphs", "n_acyclicity_graphs"):
            _check_count(self, name)
        for name in ("n_latent", "batch_size"):
            if getattr(self, name) not in ("auto", None):
                _check_count(self, name)
        for name in ("trace_every", "n_settling_steps"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise InputError(f"DiBSConfig: {name} must be an integer, got {value!r}.")
        check_positive(self, "temperature", "latent_prior_std")
        check_positive(self, "trace_every", "n_settling_steps", zero=True)
        for name in ("alpha", "beta"):
            as_schedule(name, getattr(self, name), default=1.0)


def as_schedule(name: str, value: Any, *, default: float) -> Schedule:
    """Turn an option into a schedule.

    Args:
        name: The option's name, which error messages quote.
        value: ``"auto"``, a final value, a mapping of the fields of a schedule, or a schedule.
        default: Final value that ``"auto"`` means.

    Returns:
        The schedule.

    Raises:
        InputError: If the value is none of these.
    """
    if isinstance(value, str) and value == "auto":
        return Schedule(final=default)
    if isinstance(value, Schedule):
        return value
    if isinstance(value, Mapping):
        return build(Schedule, value)
    if isinstance(value, Real) and not isinstance(value, bool):
        return Schedule(final=float(value))
    raise InputError(f"{name} must be 'auto', a number or a Schedule, got {value!r}.")


def _check_count(config: DiBSConfig, name: str) -> None:
    value = getattr(config, name)
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise InputError(f"DiBSConfig: {name} must be an integer of at least 1, got {value!r}.")

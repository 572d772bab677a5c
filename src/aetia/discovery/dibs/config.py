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
    """``"bge"`` (marginal), ``"linear"``, ``"mlp"`` (joint), or an object with ``on``."""
    n_particles: int = 30
    n_steps: int = 2000
    prior: Any = "erdos-renyi"
    """``"erdos-renyi"``, ``"scale-free"``, ``"uniform"``, or a graph law."""
    estimator: Literal["auto", "score", "reparam"] = "auto"
    """Gradient in Z; ``"auto"`` is ``"score"`` for marginal likelihoods, else ``"reparam"``."""
    gradient_weights: Literal["node", "joint"] = "node"
    """Weights of the Monte Carlo graphs: one softmax per variable, or one (the original)."""
    n_likelihood_graphs: int = 128
    """M of the likelihood term."""
    n_acyclicity_graphs: int = 32
    """M of the acyclicity term; the same graphs, so at most as many random numbers are drawn."""
    acyclicity: AcyclicityName = "power"
    alpha: Any = "auto"
    """Schedule of the inverse temperature, or a number: its final value.
    ``"auto"`` rises linearly to
    200 (BGe), 100 (linear) or 60 (other likelihoods)."""
    beta: Any = "auto"
    """Schedule of the acyclicity weight, or a number: its final value.
    ``"auto"`` rises to 2,000."""
    embedding: bool = True
    """Whether Z is a pair of embeddings; otherwise it is the matrix of edge scores."""
    n_latent: int | Literal["auto"] = "auto"
    """Dimensions of the embedding; ``"auto"`` is the number of columns."""
    latent_prior_std: float | Literal["auto"] = "auto"
    """``"auto"`` is ``1 / sqrt(n_latent)``, or 1 without the embedding."""
    temperature: float = 1.0
    """Multiplies inside the sigmoid of soft graphs (tau)."""
    kernel: Any = "auto"
    """``"fixed"``, ``"median"``, or a kernel; ``"auto"`` is fixed: h = 5 for Z, 500 otherwise."""
    optimiser: Any = "rmsprop"
    """``"rmsprop"``, ``"adam"``, ``"ascent"``, or an update rule."""
    batch_size: int | None = None
    """Rows of each step; the log-likelihood is multiplied by n / batch_size."""
    particle_weights: Literal["auto", "empirical", "mixture", "evidence"] = "auto"
    """How particles are weighted; ``"auto"`` is ``"evidence"`` where there is a closed form."""
    n_settling_steps: int = 500
    """Updates of the parameters alone, where they cannot be integrated out: before the run with
    every edge present, and before weights by joint density with the final graph of the particle.
    0 starts from draws of the prior and weighs what the run left (the original)."""
    scaling: Scaling = "auto"
    """``"auto"``: standardise for BGe and for networks with learned noise; centre only where one
    fixed noise variance identifies the graph, which scaling would hurt."""
    trace_every: int = 0
    """Record the trace every so many steps; 0 records nothing."""

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
        name: Of the option, for messages.
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

"""The exact posterior over all graphs of up to five variables: the yardstick of the others."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from aetia.data import Scaling
from aetia.discovery.table import Accepts, read_table
from aetia.errors import InputError
from aetia.graphs import STRUCTURE_PRIORS, MAX_ENUMERATED, Knowledge, all_dags, n_dags
from aetia.likelihoods import LIKELIHOODS
from aetia.options import check_literals, choose, options_dict
from aetia.results import GraphPosterior, LinearModel
from aetia.version import __version__

__all__ = ["ExactConfig", "ExactPosterior"]


@dataclass(frozen=True, kw_only=True)
class ExactConfig:
    """Options of the exact posterior."""

    likelihood: Any = "bge"
    """``"bge"``, ``"linear"``, or options of one of them."""
    prior: Any = "uniform"
    """``"uniform"``, ``"erdos-renyi"``, ``"scale-free"``, or a graph law."""
    scaling: Scaling = "auto"
    """``"auto"``: standardise for BGe, centre for the linear likelihood."""

    def __post_init__(self) -> None:
        check_literals(self)


class ExactPosterior(BaseEstimator):
    """Enumerate all DAGs and weigh each by prior times evidence.

    Args:
        likelihood: ``"bge"`` or ``"linear"`` (weights integrated out), or options of one.
        prior: ``"uniform"``, ``"erdos-renyi"``, ``"scale-free"``, or a graph law.
        scaling: ``"auto"``, ``"standardise"``, ``"centre"``, ``"none"``.

    Attributes:
        posterior_: All 1 to 29,281 graphs that the knowledge allows, with their probabilities.
        log_evidence_: Log of the sum over graphs of prior times evidence; the prior is the
            graph law's ``log_prob``, which is not normalised.
        n_features_in_: Number of columns.
        feature_names_in_: Their names; x0, x1, ... for arrays.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> a, b, noise = rng.normal(size=(3, 500))
        >>> fitted = ExactPosterior().fit(np.column_stack([a, b, a + b + noise]))
        >>> bool(fitted.posterior_.edge_probabilities()[0, 2] > 0.9)  # a collider is identified
        True
    """

    accepts = Accepts()

    def __init__(
        self, likelihood: Any = "bge", prior: Any = "uniform", scaling: Scaling = "auto"
    ) -> None:
        self.likelihood = likelihood
        self.prior = prior
        self.scaling = scaling

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        intervened: Any = None,
        regime: Any = None,
        knowledge: Knowledge | Mapping[str, Any] | None = None,
    ) -> ExactPosterior:
        """Compute the posterior over graphs of a table.

        Args:
            X: A frame, array, Dataset, or path of a CSV or Parquet file; at most 5 columns.
            y: Ignored; scikit-learn passes it.
            intervened: What was set by intervention: a boolean table, or the name of a column.
            regime: Not accepted.
            knowledge: What is known about the graph.

        Returns:
            The fitted estimator, with ``posterior_``.

        Raises:
            InputError: If table, options or knowledge cannot be used, or there are more than 5
                columns.
        """
        started = time.perf_counter()
        config = ExactConfig(**{f.name: getattr(self, f.name) for f in fields(ExactConfig)})
        likelihood = choose("likelihood", config.likelihood, LIKELIHOODS, needs="weight_posterior")
        if not hasattr(likelihood, "weight_posterior"):
            raise InputError(
                "ExactPosterior needs a likelihood whose parameters can be integrated out: "
                f"'bge' or 'linear', not {getattr(likelihood, 'name', likelihood)!r}."
            )
        scaling = likelihood.scaling if config.scaling == "auto" else config.scaling
        table = read_table(
            X,
            method="ExactPosterior",
            accepts=self.accepts,
            scaling=scaling,
            intervened=intervened,
            regime=regime,
            knowledge=knowledge,
        )
        d = table.data.d
        if d > MAX_ENUMERATED:
            raise InputError(
                f"ExactPosterior enumerates all graphs of at most {MAX_ENUMERATED} columns; with "
                f"{d} there are {float(n_dags(d)):.2g}. Use DiBS, or choose columns."
            )
        prior = choose("prior", config.prior, STRUCTURE_PRIORS, needs="log_prob")
        self.n_features_in_ = d
        self.feature_names_in_ = np.array(table.data.names, dtype=object)
        graphs = all_dags(d)
        graphs = graphs[table.constraints.allows(graphs)]
        moments = table.moments()
        scaled = moments.rescaled(table.centre, table.scale)
        if hasattr(likelihood, "evidence"):
            bound = likelihood.evidence(scaled)
        else:
            bound = likelihood.on(table.x, table.intervened)
        log_joint = bound.node_scores(graphs).sum(-1) + prior.log_prob(graphs.double())
        log_joint = log_joint + (table.constraints.log_odds * graphs).sum((-2, -1))
        self.log_evidence_ = float(log_joint.logsumexp(0))
        log_weights = log_joint - self.log_evidence_
        marginals = torch.einsum("s,sij->ij", log_weights.exp(), graphs.double())
        self.posterior_ = GraphPosterior(
            graphs=graphs.numpy(),
            log_weights=log_weights.numpy(),
            names=table.data.names,
            edge_marginals=marginals.numpy(),
            knowledge=table.knowledge,
            model=LinearModel(likelihood, moments, table.centre, table.scale),
            covariance=table.covariance(),
            diagnostics={
                "method": "ExactPosterior",
                "likelihood": likelihood.name,
                "n_rows": table.data.n,
                "share_cyclic": 0.0,
                "n_graphs": len(graphs),
                "log_evidence": self.log_evidence_,
                "entropy_nats": float(-(log_weights.exp() * log_weights).nansum()),
                "scaling": scaling,
                "version": __version__,
                "config": options_dict(config),
                "wall_time_s": time.perf_counter() - started,
            },
        )
        return self

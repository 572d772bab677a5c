"""The exact posterior over the DAGs of a table, with a scikit-learn face."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator

from aetia.data import Scaling
from aetia.discovery.exact.config import ExactConfig
from aetia.discovery.exact.graph_sum import GraphSum
from aetia.discovery.likelihood_choice import choose_likelihood
from aetia.discovery.table import Accepts, read_table
from aetia.errors import InputError
from aetia.graphs import MAX_COLUMNS, Knowledge
from aetia.options import options_dict
from aetia.randomness import RandomState, seed_sequence, torch_generator
from aetia.results import GraphPosterior
from aetia.version import __version__

__all__ = ["ExactPosterior"]


class ExactPosterior(BaseEstimator):
    """Sum over all DAGs of up to 25 columns: exact probabilities, or exact independent draws.

    Up to 5 columns all DAGs are enumerated. Beyond, the sum over all orders of the columns gives
    independent draws of DAGs, each weighted by the inverse of its number of topological orders, so
    that every average has a known Monte Carlo error and nothing has to converge.

    Args:
        likelihood: ``"auto"`` chooses for the table; or a name, options, or an object with
            ``local_scores``.
        prior: ``"sparse"``, ``"uniform"``, ``"fair"``, ``"erdos-renyi"``, ``"scale-free"``,
            ``"bic"``, or an object with ``log_prob``; one that is not modular weighs the draws.
        scaling: ``"auto"``, ``"standardise"``, ``"centre"``, ``"none"``.
        max_parents: Largest number of parents of a variable.
        n_candidates: Possible parents of each variable; all others up to 20 columns.
        min_ess: Effective number of draws wanted.
        max_draws: Never more draws than this.
        sensitivity: Whether to repeat the sums under another structure prior.
        random_state: Seed of the draws; enumeration needs none.

    Attributes:
        posterior_: The weighted graphs.
        log_evidence_: Log of the sum over graphs of prior times evidence; the structure prior is
            not normalised.
        likelihood_: The likelihood that was used.
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

    accepts = Accepts(kinds=("continuous", "binary", "count", "categorical"))

    def __init__(
        self,
        likelihood: Any = "auto",
        prior: Any = "sparse",
        scaling: Scaling = "auto",
        max_parents: int | Literal["auto"] = "auto",
        n_candidates: int | Literal["auto"] = "auto",
        min_ess: float = 2_000.0,
        max_draws: int = 100_000,
        sensitivity: bool = True,
        random_state: RandomState = None,
    ) -> None:
        self.likelihood = likelihood
        self.prior = prior
        self.scaling = scaling
        self.max_parents = max_parents
        self.n_candidates = n_candidates
        self.min_ess = min_ess
        self.max_draws = max_draws
        self.sensitivity = sensitivity
        self.random_state = random_state

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
            X: A frame, array, Dataset, or path of a CSV or Parquet file; at most 25 columns.
            y: Ignored; scikit-learn passes it.
            intervened: What was set by intervention: a boolean table, or the name of a column.
            regime: Not accepted.
            knowledge: What is known about the graph.

        Returns:
            The fitted estimator, with ``posterior_``.

        Raises:
            InputError: If table, options or knowledge cannot be used, or there are more than 25
                columns.
        """
        started = time.perf_counter()
        config = ExactConfig(**{f.name: getattr(self, f.name) for f in fields(ExactConfig)})
        seeds = seed_sequence(self.random_state)
        generator = torch_generator(seeds)
        table = read_table(
            X,
            method="ExactPosterior",
            accepts=self.accepts,
            scaling="none",
            intervened=intervened,
            regime=regime,
            knowledge=knowledge,
        )
        d = table.data.d
        if d > MAX_COLUMNS:
            raise InputError(
                f"ExactPosterior sums over all orders of at most {MAX_COLUMNS} columns; the table "
                f"has {d}. Use OrderMCMC, or choose columns."
            )
        self.n_features_in_ = d
        self.feature_names_in_ = np.array(table.data.names, dtype=object)
        summing = GraphSum(config, table, generator)
        chosen = choose_likelihood(
            "ExactPosterior", config.likelihood, table.data, summing.evidence
        )
        self.likelihood_ = chosen.likelihood
        tables = summing.tables(chosen.likelihood)
        answer = summing.posterior(tables)
        self.log_evidence_ = tables.log_empty + answer.log_total
        facts = {
            "method": "ExactPosterior",
            "likelihood": chosen.likelihood.name,
            "likelihood_reason": chosen.reason,
            "likelihood_numbers": dict(chosen.numbers),
            "n_rows": table.data.n,
            "share_cyclic": 0.0,
            **answer.facts,
            "log_evidence": self.log_evidence_,
            "scaling": summing.scaling_of(chosen.likelihood),
            "version": __version__,
            "config": options_dict(config),
        }
        if answer.facts["exact"] != "enumeration":
            facts["seed"] = seeds.entropy
        if config.sensitivity:
            facts["sensitivity"] = summing.sensitivity(tables, answer)
        facts["wall_time_s"] = time.perf_counter() - started
        self.posterior_ = GraphPosterior(
            graphs=answer.graphs.numpy(),
            log_weights=answer.log_weights.numpy(),
            names=table.data.names,
            edge_marginals=answer.edges().numpy(),
            knowledge=table.knowledge,
            model=summing.effect_model(chosen.likelihood),
            covariance=table.covariance(),
            diagnostics=facts,
        )
        return self

"""The exact posterior over the DAGs of a table, with a scikit-learn face."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import Tags

from aetia.data import Scaling
from aetia.discovery.drawn_with_graph import (
    DrawnLikelihood,
    draw_with_graph,
    drawn_likelihood,
)
from aetia.discovery.exact.config import ExactConfig
from aetia.discovery.exact.graph_sum import (
    ALL_CANDIDATES,
    GraphSum,
    refuse_too_many_required,
)
from aetia.discovery.likelihood_choice import choose_likelihood
from aetia.discovery.regime_columns import mark_regimes, touched
from aetia.discovery.score_tables import choose_prior
from aetia.discovery.table import Accepts, DiscoveryTable, read_table
from aetia.errors import InputError
from aetia.graphs import MAX_COLUMNS, Knowledge
from aetia.likelihoods import BGe, UnknownTargets
from aetia.options import options_dict
from aetia.randomness import RandomState, seed_of, seed_sequence, torch_generator
from aetia.results import GraphPosterior, RunFacts, completed_spreads

__all__ = ["ExactPosterior"]


class ExactPosterior(BaseEstimator):
    """Sum over all DAGs of up to 25 columns: exact probabilities, or exact independent draws.

    Up to 5 columns all DAGs are enumerated. Beyond, the sum over all orders of the columns gives
    independent draws of DAGs, each weighted by the inverse of its number of topological orders, so
    that every average has a known Monte Carlo error and nothing has to converge.

    Args:
        likelihood: How a table is scored given a graph: ``"auto"`` chooses by the kinds of the
            columns and the table's own evidence; or the name of a likelihood with score tables
            (``"bge"``, ``"linear"``, ``"additive"``, ``"block"``, ``"bdeu"``, ...), a mapping with
            ``name`` and options, or an object with ``local_scores``.
        prior: Structure prior: ``"sparse"`` (about one parent a variable expected), ``"uniform"``,
            ``"fair"``, ``"erdos-renyi"``, ``"scale-free"``, ``"bic"``, or an object with
            ``log_prob``; one that is no product over variables weighs the draws.
        scaling: How columns are scaled first: ``"standardise"``, ``"centre"`` or ``"none"``;
            ``"auto"`` is what the likelihood asks for, such as standardised columns for BGe and
            centred ones for linear.
        max_parents: Largest number of parents of a variable; ``"auto"`` is what the likelihood
            allows. Smaller leaves out denser graphs.
        n_candidates: Number of possible parents of each variable; ``"auto"`` takes all others up to
            20 columns and the 14 best above, where the tables of all would not fit into memory.
        min_ess: Effective number of draws after which drawing ends; larger gives smaller Monte
            Carlo errors, in proportion to its root.
        max_draws: Largest number of draws, whatever their effective number; it bounds the time
            where the draws have very unequal weights.
        sensitivity: Whether the sums are repeated under the other usual structure prior, to report
            what changes most; a table of 20 columns takes seconds longer.
        random_state: Seed of the draws; enumeration needs none.

    Attributes:
        posterior_: The weighted graphs.
        log_evidence_: Log of the sum over graphs of prior times evidence; the structure prior is
            not normalised. Not set when cells are missing.
        imputed_: Draws of the missing cells, where there are any.
        likelihood_: The likelihood that was used.
        facts_: What is known about the run: seed, version, time, configuration.
        health_: How the sums or draws went, by name; the diagnostics of the posterior.
        history_: Empty: nothing is trained.
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

    accepts = Accepts(
        kinds=("continuous", "binary", "count", "categorical"), missing=True, regimes=True
    )

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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

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
            regime: Environment of each row, or the name of a column. Which mechanisms each regime
                changes is found along with the graph (``diagnostics["regime_targets"]``).
            knowledge: What is known about the graph.

        Returns:
            The fitted estimator, with ``posterior_``.

        Raises:
            InputError: If table, options or knowledge cannot be used, or there are more than 25
                columns.
        """
        started = time.perf_counter()
        vars(self).pop("posterior_", None)  # a failed fit must not leave the answer of another
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
        drawn = drawn_likelihood("ExactPosterior", config.likelihood, table.data)
        if drawn is None:
            posterior = self._fit_complete(config, table, generator)
        else:
            posterior = self._fit_drawn(drawn, config, table, generator)
        is_drawn = posterior.diagnostics["exact"] != "enumeration"
        self.facts_ = RunFacts(
            method="exact",
            seed=seed_of(seeds) if is_drawn else None,
            device="cpu",
            seconds=time.perf_counter() - started,
            n_steps=posterior.diagnostics.get("missing", {}).get("n_sweeps"),
            config=options_dict(config),
        )
        self.posterior_ = replace(posterior, facts=self.facts_)
        if drawn is not None and self.imputed_ is not None:
            self.imputed_ = replace(self.imputed_, facts=self.facts_)
        self.health_, self.history_ = dict(self.posterior_.diagnostics), []
        return self

    def _fit_complete(
        self,
        config: ExactConfig,
        table: DiscoveryTable,
        generator: torch.Generator,
    ) -> GraphPosterior:
        """Sum over the graphs of a table without missing cells."""
        facts: dict[str, Any] = {"n_rows": table.data.n, "share_cyclic": 0.0}
        # Regimes with unknown targets become variables of their own, and the sum is over graphs
        # with them.
        known_targets = getattr(config.likelihood, "uses_regimes", False)
        unmarked = table.data.regime is None or known_targets
        regimes = None if unmarked else mark_regimes(table)
        if regimes is not None and regimes.table.data.d > ALL_CANDIDATES:
            raise InputError(
                f"regime: {table.data.d} columns and {len(regimes.names)} regimes besides the "
                f"reference are {regimes.table.data.d}; at most {ALL_CANDIDATES} are possible. "
                "Choose columns, or merge regimes."
            )
        # The likelihood is chosen, and effects are estimated, in the regime that others are
        # compared with.
        plain = GraphSum(config, table if regimes is None else regimes.reference, generator)
        chosen = choose_likelihood(
            "ExactPosterior",
            config.likelihood,
            plain.table.data,
            plain.evidence,
            absolute=regimes is not None,
        )
        self.likelihood_ = chosen.likelihood
        if regimes is None:
            summing, scored = plain, chosen.likelihood
        else:
            scored = UnknownTargets(likelihood=chosen.likelihood, regimes=regimes.names)
            summing = GraphSum(config, regimes.table, generator)
        if isinstance(scored, BGe) and scored.alpha_mu == "auto":
            self.likelihood_, log_empty, answer = summing.averaged(scored)
        else:
            tables = summing.tables(scored)
            log_empty, answer = tables.log_empty, summing.posterior(tables)
            if config.sensitivity:
                facts["sensitivity"] = summing.sensitivity(tables, answer)
        self.log_evidence_ = log_empty + answer.log_total
        facts |= {
            "likelihood": chosen.likelihood.name,
            "likelihood_reason": chosen.reason,
            "likelihood_numbers": dict(chosen.numbers),
            **answer.facts,
            "log_evidence": self.log_evidence_,
            "scaling": summing.scaling_of(chosen.likelihood),
        }
        if regimes is not None:
            names = regimes.table.data.names
            facts["regime_targets"] = touched(*answer[:2], names, regimes.names)
        d = table.data.d
        return GraphPosterior(
            # Regimes helped to direct edges; the answer is about the columns of the user.
            graphs=answer.graphs[:, :d, :d].numpy(),
            log_weights=answer.log_weights.numpy(),
            names=table.data.names,
            edge_marginals=answer.edges()[:d, :d].numpy(),
            knowledge=table.knowledge,
            model=plain.effect_model(self.likelihood_),
            covariance=table.covariance(),
            diagnostics=facts,
        )

    def _fit_drawn(
        self,
        likelihood: DrawnLikelihood,
        config: ExactConfig,
        table: DiscoveryTable,
        generator: torch.Generator,
    ) -> GraphPosterior:
        """Draw the graph together with missing cells or latent values."""
        prior, modular = choose_prior(config.prior)
        terms = modular.parent_count_terms(table.data.d).clone()
        if config.max_parents != "auto":
            refuse_too_many_required(table, int(config.max_parents))
            terms[int(config.max_parents) + 1 :] = -torch.inf
        found = draw_with_graph(
            likelihood, table.data, terms, table.constraints, generator=generator
        )
        self.likelihood_ = likelihood
        self.imputed_ = found.imputed
        facts = {
            "n_rows": table.data.n,
            "share_cyclic": 0.0,
            "likelihood": likelihood.name,
            "likelihood_reason": (
                "Cells are missing: graph and cells are drawn together."
                if table.data.has_missing
                else ""
            ),
            "exact": "augmentation",
            "ess": found.agreement.effective_draws(),
            "converged": found.converged,
            "missing": found.diagnostics,
        }
        if found.weights is not None and found.imputed is not None:
            free = None if table.data.intervened is None else ~table.data.intervened
            facts["column_spreads"] = completed_spreads(found.imputed, free)
        log_weights = torch.zeros(len(found.graphs), dtype=torch.float64)
        edges = found.edge_probabilities
        # Chains use the factor of the prior that is a product over variables; the rest enters as
        # importance weights.
        if prior is not modular:
            hard = torch.from_numpy(found.graphs).double()
            log_weights = prior.log_prob(hard) - modular.log_prob(hard)
            edges = torch.einsum("s,sij->ij", log_weights.softmax(0), hard).numpy()
            share = float(1.0 / (log_weights.softmax(0).square().sum() * len(hard)))
            facts["ess"] *= share
        return GraphPosterior(
            graphs=found.graphs,
            log_weights=log_weights.log_softmax(0).numpy(),
            names=table.data.names,
            edge_marginals=edges,
            knowledge=table.knowledge,
            parameters={} if found.weights is None else {"weights": found.weights},
            diagnostics=facts,
        )

"""Sums over all DAGs of one table: by enumeration, or by the programme over orders."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.data import Scaling, scale_columns
from aetia.discovery.best_positions import favour, greedy_dags
from aetia.discovery.candidate_parents import choose_candidates
from aetia.discovery.exact.config import ExactConfig
from aetia.discovery.exact.enumeration import enumerate_posterior
from aetia.discovery.exact.weighted_draws import draw_until
from aetia.discovery.likelihood_choice import LikelihoodEvidence
from aetia.discovery.score_tables import (
    ScoreTables,
    choose_prior,
    scale_for,
    score_tables,
)
from aetia.discovery.table import DiscoveryTable
from aetia.errors import InputError
from aetia.graphs import (
    MAX_ENUMERATED,
    FairParentCounts,
    SparseEdgeRate,
    distinct_graphs,
    order_programme,
)
from aetia.likelihoods import BGe, DecomposableLikelihood
from aetia.results import EffectModel, effect_model

__all__ = ["ALL_CANDIDATES", "GraphAnswer", "GraphSum", "refuse_too_many_required"]

ALL_CANDIDATES = 20
"""Up to this many columns the tables of all parent sets fit into memory."""

_FEWER_CANDIDATES = 14
_DRAWS_TO_COMPARE = 1_000


class GraphAnswer(NamedTuple):
    """Graphs with normalised weights, and what is known about their accuracy."""

    graphs: Bool[Tensor, "s d d"]
    log_weights: Float[Tensor, " s"]
    log_total: float
    """Log of the sum over graphs of prior times evidence, relative to the empty graph."""
    facts: dict[str, Any]

    def edges(self) -> Float[Tensor, "d d"]:
        """Average the graphs.

        Returns:
            The probability of every edge.
        """
        edges = torch.einsum("s,sij->ij", self.log_weights.exp(), self.graphs.double())
        return edges.clamp(max=1.0)  # the weights sum to 1 up to rounding


def refuse_too_many_required(table: DiscoveryTable, max_parents: int) -> None:
    """Refuse knowledge that asks for more parents than are allowed.

    Args:
        table: The table with knowledge over its columns.
        max_parents: Largest number of parents of a variable.

    Raises:
        InputError: Naming the variable and its required parents.
    """
    required = table.constraints.required
    worst = int(required.sum(0).argmax())
    names = [table.data.names[i] for i in required[:, worst].nonzero().flatten().tolist()]
    if len(names) > max_parents:
        raise InputError(
            f"no DAG is possible: knowledge requires {len(names)} parents of "
            f"{table.data.names[worst]!r} ({', '.join(map(repr, names))}), but max_parents is "
            f"{max_parents}. Require fewer edges, or raise max_parents."
        )


class GraphSum:
    """Everything that one table, its knowledge and the options fix.

    Args:
        config: Options.
        table: The checked table, in the user's units.
        generator: Source of randomness of all draws.
    """

    def __init__(
        self, config: ExactConfig, table: DiscoveryTable, generator: torch.Generator
    ) -> None:
        self.config = config
        self.table = table
        self.generator = generator
        self.prior, self.modular = choose_prior(config.prior)
        d = table.data.d
        self.modular.parent_count_terms(d)  # degenerate priors are refused before the run
        if config.n_candidates != "auto":
            self.n_candidates = int(config.n_candidates)
        else:
            self.n_candidates = d - 1 if d <= ALL_CANDIDATES else _FEWER_CANDIDATES
        self.max_parents = d - 1 if config.max_parents == "auto" else int(config.max_parents)
        refuse_too_many_required(table, self.max_parents)

    def scaling_of(self, likelihood: DecomposableLikelihood) -> Scaling:
        """Find the scaling that the options and the likelihood ask for.

        Args:
            likelihood: The likelihood.

        Returns:
            The name of the scaling.
        """
        own = cast(Scaling, likelihood.scaling)
        return own if self.config.scaling == "auto" else self.config.scaling

    def tables(self, likelihood: DecomposableLikelihood) -> ScoreTables:
        """Score the parent sets of the table.

        Args:
            likelihood: The likelihood.

        Returns:
            Scores with structure prior and knowledge.
        """
        data, d = self.table.data, self.table.data.d
        scaled = scale_columns(data, self.scaling_of(likelihood))
        scores = likelihood.local_scores(scale_for(likelihood, data, scaled.values))
        candidates = choose_candidates(
            scores,
            min(self.n_candidates, d - 1),
            self.modular.parent_count_terms(d),
            self.table.constraints,
            favoured=None if self.n_candidates >= d - 1 else self._in_greedy_dags,
        )
        return score_tables(
            scores, candidates, self.max_parents, self.modular, self.table.constraints
        )

    @cached_property
    def _in_greedy_dags(self) -> Float[Tensor, "d d"]:
        """Edges of greedy DAGs under BGe: parents that pay only jointly are among them."""
        standardised = scale_columns(self.table.data, "standardise").values
        found = greedy_dags(
            BGe().on(standardised, self.table.intervened),
            self.modular.parent_count_terms(self.table.data.d),
            self.table.constraints,
            torch.Generator().manual_seed(0),  # the draws do not depend on the search
            max_parents=self.max_parents,
            n_rounds=2,
        )
        return favour(found.graphs)

    def evidence(
        self, likelihood: DecomposableLikelihood, *, with_graphs: bool
    ) -> LikelihoodEvidence:
        """Sum over the graphs under one likelihood, to compare likelihoods.

        Args:
            likelihood: The likelihood.
            with_graphs: Whether draws are needed too.

        Returns:
            The log sum, above five columns over orders (which counts each DAG once for each of its
            orders: a difference of a nat or two between likelihoods), and the draws.
        """
        tables = self.tables(likelihood)
        if not with_graphs and len(tables.candidates) > MAX_ENUMERATED:
            total = order_programme(tables.tables, tables.candidates).log_total
            return LikelihoodEvidence(total, None)
        answer = self.posterior(tables, min_ess=1.0, max_draws=_DRAWS_TO_COMPARE)
        total = answer.facts.get("log_total_of_orders", answer.log_total)
        return LikelihoodEvidence(total, (answer.graphs, answer.log_weights))

    def averaged(self, likelihood: BGe) -> tuple[BGe, float, GraphAnswer]:
        """Average over the prior scales of BGe, each with the weight of its evidence.

        Args:
            likelihood: BGe with ``alpha_mu="auto"``.

        Returns:
            The score with the largest evidence, the log score of the empty graph under it, and the
            mixture of all answers.
        """
        scores = likelihood.each_alpha_mu()
        tables = [self.tables(score) for score in scores]
        answers = [self.posterior(t) for t in tables]
        evidence = torch.tensor(
            [t.log_empty + a.log_total for t, a in zip(tables, answers, strict=True)],
            dtype=torch.float64,
        )
        share = evidence - evidence.logsumexp(0)
        best = int(evidence.argmax())
        weights = [a.log_weights + w for a, w in zip(answers, share, strict=True)]
        total = float(evidence.logsumexp(0)) - math.log(len(scores)) - tables[best].log_empty
        facts = answers[best].facts | {
            "alpha_mu_probabilities": {
                f"{s.alpha_mu:g}": float(w) for s, w in zip(scores, share.exp(), strict=True)
            }
        }
        graphs, which = distinct_graphs(torch.cat([a.graphs for a in answers]))
        mass = torch.zeros(len(graphs), dtype=torch.float64)
        mass.index_add_(0, which, torch.cat(weights).exp())
        answer = GraphAnswer(graphs, mass.log(), total, facts)
        return scores[best], tables[best].log_empty, answer

    def posterior(
        self, tables: ScoreTables, *, min_ess: float | None = None, max_draws: int | None = None
    ) -> GraphAnswer:
        """Weigh all graphs, or draw enough of them.

        Args:
            tables: Scores with structure prior and knowledge.
            min_ess: Effective number of draws wanted; the option by default.
            max_draws: Never more draws than this; the option by default.

        Returns:
            The graphs.

        Raises:
            InputError: If no graph is possible.
        """
        enumerable = len(tables.candidates) <= MAX_ENUMERATED
        if enumerable:
            graphs, log_joint = enumerate_posterior(tables.tables, tables.candidates)
            facts: dict[str, Any] = {"exact": "enumeration", "n_graphs": len(graphs)}
            self._refuse_nothing(len(graphs) > 0)
        else:
            programme = order_programme(tables.tables, tables.candidates)
            self._refuse_nothing(programme.log_total > float("-inf"))
            draws = draw_until(
                programme,
                min_ess=self.config.min_ess if min_ess is None else min_ess,
                max_draws=self.config.max_draws if max_draws is None else max_draws,
                generator=self.generator,
            )
            graphs, log_joint = draws.graphs, draws.log_weights + draws.log_total
            k = tables.candidates.shape[1]
            facts = {
                "exact": "order programme",
                **({} if k == len(tables.candidates) - 1 else {"n_candidates": k}),
                "n_draws": draws.n_draws,
                "n_distinct": len(graphs),
                "ess": draws.ess,
                "monte_carlo_error": 0.5 / draws.ess**0.5,
                "log_evidence_error": draws.log_total_error,
                "log_total_of_orders": programme.log_total,
            }
        if self.prior is not self.modular:
            hard = graphs.double()
            log_joint = log_joint + self.prior.log_prob(hard) - self.modular.log_prob(hard)
        peak = log_joint.max()  # subtracted first: huge scores lose no digits of their differences
        log_weights = log_joint - peak
        log_sum = log_weights.logsumexp(0)
        log_weights = log_weights - log_sum
        if enumerable:
            entropy = -(log_weights.exp() * log_weights).nansum()
            facts["entropy_nats"] = float(entropy)
        return GraphAnswer(graphs, log_weights, float(peak + log_sum), facts)

    def sensitivity(self, tables: ScoreTables, answer: GraphAnswer) -> dict[str, Any]:
        """Repeat the sums under the other usual structure prior.

        Args:
            tables: Scores under the prior that was asked for.
            answer: The answer under it.

        Returns:
            The other prior, and the edge whose probability changes most.
        """
        sparse = isinstance(self.modular, SparseEdgeRate)
        name, other = ("fair", FairParentCounts()) if sparse else ("sparse", SparseEdgeRate())
        d, k = tables.candidates.shape
        sizes = torch.zeros(1, dtype=torch.int64)
        for _ in range(k):
            sizes = torch.cat([sizes, sizes + 1])
        terms = other.parent_count_terms(d) - self.modular.parent_count_terms(d)
        moved = tables.tables + terms[sizes]
        again = self.posterior(tables._replace(tables=moved), max_draws=10_000)
        change = (again.edges() - answer.edges()).abs()
        i, j = divmod(int(change.argmax()), len(change))
        names = self.table.data.names
        return {
            "prior": name,
            "largest_change": float(change[i, j]),
            "edge": f"{names[i]} -> {names[j]}",
            "mean_change": float(change.sum() / (len(change) * (len(change) - 1) or 1)),
        }

    def effect_model(self, likelihood: DecomposableLikelihood) -> EffectModel:
        """Keep what effects need after fitting.

        Args:
            likelihood: The likelihood that scored the graphs.

        Returns:
            The closed form where there is one, otherwise what simulation needs.
        """
        scaled = scale_columns(self.table.data, self.scaling_of(likelihood))
        return effect_model(likelihood, self.table.data, scaled.centre, scaled.scale)

    @staticmethod
    def _refuse_nothing(possible: bool) -> None:
        if not possible:
            raise InputError(
                "no DAG is possible: the knowledge asks for more parents than max_parents or the "
                "likelihood allows. Require fewer edges, or raise max_parents."
            )

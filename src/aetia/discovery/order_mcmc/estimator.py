"""Order MCMC: the posterior over DAGs of tables too wide for exact sums."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, Literal, cast

import numpy as np
from sklearn.base import BaseEstimator
from tqdm.auto import tqdm

from aetia.data import Dataset, Scaling, scale_columns
from aetia.discovery.best_positions import GreedyDags, gaussian_score
from aetia.discovery.likelihood_choice import ChosenLikelihood, choose_likelihood
from aetia.discovery.order_mcmc.config import OrderMCMCConfig
from aetia.discovery.order_mcmc.sampling import Clock, OrderRun, Sample
from aetia.discovery.order_mcmc.tables import graphs_of
from aetia.discovery.score_tables import choose_prior, scale_for
from aetia.discovery.subtable_evidence import SubtableEvidence, most_related
from aetia.discovery.table import Accepts, read_table
from aetia.errors import ConvergenceWarning, InputError
from aetia.graphs import Knowledge, ModularPrior
from aetia.options import earlier_names, options_dict
from aetia.randomness import RandomState, seed_of, seed_sequence, torch_generator
from aetia.results import GraphPosterior, RunFacts, effect_model

__all__ = ["OrderMCMC"]

MAX_COLUMNS = 300


@earlier_names(start="initialisation")
class OrderMCMC(BaseEstimator):
    """Sample DAGs by tempered chains over orders of the columns, each DAG counted once.

    A chain moves variables in an order, draws the parents given the order exactly, and corrects
    for the number of orders that a graph has. Several chains run until they agree; if they do not,
    the result says so. Every option is described in
    :class:`aetia.discovery.order_mcmc.config.OrderMCMCConfig`.

    Args:
        likelihood: How a table is scored given a graph: ``"auto"`` chooses by the kinds of the
            columns and, for numbers, by the evidence of the dozen most related columns; or a
            likelihood with score tables (``"bge"``, ``"linear"``, ``"block"``, ``"bdeu"``, ...), a
            mapping with ``name`` and options, or an object with ``local_scores``.
        prior: Structure prior, a product over variables: ``"sparse"`` (about one parent for each
            variable), ``"fair"``, ``"uniform"``, ``"erdos-renyi"``, or an object of your own.
        n_chains: Number of independent chains, at least 2; their agreement is what convergence is
            judged by, so more make the verdict safer and the run slower.
        n_temperatures: Number of orders of each chain at different temperatures, the coldest of
            which is kept; hotter ones cross between distant modes. ``"auto"`` is 4 up to 120
            columns, 6 up to 200 and 8 above; more help strongly correlated tables and cost time in
            proportion. 1 is no tempering.
        n_candidates: Number of possible parents of each variable; ``"auto"`` is 16 below 300 rows
            and 12 above. One more doubles the memory.
        max_parents: Largest number of parents of a variable; ``"auto"`` sets no limit. Smaller
            leaves out denser graphs, and saves time where there are many candidates.
        tolerance: Largest standard error of any edge or path probability; the run stops when all
            are below it. Smaller takes longer, with the square of the ratio.
        max_seconds: Number of seconds after which the run stops in any case; the result then says
            that it has not converged.
        n_draws: Largest number of graphs that are kept of each chain, evenly thinned; fewer above
            150 columns, where they would fill the memory.
        initialisation: Where chains begin: ``"greedy"`` with the orders of greedy DAGs (every
            variable at its best position, under BGe), ``"random"`` with random orders, ``"auto"``
            with one of both in turn, so that the agreement of chains is informative; or orders,
            DAGs or a ``GraphPosterior`` to begin with. Parents in greedy and given DAGs become
            candidates in any case.
        scaling: How columns are scaled first: ``"standardise"``, ``"centre"`` or ``"none"``;
            ``"auto"`` is what the likelihood asks for, such as standardised columns for BGe.
        random_state: None, an integer or a NumPy generator. The same seed gives the same draws
            unless the run was ended by ``max_seconds``.
        progress: Whether to show a progress bar; None shows it in terminals.

    Attributes:
        posterior_: The :class:`~aetia.results.GraphPosterior`.
        likelihood_: The likelihood that was used.
        agreement_: How far the chains agree, edge by edge.
        facts_: What is known about the run: seed, version, time, iterations, configuration.
        health_: Whether the chains agree, and how they moved; the diagnostics of the posterior.
        history_: Empty: nothing is trained.
        n_features_in_: Number of columns.
        feature_names_in_: Their names; x0, x1, ... for arrays.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> a, b, noise = rng.normal(size=(3, 500))
        >>> fitted = OrderMCMC(random_state=0).fit(np.column_stack([a, b, a + b + noise]))
        >>> bool(fitted.posterior_.edge_probabilities()[0, 2] > 0.9)  # a collider is identified
        True
    """

    accepts = Accepts(kinds=("continuous", "binary", "count", "categorical"))

    def __init__(
        self,
        likelihood: Any = "auto",
        prior: Any = "sparse",
        n_chains: int = 4,
        n_temperatures: int | Literal["auto"] = "auto",
        n_candidates: int | Literal["auto"] = "auto",
        max_parents: int | Literal["auto"] = "auto",
        tolerance: float = 0.02,
        max_seconds: float = 60.0,
        n_draws: int = 2000,
        initialisation: Any = "auto",
        scaling: Scaling = "auto",
        random_state: RandomState = None,
        progress: bool | None = None,
    ) -> None:
        self.likelihood = likelihood
        self.prior = prior
        self.n_chains = n_chains
        self.n_temperatures = n_temperatures
        self.n_candidates = n_candidates
        self.max_parents = max_parents
        self.tolerance = tolerance
        self.max_seconds = max_seconds
        self.n_draws = n_draws
        self.initialisation = initialisation
        self.scaling = scaling
        self.random_state = random_state
        self.progress = progress

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        intervened: Any = None,
        regime: Any = None,
        knowledge: Knowledge | Mapping[str, Any] | None = None,
    ) -> OrderMCMC:
        """Sample the posterior over graphs of a table.

        Args:
            X: A frame, array, Dataset, or path of a CSV or Parquet file; at most 300 columns.
            y: Ignored; scikit-learn passes it.
            intervened: What was set by intervention: a boolean table, or the name of a column.
            regime: Not accepted.
            knowledge: What is known about the graph.

        Returns:
            The fitted estimator, with ``posterior_``.

        Raises:
            InputError: If table, options or knowledge cannot be used.
        """
        config = OrderMCMCConfig(**{f.name: getattr(self, f.name) for f in fields(OrderMCMCConfig)})
        # Reading the table and choosing the likelihood count towards the time.
        clock = Clock(config.max_seconds)
        prior = _modular_prior(config.prior)
        table = read_table(
            X,
            method="OrderMCMC",
            accepts=self.accepts,
            scaling="none",
            intervened=intervened,
            regime=regime,
            knowledge=knowledge,
        )
        d = table.data.d
        if d > MAX_COLUMNS:
            raise InputError(
                f"OrderMCMC takes at most {MAX_COLUMNS} columns; the table has {d}. Choose "
                "columns, for example with exclude=."
            )
        self.n_features_in_ = d
        self.feature_names_in_ = np.array(table.data.names, dtype=object)
        vars(self).pop("posterior_", None)  # a failed fit must not leave the answer of another
        seeds = seed_sequence(self.random_state)
        chosen = _choose_likelihood(config.likelihood, table.data, seeds)
        likelihood = chosen.likelihood
        # Chosen on the unscaled table, because what its scale should be depends on the likelihood.
        own = cast(Scaling, likelihood.scaling)
        scaling = own if config.scaling == "auto" else config.scaling
        scaled = scale_columns(table.data, scaling)
        scores = likelihood.local_scores(scale_for(likelihood, table.data, scaled.values))
        gaussian = gaussian_score(scores, table)
        with _bar(self.progress) as bar:
            run = OrderRun(
                config=config,
                scores=scores,
                # Scores of whole graphs are fast enough to choose the candidates themselves.
                screen=None if hasattr(scores, "node_scores") else gaussian,
                gaussian=gaussian,
                prior=prior,
                constraints=table.constraints,
                n_rows=table.data.n,
                clock=clock,
                report=_reporter(bar),
            )
            sample = run.sample(seeds)
        self.likelihood_ = likelihood
        self.agreement_ = sample.agreement
        graphs = graphs_of(sample.draws.reshape(-1, d), sample.candidates)
        facts = {
            "likelihood": likelihood.name,
            "likelihood_reason": chosen.reason,
            "likelihood_numbers": dict(chosen.numbers),
            "n_rows": table.data.n,
            "share_cyclic": 0.0,
            **_convergence_facts(sample, table.data.names),
            "scaling": scaling,
        }
        self.facts_ = RunFacts(
            method="order-mcmc",
            seed=seed_of(seeds),
            device="cpu",
            seconds=clock.elapsed,
            n_steps=facts["n_iterations"],
            config=options_dict(config) | {"initialisation": _plain(config.initialisation)},
        )
        self.posterior_ = GraphPosterior(
            graphs=graphs,
            # Chains draw DAGs in proportion to their posterior, so all draws count the same.
            log_weights=np.full(len(graphs), -np.log(len(graphs))),
            names=table.data.names,
            knowledge=table.knowledge,
            model=effect_model(likelihood, table.data, scaled.centre, scaled.scale),
            covariance=table.covariance(),
            facts=self.facts_,
            diagnostics=facts,
        )
        self.health_, self.history_ = facts, []
        if not sample.converged:
            _warn(facts, config)
        return self


def _choose_likelihood(
    option: Any, data: Dataset, seeds: np.random.SeedSequence
) -> ChosenLikelihood:
    """Choose by the kinds of all columns; the evidence is that of the most related dozen."""
    numbers = set(data.kinds) <= {"continuous", "count"}
    part = most_related(data) if option == "auto" and numbers else data
    generator = torch_generator(seeds.spawn(1)[0])
    chosen = choose_likelihood("OrderMCMC", option, part, SubtableEvidence(part, generator))
    if part is data or not chosen.numbers:
        return chosen
    reason = f"{chosen.reason} Judged by the {part.d} most related columns."
    return replace(chosen, reason=reason)


def _modular_prior(prior: Any) -> ModularPrior:
    chosen, modular = choose_prior(prior)
    if chosen is not modular:
        raise InputError(
            f"OrderMCMC needs a structure prior that is a product over variables "
            f"(`parent_count_terms`), not {getattr(chosen, 'name', chosen)!r}. Use 'sparse', "
            "'fair', 'uniform' or 'erdos-renyi', or DiBS."
        )
    return modular


def _convergence_facts(sample: Sample, names: tuple[str, ...]) -> dict[str, Any]:
    agreement, chains = sample.agreement, sample.chains
    finite = agreement.rhat.max(initial=agreement.log_score_rhat)
    rates = chains.counts[1:, 1] / np.maximum(chains.counts[1:, 0], 1)
    outside = [
        {"edge": f"{names[i]} -> {names[j]}", "probability": float(sample.outside[i, j])}
        for i, j in _largest(sample.outside, 5)
    ]
    return {
        "converged": sample.converged,
        "rhat_max": float(finite),
        "share_rhat_below_1_05": agreement.share_converged,
        "rhat_log_score": agreement.log_score_rhat,
        "n_undecided_edges": len(agreement.edges),
        "standard_error_max": agreement.standard_error,
        "between_chain_sd_max": float(agreement.edge_sd.max(initial=0.0)),
        "worst_edges": [
            {
                "edge": f"{names[i]} -> {names[j]}",
                "rhat": float(agreement.rhat[(agreement.edges == (i, j)).all(-1)][0]),
                "between_chain_sd": float(agreement.edge_sd[i, j]),
            }
            for i, j in agreement.worst_edges()
        ],
        "ess": float(agreement.ess.min(initial=agreement.log_score_ess)),
        "ess_bulk_min": float(agreement.ess.min(initial=agreement.log_score_ess)),
        "ess_log_score": agreement.log_score_ess,
        "log_score_means": [float(v) for v in agreement.log_score_means],
        "mass_outside": float(sample.outside.sum()),
        "edges_outside": outside,
        "n_candidates": sample.candidates.shape[1],
        "n_candidate_repairs": sample.n_repairs,
        **_search_facts(sample.greedy),
        "acceptance": float(chains.counts[0, 1] / max(chains.counts[0, 0], 1)),
        "swap_rates": [float(r) for r in rates],
        "inverse_temperatures": [float(b) for b in chains.betas],
        "n_iterations": chains.n_iterations,
        "moves_per_iteration": chains.n_moves,
        "thinning": chains.thin,
        "n_chains": agreement.n_chains,
        "n_draws_per_chain": sample.draws.shape[1],
    }


def _search_facts(greedy: GreedyDags | None) -> dict[str, Any]:
    if greedy is None:
        return {}
    return {
        "n_greedy_dags": len(greedy.graphs),
        "greedy_log_score": float(greedy.log_scores[0]),
        "greedy_sweeps": greedy.n_sweeps,
        "greedy_search_finished": greedy.finished,
    }


def _largest(values: np.ndarray, n: int) -> list[tuple[int, int]]:
    order = np.argsort(-values, axis=None, kind="stable")[:n]
    pairs = (divmod(int(at), values.shape[1]) for at in order)
    return [(i, j) for i, j in pairs if values[i, j] >= 0.01]


def _warn(facts: Mapping[str, Any], config: OrderMCMCConfig) -> None:
    worst = ", ".join(e["edge"] for e in facts["worst_edges"][:3])
    means = facts["log_score_means"]
    warnings.warn(
        f"the {facts['n_chains']} chains do not agree after {config.max_seconds:g} s: R-hat is "
        f"below 1.05 for {facts['share_rhat_below_1_05']:.0%} of {facts['n_undecided_edges']} "
        f"undecided edges, the largest standard error of a probability is "
        f"{facts['standard_error_max']:.3f} (tolerance {config.tolerance:g}), mean log scores of "
        f"the chains differ by {max(means) - min(means):.1f}."
        + (f" Worst edges: {worst}." if worst else "")
        + " Raise max_seconds or n_temperatures; with few rows it may take minutes.",
        ConvergenceWarning,
        stacklevel=3,
    )


def _plain(initialisation: Any) -> str:
    if isinstance(initialisation, str):
        return initialisation
    return type(initialisation).__name__


def _bar(progress: bool | None) -> tqdm:
    return tqdm(
        total=100,
        desc="OrderMCMC",
        bar_format="{desc} {percentage:3.0f}% of the time |{bar}| {postfix}",
        disable=None if progress is None else not progress,
    )


def _reporter(bar: tqdm) -> Callable[[str, float], None]:
    def report(stage: str, share: float) -> None:
        bar.set_postfix_str(stage, refresh=False)
        bar.update(max(0.0, 100.0 * share - bar.n))

    return report

"""The course of a run: candidates, first orders, repair of candidates, tuning, draws, the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32, Int64
from torch import Tensor

from aetia.discovery.best_positions import (
    GreedyDags,
    allowed_orders,
    best_positions,
    favour,
    greedy_dags,
)
from aetia.discovery.candidate_parents import choose_candidates, default_n_candidates
from aetia.discovery.order_mcmc.chains import Chains, path_shares
from aetia.discovery.order_mcmc.config import OrderMCMCConfig
from aetia.discovery.order_mcmc.diagnostics import ChainAgreement, chain_agreement, edge_shares
from aetia.discovery.order_mcmc.first_orders import first_orders, read_beginning
from aetia.discovery.order_mcmc.repair import outside_probabilities, replace_candidates
from aetia.discovery.order_mcmc.tables import ChainTables
from aetia.discovery.score_tables import score_tables
from aetia.errors import InputError
from aetia.graphs import Constraints, ModularPrior
from aetia.likelihoods import LocalScores
from aetia.likelihoods.bge import BGeScore
from aetia.randomness import torch_generator

__all__ = ["Clock", "OrderRun", "Sample"]

_GOOD_MASS = 0.01
"""Expected edges outside the candidates that are not worth another repair."""
_MAX_REPAIRS = 12
_SEARCH_SHARE = 0.2
"""Share of the time that the greedy search may take."""
_BURN_IN = 0.3
"""Share of the corrected draws that is left out at the beginning."""
_MAX_GRAPH_CELLS = 200_000_000


class Clock:
    """Time since the run began.

    Args:
        seconds: Time that the run may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._began = time.perf_counter()

    def past(self, share: float = 1.0) -> bool:
        """Tell whether a share of the time has gone.

        Args:
            share: Share of the allowed time, in [0, 1].

        Returns:
            True when it has.
        """
        return self.elapsed > share * self.seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._began


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """What the chains drew.

    Attributes:
        draws: Parent sets of each kept draw, as masks over the candidates.
        candidates: Candidate parents of each variable.
        agreement: Whether the chains agree.
        converged: Whether the tolerance was reached.
        outside: Estimated probabilities of edges outside the candidates.
        n_repairs: How often candidates were exchanged.
        chains: The chains at the end.
        greedy: DAGs of the greedy search; None where it was not needed.
    """

    draws: Int32[np.ndarray, "c n d"]
    candidates: Int64[np.ndarray, "d k"]
    agreement: ChainAgreement
    converged: bool
    outside: Float[np.ndarray, "d d"]
    n_repairs: int
    chains: Chains
    greedy: GreedyDags | None


@dataclass(frozen=True, eq=False, kw_only=True)
class OrderRun:
    """One run of the sampler on one table.

    Attributes:
        config: Options.
        scores: The likelihood bound to the data.
        screen: A faster score that chooses the first candidates, or None.
        gaussian: The score under which greedy DAGs are searched.
        prior: Structure prior.
        constraints: Knowledge.
        n_rows: Rows of the table.
        clock: Time since the run began.
        report: Called with a stage and how much of the time has gone.
    """

    config: OrderMCMCConfig
    scores: LocalScores
    screen: LocalScores | None
    gaussian: BGeScore
    prior: ModularPrior
    constraints: Constraints
    n_rows: int
    clock: Clock
    report: Callable[[str, float], None]

    def sample(self, seeds: np.random.SeedSequence) -> Sample:
        """Draw from the posterior until the chains agree or the time is over.

        Args:
            seeds: The root of all randomness of the run.

        Returns:
            The draws with their diagnostics.
        """
        config, d = self.config, self.constraints.required.shape[0]
        first, *chain_seeds = seeds.spawn(1 + config.n_chains)
        rng = np.random.default_rng(first)
        self._report("greedy search")
        greedy = self._greedy(torch_generator(first.spawn(1)[0]))
        beginnings, favoured = self._beginnings(greedy, rng)
        self._report("candidates")
        candidates = choose_candidates(
            self.scores,
            self.n_candidates,
            self._count_terms,
            self.constraints,
            self.screen,
            favoured,
        )
        tables = self._tables(candidates)
        orders = first_orders(
            beginnings,
            self.constraints.required.numpy(),
            (config.n_chains, self.n_temperatures),
            rng,
            half=self._named_initialisation == "auto",
        )
        _check_possible(tables, orders[0, 0])
        chains = Chains(tables, orders, chain_seeds, self.n_draws)
        n_repairs = self._settle(chains)
        self._report("tuning")
        chains.tune(20, min(200, max(20, 20_000 // d)))
        draws, agreement = self._collect(chains)
        return Sample(
            draws=draws,
            candidates=chains.tables.candidates,
            agreement=agreement,
            converged=agreement.reaches(config.tolerance),
            outside=self._outside(draws, chains.tables).numpy(),
            n_repairs=n_repairs,
            chains=chains,
            greedy=greedy,
        )

    @property
    def n_candidates(self) -> int:
        """Candidates of each variable."""
        d, asked = self.constraints.required.shape[0], self.config.n_candidates
        return default_n_candidates(d, self.n_rows) if asked == "auto" else min(int(asked), d - 1)

    @property
    def n_temperatures(self) -> int:
        """Orders of each chain."""
        asked, d = self.config.n_temperatures, self.constraints.required.shape[0]
        if asked != "auto":
            return int(asked)
        return 4 if d <= 120 else 6 if d <= 200 else 8

    @property
    def n_draws(self) -> int:
        """Draws kept of each chain."""
        d, c = self.constraints.required.shape[0], self.config.n_chains
        return max(20, min(self.config.n_draws, _MAX_GRAPH_CELLS // (c * d * d)))

    @property
    def _count_terms(self) -> Float[Tensor, " d"]:
        return self.prior.parent_count_terms(self.constraints.required.shape[0])

    @property
    def _named_initialisation(self) -> str:
        given = self.config.initialisation
        return given if isinstance(given, str) else ""

    @property
    def _max_parents(self) -> int:
        d, asked = self.constraints.required.shape[0], self.config.max_parents
        return d - 1 if asked == "auto" else min(int(asked), d - 1)

    def _greedy(self, generator: torch.Generator) -> GreedyDags | None:
        """Search for good DAGs where candidates or first orders come from them."""
        d = self.constraints.required.shape[0]
        if self.n_candidates >= d - 1 and self._named_initialisation not in ("auto", "greedy"):
            return None
        return greedy_dags(
            self.gaussian,
            self._count_terms,
            self.constraints,
            generator,
            max_parents=self._max_parents,
            stop=lambda: self.clock.past(_SEARCH_SHARE),
        )

    def _beginnings(
        self, greedy: GreedyDags | None, rng: np.random.Generator
    ) -> tuple[Int64[np.ndarray, "g d"], Float[Tensor, "d d"]]:
        """Find the first orders, none for random ones, and the edges that should be candidates."""
        d = self.constraints.required.shape[0]
        favoured = torch.zeros(d, d, dtype=torch.float64)
        if greedy is not None:
            favoured = favour(greedy.graphs)
        named = self._named_initialisation
        if named == "random" or (named and greedy is None):
            return np.empty((0, d), dtype=np.int64), favoured
        if named and greedy is not None:
            return greedy.orders.numpy(), favoured
        given = read_beginning(self.config.initialisation, d, rng)
        if given.graphs is None:
            priority = torch.from_numpy(given.orders).argsort(-1).double()
            orders = allowed_orders(priority, self.constraints.required)
            graphs = best_positions(
                self.gaussian,
                orders,
                self._count_terms,
                self.constraints,
                max_parents=self._max_parents,
                max_sweeps=0,
            ).graphs
        else:
            graphs = torch.from_numpy(given.graphs)
        return given.orders, torch.maximum(favoured, favour(graphs))

    def _report(self, stage: str) -> None:
        self.report(stage, min(1.0, self.clock.elapsed / self.clock.seconds))

    def _tables(self, candidates: Int64[Tensor, "d k"]) -> ChainTables:
        scored = score_tables(
            self.scores, candidates, self._max_parents, self.prior, self.constraints
        )
        return ChainTables.of(candidates, scored.tables)

    def _settle(self, chains: Chains) -> int:
        """Bring the orders near the posterior, and exchange candidates until few are missing."""
        d = chains.tables.d
        chains.n_moves = max(1, d // 4)
        # Orders that were found by a search must not be forgotten by heating them.
        anneal = np.full(chains.n_chains, self._named_initialisation in ("auto", "random"))
        if self._named_initialisation == "auto":
            anneal[::2] = False
        n_repairs = 0
        best, since = np.inf, 0
        while self.n_candidates < d - 1 and n_repairs < _MAX_REPAIRS:
            self._report("candidates")
            draws, _ = chains.wander(20, 50, anneal=anneal)
            outside = self._outside(draws, chains.tables)
            mass = float(outside.sum())
            since = 0 if mass < 0.9 * best else since + 1
            best = min(best, mass)
            late = self.clock.past(0.25 if n_repairs >= 2 else 0.5)
            if mass < _GOOD_MASS or since >= 2 or late:
                break
            candidates = torch.from_numpy(chains.tables.candidates)
            inclusion = torch.from_numpy(edge_shares(draws, chains.tables.candidates).mean(0))
            better = replace_candidates(candidates, inclusion, outside, self.constraints)
            if torch.equal(better, candidates):
                break
            n_repairs += 1
            chains.rebuild(self._tables(better))
        self._report("burn-in")
        _, log_scores = chains.wander(40, 100, anneal=anneal)
        for _ in range(8):  # until the chains are in sight of each other
            lowest, highest = log_scores.min(1), log_scores.max(1)
            if lowest.max() <= highest.min() or self.clock.past(0.4):
                break
            _, log_scores = chains.wander(20, 200)
        return n_repairs

    def _collect(self, chains: Chains) -> tuple[Int32[np.ndarray, "c n d"], ChainAgreement]:
        d = chains.tables.d
        few = min(1000, max(20, 100_000 // d))
        check_at = 4 * few
        while True:
            chains.extend(few)
            self._report("sampling")
            enough = chains.draws.shape[1] >= min(40, self.n_draws)
            over = enough and self.clock.past()
            if over or (enough and chains.n_iterations >= check_at):
                check_at = 1.5 * chains.n_iterations
                draws, agreement = _agreement(chains)
                if over or agreement.reaches(self.config.tolerance):
                    return draws[:, -self.n_draws :], agreement

    def _outside(self, draws: Int32[np.ndarray, "c n d"], tables: ChainTables) -> Tensor:
        some = draws[:, :: max(1, draws.shape[1] // 50)].reshape(-1, tables.d)
        return outside_probabilities(
            self.scores,
            some,
            _descendants(some, tables.candidates),
            torch.from_numpy(tables.candidates),
            self._count_terms,
            self.constraints,
            n_sets=4 if self.screen is None else 2,
        )


def _agreement(chains: Chains) -> tuple[Int32[np.ndarray, "c n d"], ChainAgreement]:
    skipped = int(_BURN_IN * chains.draws.shape[1])
    draws = chains.draws[:, skipped:]
    candidates = chains.tables.candidates
    paths = path_shares(draws, candidates)
    return draws, chain_agreement(draws, chains.log_scores[:, skipped:], candidates, paths)


def _descendants(
    draws: Int32[np.ndarray, "s d"], candidates: Int64[np.ndarray, "d k"]
) -> Bool[np.ndarray, "s d d"]:
    return path_shares(draws[:, None], candidates) > 0


def _check_possible(tables: ChainTables, order: Int64[np.ndarray, " d"]) -> None:
    if not np.isfinite(tables.log_weight(order)):
        raise InputError(
            "no graph with the required edges can be scored: the likelihood or max_parents rules "
            "out a required parent set. Raise max_parents, or require fewer edges."
        )

"""Several tempered chains side by side: where they are, how they are tuned, what they drew."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np
from jaxtyping import Bool, Float, Int32, Int64

from aetia.discovery.order_mcmc.tables import ChainTables

__all__ = ["Chains", "ladder", "path_shares"]

SWAP_TARGET = 0.25
"""Acceptance of exchanges that the ladder is tuned to."""
CORRECTION_TARGET = 0.4
"""Acceptance of new graphs that the moves of an iteration are tuned to."""


def ladder(log_gaps: Float[np.ndarray, " g"]) -> Float[np.ndarray, " t"]:
    """Compute inverse temperatures from the logarithms of their gaps.

    Args:
        log_gaps: Log of minus the log ratio of neighbours.

    Returns:
        1, then smaller and smaller.
    """
    return np.exp(-np.concatenate([[0.0], np.exp(log_gaps).cumsum()]))


class Chains:
    """Independent tempered chains on the same tables.

    The result depends on the seeds and on the calls, not on threads or time: each chain has its
    own generator, and what is tuned is tuned between calls from counts of all chains.

    Args:
        tables: Scores.
        orders: A first order for each chain and temperature.
        seeds: One for each chain.
        n_draws: Draws kept of each chain; when twice as many have come in, every second goes.

    Attributes:
        tables: Scores.
        orders: Current orders, the coldest first.
        parents: Current graphs, as masks over the candidates.
        n_moves: Moves of each order in an iteration.
        thin: Iterations between the kept draws.
        n_iterations: Corrected iterations since the last call of ``forget``.
        counts: What was tried and accepted in these iterations, summed over the chains: row 0
            iterations and accepted graphs, row t exchanges of temperatures t - 1 and t.
    """

    def __init__(
        self,
        tables: ChainTables,
        orders: Int64[np.ndarray, "c t d"],
        seeds: list[np.random.SeedSequence],
        n_draws: int,
    ) -> None:
        self.tables = tables
        self.orders = np.ascontiguousarray(orders)
        self.n_chains, self.n_temperatures, d = orders.shape
        self.parents = np.full((self.n_chains, self.n_temperatures, d), -1, dtype=np.int64)
        self.n_moves = max(1, d // 8)
        self._log_gaps = np.full(self.n_temperatures - 1, np.log(0.2))
        self._log_moves = float(np.log(self.n_moves))
        self._rngs = [s.generate_state(4, np.uint64) for s in seeds]
        self._n_draws = n_draws
        self._parity = 0
        self.forget()

    @property
    def betas(self) -> Float[np.ndarray, " t"]:
        """Inverse temperatures, 1 first."""
        return ladder(self._log_gaps)

    @property
    def draws(self) -> Int32[np.ndarray, "c n d"]:
        """Kept parent sets, as masks over the candidates."""
        return self._draws[:, : self._kept]

    @property
    def log_scores(self) -> Float[np.ndarray, "c n"]:
        """Log score of each kept draw."""
        return self._trace[:, : self._kept]

    def forget(self) -> None:
        """Drop all draws and counts, but stay where the chains are."""
        d = self.tables.d
        self._draws = np.zeros((self.n_chains, 2 * self._n_draws, d), dtype=np.int32)
        self._trace = np.zeros((self.n_chains, 2 * self._n_draws))
        self._kept = 0
        self.thin = 1
        self.n_iterations = 0
        self.counts = np.zeros((self.n_temperatures, 2), dtype=np.int64)

    @property
    def lambdas(self) -> Float[np.ndarray, " t"]:
        """Powers of the distribution of orders: 1 for the coldest, 0 for the hottest."""
        return np.linspace(1.0, 0.0, self.n_temperatures) if self.n_temperatures > 1 else np.ones(1)

    def wander(
        self,
        n_rounds: int,
        n_iterations: int,
        *,
        anneal: Bool[np.ndarray, " c"] | None = None,
    ) -> tuple[Int32[np.ndarray, "c n d"], Float[np.ndarray, "c n"]]:
        """Move the orders without the correction, as from a first order far from the posterior.

        A corrected chain would not leave such an order: its graphs are dense and have few orders.

        Args:
            n_rounds: The ladder is tuned after each.
            n_iterations: Iterations of a round.
            anneal: Chains whose temperatures begin high and fall in the first three quarters of
                the rounds; None is no chain.

        Returns:
            Parent sets of graphs drawn in the last tenth of the rounds, one in ten iterations, and
            their log scores.
        """
        self.parents[:] = -1
        draws, traces = [], []
        n_draws = max(1, n_iterations // 10)
        for step in range(n_rounds):
            heat = np.ones(self.n_chains)
            if anneal is not None:
                heat[anneal] = min(1.0, 0.02 + 1.3 * step / n_rounds)
            drawn, trace, counts = self._run(
                n_draws, 10, heat[:, None] * self.betas, np.zeros_like(self.betas)
            )
            self._tune_ladder(counts, 2.0 / (1.0 + step / 10))
            draws.append(drawn)
            traces.append(trace)
        self.parents[:] = -1
        last = max(1, n_rounds // 10)
        return np.concatenate(draws[-last:], axis=1), np.concatenate(traces[-last:], axis=1)

    def rebuild(self, tables: ChainTables) -> None:
        """Go on with other tables; graphs and draws are forgotten, orders are not.

        Args:
            tables: Scores of other candidates.
        """
        self.tables = tables
        self.parents[:] = -1
        self.forget()

    def tune(self, n_rounds: int, n_iterations: int) -> None:
        """Tune the ladder and the number of moves of an iteration, with the correction.

        Args:
            n_rounds: Both are changed after each.
            n_iterations: Iterations of a round.
        """
        d = self.tables.d
        for step in range(n_rounds):
            _, _, counts = self._run(1, n_iterations, self.betas[None], self.lambdas)
            speed = 2.0 / (1.0 + step / 5)
            self._tune_ladder(counts, speed)
            accepted = counts[0, 1] / max(counts[0, 0], 1)
            self._log_moves += speed * (accepted - CORRECTION_TARGET)
            self._log_moves = float(np.clip(self._log_moves, 0.0, np.log(max(d, 1))))
            self.n_moves = round(np.exp(self._log_moves))

    def extend(self, n_iterations: int) -> None:
        """Go on with the correction and keep draws.

        Args:
            n_iterations: About how many iterations; a multiple of the thinning.
        """
        room = 2 * self._n_draws - self._kept
        n_draws = min(max(1, n_iterations // self.thin), room)
        draws, trace, counts = self._run(n_draws, self.thin, self.betas[None], self.lambdas)
        self._draws[:, self._kept : self._kept + n_draws] = draws
        self._trace[:, self._kept : self._kept + n_draws] = trace
        self._kept += n_draws
        self.n_iterations += n_draws * self.thin
        self.counts += counts
        if self._kept == 2 * self._n_draws:
            self._kept = self._n_draws
            self._draws[:, : self._kept] = self._draws[:, 1::2].copy()
            self._trace[:, : self._kept] = self._trace[:, 1::2].copy()
            self.thin *= 2

    def _run(
        self,
        n_draws: int,
        thin: int,
        betas: Float[np.ndarray, "#c t"],
        lambdas: Float[np.ndarray, " t"],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        kernel = _kernel()
        tables = self.tables
        betas = np.repeat(betas, self.n_chains // len(betas), axis=0)
        draws = np.zeros((self.n_chains, n_draws, tables.d), dtype=np.int32)
        trace = np.zeros((self.n_chains, n_draws))
        counts = np.zeros((self.n_chains, self.n_temperatures, 2), dtype=np.int64)

        def run(c: int) -> None:
            kernel.run_chain(
                self.orders[c],
                self.parents[c],
                tables.sums,
                tables.sets,
                tables.coins,
                tables.candidates,
                tables.own,
                tables.other,
                betas[c],
                lambdas,
                self.n_moves,
                thin,
                self._parity,
                draws[c],
                trace[c],
                counts[c],
                self._rngs[c],
            )

        _for_each_chain(self.n_chains, run)
        self._parity = (self._parity + n_draws * thin) % 2
        return draws, trace, counts.sum(0)

    def _tune_ladder(self, counts: Int64[np.ndarray, "t 2"], speed: float) -> None:
        tried = counts[1:, 0]
        rates = counts[1:, 1] / np.maximum(tried, 1)
        change = np.where(tried > 0, speed * (rates - SWAP_TARGET), 0.0)
        self._log_gaps = np.clip(self._log_gaps + change, np.log(0.002), np.log(1.0))


def path_shares(
    draws: Int32[np.ndarray, "c n d"], candidates: Int64[np.ndarray, "d k"]
) -> Float[np.ndarray, "c d d"]:
    """Compute the share of the draws of each chain with a directed path from i to j.

    Args:
        draws: Parent sets, as masks over the candidates.
        candidates: Candidate parents of each variable.

    Returns:
        One matrix for each chain.
    """
    kernel = _kernel()
    d = len(candidates)
    found = np.zeros((len(draws), d, d), dtype=np.int64)

    def count(c: int) -> None:
        kernel.path_counts(np.ascontiguousarray(draws[c]), candidates, found[c])

    _for_each_chain(len(draws), count)
    return found / draws.shape[1]


def _for_each_chain(n_chains: int, task: Callable[[int], None]) -> None:
    """Run a task for every chain; the compiled loops let other threads run."""
    n_threads = min(2, n_chains, len(os.sched_getaffinity(0)))
    if n_threads == 1:
        for c in range(n_chains):
            task(c)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(task, range(n_chains)))


def _kernel() -> ModuleType:
    from aetia.discovery.order_mcmc import kernel  # compiles, or loads what was compiled

    return kernel

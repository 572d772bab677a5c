"""Whether chains agree about yes-or-no quantities, such as the edges of a graph.

R-hat of a number that never changes is not defined, and an edge that one chain always has and
another never has is the clearest sign of chains that have not met. Both need rules of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from aetia.errors import InputError

__all__ = ["IndicatorAgreement", "indicator_agreement"]


@dataclass(frozen=True, eq=False, kw_only=True)
class IndicatorAgreement:
    """How far the chains agree about each indicator.

    Attributes:
        probability: Share of true draws in all chains together.
        rhat: Split R-hat; 1 where every chain (nearly) always says the same, infinite where two
            chains never move and say different things.
        between_chain_sd: Standard deviation of the chains' probabilities.
        standard_error: Standard error of the pooled probability, from the spread of the chains.
        transitions: Changes from one draw to the next, in all chains together.
        n_chains: Number of chains.
        n_draws: Draws of each chain.
    """

    probability: Float[np.ndarray, "*event"]
    rhat: Float[np.ndarray, "*event"]
    between_chain_sd: Float[np.ndarray, "*event"]
    standard_error: Float[np.ndarray, "*event"]
    transitions: Int[np.ndarray, "*event"]
    n_chains: int
    n_draws: int

    def share_below(self, rhat: float) -> float:
        """Compute the share of indicators whose R-hat is below a bound.

        Args:
            rhat: The bound.

        Returns:
            Share among the indicators that are not settled (R-hat other than 1); 1 if all are.
        """
        open_ones = self.rhat != 1.0
        return float((self.rhat[open_ones] < rhat).mean()) if open_ones.any() else 1.0

    def effective_draws(self) -> float:
        """Compute the effective number of draws for the least certain indicator.

        Returns:
            The smallest ``p (1 - p) / standard_error^2`` among the indicators between .05 and .95;
            all draws where there are none.
        """
        p, error = self.probability, self.standard_error
        open_ones = (p > 0.05) & (p < 0.95) & (error > 0)
        every = float(self.n_chains * self.n_draws)
        worth = p[open_ones] * (1 - p[open_ones]) / error[open_ones] ** 2
        return float(min(worth.min(initial=every), every))

    def agrees(self, *, rhat: float = 1.1, share: float = 0.95, tolerance: float = 0.05) -> bool:
        """Decide whether the chains agree well enough to report.

        Args:
            rhat: Bound on R-hat ...
            share: ... that this share of the unsettled indicators must keep.
            tolerance: Largest standard error of any probability.

        Returns:
            True if both hold and no R-hat is infinite.
        """
        finite = bool(np.isfinite(self.rhat).all())
        small = bool((self.standard_error <= tolerance).all())
        return finite and small and self.share_below(rhat) >= share


def indicator_agreement(
    draws: Bool[np.ndarray, "chain draw *event"], *, settled: float = 0.01
) -> IndicatorAgreement:
    """Compare chains of indicators with each other and with their own halves.

    Args:
        draws: Indicators drawn by at least two chains, at least four draws in each.
        settled: An indicator whose probability is below this in every chain, or above one minus
            this in every chain, counts as converged.

    Returns:
        Diagnostics of every indicator.

    Raises:
        InputError: If there are too few chains or draws.
    """
    n_chains, n_draws = draws.shape[:2]
    if n_chains < 2 or n_draws < 4:
        raise InputError(
            "agreement of chains needs at least 2 chains with 4 draws each, got "
            f"{n_chains} with {n_draws}."
        )
    means = draws.mean(1)
    half = n_draws // 2
    halves = np.concatenate([draws[:, :half], draws[:, n_draws - half :]]).mean(1)
    within = (halves * (1 - halves)).mean(0) * (half / (half - 1))
    between = halves.var(0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rhat = np.sqrt((half - 1) / half + between / within)
    never, always = means <= settled, means >= 1 - settled
    rhat = np.where(never.all(0) | always.all(0), 1.0, rhat)
    apart = (means == 0).any(0) & (means == 1).any(0)
    rhat = np.where(apart, np.inf, rhat)
    spread = means.std(0, ddof=1)
    return IndicatorAgreement(
        probability=means.mean(0),
        rhat=rhat,
        between_chain_sd=spread,
        standard_error=spread / np.sqrt(n_chains),
        transitions=(draws[:, 1:] != draws[:, :-1]).sum((0, 1)),
        n_chains=n_chains,
        n_draws=n_draws,
    )

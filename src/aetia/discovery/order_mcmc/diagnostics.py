r"""Whether the chains agree, edge by edge.

An indicator takes two values, so that its rank-normalised R-hat and bulk effective sample size
(Vehtari et al., 2021) equal the plain ones of the split chains: those are computed here for all
edges at once, and agree with :func:`aetia.diagnostics.convergence`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int64

from aetia.diagnostics import convergence

__all__ = [
    "ChainAgreement",
    "bulk_ess",
    "chain_agreement",
    "edge_indicators",
    "edge_shares",
    "split_rhat",
    "transitions",
]

MIN_TRANSITIONS = 20
"""R-hat of an indicator that changed less often is not informative."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ChainAgreement:
    """What several chains say of each other.

    Attributes:
        edges: Pairs (source, target) whose pooled probability lies between .01 and .99; all
            others count as converged.
        rhat: Split R-hat of each of them; infinite for an edge that never changes within a chain
            but differs between chains.
        ess: Bulk effective sample size of each.
        n_transitions: Changes of each indicator in all chains together.
        edge_sd: Standard deviation between the chains of each edge probability.
        path_sd: The same for the probability of a directed path.
        log_score_rhat: R-hat of the log score of the graphs.
        log_score_ess: Its bulk effective sample size.
        log_score_means: Mean log score of each chain.
        n_chains: Number of chains.
    """

    edges: Int64[np.ndarray, "e 2"]
    rhat: Float[np.ndarray, " e"]
    ess: Float[np.ndarray, " e"]
    n_transitions: Int64[np.ndarray, " e"]
    edge_sd: Float[np.ndarray, "d d"]
    path_sd: Float[np.ndarray, "d d"]
    log_score_rhat: float
    log_score_ess: float
    log_score_means: Float[np.ndarray, " c"]
    n_chains: int

    @property
    def converged_edges(self) -> Bool[np.ndarray, " e"]:
        """Mark the edges with R-hat below 1.05 and enough transitions to believe it."""
        return (self.rhat < 1.05) & (self.n_transitions >= MIN_TRANSITIONS)

    @property
    def share_converged(self) -> float:
        """Share of the undecided edges that have converged; 1 where there are none."""
        return float(self.converged_edges.mean()) if len(self.edges) else 1.0

    @property
    def standard_error(self) -> float:
        """Largest standard error of an edge or path probability, from the spread of the chains."""
        if self.n_chains < 2:
            return np.inf
        largest = max(self.edge_sd.max(initial=0.0), self.path_sd.max(initial=0.0))
        return float(largest) / self.n_chains**0.5

    def reaches(self, tolerance: float) -> bool:
        """Decide whether the chains may stop.

        Args:
            tolerance: Largest standard error of any edge or path probability.

        Returns:
            True when the standard error is below it, and R-hat of the log score and of 95 % of
            the undecided edges is below 1.05.
        """
        return (
            self.standard_error <= tolerance
            and self.log_score_rhat < 1.05
            and self.share_converged >= 0.95
        )

    def worst_edges(self, n: int = 5) -> Int64[np.ndarray, "w 2"]:
        """Find the edges on which the chains disagree most.

        Args:
            n: Number of edges.

        Returns:
            Pairs, the largest spread between chains first; only edges whose R-hat, transitions
            or spread call for a look.
        """
        spread = self.edge_sd[self.edges[:, 0], self.edges[:, 1]]
        doubtful = np.flatnonzero(~self.converged_edges | (spread > 0.05))
        order = np.lexsort((-spread[doubtful], -self.rhat[doubtful]))
        return self.edges[doubtful[order][:n]]


def chain_agreement(
    draws: Int[np.ndarray, "c n d"],
    log_scores: Float[np.ndarray, "c n"],
    candidates: Int64[np.ndarray, "d k"],
    path_shares: Float[np.ndarray, "c d d"],
) -> ChainAgreement:
    """Compare the chains.

    Args:
        draws: Parent sets of each draw, as masks over the candidates.
        log_scores: Log score of each draw.
        candidates: Candidate parents of each variable.
        path_shares: Share of the draws of each chain with a path from i to j.

    Returns:
        Their agreement.
    """
    shares = edge_shares(draws, candidates)
    pooled = shares.mean(0)
    edges = np.argwhere((pooled > 0.01) & (pooled < 0.99))
    indicators = edge_indicators(draws, candidates, edges)
    n_chains = len(draws)
    ddof = 1 if n_chains > 1 else 0
    score_rhat, score_ess = 1.0, float(log_scores.size)
    if np.ptp(log_scores) > 0:
        scores = convergence(log_scores)
        score_rhat, score_ess = float(scores.rhat), float(scores.ess_bulk)
        if (np.ptp(log_scores, axis=1) == 0).all():
            score_rhat = np.inf
    return ChainAgreement(
        edges=edges,
        rhat=split_rhat(indicators),
        ess=bulk_ess(indicators),
        n_transitions=transitions(indicators),
        edge_sd=shares.std(0, ddof=ddof),
        path_sd=path_shares.std(0, ddof=ddof),
        log_score_rhat=score_rhat,
        log_score_ess=score_ess,
        log_score_means=log_scores.mean(1),
        n_chains=n_chains,
    )


def edge_shares(
    draws: Int[np.ndarray, "c n d"], candidates: Int64[np.ndarray, "d k"]
) -> Float[np.ndarray, "c d d"]:
    """Compute the edge probabilities of each chain.

    Args:
        draws: Parent sets of each draw, as masks over the candidates.
        candidates: Candidate parents of each variable.

    Returns:
        Share of the draws of each chain with i -> j.
    """
    d, k = candidates.shape
    shares = np.zeros((len(draws), d, d))
    for b in range(k):
        shares[:, candidates[:, b], np.arange(d)] = ((draws >> b) & 1).mean(1)
    return shares


def edge_indicators(
    draws: Int[np.ndarray, "c n d"],
    candidates: Int64[np.ndarray, "d k"],
    edges: Int64[np.ndarray, "e 2"],
) -> Bool[np.ndarray, "c n e"]:
    """List which draws have which edges.

    Args:
        draws: Parent sets of each draw, as masks over the candidates.
        candidates: Candidate parents of each variable.
        edges: Pairs (source, target), the source among the candidates of the target.

    Returns:
        True where the draw has the edge.
    """
    if not len(edges):
        return np.zeros((*draws.shape[:2], 0), dtype=bool)
    bits = (candidates[edges[:, 1]] == edges[:, :1]).argmax(-1)
    return ((draws[..., edges[:, 1]] >> bits) & 1).astype(bool)


def transitions(indicators: Bool[np.ndarray, "c n e"]) -> Int64[np.ndarray, " e"]:
    """Count how often each indicator changes, in all chains together.

    Args:
        indicators: Draws of each chain.

    Returns:
        Number of changes.
    """
    return (indicators[:, 1:] != indicators[:, :-1]).sum((0, 1))


def split_rhat(indicators: Bool[np.ndarray, "c n e"]) -> Float[np.ndarray, " e"]:
    """Compute R-hat over the halves of all chains.

    Args:
        indicators: Draws of the indicators, at least four in each chain.

    Returns:
        1 for an indicator that is the same everywhere, infinity for one that is constant in
        every half but not the same.
    """
    halves = _halves(indicators)
    n = halves.shape[1]
    means = halves.mean(1)
    within = (means * (1.0 - means)).mean(0) * n / (n - 1)
    between = means.var(0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rhat = np.sqrt((n - 1) / n + between / within)
    return np.where(within > 0, rhat, np.where(between > 0, np.inf, 1.0))


def bulk_ess(indicators: Bool[np.ndarray, "c n e"]) -> Float[np.ndarray, " e"]:
    """Compute the effective sample size of every indicator, with Geyer's monotone sequence.

    Args:
        indicators: Draws of the indicators, at least eight in each chain.

    Returns:
        Effective sample sizes over the halves of all chains; 0 for an indicator that is constant
        within all of them but not the same, the number of draws for a constant.
    """
    halves = _halves(indicators)
    found = [_ess(halves[..., i : i + 256]) for i in range(0, halves.shape[-1], 256)]
    return np.concatenate(found) if found else np.zeros(0)


def _ess(halves: Bool[np.ndarray, "c n e"]) -> Float[np.ndarray, " e"]:
    c, n, _ = halves.shape
    centred = halves - halves.mean(1, keepdims=True)
    length = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(centred, length, axis=1)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, length, axis=1)[:, :n].mean(0) / n
    within = covariance[0] * n / (n - 1)
    total = covariance[0] + halves.mean(1).var(0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = 1.0 - (within - covariance) / total
    rho[0] = 1.0
    pairs = rho[: n - n % 2].reshape(-1, 2, rho.shape[-1]).sum(1)
    positive = np.minimum.accumulate(pairs > 0, axis=0)
    monotone = np.minimum.accumulate(np.where(positive, pairs, 0.0), axis=0)
    tau = np.maximum(-1.0 + 2.0 * monotone.sum(0), 1.0 / np.log10(c * n))
    ess = c * n / tau
    return np.where(total == 0, float(c * n), np.where(within <= 1e-12, 0.0, ess))


def _halves(indicators: Bool[np.ndarray, "c n e"]) -> Bool[np.ndarray, "h m e"]:
    half = indicators.shape[1] // 2
    return np.concatenate([indicators[:, :half], indicators[:, -half:]])

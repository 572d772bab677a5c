"""One step of the graphs of all chains, given the score tables of their completed tables."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.discovery.missing.order_draws import draw_graphs, log_order_counts, parents_to_graphs
from aetia.discovery.missing.relocation import (
    draw_extensions,
    log_extension_probability,
    relocation_proposal,
)
from aetia.discovery.missing.subset_lattice import MAX_DENSE, squeeze_bit
from aetia.graphs import Constraints
from aetia.graphs.parent_set_prior import prior_tables

__all__ = ["GraphStep", "GraphSteps", "graph_steps"]


class GraphStep(NamedTuple):
    """Graphs of all chains after a step."""

    graphs: Bool[Tensor, "c d d"]
    log_score: Float[Tensor, " c"]
    accepted: Bool[Tensor, " c"]


@runtime_checkable
class GraphSteps(Protocol):
    """A Metropolis kernel on graphs that remembers where its chains are."""

    def __call__(
        self, tables: Float[Tensor, "d sets c"], generator: torch.Generator, *, corrected: bool
    ) -> GraphStep:
        """Move every chain; uncorrected steps accept everything, for the warm-up only."""
        ...


def graph_steps(
    candidates: Int64[Tensor, "d k"],
    count_terms: Float[Tensor, " d"],
    constraints: Constraints,
    n_chains: int,
) -> GraphSteps:
    """Choose the kernel: exact draws up to a dozen variables, moves of orders beyond.

    Args:
        candidates: Possible parents of each variable; all others up to a dozen.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Knowledge over the columns.
        n_chains: Number of chains.

    Returns:
        The kernel.
    """
    d, k = candidates.shape
    prior = prior_tables(candidates, count_terms, constraints).unsqueeze(-1)
    required = constraints.required[candidates, torch.arange(d).unsqueeze(-1)]
    least = (required << torch.arange(k)).sum(-1)
    if k == d - 1 and d <= MAX_DENSE:
        return _ExactDraws(prior, least, n_chains)
    return _OrderMoves(prior, least, candidates, constraints.required.expand(n_chains, d, d))


class _ExactDraws:
    """Draw from p(G) L(G), accept by L(G) / L(G')."""

    def __init__(self, prior: Tensor, least: Tensor, n_chains: int) -> None:
        self.prior, self.least = prior, least
        self.parents = torch.zeros(len(least), n_chains, dtype=torch.int64)
        self.log_count = torch.full((n_chains,), torch.inf, dtype=torch.float64)

    def __call__(
        self, tables: Float[Tensor, "d sets c"], generator: torch.Generator, *, corrected: bool
    ) -> GraphStep:
        tables = tables.add_(self.prior)
        proposal = draw_graphs(tables, self.least, generator)
        log_count = log_order_counts(proposal)
        uniform = torch.rand(len(log_count), dtype=torch.float64, generator=generator)
        accept = (uniform.log() < self.log_count - log_count) | (not corrected)
        self.parents = torch.where(accept, proposal, self.parents)
        self.log_count = torch.where(accept, log_count, self.log_count)
        nodes = torch.arange(len(tables)).unsqueeze(-1)
        rows = squeeze_bit(self.parents, nodes)
        score = tables.gather(1, rows.unsqueeze(1))[:, 0].sum(0)
        return GraphStep(parents_to_graphs(self.parents), score, accept)


class _OrderMoves:
    """Move orders over candidate parents, accept by q(o' | G') / q(o | G)."""

    def __init__(
        self, prior: Tensor, least: Tensor, candidates: Int64[Tensor, "d k"], graphs: Tensor
    ) -> None:
        self.prior, self.least, self.candidates = prior, least, candidates
        d, k = candidates.shape
        self.bit = torch.zeros(d, d, dtype=torch.int64)
        self.bit.scatter_(1, candidates, (1 << torch.arange(k)).expand(d, k).contiguous())
        self.graphs = graphs
        self.chosen = least.unsqueeze(-1).expand(d, len(graphs))
        self.steps = 0

    def __call__(
        self, tables: Float[Tensor, "d sets c"], generator: torch.Generator, *, corrected: bool
    ) -> GraphStep:
        tables = tables.add_(self.prior)
        order = draw_extensions(self.graphs, generator)
        before = log_extension_probability(self.graphs, order)
        # From the empty graph the first orders are arbitrary: move them more often.
        rounds = 10 if self.steps == 0 else 1 if corrected else 2
        order, chosen = relocation_proposal(
            tables, self.least, order, self.bit, generator, n_rounds=rounds
        )
        proposal = self._graphs_of(chosen)
        after = log_extension_probability(proposal, order)
        uniform = torch.rand(len(after), dtype=torch.float64, generator=generator)
        accept = (uniform.log() < after - before) | (not corrected)
        self.graphs = torch.where(accept.view(-1, 1, 1), proposal, self.graphs)
        self.chosen = torch.where(accept, chosen, self.chosen)
        self.steps += 1
        score = tables.gather(1, self.chosen.unsqueeze(1))[:, 0].sum(0)
        return GraphStep(self.graphs, score, accept)

    def _graphs_of(self, chosen: Int64[Tensor, "d c"]) -> Bool[Tensor, "c d d"]:
        inside = ((chosen.unsqueeze(-2) & self.bit.unsqueeze(-1)) != 0) & (
            self.bit.unsqueeze(-1) != 0
        )  # [j, i, c]
        return inside.permute(2, 1, 0)

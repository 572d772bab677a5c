r"""A random order, and edges along it: the distribution that BCNP predicts.

With :math:`\phi_{ij} = \sigma(S_{ij})`, S symmetric, a graph is drawn by drawing an order and then
every pair with probability :math:`\phi_{ij}`, from the earlier to the later variable. So every draw
is acyclic.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.discovery.amortised.network import DAGDraws
from aetia.discovery.bcnp.config import BCNPConfig
from aetia.graphs import Constraints, transitive_closure
from aetia.nets import (
    gumbel_sinkhorn,
    log_prob_of_orders,
    precedence_probabilities,
    sample_orders,
)

__all__ = ["OrderedEdges", "joint_loss", "marginal_loss", "order_logits", "precedence"]

N_ORDERS = 1000
"""Orders behind marginals and joint probabilities at test time."""
FLOOR = 1e-4
"""Probability of an edge against the order, in the joint objective."""


def order_logits(scores: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d d"]:
    r"""Compute :math:`\Theta_{im} = \log\sigma(p_i m)`, m = 1..d (BCNP, app. A).

    Args:
        scores: p.

    Returns:
        How much variable i belongs in position m.
    """
    positions = torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype, device=scores.device)
    return F.logsigmoid(scores.unsqueeze(-1) * positions)


def precedence(permutations: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch d d"]:
    """Compute Q U Q': which variable comes before which.

    Args:
        permutations: ``[i, m]`` is 1 where variable i is in position m; soft ones will do.

    Returns:
        ``[i, j]`` is 1 where i comes before j.
    """
    # Column m of Q U is the sum of the columns before m.
    before = permutations.cumsum(-1) - permutations
    return before @ permutations.mT


def marginal_loss(p: Float[Tensor, "b d d"], graphs: Bool[Tensor, "b d d"]) -> Float[Tensor, " b"]:
    """Compute the cross-entropy of edge marginals, which is what BCNP's published loss is.

    Args:
        p: Edge probabilities, averaged over orders.
        graphs: True graphs.

    Returns:
        Mean over off-diagonal pairs.
    """
    p = p.clamp(1e-6, 1 - 1e-6)
    cost = -torch.where(graphs, p.log(), (-p).log1p())
    d = p.shape[-1]
    off = ~torch.eye(d, dtype=torch.bool, device=p.device)
    return (cost * off).sum((-2, -1)) / max(d * (d - 1), 1)


def joint_loss(
    edge_logits: Float[Tensor, "b d d"],
    before: Float[Tensor, "k b d d"],
    graphs: Bool[Tensor, "b d d"],
    log_ratio: Float[Tensor, "k b"] | None = None,
) -> Float[Tensor, " b"]:
    r"""Compute :math:`-\log \frac1K \sum_k \prod_{ij} \mathrm{Bern}(A_{ij}; p^k_{ij})` per pair.

    Args:
        edge_logits: S, symmetric.
        before: Precedence of K orders.
        graphs: True graphs.
        log_ratio: Added to the log-probability of each order: its log-probability minus the same
            without gradient, which carries the gradient to the scores of a discrete distribution.

    Returns:
        Divided by the number of ordered pairs; finite for orders against the graph.
    """
    p = (edge_logits.sigmoid() * before).clamp(FLOOR, 1 - FLOOR)
    log_p = torch.where(graphs, p.log(), (-p).log1p())
    d = p.shape[-1]
    off = ~torch.eye(d, dtype=torch.bool, device=p.device)
    total = (log_p * off).sum((-2, -1))
    if log_ratio is not None:
        total = total + log_ratio
    count = torch.tensor(float(len(before)), device=p.device)
    return (count.log() - total.logsumexp(0)) / max(d * (d - 1), 1)


@dataclass(frozen=True, eq=False)
class OrderedEdges:
    """Edges along a random order.

    Attributes:
        edge_logits: S, symmetric.
        scores: p, of the order; higher scores tend to come first under Plackett-Luce.
        config: Which distribution the order has.
    """

    edge_logits: Float[Tensor, "b d d"]
    scores: Float[Tensor, "b d"]
    config: BCNPConfig

    def orders(self, n: int, generator: torch.Generator) -> Int64[Tensor, "n b d"]:
        """Draw orders.

        Args:
            n: Draws for each table.
            generator: Source of randomness, on the CPU.

        Returns:
            ``[..., k]``: the k-th variable.
        """
        scores = self.scores.detach().float().cpu()
        if self.config.permutation == "plackett-luce":
            return sample_orders(scores, n, generator)
        logits = order_logits(scores).expand(n, *scores.shape, scores.shape[-1])
        return gumbel_sinkhorn(logits, generator=generator).argmax(-2)

    def marginals(self) -> Float[Tensor, "b d d"]:
        """Compute edge probabilities.

        Returns:
            Exact for Plackett-Luce orders, averaged over 1,000 orders (of a fixed seed) for
            Gumbel-Sinkhorn ones; float64.
        """
        phi = self.edge_logits.double().cpu().sigmoid()
        if self.config.permutation == "plackett-luce":
            return phi * precedence_probabilities(self.scores.double().cpu())
        orders = self.orders(N_ORDERS, torch.Generator().manual_seed(0))
        return phi * order_precedence(orders).double().mean(0)

    def log_prob(self, graphs: Bool[Tensor, "b d d"]) -> Float[Tensor, " b"]:
        """Estimate the joint log-probability from 1,000 orders of a fixed seed.

        Args:
            graphs: One for each table.

        Returns:
            Nats, in float64; an edge against an order has the floor probability 1e-4.
        """
        orders = self.orders(N_ORDERS, torch.Generator().manual_seed(0))
        before = order_precedence(orders).double()
        d = graphs.shape[-1]
        cost = joint_loss(self.edge_logits.double().cpu(), before, graphs.cpu())
        return -cost * d * (d - 1)

    def sample(self, n: int, generator: torch.Generator) -> Bool[Tensor, "n b d d"]:
        """Draw graphs, all of them acyclic.

        Args:
            n: Draws for each table.
            generator: Source of randomness, on the CPU.

        Returns:
            Adjacency matrices, each with an order of its own.
        """
        before = order_precedence(self.orders(n, generator))
        phi = self.edge_logits.double().cpu().sigmoid()
        return before & (torch.rand(before.shape, generator=generator, dtype=phi.dtype) < phi)

    def draw_dags(self, constraints: Constraints, n: int, generator: torch.Generator) -> DAGDraws:
        """Draw graphs of the first table under the user's knowledge.

        Orders against a required edge are thrown away (up to twenty draws for each one that is
        needed; what is still missing is sorted into line). Each order is then weighted by the
        probability that its edges obey the other statements, and edges are drawn given them.

        Args:
            constraints: Hard statements hold in every draw; beliefs multiply the odds.
            n: Number of draws.
            generator: Source of randomness.

        Returns:
            Weighted draws; ``share_orders_sorted`` were put into line by force.
        """
        predicted = OrderedEdges(self.edge_logits[:1], self.scores[:1], self.config)
        closure = transitive_closure(constraints.required)
        orders = predicted.orders(n, generator)[:, 0]
        agrees = _agrees(orders, closure)
        for _ in range(19):
            if agrees.all():
                break
            again = predicted.orders(int((~agrees).sum()), generator)[:, 0]
            orders[~agrees] = again
            agrees[~agrees.clone()] = _agrees(again, closure)
        sorted_by_force = float((~agrees).double().mean())
        if not agrees.all():
            orders[~agrees] = _in_line(orders[~agrees], closure)
        before = order_precedence(orders)
        logits = predicted.edge_logits[0].double().cpu()
        phi = logits.sigmoid()
        odds = constraints.log_odds.exp()
        total = (1 - phi) + phi * odds
        allowed = before & ~constraints.forbidden & ~constraints.required
        ruled_out = before & constraints.forbidden
        factor = torch.where(allowed, total.log(), 0.0)
        factor = factor + torch.where(ruled_out, F.logsigmoid(-logits), 0.0)
        log_weights = factor.sum((-2, -1))
        p = torch.where(allowed, phi * odds / total, constraints.required.double())
        graphs = torch.rand(p.shape, generator=generator, dtype=p.dtype) < p
        log_weights = log_weights - log_weights.logsumexp(0)
        is_free = not bool(
            constraints.required.any()
            or (constraints.forbidden & ~torch.eye(len(phi), dtype=torch.bool)).any()
            or (constraints.log_odds != 0).any()
        )
        if is_free:
            marginals = predicted.marginals()[0]
        else:
            marginals = (log_weights.exp()[:, None, None] * p).sum(0)
        return DAGDraws(
            graphs=graphs,
            log_weights=log_weights,
            marginals=marginals,
            facts={"share_cyclic": 0.0, "share_orders_sorted": sorted_by_force},
        )


def order_precedence(orders: Int64[Tensor, "*batch d"]) -> Bool[Tensor, "*batch d d"]:
    """Tell which variable comes before which.

    Args:
        orders: ``[..., k]``: the k-th variable.

    Returns:
        ``[i, j]`` is True where i comes before j.
    """
    position = orders.argsort(-1)
    return position.unsqueeze(-1) < position.unsqueeze(-2)


def training_precedence(
    scores: Float[Tensor, "b d"], config: BCNPConfig, generator: torch.Generator
) -> tuple[Float[Tensor, "k b d d"], Float[Tensor, "k b"] | None]:
    """Draw orders for a loss, with a gradient to the scores.

    Args:
        scores: p.
        config: Which distribution, and how many.
        generator: Source of randomness, on the CPU.

    Returns:
        Precedence (straight-through for Gumbel-Sinkhorn), and the log-ratio of
        :func:`joint_loss` for Plackett-Luce.
    """
    k = config.n_permutations
    if config.permutation == "plackett-luce":
        orders = sample_orders(scores, k, generator)
        log_p = log_prob_of_orders(scores, orders)
        return order_precedence(orders).to(scores.dtype), log_p - log_p.detach()
    logits = order_logits(scores)
    q = gumbel_sinkhorn(
        logits.expand(k, *logits.shape),
        generator=generator,
        temperature=config.temperature,
        n_iterations=config.sinkhorn_iterations,
    )
    return precedence(q), None


def _agrees(orders: Tensor, required: Tensor) -> Tensor:
    return ~(required & ~order_precedence(orders)).flatten(-2).any(-1)


def _in_line(orders: Tensor, required: Tensor) -> Tensor:
    """Move variables as little as needed: always take the earliest whose causes are placed."""
    position = orders.argsort(-1).double()
    placed = torch.zeros_like(position, dtype=torch.bool)
    out = torch.empty_like(orders)
    for k in range(orders.shape[-1]):
        waits = ((~placed).unsqueeze(-1) & required).any(-2)
        now = position.masked_fill(placed | waits, torch.inf).argmin(-1)
        out[:, k] = now
        placed[torch.arange(len(out)), now] = True
    return out

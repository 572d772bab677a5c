r"""Moves of an order and a graph for many chains, for more variables than an exact draw can hold.

The joint target is :math:`p(G)\, q(o \mid G)` with q a tractable distribution over the orders that
agree with G, so graphs have their posterior exactly. One step draws an order from q, moves every
variable once to a place drawn from its exact conditional (which leaves the distribution of orders
unchanged), draws a graph given the order, and accepts with :math:`\min(1, q(o' \mid G') / q(o \mid
G))`. q builds an order from the front, choosing among the variables whose parents are placed with
probability proportional to 1 plus the number of descendants: uniform for forests, close to it for
sparse graphs.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.discovery.missing.order_draws import allowed_log_sums
from aetia.graphs.orders import transitive_closure

__all__ = ["draw_extensions", "log_extension_probability", "relocate_all", "relocation_proposal"]


def draw_extensions(
    graphs: Bool[Tensor, "c d d"], generator: torch.Generator
) -> Int64[Tensor, "d c"]:
    """Draw an order that agrees with each graph.

    Args:
        graphs: DAGs.
        generator: Source of randomness.

    Returns:
        Variable at each place.
    """
    c, d, _ = graphs.shape
    log_weight = transitive_closure(graphs).sum(-1).add(1).double().log()
    noise = torch.empty(d, c, d, dtype=torch.float64).exponential_(generator=generator).log_()
    waiting = graphs.sum(1)  # parents that are not placed yet
    placed = torch.zeros(c, d, dtype=torch.bool)
    order = torch.empty(d, c, dtype=torch.int64)
    chains = torch.arange(c)
    for place in range(d):
        ready = (waiting == 0) & ~placed
        chosen = torch.where(ready, log_weight - noise[place], -torch.inf).argmax(-1)
        order[place] = chosen
        placed[chains, chosen] = True
        waiting = waiting - graphs[chains, chosen].long()
    return order


def log_extension_probability(
    graphs: Bool[Tensor, "c d d"], order: Int64[Tensor, "d c"]
) -> Float[Tensor, " c"]:
    """Compute the log probability that :func:`draw_extensions` draws an order.

    Args:
        graphs: DAGs.
        order: An order for each, which must agree with it.

    Returns:
        Log probabilities.
    """
    d = graphs.shape[-1]
    weight = transitive_closure(graphs).sum(-1).add(1).double()  # [c, d]
    place = torch.argsort(order, dim=0).mT  # [c, d]
    after_parents = (graphs * (place.unsqueeze(-1) + 1)).amax(1)  # first place that is possible
    at = torch.arange(d).unsqueeze(-1)
    ready = (after_parents.unsqueeze(1) <= at) & (place.unsqueeze(1) >= at)  # [c, place, d]
    total = (ready * weight.unsqueeze(1)).sum(-1).log().sum(-1)
    return weight.log().sum(-1) - total


def relocate_all(
    sums: Float[Tensor, "d sets c"],
    order: Int64[Tensor, "d c"],
    bit: Int64[Tensor, "d d"],
    generator: torch.Generator,
) -> Int64[Tensor, "d c"]:
    """Move every variable once, in random turn, to a place drawn from its conditional.

    Args:
        sums: Log sums over the allowed parent sets, for every set of candidates.
        order: Variable at each place.
        bit: ``bit[j, i]`` is the bit of i among the candidates of j, 0 if it is none.
        generator: Source of randomness.

    Returns:
        The new orders.
    """
    d, sets, c = sums.shape
    flat, chains = sums.view(-1), torch.arange(c)
    noise = torch.empty(d, d, c, dtype=sums.dtype).exponential_(generator=generator).log_()
    mask = before_masks(order, bit)
    for turn, v in enumerate(torch.randperm(d, generator=generator).tolist()):
        others = order.mT[order.mT != v].view(c, d - 1).mT  # [d - 1, c], order kept
        base = mask.gather(0, others) & ~bit[others, v]
        at = (others * sets + base) * c + chains
        first = flat.take(at)  # v comes later
        then = flat.take(at + bit[others, v] * c)  # v comes before
        own = bit[v][others].cumsum(0)
        own = torch.cat([own.new_zeros(1, c), own])  # candidates of v before each slot
        zero = first.new_zeros(1, c)
        left = torch.cat([zero, first.cumsum(0)])
        right = torch.cat([then.flip(0).cumsum(0).flip(0), zero])
        weight = flat.take((v * sets + own) * c + chains) + left + right
        slot = (weight - noise[turn]).argmax(0)
        places = torch.arange(d - 1).unsqueeze(-1)
        later = places >= slot
        order = torch.empty_like(order)
        order.scatter_(0, places + later, others)
        order[slot, chains] = v
        mask.scatter_(0, others, torch.where(later, base | bit[others, v], base))
        mask[v] = own[slot, chains]
    return order


def before_masks(order: Int64[Tensor, "d c"], bit: Int64[Tensor, "d d"]) -> Int64[Tensor, "d c"]:
    """Collect the candidates that come before each variable.

    Args:
        order: Variable at each place.
        bit: ``bit[j, i]`` is the bit of i among the candidates of j, 0 if it is none.

    Returns:
        Bits of candidates, by variable.
    """
    place = torch.argsort(order, dim=0)
    before = place.unsqueeze(0) < place.unsqueeze(1)  # [j, i, c]: i before j
    return (before * bit.unsqueeze(-1)).sum(1)


def relocation_proposal(
    tables: Float[Tensor, "d sets c"],
    least: Int64[Tensor, " d"],
    order: Int64[Tensor, "d c"],
    bit: Int64[Tensor, "d d"],
    generator: torch.Generator,
    n_rounds: int = 1,
) -> tuple[Int64[Tensor, "d c"], Int64[Tensor, "d c"]]:
    """Move the orders and draw a graph given each.

    Args:
        tables: Log weight of every set of candidates, prior included.
        least: Index of the smallest set that knowledge allows, of each variable.
        order: Variable at each place.
        bit: ``bit[j, i]`` is the bit of i among the candidates of j, 0 if it is none.
        generator: Source of randomness.
        n_rounds: Times that every variable is moved.

    Returns:
        New orders, and parents of each variable as bits of its candidates.
    """
    sums = allowed_log_sums(tables, least)
    for _ in range(n_rounds):
        order = relocate_all(sums, order, bit, generator)
    allowed = before_masks(order, bit)
    d, sets, c = tables.shape
    index = torch.arange(sets).unsqueeze(-1)
    chosen = torch.empty_like(allowed)
    uniform = torch.rand(d, c, dtype=tables.dtype, generator=generator)
    for j in range(d):
        weight = tables[j].masked_fill((index & ~allowed[j]) != 0, -torch.inf)
        cumulated = (weight - weight.amax(0)).exp_().cumsum(0)
        chosen[j] = (cumulated <= uniform[j] * cumulated[-1]).sum(0).clamp_max(sets - 1)
    return order, chosen

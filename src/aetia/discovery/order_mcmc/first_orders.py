"""Orders that the chains begin with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64

from aetia.errors import InputError
from aetia.graphs import is_acyclic, topological_order
from aetia.results import GraphPosterior

__all__ = ["first_orders", "order_with", "orders_of"]


def first_orders(
    given: Any,
    required: Bool[np.ndarray, "d d"],
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> Int64[np.ndarray, "c t d"]:
    """Make an order for each chain and temperature that the required edges allow.

    Args:
        given: ``"random"`` or ``"greedy"`` (random orders), or what :func:`orders_of` reads; the
            chains take turns with what is given.
        required: Edges that every graph has.
        shape: Numbers of chains and of temperatures.
        rng: Source of randomness.

    Returns:
        The orders.
    """
    d = len(required)
    if isinstance(given, str):
        priorities = rng.random((*shape, d))
    else:
        orders = orders_of(given, d, rng)
        if shape[0] > len(orders):
            orders = np.concatenate([orders] * -(-shape[0] // len(orders)))
        priorities = np.repeat(orders[: shape[0]].argsort(-1)[:, None].astype(float), shape[1], 1)
    flat = [order_with(row, required) for row in priorities.reshape(-1, d)]
    return np.stack(flat).reshape(*shape, d)


def order_with(
    priority: Float[np.ndarray, " d"], required: Bool[np.ndarray, "d d"]
) -> Int64[np.ndarray, " d"]:
    """Sort variables by priority as far as the required edges allow.

    Args:
        priority: Smallest first.
        required: Edges of a DAG.

    Returns:
        An order in which causes of required edges come before their effects.
    """
    d = len(priority)
    missing = required.sum(0)
    placed = np.zeros(d, dtype=bool)
    order = np.empty(d, dtype=np.int64)
    for p in range(d):
        ready = np.where((missing == 0) & ~placed, priority, np.inf)
        v = int(ready.argmin())
        order[p] = v
        placed[v] = True
        missing = missing - required[v]
    return order


def orders_of(given: Any, d: int, rng: np.random.Generator) -> Int64[np.ndarray, "g d"]:
    """Read orders from orders, graphs, or a posterior over graphs.

    Args:
        given: Orders ``[d]`` or ``[g, d]``, DAGs ``[d, d]`` or ``[g, d, d]``, or a posterior, from
            which 16 graphs are drawn.
        d: Number of variables.
        rng: Source of randomness.

    Returns:
        At least one order.

    Raises:
        InputError: If it is none of these, or a graph has a cycle.
    """
    if isinstance(given, GraphPosterior):
        given = given.sample(16, rng)
    array = np.asarray(given)
    graphs = array.ndim >= 2 and array.shape[-2:] == (d, d) and ((array == 0) | (array == 1)).all()
    if graphs and array.ndim <= 3:
        adjacency = torch.from_numpy(array.reshape(-1, d, d).astype(bool))
        if not is_acyclic(adjacency).all():
            raise InputError("start: a graph with a directed cycle has no order; pass DAGs only.")
        return topological_order(adjacency).numpy()
    orders = array.reshape(-1, array.shape[-1]) if array.ndim in (1, 2) else array[None]
    whole = np.issubdtype(array.dtype, np.integer) and orders.shape[-1] == d and len(orders) > 0
    if array.ndim not in (1, 2) or not whole or (np.sort(orders) != np.arange(d)).any():
        raise InputError(
            f"start must be 'random', 'greedy', a GraphPosterior, orders [g, {d}] of the numbers "
            f"0 to {d - 1}, or DAGs [g, {d}, {d}]; got {_describe(given)}."
        )
    return orders.astype(np.int64)


def _describe(given: Any) -> str:
    shape = getattr(given, "shape", None)
    return repr(given) if shape is None else f"an array of shape {tuple(shape)}"

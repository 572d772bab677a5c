"""Orders that the chains begin with."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int64

from aetia.discovery.best_positions import allowed_orders
from aetia.errors import InputError
from aetia.graphs import is_acyclic, topological_order
from aetia.results import GraphPosterior

__all__ = ["Beginning", "first_orders", "read_beginning"]


class Beginning(NamedTuple):
    """What a user gave to begin with."""

    orders: Int64[np.ndarray, "g d"]
    """At least one."""
    graphs: Bool[np.ndarray, "g d d"] | None
    """The graphs of these orders, where graphs were given."""


def first_orders(
    given: Int64[np.ndarray, "g d"],
    required: Bool[np.ndarray, "d d"],
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    half: bool = False,
) -> Int64[np.ndarray, "c t d"]:
    """Make an order for each chain and temperature that the required edges allow.

    Args:
        given: Orders that the chains take turns with; without any, all orders are random.
        required: Edges that every graph has.
        shape: Numbers of chains and of temperatures.
        rng: Source of randomness.
        half: Whether every second chain begins with random orders nevertheless.

    Returns:
        The orders.
    """
    n_chains, d = shape[0], len(required)
    priorities = rng.random((*shape, d))
    chains = np.arange(0, n_chains, 2 if half else 1)
    if len(given) > 0:
        turns = given[np.arange(len(chains)) % len(given)]
        priorities[chains] = turns.argsort(-1)[:, None].astype(float)
    flat = torch.from_numpy(priorities.reshape(-1, d))
    return allowed_orders(flat, torch.from_numpy(required)).numpy().reshape(*shape, d)


def read_beginning(given: Any, d: int, rng: np.random.Generator) -> Beginning:
    """Read orders from orders, graphs, or a posterior over graphs.

    Args:
        given: Orders ``[d]`` or ``[g, d]``, DAGs ``[d, d]`` or ``[g, d, d]``, or a posterior, from
            which 16 graphs are drawn.
        d: Number of variables.
        rng: Source of randomness.

    Returns:
        At least one order, and the graphs.

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
            raise InputError(
                "initialisation: a graph with a directed cycle has no order; pass DAGs only."
            )
        return Beginning(topological_order(adjacency).numpy(), adjacency.numpy())
    orders = array.reshape(-1, array.shape[-1]) if array.ndim in (1, 2) else array[None]
    whole = np.issubdtype(array.dtype, np.integer) and orders.shape[-1] == d and len(orders) > 0
    if array.ndim not in (1, 2) or not whole or (np.sort(orders) != np.arange(d)).any():
        raise InputError(
            "initialisation must be 'auto', 'random', 'greedy', a GraphPosterior, orders "
            f"[g, {d}] of the numbers 0 to {d - 1}, or DAGs [g, {d}, {d}]; got {_describe(given)}."
        )
    return Beginning(orders.astype(np.int64), None)


def _describe(given: Any) -> str:
    shape = getattr(given, "shape", None)
    return repr(given) if shape is None else f"an array of shape {tuple(shape)}"

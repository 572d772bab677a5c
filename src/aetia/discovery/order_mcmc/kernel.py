r"""Compiled loops of the order chain; import this module only when a chain runs.

An order o of the variables has the weight :math:`Z(o) = \prod_j F_j(A_j(o))`, where
:math:`A_j(o)` is the set of candidate parents of j before j and :math:`F_j(A)` sums the scores of
all subsets of A. Moves of the order are reversible for :math:`Z(o)^\beta`. Given the order, parent
sets are drawn exactly. A DAG G compatible with L(G) orders would be counted L(G) times; the target

.. math:: \pi(o, G) \propto p(G) \, q(o \mid G)

counts it once, for any distribution q over the orders of G that can be drawn and evaluated. Here q
builds the order from front to back and chooses among the variables whose parents are placed with
probability proportional to one plus the number of descendants (the hook distribution, uniform for
forests).

Conventions of all loops: ``order[p]`` is the variable at position p; sets of candidate parents are
bit masks over the candidates of a variable, so that there is no limit on the number of variables;
``own[v, u]`` is the bit of u among the candidates of v or -1, ``other[v, u] = own[u, v]``;
``sums[v, m]`` is :math:`\log F_v`; ``rng`` is the state of a xoshiro256** generator. Arrays are
changed in place. Everything is in one module because the cache of compiled code knows only its own
file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias, no_type_check

import numpy as np
from numba import njit

__all__ = [
    "draw_graph",
    "draw_parents",
    "hook_draw",
    "hook_log_probability",
    "path_counts",
    "place",
    "relocate",
    "relocations",
    "run_chain",
    "shuffle_window",
    "swap",
    "uniform",
]

Array: TypeAlias = np.ndarray

_PERMUTATIONS = np.array(
    [
        [a, b, c, 6 - a - b - c]
        for a in range(4)
        for b in range(4)
        for c in range(4)
        if len({a, b, c}) == 3
    ],
    dtype=np.int64,
)


def _compiled(signature: str) -> Callable[[Callable[..., Any]], Any]:
    return njit(signature, cache=True, nogil=True)


# -- random numbers ---------------------------------------------------------------------------


@_compiled("float64(uint64[::1])")
@no_type_check
def uniform(rng: Array) -> float:
    """Draw from [0, 1) with 53 random bits, by xoshiro256**."""
    five, nine = np.uint64(5), np.uint64(9)
    x = rng[1] * five
    result = ((x << np.uint64(7)) | (x >> np.uint64(57))) * nine
    t = rng[1] << np.uint64(17)
    rng[2] ^= rng[0]
    rng[3] ^= rng[1]
    rng[1] ^= rng[2]
    rng[0] ^= rng[3]
    rng[2] ^= t
    rng[3] = (rng[3] << np.uint64(45)) | (rng[3] >> np.uint64(19))
    return float(result >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@_compiled("int64(uint64[::1], int64)")
@no_type_check
def _below(rng: Array, n: int) -> int:
    return min(int(uniform(rng) * n), n - 1)


@_compiled("int64(uint64)")
@no_type_check
def _count_bits(x: int) -> int:
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


# -- moves of the order -----------------------------------------------------------------------


@_compiled("void(int64[::1], int64[:,::1], float64[:,::1], int64[::1], float64[::1], int64[::1])")
@no_type_check
def place(
    order: Array, candidates: Array, sums: Array, masks: Array, scores: Array, position: Array
) -> None:
    """Fill in the masks of earlier candidates and their log sums for an order."""
    d, k = candidates.shape
    for p in range(d):
        position[order[p]] = p
    for v in range(d):
        mask = 0
        for b in range(k):
            if position[candidates[v, b]] < position[v]:
                mask |= 1 << b
        masks[v] = mask
        scores[v] = sums[v, mask]


@_compiled(
    "void(int64[::1], int64[::1], float64[::1], int8[:,::1], int8[:,::1], float64[:,::1], float64,"
    " float64[::1], uint64[::1])"
)
@no_type_check
def relocate(
    order: Array,
    masks: Array,
    scores: Array,
    own: Array,
    other: Array,
    sums: Array,
    beta: float,
    weights: Array,
    rng: Array,
) -> None:
    """Take one variable out and put it back at a position drawn from its exact conditional."""
    d = len(order)
    start = _below(rng, d)
    v = order[start]
    mask, base = masks[v], scores[v]
    weights[start] = 0.0
    # Every step passes one neighbour, which changes the sets of two variables only, so all
    # positions together cost O(d). Weights are log ratios to the order as it is.
    low = high = start
    top = 0.0
    # Impossible orders have a sum of minus infinity, and so has everything beyond them: to the
    # left v keeps losing candidates, to the right the variables that v passes lose v.
    gain, rest = 0.0, 0.0
    for p in range(start - 1, -1, -1):
        u = order[p]
        b = own[v, u]
        if b >= 0:
            mask &= ~(1 << b)
            gain = sums[v, mask] - base
        b = other[v, u]
        if b >= 0:
            rest += sums[u, masks[u] | (1 << b)] - scores[u]
        change = beta * (gain + rest)
        if change == -np.inf:
            break
        weights[p] = change
        low = p
        if change > top:
            top = change
    mask = masks[v]
    gain, rest = 0.0, 0.0
    for p in range(start + 1, d):
        u = order[p]
        b = own[v, u]
        if b >= 0:
            mask |= 1 << b
            gain = sums[v, mask] - base
        b = other[v, u]
        if b >= 0:
            rest += sums[u, masks[u] & ~(1 << b)] - scores[u]
        change = beta * (gain + rest)
        if change == -np.inf:
            break
        weights[p] = change
        high = p
        if change > top:
            top = change
    # The largest is subtracted before exponentials are taken, which would overflow.
    total = 0.0
    last, value = 1.0, 0.0  # neighbours that v has nothing to do with leave the weight as it is
    for p in range(low, high + 1):
        if weights[p] != last:
            last = weights[p]
            value = math.exp(last - top)
        weights[p] = value
        total += value
    left = uniform(rng) * total
    end = low
    while end < high:
        left -= weights[end]
        if left < 0.0:
            break
        end += 1
    if end == start:
        return
    # Now make the move, one neighbour after the other.
    step = 1 if end > start else -1
    mask = masks[v]
    p = start
    while p != end:
        u = order[p + step]
        order[p] = u
        b = own[v, u]
        if b >= 0:
            mask = mask | (1 << b) if step > 0 else mask & ~(1 << b)
        b = other[v, u]
        if b >= 0:
            masks[u] = masks[u] & ~(1 << b) if step > 0 else masks[u] | (1 << b)
            scores[u] = sums[u, masks[u]]
        p += step
    order[end] = v
    masks[v] = mask
    scores[v] = sums[v, mask]


@_compiled(
    "void(int64[::1], int64[::1], float64[::1], int8[:,::1], int8[:,::1], float64[:,::1], float64,"
    " float64[::1], uint64[::1], int64)"
)
@no_type_check
def relocations(
    order: Array,
    masks: Array,
    scores: Array,
    own: Array,
    other: Array,
    sums: Array,
    beta: float,
    weights: Array,
    rng: Array,
    n_moves: int,
) -> None:
    """Relocate many variables, one after the other."""
    for _ in range(n_moves):
        relocate(order, masks, scores, own, other, sums, beta, weights, rng)


@_compiled(
    "void(int64[::1], int64[::1], float64[::1], int8[:,::1], int8[:,::1], float64[:,::1], float64,"
    " uint64[::1])"
)
@no_type_check
def swap(
    order: Array,
    masks: Array,
    scores: Array,
    own: Array,
    other: Array,
    sums: Array,
    beta: float,
    rng: Array,
) -> None:
    """Exchange two variables, half of the time neighbours, and accept by the ratio of weights."""
    d = len(order)
    if uniform(rng) < 0.5:
        first = _below(rng, d - 1)
        last = first + 1
    else:
        first, last = _below(rng, d), _below(rng, d)
        if first == last:
            return
        if first > last:
            first, last = last, first
    a, z = order[first], order[last]
    mask_a, mask_z = masks[a], masks[z]
    # The first variable gains all between the two as candidates and the last loses them; those
    # between lose the first and gain the last.
    change = 0.0
    for p in range(first, last + 1):
        u = order[p]
        b = own[a, u]
        if b >= 0:
            mask_a |= 1 << b
        b = own[z, u]
        if b >= 0:
            mask_z &= ~(1 << b)
        if u != a and u != z:
            mask = masks[u]
            b = other[a, u]
            if b >= 0:
                mask &= ~(1 << b)
            b = other[z, u]
            if b >= 0:
                mask |= 1 << b
            if mask != masks[u]:
                change += sums[u, mask] - scores[u]
    change += sums[a, mask_a] - scores[a] + sums[z, mask_z] - scores[z]
    if not (change >= 0.0 or uniform(rng) < math.exp(beta * change)):
        return
    for p in range(first + 1, last):
        u = order[p]
        b = other[a, u]
        if b >= 0:
            masks[u] &= ~(1 << b)
        b = other[z, u]
        if b >= 0:
            masks[u] |= 1 << b
        scores[u] = sums[u, masks[u]]
    order[first], order[last] = z, a
    masks[a], masks[z] = mask_a, mask_z
    scores[a], scores[z] = sums[a, mask_a], sums[z, mask_z]


@_compiled(
    "void(int64[::1], int64[::1], float64[::1], int8[:,::1], float64[:,::1], float64, uint64[::1])"
)
@no_type_check
def shuffle_window(
    order: Array,
    masks: Array,
    scores: Array,
    own: Array,
    sums: Array,
    beta: float,
    rng: Array,
) -> None:
    """Redraw the order of four neighbours from its exact conditional over all 24."""
    start = _below(rng, len(order) - 3)
    # What a variable scores depends on which of the others come before it, not on their order:
    # sixteen sets of each variable are enough for all 24 orders.
    gains = np.empty((4, 16))
    found = np.empty((4, 16), np.int64)
    for a in range(4):
        v = order[start + a]
        before = masks[v]
        for c in range(4):
            b = own[v, order[start + c]]
            if b >= 0:
                before &= ~(1 << b)
        for chosen in range(16):
            mask = before
            for c in range(4):
                if (chosen >> c) & 1:
                    b = own[v, order[start + c]]
                    if b >= 0:
                        mask |= 1 << b
            found[a, chosen] = mask
            gains[a, chosen] = sums[v, mask] - scores[v]
    weights = np.empty(24)
    top = -np.inf
    for i in range(24):
        placed, total = 0, 0.0
        for p in range(4):
            a = _PERMUTATIONS[i, p]
            total += gains[a, placed]
            placed |= 1 << a
        weights[i] = beta * total
        top = max(top, weights[i])
    total = 0.0
    for i in range(24):
        weights[i] = math.exp(weights[i] - top)
        total += weights[i]
    left = uniform(rng) * total
    pick = 0
    while pick < 23:
        left -= weights[pick]
        if left < 0.0:
            break
        pick += 1
    four = np.empty(4, np.int64)
    placed = 0
    for p in range(4):
        a = _PERMUTATIONS[pick, p]
        four[p] = order[start + a]
        masks[four[p]] = found[a, placed]
        scores[four[p]] = sums[four[p], masks[four[p]]]
        placed |= 1 << a
    for p in range(4):
        order[start + p] = four[p]


@_compiled(
    "void(int64[::1], int64[::1], float64[::1], int8[:,::1], int8[:,::1], float64[:,::1], float64,"
    " int64, float64[::1], uint64[::1])"
)
@no_type_check
def _move(
    order: Array,
    masks: Array,
    scores: Array,
    own: Array,
    other: Array,
    sums: Array,
    beta: float,
    n_moves: int,
    weights: Array,
    rng: Array,
) -> None:
    """Make moves of an order: eight of ten relocate, one swaps, one shuffles a window."""
    d = len(order)
    for _ in range(n_moves):
        kind = uniform(rng)
        if d < 2:
            return
        if kind < 0.1 and d >= 4:
            shuffle_window(order, masks, scores, own, sums, beta, rng)
        elif kind < 0.2:
            swap(order, masks, scores, own, other, sums, beta, rng)
        else:
            relocate(order, masks, scores, own, other, sums, beta, weights, rng)


# -- parents given the order, orders given the parents ------------------------------------------


@_compiled("int64(int64, float32[:,::1], uint64[::1])")
@no_type_check
def draw_parents(mask: int, coins: Array, rng: Array) -> int:
    """Draw a parent set among the subsets of a mask, one coin for each member.

    ``coins[b, m']`` is the probability that member b drops out of m, where m' is m without bit b
    (the bits above it moved down), once the members above b are decided.
    """
    for b in range(len(coins) - 1, -1, -1):
        bit = 1 << b
        if mask & bit:
            rest = ((mask >> (b + 1)) << b) | (mask & (bit - 1))
            if uniform(rng) < coins[b, rest]:
                mask ^= bit
    return mask


@_compiled("void(int64[::1], int64[::1], int64[:,::1], uint64[:,::1])")
@no_type_check
def _find_descendants(order: Array, parents: Array, candidates: Array, words: Array) -> None:
    """Set the bits of the descendants of every variable, itself included."""
    d, n_words = words.shape
    words[:] = np.uint64(0)
    for p in range(d - 1, -1, -1):
        v = order[p]
        words[v, v >> 6] |= np.uint64(1) << np.uint64(v & 63)
        mask, b = parents[v], 0
        while mask:
            if mask & 1:
                u = candidates[v, b]
                for w in range(n_words):
                    words[u, w] |= words[v, w]
            mask >>= 1
            b += 1


@_compiled(
    "float64(int64[::1], int64[::1], int64[:,::1], uint64[:,::1], int64[:,::1], int64, uint64[::1])"
)
@no_type_check
def _hook(
    order: Array,
    parents: Array,
    candidates: Array,
    words: Array,
    work: Array,
    draw: int,
    rng: Array,
) -> float:
    """Evaluate log q(order | G); with ``draw`` set, replace the order by a draw from q first."""
    d = len(order)
    sizes, missing, first, ready = work[0], work[1], work[2], work[3]
    children = work[4:].ravel()
    _find_descendants(order, parents, candidates, words)
    for v in range(d):
        size = 0
        for w in range(words.shape[1]):
            size += _count_bits(words[v, w])
        sizes[v] = size
        first[v] = 0
    for v in range(d):  # count children, then list them one variable after the other
        count = 0
        mask, b = parents[v], 0
        while mask:
            if mask & 1:
                first[candidates[v, b]] += 1
                count += 1
            mask >>= 1
            b += 1
        missing[v] = count
    end = 0
    for v in range(d):
        end += first[v]
        first[v] = end
    for v in range(d):
        mask, b = parents[v], 0
        while mask:
            if mask & 1:
                u = candidates[v, b]
                first[u] -= 1
                children[first[u]] = v
            mask >>= 1
            b += 1
    # A variable is ready when all of its parents are placed; total is the sum of their sizes.
    n_ready, total = 0, 0
    for v in range(d):
        if missing[v] == 0:
            ready[n_ready] = v
            n_ready += 1
            total += sizes[v]
    log_q, ratio = 0.0, 1.0
    for p in range(d):
        if draw:
            left = uniform(rng) * total
            i = 0
            while i < n_ready - 1:
                left -= sizes[ready[i]]
                if left < 0.0:
                    break
                i += 1
            v = ready[i]
            n_ready -= 1
            ready[i] = ready[n_ready]
            order[p] = v
        else:
            v = order[p]
        ratio *= sizes[v] / total
        # One logarithm for many factors: the product moves to log_q before it underflows.
        if ratio < 1e-200:
            log_q += math.log(ratio)
            ratio = 1.0
        total -= sizes[v]
        stop = end if v == d - 1 else first[v + 1]
        for c in range(first[v], stop):
            u = children[c]
            missing[u] -= 1
            if missing[u] == 0:
                total += sizes[u]
                # Where the order is given, the list of ready variables is not needed.
                if draw:
                    ready[n_ready] = u
                    n_ready += 1
    return log_q + math.log(ratio)


@_compiled("float64(int64[::1], int64[::1], int64[:,::1])")
@no_type_check
def hook_log_probability(order: Array, parents: Array, candidates: Array) -> float:
    """Evaluate log q(order | G) for an order that is compatible with the graph."""
    d, k = candidates.shape
    words = np.empty((d, (d + 63) >> 6), np.uint64)
    work = np.empty((4 + k, d), np.int64)
    return _hook(order, parents, candidates, words, work, 0, np.empty(4, np.uint64))


@_compiled("float64(int64[::1], int64[::1], int64[:,::1], uint64[::1])")
@no_type_check
def hook_draw(order: Array, parents: Array, candidates: Array, rng: Array) -> float:
    """Replace an order of the graph by a draw from q; the result is its log probability."""
    d, k = candidates.shape
    words = np.empty((d, (d + 63) >> 6), np.uint64)
    work = np.empty((4 + k, d), np.int64)
    return _hook(order, parents, candidates, words, work, 1, rng)


# -- the chain --------------------------------------------------------------------------------


@_compiled("void(int64[::1], float32[:,:,::1], int64[::1], uint64[::1])")
@no_type_check
def draw_graph(masks: Array, coins: Array, parents: Array, rng: Array) -> None:
    """Draw the parents of every variable given the masks of an order."""
    for v in range(len(masks)):
        parents[v] = draw_parents(masks[v], coins[v], rng)


@_compiled(
    "void(int64[:,::1], int64[:,::1], float64[:,::1], float64[:,::1], float32[:,:,::1],"
    " int64[:,::1], int8[:,::1], int8[:,::1], float64[::1], float64[::1], int64, int64, int64,"
    " int32[:,::1], float64[::1], int64[:,::1], uint64[::1])"
)
@no_type_check
def run_chain(
    orders: Array,
    parents: Array,
    sums: Array,
    sets: Array,
    coins: Array,
    candidates: Array,
    own: Array,
    other: Array,
    betas: Array,
    lambdas: Array,
    n_moves: int,
    thin: int,
    parity: int,
    draws: Array,
    trace: Array,
    counts: Array,
    rng: Array,
) -> None:
    r"""Run one chain at several temperatures for ``len(draws) * thin`` iterations.

    The target of temperature t is :math:`Z(o)^{\beta_t} p(G \mid o) q(o \mid G)^{\lambda_t}`. At
    :math:`\beta = \lambda = 1` every DAG counts once, at :math:`\lambda = 0` once for each of its
    orders.

    Args:
        orders: One order for each temperature, the coldest first.
        parents: One graph for each temperature; drawn anew where the first mask is negative.
        sums: Log sums over subsets.
        sets: Log scores of the sets.
        coins: Probabilities of :func:`draw_parents`.
        candidates: Candidate parents.
        own: Bit of u among the candidates of v.
        other: Its transpose.
        betas: Powers of the weight of the order, 1 first.
        lambdas: Powers of q.
        n_moves: Moves of every order in an iteration.
        thin: Iterations between draws.
        parity: 0 or 1: which pairs of temperatures exchange states first.
        draws: Filled with parent sets of the coldest.
        trace: Filled with the log score of every draw.
        counts: Row 0: iterations, accepted graphs; row t: exchanges of temperatures t - 1 and t
            that were tried, accepted.
        rng: Generator.
    """
    n_temperatures, d = orders.shape
    k = candidates.shape[1]
    masks = np.empty((n_temperatures, d), np.int64)
    scores = np.empty((n_temperatures, d))
    order, mask, score = np.empty(d, np.int64), np.empty(d, np.int64), np.empty(d)
    new, position, weights = np.empty(d, np.int64), np.empty(d, np.int64), np.empty(d)
    words = np.empty((d, (d + 63) >> 6), np.uint64)
    work = np.empty((4 + k, d), np.int64)
    totals, log_q = np.empty(n_temperatures), np.zeros(n_temperatures)
    for t in range(n_temperatures):
        place(orders[t], candidates, sums, masks[t], scores[t], position)
        if lambdas[t] > 0.0:
            if parents[t, 0] < 0:
                draw_graph(masks[t], coins, parents[t], rng)
            log_q[t] = _hook(orders[t], parents[t], candidates, words, work, 0, rng)
    redrawn = min(1.0, 4.0 * n_moves / d)
    for step in range(len(draws) * thin):
        counts[0, 0] += 1
        for t in range(n_temperatures):
            beta, power = betas[t], lambdas[t]
            # Without q the weight of the order is the whole target, and graphs are drawn given the
            # order where one is asked for.
            if power == 0.0:
                _move(orders[t], masks[t], scores[t], own, other, sums, beta, n_moves, weights, rng)
                continue
            # Another order of the same graph; at the coldest this is a draw from its conditional.
            order[:] = orders[t]
            proposed = _hook(order, parents[t], candidates, words, work, 1, rng)
            place(order, candidates, sums, mask, score, position)
            log_ratio = (power - 1.0) * (proposed - log_q[t])
            log_ratio += (beta - 1.0) * (score.sum() - scores[t].sum())
            if log_ratio >= 0.0 or uniform(rng) < math.exp(log_ratio):
                orders[t, :], masks[t, :], scores[t, :] = order, mask, score
                log_q[t] = proposed
            else:
                order[:], mask[:], score[:] = orders[t], masks[t], scores[t]
            # Another order and a graph of it, by a step that is reversible without q.
            _move(order, mask, score, own, other, sums, beta, n_moves, weights, rng)
            for v in range(d):
                # Parents whose mask is the same may stay: their probability cancels.
                new[v] = parents[t, v]
                if mask[v] != masks[t, v] or uniform(rng) < redrawn:
                    new[v] = draw_parents(mask[v], coins[v], rng)
            proposed = _hook(order, new, candidates, words, work, 0, rng)
            if uniform(rng) < math.exp(min(0.0, power * (proposed - log_q[t]))):
                orders[t, :], masks[t, :], scores[t, :] = order, mask, score
                parents[t, :] = new
                log_q[t] = proposed
                if t == 0:
                    counts[0, 1] += 1
        for t in range(n_temperatures):
            totals[t] = scores[t].sum()
        # Even and odd pairs take turns: a state keeps its direction through the temperatures.
        for t in range(1 + (step + parity) % 2, n_temperatures, 2):
            # A state without q has no current graph; to change places with one that has, it draws
            # its own.
            if lambdas[t] == 0.0 and lambdas[t - 1] > 0.0:
                draw_graph(masks[t], coins, parents[t], rng)
                log_q[t] = _hook(orders[t], parents[t], candidates, words, work, 0, rng)
            log_ratio = (betas[t - 1] - betas[t]) * (totals[t] - totals[t - 1])
            log_ratio += (lambdas[t - 1] - lambdas[t]) * (log_q[t] - log_q[t - 1])
            counts[t, 0] += 1
            if log_ratio >= 0.0 or uniform(rng) < math.exp(log_ratio):
                for v in range(d):
                    orders[t, v], orders[t - 1, v] = orders[t - 1, v], orders[t, v]
                    masks[t, v], masks[t - 1, v] = masks[t - 1, v], masks[t, v]
                    scores[t, v], scores[t - 1, v] = scores[t - 1, v], scores[t, v]
                    parents[t, v], parents[t - 1, v] = parents[t - 1, v], parents[t, v]
                log_q[t], log_q[t - 1] = log_q[t - 1], log_q[t]
                counts[t, 1] += 1
        if (step + 1) % thin == 0:
            i = step // thin
            if lambdas[0] == 0.0:
                draw_graph(masks[0], coins, parents[0], rng)
            total = 0.0
            for v in range(d):
                draws[i, v] = parents[0, v]
                total += sets[v, parents[0, v]]
            trace[i] = total


@_compiled("void(int64[::1], int64[:,::1], int64[::1], int64[:,::1])")
@no_type_check
def _sort(parents: Array, candidates: Array, order: Array, work: Array) -> None:
    """List the variables of a DAG so that parents come first."""
    d = len(parents)
    depth, stack = work[0], work[1:].ravel()
    depth[:] = 0  # 0: not seen, 1: on the stack, 2: listed
    n = 0
    for root in range(d):
        height = 0
        if depth[root] == 0:
            stack[0] = root
            height = 1
        while height:
            v = stack[height - 1]
            if depth[v] == 0:
                depth[v] = 1
                mask, b = parents[v], 0
                while mask:
                    if mask & 1 and depth[candidates[v, b]] == 0:
                        stack[height] = candidates[v, b]
                        height += 1
                    mask >>= 1
                    b += 1
            else:
                height -= 1
                if depth[v] == 1:
                    depth[v] = 2
                    order[n] = v
                    n += 1


@_compiled("void(int32[:,::1], int64[:,::1], int64[:,::1])")
@no_type_check
def path_counts(draws: Array, candidates: Array, counts: Array) -> None:
    """Add to ``counts[i, j]`` the number of drawn graphs in which i is an ancestor of j."""
    d, k = candidates.shape
    words = np.empty((d, (d + 63) >> 6), np.uint64)
    work = np.empty((4 + k, d), np.int64)
    order, parents = np.empty(d, np.int64), np.empty(d, np.int64)
    for s in range(len(draws)):
        for v in range(d):
            parents[v] = draws[s, v]
        _sort(parents, candidates, order, work)
        _find_descendants(order, parents, candidates, words)
        for i in range(d):
            for w in range(words.shape[1]):
                x = words[i, w]
                j = w << 6
                while x:
                    if x & np.uint64(1) and i != j:
                        counts[i, j] += 1
                    x >>= np.uint64(1)
                    j += 1

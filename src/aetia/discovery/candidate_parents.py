"""Possible parents of each variable, where the tables of all parent sets would be too large."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.discovery.extension_gains import extension_gains
from aetia.errors import InputError
from aetia.graphs import Constraints
from aetia.likelihoods import LocalScores

__all__ = [
    "all_others",
    "choose_candidates",
    "default_n_candidates",
    "greedy_parents",
    "pick_candidates",
]

_MAX_BYTES = 400e6
_MAX_GREEDY = 8
_MAX_SINGLE_TABLES = 150


def all_others(d: int) -> Int64[Tensor, "d c"]:
    """List all other variables as candidates of each.

    Args:
        d: Number of variables.

    Returns:
        Ascending indices.
    """
    others = ~torch.eye(d, dtype=torch.bool)
    return torch.arange(d).expand(d, d)[others].view(d, d - 1)


def default_n_candidates(d: int, n: int) -> int:
    """Choose how many candidates a variable has: more where the data say less.

    Args:
        d: Number of variables.
        n: Number of rows.

    Returns:
        16 below 300 rows, otherwise 12, and fewer where their tables would take more than 400 MB.
    """
    k = min(d - 1, 16 if n < 300 else 12)
    while k > 1 and d * 2.0**k * (16 + 2 * k) > _MAX_BYTES:
        k -= 1
    return max(k, 0)


def choose_candidates(
    scores: LocalScores,
    n_candidates: int,
    count_terms: Float[Tensor, " d"],
    constraints: Constraints,
    screen: LocalScores | None = None,
    favoured: Float[Tensor, "d d"] | None = None,
) -> Int64[Tensor, "d k"]:
    """Choose candidates by greedy selection of parents, each variable for itself.

    A variable alone does not find parents that pay only jointly; graphs that a search has found
    bring them in.

    Args:
        scores: The likelihood bound to the data.
        n_candidates: Candidates of each variable.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Knowledge.
        screen: A faster score for the greedy selection, where the likelihood has tables only; the
            likelihood still ranks single parents.
        favoured: Edges of graphs that are known to be good, between 0 and 1; they come before all
            but required parents, the largest first.

    Returns:
        Sorted indices.
    """
    d = len(count_terms)
    if n_candidates >= d - 1:
        return all_others(d)
    fast = scores if screen is None else screen
    single = scores if d <= _MAX_SINGLE_TABLES else fast
    alone = extension_gains(single, constraints.required, count_terms, constraints)
    chosen, gains = greedy_parents(fast, min(n_candidates, _MAX_GREEDY), count_terms, constraints)
    return pick_candidates(chosen, gains, alone, n_candidates, constraints, favoured)


def greedy_parents(
    scores: LocalScores,
    max_parents: int,
    count_terms: Float[Tensor, " d"],
    constraints: Constraints,
) -> tuple[Bool[Tensor, "d d"], Float[Tensor, "d d"]]:
    """Add the best parent to every variable as long as it is worth more than nothing.

    The result is not a graph: a variable tends to choose its causes and effects alike, and what
    it chooses last are causes of its effects.

    Args:
        scores: The likelihood bound to the data.
        max_parents: Largest number added to the required ones.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Knowledge.

    Returns:
        The choices, ``chosen[i, j]`` where j chose i, and the gains of one more after them.
    """
    chosen = constraints.required.clone()
    node = torch.arange(len(chosen))
    gains = extension_gains(scores, chosen, count_terms, constraints)
    for _ in range(max_parents):
        best, which = gains.max(0)
        if not (best > 0).any():
            break
        chosen[which[best > 0], node[best > 0]] = True
        gains = extension_gains(scores, chosen, count_terms, constraints)
    return chosen, gains


def pick_candidates(
    chosen: Bool[Tensor, "d d"],
    gains: Float[Tensor, "d d"],
    alone: Float[Tensor, "d d"],
    n_candidates: int,
    constraints: Constraints,
    favoured: Float[Tensor, "d d"] | None = None,
) -> Int64[Tensor, "d k"]:
    """Fill the candidates: required parents, choices, those who chose the variable, then by gain.

    Screening must not decide directions, so a choice counts for both ends where there is room.

    Args:
        chosen: ``chosen[i, j]`` where j chose i.
        gains: Log-odds of one more parent i of j after the choices.
        alone: The same without them; the better of both ranks counts.
        n_candidates: Candidates of each variable.
        constraints: Knowledge.
        favoured: Numbers in [0, 1], such as probabilities of edges i -> j; pairs with a positive
            one come first, the largest before others.

    Returns:
        Sorted indices; forbidden parents are among them only where nothing else is left.

    Raises:
        InputError: If a variable has more required parents than candidates.
    """
    most = constraints.required.sum(0)
    if int(most.max()) > n_candidates:
        j = int(most.argmax())
        raise InputError(
            f"knowledge requires {int(most[j])} parents of variable {j}, but a variable has only "
            f"{n_candidates} candidates; set n_candidates to at least {int(most[j])}."
        )
    within = torch.maximum(_ranks(gains), _ranks(alone))
    d = len(chosen)
    good = torch.zeros_like(within) if favoured is None else favoured
    either = chosen | (good > 0)
    rank = within / d + either.mT * 1.0 + chosen * 2.0
    rank = rank + (good > 0) * 4.0 + good * 4.0 + constraints.required * 16.0
    rank = rank.masked_fill(constraints.forbidden, -1.0)
    rank = rank.masked_fill(torch.eye(d, dtype=torch.bool), -torch.inf)
    return rank.topk(n_candidates, dim=0).indices.mT.sort(-1).values.contiguous()


def _ranks(gains: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    """Rank the possible parents of each variable, the best last."""
    return gains.argsort(dim=0, stable=True).argsort(dim=0).double()

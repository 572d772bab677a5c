"""Which columns are drawn, and which are known: what one network is asked in training.

A pattern names targets and context; columns that are neither stay hidden, so that p(x_i | x_S) is
learned for sets S that leave others out.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor

__all__ = ["Pattern", "pattern_table", "random_patterns"]


class Pattern(NamedTuple):
    """True for columns with that role; rows in front."""

    target: Bool[Tensor, "*rows d"]
    context: Bool[Tensor, "*rows d"]


def random_patterns(
    observed: Bool[Tensor, " n d"],
    generator: torch.Generator,
    patterns: Pattern | None = None,
) -> Pattern:
    """Draw a pattern for each row; cells that were not observed have no role.

    Args:
        observed: True where a cell was seen.
        generator: Source of randomness.
        patterns: What to choose from; None for any context, of uniform size, and as targets all
            other columns or, in half of the rows, one of them.

    Returns:
        Targets and context.
    """
    n, d = observed.shape
    device = observed.device
    if patterns is not None:
        k = torch.randint(len(patterns.target), (n,), generator=generator, device=device)
        return Pattern(patterns.target[k] & observed, patterns.context[k] & observed)
    rank = torch.rand((n, d), generator=generator, device=device).argsort(1).argsort(1)
    size = torch.randint(d, (n, 1), generator=generator, device=device)
    context = rank < size
    alone = torch.rand((n, 1), generator=generator, device=device) < 0.5
    target = torch.where(alone, rank == size, ~context)
    return Pattern(target & observed, context & observed)


def pattern_table(targets: list[list[int]], contexts: list[list[int]], d: int) -> Pattern:
    """Write patterns as masks.

    Args:
        targets: Columns drawn together, one list for each pattern.
        contexts: Columns that are known then.
        d: Columns.

    Returns:
        One row for each pattern.
    """
    masks = []
    for lists in (targets, contexts):
        mask = torch.zeros((len(lists), d), dtype=torch.bool)
        for row, columns in zip(mask, lists, strict=True):
            row[columns] = True
        masks.append(mask)
    return Pattern(*masks)

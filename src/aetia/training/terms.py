r"""Losses that are weighted sums of terms, :math:`L = \sum_k \lambda_k L_k`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from aetia.errors import InputError

__all__ = ["weigh"]


def weigh(
    terms: Mapping[str, Tensor], lambdas: Mapping[str, float]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Add terms up, and keep what the health record needs to distinguish them.

    Args:
        terms: Scalars by name, each a mean over what it is about.
        lambdas: Weight of each term, by the same names.

    Returns:
        The loss, and its parts: each term times its weight under its own name, with a gradient,
        the parts' sum being the loss; the term itself as ``raw/NAME`` and the weight as
        ``lambda/NAME``, without one.

    Raises:
        InputError: If terms and weights have different names, or there are none.

    Example:
        >>> terms = {"recon": torch.tensor(0.5), "sparse": torch.tensor(3.0)}
        >>> loss, parts = weigh(terms, {"recon": 10.0, "sparse": 1e-2})
        >>> round(float(loss), 4), float(parts["raw/sparse"])
        (5.03, 3.0)
    """
    if not terms or terms.keys() != lambdas.keys():
        raise InputError(
            f"weigh: terms {sorted(terms)} and lambdas {sorted(lambdas)} must have the same names, "
            "at least one."
        )
    weighted = {name: term * lambdas[name] for name, term in terms.items()}
    loss = torch.stack([t.reshape(()) for t in weighted.values()]).sum()
    raw = {f"raw/{name}": term.detach() for name, term in terms.items()}
    weights = {
        f"lambda/{name}": term.detach().new_tensor(float(lambdas[name]), dtype=torch.float64)
        for name, term in terms.items()
    }
    return loss, {**weighted, **raw, **weights}

"""The model of missingness, for values that are missing because of what they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.nets import Perceptron

__all__ = ["MissingnessNet"]


class MissingnessNet(nn.Module):
    r"""The probability that a cell is seen, given all values of its row, seen or not.

    .. math:: \text{logit}\, p(r_j = 1 \mid x) = a_j + b_j x_j + f_j(x)

    By default there is no f: a value hides itself. With a model of all columns (the original has a
    perceptron) the data hardly tell whether a value or its neighbours hide it, and bias remains.
    Columns that were always or never seen in the table say nothing and do not count.

    Args:
        observed: True where a cell of the table was seen. The shares of seen cells are the initial
            probabilities and say which columns count.
        hidden: Widths of the perceptron; empty for none.
    """

    is_open: Tensor

    def __init__(self, observed: Bool[Tensor, "n p"], hidden: Sequence[int]) -> None:
        super().__init__()
        share = observed.double().mean(0)
        self.register_buffer("is_open", (share > 0) & (share < 1))
        start = share.clamp(0.01, 0.99)
        self.offset = nn.Parameter((start / (1 - start)).log().float())
        p = observed.shape[1]
        self.slopes = nn.Parameter(torch.zeros(p))
        self.net = Perceptron([p, *hidden, p]) if hidden else None

    def log_prob(
        self, x: Float[Tensor, "*draws n p"], observed: Bool[Tensor, "n p"]
    ) -> Float[Tensor, "*draws n"]:
        """Compute the log probability of what is seen of every row.

        Args:
            x: Rows with all their values.
            observed: True where a value was seen.

        Returns:
            One number for each draw of each row.
        """
        logits = self.offset + x * self.slopes
        if self.net is not None:
            logits = logits + self.net(x)
        signed = torch.where(observed, logits, -logits)
        return (F.logsigmoid(signed) * self.is_open).sum(-1)

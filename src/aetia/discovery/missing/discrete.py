r"""Completion of a table of binary and categorical columns under BDeu.

Given a graph, the conditional probabilities of every variable are drawn from their Dirichlet
posterior on the completed table, :math:`\theta_{jc} \sim \mathrm{Dir}(a / (q_j r_j) + N_{jc})` for
cell c of the parents, and then the missing cells of each column, one column after another, with
probability proportional to the product of the variable's own and of its children's entries.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.data import Dataset
from aetia.discovery.missing.columns import check_recorded
from aetia.likelihoods.column_codes import column_codes
from aetia.likelihoods.discrete import BDeu

__all__ = ["DiscreteCompletion", "DiscreteState"]


class DiscreteState(NamedTuple):
    """Completed tables of all chains."""

    codes: Int64[Tensor, "c n d"]


class DiscreteCompletion:
    """BDeu scores of completed tables and draws of what is missing, for all chains at once.

    Args:
        data: Binary and categorical columns, up to 12.
        equivalent_sample_size: Rows that the prior is worth.

    Attributes:
        candidates: All other variables, for each variable.
    """

    def __init__(self, data: Dataset, *, equivalent_sample_size: float = 1.0) -> None:
        check_recorded(data)
        self.score = BDeu(equivalent_sample_size=equivalent_sample_size)
        self.observed = torch.from_numpy(data.observed)
        d = data.d
        # Missing cells borrow a seen value of their column, to number the levels.
        filled = data.values.copy()
        for j in range(d):
            filled[~data.observed[:, j], j] = data.values[data.observed[:, j], j][0]
        numbered = column_codes(
            replace(data, values=filled, observed=np.ones_like(data.observed)), range(d)
        )
        self.codes, self.levels = torch.from_numpy(numbered.codes), numbered.levels
        self.values = [
            torch.from_numpy(np.unique(filled[:, j])) if data.kinds[j] == "binary" else None
            for j in range(d)
        ]
        labels = [tuple(str(v) for v in range(r)) for r in self.levels]
        self._complete = replace(
            data,
            observed=np.ones_like(data.observed),
            kinds=("categorical",) * d,
            levels=dict(zip(data.names, labels, strict=True)),
        )
        acting = np.ones_like(data.observed) if data.intervened is None else ~data.intervened
        self._acting = torch.from_numpy(acting)
        self.candidates = torch.tensor([[i for i in range(d) if i != j] for j in range(d)])

    def begin(self, n_chains: int, generator: torch.Generator) -> DiscreteState:
        """Make a different imputation for every chain.

        Every second chain copies the cells of the seen row that agrees best (ties at random),
        which keeps associations; the others draw each column by its frequencies.

        Args:
            n_chains: Number of chains.
            generator: Source of randomness.

        Returns:
            The first state.
        """
        n, d = self.codes.shape
        same = torch.zeros(n, n)
        for j in range(d):
            both = self.observed[:, j].unsqueeze(1) & self.observed[:, j]
            same += both & (self.codes[:, j].unsqueeze(1) == self.codes[:, j])
        codes = self.codes.expand(n_chains, n, d).clone()
        for j in range(d):
            donors = self.observed[:, j].nonzero().flatten()
            rows = (~self.observed[:, j]).nonzero().flatten()
            if not len(rows):
                continue
            shape = (n_chains, len(rows), len(donors))
            ties = 0.9 * torch.rand(shape, generator=generator)
            alike = same[rows][:, donors] + ties
            alike[1::2] = ties[1::2]
            codes[:, rows, j] = self.codes[donors, j][alike.argmax(-1)]
        return DiscreteState(codes)

    def tables(self, state: DiscreteState) -> Float[Tensor, "d sets c"]:
        """Score every parent set of every variable.

        Args:
            state: State of all chains, side by side.

        Returns:
            BDeu scores relative to no parents, chains last; minus infinity for sets with too many
            combinations of levels.
        """
        tables = []
        for codes in state.codes:
            complete = replace(self._complete, values=codes.double().numpy())
            scores = self.score.local_scores(complete)
            empty = scores.empty.unsqueeze(-1)
            tables.append(scores.tables(self.candidates, len(self.levels) - 1) + empty)
        return torch.stack(tables, -1)

    def redraw(
        self, state: DiscreteState, graphs: Bool[Tensor, "c d d"], generator: torch.Generator
    ) -> DiscreteState:
        """Draw conditional probabilities given the graphs, then all missing cells given them.

        Args:
            state: State of all chains, side by side.
            graphs: One for each chain.
            generator: Source of randomness.

        Returns:
            The next state.
        """
        codes = state.codes.clone()
        strides, cells = self._strides(graphs)
        parent_cell = (codes.double() @ strides.double()).long()  # [c, n, node]
        log_theta = [
            self._draw_log_theta(j, codes, parent_cell[..., j], cells[:, j], generator)
            for j in range(len(self.levels))
        ]
        for j in range(len(self.levels)):
            rows = (~self.observed[:, j]).nonzero().flatten()
            if not len(rows):
                continue
            level = torch.arange(self.levels[j])
            shift = level - codes[:, rows, j].unsqueeze(-1)  # [c, rows, level]
            logits = _look_up(log_theta[j], parent_cell[:, rows, j].unsqueeze(-1), level)
            for k in range(len(self.levels)):
                if k == j or not bool(graphs[:, j, k].any()):
                    continue
                moved = parent_cell[:, rows, k].unsqueeze(-1) + shift * strides[:, j, k].view(
                    -1, 1, 1
                )
                entry = _look_up(log_theta[k], moved, codes[:, rows, k].unsqueeze(-1))
                counts = graphs[:, j, k].view(-1, 1, 1) & self._acting[rows, k].unsqueeze(-1)
                logits = logits + entry * counts
            noise = torch.empty_like(logits).exponential_(generator=generator).log_()
            drawn = (logits - noise).argmax(-1)
            change = drawn - codes[:, rows, j]
            parent_cell[:, rows] += change.unsqueeze(-1) * strides[:, j].unsqueeze(1)
            codes[:, rows, j] = drawn
        return DiscreteState(codes)

    def cells(self, state: DiscreteState) -> Float[Tensor, "c k"]:
        """Read the imputed cells as the user's values or codes, in row-major order.

        Args:
            state: State of all chains, side by side.

        Returns:
            One imputation a chain.
        """
        shown = state.codes.double()
        for j, values in enumerate(self.values):
            if values is not None:
                shown[..., j] = values[state.codes[..., j].clamp_max(len(values) - 1)]
        return shown[:, ~self.observed]

    def weights(self, state: DiscreteState) -> None:
        """There are no linear weights.

        Args:
            state: State of all chains, side by side.
        """
        del state

    def _strides(
        self, graphs: Bool[Tensor, "c d d"]
    ) -> tuple[Int64[Tensor, "c d d"], Int64[Tensor, "c d"]]:
        """Number the cells of all parents of each node; ``[c, parent, node]``, and their count."""
        levels = torch.tensor(self.levels).view(1, -1, 1)
        factor = torch.where(graphs, levels, 1)
        through = factor.cumprod(1)
        return torch.where(graphs, through // factor, 0), through[:, -1]

    def _draw_log_theta(
        self,
        j: int,
        codes: Int64[Tensor, "c n d"],
        parent_cell: Int64[Tensor, "c n"],
        n_cells: Int64[Tensor, " c"],
        generator: torch.Generator,
    ) -> Float[Tensor, "c q r"]:
        """Log conditional probabilities of one variable, of every chain."""
        n_chains, r = len(codes), self.levels[j]
        most = int(n_cells.max())
        rows = self._acting[:, j]
        at = torch.arange(n_chains).unsqueeze(-1) * most + parent_cell[:, rows]
        counts = torch.bincount(
            (at * r + codes[:, rows, j]).flatten(), minlength=n_chains * most * r
        ).view(n_chains, most, r)
        prior = self.score.equivalent_sample_size / (n_cells.double() * r)
        shape = counts + prior.view(-1, 1, 1)
        # log Gamma(a) variates by way of Gamma(a + 1): tiny shapes would underflow.
        gamma = torch._standard_gamma(shape + 1.0, generator)  # pyright: ignore[reportPrivateImportUsage]
        uniform = torch.empty_like(shape).exponential_(generator=generator)
        log_gamma = gamma.log() - uniform / shape
        return log_gamma - log_gamma.logsumexp(-1, keepdim=True)


def _look_up(
    log_theta: Float[Tensor, "c q r"], cell: Int64[Tensor, "c ..."], level: Tensor
) -> Float[Tensor, "c ..."]:
    """Read the entry of each chain's parent cell and level."""
    n_chains, q, r = log_theta.shape
    chain = torch.arange(n_chains).view(-1, *[1] * (cell.ndim - 1))
    return log_theta.reshape(-1)[(chain * q + cell) * r + level]

"""Completion of a table under block BGe: many chains, each with its own imputation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.discovery.missing.block_scores import DenseBlockScores, prior_scale
from aetia.discovery.missing.candidates import (
    CandidateScores,
    choose_candidates,
    n_candidates_for,
)
from aetia.discovery.missing.cells import CellPlan
from aetia.discovery.missing.columns import Levels, Numbers, VariableColumns
from aetia.discovery.missing.mechanisms import column_graphs, draw_mechanisms
from aetia.discovery.missing.subset_lattice import MAX_DENSE
from aetia.graphs import Constraints

__all__ = ["GaussianCompletion", "GaussianState"]


class GaussianState(NamedTuple):
    """Completed tables of all chains, with the statistics that scores and parameters need."""

    rows: Float[Tensor, "c m w"]
    """Rows with missing cells, completed."""
    scale: Float[Tensor, "c g w w"]
    """Posterior scale matrices, one for each group of variables explained by the same rows."""
    mean: Float[Tensor, "c g w"]
    """Column means over the same rows."""
    structure: Float[Tensor, "c w w"] | None = None
    """Identity minus the weights behind the cells; None before any were drawn."""


class GaussianCompletion:
    """Scores of completed tables and draws of what is missing, for all chains at once.

    Args:
        columns: The table.
        alpha_mu: Rows that the prior mean is worth.
        alpha_w: Degrees of freedom of the Wishart prior; None takes the width plus 2.
        constraints: Knowledge over the variables, for the choice of candidate parents.

    Attributes:
        candidates: Possible parents of each variable; chosen by :meth:`begin` if not all others.
    """

    def __init__(
        self,
        columns: VariableColumns,
        *,
        alpha_mu: float,
        alpha_w: float | None = None,
        constraints: Constraints | None = None,
    ) -> None:
        self.columns = columns
        self.constraints = constraints
        d, width = len(columns.blocks), sum(columns.blocks)
        self.alpha_mu, self.alpha_w = alpha_mu, width + 2.0 if alpha_w is None else alpha_w
        self.plan = CellPlan(columns)
        if columns.intervened is None:
            explains = torch.ones(1, len(columns.values), dtype=torch.bool)
            self.group = torch.zeros(d, dtype=torch.int64)
        else:
            explains, self.group = (~columns.intervened.mT).unique(dim=0, return_inverse=True)
        complete = torch.ones(len(columns.values), dtype=torch.bool)
        complete[self.plan.rows] = False
        known = [columns.values[complete & rows] for rows in explains]
        self._known_sum = torch.stack([x.sum(0) for x in known])
        self._known_square = torch.stack([x.mT @ x for x in known])
        self._explains = explains[:, self.plan.rows]
        self.n_rows = explains.sum(1).double()
        self.candidates = torch.tensor([[i for i in range(d) if i != j] for j in range(d)])
        self.scores: DenseBlockScores | CandidateScores | None = None
        if d <= MAX_DENSE:
            self.scores = DenseBlockScores(
                columns.blocks,
                self.n_rows[self.group],
                self.group,
                alpha_mu=alpha_mu,
                alpha_w=self.alpha_w,
            )
        self._column_group = self.group[columns.node]
        self._ridge = torch.eye(width, dtype=torch.float64)
        self._ridge = self._ridge * prior_scale(alpha_mu, self.alpha_w, width)

    def begin(self, n_chains: int, generator: torch.Generator, n_steps: int = 5) -> GaussianState:
        """Make a different imputation for every chain.

        Every second chain begins from draws that keep all correlations (under the complete
        graph), the others from draws that keep none, so that chains which agree later have met.

        Args:
            n_chains: Number of chains.
            generator: Source of randomness.
            n_steps: Sweeps under the complete or the empty graph.

        Returns:
            The first state.
        """
        d = len(self.columns.blocks)
        ranks = torch.rand(n_chains, d, generator=generator).argsort(-1)
        graphs = ranks.unsqueeze(-1) < ranks.unsqueeze(-2)
        graphs[1::2] = False
        state = self._state(self.plan.begin(self.columns, n_chains, generator))
        for _ in range(n_steps):
            state = self.redraw(state, graphs, generator)
        if self.scores is None:
            self._choose_candidates(state)
        return state

    def tables(self, state: GaussianState) -> Float[Tensor, "d sets c"]:
        """Score every set of candidate parents of every variable.

        Args:
            state: State of all chains, side by side.

        Returns:
            Log scores, chains last.
        """
        assert self.scores is not None, "chains must begin before they are scored"
        return self.scores.tables(state.scale)

    def redraw(
        self, state: GaussianState, graphs: Bool[Tensor, "c d d"], generator: torch.Generator
    ) -> GaussianState:
        """Draw mechanisms given the graphs, then all missing cells given the mechanisms.

        Args:
            state: State of all chains, side by side.
            graphs: One for each chain.
            generator: Source of randomness.

        Returns:
            The next state.
        """
        mechanisms = draw_mechanisms(
            column_graphs(graphs, self.columns.blocks),
            state.scale,
            state.mean,
            self.n_rows[self._column_group],
            self._column_group,
            alpha_mu=self.alpha_mu,
            alpha_w=self.alpha_w,
            generator=generator,
        )
        rows = self.plan.redraw(state.rows, mechanisms, generator)
        return self._state(rows)._replace(structure=mechanisms.structure)

    def weights(self, state: GaussianState) -> Float[Tensor, "c d d"] | None:
        """Read the weights behind the last draw of the cells.

        Args:
            state: State of all chains, side by side.

        Returns:
            ``weights[c, i, j]`` in units of j per unit of i; None if a variable is a category or
            scored by its ranks.
        """
        variables = self.columns.variables
        scale = [v.scale for v in variables if isinstance(v, Numbers) and v.anchors is None]
        if state.structure is None or len(scale) < len(variables):
            return None
        units = torch.tensor(scale, dtype=torch.float64)
        weights = torch.eye(len(scale), dtype=torch.float64) - state.structure
        return weights * units / units.unsqueeze(-1)

    def _choose_candidates(self, state: GaussianState) -> None:
        """Score candidates on the imputations that kept all correlations, taken together."""
        d = len(self.columns.blocks)
        constraints = self.constraints
        if constraints is None:
            nothing = torch.zeros(d, d, dtype=torch.bool)
            constraints = Constraints(nothing, nothing, nothing.double())
        pooled = state.scale[::2].mean((0, 1))
        n_candidates = n_candidates_for(d, MAX_DENSE)
        self.candidates = choose_candidates(pooled, self.columns.blocks, constraints, n_candidates)
        self.scores = CandidateScores(
            self.columns.blocks,
            self.candidates,
            self.n_rows[self.group],
            self.group,
            alpha_mu=self.alpha_mu,
            alpha_w=self.alpha_w,
        )

    def cells(self, state: GaussianState) -> Float[Tensor, "c k"]:
        """Read the imputed cells in the user's units, in row-major order.

        Args:
            state: State of all chains, side by side.

        Returns:
            One imputation a chain; counts rounded to whole numbers, categories as their values.
        """
        columns = self.columns
        shown = torch.empty(
            len(state.rows), *columns.observed[self.plan.rows].shape, dtype=torch.float64
        )
        for j, (variable, place) in enumerate(zip(columns.variables, columns.places, strict=True)):
            block = state.rows[..., place]
            if isinstance(variable, Levels):
                shown[..., j] = variable.values[variable.nearest(block)]
            else:
                shown[..., j] = variable.shown(block[..., 0])
        order = self.plan.rows.argsort()
        missing = ~columns.observed[self.plan.rows[order]]
        return shown[:, order][:, missing]

    def _state(self, rows: Float[Tensor, "c m w"]) -> GaussianState:
        sums, squares = [], []
        for g, explains in enumerate(self._explains):
            part = rows if bool(explains.all()) else rows * explains.unsqueeze(-1)
            sums.append(part.sum(1) + self._known_sum[g])
            squares.append(part.mT @ part + self._known_square[g])
        n = self.n_rows.view(-1, 1)
        mean = torch.stack(sums, 1) / n.clamp_min(1.0)
        n = n.unsqueeze(-1)
        # Scatter about the mean plus the shrunk square of the mean, in one term.
        shift = n * n / (n + self.alpha_mu) * mean.unsqueeze(-1) * mean.unsqueeze(-2)
        return GaussianState(rows, torch.stack(squares, 1) - shift + self._ridge, mean)

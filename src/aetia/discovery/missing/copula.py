r"""The posterior over graphs of a Gaussian copula, latent values drawn along with the graph.

Every variable is a monotone function of a latent Gaussian one, and the graph is over the latent
variables. The latent value of a continuous cell is its normal score. That of a binary, ordered or
counted cell lies in an interval whose ends are the normal quantiles of the cumulative frequencies;
a category with r levels has r - 1 latent utilities relative to its first level, and the largest
decides (the first level where all are negative). Latent values are drawn given the graph and its
mechanisms, then the graph given all latent values: the sampler of missing cells
(:mod:`aetia.discovery.missing.augmentation`) with bounds. A missing cell has no bounds.

Latent values hold on to the graph that they were drawn under, so chains mix slowly, the more so
the more columns have few levels: read the agreement of the chains before the edges. Block BGe is
better at telling directions on most mixed tables, and this model is chosen by name only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.data import Dataset
from aetia.discovery.missing.augmentation import AugmentedPosterior, run_chains
from aetia.discovery.missing.block_scores import DenseBlockScores, prior_scale
from aetia.discovery.missing.mechanisms import DrawnMechanisms, column_graphs, draw_mechanisms
from aetia.discovery.missing.subset_lattice import MAX_DENSE
from aetia.discovery.missing.truncated_normal import truncated_normal
from aetia.errors import InputError
from aetia.graphs import Constraints
from aetia.likelihoods.column_bases import normal_scores

__all__ = [
    "CopulaCompletion",
    "CopulaState",
    "LatentColumn",
    "copula_posterior",
    "draw_latents",
    "latent_columns",
]


class LatentColumn(NamedTuple):
    """What is known of the latent values of one variable."""

    columns: slice
    """Its latent columns."""
    rows: Int64[Tensor, " m"]
    """Rows whose latent values are drawn."""
    lower: Float[Tensor, " m"]
    upper: Float[Tensor, " m"]
    """Bounds of these rows; infinite for categories, whose bounds move with the utilities."""
    level: Int64[Tensor, " m"] | None
    """Level of each row of a category, -1 where it is missing; None for other kinds."""
    scores: Float[Tensor, " r"]
    """Latent value at which each value of the user begins (or, if continuous, is)."""
    values: Float[Tensor, " r"]
    """Values in the user's units, ascending."""


class CopulaState(NamedTuple):
    """Latent values of all chains, with the statistics that scores and parameters need."""

    latent: Float[Tensor, "c n w"]
    scale: Float[Tensor, "c 1 w w"]
    mean: Float[Tensor, "c 1 w"]


def latent_columns(data: Dataset) -> tuple[Float[Tensor, "n w"], list[LatentColumn]]:
    """Find first latent values and their bounds.

    Args:
        data: The table, missing cells NaN.

    Returns:
        Latent values that agree with the table, and what is known of each variable.

    Raises:
        InputError: If a column has fewer than two different seen values.
    """
    parts: list[Tensor] = []
    columns = []
    at = 0
    for j, (name, kind) in enumerate(zip(data.names, data.kinds, strict=True)):
        x = torch.from_numpy(data.values[:, j]).double()
        seen = torch.from_numpy(data.observed[:, j])
        values, which, counts = x[seen].unique(return_inverse=True, return_counts=True)
        if len(values) < 2:
            raise InputError(
                f"column {name!r} has {int(seen.sum())} seen cells and no spread among them. "
                f"Leave it out with exclude=[{name!r}]."
            )
        if kind == "categorical" and len(values) > 2:
            # Utilities relative to the first level: that of the level seen is positive and the
            # largest, and all are negative where the first was seen.
            level = torch.full((data.n,), -1)
            level[seen] = which
            block = torch.full((data.n, len(values) - 1), -0.5, dtype=torch.float64)
            positive = level > 0
            block[positive, level[positive] - 1] = 0.5
            rows = torch.arange(data.n)
            bound = torch.full((data.n,), torch.inf, dtype=torch.float64)
            scores = torch.zeros(len(values), dtype=torch.float64)
            lower, upper = -bound, bound
        elif kind == "continuous":
            # Seen cells lie at the normal scores of their ranks and stay there; only cells that are
            # missing are drawn.
            block = torch.zeros(data.n, 1, dtype=torch.float64)
            score = normal_scores(x[seen].unsqueeze(1))
            block[seen] = score
            scores = torch.zeros(len(values), dtype=torch.float64)
            scores[which] = score[:, 0]
            rows, level = (~seen).nonzero().flatten(), None
            upper = torch.full((len(rows),), torch.inf, dtype=torch.float64)
            lower = -upper
        else:
            # A level is an interval between two normal quantiles of the cumulative shares. Seen
            # cells begin in the middle of theirs, the outer intervals cut off at a length of one,
            # and cannot leave it.
            share = counts.cumsum(0).double() / len(which)
            ends = torch.special.ndtri(share[:-1])
            infinite = torch.full((1,), torch.inf, dtype=torch.float64)
            scores = torch.cat([-infinite, ends])
            lower, upper = -infinite.expand(data.n).clone(), infinite.expand(data.n).clone()
            lower[seen], upper[seen] = scores[which], torch.cat([ends, infinite])[which]
            inner = torch.cat([ends[:1] - 1.0, ends, ends[-1:] + 1.0])
            block = torch.zeros(data.n, 1, dtype=torch.float64)
            block[seen, 0] = (0.5 * (inner[:-1] + inner[1:]))[which]
            rows, level = torch.arange(data.n), None
        where = slice(at, at + block.shape[1])
        columns.append(LatentColumn(where, rows, lower, upper, level, scores, values))
        parts.append(block)
        at += block.shape[1]
    return torch.cat(parts, dim=1), columns


def draw_latents(
    latent: Float[Tensor, "c n w"],
    columns: list[LatentColumn],
    mechanisms: DrawnMechanisms,
    generator: torch.Generator,
) -> Float[Tensor, "c n w"]:
    """Draw every latent value once, given all others and the mechanisms.

    Args:
        latent: Values that agree with the table; changed in place.
        columns: Bounds of each variable.
        mechanisms: Drawn mechanisms, one set for each chain.
        generator: Source of randomness.

    Returns:
        The new values.
    """
    weighted = mechanisms.structure / mechanisms.variance.unsqueeze(1)
    precision = weighted @ mechanisms.structure.mT
    linear = (weighted @ mechanisms.intercept.unsqueeze(-1))[..., 0]
    for variable in columns:
        rows = variable.rows
        if not len(rows):
            continue
        first = variable.columns.start
        for k in range(first, variable.columns.stop):
            own = precision[:, k, k].unsqueeze(1)
            z = latent[:, rows]
            cross = (z @ precision[:, :, k, None])[..., 0] - own * z[..., k]
            mean = (linear[:, k, None] - cross) / own
            lower, upper = variable.lower, variable.upper
            if variable.level is not None:
                lower, upper = _utility_bounds(z[..., variable.columns], variable.level, k - first)
            drawn = truncated_normal(mean, own.rsqrt(), lower, upper, generator)
            latent[:, rows, k] = drawn
    return latent


def _utility_bounds(
    utilities: Float[Tensor, "c m u"], level: Int64[Tensor, " m"], own: int
) -> tuple[Float[Tensor, "c m"], Float[Tensor, "c m"]]:
    """Bounds of one utility such that the largest, or none above zero, names the level."""
    infinity = torch.full_like(utilities[..., 0], torch.inf)
    others = utilities.clone()
    others[..., own] = 0.0  # the first level's utility, which the largest must exceed
    decides = level == own + 1
    lower = torch.where(decides, others.amax(-1), -infinity)
    index = (level - 1).clamp_min(0).expand(utilities.shape[:2]).unsqueeze(-1)
    largest = utilities.gather(-1, index)[..., 0]
    upper = torch.where(level > 0, largest, 0.0)
    return lower, torch.where(decides | (level < 0), infinity, upper)


class CopulaCompletion:
    """Scores of latent values and draws of them, for all chains at once.

    Args:
        data: The table, without interventions.
        alpha_mu: Rows that the prior mean is worth.

    Raises:
        InputError: If variables were set by intervention.
    """

    def __init__(self, data: Dataset, *, alpha_mu: float = 0.1) -> None:
        if data.intervened is not None and data.intervened.any():
            where = [data.names[j] for j in np.flatnonzero(data.intervened.any(axis=0))]
            raise InputError(
                f"the copula takes no interventions, but {', '.join(where)} were set in some "
                "rows. Use likelihood='block' for this table."
            )
        self.data = data
        self.first, self.columns = latent_columns(data)
        self.blocks = tuple(c.columns.stop - c.columns.start for c in self.columns)
        n, width = self.first.shape
        self.alpha_mu, self.alpha_w = alpha_mu, width + 2.0
        n_rows = torch.full((width,), float(n), dtype=torch.float64)
        self._n_rows, self._group = n_rows, torch.zeros(width, dtype=torch.int64)
        d = len(self.blocks)
        self.candidates = torch.tensor([[i for i in range(d) if i != j] for j in range(d)])
        self.scores = DenseBlockScores(
            self.blocks, n_rows[:d], self._group[:d], alpha_mu=alpha_mu, alpha_w=self.alpha_w
        )
        scale = prior_scale(alpha_mu, self.alpha_w, width)
        self._prior = scale * torch.eye(width, dtype=torch.float64)

    def begin(self, n_chains: int, generator: torch.Generator, n_steps: int = 5) -> CopulaState:
        """Draw different latent values for every chain.

        Every second chain begins from draws under a complete graph, the others from draws under
        the empty one, so that chains which agree later have met.

        Args:
            n_chains: Number of chains.
            generator: Source of randomness.
            n_steps: Sweeps under these graphs.

        Returns:
            The first state.
        """
        d = len(self.blocks)
        ranks = torch.rand(n_chains, d, generator=generator).argsort(-1)
        graphs = ranks.unsqueeze(-1) < ranks.unsqueeze(-2)
        graphs[1::2] = False
        state = self._state(self.first.expand(n_chains, -1, -1).clone())
        for _ in range(n_steps):
            state = self.redraw(state, graphs, generator)
        return state

    def tables(self, state: CopulaState) -> Float[Tensor, "d half c"]:
        """Score every parent set of every variable.

        Args:
            state: State of all chains, side by side.

        Returns:
            Log scores, chains last.
        """
        return self.scores.tables(state.scale)

    def redraw(
        self, state: CopulaState, graphs: Bool[Tensor, "c d d"], generator: torch.Generator
    ) -> CopulaState:
        """Draw mechanisms given the graphs, then all latent values given the mechanisms.

        Args:
            state: State of all chains, side by side.
            graphs: One for each chain.
            generator: Source of randomness.

        Returns:
            The next state.
        """
        mechanisms = draw_mechanisms(
            column_graphs(graphs, self.blocks),
            state.scale,
            state.mean,
            self._n_rows,
            self._group,
            alpha_mu=self.alpha_mu,
            alpha_w=self.alpha_w,
            generator=generator,
        )
        return self._state(draw_latents(state.latent, self.columns, mechanisms, generator))

    def cells(self, state: CopulaState) -> Float[Tensor, "c k"]:
        """Read the missing cells in the user's units, in row-major order.

        Args:
            state: State of all chains, side by side.

        Returns:
            One imputation a chain: continuous cells between seen values, others on seen values.
        """
        missing = torch.from_numpy(~self.data.observed)
        shown = torch.zeros(len(state.latent), *missing.shape, dtype=torch.float64)
        for j, variable in enumerate(self.columns):
            rows = missing[:, j].nonzero().flatten()
            z = state.latent[:, rows, variable.columns]
            if variable.level is not None:
                first = torch.zeros_like(z[..., :1])
                shown[:, rows, j] = variable.values[torch.cat([first, z], -1).argmax(-1)]
            elif self.data.kinds[j] == "continuous":
                drawn = np.interp(
                    z[..., 0].numpy(), variable.scores.numpy(), variable.values.numpy()
                )
                shown[:, rows, j] = torch.from_numpy(drawn)
            else:
                at = torch.searchsorted(variable.scores, z[..., 0].contiguous(), right=True)
                shown[:, rows, j] = variable.values[at - 1]
        return shown[:, missing]

    def weights(self, state: CopulaState) -> None:
        """Have none: weights of latent values have no meaning in the user's units.

        Args:
            state: State of all chains, side by side.
        """

    def _state(self, latent: Float[Tensor, "c n w"]) -> CopulaState:
        n = latent.shape[1]
        mean = latent.mean(1, keepdim=True)
        centred = latent - mean
        shift = n * self.alpha_mu / (n + self.alpha_mu) * mean.mT @ mean
        scale = centred.mT @ centred + shift + self._prior
        return CopulaState(latent, scale.unsqueeze(1), mean)


def copula_posterior(
    data: Dataset,
    count_terms: Float[Tensor, " d"],
    constraints: Constraints,
    *,
    alpha_mu: float = 0.1,
    n_chains: int = 16,
    n_sweeps: int = 400,
    max_sweeps: int = 1600,
    n_keep: int = 4000,
    n_imputations: int = 400,
    generator: torch.Generator,
) -> AugmentedPosterior:
    """Draw graphs, latent values and missing cells from their joint posterior.

    Args:
        data: The table, up to 12 columns, missing cells NaN.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Knowledge over the columns.
        alpha_mu: Rows that the prior mean is worth.
        n_chains: Chains side by side.
        n_sweeps: Sweeps of each chain, the first third of which is warm-up.
        max_sweeps: While chains disagree, sweeps are doubled up to this many.
        n_keep: Graphs that are kept.
        n_imputations: Imputations that are kept.
        generator: Source of randomness.

    Returns:
        The draws; a ``ConvergenceWarning`` names the worst edges if the chains disagree.

    Raises:
        InputError: If there are more columns than this can handle, or interventions.
    """
    if data.d > MAX_DENSE:
        raise InputError(
            f"the copula draws latent values together with the graph for up to {MAX_DENSE} "
            f"columns; this table has {data.d}. Choose columns, or use likelihood='block'."
        )
    return run_chains(
        CopulaCompletion(data, alpha_mu=alpha_mu),
        data,
        count_terms,
        constraints,
        n_chains=n_chains,
        n_sweeps=n_sweeps,
        max_sweeps=max_sweeps,
        n_keep=n_keep,
        n_imputations=n_imputations,
        generator=generator,
    )

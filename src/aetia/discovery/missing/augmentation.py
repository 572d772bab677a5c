r"""The posterior over graphs of a table with missing cells, by data augmentation.

Each sweep of each chain (i) scores all parent sets of the completed table, (ii) draws an order and
a graph from it exactly and accepts them with probability :math:`\min(1, L(G) / L(G'))`, L the
number of orders that agree with a graph, which turns the draw (proportional to
:math:`p(G) L(G)`) into one from :math:`p(G)`; (iii) draws the mechanisms given the graph and (iv)
all missing cells given the mechanisms. This is a Gibbs sampler of the joint posterior of graph,
parameters and missing cells, not impute-then-discover: imputations know the graph, and the graph
knows how uncertain they are.

Assumption: cells are *missing at random*, that is, whether a cell is missing may depend on what
was seen, not on its own value or on other unseen ones. Values that are missing because of what they
are (a sensor that saturates, incomes that nobody states) are out of reach of this and of every
other method without a model of why they are missing: the answer is then biased, and no diagnostic
here can show it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from aetia.data import Dataset
from aetia.diagnostics.indicators import IndicatorAgreement, indicator_agreement
from aetia.discovery.missing.columns import VariableColumns, gaussian_columns
from aetia.discovery.missing.discrete import DiscreteCompletion
from aetia.discovery.missing.gaussian import GaussianCompletion
from aetia.discovery.missing.graph_steps import graph_steps
from aetia.discovery.missing.subset_lattice import MAX_DENSE
from aetia.errors import ConvergenceWarning, InputError
from aetia.graphs import Constraints
from aetia.results import Draws

__all__ = ["AugmentedPosterior", "Completion", "augment", "run_chains"]

State = TypeVar("State")

MAX_VARIABLES = 25
"""Up to this many columns a table with missing cells is accepted."""


@runtime_checkable
class Completion(Protocol[State]):
    """Completed tables of many chains; a model of the data plugs in by these methods."""

    candidates: Int64[Tensor, "d k"]
    """Possible parents of each variable; known once the chains have begun."""

    def begin(self, n_chains: int, generator: torch.Generator) -> State:
        """Make a different imputation for every chain."""
        ...

    def tables(self, state: State) -> Float[Tensor, "d sets c"]:
        """Score every set of candidates of every variable on the completed tables."""
        ...

    def redraw(
        self, state: State, graphs: Bool[Tensor, "c d d"], generator: torch.Generator
    ) -> State:
        """Draw what is missing given the graphs."""
        ...

    def cells(self, state: State) -> Float[Tensor, "c k"]:
        """Read the imputed cells in the user's units, in row-major order."""
        ...

    def weights(self, state: State) -> Float[Tensor, "c d d"] | None:
        """Read the linear weights behind the last draw, in the user's units, if there are any."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class AugmentedPosterior:
    """Draws of graph and missing cells, and whether the chains agree.

    Attributes:
        graphs: Kept DAGs of all chains, equally weighted.
        chain: Chain of each kept DAG.
        log_joint: Log score of each kept DAG on its completed table, up to a constant.
        weights: Linear weights drawn with each kept DAG, in units of j per unit of i; None unless
            every variable is a number on a linear scale.
        imputed: Draws of the missing cells; None if nothing is missing.
        agreement: How far the chains agree, edge by edge, on all draws after the warm-up.
        converged: Whether they agree well enough to report.
        names: Column names.
        diagnostics: Plain facts: sweeps, acceptance, share missing, R-hat, worst edges, speed.
    """

    graphs: Bool[np.ndarray, "s d d"]
    chain: Int[np.ndarray, " s"]
    log_joint: Float[np.ndarray, " s"]
    weights: Float[np.ndarray, "s d d"] | None
    imputed: Draws | None
    agreement: IndicatorAgreement
    converged: bool
    names: tuple[str, ...]
    diagnostics: dict[str, Any]

    @property
    def edge_probabilities(self) -> Float[np.ndarray, "d d"]:
        """Probability of every edge, over all draws after the warm-up."""
        return self.agreement.probability

    def worst_edges(self, n: int = 5) -> list[tuple[str, str, float]]:
        """List the edges about which the chains disagree most.

        Args:
            n: How many.

        Returns:
            Source, target and R-hat, the largest first; settled edges are left out.
        """
        rhat, error = self.agreement.rhat, self.agreement.standard_error
        order = np.lexsort((-error.ravel(), -rhat.ravel()))[:n]
        pairs = [np.unravel_index(k, rhat.shape) for k in order]
        return [
            (self.names[i], self.names[j], float(rhat[i, j])) for i, j in pairs if rhat[i, j] > 1
        ]


def augment(
    data: Dataset,
    count_terms: Float[Tensor, " d"],
    constraints: Constraints,
    *,
    columns: VariableColumns | None = None,
    alpha_mu: float = 0.1,
    equivalent_sample_size: float | None = None,
    n_chains: int = 16,
    n_sweeps: int = 400,
    max_sweeps: int = 1600,
    n_keep: int = 4000,
    n_imputations: int = 400,
    generator: torch.Generator,
) -> AugmentedPosterior:
    """Draw graphs and missing cells from their joint posterior under block BGe, or BDeu.

    Continuous columns, counts and ordered codes are Gaussian given the rest (counts are rounded
    for display only); categories and binary columns are drawn over the levels that were seen.
    Cells must be missing at random (see the module).

    Args:
        data: The table, missing cells NaN. Up to 12 columns all parent sets are scored and graphs
            are drawn exactly; up to 25, orders are moved over 10 candidate parents of each column.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Knowledge over the columns.
        columns: The table in blocks of the caller's own (such as splines); None standardises
            numbers and writes categories as indicators.
        alpha_mu: Rows that the prior mean is worth.
        equivalent_sample_size: Scores tables of binary and categorical columns by BDeu with this
            prior instead; None scores by block BGe.
        n_chains: Chains side by side, each from an imputation of its own.
        n_sweeps: Sweeps of each chain, the first third of which is warm-up.
        max_sweeps: While chains disagree, sweeps are doubled up to this many.
        n_keep: Graphs that are kept, evenly over chains and sweeps.
        n_imputations: Imputations that are kept.
        generator: Source of randomness.

    Returns:
        The draws; a ``ConvergenceWarning`` names the worst edges if the chains disagree.

    Raises:
        InputError: If there are more columns than this can handle.
    """
    if data.d > MAX_VARIABLES:
        raise InputError(
            "missing cells can be drawn together with the graph for up to "
            f"{MAX_VARIABLES} columns; this table has {data.d}. Choose columns, or complete the "
            "table first."
        )
    model: Completion[Any]
    if equivalent_sample_size is None:
        model = GaussianCompletion(
            gaussian_columns(data) if columns is None else columns,
            alpha_mu=alpha_mu,
            constraints=constraints,
        )
    elif data.d > MAX_DENSE:
        raise InputError(
            f"BDeu with missing cells takes up to {MAX_DENSE} columns, this table has {data.d}. "
            "Use likelihood='block', or choose columns."
        )
    else:
        model = DiscreteCompletion(data, equivalent_sample_size=equivalent_sample_size)
    return run_chains(
        model,
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


def run_chains(
    model: Completion[Any],
    data: Dataset,
    count_terms: Float[Tensor, " d"],
    constraints: Constraints,
    *,
    n_chains: int,
    n_sweeps: int,
    max_sweeps: int,
    n_keep: int,
    n_imputations: int,
    generator: torch.Generator,
) -> AugmentedPosterior:
    """Run the chains of any completion model until they agree or sweeps run out.

    Args:
        model: How completed tables are scored and cells are drawn.
        data: The table.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Knowledge over the columns.
        n_chains: Chains side by side, each from an imputation of its own.
        n_sweeps: Sweeps of each chain, the first third of which is warm-up.
        max_sweeps: While chains disagree, sweeps are doubled up to this many.
        n_keep: Graphs that are kept, evenly over chains and sweeps.
        n_imputations: Imputations that are kept.
        generator: Source of randomness.

    Returns:
        The draws.
    """
    started = time.perf_counter()
    trace = _Trace(n_chains)
    state = model.begin(n_chains, generator)
    step = graph_steps(model.candidates, count_terms, constraints, n_chains)
    target, every = n_sweeps, max(1, n_sweeps * n_chains // (3 * max(n_keep, n_imputations)))
    while True:
        while len(trace.graphs) < target:
            sweep = len(trace.graphs)
            # The first sweeps accept everything: a dense graph has few orders, and a corrected
            # chain that begins in one would hardly ever leave it.
            found = step(model.tables(state), generator, corrected=sweep >= n_sweeps // 6)
            state = model.redraw(state, found.graphs, generator)
            trace.graphs.append(found.graphs)
            trace.scores.append(found.log_score)
            trace.accepted.append(found.accepted)
            if sweep % every == 0:
                trace.weights[sweep] = model.weights(state)
                trace.cells[sweep] = model.cells(state)
        agreement = trace.agreement(target // 3)
        converged = agreement.agrees()
        if converged or target >= max_sweeps:
            break
        target = min(2 * target, max_sweeps)
    seconds = time.perf_counter() - started
    return _posterior(trace, data, agreement, converged, n_keep, n_imputations, seconds)


class _Trace:
    """What is remembered of every sweep, and of every few sweeps."""

    def __init__(self, n_chains: int) -> None:
        self.n_chains = n_chains
        self.graphs: list[Tensor] = []
        self.scores: list[Tensor] = []
        self.accepted: list[Tensor] = []
        self.cells: dict[int, Tensor] = {}
        self.weights: dict[int, Tensor | None] = {}

    def agreement(self, warm_up: int) -> IndicatorAgreement:
        return indicator_agreement(torch.stack(self.graphs[warm_up:], 1).numpy())


def _posterior(
    trace: _Trace,
    data: Dataset,
    agreement: IndicatorAgreement,
    converged: bool,
    n_keep: int,
    n_imputations: int,
    seconds: float,
) -> AugmentedPosterior:
    """Thin the chains, wrap the imputations and say how it went."""
    n_sweeps, n_chains = len(trace.graphs), trace.n_chains
    warm_up = n_sweeps // 3
    recorded = [k for k in sorted(trace.cells) if k >= warm_up] or [max(trace.cells)]
    # Graphs of recorded sweeps only, so that every graph has the weights and cells of its sweep.
    kept = _spread(recorded, max(1, n_keep // n_chains))
    accepted = torch.stack(trace.accepted[warm_up:]).double().mean()
    open_ones = agreement.rhat[agreement.rhat != 1.0]
    diagnostics = {
        "n_chains": n_chains,
        "n_sweeps": n_sweeps,
        "n_warmup": warm_up,
        "share_missing": float((~data.observed).mean()),
        "acceptance": float(accepted),
        "rhat_max": float(open_ones.max(initial=1.0)),
        "share_rhat_below_1.1": agreement.share_below(1.1),
        "edge_standard_error_max": float(agreement.standard_error.max()),
        "between_chain_sd_max": float(agreement.between_chain_sd.max()),
        "sweeps_per_second": n_sweeps * n_chains / seconds,
        "seconds": seconds,
        "converged": converged,
    }
    imputed = None
    if data.has_missing:
        # Cells take far more memory than graphs, so fewer draws of them are kept.
        late = _spread(recorded, max(1, n_imputations // n_chains))
        cells = torch.cat([trace.cells[k] for k in late]).numpy()
        imputed = Draws.of_cells(
            np.where(data.observed, data.values, np.nan),
            cells,
            names=data.names,
            levels=dict(data.levels),
            diagnostics=diagnostics,
        )
    weights = [w for k in kept if (w := trace.weights[k]) is not None]
    found = AugmentedPosterior(
        graphs=torch.cat([trace.graphs[k] for k in kept]).numpy(),
        chain=np.tile(np.arange(n_chains), len(kept)),
        log_joint=torch.cat([trace.scores[k] for k in kept]).numpy(),
        weights=torch.cat(weights).numpy() if weights else None,
        imputed=imputed,
        agreement=agreement,
        converged=converged,
        names=data.names,
        diagnostics=diagnostics,
    )
    if not converged:
        worst = found.worst_edges()
        diagnostics["worst_edges"] = worst
        shown = ", ".join(f"{a} -> {b} (R-hat {rhat:.2f})" for a, b, rhat in worst)
        warnings.warn(
            f"chains over graphs and missing cells disagree after {n_sweeps} sweeps of {n_chains} "
            f"chains ({diagnostics['share_missing']:.0%} of the cells are missing). Worst edges: "
            f"{shown}. Do not rely on these; leave out columns with many missing cells.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return found


def _spread(values: Sequence[int], n: int) -> list[int]:
    """Take n values evenly, the last among them."""
    if len(values) <= n:
        return list(values)
    at = np.linspace(len(values) / n, len(values), n).round().astype(int) - 1
    return [values[k] for k in at]

"""Graphs from the structure prior and tables from a likelihood's own prior, for calibration.

Simulation-based calibration (Talts et al., 2018) needs draws from exactly the model that a score
integrates. Each class of models here draws one variable after another, in topological order, from
the prior of its mechanism given the columns of its parents. Scores that transform the response by
its ranks (``normal-scores``, ``rank-basis``) and qNML are not densities of a table and have no such
model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch

from aetia.data import Dataset
from aetia.discovery.candidate_parents import all_others
from aetia.discovery.exact.enumeration import enumerate_posterior
from aetia.discovery.exact.weighted_draws import draw_until
from aetia.discovery.score_tables import score_tables
from aetia.graphs import Constraints, SparseEdgeRate, order_programme, transitive_closure
from aetia.likelihoods import (
    Additive,
    BDeu,
    BGe,
    BlockBGe,
    ConditionalGaussian,
    LinearGaussian,
    Moments,
)
from aetia.likelihoods.block_bge import BlockScores
from aetia.likelihoods.column_bases import spline_columns
from aetia.likelihoods.column_blocks import ColumnBlocks

N_EFFECTS = 99
"""Posterior draws of a total effect; with the true one they have 100 ranks."""


class Table(NamedTuple):
    """One simulated table."""

    data: Dataset
    weights: np.ndarray | None
    """Weights of the linear mechanisms, where there are any."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A likelihood with a simulator of its prior.

    ``draw(graph, rng, n, mask)`` gives the values, and the weights or None.
    """

    likelihood: Any
    draw: Callable[..., tuple[np.ndarray, np.ndarray | None]]
    kinds: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    edges: tuple[tuple[int, int], ...] = ((0, 1), (1, 2))
    path: tuple[int, int] = (0, -1)
    allowed: Callable[[np.ndarray], bool] = lambda graph: True
    share_set: float = 0.0
    """Share of the cells that are set by intervention."""

    def graphs(self, n: int, d: int, seed: int) -> np.ndarray:
        """Draw from the sparse prior, cut to the graphs that the likelihood can score."""
        generator, out = torch.Generator().manual_seed(seed), []
        while len(out) < n:
            drawn = SparseEdgeRate().sample(n, d, generator).numpy()
            out.extend(graph for graph in drawn if self.allowed(graph))
        return np.stack(out[:n])

    def table(self, graph: np.ndarray, rng: np.random.Generator, n: int) -> Table:
        d = len(graph)
        mask = rng.random((n, d)) < self.share_set
        values, weights = self.draw(graph, rng, n, mask)
        names = tuple(f"x{j}" for j in range(d))
        kinds = self.kinds or ("continuous",) * d
        width = values.shape[1]
        levels = {
            name: tuple(map(str, range(r)))
            for name, kind, r in zip(names, kinds, self.levels or (0,) * d, strict=True)
            if kind == "categorical"
        }
        data = Dataset(
            values=values,
            names=names if width == d else tuple(f"c{k}" for k in range(width)),
            observed=np.ones_like(values, dtype=bool),
            intervened=mask if self.share_set else None,
            kinds=kinds if width == d else ("continuous",) * width,
            levels=levels,
        )
        return Table(data, weights)


# -- simulators -------------------------------------------------------------------------------


def topological_order(graph: np.ndarray) -> np.ndarray:
    ancestors = transitive_closure(torch.from_numpy(graph)).sum(0).numpy()
    return np.argsort(ancestors, kind="stable")


def gaussian_regression(
    parents: np.ndarray,
    rng: np.random.Generator,
    *,
    df: float,
    rate: float,
    weight_precision: float,
    offset_precision: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Response and weights: v ~ InvGamma(df / 2, rate / 2), weights ~ N(0, v / precision)."""
    n, l = parents.shape
    v = rate / rng.chisquare(df)
    weights = np.sqrt(v / weight_precision) * rng.normal(size=l)
    offset = np.sqrt(v / offset_precision) * rng.normal()
    return offset + parents @ weights + np.sqrt(v) * rng.normal(size=n), weights


def bge_draw(alpha_mu: float) -> Callable[..., Any]:
    """The normal-Wishart prior of BGe, cut to a variable and its l parents.

    With covariance ~ inverse Wishart(d + 2, t I), that of l + 1 variables has l + 3 degrees of
    freedom, the residual variance v of one given the others is inverse gamma with (l + 3) / 2 and
    t / 2, the weights are N(0, v / t I), the offset is N(0, v / alpha_mu).
    """
    t = alpha_mu / (alpha_mu + 1)

    def draw(graph, rng, n, mask):
        x, weights = np.zeros((n, len(graph))), np.zeros(graph.shape)
        for j in topological_order(graph):
            parents = np.flatnonzero(graph[:, j])
            response, weights[parents, j] = gaussian_regression(
                x[:, parents], rng, df=len(parents) + 3, rate=t, weight_precision=t,
                offset_precision=alpha_mu,
            )  # fmt: skip
            x[:, j] = np.where(mask[:, j], 2.0 * rng.normal(size=n), response)
        return x, weights

    return draw


def linear_draw(options: LinearGaussian) -> Callable[..., Any]:
    """Independent normal weights without an offset; one fixed variance or inverse gamma ones."""

    def draw(graph, rng, n, mask):
        x, weights = np.zeros((n, len(graph))), np.zeros(graph.shape)
        for j in topological_order(graph):
            parents = np.flatnonzero(graph[:, j])
            if options.noise_variance == "learned":
                v = options.noise_rate / rng.gamma(options.noise_shape)
                unit = v
            else:
                v, unit = float(options.noise_variance), 1.0
            scale = options.theta_prior_scale * np.sqrt(unit)
            weights[parents, j] = scale * rng.normal(size=len(parents))
            response = x[:, parents] @ weights[parents, j] + np.sqrt(v) * rng.normal(size=n)
            x[:, j] = np.where(mask[:, j], 2.0 * rng.normal(size=n), response)
        return x, weights

    return draw


def additive_draw(options: Additive) -> Callable[..., Any]:
    """BGe or Zellner's g-prior on splines, a fair coin for each variable.

    The spline part compares directions of the centred response only, relative to the empty set,
    so that mean and length of the response are those of the BGe part without parents.
    """
    t = options.alpha_mu / (options.alpha_mu + 1)
    as_bge = {"rate": t, "weight_precision": t, "offset_precision": options.alpha_mu}

    def draw(graph, rng, n, mask):
        x = np.zeros((n, len(graph)))
        for j in topological_order(graph):
            parents = np.flatnonzero(graph[:, j])
            if not len(parents) or rng.random() < 0.5:
                x[:, j], _ = gaussian_regression(x[:, parents], rng, df=len(parents) + 3, **as_bge)
                continue
            alone, _ = gaussian_regression(np.zeros((n, 0)), rng, df=3.0, **as_bge)
            splines = [
                spline_columns(torch.from_numpy(x[:, i]), options.n_columns).numpy()
                for i in parents
            ]
            basis, _ = np.linalg.qr(np.concatenate(splines, axis=1))
            response = np.sqrt(n) * basis @ rng.normal(size=basis.shape[1]) + rng.normal(size=n)
            response = response - response.mean()
            length = np.linalg.norm(alone - alone.mean())
            x[:, j] = alone.mean() + length * response / np.linalg.norm(response)
        return x, None

    return draw


def cells_of(x: np.ndarray, parents: np.ndarray, levels: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """Number the combinations of levels of the parents."""
    cells, q = np.zeros(len(x), dtype=int), 1
    for i in parents:
        cells, q = cells * levels[i] + x[:, i].astype(int), q * levels[i]
    return cells, q


def dirichlet_response(
    cells: np.ndarray, q: int, r: int, ess: float, rng: np.random.Generator
) -> np.ndarray:
    tables = rng.dirichlet(np.full(r, ess / (q * r)), size=q)
    tables = np.nan_to_num(tables, nan=1.0 / r)  # all gamma draws underflowed
    ends = tables.cumsum(1)[cells]
    return np.minimum((rng.random((len(cells), 1)) > ends).sum(1), r - 1).astype(float)


def bdeu_draw(ess: float, levels: tuple[int, ...]) -> Callable[..., Any]:
    """Dirichlet tables of every combination of the parents' levels."""

    def draw(graph, rng, n, mask):
        x = np.zeros((n, len(graph)))
        for j in topological_order(graph):
            cells, q = cells_of(x, np.flatnonzero(graph[:, j]), levels)
            response = dirichlet_response(cells, q, levels[j], ess, rng)
            x[:, j] = np.where(mask[:, j], rng.integers(levels[j], size=n), response)
        return x, None

    return draw


def conditional_gaussian_draw(
    options: ConditionalGaussian, levels: tuple[int, ...]
) -> Callable[..., Any]:
    """A conjugate regression in every cell of the discrete parents; level 0 means a number."""

    def draw(graph, rng, n, mask):
        x = np.zeros((n, len(graph)))
        for j in topological_order(graph):
            parents = np.flatnonzero(graph[:, j])
            discrete = np.array([i for i in parents if levels[i]], dtype=int)
            cells, q = cells_of(x, discrete, levels)
            if levels[j]:
                x[:, j] = dirichlet_response(
                    cells, q, levels[j], options.equivalent_sample_size, rng
                )
                continue
            numeric = [i for i in parents if not levels[i]]
            for cell in range(q):
                rows = cells == cell
                x[rows, j], _ = gaussian_regression(
                    x[rows][:, numeric], rng, df=options.prior_df,
                    rate=options.prior_df * options.prior_variance,
                    weight_precision=options.prior_precision,
                    offset_precision=options.prior_precision,
                )  # fmt: skip
        return x, None

    return draw


class GaussianBlocks:
    """Block BGe of given columns: the columns of a table are the blocks of its variables."""

    name = "block"

    def __init__(self, sizes: tuple[int, ...], options: BlockBGe) -> None:
        self.sizes, self.options = sizes, options

    def local_scores(self, data: Dataset) -> BlockScores:
        blocks = ColumnBlocks(torch.from_numpy(data.values), self.sizes, ())
        return BlockScores(self.options, blocks)

    def draw(self, graph, rng, n, mask):
        """Parents of a column: the blocks of the parents and the columns before it in its own."""
        alpha_mu, ends = self.options.alpha_mu, np.cumsum(self.sizes)
        t = alpha_mu / (alpha_mu + 1)
        x = np.zeros((n, ends[-1]))
        for j in topological_order(graph):
            before = [
                k for i in np.flatnonzero(graph[:, j])
                for k in range(ends[i] - self.sizes[i], ends[i])
            ]  # fmt: skip
            for column in range(ends[j] - self.sizes[j], ends[j]):
                x[:, column], _ = gaussian_regression(
                    x[:, before], rng, df=len(before) + 3, rate=t, weight_precision=t,
                    offset_precision=alpha_mu,
                )  # fmt: skip
                before.append(column)
        return x, None


# -- models -----------------------------------------------------------------------------------

_FIXED = LinearGaussian(noise_variance=0.5, theta_prior_scale=1.2)
_LEARNED = LinearGaussian(noise_variance="learned", theta_prior_scale=1.2, noise_rate=0.7)
_MIXED = (0, 2, 0, 3, 0)


def models(d: int) -> dict[str, Model]:
    """All models of d variables; conditional Gaussian and blocks have five."""
    levels = tuple(2 + j % 2 for j in range(d))
    out = {
        "bge": Model(likelihood=BGe(), draw=bge_draw(0.1)),
        "bge, interventions": Model(likelihood=BGe(), draw=bge_draw(0.1), share_set=0.3),
        "linear": Model(likelihood=_FIXED, draw=linear_draw(_FIXED)),
        "linear, interventions": Model(
            likelihood=_FIXED, draw=linear_draw(_FIXED), share_set=0.3
        ),
        "linear, learned noise": Model(likelihood=_LEARNED, draw=linear_draw(_LEARNED)),
        "additive": Model(
            likelihood=Additive(max_parents=d - 1), draw=additive_draw(Additive())
        ),
        "bdeu": Model(
            likelihood=BDeu(equivalent_sample_size=4.0), draw=bdeu_draw(4.0, levels),
            kinds=("categorical",) * d, levels=levels,
        ),
    }  # fmt: skip
    if d != 5:
        return out
    blocks = GaussianBlocks((1, 2, 1, 3, 2), BlockBGe())
    mixed = ConditionalGaussian()
    numbers = [j for j in range(d) if not _MIXED[j]]
    coded = [j for j in range(d) if _MIXED[j]]
    return out | {
        "block bge": Model(likelihood=blocks, draw=blocks.draw),
        "conditional gaussian": Model(
            likelihood=mixed, draw=conditional_gaussian_draw(mixed, _MIXED), levels=_MIXED,
            kinds=tuple("categorical" if r else "continuous" for r in _MIXED),
            edges=((1, 0), (0, 2)), path=(1, 4),
            allowed=lambda graph: not graph[np.ix_(numbers, coded)].any(),
        ),
    }  # fmt: skip


# -- ranks ------------------------------------------------------------------------------------


Tilt: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""Adds to the log weights of graphs, to see whether a wrong posterior is noticed."""


def posterior_graphs(
    model: Model, data: Dataset, d: int, generator: torch.Generator, tilt: Tilt | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """All graphs (up to five variables) or weighted draws, under the sparse prior."""
    none = torch.zeros(d, d, dtype=torch.bool)
    free = Constraints(none, torch.eye(d, dtype=torch.bool), torch.zeros(d, d).double())
    scores = model.likelihood.local_scores(data)
    tables = score_tables(scores, all_others(d), d - 1, SparseEdgeRate(), free)
    if d <= 5:
        graphs, log_weights = enumerate_posterior(tables.tables, tables.candidates)
    else:
        programme = order_programme(tables.tables, tables.candidates)
        draws = draw_until(programme, min_ess=500.0, max_draws=50_000, generator=generator)
        graphs, log_weights = draws.graphs, draws.log_weights
    if tilt is not None:
        log_weights = log_weights + tilt(graphs)
    return graphs.numpy(), log_weights.softmax(0).numpy()


def statistics(model: Model, graphs: np.ndarray) -> dict[str, np.ndarray]:
    """Edge count, edge indicators and one ancestor indicator of each graph."""
    source, target = model.path
    reach = transitive_closure(torch.from_numpy(graphs)).numpy()
    out = {"edges": graphs.sum((1, 2)), "path": reach[:, source, target].astype(int)}
    return out | {f"{i}->{j}": graphs[:, i, j].astype(int) for i, j in model.edges}


def ranks(
    model: Model, graph: np.ndarray, rng: np.random.Generator, n: int, tilt: Tilt | None = None
) -> dict[str, float]:
    """Probability integral transforms of the truth, uniform when calibrated.

    Ties are broken at random: P(statistic < truth) + U P(statistic = truth).
    """
    d = len(graph)
    table = model.table(graph, rng, n)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    graphs, weights = posterior_graphs(model, table.data, d, generator, tilt)
    truths = statistics(model, graph[None])
    out = {
        name: below_and_ties(values, weights, truths[name][0], rng)
        for name, values in statistics(model, graphs).items()
    }
    if table.weights is None:
        return out
    source, target = model.path
    chosen = torch.from_numpy(graphs[rng.choice(len(graphs), N_EFFECTS, p=weights)])
    mask = table.data.intervened
    moments = Moments.of(
        torch.from_numpy(table.data.values), None if mask is None else torch.from_numpy(mask)
    )
    drawn = model.likelihood.weight_posterior(chosen, moments).sample(generator).numpy()
    eye = np.eye(d)
    effects = np.linalg.inv(eye - drawn)[:, source, target]
    truth = np.linalg.inv(eye - table.weights)[source, target]
    same = np.isclose(effects, truth, rtol=0, atol=1e-12).sum()
    below = (effects < truth - 1e-12).sum()
    # The truth and the draws are exchangeable: a rank among 100, spread over its bin.
    out["effect"] = float((below + rng.random() * (same + 1)) / (N_EFFECTS + 1))
    return out


def below_and_ties(
    values: np.ndarray, weights: np.ndarray, truth: float, rng: np.random.Generator
) -> float:
    below, at = weights[values < truth].sum(), weights[values == truth].sum()
    return float(np.clip(below + rng.random() * at, 0.0, 1.0))

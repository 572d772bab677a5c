"""Tables with known graphs for the comparison of graph posteriors: numbers, codes, and both.

A cell such as ``gp/d20/n1000/e2`` is a kind of mechanism, columns, rows and edges a column; a
table is a cell with a seed. Tables of numbers are standardised. The kinds:

- ``linear``: weights N(0, 10^2) of standardised parents, noise of standard deviation
  Gamma(2.5, rate .4), as in the BCNP paper; ``strong``: weights of size .5 to 2 on raw parents,
  noise variance .1, as in the DiBS paper;
- ``gp``, ``sigmoid``, ``quadratic``: effects that add up, noise that does not depend on parents;
- ``hetero``: linear, noise that grows with the first parent; ``neural``: noise enters a network;
  ``gpcde``: nearly white functions and noise of random size, as in the BCNP paper;
- ``binary``: random conditional tables, at most four parents;
- ``glm``, ``latent``: four numbers, two binary, two ordinal and two nominal columns, with
  regressions on what is observed, and with thresholds of a linear model that is not.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from aetia.scm import Simulation, simulate
from likelihood_choice import effect, network, random_graph, rough, standardised

CONTINUOUS = ("linear", "strong", "gp", "sigmoid", "quadratic", "hetero", "neural", "gpcde")
MIXED = ("glm", "latent")
MOST_PARENTS = 4
LEVELS = {"binary": 2, "ordinal": 4, "nominal3": 3, "nominal5": 5}
MIXED_COLUMNS = ("number",) * 4 + ("binary",) * 2 + ("ordinal",) * 2 + ("nominal3", "nominal5")


@dataclass(frozen=True)
class Cell:
    """One setting of the comparison."""

    kind: str
    d: int
    n: int
    density: float
    """Edges over columns."""

    @property
    def name(self) -> str:
        return f"{self.kind}/d{self.d}/n{self.n}/e{self.density:g}"

    @property
    def n_edges(self) -> int:
        return round(self.d * self.density)


class GraphTable(NamedTuple):
    """A table as a user has it, the same as numbers for methods that take nothing else."""

    frame: pd.DataFrame
    numbers: np.ndarray
    discrete: bool
    truth: np.ndarray


def cells() -> list[Cell]:
    """List the settings, cheap and informative ones first."""
    out = []
    for d in (10, 20, 50):
        for n in (100, 1000):
            out += [Cell("strong", d, n, 2)]
            for kind in ("linear", "gp", "sigmoid", "quadratic"):
                out += [Cell(kind, d, n, density) for density in (1, 2)]
            out += [Cell(kind, d, n, 1) for kind in ("hetero", "neural")]
    out += [Cell(kind, 10, n, 1.5) for kind in MIXED for n in (500, 2000)]
    out += [Cell("binary", d, n, 1.25) for d in (8, 20, 37) for n in (100, 1000)]
    published = [Cell(kind, 20, 1000, e) for kind in ("neural", "gpcde") for e in (1, 2, 3)]
    return out + [c for c in [*published, Cell("linear", 20, 1000, 3)] if c not in out]


def table(cell: Cell, seed: int) -> GraphTable:
    """Draw a graph and a table.

    Args:
        cell: The setting.
        seed: Of graph, mechanisms and rows; settings have streams of their own.

    Returns:
        The table with its graph.
    """
    rng = np.random.default_rng([seed, zlib.crc32(cell.name.encode())])
    if cell.kind == "strong":
        options = Simulation(d=cell.d, n=cell.n, edges_per_node=cell.density, noise_variance=0.1)
        drawn = simulate(options, rng).data
        return _of_numbers(standardised(drawn.data.values), drawn.truth.graph)
    if cell.kind == "binary":
        return _binary(cell, rng)
    if cell.kind in MIXED:
        return _mixed(cell, rng)
    return _continuous(cell, rng)


def _of_numbers(x: np.ndarray, truth: np.ndarray) -> GraphTable:
    return GraphTable(pd.DataFrame(x).add_prefix("x"), x, False, np.asarray(truth, bool))


def _continuous(cell: Cell, rng: np.random.Generator) -> GraphTable:
    graph, order = random_graph(cell.d, cell.n_edges, rng)
    x = np.zeros((cell.n, cell.d))
    for v in order:
        has_parents = graph[:, v].any()
        parents = standardised(x[:, graph[:, v]]) if has_parents else np.zeros((cell.n, 0))
        noise = rng.standard_normal(cell.n)
        x[:, v] = standardised(_child(cell.kind, parents, noise, rng))
    return _of_numbers(x, graph)


def _child(
    kind: str, parents: np.ndarray, noise: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A variable from its standardised parents and its standard normal noise."""
    if kind == "neural":
        return network(np.column_stack([parents, noise]), rng)
    if kind == "gpcde":
        return rough(parents, noise, rng)
    if not parents.shape[1]:
        return noise
    if kind == "linear":
        return parents @ rng.normal(0, 10, parents.shape[1]) + rng.gamma(2.5, 2.5) * noise
    size = rng.uniform(0.5, 1)
    if kind == "hetero":
        size = size * np.exp(0.5 * parents[:, 0])
    return sum(effect(kind, parent, rng) for parent in parents.T) + size * noise


def _binary(cell: Cell, rng: np.random.Generator) -> GraphTable:
    """Conditional probabilities Beta(.6, .6) within [.02, .98]; every column takes both values."""
    while True:
        graph, order = random_graph(cell.d, cell.n_edges, rng)
        if graph.sum(0).max() > MOST_PARENTS:
            continue
        x = np.zeros((cell.n, cell.d), int)
        for v in order:
            parents = np.flatnonzero(graph[:, v])
            row = x[:, parents] @ (1 << np.arange(len(parents)))
            chances = rng.beta(0.6, 0.6, 1 << len(parents)).clip(0.02, 0.98)
            x[:, v] = rng.random(cell.n) < chances[row]
        rare = np.minimum(x.sum(0), cell.n - x.sum(0)).min()
        if rare >= 2 and len(np.unique(x, axis=1).T) == cell.d:
            return GraphTable(pd.DataFrame(x).add_prefix("x"), x.astype(float), True, graph)


def _mixed(cell: Cell, rng: np.random.Generator) -> GraphTable:
    """A variable passes a number or a vector on to its children, according to the generator."""
    graph, order = random_graph(cell.d, cell.n_edges, rng)
    kinds = rng.permutation(MIXED_COLUMNS)
    codes = np.zeros((cell.n, cell.d))
    passed: dict[int, np.ndarray] = {}
    for v in order:
        width = LEVELS[kinds[v]] - 1 if kinds[v].startswith("nominal") else 1
        signal = np.zeros((cell.n, width))
        for i in np.flatnonzero(graph[:, v]):
            inputs = standardised(passed[i])
            one = inputs @ rng.normal(size=(inputs.shape[1], width))
            size = rng.uniform(0.6, 1.4) * (1.2 if width > 1 else 1.0)
            signal += one / one.std(0) * size
        draw = _latent if cell.kind == "latent" else _regression
        codes[:, v], passed[v] = draw(kinds[v], signal, rng)
    columns = {}
    for v, kind in enumerate(kinds):
        if kind == "number":
            columns[f"x{v}"] = codes[:, v]
        elif kind.startswith("nominal"):
            columns[f"x{v}"] = [f"level {int(code)}" for code in codes[:, v]]
        else:
            columns[f"x{v}"] = codes[:, v].astype(int)
    return GraphTable(pd.DataFrame(columns), standardised(codes), False, graph)


def _thresholds(values: np.ndarray, n_levels: int, rng: np.random.Generator) -> np.ndarray:
    shares = np.sort(rng.dirichlet(np.full(n_levels, 4.0)).cumsum()[:-1])
    return np.searchsorted(np.quantile(values, shares), values)


def _latent(kind: str, signal: np.ndarray, rng: np.random.Generator) -> tuple:
    """Children see the number or the utilities behind the code."""
    if kind.startswith("nominal"):
        utilities = signal + rng.standard_normal(signal.shape)
        return np.where(utilities.max(1) > 0, utilities.argmax(1) + 1, 0), utilities
    hidden = signal[:, 0] + rng.standard_normal(len(signal)) * rng.uniform(0.7, 1.2)
    codes = hidden if kind == "number" else _thresholds(hidden, LEVELS[kind], rng)
    return codes, hidden[:, None]


def _regression(kind: str, signal: np.ndarray, rng: np.random.Generator) -> tuple:
    """Children see the code."""
    n = len(signal)
    if kind == "number":
        values = signal[:, 0] + rng.uniform(0.7, 1.2) * rng.standard_normal(n)
        return values, values[:, None]
    if kind.startswith("nominal"):
        biases = rng.normal(0, 0.3, signal.shape[1])
        utilities = np.column_stack([np.zeros(n), 1.8 * signal + biases])
        codes = (utilities + rng.gumbel(size=utilities.shape)).argmax(1)
        return codes, np.eye(utilities.shape[1])[codes][:, 1:] + 1e-9 * rng.normal(
            size=signal.shape
        )
    codes = _thresholds(1.8 * signal[:, 0] + rng.logistic(size=n), LEVELS[kind], rng)
    return codes, codes[:, None] + 1e-9 * rng.normal(size=(n, 1))

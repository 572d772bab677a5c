"""The posterior over causal graphs that every discovery method returns."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np
import torch
from jaxtyping import Bool, Float

from aetia.diagnostics import effective_sample_size
from aetia.errors import DataWarning, InputError, ResultFileError
from aetia.graphs import Knowledge, cpdag, distinct_graphs, is_acyclic, transitive_closure
from aetia.options import nearest
from aetia.randomness import RandomState, seed_sequence
from aetia.results import export
from aetia.results.adjacency_table import adjacency_table, lagged_adjacency_table
from aetia.results.all_effects import all_effects
from aetia.results.comparison import compare_graphs
from aetia.results.description import describe, describe_html
from aetia.results.earlier_keys import separate_facts
from aetia.results.effect_posterior import EffectPosterior
from aetia.results.equivalence_classes import EquivalenceClasses, equivalence_classes
from aetia.results.experiment_value import ExperimentValues, experiment_values
from aetia.results.graph_effects import EffectModel, effects_of
from aetia.results.posterior_file import posterior_from_plain, posterior_to_plain
from aetia.results.run_facts import RunFacts
from aetia.results.storage import read_draws, write_draws
from aetia.results.truth import as_graph

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["CPDAGProbabilities", "GraphPosterior"]


class CPDAGProbabilities(NamedTuple):
    """Posterior of the equivalence class, pair by pair."""

    directed: Float[np.ndarray, "d d"]
    """Probability that every graph of the class has i -> j."""
    undirected: Float[np.ndarray, "d d"]
    """Probability that i and j are adjacent and the class leaves the direction open."""


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphPosterior:
    """Weighted draws of causal graphs, with everything needed to use them.

    Attributes:
        graphs: Acyclic draws; ``graphs[s, i, j]`` for i -> j.
        log_weights: Normalised log-weights of the draws.
        names: Column names.
        kind: ``"posterior"``, or ``"resampling"`` for selection frequencies, which are none.
        parameters: Parameters of each draw, in the user's units where they have any.
        lagged: Lagged edges drawn jointly, lag 1 first.
        edge_marginals: Exact edge probabilities, where the method has them.
        knowledge: What the user stated.
        model: Likelihood and data (moments, or the table), for effects; None without any.
        covariance: Covariance of the columns in the user's units, for sortability.
        facts: What is known about the run: method, seed, version, time, configuration, ...
        diagnostics: What is peculiar to the method: cyclic share, agreement of chains, ...
        trace: Recorded quantities by name, one value for each recorded step.
    """

    graphs: Bool[np.ndarray, "s d d"]
    log_weights: Float[np.ndarray, " s"]
    names: tuple[str, ...]
    kind: Literal["posterior", "resampling"] = "posterior"
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict)
    lagged: Bool[np.ndarray, "s l d d"] | None = None
    edge_marginals: Float[np.ndarray, "d d"] | None = None
    knowledge: Knowledge = field(default_factory=Knowledge)
    model: EffectModel | None = None
    covariance: Float[np.ndarray, "d d"] | None = None
    facts: RunFacts = field(default_factory=RunFacts)
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    trace: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        s, d = self.graphs.shape[0], len(self.names)
        if self.graphs.shape != (s, d, d) or self.log_weights.shape != (s,) or s == 0:
            raise InputError(
                f"GraphPosterior needs graphs [S, {d}, {d}] and log_weights [S] with S > 0, got "
                f"{self.graphs.shape} and {self.log_weights.shape}."
            )
        facts, diagnostics = separate_facts(self.facts, self.diagnostics)
        object.__setattr__(self, "facts", facts)
        object.__setattr__(self, "diagnostics", diagnostics)
        log_total = np.logaddexp.reduce(self.log_weights)
        if abs(log_total) > 1e-12:  # already normalised weights stay as they are, bit by bit
            object.__setattr__(self, "log_weights", self.log_weights - log_total)

    # -- summaries ------------------------------------------------------------------------

    @property
    def weights(self) -> Float[np.ndarray, " s"]:
        """Probability of each draw."""
        return np.exp(self.log_weights)

    @property
    def ess(self) -> float:
        """Effective number of draws."""
        return effective_sample_size(self.log_weights)

    def edge_probabilities(self) -> Float[np.ndarray, "d d"]:
        """Compute the probability of every edge.

        Returns:
            ``p[i, j]`` for i -> j; exact marginals where the method has them.
        """
        if self.edge_marginals is not None:
            return self.edge_marginals
        return np.minimum(np.einsum("s,sij->ij", self.weights, self.graphs), 1.0)  # rounding

    def lagged_probabilities(self) -> Float[np.ndarray, "l d d"]:
        """Compute the probability of every lagged edge; diagonals are a variable's own past.

        Returns:
            ``p[k, i, j]`` for i -> j, k + 1 steps later.

        Raises:
            InputError: If the posterior is not of time series.
        """
        if self.lagged is None:
            raise InputError("this posterior has no lagged edges: the data were no time series.")
        return np.einsum("s,slij->lij", self.weights, self.lagged)

    def summary_probabilities(self) -> Float[np.ndarray, "d d"]:
        """Compute the probability of an edge at any lag, between different variables.

        Returns:
            ``p[i, j]`` for i -> j; without lags the edge probabilities.
        """
        if self.lagged is None:
            return self.edge_probabilities()
        either = (self.graphs | self.lagged.any(1)) & ~np.eye(len(self.names), dtype=bool)
        return np.einsum("s,sij->ij", self.weights, either)

    def edge_table(self, threshold: float = 0.0) -> pd.DataFrame:
        """List the edges by name, the most probable first.

        Args:
            threshold: Leave out edges of smaller probability (and always those of zero).

        Returns:
            Columns ``source``, ``target``, ``probability``, ``path_probability``, ``adjacent``
            (either direction), ``reverse_probability``; of time series also ``lag``, and the path
            is one through edges at any lag.
        """
        if self.lagged is not None:
            return export.lagged_edge_table(
                self._by_lag(), self._path_probabilities, self.names, threshold
            )
        return export.edge_table(
            self.edge_probabilities(), self._path_probabilities, self.names, threshold
        )

    def adjacency_table(self, threshold: float = 0.0) -> pd.DataFrame:
        """List pairs of variables: are they adjacent, and which way does the edge point?

        Args:
            threshold: Leave out pairs less probably adjacent (and always those of zero).

        Returns:
            Columns ``a``, ``b``, ``adjacent``, ``a_to_b``, ``b_to_a``, ``decided``: the direction
            that holds at least 90 % of the probability of adjacency, or ``"open"``; of time series
            also ``lag``.
        """
        if self.lagged is not None:
            return lagged_adjacency_table(self._by_lag(), self.names, threshold)
        return adjacency_table(self.edge_probabilities(), self.names, threshold)

    def path_probability(self, a: str, b: str) -> float:
        """Compute the probability that a causes b, directly or through others.

        Args:
            a: Name of the possible cause.
            b: Name of the possible effect.

        Returns:
            The share of draws with a directed path from a to b.
        """
        return float(self._path_probabilities[self._index(a), self._index(b)])

    def cpdag_probabilities(self) -> CPDAGProbabilities:
        """Compute edge probabilities of the Markov equivalence class.

        Returns:
            Directed and undirected probabilities.
        """
        classes = cpdag(torch.from_numpy(self.graphs)).numpy()
        both = classes & classes.transpose(0, 2, 1)
        weigh = "s,sij->ij"
        return CPDAGProbabilities(
            np.einsum(weigh, self.weights, classes & ~both), np.einsum(weigh, self.weights, both)
        )

    def consensus_dag(self, threshold: float = 0.5) -> Bool[np.ndarray, "d d"]:
        """Build one DAG from the edge probabilities.

        Args:
            threshold: Smallest probability of an edge.

        Returns:
            Edges added from the most probable down, leaving out any that would close a cycle,
            so the result is always acyclic; required edges are always in.
        """
        required = self.knowledge.constraints(self.names).required.numpy()
        return export.probable_dag(self.edge_probabilities(), threshold, required)

    def sample(self, n: int, random_state: RandomState = None) -> Bool[np.ndarray, "n d d"]:
        """Draw graphs by their weight, with replacement.

        Args:
            n: Number of graphs.
            random_state: None, an integer or a generator.

        Returns:
            The draws.
        """
        rng = np.random.default_rng(seed_sequence(random_state))
        return self.graphs[rng.choice(len(self.graphs), size=n, p=self.weights)]

    def dags(self) -> GraphPosterior:
        """Keep the acyclic draws only.

        Returns:
            The posterior renormalised over them; discovery methods already return only these.

        Raises:
            InputError: If no draw is acyclic.
        """
        keep = is_acyclic(torch.from_numpy(self.graphs)).numpy()
        if keep.all():
            return self
        if not keep.any():
            raise InputError("no draw of this posterior is acyclic.")
        return replace(
            self,
            graphs=self.graphs[keep],
            log_weights=self.log_weights[keep],
            parameters={k: v[keep] for k, v in self.parameters.items()},
            lagged=None if self.lagged is None else self.lagged[keep],
            edge_marginals=None,
        )

    def distinct(self) -> tuple[Bool[np.ndarray, "u d d"], Float[np.ndarray, " u"]]:
        """Merge draws of the same graph.

        Returns:
            The distinct graphs, the most probable first, and their probabilities.
        """
        unique, which = distinct_graphs(torch.from_numpy(self.graphs))
        mass = np.bincount(which.numpy(), weights=self.weights, minlength=len(unique))
        order = np.argsort(-mass, kind="stable")
        return unique.numpy()[order], mass[order]

    def equivalence_classes(self, n_most: int | None = None) -> EquivalenceClasses:
        """Group the draws by Markov equivalence class.

        Args:
            n_most: Keep only this many of the most probable classes; None keeps all.

        Returns:
            CPDAGs and their probabilities, the most probable first.
        """
        return equivalence_classes(*self.distinct(), n_most)

    # -- questions ------------------------------------------------------------------------

    def compare(self, truth: Any) -> dict[str, float]:
        """Score the posterior against a known graph.

        Args:
            truth: A matrix, a frame with names, a networkx graph, a ``Truth`` or ``Labelled``.

        Returns:
            Every metric by name; see :func:`aetia.results.comparison.compare_graphs`.
        """
        graph = as_graph(truth, self.names)
        graphs, mass = self.distinct()
        keep = mass > 0
        return compare_graphs(
            graph,
            torch.from_numpy(graphs[keep]),
            torch.from_numpy(np.log(mass[keep])),
            torch.from_numpy(self.edge_probabilities()),
            torch.from_numpy(self.consensus_dag()),
            n_draws=len(self.graphs) if self.edge_marginals is None else None,
        )

    def experiment_values(self) -> ExperimentValues:
        """Compute what setting each single variable by intervention would reveal of the graph.

        Returns:
            Entropies in bits and expected numbers of directions; ``frame(names)`` ranks them.
        """
        return experiment_values(*self.distinct())

    @overload
    def effect(
        self,
        treatment: str,
        outcome: str,
        *,
        treated: float | str = ...,
        control: float | str = ...,
        doses: Sequence[float | str] | None = ...,
        n_draws: int | None = ...,
        random_state: RandomState = ...,
    ) -> EffectPosterior: ...

    @overload
    def effect(
        self,
        treatment: str,
        outcome: list[str] | tuple[str, ...],
        *,
        treated: float | str = ...,
        control: float | str = ...,
        doses: Sequence[float | str] | None = ...,
        n_draws: int | None = ...,
        random_state: RandomState = ...,
    ) -> dict[str, EffectPosterior]: ...

    def effect(
        self,
        treatment: str,
        outcome: str | list[str] | tuple[str, ...],
        *,
        treated: float | str = 1.0,
        control: float | str = 0.0,
        doses: Sequence[float | str] | None = None,
        n_draws: int | None = None,
        random_state: RandomState = 0,
    ) -> EffectPosterior | dict[str, EffectPosterior]:
        """Compute the total effect of setting one variable, averaged over graphs and mechanisms.

        Of linear Gaussian likelihoods mean and standard deviation are exact, intervals come from
        draws. Of all others do() is simulated through posterior draws of the mechanisms. Where
        cells were missing, effects are read off the weights drawn with each graph. All
        kinds carry the probability that there is no effect at all, the part of the variance that
        is due to the graph, and the answer of the single most probable graph.

        Args:
            treatment: Variable that is set.
            outcome: Variable that is read, or several of them.
            treated: Level it is set to, in the user's units or as a label ...
            control: ... compared with this level.
            doses: Levels that replace ``treated``, each compared with ``control``.
            n_draws: Draws behind the intervals; None takes 4,000 in closed form, 1,000 simulated,
                and those that there are where weights were drawn.
            random_state: Seed of those draws.

        Returns:
            The posterior of the contrast in units of the outcome; of a categorical outcome the
            change in the probability of each level. Of several outcomes a dictionary of them,
            whose draws are joint.

        Raises:
            InputError: If a name or level is unknown or the posterior has no model for effects.
        """
        outcomes = [outcome] if isinstance(outcome, str) else list(outcome)
        for name in (treatment, *outcomes):
            self._index(name)
            if name in outcomes and name == treatment:
                raise InputError(f"treatment and outcome are both {treatment!r}.")
        self._warn_of_frequencies()
        effects = effects_of(
            self,
            treatment,
            outcomes,
            treated=treated,
            control=control,
            doses=doses,
            n_draws=n_draws,
            random_state=random_state,
        )
        return effects[outcome] if isinstance(outcome, str) else effects

    def total_effects(
        self,
        contrasts: Mapping[str, tuple[float | str, float | str]] | None = None,
        *,
        level: float = 0.9,
        n_draws: int | None = None,
        random_state: RandomState = 0,
    ) -> pd.DataFrame:
        """Tabulate the total effects of all pairs, averaged over graphs and mechanisms.

        Args:
            contrasts: ``(treated, control)`` by treatment. By default a number moves from its mean
                to one standard deviation above, a column with levels from the first to the last.
            level: Probability inside the intervals.
            n_draws: Draws behind every row; None takes 2,000 in closed form, 400 simulated. Weights
                drawn with each graph are all used.
            random_state: Seed of the draws.

        Returns:
            One row for each pair (of a categorical outcome for each level, named in ``quantity``):
            ``treatment``, ``outcome``, ``treated``, ``control``, ``mean``, ``sd``, ``lower``,
            ``upper``, the probabilities ``negative``, ``zero`` and ``positive``, ``graph_share``
            of the variance, and ``standardised``: the mean in standard deviations of the outcome.

        Raises:
            InputError: If a name or level is unknown or the posterior has no model for effects.
        """
        self._warn_of_frequencies()
        return all_effects(self, contrasts, level=level, n_draws=n_draws, random_state=random_state)

    def plot_effects(self, ax: Axes | None = None, **options: Any) -> tuple[Axes, pd.DataFrame]:
        """Draw the total effects of all pairs as a heat map.

        Args:
            ax: Where to draw; None makes a figure.
            **options: Arguments of :meth:`total_effects`.

        Returns:
            The axes, and the frame that was drawn.
        """
        from aetia.plots import plot_effect_matrix

        return plot_effect_matrix(self.total_effects(**options), ax=ax)

    # -- ways out -------------------------------------------------------------------------

    def to_networkx(self, threshold: float = 0.5) -> nx.DiGraph:
        """Export the consensus DAG; of time series the summary graph, which may have cycles.

        Args:
            threshold: Smallest probability of an edge; of time series, of an edge at any lag.

        Returns:
            A graph with the attribute ``probability`` on every edge; of time series also ``lags``,
            0 for within the step.
        """
        if self.lagged is not None:
            required = self.knowledge.constraints(self.names).required.numpy()
            summary = self.summary_probabilities()
            edges = export.lagged_edges(self._by_lag(), summary, threshold, required)
            return export.summary_networkx(edges, summary, self.names)
        return export.to_networkx(
            self.consensus_dag(threshold), self.edge_probabilities(), self.names
        )

    def to_frame(self) -> pd.DataFrame:
        """Export the matrix of edge probabilities.

        Returns:
            A frame with the column names on both axes, causes in rows.
        """
        import pandas as pd

        return pd.DataFrame(self.edge_probabilities(), index=self.names, columns=self.names)

    def to_dot(self, threshold: float = 0.5) -> str:
        """Export what :meth:`to_networkx` makes in the language of Graphviz.

        Args:
            threshold: Smallest probability of an edge; of time series, of an edge at any lag.

        Returns:
            Text with edge widths by probability; edges without lag 0 are dashed.
        """
        return export.to_dot(self.to_networkx(threshold))

    def to_gml(self, threshold: float = 0.5) -> str:
        """Export what :meth:`to_networkx` makes as GML.

        Args:
            threshold: Smallest probability of an edge; of time series, of an edge at any lag.

        Returns:
            GML text; ``lags`` of time series as text such as ``"0,1"``.
        """
        return export.to_gml(self.to_networkx(threshold))

    def to_dowhy(self, threshold: float = 0.5) -> str:
        """Export the consensus DAG for ``dowhy.CausalModel(graph=...)``.

        Args:
            threshold: Smallest probability of an edge.

        Returns:
            The GML text that DoWhy reads.

        Raises:
            InputError: If the posterior is of time series, whose summary graph is no DAG.
        """
        if self.lagged is not None:
            raise InputError(
                "to_dowhy: DoWhy takes a DAG over columns, but this posterior has lagged edges, "
                "whose summary graph may have cycles. Use to_networkx(), where edges have lags=."
            )
        return self.to_gml(threshold)

    def to_xarray(self) -> xr.Dataset:
        """Export the draws with named dimensions.

        Returns:
            ``graphs (draw, source, target)``, ``log_weights (draw)``, the parameters, and of time
            series ``lagged (draw, lag, source, target)``.
        """
        return export.to_xarray(
            self.graphs, self.log_weights, self.names, self.parameters, self.lagged
        )

    def plot(self, ax: Axes | None = None, *, threshold: float = 0.1) -> tuple[Axes, pd.DataFrame]:
        """Draw the graph, edge width by probability; of time series every lag, without own pasts.

        Args:
            ax: Where to draw; None makes a figure.
            threshold: Leave out edges of smaller probability.

        Returns:
            The axes, and the frame of edges that was drawn.
        """
        from aetia.plots import plot_graph, plot_lagged_graph

        if self.lagged is not None:
            return plot_lagged_graph(self._by_lag(), self.names, threshold=threshold, ax=ax)
        return plot_graph(self.edge_probabilities(), self.names, threshold=threshold, ax=ax)

    def save(self, path: str | Path) -> None:
        """Write the posterior to a folder, atomically; nothing in it is executable.

        Args:
            path: The folder; made if needed.
        """
        arrays, plain = posterior_to_plain(self)
        write_draws(path, "GraphPosterior", arrays, plain)

    @classmethod
    def load(cls, path: str | Path) -> GraphPosterior:
        """Read a posterior written by :meth:`save`.

        Args:
            path: The folder.

        Returns:
            The same posterior.
        """
        arrays, plain = read_draws(path, "GraphPosterior")
        try:
            return cls(**posterior_from_plain(arrays, plain))
        except (KeyError, TypeError, ValueError) as error:
            raise ResultFileError(
                f"{str(path)!r} holds an incomplete GraphPosterior ({type(error).__name__}: "
                f"{error})."
            ) from error

    # -- inside ---------------------------------------------------------------------------

    @cached_property
    def _path_probabilities(self) -> np.ndarray:
        if self.lagged is not None:
            either = torch.from_numpy(self.graphs | self.lagged.any(1))
            return np.einsum("s,sij->ij", self.weights, transitive_closure(either).numpy())
        graphs, mass = self.distinct()
        closure = transitive_closure(torch.from_numpy(graphs)).numpy()
        return np.minimum(np.einsum("s,sij->ij", mass, closure), 1.0)  # rounding

    def _by_lag(self) -> Float[np.ndarray, "m d d"]:
        """Edge probabilities within the step, at lag 1, 2, ..."""
        return np.concatenate([self.edge_probabilities()[None], self.lagged_probabilities()])

    def _warn_of_frequencies(self) -> None:
        if self.kind != "posterior":
            warnings.warn(
                "the draws are selection frequencies, not a posterior: so is the effect.",
                DataWarning,
                stacklevel=3,
            )

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise InputError(
                f"no column {name!r}.{nearest(str(name), list(self.names))} "
                f"Columns: {', '.join(self.names)}."
            )
        return self.names.index(name)

    def __repr__(self) -> str:
        return describe(self)

    def _repr_html_(self) -> str:
        return describe_html(self)

"""Effects through an uncertain graph: closed form where there is one, simulation elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.graphs import transitive_closure
from aetia.likelihoods import Moments
from aetia.randomness import RandomState, seed_sequence, torch_generator
from aetia.results.drawn_weights import DrawnWeights, share_between_graphs
from aetia.results.effect_posterior import EffectPosterior
from aetia.results.levels import Level, is_label, model_levels
from aetia.results.linear_effects import LinearModel, effect_draws, effect_moments
from aetia.results.simulated_effects import simulated_contrasts, systematic_draws
from aetia.results.simulation_model import SimulationModel

if TYPE_CHECKING:
    from aetia.results.graph_posterior import GraphPosterior

__all__ = ["EffectModel", "Quantities", "Usable", "effect_model", "effects_of", "needed_model"]

EffectModel = LinearModel | SimulationModel
Usable = EffectModel | DrawnWeights
"""What effects are computed from: the model of a posterior, or the weights of its draws."""

LINEAR_DRAWS, SIMULATED_DRAWS = 4000, 1000
"""Draws by default; a simulated one costs more."""


def effect_model(
    likelihood: Any,
    data: Dataset,
    centre: Float[Tensor, " d"],
    scale: Float[Tensor, " d"],
) -> EffectModel:
    """Choose what effects are computed by: the closed form, or simulation.

    Args:
        likelihood: Options of the likelihood that scored the graphs.
        data: The complete table, in the user's units.
        centre: What the fit subtracted from each column.
        scale: What the fit divided each column by.

    Returns:
        The closed form if the likelihood has posteriors of weights, otherwise simulation.
    """
    if not hasattr(likelihood, "weight_posterior"):
        return SimulationModel.of(data, likelihood.name)
    intervened = None if data.intervened is None else torch.from_numpy(data.intervened)
    moments = Moments.of(torch.from_numpy(data.values).double(), intervened)
    return LinearModel(likelihood, moments, centre, scale)


class Quantities(NamedTuple):
    """Draws of effects on one outcome, before they are named."""

    draws: Float[np.ndarray, "s k"]
    best_graph: Float[np.ndarray, "r k"] | None
    graph_variance: Float[np.ndarray, " k"] | None
    exact_mean: Float[np.ndarray, " k"] | None
    exact_sd: Float[np.ndarray, " k"] | None
    n_levels: int
    """Levels of the outcome that are told one by one; 1 for a mean."""


def effects_of(
    posterior: GraphPosterior,
    treatment: str,
    outcomes: Sequence[str],
    *,
    treated: Level,
    control: Level,
    doses: Sequence[Level] | None,
    n_draws: int | None,
    random_state: RandomState,
) -> dict[str, EffectPosterior]:
    """Compute effects of one treatment on several outcomes.

    Args:
        posterior: Graphs, their weights, and the model.
        treatment: Variable that is set.
        outcomes: Variables that are read.
        treated: Level it is set to ...
        control: ... compared with this level.
        doses: Levels that replace ``treated``, each compared with ``control``.
        n_draws: Draws behind the intervals; None takes the default of the model.
        random_state: Seed of the draws.

    Returns:
        One posterior for each outcome; their draws are joint.
    """
    model = needed_model(posterior)
    levels = [treated] if doses is None else list(doses)
    numbers = model_levels(model, treatment, [control, *levels])
    # Many draws are the same graph; each is computed once, with the weight of all.
    graphs, mass = posterior.distinct()
    kept = mass > 0
    dags, weights = torch.from_numpy(graphs[kept]), torch.from_numpy(mass[kept] / mass.sum())
    source = posterior.names.index(treatment)
    targets = [posterior.names.index(y) for y in outcomes]
    seeds = seed_sequence(random_state)
    fixed = (dags, weights, source, targets, numbers, n_draws, torch_generator(seeds))
    if isinstance(model, LinearModel):
        quantities = _linear(model, *fixed)
    elif isinstance(model, DrawnWeights):
        quantities = _drawn(model, *fixed)
    else:
        quantities = _simulated(model, *fixed)
    paths = weights @ transitive_closure(dags)[:, source, targets].double()
    labelled = is_label(model, treatment)
    grid = None
    if doses is not None and not labelled:
        grid = np.array([float(dose) for dose in levels])
    out = {}
    for outcome, path, found in zip(outcomes, paths.tolist(), quantities, strict=True):
        labels = _labels(model, outcome, levels, doses is not None, found.n_levels)
        out[outcome] = EffectPosterior(
            draws=found.draws,
            labels=labels,
            treatment=treatment,
            outcome=outcome,
            treated=_treated(levels, labelled or (grid is not None and found.n_levels > 1)),
            control=str(control) if labelled else float(control),
            exact_mean=found.exact_mean,
            exact_sd=found.exact_sd,
            probability_of_effect=path,
            doses=grid if found.n_levels == 1 else None,
            graph_variance=found.graph_variance,
            best_graph=found.best_graph,
            best_graph_probability=None if found.best_graph is None else float(weights[0]),
            facts=posterior.facts,
            diagnostics={**posterior.diagnostics, "effect_seed": seeds.entropy},
        )
    return out


def needed_model(posterior: GraphPosterior) -> Usable:
    """Take what effects of a posterior are computed from.

    Args:
        posterior: The posterior.

    Returns:
        Its model, or the weights that were drawn with its graphs.

    Raises:
        InputError: If it has neither.
    """
    if posterior.model is not None:
        return posterior.model
    weights = posterior.parameters.get("weights")
    if weights is not None and weights.shape == posterior.graphs.shape:
        columns = posterior.diagnostics.get("column_spreads", {})
        unknown = (0.0, np.nan)
        spreads = np.array([columns.get(name, unknown) for name in posterior.names], dtype=float)
        return DrawnWeights(
            torch.from_numpy(posterior.graphs),
            torch.from_numpy(weights).double(),
            torch.from_numpy(posterior.weights),
            spreads[:, 0],
            spreads[:, 1],
        )
    method = posterior.facts.method or "another model"
    if posterior.diagnostics.get("exact") == "augmentation":
        raise InputError(
            f"effect() needs linear weights, and {method} under "
            f"{posterior.diagnostics.get('likelihood', 'this likelihood')!r} drew none with its "
            "graphs: cells were missing (or values latent), and not every column is a number on a "
            "linear scale. Complete the table (`fitted.imputed_.completed(0)`, or `aetia impute`) "
            "and fit again for effects given that completion; several completions show how much "
            "it matters."
        )
    raise InputError(
        "effect() needs the model that scored the graphs, linear Gaussian or with score tables "
        f"('bge', 'linear', 'additive', 'block', 'bdeu', ...); this posterior comes from {method} "
        "with a likelihood that has neither a closed form nor mechanisms to simulate."
    )


def _linear(
    model: LinearModel,
    dags: Bool[Tensor, "u d d"],
    weights: Float[Tensor, " u"],
    source: int,
    targets: list[int],
    levels: Float[np.ndarray, " k"],
    n_draws: int | None,
    generator: torch.Generator,
) -> list[Quantities]:
    """Compute moments in closed form, and draws, of each contrast with the first level."""
    contrast = levels[1:] - levels[0]
    moments = effect_moments(model, dags, weights, source)
    n_draws = n_draws or LINEAR_DRAWS
    draw = {"n_draws": n_draws, "generator": generator}
    draws = effect_draws(model, dags, weights, source, targets, **draw)
    best = effect_draws(model, dags[:1], weights[:1], source, targets, **draw)
    return [
        Quantities(
            draws=draws[:, [i]] * contrast + 0.0,  # no effect is 0, never -0
            best_graph=best[:, [i]] * contrast + 0.0,
            graph_variance=float(moments.graph_variance[y]) * contrast**2,
            exact_mean=float(moments.mean[y]) * contrast,
            exact_sd=float(moments.variance[y].sqrt()) * np.abs(contrast),
            n_levels=1,
        )
        for i, y in enumerate(targets)
    ]


def _drawn(
    model: DrawnWeights,
    dags: Bool[Tensor, "u d d"],
    weights: Float[Tensor, " u"],
    source: int,
    targets: list[int],
    levels: Float[np.ndarray, " k"],
    n_draws: int | None,
    generator: torch.Generator,
) -> list[Quantities]:
    """Read the effects off the draws, all of them unless another number is wanted."""
    contrast = levels[1:] - levels[0]
    n = len(model.weights)
    if n_draws is None and model.is_even:
        rows = torch.randperm(n, generator=generator)
    else:
        rows = systematic_draws(model.probability, n_draws or n, generator)
        rows = rows[torch.randperm(len(rows), generator=generator)]
    out = []
    for y in targets:
        effects = model.effects[:, source, y]
        draws = effects[rows].unsqueeze(-1).numpy() * contrast + 0.0  # no effect is 0, never -0
        share = share_between_graphs(effects, model.keys(source, y), model.probability)
        best = model.given(dags[0], source, y)
        constant = not bool(effects.any())
        out.append(
            Quantities(
                draws=draws,
                best_graph=None if best is None else best.unsqueeze(-1).numpy() * contrast + 0.0,
                graph_variance=(
                    None
                    if np.isnan(share) and not constant
                    else np.nan_to_num(share) * draws.var(0, ddof=1 if len(draws) > 1 else 0)
                ),
                exact_mean=None,
                exact_sd=None,
                n_levels=1,
            )
        )
    return out


def _simulated(
    model: SimulationModel,
    dags: Bool[Tensor, "u d d"],
    weights: Float[Tensor, " u"],
    source: int,
    targets: list[int],
    levels: Float[np.ndarray, " k"],
    n_draws: int | None,
    generator: torch.Generator,
) -> list[Quantities]:
    """Draw each contrast with the first level, under all graphs and under the best one."""
    n_draws = n_draws or SIMULATED_DRAWS
    fixed = (source, levels[1:], float(levels[0]), targets)
    found = simulated_contrasts(model, dags, weights, *fixed, n_draws=n_draws, generator=generator)
    best = simulated_contrasts(
        model, dags[:1], weights[:1], *fixed, n_draws=n_draws // 2 or 1, generator=generator
    )
    out = []
    for draws, alone in zip(found, best, strict=True):
        s, k, q = draws.draws.shape
        out.append(
            Quantities(
                draws=draws.draws.reshape(s, k * q),
                best_graph=alone.draws.reshape(-1, k * q),
                graph_variance=draws.graph_variance.reshape(k * q),
                exact_mean=None,
                exact_sd=None,
                n_levels=q,
            )
        )
    return out


def _labels(
    model: Usable, outcome: str, levels: list[Level], is_grid: bool, n_levels: int
) -> tuple[str, ...]:
    """Name each quantity: by the dose, and by the level of an outcome with levels."""
    if not isinstance(model, SimulationModel) or n_levels == 1:
        return tuple(_text(v) for v in levels) if is_grid else ("ATE",)
    names = model.levels.get(outcome)
    if names is None:
        support = model.support(model.names.index(outcome))
        names = tuple(f"{v:g}" for v in ([] if support is None else support))
    probabilities = [f"P({outcome} = {name})" for name in names]
    if not is_grid:
        return tuple(probabilities)
    return tuple(f"{p} at {_text(v)}" for v in levels for p in probabilities)


def _treated(levels: list[Level], in_words: bool) -> Level:
    """Name the level that is compared, or all of them where only the labels distinguish them."""
    if not in_words:
        return float(levels[-1])
    return ", ".join(_text(level) for level in levels)


def _text(level: Level) -> str:
    return level if isinstance(level, str) else f"{level:g}"

"""Total effects of every variable on every other, as one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from aetia.errors import InputError
from aetia.graphs import transitive_closure
from aetia.randomness import RandomState, seed_sequence, torch_generator
from aetia.results.drawn_weights import DrawnWeights, share_between_graphs
from aetia.results.graph_effects import Usable, effects_of, needed_model
from aetia.results.levels import Level, model_levels
from aetia.results.linear_effects import LinearModel, mean_total_effects, total_effect_draws
from aetia.results.simulated_effects import systematic_draws
from aetia.results.simulation_model import SimulationModel

if TYPE_CHECKING:
    import pandas as pd

    from aetia.results.graph_posterior import GraphPosterior

__all__ = ["all_effects"]

LINEAR_DRAWS, SIMULATED_DRAWS = 2000, 400


def all_effects(
    posterior: GraphPosterior,
    contrasts: Mapping[str, tuple[Level, Level]] | None,
    *,
    level: float,
    n_draws: int | None,
    random_state: RandomState,
) -> pd.DataFrame:
    """Tabulate the total effects of all pairs.

    Args:
        posterior: Graphs, their weights, and the model.
        contrasts: ``(treated, control)`` by treatment; others take their default.
        level: Probability inside the intervals.
        n_draws: Draws behind every row; None takes the default of the model.
        random_state: Seed of the draws.

    Returns:
        One row for each pair, as :meth:`GraphPosterior.total_effects` describes.

    Raises:
        InputError: If a contrast names a column that does not exist.
    """
    import pandas as pd

    model = needed_model(posterior)
    unknown = set(contrasts or {}) - set(posterior.names)
    if unknown:
        raise InputError(
            f"contrasts names {', '.join(map(repr, sorted(unknown)))}, which are no columns. "
            f"Columns: {', '.join(posterior.names)}."
        )
    chosen = {
        name: (contrasts or {}).get(name) or _default_contrast(model, posterior, name)
        for name in posterior.names
    }
    if isinstance(model, SimulationModel):
        rows = _simulated_rows(posterior, model, chosen, level, n_draws, random_state)
    else:
        if isinstance(model, LinearModel):
            pairs = _closed_form_pairs(posterior, model, level, n_draws, random_state)
        else:
            pairs = _drawn_pairs(model, level)
        rows = _linear_rows(posterior.names, model, chosen, pairs)
    return pd.DataFrame(rows)


def _default_contrast(model: Usable, posterior: GraphPosterior, name: str) -> tuple[Level, Level]:
    """Compare one standard deviation above the mean with the mean; of levels, last with first."""
    j = posterior.names.index(name)
    if not isinstance(model, SimulationModel):
        centre, sd = _spreads(model)
        if np.isnan(sd[j]):  # one unit, where the spread is unknown
            return 1.0, 0.0
        return float(centre[j] + sd[j]), float(centre[j])
    if name in model.levels:
        return model.levels[name][-1], model.levels[name][0]
    support = model.support(j)
    if support is not None:
        return float(support[-1]), float(support[0])
    middle, sd = model.spread(j)
    return middle + sd, middle


def _spreads(
    model: LinearModel | DrawnWeights,
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    """Compute mean and standard deviation of each column where it was not set."""
    if isinstance(model, DrawnWeights):
        return model.mean, model.sd
    moments = model.moments
    own = torch.arange(moments.mean.shape[-1])
    which = own if len(moments.n) > 1 else torch.zeros_like(own)
    variance = moments.scatter[which, own, own] / moments.n[which].clamp_min(1.0)
    return moments.mean[which, own].numpy(), variance.sqrt().numpy()


class _Pairs(NamedTuple):
    """Total effects of i on j per unit of i."""

    mean: Float[np.ndarray, "d d"]
    sd: Float[np.ndarray, "d d"]
    ends: Float[np.ndarray, "2 d d"]
    below: Float[np.ndarray, "d d"]
    above: Float[np.ndarray, "d d"]
    paths: Float[np.ndarray, "d d"]
    graph_share: Float[np.ndarray, "d d"]


def _closed_form_pairs(
    posterior: GraphPosterior,
    model: LinearModel,
    level: float,
    n_draws: int | None,
    random_state: RandomState,
) -> _Pairs:
    """Use exact means, and draws of all pairs at once for the rest."""
    graphs, mass = posterior.distinct()
    kept = mass > 0
    dags, weights = torch.from_numpy(graphs[kept]), torch.from_numpy(mass[kept] / mass.sum())
    mean, between = mean_total_effects(model, dags, weights)
    generator = torch_generator(seed_sequence(random_state))
    draws, within = total_effect_draws(
        model, dags, weights, n_draws=n_draws or LINEAR_DRAWS, generator=generator
    )
    paths = (weights @ transitive_closure(dags).double().flatten(1)).view_as(mean)
    variance = between + within
    return _Pairs(
        mean.numpy(),
        variance.sqrt().numpy(),
        np.quantile(draws.numpy(), [(1 - level) / 2, (1 + level) / 2], axis=0),
        (draws < 0).double().mean(0).numpy(),
        (draws > 0).double().mean(0).numpy(),
        paths.numpy(),
        torch.where(variance > 0, between / variance, torch.nan).numpy(),
    )


def _drawn_pairs(model: DrawnWeights, level: float) -> _Pairs:
    """Use the draws that came with the graphs, each by its probability."""
    effects, p = model.effects, model.probability
    even = p.square().sum()
    mean = torch.einsum("s,sij->ij", p, effects)
    variance = torch.einsum("s,sij->ij", p, (effects - mean).square()) / (1.0 - even)
    shown = effects
    if not model.is_even:
        generator = torch.Generator().manual_seed(0)
        shown = effects[systematic_draws(p, len(p), generator)]
    d = len(mean)
    share = np.full((d, d), np.nan)
    for i, j in np.argwhere(variance.numpy() > 0).tolist():
        if i != j:
            share[i, j] = share_between_graphs(effects[:, i, j], model.keys(i, j), p)
    return _Pairs(
        mean.numpy(),
        variance.sqrt().numpy(),
        np.quantile(shown.numpy(), [(1 - level) / 2, (1 + level) / 2], axis=0),
        torch.einsum("s,sij->ij", p, (effects < 0).double()).numpy(),
        torch.einsum("s,sij->ij", p, (effects > 0).double()).numpy(),
        torch.einsum("s,sij->ij", p, model.reached.double()).numpy(),
        share,
    )


def _linear_rows(
    names: tuple[str, ...],
    model: LinearModel | DrawnWeights,
    contrasts: Mapping[str, tuple[Level, Level]],
    pairs: _Pairs,
) -> list[dict[str, Any]]:
    """Scale effects per unit to the contrasts."""
    _, spread = _spreads(model)
    rows = []
    for i, treatment in enumerate(names):
        treated, control = model_levels(model, treatment, contrasts[treatment])
        by = treated - control
        for j, outcome in enumerate(names):
            if i == j:
                continue
            mean, (low, high) = by * float(pairs.mean[i, j]), by * pairs.ends[:, i, j]
            below, above = pairs.below[i, j], pairs.above[i, j]
            acting = below + above
            share = pairs.paths[i, j] / acting if acting else 0.0
            signs = [share * below, share * above][:: 1 if by >= 0 else -1]
            rows.append(
                {
                    "treatment": treatment,
                    "outcome": outcome,
                    "treated": treated,
                    "control": control,
                    "mean": mean,
                    "sd": abs(by) * pairs.sd[i, j],
                    "lower": min(low, high),
                    "upper": max(low, high),
                    "negative": signs[0],
                    "zero": 1.0 - signs[0] - signs[1],
                    "positive": signs[1],
                    "graph_share": pairs.graph_share[i, j],
                    "standardised": mean / spread[j] if spread[j] else np.nan,
                }
            )
    return rows


def _simulated_rows(
    posterior: GraphPosterior,
    model: SimulationModel,
    contrasts: Mapping[str, tuple[Level, Level]],
    level: float,
    n_draws: int | None,
    random_state: RandomState,
) -> list[dict[str, Any]]:
    """Simulate one treatment after another, all outcomes together."""
    rows = []
    seeds = seed_sequence(random_state).spawn(len(posterior.names))
    for treatment, seed in zip(posterior.names, seeds, strict=True):
        treated, control = contrasts[treatment]
        effects = effects_of(
            posterior,
            treatment,
            [name for name in posterior.names if name != treatment],
            treated=treated,
            control=control,
            doses=None,
            n_draws=n_draws or SIMULATED_DRAWS,
            random_state=np.random.default_rng(seed),
        )
        for outcome, effect in effects.items():
            sd = model.spread(posterior.names.index(outcome))[1]
            for row in effect.frame(level).to_dict("records"):
                named = {} if row["quantity"] == "ATE" else {"quantity": row["quantity"]}
                numeric = not named and sd > 0
                rows.append(
                    {"treatment": treatment, "outcome": outcome}
                    | named
                    | {"treated": treated, "control": control}
                    | {k: row[k] for k in ("mean", "sd", "lower", "upper")}
                    | {k: row[k] for k in ("negative", "zero", "positive", "graph_share")}
                    | {"standardised": row["mean"] / sd if numeric else np.nan}
                )
    return rows

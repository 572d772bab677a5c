"""Total effects of every variable on every other, as one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float

from aetia.errors import InputError
from aetia.graphs import transitive_closure
from aetia.randomness import RandomState, seed_sequence, torch_generator
from aetia.results.graph_effects import EffectModel, effects_of, needed_model
from aetia.results.levels import Level, model_levels
from aetia.results.linear_effects import LinearModel, mean_total_effects, total_effect_draws

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
    make = _linear_rows if isinstance(model, LinearModel) else _simulated_rows
    rows = make(posterior, model, chosen, level, n_draws, random_state)
    return pd.DataFrame(rows)


def _default_contrast(
    model: EffectModel, posterior: GraphPosterior, name: str
) -> tuple[Level, Level]:
    """Compare one standard deviation above the mean with the mean; of levels, last with first."""
    j = posterior.names.index(name)
    if isinstance(model, LinearModel):
        centre, sd = _spreads(model)
        return float(centre[j] + sd[j]), float(centre[j])
    if name in model.levels:
        return model.levels[name][-1], model.levels[name][0]
    support = model.support(j)
    if support is not None:
        return float(support[-1]), float(support[0])
    middle, sd = model.spread(j)
    return middle + sd, middle


def _spreads(model: LinearModel) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    """Compute mean and standard deviation of each column where it was not set."""
    moments = model.moments
    own = torch.arange(moments.mean.shape[-1])
    which = own if len(moments.n) > 1 else torch.zeros_like(own)
    variance = moments.scatter[which, own, own] / moments.n[which].clamp_min(1.0)
    return moments.mean[which, own].numpy(), variance.sqrt().numpy()


def _linear_rows(
    posterior: GraphPosterior,
    model: EffectModel,
    contrasts: Mapping[str, tuple[Level, Level]],
    level: float,
    n_draws: int | None,
    random_state: RandomState,
) -> list[dict[str, Any]]:
    """Use exact means, and draws of all pairs at once for the rest."""
    assert isinstance(model, LinearModel)
    graphs, mass = posterior.distinct()
    kept = mass > 0
    dags, weights = torch.from_numpy(graphs[kept]), torch.from_numpy(mass[kept] / mass.sum())
    mean, between = mean_total_effects(model, dags, weights)
    generator = torch_generator(seed_sequence(random_state))
    draws, within = total_effect_draws(
        model, dags, weights, n_draws=n_draws or LINEAR_DRAWS, generator=generator
    )
    paths = (weights @ transitive_closure(dags).double().flatten(1)).view_as(mean).numpy()
    ends = np.quantile(draws.numpy(), [(1 - level) / 2, (1 + level) / 2], axis=0)
    sd, (_, spread) = (between + within).sqrt().numpy(), _spreads(model)
    below, above = (draws < 0).double().mean(0).numpy(), (draws > 0).double().mean(0).numpy()
    rows = []
    for i, treatment in enumerate(posterior.names):
        treated, control = model_levels(model, treatment, contrasts[treatment])
        by = treated - control
        for j, outcome in enumerate(posterior.names):
            if i == j:
                continue
            acting = below[i, j] + above[i, j]
            share = paths[i, j] / acting if acting else 0.0
            signs = [share * below[i, j], share * above[i, j]][:: 1 if by >= 0 else -1]
            rows.append(
                {
                    "treatment": treatment,
                    "outcome": outcome,
                    "treated": treated,
                    "control": control,
                    "mean": by * float(mean[i, j]),
                    "sd": abs(by) * sd[i, j],
                    "lower": min(by * ends[0, i, j], by * ends[1, i, j]),
                    "upper": max(by * ends[0, i, j], by * ends[1, i, j]),
                    "negative": signs[0],
                    "zero": 1.0 - signs[0] - signs[1],
                    "positive": signs[1],
                    "graph_share": float(between[i, j]) / sd[i, j] ** 2 if sd[i, j] else np.nan,
                    "standardised": by * float(mean[i, j]) / spread[j] if spread[j] else np.nan,
                }
            )
    return rows


def _simulated_rows(
    posterior: GraphPosterior,
    model: EffectModel,
    contrasts: Mapping[str, tuple[Level, Level]],
    level: float,
    n_draws: int | None,
    random_state: RandomState,
) -> list[dict[str, Any]]:
    """Simulate one treatment after another, all outcomes together."""
    assert not isinstance(model, LinearModel)
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

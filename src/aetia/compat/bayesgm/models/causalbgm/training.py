"""A fit in parts, so that it can be looked at on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.compat.bayesgm.arguments import Triplet
from aetia.compat.bayesgm.models.causalbgm.fixed_noise import fix_noise
from aetia.devices import pick_device
from aetia.effects.causalbgm import CausalBGMConfig
from aetia.effects.causalbgm.fitted import Fitted
from aetia.effects.causalbgm.fitting import fit_jointly, update_iteratively
from aetia.effects.causalbgm.folds import Folds
from aetia.effects.causalbgm.generative import LatentRoles
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.networks import Networks
from aetia.effects.causalbgm.selection import BestWeights
from aetia.effects.causalbgm.study_table import read_study
from aetia.nets import seeded
from aetia.randomness import torch_generator

__all__ = ["new_fit", "start_jointly", "update_for"]

OnEvaluation = Callable[[int], None]


def new_fit(
    study: Triplet,
    config: CausalBGMConfig,
    params: Mapping[str, Any],
    seeds: np.random.SeedSequence,
    segments: Tensor | None = None,
) -> Fitted:
    """Build fresh networks for a study. Nobody is held out: the original learns from all units.

    Args:
        study: Treatment, outcome, covariates.
        config: Options.
        params: For fixed standard deviations and the law of latents given segments.
        seeds: Of the first weights.
        segments: Label of every unit, for a conditional prior.

    Returns:
        Networks that have learned nothing yet.
    """
    table = read_study(study.x, study.y, study.v, kind=config.treatment_kind)
    device = pick_device("auto")
    folds = Folds(torch.full((table.n,), -1, device=device), 1, 1)
    assert config.latent_dims != "auto"
    roles = LatentRoles(*config.latent_dims)
    n_segments = params["n_segments"] if segments is not None else 0
    with seeded(torch_generator(seeds)):
        networks = Networks(table.units, roles, config, 1, table.is_binary)
        prior = LatentPrior(roles.total, 1, n_segments, params.get("prior_units", ()))
    scales = {
        "sigma_v": (networks.covariates, 1.0),
        "sigma_x": (networks.treatment, table.treatment_scale[1]),
        "sigma_y": (networks.outcome, table.outcome_scale[1]),
    }
    for key, (network, scale) in scales.items():
        if key in params:
            fix_noise(network, params[key] / scale)
    return Fitted(
        networks.to(device),
        prior.to(device),
        folds,
        table,
        table.units.map(lambda part: part.to(device)),
        None if segments is None else segments.to(device),
    )


class _Watcher(BestWeights):
    """Told about every validation of the training loop; chooses nothing."""

    def __init__(self, networks: Networks, on_evaluation: OnEvaluation | None) -> None:
        super().__init__(networks)
        self.on_evaluation = on_evaluation

    def update(self, networks: Networks, loss: Float[Tensor, " members"], step: int) -> None:
        """Pass the step on.

        Args:
            networks: The ensemble.
            loss: Not a number, since nobody is held out.
            step: Of the loop.
        """
        del loss
        if self.on_evaluation is not None:
            with torch.no_grad():
                networks.eval()
                self.on_evaluation(step)


def start_jointly(
    fit: Fitted,
    config: CausalBGMConfig,
    seeds: np.random.SeedSequence,
    on_evaluation: OnEvaluation,
) -> None:
    """Train encoder, networks and critic together.

    Args:
        fit: Changed in place.
        config: Options.
        seeds: Of batches and noise.
        on_evaluation: Called about twenty times with the number of updates so far.
    """
    every = config.n_critic_steps
    watcher = _Watcher(fit.networks, lambda step: on_evaluation(step // every))
    assert config.n_egm_steps != "auto"
    n_steps, seed = config.n_egm_steps, _integer(seeds)
    fit.rows += fit_jointly(
        fit.networks, fit.units, fit.folds, config, n_steps, seed, False, watcher
    )


def update_for(
    fit: Fitted, config: CausalBGMConfig, n_epochs: int, seeds: np.random.SeedSequence
) -> None:
    """Alternate between networks and latents for some passes; latents go on from where they are.

    Args:
        fit: Changed in place.
        config: Options.
        n_epochs: Passes over the units.
        seeds: Of batches.
    """
    assert fit.latents is not None
    fit.latents, rows = update_iteratively(
        fit.networks,
        fit.prior,
        fit.units,
        fit.folds,
        fit.latents,
        replace(config, n_epochs=n_epochs),
        _integer(seeds),
        False,
        _Watcher(fit.networks, None),
        fit.segments,
    )
    fit.rows += rows


def _integer(seeds: np.random.SeedSequence) -> int:
    return int(seeds.generate_state(1)[0])

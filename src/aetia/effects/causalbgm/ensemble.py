"""The ensemble of a study: made, trained, and every member taken where it was best."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.fitted import Fitted
from aetia.effects.causalbgm.folds import make_folds
from aetia.effects.causalbgm.generative import LatentRoles
from aetia.effects.causalbgm.iterative_phase import update_iteratively
from aetia.effects.causalbgm.joint_phase import fit_jointly
from aetia.effects.causalbgm.latent_dimensions import latent_dimensions
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.networks import Networks
from aetia.effects.causalbgm.schedule import joint_steps
from aetia.effects.causalbgm.selection import BestWeights, held_out_loss
from aetia.effects.causalbgm.study_table import StudyTable
from aetia.errors import InputError, NumericalError
from aetia.nets import seeded
from aetia.randomness import torch_generator

__all__ = ["fit_ensemble"]

_FOLDS = 5

_ADVICE = (
    "the networks did not reach finite losses; lower {name} (now {rate:g}), or look for extreme "
    "values in treatment and outcome"
)


def fit_ensemble(
    config: CausalBGMConfig,
    table: StudyTable,
    segments: np.ndarray | None,
    seeds: np.random.SeedSequence,
    device: torch.device,
    progress: bool | None,
) -> Fitted:
    """Make and train the networks of a study.

    Args:
        config: Options.
        table: The study.
        segments: Label of every unit, for a conditional prior.
        seeds: Source of everything random.
        device: Where it happens.
        progress: Whether to show a bar.

    Returns:
        Networks with their chosen weights, and all that questions need.

    Raises:
        InputError: If there are too few units for the folds.
        NumericalError: If a member never had a finite loss on its held-out units.
    """
    streams = seeds.spawn(5)
    fit = _untrained(config, table, segments, streams[0], streams[1], device)
    networks, units, folds = fit.networks, fit.units, fit.folds
    best = BestWeights(networks, fit.prior)
    rows: list[dict[str, Any]] = []
    if config.init == "egm":
        n_steps = joint_steps(config.n_egm_steps, table.n)
        seed = int(streams[2].generate_state(1)[0])
        rows += fit_jointly(
            networks,
            units,
            folds,
            config,
            n_steps=n_steps,
            seed=seed,
            progress=progress,
            best=best,
        )
        _check_finite(best.loss, "learning_rate", config.learning_rate)
        best.restore(networks)
    if config.n_epochs:
        if fit.prior.is_conditional:
            best.start_again()  # earlier weights were chosen with a prior that ignores labels
        start = fit.encoded(units)
        if config.init == "prior":
            start = torch.randn(start.shape, generator=torch_generator(streams[4])).to(device)
        seed = int(streams[3].generate_state(1)[0])
        name, rate = "iterative_learning_rate", config.iterative_learning_rate
        try:
            fit.latents, more = update_iteratively(
                networks,
                fit.prior,
                units,
                folds,
                start,
                config,
                seed=seed,
                progress=progress,
                best=best,
                segments=fit.segments,
            )
        except InputError as error:  # of the sampler: no density where its chains start
            raise NumericalError(f"{_ADVICE.format(name=name, rate=rate)} ({error})") from error
        rows += more
        _check_finite(best.loss, name, rate)
        best.restore(networks)
    loss = held_out_loss(networks, units, folds, config.variance_weighting)
    fit.rows = rows
    fit.held_out, fit.best_step = loss.double().cpu().numpy(), best.step.numpy()
    return fit


def _check_finite(loss: Tensor, name: str, rate: float) -> None:
    lost = int((~loss.isfinite()).sum())
    if lost:
        raise NumericalError(
            f"{_ADVICE.format(name=name, rate=rate)} ({lost} of {len(loss)} networks never had a "
            "finite loss on their held-out units)"
        )


def _untrained(
    config: CausalBGMConfig,
    table: StudyTable,
    segments: np.ndarray | None,
    for_folds: np.random.SeedSequence,
    for_networks: np.random.SeedSequence,
    device: torch.device,
) -> Fitted:
    n_folds = _FOLDS if config.n_folds == "auto" else config.n_folds
    if n_folds > table.n // 4:
        raise InputError(f"n_folds={n_folds} leaves fewer than 4 of {table.n} units a fold.")
    roles = _roles(config, table)
    folds = make_folds(
        table.n,
        n_folds,
        config.n_replicates,
        torch_generator(for_folds),
        table.units.treatment if table.is_binary else None,
    )
    with seeded(torch_generator(for_networks)):
        networks = Networks(table.units, roles, config, folds.n_members, table.is_binary)
        n_segments = 0 if segments is None else int(segments.max()) + 1
        hidden = getattr(config, "prior_units", ())
        prior = LatentPrior(roles.total, folds.n_members, n_segments, hidden)
    return Fitted(
        networks.to(device),
        prior.to(device),
        folds._replace(of_unit=folds.of_unit.to(device)),
        table,
        table.units.map(lambda part: part.to(device)),
        None if segments is None else torch.from_numpy(segments).to(device),
    )


def _roles(config: CausalBGMConfig, table: StudyTable) -> LatentRoles:
    if config.latent_dims != "auto":
        return LatentRoles(*config.latent_dims)
    covariates = table.units.covariates.double().numpy()
    return latent_dimensions(covariates, table.treatment, table.outcome)

"""What the ensemble predicts of units: latents given what is known, outcomes under each level."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.diagnostics import convergence
from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.fitted import Fitted, level_distributions
from aetia.effects.causalbgm.generative import Units, outcome_distribution
from aetia.effects.causalbgm.latents import latent_chains, latent_density
from aetia.effects.causalbgm.spread import ensemble_draws
from aetia.errors import ConvergenceWarning
from aetia.randomness import torch_generator

__all__ = [
    "Given",
    "UnitDistributions",
    "latent_draws",
    "mixing",
    "unit_distributions",
    "with_same_noise",
]

Given = Literal["covariates", "everything"]
"""What latents are conditioned on: covariates alone, or treatment and outcome as well."""


class UnitDistributions(NamedTuple):
    """Outcomes of units under some levels, in the user's units."""

    means: Float[np.ndarray, "draws n levels"]
    variances: Float[np.ndarray, "n levels"]
    report: dict[str, float]
    """How the chains went, if there were any."""


def latent_draws(
    fit: Fitted,
    config: CausalBGMConfig,
    units: Units,
    segments: Tensor | None,
    seeds: np.random.SeedSequence,
) -> tuple[Iterator[Float[Tensor, "members n latents"]], dict[str, float]]:
    """Run chains over the latents of units, one for each network and unit.

    Args:
        fit: The ensemble.
        config: Options, of which the sampler and its lengths are read.
        units: What is known of them.
        segments: Their labels, for a conditional prior.
        seeds: Source of randomness.

    Returns:
        One draw after the other, and how the warm-up went.
    """
    density = latent_density(
        fit.networks.mechanisms(),
        fit.networks.roles,
        units,
        fit.prior,
        is_binary=fit.networks.is_binary,
        segments=segments,
    )
    chains = latent_chains(
        density,
        fit.encoded(units),
        torch_generator(seeds, fit.networks.knots.device),
        sampler=config.sampler,
        n_warmup=config.n_warmup,
        n_kept=config.n_kept,
        thin=config.thin,
    )
    return chains.draws, {
        "acceptance": float(chains.warm_up.acceptance.mean()),
        "n_divergent": float(chains.warm_up.n_divergent),
    }


@torch.no_grad()
def unit_distributions(
    fit: Fitted,
    config: CausalBGMConfig,
    units: Units,
    segments: Tensor | None,
    levels: Float[np.ndarray, " k"],
    given: Given,
    seeds: np.random.SeedSequence,
) -> UnitDistributions:
    """Draw mean outcomes of units under some levels.

    Their spread is that of the ensemble, and of latents or weights where these are drawn.

    Args:
        fit: The ensemble.
        config: Options, of which draws and samplers are read.
        units: What is known of them.
        segments: Their labels, for a conditional prior.
        levels: Levels of the treatment, in the networks' units.
        given: ``"everything"`` draws latents given treatment and outcome.
        seeds: Source of randomness.

    Returns:
        Means, variances, and how the chains went.
    """
    networks, n_draws = fit.networks, config.n_draws
    generator = torch_generator(seeds.spawn(1)[0], networks.knots.device)
    n_members = fit.folds.n_members
    mechanisms, report = networks.mechanisms(), {}
    z = fit.encoded(units)
    outcomes = level_distributions(mechanisms, networks, z, levels)
    centres, variance = outcomes.mean, outcomes.variance.mean(0)
    # What varies within a member: its latents given everything, or its random weights.
    within = None
    if given == "everything":
        chains, report = latent_draws(fit, config, units, segments, seeds)
        moved = torch.stack(
            [level_distributions(mechanisms, networks, s, levels).mean for s in chains]
        )
        # The chains are judged by what is asked: the first level against the last.
        contrast = (moved[..., 0] - moved[..., -1]).double().cpu().numpy()
        report |= mixing(contrast, stacklevel=5)
        centres = moved.mean(0)
        within = moved - centres
    elif networks.is_bayesian:
        drawn = networks.draw_mechanisms(max(n_draws // n_members, 1), generator)
        moved = level_distributions(drawn, networks, z, levels).mean
        within = moved - centres
    if n_members == 1 and within is None:
        warnings.warn(
            "one network does not show its own error, so intervals of unit effects have "
            "no width: raise n_folds or n_replicates.",
            ConvergenceWarning,
            stacklevel=4,
        )
    draws = ensemble_draws(centres, fit.folds.n_folds, n_draws, generator)
    if within is not None:
        flat = within.flatten(0, 1)
        pick = torch.randint(len(flat), (n_draws,), generator=generator, device=generator.device)
        draws = draws + flat[pick]
    scale = fit.table.outcome_scale[1]
    return UnitDistributions(
        fit.in_outcome_units(draws.double().cpu().numpy()),
        variance.double().cpu().numpy() * scale**2,
        report,
    )


@torch.no_grad()
def with_same_noise(
    fit: Fitted,
    z: Float[Tensor, "members n latents"],
    units: Units,
    levels: Float[np.ndarray, " k"],
) -> Float[Tensor, "members n"]:
    """Predict outcomes under the first level with the noise that the received ones leave.

    Args:
        fit: The ensemble.
        z: Latents of the units.
        units: Units whose treatment and outcome are known.
        levels: Levels of the treatment, in the networks' units.

    Returns:
        Outcomes in the networks' units.
    """
    assert units.treatment is not None
    assert units.outcome is not None
    mechanisms = fit.networks.mechanisms()
    factual = outcome_distribution(mechanisms, fit.networks.roles, z, units.treatment)
    noise = (units.outcome - factual.mean[..., 0]) / factual.variance[..., 0].sqrt()
    outcomes = level_distributions(mechanisms, fit.networks, z, levels)
    return outcomes.mean[..., 0] + outcomes.variance[..., 0].sqrt() * noise


def mixing(draws: Float[np.ndarray, "draws members n"], *, stacklevel: int) -> dict[str, float]:
    """Diagnose chains, split in halves within members, whose target distributions differ.

    Args:
        draws: One chain for each member and unit.
        stacklevel: Number of calls from here to the user's line, for the warning about chains that
            have not mixed.

    Returns:
        R-hat and effective sample sizes of at most 200 units; nothing of fewer than 8 draws.
    """
    if len(draws) < 8:
        return {}
    n_draws, members, n = draws.shape
    half = n_draws // 2
    shown = draws[: 2 * half, :, : min(n, 200)].reshape(2, half, members * min(n, 200))
    summary = convergence(shown).summary()
    if summary["rhat_median"] > 1.1:
        warnings.warn(
            f"the chains over latents have not mixed (median R-hat {summary['rhat_median']:.2f}); "
            "raise n_warmup, n_kept or thin.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
    return summary

r"""Weights and latents sampled in turns (Gibbs), every block by a trajectory of HMC.

Given the latents of all units the three networks are independent:

.. math:: p(w_g, w_h, w_f \mid z, D) \propto
          \prod_i p(v_i \mid z_i; w_g)\, p(t_i \mid z_i; w_h)\, p(y_i \mid z_i, t_i; w_f)
          \cdot N(w; 0, s^2)

and given the weights so are the latents of the units. Each chain keeps both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from aetia.effects.causalbgm.config import FullMCMCConfig
from aetia.effects.causalbgm.generative import Mechanisms, Units, log_terms
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.latents import latent_density
from aetia.effects.causalbgm.networks import Networks
from aetia.nets import flatten_layers, unflatten_layers
from aetia.samplers import HMC, DualAveraging, dual_averaging_start, dual_averaging_update

__all__ = ["NETWORKS", "WeightDraws", "flat_mechanisms", "sample_weights", "weight_density"]

NETWORKS = ("covariates", "treatment", "outcome")


class WeightDraws(NamedTuple):
    """Draws of all chains."""

    mechanisms: Mechanisms
    """Weights ``[draws, chains, ...]``."""
    latents: Float[Tensor, "draws chains n latents"]
    log_density: Float[Tensor, "draws chains"]
    """Log density of weights, latents and data together, up to constants."""
    acceptance: dict[str, float]
    """Mean acceptance of every block after the warm-up."""
    n_divergent: int


def weight_density(
    name: str,
    networks: Networks,
    units: Units,
    z: Float[Tensor, "chains n latents"],
    prior_std: float,
) -> Callable[[Float[Tensor, "chains dim"]], Float[Tensor, " chains"]]:
    """Build the log density of one network's weights, given latents.

    Args:
        name: ``"covariates"``, ``"treatment"`` or ``"outcome"``.
        networks: The ensemble, which knows sizes and roles.
        units: All that is known.
        z: Latents of every chain.
        prior_std: Standard deviation of the prior of the weights.

    Returns:
        A function of flat weights.
    """

    def density(flat: Tensor) -> Tensor:
        layers = unflatten_layers(flat, networks.sizes[name])
        mechanisms = networks.mechanisms()._replace(**{name: layers})
        terms = log_terms(mechanisms, networks.roles, units, z, is_binary=networks.is_binary)
        return getattr(terms, name).sum(-1) - 0.5 * (flat / prior_std).square().sum(-1)

    return density


def sample_weights(
    networks: Networks,
    prior: LatentPrior,
    units: Units,
    z: Float[Tensor, "chains n latents"],
    config: FullMCMCConfig,
    generator: torch.Generator,
    *,
    progress: bool | None = None,
) -> WeightDraws:
    """Run one chain from every member of the ensemble.

    Args:
        networks: The ensemble, at whose weights the chains are initialised.
        prior: Prior of the latents.
        units: All that is known.
        z: Latents at which the chains are initialised.
        config: Options; at most ``n_kept`` evenly spaced sweeps are stored.
        generator: Source of randomness.
        progress: Whether to show a bar; None shows it in terminals.

    Returns:
        The kept draws, and how the chains went.
    """
    with torch.no_grad():
        flat = {name: flatten_layers(getattr(networks, name).layers).clone() for name in NETWORKS}
    # Latents first: the networks' densities are then all given the latents that are kept.
    blocks = ("latents", *NETWORKS) if config.target == "joint" else NETWORKS
    first = {name: torch.full(flat[name].shape[:1], 0.01, device=z.device) for name in NETWORKS} | {
        "latents": torch.full(z.shape[:2], 0.1, device=z.device)
    }
    steps: dict[str, DualAveraging] = {name: dual_averaging_start(first[name]) for name in blocks}
    n_kept = min(config.n_kept, config.n_sweeps)
    keep = set(torch.linspace(0, config.n_sweeps - 1, n_kept).long().tolist())
    kept: dict[str, list[Tensor]] = {name: [] for name in (*NETWORKS, "latents", "density")}
    acceptance: dict[str, float] = dict.fromkeys(blocks, 0.0)
    n_divergent = 0
    total = config.n_warmup + config.n_sweeps
    bar = tqdm(range(total), desc="sampling", disable=None if progress is None else not progress)
    for sweep in bar:
        warming = sweep < config.n_warmup
        value = torch.zeros(z.shape[0], device=z.device)
        for name in blocks:
            if name == "latents":
                mechanisms = flat_mechanisms(networks, flat)
                density = latent_density(
                    mechanisms, networks.roles, units, prior, is_binary=networks.is_binary
                )
                position, n_leapfrog = z, 5
            else:
                density = weight_density(name, networks, units, z, config.weight_prior_std)
                position, n_leapfrog = flat[name], config.n_leapfrog
            sampler = HMC(density, n_leapfrog=n_leapfrog)
            # After the warm-up the averaged step size stays: chains that adapt lose their target.
            log_step = steps[name].log_step if warming else steps[name].log_average
            state = sampler.init(position)._replace(step_size=log_step.exp())
            state, info = sampler.step(state, generator)
            if warming:
                steps[name] = dual_averaging_update(
                    steps[name], info.acceptance, sampler.target_acceptance
                )
            else:
                acceptance[name] += float(info.acceptance.mean()) / config.n_sweeps
                n_divergent += int(info.is_divergent.sum())
            if name == "latents":
                z = state.position
            else:
                flat[name] = state.position
                value = value + state.log_density
        value = value + prior.log_prob(z).sum(-1)
        if not warming and sweep - config.n_warmup in keep:
            for name in NETWORKS:
                kept[name].append(flat[name])
            kept["latents"].append(z)
            kept["density"].append(value.detach())
    weights = {name: torch.stack(kept[name]) for name in NETWORKS}
    return WeightDraws(
        flat_mechanisms(networks, weights),
        torch.stack(kept["latents"]),
        torch.stack(kept["density"]),
        acceptance,
        n_divergent,
    )


def flat_mechanisms(networks: Networks, flat: Mapping[str, Tensor]) -> Mechanisms:
    """Shape flat weights.

    Args:
        networks: The ensemble, which knows sizes and knots.
        flat: All weights of each network.

    Returns:
        The mechanisms.
    """
    covariates, treatment, outcome = (
        unflatten_layers(flat[name], networks.sizes[name]) for name in NETWORKS
    )
    return Mechanisms(covariates, treatment, outcome, networks.dose_knots)

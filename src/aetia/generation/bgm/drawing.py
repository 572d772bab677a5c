"""Draws of missing cells, a block of rows at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.diagnostics import convergence
from aetia.generation.bgm.config import SharedConfig
from aetia.generation.bgm.fitting import ModelRows
from aetia.generation.bgm.latent_distribution import DefensiveProposal
from aetia.generation.bgm.latent_posterior import JumpingHMC, RowPosterior, importance_start
from aetia.generation.bgm.likelihood import ColumnLikelihood
from aetia.generation.bgm.networks import Networks
from aetia.samplers import warm_up

__all__ = ["BlockDraws", "draw_missing", "rows_of_a_block"]

_CHAINS_AT_ONCE = 4000
_CELLS_AT_ONCE = 2_000_000
_ROWS_DIAGNOSED = 50
_HEALTHY_RHAT = 1.1
_SHORTEST_DIAGNOSED = 20


class BlockDraws(NamedTuple):
    """Draws of the missing cells of some rows, and how their chains went."""

    cells: Float[np.ndarray, "s k"]
    """Draws in the units of the model, missing cells in row-major order."""
    facts: dict[str, float]


def rows_of_a_block(networks: Networks, config: SharedConfig, n_draws: int, p: int) -> int:
    """Choose how many rows are drawn at once, so that memory and caches suffice.

    Args:
        networks: Whose weights may be random.
        config: Options.
        n_draws: Draws of each row.
        p: Columns.

    Returns:
        Rows.
    """
    for_chains = _CHAINS_AT_ONCE // _n_chains(networks, config, n_draws)
    return max(min(for_chains, _CELLS_AT_ONCE // (config.n_starts * p)), 1)


def draw_missing(
    networks: Networks,
    likelihood: ColumnLikelihood,
    rows: ModelRows,
    n_draws: int,
    config: SharedConfig,
    generator: torch.Generator,
    *,
    probabilities: bool = False,
) -> BlockDraws:
    """Draw the missing cells of rows from their posterior predictive distribution.

    Args:
        networks: Generator, encoder and perhaps the model of missingness.
        likelihood: Distribution of the columns.
        rows: The rows.
        n_draws: Draws of each row; with random weights, each has its own draw of them.
        config: Options.
        generator: Source of randomness.
        probabilities: Give the probability of a binary cell instead of 0 or 1.

    Returns:
        The draws.
    """
    n_chains = _n_chains(networks, config, n_draws)
    with torch.no_grad():
        proposal = DefensiveProposal(networks.encoder(rows.x, rows.observed))
    posterior = RowPosterior(
        networks.decoder.drawn(n_chains, generator),
        likelihood,
        rows.x,
        rows.observed,
        networks.decoder.n_latents,
        networks.missingness,  # pyright: ignore[reportArgumentType]
    )
    # Starts are chosen under the mean weights: any start is valid, these are near.
    easy = posterior._replace(decode=networks.decoder.fixed())
    start = importance_start(easy, proposal, n_chains, config.n_starts, generator)
    sampler = JumpingHMC(posterior.log_density, proposal, n_leapfrog=config.n_leapfrog)
    state, warm = warm_up(sampler, sampler.init(start), config.n_warmup, generator)
    n_kept = -(-n_draws // n_chains)
    missing = (~rows.observed).flatten().nonzero()[:, 0]
    cells, latents, divergent, acceptance = [], [], warm.n_divergent, 0.0
    for _ in range(n_kept):
        state, info = sampler.step(state, generator)
        divergent += int(info.is_divergent.sum())
        acceptance += float(info.acceptance.mean()) / n_kept
        with torch.no_grad():
            drawn = posterior.cells(state.position, generator, probabilities=probabilities)
        cells.append(drawn.flatten(1)[:, missing].cpu())
        latents.append(state.position[:, :_ROWS_DIAGNOSED, : networks.decoder.n_latents].cpu())
    facts = {
        "acceptance": acceptance,
        "jump_acceptance": sampler.n_jumps / max(sampler.n_proposed, 1),
        "n_divergent": float(divergent),
    }
    if n_kept >= _SHORTEST_DIAGNOSED and n_chains > 1:
        facts |= _mixing(torch.stack(latents, 1))
    # Chains side by side: the draws of one chain are spread over the whole.
    stacked = torch.stack(cells).flatten(0, 1)[:n_draws]
    return BlockDraws(stacked.numpy(), facts)


def _n_chains(networks: Networks, config: SharedConfig, n_draws: int) -> int:
    """Count chains: with random weights one for each draw, so that each has its own weights."""
    return n_draws if networks.decoder.kl() is not None else min(config.n_chains, n_draws)


def _mixing(latents: Tensor) -> dict[str, float]:
    found = convergence(latents.double().numpy())
    summary = found.summary()
    return {
        "rhat_max": summary["rhat_max"],
        "rhat_median": summary["rhat_median"],
        "share_rhat_high": float((found.rhat > _HEALTHY_RHAT).mean()),
        "ess_bulk_min": summary["ess_bulk_min"],
        "ess_bulk_median": summary["ess_bulk_median"],
    }

"""The two stages of a fit: adversarial initialisation, and maximum likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.generation.bgm.bound import bound, encoder_loss, importance_draws
from aetia.generation.bgm.config import SharedConfig
from aetia.generation.bgm.egm import RECONSTRUCTION, Adversaries, critic_loss, generator_loss
from aetia.generation.bgm.latent_distribution import log_prior
from aetia.generation.bgm.likelihood import ColumnLikelihood
from aetia.generation.bgm.networks import LatentDistribution, Networks
from aetia.generation.bgm.row_chains import RowChains
from aetia.randomness import torch_generator
from aetia.training import Phase, RowwiseAdam, Trained, TrainingConfig, minibatches, train

__all__ = [
    "ModelRows",
    "RowLatents",
    "fit_likelihood",
    "minibatches",
    "point_phases",
    "start_adversarially",
]

_N_VALIDATIONS = 20
_N_VALIDATION_DRAWS = 50
_CLIP_NORM = 50.0
_CELLS_AT_ONCE = 1_000_000
"""Of all draws together: what bounds memory."""


class ModelRows(NamedTuple):
    """Rows in the units of the model."""

    x: Float[Tensor, "n p"]
    """Zeros where not observed."""
    observed: Bool[Tensor, "n p"]

    def take(self, rows: Any) -> ModelRows:
        """Choose rows.

        Args:
            rows: Their numbers, or a slice.

        Returns:
            These rows.
        """
        return ModelRows(self.x[rows], self.observed[rows])


def start_adversarially(
    players: Adversaries,
    likelihood: ColumnLikelihood,
    rows: ModelRows,
    config: SharedConfig,
    seed: int,
    progress: bool | None,
) -> Trained:
    """Train generator and encoder against critics.

    Args:
        players: All networks.
        likelihood: Distribution of the columns.
        rows: The table.
        config: Options.
        seed: Seed of everything random.
        progress: Whether to show a bar.

    Returns:
        How it went.
    """

    n_steps = config.n_egm_steps * config.n_critic_steps
    options = TrainingConfig(
        n_steps=n_steps,
        learning_rate=config.egm_learning_rate,
        betas=(0.5, 0.9),
        weight_decay=0.0,
        schedule="constant",
        warmup=0.0,
        clip_norm=None,
        gradient_shares=False,
        log_every=max(config.n_egm_steps // _N_VALIDATIONS, 1) * config.n_critic_steps,
        progress=progress,
    )
    phases = _adversarial_phases(players, likelihood, rows, config)
    deal = minibatches(len(rows.x), config.batch_size, seed)
    return train(players, phases, deal, config=options, seed=seed)


def _adversarial_phases(
    players: Adversaries, likelihood: ColumnLikelihood, rows: ModelRows, config: SharedConfig
) -> list[Phase]:
    """Alternate between critics, and generator and encoder.

    Args:
        players: All networks.
        likelihood: Distribution of the columns.
        rows: The table.
        config: Options.

    Returns:
        An update of the critics in every step, one of the others in every ``n_critic_steps``.
    """

    def critics(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        del step
        x, observed = rows.take(batch)
        return critic_loss(
            players, likelihood, x, observed, generator, penalty=config.gradient_penalty
        )

    def networks(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        del step
        x, observed = rows.take(batch)
        return generator_loss(
            players,
            likelihood,
            x,
            observed,
            generator,
            reconstruction=RECONSTRUCTION,
            variance_penalty=config.variance_penalty,
        )

    return [
        Phase(
            parameters=lambda _: [*players.of_latents.parameters(), *players.of_rows.parameters()],
            loss=critics,
            name="critics",
        ),
        Phase(
            parameters=lambda _: list(players.networks.parameters()),
            loss=networks,
            every=config.n_critic_steps,
            name="networks",
        ),
    ]


def fit_likelihood(
    networks: Networks,
    likelihood: ColumnLikelihood,
    rows: ModelRows,
    held_out: ModelRows,
    config: SharedConfig,
    seed: int,
    progress: bool | None,
) -> Trained:
    """Maximise the likelihood of the seen cells, and keep the weights that are best for others.

    Args:
        networks: Generator and encoder.
        likelihood: Distribution of the columns.
        rows: Rows to learn from.
        held_out: Validation rows, which choose the best checkpoint and the end of training.
        config: Options.
        seed: Seed of everything random.
        progress: Whether to show a bar.

    Returns:
        How it went; the networks have the chosen weights.
    """
    n = len(rows.x)

    def importance(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        del step
        x, observed = rows.take(batch)
        z, weights = importance_draws(
            networks, likelihood, x, observed, config.n_importance, generator
        )
        nll = -bound(weights).mean()
        chances = torch.softmax(weights.detach(), 0).T
        chosen = torch.multinomial(chances, 1, generator=generator)[:, 0]
        drawn = z.detach()[chosen, torch.arange(len(x), device=x.device)]
        encoding = encoder_loss(networks, x, observed, drawn, generator).mean()
        return _with_kl(networks, n, config, nll + encoding, {"bound": -nll, "encoder": encoding})

    module: nn.Module = networks
    if config.latents == "importance":
        phases = [_phase(importance)]
    else:
        module = RowLatents(networks, _encoded(networks, rows, config, seed))
        phases = point_phases(module, likelihood, rows, config)

    def validate(module: nn.Module, step: int) -> Sequence[dict[str, Any]]:
        del module, step
        generator = torch_generator(np.random.SeedSequence([seed, 1]), rows.x.device)
        found = held_out_bound(networks, likelihood, held_out, generator)
        return [{"task": 0, "log_likelihood": float(found)}]

    options = TrainingConfig(
        n_steps=config.n_steps,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        schedule="cosine",
        warmup=0.03,
        min_learning_rate=0.01 * config.learning_rate,
        clip_norm=_CLIP_NORM,
        gradient_shares=False,
        log_every=max(config.n_steps // _N_VALIDATIONS, 1),
        validate_every=max(config.n_steps // _N_VALIDATIONS, 1),
        metric="log_likelihood",
        mode="max",
        patience=config.patience,
        progress=progress,
    )
    deal = minibatches(n, config.batch_size, seed)
    return train(module, phases, deal, config=options, seed=seed, validate=validate)


def held_out_bound(
    networks: Networks, likelihood: ColumnLikelihood, rows: ModelRows, generator: torch.Generator
) -> Tensor:
    """Bound the mean log likelihood of held-out rows with many draws.

    Args:
        networks: Generator and encoder.
        likelihood: Distribution of the columns.
        rows: The rows.
        generator: Source of randomness.

    Returns:
        The mean over the rows.
    """
    n, p = rows.x.shape
    size = max(_CELLS_AT_ONCE // (_N_VALIDATION_DRAWS * p), 1)
    bounds = []
    with torch.no_grad():
        for i in range(0, n, size):
            x, observed = rows.take(slice(i, i + size))
            _, weights = importance_draws(
                networks, likelihood, x, observed, _N_VALIDATION_DRAWS, generator
            )
            bounds.append(bound(weights))
    return torch.cat(bounds).mean()


class RowLatents(nn.Module):
    """The networks, and a latent for every row.

    Args:
        networks: Generator and encoder.
        latents: Where the latents start.
    """

    def __init__(self, networks: Networks, latents: Float[Tensor, "n k"]) -> None:
        super().__init__()
        self.networks = networks
        self.latents = nn.Parameter(latents.clone())


def _encoded(networks: Networks, rows: ModelRows, config: SharedConfig, seed: int) -> Tensor:
    """Start latents at the encoder's guess, or at draws from it."""
    generator = torch_generator(np.random.SeedSequence([seed, 2]), rows.x.device)
    with torch.no_grad():
        guess: LatentDistribution = networks.encoder(rows.x, rows.observed)
    if config.latents == "map":
        return guess.mean
    return guess.mean + guess.std * torch.randn(
        guess.mean.shape, generator=generator, device=guess.mean.device
    )


def point_phases(
    module: RowLatents, likelihood: ColumnLikelihood, rows: ModelRows, config: SharedConfig
) -> list[Phase]:
    """Alternate between the weights and the latents of the batch's rows, drawn or at the mode.

    Args:
        module: Networks and latents.
        likelihood: Distribution of the columns.
        rows: The table.
        config: Options; ``latents`` is ``"sample"`` or ``"map"``.

    Returns:
        An update of the networks given the latents, and for ``"map"`` one of the latents.
    """
    networks = module.networks
    chains = RowChains(len(rows.x), config.n_leapfrog, rows.x.device)

    def weights(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        del step
        x, observed = rows.take(batch)
        if config.latents == "sample":
            decode = networks.decoder.drawn(1, generator)
            new = chains.move(
                lambda z: likelihood.log_prob(decode(z[None])[0], x, observed) + log_prior(z),
                module.latents.detach()[batch],
                batch,
                generator,
            )
            module.latents.data[batch] = new
        z = module.latents.detach()[batch]
        nll = -likelihood.log_prob(networks.decoder(z, generator), x, observed).mean()
        encoding = encoder_loss(networks, x, observed, z, generator).mean()
        parts = {"log_density": -nll, "encoder": encoding}
        return _with_kl(networks, len(rows.x), config, nll + encoding, parts)

    def latents(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        del step
        x, observed = rows.take(batch)
        z = module.latents[batch]
        raw = networks.decoder(z, generator)
        # A sum, so that a row's step does not depend on the size of the batch.
        loss = -(likelihood.log_prob(raw, x, observed) + log_prior(z)).sum()
        return loss, {}

    phases = [_phase(weights)]
    if config.latents == "map":
        rate = config.latent_learning_rate
        phases.append(
            Phase(
                parameters=lambda _: [module.latents],
                loss=latents,
                name="latents",
                optimiser=lambda parameters: RowwiseAdam(parameters, lr=rate),
            )
        )
    return phases


def _with_kl(
    networks: Networks, n: int, config: SharedConfig, loss: Tensor, parts: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Add the divergence of random weights from their prior, if they are random."""
    kl = networks.decoder.kl()
    if kl is None:
        return loss, parts
    kl = kl * (1.0 / n if config.kl_weight == "auto" else config.kl_weight)
    return loss + kl, {**parts, "weights": kl}


def _phase(loss: Any) -> Phase:
    def parameters(module: nn.Module) -> list[nn.Parameter]:
        return list(getattr(module, "networks", module).parameters())

    return Phase(parameters=parameters, loss=loss)


def latent_count(correlation: Float[np.ndarray, "p p"], share: float = 0.9) -> int:
    """Choose how many latents a table needs.

    Args:
        correlation: Correlation of the columns.
        share: Share of the variance that principal components must explain.

    Returns:
        At least 2 (fewer for fewer columns), at most 20; superfluous ones cost little, since the
        posterior of a latent that does nothing is its prior.
    """
    values = np.linalg.eigvalsh(correlation)[::-1].clip(min=0)
    needed = int(np.searchsorted(np.cumsum(values) / values.sum(), share) + 1)
    p = len(correlation)
    return min(max(needed, min(2, p)), 20, max(math.ceil(p), 1))

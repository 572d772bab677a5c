r"""The prototype of RC-GNN as it was published, for comparison only: **its graph sees no data**.

Three perceptrons encode each time step on its own, a fourth decodes them, and the adjacency, a
sigmoid of free logits, is no input of the decoder. The reconstruction has gradient exactly 0 with
respect to the graph, so the learned graph is the random initialisation, shrunk. Kept: networks,
the four losses with their weights and formulas (a reconstruction that depends on the missing rate,
cycles longer than 3 for free, a disentanglement that cannot reach 0), the tenth of the largest
logits as edges. Changed: the optimiser decouples weight decay, nothing reads a truth, knowledge is
applied to the result, and cycles are broken, as :class:`NeuralFit` promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.discovery.rcgnn.neural.fit import NeuralFit
from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.search.constraints import LaggedConstraints
from aetia.graphs import without_cycles
from aetia.nets import seeded
from aetia.options import check_positive
from aetia.randomness import torch_generator
from aetia.training import ParameterGroup, Phase, Trained, TrainingConfig, minibatches, train, weigh

__all__ = [
    "PublishedOptions",
    "PublishedRCGNN",
    "fit_as_published",
    "published_acyclicity",
    "published_disentanglement",
]


@dataclass(frozen=True, kw_only=True)
class PublishedOptions:
    """Options of the prototype, with the values of its last stable configuration."""

    n_steps: int = 500
    """Number of optimiser updates; the default makes 100 passes over 40 blocks in batches of 8."""
    n_batch: int = 8
    """Number of blocks in an update; fewer are faster and noisier."""
    learning_rate: float = 5e-4
    """Learning rate of all updates, which stays as it is."""
    weight_decay: float = 1e-4
    """Weight decay of matrices, the logits of the graph among them; larger shrinks the graph
    faster."""
    clip_norm: float = 1.0
    """Largest norm of a gradient, to which longer ones are shortened."""
    lambda_recon: float = 10.0
    """Weight of the reconstruction, which no edge takes part in."""
    lambda_sparse: float = 1e-4
    """Penalty weight of the mean entry of the soft adjacency."""
    lambda_acyclic: float = 1e-5
    """Penalty weight of cycles up to length 3; longer ones are free."""
    lambda_disentangle: float = 1e-4
    """Penalty weight of the correlations between the three latents."""
    kept_share: float = 0.1
    """Share of all cells of the adjacency, the diagonal included, that become edges."""

    def __post_init__(self) -> None:
        check_positive(self, "n_steps", "n_batch", "learning_rate", "kept_share")
        check_positive(
            self,
            "weight_decay",
            "clip_norm",
            "lambda_recon",
            "lambda_sparse",
            "lambda_acyclic",
            "lambda_disentangle",
            zero=True,
        )


def published_acyclicity(adjacency: Float[Tensor, "d d"]) -> Float[Tensor, ""]:
    r"""Compute :math:`\max(0, \mathrm{tr}((I + A/d)^3) - d)`: cycles longer than 3 are free.

    Args:
        adjacency: Soft adjacency, zero diagonal.

    Returns:
        The penalty.
    """
    d = len(adjacency)
    base = torch.eye(d).to(adjacency) + adjacency / d
    return (torch.linalg.matrix_power(base, 3).trace() - d).relu()


def published_disentanglement(*latents: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """Sum the mean absolute correlations of all pairs of latents, their own diagonals included.

    Args:
        *latents: Rows of each latent.

    Returns:
        At least 1 / (2 k) for each pair, whatever the latents.
    """
    total = latents[0].new_zeros(())
    for i, a in enumerate(latents):
        for b in latents[i + 1 :]:
            total = total + torch.corrcoef(torch.cat([a, b], 1).mT).nan_to_num().abs().mean()
    return total


class PublishedRCGNN(nn.Module):
    """Three encoders, a decoder, and a graph beside them.

    Args:
        d: Sensors.
        n_regimes: Regimes; more than one have deltas of the logits.
        options: Weights of the losses.
    """

    def __init__(self, d: int, n_regimes: int, options: PublishedOptions) -> None:
        super().__init__()
        self.options = options
        self.encoders = nn.ModuleList(_perceptron(d, 32, 16) for _ in range(3))
        self.decoder = _perceptron(48, 32, d)
        self.logits = nn.Parameter(0.1 * torch.randn(d, d))
        self.deltas = nn.Parameter(0.01 * torch.randn(n_regimes, d, d) * (n_regimes > 1))

    def adjacency(self) -> Float[Tensor, "k d d"]:
        """Soft adjacency of each regime, zero diagonal."""
        soft = torch.sigmoid(self.logits + self.deltas)
        return soft * (1 - torch.eye(soft.shape[-1]).to(soft))

    def reconstruct(
        self, values: Float[Tensor, "n time d"]
    ) -> tuple[Float[Tensor, "n time d"], list[Tensor]]:
        """Decode what was encoded.

        Args:
            values: Readings, 0 where missing.

        Returns:
            The decoded readings and the three latents.
        """
        latents = [encoder(values) for encoder in self.encoders]
        return self.decoder(torch.cat(latents, -1)), latents

    def reconstruction_loss(
        self, values: Float[Tensor, "n time d"], observed: Bool[Tensor, "n time d"]
    ) -> Float[Tensor, ""]:
        """Mean over all cells, missing ones as 0, of the squared error of the observed."""
        return (observed * (self.reconstruct(values)[0] - values)).square().mean()

    def forward(
        self, values: Float[Tensor, "n time d"], observed: Bool[Tensor, "n time d"]
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Compute the loss of a batch.

        Args:
            values: Readings, 0 where missing.
            observed: True where seen.

        Returns:
            The loss, and its parts as they enter it.
        """
        options, adjacency = self.options, self.adjacency()
        decoded, latents = self.reconstruct(values)
        rows = [z.flatten(0, 1) for z in latents]
        terms = {
            "reconstruction": (observed * (decoded - values)).square().mean(),
            "sparse": adjacency.abs().mean(),
            "acyclic": torch.stack([published_acyclicity(a) for a in adjacency]).mean(),
            "disentangle": published_disentanglement(*rows),
        }
        lambdas = {
            "reconstruction": options.lambda_recon,
            "sparse": options.lambda_sparse,
            "acyclic": options.lambda_acyclic,
            "disentangle": options.lambda_disentangle,
        }
        return weigh(terms, lambdas)


def fit_as_published(
    readings: Readings,
    *,
    n_lags: int,
    options: PublishedOptions,
    constraints: LaggedConstraints,
    seeds: np.random.SeedSequence,
    device: torch.device | None = None,
    progress: bool | None = None,
    folder: Path | None = None,
) -> NeuralFit:
    """Fit the prototype.

    Args:
        readings: Standardised readings.
        n_lags: Lags of the result; the prototype has none, they are empty.
        options: Options of the prototype.
        constraints: Applied to the result.
        seeds: Source of everything random.
        device: Device to compute on; None for the CPU.
        progress: Whether to show a progress bar; None shows it in terminals.
        folder: Folder for checkpoints and the health record; None keeps nothing.

    Returns:
        What :func:`~aetia.discovery.rcgnn.neural.fit.fit_neural` returns, zeros where the prototype
        has no such thing.
    """
    net_seed, step_seed = seeds.spawn(2)
    device = torch.device("cpu") if device is None else device
    observed = (readings.observed & readings.live.unsqueeze(-1)).to(device)
    values = torch.where(observed, readings.values.to(device, torch.float32), 0.0)
    with seeded(torch_generator(net_seed)):
        module = PublishedRCGNN(values.shape[-1], int(readings.regime.max()) + 1, options)
    module = module.to(device)
    seed = int(step_seed.generate_state(1, np.uint32)[0])
    batches = minibatches(len(values), options.n_batch, seed)
    trained = train(
        module,
        [
            Phase(
                parameters=lambda m: list(m.parameters()),
                loss=_loss,
                groups=_groups,
                objective="reconstruction",
            )
        ],
        lambda first: ((values[at], observed[at]) for at in batches(first)),
        config=TrainingConfig(
            n_steps=options.n_steps,
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            clip_norm=options.clip_norm,
            schedule="constant",
            warmup=0.0,
            log_every=max(options.n_steps // 10, 1),
            validate_every=0,
            checkpoint_every=options.n_steps,
            progress=progress,
        ),
        seed=seed,
        folder=folder,
        identity={"method": "RCGNN", "backend": "as-published"},
    )
    with torch.no_grad():
        decoded = module.reconstruct(values)[0].cpu()
    return _read_off(
        module.cpu(), decoded, values.cpu(), observed.cpu(), n_lags, constraints, trained
    )


def _groups(module: nn.Module) -> Mapping[str, ParameterGroup]:
    logits = [module.get_parameter(name) for name in ("logits", "deltas")]
    return {"structure": ParameterGroup(logits)}


def _loss(module: nn.Module, batch: Any, step: int, generator: torch.Generator) -> Any:
    return module(*batch)


@torch.no_grad()
def _read_off(
    module: PublishedRCGNN,
    decoded: Tensor,
    values: Tensor,
    observed: Tensor,
    n_lags: int,
    constraints: LaggedConstraints,
    trained: Trained,
) -> NeuralFit:
    d = values.shape[-1]
    probability = module.adjacency().mean(0)
    allowed, required = ~constraints.forbidden[:, :d].mT, constraints.required.mT
    probability = torch.where(required, 1.0, torch.where(allowed, probability, 0.0))
    # The diagonal takes part in the selection, as it did.
    logits = module.logits + module.deltas.mean(0)
    n_kept = max(1, int(module.options.kept_share * d * d))
    kept = logits >= logits.flatten().topk(n_kept).values[-1]
    within = without_cycles((kept & allowed) | required, probability, required)
    nothing = torch.zeros(n_lags, d, d)
    graph = torch.cat([within.unsqueeze(0), nothing.bool()])
    deltas = torch.zeros(len(module.deltas), n_lags + 1, d, d)
    deltas[:, 0] = torch.where(within, module.deltas, 0.0)
    gaps = torch.where(observed, values - decoded, 0.0)
    noise = (gaps.square().sum((0, 1)) / observed.sum((0, 1)).clamp_min(1)).sqrt()
    return NeuralFit(
        within=probability,
        lagged=nothing,
        graph=graph,
        deltas=deltas,
        state=torch.where(observed, decoded, values),
        state_sd=torch.zeros_like(values),
        drift=torch.zeros_like(values),
        noise_scale=noise,
        degrees_of_freedom=torch.full((d,), torch.inf),
        missingness=torch.zeros(d, d),
        inverse_probability=torch.ones_like(values),
        history=trained.rows,
        findings=trained.findings,
        summary=trained.summary,
        module=module,
        n_steps=trained.step,
        n_skipped=trained.n_skipped,
    )


def _perceptron(n_in: int, n_hidden: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_out))

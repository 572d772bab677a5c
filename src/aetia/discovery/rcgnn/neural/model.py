r"""The evidence lower bound of a causal model behind corrupted readings.

.. math::
    -\log p(x) \le E_q\Big[ -\log p(x \mid s, b) - \log p(s \mid G) \Big] - H(q) - \log p(b)

The states' likelihood goes through the graph: each is predicted by its gated network from others
now and from all before. All terms are in nats per cell of the blocks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aetia.discovery.rcgnn.neural.acyclicity import CyclePenalty
from aetia.discovery.rcgnn.neural.encoder import Latent, TemporalEncoder, slow_filter
from aetia.discovery.rcgnn.neural.gates import Gates, open_probability, sample_gates
from aetia.discovery.rcgnn.neural.inputs import Inputs
from aetia.discovery.rcgnn.neural.invariance import (
    disentanglement,
    irm_penalty,
    residual_penalty,
    variance_penalty,
)
from aetia.discovery.rcgnn.neural.mechanisms import NeuralMechanisms
from aetia.discovery.rcgnn.neural.missingness import Missingness, inverse_probability
from aetia.discovery.rcgnn.neural.options import NeuralOptions
from aetia.discovery.rcgnn.neural.sensors import Sensors, centred_by_regime
from aetia.discovery.rcgnn.search.additive import N_FEATURES
from aetia.discovery.rcgnn.search.constraints import LaggedConstraints
from aetia.training import weigh

__all__ = ["CorruptedSCM", "Sizes", "States"]

_NORMAL_ENTROPY = 0.5 * math.log(2 * math.pi * math.e)
"""Of a normal variable with standard deviation 1."""


class Sizes(NamedTuple):
    """Sizes of the recordings as a whole."""

    shape: tuple[int, int, int]
    """Blocks, steps, sensors."""
    n_lags: int
    n_regimes: int
    n_cells: int
    """Live cells, observed or not."""
    observed_share: float

    @property
    def d(self) -> int:
        """Number of sensors."""
        return self.shape[2]


class States(NamedTuple):
    """Latents of a batch and one draw of its states."""

    latent: Latent
    draw: Float[Tensor, "n time d"]
    drift: Float[Tensor, "n time d"]
    """Slow errors of the sensors."""


class CorruptedSCM(nn.Module):
    """Encoder, gated mechanisms, sensors and losses of cells.

    Args:
        sizes: Sizes of the recordings.
        options: Options of the back end.
        constraints: What is known about the graph.
        noise_sd: Initial standard deviation of the noise of each sensor.
        drift_sd: Spread of the innovations of their drifts.
        observed_share: Share of the cells of each sensor that were observed.
        knows_noise: Whether the noise is held near its initial size by a penalty.
    """

    drift_sd: Float[Tensor, " d"]
    log_odds: Float[Tensor, "d d"]

    def __init__(
        self,
        sizes: Sizes,
        options: NeuralOptions,
        constraints: LaggedConstraints,
        noise_sd: Float[Tensor, " d"],
        drift_sd: Float[Tensor, " d"],
        observed_share: Float[Tensor, " d"],
        *,
        knows_noise: bool,
    ) -> None:
        super().__init__()
        self.sizes, self.options = sizes, options
        d, n_lags, k = sizes.d, sizes.n_lags, sizes.n_regimes
        self.encoder = TemporalEncoder(d, k, options.encoder_width, options.encoder_layers)
        self.mechanisms = NeuralMechanisms(d, n_lags, k, options.n_hidden)
        self.sensors = Sensors(noise_sd)
        self.missingness = Missingness(observed_share, k)
        self.corrections = nn.Parameter(torch.zeros(2, *sizes.shape))
        self.gates = Gates(constraints, n_lags)
        self.cycles = CyclePenalty(options.lambda_acyclic)
        self.learns_graph, self.knows_noise = False, knows_noise
        self.gates.flat.register_post_accumulate_grad_hook(self._spare_gates)
        self.register_buffer("drift_sd", drift_sd)
        self.register_buffer("log_odds", constraints.log_odds.mT.clone().float())

    def _spare_gates(self, logits: Tensor) -> None:
        """Drop what the warm-up and the final stage would do to the gates: optimisers skip None."""
        if not self.learns_graph:
            logits.grad = None

    # -- stages ---------------------------------------------------------------------------

    def stage(self, step: int) -> str:
        """Name the stage of a step.

        Args:
            step: Number of the update, from 0.

        Returns:
            ``"warm-up"``, ``"graph"`` or ``"final"``.
        """
        options = self.options
        if step < round(options.warmup_share * options.n_steps):
            return "warm-up"
        return "graph" if step < self.final_from() else "final"

    def final_from(self) -> int:
        """First step with the graph fixed."""
        return self.options.n_steps - round(self.options.final_share * self.options.n_steps)

    def temperature(self, step: int) -> float:
        """Compute the temperature of the gates, which falls through the graph stage.

        Args:
            step: Number of the update, from 0.

        Returns:
            A value between the two of the options.
        """
        first = round(self.options.warmup_share * self.options.n_steps)
        done = min(max((step - first) / max(self.final_from() - first, 1), 0.0), 1.0)
        high, low = self.options.temperature
        return high * (low / high) ** done

    def gates_at(self, step: int, n: int, generator: torch.Generator) -> Float[Tensor, "g m d d"]:
        """Make the gates of a step: all open, drawn for each block, or fixed to the graph.

        Args:
            step: Decides the stage.
            n: Number of blocks.
            generator: Source of randomness.

        Returns:
            Gates, for each block or one for all.
        """
        gates, stage = self.gates, self.stage(step)
        if stage != "graph":
            fixed = gates.allowed if stage == "warm-up" else gates.support
            # Adds nothing but a gradient: the record shows in every stage what data tell the graph.
            soft = gates.obeying(torch.sigmoid(gates.logits))
            return (fixed.float() + soft - soft.detach()).unsqueeze(0)
        shape = (n, *gates.shape)
        uniform = torch.rand(shape, generator=generator, device=self.drift_sd.device)
        uniform = uniform.clamp(1e-6, 1 - 1e-6)
        return gates.obeying(sample_gates(gates.logits, uniform, self.temperature(step)))

    # -- terms ----------------------------------------------------------------------------

    def infer(
        self, batch: Inputs, generator: torch.Generator | None, *, hidden: int | None = None
    ) -> States:
        """Infer states and the drift of the sensors.

        Args:
            batch: Blocks.
            generator: Draws states; None takes their means.
            hidden: Which set of readings is hidden; None for none.

        Returns:
            Latents and states.
        """
        seen, guess = batch.seen(hidden)
        values = torch.where(seen, batch.values, 0.0)
        latent = self.encoder(values, seen.to(values), guess.mean, guess.sd, batch.regime)
        if hidden is None:
            own = self.corrections[:, batch.number]
            latent = latent._replace(
                mean=latent.mean + guess.sd * own[0], sd=latent.sd * own[1].clamp(-3.0, 3.0).exp()
            )
        draw = latent.mean
        if generator is not None:
            noise = torch.randn(draw.shape, generator=generator, device=draw.device)
            draw = draw + latent.sd * noise
        path = slow_filter(draw.shape[1]).to(draw) @ latent.innovations * self.drift_sd
        drift = guess.drift + path + self.options.bias_scale * latent.constant.unsqueeze(1)
        weight = batch.live.to(draw).unsqueeze(-1)
        drift = centred_by_regime(drift, weight, batch.regime, self.sizes.n_regimes)
        return States(latent, draw, drift)

    def reconstruction(
        self, batch: Inputs, states: States, weight: Float[Tensor, "n time d"]
    ) -> Float[Tensor, ""]:
        """Score observed readings.

        Args:
            batch: Blocks.
            states: States and drift of these blocks.
            weight: Weight of each cell.

        Returns:
            Negative log density, mean over observed cells.
        """
        nll = self.sensors.nll(batch.values - states.draw - states.drift) * weight
        return torch.where(batch.observed, nll, 0.0).sum() / batch.observed.sum().clamp_min(1)

    def deviations(
        self, batch: Inputs, states: States, gates: Float[Tensor, "g m d d"]
    ) -> tuple[Float[Tensor, "n steps d"], Float[Tensor, "n steps d"], Float[Tensor, "n steps 1"]]:
        """Compare states with their predictions through the graph.

        Args:
            batch: Blocks.
            states: States of these blocks.
            gates: Gates for each block, or one set for all.

        Returns:
            Residuals, predictions (both without the level of the regime), and 1 for steps that
            exist with their past.
        """
        n_lags, time = self.sizes.n_lags, batch.values.shape[1]
        prediction = self.mechanisms(states.draw, gates, batch.regime)
        level = self.mechanisms.level[batch.regime].unsqueeze(1)
        counted = [batch.live[:, n_lags - k : time - k] for k in range(n_lags + 1)]
        weight = torch.stack(counted).all(0).to(prediction).unsqueeze(-1)
        return states.draw[:, n_lags:] - level - prediction, prediction, weight

    def structural(
        self,
        batch: Inputs,
        states: States,
        residual: Float[Tensor, "n steps d"],
        weight: Float[Tensor, "n time d"],
    ) -> Float[Tensor, ""]:
        """Score the states under the mechanisms.

        Args:
            batch: Blocks.
            states: States of these blocks.
            residual: Residuals of the steps that have their past.
            weight: Weight of each cell.

        Returns:
            Negative log density, mean over live cells.
        """
        n_lags, nets = self.sizes.n_lags, self.mechanisms
        log_scale = nets.log_scale[batch.regime].unsqueeze(1)
        later = _normal_nll(residual, log_scale)
        start = states.draw[:, :n_lags] - nets.first_level[batch.regime].unsqueeze(1)
        first = _normal_nll(start, nets.first_log_scale[batch.regime].unsqueeze(1))
        live = batch.live.to(later).unsqueeze(-1)
        return (torch.cat([first, later], 1) * live * weight).sum() / self._cells(batch)

    def data_term(self, batch: Inputs, gates: Float[Tensor, "g m d d"]) -> Float[Tensor, ""]:
        """Score readings and the means of their states for given gates.

        Args:
            batch: Blocks.
            gates: Gates for each block, or one set for all.

        Returns:
            Reconstruction and structural term, per cell.
        """
        states = self.infer(batch, None)
        ones = torch.ones_like(batch.values)
        residual, _, _ = self.deviations(batch, states, gates)
        structural = self.structural(batch, states, residual, ones)
        return self._recon_weight() * self.reconstruction(batch, states, ones) + structural

    def forward(
        self, batch: Inputs, step: int, generator: torch.Generator
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Compute the loss of a step.

        Args:
            batch: Blocks.
            step: Decides the stage; in odd steps a set of readings is hidden.
            generator: Draws states and gates.

        Returns:
            The loss, and its parts as they enter it.
        """
        options, gates_of = self.options, self.gates
        self.learns_graph = self.stage(step) == "graph"
        # In odd steps the encoder sees only part of the readings and must impute the others.
        hidden = (step // 2) % batch.n_sets if step % 2 else None
        states = self.infer(batch, generator, hidden=hidden)
        gates = self.gates_at(step, len(batch.values), generator)
        # Unless missingness may depend on the missing value itself, it must not shape the states.
        log_odds = self.missingness(
            states.draw if options.mnar else states.draw.detach(), batch.regime
        )
        live = batch.live.to(log_odds).unsqueeze(-1)
        weight = torch.ones_like(log_odds)
        if options.mnar:
            weight = inverse_probability(log_odds.detach(), batch.observed, options.weight_quantile)
        residual, prediction, counted = self.deviations(batch, states, gates)
        cells, latent = self._cells(batch), states.latent
        losses = nn.functional.binary_cross_entropy_with_logits(
            log_odds, batch.observed.to(log_odds), reduction="none"
        )
        terms = {
            "reconstruction": self.reconstruction(batch, states, weight),
            "structural": self.structural(batch, states, residual, weight),
            "entropy": -((latent.sd.log() + _NORMAL_ENTROPY) * live).sum() / cells,
            "errors": ((latent.innovations.square() * live).sum() + latent.constant.square().sum())
            / (2 * cells),
            "missingness": (losses * live).sum() / cells,
            "disentangle": disentanglement(states.draw, states.drift, live),
            "delta": self._bic_unit() * self.mechanisms.change().sum(),
        }
        lambdas = {
            **dict.fromkeys(terms, 1.0),
            "reconstruction": self._recon_weight(),
            "disentangle": options.lambda_disentangle,
            "delta": options.lambda_delta,
        }
        if self.knows_noise:
            terms["noise"] = self.sensors.departure()
            lambdas["noise"] = options.lambda_noise
        if options.lambda_invariance and self.sizes.n_regimes > 1:
            terms["invariance"] = self._invariance(residual, prediction, counted, batch)
            lambdas["invariance"] = options.lambda_invariance
        if self.learns_graph:
            opening = gates_of.obeying(open_probability(gates_of.logits, self.temperature(step)))
            believed = self.log_odds * gates_of.probability().amax(0)
            terms["sparse"] = N_FEATURES * self._bic_unit() * opening.sum()
            terms["beliefs"] = -believed.sum() / self.sizes.n_cells
            terms["acyclic"] = self.cycles(gates_of.without_noise()[0])
            lambdas |= {"sparse": options.lambda_sparse, "beliefs": 1.0, "acyclic": 1.0}
        return weigh(terms, lambdas)

    def _invariance(
        self, residual: Tensor, prediction: Tensor, counted: Tensor, batch: Inputs
    ) -> Tensor:
        kind, k = self.options.invariance, self.sizes.n_regimes
        own = self.mechanisms.log_scale.exp()[batch.regime].unsqueeze(1)
        common = self.mechanisms.log_scale.exp().mean(0).detach()
        if kind == "irm":
            return irm_penalty(residual / own, prediction / own, counted, batch.regime, k)
        if kind == "variance":
            return variance_penalty(residual / common, counted, batch.regime, k)
        return residual_penalty(residual / common, counted, batch.regime, k)

    def _recon_weight(self) -> float:
        return self.options.lambda_recon * self.sizes.observed_share

    def _bic_unit(self) -> float:
        """BIC unit, half of log(steps), in nats per cell."""
        return 0.5 * math.log(self.sizes.n_cells / self.sizes.d) / self.sizes.n_cells

    def _cells(self, batch: Inputs) -> Tensor:
        return batch.live.sum() * batch.values.shape[-1]


def _normal_nll(residual: Tensor, log_scale: Tensor) -> Tensor:
    return 0.5 * (residual / log_scale.exp()).square() + log_scale + 0.5 * math.log(2 * math.pi)

"""What happens between steps: searches, multipliers, the choice of the graph, signals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from aetia.discovery.rcgnn.neural.inputs import Inputs
from aetia.discovery.rcgnn.neural.model import CorruptedSCM
from aetia.discovery.rcgnn.search.additive import (
    AdditiveGraphs,
    candidate_steps,
    search_additive,
)
from aetia.discovery.rcgnn.search.constraints import LaggedConstraints
from aetia.graphs import exponential_trace, without_cycles
from aetia.randomness import torch_generator

__all__ = ["GraphStage", "chosen_graph", "gate_logits", "validation_losses"]

_EVERY = 10
"""Steps between updates of the multipliers."""
_LARGEST_LOGIT = 3.0
_BLOCKED_LOGIT = -2.0
_NATS_PER_LOGIT = 5.0


def gate_logits(graphs: AdditiveGraphs) -> Float[Tensor, "m d d"]:
    """Turn the evidence of a search into logits where gates can still open and close.

    Args:
        graphs: Graphs of several draws of the states.

    Returns:
        Logits within +/- 3. An edge that is left out because its reverse is in begins below zero,
        however large its evidence.
    """
    evidence = (graphs.evidence / _NATS_PER_LOGIT).clamp(-_LARGEST_LOGIT, _LARGEST_LOGIT)
    kept = torch.where(graphs.edges, evidence.clamp_min(0.0), evidence.clamp_max(_BLOCKED_LOGIT))
    return kept.mean(0).float()


def chosen_graph(module: CorruptedSCM, threshold: float) -> Bool[Tensor, "m d d"]:
    """Keep the probable edges, without cycles within the step.

    Args:
        module: The model.
        threshold: Smallest probability.

    Returns:
        The graph that is deployed: what knowledge requires is in.
    """
    gates = module.gates
    probability, held = gates.probability().detach(), gates.held()
    edges = (probability >= threshold) & gates.allowed | held
    return torch.cat([without_cycles(edges[0], probability[0], held[0])[None], edges[1:]])


@torch.no_grad()
def validation_losses(
    module: CorruptedSCM,
    inputs: Inputs,
    rows: Int[Tensor, " k"],
    gates: Float[Tensor, "m d d"],
) -> dict[str, float]:
    """Score validation blocks, by regime.

    Args:
        module: The model.
        inputs: All blocks.
        rows: Which to score.
        gates: Gates in force.

    Returns:
        Data term per cell of each regime.
    """
    losses = {}
    for e in inputs.regime[rows].unique().tolist():
        batch = inputs.rows(rows[inputs.regime[rows] == e])
        losses[f"validation_loss/regime_{e}"] = float(module.data_term(batch, gates.unsqueeze(0)))
    return losses


class GraphStage:
    """What happens to the graph between two updates; it is called after each of them.

    At the end of the warm-up and again later a search sets the gates; while they learn, the penalty
    of cycles grows; at the end of the graph stage the graph is fixed.

    Args:
        module: The model.
        inputs: All blocks.
        train_rows: Numbers of the training blocks.
        validation_rows: Numbers of the validation blocks.
        constraints: What is known.
        information: Share of what is new in each sensor that the readings determine.
        first_draws: Draws of the states for the first search; None draws from the encoder.
        initial: Graph that searches climb from as well as from none, target by candidate.
        seeds: Source of the draws of all searches.
    """

    def __init__(
        self,
        module: CorruptedSCM,
        inputs: Inputs,
        train_rows: Int[Tensor, " k"],
        validation_rows: Int[Tensor, " v"],
        constraints: LaggedConstraints,
        information: Float[Tensor, " d"],
        first_draws: Float[Tensor, "s k time d"] | None,
        initial: Bool[Tensor, "d p"] | None,
        seeds: np.random.SeedSequence,
    ) -> None:
        self.module, self.inputs, self.constraints = module, inputs, constraints
        self.batch = inputs.rows(train_rows)
        self.validation_rows = validation_rows
        self.information, self.first_draws, self.seeds = information, first_draws, seeds
        self.initial = initial
        self.last_graph: Tensor | None = None
        self.step = 0
        self.search_steps = _search_steps(module)

    def __call__(self, step: int, info: Mapping[str, float]) -> Mapping[str, float]:
        """Do what is due after a step.

        Args:
            step: The step that was made, from 0.
            info: Signals of that update.

        Returns:
            Nothing more.
        """
        module, done = self.module, step + 1
        self.step = step
        if done in self.search_steps:
            self.search(self.search_steps.index(done))
        if module.stage(step) == "graph" and done % _EVERY == 0:
            module.cycles.update(module.gates.without_noise()[0].detach())
        if done == module.final_from():
            module.gates.support.copy_(chosen_graph(module, module.options.threshold))
        return {}

    @torch.no_grad()
    def search(self, number: int) -> None:
        """Search graphs in draws of the states, and initialise the gates by them.

        Args:
            number: Number of the search; every one has a stream of its own.
        """
        module, batch = self.module, self.batch
        key = (*self.seeds.spawn_key, number)
        child = np.random.SeedSequence(self.seeds.entropy, spawn_key=key)
        device = batch.values.device
        draws = self.first_draws if number == 0 else None
        if draws is None:
            generator = torch_generator(child, device)
            n_draws = module.options.n_draws
            draws = torch.stack([module.infer(batch, generator).draw for _ in range(n_draws)])
        graphs = search_additive(
            draws.cpu(),
            batch.live.cpu(),
            batch.regime.cpu(),
            self.constraints,
            information=self.information,
            penalty=module.options.lambda_sparse,
            initial=self.initial,
        )
        module.gates.flat.copy_(gate_logits(graphs).flatten())
        if number == 0:
            support = module.gates.probability() > 0.5
            first = draws[0].to(device, torch.float32)
            side, _ = candidate_steps(first, batch.live, module.sizes.n_lags)
            module.mechanisms.initialise_linear(side, support.flatten(0, 1), scale=False)

    @torch.no_grad()
    def summary(self) -> tuple[Bool[np.ndarray, "d d"], Float[np.ndarray, "d d"]]:
        """Sum up the graph over lags, for an external evaluation.

        Returns:
            Edges at any lag and their probabilities, zero diagonals.
        """
        module = self.module
        graph = chosen_graph(module, module.options.threshold)
        if module.stage(self.step + 1) == "final":
            graph = module.gates.support
        off = ~torch.eye(module.sizes.d, dtype=torch.bool, device=graph.device)
        either = 1 - (1 - module.gates.probability()).prod(0)
        return (graph.any(0) & off).cpu().numpy(), (either * off).double().cpu().numpy()

    @torch.no_grad()
    def signals(self) -> dict[str, float]:
        """Measure the state of the graph.

        Returns:
            Numbers by name.
        """
        module, batch, step = self.module, self.batch, self.step
        probability = module.gates.probability()
        graph, gates = chosen_graph(module, module.options.threshold), probability
        if module.stage(step + 1) == "final":
            graph, gates = module.gates.support, module.gates.support.to(probability)
        off = ~torch.eye(module.sizes.d, dtype=torch.bool, device=graph.device)
        last = graph if self.last_graph is None else self.last_graph
        union = int(((graph | last) & off).sum())
        self.last_graph = graph.clone()
        inside = probability[module.gates.allowed].clamp(1e-6, 1 - 1e-6)
        entropy = -(inside * inside.log() + (1 - inside) * (1 - inside).log())
        states = module.infer(batch, None)
        gap = (states.latent.mean + states.drift - batch.values)[batch.scored]
        return {
            "edge_count": float((graph & off).any(0).sum()),
            "edge_count_half": float(((probability > 0.5) & off).any(0).sum()),
            "edge_count_tenth": float(((probability > 0.1) & off).any(0).sum()),
            "gate_entropy": float(entropy.mean()),
            "graph_jaccard": int(((graph & last) & off).sum()) / union if union else 1.0,
            "cycles": float(exponential_trace(module.gates.without_noise()[0].square())),
            "cycle_multiplier": float(module.cycles.multiplier),
            "cycle_weight": float(module.cycles.weight),
            "temperature": module.temperature(step),
            **({"imputation_rmse": float(gap.square().mean().sqrt())} if len(gap) else {}),
            "observed_share": module.sizes.observed_share,
            "stage": float(("warm-up", "graph", "final").index(module.stage(step))),
            **validation_losses(module, self.inputs, self.validation_rows, gates),
        }


def _search_steps(module: CorruptedSCM) -> list[int]:
    """Steps after which a search is due: from the end of the warm-up to the middle of the stage."""
    options = module.options
    if options.initialisation == "open":
        return []
    first = round(options.warmup_share * options.n_steps)
    half = (module.final_from() - first) // 2
    n = options.n_searches
    return [first + half * k // max(n - 1, 1) for k in range(n)]
